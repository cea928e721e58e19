/*
 * options: how commands are told which channels they are about.
 *
 * Each of these returns 0, or EXIT_BAD_INPUT after one line on stderr
 * that names the value and what is allowed; load_channel() and chosen_settle()
 * also EXIT_FAILED, for an object that does harm to the process that loads it,
 * and when there is no process to be had.
 */
#ifndef STRESS_CONFORM_OPTIONS_H
#define STRESS_CONFORM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <weft/chan.h>

#include "cli/args.h"
#include "stress/source/source.h"

/* The channel in a shared object, of which there is one at a time. It is loaded
 * in child processes alone (cli/plugin.h): what is returned here can be asked
 * what it declares, and called in those that have loaded it, as child_run() and
 * isolated_measure() see to. `path` must outlive it. As conform_run(), the
 * caller must not be a task. */
int load_channel(const char *path, const struct weft_chan_impl **out);

/* Which channels `weft check` and `weft stress` are to be about. */
struct chosen {
	bool all;
	const char *name; /* --chan */
	const char *path; /* --load */
	const struct weft_chan_impl *one;

	/* Of a path that is that of a source. */
	struct source source;
	bool build_given; /* --build */
	enum build build;
	/* How to repeat a finding, of a build of a source; or NULL. */
	const char *again;
	const char *tally; /* the file for what was done; or NULL */
};

/* Take an option that is one of --all, --chan, --load and --build, or of those
 * that commands give to each other. *taken says whether it was. */
int chosen_option(struct chosen *chosen, const struct arg *arg, bool *taken);

/* Whether argument i of the command line is "--"; then what follows is taken as
 * flags of a compiler. */
bool chosen_flags(struct chosen *chosen, int argc, char **argv, int i);

/* Print the end of a command line: what chooses `impl`, one of those that were
 * chosen. */
void chosen_print(FILE *to, const struct chosen *chosen,
                  const struct weft_chan_impl *impl);

/* What a command has done, for the one that has started it. */
struct covered {
	uint64_t schedules, operations;
	unsigned checks; /* that ran */
	unsigned absent; /* that do not apply */
	unsigned named;  /* that were to run, these included */
};

/* Leave it in the file for that, if there is one. */
void chosen_tally(const struct chosen *chosen, const struct covered *covered);

/* After all options: exactly one of them, unless `all_is_default`. A shared
 * object is loaded: see load_channel(). */
int chosen_settle(struct chosen *chosen, bool all_is_default);

/* The i-th channel that was chosen; NULL past the last. */
const struct weft_chan_impl *chosen_at(const struct chosen *chosen, size_t i);

/* A random number for a seed that nobody gave; never 0. */
uint64_t random_seed(void);

#endif
