/* Tests of waiting for a buffer between producers and consumers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>

#include "kernel/tally.h"
#include "producer_consumer_testing.h"

#define ROUNDS (TESTING_SLOW ? 20 : 1000)

/* --- deadlines --- */

/* Takes with short deadlines against puts with short deadlines: an item goes in
 * once it was put without an error, and never otherwise; and so it comes out.
 */
struct haste {
	struct weft_buffer *b;
	struct tally *tally;
	_Atomic unsigned next_putter, next_taker;
};

#define HASTY 2 /* on either side */
#define HASTY_ITEMS (TESTING_SLOW ? 50u : 300u)

/* From none at all to enough. */
static int64_t soon(void)
{
	return weft_deadline_in((int64_t)(weft_rand() % 5000));
}

static int hasty_put(void *arg)
{
	struct haste *h = arg;
	uint64_t p = weft_fetch_add_relaxed(&h->next_putter, 1u), item;
	int err;

	for (unsigned i = 0; i < HASTY_ITEMS; i += !err) {
		item = p << 32 | i;
		err = weft_buffer_send(h->b, &item, soon());
		CHECK(err == 0 || err == -ETIMEDOUT);
	}
	return weft_buffer_done(h->b);
}

static int hasty_take(void *arg)
{
	struct haste *h = arg;
	unsigned id = weft_fetch_add_relaxed(&h->next_taker, 1u);
	uint64_t item;
	int err;

	while ((err = weft_buffer_recv(h->b, &item, soon())) != -EPIPE) {
		CHECK(err == 0 || err == -ETIMEDOUT);
		if (!err)
			tally_count(h->tally, id, (unsigned)(item >> 32),
			            item & UINT32_MAX);
	}
	return 0;
}

static void make_haste(const struct weft_chan_impl *impl, size_t cap)
{
	bool in_order = impl->can & (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO);
	struct weft_buffer_opts opts = { .impl = impl,
		                         .cap = cap,
		                         .elem_size = sizeof(uint64_t),
		                         .producers = HASTY,
		                         .count = cap == 1 };
	struct weft_task *tasks[2 * HASTY];
	struct haste h = { .b = NULL };
	char why[200];

	CHECK_EQ(tally_new(&h.tally, HASTY, HASTY,
	                   (uint64_t)HASTY * HASTY_ITEMS),
	         0);
	CHECK_EQ(weft_buffer_new(&h.b, &opts), 0);
	for (int k = 0; k < 2 * HASTY; k++)
		tasks[k] = testing_spawn(k % 2 ? hasty_put : hasty_take, &h);
	for (int k = 0; k < 2 * HASTY; k++)
		CHECK_EQ(testing_join(tasks[k]), 0);
	if (tally_verdict(h.tally, in_order, why, sizeof(why))) {
		fprintf(stderr, "%s, cap %zu: %s\n", impl->name, cap, why);
		abort();
	}
	weft_buffer_free(h.b);
	tally_free(h.tally);
}

/* Whether such a channel carries items between any number of tasks. */
static bool is_for_all(const struct weft_chan_impl *impl)
{
	return !(impl->can & WEFT_NO_DATA) && !impl->max_senders &&
	       !impl->max_receivers;
}

/* E7 */
TEST(a_deadline_that_meets_an_item_neither_loses_nor_doubles_it)
{
	const struct weft_chan_impl *impl;
	int n = 0;

	for (size_t i = 0; (impl = weft_chan_impl_at(i)); i++)
		for (size_t cap = 0; cap < 3; cap++)
			if (is_for_all(impl) &&
			    !weft_chan_impl_accepts(impl, cap, sizeof(uint64_t),
			                            NULL, 0)) {
				make_haste(impl, cap);
				n++;
			}
	CHECK_LE(6, n); /* condvar and handoff take all three */
	return 0;
}

/* --- one wake for each item --- */

#define WAITERS 5

