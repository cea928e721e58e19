/*
 * The kernel: P producers put numbered items into one buffer, C consumers take
 * them out, and every item is accounted for.
 *
 * All of them are drivers: first the producers, then the consumers. An item's
 * value says which producer sent it and which one of its items it is. Consumers
 * go on until the buffer, closed by the last producer, is empty; so a channel
 * that loses or invents items ends a run all the same, and is found out.
 *
 * On a channel that moves no data there is nothing to look at and no end to be
 * seen: each consumer takes its share and stops by count.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "buffer.h"
#include "cli/text.h"
#include "kernel/message.h"
#include "kernel/pace.h"
#include "kernel/pattern.h"
#include "kernel/tally.h"
#include "kernel/work.h"

#define ITEMS_MAX (INT64_C(1) << 26)
#define SIDE_MAX 256
#define BATCH_BYTES_MAX (1 << 20)

/* An item's value: the producer above, the number of its item below. */
#define SEQ_BITS 32
#define SEQ_MASK ((UINT64_C(1) << SEQ_BITS) - 1)

enum variant {
	PLAIN,       /* put and take wait */
	TRY,         /* they do not: whoever finds no space or item yields */
	PAIRS,       /* every task puts, and takes as much */
	PREPRODUCED, /* all is in before the consumers begin */
};

static const char *const variant_choices[] = { "plain", "try", "pairs",
	                                       "preproduced", NULL };
static const char *const wait_choices[] = { "adaptive", "spin", "park", NULL };

static const struct knob knobs[] = {
	{ "variant", "", "how items go in and out", PLAIN, 0, PREPRODUCED,
	  variant_choices, "plain,try,pairs,preproduced" },
	{ "producers", "", "tasks that put", 1, 1, SIDE_MAX, NULL, "1,2,4,8" },
	{ "consumers", "", "tasks that take", 1, 1, SIDE_MAX, NULL, "1,2,4,8" },
	{ "cap", "items", "capacity of the buffer", 64, 0, 1 << 20, NULL,
	  "0,1,64,1024" },
	{ "items", "items", "items per run; 0 = as many as fill the time", 0, 0,
	  ITEMS_MAX, NULL, "0" },
	{ "payload", "B", "bytes per item, in steps of 8", MESSAGE_MIN,
	  MESSAGE_MIN, MESSAGE_MAX, NULL, "8,64,1024" },
	{ "prod_work", "ns", "computation per item, at its producer", 0, 0,
	  1000000000, NULL, "0,100,1000" },
	{ "work", "ns", "computation per item, at its consumer", 0, 0,
	  1000000000, NULL, "0,100,1000" },
	{ "batch", "items", "items per put and take", 1, 1, 4096, NULL,
	  "1,16,256" },
	{ "wait", "", "how waiting tasks wait", WEFT_WAIT_ADAPTIVE, 0,
	  WEFT_WAIT_PARK, wait_choices, "adaptive,park" },
	{ "stats", "", "1: report how full it was, and who waited how long", 0,
	  0, 1, NULL, "0,1" },
	{ .name = NULL },
};

/* What a driver has moved, written by it alone: on a line of its own, this
 * costs it a store. */
struct moves {
	/* Items that are in, for certain: counted once they have been put. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t put;
	/* Items that may be out: counted before they are taken. */
	_Atomic uint64_t taken;
	uint64_t next_look; /* at how many that it has put */
	uint64_t inside;    /* the most that it has seen */
};

/* How often a putter looks inside: after so many items for each driver, whose
 * counts it then has to fetch. */
#define LOOK_EVERY 256

struct state {
	/* Constant once made. */
	struct weft_buffer *buffer;
	struct tally *tally; /* NULL when the channel moves no data */
	enum variant variant;
	unsigned putters, takers; /* one side each, or everybody */
	unsigned drivers;
	size_t payload, batch;
	int64_t prod_work, work;
	bool in_order, stats;
	unsigned char **batches; /* two for each driver */
	struct moves *moves;     /* one for each driver */
	size_t cap;              /* that the buffer should have */

