/*
 * spsc: one sender, one receiver, a ring whose two indices each have one
 * writer. After Erik Rigtorp's SPSCQueue: each side keeps a copy of the other
 * side's index and reads the real one only when the copy says full or empty,
 * so the line that holds it moves once per batch instead of once per message.
 *
 * Positions count up for ever and are taken modulo the capacity by counting
 * along. Elements [head, tail) are inside.
 *
 * Closing. Anyone may close while the one sender sends, and a plain store to
 * tail would wipe out a bit that somebody else set in it. So close has words
 * of its own:
 *
 *	closer    closing = 1; heavy barrier; final = tail + 1
 *	sender    write slot; tail = t + 1; is closing set?
 *	receiver  reads tail, then closing; takes nothing past final
 *
 * A send that does not see `closing` after it published was counted in by the
 * barrier. One that sees it waits for `final` and asks whether it made it; if
 * not, its element is outside of what the receiver will ever take and the
 * send fails. Where the barrier does not reach other threads, publishing is a
 * read-modify-write of tail and final is frozen by another, so that one of
 * the two is first.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cacheline.h"
#include "chan/elem.h"
#include "chan/front.h"
#include "task/spin.h"

/* Bit 0 of tail, in the form without the asymmetric barrier only. */
#define FROZEN UINT64_C(1)

struct spsc {
	/* The sender's line. tail is a position shifted left by one. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t tail;
	uint64_t head_seen; /* the sender's copy of head */
	size_t write_at;    /* tail modulo cap */

	/* The receiver's line. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t head;
	uint64_t tail_seen; /* the receiver's copy, at most final */
	size_t read_at;

	/* Read by everyone, written once. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t closing;
	_Atomic uint64_t final; /* positions below are delivered; 0 = open,
	                           else the position + 1 */
	bool asymmetric;
	size_t cap, elem_size;

	_Alignas(WEFT_CACHE_LINE) unsigned char buffer[];
};

static int spsc_create(void **state, const struct weft_chan_config *config)
{
	struct spsc *q;

	q = cacheline_alloc(sizeof(*q), config->cap, config->elem_size);
	if (!q)
		return -ENOMEM;
	weft_store_relaxed(&q->tail, config->start << 1);
	q->head_seen = config->start;
	q->write_at = config->start % config->cap;
	weft_store_relaxed(&q->head, config->start);
	q->tail_seen = config->start;
	q->read_at = config->start % config->cap;
	weft_store_relaxed(&q->closing, 0u);
	weft_store_relaxed(&q->final, 0u);
	q->asymmetric = weft_barrier_is_asymmetric();
	q->cap = config->cap;
	q->elem_size = config->elem_size;
	*state = q;
	return 0;
}

static void spsc_destroy(void *state)
{
	free(state);
}

/* The frozen end; the caller has seen `closing`, so it is about to come. */
static uint64_t spsc_final_of(struct spsc *q)
{
	uint64_t final;

	/* [final] acquires what the closer read and wrote before. */
	for (unsigned turns = 0; !(final = weft_load_acquire(&q->final));)
		spin_for_peer(&turns);
	return final - 1;
}

/* With the asymmetric barrier. Whether the n elements past position t are
 * delivered for sure: no close has begun. */
FRONT_INLINE bool spsc_advance(struct spsc *q, uint64_t t, uint64_t n)
{
	weft_store_release(&q->tail, (t + n) << 1); /* [tail] */
	weft_barrier_compiler(); /* light half: see spsc_close() */
	return __builtin_expect(!weft_load_relaxed(&q->closing), 1);
}

/* Of n elements published past position t, how many will be delivered; the
 * sender has seen `closing` after it. */
static uint64_t spsc_delivered(struct spsc *q, uint64_t t, uint64_t n)
{
	uint64_t final = spsc_final_of(q);

	return final <= t ? 0 : final - t < n ? final - t : n;
}

/* Publish `n` elements past position t. Returns how many will be delivered. */
static uint64_t spsc_publish(struct spsc *q, uint64_t t, uint64_t n)
{
	uint64_t open = t << 1;

	if (!q->asymmetric) {
		/* [tail] releases the slots; fails once frozen. */
		return weft_cas_seq_cst(&q->tail, &open, (t + n) << 1) ? n : 0;
	}
	return spsc_advance(q, t, n) ? n : spsc_delivered(q, t, n);
}