static unsigned count_ended(struct weft_task *tasks[WAITERS])
{
	unsigned n = 0;

	for (int i = 0; i < WAITERS; i++)
		if (tasks[i] &&
		    weft_join_until(tasks[i], NULL, WEFT_NOW) == 0) {
			tasks[i] = NULL;
			n++;
		}
	return n;
}

/* So many of them end, and no more. What the clock cannot see cannot be
 * settled: then wait until they have. */
static void expect_ends(struct weft_task *tasks[WAITERS], unsigned n,
                        bool is_seen)
{
	int64_t until = weft_deadline_in(20 * WEFT_SEC);
	unsigned ended = 0;

	if (is_seen)
		CHECK_EQ(weft_clock_settle(), 0);
	while ((ended += count_ended(tasks)) < n) {
		CHECK(!is_seen);
		CHECK_LT(weft_now(), until);
		weft_yield();
	}
	CHECK_EQ(ended, n);
}

/* In or out: there is or will be room, or so many. */
static void move(struct weft_buffer *b, bool in, size_t n)
{
	int items[4] = { 0 };
	size_t done = n;
	int err;

	if (n == 1)
		err = in ? weft_buffer_send(b, items, WEFT_FOREVER)
		         : weft_buffer_recv(b, items, WEFT_FOREVER);
	else
		err = in ? weft_buffer_send_many(b, items, n, &done,
		                                 WEFT_FOREVER)
		         : weft_buffer_recv_many(b, items, n, &done,
		                                 WEFT_FOREVER);
	CHECK_EQ(err, 0);
	CHECK_EQ(done, n);
}

/*
 * E6: with nobody else about, k items let k consumers go and no more, and k
 * spaces k producers. Where the clock does not see them wait, they may be
 * asleep or on their way there.
 */
static void let_go(const struct weft_chan_impl *impl, bool producers,
                   bool is_seen)
{
	struct weft_buffer *b = NEW_BUFFER(.impl = impl, .cap = 4);
	struct weft_task *tasks[WAITERS];

	if (producers)
		move(b, true, 4);
	for (int i = 0; i < WAITERS; i++)
		tasks[i] = testing_spawn(producers ? put_main : take_main, b);
	if (is_seen)
		expect_ends(tasks, 0, is_seen);
	move(b, !producers, 1);
	expect_ends(tasks, 1, is_seen);
	move(b, !producers, 3);
	expect_ends(tasks, 3, is_seen);
	CHECK_EQ(producers ? weft_buffer_stop(b) : weft_buffer_close(b), 0);
	expect_ends(tasks, 1, is_seen);
	weft_buffer_free(b);
}

/* Over the channels whose waits the clock can see, for any number of tasks. */
TEST_MANUAL(each_item_and_each_space_wakes_one)
{
	const struct weft_chan_impl *impl;

	for (size_t i = 0; (impl = weft_chan_impl_at(i)); i++) {
		if ((impl->can & WEFT_BLOCKS_THREAD) || !is_for_all(impl))
			continue;
		let_go(impl, false, true);
		if (impl->can & WEFT_CAN_BOUNDED)
			let_go(impl, true, true);
	}
	return 0;
}

static bool holds_four(const struct weft_chan_impl *impl)
{
	struct weft_buffer *b = NEW_BUFFER(.impl = impl, .cap = 4);
	size_t cap = stats_of(b).cap;

	weft_buffer_free(b);
	return cap == 4;
}

/* Over the others: condvar, and what waits in the kernel. */
TEST(each_item_and_each_space_lets_one_go_where_threads_wait)
{
	const struct weft_chan_impl *impl;
	int n = 0;

	for (size_t i = 0; (impl = weft_chan_impl_at(i)); i++) {
		if (!(impl->can & WEFT_BLOCKS_THREAD) || !is_for_all(impl))
			continue;
		n++;
		for (int round = 0; round < ROUNDS / 20; round++) {
			let_go(impl, false, false);
			if (holds_four(impl))
				let_go(impl, true, false);
		}
	}
	CHECK_LT(0, n);
	return 0;
}

