/* cost: what a cell costs beside its runs. */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include "bench/result.h"

/* Nothing is known yet. */
void cost_init(struct cost *cost);

/*
 * Measure it, in some 30 ms: what it takes to make, check and count a message
 * without sending it; how much memory an idle channel of the cell has; how much
 * CPU time a receiver uses that waits for nothing. What cannot be known stays
 * as it is.
 *
 * Returns 0, or -ETIMEDOUT when that receiver did not return at its deadline:
 * then it is still there. The caller is no task, and the runs of the cell have
 * passed.
 */
int cost_measure(const struct plan *plan, struct cost *cost);

#endif
