/*
 * cell: one run of a kernel, from setup to teardown.
 *
 * The bench and the tests run a cell by the same functions, so that what is
 * measured is what the tests have proven.
 */
#ifndef WEFT_PATTERNS_KERNEL_CELL_H
#define WEFT_PATTERNS_KERNEL_CELL_H

#include "kernel/pattern.h"

/* Whether these parameters make sense together. 0, or -EINVAL with one line in
 * `why` that names the value and what is allowed. */
int cell_accepts(const struct params *params, char *why, size_t why_bytes);

/*
 * The same, and whether the channel can do what such a cell asks of it. Returns
 * 0, or -EINVAL with one line in `why` that names the value and what is
 * allowed.
 */
int cell_possible(const struct params *params,
                  const struct weft_chan_impl *chan, char *why,
                  size_t why_bytes);

/*
 * Make the channel of such a cell once, for what only making it can tell.
 * Returns 0 with the capacity that it really has, SIZE_MAX when unbounded; or
 * the error with one line in `why`, when the system does not grant that much.
 */
int cell_probe(const struct params *params, const struct weft_chan_impl *chan,
               size_t *cap, char *why, size_t why_bytes);

/*
 * Get a cell ready to be run: `cell` has its pattern, chan, params, items,
 * pace_ns and due set. The knob `items` becomes what cell->items says, and
 * there is memory for what the consumers count and, with `latency`, time. 0 or
 * -ENOMEM; cell_fini() releases it either way.
 */
int cell_init(struct cell *cell, bool latency);
void cell_fini(struct cell *cell);

/*
 * The parts of a run, for tests of them. Setup: 0 or -errno, after which there
 * is nothing to tear down. Stop is called once, with all drivers ended or none
 * started. Teardown a second time does nothing.
 */
int cell_setup(struct cell *cell);
void cell_stop(struct cell *cell);
void cell_teardown(struct cell *cell);

/* One run of a cell that is ready. */
struct cell_run {
	struct cell *cell;

	/* Called just before t0 is read, and just after the last driver has
	 * ended; NULL: not called. For what is measured beside the time. */
	void (*begin)(void *arg), (*end)(void *arg);
	void *arg;

	/* For another task to see how far the run has come: in which phase it
	 * is, NULL before the first, and how many drivers have not ended. */
	_Atomic(const char *) phase;
	_Atomic unsigned working;

	/* What came of it. */
	int64_t ns;      /* from t0 until the last driver had ended, >= 1 */
	int64_t skew_ns; /* from t0 until the last driver had started */
	char why[PATTERN_WHY_BYTES]; /* "" after a run that was verified */
};

/*
 * Run it: setup, the drivers behind a gate, stop, verify, teardown. The caller
 * is a task.
 *
 * Returns 0 when the run was verified, -EIO when it failed its check; before
 * that, what setup or the start of a driver returned: -ENOMEM or -EAGAIN when
 * the machine has no more to give, -ENOTSUP when this kernel and this channel
 * do not go together. Then run->why says what went wrong.
 */
int cell_run(struct cell_run *run);

#endif
