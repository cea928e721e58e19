#include "stress/conform/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <weft/chan_impl.h>
#include <weft/task.h>

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
	*taken = false;
	return 0;
}

/* --- loading --- */

#define LOAD_LIMIT (10 * WEFT_SEC)

/* The exit status of a child that was left alone: none that anything else ends
 * a process with. */
#define LOADED 42

static int loads(void *arg)
{
	const struct weft_chan_impl *impl;

	/* What is wrong with it otherwise is said later. */
	(void)!weft_chan_load(arg, &impl, NULL, 0);
	return LOADED;
}

/* What a shared object does by itself while it is loaded and unloaded, it does
 * to a child process first. */
static int try_to_load(const char *path)
{
	struct child child;
	int err = child_run(loads, (void *)(uintptr_t)path, LOAD_LIMIT, NULL,
	                    &child);

	if (err) {
		fprintf(stderr, "weft: cannot try to load %s: %s\n", path,
		        strerror(-err));
		return EXIT_FAILED;
	}
	if (child.end == CHILD_OVERDUE)
		err = complain("--load=%s: does not get loaded within %d s",
		               path, (int)(LOAD_LIMIT / WEFT_SEC));
	else if (child.end == CHILD_SIGNAL)
		err = complain("--load=%s: kills the process that loads it "
		               "(%s)",
		               path, strsignal(child.status));
	else if (child.status != LOADED || !child_meant_to_leave(LOADED))
		err = complain("--load=%s: ends the process that loads it, "
		               "with exit status %d",
		               path, child.status);
	child_free(&child);
	return err;
}

int load_channel(const char *path, const struct weft_chan_impl **out)
{
	char why[512];
	int err = try_to_load(path);

	if (!err && weft_chan_load(path, out, why, sizeof(why)))
		err = complain("--load=%s: %s", path, why);
	return err;
}

int chosen_settle(struct chosen *chosen, bool all_is_default)
{
	int n = chosen->all + !!chosen->name + !!chosen->path;

	if (n > 1)
		return complain("only one of --chan, --load and --all may be "
		                "given");
	if (n == 0 && !all_is_default)
		return complain("which channel? give --chan=NAME, "
		                "--load=FILE.so or --all");
	if (n == 0)
		chosen->all = true;
	if (chosen->name)
		return arg_channel(chosen->name, &chosen->one);
	return chosen->path ? load_channel(chosen->path, &chosen->one) : 0;
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
