#include "stress/source/campaign.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/task.h>

#include "stress/conform/options.h"
#include "stress/conform/screen.h"

int campaign_option(struct campaign *c, const struct arg *arg, bool *taken)
{
	*taken = true;
	if (strcmp(arg->key, "tier") == 0) {
		c->asked = true;
		if (arg_needs_value(arg))
			return EXIT_BAD_INPUT;
		c->full = strcmp(arg->value, "full") == 0;
		if (c->full || strcmp(arg->value, "fast") == 0)
			return 0;
		return complain("--tier=%s: allowed fast, full", arg->value);
	}
	if (strcmp(arg->key, "seconds") == 0) {
		c->asked = true;
		return arg_seconds(arg, &c->ns);
	}
	if (strcmp(arg->key, "keep-going") == 0) {
		c->asked = true;
		return arg_flag(arg, &c->keep_going);
	}
	*taken = false;
	return 0;
}

/*
 * What is run, in this order: first what finds most in the least time.
 *
 * stress   the subject of `weft stress`; NULL for `weft check`
 * name     of what are these checks alone, for they are worth more
 *          repetitions, or come too late among the others
 * only     the checks
 * share    of the seconds; what a stage does not use is for those behind it.
 *          0 runs to its end.
 * percent  of the repetitions of the checks, by tier
 */
static const struct stage {
	enum build build;
	const char *stress;
	unsigned share;
	unsigned fast, full;
	const char *name, *only;
} stages[] = {
	{ BUILD_PLAIN, NULL, 0, 100, 100, NULL, NULL },
	{ BUILD_PERTURB, NULL, 8, 10, 25, "windows",
	  "^(no_call_spins_|poll_misses_|close_waits_|len_stays_|a_task_that_|"
	  "a_(send|receive)_that_begins_|a_batch_that_close_cuts_)" },
	{ BUILD_THREAD, "chan", 8, 0, 0, NULL, NULL },
	{ BUILD_PERTURB, "history", 12, 0, 0, NULL, NULL },
	{ BUILD_PERTURB, "chan", 10, 0, 0, NULL, NULL },
	{ BUILD_ADDRESS, NULL, 10, 10, 50, NULL, NULL },
	{ BUILD_PERTURB, NULL, 15, 5, 10, NULL, NULL },
	{ BUILD_THREAD, NULL, 8, 5, 10, NULL, NULL },
	{ BUILD_PERTURB, "select", 7, 0, 0, NULL, NULL },
	{ BUILD_PLAIN, NULL, 6, 0, 850, "long", "^more_than_a_million_pass$" },
	{ BUILD_THREAD, "select", 5, 0, 0, NULL, NULL },
	{ BUILD_ADDRESS, "chan", 4, 0, 0, NULL, NULL },
	{ BUILD_PLAIN, "history", 4, 0, 0, NULL, NULL },
	{ BUILD_PLAIN, "chan", 3, 0, 0, NULL, NULL },
	{ BUILD_PLAIN, "select", 2, 0, 0, NULL, NULL },
};

#define STAGES (sizeof(stages) / sizeof(stages[0]))

/* How much longer an episode may take: a delay of a millisecond here and there
 * must not be taken for a hang. */
static const unsigned slowness[BUILDS] = {
	[BUILD_PLAIN] = 1,
	[BUILD_THREAD] = 5,
	[BUILD_ADDRESS] = 3,
	[BUILD_PERTURB] = 8,
};

#define SECONDS_FAST (45 * WEFT_SEC)
#define SECONDS_FULL (120 * WEFT_SEC)
#define LIMIT_FAST (5 * WEFT_SEC)
#define LIMIT_FULL (20 * WEFT_SEC)

enum outcome {
	NOT_RUN,
	PASSED,
	PART, /* nothing was found by those of its checks that it came to */
	FOUND,
	UNTRIED,
	NOTHING_TO_DO,
};

struct row {
	enum outcome outcome;
	struct covered covered;
	int64_t ns;
	const char *why; /* of UNTRIED */
};

struct run {
	struct campaign *c;
	struct row rows[STAGES];
	/* Paths of the builds that there are; "" of those that are not yet. */
	char object[BUILDS][SOURCE_PATH_BYTES];
	bool broken[BUILDS]; /* cannot be built */
	int64_t left_ns;     /* of the seconds */
	int64_t least_ns;    /* of them, for those that share */
};

/* --- one stage --- */

static int64_t limit_of(const struct campaign *c, enum build build)
{
	int64_t limit = c->time_limit_ns ? c->time_limit_ns
	                : c->full        ? LIMIT_FULL
	                                 : LIMIT_FAST;

	return limit * slowness[build];
}

static bool applies(const struct campaign *c, const struct stage *s)
{
	if (c->only && (s->stress || s->only))
		return false;
	if (!s->stress && !(c->full ? s->full : s->fast))
		return false;
	return s->build == BUILD_PLAIN || source_is(c->source.path);
}

