#include "stress/history/scenario.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define WORKERS 4
#define CALLS 5 /* of each, at most */
#define BATCH 3

/* Prefilled and drained by the first task. */
#define FIRST_CALLS 64

/* How often the first task looks, 10 ms apart, at calls that wait although they
 * need not, before it takes them for lost. */
#define LOOKS 200

/* --- the plan --- */

struct planned {
	enum hist_kind kind;
	enum hist_mode mode;
	unsigned n;      /* elements of a batch */
	int64_t span_ns; /* of its deadline; -1: none */
	unsigned idle;   /* turns before it */
};

/* What a task is about to do, for the first task to see. */
enum doing {
	SOMETHING, /* that ends by itself */
	SENDING,   /* without a deadline */
	SENDING_MANY,
	RECEIVING,
	NOTHING, /* more */
};

struct arena;

struct worker {
	struct arena *arena;
	struct hist_log log;
	struct planned plan[CALLS];
	unsigned calls;
	bool sends; /* in a long run */
	uint32_t each;
	struct weft_task *task;
	_Alignas(WEFT_CACHE_LINE) _Atomic enum doing doing;
	_Atomic uint64_t sent, received;
	_Atomic uint64_t turns; /* grows with each call that begins or ends */
};

struct arena {
	struct scenarios *s;
	struct weft_chan *c;
	struct history h;
	unsigned workers;
	bool long_run;
	uint64_t seed;                    /* of this scenario */
	struct hist_log log[1 + WORKERS]; /* the first task's, and copies */
	struct worker worker[WORKERS];
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned gate;
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned arrived;
};

#define GATE_END UINT32_MAX

/* There is one at a time. The next one goes on with other values: what it finds
 * of this one is a phantom. */
static struct arena arena;
static uint32_t values_used[1 + WORKERS];

/* Which ways of calling are taken in a scenario, so that some consist of little
 * else than of calls that do not wait, or that all do. */
static enum hist_mode pick_mode(struct rng *rng, const struct scenarios *s,
                                unsigned flavour)
{
	static const enum hist_mode modes[4][4] = {
		{ HIST_TRY, HIST_TRY, HIST_TRY, HIST_TRY_SELECT },
		{ HIST_PLAIN, HIST_PLAIN, HIST_SELECT, HIST_BATCH },
		{ HIST_TIMED, HIST_TIMED_SELECT, HIST_TRY, HIST_TIMED },
		{ HIST_PLAIN, HIST_TRY, HIST_TIMED, HIST_BATCH },
	};
	enum hist_mode mode = modes[flavour][rng_below(rng, 4)];

	if (!impl_selects(s->impl, s->cap, s->elem)) {
		mode = mode == HIST_SELECT ? HIST_PLAIN : mode;
		mode = mode == HIST_TRY_SELECT ? HIST_TRY : mode;
		mode = mode == HIST_TIMED_SELECT ? HIST_TIMED : mode;
	}
	if (mode == HIST_TIMED && !(s->impl->can & WEFT_CAN_TIMEOUT))
		mode = HIST_TRY;
	return mode;
}

static void plan_call(struct arena *a, struct planned *p, unsigned flavour,
                      bool sends)
{
	struct rng *rng = &a->s->rng;

	*p = (struct planned){ .kind = sends ? HIST_SEND : HIST_RECV,
		               .mode = pick_mode(rng, a->s, flavour),
		               .n = 1,
		               .span_ns = -1 };
	if (rng_below(rng, 2))
		p->idle = (unsigned)rng_below(rng, 40);
	if (p->mode == HIST_BATCH)
		p->n = 1 + (unsigned)rng_below(rng, BATCH);
	if (p->mode == HIST_TIMED || p->mode == HIST_TIMED_SELECT ||
	    (p->mode == HIST_BATCH && (a->s->impl->can & WEFT_CAN_TIMEOUT) &&
	     rng_below(rng, 2)))
		p->span_ns = (int64_t)rng_below(rng, 1u << rng_below(rng, 17));
}

