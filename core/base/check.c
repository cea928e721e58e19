#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/atomic.h>

static _Atomic uint64_t check_seed;

void weft_check_seed(uint64_t seed)
{
	weft_store_relaxed(&check_seed, seed);
}

void weft_check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: check failed: %s (seed %" PRIu64 ")\n", file,
	        line, what, weft_load_relaxed(&check_seed));
	abort();
}

void weft_check_op_failed(const char *file, int line, const char *what,
                          intmax_t a, intmax_t b)
{
	fprintf(stderr,
	        "%s:%d: check failed: %s: %jd against %jd (seed %" PRIu64 ")\n",
	        file, line, what, a, b, weft_load_relaxed(&check_seed));
	abort();
}
