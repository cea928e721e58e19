/* resource_pool_testing: resources for the tests, of which account is kept. */
#ifndef WEFT_PATTERNS_RESOURCE_POOL_TESTING_H
#define WEFT_PATTERNS_RESOURCE_POOL_TESTING_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "respool.h"
#include "testing/testing.h"

/* How a callback ends, beside 0 and errors. */
enum { ENDS_TASK = 1, ENDS_THREAD };

/* What is given out. */
struct thing {
	_Atomic int holders;
};

struct world {
	struct weft_respool *pool;
	_Atomic int live, most, created, destroyed;
	/* How callbacks end; that of create comes from `gate`, if there is one:
	 * an int, for which it waits. */
	_Atomic int creates, validates, resets, destroys;
	struct weft_chan *gate;
	struct weft_chan *destroy_gate; /* destroy waits for it, likewise */
	/* What on_leak() was told last, and how often. */
	struct weft_respool_holder leak;
	_Atomic int leaks;
};

static inline int world_end(int how)
{
	if (how == ENDS_TASK)
		weft_task_exit(0);
	if (how == ENDS_THREAD)
		pthread_exit(NULL);
	return how;
}

static inline int world_create(void **res, void *arg)
{
	struct world *w = arg;
	struct thing *t;
	int how = weft_load_relaxed(&w->creates), live, most;

	if (w->gate)
		CHECK_EQ(weft_chan_recv(w->gate, &how, WEFT_FOREVER), 0);
	if (world_end(how))
		return how;
	live = weft_fetch_add_relaxed(&w->live, 1) + 1;
	most = weft_load_relaxed(&w->most);
	while (live > most && !weft_cas_relaxed(&w->most, &most, live))
		;
	weft_fetch_add_relaxed(&w->created, 1);
	t = calloc(1, sizeof(*t));
	CHECK(t != NULL);
	*res = t;
	return 0;
}

static inline void world_destroy(void *res, void *arg)
{
	struct world *w = arg;
	int how = weft_load_relaxed(&w->destroys);

	if (w->destroy_gate)
		CHECK_EQ(weft_chan_recv(w->destroy_gate, &how, WEFT_FOREVER),
		         0);
	weft_fetch_sub_relaxed(&w->live, 1);
	weft_fetch_add_relaxed(&w->destroyed, 1);
	free(res);
	world_end(how);
}

static inline int world_validate(void *res, void *arg)
{
	(void)res;
	return world_end(weft_load_relaxed(&((struct world *)arg)->validates));
}

static inline int world_reset(void *res, void *arg)
{
	(void)res;
	return world_end(weft_load_relaxed(&((struct world *)arg)->resets));
}

static inline void world_leak(const struct weft_respool_holder *h, void *arg)
{
	struct world *w = arg;

	w->leak = *h;
	weft_fetch_add_release(&w->leaks, 1);
}

/* Make w->pool with these options, to which the callbacks are added; validate
 * and reset stay NULL where they are. */
static inline void world_open(struct world *w, struct weft_respool_opts opts)
{
	opts.create = world_create;
	opts.destroy = world_destroy;
	opts.on_leak = world_leak;
	opts.arg = w;
	CHECK_EQ(weft_respool_new(&w->pool, &opts), 0);
}

static inline struct weft_respool_stats world_stats(const struct world *w)
{
	struct weft_respool_stats s;

	CHECK_EQ(weft_respool_stats(w->pool, &s), 0);
	CHECK_EQ(s.created,
	         s.idle + s.held + s.destroying + s.destroyed + s.hijacked);
	CHECK_LE(s.creating + s.idle + s.held + s.destroying, s.max);
	CHECK_EQ(s.acquired, s.reused + s.fresh + s.handed);
	return s;
}

/* The end: all that was made has been destroyed, but what was hijacked. */
static inline void world_close(struct world *w, int hijacked)
{
	world_stats(w);
	weft_respool_free(w->pool);
	CHECK_EQ(weft_load_relaxed(&w->live), hijacked);
	CHECK_EQ(weft_load_relaxed(&w->destroyed) + hijacked,
	         weft_load_relaxed(&w->created));
}

static inline struct weft_resource take(struct world *w)
{
	struct weft_resource r;

	CHECK_EQ(weft_respool_acquire(w->pool, &r, WEFT_NOW), 0);
	return r;
}

static inline void give(struct world *w, struct weft_resource r)
{
	CHECK_EQ(weft_respool_release(w->pool, &r), 0);
}

/* A task that acquires a resource, and keeps it. */
struct asking {
	struct world *w;
	struct weft_ctx *ctx;
	int64_t deadline_ns;
	struct weft_resource r;
	struct weft_task *task;
};

static inline int asking_main(void *arg)
{
	struct asking *a = arg;

	return weft_respool_acquire_ctx(a->w->pool, &a->r, a->ctx,
	                                a->deadline_ns);
}

static inline void ask_until(struct asking *a, struct world *w,
                             struct weft_ctx *ctx, int64_t deadline_ns)
{
	*a = (struct asking){ .w = w, .ctx = ctx, .deadline_ns = deadline_ns };
	a->task = testing_spawn(asking_main, a);
	CHECK_EQ(weft_clock_settle(), 0);
}

static inline void ask(struct asking *a, struct world *w)
{
	ask_until(a, w, NULL, WEFT_FOREVER);
}

static inline bool is_waiting(struct asking *a)
{
	CHECK_EQ(weft_clock_settle(), 0);
	return weft_join_until(a->task, NULL, WEFT_NOW) == -ETIMEDOUT;
}

/* Let one callback at this gate go on, to end like that. */
static inline void let(struct weft_chan *gate, int how)
{
	CHECK_EQ(weft_chan_send(gate, &how, WEFT_FOREVER), 0);
	CHECK_EQ(weft_clock_settle(), 0);
}

#endif
