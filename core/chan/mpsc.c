/*
 * mpsc: a bounded queue for any number of senders and one receiver, without a
 * lock. After the MpscArrayQueue of JCTools (Nitsan Wakart), over the numbered
 * slots of chan/slots.h.
 *
 * Senders claim a position by a CAS on tail, as in ring. They look at head only
 * when tail has come to a limit up to which there was room, which one of them
 * has noted beside tail; so a slot is claimed without a look at it, and the
 * receiver need not mark the ones that it has read. It alone moves head, and
 * does so by a store: a receive has no read-modify-write.
 *
 * The CAS is the linearization point of a send, the store to head that of a
 * receive. A slot that is claimed and not yet published holds up the receiver,
 * which waits for that sender.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cacheline.h"
#include "chan/ahead.h"
#include "chan/elem.h"
#include "chan/front.h"
#include "chan/slots.h"

struct mpsc {
	/* The senders' line. limit is shifted as tail is. Below it all
	 * positions have room. It may go back when two senders note what they
	 * saw in another order: then the next one looks again. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t tail;
	_Atomic uint64_t limit;

	/* The receiver's line. Below position `full` all slots are. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t head;
	uint64_t full;

	/* Constant. */
	_Alignas(WEFT_CACHE_LINE) struct laps laps;
	size_t ahead;  /* see ahead.h */
	uint32_t gap;  /* see slots_await() */
	uint32_t scan; /* see mpsc_scan() */
	size_t elem_size, slot_size;

	_Alignas(WEFT_CACHE_LINE) unsigned char slots[];
};

/* A part of the buffer, so that the scan does not meet senders at its other
 * end. */
static uint32_t mpsc_scan_for(size_t cap)
{
	return cap < 16 ? 1 : cap < 512 ? (uint32_t)(cap / 8) : 64;
}

static int mpsc_create(void **state, const struct weft_chan_config *config)
{
	size_t slot_size = slot_bytes(config->elem_size);
	struct mpsc *q;
	uint64_t pos;

	q = cacheline_alloc(sizeof(*q), config->cap, slot_size);
	if (!q)
		return -ENOMEM;
	q->laps = laps_of(config->cap);
	q->ahead = ahead_for(config->cap, slot_size);
	q->gap = slots_gap(config->cap);
	q->scan = mpsc_scan_for(config->cap);
	q->elem_size = config->elem_size;
	q->slot_size = slot_size;
	pos = laps_start(&q->laps, config->start);
	weft_store_relaxed(&q->tail, pos << 1);
	weft_store_relaxed(&q->limit, (pos + q->laps.lap) << 1);
	weft_store_relaxed(&q->head, pos);
	q->full = pos;
	slots_free_from(q->slots, &q->laps, slot_size, pos);
	*state = q;
	return 0;
}

static void mpsc_destroy(void *state)
{
	free(state);
}

static struct slot *mpsc_slot(struct mpsc *q, uint64_t pos)
{
	return slot_at(q->slots, laps_index(&q->laps, pos), q->slot_size);
}

/* --- sending --- */

/* Whether limit, a shifted position as tail is, lies past tail. */
FRONT_INLINE bool mpsc_is_below(uint64_t tail, uint64_t limit)
{
	return (int64_t)(limit - tail) > 0;
}

/* Positions from pos on and below limit. More than there are at all when tail
 * has moved on and head is past `pos`; then the CAS of tail fails. */
static uint64_t mpsc_below(const struct mpsc *q, uint64_t pos, uint64_t limit)
{
	return mpsc_is_below(pos << 1, limit << 1)
	               ? laps_distance(&q->laps, pos, limit)
	               : 0;
}

/*
 * Positions from pos on that have room, all of them if there are fewer than n.
 * 0: it was full at the instant when tail was read as `pos`, for head was there
 * then, if it is a lap behind now.
 */
static uint64_t mpsc_room(struct mpsc *q, uint64_t pos, uint64_t n)
{
	/* [head] acquires that the receiver is done with the slots, and
	 * [limit] hands that on. */
	uint64_t limit = weft_load_acquire(&q->limit) >> 1;
	uint64_t room = mpsc_below(q, pos, limit);

	if (room >= n)
		return room;
	limit = weft_load_acquire(&q->head) + q->laps.lap;
	weft_store_release(&q->limit, limit << 1);
	return mpsc_below(q, pos, limit);
}

/* Claim up to n positions. Returns how many, from *pos on; 0 with *err when
 * there is none. */
