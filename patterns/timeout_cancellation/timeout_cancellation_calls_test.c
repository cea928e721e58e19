/*
 * E11: whatever a call waits for, it returns when its context ends, with the
 * error that belongs to that end, and nothing has changed.
 *
 * One row for each call that takes a context, in the core and in the
 * components; one for each way to end it. What is waited for never comes. The
 * calls of components that end with a context of the component's own are in the
 * life-cycle suite, which has the same ways, for every component there is; of
 * those, the two that watch over tasks are here as well, made for each call.
 *
 * Not here: a bucket, a leaky limiter and GCRA, which do not wait for what
 * comes after a deadline. patterns/rate_limiting has tests of that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/patterns/flight.h>
#include <weft/patterns/limiter.h>
#include <weft/patterns/monitor.h>
#include <weft/patterns/respool.h>
#include <weft/patterns/semaphore.h>
#include <weft/patterns/supervisor.h>
#include <weft/select.h>
#include <weft/weft.h>

#include "testing/testing.h"
#include "timeout.h"

/* What can be waited for, none of which comes. */
struct scene {
	struct weft_chan *empty, *full;
	struct weft_lock lock;           /* held */
	struct weft_waitgroup waitgroup; /* at 1 */
	struct weft_flight *flight;      /* under way */
	struct weft_once once;           /* begun, by what leads the flight */
	struct weft_task *in_once;
	struct weft_waiters waiters;
	struct weft_semaphore *semaphore; /* without permits */
	struct weft_timeout *timeout;     /* its function waits as well */
	struct weft_respool *respool;     /* of one resource: */
	struct weft_resource held;
	struct weft_limiter *limiter; /* without tokens for an hour */
};

/* --- the calls --- */

typedef int call_fn(struct scene *s, struct weft_ctx *ctx, int64_t deadline_ns);

static int chan_recv(struct scene *s, struct weft_ctx *ctx, int64_t deadline_ns)
{
	int v = 7, err = weft_chan_recv_ctx(s->empty, &v, ctx, deadline_ns);

	CHECK_EQ(v, 7);
	return err;
}

static int chan_send(struct scene *s, struct weft_ctx *ctx, int64_t deadline_ns)
{
	return weft_chan_send_ctx(s->full, &(int){ 8 }, ctx, deadline_ns);
}

/* What a program does that waits for several channels. */
static int selects(struct scene *s, struct weft_ctx *ctx, int64_t deadline_ns)
{
	int v = 8;
	struct weft_case cases[] = {
		weft_case_recv(s->empty, &v),
		weft_case_send(s->full, &v),
		weft_case_recv(weft_ctx_done(ctx), NULL),
	};
	int k = weft_select(cases, 3, deadline_ns);

	if (k < 0)
		return k;
	CHECK_EQ(k, 2);
	CHECK_EQ(cases[2].err, -EPIPE);
	return weft_ctx_err(ctx);
}

/* The deadline of a sleep is what it waits for. */
static int sleeps(struct scene *s, struct weft_ctx *ctx, int64_t deadline_ns)
{
	int err = weft_sleep_ctx(ctx, deadline_ns);

	(void)s;
	return err ? err : -ETIMEDOUT;
}

static int locks(struct scene *s, struct weft_ctx *ctx, int64_t deadline_ns)
{
	return weft_lock_acquire_ctx(&s->lock, ctx, deadline_ns);
}

static int waits_for_group(struct scene *s, struct weft_ctx *ctx,
                           int64_t deadline_ns)
{
	return weft_waitgroup_wait_ctx(&s->waitgroup, ctx, deadline_ns);
}

static int does_nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int does_once(struct scene *s, struct weft_ctx *ctx, int64_t deadline_ns)
{
	int status = 7;
	int err = weft_once_do_ctx(&s->once, does_nothing, NULL, &status, ctx,
	                           deadline_ns);

	CHECK_EQ(status, 7);
	return err;
}

static int never(void *arg)
{
	(void)arg;
	return -EAGAIN;
}

static int waits(struct scene *s, struct weft_ctx *ctx, int64_t deadline_ns)
{
	return weft_waiters_wait(&s->waiters, "nothing", never, NULL, ctx,
	                         deadline_ns);
}

static int acquires(struct scene *s, struct weft_ctx *ctx, int64_t deadline_ns)
{
	return weft_semaphore_acquire_ctx(s->semaphore, 1, ctx, deadline_ns);
}

