/*
 * The kernel: B tasks beat, one monitor looks after all of them, and everything
 * that it reports is held against a log of when they did.
 *
 *	store    a beat is one atomic store
 *	channel  a pulse into a channel for each heart
 *
 * An item is a beat. At their end every second beater dies, which has to be
 * reported, and the others leave, which must not be. Where latency is recorded,
 * which is that from a death to its report, all of them die and revive up to
 * `lives` times before that.
 *
 * The log has the time before a beat, of every one or of every so many, so a
 * beat that a report calls the last one was not earlier than the entry for it
 * says; what was reported sooner after that than the timeout was reported too
 * early.
 */
#include <weft/patterns/monitor.h>

#include "kernel/kernel.h"

enum variant { STORE, CHANNEL };
enum pulses { UNIT, INTERVAL };

#define BEATERS_MAX 1024
#define HOGS_MAX 64
#define CAP_MAX 65536
#define THRESHOLD 8.0

/* One beat of so many is logged, as a power of two, where they take next to no
 * time; and more, where the log would be longer than this. */
#define LOG_SHIFT 8
#define LOG_MAX 65536

/* Until a death must have been reported. */
#define PATIENCE (5 * WEFT_SEC)

/* What a run with a beat for each interval takes. */
#define INTERVAL_RUN (100 * WEFT_MS)

static const char *const variant_choices[] = { "store", "channel", NULL };
static const char *const detector_choices[] = { "deadline", "phi", NULL };
static const char *const pulses_choices[] = { "unit", "interval", NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "what a beat is", STORE, CHANNEL,
	            variant_choices, "store,channel"),
	KNOB_COUNT("beaters", "tasks that beat", 2, 1, BEATERS_MAX,
	           "1,2,4,8,64"),
	KNOB_CHOICE("detector", "how long a silence is too long",
	            WEFT_DETECT_DEADLINE, WEFT_DETECT_PHI, detector_choices,
	            "deadline,phi"),
	{ "interval", "us", "between beats at the most", 500, 10, 1000000, NULL,
	  "100,500,1000" },
	KNOB_COUNT("factor", "intervals that make the timeout", 3, 1, 1000,
	           "2,3,5"),
	KNOB_CHOICE("pulses", "one for each unit of work, or each interval",
	            UNIT, INTERVAL, pulses_choices, "unit,interval"),
	KNOB_COUNT("lives", "deaths of a beater where they are timed", 32, 1,
	           4096, "32"),
	KNOB_COUNT("hogs", "tasks that do nothing but compute", 0, 0, HOGS_MAX,
	           "0,2"),
	{ "cap", "pulses", "capacity of each channel", 1, 1, CAP_MAX, NULL,
	  "1,64" },
	KNOB_ITEMS,
	KNOB_WORK("work", "computation per beat", "0,100,1000"),
	KNOB_WAIT,
	KNOB_END,
};

struct beater {
	/* Of its driver, but for the log, which is read up to the beats that
	 * were reported. */
	_Alignas(WEFT_CACHE_LINE) struct weft_heart *heart;
	int64_t *log;
	uint64_t made;                  /* beats */
	uint64_t planted;               /* deaths */
	int64_t died_ns;                /* before the last beat of the last */
	int64_t noticed_ns, longest_ns; /* from deaths to reports: all, one */
	int64_t gone_ns;                /* after it left; 0: it is there */

	/* Of the task that watches. */
	_Alignas(WEFT_CACHE_LINE) uint64_t deaths; /* reported */
	bool dead;
	uint64_t dead_beats;              /* of the last one */
	uint64_t again, early, back;      /* what should not be */
	int64_t early_ns;                 /* the first of them, by */
	int64_t last_ns;                  /* the look of the last report */
	int64_t reported_ns;              /* published by `reported` */
	_Atomic uint64_t reported;        /* beats before the last death */
	struct weft_waiters waits_for_it; /* its driver */
};

struct state {
	/* Constant once made. */
	struct weft_monitor *m;
	unsigned beaters, hogs;
	uint64_t lives;
	unsigned log_shift;
	int64_t interval_ns, timeout_ns;
	bool phi, by_interval;
	struct beater *beater;
	struct weft_task *watcher, *hog[HOGS_MAX];

	struct weft_monitor_stats stats; /* at the end */
	_Alignas(WEFT_CACHE_LINE) _Atomic bool halted;
};

/* --- what the parameters mean --- */

static void shape(const struct params *p, struct cell_shape *out)
{
	out->drivers = out->consumers = (unsigned)param(p, "beaters");
	out->helpers = 1 + (unsigned)param(p, "hogs");
	out->elem_size = sizeof(uint64_t);
	out->cap = 1; /* without pulses any channel will do */
	if (param(p, "variant") != CHANNEL)
		return;
	out->cap = (size_t)param(p, "cap");
	out->needs = WEFT_CAN_BOUNDED;
}

