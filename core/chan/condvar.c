/*
 * condvar: a mutex, two condition variables and a ring; what every tutorial
 * shows, done right. The baseline that the others are measured against.
 *
 * A select that waits here does so as everywhere else and not on a condition
 * variable; each success signals one and lets the front notify.
 *
 * It blocks the OS thread, so it waits on the machine's clock and not on a
 * manual one. glibc before 2.41 can, very rarely, lose a wake-up of a
 * condition variable (sourceware 25847): a hang here may be that.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/cacheline.h"
#include "base/clock.h"
#include "chan/elem.h"
#include "chan/internal.h"
#include "task/internal.h"

struct condvar {
	pthread_mutex_t lock;
	pthread_cond_t not_full, not_empty;
	bool closed;
	size_t head;
	_Atomic size_t len; /* written under the lock */
	uint64_t pushed, popped;

	size_t cap, elem_size; /* constant */
	_Atomic uint64_t parks;
	_Alignas(WEFT_CACHE_LINE) unsigned char buffer[];
};

/* A condition variable that measures its deadlines on CLOCK_MONOTONIC. */
static int cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int err = pthread_condattr_init(&attr);

	if (err)
		return -err;
	err = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (!err)
		err = pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
	return -err;
}

static int condvar_create(void **state, const struct weft_chan_config *config)
{
	struct condvar *q;
	int err;

	q = cacheline_alloc(sizeof(*q), config->cap, config->elem_size);
	if (!q)
		return -ENOMEM;
	err = -pthread_mutex_init(&q->lock, NULL);
	if (err)
		goto free_q;
	err = cond_init(&q->not_full);
	if (err)
		goto destroy_lock;
	err = cond_init(&q->not_empty);
	if (err)
		goto destroy_not_full;
	q->closed = false;
	q->head = 0;
	weft_store_relaxed(&q->len, 0u);
	q->pushed = q->popped = 0;
	q->cap = config->cap;
	q->elem_size = config->elem_size;
	weft_store_relaxed(&q->parks, 0u);
	*state = q;
	return 0;

destroy_not_full:
	pthread_cond_destroy(&q->not_full);
destroy_lock:
	pthread_mutex_destroy(&q->lock);
free_q:
	free(q);
	return err;
}

static void condvar_destroy(void *state)
{
	struct condvar *q = state;

	pthread_cond_destroy(&q->not_empty);
	pthread_cond_destroy(&q->not_full);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

static size_t condvar_len_of(const struct condvar *q)
{
	return weft_load_relaxed(&q->len);
}

static unsigned char *condvar_slot(struct condvar *q, size_t i)
{
	size_t at = q->head + i;

	return q->buffer + (at < q->cap ? at : at - q->cap) * q->elem_size;
}

static void condvar_push(struct condvar *q, const void *elem)
{
	elem_copy(condvar_slot(q, condvar_len_of(q)), elem, q->elem_size);
	weft_store_relaxed(&q->len, condvar_len_of(q) + 1);
	q->pushed++;
}

static void condvar_pop(struct condvar *q, void *elem)
{
	elem_copy(elem, condvar_slot(q, 0), q->elem_size);
	q->head = q->head + 1 < q->cap ? q->head + 1 : 0;
	weft_store_relaxed(&q->len, condvar_len_of(q) - 1);
	q->popped++;
}

/* One wait on a condition; the caller holds the lock and tests again.
 * -ETIMEDOUT once the deadline has expired. */
static int condvar_wait_on(struct condvar *q, pthread_cond_t *cond,
                           const char *what, int64_t deadline_ns)
{
	struct timespec until = clock_timespec(deadline_ns);
	int err;

	if (deadline_ns <= WEFT_NOW)
		return -ETIMEDOUT;
	weft_fetch_add_relaxed(&q->parks, 1u);
	weft_block_begin(what, q);
	if (deadline_ns == WEFT_FOREVER)
		err = pthread_cond_wait(cond, &q->lock);
	else
		err = pthread_cond_timedwait(cond, &q->lock, &until);
	weft_block_done();
	return -err;
}

static int condvar_send(void *state, const void *elem, int64_t deadline_ns)
{
	struct condvar *q = state;
	int err = 0;

	pthread_mutex_lock(&q->lock);
	while (!q->closed && condvar_len_of(q) == q->cap && !err)
		err = condvar_wait_on(q, &q->not_full, "condvar send",
		                      deadline_ns);
	if (q->closed) {
		err = -EPIPE;
	} else if (condvar_len_of(q) < q->cap) {
		condvar_push(q, elem);
		err = 0;
	}
	pthread_mutex_unlock(&q->lock);
	if (!err)
		pthread_cond_signal(&q->not_empty);
	return err;
}

static int condvar_recv(void *state, void *elem, int64_t deadline_ns)
{
	struct condvar *q = state;
	int err = 0;

	pthread_mutex_lock(&q->lock);
	while (!q->closed && condvar_len_of(q) == 0 && !err)
		err = condvar_wait_on(q, &q->not_empty, "condvar recv",
		                      deadline_ns);
	if (condvar_len_of(q) > 0) {
		condvar_pop(q, elem);
		err = 0;
	} else if (q->closed) {
		err = -EPIPE;
	}
	pthread_mutex_unlock(&q->lock);
	if (!err)
		pthread_cond_signal(&q->not_full);
	return err;
}

static int condvar_try_send(void *state, const void *elem)
{
	int err = condvar_send(state, elem, WEFT_NOW);

	return err == -ETIMEDOUT ? -EAGAIN : err;
}

static int condvar_try_recv(void *state, void *elem)
{
	int err = condvar_recv(state, elem, WEFT_NOW);

	return err == -ETIMEDOUT ? -EAGAIN : err;
}

static int condvar_close(void *state)
{
	struct condvar *q = state;
	bool was;

	pthread_mutex_lock(&q->lock);
	was = q->closed;
	q->closed = true;
	pthread_mutex_unlock(&q->lock);
	if (was)
		return -EPIPE;
	pthread_cond_broadcast(&q->not_full);
	pthread_cond_broadcast(&q->not_empty);
	return 0;
}

static size_t condvar_len(const void *state)
{
	return condvar_len_of(state);
}

/* What ends a wait for an element is a push, for space a pop. */
static bool condvar_poll(void *state, char dir, uint64_t *pos)
{
	struct condvar *q = state;
	bool ready;

	pthread_mutex_lock(&q->lock);
	*pos = (dir == 's' ? q->popped : q->pushed) << 1 | q->closed;
	ready = q->closed || condvar_len_of(q) != (dir == 's' ? q->cap : 0);
	pthread_mutex_unlock(&q->lock);
	return ready;
}

static void condvar_stats(const void *state, struct weft_chan_stats *add_to)
{
	const struct condvar *q = state;

	add_to->parks += weft_load_relaxed(&q->parks);
}

const struct weft_chan_impl weft_chan_impl_condvar = {
	WEFT_CHAN_ABI_HEADER,
	.name = "condvar",
	.summary =
	        "mutex, two condition variables, ring: the textbook baseline",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_SELECT | WEFT_CAN_TIMEOUT | WEFT_CAN_LEN |
	       WEFT_BLOCKS_THREAD,
	.create = condvar_create,
	.destroy = condvar_destroy,
	.try_send = condvar_try_send,
	.try_recv = condvar_try_recv,
	.close = condvar_close,
	.len = condvar_len,
	.send = condvar_send,
	.recv = condvar_recv,
	.poll = condvar_poll,
	.stats = condvar_stats,
};
