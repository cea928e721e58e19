/* cmp-pattern: shows each pattern at work. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/suggest.h"
#include "cmp_pace.h"
#include "cmp_tint.h"
#include "kernel/pattern.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT };

/* More flags than there are patterns need not be told apart from none. */
#define FLAGS_MAX 64

static const char *const options[] = { "all", "seed", "speed", "help" };
#define OPTIONS (sizeof(options) / sizeof(*options))

/* --- the patterns in groups --- */

/* In which order they are listed, and shown by --all. What is in none of these
 * comes behind them, as others. */
static const struct group {
	const char *title;
	const char *flags[8];
} groups[] = {
	{ "Data on its way",
	  { "generator", "pipeline", "fan", "producer-consumer", "pubsub",
	    "select", "ping-pong" } },
	{ "Work and workers",
	  { "pools", "mapreduce", "singleflight", "event-loop" } },
	{ "Limits",
	  { "semaphore", "rate-limiting", "resource-pooling",
	    "timeout-cancellation" } },
	{ "Staying alive", { "heartbeat", "supervisor" } },
};
#define GROUPS (sizeof(groups) / sizeof(*groups))

static const struct pattern *find_flag(const char *flag)
{
	const struct pattern *p;

	for (size_t i = 0; (p = pattern_at(i)); i++)
		if (strcmp(p->flag, flag) == 0)
			return p;
	return NULL;
}

static bool is_grouped(const struct pattern *p)
{
	for (size_t g = 0; g < GROUPS; g++)
		for (size_t i = 0; groups[g].flags[i]; i++)
			if (strcmp(groups[g].flags[i], p->flag) == 0)
				return true;
	return false;
}

/* Visit all patterns, each group after its title. */
static void visit_all(void (*title)(const char *title),
                      void (*visit)(const struct pattern *p, void *arg),
                      void *arg)
{
	const struct pattern *p;

	for (size_t g = 0; g < GROUPS; g++) {
		if (title)
			title(groups[g].title);
		for (size_t i = 0; groups[g].flags[i]; i++)
			if ((p = find_flag(groups[g].flags[i])))
				visit(p, arg);
	}
	for (size_t i = 0, others = 0; (p = pattern_at(i)); i++) {
		if (is_grouped(p))
			continue;
		if (title && !others++)
			title("Others");
		visit(p, arg);
	}
}

/* --- usage, complaints --- */

static void print_title(const char *title)
{
	printf("\n%s:\n", title);
}

static void print_flag(const struct pattern *p, void *arg)
{
	(void)arg;
	printf("  --%-22s %s\n", p->flag, p->summary);
}

static void print_usage(void)
{
	puts("Usage: cmp-pattern --PATTERN... [--seed=N] [--speed=X]\n"
	     "       cmp-pattern --all [--seed=N] [--speed=X]\n\n"
	     "Shows concurrency patterns at work, one after the other.");
	visit_all(print_title, print_flag, NULL);
	puts("\nOptions:\n"
	     "  --all                    all of them\n"
	     "  --seed=N                 the same random values every time\n"
	     "  --speed=X                X times as fast: 10, or 0.5\n"
	     "  --help                   print this");
}

static int complain_unknown(const char *arg)
{
	const char *known[FLAGS_MAX + OPTIONS + 1] = { NULL }, *near;
	const struct pattern *p;
	const char *word = arg + strspn(arg, "-");
	size_t n = 0;

	for (; n < OPTIONS; n++)
		known[n] = options[n];
	for (size_t i = 0; i < FLAGS_MAX && (p = pattern_at(i)); i++)
		known[n++] = p->flag;
	near = suggest(word, known);
	fprintf(stderr, "cmp-pattern: unknown flag '%s'", arg);
	if (near)
		fprintf(stderr, ", did you mean '--%s'?\n", near);
	else
		fprintf(stderr, ", --help lists what there is\n");
	return EXIT_BAD_INPUT;
}

/* --- what is asked for --- */

struct show {
	const struct pattern **patterns; /* to be shown, in order */
	size_t n;
	uint64_t seed; /* 0 = any */
	double speed;
	bool help;

	FILE *out;
	struct tint *tint; /* NULL: there are no colours */
};

static int parse_seed(const char *text, struct show *show)
{
	char *end;

	errno = 0;
	show->seed = strtoull(text, &end, 10);
	if (strspn(text, "0123456789") == strlen(text) && *text && !errno &&
	    show->seed > 0)
		return EXIT_OK;
	fprintf(stderr, "cmp-pattern: --seed=%s: allowed 1..%" PRIu64 "\n",
	        text, UINT64_MAX);
	return EXIT_BAD_INPUT;
}

