#include "task/place.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "task/internal.h"

/*
 * One choice of CPUs. A task of a service may spawn another at any time, and so
 * read a choice that has just been replaced: all of them live as long as their
 * run.
 */
struct spread {
	struct spread *before;
	_Atomic unsigned next; /* whose turn it is */
	unsigned n;
	unsigned cpu[];
};

static struct spread *spread_new(const unsigned *cpu, unsigned n)
{
	struct spread *s = malloc(sizeof(*s) + n * sizeof(*cpu));

	if (!s)
		return NULL;
	s->before = NULL;
	s->n = n;
	weft_store_relaxed(&s->next, 0u);
	if (n)
		memcpy(s->cpu, cpu, n * sizeof(*cpu));
	return s;
}

int weft_run_spread(const unsigned *cpu, unsigned n)
{
	struct weft_task *me = weft_self_or_null();
	struct run *r = me ? me->run : NULL;
	struct spread *s;

	if (!r)
		return -EINVAL;
	s = spread_new(cpu, n);
	if (!s)
		return -ENOMEM;
	pthread_mutex_lock(&r->lock);
	s->before = weft_load_relaxed(&r->spread);
	weft_store_release(&r->spread, s); /* [spread] */
	pthread_mutex_unlock(&r->lock);
	weft_cpus_hold(n);
	return 0;
}

int weft_spread_place(struct run *r, bool service, pthread_attr_t *attr)
{
	struct spread *s = weft_load_acquire(&r->spread); /* [spread] */
	cpu_set_t set;
	unsigned turn;

	if (!s || !s->n)
		return 0;
	CPU_ZERO(&set);
	if (service) {
		for (unsigned i = 0; i < s->n; i++)
			CPU_SET(s->cpu[i], &set);
	} else {
		turn = weft_fetch_add_relaxed(&s->next, 1u);
		CPU_SET(s->cpu[turn % s->n], &set);
	}
	return pthread_attr_setaffinity_np(attr, sizeof(set), &set);
}

void weft_spread_end(struct run *r)
{
	struct spread *s = weft_load_relaxed(&r->spread), *before;

	if (s)
		weft_cpus_hold(0);
	for (; s; s = before) {
		before = s->before;
		free(s);
	}
}
