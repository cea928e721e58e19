/*
 * The kernel: P publishers publish numbered messages, and each of S subscribers
 * accounts for all of them, or for what it was told that it has missed.
 *
 *	queues  the component with a channel for each subscriber
 *	ring    the component with a ring for each topic
 *	bare    no component: every message is sent into S channels
 *
 * All of them are drivers: first the publishers, then the subscribers. An item
 * is one message, however many get it. Batches of messages go round the topics
 * in turn, and every subscriber has joined all of them.
 */
#include "kernel/kernel.h"
#include "bus.h"

enum variant { QUEUES, RING, BARE };

#define SIDE_MAX 256
#define TOPICS_MAX 4096
#define BYTES_MAX (INT64_C(1) << 28)

static const char *const variant_choices[] = { "queues", "ring", "bare", NULL };
static const char *const policy_choices[] = { "block", "drop_newest",
	                                      "drop_oldest", "latest", NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "how messages reach the subscribers", QUEUES,
	            BARE, variant_choices, "queues,ring,bare"),
	KNOB_COUNT("publishers", "tasks that publish", 1, 1, SIDE_MAX, "1,2,4"),
	KNOB_COUNT("subscribers", "tasks that receive", 3, 1, SIDE_MAX,
	           "1,3,10"),
	KNOB_COUNT("topics", "that all of them have joined", 1, 1, TOPICS_MAX,
	           "1,10"),
	KNOB_CHOICE("policy", "what a subscriber without room does",
	            WEFT_SLOW_BLOCK, WEFT_SLOW_LATEST, policy_choices,
	            "block,drop_newest,drop_oldest,latest"),
	{ "cap", "items", "capacity of each queue or ring", 64, 1,
	  KERNEL_CAP_MAX, NULL, "1,64,1024" },
	KNOB_ITEMS,
	KNOB_PAYLOAD(MESSAGE_MAX, "8,64,1024"),
	KNOB_BATCH("messages per publish and per receive", 1, "1,16"),
	KNOB_WORK("work", "computation per message, at each subscriber",
	          "0,1000"),
	KNOB_WAIT,
	KNOB_END,
};

/* One subscriber's, written by its task. */
struct reader {
	_Alignas(WEFT_CACHE_LINE) struct weft_sub *sub;
	struct weft_chan *chan; /* of bare */
	struct tally *tally;
	uint64_t received, missed;
};

struct state {
	/* Constant once made. */
	struct weft_bus *bus; /* NULL for bare */
	unsigned publishers, readers;
	uint64_t topics;
	bool misses; /* messages may be missed, if it is told */
	struct reader *reader;

	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned publishing;
};

/* --- what the parameters mean --- */

static int accept(const struct params *p, struct text *why)
{
	int64_t v = param(p, "variant"), policy = param(p, "policy");
	int64_t bytes =
	        param(p, "cap") * (param(p, "payload") + 8) *
	        (v == RING ? param(p, "topics") : param(p, "subscribers"));

	if (v == RING && policy == WEFT_SLOW_DROP_NEWEST)
		text_add(why,
		         "policy=drop_newest with variant=ring: all share what "
		         "is in it, allowed block, drop_oldest and latest");
	else if (v == BARE && (policy || param(p, "topics") > 1))
		text_add(why, "variant=bare: allowed topics=1 and "
		              "policy=block");
	else if (bytes > BYTES_MAX)
		text_add(why,
		         "cap=%" PRId64 " of payload=%" PRId64 ": %" PRId64
		         " bytes in all, allowed %" PRId64,
		         param(p, "cap"), param(p, "payload"), bytes,
		         BYTES_MAX);
	else
		return 0;
	return -EINVAL;
}

static void shape(const struct params *p, struct cell_shape *out)
{
	int64_t policy = param(p, "policy");

	out->senders = (unsigned)param(p, "publishers");
	out->consumers = (unsigned)param(p, "subscribers");
	out->drivers = out->senders + out->consumers;
	if (param(p, "variant") == RING) {
		out->senders = 1;
		out->cap = 1; /* it has no channel: any will do */
		return;
	}
	/* A bus does not count its publishers. */
	if (param(p, "variant") == QUEUES && out->senders == 1)
		out->senders = 2;
	if (policy >= WEFT_SLOW_DROP_OLDEST) {
		/* A publisher takes the oldest out. */
		out->receivers = 1 + (unsigned)param(p, "publishers");
		out->needs = WEFT_CAN_BOUNDED;
		if (policy == WEFT_SLOW_LATEST) {
			/* Some without a count round it up. */
			out->needs |= WEFT_CAN_LEN;
			out->cap = 1;
		}
	}
}

