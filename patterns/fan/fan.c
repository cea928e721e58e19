#include "fan.h"

#include <errno.h>
#include <stdlib.h>

#include <weft/chan_impl.h>

#include "base/cacheline.h"
#include "common/ends.h"
#include "internal.h"

#define DEFAULT_WINDOW_MAX 65536u

/* --- the end --- */

/* Close what senders send into. False when that was done before. */
static bool close_entrance(struct weft_fan *f)
{
	if (weft_xchg_acq_rel(&f->closing, true)) /* [closing] */
		return false;
	if (f->entry)
		weft_chan_close(f->entry);
	for (size_t i = 0; fan_is_dealt(f) && i < f->nqueues; i++)
		weft_chan_close(f->queues[i]);
	weft_waiters_wake(&f->room, SIZE_MAX);
	if (f->order)
		weft_reorder_notify_all(f->order);
	return true;
}

/* Whether what the workers have passed on has all been received. */
static bool exit_is_empty(struct weft_fan *f)
{
	if (f->order)
		return !weft_reorder_holds_any(f->order);
	return f->opts.impl->can & WEFT_CAN_LEN && weft_chan_len(f->out) == 0;
}

/* Nothing is left that could be stopped, or would be missed. What a channel
 * that cannot count has inside shows only when it is received from. */
static bool went_through(void *arg)
{
	struct weft_fan *f = arg;

	if (weft_load_acquire(&f->through))
		return true;
	return weft_crew_has_ended(&f->crew) && exit_is_empty(f);
}

static void release(void *arg)
{
	struct weft_fan *f = arg;

	close_entrance(f);
	/* Some may be closed already, by the end of what sends into them. */
	for (size_t i = 0; i < f->nqueues; i++)
		weft_chan_close(f->queues[i]);
	if (f->out)
		weft_chan_close(f->out);
	if (f->order)
		weft_reorder_notify_all(f->order);
}

static const struct weft_ending_ops ending_ops = { went_through, release };

/* Items are missing from then on, so the end is not that of the results. */
static void pump_failed(void *arg, int err)
{
	struct weft_fan *f = arg;

	weft_ending_fail(&f->end, err);
}

/* --- making --- */

/* Workers receive from their queue, and send into that of the results. The
 * callers of the fan answer for themselves. */
static bool makes_sense(const struct weft_fan_opts *o)
{
	unsigned at_queue = o->deal == WEFT_FAN_SHARED ? o->workers : 1;
	bool ordered = o->merge == WEFT_FAN_ORDERED;

	return o->fn && o->workers && o->workers <= WEFT_FAN_WORKERS_MAX &&
	       (unsigned)o->deal <= WEFT_FAN_BROADCAST &&
	       (unsigned)o->merge <= WEFT_FAN_ORDERED &&
	       (unsigned)o->on_error <= WEFT_ON_ERROR_SKIP &&
	       !(ordered && o->deal == WEFT_FAN_BROADCAST) &&
	       ends_suit(o->impl, ordered ? 1 : o->workers, at_queue);
}

static size_t default_window(const struct weft_fan_opts *o)
{
	size_t window;

	if (__builtin_mul_overflow(o->batch, 2 * (size_t)o->workers, &window) ||
	    __builtin_add_overflow(window, o->cap, &window) ||
	    window > DEFAULT_WINDOW_MAX)
		window = DEFAULT_WINDOW_MAX;
	return window;
}

static void fill_in(struct weft_fan_opts *o)
{
	o->impl = o->impl ? o->impl : weft_chan_impl_find("handoff");
	o->batch = o->batch ? o->batch : 1;
	o->out_size = o->out_size ? o->out_size : o->elem_size;
	o->window = o->window ? o->window : default_window(o);
}

static int make_chan(const struct weft_fan *f, struct weft_chan **out,
                     size_t size, void (*drop)(void *elem, void *drop_arg),
                     void *drop_arg)
{
	struct weft_chan_opts opts = { .wait = f->opts.wait,
		                       .drop = drop,
		                       .drop_arg = drop_arg };

	return weft_chan_new(out, f->opts.impl, f->opts.cap, size, &opts);
}

/* An item of a broadcast that has reached nobody. */
static void drop_for_all(void *elem, void *arg)
{
	const struct weft_fan *f = arg;

	for (unsigned i = 0; f->opts.drop_in && i < f->opts.workers; i++)
		f->opts.drop_in(elem, f->opts.drop_arg);
}

/* What waits in the queues of an ordered fan are numbers, and the items belong
 * to the reorder buffer. */
static int make_queues(struct weft_fan *f)
{
	const struct weft_fan_opts *o = &f->opts;
	size_t size = f->order ? sizeof(uint64_t) : o->elem_size, cap;
	int err = 0;

	for (size_t i = 0; i < f->nqueues && !err; i++)
		err = make_chan(f, &f->queues[i], size,
		                f->order ? NULL : o->drop_in, o->drop_arg);
	if (err)
		return err;
	cap = weft_chan_cap(f->queues[0]);
	f->limit = cap < INT64_MAX ? (int64_t)cap + 1 : INT64_MAX;
	if (o->deal == WEFT_FAN_SHARED)
		f->entry = weft_chan_ref(f->queues[0]);
	else if (o->deal == WEFT_FAN_BROADCAST)
		err = make_chan(f, &f->entry, size, drop_for_all, f);
	return err;
}

