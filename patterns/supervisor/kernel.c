/*
 * The kernel: W services under one supervisor, which die in a given way, over
 * and over, until all items are used up: an item is one death. The life that
 * follows a death of its own says so over the channel, so what the driver
 * receives is that each of them has been answered by a restart.
 *
 *	error    the service returns an error
 *	exit     it calls weft_task_exit()
 *	thread   it calls pthread_exit(), and its thread is gone
 *	hung     it stops beating, and is seen to be hung
 *	process  it is a process of its own, and is killed
 *
 * One for one each service dies by itself. In groups, one for all and rest for
 * one, they die in turn, each once all whom the death before has concerned run
 * again; so it is known how many lives each of them has to have had.
 */
#include <math.h>
#include <pthread.h>
#include <signal.h>

#include "kernel/kernel.h"
#include "supervisor.h"

enum variant { ERROR, EXIT, THREAD, HUNG, PROCESS };

#define WORKERS_MAX 2000
#define BEAT_NS (10 * WEFT_MS)
#define PAUSE_NS WEFT_MS
#define JITTER_PERCENT 50
#define BACKOFF_MAX_NS (60 * WEFT_SEC)

static const char *const variant_choices[] = { "error", "exit",    "thread",
	                                       "hung",  "process", NULL };
static const char *const strategy_choices[] = { "one_for_one", "one_for_all",
	                                        "rest_for_one", NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "how a service dies", ERROR, PROCESS,
	            variant_choices, "error,exit,thread,hung,process"),
	KNOB_COUNT("workers", "services that are supervised", 2, 1, WORKERS_MAX,
	           "1,2,8,64"),
	KNOB_CHOICE("strategy", "who is started again", WEFT_ONE_FOR_ONE,
	            WEFT_REST_FOR_ONE, strategy_choices,
	            "one_for_one,one_for_all,rest_for_one"),
	{ "backoff", "us", "before the first restart, then twice that; 0: none",
	  0, 0, 60000000, NULL, "0" },
	KNOB_COUNT("intensity", "restarts before a pause of 1 ms; 0: any", 0, 0,
	           1000000, "0"),
	KNOB_CAP(64, "0,64"),
	KNOB_PAYLOAD(MESSAGE_MAX, "8"),
	KNOB_ITEMS,
	KNOB_WORK("work", "computation of a life before its end", "0"),
	KNOB_WAIT,
	KNOB_END,
};

/* A service: changed by the life that runs, or where it is a process by the
 * supervisor's callback. */
struct service {
	_Alignas(WEFT_CACHE_LINE) struct cell *cell;
	unsigned index;
	uint64_t share;      /* how often it is to die */
	uint64_t died, told; /* how often it has, and has said so */
	uint64_t lives;      /* begun */
	int64_t died_ns;     /* the last time */
	bool through;        /* it has ended for good */
	_Atomic bool running;
	/* The life that is dying, by hanging: it is right to take that one for
	 * dead. One that has not got a CPU yet is not it. */
	_Atomic uint64_t dying;

	/* The callback's. */
	int64_t due_ns;  /* no restart before */
	uint64_t starts; /* of lives */
	pid_t pid;
	_Atomic uint64_t alarms; /* taken for dead for want of a CPU */
};

/* What the supervisor tells, looked at by its callback. */
struct watch {
	uint64_t early;     /* starts that were not due, or in a pause */
	uint64_t unordered; /* starts and stops in groups */
	uint64_t untold;    /* pauses that did not come when due, or did not */
	uint64_t failed, started, stopped; /* the last one's id in its group */
	double score;
	int64_t score_ns, until_ns;
	bool paused, pauses;
};

struct state {
	struct weft_supervisor *sv;
	struct weft_chan *chan;
	struct service *service;
	unsigned workers;
	enum weft_strategy strategy;
	double intensity; /* 0: any */
	struct watch watch;

	struct weft_lock lock; /* of the histogram */
	struct hist *restart;

	_Atomic uint64_t twice, extra;
	_Atomic unsigned working; /* services that are not through */
	_Atomic bool halted;

	/* Of groups. */
	_Atomic uint64_t turn;       /* deaths so far: the next one's number */
	_Atomic unsigned up, needed; /* run again, of those it has concerned */
	struct weft_waiters turned;
};

