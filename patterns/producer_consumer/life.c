/* The life cycle of a buffer: see testing/life.h. One that drops never lets a
 * sender wait, so that is tested by itself. */
#include "testing/life.h"
#include "buffer.h"
#include "testing/testing.h"

static void *make_with(const struct life_opts *o, const char *impl, size_t cap,
                       bool count)
{
	struct weft_buffer_opts opts = {
		.impl = weft_chan_impl_find(impl),
		.cap = cap,
		.elem_size = sizeof(uint64_t),
		.ctx = o->ctx,
		.count = count,
		.drop = life_drop,
	};
	struct weft_buffer *b;

	CHECK_EQ(weft_buffer_new(&b, &opts), 0);
	return b;
}

static void *make(const struct life_opts *o)
{
	return make_with(o, "handoff", 3, false);
}

static void *make_counting(const struct life_opts *o)
{
	return make_with(o, "handoff", 3, true);
}

static void *make_without_capacity(const struct life_opts *o)
{
	return make_with(o, "handoff", 0, false);
}

static void *make_over_ring(const struct life_opts *o)
{
	return make_with(o, "ring", 2, true);
}

static int in(void *b, uint64_t item, int64_t deadline_ns)
{
	return weft_buffer_send(b, &item, deadline_ns);
}

static int out(void *b, uint64_t *item, int64_t deadline_ns)
{
	return weft_buffer_recv(b, item, deadline_ns);
}

static int close(void *b)
{
	return weft_buffer_close(b);
}

static int stop(void *b)
{
	return weft_buffer_stop(b);
}

static int fail_with(void *b, int err)
{
	return weft_buffer_fail(b, err);
}

static int stats(const void *b, void *out)
{
	return weft_buffer_stats(b, out);
}

static void free_buffer(void *b)
{
	weft_buffer_free(b);
}

#define ROW(row_name, make_fn, rendezvous)                                     \
	{                                                                      \
		.name = (row_name), .make = (make_fn), .in = in, .out = out,   \
		.close = close, .stop = stop, .fail = fail_with,               \
		.stats = stats, .free = free_buffer, .senders = 9,             \
		.receivers = 9, .needs_peer = (rendezvous)                     \
	}

const struct life life_buffer[] = {
	ROW("buffer", make, false),
	ROW("buffer that counts", make_counting, false),
	ROW("buffer without capacity", make_without_capacity, true),
	ROW("buffer over ring", make_over_ring, false),
	{ .name = NULL },
};