/* What is left, shared with the stages behind it. No command takes 0. */
static double seconds_of(const struct run *r, const struct stage *s)
{
	unsigned shares = 0;
	double seconds;

	for (const struct stage *i = s; i < stages + STAGES; i++)
		if (applies(r->c, i))
			shares += i->share;
	if (!s->share)
		return 0;
	seconds = (double)r->left_ns / 1e9 * s->share / shares;
	return seconds < 0.001 ? 0.001 : seconds;
}

struct line {
	const char *word[16];
	int n;
	char option[8][SOURCE_PATH_BYTES + 16];
	int options;
};

WEFT_PRINTF(2, 3) static void say(struct line *l, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(l->option[l->options], sizeof(l->option[0]), format, args);
	va_end(args);
	l->word[l->n++] = l->option[l->options++];
}

static void say_check(struct line *l, const struct run *r,
                      const struct stage *s)
{
	const struct campaign *c = r->c;

	l->word[l->n++] = "check";
	l->word[l->n++] = "--quiet";
	if (!c->keep_going)
		l->word[l->n++] = "--failures=1";
	say(l, "--percent=%u", c->full ? s->full : s->fast);
	say(l, "--seed=%" PRIu64, c->seed);
	if (s->share)
		say(l, "--budget=%.3f", seconds_of(r, s));
	if (c->only || s->only)
		say(l, "--only=%s", s->only ? s->only : c->only);
}

static void say_stress(struct line *l, const struct run *r,
                       const struct stage *s)
{
	l->word[l->n++] = "stress";
	l->word[l->n++] = s->stress;
	l->word[l->n++] = "--failures=1";
	say(l, "--seconds=%.3f", seconds_of(r, s));
	/* Builds are to meet different episodes. */
	say(l, "--from=%" PRIu64, r->c->seed * BUILDS + s->build);
}

static void read_tally(const char *path, struct covered *c)
{
	FILE *f = fopen(path, "re");
	char line[80], *at = line;

	if (!f)
		return;
	if (fgets(line, sizeof(line), f)) {
		c->schedules = strtoull(at, &at, 10);
		c->operations = strtoull(at, &at, 10);
		c->checks = (unsigned)strtoul(at, &at, 10);
		c->absent = (unsigned)strtoul(at, &at, 10);
		c->named = (unsigned)strtoul(at, &at, 10);
	}
	fclose(f);
	remove(path);
}

static void show_log(const char *path)
{
	char line[1024];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		fputs(line, stdout);
	if (f)
		fclose(f);
}

static void name_stage(const struct stage *s, char *to, size_t bytes)
{
	if (s->stress)
		snprintf(to, bytes, "stress %s", s->stress);
	else
		snprintf(to, bytes, "check%s%s", s->name ? ", " : "",
		         s->name ? s->name : "");
}

static enum outcome judge_checks(const struct covered *c)
{
	if (c->checks + c->absent < c->named)
		return PART;
	return c->checks ? PASSED : NOTHING_TO_DO;
}

static enum outcome judge(const struct stage *s, int status,
                          const struct covered *covered, const char *log)
{
	char name[32];

	if (status == 0)
		return s->stress ? PASSED : judge_checks(covered);
	if (status == EXIT_BAD_INPUT && s->stress)
		return NOTHING_TO_DO; /* without select, say */
	name_stage(s, name, sizeof(name));
	printf("found by %s, build %s:\n", name, build_names[s->build]);
	show_log(log);
	if (status != EXIT_FAILED)
		printf("  the command itself ended with status %d\n", status);
	putchar('\n');
	return FOUND;
}

/* Make the build that a stage needs, unless it is there. 0, or the status. */
static int need_build(struct run *r, enum build build)
{
	int err = 0;

	if (r->broken[build])
		return EXIT_FAILED;
	if (*r->object[build])
		return 0;
	if (source_is(r->c->source.path))
		err = source_build(&r->c->source, build, r->object[build]);
	else
		snprintf(r->object[build], SOURCE_PATH_BYTES, "%s",
		         r->c->source.path);
	r->broken[build] = err != 0;
	return err;
}

static enum outcome try_stage(struct run *r, const struct stage *s,
                              struct row *row)
{
	char host[SOURCE_PATH_BYTES], preload[SOURCE_PATH_BYTES];
	char log[SOURCE_PATH_BYTES], tally[SOURCE_PATH_BYTES];
	struct campaign *c = r->c;
	struct line l = { .n = 1, .word = { host } };
	char *again = NULL;
	int status;

	if (!source_host(s->build, host, preload, &row->why))
		return UNTRIED;
	row->why = "it cannot be built so";
	if (need_build(r, s->build))
		return UNTRIED;
	row->why = "no folder for temporary files can be made";
	if (!source_scratch("log", log) || !source_scratch("tally", tally))
		return UNTRIED;
	if (s->stress)
		say_stress(&l, r, s);
	else
		say_check(&l, r, s);
	say(&l, "--load=%s", r->object[s->build]);
	say(&l, "--tally=%s", tally);
	say(&l, "--time-limit=%.3f", (double)limit_of(c, s->build) / 1e9);
	if (source_is(c->source.path))
		again = source_again(&c->source, s->build);
	if (again)
		l.word[l.n++] = again;
	status = source_run(l.word, log, preload);
	free(again);
	read_tally(tally, &row->covered);
	return judge(s, status, &row->covered, log);
}

