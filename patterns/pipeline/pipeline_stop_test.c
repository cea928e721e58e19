/* Tests of the pipeline: stopping it, and stages that fail. */
#include <weft/ctx.h>

#include "pipeline_testing.h"

/* --- stop --- */

TEST_MANUAL(stop_releases_who_waits_to_send)
{
	struct weft_pipeline *p = chain(pass, 2, 1);
	struct source s = { .p = p, .n = 1000 };
	struct weft_task *t = testing_spawn(source_main, &s);

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(testing_join(t), -ECANCELED);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), -ECANCELED);
	weft_pipeline_free(p);
	return 0;
}

TEST_MANUAL(stop_releases_who_waits_to_receive_or_join)
{
	struct weft_pipeline *p = chain(pass, 2, 1);
	struct timed never = { .p = p, .deadline_ns = WEFT_FOREVER };
	struct weft_task *receiver = testing_spawn(recv_main, p);
	struct weft_task *joiner = testing_spawn(timed_join, &never);

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(testing_join(receiver), -ECANCELED);
	CHECK_EQ(testing_join(joiner), -ECANCELED);
	weft_pipeline_free(p);
	return 0;
}

TEST_MANUAL(after_a_stop_everything_says_so)
{
	struct weft_pipeline *p = chain(pass, 1, 4);
	int v = 1;

	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), -ECANCELED);
	/* The item that is there was dropped. */
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_pipeline_close(p), -EPIPE);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), -ECANCELED);
	weft_pipeline_free(p);
	return 0;
}

static int stop_at_five(const void *in, void *out, void *arg)
{
	struct weft_pipeline **p = arg;

	if (*(const int *)in == 5)
		CHECK_EQ(weft_pipeline_stop(*p), 0);
	return pass(in, out, NULL);
}

TEST(a_stage_may_stop_its_pipeline)
{
	struct weft_pipeline *p;
	const struct weft_stage stages[] = {
		{ .fn = pass }, { .fn = stop_at_five, .arg = &p }
	};
	struct source s = { .n = 1000 };
	struct weft_task *t;
	int n, sum;

	p = new_pipeline(stages, 2, 1, NULL);
	s.p = p;
	t = testing_spawn(source_main, &s);
	CHECK_EQ(drain(p, &n, &sum), -ECANCELED);
	CHECK_LE(n, 5);
	CHECK_EQ(testing_join(t), -ECANCELED);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), -ECANCELED);
	weft_pipeline_free(p);
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

TEST(a_pipeline_that_was_never_used_is_freed)
{
	weft_pipeline_free(chain(pass, 3, 0));
	weft_pipeline_free(NULL);
	return 0;
}

/* --- a context --- */

static struct weft_pipeline *in_context(struct weft_ctx *ctx)
{
	const struct weft_stage stages[] = { { .fn = pass }, { .fn = pass } };
	struct weft_pipeline_opts opts = { .elem_size = sizeof(int),
		                           .ctx = ctx };
	struct weft_pipeline *p;

	CHECK_EQ(weft_pipeline_new(&p, stages, 2, &opts), 0);
	weft_ctx_unref(ctx); /* the pipeline holds one */
	return p;
}

static void expect_ended(struct weft_pipeline *p, int error)
{
	int v = 0;

	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), error);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), error);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), error);
}

TEST_MANUAL(the_end_of_its_context_stops_a_pipeline)
{
	struct source s = { .n = 1000 };
	struct weft_task *t;
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	weft_ctx_ref(ctx);
	s.p = in_context(ctx);
	t = testing_spawn(source_main, &s);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_ctx_cancel(ctx, -EIO), 0);
	CHECK_EQ(testing_join(t), -ECANCELED);
	expect_ended(s.p, -ECANCELED);
	weft_pipeline_free(s.p);
	weft_ctx_unref(ctx);
	return 0;
}

TEST_MANUAL(the_deadline_of_its_context_stops_a_pipeline)
{
	struct source s = { .n = 1000 };
	struct weft_task *t;
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, WEFT_SEC), 0);
	s.p = in_context(ctx);
	t = testing_spawn(source_main, &s);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
	CHECK_EQ(testing_join(t), -ETIMEDOUT);
	expect_ended(s.p, -ETIMEDOUT);
	weft_pipeline_free(s.p);
	return 0;
}

TEST(in_a_context_that_has_ended_a_pipeline_is_stopped)
{
	struct weft_pipeline *p;
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	p = in_context(ctx);
	expect_ended(p, -ECANCELED);
	weft_pipeline_free(p);
	return 0;
}

TEST(a_context_may_outlive_its_pipeline)
{
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	weft_pipeline_free(in_context(weft_ctx_ref(ctx)));
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	weft_ctx_unref(ctx);
	return 0;
}

static int cancel_at_five(const void *in, void *out, void *arg)
{
	if (*(const int *)in == 5)
		CHECK_EQ(weft_ctx_cancel(arg, 0), 0);
	return pass(in, out, NULL);
}

