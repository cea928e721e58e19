/*
 * base: a small correct channel, to which each file here adds one fault.
 *
 * A ring under a spin lock. Whoever includes this defines fault(), which is
 * called under the lock after every push and may do to the ring what it likes,
 * and describes the channel with BROKEN_RING(name, summary).
 */
#ifndef STRESS_BROKEN_BASE_H
#define STRESS_BROKEN_BASE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>
#include <weft/task.h>

/* A fault strikes once in so many items: rare, as real ones are. */
#define ONE_IN 1000

struct ring {
	_Atomic bool locked;

	/* All but the constant ones: guarded by locked. */
	bool closed;
	size_t head;
	_Atomic size_t len; /* also read without the lock, by len() */
	uint64_t pushed;

	size_t cap, elem_size; /* constant */
	unsigned char buffer[];
};

/* Do what is wrong with this channel. The newest element is at
 * ring_at(r, ring_len(r) - 1). */
static inline void fault(struct ring *r);

static inline void ring_lock(struct ring *r)
{
	bool open = false;

	while (!weft_cas_weak_acquire(&r->locked, &open, true)) {
		open = false;
		weft_yield();
	}
}

static inline void ring_unlock(struct ring *r)
{
	weft_store_release(&r->locked, false);
}

static inline size_t ring_len(const struct ring *r)
{
	return weft_load_relaxed(&r->len);
}

static inline void ring_set_len(struct ring *r, size_t len)
{
	weft_store_relaxed(&r->len, len);
}

/* The i-th oldest element, or the i-th free slot from `len` on. */
static inline unsigned char *ring_at(struct ring *r, size_t i)
{
	return r->buffer + (r->head + i) % r->cap * r->elem_size;
}

static inline bool ring_is_full(const struct ring *r)
{
	return ring_len(r) == r->cap;
}

static inline void ring_push(struct ring *r, const void *elem)
{
	memcpy(ring_at(r, ring_len(r)), elem, r->elem_size);
	ring_set_len(r, ring_len(r) + 1);
}

static inline int ring_create(void **state,
                              const struct weft_chan_config *config)
{
	struct ring *r;

	if (config->cap > (SIZE_MAX - sizeof(*r)) / WEFT_ELEM_MAX)
		return -ENOMEM;
	r = calloc(1, sizeof(*r) + config->cap * config->elem_size);
	if (!r)
		return -ENOMEM;
	r->cap = config->cap;
	r->elem_size = config->elem_size;
	*state = r;
	return 0;
}

static inline void ring_destroy(void *state)
{
	free(state);
}

static inline int ring_try_send(void *state, const void *elem)
{
	struct ring *r = state;
	int err = 0;

	ring_lock(r);
	if (r->closed) {
		err = -EPIPE;
	} else if (ring_is_full(r)) {
		err = -EAGAIN;
	} else {
		ring_push(r, elem);
		r->pushed++;
		fault(r);
	}
	ring_unlock(r);
	return err;
}

static inline int ring_try_recv(void *state, void *elem)
{
	struct ring *r = state;
	int err = 0;

	ring_lock(r);
	if (ring_len(r) > 0) {
		memcpy(elem, ring_at(r, 0), r->elem_size);
		r->head = (r->head + 1) % r->cap;
		ring_set_len(r, ring_len(r) - 1);
	} else {
		err = r->closed ? -EPIPE : -EAGAIN;
	}
	ring_unlock(r);
	return err;
}

static inline int ring_close(void *state)
{
	struct ring *r = state;
	bool was;

	ring_lock(r);
	was = r->closed;
	r->closed = true;
	ring_unlock(r);
	return was ? -EPIPE : 0;
}

static inline size_t ring_length(const void *state)
{
	return ring_len(state);
}

/* What the ring can do and how, for an initializer of weft_chan_impl. */
#define RING_CAN                                                               \
	(WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |           \
	 WEFT_CAN_TIMEOUT | WEFT_CAN_LEN)
#define RING_OPS                                                               \
	.create = ring_create, .destroy = ring_destroy,                        \
	.try_send = ring_try_send, .try_recv = ring_try_recv,                  \
	.close = ring_close, .len = ring_length

#define BROKEN_RING(its_name, its_summary)                                     \
	WEFT_API extern const struct weft_chan_impl weft_chan_impl;            \
	const struct weft_chan_impl weft_chan_impl = {                         \
		WEFT_CHAN_ABI_HEADER, .name = its_name,                        \
		.summary = its_summary, .can = RING_CAN, RING_OPS              \
	}

#endif
