/*
 * plan: one cell and how to measure it; what the user asked for.
 *
 * A cell is a pattern over a channel with every knob set.
 */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/arrivals.h"
#include "kernel/pattern.h"

/* Short enough that all runs of a cell are done in two seconds, also where
 * others want the CPUs. */
#define PLAN_TIME (50 * WEFT_MS)

/* Times the length that is asked for, a run may last by what its messages wait.
 */
#define PLAN_LEAST_FACTOR 4

/* The same of what they compute, the knob `work`. */
#define PLAN_WORK_FACTOR 20

/* Enough that a fault in every thousandth message shows in every run. Fewer are
 * for cells whose messages wait (pattern->least_ns) or compute for that long.
 */
#define PLAN_ITEMS_MIN 2000
#define PLAN_ITEMS_MAX (UINT64_C(1) << 25)

/* Times the length that is asked for, the run for latency may last to get its
 * number of messages. */
#define PLAN_LATENCY_FACTOR 10

/* Half the throughput: far enough from where queues grow without end. */
#define PLAN_UTILIZATION 50

struct plan {
	const struct pattern *pattern;
	const struct weft_chan_impl *chan;
	struct params params;

	unsigned reps; /* measured repetitions */
	/* Called before each of them, which begins when it returns, and once
	 * after the last; false: there are no more of them. The first is made
	 * in any case. Or NULL. */
	bool (*turn)(void);
	int64_t time_ns; /* length of one, when items is 0 (auto) */
	/* For runs before those, until they get no faster; 0: none. */
	int64_t warmup_ns;
	bool cost;    /* what it costs beside: see cost.h */
	bool latency; /* one more repetition, for latency */
	/* Its length, and how many messages it moves at least, unless that
	 * takes PLAN_LATENCY_FACTOR times as long. 0 and 0: as long as the
	 * others, and no more messages than they. Where the pattern says how
	 * many there are, neither counts. */
	int64_t latency_ns;
	uint64_t latency_items;
	/* Of an open loop then: how its items come, and how many, in percent
	 * of the throughput that the repetitions before have measured. */
	enum arrivals arrivals;
	unsigned utilization;
	/* Of every single run, set-up included; 0: half a minute more than what
	 * was asked for should take. */
	int64_t timeout_ns;
	uint64_t seed;
	/* What is known of it from another measurement, or 0; it says how long
	 * a run will take. */
	double ns_per_message;
};

/* The given cell with every knob at its default, measured the default way. */
void plan_init(struct plan *plan, const struct pattern *pattern,
               const struct weft_chan_impl *chan);

/* The value of knob i as the user would write it; in `to` unless it is a word
 * or a text. */
#define KNOB_TEXT_BYTES 24
const char *knob_text(const struct params *params, size_t i,
                      char to[KNOB_TEXT_BYTES]);

/* Whether there is anything to be written: a text may not have been given. */
bool knob_says(const struct params *params, size_t i);

/* The value of the knob `items`: how many messages a run moves; 0 means as
 * many as fill time_ns. */
uint64_t plan_items(const struct plan *plan);

/* The most messages that one run of this cell may move. */
uint64_t plan_items_max(const struct plan *plan);

/*
 * The name of the cell: pattern/chan:NAME/knob:value/... with the knobs that
 * `shown` says yes to, all of them when it is NULL.
 */
void plan_name(const struct plan *plan, bool (*shown)(const struct knob *),
               char *name, size_t name_bytes);

#endif
