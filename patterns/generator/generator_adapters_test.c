/* Tests of the generator: sources without a task, and adapters. */
#include <pthread.h>

#include "generator_testing.h"

static struct weft_gen *range(int64_t from, int64_t to, int64_t step)
{
	struct weft_gen *g;

	CHECK_EQ(weft_gen_range(&g, from, to, step), 0);
	return g;
}

/* The numbers from 0 below n, as ints. */
static struct weft_gen *ints(int n)
{
	struct weft_gen *g;
	int v[20];

	CHECK_LE(n, 20);
	for (int i = 0; i < n; i++)
		v[i] = i;
	CHECK_EQ(weft_gen_array(&g, v, (size_t)n, sizeof(int)), 0);
	return g;
}

/* --- sources --- */

TEST(an_array_comes_once_and_is_copied)
{
	int v[] = { 3, 1, 4, 1, 5 };
	const int copy[] = { 3, 1, 4, 1, 5 };
	struct weft_gen *g;

	CHECK_EQ(weft_gen_array(&g, v, 5, sizeof(int)), 0);
	memset(v, 0, sizeof(v));
	for (int i = 0; i < 5; i++)
		CHECK_EQ(next_int(g), copy[i]);
	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(stats_of(g).made, 5u);
	CHECK_EQ(stats_of(g).ahead, 0u);
	weft_gen_free(g);
	return 0;
}

