#include "buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>

#include "base/cacheline.h"
#include "common/ending.h"
#include "common/ends.h"

/* What is counted of the sends, or of the receives. */
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

	struct weft_ending end;

	_Atomic bool closed;  /* in order; set once the channel is */
	_Atomic bool drained; /* a receive has met the end in order */

	/* Producers that are not done, consumers that have not left. */
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned producers;
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned consumers;
	_Atomic uint64_t dropped;

	/* With `count`. */
	struct side sends, recvs;
	/* As the sends have left it. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t fill_sum;
	_Atomic size_t high;
	_Atomic uint64_t fill[WEFT_BUFFER_FILLS];
};

/* --- the end --- */

/* A channel that cannot count shows only to a receive that it is empty. */
static bool too_late(void *arg)
{
	const struct weft_buffer *b = arg;

	if (weft_load_acquire(&b->drained))
		return true;
	return weft_load_acquire(&b->closed) &&
	       weft_chan_impl_of(b->chan)->can & WEFT_CAN_LEN &&
	       weft_chan_len(b->chan) == 0;
}

static void release(void *arg)
{
	const struct weft_buffer *b = arg;

	weft_chan_close(b->chan);
}

static const struct weft_ending_ops ending_ops = { too_late, release };

/* A receive has found the channel closed and empty. */
__attribute__((noinline)) static int buffer_met_the_end(struct weft_buffer *b)
{
	int why = weft_ending_why(&b->end);

	if (!why)
		weft_store_release(&b->drained, true);
	return why ? why : -EPIPE;
}

/* --- making --- */

/* Whether the options make sense together; the channel checks the rest. */
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
	b = cacheline_new(1, sizeof(*b)); /* every count begins at 0 */
	if (!b)
		return -ENOMEM;
	weft_ending_init(&b->end, &ending_ops, b);
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
	err = weft_ending_watch(&b->end, opts->ctx);
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
	weft_ending_unwatch(&b->end);
	weft_chan_unref(b->chan);
	free(b);
}

/* --- what is counted --- */

static void note_wait(struct side *side, int64_t since)
{
	weft_fetch_add_relaxed(&side->waits, 1u);
	weft_fetch_add_relaxed(&side->wait_ns, weft_now() - since);
}

/* How many are inside. An implementation that counts without a lock may be off
 * by the elements on their way: a difference below 0 wraps around and is taken
 * for 0, and the capacity is the most. */
static size_t fill_of(const struct weft_buffer *b)
{
	size_t len = weft_chan_len(b->chan);

	if (len > SIZE_MAX / 2)
		return 0;
	return len < b->cap ? len : b->cap;
}

/* n items more are in, and the fill is what it is now. */
static void note_sends(struct weft_buffer *b, size_t n)
{
	size_t len = fill_of(b);
	size_t high = weft_load_relaxed(&b->high);

	weft_fetch_add_relaxed(&b->sends.items, n);
	weft_fetch_add_relaxed(&b->fill_sum, (uint64_t)len * n);
	/* Rarely a new one, so rarely a write. */
	while (len > high && !weft_cas_relaxed(&b->high, &high, len))
		;
	if (b->cap > 0 && b->cap < SIZE_MAX)
		weft_fetch_add_relaxed(
		        &b->fill[len * (WEFT_BUFFER_FILLS - 1) / b->cap], n);
}

/* After a send of n items that ended with err; returns what the caller gets. */
static int buffer_sent(struct weft_buffer *b, int err, size_t n)
{
	if (b->count && n)
		note_sends(b, n);
	return weft_ending_of(&b->end, err);
}

static int buffer_received(struct weft_buffer *b, int err, size_t n)
{
	if (b->count && n)
		weft_fetch_add_relaxed(&b->recvs.items, n);
	return err == -EPIPE ? buffer_met_the_end(b) : err;
}

/* --- send --- */

static void drop_item(struct weft_buffer *b, void *elem)
{
	weft_fetch_add_relaxed(&b->dropped, 1u);
	if (b->drop)
		b->drop(elem, b->drop_arg);
}

/* drop() may modify the element, so it gets a copy. Out of line, here and
 * below: a send that finds space needs no such frame. */
__attribute__((noinline)) static int drop_newest(struct weft_buffer *b,
                                                 const void *elem)
{
	_Alignas(WEFT_CACHE_LINE) unsigned char copy[WEFT_ELEM_MAX];

	if (b->elem_size)
		memcpy(copy, elem, b->elem_size);
	drop_item(b, copy);
	return 0;
}

