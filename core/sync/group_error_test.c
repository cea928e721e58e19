/*
 * Tests of which error of a group counts, when several tasks fail at once.
 *
 * What matters is which task comes first to note its error and to cancel, a
 * few instructions apart: the linker puts this file's weft_ctx_cancel() in the
 * way (--wrap), where the first that fails is held up.
 */
#include <weft/atomic.h>
#include <weft/ctx.h>
#include <weft/group.h>

#include "task/testing.h"

static _Atomic int cancels, may_cancel;

int __real_weft_ctx_cancel(struct weft_ctx *ctx, int cause);
int __wrap_weft_ctx_cancel(struct weft_ctx *ctx, int cause);

int __wrap_weft_ctx_cancel(struct weft_ctx *ctx, int cause)
{
	if (weft_fetch_add_acq_rel(&cancels, 1) == 0)
		while (!weft_load_acquire(&may_cancel))
			weft_yield();
	return __real_weft_ctx_cancel(ctx, cause);
}

static int returns(void *arg)
{
	return *(int *)arg;
}

static void await_live(uint64_t n)
{
	struct weft_run_stats stats;

	do {
		weft_yield();
		weft_run_stats(&stats);
	} while (stats.live != n);
}

TEST(the_cause_is_the_error_that_the_wait_returns)
{
	int first = -EIO, second = -ENOENT;
	struct weft_group *g;

	CHECK_EQ(weft_group_new(&g, NULL, 0), 0);
	CHECK_EQ(weft_group_go(g, returns, &first, WEFT_NOW), 0);
	while (!weft_load_acquire(&cancels))
		weft_yield();
	CHECK_EQ(weft_group_go(g, returns, &second, WEFT_NOW), 0);
	await_live(2); /* this one, and the first */
	CHECK_EQ(weft_ctx_err(weft_group_ctx(g)), 0);
	weft_store_release(&may_cancel, 1);
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), first);
	CHECK_EQ(weft_ctx_cause(weft_group_ctx(g)), first);
	weft_group_free(g);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cause_is_the_error_that_the_wait_returns),
	};

	return cmocka_run_group_tests_name("group_error", tests, NULL, NULL);
}