static bool within(unsigned max, unsigned n)
{
	return max == 0 || n < max;
}

/* Whether a worker sends, receives or does both; somebody must do each. */
static void plan_worker(struct arena *a, unsigned i, unsigned flavour,
                        unsigned *senders, unsigned *receivers)
{
	const struct weft_chan_impl *impl = a->s->impl;
	struct rng *rng = &a->s->rng;
	struct worker *w = &a->worker[i];
	bool sends = within(impl->max_senders, *senders) &&
	             (i == 0 || rng_below(rng, 2));
	bool receives = within(impl->max_receivers, *receivers) &&
	                (i == 1 || !sends || rng_below(rng, 4) == 0);

	w->calls = 0;
	if (!sends && !receives)
		return;
	*senders += sends;
	*receivers += receives;
	w->calls = 1 + (unsigned)rng_below(rng, a->workers == 2 ? CALLS : 3);
	for (unsigned k = 0; k < w->calls; k++)
		plan_call(a, &w->plan[k], flavour,
		          receives ? sends && rng_below(rng, 2) : true);
}

static void plan_closes(struct arena *a)
{
	struct rng *rng = &a->s->rng;

	if (rng_below(rng, 8) >= a->s->closes)
		return;
	for (uint64_t n = 1 + (rng_below(rng, 4) == 0); n > 0; n--) {
		struct worker *w = &a->worker[rng_below(rng, a->workers)];

		if (w->calls)
			w->plan[rng_below(rng, w->calls)].kind = HIST_CLOSE;
	}
}

static void plan(struct arena *a)
{
	unsigned senders = 0, receivers = 0;
	unsigned flavour = (unsigned)rng_below(&a->s->rng, 4);

	for (unsigned i = 0; i < a->workers; i++)
		plan_worker(a, i, flavour, &senders, &receivers);
	plan_closes(a);
}

/* --- calls --- */

static struct hist_op *begin(struct worker *w, enum hist_kind kind,
                             enum hist_mode mode, uint64_t value,
                             int64_t deadline_ns)
{
	struct hist_op *op =
	        hist_begin(&w->log, kind, mode, value, deadline_ns);

	if (deadline_ns != WEFT_FOREVER || kind == HIST_CLOSE)
		return op;
	if (kind == HIST_RECV)
		weft_store_release(&w->doing, RECEIVING);
	else
		weft_store_release(&w->doing,
		                   mode == HIST_BATCH ? SENDING_MANY : SENDING);
	return op;
}

static void end(struct worker *w, struct hist_op *op, int result)
{
	hist_end(&w->log, op, result);
	weft_store_release(&w->turns, weft_load_relaxed(&w->turns) + 1);
	weft_store_release(&w->doing, SOMETHING);
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
	weft_store_release(to, weft_load_relaxed(to) + n);
}

/* A select of that one case, beside one that is never ready. */
static int by_select(struct weft_chan *c, enum weft_case_op op, uint32_t *tag,
                     int64_t deadline_ns)
{
	struct choice ch;
	int got;

	ch.n = 0;
	choice_add(&ch, op, c, *tag);
	choice_recv(&ch, NULL);
	got = choice_make(&ch, deadline_ns);
	if (got < 0)
		return got == -ETIMEDOUT && deadline_ns == WEFT_NOW ? -EAGAIN
		                                                    : got;
	if (op == WEFT_CASE_RECV && choice_err(&ch, got) == 0)
		*tag = ch.tag[got];
	return choice_err(&ch, got);
}

static int64_t deadline_of(const struct planned *p)
{
	if (p->mode == HIST_TRY || p->mode == HIST_TRY_SELECT)
		return WEFT_NOW;
	return p->span_ns < 0 ? WEFT_FOREVER : weft_deadline_in(p->span_ns);
}