/* Another producer may take the space that is made here; then one more element
 * is dropped. */
__attribute__((noinline)) static int drop_oldest(struct weft_buffer *b,
                                                 const void *elem)
{
	_Alignas(WEFT_CACHE_LINE) unsigned char oldest[WEFT_ELEM_MAX];
	unsigned turn = 0;
	int err;

	do {
		if (weft_chan_try_recv(b->chan, oldest) == 0)
			drop_item(b, oldest);
		else
			weft_relent(turn++);
		err = weft_chan_try_send(b->chan, elem);
	} while (err == -EAGAIN);
	return err;
}

/* Send one item into a buffer that was full just now and has a policy. */
static int buffer_overflow(struct weft_buffer *b, const void *elem)
{
	return b->overflow == WEFT_OVERFLOW_DROP_NEWEST ? drop_newest(b, elem)
	                                                : drop_oldest(b, elem);
}

/* Whether a send is that of the channel and no more. */
static bool buffer_is_plain(const struct weft_buffer *b)
{
	return !b->count && b->overflow == WEFT_OVERFLOW_WAIT;
}

/* Item i of an array; NULL where items have no bytes and the array is none. */
static const void *item_at(const struct weft_buffer *b, const void *elems,
                           size_t i)
{
	return elems ? (const char *)elems + i * b->elem_size : NULL;
}

/* What did not fit just now: items *done, *done + 1, ... n - 1. */
static int send_rest(struct weft_buffer *b, const void *elems, size_t n,
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
	note_wait(&b->sends, since);
	return err;
}

int weft_buffer_send(struct weft_buffer *b, const void *elem,
                     int64_t deadline_ns)
{
	size_t done = 0;
	int err;

	if (!b)
		return -EINVAL;
	if (buffer_is_plain(b)) {
		err = weft_chan_send(b->chan, elem, deadline_ns);
	} else {
		err = weft_chan_try_send(b->chan, elem);
		if (err == -EAGAIN)
			err = b->overflow ? buffer_overflow(b, elem)
			                  : send_rest(b, elem, 1, &done,
			                              deadline_ns);
	}
	return buffer_sent(b, err, !err);
}

int weft_buffer_try_send(struct weft_buffer *b, const void *elem)
{
	int err;

	if (!b)
		return -EINVAL;
	err = weft_chan_try_send(b->chan, elem);
	if (err == -EAGAIN && b->overflow)
		err = buffer_overflow(b, elem);
	return buffer_sent(b, err, !err);
}

static int send_rest_or_drop(struct weft_buffer *b, const void *elems, size_t n,
                             size_t *done)
{
	int err = 0;

	for (; *done < n && !err; *done += !err) {
		const void *elem = item_at(b, elems, *done);

		err = weft_chan_try_send(b->chan, elem);
		if (err == -EAGAIN)
			err = buffer_overflow(b, elem);
	}
	return err;
}

int weft_buffer_send_many(struct weft_buffer *b, const void *elems, size_t n,
                          size_t *done, int64_t deadline_ns)
{
	int err;

	if (!b || !done)
		return -EINVAL;
	err = weft_chan_send_many(b->chan, elems, n, done,
	                          buffer_is_plain(b) ? deadline_ns : WEFT_NOW);
	if (err == -ETIMEDOUT && !buffer_is_plain(b))
		err = b->overflow ? send_rest_or_drop(b, elems, n, done)
		                  : send_rest(b, elems, n, done, deadline_ns);
	return buffer_sent(b, err, *done);
}

/* --- receive --- */

/* It was empty just now. */
static int wait_and_recv(struct weft_buffer *b, void *elems, size_t n,
                         size_t *done, int64_t deadline_ns)
{
	int64_t since = weft_now();
	int err;

	if (deadline_ns <= since)
		return -ETIMEDOUT;
	err = weft_chan_recv_many(b->chan, elems, n, done, deadline_ns);
	note_wait(&b->recvs, since);
	return err;
}

int weft_buffer_recv(struct weft_buffer *b, void *elem, int64_t deadline_ns)
{
	size_t done;
	int err;

	if (!b)
		return -EINVAL;
	/* What a stop has left inside is not handed out. */
	err = weft_ending_why(&b->end);
	if (err)
		return err;
	if (!b->count) {
		err = weft_chan_recv(b->chan, elem, deadline_ns);
	} else {
		err = weft_chan_try_recv(b->chan, elem);
		if (err == -EAGAIN)
			err = wait_and_recv(b, elem, 1, &done, deadline_ns);
	}
	return buffer_received(b, err, !err);
}