TEST(repeat_comes_over_and_over)
{
	const int v[] = { 7, 8, 9 };
	struct weft_gen *g;

	CHECK_EQ(weft_gen_repeat(&g, v, 3, sizeof(int)), 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(next_int(g), 7 + i % 3);
	weft_gen_free(g);
	return 0;
}

/* Calls that end, one way or another, with the third. */
struct ending {
	int calls, result;
};

static int end_at_two(void *elem, void *arg)
{
	struct ending *e = arg;

	*(int *)elem = e->calls;
	return e->calls++ < 2 ? 0 : e->result;
}

static void expect_end(int result, int expected)
{
	struct ending e = { .result = result };
	struct weft_gen *g;

	CHECK_EQ(weft_gen_repeat_fn(&g, sizeof(int), end_at_two, &e), 0);
	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(next_int(g), 1);
	CHECK_EQ(next_err(g), expected);
	CHECK_EQ(next_err(g), expected);
	/* It is not called again. */
	CHECK_EQ(e.calls, 3);
	weft_gen_free(g);
}

TEST(a_function_is_called_until_it_says_that_it_has_no_more)
{
	expect_end(-EPIPE, -EPIPE);
	expect_end(-EIO, -EIO);
	/* That would look like the deadline of the call. */
	expect_end(-ETIMEDOUT, -EIO);
	expect_end(1, -EINVAL);
	return 0;
}

static void expect_range(int64_t from, int64_t to, int64_t step, int64_t n,
                         int64_t last)
{
	struct weft_gen *g = range(from, to, step);
	int64_t v, due = from;

	for (int64_t i = 0; i < n; i++, due += i < n ? step : 0) {
		CHECK_EQ(weft_gen_next(g, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, due);
	}
	CHECK_EQ(weft_gen_next(g, &v, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_gen_next(g, &v, WEFT_FOREVER), -EPIPE);
	if (n)
		CHECK_EQ(due, last);
	weft_gen_free(g);
}

TEST(a_range_goes_up_to_its_end_or_down_to_it)
{
	expect_range(0, 5, 1, 5, 4);
	expect_range(-3, 4, 3, 3, 3);
	expect_range(0, 6, 2, 3, 4);
	expect_range(5, 0, -2, 3, 1);
	expect_range(5, 5, 1, 0, 0);
	expect_range(5, 5, -1, 0, 0);
	expect_range(5, 0, 1, 0, 0);
	expect_range(0, 5, -1, 0, 0);
	return 0;
}

TEST(a_range_stays_within_what_a_number_can_be)
{
	expect_range(INT64_MAX - 2, INT64_MAX, 1, 2, INT64_MAX - 1);
	expect_range(INT64_MAX - 2, INT64_MAX, 5, 1, INT64_MAX - 2);
	expect_range(INT64_MIN, INT64_MAX, INT64_MAX, 3, INT64_MAX - 1);
	expect_range(INT64_MAX, INT64_MIN, INT64_MIN, 2, -1);
	expect_range(INT64_MIN + 1, INT64_MIN, -1, 1, INT64_MIN + 1);
	return 0;
}

TEST(sources_that_make_no_sense_are_refused)
{
	const int v = 0;
	struct weft_gen *g;

	CHECK_EQ(weft_gen_array(NULL, &v, 1, sizeof(v)), -EINVAL);
	CHECK_EQ(weft_gen_array(&g, NULL, 1, sizeof(v)), -EINVAL);
	CHECK_EQ(weft_gen_array(&g, &v, 1, WEFT_ELEM_MAX + 1), -EINVAL);
	CHECK_EQ(weft_gen_array(&g, &v, SIZE_MAX / 2, sizeof(v)), -ENOMEM);
	CHECK_EQ(weft_gen_repeat(&g, &v, 0, sizeof(v)), -EINVAL);
	CHECK_EQ(weft_gen_repeat(NULL, &v, 1, sizeof(v)), -EINVAL);
	CHECK_EQ(weft_gen_repeat_fn(NULL, 4, count_up, NULL), -EINVAL);
	CHECK_EQ(weft_gen_repeat_fn(&g, 4, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_gen_repeat_fn(&g, WEFT_ELEM_MAX + 1, count_up, NULL),
	         -EINVAL);
	CHECK_EQ(weft_gen_range(NULL, 0, 1, 1), -EINVAL);
	CHECK_EQ(weft_gen_range(&g, 0, 1, 0), -EINVAL);
	return 0;
}

/* --- take: E7, E9 --- */

TEST(take_ends_with_a_shorter_source_and_makes_nothing_up)
{
	int n, sum;
	struct weft_gen *g = take(ints(3), 10);

	CHECK_EQ(drain(g, &n, &sum), -EPIPE);
	CHECK_EQ(n, 3);
	CHECK_EQ(sum, 3);
	CHECK_EQ(next_err(g), -EPIPE);
	weft_gen_free(g);
	return 0;
}

TEST(take_of_nothing_asks_for_nothing)
{
	_Atomic int made = 0;
	struct counting c = { .n = -1 };
	struct weft_gen *g = take(counting_calls(&made), 0);

	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(weft_load_relaxed(&made), 0);
	weft_gen_free(g);
	g = take(new_counting(&c, true), 0);
	/* Nobody need stop it. */
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), 0);
	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(weft_load_relaxed(&c.runs), 0);
	weft_gen_free(g);
	return 0;
}

TEST(take_asks_for_no_more_than_it_is_to_have)
{
	_Atomic int made = 0;
	int n, sum;
	struct weft_gen *g = take(counting_calls(&made), 10);

	CHECK_EQ(drain(g, &n, &sum), -EPIPE);
	CHECK_EQ(n, 10);
	CHECK_EQ(weft_load_relaxed(&made), 10);
	weft_gen_free(g);
	return 0;
}

TEST(a_body_without_end_ends_with_the_last_that_is_taken)
{
	for (int form = 0; form < 2; form++) {
		struct counting c = { .n = -1 };
		struct weft_gen *g =
		        take(map(new_counting(&c, form), add_one, NULL), 3);

		for (int i = 1; i <= 3; i++)
			CHECK_EQ(next_int(g), i);
		/* Neither a stop nor one more next. */
		CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), 0);
		CHECK_EQ(weft_load_relaxed(&c.yields), -ECANCELED);
		CHECK_EQ(next_err(g), -EPIPE);
		weft_gen_free(g);
	}
	return 0;
}

/* --- map and filter --- */

static int widen(const void *in, void *out, void *arg)
{
	(void)arg;
	*(double *)out = *(const int *)in + 0.5;
	return 0;
}

TEST(map_may_change_the_size)
{
	struct weft_gen *g = ints(3);
	double v;

	CHECK_EQ(weft_gen_map(&g, g, sizeof(double), widen, NULL), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_gen_next(g, &v, WEFT_FOREVER), 0);
		CHECK(v == i + 0.5);
	}
	CHECK_EQ(weft_gen_next(g, &v, WEFT_FOREVER), -EPIPE);
	weft_gen_free(g);
	return 0;
}

