/* What the tests of the worker pool share. */
#ifndef WEFT_PATTERNS_WORKER_POOL_TESTING_H
#define WEFT_PATTERNS_WORKER_POOL_TESTING_H

#include <errno.h>

#include <weft/atomic.h>
#include <weft/sync.h>

#include "pool.h"
#include "testing/testing.h"

static inline struct weft_pool *make(struct weft_pool_opts opts)
{
	struct weft_pool *p;

	CHECK_EQ(weft_pool_new(&p, &opts), 0);
	return p;
}

static inline struct weft_pool_stats stats(const struct weft_pool *p)
{
	struct weft_pool_stats s;

	CHECK_EQ(weft_pool_stats(p, &s), 0);
	return s;
}

/* A job with a handle. */
static inline struct weft_job *submit_to(struct weft_pool *p,
                                         struct weft_pool_group *g,
                                         weft_job_fn fn, void *arg)
{
	struct weft_job *job = NULL;
	const struct weft_job_opts opts = { .group = g, .handle = &job };

	CHECK_EQ(weft_pool_submit_job(p, fn, arg, &opts, WEFT_FOREVER), 0);
	CHECK(job != NULL);
	return job;
}

static inline struct weft_job *submit(struct weft_pool *p, weft_job_fn fn,
                                      void *arg)
{
	return submit_to(p, NULL, fn, arg);
}

/* The job ends like this; its handle is given back. */
static inline void expect_end(struct weft_job *job, int expected)
{
	int status = expected + 1;

	CHECK_EQ(weft_job_wait(job, &status, WEFT_FOREVER), 0);
	CHECK_EQ(status, expected);
	weft_job_release(job);
}

/* --- jobs that count --- */

struct count {
	_Atomic int n;
	struct weft_pool *p;
	weft_job_fn inner;
	unsigned of_class;
	int submitted;
	unsigned exactly; /* this many wait when it is full; 0: not so */
	_Atomic bool enough;
};

static inline int count_one(void *arg, unsigned worker)
{
	(void)worker;
	weft_fetch_add_relaxed(&((struct count *)arg)->n, 1);
	return 7;
}

/* A task that submits one, and may have to wait. */
static inline int submits_one(void *arg)
{
	struct count *c = arg;

	const struct weft_job_opts opts = { .job_class = c->of_class };

	return weft_pool_submit_job(c->p, count_one, c, &opts, WEFT_FOREVER);
}

/* All has ended, and so many were counted. */
static inline void expect_done(struct weft_pool *p, const struct count *c,
                               int n)
{
	CHECK_EQ(weft_pool_wait(p, WEFT_FOREVER), 0);
	CHECK_EQ(weft_load_relaxed(&c->n), n);
}

/* --- jobs that wait at a gate --- */

struct gate {
	struct weft_waitgroup open;
	_Atomic int inside;
	int status; /* of the jobs, once it is open */
};

static inline void gate_init(struct gate *g)
{
	*g = (struct gate){ .status = 0 };
	weft_waitgroup_init(&g->open);
	weft_waitgroup_add(&g->open, 1);
}

static inline void gate_open(struct gate *g)
{
	weft_waitgroup_done(&g->open);
}

static inline int pass_gate(void *arg, unsigned worker)
{
	struct gate *g = arg;

	(void)worker;
	weft_fetch_add_acq_rel(&g->inside, 1);
	CHECK_EQ(weft_waitgroup_wait(&g->open, WEFT_FOREVER), 0);
	return g->status;
}

static inline void gate_wait_for(struct gate *g, int n)
{
	while (weft_load_acquire(&g->inside) < n)
		weft_yield();
}

/* A job that is at the gate when this returns. */
static inline struct weft_job *submit_gated(struct weft_pool *p, struct gate *g)
{
	int n = weft_load_acquire(&g->inside);
	struct weft_job *job = submit(p, pass_gate, g);

	gate_wait_for(g, n + 1);
	return job;
}

/* A pool with one worker, which is at a gate. */
struct held {
	struct gate gate;
	struct weft_job *first;
};

static inline struct weft_pool *hold(struct held *h, struct weft_pool_opts opts)
{
	struct weft_pool *p;

	opts.workers = 1;
	p = make(opts);
	gate_init(&h->gate);
	h->first = submit_gated(p, &h->gate);
	return p;
}

static inline void let_go(struct held *h)
{
	gate_open(&h->gate);
	expect_end(h->first, h->gate.status);
}

struct gated {
	struct weft_pool *p;
	struct gate *gate;
};

/* A task that submits such a job. */
static inline int submits_gated(void *arg)
{
	struct gated *g = arg;

	return weft_pool_submit(g->p, pass_gate, g->gate, WEFT_FOREVER);
}

/* Two jobs are at work together, whatever has happened before. */
static inline void expect_both_work(struct weft_pool *p)
{
	struct gate gate;
	struct weft_job *first;
	struct weft_job *second;

	gate_init(&gate);
	first = submit_gated(p, &gate);
	second = submit_gated(p, &gate);
	gate_open(&gate);
	expect_end(first, 0);
	expect_end(second, 0);
}

/* One job is, and without a queue there is no place for a second. */
static inline void expect_one_works(struct weft_pool *p)
{
	struct gate gate;
	struct weft_job *first;

	gate_init(&gate);
	first = submit_gated(p, &gate);
	CHECK_EQ(weft_pool_try_submit(p, pass_gate, &gate), -EAGAIN);
	gate_open(&gate);
	expect_end(first, 0);
}

/* --- what is called back --- */

struct drops {
	_Atomic int n;
	void *last;
	int status;
};

static inline void drop(void *job_arg, void *arg)
{
	struct drops *d = arg;

	d->last = job_arg;
	weft_fetch_add_relaxed(&d->n, 1);
}

#endif
