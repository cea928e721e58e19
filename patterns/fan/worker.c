/*
 * A worker: takes items, calls the function, passes results on, and may die.
 *
 * It takes a batch at a time. What is left of one in which the function has
 * ended the task is in the worker's record, and the same task or an heir goes
 * on with that.
 */
#include <string.h>

#include <weft/chan.h>

#include "internal.h"

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
		weft_ending_fail(&f->end, err);
	if (!err && fan_is_dealt(f))
		weft_fan_taken(w, w->ntaken);
	return !err && !weft_ending_is_set(&f->end);
}

/* The item has failed. Whether the worker goes on. */
static bool fail(struct worker *w, int err)
{
	count_add(&w->failed, 1);
	if (w->f->opts.on_error == WEFT_ON_ERROR_STOP)
		weft_ending_fail(&w->f->end, err);
	return !weft_ending_is_set(&w->f->end);
}

static int call(struct worker *w, size_t i)
{
	const struct weft_fan_opts *o = &w->f->opts;
	struct reorder *order = w->f->order;
	void *in = w->taken + i * o->elem_size;
	void *out = w->made + w->nmade * o->out_size;

	if (order) {
		in = weft_reorder_in(order, number(w, i));
		out = weft_reorder_out(order, number(w, i));
	}
	count_add(&w->in, 1);
	return o->fn(in, out, (unsigned)w->member.index, o->arg);
}

/* Work on the next item of the batch. Whether to go on. */
static bool process(struct worker *w)
{
	struct weft_fan *f = w->f;
	size_t i = w->next;
	int result;

	/* The channel may have delivered what was never sent. */
	if (f->order && weft_reorder_begin(f->order, number(w, i))) {
		weft_ending_fail(&f->end, -EIO);
		return false;
	}
	w->done[i] = false;
	w->next++; /* the function's now, even if it does not return */
	if (fan_is_dealt(f))
		weft_store_relaxed(&w->rest, (int64_t)(w->ntaken - w->next));
	result = call(w, i);
	if (result == WEFT_EMIT) {
		w->done[i] = true;
		w->nmade++;
	} else if (result != WEFT_SKIP) {
		return fail(w, result < 0 ? result : -EINVAL);
	}
	return true;
}

/* A stop does not wait for the rest of a batch. */
static bool process_all(struct worker *w)
{
	while (w->next < w->ntaken)
		if (weft_ending_is_set(&w->f->end) || !process(w))
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
	count_add(&w->out, w->sent);
	/* Only a stop closes the channel before its senders have ended. */
	if (err && err != -EPIPE)
		weft_ending_fail(&f->end, err);
	if (err)
		return false;
	if (fan_is_dealt(f) && w->ntaken)
		weft_fan_finished(w);
	return true;
}

static int work(struct weft_crew_member *m)
{
	struct worker *w = (struct worker *)m;

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
		o->drop_in(w->taken + w->next * o->elem_size, o->drop_arg);
	for (; o->drop_out && w->sent < w->nmade; w->sent++)
		o->drop_out(w->made + w->sent * o->out_size, o->drop_arg);
}

/* The function has ended the task, or the thread. */
static bool again(struct weft_crew_member *m, enum weft_guard_end end,
                  int status)
{
	(void)end;
	return fail((struct worker *)m, status);
}

static void worker_left(struct weft_crew_member *m, int status)
{
	struct worker *w = (struct worker *)m;

	/* It has stopped the fan, or there is no heir. */
	if (status)
		weft_ending_fail(&w->f->end, status);
	drop_rest(w);
}

/* All results have been passed on. */
static void all_left(struct weft_crew *c)
{
	struct weft_fan *f =
	        (struct weft_fan *)((char *)c -
	                            offsetof(struct weft_fan, crew));

	if (f->out) {
		weft_chan_close(f->out);
		return;
	}
	weft_store_release(&f->finished, true); /* [finished] */
	weft_reorder_notify_all(f->order);
}

int weft_fan_start(struct weft_fan *f)
{
	static const struct weft_crew_ops ops = { .numbered = true,
		                                  .work = work,
		                                  .again = again,
		                                  .left = worker_left,
		                                  .last = all_left };
	struct weft_task_opts opts = { "fan worker", f->opts.stack_bytes };

	return weft_crew_start(&f->crew, &ops, f->workers, f->opts.workers,
	                       sizeof(*f->workers), &opts);
}
