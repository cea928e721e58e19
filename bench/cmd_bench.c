/* weft bench: the default cells under Google Benchmark's flags and formats. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "bench/args.h"
#include "bench/cells.h"
#include "bench/command.h"
#include "bench/gbench.h"
#include "bench/gflags.h"
#include "bench/interrupt.h"
#include "bench/isolated.h"
#include "stress/conform/options.h"

#define REPETITIONS 3

struct bench {
	struct plan base;
	const struct weft_chan_impl *loaded;
	struct cell_of_bench *cells;
	struct gflags flags;
	bool reps_given; /* by a flag */
	int reps;
	unsigned failed; /* repetitions */
};

#define WHY_BYTES (RESULT_WHY_BYTES + 32)

struct failure {
	struct failure *next;
	char why[WHY_BYTES];
};

struct cell_of_bench {
	struct cell_of_bench *next;
	struct bench *bench;
	struct plan plan;
	int measured, reported; /* repetitions */
	struct failure *held;   /* measured and not reported, oldest first */
	char why[WHY_BYTES];    /* of the last failure */
};

/* --- one repetition --- */

enum {
	MESSAGES_PER_SECOND,
	NS_PER_MESSAGE,
	MESSAGES,
	LATENCY_P50,
	LATENCY_P90,
	LATENCY_P99,
	LATENCY_P999,
	LATENCY_MAX,
	LATENCY_KEPT_UP,
	CPU_S,
	VOL_SWITCHES,
	INVOL_SWITCHES,
	PARKS,
	WAKES,
	PEAK_RSS,
	TASKS,
	CPUS,
	FAIRNESS,
	COUNTERS
};

/* Every cell has all of them; where messages cannot be timed, those of the
 * latency are empty. */
static const char *const counters[COUNTERS + 1] = {
	[MESSAGES_PER_SECOND] = "messages_per_second",
	[NS_PER_MESSAGE] = "ns_per_message",
	[MESSAGES] = "messages",
	[LATENCY_P50] = "latency_p50_ns",
	[LATENCY_P90] = "latency_p90_ns",
	[LATENCY_P99] = "latency_p99_ns",
	[LATENCY_P999] = "latency_p999_ns",
	[LATENCY_MAX] = "latency_max_ns",
	[LATENCY_KEPT_UP] = "latency_kept_up",
	[CPU_S] = "cpu_s_per_M",
	[VOL_SWITCHES] = "vol_switches_per_M",
	[INVOL_SWITCHES] = "invol_switches_per_M",
	[PARKS] = "parks_per_M",
	[WAKES] = "wakes_per_M",
	[PEAK_RSS] = "peak_rss_bytes",
	[TASKS] = "tasks",
	[CPUS] = "cpus",
	[FAIRNESS] = "fairness_jain",
};

_Static_assert(COUNTERS <= GBENCH_COUNTERS_MAX, "room for every counter");

/* A closed loop cannot fall behind: it is the one that waits. */
static bool keeps_up(const struct result *r)
{
	return r->latency.kept_up || r->plan->pattern->closed_loop;
}

static void fill_latency(double *to, const struct result *r)
{
	const struct latency *l = &r->latency;
	bool any = l->count > 0;

	to[LATENCY_P50] = any ? (double)l->p50 : (double)NAN;
	to[LATENCY_P90] = any ? (double)l->p90 : (double)NAN;
	to[LATENCY_P99] = any ? (double)l->p99 : (double)NAN;
	to[LATENCY_P999] = any ? (double)l->p999 : (double)NAN;
	to[LATENCY_MAX] = any ? (double)l->max : (double)NAN;
	to[LATENCY_KEPT_UP] = any ? (double)keeps_up(r) : (double)NAN;
}

/* What the latency is, where it is not what is usual here. */
static const char *label(const struct result *r)
{
	return r->latency.count && r->plan->pattern->closed_loop
	               ? "latency: closed-loop round trip"
	               : NULL;
}

/* All of it plain numbers: Google Benchmark must not divide them by times or
 * threads of its own. */
