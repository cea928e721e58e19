/* Tests of the pipeline: stages that stop it or fail. What every component does
 * at its end is in life.c. */
#include <weft/ctx.h>

#include "pipeline_testing.h"

/* --- stop --- */

static struct weft_pipeline *own; /* of the stage that stops it */

static int stop_at_five(const void *in, void *out, void *arg)
{
	(void)arg;
	if (*(const int *)in == 5)
		CHECK_EQ(weft_pipeline_stop(own), 0);
	return pass(in, out, NULL);
}

static int cancel_at_five(const void *in, void *out, void *arg)
{
	if (*(const int *)in == 5)
		CHECK_EQ(weft_ctx_cancel(arg, 0), 0);
	return pass(in, out, NULL);
}

static void expect_stopped_by(weft_stage_fn fn)
{
	struct weft_pipeline_opts opts = { .elem_size = sizeof(int) };
	struct weft_stage stages[] = { { .fn = pass }, { .fn = fn } };
	struct source s = { .n = 1000 };
	struct weft_task *t;
	int n, sum;

	CHECK_EQ(weft_ctx_with_cancel(&opts.ctx, NULL), 0);
	stages[1].arg = opts.ctx;
	CHECK_EQ(weft_pipeline_new(&own, stages, 2, &opts), 0);
	s.p = own;
	t = testing_spawn(source_main, &s);
	CHECK_EQ(drain(own, &n, &sum), -ECANCELED);
	CHECK_LE(n, 5);
	CHECK_EQ(testing_join(t), -ECANCELED);
	CHECK_EQ(weft_pipeline_join(own, WEFT_FOREVER), -ECANCELED);
	weft_pipeline_free(own);
	weft_ctx_unref(opts.ctx);
}

TEST(a_stage_may_stop_its_pipeline_or_end_its_context)
{
	expect_stopped_by(stop_at_five);
	expect_stopped_by(cancel_at_five);
	return 0;
}

/* A stage that works off what a stop left in its channel would be seen. */
TEST_MANUAL(a_stop_does_not_wait_for_what_is_inside)
{
	struct weft_pipeline_opts opts = { .cap = 100,
		                           .elem_size = sizeof(int),
		                           .batch = 16 };
	const struct weft_stage stage = { .fn = sleep_a_second };
	struct weft_stage_stats stats;
	struct weft_pipeline *p;

	CHECK_EQ(weft_pipeline_new(&p, &stage, 1, &opts), 0);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(weft_pipeline_send(p, &i, WEFT_FOREVER), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_pipeline_stats(p, 0, &stats), 0);
	CHECK_EQ(stats.in, 1u);
	weft_pipeline_free(p);
	return 0;
}

/* E3 */
TEST(a_sink_that_leaves_early_leaves_nothing_behind)
{
	const struct weft_stage stages[] = { { .fn = pass, .workers = 3 },
		                             { .fn = pass, .workers = 2 },
		                             { .fn = pass } };
	struct weft_pipeline *p = new_pipeline(stages, 3, 4, NULL);
	struct source s = { .p = p, .n = 1000000 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int v;

	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(testing_join(t), -ECANCELED);
	weft_pipeline_free(p);
	return 0;
}

/* --- too late --- */

/* Three items have gone in and reached the last stage, and the end. */
static struct weft_pipeline *joined(weft_stage_fn fn)
{
	struct weft_pipeline *p = chain(fn, 2, 4);

	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_pipeline_send(p, &i, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_close(p), 0);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	return p;
}

/* With nothing to receive, the last worker's end is the end. */
TEST(a_stop_is_too_late_only_when_nothing_is_left_to_receive)
{
	struct weft_pipeline *p = joined(nothing);
	int v;

	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), -EPIPE);
	weft_pipeline_free(p);
	p = joined(pass);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), -ECANCELED);
	weft_pipeline_free(p);
	return 0;
}

/* --- failure --- */