static uint64_t items(const struct params *p)
{
	int64_t beats = INTERVAL_RUN / (param(p, "interval") * WEFT_US) + 1;

	return param(p, "pulses") == INTERVAL
	               ? (uint64_t)(param(p, "beaters") * beats)
	               : 0;
}

/* Each death is noticed after the timeout and a look or two. */
static double least_ns(const struct params *p, uint64_t items)
{
	double interval = (double)(param(p, "interval") * WEFT_US);
	double deaths = (double)param(p, "lives") + 1;
	double ns = deaths * (double)(param(p, "factor") + 1) * interval;

	if (param(p, "pulses") == INTERVAL)
		ns += (double)items / (double)param(p, "beaters") * interval;
	return ns;
}

/* --- the watcher's side --- */

static void note_early(const struct state *s, struct beater *b,
                       const struct weft_heart_report *r)
{
	int64_t beat_ns = b->log[(r->beats - 1) >> s->log_shift];
	int64_t by = s->timeout_ns - (r->at_ns - beat_ns);
	bool early = s->phi ? r->phi < THRESHOLD : by > 0;

	if (early && b->early++ == 0)
		b->early_ns = by;
}

static void note_death(const struct state *s, struct beater *b,
                       const struct weft_heart_report *r)
{
	b->deaths++;
	b->again += b->dead || r->beats <= b->dead_beats;
	b->dead = true;
	b->dead_beats = r->beats;
	note_early(s, b, r);
	b->reported_ns = weft_now();
	weft_store_release(&b->reported, r->beats); /* [reported] */
	weft_waiters_wake(&b->waits_for_it, 1);
}

static int watch(void *arg)
{
	struct cell *cell = arg;
	const struct state *s = cell->state;
	struct weft_heart_report r;
	int err;

	while (!(err = weft_monitor_recv(s->m, &r, WEFT_FOREVER))) {
		struct beater *b = r.arg;

		b->last_ns = r.at_ns;
		if (r.event == WEFT_HEART_DIED) {
			note_death(s, b, &r);
			continue;
		}
		b->back += !b->dead || r.beats <= b->dead_beats;
		b->dead = false;
	}
	kernel_fail(cell, err == -ECANCELED ? 0 : err);
	return 0;
}

static int compute(void *arg)
{
	const struct state *s = arg;

	while (!weft_load_relaxed(&s->halted))
		work_for(100 * WEFT_US);
	return 0;
}

/* --- setup and teardown --- */

static int make_beater(struct cell *cell, struct state *s, unsigned id)
{
	struct beater *b = &s->beater[id];
	uint64_t beats = tally_share(cell->items, s->beaters, id);

	weft_waiters_init(&b->waits_for_it);
	b->log = calloc((size_t)(beats >> s->log_shift) + 1, sizeof(*b->log));
	return b->log ? weft_heart_new(&b->heart, s->m, b) : -ENOMEM;
}

static int start_tasks(struct cell *cell, struct state *s)
{
	const struct weft_task_opts watcher = { .name = "monitor" };
	const struct weft_task_opts hog = { .name = "hog" };
	int err = weft_spawn(&s->watcher, &watcher, watch, cell);

	if (s->hogs)
		work_calibrate();
	for (unsigned i = 0; i < s->hogs && !err; i++)
		err = weft_spawn(&s->hog[i], &hog, compute, s);
	return err;
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	const struct params *p = &cell->params;
	struct weft_monitor_opts opts = {
		.interval_ns = param(p, "interval") * WEFT_US,
		.detector = (enum weft_detector)param(p, "detector"),
		.phi = { .threshold = THRESHOLD },
		.beat = cell->variant == CHANNEL ? WEFT_BEAT_CHAN
		                                 : WEFT_BEAT_STORE,
		.impl = cell->chan,
		.cap = cell->cap,
		.wait = cell->wait,
	};
	int err;

	s->interval_ns = opts.interval_ns;
	s->timeout_ns = opts.timeout_ns = param(p, "factor") * opts.interval_ns;
	s->phi = opts.detector == WEFT_DETECT_PHI;
	s->by_interval = param(p, "pulses") == INTERVAL;
	s->lives = cell->latency ? (uint64_t)param(p, "lives") : 1;
	s->hogs = (unsigned)param(p, "hogs");
	s->beaters = cell->shape.drivers;
	if (!s->by_interval && !cell->work && !cell->latency)
		s->log_shift = LOG_SHIFT;
	while (cell->items / s->beaters >> s->log_shift > LOG_MAX)
		s->log_shift++;
	s->beater = cacheline_new(s->beaters, sizeof(*s->beater));
	err = s->beater ? weft_monitor_new(&s->m, &opts) : -ENOMEM;
	for (unsigned i = 0; i < s->beaters && !err; i++)
		err = make_beater(cell, s, i);
	return err ? err : start_tasks(cell, s);
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_monitor_free(s->m);
	for (unsigned i = 0; s->beater && i < s->beaters; i++)
		free(s->beater[i].log);
	free(s->beater);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	weft_store_relaxed(&s->halted, true);
	if (s->m)
		weft_monitor_stop(s->m);
	for (unsigned i = 0; s->beater && i < s->beaters; i++)
		weft_waiters_wake(&s->beater[i].waits_for_it, 1);
}

