/*
 * The `threads` runtime: one pthread per task, asleep on the task's own futex
 * word with an absolute CLOCK_MONOTONIC deadline.
 *
 * No condition variable: glibc before 2.41 can lose a wake-up of those
 * (sourceware 25847).
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "task/internal.h"

static int futex_sleep(struct weft_task *t, uint32_t parked,
                       int64_t deadline_ns)
{
	struct timespec ts, *until = NULL;
	long r;

	if (deadline_ns != WEFT_FOREVER) {
		ts = clock_timespec(deadline_ns);
		until = &ts;
	}
	r = syscall(SYS_futex, &t->permit,
	            FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, parked, until, NULL,
	            FUTEX_BITSET_MATCH_ANY);
	/* EAGAIN: no longer parked. EINTR: a signal. The caller looks. */
	return r < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
}

static void futex_wake(_Atomic uint32_t *permit)
{
	syscall(SYS_futex, permit, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL,
	        NULL, 0);
}

/* Runs when the task called pthread_exit(): it has failed, and must not be
 * waited for in vain. */
static void task_left(void *arg)
{
	weft_task_end(arg, -ECANCELED);
}

static pthread_key_t going_key;
static pthread_once_t going_once = PTHREAD_ONCE_INIT;

/* A destructor that is there to be the last one: it asks for another round as
 * long as there may be one. The very last is the thread sanitizer's, which
 * takes its state of the thread down in it. */
static void going(void *arg)
{
	struct weft_task *t = arg;

	if (++t->rounds < PTHREAD_DESTRUCTOR_ITERATIONS - 1)
		CHECK_EQ(pthread_setspecific(going_key, t), 0);
	else
		weft_task_gone(t);
}

static void going_key_make(void)
{
	CHECK_EQ(pthread_key_create(&going_key, going), 0);
}

/* If there is no memory for it, t is taken for awake for ever. */
static void see_it_go(struct weft_task *t)
{
	pthread_once(&going_once, going_key_make);
	t->rounds = 0;
	pthread_setspecific(going_key, t);
}

static void *thread_main(void *arg)
{
	struct weft_task *t = arg;

	weft_self_set(t);
	if (t->run->asleep != PERMIT_PARKED)
		see_it_go(t);
	pthread_cleanup_push(task_left, t);
	weft_task_main(t);
	pthread_cleanup_pop(0);
	return NULL;
}

static int thread_start(struct weft_task *t, size_t stack_bytes)
{
	pthread_attr_t attr;
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return -err;
	if (stack_bytes) {
		if (stack_bytes < (size_t)PTHREAD_STACK_MIN)
			stack_bytes = (size_t)PTHREAD_STACK_MIN;
		err = pthread_attr_setstacksize(&attr, stack_bytes);
	}
	if (!err)
		err = weft_spread_place(t->run, t->service, &attr);
	if (!err)
		err = pthread_create(&t->thread, &attr, thread_main, t);
	pthread_attr_destroy(&attr);
	return -err;
}

/* pthread_timedjoin_np() goes by the wall clock, which may be set meanwhile.
 * The one that goes by another clock is unknown to the thread sanitizer. */
static int join_within(pthread_t thread, int64_t ns)
{
	int64_t until_ns = clock_mono() + ns;
	int err;

	for (unsigned turn = 0;; turn++) {
		err = pthread_tryjoin_np(thread, NULL);
		if (err != EBUSY)
			return err;
		if (clock_mono() >= until_ns)
			return ETIMEDOUT;
		weft_relent(turn);
	}
}

static bool thread_reap(struct weft_task *t, int64_t ns)
{
	int err;

	if (ns == WEFT_FOREVER)
		err = pthread_join(t->thread, NULL);
	else if (ns > 0)
		err = join_within(t->thread, ns);
	else
		err = pthread_tryjoin_np(t->thread, NULL);
	CHECK(err == 0 || (err == EBUSY && ns <= 0) ||
	      (err == ETIMEDOUT && ns != WEFT_FOREVER));
	return err == 0;
}

static void thread_yield(void)
{
	sched_yield();
}

static void thread_nap(int64_t ns)
{
	struct timespec ts = clock_timespec(ns);

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

const struct runtime weft_runtime_threads = {
	.start = thread_start,
	.reap = thread_reap,
	.sleep = futex_sleep,
	.wake = futex_wake,
	.yield = thread_yield,
	.nap = thread_nap,
};