	_Atomic int error; /* the first of a driver */
	/* With `stats`: how long the tasks of either side took, and for how
	 * much of that they found no space or item. The second is the
	 * buffer's to tell where they wait in it. */
	_Atomic int64_t put_ns, take_ns;
	_Atomic int64_t put_tried_ns, take_tried_ns;
};

/* --- what the parameters mean --- */

static int64_t knob(const struct params *p, const char *name)
{
	return params_get(&pattern_producer_consumer, p, name);
}

static unsigned drivers(const struct params *p)
{
	return (unsigned)(knob(p, "producers") + knob(p, "consumers"));
}

static int accept_variant(const struct params *p, struct text *l)
{
	int64_t variant = knob(p, "variant");

	if ((variant != TRY && variant != PAIRS) || knob(p, "cap") > 0)
		return 0;
	text_add(l,
	         "cap=0 with variant=%s: two that do not wait never meet, "
	         "allowed 1 and up",
	         variant_choices[variant]);
	return -EINVAL;
}

static int accept(const struct params *p, char *why, size_t why_bytes)
{
	struct text l = text_in(why, why_bytes);
	int64_t payload = knob(p, "payload"), batch = knob(p, "batch");
	int64_t bytes = batch * payload;

	if (payload % 8)
		text_add(&l,
		         "payload=%" PRId64 ": allowed %d..%d in steps of 8",
		         payload, MESSAGE_MIN, MESSAGE_MAX);
	else if (bytes > BATCH_BYTES_MAX)
		text_add(&l,
		         "batch=%" PRId64 " with payload=%" PRId64 ": %" PRId64
		         " bytes, allowed %d",
		         batch, payload, bytes, BATCH_BYTES_MAX);
	else
		return accept_variant(p, &l);
	return -EINVAL;
}

static unsigned putters(const struct params *p)
{
	if (knob(p, "variant") == PAIRS)
		return drivers(p);
	return (unsigned)knob(p, "producers");
}

static unsigned takers(const struct params *p)
{
	if (knob(p, "variant") == PAIRS)
		return drivers(p);
	return (unsigned)knob(p, "consumers");
}

/* What is put before anybody takes must fit. */
static size_t capacity(const struct params *p, uint64_t items)
{
	size_t cap = (size_t)knob(p, "cap");

	return knob(p, "variant") == PREPRODUCED && items > cap ? (size_t)items
	                                                        : cap;
}

static void channel(const struct params *p, struct pattern_channel *out)
{
	*out = (struct pattern_channel){
		.cap = capacity(p, (uint64_t)knob(p, "items")),
		.elem_size = (size_t)knob(p, "payload"),
		.senders = putters(p),
		.receivers = takers(p),
	};
}

/* --- how many are inside --- */

/*
 * At least so many were inside at one moment, between the two loops: what had
 * been put by then less what somebody may have taken by then. A channel that
 * keeps to its capacity lets no put end before the take that made its space has
 * begun, and whoever sees the put sees that take, too.
 */
__attribute__((noinline)) static void look_inside(struct state *s,
                                                  struct moves *mine)
{
	uint64_t in = 0, out = 0;

	if (!s->tally) /* nothing is ever inside */
		return;
	for (unsigned i = 0; i < s->drivers; i++)
		in += weft_load_acquire(&s->moves[i].put); /* [moves] */
	for (unsigned i = 0; i < s->drivers; i++)
		out += weft_load_relaxed(&s->moves[i].taken);
	if (in > out && in - out > mine->inside)
		mine->inside = in - out;
}

/* A putter has put so many items of its own. */
static inline void count_put(struct state *s, struct moves *mine, uint64_t put)
{
	weft_store_release(&mine->put, put); /* [moves] */
	if (put < mine->next_look)
		return;
	mine->next_look = put + (uint64_t)LOOK_EVERY * s->drivers;
	look_inside(s, mine);
}

