/*
 * gbench: as much of Google Benchmark as `weft bench` needs, for C.
 *
 * Google Benchmark parses its flags, selects, repeats and prints. It neither
 * times nor threads here: every benchmark is one iteration on manual time, and
 * its figures are counters that the kernel's own clock has produced.
 */
#ifndef BENCH_GBENCH_H
#define BENCH_GBENCH_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GBENCH_COUNTERS_MAX 24

struct gbench_counter {
	const char *name;
	double value;
};

/* What one repetition reports. */
struct gbench_outcome {
	const char *error; /* NULL, or why the rest means nothing */
	const char *label; /* what to print beside the figures; or NULL */
	double seconds;    /* what the Time column shows */
	size_t counters;
	struct gbench_counter counter[GBENCH_COUNTERS_MAX];
};

/* Take Google Benchmark's flags out of argv. 0, or -1 after it has named one
 * that it does not know on stderr. */
int gbench_init(int *argc, char **argv);

/* One line of the context that heads every output. */
void gbench_context(const char *key, const char *value);

/* One repetition of a benchmark; *out is all zero. */
typedef void (*gbench_fn)(void *cell, struct gbench_outcome *out);

/* Add a benchmark, to be repeated that often unless a flag says how often. */
void gbench_register(const char *name, int default_repetitions, gbench_fn fn,
                     void *cell);

/* Run what the filter selects. Returns how many benchmarks that are. */
size_t gbench_run(void);

#ifdef __cplusplus
}
#endif

#endif
