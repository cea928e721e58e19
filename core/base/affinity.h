/* affinity: which CPUs there are to be chosen from. */
#ifndef WEFT_BASE_AFFINITY_H
#define WEFT_BASE_AFFINITY_H

#include <sched.h>

/* The most that are told. */
#define WEFT_CPUS_MAX 1024

/*
 * The CPUs of a mask, in the order in which tasks are
 * best spread over them: the first hardware thread of each core, then the
 * second of each, and so on; in order of number where the system does not tell
 * which of them share a core.
 *
 * root     put before every path that is read; "" for the machine's own.
 * allowed  the mask; NULL for that of the calling thread.
 *
 * Returns how many were written to cpu[]; 0 when the system does not tell, or
 * has more than WEFT_CPUS_MAX. Reads files: not for fast paths.
 */
unsigned weft_cpu_list(const char *root, const cpu_set_t *allowed,
                       unsigned cpu[WEFT_CPUS_MAX]);

#endif
