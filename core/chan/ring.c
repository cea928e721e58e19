/*
 * ring: a bounded queue for any number of senders and receivers, without a
 * lock, over the numbered slots of chan/slots.h: Dmitry Vyukov's.
 *
 * Claiming is a CAS on tail or head, and the linearization point: nothing
 * fails after it.
 *
 * A slot that is claimed and not yet published holds up the next call that
 * comes to it, which waits for that peer, a few instructions away unless it
 * lost its CPU. It looks at the opposite index to tell this from full and
 * empty.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cacheline.h"
#include "chan/ahead.h"
#include "chan/elem.h"
#include "chan/front.h"
#include "chan/slots.h"

struct ring {
	/* See slots.h. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t tail; /* CAS by senders */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t head; /* by receivers */

	/* Constant. */
	_Alignas(WEFT_CACHE_LINE) struct laps laps;
	size_t ahead; /* see ahead.h */
	uint32_t gap; /* see slots_await() */
	size_t elem_size, slot_size;

	_Alignas(WEFT_CACHE_LINE) unsigned char slots[];
};

static struct slot *ring_slot(struct ring *r, uint64_t pos)
{
	return slot_at(r->slots, laps_index(&r->laps, pos), r->slot_size);
}

static int ring_create(void **state, const struct weft_chan_config *config)
{
	size_t slot_size = slot_bytes(config->elem_size);
	struct ring *r;
	uint64_t pos;

	r = cacheline_alloc(sizeof(*r), config->cap, slot_size);
	if (!r)
		return -ENOMEM;
	r->laps = laps_of(config->cap);
	r->ahead = ahead_for(config->cap, slot_size);
	r->gap = slots_gap(config->cap);
	r->elem_size = config->elem_size;
	r->slot_size = slot_size;
	pos = laps_start(&r->laps, config->start);
	weft_store_relaxed(&r->tail, pos << 1);
	weft_store_relaxed(&r->head, pos);
	slots_free_from(r->slots, &r->laps, slot_size, pos);
	*state = r;
	return 0;
}

static void ring_destroy(void *state)
{
	free(state);
}

/*
 * Whether the ring was full at the instant when tail was read as `pos`: head
 * a lap behind it now was there then, for head does not pass tail.
 */
static bool ring_is_full(const struct ring *r, uint64_t pos)
{
	return weft_load_acquire(&r->head) == pos - r->laps.lap;
}

/* How many slots from pos on have the sequence number that their position
 * asks for, `ahead` being 0 for free and 1 for full; at most n. Only the task
 * that claims them may change them. */
static uint64_t ring_ready(struct ring *r, uint64_t pos, uint64_t ahead,
                           uint64_t n)
{
	uint64_t k = 0;

	/* [slot] acquires what the last user of the slot did with it. */
	while (k < n &&
	       weft_load_acquire(&ring_slot(r, pos)->seq) == pos + ahead) {
		pos = laps_next(&r->laps, pos);
		k++;
	}
	return k;
}

/* Claim up to n positions for writing. Returns how many, from *pos on; 0 with
 * *err when there is none. */
static uint64_t ring_claim_tail(struct ring *r, uint64_t n, uint64_t *pos,
                                int *err)
{
	uint64_t tail = weft_load_acquire(&r->tail);
	unsigned turns = 0;

	for (;;) {
		uint64_t k;

		if (tail & CLOSED) {
			*err = -EPIPE;
			return 0;
		}
		*pos = tail >> 1;
		k = ring_ready(r, *pos, 0, n);
		if (k) {
			if (weft_cas_weak_acq_rel(&r->tail, &tail,
			                          laps_after(&r->laps, *pos, k)
			                                  << 1))
				return k;
			continue;
		}
		if (ring_is_full(r, *pos)) {
			*err = -EAGAIN;
			return 0;
		}
		slots_await(&turns, r->gap);
		tail = weft_load_acquire(&r->tail);
	}
}

