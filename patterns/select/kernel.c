/*
 * The kernel: messages between one task and several, each of which has a
 * channel of its own; the one task selects.
 *
 * README.md says what the variants do.
 *
 * Several writers take the items off a common count (but with mixed), so that
 * `share`, how many went over each channel, shows how even the choice was. A
 * message says which item it is and which writer sent it; over each channel
 * items have to come in ascending order. All tasks, forwarders too, are
 * drivers.
 */
#include "kernel/kernel.h"
#include "mux.h"

#define WRITERS_MAX 64
#define IMPLS_MAX 32

/* Items that a writer takes off the count at once, at most. */
#define DEAL_MAX 64

enum variant { RECV, SEND, BOTH, MIXED, BARE, PLAIN, FORWARD };

static const char *const variant_choices[] = { "recv",    "send", "both",
	                                       "mixed",   "bare", "plain",
	                                       "forward", NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "who selects, or what is done instead", RECV,
	            FORWARD, variant_choices,
	            "recv,send,both,mixed,bare,plain,forward"),
	KNOB_COUNT("writers",
	           "channels, and tasks across from the one that selects", 4, 1,
	           WRITERS_MAX, "1,2,4,8"),
	KNOB_CAP(64, "0,1,64"),
	KNOB_ITEMS,
	KNOB_PAYLOAD(MESSAGE_MAX, "8,64,1024"),
	KNOB_WORK("work", "computation per message, at its receiver",
	          "0,100,1000"),
	KNOB_WAIT,
	KNOB_END,
};

struct state {
	/* Constant once made. */
	unsigned writers;
	struct weft_chan *chan[2 * WRITERS_MAX]; /* the common one is last */
	unsigned chans;
	struct weft_chan *common; /* plain, forward: what the reader reads */
	struct weft_mux *mux[2];  /* both: one for each side */
	uint64_t deal; /* items that are taken off the count at once */

	/* Where the writers' next item comes from. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t next;

	/* Tasks that send to the common channel and have not ended. */
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned senders;
};

/* --- what the parameters mean --- */

static bool has_common(int variant)
{
	return variant == PLAIN || variant == FORWARD;
}

static int accept_mixed(const struct params *p, struct text *why)
{
	if (param(p, "variant") != MIXED)
		return 0;
	if (param(p, "writers") < 2)
		text_add(why, "writers=1 with variant=mixed: allowed 2..%d",
		         WRITERS_MAX);
	else if (param(p, "cap") == 0)
		text_add(why,
		         "cap=0 with variant=mixed: allowed 1..%d, which "
		         "all channels can have",
		         KERNEL_CAP_MAX);
	return why->used ? -EINVAL : 0;
}

/* plain and forward share one channel with `writers` senders and no select;
 * otherwise channels are one to one and can select. Each has its share. */
static void shape(const struct params *p, struct cell_shape *out)
{
	unsigned writers = (unsigned)param(p, "writers");
	int v = (int)param(p, "variant");

	out->drivers = v == BOTH ? 2 : writers + 1;
	if (v == FORWARD)
		out->drivers += writers;
	out->consumers = v == BOTH ? 2 * writers : writers;
	if (has_common(v))
		out->senders = writers;
	else
		out->needs = WEFT_CAN_SELECT;
}

/* --- setup and teardown --- */

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	for (unsigned i = 0; i < 2; i++)
		weft_mux_free(s->mux[i]);
	for (unsigned i = 0; i < s->chans; i++)
		weft_chan_unref(s->chan[i]);
}

/* The implementations of the channels in turn: what the cell asks for, and with
 * variant=mixed all others that can stand beside it. */
static unsigned list_impls(const struct cell *cell,
                           const struct weft_chan_impl **impls)
{
	bool mixed = cell->variant == MIXED;
	const struct weft_chan_impl *impl;
	unsigned n = 0;

	impls[n++] = cell->chan;
	for (size_t i = 0; mixed && (impl = weft_chan_impl_at(i)); i++)
		if (n < IMPLS_MAX && impl != cell->chan &&
		    impl->can & WEFT_CAN_SELECT &&
		    !weft_chan_impl_accepts(impl, cell->cap, cell->payload,
		                            NULL, 0))
			impls[n++] = impl;
	return n;
}

