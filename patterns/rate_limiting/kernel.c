/*
 * The kernel: W workers that ask a limiter for a token, and work when they have
 * got one; and every run is checked for more being granted than the rate lets
 * through.
 *
 *	bucket  the component: a token bucket without a task, under a lock
 *	leaky   the same in one atomic word
 *	gcra    a rate for each key, of which the workers ask for one after the
 *	        other
 *	refill  tokens that a task puts into a channel
 *	ticker  the same with a burst of 1
 *
 * An item is one call: an allow, granted or not, or a wait, which lasts until
 * it is granted. When each was granted is written down, and afterwards all of
 * that is played to a bucket of the kernel's own, which holds in every window
 * what the rate and the burst let through, and not a token more.
 */
#include <weft/patterns/gcra.h>
#include <weft/patterns/limiter.h>

#include "kernel/kernel.h"

enum variant { BUCKET, LEAKY, GCRA, REFILL, TICKER };
enum mode { ALLOW, WAIT };

#define WORKERS_MAX 256
#define RATE_MAX 1000000000
#define BURST_MAX 1000000
#define KEYS_MAX 1000000

static const char *const variant_choices[] = { "bucket", "leaky",  "gcra",
	                                       "refill", "ticker", NULL };
static const char *const mode_choices[] = { "allow", "wait", NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "how the rate is kept", BUCKET, TICKER,
	            variant_choices, "bucket,leaky,gcra,refill,ticker"),
	KNOB_COUNT("workers", "tasks that ask", 2, 1, WORKERS_MAX,
	           "1,2,4,8,16"),
	{ "rate", "/s", "tokens in a second, of each key; 0 = infinite",
	  1000000, 0, RATE_MAX, NULL, "0,1000000,1000000000" },
	KNOB_COUNT("burst", "tokens that are there at most; a ticker has 1",
	           100, 1, BURST_MAX, "1,5,100,1000"),
	KNOB_CHOICE("mode", "ask for what is there, or wait for it", ALLOW,
	            WAIT, mode_choices, "allow,wait"),
	KNOB_COUNT("keys", "of gcra: asked for in turn", 1000, 1, KEYS_MAX,
	           "1,1000,100000"),
	KNOB_ITEMS,
	KNOB_WORK("work", "computation with each token", "0,1000"),
	KNOB_WAIT,
	KNOB_END,
};

/* When a token was granted. */
struct grant {
	int64_t at_ns;
	uint32_t key;
};

/* One worker's, written by its task. */
struct worker {
	_Alignas(WEFT_CACHE_LINE) struct grant *log; /* in order of time */
	uint64_t granted;
	uint64_t backwards; /* out of that order, or at no time of the run */
};

/* The kernel's own bucket: one token is ONE parts, so that a nanosecond brings
 * as many as there are tokens in a second. */
#define ONE WEFT_SEC
struct oracle {
	int64_t parts, at_ns;
};

struct state {
	/* Constant once made. */
	struct weft_limiter *limiter;
	struct weft_gcra *gcra;
	int64_t rate, burst; /* the burst that it really has */
	bool waits;
	unsigned workers;
	uint32_t keys;
	int64_t begin_ns;
	struct worker *worker;

	/* Of the limiter, when it has been stopped. */
	int64_t end_ns;
	struct weft_limiter_stats stats;
};

/* --- what the parameters mean --- */

static bool is_filled(int64_t variant)
{
	return variant == REFILL || variant == TICKER;
}

static int accept(const struct params *p, struct text *why)
{
	if (param(p, "rate") || !is_filled(param(p, "variant")))
		return 0;
	text_add(why, "rate=0 with variant=%s: allowed 1..%d",
	         variant_choices[param(p, "variant")], RATE_MAX);
	return -EINVAL;
}

/* What is not there at first has to come. */
static double least_ns(const struct params *p, uint64_t items)
{
	double keys =
	        param(p, "variant") == GCRA ? (double)param(p, "keys") : 1;
	double burst =
	        param(p, "variant") == TICKER ? 1 : (double)param(p, "burst");
	double tokens = (double)items - burst * keys;

	if (param(p, "mode") != WAIT || !param(p, "rate") || tokens <= 0)
		return 0;
	return tokens / keys * 1e9 / (double)param(p, "rate");
}

/* Without tokens in it any channel will do. */
static void shape(const struct params *p, struct cell_shape *out)
{
	unsigned workers = (unsigned)param(p, "workers");
	int64_t variant = param(p, "variant");

	out->drivers = out->consumers = workers;
	out->elem_size = sizeof(int64_t);
	out->cap = 1;
	if (!is_filled(variant))
		return;
	out->helpers = 1;
	out->receivers = workers;
	out->cap = variant == TICKER ? 0 : (size_t)param(p, "burst") - 1;
	/* It is the lack of space that keeps the burst. */
	out->needs = out->cap ? WEFT_CAN_BOUNDED : WEFT_CAN_RENDEZVOUS;
}

/* --- setup and teardown --- */

