/*
 * The kernel: P pairs, each of a client, a server and a link of their own. A
 * client sends request after request and waits for each reply.
 *
 * All of them are drivers: driver 2p is the client of pair p, driver 2p + 1 its
 * server. A request's value says which pair it belongs to and which one of its
 * requests it is; the reply's is its complement. Nothing overtakes anything
 * here, so either side knows what has to come next, and compares.
 */
#include "kernel/kernel.h"
#include "link.h"

#define PAIRS_MAX 10000

static const struct knob knobs[] = {
	KNOB_COUNT("pairs", "clients, each with a server of its own", 1, 1,
	           PAIRS_MAX, "1,2,4"),
	KNOB_CAP(0, "0,1,64"),
	KNOB_ITEMS,
	KNOB_PAYLOAD(MESSAGE_MAX - WEFT_LINK_HEAD, "8,64,1024"),
	KNOB_WORK("work", "computation per round trip, at the server",
	          "0,100,1000"),
	KNOB_WAIT,
	KNOB_END,
};

/* What one side of a pair has seen; its driver's alone. */
struct side {
	uint64_t came;             /* as they should have */
	uint64_t corrupt, odd;     /* not whole; another than the next */
	uint64_t odd_due, odd_got; /* of the first odd one */
};

struct pair {
	_Alignas(WEFT_CACHE_LINE) struct side client;
	_Alignas(WEFT_CACHE_LINE) struct side server;

	/* Constant once made. */
	_Alignas(WEFT_CACHE_LINE) struct weft_link *link;
	uint64_t first; /* the value of request 0 */
	uint64_t items;
	size_t payload;
	int64_t work;
	unsigned char *request, *reply; /* the client's */

	int called, served; /* what ended each driver; its own */
};

struct state {
	struct pair *pair; /* as many as there are consumers */
};

/* --- what the parameters mean --- */

static void shape(const struct params *p, struct cell_shape *out)
{
	out->consumers = (unsigned)param(p, "pairs");
	out->drivers = 2 * out->consumers;
	out->elem_size += WEFT_LINK_HEAD;
}

/* --- setup and teardown --- */

static int make_pair(const struct cell *cell, struct pair *pair, unsigned p,
                     unsigned pairs)
{
	struct weft_link_opts opts = { .impl = cell->chan,
		                       .cap = cell->cap,
		                       .request_size = cell->payload,
		                       .reply_size = cell->payload,
		                       .wait = cell->wait };

	pair->first = message_value_of(p, 0);
	pair->items = tally_share(cell->items, pairs, p);
	pair->payload = cell->payload;
	pair->work = cell->work;
	pair->request = cell->message[2 * p];
	pair->reply = cell->message[2 * p + 1];
	return weft_link_new(&pair->link, &opts);
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	unsigned pairs = cell->shape.consumers;
	int err = kernel_buffers(cell, 2 * pairs, 1);

	if (err)
		return err;
	s->pair = cacheline_new(pairs, sizeof(*s->pair));
	if (!s->pair)
		return -ENOMEM;
	for (unsigned p = 0; p < pairs && !err; p++)
		err = make_pair(cell, &s->pair[p], p, pairs);
	return err;
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	for (unsigned p = 0; s->pair && p < cell->shape.consumers; p++)
		weft_link_free(s->pair[p].link);
	free(s->pair);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	for (unsigned p = 0; p < cell->shape.consumers; p++)
		weft_link_stop(s->pair[p].link);
}

/* --- the drivers --- */

/* A message that belongs to request `got` has come. */
static void look_at(struct side *s, const struct pair *pair, const void *m,
                    uint64_t got)
{
	uint64_t due = pair->first + s->came;

	if (!message_is_of(m, pair->payload, got)) {
		s->corrupt++;
	} else if (got == due) {
		s->came++;
	} else if (s->odd++ == 0) {
		s->odd_due = due;
		s->odd_got = got;
	}
}