static int make_channels(struct cell *cell, struct state *s)
{
	const struct weft_chan_impl *impls[IMPLS_MAX];
	const struct weft_chan_opts opts = { .wait = cell->wait };
	unsigned n = list_impls(cell, impls),
	         common = has_common(cell->variant);
	unsigned own = cell->variant == PLAIN ? 0 : cell->shape.consumers;
	int err = 0;

	s->chans = own + common;
	for (unsigned i = 0; i < s->chans && !err; i++) {
		const struct weft_chan_impl *impl = impls[i % n];

		cell->in_order &= (impl->can & (WEFT_CAN_FIFO |
		                                WEFT_CAN_PRODUCER_FIFO)) != 0;
		err = weft_chan_new(&s->chan[i], impl, cell->cap, cell->payload,
		                    &opts);
	}
	s->common = common ? s->chan[own] : NULL;
	return err;
}

static int add_ports(const struct state *s, struct weft_mux *mux,
                     unsigned first, enum weft_case_op op)
{
	int err = 0;

	for (unsigned w = 0; w < s->writers && !err; w++)
		err = weft_mux_add(mux, s->chan[first + w], op, NULL);
	return err;
}

/* A side's channels in are those out of the other: with variant=both the first
 * half of them leads from side 0 to side 1. Ports in come first, so that they
 * have the numbers of their channels. */
static int make_mux(const struct cell *cell, struct state *s, unsigned side)
{
	struct weft_mux_opts opts = { .elem_size = cell->payload,
		                      .wait = cell->wait };
	int v = cell->variant, err = weft_mux_new(&s->mux[side], &opts);

	if (!err && v != SEND)
		err = add_ports(s, s->mux[side],
		                v == BOTH ? (1 - side) * s->writers : 0,
		                WEFT_CASE_RECV);
	if (!err && (v == SEND || v == BOTH))
		err = add_ports(s, s->mux[side], side * s->writers,
		                WEFT_CASE_SEND);
	return err;
}

/* So few at once that in the end all writers have had enough turns, and so many
 * that the common count is no bottleneck. */
static uint64_t items_per_deal(const struct cell *cell, unsigned writers)
{
	uint64_t n = cell->items / (writers * UINT64_C(32));

	if (cell->pace_ns > 0 || n == 0)
		return 1;
	return n < DEAL_MAX ? n : DEAL_MAX;
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	int err;

	s->writers = (unsigned)param(&cell->params, "writers");
	s->deal = items_per_deal(cell, s->writers);
	weft_store_relaxed(&s->senders, s->writers);
	err = kernel_buffers(cell, 2 * cell->shape.drivers, 1);
	if (!err)
		err = make_channels(cell, s);
	if (!err && cell->variant <= MIXED)
		err = make_mux(cell, s, 0);
	if (!err && cell->variant == BOTH)
		err = make_mux(cell, s, 1);
	return err ? err
	           : tally_new(&cell->tally, cell->variant == BOTH ? 2 : 1,
	                       cell->shape.consumers, cell->items);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	for (unsigned i = 0; i < s->chans; i++)
		if (s->chan[i])
			weft_chan_close(s->chan[i]);
}

/* --- what one driver needs --- */

struct side {
	struct cell *cell;
	struct weft_mux *mux;
	unsigned first; /* of the channels that lead to it */
	/* both: the other one; otherwise 0, for there is one count of items,
	 * and what comes over a channel is of the writer of that number. */
	unsigned producer;
	unsigned char *in, *out;
	uint64_t count[WRITERS_MAX]; /* by channel, from the first */
};

static struct side side_of(struct cell *cell, unsigned driver, unsigned mux,
                           unsigned first)
{
	const struct state *s = cell->state;

	return (struct side){ .cell = cell,
		              .mux = s->mux[mux],
		              .first = first,
		              .in = cell->message[2 * driver],
		              .out = cell->message[2 * driver + 1] };
}

/* A message has come over the side's channel `which`. */
KERNEL_INLINE void came(struct side *side, size_t which)
{
	struct cell *cell = side->cell;
	uint64_t value = message_value(side->in), seq = message_seq(value);
	unsigned at = side->first + (unsigned)which;
	bool both = cell->variant == BOTH;

	if (message_who(value) == (both ? side->producer : which))
		kernel_count(cell, at, side->producer, seq, side->in, value);
	else
		tally_corrupt(cell->tally, at, value);
	kernel_record(cell, at, both ? 2 * seq + side->producer : seq);
	side->count[which]++;
	if (cell->work)
		work_for(cell->work);
}