/* --- the drivers --- */

/* Inline, so that where nothing lies between two beats nothing asks about it.
 */
KERNEL_INLINE int beat_on(const struct cell *cell, const struct state *s,
                          struct beater *b, uint64_t n, bool idle)
{
	uint64_t end = b->made + n;
	uint64_t between = (UINT64_C(1) << s->log_shift) - 1;
	int err = 0;

	for (; b->made < end && !err; b->made++) {
		if (idle && s->by_interval)
			weft_sleep_until(weft_deadline_in(s->interval_ns));
		if (idle && cell->work)
			work_for(cell->work);
		if (!(b->made & between))
			b->log[b->made >> s->log_shift] = weft_now();
		err = weft_heart_beat(b->heart);
	}
	return err;
}

static int live(const struct cell *cell, const struct state *s,
                struct beater *b, uint64_t beats)
{
	return s->by_interval || cell->work ? beat_on(cell, s, b, beats, true)
	                                    : beat_on(cell, s, b, beats, false);
}

struct death {
	const struct state *s;
	const struct beater *b;
};

static int is_reported(void *arg)
{
	const struct death *d = arg;

	if (weft_load_acquire(&d->b->reported) >= d->b->made) /* [reported] */
		return 0;
	return weft_load_relaxed(&d->s->halted) ? -ECANCELED : -EAGAIN;
}

/* With the last beat; so what is noticed later than that is no earlier than the
 * timeout. */
static int die(const struct state *s, struct beater *b)
{
	int err;

	b->died_ns = weft_now();
	if (b->made % (UINT64_C(1) << s->log_shift) == 0)
		b->log[b->made >> s->log_shift] = b->died_ns;
	err = weft_heart_beat(b->heart);
	b->made += !err;
	b->planted += !err;
	return err;
}

/* Until the last death of the beater has been reported. 0 or -errno. */
static int wait_for_report(const struct state *s, struct beater *b)
{
	struct death d = { s, b };
	int64_t ns;
	int err = weft_waiters_wait(
	        &b->waits_for_it, "the report of a death", is_reported, &d,
	        NULL, weft_deadline_in(PATIENCE + 10 * s->timeout_ns));

	if (err)
		return err;
	ns = b->reported_ns - b->died_ns;
	b->noticed_ns += ns;
	b->longest_ns = ns > b->longest_ns ? ns : b->longest_ns;
	return 0;
}

/* With one more beat, for the dead may not be reported anyway. */
static void leave(struct beater *b)
{
	(void)weft_heart_beat(b->heart);
	weft_heart_free(b->heart);
	b->heart = NULL;
	b->gone_ns = weft_now();
}

static int live_and_die(struct cell *cell, struct beater *b, unsigned id)
{
	const struct state *s = cell->state;
	uint64_t beats = tally_share(cell->items, s->beaters, id);
	unsigned lives = (unsigned)(s->lives < beats ? s->lives : beats);
	bool dies = cell->latency || id % 2 == 0;
	int err = 0;

	for (unsigned i = 0; i < lives && !err; i++) {
		err = live(cell, s, b, tally_share(beats, lives, i) - dies);
		if (!err && dies)
			err = die(s, b);
		if (err || !cell->latency)
			continue;
		err = wait_for_report(s, b);
		if (!err)
			hist_record(&cell->latency[id],
			            b->reported_ns - b->died_ns);
	}
	return err;
}

static void run_driver(struct cell *cell, unsigned id)
{
	struct state *s = cell->state;
	struct beater *b = &s->beater[id];
	int err = live_and_die(cell, b, id);

	cell->share[id] = b->made;
	if (id % 2)
		leave(b);
	kernel_end(cell, err ? err : -EPIPE);
}

/* --- afterwards --- */

/* Until all deaths have been reported; and then as many looks as it takes to
 * report a death again, or that of a beater that has left. */
