/* `weft stress litmus`: which tests, on which channels, and the tables. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "stress/conform/options.h"
#include "stress/conform/verdict.h"
#include "stress/litmus/litmus.h"

/* From so much time for each test on each channel on, what is required must
 * have been seen. */
#define LONG (30 * WEFT_SEC)

struct request {
	struct chosen chosen;
	const char *name;
	uint64_t seed;
	int64_t ns, limit_ns;

	int64_t each_ns;
	uint64_t samples;
	unsigned runs, failed, unseen;
};

/* What was run. */
struct job {
	const struct litmus *test;
	const struct weft_chan_impl *impl;
	struct litmus_counts counts;
};

/* --- what is shown --- */

static const char *expect_name(enum litmus_expect expect)
{
	static const char *const names[] = { "accept", "interesting",
		                             "required", "FORBIDDEN" };

	return names[expect];
}

static void print_head(const struct job *j, const char *verdict)
{
	printf("%s%s%s: %s: %s\n", j->test->name, j->impl ? " on " : "",
	       j->impl ? j->impl->name : "", verdict, j->test->what);
}

static void print_table(const struct job *j)
{
	const struct litmus_counts *n = &j->counts;
	const struct litmus_outcome *o = j->test->outcome;

	for (unsigned i = 0; i < LITMUS_OUTCOMES && o[i].what; i++)
		printf("  %12" PRIu64 "  %-12s %s%s\n", n->seen[i],
		       expect_name(o[i].expect), o[i].what,
		       o[i].expect == LITMUS_REQUIRED && !n->seen[i]
		               ? " (not seen)"
		               : "");
	if (n->unlisted)
		printf("  %12" PRIu64 "  %-12s what no table lists, last %u, "
		       "%u, %u\n",
		       n->unlisted, expect_name(LITMUS_FORBID),
		       n->unlisted_code >> 16 & 0xff,
		       n->unlisted_code >> 8 & 0xff, n->unlisted_code & 0xff);
}

static void print_how_to_repeat(const struct request *q, const struct job *j)
{
	printf("  again: weft stress litmus --name=%s --seed=%" PRIu64 " ",
	       j->test->name, q->seed);
	if (j->impl)
		chosen_print(stdout, &q->chosen, j->impl);
	putchar('\n');
}

/* --- running --- */

static void tell(struct request *q, const struct job *j,
                 enum conform_verdict verdict, const char *why, const char *log)
{
	unsigned unseen = litmus_unseen(j->test, &j->counts);
	bool bad = verdict != CONFORM_PASS ||
	           litmus_was_forbidden(j->test, &j->counts);
	bool lacks = unseen && q->each_ns >= LONG;

	q->runs++;
	q->samples += j->counts.samples;
	q->unseen += unseen;
	q->failed += bad || lacks;
	if (verdict != CONFORM_PASS)
		print_head(j, conform_verdict_name(verdict));
	else
		print_head(j, bad || lacks ? "FAIL" : "PASS");
	print_table(j);
	if (verdict != CONFORM_PASS) {
		printf("  %s\n", why);
		verdict_print_log(log);
	}
	if (bad || lacks)
		print_how_to_repeat(q, j);
	fflush(stdout);
}

/* Its own, the same whichever others run. */
static uint64_t seed_of(uint64_t seed, const char *name)
{
	for (; *name; name++) {
		seed ^= (unsigned char)*name;
		seed = rng_mix(&seed);
	}
	return seed;
}

static int run_one(struct request *q, const struct litmus *t,
                   const struct weft_chan_impl *impl)
{
	struct job j = { .test = t, .impl = impl };
	const struct weft_chan_impl *about =
	        impl ? impl : weft_chan_impl_find("handoff");
	enum conform_verdict verdict;
	struct child child;
	char why[400];
	int err = litmus_run(t, impl, seed_of(q->seed, t->name), q->each_ns,
	                     q->limit_ns, &j.counts, &child);

	if (err) {
		fprintf(stderr, "weft: cannot run a test: %s\n",
		        strerror(-err));
		return EXIT_FAILED;
	}
	verdict =
	        verdict_of_child(&child, about, q->limit_ns, why, sizeof(why));
	tell(q, &j, verdict, why, child.log);
	child_free(&child);
	return 0;
}

