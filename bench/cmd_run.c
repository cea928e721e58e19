/* weft run: measures one cell. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/args.h"
#include "bench/command.h"
#include "bench/isolated.h"
#include "bench/knobs.h"
#include "bench/report.h"
#include "bench/runner.h"
#include "kernel/work.h"
#include "stress/conform/options.h"

#define DEFAULT_CHANNEL "handoff"

/* No CPU has made so many turns in a microsecond. */
#define WORK_RATE_MAX 1000000

struct request {
	struct plan plan;
	bool chosen;      /* a channel was given */
	const char *path; /* of its shared object; or NULL */
	bool json;
	int cost; /* -1: where latency is measured */
	/* The last option that only an open loop has a use for; or NULL. */
	const char *open_loop_option;
};

/* Every option beside the pattern's own knobs. */
static const char *const options[] = {
	"chan",      "load",        "reps",         "time",          "latency",
	"arrivals",  "utilization", "timeout",      "seed",          "json",
	"warmup",    "cost",        "latency-time", "latency-items", "turns",
	"work-rate", NULL
};

#define OPTIONS (sizeof(options) / sizeof(options[0]) - 1)

static int set_channel(struct request *r, const struct arg *arg)
{
	if (arg_needs_value(arg))
		return EXIT_BAD_INPUT;
	if (r->chosen)
		return complain("--%s=%s: give one channel, with --chan or "
		                "--load",
		                arg->key, arg->value);
	r->chosen = true;
	if (strcmp(arg->key, "load") != 0)
		return arg_channel(arg->value, &r->plan.chan);
	r->path = arg->value;
	return load_channel(arg->value, &r->plan.chan);
}

static int set_knob(struct request *r, const struct arg *arg)
{
	char why[256];

	if (arg_needs_value(arg))
		return EXIT_BAD_INPUT;
	if (params_set(r->plan.pattern, &r->plan.params, arg->key, arg->value,
	               why, sizeof(why)))
		return complain("--%s", why);
	return 0;
}

static int set_arrivals(struct request *r, const struct arg *arg)
{
	if (arg_needs_value(arg))
		return EXIT_BAD_INPUT;
	for (int i = 0; arrivals_names[i]; i++)
		if (strcmp(arrivals_names[i], arg->value) == 0) {
			r->plan.arrivals = (enum arrivals)i;
			return 0;
		}
	return complain("--%s=%s: allowed fixed, poisson", arg->key,
	                arg->value);
}

static int set_utilization(struct request *r, const struct arg *arg)
{
	uint64_t n = r->plan.utilization;
	int err = arg_number(arg, 1, 1000, &n);

	r->plan.utilization = (unsigned)n;
	return err;
}

/* How the messages come while latency is measured. */
static const struct {
	const char *key;
	int (*set)(struct request *r, const struct arg *arg);
} open_loop_options[] = {
	{ "arrivals", set_arrivals },
	{ "utilization", set_utilization },
};

#define OPEN_LOOP_OPTIONS                                                      \
	(sizeof(open_loop_options) / sizeof(open_loop_options[0]))

/* Whether it is one of these; then *err is what came of it. */
static bool set_open_loop(struct request *r, const struct arg *arg, int *err)
{
	for (size_t i = 0; i < OPEN_LOOP_OPTIONS; i++)
		if (strcmp(open_loop_options[i].key, arg->key) == 0) {
			r->open_loop_option = open_loop_options[i].key;
			*err = open_loop_options[i].set(r, arg);
			return true;
		}
	return false;
}

static int unknown_option(const struct request *r, const struct arg *arg)
{
	const char *known[PATTERN_KNOBS_MAX + OPTIONS + 1] = { NULL };
	const struct knob *knob = r->plan.pattern->knobs;
	char what[128];
	size_t n = 0;

	for (; n < PATTERN_KNOBS_MAX && knob[n].name; n++)
		known[n] = knob[n].name;
	for (size_t i = 0; i < OPTIONS; i++)
		known[n + i] = options[i];
	snprintf(what, sizeof(what), "%s has no key", r->plan.pattern->name);
	return complain_unknown(what, arg->key, known);
}

/* Says that it is ready, and waits for a line; returns whether that asks for a
 * repetition. At the end of the input there is no more to wait for. */
static bool wait_for_turn(void)
{
	char line[sizeof("end\n")];

	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return true;
	/* The rest of a longer line. */
	if (!strchr(line, '\n'))
		for (int c = getchar(); c != EOF && c != '\n';)
			c = getchar();
	return strcmp(line, "end\n") != 0;
}

static int set_turns(struct request *r, const struct arg *arg)
{
	bool by_turns = false;
	int err = arg_flag(arg, &by_turns);

	r->plan.turn = by_turns ? wait_for_turn : NULL;
	return err;
}