static uint64_t mpsc_claim(struct mpsc *q, uint64_t n, uint64_t *pos, int *err)
{
	/* Not after head, which is looked at next: see mpsc_room(). */
	uint64_t tail = weft_load_acquire(&q->tail), k;

	do {
		if (tail & CLOSED) {
			*err = -EPIPE;
			return 0;
		}
		*pos = tail >> 1;
		k = mpsc_room(q, *pos, n);
		if (k == 0) {
			*err = -EAGAIN;
			return 0;
		}
		k = k < n ? k : n;
	} while (!weft_cas_weak_acq_rel(&q->tail, &tail,
	                                laps_after(&q->laps, *pos, k) << 1));
	return k;
}

FRONT_INLINE void mpsc_write(struct slot *s, uint64_t pos, const void *elem,
                             size_t elem_size)
{
	elem_copy(s->elem, elem, elem_size);
	weft_store_release(&s->seq, pos + 1); /* [slot] */
}

__attribute__((noinline)) static int mpsc_send_slow(struct mpsc *q,
                                                    const void *elem)
{
	uint64_t pos;
	int err;

	if (!mpsc_claim(q, 1, &pos, &err))
		return err;
	mpsc_write(mpsc_slot(q, pos), pos, elem, q->elem_size);
	return 0;
}

/*
 * One element, and the usual case of it: there is room for certain, and nobody
 * else claims the slot at the same time. Anything else, a close among it, takes
 * the general way from the start.
 *
 * The sizes are the channel's, which a caller may know without a look.
 */
FRONT_INLINE bool mpsc_put(struct mpsc *q, const void *elem, size_t elem_size,
                           size_t slot_size)
{
	uint64_t tail = weft_load_relaxed(&q->tail), pos = tail >> 1;
	uint64_t index = laps_index(&q->laps, pos);

	if (tail & CLOSED ||
	    !mpsc_is_below(tail, weft_load_acquire(&q->limit)) || /* [limit] */
	    !weft_cas_acq_rel(&q->tail, &tail, laps_next(&q->laps, pos) << 1))
		return false;
	ahead_own(q->slots, index, q->ahead, q->laps.cap, slot_size);
	mpsc_write(slot_at(q->slots, index, slot_size), pos, elem, elem_size);
	return true;
}

static int mpsc_try_send(void *state, const void *elem)
{
	struct mpsc *q = state;

	return mpsc_put(q, elem, q->elem_size, q->slot_size)
	               ? 0
	               : mpsc_send_slow(q, elem);
}

static int mpsc_try_send_many(void *state, const void *elems, size_t n,
                              size_t *done)
{
	struct mpsc *q = state;
	const unsigned char *from = elems;
	uint64_t pos;
	int err = 0;

	*done = mpsc_claim(q, n, &pos, &err);
	for (size_t i = 0; i < *done; i++, pos = laps_next(&q->laps, pos))
		mpsc_write(mpsc_slot(q, pos), pos, from + i * q->elem_size,
		           q->elem_size);
	return err;
}

/* --- receiving --- */

/*
 * See how many slots from `head` on are full. The receiver has the line that a
 * sender writes to only now and then, and in between it takes elements without
 * a look at their slots.
 */
static void mpsc_scan(struct mpsc *q, uint64_t head)
{
	uint64_t index = laps_index(&q->laps, head), k = 0;
	uint64_t n = q->laps.cap - index; /* and no further in this lap */

	n = n < q->scan ? n : q->scan;
	/* [slot] acquires what the sender wrote. */
	while (k < n &&
	       weft_load_acquire(
	               &slot_at(q->slots, index + k, q->slot_size)->seq) ==
	               head + k + 1)
		k++;
	q->full = laps_after(&q->laps, head, k);
}

/* Wait for the slot at `head` if it is claimed. Whether it is full then; *err
 * says why not. */
static bool mpsc_await_full(struct mpsc *q, uint64_t head, int *err)
{
	unsigned turns = 0;
	uint64_t tail;

	while (q->full == head) {
		mpsc_scan(q, head);
		if (q->full != head)
			break;
		tail = weft_load_acquire(&q->tail);
		if (tail >> 1 == head) {
			*err = tail & CLOSED ? -EPIPE : -EAGAIN;
			return false;
		}
		slots_await(&turns, q->gap);
	}
	return true;
}

/* Take what is at `head`, which is full. */
FRONT_INLINE void mpsc_read(struct mpsc *q, const struct slot *s, uint64_t head,
                            void *elem, size_t elem_size)
{
	elem_copy(elem, s->elem, elem_size);
	weft_store_release(&q->head, laps_next(&q->laps, head)); /* [head] */
}

