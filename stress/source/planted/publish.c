/*
 * publish: a correct channel for tests, given as source, of which each way to
 * publish can be made too weak by a flag of its compiler:
 *
 *	-DHOW=LINK    a list: the link to a node publishes it (the default)
 *	-DHOW=TURN    a ring: the turn of a slot does
 *	-DHOW=COUNT   a ring: the count of what is complete does
 *	-DPUBLISH=weft_store_relaxed   that store does not
 *	-DCLOSED=weft_store_relaxed    that of the closed flag does not
 *	-DFORGETS                      destroy frees no list
 *	-DEARLY                        a send looks for a close before it may
 *	-DSHRUGS                       a send without memory says that it sent
 *	-DSPINS                        locks are waited for without a yield
 *	-DWAITS                        it waits by a condition variable
 *	-DWAITS -DONCE                 and one for no reason counts as late
 *
 * One lock for senders, one for receivers, so what is published is all that
 * orders one side before the other.
 */
#define _GNU_SOURCE /* pthread_cond_clockwait */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>
#include <weft/task.h>

#define LINK 1
#define TURN 2
#define COUNT 3

#ifndef HOW
#define HOW LINK
#endif
#ifndef PUBLISH
#define PUBLISH weft_store_release
#endif
#ifdef SHRUGS
#define NO_MEMORY 0
#else
#define NO_MEMORY (-ENOMEM)
#endif
#ifndef CLOSED
#define CLOSED weft_store_release
#endif
#ifdef SPINS
#define RELENT(turn) ((void)(turn))
#else
#define RELENT(turn) weft_relent(turn)
#endif
#ifndef ONCE
#define ONCE 0
#endif

struct node {
	WEFT_ATOMIC(struct node *) next;
	WEFT_ATOMIC(uint64_t) turn;
	unsigned char elem[];
};

struct channel {
	size_t cap, elem_size;
	WEFT_ATOMIC(bool) closed;
	uint64_t final; /* sent before it was closed; published by closed */

	WEFT_ATOMIC(bool) send_lock;
	uint64_t sent;              /* under send_lock */
	WEFT_ATOMIC(uint64_t) done; /* of those; written under send_lock */
	struct node *last;

	WEFT_ATOMIC(bool) recv_lock;
	WEFT_ATOMIC(uint64_t) received; /* written under recv_lock */
	struct node *first;             /* of a list: the one before */
	struct node **slots;

#ifdef WAITS
	pthread_mutex_t mutex;
	pthread_cond_t change; /* after it, under the mutex */
	uint64_t changes;
#endif
};

static void lock(WEFT_ATOMIC(bool) * l)
{
	for (unsigned turn = 0; weft_xchg_acquire(l, true); turn++)
		RELENT(turn);
}

static void unlock(WEFT_ATOMIC(bool) * l)
{
	weft_store_release(l, false);
}

static struct node *node_new(const struct channel *c)
{
	return calloc(1, sizeof(struct node) + c->elem_size);
}

static void destroy(void *state)
{
	struct channel *c = state;

	while (c->first) {
		struct node *n = c->first;

		c->first = weft_load_relaxed(&n->next);
#ifndef FORGETS
		free(n);
#endif
	}
	for (size_t i = 0; c->slots && i < c->cap; i++)
		free(c->slots[i]);
	free(c->slots);
	free(c);
}

static int create(void **state, const struct weft_chan_config *config)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->cap = config->cap;
	c->elem_size = config->elem_size;
#ifdef WAITS
	pthread_mutex_init(&c->mutex, NULL);
	pthread_cond_init(&c->change, NULL);
#endif
	c->first = c->last = node_new(c);
	c->slots = HOW == LINK ? NULL : calloc(c->cap, sizeof(struct node *));
	for (size_t i = 0; c->slots && i < c->cap; i++)
		if (!(c->slots[i] = node_new(c)))
			goto no_memory;
	if (c->first && (c->slots || HOW == LINK)) {
		*state = c;
		return 0;
	}
no_memory:
	destroy(c);
	return -ENOMEM;
}

/* Under send_lock, with room. */
static int push(struct channel *c, const void *elem)
{
	struct node *n = HOW == LINK ? node_new(c) : c->slots[c->sent % c->cap];

	if (!n)
		return NO_MEMORY;
	memcpy(n->elem, elem, c->elem_size);
	c->sent++;
	if (HOW == TURN)
		PUBLISH(&n->turn, c->sent);
	if (HOW == COUNT)
		PUBLISH(&c->done, c->sent);
	if (HOW == LINK) {
		PUBLISH(&c->last->next, n);
		c->last = n;
	}
	return 0;
}

static int try_send(void *state, const void *elem)
{
	struct channel *c = state;
	bool closed;
	int err;

	closed = weft_load_relaxed(&c->closed);
	lock(&c->send_lock);
#ifndef EARLY
	closed = weft_load_relaxed(&c->closed);
#endif
	if (closed)
		err = -EPIPE;
	else if (HOW != LINK &&
	         c->sent - weft_load_acquire(&c->received) >= c->cap)
		err = -EAGAIN;
	else
		err = push(c, elem);
	unlock(&c->send_lock);
	return err;
}