static uint64_t ring_claim_head(struct ring *r, uint64_t n, uint64_t *pos,
                                int *err)
{
	uint64_t tail;
	unsigned turns = 0;

	*pos = weft_load_acquire(&r->head);
	for (;;) {
		uint64_t k = ring_ready(r, *pos, 1, n);

		if (k) {
			if (weft_cas_weak_acq_rel(
			            &r->head, pos,
			            laps_after(&r->laps, *pos, k)))
				return k;
			continue;
		}
		tail = weft_load_acquire(&r->tail);
		if (tail >> 1 == *pos) {
			*err = tail & CLOSED ? -EPIPE : -EAGAIN;
			return 0;
		}
		slots_await(&turns, r->gap);
		*pos = weft_load_acquire(&r->head);
	}
}

FRONT_INLINE void ring_write(struct slot *s, uint64_t pos, const void *elem,
                             size_t elem_size)
{
	elem_copy(s->elem, elem, elem_size);
	weft_store_release(&s->seq, pos + 1); /* pairs with [slot] */
}

FRONT_INLINE void ring_read(const struct ring *r, struct slot *s, uint64_t pos,
                            void *elem, size_t elem_size)
{
	elem_copy(elem, s->elem, elem_size);
	weft_store_release(&s->seq, pos + r->laps.lap); /* pairs with [slot] */
}

__attribute__((noinline)) static int ring_send_slow(struct ring *r,
                                                    const void *elem)
{
	uint64_t pos;
	int err;

	if (!ring_claim_tail(r, 1, &pos, &err))
		return err;
	ring_write(ring_slot(r, pos), pos, elem, r->elem_size);
	return 0;
}

__attribute__((noinline)) static int ring_recv_slow(struct ring *r, void *elem)
{
	uint64_t pos;
	int err;

	if (!ring_claim_head(r, 1, &pos, &err))
		return err;
	ring_read(r, ring_slot(r, pos), pos, elem, r->elem_size);
	return 0;
}

/*
 * One element, and the usual case of it: the slot is ready and nobody else
 * claims it at the same time. Anything else, a close among it, takes the
 * general way from the start; the CAS has not changed anything then.
 *
 * Where it goes next is worked out before the look at the slot, so that nothing
 * but the CAS stands between the two: behind it, that is a tenth of what moves
 * at capacity 1024.
 *
 * The sizes are the ring's, which a caller may know without a look.
 */
FRONT_INLINE bool ring_put(struct ring *r, const void *elem, size_t elem_size,
                           size_t slot_size)
{
	uint64_t tail = weft_load_acquire(&r->tail), pos = tail >> 1;
	uint64_t index = laps_index(&r->laps, pos),
	         next = laps_next(&r->laps, pos) << 1;
	struct slot *s = slot_at(r->slots, index, slot_size);

	if (tail & CLOSED || weft_load_acquire(&s->seq) != pos || /* [slot] */
	    !weft_cas_acq_rel(&r->tail, &tail, next))
		return false;
	ahead_fetch(r->slots, index, r->ahead, r->laps.cap, slot_size);
	ring_write(s, pos, elem, elem_size);
	return true;
}

FRONT_INLINE bool ring_take(struct ring *r, void *elem, size_t elem_size,
                            size_t slot_size)
{
	uint64_t pos = weft_load_acquire(&r->head), head = pos;
	uint64_t index = laps_index(&r->laps, pos),
	         next = laps_next(&r->laps, pos);
	struct slot *s = slot_at(r->slots, index, slot_size);

	if (weft_load_acquire(&s->seq) != pos + 1 || /* [slot] */
	    !weft_cas_acq_rel(&r->head, &head, next))
		return false;
	ring_read(r, s, pos, elem, elem_size);
	return true;
}

static int ring_try_send(void *state, const void *elem)
{
	struct ring *r = state;

	return ring_put(r, elem, r->elem_size, r->slot_size)
	               ? 0
	               : ring_send_slow(r, elem);
}