static int is_odd(const void *elem, void *arg)
{
	(void)arg;
	return *(const int *)elem % 2;
}

TEST(filter_passes_on_what_its_function_wants)
{
	struct weft_gen *g = filter(ints(10), is_odd, NULL);

	for (int i = 1; i < 10; i += 2)
		CHECK_EQ(next_int(g), i);
	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(stats_of(g).taken, 5u);
	weft_gen_free(g);
	return 0;
}

/* What a function does when it meets a 2. */
enum fault { END, ERROR, NONSENSE, EXIT_TASK, EXIT_WELL, EXIT_THREAD };

static int fault_now(enum fault fault)
{
	switch (fault) {
	case END:
		return -EPIPE;
	case ERROR:
		return -EIO;
	case NONSENSE:
		return 7;
	case EXIT_TASK:
		weft_task_exit(-ERANGE);
	case EXIT_WELL:
		weft_task_exit(0);
	case EXIT_THREAD:
		pthread_exit(NULL);
	}
	return 0;
}

static const int errors[] = { -EPIPE,  -EIO,       -EINVAL,
	                      -ERANGE, -ECANCELED, -ECANCELED };

static int map_until_two(const void *in, void *out, void *arg)
{
	if (*(const int *)in == 2)
		return fault_now(*(enum fault *)arg);
	memcpy(out, in, sizeof(int));
	return 0;
}

static int keep_until_two(const void *elem, void *arg)
{
	return *(const int *)elem == 2 ? fault_now(*(enum fault *)arg) : 1;
}

static int call_until_two(void *elem, void *arg)
{
	struct ending *e = arg;

	*(int *)elem = e->calls++;
	return e->calls == 3 ? fault_now((enum fault)e->result) : 0;
}

static void expect_fault(struct weft_gen *g, int error)
{
	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(next_int(g), 1);
	CHECK_EQ(next_err(g), error);
	CHECK_EQ(next_err(g), error);
	/* Whatever is upstream was stopped. */
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), error == -EPIPE ? 0 : error);
	weft_gen_free(g);
}

TEST(a_function_that_fails_or_dies_ends_the_stream_and_not_the_consumer)
{
	for (enum fault f = END; f <= EXIT_WELL; f++)
		for (int form = 0; form < 2; form++) {
			struct counting c = { .n = -1 };
			struct ending e = { .result = (int)f };
			struct weft_gen *g;

			expect_fault(
			        map(new_counting(&c, form), map_until_two, &f),
			        errors[f]);
			expect_fault(take(filter(new_counting(&c, form),
			                         keep_until_two, &f),
			                  9),
			             errors[f]);
			CHECK_EQ(weft_gen_repeat_fn(&g, sizeof(int),
			                            call_until_two, &e),
			         0);
			expect_fault(g, errors[f]);
		}
	return 0;
}

TEST(a_function_that_fails_in_a_task_of_its_own_fails_there)
{
	for (enum fault f = END; f <= EXIT_THREAD; f++) {
		struct counting c = { .n = -1 };
		struct weft_gen *g = ahead(
		        map(new_counting(&c, false), map_until_two, &f), 0);
		int error = errors[f] == -EPIPE ? 0 : errors[f];

		CHECK_EQ(next_int(g), 0);
		CHECK_EQ(next_int(g), 1);
		CHECK_EQ(next_err(g), errors[f]);
		CHECK_EQ(next_err(g), errors[f]);
		CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), error);
		weft_gen_free(g);
	}
	return 0;
}

/* Takes what comes ahead of the fault, and waits for the bodies alone. */
static void expect_join_after_two(struct weft_gen *g, int joined, int error)
{
	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(next_int(g), 1);
	CHECK_EQ(weft_gen_join(g, weft_deadline_in(20 * WEFT_SEC)), joined);
	CHECK_EQ(next_err(g), error);
	CHECK_EQ(next_err(g), error);
	weft_gen_free(g);
}