static void fill(struct gbench_outcome *out, const struct result *r)
{
	const struct sample *s = &r->sample[0];
	double messages = (double)s->messages, *to = out->counter;

	out->label = label(r);
	out->seconds = sample_ns_per_message(s) / 1e9;
	to[MESSAGES_PER_SECOND] = sample_messages_per_second(s);
	to[NS_PER_MESSAGE] = sample_ns_per_message(s);
	to[MESSAGES] = messages;
	fill_latency(to, r);
	to[CPU_S] = s->cpu_seconds / messages * 1e6;
	to[VOL_SWITCHES] = (double)s->voluntary_switches / messages * 1e6;
	to[INVOL_SWITCHES] = (double)s->involuntary_switches / messages * 1e6;
	to[PARKS] = (double)s->parks / messages * 1e6;
	to[WAKES] = (double)s->wakes / messages * 1e6;
	to[PEAK_RSS] = (double)r->peak_rss_bytes;
	to[TASKS] = r->tasks;
	to[CPUS] = r->cpus;
	to[FAIRNESS] = s->jain;
}

/* Later repetitions move as many messages as the first one found right. */
static void keep_items(struct plan *plan, const struct result *r)
{
	int i = pattern_knob(plan->pattern, "items");

	if (i >= 0)
		plan->params.value[i] = (int64_t)r->items;
	plan->ns_per_message = result_median(r, sample_ns_per_message);
}

/* Nobody wants, or can have, what would be measured from here on. */
static bool is_stopped(void)
{
	return interrupt_came() || gbench_failed();
}

static void measure(struct cell_of_bench *cell, struct gbench_outcome *out)
{
	struct result r;
	int err;

	out->dropped = is_stopped();
	if (out->dropped)
		return;
	err = isolated_measure(&cell->plan, &r, cell->why, sizeof(cell->why));
	out->dropped = is_stopped();
	if (out->dropped)
		return;
	if (!err && verdict_is_good(r.verdict)) {
		keep_items(&cell->plan, &r);
		fill(out, &r);
		return;
	}
	if (!err)
		snprintf(cell->why, sizeof(cell->why), "%s: %s",
		         verdict_name(r.verdict), r.why);
	else if (err != -EIO)
		snprintf(cell->why, sizeof(cell->why),
		         "cannot start a process: %s", strerror(-err));
	out->error = cell->why;
	cell->bench->failed++;
}

/* Keep a failure for later. False when there is no memory. */
static bool hold(struct cell_of_bench *cell)
{
	struct failure *f = calloc(1, sizeof(*f)), **end = &cell->held;

	if (!f)
		return false;
	memcpy(f->why, cell->why, sizeof(f->why));
	while (*end)
		end = &(*end)->next;
	*end = f;
	return true;
}

/* The oldest of those that are held. */
static void let_go(struct cell_of_bench *cell)
{
	struct failure *f = cell->held;

	cell->held = f->next;
	memcpy(cell->why, f->why, sizeof(cell->why));
	free(f);
}

/*
 * What Google Benchmark knows of a cell, it takes from the first repetition
 * that it hears of, without asking whether that one failed. So when the first
 * one has, it hears of it after one that passed, if there is one.
 */
static void repetition(void *arg, struct gbench_outcome *out)
{
	struct cell_of_bench *cell = arg;
	bool first = cell->reported++ == 0;

	while (!cell->held || (first && cell->measured < cell->bench->reps)) {
		*out = (struct gbench_outcome){ 0 };
		measure(cell, out);
		cell->measured++;
		if (!first || !out->error || !hold(cell))
			return;
	}
	let_go(cell);
	out->error = cell->why;
}

/* --- all of them --- */

static int add_cell(const struct plan *plan, void *arg)
{
	struct bench *bench = arg;
	struct cell_of_bench *cell = calloc(1, sizeof(*cell));
	char name[CELL_NAME_BYTES];

	if (!cell)
		return -ENOMEM;
	cell->bench = bench;
	cell->plan = *plan;
	cell->next = bench->cells;
	bench->cells = cell;
	plan_name(plan, cells_swept, name, sizeof(name));
	gbench_register(name, bench->reps_given ? 0 : bench->reps, repetition,
	                cell);
	return 0;
}

