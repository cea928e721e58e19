/* Tests of waiting for a buffer between producers and consumers. */
#include <errno.h>

#include <weft/chan_impl.h>

#include "buffers.h"

#define ROUNDS (TESTING_SLOW ? 20 : 1000)

/* --- deadlines --- */

struct timed {
	struct weft_buffer *b;
	int64_t deadline_ns, returned_at;
	int item;
};

static int timed_take(void *arg)
{
	struct timed *t = arg;
	int err = weft_buffer_take(t->b, &t->item, t->deadline_ns);

	t->returned_at = weft_now();
	return err;
}

static int timed_put(void *arg)
{
	struct timed *t = arg;
	int err = weft_buffer_put(t->b, &t->item, t->deadline_ns);

	t->returned_at = weft_now();
	return err;
}

TEST_MANUAL(takes_and_puts_end_at_their_deadline)
{
	struct weft_buffer *b = new_buffer(1, 1);
	struct timed t = { .b = b, .deadline_ns = weft_deadline_in(WEFT_SEC) };
	struct weft_task *task = testing_spawn(timed_take, &t);

	CHECK_EQ(testing_join_moving(task), -ETIMEDOUT);
	CHECK_EQ(t.returned_at, t.deadline_ns);

	CHECK_EQ(weft_buffer_try_put(b, &t.item), 0);
	t.deadline_ns = weft_deadline_in(WEFT_SEC);
	task = testing_spawn(timed_put, &t);
	CHECK_EQ(testing_join_moving(task), -ETIMEDOUT);
	CHECK_EQ(t.returned_at, t.deadline_ns);
	/* The put that failed has put nothing. */
	CHECK_EQ(stats_of(b).len, 1u);
	weft_buffer_free(b);
	return 0;
}

/* Takes with short deadlines against puts with short deadlines: whatever each
 * reports, nothing is lost and nothing comes twice. */
static int hasty_take(void *arg)
{
	struct weft_buffer *b = arg;
	int item, n = 0, err;

	for (;;) {
		err = weft_buffer_take(b, &item, weft_deadline_in(1000));
		if (err == -EPIPE)
			return n;
		CHECK(err == 0 || err == -ETIMEDOUT);
		n += !err;
	}
}

static int hasty_put(void *arg)
{
	struct weft_buffer *b = arg;
	int n = 0, err;

	for (int i = 0; i < ROUNDS; i++) {
		err = weft_buffer_put(b, &i, weft_deadline_in(1000));
		CHECK(err == 0 || err == -ETIMEDOUT);
		n += !err;
	}
	weft_buffer_done(b);
	return n;
}

