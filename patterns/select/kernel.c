/*
 * The kernel: messages between one task and several, each of which has a
 * channel of its own; the one task selects.
 *
 *	recv     writers send, one reader selects (SelectTime, Chalmers)
 *	send     one writer selects, readers receive
 *	both     two sides, with channels in both directions: each sends and
 *	         receives in one select, so that select meets select
 *	mixed    as recv, over channels of all implementations that there are
 *	bare     as recv, by weft_select() itself: what the component costs
 *	plain    no select: all writers share one channel
 *	forward  no select: a task for each writer's channel passes what comes
 *	         on to a common one
 *
 * Several writers take the items off a common count (but with mixed), so that
 * `share`, how many went over each channel, shows how even the choice was. A
 * message says which item it is and who sent it; over each channel items have
 * to come in ascending order. All but the forwarders are drivers.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "base/cacheline.h"
#include "cli/text.h"
#include "kernel/message.h"
#include "kernel/pace.h"
#include "kernel/pattern.h"
#include "kernel/tally.h"
#include "kernel/work.h"
#include "mux.h"

#define ITEMS_MAX (INT64_C(1) << 26)
#define WRITERS_MAX 64
#define IMPLS_MAX 32

/* Items that a writer takes off the count at once, at most. */
#define DEAL_MAX 64

/* A message's value: who sent it above, which item it is below. */
#define SEQ_BITS 32
#define SEQ_MASK ((UINT64_C(1) << SEQ_BITS) - 1)

enum variant { RECV, SEND, BOTH, MIXED, BARE, PLAIN, FORWARD };

static const char *const variant_choices[] = { "recv",    "send", "both",
	                                       "mixed",   "bare", "plain",
	                                       "forward", NULL };
static const char *const wait_choices[] = { "adaptive", "spin", "park", NULL };

static const struct knob knobs[] = {
	{ "variant", "", "who selects, or what is done instead", RECV, RECV,
	  FORWARD, variant_choices, "recv,send,both,mixed,bare,plain,forward" },
	{ "writers", "", "channels, and tasks across from the one that selects",
	  4, 1, WRITERS_MAX, NULL, "1,2,4,8" },
	{ "cap", "items", "capacity of each channel", 64, 0, 1 << 20, NULL,
	  "0,1,64" },
	{ "items", "items", "messages per run; 0 = as many as fill the time", 0,
	  0, ITEMS_MAX, NULL, "0" },
	{ "payload", "B", "bytes per message, in steps of 8", MESSAGE_MIN,
	  MESSAGE_MIN, MESSAGE_MAX, NULL, "8,64,1024" },
	{ "work", "ns", "computation per message, at its receiver", 0, 0,
	  1000000000, NULL, "0,100,1000" },
	{ "wait", "", "how waiting tasks wait", WEFT_WAIT_ADAPTIVE, 0,
	  WEFT_WAIT_PARK, wait_choices, "adaptive,park" },
	{ .name = NULL },
};

/* One task of ours besides the drivers. */
struct forwarder {
	struct state *state;
	struct weft_task *task;
	struct weft_chan *from;
	unsigned char *message;
};

struct state {
	/* Constant once made. */
	enum variant variant;
	unsigned writers;
	struct weft_chan **chan;
	unsigned chans;
	struct weft_chan *common;  /* plain, forward: what the reader reads */
	struct weft_mux *mux[2];   /* both: one for each side */
	struct tally *tally;       /* a consumer for each channel */
	unsigned char **out, **in; /* messages: one each for each driver */
	struct forwarder *forwarders;
	size_t payload;
	int64_t work;
	uint64_t deal; /* items that are taken off the count at once */
	bool in_order;

	/* Where the writers' next item comes from. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t next;

	/* Tasks that send to the common channel and have not ended. */
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned senders;
	_Atomic int error; /* the first of a driver */
};

/* --- what the parameters mean --- */

static int64_t knob(const struct params *p, const char *name)
{
	return params_get(&pattern_select, p, name);
}

static enum variant variant_of(const struct params *p)
{
	return (enum variant)knob(p, "variant");
}

