/* The pipeline in the life-cycle suite. */
#include <string.h>

#include "pipeline.h"
#include "testing/life.h"
#include "testing/testing.h"

static int pass(const void *in, void *out, void *arg)
{
	(void)arg;
	memcpy(out, in, sizeof(uint64_t));
	return WEFT_EMIT;
}

struct shape {
	enum weft_stage_mode mode;
	unsigned workers;
	struct weft_pipeline_opts opts;
	const char *impl;
};

/* Two stages, both alike. */
static void *make(const struct life_opts *o)
{
	const struct shape *shape = o->shape;
	const struct weft_stage stage = { .fn = pass,
		                          .mode = shape->mode,
		                          .workers = shape->workers,
		                          .drop = life_drop };
	const struct weft_stage stages[] = { stage, stage };
	struct weft_pipeline_opts opts = shape->opts;
	struct weft_pipeline *p;

	opts.impl = weft_chan_impl_find(shape->impl);
	opts.cap = 2;
	opts.elem_size = sizeof(uint64_t);
	opts.ctx = o->ctx;
	opts.drop = life_drop;
	LIFE_NEW(weft_pipeline_new(&p, stages, 2, &opts));
	return p;
}

LIFE_SEND_RECV(pipeline)
LIFE_CLOSE(pipeline)
LIFE_STOP_FAIL_FREE(pipeline)
LIFE_JOIN(pipeline)
LIFE_CALL(pipeline_stats, (const void *t, void *out),
          weft_pipeline_stats(t, 0, out))

#define ROW(title, mode, workers, impl, ...)                                   \
	{                                                                      \
		.name = title,                                                 \
		.shape = &(const struct shape){ WEFT_STAGE_##mode,             \
			                        workers,                       \
			                        { __VA_ARGS__ },               \
			                        impl },                        \
		.make = make, .in = pipeline_send, .out = pipeline_recv,       \
		.close = pipeline_close, .stop = pipeline_stop,                \
		.fail = pipeline_fail, .join = pipeline_join,                  \
		.stats = pipeline_stats, .free = pipeline_free, .senders = 9,  \
		.receivers = 9                                                 \
	}

const struct life life_pipeline[] = {
	ROW("parallel", PARALLEL, 3, "handoff", .batch = 2),
	ROW("serial", SERIAL, 1, "handoff", .on_error = WEFT_ON_ERROR_DRAIN),
	ROW("ordered", ORDERED, 3, "handoff", .batch = 2),
	ROW("with tokens", PARALLEL, 2, "handoff", .tokens = 3),
	/* Unbounded: what is inside is known only by looking. */
	ROW("over list", ORDERED, 2, "list", .tokens = 5),
	{ .name = NULL },
};
