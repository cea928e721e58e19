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

#include "line.h"
#include "message.h"
#include "pace.h"
#include "pattern.h"
#include "producer_consumer.h"
#include "tally.h"
#include "work.h"

#define ITEMS_MAX (INT64_C(1) << 26)
#define SIDE_MAX 256
#define BATCH_BYTES_MAX (1 << 20)

/* An item's value: the producer above, the number of its item below. */
#define SEQ_BITS 32
#define SEQ_MASK ((UINT64_C(1) << SEQ_BITS) - 1)

static const char *const wait_choices[] = { "adaptive", "spin", "park", NULL };

static const struct knob knobs[] = {
	{ "producers", "", "tasks that put", 1, 1, SIDE_MAX, NULL, "1,2,4,8" },
	{ "consumers", "", "tasks that take", 1, 1, SIDE_MAX, NULL, "1,2,4,8" },
	{ "cap", "items", "capacity of the buffer", 64, 0, 1 << 20, NULL,
	  "0,1,64,1024" },
	{ "items", "items", "items per run; 0 = as many as fill the time", 0, 0,
	  ITEMS_MAX, NULL, "0" },
	{ "payload", "B", "bytes per item, in steps of 8", MESSAGE_MIN,
	  MESSAGE_MIN, MESSAGE_MAX, NULL, "8,64,1024" },
	{ "work", "ns", "computation per item, at its consumer", 0, 0,
	  1000000000, NULL, "0,100,1000" },
	{ "batch", "items", "items per put and take", 1, 1, 4096, NULL,
	  "1,16,256" },
	{ "wait", "", "how waiting tasks wait", WEFT_WAIT_ADAPTIVE, 0,
	  WEFT_WAIT_PARK, wait_choices, "adaptive,park" },
	{ .name = NULL },
};

struct state {
	/* Constant once made. */
	struct weft_buffer *buffer;
	struct tally *tally; /* NULL when the channel moves no data */
	unsigned producers, consumers;
	size_t payload, batch;
	int64_t work;
	bool in_order;
	unsigned char **batches; /* one for each driver */

	_Atomic int error; /* the first of a driver */
};

/* --- what the parameters mean --- */

static int64_t knob(const struct params *p, const char *name)
{
	return params_get(&pattern_producer_consumer, p, name);
}

static int accept(const struct params *p, char *why, size_t why_bytes)
{
	struct line l = line_in(why, why_bytes);
	int64_t payload = knob(p, "payload"), batch = knob(p, "batch");
	int64_t bytes = batch * payload;

	if (payload % 8)
		line_add(&l,
		         "payload=%" PRId64 ": allowed %d..%d in steps of 8",
		         payload, MESSAGE_MIN, MESSAGE_MAX);
	else if (bytes > BATCH_BYTES_MAX)
		line_add(&l,
		         "batch=%" PRId64 " with payload=%" PRId64 ": %" PRId64
		         " bytes, allowed %d",
		         batch, payload, bytes, BATCH_BYTES_MAX);
	else
		return 0;
	return -EINVAL;
}

static void channel(const struct params *p, struct pattern_channel *out)
{
	*out = (struct pattern_channel){
		.cap = (size_t)knob(p, "cap"),
		.elem_size = (size_t)knob(p, "payload"),
		.senders = (unsigned)knob(p, "producers"),
		.receivers = (unsigned)knob(p, "consumers"),
	};
}

static unsigned drivers(const struct params *p)
{
	return (unsigned)(knob(p, "producers") + knob(p, "consumers"));
}

static unsigned consumers(const struct params *p)
{
	return (unsigned)knob(p, "consumers");
}

/* --- setup and teardown --- */

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	if (!s)
		return;
	for (unsigned i = 0; s->batches && i < drivers(&cell->params); i++)
		free(s->batches[i]);
	free(s->batches);
	weft_buffer_free(s->buffer);
	tally_free(s->tally);
	free(s);
	cell->state = NULL;
}

static int make_batches(struct state *s, unsigned n)
{
	s->batches = calloc(n, sizeof(*s->batches));
	if (!s->batches)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		s->batches[i] = calloc(s->batch, s->payload);
		if (!s->batches[i])
			return -ENOMEM;
	}
	return 0;
}

/* Consumers that stop by count must not find the buffer closed by producers
 * who were faster: then one more, who is never done, keeps it open. */
static int make_buffer(const struct cell *cell, struct state *s)
{
	struct weft_buffer_opts opts = {
		.impl = cell->chan,
		.cap = (size_t)param(cell, "cap"),
		.elem_size = s->payload,
		.wait = (enum weft_wait)param(cell, "wait"),
		.producers = s->producers + (s->tally ? 0 : 1),
	};

	return weft_buffer_new(&s->buffer, &opts);
}

static int make_all(const struct cell *cell, struct state *s)
{
	int err;

	err = make_batches(s, s->producers + s->consumers);
	if (err)
		return err;
	if (!(cell->chan->can & WEFT_NO_DATA)) {
		err = tally_new(&s->tally, s->producers, s->consumers,
		                cell->items);
		if (err)
			return err;
	}
	if (s->work)
		work_calibrate();
	return make_buffer(cell, s);
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
	s->producers = (unsigned)param(cell, "producers");
	s->consumers = (unsigned)param(cell, "consumers");
	s->payload = (size_t)param(cell, "payload");
	s->batch = (size_t)param(cell, "batch");
	s->work = param(cell, "work");
	s->in_order =
	        cell->chan->can & (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO);
	err = make_all(cell, s);
	if (err)
		teardown(cell);
	return err;
}