static void wait_for_reports(const struct cell *cell)
{
	struct state *s = cell->state;
	uint64_t looks = 3 + 2 * (uint64_t)(s->timeout_ns / s->interval_ns);
	struct weft_monitor_stats stats;
	int err = 0;

	/* Drivers that record latencies have waited for them. */
	for (unsigned i = 0; i < s->beaters && !err && !cell->latency; i++)
		if (s->beater[i].planted)
			err = wait_for_report(s, &s->beater[i]);
	if (err)
		return;
	weft_monitor_stats(s->m, &stats);
	looks += stats.looks;
	while (stats.hearts && stats.looks < looks) {
		weft_sleep_until(weft_deadline_in(s->interval_ns / 2));
		weft_monitor_stats(s->m, &stats);
	}
}

static void stop(struct cell *cell)
{
	struct state *s = cell->state;

	if (!s->m)
		return; /* it could not be made */
	if (!weft_load_relaxed(&s->halted))
		wait_for_reports(cell);
	weft_monitor_stats(s->m, &s->stats);
	halt(cell);
	if (s->watcher)
		weft_join(s->watcher, NULL);
	for (unsigned i = 0; i < s->hogs && s->hog[i]; i++)
		weft_join(s->hog[i], NULL);
}

struct findings {
	uint64_t again, early, back, never, gone, uncounted, lost, odd;
	int64_t early_ns;
	uint64_t planted, deaths;
	int64_t noticed_ns, longest_ns;
};

/* What the heart and its channel say of the beats. */
static void look_at_heart(struct cell *cell, const struct beater *b,
                          struct findings *f)
{
	struct weft_heart_stats h;

	weft_heart_stats(b->heart, &h);
	f->odd += h.odd;
	f->uncounted +=
	        h.beats > b->made ? h.beats - b->made : b->made - h.beats;
	if (!b->planted)
		return;
	if (cell->variant != CHANNEL)
		f->lost += b->made - h.seen;
	else
		f->lost += b->made - h.received - h.dropped;
}

static void look_at(struct cell *cell, const struct beater *b,
                    struct findings *f)
{
	if (b->early && !f->early)
		f->early_ns = b->early_ns;
	f->early += b->early;
	f->again += b->again;
	f->back += b->back;
	f->never += b->planted && b->dead_beats < b->made;
	f->gone += b->gone_ns && b->last_ns > b->gone_ns;
	f->planted += b->planted;
	f->deaths += b->deaths;
	f->noticed_ns += b->noticed_ns;
	f->longest_ns =
	        b->longest_ns > f->longest_ns ? b->longest_ns : f->longest_ns;
	if (b->heart && !weft_load_acquire(&cell->error))
		look_at_heart(cell, b, f);
}

static void tell(const struct findings *f, struct text *why)
{
	text_count(why, "deaths were never reported", f->never);
	text_count(why, "reports were of a death that had been reported",
	           f->again);
	if (f->early)
		text_find(why,
		          "%" PRIu64 " deaths were reported too early (the "
		          "first by %" PRId64 " us)",
		          f->early, f->early_ns / WEFT_US);
	text_count(why, "beaters were reported after they had left", f->gone);
	text_count(why, "revivals were of the living", f->back);
	text_count(why, "beats were counted wrong", f->uncounted);
	text_count(why, "beats did not come to the monitor", f->lost);
	text_count(why, "pulses were corrupt or came twice", f->odd);
}

static double per(double n, uint64_t of)
{
	return of ? n / (double)of : 0;
}

static void verify(struct cell *cell, struct text *why)
{
	struct state *s = cell->state;
	struct findings f = { 0 };
	uint64_t beats = 0, alarms;

	for (unsigned i = 0; i < s->beaters; i++) {
		look_at(cell, &s->beater[i], &f);
		beats += s->beater[i].made;
	}
	tell(&f, why);
	alarms = f.deaths > f.planted ? f.deaths - f.planted : 0;
	cell_figure(cell, "false_alarms", "", "per million beats",
	            per(1e6 * (double)alarms, beats));
	cell_figure(cell, "noticed", "us", "from a death to its report",
	            per((double)f.noticed_ns / 1e3, f.planted));
	cell_figure(cell, "longest", "us", "of these",
	            (double)f.longest_ns / 1e3);
	cell_figure(cell, "late_looks", "%", "of the monitor's",
	            per(100.0 * (double)s->stats.late_looks, s->stats.looks));
}

const struct pattern pattern_heartbeat = {
	KERNEL(heartbeat),
	.flag = "heartbeat",
	.title = "Heartbeat",
	.summary = "workers beat, and a monitor notices when one is silent",
	.closed_loop = true,
	.items = items,
	.least_ns = least_ns,
	.stop = stop,
	.verify = verify,
};
