/*
 * slots: a ring of sequence-numbered slots, and the positions in it. After
 * Dmitry Vyukov's bounded queue, with the lap in the position as in crossbeam's
 * array channel, so that any capacity will do.
 *
 * A position is a lap and an index below the capacity. Laps count in steps of
 * `lap`, a power of two above the capacity, so that index `cap` never occurs
 * and the three values of a slot's sequence number are distinct even when
 * there is one slot only. For the slot of position p, seq is
 *
 *	p          free, and the sender that claims p may write
 *	p + 1      full, and the receiver that claims p may read
 *	p + lap    free again, for the sender of the next lap
 *
 * mpsc tells by its indices what is free, so its slots are p + 1 or not.
 */
#ifndef WEFT_CHAN_SLOTS_H
#define WEFT_CHAN_SLOTS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/atomic.h>

#include "task/internal.h"
#include "task/spin.h"

struct slot {
	_Atomic uint64_t seq;
	unsigned char elem[];
};

/* Constant once made. */
struct laps {
	uint64_t cap, lap;
};

static inline struct laps laps_of(uint64_t cap)
{
	uint64_t lap = 2;

	while (lap <= cap)
		lap *= 2;
	return (struct laps){ cap, lap };
}

/* The position that so many elements have gone through before. */
static inline uint64_t laps_start(const struct laps *l, uint64_t start)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): cap is never 0 */
	return start / l->cap * l->lap + start % l->cap;
}

static inline uint64_t laps_index(const struct laps *l, uint64_t pos)
{
	return pos & (l->lap - 1);
}

/* The position after pos. */
static inline uint64_t laps_next(const struct laps *l, uint64_t pos)
{
	uint64_t index = laps_index(l, pos);

	return index + 1 < l->cap ? pos + 1 : pos - index + l->lap;
}

/* The position n <= cap after pos. */
static inline uint64_t laps_after(const struct laps *l, uint64_t pos,
                                  uint64_t n)
{
	uint64_t index = laps_index(l, pos) + n;

	return index < l->cap ? pos + n : pos + n - l->cap + l->lap;
}

/* Elements between head and tail. */
static inline uint64_t laps_distance(const struct laps *l, uint64_t head,
                                     uint64_t tail)
{
	uint64_t laps = (tail / l->lap - head / l->lap) * l->cap;

	return laps + laps_index(l, tail) - laps_index(l, head);
}

static inline size_t slot_bytes(size_t elem_size)
{
	return (sizeof(struct slot) + elem_size + 7) & ~(size_t)7;
}

static inline struct slot *slot_at(unsigned char *slots, uint64_t index,
                                   size_t slot_size)
{
	return (struct slot *)(void *)(slots + index * slot_size);
}

/* All of them are free, for the lap that begins at pos. */
static inline void slots_free_from(unsigned char *slots, const struct laps *l,
                                   size_t slot_size, uint64_t pos)
{
	for (uint64_t i = 0; i < l->cap; i++, pos = laps_next(l, pos))
		weft_store_relaxed(
		        &slot_at(slots, laps_index(l, pos), slot_size)->seq,
		        pos);
}

/*
 * The ends. head is a position; tail is one shifted left by one, and its lowest
 * bit is CLOSED, so that a claim and a close exclude each other at no cost.
 */
#define CLOSED UINT64_C(1)

/* 0 or -EPIPE. */
static inline int slots_close(_Atomic uint64_t *tail)
{
	return weft_fetch_or_acq_rel(tail, CLOSED) & CLOSED ? -EPIPE : 0;
}

static inline size_t slots_len(const struct laps *l, _Atomic uint64_t *tail,
                               _Atomic uint64_t *head)
{
	uint64_t t, h, n;

	/* A pair that was true at one instant: tail did not move. */
	do {
		t = weft_load_acquire(tail);
		h = weft_load_acquire(head);
	} while (weft_load_acquire(tail) != t);
	n = laps_distance(l, h, t >> 1);
	return n < l->cap ? n : l->cap;
}

/*
 * A send waits while head is a lap behind tail, a receive while they are equal,
 * and only the other one moving can end that; so its position will do. The one
 * that may move first is read first: when the two still fit, it did not move.
 */
static inline bool slots_poll(const struct laps *l, _Atomic uint64_t *tail,
                              _Atomic uint64_t *head, char dir, uint64_t *pos)
{
	uint64_t t, h;

	if (dir == 's') {
		t = weft_load_acquire(tail);
		h = weft_load_acquire(head);
		*pos = h << 1 | (t & CLOSED);
		return t & CLOSED || h != (t >> 1) - l->lap;
	}
	h = weft_load_acquire(head);
	t = weft_load_acquire(tail);
	*pos = t;
	return t & CLOSED || t >> 1 != h;
}

/*
 * Pauses before the second look at a slot that a peer has claimed and not yet
 * left, a few instructions later.
 *
 * The two are at the same place then, and a task that looks at once is there
 * again for the next element: each one takes the line of its slot back and
 * forth. After the gap there are many. A longer one would let the peer come to
 * the other end of the buffer, and in one of fewer than 8 slots every pause
 * costs: docs/performance.md has the figures.
 */
static inline uint32_t slots_gap(size_t cap)
{
	size_t gap = weft_cpus() < 2 ? 0 : cap / 8 * 5;

	return gap < 200 ? (uint32_t)gap : 200;
}

/* Wait for the peer at such a slot; *turns begins as 0. */
static inline void slots_await(unsigned *turns, uint32_t gap)
{
	if (*turns == 0)
		for (uint32_t i = 0; i < gap; i++)
			weft_relax();
	spin_for_peer(turns);
}

#endif
