/*
 * options: what the command lines of `weft check` and `weft stress` share.
 *
 * Each of these returns 0, or EXIT_BAD_INPUT after one line on stderr
 * that names the value and what is allowed; chosen_settle() also
 * EXIT_FAILED, when there is no process to be had.
 */
#ifndef STRESS_CONFORM_OPTIONS_H
#define STRESS_CONFORM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>

#include "cli/args.h"

/* Which channels a command is to be about. */
struct chosen {
	bool all;
	const char *name; /* --chan */
	const char *path; /* --load */
	const struct weft_chan_impl *one;
};

/* Take an option that is one of --all, --chan and --load. *taken says whether
 * it was. */
int chosen_option(struct chosen *chosen, const struct arg *arg, bool *taken);

/* After all options: exactly one of them, unless `all_is_default`. A shared
 * object is loaded, in a child process first; as conform_run(), the caller must
 * not be a task. */
int chosen_settle(struct chosen *chosen, bool all_is_default);

/* The i-th channel that was chosen; NULL past the last. */
const struct weft_chan_impl *chosen_at(const struct chosen *chosen, size_t i);

/* A random number for a seed that nobody gave; never 0. */
uint64_t random_seed(void);

#endif