/* --- producers --- */

/* A driver cannot go on: nor can the others. */
static void give_up(struct state *s, int err)
{
	int none = 0;

	weft_cas_acq_rel(&s->error, &none, err);
	weft_buffer_stop(s->buffer);
}

static int put(struct state *s, const unsigned char *batch, size_t n)
{
	size_t done;

	if (n == 1)
		return weft_buffer_put(s->buffer, batch, WEFT_FOREVER);
	return weft_buffer_put_many(s->buffer, batch, n, &done, WEFT_FOREVER);
}

/* Item seq of producer p is item seq * producers + p of the cell. */
static void produce(struct cell *cell, unsigned p)
{
	struct state *s = cell->state;
	uint64_t items = tally_share(cell->items, s->producers, p), value;
	unsigned char *batch = s->batches[p];
	size_t n;
	int err = 0;

	for (uint64_t seq = 0; seq < items && !err; seq += n) {
		n = items - seq < s->batch ? (size_t)(items - seq) : s->batch;
		n = pace_batch(cell, seq * s->producers + p, s->producers, n);
		for (size_t i = 0; i < n; i++) {
			value = (uint64_t)p << SEQ_BITS | (seq + i);
			message_write(batch + i * s->payload, s->payload, value,
			              value);
		}
		err = put(s, batch, n);
	}
	if (err)
		give_up(s, err);
	weft_buffer_done(s->buffer);
}

/* --- consumers --- */

static int take(struct state *s, unsigned char *batch, size_t most, size_t *n)
{
	int err;

	if (most > 1)
		return weft_buffer_take_many(s->buffer, batch, most, n,
		                             WEFT_FOREVER);
	err = weft_buffer_take(s->buffer, batch, WEFT_FOREVER);
	*n = !err;
	return err;
}

static void look_at(struct state *s, unsigned c, const unsigned char *m)
{
	uint64_t value = message_value(m);

	if (message_is_of(m, s->payload, value))
		tally_count(s->tally, c, (unsigned)(value >> SEQ_BITS),
		            value & SEQ_MASK);
	else
		tally_corrupt(s->tally, c, value);
	work_for(s->work);
}

/* Record how long ago the item was due. */
static void record(const struct cell *cell, const struct state *s, unsigned c,
                   const unsigned char *m, int64_t now)
{
	uint64_t value = message_value(m);
	uint64_t item = (value & SEQ_MASK) * s->producers + (value >> SEQ_BITS);

	if (item < cell->items)
		hist_record(&cell->latency[c], now - pace_due(cell, item));
}

static void consume(struct cell *cell, unsigned c)
{
	struct state *s = cell->state;
	unsigned char *batch = s->batches[s->producers + c];
	bool open_loop = cell->pace_ns > 0 && cell->latency;
	uint64_t count = 0;
	int64_t now;
	size_t n;
	int err;

	while ((err = take(s, batch, s->batch, &n)) == 0) {
		now = open_loop ? weft_now() : 0;
		for (size_t i = 0; i < n; i++) {
			const unsigned char *m = batch + i * s->payload;

			look_at(s, c, m);
			if (open_loop)
				record(cell, s, c, m, now);
		}
		count += n;
	}
	if (cell->share)
		cell->share[c] = count;
	if (err != -EPIPE)
		give_up(s, err);
}

/* On a channel that moves no data. */
static void consume_by_count(struct cell *cell, unsigned c)
{
	struct state *s = cell->state;
	unsigned char *batch = s->batches[s->producers + c];
	uint64_t items = tally_share(cell->items, s->consumers, c);
	size_t most, n;
	int err = 0;

	for (uint64_t left = items; left > 0 && !err; left -= n) {
		most = left < s->batch ? (size_t)left : s->batch;
		err = take(s, batch, most, &n);
		work_for(s->work);
	}
	if (cell->share)
		cell->share[c] = items;
	if (err)
		give_up(s, err);
}

static void run_driver(struct cell *cell, unsigned driver)
{
	struct state *s = cell->state;

	if (driver < s->producers)
		produce(cell, driver);
	else if (s->tally)
		consume(cell, driver - s->producers);
	else
		consume_by_count(cell, driver - s->producers);
}

/* --- afterwards --- */

/* The drivers have ended, or have not run at all; there are no other tasks. */
static void stop(struct cell *cell)
{
	struct state *s = cell->state;

	weft_buffer_stop(s->buffer);
}

static int verify(struct cell *cell, char *why, size_t why_bytes)
{
	struct state *s = cell->state;
	struct line l = line_in(why, why_bytes);
	int error = weft_load_acquire(&s->error);

	if (error)
		line_add(&l, "a put or take failed: %s", strerror(-error));
	if (s->tally && tally_report(s->tally, s->in_order, &l))
		return -EIO;
	return error ? -EIO : 0;
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
	.consumers = consumers,
	.setup = setup,
	.work = run_driver,
	.stop = stop,
	.verify = verify,
	.teardown = teardown,
	.demo = producer_consumer_demo,
};