TEST(a_stage_may_end_the_context_of_its_pipeline)
{
	struct weft_pipeline_opts opts = { .elem_size = sizeof(int) };
	struct weft_stage stage = { .fn = cancel_at_five };
	struct source s = { .n = 1000 };
	struct weft_task *t;
	int n, sum;

	CHECK_EQ(weft_ctx_with_cancel(&opts.ctx, NULL), 0);
	stage.arg = opts.ctx;
	CHECK_EQ(weft_pipeline_new(&s.p, &stage, 1, &opts), 0);
	t = testing_spawn(source_main, &s);
	CHECK_EQ(drain(s.p, &n, &sum), -ECANCELED);
	CHECK_LE(n, 5);
	CHECK_EQ(testing_join(t), -ECANCELED);
	weft_pipeline_free(s.p);
	weft_ctx_unref(opts.ctx);
	return 0;
}

/* --- too late --- */

/* Three items have gone in, and the end. */
static struct weft_pipeline *ending(weft_stage_fn fn, struct weft_ctx *ctx)
{
	const struct weft_stage stages[] = { { .fn = fn, .workers = 2 },
		                             { .fn = pass } };
	struct weft_pipeline_opts opts = { .cap = 4,
		                           .elem_size = sizeof(int),
		                           .ctx = ctx };
	struct weft_pipeline *p;

	CHECK_EQ(weft_pipeline_new(&p, stages, 2, &opts), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_pipeline_send(p, &i, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_close(p), 0);
	return p;
}

static void expect_ended_well(struct weft_pipeline *p)
{
	int v = 0;

	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), -EPIPE);
}

TEST(a_stop_behind_the_end_changes_nothing)
{
	struct weft_pipeline *p;
	struct weft_ctx *ctx;
	int n, sum;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	p = ending(pass, ctx);
	CHECK_EQ(drain(p, &n, &sum), -EPIPE);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	expect_ended_well(p);
	weft_pipeline_free(p);
	weft_ctx_unref(ctx);
	/* With nothing to receive, the last worker's end is the end. */
	p = ending(nothing, NULL);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	expect_ended_well(p);
	weft_pipeline_free(p);
	return 0;
}

TEST(a_stop_drops_what_nobody_has_received)
{
	struct weft_pipeline *p = ending(pass, NULL);
	int v;

	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
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
	/* The first error stays, whatever comes later. */
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), expected);
	weft_pipeline_free(p);
}

/* E4 */
TEST(an_error_in_a_stage_stops_the_pipeline)
{
	expect_failure(RETURN_ERROR, 1, -EDOM);
	expect_failure(RETURN_ERROR, 4, -EDOM);
	return 0;
}

TEST(a_result_that_is_none_stops_the_pipeline)
{
	expect_failure(RETURN_NONSENSE, 1, -EINVAL);
	return 0;
}

/* Not the end, nor a deadline, nor a failed try. */
TEST(a_failure_is_not_taken_for_something_else)
{
	for (unsigned workers = 1; workers < 4; workers += 2) {
		expect_failure(RETURN_AGAIN, workers, -EIO);
		expect_failure(RETURN_TIMEOUT, workers, -EIO);
		expect_failure(RETURN_PIPE, workers, -EIO);
		expect_failure(EXIT_AGAIN, workers, -EIO);
	}
	return 0;
}

/* E9 */
TEST(a_stage_that_exits_its_task_stops_the_pipeline)
{
	expect_failure(EXIT_TASK, 1, -ERANGE);
	expect_failure(EXIT_TASK, 4, -ERANGE);
	expect_failure(EXIT_WELL, 1, -ECANCELED);
	return 0;
}

TEST(a_stage_that_exits_its_thread_stops_the_pipeline)
{
	expect_failure(EXIT_THREAD, 1, -ECANCELED);
	expect_failure(EXIT_THREAD, 4, -ECANCELED);
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
		                           .drain_on_failure = true };
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

static int failing_sink_main(void *arg)
{
	int v;

	for (int n = 0; n < 3; n++)
		CHECK_EQ(weft_pipeline_recv(arg, &v, WEFT_FOREVER), 0);
	return weft_pipeline_fail(arg, -ENOSPC);
}

