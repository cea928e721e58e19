/*
 * The kernel: items go to W workers, each of which spends some time on them
 * and signs them, and what comes back is accounted for.
 *
 *	shared, round_robin,   driver 0 sends, driver 1 receives; how items
 *	random, least_loaded   reach the workers is the variant
 *	ordered                the same with a shared queue, and results come
 *	                       in the order of the items
 *	broadcast              every worker gets every item
 *	merge, merge_select    W drivers send into channels of their own, which
 *	                       are merged into one: by W forwarders, or by one
 *	                       task that selects; driver W receives
 *	serial                 driver 0 does it all in a loop, without a channel
 *
 * A worker signs what it has worked on, from 1, so that a result without a
 * worker is noticed.
 */
#include <math.h>

#include "fan.h"
#include "kernel/kernel.h"
#include "relay.h"

enum driver { SOURCE, SINK, DRIVERS };

/* The first ones are ways to deal. */
enum variant {
	SHARED = WEFT_FAN_SHARED,
	LEAST_LOADED = WEFT_FAN_LEAST_LOADED,
	ORDERED,
	BROADCAST,
	MERGE,
	MERGE_SELECT,
	SERIAL,
};

/* What is the same for every item, or differs from item to item. */
enum dist { CONST, EXP, STRAGGLER };

#define WORKERS_MAX 256
#define WINDOW_MAX 65536
#define ORDERED_BYTES_MAX (INT64_C(1) << 28)

/* One in a hundred items costs a hundred times as much. */
#define STRAGGLER_SHARE 100
#define STRAGGLER_COST 100

/* Costs are drawn from a table, so that an item has the same one in every
 * variant and a draw costs next to nothing. */
#define COST_BITS 10
#define COSTS (1 << COST_BITS)

static const char *const variant_choices[] = {
	"shared",    "round_robin", "random",       "least_loaded", "ordered",
	"broadcast", "merge",       "merge_select", "serial",       NULL,
};
static const char *const dist_choices[] = { "const", "exp", "straggler", NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "how items are dealt, and results come together",
	            SHARED, SERIAL, variant_choices,
	            "shared,round_robin,random,least_loaded,ordered,broadcast,"
	            "merge,merge_select,serial"),
	KNOB_COUNT("workers", "tasks that work", 2, 1, WORKERS_MAX,
	           "1,2,4,8,16"),
	KNOB_CAP(64, "0,1,64"),
	{ "window", "items",
	  "ordered: the most items inside; 0 = cap + 2 * workers * batch", 0, 0,
	  WINDOW_MAX, NULL, "0" },
	KNOB_ITEMS,
	KNOB_PAYLOAD(MESSAGE_MAX, "8,64,1024"),
	KNOB_WORK("work", "computation per item", "0,100,1000,10000"),
	KNOB_CHOICE("dist", "how work is spread over the items", CONST,
	            STRAGGLER, dist_choices, "const,exp,straggler"),
	KNOB_BATCH("items a worker of a fan takes at a time", 32, "1,32"),
	KNOB_WAIT,
	KNOB_END,
};

struct state {
	/* Constant once made. */
	struct weft_fan *fan;     /* NULL for merges and serial */
	struct weft_relay *relay; /* of the merges; NULL for others */
	struct weft_chan *from[WORKERS_MAX], *to; /* its channels */
	unsigned workers;
	int64_t cost[COSTS];

	/* The sink's: when it has seen the end, the highest item so far, and
	 * by how much one came after a higher one at most. */
	int64_t ended_at;
	uint64_t highest, late_by, late_sum, results;
	int64_t sent_at; /* the source's: when it had sent all */
};

/* --- what the parameters mean --- */

static bool merges(int variant)
{
	return variant == MERGE || variant == MERGE_SELECT;
}

/* The window, both ways, must fit. */
static int accept_window(const struct params *p, struct text *why)
{
	int64_t inside = param(p, "window"), payload = param(p, "payload"),
	        bytes;

	if (!inside)
		inside = param(p, "cap") +
		         2 * param(p, "workers") * param(p, "batch");
	bytes = inside * 2 * payload;
	if (param(p, "variant") != ORDERED || bytes <= ORDERED_BYTES_MAX)
		return 0;
	text_add(why,
	         "payload=%" PRId64 " with a window of %" PRId64 ": %" PRId64
	         " bytes, allowed %" PRId64,
	         payload, inside, bytes, ORDERED_BYTES_MAX);
	return -EINVAL;
}

static void shape(const struct params *p, struct cell_shape *out)
{
	unsigned workers = (unsigned)param(p, "workers");
	int64_t v = param(p, "variant");

	if (v == SERIAL) {
		out->cap = 1; /* it has no channel: any will do */
		return;
	}
	out->drivers = merges((int)v) ? workers + 1 : DRIVERS;
	/* To the workers, or forwarders, broadcast adds one that copies. */
	out->helpers = v == MERGE_SELECT ? 1 : workers + (v == BROADCAST);
	/* Where items are dealt to workers, these share them; otherwise all
	 * come to the sink. */
	out->consumers = v <= ORDERED ? workers : 1;
	if (v != ORDERED && v != MERGE_SELECT)
		out->senders = workers;
	if (v == SHARED || v == ORDERED)
		out->receivers = workers;
	if (v == MERGE_SELECT)
		out->needs = WEFT_CAN_SELECT;
	if (v == ORDERED) /* only the numbers of items travel */
		out->elem_size = sizeof(uint64_t);
}

