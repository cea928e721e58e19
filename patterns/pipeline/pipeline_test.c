/* Tests of the pipeline: what stages do, how it ends, what it refuses. */
#include "pipeline_testing.h"

#define MANY_STAGES (TESTING_SLOW ? 100 : 1000)

/* --- the end --- */

/* E1 */
TEST(an_empty_input_ends_every_stage)
{
	struct weft_pipeline *p = chain(pass, 3, 0);
	int n, sum;

	CHECK_EQ(weft_pipeline_close(p), 0);
	CHECK_EQ(drain(p, &n, &sum), -EPIPE);
	CHECK_EQ(n, 0);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
	weft_pipeline_free(p);
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
	int n, sum;

	for (int round = 0; round < 20; round++) {
		struct weft_pipeline *p =
		        new_pipeline(stages, 3, (size_t)round % 4, NULL);
		struct source s = { .p = p, .n = 100 };
		struct weft_task *t = testing_spawn(source_main, &s);

		CHECK_EQ(drain(p, &n, &sum), -EPIPE);
		CHECK_EQ(n, 100);
		CHECK_EQ(sum, 99 * 100 / 2);
		CHECK_EQ(testing_join(t), 0);
		CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
		CHECK_EQ(weft_pipeline_recv(p, &n, WEFT_NOW), -EPIPE);
		weft_pipeline_free(p);
	}
	return 0;
}

/* --- what stages do --- */

TEST(every_stage_does_its_part)
{
	struct weft_pipeline *p = chain(add_one, 5, 1);
	int v = 37;

	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(v, 42);
	weft_pipeline_free(p);
	return 0;
}

/* E10; a single stage is in a_stage_that_emits_nothing_passes_the_end_on. */
TEST(a_thousand_stages_are_possible)
{
	struct weft_pipeline *p = chain(add_one, MANY_STAGES, 0);
	struct source s = { .p = p, .n = 3 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int v;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, i + MANY_STAGES);
	}
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(testing_join(t), 0);
	weft_pipeline_free(p);
	return 0;
}

