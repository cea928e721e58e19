/*
 * The kernel: producers send events to sources, and one task runs the loop that
 * handles them. README.md says what the knobs do.
 *
 * Events come in streams, each from one producer to one source, and in order.
 * There are as many streams as there are producers or sources, whichever are
 * more; stream i is producer i's and source i's, modulo how many there are.
 */
#include <weft/patterns/loop.h>

#include "kernel/kernel.h"

#define PRODUCERS_MAX 64
#define SOURCES_MAX 256
#define TIMERS_MAX 1000000
#define TIMER_PERIOD WEFT_MS

/* One of a great many timers is fired and started again in about so long. */
#define FIRE_NS 200

static const char *const variant_choices[] = { "select", "queue", NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "what the events come through", WEFT_LOOP_SELECT,
	            WEFT_LOOP_QUEUE, variant_choices, "select,queue"),
	KNOB_COUNT("producers", "tasks that send", 2, 1, PRODUCERS_MAX,
	           "1,2,4,8"),
	KNOB_COUNT("sources", "sources of events", 3, 1, SOURCES_MAX,
	           "1,3,16,64"),
	KNOB_COUNT("priorities", "that the sources have in turn", 1, 1,
	           WEFT_LOOP_PRIO_MAX + 1, "1,8"),
	KNOB_COUNT("timers", "that fire every millisecond meanwhile", 0, 0,
	           TIMERS_MAX, "0,1000"),
	KNOB_CAP(64, "1,10,1024"),
	KNOB_ITEMS,
	KNOB_PAYLOAD(MESSAGE_MAX, "8,64,1024"),
	KNOB_WORK("work", "computation per event", "0,1000,100000"),
	KNOB_BATCH("events of a turn", 16, "1,16,4096"),
	KNOB_WAIT,
	KNOB_END,
};

struct source {
	struct cell *cell;
	unsigned number;
	struct weft_loop_source *loop;
};

struct timer {
	struct state *state;
	struct weft_loop_timer *loop;
	int64_t due_ns; /* not before */
};

struct state {
	/* Constant once made. */
	struct weft_loop *loop;
	unsigned producers, sources, streams, timers;
	struct source source[SOURCES_MAX];
	struct timer *timer;

	/* Of the task that runs the loop. */
	struct weft_task *task;
	uint64_t strangers; /* handlers called by another task */
	uint64_t early;     /* timers */
	int64_t latest_ns;  /* the most that one was late */
	uint64_t came;

	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned sending; /* producers */
};

