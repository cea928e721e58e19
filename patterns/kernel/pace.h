/* pace: when the items of a cell are to be sent. */
#ifndef WEFT_PATTERNS_KERNEL_PACE_H
#define WEFT_PATTERNS_KERNEL_PACE_H

#include "kernel/pattern.h"

/* A task that sleeps wakes up late. So it sleeps until this long before its
 * time, and polls the clock for the rest. */
#define PACE_POLL_NS (200 * WEFT_US)

/* When item i < cell->items of an open loop is due. */
static inline int64_t pace_due(const struct cell *cell, uint64_t i)
{
	double after_ns = (double)i * cell->pace_ns;

	return weft_deadline_add(cell->t0,
	                         cell->due ? cell->due[i] : (int64_t)after_ns);
}

/* Wait until `due`, to within a microsecond or so. Returns the time. */
static inline int64_t pace_wait(int64_t due)
{
	int64_t now = weft_now();

	if (due - now > PACE_POLL_NS)
		weft_sleep_until(due - PACE_POLL_NS);
	while ((now = weft_now()) < due)
		weft_relax();
	return now;
}

/*
 * How many items go out now, in one batch of at most `most` >= 1, all of which
 * there must be: the next is item i of the cell, and the same sender's items
 * lie `stride` apart. All of them in a closed loop; in an open one those that
 * are due, after waiting for the first.
 */
static inline size_t pace_batch(const struct cell *cell, uint64_t i,
                                unsigned stride, size_t most)
{
	int64_t now;
	size_t n = 1;

	if (cell->pace_ns <= 0)
		return most;
	now = pace_wait(pace_due(cell, i));
	while (n < most && pace_due(cell, i + n * stride) <= now)
		n++;
	return n;
}

#endif
