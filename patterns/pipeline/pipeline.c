#include "pipeline.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/chan_impl.h>

#include "base/cacheline.h"
#include "common/ends.h"
#include "internal.h"

/* --- the end --- */

/* Nothing is left that could be stopped, or would be missed: the last stage
 * ends behind all others. What a channel that cannot count has inside shows
 * only when it is received from. */
static bool went_through(void *arg)
{
	struct weft_pipeline *p = arg;
	const struct weft_chan *out = p->chans[p->nstages];

	if (weft_load_acquire(&p->through))
		return true;
	return weft_crew_has_ended(&p->stages[p->nstages - 1].crew) &&
	       weft_chan_impl_of(out)->can & WEFT_CAN_LEN &&
	       weft_chan_len(out) == 0;
}

static void cut_all(void *arg)
{
	struct weft_pipeline *p = arg;

	weft_pipeline_cut(p, p->nstages + 1);
}

static const struct weft_ending_ops ending_ops = { went_through, cut_all };

/* A stop that leaves nothing to be received. */
static int stopped_for_good(struct weft_pipeline *p)
{
	if (weft_load_acquire(&p->stopped) <= p->nstages)
		return 0;
	return weft_ending_why(&p->end);
}

/* --- making --- */

static unsigned workers_of(const struct weft_stage *stage)
{
	return stage->workers ? stage->workers : 1;
}

static size_t or_else(size_t n, size_t otherwise)
{
	return n ? n : otherwise;
}

/* Several workers whose results have to be brought into order. One worker's
 * are. */
static bool needs_order(const struct weft_stage *stage)
{
	return stage->mode == WEFT_STAGE_ORDERED && workers_of(stage) > 1;
}

/* A stage's workers receive from the channel before it and send into the one
 * behind it; where order is kept, one at a time. The callers of the pipeline
 * answer for themselves. */
static int check_stage(const struct weft_stage *stage,
                       const struct weft_chan_impl *impl)
{
	unsigned n = workers_of(stage), at_once = needs_order(stage) ? 1 : n;

	if (!stage->fn || n > WEFT_STAGE_WORKERS_MAX ||
	    (unsigned)stage->mode > WEFT_STAGE_SERIAL ||
	    (stage->mode == WEFT_STAGE_SERIAL && n > 1) ||
	    stage->out_max > WEFT_STAGE_OUT_MAX ||
	    !ends_suit(impl, at_once, at_once))
		return -EINVAL;
	return 0;
}

static void stage_name(struct stage *s, const char *name, size_t i)
{
	if (name)
		snprintf(s->name, sizeof(s->name), "%s", name);
	else
		snprintf(s->name, sizeof(s->name), "stage %zu", i);
}

/* The stages as the caller gave them, wired up; channels and buffers come
 * later. */
