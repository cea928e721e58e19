/*
 * The life cycle of a timeout: see testing/life.h. What goes in is a request;
 * its function passes it on to whoever takes it out, by a channel of ours that
 * has no room.
 */
#include <errno.h>
#include <stdlib.h>

#include <weft/atomic.h>

#include "testing/life.h"
#include "testing/testing.h"
#include "timeout.h"

struct works {
	struct weft_timeout *t;
	struct weft_chan *out;
	/* Ends with the component, and with its context: for those at `out`. */
	struct weft_ctx *ctx;
	_Atomic uint64_t calls; /* under way, and one until it is closed */
};

static struct weft_timeout *timeout_of(const void *t)
{
	return t ? ((const struct works *)t)->t : NULL;
}

static int pass_on(struct weft_ctx *ctx, const void *request, void *reply,
                   void *arg)
{
	struct works *w = arg;
	uint64_t item = *(const uint64_t *)request;
	int err = weft_chan_send_ctx(w->out, &item, ctx, WEFT_FOREVER);

	(void)reply;
	if (err)
		life_drop(&item, NULL);
	return err;
}

static void *make(const struct life_opts *o)
{
	struct weft_timeout_opts opts =
	        *(const struct weft_timeout_opts *)o->shape;
	struct works *w = calloc(1, sizeof(*w));

	CHECK(w != NULL);
	w->out = testing_chan("handoff", 0, sizeof(uint64_t));
	CHECK_EQ(weft_ctx_with_cancel(&w->ctx, o->ctx), 0);
	weft_store_relaxed(&w->calls, UINT64_C(1));
	opts.fn = pass_on;
	opts.arg = w;
	opts.request_size = sizeof(uint64_t);
	opts.drop_request = life_drop;
	opts.ctx = o->ctx;
	LIFE_NEW(weft_timeout_new(&w->t, &opts));
	return w;
}

static void through(struct works *w)
{
	if (weft_fetch_sub_acq_rel(&w->calls, UINT64_C(1)) == 1)
		weft_chan_close(w->out);
}

static int in(void *t, uint64_t item, int64_t deadline_ns)
{
	struct works *w = t;
	int err;

	if (!w)
		return weft_timeout_call(NULL, &item, NULL, deadline_ns);
	weft_fetch_add_relaxed(&w->calls, UINT64_C(1));
	err = weft_timeout_call(w->t, &item, NULL, deadline_ns);
	through(w);
	return err;
}

static int out(void *t, uint64_t *item, int64_t deadline_ns)
{
	struct works *w = t;
	int err;

	if (!w)
		return weft_timeout_join(NULL, deadline_ns);
	err = weft_chan_recv_ctx(w->out, item, w->ctx, deadline_ns);
	if (!err || (err == -ETIMEDOUT && !weft_ctx_err(w->ctx)))
		return err;
	err = weft_timeout_join(w->t, WEFT_FOREVER);
	return err ? err : -EPIPE;
}

static int closes(void *t)
{
	int err = weft_timeout_close(timeout_of(t));

	if (t && !err)
		through(t);
	return err;
}

static int stop(void *t)
{
	int err = weft_timeout_stop(timeout_of(t));

	if (t)
		weft_ctx_cancel(((struct works *)t)->ctx, 0);
	return err;
}

static int fails(void *t, int err)
{
	int result = weft_timeout_fail(timeout_of(t), err);

	if (t && !result)
		weft_ctx_cancel(((struct works *)t)->ctx, 0);
	return result;
}

LIFE_CALL(joins, (void *t, int64_t until),
          weft_timeout_join(timeout_of(t), until))
LIFE_CALL(stats, (const void *t, void *to),
          weft_timeout_stats(timeout_of(t), to))

static void unmake(void *t)
{
	struct works *w = t;

	if (!w) {
		weft_timeout_free(NULL);
		return;
	}
	weft_ctx_cancel(w->ctx, 0);
	weft_timeout_free(w->t);
	weft_chan_unref(w->out);
	weft_ctx_unref(w->ctx);
	free(w);
}

#define TIMEOUT(title, ...)                                                    \
	{                                                                      \
		.name = title,                                                 \
		.shape = &(const struct weft_timeout_opts){ __VA_ARGS__ },     \
		.make = make, .in = in, .out = out, .close = closes,           \
		.stop = stop, .fail = fails, .join = joins, .stats = stats,    \
		.free = unmake, .senders = 9, .receivers = 9,                  \
		.takes_always = true, .needs_peer = true                       \
	}

const struct life life_timeout[] = {
	TIMEOUT("one task", .workers = 1),
	TIMEOUT("three tasks that park", .workers = 3, .wait = WEFT_WAIT_PARK),
	TIMEOUT("a timeout that never comes", .timeout_ns = INT64_MAX),
	{ .name = NULL },
};
