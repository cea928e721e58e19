#include "buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>

#include "common/ends.h"
#include "common/watch.h"
#include "task/spin.h"

/* Stopped is any negative error: the reason. */
enum state { OPEN, CLOSED };

/* What is counted of the puts, or of the takes. */
struct side {
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t items;
	_Atomic uint64_t waits;
	_Atomic int64_t wait_ns;
};

struct weft_buffer {
	/* Constant once made. */
	struct weft_chan *chan;
	size_t elem_size, cap;
	bool count, count_consumers;
	enum weft_overflow overflow;
	void (*drop)(void *elem, void *drop_arg);
	void *drop_arg;

	/* From OPEN to CLOSED, from either to the error that stopped it, and
	 * before the channel is closed: who finds that closed finds the reason
	 * here. */
	_Atomic int state;

	/* Producers that are not done, consumers that have not left. */
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned producers;
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned consumers;
	_Atomic uint64_t dropped;

	/* With `count`. */
	struct side puts, takes;
	/* As the puts have left it. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t fill_sum;
	_Atomic size_t high;
	_Atomic uint64_t fill[WEFT_BUFFER_FILLS];

	struct watch watch; /* from new to free */
};

/* Whether the options make sense together; what the channel thinks of them, it
 * says itself. */
static bool are_sound(const struct weft_buffer_opts *opts,
                      const struct weft_chan_impl *impl)
{
	if (!ends_allow(impl->max_senders, opts->producers) ||
	    !ends_allow(impl->max_receivers, opts->consumers))
		return false;
	if (opts->overflow == WEFT_OVERFLOW_DROP_OLDEST)
		return opts->cap > 0 && impl->max_receivers == 0;
	return opts->overflow == WEFT_OVERFLOW_WAIT ||
	       opts->overflow == WEFT_OVERFLOW_DROP_NEWEST;
}

static int open_chan(struct weft_buffer *b, const struct weft_chan_impl *impl,
                     const struct weft_buffer_opts *opts)
{
	const struct weft_chan_opts chan = { .wait = opts->wait,
		                             .drop = opts->drop,
		                             .drop_arg = opts->drop_arg };
	int err = weft_chan_new(&b->chan, impl, opts->cap, opts->elem_size,
	                        &chan);

	if (err)
		return err;
	b->elem_size = opts->elem_size;
	b->cap = weft_chan_cap(b->chan);
	return 0;
}

/* The first reason stays. */
static void stop_for(struct weft_buffer *b, int err)
{
	int state = weft_load_relaxed(&b->state);

	while (state >= 0 &&
	       !weft_cas_weak_acq_rel(&b->state, &state, err)) /* [state] */
		;
	weft_chan_close(b->chan);
}

static void context_ended(void *arg)
{
	struct weft_buffer *b = arg;

	stop_for(b, watch_why(&b->watch));
}

int weft_buffer_new(struct weft_buffer **out,
                    const struct weft_buffer_opts *opts)
{
	static const struct weft_buffer_opts defaults;
	const struct weft_chan_impl *impl;
	struct weft_buffer *b;
	int err;

	if (!out)
		return -EINVAL;
	if (!opts)
		opts = &defaults;
	impl = opts->impl ? opts->impl : weft_chan_impl_find("handoff");
	if (!are_sound(opts, impl))
		return -EINVAL;
	b = aligned_alloc(_Alignof(struct weft_buffer), sizeof(*b));
	if (!b)
		return -ENOMEM;
	/* Every count begins at 0, and OPEN is 0. */
	memset(b, 0, sizeof(*b));
	err = open_chan(b, impl, opts);
	if (err) {
		free(b);
		return err;
	}
	b->count = opts->count;
	b->count_consumers = opts->consumers > 0;
	b->overflow = opts->overflow;
	b->drop = opts->drop;
	b->drop_arg = opts->drop_arg;
	weft_store_relaxed(&b->producers,
	                   opts->producers ? opts->producers : 1);
	weft_store_relaxed(&b->consumers, opts->consumers);
	err = watch_begin(&b->watch, opts->ctx, context_ended, b);
	if (err) {
		weft_buffer_free(b);
		return err;
	}
	*out = b;
	return 0;
}

void weft_buffer_free(struct weft_buffer *b)
{
	if (!b)
		return;
	watch_end(&b->watch);
	weft_chan_unref(b->chan);
	free(b);
}

