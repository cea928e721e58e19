/* cpus: how many CPUs this process may really use. */
#ifndef WEFT_BASE_CPUS_H
#define WEFT_BASE_CPUS_H

#include <weft/export.h>

/*
 * CPUs allowed by the affinity mask of the calling thread, lowered to what
 * weft_quota() grants, rounded up. At least 1. Reads files: not for fast paths.
 */
unsigned weft_cpus_allowed(void);

#endif
