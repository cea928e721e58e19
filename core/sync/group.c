/*
 * Groups: a context, a count of what runs, and the first error.
 *
 * A task of a group has no handle: the count in the waitgroup is what is left
 * of it, and giving that back is the last that it does to the group. So the
 * group may be freed when a wait has seen the last one end.
 */
#include <errno.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/group.h>
#include <weft/sync.h>

#include "base/check.h"
#include "sync/internal.h"

struct weft_group {
	struct weft_waitgroup running;

	/* Tasks that run, and the callers that wait for one of `limit` places.
	 * All accesses are seq_cst, as those of lock.c. */
	struct waitq places;
	_Atomic unsigned taken;
	unsigned limit; /* constant; 0: no limit, and nothing is taken */

	struct weft_ctx *ctx; /* constant; a reference; NULL: never ends */
	_Atomic int error;    /* the first; 0 */
};

/* What a task is to do; freed by the task. */
struct member {
	struct weft_group *group;
	weft_task_fn fn;
	void *arg;
};

static struct weft_group *make(unsigned limit, struct weft_ctx *ctx)
{
	struct weft_group *g =
	        aligned_alloc(_Alignof(struct weft_group), sizeof(*g));

	if (!g)
		return NULL;
	weft_waitgroup_init(&g->running);
	weft_waitq_init(&g->places);
	weft_store_relaxed(&g->taken, 0u);
	g->limit = limit;
	g->ctx = ctx;
	weft_store_relaxed(&g->error, 0);
	return g;
}

int weft_group_new(struct weft_group **out, struct weft_ctx *parent,
                   unsigned limit)
{
	struct weft_group *g;
	struct weft_ctx *ctx;
	int err;

	if (!out)
		return -EINVAL;
	err = weft_ctx_with_cancel(&ctx, parent);
	if (err)
		return err;
	g = make(limit, ctx);
	if (!g) {
		weft_ctx_unref(ctx);
		return -ENOMEM;
	}
	*out = g;
	return 0;
}

int weft_group_new_plain(struct weft_group **out, unsigned limit)
{
	struct weft_group *g;

	if (!out)
		return -EINVAL;
	g = make(limit, NULL);
	if (!g)
		return -ENOMEM;
	*out = g;
	return 0;
}

void weft_group_free(struct weft_group *g)
{
	if (!g)
		return;
	CHECK_EQ(weft_waitgroup_wait(&g->running, WEFT_NOW), 0);
	weft_ctx_unref(g->ctx);
	free(g);
}

struct weft_ctx *weft_group_ctx(struct weft_group *g)
{
	return g ? g->ctx : NULL;
}

/* --- places --- */

static int take_place(void *arg)
{
	struct weft_group *g = arg;
	unsigned n = weft_load_seq_cst(&g->taken);

	while (n < g->limit)
		if (weft_cas_weak_seq_cst(&g->taken, &n, n + 1))
			return 0;
	return g->limit ? -EAGAIN : 0;
}

static void give_place(struct weft_group *g)
{
	if (!g->limit)
		return;
	weft_fetch_sub_seq_cst(&g->taken, 1u);
	waitq_notify_seq_cst(&g->places, 1);
}

static int await_place(struct weft_group *g, int64_t deadline_ns)
{
	struct awaiting w = { .q = &g->places,
		              .what = "a place in a group",
		              .look = take_place,
		              .pass_on = weft_pass_on_error,
		              .arg = g,
		              .policy = WEFT_WAIT_PARK,
		              .seq_cst = true };

	return weft_ctx_await(&w, g->ctx, deadline_ns);
}

/* --- a task --- */

/* Only the first error ends the context, so it is also the cause. It is noted
 * before that: a task that fails because of the end finds it there. */
static void fail(struct weft_group *g, int err)
{
	int none = 0;

	if (weft_cas_acq_rel(&g->error, &none, err)) /* [error] */
		weft_ctx_cancel(g->ctx, err);
}

static int member_call(void *arg)
{
	struct member *m = arg;

	return m->fn(m->arg);
}

static void member_left(void *arg, enum weft_guard_end end, int status)
{
	struct member *m = arg;
	struct weft_group *g = m->group;

	(void)end;
	free(m);
	if (status < 0)
		fail(g, status);
	give_place(g);
	weft_waitgroup_done(&g->running);
}

static int member_main(void *arg)
{
	weft_guard(member_call, arg, member_left);
	return 0;
}

static int spawn_member(struct weft_group *g,
                        const struct weft_task_opts *asked, weft_task_fn fn,
                        void *arg)
{
	struct weft_task_opts opts = { .name = "group" };
	struct member *m = malloc(sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	if (asked && asked->name)
		opts.name = asked->name;
	if (asked)
		opts.stack_bytes = asked->stack_bytes;
	*m = (struct member){ g, fn, arg };
	weft_waitgroup_add(&g->running, 1);
	err = weft_spawn(NULL, &opts, member_main, m);
	if (err) {
		weft_waitgroup_done(&g->running);
		free(m);
	}
	return err;
}

/* Start it in the place that the caller has taken: perhaps that of the task
 * whose error has just ended the group. */
static int start(struct weft_group *g, const struct weft_task_opts *opts,
                 weft_task_fn fn, void *arg)
{
	int err = weft_ctx_err(g->ctx);

	if (!err)
		err = spawn_member(g, opts, fn, arg);
	if (err)
		give_place(g);
	return err;
}

int weft_group_spawn(struct weft_group *g, const struct weft_task_opts *opts,
                     weft_task_fn fn, void *arg, int64_t deadline_ns)
{
	int err;

	if (!g || !fn)
		return -EINVAL;
	err = await_place(g, deadline_ns);
	return err ? err : start(g, opts, fn, arg);
}

int weft_group_go(struct weft_group *g, weft_task_fn fn, void *arg,
                  int64_t deadline_ns)
{
	return weft_group_spawn(g, NULL, fn, arg, deadline_ns);
}

int weft_group_try_go(struct weft_group *g, weft_task_fn fn, void *arg)
{
	int err;

	if (!g || !fn)
		return -EINVAL;
	err = weft_ctx_err(g->ctx);
	if (!err)
		err = take_place(g) ? -EBUSY : 0;
	return err ? err : start(g, NULL, fn, arg);
}

int weft_group_wait(struct weft_group *g, int64_t deadline_ns)
{
	if (!g)
		return -EINVAL;
	if (weft_waitgroup_wait(&g->running, deadline_ns))
		return -ETIME;
	weft_ctx_cancel(g->ctx, 0);
	return weft_load_acquire(&g->error); /* [error] */
}
