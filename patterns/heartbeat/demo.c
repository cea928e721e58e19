/* The demo: a worker beats every two seconds, hangs for a while, and goes on.
 * Its colleague leaves, which is no death. */
#include <errno.h>
#include <stdio.h>

#include "kernel/pattern.h"
#include "monitor.h"

#define INTERVAL (2 * WEFT_SEC)
#define TIMEOUT (5 * WEFT_SEC)
#define HANG (7 * WEFT_SEC)
#define BEATS 2

struct worker {
	FILE *out;
	const char *name;
	bool hangs;
	struct weft_heart *heart;
	struct weft_task *task;
};

static void beat_for_a_while(struct worker *w, int beats)
{
	for (int i = 0; i < beats; i++) {
		fprintf(w->out, "%s: alive......\n", w->name);
		weft_heart_beat(w->heart);
		weft_sleep_until(weft_deadline_in(INTERVAL));
	}
}

static int work(void *arg)
{
	struct worker *w = arg;

	beat_for_a_while(w, BEATS);
	fprintf(w->out, "%s: %s\n", w->name, w->hangs ? "hangs" : "is done");
	if (w->hangs) {
		weft_sleep_until(weft_deadline_in(HANG));
		beat_for_a_while(w, 1);
	}
	weft_heart_free(w->heart);
	return 0;
}

/* What the monitor finds, until all have left. */
static int watch(FILE *out, struct weft_monitor *m, int *deaths)
{
	struct weft_heart_report r;
	int err;

	while (!(err = weft_monitor_recv(m, &r, WEFT_FOREVER))) {
		const struct worker *w = r.arg;

		if (r.event == WEFT_HEART_DIED)
			fprintf(out, "Monitor: No heartbeat received! (%s)\n",
			        w->name);
		else
			fprintf(out, "Monitor: %s is alive.......!%s\n",
			        w->name,
			        r.event == WEFT_HEART_REVIVED ? " (again)"
			                                      : "");
		*deaths += r.event == WEFT_HEART_DIED;
	}
	return err == -EPIPE ? 0 : err;
}

static int start(struct worker *w, struct weft_monitor *m)
{
	int err = weft_heart_new(&w->heart, m, w);

	return err ? err : weft_spawn(&w->task, NULL, work, w);
}

static int run(FILE *out, struct weft_monitor *m)
{
	struct worker w[] = { { out, "Worker 1", true, NULL, NULL },
		              { out, "Worker 2", false, NULL, NULL } };
	int deaths = 0, err = 0;

	for (int i = 0; i < 2 && !err; i++)
		err = start(&w[i], m);
	weft_monitor_close(m); /* no more of them */
	if (!err)
		err = watch(out, m, &deaths);
	for (int i = 0; i < 2 && w[i].task; i++)
		weft_join(w[i].task, NULL);
	if (!err)
		fprintf(out,
		        "\nHeartbeat completed! %d silence was noticed, and "
		        "the worker that left is no death.\n",
		        deaths);
	return err;
}

int heartbeat_demo(FILE *out)
{
	const struct weft_monitor_opts opts = { .interval_ns = INTERVAL,
		                                .timeout_ns = TIMEOUT,
		                                .look_ns = INTERVAL / 4,
		                                .tell_beats = 1 };
	struct weft_monitor *m;
	int err;

	fprintf(out,
	        "Starting 2 workers that beat every %d s, and a monitor that "
	        "waits %d s...\n\n",
	        (int)(INTERVAL / WEFT_SEC), (int)(TIMEOUT / WEFT_SEC));
	err = weft_monitor_new(&m, &opts);
	if (err)
		return err;
	err = run(out, m);
	weft_monitor_free(m);
	return err;
}
