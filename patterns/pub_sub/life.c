/* The bus in the life-cycle suite, with one subscriber of one topic. */
#include <stdlib.h>

#include <weft/atomic.h>

#include "bus.h"
#include "testing/life.h"
#include "testing/testing.h"

#define TOPIC 7
#define ITEMS 65536

/* What goes into a ring is plain data, and stays in it: whether it came out is
 * noted here. */
static _Atomic bool in_ring[ITEMS];

struct net {
	struct weft_bus *bus;
	struct weft_sub *sub;
	bool ring;
};

static void *make(const struct life_opts *o)
{
	struct weft_bus_opts opts = *(const struct weft_bus_opts *)o->shape;
	struct net *n = calloc(1, sizeof(*n));

	CHECK(n != NULL);
	n->ring = opts.ring;
	opts.cap = 2;
	opts.elem_size = sizeof(uint64_t);
	opts.drop = opts.ring ? NULL : life_drop;
	opts.ctx = o->ctx;
	LIFE_NEW(weft_bus_new(&n->bus, &opts));
	if (weft_ctx_err(o->ctx))
		return n; /* takes no subscribers */
	LIFE_ADD(weft_sub_new(&n->sub, n->bus, NULL));
	LIFE_ADD(weft_sub_join(n->sub, TOPIC));
	return n;
}

static struct weft_bus *bus_of(const void *t)
{
	return t ? ((const struct net *)t)->bus : NULL;
}

static int in(void *t, uint64_t item, int64_t deadline_ns)
{
	struct net *n = t;
	int got;

	weft_store_relaxed(&in_ring[item % ITEMS], n && n->ring);
	got = weft_bus_publish(bus_of(t), TOPIC, &item, deadline_ns);
	if (got < 0) {
		weft_store_relaxed(&in_ring[item % ITEMS], false);
		return got;
	}
	CHECK_EQ(got, 1);
	return 0;
}

/* Without a subscriber: what it would have been told. */
static int out(void *t, uint64_t *item, int64_t deadline_ns)
{
	struct net *n = t;
	int err;

	if (n && !n->sub)
		return weft_bus_publish(n->bus, TOPIC, item, deadline_ns);
	err = weft_sub_recv(n ? n->sub : NULL, item, NULL, deadline_ns);
	if (!err)
		weft_store_relaxed(&in_ring[*item % ITEMS], false);
	return err;
}

LIFE_CALL(bus_close, (void *t), weft_bus_close(bus_of(t)))
LIFE_CALL(bus_stop, (void *t), weft_bus_stop(bus_of(t)))
LIFE_CALL(bus_fail, (void *t, int err), weft_bus_fail(bus_of(t), err))
LIFE_CALL(bus_join, (void *t, int64_t until), weft_bus_join(bus_of(t), until))
LIFE_CALL(bus_stats, (const void *t, void *out), weft_bus_stats(bus_of(t), out))

static void unmake(void *t)
{
	weft_bus_free(bus_of(t));
	for (uint64_t i = 0; t && i < ITEMS; i++)
		if (weft_xchg_relaxed(&in_ring[i], false))
			life_drop(&i, NULL);
	free(t);
}

#define BUS(title, tasks, ...)                                                 \
	{                                                                      \
		.name = title,                                                 \
		.shape = &(const struct weft_bus_opts){ __VA_ARGS__ },         \
		.make = make, .in = in, .out = out, .close = bus_close,        \
		.stop = bus_stop, .fail = bus_fail, .join = bus_join,          \
		.stats = bus_stats, .free = unmake, .senders = 9,              \
		.receivers = tasks                                             \
	}

const struct life life_bus[] = {
	BUS("queues", 9, .ring = false),
	BUS("ring", 1, .ring = true),
	{ .name = NULL },
};
