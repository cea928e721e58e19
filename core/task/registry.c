/*
 * Every task record of the process.
 *
 * Records are recycled and never freed: weft_unpark() may touch one after its
 * task has ended, because a waker lets go of the queue before it wakes. An
 * unpark that comes too late gives a stray permit to the task that has the
 * record by then, and a stray permit is something every waiter must live with.
 *
 * A lock of its own, held for list operations only, lets a watchdog walk the
 * records while everything else hangs.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cacheline.h"
#include "base/clock.h"
#include "base/cpus.h"
#include "task/internal.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list in_use = { &in_use, &in_use };
static struct list spare = { &spare, &spare };
static size_t records; /* ever made; guarded by the lock */

static _Atomic unsigned cpus, cpus_held;

static struct weft_task *record_new(void)
{
	struct weft_task *t = cacheline_new(1, sizeof(*t));

	if (!t)
		return NULL;
	list_init(&t->in_registry);
	records++;
	return t;
}

/* A permit left over from the last owner is taken away; a late unpark may still
 * bring another at any time. */
static void record_reset(struct weft_task *t, const char *name)
{
	weft_store_relaxed(&t->permit, (uint32_t)PERMIT_NONE);
	t->run = NULL;
	t->exit_point = NULL;
	t->asleep = PERMIT_PARKED;
	t->rng = (struct rng){ { 0 } }; /* for its new owner to seed */
	t->yields = 0;
	t->yield_ban = 0;
	t->company = 0;
	t->wait_end = 0;
	t->futile = 0;
	t->fn = NULL;
	t->arg = NULL;
	t->status = 0;
	weft_store_relaxed(&t->waits_for, NULL);
	weft_store_relaxed(&t->waits_on, NULL);
	weft_store_relaxed(&t->waits_since, clock_mono());
	weft_store_relaxed(&t->parks, 0u);
	weft_store_relaxed(&t->wakes, 0u);
	weft_store_relaxed(&t->joiner, NULL);
	list_init(&t->in_run);
	list_init(&t->in_sleepers);
	t->joinable = false;
	t->accounted = false;
	t->service = false;
	strncpy(t->name, name ? name : "task", TASK_NAME_BYTES - 1);
	t->name[TASK_NAME_BYTES - 1] = '\0';
}

struct weft_task *weft_task_record_get(const char *name)
{
	struct list *node;
	struct weft_task *t;

	pthread_mutex_lock(&lock);
	node = list_pop(&spare);
	t = node ? list_entry(node, struct weft_task, in_registry)
	         : record_new();
	if (t) {
		record_reset(t, name);
		t->in_use = true;
		list_push(&in_use, &t->in_registry);
	}
	pthread_mutex_unlock(&lock);
	return t;
}

void weft_task_record_put(struct weft_task *t)
{
	pthread_mutex_lock(&lock);
	t->in_use = false;
	list_unlink(&t->in_registry);
	list_push(&spare, &t->in_registry);
	pthread_mutex_unlock(&lock);
}

size_t weft_task_records(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = records;
	pthread_mutex_unlock(&lock);
	return n;
}

/* The task runs meanwhile. Its clock is read before ours, so that it cannot be
 * ahead, however long ago the printing began. */
static void print_one(FILE *to, const struct weft_task *t)
{
	const char *what = weft_load_acquire(&t->waits_for);
	const void *on = weft_load_relaxed(&t->waits_on);
	int64_t since = weft_load_acquire(&t->waits_since);
	double ms = (double)(clock_mono() - since) / 1e6;

	if (!what)
		fprintf(to, "  task %-20s running\n", t->name);
	else if (!*what)
		fprintf(to, "  task %-20s ended\n", t->name);
	else if (!on)
		fprintf(to, "  task %-20s parked on %s for %.1f ms\n", t->name,
		        what, ms);
	else
		fprintf(to, "  task %-20s parked on %s %p for %.1f ms\n",
		        t->name, what, on, ms);
}

size_t weft_tasks_print(FILE *to)
{
	size_t n = 0;

	pthread_mutex_lock(&lock);
	for (struct list *l = in_use.next; l != &in_use; l = l->next, n++)
		print_one(to, list_entry(l, struct weft_task, in_registry));
	pthread_mutex_unlock(&lock);
	return n;
}

unsigned weft_cpus(void)
{
	unsigned held = weft_load_relaxed(&cpus_held);

	if (held)
		return held;
	if (!weft_load_relaxed(&cpus))
		weft_cpus_refresh();
	return weft_load_relaxed(&cpus);
}

void weft_cpus_refresh(void)
{
	weft_store_relaxed(&cpus, weft_cpus_allowed());
}

void weft_cpus_hold(unsigned n)
{
	weft_store_relaxed(&cpus_held, n);
}
