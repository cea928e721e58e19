/*
 * Each sender has a part of its own, and receivers go round the parts: each
 * sender's order is kept, and there is no order between two senders. What is
 * inside all parts together is bounded by the capacity.
 */
#include "core/chan/testing.h"

#define SHARDS 8

struct shard {
	size_t head, len;
};

struct sharded {
	struct ring ring; /* with as many slots for each shard */
	unsigned turn;    /* of the next receive */
	struct shard shard[SHARDS];
};

static int sharded_create(void **state, const struct weft_chan_config *config)
{
	struct weft_chan_config all = *config;
	struct sharded *s;

	if (__builtin_mul_overflow(config->cap, SHARDS, &all.cap))
		return -ENOMEM;
	s = ring_new(sizeof(*s), &all);
	if (!s)
		return -ENOMEM;
	s->ring.cap = config->cap;
	*state = s;
	return 0;
}

/* That of the calling thread, the same each time. */
static struct shard *mine(struct sharded *s)
{
	static _Atomic unsigned threads;
	static _Thread_local unsigned number; /* 0: none yet */

	if (!number)
		number = 1 + weft_fetch_add_relaxed(&threads, 1u);
	return &s->shard[number % SHARDS];
}

static unsigned char *slot(struct sharded *s, const struct shard *shard,
                           size_t i)
{
	size_t first = (size_t)(shard - s->shard) * s->ring.cap;

	return s->ring.buffer +
	       (first + (shard->head + i) % s->ring.cap) * s->ring.elem_size;
}

static int push(struct ring *r, const void *elem)
{
	struct sharded *s = (struct sharded *)r;
	struct shard *to = mine(s);

	ring_copy(r, slot(s, to, to->len++), elem);
	r->len++;
	return 0;
}

static void pop(struct ring *r, void *elem)
{
	struct sharded *s = (struct sharded *)r;
	struct shard *from;

	do
		from = &s->shard[s->turn++ % SHARDS];
	while (from->len == 0);
	ring_copy(r, elem, slot(s, from, 0));
	from->head = (from->head + 1) % r->cap;
	from->len--;
	r->len--;
}

static int sharded_try_send(void *state, const void *elem)
{
	return ring_send_by(state, elem, push);
}

static int sharded_try_recv(void *state, void *elem)
{
	return ring_recv_by(state, elem, pop);
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER, .name = "sharded",
	.summary = "a part for each sender",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_PRODUCER_FIFO | WEFT_CAN_TIMEOUT |
	       WEFT_CAN_SELECT | WEFT_CAN_LEN,
	RING_OPS_BUT(sharded_create, sharded_try_send, sharded_try_recv)
};
