/*
 * Userspace RCU's wfcqueue: unbounded, wait-free for senders; receivers take
 * turns by its mutex. It has no waiting of its own and no close.
 *
 * An element lives in a node that its sender allocates and its receiver frees,
 * as in every intrusive list.
 */
#define _LGPL_SOURCE /* its fast paths inline, as its authors recommend */
#include <urcu/wfcqueue.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/support/gate.h"
#include "bench/peers/support/peer.h"
#include "bench/peers/support/until.h"

struct node {
	struct cds_wfcq_node link;
	unsigned char elem[];
};

struct queue {
	_Alignas(WEFT_CACHE_LINE) struct cds_wfcq_head head;
	_Alignas(WEFT_CACHE_LINE) struct cds_wfcq_tail tail;
	size_t elem_size;
	struct gate gate;
};

static int urcu_create(void **state, const struct weft_chan_config *config)
{
	struct queue *q = aligned_alloc(_Alignof(struct queue), sizeof(*q));

	if (!q)
		return -ENOMEM;
	cds_wfcq_init(&q->head, &q->tail);
	q->elem_size = config->elem_size;
	gate_init(&q->gate);
	*state = q;
	return 0;
}

static struct node *urcu_dequeue(struct queue *q)
{
	struct cds_wfcq_node *link =
	        cds_wfcq_dequeue_blocking(&q->head, &q->tail);

	return link ? caa_container_of(link, struct node, link) : NULL;
}

static void urcu_destroy(void *state)
{
	struct queue *q = state;
	struct node *node;

	while ((node = urcu_dequeue(q)))
		free(node);
	cds_wfcq_destroy(&q->head, &q->tail);
	free(q);
}

static int urcu_try_send(void *state, const void *elem)
{
	struct queue *q = state;
	struct node *node = malloc(sizeof(*node) + q->elem_size);
	struct gate_seat *seat;
	bool open;

	if (!node)
		return -ENOMEM;
	cds_wfcq_node_init(&node->link);
	if (q->elem_size)
		memcpy(node->elem, elem, q->elem_size);
	seat = gate_enter(&q->gate, GATE_SEND);
	open = gate_is_open(&q->gate);
	if (open)
		cds_wfcq_enqueue(&q->head, &q->tail, &node->link);
	if (!open)
		free(node);
	return gate_leave_send(&q->gate, seat, open ? 0 : -EPIPE);
}

static int urcu_try_recv(void *state, void *elem)
{
	struct queue *q = state;
	bool shut = false, last;
	struct node *node;

	do {
		last = shut;
		node = urcu_dequeue(q);
		shut = gate_is_shut(&q->gate); /* then look once more */
	} while (!node && shut && !last);
	if (!node)
		return shut ? -EPIPE : -EAGAIN;
	if (q->elem_size)
		memcpy(elem, node->elem, q->elem_size);
	free(node); /* NOLINT(clang-analyzer-unix.Malloc): tagged in the library
	             */
	return 0;
}

static int urcu_send(void *state, const void *elem, int64_t deadline_ns)
{
	(void)deadline_ns; /* it is never full */
	return urcu_try_send(state, elem);
}

static int urcu_recv(void *state, void *elem, int64_t deadline_ns)
{
	int err;

	UNTIL_SPIN(err, urcu_try_recv(state, elem), deadline_ns);
	return err;
}

static int urcu_close(void *state)
{
	struct queue *q = state;

	return gate_close(&q->gate, NULL, NULL);
}

/* It does not count. */
static size_t urcu_len(const void *state)
{
	(void)state;
	return 0;
}

static void urcu_version_of(char *to, size_t bytes)
{
	snprintf(to, bytes, "%s", PEER_VERSION);
}

const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "urcu",
	.summary = "wfcqueue: unbounded, wait-free sends, receivers by a mutex",
	.can = WEFT_CAN_UNBOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_TIMEOUT,
	.create = urcu_create,
	.destroy = urcu_destroy,
	.try_send = urcu_try_send,
	.try_recv = urcu_try_recv,
	.close = urcu_close,
	.len = urcu_len,
	.send = urcu_send,
	.recv = urcu_recv,
};

const struct weft_peer weft_peer = {
	.library = "Userspace RCU",
	.version = urcu_version_of,
	.adapter = ADDED_SPINS
	"; " ADDED_CLOSE "; a node from malloc per element; " ADDED_NO_LEN,
};
