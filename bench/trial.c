#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <weft/atomic.h>

#include "base/check.h"
#include "bench/trial.h"

enum {
	GATE_SHUT,
	GATE_OPEN,
	GATE_CANCELLED, /* not every driver could be started: go home */
};

struct driver {
	_Alignas(WEFT_CACHE_LINE) struct run *run;
	unsigned id;
	struct weft_task *task;
	int64_t start, end; /* the driver's; published by run->done */
};

struct run {
	struct trial *trial;
	struct cell cell;
	struct driver *drivers;
	unsigned ndrivers;

	_Alignas(WEFT_CACHE_LINE) _Atomic int gate;
	struct weft_waitgroup ready, done;
	/* What the watchdog says when it ends the run. */
	_Atomic(const char *) phase;
	_Atomic unsigned working;
};

/* Figures of the process that only grow. */
struct usage {
	struct rusage rusage;
	struct weft_run_stats tasks;
};

static void usage_now(struct usage *u)
{
	CHECK_EQ(getrusage(RUSAGE_SELF, &u->rusage), 0);
	weft_run_stats(&u->tasks);
}

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static double cpu_seconds(const struct usage *u)
{
	return seconds(&u->rusage.ru_utime) + seconds(&u->rusage.ru_stime);
}

static void charge(struct sample *s, const struct usage *from,
                   const struct usage *to)
{
	s->cpu_seconds = cpu_seconds(to) - cpu_seconds(from);
	s->voluntary_switches =
	        (uint64_t)(to->rusage.ru_nvcsw - from->rusage.ru_nvcsw);
	s->involuntary_switches =
	        (uint64_t)(to->rusage.ru_nivcsw - from->rusage.ru_nivcsw);
	s->parks = to->tasks.parks - from->tasks.parks;
	s->wakes = to->tasks.wakes - from->tasks.wakes;
}

WEFT_PRINTF(3, 4)
static void conclude(struct trial *t, enum verdict verdict, const char *format,
                     ...)
{
	va_list args;

	t->verdict = verdict;
	va_start(args, format);
	vsnprintf(t->why, sizeof(t->why), format, args);
	va_end(args);
}

/* An error from setup or spawn. That the machine has no more to give, or that
 * this kernel and this channel do not go together, is nobody's failure. */
static void conclude_error(struct trial *t, const char *what, int err)
{
	bool cannot = err == -ENOMEM || err == -EAGAIN || err == -ENOTSUP;

	conclude(t, cannot ? VERDICT_NA : VERDICT_FAILED, "%s: %s", what,
	         strerror(-err));
}

/* Why a cell cannot be set up. That its channel cannot do it may only be known
 * now that the number of items is, and the plan has the words for it. */
static void conclude_setup(struct run *run, int err)
{
	struct plan plan = *run->trial->plan;
	char why[RESULT_WHY_BYTES];
	size_t cap;

	plan.params = run->cell.params;
	if (err == -ENOTSUP && (plan_possible(&plan, why, sizeof(why)) ||
	                        plan_probe(&plan, &cap, why, sizeof(why))))
		conclude(run->trial, VERDICT_NA, "%s", why);
	else
		conclude_error(run->trial, "setup", err);
}

/* --- the drivers and their gate --- */

static int driver_main(void *arg)
{
	struct driver *d = arg;
	struct run *run = d->run;
	int gate;

	weft_waitgroup_done(&run->ready);
	while ((gate = weft_load_acquire(&run->gate)) == GATE_SHUT) /* [gate] */
		weft_park(WEFT_FOREVER);
	if (gate == GATE_OPEN) {
		d->start = weft_now();
		run->cell.pattern->work(&run->cell, d->id);
		d->end = weft_now();
		weft_fetch_sub_relaxed(&run->working, 1u);
	}
	weft_waitgroup_done(&run->done);
	return 0;
}

static void gate_move(struct run *run, int to, unsigned drivers)
{
	weft_store_release(&run->gate, to); /* [gate] */
	for (unsigned i = 0; i < drivers; i++)
		weft_unpark(run->drivers[i].task);
}

static void join_drivers(struct run *run, unsigned drivers)
{
	for (unsigned i = 0; i < drivers; i++)
		CHECK_EQ(weft_join(run->drivers[i].task, NULL), 0);
}

static int spawn_driver(struct run *run, unsigned id)
{
	struct driver *d = &run->drivers[id];
	char name[32];

	snprintf(name, sizeof(name), "driver %u", id);
	d->run = run;
	d->id = id;
	return weft_spawn(&d->task, &(struct weft_task_opts){ .name = name },
	                  driver_main, d);
}

