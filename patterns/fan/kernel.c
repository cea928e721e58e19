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
 * A message's value is the number of the item above, and below who signed it,
 * from 1: a result that no worker has seen is noticed.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "cli/text.h"
#include "fan.h"
#include "kernel/message.h"
#include "kernel/pace.h"
#include "kernel/pattern.h"
#include "kernel/tally.h"
#include "kernel/work.h"
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

#define ITEMS_MAX (INT64_C(1) << 26)
#define WORKERS_MAX 256
#define CAP_MAX 65536
#define BATCH_MAX 4096
#define ORDERED_BYTES_MAX (INT64_C(1) << 28)

#define WORKER_BITS 16
#define WORKER_MASK ((UINT64_C(1) << WORKER_BITS) - 1)

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
static const char *const wait_choices[] = { "adaptive", "spin", "park", NULL };

static const struct knob knobs[] = {
	{ "variant", "", "how items are dealt, and results come together",
	  SHARED, SHARED, SERIAL, variant_choices,
	  "shared,round_robin,random,least_loaded,ordered,broadcast,merge,"
	  "merge_select,serial" },
	{ "workers", "", "tasks that work", 2, 1, WORKERS_MAX, NULL,
	  "1,2,4,8,16" },
	{ "cap", "items", "capacity of each channel", 64, 0, CAP_MAX, NULL,
	  "0,1,64" },
	{ "window", "items",
	  "ordered: the most items inside; 0 = cap + 2 * workers * batch", 0, 0,
	  CAP_MAX, NULL, "0" },
	{ "items", "items", "items per run; 0 = as many as fill the time", 0, 0,
	  ITEMS_MAX, NULL, "0" },
	{ "payload", "B", "bytes per item, in steps of 8", MESSAGE_MIN,
	  MESSAGE_MIN, MESSAGE_MAX, NULL, "8,64,1024" },
	{ "work", "ns", "computation per item", 0, 0, 1000000000, NULL,
	  "0,100,1000,10000" },
	{ "dist", "", "how work is spread over the items", CONST, CONST,
	  STRAGGLER, dist_choices, "const,exp,straggler" },
	{ "batch", "items", "items a worker of a fan takes at a time", 32, 1,
	  BATCH_MAX, NULL, "1,32" },
	{ "wait", "", "how waiting tasks wait", WEFT_WAIT_ADAPTIVE, 0,
	  WEFT_WAIT_PARK, wait_choices, "adaptive,park" },
	{ .name = NULL },
};

struct state {
	/* Constant once made. */
	enum variant variant;
	struct weft_fan *fan;     /* NULL for merges and serial */
	struct weft_relay *relay; /* of the merges, with their channels */
	struct weft_chan **from, *to;
	struct tally *tally;
	unsigned workers;
	size_t payload;
	bool works, in_order;
	int64_t cost[COSTS];
	unsigned char **messages; /* one for each driver, and for serial's
	                             result */

	/* The sink's: whether it has seen the end, when, the highest item so
	 * far, and by how much one came after a higher one at most. */
	bool ended;
	int64_t ended_at;
	uint64_t highest, late_by, late_sum, results;
	int64_t sent_at;   /* the source's: when it had sent all */
	_Atomic int error; /* the first of a driver */
	int joined;        /* what fan or relay reported */
};

/* --- what the parameters mean --- */

static int64_t knob(const struct params *p, const char *name)
{
	return params_get(&pattern_fan, p, name);
}

static enum variant variant_of(const struct params *p)
{
	return (enum variant)knob(p, "variant");
}

static unsigned workers_of(const struct params *p)
{
	return (unsigned)knob(p, "workers");
}

static bool merges(enum variant v)
{
	return v == MERGE || v == MERGE_SELECT;
}

