/*
 * The kernel: how long it takes until the last one knows, and what it costs to
 * be ready for that.
 *
 *	wide, chain, cube  W tasks wait on channels of their own, with contexts
 *	                   at the far ends of a tree whose root is cancelled:
 *	                   all children of the root, each the child of the one
 *	                   before, or as deep as it is wide, three levels
 *	heap, wheel        W tasks make, arm and cancel timers beside `live`
 *	                   others, kept in the one or the other
 *	call               W tasks call the component
 *
 * An item is a wait that was cancelled, a timer, or a call. After each wait a
 * message goes through the channel that was waited on: it has to be as it was.
 */
#include "kernel/kernel.h"
#include "base/check.h"
#include "sync/timers.h"
#include "timeout.h"

enum variant { WIDE, CHAIN, CUBE, HEAP, WHEEL, CALL };

#define WORKERS_MAX 4096
#define HOUR (3600 * WEFT_SEC)
#define BURST_NS WEFT_MS

static const char *const variant_choices[] = { "wide",  "chain", "cube", "heap",
	                                       "wheel", "call",  NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "a tree, timers, or calls", WIDE, CALL,
	            variant_choices, "wide,chain,cube,heap,wheel,call"),
	KNOB_COUNT("workers", "tasks that wait, make timers or call", 10, 1,
	           WORKERS_MAX, "1,2,10,100"),
	KNOB_COUNT("nodes", "contexts below the root, about", 1000, 1, 1000000,
	           "1000,10000"),
	KNOB_COUNT("live", "timers beside", 1000, 1, 1000000, "1,1000,100000"),
	{ "pause", "ns", "before the cancel, for all to have parked", 50000, 0,
	  1000000000, NULL, "0,50000" },
	{ "limit", "ns", "of a call; 0 = none", 0, 0, 1000000000, NULL,
	  "0,20000" },
	{ "patience", "ms", "until a waiter counts as left asleep", 20000, 1,
	  1000000, NULL, "20000" },
	KNOB_ITEMS,
	KNOB_WORK("work", "computation per call", "0,10000"),
	KNOB_WAIT,
	KNOB_END,
};

/* One driver's, written by it alone. */
struct worker {
	_Alignas(WEFT_CACHE_LINE) struct weft_chan *chan;
	int64_t awake_ns; /* since when, of this round */
	uint64_t early, left, wrong, got, timed_out;
};

/* A timer that has yet to fire, by the timer task. */
struct alarm {
	struct weft_timer *timer;
	struct state *s;
	int64_t due_ns;
	uint64_t fired, early;
};

struct state {
	/* Constant once made. */
	unsigned workers;
	size_t nodes, side, leaves;
	int64_t pause_ns, patience_ns;
	struct worker *worker;
	struct weft_timeout *calls;

	/* The tree: the canceller's, published by `round`. After an error it
	 * stands until all drivers have ended. */
	struct weft_ctx *root, **node;
	size_t grown;
	struct hist last; /* of each round, until the last one was awake */
	int64_t cancel_ns;
	struct weft_waiters turn, all;
	_Atomic uint64_t round, cancelled; /* so many have begun */
	_Atomic int64_t since_ns;          /* the cancel of this round */
	_Atomic unsigned coming, waiting;  /* of this round's waiters */
	_Atomic bool halted;

	/* The timers. */
	struct alarm *alarm;
	size_t live;
	struct hist late; /* the timer task's, of those that fire */
	_Atomic size_t to_fire;
	_Atomic uint64_t stray; /* fired although they were cancelled */

	_Atomic uint64_t made, dropped; /* replies of calls */
};

static bool is_tree(int variant)
{
	return variant <= CUBE;
}

static bool is_timers(int variant)
{
	return variant == HEAP || variant == WHEEL;
}

/* --- what the parameters mean --- */

