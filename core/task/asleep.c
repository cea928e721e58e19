/*
 * All tasks are asleep: seeing that nothing can go on in a run any more.
 *
 * The count. A run that wants to know counts its tasks that are awake: those
 * that are not parked without a deadline (in a run with a manual clock, where
 * only a task can move time, not parked at all). A task leaves the count after
 * its permit has become ASLEEP, and the waker that takes the permit from there
 * puts it back in: between being woken and running a task counts as awake. A
 * waker that is a task of the run is awake meanwhile, so the count is 0 only
 * when every task is asleep and nobody is waking one. Fast paths know nothing
 * of it: it changes where a system call is made.
 *
 * The permit says which count, since the run is the one thing that a waker may
 * not ask the record for (see park.c): counts are in a table of the process.
 *
 * From a count of 0 to a verdict. What can still wake somebody is a thread that
 * is no task of the run. There is none if the process has as many threads as
 * the run has tasks; so the two are compared, and as the one is read after the
 * other, with a count before and behind it that is 0 and has not moved. Threads
 * on their way out are in the way for a moment: therefore a few more looks. A
 * task whose thread still runs destructors counts as awake.
 *
 * The thread that made the count 0 looks: a task that has parked, before it
 * sleeps; a thread on its way out; a task that only watches from then on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "task/internal.h"

/* Runs that count at the same time. */
#define COUNTS 64

/* In the low half of a count the tasks awake, above it how often one was added:
 * a number that comes back has not moved. */
#define ONE_MORE ((UINT64_C(1) << 32) + 1)

/* How long, in doubling steps, a look waits for threads on their way out. */
#define NAP_NS (50 * WEFT_US)
#define NAP_MAX_NS (100 * WEFT_MS)
#define LOOKS 110 /* ten seconds */

static struct count {
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t awake;
	_Atomic bool taken;
} counts[COUNTS];

static bool is_counted(const struct weft_task *t)
{
	return t->asleep != PERMIT_PARKED;
}

static struct count *count_of(const struct run *r)
{
	return &counts[r->asleep - PERMIT_ASLEEP];
}

static bool is_zero(uint64_t awake)
{
	return (uint32_t)awake == 0;
}

int weft_asleep_begin(struct run *r, void (*fn)(void *arg), void *arg)
{
	for (uint32_t i = 0; i < COUNTS; i++) {
		bool taken = false;

		if (!weft_cas_acquire(&counts[i].taken, &taken, true))
			continue;
		weft_store_relaxed(&counts[i].awake, ONE_MORE);
		r->asleep = PERMIT_ASLEEP + i;
		r->on_asleep = fn;
		r->on_asleep_arg = arg;
		r->first->asleep = r->asleep;
		return 0;
	}
	return -EAGAIN;
}

void weft_asleep_end(struct run *r)
{
	if (r->asleep != PERMIT_PARKED)
		weft_store_release(&count_of(r)->taken, false);
}

void weft_awake_more(uint32_t asleep)
{
	weft_fetch_add_acq_rel(&counts[asleep - PERMIT_ASLEEP].awake, ONE_MORE);
}

bool weft_awake_less(struct run *r)
{
	uint64_t was = weft_fetch_sub_acq_rel(&count_of(r)->awake, 1u);

	return is_zero(was - 1);
}

/* --- the look --- */

/* In the state of a task that counts: its thread has not passed its last
 * destructor. */
struct census {
	unsigned threads; /* of tasks that have not ended */
	unsigned asleep;  /* such tasks, services left out */
	unsigned awake;
};

static void take_census_of(struct census *c, struct weft_task *t)
{
	uint32_t permit = weft_load_acquire(&t->permit);

	c->threads++;
	if (!is_counted(t))
		return;
	if (permit != t->asleep && permit != PERMIT_MANUAL)
		c->awake++;
	else if (!t->service)
		c->asleep++;
}

/* Tasks that ended are in the list as long as a handle is out. */
static struct census take_census(struct run *r)
{
	struct census c = { 0 };

	pthread_mutex_lock(&r->lock);
	take_census_of(&c, r->first);
	for (struct list *l = r->tasks.next; l != &r->tasks; l = l->next) {
		struct weft_task *t = list_entry(l, struct weft_task, in_run);

		if (!weft_task_has_ended(t))
			take_census_of(&c, t);
	}
	pthread_mutex_unlock(&r->lock);
	return c;
}

