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
 * A worker signs what it has worked on, from 1: a result that no worker has
 *seen is noticed.
 */
#include <math.h>

#include "fan.h"
#include "kernel/kernel.h"
#include "relay.h"

enum driver { SOURCE, SINK, DRIVERS };

enum variant {
	SHARED,
	ROUND_ROBIN,
	RANDOM,
	LEAST_LOADED,
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
	enum variant variant;
	struct weft_fan *fan;     /* NULL for merges and serial */
	struct weft_relay *relay; /* of the merges, with their channels */
	struct weft_chan **from, *to;
	unsigned workers;
	int64_t cost[COSTS];

	/* The sink's: when it has seen the end, the highest item so far, and
	 * by how much one came after a higher one at most. */
	int64_t ended_at;
	uint64_t highest, late_by, late_sum, results;
	int64_t sent_at; /* the source's: when it had sent all */
};

/* --- what the parameters mean --- */

static enum variant variant_of(const struct params *p)
{
	return (enum variant)param(p, "variant");
}

static unsigned workers_of(const struct params *p)
{
	return (unsigned)param(p, "workers");
}

static bool merges(enum variant v)
{
	return v == MERGE || v == MERGE_SELECT;
}

/* The window, both ways, must fit. */
static int accept_window(const struct params *p, struct text *why)
{
	int64_t payload = param(p, "payload"), window = param(p, "window");
	int64_t inside = window ? window
	                        : param(p, "cap") +
	                                  2 * workers_of(p) * param(p, "batch");
	int64_t bytes = inside * 2 * payload;

	if (variant_of(p) != ORDERED || bytes <= ORDERED_BYTES_MAX)
		return 0;
	text_add(why,
	         "payload=%" PRId64 " with a window of %" PRId64 ": %" PRId64
	         " bytes, allowed %" PRId64,
	         payload, inside, bytes, ORDERED_BYTES_MAX);
	return -EINVAL;
}

/* The senders and receivers at the channel that has the most of them. */
static void count_ends(const struct params *p, struct pattern_channel *out)
{
	unsigned workers = workers_of(p);

	out->senders = out->receivers = 1;
	switch (variant_of(p)) {
	case SHARED:
		out->receivers = workers;
		/* fall through */
	case ROUND_ROBIN:
	case RANDOM:
	case LEAST_LOADED:
	case BROADCAST:
	case MERGE:
		out->senders = workers;
		break;
	case ORDERED:
		out->receivers = workers;
		break;
	case MERGE_SELECT:
		out->needs = WEFT_CAN_SELECT;
		break;
	case SERIAL:
		break;
	}
}

static void channel(const struct params *p, struct pattern_channel *out)
{
	enum variant v = variant_of(p);

	*out = (struct pattern_channel){
		/* The loop has no channel: any will do. */
		.cap = v == SERIAL ? 1 : (size_t)param(p, "cap"),
		/* Only the numbers of items travel. */
		.elem_size = v == ORDERED ? sizeof(uint64_t)
		                          : (size_t)param(p, "payload"),
	};
	count_ends(p, out);
}

static unsigned drivers(const struct params *p)
{
	enum variant v = variant_of(p);

	return v == SERIAL ? 1 : merges(v) ? workers_of(p) + 1 : DRIVERS;
}

static unsigned tasks(const struct params *p)
{
	unsigned n = drivers(p), workers = workers_of(p);

	switch (variant_of(p)) {
	case SERIAL:
		return n;
	case MERGE_SELECT:
		return n + 1;
	case BROADCAST: /* and the one that hands out copies */
		return n + workers + 1;
	default: /* of the merge: its forwarders */
		return n + workers;
	}
}

/* Where items are dealt to workers, these share them; otherwise all come to
 * the sink. */
static unsigned consumers(const struct params *p)
{
	return variant_of(p) <= ORDERED ? workers_of(p) : 1;
}

/* --- setup and teardown --- */

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_fan_free(s->fan);
	weft_relay_free(s->relay);
	for (unsigned i = 0; s->from && i < s->workers; i++)
		weft_chan_unref(s->from[i]);
	free(s->from);
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
	return WEFT_FAN_EMIT;
}

static int make_fan(struct cell *cell, struct state *s)
{
	struct weft_fan_opts opts = {
		.fn = sign,
		.arg = cell,
		.workers = s->workers,
		.impl = cell->chan,
		.cap = cell->cap,
		.in_size = cell->payload,
		.wait = cell->wait,
		.window = (size_t)param(&cell->params, "window"),
		.batch = cell->batch,
	};

	if (s->variant == ORDERED)
		opts.merge = WEFT_FAN_ORDERED;
	else if (s->variant == BROADCAST)
		opts.deal = WEFT_FAN_BROADCAST;
	else
		opts.deal = (enum weft_fan_deal)s->variant;
	return weft_fan_new(&s->fan, &opts);
}