static void shape(const struct params *p, struct cell_shape *out)
{
	unsigned workers = (unsigned)param(p, "workers");
	int variant = (int)param(p, "variant");

	out->consumers = workers;
	out->drivers = workers + is_tree(variant); /* the canceller */
	out->helpers = variant == CALL ? workers : is_timers(variant);
	out->cap = 4;
	out->elem_size = sizeof(uint64_t);
	if (is_tree(variant))
		out->needs = WEFT_CAN_SELECT;
}

/* Of all rounds of a run, where the number of items is open. */
#define PAUSES_NS (2 * WEFT_SEC)

/* A round takes so much longer than what is measured in it that as many as fill
 * the time would be too many. */
static uint64_t items(const struct params *p)
{
	int64_t rounds = param(p, "nodes") <= 10000 ? 100 : 10;
	int64_t pause = param(p, "pause");

	if (!is_tree((int)param(p, "variant")))
		return 0;
	if (pause > PAUSES_NS / rounds)
		rounds = PAUSES_NS / pause;
	return (uint64_t)param(p, "workers") * (uint64_t)rounds;
}

/* A node of a tree is made, ended and freed in no less. */
#define NODE_NS 50

static double least_ns(const struct params *p, uint64_t items)
{
	uint64_t workers = (uint64_t)param(p, "workers");
	uint64_t rounds = (items + workers - 1) / workers;

	if (!is_tree((int)param(p, "variant")))
		return 0;
	return (double)rounds * ((double)param(p, "pause") +
	                         (double)param(p, "nodes") * NODE_NS);
}

/* --- the tree --- */

/* Nodes in the order of levels, each with `side` children. */
static void plan_tree(struct state *s, int variant, size_t nodes)
{
	size_t side = 1;

	if (variant == WIDE)
		side = nodes;
	while (variant == CUBE && (side + 1) * (side + 1) * (side + 1) <= nodes)
		side++;
	s->side = side;
	s->leaves = variant == CUBE ? side * side * side : nodes;
	s->nodes = variant == CUBE ? side + side * side + s->leaves : nodes;
}

/* Where a worker waits: spread over the leaves, the last one at the very last;
 * in a chain, which has one only, over all nodes. */
static size_t node_of(const struct state *s, unsigned w)
{
	return s->nodes - 1 - (s->workers - 1 - w) * s->leaves / s->workers;
}

static void cut_tree(struct state *s)
{
	while (s->grown > 0)
		weft_ctx_unref(s->node[--s->grown]);
	if (s->root)
		weft_ctx_unref(s->root);
	s->root = NULL;
}

static int grow_tree(struct state *s)
{
	int err = weft_ctx_with_cancel(&s->root, NULL);

	CHECK(s->side > 0);
	for (size_t i = 0; i < s->nodes && !err; i++) {
		err = weft_ctx_with_cancel(
		        &s->node[i],
		        i < s->side ? s->root : s->node[i / s->side - 1]);
		s->grown += !err;
	}
	return err;
}

/* What a round is cancelled with. */
static int cause_of(uint64_t round)
{
	return -(int)(1000 + round % 1000);
}

/* --- setup and teardown --- */

static int answer(struct weft_ctx *ctx, const void *request, void *reply,
                  void *arg)
{
	struct cell *cell = arg;
	struct state *s = cell->state;
	uint64_t value;

	(void)ctx;
	if (cell->work)
		work_for(cell->work);
	memcpy(&value, request, sizeof(value));
	value = ~value;
	memcpy(reply, &value, sizeof(value));
	weft_fetch_add_relaxed(&s->made, UINT64_C(1));
	return 0;
}

static void drop(void *reply, void *arg)
{
	struct state *s = arg;

	(void)reply;
	weft_fetch_add_relaxed(&s->dropped, UINT64_C(1));
}

static int make_calls(struct cell *cell, struct state *s)
{
	const struct weft_timeout_opts opts = {
		.fn = answer,
		.arg = cell,
		.request_size = sizeof(uint64_t),
		.reply_size = sizeof(uint64_t),
		.timeout_ns = param(&cell->params, "limit"),
		.workers = s->workers,
		.wait = cell->wait,
		.drop_reply = drop,
		.drop_arg = s,
	};

	return weft_timeout_new(&s->calls, &opts);
}