static int make_exit(struct weft_fan *f)
{
	const struct weft_fan_opts *o = &f->opts;

	if (o->merge == WEFT_FAN_UNORDERED)
		return make_chan(f, &f->out, o->out_size, o->drop_out,
		                 o->drop_arg);
	f->order = cacheline_new(1, sizeof(*f->order));
	if (!f->order)
		return -ENOMEM;
	return weft_reorder_init(f->order, o->window, o->elem_size, o->out_size,
	                         o->wait);
}

static int make_worker(struct weft_fan *f, unsigned index)
{
	const struct weft_fan_opts *o = &f->opts;
	struct worker *w = &f->workers[index];

	w->f = f;
	w->from = f->queues[f->nqueues == 1 ? 0 : index];
	w->taken = cacheline_new(o->batch,
	                         f->order ? sizeof(uint64_t) : o->elem_size);
	w->made = cacheline_new(f->order ? 0 : o->batch, o->out_size);
	w->done = cacheline_new(o->batch, sizeof(*w->done));
	return w->taken && w->made && w->done ? 0 : -ENOMEM;
}

static int make_all(struct weft_fan *f)
{
	const struct weft_fan_opts *o = &f->opts;
	int err;

	f->nqueues = o->deal == WEFT_FAN_SHARED ? 1 : o->workers;
	f->workers = cacheline_new(o->workers, sizeof(*f->workers));
	f->queues = cacheline_new(f->nqueues, sizeof(struct weft_chan *));
	if (!f->workers || !f->queues)
		return -ENOMEM;
	err = make_exit(f);
	if (!err)
		err = make_queues(f);
	for (unsigned i = 0; i < o->workers && !err; i++)
		err = make_worker(f, i);
	return err;
}

/* After an error some run: see weft_fan_free(). */
static int start_all(struct weft_fan *f)
{
	struct weft_relay_opts pump = { .stack_bytes = f->opts.stack_bytes,
		                        .drop = f->opts.drop_in,
		                        .drop_arg = f->opts.drop_arg };
	int err = weft_fan_start(f);

	if (!err && f->opts.deal == WEFT_FAN_BROADCAST)
		err = weft_fan_broadcast(&f->pump, f->queues, f->nqueues,
		                         f->entry, &pump, pump_failed, f);
	return err ? err : weft_ending_watch(&f->end, f->opts.ctx);
}

