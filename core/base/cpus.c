#include "base/cpus.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "base/quota.h"

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

unsigned weft_cpus_allowed(void)
{
	int saved = errno;
	unsigned n = affinity();
	double granted = weft_quota("");

	errno = saved;
	if (granted > 0 && granted < n) {
		n = (unsigned)granted;
		n += n < granted; /* rounded up */
	}
	return n ? n : 1;
}
