/* A worker: takes items, calls the function, passes results on, and may die. */
#include <errno.h>
#include <stdio.h>

#include <weft/chan.h>

#include "base/check.h"
#include "internal.h"

static void count(_Atomic uint64_t *figure)
{
	weft_store_relaxed(figure, weft_load_relaxed(figure) + 1);
}

/* Be done with the item; `done` says that its result is passed on. */
static void let_go(struct worker *w, bool done)
{
	struct weft_fan *f = w->f;

	w->holds = NOTHING;
	if (done)
		count(&w->out);
	if (f->order)
		reorder_settle(f->order, w->n, done);
	if (fan_is_dealt(f))
		fan_release(w);
}

/* The item has failed. Whether the worker goes on. */
static bool fail(struct worker *w, int err)
{
	let_go(w, false);
	count(&w->failed);
	if (w->f->opts.errors == WEFT_FAN_STOP_ON_ERROR)
		fan_stop_for(w->f, err);
	return !fan_is_stopped(w->f);
}

static int take_ordered(struct worker *w)
{
	struct reorder *order = w->f->order;
	int err;

	err = weft_chan_recv(w->from, &w->n, WEFT_FOREVER);
	if (err)
		return err;
	err = reorder_begin(order, w->n);
	if (err)
		return err; /* the channel has delivered what was not sent */
	w->item = reorder_in(order, w->n);
	w->result = reorder_out(order, w->n);
	return 0;
}

/* The next item. False when there is none, or the fan was stopped; then it may
 * hold one all the same. */
static bool take(struct worker *w)
{
	struct weft_fan *f = w->f;
	int err;

	err = f->order ? take_ordered(w)
	               : weft_chan_recv(w->from, w->taken, WEFT_FOREVER);
	if (!err)
		w->holds = ITEM;
	else if (err != -EPIPE)
		fan_stop_for(f, err);
	return !err && !fan_is_stopped(f);
}

static bool pass_on(struct worker *w)
{
	struct weft_fan *f = w->f;
	int err;

	w->holds = RESULT;
	if (!f->order) {
		err = weft_chan_send(f->out, w->result, WEFT_FOREVER);
		/* Only a stop closes it before its senders have ended. */
		if (err && err != -EPIPE)
			fan_stop_for(f, err);
		if (err)
			return false;
	}
	let_go(w, true);
	return true;
}

static bool process(struct worker *w)
{
	const struct weft_fan_opts *opts = &w->f->opts;
	int result;

	w->holds = CALLED; /* even if the function does not return */
	count(&w->in);
	result = opts->fn(w->item, w->result, w->index, opts->arg);
	if (result == WEFT_FAN_EMIT)
		return pass_on(w);
	if (result != WEFT_FAN_SKIP)
		return fail(w, result < 0 ? result : -EINVAL);
	let_go(w, false);
	return true;
}

static int work(void *arg)
{
	struct worker *w = arg;

	while (take(w) && process(w))
		;
	return 0;
}

/* Release what the worker holds: nobody else knows of it. */
static void drop_rest(struct worker *w)
{
	const struct weft_fan_opts *opts = &w->f->opts;

	if (w->holds == ITEM && opts->drop_in)
		opts->drop_in(w->item, opts->arg);
	if (w->holds == RESULT && opts->drop_out)
		opts->drop_out(w->result, opts->arg);
	if (w->holds != NOTHING)
		let_go(w, false);
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
	err = fan_worker_start(w, &heir);
	if (err) {
		fan_stop_for(w->f, err);
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
		fan_end_results(f);
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

int fan_worker_start(struct worker *w, struct weft_task **out)
{
	struct weft_task_opts opts = { .stack_bytes = w->f->opts.stack_bytes };
	char name[32];

	snprintf(name, sizeof(name), "fan worker %u", w->index);
	opts.name = name;
	return weft_spawn(out, &opts, worker_main, w);
}
