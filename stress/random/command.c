/* `weft stress`: what is stressed for how long, and what came of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/task.h>

#include "base/rng.h"
#include "stress/conform/options.h"
#include "stress/conform/screen.h"
#include "stress/conform/supervise.h"
#include "stress/conform/verdict.h"
#include "stress/litmus/litmus.h"
#include "stress/random/random.h"

const char stress_summary[] = "random histories of channels, all checked";

const char stress_help[] =
        "stress chan|select|history|litmus [--chan=NAME | --load=FILE.so | "
        "--all] "
        "[OPTION ...]\n"
        "\n"
        "  chan              calls on one channel at a time\n"
        "  select            calls and selects over up to four, of which one "
        "at least is\n"
        "                    of the channel given\n"
        "  history           few calls at a time, each put down with its "
        "times: can a\n"
        "                    correct channel have answered like that?\n"
        "  litmus            a few calls that race, and how often each outcome "
        "was seen; for\n"
        "                    what is no channel too\n"
        "\n"
        "  --seconds=S       how long, for all channels together; default 60\n"
        "  --seed=N          repeat the one episode with this seed\n"
        "  --from=N          the episodes that follow from this seed\n"
        "  --build=KIND      of a source, --load=FILE.c: plain, thread, "
        "address, perturb;\n"
        "                    flags of its compiler follow --\n"
        "  --time-limit=S    seconds until an episode counts as hung; default "
        "20\n"
        "  --failures=N      after which a channel is left alone; default 5\n"
        "  --name=TEST       of litmus: one test\n"
        "\n"
        "Without a channel, all of them are stressed in turn.\n"
        "\n"
        "Exit status: 0 nothing failed; 1 something failed, hung, crashed or "
        "was not\n"
        "tried; 2 bad input.\n";

#define CHANNELS_MAX 64

/* A channel that fails again and again is not worth more of the time. */
#define FAILURES 5

/* The shortest and the longest turn of one channel. */
#define TURN_MIN (200 * WEFT_MS)
#define TURN_MAX (5 * WEFT_SEC)

struct tally {
	const struct weft_chan_impl *impl;
	uint64_t episodes, items;
	unsigned failed;
};

struct stress {
	const struct subject *subject;
	struct chosen chosen;
	uint64_t seed; /* --seed, or 0 */
	uint64_t from; /* --from, or 0 */
	int64_t ns, limit_ns;
	uint64_t failures; /* of one channel, at most */

	/* While it runs. */
	uint64_t state;   /* of the seeds of episodes */
	unsigned columns; /* see screen_columns() */
	int64_t begin_ns, said_ns;
	struct tally tally[CHANNELS_MAX];
	size_t channels;
	const struct tally *now; /* whose turn it is */
};

/* --- what is shown --- */

static void erase_line(const struct stress *s)
{
	screen_erase(stdout, s->columns);
}

static void say_progress(const struct stress *s)
{
	char line[256];

	snprintf(line, sizeof(line), "%.0f s of %.0f: %s, %" PRIu64 " episodes",
	         (double)(weft_now() - s->begin_ns) / 1e9, (double)s->ns / 1e9,
	         s->now->impl->name,
	         s->now->episodes + weft_load_relaxed(&vital->rounds));
	if (s->columns)
		screen_draw(stdout, s->columns, "%s", line);
	else
		puts(line);
	fflush(stdout);
}

/* On a terminal all the time; elsewhere now and then, as a sign of life. */
static void on_watch(void *arg)
{
	struct stress *s = arg;
	int64_t now = weft_now();

	if (now - s->said_ns < (s->columns ? 200 * WEFT_MS : 20 * WEFT_SEC))
		return;
	s->said_ns = now;
	erase_line(s);
	say_progress(s);
}

static void say_failure(const struct stress *s, const struct tally *t,
                        const struct stretch *r)
{
	erase_line(s);
	printf("%s: %s in the episode with seed %" PRIu64 "\n"
	       "           %s:\n           %s\n",
	       t->impl->name, conform_verdict_name(r->verdict), r->seed,
	       r->where, r->why);
	if (strchr(r->log, '\n') != strrchr(r->log, '\n') ||
	    r->verdict != CONFORM_FAIL)
		verdict_print_log(r->log);
	printf("           again: weft stress %s --seed=%" PRIu64 " ",
	       s->subject->name, r->seed);
	chosen_print(stdout, &s->chosen, t->impl);
	putchar('\n');
	fflush(stdout);
}

static int say_totals(const struct stress *s)
{
	struct covered covered = { .schedules = 0 };
	unsigned failed = 0;

	erase_line(s);
	printf("%-16s %10s %14s %8s\n", "channel", "episodes", "elements",
	       "failed");
	for (size_t i = 0; i < s->channels; i++) {
		const struct tally *t = &s->tally[i];

		printf("%-16s %10" PRIu64 " %14" PRIu64 " %8u\n", t->impl->name,
		       t->episodes, t->items, t->failed);
		failed += t->failed;
		covered.schedules += t->episodes;
		covered.operations += t->items;
	}
	chosen_tally(&s->chosen, &covered);
	return failed ? EXIT_FAILED : 0;
}

/* --- running --- */