/* --- setup and teardown --- */

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_fan_free(s->fan);
	weft_relay_free(s->relay);
	for (unsigned i = 0; i < s->workers; i++)
		weft_chan_unref(s->from[i]);
	weft_chan_unref(s->to);
}

/* The cost of the items in slot i of the table. */
static int64_t cost(int64_t work, enum dist dist, int i)
{
	switch (dist) {
	case EXP:
		return (int64_t)((double)work * -log((i + 0.5) / COSTS));
	case STRAGGLER:
		return i < COSTS / STRAGGLER_SHARE ? work * STRAGGLER_COST
		                                   : work;
	default:
		return work;
	}
}

static void spend(const struct cell *cell, uint64_t item)
{
	const struct state *s = cell->state;

	if (cell->work)
		work_for(s->cost[message_check(item) >> (64 - COST_BITS)]);
}

/* What a worker does with an item. */
static int sign(const void *in, void *out, unsigned worker, void *arg)
{
	const struct cell *cell = arg;
	uint64_t value = message_value(in);

	memcpy(out, in, cell->payload);
	message_set(out, value + message_value_of(worker + 1, 0));
	spend(cell, message_seq(value));
	return WEFT_EMIT;
}

static int make_fan(struct cell *cell, struct state *s)
{
	struct weft_fan_opts opts = {
		.fn = sign,
		.arg = cell,
		.workers = s->workers,
		.impl = cell->chan,
		.cap = cell->cap,
		.elem_size = cell->payload,
		.wait = cell->wait,
		.window = (size_t)param(&cell->params, "window"),
		.batch = cell->batch,
	};

	if (cell->variant == ORDERED)
		opts.merge = WEFT_FAN_ORDERED;
	else
		opts.deal = cell->variant == BROADCAST
		                    ? WEFT_FAN_BROADCAST
		                    : (enum weft_fan_deal)cell->variant;
	return weft_fan_new(&s->fan, &opts);
}

static int make_merge(const struct cell *cell, struct state *s)
{
	struct weft_chan_opts chan = { .wait = cell->wait };
	struct weft_relay_opts opts = {
		.by = cell->variant == MERGE_SELECT ? WEFT_MERGE_BY_SELECT
		                                    : WEFT_MERGE_BY_FORWARDERS
	};
	int err = weft_chan_new(&s->to, cell->chan, cell->cap, cell->payload,
	                        &chan);

	for (unsigned i = 0; i < s->workers && !err; i++)
		err = weft_chan_new(&s->from[i], cell->chan, cell->cap,
		                    cell->payload, &chan);
	return err ? err
	           : weft_merge(&s->relay, s->to, s->from, s->workers, &opts);
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	enum dist dist = (enum dist)param(&cell->params, "dist");
	int v = cell->variant, err;
	bool each = v == BROADCAST; /* worker sends all items */

	s->workers = (unsigned)param(&cell->params, "workers");
	for (int i = 0; i < COSTS; i++)
		s->cost[i] = cost(cell->work, dist, i);
	/* What comes from one producer of the tally. */
	if (v == ORDERED || v == SERIAL)
		cell->in_order = true;
	else
		cell->in_order &= v >= BROADCAST || s->workers == 1;
	/* One for each driver, and for serial's result. */
	err = kernel_buffers(cell, cell->shape.drivers + 1, 1);
	if (!err)
		err = tally_new(&cell->tally,
		                each || merges(v) ? s->workers : 1, 1,
		                cell->items * (each ? s->workers : 1));
	if (err || v == SERIAL)
		return err;
	return merges(v) ? make_merge(cell, s) : make_fan(cell, s);
}

static void halt(struct cell *cell)
{
	const struct state *s = cell->state;

	weft_fan_stop(s->fan);
	weft_relay_stop(s->relay);
}

/* --- what comes back --- */

/* Look at one result. What a merge brings has been signed by its sender, from
 * 0, and not changed. */
KERNEL_INLINE void look_at(struct cell *cell, const unsigned char *m)
{
	const struct state *s = cell->state;
	uint64_t value = message_value(m), seq = message_seq(value);
	bool merged = merges(cell->variant);
	uint64_t by = message_who(value) - !merged; /* unsigned: -1 is none */

	kernel_record(cell, 0, merged ? seq * s->workers + by : seq);
	if (by >= s->workers)
		tally_corrupt(cell->tally, 0, value);
	else
		kernel_count(cell, 0,
		             merged || cell->variant == BROADCAST ? (unsigned)by
		                                                  : 0,
		             seq, m, merged ? value : seq);
}

