/* The demo: users and a system that send events, a heartbeat, and one task that
 * handles them all. Some events are queued when the loop is shut down. */
#include <errno.h>
#include <stdio.h>

#include "kernel/pattern.h"
#include "loop.h"

#define RUN_MS 5000
#define BEATS 5

/* What sends events, when, and how long each is worked on. */
struct sender {
	const char *name, *title, *what;
	int events, work_ms;
	int at_ms[8];

	struct demo *d;
	struct weft_loop_source *source;
	struct weft_task *task;
};

struct demo {
	FILE *out;
	int64_t begun_ns;
	struct weft_loop *loop;
	struct weft_loop_timer *heart;
	struct sender timer, sender[2];
	int beats, handled, before; /* before the shutdown */
};

static int process(const struct sender *s, int number)
{
	FILE *out = s->d->out;

	fprintf(out, "Event Loop: Processing %s event: %s (%s_%d)\n", s->name,
	        s->what, s->name, number);
	weft_sleep_until(weft_deadline_in(s->work_ms * WEFT_MS));
	fprintf(out, "  -> %s event processed: %s (%s_%d)\n", s->title, s->what,
	        s->name, number);
	return 0;
}

static int handle(void *arg, void *event)
{
	const struct sender *s = arg;

	s->d->handled++;
	return process(s, *(const int *)event);
}

static int beat(void *arg)
{
	struct demo *d = arg;

	if (++d->beats == BEATS)
		weft_loop_timer_stop(d->heart);
	return process(&d->timer, d->beats);
}

static int send_all(void *arg)
{
	const struct sender *s = arg;
	int err = 0;

	for (int i = 0; i < s->events && !err; i++) {
		int number = i + 1;

		weft_sleep_until(s->d->begun_ns + s->at_ms[i] * WEFT_MS);
		err = weft_loop_send(s->source, &number, WEFT_FOREVER);
	}
	return err;
}

static int run_loop(void *arg)
{
	const struct demo *d = arg;

	fprintf(d->out, "Event loop started...\n");
	return weft_loop_run(d->loop);
}

/* Posted: in the task of the loop, and before what is queued. */
static int hear_of_the_end(void *arg)
{
	struct demo *d = arg;

	fprintf(d->out, "Event Loop: Shutdown signal received, cleaning up..."
	                "\n");
	d->before = d->handled;
	return 0;
}

static int make(struct demo *d)
{
	const struct weft_loop_opts opts = { .cap = 10,
		                             .elem_size = sizeof(int),
		                             .batch = 1,
		                             .post_prio = WEFT_LOOP_PRIO_MAX };
	int err = weft_loop_new(&d->loop, &opts);

	d->timer.d = d;
	for (int i = 0; i < 2 && !err; i++) {
		d->sender[i].d = d;
		err = weft_loop_source_new(&d->sender[i].source, d->loop, 0,
		                           handle, &d->sender[i]);
	}
	if (!err)
		err = weft_loop_timer_new(&d->heart, d->loop, beat, d);
	return err ? err
	           : weft_loop_timer_start(d->heart, d->begun_ns, WEFT_SEC);
}

static int shut_down(struct demo *d)
{
	int err;

	weft_sleep_until(d->begun_ns + RUN_MS * WEFT_MS);
	fprintf(d->out, "\nShutting down event loop...\n");
	err = weft_loop_post(d->loop, hear_of_the_end, d, WEFT_FOREVER);
	return err ? err : weft_loop_close(d->loop);
}

/* All that was begun is ended, whatever failed. */
static int run(struct demo *d)
{
	struct weft_task *loop = NULL;
	int err = weft_spawn(&loop, NULL, run_loop, d), status;

	for (int i = 0; i < 2 && !err; i++)
		err = weft_spawn(&d->sender[i].task, NULL, send_all,
		                 &d->sender[i]);
	if (err)
		weft_loop_fail(d->loop, err);
	for (int i = 0; i < 2; i++)
		if (d->sender[i].task)
			weft_join(d->sender[i].task, NULL);
	if (!err)
		err = shut_down(d);
	if (loop) {
		weft_join(loop, &status);
		err = err ? err : status;
	}
	return err;
}

static void say(const struct demo *d)
{
	struct weft_loop_stats stats;

	weft_loop_stats(d->loop, &stats);
	fprintf(d->out,
	        "Event Loop: queued events: %d handled, %d discarded\n"
	        "Event loop example completed!\n",
	        d->handled - d->before, (int)stats.discarded);
}

int event_loop_demo(FILE *out)
{
	struct demo d = {
		.out = out,
		.begun_ns = weft_now(),
		.timer = { .name = "timer",
		           .title = "Timer",
		           .what = "heartbeat",
		           .work_ms = 50 },
		.sender = { { .name = "user",
		              .title = "User",
		              .what = "login",
		              .work_ms = 100,
		              .events = 8,
		              .at_ms = { 0, 700, 1400, 2100, 2800, 3500, 4850,
		                         4850 } },
		            { .name = "system",
		              .title = "System",
		              .what = "backup",
		              .work_ms = 150,
		              .events = 6,
		              .at_ms = { 200, 1100, 2000, 2900, 3800,
		                         4850 } } },
	};
	int err = make(&d);

	if (!err)
		err = run(&d);
	if (!err)
		say(&d);
	weft_loop_free(d.loop);
	return err;
}
