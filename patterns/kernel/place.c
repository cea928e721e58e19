#include "kernel/place.h"

#include <errno.h>
#include <inttypes.h>

#include "base/affinity.h"
#include "base/check.h"
#include "base/cpus.h"
#include "cli/text.h"
#include "task/place.h"

const char *const kernel_placements[] = { "auto", "free", "same", "apart",
	                                  NULL };

static unsigned tasks_of(const struct params *p)
{
	struct cell_shape shape = params_shape(p);

	return shape.drivers + shape.helpers;
}

static enum placement asked(const struct params *p)
{
	return (enum placement)param_or_0(p, "placement");
}

int place_accepts(const struct params *p, struct text *why)
{
	enum placement wanted = asked(p);
	unsigned cpu[WEFT_CPUS_MAX], n, tasks;

	if (wanted != PLACE_SAME && wanted != PLACE_APART)
		return 0;
	n = weft_cpu_list("", NULL, cpu);
	if (!n) {
		text_add(why,
		         "placement=%s: this system does not tell which CPUs "
		         "there are (allowed: auto, free)",
		         kernel_placements[wanted]);
		return -EINVAL;
	}
	tasks = tasks_of(p);
	if (wanted == PLACE_SAME || n > 1 || tasks < 2)
		return 0;
	text_add(why,
	         "placement=apart: %u tasks cannot be apart on the 1 CPU that "
	         "is allowed (allowed: auto, free, same)",
	         tasks);
	return -EINVAL;
}

/* A quota may grant less than what the tasks would use of their CPUs: then one
 * that has used up its part should not keep its CPU from the others. */
static enum placement choose(const struct params *p)
{
	unsigned cpu[WEFT_CPUS_MAX], n = weft_cpu_list("", NULL, cpu);
	unsigned allowed = weft_cpus_allowed(), tasks = tasks_of(p);

	if (tasks <= allowed && tasks <= n)
		return PLACE_APART;
	return n > 1 && n <= allowed ? PLACE_APART : PLACE_FREE;
}

enum placement place_of(const struct params *p)
{
	enum placement wanted = asked(p);

	/* A pattern of a test may be without the knob. */
	if (pattern_knob(p->pattern, "placement") < 0)
		return PLACE_FREE;
	return wanted == PLACE_AUTO ? choose(p) : wanted;
}

unsigned place_cpus(const struct params *p)
{
	return place_of(p) == PLACE_SAME ? 1 : weft_cpus_allowed();
}

int place_begin(const struct params *p)
{
	enum placement placement = place_of(p);
	unsigned cpu[WEFT_CPUS_MAX], n;

	if (placement == PLACE_FREE)
		return 0;
	n = weft_cpu_list("", NULL, cpu);
	return weft_run_spread(cpu, placement == PLACE_SAME && n ? 1 : n);
}

void place_end(void)
{
	/* Without memory for a new choice the old one stays until the run
	 * ends, and only this cell's own tasks have been spawned by it. */
	(void)weft_run_spread(NULL, 0);
}
