/*
 * nng: two pair0 sockets over inproc, messages by copy. Its sockets are for any
 * number of threads, and its waits are asynchronous operations that can be
 * cancelled.
 *
 * Threads of the library carry a message from one socket's buffer to the
 * other's, so it arrives a moment after it was sent. A receive that finds
 * nothing after a close has therefore not seen the last of it: an end mark
 * follows what was sent, and the receiver that gets it tells the others.
 */
#include <errno.h>
#include <limits.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/peers/support/gate.h"
#include "bench/peers/support/peer.h"
#include "bench/peers/support/until.h"

#define BUFFER_MAX 8192 /* messages, as the library has it */
#define ON_THE_WAY 3    /* at most, between the two buffers */

struct queue {
	nng_socket in, out;
	nng_aio *end; /* sends the mark, if there is no room for it yet */
	size_t cap, elem_size;
	struct gate gate;
};

static int open_pair(struct queue *q, size_t cap)
{
	static WEFT_ATOMIC(uint64_t) next;
	char url[64];

	snprintf(url, sizeof(url), "inproc://weft-peer-%ld-%llu",
	         (long)getpid(),
	         (unsigned long long)weft_fetch_add_relaxed(&next, 1u));
	if (nng_pair0_open(&q->in))
		return -ENOMEM;
	if (nng_pair0_open(&q->out))
		goto close_in;
	if (nng_socket_set_int(q->in, NNG_OPT_SENDBUF, (int)cap) ||
	    nng_socket_set_int(q->out, NNG_OPT_RECVBUF, 1) ||
	    nng_listen(q->out, url, NULL, 0) || nng_dial(q->in, url, NULL, 0))
		goto close_out;
	return 0;

close_out:
	nng_close(q->out);
close_in:
	nng_close(q->in);
	return -ENOMEM;
}

static int nng_create(void **state, const struct weft_chan_config *config)
{
	struct queue *q = malloc(sizeof(*q));

	if (!q)
		return -ENOMEM;
	if (nng_aio_alloc(&q->end, NULL, NULL))
		goto free_q;
	if (open_pair(q, config->cap))
		goto free_end;
	q->cap = config->cap + ON_THE_WAY;
	q->elem_size = config->elem_size;
	gate_init(&q->gate);
	*state = q;
	return 0;

free_end:
	nng_aio_free(q->end);
free_q:
	free(q);
	return -ENOMEM;
}

static void nng_destroy(void *state)
{
	struct queue *q = state;

	/* A mark for which there was no room is ours again. */
	nng_aio_stop(q->end);
	if (nng_aio_get_msg(q->end))
		nng_msg_free(nng_aio_get_msg(q->end));
	nng_aio_free(q->end);
	nng_close(q->in);
	nng_close(q->out);
	free(q);
}

/* The caller's operation, which others may cancel: it stays with the seat. */
static nng_aio *aio_of(struct gate_seat *seat)
{
	nng_aio *aio = seat->tool;

	if (!aio && nng_aio_alloc(&aio, NULL, NULL) == 0)
		seat->tool = aio;
	return aio;
}

static void set_timeout(nng_aio *aio, int64_t deadline_ns)
{
	int64_t ms = until_left_in(deadline_ns, WEFT_MS);

	if (deadline_ns == WEFT_FOREVER)
		nng_aio_set_timeout(aio, NNG_DURATION_INFINITE);
	else
		nng_aio_set_timeout(
		        aio, (nng_duration)(ms < INT_MAX ? ms : INT_MAX));
}

/* Of an operation: -EAGAIN when it was cancelled or its time is up. */
static int error_of(int rv)
{
	switch (rv) {
	case 0:
		return 0;
	case NNG_ENOMEM:
		return -ENOMEM;
	default:
		return -EAGAIN;
	}
}

/* Send a message, which it then owns. Inside the gate. */
static int put(struct queue *q, nng_aio *aio, nng_msg *msg, int64_t deadline_ns)
{
	if (deadline_ns <= WEFT_NOW)
		return error_of(nng_sendmsg(q->in, msg, NNG_FLAG_NONBLOCK));
	set_timeout(aio, deadline_ns);
	nng_aio_set_msg(aio, msg);
	nng_send_aio(q->in, aio);
	nng_aio_wait(aio);
	return error_of(nng_aio_result(aio));
}

static bool is_over(int64_t deadline_ns)
{
	return deadline_ns != WEFT_FOREVER && until_left(deadline_ns) == 0;
}

