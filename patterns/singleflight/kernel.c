/*
 * The kernel: W callers ask for keys, and each execution makes an answer that
 * no other one makes. Every run is watched for answers of another key, or of a
 * flight that had ended before the call began.
 *
 *	sharded   the component
 *	locked    the component with one shard: one lock for the map
 *	heap      as it is usually written: one lock, and a record on the heap
 *	          for each flight (textbook.h)
 *	channel   the same, and each call that follows gets its answer through a
 *	          channel of its own, as from Go's DoChan
 *	none      no single flight: every call does the work
 *
 * An item is one call. With `gather` an execution waits until all callers are
 * there: then all calls but one of each flight are saved, exactly.
 */
#include <weft/patterns/flight.h>

#include "kernel/kernel.h"
#include "kernel/zipf.h"
#include "textbook.h"

enum variant { SHARDED, LOCKED, HEAP, CHANNEL, NONE };

#define WORKERS_MAX 256
#define KEY_MAX 1024
#define DRAWN_MAX 65536u /* keys of a caller, over and over again */

static const char *const variant_choices[] = { "sharded", "locked", "heap",
	                                       "channel", "none",   NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "what makes calls share", SHARDED, NONE,
	            variant_choices, "sharded,locked,heap,channel,none"),
	KNOB_COUNT("workers", "tasks that call", 4, 1, WORKERS_MAX,
	           "1,2,4,8,64"),
	KNOB_COUNT("keys", "different ones", 1, 1, 100000, "1,10,10000"),
	{ "skew", "%", "of Zipf's law: 0 = all keys alike", 0, 0, 500, NULL,
	  "0,100" },
	{ "key", "B", "bytes of a key", 8, 8, KEY_MAX, NULL, "8,64" },
	KNOB_COUNT("shards", "parts of the map, of `sharded`",
	           WEFT_FLIGHT_SHARDS, 1, WEFT_FLIGHT_SHARDS_MAX, "1,16"),
	KNOB_WORK("work", "computation in an execution", "0,1000,100000"),
	{ "sleep", "ns", "waiting in an execution, as for a server", 20000, 0,
	  1000000000, NULL, "0,20000" },
	KNOB_COUNT("gather", "1: an execution waits for all callers", 0, 0, 1,
	           "0"),
	KNOB_COUNT("stats", "1: time how late answers come", 0, 0, 1, "0"),
	KNOB_CAP(1, "0,1"),
	KNOB_ITEMS,
	KNOB_WAIT,
	KNOB_END,
};

/* An answer that several calls share, in the memory of the caller that has made
 * it. There is always a free one: each call holds one at most. */
struct shared {
	_Alignas(WEFT_CACHE_LINE) struct answer answer;
	_Atomic bool held;
	_Atomic uint64_t *released_twice;
};

/* One caller's, written by its task but for the answers. */
struct worker {
	_Alignas(WEFT_CACHE_LINE) struct caller caller;
	struct cell *cell;
	struct shared *answers; /* workers + 1 */
	uint32_t *drawn;        /* keys */
	unsigned next;          /* of the answers */
	uint32_t key;           /* of this call */
	bool led;
	uint64_t executions, saved, crowded, stale, foreign, corrupt;
	struct hist *late;
};

struct key {
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t begun; /* executions */
	_Atomic uint64_t ended; /* the last that is known to have */
	_Atomic unsigned inside;
};

struct state {
	/* Constant once made. */
	struct weft_flight *flight;
	struct textbook *textbook;
	struct worker *worker;
	struct key *key;
	unsigned char *names; /* of the keys */
	size_t name_bytes;
	unsigned workers, keys, drawn;
	int64_t sleep;
	bool gather, stats;

	_Alignas(WEFT_CACHE_LINE) _Atomic bool halted;
	_Atomic uint64_t released_twice;
};

/* --- what the parameters mean --- */

static int accept(const struct params *p, struct text *why)
{
	if (!param(p, "gather"))
		return 0;
	if (param(p, "keys") == 1 && param(p, "variant") != NONE)
		return 0;
	text_add(why, "gather=1: allowed with keys=1, and not with "
	              "variant=none, or nobody comes to be waited for");
	return -EINVAL;
}

