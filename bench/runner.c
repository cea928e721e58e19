#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cpus.h"
#include "bench/runner.h"
#include "bench/trial.h"

/* What a calibration run must last to say something about longer ones: a few
 * turns of the scheduler, and a good part of what it is scaled to. */
#define LONG_ENOUGH_NS (5 * WEFT_MS)
#define LONG_ENOUGH_PART 5

struct measurement {
	const struct plan *plan;
	struct result *out;
	void (*hung)(const struct result *out, void *arg);
	void *arg;
};

static void take_verdict(struct result *out, const struct trial *t)
{
	out->verdict = t->verdict;
	memcpy(out->why, t->why, sizeof(out->why));
}

static uint64_t peak_rss(void)
{
	struct rusage u;

	CHECK_EQ(getrusage(RUSAGE_SELF, &u), 0);
	return (uint64_t)u.ru_maxrss * 1024;
}

static void on_hung(struct trial *t)
{
	struct measurement *m = t->hung_arg;

	take_verdict(m->out, t);
	m->out->peak_rss_bytes = peak_rss();
	m->hung(m->out, m->arg);
}

/* One run of `items` messages. Returns whether it passed. */
static bool one_run(struct measurement *m, struct trial *t, uint64_t items,
                    int64_t pace_ns, struct hist *hist)
{
	*t = (struct trial){ .plan = m->plan,
		             .items = items,
		             .pace_ns = pace_ns,
		             .hist = hist,
		             .hung = on_hung,
		             .hung_arg = m };
	m->out->items = items;
	trial_run(t);
	take_verdict(m->out, t);
	if (!verdict_is_good(t->verdict))
		return false;
	m->out->runs++;
	return true;
}

static uint64_t clamp(double x, uint64_t low, uint64_t high)
{
	if (x <= (double)low)
		return low;
	return x < (double)high ? (uint64_t)x : high;
}

static int64_t long_enough(int64_t time_ns)
{
	int64_t part = time_ns / LONG_ENOUGH_PART;
	int64_t ns = part > LONG_ENOUGH_NS ? part : LONG_ENOUGH_NS;

	return ns < time_ns ? ns : time_ns;
}

/* `items` took `ns`; how many to try for `wanted` ns, without a leap: short
 * runs are mostly beginning and end. */
static uint64_t grow(uint64_t items, int64_t ns, int64_t wanted, uint64_t max)
{
	double growth = 1.5 * (double)wanted / (double)ns;

	growth = growth < 2 ? 2 : growth > 16 ? 16 : growth;
	return clamp((double)items * growth, items, max);
}

/*
 * Find how many messages take plan->time_ns: grow the runs until one is long
 * enough to go by. 0 when one of them failed.
 */
static uint64_t calibrate(struct measurement *m)
{
	uint64_t max = plan_items_max(m->plan);
	uint64_t min = max < PLAN_ITEMS_MIN ? max : PLAN_ITEMS_MIN;
	int64_t enough = long_enough(m->plan->time_ns);
	uint64_t items = min;
	struct trial t;

	while (one_run(m, &t, items, 0, NULL)) {
		if (t.sample.ns >= enough || items == max)
			return clamp((double)items * (double)m->plan->time_ns /
			                     (double)t.sample.ns,
			             min, max);
		items = grow(items, t.sample.ns, enough, max);
	}
	return 0;
}

static bool measure_throughput(struct measurement *m, uint64_t items)
{
	struct result *out = m->out;
	struct trial t;

	for (unsigned i = 0; i < m->plan->reps; i++) {
		if (!one_run(m, &t, items, 0, NULL))
			return false;
		out->sample[out->n++] = t.sample;
	}
	return true;
}

/*
 * Open loop, below the measured throughput, for about the same time. What is
 * recorded starts when a message was due, not when a busy sender got round
 * to it: a stall counts for every message that it held up.
 */
static void measure_latency(struct measurement *m, uint64_t items)
{
	double pace =
	        result_median(m->out, sample_ns_per_message) / LATENCY_LOAD;
	int64_t pace_ns = pace < 1 ? 1 : (int64_t)pace;
	uint64_t min = items < PLAN_ITEMS_MIN ? items : PLAN_ITEMS_MIN;
	uint64_t paced =
	        clamp((double)m->plan->time_ns / (double)pace_ns, min, items);
	struct hist *h = malloc(sizeof(*h));
	struct trial t;

	CHECK(h != NULL);
	weft_hist_init(h);
	if (one_run(m, &t, paced, pace_ns, h))
		latency_from_hist(&m->out->latency, h);
	free(h);
	m->out->items = items;
}

void runner_measure(const struct plan *plan, struct result *out,
                    void (*hung)(const struct result *out, void *arg),
                    void *arg)
{
	struct measurement m = {
		.plan = plan, .out = out, .hung = hung, .arg = arg
	};
	uint64_t items = plan_items(plan);

	CHECK_LE(plan->reps, (unsigned)RESULT_REPS_MAX);
	memset(out, 0, sizeof(*out));
	out->plan = plan;
	out->tasks = plan->pattern->tasks(&plan->params);
	out->consumers = plan->pattern->consumers(&plan->params);
	out->cpus = weft_cpus_allowed();
	out->items = items;
	out->verdict = VERDICT_NA;
	if (plan_possible(plan, out->why, sizeof(out->why)))
		return;
	if (!items)
		items = calibrate(&m);
	if (items && measure_throughput(&m, items) && plan->latency)
		measure_latency(&m, items);
	out->peak_rss_bytes = peak_rss();
}

void runner_abandon(int status)
{
	/* Not _exit(): the thread sanitizer's would report the tasks that
	 * nobody could join, and replace the status. */
	syscall(SYS_exit_group, status);
	abort();
}
