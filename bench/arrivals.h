/* arrivals: when the items of an open loop come. */
#ifndef BENCH_ARRIVALS_H
#define BENCH_ARRIVALS_H

#include <stdint.h>

enum arrivals {
	ARRIVALS_FIXED,   /* at even distances */
	ARRIVALS_POISSON, /* each independent of the others: in bursts */
};

/* "fixed" or "poisson"; NULL-terminated, in the order of the enum. */
extern const char *const arrivals_names[];

/*
 * When each of n items of a Poisson process is due, in nanoseconds from its
 * beginning, ascending. The distances are exponentially distributed with the
 * given mean; the same seed gives the same times. The caller frees it; NULL
 * when there is no memory.
 */
int64_t *arrivals_poisson(uint64_t n, double mean_ns, uint64_t seed);

#endif
