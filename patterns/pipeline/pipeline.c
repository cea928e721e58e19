#include "pipeline.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "base/check.h"

struct drop {
	void (*fn)(void *elem, void *arg);
	void *arg;
};

struct worker {
	/* Items so far; written by the worker, read by anyone. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t in;
	_Atomic uint64_t out;

	/* The worker's own from here on. */
	struct stage *stage;
	struct weft_task *task;
	bool ended; /* returned; not set when the thread was ended */

	/* Items taken[next .. ntaken) have not been given to the function,
	 * made[sent .. nmade) have not been passed on. */
	unsigned char *taken, *made;
	size_t ntaken, next, nmade, sent;
};

struct stage {
	/* Constant once made. */
	struct weft_pipeline *p;
	struct weft_stage is;
	char name[32];
	struct weft_chan *from, *to;
	size_t in_size, out_size;
	struct drop drop_in, drop_out;
	struct worker *workers;

	/* Workers that have not ended. */
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned left;
};

struct weft_pipeline {
	/* Constant once made. */
	size_t nstages, nworkers, batch, stack_bytes;
	struct stage *stages;
	struct worker *workers;   /* of all stages, in order */
	struct weft_chan **chans; /* nstages + 1; chan i is before stage i */
	struct weft_waitgroup running;

	/* 0, or why the pipeline was stopped. Set once, before the channels
	 * are closed: who finds one closed finds the reason here. */
	_Atomic int error;
};

/* --- stopping --- */

static void stop_for(struct weft_pipeline *p, int err)
{
	int none = 0;

	weft_cas_acq_rel(&p->error, &none, err); /* [error] */
	/* Some may be closed already, by the end of their stage. */
	for (size_t i = 0; i <= p->nstages; i++)
		weft_chan_close(p->chans[i]);
}

/* What a channel's -EPIPE means to a caller of the pipeline. */
static int reason(struct weft_pipeline *p, int err)
{
	int error;

	if (err != -EPIPE)
		return err;
	error = weft_load_acquire(&p->error); /* [error] */
	return error ? error : -EPIPE;
}

/* --- a worker --- */

static int take(struct worker *w)
{
	const struct stage *s = w->stage;
	int err;

	w->next = w->ntaken = w->nmade = w->sent = 0;
	if (s->p->batch > 1)
		return weft_chan_recv_many(s->from, w->taken, s->p->batch,
		                           &w->ntaken, WEFT_FOREVER);
	err = weft_chan_recv(s->from, w->taken, WEFT_FOREVER);
	w->ntaken = !err;
	return err;
}

static int call(struct worker *w)
{
	const struct stage *s = w->stage;
	const void *in = w->taken + w->next * s->in_size;
	void *out = w->made + w->nmade * s->out_size;
	int result;

	w->next++; /* the function's now, even if it does not return */
	weft_store_relaxed(&w->in, weft_load_relaxed(&w->in) + 1);
	result = s->is.fn(in, out, s->is.arg);
	if (result == WEFT_STAGE_EMIT)
		w->nmade++;
	return result > WEFT_STAGE_SKIP ? -EINVAL : result < 0 ? result : 0;
}

static int pass_on(struct worker *w)
{
	const struct stage *s = w->stage;
	int err;

	if (w->nmade == 1) {
		err = weft_chan_send(s->to, w->made, WEFT_FOREVER);
		w->sent = !err;
	} else {
		err = weft_chan_send_many(s->to, w->made, w->nmade, &w->sent,
		                          WEFT_FOREVER);
	}
	weft_store_relaxed(&w->out, weft_load_relaxed(&w->out) + w->sent);
	return err;
}

/* Call the function for everything taken. A stop does not wait for the rest of
 * a batch; nor may what it has left in a channel keep a stage going. */
static int call_all(struct worker *w)
{
	int err = 0;

	while (!err && w->next < w->ntaken) {
		if (weft_load_relaxed(&w->stage->p->error))
			return 0;
		err = call(w);
	}
	return err;
}

