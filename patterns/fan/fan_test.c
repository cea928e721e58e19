/* Tests of the fan: what is sent comes out, in which order, and how it ends. */
#include "fan_testing.h"

#define ITEMS (TESTING_SLOW ? 300 : 3000)

static void note_most(struct site *s, int n)
{
	int most = weft_load_relaxed(&s->most);

	while (n > most && !weft_cas_weak_relaxed(&s->most, &most, n))
		;
}

/* Counts the calls at once; takes a different time for each item. */
static int counted(const void *in, void *out, unsigned worker, void *arg)
{
	struct site *s = arg;

	note_most(s, weft_fetch_add_relaxed(&s->active, 1) + 1);
	CHECK_EQ(weft_fetch_add_relaxed(&s->active_of[worker], 1), 0);
	for (uint64_t n = weft_rand() % 500; n > 0; n--)
		weft_relax();
	weft_fetch_sub_relaxed(&s->active_of[worker], 1);
	weft_fetch_sub_relaxed(&s->active, 1);
	return pass(in, out, worker, NULL);
}

static int only_even(const void *in, void *out, unsigned worker, void *arg)
{
	pass(in, out, worker, arg);
	return *(const int *)in % 2 ? WEFT_SKIP : WEFT_EMIT;
}

static void run_through(struct shape shape, struct weft_fan_opts opts, int n,
                        int step)
{
	struct weft_fan *f = new_fan(shape, opts);
	struct source source = { f, 0, n, true };
	struct weft_task *t = testing_spawn(source_main, &source);

	expect_all(f, n, step, shape.merge == WEFT_FAN_ORDERED);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
	CHECK_EQ(stats_of(f).in, (uint64_t)n);
	CHECK_EQ(stats_of(f).queued, 0u);
	weft_fan_free(f);
}

/* --- everything comes out --- */

static void run_shapes(const struct weft_chan_impl *impl, size_t min_cap)
{
	static const unsigned workers[] = { 1, 2, 5 };

	for (size_t i = 0; i < SINGLE_SHAPES; i++)
		for (size_t w = 0; w < 3; w++)
			for (size_t cap = min_cap; cap < 8; cap = cap * 3 + 1)
				run_through(shapes[i],
				            (struct weft_fan_opts){
				                    .impl = impl,
				                    .workers = workers[w],
				                    .batch = 1 + 3 * (w % 2),
				                    .cap = cap },
				            ITEMS / 10, 1);
}

/* E3, and E4 where results are ordered. */
TEST(everything_sent_comes_out_once)
{
	run_shapes(weft_chan_impl_find("handoff"), 0);
	run_shapes(weft_chan_impl_find("ring"), 1);
	run_shapes(weft_chan_impl_find("list"), 1);
	return 0;
}

TEST(a_queue_for_each_worker_needs_one_sender_and_one_receiver_only)
{
	static const struct shape shape = { WEFT_FAN_ROUND_ROBIN,
		                            WEFT_FAN_ORDERED };

	run_through(shape,
	            (struct weft_fan_opts){ .impl = weft_chan_impl_find("spsc"),
	                                    .workers = 4,
	                                    .cap = 4 },
	            ITEMS, 1);
	return 0;
}

TEST(an_item_of_which_nothing_comes_leaves_no_gap)
{
	for (size_t i = 0; i < SINGLE_SHAPES; i++)
		run_through(shapes[i],
		            (struct weft_fan_opts){
		                    .fn = only_even, .workers = 3, .cap = 2 },
		            ITEMS / 5, 2);
	return 0;
}

static int count_call(const void *in, void *out, unsigned worker, void *arg)
{
	(void)in;
	(void)out;
	(void)worker;
	weft_fetch_add_relaxed((_Atomic int *)arg, 1);
	return WEFT_EMIT;
}

TEST(items_of_no_bytes_are_worked_on)
{
	for (int merge = 0; merge < 2; merge++) {
		_Atomic int calls = 0;
		struct weft_fan_opts opts = {
			.fn = count_call,
			.arg = &calls,
			.workers = 1,
			.merge = (enum weft_fan_merge)merge,
			.cap = 5,
		};
		struct weft_fan *f;

		CHECK_EQ(weft_fan_new(&f, &opts), 0);
		for (int i = 0; i < 5; i++)
			CHECK_EQ(weft_fan_send(f, NULL, WEFT_FOREVER), 0);
		CHECK_EQ(weft_fan_close(f), 0);
		for (int i = 0; i < 5; i++)
			CHECK_EQ(weft_fan_recv(f, NULL, WEFT_FOREVER), 0);
		CHECK_EQ(weft_fan_recv(f, NULL, WEFT_FOREVER), -EPIPE);
		CHECK_EQ(weft_load_relaxed(&calls), 5);
		weft_fan_free(f);
	}
	return 0;
}

/* --- order --- */

/* E4: strict, with never more calls at once than workers, and one at a time
 * for each of them. */
