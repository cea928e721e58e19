/* waiters: the wait queue and the loop that waits in it, for everybody. */
#include <errno.h>

#include <weft/sync.h>

#include "sync/internal.h"

_Static_assert(sizeof(struct waitq) <= sizeof(struct weft_waiters),
               "weft_waiters.opaque is too small");

static struct waitq *waitq_of(struct weft_waiters *w)
{
	return (struct waitq *)(void *)w;
}

/* A notification may have stood for more than its waiter took, which only the
 * next look can tell. */
static bool pass_on_always(void *arg, int err)
{
	(void)arg;
	(void)err;
	return true;
}

void weft_waiters_init(struct weft_waiters *w)
{
	weft_waitq_init(waitq_of(w));
}

int weft_waiters_wait(struct weft_waiters *w, const char *what,
                      int (*look)(void *arg), void *arg, struct weft_ctx *ctx,
                      int64_t deadline_ns)
{
	struct wait wait = { .q = waitq_of(w),
		             .what = what,
		             .look = look,
		             .pass_on = pass_on_always,
		             .arg = arg,
		             .gap = 1 };

	return w && look ? weft_ctx_wait(&wait, ctx, deadline_ns) : -EINVAL;
}

void weft_waiters_wake(struct weft_waiters *w, size_t n)
{
	if (w)
		waitq_notify(waitq_of(w), n);
}