/* --- what the parameters mean --- */

static int accept(const struct params *p, struct text *why)
{
	if (param(p, "variant") != PROCESS ||
	    param(p, "strategy") == WEFT_ONE_FOR_ONE)
		return 0;
	text_add(why, "strategy=%s with variant=process: allowed one_for_one",
	         strategy_choices[param(p, "strategy")]);
	return -EINVAL;
}

static void shape(const struct params *p, struct cell_shape *out)
{
	unsigned workers = (unsigned)param(p, "workers");

	out->helpers = workers + 1;
	out->senders = param(p, "variant") == PROCESS ? 1 : workers;
}

/* What it is before the first n restarts of a service, all together. */
static double backoff_ns(double first, uint64_t n)
{
	double ns = 0, each = first;

	if (first <= 0)
		return 0;
	while (n > 0 && each < (double)BACKOFF_MAX_NS) {
		ns += each;
		each *= 2;
		n--;
	}
	ns += (double)n * (double)BACKOFF_MAX_NS;
	return ns * (1 + JITTER_PERCENT / 200.0);
}

/* In groups they die in turn, otherwise all at once. */
static double least_ns(const struct params *p, uint64_t items)
{
	uint64_t workers = (uint64_t)param(p, "workers");
	uint64_t deaths = (items + workers - 1) / workers;
	double first = (double)param(p, "backoff") * WEFT_US;
	double intensity = (double)param(p, "intensity");
	double ns = backoff_ns(first, deaths);

	if (param(p, "variant") == HUNG)
		ns += (double)deaths * BEAT_NS;
	if (param(p, "strategy") != WEFT_ONE_FOR_ONE)
		ns *= (double)workers;
	if (intensity > 0)
		ns += (double)items / (intensity + 1) * PAUSE_NS;
	return ns;
}

static bool in_groups(const struct state *s)
{
	return s->strategy != WEFT_ONE_FOR_ONE;
}

/* The first service that a death of this one concerns. */
static unsigned first_of(const struct state *s, unsigned index)
{
	return s->strategy == WEFT_ONE_FOR_ALL ? 0 : index;
}

/* --- a death, and the restart that follows --- */

/* A life that follows a death of its own says so. */
static int tell_restart(struct service *v, int64_t now)
{
	struct cell *cell = v->cell;
	struct state *s = cell->state;
	unsigned char m[MESSAGE_MAX];

	if (v->told == v->died)
		return 0;
	weft_lock_acquire(&s->lock);
	hist_record(s->restart, now - v->died_ns);
	weft_lock_release(&s->lock);
	message_write(m, cell->payload, message_value_of(v->index, v->told++));
	return weft_chan_send(s->chan, m, WEFT_FOREVER);
}

/* Wait until it is due; one that is to hang beats until then. */
static void await_death(struct service *v, struct weft_child *self)
{
	const struct cell *cell = v->cell;
	const struct state *s = cell->state;
	uint64_t item = v->died * s->workers + v->index;

	while (cell->pace_ns > 0 && cell->variant == HUNG &&
	       pace_due(cell, item) - weft_now() > BEAT_NS / 2) {
		weft_child_beat(self);
		weft_sleep_until(weft_deadline_in(BEAT_NS / 4));
	}
	pace_batch(cell, item, s->workers, 1);
}

/* It is about to die. */
static void note_death(struct service *v)
{
	const struct cell *cell = v->cell;

	if (cell->work)
		work_for(cell->work);
	v->died++;
	v->died_ns = weft_now();
}

/* The last service that is through closes the channel. */
static void be_through(struct service *v)
{
	struct state *s = v->cell->state;

	v->through = true;
	if (weft_fetch_sub_acq_rel(&s->working, 1u) == 1)
		weft_chan_close(s->chan);
}

/* A life too many ends the run; but one that follows a false alarm. */
static bool is_extra(struct service *v)
{
	struct state *s = v->cell->state;

	if (!v->through)
		return false;
	if (!weft_load_relaxed(&v->alarms)) {
		weft_fetch_add_relaxed(&s->extra, UINT64_C(1));
		v->cell->pattern->halt(v->cell);
	}
	return true;
}

/* --- in groups --- */

