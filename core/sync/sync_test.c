/* Tests of lock and waitgroup. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <weft/atomic.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "base/check.h"
#include "task/testing.h"

#define TASKS 6

/* --- lock --- */

static struct weft_lock lock;
static long counter; /* guarded by the lock: TSan checks that it guards */

static int count(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5000; i++) {
		weft_lock_acquire(&lock);
		counter++;
		if (i % 512 == 0)
			weft_yield(); /* let the others pile up */
		weft_lock_release(&lock);
	}
	return 0;
}

static int count_together(void *arg)
{
	struct weft_task *t[TASKS];

	(void)arg;
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(weft_spawn(&t[i], NULL, count, NULL), 0);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(weft_join(t[i], NULL), 0);
	return 0;
}

static void lock_excludes(void **state)
{
	(void)state;
	weft_lock_init(&lock);
	counter = 0;
	assert_int_equal(testing_run(WEFT_CLOCK_MONOTONIC, count_together), 0);
	assert_int_equal(counter, TASKS * 5000);
}

static int holds_and_waits(void *arg)
{
	int64_t *gap = arg;

	CHECK_EQ(weft_lock_acquire_until(&lock, weft_deadline_in(gap[0])),
	         (int)gap[1]);
	return 0;
}

static int lock_times_out(void *arg)
{
	int64_t loses[] = { 10, -ETIMEDOUT }, wins[] = { 20, 0 };
	struct weft_task *t[2];

	(void)arg;
	weft_lock_init(&lock);
	CHECK_EQ(weft_lock_try(&lock), 0);
	CHECK_EQ(weft_lock_try(&lock), -EAGAIN);
	CHECK_EQ(weft_lock_acquire_until(&lock, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_lock_acquire_until(NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_lock_try(NULL), -EINVAL);
	CHECK_EQ(weft_spawn(&t[0], NULL, holds_and_waits, loses), 0);
	CHECK_EQ(weft_spawn(&t[1], NULL, holds_and_waits, wins), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	CHECK_EQ(weft_join(t[0], NULL), 0);
	weft_lock_release(&lock);
	CHECK_EQ(weft_join(t[1], NULL), 0);
	CHECK_EQ(weft_lock_try(&lock), -EAGAIN);
	weft_lock_release(&lock);
	CHECK_EQ(weft_lock_acquire_until(&lock, WEFT_NOW), 0);
	return 0;
}

static void lock_keeps_its_deadlines(void **state)
{
	(void)state;
	assert_int_equal(testing_run(WEFT_CLOCK_MANUAL, lock_times_out), 0);
}

/* --- waitgroup --- */

struct job {
	struct weft_waitgroup wg;
	int results[TASKS]; /* plain: the waitgroup must order them */
	_Atomic int next;
};

static int work(void *arg)
{
	struct job *job = arg;

	job->results[weft_fetch_add_relaxed(&job->next, 1)] = 1;
	weft_waitgroup_done(&job->wg);
	return 0;
}

/* The waitgroup is freed as soon as the wait returns, while the last done()
 * may still be on its way out: what ASan is for. */
static int wait_and_free(void *arg)
{
	(void)arg;
	for (int round = 0; round < 200; round++) {
		struct job *job =
		        aligned_alloc(_Alignof(struct job), sizeof(*job));

		CHECK(job != NULL);
		*job = (struct job){ 0 };
		weft_waitgroup_init(&job->wg);
		CHECK_EQ(weft_waitgroup_add(&job->wg, TASKS), 0);
		for (int i = 0; i < TASKS; i++)
			CHECK_EQ(weft_spawn(NULL, NULL, work, job), 0);
		CHECK_EQ(weft_waitgroup_wait(&job->wg, WEFT_FOREVER), 0);
		for (int i = 0; i < TASKS; i++)
			CHECK_EQ(job->results[i], 1);
		free(job);
	}
	return 0;
}

static void waitgroup_orders_and_may_be_freed_at_once(void **state)
{
	(void)state;
	assert_int_equal(testing_run(WEFT_CLOCK_MONOTONIC, wait_and_free), 0);
}

static struct weft_waitgroup group;

static int waits(void *arg)
{
	(void)arg;
	return weft_waitgroup_wait(&group, WEFT_FOREVER);
}

static int waitgroup_edges(void *arg)
{
	struct weft_task *t[40];
	int status;

	(void)arg;
	weft_waitgroup_init(&group);
	CHECK_EQ(weft_waitgroup_wait(&group, WEFT_NOW), 0);
	CHECK_EQ(weft_waitgroup_add(&group, -1), -EINVAL);
	CHECK_EQ(weft_waitgroup_add(NULL, 1), -EINVAL);
	CHECK_EQ(weft_waitgroup_wait(NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_waitgroup_add(&group, INT64_MAX), 0);
	CHECK_EQ(weft_waitgroup_add(&group, 1), -EINVAL);
	CHECK_EQ(weft_waitgroup_wait(&group, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_waitgroup_add(&group, -INT64_MAX + 1), 0);

	/* More waiters than one batch of wake-ups. */
	for (int i = 0; i < 40; i++)
		CHECK_EQ(weft_spawn(&t[i], NULL, waits, NULL), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_waitgroup_done(&group), 0);
	for (int i = 0; i < 40; i++) {
		CHECK_EQ(weft_join(t[i], &status), 0);
		CHECK_EQ(status, 0);
	}
	CHECK_EQ(weft_waitgroup_add(&group, 1), 0);
	CHECK_EQ(weft_waitgroup_wait(&group, WEFT_NOW), -ETIMEDOUT);
	return 0;
}

static int adds_again(void *arg)
{
	struct weft_task *t;
	int status;

	(void)arg;
	weft_waitgroup_init(&group);
	CHECK_EQ(weft_waitgroup_add(&group, 1), 0);
	CHECK_EQ(weft_spawn(&t, NULL, waits, NULL), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	/* Used again before the waiter has run. */
	CHECK_EQ(weft_waitgroup_done(&group), 0);
	CHECK_EQ(weft_waitgroup_add(&group, 1), 0);
	CHECK_EQ(weft_join(t, &status), 0);
	CHECK_EQ(status, 0);
	return 0;
}

static void waitgroup_used_again_lets_earlier_waiters_go(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(testing_run(WEFT_CLOCK_MANUAL, adds_again), 0);
}

static void waitgroup_wakes_everyone_and_refuses_nonsense(void **state)
{
	(void)state;
	assert_int_equal(testing_run(WEFT_CLOCK_MANUAL, waitgroup_edges), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_excludes),
		cmocka_unit_test(lock_keeps_its_deadlines),
		cmocka_unit_test(waitgroup_orders_and_may_be_freed_at_once),
		cmocka_unit_test(waitgroup_used_again_lets_earlier_waiters_go),
		cmocka_unit_test(waitgroup_wakes_everyone_and_refuses_nonsense),
	};

	return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