static void wire(struct weft_pipeline *p, const struct weft_stage *stages,
                 const struct weft_pipeline_opts *opts)
{
	struct drop drop = { opts->drop, opts->drop_arg };
	struct worker *w = p->workers;
	size_t size = opts->elem_size;

	for (size_t i = 0; i < p->nstages; i++) {
		struct stage *s = &p->stages[i];

		s->p = p;
		s->index = i;
		s->is = stages[i];
		s->is.workers = workers_of(&stages[i]);
		s->is.out_max = or_else(stages[i].out_max, 1);
		stage_name(s, stages[i].name, i);
		s->in_size = size;
		s->out_size = size = or_else(stages[i].out_size, size);
		s->drop_in = drop;
		s->drop_out = drop =
		        (struct drop){ s->is.drop, s->is.drop_arg };
		s->workers = w;
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

/* The most that a worker makes of a batch; 0 when that is past counting. */
static size_t made_at_most(const struct stage *s)
{
	size_t n;

	return __builtin_mul_overflow(s->p->batch, s->is.out_max, &n) ? 0 : n;
}

static int make_buffers(struct stage *s)
{
	size_t most = made_at_most(s);

	for (unsigned i = 0; i < s->is.workers; i++) {
		struct worker *w = &s->workers[i];

		w->taken = cacheline_new(s->p->batch, s->in_size);
		w->made = cacheline_new(most, s->out_size);
		if (!w->taken || !w->made || !most)
			return -ENOMEM;
	}
	if (!needs_order(&s->is))
		return 0;
	return weft_order_new(&s->order,
	                      or_else(s->is.window, 2 * (size_t)s->is.workers),
	                      most, s->out_size, s->p->wait);
}

/* After an error some run: see weft_pipeline_free(). */
static int start(struct weft_pipeline *p, size_t stack_bytes)
{
	int err = 0;

	for (size_t i = 0; i < p->nstages && !err; i++)
		err = weft_pipeline_start(&p->stages[i], stack_bytes);
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

/* All that the workers need. */
static int equip(struct weft_pipeline *p, const struct weft_stage *stages,
                 const struct weft_chan_impl *impl,
                 const struct weft_pipeline_opts *opts)
{
	int err;

	p->stages = cacheline_new(p->nstages, sizeof(*p->stages));
	p->workers = cacheline_new(p->nworkers, sizeof(*p->workers));
	p->chans = cacheline_new(p->nstages + 1, sizeof(struct weft_chan *));
	if (!p->stages || !p->workers || !p->chans)
		return -ENOMEM;
	wire(p, stages, opts);
	err = make_chans(p, impl, opts);
	for (size_t i = 0; i < p->nstages && !err; i++)
		err = make_buffers(&p->stages[i]);
	return err;
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
	if (opts->on_error != WEFT_ON_ERROR_STOP &&
	    opts->on_error != WEFT_ON_ERROR_DRAIN)
		return -EINVAL;
	p = cacheline_new(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->nstages = nstages;
	p->nworkers = nworkers;
	p->batch = or_else(opts->batch, 1);
	p->wait = opts->wait;
	p->drains = opts->on_error == WEFT_ON_ERROR_DRAIN;
	weft_ending_init(&p->end, &ending_ops, p);
	weft_tokens_init(&p->tokens, opts->tokens, opts->wait);
	err = equip(p, stages, impl, opts);
	if (!err)
		err = start(p, opts->stack_bytes);
	if (!err)
		err = weft_ending_watch(&p->end, opts->ctx);
	if (err) {
		weft_pipeline_free(p);
		return err;
	}
	*out = p;
	return 0;
}

/* Of a pipeline that was not started it does nothing. */
static void join_all(struct weft_pipeline *p)
{
	cut_all(p);
	for (size_t i = 0; i < p->nstages; i++)
		weft_crew_join(&p->stages[i].crew);
}

/* Not all of it may have been made. */
static void free_stage(struct stage *s)
{
	weft_order_free(s->order, s->out_size, s->drop_out.fn, s->drop_out.arg);
	for (unsigned i = 0; i < s->is.workers; i++) {
		free(s->workers[i].taken);
		free(s->workers[i].made);
	}
}

void weft_pipeline_free(struct weft_pipeline *p)
{
	if (!p)
		return;
	weft_ending_unwatch(&p->end);
	if (p->stages && p->chans)
		join_all(p);
	for (size_t i = 0; p->stages && i < p->nstages; i++)
		free_stage(&p->stages[i]);
	for (size_t i = 0; p->chans && i <= p->nstages; i++)
		weft_chan_unref(p->chans[i]);
	free(p->chans);
	free(p->workers);
	free(p->stages);
	free(p);
}

/* --- using --- */

/* One token and one item; the token goes back if the item did not go in. */
int weft_pipeline_send(struct weft_pipeline *p, const void *elem,
                       int64_t deadline_ns)
{
	size_t taken;
	int err;

	if (!p)
		return -EINVAL;
	err = weft_tokens_take(&p->tokens, 1, &taken, deadline_ns);
	if (err)
		return weft_ending_of(&p->end, err);
	err = weft_chan_send(p->chans[0], elem, deadline_ns);
	if (err)
		weft_tokens_give(&p->tokens, 1);
	return weft_ending_of(&p->end, err);
}

/* As many as there are tokens for. */
static int send_some(struct weft_pipeline *p, const void *elems, size_t n,
                     size_t *done, int64_t deadline_ns)
{
	size_t taken;
	int err = weft_tokens_take(&p->tokens, n, &taken, deadline_ns);

	*done = 0;
	if (err)
		return err;
	err = weft_chan_send_many(p->chans[0], elems, taken, done, deadline_ns);
	if (*done < taken)
		weft_tokens_give(&p->tokens, taken - *done);
	return err;
}

int weft_pipeline_send_many(struct weft_pipeline *p, const void *elems,
                            size_t n, size_t *done, int64_t deadline_ns)
{
	const unsigned char *at = elems;
	size_t some;
	int err = 0;

	if (!p || !done)
		return -EINVAL;
	for (*done = 0; *done < n && !err; *done += some) {
		err = send_some(p, at, n - *done, &some, deadline_ns);
		if (at)
			at += some * p->stages[0].in_size;
	}
	return weft_ending_of(&p->end, err);
}

/* What a receive from the last channel means to a caller. Note when one was
 * told of the end. */
static int received(struct weft_pipeline *p, int err)
{
	err = weft_ending_of(&p->end, err);
	if (err == -EPIPE)
		weft_store_release(&p->through, true);
	return err;
}

int weft_pipeline_recv(struct weft_pipeline *p, void *elem, int64_t deadline_ns)
{
	int err;

	if (!p)
		return -EINVAL;
	/* What a stop has left in the channel is not for the caller. */
	err = stopped_for_good(p);
	if (err)
		return err;
	err = weft_chan_recv(p->chans[p->nstages], elem, deadline_ns);
	if (!err)
		weft_tokens_give(&p->tokens, 1);
	return received(p, err);
}

int weft_pipeline_recv_many(struct weft_pipeline *p, void *elems, size_t n,
                            size_t *done, int64_t deadline_ns)
{
	int err;

	if (!p || !done)
		return -EINVAL;
	*done = 0;
	err = stopped_for_good(p);
	if (err)
		return err;
	err = weft_chan_recv_many(p->chans[p->nstages], elems, n, done,
	                          deadline_ns);
	if (*done)
		weft_tokens_give(&p->tokens, *done);
	return received(p, err);
}

/* A wait for a token is over, too. */
int weft_pipeline_close(struct weft_pipeline *p)
{
	int err;

	if (!p)
		return -EINVAL;
	err = weft_chan_close(p->chans[0]);
	weft_tokens_close(&p->tokens);
	return err;
}

int weft_pipeline_stop(struct weft_pipeline *p)
{
	return p ? weft_ending_stop(&p->end, -ECANCELED) : -EINVAL;
}

int weft_pipeline_fail(struct weft_pipeline *p, int err)
{
	return p ? weft_ending_fail(&p->end, err) : -EINVAL;
}

int weft_pipeline_join(struct weft_pipeline *p, int64_t deadline_ns)
{
	int err = 0;

	if (!p)
		return -EINVAL;
	for (size_t i = 0; i < p->nstages && !err; i++)
		err = weft_crew_wait(&p->stages[i].crew, deadline_ns);
	return err ? err : weft_ending_why(&p->end);
}

int weft_pipeline_stats(const struct weft_pipeline *p, size_t stage,
                        struct weft_stage_stats *out)
{
	const struct stage *s;

	if (!p || !out || stage >= p->nstages)
		return -EINVAL;
	s = &p->stages[stage];
	*out = (struct weft_stage_stats){
		.queued = weft_chan_len(s->from),
		.held = s->order ? weft_order_held(s->order) : 0,
	};
	for (unsigned i = 0; i < s->is.workers; i++) {
		out->in += weft_load_relaxed(&s->workers[i].in);
		out->out += weft_load_relaxed(&s->workers[i].out);
	}
	return 0;
}
