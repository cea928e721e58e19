/*
 * The kernel: a source that would never end, of which the first `items` are
 * taken and passed through `depth` functions that add 1.
 *
 *	source -> take -> map -> ... -> map -> the driver
 *
 * Or there is no take, and when the driver has had enough the whole is stopped.
 *
 * Message i begins as i and comes out as i + depth. Verified are every message
 * and its place, the end behind the last one, and the laziness: of what the
 * source has made nobody may have been waiting for more than the channels hold
 * and the tasks had in their hands. Source and driver count that by themselves,
 * and the bodies' own figures must agree.
 */
#include <weft/sync.h>

#include "gen.h"
#include "kernel/kernel.h"

#define DEPTH_MAX 1000

enum variant {
	PUSH,   /* the source is a body that runs ahead */
	PULL,   /* a body that is asked for each batch */
	STAGED, /* PUSH, and every map in a task of its own */
	INLINE, /* no task and no channel: what the calls cost */
};

static const char *const variant_choices[] = { "push", "pull", "staged",
	                                       "inline", NULL };
/* How the stream ends. */
enum end {
	TAKE, /* with the last of `items` that a take lets through */
	STOP, /* by a stop, while it would go on without end */
};

static const char *const end_choices[] = { "take", "stop", NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant",
	            "push: runs ahead; pull: on demand; staged: a task per "
	            "map; inline: no task",
	            PUSH, INLINE, variant_choices, "push,pull,staged,inline"),
	KNOB_COUNT("depth", "functions that each message passes through", 1, 0,
	           DEPTH_MAX, "1,3,10,100"),
	KNOB_CAP(64, "0,1,64,1024"),
	KNOB_ITEMS,
	KNOB_PAYLOAD(MESSAGE_MAX, "8,64,1024"),
	KNOB_WORK("work", "computation per item, at the source",
	          "0,100,1000,10000"),
	KNOB_BATCH("items yielded and asked for at a time", 1, "1,16"),
	KNOB_CHOICE("end",
	            "take: with the last item that is taken; stop: an endless "
	            "one is stopped, and timed",
	            TAKE, STOP, end_choices, "take,stop"),
	KNOB_WAIT,
	KNOB_END,
};

/* The driver's buffer, and the source's. */
enum { IN, OUT, BUFFERS };

struct state {
	/* Constant once made. */
	struct weft_gen *gen;     /* what the driver asks */
	struct weft_gen **bodied; /* those with a body, the source first */
	size_t nbodied;
	size_t cap; /* of a channel as made */
	uint64_t depth;
	enum end how;

	/* The source's: which item is next, what it has seen of `asked`, and
	 * the most by which next was beyond that. */
	_Alignas(WEFT_CACHE_LINE) uint64_t next;
	uint64_t asked_seen, ahead;

	/* Messages that the driver has asked for; read by the source. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t asked;

	struct weft_waitgroup gate; /* bodies idle until the driver begins */
	bool begun;

	int end;            /* what next returned behind the last message */
	int64_t stopped_at; /* when a stop was asked for, */
	int64_t stop_ns;    /* and how long until all bodies had ended */
	int64_t first_ns;   /* from t0 to the first message */
};

/* --- what the parameters mean --- */

static void shape(const struct params *p, struct cell_shape *out)
{
	int64_t v = param(p, "variant");

	if (v != INLINE)
		out->helpers = 1;
	if (v == STAGED)
		out->helpers += (unsigned)param(p, "depth");
	/* What is never full would not hold a body back that is ahead. */
	if (v == PUSH || v == STAGED)
		out->needs = WEFT_CAN_BOUNDED;
}

/* --- the source --- */

/* How many to make now, of `most`; in an open loop it waits until the first is
 * due. Behind the last one that is wanted nothing is due any more. */
static size_t due(const struct cell *cell, uint64_t next, size_t most)
{
	if (next >= cell->items)
		return most;
	if (most > cell->items - next)
		most = (size_t)(cell->items - next);
	return pace_batch(cell, next, 1, most);
}

/*
 * See whether we have never been that far ahead. What the driver had asked for
 * when we last looked is the worst that it can be: its line is fetched only for
 * what would be a new record.
 */