/* --- producers --- */

/* A driver cannot go on: nor can the others. */
static void give_up(struct state *s, int err)
{
	int none = 0;

	weft_cas_acq_rel(&s->error, &none, err);
	weft_buffer_stop(s->buffer);
}

static int put_now(struct state *s, const unsigned char *batch, size_t n,
                   size_t *done)
{
	int err;

	if (n > 1) {
		err = weft_buffer_put_many(s->buffer, batch, n, done, WEFT_NOW);
		return err == -ETIMEDOUT ? -EAGAIN : err;
	}
	err = weft_buffer_try_put(s->buffer, batch);
	*done = !err;
	return err;
}

/* Put all of a batch without ever waiting in the buffer. */
__attribute__((noinline)) static int
put_trying(struct state *s, const unsigned char *batch, size_t n)
{
	int64_t since = INT64_MIN;
	size_t put = 0, done;
	int err;

	for (;;) {
		err = put_now(s, batch + put * s->payload, n - put, &done);
		put += done;
		if (err != -EAGAIN)
			break;
		if (s->stats && since == INT64_MIN)
			since = weft_now();
		weft_yield();
	}
	if (since != INT64_MIN)
		weft_fetch_add_relaxed(&s->put_tried_ns, weft_now() - since);
	return err;
}

static inline int put(struct state *s, const unsigned char *batch, size_t n)
{
	size_t done;

	if (s->variant == TRY)
		return put_trying(s, batch, n);
	if (n == 1)
		return weft_buffer_put(s->buffer, batch, WEFT_FOREVER);
	return weft_buffer_put_many(s->buffer, batch, n, &done, WEFT_FOREVER);
}

/* Make n items of a putter, from number seq on. Inline, as all that is done for
 * each item: some channels need no longer than a call. */
static inline void make_items(const struct state *s, unsigned p, uint64_t seq,
                              unsigned char *batch, size_t n)
{
	uint64_t value;

	for (size_t i = 0; i < n; i++) {
		value = (uint64_t)p << SEQ_BITS | (seq + i);
		message_write(batch + i * s->payload, s->payload, value, value);
		if (s->prod_work)
			work_for(s->prod_work);
	}
}