/* 0, or why it was stopped. */
static int stopped_for(const struct weft_buffer *b)
{
	int state = weft_load_acquire(&b->state); /* [state] */

	return state < 0 ? state : 0;
}

/* The caller's error, of what the channel said: that it is closed may be
 * because the buffer was stopped. */
static int reason(const struct weft_buffer *b, int err)
{
	int stopped = err == -EPIPE ? stopped_for(b) : 0;

	return stopped ? stopped : err;
}

/* --- what is counted --- */

static void note_wait(struct side *side, int64_t since)
{
	weft_fetch_add_relaxed(&side->waits, 1u);
	weft_fetch_add_relaxed(&side->wait_ns, weft_now() - since);
}

/* How many are inside. An implementation that counts without a lock may be
 * wrong by those who are on their way: what is less than nothing is nothing,
 * and there is never more than there is room for. */
static size_t fill_of(const struct weft_buffer *b)
{
	size_t len = weft_chan_len(b->chan);

	if (len > SIZE_MAX / 2)
		return 0;
	return len < b->cap ? len : b->cap;
}

/* n items more are in, and the fill is what it is now. */
static void note_puts(struct weft_buffer *b, size_t n)
{
	size_t len = fill_of(b);
	size_t high = weft_load_relaxed(&b->high);

	weft_fetch_add_relaxed(&b->puts.items, n);
	weft_fetch_add_relaxed(&b->fill_sum, (uint64_t)len * n);
	/* Rarely a new one, so rarely a write. */
	while (len > high && !weft_cas_relaxed(&b->high, &high, len))
		;
	if (b->cap > 0 && b->cap < SIZE_MAX)
		weft_fetch_add_relaxed(
		        &b->fill[len * (WEFT_BUFFER_FILLS - 1) / b->cap], n);
}

/* After a put of n items that ended with err; returns what the caller gets. */
static int put_result(struct weft_buffer *b, int err, size_t n)
{
	if (b->count && n)
		note_puts(b, n);
	return reason(b, err);
}

static int take_result(struct weft_buffer *b, int err, size_t n)
{
	if (b->count && n)
		weft_fetch_add_relaxed(&b->takes.items, n);
	return reason(b, err);
}

/* --- put --- */

static void drop_item(struct weft_buffer *b, void *elem)
{
	weft_fetch_add_relaxed(&b->dropped, 1u);
	if (b->drop)
		b->drop(elem, b->drop_arg);
}

/* The callee may keep house in what it is given; the caller's stays. Out of
 * line, here and below: a put that has space needs no such frame. */
__attribute__((noinline)) static int drop_newest(struct weft_buffer *b,
                                                 const void *elem)
{
	_Alignas(WEFT_CACHE_LINE) unsigned char copy[WEFT_ELEM_MAX];

	if (b->elem_size)
		memcpy(copy, elem, b->elem_size);
	drop_item(b, copy);
	return 0;
}

/* Another producer may be faster and take the place that this one makes; then
 * one more goes. */
__attribute__((noinline)) static int drop_oldest(struct weft_buffer *b,
                                                 const void *elem)
{
	_Alignas(WEFT_CACHE_LINE) unsigned char oldest[WEFT_ELEM_MAX];
	unsigned turns = 0;
	int err;

	do {
		if (weft_chan_try_recv(b->chan, oldest) == 0)
			drop_item(b, oldest);
		else
			spin_for_peer(&turns);
		err = weft_chan_try_send(b->chan, elem);
	} while (err == -EAGAIN);
	return err;
}

/* Put one item into a buffer that was full just now and has a policy. */
static int overflow(struct weft_buffer *b, const void *elem)
{
	return b->overflow == WEFT_OVERFLOW_DROP_NEWEST ? drop_newest(b, elem)
	                                                : drop_oldest(b, elem);
}

/* Whether a put is a send and no more. */
static bool is_plain(const struct weft_buffer *b)
{
	return !b->count && b->overflow == WEFT_OVERFLOW_WAIT;
}

/* It was full just now. */
static int wait_and_put(struct weft_buffer *b, const void *elem,
                        int64_t deadline_ns)
{
	int64_t since = weft_now();
	int err;

	if (deadline_ns <= since)
		return -ETIMEDOUT;
	err = weft_chan_send(b->chan, elem, deadline_ns);
	note_wait(&b->puts, since);
	return err;
}

