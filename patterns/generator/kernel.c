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
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/sync.h>

#include "cli/text.h"
#include "gen.h"
#include "kernel/message.h"
#include "kernel/pace.h"
#include "kernel/pattern.h"
#include "kernel/tally.h"
#include "kernel/work.h"

#define ITEMS_MAX (INT64_C(1) << 26)
#define DEPTH_MAX 1000
#define BATCH_BYTES_MAX (1 << 20)

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
static const char *const wait_choices[] = { "adaptive", "spin", "park", NULL };

static const struct knob knobs[] = {
	{ "variant", "",
	  "push: runs ahead; pull: on demand; staged: a task per map; "
	  "inline: no task",
	  PUSH, 0, INLINE, variant_choices, "push,pull,staged,inline" },
	{ "depth", "", "functions that each message passes through", 1, 0,
	  DEPTH_MAX, NULL, "1,3,10,100" },
	{ "cap", "items", "capacity of each channel", 64, 0, 1 << 20, NULL,
	  "0,1,64,1024" },
	{ "items", "items", "items per run; 0 = as many as fill the time", 0, 0,
	  ITEMS_MAX, NULL, "0" },
	{ "payload", "B", "bytes per item, in steps of 8", MESSAGE_MIN,
	  MESSAGE_MIN, MESSAGE_MAX, NULL, "8,64,1024" },
	{ "work", "ns", "computation per item, at the source", 0, 0, 1000000000,
	  NULL, "0,100,1000,10000" },
	{ "batch", "items", "items yielded and asked for at a time", 1, 1, 4096,
	  NULL, "1,16" },
	{ "end", "",
	  "take: with the last item that is taken; stop: an endless one is "
	  "stopped, and timed",
	  TAKE, 0, STOP, end_choices, "take,stop" },
	{ "wait", "", "how waiting tasks wait", WEFT_WAIT_ADAPTIVE, 0,
	  WEFT_WAIT_PARK, wait_choices, "adaptive,park" },
	{ .name = NULL },
};

/* What the elements come from. */
struct source {
	const struct cell *cell;
	size_t payload, batch;
	int64_t work;
	uint64_t next;
	unsigned char *out; /* a batch */

	uint64_t asked_seen; /* of asked, when we last looked */
	uint64_t ahead;      /* the most by which next was beyond asked */
};

struct state {
	/* Constant once made. */
	struct weft_gen *gen;     /* what the driver asks */
	struct weft_gen **bodied; /* those with a body, the source first */
	size_t nbodied;
	struct tally *tally;
	size_t payload, cap;
	uint64_t depth;
	enum variant variant;
	enum end how;
	unsigned char *in; /* the driver's */

	struct source source;

	/* Messages that the driver has asked for; read by the source. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t asked;

	struct weft_waitgroup gate; /* bodies idle until the driver begins */
	bool begun;

	int end;          /* what next returned behind the last message */
	int64_t stop_ns;  /* from the stop until all bodies had ended */
	int joined;       /* what came of the bodies */
	int64_t first_ns; /* from t0 to the first message */
};

/* --- what the parameters mean --- */

static int64_t knob(const struct params *p, const char *name)
{
	return params_get(&pattern_generator, p, name);
}

static int accept(const struct params *p, char *why, size_t why_bytes)
{
	struct text l = text_in(why, why_bytes);
	int64_t payload = knob(p, "payload"), batch = knob(p, "batch");

	if (payload % 8)
		text_add(&l,
		         "payload=%" PRId64 ": allowed %d..%d in steps of 8",
		         payload, MESSAGE_MIN, MESSAGE_MAX);
	else if (batch * payload > BATCH_BYTES_MAX)
		text_add(&l,
		         "batch=%" PRId64 " with payload=%" PRId64 ": %" PRId64
		         " bytes, allowed %d",
		         batch, payload, batch * payload, BATCH_BYTES_MAX);
	else
		return 0;
	return -EINVAL;
}

