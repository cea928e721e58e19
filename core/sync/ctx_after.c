/*
 * The functions that are called when a context ends.
 *
 * A function is linked in its context until it is taken, under the context's
 * lock: by the canceller, by the run's timer task when the deadline has come,
 * by weft_ctx_after() itself when that was too late, or by
 * weft_ctx_after_stop(). All of these but stop call it.
 *
 * The waitgroup counts one from the beginning until the call is over; stop
 * waits on it, so it is the last that the caller touches. A function may also
 * be stopped, and its memory go, from within the call: `call` is on the
 * caller's stack, and says so.
 */
#include <errno.h>

#include <weft/timer.h>

#include "base/check.h"
#include "sync/internal.h"
#include "task/internal.h"

struct call {
	const struct weft_task *task;
	bool stopped; /* from within; written and read by the task itself */
};

struct func {
	struct weft_waitgroup running;

	/* Constant once made. */
	struct weft_ctx *ctx;     /* NULL: the background */
	struct weft_timer *timer; /* NULL: no deadline */
	void (*fn)(void *arg);
	void *arg;

	/* Guarded by ctx->lock. */
	struct list in_ctx; /* linked: not taken yet */
	struct call *call;  /* while it is called */
};

_Static_assert(sizeof(struct func) <= sizeof(struct weft_ctx_func),
               "weft_ctx_func.opaque is too small");

static struct func *func_of(struct weft_ctx_func *f)
{
	return (struct func *)(void *)f;
}

/* --- calling --- */

/* A call by the caller. Not under a lock: a thread that is no task yet is
 * adopted here. */
static struct call call_new(void)
{
	return (struct call){ .task = weft_self() };
}

/* Without it. */
static void call(struct func *f, struct call *c)
{
	struct weft_ctx *ctx = f->ctx;

	f->fn(f->arg);
	if (c->stopped)
		return; /* f and ctx may be gone */
	spin_lock(&ctx->lock);
	f->call = NULL;
	spin_unlock(&ctx->lock);
	weft_waitgroup_done(&f->running);
}

/* False when somebody has taken it. */
static bool take(struct func *f, struct call *c)
{
	bool mine;

	spin_lock(&f->ctx->lock);
	mine = !list_is_empty(&f->in_ctx);
	list_unlink(&f->in_ctx);
	if (mine)
		f->call = c;
	spin_unlock(&f->ctx->lock);
	return mine;
}

static void call_if_linked(struct func *f)
{
	struct call c = call_new();

	if (take(f, &c))
		call(f, &c);
}

static void deadline_has_come(void *arg)
{
	call_if_linked(arg);
}

/* Take the oldest that nobody has taken yet; NULL. */
static struct func *take_first(struct weft_ctx *ctx, struct call *c)
{
	struct func *f = NULL;
	struct list *node;

	spin_lock(&ctx->lock);
	node = list_pop(&ctx->funcs);
	if (node) {
		f = list_entry(node, struct func, in_ctx);
		f->call = c;
	}
	spin_unlock(&ctx->lock);
	return f;
}

static bool has_funcs(struct weft_ctx *ctx)
{
	bool has;

	spin_lock(&ctx->lock);
	has = !list_is_empty(&ctx->funcs);
	spin_unlock(&ctx->lock);
	return has;
}

/* Without any, nobody is adopted. */
void weft_ctx_call_funcs(struct weft_ctx *ctx)
{
	while (has_funcs(ctx)) {
		struct call c = call_new();
		struct func *f = take_first(ctx, &c);

		if (f)
			call(f, &c);
	}
}

/* --- coming and going --- */

/* Have the timer task look when the deadline comes. It may come at once: then
 * nothing is linked yet, and weft_ctx_after() finds out by itself. */
static int start_timer(struct func *f)
{
	int64_t due_ns = weft_ctx_deadline(f->ctx);
	int err;

	if (due_ns == WEFT_FOREVER || weft_ctx_err(f->ctx))
		return 0;
	err = weft_timer_new_func(&f->timer, deadline_has_come, f);
	if (err)
		return err;
	err = weft_timer_reset(f->timer, due_ns, NULL);
	if (err)
		weft_timer_free(f->timer);
	return err;
}

int weft_ctx_after(struct weft_ctx *ctx, struct weft_ctx_func *func,
                   void (*fn)(void *arg), void *arg)
{
	struct func *f = func_of(func);
	int err;

	if (!func || !fn)
		return -EINVAL;
	*f = (struct func){ .fn = fn, .arg = arg };
	list_init(&f->in_ctx);
	if (ctx_is_background(ctx))
		return 0;
	f->ctx = ctx;
	weft_waitgroup_init(&f->running);
	CHECK_EQ(weft_waitgroup_add(&f->running, 1), 0);
	err = start_timer(f);
	if (err)
		return err;
	spin_lock(&ctx->lock);
	list_push(&ctx->funcs, &f->in_ctx);
	spin_unlock(&ctx->lock);
	/* A task that ends the context after this look finds f linked. */
	if (weft_ctx_err(ctx))
		call_if_linked(f);
	return 0;
}

/* Unlink f. *inside: it is being called, and it is the call that asks. */
static bool withdraw(struct func *f, bool *inside)
{
	const struct weft_task *me = weft_self_or_null();
	bool linked;

	spin_lock(&f->ctx->lock);
	linked = !list_is_empty(&f->in_ctx);
	list_unlink(&f->in_ctx);
	*inside = f->call && f->call->task == me;
	if (*inside)
		f->call->stopped = true;
	spin_unlock(&f->ctx->lock);
	return linked;
}

bool weft_ctx_after_stop(struct weft_ctx_func *func)
{
	struct func *f = func_of(func);
	bool linked, inside;

	if (!func || !f->ctx)
		return true;
	linked = withdraw(f, &inside);
	/* This also waits for a deadline that has come and finds nothing. */
	weft_timer_free(f->timer);
	if (!linked && !inside)
		CHECK_EQ(weft_waitgroup_wait(&f->running, WEFT_FOREVER), 0);
	return linked;
}
