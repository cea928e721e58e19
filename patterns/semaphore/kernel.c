/*
 * The kernel: W workers, each of which acquires permits, works, and gives them
 * back; and every run is watched for more being held than there are.
 *
 *	weighted  the component: first come, first served, any number at a time
 *	channel   one token in a channel of that capacity for each permit held,
 *	          put in one at a time
 *	sem_t     POSIX semaphores, which block the thread
 *
 * An item is one acquire, of `weight` permits; of 1 to `weight` where weights
 * are uniform. With `burst` a worker acquires that many times before it gives
 * anything back, as the benchmark of golang.org/x/sync/semaphore does.
 */
#include <semaphore.h>

#include <weft/patterns/semaphore.h>

#include "kernel/kernel.h"

enum variant { WEIGHTED, CHANNEL, SEM_T };
enum weights { SAME, UNIFORM };
enum mode { ACQUIRE, TRY };

#define WORKERS_MAX 256
#define BURST_MAX 64

static const char *const variant_choices[] = { "weighted", "channel", "sem_t",
	                                       NULL };
static const char *const weights_choices[] = { "same", "uniform", NULL };
static const char *const mode_choices[] = { "acquire", "try", NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "what holds the permits", WEIGHTED, SEM_T,
	            variant_choices, "weighted,channel,sem_t"),
	KNOB_COUNT("workers", "tasks that acquire and release", 2, 1,
	           WORKERS_MAX, "1,2,4,8,16"),
	KNOB_COUNT("permits", "permits in all", 1, 1, 65536, "1,2,8,64"),
	KNOB_COUNT("weight", "permits of one acquire", 1, 1, 65536, "1"),
	KNOB_CHOICE("weights", "the same for all, or 1 to weight", SAME,
	            UNIFORM, weights_choices, "same"),
	KNOB_COUNT("burst", "acquires before the first release", 1, 1,
	           BURST_MAX, "1"),
	KNOB_CHOICE("mode", "wait for permits, or try until they are there",
	            ACQUIRE, TRY, mode_choices, "acquire"),
	KNOB_ITEMS,
	{ "work", "ns", "computation with the permits held", 100, 0, 1000000000,
	  NULL, "0,100,10000" },
	KNOB_WAIT,
	KNOB_END,
};

/* One worker's, written by its task. */
struct worker {
	_Alignas(WEFT_CACHE_LINE) int64_t longest_ns; /* wait */
	uint64_t waited;
	uint64_t lost, corrupt; /* tokens that it had put in */
};

struct state {
	/* Constant once made. */
	struct weft_semaphore *weighted;
	struct weft_chan *tokens;
	sem_t *posix;
	int64_t permits, weight;
	unsigned workers, burst;
	bool uniform, tries;
	struct worker *worker;

	int64_t missing;   /* permits, at the end */
	uint64_t too_many; /* or at least one more than there were */

	_Alignas(WEFT_CACHE_LINE) _Atomic int64_t held, most;
	_Atomic bool halted;
};

/* --- what the parameters mean --- */

/* Several acquires of one worker, in a row or one permit at a time, wait for
 * one another only if all of them together fit. */
static int accept(const struct params *p, struct text *why)
{
	int64_t permits = param(p, "permits"), weight = param(p, "weight");
	int64_t burst = param(p, "burst"), workers = param(p, "workers");
	bool whole = param(p, "variant") == WEIGHTED;

	if (weight > permits)
		text_add(why,
		         "weight=%" PRId64 " with permits=%" PRId64
		         ": allowed 1..%" PRId64,
		         weight, permits, permits);
	else if ((burst > 1 || (weight > 1 && !whole)) &&
	         workers * burst * weight > permits)
		text_add(why,
		         "%" PRId64 " workers that hold up to %" PRId64
		         " permits, got one by one: allowed with "
		         "permits=%" PRId64
		         " and more, or they wait for one another",
		         workers, burst * weight, workers * burst * weight);
	else
		return 0;
	return -EINVAL;
}

static void shape(const struct params *p, struct cell_shape *out)
{
	unsigned workers = (unsigned)param(p, "workers");

	out->drivers = out->consumers = workers;
	out->elem_size = sizeof(uint64_t);
	out->cap = 1; /* without tokens any channel will do */
	if (param(p, "variant") != CHANNEL)
		return;
	out->cap = (size_t)param(p, "permits");
	out->senders = out->receivers = workers;
	/* It is the lack of space that makes them wait. And without an exact
	 * count, each of several senders may be let into the last space that
	 * there is, and a channel may free its space in lumps. */
	out->needs = WEFT_CAN_BOUNDED | WEFT_CAN_LEN;
}

