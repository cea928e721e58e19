/*
 * gbench: as much of Google Benchmark as `weft bench` needs, for C.
 *
 * Google Benchmark selects, repeats and formats. It neither times nor threads
 * here: every benchmark is one iteration on manual time, and its figures are
 * counters that the kernel's own clock has produced. What it formats is written
 * by us: so that a file that cannot be written is an error, and that JSON can
 * be read whatever is in it and whenever it ends.
 */
#ifndef BENCH_GBENCH_H
#define BENCH_GBENCH_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GBENCH_COUNTERS_MAX 24

/* What one repetition reports. */
struct gbench_outcome {
	const char *error; /* NULL, or why the rest means nothing */
	bool dropped;      /* it was not to be any more: no row for it */
	const char *label; /* what to print beside the figures; or NULL */
	double seconds;    /* what the Time column shows */
	/* In the order of their names; NAN where there is nothing to say. */
	double counter[GBENCH_COUNTERS_MAX];
};

/* One repetition of a benchmark; *out is all zero. */
typedef void (*gbench_fn)(void *cell, struct gbench_outcome *out);

/* Where the reports go. */
struct gbench_output {
	const char *format;      /* on stdout: console, json or csv */
	const char *file;        /* or NULL */
	const char *file_format; /* likewise */
};

/* What came of it. */
struct gbench_end {
	size_t selected; /* benchmarks that the filter lets pass */
	int file_error;  /* 0, or the errno that ended the file's writing */
	int stdout_error;
};

/* Hand over flags that were checked. 0, or -1 after it has named one that it
 * does not know on stderr. */
int gbench_init(int argc, char **argv);

/* The counters that a repetition has; NULL ends the list, which stays. */
void gbench_counters(const char *const *names);

/* One line of the context that heads every output. */
void gbench_context(const char *key, const char *value);

/* Add a benchmark, to be repeated that often, or if 0 as a flag says. */
void gbench_register(const char *name, int repetitions, gbench_fn fn,
                     void *cell);

/*
 * Run what the filter selects. What is written as JSON says that it is partial
 * until all of it is there, and then whether `stopped` said so.
 *
 * An output that fails ends it: what is left comes to `stopped` only, which
 * must then say yes for the rest to be dropped.
 */
struct gbench_end gbench_run(const struct gbench_output *output,
                             bool (*stopped)(void));

/* An output has failed: nobody will read what is measured from here on. */
bool gbench_failed(void);

#ifdef __cplusplus
}
#endif

#endif