/* How far results are from the order of their items. */
static inline void note_order(struct state *s, const unsigned char *m)
{
	uint64_t item = message_seq(message_value(m));

	s->results++;
	if (item >= s->highest)
		s->highest = item;
	else if (s->highest - item > s->late_by)
		s->late_by = s->highest - item;
	s->late_sum += s->highest - item;
}

static inline int receive(const struct state *s, unsigned char *m)
{
	return s->fan ? weft_fan_recv(s->fan, m, WEFT_FOREVER)
	              : weft_chan_recv(s->to, m, WEFT_FOREVER);
}

/* Where all come to the sink, `count` did. */
static void note_shares(const struct cell *cell, const struct state *s,
                        uint64_t count)
{
	struct weft_fan_worker_stats stats;

	cell->share[0] =
	        cell->variant == BROADCAST ? count / s->workers : count;
	for (unsigned i = 0;
	     i < cell->shape.consumers && cell->variant <= ORDERED; i++)
		if (!weft_fan_worker_stats(s->fan, i, &stats))
			cell->share[i] = stats.out;
}

static void run_sink(struct cell *cell, unsigned driver)
{
	struct state *s = cell->state;
	unsigned char *m = cell->message[driver];
	uint64_t count = 0;
	int err;

	while (!(err = receive(s, m))) {
		look_at(cell, m);
		note_order(s, m);
		count++;
	}
	s->ended_at = weft_now();
	note_shares(cell, s, count);
	kernel_end(cell, err);
}

/* --- what goes in --- */

/* An ordered fan waits for an item that a channel has lost: for ever. Once all
 * workers have ended, what they were not given is lost. */
static void look_for_losses(struct cell *cell)
{
	struct state *s = cell->state;
	struct weft_fan_stats stats;

	if (weft_fan_join(s->fan, WEFT_FOREVER) ||
	    weft_fan_stats(s->fan, &stats) || stats.in >= cell->items)
		return;
	kernel_fail(cell, -EIO);
}

static inline int send_item(const struct kernel_batch *b)
{
	const struct state *s = b->cell->state;

	return weft_fan_send(s->fan, b->m, WEFT_FOREVER);
}

static void run_source(struct cell *cell)
{
	struct state *s = cell->state;
	int err =
	        kernel_produce(cell, 0, 1, cell->message[SOURCE], 1, send_item);

	s->sent_at = weft_now();
	kernel_fail(cell, err);
	weft_fan_close(s->fan);
	if (cell->variant == ORDERED)
		look_for_losses(cell);
}

/* Each input of a merge is worked on by its sender. */
static inline int send_input(const struct kernel_batch *b)
{
	const struct state *s = b->cell->state;

	spend(b->cell, b->seq * s->workers + b->sender);
	return weft_chan_send(s->from[b->sender], b->m, WEFT_FOREVER);
}

static void run_input(struct cell *cell, unsigned p)
{
	const struct state *s = cell->state;

	kernel_fail(cell, kernel_produce(cell, p, s->workers, cell->message[p],
	                                 1, send_input));
	weft_chan_close(s->from[p]);
}

static inline int work_here(const struct kernel_batch *b)
{
	unsigned char *out = b->cell->message[1];

	sign(b->m, out, 0, b->cell);
	look_at(b->cell, out);
	return 0;
}

static void run_serial(struct cell *cell)
{
	kernel_produce(cell, 0, 1, cell->message[0], 1, work_here);
	note_shares(cell, cell->state, cell->items);
}

static void run_driver(struct cell *cell, unsigned driver)
{
	const struct state *s = cell->state;

	if (cell->variant == SERIAL)
		run_serial(cell);
	else if (driver == cell->shape.drivers - 1)
		run_sink(cell, driver);
	else if (s->fan)
		run_source(cell);
	else
		run_input(cell, driver);
}

/* --- afterwards --- */

static void stop(struct cell *cell)
{
	const struct state *s = cell->state;

	if (s->fan)
		kernel_error(cell, weft_fan_join(s->fan, WEFT_FOREVER));
	if (s->relay)
		kernel_error(cell, weft_relay_join(s->relay, WEFT_FOREVER));
}

/* Figures that explain the throughput. */
static void verify(struct cell *cell, struct text *why)
{
	const struct state *s = cell->state;
	struct weft_fan_stats stats;

	(void)why;
	if (!s->fan || weft_fan_stats(s->fan, &stats))
		return;
	cell_figure(cell, "drain", "us", "from the last item in to all out",
	            (double)(s->ended_at - s->sent_at) / 1e3);
	if (cell->variant < ORDERED && s->results) {
		cell_figure(cell, "late_by", "items", "at most",
		            (double)s->late_by);
		cell_figure(cell, "late_mean", "items", "on average",
		            (double)s->late_sum / (double)s->results);
	}
	if (cell->variant == ORDERED)
		cell_figure(cell, "ahead", "items", "at most",
		            (double)stats.ahead);
}

const struct pattern pattern_fan = {
	KERNEL(fan),
	.flag = "fan",
	.title = "Fan-out/Fan-in",
	.summary = "items go to several workers, their results come together",
	.accept = accept_window,
	.stop = stop,
	.verify = verify,
};
