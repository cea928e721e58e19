/*
 * Each sender has a part of its own, and receivers go round the parts: each
 * sender's order is kept, and there is no order between two senders. What is
 * inside all parts together is bounded by the capacity.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>
#include <weft/task.h>

#define SHARDS 8

struct shard {
	size_t head, len;
	unsigned char *slots;
};

struct sharded {
	_Atomic bool locked;
	bool closed;
	size_t len, cap, elem_size;
	uint64_t changes;
	unsigned turn; /* of the next receive */
	struct shard shard[SHARDS];
	unsigned char slots[];
};

static void lock(struct sharded *s)
{
	while (weft_xchg_acquire(&s->locked, true))
		weft_yield();
}

static void unlock(struct sharded *s)
{
	weft_store_release(&s->locked, false);
}

static int sharded_create(void **state, const struct weft_chan_config *config)
{
	struct sharded *s;
	size_t each;

	if (config->cap > (SIZE_MAX - sizeof(*s)) / WEFT_ELEM_MAX / SHARDS)
		return -ENOMEM;
	each = config->cap * config->elem_size;
	s = calloc(1, sizeof(*s) + SHARDS * each);
	if (!s)
		return -ENOMEM;
	s->cap = config->cap;
	s->elem_size = config->elem_size;
	for (unsigned i = 0; i < SHARDS; i++)
		s->shard[i].slots = s->slots + i * each;
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

static unsigned char *slot(struct sharded *s, struct shard *shard, size_t i)
{
	return shard->slots + (shard->head + i) % s->cap * s->elem_size;
}

static int sharded_try_send(void *state, const void *elem)
{
	struct sharded *s = state;
	struct shard *to = mine(s);
	int err = 0;

	lock(s);
	if (s->closed) {
		err = -EPIPE;
	} else if (s->len == s->cap) {
		err = -EAGAIN;
	} else {
		if (s->elem_size)
			memcpy(slot(s, to, to->len), elem, s->elem_size);
		to->len++;
		s->len++;
		s->changes++;
	}
	unlock(s);
	return err;
}

static int sharded_try_recv(void *state, void *elem)
{
	struct sharded *s = state;
	struct shard *from;
	int err = 0;

	lock(s);
	if (s->len > 0) {
		do
			from = &s->shard[s->turn++ % SHARDS];
		while (from->len == 0);
		if (s->elem_size)
			memcpy(elem, slot(s, from, 0), s->elem_size);
		from->head = (from->head + 1) % s->cap;
		from->len--;
		s->len--;
		s->changes++;
	} else {
		err = s->closed ? -EPIPE : -EAGAIN;
	}
	unlock(s);
	return err;
}

static int sharded_close(void *state)
{
	struct sharded *s = state;
	bool was;

	lock(s);
	was = s->closed;
	s->closed = true;
	s->changes++;
	unlock(s);
	return was ? -EPIPE : 0;
}

static bool sharded_poll(void *state, char dir, uint64_t *pos)
{
	struct sharded *s = state;
	bool ready;

	lock(s);
	ready = s->closed || (dir == 's' ? s->len < s->cap : s->len > 0);
	*pos = s->changes;
	unlock(s);
	return ready;
}

static size_t sharded_len(const void *state)
{
	struct sharded *s = (struct sharded *)(uintptr_t)state;
	size_t len;

	lock(s);
	len = s->len;
	unlock(s);
	return len;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "sharded",
	.summary = "a part for each sender",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_PRODUCER_FIFO | WEFT_CAN_TIMEOUT |
	       WEFT_CAN_SELECT | WEFT_CAN_LEN,
	.create = sharded_create,
	.destroy = free,
	.try_send = sharded_try_send,
	.try_recv = sharded_try_recv,
	.close = sharded_close,
	.len = sharded_len,
	.poll = sharded_poll
};