/* What is never full would not hold a body back that is ahead. */
static uint64_t needs(enum variant variant)
{
	return variant == PUSH || variant == STAGED ? WEFT_CAN_BOUNDED : 0;
}

static void channel(const struct params *p, struct pattern_channel *out)
{
	*out = (struct pattern_channel){
		.cap = (size_t)knob(p, "cap"),
		.elem_size = (size_t)knob(p, "payload"),
		.senders = 1,
		.receivers = 1,
		.needs = needs((enum variant)knob(p, "variant")),
	};
}

static unsigned one(const struct params *p)
{
	(void)p;
	return 1;
}

static unsigned tasks(const struct params *p)
{
	switch ((enum variant)knob(p, "variant")) {
	case INLINE:
		return 1;
	case STAGED:
		return 2 + (unsigned)knob(p, "depth");
	default:
		return 2;
	}
}

/* --- the source --- */

static void make_message(const struct source *s, void *m, uint64_t i)
{
	message_write(m, s->payload, i, i);
	work_for(s->work);
}

/* How many to make now, of `most`; in an open loop it waits until the first is
 * due. Behind the last one that is wanted nothing is due any more. */
static size_t due(const struct source *s, size_t most)
{
	uint64_t items = s->cell->items;

	if (s->next >= items)
		return most;
	if (most > items - s->next)
		most = (size_t)(items - s->next);
	return pace_batch(s->cell, s->next, 1, most);
}

/*
 * See whether we have never been that far ahead. What the driver had asked for
 * when we last looked is the worst that it can be: its line is fetched only for
 * what would be a new record.
 */
static void note_ahead(struct state *state)
{
	struct source *s = &state->source;

	if (s->next <= s->asked_seen + s->ahead)
		return;
	/* The driver stores it before it takes from a channel, which is what
	 * makes room for us. */
	s->asked_seen = weft_load_relaxed(&state->asked);
	if (s->next > s->asked_seen + s->ahead)
		s->ahead = s->next - s->asked_seen;
}

static int body(struct weft_gen *g, void *arg)
{
	struct state *state = arg;
	struct source *s = &state->source;
	size_t n, wanted;
	int err;

	err = weft_waitgroup_wait(&state->gate, WEFT_FOREVER);
	while (!err) {
		wanted = weft_gen_wanted(g);
		n = due(s, wanted < s->batch ? wanted : s->batch);
		for (size_t i = 0; i < n; i++)
			make_message(s, s->out + i * s->payload, s->next + i);
		s->next += n;
		note_ahead(state);
		err = weft_gen_yield_many(g, s->out, n);
	}
	return err;
}

static int make_one(void *elem, void *arg)
{
	struct state *state = arg;
	struct source *s = &state->source;

	due(s, 1);
	make_message(s, elem, s->next++);
	note_ahead(state);
	return 0;
}

static int add_one(const void *in, void *out, void *arg)
{
	const struct state *s = arg;

	memcpy(out, in, s->payload);
	message_set(out, message_value(in) + 1);
	return 0;
}

/* --- setup and teardown --- */

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	if (!s)
		return;
	weft_gen_free(s->gen);
	tally_free(s->tally);
	free(s->bodied);
	free(s->source.out);
	free(s->in);
	free(s);
	cell->state = NULL;
}

static int make_source(struct state *s, const struct weft_gen_opts *opts)
{
	int err;

	if (s->variant == INLINE)
		return weft_gen_repeat_fn(&s->gen, s->payload, make_one, s);
	err = weft_gen_new(&s->gen, s->payload, body, s, opts);
	if (!err)
		s->bodied[s->nbodied++] = s->gen;
	return err;
}

static int make_stage(struct state *s, const struct weft_gen_opts *opts)
{
	int err = weft_gen_map(&s->gen, s->gen, s->payload, add_one, s);

	if (err || s->variant != STAGED)
		return err;
	err = weft_gen_ahead(&s->gen, s->gen, opts);
	if (!err)
		s->bodied[s->nbodied++] = s->gen;
	return err;
}