/* Under recv_lock: the next one, if it is there. */
static struct node *next(struct channel *c, uint64_t received)
{
	if (HOW == LINK)
		return weft_load_acquire(&c->first->next);
	if (HOW == COUNT)
		return weft_load_acquire(&c->done) > received
		               ? c->slots[received % c->cap]
		               : NULL;
	return weft_load_acquire(&c->slots[received % c->cap]->turn) ==
	                       received + 1
	               ? c->slots[received % c->cap]
	               : NULL;
}

static void pop(struct channel *c, struct node *n, void *elem,
                uint64_t received)
{
	memcpy(elem, n->elem, c->elem_size);
	if (HOW == LINK) {
		free(c->first);
		c->first = n;
	}
	weft_store_release(&c->received, received + 1);
}

static int try_recv(void *state, void *elem)
{
	struct channel *c = state;
	uint64_t received;
	struct node *n;
	int err = 0;

	lock(&c->recv_lock);
	received = weft_load_relaxed(&c->received);
	n = next(c, received);
	/* Nothing is sent once it is closed: then a second look is enough. */
	if (!n && weft_load_acquire(&c->closed)) {
		n = next(c, received);
		err = received == c->final ? -EPIPE : -EAGAIN;
	} else if (!n) {
		err = -EAGAIN;
	}
	if (n) {
		pop(c, n, elem, received);
		err = 0;
	}
	unlock(&c->recv_lock);
	return err;
}

static int close_it(void *state)
{
	struct channel *c = state;
	bool was;

	lock(&c->send_lock);
	was = weft_load_relaxed(&c->closed);
	if (!was) {
		c->final = c->sent;
		CLOSED(&c->closed, true);
	}
	unlock(&c->send_lock);
	return was ? -EPIPE : 0;
}

static size_t len(const void *state)
{
	struct channel *c = (struct channel *)(uintptr_t)state;
	uint64_t sent;
	size_t n;

	lock(&c->send_lock);
	sent = c->sent;
	n = (size_t)(sent - weft_load_acquire(&c->received));
	unlock(&c->send_lock);
	return n;
}

#ifdef WAITS

static int told(struct channel *c, int err)
{
	if (!err) {
		pthread_mutex_lock(&c->mutex);
		c->changes++;
		pthread_cond_broadcast(&c->change);
		pthread_mutex_unlock(&c->mutex);
	}
	return err;
}

static int told_send(void *state, const void *elem)
{
	return told(state, try_send(state, elem));
}

static int told_recv(void *state, void *elem)
{
	return told(state, try_recv(state, elem));
}

static int told_close(void *state)
{
	return told(state, close_it(state));
}

static int try_either(struct channel *c, void *elem, bool receives)
{
	return receives ? try_recv(c, elem) : try_send(c, elem);
}

static int waits(struct channel *c, void *elem, bool receives,
                 int64_t deadline_ns)
{
	struct timespec at = { .tv_sec = deadline_ns / WEFT_SEC,
		               .tv_nsec = deadline_ns % WEFT_SEC };
	bool late = deadline_ns <= 0;
	int err;

	pthread_mutex_lock(&c->mutex);
	while ((err = try_either(c, elem, receives)) == -EAGAIN && !late) {
		uint64_t before = c->changes;

		late = pthread_cond_clockwait(&c->change, &c->mutex,
		                              CLOCK_MONOTONIC, &at) != 0;
		late |= ONCE && c->changes == before;
	}
	pthread_mutex_unlock(&c->mutex);
	return err == -EAGAIN ? -ETIMEDOUT : told(c, err);
}

static int told_wait_send(void *state, const void *elem, int64_t deadline_ns)
{
	return waits(state, (void *)(uintptr_t)elem, false, deadline_ns);
}

static int told_wait_recv(void *state, void *elem, int64_t deadline_ns)
{
	return waits(state, elem, true, deadline_ns);
}

#define BLOCKS WEFT_BLOCKS_THREAD
#define OPERATIONS                                                             \
	.try_send = told_send, .try_recv = told_recv, .close = told_close,     \
	.send = told_wait_send, .recv = told_wait_recv
#else
#define BLOCKS 0
#define OPERATIONS .try_send = try_send, .try_recv = try_recv, .close = close_it
#endif

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "publish",
	.summary = "for tests: two locks, and one store that publishes",
	.can = (HOW == LINK ? WEFT_CAN_UNBOUNDED : WEFT_CAN_BOUNDED) |
	       WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO | WEFT_CAN_TIMEOUT |
	       WEFT_CAN_LEN | BLOCKS,
	.create = create,
	.destroy = destroy,
	OPERATIONS,
	.len = len,
};
