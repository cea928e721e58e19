/*
 * watch: a component that a context stops.
 *
 *	watch_begin()  the last step of making it: from then on, even before the
 *	               call returns, its stop may be called
 *	watch_end()    the first step of freeing it: then nobody calls any more
 */
#ifndef WEFT_PATTERNS_COMMON_WATCH_H
#define WEFT_PATTERNS_COMMON_WATCH_H

#include <stddef.h>

#include <weft/ctx.h>

/* In the component's memory; all zeros is one that watches nothing. */
struct watch {
	struct weft_ctx *ctx; /* a reference of our own; NULL = background */
	struct weft_ctx_func func;
};

/*
 * Have ended(arg) called once `ctx` has ended, at once if it has. It must not
 * wait; watch_why() tells it the reason.
 *
 * Returns 0, also for NULL, which never ends; or what weft_ctx_after() says,
 * and then nothing is watched.
 */
WEFT_NODISCARD static inline int watch_begin(struct watch *w,
                                             struct weft_ctx *ctx,
                                             void (*ended)(void *arg),
                                             void *arg)
{
	int err;

	if (!ctx)
		return 0;
	w->ctx = weft_ctx_ref(ctx); /* the call may come before the next line */
	err = weft_ctx_after(ctx, &w->func, ended, arg);
	if (err) {
		weft_ctx_unref(ctx);
		w->ctx = NULL;
	}
	return err;
}

/* Why the context has ended: -ECANCELED or -ETIMEDOUT; 0 while it has not. */
static inline int watch_why(const struct watch *w)
{
	return w->ctx ? weft_ctx_err(w->ctx) : 0;
}

/* When this returns, ended() is not running and will not. Any number of
 * times. */
static inline void watch_end(struct watch *w)
{
	if (!w->ctx)
		return;
	weft_ctx_after_stop(&w->func);
	weft_ctx_unref(w->ctx);
	w->ctx = NULL;
}

#endif