/* At every step s->gen is what there is so far, for teardown to free. */
static int make_generators(const struct cell *cell, struct state *s)
{
	struct weft_gen_opts opts = {
		.impl = cell->chan,
		.cap = (size_t)param(cell, "cap"),
		.on_demand = s->variant == PULL,
		.batch = s->source.batch,
		.wait = (enum weft_wait)param(cell, "wait"),
	};
	int err = make_source(s, &opts);

	if (!err && s->how == TAKE)
		err = weft_gen_take(&s->gen, s->gen, cell->items);
	for (uint64_t i = 0; i < s->depth && !err; i++)
		err = make_stage(s, &opts);
	return err;
}

/* The capacity that the channel makes of what is asked for, which bounds how
 * far ahead a body may be. Not the generator's word: that is in question. */
static int find_cap(const struct cell *cell, struct state *s)
{
	struct weft_chan *c;
	int err = weft_chan_new(&c, cell->chan, (size_t)param(cell, "cap"),
	                        s->payload, NULL);

	if (err)
		return err;
	s->cap = weft_chan_cap(c);
	weft_chan_unref(c);
	return 0;
}

static int make_state(const struct cell *cell, struct state *s)
{
	s->payload = s->source.payload = (size_t)param(cell, "payload");
	s->depth = (uint64_t)param(cell, "depth");
	s->variant = (enum variant)param(cell, "variant");
	s->how = (enum end)param(cell, "end");
	s->source.cell = cell;
	s->source.work = param(cell, "work");
	s->source.batch = (size_t)param(cell, "batch");
	s->source.out = calloc(s->source.batch, s->payload);
	s->in = calloc(1, s->payload);
	s->bodied = calloc(s->depth + 1, sizeof(struct weft_gen *));
	if (!s->source.out || !s->in || !s->bodied)
		return -ENOMEM;
	weft_waitgroup_init(&s->gate);
	weft_waitgroup_add(&s->gate, 1);
	if (s->source.work)
		work_calibrate();
	return tally_new(&s->tally, 1, 1, cell->items);
}

static int setup(struct cell *cell)
{
	struct state *s;
	int err;

	/* The functions need what they are given. */
	if (cell->items > (uint64_t)ITEMS_MAX || cell->chan->can & WEFT_NO_DATA)
		return -EINVAL;
	s = aligned_alloc(_Alignof(struct state), sizeof(*s));
	if (!s)
		return -ENOMEM;
	memset(s, 0, sizeof(*s));
	cell->state = s;
	err = make_state(cell, s);
	if (!err)
		err = find_cap(cell, s);
	if (!err)
		err = make_generators(cell, s);
	if (err)
		teardown(cell);
	return err;
}

/* --- the driver --- */

static void begin(struct state *s)
{
	if (!s->begun)
		weft_waitgroup_done(&s->gate);
	s->begun = true;
}

/* Look at one message; returns its number. */
static uint64_t look_at(struct state *s)
{
	uint64_t value = message_value(s->in), i = value - s->depth;

	if (message_is_of(s->in, s->payload, i))
		tally_count(s->tally, 0, 0, i);
	else
		tally_corrupt(s->tally, 0, value);
	return i;
}

static int next(struct state *s, uint64_t n)
{
	weft_store_relaxed(&s->asked, n + 1);
	return weft_gen_next(s->gen, s->in, WEFT_FOREVER);
}

/* Whether the driver is to ask once more. */
static bool wants(const struct cell *cell, const struct state *s, uint64_t n)
{
	return s->how == TAKE || n < cell->items;
}

static void run_driver(struct cell *cell, unsigned driver)
{
	struct state *s = cell->state;
	bool open_loop = cell->pace_ns > 0 && cell->latency;
	uint64_t i, n = 0;
	int err = 0;

	(void)driver;
	begin(s);
	while (wants(cell, s, n) && !(err = next(s, n))) {
		i = look_at(s);
		if (n++ == 0)
			s->first_ns = weft_now() - cell->t0;
		if (open_loop && i < cell->items)
			hist_record(&cell->latency[0],
			            weft_now() - pace_due(cell, i));
	}
	s->end = err;
	if (cell->share)
		cell->share[0] = n;
}