/* The same, and put them. */
static inline int produce(struct state *s, unsigned p, uint64_t seq,
                          unsigned char *batch, size_t n)
{
	make_items(s, p, seq, batch, n);
	return put(s, batch, n);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How many items of putter p go out next, once they are due. Item seq of it is
 * item seq * putters + p of the cell. */
static size_t next_batch(const struct cell *cell, unsigned p, uint64_t seq,
                         uint64_t items)
{
	struct state *s = cell->state;

	return pace_batch(cell, seq * s->putters + p, s->putters,
	                  (size_t)least(items - seq, s->batch));
}

static void run_producer(struct cell *cell, unsigned p, unsigned char *batch)
{
	struct state *s = cell->state;
	uint64_t items = tally_share(cell->items, s->putters, p);
	size_t n;
	int err = 0;

	for (uint64_t seq = 0; seq < items && !err; seq += n) {
		n = next_batch(cell, p, seq, items);
		err = produce(s, p, seq, batch, n);
		if (!err)
			count_put(s, &s->moves[p], seq + n);
	}
	look_inside(s, &s->moves[p]);
	if (err)
		give_up(s, err);
	weft_buffer_done(s->buffer);
}

/* --- consumers --- */

/* One take of a consumer: what it takes with, and what it has taken. */
struct taker {
	struct cell *cell;
	unsigned id;
	unsigned char *batch;
	struct moves *moves;
	bool open_loop;
	uint64_t count;
};

/* Up to n items are about to be taken. */
static inline void count_take(struct taker *t, size_t n)
{
	weft_store_relaxed(&t->moves->taken, t->count + n);
}

static inline int take_waiting(struct state *s, unsigned char *batch,
                               size_t most, size_t *n)
{
	int err;

	if (most > 1)
		return weft_buffer_take_many(s->buffer, batch, most, n,
		                             WEFT_FOREVER);
	err = weft_buffer_take(s->buffer, batch, WEFT_FOREVER);
	*n = !err;
	return err;
}

static int take_now(struct state *s, unsigned char *batch, size_t most,
                    size_t *n)
{
	int err;

	if (most > 1) {
		err = weft_buffer_take_many(s->buffer, batch, most, n,
		                            WEFT_NOW);
		return err == -ETIMEDOUT ? -EAGAIN : err;
	}
	err = weft_buffer_try_take(s->buffer, batch);
	*n = !err;
	return err;
}

__attribute__((noinline)) static int
take_trying(struct state *s, unsigned char *batch, size_t most, size_t *n)
{
	int64_t since = INT64_MIN;
	int err;

	while ((err = take_now(s, batch, most, n)) == -EAGAIN) {
		if (s->stats && since == INT64_MIN)
			since = weft_now();
		weft_yield();
	}
	if (since != INT64_MIN)
		weft_fetch_add_relaxed(&s->take_tried_ns, weft_now() - since);
	return err;
}

static inline int take_from(struct taker *t, size_t most, size_t *n)
{
	struct state *s = t->cell->state;

	count_take(t, most);
	if (s->variant == TRY)
		return take_trying(s, t->batch, most, n);
	return take_waiting(s, t->batch, most, n);
}

static void look_at(struct state *s, unsigned c, const unsigned char *m)
{
	uint64_t value = message_value(m);

	if (message_is_of(m, s->payload, value))
		tally_count(s->tally, c, (unsigned)(value >> SEQ_BITS),
		            value & SEQ_MASK);
	else
		tally_corrupt(s->tally, c, value);
}

/* Record how long ago the item was due. */
static void record(const struct cell *cell, unsigned c, const unsigned char *m,
                   int64_t now)
{
	const struct state *s = cell->state;
	uint64_t value = message_value(m);
	uint64_t item = (value & SEQ_MASK) * s->putters + (value >> SEQ_BITS);

	if (item < cell->items)
		hist_record(&cell->latency[c], now - pace_due(cell, item));
}

/* What is to be done with n items that have come. */
static inline void consume(struct taker *t, size_t n)
{
	struct state *s = t->cell->state;
	int64_t now = t->open_loop ? weft_now() : 0;

	count_take(t, n); /* and no more than that */
	for (size_t i = 0; i < n; i++) {
		const unsigned char *m = t->batch + i * s->payload;

		if (s->tally)
			look_at(s, t->id, m);
		if (t->open_loop)
			record(t->cell, t->id, m, now);
		work_for(s->work);
	}
	t->count += n;
}

static void end_taking(struct taker *t, int err)
{
	if (t->cell->share)
		t->cell->share[t->id] = t->count;
	if (err && err != -EPIPE)
		give_up(t->cell->state, err);
}

/* Until the buffer is closed and empty. */
static void take_all(struct taker *t)
{
	struct state *s = t->cell->state;
	size_t n;
	int err;

	while ((err = take_from(t, s->batch, &n)) == 0)
		consume(t, n);
	end_taking(t, err);
}

/* On a channel that moves no data: until this consumer has had its share. */
static void take_share(struct taker *t)
{
	struct state *s = t->cell->state;
	uint64_t items = tally_share(t->cell->items, s->takers, t->id);
	size_t n = 0;
	int err = 0;

	while (t->count < items && !err) {
		err = take_from(t, (size_t)least(items - t->count, s->batch),
		                &n);
		if (!err)
			consume(t, n);
	}
	end_taking(t, err);
}

static void run_consumer(struct taker *t)
{
	struct state *s = t->cell->state;

	if (s->tally)
		take_all(t);
	else
		take_share(t);
}

/* --- both at once --- */

/* Take up to n items of what is there; none is no error: whoever is wronged by
 * that still finds them at the end. */
static int take_some(struct taker *t, size_t n)
{
	struct state *s = t->cell->state;
	int err;

	count_take(t, n);
	err = take_now(s, t->batch, n, &n);
	if (!err)
		consume(t, n);
	return err == -EAGAIN ? 0 : err;
}

/* Put n items. Who finds no space makes some: if everybody waited for it,
 * nobody would take. */
static int put_in_turn(struct taker *t, const unsigned char *items, size_t n)
{
	struct state *s = t->cell->state;
	size_t put = 0, done;
	int err;

	for (;;) {
		err = put_now(s, items + put * s->payload, n - put, &done);
		put += done;
		if (err != -EAGAIN)
			return err;
		weft_yield();
		err = take_some(t, s->batch);
		if (err)
			return err;
	}
}

static void run_pair(struct taker *t)
{
	struct state *s = t->cell->state;
	uint64_t items = tally_share(t->cell->items, s->putters, t->id);
	unsigned char *own = t->batch + s->batch * s->payload;
	size_t n;
	int err = 0;

	for (uint64_t seq = 0; seq < items && !err; seq += n) {
		n = next_batch(t->cell, t->id, seq, items);
		make_items(s, t->id, seq, own, n);
		err = put_in_turn(t, own, n);
		if (err)
			break;
		count_put(s, t->moves, seq + n);
		err = take_some(t, n);
	}
	look_inside(s, t->moves);
	if (err)
		give_up(s, err);
	weft_buffer_done(s->buffer);
	run_consumer(t);
}

/* --- the drivers --- */

static struct taker taker(struct cell *cell, unsigned id, unsigned driver)
{
	struct state *s = cell->state;

	return (struct taker){
		.cell = cell,
		.id = id,
		.batch = s->batches[driver],
		.moves = &s->moves[driver],
		/* What was put before t0 was not due at any time after. */
		.open_loop = cell->pace_ns > 0 && cell->latency && s->tally &&
		             s->variant != PREPRODUCED,
	};
}

static void run_one(struct cell *cell, unsigned driver)
{
	struct state *s = cell->state;
	struct taker t;

	if (s->variant == PAIRS) {
		t = taker(cell, driver, driver);
		run_pair(&t);
	} else if (driver >= s->putters) {
		t = taker(cell, driver - s->putters, driver);
		run_consumer(&t);
	} else if (s->variant == PREPRODUCED) {
		weft_buffer_done(s->buffer);
	} else {
		run_producer(cell, driver, s->batches[driver]);
	}
}

static void run_driver(struct cell *cell, unsigned driver)
{
	struct state *s = cell->state;
	int64_t since = s->stats ? weft_now() : 0, ns;

	run_one(cell, driver);
	if (!s->stats)
		return;
	ns = weft_now() - since;
	if (s->variant == PAIRS || driver < s->putters)
		weft_fetch_add_relaxed(&s->put_ns, ns);
	if (s->variant == PAIRS || driver >= s->putters)
		weft_fetch_add_relaxed(&s->take_ns, ns);
}

/* --- setup and teardown --- */

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	if (!s)
		return;
	for (unsigned i = 0; s->batches && i < s->drivers; i++)
		free(s->batches[i]);
	free(s->batches);
	free(s->moves);
	weft_buffer_free(s->buffer);
	tally_free(s->tally);
	free(s);
	cell->state = NULL;
}