static void note_ahead(struct state *s)
{
	if (s->next <= s->asked_seen + s->ahead)
		return;
	/* The driver stores it before it takes from a channel, which is what
	 * makes room for us. */
	s->asked_seen = weft_load_relaxed(&s->asked);
	if (s->next > s->asked_seen + s->ahead)
		s->ahead = s->next - s->asked_seen;
}

/* Make up to `most` messages; returns how many. */
KERNEL_INLINE size_t make(struct cell *cell, unsigned char *m, size_t most)
{
	struct state *s = cell->state;
	size_t n = due(cell, s->next, most);

	kernel_write(cell, m, n, s->next);
	for (size_t i = 0; cell->work && i < n; i++)
		work_for(cell->work);
	s->next += n;
	note_ahead(s);
	return n;
}

static int body(struct weft_gen *g, void *arg)
{
	struct cell *cell = arg;
	struct state *s = cell->state;
	unsigned char *m = cell->message[OUT];
	size_t n, wanted;
	int err;

	err = weft_waitgroup_wait(&s->gate, WEFT_FOREVER);
	while (!err) {
		wanted = weft_gen_wanted(g);
		n = make(cell, m, wanted < cell->batch ? wanted : cell->batch);
		err = weft_gen_yield_many(g, m, n);
	}
	return err;
}

static int make_one(void *elem, void *arg)
{
	make(arg, elem, 1);
	return 0;
}

static int add_one(const void *in, void *out, void *arg)
{
	const struct cell *cell = arg;

	memcpy(out, in, cell->payload);
	message_set(out, message_value(in) + 1);
	return 0;
}

/* --- setup and teardown --- */

static int make_source(struct cell *cell, const struct weft_gen_opts *opts)
{
	struct state *s = cell->state;
	int err;

	if (cell->variant == INLINE)
		return weft_gen_repeat_fn(&s->gen, cell->payload, make_one,
		                          cell);
	err = weft_gen_new(&s->gen, cell->payload, body, cell, opts);
	if (!err)
		s->bodied[s->nbodied++] = s->gen;
	return err;
}

static int make_stage(struct cell *cell, const struct weft_gen_opts *opts)
{
	struct state *s = cell->state;
	int err = weft_gen_map(&s->gen, s->gen, cell->payload, add_one, cell);

	if (err || cell->variant != STAGED)
		return err;
	err = weft_gen_ahead(&s->gen, s->gen, opts);
	if (!err)
		s->bodied[s->nbodied++] = s->gen;
	return err;
}

/* At every step s->gen is what there is so far, for teardown to free. */
static int make_generators(struct cell *cell)
{
	struct state *s = cell->state;
	struct weft_gen_opts opts = {
		.impl = cell->chan,
		.cap = cell->cap,
		.on_demand = cell->variant == PULL,
		.batch = cell->batch,
		.wait = cell->wait,
	};
	int err = make_source(cell, &opts);

	if (!err && s->how == TAKE)
		err = weft_gen_take(&s->gen, s->gen, cell->items);
	for (uint64_t i = 0; i < s->depth && !err; i++)
		err = make_stage(cell, &opts);
	return err;
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	int err;

	s->depth = (uint64_t)param(&cell->params, "depth");
	s->how = (enum end)param(&cell->params, "end");
	cell->in_order |= cell->variant == INLINE;
	weft_waitgroup_init(&s->gate);
	weft_waitgroup_add(&s->gate, 1);
	s->bodied = calloc(s->depth + 1, sizeof(struct weft_gen *));
	if (!s->bodied)
		return -ENOMEM;
	err = kernel_buffers(cell, BUFFERS, cell->batch);
	if (!err)
		err = tally_new(&cell->tally, 1, 1, cell->items);
	/* It bounds how far ahead a body may be. */
	if (!err)
		err = kernel_probe(cell, &s->cap);
	return err ? err : make_generators(cell);
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_gen_free(s->gen);
	free(s->bodied);
}

static void begin(struct state *s)
{
	if (!s->begun)
		weft_waitgroup_done(&s->gate);
	s->begun = true;
}

/* Called by one task only: the driver has ended, or has not run at all. */
static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	begin(s);
	s->stopped_at = weft_now();
	weft_gen_stop(s->gen);
}