static int accept(const struct params *p, char *why, size_t why_bytes)
{
	struct text l = text_in(why, why_bytes);
	int64_t payload = knob(p, "payload"), window = knob(p, "window");
	int64_t inside =
	        window ? window
	               : knob(p, "cap") + 2 * workers_of(p) * knob(p, "batch");
	int64_t bytes = inside * 2 * payload;

	if (payload % 8)
		text_add(&l,
		         "payload=%" PRId64 ": allowed %d..%d in steps of 8",
		         payload, MESSAGE_MIN, MESSAGE_MAX);
	else if (variant_of(p) == ORDERED && bytes > ORDERED_BYTES_MAX)
		text_add(&l,
		         "payload=%" PRId64 " with a window of %" PRId64
		         ": %" PRId64 " bytes, allowed %" PRId64,
		         payload, inside, bytes, ORDERED_BYTES_MAX);
	else
		return 0;
	return -EINVAL;
}

/* The senders and receivers at the channel that has the most of them. */
static void crowd(const struct params *p, struct pattern_channel *out)
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
		.cap = v == SERIAL ? 1 : (size_t)knob(p, "cap"),
		/* Only the numbers of items travel. */
		.elem_size = v == ORDERED ? sizeof(uint64_t)
		                          : (size_t)knob(p, "payload"),
	};
	crowd(p, out);
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