static int nng_send_until(void *state, const void *elem, int64_t deadline_ns)
{
	struct queue *q = state;
	struct gate_seat *seat;
	bool over;
	nng_msg *msg;
	int err;

	if (nng_msg_alloc(&msg, q->elem_size))
		return -ENOMEM;
	if (q->elem_size)
		memcpy(nng_msg_body(msg), elem, q->elem_size);
	do {
		over = is_over(deadline_ns);
		seat = gate_enter(&q->gate, GATE_SEND);
		if (!gate_is_open(&q->gate))
			err = -EPIPE;
		else if (!aio_of(seat))
			err = -ENOMEM;
		else
			err = put(q, seat->tool, msg, deadline_ns);
		gate_leave(seat, GATE_SEND);
	} while (err == -EAGAIN && !over);
	if (err)
		nng_msg_free(msg);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

static int take(struct queue *q, nng_aio *aio, nng_msg **msg,
                int64_t deadline_ns)
{
	int err;

	if (deadline_ns <= WEFT_NOW)
		return error_of(nng_recvmsg(q->out, msg, NNG_FLAG_NONBLOCK));
	set_timeout(aio, deadline_ns);
	nng_recv_aio(q->out, aio);
	nng_aio_wait(aio);
	err = error_of(nng_aio_result(aio));
	if (!err)
		*msg = nng_aio_get_msg(aio);
	return err;
}

static void nng_wake(void *arg, struct gate_seat *seat)
{
	(void)arg;
	if (seat->tool)
		nng_aio_cancel(seat->tool);
}

/* What came: an element, or the end of them, for all others, too. */
static int nng_unpack(struct queue *q, nng_msg *msg, void *elem)
{
	bool end = nng_msg_len(msg) != q->elem_size;

	if (!end && q->elem_size)
		memcpy(elem, nng_msg_body(msg), q->elem_size);
	nng_msg_free(msg);
	if (!end)
		return 0;
	gate_shut(&q->gate, nng_wake, q);
	return -EPIPE;
}

static int nng_recv_until(void *state, void *elem, int64_t deadline_ns)
{
	struct queue *q = state;
	nng_msg *msg = NULL;
	struct gate_seat *seat;
	bool over;
	int err;

	do {
		over = is_over(deadline_ns);
		seat = gate_enter(&q->gate, GATE_RECV);
		if (gate_is_shut(&q->gate))
			err = -EPIPE;
		else if (!aio_of(seat))
			err = -ENOMEM;
		else
			err = take(q, seat->tool, &msg, deadline_ns);
		gate_leave(seat, GATE_RECV);
	} while (err == -EAGAIN && !over);
	if (!err)
		return nng_unpack(q, msg, elem);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

static int nng_try_send(void *state, const void *elem)
{
	int err = nng_send_until(state, elem, WEFT_NOW);

	return err == -ETIMEDOUT ? -EAGAIN : err;
}

static int nng_try_recv(void *state, void *elem)
{
	int err = nng_recv_until(state, elem, WEFT_NOW);

	return err == -ETIMEDOUT ? -EAGAIN : err;
}

static int nng_close_queue(void *state)
{
	struct queue *q = state;
	nng_msg *mark;

	int err = gate_begin_close(&q->gate, nng_wake, q);

	if (err)
		return err;
	/* Any length but that of an element. */
	if (nng_msg_alloc(&mark, q->elem_size + 1))
		abort();
	nng_aio_set_timeout(q->end, NNG_DURATION_INFINITE);
	nng_aio_set_msg(q->end, mark);
	nng_send_aio(q->in, q->end);
	return 0;
}

/* It does not count. */
static size_t nng_len(const void *state)
{
	(void)state;
	return 0;
}

static size_t nng_cap(const void *state)
{
	const struct queue *q = state;

	return q->cap;
}

static void nng_version_of(char *to, size_t bytes)
{
	snprintf(to, bytes, "%s", nng_version());
}

const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "nng",
	.summary = "pair0 over inproc: bounded, messages by copy",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_TIMEOUT | WEFT_BLOCKS_THREAD,
	.max_cap = BUFFER_MAX,
	.create = nng_create,
	.destroy = nng_destroy,
	.try_send = nng_try_send,
	.try_recv = nng_try_recv,
	.close = nng_close_queue,
	.len = nng_len,
	.cap = nng_cap,
	.send = nng_send_until,
	.recv = nng_recv_until,
};

const struct weft_peer weft_peer = {
	.library = "nng",
	.version = nng_version_of,
	.adapter =
	        ADDED_CLOSE ", with a mark behind what was sent; " ADDED_NO_LEN,
};
