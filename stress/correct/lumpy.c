/* Once full, it takes nothing more until it is empty again: space comes in
 * lumps, as in a pipe. So its len says nothing about space. */
#include "core/chan/testing.h"

struct lumpy {
	struct ring ring;
	bool clogged; /* guarded by the ring's lock */
};

static int lumpy_create(void **state, const struct weft_chan_config *config)
{
	struct lumpy *l = ring_new(sizeof(*l), config);

	if (!l)
		return -ENOMEM;
	*state = l;
	return 0;
}

static int push(struct ring *r, const void *elem)
{
	struct lumpy *l = (struct lumpy *)r;

	if (l->clogged)
		return -EAGAIN;
	ring_push(r, elem);
	l->clogged = ring_is_full(r);
	return 0;
}

static void pop(struct ring *r, void *elem)
{
	struct lumpy *l = (struct lumpy *)r;

	ring_pop(r, elem);
	l->clogged &= r->len > 0;
}

static int lumpy_try_send(void *state, const void *elem)
{
	return ring_send_by(state, elem, push);
}

static int lumpy_try_recv(void *state, void *elem)
{
	return ring_recv_by(state, elem, pop);
}

static bool lumpy_poll(void *state, char dir, uint64_t *pos)
{
	struct lumpy *l = state;
	bool ready;

	ring_lock(&l->ring);
	ready = l->ring.closed || (dir == 's' ? !l->clogged : l->ring.len > 0);
	*pos = l->ring.changes;
	ring_unlock(&l->ring);
	return ready;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "lumpy",
	.summary = "frees its space all at once",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_TIMEOUT |
	       WEFT_CAN_SELECT,
	.create = lumpy_create,
	.destroy = ring_destroy,
	.try_send = lumpy_try_send,
	.try_recv = lumpy_try_recv,
	.close = ring_close,
	.len = ring_len,
	.poll = lumpy_poll
};
