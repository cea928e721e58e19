/*
 * waitgroup: a count under the lock of the wait queue.
 *
 * Everything happens under that lock, and a waiter takes it before it
 * returns: so when a wait has seen zero, the add that made it zero has let go
 * of the memory, and the caller may free it.
 */
#include <errno.h>

#include <weft/sync.h>

#include "task/waitq.h"

struct waitgroup {
	struct waitq waiters; /* its lock guards all of this */
	int64_t count;
};

_Static_assert(sizeof(struct waitgroup) <= sizeof(struct weft_waitgroup),
               "weft_waitgroup.opaque is too small");

static struct waitgroup *waitgroup_of(struct weft_waitgroup *wg)
{
	return (struct waitgroup *)(void *)wg;
}

void weft_waitgroup_init(struct weft_waitgroup *wg)
{
	struct waitgroup *w = waitgroup_of(wg);

	weft_waitq_init(&w->waiters);
	w->count = 0;
}

int weft_waitgroup_add(struct weft_waitgroup *wg, int64_t n)
{
	struct waitgroup *w = waitgroup_of(wg);
	int64_t sum;

	if (!wg)
		return -EINVAL;
	spin_lock(&w->waiters.lock);
	if (__builtin_add_overflow(w->count, n, &sum) || sum < 0) {
		spin_unlock(&w->waiters.lock);
		return -EINVAL;
	}
	w->count = sum;
	if (sum == 0)
		weft_waitq_wake_all_locked(&w->waiters);
	spin_unlock(&w->waiters.lock);
	return 0;
}

int weft_waitgroup_done(struct weft_waitgroup *wg)
{
	return weft_waitgroup_add(wg, -1);
}

/* Whether the count is zero, or was since `waiter` registered (may be NULL):
 * whoever uses the group again must not catch those who have yet to leave. */
static bool was_zero(struct waitgroup *w, const struct waiter *waiter)
{
	bool zero;

	spin_lock(&w->waiters.lock);
	zero = w->count == 0 || (waiter && waiter->notified);
	spin_unlock(&w->waiters.lock);
	return zero;
}

int weft_waitgroup_wait(struct weft_waitgroup *wg, int64_t deadline_ns)
{
	struct waitgroup *g = waitgroup_of(wg);
	struct waiter w;
	int expired = 0;
	bool zero;

	if (!wg)
		return -EINVAL;
	if (was_zero(g, NULL))
		return 0;
	weft_waitq_link(&g->waiters, &w);
	while (!(zero = was_zero(g, &w)) && !expired)
		expired =
		        weft_waitq_park(&g->waiters, "waitgroup", deadline_ns);
	weft_waitq_leave(&g->waiters, &w);
	return zero ? 0 : -ETIMEDOUT;
}
