/*
 * The kernel: P pairs, each of a client, a server and a link of their own. A
 * client sends request after request and waits for each reply.
 *
 * All of them are drivers: driver 2p is the client of pair p, driver 2p + 1 its
 * server. A request's value says which pair it belongs to and which one of its
 * requests it is; the reply's is its complement. Since nothing overtakes
 * anything here, either side knows what has to come next, and compares: that is
 * exact. A request or reply that is lost leaves both waiting, for the watchdog
 * to find.
 *
 * Latency is the time of each round trip as its client sees it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "cli/text.h"
#include "kernel/message.h"
#include "kernel/pattern.h"
#include "kernel/tally.h"
#include "kernel/work.h"
#include "link.h"

#define ITEMS_MAX (INT64_C(1) << 26)
#define PAIRS_MAX 64
#define PAYLOAD_MAX (MESSAGE_MAX - WEFT_LINK_HEAD)

/* A request's value: the pair above, the number of its round trip below. */
#define SEQ_BITS 32

static const char *const wait_choices[] = { "adaptive", "spin", "park", NULL };

static const struct knob knobs[] = {
	{ "pairs", "", "clients, each with a server of its own", 1, 1,
	  PAIRS_MAX, NULL, "1,2,4" },
	{ "cap", "items", "capacity of each channel", 0, 0, 1 << 20, NULL,
	  "0,1,64" },
	{ "items", "items", "round trips per run; 0 = as many as fill the time",
	  0, 0, ITEMS_MAX, NULL, "0" },
	{ "payload", "B", "bytes per request and reply, in steps of 8",
	  MESSAGE_MIN, MESSAGE_MIN, PAYLOAD_MAX, NULL, "8,64,1024" },
	{ "work", "ns", "computation per round trip, at the server", 0, 0,
	  1000000000, NULL, "0,100,1000" },
	{ "wait", "", "how waiting tasks wait", WEFT_WAIT_ADAPTIVE, 0,
	  WEFT_WAIT_PARK, wait_choices, "adaptive,park" },
	{ .name = NULL },
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
	unsigned pairs;
	struct pair *pair;
};

/* --- what the parameters mean --- */

static int64_t knob(const struct params *p, const char *name)
{
	return params_get(&pattern_ping_pong, p, name);
}

static int accept(const struct params *p, char *why, size_t why_bytes)
{
	struct text l = text_in(why, why_bytes);
	int64_t payload = knob(p, "payload");

	if (payload % 8 == 0)
		return 0;
	text_add(&l, "payload=%" PRId64 ": allowed %d..%d in steps of 8",
	         payload, MESSAGE_MIN, PAYLOAD_MAX);
	return -EINVAL;
}

static void channel(const struct params *p, struct pattern_channel *out)
{
	*out = (struct pattern_channel){
		.cap = (size_t)knob(p, "cap"),
		.elem_size = WEFT_LINK_HEAD + (size_t)knob(p, "payload"),
		.senders = 1,
		.receivers = 1,
	};
}

static unsigned clients(const struct params *p)
{
	return (unsigned)knob(p, "pairs");
}

static unsigned drivers(const struct params *p)
{
	return 2 * clients(p);
}

/* --- setup and teardown --- */

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	if (!s)
		return;
	for (unsigned p = 0; s->pair && p < s->pairs; p++) {
		weft_link_free(s->pair[p].link);
		free(s->pair[p].request);
		free(s->pair[p].reply);
	}
	free(s->pair);
	free(s);
	cell->state = NULL;
}

static int make_pair(const struct cell *cell, struct pair *pair, unsigned p,
                     unsigned pairs)
{
	struct weft_link_opts opts = {
		.impl = cell->chan,
		.cap = (size_t)param(cell, "cap"),
		.wait = (enum weft_wait)param(cell, "wait"),
	};

	pair->first = (uint64_t)p << SEQ_BITS;
	pair->items = tally_share(cell->items, pairs, p);
	pair->payload = (size_t)param(cell, "payload");
	pair->work = param(cell, "work");
	pair->request = calloc(1, pair->payload);
	pair->reply = calloc(1, pair->payload);
	if (!pair->request || !pair->reply)
		return -ENOMEM;
	opts.request_size = opts.reply_size = pair->payload;
	return weft_link_new(&pair->link, &opts);
}

static int make_pairs(const struct cell *cell, struct state *s)
{
	int err = 0;

	s->pairs = clients(&cell->params);
	s->pair = aligned_alloc(WEFT_CACHE_LINE, s->pairs * sizeof(*s->pair));
	if (!s->pair)
		return -ENOMEM;
	memset(s->pair, 0, s->pairs * sizeof(*s->pair));
	for (unsigned p = 0; p < s->pairs && !err; p++)
		err = make_pair(cell, &s->pair[p], p, s->pairs);
	return err;
}

