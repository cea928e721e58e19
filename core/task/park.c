/*
 * Park and unpark, time, and the manual clock.
 *
 * The permit word of a task goes from NONE to a parked value by its owner
 * only, and from there by its waker: to GIVEN by weft_unpark(), to DUE by a
 * manual clock, to NONE by the owner when a real deadline passed. The waker
 * releases it and the owner acquires it: [permit].
 *
 * In a run with a manual clock every step into and out of the parked value is
 * taken under one lock, so that "every task is parked" is a fact and not a
 * guess. That lock is the only thing a waker may touch beside the word: under
 * it, a record whose word says MANUAL belongs to a task of a living run.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "task/internal.h"

static pthread_mutex_t manual_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct runtime *runtime_of(const struct weft_task *t)
{
	return t->run ? t->run->runtime : &weft_runtime_threads;
}

void weft_running_more(struct run *r)
{
	if (r->manual)
		weft_fetch_add_acq_rel(&r->running, 1u);
}

void weft_running_less(struct run *r)
{
	if (r->manual && weft_fetch_sub_acq_rel(&r->running, 1u) == 2)
		syscall(SYS_futex, &r->running, FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
		        INT_MAX, NULL, NULL, 0);
}

int64_t weft_run_now(const struct run *r)
{
	return r->manual ? weft_load_acquire(&r->now) : clock_mono();
}

int64_t weft_now(void)
{
	struct weft_task *t = weft_self_or_null();

	return t && t->run ? weft_run_now(t->run) : clock_mono();
}

int64_t weft_deadline_in(int64_t ns)
{
	return weft_deadline_add(weft_now(), ns);
}

/* Take the permit if it is there. */
static bool take_permit(struct weft_task *t)
{
	uint32_t given = PERMIT_GIVEN;

	return weft_cas_acquire(&t->permit, &given,
	                        (uint32_t)PERMIT_NONE); /* [permit] */
}

/* NONE -> parked; false when a permit came first, and then it is taken. */
static bool begin_park(struct weft_task *t, uint32_t parked)
{
	uint32_t none = PERMIT_NONE;

	if (weft_cas_acquire(&t->permit, &none, parked))
		return true;
	CHECK(take_permit(t));
	return false;
}

/* Back to NONE. Returns 0 if a permit was there. */
static int end_park(struct weft_task *t)
{
	uint32_t was = weft_xchg_acquire(&t->permit, /* [permit] */
	                                 (uint32_t)PERMIT_NONE);

	return was == PERMIT_GIVEN ? 0 : -ETIMEDOUT;
}

static int park_monotonic(struct weft_task *t, int64_t deadline_ns)
{
	const struct runtime *rt = runtime_of(t);
	uint32_t parked =
	        deadline_ns == WEFT_FOREVER ? t->asleep : PERMIT_PARKED;
	int err = 0;

	if (!begin_park(t, parked))
		return 0;
	if (parked >= PERMIT_ASLEEP && weft_awake_less(t->run))
		weft_asleep_look(t, parked);
	while (!err && weft_load_relaxed(&t->permit) == parked)
		err = rt->sleep(t, parked, deadline_ns);
	return end_park(t);
}

/*
 * On a manual clock nothing sleeps with a deadline: the task is listed with
 * it, and the clock does the waking.
 */
static int park_manual(struct weft_task *t, int64_t deadline_ns)
{
	struct run *r = t->run;
	int err = -ETIMEDOUT;
	bool last;

	pthread_mutex_lock(&manual_lock);
	if (deadline_ns <= weft_load_relaxed(&r->now))
		goto unlock;
	if (!begin_park(t, PERMIT_MANUAL)) {
		err = 0;
		goto unlock;
	}
	t->sleeps_until = deadline_ns;
	list_push(&r->sleepers, &t->in_sleepers);
	weft_running_less(r);
	last = t->asleep >= PERMIT_ASLEEP && weft_awake_less(r);
	while (weft_load_relaxed(&t->permit) == PERMIT_MANUAL) {
		pthread_mutex_unlock(&manual_lock);
		if (last)
			weft_asleep_look(t, PERMIT_MANUAL);
		last = false;
		r->runtime->sleep(t, PERMIT_MANUAL, WEFT_FOREVER);
		pthread_mutex_lock(&manual_lock);
	}
	list_unlink(&t->in_sleepers);
	err = end_park(t);
unlock:
	pthread_mutex_unlock(&manual_lock);
	return err;
}

