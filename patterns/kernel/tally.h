/*
 * tally: did every item arrive exactly once, in order where that is promised?
 *
 * `items` items are dealt to P producers as evenly as possible; producer p
 * numbers its tally_share(items, P, p) items from 0. Each of C consumers counts
 * what it receives, privately: a bitmap over all items, and for every producer
 * the number it expects next at the earliest. Nothing is shared while counting,
 * nothing is allocated, and every page has been touched before, so a count
 * costs 2 to 3 ns and may stay on in measured runs. Memory: C * items / 8
 * bytes.
 *
 * The verdict is exact: a loss does not hide behind a duplicate, as it can in
 * counts and sums.
 *
 * One task counts for one consumer at a time. Verdict and free come after all
 * of them have been joined.
 */
#ifndef WEFT_PATTERNS_KERNEL_TALLY_H
#define WEFT_PATTERNS_KERNEL_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/export.h>

#include "cli/text.h"

/* The first of its kind, for the verdict. */
struct tally_first {
	unsigned producer;
	uint64_t seq;
	uint64_t after; /* what had come before it */
};

/* What one consumer has seen; written by its task alone. */
struct tally_consumer {
	_Alignas(WEFT_CACHE_LINE) uint64_t *seen; /* bit base[p] + seq */
	uint64_t *next; /* of each producer: above all seen of it */

	/* Counts of what should not be, and the first of each. */
	uint64_t again, late, alien;
	struct tally_first first_again, first_late, first_alien;
	bool alien_is_value; /* then first_alien.seq is a value */
};

struct tally {
	uint64_t items;
	unsigned producers, consumers;
	uint64_t *base; /* where each producer's bits begin; items at the end */
	struct tally_consumer *consumer;
};

/* How many of `items` fall to `part` of `parts`: the first ones get one more
 * when it does not divide. Dealt in turn, item i goes to part i % parts. */
static inline uint64_t tally_share(uint64_t items, unsigned parts,
                                   unsigned part)
{
	return items / parts + (part < items % parts);
}

/* Make a tally of nothing. 0; -EINVAL without producers or consumers;
 * -ENOMEM. */
int tally_new(struct tally **out, unsigned producers, unsigned consumers,
              uint64_t items);

/* NULL is ignored. */
void tally_free(struct tally *t);

/* Beside the fast path: an item seen before, out of order, or never sent. */
void tally_odd(struct tally *t, unsigned consumer, unsigned producer,
               uint64_t seq);

/* A consumer received something that was never sent and is no item number. */
void tally_corrupt(struct tally *t, unsigned consumer, uint64_t value);

/* A consumer received item `seq` of a producer. Both may be any number. */
static inline void tally_count(struct tally *t, unsigned consumer,
                               unsigned producer, uint64_t seq)
{
	struct tally_consumer *c = &t->consumer[consumer];
	uint64_t id;

	/* What is not below `next` has not been seen: no need to look. */
	if (__builtin_expect(producer >= t->producers, 0) ||
	    __builtin_expect(seq >= t->base[producer + 1] - t->base[producer],
	                     0) ||
	    __builtin_expect(seq < c->next[producer], 0)) {
		tally_odd(t, consumer, producer, seq);
		return;
	}
	id = t->base[producer] + seq;
	c->seen[id / 64] |= UINT64_C(1) << (id % 64);
	c->next[producer] = seq + 1;
}

/*
 * Whether everything arrived exactly once, and, when `order_promised`, each
 * producer's items in their order at every consumer.
 *
 * why  receives one line that names everything that is wrong, with its count
 *      and the first example: what was never sent, delivered twice, lost, out
 *      of order. An item delivered k times counts k - 1 times. May be NULL
 *      when why_bytes is 0.
 *
 * Returns 0 or -EIO.
 */
int tally_verdict(const struct tally *t, bool order_promised, char *why,
                  size_t why_bytes);

/* The same, added to a line that may hold other findings already. */
int tally_report(const struct tally *t, bool order_promised, struct text *l);

#endif
