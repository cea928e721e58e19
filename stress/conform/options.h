/*
 * options: the command lines of `weft check` and `weft stress`.
 *
 * Each of these returns 0, or EXIT_STATUS_BAD_INPUT after one line on stderr
 * that names the value and what is allowed; chosen_settle() also
 * EXIT_STATUS_FAILED, when there is no process to be had.
 */
#ifndef STRESS_CONFORM_OPTIONS_H
#define STRESS_CONFORM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/export.h>

enum {
	EXIT_STATUS_FAILED = 1,
	EXIT_STATUS_BAD_INPUT = 2,
};

WEFT_PRINTF(1, 2) int bad_input(const char *format, ...);

/* Whether `arg` is --key or --key=value; *value is NULL for the former. */
bool option_is(const char *arg, const char *key, const char **value);

int option_text(const char *key, const char *value, const char **out);
int option_number(const char *key, const char *value, uint64_t min,
                  uint64_t max, uint64_t *out);
/* A number of seconds, fractions too, above 0. */
int option_seconds(const char *key, const char *value, int64_t *ns);
int option_flag(const char *key, const char *value, bool *out);

/* Which channels a command is to be about. */
struct chosen {
	bool all;
	const char *name; /* --chan */
	const char *path; /* --load */
	const struct weft_chan_impl *one;
};

/* Take an option that is one of --all, --chan and --load. *taken says whether
 * it was. */
int chosen_option(struct chosen *chosen, const char *arg, bool *taken);

/* After all options: exactly one of them, unless `all_is_default`. A shared
 * object is loaded, in a child process first; as conform_run(), the caller must
 * not be a task. */
int chosen_settle(struct chosen *chosen, bool all_is_default);

/* The i-th channel that was chosen; NULL past the last. */
const struct weft_chan_impl *chosen_at(const struct chosen *chosen, size_t i);

/* A random number for a seed that nobody gave; never 0. */
uint64_t random_seed(void);

#endif