/* Until a deadline, or the end of all channels. */
static int receive_until(struct side *side, int64_t until)
{
	size_t which;
	int err;

	while (!(err = weft_mux_recv(side->mux, side->in, &which, until)))
		came(side, which);
	return err;
}

/* The side has received all from n channels. Its shares were counted for
 * itself, away from the lines of other sides. */
static void end_side(const struct side *side, unsigned n, int err)
{
	memcpy(side->cell->share + side->first, side->count,
	       n * sizeof(*side->count));
	kernel_end(side->cell, err);
}

/* --- writers of one channel each, and the reader --- */

/* The last one closes the common channel. */
static void leave_common(struct state *s)
{
	if (weft_fetch_sub_acq_rel(&s->senders, 1u) == 1)
		weft_chan_close(s->common);
}

/* Write every `step`th item from `item` on. */
static int write_items(struct cell *cell, unsigned w, uint64_t item,
                       uint64_t end, unsigned step)
{
	const struct state *s = cell->state;
	struct weft_chan *c = cell->variant == PLAIN ? s->common : s->chan[w];
	unsigned char *m = cell->message[2 * w + 1];
	int err = 0;

	for (; item < end && !err; item += step) {
		kernel_write(cell, m, 1, message_value_of(w, item));
		pace_batch(cell, item, step, 1);
		err = weft_chan_send(c, m, WEFT_FOREVER);
	}
	return err;
}

/* Write what is taken off the common count. */
static int write_deals(struct cell *cell, unsigned w)
{
	struct state *s = cell->state;
	uint64_t item, end;
	int err = 0;

	while (!err && (item = weft_fetch_add_relaxed(&s->next, s->deal)) <
	                       cell->items) {
		end = item + s->deal;
		err = write_items(cell, w, item,
		                  end < cell->items ? end : cell->items, 1);
	}
	return err;
}

/* Where channels differ each writer has an equal part: the writer of an
 * unbounded channel, which never waits, would otherwise take nearly all of
 * them. */
static void write_one(struct cell *cell, unsigned w)
{
	struct state *s = cell->state;

	kernel_fail(cell,
	            cell->variant == MIXED
	                    ? write_items(cell, w, w, cell->items, s->writers)
	                    : write_deals(cell, w));
	if (cell->variant == PLAIN)
		leave_common(s);
	else
		weft_chan_close(s->chan[w]);
}

/* What a mux does, by hand. */
static int read_by_select(struct side *side)
{
	const struct state *s = side->cell->state;
	struct weft_case cases[WRITERS_MAX];
	int k;

	for (unsigned w = 0; w < s->writers; w++)
		cases[w] = weft_case_recv(s->chan[w], side->in);
	for (unsigned open = s->writers; open > 0;) {
		k = weft_select(cases, s->writers, WEFT_FOREVER);
		if (k < 0)
			return k;
		if (!cases[k].err) {
			came(side, (size_t)k);
			continue;
		}
		if (cases[k].err != -EPIPE)
			return cases[k].err;
		cases[k].c = NULL;
		open--;
	}
	return -EPIPE;
}

static int read_common(struct side *side)
{
	const struct state *s = side->cell->state;
	uint64_t sender;
	int err;

	while (!(err = weft_chan_recv(s->common, side->in, WEFT_FOREVER))) {
		sender = message_who(message_value(side->in));
		if (sender < s->writers)
			came(side, (size_t)sender);
		else
			tally_corrupt(side->cell->tally, 0,
			              message_value(side->in));
	}
	return err;
}

static void read_all(struct cell *cell)
{
	const struct state *s = cell->state;
	struct side side = side_of(cell, s->writers, 0, 0);

	end_side(&side, s->writers,
	         has_common(cell->variant) ? read_common(&side)
	         : cell->variant == BARE   ? read_by_select(&side)
	                                 : receive_until(&side, WEFT_FOREVER));
	/* A writer that it has forgotten, if it has, must not wait for ever. */
	halt(cell);
}

