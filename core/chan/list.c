/*
 * list: an unbounded queue of linked segments, for any number of senders and
 * receivers, without a lock. After crossbeam's list channel, which goes back
 * to Michael and Scott's queue by way of segments.
 *
 * A position counts slots; each segment has SEGMENT of them, and one position
 * more that stands for "the next segment is being linked": the sender that
 * claims the last slot links it, and all other calls wait those few
 * instructions. The sender that will need a segment allocates it before it
 * claims anything, so running out of memory is known while nothing is visible
 * yet.
 *
 * Claiming is a CAS on tail or head. A receiver's claim may come before the
 * sender has written: it waits for WRITTEN. A segment is freed by the last of
 * its receivers: the one that takes the last slot starts at slot 0, and hands
 * over to any receiver it finds still reading (FREEING against READ, whichever
 * is set second continues).
 *
 * One freed segment is kept in `spare`, so that steady traffic does not
 * allocate; the rest goes back at once.
 */
#include <errno.h>
#include <stdlib.h>

#include "chan/elem.h"
#include "chan/internal.h"
#include "task/spin.h"

#define SEGMENT 63u
#define LAP (SEGMENT + 1)
#define CLOSED UINT64_C(1) /* in tail, whose positions are shifted left */

/* Bits of slot.state. */
#define WRITTEN 1u
#define READ 2u
#define FREEING 4u

struct slot {
	_Atomic uint32_t state;
	uint32_t unused; /* so that the element is aligned for 8 bytes */
	unsigned char elem[];
};

struct segment {
	_Atomic(struct segment *) next;
	_Alignas(8) unsigned char slots[];
};

struct end {
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t pos; /* shifted left by 1 */
	_Atomic(struct segment *) segment;
};

struct chain {
	struct end tail, head;
	_Alignas(WEFT_CACHE_LINE) _Atomic(struct segment *) spare;
	size_t elem_size, slot_size, segment_bytes; /* constant */
};

static struct slot *list_slot_at(const struct chain *l, struct segment *s,
                                 unsigned i)
{
	return (struct slot *)(void *)(s->slots + i * l->slot_size);
}

static struct segment *segment_new(struct chain *l)
{
	/* [spare] acquires that its last receiver is done with it. */
	struct segment *s = weft_load_relaxed(&l->spare)
	                            ? weft_xchg_acquire(&l->spare, NULL)
	                            : NULL;

	if (!s)
		s = malloc(l->segment_bytes);
	if (!s)
		return NULL;
	weft_store_relaxed(&s->next, NULL);
	for (unsigned i = 0; i < SEGMENT; i++)
		weft_store_relaxed(&list_slot_at(l, s, i)->state, 0u);
	return s;
}

static void segment_free(struct chain *l, struct segment *s)
{
	struct segment *none = NULL;

	if (!s || (weft_load_relaxed(&l->spare) == NULL &&
	           weft_cas_release(&l->spare, &none, s))) /* [spare] */
		return;
	free(s);
}

static uint32_t list_await_written(struct slot *slot)
{
	unsigned turns = 0;
	uint32_t state;

	while (!((state = weft_load_acquire(&slot->state)) &
	         WRITTEN)) /* [slot] */
		spin_for_peer(&turns);
	return state;
}

/*
 * Free the segment once nobody reads in slots [from, SEGMENT - 1). The
 * receiver of the last slot calls this, so that one needs no look. The
 * exchange acquires what each receiver did, and releases it to the next.
 *
 * Every slot is claimed by then, and those not yet written are waited for: the
 * sender's plain store of WRITTEN would erase FREEING.
 */
static void segment_retire(struct chain *l, struct segment *s, unsigned from)
{
	for (unsigned i = from; i + 1 < SEGMENT; i++) {
		struct slot *slot = list_slot_at(l, s, i);

		if (list_await_written(slot) & READ)
			continue;
		if (!(weft_fetch_or_acq_rel(&slot->state, FREEING) & READ))
			return; /* its receiver goes on from here */
	}
	segment_free(l, s);
}