/* Until the input ends, or the pipeline is stopped: 0. Otherwise what the
 * stage fails with. */
static int work(void *arg)
{
	struct worker *w = arg;
	int err;

	for (;;) {
		err = take(w);
		if (err)
			break;
		err = call_all(w);
		if (err)
			return err;
		if (weft_load_relaxed(&w->stage->p->error))
			return 0;
		err = w->nmade ? pass_on(w) : 0;
		if (err)
			break;
	}
	/* Only a stop closes a channel before its senders have ended. */
	return err == -EPIPE ? 0 : err;
}

/* Release what the worker holds: nobody else knows of it. */
static void drop_rest(struct worker *w)
{
	const struct stage *s = w->stage;

	for (; s->drop_in.fn && w->next < w->ntaken; w->next++)
		s->drop_in.fn(w->taken + w->next * s->in_size, s->drop_in.arg);
	for (; s->drop_out.fn && w->sent < w->nmade; w->sent++)
		s->drop_out.fn(w->made + w->sent * s->out_size,
		               s->drop_out.arg);
}

/*
 * However a worker ends, it comes through here: by the cleanup attribute also
 * when pthread_exit() unwinds it (this file is built with -fexceptions).
 */
static void worker_left(struct worker **left)
{
	struct worker *w = *left;
	struct stage *s = w->stage;

	if (!w->ended)
		stop_for(s->p, -ECANCELED);
	drop_rest(w);
	/* The last one closes: all others have sent what they had. */
	if (weft_fetch_sub_acq_rel(&s->left, 1u) == 1)
		weft_chan_close(s->to);
	weft_waitgroup_done(&s->p->running);
}

static int worker_main(void *arg)
{
	__attribute__((cleanup(worker_left))) struct worker *w = arg;
	int status = 0;

	if (weft_try(work, w, &status) == -ECANCELED && status >= 0)
		status = -ECANCELED;
	w->ended = true;
	if (status)
		stop_for(w->stage->p, status);
	return status;
}

/* --- making --- */

static size_t round_up(size_t bytes)
{
	return (bytes + WEFT_CACHE_LINE - 1) & ~(size_t)(WEFT_CACHE_LINE - 1);
}

/* n elements in cache lines of their own; NULL when there is no memory. */
static void *lines(size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
		return NULL;
	bytes = round_up(bytes ? bytes : 1);
	p = aligned_alloc(WEFT_CACHE_LINE, bytes);
	if (p)
		memset(p, 0, bytes);
	return p;
}

static unsigned workers_of(const struct weft_stage *stage)
{
	return stage->workers ? stage->workers : 1;
}

static size_t out_size_of(const struct weft_stage *stage, size_t in_size)
{
	return stage->out_size ? stage->out_size : in_size;
}

static bool allowed(unsigned n, unsigned max)
{
	return max == 0 || n <= max;
}

/* A stage's workers receive from the channel before it and send into the one
 * behind it. The callers of the pipeline answer for themselves. */
static int check_stage(const struct weft_stage *stage,
                       const struct weft_chan_impl *impl)
{
	unsigned n = workers_of(stage);

	if (!stage->fn || n > WEFT_STAGE_WORKERS_MAX ||
	    !allowed(n, impl->max_receivers) || !allowed(n, impl->max_senders))
		return -EINVAL;
	return 0;
}

/* Arrays for nstages stages with nworkers workers; their sizes are set. */
static int allocate(struct weft_pipeline *p)
{
	p->stages = lines(p->nstages, sizeof(*p->stages));
	p->workers = lines(p->nworkers, sizeof(*p->workers));
	p->chans = lines(p->nstages + 1, sizeof(struct weft_chan *));
	return p->stages && p->workers && p->chans ? 0 : -ENOMEM;
}

static void stage_name(struct stage *s, const char *name, size_t i)
{
	if (name)
		snprintf(s->name, sizeof(s->name), "%s", name);
	else
		snprintf(s->name, sizeof(s->name), "stage %zu", i);
}