static int calls(struct scene *s, struct weft_ctx *ctx, int64_t deadline_ns)
{
	return weft_timeout_call_ctx(s->timeout, NULL, NULL, ctx, deadline_ns);
}

static int is_led(void *arg, void **value)
{
	(void)arg;
	(void)value;
	abort();
}

static int follows(struct scene *s, struct weft_ctx *ctx, int64_t deadline_ns)
{
	struct weft_flight_result r;

	return weft_flight_do_ctx(s->flight, weft_flight_text("key"), is_led,
	                          NULL, &r, ctx, deadline_ns);
}

static int acquires_resource(struct scene *s, struct weft_ctx *ctx,
                             int64_t deadline_ns)
{
	struct weft_resource r;

	return weft_respool_acquire_ctx(s->respool, &r, ctx, deadline_ns);
}

static int waits_for_token(struct scene *s, struct weft_ctx *ctx,
                           int64_t deadline_ns)
{
	return weft_limiter_wait_ctx(s->limiter, 1, ctx, deadline_ns, NULL);
}

/* A monitor whose only heart never beats. */
static int monitors(struct scene *s, struct weft_ctx *ctx, int64_t deadline_ns)
{
	const struct weft_monitor_opts opts = { .interval_ns = WEFT_SEC,
		                                .ctx = ctx };
	struct weft_heart_report report;
	struct weft_monitor *m;
	struct weft_heart *h;
	int err;

	(void)s;
	CHECK_EQ(weft_monitor_new(&m, &opts), 0);
	err = weft_heart_new(&h, m, NULL);
	if (!err)
		err = weft_monitor_recv(m, &report, deadline_ns);
	weft_monitor_free(m);
	return err;
}

static int lives_until_told(void *arg, struct weft_child *self)
{
	(void)arg;
	return weft_sleep_ctx(weft_child_ctx(self), WEFT_FOREVER);
}

/* A supervisor of a child that does not end by itself. */
static int supervises(struct scene *s, struct weft_ctx *ctx,
                      int64_t deadline_ns)
{
	const struct weft_supervisor_opts opts = { .ctx = ctx };
	const struct weft_child_opts child = { .fn = lives_until_told };
	struct weft_supervisor *sv;
	int err;

	(void)s;
	CHECK_EQ(weft_supervisor_new(&sv, &opts), 0);
	err = weft_supervisor_add(sv, NULL, &child);
	if (!err)
		err = weft_supervisor_join(sv, deadline_ns);
	weft_supervisor_free(sv);
	return err;
}

static const struct {
	const char *name;
	call_fn *call;
} rows[] = {
	{ "chan recv", chan_recv },
	{ "chan send", chan_send },
	{ "select", selects },
	{ "sleep", sleeps },
	{ "lock", locks },
	{ "waitgroup", waits_for_group },
	{ "once", does_once },
	{ "waiters", waits },
	{ "semaphore", acquires },
	{ "timeout", calls },
	{ "flight", follows },
	{ "resource", acquires_resource },
	{ "limiter", waits_for_token },
	{ "monitor", monitors },
	{ "supervisor", supervises },
};

/* --- the scene --- */

static int waits_until_let(void *arg, void **value)
{
	struct scene *s = arg;

	(void)value;
	return weft_chan_recv(s->empty, &(int){ 0 }, WEFT_FOREVER);
}

static int leads(void *arg)
{
	struct scene *s = arg;
	struct weft_flight_result r;
	int err = weft_flight_do(s->flight, weft_flight_text("key"),
	                         waits_until_let, s, &r, WEFT_FOREVER);

	weft_flight_release(&r);
	return err;
}

static int begins_once(void *arg)
{
	struct scene *s = arg;

	return weft_once_do(&s->once, leads, s, NULL, WEFT_FOREVER);
}

static int lasts(struct weft_ctx *ctx, const void *request, void *reply,
                 void *arg)
{
	(void)request;
	(void)reply;
	(void)arg;
	return weft_sleep_ctx(ctx, WEFT_FOREVER);
}

static int makes_nothing(void **res, void *arg)
{
	(void)arg;
	*res = NULL;
	return 0;
}

static void destroys_nothing(void *res, void *arg)
{
	(void)res;
	(void)arg;
}

