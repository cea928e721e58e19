/* The life cycle of a mux: see testing/life.h. It closes no channels and comes
 * to its end in order only when all of them are closed, so `close` closes both.
 * As a sender finds a closed output and a receiver a closed input, the shapes
 * that come to an end have one of the two. */
#include <stdlib.h>

#include "mux.h"
#include "testing/life.h"
#include "testing/testing.h"

struct muxed {
	struct weft_mux *m;
	struct weft_chan *c;
};

struct mux_shape {
	const char *impl;
	bool input, output;
};

static void *make(const struct life_opts *o)
{
	const struct mux_shape *shape = o->shape;
	const struct weft_mux_opts mux = { .elem_size = sizeof(uint64_t),
		                           .ctx = o->ctx };
	const struct weft_chan_opts chan = { .drop = life_drop };
	struct muxed *x = malloc(sizeof(*x));

	CHECK(x != NULL);
	LIFE_NEW(weft_mux_new(&x->m, &mux));
	CHECK_EQ(weft_chan_new(&x->c, weft_chan_impl_find(shape->impl), 2,
	                       sizeof(uint64_t), &chan),
	         0);
	if (weft_ctx_err(o->ctx))
		return x; /* takes no ports */
	if (shape->input)
		LIFE_ADD(weft_mux_add(x->m, x->c, WEFT_CASE_RECV, NULL));
	if (shape->output)
		LIFE_ADD(weft_mux_add(x->m, x->c, WEFT_CASE_SEND, NULL));
	return x;
}

static struct weft_mux *mux_of(const void *t)
{
	return t ? ((const struct muxed *)t)->m : NULL;
}

LIFE_CALL(in, (void *t, uint64_t item, int64_t until),
          weft_mux_send(mux_of(t), &item, NULL, until))
LIFE_CALL(out, (void *t, uint64_t *item, int64_t until),
          weft_mux_recv(mux_of(t), item, NULL, until))
LIFE_CALL(stop, (void *t), weft_mux_stop(mux_of(t)))
LIFE_CALL(fail_with, (void *t, int err), weft_mux_fail(mux_of(t), err))
LIFE_CALL(stats, (const void *t, void *figures),
          weft_mux_stats(mux_of(t), figures))

static int close(void *t)
{
	const struct muxed *x = t;
	int err;

	if (!x)
		return weft_mux_close(NULL);
	weft_chan_close(x->c);
	err = weft_mux_close(x->m);
	/* Only a send finds out that an output is closed. */
	CHECK(weft_mux_send(x->m, &(uint64_t){ 0 }, NULL, WEFT_NOW) != 0);
	return err;
}

static void free_mux(void *t)
{
	struct muxed *x = t;

	weft_mux_free(mux_of(t));
	if (x)
		weft_chan_unref(x->c);
	free(x);
}

#define MUX(title, channel, has_input, has_output, ...)                        \
	{                                                                      \
		.name = title,                                                 \
		.shape = &(const struct mux_shape){ channel, has_input,        \
			                            has_output },              \
		.make = make, .stop = stop, .fail = fail_with, .stats = stats, \
		.free = free_mux, .senders = 9, .receivers = 9, __VA_ARGS__    \
	}

const struct life life_mux[] = {
	MUX("mux of both", "handoff", true, true, .in = in, .out = out),
	MUX("mux of an input", "ring", true, false, .out = out, .close = close),
	MUX("mux of an output", "ring", false, true, .in = in, .close = close),
	{ .name = NULL },
};
