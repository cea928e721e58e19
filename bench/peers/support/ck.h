/*
 * Concurrency Kit's ck_ring, bounded, with ck_ec, its event count, to wait on:
 * one for elements and one for space, each raised by those on the other side.
 * ck_ring.c and ck_spsc.c say which of its operations are used.
 *
 * A ring of n slots holds n - 1 elements, and n is a power of two.
 */
#ifndef BENCH_PEERS_CK_H
#define BENCH_PEERS_CK_H

#include <ck_ec.h>
#include <ck_md.h>
#include <ck_ring.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench/peers/support/carry.h"
#include "bench/peers/support/gate.h"
#include "bench/peers/support/peer.h"
#include "bench/peers/support/until.h"

struct queue {
	ck_ring_t ring;
	ck_ring_buffer_t *slots;
	size_t elem_size;
	struct gate gate;
	_Alignas(WEFT_CACHE_LINE) struct ck_ec32 items;
	_Alignas(WEFT_CACHE_LINE) struct ck_ec32 spaces;
};

/* --- what ck_ec asks its users for: the system's clock and futex --- */

static int ec_gettime(const struct ck_ec_ops *ops, struct timespec *out)
{
	(void)ops;
	return clock_gettime(CLOCK_MONOTONIC, out);
}

static void ec_wait32(const struct ck_ec_wait_state *state,
                      const uint32_t *word, uint32_t expected,
                      const struct timespec *deadline)
{
	(void)state;
	syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
	        expected, deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void ec_wait64(const struct ck_ec_wait_state *state,
                      const uint64_t *word, uint64_t expected,
                      const struct timespec *deadline)
{
	(void)state;
	(void)word;
	(void)expected;
	(void)deadline;
	abort(); /* only 32-bit counts are used */
}

static void ec_wake32(const struct ck_ec_ops *ops, const uint32_t *word)
{
	(void)ops;
	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL,
	        NULL, 0);
}

static void ec_wake64(const struct ck_ec_ops *ops, const uint64_t *word)
{
	(void)ops;
	(void)word;
	abort();
}

static const struct ck_ec_ops ec_ops = {
	.gettime = ec_gettime,
	.wait32 = ec_wait32,
	.wait64 = ec_wait64,
	.wake32 = ec_wake32,
	.wake64 = ec_wake64,
};

static const struct ck_ec_mode ec_mode = {
	.ops = &ec_ops,
	.single_producer = EC_SINGLE_PRODUCER,
};

/* --- the channel --- */

