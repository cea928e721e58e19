/* Tests of how components end. What is left behind of a context or of memory,
 * TEST says. */
#include <errno.h>

#include "common/ending.h"
#include "testing/testing.h"

struct thing {
	struct weft_ending end;
	int releases;
	bool through;
};

static bool went_through(void *arg)
{
	return ((struct thing *)arg)->through;
}

/* The reason is there before anything is closed. */
static void release(void *arg)
{
	struct thing *t = arg;

	CHECK(weft_ending_why(&t->end) != 0);
	t->releases++;
}

static const struct weft_ending_ops ops = { went_through, release };

static struct thing *thing(void)
{
	static struct thing t;

	t = (struct thing){ .releases = 0 };
	weft_ending_init(&t.end, &ops, &t);
	return &t;
}

TEST(the_first_reason_stays)
{
	struct thing *t = thing();

	CHECK_EQ(weft_ending_why(&t->end), 0);
	CHECK(!weft_ending_is_set(&t->end));
	weft_ending_fail(&t->end, -EXDEV);
	weft_ending_stop(&t->end, -ECANCELED);
	CHECK_EQ(weft_ending_why(&t->end), -EXDEV);
	CHECK(weft_ending_is_set(&t->end));
	/* Each of them releases: the first one may not be there yet. */
	CHECK_EQ(t->releases, 2);
	return 0;
}

TEST(nothing_ends_behind_the_end)
{
	struct thing *t = thing();

	t->through = true;
	weft_ending_stop(&t->end, -ECANCELED);
	CHECK(!weft_ending_set(&t->end, -ECANCELED));
	CHECK_EQ(weft_ending_why(&t->end), 0);
	CHECK_EQ(t->releases, 0);
	return 0;
}

TEST(a_failure_is_not_taken_for_the_callers)
{
	static const int means_something_else[] = { -EAGAIN, -ETIMEDOUT,
		                                    -EPIPE };

	for (size_t i = 0; i < 3; i++) {
		struct thing *t = thing();

		weft_ending_fail(&t->end, means_something_else[i]);
		CHECK_EQ(weft_ending_why(&t->end), -EIO);
	}
	return 0;
}

TEST(what_is_no_error_is_no_failure)
{
	struct thing *t = thing();

	CHECK_EQ(weft_ending_fail(&t->end, 0), -EINVAL);
	CHECK_EQ(weft_ending_fail(&t->end, EIO), -EINVAL);
	CHECK_EQ(weft_ending_why(&t->end), 0);
	CHECK_EQ(t->releases, 0);
	return 0;
}

/* The task that sets the reason may be held up before it releases anyone. */
TEST(a_task_that_finds_the_reason_can_do_the_rest)
{
	struct thing *t = thing();

	CHECK(weft_ending_set(&t->end, -ECANCELED));
	CHECK_EQ(t->releases, 0);
	weft_ending_complete(&t->end);
	CHECK_EQ(t->releases, 1);
	return 0;
}

TEST(a_closed_channel_means_the_reason)
{
	struct thing *t = thing();

	CHECK_EQ(weft_ending_of(&t->end, -EPIPE), -EPIPE);
	weft_ending_stop(&t->end, -ECANCELED);
	CHECK_EQ(weft_ending_of(&t->end, -EPIPE), -ECANCELED);
	CHECK_EQ(weft_ending_of(&t->end, 0), 0);
	CHECK_EQ(weft_ending_of(&t->end, -ETIMEDOUT), -ETIMEDOUT);
	return 0;
}

/* -ETIMEDOUT is no answer to a try, also when a stop comes right behind the
 * look; only as the reason. */
TEST(a_try_that_found_nothing_says_why)
{
	struct thing *t = thing();

	CHECK_EQ(weft_ending_tried(&t->end, 0), 0);
	CHECK_EQ(weft_ending_tried(&t->end, -EPIPE), -EPIPE);
	CHECK_EQ(weft_ending_tried(&t->end, -ETIMEDOUT), -EAGAIN);
	weft_ending_stop(&t->end, -ECANCELED);
	CHECK_EQ(weft_ending_tried(&t->end, -ETIMEDOUT), -ECANCELED);
	t = thing();
	CHECK(weft_ending_set(&t->end, -ETIMEDOUT));
	CHECK_EQ(weft_ending_tried(&t->end, -ETIMEDOUT), -ETIMEDOUT);
	return 0;
}

TEST(the_background_never_ends_it)
{
	struct thing *t = thing();

	CHECK_EQ(weft_ending_watch(&t->end, NULL), 0);
	weft_ending_unwatch(&t->end);
	CHECK_EQ(weft_ending_why(&t->end), 0);
	return 0;
}

TEST(a_context_ends_it_with_its_error)
{
	struct thing *t = thing();
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	CHECK_EQ(weft_ending_watch(&t->end, ctx), 0);
	CHECK_EQ(weft_ending_why(&t->end), 0);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(weft_ending_why(&t->end), -ECANCELED);
	CHECK_EQ(t->releases, 1);
	weft_ctx_unref(ctx); /* the component holds one */
	weft_ending_unwatch(&t->end);
	CHECK_EQ(t->releases, 1);
	return 0;
}

TEST(a_context_that_has_ended_ends_it_at_once)
{
	struct thing *t = thing();
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, 0), 0);
	CHECK_EQ(weft_ending_watch(&t->end, ctx), 0);
	CHECK_EQ(weft_ending_why(&t->end), -ETIMEDOUT);
	weft_ending_unwatch(&t->end);
	weft_ctx_unref(ctx);
	return 0;
}

TEST(a_context_that_is_not_watched_ends_nothing)
{
	struct thing *t = thing();
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	CHECK_EQ(weft_ending_watch(&t->end, ctx), 0);
	weft_ending_unwatch(&t->end);
	weft_ending_unwatch(&t->end);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(weft_ending_why(&t->end), 0);
	weft_ctx_unref(ctx);
	return 0;
}

/* A deadline needs the timer of a run. */
TEST_OUTSIDE(what_cannot_be_watched_is_not_held)
{
	struct testing_held before = testing_held();
	struct thing *t = thing();
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, WEFT_SEC), 0);
	CHECK_EQ(weft_ending_watch(&t->end, ctx), -EINVAL);
	weft_ending_unwatch(&t->end);
	weft_ctx_unref(ctx);
	CHECK_EQ(testing_held_still(before), 0);
}