TEST(ordered_results_come_in_order_whatever_was_first)
{
	for (size_t i = UNORDERED_SHAPES; i < SINGLE_SHAPES; i++) {
		struct site *s = new_site(-2);

		run_through(shapes[i],
		            (struct weft_fan_opts){ .fn = counted,
		                                    .arg = s,
		                                    .workers = 5,
		                                    .cap = 3 },
		            ITEMS, 1);
		CHECK_LE(weft_load_relaxed(&s->most), 5);
		free_site(s);
	}
	return 0;
}

/* Several senders of an ordered fan: each one's items in its order. */
TEST(every_senders_order_is_kept)
{
	struct weft_fan *f = new_fan(
	        ordered, (struct weft_fan_opts){ .workers = 3, .cap = 2 });
	struct source sources[3];
	struct weft_task *tasks[3];
	int next[3] = { 0 }, result;

	for (int i = 0; i < 3; i++) {
		sources[i] =
		        (struct source){ f, i * ITEMS, (i + 1) * ITEMS, false };
		tasks[i] = testing_spawn(source_main, &sources[i]);
	}
	for (int n = 0; n < 3 * ITEMS; n++) {
		CHECK_EQ(weft_fan_recv(f, &result, WEFT_FOREVER), 0);
		CHECK_EQ(result % ITEMS, next[result / ITEMS]++);
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(testing_join(tasks[i]), 0);
	weft_fan_free(f);
	return 0;
}

/* --- the end --- */

/* E1 and E9: the end comes once everything is out, and stays. */
TEST(close_drains_and_then_ends)
{
	for (size_t i = 0; i < SINGLE_SHAPES; i++) {
		struct weft_fan *f =
		        new_fan(shapes[i], (struct weft_fan_opts){ .workers = 2,
		                                                   .cap = 8 });
		int item = 1, result;

		for (int n = 0; n < 4; n++)
			CHECK_EQ(weft_fan_send(f, &item, WEFT_FOREVER), 0);
		CHECK_EQ(weft_fan_close(f), 0);
		CHECK_EQ(weft_fan_close(f), -EPIPE);
		CHECK_EQ(weft_fan_send(f, &item, WEFT_FOREVER), -EPIPE);
		CHECK_EQ(weft_fan_try_send(f, &item), -EPIPE);
		for (int n = 0; n < 4; n++)
			CHECK_EQ(weft_fan_recv(f, &result, WEFT_FOREVER), 0);
		for (int n = 0; n < 3; n++)
			CHECK_EQ(weft_fan_recv(f, &result, WEFT_FOREVER),
			         -EPIPE);
		CHECK_EQ(weft_fan_try_recv(f, &result), -EPIPE);
		CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
		weft_fan_free(f);
	}
	return 0;
}

/* E2: nothing goes in, and the end comes at once. */
TEST(a_fan_that_is_closed_empty_ends_at_once)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct weft_fan *f =
		        new_fan(shapes[i], (struct weft_fan_opts){ 0 });
		int result;

		CHECK_EQ(weft_fan_close(f), 0);
		CHECK_EQ(weft_fan_recv(f, &result, WEFT_FOREVER), -EPIPE);
		weft_fan_free(f);
	}
	return 0;
}

TEST_MANUAL(the_end_reaches_every_receiver)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct weft_fan *f = new_fan(
		        shapes[i], (struct weft_fan_opts){ .workers = 3 });
		struct weft_task *tasks[4];

		for (int k = 0; k < 4; k++)
			tasks[k] = testing_spawn(recv_main, f);
		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ(weft_fan_close(f), 0);
		for (int k = 0; k < 4; k++)
			CHECK_EQ(testing_join(tasks[k]), -EPIPE);
		weft_fan_free(f);
	}
	return 0;
}

static int count_main(void *arg)
{
	int result, n = 0;

	while (!weft_fan_recv(arg, &result, WEFT_FOREVER))
		n++;
	return n;
}

TEST(several_may_receive)
{
	for (size_t i = 0; i < SINGLE_SHAPES; i++) {
		struct weft_fan *f =
		        new_fan(shapes[i], (struct weft_fan_opts){ .workers = 3,
		                                                   .cap = 1 });
		struct weft_task *tasks[4];
		struct source source = { f, 0, ITEMS, true };
		int n = 0;

		for (int k = 0; k < 4; k++)
			tasks[k] = testing_spawn(count_main, f);
		CHECK_EQ(source_main(&source), 0);
		for (int k = 0; k < 4; k++)
			n += testing_join(tasks[k]);
		CHECK_EQ(n, ITEMS);
		weft_fan_free(f);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_sent_comes_out_once),
		cmocka_unit_test(
		        a_queue_for_each_worker_needs_one_sender_and_one_receiver_only),
		cmocka_unit_test(an_item_of_which_nothing_comes_leaves_no_gap),
		cmocka_unit_test(items_of_no_bytes_are_worked_on),
		cmocka_unit_test(
		        ordered_results_come_in_order_whatever_was_first),
		cmocka_unit_test(every_senders_order_is_kept),
		cmocka_unit_test(close_drains_and_then_ends),
		cmocka_unit_test(a_fan_that_is_closed_empty_ends_at_once),
		cmocka_unit_test(the_end_reaches_every_receiver),
		cmocka_unit_test(several_may_receive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