/* The only resource is held, and the only token taken. */
static void set_pools(struct scene *s)
{
	const struct weft_respool_opts respool = {
		.max = 1, .create = makes_nothing, .destroy = destroys_nothing
	};
	const struct weft_limiter_opts limiter = {
		.rate = { 1, 3600 * WEFT_SEC },
		.burst = 1,
		.kind = WEFT_LIMITER_REFILL
	};

	CHECK_EQ(weft_respool_new(&s->respool, &respool), 0);
	CHECK_EQ(weft_respool_acquire(s->respool, &s->held, WEFT_NOW), 0);
	CHECK_EQ(weft_limiter_new(&s->limiter, &limiter), 0);
	CHECK_EQ(weft_limiter_wait(s->limiter, 1, WEFT_FOREVER, NULL), 0);
}

static void strike_pools(struct scene *s)
{
	struct weft_respool_stats respool;
	struct weft_limiter_stats limiter;

	CHECK_EQ(weft_respool_stats(s->respool, &respool), 0);
	CHECK_EQ(respool.waiting, 0u);
	CHECK_EQ(respool.acquired, UINT64_C(1));
	CHECK_EQ(weft_respool_release(s->respool, &s->held), 0);
	CHECK_EQ(weft_limiter_stats(s->limiter, &limiter), 0);
	CHECK_EQ(limiter.waiting, 0u);
	CHECK_EQ(limiter.tokens, 0);
	weft_respool_free(s->respool);
	weft_limiter_free(s->limiter);
}

static void set(struct scene *s)
{
	const struct weft_timeout_opts timeout = { .fn = lasts };
	const struct weft_semaphore_opts semaphore = { .permits = 0 };

	s->empty = testing_chan("handoff", 0, sizeof(int));
	s->full = testing_chan("ring", 1, sizeof(int));
	CHECK_EQ(weft_chan_try_send(s->full, &(int){ 9 }), 0);
	weft_lock_init(&s->lock);
	weft_lock_acquire(&s->lock);
	weft_waitgroup_init(&s->waitgroup);
	CHECK_EQ(weft_waitgroup_add(&s->waitgroup, 1), 0);
	weft_waiters_init(&s->waiters);
	CHECK_EQ(weft_semaphore_new(&s->semaphore, &semaphore), 0);
	CHECK_EQ(weft_timeout_new(&s->timeout, &timeout), 0);
	CHECK_EQ(weft_flight_new(&s->flight, &(struct weft_flight_opts){ 0 }),
	         0);
	set_pools(s);
	weft_once_init(&s->once);
	s->in_once = testing_spawn(begins_once, s);
	CHECK_EQ(weft_clock_settle(), 0);
}