TEST(a_task_that_ends_ends_what_is_upstream_before_anyone_asks)
{
	for (enum fault f = END; f <= EXIT_THREAD; f++) {
		struct counting c = { .n = -1 };
		/* A generator without a task, and bodies behind it. */
		struct weft_gen *g = take(ahead(new_counting(&c, false), 0), 9);

		expect_join_after_two(ahead(map(g, map_until_two, &f), 0),
		                      errors[f] == -EPIPE ? 0 : errors[f],
		                      errors[f]);
	}
	return 0;
}

static int exit_thread(const void *in, void *out, void *arg)
{
	(void)in;
	(void)out;
	(void)arg;
	pthread_exit(NULL);
}

TEST(a_function_that_exits_its_thread_ends_the_stream_too)
{
	struct counting c = { .n = -1 };
	struct weft_gen *g = map(new_counting(&c, false), exit_thread, NULL);

	CHECK_EQ(testing_join(testing_spawn(next_main, g)), -ECANCELED);
	/* Nobody has its turn any more, and the body was stopped. */
	CHECK_EQ(next_err(g), -ECANCELED);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), -ECANCELED);
	weft_gen_free(g);
	return 0;
}

static int never(const void *elem, void *arg)
{
	(void)elem;
	(void)arg;
	return 0;
}

TEST(a_search_without_end_can_be_given_up)
{
	_Atomic int made = 0;
	struct weft_gen *g = filter(counting_calls(&made), never, NULL);
	struct weft_task *t;
	int v;

	CHECK_EQ(weft_gen_next(g, &v, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_gen_next(g, &v, weft_deadline_in(WEFT_MS)), -ETIMEDOUT);
	t = testing_spawn(next_main, g);
	CHECK_EQ(weft_gen_stop(g), 0);
	CHECK_EQ(testing_join(t), -ECANCELED);
	weft_gen_free(g);
	return 0;
}

/* --- chain and zip --- */

TEST(chain_is_one_after_the_other)
{
	struct counting c = { .n = 2 };
	struct weft_gen *in[4], *g;

	in[0] = ints(2);
	in[1] = ints(0);
	in[2] = new_counting(&c, false);
	in[3] = ints(3);
	CHECK_EQ(weft_gen_chain(&g, in, 4), 0);
	for (int i = 0; i < 7; i++)
		CHECK_EQ(next_int(g), i < 4 ? i % 2 : i - 4);
	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(next_err(g), -EPIPE);
	weft_gen_free(g);
	return 0;
}

struct pair {
	int64_t number;
	int letter;
} __attribute__((packed));

TEST(zip_is_side_by_side_and_ends_with_the_shortest)
{
	for (int shorter = 0; shorter < 2; shorter++) {
		struct counting c = { .n = shorter ? 3 : -1 };
		struct weft_gen *in[2], *g;
		struct pair p;

		in[0] = range(100, shorter ? 1000 : 103, 1);
		in[1] = new_counting(&c, false);
		CHECK_EQ(weft_gen_zip(&g, in, 2), 0);
		for (int i = 0; i < 3; i++) {
			CHECK_EQ(weft_gen_next(g, &p, WEFT_FOREVER), 0);
			CHECK_EQ(p.number, 100 + i);
			CHECK_EQ(p.letter, i);
		}
		CHECK_EQ(weft_gen_next(g, &p, WEFT_FOREVER), -EPIPE);
		CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), 0);
		CHECK_EQ(weft_gen_next(g, &p, WEFT_FOREVER), -EPIPE);
		weft_gen_free(g);
	}
	return 0;
}

static int slow_body(struct weft_gen *g, void *arg)
{
	int err = 0;

	(void)arg;
	for (int i = 0; i < 3 && !err; i++) {
		weft_sleep_until(weft_deadline_in(WEFT_SEC));
		err = weft_gen_yield(g, &i);
	}
	return err;
}

TEST_MANUAL(zip_keeps_what_has_come_when_its_deadline_expires)
{
	struct weft_gen *in[2], *g;
	int v[2];

	in[0] = ints(3);
	in[1] = new_gen(slow_body, NULL,
	                (struct weft_gen_opts){ .on_demand = true });
	CHECK_EQ(weft_gen_zip(&g, in, 2), 0);
	for (int i = 0; i < 3; i++) {
		while (weft_gen_next(g, v, WEFT_NOW) == -ETIMEDOUT) {
			CHECK_EQ(weft_clock_settle(), 0);
			CHECK_EQ(weft_clock_advance(300 * WEFT_MS), 0);
		}
		CHECK_EQ(v[0], i);
		CHECK_EQ(v[1], i);
	}
	weft_gen_free(g);
	return 0;
}