/* --- all of them --- */

static void show_progress(const struct stage *s, unsigned columns)
{
	char name[32];

	if (!columns)
		return;
	name_stage(s, name, sizeof(name));
	screen_draw(stdout, columns, "  ...      %s, build %s", name,
	            build_names[s->build]);
	fflush(stdout);
}

static void print_counts(const struct row *row, bool random)
{
	const struct covered *c = &row->covered;
	char operations[32] = "";

	if (c->operations)
		snprintf(operations, sizeof(operations), "%" PRIu64,
		         c->operations);
	printf(" %10" PRIu64 " %12s %7.1f", c->schedules, operations,
	       (double)row->ns / 1e9);
	if (random && row->outcome == PASSED && c->schedules)
		printf("   p < %.2g", 3.0 / (double)c->schedules);
	if (!random)
		printf("   %u of %u checks", c->checks, c->named);
	if (c->absent)
		printf(", %u N/A", c->absent);
}

static void print_row(const struct stage *s, const struct row *row)
{
	static const char *const words[] = { "not run", "ok",      "part",
		                             "FOUND",   "UNTRIED", "N/A" };
	char name[32];

	name_stage(s, name, sizeof(name));
	printf("  %-8s %-8s %-14s", words[row->outcome], build_names[s->build],
	       name);
	if (row->outcome == UNTRIED)
		printf(" %s", row->why);
	else if (row->outcome != NOT_RUN && row->outcome != NOTHING_TO_DO)
		print_counts(row, s->stress);
	putchar('\n');
}

/* What the table does not cover, though it could. */
static void print_gaps(const struct run *r)
{
	char host[SOURCE_PATH_BYTES], preload[SOURCE_PATH_BYTES];
	bool parts = false;
	const char *why;

	for (size_t i = 0; i < STAGES; i++)
		parts |= r->rows[i].outcome == PART;
	if (parts)
		puts("part: its time was over before all of its checks had "
		     "begun; --seconds gives more.");
	if (source_host(BUILD_PLAIN, host, preload, &why) && !*preload)
		puts("weft_oom.so is missing beside this weft: checks of "
		     "running out of memory are N/A.");
}

static void print_table(const struct run *r)
{
	printf("  %-8s %-8s %-14s %10s %12s %7s   %s\n", "", "build", "what",
	       "schedules", "elements", "seconds", "a failure in one");
	for (size_t i = 0; i < STAGES; i++)
		if (applies(r->c, &stages[i]))
			print_row(&stages[i], &r->rows[i]);
	putchar('\n');
	print_gaps(r);
	puts("A schedule of a check is one of its variations, of stress an "
	     "episode. After N of\nthem without a failure, one drawn like "
	     "these fails with p < 3/N (95 % sure).");
	if (source_is(r->c->source.path))
		puts("The thread sanitizer sees a missing order where plain "
		     "data depend on it. It does\nnot see what stand-alone "
		     "fences order, nor a wrong order among atomics alone;\n"
		     "of those, x86 shows what its CPUs do and no more.");
	else
		puts("Give the source, --load=FILE.c, for the thread "
		     "sanitizer, "
		     "those of memory, and\nrandom delays: a missing memory "
		     "order shows in no run on x86.");
}

/* What is built and started is not of the seconds. */
static enum outcome run_stage(struct run *r, size_t i)
{
	struct row *row = &r->rows[i];
	double had = seconds_of(r, &stages[i]);
	int64_t begin = weft_now(), most;

	row->outcome = try_stage(r, &stages[i], row);
	row->ns = weft_now() - begin;
	most = stages[i].share ? (int64_t)(had * 1e9)
	                       : r->left_ns - r->least_ns;
	r->left_ns -= row->ns < most ? row->ns : most;
	return row->outcome;
}

int campaign_run(struct campaign *c)
{
	unsigned columns = screen_columns(stdout);
	struct run *r = calloc(1, sizeof(*r));
	bool failed = false;
	int err;

	if (!r)
		return complain("out of memory");
	r->c = c;
	r->left_ns = c->ns ? c->ns : c->full ? SECONDS_FULL : SECONDS_FAST;
	r->least_ns = r->left_ns / 3;
	/* What does not even compile as it stands is bad input. */
	err = need_build(r, BUILD_PLAIN);
	if (!err)
		printf("%s, seed %" PRIu64 "\n\n", c->source.path, c->seed);
	for (size_t i = 0; i < STAGES && !err; i++) {
		enum outcome outcome;

		if (!applies(c, &stages[i]))
			continue;
		show_progress(&stages[i], columns);
		outcome = run_stage(r, i);
		screen_erase(stdout, columns);
		fflush(stdout);
		failed |= outcome == FOUND || outcome == UNTRIED;
		if (outcome == FOUND && !c->keep_going)
			break;
	}
	if (!err)
		print_table(r);
	free(r);
	return err ? err : failed ? EXIT_FAILED : 0;
}