/* Nothing has been taken, and nobody has stayed behind. */
static void strike(struct scene *s)
{
	struct weft_semaphore_stats semaphore;
	struct weft_timeout_stats timeout;
	struct weft_flight_stats flight;
	struct weft_chan_stats chan;
	int v = 0;

	CHECK_EQ(weft_lock_try(&s->lock), -EAGAIN);
	weft_lock_release(&s->lock);
	CHECK_EQ(weft_waitgroup_wait(&s->waitgroup, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_semaphore_stats(s->semaphore, &semaphore), 0);
	CHECK_EQ(semaphore.waiting, 0u);
	CHECK_EQ(semaphore.held, 0);
	CHECK_EQ(weft_timeout_stats(s->timeout, &timeout), 0);
	CHECK_EQ(timeout.running, 0u);
	CHECK_EQ(timeout.waiting, 0u);
	CHECK_EQ(weft_flight_stats(s->flight, &flight), 0);
	CHECK_EQ(flight.waiting, 0u);
	weft_chan_stats(s->empty, &chan);
	CHECK_EQ(chan.waiting, UINT64_C(1)); /* the flight's */
	CHECK_EQ(weft_chan_try_send(s->empty, &v), 0);
	CHECK_EQ(testing_join(s->in_once), 0);
	CHECK_EQ(weft_chan_try_recv(s->full, &v), 0);
	CHECK_EQ(v, 9);
	weft_chan_stats(s->full, &chan);
	CHECK_EQ(chan.waiting, UINT64_C(0));
	strike_pools(s);
	weft_flight_free(s->flight);
	weft_semaphore_free(s->semaphore);
	weft_timeout_free(s->timeout);
	weft_chan_unref(s->empty);
	weft_chan_unref(s->full);
}

/* --- the ways to end it --- */

#define AT 10

enum who { OWN, PARENT, GRANDPARENT, CALL };

/* Which context of three ends, at once or after a while, and how: by a cancel,
 * or by a deadline; or the call has a deadline of its own. */
static const struct way {
	const char *name;
	enum who who;
	bool before, by_deadline;
	int cause, err, says; /* 0: none is given */
} ways[] = {
	{ "cancelled before", OWN, true, false, 0, -ECANCELED, -ECANCELED },
	{ "timed out before", OWN, true, true, 0, -ETIMEDOUT, -ETIMEDOUT },
	{ "parent cancelled before", PARENT, true, false, -EXDEV, -ECANCELED,
	  -EXDEV },
	{ "cancel", OWN, false, false, 0, -ECANCELED, -ECANCELED },
	{ "cancel with a cause", OWN, false, false, -EXDEV, -ECANCELED,
	  -EXDEV },
	{ "parent's cancel", PARENT, false, false, -EXDEV, -ECANCELED, -EXDEV },
	{ "its parent's cancel", GRANDPARENT, false, false, 0, -ECANCELED,
	  -ECANCELED },
	{ "deadline", OWN, false, true, 0, -ETIMEDOUT, -ETIMEDOUT },
	{ "deadline with a cause", OWN, false, true, -EXDEV, -ETIMEDOUT,
	  -EXDEV },
	{ "parent's deadline", PARENT, false, true, -EXDEV, -ETIMEDOUT,
	  -EXDEV },
	{ "its parent's deadline", GRANDPARENT, false, true, 0, -ETIMEDOUT,
	  -ETIMEDOUT },
	/* The context is open then: that is how both are told apart. */
	{ "deadline of the call", CALL, false, true, 0, -ETIMEDOUT, 0 },
};

struct waiting {
	struct scene *scene;
	call_fn *call;
	struct weft_ctx *ctx[3]; /* as in enum who */
	int64_t deadline_ns;
};

static int waiting_main(void *arg)
{
	struct waiting *w = arg;

	return w->call(w->scene, w->ctx[OWN], w->deadline_ns);
}

static void make_contexts(struct waiting *w, const struct way *way)
{
	for (int i = GRANDPARENT; i >= OWN; i--) {
		bool ends = way->who == (enum who)i && way->by_deadline;
		int64_t until_ns = ends ? weft_deadline_in(AT) : WEFT_FOREVER;

		CHECK_EQ(weft_ctx_with_deadline_cause(
		                 &w->ctx[i],
		                 i < GRANDPARENT ? w->ctx[i + 1] : NULL,
		                 until_ns, ends ? way->cause : 0),
		         0);
	}
	w->deadline_ns = way->who == CALL ? weft_deadline_in(AT) : WEFT_FOREVER;
}

static void let_end(struct waiting *w, const struct way *way)
{
	if (way->by_deadline)
		testing_pass(1);
	else
		CHECK_EQ(weft_ctx_cancel(w->ctx[way->who], way->cause), 0);
}

/* A stray permit, too: a wake-up for no reason ends nothing (E13). */
static void expect_end(struct waiting *w, const struct way *way)
{
	struct weft_task *t;

	if (way->before) {
		testing_pass(AT - 1);
		let_end(w, way);
	}
	t = testing_spawn(waiting_main, w);
	if (!way->before) {
		testing_pass(AT - 1);
		weft_unpark(t);
		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ(weft_join_until(t, NULL, WEFT_NOW), -ETIMEDOUT);
		let_end(w, way);
	}
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(testing_join(t), way->err);
	CHECK_EQ(weft_ctx_cause(w->ctx[OWN]), way->says);
}

TEST_MANUAL(E11_every_call_ends_with_its_context)
{
	for (size_t r = 0; r < sizeof(rows) / sizeof(*rows); r++) {
		struct scene s;

		set(&s);
		for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
			struct waiting w = { &s, rows[r].call, { NULL }, 0 };

			fprintf(stderr, "%s: %s\n", rows[r].name, ways[i].name);
			make_contexts(&w, &ways[i]);
			expect_end(&w, &ways[i]);
			for (int k = OWN; k <= GRANDPARENT; k++)
				weft_ctx_unref(w.ctx[k]);
		}
		strike(&s);
	}
	return 0;
}