static uint64_t turn_of(struct state *s)
{
	return weft_load_acquire(&s->turn); /* [turn] */
}

static int look_for_turn(void *arg)
{
	const struct service *v = arg;
	struct state *s = v->cell->state;
	uint64_t turn = turn_of(s);

	if (weft_load_acquire(&s->up) < weft_load_acquire(&s->needed))
		return -EAGAIN;
	return turn == v->cell->items || turn % s->workers == v->index
	               ? 0
	               : -EAGAIN;
}

static void come_up(struct state *s)
{
	weft_fetch_add_acq_rel(&s->up, 1u);
	weft_waiters_wake(&s->turned, SIZE_MAX);
}

/* 0: it is this one's turn to die; -EPIPE: all have died as often as they
 * were to; -ECANCELED: it is to stop. */
static int await_turn(struct service *v, struct weft_child *self)
{
	struct state *s = v->cell->state;
	int err;

	come_up(s);
	do {
		weft_child_beat(self);
		err = weft_waiters_wait(&s->turned, "its turn", look_for_turn,
		                        v, weft_child_ctx(self),
		                        v->cell->variant == HUNG
		                                ? weft_deadline_in(BEAT_NS / 4)
		                                : WEFT_FOREVER);
	} while (err == -ETIMEDOUT);
	return !err && turn_of(s) == v->cell->items ? -EPIPE : err;
}

static void turn_over(struct service *v)
{
	struct state *s = v->cell->state;

	weft_store_release(&s->needed, s->workers - first_of(s, v->index));
	weft_store_release(&s->up, 0u);
	weft_fetch_add_acq_rel(&s->turn, UINT64_C(1)); /* [turn] */
}

/* --- a life --- */

/* Until it is to die: as await_turn(). */
static int serve(struct service *v, struct weft_child *self)
{
	struct state *s = v->cell->state;
	int err = tell_restart(v, weft_now());

	if (err) {
		if (!weft_load_acquire(&s->halted))
			kernel_fail(v->cell, err);
		return -ECANCELED;
	}
	if (in_groups(s))
		return await_turn(v, self);
	return v->died < v->share ? 0 : -EPIPE;
}

static int die(enum variant variant, struct weft_child *self)
{
	switch (variant) {
	case EXIT:
		weft_task_exit(-EIO);
	case THREAD:
		pthread_exit(NULL);
	case HUNG:
		return weft_sleep_ctx(weft_child_ctx(self), WEFT_FOREVER);
	default:
		return -EIO;
	}
}

static int live(void *arg, struct weft_child *self)
{
	struct service *v = arg;
	struct cell *cell = v->cell;
	struct state *s = cell->state;
	int err;

	if (weft_xchg_acq_rel(&v->running, true))
		weft_fetch_add_relaxed(&s->twice, UINT64_C(1));
	v->lives++;
	err = is_extra(v) ? -ECANCELED : serve(v, self);
	if (err == -EPIPE)
		be_through(v);
	if (!err) {
		await_death(v, self);
		note_death(v);
	}
	weft_store_release(&v->running, false);
	if (err)
		return 0;
	weft_store_relaxed(&v->dying, v->lives);
	weft_child_beat(self); /* the last one */
	if (in_groups(s))
		turn_over(v);
	return die((enum variant)cell->variant, self);
}

/* A process that has been started: it was killed, and is killed again. */
static void live_as_process(struct service *v, pid_t pid, int64_t now)
{
	struct state *s = v->cell->state;

	v->lives++;
	if (v->pid && kill(v->pid, 0) == 0)
		weft_fetch_add_relaxed(&s->twice, UINT64_C(1));
	v->pid = pid;
	if (is_extra(v) || tell_restart(v, now))
		return;
	if (v->died < v->share) {
		await_death(v, NULL);
		note_death(v);
		kill(pid, SIGKILL);
	} else {
		be_through(v);
		weft_supervisor_remove(s->sv, v->index + 1, WEFT_NOW);
	}
}

/* --- what the supervisor tells --- */