/* Start every driver, or none. */
static int spawn_drivers(struct run *run)
{
	char what[64];
	int err;

	weft_waitgroup_add(&run->ready, run->ndrivers);
	weft_waitgroup_add(&run->done, run->ndrivers);
	for (unsigned i = 0; i < run->ndrivers; i++) {
		err = spawn_driver(run, i);
		if (!err)
			continue;
		gate_move(run, GATE_CANCELLED, i);
		join_drivers(run, i);
		snprintf(what, sizeof(what), "cannot start driver %u of %u",
		         i + 1, run->ndrivers);
		conclude_error(run->trial, what, err);
		return err;
	}
	return weft_waitgroup_wait(&run->ready, WEFT_FOREVER);
}

/* --- the measured part --- */

/* Time runs from before the gate opens until the last driver has ended. */
static void take_time(const struct run *run, struct sample *s)
{
	int64_t start = run->cell.t0, end = run->cell.t0;

	for (unsigned i = 0; i < run->ndrivers; i++) {
		const struct driver *d = &run->drivers[i];

		start = d->start > start ? d->start : start;
		end = d->end > end ? d->end : end;
	}
	s->ns = end > run->cell.t0 ? end - run->cell.t0 : 1;
	s->start_skew_ns = start - run->cell.t0;
}

static void measure(struct run *run)
{
	struct sample *s = &run->trial->sample;
	struct usage before, after;

	weft_store_relaxed(&run->working, run->ndrivers);
	usage_now(&before);
	run->cell.t0 = weft_now();
	gate_move(run, GATE_OPEN, run->ndrivers);
	CHECK_EQ(weft_waitgroup_wait(&run->done, WEFT_FOREVER), 0);
	usage_now(&after);

	take_time(run, s);
	charge(s, &before, &after);
	s->messages = run->cell.items;
}

static void phase(struct run *run, const char *name)
{
	weft_store_relaxed(&run->phase, name);
}

static void take_figures(struct trial *t, const struct cell *cell)
{
	t->figures = cell->figures;
	for (unsigned i = 0; i < cell->figures; i++) {
		t->figure[i] = cell->figure[i];
		t->sample.figure[i] = cell->figure[i].value;
	}
}

static void check(struct run *run)
{
	struct trial *t = run->trial;
	char why[PATTERN_WHY_BYTES] = "";

	phase(run, "verify");
	if (run->cell.pattern->verify(&run->cell, why, sizeof(why)))
		conclude(t, VERDICT_FAILED, "%s",
		         *why ? why : "the check failed without a reason");
	else if (run->cell.chan->can & WEFT_NO_DATA)
		conclude(t, VERDICT_FLOOR, "the channel moves no data");
	else
		conclude(t, VERDICT_VERIFIED, "%s", "");
	fairness(run->cell.share, run->cell.consumers, &t->sample.jain,
	         &t->sample.least_share);
	take_figures(t, &run->cell);
}

static int runner_main(void *arg)
{
	struct run *run = arg;
	const struct pattern *pattern = run->cell.pattern;
	int err;

	phase(run, "setup");
	err = pattern->setup(&run->cell);
	if (err) {
		conclude_setup(run, err);
		return 0;
	}
	err = spawn_drivers(run);
	if (!err) {
		phase(run, "work");
		measure(run);
		join_drivers(run, run->ndrivers);
	}
	phase(run, "stop");
	pattern->stop(&run->cell);
	if (!err)
		check(run);
	phase(run, "teardown");
	pattern->teardown(&run->cell);
	return 0;
}

/* --- the watchdog --- */

/* Few enough that the watchdog does not show in what is measured. */
#define LIMIT_PIECES 16

/* glibc's own fault must not be taken for the channel's. */
static const char *suspicion(const struct weft_chan_impl *chan)
{
	if (strcmp(chan->name, "condvar") != 0)
		return "";
	return "; glibc before 2.41 can lose a condition variable's wake-up "
	       "(sourceware 25847)";
}

static void conclude_hung(struct run *run)
{
	struct trial *t = run->trial;
	const char *where = weft_load_relaxed(&run->phase);
	double limit = (double)t->limit_ns / WEFT_SEC;
	unsigned working = weft_load_relaxed(&run->working);

	if (working)
		conclude(t, VERDICT_HUNG,
		         "%u of %u drivers had not ended after %g s%s", working,
		         run->ndrivers, limit, suspicion(t->plan->chan));
	else
		conclude(t, VERDICT_HUNG, "%s had not ended after %g s%s",
		         where, limit, suspicion(t->plan->chan));
}