/* --- who owns what --- */

TEST(an_input_belongs_to_its_adapter)
{
	struct weft_gen *in = ints(3), *g = take(in, 3), *other = in;
	struct weft_gen *twice[2];

	CHECK_EQ(next_err(in), -EBUSY);
	CHECK_EQ(weft_gen_take(&other, in, 1), -EBUSY);
	CHECK_EQ(weft_gen_map(&other, in, 4, add_one, NULL), -EBUSY);
	CHECK_EQ(weft_gen_filter(&other, in, is_odd, NULL), -EBUSY);
	CHECK_EQ(weft_gen_ahead(&other, in, NULL), -EBUSY);
	CHECK_EQ(weft_gen_until(&other, in, NULL), -EBUSY);
	CHECK(other == in);
	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(stats_of(in).taken, 1u);

	twice[0] = twice[1] = g;
	CHECK_EQ(weft_gen_chain(&other, twice, 2), -EBUSY);
	CHECK_EQ(weft_gen_zip(&other, twice, 2), -EBUSY);
	/* After a failure it is still ours. */
	CHECK_EQ(next_int(g), 1);
	/* Stopping a part of it is allowed, and no end in order. */
	CHECK_EQ(weft_gen_stop(in), 0);
	CHECK_EQ(next_err(g), -ECANCELED);
	weft_gen_free(g);
	return 0;
}

