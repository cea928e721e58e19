/*
 * The calls of task.h and sync.h with a context. Those of chan.h, which take a
 * select, are in chan_ctx.c.
 *
 * They stand here and not beside the calls without one, so that lock and
 * waitgroup, which contexts and timers are made with, do not know of contexts.
 */
#include <errno.h>

#include <weft/ctx.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "chan/internal.h"
#include "sync/internal.h"

static int ended(void *ctx)
{
	return weft_ctx_err(ctx);
}

int weft_ctx_await(const struct awaiting *w, struct weft_ctx *ctx,
                   int64_t deadline_ns)
{
	struct stop stop = { .err = ended, .arg = ctx };
	int err = weft_ctx_err(ctx);

	if (!err)
		err = w->look(w->arg);
	if (err != -EAGAIN)
		return err;
	if (ctx_is_background(ctx))
		return weft_await(w, NULL, deadline_ns);
	stop.q = &ctx->done->receivers;
	stop.due_ns = ctx->deadline_ns;
	return weft_await(w, &stop, deadline_ns);
}

static int look_ended(void *ctx)
{
	int err = weft_ctx_err(ctx);

	return err ? err : -EAGAIN;
}

int weft_sleep_ctx(struct weft_ctx *ctx, int64_t deadline_ns)
{
	struct awaiting w = { .what = "sleep",
		              .look = look_ended,
		              .arg = ctx,
		              .policy = WEFT_WAIT_PARK,
		              .seq_cst = true };
	int64_t due_ns = weft_ctx_deadline(ctx);
	int err = weft_ctx_err(ctx);

	if (err)
		return err;
	if (ctx_is_background(ctx)) {
		weft_sleep_until(deadline_ns);
		return 0;
	}
	w.q = &ctx->done->receivers;
	err = weft_await(&w, NULL, deadline_ns < due_ns ? deadline_ns : due_ns);
	/* Either deadline can have said that; the earlier one did. */
	return err == -ETIMEDOUT && deadline_ns <= due_ns ? 0 : err;
}

int weft_lock_acquire_ctx(struct weft_lock *l, struct weft_ctx *ctx,
                          int64_t deadline_ns)
{
	struct awaiting w;

	if (!l)
		return -EINVAL;
	w = weft_lock_awaiting(l);
	return weft_ctx_await(&w, ctx, deadline_ns);
}

int weft_waitgroup_wait_ctx(struct weft_waitgroup *wg, struct weft_ctx *ctx,
                            int64_t deadline_ns)
{
	struct waitgroup_wait a;
	struct awaiting w;

	if (!wg)
		return -EINVAL;
	w = weft_waitgroup_awaiting(&a, wg);
	return weft_ctx_await(&w, ctx, deadline_ns);
}
