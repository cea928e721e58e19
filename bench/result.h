/* result: what the measurement of one cell found. */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include "bench/plan.h"
#include "kernel/hist.h"
#include "kernel/place.h"

#define RESULT_REPS_MAX 1000

/* What verify says, or what a watchdog does. */
#define RESULT_WHY_BYTES (PATTERN_WHY_BYTES + 200)

enum verdict {
	VERDICT_VERIFIED, /* every run passed the check of its pattern */
	VERDICT_FLOOR,    /* the same over a channel that moves no data */
	VERDICT_NA,       /* this channel or machine cannot do the cell */
	VERDICT_FAILED,   /* a run failed its check */
	VERDICT_HUNG,     /* the watchdog ended a run */
};

/* One measured repetition, from the opening of the gate to the last end. */
struct sample {
	int64_t ns;
	uint64_t messages;
	int64_t start_skew_ns; /* from t0 until the last driver had started */
	double cpu_seconds;    /* user and system, of the whole process */
	uint64_t voluntary_switches, involuntary_switches;
	uint64_t parks, wakes; /* as weft_run_stats() counts them */
	/* What the same piece of computation took right before and right after,
	 * the longer of both: how fast the machine was just then. 0 for a turn
	 * that is not the first. */
	int64_t spin_ns;
	double jain;        /* fairness among consumers: 1 = all equal */
	double least_share; /* smallest share, as a part of a fair one */
	double figure[PATTERN_FIGURES_MAX]; /* the pattern's own */
};

/* The runs before those that count. */
struct warmup {
	unsigned runs;
	int64_t ns;   /* of all of them */
	bool reached; /* they got no faster any more */
};

/* What a cell costs beside the runs; -1: not measured, or not known. */
struct cost {
	double harness_ns;        /* per message, without any channel */
	double bytes_per_channel; /* of an idle one, on the heap */
	double idle_cpu;          /* CPUs that a waiting receiver uses */
};

struct latency {
	uint64_t count;
	int64_t p50, p90, p99, p999, max; /* nanoseconds */
	int64_t longest_gap; /* in which a consumer got nothing; 0: unknown */

	/* Of an open loop, in messages per second: what can come through,
	 * which is the throughput or, where reading the clock takes longer
	 * than a message, less than that; what was to come, a part of it; and
	 * what did come through. */
	double capacity, offered, achieved;
	/* Whether the last message was through soon after it was due. If not,
	 * the queue grew as long as the run lasted, and so did the latency. */
	bool kept_up;
};

struct result {
	const struct plan *plan;
	enum verdict verdict;
	char why[RESULT_WHY_BYTES]; /* "" when there is nothing to explain */

	uint64_t items; /* messages per measured run; 0 before that is known */
	bool items_searched; /* by the run; false: given, or the pattern's */
	unsigned tasks, cpus, consumers;
	enum placement placement; /* what the knob came to */
	size_t cap;    /* of each channel as made; SIZE_MAX when unbounded */
	unsigned runs; /* that passed their check */
	unsigned n;    /* samples */
	struct sample sample[RESULT_REPS_MAX];
	/* What the samples' figure[] are about; the values are the last
	 * one's. */
	struct figure figure[PATTERN_FIGURES_MAX];
	unsigned figures;
	struct latency latency; /* count 0 when not measured */
	struct hist hist;       /* what it follows from */
	struct warmup warmup;   /* no runs when there was none */
	struct cost cost;
	uint64_t peak_rss_bytes;
};

/* "VERIFIED", "FLOOR", "N/A", "FAILED" or "HUNG". */
const char *verdict_name(enum verdict verdict);

/* Whether the numbers of such a result mean anything. */
bool verdict_is_good(enum verdict verdict);

/* The exit status of a command that measured one such cell. */
int verdict_exit(enum verdict verdict);

/* Figures of one sample. */
double sample_ns_per_message(const struct sample *s);
double sample_messages_per_second(const struct sample *s);
double sample_cpu_seconds(const struct sample *s);
double sample_voluntary(const struct sample *s);
double sample_involuntary(const struct sample *s);
double sample_parks(const struct sample *s);
double sample_wakes(const struct sample *s);
double sample_jain(const struct sample *s);
double sample_least_share(const struct sample *s);
double sample_start_skew(const struct sample *s);

/* Messages per second: what the median of the times per message says, since
 * of an even number of samples the median of the rates would say another
 * thing. 0 without samples. */
double result_messages_per_second(const struct result *r);

/* A figure over all samples; 0 without samples. */
double result_median(const struct result *r,
                     double (*figure)(const struct sample *));
double result_min(const struct result *r,
                  double (*figure)(const struct sample *));
double result_max(const struct result *r,
                  double (*figure)(const struct sample *));

/* The median of the i-th of the pattern's own figures; likewise. */
double result_figure(const struct result *r, unsigned i);

/* Fill `out` from the merged histograms of all consumers. */
void latency_from_hist(struct latency *out, const struct hist *h);

/* Jain's index and the least share of n consumers' counts; 1 and 1 when there
 * is nothing to share. */
void fairness(const uint64_t *share, unsigned n, double *jain,
              double *least_share);

#endif