static int parse_speed(const char *text, struct show *show)
{
	char *end;

	show->speed = strtod(text, &end);
	if (strspn(text, "0123456789.") == strlen(text) && *text && !*end &&
	    show->speed >= CMP_SPEED_MIN && show->speed <= CMP_SPEED_MAX)
		return EXIT_OK;
	fprintf(stderr, "cmp-pattern: --speed=%s: allowed %g..%g\n", text,
	        CMP_SPEED_MIN, CMP_SPEED_MAX);
	return EXIT_BAD_INPUT;
}

/* What stands after --name, in the same argument or the next, goes to parse().
 * Returns -1 when this is not --name; else the exit status. */
static int take_value(char **args, int *i, const char *name,
                      int (*parse)(const char *text, struct show *show),
                      struct show *show)
{
	const char *rest = args[*i] + strlen("--");
	size_t n = strlen(name);

	if (strncmp(args[*i], "--", 2) != 0 || strncmp(rest, name, n) != 0 ||
	    (rest[n] && rest[n] != '='))
		return -1;
	if (rest[n] == '=')
		return parse(rest + n + 1, show);
	if (!args[*i + 1]) {
		fprintf(stderr, "cmp-pattern: --%s needs a number\n", name);
		return EXIT_BAD_INPUT;
	}
	return parse(args[++*i], show);
}

static void add_pattern(const struct pattern *p, void *arg)
{
	struct show *show = arg;

	show->patterns[show->n++] = p;
}

static int parse_arg(char **args, int *i, struct show *show)
{
	const struct pattern *p;
	int status = take_value(args, i, "seed", parse_seed, show);

	if (status < 0)
		status = take_value(args, i, "speed", parse_speed, show);
	if (status >= 0)
		return status;
	if (strcmp(args[*i], "--help") == 0)
		show->help = true;
	else if (strcmp(args[*i], "--all") == 0)
		visit_all(NULL, add_pattern, show);
	else if (strncmp(args[*i], "--", 2) == 0 &&
	         (p = find_flag(args[*i] + 2)))
		add_pattern(p, show);
	else
		return complain_unknown(args[*i]);
	return EXIT_OK;
}

static int parse_args(char **args, struct show *show)
{
	int status = EXIT_OK;

	for (int i = 1; args[i] && status == EXIT_OK; i++)
		status = parse_arg(args, &i, show);
	return status;
}

/* --- showing --- */

static int show_all(void *arg)
{
	struct show *show = arg;
	int err;

	for (size_t i = 0; i < show->n; i++) {
		const struct pattern *p = show->patterns[i];

		if (show->tint)
			cmp_tint_forget(show->tint);
		fprintf(show->out, "%sRunning %s Pattern Example...\n",
		        i ? "\n" : "", p->title);
		fprintf(show->out, "=== %s Pattern Example ===\n", p->title);
		err = p->demo(show->out);
		if (err) {
			fprintf(stderr, "cmp-pattern: --%s: %s\n", p->flag,
			        strerror(-err));
			return EXIT_FAILED;
		}
	}
	return EXIT_OK;
}

/* A seed short enough to be typed. */
static uint64_t any_seed(void)
{
	uint32_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		seed = (uint32_t)weft_now();
	return (uint64_t)seed + 1;
}

static int run(struct show *show)
{
	int status;

	if (!show->seed) {
		show->seed = any_seed();
		fprintf(stderr,
		        "cmp-pattern: --seed=%" PRIu64
		        " shows the same values again\n",
		        show->seed);
	}
	/* Each line when it happens, into a pipe as well. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	show->out = stdout;
	if (cmp_tint_is_wanted(stdout)) {
		show->out = cmp_tint_open(stdout, &show->tint);
		if (!show->out)
			return -ENOMEM;
	}
	status = cmp_run_paced(show->seed, show->speed, show_all, show);
	if (show->tint && cmp_tint_close(show->out, show->tint))
		status = EXIT_FAILED;
	if (status < 0)
		fprintf(stderr, "cmp-pattern: %s\n", strerror(-status));
	return status;
}

static size_t count_patterns(void)
{
	size_t n = 0;

	while (pattern_at(n))
		n++;
	return n;
}

int main(int argc, char **argv)
{
	struct show show = { .speed = 1 };
	int status;

	/* Each argument may be --all. */
	show.patterns = calloc((size_t)argc * (count_patterns() + 1),
	                       sizeof(const struct pattern *));
	if (!show.patterns) {
		fprintf(stderr, "cmp-pattern: out of memory\n");
		return EXIT_FAILED;
	}
	status = parse_args(argv, &show);
	if (status == EXIT_OK && (show.help || show.n == 0)) {
		print_usage();
		status = show.help ? EXIT_OK : EXIT_FAILED;
	} else if (status == EXIT_OK) {
		status = run(&show);
	}
	free(show.patterns);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "cmp-pattern: cannot write the output\n");
		return EXIT_FAILED;
	}
	return status < 0 ? EXIT_FAILED : status;
}
