/* knobs: the keys of a pattern on a command line, told to people. */
#ifndef BENCH_KNOBS_H
#define BENCH_KNOBS_H

#include "kernel/pattern.h"

/* Print a line for each on stdout: what it is, what is allowed, the default. */
void knobs_print(const struct pattern *pattern);

#endif
