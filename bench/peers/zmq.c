/*
 * ZeroMQ: a PUSH and a PULL socket over inproc, messages by copy.
 *
 * A socket is for one thread at a time, so this is one sender and one receiver.
 * Space comes back in lumps of half of the sum of the two high-water marks, so
 * they are twice the capacity: then at least that much always fits. Waits are
 * zmq_poll() for the socket and an eventfd that the close raises: another
 * thread's socket cannot be woken in another way without losing what is inside.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <zmq.h>

#include "bench/peers/support/fd.h"
#include "bench/peers/support/gate.h"
#include "bench/peers/support/peer.h"

struct queue {
	void *context, *push, *pull;
	int close_fd;
	size_t cap, elem_size;
	struct gate gate;
};

static void *socket_of(void *context, int type, int mark_option, int mark)
{
	void *s = zmq_socket(context, type);
	int linger = 0;

	if (!s)
		return NULL;
	zmq_setsockopt(s, ZMQ_LINGER, &linger, sizeof(linger));
	zmq_setsockopt(s, mark_option, &mark, sizeof(mark));
	return s;
}

static void zmq_free(struct queue *q)
{
	if (q->push)
		zmq_close(q->push);
	if (q->pull)
		zmq_close(q->pull);
	if (q->context)
		zmq_ctx_term(q->context);
	if (q->close_fd >= 0)
		close(q->close_fd);
	free(q);
}

/* With a receiver's mark of 1, n marks are given back in lumps of (n + 2) / 2:
 * that many minus one may be missing when nothing is inside. */
static size_t mark_for(size_t cap)
{
	return 2 * cap;
}

/* Its context has no thread for the network: inproc needs none. */
static int zmq_open(struct queue *q, size_t cap)
{
	q->context = zmq_ctx_new();
	if (!q->context || zmq_ctx_set(q->context, ZMQ_IO_THREADS, 0))
		return -ENOMEM;
	/* A mark of 0 would be none. */
	q->pull = socket_of(q->context, ZMQ_PULL, ZMQ_RCVHWM, 1);
	q->push =
	        socket_of(q->context, ZMQ_PUSH, ZMQ_SNDHWM, (int)mark_for(cap));
	if (!q->pull || !q->push || zmq_bind(q->pull, "inproc://peer") ||
	    zmq_connect(q->push, "inproc://peer"))
		return -ENOMEM;
	return 0;
}

static int zmq_create(void **state, const struct weft_chan_config *config)
{
	struct queue *q;

	if (config->cap > INT_MAX / 4)
		return -ENOMEM;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->close_fd = fd_of_close();
	if (q->close_fd < 0 || zmq_open(q, config->cap)) {
		zmq_free(q);
		return -ENOMEM; /* or out of descriptors */
	}
	q->cap = mark_for(config->cap) + 1;
	q->elem_size = config->elem_size;
	gate_init(&q->gate);
	*state = q;
	return 0;
}

static void zmq_destroy(void *state)
{
	zmq_free(state);
}

/* Have it look whether the other side has done something, which a try alone
 * does now and then only. */
static bool zmq_ready(void *s, short event)
{
	size_t bytes = sizeof(int);
	int events = 0;

	return zmq_getsockopt(s, ZMQ_EVENTS, &events, &bytes) == 0 &&
	       (events & event);
}

static int zmq_put(struct queue *q, const void *elem)
{
	int n;

	do {
		n = zmq_send(q->push, q->elem_size ? elem : "", q->elem_size,
		             ZMQ_DONTWAIT);
	} while (n < 0 &&
	         (errno == EINTR ||
	          (errno == EAGAIN && zmq_ready(q->push, ZMQ_POLLOUT))));
	return n < 0 ? -errno : 0;
}

static int zmq_try_send(void *state, const void *elem)
{
	struct queue *q = state;
	struct gate_seat *seat = gate_enter(&q->gate, GATE_SEND);
	int err = gate_is_open(&q->gate) ? zmq_put(q, elem) : -EPIPE;

	return gate_leave_send(&q->gate, seat, err);
}

static int zmq_take(struct queue *q, void *elem)
{
	char nothing[1] = { 0 };
	int n;

	do {
		n = zmq_recv(q->pull, q->elem_size ? elem : nothing,
		             q->elem_size, ZMQ_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int zmq_try_recv(void *state, void *elem)
{
	struct queue *q = state;
	int err = zmq_take(q, elem);

	if (err != -EAGAIN || !gate_is_shut(&q->gate))
		return err;
	err = zmq_take(q, elem); /* what came before it was shut */
	return err == -EAGAIN ? -EPIPE : err;
}

static int zmq_wait(struct queue *q, void *s, short event, int64_t deadline_ns)
{
	zmq_pollitem_t items[] = { { .socket = s, .events = event },
		                   { .fd = q->close_fd,
		                     .events = ZMQ_POLLIN } };
	int64_t ms = until_left_in(deadline_ns, WEFT_MS);

	if (ms == 0)
		return -ETIMEDOUT;
	if (deadline_ns == WEFT_FOREVER)
		ms = -1;
	else if (ms > INT_MAX)
		ms = INT_MAX;
	zmq_poll(items, 2, (long)ms);
	return 0;
}

static int zmq_send_until(void *state, const void *elem, int64_t deadline_ns)
{
	struct queue *q = state;
	int err, expired = 0;

	while ((err = zmq_try_send(q, elem)) == -EAGAIN && !expired)
		expired = zmq_wait(q, q->push, ZMQ_POLLOUT, deadline_ns);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

static int zmq_recv_until(void *state, void *elem, int64_t deadline_ns)
{
	struct queue *q = state;
	int err, expired = 0;

	while ((err = zmq_try_recv(q, elem)) == -EAGAIN && !expired)
		expired = zmq_wait(q, q->pull, ZMQ_POLLIN, deadline_ns);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

static int zmq_close_queue(void *state)
{
	struct queue *q = state;
	int err = gate_close(&q->gate, NULL, NULL);

	if (!err)
		fd_tell_closed(q->close_fd);
	return err;
}

/* It does not count. */
static size_t zmq_len(const void *state)
{
	(void)state;
	return 0;
}

static size_t zmq_cap(const void *state)
{
	const struct queue *q = state;

	return q->cap;
}

static void zmq_version_of(char *to, size_t bytes)
{
	int major, minor, patch;

	zmq_version(&major, &minor, &patch);
	snprintf(to, bytes, "%d.%d.%d", major, minor, patch);
}

const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "zmq",
	.summary = "PUSH and PULL over inproc: bounded, one to one, copies",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_TIMEOUT | WEFT_BLOCKS_THREAD,
	.max_senders = 1,
	.max_receivers = 1,
	.create = zmq_create,
	.destroy = zmq_destroy,
	.try_send = zmq_try_send,
	.try_recv = zmq_try_recv,
	.close = zmq_close_queue,
	.len = zmq_len,
	.cap = zmq_cap,
	.send = zmq_send_until,
	.recv = zmq_recv_until,
};

const struct weft_peer weft_peer = {
	.library = "ZeroMQ",
	.version = zmq_version_of,
	.adapter =
	        ADDED_CLOSE "; waits in zmq_poll, for the close, too; marks of "
	                    "twice the capacity; " ADDED_NO_LEN,
};