int weft_buffer_try_recv(struct weft_buffer *b, void *elem)
{
	int err;

	if (!b)
		return -EINVAL;
	err = weft_ending_why(&b->end);
	if (err)
		return err;
	err = weft_chan_try_recv(b->chan, elem);
	return buffer_received(b, err, !err);
}

int weft_buffer_recv_many(struct weft_buffer *b, void *elems, size_t n,
                          size_t *done, int64_t deadline_ns)
{
	int err;

	if (!b || !done)
		return -EINVAL;
	*done = 0;
	err = weft_ending_why(&b->end);
	if (err)
		return err;
	err = weft_chan_recv_many(b->chan, elems, n, done,
	                          b->count ? WEFT_NOW : deadline_ns);
	if (err == -ETIMEDOUT && b->count)
		err = wait_and_recv(b, elems, n, done, deadline_ns);
	return buffer_received(b, err, *done);
}

/* --- who takes part, and the end --- */

int weft_buffer_attach(struct weft_buffer *b)
{
	unsigned n;

	if (!b)
		return -EINVAL;
	if (weft_load_acquire(&b->closed) || weft_ending_why(&b->end))
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

/* A function that runs as one of a side, and what is called when it ends. */
struct part {
	struct weft_buffer *b;
	int (*over)(struct weft_buffer *b);
	weft_task_fn fn;
	void *arg;
	int *status;
};

static int play(void *arg)
{
	const struct part *part = arg;

	return part->fn(part->arg);
}

static void part_is_over(void *arg, enum weft_guard_end end, int status)
{
	const struct part *part = arg;

	if (part->status && end != WEFT_GUARD_DIED)
		*part->status = status;
	part->over(part->b);
}

int weft_buffer_produce(struct weft_buffer *b, weft_task_fn fn, void *arg,
                        int *status)
{
	struct part part = { b, weft_buffer_done, fn, arg, status };

	return b && fn ? weft_guard(play, &part, part_is_over) : -EINVAL;
}

int weft_buffer_consume(struct weft_buffer *b, weft_task_fn fn, void *arg,
                        int *status)
{
	struct part part = { b, weft_buffer_leave, fn, arg, status };

	return b && fn ? weft_guard(play, &part, part_is_over) : -EINVAL;
}

int weft_buffer_close(struct weft_buffer *b)
{
	int err;

	if (!b)
		return -EINVAL;
	err = weft_chan_close(b->chan); /* a stop has closed it as well */
	if (!err)
		weft_store_release(&b->closed, true);
	return err;
}

int weft_buffer_stop(struct weft_buffer *b)
{
	return b ? weft_ending_stop(&b->end, -ECANCELED) : -EINVAL;
}

int weft_buffer_fail(struct weft_buffer *b, int err)
{
	return b ? weft_ending_fail(&b->end, err) : -EINVAL;
}

/* --- figures --- */

int weft_buffer_stats(const struct weft_buffer *b,
                      struct weft_buffer_stats *out)
{
	if (!b || !out)
		return -EINVAL;
	*out = (struct weft_buffer_stats){
		.len = fill_of(b),
		.cap = b->cap,
		.producers = weft_load_relaxed(&b->producers),
		.consumers = weft_load_relaxed(&b->consumers),
		.dropped = weft_load_relaxed(&b->dropped),
		.sends = weft_load_relaxed(&b->sends.items),
		.recvs = weft_load_relaxed(&b->recvs.items),
		.send_waits = weft_load_relaxed(&b->sends.waits),
		.recv_waits = weft_load_relaxed(&b->recvs.waits),
		.send_wait_ns = weft_load_relaxed(&b->sends.wait_ns),
		.recv_wait_ns = weft_load_relaxed(&b->recvs.wait_ns),
		.high = weft_load_relaxed(&b->high),
	};
	for (size_t i = 0; i < WEFT_BUFFER_FILLS; i++)
		out->fill[i] = weft_load_relaxed(&b->fill[i]);
	if (out->sends)
		out->mean_fill = (double)weft_load_relaxed(&b->fill_sum) /
		                 (double)out->sends;
	return 0;
}
