/*
 * timer_wheel: timer entries in a hierarchical timing wheel. A push and a
 * remove take the same few steps, however many there are.
 *
 * A time is 11 digits of 6 bits, and each level has a slot for every value of
 * one digit. An entry is placed by the highest digit in which its time differs
 * from that of the wheel: so a slot of level 0 holds a single nanosecond, and
 * one of level 1 the 64 of which no lower digit matters yet. When the time of
 * the wheel comes to a slot above level 0, its entries cascade: each is placed
 * again, below. No digit ever wraps: a higher one differs first.
 *
 * The wheel has to be told how far time has come (pass), which the heap need
 * not know, and takes nothing that is due before then.
 */
#ifndef WEFT_BASE_TIMER_WHEEL_H
#define WEFT_BASE_TIMER_WHEEL_H

#include "base/timer_entry.h"

#define TIMER_WHEEL_BITS 6
#define TIMER_WHEEL_SLOTS (1u << TIMER_WHEEL_BITS)
#define TIMER_WHEEL_LEVELS 11

struct timer_slot {
	struct list entries; /* in the order of their pushes */
	/* Of one above level 0: NULL where it has to be looked for. */
	struct timer_entry *earliest;
};

/* Zero is an empty one. */
struct timer_wheel {
	struct timer_slot *slots; /* level by level; NULL: no room yet */
	uint64_t occupied[TIMER_WHEEL_LEVELS]; /* a bit for each slot */
	unsigned levels;                       /* a bit for each level in use */

	/* base_ns <= passed_ns <= what any entry is due, unless that is due to
	 * be taken out. Entries are placed by how they differ from base_ns. */
	int64_t base_ns, passed_ns;

	size_t n;
	uint64_t pushed; /* so far */
};

/* Have room for n entries in all. Returns 0; -ENOMEM, and nothing changed. */
int weft_timer_wheel_reserve(struct timer_wheel *w, size_t n);

/* Free the memory of one that nobody uses any more. */
void weft_timer_wheel_fini(struct timer_wheel *w);

/* Put in an entry that is in no wheel. There is room. One that is due before
 * what has passed becomes due when that had. */
void weft_timer_wheel_push(struct timer_wheel *w, struct timer_entry *e,
                           int64_t due_ns);

/* Take out an entry of this wheel. */
void weft_timer_wheel_remove(struct timer_wheel *w, struct timer_entry *e);

/* Time has come to now_ns. It does not go back: an earlier time is ignored. */
void weft_timer_wheel_pass(struct timer_wheel *w, int64_t now_ns);

/*
 * The earliest; NULL.
 *
 * Each entry cascades once per level at most, and a slot is searched once for
 * its earliest: again only when that was taken out before its time.
 */
struct timer_entry *weft_timer_wheel_first(struct timer_wheel *w);

#endif
