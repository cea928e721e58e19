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

static void *make_fan(const struct life_opts *o, struct weft_fan_opts opts)
{
	struct weft_fan *f;

	opts.fn = pass;
	opts.workers = opts.workers ? opts.workers : 3;
	opts.cap = 2;
	opts.window = 4;
	opts.elem_size = sizeof(uint64_t);
	opts.drop_in = opts.drop_out = life_drop;
	opts.ctx = o->ctx;
	CHECK_EQ(weft_fan_new(&f, &opts), 0);
	return f;
}

#define SHAPE(shape, ...)                                                      \
	static void *make_##shape(const struct life_opts *o)                   \
	{                                                                      \
		return make_fan(o, (struct weft_fan_opts){ __VA_ARGS__ });     \
	}

SHAPE(shared, .on_error = WEFT_ON_ERROR_SKIP)
SHAPE(round_robin, .deal = WEFT_FAN_ROUND_ROBIN, .batch = 3)
SHAPE(random, .deal = WEFT_FAN_RANDOM)
SHAPE(least_loaded, .deal = WEFT_FAN_LEAST_LOADED)
SHAPE(ordered, .merge = WEFT_FAN_ORDERED, .batch = 2)
SHAPE(ordered_round_robin, .deal = WEFT_FAN_ROUND_ROBIN,
      .merge = WEFT_FAN_ORDERED)
SHAPE(ordered_random, .deal = WEFT_FAN_RANDOM, .merge = WEFT_FAN_ORDERED)
SHAPE(ordered_least_loaded, .deal = WEFT_FAN_LEAST_LOADED,
      .merge = WEFT_FAN_ORDERED, .batch = 2)
/* To one worker, so that an item comes out once. */
SHAPE(pumped, .deal = WEFT_FAN_BROADCAST, .workers = 1)

static int fan_in(void *t, uint64_t item, int64_t deadline_ns)
{
	return weft_fan_send(t, &item, deadline_ns);
}

static int fan_out(void *t, uint64_t *item, int64_t deadline_ns)
{
	return weft_fan_recv(t, item, deadline_ns);
}

static int fan_close(void *t)
{
	return weft_fan_close(t);
}

static int fan_stop(void *t)
{
	return weft_fan_stop(t);
}

static int fan_fail(void *t, int err)
{
	return weft_fan_fail(t, err);
}

static int fan_join(void *t, int64_t deadline_ns)
{
	return weft_fan_join(t, deadline_ns);
}

static int fan_stats(const void *t, void *out)
{
	return weft_fan_stats(t, out);
}

static void fan_free(void *t)
{
	weft_fan_free(t);
}

#define FAN(shape)                                                             \
	{                                                                      \
		.name = #shape, .make = make_##shape, .in = fan_in,            \
		.out = fan_out, .close = fan_close, .stop = fan_stop,          \
		.fail = fan_fail, .join = fan_join, .stats = fan_stats,        \
		.free = fan_free, .senders = 9, .receivers = 9                 \
	}

const struct life life_fan[] = {
	FAN(shared),         FAN(round_robin),
	FAN(random),         FAN(least_loaded),
	FAN(ordered),        FAN(ordered_round_robin),
	FAN(ordered_random), FAN(ordered_least_loaded),
	FAN(pumped),         { .name = NULL },
};

/* --- relay --- */

/* Between channels that hold nothing, so that after a stop nothing is left to
 * be received. Copies go one way only, so that an element comes out once. */
struct net {
	struct weft_relay *r;
	struct weft_chan *from[2], *to;
	size_t nfrom;
};

static struct weft_chan *new_chan(void)
{
	struct weft_chan *c;

	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find("handoff"), 0,
	                       sizeof(uint64_t), NULL),
	         0);
	return c;
}

static struct net *new_net(size_t nfrom)
{
	struct net *net = calloc(1, sizeof(*net));

	CHECK(net != NULL);
	net->nfrom = nfrom;
	for (size_t i = 0; i < nfrom; i++)
		net->from[i] = new_chan();
	net->to = new_chan();
	return net;
}

static void *make_merge(const struct life_opts *o, enum weft_merge_by by)
{
	struct weft_relay_opts opts = { .by = by,
		                        .drop = life_drop,
		                        .ctx = o->ctx };
	struct net *net = new_net(2);

	CHECK_EQ(weft_merge(&net->r, net->to, net->from, 2, &opts), 0);
	return net;
}

static void *make_forwarders(const struct life_opts *o)
{
	return make_merge(o, WEFT_MERGE_BY_FORWARDERS);
}

static void *make_select(const struct life_opts *o)
{
	return make_merge(o, WEFT_MERGE_BY_SELECT);
}

static void *make_broadcast(const struct life_opts *o)
{
	struct weft_relay_opts opts = { .drop = life_drop, .ctx = o->ctx };
	struct net *net = new_net(1);

	CHECK_EQ(weft_broadcast(&net->r, &net->to, 1, net->from[0], &opts), 0);
	return net;
}

/* Into the first input, while the others are open and give nothing. */
static int relay_in(void *t, uint64_t item, int64_t deadline_ns)
{
	return weft_chan_send(((struct net *)t)->from[0], &item, deadline_ns);
}

static int relay_out(void *t, uint64_t *item, int64_t deadline_ns)
{
	return weft_chan_recv(((struct net *)t)->to, item, deadline_ns);
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

static int relay_stop(void *t)
{
	return weft_relay_stop(relay_of(t));
}

static int relay_fail(void *t, int err)
{
	return weft_relay_fail(relay_of(t), err);
}

static int relay_join(void *t, int64_t deadline_ns)
{
	return weft_relay_join(relay_of(t), deadline_ns);
}

static int relay_stats(const void *t, void *out)
{
	return weft_relay_stats(relay_of(t), 0, out);
}

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

#define RELAY(shape)                                                           \
	{                                                                      \
		.name = #shape, .make = make_##shape, .in = relay_in,          \
		.out = relay_out, .close = relay_close, .stop = relay_stop,    \
		.fail = relay_fail, .join = relay_join, .stats = relay_stats,  \
		.free = relay_free, .senders = 9, .receivers = 9,              \
		.closes_only = true                                            \
	}

const struct life life_relay[] = {
	RELAY(forwarders),
	RELAY(select),
	RELAY(broadcast),
	{ .name = NULL },
};
