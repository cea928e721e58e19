/*
 * rendezvous: an example of a channel that does its own waiting.
 *
 *	cc -std=gnu17 -O2 -fPIC -shared $(pkg-config --cflags weft) \
 *		-o rendezvous.so rendezvous.c
 *	weft check --load=./rendezvous.so
 *
 * Capacity 0 and nothing else: a send and a receive happen together. A mutex
 * and one condition variable for all do the waiting, which blocks the thread
 * and says so. A call that finds a peer waiting finishes the peer's call; the
 * peer only learns of it.
 *
 * gnu17: condition variables that wait on CLOCK_MONOTONIC are of POSIX, and
 * -std=c17 hides what is not of C.
 *
 * Invariants, under the mutex: senders wait only while no receiver waits, and
 * the other way round; both queues are in order of arrival, which is all that
 * WEFT_CAN_FIFO can mean at capacity 0; once closed, nothing is met any more.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weft/chan_impl.h>

/* A call that waits, on its stack; guarded by the mutex. */
struct waiting {
	struct waiting *next;
	void *elem;
	bool met;
};

struct rendezvous {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool closed;
	struct waiting *senders, *receivers;
	size_t elem_size;
};

static int rendezvous_create(void **state,
                             const struct weft_chan_config *config)
{
	struct rendezvous *r = calloc(1, sizeof(*r));
	pthread_condattr_t attr;

	if (!r)
		return -ENOMEM;
	r->elem_size = config->elem_size;
	pthread_mutex_init(&r->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->changed, &attr);
	pthread_condattr_destroy(&attr);
	*state = r;
	return 0;
}

static void rendezvous_destroy(void *state)
{
	struct rendezvous *r = state;

	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->mutex);
	free(r);
}

static void push(struct waiting **to, struct waiting *w)
{
	while (*to)
		to = &(*to)->next;
	*to = w;
}

static void take_out(struct waiting **from, const struct waiting *w)
{
	while (*from != w)
		from = &(*from)->next;
	*from = w->next;
}

/* The mutex is held. A call that waits when the channel is closed has failed,
 * told so yet or not: so this looks for that first. */
static int meet(struct rendezvous *r, void *elem, bool sends)
{
	struct waiting **peers = sends ? &r->receivers : &r->senders;
	struct waiting *peer = *peers;

	if (r->closed)
		return -EPIPE;
	if (!peer)
		return -EAGAIN;
	*peers = peer->next;
	if (r->elem_size)
		memcpy(sends ? peer->elem : elem, sends ? elem : peer->elem,
		       r->elem_size);
	peer->met = true;
	pthread_cond_broadcast(&r->changed);
	return 0;
}

/* The mutex is held. False once the deadline has passed. */
static bool doze(struct rendezvous *r, int64_t deadline_ns)
{
	struct timespec at = { .tv_sec = deadline_ns / WEFT_SEC,
		               .tv_nsec = deadline_ns % WEFT_SEC };

	if (deadline_ns <= 0)
		return false;
	if (deadline_ns > WEFT_FOREVER / 4)
		return pthread_cond_wait(&r->changed, &r->mutex) == 0;
	return pthread_cond_timedwait(&r->changed, &r->mutex, &at) == 0;
}

static int call(struct rendezvous *r, void *elem, int64_t deadline_ns,
                bool sends)
{
	struct waiting **mine = sends ? &r->senders : &r->receivers;
	struct waiting w = { .elem = elem };
	bool in_time = true;
	int err;

	pthread_mutex_lock(&r->mutex);
	err = meet(r, elem, sends);
	if (err == -EAGAIN) {
		push(mine, &w);
		while (!w.met && !r->closed && in_time)
			in_time = doze(r, deadline_ns);
		if (!w.met)
			take_out(mine, &w);
		err = w.met ? 0 : r->closed ? -EPIPE : -ETIMEDOUT;
	}
	pthread_mutex_unlock(&r->mutex);
	return err;
}

static int rendezvous_send(void *state, const void *elem, int64_t deadline_ns)
{
	return call(state, (void *)(uintptr_t)elem, deadline_ns, true);
}

static int rendezvous_recv(void *state, void *elem, int64_t deadline_ns)
{
	return call(state, elem, deadline_ns, false);
}

static int try_call(struct rendezvous *r, void *elem, bool sends)
{
	int err;

	pthread_mutex_lock(&r->mutex);
	err = meet(r, elem, sends);
	pthread_mutex_unlock(&r->mutex);
	return err;
}

static int rendezvous_try_send(void *state, const void *elem)
{
	return try_call(state, (void *)(uintptr_t)elem, true);
}

static int rendezvous_try_recv(void *state, void *elem)
{
	return try_call(state, elem, false);
}

static int rendezvous_close(void *state)
{
	struct rendezvous *r = state;
	bool was;

	pthread_mutex_lock(&r->mutex);
	was = r->closed;
	r->closed = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->mutex);
	return was ? -EPIPE : 0;
}

static size_t rendezvous_len(const void *state)
{
	(void)state;
	return 0;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "rendezvous",
	.summary = "an example: capacity 0, waits by itself",
	.can = WEFT_CAN_RENDEZVOUS | WEFT_CAN_FIFO | WEFT_CAN_TIMEOUT |
	       WEFT_BLOCKS_THREAD,
	.create = rendezvous_create,
	.destroy = rendezvous_destroy,
	.try_send = rendezvous_try_send,
	.try_recv = rendezvous_try_recv,
	.close = rendezvous_close,
	.len = rendezvous_len,
	.send = rendezvous_send,
	.recv = rendezvous_recv
};