/* --- setup and teardown --- */

static int make_posix(struct state *s)
{
	s->posix = calloc(1, sizeof(*s->posix));
	if (!s->posix)
		return -ENOMEM;
	return sem_init(s->posix, 0, (unsigned)s->permits) ? -errno : 0;
}

static int make(struct cell *cell, struct state *s)
{
	const struct weft_semaphore_opts weighted = { .permits = s->permits };
	const struct weft_chan_opts chan = { .wait = cell->wait };

	size_t cap;
	int err;

	switch (cell->variant) {
	case CHANNEL:
		/* One that rounds its capacity up has more permits. */
		err = kernel_probe(cell, &cap);
		if (err || cap != cell->cap)
			return err ? err : -ENOTSUP;
		return weft_chan_new(&s->tokens, cell->chan, cell->cap,
		                     sizeof(uint64_t), &chan);
	case SEM_T:
		return make_posix(s);
	default:
		return weft_semaphore_new(&s->weighted, &weighted);
	}
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	const struct params *p = &cell->params;

	s->permits = param(p, "permits");
	s->weight = param(p, "weight");
	s->workers = (unsigned)param(p, "workers");
	s->burst = (unsigned)param(p, "burst");
	s->uniform = param(p, "weights") == UNIFORM;
	s->tries = param(p, "mode") == TRY;
	s->worker = cacheline_new(s->workers, sizeof(*s->worker));
	return s->worker ? make(cell, s) : -ENOMEM;
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_semaphore_free(s->weighted);
	weft_chan_unref(s->tokens);
	if (s->posix)
		sem_destroy(s->posix);
	free(s->posix);
	free(s->worker);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	weft_store_release(&s->halted, true); /* [halted] */
	if (s->weighted)
		weft_semaphore_stop(s->weighted);
	if (s->tokens)
		weft_chan_close(s->tokens);
	for (unsigned i = 0; s->posix && i < s->workers * s->burst; i++)
		sem_post(s->posix);
}

/* --- permits, one way or the other --- */

#define TOKEN UINT64_C(0x70657261746f6b65)

/* One permit. -EAGAIN when it would have to wait, unless it may. */
static int take_one(struct state *s, bool may_wait)
{
	uint64_t token = TOKEN;

	if (s->tokens)
		return may_wait
		               ? weft_chan_send(s->tokens, &token, WEFT_FOREVER)
		               : weft_chan_try_send(s->tokens, &token);
	if (may_wait ? sem_wait(s->posix) : sem_trywait(s->posix))
		return -errno;
	return weft_load_relaxed(&s->halted) ? -ECANCELED : 0;
}

/* One by one: that all of them fit, accept() has seen to. */
static int take_each(struct state *s, int64_t n, bool may_wait)
{
	int err = 0;

	for (; n > 0 && !err; n--)
		do
			err = take_one(s, may_wait);
		while (err == -EINTR);
	return err;
}

static int take(struct state *s, int64_t n, bool may_wait)
{
	if (!s->weighted)
		return take_each(s, n, may_wait);
	return may_wait ? weft_semaphore_acquire(s->weighted, n, WEFT_FOREVER)
	                : weft_semaphore_try_acquire(s->weighted, n);
}

static int give(struct state *s, struct worker *w, int64_t n)
{
	uint64_t token;
	int err = 0;

	if (s->weighted)
		return weft_semaphore_release(s->weighted, n);
	for (; n > 0 && !err; n--) {
		if (s->posix) {
			err = sem_post(s->posix) ? -errno : 0;
			continue;
		}
		err = weft_chan_try_recv(s->tokens, &token);
		w->corrupt += !err && token != TOKEN;
		/* There is at least what this worker has put in. */
		w->lost += err == -EAGAIN;
		err = err == -EAGAIN ? 0 : err;
	}
	return err;
}

/* Permits that are all there are, got at once or after a wait that is timed. */
static int acquire(struct state *s, struct worker *w, int64_t n)
{
	int64_t since, ns;
	int err = take(s, n, false);

	if (err != -EAGAIN)
		return err;
	since = weft_now();
	if (s->tries)
		while ((err = take(s, n, false)) == -EAGAIN)
			weft_yield();
	else
		err = take(s, n, true);
	ns = weft_now() - since;
	w->waited++;
	w->longest_ns = ns > w->longest_ns ? ns : w->longest_ns;
	return err;
}

