/*
 * once: a word that goes from NEW to DONE, and the wait queue.
 *
 * Memory that is all zero is a once, so the first call makes the queue ready,
 * before it lets others at it. All accesses to the word are seq_cst, which also
 * orders them against the count of waiters, as in lock.c.
 */
#include <errno.h>

#include <weft/ctx.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "sync/internal.h"

enum {
	ONCE_NEW,
	ONCE_BEGINS, /* the queue is being made */
	ONCE_RUNS,
	ONCE_DONE,
};

struct once {
	_Atomic uint32_t state;
	int status;                     /* published by DONE */
	const struct weft_task *runner; /* published by RUNS */
	struct waitq waiters;           /* published by RUNS */
};

_Static_assert(sizeof(struct once) <= sizeof(struct weft_once),
               "weft_once.opaque is too small");

static struct once *once_of(struct weft_once *o)
{
	return (struct once *)(void *)o;
}

void weft_once_init(struct weft_once *once)
{
	weft_store_relaxed(&once_of(once)->state, (uint32_t)ONCE_NEW);
}

/* --- the one call --- */

struct call {
	struct once *once;
	weft_task_fn fn;
	void *arg;
};

static int call_fn(void *arg)
{
	const struct call *c = arg;

	return c->fn(c->arg);
}

static void call_ended(void *arg, enum weft_guard_end end, int status)
{
	const struct call *c = arg;

	(void)end;
	c->once->status = status;
	weft_store_seq_cst(&c->once->state, (uint32_t)ONCE_DONE);
	waitq_notify_seq_cst(&c->once->waiters, SIZE_MAX);
}

/* False when somebody else has begun it. */
static bool begin(struct once *o)
{
	uint32_t fresh = ONCE_NEW;

	if (weft_load_seq_cst(&o->state) != ONCE_NEW ||
	    !weft_cas_seq_cst(&o->state, &fresh, (uint32_t)ONCE_BEGINS))
		return false;
	weft_waitq_init(&o->waiters);
	o->runner = weft_self();
	weft_store_seq_cst(&o->state, (uint32_t)ONCE_RUNS);
	return true;
}

static void call(struct once *o, weft_task_fn fn, void *arg)
{
	struct call c = { o, fn, arg };

	weft_guard(call_fn, &c, call_ended);
}

/* --- the others --- */

static int once_look(void *arg)
{
	struct once *o = arg;

	return weft_load_seq_cst(&o->state) == ONCE_DONE ? 0 : -EAGAIN;
}

static int await_done(struct once *o, struct weft_ctx *ctx, int64_t deadline_ns)
{
	struct awaiting w = { .q = &o->waiters,
		              .what = "once",
		              .look = once_look,
		              .arg = o,
		              .policy = WEFT_WAIT_PARK,
		              .seq_cst = true };

	for (unsigned turns = 0; weft_load_seq_cst(&o->state) == ONCE_BEGINS;)
		spin_for_peer(&turns);
	if (weft_load_seq_cst(&o->state) == ONCE_RUNS &&
	    o->runner == weft_self())
		return -EDEADLK;
	return weft_ctx_await(&w, ctx, deadline_ns);
}

int weft_once_do_ctx(struct weft_once *once, weft_task_fn fn, void *arg,
                     int *status, struct weft_ctx *ctx, int64_t deadline_ns)
{
	struct once *o = once_of(once);
	int err;

	if (!once || !fn)
		return -EINVAL;
	err = weft_ctx_err(ctx);
	if (err)
		return err;
	if (begin(o))
		call(o, fn, arg);
	else
		err = await_done(o, ctx, deadline_ns);
	if (!err && status)
		*status = o->status;
	return err;
}

int weft_once_do(struct weft_once *o, weft_task_fn fn, void *arg, int *status,
                 int64_t deadline_ns)
{
	return weft_once_do_ctx(o, fn, arg, status, NULL, deadline_ns);
}