/* The stages as the caller gave them, wired up; channels and workers' memory
 * come later. */
static void wire(struct weft_pipeline *p, const struct weft_stage *stages,
                 const struct weft_pipeline_opts *opts)
{
	struct drop drop = { opts->drop, opts->drop_arg };
	struct worker *w = p->workers;
	size_t size = opts->elem_size;

	for (size_t i = 0; i < p->nstages; i++) {
		struct stage *s = &p->stages[i];

		s->p = p;
		s->is = stages[i];
		s->is.workers = workers_of(&stages[i]);
		stage_name(s, stages[i].name, i);
		s->in_size = size;
		s->out_size = size = out_size_of(&stages[i], size);
		s->drop_in = drop;
		s->drop_out = drop = (struct drop){ s->is.drop, s->is.arg };
		s->workers = w;
		weft_store_relaxed(&s->left, s->is.workers);
		for (unsigned k = 0; k < s->is.workers; k++, w++)
			w->stage = s;
	}
}

static int make_chans(struct weft_pipeline *p,
                      const struct weft_chan_impl *impl,
                      const struct weft_pipeline_opts *opts)
{
	const struct stage *s;
	int err = 0;

	for (size_t i = 0; i <= p->nstages && !err; i++) {
		bool last = i == p->nstages;
		struct weft_chan_opts chan = { .wait = opts->wait };

		s = &p->stages[last ? i - 1 : i];
		chan.drop = last ? s->drop_out.fn : s->drop_in.fn;
		chan.drop_arg = last ? s->drop_out.arg : s->drop_in.arg;
		err = weft_chan_new(&p->chans[i], impl, opts->cap,
		                    last ? s->out_size : s->in_size, &chan);
	}
	for (size_t i = 0; i < p->nstages && !err; i++) {
		p->stages[i].from = p->chans[i];
		p->stages[i].to = p->chans[i + 1];
	}
	return err;
}

static int make_buffers(struct weft_pipeline *p)
{
	for (size_t i = 0; i < p->nworkers; i++) {
		struct worker *w = &p->workers[i];

		w->taken = lines(p->batch, w->stage->in_size);
		w->made = lines(p->batch, w->stage->out_size);
		if (!w->taken || !w->made)
			return -ENOMEM;
	}
	return 0;
}

/* Start every worker. After an error some run: see weft_pipeline_free(). */
static int start(struct weft_pipeline *p)
{
	struct weft_task_opts opts = { .stack_bytes = p->stack_bytes };
	int err = 0;

	for (size_t i = 0; i < p->nworkers && !err; i++) {
		struct worker *w = &p->workers[i];

		opts.name = w->stage->name;
		weft_waitgroup_add(&p->running, 1);
		err = weft_spawn(&w->task, &opts, worker_main, w);
		if (err)
			weft_waitgroup_done(&p->running);
	}
	return err;
}

static int count_workers(const struct weft_stage *stages, size_t n,
                         const struct weft_chan_impl *impl, size_t *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (check_stage(&stages[i], impl))
			return -EINVAL;
		*out += workers_of(&stages[i]);
	}
	return n > 0 ? 0 : -EINVAL;
}