static int make_batches(struct state *s)
{
	s->batches = calloc(s->drivers, sizeof(*s->batches));
	if (!s->batches)
		return -ENOMEM;
	for (unsigned i = 0; i < s->drivers; i++) {
		s->batches[i] = calloc(2 * s->batch, s->payload);
		if (!s->batches[i])
			return -ENOMEM;
	}
	return 0;
}

static int make_moves(struct state *s)
{
	size_t bytes = s->drivers * sizeof(*s->moves);

	s->moves = aligned_alloc(_Alignof(struct moves), bytes);
	if (!s->moves)
		return -ENOMEM;
	memset(s->moves, 0, bytes);
	return 0;
}

/* The capacity that such a channel has: some round it up. The buffer is not
 * asked, since it is what is looked at. */
static int ask_capacity(const struct cell *cell, struct state *s)
{
	struct weft_chan *c;
	int err = weft_chan_new(&c, cell->chan,
	                        capacity(&cell->params, cell->items),
	                        s->payload, NULL);

	if (err)
		return err;
	s->cap = weft_chan_cap(c);
	weft_chan_unref(c);
	return 0;
}

/* Consumers that stop by count must not find the buffer closed by producers
 * who were faster: then one more, who is never done, keeps it open. */
static int make_buffer(const struct cell *cell, struct state *s)
{
	struct weft_buffer_opts opts = {
		.impl = cell->chan,
		.cap = capacity(&cell->params, cell->items),
		.elem_size = s->payload,
		.wait = (enum weft_wait)param(cell, "wait"),
		.producers = s->putters + (s->tally ? 0 : 1),
		.count = s->stats,
	};
	int err = ask_capacity(cell, s);

	if (!err)
		err = weft_buffer_new(&s->buffer, &opts);
	/* As much as this channel cannot hold, it could not be asked about
	 * before the number of items was known. */
	return err == -EINVAL && s->variant == PREPRODUCED ? -ENOTSUP : err;
}

