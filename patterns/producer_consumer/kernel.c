/*
 * The kernel: P producers put numbered items into one buffer, C consumers take
 * them out, and every item is accounted for.
 *
 * All of them are drivers: first the producers, then the consumers. An item's
 * value says which producer sent it and which one of its items it is. Consumers
 * go on until the buffer, closed by the last producer, is empty; so a channel
 * that loses or invents items ends a run all the same, and is found out.
 *
 * A channel that moves no data has no end to be seen: each consumer stops by
 * count, when it has had its share.
 */
#include "kernel/kernel.h"
#include "buffer.h"

#define SIDE_MAX 256

enum variant {
	PLAIN,       /* put and take wait */
	TRY,         /* they do not: a task without space or item yields */
	PAIRS,       /* every task puts, and takes as much */
	PREPRODUCED, /* all is in before the consumers begin */
	BARE,        /* over the channel itself, without a buffer around it */
};

static const char *const variant_choices[] = { "plain",       "try",  "pairs",
	                                       "preproduced", "bare", NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "how items go in and out", PLAIN, BARE,
	            variant_choices, "plain,try,pairs,preproduced,bare"),
	KNOB_COUNT("producers", "tasks that put", 1, 1, SIDE_MAX, "1,2,4,8"),
	KNOB_COUNT("consumers", "tasks that take", 1, 1, SIDE_MAX, "1,2,4,8"),
	KNOB_CAP(64, "0,1,64,1024"),
	KNOB_ITEMS,
	KNOB_PAYLOAD(MESSAGE_MAX, "8,64,1024"),
	KNOB_WORK("prod_work", "computation per item, at its producer",
	          "0,100,1000"),
	KNOB_WORK("work", "computation per item, at its consumer",
	          "0,100,1000"),
	KNOB_WORK("pause",
	          "sleep before each item, so that it finds its "
	          "consumer waiting",
	          "0,200000"),
	KNOB_BATCH("items per put and take", 1, "1,16,256"),
	KNOB_WAIT,
	KNOB_COUNT("stats",
	           "1: report how full it was, and who waited how long", 0, 0,
	           1, "0,1"),
	KNOB_END,
};

/* What a driver has moved, written by it alone: on a line of its own, this
 * costs it a store. */
struct party {
	/* Items that are in, for certain: counted once they have been put. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t put;
	/* Items that may be out: counted before they are taken. */
	_Atomic uint64_t taken;
	uint64_t next_look; /* at how many that it has put */
	uint64_t inside;    /* the most that it has seen */

	unsigned consumer; /* its number, where it takes, */
	unsigned char *m;  /* what with, */
	uint64_t count;    /* and how many it has */
};

/* How often a putter looks inside: after so many items for each driver, whose
 * counts it then has to fetch. */
#define LOOK_EVERY 256

struct state {
	/* Constant once made. */
	struct weft_buffer *buffer;
	struct weft_chan *bare; /* or this, the channel itself */
	unsigned putters;
	int64_t prod_work;
	bool stats;
	struct party *party; /* one for each driver */
	size_t cap;          /* that the buffer should have */

	_Atomic unsigned putting; /* with `bare`: those that are not done */

	/* With `pause`: when each item was sent, and then how long it took. */
	int64_t pause, *since;

	/* With `stats`: how long the tasks of either side took, and for how
	 * much of that they found no space or item. The second is the
	 * buffer's to tell where they wait in it. */
	_Alignas(WEFT_CACHE_LINE) _Atomic int64_t put_ns;
	_Atomic int64_t take_ns, put_tried_ns, take_tried_ns;
};

/* --- what the parameters mean --- */

static int accept_variant(const struct params *p, struct text *why)
{
	int64_t variant = param(p, "variant");

	if (variant == BARE && param(p, "stats")) {
		text_add(why, "stats=1 with variant=bare: a channel keeps no "
		              "books, allowed 0");
		return -EINVAL;
	}
	if (param(p, "pause") &&
	    (variant != BARE || param(p, "producers") > 1 ||
	     param(p, "consumers") > 1 || param(p, "batch") > 1)) {
		text_add(why,
		         "pause=%" PRId64 ": how long one item takes to one "
		         "consumer, allowed with variant=bare producers=1 "
		         "consumers=1 batch=1",
		         param(p, "pause"));
		return -EINVAL;
	}
	if ((variant != TRY && variant != PAIRS) || param(p, "cap") > 0)
		return 0;
	text_add(why,
	         "cap=0 with variant=%s: two that do not wait never meet, "
	         "allowed 1 and up",
	         variant_choices[variant]);
	return -EINVAL;
}

