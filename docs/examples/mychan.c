/*
 * mychan: an example of a channel of one's own, for weft to measure and check.
 *
 *	cc -std=c17 -O2 -fPIC -shared $(pkg-config --cflags weft) \
 *		-o mychan.so mychan.c
 *	weft check --load=./mychan.so
 *
 * A ring with two spin locks, one for senders and one for receivers, so that
 * the two sides meet only in the indices (after the two-lock queue of Michael
 * and Scott, PODC 1996). It supplies calls that do not wait; waiting,
 * deadlines, waking on close, batches and select are put around them by weft.
 *
 * Invariants: head and tail count up and never down; elements head..tail-1 are
 * inside, element i in slot i % cap; tail - head <= cap; tail stands still once
 * closed is set.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>
#include <weft/task.h>

struct mychan {
	size_t cap, elem_size; /* constant */

	/* Each side on cache lines of its own. */
	_Alignas(WEFT_CACHE_LINE) _Atomic bool send_lock;
	_Atomic bool closed; /* written under send_lock */
	_Atomic size_t tail; /* written under send_lock */

	_Alignas(WEFT_CACHE_LINE) _Atomic bool recv_lock;
	_Atomic size_t head; /* written under recv_lock */

	_Alignas(WEFT_CACHE_LINE) unsigned char slots[];
};

/* Spins a little, then lets others run: the holder may have lost its CPU. */
static void lock(_Atomic bool *held)
{
	unsigned spins = 0;

	while (weft_xchg_acquire(held, true)) {
		if (++spins < 100)
			weft_relax();
		else
			weft_yield();
	}
}

static void unlock(_Atomic bool *held)
{
	weft_store_release(held, false);
}

static int mychan_create(void **state, const struct weft_chan_config *config)
{
	struct mychan *c;
	size_t bytes;

	/* A size that wraps around would make a channel that is too small. */
	if (__builtin_mul_overflow(config->cap, config->elem_size, &bytes) ||
	    bytes > SIZE_MAX / 2)
		return -ENOMEM;
	/* aligned_alloc() wants a multiple of the alignment. */
	bytes = (sizeof(*c) + bytes + WEFT_CACHE_LINE - 1) &
	        ~(size_t)(WEFT_CACHE_LINE - 1);
	c = aligned_alloc(WEFT_CACHE_LINE, bytes);
	if (!c)
		return -ENOMEM;
	c->cap = config->cap;
	c->elem_size = config->elem_size;
	weft_store_relaxed(&c->send_lock, false);
	weft_store_relaxed(&c->recv_lock, false);
	weft_store_relaxed(&c->closed, false);
	weft_store_relaxed(&c->tail, 0u);
	weft_store_relaxed(&c->head, 0u);
	*state = c;
	return 0;
}

static void mychan_destroy(void *state)
{
	free(state);
}

static void *slot(struct mychan *c, size_t i)
{
	return c->slots + i % c->cap * c->elem_size;
}

static int mychan_try_send(void *state, const void *elem)
{
	struct mychan *c = state;
	size_t tail;
	int err = 0;

	lock(&c->send_lock);
	tail = weft_load_relaxed(&c->tail);
	if (weft_load_relaxed(&c->closed)) {
		err = -EPIPE;
	} else if (tail - weft_load_acquire(&c->head) == c->cap) { /* [taken] */
		err = -EAGAIN;
	} else {
		if (c->elem_size)
			memcpy(slot(c, tail), elem, c->elem_size);
		/* [sent] releases the element. */
		weft_store_release(&c->tail, tail + 1);
	}
	unlock(&c->send_lock);
	return err;
}

/* Whether element `head` is inside; else *err says why not. */
static bool is_there(struct mychan *c, size_t head, int *err)
{
	if (weft_load_acquire(&c->tail) != head) /* [sent] */
		return true;
	*err = -EAGAIN;
	if (!weft_load_acquire(&c->closed)) /* [closed] */
		return false;
	/* An element may have come between the two looks. None comes after
	 * closed, so this look is the last word. */
	*err = -EPIPE;
	return weft_load_acquire(&c->tail) != head; /* [sent] */
}

static int mychan_try_recv(void *state, void *elem)
{
	struct mychan *c = state;
	size_t head;
	int err = 0;

	lock(&c->recv_lock);
	head = weft_load_relaxed(&c->head);
	if (is_there(c, head, &err)) {
		err = 0;
		if (c->elem_size)
			memcpy(elem, slot(c, head), c->elem_size);
		/* [taken] releases the slot. */
		weft_store_release(&c->head, head + 1);
	}
	unlock(&c->recv_lock);
	return err;
}

static int mychan_close(void *state)
{
	struct mychan *c = state;
	bool was;

	/* Under the lock of the senders: each of their sends is before or
	 * after. */
	lock(&c->send_lock);
	was = weft_load_relaxed(&c->closed);
	weft_store_release(&c->closed, true); /* [closed] */
	unlock(&c->send_lock);
	return was ? -EPIPE : 0;
}

static size_t mychan_len(const void *state)
{
	const struct mychan *c = state;
	/* head first: it never overtakes tail, so this is not negative. While
	 * others run, tail may get ahead of the head that was read. */
	size_t head = weft_load_acquire(&c->head);
	size_t len = weft_load_acquire(&c->tail) - head;

	return len < c->cap ? len : c->cap;
}

/*
 * For select: whether a send or a receive would not wait, and a position that
 * moves whenever that may have become so. The side that could make it so is
 * loaded last: a "no" was then true at that instant, since the other index only
 * moves the other way.
 */
static bool mychan_poll(void *state, char dir, uint64_t *pos)
{
	struct mychan *c = state;
	size_t head, tail;
	bool no, closed;

	if (dir == 's') {
		tail = weft_load_acquire(&c->tail);
		head = weft_load_acquire(&c->head);
		no = tail - head == c->cap;
	} else {
		head = weft_load_acquire(&c->head);
		tail = weft_load_acquire(&c->tail);
		no = tail == head;
	}
	/* Later still: what is open now was open then. */
	closed = weft_load_acquire(&c->closed);
	*pos = (uint64_t)(dir == 's' ? head : tail) << 1 | closed;
	return closed || !no;
}

/* What is not declared here is not applicable; what is declared is tested. */
WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "mychan",
	.summary = "an example: a ring with two locks",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_SELECT | WEFT_CAN_TIMEOUT | WEFT_CAN_LEN,
	.create = mychan_create,
	.destroy = mychan_destroy,
	.try_send = mychan_try_send,
	.try_recv = mychan_try_recv,
	.close = mychan_close,
	.len = mychan_len,
	.poll = mychan_poll,
};
