/* The front's own record of a channel. */
#ifndef WEFT_CHAN_INTERNAL_H
#define WEFT_CHAN_INTERNAL_H

#include <weft/atomic.h>
#include <weft/chan.h>
#include <weft/chan_impl.h>

#include "task/waitq.h"

struct weft_chan {
	/* Constant once made. */
	const struct weft_chan_impl *impl;
	void *state;
	size_t elem_size;
	size_t cap;
	uint32_t gap; /* pauses between polls of a wait: see spinner.h */
	struct weft_chan_opts opts;

	/* When a receive that waits has to look again although nobody tells
	 * it to: a context that ends by its deadline (core/sync/ctx.c). Set
	 * before the channel is shared; WEFT_FOREVER. */
	int64_t due_ns;

	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t refs;

	struct waitq senders;   /* wait for space */
	struct waitq receivers; /* wait for an element */
};

#define CHAN(name) extern const struct weft_chan_impl weft_chan_impl_##name;
#include "chan/chan.def"
#undef CHAN

#endif