static double least_ns(const struct params *p, uint64_t items)
{
	int64_t producers = param(p, "producers"), cpus = place_cpus(p);
	double at_once = (double)(producers < cpus ? producers : cpus);

	return (double)items * ((double)param(p, "pause") +
	                        (double)param(p, "prod_work") / at_once);
}

static void shape(const struct params *p, struct cell_shape *out)
{
	int64_t v = param(p, "variant"), items = param(p, "items");

	out->senders = (unsigned)param(p, "producers");
	out->receivers = (unsigned)param(p, "consumers");
	out->drivers = out->senders + out->receivers;
	if (v == PAIRS)
		out->senders = out->receivers = out->drivers;
	out->consumers = out->receivers;
	/* What is put before anybody takes must fit. */
	if (v == PREPRODUCED && items > param(p, "cap"))
		out->cap = (size_t)items;
}

/* --- how many are inside --- */

/*
 * At least so many were inside at one moment, between the two loops: what had
 * been put by then less what somebody may have taken by then. A channel that
 * keeps to its capacity lets no put end before the take that made its space has
 * begun, and a task that sees the put sees that take, too.
 */
__attribute__((noinline)) static void look_inside(const struct cell *cell,
                                                  struct party *me)
{
	const struct state *s = cell->state;
	uint64_t in = 0, out = 0;

	if (!cell->tally) /* nothing is ever inside */
		return;
	for (unsigned i = 0; i < cell->shape.drivers; i++)
		in += weft_load_acquire(&s->party[i].put); /* [moves] */
	for (unsigned i = 0; i < cell->shape.drivers; i++)
		out += weft_load_relaxed(&s->party[i].taken);
	if (in > out && in - out > me->inside)
		me->inside = in - out;
}

/* A putter has put so many items of its own. */
static inline void count_put(const struct cell *cell, struct party *me,
                             uint64_t put)
{
	weft_store_release(&me->put, put); /* [moves] */
	if (put < me->next_look)
		return;
	me->next_look = put + (uint64_t)LOOK_EVERY * cell->shape.drivers;
	look_inside(cell, me);
}

/* --- taking --- */

#define NEVER INT64_MIN

/* Found no space or item: let others go on. Returns since when, where that is
 * asked for. */
static int64_t yield_since(const struct state *s, int64_t since)
{
	if (s->stats && since == NEVER)
		since = weft_now();
	weft_yield();
	return since;
}

static void add_tried(_Atomic int64_t *tried_ns, int64_t since)
{
	if (since != NEVER)
		weft_fetch_add_relaxed(tried_ns, weft_now() - since);
}

/* Up to `most` items, waiting for the first or not. */
KERNEL_INLINE int take_from(const struct state *s, struct party *me,
                            size_t most, size_t *n, bool wait)
{
	int err;

	if (most > 1) {
		err = weft_buffer_recv_many(s->buffer, me->m, most, n,
		                            wait ? WEFT_FOREVER : WEFT_NOW);
		return err == -ETIMEDOUT ? -EAGAIN : err;
	}
	err = wait ? weft_buffer_recv(s->buffer, me->m, WEFT_FOREVER)
	           : weft_buffer_try_recv(s->buffer, me->m);
	*n = !err;
	return err;
}

__attribute__((noinline)) static int
take_trying(struct state *s, struct party *me, size_t most, size_t *n)
{
	int64_t since = NEVER;
	int err;

	while ((err = take_from(s, me, most, n, false)) == -EAGAIN)
		since = yield_since(s, since);
	add_tried(&s->take_tried_ns, since);
	return err;
}

/* Up to n items are about to be taken. */
static inline void count_take(struct party *me, size_t n)
{
	weft_store_relaxed(&me->taken, me->count + n);
}

