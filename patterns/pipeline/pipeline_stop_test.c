/* Tests of the pipeline: stages that stop it or fail. What every component does
 * at its end is in life.c. */
#include <weft/ctx.h>

#include "pipeline_testing.h"

/* --- stop --- */

static struct weft_pipeline *own; /* of the stage that stops it */

/* By its context, if it is given one. */
static int end_at_five(const void *in, void *out, void *ctx)
{
	if (*(const int *)in == 5)
		CHECK_EQ(ctx ? weft_ctx_cancel(ctx, 0)
		             : weft_pipeline_stop(own),
		         0);
	return pass(in, out, NULL);
}

TEST(a_stage_may_stop_its_pipeline_or_end_its_context)
{
	struct weft_stage stages[] = { { .fn = pass }, { .fn = end_at_five } };

	for (int i = 0; i < 2; i++) {
		struct weft_ctx *ctx;

		CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
		stages[1].arg = i ? ctx : NULL;
		own = NEW_PIPELINE(stages, .ctx = ctx);
		CHECK_LE(flow_to(own, 1000, -ECANCELED).n, 5);
		weft_ctx_unref(ctx);
	}
	return 0;
}

/* A stage that works off what a stop left in its channel would be seen. */
TEST_MANUAL(a_stop_does_not_wait_for_what_is_inside)
{
	const struct weft_stage stages[] = { { .fn = sleep_a_second } };
	struct weft_pipeline *p = NEW_PIPELINE(stages, .cap = 100, .batch = 16);

	for (int i = 0; i < 50; i++)
		CHECK_EQ(weft_pipeline_send(p, &i, WEFT_FOREVER), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(stats_of(p, 0).in, 1u);
	weft_pipeline_free(p);
	return 0;
}

/* E3 */
TEST(a_sink_that_leaves_early_leaves_nothing_behind)
{
	const struct weft_stage stages[] = { { .fn = pass, .workers = 3 },
		                             { .fn = pass, .workers = 2 },
		                             { .fn = pass } };
	struct source s = { .p = NEW_PIPELINE(stages, .cap = 4), .n = 1000000 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int v;

	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_pipeline_recv(s.p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_stop(s.p), 0);
	expect_end(s.p, t, -ECANCELED);
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

/* The stage in the middle fails. */
static struct weft_pipeline *failing(struct fault *fault, unsigned workers,
                                     size_t cap, enum weft_on_error on_error)
{
	const struct weft_stage stages[] = {
		{ .fn = pass },
		{ .fn = fail_at_five, .arg = fault, .workers = workers },
		{ .fn = pass, .workers = workers },
	};

	return NEW_PIPELINE(stages, .cap = cap, .on_error = on_error);
}

/* E4, and E9: however a stage fails, and how many workers it has. An error that
 * means something else to callers is told apart. */
TEST(a_stage_that_fails_stops_the_pipeline)
{
	for (struct fault *f = faults(); f->seen; f++)
		for (unsigned workers = 1; workers <= 4; workers += 3)
			flow_to(failing(f, workers, 1, WEFT_ON_ERROR_STOP),
			        1000, f->seen);
	return 0;
}

/* E4: the other policy. */
TEST(what_is_behind_a_failed_stage_may_be_drained)
{
	for (struct fault *f = faults(); f->seen; f++) {
		struct flow flow = flow_to(
		        failing(f, 1, 1, WEFT_ON_ERROR_DRAIN), 1000, f->seen);

		CHECK_EQ(flow.n, 5);
		CHECK_EQ(flow.sum, 0 + 1 + 2 + 3 + 4);
	}
	return 0;
}

TEST_MANUAL(a_pipeline_that_is_drained_may_be_stopped)
{
	struct fault *f = faults();
	struct source s = { .p = failing(f, 2, 10, WEFT_ON_ERROR_DRAIN),
		            .n = 1000 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int v;

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pipeline_recv(s.p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_stop(s.p), 0);
	CHECK_EQ(weft_pipeline_recv(s.p, &v, WEFT_FOREVER), f->seen);
	expect_end(s.p, t, f->seen);
	return 0;
}
