/*
 * handoff: one lock, FIFO waiters, and values that go from stack to stack.
 *
 * After Go's chan (runtime/chan.go since 1.6): a sender that finds a receiver
 * waiting copies straight to where that receiver waits for it (an element of up
 * to 8 bytes into the record of the wait, a longer one into the receiver's
 * variable) and completes its wait; a receiver that finds the buffer full takes
 * the oldest element and moves the longest waiting sender's value into the
 * space. So a waiter never has to look again, nobody overtakes it, and capacity
 * 0 is the same code with a buffer of nothing.
 *
 * Invariants, under the lock: receivers wait only while the buffer is empty
 * and no sender waits; senders wait only while the buffer is full; after close
 * no task begins to wait, and one that waits already is only waiting to be
 * told. Only a select may wait on both sides at once: it never meets itself,
 * for it looks before it waits, and then the next peer that comes completes
 * it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cacheline.h"
#include "chan/elem.h"
#include "chan/front.h"

/* Peers that one hold of the lock may serve in a batch, to be woken after it.
 */
#define WAKE_BATCH 16

struct handoff {
	struct spin lock;
	bool closed;
	size_t head, len; /* of the buffer, in elements */
	struct list senders, receivers;

	/* Constant. */
	size_t cap, elem_size;
	enum weft_wait wait;

	_Atomic uint64_t parks, wakes;
	_Alignas(WEFT_CACHE_LINE) unsigned char buffer[];
};

static int handoff_create(void **state, const struct weft_chan_config *config)
{
	struct handoff *h;

	h = cacheline_alloc(sizeof(*h), config->cap, config->elem_size);
	if (!h)
		return -ENOMEM;
	spin_init(&h->lock);
	h->closed = false;
	h->head = h->len = 0;
	list_init(&h->senders);
	list_init(&h->receivers);
	h->cap = config->cap;
	h->elem_size = config->elem_size;
	h->wait = config->wait;
	weft_store_relaxed(&h->parks, 0u);
	weft_store_relaxed(&h->wakes, 0u);
	*state = h;
	return 0;
}

static void handoff_destroy(void *state)
{
	free(state);
}

/* --- under the lock --- */

/* The size is the channel's, which a caller may know without a look. */

FRONT_INLINE void handoff_push(struct handoff *h, const void *elem,
                               size_t elem_size)
{
	size_t len = h->len, at = h->head + len;

	at = at < h->cap ? at : at - h->cap;
	h->len = len + 1;
	elem_copy(h->buffer + at * elem_size, elem, elem_size);
}

FRONT_INLINE void handoff_pop(struct handoff *h, void *elem, size_t elem_size)
{
	size_t at = h->head;

	h->head = at + 1 < h->cap ? at + 1 : 0;
	h->len--;
	elem_copy(elem, h->buffer + at * elem_size, elem_size);
}

/* The longest waiting task of a queue whose wait is still open, unlinked and
 * claimed; NULL when there is none. */
static struct waiter *handoff_claim_first(struct list *queue, bool *parked)
{
	struct list *node;

	while ((node = list_pop(queue))) {
		struct waiter *w = list_entry(node, struct waiter, link);

		if (weft_claim_take(w, parked))
			return w;
		/* It gave up, or another case of its select won. It takes
		 * this lock before its record goes. */
	}
	return NULL;
}

static struct weft_task *handoff_finish(struct waiter *w, int result,
                                        bool parked)
{
	w->result = (int16_t)result;
	return weft_claim_complete(w, parked);
}

/* What send and recv do at once. *wake receives a task to unpark after the
 * lock is released. -EAGAIN when they would have to wait. */
static int handoff_send_now(struct handoff *h, const void *elem,
                            struct weft_task **wake)
{
	struct waiter *w;
	bool parked;

	if (h->closed)
		return -EPIPE;
	w = handoff_claim_first(&h->receivers, &parked);
	if (w) {
		elem_copy(w->elem, elem, h->elem_size);
		*wake = handoff_finish(w, 0, parked);
		return 0;
	}
	if (h->len == h->cap)
		return -EAGAIN;
	handoff_push(h, elem, h->elem_size);
	return 0;
}