/* Free positions from t on, at least one if there is any. */
static uint64_t spsc_space(struct spsc *q, uint64_t t)
{
	if (t - q->head_seen == q->cap)
		/* [head] acquires that the receiver is done with the slots. */
		q->head_seen = weft_load_acquire(&q->head);
	return q->cap - (t - q->head_seen);
}

static int spsc_try_send_many(void *state, const void *elems, size_t n,
                              size_t *done)
{
	struct spsc *q = state;
	const unsigned char *from = elems;
	uint64_t t = weft_load_relaxed(&q->tail) >> 1, room, sent;
	size_t at = q->write_at;

	*done = 0;
	if (weft_load_acquire(&q->closing))
		return -EPIPE;
	room = spsc_space(q, t);
	if (room < n && room < q->cap / 2) {
		q->head_seen = weft_load_acquire(&q->head); /* [head] */
		room = q->cap - (t - q->head_seen);
	}
	if (room == 0)
		return -EAGAIN;
	if (room > n)
		room = n;
	for (uint64_t i = 0; i < room; i++) {
		elem_copy(q->buffer + at * q->elem_size,
		          from + i * q->elem_size, q->elem_size);
		at = at + 1 < q->cap ? at + 1 : 0;
	}
	sent = spsc_publish(q, t, room);
	q->write_at = at;
	*done = sent;
	return sent < room ? -EPIPE : room < n ? -EAGAIN : 0;
}

/* One element, its size the channel's, which a caller may know without a look.
 */

FRONT_INLINE void spsc_write(struct spsc *q, const void *elem, size_t elem_size)
{
	size_t at = q->write_at;

	q->write_at = at + 1 < q->cap ? at + 1 : 0;
	elem_copy(q->buffer + at * elem_size, elem, elem_size);
}

FRONT_INLINE void spsc_read(struct spsc *q, uint64_t h, void *elem,
                            size_t elem_size)
{
	size_t at = q->read_at;

	q->read_at = at + 1 < q->cap ? at + 1 : 0;
	elem_copy(elem, q->buffer + at * elem_size, elem_size);
	weft_store_release(&q->head, h + 1); /* [head] */
}

static int spsc_try_send(void *state, const void *elem)
{
	struct spsc *q = state;
	uint64_t t = weft_load_relaxed(&q->tail) >> 1;

	if (weft_load_acquire(&q->closing))
		return -EPIPE;
	if (spsc_space(q, t) == 0)
		return -EAGAIN;
	spsc_write(q, elem, q->elem_size);
	return spsc_publish(q, t, 1) ? 0 : -EPIPE;
}

/* Elements there from position h on, up to n if the copy of tail knows of so
 * many, else all there are; *err says why none. */
static uint64_t spsc_filled(struct spsc *q, uint64_t h, uint64_t n, int *err)
{
	uint64_t final;

	if (q->tail_seen - h >= n)
		return q->tail_seen - h;
	q->tail_seen = weft_load_acquire(&q->tail) >> 1; /* [tail] */
	*err = -EAGAIN;
	/* An element past the end is published after the barrier of the close
	 * and so after `closing`: a receiver that reads the one sees the
	 * other. */
	if (__builtin_expect(weft_load_acquire(&q->closing) != 0, 0)) {
		final = spsc_final_of(q);
		/* What was sent before the end may have come after our look
		 * at tail. */
		q->tail_seen = final;
		*err = -EPIPE;
	}
	return q->tail_seen - h;
}

static int spsc_try_recv_many(void *state, void *elems, size_t n, size_t *done)
{
	struct spsc *q = state;
	unsigned char *to = elems;
	uint64_t h = weft_load_relaxed(&q->head), k;
	size_t at = q->read_at;
	int err = 0;

	k = spsc_filled(q, h, n, &err);
	*done = k < n ? k : n;
	if (k == 0)
		return err;
	for (uint64_t i = 0; i < *done; i++) {
		elem_copy(to + i * q->elem_size, q->buffer + at * q->elem_size,
		          q->elem_size);
		at = at + 1 < q->cap ? at + 1 : 0;
	}
	q->read_at = at;
	weft_store_release(&q->head, h + *done); /* [head] */
	return *done < n ? -EAGAIN : 0;
}

