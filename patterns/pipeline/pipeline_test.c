/* Tests of the pipeline: what stages do, how it ends, what it refuses. */
#include "pipeline_testing.h"

#define MANY_STAGES (TESTING_SLOW ? 100 : 1000)

/* --- the end --- */

/* E1 */
TEST(an_empty_input_ends_every_stage)
{
	expect_flow(chain(pass, 3, 0), 0, 0, 0);
	return 0;
}

/* E2: the last worker of a stage ends it. */
TEST(the_end_comes_after_the_items_of_all_workers_of_all_stages)
{
	const struct weft_stage stages[] = {
		{ .fn = pass, .workers = 4 },
		{ .fn = pass, .workers = 3 },
		{ .fn = pass, .workers = 5 },
	};

	for (size_t round = 0; round < 20; round++)
		expect_flow(NEW_PIPELINE(stages, .cap = round % 4), 100, 100,
		            99 * 100 / 2);
	return 0;
}

/* --- what stages do --- */

/* E10 */
TEST(one_stage_or_a_thousand_do_their_part)
{
	static const int lengths[] = { 1, 5, MANY_STAGES };

	for (int i = 0; i < 3; i++)
		expect_in_order(chain(add_one, (size_t)lengths[i], 0), 3,
		                lengths[i]);
	return 0;
}

/* E6 */
TEST(a_stage_may_filter)
{
	const struct weft_stage stages[] = {
		{ .fn = only_even, .workers = 2 },
		{ .fn = pass },
	};

	expect_flow(NEW_PIPELINE(stages, .cap = 2), 100, 50, 2450);
	return 0;
}

TEST(a_stage_that_emits_nothing_passes_the_end_on)
{
	expect_flow(chain(nothing, 1, 2), 100, 0, 0);
	return 0;
}

/* As many of each as its number says. */
static int repeat(const void *in, void *out, void *arg)
{
	int n = *(const int *)in % 4, *to = out;

	(void)arg;
	for (int i = 0; i < n; i++)
		to[i] = n;
	return n;
}

/* E6: the end comes behind all that was made, of many or of none. Here ten
 * times 1 and 2 and 3, each of which becomes its square. */
TEST(a_stage_may_make_several_items_of_one)
{
	const struct weft_stage stages[] = {
		{ .fn = repeat, .out_max = 3, .workers = 2 },
		{ .fn = repeat, .out_max = 3 },
		{ .fn = pass },
	};

	for (size_t batch = 1; batch <= 5; batch += 2)
		expect_flow(NEW_PIPELINE(stages, .cap = 2, .batch = batch), 40,
		            10 * (1 + 4 + 9), 10 * (1 + 8 + 27));
	return 0;
}

static int widen(const void *in, void *out, void *arg)
{
	(void)arg;
	*(double *)out = *(const int *)in + 0.5;
	return WEFT_EMIT;
}

static int halve(const void *in, void *out, void *arg)
{
	(void)arg;
	*(double *)out = *(const double *)in / 2;
	return WEFT_EMIT;
}

TEST(items_may_change_their_size_on_the_way)
{
	const struct weft_stage stages[] = {
		{ .fn = widen, .out_size = sizeof(double) },
		{ .fn = halve },
	};
	struct weft_pipeline *p = NEW_PIPELINE(stages, .cap = 0);
	double out;
	int in = 3;

	CHECK_EQ(weft_pipeline_send(p, &in, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_recv(p, &out, WEFT_FOREVER), 0);
	CHECK(out == 1.75);
	weft_pipeline_free(p);
	return 0;
}

static int count_it(const void *in, void *out, void *arg)
{
	_Atomic int *count = arg;

	(void)in;
	(void)out;
	weft_fetch_add_relaxed(count, 1);
	return WEFT_EMIT;
}

TEST(items_of_no_bytes_flow)
{
	_Atomic int count = 0;
	const struct weft_stage stage = { .fn = count_it, .arg = &count };
	struct weft_pipeline *p;

	CHECK_EQ(weft_pipeline_new(&p, &stage, 1,
	                           &(struct weft_pipeline_opts){ .cap = 2 }),
	         0);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(weft_pipeline_send(p, NULL, WEFT_FOREVER), 0);
		CHECK_EQ(weft_pipeline_recv(p, NULL, WEFT_FOREVER), 0);
	}
	CHECK_EQ(weft_load_relaxed(&count), 10);
	weft_pipeline_free(p);
	return 0;
}

TEST(batches_go_through_whole)
{
	const struct weft_stage stages[] = { { .fn = only_even },
		                             { .fn = pass } };
	struct source s = { .n = 1000 };
	struct weft_task *t;
	int got[32], next = 0, err;
	size_t n;

	s.p = NEW_PIPELINE(stages, .cap = 8, .batch = 16);
	t = testing_spawn(source_main, &s);
	while (!(err = weft_pipeline_recv_many(s.p, got, 32, &n, WEFT_FOREVER)))
		for (size_t i = 0; i < n; i++, next += 2)
			CHECK_EQ(got[i], next);
	CHECK_EQ(err, -EPIPE);
	CHECK_EQ(n, 0u);
	CHECK_EQ(next, 1000);
	expect_end(s.p, t, -EPIPE);
	return 0;
}