/* --- the drivers --- */

/* How many permits an item of a worker needs. */
static int64_t weight_of(const struct state *s, uint64_t value)
{
	if (!s->uniform)
		return s->weight;
	return 1 + (int64_t)(message_check(value) % (uint64_t)s->weight);
}

static void note_held(struct state *s, int64_t n)
{
	int64_t most = weft_load_relaxed(&s->most), held;

	/* One worker shares it with nobody, and need not pay for that. */
	if (s->workers == 1) {
		held = weft_load_relaxed(&s->held) + n;
		weft_store_relaxed(&s->held, held);
	} else {
		held = weft_fetch_add_relaxed(&s->held, n) + n;
	}
	while (held > most && !weft_cas_relaxed(&s->most, &most, held))
		;
}

/* Items seq to seq + n - 1 of a worker, of which those up to *got have been
 * acquired when it returns. */
static int acquire_all(struct cell *cell, unsigned id, uint64_t seq, unsigned n,
                       unsigned *got)
{
	struct state *s = cell->state;
	int err;

	for (*got = 0; *got < n; ++*got) {
		uint64_t item = (seq + *got) * s->workers + id;
		int64_t weight = weight_of(s, message_value_of(id, seq + *got));

		pace_batch(cell, item, s->workers, 1);
		err = acquire(s, &s->worker[id], weight);
		if (err)
			return err;
		note_held(s, weight);
		kernel_record(cell, id, item);
		if (cell->work)
			work_for(cell->work);
	}
	return 0;
}

static int give_all(struct cell *cell, unsigned id, uint64_t seq, unsigned n)
{
	struct state *s = cell->state;
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++) {
		int64_t weight = weight_of(s, message_value_of(id, seq + i));

		note_held(s, -weight);
		err = give(s, &s->worker[id], weight);
		cell->share[id] += !err;
	}
	return err;
}

static void run_driver(struct cell *cell, unsigned id)
{
	const struct state *s = cell->state;
	uint64_t items = tally_share(cell->items, s->workers, id), seq = 0;
	int err = 0, last;

	while (seq < items && !err) {
		uint64_t left = items - seq;
		unsigned n = left < s->burst ? (unsigned)left : s->burst, got;

		err = acquire_all(cell, id, seq, n, &got);
		last = give_all(cell, id, seq, got);
		err = err ? err : last;
		seq += got;
	}
	kernel_end(cell, err ? err : -EPIPE);
}

/* --- afterwards --- */

/* All permits have to be there, and no more. */
static void stop(struct cell *cell)
{
	struct state *s = cell->state;

	if (!s->weighted && !s->tokens && !s->posix)
		return; /* they could not be made */
	s->missing = s->permits;
	while (s->missing > 0 && !take(s, 1, false))
		s->missing--;
	s->too_many = !s->missing && !take(s, 1, false);
}

static void verify(struct cell *cell, struct text *why)
{
	struct state *s = cell->state;
	int64_t most = weft_load_relaxed(&s->most), longest = 0;
	uint64_t waited = 0, lost = 0, corrupt = 0;

	for (unsigned i = 0; i < s->workers; i++) {
		const struct worker *w = &s->worker[i];

		waited += w->waited;
		lost += w->lost;
		corrupt += w->corrupt;
		longest = w->longest_ns > longest ? w->longest_ns : longest;
	}
	text_count(why, "permits were held at once beyond those there are",
	           most > s->permits ? (uint64_t)(most - s->permits) : 0);
	text_count(why, "tokens were lost", lost);
	text_count(why, "tokens were corrupt", corrupt);
	text_count(why, "permit too many at the end", s->too_many);
	/* After an error some are still held. */
	if (!weft_load_acquire(&cell->error))
		text_count(why, "permits are missing at the end",
		           (uint64_t)s->missing);
	cell_figure(cell, "waited", "%", "of the acquires",
	            cell->items ? 100.0 * (double)waited / (double)cell->items
	                        : 0);
	cell_figure(cell, "longest_wait", "us", "for permits",
	            (double)longest / 1e3);
}

const struct pattern pattern_semaphore = {
	KERNEL(semaphore),
	.flag = "semaphore",
	.title = "Semaphore",
	.summary = "no more tasks at work than there are permits",
	.accept = accept,
	.stop = stop,
	.verify = verify,
};
