/*
 * null: moves nothing and shares nothing. What a pattern costs over it is what
 * the harness itself costs: the floor under every other figure.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chan/internal.h"

struct null {
	_Alignas(WEFT_CACHE_LINE) _Atomic uint32_t closed; /* written once */
	size_t elem_size;
};

static int null_create(void **state, const struct weft_chan_config *config)
{
	struct null *q = aligned_alloc(_Alignof(struct null), sizeof(*q));

	if (!q)
		return -ENOMEM;
	weft_store_relaxed(&q->closed, 0u);
	q->elem_size = config->elem_size;
	*state = q;
	return 0;
}

static void null_destroy(void *state)
{
	free(state);
}

static int null_try_send(void *state, const void *elem)
{
	struct null *q = state;

	(void)elem;
	return weft_load_relaxed(&q->closed) ? -EPIPE : 0;
}

static int null_try_recv(void *state, void *elem)
{
	struct null *q = state;

	if (weft_load_relaxed(&q->closed))
		return -EPIPE;
	if (q->elem_size)
		memset(elem, 0, q->elem_size);
	return 0;
}

static int null_close(void *state)
{
	struct null *q = state;

	return weft_xchg_relaxed(&q->closed, 1u) ? -EPIPE : 0;
}

static size_t null_len(const void *state)
{
	(void)state;
	return 0;
}

const struct weft_chan_impl weft_chan_impl_null = {
	WEFT_CHAN_ABI_HEADER,
	.name = "null",
	.summary = "moves nothing: the floor that the harness itself costs",
	.can = WEFT_CAN_UNBOUNDED | WEFT_NO_DATA,
	.create = null_create,
	.destroy = null_destroy,
	.try_send = null_try_send,
	.try_recv = null_try_recv,
	.close = null_close,
	.len = null_len,
};