static void go_off(void *arg)
{
	struct alarm *a = arg;

	a->fired++;
	a->early += weft_now() < a->due_ns;
	hist_record(&a->s->late, weft_now() - a->due_ns);
	weft_fetch_sub_release(&a->s->to_fire, (size_t)1);
}

static int64_t one_to_two_hours(void)
{
	return weft_deadline_in(HOUR + (int64_t)(weft_rand() % (uint64_t)HOUR));
}

static int make_alarms(struct cell *cell, struct state *s)
{
	size_t live = (size_t)param(&cell->params, "live");
	int err = weft_timers_use(cell->variant == WHEEL ? TIMER_WHEEL
	                                                 : TIMER_HEAP);

	s->alarm = calloc(live, sizeof(*s->alarm));
	if (!s->alarm)
		return -ENOMEM;
	for (; s->live < live && !err; s->live += !err) {
		struct alarm *a = &s->alarm[s->live];

		a->s = s;
		err = weft_timer_new_func(&a->timer, go_off, a);
		if (!err)
			err = weft_timer_reset(a->timer, one_to_two_hours(),
			                       NULL);
	}
	return err;
}

static int make_tree(struct cell *cell, struct state *s)
{
	const struct weft_chan_opts opts = { .wait = cell->wait };
	int err = tally_new(&cell->tally, s->workers, s->workers, cell->items);

	plan_tree(s, cell->variant, (size_t)param(&cell->params, "nodes"));
	s->node = calloc(s->nodes, sizeof(struct weft_ctx *));
	if (!s->node)
		return -ENOMEM;
	for (unsigned w = 0; w < s->workers && !err; w++)
		err = weft_chan_new(&s->worker[w].chan, cell->chan, cell->cap,
		                    sizeof(uint64_t), &opts);
	return err;
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	const struct params *p = &cell->params;

	s->workers = (unsigned)param(p, "workers");
	s->pause_ns = param(p, "pause");
	s->patience_ns = param(p, "patience") * WEFT_MS;
	weft_waiters_init(&s->turn);
	weft_waiters_init(&s->all);
	weft_hist_init(&s->last);
	weft_hist_init(&s->late);
	s->worker = cacheline_new(s->workers, sizeof(*s->worker));
	if (!s->worker)
		return -ENOMEM;
	if (is_tree(cell->variant))
		return make_tree(cell, s);
	return is_timers(cell->variant) ? make_alarms(cell, s)
	                                : make_calls(cell, s);
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	cut_tree(s);
	for (size_t i = 0; i < s->live; i++)
		weft_timer_free(s->alarm[i].timer);
	for (unsigned w = 0; s->worker && w < s->workers; w++)
		weft_chan_unref(s->worker[w].chan);
	weft_timeout_free(s->calls);
	free(s->alarm);
	free(s->node);
	free(s->worker);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	weft_store_release(&s->halted, true); /* [halted] */
	weft_waiters_wake(&s->turn, SIZE_MAX);
	weft_waiters_wake(&s->all, SIZE_MAX);
	for (unsigned w = 0; s->worker && w < s->workers; w++)
		if (s->worker[w].chan)
			weft_chan_close(s->worker[w].chan);
	if (s->calls)
		weft_timeout_stop(s->calls);
}

/* --- the canceller --- */

/* Until all of a round have counted down. */
struct count_wait {
	const struct state *s;
	const _Atomic unsigned *count;
};

static int look_at_count(void *arg)
{
	const struct count_wait *c = arg;

	if (!weft_load_acquire(c->count)) /* [count] */
		return 0;
	return weft_load_acquire(&c->s->halted) ? -ECANCELED : -EAGAIN;
}

