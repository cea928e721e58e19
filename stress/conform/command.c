/* `weft check`: the command line, and how results are shown. */
#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/chan_impl.h>
#include <weft/task.h>

#include "cli/json.h"
#include "cli/plugin.h"
#include "stress/conform/absent.h"
#include "stress/conform/conform.h"
#include "stress/conform/options.h"
#include "stress/conform/screen.h"
#include "stress/conform/supervise.h"
#include "stress/conform/verdict.h"
#include "stress/source/campaign.h"

const char conform_summary[] = "does a channel keep the contract?";

const char conform_help[] =
        "check --chan=NAME | --load=FILE.so | --all [OPTION ...]\n"
        "       weft check --load=FILE.c [--tier=fast|full] [OPTION ...] "
        "[-- FLAG ...]\n"
        "\n"
        "A source is compiled with $CC or cc, and the FLAGs, as it stands and "
        "for each\n"
        "sanitizer and with random delays, and all builds are checked and "
        "stressed until\n"
        "something is found.\n"
        "\n"
        "  --tier=fast|full  under a minute (the default), or as long as it "
        "takes\n"
        "  --seconds=S       for all of that; default 45, full 120. The checks "
        "of the plain\n"
        "                    build run to their end all the same, and a third "
        "of the time\n"
        "                    at least is for the rest\n"
        "  --keep-going      past what is found\n"
        "  --build=KIND      one build only: plain, thread, address, perturb\n"
        "\n"
        "  --only=REGEX      only the checks whose names match\n"
        "  --seed=N          of all that is random; default 1\n"
        "  --time-limit=S    seconds until one variation of a check counts "
        "as hung;\n"
        "                    default 20, and a tenth of it once three have "
        "hung\n"
        "  --percent=P       of the usual repetitions; default 100\n"
        "  --failures=N      after which it ends; default: it does not\n"
        "  --budget=S        seconds after which no check begins, for all "
        "channels together\n"
        "  --quiet           only what did not pass\n"
        "  --json            results as JSON\n"
        "  --list            what is checked, and what is not and why\n"
        "\n"
        "Exit status: 0 all passed, or do not apply; 1 something failed, hung, "
        "crashed\n"
        "or was not tried, as the machine lacks what it takes; 2 bad input.\n";

struct request {
	struct chosen chosen;
	struct conform_opts opts;
	uint64_t percent;
	bool list, json, quiet;
	unsigned named; /* checks, by opts.only */
	struct campaign campaign;

	/* While it runs. */
	unsigned columns; /* see screen_columns() */
	struct json writer;
	unsigned counts[CONFORM_UNTRIED + 1]; /* of the current channel */
	unsigned failed;                      /* of all */
	struct covered covered;
	int64_t ns;
};

/* --- JSON --- */

/* A line each, so that it can be read as it comes. */
static void json_result(struct request *q, const struct conform_result *r)
{
	struct json *j = &q->writer;

	fputc('\n', stdout);
	json_object_begin(j, NULL);
	json_string(j, "channel", r->impl->name);
	json_string(j, "check", conform_name(r->check));
	json_string(j, "scenarios", conform_scenarios(r->check));
	json_string(j, "verdict", conform_verdict_name(r->verdict));
	json_double(j, "seconds", (double)r->ns / 1e9);
	json_string(j, "where", r->verdict == CONFORM_PASS ? "" : r->where);
	json_string(j, "why", r->why);
	json_string(j, "note", r->note);
	if (r->verdict != CONFORM_PASS && r->verdict != CONFORM_NA)
		json_string(j, "log", r->log);
	json_object_end(j);
}

static void json_begin(struct request *q)
{
	struct json *j = &q->writer;

	json_init(j, stdout);
	json_object_begin(j, NULL);
	json_int(j, "schema", 1);
	json_uint(j, "seed", q->opts.seed);
	json_array_begin(j, "results");
}

static void json_end(struct request *q)
{
	struct json *j = &q->writer;

	fputc('\n', stdout);
	json_array_end(j);
	json_uint(j, "failed", q->failed);
	json_object_end(j);
	json_finish(j);
}

static void json_checks(struct json *j)
{
	const struct conform_check *check;

	json_array_begin(j, "checks");
	for (size_t i = 0; (check = conform_at(i)); i++) {
		json_object_begin(j, NULL);
		json_string(j, "name", conform_name(check));
		json_string(j, "scenarios", conform_scenarios(check));
		json_object_end(j);
	}
	json_array_end(j);
}