static int ring_try_recv(void *state, void *elem)
{
	struct ring *r = state;

	return ring_take(r, elem, r->elem_size, r->slot_size)
	               ? 0
	               : ring_recv_slow(r, elem);
}

/* --- the front --- */

__attribute__((noinline)) static int
ring_front_send_slow(struct weft_chan *c, const void *elem, int64_t deadline_ns)
{
	return weft_chan_send_rest(c, elem, deadline_ns,
	                           ring_send_slow(c->state, elem));
}

__attribute__((noinline)) static int
ring_front_recv_slow(struct weft_chan *c, void *elem, int64_t deadline_ns)
{
	return weft_chan_recv_rest(c, elem, deadline_ns,
	                           ring_recv_slow(c->state, elem));
}

static int ring_front_send(struct weft_chan *c, const void *elem,
                           int64_t deadline_ns)
{
	return ring_put(c->state, elem, FRONT_ELEM, slot_bytes(FRONT_ELEM))
	               ? front_done(&c->receivers)
	               : ring_front_send_slow(c, elem, deadline_ns);
}

static int ring_front_recv(struct weft_chan *c, void *elem, int64_t deadline_ns)
{
	return ring_take(c->state, elem, FRONT_ELEM, slot_bytes(FRONT_ELEM))
	               ? front_done(&c->senders)
	               : ring_front_recv_slow(c, elem, deadline_ns);
}

static const struct chan_front ring_front = { ring_front_send,
	                                      ring_front_recv };

static int ring_try_send_many(void *state, const void *elems, size_t n,
                              size_t *done)
{
	struct ring *r = state;
	const unsigned char *from = elems;
	uint64_t pos;
	int err = 0;

	*done = ring_claim_tail(r, n < r->laps.cap ? n : r->laps.cap, &pos,
	                        &err);
	for (size_t i = 0; i < *done; i++, pos = laps_next(&r->laps, pos))
		ring_write(ring_slot(r, pos), pos, from + i * r->elem_size,
		           r->elem_size);
	return err;
}

static int ring_try_recv_many(void *state, void *elems, size_t n, size_t *done)
{
	struct ring *r = state;
	unsigned char *to = elems;
	uint64_t pos;
	int err = 0;

	*done = ring_claim_head(r, n < r->laps.cap ? n : r->laps.cap, &pos,
	                        &err);
	for (size_t i = 0; i < *done; i++, pos = laps_next(&r->laps, pos))
		ring_read(r, ring_slot(r, pos), pos, to + i * r->elem_size,
		          r->elem_size);
	return err;
}

static int ring_close(void *state)
{
	struct ring *r = state;

	return slots_close(&r->tail);
}

static size_t ring_len(const void *state)
{
	struct ring *r = (struct ring *)(uintptr_t)state;

	return slots_len(&r->laps, &r->tail, &r->head);
}

static bool ring_poll(void *state, char dir, uint64_t *pos)
{
	struct ring *r = state;

	return slots_poll(&r->laps, &r->tail, &r->head, dir, pos);
}

const struct weft_chan_impl weft_chan_impl_ring = {
	WEFT_CHAN_ABI_HEADER,
	.name = "ring",
	.summary = "sequence-numbered slots, no lock (Vyukov's MPMC ring)",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_SELECT | WEFT_CAN_TIMEOUT | WEFT_CAN_BATCH |
	       WEFT_CAN_LEN | WEFT_CAN_START,
	.create = ring_create,
	.destroy = ring_destroy,
	.try_send = ring_try_send,
	.try_recv = ring_try_recv,
	.try_send_many = ring_try_send_many,
	.try_recv_many = ring_try_recv_many,
	.close = ring_close,
	.len = ring_len,
	.poll = ring_poll,
	.reserved = { [CHAN_RESERVED_FRONT] = &ring_front },
};
