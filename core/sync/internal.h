/* What the files of core/sync share: the record of a context. */
#ifndef WEFT_SYNC_INTERNAL_H
#define WEFT_SYNC_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/atomic.h>
#include <weft/ctx.h>

#include "base/list.h"
#include "task/await.h"
#include "task/spin.h"

struct weft_ctx {
	/* Constant once made. */
	struct weft_ctx *parent; /* a reference; NULL: the background */
	struct weft_chan *done;  /* owns this memory; NULL: the background */
	int64_t deadline_ns;
	int deadline_cause;
	const void *key; /* NULL: no value here */
	void *value;

	_Atomic uint64_t refs;

	/* 0 while open, then err and cause in one word: see ctx.c. */
	_Atomic uint64_t end;

	/* Of the root of a cancel: whether the end has come to all below.
	 * Written by the canceller, and never set of what it finds below: that
	 * it has unlinked from its parent, so another canceller that comes
	 * across an ended child there has met the root of a cancel. */
	_Atomic bool reached;
	struct weft_ctx *next; /* in the list of the canceller that got this */

	struct spin lock;
	struct list children; /* not ended by us yet; no references */
	struct list funcs;    /* of weft_ctx_after(), not taken yet */

	struct list in_parent; /* guarded by the parent's lock */
};

static inline bool ctx_is_background(const struct weft_ctx *ctx)
{
	return !ctx || !ctx->done;
}

/*
 * weft_await() that a context ends, after the first looks: at the context,
 * which wins over what is there, and at w.
 */
int weft_ctx_await(const struct awaiting *w, struct weft_ctx *ctx,
                   int64_t deadline_ns);

/* The wait for a lock: what weft_await() needs to take it. */
struct awaiting weft_lock_awaiting(struct weft_lock *l);

/* One wait for a waitgroup, and how many zeros there had been when it began: a
 * group that is used again must not catch those that have yet to leave. */
struct waitgroup_wait {
	struct weft_waitgroup *wg;
	uint64_t zeros;
};
struct awaiting weft_waitgroup_awaiting(struct waitgroup_wait *a,
                                        struct weft_waitgroup *wg);

/* Call the functions of a context that was cancelled which nobody has taken
 * yet. The caller has a reference. */
void weft_ctx_call_funcs(struct weft_ctx *ctx);

#endif