static int list_create(void **state, const struct weft_chan_config *config)
{
	struct chain *l = aligned_alloc(_Alignof(struct chain), sizeof(*l));
	unsigned offset = (unsigned)(config->start % SEGMENT);
	uint64_t pos = config->start / SEGMENT * LAP + offset;
	struct segment *first;

	if (!l)
		return -ENOMEM;
	l->elem_size = config->elem_size;
	l->slot_size =
	        (sizeof(struct slot) + config->elem_size + 7) & ~(size_t)7;
	l->segment_bytes = sizeof(struct segment) + SEGMENT * l->slot_size;
	weft_store_relaxed(&l->spare, NULL);
	/* There is a segment from the start: no first one to race for. */
	first = segment_new(l);
	if (!first) {
		free(l);
		return -ENOMEM;
	}
	/* What went through before the start was written and read. */
	for (unsigned i = 0; i < offset; i++)
		weft_store_relaxed(&list_slot_at(l, first, i)->state,
		                   WRITTEN | READ);
	weft_store_relaxed(&l->tail.pos, pos << 1);
	weft_store_relaxed(&l->tail.segment, first);
	weft_store_relaxed(&l->head.pos, pos << 1);
	weft_store_relaxed(&l->head.segment, first);
	*state = l;
	return 0;
}

static void list_destroy(void *state)
{
	struct chain *l = state;
	struct segment *s = weft_load_relaxed(&l->head.segment), *next;

	for (; s; s = next) {
		next = weft_load_relaxed(&s->next);
		free(s);
	}
	free(weft_load_relaxed(&l->spare));
	free(l);
}

/* Where a claim landed. */
struct claimed {
	struct segment *segment;
	unsigned first, n;
};

/* Slots from `offset` on that one claim may take: not beyond the segment. */
static unsigned list_clip(unsigned offset, size_t n)
{
	return n < SEGMENT - offset ? (unsigned)n : SEGMENT - offset;
}

/* The sender of a segment's last slot makes the next one the tail. */
static void list_link_next(struct chain *l, struct segment *last,
                           struct segment *next)
{
	weft_store_relaxed(&l->tail.segment, next);
	/* [tail] skips the position that stood for this. An addition, so that
	 * a close in between keeps its bit. */
	weft_fetch_add_release(&l->tail.pos, UINT64_C(2));
	weft_store_release(&last->next, next); /* [next] */
}

/* Claim up to n slots for writing. 0, -EPIPE or -ENOMEM. */
static int list_claim_tail(struct chain *l, size_t n, struct claimed *out)
{
	struct segment *ahead = NULL;
	unsigned turns = 0;
	int err = 0;

	for (;;) {
		/* [tail] acquires the segment that belongs to the position. */
		uint64_t pos = weft_load_acquire(&l->tail.pos);
		unsigned offset = (unsigned)(pos >> 1) % LAP;

		if (pos & CLOSED) {
			err = -EPIPE;
			break;
		}
		if (offset == SEGMENT) {
			spin_for_peer(&turns);
			continue;
		}
		out->first = offset;
		out->n = list_clip(offset, n);
		if (offset + out->n == SEGMENT && !ahead) {
			ahead = segment_new(l);
			if (!ahead) {
				err = -ENOMEM;
				break;
			}
		}
		out->segment = weft_load_relaxed(&l->tail.segment);
		if (!weft_cas_weak_acq_rel(&l->tail.pos, &pos,
		                           pos + 2 * (uint64_t)out->n))
			continue;
		if (offset + out->n == SEGMENT) {
			list_link_next(l, out->segment, ahead);
			ahead = NULL;
		}
		break;
	}
	segment_free(l, ahead);
	return err;
}

/* The receiver of a segment's last slot makes the next one the head. */
static void list_follow_next(struct chain *l, struct segment *last)
{
	struct segment *next;

	/* The sender of that slot links it, soon. */
	for (unsigned turns = 0; !(next = weft_load_acquire(&last->next));)
		spin_for_peer(&turns); /* [next] */
	weft_store_relaxed(&l->head.segment, next);
	weft_fetch_add_release(&l->head.pos, UINT64_C(2)); /* [head] */
}

/* Elements between two positions, without those that are no slots. */
static uint64_t list_distance(uint64_t head, uint64_t tail)
{
	return tail - tail / LAP - (head - head / LAP);
}

/* Claim up to n slots for reading. 0, -EAGAIN or -EPIPE. */
static int list_claim_head(struct chain *l, size_t n, struct claimed *out)
{
	unsigned turns = 0;

	for (;;) {
		/* [head] acquires the segment that belongs to the position. */
		uint64_t pos = weft_load_acquire(&l->head.pos);
		unsigned offset = (unsigned)(pos >> 1) % LAP;
		uint64_t tail, there;

		if (offset == SEGMENT) {
			spin_for_peer(&turns);
			continue;
		}
		tail = weft_load_acquire(&l->tail.pos);
		there = list_distance(pos >> 1, tail >> 1);
		if (there == 0)
			return tail & CLOSED ? -EPIPE : -EAGAIN;
		out->first = offset;
		out->n = list_clip(offset, n < there ? n : there);
		out->segment = weft_load_relaxed(&l->head.segment);
		if (!weft_cas_weak_acq_rel(&l->head.pos, &pos,
		                           pos + 2 * (uint64_t)out->n))
			continue;
		if (offset + out->n == SEGMENT)
			list_follow_next(l, out->segment);
		return 0;
	}
}