/* Threads of the process, from the 20th word of /proc/self/stat, of which the
 * second is in brackets and may have anything in it. 0: unknown. */
static unsigned threads_of_process(void)
{
	int saved = errno, fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	char text[1024], *at;
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	errno = saved;
	text[n > 0 ? n : 0] = '\0';
	at = strrchr(text, ')');
	for (int i = 2; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	return at ? (unsigned)strtoul(at, NULL, 10) : 0;
}

#if defined(__SANITIZE_THREAD__)
#define HAS_SANITIZERS_THREADS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_SANITIZERS_THREADS 1
#endif
#endif

#ifdef HAS_SANITIZERS_THREADS
/* Whether the thread of that number has the common signals blocked, 1 to 15 but
 * for SIGKILL. */
static bool blocks_signals(const char *number)
{
	unsigned long long common = 0x7eff, blocked = 0;
	char line[300];
	FILE *f;

	snprintf(line, sizeof(line), "/proc/self/task/%s/status", number);
	f = fopen(line, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "SigBlk:", 7) == 0)
			blocked = strtoull(line + 7, NULL, 16);
	if (f)
		fclose(f);
	return (blocked & common) == common;
}

/* Those of the thread sanitizer, which wake nobody: one, or two in a forked
 * child. They are known by their signals. */
static unsigned sanitizers_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned n = 0;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			n += blocks_signals(entry->d_name);
	if (dir)
		closedir(dir);
	return n;
}
#else
static unsigned sanitizers_threads(void)
{
	return 0;
}
#endif

/* Whether there is no thread but those of the tasks, and `others`. */
static bool is_closed(const struct census *c, unsigned others)
{
	return threads_of_process() ==
	       c->threads + others + sanitizers_threads();
}

enum sight { WAKEFUL, UNSURE, DEAD };

static enum sight look(struct run *r, unsigned others)
{
	uint64_t before = weft_load_acquire(&count_of(r)->awake);
	struct census c;
	bool closed;

	if (!is_zero(before))
		return WAKEFUL;
	c = take_census(r);
	if (c.awake || !c.asleep)
		return WAKEFUL;
	closed = is_closed(&c, others);
	c = take_census(r);
	if (c.awake || !c.asleep ||
	    weft_load_acquire(&count_of(r)->awake) != before)
		return WAKEFUL;
	return closed ? DEAD : UNSURE;
}

/* Two threads may find it, when one that was unsure still looks. */
static void tell(struct run *r)
{
	if (weft_xchg_relaxed(&r->told, true))
		return;
	r->on_asleep(r->on_asleep_arg);
	abort();
}

/* Pass `ns`; a task that has parked with `permit` can be woken meanwhile. */
static void nap(struct weft_task *parked, uint32_t permit, int64_t ns)
{
	if (parked)
		parked->run->runtime->sleep(
		        parked, permit, weft_deadline_add(clock_mono(), ns));
	else
		weft_nap(ns);
}

static void look_for_long(struct run *r, struct weft_task *parked,
                          uint32_t permit, unsigned others)
{
	enum sight sight = UNSURE;
	int64_t ns = NAP_NS;

	for (int i = 0; i < LOOKS && sight == UNSURE; i++) {
		sight = look(r, others);
		if (sight == DEAD)
			tell(r);
		if (sight == UNSURE)
			nap(parked, permit, ns);
		ns = 2 * ns < NAP_MAX_NS ? 2 * ns : NAP_MAX_NS;
	}
}

void weft_asleep_look(struct weft_task *parked, uint32_t permit)
{
	look_for_long(parked->run, parked, permit, 0);
}

void weft_task_gone(struct weft_task *t)
{
	if (is_counted(t) && weft_awake_less(t->run))
		look_for_long(t->run, NULL, 0, 1);
}

void weft_task_watches(void)
{
	struct weft_task *t = weft_self_or_null();
	struct run *r = t ? t->run : NULL;

	if (!r || !is_counted(t))
		return;
	pthread_mutex_lock(&r->lock);
	t->asleep = PERMIT_PARKED;
	pthread_mutex_unlock(&r->lock);
	if (weft_awake_less(r))
		look_for_long(r, NULL, 0, 0);
}

void weft_asleep_print(void *arg)
{
	(void)arg;
	fprintf(stderr, "weft: all tasks are asleep, and nothing can wake "
	                "one:\n");
	weft_tasks_print(stderr);
}