static int send_one(struct weft_chan *c, const struct planned *p, uint32_t tag,
                    int64_t deadline_ns)
{
	switch (p->mode) {
	case HIST_TRY:
		return tag_try_send(c, tag);
	case HIST_SELECT:
	case HIST_TRY_SELECT:
	case HIST_TIMED_SELECT:
		return by_select(c, WEFT_CASE_SEND, &tag, deadline_ns);
	default:
		return tag_send(c, tag, deadline_ns);
	}
}

static int recv_one(struct weft_chan *c, const struct planned *p, uint32_t *tag,
                    int64_t deadline_ns)
{
	switch (p->mode) {
	case HIST_TRY:
		return tag_try_recv(c, tag);
	case HIST_SELECT:
	case HIST_TRY_SELECT:
	case HIST_TIMED_SELECT:
		return by_select(c, WEFT_CASE_RECV, tag, deadline_ns);
	default:
		return tag_recv(c, tag, deadline_ns);
	}
}

static int do_send(struct worker *w, const struct planned *p)
{
	uint64_t value = hist_log_value(&w->log);
	int64_t deadline_ns = deadline_of(p);
	struct hist_op *op = begin(w, HIST_SEND, p->mode, value, deadline_ns);
	int err = send_one(w->arena->c, p, (uint32_t)value, deadline_ns);

	end(w, op, err);
	add(&w->sent, err == 0);
	return err;
}

/* Those that were sent, and the first that was not. The others have no record,
 * so that they are phantoms if they appear. */
static int do_send_many(struct worker *w, const struct planned *p)
{
	int64_t deadline_ns = deadline_of(p);
	uint32_t tags[BATCH] = { 0 };
	struct hist_op *op;
	size_t done = 0;
	int err;

	for (unsigned i = 0; i < p->n; i++)
		tags[i] = (uint32_t)hist_log_value(&w->log);
	op = begin(w, HIST_SEND, p->mode, tags[0], deadline_ns);
	err = tag_send_many(w->arena->c, tags, p->n, &done, deadline_ns);
	end(w, op, done ? 0 : err);
	for (size_t i = 1; i < done; i++)
		hist_more(&w->log, tags[i], 0);
	if (err && done && done < p->n)
		hist_more(&w->log, tags[done], err);
	add(&w->sent, done);
	return err;
}

static int do_recv(struct worker *w, const struct planned *p)
{
	int64_t deadline_ns = deadline_of(p);
	struct hist_op *op = begin(w, HIST_RECV, p->mode, 0, deadline_ns);
	uint32_t tag = 0;
	int err = recv_one(w->arena->c, p, &tag, deadline_ns);

	op->value = tag;
	end(w, op, err);
	add(&w->received, err == 0);
	return err;
}

static int do_recv_many(struct worker *w, const struct planned *p)
{
	int64_t deadline_ns = deadline_of(p);
	struct hist_op *op = begin(w, HIST_RECV, p->mode, 0, deadline_ns);
	uint32_t tags[BATCH] = { 0 };
	size_t done = 0;
	int err = tag_recv_many(w->arena->c, tags, p->n, &done, deadline_ns);

	op->value = tags[0];
	end(w, op, err);
	for (size_t i = 1; i < done; i++)
		hist_more(&w->log, tags[i], 0);
	add(&w->received, done);
	return err;
}

static int do_close(struct worker *w)
{
	struct hist_op *op = begin(w, HIST_CLOSE, HIST_PLAIN, 0, WEFT_FOREVER);
	int err = weft_chan_close(w->arena->c);

	end(w, op, err);
	return err;
}

static int do_call(struct worker *w, const struct planned *p)
{
	for (unsigned i = 0; i < p->idle; i++)
		weft_relax();
	if (p->kind == HIST_CLOSE)
		return do_close(w);
	if (p->mode == HIST_BATCH)
		return p->kind == HIST_SEND ? do_send_many(w, p)
		                            : do_recv_many(w, p);
	return p->kind == HIST_SEND ? do_send(w, p) : do_recv(w, p);
}

/* --- workers --- */