static void forward(struct cell *cell, unsigned w, unsigned char *m)
{
	struct state *s = cell->state;
	int err;

	do {
		err = weft_chan_recv(s->chan[w], m, WEFT_FOREVER);
		if (!err)
			err = weft_chan_send(s->common, m, WEFT_FOREVER);
	} while (!err);
	kernel_fail(cell, err == -EPIPE ? 0 : err);
	leave_common(s);
}

/* --- one writer, and readers of one channel each --- */

static inline int send_by_mux(const struct kernel_batch *b)
{
	const struct state *s = b->cell->state;

	return weft_mux_send(s->mux[0], b->m, NULL, WEFT_FOREVER);
}

static void write_all(struct cell *cell)
{
	kernel_fail(cell, kernel_produce(cell, 0, 1, cell->message[1], 1,
	                                 send_by_mux));
	halt(cell);
}

static void read_one(struct cell *cell, unsigned r)
{
	const struct state *s = cell->state;
	struct side side = side_of(cell, r + 1, 0, r);
	int err;

	while (!(err = weft_chan_recv(s->chan[r], side.in, WEFT_FOREVER)))
		came(&side, 0);
	end_side(&side, 1, err);
}

/* --- two sides --- */

/* Until the next message is due, receive. */
static int await_turn(struct side *side, uint64_t item)
{
	int64_t due = pace_due(side->cell, item);
	int err;

	if (side->cell->pace_ns <= 0)
		return 0;
	err = receive_until(side, due - PACE_POLL_NS);
	while (err == -ETIMEDOUT && weft_now() < due) {
		weft_relax();
		err = receive_until(side, WEFT_NOW);
	}
	/* The other side has sent all of its own. */
	if (err == -EPIPE)
		pace_wait(due);
	return err == -ETIMEDOUT || err == -EPIPE ? 0 : err;
}

/* Send what `out` holds; receive what comes first. */
static int send_or_receive(struct side *side)
{
	enum weft_case_op op;
	size_t which;
	int err;

	for (;;) {
		err = weft_mux_select(side->mux, side->out, side->in, &op,
		                      &which, WEFT_FOREVER);
		if (err || op == WEFT_CASE_SEND)
			return err;
		came(side, which);
	}
}

static void exchange(struct cell *cell, unsigned me)
{
	struct state *s = cell->state;
	struct side side = side_of(cell, me, me, (1 - me) * s->writers);
	uint64_t items = tally_share(cell->items, 2, me);
	int err = 0;

	side.producer = 1 - me;
	for (uint64_t seq = 0; seq < items && !err; seq++) {
		kernel_write(cell, side.out, 1, message_value_of(me, seq));
		err = await_turn(&side, 2 * seq + me);
		if (!err)
			err = send_or_receive(&side);
	}
	kernel_fail(cell, err);
	/* The channels that lead to the other side. */
	for (unsigned i = 0; i < s->writers; i++)
		weft_chan_close(s->chan[me * s->writers + i]);
	end_side(&side, s->writers, receive_until(&side, WEFT_FOREVER));
}

static void run_driver(struct cell *cell, unsigned driver)
{
	const struct state *s = cell->state;

	if (cell->variant == BOTH)
		exchange(cell, driver);
	else if (cell->variant == SEND && driver == 0)
		write_all(cell);
	else if (cell->variant == SEND)
		read_one(cell, driver - 1);
	else if (driver < s->writers)
		write_one(cell, driver);
	else if (driver == s->writers)
		read_all(cell);
	else
		forward(cell, driver - s->writers - 1,
		        cell->message[2 * driver]);
}

/* --- afterwards --- */

/* Whether the muxes have counted what was received and sent. */
static void verify(struct cell *cell, struct text *why)
{
	const struct state *s = cell->state;
	uint64_t counted = 0,
	         due = cell->items * (cell->variant == BOTH ? 2 : 1);
	struct weft_mux_stats stats;

	if (!s->mux[0] || why->used)
		return;
	for (unsigned i = 0; i < 2 && s->mux[i]; i++) {
		weft_mux_stats(s->mux[i], &stats);
		counted += stats.received + stats.sent;
	}
	if (counted != due)
		text_add(why, "counted %" PRIu64 " of %" PRIu64 " moves",
		         counted, due);
}

const struct pattern pattern_select = {
	KERNEL(select),
	.flag = "select",
	.title = "Select",
	.summary = "one task waits for several channels and uses the first "
	           "that is ready",
	.accept = accept_mixed,
	.verify = verify,
};
