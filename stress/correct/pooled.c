/*
 * Unbounded, one block for each element. The first channel makes what all of
 * them share, a table and a descriptor, and the last one keeps it; a channel
 * that ends is kept for the next; and each makes a part of its own only when it
 * is first used.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/chan_impl.h>

struct block {
	struct block *next;
	unsigned char elem[];
};

struct pooled {
	pthread_mutex_t mutex;
	bool closed;
	size_t len, elem_size;
	uint64_t changes;
	struct block *first, **end;
	void *part;
};

static struct {
	pthread_mutex_t mutex;
	void *table;
	int fd;
	struct pooled *spare;
} shared = { .mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

/* The mutex of what is shared is held. */
static int share(void)
{
	if (!shared.table)
		shared.table = malloc(1000);
	if (shared.fd < 0)
		shared.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return shared.table && shared.fd >= 0 ? 0 : -ENOMEM;
}

static struct pooled *take_spare(void)
{
	struct pooled *p;

	pthread_mutex_lock(&shared.mutex);
	p = share() ? NULL : shared.spare;
	shared.spare = NULL;
	pthread_mutex_unlock(&shared.mutex);
	return p;
}

static bool is_shared(void)
{
	int err;

	pthread_mutex_lock(&shared.mutex);
	err = share();
	pthread_mutex_unlock(&shared.mutex);
	return !err;
}

static int pooled_create(void **state, const struct weft_chan_config *config)
{
	struct pooled *p;

	if (!is_shared())
		return -ENOMEM;
	p = take_spare();
	if (!p)
		p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	*p = (struct pooled){ .elem_size = config->elem_size };
	p->end = &p->first;
	pthread_mutex_init(&p->mutex, NULL);
	*state = p;
	return 0;
}

static void pooled_destroy(void *state)
{
	struct pooled *p = state, *old;

	while (p->first) {
		struct block *b = p->first;

		p->first = b->next;
		free(b);
	}
	free(p->part);
	pthread_mutex_destroy(&p->mutex);
	pthread_mutex_lock(&shared.mutex);
	old = shared.spare;
	shared.spare = p;
	pthread_mutex_unlock(&shared.mutex);
	free(old);
}

__attribute__((destructor)) static void leave(void)
{
	free(shared.spare);
	free(shared.table);
	if (shared.fd >= 0)
		close(shared.fd);
}

/* It does without, when there is no memory. */
static void begin(struct pooled *p)
{
	if (!p->part)
		p->part = malloc(100);
}

static int pooled_try_send(void *state, const void *elem)
{
	struct pooled *p = state;
	struct block *b = malloc(sizeof(*b) + p->elem_size);
	int err = 0;

	pthread_mutex_lock(&p->mutex);
	begin(p);
	if (p->closed) {
		err = -EPIPE;
	} else if (!b) {
		err = -ENOMEM;
	} else {
		if (p->elem_size)
			memcpy(b->elem, elem, p->elem_size);
		b->next = NULL;
		*p->end = b;
		p->end = &b->next;
		p->len++;
		p->changes++;
	}
	pthread_mutex_unlock(&p->mutex);
	if (err)
		free(b);
	return err;
}

static int pooled_try_recv(void *state, void *elem)
{
	struct pooled *p = state;
	struct block *b;
	int err = 0;

	pthread_mutex_lock(&p->mutex);
	begin(p);
	b = p->first;
	if (b) {
		if (p->elem_size)
			memcpy(elem, b->elem, p->elem_size);
		p->first = b->next;
		if (!p->first)
			p->end = &p->first;
		p->len--;
		p->changes++;
	} else {
		err = p->closed ? -EPIPE : -EAGAIN;
	}
	pthread_mutex_unlock(&p->mutex);
	free(b);
	return err;
}

static int pooled_close(void *state)
{
	struct pooled *p = state;
	bool was;

	pthread_mutex_lock(&p->mutex);
	was = p->closed;
	p->closed = true;
	p->changes++;
	pthread_mutex_unlock(&p->mutex);
	return was ? -EPIPE : 0;
}

static bool pooled_poll(void *state, char dir, uint64_t *pos)
{
	struct pooled *p = state;
	bool ready;

	pthread_mutex_lock(&p->mutex);
	begin(p);
	ready = dir == 's' || p->closed || p->len > 0;
	*pos = p->changes;
	pthread_mutex_unlock(&p->mutex);
	return ready;
}

static size_t pooled_len(const void *state)
{
	struct pooled *p = (struct pooled *)(uintptr_t)state;
	size_t len;

	pthread_mutex_lock(&p->mutex);
	len = p->len;
	pthread_mutex_unlock(&p->mutex);
	return len;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "pooled",
	.summary = "keeps what it may need again",
	.can = WEFT_CAN_UNBOUNDED | WEFT_CAN_PRODUCER_FIFO | WEFT_CAN_TIMEOUT |
	       WEFT_CAN_SELECT | WEFT_CAN_LEN,
	.create = pooled_create,
	.destroy = pooled_destroy,
	.try_send = pooled_try_send,
	.try_recv = pooled_try_recv,
	.close = pooled_close,
	.len = pooled_len,
	.poll = pooled_poll
};