/* A sender sends `each`; a receiver goes on to the end. */
static void work_long(struct worker *w)
{
	struct planned p = { .kind = w->sends ? HIST_SEND : HIST_RECV,
		             .n = 1,
		             .span_ns = -1 };
	const struct scenarios *s = w->arena->s;
	struct rng rng;
	uint32_t sent = 0, calls = 0;
	int err = 0;

	rng_seed(&rng, w->arena->seed + w->log.task);
	while (err != -EPIPE && (!w->sends || sent < w->each)) {
		/* Calls that come to nothing must not fill the log. */
		bool scarce = w->log.n > w->log.room / 2;

		p.mode = pick_mode(&rng, s, scarce ? 1 : 3);
		p.n = p.mode == HIST_BATCH
		              ? 1 + (unsigned)rng_below(&rng, BATCH)
		              : 1;
		p.span_ns = p.mode == HIST_TIMED
		                    ? (int64_t)rng_below(&rng, 20000)
		                    : -1;
		p.idle = (unsigned)rng_below(&rng, 20);
		err = do_call(w, &p);
		sent += w->sends ? p.n : 0;
		if (++calls % 16 == 0)
			vital_goes_on();
	}
}

static int worker(void *arg)
{
	struct worker *w = arg;
	struct arena *a = w->arena;
	unsigned round = 0;

	while ((round = await_round(&a->gate, round)) != GATE_END) {
		if (a->long_run)
			work_long(w);
		for (unsigned k = 0; k < w->calls; k++)
			do_call(w, &w->plan[k]);
		weft_store_release(&w->doing, NOTHING);
		weft_fetch_add_acq_rel(&a->arrived, 1u);
	}
	return 0;
}

/* --- the first task --- */

/* What the workers that have not ended wait for, and what has been done: which
 * does not say how far a batch is that has not ended. */
struct look {
	bool working, sending, sending_many, receiving;
	bool senders_left; /* of a long run */
	uint64_t inside, turns;
};

static void look_at(const struct arena *a, uint64_t prefilled, struct look *l)
{
	*l = (struct look){ .inside = prefilled };
	for (unsigned i = 0; i < a->workers; i++) {
		const struct worker *w = &a->worker[i];
		enum doing doing = weft_load_acquire(&w->doing);

		l->senders_left |= w->sends && doing != NOTHING;
		switch (doing) {
		case SOMETHING:
			l->working = true;
			break;
		case SENDING:
			l->sending = true;
			break;
		case SENDING_MANY:
			l->sending_many = true;
			break;
		case RECEIVING:
			l->receiving = true;
			break;
		case NOTHING:
			break;
		}
		l->inside += weft_load_acquire(&w->sent) -
		             weft_load_acquire(&w->received);
		l->turns += weft_load_acquire(&w->turns);
	}
}

/* Whether those that wait do so for what nobody is left to bring. */
static bool is_stuck(const struct arena *a, const struct look *l)
{
	const struct hist_spec *spec = &a->h.spec;
	bool room = spec->exact ? l->inside < spec->cap : l->inside == 0;

	if (a->long_run)
		return !l->senders_left && l->inside == 0;
	if (l->working || (!l->sending && !l->sending_many && !l->receiving))
		return false;
	if (l->sending_many)
		return true;
	if (spec->cap == 0)
		return !(l->sending && l->receiving);
	return !(l->receiving && l->inside > 0) && !(l->sending && room);
}

static bool is_same(const struct look *a, const struct look *b)
{
	return a->working == b->working && a->sending == b->sending &&
	       a->sending_many == b->sending_many &&
	       a->receiving == b->receiving && a->turns == b->turns;
}

WEFT_NORETURN static void complain_of(struct arena *a, struct hist_finding *f)
{
	if (strcmp(f->rule, "no_order") == 0) {
		hist_minimise(&a->h);
		hist_name_calls(&a->h, f);
	}
	if (a->h.n <= 200)
		hist_print(&a->h, f);
	if (a->s->again)
		fprintf(stderr, "%s\n", a->s->again);
	REQUIRE(false, "%s: %s (scenario %" PRIu64 ", seed %" PRIu64 ")",
	        f->rule, f->text, a->s->done, a->seed);
	abort();
}