/* No more callers share an execution than there are. */
static double least_ns(const struct params *p, uint64_t items)
{
	return (double)items / (double)param(p, "workers") *
	       (double)param(p, "sleep");
}

static void shape(const struct params *p, struct cell_shape *out)
{
	unsigned workers = (unsigned)param(p, "workers");

	out->drivers = out->consumers = workers;
	out->elem_size = sizeof(struct answer);
	if (param(p, "variant") == CHANNEL)
		/* A sender that has been received from may not have returned
		 * when the next one sends. */
		out->senders = workers > 2 ? workers - 1 : 1;
	else
		out->cap = 1; /* there are none: any will do */
}

/* --- setup and teardown --- */

static void drop(void *value, void *arg)
{
	struct shared *a = value;

	(void)arg;
	if (!weft_xchg_acq_rel(&a->held, false))
		weft_fetch_add_relaxed(a->released_twice, UINT64_C(1));
}

static int make_keys(struct state *s)
{
	s->key = cacheline_new(s->keys, sizeof(*s->key));
	s->names = calloc(s->keys, s->name_bytes);
	if (!s->key || !s->names)
		return -ENOMEM;
	for (uint64_t i = 0; i < s->keys; i++)
		memcpy(s->names + i * s->name_bytes, &i, sizeof(i));
	return 0;
}

static int make_worker(struct cell *cell, struct state *s, unsigned id,
                       const struct zipf *z)
{
	const struct weft_chan_opts opts = { .wait = cell->wait };
	struct worker *w = &s->worker[id];
	struct rng rng;

	w->cell = cell;
	w->answers = cacheline_new(s->workers + 1, sizeof(*w->answers));
	w->drawn = calloc(s->drawn, sizeof(*w->drawn));
	w->late = s->stats ? malloc(sizeof(*w->late)) : NULL;
	if (!w->answers || !w->drawn || (s->stats && !w->late))
		return -ENOMEM;
	if (w->late)
		weft_hist_init(w->late);
	for (unsigned i = 0; i <= s->workers; i++)
		w->answers[i].released_twice = &s->released_twice;
	rng_seed(&rng, weft_rand());
	for (unsigned i = 0; i < s->drawn; i++)
		w->drawn[i] = (uint32_t)zipf_next(z, &rng);
	list_init(&w->caller.link);
	if (cell->variant != CHANNEL)
		return 0;
	return weft_chan_new(&w->caller.chan, cell->chan, cell->cap,
	                     sizeof(struct answer), &opts);
}

static int make_workers(struct cell *cell, struct state *s)
{
	struct zipf z;
	int err = zipf_init(&z, s->keys,
	                    (double)param(&cell->params, "skew") / 100);

	for (unsigned i = 0; i < s->workers && !err; i++)
		err = make_worker(cell, s, i, &z);
	zipf_fini(&z);
	return err;
}

static int make(struct cell *cell, struct state *s)
{
	struct weft_flight_opts opts = {
		.shards = (unsigned)param(&cell->params, "shards"),
		.wait = cell->wait,
		.drop = drop,
	};

	switch (cell->variant) {
	case NONE:
		return 0;
	case HEAP:
	case CHANNEL:
		s->textbook = textbook_new();
		return s->textbook ? 0 : -ENOMEM;
	case LOCKED:
		opts.shards = 1;
		break;
	default:
		break;
	}
	return weft_flight_new(&s->flight, &opts);
}

static int setup(struct cell *cell)
{
	const struct params *p = &cell->params;
	struct state *s = cell->state;
	int err;

	s->workers = (unsigned)param(p, "workers");
	s->keys = (unsigned)param(p, "keys");
	s->name_bytes = (size_t)param(p, "key");
	s->sleep = param(p, "sleep");
	s->gather = param(p, "gather");
	s->stats = param(p, "stats");
	s->drawn =
	        cell->items < DRAWN_MAX ? (unsigned)cell->items + 1 : DRAWN_MAX;
	s->worker = cacheline_new(s->workers, sizeof(*s->worker));
	err = s->worker ? make_keys(s) : -ENOMEM;
	if (!err)
		err = make_workers(cell, s);
	return err ? err : make(cell, s);
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	for (unsigned i = 0; s->worker && i < s->workers; i++) {
		weft_chan_unref(s->worker[i].caller.chan);
		free(s->worker[i].answers);
		free(s->worker[i].drawn);
		free(s->worker[i].late);
	}
	weft_flight_free(s->flight);
	free(s->textbook);
	free(s->worker);
	free(s->key);
	free(s->names);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	weft_store_release(&s->halted, true); /* [halted] */
	if (s->flight)
		weft_flight_stop(s->flight);
	for (unsigned i = 0; s->worker && i < s->workers; i++)
		if (s->worker[i].caller.chan)
			weft_chan_close(s->worker[i].caller.chan);
}