/* Each test on each channel, and those without one once. Without `run` it only
 * counts. */
static int each(struct request *q, bool run, unsigned *n)
{
	const struct weft_chan_impl *impl;
	const struct litmus *t;
	const char *why;
	int err = 0;

	*n = 0;
	for (size_t i = 0; !err && (t = litmus_at(i)); i++) {
		if (q->name && strcmp(q->name, t->name) != 0)
			continue;
		if (!t->chans) {
			++*n;
			err = run ? run_one(q, t, NULL) : 0;
			continue;
		}
		for (size_t k = 0; !err && (impl = chosen_at(&q->chosen, k));
		     k++) {
			if (!litmus_applies(t, impl, &why))
				continue;
			++*n;
			err = run ? run_one(q, t, impl) : 0;
		}
	}
	return err;
}

static int run_all(struct request *q)
{
	unsigned n;
	int err;

	printf("seed %" PRIu64 "\n", q->seed);
	fflush(stdout);
	each(q, false, &n);
	if (n == 0)
		return complain("stress litmus: no such test is about that "
		                "channel");
	q->each_ns = q->ns / n;
	err = each(q, true, &n);
	if (err)
		return err;
	chosen_tally(&q->chosen, &(struct covered){ .schedules = q->samples,
	                                            .operations = q->samples });
	printf("%u runs of %" PRIu64
	       " samples: %u failed; %u required outcomes "
	       "not seen%s\n",
	       q->runs, q->samples, q->failed, q->unseen,
	       q->each_ns >= LONG ? "" : " (no failure in so short a run)");
	return q->failed ? EXIT_FAILED : 0;
}

/* --- the command line --- */

static int take_option(struct request *q, const struct arg *arg)
{
	static const char *const known[] = {
		"--all",     "--build", "--chan",       "--load", "--name",
		"--seconds", "--seed",  "--time-limit", NULL
	};
	bool taken;
	int err = chosen_option(&q->chosen, arg, &taken);

	if (err || taken)
		return err;
	if (strcmp(arg->key, "name") == 0)
		return arg_text(arg, &q->name);
	if (strcmp(arg->key, "seed") == 0)
		return arg_number(arg, 1, UINT64_MAX, &q->seed);
	if (strcmp(arg->key, "seconds") == 0)
		return arg_seconds(arg, &q->ns);
	if (strcmp(arg->key, "time-limit") == 0)
		return arg_seconds(arg, &q->limit_ns);
	return complain_option("stress litmus has no option", arg, known);
}

/* Whether there is a test of that name. */
static int name_is_good(const char *name)
{
	const char *names[64];
	const struct litmus *t;
	size_t n = 0;

	for (; (t = litmus_at(n)) && n + 1 < 64; n++) {
		if (strcmp(t->name, name) == 0)
			return 0;
		names[n] = t->name;
	}
	names[n] = NULL;
	return complain_unknown("no litmus test called", name, names);
}

int litmus_main(int argc, char **argv)
{
	struct request q = { .ns = 60 * WEFT_SEC,
		             .limit_ns = CONFORM_TIME_LIMIT };
	struct arg arg;
	int err = 0;

	for (int i = 2; i < argc && !err; i++) {
		if (chosen_flags(&q.chosen, argc, argv, i))
			break;
		err = arg_split(argv[i], &arg)
		              ? take_option(&q, &arg)
		              : complain("stress litmus: cannot make sense of "
		                         "'%s': give --KEY=VALUE",
		                         argv[i]);
	}
	if (!err && q.name)
		err = name_is_good(q.name);
	if (!err)
		err = chosen_settle(&q.chosen, true);
	if (err)
		return err;
	if (q.chosen.path && source_is(q.chosen.path))
		return source_rerun(&q.chosen.source, q.chosen.build, argc,
		                    argv);
	q.seed = q.seed ? q.seed : random_seed();
	return run_all(&q);
}
