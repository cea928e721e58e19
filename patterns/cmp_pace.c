#include "cmp_pace.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* How often the machine's clock is followed, and how far the run's is moved in
 * one. */
#define TICK_NS WEFT_MS
#define STEP_NS WEFT_MS

struct pace {
	double speed;
	weft_task_fn fn;
	void *arg;
};

/* The ticks since the last time, after a wait for at least one. 0 or -errno. */
static int await_ticks(int fd, uint64_t *ticks)
{
	int err = weft_wait_fd(fd, POLLIN, NULL, WEFT_FOREVER);

	if (err)
		return err;
	return read(fd, ticks, sizeof(*ticks)) == (ssize_t)sizeof(*ticks)
	               ? 0
	               : -errno;
}

/* All that is due has been done, and the task has ended. */
static bool has_ended(struct weft_task *task, int *status)
{
	return weft_clock_settle() ||
	       weft_join_until(task, status, WEFT_NOW) == 0;
}

/* Move the clock on until the task has ended. */
static int follow(int fd, double speed, struct weft_task *task, int *status)
{
	double due_ns = (double)weft_now();
	uint64_t ticks;
	int err = 0;

	while (!has_ended(task, status)) {
		err = await_ticks(fd, &ticks);
		if (err)
			return err;
		due_ns += (double)ticks * (double)TICK_NS * speed;
		while ((double)weft_now() + (double)STEP_NS <= due_ns) {
			err = weft_clock_advance(STEP_NS);
			if (err || has_ended(task, status))
				return err;
		}
	}
	return 0;
}

static int start_ticks(int fd)
{
	const struct itimerspec every = { { 0, TICK_NS }, { 0, TICK_NS } };

	return timerfd_settime(fd, 0, &every, NULL) ? -errno : 0;
}

static int run(void *arg)
{
	const struct pace *p = arg;
	const struct weft_task_opts opts = { .name = "demo" };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct weft_task *task;
	int err, status = 0;

	if (fd < 0)
		return -errno;
	err = start_ticks(fd);
	if (!err)
		err = weft_spawn(&task, &opts, p->fn, p->arg);
	if (!err)
		err = follow(fd, p->speed, task, &status);
	close(fd);
	return err ? err : status;
}

int cmp_run_paced(uint64_t seed, double speed, weft_task_fn fn, void *arg)
{
	const struct weft_run_opts opts = { .clock = WEFT_CLOCK_MANUAL,
		                            .seed = seed };
	struct pace p = { speed, fn, arg };

	return weft_run(WEFT_THREADS, &opts, run, &p);
}