static int set_option(struct request *r, const struct arg *arg)
{
	struct plan *plan = &r->plan;
	uint64_t n = 0;
	int err = 0;

	if (strcmp(arg->key, "json") == 0)
		return arg_flag(arg, &r->json);
	if (strcmp(arg->key, "turns") == 0)
		return set_turns(r, arg);
	if (strcmp(arg->key, "chan") == 0 || strcmp(arg->key, "load") == 0)
		return set_channel(r, arg);
	if (strcmp(arg->key, "reps") == 0) {
		err = arg_number(arg, 1, RESULT_REPS_MAX, &n);
		plan->reps = (unsigned)n;
	} else if (strcmp(arg->key, "time") == 0) {
		err = arg_number(arg, 1, 60000, &n);
		plan->time_ns = (int64_t)n * WEFT_MS;
	} else if (strcmp(arg->key, "warmup") == 0) {
		err = arg_number(arg, 0, 60000, &n);
		plan->warmup_ns = (int64_t)n * WEFT_MS;
	} else if (strcmp(arg->key, "latency") == 0) {
		err = arg_number(arg, 0, 1, &n);
		plan->latency = n;
	} else if (strcmp(arg->key, "latency-time") == 0) {
		err = arg_number(arg, 1, 60000, &n);
		plan->latency_ns = (int64_t)n * WEFT_MS;
	} else if (strcmp(arg->key, "latency-items") == 0) {
		err = arg_number(arg, 1, PLAN_ITEMS_MAX, &plan->latency_items);
	} else if (strcmp(arg->key, "cost") == 0) {
		err = arg_number(arg, 0, 1, &n);
		r->cost = (int)n;
	} else if (strcmp(arg->key, "timeout") == 0) {
		err = arg_number(arg, 1, 86400, &n);
		plan->timeout_ns = (int64_t)n * WEFT_SEC;
	} else if (strcmp(arg->key, "work-rate") == 0) {
		err = arg_number(arg, 1, WORK_RATE_MAX, &n);
		work_assume(n);
	} else if (strcmp(arg->key, "seed") == 0) {
		err = arg_number(arg, 0, UINT64_MAX, &plan->seed);
	} else if (pattern_knob(plan->pattern, arg->key) >= 0) {
		err = set_knob(r, arg);
	} else if (!set_open_loop(r, arg, &err)) {
		err = unknown_option(r, arg);
	}
	return err;
}

/* The pattern may stand anywhere; the knobs need it first. NULL where there is
 * none. 0, or EXIT_BAD_INPUT after complaining. */
static int find_pattern(int argc, char **argv, const struct pattern **out)
{
	struct arg arg;

	*out = NULL;
	for (int i = 1; i < argc; i++) {
		if (arg_split(argv[i], &arg))
			continue;
		if (*out)
			return complain("cannot make sense of '%s': there is a "
			                "pattern already, and values are given "
			                "as --KEY=VALUE",
			                argv[i]);
		if (arg_pattern(argv[i], out))
			return EXIT_BAD_INPUT;
	}
	return 0;
}

static int parse(int argc, char **argv, struct request *r)
{
	const struct pattern *pattern;
	struct arg arg;
	int err = find_pattern(argc, argv, &pattern);

	if (err)
		return err;
	if (!pattern)
		return complain("run needs a pattern; weft list patterns shows "
		                "what there is");
	plan_init(&r->plan, pattern, weft_chan_impl_find(DEFAULT_CHANNEL));
	r->cost = -1;
	for (int i = 1; i < argc && !err; i++)
		if (arg_split(argv[i], &arg))
			err = set_option(r, &arg);
	r->plan.cost = r->cost < 0 ? r->plan.latency : r->cost;
	if (!err && !plan_items(&r->plan))
		err = arg_timeout_fits(r->plan.timeout_ns, "time",
		                       r->plan.time_ns);
	if (!err && r->plan.latency)
		err = arg_timeout_fits(r->plan.timeout_ns, "latency-time",
		                       r->plan.latency_ns);
	if (!err && r->open_loop_option && pattern->closed_loop)
		err = complain("--%s: the messages of %s do not arrive, each "
		               "round trip begins when the last has ended",
		               r->open_loop_option, pattern->name);
	return err;
}

/* What cannot run is bad input: without --json, stdout stays empty. */
static void show(const struct result *out, bool json)
{
	if (json) {
		report_json(out, stdout);
		if (!verdict_is_good(out->verdict))
			complain("%s: %s", verdict_name(out->verdict),
			         out->why);
	} else if (out->verdict == VERDICT_NA) {
		complain("%s", out->why);
	} else {
		report_text(out, stdout);
	}
}

static void show_and_end(const struct result *out, void *arg)
{
	const struct request *r = arg;

	if (r->json)
		report_json(out, stdout);
	else
		report_text(out, stdout);
	fflush(stdout);
	runner_abandon(verdict_exit(out->verdict));
}

