#include "stress/conform/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <weft/chan_impl.h>
#include <weft/task.h>

#include "stress/conform/supervise.h"

int bad_input(const char *format, ...)
{
	va_list args;

	fputs("weft: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_STATUS_BAD_INPUT;
}

bool option_is(const char *arg, const char *key, const char **value)
{
	size_t n = strlen(key);

	if (strncmp(arg, "--", 2) != 0 || strncmp(arg + 2, key, n) != 0 ||
	    (arg[2 + n] != '=' && arg[2 + n] != '\0'))
		return false;
	*value = arg[2 + n] == '=' ? arg + 2 + n + 1 : NULL;
	return true;
}

int option_text(const char *key, const char *value, const char **out)
{
	if (!value || !*value)
		return bad_input("--%s needs a value, in the form --%s=VALUE",
		                 key, key);
	*out = value;
	return 0;
}

int option_number(const char *key, const char *value, uint64_t min,
                  uint64_t max, uint64_t *out)
{
	unsigned long long n;
	char *end;

	if (option_text(key, value, &value))
		return EXIT_STATUS_BAD_INPUT;
	errno = 0;
	n = strtoull(value, &end, 10);
	/* strtoull() takes blanks and signs, too. */
	if (!isdigit((unsigned char)*value) || *end || errno || n < min ||
	    n > max)
		return bad_input("--%s=%s: must be a whole number from %llu to "
		                 "%llu",
		                 key, value, (unsigned long long)min,
		                 (unsigned long long)max);
	*out = n;
	return 0;
}

int option_seconds(const char *key, const char *value, int64_t *ns)
{
	double seconds;
	char *end;

	if (option_text(key, value, &value))
		return EXIT_STATUS_BAD_INPUT;
	seconds = strtod(value, &end);
	if (!isdigit((unsigned char)*value) || *end || !(seconds >= 0.001) ||
	    !(seconds <= 1e6))
		return bad_input("--%s=%s: must be a number of seconds from "
		                 "0.001 to 1000000",
		                 key, value);
	*ns = (int64_t)(seconds * 1e9);
	return 0;
}

int option_flag(const char *key, const char *value, bool *out)
{
	if (value)
		return bad_input("--%s=%s: --%s takes no value", key, value,
		                 key);
	*out = true;
	return 0;
}

/* --- channels --- */

static int unknown_channel(const char *name)
{
	const struct weft_chan_impl *impl;

	fprintf(stderr, "weft: --chan=%s: no such channel (there are:", name);
	for (size_t i = 0; (impl = weft_chan_impl_at(i)); i++)
		fprintf(stderr, "%s %s", i ? "," : "", impl->name);
	fputs(")\n", stderr);
	return EXIT_STATUS_BAD_INPUT;
}

int chosen_option(struct chosen *chosen, const char *arg, bool *taken)
{
	const char *value;

	*taken = true;
	if (option_is(arg, "all", &value))
		return option_flag("all", value, &chosen->all);
	if (option_is(arg, "chan", &value))
		return option_text("chan", value, &chosen->name);
	if (option_is(arg, "load", &value))
		return option_text("load", value, &chosen->path);
	*taken = false;
	return 0;
}

/* --- loading --- */

#define LOAD_LIMIT (10 * WEFT_SEC)

static int loads(void *arg)
{
	const struct weft_chan_impl *impl;

	/* What is wrong with it otherwise is said later. */
	(void)!weft_chan_load(arg, &impl, NULL, 0);
	return 0;
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
		return EXIT_STATUS_FAILED;
	}
	if (child.end == CHILD_OVERDUE)
		err = bad_input("--load=%s: does not get loaded within %d s",
		                path, (int)(LOAD_LIMIT / WEFT_SEC));
	else if (child.end == CHILD_SIGNAL)
		err = bad_input("--load=%s: kills the process that loads it "
		                "(%s)",
		                path, strsignal(child.status));
	else if (child.status || !child_meant_to_leave(0))
		err = bad_input("--load=%s: ends the process that loads it, "
		                "with exit status %d",
		                path, child.status);
	child_free(&child);
	return err;
}

static int load(struct chosen *chosen)
{
	char why[512];
	int err = try_to_load(chosen->path);

	if (!err &&
	    weft_chan_load(chosen->path, &chosen->one, why, sizeof(why)))
		err = bad_input("--load=%s: %s", chosen->path, why);
	return err;
}

int chosen_settle(struct chosen *chosen, bool all_is_default)
{
	int n = chosen->all + !!chosen->name + !!chosen->path;

	if (n > 1)
		return bad_input("only one of --chan, --load and --all may be "
		                 "given");
	if (n == 0 && !all_is_default)
		return bad_input("which channel? give --chan=NAME, "
		                 "--load=FILE.so or --all");
	if (n == 0)
		chosen->all = true;
	if (chosen->name) {
		chosen->one = weft_chan_impl_find(chosen->name);
		if (!chosen->one)
			return unknown_channel(chosen->name);
	}
	return chosen->path ? load(chosen) : 0;
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