static void watch_failure(struct state *s,
                          const struct weft_supervisor_event *e)
{
	struct service *v = &s->service[e->child - 1];
	struct watch *w = &s->watch;
	double since = (double)(e->at_ns - w->score_ns);

	if (e->end == WEFT_ENDED_BY_SILENCE &&
	    weft_load_relaxed(&v->dying) != v->starts)
		weft_fetch_add_relaxed(&v->alarms, UINT64_C(1));
	w->failed = e->child;
	w->started = 0;
	w->stopped = UINT64_MAX;
	v->due_ns = e->at_ns + e->delay_ns;
	w->untold += w->pauses;
	w->score = w->score * exp2(-since / (double)WEFT_SEC) + 1;
	w->score_ns = e->at_ns;
	w->pauses = s->intensity > 0 && !w->paused && w->score > s->intensity;
}

static void watch_start(struct state *s, const struct weft_supervisor_event *e)
{
	struct service *v = &s->service[e->child - 1];
	struct watch *w = &s->watch;

	v->starts++;
	w->early += e->at_ns < v->due_ns || (w->paused && e->life > 0);
	w->untold += w->pauses;
	w->unordered += in_groups(s) && e->child <= w->started;
	w->started = e->child;
}

/* The one that has hung was told to stop ahead of the others. */
static void watch_stop(struct state *s, const struct weft_supervisor_event *e)
{
	struct watch *w = &s->watch;

	if (e->child == w->failed || weft_load_acquire(&s->halted))
		return;
	w->unordered += in_groups(s) && e->child >= w->stopped;
	w->stopped = e->child;
}

static void watch_pause(struct watch *w, const struct weft_supervisor_event *e)
{
	bool begins = e->what == WEFT_EVENT_PAUSED;

	w->untold += begins != w->pauses;
	w->pauses = false;
	w->early += !begins && e->at_ns < w->until_ns;
	w->until_ns = e->at_ns + e->delay_ns;
	w->paused = begins;
	w->score = begins ? w->score : 0;
}

static void on_event(const struct weft_supervisor_event *e, void *arg)
{
	struct cell *cell = arg;
	struct state *s = cell->state;

	switch (e->what) {
	case WEFT_EVENT_FAILED:
		watch_failure(s, e);
		break;
	case WEFT_EVENT_STARTED:
		watch_start(s, e);
		if (cell->variant == PROCESS)
			live_as_process(&s->service[e->child - 1], e->pid,
			                weft_now());
		break;
	case WEFT_EVENT_STOPPED:
		watch_stop(s, e);
		break;
	case WEFT_EVENT_PAUSED:
	case WEFT_EVENT_RESUMED:
		watch_pause(&s->watch, e);
		break;
	default:
		break;
	}
}

/* --- setup and teardown --- */

static int make(struct cell *cell, struct state *s)
{
	const struct weft_chan_opts chan = { .wait = cell->wait };
	const struct weft_supervisor_opts opts = {
		.strategy = s->strategy,
		.intensity = s->intensity > 0 ? s->intensity : INFINITY,
		.decay_ns = WEFT_SEC,
		.pause_ns = s->intensity > 0 ? PAUSE_NS : 0,
		.backoff_min_ns = param(&cell->params, "backoff") * WEFT_US,
		.backoff_max_ns = BACKOFF_MAX_NS,
		.jitter_percent = JITTER_PERCENT,
		.on_event = on_event,
		.event_arg = cell,
	};
	int err = weft_chan_new(&s->chan, cell->chan, cell->cap, cell->payload,
	                        &chan);

	return err ? err : weft_supervisor_new(&s->sv, &opts);
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	int err;

	s->workers = (unsigned)param(&cell->params, "workers");
	s->strategy = (enum weft_strategy)param(&cell->params, "strategy");
	s->intensity = (double)param(&cell->params, "intensity");
	s->watch.stopped = UINT64_MAX;
	weft_lock_init(&s->lock);
	weft_waiters_init(&s->turned);
	weft_store_relaxed(&s->working, s->workers);
	weft_store_relaxed(&s->needed, s->workers);
	s->service = cacheline_new(s->workers, sizeof(*s->service));
	s->restart = malloc(sizeof(*s->restart));
	if (!s->service || !s->restart)
		return -ENOMEM;
	weft_hist_init(s->restart);
	for (unsigned i = 0; i < s->workers; i++) {
		struct service *v = &s->service[i];

		v->cell = cell;
		v->index = i;
		v->share = tally_share(cell->items, s->workers, i);
	}
	err = tally_new(&cell->tally, s->workers, 1, cell->items);
	return err ? err : make(cell, s);
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_supervisor_free(s->sv);
	weft_chan_unref(s->chan);
	free(s->service);
	free(s->restart);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	weft_store_release(&s->halted, true);
	if (s->chan)
		weft_chan_close(s->chan);
	if (s->sv)
		weft_supervisor_stop(s->sv);
}