/* All items, dealt in turn as their producers would have put them. Where not
 * all of them fit, which they must, nobody is there yet to wait for. */
static void preproduce(const struct cell *cell, struct state *s)
{
	int err = 0;

	for (uint64_t i = 0; i < cell->items && !err; i++) {
		make_items(s, (unsigned)(i % s->putters), i / s->putters,
		           s->batches[0], 1);
		err = weft_buffer_try_put(s->buffer, s->batches[0]);
	}
	s->moves[0].inside = err ? 0 : cell->items;
	weft_store_relaxed(&s->error, err);
}

static int make_all(const struct cell *cell, struct state *s)
{
	int err;

	err = make_batches(s);
	if (!err)
		err = make_moves(s);
	if (err)
		return err;
	if (!(cell->chan->can & WEFT_NO_DATA)) {
		err = tally_new(&s->tally, s->putters, s->takers, cell->items);
		if (err)
			return err;
	}
	if (s->work || s->prod_work)
		work_calibrate();
	err = make_buffer(cell, s);
	if (!err && s->variant == PREPRODUCED)
		preproduce(cell, s);
	return err;
}

static void read_params(const struct cell *cell, struct state *s)
{
	s->variant = (enum variant)param(cell, "variant");
	s->putters = putters(&cell->params);
	s->takers = takers(&cell->params);
	s->drivers = drivers(&cell->params);
	s->payload = (size_t)param(cell, "payload");
	s->batch = (size_t)param(cell, "batch");
	s->prod_work = param(cell, "prod_work");
	s->work = param(cell, "work");
	s->stats = param(cell, "stats");
	s->in_order =
	        cell->chan->can & (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO);
}

static int setup(struct cell *cell)
{
	struct state *s;
	int err;

	if (cell->items > (uint64_t)ITEMS_MAX)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	cell->state = s;
	read_params(cell, s);
	err = make_all(cell, s);
	if (err)
		teardown(cell);
	return err;
}

/* --- afterwards --- */

/* The drivers have ended, or have not run at all; there are no other tasks. */
static void stop(struct cell *cell)
{
	struct state *s = cell->state;

	weft_buffer_stop(s->buffer);
}

static double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