/* --- an execution --- */

static struct weft_flight_key name_of(const struct state *s, uint32_t key)
{
	return (struct weft_flight_key){ s->names + key * s->name_bytes,
		                         s->name_bytes };
}

static int64_t followers_of(struct state *s, uint32_t key)
{
	return s->flight ? weft_flight_peek(s->flight, name_of(s, key)) - 1
	                 : textbook_followers(s->textbook, name_of(s, key));
}

/* Callers take their turns together, so the n-th execution is for those that
 * have n calls to make. */
static void wait_for_all(const struct cell *cell, uint32_t key, uint64_t number)
{
	struct state *s = cell->state;
	int64_t callers = number * s->workers <= cell->items
	                          ? s->workers
	                          : (int64_t)(cell->items % s->workers);

	for (unsigned turn = 0; followers_of(s, key) < callers - 1 &&
	                        !weft_load_acquire(&s->halted); /* [halted] */
	     turn++)
		weft_relent(turn);
}

/* The number of the execution goes into the answer. */
static int execute(void *arg, struct answer *out)
{
	struct worker *w = arg;
	const struct cell *cell = w->cell;
	struct state *s = cell->state;
	struct key *k = &s->key[w->key];
	uint64_t number = weft_fetch_add_relaxed(&k->begun, UINT64_C(1)) + 1;

	w->led = true;
	w->executions++;
	w->crowded += weft_fetch_add_acq_rel(&k->inside, 1u) > 0 &&
	              cell->variant != NONE;
	if (s->gather)
		wait_for_all(cell, w->key, number);
	if (cell->work)
		work_for(cell->work);
	if (s->sleep)
		weft_sleep_until(weft_deadline_in(s->sleep));
	out->value = message_value_of(w->key, number);
	out->check = message_check(out->value);
	out->made_ns = s->stats ? weft_now() : 0;
	weft_fetch_sub_acq_rel(&k->inside, 1u);
	return 0;
}

static int execute_shared(void *arg, void **value)
{
	struct worker *w = arg;
	struct state *s = w->cell->state;

	for (unsigned i = 0; i <= s->workers; i++) {
		struct shared *a = &w->answers[w->next++ % (s->workers + 1)];

		if (weft_xchg_acq_rel(&a->held, true))
			continue;
		*value = a;
		return execute(w, &a->answer);
	}
	return -ENOBUFS; /* what was released is still held */
}

/* --- a call --- */

static int ask_flight(struct state *s, struct worker *w, struct answer *out)
{
	struct weft_flight_result r;
	int err = weft_flight_do(s->flight, name_of(s, w->key), execute_shared,
	                         w, &r, WEFT_FOREVER);

	if (err)
		return err;
	*out = ((const struct shared *)r.value)->answer;
	weft_flight_release(&r);
	return 0;
}

static int ask(struct state *s, struct worker *w, struct answer *out)
{
	if (s->flight)
		return ask_flight(s, w, out);
	if (!s->textbook)
		return execute(w, out);
	return textbook_do(s->textbook, name_of(s, w->key), &w->caller, execute,
	                   w, out);
}

/* Is this an answer for the key, of a flight that had not ended when `ended`
 * was read, which was before the call? */
static int check(struct state *s, struct worker *w, const struct answer *a,
                 uint64_t ended)
{
	uint64_t number = message_seq(a->value);
	struct key *k = &s->key[w->key];

	if (a->check != message_check(a->value))
		w->corrupt++;
	else if (message_who(a->value) != w->key)
		w->foreign++;
	else if (number <= ended && s->worker->cell->variant != NONE)
		w->stale++;
	else {
		/* It has ended, since a call has returned from it. */
		while (ended < number &&
		       !weft_cas_acq_rel(&k->ended, &ended, number))
			;
		return 0;
	}
	return -EPROTO; /* nothing that is behind it is sound */
}