TEST(stats_count_what_went_in_and_out_of_each_stage)
{
	const struct weft_stage stages[] = { { .fn = only_even, .workers = 3 },
		                             { .fn = nothing } };
	struct source s = { .p = NEW_PIPELINE(stages, .cap = 1), .n = 40 };
	struct weft_stage_stats stats;

	CHECK_EQ(source_main(&s), 0);
	CHECK_EQ(weft_pipeline_join(s.p, WEFT_FOREVER), 0);
	CHECK_EQ(stats_of(s.p, 0).in, 40u);
	CHECK_EQ(stats_of(s.p, 0).out, 20u);
	CHECK_EQ(stats_of(s.p, 0).queued, 0u);
	CHECK_EQ(stats_of(s.p, 1).in, 20u);
	CHECK_EQ(stats_of(s.p, 1).out, 0u);
	CHECK_EQ(weft_pipeline_stats(s.p, 2, &stats), -EINVAL);
	weft_pipeline_free(s.p);
	return 0;
}

/* --- bad input --- */

/* One stage, and the rest. */
struct bad {
	struct weft_stage stage;
	struct weft_pipeline_opts opts;
};

static int make(const struct weft_stage *stages, size_t n,
                const struct weft_pipeline_opts *opts)
{
	struct weft_pipeline *p = NULL;
	int err = weft_pipeline_new(&p, stages, n, opts);

	CHECK(err != 0);
	CHECK(p == NULL);
	return err;
}

static void expect_refused(const struct bad *bad, size_t n, int err)
{
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(make(&bad[i].stage, 1, &bad[i].opts), err);
}

static const struct weft_stage good = { .fn = pass };

TEST(a_stage_that_makes_no_sense_is_refused)
{
	static const struct bad bad[] = {
		{ .stage = { .fn = NULL } },
		{ .stage = { .fn = pass,
		             .workers = WEFT_STAGE_WORKERS_MAX + 1 } },
		{ .stage = { .fn = pass,
		             .workers = 2,
		             .mode = WEFT_STAGE_SERIAL } },
		{ .stage = { .fn = pass, .mode = (enum weft_stage_mode)3 } },
		{ .stage = { .fn = pass, .out_size = WEFT_ELEM_MAX + 1 } },
		{ .stage = { .fn = pass, .out_max = WEFT_STAGE_OUT_MAX + 1 } },
	};

	expect_refused(bad, sizeof(bad) / sizeof(bad[0]), -EINVAL);
	CHECK_EQ(make(NULL, 1, NULL), -EINVAL);
	CHECK_EQ(make(&good, 0, NULL), -EINVAL);
	CHECK_EQ(weft_pipeline_new(NULL, &good, 1, NULL), -EINVAL);
	return 0;
}

/* Also where a channel cannot do what the pipeline on it would have to. */
TEST(a_pipeline_that_makes_no_sense_is_refused)
{
	static const struct bad bad[] = {
		{ { .fn = pass }, { .elem_size = WEFT_ELEM_MAX + 1 } },
		{ { .fn = pass }, { .wait = (enum weft_wait)9, .tokens = 1 } },
		{ { .fn = pass }, { .on_error = WEFT_ON_ERROR_SKIP } },
		{ { .fn = pass }, { .on_error = (enum weft_on_error)9 } },
		{ { .fn = pass }, { .impl = &testing_one_to_one } }, /* cap 0 */
		{ { .fn = pass, .workers = 2 },
		  { .impl = &testing_one_to_one, .cap = 1 } },
		/* It would call the function for what nobody sent. */
		{ { .fn = pass }, { .impl = &testing_floor } },
	};

	expect_refused(bad, sizeof(bad) / sizeof(bad[0]), -EINVAL);
	return 0;
}

TEST(a_pipeline_that_does_not_fit_is_refused)
{
	static const struct bad bad[] = {
		{ { .fn = pass }, { .elem_size = 64, .batch = SIZE_MAX / 32 } },
		{ { .fn = pass, .out_max = 32 }, { .batch = SIZE_MAX / 16 } },
		{ { .fn = pass,
		    .workers = 2,
		    .mode = WEFT_STAGE_ORDERED,
		    .window = SIZE_MAX / 32 },
		  { 0 } },
	};

	expect_refused(bad, sizeof(bad) / sizeof(bad[0]), -ENOMEM);
	return 0;
}

/* Everything is made before the first task is refused. */
TEST_OUTSIDE(outside_of_a_run_nothing_is_left_behind)
{
	const struct weft_pipeline_opts opts = { .tokens = 3 };
	struct testing_held before = testing_held();

	assert_int_equal(make(&good, 1, &opts), -EINVAL);
	assert_int_equal(testing_held_still(before), 0);
}

TEST(no_items_and_no_pipeline_are_refused)
{
	struct weft_pipeline *p = chain(pass, 1, 0);
	size_t done;
	int v = 0;

	CHECK_EQ(weft_pipeline_send_many(NULL, &v, 1, &done, WEFT_NOW),
	         -EINVAL);
	CHECK_EQ(weft_pipeline_recv_many(NULL, &v, 1, &done, WEFT_NOW),
	         -EINVAL);
	CHECK_EQ(weft_pipeline_send(p, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_pipeline_recv(p, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_pipeline_recv_many(p, &v, 1, NULL, WEFT_NOW), -EINVAL);
	weft_pipeline_free(p);
	return 0;
}
