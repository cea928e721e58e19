/* The demo: ten workers, three permits. */
#include <errno.h>
#include <stdio.h>

#include <weft/atomic.h>

#include "kernel/pattern.h"
#include "semaphore.h"

#define PERMITS 3
#define WORKERS 10
#define WORK_MS 2000

struct demo {
	FILE *out;
	struct weft_semaphore *permits;
	_Atomic int inside, most, done;
};

struct worker {
	struct demo *d;
	int id;
	struct weft_task *task;
};

static void note_most(struct demo *d, int inside)
{
	int most = weft_load_relaxed(&d->most);

	while (inside > most && !weft_cas_weak_relaxed(&d->most, &most, inside))
		;
}

static int work(void *arg)
{
	struct worker *w = arg;
	struct demo *d = w->d;
	int err = weft_semaphore_acquire(d->permits, 1, WEFT_FOREVER);

	if (err)
		return err;
	note_most(d, weft_fetch_add_relaxed(&d->inside, 1) + 1);
	fprintf(d->out, "Worker %d acquired a permit\n", w->id);
	weft_sleep_until(weft_deadline_in(WORK_MS * WEFT_MS));
	fprintf(d->out, "Worker %d releases its permit\n", w->id);
	weft_fetch_sub_relaxed(&d->inside, 1);
	weft_fetch_add_relaxed(&d->done, 1);
	return weft_semaphore_release(d->permits, 1);
}

static int run_workers(struct demo *d)
{
	struct worker workers[WORKERS];
	int started = 0, err = 0, status;

	for (; started < WORKERS && !err; started += !err) {
		struct worker *w = &workers[started];

		*w = (struct worker){ .d = d, .id = started + 1 };
		err = weft_spawn(&w->task,
		                 &(struct weft_task_opts){ "worker", 0 }, work,
		                 w);
	}
	for (int i = 0; i < started; i++) {
		weft_join(workers[i].task, &status);
		err = err ? err : status;
	}
	return err;
}

int semaphore_demo(FILE *out)
{
	struct demo d = { .out = out };
	const struct weft_semaphore_opts opts = { .permits = PERMITS };
	int err;

	fprintf(out, "Starting %d workers with %d permits...\n\n", WORKERS,
	        PERMITS);
	err = weft_semaphore_new(&d.permits, &opts);
	if (err)
		return err;
	err = run_workers(&d);
	if (!err)
		fprintf(out,
		        "\nSemaphore completed! %d workers are done, never "
		        "more than %d at a time.\n",
		        weft_load_relaxed(&d.done), weft_load_relaxed(&d.most));
	weft_semaphore_free(d.permits);
	return err;
}