/* --- the driver, and afterwards --- */

static int add_all(struct cell *cell, struct state *s)
{
	static const char *const sleeper[] = { "/bin/sleep", "600", NULL };
	struct weft_child_opts opts = { .name = "service",
		                        .kind = WEFT_TRANSIENT,
		                        .fn = live };
	int err = 0;

	if (cell->variant == HUNG)
		opts.beat_ns = BEAT_NS;
	if (cell->variant == PROCESS) {
		opts.fn = NULL;
		opts.argv = sleeper;
	}
	for (unsigned i = 0; i < s->workers && !err; i++) {
		opts.arg = &s->service[i];
		err = weft_supervisor_add(s->sv, NULL, &opts);
	}
	return err;
}

static void run_driver(struct cell *cell, unsigned id)
{
	struct state *s = cell->state;
	unsigned char m[MESSAGE_MAX];
	int err = add_all(cell, s);

	while (!err && !(err = weft_chan_recv(s->chan, m, WEFT_FOREVER))) {
		uint64_t value = message_value(m), seq = message_seq(value);
		unsigned who = (unsigned)message_who(value);

		kernel_record(cell, id, seq * s->workers + who);
		kernel_count(cell, id, who, seq, m, value);
		cell->share[id]++;
	}
	kernel_end(cell, err);
}

static void stop(struct cell *cell)
{
	const struct state *s = cell->state;
	int err;

	if (!s->sv)
		return;
	weft_supervisor_close(s->sv);
	err = weft_supervisor_join(s->sv, WEFT_FOREVER);
	kernel_error(cell, err == -ECANCELED ? 0 : err);
}

/* How many lives it has to have had. */
static uint64_t lives_due(const struct cell *cell, const struct service *v)
{
	const struct state *s = cell->state;
	uint64_t n = 1;

	if (!in_groups(s))
		return n + v->share;
	for (unsigned i = 0; i < s->workers; i++)
		n += first_of(s, i) <= v->index ? s->service[i].share : 0;
	return n;
}

static void verify(struct cell *cell, struct text *why)
{
	struct state *s = cell->state;
	uint64_t odd = 0, alarms = 0;

	for (unsigned i = 0; i < s->workers; i++)
		alarms += weft_load_relaxed(&s->service[i].alarms);
	for (unsigned i = 0; i < s->workers; i++)
		odd += s->service[i].lives != lives_due(cell, &s->service[i]);
	text_count(why, "services ran twice at once",
	           weft_load_relaxed(&s->twice));
	text_count(why, "restarts before their time", s->watch.early);
	/* A false alarm comes at any time: to one that is just ending in order,
	 * or in a group that is being started again, and counts for nothing
	 * there. */
	if (!alarms) {
		text_count(why, "restarts of a service that had ended in order",
		           weft_load_relaxed(&s->extra));
		text_count(why, "starts or stops out of order",
		           s->watch.unordered);
		text_count(why, "pauses that were not due, or missing",
		           s->watch.untold);
		if (!weft_load_acquire(&cell->error))
			text_count(why, "services had another number of lives",
			           odd);
	}
	cell_figure(cell, "restart_p50", "us", "from a death to the next life",
	            (double)weft_hist_quantile(s->restart, 0.5) / 1e3);
	cell_figure(cell, "restart_p99", "us", "the same",
	            (double)weft_hist_quantile(s->restart, 0.99) / 1e3);
	cell_figure(cell, "false_alarms", "", "services taken for hung",
	            (double)alarms);
}

const struct pattern pattern_supervisor = {
	KERNEL(supervisor),
	.flag = "supervisor",
	.title = "Supervisor/Restart",
	.summary = "services are started again when they fail",
	.accept = accept,
	.least_ns = least_ns,
	.stop = stop,
	.verify = verify,
};