static int spsc_try_recv(void *state, void *elem)
{
	struct spsc *q = state;
	uint64_t h = weft_load_relaxed(&q->head);
	int err = 0;

	if (spsc_filled(q, h, 1, &err) == 0)
		return err;
	spsc_read(q, h, elem, q->elem_size);
	return 0;
}

/* --- the front, with the asymmetric barrier --- */

/* The element at t was published, and a close has begun. */
__attribute__((noinline)) static int spsc_front_sent(struct weft_chan *c,
                                                     uint64_t t)
{
	return spsc_delivered(c->state, t, 1) ? front_done(&c->receivers)
	                                      : -EPIPE;
}

static int spsc_front_send(struct weft_chan *c, const void *elem,
                           int64_t deadline_ns)
{
	struct spsc *q = c->state;
	uint64_t t = weft_load_relaxed(&q->tail) >> 1;

	if (!q->asymmetric || t - q->head_seen == q->cap ||
	    weft_load_acquire(&q->closing))
		return weft_chan_send_any(c, elem, deadline_ns);
	spsc_write(q, elem, FRONT_ELEM);
	return spsc_advance(q, t, 1) ? front_done(&c->receivers)
	                             : spsc_front_sent(c, t);
}

static int spsc_front_recv(struct weft_chan *c, void *elem, int64_t deadline_ns)
{
	struct spsc *q = c->state;
	uint64_t h = weft_load_relaxed(&q->head);

	if (q->tail_seen == h)
		return weft_chan_recv_any(c, elem, deadline_ns);
	spsc_read(q, h, elem, FRONT_ELEM);
	return front_done(&c->senders);
}

static const struct chan_front spsc_front = { spsc_front_send,
	                                      spsc_front_recv };

static int spsc_close(void *state)
{
	struct spsc *q = state;
	uint64_t end;

	if (weft_xchg_acq_rel(&q->closing, 1u))
		return -EPIPE;
	if (q->asymmetric) {
		weft_barrier_heavy();
		end = weft_load_acquire(&q->tail); /* [tail] */
	} else {
		end = weft_fetch_or_seq_cst(&q->tail, FROZEN); /* [tail] */
	}
	weft_store_release(&q->final, (end >> 1) + 1); /* [final] */
	return 0;
}

static size_t spsc_len(const void *state)
{
	struct spsc *q = (struct spsc *)(uintptr_t)state;
	uint64_t head = weft_load_acquire(&q->head);
	uint64_t tail = weft_load_acquire(&q->tail) >> 1;
	uint64_t final = weft_load_acquire(&q->final), n;

	if (final && tail > final - 1)
		tail = final - 1;
	n = tail - head;
	return n < q->cap ? n : q->cap;
}

/* The caller's own index does not move, so the other one's position says all;
 * `closing` is read last, and was not set before if it is not then. */
static bool spsc_poll(void *state, char dir, uint64_t *pos)
{
	struct spsc *q = state;
	uint64_t tail, head, closing;

	tail = weft_load_acquire(&q->tail) >> 1; /* [tail] */
	head = weft_load_acquire(&q->head);      /* [head] */
	closing = weft_load_acquire(&q->closing);
	*pos = (dir == 's' ? head : tail) << 1 | closing;
	return closing || tail - head != (dir == 's' ? q->cap : 0);
}

const struct weft_chan_impl weft_chan_impl_spsc = {
	WEFT_CHAN_ABI_HEADER,
	.name = "spsc",
	.summary = "one sender, one receiver, cached indices (rigtorp's ring)",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_SELECT | WEFT_CAN_TIMEOUT | WEFT_CAN_BATCH |
	       WEFT_CAN_LEN | WEFT_CAN_START,
	.max_senders = 1,
	.max_receivers = 1,
	.create = spsc_create,
	.destroy = spsc_destroy,
	.try_send = spsc_try_send,
	.try_recv = spsc_try_recv,
	.try_send_many = spsc_try_send_many,
	.try_recv_many = spsc_try_recv_many,
	.close = spsc_close,
	.len = spsc_len,
	.poll = spsc_poll,
	.reserved = { [CHAN_RESERVED_FRONT] = &spsc_front },
};
