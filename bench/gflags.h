/*
 * gflags: Google Benchmark's flags, looked at before it is.
 *
 * To what it cannot make sense of, it says its usage or nothing, and ends the
 * process by abort() or exit(), with 0 as well as with 1. So each flag is taken
 * and checked here, those of the environment included, and what it is given in
 * the end is what passed.
 */
#ifndef BENCH_GFLAGS_H
#define BENCH_GFLAGS_H

#include "cli/args.h"

#define GFLAGS_MAX 20

struct gflags {
	const char *value[GFLAGS_MAX]; /* as in the table; NULL = not given */
};

/* One argument: 0, EXIT_BAD_INPUT after complaining, or 1 when there is no
 * such flag. */
int gflags_take(struct gflags *flags, const struct arg *arg);

/* Those in the environment that no argument has given. 0, or EXIT_BAD_INPUT
 * after complaining. An empty variable is none. */
int gflags_take_environment(struct gflags *flags);

/* The value of a flag that there is; NULL when it was not given. */
const char *gflags_value(const struct gflags *flags, const char *name);

/* All flags, with their dashes, into a list with room for them. Returns how
 * many. */
size_t gflags_options(const char *names[GFLAGS_MAX]);

/*
 * The arguments for Google Benchmark: `name`, the flags, NULL. Returns how
 * many, or -ENOMEM. Whatever is in the environment, it takes no more than
 * these.
 */
int gflags_arguments(const struct gflags *flags, char *name,
                     char *argv[GFLAGS_MAX + 2]);
void gflags_arguments_free(int argc, char **argv);

#endif