static inline int take(struct cell *cell, struct party *me, size_t most,
                       size_t *n)
{
	count_take(me, most);
	return cell->variant == TRY ? take_trying(cell->state, me, most, n)
	                            : take_from(cell->state, me, most, n, true);
}

/* Account for n items that have come, and do what is to be done with them. */
KERNEL_INLINE void account_for(struct cell *cell, const struct party *me,
                               size_t n)
{
	const struct state *s = cell->state;
	int64_t now = kernel_now(cell);

	for (size_t i = 0; i < n; i++) {
		const unsigned char *m = me->m + i * cell->payload;
		uint64_t value = message_value(m), seq = message_seq(value);
		uint64_t who = message_who(value);

		if (cell->tally) {
			kernel_count(cell, me->consumer, (unsigned)who, seq, m,
			             value);
			kernel_record_at(cell, me->consumer,
			                 seq * s->putters + who, now);
		}
		if (cell->work)
			work_for(cell->work);
	}
}

KERNEL_INLINE void consume(struct cell *cell, struct party *me, size_t n)
{
	count_take(me, n); /* and no more than that */
	account_for(cell, me, n);
	me->count += n;
}

/* Until the buffer is closed and empty; without data, until the consumer has
 * had its share. */
static void take_all(struct cell *cell, struct party *me)
{
	uint64_t left, items = tally_share(cell->items, cell->shape.consumers,
	                                   me->consumer);
	size_t n;
	int err = 0;

	while (cell->tally && !(err = take(cell, me, cell->batch, &n)))
		consume(cell, me, n);
	while (!cell->tally && !err && me->count < items) {
		left = items - me->count;
		err = take(cell, me,
		           left < cell->batch ? (size_t)left : cell->batch, &n);
		if (!err)
			consume(cell, me, n);
	}
	cell->share[me->consumer] = me->count;
	kernel_end(cell, err);
}

/* Take up to n items of what is there; none is no error: items that a wrong
 * -EAGAIN left behind are still found at the end. */
static int take_some(struct cell *cell, struct party *me, size_t n)
{
	int err;

	count_take(me, n);
	err = take_from(cell->state, me, n, &n, false);
	if (!err)
		consume(cell, me, n);
	return err == -EAGAIN ? 0 : err;
}

/* --- putting --- */

/* Put them, waiting for space or not; *done have been put. */
KERNEL_INLINE int put_to(const struct state *s, const unsigned char *m,
                         size_t n, size_t *done, bool wait)
{
	int err;

	if (n > 1) {
		err = weft_buffer_send_many(s->buffer, m, n, done,
		                            wait ? WEFT_FOREVER : WEFT_NOW);
		return err == -ETIMEDOUT ? -EAGAIN : err;
	}
	err = wait ? weft_buffer_send(s->buffer, m, WEFT_FOREVER)
	           : weft_buffer_try_send(s->buffer, m);
	*done = !err;
	return err;
}

/* Put all of a batch without ever waiting in the buffer. In pairs, a task that
 * finds no space makes some: if all waited for it, none would take. */
__attribute__((noinline)) static int put_trying(struct cell *cell,
                                                struct party *me,
                                                const unsigned char *m,
                                                size_t n)
{
	struct state *s = cell->state;
	int64_t since = NEVER;
	size_t put = 0, done;
	int err;

	for (;;) {
		err = put_to(s, m + put * cell->payload, n - put, &done, false);
		put += done;
		if (err != -EAGAIN)
			break;
		since = yield_since(s, since);
		err = cell->variant == PAIRS ? take_some(cell, me, cell->batch)
		                             : 0;
		if (err)
			break;
	}
	add_tried(&s->put_tried_ns, since);
	return err;
}

/* Inline, as all that is done for each item: some channels need no longer than
 * a call. */
static inline int send_items(const struct kernel_batch *b)
{
	const struct state *s = b->cell->state;
	struct party *me = &s->party[b->sender];
	int variant = b->cell->variant, err;
	size_t done;

	for (size_t i = 0; s->prod_work && i < b->n; i++)
		work_for(s->prod_work);
	err = variant == PLAIN ? put_to(s, b->m, b->n, &done, true)
	                       : put_trying(b->cell, me, b->m, b->n);
	if (err)
		return err;
	count_put(b->cell, me, b->seq + b->n);
	return variant == PAIRS ? take_some(b->cell, me, b->n) : 0;
}