/* E6 */
TEST(a_stage_may_filter)
{
	const struct weft_stage stages[] = {
		{ .fn = only_even, .workers = 2 },
		{ .fn = pass },
	};
	struct weft_pipeline *p = new_pipeline(stages, 2, 2, NULL);
	struct source s = { .p = p, .n = 100 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int n, sum;

	CHECK_EQ(drain(p, &n, &sum), -EPIPE);
	CHECK_EQ(n, 50);
	CHECK_EQ(sum, 2450);
	CHECK_EQ(testing_join(t), 0);
	weft_pipeline_free(p);
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

/* E6: the end comes behind all that was made, of many or of none. */
TEST(a_stage_may_make_several_items_of_one)
{
	const struct weft_stage stages[] = {
		{ .fn = repeat, .out_max = 3, .workers = 2 },
		{ .fn = repeat, .out_max = 3 },
		{ .fn = pass },
	};

	for (size_t batch = 1; batch <= 5; batch += 2) {
		struct weft_pipeline_opts opts = { .cap = 2,
			                           .elem_size = sizeof(int),
			                           .batch = batch };
		struct source s = { .n = 40 };
		struct weft_task *t;
		int n, sum;

		CHECK_EQ(weft_pipeline_new(&s.p, stages, 3, &opts), 0);
		t = testing_spawn(source_main, &s);
		CHECK_EQ(drain(s.p, &n, &sum), -EPIPE);
		/* Ten times 1 and 2 and 3, each becoming its square. */
		CHECK_EQ(n, 10 * (1 + 4 + 9));
		CHECK_EQ(sum, 10 * (1 + 8 + 27));
		CHECK_EQ(testing_join(t), 0);
		CHECK_EQ(weft_pipeline_join(s.p, WEFT_FOREVER), 0);
		weft_pipeline_free(s.p);
	}
	return 0;
}

TEST(a_stage_that_emits_nothing_passes_the_end_on)
{
	struct weft_pipeline *p = chain(nothing, 1, 2);
	struct source s = { .p = p, .n = 100 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int n, sum;

	CHECK_EQ(drain(p, &n, &sum), -EPIPE);
	CHECK_EQ(n, 0);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
	weft_pipeline_free(p);
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
	struct weft_pipeline *p = new_pipeline(stages, 2, 0, NULL);
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
	struct weft_pipeline_opts opts = { .cap = 8,
		                           .elem_size = sizeof(int),
		                           .batch = 16 };
	struct weft_pipeline *p;
	struct source s = { .n = 1000 };
	struct weft_task *t;
	int got[32], next = 0, err;
	size_t n;

	CHECK_EQ(weft_pipeline_new(&p, stages, 2, &opts), 0);
	s.p = p;
	t = testing_spawn(source_main, &s);
	while (!(err = weft_pipeline_recv_many(p, got, 32, &n, WEFT_FOREVER)))
		for (size_t i = 0; i < n; i++, next += 2)
			CHECK_EQ(got[i], next);
	CHECK_EQ(err, -EPIPE);
	CHECK_EQ(n, 0u);
	CHECK_EQ(next, 1000);
	CHECK_EQ(testing_join(t), 0);
	weft_pipeline_free(p);
	return 0;
}

TEST(many_items_can_be_sent_at_once)
{
	struct weft_pipeline *p = chain(pass, 2, 4);
	struct weft_task *t = testing_spawn(send_many_main, p);
	int n, sum;

	CHECK_EQ(drain(p, &n, &sum), -EPIPE);
	CHECK_EQ(n, 100);
	CHECK_EQ(sum, 4950);
	CHECK_EQ(testing_join(t), 0);
	weft_pipeline_free(p);
	return 0;
}

TEST(stats_count_what_went_in_and_out_of_each_stage)
{
	const struct weft_stage stages[] = { { .fn = only_even, .workers = 3 },
		                             { .fn = nothing } };
	struct weft_pipeline *p = new_pipeline(stages, 2, 1, NULL);
	struct weft_stage_stats stats;
	struct source s = { .p = p, .n = 40 };

	CHECK_EQ(source_main(&s), 0);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_stats(p, 0, &stats), 0);
	CHECK_EQ(stats.in, 40u);
	CHECK_EQ(stats.out, 20u);
	CHECK_EQ(stats.queued, 0u);
	CHECK_EQ(weft_pipeline_stats(p, 1, &stats), 0);
	CHECK_EQ(stats.in, 20u);
	CHECK_EQ(stats.out, 0u);
	CHECK_EQ(weft_pipeline_stats(p, 2, &stats), -EINVAL);
	weft_pipeline_free(p);
	return 0;
}

/* --- bad input --- */

static const struct weft_stage good = { .fn = pass };

static int make(const struct weft_stage *stages, size_t n,
                struct weft_pipeline_opts opts)
{
	struct weft_pipeline *p = NULL;
	int err = weft_pipeline_new(&p, stages, n, &opts);

	CHECK(err != 0);
	CHECK(p == NULL);
	return err;
}

TEST(a_stage_that_makes_no_sense_is_refused)
{
	static const struct weft_stage bad[] = {
		{ .fn = NULL },
		{ .fn = pass, .workers = WEFT_STAGE_WORKERS_MAX + 1 },
		{ .fn = pass, .workers = 2, .mode = WEFT_STAGE_SERIAL },
		{ .fn = pass, .mode = (enum weft_stage_mode)3 },
		{ .fn = pass, .out_size = WEFT_ELEM_MAX + 1 },
		{ .fn = pass, .out_max = WEFT_STAGE_OUT_MAX + 1 },
	};
	const struct weft_pipeline_opts opts = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(make(&bad[i], 1, opts), -EINVAL);
	CHECK_EQ(make(NULL, 1, opts), -EINVAL);
	CHECK_EQ(make(&good, 0, opts), -EINVAL);
	CHECK_EQ(weft_pipeline_new(NULL, &good, 1, NULL), -EINVAL);
	return 0;
}

/* Also where a channel cannot do what the pipeline on it would have to. */
TEST(a_pipeline_that_makes_no_sense_is_refused)
{
	static const struct weft_stage two = { .fn = pass, .workers = 2 };
	const struct weft_pipeline_opts bad[] = {
		{ .elem_size = WEFT_ELEM_MAX + 1 },
		{ .wait = (enum weft_wait)9, .tokens = 1 },
		{ .on_error = WEFT_ON_ERROR_SKIP },
		{ .on_error = (enum weft_on_error)9 },
		{ .impl = &testing_one_to_one },
		/* It would call the function for what nobody sent. */
		{ .impl = &testing_floor },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(make(&good, 1, bad[i]), -EINVAL);
	CHECK_EQ(make(&two, 1,
	              (struct weft_pipeline_opts){ .impl = &testing_one_to_one,
	                                           .cap = 1 }),
	         -EINVAL);
	return 0;
}

TEST(a_pipeline_that_does_not_fit_is_refused)
{
	const struct weft_stage many_of_many = { .fn = pass, .out_max = 32 };
	const struct weft_stage far = { .fn = pass,
		                        .workers = 2,
		                        .mode = WEFT_STAGE_ORDERED,
		                        .window = SIZE_MAX / 32 };

	CHECK_EQ(make(&good, 1,
	              (struct weft_pipeline_opts){ .elem_size = 64,
	                                           .batch = SIZE_MAX / 32 }),
	         -ENOMEM);
	CHECK_EQ(make(&many_of_many, 1,
	              (struct weft_pipeline_opts){ .batch = SIZE_MAX / 16 }),
	         -ENOMEM);
	CHECK_EQ(make(&far, 1, (struct weft_pipeline_opts){ 0 }), -ENOMEM);
	return 0;
}

static void outside_of_a_run_nothing_is_left_behind(void **state)
{
	struct testing_held before = testing_held();

	(void)state;
	/* Everything is made before the first task is refused. */
	assert_int_equal(
	        make(&good, 1, (struct weft_pipeline_opts){ .tokens = 3 }),
	        -EINVAL);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_input_ends_every_stage),
		cmocka_unit_test(
		        the_end_comes_after_the_items_of_all_workers_of_all_stages),
		cmocka_unit_test(every_stage_does_its_part),
		cmocka_unit_test(a_thousand_stages_are_possible),
		cmocka_unit_test(a_stage_may_filter),
		cmocka_unit_test(a_stage_may_make_several_items_of_one),
		cmocka_unit_test(a_stage_that_emits_nothing_passes_the_end_on),
		cmocka_unit_test(items_may_change_their_size_on_the_way),
		cmocka_unit_test(items_of_no_bytes_flow),
		cmocka_unit_test(batches_go_through_whole),
		cmocka_unit_test(many_items_can_be_sent_at_once),
		cmocka_unit_test(
		        stats_count_what_went_in_and_out_of_each_stage),
		cmocka_unit_test(a_stage_that_makes_no_sense_is_refused),
		cmocka_unit_test(a_pipeline_that_makes_no_sense_is_refused),
		cmocka_unit_test(a_pipeline_that_does_not_fit_is_refused),
		cmocka_unit_test(outside_of_a_run_nothing_is_left_behind),
		cmocka_unit_test(no_items_and_no_pipeline_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
