#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <weft/atomic.h>

#include "base/check.h"
#include "bench/trial.h"
#include "cli/plain.h"
#include "kernel/cell.h"

/* Figures of the process that only grow. */
struct usage {
	struct rusage rusage;
	struct weft_run_stats tasks;
};

struct run {
	struct trial *trial;
	struct cell cell;
	struct cell_run of; /* the cell */
	struct usage before, after;
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

/* Nothing of the cell could be run. */
static void conclude_error(struct trial *t, const char *what, int err)
{
	conclude(t,
	         err == -ENOMEM || err == -EAGAIN ? VERDICT_NA : VERDICT_FAILED,
	         "%s: %s", what, strerror(-err));
}

/* --- what is measured --- */

static void begin(void *arg)
{
	struct run *run = arg;

	usage_now(&run->before);
}

static void end(void *arg)
{
	struct run *run = arg;

	usage_now(&run->after);
}

static void take_sample(const struct run *run, struct sample *s)
{
	s->ns = run->of.ns;
	s->start_skew_ns = run->of.skew_ns;
	s->messages = run->cell.items;
	charge(s, &run->before, &run->after);
	fairness(run->cell.share, run->cell.shape.consumers, &s->jain,
	         &s->least_share);
}

static void take_figures(struct trial *t, const struct cell *cell)
{
	t->figures = cell->figures;
	for (unsigned i = 0; i < cell->figures; i++) {
		t->figure[i] = cell->figure[i];
		t->sample.figure[i] = cell->figure[i].value;
	}
}

/* That the machine has no more to give, or that this kernel and this channel do
 * not go together, is nobody's failure. */
static enum verdict verdict_of(const struct run *run, int err)
{
	if (err == -ENOMEM || err == -EAGAIN || err == -ENOTSUP)
		return VERDICT_NA;
	if (err)
		return VERDICT_FAILED;
	return run->cell.chan->can & WEFT_NO_DATA ? VERDICT_FLOOR
	                                          : VERDICT_VERIFIED;
}

static int runner_main(void *arg)
{
	struct run *run = arg;
	struct trial *t = run->trial;
	enum verdict verdict = verdict_of(run, cell_run(&run->of));

	conclude(t, verdict, "%s",
	         verdict == VERDICT_FLOOR ? "the channel moves no data"
	                                  : run->of.why);
	take_sample(run, &t->sample);
	take_figures(t, &run->cell);
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

/* how  is told: "after 30 s". */
static void conclude_hung(struct run *run, const char *how)
{
	const char *where = weft_load_relaxed(&run->of.phase);
	unsigned working = weft_load_relaxed(&run->of.working);

	if (working)
		conclude(run->trial, VERDICT_HUNG,
		         "%u of %u drivers had not ended %s", working,
		         run->cell.shape.drivers, how);
	else
		conclude(run->trial, VERDICT_HUNG, "%s had not ended %s",
		         where ? where : "the start", how);
}

/* The plan's `items` may say "automatic"; the heading says how many. */
static bool is_not_items(const struct knob *knob)
{
	return strcmp(knob->name, "items") != 0;
}

static void bark(struct run *run, const char *how)
{
	struct trial *t = run->trial;
	char name[512];

	plain_begin();
	plan_name(t->plan, is_not_items, name, sizeof(name));
	conclude_hung(run, how);
	fprintf(stderr, "weft: HUNG: %s/items:%llu, seed %llu: %s\n", name,
	        (unsigned long long)t->items, (unsigned long long)t->plan->seed,
	        t->why);
	weft_tasks_print(stderr);
	t->hung(t);
	abort();
}

static void bark_at_time(struct run *run)
{
	const struct trial *t = run->trial;
	char how[128];

	snprintf(how, sizeof(how), "after %g s%s",
	         (double)t->limit_ns / WEFT_SEC, suspicion(t->plan->chan));
	bark(run, how);
}

/* Nobody waits for a descriptor, a deadline or in the kernel, so there is no
 * reason to wait for the limit. */
static void bark_at_sleepers(void *arg)
{
	bark(arg, "when all tasks were asleep");
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
	weft_task_watches();
	if (!ended_in_time(runner, run->trial->limit_ns))
		bark_at_time(run);
	return 0;
}

/* --- the memory of a run --- */

static int run_init(struct run *run, struct trial *t)
{
	const struct plan *plan = t->plan;

	*run = (struct run){ .trial = t };
	run->cell = (struct cell){
		.pattern = plan->pattern,
		.chan = plan->chan,
		.params = plan->params,
		.items = t->items,
		.pace_ns = t->pace_ns,
		.due = t->due,
	};
	run->of = (struct cell_run){
		.cell = &run->cell, .begin = begin, .end = end, .arg = run
	};
	return cell_init(&run->cell, t->hist != NULL);
}

static void take_latencies(struct trial *t, const struct cell *cell)
{
	for (unsigned i = 0; i < cell->shape.consumers; i++) {
		int64_t gap = cell->gap[i].longest;

		weft_hist_merge(t->hist, &cell->latency[i]);
		t->longest_gap = gap > t->longest_gap ? gap : t->longest_gap;
	}
}

void trial_run(struct trial *t)
{
	struct run run;
	struct weft_run_opts opts = { .seed = t->plan->seed,
		                      .name = "watchdog",
		                      .asleep = bark_at_sleepers,
		                      .asleep_arg = &run };
	int err = run_init(&run, t);

	if (!err)
		err = weft_run(WEFT_THREADS, &opts, watchdog_main, &run);
	if (err)
		conclude_error(t, "cannot start the run", err);
	else if (t->hist)
		take_latencies(t, &run.cell);
	cell_fini(&run.cell);
}
