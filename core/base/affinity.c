#include "base/affinity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* How many of a list such as "0-1,8" are allowed and come before `cpu`. */
static unsigned rank_in(const char *list, unsigned cpu,
                        const cpu_set_t *allowed)
{
	unsigned rank = 0;
	char *end;

	for (;; list = end + 1) {
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (end == list)
			return rank;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first < cpu; first++)
			rank += CPU_ISSET(first, allowed) != 0;
		if (*end != ',')
			return rank;
	}
}

/* Of the allowed CPUs of its core, the how manieth it is. */
static unsigned rank_of(const char *root, unsigned cpu,
                        const cpu_set_t *allowed)
{
	char path[4096], list[4096];
	unsigned rank = 0;
	FILE *file;

	if (snprintf(path, sizeof(path),
	             "%s/sys/devices/system/cpu/cpu%u/topology/"
	             "thread_siblings_list",
	             root, cpu) >= (int)sizeof(path))
		return 0;
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fgets(list, sizeof(list), file))
		rank = rank_in(list, cpu, allowed);
	fclose(file);
	return rank;
}

/* Add those of that rank. Returns how many there are now. */
static unsigned add_rank(const unsigned char *rank_by_cpu, unsigned rank,
                         const cpu_set_t *allowed, unsigned *cpu, unsigned n)
{
	for (unsigned i = 0; i < WEFT_CPUS_MAX; i++)
		if (CPU_ISSET(i, allowed) && rank_by_cpu[i] == rank)
			cpu[n++] = i;
	return n;
}

static unsigned list(const char *root, const cpu_set_t *allowed, unsigned *cpu)
{
	unsigned char rank[WEFT_CPUS_MAX] = { 0 };
	unsigned n = 0, found, wanted = (unsigned)CPU_COUNT(allowed);

	for (unsigned i = 0; i < WEFT_CPUS_MAX; i++)
		if (CPU_ISSET(i, allowed)) {
			found = rank_of(root, i, allowed);
			rank[i] = (unsigned char)(found < 255 ? found : 255);
		}
	for (unsigned r = 0; n < wanted; r++)
		n = add_rank(rank, r, allowed, cpu, n);
	return n;
}

unsigned weft_cpu_list(const char *root, const cpu_set_t *allowed,
                       unsigned cpu[WEFT_CPUS_MAX])
{
	int saved = errno;
	unsigned n = 0;
	cpu_set_t own;

	_Static_assert(WEFT_CPUS_MAX == CPU_SETSIZE, "as many as the mask has");
	/* The kernel refuses a mask shorter than its own. */
	if (allowed || sched_getaffinity(0, sizeof(own), &own) == 0)
		n = list(root, allowed ? allowed : &own, cpu);
	errno = saved;
	return n;
}
