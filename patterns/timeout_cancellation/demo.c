/* The demo: a context that times out, a channel that does, and a cancel. */
#include <errno.h>
#include <stdio.h>

#include "kernel/pattern.h"
#include "timeout.h"

#define TASK_TIMEOUT_MS 2000
#define TASK_MIN_MS 1000 /* of what the task takes, in steps of 100 */
#define TASK_MAX_MS 4000
#define CHANNEL_TASK_MS 3000
#define CHANNEL_TIMEOUT_MS 1000
#define CANCEL_AFTER_MS 500
#define CANCELLED_TASK_MS 2000

static int64_t in_ms(int64_t ms)
{
	return weft_deadline_in(ms * WEFT_MS);
}

/* --- 1: the caller's context has a deadline --- */

static int task(struct weft_ctx *ctx, const void *request, void *reply,
                void *arg)
{
	int64_t ms = *(const int64_t *)request;

	(void)reply;
	(void)arg;
	return weft_sleep_ctx(ctx, in_ms(ms));
}

static int call_with_context(FILE *out, struct weft_timeout *t,
                             struct weft_ctx *ctx)
{
	int64_t steps = (TASK_MAX_MS - TASK_MIN_MS) / 100;
	int64_t ms = TASK_MIN_MS +
	             (int64_t)(weft_rand() % (uint64_t)(steps + 1)) * 100;
	int err;

	fprintf(out, "Starting long task (will take %d.%ds)...\n",
	        (int)(ms / 1000), (int)(ms / 100 % 10));
	err = weft_timeout_call_ctx(t, &ms, NULL, ctx, WEFT_FOREVER);
	if (err == -ETIMEDOUT)
		fprintf(out, "Task timed out: context deadline exceeded\n");
	else if (!err)
		fprintf(out, "Task completed\n");
	return err == -ETIMEDOUT ? 0 : err;
}

static int show_context_timeout(FILE *out)
{
	const struct weft_timeout_opts opts = { .fn = task,
		                                .request_size =
		                                        sizeof(int64_t) };
	struct weft_timeout *t;
	struct weft_ctx *ctx;
	int err = weft_timeout_new(&t, &opts);

	if (err)
		return err;
	fprintf(out, "\n1. Context-based timeout example:\n");
	err = weft_ctx_with_timeout(&ctx, NULL, TASK_TIMEOUT_MS * WEFT_MS);
	if (!err) {
		err = call_with_context(out, t, ctx);
		weft_ctx_unref(ctx);
	}
	weft_timeout_free(t);
	return err;
}

/* --- 2: the one who waits has a channel for the time, too --- */

struct channel_task {
	struct weft_chan *result;
	struct weft_ctx *ctx;
};

static int send_result(void *arg)
{
	struct channel_task *c = arg;
	int err = weft_sleep_ctx(c->ctx, in_ms(CHANNEL_TASK_MS));

	/* There is room for it, whether anybody still waits or not. */
	return err ? 0 : weft_chan_try_send(c->result, NULL);
}

static int select_with_timeout(FILE *out, struct channel_task *c)
{
	struct weft_chan *timeout;
	struct weft_case cases[2] = { weft_case_recv(c->result, NULL) };
	int err = weft_after(&timeout, in_ms(CHANNEL_TIMEOUT_MS)), k;
	int64_t fired;

	if (err)
		return err;
	cases[1] = weft_case_recv(timeout, &fired);
	k = weft_select(cases, 2, WEFT_FOREVER);
	if (k >= 0)
		fprintf(out, "Channel task %s\n",
		        k == 0 ? "completed" : "timed out");
	weft_chan_unref(timeout);
	return k < 0 ? k : 0;
}

static int show_channel_timeout(FILE *out)
{
	struct channel_task c;
	struct weft_task *t;
	int err;

	fprintf(out, "\n2. Channel-based timeout example:\n");
	err = weft_chan_new(&c.result, weft_chan_impl_find("handoff"), 1, 0,
	                    NULL);
	if (err)
		return err;
	err = weft_ctx_with_cancel(&c.ctx, NULL);
	if (err)
		goto unref_chan;
	err = weft_spawn(&t, NULL, send_result, &c);
	if (!err) {
		err = select_with_timeout(out, &c);
		weft_ctx_cancel(c.ctx, 0);
		weft_join(t, NULL);
	}
	weft_ctx_unref(c.ctx);
unref_chan:
	weft_chan_unref(c.result);
	return err;
}

/* --- 3: somebody else cancels --- */

struct canceller {
	FILE *out;
	struct weft_ctx *ctx;
};

static int cancel_later(void *arg)
{
	struct canceller *c = arg;

	weft_sleep_until(in_ms(CANCEL_AFTER_MS));
	fprintf(c->out, "Cancelling context...\n");
	return weft_ctx_cancel(c->ctx, 0);
}

static int show_cancellation(FILE *out)
{
	struct canceller c = { .out = out };
	struct weft_task *t;
	int err;

	fprintf(out, "\n3. Context cancellation example:\n");
	err = weft_ctx_with_cancel(&c.ctx, NULL);
	if (err)
		return err;
	err = weft_spawn(&t, NULL, cancel_later, &c);
	if (!err) {
		err = weft_sleep_ctx(c.ctx, in_ms(CANCELLED_TASK_MS));
		weft_join(t, NULL);
		fprintf(out, "%s\n",
		        err == -ECANCELED
		                ? "Context cancelled: context canceled"
		                : "Task completed");
	}
	weft_ctx_unref(c.ctx);
	return err == -ECANCELED ? 0 : err;
}

int timeout_cancellation_demo(FILE *out)
{
	int err = show_context_timeout(out);

	if (!err)
		err = show_channel_timeout(out);
	if (!err)
		err = show_cancellation(out);
	if (!err)
		fprintf(out,
		        "\nTimeouts and Cancellation example completed!\n");
	return err;
}
