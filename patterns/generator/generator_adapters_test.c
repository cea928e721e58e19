/* Tests of the generator: sources without a task, and adapters. */
#include "generator_testing.h"

static struct weft_gen *range(int64_t from, int64_t to, int64_t step)
{
	struct weft_gen *g;

	CHECK_EQ(weft_gen_range(&g, from, to, step), 0);
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
	CHECK_EQ(stats_of(g).made, 5u);
	CHECK_EQ(stats_of(g).ahead, 0u);
	expect_end(g, -EPIPE);
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

/* How many come out, and which one behind the others. */
static const struct range_case {
	int64_t from, to, step;
	int64_t n, last;
} ranges[] = {
	/* Up to its end, or down to it. */
	{ 0, 5, 1, 5, 4 },
	{ -3, 4, 3, 3, 3 },
	{ 0, 6, 2, 3, 4 },
	{ 5, 0, -2, 3, 1 },
	{ 5, 5, 1, 0, 0 },
	{ 5, 5, -1, 0, 0 },
	{ 5, 0, 1, 0, 0 },
	{ 0, 5, -1, 0, 0 },
	/* Within what a number can be. */
	{ INT64_MAX - 2, INT64_MAX, 1, 2, INT64_MAX - 1 },
	{ INT64_MAX - 2, INT64_MAX, 5, 1, INT64_MAX - 2 },
	{ INT64_MIN, INT64_MAX, INT64_MAX, 3, INT64_MAX - 1 },
	{ INT64_MAX, INT64_MIN, INT64_MIN, 2, -1 },
	{ INT64_MIN + 1, INT64_MIN, -1, 1, INT64_MIN + 1 },
};

static void expect_range(const struct range_case *r)
{
	struct weft_gen *g = range(r->from, r->to, r->step);
	int64_t v = r->last, due = r->from;

	for (int64_t i = 0; i < r->n; i++) {
		due += i ? r->step : 0;
		CHECK_EQ(weft_gen_next(g, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, due);
	}
	CHECK_EQ(v, r->last);
	CHECK_EQ(weft_gen_next(g, &v, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_gen_next(g, &v, WEFT_FOREVER), -EPIPE);
	weft_gen_free(g);
}

TEST(a_range_goes_up_to_its_end_or_down_to_it)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		expect_range(&ranges[i]);
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
	CHECK_EQ(weft_gen_array(&g, &v, SIZE_MAX / 4 + 2, sizeof(v)), -ENOMEM);
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

TEST(take_of_nothing_asks_for_nothing)
{
	int made = 0;
	struct counting c = { .n = -1 };
	struct weft_gen *g = take(new_counting(&c, true), 0);

	/* Nobody need stop it. */
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), 0);
	expect_end(g, -EPIPE);
	CHECK_EQ(weft_load_relaxed(&c.runs), 0);
	expect_end(take(calls(count_up, &made), 0), -EPIPE);
	CHECK_EQ(made, 0);
	return 0;
}

TEST(take_asks_for_no_more_than_it_is_to_have)
{
	int made = 0;

	expect_ints(take(calls(count_up, &made), 10), 0, 10, -EPIPE);
	CHECK_EQ(made, 10);
	/* Of a shorter source it makes nothing up. */
	expect_ints(take(ints(3), 10), 0, 3, -EPIPE);
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
		expect_end(g, -EPIPE);
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
	CHECK_EQ(stats_of(g).taken, 5u);
	expect_end(g, -EPIPE);
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
	int made = 0;
	struct weft_gen *g = filter(calls(count_up, &made), never, NULL);
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
	struct weft_gen *in[] = { ints(2), ints(0), new_counting(&c, false),
		                  ints(3) };
	struct weft_gen *g;

	CHECK_EQ(weft_gen_chain(&g, in, 4), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(next_int(g), i % 2);
	expect_ints(g, 0, 3, -EPIPE);
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
		struct weft_gen *in[] = { range(100, shorter ? 1000 : 103, 1),
			                  new_counting(&c, false) };
		struct weft_gen *g;
		struct pair p;

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

TEST_MANUAL(zip_keeps_what_has_come_when_its_deadline_expires)
{
	struct counting c = { .n = 3, .pause_ns = WEFT_SEC };
	struct weft_gen *in[] = { ints(3), new_counting(&c, true) };
	struct weft_gen *g;
	int v[2];

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
	expect_end(g, -ECANCELED);
	return 0;
}

TEST(adapters_that_make_no_sense_are_refused)
{
	struct weft_gen *g = ints(3), *wide = range(0, 9, 1), *out;
	struct weft_gen *in[2] = { g, wide }, *none[2] = { g, NULL }, *huge[2];
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
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_gen_array(&huge[i], NULL, 0, WEFT_ELEM_MAX), 0);
	CHECK_EQ(weft_gen_zip(&out, huge, 2), -EINVAL);
	/* All of that has left them as they were. */
	CHECK_EQ(next_int(g), 0);
	weft_gen_free(g);
	weft_gen_free(wide);
	weft_gen_free(huge[0]);
	weft_gen_free(huge[1]);
	return 0;
}

/* --- long chains --- */

TEST(a_thousand_functions_are_possible)
{
	struct weft_gen *g = endless(false);

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
	expect_ints(g, depth, 5, -EPIPE);
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
