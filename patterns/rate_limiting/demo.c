/* The demo: six requests that wait for a ticker, and ten at once that ask a
 * token bucket. Times are those since it began. */
#include <errno.h>
#include <stdio.h>

#include "kernel/pattern.h"
#include "limiter.h"

#define TICKS 2 /* a second */
#define WAITERS 6
#define TOKENS 3 /* a second */
#define BURST 5
#define ASKERS 10

struct demo {
	FILE *out;
	int64_t begun_ns;
	struct weft_limiter *limiter;
};

struct request {
	const struct demo *d;
	int id;
	struct weft_task *task;
};

/* "Request 1 processed at 00:00:00.500" */
static void say(const struct request *r, const char *who, const char *what)
{
	int ms = (int)((weft_now() - r->d->begun_ns) / WEFT_MS);

	fprintf(r->d->out, "%s %d %s at %02d:%02d:%02d.%03d\n", who, r->id,
	        what, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

static int wait_for_tick(void *arg)
{
	const struct request *r = arg;
	int err = weft_limiter_wait(r->d->limiter, 1, WEFT_FOREVER, NULL);

	if (!err)
		say(r, "Request", "processed");
	return err;
}

static int ask_for_token(void *arg)
{
	const struct request *r = arg;
	int err = weft_limiter_allow(r->d->limiter, 1, NULL);

	if (err && err != -EAGAIN)
		return err;
	say(r, "Token request", err ? "denied" : "granted");
	return 0;
}

/* So many requests at the same time, by a task each. */
static int request(const struct demo *d, int n, weft_task_fn fn)
{
	struct request requests[ASKERS];
	int started = 0, err = 0, status;

	for (; started < n && !err; started += !err) {
		struct request *r = &requests[started];

		*r = (struct request){ .d = d, .id = started + 1 };
		err = weft_spawn(&r->task,
		                 &(struct weft_task_opts){ "request", 0 }, fn,
		                 r);
	}
	for (int i = 0; i < started; i++) {
		weft_join(requests[i].task, &status);
		err = err ? err : status;
	}
	return err;
}

static int show(struct demo *d, const struct weft_limiter_opts *opts, int n,
                weft_task_fn fn)
{
	int err = weft_limiter_new(&d->limiter, opts);

	if (err)
		return err;
	err = request(d, n, fn);
	weft_limiter_free(d->limiter);
	return err;
}

int rate_limiting_demo(FILE *out)
{
	const struct weft_limiter_opts ticker = {
		.kind = WEFT_LIMITER_TICKER,
		.rate = { TICKS, WEFT_SEC },
	};
	const struct weft_limiter_opts bucket = {
		.rate = { TOKENS, WEFT_SEC },
		.burst = BURST,
	};
	struct demo d = { .out = out, .begun_ns = weft_now() };
	int err;

	fprintf(out, "\n1. Fixed rate limiting (%d requests per second):\n",
	        TICKS);
	err = show(&d, &ticker, WAITERS, wait_for_tick);
	if (err)
		return err;
	fprintf(out,
	        "\n2. Token bucket rate limiting (%d tokens per second, burst "
	        "of %d):\n",
	        TOKENS, BURST);
	err = show(&d, &bucket, ASKERS, ask_for_token);
	if (!err)
		fprintf(out, "\nRate Limiting example completed!\n");
	return err;
}