static bool has_common(enum variant v)
{
	return v == PLAIN || v == FORWARD;
}

static int accept(const struct params *p, char *why, size_t why_bytes)
{
	struct text l = text_in(why, why_bytes);
	int64_t payload = knob(p, "payload");
	bool mixed = variant_of(p) == MIXED;

	if (payload % 8)
		text_add(&l,
		         "payload=%" PRId64 ": allowed %d..%d in steps of 8",
		         payload, MESSAGE_MIN, MESSAGE_MAX);
	else if (mixed && knob(p, "writers") < 2)
		text_add(&l, "writers=1 with variant=mixed: allowed 2..%d",
		         WRITERS_MAX);
	else if (mixed && knob(p, "cap") == 0)
		text_add(&l,
		         "cap=0 with variant=mixed: allowed 1..%d, which "
		         "all channels can have",
		         1 << 20);
	else
		return 0;
	return -EINVAL;
}

/* The most demanding one is that which all writers share, where there is one;
 * then nobody selects. */
static void channel(const struct params *p, struct pattern_channel *out)
{
	bool common = has_common(variant_of(p));

	*out = (struct pattern_channel){
		.cap = (size_t)knob(p, "cap"),
		.elem_size = (size_t)knob(p, "payload"),
		.senders = common ? (unsigned)knob(p, "writers") : 1,
		.receivers = 1,
		.needs = common ? 0 : WEFT_CAN_SELECT,
	};
}

static unsigned drivers(const struct params *p)
{
	return variant_of(p) == BOTH ? 2 : (unsigned)knob(p, "writers") + 1;
}

static unsigned tasks(const struct params *p)
{
	return drivers(p) +
	       (variant_of(p) == FORWARD ? (unsigned)knob(p, "writers") : 0);
}

/* Channels, of which each has its share, in one or in both directions. */
static unsigned consumers(const struct params *p)
{
	return (unsigned)knob(p, "writers") * (variant_of(p) == BOTH ? 2 : 1);
}

/* --- setup and teardown --- */

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	if (!s)
		return;
	for (unsigned i = 0; s->out && i < drivers(&cell->params); i++) {
		free(s->out[i]);
		free(s->in[i]);
	}
	for (unsigned w = 0; s->forwarders && w < s->writers; w++)
		free(s->forwarders[w].message);
	for (unsigned i = 0; i < 2; i++)
		weft_mux_free(s->mux[i]);
	for (unsigned i = 0; s->chan && i < s->chans; i++)
		weft_chan_unref(s->chan[i]);
	weft_chan_unref(s->common);
	tally_free(s->tally);
	free(s->forwarders);
	free(s->out);
	free(s->in);
	free(s->chan);
	free(s);
	cell->state = NULL;
}

/* The implementations of the channels in turn: what the cell asks for, and with
 * variant=mixed all others that can stand beside it. */
static unsigned list_impls(const struct cell *cell,
                           const struct weft_chan_impl **impls)
{
	bool mixed = variant_of(&cell->params) == MIXED;
	const struct weft_chan_impl *impl;
	struct pattern_channel asked;
	unsigned n = 0;

	channel(&cell->params, &asked);
	impls[n++] = cell->chan;
	for (size_t i = 0; mixed && (impl = weft_chan_impl_at(i)); i++)
		if (n < IMPLS_MAX && impl != cell->chan &&
		    impl->can & WEFT_CAN_SELECT &&
		    !weft_chan_impl_accepts(impl, asked.cap, asked.elem_size,
		                            NULL, 0))
			impls[n++] = impl;
	return n;
}

static int make_channel(const struct cell *cell, struct state *s,
                        const struct weft_chan_impl *impl,
                        struct weft_chan **out)
{
	struct weft_chan_opts opts = {
		.wait = (enum weft_wait)param(cell, "wait"),
	};

	s->in_order &=
	        (impl->can & (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO)) != 0;
	return weft_chan_new(out, impl, (size_t)param(cell, "cap"), s->payload,
	                     &opts);
}