/* --- who waits, and for how long --- */

/* One task waits for so long, until something else lets it go. */
static void expect_wait(struct weft_buffer *b, weft_task_fn waits, int64_t ns,
                        weft_task_fn lets_go)
{
	struct weft_task *t = testing_spawn(waits, b);

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(ns), 0);
	CHECK_EQ(lets_go(b), 0);
	CHECK_EQ(testing_join(t), 0);
}

TEST_MANUAL(waits_are_counted_on_the_side_that_waits)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 1);

	expect_wait(b, take_main, 5 * WEFT_MS, put_main);
	CHECK_EQ(stats_of(b).recv_waits, 1u);
	CHECK_EQ(stats_of(b).recv_wait_ns, 5 * WEFT_MS);
	CHECK_EQ(stats_of(b).send_waits, 0u);

	CHECK_EQ(put_main(b), 0);
	expect_wait(b, put_main, 3 * WEFT_MS, take_main);
	CHECK_EQ(stats_of(b).send_waits, 1u);
	CHECK_EQ(stats_of(b).send_wait_ns, 3 * WEFT_MS);
	CHECK_EQ(stats_of(b).recv_waits, 1u);
	weft_buffer_free(b);
	return 0;
}

static int put_three(void *arg)
{
	move(arg, true, 3);
	return 0;
}

static int take_some(void *arg)
{
	int items[3];
	size_t done;

	return weft_buffer_recv_many(arg, items, 3, &done, WEFT_FOREVER);
}

TEST_MANUAL(a_batch_that_waits_is_counted_once)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 2);

	expect_wait(b, put_three, 7 * WEFT_MS, take_some);
	CHECK_EQ(stats_of(b).sends, 3u);
	CHECK_EQ(stats_of(b).send_waits, 1u);
	CHECK_EQ(stats_of(b).send_wait_ns, 7 * WEFT_MS);
	weft_buffer_free(b);
	return 0;
}

/* --- fairness --- */

#define MEALS 200

struct eater {
	struct weft_buffer *b;
	int meals;
};

/* Takes an item and works on it for a millisecond. */
static int eat(void *arg)
{
	struct eater *e = arg;
	int item;

	while (weft_buffer_recv(e->b, &item, WEFT_FOREVER) == 0) {
		e->meals++;
		weft_sleep_until(weft_deadline_in(WEFT_MS));
	}
	return 0;
}

static int cook(void *arg)
{
	struct weft_buffer *b = arg;
	int err = 0;

	for (int i = 0; i < 4 * MEALS && !err; i++)
		err = weft_buffer_send(b, &i, WEFT_FOREVER);
	weft_buffer_done(b);
	return err;
}

/* E11: while there is more than enough, consumers that are equally fast get
 * equally much. */
static void share_a_surplus(const struct weft_chan_impl *impl)
{
	struct weft_buffer *b = NEW_BUFFER(.impl = impl, .cap = 8);
	struct eater eaters[4];
	struct weft_task *tasks[5];

	tasks[4] = testing_spawn(cook, b);
	for (int i = 0; i < 4; i++) {
		eaters[i] = (struct eater){ .b = b };
		tasks[i] = testing_spawn(eat, &eaters[i]);
	}
	for (int i = 0; i < 5; i++)
		CHECK_EQ(testing_join_moving(tasks[i]), 0);
	for (int i = 0; i < 4; i++)
		CHECK(MEALS - 1 <= eaters[i].meals &&
		      eaters[i].meals <= MEALS + 1);
	weft_buffer_free(b);
}

TEST_MANUAL(consumers_share_a_surplus_evenly)
{
	share_a_surplus(weft_chan_impl_find("handoff"));
	share_a_surplus(weft_chan_impl_find("ring"));
	share_a_surplus(weft_chan_impl_find("list"));
	return 0;
}
