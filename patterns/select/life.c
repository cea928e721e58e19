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

static struct muxed *make_of(const struct life_opts *o, const char *impl,
                             bool input, bool output)
{
	const struct weft_mux_opts mux = { .elem_size = sizeof(uint64_t),
		                           .ctx = o->ctx };
	const struct weft_chan_opts chan = { .drop = life_drop };
	struct muxed *x = malloc(sizeof(*x));

	CHECK(x != NULL);
	CHECK_EQ(weft_mux_new(&x->m, &mux), 0);
	CHECK_EQ(weft_chan_new(&x->c, weft_chan_impl_find(impl), 2,
	                       sizeof(uint64_t), &chan),
	         0);
	if (weft_ctx_err(o->ctx))
		return x; /* takes no ports */
	if (input)
		CHECK_EQ(weft_mux_add(x->m, x->c, WEFT_CASE_RECV, NULL), 0);
	if (output)
		CHECK_EQ(weft_mux_add(x->m, x->c, WEFT_CASE_SEND, NULL), 0);
	return x;
}

static void *make_both(const struct life_opts *o)
{
	return make_of(o, "handoff", true, true);
}

static void *make_input(const struct life_opts *o)
{
	return make_of(o, "ring", true, false);
}

static void *make_output(const struct life_opts *o)
{
	return make_of(o, "ring", false, true);
}

static int in(void *t, uint64_t item, int64_t deadline_ns)
{
	const struct muxed *x = t;

	return weft_mux_send(x ? x->m : NULL, &item, NULL, deadline_ns);
}

static int out(void *t, uint64_t *item, int64_t deadline_ns)
{
	const struct muxed *x = t;

	return weft_mux_recv(x ? x->m : NULL, item, NULL, deadline_ns);
}

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

static int stop(void *t)
{
	const struct muxed *x = t;

	return weft_mux_stop(x ? x->m : NULL);
}

static int fail_with(void *t, int err)
{
	const struct muxed *x = t;

	return weft_mux_fail(x ? x->m : NULL, err);
}

static int stats(const void *t, void *out_stats)
{
	const struct muxed *x = t;

	return weft_mux_stats(x ? x->m : NULL, out_stats);
}

static void free_mux(void *t)
{
	struct muxed *x = t;

	weft_mux_free(x ? x->m : NULL);
	if (x)
		weft_chan_unref(x->c);
	free(x);
}

#define COMMON .stop = stop, .fail = fail_with, .stats = stats, .free = free_mux

const struct life life_mux[] = {
	{ .name = "mux of both",
	  .make = make_both,
	  .in = in,
	  .out = out,
	  .senders = 9,
	  .receivers = 9,
	  COMMON },
	{ .name = "mux of an input",
	  .make = make_input,
	  .out = out,
	  .close = close,
	  .receivers = 9,
	  COMMON },
	{ .name = "mux of an output",
	  .make = make_output,
	  .in = in,
	  .close = close,
	  .senders = 9,
	  COMMON },
	{ .name = NULL },
};
