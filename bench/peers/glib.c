/*
 * GLib's GAsyncQueue: unbounded, a mutex and a condition variable around a
 * linked list of pointers.
 *
 * It has no close. Here a flag is kept under the queue's own lock, which costs
 * a push nothing, and the close leaves a mark at the end of the queue: each
 * receiver that takes it puts it back for the next, so it wakes all of them.
 */
#include <errno.h>
#include <glib.h>

#include "bench/peers/support/carry.h"
#include "bench/peers/support/peer.h"
#include "bench/peers/support/until.h"

struct queue {
	GAsyncQueue *q;
	gboolean closed; /* under the queue's lock */
	size_t elem_size;
};

static int glib_create(void **state, const struct weft_chan_config *config)
{
	struct queue *q = malloc(sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->q = g_async_queue_new();
	q->closed = FALSE;
	q->elem_size = config->elem_size;
	*state = q;
	return 0;
}

static void glib_destroy(void *state)
{
	struct queue *q = state;
	void *p;

	while ((p = g_async_queue_try_pop(q->q)))
		if (p != CARRY_MARK)
			carry_drop(p, q->elem_size);
	g_async_queue_unref(q->q);
	free(q);
}

static int glib_send(void *state, const void *elem)
{
	struct queue *q = state;
	const size_t size = q->elem_size;
	void *p = carry_pack(elem, size);
	gboolean closed;

	if (!p)
		return -ENOMEM;
	g_async_queue_lock(q->q);
	closed = q->closed;
	if (!closed)
		g_async_queue_push_unlocked(q->q, p);
	g_async_queue_unlock(q->q);
	if (closed)
		carry_drop(p, size);
	return closed ? -EPIPE : 0;
}

/* With the lock held, which it gives back. */
static int take(struct queue *q, void *p, void *elem)
{
	if (p == CARRY_MARK)
		g_async_queue_push_unlocked(q->q, CARRY_MARK);
	g_async_queue_unlock(q->q);
	if (!p)
		return -EAGAIN;
	if (p == CARRY_MARK)
		return -EPIPE;
	carry_unpack(p, elem, q->elem_size);
	return 0;
}

static int glib_try_recv(void *state, void *elem)
{
	struct queue *q = state;

	g_async_queue_lock(q->q);
	return take(q, g_async_queue_try_pop_unlocked(q->q), elem);
}

static int glib_wait_send(void *state, const void *elem, int64_t deadline_ns)
{
	(void)deadline_ns; /* it is never full */
	return glib_send(state, elem);
}

static int glib_recv(void *state, void *elem, int64_t deadline_ns)
{
	struct queue *q = state;
	int64_t us;
	int err;

	if (deadline_ns == WEFT_FOREVER) {
		g_async_queue_lock(q->q);
		return take(q, g_async_queue_pop_unlocked(q->q), elem);
	}
	do {
		us = until_left_in(deadline_ns, WEFT_US);
		g_async_queue_lock(q->q);
		err = take(
		        q,
		        g_async_queue_timeout_pop_unlocked(q->q, (guint64)us),
		        elem);
	} while (err == -EAGAIN && us > 0);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

static int glib_close(void *state)
{
	struct queue *q = state;
	gboolean was;

	g_async_queue_lock(q->q);
	was = q->closed;
	q->closed = TRUE;
	if (!was)
		g_async_queue_push_unlocked(q->q, CARRY_MARK);
	g_async_queue_unlock(q->q);
	return was ? -EPIPE : 0;
}

static size_t glib_len(const void *state)
{
	const struct queue *q = state;
	gint n;

	/* Each waiting task counts as -1. */
	g_async_queue_lock(q->q);
	n = g_async_queue_length_unlocked(q->q) - q->closed;
	g_async_queue_unlock(q->q);
	return n > 0 ? (size_t)n : 0;
}

static void glib_version_of(char *to, size_t bytes)
{
	snprintf(to, bytes, "%u.%u.%u", glib_major_version, glib_minor_version,
	         glib_micro_version);
}

const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "glib",
	.summary = "GAsyncQueue: unbounded, a mutex around a linked list",
	.can = WEFT_CAN_UNBOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_TIMEOUT | WEFT_CAN_LEN | WEFT_BLOCKS_THREAD,
	.create = glib_create,
	.destroy = glib_destroy,
	.try_send = glib_send,
	.try_recv = glib_try_recv,
	.close = glib_close,
	.len = glib_len,
	.send = glib_wait_send,
	.recv = glib_recv,
};

const struct weft_peer weft_peer = {
	.library = "GLib",
	.version = glib_version_of,
	.adapter = "close by a mark in the queue; " ADDED_BOXES,
};
