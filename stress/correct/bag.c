/*
 * A bag: what went in last comes out first, so it promises no order at all. Its
 * capacity is rounded up to a power of two, and its len is no more than an
 * impression.
 */
#include "core/chan/testing.h"

static size_t round_up(size_t cap)
{
	size_t to = 4;

	while (to < cap)
		to *= 2;
	return to;
}

static int bag_create(void **state, const struct weft_chan_config *config)
{
	struct weft_chan_config rounded = *config;

	if (config->cap > SIZE_MAX / 2 + 1)
		return -ENOMEM;
	rounded.cap = round_up(config->cap);
	return ring_create(state, &rounded);
}

static void pop_last(struct ring *r, void *elem)
{
	ring_copy(r, elem, ring_at(r, --r->len));
}

static int bag_try_recv(void *state, void *elem)
{
	return ring_recv_by(state, elem, pop_last);
}

/* Now the whole of it, and now a half. */
static size_t bag_len(const void *state)
{
	static _Atomic unsigned asked;
	size_t len = ring_len(state);

	return weft_fetch_add_relaxed(&asked, 1u) % 2 ? len / 2 : len;
}

static size_t bag_cap(const void *state)
{
	return ((const struct ring *)state)->cap;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = { WEFT_CHAN_ABI_HEADER,
	                                       .name = "bag",
	                                       .summary = "last in, first out",
	                                       .can = WEFT_CAN_BOUNDED |
	                                              WEFT_CAN_TIMEOUT |
	                                              WEFT_CAN_SELECT,
	                                       .create = bag_create,
	                                       .destroy = ring_destroy,
	                                       .try_send = ring_try_send,
	                                       .try_recv = bag_try_recv,
	                                       .close = ring_close,
	                                       .poll = ring_poll,
	                                       .len = bag_len,
	                                       .cap = bag_cap };