/* --- the driver --- */

static void run_driver(struct cell *cell, unsigned driver)
{
	struct state *s = cell->state;
	unsigned char *m = cell->message[IN];
	uint64_t i, n = 0;
	int err = 0;

	(void)driver;
	begin(s);
	/* A take says when to end; a stop is up to us. */
	while (s->how == TAKE || n < cell->items) {
		weft_store_relaxed(&s->asked, n + 1);
		err = weft_gen_next(s->gen, m, WEFT_FOREVER);
		if (err)
			break;
		i = message_value(m) - s->depth;
		kernel_count(cell, 0, 0, i, m, i);
		if (n++ == 0)
			s->first_ns = weft_now() - cell->t0;
		kernel_record(cell, 0, i);
	}
	s->end = err;
	cell->share[0] = n;
}

/* --- afterwards --- */

static void stop(struct cell *cell)
{
	struct state *s = cell->state;
	int err = s->gen ? weft_gen_join(s->gen, WEFT_FOREVER) : 0;

	/* What ended it, the driver was told. */
	kernel_error(cell, err == -ECANCELED ? 0 : err);
	s->stop_ns = weft_now() - s->stopped_at;
	/* What was inside must not come out any more. */
	if (s->gen && s->how == STOP && !s->end)
		s->end = weft_gen_next(s->gen, cell->message[IN], WEFT_FOREVER);
}

/*
 * How far ahead a body may have been. Of its own accord: a full channel, a
 * batch in its hands, and what the consumer had taken beyond the one it wanted.
 * On demand, the rest of the batch that was asked for.
 */
static uint64_t ahead_max(const struct cell *cell)
{
	const struct state *s = cell->state;
	uint64_t batch = cell->batch;

	if (cell->variant == INLINE)
		return 0;
	return cell->variant == PULL ? batch - 1 : s->cap + 2 * batch - 1;
}

/* The same of the source and the driver. Every task between the two has asked
 * for one more than it has yielded, one by one. */
static uint64_t source_ahead_max(const struct cell *cell)
{
	const struct state *s = cell->state;
	uint64_t tasks = cell->variant == STAGED ? s->depth : 0;

	return ahead_max(cell) + tasks * (s->cap + cell->batch + 1);
}

static void check_source(const struct cell *cell, struct text *why)
{
	const struct state *s = cell->state;
	uint64_t most = source_ahead_max(cell);

	if (s->ahead > most)
		text_find(why,
		          "the source was %" PRIu64
		          " ahead of the driver, not %" PRIu64 " at most",
		          s->ahead, most);
}

/* Returns how far the body was ahead. */
static uint64_t check_body(const struct cell *cell, size_t i, struct text *why)
{
	const struct state *s = cell->state;
	struct weft_gen_stats stats;

	weft_gen_stats(s->bodied[i], &stats);
	if (stats.ahead > ahead_max(cell))
		text_find(why,
		          "body %zu was %" PRIu64
		          " ahead of its consumer, not %" PRIu64 " at most",
		          i, stats.ahead, ahead_max(cell));
	return stats.ahead;
}

static void verify(struct cell *cell, struct text *why)
{
	const struct state *s = cell->state;
	uint64_t most = 0, ahead;

	if (s->end != (s->how == STOP ? -ECANCELED : -EPIPE))
		text_find(why, "the stream ended with: %s", strerror(-s->end));
	check_source(cell, why);
	for (size_t i = 0; i < s->nbodied; i++) {
		ahead = check_body(cell, i, why);
		most = ahead > most ? ahead : most;
	}
	cell_figure(cell, "ahead_max", "items", "ahead of its consumer",
	            (double)most);
	cell_figure(cell, "first_item", "ns", "from t0", (double)s->first_ns);
	/* A take had ended them already. */
	if (s->how == STOP)
		cell_figure(cell, "stop", "ns", "until all had ended",
		            (double)s->stop_ns);
}

const struct pattern pattern_generator = {
	KERNEL(generator),
	.flag = "generator",
	.title = "Generator",
	.summary = "a stream whose elements are made when they are asked for",
	.stop = stop,
	.verify = verify,
};
