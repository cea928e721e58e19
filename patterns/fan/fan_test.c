/* Tests of the fan: what is sent comes out, in which order, and how it ends. */
#include "fan_testing.h"

#define ITEMS (TESTING_SLOW ? 300 : 3000)

/* Calls at once: of all workers, at most so far, and of each. */
struct calls {
	_Atomic int now, most, of[5];
};

static void note_most(struct calls *c, int n)
{
	int most = weft_load_relaxed(&c->most);

	while (n > most && !weft_cas_weak_relaxed(&c->most, &most, n))
		;
}

/* Counts the calls at once; takes a different time for each item. */
static int counted(const void *in, void *out, unsigned worker, void *arg)
{
	struct calls *c = arg;

	note_most(c, weft_fetch_add_relaxed(&c->now, 1) + 1);
	CHECK_EQ(weft_fetch_add_relaxed(&c->of[worker], 1), 0);
	for (uint64_t n = weft_rand() % 500; n > 0; n--)
		weft_relax();
	weft_fetch_sub_relaxed(&c->of[worker], 1);
	weft_fetch_sub_relaxed(&c->now, 1);
	return pass(in, out, worker, NULL);
}

static int only_even(const void *in, void *out, unsigned worker, void *arg)
{
	pass(in, out, worker, arg);
	return *(const int *)in % 2 ? WEFT_SKIP : WEFT_EMIT;
}

/* --- everything comes out --- */

static void run_shapes(const char *impl, size_t min_cap)
{
	static const unsigned workers[] = { 1, 2, 5 };

	for (size_t i = 0; i < SINGLE_SHAPES; i++)
		for (size_t w = 0; w < 3; w++)
			for (size_t cap = min_cap; cap < 8; cap = cap * 3 + 1)
				run_through(
				        shapes[i],
				        OPTS(.impl = weft_chan_impl_find(impl),
				             .workers = workers[w],
				             .batch = 1 + 3 * (w % 2),
				             .cap = cap),
				        ITEMS / 10, 0);
}

/* E3, and E4 where results are ordered. */
TEST(everything_sent_comes_out_once)
{
	run_shapes("handoff", 0);
	run_shapes("ring", 1);
	run_shapes("list", 1);
	return 0;
}

TEST(a_queue_for_each_worker_needs_one_sender_and_one_receiver_only)
{
	static const struct shape shape = { WEFT_FAN_ROUND_ROBIN,
		                            WEFT_FAN_ORDERED };

	run_through(shape,
	            OPTS(.impl = weft_chan_impl_find("spsc"), .workers = 4,
	                 .cap = 4),
	            ITEMS, 0);
	return 0;
}

TEST(an_item_of_which_nothing_comes_leaves_no_gap)
{
	for (size_t i = 0; i < SINGLE_SHAPES; i++)
		run_through(shapes[i],
		            OPTS(.fn = only_even, .workers = 3, .cap = 2),
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
		struct calls c = { .now = 0 };

		run_through(
		        shapes[i],
		        OPTS(.fn = counted, .arg = &c, .workers = 5, .cap = 3),
		        ITEMS, 0);
		CHECK_LE(weft_load_relaxed(&c.most), 5);
	}
	return 0;
}

/* Several senders of an ordered fan: each one's items in its order. */
TEST(every_senders_order_is_kept)
{
	struct weft_fan *f = new_fan(ordered, OPTS(.workers = 3, .cap = 2));
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

/* E1, E2 and E9: the end comes once everything is out, at once when that is
 * nothing, and stays. */
TEST(close_drains_and_then_ends)
{
	for (size_t i = 0; i < 2 * SHAPES; i++) {
		struct shape shape = shapes[i / 2];
		struct weft_fan *f =
		        new_fan(shape, OPTS(.workers = 2, .cap = 8));
		unsigned inside = i % 2 ? 4 : 0;
		int item = 1, result;

		for (unsigned n = 0; n < inside; n++)
			CHECK_EQ(weft_fan_send(f, &item, WEFT_FOREVER), 0);
		CHECK_EQ(weft_fan_close(f), 0);
		CHECK_EQ(weft_fan_close(f), -EPIPE);
		CHECK_EQ(weft_fan_send(f, &item, WEFT_FOREVER), -EPIPE);
		CHECK_EQ(weft_fan_try_send(f, &item), -EPIPE);
		for (unsigned n = 0; n < inside * copies_of(shape, 2); n++)
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

/* Receives to the end in order; how many. */
static int count_main(void *arg)
{
	int result, n = 0, err;

	while (!(err = weft_fan_recv(arg, &result, WEFT_FOREVER)))
		n++;
	CHECK_EQ(err, -EPIPE);
	return n;
}

/* And all of those that wait learn of the end, also when nothing comes. */
TEST_MANUAL(several_may_receive)
{
	for (size_t i = 0; i < 2 * SHAPES; i++) {
		struct shape shape = shapes[i / 2];
		struct weft_fan *f =
		        new_fan(shape, OPTS(.workers = 3, .cap = i % 2));
		struct source source = { f, 0, i % 2 ? ITEMS : 0, true };
		struct weft_task *tasks[4];
		int n = 0;

		for (int k = 0; k < 4; k++)
			tasks[k] = testing_spawn(count_main, f);
		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ(source_main(&source), 0);
		for (int k = 0; k < 4; k++)
			n += testing_join(tasks[k]);
		CHECK_EQ(n, source.end * (int)copies_of(shape, 3));
		weft_fan_free(f);
	}
	return 0;
}
