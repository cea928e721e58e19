/* Tests of waiters and of weft_guard(), what components are made of. */
#include <errno.h>
#include <pthread.h>

#include <weft/atomic.h>
#include <weft/ctx.h>
#include <weft/sync.h>

#include "task/internal.h"
#include "task/testing.h"

/* A counter that is waited for until it is above 0, as a semaphore is. */
struct pool {
	struct weft_waiters waiters;
	_Atomic int free, looks;
};

static int take(void *arg)
{
	struct pool *p = arg;
	int n = weft_load_seq_cst(&p->free);

	weft_fetch_add_relaxed(&p->looks, 1);
	while (n > 0)
		if (weft_cas_seq_cst(&p->free, &n, n - 1))
			return 0;
	return -EAGAIN;
}

static void give(struct pool *p, int n)
{
	weft_fetch_add_seq_cst(&p->free, n);
	weft_waiters_wake(&p->waiters, (size_t)n);
}

static void pool_init(struct pool *p, int n)
{
	weft_waiters_init(&p->waiters);
	weft_store_relaxed(&p->free, n);
	weft_store_relaxed(&p->looks, 0);
}

static int take_until(struct pool *p, struct weft_ctx *ctx, int64_t deadline_ns)
{
	return weft_waiters_wait(&p->waiters, "a place", take, p, ctx,
	                         deadline_ns);
}

static int taker(void *arg)
{
	return take_until(arg, NULL, WEFT_FOREVER);
}

