/* Tests of components that a context stops. What is left behind of a context
 * or of memory, TEST says. */
#include <errno.h>

#include "common/watch.h"
#include "testing/testing.h"

struct thing {
	struct watch watch;
	int ends, why;
};

static void thing_ended(void *arg)
{
	struct thing *t = arg;

	t->ends++;
	t->why = watch_why(&t->watch);
}

TEST(the_background_never_ends)
{
	struct thing t = { .ends = 0 };

	CHECK_EQ(watch_begin(&t.watch, NULL, thing_ended, &t), 0);
	CHECK_EQ(watch_why(&t.watch), 0);
	watch_end(&t.watch);
	CHECK_EQ(t.ends, 0);
	return 0;
}

TEST(an_end_is_told_once_with_its_reason)
{
	struct thing t = { .ends = 0 };
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	CHECK_EQ(watch_begin(&t.watch, ctx, thing_ended, &t), 0);
	CHECK_EQ(watch_why(&t.watch), 0);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(t.ends, 1);
	CHECK_EQ(t.why, -ECANCELED);
	weft_ctx_unref(ctx);
	watch_end(&t.watch);
	CHECK_EQ(t.ends, 1);
	return 0;
}

TEST(an_end_that_was_is_told_at_once)
{
	struct thing t = { .ends = 0 };
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, 0), 0);
	CHECK_EQ(watch_begin(&t.watch, ctx, thing_ended, &t), 0);
	CHECK_EQ(t.ends, 1);
	CHECK_EQ(t.why, -ETIMEDOUT);
	watch_end(&t.watch);
	weft_ctx_unref(ctx);
	return 0;
}

TEST(who_has_stopped_watching_is_told_nothing)
{
	struct thing t = { .ends = 0 };
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	CHECK_EQ(watch_begin(&t.watch, ctx, thing_ended, &t), 0);
	watch_end(&t.watch);
	watch_end(&t.watch);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(t.ends, 0);
	CHECK_EQ(watch_why(&t.watch), 0);
	weft_ctx_unref(ctx);
	return 0;
}

/* A deadline needs the timer of a run. */
static void what_cannot_be_watched_is_not_held(void **state)
{
	struct testing_held before = testing_held();
	struct thing t = { .ends = 0 };
	struct weft_ctx *ctx;

	(void)state;
	assert_int_equal(weft_ctx_with_timeout(&ctx, NULL, WEFT_SEC), 0);
	assert_int_equal(watch_begin(&t.watch, ctx, thing_ended, &t), -EINVAL);
	watch_end(&t.watch);
	weft_ctx_unref(ctx);
	assert_int_equal(testing_held_still(before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_background_never_ends),
		cmocka_unit_test(an_end_is_told_once_with_its_reason),
		cmocka_unit_test(an_end_that_was_is_told_at_once),
		cmocka_unit_test(who_has_stopped_watching_is_told_nothing),
		cmocka_unit_test(what_cannot_be_watched_is_not_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