static int handoff_recv_now(struct handoff *h, void *elem,
                            struct weft_task **wake)
{
	bool buffered = h->len > 0, parked;
	struct waiter *w;

	if (buffered)
		handoff_pop(h, elem, h->elem_size);
	/* Senders that wait at a close have failed, told so or not. */
	w = h->closed ? NULL : handoff_claim_first(&h->senders, &parked);
	if (w) {
		if (buffered)
			handoff_push(h, w->elem, h->elem_size);
		else
			elem_copy(elem, w->elem, h->elem_size);
		*wake = handoff_finish(w, 0, parked);
		return 0;
	}
	if (buffered)
		return 0;
	return h->closed ? -EPIPE : -EAGAIN;
}

/* Either of them. A send only reads *elem. */
static int handoff_now(void *state, enum weft_case_op op, void *elem,
                       struct weft_task **wake)
{
	return op == WEFT_CASE_SEND ? handoff_send_now(state, elem, wake)
	                            : handoff_recv_now(state, elem, wake);
}

/* --- with it released --- */

static void handoff_wake_up(struct handoff *h, struct weft_task *task)
{
	if (!task)
		return;
	weft_fetch_add_relaxed(&h->wakes, 1u);
	weft_unpark(task);
}

/* Once the deadline has come nobody completes the wait any more, so it looks
 * for itself: an element that is there wins, and so does a close. */
