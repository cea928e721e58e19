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

/* Two stages of that mode and so many workers. */
static void *make(const struct life_opts *o, enum weft_stage_mode mode,
                  unsigned workers, struct weft_pipeline_opts opts)
{
	const struct weft_stage stage = {
		.fn = pass, .mode = mode, .workers = workers, .drop = life_drop
	};
	const struct weft_stage stages[] = { stage, stage };
	struct weft_pipeline *p;

	opts.cap = 2;
	opts.elem_size = sizeof(uint64_t);
	opts.ctx = o->ctx;
	opts.drop = life_drop;
	CHECK_EQ(weft_pipeline_new(&p, stages, 2, &opts), 0);
	return p;
}

static void *make_parallel(const struct life_opts *o)
{
	return make(o, WEFT_STAGE_PARALLEL, 3,
	            (struct weft_pipeline_opts){ .batch = 2 });
}

static void *make_serial(const struct life_opts *o)
{
	return make(
	        o, WEFT_STAGE_SERIAL, 1,
	        (struct weft_pipeline_opts){ .on_error = WEFT_ON_ERROR_DRAIN });
}

static void *make_ordered(const struct life_opts *o)
{
	return make(o, WEFT_STAGE_ORDERED, 3,
	            (struct weft_pipeline_opts){ .batch = 2 });
}

static void *make_with_tokens(const struct life_opts *o)
{
	return make(o, WEFT_STAGE_PARALLEL, 2,
	            (struct weft_pipeline_opts){ .tokens = 3 });
}

/* Unbounded: what is inside is known only by looking. */
static void *make_over_list(const struct life_opts *o)
{
	return make(o, WEFT_STAGE_ORDERED, 2,
	            (struct weft_pipeline_opts){
	                    .impl = weft_chan_impl_find("list"), .tokens = 5 });
}

static int in(void *t, uint64_t item, int64_t deadline_ns)
{
	return weft_pipeline_send(t, &item, deadline_ns);
}

static int out(void *t, uint64_t *item, int64_t deadline_ns)
{
	return weft_pipeline_recv(t, item, deadline_ns);
}

static int close(void *t)
{
	return weft_pipeline_close(t);
}

static int stop(void *t)
{
	return weft_pipeline_stop(t);
}

static int fail_(void *t, int err)
{
	return weft_pipeline_fail(t, err);
}

static int join(void *t, int64_t deadline_ns)
{
	return weft_pipeline_join(t, deadline_ns);
}

static int stats(const void *t, void *figures)
{
	return weft_pipeline_stats(t, 0, figures);
}

static void free_(void *t)
{
	weft_pipeline_free(t);
}

#define ROW(shape)                                                             \
	{                                                                      \
		.name = #shape, .make = make_##shape, .in = in, .out = out,    \
		.close = close, .stop = stop, .fail = fail_, .join = join,     \
		.stats = stats, .free = free_, .senders = 9, .receivers = 9    \
	}

const struct life life_pipeline[] = {
	ROW(parallel),    ROW(serial),    ROW(ordered),
	ROW(with_tokens), ROW(over_list), { .name = NULL },
};
