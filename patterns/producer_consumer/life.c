/* The life cycle of a buffer: see testing/life.h. One that drops never lets a
 * sender wait, so that is tested by itself.
 *
 * E3: a close releases the producers that wait, and lets the consumers take
 * what is left; a_close_releases_whoever_waits and
 * a_close_lets_out_what_is_inside. */
#include "testing/life.h"
#include "buffer.h"
#include "testing/testing.h"

struct shape {
	const char *impl;
	size_t cap;
	bool count;
};

static void *make(const struct life_opts *o)
{
	const struct shape *shape = o->shape;
	struct weft_buffer_opts opts = {
		.impl = weft_chan_impl_find(shape->impl),
		.cap = shape->cap,
		.elem_size = sizeof(uint64_t),
		.ctx = o->ctx,
		.count = shape->count,
		.drop = life_drop,
	};
	struct weft_buffer *b;

	LIFE_NEW(weft_buffer_new(&b, &opts));
	return b;
}

LIFE_SEND_RECV(buffer)
LIFE_CLOSE(buffer)
LIFE_STOP_FAIL_FREE(buffer)
LIFE_STATS(buffer)

#define ROW(title, impl, cap, count)                                           \
	{                                                                      \
		.name = title,                                                 \
		.shape = &(const struct shape){ impl, cap, count },            \
		.make = make, .in = buffer_send, .out = buffer_recv,           \
		.close = buffer_close, .stop = buffer_stop,                    \
		.fail = buffer_fail, .stats = buffer_stats,                    \
		.free = buffer_free, .senders = 9, .receivers = 9,             \
		.needs_peer = (cap) == 0                                       \
	}

const struct life life_buffer[] = {
	ROW("buffer", "handoff", 3, false),
	ROW("buffer that counts", "handoff", 3, true),
	ROW("buffer without capacity", "handoff", 0, false),
	ROW("buffer over ring", "ring", 2, true),
	{ .name = NULL },
};
