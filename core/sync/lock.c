/*
 * lock: a word and the wait queue.
 *
 * All accesses to the word are seq_cst, which also orders them against the
 * count of waiters: a release that sees no waiter comes before the
 * registration, whose look at the word then finds it open.
 */
#include <errno.h>

#include <weft/sync.h>

#include "base/check.h"
#include "sync/internal.h"

struct lock {
	struct waitq waiters;
	_Atomic uint32_t held;
};

_Static_assert(sizeof(struct lock) <= sizeof(struct weft_lock),
               "weft_lock.opaque is too small");

static struct lock *lock_of(struct weft_lock *l)
{
	return (struct lock *)(void *)l;
}

static bool lock_take(struct lock *l)
{
	uint32_t open = 0;

	return weft_load_seq_cst(&l->held) == 0 &&
	       weft_cas_seq_cst(&l->held, &open, 1u);
}

void weft_lock_init(struct weft_lock *lock)
{
	struct lock *l = lock_of(lock);

	weft_waitq_init(&l->waiters);
	weft_store_relaxed(&l->held, 0u);
}

static int lock_look(void *arg)
{
	return lock_take(arg) ? 0 : -EAGAIN;
}

struct awaiting weft_lock_awaiting(struct weft_lock *lock)
{
	struct lock *l = lock_of(lock);

	return (struct awaiting){ .q = &l->waiters,
		                  .what = "lock",
		                  .look = lock_look,
		                  .pass_on = weft_pass_on_error,
		                  .arg = l,
		                  .seq_cst = true };
}

static int lock_acquire(struct weft_lock *lock, int64_t deadline_ns)
{
	struct awaiting w = weft_lock_awaiting(lock);

	return weft_await(&w, NULL, deadline_ns);
}

int weft_lock_acquire_until(struct weft_lock *l, int64_t deadline_ns)
{
	if (!l)
		return -EINVAL;
	return lock_take(lock_of(l)) ? 0 : lock_acquire(l, deadline_ns);
}

void weft_lock_acquire(struct weft_lock *l)
{
	CHECK_EQ(weft_lock_acquire_until(l, WEFT_FOREVER), 0);
}

int weft_lock_try(struct weft_lock *l)
{
	if (!l)
		return -EINVAL;
	return lock_take(lock_of(l)) ? 0 : -EAGAIN;
}

void weft_lock_release(struct weft_lock *lock)
{
	struct lock *l = lock_of(lock);

	CHECK_EQ(weft_xchg_seq_cst(&l->held, 0u), 1u);
	waitq_notify_seq_cst(&l->waiters, 1);
}