int weft_pipeline_new(struct weft_pipeline **out,
                      const struct weft_stage *stages, size_t nstages,
                      const struct weft_pipeline_opts *opts)
{
	static const struct weft_pipeline_opts defaults;
	const struct weft_chan_impl *impl;
	struct weft_pipeline *p;
	size_t nworkers;
	int err;

	if (!opts)
		opts = &defaults;
	impl = opts->impl ? opts->impl : weft_chan_impl_find("handoff");
	if (!out || !stages || count_workers(stages, nstages, impl, &nworkers))
		return -EINVAL;
	p = lines(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->nstages = nstages;
	p->nworkers = nworkers;
	p->batch = opts->batch ? opts->batch : 1;
	p->stack_bytes = opts->stack_bytes;
	weft_waitgroup_init(&p->running);
	err = allocate(p);
	if (err)
		goto free_pipeline;
	wire(p, stages, opts);
	err = make_chans(p, impl, opts);
	if (err)
		goto free_pipeline;
	err = make_buffers(p);
	if (err)
		goto free_pipeline;
	err = start(p);
	if (err)
		goto free_pipeline;
	*out = p;
	return 0;

free_pipeline:
	weft_pipeline_free(p);
	return err;
}

static void free_workers(struct weft_pipeline *p)
{
	for (size_t i = 0; p->workers && i < p->nworkers; i++) {
		if (p->workers[i].task)
			CHECK_EQ(weft_join(p->workers[i].task, NULL), 0);
		free(p->workers[i].taken);
		free(p->workers[i].made);
	}
	free(p->workers);
}

static void free_chans(struct weft_pipeline *p)
{
	for (size_t i = 0; p->chans && i <= p->nstages; i++)
		weft_chan_unref(p->chans[i]);
	free(p->chans);
}

void weft_pipeline_free(struct weft_pipeline *p)
{
	if (!p)
		return;
	if (weft_waitgroup_wait(&p->running, WEFT_NOW))
		weft_pipeline_stop(p);
	free_workers(p);
	free_chans(p);
	free(p->stages);
	free(p);
}

/* --- using --- */

int weft_pipeline_send(struct weft_pipeline *p, const void *elem,
                       int64_t deadline_ns)
{
	if (!p)
		return -EINVAL;
	return reason(p, weft_chan_send(p->chans[0], elem, deadline_ns));
}

int weft_pipeline_send_many(struct weft_pipeline *p, const void *elems,
                            size_t n, size_t *done, int64_t deadline_ns)
{
	if (!p)
		return -EINVAL;
	return reason(p, weft_chan_send_many(p->chans[0], elems, n, done,
	                                     deadline_ns));
}

int weft_pipeline_recv(struct weft_pipeline *p, void *elem, int64_t deadline_ns)
{
	int error;

	if (!p)
		return -EINVAL;
	/* What a stop has left in the channel is not for the caller. */
	error = weft_load_acquire(&p->error); /* [error] */
	if (error)
		return error;
	return reason(p,
	              weft_chan_recv(p->chans[p->nstages], elem, deadline_ns));
}

int weft_pipeline_recv_many(struct weft_pipeline *p, void *elems, size_t n,
                            size_t *done, int64_t deadline_ns)
{
	int error;

	if (!p || !done)
		return -EINVAL;
	*done = 0;
	error = weft_load_acquire(&p->error); /* [error] */
	if (error)
		return error;
	return reason(p, weft_chan_recv_many(p->chans[p->nstages], elems, n,
	                                     done, deadline_ns));
}

int weft_pipeline_close(struct weft_pipeline *p)
{
	return p ? weft_chan_close(p->chans[0]) : -EINVAL;
}

int weft_pipeline_stop(struct weft_pipeline *p)
{
	if (!p)
		return -EINVAL;
	stop_for(p, -ECANCELED);
	return 0;
}

int weft_pipeline_join(struct weft_pipeline *p, int64_t deadline_ns)
{
	int err;

	if (!p)
		return -EINVAL;
	err = weft_waitgroup_wait(&p->running, deadline_ns);
	return err ? err : weft_load_acquire(&p->error); /* [error] */
}

int weft_pipeline_stats(const struct weft_pipeline *p, size_t stage,
                        struct weft_stage_stats *out)
{
	const struct stage *s;

	if (!p || !out || stage >= p->nstages)
		return -EINVAL;
	s = &p->stages[stage];
	*out = (struct weft_stage_stats){ .queued = weft_chan_len(s->from) };
	for (unsigned i = 0; i < s->is.workers; i++) {
		out->in += weft_load_relaxed(&s->workers[i].in);
		out->out += weft_load_relaxed(&s->workers[i].out);
	}
	return 0;
}