static void put_all(struct cell *cell, unsigned driver)
{
	const struct state *s = cell->state;

	if (cell->variant != PREPRODUCED) {
		kernel_fail(cell, kernel_produce(cell, driver, s->putters,
		                                 cell->message[2 * driver + 1],
		                                 cell->batch, send_items));
		look_inside(cell, &s->party[driver]);
	}
	weft_buffer_done(s->buffer);
}

/* --- nothing but the channel --- */

/*
 * What a channel costs by itself, to be compared with other channels in loops
 * of their own: beside its calls and the tally nothing is done for an item.
 */
KERNEL_INLINE int send_bare(const struct kernel_batch *b)
{
	const struct state *s = b->cell->state;
	size_t done;

	for (size_t i = 0; s->prod_work && i < b->n; i++)
		work_for(s->prod_work);
	if (s->pause) {
		weft_sleep_until(weft_deadline_in(s->pause));
		s->since[b->seq] = weft_now();
	}
	return b->n == 1 ? weft_chan_send(s->bare, b->m, WEFT_FOREVER)
	                 : weft_chan_send_many(s->bare, b->m, b->n, &done,
	                                       WEFT_FOREVER);
}

KERNEL_INLINE int recv_bare(const struct state *s, const struct party *me,
                            size_t most, size_t *n)
{
	*n = 1;
	return most == 1 ? weft_chan_recv(s->bare, me->m, WEFT_FOREVER)
	                 : weft_chan_recv_many(s->bare, me->m, most, n,
	                                       WEFT_FOREVER);
}

/* Whether items of one word are moved one by one, and that is all: then a loop
 * that asks for nothing else does it, as the loops of a channel's own benchmark
 * would. */
static bool only_moves(const struct cell *cell)
{
	const struct state *s = cell->state;

	return cell->tally && cell->payload == MESSAGE_MIN &&
	       cell->batch == 1 && !cell->work && !s->prod_work && !s->pause &&
	       !cell->timed && cell->pace_ns <= 0;
}

static int put_words(const struct cell *cell, unsigned driver)
{
	const struct state *s = cell->state;
	struct weft_chan *chan = s->bare;
	uint64_t value = message_value_of(driver, 0);
	uint64_t end = value + tally_share(cell->items, s->putters, driver);
	int err = 0;

	for (; value < end && !err; value++)
		err = weft_chan_send(chan, &value, WEFT_FOREVER);
	return err;
}

static int take_words(const struct cell *cell, const struct party *me,
                      uint64_t *count)
{
	const struct state *s = cell->state;
	struct weft_chan *chan = s->bare;
	struct tally *tally = cell->tally;
	unsigned consumer = me->consumer;
	uint64_t value, n = 0;
	int err;

	while (!(err = weft_chan_recv(chan, &value, WEFT_FOREVER))) {
		tally_count(tally, consumer, (unsigned)message_who(value),
		            message_seq(value));
		n++;
	}
	*count = n;
	return err;
}

static void put_bare(struct cell *cell, unsigned driver)
{
	struct state *s = cell->state;

	if (only_moves(cell))
		kernel_fail(cell, put_words(cell, driver));
	else
		kernel_fail(cell, kernel_produce(cell, driver, s->putters,
		                                 cell->message[2 * driver + 1],
		                                 cell->batch, send_bare));
	/* Without data they count, and must not find it closed. After a halt it
	 * is closed already. */
	if (weft_fetch_sub_acq_rel(&s->putting, 1u) == 1 && cell->tally)
		(void)weft_chan_close(s->bare);
}

/* With `pause`: how long the item took. One that comes twice, or was never
 * sent, the tally finds. */
static void note_time(const struct cell *cell, const struct party *me)
{
	const struct state *s = cell->state;
	uint64_t seq;

	if (!s->pause || !cell->tally) /* nothing came that was sent */
		return;
	seq = message_seq(message_value(me->m));
	if (seq < cell->items)
		s->since[seq] = weft_now() - s->since[seq];
}