static void free_cells(struct bench *bench)
{
	while (bench->cells) {
		struct cell_of_bench *cell = bench->cells;

		bench->cells = cell->next;
		while (cell->held)
			let_go(cell);
		free(cell);
	}
}

static void add_context(const struct bench *bench)
{
	char text[32];

	gbench_context("weft_version", WEFT_VERSION);
	gbench_context("weft_build_type", WEFT_BUILD_TYPE);
	snprintf(text, sizeof(text), "%llu",
	         (unsigned long long)bench->base.seed);
	gbench_context("weft_seed", text);
	gbench_context("weft_time", "Time is per message; CPU is the parent's "
	                            "and means nothing: see cpu_s_per_M");
	gbench_context("weft_latency", "open-loop sojourn at half the "
	                               "throughput, unless its label says "
	                               "otherwise");
	gbench_context("weft_library",
	               "a debug build of Google Benchmark does no harm: the "
	               "kernels are timed outside of it");
}

/* What the reports could not be written to. */
static int explain_output(const struct gbench_end *end, const char *file)
{
	if (end->file_error)
		return complain("--benchmark_out=%s: %s", file,
		                strerror(end->file_error));
	return complain("cannot write the output: %s",
	                strerror(end->stdout_error));
}

static const char *or_else(const char *value, const char *other)
{
	return value ? value : other;
}

static int run_cells(struct bench *bench)
{
	const struct gflags *flags = &bench->flags;
	const struct gbench_output output = {
		.format = or_else(gflags_value(flags, "benchmark_format"),
		                  "console"),
		.file = gflags_value(flags, "benchmark_out"),
		.file_format = or_else(
		        gflags_value(flags, "benchmark_out_format"), "json"),
	};
	struct gbench_end end;

	gbench_counters(counters);
	if (cells_visit(&bench->base, bench->loaded, add_cell, bench))
		return complain("out of memory");
	add_context(bench);
	interrupt_catch();
	end = gbench_run(&output, is_stopped);
	if (bench->failed)
		complain("%u %s failed", bench->failed,
		         bench->failed == 1 ? "repetition" : "repetitions");
	if (end.file_error || end.stdout_error)
		return explain_output(&end, output.file);
	if (interrupt_came()) {
		complain("interrupted: what is shown is not all");
		return 128 + interrupt_came();
	}
	/* Google Benchmark has said so, and would call it a success. */
	if (end.selected == 0)
		return EXIT_BAD_INPUT;
	return bench->failed ? 1 : 0;
}

/* --- flags --- */

static int unknown_option(const char *word)
{
	const char *known[GFLAGS_MAX + 5] = { "--load", "--time", "--timeout",
		                              "--seed" };

	gflags_options(known + 4);
	return complain_unknown("bench has no option", word, known);
}

/* `text` is the argument as it stands. */
static int set_option(struct bench *bench, const struct arg *arg,
                      const char *text)
{
	uint64_t n = 0;
	int err;

	if (strcmp(arg->key, "load") == 0) {
		err = arg_needs_value(arg);
		return err ? err : load_channel(arg->value, &bench->loaded);
	}
	if (strcmp(arg->key, "time") == 0) {
		err = arg_number(arg, 1, 60000, &n);
		bench->base.time_ns = (int64_t)n * WEFT_MS;
	} else if (strcmp(arg->key, "timeout") == 0) {
		err = arg_number(arg, 1, 86400, &n);
		bench->base.timeout_ns = (int64_t)n * WEFT_SEC;
	} else if (strcmp(arg->key, "seed") == 0) {
		err = arg_number(arg, 0, UINT64_MAX, &bench->base.seed);
	} else {
		err = gflags_take(&bench->flags, arg);
		return err == 1 ? unknown_option(text) : err;
	}
	return err;
}

