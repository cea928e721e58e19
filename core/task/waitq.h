/*
 * waitq: tasks that wait for something to change. The one wait queue under
 * channels, select and sync.
 *
 * Two kinds of object meet it:
 *
 * - A notifying one only says "look again". A waiter registers, looks again,
 *   parks. A notification takes it off the queue, so that until it has looked
 *   it does not count as waiting: what happens meanwhile costs nobody anything.
 *   When it finds nothing it gets its old place back (weft_waitq_rearm), looks
 *   again, and parks again. The claim word is not used.
 *
 * - A completing one finishes the waiter's operation for it, under its own
 *   lock: it claims the waiter, moves the element, and completes the claim.
 *   One claim word stands for the whole wait, however many queues it is
 *   linked in, so exactly one of them can win. A waiter that has notifying
 *   objects to look at as well holds its own claim meanwhile.
 *
 * Rules for notifying ones, each of which costs a lost wake-up if broken:
 *
 * 1. A task that changes the state notifies after the change: waitq_notify().
 * 2. A waiter looks again between weft_waitq_register() and its first park, and
 *    between weft_waitq_rearm() and the next.
 * 3. A waiter does not park while it is notified: waiter_is_told(). Its look
 *    may have waited for something else, a lock say, and used up the permit.
 * 4. A waiter that was notified and leaves, for whatever reason, while there
 *    is more to be had passes the notification on: weft_waitq_leave() says so.
 *
 * Waking comes after the lock is released. The waker reads the task pointer
 * first: the waiter's record is on its stack, and gone once it may run on.
 */
#ifndef WEFT_TASK_WAITQ_H
#define WEFT_TASK_WAITQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/atomic.h>
#include <weft/task.h>

#include "base/barrier.h"
#include "base/list.h"
#include "task/spin.h"
#include "task/spinner.h"

struct claim; /* task/claim.h */

/* One registration of a wait, on the waiter's stack. */
struct waiter {
	struct list link; /* guarded by the queue's lock */
	struct weft_task *task;

	/* Completing queues only. */
	struct claim *claim;
	void *elem;     /* where the value goes to or comes from */
	uint16_t which; /* the case to report */
	int16_t result; /* written by the completer, under its claim */

	/* Notifying ones. Written under the queue's lock; then it is not
	 * linked. */
	_Atomic bool notified;
	bool relays; /* guarded by it; see waitq_relay() */
	bool owes;   /* its task's: what it was told of may be for others */
};

struct waitq {
	/* Waiters to be told: those linked, or 0 while there is a relay.
	 * Written under the lock; looked at by every task that changes the
	 * state, so alone on its line with what goes along with it. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint32_t n;
	struct spin lock;
	struct list waiters;
	uint32_t linked, relays;       /* under the lock */
	_Atomic uint32_t registered;   /* those that were notified included */
	_Atomic uint64_t parks, wakes; /* so far */
};

void weft_waitq_init(struct waitq *q);

void weft_waitq_notify_slow(struct waitq *q, size_t k);

/*
 * Tell up to k waiters to look again, the longest waiting first, and take them
 * off the queue: each notification finds a different one. Call it after the
 * change was published.
 */
static inline void waitq_notify(struct waitq *q, size_t k)
{
	if (__builtin_expect(barrier_light_is_set(&q->n), 0))
		weft_waitq_notify_slow(q, k);
}

/* Tell every waiter, a relay or not. */
static inline void waitq_notify_all(struct waitq *q)
{
	weft_waitq_notify_slow(q, SIZE_MAX);
}

void weft_waitq_relay_slow(struct waitq *q);

/*
 * Tell the longest waiting, as waitq_notify(q, 1), unless another one that was
 * told like this has yet to look: that one goes on to tell the next when it
 * leaves more behind. So a burst of changes costs one wake-up, and the tasks
 * that make it do not look at the queue again until it was heard of.
 *
 * For queues where any waiter can use any change, and of whose waiters each
 * has weft_waitq_leave() say whether to pass on: those of channels.
 */
static inline void waitq_relay(struct waitq *q)
{
	if (__builtin_expect(barrier_light_is_set(&q->n), 0))
		weft_waitq_relay_slow(q);
}

/*
 * waitq_notify() for callers whose change was a seq_cst read-modify-write and
 * whose waiters use weft_waitq_link() and then look with one: cheaper for the
 * waiter, and free for a notifier that needs the read-modify-write anyway.
 */
static inline void waitq_notify_seq_cst(struct waitq *q, size_t k)
{
	if (__builtin_expect(weft_load_seq_cst(&q->n) != 0, 0))
		weft_waitq_notify_slow(q, k);
}

/* Link w as a waiter of the calling task. Not enough by itself: see above. */
void weft_waitq_link(struct waitq *q, struct waiter *w);

/* Link w, so that what was published before a waitq_notify() that did not see
 * w is visible after this. */
void weft_waitq_register(struct waitq *q, struct waiter *w);

/*
 * w is about to look again: link it in front, its old place, if it was
 * notified. True then: the notification is the caller's to use up or pass on,
 * and before the look there has to be what weft_waitq_register() has, a
 * weft_barrier_registered(), unless the look is seq_cst.
 */
bool weft_waitq_rearm(struct waitq *q, struct waiter *w);

/* w has looked since weft_waitq_rearm() and found nothing, so there is nothing
 * for others, either. */
static inline void waiter_found_nothing(struct waiter *w)
{
	w->owes = false;
}

/* w waits no more. True when it holds a notification: see rule 4. What was
 * published without telling anybody, while it was a relay, is visible then. */
bool weft_waitq_leave(struct waitq *q, struct waiter *w);

/* Whether w was notified since it was linked: asked by its own task. */
static inline bool waiter_is_told(struct waiter *w)
{
	return weft_load_acquire(&w->notified); /* [notified] */
}

/* Park as a waiter of q; `what` is for the state dump. As weft_park(). */
int weft_waitq_park(struct waitq *q, const char *what, int64_t deadline_ns);

/*
 * Notify and wake every waiter without letting go of the lock, which the
 * caller holds and releases after: for objects that a woken waiter may free.
 */
void weft_waitq_wake_all_locked(struct waitq *q);

#endif