/* The plan's `items` may say "automatic"; the heading says how many. */
static bool is_not_items(const struct knob *knob)
{
	return strcmp(knob->name, "items") != 0;
}

static void bark(struct run *run)
{
	struct trial *t = run->trial;
	char name[512];

	plan_name(t->plan, is_not_items, name, sizeof(name));
	conclude_hung(run);
	fprintf(stderr, "weft: HUNG: %s/items:%llu, seed %llu: %s\n", name,
	        (unsigned long long)t->items, (unsigned long long)t->plan->seed,
	        t->why);
	weft_tasks_print(stderr);
	t->hung(t);
	abort();
}

/*
 * Wait for the end of `task`. False when it did not come in `limit_ns` in which
 * this process could run.
 *
 * The time is counted in pieces. A process that was stopped, or whose container
 * was, finds that far more time has passed than it waited for; such a piece
 * does not count, so that after it there is a full one to go on in.
 */
static bool ended_in_time(struct weft_task *task, int64_t limit_ns)
{
	int64_t piece = limit_ns / LIMIT_PIECES + 1;

	for (int left = LIMIT_PIECES; left > 0;) {
		int64_t begin = weft_now();

		if (weft_join_until(task, NULL, weft_deadline_in(piece)) !=
		    -ETIMEDOUT)
			return true;
		left -= weft_now() - begin < 2 * piece;
	}
	return false;
}

static int watchdog_main(void *arg)
{
	struct run *run = arg;
	struct weft_task *runner;
	int err = weft_spawn(&runner,
	                     &(struct weft_task_opts){ .name = "runner" },
	                     runner_main, run);

	if (err) {
		conclude_error(run->trial, "cannot start the runner", err);
		return 0;
	}
	if (!ended_in_time(runner, run->trial->limit_ns))
		bark(run);
	return 0;
}

/* --- the memory of a run --- */

static void *zeroed(size_t n, size_t bytes)
{
	size_t all = (n * bytes + WEFT_CACHE_LINE - 1) &
	             ~(size_t)(WEFT_CACHE_LINE - 1);
	void *p = aligned_alloc(WEFT_CACHE_LINE, all ? all : WEFT_CACHE_LINE);

	return p ? memset(p, 0, all) : NULL;
}

static int run_init(struct run *run, struct trial *t)
{
	const struct plan *plan = t->plan;
	const struct pattern *pattern = plan->pattern;
	int items = plan_knob(pattern, "items");
	struct cell *cell = &run->cell;

	*run = (struct run){ .trial = t };
	weft_store_relaxed(&run->phase, "the start");
	run->ndrivers = pattern->drivers(&plan->params);
	run->drivers = zeroed(run->ndrivers, sizeof(*run->drivers));
	weft_waitgroup_init(&run->ready);
	weft_waitgroup_init(&run->done);
	cell->pattern = pattern;
	cell->chan = plan->chan;
	cell->params = plan->params;
	if (items >= 0)
		cell->params.value[items] = (int64_t)t->items;
	cell->items = t->items;
	cell->pace_ns = t->pace_ns;
	cell->due = t->due;
	cell->consumers = pattern->consumers(&plan->params);
	cell->share = zeroed(cell->consumers, sizeof(*cell->share));
	if (!run->drivers || !cell->share)
		return -ENOMEM;
	if (!t->hist)
		return 0;
	cell->latency = zeroed(cell->consumers, sizeof(*cell->latency));
	if (!cell->latency)
		return -ENOMEM;
	for (unsigned i = 0; i < cell->consumers; i++)
		weft_hist_init(&cell->latency[i]);
	return 0;
}

static void run_fini(struct run *run)
{
	free(run->cell.latency);
	free(run->cell.share);
	free(run->drivers);
}

void trial_run(struct trial *t)
{
	struct weft_run_opts opts = { .seed = t->plan->seed,
		                      .name = "watchdog" };
	struct run run;
	int err = run_init(&run, t);

	if (!err)
		err = weft_run(WEFT_THREADS, &opts, watchdog_main, &run);
	if (err)
		conclude_error(t, "cannot start the run", err);
	else if (t->hist)
		for (unsigned i = 0; i < run.cell.consumers; i++)
			weft_hist_merge(t->hist, &run.cell.latency[i]);
	run_fini(&run);
}