/* The logs as one history. Tasks are numbered as the logs are. */
static void join(struct arena *a)
{
	for (unsigned i = 0; i < a->workers; i++)
		a->log[1 + i] = a->worker[i].log;
	hist_join(&a->h, a->log, 1 + a->workers);
}

/* They wait although they need not, and have done so for long. */
WEFT_NORETURN static void complain_of_sleep(struct arena *a)
{
	struct hist_finding f = { .rule = "asleep",
		                  .op = { HIST_NONE, HIST_NONE },
		                  .text = "calls wait for good, although what "
		                          "they wait for is there" };

	join(a);
	a->h.at_rest = true;
	if (!hist_level0(&a->h, &f))
		hist_level1(&a->h, &f);
	complain_of(a, &f);
}

/* Wait for the end of all workers, or until they are stuck, which they cannot
 * be when it is closed: false. */
static bool await_workers(struct arena *a, uint64_t prefilled, bool closed)
{
	struct look l, last = { .working = true };
	unsigned same = 0;

	for (unsigned i = 0; weft_load_acquire(&a->arrived) != a->workers;
	     i++) {
		if (i < 200) {
			weft_relax();
			continue;
		}
		weft_yield();
		look_at(a, prefilled, &l);
		same = is_same(&l, &last) ? same + 1 : 0;
		last = l;
		if (!closed && same > 2 && is_stuck(a, &l))
			return false;
		if (same > 20)
			weft_sleep_until(weft_deadline_in(
			        same > 100 ? 10 * WEFT_MS : 50 * WEFT_US));
		if (same > 100 + LOOKS && !l.working)
			complain_of_sleep(a);
	}
	return true;
}

static uint64_t prefill(struct arena *a, struct hist_log *log)
{
	uint64_t n = rng_below(&a->s->rng, 3), sent = 0;

	for (; n > 0; n--) {
		uint64_t value = hist_log_value(log);
		struct hist_op *op =
		        hist_begin(log, HIST_SEND, HIST_TRY, value, WEFT_NOW);
		int err = tag_try_send(a->c, (uint32_t)value);

		hist_end(log, op, err);
		sent += err == 0;
	}
	return sent;
}

static void close_last(struct arena *a, struct hist_log *log)
{
	struct hist_op *op =
	        hist_begin(log, HIST_CLOSE, HIST_PLAIN, 0, WEFT_FOREVER);

	hist_end(log, op, weft_chan_close(a->c));
}

/* Take what is left; the channel may be closed or not. */
static void drain(struct arena *a, struct hist_log *log)
{
	int err = 0;

	while (!err) {
		struct hist_op *op =
		        hist_begin(log, HIST_RECV, HIST_TRY, 0, WEFT_NOW);
		uint32_t tag = 0;

		err = tag_try_recv(a->c, &tag);
		op->value = tag;
		hist_end(log, op, err);
		if (log->n == log->room)
			return;
	}
	a->h.drained = true;
}

static void open_chan(struct arena *a)
{
	struct weft_chan_opts opts = { .wait = a->s->wait };

	MUST(weft_chan_new(&a->c, a->s->impl, a->s->cap, a->s->elem, &opts), 0);
	a->h.spec = hist_spec_of(a->s->impl, weft_chan_cap(a->c));
	a->h.drained = a->h.at_rest = false;
	a->log[0].n = 0;
	for (unsigned i = 0; i < a->workers; i++) {
		struct worker *w = &a->worker[i];

		w->log.n = 0;
		weft_store_relaxed(&w->doing, SOMETHING);
		weft_store_relaxed(&w->sent, UINT64_C(0));
		weft_store_relaxed(&w->received, UINT64_C(0));
	}
}