__attribute__((noinline)) static int mpsc_recv_slow(struct mpsc *q, void *elem)
{
	uint64_t head = weft_load_relaxed(&q->head);
	int err;

	if (!mpsc_await_full(q, head, &err))
		return err;
	mpsc_read(q, mpsc_slot(q, head), head, elem, q->elem_size);
	return 0;
}

FRONT_INLINE bool mpsc_take(struct mpsc *q, void *elem, size_t elem_size,
                            size_t slot_size)
{
	uint64_t head = weft_load_relaxed(&q->head);
	const struct slot *s =
	        slot_at(q->slots, laps_index(&q->laps, head), slot_size);

	if (head == q->full)
		return false;
	mpsc_read(q, s, head, elem, elem_size);
	return true;
}

static int mpsc_try_recv(void *state, void *elem)
{
	struct mpsc *q = state;

	return mpsc_take(q, elem, q->elem_size, q->slot_size)
	               ? 0
	               : mpsc_recv_slow(q, elem);
}

static int mpsc_try_recv_many(void *state, void *elems, size_t n, size_t *done)
{
	struct mpsc *q = state;
	unsigned char *to = elems;
	uint64_t head = weft_load_relaxed(&q->head);
	int err = 0;

	*done = 0;
	if (n && !mpsc_await_full(q, head, &err))
		return err;
	while (*done < n && q->full != head) {
		elem_copy(to + *done * q->elem_size, mpsc_slot(q, head)->elem,
		          q->elem_size);
		++*done;
		head = laps_next(&q->laps, head);
		if (q->full == head)
			mpsc_scan(q, head);
	}
	weft_store_release(&q->head, head); /* [head] */
	return 0;
}

/* --- the front --- */

__attribute__((noinline)) static int
mpsc_front_send_slow(struct weft_chan *c, const void *elem, int64_t deadline_ns)
{
	return weft_chan_send_rest(c, elem, deadline_ns,
	                           mpsc_send_slow(c->state, elem));
}

__attribute__((noinline)) static int
mpsc_front_recv_slow(struct weft_chan *c, void *elem, int64_t deadline_ns)
{
	return weft_chan_recv_rest(c, elem, deadline_ns,
	                           mpsc_recv_slow(c->state, elem));
}

static int mpsc_front_send(struct weft_chan *c, const void *elem,
                           int64_t deadline_ns)
{
	return mpsc_put(c->state, elem, FRONT_ELEM, slot_bytes(FRONT_ELEM))
	               ? front_done(&c->receivers)
	               : mpsc_front_send_slow(c, elem, deadline_ns);
}

static int mpsc_front_recv(struct weft_chan *c, void *elem, int64_t deadline_ns)
{
	return mpsc_take(c->state, elem, FRONT_ELEM, slot_bytes(FRONT_ELEM))
	               ? front_done(&c->senders)
	               : mpsc_front_recv_slow(c, elem, deadline_ns);
}

static const struct chan_front mpsc_front = { mpsc_front_send,
	                                      mpsc_front_recv };

/* --- the rest --- */

static int mpsc_close(void *state)
{
	struct mpsc *q = state;

	return slots_close(&q->tail);
}

static size_t mpsc_len(const void *state)
{
	struct mpsc *q = (struct mpsc *)(uintptr_t)state;

	return slots_len(&q->laps, &q->tail, &q->head);
}

static bool mpsc_poll(void *state, char dir, uint64_t *pos)
{
	struct mpsc *q = state;

	return slots_poll(&q->laps, &q->tail, &q->head, dir, pos);
}

const struct weft_chan_impl weft_chan_impl_mpsc = {
	WEFT_CHAN_ABI_HEADER,
	.name = "mpsc",
	.summary =
	        "one receiver, CAS by senders only (JCTools' MpscArrayQueue)",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_SELECT | WEFT_CAN_TIMEOUT | WEFT_CAN_BATCH |
	       WEFT_CAN_LEN | WEFT_CAN_START,
	.max_receivers = 1,
	.create = mpsc_create,
	.destroy = mpsc_destroy,
	.try_send = mpsc_try_send,
	.try_recv = mpsc_try_recv,
	.try_send_many = mpsc_try_send_many,
	.try_recv_many = mpsc_try_recv_many,
	.close = mpsc_close,
	.len = mpsc_len,
	.poll = mpsc_poll,
	.reserved = { [CHAN_RESERVED_FRONT] = &mpsc_front },
};
