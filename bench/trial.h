/*
 * trial: one run of one cell, from setup to teardown, under a watchdog.
 *
 *	watchdog   the first task; sleeps until the runner ends or time is up
 *	runner     cell_run(), which starts the drivers
 *
 * Everything a channel under test could hang in happens outside the watchdog.
 */
#ifndef BENCH_TRIAL_H
#define BENCH_TRIAL_H

#include "bench/result.h"

struct trial {
	/* What to do. */
	const struct plan *plan;
	uint64_t items;     /* >= 1 */
	double pace_ns;     /* 0: closed loop */
	const int64_t *due; /* of each item; NULL = evenly */
	struct hist *hist;  /* receives all latencies; NULL = do not measure */
	/* Set-up included: what takes longer is hung. Time in which the whole
	 * process stood still does not count. */
	int64_t limit_ns;

	/*
	 * Called when the time is up, after each task's state was printed;
	 * verdict and why are set. Must end the process: tasks that hang
	 * cannot be joined.
	 */
	void (*hung)(struct trial *t);
	void *hung_arg;

	/* What came of it; all but the first two count when that is good. */
	enum verdict verdict;
	char why[RESULT_WHY_BYTES];
	struct sample sample;
	int64_t longest_gap; /* with hist: in which a consumer got nothing */
	/* What sample.figure[] is about. */
	struct figure figure[PATTERN_FIGURES_MAX];
	unsigned figures;
};

/* Run it. The caller must not be a task. */
void trial_run(struct trial *t);

#endif