static void add_figures(struct cell *cell, const struct weft_buffer_stats *b)
{
	static const char *const names[WEFT_BUFFER_FILLS] = {
		"fill_0",   "fill_1_8", "fill_2_8", "fill_3_8", "fill_4_8",
		"fill_5_8", "fill_6_8", "fill_7_8", "fill_8_8"
	};
	struct state *s = cell->state;

	cell_figure(cell, "put_blocked", "%", "of the producers' time",
	            percent((double)(b->put_wait_ns +
	                             weft_load_relaxed(&s->put_tried_ns)),
	                    (double)weft_load_relaxed(&s->put_ns)));
	cell_figure(cell, "take_blocked", "%", "of the consumers' time",
	            percent((double)(b->take_wait_ns +
	                             weft_load_relaxed(&s->take_tried_ns)),
	                    (double)weft_load_relaxed(&s->take_ns)));
	cell_figure(cell, "fill_mean", "items", "after a put", b->mean_fill);
	cell_figure(cell, "fill_high", "items", "after a put", (double)b->high);
	for (size_t i = 0; i < WEFT_BUFFER_FILLS; i++)
		cell_figure(cell, names[i], "%", "of the puts",
		            percent((double)b->fill[i], (double)b->puts));
}

/* Who cannot tell how many are inside keeps no exact count: the kernel first
 * sees that there is room in a socket, and then takes it, so that all senders
 * may have seen room for one. */
static uint64_t most_inside(const struct cell *cell)
{
	const struct state *s = cell->state;
	bool is_exact = (cell->chan->can & WEFT_CAN_LEN) || s->cap == SIZE_MAX;

	return s->cap + (is_exact ? 0 : s->putters - 1);
}

static int verify_bounds(const struct cell *cell, struct text *l)
{
	const struct state *s = cell->state;
	uint64_t inside = 0;

	for (unsigned i = 0; i < s->drivers; i++)
		if (s->moves[i].inside > inside)
			inside = s->moves[i].inside;
	if (inside <= most_inside(cell))
		return 0;
	text_next(l);
	text_add(l, "held %" PRIu64 " items of %zu", inside, s->cap);
	return -EIO;
}

/* The buffer's own books, where it keeps them: that it counts what the tally
 * counts. */
static int verify_books(struct cell *cell, struct text *l)
{
	struct state *s = cell->state;
	struct weft_buffer_stats b;
	int err = 0;

	weft_buffer_stats(s->buffer, &b);
	if (b.puts != cell->items || b.takes != cell->items) {
		text_next(l);
		text_add(l,
		         "counted %" PRIu64 " puts and %" PRIu64
		         " takes of %" PRIu64 " items",
		         b.puts, b.takes, cell->items);
		err = -EIO;
	}
	add_figures(cell, &b);
	return err;
}

static int verify(struct cell *cell, char *why, size_t why_bytes)
{
	struct state *s = cell->state;
	struct text l = text_in(why, why_bytes);
	int err = weft_load_acquire(&s->error);

	if (err)
		text_add(&l, "a put or take failed: %s", strerror(-err));
	/* What was lost on the way would count as still inside. */
	if (s->tally && tally_report(s->tally, s->in_order, &l))
		err = -EIO;
	else if (verify_bounds(cell, &l))
		err = -EIO;
	if (s->stats && verify_books(cell, &l))
		err = -EIO;
	return err ? -EIO : 0;
}

int producer_consumer_demo(FILE *out);

const struct pattern pattern_producer_consumer = {
	.name = "producer_consumer",
	.flag = "producer-consumer",
	.title = "Producer-Consumer",
	.summary = "several tasks fill one bounded buffer, several empty it",
	.knobs = knobs,
	.no_data = true,
	.accept = accept,
	.channel = channel,
	.drivers = drivers,
	.tasks = drivers,
	.consumers = takers,
	.setup = setup,
	.work = run_driver,
	.stop = stop,
	.verify = verify,
	.teardown = teardown,
	.demo = producer_consumer_demo,
};
