#include "stress/conform/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <weft/chan_impl.h>
#include <weft/task.h>

#include "cli/plugin.h"
#include "stress/conform/screen.h"
#include "stress/conform/supervise.h"

int chosen_option(struct chosen *chosen, const struct arg *arg, bool *taken)
{
	*taken = true;
	if (strcmp(arg->key, "all") == 0)
		return arg_flag(arg, &chosen->all);
	if (strcmp(arg->key, "chan") == 0)
		return arg_text(arg, &chosen->name);
	if (strcmp(arg->key, "load") == 0)
		return arg_text(arg, &chosen->path);
	if (strcmp(arg->key, "again") == 0)
		return arg_text(arg, &chosen->again);
	if (strcmp(arg->key, "tally") == 0)
		return arg_text(arg, &chosen->tally);
	if (strcmp(arg->key, "build") == 0) {
		chosen->build_given = true;
		return build_option(arg, &chosen->build);
	}
	*taken = false;
	return 0;
}

bool chosen_flags(struct chosen *chosen, int argc, char **argv, int i)
{
	if (strcmp(argv[i], "--") != 0)
		return false;
	chosen->source.flags = argv + i + 1;
	chosen->source.n_flags = argc - i - 1;
	return true;
}

void chosen_print(FILE *to, const struct chosen *chosen,
                  const struct weft_chan_impl *impl)
{
	if (chosen->again) {
		fputs(chosen->again, to);
		return;
	}
	fputs(chosen->path ? "--load=" : "--chan=", to);
	screen_quote(to, chosen->path ? chosen->path : impl->name);
}

void chosen_tally(const struct chosen *chosen, const struct covered *covered)
{
	FILE *f = chosen->tally ? fopen(chosen->tally, "we") : NULL;

	if (!f)
		return;
	fprintf(f, "%" PRIu64 " %" PRIu64 " %u %u %u\n", covered->schedules,
	        covered->operations, covered->checks, covered->absent,
	        covered->named);
	fclose(f);
}

/* --- loading --- */

#define LOAD_LIMIT (10 * WEFT_SEC)

/* The exit status of a child that was left alone: none that anything else ends
 * a process with. */
#define LOADED 42

struct question {
	const char *path;
	struct plugin_said *said; /* shared with the child */
};

static int asks(void *arg)
{
	const struct question *q = arg;

	plugin_ask(q->path, q->said);
	return LOADED;
}

/* The check that an object must pass before there is a channel to check. */
#define LOADING "it_can_be_loaded"

/* What the object has done to the child, in words. False if nothing. */
static bool did_harm(const struct child *child, char *why, size_t bytes)
{
	if (child->end == CHILD_OVERDUE)
		snprintf(why, bytes, "HUNG: not loaded within %d s",
		         (int)(LOAD_LIMIT / WEFT_SEC));
	else if (child->end == CHILD_SIGNAL)
		snprintf(why, bytes,
		         "CRASHED: kills the process that loads it (%s)",
		         strsignal(child->status));
	else if (child->status != LOADED || !child_meant_to_leave(LOADED))
		snprintf(why, bytes,
		         "FAILED: ends the process that loads it, with exit "
		         "status %d",
		         child->status);
	else
		return false;
	return true;
}

/* Returns 0, or EXIT_FAILED after saying why. */
static int ask(struct question *q)
{
	struct child child;
	char why[256];
	int err = child_run(asks, q, LOAD_LIMIT, NULL, &child);

	if (err) {
		complain("cannot try to load %s: %s", q->path, strerror(-err));
		return EXIT_FAILED;
	}
	if (did_harm(&child, why, sizeof(why))) {
		complain("--load=%s: %s: %s", q->path, LOADING, why);
		err = EXIT_FAILED;
	}
	child_free(&child);
	return err;
}

/* A page or two that the child fills. NULL when there are none to be had. */
static struct plugin_said *said_new(void)
{
	void *at =
	        mmap(NULL, sizeof(struct plugin_said), PROT_READ | PROT_WRITE,
	             MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* A source is compiled as it stands. */
static int compiled(const char **path)
{
	static char object[SOURCE_PATH_BYTES];
	struct source source = { .path = *path };
	int err = source_build(&source, BUILD_PLAIN, object);

	if (!err)
		*path = object;
	return err;
}

int load_channel(const char *path, const struct weft_chan_impl **out)
{
	struct question q = { .path = path, .said = said_new() };
	int err;

	if (!q.said) {
		complain("cannot try to load %s: out of memory", path);
		return EXIT_FAILED;
	}
	plugin_forget();
	err = source_is(path) ? compiled(&q.path) : 0;
	if (!err)
		err = ask(&q);
	if (!err && q.said->err)
		err = complain("--load=%s: %s", path, q.said->why);
	if (!err)
		*out = plugin_adopt(q.path, q.said);
	munmap(q.said, sizeof(*q.said));
	return err;
}

int chosen_settle(struct chosen *chosen, bool all_is_default)
{
	int n = chosen->all + !!chosen->name + !!chosen->path;
	bool of_source = chosen->path && source_is(chosen->path);

	if (n > 1)
		return complain("only one of --chan, --load and --all may be "
		                "given");
	if (!of_source && (chosen->build_given || chosen->source.n_flags))
		return complain("--build and flags behind -- are about a "
		                "source: give --load=FILE.c");
	if (n == 0 && !all_is_default)
		return complain("which channel? give --chan=NAME, "
		                "--load=FILE.so or --all");
	if (n == 0)
		chosen->all = true;
	if (chosen->name)
		return arg_channel(chosen->name, &chosen->one);
	chosen->source.path = chosen->path;
	/* The builds of a source are for other commands to load. */
	if (!chosen->path || of_source)
		return 0;
	return load_channel(chosen->path, &chosen->one);
}

const struct weft_chan_impl *chosen_at(const struct chosen *chosen, size_t i)
{
	if (chosen->all)
		return weft_chan_impl_at(i);
	return i == 0 ? chosen->one : NULL;
}

uint64_t random_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		seed = (uint64_t)weft_now() ^ (uint64_t)getpid();
	/* Short enough to be typed. */
	return (seed & UINT32_MAX) | 1;
}