static bool writes_a_file(const struct gflags *flags)
{
	const char *list = gflags_value(flags, "benchmark_list_tests");

	return gflags_value(flags, "benchmark_out") &&
	       !(list && strcmp(list, "true") == 0);
}

static int parse(struct bench *bench, int argc, char **argv)
{
	struct arg arg;
	int err = 0;

	for (int i = 1; i < argc && !err; i++)
		err = arg_split(argv[i], &arg)
		              ? set_option(bench, &arg, argv[i])
		              : unknown_option(argv[i]);
	if (!err)
		err = gflags_take_environment(&bench->flags);
	/* Without a stdout it can still write its file. */
	if (!err && !writes_a_file(&bench->flags))
		err = command_needs_stdout();
	if (!err)
		err = arg_timeout_fits(bench->base.timeout_ns, "time",
		                       bench->base.time_ns);
	return err;
}

/* Google Benchmark gets what was checked, and nothing else. */
static int start_gbench(const struct bench *bench)
{
	static char name[] = "weft bench";
	char *argv[GFLAGS_MAX + 2] = { NULL }, *given[GFLAGS_MAX + 2];
	int argc = gflags_arguments(&bench->flags, name, argv);
	int err;

	if (argc < 0)
		return complain("out of memory");
	/* It takes out what it knows. */
	memcpy(given, argv, sizeof(given));
	err = gbench_init(argc, given);
	gflags_arguments_free(argc, argv);
	return err ? EXIT_BAD_INPUT : 0;
}

static int run(int argc, char **argv)
{
	struct bench bench = {
		.base = { .reps = 1,
		          .time_ns = PLAN_TIME,
		          .latency = true,
		          .utilization = PLAN_UTILIZATION,
		          .seed = 1 },
	};
	int status = parse(&bench, argc, argv);
	const char *reps;

	if (!status)
		status = start_gbench(&bench);
	if (status)
		return status;
	bench.reps = REPETITIONS;
	reps = gflags_value(&bench.flags, "benchmark_repetitions");
	if (reps) {
		bench.reps_given = true;
		bench.reps = (int)strtol(reps, NULL, 10);
	}
	status = run_cells(&bench);
	free_cells(&bench);
	return status;
}

const struct command command_bench = {
	.name = "bench",
	.summary = "the default cells under Google Benchmark's flags",
	.may_be_silent = true,
	.help = "bench [--load=FILE.so] [--time=MS] [--timeout=S] [--seed=N]\n"
	        "                  [Google Benchmark's flags]\n"
	        "\n"
	        "Every pattern over every channel, at the knobs' defaults and "
	        "with each knob\n"
	        "varied alone; each repetition is a process of its own.\n"
	        "\n"
	        "  --load=FILE.so  a channel of your own too\n"
	        "  --time=MS       length of one repetition (default 50)\n"
	        "  --timeout=S     end a run that takes longer (default: 30 s "
	        "more than it\n"
	        "                  should take)\n"
	        "  --seed=N        of everything random (default 1)\n"
	        "  --benchmark_list_tests\n"
	        "  --benchmark_filter=REGEX\n"
	        "  --benchmark_repetitions=N               (default 3)\n"
	        "  --benchmark_enable_random_interleaving\n"
	        "  --benchmark_report_aggregates_only, "
	        "--benchmark_display_aggregates_only\n"
	        "  --benchmark_format=console|json|csv\n"
	        "  --benchmark_out=FILE, --benchmark_out_format=...\n"
	        "  --benchmark_counters_tabular, "
	        "--benchmark_color=auto|true|false\n"
	        "  --benchmark_time_unit=ns|us|ms|s\n"
	        "  --benchmark_context=KEY=VALUE,...\n"
	        "\n"
	        "Each but --v may come from the environment, as "
	        "BENCHMARK_FILTER and so on.\n"
	        "\n"
	        "Exit status: 0 all verified; 1 a run failed its check, hung "
	        "or crashed;\n"
	        "2 bad input, nothing matches the filter, or an output cannot "
	        "be written;\n"
	        "130 interrupted: what was measured is written, and JSON says "
	        "that it is\n"
	        "partial.\n",
	.run = run,
};