static int call(struct cell *cell, unsigned id, uint64_t seq)
{
	struct state *s = cell->state;
	struct worker *w = &s->worker[id];
	struct answer answer = { 0 };
	uint64_t ended;
	int err;

	w->key = w->drawn[seq % s->drawn];
	w->led = false;
	ended = weft_load_acquire(&s->key[w->key].ended);
	err = ask(s, w, &answer);
	if (!err)
		err = check(s, w, &answer, ended);
	if (err)
		return err;
	if (!w->led) {
		w->saved++;
		if (w->late)
			hist_record(w->late, weft_now() - answer.made_ns);
	}
	cell->share[id]++;
	kernel_record(cell, id, seq * s->workers + id);
	return 0;
}

static void run_driver(struct cell *cell, unsigned id)
{
	const struct state *s = cell->state;
	uint64_t items = tally_share(cell->items, s->workers, id);
	int err = 0;

	for (uint64_t seq = 0; seq < items && !err; seq++) {
		pace_batch(cell, seq * s->workers + id, s->workers, 1);
		err = call(cell, id, seq);
	}
	kernel_end(cell, err ? err : -EPIPE);
}

/* --- afterwards --- */

/* All calls of all callers, and in how many of the answers each is off. */
static struct worker sum_of(const struct state *s, struct hist *late)
{
	struct worker sum = { .executions = 0 };

	for (unsigned i = 0; i < s->workers; i++) {
		const struct worker *w = &s->worker[i];

		sum.executions += w->executions;
		sum.saved += w->saved;
		sum.crowded += w->crowded;
		sum.stale += w->stale;
		sum.foreign += w->foreign;
		sum.corrupt += w->corrupt;
		if (w->late)
			weft_hist_merge(late, w->late);
	}
	return sum;
}

static uint64_t still_held(const struct state *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->workers; i++)
		for (unsigned k = 0; k <= s->workers; k++)
			n += weft_load_acquire(&s->worker[i].answers[k].held);
	return n;
}

/* The component has counted as the callers have. */
static bool agrees(struct weft_flight *f, const struct worker *sum)
{
	struct weft_flight_stats stats;

	weft_flight_stats(f, &stats);
	return stats.executions == sum->executions &&
	       stats.saved == sum->saved && !stats.in_flight && !stats.waiting;
}

static void verify(struct cell *cell, struct text *why)
{
	struct state *s = cell->state;
	struct hist late;
	struct worker sum;
	bool all = !weft_load_acquire(&cell->error);
	double calls = cell->items ? (double)cell->items : 1;

	weft_hist_init(&late);
	sum = sum_of(s, &late);
	text_count(why, "answers were corrupt", sum.corrupt);
	text_count(why, "answers were another key's", sum.foreign);
	text_count(why,
	           "answers were of a flight that had ended before the call",
	           sum.stale);
	text_count(why, "executions of a key began during another",
	           sum.crowded);
	text_count(why, "values were released twice",
	           weft_load_acquire(&s->released_twice));
	if (all) {
		text_count(why, "values were never released", still_held(s));
		text_count(why, "calls were neither executed nor saved",
		           cell->items - sum.executions - sum.saved);
		text_count(why, "miscount of executions and calls saved",
		           s->flight && !agrees(s->flight, &sum));
	}
	cell_figure(cell, "executions", "%", "of the calls",
	            100.0 * (double)sum.executions / calls);
	cell_figure(cell, "saved", "%", "of the calls",
	            100.0 * (double)sum.saved / calls);
	if (!s->stats)
		return;
	cell_figure(cell, "late_p50", "us", "from the answer to a call saved",
	            (double)weft_hist_quantile(&late, 0.5) / 1e3);
	cell_figure(cell, "late_p99", "us", "the same",
	            (double)weft_hist_quantile(&late, 0.99) / 1e3);
}

const struct pattern pattern_singleflight = {
	KERNEL(singleflight),
	.flag = "singleflight",
	.title = "Singleflight (Spaceflight)",
	.summary =
	        "calls for the same key at the same time share one execution",
	.accept = accept,
	.least_ns = least_ns,
	.verify = verify,
};