static void json_list(void)
{
	struct json j;

	json_init(&j, stdout);
	json_object_begin(&j, NULL);
	json_int(&j, "schema", 1);
	json_checks(&j);
	json_array_begin(&j, "not_checked");
	for (const struct absent *a = absent_scenarios; a->scenario; a++) {
		json_object_begin(&j, NULL);
		json_string(&j, "scenario", a->scenario);
		json_string(&j, "what", a->what);
		json_string(&j, "why", a->why);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	json_finish(&j);
}

/* --- text --- */

static void text_list(void)
{
	const struct conform_check *check;
	const struct absent *a;

	printf("%zu checks, with the scenarios that they cover:\n\n",
	       conform_count());
	for (size_t i = 0; (check = conform_at(i)); i++)
		printf("  %-6s %s\n", conform_scenarios(check),
		       conform_name(check));
	puts("\nnot checked:\n");
	for (a = absent_scenarios; a->scenario; a++)
		printf("  %-6s %s:\n         %s\n", a->scenario, a->what,
		       a->why);
}

/* On a terminal, a line that the result will replace. */
static void text_begin(const struct weft_chan_impl *impl,
                       const struct conform_check *check, void *arg)
{
	struct request *q = arg;

	(void)impl;
	if (!q->columns)
		return;
	screen_draw(stdout, q->columns, "  ...      %s", conform_name(check));
	fflush(stdout);
}

static void text_how_to_repeat(const struct request *q,
                               const struct conform_result *r)
{
	printf("           again: weft check --only='^%s$' --seed=%" PRIu64 " ",
	       conform_name(r->check), q->opts.seed);
	/* What came late would not come with fewer. */
	if (q->opts.percent > 100)
		printf("--percent=%u ", q->opts.percent);
	chosen_print(stdout, &q->chosen, r->impl);
	putchar('\n');
}

static void text_result(struct request *q, const struct conform_result *r)
{
	screen_erase(stdout, q->columns);
	if (q->quiet &&
	    (r->verdict == CONFORM_PASS || r->verdict == CONFORM_NA))
		return;
	printf("  %-8s %s", conform_verdict_name(r->verdict),
	       conform_name(r->check));
	if (r->verdict == CONFORM_NA || r->verdict == CONFORM_UNTRIED) {
		printf(" (%s)\n", r->why);
		return;
	}
	printf(" %.2f s\n", (double)r->ns / 1e9);
	if (r->verdict == CONFORM_PASS)
		return;
	printf("           at %s:\n           %s\n",
	       *r->where ? r->where : "the start", r->why);
	/* Its only line has just been said. */
	if (strchr(r->log, '\n') != strrchr(r->log, '\n') ||
	    r->verdict != CONFORM_FAIL)
		verdict_print_log(r->log);
	text_how_to_repeat(q, r);
}

static void text_totals(struct request *q)
{
	const unsigned *n = q->counts;
	unsigned bad = n[CONFORM_FAIL] + n[CONFORM_HUNG] + n[CONFORM_CRASHED] +
	               n[CONFORM_UNTRIED];

	printf("  %u passed, %u failed, %u hung, %u crashed, ", n[CONFORM_PASS],
	       n[CONFORM_FAIL], n[CONFORM_HUNG], n[CONFORM_CRASHED]);
	if (n[CONFORM_UNTRIED])
		printf("%u not tried, ", n[CONFORM_UNTRIED]);
	printf("%u not applicable; %.1f s%s\n\n", n[CONFORM_NA],
	       (double)q->ns / 1e9,
	       bad || !n[CONFORM_PASS]
	               ? ""
	               : ": keeps the contract as far as it declares");
}

/* --- running --- */

static void on_result(const struct conform_result *r, void *arg)
{
	struct request *q = arg;

	q->counts[r->verdict]++;
	q->ns += r->ns;
	if (r->verdict == CONFORM_NA) {
		q->covered.absent++;
	} else {
		q->covered.checks++;
		q->covered.schedules += weft_load_relaxed(&vital->turns);
	}
	if (q->json)
		json_result(q, r);
	else
		text_result(q, r);
	fflush(stdout);
}

static int check_one(struct request *q, const struct weft_chan_impl *impl)
{
	int failed;

	memset(q->counts, 0, sizeof(q->counts));
	q->ns = 0;
	if (!q->json) {
		printf("%s: %s\n", impl->name, impl->summary);
		plugin_print_peer(stdout, "", impl);
	}
	failed = conform_run(impl, &q->opts, q->json ? NULL : text_begin,
	                     on_result, q);
	if (failed < 0) {
		fprintf(stderr, "weft: cannot run the checks: %s\n",
		        strerror(-failed));
		return EXIT_FAILED;
	}
	if (!q->json)
		text_totals(q);
	q->failed += (unsigned)failed;
	return 0;
}

/* What is left until then, for the i-th channel and those behind it. */
static void share_budget(struct request *q, int64_t end, size_t i)
{
	int64_t left = end - weft_now();
	size_t channels = 0;

	if (end == WEFT_FOREVER)
		return;
	while (chosen_at(&q->chosen, i + channels))
		channels++;
	q->opts.budget_ns = left > 0 && channels ? left / (int64_t)channels : 1;
}

static int check_all(struct request *q)
{
	int64_t end = q->opts.budget_ns ? weft_deadline_in(q->opts.budget_ns)
	                                : WEFT_FOREVER;
	const struct weft_chan_impl *impl;
	int err = 0;

	q->columns = q->json ? 0 : screen_columns(stdout);
	if (q->json)
		json_begin(q);
	else
		printf("seed %" PRIu64 "\n\n", q->opts.seed);
	for (size_t i = 0; !err && (impl = chosen_at(&q->chosen, i)); i++) {
		share_budget(q, end, i);
		q->covered.named += q->named;
		err = check_one(q, impl);
	}
	if (q->json)
		json_end(q);
	chosen_tally(&q->chosen, &q->covered);
	if (err)
		return err;
	return q->failed ? EXIT_FAILED : 0;
}

/* --- the command line --- */

/* Count the checks that the pattern names. One that cannot be, or that no
 * check's name matches, is bad input. */
static int count_named(const char *only, unsigned *named)
{
	const struct conform_check *check;
	regex_t regex;
	char why[200];
	int err = regcomp(&regex, only, REG_EXTENDED | REG_NOSUB);

	if (err) {
		regerror(err, &regex, why, sizeof(why));
		return complain("--only=%s: %s", only, why);
	}
	for (size_t i = 0; (check = conform_at(i)); i++)
		*named += regexec(&regex, conform_name(check), 0, NULL, 0) == 0;
	regfree(&regex);
	if (!*named)
		return complain("--only=%s: no check has such a name (weft "
		                "check --list has them all)",
		                only);
	return 0;
}

static int take_option(struct request *q, const struct arg *arg)
{
	static const char *const known[] = {
		"--all",      "--budget", "--build",      "--chan",
		"--failures", "--json",   "--keep-going", "--list",
		"--load",     "--only",   "--percent",    "--quiet",
		"--seconds",  "--seed",   "--tier",       "--time-limit",
		NULL
	};
	bool taken;
	int err = chosen_option(&q->chosen, arg, &taken);

	if (err || taken)
		return err;
	if (strcmp(arg->key, "only") == 0)
		return arg_text(arg, &q->opts.only);
	if (strcmp(arg->key, "seed") == 0)
		return arg_number(arg, 1, UINT64_MAX, &q->opts.seed);
	if (strcmp(arg->key, "time-limit") == 0)
		return arg_seconds(arg, &q->opts.time_limit_ns);
	if (strcmp(arg->key, "percent") == 0)
		return arg_number(arg, 1, 100000, &q->percent);
	if (strcmp(arg->key, "json") == 0)
		return arg_flag(arg, &q->json);
	if (strcmp(arg->key, "list") == 0)
		return arg_flag(arg, &q->list);
	if (strcmp(arg->key, "quiet") == 0)
		return arg_flag(arg, &q->quiet);
	if (strcmp(arg->key, "failures") == 0)
		return arg_number(arg, 1, UINT64_MAX, &q->opts.failures);
	if (strcmp(arg->key, "budget") == 0)
		return arg_seconds(arg, &q->opts.budget_ns);
	err = campaign_option(&q->campaign, arg, &taken);
	if (err || taken)
		return err;
	return complain_option("check has no option", arg, known);
}

static int take_options(struct request *q, int argc, char **argv)
{
	struct arg arg;
	int err = 0;

	for (int i = 1; i < argc && !err; i++) {
		if (chosen_flags(&q->chosen, argc, argv, i))
			break;
		err = arg_split(argv[i], &arg)
		              ? take_option(q, &arg)
		              : complain("check: cannot make sense of '%s': "
		                         "give --KEY or --KEY=VALUE",
		                         argv[i]);
	}
	return err;
}

/* One build of a source, or all builds and all kinds of checks. */
static int check_builds(struct request *q, int argc, char **argv)
{
	struct campaign *c = &q->campaign;
	bool of_source = source_is(q->chosen.path);

	if (!c->asked && (!of_source || q->chosen.build_given || q->json))
		return of_source ? source_rerun(&q->chosen.source,
		                                q->chosen.build, argc, argv)
		                 : check_all(q);
	if (q->chosen.build_given || q->json)
		return complain("--tier, --seconds and --keep-going go over "
		                "all builds, and print no JSON");
	c->source = q->chosen.source;
	c->seed = q->opts.seed;
	c->only = q->opts.only;
	c->time_limit_ns = q->opts.time_limit_ns;
	return campaign_run(c);
}

int conform_main(int argc, char **argv)
{
	struct request q = { .opts = { .seed = 1 }, .percent = 100 };
	int err = take_options(&q, argc, argv);

	if (!err && !q.list)
		err = chosen_settle(&q.chosen, false);
	if (!err && q.campaign.asked && !q.chosen.path)
		err = complain("--tier, --seconds and --keep-going are about a "
		               "channel of one's own: give --load=FILE");
	if (!err)
		err = count_named(q.opts.only ? q.opts.only : ".", &q.named);
	if (err)
		return err;
	q.opts.percent = (unsigned)q.percent;
	if (!q.list && (q.chosen.source.path || q.campaign.asked))
		return check_builds(&q, argc, argv);
	if (!q.list)
		return check_all(&q);
	if (q.json)
		json_list();
	else
		text_list();
	return 0;
}
