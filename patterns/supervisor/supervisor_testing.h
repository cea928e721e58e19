/* What the tests of the supervisor share: children that do what they are told,
 * and a record of what the supervisor says. */
#ifndef WEFT_SUPERVISOR_TESTING_H
#define WEFT_SUPERVISOR_TESTING_H

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "supervisor.h"
#include "testing/testing.h"

/* What an actor is told; any other number it returns. */
enum { WAIT = 1000, EXIT, THREAD, HANG };

struct actor {
	struct weft_waiters w;
	_Atomic int order;   /* WAIT: none */
	_Atomic bool let_go; /* an actor that hangs */
	_Atomic int running, most;
	_Atomic uint64_t lives;
	struct weft_supervisor *s;
	uint64_t id;
};

static inline int actor_look(void *arg)
{
	struct actor *a = arg;

	return weft_load_acquire(&a->order) == WAIT ? -EAGAIN : 0;
}

static inline int actor_look_if_let_go(void *arg)
{
	struct actor *a = arg;

	return weft_load_acquire(&a->let_go) ? 0 : -EAGAIN;
}

/* It has one order at a time, and one that hangs ignores its context. */
static inline int actor_main(void *arg, struct weft_child *self)
{
	struct actor *a = arg;
	int most = weft_fetch_add_relaxed(&a->running, 1) + 1, order, err;

	if (most > weft_load_relaxed(&a->most))
		weft_store_relaxed(&a->most, most);
	weft_fetch_add_relaxed(&a->lives, UINT64_C(1));
	err = weft_waiters_wait(&a->w, "an order", actor_look, a,
	                        weft_child_ctx(self), WEFT_FOREVER);
	order = err ? err : weft_xchg_acq_rel(&a->order, WAIT);
	if (order == HANG)
		CHECK_EQ(weft_waiters_wait(&a->w, "to be let go",
		                           actor_look_if_let_go, a, NULL,
		                           WEFT_FOREVER),
		         0);
	weft_fetch_sub_relaxed(&a->running, 1);
	if (order == EXIT)
		weft_task_exit(0);
	if (order == THREAD)
		pthread_exit(NULL);
	return order;
}

static inline void actor_init(struct actor *a)
{
	memset(a, 0, sizeof(*a));
	weft_waiters_init(&a->w);
	weft_store_relaxed(&a->order, WAIT);
}

/* On the manual clock: add one, and have it wait for orders. `opts` without fn
 * and arg. */
static inline void actor_add(struct actor *a, struct weft_supervisor *s,
                             struct weft_child_opts opts)
{
	actor_init(a);
	opts.fn = actor_main;
	opts.arg = a;
	a->s = s;
	CHECK_EQ(weft_supervisor_add(s, &a->id, &opts), 0);
	CHECK_EQ(weft_clock_settle(), 0);
}

/* On the manual clock: have it do so, and see what comes of it. */
static inline void tell(struct actor *a, int order)
{
	weft_store_release(&a->order, order);
	weft_waiters_wake(&a->w, SIZE_MAX);
	CHECK_EQ(weft_clock_settle(), 0);
}

static inline void let_go(struct actor *a)
{
	weft_store_release(&a->let_go, true);
	weft_waiters_wake(&a->w, SIZE_MAX);
}

static inline uint64_t lives(const struct actor *a)
{
	return weft_load_relaxed(&a->lives);
}

static inline struct weft_supervisor_stats stats(struct weft_supervisor *s)
{
	struct weft_supervisor_stats out;

	CHECK_EQ(weft_supervisor_stats(s, &out), 0);
	return out;
}

static inline int state_of(const struct actor *a)
{
	struct weft_child_info info[16];
	size_t n;

	CHECK_EQ(weft_supervisor_children(a->s, info, 16, &n), 0);
	for (size_t i = 0; i < n; i++)
		if (info[i].id == a->id)
			return (int)info[i].state;
	CHECK(!"there is such a child");
	return WEFT_CHILD_ENDED;
}

/* What was said, as a line: "+1 !1 +1" is started, failed, started again. Ended
 * is '.', stopped '-', unstopped '?', given up 'x', paused 'P', resumed 'R',
 * escalated 'E'. */
struct record {
	char said[512];
	size_t used;
	struct weft_supervisor_event last; /* of a failure or an end */
};

static inline void record(const struct weft_supervisor_event *e, void *arg)
{
	struct record *r = arg;
	int n = snprintf(r->said + r->used, sizeof(r->said) - r->used,
	                 e->child ? "%s%c%d" : "%s%c", r->used ? " " : "",
	                 "+.!-?xPRE"[e->what], (int)e -> child);

	CHECK_LT(r->used + (size_t)n, sizeof(r->said));
	r->used += (size_t)n;
	if (e->what != WEFT_EVENT_STARTED)
		r->last = *e;
}

/* All that was said since the last time. */
static inline void said(struct record *r, const char *what)
{
	if (strcmp(r->said, what) != 0)
		fprintf(stderr, "said '%s', not '%s'\n", r->said, what);
	CHECK_EQ(strcmp(r->said, what), 0);
	r->used = 0;
	r->said[0] = '\0';
}

static inline struct weft_supervisor *
make_recorded(struct record *r, struct weft_supervisor_opts opts)
{
	struct weft_supervisor *s;

	memset(r, 0, sizeof(*r));
	opts.on_event = record;
	opts.event_arg = r;
	CHECK_EQ(weft_supervisor_new(&s, &opts), 0);
	return s;
}

#endif