_Static_assert((int)LEAST_LOADED == (int)WEFT_FAN_LEAST_LOADED &&
                       (int)SHARED == (int)WEFT_FAN_SHARED,
               "these variants are ways to deal");

static int make_merge(const struct cell *cell, struct state *s)
{
	struct weft_chan_opts chan = { .wait = cell->wait };
	struct weft_relay_opts opts = {
		.by = s->variant == MERGE_SELECT ? WEFT_MERGE_BY_SELECT
		                                 : WEFT_MERGE_BY_FORWARDERS
	};
	int err;

	s->from = calloc(s->workers, sizeof(struct weft_chan *));
	if (!s->from)
		return -ENOMEM;
	err = weft_chan_new(&s->to, cell->chan, cell->cap, cell->payload,
	                    &chan);
	for (unsigned i = 0; i < s->workers && !err; i++)
		err = weft_chan_new(&s->from[i], cell->chan, cell->cap,
		                    cell->payload, &chan);
	return err ? err
	           : weft_merge(&s->relay, s->to, s->from, s->workers, &opts);
}

/* Each worker of a broadcast counts as a sender of all items. */
static int make_tally(struct cell *cell, const struct state *s)
{
	bool one = s->variant != BROADCAST && !merges(s->variant);

	return tally_new(&cell->tally, one ? 1 : s->workers, 1,
	                 cell->items *
	                         (s->variant == BROADCAST ? s->workers : 1));
}

/* Whether what comes from one producer of the tally comes in order. */
static bool keeps_order(const struct cell *cell, const struct state *s)
{
	if (s->variant == ORDERED || s->variant == SERIAL)
		return true;
	return (s->variant >= BROADCAST || s->workers == 1) && cell->in_order;
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	enum dist dist = (enum dist)param(&cell->params, "dist");
	int err;

	s->variant = variant_of(&cell->params);
	s->workers = workers_of(&cell->params);
	for (int i = 0; i < COSTS; i++)
		s->cost[i] = cost(cell->work, dist, i);
	cell->in_order = keeps_order(cell, s);
	/* One for each driver, and for serial's result. */
	err = kernel_buffers(cell, drivers(&cell->params) + 1, 1);
	if (!err)
		err = make_tally(cell, s);
	if (err || s->variant == SERIAL)
		return err;
	return merges(s->variant) ? make_merge(cell, s) : make_fan(cell, s);
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
static inline void look_at(struct cell *cell, const unsigned char *m)
{
	const struct state *s = cell->state;
	uint64_t value = message_value(m), seq = message_seq(value);
	bool merged = merges(s->variant);
	uint64_t by = message_who(value) - !merged; /* unsigned: -1 is none */

	kernel_record(cell, 0, merged ? seq * s->workers + by : seq,
	              kernel_now(cell));
	if (by >= s->workers)
		tally_corrupt(cell->tally, 0, value);
	else
		kernel_count(cell, 0,
		             merged || s->variant == BROADCAST ? (unsigned)by
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

	cell->share[0] = s->variant == BROADCAST ? count / s->workers : count;
	for (unsigned i = 0; i < cell->consumers && s->variant <= ORDERED; i++)
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
	if (s->variant == ORDERED)
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

	if (s->variant == SERIAL)
		run_serial(cell);
	else if (driver == drivers(&cell->params) - 1)
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
	if (s->variant < ORDERED && s->results) {
		cell_figure(cell, "late_by", "items", "at most",
		            (double)s->late_by);
		cell_figure(cell, "late_mean", "items", "on average",
		            (double)s->late_sum / (double)s->results);
	}
	if (s->variant == ORDERED)
		cell_figure(cell, "ahead", "items", "at most",
		            (double)stats.ahead);
}

const struct pattern pattern_fan = {
	.name = "fan",
	.flag = "fan",
	.title = "Fan-out/Fan-in",
	.summary = "items go to several workers, their results come together",
	.knobs = knobs,
	.accept = accept_window,
	.channel = channel,
	.drivers = drivers,
	.tasks = tasks,
	.consumers = consumers,
	.state_bytes = sizeof(struct state),
	.setup = setup,
	.work = run_driver,
	.halt = halt,
	.stop = stop,
	.verify = verify,
	.teardown = teardown,
	.demo = fan_demo,
};