int weft_fan_new(struct weft_fan **out, const struct weft_fan_opts *opts)
{
	struct weft_fan_opts o;
	struct weft_fan *f;
	int err;

	if (!out || !opts)
		return -EINVAL;
	o = *opts;
	fill_in(&o);
	if (!makes_sense(&o))
		return -EINVAL;
	f = cacheline_new(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->opts = o;
	weft_ending_init(&f->end, &ending_ops, f);
	weft_waiters_init(&f->room);
	err = weft_waiters_set_wait(&f->room, o.wait);
	if (!err)
		err = make_all(f);
	if (!err)
		err = start_all(f);
	if (err) {
		weft_fan_free(f);
		return err;
	}
	*out = f;
	return 0;
}

static void free_workers(struct weft_fan *f)
{
	for (unsigned i = 0; f->workers && i < f->opts.workers; i++) {
		free(f->workers[i].taken);
		free(f->workers[i].made);
		free(f->workers[i].done);
	}
	free(f->workers);
}

static void free_chans(struct weft_fan *f)
{
	weft_chan_unref(f->entry);
	for (size_t i = 0; f->queues && i < f->nqueues; i++)
		weft_chan_unref(f->queues[i]);
	free(f->queues);
	weft_chan_unref(f->out);
	if (f->order)
		weft_reorder_free(f->order, f->opts.drop_in, f->opts.drop_out,
		                  f->opts.drop_arg);
	free(f->order);
}

void weft_fan_free(struct weft_fan *f)
{
	if (!f)
		return;
	weft_ending_unwatch(&f->end);
	if (!weft_crew_has_ended(&f->crew))
		weft_ending_stop(&f->end, -ECANCELED);
	/* First: it looks at the crew when it fails. */
	weft_relay_free(f->pump);
	weft_crew_join(&f->crew);
	free_workers(f);
	free_chans(f);
	free(f);
}

/* --- using --- */

/* An item of an ordered fan on its way to a slot. */
struct entrant {
	struct weft_fan *f;
	const void *elem;
	uint64_t n;
};

static int look_for_slot(void *arg)
{
	struct entrant *e = arg;

	if (weft_load_acquire(&e->f->closing)) /* [closing] */
		return -EPIPE;
	return weft_reorder_enter(e->f->order, e->elem, &e->n);
}

static int hand_over(struct weft_fan *f, const void *elem, int64_t deadline_ns)
{
	if (fan_is_dealt(f))
		return weft_fan_deal_out(f, elem, deadline_ns);
	return weft_chan_send(f->entry, elem, deadline_ns);
}

static int send_ordered(struct weft_fan *f, const void *elem,
                        int64_t deadline_ns)
{
	struct entrant e = { .f = f, .elem = elem };
	int err;

	err = fan_wait(&f->order->space, "fan window", look_for_slot, &e,
	               deadline_ns);
	if (err)
		return err;
	err = hand_over(f, &e.n, deadline_ns);
	if (err)
		weft_reorder_withdraw(f->order, e.n);
	return err;
}

int weft_fan_send(struct weft_fan *f, const void *elem, int64_t deadline_ns)
{
	if (!f || (!elem && f->opts.elem_size))
		return -EINVAL;
	return weft_ending_of(&f->end,
	                      f->order ? send_ordered(f, elem, deadline_ns)
	                               : hand_over(f, elem, deadline_ns));
}

int weft_fan_try_send(struct weft_fan *f, const void *elem)
{
	int err = weft_fan_send(f, elem, WEFT_NOW);

	return f ? weft_ending_tried(&f->end, err) : err;
}

/* Somebody in search of the next result of an ordered fan. */
struct taker {
	struct weft_fan *f;
	void *elem;
};

static int look_for_result(void *arg)
{
	const struct taker *t = arg;
	/* Before the look at what there is: it was all made by then. */
	bool finished = weft_load_acquire(&t->f->finished); /* [finished] */
	int err;

	/* Whatever the reason is, here it is an end. */
	if (weft_ending_why(&t->f->end))
		return -EPIPE;
	err = weft_reorder_take(t->f->order, t->elem);
	if (err == -EAGAIN && finished && weft_reorder_is_empty(t->f->order))
		return -EPIPE;
	return err;
}

int weft_fan_recv(struct weft_fan *f, void *elem, int64_t deadline_ns)
{
	struct taker t = { f, elem };
	int err;

	if (!f || (!elem && f->opts.out_size))
		return -EINVAL;
	/* What a stop has left inside is not for the caller. */
	err = weft_ending_why(&f->end);
	if (err)
		return err;
	if (f->order)
		err = fan_wait(&f->order->results, "fan recv", look_for_result,
		               &t, deadline_ns);
	else
		err = weft_chan_recv(f->out, elem, deadline_ns);
	err = weft_ending_of(&f->end, err);
	if (err == -EPIPE)
		weft_store_release(&f->through, true);
	return err;
}

int weft_fan_try_recv(struct weft_fan *f, void *elem)
{
	int err = weft_fan_recv(f, elem, WEFT_NOW);

	return f ? weft_ending_tried(&f->end, err) : err;
}

int weft_fan_close(struct weft_fan *f)
{
	if (!f)
		return -EINVAL;
	return close_entrance(f) ? 0 : -EPIPE;
}

int weft_fan_stop(struct weft_fan *f)
{
	return f ? weft_ending_stop(&f->end, -ECANCELED) : -EINVAL;
}

int weft_fan_fail(struct weft_fan *f, int err)
{
	return f ? weft_ending_fail(&f->end, err) : -EINVAL;
}

int weft_fan_join(struct weft_fan *f, int64_t deadline_ns)
{
	return f ? weft_crew_wait_for_end(&f->crew, &f->end, deadline_ns)
	         : -EINVAL;
}

int weft_fan_worker_stats(const struct weft_fan *f, unsigned worker,
                          struct weft_fan_worker_stats *out)
{
	const struct worker *w;

	if (!f || !out || worker >= f->opts.workers)
		return -EINVAL;
	w = &f->workers[worker];
	*out = (struct weft_fan_worker_stats){
		.in = weft_load_relaxed(&w->in),
		.out = weft_load_relaxed(&w->out),
		.failed = weft_load_relaxed(&w->failed),
		.queued = f->nqueues > 1 ? weft_chan_len(w->from) : 0,
	};
	return 0;
}

int weft_fan_stats(const struct weft_fan *f, struct weft_fan_stats *out)
{
	if (!f || !out)
		return -EINVAL;
	*out = (struct weft_fan_stats){
		.replaced = weft_load_relaxed(&f->crew.heirs),
		.ahead = f->order ? (size_t)weft_load_relaxed(&f->order->ahead)
		                  : 0,
		.window = f->order ? f->order->window : 0,
	};
	for (size_t i = 0; i < f->nqueues; i++)
		out->queued += weft_chan_len(f->queues[i]);
	if (f->opts.deal == WEFT_FAN_BROADCAST)
		out->queued += weft_chan_len(f->entry);
	for (unsigned i = 0; i < f->opts.workers; i++) {
		out->in += weft_load_relaxed(&f->workers[i].in);
		out->out += weft_load_relaxed(&f->workers[i].out);
		out->failed += weft_load_relaxed(&f->workers[i].failed);
	}
	return 0;
}
