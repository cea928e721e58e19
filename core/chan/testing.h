/*
 * testing: a small correct channel for tests, to which they add what they are
 * about.
 *
 * A ring under a lock, without waiting, and made of nothing but the public
 * headers, so that a plug-in can be made of it. How an element gets in and out
 * is the caller's in ring_send_by() and ring_recv_by():
 *
 *	static int push_losing(struct ring *r, const void *elem)
 *	{
 *		return r->sent % 100 == 0 ? 0 : ring_push(r, elem);
 *	}
 *
 *	static int losing_try_send(void *state, const void *elem)
 *	{
 *		return ring_send_by(state, elem, push_losing);
 *	}
 */
#ifndef WEFT_CHAN_TESTING_H
#define WEFT_CHAN_TESTING_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>
#include <weft/task.h>

/* Slots beyond the capacity, for elements that a fault adds or holds back. */
#define RING_SPARE 2

struct ring {
	_Atomic bool locked;

	/* Guarded by locked. */
	bool closed;
	size_t head, len;
	uint64_t sent;    /* ever: sends that found room, the current one too */
	uint64_t changes; /* grows with each, whatever it makes possible */

	size_t cap, slots, elem_size; /* constant */
	unsigned char *buffer;
};

static inline void ring_lock(struct ring *r)
{
	while (weft_xchg_acquire(&r->locked, true))
		weft_yield();
}

static inline void ring_unlock(struct ring *r)
{
	weft_store_release(&r->locked, false);
}

/* --- under the lock --- */

/* The i-th oldest element, or the i-th free slot from `len` on. */
static inline unsigned char *ring_at(struct ring *r, size_t i)
{
	return r->buffer + (r->head + i) % r->slots * r->elem_size;
}

static inline bool ring_is_full(const struct ring *r)
{
	return r->len >= r->cap;
}

static inline void ring_copy(const struct ring *r, void *to, const void *from)
{
	if (r->elem_size)
		memcpy(to, from, r->elem_size);
}

static inline int ring_push(struct ring *r, const void *elem)
{
	ring_copy(r, ring_at(r, r->len++), elem);
	return 0;
}

static inline void ring_pop(struct ring *r, void *elem)
{
	ring_copy(r, elem, ring_at(r, 0));
	r->head = (r->head + 1) % r->slots;
	r->len--;
}

/* --- the operations --- */

/* A zeroed object of `bytes`, the first member of which is a struct ring; NULL
 * without the memory for it. ring_destroy() frees it. */
static inline void *ring_new(size_t bytes,
                             const struct weft_chan_config *config)
{
	struct ring *r;

	if (config->cap > (SIZE_MAX - bytes) / WEFT_ELEM_MAX - RING_SPARE)
		return NULL;
	r = calloc(1, bytes + (config->cap + RING_SPARE) * config->elem_size);
	if (!r)
		return NULL;
	r->cap = config->cap;
	r->slots = config->cap + RING_SPARE;
	r->elem_size = config->elem_size;
	r->buffer = (unsigned char *)r + bytes;
	return r;
}

static inline int ring_create(void **state,
                              const struct weft_chan_config *config)
{
	struct ring *r = ring_new(sizeof(*r), config);

	if (!r)
		return -ENOMEM;
	*state = r;
	return 0;
}

static inline void ring_destroy(void *state)
{
	free(state);
}

/* push is called under the lock, if there is room. An error of its own is that
 * of the call. */
static inline int ring_send_by(struct ring *r, const void *elem,
                               int (*push)(struct ring *r, const void *elem))
{
	int err;

	ring_lock(r);
	if (r->closed) {
		err = -EPIPE;
	} else if (ring_is_full(r)) {
		err = -EAGAIN;
	} else {
		r->sent++;
		err = push(r, elem);
		r->changes += !err;
	}
	ring_unlock(r);
	return err;
}

/* pop is called under the lock, if there is an element. */
static inline int ring_recv_by(struct ring *r, void *elem,
                               void (*pop)(struct ring *r, void *elem))
{
	int err = 0;

	ring_lock(r);
	if (r->len > 0) {
		pop(r, elem);
		r->changes++;
	} else {
		err = r->closed ? -EPIPE : -EAGAIN;
	}
	ring_unlock(r);
	return err;
}

static inline int ring_try_send(void *state, const void *elem)
{
	return ring_send_by(state, elem, ring_push);
}

static inline int ring_try_recv(void *state, void *elem)
{
	return ring_recv_by(state, elem, ring_pop);
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
	ready = r->closed || (dir == 's' ? !ring_is_full(r) : r->len > 0);
	*pos = r->changes;
	ring_unlock(r);
	return ready;
}

/* Never more than the capacity, whatever a fault has put in. */
static inline size_t ring_len(const void *state)
{
	struct ring *r = (struct ring *)(uintptr_t)state;
	size_t len;

	ring_lock(r);
	len = ring_is_full(r) ? r->cap : r->len;
	ring_unlock(r);
	return len;
}

/* --- for an initializer of weft_chan_impl --- */

#define RING_CAN                                                               \
	(WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |           \
	 WEFT_CAN_TIMEOUT | WEFT_CAN_LEN | WEFT_CAN_SELECT)

#define RING_OPS_BUT(its_create, its_try_send, its_try_recv)                   \
	.create = its_create, .destroy = ring_destroy,                         \
	.try_send = its_try_send, .try_recv = its_try_recv,                    \
	.close = ring_close, .len = ring_len, .poll = ring_poll

#define RING_OPS RING_OPS_BUT(ring_create, ring_try_send, ring_try_recv)

#endif