static void expect_failed_by_sink(struct weft_pipeline *p)
{
	struct source s = { .p = p, .n = 1000 };
	struct weft_task *source = testing_spawn(source_main, &s);
	struct weft_task *sink = testing_spawn(failing_sink_main, p);

	CHECK_EQ(testing_join(sink), 0);
	CHECK_EQ(testing_join(source), -ENOSPC);
	/* The first error stays. */
	CHECK_EQ(weft_pipeline_fail(p, -EDOM), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	expect_ended(p, -ENOSPC);
	weft_pipeline_free(p);
}

TEST(a_sink_that_fails_stops_the_pipeline_with_its_error)
{
	enum fault fault = RETURN_ERROR;
	const struct weft_stage stages[] = { { .fn = pass },
		                             { .fn = pass, .workers = 2 } };

	expect_failed_by_sink(new_pipeline(stages, 2, 1, NULL));
	/* There is nobody to drain it. */
	expect_failed_by_sink(draining(&fault, 1, 0));
	return 0;
}

TEST(a_caller_fails_with_what_is_a_failure)
{
	struct weft_pipeline *p = chain(pass, 1, 1);

	CHECK_EQ(weft_pipeline_fail(NULL, -EIO), -EINVAL);
	CHECK_EQ(weft_pipeline_fail(p, 0), -EINVAL);
	CHECK_EQ(weft_pipeline_fail(p, 5), -EINVAL);
	CHECK_EQ(weft_pipeline_join(p, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_pipeline_fail(p, -EPIPE), 0);
	expect_ended(p, -EIO);
	weft_pipeline_free(p);
	return 0;
}

/* --- items that own something --- */

static void drop_int(void *elem, void *arg)
{
	int **in = elem;

	weft_fetch_add_relaxed((_Atomic int *)arg, 1);
	free(*in);
}

static int pass_pointer(const void *in, void *out, void *arg)
{
	(void)arg;
	memcpy(out, in, sizeof(int *));
	return WEFT_STAGE_EMIT;
}

static struct weft_pipeline *pointer_pipeline(_Atomic int *drops, size_t batch)
{
	const struct weft_stage stages[] = {
		{ .fn = pass_pointer, .arg = drops, .drop = drop_int },
		{ .fn = pass_pointer, .arg = drops, .drop = drop_int },
	};
	const struct weft_pipeline_opts opts = {
		.cap = 4,
		.elem_size = sizeof(int *),
		.batch = batch,
		.drop = drop_int,
		.drop_arg = drops,
	};
	struct weft_pipeline *p;

	CHECK_EQ(weft_pipeline_new(&p, stages, 2, &opts), 0);
	return p;
}

/* How many went in before it was full; each of them owns memory. */
static int fill_with_pointers(struct weft_pipeline *p)
{
	int n = 0, err;

	do {
		int *item = malloc(sizeof(*item));

		CHECK(item != NULL);
		CHECK_EQ(weft_clock_settle(), 0);
		err = weft_pipeline_send(p, &item, WEFT_NOW);
		n += !err;
		if (err)
			free(item);
	} while (!err);
	CHECK_EQ(err, -ETIMEDOUT);
	return n;
}

TEST_MANUAL(what_a_stop_leaves_inside_is_dropped_once)
{
	for (size_t batch = 1; batch <= 3; batch++) {
		_Atomic int drops = 0;
		struct weft_pipeline *p = pointer_pipeline(&drops, batch);
		int n = fill_with_pointers(p), *item;

		CHECK_LE(3 * 4 + 2, n);
		CHECK_EQ(weft_pipeline_recv(p, &item, WEFT_FOREVER), 0);
		free(item);
		weft_pipeline_free(p);
		CHECK_EQ(weft_load_relaxed(&drops), n - 1);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stop_releases_who_waits_to_send),
		cmocka_unit_test(stop_releases_who_waits_to_receive_or_join),
		cmocka_unit_test(after_a_stop_everything_says_so),
		cmocka_unit_test(a_stage_may_stop_its_pipeline),
		cmocka_unit_test(a_stop_does_not_wait_for_what_is_inside),
		cmocka_unit_test(
		        a_sink_that_leaves_early_leaves_nothing_behind),
		cmocka_unit_test(a_pipeline_that_was_never_used_is_freed),
		cmocka_unit_test(the_end_of_its_context_stops_a_pipeline),
		cmocka_unit_test(the_deadline_of_its_context_stops_a_pipeline),
		cmocka_unit_test(
		        in_a_context_that_has_ended_a_pipeline_is_stopped),
		cmocka_unit_test(a_context_may_outlive_its_pipeline),
		cmocka_unit_test(a_stage_may_end_the_context_of_its_pipeline),
		cmocka_unit_test(a_stop_behind_the_end_changes_nothing),
		cmocka_unit_test(a_stop_drops_what_nobody_has_received),
		cmocka_unit_test(an_error_in_a_stage_stops_the_pipeline),
		cmocka_unit_test(a_result_that_is_none_stops_the_pipeline),
		cmocka_unit_test(a_failure_is_not_taken_for_something_else),
		cmocka_unit_test(
		        a_stage_that_exits_its_task_stops_the_pipeline),
		cmocka_unit_test(
		        a_stage_that_exits_its_thread_stops_the_pipeline),
		cmocka_unit_test(what_is_behind_a_failed_stage_may_be_drained),
		cmocka_unit_test(a_pipeline_that_is_drained_may_be_stopped),
		cmocka_unit_test(
		        a_sink_that_fails_stops_the_pipeline_with_its_error),
		cmocka_unit_test(a_caller_fails_with_what_is_a_failure),
		cmocka_unit_test(what_a_stop_leaves_inside_is_dropped_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