static int answer(const struct weft_link_call *call, const void *request,
                  void *reply, void *arg)
{
	struct pair *pair = arg;
	uint64_t id = message_value(request);

	look_at(&pair->server, pair, request, id);
	/* The link's own part of the message. */
	if (call->number != id - pair->first + 1 ||
	    call->deadline_ns != WEFT_FOREVER)
		pair->server.corrupt++;
	work_for(pair->work);
	memcpy(reply, request, pair->payload);
	message_set(reply, ~id);
	return 0;
}

static void run_server(struct pair *pair)
{
	pair->served = weft_link_serve(pair->link, answer, pair);
	if (pair->served)
		weft_link_stop(pair->link);
}

static int round_trip(struct pair *pair, uint64_t id)
{
	int err;

	message_write(pair->request, pair->payload, id);
	err = weft_link_call(pair->link, pair->request, pair->reply,
	                     WEFT_FOREVER);
	if (!err)
		look_at(&pair->client, pair, pair->reply,
		        ~message_value(pair->reply));
	return err;
}

/* Inline, so that without `latency` nothing asks about it. */
KERNEL_INLINE int call_all(struct pair *pair, struct hist *latency)
{
	int64_t begin = 0;
	int err = 0;

	for (uint64_t i = 0; i < pair->items && !err; i++) {
		if (latency)
			begin = weft_now();
		err = round_trip(pair, pair->first + i);
		if (latency)
			hist_record(latency, weft_now() - begin);
	}
	return err;
}

static void run_client(struct cell *cell, unsigned p)
{
	struct state *s = cell->state;
	struct pair *pair = &s->pair[p];

	pair->called = cell->latency ? call_all(pair, &cell->latency[p])
	                             : call_all(pair, NULL);
	cell->share[p] = pair->client.came;
	if (pair->called)
		weft_link_stop(pair->link);
	else
		weft_link_close(pair->link);
}

static void run_driver(struct cell *cell, unsigned driver)
{
	struct state *s = cell->state;

	if (driver % 2)
		run_server(&s->pair[driver / 2]);
	else
		run_client(cell, driver / 2);
}

/* --- afterwards --- */

static void report_error(struct text *l, const char *what, unsigned p, int err)
{
	/* The other side's error has stopped this one. */
	if (!err || err == -ECANCELED)
		return;
	text_find(l, "%s of pair %u failed: %s", what, p, strerror(-err));
}

static void report_side(struct text *l, const char *what, const struct side *s,
                        uint64_t items, unsigned p)
{
	if (s->corrupt)
		text_find(l, "%" PRIu64 " corrupt %s in pair %u", s->corrupt,
		          what, p);
	if (s->odd)
		text_find(l,
		          "%" PRIu64
		          " %s out of turn in pair %u (first: %" PRIu64
		          " of pair %" PRIu64 " where %" PRIu64 " was due)",
		          s->odd, what, p, message_seq(s->odd_got),
		          message_who(s->odd_got), message_seq(s->odd_due));
	if (s->came != items)
		text_find(l, "%" PRIu64 " of %" PRIu64 " %s came in pair %u",
		          s->came, items, what, p);
}

static void verify(struct cell *cell, struct text *why)
{
	const struct state *s = cell->state;
	struct weft_link_stats stats;

	for (unsigned p = 0; p < cell->shape.consumers; p++) {
		const struct pair *pair = &s->pair[p];

		report_error(why, "the client", p, pair->called);
		report_error(why, "the server", p, pair->served);
		report_side(why, "requests", &pair->server, pair->items, p);
		report_side(why, "replies", &pair->client, pair->items, p);
		weft_link_stats(pair->link, &stats);
		if (stats.late)
			text_find(why,
			          "%" PRIu64 " replies too many in pair %u",
			          stats.late, p);
	}
}

const struct pattern pattern_ping_pong = {
	KERNEL(ping_pong),
	.flag = "ping-pong",
	.title = "Ping-Pong",
	.summary = "a client waits for the reply to each of its requests",
	.closed_loop = true,
	.verify = verify,
};