/* --- afterwards --- */

static void stop(struct cell *cell)
{
	struct state *s = cell->state;

	int64_t begun;

	/* The driver may not have run at all. */
	begin(s);
	begun = weft_now();
	weft_gen_stop(s->gen);
	s->joined = weft_gen_join(s->gen, WEFT_FOREVER);
	s->stop_ns = weft_now() - begun;
	/* What was inside must not come out any more. */
	if (s->how == STOP && !s->end)
		s->end = weft_gen_next(s->gen, s->in, WEFT_FOREVER);
}

/*
 * How far ahead a body may have been. Of its own accord: a full channel, a
 * batch in its hands, and what the consumer had taken beyond the one it wanted.
 * On demand, the rest of the batch that was asked for.
 */
static uint64_t ahead_max(const struct state *s)
{
	uint64_t batch = s->source.batch;

	return s->variant == PULL ? batch - 1 : s->cap + 2 * batch - 1;
}

/* The same of the source and the driver. Every task between the two has asked
 * for one more than it has yielded, one by one. */
static uint64_t source_ahead_max(const struct state *s)
{
	switch (s->variant) {
	case INLINE:
		return 0;
	case STAGED:
		return ahead_max(s) + s->depth * (s->cap + s->source.batch + 1);
	default:
		return ahead_max(s);
	}
}

static void report_source(const struct state *s, struct text *l)
{
	uint64_t most = source_ahead_max(s);

	if (s->source.ahead <= most)
		return;
	text_next(l);
	text_add(l,
	         "the source was %" PRIu64 " ahead of the driver, not %" PRIu64
	         " at most",
	         s->source.ahead, most);
}

/* Returns how far the body was ahead. */
static uint64_t report_ahead(const struct state *s, size_t i, struct text *l)
{
	struct weft_gen_stats stats;

	weft_gen_stats(s->bodied[i], &stats);
	if (stats.ahead > ahead_max(s)) {
		text_next(l);
		text_add(l,
		         "body %zu was %" PRIu64
		         " ahead of its consumer, not %" PRIu64 " at most",
		         i, stats.ahead, ahead_max(s));
	}
	return stats.ahead;
}

static int verify(struct cell *cell, char *why, size_t why_bytes)
{
	const struct state *s = cell->state;
	struct text l = text_in(why, why_bytes);
	uint64_t most = 0, ahead;
	bool in_order =
	        s->variant == INLINE ||
	        cell->chan->can & (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO);

	if (s->joined || s->end != -EPIPE)
		text_add(&l, "the stream ended with: %s",
		         strerror(s->joined ? -s->joined : -s->end));
	report_source(s, &l);
	for (size_t i = 0; i < s->nbodied; i++) {
		ahead = report_ahead(s, i, &l);
		most = ahead > most ? ahead : most;
	}
	tally_report(s->tally, in_order, &l);
	cell_figure(cell, "ahead_max", "items", "ahead of its consumer",
	            (double)most);
	cell_figure(cell, "first_item", "ns", "from t0", (double)s->first_ns);
	/* A take had ended them already. */
	if (s->how == STOP)
		cell_figure(cell, "stop", "ns", "until all had ended",
		            (double)s->stop_ns);
	return l.used ? -EIO : 0;
}

int generator_demo(FILE *out);

const struct pattern pattern_generator = {
	.name = "generator",
	.flag = "generator",
	.title = "Generator",
	.summary = "a stream whose elements are made when they are asked for",
	.knobs = knobs,
	.accept = accept,
	.channel = channel,
	.drivers = one,
	.tasks = tasks,
	.consumers = one,
	.setup = setup,
	.work = run_driver,
	.stop = stop,
	.verify = verify,
	.teardown = teardown,
	.demo = generator_demo,
};