int weft_park(int64_t deadline_ns)
{
	struct weft_task *t = weft_self();
	bool labelled = weft_load_relaxed(&t->waits_for) != NULL;
	int err;

	if (take_permit(t))
		return 0;
	if (deadline_ns <= WEFT_NOW)
		return -ETIMEDOUT;
	weft_store_relaxed(&t->parks, weft_load_relaxed(&t->parks) + 1);
	if (!labelled)
		weft_wait_begin("park", NULL);
	err = t->run && t->run->manual ? park_manual(t, deadline_ns)
	                               : park_monotonic(t, deadline_ns);
	if (!labelled)
		weft_wait_done();
	return err;
}

/* MANUAL -> `to`, and wake; false when it was not MANUAL. The caller holds
 * manual_lock. */
static bool wake_manual(struct weft_task *t, uint32_t to)
{
	uint32_t parked = PERMIT_MANUAL;

	if (!weft_cas_acq_rel(&t->permit, &parked, to))
		return false;
	weft_running_more(t->run);
	if (t->asleep >= PERMIT_ASLEEP)
		weft_awake_more(t->asleep);
	t->run->runtime->wake(&t->permit);
	return true;
}

static void count_wake(void)
{
	struct weft_task *me = weft_self_or_null();

	if (me)
		weft_store_relaxed(&me->wakes,
		                   weft_load_relaxed(&me->wakes) + 1);
}

/* Whatever else it is -> GIVEN, and wake; false when it changed meanwhile. A
 * permit that is there already is still released anew: what the caller wrote
 * must be visible to its taker. */
static bool give_permit(struct weft_task *t, uint32_t was)
{
	if (!weft_cas_weak_acq_rel(&t->permit, &was, (uint32_t)PERMIT_GIVEN))
		return false;
	if (was >= PERMIT_ASLEEP)
		weft_awake_more(was);
	if (was >= PERMIT_PARKED) {
		count_wake();
		weft_runtime_threads.wake(&t->permit);
	}
	return true;
}

static bool give_permit_manual(struct weft_task *t)
{
	bool given;

	pthread_mutex_lock(&manual_lock);
	given = wake_manual(t, PERMIT_GIVEN);
	pthread_mutex_unlock(&manual_lock);
	if (given)
		count_wake();
	return given;
}

void weft_unpark(struct weft_task *t)
{
	uint32_t was;
	bool given;

	do {
		was = weft_load_relaxed(&t->permit);
		given = was == PERMIT_MANUAL ? give_permit_manual(t)
		                             : give_permit(t, was);
	} while (!given);
}

void weft_yield(void)
{
	struct weft_task *t = weft_self_or_null();

	(t ? runtime_of(t) : &weft_runtime_threads)->yield();
}

void weft_nap(int64_t ns)
{
	struct weft_task *t = weft_self_or_null();

	(t ? runtime_of(t) : &weft_runtime_threads)->nap(ns);
}

void weft_relax(void)
{
	weft_pause();
}

void weft_sleep_until(int64_t deadline_ns)
{
	struct weft_task *t = weft_self();
	bool given = false;

	weft_wait_begin("sleep", NULL);
	while (weft_now() < deadline_ns)
		given |= weft_park(deadline_ns) == 0;
	weft_wait_done();
	if (given)
		weft_unpark(t); /* it was not meant for the sleep */
}

static struct run *manual_run(void)
{
	struct weft_task *t = weft_self_or_null();

	return t && t->run && t->run->manual ? t->run : NULL;
}

int weft_clock_advance(int64_t ns)
{
	struct run *r = manual_run();
	int64_t now;

	if (!r || ns < 0)
		return -EINVAL;
	pthread_mutex_lock(&manual_lock);
	now = weft_deadline_add(weft_load_relaxed(&r->now), ns);
	if (now == WEFT_FOREVER)
		now--; /* which never comes */
	weft_store_release(&r->now, now);
	for (struct list *l = r->sleepers.next; l != &r->sleepers;
	     l = l->next) {
		struct weft_task *t =
		        list_entry(l, struct weft_task, in_sleepers);

		if (t->sleeps_until <= now)
			wake_manual(t, PERMIT_DUE);
	}
	pthread_mutex_unlock(&manual_lock);
	return 0;
}

int weft_clock_settle(void)
{
	struct run *r = manual_run();
	uint32_t n;

	if (!r)
		return -EINVAL;
	while ((n = weft_load_acquire(&r->running)) != 1)
		syscall(SYS_futex, &r->running, FUTEX_WAIT | FUTEX_PRIVATE_FLAG,
		        n, NULL, NULL, 0);
	return 0;
}