static int one_turn(struct stress *s, struct tally *t, int64_t ns)
{
	uint64_t seed =
	        s->seed ? s->seed : (rng_mix(&s->state) & UINT32_MAX) | 1;
	struct stretch r;
	int err;

	s->now = t;
	err = stretch_run(s->subject, t->impl, seed, s->seed != 0, ns,
	                  s->limit_ns, on_watch, s, &r);
	if (err) {
		fprintf(stderr, "weft: cannot run an episode: %s\n",
		        strerror(-err));
		return EXIT_FAILED;
	}
	t->episodes += r.episodes;
	t->items += r.items;
	if (r.verdict != CONFORM_PASS && r.verdict != CONFORM_NA) {
		t->failed++;
		say_failure(s, t, &r);
	}
	stretch_free(&r);
	return 0;
}

/* Each channel several times, so that a slow stretch of the machine does not
 * fall on one of them alone. */
static int64_t turn_of(const struct stress *s)
{
	int64_t ns = s->ns / (int64_t)(s->channels * 4);

	if (ns > TURN_MAX)
		return TURN_MAX;
	return ns < TURN_MIN ? TURN_MIN : ns;
}

/* Each channel has one turn at least, however short. */
static int run_turns(struct stress *s)
{
	int64_t end = s->begin_ns + s->ns, left;
	bool any = true, first = true;
	int err = 0;

	for (; any && !err && (first || weft_now() < end); first = false) {
		any = false;
		for (size_t i = 0; i < s->channels && !err; i++) {
			if (s->tally[i].failed >= s->failures)
				continue;
			left = end - weft_now();
			if (left <= 0 && !first)
				break;
			any = true;
			err = one_turn(s, &s->tally[i],
			               left < turn_of(s) ? left : turn_of(s));
		}
	}
	return err;
}

/* Those that can be stressed; a line for each that cannot. */
static void gather(struct stress *s)
{
	const struct weft_chan_impl *impl;
	const char *why;

	for (size_t i = 0; (impl = chosen_at(&s->chosen, i)); i++) {
		if (!s->subject->applies(impl, &why))
			printf("%s: N/A: %s\n", impl->name, why);
		else if (s->channels < CHANNELS_MAX)
			s->tally[s->channels++].impl = impl;
	}
}

static int run(struct stress *s)
{
	int err;

	s->columns = screen_columns(stdout);
	if (s->seed) {
		printf("the episode with seed %" PRIu64 ", again and again\n",
		       s->seed);
	} else {
		s->state = s->from ? s->from : random_seed();
		printf("episodes from seed %" PRIu64 " on\n", s->state);
	}
	gather(s);
	fflush(stdout);
	if (s->channels == 0) {
		if (s->chosen.all)
			return 0;
		return complain("stress %s has nothing to do with channel %s",
		                s->subject->name, s->chosen.one->name);
	}
	s->begin_ns = s->said_ns = weft_now();
	err = run_turns(s);
	return err ? err : say_totals(s);
}

/* --- the command line --- */

static int take_option(struct stress *s, const struct arg *arg)
{
	static const char *const known[] = {
		"--all",  "--build",   "--chan", "--failures",   "--from",
		"--load", "--seconds", "--seed", "--time-limit", NULL
	};
	bool taken;
	int err = chosen_option(&s->chosen, arg, &taken);

	if (err || taken)
		return err;
	if (strcmp(arg->key, "seed") == 0)
		return arg_number(arg, 1, UINT64_MAX, &s->seed);
	if (strcmp(arg->key, "from") == 0)
		return arg_number(arg, 1, UINT64_MAX, &s->from);
	if (strcmp(arg->key, "seconds") == 0)
		return arg_seconds(arg, &s->ns);
	if (strcmp(arg->key, "time-limit") == 0)
		return arg_seconds(arg, &s->limit_ns);
	if (strcmp(arg->key, "failures") == 0)
		return arg_number(arg, 1, UINT64_MAX, &s->failures);
	return complain_option("stress has no option", arg, known);
}

static int take_options(struct stress *s, int argc, char **argv)
{
	struct arg arg;
	int err = 0;

	for (int i = 2; i < argc && !err; i++) {
		if (chosen_flags(&s->chosen, argc, argv, i))
			break;
		err = arg_split(argv[i], &arg)
		              ? take_option(s, &arg)
		              : complain("stress: cannot make sense of '%s': "
		                         "give --KEY=VALUE",
		                         argv[i]);
	}
	return err;
}

/* 0, or EXIT_BAD_INPUT after complaining. */
static int find_subject(const char *name, const struct subject **out)
{
	static const struct subject *const subjects[] = { &subject_chan,
		                                          &subject_select,
		                                          &subject_history };
	static const char *const known[] = { "chan", "select", "history",
		                             "litmus", NULL };

	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		if (strcmp(subjects[i]->name, name) == 0) {
			*out = subjects[i];
			return 0;
		}
	return complain_unknown("nothing to stress called", name, known);
}

int stress_main(int argc, char **argv)
{
	struct stress s = { .ns = 60 * WEFT_SEC,
		            .limit_ns = CONFORM_TIME_LIMIT,
		            .failures = FAILURES };
	int err;

	if (argc < 2)
		return complain("stress what? (there are: chan, select, "
		                "history, litmus)");
	if (strcmp(argv[1], "litmus") == 0)
		return litmus_main(argc, argv);
	err = find_subject(argv[1], &s.subject);
	if (!err)
		err = take_options(&s, argc, argv);
	if (!err)
		err = chosen_settle(&s.chosen, true);
	if (!err && s.chosen.path && source_is(s.chosen.path))
		return source_rerun(&s.chosen.source, s.chosen.build, argc,
		                    argv);
	return err ? err : run(&s);
}