TEST(adapters_that_make_no_sense_are_refused)
{
	struct weft_gen *g = ints(3), *wide = range(0, 9, 1), *out;
	struct weft_gen *in[2] = { g, wide }, *none[2] = { g, NULL };
	struct weft_gen_opts bad = { .wait = (enum weft_wait)9 };

	CHECK_EQ(weft_gen_take(NULL, g, 1), -EINVAL);
	CHECK_EQ(weft_gen_take(&out, NULL, 1), -EINVAL);
	CHECK_EQ(weft_gen_map(NULL, g, 4, add_one, NULL), -EINVAL);
	CHECK_EQ(weft_gen_map(&out, NULL, 4, add_one, NULL), -EINVAL);
	CHECK_EQ(weft_gen_map(&out, g, 4, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_gen_map(&out, g, WEFT_ELEM_MAX + 1, add_one, NULL),
	         -EINVAL);
	CHECK_EQ(weft_gen_filter(NULL, g, is_odd, NULL), -EINVAL);
	CHECK_EQ(weft_gen_filter(&out, NULL, is_odd, NULL), -EINVAL);
	CHECK_EQ(weft_gen_filter(&out, g, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_gen_until(NULL, g, NULL), -EINVAL);
	CHECK_EQ(weft_gen_until(&out, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_gen_ahead(NULL, g, NULL), -EINVAL);
	CHECK_EQ(weft_gen_ahead(&out, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_gen_ahead(&out, g, &bad), -EINVAL);
	CHECK_EQ(weft_gen_chain(NULL, in, 2), -EINVAL);
	CHECK_EQ(weft_gen_chain(&out, NULL, 2), -EINVAL);
	CHECK_EQ(weft_gen_chain(&out, in, 0), -EINVAL);
	CHECK_EQ(weft_gen_chain(&out, in, 2), -EINVAL);
	CHECK_EQ(weft_gen_chain(&out, none, 2), -EINVAL);
	CHECK_EQ(weft_gen_zip(NULL, in, 2), -EINVAL);
	CHECK_EQ(weft_gen_zip(&out, NULL, 2), -EINVAL);
	CHECK_EQ(weft_gen_zip(&out, in, 0), -EINVAL);
	CHECK_EQ(weft_gen_zip(&out, none, 2), -EINVAL);
	/* All of that has left them as they were. */
	CHECK_EQ(next_int(g), 0);
	weft_gen_free(g);
	weft_gen_free(wide);
	return 0;
}

TEST(elements_that_would_be_too_wide_are_refused)
{
	struct weft_gen *in[2], *g;

	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_gen_repeat_fn(&in[i], WEFT_ELEM_MAX, count_up,
		                            NULL),
		         0);
	CHECK_EQ(weft_gen_zip(&g, in, 2), -EINVAL);
	weft_gen_free(in[0]);
	weft_gen_free(in[1]);
	return 0;
}

/* --- long chains --- */

TEST(a_thousand_functions_are_possible)
{
	struct counting c = { .n = -1 };
	struct weft_gen *g = new_counting(&c, false);

	for (int i = 0; i < 1000; i++)
		g = map(g, add_one, NULL);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(next_int(g), i + 1000);
	weft_gen_free(g);
	return 0;
}

TEST(a_daisy_chain_of_tasks_is_possible)
{
	struct counting c = { .n = 5 };
	struct weft_gen *g = new_counting(&c, false);
	int depth = TESTING_SLOW ? 30 : 300;

	for (int i = 0; i < depth; i++)
		g = ahead(map(g, add_one, NULL), (size_t)i % 2);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(next_int(g), i + depth);
	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), 0);
	weft_gen_free(g);
	return 0;
}

static int not_divisible(const void *elem, void *arg)
{
	const int64_t *v = elem, *prime = arg;

	return *v % *prime != 0;
}

/* Each prime puts a filter of its own before those that come. */
TEST(a_sieve_of_filters_finds_the_primes)
{
	enum { PRIMES = 25 };
	struct weft_gen *g = range(2, 100, 1);
	int64_t prime[PRIMES + 1];
	int n = 0;

	while (weft_gen_next(g, &prime[n], WEFT_FOREVER) == 0) {
		CHECK_LT(n, PRIMES);
		g = filter(g, not_divisible, &prime[n++]);
		if (n % 5 == 0)
			g = ahead(g, 2);
	}
	CHECK_EQ(n, PRIMES);
	CHECK_EQ(prime[PRIMES - 1], 97);
	weft_gen_free(g);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_array_comes_once_and_is_copied),
		cmocka_unit_test(repeat_comes_over_and_over),
		cmocka_unit_test(
		        a_function_is_called_until_it_says_that_it_has_no_more),
		cmocka_unit_test(a_range_goes_up_to_its_end_or_down_to_it),
		cmocka_unit_test(a_range_stays_within_what_a_number_can_be),
		cmocka_unit_test(sources_that_make_no_sense_are_refused),
		cmocka_unit_test(
		        take_ends_with_a_shorter_source_and_makes_nothing_up),
		cmocka_unit_test(take_of_nothing_asks_for_nothing),
		cmocka_unit_test(take_asks_for_no_more_than_it_is_to_have),
		cmocka_unit_test(
		        a_body_without_end_ends_with_the_last_that_is_taken),
		cmocka_unit_test(map_may_change_the_size),
		cmocka_unit_test(filter_passes_on_what_its_function_wants),
		cmocka_unit_test(
		        a_function_that_fails_or_dies_ends_the_stream_and_not_the_consumer),
		cmocka_unit_test(
		        a_function_that_fails_in_a_task_of_its_own_fails_there),
		cmocka_unit_test(
		        a_task_that_ends_ends_what_is_upstream_before_anyone_asks),
		cmocka_unit_test(
		        a_function_that_exits_its_thread_ends_the_stream_too),
		cmocka_unit_test(a_search_without_end_can_be_given_up),
		cmocka_unit_test(chain_is_one_after_the_other),
		cmocka_unit_test(
		        zip_is_side_by_side_and_ends_with_the_shortest),
		cmocka_unit_test(
		        zip_keeps_what_has_come_when_its_deadline_expires),
		cmocka_unit_test(an_input_belongs_to_its_adapter),
		cmocka_unit_test(adapters_that_make_no_sense_are_refused),
		cmocka_unit_test(elements_that_would_be_too_wide_are_refused),
		cmocka_unit_test(a_thousand_functions_are_possible),
		cmocka_unit_test(a_daisy_chain_of_tasks_is_possible),
		cmocka_unit_test(a_sieve_of_filters_finds_the_primes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
