/* Tests of the buffer between producers and consumers: what goes in comes out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "producer_consumer_testing.h"

#define ROUNDS (TESTING_SLOW ? 2000 : 100000)
#define TASKS_MAX 80

/* --- everything put is taken once --- */

struct shape {
	size_t cap;
	int producers, consumers, items; /* items of each producer */
};

/* Producer p puts p * items, p * items + 1, ...; the task that takes or drops
 * one notes that. */
struct crowd {
	struct weft_buffer *b;
	int items;
	_Atomic int next_producer;
	_Atomic int *gone; /* how often, by item */
};

static int crowd_put(void *arg)
{
	struct crowd *c = arg;
	int item = weft_fetch_add_relaxed(&c->next_producer, 1) * c->items;
	int err = 0;

	for (int i = 0; i < c->items && !err; i++, item++)
		err = weft_buffer_send(c->b, &item, WEFT_FOREVER);
	return err;
}

static int crowd_produce(void *arg)
{
	struct crowd *c = arg;
	int status = 0;

	weft_buffer_produce(c->b, crowd_put, c, &status);
	return status;
}

/* Each producer's items come in their order, at every single consumer. */
static int crowd_take(void *arg)
{
	struct crowd *c = arg;
	int last[TASKS_MAX], item, err;

	for (int i = 0; i < TASKS_MAX; i++)
		last[i] = -1;
	while (!(err = weft_buffer_recv(c->b, &item, WEFT_FOREVER))) {
		weft_fetch_add_relaxed(&c->gone[item], 1);
		CHECK_LT(last[item / c->items], item);
		last[item / c->items] = item;
	}
	return err;
}

static void crowd_drop(void *elem, void *arg)
{
	struct crowd *c = arg;
	int item;

	memcpy(&item, elem, sizeof(item));
	weft_fetch_add_relaxed(&c->gone[item], 1);
}

static void expect_gone_once(const struct shape *s, const char *impl,
                             enum weft_overflow overflow)
{
	struct crowd c = { .items = s->items };
	struct weft_task *tasks[TASKS_MAX];
	struct weft_buffer_stats stats;
	int all = s->producers * s->items, n = s->producers + s->consumers;

	CHECK_LE(n, TASKS_MAX);
	c.gone = calloc((size_t)all, sizeof(*c.gone));
	CHECK(c.gone != NULL);
	c.b = NEW_COUNTING(.impl = weft_chan_impl_find(impl), .cap = s->cap,
	                   .producers = (unsigned)s->producers,
	                   .overflow = overflow, .drop = crowd_drop,
	                   .drop_arg = &c);
	for (int i = 0; i < n; i++)
		tasks[i] = testing_spawn(
		        i < s->producers ? crowd_produce : crowd_take, &c);
	for (int i = 0; i < n; i++)
		CHECK_EQ(testing_join(tasks[i]), i < s->producers ? 0 : -EPIPE);
	for (int i = 0; i < all; i++)
		CHECK_EQ(weft_load_relaxed(&c.gone[i]), 1);
	stats = stats_of(c.b);
	CHECK_EQ(stats.sends, (uint64_t)all);
	CHECK_EQ(stats.sends, stats.recvs + stats.dropped);
	CHECK_EQ(stats.len, 0u);
	CHECK_LE(stats.high, s->cap);
	if (overflow == WEFT_OVERFLOW_WAIT)
		CHECK_EQ(stats.dropped, 0u);
	weft_buffer_free(c.b);
	free(c.gone);
}

TEST(each_item_is_taken_once)
{
	static const struct shape shapes[] = {
		{ 5, 2, 3, 10 }, /* E1 */
		/* E4: also no power of two, and far more than needed. */
		{ 0, 2, 2, 200 },
		{ 1, 2, 2, 200 },
		{ 2, 2, 2, 200 },
		{ 3, 2, 2, 200 },
		{ 7, 2, 2, 200 },
		{ 50, 2, 2, 200 },
		{ 1000, 2, 2, 200 },
		{ 1 << 20, 2, 2, 200 },
		/* E5, at the end with the shape of Savina's bounded buffer. */
		{ 4, 1, 1, 500 },
		{ 4, 8, 1, 100 },
		{ 4, 1, 8, 500 },
		{ 3, 64, 1, 20 },
		{ 3, 1, 64, 200 },
		{ 50, 40, 40, TESTING_SLOW ? 20 : 100 },
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		expect_gone_once(&shapes[i], "handoff", WEFT_OVERFLOW_WAIT);
	return 0;
}

TEST(each_item_is_taken_or_dropped_and_never_both)
{
	static const char *const impls[] = { "condvar", "handoff", "ring" };
	static const struct shape shape = { 3, 3, 1, ROUNDS / 50 };

	for (int i = 0; i < 3; i++) {
		expect_gone_once(&shape, impls[i], WEFT_OVERFLOW_DROP_NEWEST);
		expect_gone_once(&shape, impls[i], WEFT_OVERFLOW_DROP_OLDEST);
	}
	return 0;
}

/* E4 */
TEST_MANUAL(a_put_without_capacity_waits_until_it_is_taken)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 0);
	struct weft_task *t = testing_spawn(put_main, b);

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats_of(b).sends, 0u);
	CHECK_EQ(take_main(b), 0);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(stats_of(b).sends, 1u);
	weft_buffer_free(b);
	return 0;
}