static int wait_for_all(struct state *s, const _Atomic unsigned *count)
{
	struct count_wait c = { s, count };

	return weft_waiters_wait(&s->all, "waiters", look_at_count, &c, NULL,
	                         WEFT_FOREVER);
}

static void count_down(struct state *s, _Atomic unsigned *count)
{
	if (weft_fetch_sub_acq_rel(count, 1u) == 1) /* [count] */
		weft_waiters_wake(&s->all, 1);
}

/* Cancel the tree under all who wait in it. */
static int cancel_round(struct state *s, uint64_t round, unsigned waiters)
{
	int64_t since_ns, last_ns = 0;
	int err = wait_for_all(s, &s->coming);

	if (err)
		return err;
	if (s->pause_ns)
		weft_sleep_until(weft_deadline_in(s->pause_ns));
	since_ns = weft_now();
	weft_store_relaxed(&s->since_ns, since_ns);
	weft_store_release(&s->cancelled, round + 1); /* [cancelled] */
	weft_ctx_cancel(s->root, cause_of(round));
	s->cancel_ns += weft_now() - since_ns;
	err = wait_for_all(s, &s->waiting);
	for (unsigned w = 0; w < waiters && !err; w++)
		if (s->worker[w].awake_ns - since_ns > last_ns)
			last_ns = s->worker[w].awake_ns - since_ns;
	hist_record(&s->last, last_ns);
	return err;
}

static int run_round(struct cell *cell, uint64_t round)
{
	struct state *s = cell->state;
	uint64_t left = cell->items - round * s->workers;
	unsigned waiters;
	int err = grow_tree(s);

	if (err)
		return err;
	waiters = left < s->workers ? (unsigned)left : s->workers;
	weft_store_relaxed(&s->coming, waiters);
	weft_store_relaxed(&s->waiting, waiters);
	weft_store_release(&s->round, round + 1); /* [round] */
	weft_waiters_wake(&s->turn, SIZE_MAX);
	err = cancel_round(s, round, waiters);
	if (!err)
		cut_tree(s);
	return err;
}

static void run_canceller(struct cell *cell)
{
	struct state *s = cell->state;
	int err = 0;

	for (uint64_t round = 0; round * s->workers < cell->items && !err;
	     round++)
		err = run_round(cell, round);
	kernel_end(cell, err ? err : -EPIPE);
}

/* --- those that wait --- */

struct round_wait {
	const struct state *s;
	uint64_t round;
};

static int look_at_round(void *arg)
{
	const struct round_wait *r = arg;

	if (weft_load_acquire(&r->s->round) > r->round) /* [round] */
		return 0;
	return weft_load_acquire(&r->s->halted) ? -ECANCELED : -EAGAIN;
}

/* Something has come out of a worker's channel: `value` was sent last. */
static void came(struct cell *cell, unsigned id, uint64_t got, uint64_t value)
{
	if (got == value)
		tally_count(cell->tally, id, id, message_seq(value));
	else
		tally_corrupt(cell->tally, id, got);
}

/* Wait to be cancelled. Only the last round's message may come instead, and
 * only if the channel has made two of it. */
static int be_cancelled(struct cell *cell, unsigned id, uint64_t round)
{
	struct state *s = cell->state;
	struct worker *w = &s->worker[id];
	struct weft_ctx *ctx = s->node[node_of(s, id)];
	int64_t until_ns = weft_deadline_in(s->patience_ns);
	uint64_t got;
	int err;

	count_down(s, &s->coming);
	while (!(err = weft_chan_recv_ctx(w->chan, &got, ctx, until_ns)))
		came(cell, id, got, message_value_of(id, round - 1));
	w->awake_ns = weft_now();
	if (err != -ECANCELED && err != -ETIMEDOUT)
		return err;
	/* [cancelled] */
	w->early += weft_load_acquire(&s->cancelled) <= round;
	/* One that was told nothing finds it out by itself in the end. */
	w->left += w->awake_ns >= until_ns;
	w->wrong += err == -ECANCELED && weft_ctx_cause(ctx) != cause_of(round);
	if (cell->latency)
		hist_record(&cell->latency[id],
		            w->awake_ns - weft_load_relaxed(&s->since_ns));
	return 0;
}

