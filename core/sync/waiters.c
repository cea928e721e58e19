/* waiters: the wait queue and the loop that waits in it, for everybody. */
#include <errno.h>

#include <weft/sync.h>

#include "sync/internal.h"

struct waiters {
	struct waitq q;
	enum weft_wait policy;
	uint32_t gap; /* pauses between polls: see spinner.h */
};
_Static_assert(sizeof(struct waiters) <= sizeof(struct weft_waiters),
               "weft_waiters.opaque is too small");

static struct waiters *waiters_of(struct weft_waiters *w)
{
	return (struct waiters *)(void *)w;
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
	weft_waitq_init(&waiters_of(w)->q);
	waiters_of(w)->policy = WEFT_WAIT_ADAPTIVE;
	waiters_of(w)->gap = 1;
}

int weft_waiters_set_wait(struct weft_waiters *w, enum weft_wait wait)
{
	if (!w || (unsigned)wait > WEFT_WAIT_PARK)
		return -EINVAL;
	waiters_of(w)->policy = wait;
	return 0;
}

int weft_waiters_set_depth(struct weft_waiters *w, size_t depth)
{
	if (!w)
		return -EINVAL;
	waiters_of(w)->gap = spinner_gap(depth);
	return 0;
}

int weft_waiters_wait(struct weft_waiters *w, const char *what,
                      int (*look)(void *arg), void *arg, struct weft_ctx *ctx,
                      int64_t deadline_ns)
{
	struct awaiting wait = { .what = what,
		                 .look = look,
		                 .pass_on = pass_on_always,
		                 .arg = arg };

	if (!w || !look)
		return -EINVAL;
	wait.q = &waiters_of(w)->q;
	wait.policy = waiters_of(w)->policy;
	wait.gap = waiters_of(w)->gap;
	return weft_ctx_await(&wait, ctx, deadline_ns);
}

void weft_waiters_wake(struct weft_waiters *w, size_t n)
{
	if (w)
		waitq_notify(&waiters_of(w)->q, n);
}