/* A handler of signals. */
static void end_late(int signal)
{
	static const char line[] =
	        "weft: HUNG: making a channel had not ended in time (see "
	        "--timeout)\n";
	ssize_t n = write(STDERR_FILENO, line, sizeof(line) - 1);

	(void)n;
	(void)signal;
	_exit(EXIT_FAILED);
}

/*
 * A shared object is measured in a child process: its operations could end the
 * process, and with any status. Returns 0, or EXIT_FAILED after complaining.
 */
static int measure(struct request *r, struct result *out)
{
	char why[256];
	int err;

	if (!r->path) {
		runner_when_late(end_late);
		runner_measure(&r->plan, out, show_and_end, r);
		return 0;
	}
	err = isolated_measure(&r->plan, out, why, sizeof(why));
	if (!err)
		return 0;
	if (err != -EIO)
		snprintf(why, sizeof(why), "cannot start a process: %s",
		         strerror(-err));
	complain("--load=%s: %s", r->path, why);
	return EXIT_FAILED;
}

static int run(int argc, char **argv)
{
	struct request r = { 0 };
	struct result *out;
	int err = parse(argc, argv, &r);

	if (err)
		return err;
	out = malloc(sizeof(*out));
	if (!out)
		return complain("out of memory");
	err = measure(&r, out);
	if (!err) {
		show(out, r.json);
		err = verdict_exit(out->verdict);
	}
	free(out);
	return err;
}

/* With the keys of the pattern, where there is one. */
static int explain(int argc, char **argv)
{
	const struct pattern *pattern;
	int err = find_pattern(argc, argv, &pattern);

	if (err)
		return err;
	printf("usage: weft %s", command_run.help);
	if (!pattern)
		return 0;
	printf("\nThe KEYs of %s: %s\n\n", pattern->name, pattern->summary);
	knobs_print(pattern);
	return 0;
}

const struct command command_run = {
	.name = "run",
	.summary = "measure one pattern over one channel, and check every run",
	.help = "run PATTERN [--chan=NAME|--load=FILE.so] [--KEY=VALUE ...]\n"
	        "                [--reps=N] [--time=MS] [--warmup=MS] "
	        "[--latency=0|1]\n"
	        "                [--latency-time=MS] [--latency-items=N] "
	        "[--cost=0|1]\n"
	        "                [--arrivals=fixed|poisson] "
	        "[--utilization=PERCENT]\n"
	        "                [--timeout=S] [--seed=N] [--work-rate=N] "
	        "[--turns] [--json]\n"
	        "\n"
	        "  PATTERN         see weft list patterns; its KEYs: "
	        "weft run PATTERN --help\n"
	        "  --chan=NAME     see weft list channels, peers too "
	        "(default " DEFAULT_CHANNEL ")\n"
	        "  --load=FILE.so  a channel of your own instead\n"
	        "  --items=N       messages per run (default 0: as many as "
	        "take "
	        "--time)\n"
	        "  --reps=N        measured repetitions (default 5)\n"
	        "  --time=MS       length of one (default 50)\n"
	        "  --warmup=MS     run until it gets no faster, so long at the "
	        "most, before\n"
	        "                  what counts (default 0: no more than what\n"
	        "                  finds the number of items)\n"
	        "  --latency=0|1   one more repetition, for latency (default "
	        "1)\n"
	        "  --latency-time=MS\n"
	        "                  how long that lasts (default: as the "
	        "others)\n"
	        "  --latency-items=N\n"
	        "                  how many messages it has at least, up to "
	        "ten times as long\n"
	        "  --cost=0|1      what it costs beside the runs, in 30 ms "
	        "more "
	        "(default: as\n"
	        "                  --latency)\n"
	        "  --arrivals=WORD then messages come at even distances "
	        "(fixed, the default)\n"
	        "                  or independently of each other (poisson)\n"
	        "  --utilization=PERCENT\n"
	        "                  of the measured throughput then (default "
	        "50); above some\n"
	        "                  90 the queue may grow without end, and the "
	        "report says so\n"
	        "  --timeout=S     end a run that takes longer (default: 30 s "
	        "more than it\n"
	        "                  should take, by --time, --items, KEYs and "
	        "--work)\n"
	        "  --seed=N        of everything random (default 1)\n"
	        "  --work-rate=N   how fast a CPU computes, as weft context "
	        "says "
	        "it, so that work\n"
	        "                  is the same in all processes that are given "
	        "it (default:\n"
	        "                  measured at the start)\n"
	        "  --turns         before each repetition and after the last, "
	        "print "
	        "'ready' and\n"
	        "                  wait for a line on stdin, so that several "
	        "processes can\n"
	        "                  measure by turns; the line 'end' asks for "
	        "no "
	        "more of\n"
	        "                  them, but the first is always made\n"
	        "  --json          one JSON object on stdout\n"
	        "\n"
	        "Exit status: 0 verified; 1 failed or hung; 2 bad input, or "
	        "the channel\n"
	        "cannot do this.\n",
	.explain = explain,
	.run = run,
};