static int wait_once(struct cell *cell, unsigned id, uint64_t round)
{
	struct state *s = cell->state;
	struct worker *w = &s->worker[id];
	struct round_wait r = { s, round };
	uint64_t value = message_value_of(id, round), got;
	int err = weft_waiters_wait(&s->turn, "the next round", look_at_round,
	                            &r, NULL, WEFT_FOREVER);

	if (!err)
		err = be_cancelled(cell, id, round);
	if (!err)
		err = weft_chan_try_send(w->chan, &value);
	while (!err && !weft_chan_try_recv(w->chan, &got))
		came(cell, id, got, value);
	cell->share[id] += !err;
	count_down(s, &s->waiting);
	return err;
}

/* --- timers and calls --- */

static void go_astray(void *arg)
{
	struct state *s = arg;

	weft_fetch_add_relaxed(&s->stray, UINT64_C(1));
}

static int time_once(struct cell *cell, unsigned id, uint64_t seq)
{
	struct state *s = cell->state;
	struct weft_timer *t;
	int err = weft_timer_new_func(&t, go_astray, s);

	(void)seq;
	if (err)
		return err;
	err = weft_timer_reset(t, one_to_two_hours(), NULL);
	s->worker[id].wrong += !err && !weft_timer_stop(t);
	weft_timer_free(t);
	cell->share[id] += !err;
	return err;
}

static int call_once(struct cell *cell, unsigned id, uint64_t seq)
{
	struct state *s = cell->state;
	struct worker *w = &s->worker[id];
	uint64_t value = message_value_of(id, seq), reply;
	int err = weft_timeout_call(s->calls, &value, &reply, WEFT_FOREVER);

	w->got += !err;
	w->wrong += !err && reply != ~value;
	w->timed_out += err == -ETIME;
	err = err == -ETIME ? 0 : err;
	cell->share[id] += !err;
	return err;
}

typedef int once_fn(struct cell *cell, unsigned id, uint64_t seq);

/* Inline, so that without `latency` nothing asks about it. */
KERNEL_INLINE int do_all(struct cell *cell, unsigned id, once_fn *once)
{
	const struct state *s = cell->state;
	uint64_t items = tally_share(cell->items, s->workers, id);
	int64_t begin_ns = 0;
	int err = 0;

	for (uint64_t seq = 0; seq < items && !err; seq++) {
		if (cell->latency)
			begin_ns = weft_now();
		err = once(cell, id, seq);
		if (cell->latency)
			hist_record(&cell->latency[id], weft_now() - begin_ns);
	}
	return err;
}

static void run_waiter(struct cell *cell, unsigned id)
{
	const struct state *s = cell->state;
	uint64_t items = tally_share(cell->items, s->workers, id);
	int err = 0;

	for (uint64_t round = 0; round < items && !err; round++)
		err = wait_once(cell, id, round);
	kernel_fail(cell, err);
}

static void run_driver(struct cell *cell, unsigned id)
{
	const struct state *s = cell->state;
	int err;

	if (is_tree(cell->variant)) {
		if (id == s->workers)
			run_canceller(cell);
		else
			run_waiter(cell, id);
		return;
	}
	err = is_timers(cell->variant) ? do_all(cell, id, time_once)
	                               : do_all(cell, id, call_once);
	kernel_end(cell, err ? err : -EPIPE);
}

/* --- afterwards --- */

/* Have all timers fire that were beside, nearly at once. */
static void let_all_fire(struct cell *cell, struct state *s)
{
	int64_t begin_ns = weft_deadline_in((int64_t)s->live * WEFT_US);
	int64_t until_ns = weft_deadline_add(begin_ns, s->patience_ns);

	weft_store_relaxed(&s->to_fire, s->live);
	for (size_t i = 0; i < s->live; i++) {
		struct alarm *a = &s->alarm[i];

		a->due_ns =
		        begin_ns + (int64_t)(weft_rand() % (uint64_t)BURST_NS);
		kernel_error(cell, weft_timer_reset(a->timer, a->due_ns, NULL));
	}
	while (weft_load_acquire(&s->to_fire) && weft_now() < until_ns)
		weft_sleep_until(weft_deadline_in(WEFT_MS));
}