static int make_channels(const struct cell *cell, struct state *s)
{
	const struct weft_chan_impl *impls[IMPLS_MAX];
	unsigned n = list_impls(cell, impls);
	int err = 0;

	if (has_common(s->variant))
		err = make_channel(cell, s, cell->chan, &s->common);
	if (s->variant == PLAIN)
		return err;
	s->chan = calloc(consumers(&cell->params), sizeof(struct weft_chan *));
	if (!s->chan)
		return -ENOMEM;
	s->chans = consumers(&cell->params);
	for (unsigned i = 0; i < s->chans && !err; i++)
		err = make_channel(cell, s, impls[i % n], &s->chan[i]);
	return err;
}

/* A mux of n inputs and n outputs, where there are. The inputs come first, so
 * that a port has the number of its channel among them. */
static int make_mux(const struct cell *cell, const struct state *s,
                    struct weft_chan **inputs, struct weft_chan **outputs,
                    struct weft_mux **out)
{
	struct weft_mux_opts opts = {
		.elem_size = s->payload,
		.wait = (enum weft_wait)param(cell, "wait"),
	};
	int err = weft_mux_new(out, &opts);

	for (unsigned i = 0; inputs && i < s->writers && !err; i++)
		err = weft_mux_add(*out, inputs[i], WEFT_CASE_RECV, NULL);
	for (unsigned i = 0; outputs && i < s->writers && !err; i++)
		err = weft_mux_add(*out, outputs[i], WEFT_CASE_SEND, NULL);
	return err;
}

/* With variant=both the first half of the channels leads from side 0 to 1. */
static int make_muxes(const struct cell *cell, struct state *s)
{
	struct weft_chan **forth = s->chan, **back;
	int err;

	switch (s->variant) {
	case RECV:
	case MIXED:
		return make_mux(cell, s, s->chan, NULL, &s->mux[0]);
	case SEND:
		return make_mux(cell, s, NULL, s->chan, &s->mux[0]);
	case BOTH:
		back = s->chan + s->writers;
		err = make_mux(cell, s, back, forth, &s->mux[0]);
		return err ? err : make_mux(cell, s, forth, back, &s->mux[1]);
	default:
		return 0;
	}
}

static int make_messages(struct state *s, unsigned n)
{
	s->in = calloc(n, sizeof(*s->in));
	s->out = calloc(n, sizeof(*s->out));
	if (!s->in || !s->out)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		s->in[i] = calloc(1, s->payload);
		s->out[i] = calloc(1, s->payload);
		if (!s->in[i] || !s->out[i])
			return -ENOMEM;
	}
	return 0;
}

static int forward(void *arg);

static int start_forwarders(struct state *s)
{
	int err = 0;

	s->forwarders = calloc(s->writers, sizeof(*s->forwarders));
	if (!s->forwarders)
		return -ENOMEM;
	for (unsigned w = 0; w < s->writers && !err; w++) {
		struct forwarder *f = &s->forwarders[w];

		f->state = s;
		f->from = s->chan[w];
		f->message = calloc(1, s->payload);
		err = f->message ? weft_spawn(&f->task,
		                              &(struct weft_task_opts){
		                                      "forward", 0 },
		                              forward, f)
		                 : -ENOMEM;
	}
	return err;
}