static void free_channels(struct state *s)
{
	weft_relay_free(s->relay);
	for (unsigned i = 0; s->from && i < s->workers; i++)
		weft_chan_unref(s->from[i]);
	free(s->from);
	weft_chan_unref(s->to);
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	if (!s)
		return;
	weft_fan_free(s->fan);
	free_channels(s);
	tally_free(s->tally);
	for (unsigned i = 0; s->messages && i <= drivers(&cell->params); i++)
		free(s->messages[i]);
	free(s->messages);
	free(s);
	cell->state = NULL;
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

static void set_costs(const struct cell *cell, struct state *s)
{
	int64_t work = param(cell, "work");

	for (int i = 0; i < COSTS; i++)
		s->cost[i] = cost(work, (enum dist)param(cell, "dist"), i);
	s->works = work > 0;
	if (s->works)
		work_calibrate();
}

static void spend(const struct state *s, uint64_t item)
{
	if (s->works)
		work_for(s->cost[message_check(item) >> (64 - COST_BITS)]);
}

/* What a worker does with an item. */
static int sign(const void *in, void *out, unsigned worker, void *arg)
{
	const struct state *s = arg;
	uint64_t value = message_value(in);

	memcpy(out, in, s->payload);
	message_set(out, (value & ~WORKER_MASK) | (worker + 1));
	spend(s, value >> WORKER_BITS);
	return WEFT_FAN_EMIT;
}

static int make_fan(const struct cell *cell, struct state *s)
{
	struct weft_fan_opts opts = {
		.fn = sign,
		.arg = s,
		.workers = s->workers,
		.impl = cell->chan,
		.cap = (size_t)param(cell, "cap"),
		.in_size = s->payload,
		.wait = (enum weft_wait)param(cell, "wait"),
		.window = (size_t)param(cell, "window"),
		.batch = (size_t)param(cell, "batch"),
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
	struct weft_chan_opts chan = { .wait = (enum weft_wait)param(cell,
		                                                     "wait") };
	struct weft_relay_opts opts = {
		.by = s->variant == MERGE_SELECT ? WEFT_MERGE_BY_SELECT
		                                 : WEFT_MERGE_BY_FORWARDERS
	};
	size_t cap = (size_t)param(cell, "cap");
	int err;

	s->from = calloc(s->workers, sizeof(struct weft_chan *));
	if (!s->from)
		return -ENOMEM;
	err = weft_chan_new(&s->to, cell->chan, cap, s->payload, &chan);
	for (unsigned i = 0; i < s->workers && !err; i++)
		err = weft_chan_new(&s->from[i], cell->chan, cap, s->payload,
		                    &chan);
	return err ? err
	           : weft_merge(&s->relay, s->to, s->from, s->workers, &opts);
}

static int make_messages(const struct cell *cell, struct state *s)
{
	unsigned n = drivers(&cell->params) + 1;

	s->messages = calloc(n, sizeof(*s->messages));
	for (unsigned i = 0; s->messages && i < n; i++) {
		s->messages[i] = calloc(1, s->payload);
		if (!s->messages[i])
			return -ENOMEM;
	}
	return s->messages ? 0 : -ENOMEM;
}

/* Each worker of a broadcast counts as a sender of all items. */
static int make_tally(const struct cell *cell, struct state *s)
{
	bool one = s->variant != BROADCAST && !merges(s->variant);

	return tally_new(&s->tally, one ? 1 : s->workers, 1,
	                 cell->items *
	                         (s->variant == BROADCAST ? s->workers : 1));
}

static int make_all(const struct cell *cell, struct state *s)
{
	int err = make_messages(cell, s);

	if (!err)
		err = make_tally(cell, s);
	if (err || s->variant == SERIAL)
		return err;
	return merges(s->variant) ? make_merge(cell, s) : make_fan(cell, s);
}

/* Whether what comes from one producer of the tally comes in order. */
static bool keeps_order(const struct cell *cell, const struct state *s)
{
	if (s->variant == ORDERED || s->variant == SERIAL)
		return true;
	return (s->variant >= BROADCAST || s->workers == 1) &&
	       cell->chan->can & (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO);
}

static int setup(struct cell *cell)
{
	struct state *s;
	int err;

	/* The workers need what they are given. */
	if (cell->items > (uint64_t)ITEMS_MAX || cell->chan->can & WEFT_NO_DATA)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	cell->state = s;
	s->variant = variant_of(&cell->params);
	s->workers = workers_of(&cell->params);
	s->payload = (size_t)param(cell, "payload");
	s->in_order = keeps_order(cell, s);
	set_costs(cell, s);
	err = make_all(cell, s);
	if (err)
		teardown(cell);
	return err;
}

/* --- what comes back --- */

/* A driver cannot go on: nor can the others. */
static void give_up(struct state *s, int err)
{
	int none = 0;

	weft_cas_acq_rel(&s->error, &none, err);
	weft_fan_stop(s->fan);
	weft_relay_stop(s->relay);
}

/* Look at one result. */
static void look_at(struct state *s, const unsigned char *m)
{
	uint64_t value = message_value(m), item = value >> WORKER_BITS;
	uint64_t worker = (value & WORKER_MASK) - 1; /* unsigned: 0 is none */
	bool by_worker = s->variant >= BROADCAST && s->variant != SERIAL;

	if (worker < s->workers && message_is_of(m, s->payload, item))
		tally_count(s->tally, 0, by_worker ? (unsigned)worker : 0,
		            item);
	else
		tally_corrupt(s->tally, 0, value);
}

/* How far results are from the order of their items. */
static void note_order(struct state *s, const unsigned char *m)
{
	uint64_t item = message_value(m) >> WORKER_BITS;

	s->results++;
	if (item >= s->highest)
		s->highest = item;
	else if (s->highest - item > s->late_by)
		s->late_by = s->highest - item;
	s->late_sum += s->highest - item;
}

/* Which item of the cell a result is about. */
static uint64_t item_of(const struct state *s, const unsigned char *m)
{
	uint64_t value = message_value(m), item = value >> WORKER_BITS;

	return merges(s->variant)
	               ? item * s->workers + (value & WORKER_MASK) - 1
	               : item;
}

static void record(struct cell *cell, const unsigned char *m)
{
	uint64_t item = item_of(cell->state, m);

	if (cell->pace_ns > 0 && cell->latency && item < cell->items)
		hist_record(&cell->latency[0],
		            weft_now() - pace_due(cell, item));
}

static int receive(struct state *s, unsigned char *m)
{
	return s->fan ? weft_fan_recv(s->fan, m, WEFT_FOREVER)
	              : weft_chan_recv(s->to, m, WEFT_FOREVER);
}

/* Where all come to the sink, `count` did. */
static void note_shares(const struct cell *cell, const struct state *s,
                        uint64_t count)
{
	struct weft_fan_worker_stats stats;

	if (!cell->share)
		return;
	cell->share[0] = s->variant == BROADCAST ? count / s->workers : count;
	for (unsigned i = 0; i < cell->consumers && s->variant <= ORDERED; i++)
		if (!weft_fan_worker_stats(s->fan, i, &stats))
			cell->share[i] = stats.out;
}

static void run_sink(struct cell *cell, unsigned driver)
{
	struct state *s = cell->state;
	unsigned char *m = s->messages[driver];
	uint64_t count = 0;
	int err;

	while ((err = receive(s, m)) == 0) {
		record(cell, m);
		look_at(s, m);
		note_order(s, m);
		count++;
	}
	s->ended_at = weft_now();
	note_shares(cell, s, count);
	if (err == -EPIPE)
		s->ended = true;
	else
		give_up(s, err);
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
	give_up(s, -EIO);
}

static void run_source(struct cell *cell)
{
	struct state *s = cell->state;
	unsigned char *m = s->messages[SOURCE];
	int err = 0;

	for (uint64_t x = 0; x < cell->items && !err; x++) {
		pace_batch(cell, x, 1, 1);
		message_write(m, s->payload, x << WORKER_BITS, x);
		err = weft_fan_send(s->fan, m, WEFT_FOREVER);
	}
	s->sent_at = weft_now();
	if (err)
		give_up(s, err);
	weft_fan_close(s->fan);
	if (s->variant == ORDERED)
		look_for_losses(cell);
}

/* Worker p of a merge: item seq is item seq * workers + p of the cell. */
static void run_input(struct cell *cell, unsigned p)
{
	struct state *s = cell->state;
	uint64_t items = tally_share(cell->items, s->workers, p);
	unsigned char *m = s->messages[p];
	int err = 0;

	for (uint64_t seq = 0; seq < items && !err; seq++) {
		pace_batch(cell, seq * s->workers + p, s->workers, 1);
		spend(s, seq * s->workers + p);
		message_write(m, s->payload, seq << WORKER_BITS | (p + 1), seq);
		err = weft_chan_send(s->from[p], m, WEFT_FOREVER);
	}
	if (err)
		give_up(s, err);
	weft_chan_close(s->from[p]);
}

static void run_serial(struct cell *cell)
{
	struct state *s = cell->state;
	unsigned char *in = s->messages[0], *out = s->messages[1];

	for (uint64_t x = 0; x < cell->items; x++) {
		pace_batch(cell, x, 1, 1);
		message_write(in, s->payload, x << WORKER_BITS, x);
		sign(in, out, 0, s);
		record(cell, out);
		look_at(s, out);
	}
	note_shares(cell, s, cell->items);
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
	struct state *s = cell->state;

	/* The drivers may not have run at all. */
	if (!s->ended) {
		weft_fan_stop(s->fan);
		weft_relay_stop(s->relay);
	}
	if (s->fan)
		s->joined = weft_fan_join(s->fan, WEFT_FOREVER);
	if (s->relay)
		s->joined = weft_relay_join(s->relay, WEFT_FOREVER);
}

/* What is worth to know of a fan beside its throughput. */
static void tell_figures(struct cell *cell)
{
	const struct state *s = cell->state;
	struct weft_fan_stats stats;

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

static int verify(struct cell *cell, char *why, size_t why_bytes)
{
	struct state *s = cell->state;
	struct text l = text_in(why, why_bytes);
	int error = weft_load_acquire(&s->error);

	error = error ? error : s->joined;
	tell_figures(cell);
	if (error)
		text_add(&l, "the fan ended with: %s", strerror(-error));
	return tally_report(s->tally, s->in_order, &l) || error ? -EIO : 0;
}

int fan_demo(FILE *out);

const struct pattern pattern_fan = {
	.name = "fan",
	.flag = "fan",
	.title = "Fan-out/Fan-in",
	.summary = "items go to several workers, their results come together",
	.knobs = knobs,
	.accept = accept,
	.channel = channel,
	.drivers = drivers,
	.tasks = tasks,
	.consumers = consumers,
	.setup = setup,
	.work = run_driver,
	.stop = stop,
	.verify = verify,
	.teardown = teardown,
	.demo = fan_demo,
};