/* E7 */
TEST(a_deadline_that_meets_an_item_neither_loses_nor_doubles_it)
{
	for (size_t cap = 0; cap < 3; cap++) {
		struct weft_buffer *b = new_buffer(cap, 2);
		struct weft_task *tasks[4];
		int put = 0, taken = 0;

		for (int k = 0; k < 4; k++)
			tasks[k] = testing_spawn(k < 2 ? hasty_put : hasty_take,
			                         b);
		for (int k = 0; k < 4; k++)
			*(k < 2 ? &put : &taken) += testing_join(tasks[k]);
		CHECK_EQ(put, taken);
		weft_buffer_free(b);
	}
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

static void start_waiters(struct weft_task *tasks[WAITERS], weft_task_fn fn,
                          struct weft_buffer *b)
{
	for (int i = 0; i < WAITERS; i++)
		tasks[i] = testing_spawn(fn, b);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(count_ended(tasks), 0u);
}

static struct weft_buffer *new_over(const struct weft_chan_impl *impl,
                                    size_t cap)
{
	struct weft_buffer_opts opts = { .impl = impl,
		                         .cap = cap,
		                         .elem_size = sizeof(int) };
	struct weft_buffer *b;

	CHECK_EQ(weft_buffer_new(&b, &opts), 0);
	return b;
}

/* E6: with nobody else about, k items let k consumers go and no more. */
static void wake_takers(const struct weft_chan_impl *impl)
{
	struct weft_buffer *b = new_over(impl, 4);
	struct weft_task *tasks[WAITERS];
	int items[3] = { 0 };
	size_t done;

	start_waiters(tasks, take_main, b);
	CHECK_EQ(weft_buffer_put(b, items, WEFT_FOREVER), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(count_ended(tasks), 1u);
	CHECK_EQ(weft_buffer_put_many(b, items, 3, &done, WEFT_FOREVER), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(count_ended(tasks), 3u);
	CHECK_EQ(weft_buffer_close(b), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(count_ended(tasks), 1u);
	weft_buffer_free(b);
}

/* The same with space, and producers. */
static void wake_putters(const struct weft_chan_impl *impl)
{
	struct weft_buffer *b = new_over(impl, 4);
	struct weft_task *tasks[WAITERS];
	int items[4] = { 0 };
	size_t done;

	CHECK_EQ(weft_buffer_put_many(b, items, 4, &done, WEFT_NOW), 0);
	start_waiters(tasks, put_main, b);
	CHECK_EQ(weft_buffer_take(b, items, WEFT_FOREVER), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(count_ended(tasks), 1u);
	CHECK_EQ(weft_buffer_take_many(b, items, 3, &done, WEFT_FOREVER), 0);
	CHECK_EQ(done, 3u);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(count_ended(tasks), 3u);
	CHECK_EQ(weft_buffer_stop(b), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(count_ended(tasks), 1u);
	weft_buffer_free(b);
}

/* Over the channels whose waits the clock can see, for any number of tasks. */
TEST_MANUAL(each_item_and_each_space_wakes_one)
{
	const struct weft_chan_impl *impl;

	for (size_t i = 0; (impl = weft_chan_impl_at(i)); i++) {
		if (impl->can & (WEFT_BLOCKS_THREAD | WEFT_NO_DATA) ||
		    impl->max_senders || impl->max_receivers)
			continue;
		wake_takers(impl);
		if (impl->can & WEFT_CAN_BOUNDED)
			wake_putters(impl);
	}
	return 0;
}

/* --- who waits, and for how long --- */

TEST_MANUAL(waits_are_counted_on_the_side_that_waits)
{
	struct weft_buffer *b = new_buffer(1, 1);
	struct weft_task *t = testing_spawn(take_main, b);
	int item = 0;

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(5 * WEFT_MS), 0);
	CHECK_EQ(weft_buffer_put(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(stats_of(b).take_waits, 1u);
	CHECK_EQ(stats_of(b).take_wait_ns, 5 * WEFT_MS);
	CHECK_EQ(stats_of(b).put_waits, 0u);

	CHECK_EQ(weft_buffer_put(b, &item, WEFT_FOREVER), 0);
	t = testing_spawn(put_main, b);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(3 * WEFT_MS), 0);
	CHECK_EQ(weft_buffer_take(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(stats_of(b).put_waits, 1u);
	CHECK_EQ(stats_of(b).put_wait_ns, 3 * WEFT_MS);
	CHECK_EQ(stats_of(b).take_waits, 1u);
	weft_buffer_free(b);
	return 0;
}

static int put_three(void *arg)
{
	int items[3] = { 0 };
	size_t done;

	return weft_buffer_put_many(arg, items, 3, &done, WEFT_FOREVER);
}

TEST_MANUAL(a_batch_that_waits_is_counted_once)
{
	struct weft_buffer *b = new_buffer(2, 1);
	struct weft_task *t = testing_spawn(put_three, b);
	int items[3];
	size_t done;

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(7 * WEFT_MS), 0);
	CHECK_EQ(weft_buffer_take_many(b, items, 3, &done, WEFT_FOREVER), 0);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(stats_of(b).puts, 3u);
	CHECK_EQ(stats_of(b).put_waits, 1u);
	CHECK_EQ(stats_of(b).put_wait_ns, 7 * WEFT_MS);
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

	while (weft_buffer_take(e->b, &item, WEFT_FOREVER) == 0) {
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
		err = weft_buffer_put(b, &i, WEFT_FOREVER);
	weft_buffer_done(b);
	return err;
}

/* E11: while there is more than enough, consumers that are equally fast get
 * equally much. */
static void share_a_surplus(const struct weft_chan_impl *impl)
{
	struct weft_buffer *b = new_over(impl, 8);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_and_puts_end_at_their_deadline),
		cmocka_unit_test(
		        a_deadline_that_meets_an_item_neither_loses_nor_doubles_it),
		cmocka_unit_test(each_item_and_each_space_wakes_one),
		cmocka_unit_test(waits_are_counted_on_the_side_that_waits),
		cmocka_unit_test(a_batch_that_waits_is_counted_once),
		cmocka_unit_test(consumers_share_a_surplus_evenly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
