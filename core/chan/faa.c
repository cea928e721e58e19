/*
 * faa: one fetch-and-add per call and nothing else; after the "faa" entry of
 * Yang and Mellor-Crummey's fast-wait-free-queue benchmark. No queue whose
 * senders and receivers each share one counter can be faster, so this is the
 * ceiling for those.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chan/internal.h"

struct faa {
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t tail;
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t head;
	_Alignas(WEFT_CACHE_LINE) _Atomic uint32_t closed; /* written once */
	size_t elem_size;
};

static int faa_create(void **state, const struct weft_chan_config *config)
{
	struct faa *q = aligned_alloc(_Alignof(struct faa), sizeof(*q));

	if (!q)
		return -ENOMEM;
	weft_store_relaxed(&q->tail, 0u);
	weft_store_relaxed(&q->head, 0u);
	weft_store_relaxed(&q->closed, 0u);
	q->elem_size = config->elem_size;
	*state = q;
	return 0;
}

static void faa_destroy(void *state)
{
	free(state);
}

static int faa_try_send(void *state, const void *elem)
{
	struct faa *q = state;

	(void)elem;
	if (weft_load_relaxed(&q->closed))
		return -EPIPE;
	weft_fetch_add_acq_rel(&q->tail, 1u);
	return 0;
}

static int faa_try_recv(void *state, void *elem)
{
	struct faa *q = state;

	if (weft_load_relaxed(&q->closed))
		return -EPIPE;
	weft_fetch_add_acq_rel(&q->head, 1u);
	if (q->elem_size)
		memset(elem, 0, q->elem_size);
	return 0;
}

static int faa_close(void *state)
{
	struct faa *q = state;

	return weft_xchg_relaxed(&q->closed, 1u) ? -EPIPE : 0;
}

static size_t faa_len(const void *state)
{
	(void)state;
	return 0;
}

const struct weft_chan_impl weft_chan_impl_faa = {
	WEFT_CHAN_ABI_HEADER,
	.name = "faa",
	.summary =
	        "two fetch-and-adds, no data: the ceiling of shared counters",
	.can = WEFT_CAN_UNBOUNDED | WEFT_NO_DATA,
	.create = faa_create,
	.destroy = faa_destroy,
	.try_send = faa_try_send,
	.try_recv = faa_try_recv,
	.close = faa_close,
	.len = faa_len,
};