TEST(what_is_there_is_taken_at_once)
{
	struct pool p;

	pool_init(&p, 2);
	CHECK_EQ(take_until(&p, NULL, WEFT_NOW), 0);
	CHECK_EQ(take_until(&p, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(weft_load_relaxed(&p.looks), 2);
	CHECK_EQ(take_until(&p, NULL, WEFT_NOW), -ETIMEDOUT);
	return 0;
}

TEST(bad_arguments_are_refused)
{
	struct pool p;

	pool_init(&p, 1);
	CHECK_EQ(weft_waiters_wait(NULL, "", take, &p, NULL, WEFT_NOW),
	         -EINVAL);
	CHECK_EQ(weft_waiters_wait(&p.waiters, "", NULL, &p, NULL, WEFT_NOW),
	         -EINVAL);
	CHECK_EQ(weft_waiters_set_wait(NULL, WEFT_WAIT_PARK), -EINVAL);
	CHECK_EQ(weft_waiters_set_wait(&p.waiters, (enum weft_wait)3), -EINVAL);
	CHECK_EQ(weft_waiters_set_depth(NULL, 1), -EINVAL);
	weft_waiters_wake(NULL, 1);
	return 0;
}

static uint64_t parks(void)
{
	struct weft_run_stats stats;

	weft_run_stats(&stats);
	return stats.parks;
}

/* One that spins looks again and again, and does not park. */
TEST(they_wait_as_they_are_told)
{
	uint64_t before = parks();
	struct weft_task *t;
	struct pool p;

	pool_init(&p, 0);
	CHECK_EQ(weft_waiters_set_wait(&p.waiters, WEFT_WAIT_SPIN), 0);
	t = testing_spawn(taker, &p);
	while (weft_load_relaxed(&p.looks) < 3000 && parks() == before)
		weft_yield();
	CHECK_EQ(parks(), before);
	give(&p, 1);
	CHECK_EQ(testing_join(t), 0);
	return 0;
}

/* How often a wait of that depth looks before it parks. */
static int looks_at_depth(size_t depth)
{
	struct weft_task *t;
	struct pool p;
	int looks;

	pool_init(&p, 0);
	CHECK_EQ(weft_waiters_set_depth(&p.waiters, depth), 0);
	t = testing_spawn(taker, &p);
	CHECK_EQ(weft_clock_settle(), 0);
	looks = weft_load_relaxed(&p.looks);
	give(&p, 1);
	CHECK_EQ(testing_join(t), 0);
	return looks;
}

/* At a deep buffer a wait leaves its peer alone for longer; where there is but
 * one CPU, it lets the peer run more often. */
TEST_MANUAL(a_wait_for_much_looks_less_often)
{
	int one = looks_at_depth(0), many = looks_at_depth(1024);

	if (weft_cpus() > 1)
		CHECK_LT(many, one);
	else
		CHECK_LE(one, many); /* a slow yield ends both as early */
	return 0;
}

/* Exactly as many get through as were given. */
TEST_MANUAL(a_wake_lets_as_many_through_as_there_is_room_for)
{
	struct weft_task *t[5];
	struct pool p;
	int through = 0;

	pool_init(&p, 0);
	for (int i = 0; i < 5; i++)
		t[i] = testing_spawn(taker, &p);
	CHECK_EQ(weft_clock_settle(), 0);
	give(&p, 3);
	CHECK_EQ(weft_clock_settle(), 0);
	for (int i = 0; i < 5; i++)
		if (!weft_join_until(t[i], NULL, WEFT_NOW)) {
			t[i] = NULL;
			through++;
		}
	CHECK_EQ(through, 3);
	give(&p, 2);
	for (int i = 0; i < 5; i++)
		if (t[i])
			CHECK_EQ(testing_join(t[i]), 0);
	return 0;
}

static int take_for_a_second(void *arg)
{
	return take_until(arg, NULL, weft_deadline_in(WEFT_SEC));
}

TEST_MANUAL(a_deadline_ends_the_wait_when_it_comes)
{
	struct weft_task *t;
	struct pool p;

	pool_init(&p, 0);
	t = testing_spawn(take_for_a_second, &p);
	testing_pass(WEFT_SEC - 1);
	CHECK_EQ(weft_join_until(t, NULL, WEFT_NOW), -ETIMEDOUT);
	testing_pass(1);
	CHECK_EQ(testing_join(t), -ETIMEDOUT);
	return 0;
}

/* The look behind an expired deadline still takes what is there: the change is
 * made here without a wake. */
TEST_MANUAL(what_is_there_wins_over_the_deadline)
{
	struct weft_task *t;
	struct pool p;

	pool_init(&p, 0);
	t = testing_spawn(take_for_a_second, &p);
	CHECK_EQ(weft_clock_settle(), 0);
	weft_store_seq_cst(&p.free, 1);
	testing_pass(WEFT_SEC);
	CHECK_EQ(testing_join(t), 0);
	return 0;
}

/* A look that waits itself, at a lock, which takes the permits that come
 * meanwhile. Its answer is from before the lock. */
struct locked_look {
	struct pool pool;
	struct weft_lock lock;
	int blocks_at; /* this look waits at the lock; 0: none */
};

static int take_past_the_lock(void *arg)
{
	struct locked_look *l = arg;
	int err = take(&l->pool);

	if (weft_load_relaxed(&l->pool.looks) == l->blocks_at) {
		weft_lock_acquire(&l->lock);
		weft_lock_release(&l->lock);
	}
	return err;
}

static int take_with_a_lock(void *arg)
{
	struct locked_look *l = arg;

	return weft_waiters_wait(&l->pool.waiters, "a place",
	                         take_past_the_lock, l, NULL, WEFT_FOREVER);
}

static struct weft_task *start_with_a_lock(struct locked_look *l, int blocks_at)
{
	struct weft_task *t;

	pool_init(&l->pool, 0);
	CHECK_EQ(weft_waiters_set_wait(&l->pool.waiters, WEFT_WAIT_PARK), 0);
	weft_lock_init(&l->lock);
	l->blocks_at = blocks_at;
	weft_lock_acquire(&l->lock);
	t = testing_spawn(take_with_a_lock, l);
	CHECK_EQ(weft_clock_settle(), 0);
	return t;
}

/* The look before the park is the one that waits; the wake comes then. */
TEST_MANUAL(a_wake_is_not_lost_while_the_look_waits_for_a_lock)
{
	struct locked_look l;
	struct weft_task *t = start_with_a_lock(&l, 0);
	int looks = weft_load_relaxed(&l.pool.looks);

	give(&l.pool, 1);
	CHECK_EQ(testing_join(t), 0);
	t = start_with_a_lock(&l, looks);
	CHECK_EQ(weft_load_relaxed(&l.pool.looks), looks);
	give(&l.pool, 1);
	CHECK_EQ(weft_clock_settle(), 0);
	weft_lock_release(&l.lock);
	CHECK_EQ(testing_join(t), 0);
	return 0;
}

struct with_ctx {
	struct pool pool;
	struct weft_ctx *ctx;
};

static int take_with_ctx(void *arg)
{
	struct with_ctx *w = arg;

	return take_until(&w->pool, w->ctx, WEFT_FOREVER);
}

TEST_MANUAL(a_context_ends_the_wait_and_wins_over_what_is_there)
{
	struct with_ctx w;
	struct weft_task *t;

	pool_init(&w.pool, 0);
	CHECK_EQ(weft_ctx_with_cancel(&w.ctx, NULL), 0);
	t = testing_spawn(take_with_ctx, &w);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_ctx_cancel(w.ctx, 0), 0);
	CHECK_EQ(testing_join(t), -ECANCELED);
	give(&w.pool, 1);
	CHECK_EQ(take_with_ctx(&w), -ECANCELED);
	CHECK_EQ(weft_load_relaxed(&w.pool.free), 1);
	weft_ctx_unref(w.ctx);
	return 0;
}

#define TASKS 6
#define ROUNDS (TESTING_SLOW ? 2000 : 20000)

static int takes_and_gives(void *arg)
{
	struct pool *p = arg;
	int taken = 0;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t until = i % 3 ? WEFT_FOREVER : weft_deadline_in(1000);

		if (take_until(p, NULL, until))
			continue;
		taken++;
		if (i % 7 == 0)
			weft_yield();
		give(p, 1);
	}
	return taken > 0 ? 0 : -EIO;
}

