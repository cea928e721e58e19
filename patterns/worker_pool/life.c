/*
 * The pool in the life-cycle suite. A job passes its item on to the task that
 * takes it out, by a channel of ours that has no room: so a worker is busy
 * until then.
 */
#include <errno.h>
#include <stdlib.h>

#include <weft/atomic.h>

#include "pool.h"
#include "testing/life.h"
#include "testing/testing.h"

struct works {
	struct weft_pool *p;
	struct weft_chan *out;
	/* Ends with the pool, and with its context: for those at `out`. */
	struct weft_ctx *ctx;
	_Atomic uint64_t jobs; /* submitted and not through, and one until it
	                        * is closed */
};

struct job {
	struct works *works;
	uint64_t item;
};

static struct works *works_of(void *t)
{
	return t;
}

static struct weft_pool *pool_of(const void *t)
{
	return t ? ((const struct works *)t)->p : NULL;
}

static void job_through(struct works *w)
{
	if (weft_fetch_sub_acq_rel(&w->jobs, UINT64_C(1)) == 1)
		weft_chan_close(w->out);
}

static int pass_on(void *arg, unsigned worker)
{
	struct job *job = arg;
	struct works *w = job->works;

	(void)worker;
	if (weft_chan_send_ctx(w->out, &job->item, w->ctx, WEFT_FOREVER))
		life_drop(&job->item, NULL);
	free(job);
	job_through(w);
	return 0;
}

static void drop(void *job_arg, void *drop_arg)
{
	struct job *job = job_arg;

	life_drop(&job->item, drop_arg);
	free(job);
}

static void *make(const struct life_opts *o)
{
	struct weft_pool_opts opts = *(const struct weft_pool_opts *)o->shape;
	struct works *w = calloc(1, sizeof(*w));

	CHECK(w != NULL);
	w->out = testing_chan("handoff", 0, sizeof(uint64_t));
	CHECK_EQ(weft_ctx_with_cancel(&w->ctx, o->ctx), 0);
	weft_store_relaxed(&w->jobs, UINT64_C(1));
	opts.workers = 2;
	opts.drop = drop;
	opts.ctx = o->ctx;
	LIFE_NEW(weft_pool_new(&w->p, &opts));
	return w;
}

static int in(void *t, uint64_t item, int64_t deadline_ns)
{
	struct works *w = t;
	struct job *job;
	int err;

	if (!w)
		return weft_pool_submit(NULL, pass_on, NULL, deadline_ns);
	job = malloc(sizeof(*job));
	if (!job)
		return -ENOMEM;
	*job = (struct job){ w, item };
	weft_fetch_add_relaxed(&w->jobs, UINT64_C(1));
	err = weft_pool_submit(w->p, pass_on, job, deadline_ns);
	if (!err)
		return 0;
	free(job);
	job_through(w);
	return err;
}

static int out(void *t, uint64_t *item, int64_t deadline_ns)
{
	struct works *w = t;
	int err;

	if (!w)
		return weft_pool_join(NULL, deadline_ns);
	err = weft_chan_recv_ctx(w->out, item, w->ctx, deadline_ns);
	if (!err || (err == -ETIMEDOUT && !weft_ctx_err(w->ctx)))
		return err;
	err = weft_pool_join(w->p, WEFT_FOREVER);
	return err ? err : -EPIPE;
}

static int closes(void *t)
{
	int err = weft_pool_close(t ? works_of(t)->p : NULL);

	if (t && !err)
		job_through(t);
	return err;
}

static int stop(void *t)
{
	int err = weft_pool_stop(pool_of(t));

	if (t)
		weft_ctx_cancel(works_of(t)->ctx, 0);
	return err;
}

static int fails(void *t, int err)
{
	int result = weft_pool_fail(pool_of(t), err);

	if (t && !result)
		weft_ctx_cancel(works_of(t)->ctx, 0);
	return result;
}

LIFE_CALL(joins, (void *t, int64_t until), weft_pool_join(pool_of(t), until))
LIFE_CALL(stats, (const void *t, void *to), weft_pool_stats(pool_of(t), to))

static void unmake(void *t)
{
	struct works *w = t;

	if (!w) {
		weft_pool_free(NULL);
		return;
	}
	weft_ctx_cancel(w->ctx, 0);
	weft_pool_free(w->p);
	weft_chan_unref(w->out);
	weft_ctx_unref(w->ctx);
	free(w);
}

#define POOL(title, ...)                                                       \
	{                                                                      \
		.name = title,                                                 \
		.shape = &(const struct weft_pool_opts){ __VA_ARGS__ },        \
		.make = make, .in = in, .out = out, .close = closes,           \
		.stop = stop, .fail = fails, .join = joins, .stats = stats,    \
		.free = unmake, .senders = 9, .receivers = 9                   \
	}

const struct life life_pool[] = {
	POOL("shared", .cap = 2),
	POOL("no queue", .cap = 0),
	POOL("stealing", .deal = WEFT_POOL_STEALING, .cap = 2),
	POOL("classes", .cap = 2, .classes = 2, .share = { 0, 1 }),
	POOL("resizable", .cap = 2, .workers_max = 4),
	{ .name = NULL },
};