static void list_write_slot(struct chain *l, struct segment *s, unsigned i,
                            const void *elem)
{
	struct slot *slot = list_slot_at(l, s, i);

	elem_copy(slot->elem, elem, l->elem_size);
	/* [slot] releases the element. Nobody else changes the state before it
	 * says WRITTEN: segment_retire() waits for that too. */
	weft_store_release(&slot->state, WRITTEN);
}

static void list_read_slot(struct chain *l, struct segment *s, unsigned i,
                           void *elem)
{
	struct slot *slot = list_slot_at(l, s, i);

	list_await_written(slot);
	elem_copy(elem, slot->elem, l->elem_size);
	if (i + 1 == SEGMENT)
		segment_retire(l, s, 0);
	else if (weft_fetch_or_acq_rel(&slot->state, READ) & FREEING)
		segment_retire(l, s, i + 1);
}

static int list_try_send_many(void *state, const void *elems, size_t n,
                              size_t *done)
{
	struct chain *l = state;
	const unsigned char *from = elems;
	struct claimed c;

	*done = 0;
	while (*done < n) {
		int err = list_claim_tail(l, n - *done, &c);

		if (err)
			return err;
		for (unsigned i = 0; i < c.n; i++, ++*done)
			list_write_slot(l, c.segment, c.first + i,
			                from + *done * l->elem_size);
	}
	return 0;
}

static int list_try_recv_many(void *state, void *elems, size_t n, size_t *done)
{
	struct chain *l = state;
	unsigned char *to = elems;
	struct claimed c;

	*done = 0;
	while (*done < n) {
		int err = list_claim_head(l, n - *done, &c);

		if (err)
			return err;
		for (unsigned i = 0; i < c.n; i++, ++*done)
			list_read_slot(l, c.segment, c.first + i,
			               to + *done * l->elem_size);
	}
	return 0;
}

static int list_try_send(void *state, const void *elem)
{
	struct chain *l = state;
	struct claimed c;
	int err = list_claim_tail(l, 1, &c);

	if (!err)
		list_write_slot(l, c.segment, c.first, elem);
	return err;
}

static int list_try_recv(void *state, void *elem)
{
	struct chain *l = state;
	struct claimed c;
	int err = list_claim_head(l, 1, &c);

	if (!err)
		list_read_slot(l, c.segment, c.first, elem);
	return err;
}

static int list_close(void *state)
{
	struct chain *l = state;

	return weft_fetch_or_acq_rel(&l->tail.pos, CLOSED) & CLOSED ? -EPIPE
	                                                            : 0;
}

static size_t list_chan_len(const void *state)
{
	struct chain *l = (struct chain *)(uintptr_t)state;
	uint64_t tail, head;

	do {
		tail = weft_load_acquire(&l->tail.pos);
		head = weft_load_acquire(&l->head.pos);
	} while (weft_load_acquire(&l->tail.pos) != tail);
	return list_distance(head >> 1, tail >> 1);
}

/* As ring_poll(); a send never waits. */
static bool list_poll(void *state, char dir, uint64_t *pos)
{
	struct chain *l = state;
	uint64_t tail, head;

	head = weft_load_acquire(&l->head.pos);
	tail = weft_load_acquire(&l->tail.pos);
	*pos = tail;
	return dir == 's' || tail & CLOSED ||
	       list_distance(head >> 1, tail >> 1) > 0;
}

const struct weft_chan_impl weft_chan_impl_list = {
	WEFT_CHAN_ABI_HEADER,
	.name = "list",
	.summary = "unbounded, linked segments (crossbeam's list channel)",
	.can = WEFT_CAN_UNBOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_SELECT | WEFT_CAN_TIMEOUT | WEFT_CAN_BATCH |
	       WEFT_CAN_LEN | WEFT_CAN_START,
	.create = list_create,
	.destroy = list_destroy,
	.try_send = list_try_send,
	.try_recv = list_try_recv,
	.try_send_many = list_try_send_many,
	.try_recv_many = list_try_recv_many,
	.close = list_close,
	.len = list_chan_len,
	.poll = list_poll,
};