/* --- setup and teardown --- */

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_bus_free(s->bus);
	for (unsigned i = 0; s->reader && i < s->readers; i++) {
		weft_chan_unref(s->reader[i].chan);
		tally_free(s->reader[i].tally);
	}
	free(s->reader);
}

static int make_bus(const struct cell *cell, struct state *s)
{
	const struct weft_bus_opts opts = {
		.ring = cell->variant == RING,
		.impl = cell->chan,
		.cap = (size_t)param(&cell->params, "cap"),
		.elem_size = cell->payload,
		.wait = cell->wait,
	};

	return weft_bus_new(&s->bus, &opts);
}

static int make_reader(const struct cell *cell, const struct state *s,
                       struct reader *r)
{
	const struct weft_chan_opts chan = { .wait = cell->wait };
	const struct weft_sub_opts sub = { .slow = (enum weft_slow)param(
		                                   &cell->params, "policy") };
	int err = tally_new(&r->tally, s->publishers, 1, cell->items);

	if (err)
		return err;
	if (cell->variant == BARE)
		return weft_chan_new(&r->chan, cell->chan, cell->cap,
		                     cell->payload, &chan);
	err = weft_sub_new(&r->sub, s->bus, &sub);
	for (uint64_t t = 0; t < s->topics && !err; t++)
		err = weft_sub_join(r->sub, t);
	return err;
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	const struct params *p = &cell->params;
	int err;

	s->publishers = (unsigned)param(p, "publishers");
	s->readers = cell->shape.consumers;
	s->topics = (uint64_t)param(p, "topics");
	s->misses = param(p, "policy") != WEFT_SLOW_BLOCK;
	weft_store_relaxed(&s->publishing, s->publishers);
	if (cell->variant == RING) /* each topic has an order of its own */
		cell->in_order = s->topics == 1;
	err = kernel_buffers(cell, cell->shape.drivers, cell->batch);
	s->reader = cacheline_new(s->readers, sizeof(*s->reader));
	if (!err && !s->reader)
		err = -ENOMEM;
	if (!err && cell->variant != BARE)
		err = make_bus(cell, s);
	for (unsigned i = 0; i < s->readers && !err; i++)
		err = make_reader(cell, s, &s->reader[i]);
	return err;
}

static void close_chans(const struct state *s)
{
	for (unsigned i = 0; s->reader && i < s->readers; i++)
		if (s->reader[i].chan)
			weft_chan_close(s->reader[i].chan);
}

static void halt(struct cell *cell)
{
	const struct state *s = cell->state;

	weft_bus_stop(s->bus);
	close_chans(s);
}

/* --- publishing --- */

static int publish(const struct kernel_batch *b)
{
	const struct state *s = b->cell->state;
	uint64_t topic = b->seq / b->cell->batch % s->topics;
	size_t done;
	int n = 0;

	if (s->bus && b->n > 1)
		return weft_bus_publish_many(s->bus, topic, b->m, b->n, &done,
		                             WEFT_FOREVER);
	if (s->bus) {
		n = weft_bus_publish(s->bus, topic, b->m, WEFT_FOREVER);
		return n < 0 ? n : 0;
	}
	for (unsigned i = 0; i < s->readers && !n; i++)
		n = b->n > 1 ? weft_chan_send_many(s->reader[i].chan, b->m,
		                                   b->n, &done, WEFT_FOREVER)
		             : weft_chan_send(s->reader[i].chan, b->m,
		                              WEFT_FOREVER);
	return n;
}

static void run_publisher(struct cell *cell, unsigned p)
{
	struct state *s = cell->state;

	kernel_fail(cell,
	            kernel_produce(cell, p, s->publishers, cell->message[p],
	                           cell->batch, publish));
	if (weft_fetch_sub_acq_rel(&s->publishing, 1u) > 1)
		return;
	close_chans(s);
	if (s->bus)
		weft_bus_close(s->bus);
}

/* --- receiving --- */

/* Each item's latency is recorded by one of them, in turn. */
__attribute__((noinline)) static void look_longer(struct cell *cell,
                                                  unsigned id, uint64_t value)
{
	const struct state *s = cell->state;
	uint64_t item = message_seq(value) * s->publishers + message_who(value);

	if (cell->timed && item % s->readers == id)
		kernel_record(cell, id, item);
	if (cell->work)
		work_for(cell->work);
}

