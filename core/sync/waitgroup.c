/*
 * waitgroup: a count under the lock of the wait queue.
 *
 * Everything happens under that lock, and a waiter takes it before it
 * returns: so when a wait has seen zero, the add that made it zero has let go
 * of the memory, and the caller may free it.
 */
#include <errno.h>

#include <weft/sync.h>

#include "sync/internal.h"

struct waitgroup {
	struct waitq waiters; /* its lock guards all of this */
	int64_t count;
	uint64_t zeros; /* times that it came down to zero */
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
	w->zeros = 0;
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
	if (sum == 0) {
		w->zeros++;
		weft_waitq_wake_all_locked(&w->waiters);
	}
	spin_unlock(&w->waiters.lock);
	return 0;
}

int weft_waitgroup_done(struct weft_waitgroup *wg)
{
	return weft_waitgroup_add(wg, -1);
}

static int waitgroup_look(void *arg)
{
	struct waitgroup_wait *a = arg;
	struct waitgroup *w = waitgroup_of(a->wg);
	bool zero;

	spin_lock(&w->waiters.lock);
	zero = w->count == 0 || w->zeros != a->zeros;
	spin_unlock(&w->waiters.lock);
	return zero ? 0 : -EAGAIN;
}

struct awaiting weft_waitgroup_awaiting(struct waitgroup_wait *a,
                                        struct weft_waitgroup *wg)
{
	struct waitgroup *w = waitgroup_of(wg);

	a->wg = wg;
	spin_lock(&w->waiters.lock);
	a->zeros = w->zeros;
	spin_unlock(&w->waiters.lock);
	return (struct awaiting){ .q = &w->waiters,
		                  .what = "waitgroup",
		                  .look = waitgroup_look,
		                  .arg = a,
		                  .policy = WEFT_WAIT_PARK,
		                  .seq_cst = true };
}

int weft_waitgroup_wait(struct weft_waitgroup *wg, int64_t deadline_ns)
{
	struct waitgroup_wait a;
	struct awaiting w;
	int err;

	if (!wg)
		return -EINVAL;
	w = weft_waitgroup_awaiting(&a, wg);
	err = waitgroup_look(&a);
	return err == -EAGAIN ? weft_await(&w, NULL, deadline_ns) : err;
}