int weft_buffer_put(struct weft_buffer *b, const void *elem,
                    int64_t deadline_ns)
{
	int err;

	if (!b)
		return -EINVAL;
	if (is_plain(b)) {
		err = weft_chan_send(b->chan, elem, deadline_ns);
	} else {
		err = weft_chan_try_send(b->chan, elem);
		if (err == -EAGAIN)
			err = b->overflow ? overflow(b, elem)
			                  : wait_and_put(b, elem, deadline_ns);
	}
	return put_result(b, err, !err);
}

int weft_buffer_try_put(struct weft_buffer *b, const void *elem)
{
	int err;

	if (!b)
		return -EINVAL;
	err = weft_chan_try_send(b->chan, elem);
	if (err == -EAGAIN && b->overflow)
		err = overflow(b, elem);
	return put_result(b, err, !err);
}

/* Item i of an array; NULL where items have no bytes and the array is none. */
static const void *item_at(const struct weft_buffer *b, const void *elems,
                           size_t i)
{
	return elems ? (const char *)elems + i * b->elem_size : NULL;
}

/* What did not fit: items *done, *done + 1, ... n - 1. */
static int put_rest(struct weft_buffer *b, const void *elems, size_t n,
                    size_t *done, int64_t deadline_ns)
{
	int64_t since = weft_now();
	size_t before = *done;
	int err;

	if (deadline_ns <= since)
		return -ETIMEDOUT;
	err = weft_chan_send_many(b->chan, item_at(b, elems, before),
	                          n - before, done, deadline_ns);
	*done += before;
	note_wait(&b->puts, since);
	return err;
}

static int put_rest_or_drop(struct weft_buffer *b, const void *elems, size_t n,
                            size_t *done)
{
	int err = 0;

	for (; *done < n && !err; *done += !err) {
		const void *elem = item_at(b, elems, *done);

		err = weft_chan_try_send(b->chan, elem);
		if (err == -EAGAIN)
			err = overflow(b, elem);
	}
	return err;
}

int weft_buffer_put_many(struct weft_buffer *b, const void *elems, size_t n,
                         size_t *done, int64_t deadline_ns)
{
	int err;

	if (!b || !done)
		return -EINVAL;
	err = weft_chan_send_many(b->chan, elems, n, done,
	                          is_plain(b) ? deadline_ns : WEFT_NOW);
	if (err == -ETIMEDOUT && !is_plain(b))
		err = b->overflow ? put_rest_or_drop(b, elems, n, done)
		                  : put_rest(b, elems, n, done, deadline_ns);
	return put_result(b, err, *done);
}

/* --- take --- */

/* It was empty just now. */
static int wait_and_take(struct weft_buffer *b, void *elem, int64_t deadline_ns)
{
	int64_t since = weft_now();
	int err;

	if (deadline_ns <= since)
		return -ETIMEDOUT;
	err = weft_chan_recv(b->chan, elem, deadline_ns);
	note_wait(&b->takes, since);
	return err;
}

int weft_buffer_take(struct weft_buffer *b, void *elem, int64_t deadline_ns)
{
	int err;

	if (!b)
		return -EINVAL;
	/* What a stop has left inside is not for the takers. */
	err = stopped_for(b);
	if (err)
		return err;
	if (!b->count) {
		err = weft_chan_recv(b->chan, elem, deadline_ns);
	} else {
		err = weft_chan_try_recv(b->chan, elem);
		if (err == -EAGAIN)
			err = wait_and_take(b, elem, deadline_ns);
	}
	return take_result(b, err, !err);
}

int weft_buffer_try_take(struct weft_buffer *b, void *elem)
{
	int err;

	if (!b)
		return -EINVAL;
	err = stopped_for(b);
	if (err)
		return err;
	err = weft_chan_try_recv(b->chan, elem);
	return take_result(b, err, !err);
}

static int wait_and_take_many(struct weft_buffer *b, void *elems, size_t n,
                              size_t *done, int64_t deadline_ns)
{
	int64_t since = weft_now();
	int err;

	if (deadline_ns <= since)
		return -ETIMEDOUT;
	err = weft_chan_recv_many(b->chan, elems, n, done, deadline_ns);
	note_wait(&b->takes, since);
	return err;
}

int weft_buffer_take_many(struct weft_buffer *b, void *elems, size_t n,
                          size_t *done, int64_t deadline_ns)
{
	int err;

	if (!b || !done)
		return -EINVAL;
	*done = 0;
	err = stopped_for(b);
	if (err)
		return err;
	err = weft_chan_recv_many(b->chan, elems, n, done,
	                          b->count ? WEFT_NOW : deadline_ns);
	if (err == -ETIMEDOUT && b->count)
		err = wait_and_take_many(b, elems, n, done, deadline_ns);
	return take_result(b, err, *done);
}

