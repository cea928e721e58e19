/* weft bench: the default cells under Google Benchmark's flags and formats. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "bench/args.h"
#include "bench/cells.h"
#include "bench/command.h"
#include "bench/gbench.h"
#include "bench/isolated.h"

#define REPETITIONS 3

struct bench {
	struct plan base;
	const struct weft_chan_impl *loaded;
	struct cell_of_bench *cells;
	unsigned failed; /* repetitions */
};

struct cell_of_bench {
	struct cell_of_bench *next;
	struct bench *bench;
	struct plan plan;
	char why[RESULT_WHY_BYTES + 32]; /* of the last failure */
};

/* --- one repetition --- */

static void count(struct gbench_outcome *out, const char *name, double value)
{
	CHECK_LT(out->counters, (size_t)GBENCH_COUNTERS_MAX);
	out->counter[out->counters++] =
	        (struct gbench_counter){ .name = name, .value = value };
}

static void count_latency(struct gbench_outcome *out, const struct result *r)
{
	const struct latency *l = &r->latency;

	if (l->count == 0)
		return;
	count(out, "latency_p50_ns", (double)l->p50);
	count(out, "latency_p90_ns", (double)l->p90);
	count(out, "latency_p99_ns", (double)l->p99);
	count(out, "latency_p999_ns", (double)l->p999);
	count(out, "latency_max_ns", (double)l->max);
	if (!r->plan->pattern->closed_loop)
		count(out, "latency_kept_up", l->kept_up);
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
	double messages = (double)s->messages;

	out->label = label(r);
	out->seconds = sample_ns_per_message(s) / 1e9;
	count(out, "messages_per_second", sample_messages_per_second(s));
	count(out, "ns_per_message", sample_ns_per_message(s));
	count(out, "messages", messages);
	count_latency(out, r);
	count(out, "cpu_s_per_M", s->cpu_seconds / messages * 1e6);
	count(out, "vol_switches_per_M",
	      (double)s->voluntary_switches / messages * 1e6);
	count(out, "invol_switches_per_M",
	      (double)s->involuntary_switches / messages * 1e6);
	count(out, "parks_per_M", (double)s->parks / messages * 1e6);
	count(out, "wakes_per_M", (double)s->wakes / messages * 1e6);
	count(out, "peak_rss_bytes", (double)r->peak_rss_bytes);
	count(out, "tasks", r->tasks);
	count(out, "cpus", r->cpus);
	if (r->consumers > 1)
		count(out, "fairness_jain", s->jain);
}

/* Later repetitions move as many messages as the first one found right. */
static void keep_items(struct plan *plan, const struct result *r)
{
	int i = pattern_knob(plan->pattern, "items");

	if (i >= 0)
		plan->params.value[i] = (int64_t)r->items;
	plan->ns_per_message = result_median(r, sample_ns_per_message);
}

static void repetition(void *arg, struct gbench_outcome *out)
{
	struct cell_of_bench *cell = arg;
	struct result r;
	int err =
	        isolated_measure(&cell->plan, &r, cell->why, sizeof(cell->why));

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
	gbench_register(name, REPETITIONS, repetition, cell);
	return 0;
}

static void free_cells(struct bench *bench)
{
	while (bench->cells) {
		struct cell_of_bench *cell = bench->cells;

		bench->cells = cell->next;
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

static int run_cells(struct bench *bench)
{
	size_t selected;

	if (cells_visit(&bench->base, bench->loaded, add_cell, bench))
		return complain("out of memory");
	add_context(bench);
	selected = gbench_run();
	/* Google Benchmark has said so, and would call it a success. */
	if (selected == 0)
		return EXIT_BAD_INPUT;
	if (bench->failed)
		complain("%u %s failed", bench->failed,
		         bench->failed == 1 ? "repetition" : "repetitions");
	return bench->failed ? 1 : 0;
}

/* --- flags --- */

/* Google Benchmark answers a wrong word here with its usage and exit 0. */
static int check_format(const struct arg *arg)
{
	static const char *const formats[] = { "console", "json", "csv", NULL };
	char what[ARG_KEY_BYTES + 32];

	if (strcmp(arg->key, "benchmark_format") != 0 &&
	    strcmp(arg->key, "benchmark_out_format") != 0)
		return 0;
	for (size_t i = 0; formats[i]; i++)
		if (arg->value && strcmp(arg->value, formats[i]) == 0)
			return 0;
	snprintf(what, sizeof(what), "--%s has no", arg->key);
	return complain_unknown(what, arg->value ? arg->value : "", formats);
}

/* 0: one of ours, done. 1: not ours. Otherwise EXIT_BAD_INPUT. */
static int set_option(struct bench *bench, const struct arg *arg)
{
	uint64_t n = 0;
	int err;

	if (strcmp(arg->key, "load") == 0) {
		err = arg_needs_value(arg);
		return err ? err : arg_load(arg->value, &bench->loaded);
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
		err = check_format(arg);
		return err ? err : 1;
	}
	return err;
}

/* Take our own flags out of argv; the rest is for Google Benchmark. */
static int parse(struct bench *bench, int *argc, char **argv)
{
	int kept = 1;
	struct arg arg;

	for (int i = 1; i < *argc; i++) {
		int err =
		        arg_split(argv[i], &arg) ? set_option(bench, &arg) : 1;

		if (err == EXIT_BAD_INPUT)
			return err;
		if (err)
			argv[kept++] = argv[i];
	}
	*argc = kept;
	argv[kept] = NULL;
	return arg_timeout_fits(bench->base.timeout_ns, bench->base.time_ns);
}

static int run(int argc, char **argv)
{
	static char name[] = "weft bench";
	struct bench bench = {
		.base = { .reps = 1,
		          .time_ns = 50 * WEFT_MS,
		          .latency = true,
		          .utilization = PLAN_UTILIZATION,
		          .seed = 1 },
	};
	int status = parse(&bench, &argc, argv);

	if (status)
		return status;
	argv[0] = name;
	if (gbench_init(&argc, argv))
		return EXIT_BAD_INPUT;
	status = run_cells(&bench);
	free_cells(&bench);
	return status;
}

const struct command command_bench = {
	.name = "bench",
	.summary = "the default cells under Google Benchmark's flags",
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
	        "  --benchmark_report_aggregates_only\n"
	        "  --benchmark_format=console|json|csv\n"
	        "  --benchmark_out=FILE, --benchmark_out_format=...\n"
	        "  --benchmark_counters_tabular\n"
	        "\n"
	        "Exit status: 0 all verified; 1 a run failed its check, hung "
	        "or crashed;\n"
	        "2 bad input, or nothing matches the filter.\n",
	.run = run,
};