static int setup(struct cell *cell)
{
	struct state *s;
	int err;

	/* A client needs the reply to what it asked. */
	if (cell->items > (uint64_t)ITEMS_MAX || cell->chan->can & WEFT_NO_DATA)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	cell->state = s;
	if (param(cell, "work"))
		work_calibrate();
	err = make_pairs(cell, s);
	if (err)
		teardown(cell);
	return err;
}

/* --- the drivers --- */

/* A message that belongs to request `got` has come. */
static void look_at(struct side *s, const struct pair *pair, const void *m,
                    uint64_t got)
{
	uint64_t due = pair->first + s->came;

	if (!message_is_of(m, pair->payload, got)) {
		s->corrupt++;
		return;
	}
	if (got == due) {
		s->came++;
		return;
	}
	if (s->odd++ == 0) {
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

	message_write(pair->request, pair->payload, id, id);
	err = weft_link_call(pair->link, pair->request, pair->reply,
	                     WEFT_FOREVER);
	if (!err)
		look_at(&pair->client, pair, pair->reply,
		        ~message_value(pair->reply));
	return err;
}

static int call(struct pair *pair)
{
	int err = 0;

	for (uint64_t i = 0; i < pair->items && !err; i++)
		err = round_trip(pair, pair->first + i);
	return err;
}

static int call_timed(struct pair *pair, struct hist *latency)
{
	int64_t begin;
	int err = 0;

	for (uint64_t i = 0; i < pair->items && !err; i++) {
		begin = weft_now();
		err = round_trip(pair, pair->first + i);
		hist_record(latency, weft_now() - begin);
	}
	return err;
}

static void run_client(struct cell *cell, unsigned p)
{
	struct state *s = cell->state;
	struct pair *pair = &s->pair[p];

	if (cell->latency)
		pair->called = call_timed(pair, &cell->latency[p]);
	else
		pair->called = call(pair);
	if (cell->share)
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

/* The drivers have ended, or have not run at all; there are no other tasks. */
static void stop(struct cell *cell)
{
	struct state *s = cell->state;

	for (unsigned p = 0; p < s->pairs; p++)
		weft_link_stop(s->pair[p].link);
}

static void report_error(struct text *l, const char *what, unsigned p, int err)
{
	/* The other side's error has stopped this one. */
	if (!err || err == -ECANCELED)
		return;
	text_next(l);
	text_add(l, "%s of pair %u failed: %s", what, p, strerror(-err));
}

static void report_side(struct text *l, const char *what, const struct side *s,
                        uint64_t items, unsigned p)
{
	const uint64_t mask = (UINT64_C(1) << SEQ_BITS) - 1;

	if (s->corrupt) {
		text_next(l);
		text_add(l, "%" PRIu64 " corrupt %s in pair %u", s->corrupt,
		         what, p);
	}
	if (s->odd) {
		text_next(l);
		text_add(l,
		         "%" PRIu64
		         " %s out of turn in pair %u (first: %" PRIu64
		         " of pair %" PRIu64 " where %" PRIu64 " was due)",
		         s->odd, what, p, s->odd_got & mask,
		         s->odd_got >> SEQ_BITS, s->odd_due & mask);
	}
	if (s->came != items) {
		text_next(l);
		text_add(l, "%" PRIu64 " of %" PRIu64 " %s came in pair %u",
		         s->came, items, what, p);
	}
}

static void report_late(struct text *l, const struct pair *pair, unsigned p)
{
	struct weft_link_stats stats;

	weft_link_stats(pair->link, &stats);
	if (!stats.late)
		return;
	text_next(l);
	text_add(l, "%" PRIu64 " replies too many in pair %u", stats.late, p);
}

static int verify(struct cell *cell, char *why, size_t why_bytes)
{
	const struct state *s = cell->state;
	struct text l = text_in(why, why_bytes);

	for (unsigned p = 0; p < s->pairs; p++) {
		const struct pair *pair = &s->pair[p];

		report_error(&l, "the client", p, pair->called);
		report_error(&l, "the server", p, pair->served);
		report_side(&l, "requests", &pair->server, pair->items, p);
		report_side(&l, "replies", &pair->client, pair->items, p);
		report_late(&l, pair, p);
	}
	return l.used ? -EIO : 0;
}

int ping_pong_demo(FILE *out);

const struct pattern pattern_ping_pong = {
	.name = "ping_pong",
	.flag = "ping-pong",
	.title = "Ping-Pong",
	.summary = "a client waits for the reply to each of its requests",
	.knobs = knobs,
	.closed_loop = true,
	.accept = accept,
	.channel = channel,
	.drivers = drivers,
	.tasks = drivers,
	.consumers = clients,
	.setup = setup,
	.work = run_driver,
	.stop = stop,
	.verify = verify,
	.teardown = teardown,
	.demo = ping_pong_demo,
};
