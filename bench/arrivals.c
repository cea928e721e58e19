#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/rng.h"
#include "bench/arrivals.h"

const char *const arrivals_names[] = { "fixed", "poisson", NULL };

/* Uniform in (0, 1]: its logarithm exists. */
static double uniform(struct rng *rng)
{
	return (double)((rng_next(rng) >> 11) + 1) * 0x1p-53;
}

int64_t *arrivals_poisson(uint64_t n, double mean_ns, uint64_t seed)
{
	int64_t *due = calloc(n ? n : 1, sizeof(*due));
	struct rng rng;
	double at = 0;

	if (!due)
		return NULL;
	rng_seed(&rng, seed);
	for (uint64_t i = 0; i < n; i++) {
		at -= mean_ns * log(uniform(&rng));
		due[i] = (int64_t)at;
	}
	return due;
}
