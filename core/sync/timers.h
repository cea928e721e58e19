/*
 * timers: all timers of a run, and the task that fires them.
 *
 * Everything happens under one lock: arming, taking back, firing into a
 * channel. So a fire comes either before a stop, which then finds it in the
 * channel, or not at all.
 *
 * Functions are called outside of the lock. A timer counts the call that is
 * under way in a waitgroup, on which stop and free wait; what is asked from
 * within the call itself is recognised by its task, and a timer that is freed
 * there is not touched afterwards: `calling` says which is called, and free
 * clears it.
 *
 * The task is woken only by a timer that is due before it would wake by itself,
 * and sleeps on when one is disarmed: the usual life of a timer, armed and
 * stopped in time, costs no wake-up. Except that when the last one goes and was
 * due later than the task is to linger, the task has to be told, so as to end
 * in time; that comes at most once in that time.
 *
 * The timer of a weft_after() belongs to its channel, which it holds no
 * reference to: it goes when it has fired, at the end of the run, or with the
 * last reference of the tasks that might receive. These may have no run, or
 * let go when theirs is over already, so such a timer keeps this record alive.
 *
 * The queue has room for every timer there is, so that arming one cannot fail
 * for want of memory.
 */
#ifndef WEFT_SYNC_TIMERS_H
#define WEFT_SYNC_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/sync.h>
#include <weft/timer.h>

#include "base/timer_queue.h"
#include "task/internal.h"

struct weft_timer {
	struct weft_waitgroup calls; /* of fn, under way: 0 or 1 */
	struct timers *timers;
	struct weft_chan *chan; /* a reference, unless loose; NULL with fn */
	void (*fn)(void *arg);
	void *arg;
	bool loose; /* of weft_after(): only its channel has it */

	/* Guarded by the lock of the timers. */
	struct timer_entry entry;
	int64_t period_ns; /* 0: once */
	unsigned stopping; /* tasks that wait for a call to end */
};

struct timers {
	_Atomic size_t refs; /* of the run, and of each loose timer */

	struct weft_lock lock; /* guards the rest */
	struct service service;
	struct run *run; /* as long as a timer may be armed */

	struct timer_queue queue;
	size_t made; /* timers that there are; room for all of them */

	/* The task. */
	bool serving, stopping;
	struct weft_task *task; /* NULL while it has not begun */
	int64_t seen_ns;        /* the time of the last round of fires */
	int64_t wakes_ns; /* when it does by itself; WEFT_NOW: it is awake */
	int64_t idle_until_ns; /* when it ends if no timer is armed */
	struct weft_timer *calling;
};

/* Those of the caller's run: 0, -EINVAL outside of one, -ENOMEM. */
int weft_timers_get(struct timers **out);

/* Keep the timers of the caller's run like this from now on. 0; -EBUSY when
 * there are any; and as weft_timers_get(). */
int weft_timers_use(enum timer_kind kind);

/* Make room for one more timer, until weft_timers_release(). */
int weft_timers_enroll(struct timers *s);

/* --- with the lock held --- */

/* Free a timer that is not armed. */
void weft_timers_release(struct timers *s, struct weft_timer *t);

/* Leave an armed timer to its channel, whose reference is the caller's from
 * then on: see above. */
void weft_timers_let_loose(struct timers *s, struct weft_timer *t);

/* Arm, whether it is armed or not. A call that somebody waits for so that t
 * stays unarmed, or goes, does not arm it again. */
int weft_timers_arm(struct timers *s, struct weft_timer *t, int64_t due_ns);

/* True when it was armed. */
bool weft_timers_disarm(struct timers *s, struct weft_timer *t);

/* Whether the caller is inside t's own call. */
bool weft_timers_is_inside(const struct timers *s, const struct weft_timer *t);

/* --- timer.c, for tickers; without the lock --- */

/* fn  NULL: with a channel. */
int weft_timer_make(struct weft_timer **out, void (*fn)(void *arg), void *arg);

/* weft_timer_reset(), and from there on every period_ns; 0: once. */
int weft_timer_arm(struct weft_timer *t, int64_t deadline_ns, int64_t period_ns,
                   bool *stopped);

#endif