static int ck_create(void **state, const struct weft_chan_config *config)
{
	struct queue *q;
	size_t slots = 2;

	while (slots - 1 < config->cap && slots < (size_t)1 << 30)
		slots *= 2;
	if (slots - 1 < config->cap)
		return -ENOMEM;
	q = aligned_alloc(_Alignof(struct queue), sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->slots = calloc(slots, sizeof(*q->slots));
	if (!q->slots) {
		free(q);
		return -ENOMEM;
	}
	ck_ring_init(&q->ring, (unsigned)slots);
	ck_ec_init(&q->items, 0);
	ck_ec_init(&q->spaces, 0);
	q->elem_size = config->elem_size;
	gate_init(&q->gate);
	*state = q;
	return 0;
}

static void ck_destroy(void *state)
{
	struct queue *q = state;
	void *p;

	while (RING_DEQUEUE(&q->ring, q->slots, &p))
		carry_drop(p, q->elem_size);
	free(q->slots);
	free(q);
}

static int ck_try_send(void *state, const void *elem)
{
	struct queue *q = state;
	const size_t size = q->elem_size;
	struct gate_seat *seat;
	bool open, sent = false;
	void *p = carry_pack(elem, size);

	if (!p)
		return -ENOMEM;
	seat = gate_enter(&q->gate, GATE_SEND);
	open = gate_is_open(&q->gate);
	if (open)
		sent = RING_ENQUEUE(&q->ring, q->slots, p);
	gate_leave(seat, GATE_SEND);
	if (sent) {
		ck_ec_inc(&q->items, &ec_mode);
		return 0;
	}
	carry_drop(p, size);
	if (open)
		return -EAGAIN;
	gate_await_shut(&q->gate);
	return -EPIPE;
}

static int ck_take(struct queue *q, void *elem)
{
	void *p;

	if (!RING_DEQUEUE(&q->ring, q->slots, &p))
		return -EAGAIN;
	ck_ec_inc(&q->spaces, &ec_mode);
	carry_unpack(p, elem, q->elem_size);
	return 0;
}

static int ck_try_recv(void *state, void *elem)
{
	struct queue *q = state;
	int err = ck_take(q, elem);

	if (err != -EAGAIN || !gate_is_shut(&q->gate))
		return err;
	err = ck_take(q, elem); /* what came before it was shut */
	return err == -EAGAIN ? -EPIPE : err;
}

/* Wait until the count is no longer `seen`. */
static int ck_wait(struct ck_ec32 *ec, uint32_t seen, int64_t deadline_ns)
{
	struct timespec until = { .tv_sec = deadline_ns / WEFT_SEC,
		                  .tv_nsec = deadline_ns % WEFT_SEC };
	int expired;

	if (deadline_ns <= 0)
		return -ETIMEDOUT;
	expired = ck_ec_wait(ec, &ec_mode, seen,
	                     deadline_ns == WEFT_FOREVER ? NULL : &until);
	return expired ? -ETIMEDOUT : 0;
}

static int ck_send(void *state, const void *elem, int64_t deadline_ns)
{
	struct queue *q = state;
	int err = ck_try_send(q, elem), expired = 0;
	uint32_t seen;

	while (err == -EAGAIN && !expired) {
		seen = ck_ec_value(&q->spaces);
		err = ck_try_send(q, elem);
		if (err == -EAGAIN) {
			expired = ck_wait(&q->spaces, seen, deadline_ns);
			err = ck_try_send(q, elem);
		}
	}
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

static int ck_recv(void *state, void *elem, int64_t deadline_ns)
{
	struct queue *q = state;
	int err = ck_try_recv(q, elem), expired = 0;
	uint32_t seen;

	while (err == -EAGAIN && !expired) {
		seen = ck_ec_value(&q->items);
		err = ck_try_recv(q, elem);
		if (err == -EAGAIN) {
			expired = ck_wait(&q->items, seen, deadline_ns);
			err = ck_try_recv(q, elem);
		}
	}
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

static int ck_close(void *state)
{
	struct queue *q = state;
	int err = gate_close(&q->gate, NULL, NULL);

	if (err)
		return err;
	ck_ec_inc(&q->items, &ec_mode);
	ck_ec_inc(&q->spaces, &ec_mode);
	return 0;
}

static size_t ck_len(const void *state)
{
	const struct queue *q = state;

	return ck_ring_size(&q->ring);
}

static size_t ck_cap(const void *state)
{
	const struct queue *q = state;

	return ck_ring_capacity(&q->ring) - 1;
}

static void ck_version_of(char *to, size_t bytes)
{
	snprintf(to, bytes, "%s", PEER_VERSION);
}

#define CK_CAN                                                                 \
	(WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |           \
	 WEFT_CAN_TIMEOUT | WEFT_CAN_LEN | WEFT_BLOCKS_THREAD)

#define CK_OPS                                                                 \
	.create = ck_create, .destroy = ck_destroy, .try_send = ck_try_send,   \
	.try_recv = ck_try_recv, .close = ck_close, .len = ck_len,             \
	.cap = ck_cap, .send = ck_send, .recv = ck_recv

#define CK_ADAPTER                                                             \
	ADDED_CLOSE "; waits on two ck_ec, of which each send and each "       \
	            "receive raises one; " ADDED_BOXES

#endif