static int handoff_await(struct handoff *h, enum weft_case_op op,
                         struct waiter *w, const char *what,
                         int64_t deadline_ns)
{
	struct weft_task *wake = NULL;
	int err = weft_claim_wait(w->claim, h->wait, spinner_gap(h->cap), what,
	                          h, &h->parks, deadline_ns);

	if (err >= 0)
		return w->result;
	spin_lock(&h->lock);
	list_unlink(&w->link);
	err = handoff_now(h, op, w->elem, &wake);
	spin_unlock(&h->lock);
	handoff_wake_up(h, wake);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

/*
 * A wait, on the stack of the task that waits. All that the peer which
 * completes it has to touch is on one line, a short element included; else it
 * would have to fetch several from the other CPU, one after the other.
 */
struct rendezvous {
	_Alignas(WEFT_CACHE_LINE) struct waiter w;
	struct claim claim;
	_Alignas(8) unsigned char elem[8];
};

_Static_assert(sizeof(struct rendezvous) == WEFT_CACHE_LINE,
               "a line of its own");

/* Wait for a peer. The caller holds the lock, which this releases. A send only
 * reads *elem. */
static int handoff_meet(struct handoff *h, enum weft_case_op op, void *elem,
                        int64_t deadline_ns)
{
	bool is_send = op == WEFT_CASE_SEND;
	struct rendezvous r;
	bool is_short = h->elem_size <= sizeof(r.elem);
	int err;

	claim_init(&r.claim);
	r.w = (struct waiter){ .task = weft_self(),
		               .claim = &r.claim,
		               .elem = is_short ? r.elem : elem };
	if (is_send && is_short)
		elem_copy(r.elem, elem, h->elem_size);
	list_push(is_send ? &h->senders : &h->receivers, &r.w.link);
	spin_unlock(&h->lock);
	err = handoff_await(h, op, &r.w,
	                    is_send ? "handoff send" : "handoff recv",
	                    deadline_ns);
	if (!is_send && is_short && !err)
		elem_copy(elem, r.elem, h->elem_size);
	return err;
}

/* What a send does beyond putting its element into a buffer where nobody waits
 * for it. The caller holds the lock. */
__attribute__((noinline)) static int
handoff_send_slow(struct handoff *h, const void *elem, int64_t deadline_ns)
{
	struct weft_task *wake = NULL;
	int err;

	err = handoff_send_now(h, elem, &wake);
	if (err == -EAGAIN && deadline_ns > WEFT_NOW)
		return handoff_meet(h, WEFT_CASE_SEND, (void *)(uintptr_t)elem,
		                    deadline_ns);
	spin_unlock(&h->lock);
	handoff_wake_up(h, wake);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

__attribute__((noinline)) static int
handoff_recv_slow(struct handoff *h, void *elem, int64_t deadline_ns)
{
	struct weft_task *wake = NULL;
	int err;

	err = handoff_recv_now(h, elem, &wake);
	if (err == -EAGAIN && deadline_ns > WEFT_NOW)
		return handoff_meet(h, WEFT_CASE_RECV, elem, deadline_ns);
	spin_unlock(&h->lock);
	handoff_wake_up(h, wake);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

/* What needs nobody else, and the release of the lock. False: nothing was done,
 * and the lock is still held. */

FRONT_INLINE bool handoff_put(struct handoff *h, const void *elem,
                              size_t elem_size)
{
	if (h->closed || h->len == h->cap || !list_is_empty(&h->receivers))
		return false;
	handoff_push(h, elem, elem_size);
	spin_unlock(&h->lock);
	return true;
}

FRONT_INLINE bool handoff_take(struct handoff *h, void *elem, size_t elem_size)
{
	if (h->len == 0 || !list_is_empty(&h->senders))
		return false;
	handoff_pop(h, elem, elem_size);
	spin_unlock(&h->lock);
	return true;
}

static int handoff_send(void *state, const void *elem, int64_t deadline_ns)
{
	struct handoff *h = state;

	spin_lock(&h->lock);
	return handoff_put(h, elem, h->elem_size)
	               ? 0
	               : handoff_send_slow(h, elem, deadline_ns);
}

static int handoff_recv(void *state, void *elem, int64_t deadline_ns)
{
	struct handoff *h = state;

	spin_lock(&h->lock);
	return handoff_take(h, elem, h->elem_size)
	               ? 0
	               : handoff_recv_slow(h, elem, deadline_ns);
}

/* --- the front --- */

__attribute__((noinline)) static int
handoff_front_send_slow(struct weft_chan *c, const void *elem,
                        int64_t deadline_ns)
{
	return weft_chan_send_rest(
	        c, elem, deadline_ns,
	        handoff_send_slow(c->state, elem, deadline_ns));
}

__attribute__((noinline)) static int
handoff_front_recv_slow(struct weft_chan *c, void *elem, int64_t deadline_ns)
{
	return weft_chan_recv_rest(
	        c, elem, deadline_ns,
	        handoff_recv_slow(c->state, elem, deadline_ns));
}

static int handoff_front_send(struct weft_chan *c, const void *elem,
                              int64_t deadline_ns)
{
	struct handoff *h = c->state;

	if (!spin_try_lock(&h->lock))
		return weft_chan_send_any(c, elem, deadline_ns);
	return handoff_put(h, elem, FRONT_ELEM)
	               ? front_done(&c->receivers)
	               : handoff_front_send_slow(c, elem, deadline_ns);
}

static int handoff_front_recv(struct weft_chan *c, void *elem,
                              int64_t deadline_ns)
{
	struct handoff *h = c->state;

	if (!spin_try_lock(&h->lock))
		return weft_chan_recv_any(c, elem, deadline_ns);
	return handoff_take(h, elem, FRONT_ELEM)
	               ? front_done(&c->senders)
	               : handoff_front_recv_slow(c, elem, deadline_ns);
}

static const struct chan_front handoff_front = { handoff_front_send,
	                                         handoff_front_recv };

static int handoff_try_send(void *state, const void *elem)
{
	int err = handoff_send(state, elem, WEFT_NOW);

	return err == -ETIMEDOUT ? -EAGAIN : err;
}

static int handoff_try_recv(void *state, void *elem)
{
	int err = handoff_recv(state, elem, WEFT_NOW);

	return err == -ETIMEDOUT ? -EAGAIN : err;
}

/* Several operations under one hold of the lock, as long as they go, and the
 * peers that they served woken after it. */
static int handoff_operate_many(struct handoff *h, enum weft_case_op op,
                                unsigned char *elems, size_t n, size_t *done)
{
	struct weft_task *wake[WAKE_BATCH];
	size_t woken;
	int err = 0;

	*done = 0;
	while (*done < n && !err) {
		woken = 0;
		spin_lock(&h->lock);
		while (*done < n && woken < WAKE_BATCH && !err) {
			wake[woken] = NULL;
			err = handoff_now(h, op, elems + *done * h->elem_size,
			                  &wake[woken]);
			woken += wake[woken] != NULL;
			*done += !err;
		}
		spin_unlock(&h->lock);
		for (size_t i = 0; i < woken; i++)
			handoff_wake_up(h, wake[i]);
	}
	return err;
}

static int handoff_try_send_many(void *state, const void *elems, size_t n,
                                 size_t *done)
{
	/* A send only reads. */
	return handoff_operate_many(state, WEFT_CASE_SEND,
	                            (unsigned char *)(uintptr_t)elems, n, done);
}

static int handoff_try_recv_many(void *state, void *elems, size_t n,
                                 size_t *done)
{
	return handoff_operate_many(state, WEFT_CASE_RECV, elems, n, done);
}

/* End the wait of everyone in a queue, one at a time: nobody joins it after
 * close, so it empties. */
static void handoff_fail_all(struct handoff *h, struct list *queue)
{
	struct weft_task *wake;
	struct waiter *w;
	bool parked;

	do {
		wake = NULL;
		spin_lock(&h->lock);
		w = handoff_claim_first(queue, &parked);
		if (w)
			wake = handoff_finish(w, -EPIPE, parked);
		spin_unlock(&h->lock);
		handoff_wake_up(h, wake);
	} while (w);
}

static int handoff_close(void *state)
{
	struct handoff *h = state;
	bool was;

	spin_lock(&h->lock);
	was = h->closed;
	h->closed = true;
	spin_unlock(&h->lock);
	if (was)
		return -EPIPE;
	handoff_fail_all(h, &h->senders);
	handoff_fail_all(h, &h->receivers);
	return 0;
}

static size_t handoff_len(const void *state)
{
	/* The lock is not part of what const promises. */
	struct handoff *h = (struct handoff *)(uintptr_t)state;
	size_t len;

	spin_lock(&h->lock);
	len = h->len;
	spin_unlock(&h->lock);
	return len;
}

/* --- for a select --- */

static struct spin *handoff_select_lock(void *state)
{
	struct handoff *h = state;

	return &h->lock;
}

static void handoff_select_enqueue(void *state, enum weft_case_op op,
                                   struct waiter *w)
{
	struct handoff *h = state;

	list_push(op == WEFT_CASE_SEND ? &h->senders : &h->receivers, &w->link);
}

static void handoff_select_wake(void *state, struct weft_task *task)
{
	handoff_wake_up(state, task);
}

/* Tasks whose wait is over and that have yet to leave are counted too. */
static size_t handoff_select_waiting(void *state)
{
	struct handoff *h = state;
	size_t n;

	spin_lock(&h->lock);
	n = list_len(&h->senders) + list_len(&h->receivers);
	spin_unlock(&h->lock);
	return n;
}

static const struct chan_completing completing = {
	.lock = handoff_select_lock,
	.now = handoff_now,
	.enqueue = handoff_select_enqueue,
	.wake = handoff_select_wake,
	.waiting = handoff_select_waiting,
};

static void handoff_stats(const void *state, struct weft_chan_stats *add_to)
{
	const struct handoff *h = state;

	add_to->parks += weft_load_relaxed(&h->parks);
	add_to->wakes += weft_load_relaxed(&h->wakes);
}

const struct weft_chan_impl weft_chan_impl_handoff = {
	WEFT_CHAN_ABI_HEADER,
	.name = "handoff",
	.summary = "lock, FIFO waiters, values from stack to stack (Go's chan)",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_RENDEZVOUS | WEFT_CAN_FIFO |
	       WEFT_CAN_PRODUCER_FIFO | WEFT_CAN_SELECT | WEFT_CAN_TIMEOUT |
	       WEFT_CAN_BATCH | WEFT_CAN_LEN,
	.create = handoff_create,
	.destroy = handoff_destroy,
	.try_send = handoff_try_send,
	.try_recv = handoff_try_recv,
	.close = handoff_close,
	.len = handoff_len,
	.send = handoff_send,
	.recv = handoff_recv,
	.try_send_many = handoff_try_send_many,
	.try_recv_many = handoff_try_recv_many,
	.stats = handoff_stats,
	.reserved = { [CHAN_RESERVED_COMPLETING] = &completing,
	              [CHAN_RESERVED_FRONT] = &handoff_front },
};
