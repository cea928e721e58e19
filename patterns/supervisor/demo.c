/* The demo: a worker that often fails, and one that starts it again. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "kernel/pattern.h"
#include "supervisor.h"

#define LIFE_MS_MIN 400
#define LIFE_MS_MAX 1600
#define FAILS_PERCENT 60
#define RESTART_MS 500
#define RUN_MS 4000

static int work(void *arg, struct weft_child *self)
{
	FILE *out = arg;
	int64_t ms = LIFE_MS_MIN +
	             (int64_t)(weft_rand() % (LIFE_MS_MAX - LIFE_MS_MIN));
	bool fails = weft_rand() % 100 < FAILS_PERCENT;

	fprintf(out, "Worker: Started\n");
	if (weft_sleep_ctx(weft_child_ctx(self),
	                   weft_deadline_in(ms * WEFT_MS))) {
		fprintf(out, "Worker: Stopped\n");
		return 0;
	}
	fprintf(out, fails ? "Worker: Simulated failure!\n"
	                   : "Worker: Completed work successfully.\n");
	return fails ? -EIO : 0;
}

static void on_event(const struct weft_supervisor_event *e, void *arg)
{
	FILE *out = arg;

	if (e->what == WEFT_EVENT_FAILED)
		fprintf(out, "Supervisor: Worker failed, restarting...\n");
	else if (e->what == WEFT_EVENT_ENDED)
		fprintf(out, "Supervisor: Worker finished\n");
}

static int supervise(struct weft_supervisor *s, FILE *out, uint64_t *restarts)
{
	const struct weft_child_opts worker = {
		.name = "worker", .kind = WEFT_PERMANENT, .fn = work, .arg = out
	};
	struct weft_supervisor_stats stats;
	int err = weft_supervisor_add(s, NULL, &worker);

	if (err)
		return err;
	weft_sleep_until(weft_deadline_in(RUN_MS * WEFT_MS));
	weft_supervisor_stop(s);
	err = weft_supervisor_join(s, WEFT_FOREVER);
	weft_supervisor_stats(s, &stats);
	*restarts = stats.restarts;
	return err == -ECANCELED ? 0 : err;
}

int supervisor_demo(FILE *out)
{
	const struct weft_supervisor_opts opts = {
		.intensity = INFINITY,
		.backoff_min_ns = RESTART_MS * WEFT_MS,
		.backoff_max_ns = RESTART_MS * WEFT_MS,
		.on_event = on_event,
		.event_arg = out,
	};
	struct weft_supervisor *s;
	uint64_t restarts = 0;
	int err = weft_supervisor_new(&s, &opts);

	if (err)
		return err;
	err = supervise(s, out, &restarts);
	weft_supervisor_free(s);
	if (!err)
		fprintf(out,
		        "Supervisor example completed! Worker was restarted "
		        "%" PRIu64 " times.\n",
		        restarts);
	return err;
}