/* --- bounds --- */

/* E2 */
TEST(a_buffer_never_holds_more_than_its_capacity)
{
	for (size_t cap = 1; cap < 9; cap++) {
		struct weft_buffer *b = NEW_COUNTING(.cap = cap);
		int item;

		for (size_t i = 0; i < cap; i++)
			CHECK_EQ(weft_buffer_try_send(b, &(int){ (int)i }), 0);
		CHECK_EQ(weft_buffer_try_send(b, &(int){ 0 }), -EAGAIN);
		CHECK_EQ(weft_buffer_send(b, &(int){ 0 }, WEFT_NOW),
		         -ETIMEDOUT);
		CHECK_EQ(stats_of(b).len, cap);
		CHECK_EQ(stats_of(b).cap, cap);
		for (size_t i = 0; i < cap; i++) {
			CHECK_EQ(weft_buffer_try_recv(b, &item), 0);
			CHECK_EQ(item, (int)i);
		}
		CHECK_EQ(weft_buffer_try_recv(b, &item), -EAGAIN);
		CHECK_EQ(weft_buffer_recv(b, &item, WEFT_NOW), -ETIMEDOUT);
		CHECK_EQ(stats_of(b).len, 0u);
		weft_buffer_free(b);
	}
	return 0;
}

TEST(the_high_watermark_stays)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 5);
	int item = 0;

	CHECK_EQ(stats_of(b).high, 0u);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_try_send(b, &item), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_try_recv(b, &item), 0);
	CHECK_EQ(weft_buffer_try_send(b, &item), 0);
	CHECK_EQ(stats_of(b).high, 3u);
	CHECK_EQ(stats_of(b).sends, 4u);
	CHECK_EQ(stats_of(b).recvs, 3u);
	weft_buffer_free(b);
	return 0;
}

TEST(the_fill_is_counted_as_each_put_leaves_it)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 4);
	struct weft_buffer_stats stats;
	int items[4] = { 0 };
	size_t done;

	/* 1, 2, 3, 4; then empty, and 3 at once. */
	for (int i = 0; i < 4; i++)
		CHECK_EQ(weft_buffer_send(b, items, WEFT_NOW), 0);
	CHECK_EQ(weft_buffer_recv_many(b, items, 4, &done, WEFT_NOW), 0);
	CHECK_EQ(weft_buffer_send_many(b, items, 3, &done, WEFT_NOW), 0);
	stats = stats_of(b);
	CHECK_EQ(stats.sends, 7u);
	CHECK(stats.mean_fill == (1 + 2 + 3 + 4 + 3 * 3) / 7.0);
	CHECK_EQ(stats.fill[2], 1u);
	CHECK_EQ(stats.fill[4], 1u);
	CHECK_EQ(stats.fill[6], 4u);
	CHECK_EQ(stats.fill[8], 1u);
	CHECK_EQ(stats.fill[0], 0u);
	weft_buffer_free(b);
	return 0;
}

/* An implementation that is loaded may count as it likes. */
TEST(a_length_that_cannot_be_is_not_believed)
{
	struct weft_buffer *b =
	        NEW_COUNTING(.impl = &testing_miscounts, .cap = 4);
	struct weft_buffer_stats stats;
	int item = 0;

	CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), 0);
	stats = stats_of(b);
	CHECK_EQ(stats.len, 0u);
	CHECK_EQ(stats.high, 0u);
	CHECK_EQ(stats.fill[0], 1u);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), 0);
	stats = stats_of(b);
	CHECK_EQ(stats.len, 4u);
	CHECK_EQ(stats.high, 4u);
	CHECK_EQ(stats.fill[WEFT_BUFFER_FILLS - 1], 3u);
	CHECK(stats.mean_fill == 3 * 4 / 4.0);
	weft_buffer_free(b);
	return 0;
}

