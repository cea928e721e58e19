/* A worker: take a batch, call the function for each item, pass on what it
 * made; from the first batch to the end. */
#include <errno.h>

#include "common/count.h"
#include "internal.h"

/* --- taking --- */

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

/* The worker that waits for input holds the turn to take: an end of the input
 * or a stop reaches the others one after the other. */
static int take_in_turn(struct worker *w)
{
	struct order *o = w->stage->order;
	int err = weft_order_begin(o);

	if (err)
		return err;
	err = take(w);
	w->ticket = weft_order_end(o, !err);
	return err;
}

/* --- calling --- */

static bool is_stopped(const struct stage *s)
{
	return weft_load_relaxed(&s->p->stopped) > s->index;
}

static int call(struct worker *w)
{
	const struct stage *s = w->stage;
	const void *in = w->taken + w->next * s->in_size;
	void *out = w->made + w->nmade * s->out_size;
	int result;

	w->next++; /* the function's now, even if it does not return */
	count_add(&w->in, 1);
	result = s->is.fn(in, out, s->is.arg);
	if (result < 0)
		return result;
	if ((size_t)result > s->is.out_max)
		return -EINVAL;
	w->nmade += (size_t)result;
	return 0;
}

/* Call the function for everything taken. A stop does not wait for the rest of
 * a batch; nor may what it has left in a channel keep a stage going. */
static int call_all(struct worker *w)
{
	int err = 0;

	while (!err && w->next < w->ntaken) {
		if (is_stopped(w->stage))
			return 0;
		err = call(w);
	}
	return err;
}

/* All that was taken has become what was made. */
static void settle(struct worker *w)
{
	struct tokens *t = &w->stage->p->tokens;

	if (w->nmade > w->ntaken)
		weft_tokens_owe(t, w->nmade - w->ntaken);
	else if (w->nmade < w->ntaken)
		weft_tokens_give(t, w->ntaken - w->nmade);
}

/* --- passing on --- */

/* *sent says how many, after an error as well. */
static int send(struct worker *w, const void *items, size_t n, size_t *sent)
{
	struct weft_chan *to = w->stage->to;
	int err;

	if (n == 1) {
		err = weft_chan_send(to, items, WEFT_FOREVER);
		*sent = !err;
	} else {
		err = weft_chan_send_many(to, items, n, sent, WEFT_FOREVER);
	}
	count_add(&w->out, *sent);
	return err;
}

/* Put what was made where its turn will find it, and pass on what has its turn
 * now. What was put is no longer the worker's. */
static int pass_on_in_turn(struct worker *w)
{
	struct order *o = w->stage->order;
	struct order_batch *b =
	        weft_order_put(o, w->ticket, &w->made, w->nmade);
	size_t n;
	int err;

	w->nmade = w->sent = 0;
	for (; b; b = weft_order_passed(o)) {
		n = weft_load_relaxed(&b->n);
		err = n ? send(w, b->items, n, &b->sent) : 0;
		if (err)
			return err;
	}
	return 0;
}

static int pass_on(struct worker *w)
{
	if (w->stage->order)
		return pass_on_in_turn(w);
	return w->nmade ? send(w, w->made, w->nmade, &w->sent) : 0;
}

/* --- from the first batch to the last --- */

/* Until the input ends, or the stage is stopped: 0. Otherwise what it fails
 * with. */
static int work(struct weft_crew_member *m)
{
	struct worker *w = (struct worker *)m;
	int err;

	for (;;) {
		err = w->stage->order ? take_in_turn(w) : take(w);
		if (err)
			break;
		err = call_all(w);
		if (err)
			return err;
		if (is_stopped(w->stage))
			return 0;
		settle(w);
		err = pass_on(w);
		if (err)
			break;
	}
	/* Only a stop closes a channel before its senders have ended. */
	return err == -EPIPE ? 0 : err;
}

/* --- the end --- */

void weft_pipeline_cut(struct weft_pipeline *p, size_t n)
{
	size_t stopped = weft_load_relaxed(&p->stopped);

	/* Before anything is closed: a worker that is released looks at it. */
	while (stopped < n && !weft_cas_acq_rel(&p->stopped, &stopped, n))
		;
	weft_tokens_close(&p->tokens);
	/* Some may be closed already, by the end of their stage. */
	for (size_t i = 0; i < n; i++) {
		weft_chan_close(p->chans[i]);
		if (i < p->nstages && p->stages[i].order)
			weft_order_close(p->stages[i].order);
	}
}

/* The stage has failed: nothing more comes in, and what is behind it goes on
 * only if it is to be drained. */
static void fail(const struct stage *s, int err)
{
	struct weft_pipeline *p = s->p;

	if (!p->drains)
		weft_ending_fail(&p->end, err);
	else if (weft_ending_set(&p->end, weft_failure_of(err)))
		weft_pipeline_cut(p, s->index + 1);
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

static void worker_left(struct weft_crew_member *m, int status)
{
	struct worker *w = (struct worker *)m;

	if (status)
		fail(w->stage, status);
	drop_rest(w);
}

/* All others have sent what they had. */
static void all_left(struct weft_crew *c)
{
	const struct stage *s =
	        (const struct stage *)((char *)c -
	                               offsetof(struct stage, crew));

	weft_chan_close(s->to);
}

int weft_pipeline_start(struct stage *s, size_t stack_bytes)
{
	static const struct weft_crew_ops ops = { .work = work,
		                                  .left = worker_left,
		                                  .last = all_left };
	struct weft_task_opts opts = { s->name, stack_bytes };

	return weft_crew_start(&s->crew, &ops, s->workers, s->is.workers,
	                       sizeof(struct worker), &opts);
}
