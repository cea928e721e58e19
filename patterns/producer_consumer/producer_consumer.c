#include "producer_consumer.h"

#include <errno.h>
#include <stdlib.h>

#include <weft/atomic.h>

enum state { OPEN, CLOSED, STOPPED };

struct weft_buffer {
	/* Constant once made. */
	struct weft_chan *chan;
	bool count;

	/* An enum state, only ever rising, and changed before the channel is
	 * closed: who finds that closed finds the reason here. */
	_Atomic int state;

	/* Producers that are not done. */
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned producers;

	/* With `count`. Each side on a line of its own. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t puts;
	_Atomic size_t high;
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t takes;
};

int weft_buffer_new(struct weft_buffer **out,
                    const struct weft_buffer_opts *opts)
{
	static const struct weft_buffer_opts defaults;
	struct weft_chan_opts chan = { 0 };
	struct weft_buffer *b;
	int err;

	if (!out)
		return -EINVAL;
	if (!opts)
		opts = &defaults;
	b = aligned_alloc(_Alignof(struct weft_buffer), sizeof(*b));
	if (!b)
		return -ENOMEM;
	chan.wait = opts->wait;
	chan.drop = opts->drop;
	chan.drop_arg = opts->drop_arg;
	err = weft_chan_new(&b->chan,
	                    opts->impl ? opts->impl
	                               : weft_chan_impl_find("handoff"),
	                    opts->cap, opts->elem_size, &chan);
	if (err)
		goto free_buffer;
	b->count = opts->count;
	weft_store_relaxed(&b->state, (int)OPEN);
	weft_store_relaxed(&b->producers,
	                   opts->producers ? opts->producers : 1);
	weft_store_relaxed(&b->puts, 0u);
	weft_store_relaxed(&b->high, 0u);
	weft_store_relaxed(&b->takes, 0u);
	*out = b;
	return 0;

free_buffer:
	free(b);
	return err;
}

void weft_buffer_free(struct weft_buffer *b)
{
	if (!b)
		return;
	weft_chan_unref(b->chan);
	free(b);
}

/* --- items --- */

/* The most items seen inside. Rarely a new one, so rarely a write. */
static void note_high(struct weft_buffer *b)
{
	size_t len = weft_chan_len(b->chan);
	size_t high = weft_load_relaxed(&b->high);

	while (len > high && !weft_cas_relaxed(&b->high, &high, len))
		;
}

static bool is_stopped(const struct weft_buffer *b)
{
	return weft_load_acquire(&b->state) == STOPPED; /* [state] */
}

/* After a put of n items that ended with err; returns what the caller gets. */
static int put_result(struct weft_buffer *b, int err, size_t n)
{
	if (b->count && n) {
		weft_fetch_add_relaxed(&b->puts, n);
		note_high(b);
	}
	if (err == -EPIPE && is_stopped(b))
		return -ECANCELED;
	return err;
}

static int take_result(struct weft_buffer *b, int err, size_t n)
{
	if (b->count && n)
		weft_fetch_add_relaxed(&b->takes, n);
	if (err == -EPIPE && is_stopped(b))
		return -ECANCELED;
	return err;
}

int weft_buffer_put(struct weft_buffer *b, const void *elem,
                    int64_t deadline_ns)
{
	int err;

	if (!b)
		return -EINVAL;
	err = weft_chan_send(b->chan, elem, deadline_ns);
	return put_result(b, err, !err);
}

int weft_buffer_try_put(struct weft_buffer *b, const void *elem)
{
	int err;

	if (!b)
		return -EINVAL;
	err = weft_chan_try_send(b->chan, elem);
	return put_result(b, err, !err);
}

int weft_buffer_put_many(struct weft_buffer *b, const void *elems, size_t n,
                         size_t *done, int64_t deadline_ns)
{
	int err;

	if (!b || !done)
		return -EINVAL;
	err = weft_chan_send_many(b->chan, elems, n, done, deadline_ns);
	return put_result(b, err, *done);
}

int weft_buffer_take(struct weft_buffer *b, void *elem, int64_t deadline_ns)
{
	int err;

	if (!b)
		return -EINVAL;
	/* What a stop has left inside is not for the takers. */
	if (is_stopped(b))
		return -ECANCELED;
	err = weft_chan_recv(b->chan, elem, deadline_ns);
	return take_result(b, err, !err);
}

int weft_buffer_try_take(struct weft_buffer *b, void *elem)
{
	int err;

	if (!b)
		return -EINVAL;
	if (is_stopped(b))
		return -ECANCELED;
	err = weft_chan_try_recv(b->chan, elem);
	return take_result(b, err, !err);
}

int weft_buffer_take_many(struct weft_buffer *b, void *elems, size_t n,
                          size_t *done, int64_t deadline_ns)
{
	int err;

	if (!b || !done)
		return -EINVAL;
	*done = 0;
	if (is_stopped(b))
		return -ECANCELED;
	err = weft_chan_recv_many(b->chan, elems, n, done, deadline_ns);
	return take_result(b, err, *done);
}

/* --- producers, and the end --- */

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

int weft_buffer_done(struct weft_buffer *b)
{
	unsigned n;

	if (!b)
		return -EINVAL;
	n = weft_load_relaxed(&b->producers);
	do {
		if (n == 0)
			return -EINVAL;
	} while (!weft_cas_weak_acq_rel(&b->producers, &n, n - 1));
	if (n == 1)
		weft_buffer_close(b);
	return 0;
}

/* By the cleanup attribute also when pthread_exit() unwinds through here (this
 * file is built with -fexceptions). */
static void producer_left(struct weft_buffer **b)
{
	weft_buffer_done(*b);
}

static int produce(struct weft_buffer *b, weft_task_fn fn, void *arg,
                   int *status)
{
	__attribute__((cleanup(producer_left))) struct weft_buffer *left = b;

	(void)left;
	return weft_try(fn, arg, status);
}

int weft_buffer_produce(struct weft_buffer *b, weft_task_fn fn, void *arg,
                        int *status)
{
	if (!b || !fn)
		return -EINVAL;
	return produce(b, fn, arg, status);
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
	weft_store_release(&b->state, (int)STOPPED); /* [state] */
	weft_chan_close(b->chan);
	return 0;
}

void weft_buffer_stats(const struct weft_buffer *b,
                       struct weft_buffer_stats *out)
{
	*out = (struct weft_buffer_stats){ 0 };
	if (!b)
		return;
	out->len = weft_chan_len(b->chan);
	out->cap = weft_chan_cap(b->chan);
	out->producers = weft_load_relaxed(&b->producers);
	out->puts = weft_load_relaxed(&b->puts);
	out->takes = weft_load_relaxed(&b->takes);
	out->high = weft_load_relaxed(&b->high);
}
