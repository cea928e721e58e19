#include "base/cpus.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned affinity(void)
{
	cpu_set_t set;
	long online;

	/* The kernel refuses a mask shorter than its own: machines with more
	 * than CPU_SETSIZE CPUs fall back to the count of those online. */
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 ? (unsigned)online : 1;
}

/* Up to two numbers from the start of a file. Returns how many there are;
 * "max", which cgroups write for no limit, is none. */
static int numbers_in(const char *path, long long *a, long long *b)
{
	char line[64] = "", *end = line;
	FILE *f = fopen(path, "re");
	int n = 0;

	if (!f)
		return 0;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	*a = strtoll(line, &end, 10);
	n += end != line;
	if (n == 1) {
		char *second = end;

		*b = strtoll(second, &end, 10);
		n += end != second;
	}
	return n;
}

/* CPUs that a quota pays for, rounded up; 0 when there is none. */
static unsigned quota_cpus(long long quota, long long period)
{
	if (quota <= 0 || period <= 0)
		return 0; /* v1 says -1 for no limit */
	return (unsigned)((quota + period - 1) / period);
}

/* Below a cgroup namespace the process sees its own group at the root. */
static unsigned quota(void)
{
	const char *v1_quota = "/sys/fs/cgroup/cpu/cpu.cfs_quota_us";
	const char *v1_period = "/sys/fs/cgroup/cpu/cpu.cfs_period_us";
	long long us = 0, period = 0, unused;

	if (numbers_in("/sys/fs/cgroup/cpu.max", &us, &period) == 2)
		return quota_cpus(us, period);
	if (numbers_in(v1_quota, &us, &unused) &&
	    numbers_in(v1_period, &period, &unused))
		return quota_cpus(us, period);
	return 0;
}

unsigned weft_cpus_allowed(void)
{
	unsigned n = affinity(), q = quota();

	if (q && q < n)
		n = q;
	return n ? n : 1;
}
