#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cpus.h"
#include "bench/cost.h"
#include "bench/runner.h"
#include "bench/trial.h"
#include "kernel/cell.h"
#include "kernel/place.h"
#include "kernel/work.h"

struct measurement {
	const struct plan *plan;
	struct result *out;
	void (*hung)(const struct result *out, void *arg);
	void *arg;
	/* Of the last run that was not paced; before, the plan's. */
	double ns_per_message;
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

/* That the machine has no memory for it is nobody's failure. */
static bool give_up(struct measurement *m, const char *what)
{
	m->out->verdict = VERDICT_NA;
	snprintf(m->out->why, sizeof(m->out->why), "no memory for %s", what);
	return false;
}

/* --- how long a run may take --- */

/* For setting up, and for whatever the machine does meanwhile. */
#define LIMIT_BASE (30 * WEFT_SEC)

/* Before a run has shown how long a message takes: for each task that it may
 * have to pass, half of some switches between two. */
#define MESSAGE_NS 12.5e3

/* Times as long as expected. */
#define LIMIT_FACTOR 4

static double knob_or_1(const struct plan *plan, const char *name)
{
	int i = pattern_knob(plan->pattern, name);

	return i < 0 ? 1 : (double)plan->params.value[i];
}

/* Computation for one message: every task may have to do its part of it, and
 * they share the CPUs. */
static double work_ns(const struct measurement *m)
{
	double each = (double)m->out->tasks / m->out->cpus;

	if (pattern_knob(m->plan->pattern, "work") < 0)
		return 0;
	return knob_or_1(m->plan, "work") * knob_or_1(m->plan, "slow") *
	       (each > 1 ? each : 1);
}

static double least_ns(const struct plan *plan, uint64_t items)
{
	const struct pattern *p = plan->pattern;

	return p->least_ns ? p->least_ns(&plan->params, items) : 0;
}

/* How long this run will take, by what is known so far. */
static double expected_ns(const struct measurement *m, const struct trial *t)
{
	double each = m->ns_per_message > 0
	                      ? m->ns_per_message
	                      : MESSAGE_NS * m->out->tasks + work_ns(m);
	double ns = (double)t->items * (each + t->pace_ns);
	double least = least_ns(m->plan, t->items);

	ns = least > ns ? least : ns;
	if (!plan_items(m->plan) && ns < (double)m->plan->time_ns)
		return (double)m->plan->time_ns;
	return ns;
}

static int64_t limit_ns(const struct measurement *m, const struct trial *t)
{
	double ns = LIMIT_FACTOR * expected_ns(m, t);

	if (m->plan->timeout_ns)
		return m->plan->timeout_ns;
	/* Years, and far from the end of what a deadline can say. */
	return LIMIT_BASE + (ns < 1e17 ? (int64_t)ns : (int64_t)1e17);
}

/* --- runs --- */

/* One run of t->items messages. Returns whether it passed. */
static bool run_trial(struct measurement *m, struct trial *t)
{
	t->plan = m->plan;
	t->limit_ns = limit_ns(m, t);
	t->hung = on_hung;
	t->hung_arg = m;
	m->out->items = t->items;
	trial_run(t);
	take_verdict(m->out, t);
	if (!verdict_is_good(t->verdict))
		return false;
	m->out->runs++;
	if (t->pace_ns <= 0)
		m->ns_per_message = sample_ns_per_message(&t->sample);
	return true;
}

/* The same as fast as it can. */
static bool one_run(struct measurement *m, struct trial *t, uint64_t items)
{
	*t = (struct trial){ .items = items };
	return run_trial(m, t);
}

static uint64_t clamp(double x, uint64_t low, uint64_t high)
{
	if (x <= (double)low)
		return low;
	return x < (double)high ? (uint64_t)x : high;
}

/* `items` took `ns`; how many to try for `wanted` ns, without a leap: short
 * runs are mostly beginning and end. */
static uint64_t grow(uint64_t items, int64_t ns, int64_t wanted, uint64_t max)
{
	double growth = (double)wanted / (double)ns;

	growth = growth < 2 ? 2 : growth > 16 ? 16 : growth;
	return clamp((double)items * growth, items, max);
}

/* Whether so many messages wait no longer than is to be, and compute no longer:
 * at the least, that is with every CPU at work on them. */
static bool are_in_time(const struct measurement *m, uint64_t items)
{
	const struct plan *plan = m->plan;
	double time = (double)plan->time_ns;
	double work = pattern_knob(plan->pattern, "work") < 0
	                      ? 0
	                      : knob_or_1(plan, "work") *
	                                knob_or_1(plan, "slow") / m->out->cpus;

	return least_ns(plan, items) <=
	               PLAN_LEAST_FACTOR * time + least_ns(plan, UINT64_C(1)) &&
	       (double)items * work <= PLAN_WORK_FACTOR * time;
}

/* The most messages that are in time; one, where none is. */
static uint64_t most_in_time(const struct measurement *m)
{
	uint64_t few = 1, many = plan_items_max(m->plan);

	while (few < many) {
		uint64_t n = many - (many - few) / 2;

		if (!are_in_time(m, n))
			many = n - 1;
		else
			few = n;
	}
	return few;
}

/*
 * Find how many messages take plan->time_ns: grow the runs until one lasts half
 * as long, and run that one again. A stall makes a short run long; only what a
 * second run bears out is believed. 0 when one of them failed.
 */
static uint64_t calibrate(struct measurement *m)
{
	uint64_t max = most_in_time(m);
	uint64_t min = max < PLAN_ITEMS_MIN ? max : PLAN_ITEMS_MIN;
	uint64_t items = min, long_before = 0;
	int64_t wanted = m->plan->time_ns, ns = 0;
	struct trial t;

	while (one_run(m, &t, items)) {
		bool is_long = t.sample.ns >= wanted / 2 || items == max;

		if (is_long && long_before == items) {
			ns = t.sample.ns < ns ? t.sample.ns : ns;
			return clamp((double)items * (double)wanted /
			                     (double)ns,
			             min, max);
		}
		ns = t.sample.ns;
		long_before = is_long ? items : 0;
		if (!is_long)
			items = grow(items, ns, wanted, max);
	}
	return 0;
}

/* --- warming up --- */

/* Of a measured run. */
#define WARMUP_PART 8

/* But no fewer messages than that: a shorter run is beginning and end only. */
#define WARMUP_ITEMS 250

/* So many runs in a row that are not faster than any before, by that factor,
 * are the end of it. */
#define WARMUP_CALM 2
#define WARMUP_FASTER 0.95

/*
 * What makes first runs slow (pages that are not there yet, cold caches, a
 * clock that has not sped up) is over when runs get no faster. A run that is
 * slow for another reason does no harm: only the fastest so far counts. Returns
 * whether all of them passed.
 */
static bool warm_up(struct measurement *m, uint64_t items)
{
	struct warmup *w = &m->out->warmup;
	uint64_t part = items / WARMUP_PART, least = WARMUP_ITEMS;
	double ns, best = 0;
	unsigned calm = 0;
	struct trial t;

	least = least < items ? least : items;
	part = part < least ? least : part;
	while (calm < WARMUP_CALM && w->ns < m->plan->warmup_ns) {
		if (!one_run(m, &t, part))
			return false;
		w->runs++;
		w->ns += t.sample.ns;
		ns = m->ns_per_message;
		calm = best > 0 && ns > WARMUP_FASTER * best ? calm + 1 : 0;
		best = best > 0 && best < ns ? best : ns;
	}
	w->reached = calm == WARMUP_CALM;
	return true;
}

/* Waits for the turn, if there are turns; whether a repetition comes after so
 * many. */
static bool another(const struct plan *plan, unsigned done)
{
	bool wanted = !plan->turn || plan->turn() || done == 0;

	return wanted && done < plan->reps;
}

/* The longer of two computations before and after a repetition. Turns are
 * short: of those only the first has them. */
static bool one_repetition(struct measurement *m, struct trial *t,
                           uint64_t items)
{
	bool spins = !m->plan->turn || m->out->n == 0;
	int64_t before = spins ? work_spin_ns() : 0, after;

	if (!one_run(m, t, items))
		return false;
	after = spins ? work_spin_ns() : 0;
	t->sample.spin_ns = after > before ? after : before;
	return true;
}

static bool measure_throughput(struct measurement *m, uint64_t items)
{
	struct result *out = m->out;
	struct trial t;

	for (unsigned i = 0; another(m->plan, i); i++) {
		if (!one_repetition(m, &t, items))
			return false;
		out->sample[out->n++] = t.sample;
		out->figures = t.figures;
		memcpy(out->figure, t.figure, sizeof(out->figure));
	}
	return true;
}

/* One message and one stall of the system are always late. Beyond that, what is
 * late at the end is a queue that grew: five ms in a run of 50 are enough for a
 * median that says nothing but that. */
#define MOMENT_NS WEFT_MS
#define LATE_PART 0.01

/* How fast the messages were to come, and how fast they came through. */
static void compare_rates(struct latency *out, const struct trial *t)
{
	double n = (double)t->items, ns = (double)t->sample.ns;
	double due = t->due ? (double)t->due[t->items - 1] : t->pace_ns * n;

	out->offered = n * 1e9 / (due > 0 ? due : 1);
	out->achieved = n * 1e9 / ns;
	out->kept_up = ns <= (1 + LATE_PART) * due + MOMENT_NS;
}

/* How many messages the run for latency moves that come every `each_ns`; the
 * others move `items`. */
static uint64_t latency_items(const struct plan *plan, double each_ns,
                              uint64_t items)
{
	uint64_t min = items < PLAN_ITEMS_MIN ? items : PLAN_ITEMS_MIN;
	double ns =
	        (double)(plan->latency_ns ? plan->latency_ns : plan->time_ns);
	double wanted = ns / each_ns, least = (double)plan->latency_items;

	if ((!plan->latency_ns && !plan->latency_items) ||
	    plan->pattern->items || plan->pattern->least_ns)
		return clamp(wanted, min, items);
	if (wanted < least)
		wanted = least < PLAN_LATENCY_FACTOR * wanted
		                 ? least
		                 : PLAN_LATENCY_FACTOR * wanted;
	return clamp(wanted, min, plan_items_max(plan));
}

/* One run at the plan's part of what is possible with `best_ns` nanoseconds per
 * message, for about the time it has for that. Returns whether it passed. */
static bool run_open_loop(struct measurement *m, double best_ns, uint64_t items)
{
	const struct plan *plan = m->plan;
	struct hist *h = &m->out->hist;
	struct trial t = { .pace_ns = best_ns * 100 / plan->utilization,
		           .hist = h };
	int64_t *due = NULL;
	bool passed;

	t.items = latency_items(plan, t.pace_ns, items);
	if (plan->arrivals == ARRIVALS_POISSON) {
		due = arrivals_poisson(t.items, t.pace_ns, plan->seed);
		if (!due)
			return give_up(m, "the times of the arrivals");
	}
	t.due = due;
	weft_hist_init(h);
	passed = run_trial(m, &t);
	if (passed) {
		latency_from_hist(&m->out->latency, h);
		m->out->latency.capacity = 1e9 / best_ns;
		m->out->latency.longest_gap = t.longest_gap;
		compare_rates(&m->out->latency, &t);
	}
	free(due);
	return passed;
}

/*
 * An open loop runs below the measured throughput. What is recorded starts when
 * a message was due, not when a busy sender got round to it: a stall counts for
 * every message that it held up.
 *
 * To be on time, both sides read the clock for each message, which costs more
 * than a fast channel does: then less comes through than the throughput said,
 * and the latency would be that of a queue without end. What was seen twice is
 * no stall, and the plan's part is taken of what did come through. A caller
 * that asks for more than there is gets that.
 */
static void measure_open_loop(struct measurement *m, uint64_t items)
{
	double ns = result_median(m->out, sample_ns_per_message), seen;
	const struct latency *l = &m->out->latency;
	double best = 0;

	CHECK_LT(0u, m->plan->utilization);
	for (int i = 0; i < 3; i++) {
		if (!run_open_loop(m, i < 2 ? ns : 1e9 / best, items) ||
		    l->kept_up || m->plan->utilization > 100)
			return;
		seen = l->achieved;
		best = seen > best ? seen : best;
	}
}

/* A closed loop runs as it did before, and is timed from within. */
static void measure_closed_loop(struct measurement *m, uint64_t items)
{
	double ns = result_median(m->out, sample_ns_per_message);
	struct hist *h = &m->out->hist;
	struct trial t = { .items = items, .hist = h };

	if (m->plan->latency_ns || m->plan->latency_items)
		t.items = latency_items(m->plan, ns, items);
	weft_hist_init(h);
	if (run_trial(m, &t))
		latency_from_hist(&m->out->latency, h);
}

static void measure_latency(struct measurement *m, uint64_t items)
{
	if (m->plan->pattern->closed_loop)
		measure_closed_loop(m, items);
	else
		measure_open_loop(m, items);
	m->out->items = items;
}

/* --- what no run surrounds --- */

#define START_LIMIT (30 * WEFT_SEC)

int64_t runner_start_limit(const struct plan *plan)
{
	return plan->timeout_ns ? plan->timeout_ns : START_LIMIT;
}

static void (*when_late)(int signal) = SIG_DFL;

void runner_when_late(void (*late)(int signal))
{
	when_late = late;
}

void runner_time_begin(const struct plan *plan)
{
	signal(RUNNER_LATE, when_late);
	alarm((unsigned)(runner_start_limit(plan) / WEFT_SEC));
}

void runner_time_end(void)
{
	alarm(0);
}

static int probe(const struct plan *plan, struct result *out, char *why,
                 size_t why_bytes)
{
	int err;

	runner_time_begin(plan);
	err = cell_probe(&plan->params, plan->chan, &out->cap, why, why_bytes);
	runner_time_end();
	return err;
}

/* Tasks that hang cannot be joined, here as in a run. */
static void measure_cost(struct measurement *m)
{
	struct result *out = m->out;

	int err;

	if (!m->plan->cost || !verdict_is_good(out->verdict))
		return;
	runner_time_begin(m->plan);
	err = cost_measure(m->plan, &out->cost);
	runner_time_end();
	if (!err)
		return;
	out->verdict = VERDICT_HUNG;
	snprintf(out->why, sizeof(out->why),
	         "a receiver of an idle channel did not return at its "
	         "deadline");
	m->hung(out, m->arg);
	abort();
}

/* What the channel can hold may depend on how many messages there are. */
static void probe_again(struct result *out, uint64_t items)
{
	int knob = pattern_knob(out->plan->pattern, "items");
	struct plan plan = *out->plan;
	char why[RESULT_WHY_BYTES];

	if (knob < 0)
		return;
	plan.params.value[knob] = (int64_t)items;
	(void)probe(&plan, out, why, sizeof(why));
}

void runner_measure(const struct plan *plan, struct result *out,
                    void (*hung)(const struct result *out, void *arg),
                    void *arg)
{
	struct measurement m = {
		.plan = plan,
		.out = out,
		.hung = hung,
		.arg = arg,
		.ns_per_message = plan->ns_per_message,
	};
	struct cell_shape shape = params_shape(&plan->params);
	uint64_t items = plan_items(plan);

	CHECK_LE(plan->reps, (unsigned)RESULT_REPS_MAX);
	memset(out, 0, sizeof(*out));
	out->plan = plan;
	out->tasks = shape.drivers + shape.helpers;
	out->consumers = shape.consumers;
	out->cpus = weft_cpus_allowed();
	out->placement = PLACE_FREE;
	out->items = items;
	out->cap = SIZE_MAX;
	out->verdict = VERDICT_NA;
	cost_init(&out->cost);
	if (cell_possible(&plan->params, plan->chan, out->why,
	                  sizeof(out->why)) ||
	    probe(plan, out, out->why, sizeof(out->why)))
		return;
	out->placement = place_of(&plan->params);
	out->cpus = place_cpus(&plan->params);
	if (!items && plan->pattern->items)
		items = plan->pattern->items(&plan->params);
	out->items_searched = !items;
	if (!items) {
		items = calibrate(&m);
		if (items)
			probe_again(out, items);
	}
	if (items && warm_up(&m, items) && measure_throughput(&m, items) &&
	    plan->latency)
		measure_latency(&m, items);
	out->peak_rss_bytes = peak_rss();
	measure_cost(&m);
}

void runner_abandon(int status)
{
	/* Not _exit(): the thread sanitizer's would report the tasks that
	 * nobody could join, and replace the status. */
	syscall(SYS_exit_group, status);
	abort();
}