static void stop(struct cell *cell)
{
	struct state *s = cell->state;

	if (s->live)
		let_all_fire(cell, s);
	if (!s->calls)
		return;
	weft_timeout_close(s->calls);
	kernel_error(cell, weft_timeout_join(s->calls, WEFT_FOREVER));
}

static void verify_timers(struct cell *cell, struct text *why)
{
	struct state *s = cell->state;
	uint64_t early = 0, odd = 0;

	for (size_t i = 0; i < s->live; i++) {
		early += s->alarm[i].early;
		odd += s->alarm[i].fired != 1;
	}
	text_count(why, "timers have not fired once", odd);
	text_count(why, "timers have fired too early", early);
	text_count(why, "timers have fired although they were cancelled",
	           weft_load_relaxed(&s->stray));
	cell_figure(cell, "late", "us", "when all are due at once, median",
	            (double)weft_hist_quantile(&s->late, 0.5) / 1e3);
	cell_figure(cell, "late_p99", "us", "likewise",
	            (double)weft_hist_quantile(&s->late, 0.99) / 1e3);
}

static void verify_calls(struct cell *cell, struct text *why, uint64_t got,
                         uint64_t timed_out)
{
	struct state *s = cell->state;
	uint64_t made = weft_load_relaxed(&s->made);
	uint64_t dropped = weft_load_relaxed(&s->dropped);

	text_count(why, "replies were neither delivered nor dropped",
	           made > got + dropped ? made - got - dropped : 0);
	text_count(why, "replies too many were delivered or dropped",
	           made < got + dropped ? got + dropped - made : 0);
	cell_figure(cell, "timed_out", "%", "of the calls",
	            cell->items
	                    ? 100.0 * (double)timed_out / (double)cell->items
	                    : 0);
}

static void verify_tree(struct cell *cell)
{
	const struct state *s = cell->state;
	uint64_t rounds = s->last.count;

	cell_figure(cell, "last_awake", "us", "after the cancel, median",
	            (double)weft_hist_quantile(&s->last, 0.5) / 1e3);
	cell_figure(cell, "last_awake_p99", "us", "after the cancel",
	            (double)weft_hist_quantile(&s->last, 0.99) / 1e3);
	cell_figure(cell, "cancel", "us", "until the call returns, mean",
	            rounds ? (double)s->cancel_ns / 1e3 / (double)rounds : 0);
}

static void verify(struct cell *cell, struct text *why)
{
	const struct state *s = cell->state;
	struct worker sum = { .chan = NULL };

	for (unsigned i = 0; i < s->workers; i++) {
		sum.early += s->worker[i].early;
		sum.left += s->worker[i].left;
		sum.wrong += s->worker[i].wrong;
		sum.got += s->worker[i].got;
		sum.timed_out += s->worker[i].timed_out;
	}
	text_count(why, "waiters were left asleep", sum.left);
	text_count(why, "waiters were woken too early", sum.early);
	text_count(why, "results were wrong", sum.wrong);
	if (is_tree(cell->variant))
		verify_tree(cell);
	else if (is_timers(cell->variant))
		verify_timers(cell, why);
	else
		verify_calls(cell, why, sum.got, sum.timed_out);
}

const struct pattern pattern_timeout_cancellation = {
	KERNEL(timeout_cancellation),
	.flag = "timeout-cancellation",
	.title = "Timeouts and Cancellation",
	.summary = "what takes too long, or is not wanted any more, is ended",
	.closed_loop = true,
	.items = items,
	.least_ns = least_ns,
	.stop = stop,
	.verify = verify,
};