static int take_items_bare(struct cell *cell, const struct party *me,
                           uint64_t *count)
{
	const struct state *s = cell->state;
	uint64_t most =
	        cell->tally ? UINT64_MAX
	                    : tally_share(cell->items, cell->shape.consumers,
	                                  me->consumer);
	size_t n;
	int err;

	while (*count < most) {
		n = most - *count < cell->batch ? (size_t)(most - *count)
		                                : cell->batch;
		err = recv_bare(s, me, n, &n);
		if (err)
			return err;
		note_time(cell, me);
		account_for(cell, me, n);
		*count += n;
	}
	return 0;
}

static void take_bare(struct cell *cell, const struct party *me)
{
	uint64_t count = 0;
	int err = only_moves(cell) ? take_words(cell, me, &count)
	                           : take_items_bare(cell, me, &count);

	cell->share[me->consumer] = count;
	kernel_end(cell, err);
}

/* --- the drivers --- */

static void run_bare(struct cell *cell, unsigned driver)
{
	struct state *s = cell->state;

	if (driver < s->putters)
		put_bare(cell, driver);
	else
		take_bare(cell, &s->party[driver]);
}

static void run_driver(struct cell *cell, unsigned driver)
{
	struct state *s = cell->state;
	bool takes = cell->variant == PAIRS || driver >= s->putters;
	int64_t since = s->stats ? weft_now() : 0, ns;

	if (cell->variant == BARE) {
		run_bare(cell, driver);
		return;
	}
	if (driver < s->putters)
		put_all(cell, driver);
	if (takes)
		take_all(cell, &s->party[driver]);
	if (!s->stats)
		return;
	ns = weft_now() - since;
	if (driver < s->putters)
		weft_fetch_add_relaxed(&s->put_ns, ns);
	if (takes)
		weft_fetch_add_relaxed(&s->take_ns, ns);
}

/* --- setup and teardown --- */

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_buffer_free(s->buffer);
	weft_chan_unref(s->bare);
	free(s->party);
	free(s->since);
}

static int make_parties(struct cell *cell, struct state *s)
{
	int err = kernel_buffers(cell, 2 * cell->shape.drivers, cell->batch);

	if (err)
		return err;
	s->party = cacheline_new(cell->shape.drivers, sizeof(*s->party));
	if (!s->party)
		return -ENOMEM;
	for (unsigned i = 0; i < cell->shape.drivers; i++) {
		s->party[i].m = cell->message[2 * i];
		s->party[i].consumer =
		        cell->variant == PAIRS ? i : i - s->putters;
	}
	return 0;
}

static int make_bare(const struct cell *cell, struct state *s)
{
	struct weft_chan_opts opts = { .wait = cell->wait };

	weft_store_relaxed(&s->putting, s->putters);
	return weft_chan_new(&s->bare, cell->chan, cell->cap, cell->payload,
	                     &opts);
}

/* Consumers that stop by count must not find the buffer closed by producers
 * that were faster: then one more, which is never done, keeps it open. */
static int make_buffer(const struct cell *cell, struct state *s)
{
	struct weft_buffer_opts opts = {
		.impl = cell->chan,
		.cap = cell->cap,
		.elem_size = cell->payload,
		.wait = cell->wait,
		.producers = s->putters + (cell->tally ? 0 : 1),
		.count = s->stats,
	};
	int err = kernel_probe(cell, &s->cap);

	if (!err && cell->variant == BARE)
		return make_bare(cell, s);
	if (!err)
		err = weft_buffer_new(&s->buffer, &opts);
	/* As much as this channel cannot hold, it could not be asked about
	 * before the number of items was known. */
	return err == -EINVAL && cell->variant == PREPRODUCED ? -ENOTSUP : err;
}

/* All items, dealt in turn as their producers would have put them. Where not
 * all of them fit, which they must, nobody is there yet to wait for. None of
 * them was due at any time after t0. */