/* Let them go, and see to it that they come to an end. */
static void let_go(struct arena *a, uint64_t prefilled)
{
	weft_store_relaxed(&a->arrived, 0u);
	weft_store_release(&a->gate, weft_load_relaxed(&a->gate) + 1);
	if (!await_workers(a, prefilled, false)) {
		close_last(a, &a->log[0]);
		await_workers(a, prefilled, true);
	} else if (rng_below(&a->s->rng, 2)) {
		close_last(a, &a->log[0]);
	}
}

static void run_one(struct arena *a)
{
	struct hist_finding f;
	uint64_t prefilled;

	a->seed = rng_next(&a->s->rng) & UINT32_MAX;
	plan(a);
	open_chan(a);
	prefilled = prefill(a, &a->log[0]);
	let_go(a, prefilled);
	drain(a, &a->log[0]);
	join(a);
	if (hist_judge(&a->h, &f))
		complain_of(a, &f);
	weft_chan_unref(a->c);
	a->s->done++;
	a->s->calls += a->h.n;
	vital_goes_on();
}

/* --- workers come and go --- */

static void arena_open(struct arena *a, struct scenarios *s, unsigned workers,
                       size_t room)
{
	*a = (struct arena){ .s = s, .workers = workers };
	hist_log_init(&a->log[0], 0, FIRST_CALLS + room);
	a->log[0].values = values_used[0];
	a->h.op = hist_alloc(FIRST_CALLS + (workers + 1) * room,
	                     sizeof(*a->h.op));
	for (unsigned i = 0; i < workers; i++) {
		struct worker *w = &a->worker[i];

		w->arena = a;
		hist_log_init(&w->log, 1 + i, room);
		w->log.values = values_used[1 + i];
		w->task = task_start("worker", worker, w);
	}
}

static void arena_close(struct arena *a)
{
	weft_store_release(&a->gate, GATE_END);
	for (unsigned i = 0; i < a->workers; i++) {
		task_finish(a->worker[i].task);
		values_used[1 + i] = a->worker[i].log.values;
		hist_log_fini(&a->worker[i].log);
	}
	values_used[0] = a->log[0].values;
	hist_log_fini(&a->log[0]);
	free(a->h.op);
}

/* Those that wait at the gate cost those that work: no more than take part. */
static unsigned pick_workers(struct rng *rng)
{
	static const unsigned workers[] = { 2, 2, 2, 2, 3, 3, 3, 4 };

	return workers[rng_below(rng, 8)];
}

static bool goes_on(const struct scenarios *s)
{
	return s->done < s->count && weft_now() < s->until_ns;
}

void scenarios_run(struct scenarios *s)
{
	struct arena *a = &arena;

	s->done = s->calls = 0;
	do {
		arena_open(a, s, pick_workers(&s->rng), CALLS * BATCH);
		for (int i = 0; i < 50 && (i == 0 || goes_on(s)); i++)
			run_one(a);
		arena_close(a);
	} while (goes_on(s));
}

/* --- long ones --- */

static unsigned at_most(unsigned n, unsigned max)
{
	return max && max < n ? max : n;
}

void scenario_run_long(struct scenarios *s, unsigned each)
{
	unsigned senders = at_most(1 + (unsigned)rng_below(&s->rng, 2),
	                           s->impl->max_senders);
	unsigned receivers = at_most(1 + (unsigned)rng_below(&s->rng, 2),
	                             s->impl->max_receivers);
	struct arena *a = &arena;
	struct hist_finding f;

	arena_open(a, s, senders + receivers, 4ul * each + 64);
	a->seed = rng_next(&s->rng) & UINT32_MAX;
	a->long_run = true;
	open_chan(a);
	for (unsigned i = 0; i < a->workers; i++) {
		a->worker[i].sends = i < senders;
		a->worker[i].each = each;
	}
	let_go(a, 0);
	drain(a, &a->log[0]);
	join(a);
	if (hist_level0(&a->h, &f) || hist_level1(&a->h, &f))
		complain_of(a, &f);
	weft_chan_unref(a->c);
	s->done++;
	s->calls += a->h.n;
	arena_close(a);
}