/* Without a capacity there are no eighths of it. */
TEST(an_unbounded_buffer_has_no_classes_of_fill)
{
	struct weft_buffer *b =
	        NEW_COUNTING(.impl = weft_chan_impl_find("list"), .cap = 1);
	int item = 0;

	for (int i = 0; i < 100; i++)
		CHECK_EQ(weft_buffer_try_send(b, &item), 0);
	CHECK_EQ(stats_of(b).high, 100u);
	CHECK(stats_of(b).mean_fill == 50.5);
	for (int i = 0; i < WEFT_BUFFER_FILLS; i++)
		CHECK_EQ(stats_of(b).fill[i], 0u);
	weft_buffer_free(b);
	return 0;
}

TEST(nothing_is_counted_unless_asked_for)
{
	struct weft_buffer *b = NEW_BUFFER(.cap = 2);
	int item = 0;

	CHECK_EQ(weft_buffer_try_send(b, &item), 0);
	CHECK_EQ(stats_of(b).sends, 0u);
	CHECK_EQ(stats_of(b).high, 0u);
	CHECK(stats_of(b).mean_fill == 0);
	CHECK_EQ(stats_of(b).len, 1u);
	weft_buffer_free(b);
	return 0;
}

TEST(many_items_go_in_and_out_at_once)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 8);
	int in[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[8];
	size_t done;

	CHECK_EQ(weft_buffer_send_many(b, in, 8, &done, WEFT_NOW), 0);
	CHECK_EQ(done, 8u);
	CHECK_EQ(weft_buffer_send_many(b, in, 1, &done, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(done, 0u);
	CHECK_EQ(weft_buffer_recv_many(b, out, 5, &done, WEFT_NOW), 0);
	CHECK_EQ(done, 5u);
	CHECK_EQ(out[4], 5);
	CHECK_EQ(weft_buffer_send_many(b, in, 8, &done, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(done, 5u);
	CHECK_EQ(stats_of(b).sends, 13u);
	CHECK_EQ(stats_of(b).recvs, 5u);
	weft_buffer_free(b);
	return 0;
}

/* E10 */
TEST(items_of_no_bytes_are_counted)
{
	struct weft_buffer *b = new_buffer(
	        (struct weft_buffer_opts){ .cap = 3, .count = true });

	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_send(b, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_try_send(b, NULL), -EAGAIN);
	CHECK_EQ(weft_buffer_done(b), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_recv(b, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_recv(b, NULL, WEFT_FOREVER), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

/* --- try --- */

static int shuffle_one(void *arg)
{
	struct weft_buffer *b = arg;
	int item;

	for (int i = 0; i < ROUNDS; i++) {
		/* One put before each take: it is never empty here. */
		CHECK_EQ(weft_buffer_send(b, &i, WEFT_FOREVER), 0);
		CHECK_EQ(weft_buffer_try_recv(b, &item), 0);
	}
	return 0;
}

/* E9; `weft check` asks every channel for it: whoever_sent_finds_an_element,
 * and close_does_not_hide_an_element_from_try_recv. */
TEST(a_buffer_that_is_never_empty_never_says_so)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 10);
	struct weft_task *other = testing_spawn(shuffle_one, b);

	CHECK_EQ(shuffle_one(b), 0);
	CHECK_EQ(testing_join(other), 0);
	CHECK_EQ(stats_of(b).len, 0u);
	weft_buffer_free(b);
	return 0;
}

/* --- overflow --- */

/* A buffer of ints that drops: what it dropped, in order. */
struct dropping {
	struct weft_buffer *b;
	int dropped[20], drops;
};

static void note_drop(void *elem, void *arg)
{
	struct dropping *d = arg;

	CHECK_EQ((uintptr_t)elem % WEFT_CACHE_LINE, 0u);
	CHECK_LT(d->drops, 20);
	memcpy(&d->dropped[d->drops++], elem, sizeof(int));
}

static void drop_into(struct dropping *d, size_t cap,
                      enum weft_overflow overflow)
{
	d->drops = 0;
	d->b = NEW_COUNTING(.cap = cap, .overflow = overflow, .drop = note_drop,
	                    .drop_arg = d);
}

/* The next n items must be first, first + 1, ... */
static void expect_items(struct weft_buffer *b, int first, int n)
{
	int item;

	for (int i = 0; i < n; i++) {
		CHECK_EQ(weft_buffer_try_recv(b, &item), 0);
		CHECK_EQ(item, first + i);
	}
	CHECK_EQ(weft_buffer_try_recv(b, &item), -EAGAIN);
}

/* Nobody takes here: a put that waited would wait for ever. */
static void put_ten(struct weft_buffer *b)
{
	int item = 0, rest[5] = { 5, 6, 7, 8, 9 };
	size_t done;

	for (; item < 3; item++)
		CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), 0);
	for (; item < 5; item++)
		CHECK_EQ(weft_buffer_try_send(b, &item), 0);
	CHECK_EQ(weft_buffer_send_many(b, rest, 5, &done, WEFT_FOREVER), 0);
	CHECK_EQ(done, 5u);
}

/* Of 0 to 9 in a buffer for four, six are dropped, from `dropped`; `left` and
 * the next three are left. */
static void expect_drops(enum weft_overflow overflow, int dropped, int left)
{
	struct dropping d;

	drop_into(&d, 4, overflow);
	put_ten(d.b);
	CHECK_EQ(d.drops, 6);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(d.dropped[i], dropped + i);
	CHECK_EQ(stats_of(d.b).sends, 10u);
	CHECK_EQ(stats_of(d.b).dropped, 6u);
	expect_items(d.b, left, 4);
	weft_buffer_free(d.b);
	CHECK_EQ(d.drops, 6);
}

TEST(the_newest_or_the_oldest_are_dropped_when_it_is_full)
{
	expect_drops(WEFT_OVERFLOW_DROP_NEWEST, 4, 0);
	expect_drops(WEFT_OVERFLOW_DROP_OLDEST, 0, 6);
	return 0;
}

/* Capacity 0: a waiting consumer gets it, and nobody else does. */
TEST(without_capacity_the_newest_is_dropped_unless_someone_waits)
{
	struct dropping d;
	int item = 3;

	drop_into(&d, 0, WEFT_OVERFLOW_DROP_NEWEST);
	CHECK_EQ(weft_buffer_send(d.b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(d.drops, 1);
	CHECK_EQ(weft_buffer_try_recv(d.b, &item), -EAGAIN);
	weft_buffer_free(d.b);
	return 0;
}

TEST(a_closed_buffer_drops_nothing)
{
	for (int policy = WEFT_OVERFLOW_DROP_NEWEST;
	     policy <= WEFT_OVERFLOW_DROP_OLDEST; policy++) {
		struct dropping d;
		int item = 0;

		drop_into(&d, 1, (enum weft_overflow)policy);
		CHECK_EQ(weft_buffer_send(d.b, &item, WEFT_FOREVER), 0);
		CHECK_EQ(weft_buffer_close(d.b), 0);
		CHECK_EQ(weft_buffer_send(d.b, &item, WEFT_FOREVER), -EPIPE);
		CHECK_EQ(weft_buffer_try_send(d.b, &item), -EPIPE);
		CHECK_EQ(d.drops, 0);
		CHECK_EQ(weft_buffer_stop(d.b), 0);
		CHECK_EQ(weft_buffer_send(d.b, &item, WEFT_FOREVER),
		         -ECANCELED);
		weft_buffer_free(d.b);
		CHECK_EQ(d.drops, 1);
	}
	return 0;
}

/* --- bad input --- */

TEST(a_buffer_that_makes_no_sense_is_refused)
{
	static const struct weft_buffer_opts bad[] = {
		{ .elem_size = WEFT_ELEM_MAX + 1 },
		{ .wait = (enum weft_wait)9 },
		{ .overflow = (enum weft_overflow)3 },
		{ .impl = &testing_one_to_one }, /* cap 0 */
		{ .impl = &testing_one_to_one, .cap = 1, .producers = 2 },
		{ .impl = &testing_one_to_one, .cap = 1, .consumers = 2 },
		/* With DROP_OLDEST producers receive as well. */
		{ .overflow = WEFT_OVERFLOW_DROP_OLDEST },
		{ .impl = &testing_one_to_one,
		  .cap = 1,
		  .overflow = WEFT_OVERFLOW_DROP_OLDEST },
	};
	struct weft_buffer *b = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(weft_buffer_new(&b, &bad[i]), -EINVAL);
	CHECK_EQ(weft_buffer_new(NULL, NULL), -EINVAL);
	CHECK(b == NULL);
	CHECK_EQ(weft_buffer_new(&b, NULL), 0);
	weft_buffer_free(b);
	return 0;
}

TEST(what_is_needed_may_not_be_missing)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 1);
	size_t done;
	int v = 0;

	CHECK_EQ(weft_buffer_try_send(NULL, &v), -EINVAL);
	CHECK_EQ(weft_buffer_try_recv(NULL, &v), -EINVAL);
	CHECK_EQ(weft_buffer_send_many(NULL, &v, 1, &done, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_recv_many(NULL, &v, 1, &done, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_send_many(b, &v, 1, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_recv_many(b, &v, 1, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_send(b, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_recv(b, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_attach(NULL), -EINVAL);
	CHECK_EQ(weft_buffer_done(NULL), -EINVAL);
	CHECK_EQ(weft_buffer_produce(NULL, put_main, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_buffer_produce(b, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_buffer_leave(NULL), -EINVAL);
	CHECK_EQ(weft_buffer_consume(NULL, put_main, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_buffer_consume(b, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(stats_of(b).producers, 1u);
	weft_buffer_free(b);
	return 0;
}
