/*
 * Tests that a wait which is cancelled hands on what it was told.
 *
 * The moment that matters is between its last look and its leaving the queue:
 * too short to be met by chance. The linker puts this file's weft_waitq_leave()
 * in the way (--wrap), and what is to happen then is done there.
 */
#include <weft/atomic.h>
#include <weft/ctx.h>
#include <weft/group.h>
#include <weft/sync.h>

#include "chan/internal.h"
#include "sync/internal.h"
#include "task/testing.h"

static struct {
	struct weft_ctx *ctx; /* of the wait that is cancelled */
	void (*act)(void);
} meanwhile;

bool __real_weft_waitq_leave(struct waitq *q, struct waiter *w);
bool __wrap_weft_waitq_leave(struct waitq *q, struct waiter *w);

/* The first that leaves another queue than that of the context. */
bool __wrap_weft_waitq_leave(struct waitq *q, struct waiter *w)
{
	void (*act)(void) = meanwhile.act;

	if (act && q != &meanwhile.ctx->done->receivers) {
		meanwhile.act = NULL;
		act();
	}
	return __real_weft_waitq_leave(q, w);
}

/* --- lock --- */

static struct weft_lock lock;

static int takes_lock(void *arg)
{
	int err = weft_lock_acquire_ctx(&lock, arg, WEFT_FOREVER);

	if (!err)
		weft_lock_release(&lock);
	return err;
}

static void releases(void)
{
	weft_lock_release(&lock);
}

TEST_MANUAL(a_cancelled_wait_for_a_lock_passes_it_on)
{
	struct weft_task *t[2];
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	weft_lock_init(&lock);
	weft_lock_acquire(&lock);
	t[0] = testing_spawn(takes_lock, ctx);
	CHECK_EQ(weft_clock_settle(), 0);
	t[1] = testing_spawn(takes_lock, NULL);
	CHECK_EQ(weft_clock_settle(), 0);
	meanwhile.ctx = ctx;
	meanwhile.act = releases;
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(testing_join(t[0]), -ECANCELED);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_join_until(t[1], NULL, WEFT_NOW), 0);
	CHECK_EQ(weft_lock_try(&lock), 0);
	weft_ctx_unref(ctx);
	return 0;
}

/* --- group --- */

static struct weft_group *group;
static _Atomic int may_end;

static int ends_when_let(void *arg)
{
	while (!weft_load_acquire((_Atomic int *)arg))
		weft_park(weft_deadline_in(1));
	return 0;
}

static int returns(void *arg)
{
	(void)arg;
	return 0;
}

static int goes(void *arg)
{
	return weft_group_go(group, returns, NULL, *(int64_t *)arg);
}

static uint64_t live(void)
{
	struct weft_run_stats stats;

	weft_run_stats(&stats);
	return stats.live;
}

/* The one task of the group ends, and its place is free. */
static void lets_it_end(void)
{
	uint64_t before = live();

	weft_store_release(&may_end, 1);
	while (live() == before) {
		CHECK_EQ(weft_clock_advance(1), 0);
		weft_yield();
	}
}

/* By its deadline: the context would end the second wait as well. */
TEST_MANUAL(a_wait_for_a_place_that_gives_up_passes_it_on)
{
	int64_t soon = weft_deadline_in(10), never = WEFT_FOREVER;
	struct weft_task *t[2];

	CHECK_EQ(weft_group_new(&group, NULL, 1), 0);
	CHECK_EQ(weft_group_go(group, ends_when_let, &may_end, WEFT_NOW), 0);
	t[0] = testing_spawn(goes, &soon);
	CHECK_EQ(weft_clock_settle(), 0);
	t[1] = testing_spawn(goes, &never);
	CHECK_EQ(weft_clock_settle(), 0);
	meanwhile.ctx = weft_group_ctx(group);
	meanwhile.act = lets_it_end;
	CHECK_EQ(weft_clock_advance(10), 0);
	CHECK_EQ(testing_join(t[0]), -ETIMEDOUT);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_join_until(t[1], NULL, WEFT_NOW), 0);
	CHECK_EQ(weft_group_wait(group, WEFT_FOREVER), 0);
	weft_group_free(group);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cancelled_wait_for_a_lock_passes_it_on),
		cmocka_unit_test(a_wait_for_a_place_that_gives_up_passes_it_on),
	};

	return cmocka_run_group_tests_name("pass_on", tests, NULL, NULL);
}
