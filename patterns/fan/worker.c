/*
 * A worker: takes items, calls the function, passes results on, and may die.
 *
 * It takes a batch at a time. What is left of one in which the function has
 * ended the task is in the worker's record, so whoever goes on in its place,
 * the same task or an heir, goes on with that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/chan.h>

#include "base/check.h"
#include "internal.h"

static void count(_Atomic uint64_t *figure, uint64_t n)
{
	weft_store_relaxed(figure, weft_load_relaxed(figure) + n);
}

/* The number of item i of an ordered fan's batch. */
static uint64_t number(const struct worker *w, size_t i)
{
	uint64_t n;

	memcpy(&n, w->taken + i * sizeof(n), sizeof(n));
	return n;
}

/* --- a batch --- */

/* The next batch. False when there is none, or the fan was stopped; then it
 * may hold one all the same. */
static bool take(struct worker *w)
{
	struct weft_fan *f = w->f;
	int err;

	w->ntaken = w->next = w->nmade = w->sent = 0;
	if (f->opts.batch > 1) {
		err = weft_chan_recv_many(w->from, w->taken, f->opts.batch,
		                          &w->ntaken, WEFT_FOREVER);
	} else {
		err = weft_chan_recv(w->from, w->taken, WEFT_FOREVER);
		w->ntaken = !err;
	}
	if (err && err != -EPIPE)
		weft_fan_fail_for(f, err);
	if (!err && fan_is_dealt(f))
		weft_fan_taken(w, w->ntaken);
	return !err && !fan_is_stopped(f);
}

/* The item has failed. Whether the worker goes on. */
static bool fail(struct worker *w, int err)
{
	count(&w->failed, 1);
	if (w->f->opts.errors == WEFT_FAN_STOP_ON_ERROR)
		weft_fan_fail_for(w->f, err);
	return !fan_is_stopped(w->f);
}

static int call(struct worker *w, size_t i)
{
	const struct weft_fan_opts *o = &w->f->opts;
	struct reorder *order = w->f->order;
	void *in = w->taken + i * o->in_size;
	void *out = w->made + w->nmade * o->out_size;

	if (order) {
		in = weft_reorder_in(order, number(w, i));
		out = weft_reorder_out(order, number(w, i));
	}
	count(&w->in, 1);
	return o->fn(in, out, w->index, o->arg);
}

/* Work on the next item of the batch. Whether to go on. */
static bool process(struct worker *w)
{
	struct weft_fan *f = w->f;
	size_t i = w->next;
	int result;

	/* The channel may have delivered what was never sent. */
	if (f->order && weft_reorder_begin(f->order, number(w, i))) {
		weft_fan_fail_for(f, -EIO);
		return false;
	}
	w->done[i] = false;
	w->next++; /* the function's now, even if it does not return */
	if (fan_is_dealt(f))
		weft_store_relaxed(&w->rest, (int64_t)(w->ntaken - w->next));
	result = call(w, i);
	if (result == WEFT_FAN_EMIT) {
		w->done[i] = true;
		w->nmade++;
	} else if (result != WEFT_FAN_SKIP) {
		return fail(w, result < 0 ? result : -EINVAL);
	}
	return true;
}

/* A stop does not wait for the rest of a batch. */
static bool process_all(struct worker *w)
{
	while (w->next < w->ntaken)
		if (fan_is_stopped(w->f) || !process(w))
			return false;
	return true;
}

/* All that was worked on is settled, also what has no result. */
static void settle(struct worker *w)
{
	for (size_t i = 0; i < w->next; i++)
		weft_reorder_settle(w->f->order, number(w, i), w->done[i]);
	w->sent = w->nmade;
}

static int send(struct worker *w)
{
	struct weft_chan *out = w->f->out;
	int err;

	if (w->nmade > 1)
		return weft_chan_send_many(out, w->made, w->nmade, &w->sent,
		                           WEFT_FOREVER);
	err = weft_chan_send(out, w->made, WEFT_FOREVER);
	w->sent = !err;
	return err;
}

/* Pass on the results of the batch, and be done with it. Whether to go on. */
static bool pass_on(struct worker *w)
{
	struct weft_fan *f = w->f;
	int err = 0;

	if (f->order)
		settle(w);
	else if (w->nmade)
		err = send(w);
	count(&w->out, w->sent);
	/* Only a stop closes the channel before its senders have ended. */
	if (err && err != -EPIPE)
		weft_fan_fail_for(f, err);
	if (err)
		return false;
	if (fan_is_dealt(f) && w->ntaken)
		weft_fan_finished(w);
	return true;
}

static int work(void *arg)
{
	struct worker *w = arg;

	while (process_all(w) && pass_on(w) && take(w))
		;
	return 0;
}

/* --- the end --- */

/* Release what the worker holds: nobody else knows of it. What an ordered fan
 * has is in its slots, and released with them. */
static void drop_rest(struct worker *w)
{
	const struct weft_fan_opts *o = &w->f->opts;

	if (w->f->order) {
		settle(w);
		return;
	}
	for (; o->drop_in && w->next < w->ntaken; w->next++)
		o->drop_in(w->taken + w->next * o->in_size, o->arg);
	for (; o->drop_out && w->sent < w->nmade; w->sent++)
		o->drop_out(w->made + w->sent * o->out_size, o->arg);
}

/* The thread was ended under the function. Whether another has taken over. */
static bool replace(struct worker *w)
{
	struct weft_task *heir;
	int err;

	if (!fail(w, -ECANCELED))
		return false;
	w->dead = weft_self();
	weft_fetch_add_relaxed(&w->f->replaced, 1u);
	err = weft_fan_worker_start(w, &heir);
	if (err) {
		weft_fan_fail_for(w->f, err);
		return false;
	}
	/* The heir joins this task before it does anything. */
	w->heir = heir;
	return true;
}

/*
 * However a worker ends, it comes through here: by the cleanup attribute also
 * when pthread_exit() unwinds it (this file is built with -fexceptions).
 */
static void worker_left(struct worker **left)
{
	struct worker *w = *left;
	struct weft_fan *f = w->f;

	if (!w->ended && replace(w))
		return;
	drop_rest(w);
	if (weft_fetch_sub_acq_rel(&f->left, 1u) == 1)
		weft_fan_end_results(f);
	weft_waitgroup_done(&f->running);
}

static int worker_main(void *arg)
{
	__attribute__((cleanup(worker_left))) struct worker *w = arg;
	int status;

	if (w->dead)
		CHECK_EQ(weft_join(w->dead, NULL), 0);
	while (weft_try(work, w, &status) == -ECANCELED)
		if (!fail(w, status < 0 ? status : -ECANCELED))
			break;
	w->ended = true;
	return 0;
}

int weft_fan_worker_start(struct worker *w, struct weft_task **out)
{
	struct weft_task_opts opts = { .stack_bytes = w->f->opts.stack_bytes };
	char name[32];

	snprintf(name, sizeof(name), "fan worker %u", w->index);
	opts.name = name;
	return weft_spawn(out, &opts, worker_main, w);
}