static struct weft_rate rate_of(const struct state *s)
{
	const struct weft_rate infinite = WEFT_RATE_INFINITE;

	return s->rate ? (struct weft_rate){ s->rate, WEFT_SEC } : infinite;
}

static int make_gcra(struct cell *cell, struct state *s)
{
	const struct weft_gcra_opts opts = { .rate = rate_of(s),
		                             .burst = s->burst,
		                             .keys = s->keys,
		                             .wait = cell->wait };

	return weft_gcra_new(&s->gcra, &opts);
}

static int make_limiter(struct cell *cell, struct state *s)
{
	static const enum weft_limiter_kind kinds[] = {
		[BUCKET] = WEFT_LIMITER_BUCKET,
		[LEAKY] = WEFT_LIMITER_LEAKY,
		[REFILL] = WEFT_LIMITER_REFILL,
		[TICKER] = WEFT_LIMITER_TICKER,
	};
	const struct weft_limiter_opts opts = { .kind = kinds[cell->variant],
		                                .rate = rate_of(s),
		                                .burst = s->burst,
		                                .impl = cell->chan,
		                                .receivers = s->workers,
		                                .wait = cell->wait };
	int err = weft_limiter_new(&s->limiter, &opts);

	if (!err)
		err = weft_limiter_stats(s->limiter, &s->stats);
	s->burst = err ? 0 : s->stats.burst;
	return err;
}

/* Without a rate there is nothing to be checked. */
static int make_logs(struct cell *cell, struct state *s)
{
	s->worker = cacheline_new(s->workers, sizeof(*s->worker));
	for (unsigned i = 0; s->worker && s->rate && i < s->workers; i++) {
		uint64_t n = tally_share(cell->items, s->workers, i);

		s->worker[i].log = cacheline_alloc(0, n, sizeof(struct grant));
		if (!s->worker[i].log)
			return -ENOMEM;
	}
	return s->worker ? 0 : -ENOMEM;
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	const struct params *p = &cell->params;
	int err;

	s->workers = (unsigned)param(p, "workers");
	s->rate = param(p, "rate");
	s->burst = cell->variant == TICKER ? 1 : param(p, "burst");
	s->waits = param(p, "mode") == WAIT;
	s->keys = cell->variant == GCRA ? (uint32_t)param(p, "keys") : 1;
	err = make_logs(cell, s);
	s->begin_ns = weft_now();
	if (err)
		return err;
	return cell->variant == GCRA ? make_gcra(cell, s)
	                             : make_limiter(cell, s);
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_limiter_free(s->limiter);
	weft_gcra_free(s->gcra);
	for (unsigned i = 0; s->worker && i < s->workers; i++)
		free(s->worker[i].log);
	free(s->worker);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	weft_limiter_stop(s->limiter);
	weft_gcra_stop(s->gcra);
}

/* --- the drivers --- */

static int ask_gcra(struct state *s, uint32_t key, int64_t *at_ns)
{
	struct weft_gcra_state state;
	int err = s->waits ? weft_gcra_wait(s->gcra, key, 1, NULL, WEFT_FOREVER,
	                                    &state)
	                   : weft_gcra_allow(s->gcra, key, 1, &state);

	*at_ns = state.at_ns;
	return err;
}

static int ask(struct state *s, uint32_t key, int64_t *at_ns)
{
	if (s->gcra)
		return ask_gcra(s, key, at_ns);
	return s->waits ? weft_limiter_wait(s->limiter, 1, WEFT_FOREVER, at_ns)
	                : weft_limiter_allow(s->limiter, 1, at_ns);
}

static void note(struct state *s, struct worker *w, uint32_t key, int64_t at_ns)
{
	int64_t last = s->begin_ns;

	if (s->rate) {
		if (w->granted)
			last = w->log[w->granted - 1].at_ns;
		w->backwards += at_ns < last;
		w->log[w->granted] =
		        (struct grant){ at_ns < last ? last : at_ns, key };
	}
	w->granted++;
}

static int ask_once(struct cell *cell, unsigned id, uint64_t item)
{
	struct state *s = cell->state;
	uint32_t key = (uint32_t)(item % s->keys);
	int64_t at_ns;
	int err;

	pace_batch(cell, item, s->workers, 1);
	err = ask(s, key, &at_ns);
	if (err && err != -EAGAIN)
		return err;
	if (!err) {
		note(s, &s->worker[id], key, at_ns);
		if (cell->work)
			work_for(cell->work);
	}
	kernel_record(cell, id, item);
	cell->share[id]++;
	return 0;
}

static void run_driver(struct cell *cell, unsigned id)
{
	const struct state *s = cell->state;
	uint64_t items = tally_share(cell->items, s->workers, id);
	int err = 0;

	for (uint64_t seq = 0; seq < items && !err; seq++)
		err = ask_once(cell, id, seq * s->workers + id);
	kernel_end(cell, err ? err : -EPIPE);
}

/* --- afterwards --- */

