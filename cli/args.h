/* args: reading command lines and saying what is wrong with them. */
#ifndef WEFT_CLI_ARGS_H
#define WEFT_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/export.h>

/* Exit statuses beside 0. */
#define EXIT_FAILED 1
#define EXIT_BAD_INPUT 2

#define ARG_KEY_BYTES 64

/* --key=value, or --key with value NULL. */
struct arg {
	char key[ARG_KEY_BYTES];
	const char *value;
};

/* Take `text` apart. False when it does not begin with two dashes. */
bool arg_split(const char *text, struct arg *out);

/* Print one line, "weft: ...", on stderr. Returns EXIT_BAD_INPUT. */
WEFT_PRINTF(1, 2) int complain(const char *format, ...);

/*
 * The same about a word that is not in a NULL-terminated list: names the word,
 * the nearest in the list if one is near, and the whole list.
 *
 * what  goes before the word: "no channel"
 */
int complain_unknown(const char *what, const char *word,
                     const char *const *known);

/*
 * An option that the command does not have: complain_unknown() with its dashes.
 *
 * what  "check has no option"
 */
int complain_option(const char *what, const struct arg *arg,
                    const char *const *known);

/* A whole number in [min, max]. 0, or EXIT_BAD_INPUT after complaining. */
int arg_number(const struct arg *arg, uint64_t min, uint64_t max,
               uint64_t *out);

/* A flag without a value. 0, or EXIT_BAD_INPUT after complaining. */
int arg_flag(const struct arg *arg, bool *out);

/* An argument that takes a value has one, likewise. */
int arg_needs_value(const struct arg *arg);

/* A text that is not empty, likewise. */
int arg_text(const struct arg *arg, const char **out);

/* A number of seconds, fractions too, from 0.001 to 1000000. */
int arg_seconds(const struct arg *arg, int64_t *ns);

/* The channel or the peer of that name. 0, or EXIT_BAD_INPUT after complaining.
 */
int arg_channel(const char *name, const struct weft_chan_impl **out);

#endif
