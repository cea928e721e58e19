/*
 * fake: a pattern that does what a test of the runner asks of it. No channel is
 * involved.
 */
#ifndef BENCH_FAKE_H
#define BENCH_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/result.h"

enum { KNOB_DRIVERS, KNOB_ITEMS, KNOB_FAULT, KNOB_CAP };

enum fault {
	NO_FAULT,
	SETUP_ENOMEM,
	SETUP_EINVAL,
	SETUP_HANGS,
	WORK_HANGS, /* in driver 0 */
	STOP_HANGS,
	VERIFY_FAILS,
	LATENCY_VERIFY_FAILS,
	LATE_WHEN_TIMED, /* by half of the time it has, and 5 ms */
	SLOW_WHEN_TIMED, /* by a twentieth of the time it has */
	FASTER_THAN_THE_CLOCK,
	WORK_CRASHES,
	WORK_PARKS,        /* each driver, once at least */
	WORK_STOPS,        /* the process, and goes on for 300 ms */
	WORK_FALLS_ASLEEP, /* driver 0 */
	STOP_FALLS_ASLEEP,
};

/* What the runs left behind for the test to look at; reset by plan_for(). */
extern struct seen {
	unsigned setups, stops, verifies, teardowns;
	unsigned timed; /* setups of a run that measures latency */
	uint64_t last_items;
	double last_pace_ns;
	bool last_has_due;
	bool early;     /* a driver ran before t0 was read */
	bool unstarted; /* stop came before every driver had worked */
} seen;

extern const struct pattern fake;

/* A short measurement of the fake over `handoff`. */
struct plan plan_for(enum fault fault);

/* Measure what may not hang. The result is good until the next call. */
struct result *measure(const struct plan *plan);

#endif
