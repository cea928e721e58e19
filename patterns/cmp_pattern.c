/* cmp-pattern: shows each pattern at work. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/suggest.h"
#include "kernel/pattern.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT };

/* More flags than there are patterns need not be told apart from none. */
#define FLAGS_MAX 64

static void print_usage(void)
{
	const struct pattern *p;

	puts("Usage: cmp-pattern --PATTERN... [--seed=N]\n\n"
	     "Shows concurrency patterns at work, one after the other.\n\n"
	     "Patterns:");
	for (size_t i = 0; (p = pattern_at(i)); i++)
		printf("  --%-20s %s\n", p->flag, p->summary);
	puts("\nOptions:\n"
	     "  --seed=N               the same random values every time\n"
	     "  --help                 print this");
}

static const struct pattern *find_flag(const char *flag)
{
	const struct pattern *p;

	for (size_t i = 0; (p = pattern_at(i)); i++)
		if (strcmp(p->flag, flag) == 0)
			return p;
	return NULL;
}

static int complain_unknown(const char *arg)
{
	const char *known[FLAGS_MAX + 3] = { "seed", "help" }, *near;
	const struct pattern *p;
	const char *word = arg + strspn(arg, "-");

	for (size_t i = 0; i < FLAGS_MAX && (p = pattern_at(i)); i++)
		known[i + 2] = p->flag;
	near = suggest(word, known);
	fprintf(stderr, "cmp-pattern: unknown flag '%s'", arg);
	if (near)
		fprintf(stderr, ", did you mean '--%s'?\n", near);
	else
		fprintf(stderr, ", --help lists what there is\n");
	return EXIT_BAD_INPUT;
}

static int parse_seed(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (strspn(text, "0123456789") == strlen(text) && *text && !errno &&
	    *out > 0)
		return EXIT_OK;
	fprintf(stderr, "cmp-pattern: --seed=%s: allowed 1..%" PRIu64 "\n",
	        text, UINT64_MAX);
	return EXIT_BAD_INPUT;
}

/* A seed short enough to be typed. */
static uint64_t any_seed(void)
{
	uint32_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		seed = (uint32_t)weft_now();
	return (uint64_t)seed + 1;
}

struct show {
	const struct pattern **patterns; /* to be shown, in order */
	size_t n;
	uint64_t seed; /* 0 = any */
	bool help;
};

/* What stands after --seed, in the same argument or the next. */
static int take_seed(char **args, int *i, struct show *show)
{
	const char *text = args[*i] + strlen("--seed");

	if (*text == '=')
		return parse_seed(text + 1, &show->seed);
	if (!args[*i + 1]) {
		fprintf(stderr, "cmp-pattern: --seed needs a number\n");
		return EXIT_BAD_INPUT;
	}
	return parse_seed(args[++*i], &show->seed);
}

static bool is_seed(const char *arg)
{
	return strcmp(arg, "--seed") == 0 || strncmp(arg, "--seed=", 7) == 0;
}

static int parse_args(char **args, struct show *show)
{
	const struct pattern *p;

	for (int i = 1; args[i]; i++) {
		if (strcmp(args[i], "--help") == 0) {
			show->help = true;
		} else if (is_seed(args[i])) {
			if (take_seed(args, &i, show))
				return EXIT_BAD_INPUT;
		} else if (strncmp(args[i], "--", 2) == 0 &&
		           (p = find_flag(args[i] + 2))) {
			show->patterns[show->n++] = p;
		} else {
			return complain_unknown(args[i]);
		}
	}
	return EXIT_OK;
}

static int show_all(void *arg)
{
	const struct show *show = arg;
	int err;

	for (size_t i = 0; i < show->n; i++) {
		const struct pattern *p = show->patterns[i];

		printf("%sRunning %s Pattern Example...\n", i ? "\n" : "",
		       p->title);
		printf("=== %s Pattern Example ===\n", p->title);
		err = p->demo(stdout);
		if (err) {
			fprintf(stderr, "cmp-pattern: --%s: %s\n", p->flag,
			        strerror(-err));
			return EXIT_FAILED;
		}
	}
	return EXIT_OK;
}

static int run(struct show *show)
{
	struct weft_run_opts opts = { .seed = show->seed };

	if (!opts.seed) {
		opts.seed = any_seed();
		fprintf(stderr,
		        "cmp-pattern: --seed=%" PRIu64
		        " shows the same values again\n",
		        opts.seed);
	}
	/* Each line when it happens, into a pipe as well. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	return weft_run(WEFT_THREADS, &opts, show_all, show);
}

int main(int argc, char **argv)
{
	struct show show = { 0 };
	int status;

	show.patterns =
	        calloc((size_t)argc + 1, sizeof(const struct pattern *));
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
