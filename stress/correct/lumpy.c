/* Once full, it takes nothing more until it is empty again: space comes in
 * lumps, as in a pipe. So its len says nothing about space. */
#include "stress/correct/ring.h"

struct lumpy {
	_Atomic bool locked;
	bool closed, clogged;
	size_t head, len, cap, elem_size;
	uint64_t changes;
	unsigned char buffer[];
};

static void lock(struct lumpy *l)
{
	while (weft_xchg_acquire(&l->locked, true))
		weft_yield();
}

static void unlock(struct lumpy *l)
{
	weft_store_release(&l->locked, false);
}

static int lumpy_create(void **state, const struct weft_chan_config *config)
{
	struct lumpy *l;

	if (config->cap > (SIZE_MAX - sizeof(*l)) / WEFT_ELEM_MAX)
		return -ENOMEM;
	l = calloc(1, sizeof(*l) + config->cap * config->elem_size);
	if (!l)
		return -ENOMEM;
	l->cap = config->cap;
	l->elem_size = config->elem_size;
	*state = l;
	return 0;
}

static unsigned char *at(struct lumpy *l, size_t i)
{
	return l->buffer + (l->head + i) % l->cap * l->elem_size;
}

static int lumpy_try_send(void *state, const void *elem)
{
	struct lumpy *l = state;
	int err = 0;

	lock(l);
	if (l->closed) {
		err = -EPIPE;
	} else if (l->clogged) {
		err = -EAGAIN;
	} else {
		if (l->elem_size)
			memcpy(at(l, l->len), elem, l->elem_size);
		l->len++;
		l->clogged = l->len == l->cap;
		l->changes++;
	}
	unlock(l);
	return err;
}

static int lumpy_try_recv(void *state, void *elem)
{
	struct lumpy *l = state;
	int err = 0;

	lock(l);
	if (l->len > 0) {
		if (l->elem_size)
			memcpy(elem, at(l, 0), l->elem_size);
		l->head = (l->head + 1) % l->cap;
		l->clogged &= --l->len > 0;
		l->changes++;
	} else {
		err = l->closed ? -EPIPE : -EAGAIN;
	}
	unlock(l);
	return err;
}

static int lumpy_close(void *state)
{
	struct lumpy *l = state;
	bool was;

	lock(l);
	was = l->closed;
	l->closed = true;
	l->changes++;
	unlock(l);
	return was ? -EPIPE : 0;
}

static bool lumpy_poll(void *state, char dir, uint64_t *pos)
{
	struct lumpy *l = state;
	bool ready;

	lock(l);
	ready = l->closed || (dir == 's' ? !l->clogged : l->len > 0);
	*pos = l->changes;
	unlock(l);
	return ready;
}

static size_t lumpy_len(const void *state)
{
	struct lumpy *l = (struct lumpy *)(uintptr_t)state;
	size_t len;

	lock(l);
	len = l->len;
	unlock(l);
	return len;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "lumpy",
	.summary = "frees its space all at once",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_TIMEOUT |
	       WEFT_CAN_SELECT,
	.create = lumpy_create,
	.destroy = free,
	.try_send = lumpy_try_send,
	.try_recv = lumpy_try_recv,
	.close = lumpy_close,
	.len = lumpy_len,
	.poll = lumpy_poll
};