/* n messages of a size that is the same for all, as the compiler cannot see. */
KERNEL_INLINE void look_at(struct cell *cell, struct reader *r, unsigned id,
                           const unsigned char *m, size_t n)
{
	bool longer = cell->timed || cell->work;
	size_t payload = cell->payload;

	r->received += n;
	for (; n; n--, m += payload) {
		uint64_t value = message_value(m);

		if (message_is_of(m, payload, value))
			tally_count(r->tally, 0, (unsigned)message_who(value),
			            message_seq(value));
		else
			tally_corrupt(r->tally, 0, value);
		if (__builtin_expect(longer, 0))
			look_longer(cell, id, value);
	}
}

static int read_singly(struct cell *cell, struct reader *r, unsigned id,
                       unsigned char *m)
{
	bool misses = ((struct state *)cell->state)->misses;
	uint64_t missed = 0;
	int err;

	while (!(err = r->chan ? weft_chan_recv(r->chan, m, WEFT_FOREVER)
	                       : weft_sub_recv(r->sub, m,
	                                       misses ? &missed : NULL,
	                                       WEFT_FOREVER))) {
		r->missed += missed;
		look_at(cell, r, id, m, 1);
	}
	r->missed += err == -EPIPE ? missed : 0; /* it is told the rest */
	return err;
}

static int read_batches(struct cell *cell, struct reader *r, unsigned id,
                        unsigned char *m)
{
	size_t most = cell->batch, n;
	uint64_t missed = 0;
	int err;

	while (!(err = r->chan ? weft_chan_recv_many(r->chan, m, most, &n,
	                                             WEFT_FOREVER)
	                       : weft_sub_recv_many(r->sub, m, most, &n,
	                                            &missed, WEFT_FOREVER))) {
		r->missed += missed;
		look_at(cell, r, id, m, n);
	}
	r->missed += err == -EPIPE ? missed : 0;
	return err;
}

static void run_reader(struct cell *cell, unsigned id)
{
	struct state *s = cell->state;
	struct reader *r = &s->reader[id];
	unsigned char *m = cell->message[s->publishers + id];
	int err = cell->batch > 1 ? read_batches(cell, r, id, m)
	                          : read_singly(cell, r, id, m);

	/* What was missed is accounted for as well. */
	cell->share[id] = tally_share(r->received + r->missed, s->readers, id);
	kernel_end(cell, err);
}

static void run_driver(struct cell *cell, unsigned driver)
{
	const struct state *s = cell->state;

	if (driver < s->publishers)
		run_publisher(cell, driver);
	else
		run_reader(cell, driver - s->publishers);
}

/* --- afterwards --- */

/* What was lost must have been told; all else is as where nothing may be. */
static void verify_missing(const struct cell *cell, unsigned id,
                           struct text *why)
{
	const struct state *s = cell->state;
	const struct reader *r = &s->reader[id];
	const struct tally_consumer *c = r->tally->consumer;

	if (c->again || c->alien || (cell->in_order && c->late)) {
		text_next(why);
		text_add(why,
		         "subscriber %u: %" PRIu64 " again, %" PRIu64
		         " never sent, %" PRIu64 " out of order",
		         id, c->again, c->alien, c->late);
	}
	if (r->received + r->missed != cell->items) {
		text_next(why);
		text_add(why,
		         "subscriber %u received %" PRIu64
		         " and missed %" PRIu64 " of %" PRIu64,
		         id, r->received, r->missed, cell->items);
	}
}

static void verify(struct cell *cell, struct text *why)
{
	const struct state *s = cell->state;
	uint64_t all = cell->items * s->readers, received = 0;

	for (unsigned i = 0; i < s->readers; i++) {
		received += s->reader[i].received;
		if (s->misses && !weft_load_acquire(&cell->error))
			verify_missing(cell, i, why);
		else if (!s->misses)
			tally_report(s->reader[i].tally, cell->in_order, why);
	}
	cell_figure(cell, "received", "%", "of what was published",
	            received < all ? 100.0 * (double)received / (double)all
	                           : 100);
}

const struct pattern pattern_pub_sub = {
	KERNEL(pub_sub),
	.flag = "pubsub",
	.title = "Publish-Subscribe (Pub/Sub)",
	.summary = "every message goes to all that have joined its topic",
	.accept = accept,
	.verify = verify,
};