static void preproduce(struct cell *cell, struct state *s)
{
	unsigned char *m = cell->message[0];
	int err = 0;

	cell->timed = false;
	for (uint64_t i = 0; i < cell->items && !err; i++) {
		kernel_write(cell, m, 1,
		             message_value_of(i % s->putters, i / s->putters));
		err = weft_buffer_try_send(s->buffer, m);
	}
	s->party[0].inside = err ? 0 : cell->items;
	kernel_error(cell, err);
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	int err;

	s->putters = cell->shape.senders;
	s->prod_work = param(&cell->params, "prod_work");
	s->stats = param(&cell->params, "stats");
	s->pause = param(&cell->params, "pause");
	if (s->pause && !(s->since = calloc(cell->items, sizeof(*s->since))))
		return -ENOMEM;
	err = make_parties(cell, s);
	if (!err && !(cell->chan->can & WEFT_NO_DATA))
		err = tally_new(&cell->tally, s->putters, cell->shape.consumers,
		                cell->items);
	if (!err)
		err = make_buffer(cell, s);
	if (!err && cell->variant == PREPRODUCED)
		preproduce(cell, s);
	return err;
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	if (cell->variant == BARE)
		(void)weft_chan_close(s->bare); /* the last putter may have */
	else
		weft_buffer_stop(s->buffer);
}

/* --- afterwards --- */

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
	            percent((double)(b->send_wait_ns +
	                             weft_load_relaxed(&s->put_tried_ns)),
	                    (double)weft_load_relaxed(&s->put_ns)));
	cell_figure(cell, "take_blocked", "%", "of the consumers' time",
	            percent((double)(b->recv_wait_ns +
	                             weft_load_relaxed(&s->take_tried_ns)),
	                    (double)weft_load_relaxed(&s->take_ns)));
	cell_figure(cell, "fill_mean", "items", "after a put", b->mean_fill);
	cell_figure(cell, "fill_high", "items", "after a put", (double)b->high);
	for (size_t i = 0; i < WEFT_BUFFER_FILLS; i++)
		cell_figure(cell, names[i], "%", "of the puts",
		            percent((double)b->fill[i], (double)b->sends));
}

/* A channel without an exact length keeps no exact count either: the kernel
 * first sees that there is room in a socket, and then takes it, so that all
 * senders may have seen room for one. */
static uint64_t most_inside(const struct cell *cell)
{
	const struct state *s = cell->state;
	bool is_exact = (cell->chan->can & WEFT_CAN_LEN) || s->cap == SIZE_MAX;

	return s->cap + (is_exact ? 0 : s->putters - 1);
}

static void verify_bounds(const struct cell *cell, struct text *why)
{
	const struct state *s = cell->state;
	uint64_t inside = 0;

	for (unsigned i = 0; i < cell->shape.drivers; i++)
		if (s->party[i].inside > inside)
			inside = s->party[i].inside;
	if (inside > most_inside(cell))
		text_add(why, "held %" PRIu64 " items of %zu", inside, s->cap);
}

/* The buffer's own books, where it keeps them: that it counts what the tally
 * counts. */
static void verify_books(struct cell *cell, struct text *why)
{
	struct state *s = cell->state;
	struct weft_buffer_stats b;

	weft_buffer_stats(s->buffer, &b);
	if (b.sends != cell->items || b.recvs != cell->items)
		text_find(why,
		          "counted %" PRIu64 " sends and %" PRIu64
		          " receives of %" PRIu64 " items",
		          b.sends, b.recvs, cell->items);
	add_figures(cell, &b);
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void add_time(struct cell *cell)
{
	struct state *s = cell->state;
	uint64_t middle = (cell->items - 1) / 2;

	qsort(s->since, cell->items, sizeof(*s->since), by_time);
	cell_figure(cell, "idle_p50", "ns",
	            "from a send to the end of the receive that waited for it",
	            (double)s->since[middle]);
}

static void verify(struct cell *cell, struct text *why)
{
	const struct state *s = cell->state;

	/* What was lost on the way would count as still inside. */
	if (!why->used)
		verify_bounds(cell, why);
	if (s->stats)
		verify_books(cell, why);
	if (s->pause && cell->tally && !why->used)
		add_time(cell);
}

const struct pattern pattern_producer_consumer = {
	KERNEL(producer_consumer),
	.flag = "producer-consumer",
	.title = "Producer-Consumer",
	.summary = "several tasks fill one bounded buffer, several empty it",
	.no_data = true,
	.accept = accept_variant,
	.least_ns = least_ns,
	.verify = verify,
};
