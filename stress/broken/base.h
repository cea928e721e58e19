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

/* And in each channel at items of its own: two on an item's way must not undo
 * what the other has done. */
#define APART 17

struct ring {
	_Atomic bool locked;

	/* All but the constant ones: guarded by locked. */
	bool closed;
	size_t head;
	_Atomic size_t len; /* also read without the lock, by len() */
	uint64_t pushed;
	uint64_t due;     /* the fault strikes when so many were pushed */
	uint64_t changes; /* grows with each, whatever it makes possible */

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
	if (r->elem_size)
		memcpy(ring_at(r, ring_len(r)), elem, r->elem_size);
	ring_set_len(r, ring_len(r) + 1);
}

/* Whether the item that was just pushed is one for the fault to strike. Where
 * it cannot strike that one, the next one is. */
static inline bool is_due(const struct ring *r)
{
	return r->pushed >= r->due;
}

static inline void has_struck(struct ring *r)
{
	r->due = r->pushed + ONE_IN;
}

static inline int ring_create(void **state,
                              const struct weft_chan_config *config)
{
	static _Atomic unsigned made;
	struct ring *r;

	if (config->cap > (SIZE_MAX - sizeof(*r)) / WEFT_ELEM_MAX)
		return -ENOMEM;
	r = calloc(1, sizeof(*r) + config->cap * config->elem_size);
	if (!r)
		return -ENOMEM;
	r->cap = config->cap;
	r->elem_size = config->elem_size;
	r->due = ONE_IN + weft_fetch_add_relaxed(&made, 1u) * APART % ONE_IN;
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
		r->changes++;
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
		if (r->elem_size)
			memcpy(elem, ring_at(r, 0), r->elem_size);
		r->head = (r->head + 1) % r->cap;
		ring_set_len(r, ring_len(r) - 1);
		r->changes++;
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
	r->changes++;
	ring_unlock(r);
	return was ? -EPIPE : 0;
}

static inline bool ring_poll(void *state, char dir, uint64_t *pos)
{
	struct ring *r = state;
	bool ready;

	ring_lock(r);
	ready = r->closed || (dir == 's' ? !ring_is_full(r) : ring_len(r) > 0);
	*pos = r->changes;
	ring_unlock(r);
	return ready;
}

static inline size_t ring_length(const void *state)
{
	return ring_len(state);
}

/* What the ring can do and how, for an initializer of weft_chan_impl. */
#define RING_CAN                                                               \
	(WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |           \
	 WEFT_CAN_TIMEOUT | WEFT_CAN_LEN | WEFT_CAN_SELECT)
#define RING_OPS                                                               \
	.create = ring_create, .destroy = ring_destroy,                        \
	.try_send = ring_try_send, .try_recv = ring_try_recv,                  \
	.close = ring_close, .len = ring_length, .poll = ring_poll

#define BROKEN_RING(its_name, its_summary)                                     \
	WEFT_API extern const struct weft_chan_impl weft_chan_impl;            \
	const struct weft_chan_impl weft_chan_impl = {                         \
		WEFT_CHAN_ABI_HEADER, .name = its_name,                        \
		.summary = its_summary, .can = RING_CAN, RING_OPS              \
	}

#endif
