/*
 * machine: what a result should say about where it was measured.
 *
 * What cannot be known is "unknown", never a guess.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#define MACHINE_TEXT_BYTES 256

struct machine {
	char cpu[MACHINE_TEXT_BYTES];
	long cpus_online;
	unsigned cpus_allowed;
	double cpu_quota; /* CPUs' worth of time granted; 0 = no limit */
	char kernel[MACHINE_TEXT_BYTES];
	char os[MACHINE_TEXT_BYTES];
	char libc[MACHINE_TEXT_BYTES];
	char governor[MACHINE_TEXT_BYTES];
	char hypervisor[MACHINE_TEXT_BYTES]; /* "none" on bare metal */
	bool membarrier;                     /* weft_barrier_is_asymmetric() */
	double clock_overhead_ns;            /* of one weft_now() */
	int64_t steal; /* jiffies since boot, all CPUs; -1 = unknown */
};

void machine_get(struct machine *m);

#endif
