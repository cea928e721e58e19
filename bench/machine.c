#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include <weft/atomic.h>
#include <weft/task.h>

#include "base/cpus.h"
#include "base/quota.h"
#include "bench/machine.h"

#define UNKNOWN "unknown"

/*
 * The rest of the first line of `path` that begins with `prefix`, without
 * blanks, '=' and ':' before it and quotes around it. False when there is none.
 */
static bool read_line(const char *path, const char *prefix,
                      char to[MACHINE_TEXT_BYTES])
{
	char line[1024], *value;
	FILE *f = fopen(path, "re");
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = strncmp(line, prefix, strlen(prefix)) == 0;
	fclose(f);
	if (!found)
		return false;
	value = line + strlen(prefix);
	value += strspn(value, " \t=:\"");
	value[strcspn(value, "\"\n")] = '\0';
	snprintf(to, MACHINE_TEXT_BYTES, "%s", value);
	return *to != '\0';
}

static void read_or_unknown(const char *path, const char *prefix,
                            char to[MACHINE_TEXT_BYTES])
{
	if (!read_line(path, prefix, to))
		snprintf(to, MACHINE_TEXT_BYTES, UNKNOWN);
}

/* x86 kernels name the CPU, some others the board. */
static void get_cpu(char to[MACHINE_TEXT_BYTES])
{
	if (!read_line("/proc/cpuinfo", "model name", to) &&
	    !read_line("/proc/cpuinfo", "Hardware", to))
		read_or_unknown("/proc/device-tree/model", "", to);
}

static void get_kernel(char to[MACHINE_TEXT_BYTES])
{
	struct utsname u;

	if (uname(&u) == 0)
		snprintf(to, MACHINE_TEXT_BYTES, "%s %s %s", u.sysname,
		         u.release, u.machine);
	else
		snprintf(to, MACHINE_TEXT_BYTES, UNKNOWN);
}

/* What the CPU itself says, so that it works inside containers too. */
static void get_hypervisor(char to[MACHINE_TEXT_BYTES])
{
#if defined(__x86_64__) || defined(__i386__)
	unsigned a, b, c, d;
	char vendor[13] = "";

	if (!__get_cpuid(1, &a, &b, &c, &d)) {
		snprintf(to, MACHINE_TEXT_BYTES, UNKNOWN);
		return;
	}
	if (!(c & (1u << 31))) {
		snprintf(to, MACHINE_TEXT_BYTES, "none");
		return;
	}
	__cpuid(0x40000000, a, b, c, d);
	memcpy(vendor, &b, 4);
	memcpy(vendor + 4, &c, 4);
	memcpy(vendor + 8, &d, 4);
	snprintf(to, MACHINE_TEXT_BYTES, "%s", *vendor ? vendor : UNKNOWN);
#else
	read_or_unknown("/sys/hypervisor/type", "", to);
#endif
}

/* The eighth number of the first line: user nice system idle iowait irq
 * softirq steal. */
static int64_t get_steal(void)
{
	char text[MACHINE_TEXT_BYTES], *at = text, *end;
	long long n = -1;

	if (!read_line("/proc/stat", "cpu ", text))
		return -1;
	for (int i = 0; i < 8; i++, at = end) {
		n = strtoll(at, &end, 10);
		if (end == at)
			return -1;
	}
	return n;
}

/* The quickest of some rounds: anything slower was disturbed. */
static double get_clock_overhead(void)
{
	enum { ROUNDS = 20, READS = 1000 };
	int64_t best = INT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		int64_t start = weft_now(), end = start;

		for (int i = 0; i < READS; i++)
			end = weft_now();
		best = end - start < best ? end - start : best;
	}
	return (double)best / READS;
}

void machine_get(struct machine *m)
{
	get_cpu(m->cpu);
	m->cpus_online = sysconf(_SC_NPROCESSORS_ONLN);
	m->cpus_allowed = weft_cpus_allowed();
	m->cpu_quota = weft_quota("");
	get_kernel(m->kernel);
	read_or_unknown("/etc/os-release", "PRETTY_NAME", m->os);
	snprintf(m->libc, sizeof(m->libc), "glibc %s", gnu_get_libc_version());
	read_or_unknown("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
	                "", m->governor);
	get_hypervisor(m->hypervisor);
	m->membarrier = weft_barrier_is_asymmetric();
	m->clock_overhead_ns = get_clock_overhead();
	m->steal = get_steal();
}
