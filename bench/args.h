/* args: what only the commands that measure read of a command line. */
#ifndef BENCH_ARGS_H
#define BENCH_ARGS_H

#include <stdint.h>

#include "cli/args.h"
#include "kernel/pattern.h"

/* The pattern of that name. 0, or EXIT_BAD_INPUT after complaining. */
int arg_pattern(const char *name, const struct pattern **out);

/* Whether a run of that length can end within that limit, 0 being no limit
 * that was given; likewise. */
int arg_timeout_fits(int64_t timeout_ns, const char *key, int64_t time_ns);

#endif