/* --- who takes part, and the end --- */

int weft_buffer_attach(struct weft_buffer *b)
{
	unsigned n;

	if (!b)
		return -EINVAL;
	if (weft_load_acquire(&b->state) != OPEN) /* [state] */
		return -EPIPE;
	n = weft_load_relaxed(&b->producers);
	/* Not from 0: the last one has closed it, or is about to. */
	do {
		if (n == 0)
			return -EPIPE;
	} while (!weft_cas_weak_relaxed(&b->producers, &n, n + 1));
	return 0;
}

/* One less. Returns how many there were. */
static unsigned count_down(_Atomic unsigned *count)
{
	unsigned n = weft_load_relaxed(count);

	while (n > 0 && !weft_cas_weak_acq_rel(count, &n, n - 1))
		;
	return n;
}

int weft_buffer_done(struct weft_buffer *b)
{
	unsigned n;

	if (!b)
		return -EINVAL;
	n = count_down(&b->producers);
	if (n == 1)
		weft_buffer_close(b);
	return n ? 0 : -EINVAL;
}

int weft_buffer_leave(struct weft_buffer *b)
{
	unsigned n;

	if (!b || !b->count_consumers)
		return -EINVAL;
	n = count_down(&b->consumers);
	if (n == 1)
		weft_buffer_stop(b);
	return n ? 0 : -EINVAL;
}

/* Somebody's part, and what its end means. */
struct part {
	struct weft_buffer *b;
	int (*over)(struct weft_buffer *b);
};

/* By the cleanup attribute also when pthread_exit() unwinds through here (this
 * file is built with -fexceptions). */
static void part_is_over(struct part *part)
{
	part->over(part->b);
}

static int play(const struct part *part, weft_task_fn fn, void *arg,
                int *status)
{
	__attribute__((cleanup(part_is_over))) struct part mine = *part;

	(void)mine;
	return weft_try(fn, arg, status);
}

int weft_buffer_produce(struct weft_buffer *b, weft_task_fn fn, void *arg,
                        int *status)
{
	if (!b || !fn)
		return -EINVAL;
	return play(&(struct part){ b, weft_buffer_done }, fn, arg, status);
}

int weft_buffer_consume(struct weft_buffer *b, weft_task_fn fn, void *arg,
                        int *status)
{
	if (!b || !fn)
		return -EINVAL;
	return play(&(struct part){ b, weft_buffer_leave }, fn, arg, status);
}

int weft_buffer_close(struct weft_buffer *b)
{
	int state = OPEN;

	if (!b)
		return -EINVAL;
	if (!weft_cas_acq_rel(&b->state, &state, (int)CLOSED)) /* [state] */
		return -EPIPE;
	weft_chan_close(b->chan);
	return 0;
}

int weft_buffer_stop(struct weft_buffer *b)
{
	if (!b)
		return -EINVAL;
	stop_for(b, -ECANCELED);
	return 0;
}

/* --- figures --- */

static void copy_counts(const struct weft_buffer *b,
                        struct weft_buffer_stats *out)
{
	out->puts = weft_load_relaxed(&b->puts.items);
	out->takes = weft_load_relaxed(&b->takes.items);
	out->put_waits = weft_load_relaxed(&b->puts.waits);
	out->take_waits = weft_load_relaxed(&b->takes.waits);
	out->put_wait_ns = weft_load_relaxed(&b->puts.wait_ns);
	out->take_wait_ns = weft_load_relaxed(&b->takes.wait_ns);
	out->high = weft_load_relaxed(&b->high);
	for (size_t i = 0; i < WEFT_BUFFER_FILLS; i++)
		out->fill[i] = weft_load_relaxed(&b->fill[i]);
	if (out->puts)
		out->mean_fill = (double)weft_load_relaxed(&b->fill_sum) /
		                 (double)out->puts;
}

void weft_buffer_stats(const struct weft_buffer *b,
                       struct weft_buffer_stats *out)
{
	*out = (struct weft_buffer_stats){ 0 };
	if (!b)
		return;
	out->len = fill_of(b);
	out->cap = b->cap;
	out->producers = weft_load_relaxed(&b->producers);
	out->consumers = weft_load_relaxed(&b->consumers);
	out->dropped = weft_load_relaxed(&b->dropped);
	copy_counts(b, out);
}