static int make_all(const struct cell *cell, struct state *s)
{
	int err;

	err = make_messages(s, drivers(&cell->params));
	if (!err)
		err = make_channels(cell, s);
	if (!err)
		err = make_muxes(cell, s);
	if (!err)
		err = tally_new(&s->tally, s->variant == BOTH ? 2 : 1,
		                consumers(&cell->params), cell->items);
	if (!err && s->work)
		work_calibrate();
	if (!err && s->variant == FORWARD)
		err = start_forwarders(s);
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

static void stop(struct cell *cell);

static int setup(struct cell *cell)
{
	struct state *s;
	int err;

	/* A message that says nothing cannot be told from another. */
	if (cell->items > (uint64_t)ITEMS_MAX || cell->chan->can & WEFT_NO_DATA)
		return -EINVAL;
	s = cacheline_new(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	cell->state = s;
	s->variant = variant_of(&cell->params);
	s->writers = (unsigned)param(cell, "writers");
	s->payload = (size_t)param(cell, "payload");
	s->work = param(cell, "work");
	s->deal = items_per_deal(cell, s->writers);
	s->in_order = true;
	weft_store_relaxed(&s->senders, s->writers);
	err = make_all(cell, s);
	if (err) {
		stop(cell);
		teardown(cell);
	}
	return err;
}

/* --- all drivers --- */

static void close_all(struct state *s)
{
	for (unsigned i = 0; s->chan && i < s->chans; i++)
		if (s->chan[i])
			weft_chan_close(s->chan[i]);
	if (s->common)
		weft_chan_close(s->common);
}

/* A driver cannot go on: nor can the others. */
static void give_up(struct state *s, int err)
{
	int none = 0;

	weft_cas_acq_rel(&s->error, &none, err);
	close_all(s);
}

/* A message has come over a channel, from a sender that is known, or not. */
struct arrival {
	unsigned channel; /* of the tally's consumers */
	unsigned producer;
	uint64_t sender; /* as the message must say */
};

static void look_at(struct cell *cell, const struct arrival *a,
                    const unsigned char *m, uint64_t *share)
{
	struct state *s = cell->state;
	uint64_t value = message_value(m), seq = value & SEQ_MASK;
	uint64_t item = s->variant == BOTH ? 2 * seq + a->producer : seq;

	if (message_is_of(m, s->payload, value) &&
	    value >> SEQ_BITS == a->sender)
		tally_count(s->tally, a->channel, a->producer, seq);
	else
		tally_corrupt(s->tally, a->channel, value);
	if (cell->pace_ns > 0 && cell->latency && item < cell->items)
		hist_record(&cell->latency[a->channel],
		            weft_now() - pace_due(cell, item));
	++*share;
	work_for(s->work);
}

/* Shares are counted by a receiver for itself, and written down at its end. */
static void note_shares(struct cell *cell, unsigned first, unsigned n,
                        const uint64_t *count)
{
	for (unsigned i = 0; cell->share && i < n; i++)
		cell->share[first + i] = count[i];
}

/* The end of what can be received is that of its senders. */
static void check_end(struct state *s, int err)
{
	if (err != -EPIPE)
		give_up(s, err);
}

/* In an open loop, wait until the item is due. */
static void await(const struct cell *cell, uint64_t item)
{
	if (cell->pace_ns > 0)
		pace_wait(pace_due(cell, item));
}

/* --- writers of one channel each, and the reader --- */

/* The last one closes the common channel. */
static void leave_common(struct state *s)
{
	if (weft_fetch_sub_acq_rel(&s->senders, 1u) == 1)
		weft_chan_close(s->common);
}

/* Items that a writer has before it. */
struct deal {
	uint64_t item, end, step;
};

/* Take some off the common count. */
static bool deal(const struct cell *cell, struct state *s, struct deal *d)
{
	d->item = weft_fetch_add_relaxed(&s->next, s->deal);
	d->end = d->item + s->deal < cell->items ? d->item + s->deal
	                                         : cell->items;
	d->step = 1;
	return d->item < cell->items;
}

static int write_deal(struct cell *cell, unsigned w, struct weft_chan *c,
                      const struct deal *d)
{
	struct state *s = cell->state;
	uint64_t value;
	int err = 0;

	for (uint64_t item = d->item; item < d->end && !err; item += d->step) {
		value = (uint64_t)w << SEQ_BITS | item;
		message_write(s->out[w], s->payload, value, value);
		await(cell, item);
		err = weft_chan_send(c, s->out[w], WEFT_FOREVER);
	}
	return err;
}

/* Where channels differ each writer has an equal part: the one over an
 * unbounded channel, who never waits, would run away with all of them. */
static void write_one(struct cell *cell, unsigned w)
{
	struct state *s = cell->state;
	struct weft_chan *c = s->variant == PLAIN ? s->common : s->chan[w];
	struct deal d = { .item = w, .end = cell->items, .step = s->writers };
	int err = 0;

	if (s->variant == MIXED)
		err = write_deal(cell, w, c, &d);
	else
		while (!err && deal(cell, s, &d))
			err = write_deal(cell, w, c, &d);
	if (err)
		give_up(s, err);
	if (s->variant == PLAIN)
		leave_common(s);
	else
		weft_chan_close(c);
}

/* What comes over port `which`, or a case of that number, is that writer's. */
static void look_at_port(struct cell *cell, size_t which,
                         const unsigned char *m, uint64_t *count)
{
	struct arrival a = { .channel = (unsigned)which, .sender = which };

	look_at(cell, &a, m, &count[which]);
}

static int read_by_mux(struct cell *cell, unsigned char *m, uint64_t *count)
{
	struct state *s = cell->state;
	size_t which;
	int err;

	while (!(err = weft_mux_recv(s->mux[0], m, &which, WEFT_FOREVER)))
		look_at_port(cell, which, m, count);
	return err;
}

/* The same by hand. */
static int read_by_select(struct cell *cell, unsigned char *m, uint64_t *count)
{
	struct state *s = cell->state;
	struct weft_case cases[WRITERS_MAX];
	int k;

	for (unsigned w = 0; w < s->writers; w++)
		cases[w] = weft_case_recv(s->chan[w], m);
	for (unsigned open = s->writers; open > 0;) {
		k = weft_select(cases, s->writers, WEFT_FOREVER);
		if (k < 0)
			return k;
		if (!cases[k].err) {
			look_at_port(cell, (size_t)k, m, count);
			continue;
		}
		if (cases[k].err != -EPIPE)
			return cases[k].err;
		cases[k].c = NULL;
		open--;
	}
	return -EPIPE;
}

static int read_common(struct cell *cell, unsigned char *m, uint64_t *count)
{
	struct state *s = cell->state;
	uint64_t sender;
	int err;

	while (!(err = weft_chan_recv(s->common, m, WEFT_FOREVER))) {
		sender = message_value(m) >> SEQ_BITS;
		if (sender < s->writers)
			look_at_port(cell, (size_t)sender, m, count);
		else
			tally_corrupt(s->tally, 0, message_value(m));
	}
	return err;
}

static void read_all(struct cell *cell)
{
	struct state *s = cell->state;
	unsigned char *m = s->in[s->writers];
	uint64_t count[WRITERS_MAX] = { 0 };

	if (has_common(s->variant))
		check_end(s, read_common(cell, m, count));
	else if (s->variant == BARE)
		check_end(s, read_by_select(cell, m, count));
	else
		check_end(s, read_by_mux(cell, m, count));
	note_shares(cell, 0, s->writers, count);
	/* Whom it has forgotten, if it has, shall not wait for ever. */
	close_all(s);
}

/* The task of a forwarder. */
static int forward(void *arg)
{
	struct forwarder *f = arg;
	struct state *s = f->state;
	int err;

	do {
		err = weft_chan_recv(f->from, f->message, WEFT_FOREVER);
		if (!err)
			err = weft_chan_send(s->common, f->message,
			                     WEFT_FOREVER);
	} while (!err);
	check_end(s, err);
	leave_common(s);
	return 0;
}

/* --- one writer, and readers of one channel each --- */

static void write_all(struct cell *cell)
{
	struct state *s = cell->state;
	unsigned char *m = s->out[0];
	int err = 0;

	for (uint64_t item = 0; item < cell->items && !err; item++) {
		message_write(m, s->payload, item, item);
		await(cell, item);
		err = weft_mux_send(s->mux[0], m, NULL, WEFT_FOREVER);
	}
	if (err)
		give_up(s, err);
	close_all(s);
}

static void read_one(struct cell *cell, unsigned r)
{
	struct state *s = cell->state;
	struct arrival a = { .channel = r };
	unsigned char *m = s->in[r + 1];
	uint64_t count = 0;
	int err;

	while (!(err = weft_chan_recv(s->chan[r], m, WEFT_FOREVER)))
		look_at(cell, &a, m, &count);
	check_end(s, err);
	note_shares(cell, r, 1, &count);
}

/* --- two sides --- */

/* What one side needs. */
struct side {
	struct cell *cell;
	struct weft_mux *mux;
	unsigned me;
	unsigned first; /* of the channels that lead to it */
	unsigned char *out, *in;
	uint64_t count[WRITERS_MAX];
};

static void came(struct side *side, size_t which)
{
	unsigned other = 1 - side->me;
	struct arrival a = { .channel = side->first + (unsigned)which,
		             .producer = other,
		             .sender = other };

	look_at(side->cell, &a, side->in, &side->count[which]);
}

/* Receive until `until`, and then if it has come to the end. */
static int receive_until(struct side *side, int64_t until)
{
	size_t which;
	int err;

	while (!(err = weft_mux_recv(side->mux, side->in, &which, until)))
		came(side, which);
	return err;
}

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

/* The channels that lead to the other side. */
static void close_mine(struct state *s, unsigned me)
{
	for (unsigned i = 0; i < s->writers; i++)
		weft_chan_close(s->chan[me * s->writers + i]);
}

static void exchange(struct cell *cell, unsigned me)
{
	struct state *s = cell->state;
	struct side side = { .cell = cell,
		             .mux = s->mux[me],
		             .me = me,
		             .first = (1 - me) * s->writers,
		             .out = s->out[me],
		             .in = s->in[me] };
	uint64_t items = tally_share(cell->items, 2, me), value;
	int err = 0;

	for (uint64_t seq = 0; seq < items && !err; seq++) {
		value = (uint64_t)me << SEQ_BITS | seq;
		message_write(side.out, s->payload, value, value);
		err = await_turn(&side, 2 * seq + me);
		if (!err)
			err = send_or_receive(&side);
	}
	if (err)
		give_up(s, err);
	close_mine(s, me);
	check_end(s, receive_until(&side, WEFT_FOREVER));
	note_shares(cell, side.first, s->writers, side.count);
}

static void run_driver(struct cell *cell, unsigned driver)
{
	struct state *s = cell->state;

	if (s->variant == BOTH)
		exchange(cell, driver);
	else if (s->variant == SEND && driver == 0)
		write_all(cell);
	else if (s->variant == SEND)
		read_one(cell, driver - 1);
	else if (driver < s->writers)
		write_one(cell, driver);
	else
		read_all(cell);
}

/* --- afterwards --- */

/* The drivers have ended, or have not run at all. */
static void stop(struct cell *cell)
{
	struct state *s = cell->state;

	close_all(s);
	for (unsigned w = 0; s->forwarders && w < s->writers; w++)
		if (s->forwarders[w].task)
			weft_join(s->forwarders[w].task, NULL);
	for (unsigned i = 0; i < 2; i++)
		if (s->mux[i])
			weft_mux_stop(s->mux[i]);
}

/* Whether the muxes have counted what was received and sent. */
static int check_counts(const struct cell *cell, struct text *l)
{
	const struct state *s = cell->state;
	struct weft_mux_stats stats;
	uint64_t counted = 0, due = cell->items;

	if (!s->mux[0])
		return 0;
	for (unsigned i = 0; i < 2; i++) {
		weft_mux_stats(s->mux[i], &stats);
		counted += stats.received + stats.sent;
	}
	if (s->variant == BOTH)
		due *= 2;
	if (counted == due)
		return 0;
	text_add(l, "counted %" PRIu64 " of %" PRIu64 " moves", counted, due);
	return -EIO;
}

static int verify(struct cell *cell, char *why, size_t why_bytes)
{
	struct state *s = cell->state;
	struct text l = text_in(why, why_bytes);
	int error = weft_load_acquire(&s->error);

	if (error)
		text_add(&l, "a select, send or receive failed: %s",
		         strerror(-error));
	if (tally_report(s->tally, s->in_order, &l) || error)
		return -EIO;
	return check_counts(cell, &l);
}

int select_demo(FILE *out);

const struct pattern pattern_select = {
	.name = "select",
	.flag = "select",
	.title = "Select",
	.summary = "one task waits for several channels and uses the first "
	           "that is ready",
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
	.demo = select_demo,
};
