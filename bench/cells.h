/*
 * cells: the default cells of `weft bench`.
 *
 * For every pattern over every channel: the cell with all knobs at their
 * defaults, and those where one knob takes each other value of its sweep list.
 * That is a star around the defaults and not their product, which would grow
 * with every knob. Cells that a channel cannot do are left out.
 */
#ifndef BENCH_CELLS_H
#define BENCH_CELLS_H

#include "bench/plan.h"

#define CELL_NAME_BYTES 256

/* Whether a knob is varied, and so stands in a cell's name. */
bool cells_swept(const struct knob *knob);

/*
 * Call visit(plan, arg) for each cell until one returns an error, and return
 * that.
 *
 * base   everything of a plan but pattern, channel and params
 * extra  one more channel; NULL for the built-in ones only
 */
int cells_visit(const struct plan *base, const struct weft_chan_impl *extra,
                int (*visit)(const struct plan *plan, void *arg), void *arg);

#endif
