/* A worker: take a batch, call the function for each item, pass on what it
 * made; from the first batch to the end. */
#include <errno.h>

#include "common/failure.h"
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

/* Who waits here with the turn to take keeps the others waiting for it: an end
 * of the input or a stop reaches all of them, one after the other. */
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
	weft_store_relaxed(&w->in, weft_load_relaxed(&w->in) + 1);
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
	weft_store_relaxed(&w->out, weft_load_relaxed(&w->out) + *sent);
	return err;
}

/* Put what was made where its turn will find it, and pass on what has its turn
 * now. What was put is no longer the worker's. */
static int pass_on_in_turn(struct worker *w)
{
	struct order *o = w->stage->order;
	struct order_batch *b =
	        weft_order_put(o, w->ticket, &w->made, w->nmade);
	int err;

	w->nmade = w->sent = 0;
	for (; b; b = weft_order_passed(o)) {
		err = b->n ? send(w, b->items, b->n, &b->sent) : 0;
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

/* --- from the first batch to the end --- */

/* Until the input ends, or the stage is stopped: 0. Otherwise what it fails
 * with. */
static int work(void *arg)
{
	struct worker *w = arg;
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

/* The stage has failed: nothing more comes in, and what is behind it goes on
 * only if it is to be drained. */
static void fail(const struct stage *s, int err)
{
	struct weft_pipeline *p = s->p;

	weft_pipeline_stop_for(p, failure_of(err),
	                       p->drains ? s->index + 1 : p->nstages + 1);
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
		fail(s, -ECANCELED);
	drop_rest(w);
	/* The last one closes: all others have sent what they had. */
	if (weft_fetch_sub_acq_rel(&s->left, 1u) == 1)
		weft_chan_close(s->to);
	weft_waitgroup_done(&s->p->running);
}

int weft_pipeline_worker_main(void *worker)
{
	__attribute__((cleanup(worker_left))) struct worker *w = worker;
	int status = 0;

	if (weft_try(work, w, &status) == -ECANCELED && status >= 0)
		status = -ECANCELED;
	w->ended = true;
	if (status)
		fail(w->stage, status);
	return status;
}
