#include "common/ending.h"

void weft_ending_init(struct weft_ending *e, const struct weft_ending_ops *ops,
                      void *component)
{
	weft_store_relaxed(&e->why, 0);
	e->ops = ops;
	e->component = component;
	e->ctx = NULL;
}

bool weft_ending_set(struct weft_ending *e, int err)
{
	int none = 0;

	if (e->ops->too_late && e->ops->too_late(e->component))
		return false;
	weft_cas_acq_rel(&e->why, &none, err); /* [why] */
	return true;
}

int weft_ending_stop(struct weft_ending *e, int err)
{
	if (weft_ending_set(e, err))
		e->ops->release(e->component);
	return 0;
}

int weft_ending_fail(struct weft_ending *e, int err)
{
	return err < 0 ? weft_ending_stop(e, weft_failure_of(err)) : -EINVAL;
}

static void context_ended(void *arg)
{
	struct weft_ending *e = arg;

	weft_ending_stop(e, weft_ctx_err(e->ctx));
}

int weft_ending_watch(struct weft_ending *e, struct weft_ctx *ctx)
{
	int err;

	if (!ctx)
		return 0;
	e->ctx = weft_ctx_ref(ctx); /* the call may come before the next line */
	err = weft_ctx_after(ctx, &e->func, context_ended, e);
	if (err) {
		weft_ctx_unref(ctx);
		e->ctx = NULL;
	}
	return err;
}

void weft_ending_unwatch(struct weft_ending *e)
{
	if (!e->ctx)
		return;
	weft_ctx_after_stop(&e->func);
	weft_ctx_unref(e->ctx);
	e->ctx = NULL;
}
