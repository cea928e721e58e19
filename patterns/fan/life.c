/* The fan and the relay in the life-cycle suite. */
#include <stdlib.h>
#include <string.h>

#include "fan.h"
#include "relay.h"
#include "testing/life.h"
#include "testing/testing.h"

/* --- fan --- */

static int pass(const void *in, void *out, unsigned worker, void *arg)
{
	(void)worker;
	(void)arg;
	memcpy(out, in, sizeof(uint64_t));
	return WEFT_EMIT;
}

static void *make_fan(const struct life_opts *o)
{
	struct weft_fan_opts opts = *(const struct weft_fan_opts *)o->shape;
	struct weft_fan *f;

	opts.fn = pass;
	opts.workers = opts.workers ? opts.workers : 3;
	opts.cap = 2;
	opts.window = 4;
	opts.elem_size = sizeof(uint64_t);
	opts.drop_in = opts.drop_out = life_drop;
	opts.ctx = o->ctx;
	LIFE_NEW(weft_fan_new(&f, &opts));
	return f;
}

LIFE_SEND_RECV(fan)
LIFE_CLOSE(fan)
LIFE_STOP_FAIL_FREE(fan)
LIFE_JOIN(fan)
LIFE_STATS(fan)

#define FAN(title, ...)                                                        \
	{                                                                      \
		.name = title,                                                 \
		.shape = &(const struct weft_fan_opts){ __VA_ARGS__ },         \
		.make = make_fan, .in = fan_send, .out = fan_recv,             \
		.close = fan_close, .stop = fan_stop, .fail = fan_fail,        \
		.join = fan_join, .stats = fan_stats, .free = fan_free,        \
		.senders = 9, .receivers = 9                                   \
	}

const struct life life_fan[] = {
	FAN("shared", .on_error = WEFT_ON_ERROR_SKIP),
	FAN("round robin", .deal = WEFT_FAN_ROUND_ROBIN, .batch = 3),
	FAN("random", .deal = WEFT_FAN_RANDOM),
	FAN("least loaded", .deal = WEFT_FAN_LEAST_LOADED),
	FAN("ordered", .merge = WEFT_FAN_ORDERED, .batch = 2),
	FAN("ordered round robin", .merge = WEFT_FAN_ORDERED,
	    .deal = WEFT_FAN_ROUND_ROBIN),
	FAN("ordered random", .merge = WEFT_FAN_ORDERED,
	    .deal = WEFT_FAN_RANDOM),
	FAN("ordered least loaded", .merge = WEFT_FAN_ORDERED,
	    .deal = WEFT_FAN_LEAST_LOADED, .batch = 2),
	/* To one worker, so that an item comes out once. */
	FAN("pumped", .deal = WEFT_FAN_BROADCAST, .workers = 1),
	{ .name = NULL },
};

/* --- relay --- */

struct relay_shape {
	size_t nfrom; /* 1: a broadcast */
	enum weft_merge_by by;
};

/* Between channels that hold nothing, so that after a stop nothing is left to
 * be received. */
struct net {
	struct weft_relay *r;
	struct weft_chan *from[2], *to;
	size_t nfrom;
};

static void *make_net(const struct life_opts *o)
{
	const struct relay_shape *shape = o->shape;
	struct weft_relay_opts opts = { .by = shape->by,
		                        .drop = life_drop,
		                        .ctx = o->ctx };
	struct net *n = calloc(1, sizeof(*n));

	CHECK(n != NULL);
	n->nfrom = shape->nfrom;
	for (size_t i = 0; i < n->nfrom; i++)
		n->from[i] = testing_chan("handoff", 0, sizeof(uint64_t));
	n->to = testing_chan("handoff", 0, sizeof(uint64_t));
	LIFE_NEW(n->nfrom > 1
	                 ? weft_merge(&n->r, n->to, n->from, n->nfrom, &opts)
	                 : weft_broadcast(&n->r, &n->to, 1, n->from[0], &opts));
	return n;
}

static int relay_close(void *t)
{
	struct net *net = t;
	int err = 0;

	for (size_t i = 0; i < net->nfrom && !err; i++)
		err = weft_chan_close(net->from[i]);
	return err;
}

static struct weft_relay *relay_of(const void *t)
{
	return t ? ((const struct net *)t)->r : NULL;
}

/* Into the first input, while the others are open and give nothing. */
LIFE_CALL(relay_in, (void *t, uint64_t item, int64_t until),
          weft_chan_send(((struct net *)t)->from[0], &item, until))
LIFE_CALL(relay_out, (void *t, uint64_t *item, int64_t until),
          weft_chan_recv(((struct net *)t)->to, item, until))
LIFE_CALL(relay_stop, (void *t), weft_relay_stop(relay_of(t)))
LIFE_CALL(relay_fail, (void *t, int err), weft_relay_fail(relay_of(t), err))
LIFE_CALL(relay_join, (void *t, int64_t until),
          weft_relay_join(relay_of(t), until))
LIFE_CALL(relay_stats, (const void *t, void *out),
          weft_relay_stats(relay_of(t), 0, out))

static void relay_free(void *t)
{
	struct net *net = t;

	weft_relay_free(relay_of(t));
	for (size_t i = 0; net && i < net->nfrom; i++)
		weft_chan_unref(net->from[i]);
	if (net)
		weft_chan_unref(net->to);
	free(net);
}

#define RELAY(title, ...)                                                      \
	{                                                                      \
		.name = title,                                                 \
		.shape = &(const struct relay_shape){ __VA_ARGS__ },           \
		.make = make_net, .in = relay_in, .out = relay_out,            \
		.close = relay_close, .stop = relay_stop, .fail = relay_fail,  \
		.join = relay_join, .stats = relay_stats, .free = relay_free,  \
		.senders = 9, .receivers = 9, .closes_only = true              \
	}

const struct life life_relay[] = {
	RELAY("forwarders", 2, WEFT_MERGE_BY_FORWARDERS),
	RELAY("select", 2, WEFT_MERGE_BY_SELECT),
	/* To one channel, so that an element comes out once. */
	RELAY("broadcast", 1, WEFT_MERGE_BY_FORWARDERS),
	{ .name = NULL },
};