static unsigned larger(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static void shape(const struct params *p, struct cell_shape *out)
{
	unsigned producers = (unsigned)param(p, "producers");
	unsigned sources = (unsigned)param(p, "sources");

	out->drivers = producers + 1;
	if (param(p, "variant") == WEFT_LOOP_QUEUE) {
		out->senders = producers;
		out->elem_size += sizeof(uint64_t); /* whose it is */
		out->cap = out->cap ? out->cap : 1;
	} else {
		out->senders = (producers + sources - 1) / sources;
		out->needs = WEFT_CAN_SELECT;
	}
}

/* So many timers that firing them takes longer than their period are all due in
 * every turn, which is one for each batch of events. */
static double least_ns(const struct params *p, uint64_t items)
{
	uint64_t batch = (uint64_t)param(p, "batch");
	uint64_t turns = (items + batch - 1) / batch;
	double ns = (double)param(p, "timers") * FIRE_NS;

	return ns < TIMER_PERIOD ? 0 : (double)turns * ns;
}

/* --- the loop's side --- */

static int came(void *arg, void *event)
{
	const struct source *source = arg;
	struct cell *cell = source->cell;
	struct state *s = cell->state;
	uint64_t value = message_value(event), seq = message_seq(value);
	uint64_t stream = message_who(value);

	if (stream < s->streams && stream % s->sources == source->number)
		kernel_count(cell, 0, (unsigned)stream, seq, event, value);
	else
		tally_corrupt(cell->tally, 0, value);
	kernel_record(cell, 0, seq * s->streams + stream);
	s->strangers += weft_self() != s->task;
	s->came++;
	if (cell->work)
		work_for(cell->work);
	return 0;
}

static int fired(void *arg)
{
	struct timer *t = arg;
	int64_t late = weft_now() - t->due_ns;
	int64_t now = weft_loop_now(t->state->loop);

	t->state->early += late < 0;
	if (late > t->state->latest_ns)
		t->state->latest_ns = late;
	/* It keeps to its period, and fires once for all that it missed. */
	t->due_ns = now + TIMER_PERIOD - (now - t->due_ns) % TIMER_PERIOD;
	return 0;
}

static int start_timers(struct state *s)
{
	int64_t now = weft_now();
	int err = 0;

	for (unsigned i = 0; i < s->timers && !err; i++) {
		s->timer[i].due_ns = now + TIMER_PERIOD;
		err = weft_loop_timer_start(s->timer[i].loop,
		                            now + TIMER_PERIOD, TIMER_PERIOD);
	}
	return err;
}

static void run_loop(struct cell *cell)
{
	struct state *s = cell->state;
	int err = start_timers(s);

	s->task = weft_self();
	if (!err)
		err = weft_loop_run(s->loop);
	cell->share[0] = s->came;
	kernel_end(cell, err ? err : -EPIPE);
}

/* --- the producers' side --- */

static int send_one(struct cell *cell, unsigned stream, uint64_t seq,
                    unsigned char *m)
{
	struct state *s = cell->state;

	pace_batch(cell, seq * s->streams + stream, 1, 1);
	kernel_write(cell, m, 1, message_value_of(stream, seq));
	return weft_loop_send(s->source[stream % s->sources].loop, m,
	                      WEFT_FOREVER);
}

/* Each of its streams in turn. */
static int produce(struct cell *cell, unsigned id)
{
	const struct state *s = cell->state;
	uint64_t most = tally_share(cell->items, s->streams, id);
	int err = 0;

	for (uint64_t seq = 0; seq < most; seq++)
		for (unsigned i = id; i < s->streams && !err; i += s->producers)
			if (seq < tally_share(cell->items, s->streams, i))
				err = send_one(cell, i, seq, cell->message[id]);
	return err;
}

static void run_driver(struct cell *cell, unsigned id)
{
	struct state *s = cell->state;

	if (id == s->producers) {
		run_loop(cell);
		return;
	}
	kernel_fail(cell, produce(cell, id));
	if (weft_fetch_sub_acq_rel(&s->sending, 1u) == 1)
		weft_loop_close(s->loop);
}

/* --- setup and teardown --- */

static int make_sources(struct cell *cell, struct state *s)
{
	unsigned priorities = (unsigned)param(&cell->params, "priorities");
	int err = 0;

	for (unsigned i = 0; i < s->sources && !err; i++) {
		s->source[i] = (struct source){ .cell = cell, .number = i };
		err = weft_loop_source_new(&s->source[i].loop, s->loop,
		                           i % priorities, came, &s->source[i]);
	}
	return err;
}

static int make_timers(struct state *s)
{
	int err = 0;

	s->timer = calloc(s->timers + 1, sizeof(*s->timer));
	if (!s->timer)
		return -ENOMEM;
	for (unsigned i = 0; i < s->timers && !err; i++) {
		s->timer[i].state = s;
		err = weft_loop_timer_new(&s->timer[i].loop, s->loop, fired,
		                          &s->timer[i]);
	}
	return err;
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	const struct params *p = &cell->params;
	const struct weft_loop_opts opts = {
		.kind = (enum weft_loop_kind)cell->variant,
		.impl = cell->chan,
		.cap = cell->cap,
		.elem_size = cell->payload,
		.batch = (unsigned)cell->batch,
		.wait = cell->wait,
		.senders = cell->shape.senders,
	};
	int err;

	s->producers = (unsigned)param(p, "producers");
	s->sources = (unsigned)param(p, "sources");
	s->timers = (unsigned)param(p, "timers");
	s->streams = larger(s->producers, s->sources);
	weft_store_relaxed(&s->sending, s->producers);
	err = kernel_buffers(cell, s->producers, 1);
	if (!err)
		err = weft_loop_new(&s->loop, &opts);
	if (!err)
		err = make_sources(cell, s);
	if (!err)
		err = make_timers(s);
	return err ? err : tally_new(&cell->tally, s->streams, 1, cell->items);
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_loop_free(s->loop);
	free(s->timer);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	if (s->loop)
		weft_loop_stop(s->loop);
}

/* --- afterwards --- */

static double per(uint64_t n, uint64_t of)
{
	return of ? (double)n / (double)of : 0;
}

static void verify(struct cell *cell, struct text *why)
{
	const struct state *s = cell->state;
	struct weft_loop_stats stats = { 0 };

	weft_loop_stats(s->loop, &stats);
	text_count(why, "handlers were called by another task", s->strangers);
	text_count(why, "timers fired early", s->early);
	if (!weft_load_acquire(&cell->error)) {
		text_count(why, "events were discarded", stats.discarded);
		text_count(why, "events too many or too few were counted",
		           stats.events > s->came ? stats.events - s->came
		                                  : s->came - stats.events);
	}
	cell_figure(cell, "turns", "", "for each event",
	            per(stats.turns, stats.events));
	cell_figure(cell, "waits", "", "for each event",
	            per(stats.waits, stats.events));
	cell_figure(cell, "drained", "events", "handled after the close",
	            (double)stats.drained);
	if (s->timers)
		cell_figure(cell, "latest", "us", "a timer, after it was due",
		            (double)s->latest_ns / 1e3);
}

const struct pattern pattern_event_loop = {
	KERNEL(event_loop),
	.flag = "event-loop",
	.title = "Event Loop",
	.summary = "one task handles the events of many sources, one after the "
	           "other",
	.least_ns = least_ns,
	.verify = verify,
};