static void expect_failure(enum fault fault, unsigned workers, int expected)
{
	const struct weft_stage stages[] = {
		{ .fn = pass },
		{ .fn = fail_at_five, .arg = &fault, .workers = workers },
		{ .fn = pass },
	};
	struct weft_pipeline *p = new_pipeline(stages, 3, 1, NULL);
	struct source s = { .p = p, .n = 1000 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int n, sum, v = 0;

	CHECK_EQ(drain(p, &n, &sum), expected);
	CHECK_EQ(testing_join(t), expected);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), expected);
	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), expected);
	weft_pipeline_free(p);
}

/* E4, and E9: however a stage fails, and how many workers it has. An error that
 * means something else to callers is told apart. */
TEST(a_stage_that_fails_stops_the_pipeline)
{
	static const int expected[] = {
		[RETURN_ERROR] = -EDOM,     [RETURN_NONSENSE] = -EINVAL,
		[RETURN_AGAIN] = -EIO,      [RETURN_TIMEOUT] = -EIO,
		[RETURN_PIPE] = -EIO,       [EXIT_TASK] = -ERANGE,
		[EXIT_AGAIN] = -EIO,        [EXIT_WELL] = -ECANCELED,
		[EXIT_THREAD] = -ECANCELED,
	};

	for (int fault = 0; fault <= EXIT_THREAD; fault++)
		for (unsigned workers = 1; workers <= 4; workers += 3)
			expect_failure((enum fault)fault, workers,
			               expected[fault]);
	return 0;
}

/* E4: the other policy. */
static struct weft_pipeline *draining(enum fault *fault, unsigned workers,
                                      size_t cap)
{
	const struct weft_stage stages[] = {
		{ .fn = pass },
		{ .fn = fail_at_five, .arg = fault, .workers = workers },
		{ .fn = pass, .workers = workers },
	};
	struct weft_pipeline_opts opts = { .cap = cap,
		                           .elem_size = sizeof(int),
		                           .on_error = WEFT_ON_ERROR_DRAIN };
	struct weft_pipeline *p;

	CHECK_EQ(weft_pipeline_new(&p, stages, 3, &opts), 0);
	return p;
}

static void expect_drained(enum fault fault, int expected)
{
	struct weft_pipeline *p = draining(&fault, 1, 1);
	struct source s = { .p = p, .n = 1000 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int n, sum, v = 0;

	CHECK_EQ(drain(p, &n, &sum), expected);
	CHECK_EQ(n, 5);
	CHECK_EQ(sum, 0 + 1 + 2 + 3 + 4);
	CHECK_EQ(testing_join(t), expected);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), expected);
	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), expected);
	weft_pipeline_free(p);
}

TEST(what_is_behind_a_failed_stage_may_be_drained)
{
	expect_drained(RETURN_ERROR, -EDOM);
	expect_drained(RETURN_PIPE, -EIO);
	expect_drained(EXIT_TASK, -ERANGE);
	expect_drained(EXIT_THREAD, -ECANCELED);
	return 0;
}

TEST_MANUAL(a_pipeline_that_is_drained_may_be_stopped)
{
	enum fault fault = RETURN_ERROR;
	struct weft_pipeline *p = draining(&fault, 2, 10);
	struct source s = { .p = p, .n = 1000 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int v;

	CHECK_EQ(testing_join(t), -EDOM);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), -EDOM);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), -EDOM);
	weft_pipeline_free(p);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        a_stage_may_stop_its_pipeline_or_end_its_context),
		cmocka_unit_test(a_stop_does_not_wait_for_what_is_inside),
		cmocka_unit_test(
		        a_sink_that_leaves_early_leaves_nothing_behind),
		cmocka_unit_test(
		        a_stop_is_too_late_only_when_nothing_is_left_to_receive),
		cmocka_unit_test(a_stage_that_fails_stops_the_pipeline),
		cmocka_unit_test(what_is_behind_a_failed_stage_may_be_drained),
		cmocka_unit_test(a_pipeline_that_is_drained_may_be_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
