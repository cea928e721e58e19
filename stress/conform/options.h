/*
 * options: how commands are told which channels they are about.
 *
 * Each of these returns 0, or EXIT_BAD_INPUT after one line on stderr
 * that names the value and what is allowed; load_channel() and chosen_settle()
 * also EXIT_FAILED, when there is no process to be had.
 */
#ifndef STRESS_CONFORM_OPTIONS_H
#define STRESS_CONFORM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>

#include "cli/args.h"

/* The channel in a shared object. It is loaded in a child process first: what
 * the object does while it is loaded and unloaded could end the process, and
 * with any status. As conform_run(), the caller must not be a task. */
int load_channel(const char *path, const struct weft_chan_impl **out);

/* Which channels `weft check` and `weft stress` are to be about. */
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
 * object is loaded: see load_channel(). */
int chosen_settle(struct chosen *chosen, bool all_is_default);

/* The i-th channel that was chosen; NULL past the last. */
const struct weft_chan_impl *chosen_at(const struct chosen *chosen, size_t i);

/* A random number for a seed that nobody gave; never 0. */
uint64_t random_seed(void);

#endif