static void stop(struct cell *cell)
{
	struct state *s = cell->state;

	halt(cell);
	s->end_ns = weft_now();
	if (s->limiter)
		weft_limiter_stats(s->limiter, &s->stats);
	if (s->gcra) {
		struct weft_gcra_stats g;

		weft_gcra_stats(s->gcra, &g);
		s->stats.waited = g.waited;
		s->stats.wait_ns = g.wait_ns;
		s->stats.longest_ns = g.longest_ns;
	}
}

/* What it holds at that time, at most the burst. A time that was rounded to a
 * nanosecond may make up to that much of a difference. */
static int64_t filled(const struct state *s, const struct oracle *o,
                      int64_t now)
{
	int64_t full = s->burst * ONE + s->rate, parts;

	if (__builtin_mul_overflow(now - o->at_ns, s->rate, &parts) ||
	    parts > full - o->parts)
		return full;
	return o->parts + parts;
}

/* Whether the bucket of its key has a token for this grant. */
static bool covers(const struct state *s, struct oracle *o, int64_t at_ns)
{
	int64_t parts = filled(s, o, at_ns);

	o->at_ns = at_ns;
	o->parts = parts < ONE ? parts : parts - ONE;
	return parts >= ONE;
}

/* The worker whose next grant is the earliest of those left; NULL. */
static struct worker *earliest(const struct state *s, const uint64_t *next)
{
	struct worker *best = NULL;
	int64_t at_ns = INT64_MAX;

	for (unsigned i = 0; i < s->workers; i++) {
		struct worker *w = &s->worker[i];

		if (next[i] < w->granted && w->log[next[i]].at_ns < at_ns) {
			best = w;
			at_ns = w->log[next[i]].at_ns;
		}
	}
	return best;
}

/* Play all grants of all keys, in their order; how many there were too many. */
static uint64_t play(const struct state *s, struct oracle *of_key)
{
	uint64_t next[WORKERS_MAX] = { 0 }, beyond = 0;
	struct worker *w;

	for (uint32_t i = 0; i < s->keys; i++)
		of_key[i] = (struct oracle){ s->burst * ONE, s->begin_ns };
	while ((w = earliest(s, next))) {
		const struct grant *g = &w->log[next[w - s->worker]++];

		beyond += !covers(s, &of_key[g->key], g->at_ns);
	}
	return beyond;
}

static void verify_grants(struct state *s, struct text *why)
{
	struct oracle *of_key = cacheline_new(s->keys, sizeof(*of_key));
	uint64_t backwards = 0;

	for (unsigned i = 0; i < s->workers; i++) {
		const struct worker *w = &s->worker[i];

		backwards += w->backwards;
		if (w->granted && w->log[w->granted - 1].at_ns > s->end_ns)
			backwards++;
	}
	text_count(why, "were granted at a time that cannot be", backwards);
	if (of_key)
		text_count(why, "were granted beyond the rate and the burst",
		           play(s, of_key));
	else
		text_count(why, "keys: no memory to check them", s->keys);
	free(of_key);
}

/* Each token that was made was granted, is there, or was in the task's hand. */
static void verify_tokens(const struct cell *cell, uint64_t granted,
                          struct text *why)
{
	const struct state *s = cell->state;
	uint64_t seen = granted + (uint64_t)s->stats.tokens;

	if (!is_filled(cell->variant) || !(cell->chan->can & WEFT_CAN_LEN))
		return;
	if (seen > s->stats.made)
		text_count(why, "tokens more than were made",
		           seen - s->stats.made);
	else if (s->stats.made > seen + 1)
		text_count(why, "tokens were lost", s->stats.made - seen - 1);
}

static double share_of(double part, double whole)
{
	return part < whole ? 100 * part / whole : 100;
}

static void tell(struct cell *cell, const struct state *s, uint64_t granted)
{
	double seconds = (double)(s->end_ns - cell->t0) / 1e9;
	double waited = (double)s->stats.waited;

	cell_figure(cell, "granted", "%", "of the calls",
	            share_of((double)granted, (double)cell->items));
	if (s->rate)
		cell_figure(cell, "used", "%",
		            "of what the rate and the burst let through",
		            share_of((double)granted,
		                     s->keys * ((double)s->burst +
		                                (double)s->rate * seconds)));
	cell_figure(cell, "wait_mean", "us", "of the calls that waited",
	            waited > 0 ? (double)s->stats.wait_ns / waited / 1e3 : 0);
	cell_figure(cell, "longest_wait", "us", "",
	            (double)s->stats.longest_ns / 1e3);
}

static void verify(struct cell *cell, struct text *why)
{
	struct state *s = cell->state;
	uint64_t granted = 0;

	for (unsigned i = 0; i < s->workers; i++)
		granted += s->worker[i].granted;
	if (s->rate)
		verify_grants(s, why);
	verify_tokens(cell, granted, why);
	tell(cell, s, granted);
}

const struct pattern pattern_rate_limiting = {
	KERNEL(rate_limiting),
	.flag = "rate-limiting",
	.title = "Rate Limiting",
	.summary = "no more than a rate lets through, and a burst",
	.accept = accept,
	.least_ns = least_ns,
	.stop = stop,
	.verify = verify,
};
