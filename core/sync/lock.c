/*
 * lock: a word and the wait queue.
 *
 * The word is taken and released by seq_cst read-modify-writes, which also
 * order it against the count of waiters: a release that sees no waiter comes
 * before the registration, whose look at the word then finds it open.
 */
#include <errno.h>

#include <weft/sync.h>

#include "base/check.h"
#include "task/waitq.h"

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

static bool take(struct lock *l)
{
	uint32_t open = 0;

	return weft_load_relaxed(&l->held) == 0 &&
	       weft_cas_seq_cst(&l->held, &open, 1u);
}

void weft_lock_init(struct weft_lock *lock)
{
	struct lock *l = lock_of(lock);

	weft_waitq_init(&l->waiters);
	weft_store_relaxed(&l->held, 0u);
}

/* As park_for() of the channels, with seq_cst operations for the barrier. */
static int take_parked(struct lock *l, int64_t deadline_ns)
{
	uint32_t open = 0;
	struct waiter w;
	int expired = 0;
	bool got;

	weft_waitq_link(&l->waiters, &w);
	while (!(got = weft_cas_seq_cst(&l->held, &open, 1u)) && !expired) {
		expired = weft_waitq_park(&l->waiters, "lock", deadline_ns);
		weft_waitq_rearm(&l->waiters, &w);
		open = 0;
	}
	if (weft_waitq_leave(&l->waiters, &w) && !got)
		waitq_notify_seq_cst(&l->waiters, 1);
	return got ? 0 : -ETIMEDOUT;
}

int weft_lock_acquire_until(struct weft_lock *lock, int64_t deadline_ns)
{
	struct lock *l = lock_of(lock);
	struct spinner s;

	if (!lock)
		return -EINVAL;
	if (take(l))
		return 0;
	weft_spinner_init(&s, WEFT_WAIT_ADAPTIVE, 1, deadline_ns);
	while (weft_spinner_turn(&s))
		if (take(l))
			return 0;
	return take_parked(l, deadline_ns);
}

void weft_lock_acquire(struct weft_lock *l)
{
	CHECK_EQ(weft_lock_acquire_until(l, WEFT_FOREVER), 0);
}

int weft_lock_try(struct weft_lock *l)
{
	if (!l)
		return -EINVAL;
	return take(lock_of(l)) ? 0 : -EAGAIN;
}

void weft_lock_release(struct weft_lock *lock)
{
	struct lock *l = lock_of(lock);

	CHECK_EQ(weft_xchg_seq_cst(&l->held, 0u), 1u);
	waitq_notify_seq_cst(&l->waiters, 1);
}
