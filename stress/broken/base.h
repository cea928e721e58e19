/*
 * base: what the channels here share. Each is the ring of core/chan/testing.h
 * with one fault, which is in how it pushes, or in what it does beside.
 */
#ifndef STRESS_BROKEN_BASE_H
#define STRESS_BROKEN_BASE_H

#include "core/chan/testing.h"

/* A fault strikes once in so many items: rare, as real ones are. */
#define ONE_IN 1000

/* And in each channel at items of its own: two on an item's way must not undo
 * what the other has done. */
#define APART 17

struct broken {
	struct ring ring;
	uint64_t due; /* the fault strikes when so many were sent */
};

static inline int broken_create(void **state,
                                const struct weft_chan_config *config)
{
	static _Atomic unsigned made;
	struct broken *b = ring_new(sizeof(*b), config);

	if (!b)
		return -ENOMEM;
	b->due = ONE_IN + weft_fetch_add_relaxed(&made, 1u) * APART % ONE_IN;
	*state = b;
	return 0;
}

/* Whether the item that is being pushed is one for the fault to strike. Where
 * cannot strike that one, the next one is. */
static inline bool strikes(struct ring *r, bool can)
{
	struct broken *b = (struct broken *)r;

	if (r->sent < b->due || !can)
		return false;
	b->due = r->sent + ONE_IN;
	return true;
}

/* A plug-in that pushes with `its_push`: ring_push() is without a fault. */
#define BROKEN_RING(its_name, its_summary, its_push)                           \
	static int broken_try_send(void *state, const void *elem)              \
	{                                                                      \
		return ring_send_by(state, elem, its_push);                    \
	}                                                                      \
	PLUG_IN(its_name, its_summary, RING_CAN,                               \
	        RING_OPS_BUT(broken_create, broken_try_send, ring_try_recv))

/* A plug-in with these capabilities and operations. */
#define PLUG_IN(its_name, its_summary, its_can, ...)                           \
	WEFT_API extern const struct weft_chan_impl weft_chan_impl;            \
	const struct weft_chan_impl weft_chan_impl = {                         \
		WEFT_CHAN_ABI_HEADER, .name = its_name,                        \
		.summary = its_summary, .can = its_can, __VA_ARGS__            \
	}

#endif