/* A lost wake-up would leave one of them asleep beside free room. */
TEST(no_wake_up_is_lost)
{
	struct weft_task *t[TASKS];
	struct pool p;

	pool_init(&p, 2);
	for (int i = 0; i < TASKS; i++)
		t[i] = testing_spawn(takes_and_gives, &p);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(testing_join(t[i]), 0);
	CHECK_EQ(weft_load_relaxed(&p.free), 2);
	return 0;
}

/* --- guard --- */

struct guarded {
	int how; /* of fn: 0 returns 7, 1 exits with 8, 2 ends its thread */
	int calls, status;
	enum weft_guard_end end;
};

static int ends_somehow(void *arg)
{
	const struct guarded *g = arg;

	if (g->how == 1)
		weft_task_exit(8);
	if (g->how == 2)
		pthread_exit(NULL);
	return 7;
}

static void note_end(void *arg, enum weft_guard_end end, int status)
{
	struct guarded *g = arg;

	g->calls++;
	g->end = end;
	g->status = status;
	weft_yield(); /* it may call what any task may */
}

static int guard_main(void *arg)
{
	return weft_guard(ends_somehow, arg, note_end);
}

static struct guarded guarded(int how, int expected)
{
	struct guarded g = { .how = how };

	CHECK_EQ(testing_join(testing_spawn(guard_main, &g)), expected);
	CHECK_EQ(g.calls, 1);
	return g;
}

TEST(the_guard_is_told_once_however_its_function_ends)
{
	struct guarded g = guarded(0, 0);

	CHECK_EQ((int)g.end, (int)WEFT_GUARD_RETURNED);
	CHECK_EQ(g.status, 7);
	g = guarded(1, -ECANCELED);
	CHECK_EQ((int)g.end, (int)WEFT_GUARD_EXITED);
	CHECK_EQ(g.status, 8);
	g = guarded(2, -ECANCELED);
	CHECK_EQ((int)g.end, (int)WEFT_GUARD_DIED);
	CHECK_EQ(g.status, -ECANCELED);
	return 0;
}

TEST(a_guard_of_nothing_is_refused)
{
	struct guarded g = { 0 };

	CHECK_EQ(weft_guard(NULL, &g, note_end), -EINVAL);
	CHECK_EQ(weft_guard(ends_somehow, &g, NULL), -EINVAL);
	CHECK_EQ(g.calls, 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_there_is_taken_at_once),
		cmocka_unit_test(bad_arguments_are_refused),
		cmocka_unit_test(they_wait_as_they_are_told),
		cmocka_unit_test(a_wait_for_much_looks_less_often),
		cmocka_unit_test(
		        a_wake_lets_as_many_through_as_there_is_room_for),
		cmocka_unit_test(a_deadline_ends_the_wait_when_it_comes),
		cmocka_unit_test(what_is_there_wins_over_the_deadline),
		cmocka_unit_test(
		        a_context_ends_the_wait_and_wins_over_what_is_there),
		cmocka_unit_test(
		        a_wake_is_not_lost_while_the_look_waits_for_a_lock),
		cmocka_unit_test(no_wake_up_is_lost),
		cmocka_unit_test(
		        the_guard_is_told_once_however_its_function_ends),
		cmocka_unit_test(a_guard_of_nothing_is_refused),
	};

	return cmocka_run_group_tests_name("waiters", tests, NULL, NULL);
}
