/*
 * The Apache Portable Runtime's apr_queue: bounded, a mutex and two condition
 * variables around a ring of pointers.
 *
 * Its apr_queue_term() throws away what is inside, so it is no close. This one
 * lets nobody in any more and has the waiting threads interrupted.
 */
#include <apr_errno.h>
#include <apr_general.h>
#include <apr_pools.h>
#include <apr_queue.h>
#include <apu_version.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "bench/peers/support/carry.h"
#include "bench/peers/support/gate.h"
#include "bench/peers/support/peer.h"

struct queue {
	apr_queue_t *q;
	apr_pool_t *pool; /* it owns the memory of q */
	size_t elem_size;
	struct gate gate;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void begin(void)
{
	apr_initialize();
}

static int apr_create(void **state, const struct weft_chan_config *config)
{
	struct queue *q;

	pthread_once(&once, begin);
	if (config->cap > UINT_MAX / sizeof(void *))
		return -ENOMEM;
	q = malloc(sizeof(*q));
	if (!q)
		return -ENOMEM;
	if (apr_pool_create(&q->pool, NULL))
		goto free_q;
	if (apr_queue_create(&q->q, (unsigned)config->cap, q->pool))
		goto destroy_pool;
	q->elem_size = config->elem_size;
	gate_init(&q->gate);
	*state = q;
	return 0;

destroy_pool:
	apr_pool_destroy(q->pool);
free_q:
	free(q);
	return -ENOMEM;
}

static void apr_destroy(void *state)
{
	struct queue *q = state;
	void *p;

	while (apr_queue_trypop(q->q, &p) == APR_SUCCESS)
		carry_drop(p, q->elem_size);
	apr_pool_destroy(q->pool);
	free(q);
}

/* One push, inside the gate. APR_EINTR says to look at the gate again. */
static int apr_push(struct queue *q, void *p, bool wait)
{
	apr_status_t status = APR_EINTR;
	struct gate_seat *seat;
	bool open;

	do {
		seat = gate_enter(&q->gate, GATE_SEND);
		open = gate_is_open(&q->gate);
		if (open)
			status = wait ? apr_queue_push(q->q, p)
			              : apr_queue_trypush(q->q, p);
		gate_leave(seat, GATE_SEND);
	} while (open && status == APR_EINTR);
	if (open)
		return status == APR_SUCCESS ? 0 : -EAGAIN;
	gate_await_shut(&q->gate);
	return -EPIPE;
}

static int apr_send_one(void *state, const void *elem, bool wait)
{
	struct queue *q = state;
	const size_t size = q->elem_size;
	void *p = carry_pack(elem, size);
	int err;

	if (!p)
		return -ENOMEM;
	err = apr_push(q, p, wait);
	if (err)
		carry_drop(p, size);
	return err;
}

static int apr_try_send(void *state, const void *elem)
{
	return apr_send_one(state, elem, false);
}

static int apr_send(void *state, const void *elem, int64_t deadline_ns)
{
	(void)deadline_ns; /* there is no timed push */
	return apr_send_one(state, elem, true);
}

static int apr_try_recv(void *state, void *elem)
{
	struct queue *q = state;
	bool shut;
	void *p;

	do {
		shut = gate_is_shut(&q->gate); /* before the look */
		if (apr_queue_trypop(q->q, &p) == APR_SUCCESS) {
			carry_unpack(p, elem, q->elem_size);
			return 0;
		}
	} while (!shut && gate_is_shut(&q->gate));
	return shut ? -EPIPE : -EAGAIN;
}

static int apr_recv(void *state, void *elem, int64_t deadline_ns)
{
	struct queue *q = state;
	apr_status_t status = APR_EINTR;
	struct gate_seat *seat;
	bool shut;
	void *p;

	(void)deadline_ns;
	do {
		seat = gate_enter(&q->gate, GATE_RECV);
		shut = gate_is_shut(&q->gate);
		if (!shut)
			status = apr_queue_pop(q->q, &p);
		gate_leave(seat, GATE_RECV);
	} while (!shut && status == APR_EINTR);
	if (shut)
		return apr_try_recv(q, elem);
	carry_unpack(p, elem, q->elem_size);
	return 0;
}

static void apr_wake(void *arg, struct gate_seat *seat)
{
	struct queue *q = arg;

	(void)seat;
	apr_queue_interrupt_all(q->q);
}

static int apr_close(void *state)
{
	struct queue *q = state;

	return gate_close(&q->gate, apr_wake, q);
}

static size_t apr_len(const void *state)
{
	const struct queue *q = state;

	return apr_queue_size(q->q);
}

static void apr_version_of(char *to, size_t bytes)
{
	snprintf(to, bytes, "%s", apu_version_string());
}

const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "apr",
	.summary = "apr_queue: bounded, a mutex and two condition variables",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_LEN | WEFT_BLOCKS_THREAD,
	.create = apr_create,
	.destroy = apr_destroy,
	.try_send = apr_try_send,
	.try_recv = apr_try_recv,
	.close = apr_close,
	.len = apr_len,
	.send = apr_send,
	.recv = apr_recv,
};

const struct weft_peer weft_peer = {
	.library = "APR-util",
	.version = apr_version_of,
	.adapter = ADDED_CLOSE ", which interrupts waits; " ADDED_BOXES,
};
