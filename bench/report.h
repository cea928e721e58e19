/* report: how the result of one cell is shown. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "bench/result.h"

/* One JSON object and a newline. */
void report_json(const struct result *r, FILE *to);

/* The same for people, in a few lines. */
void report_text(const struct result *r, FILE *to);

#endif
