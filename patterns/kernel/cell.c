#include "kernel/cell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "base/cacheline.h"
#include "base/check.h"
#include "cli/text.h"

/* --- what a channel can do --- */

static const struct {
	uint64_t bit;
	const char *words;
} capabilities[] = {
	{ WEFT_CAN_BOUNDED, "bounded capacity" },
	{ WEFT_CAN_UNBOUNDED, "unbounded capacity" },
	{ WEFT_CAN_RENDEZVOUS, "capacity 0" },
	{ WEFT_CAN_FIFO, "one order for all" },
	{ WEFT_CAN_PRODUCER_FIFO, "each sender's order" },
	{ WEFT_CAN_SELECT, "select" },
	{ WEFT_CAN_TIMEOUT, "deadlines" },
	{ WEFT_CAN_BATCH, "native batches" },
	{ WEFT_CAN_LEN, "an exact length" },
};

/* What is needed and the channel cannot do; NULL when nothing. */
static const char *lacking(const struct weft_chan_impl *chan, uint64_t needs)
{
	uint64_t missing = needs & ~chan->can;

	for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]);
	     i++)
		if (missing & capabilities[i].bit)
			return capabilities[i].words;
	return missing ? "something this weft has no name for" : NULL;
}

static int refuse_lacking(const struct pattern *pattern, const char *what,
                          const struct weft_chan_impl *chan, uint64_t needs,
                          struct text *why)
{
	const char *missing = lacking(chan, needs);

	if (!missing)
		return 0;
	text_add(why, "%s %s needs %s, which channel %s does not have", what,
	         pattern->name, missing, chan->name);
	return -EINVAL;
}

static int refuse_crowd(const struct weft_chan_impl *chan, const char *what,
                        unsigned n, unsigned max, struct text *why)
{
	if (!max || n <= max)
		return 0;
	text_add(why, "channel %s cannot have %u %s at once (allowed: 1..%u)",
	         chan->name, n, what, max);
	return -EINVAL;
}

static int refuse_channel(const struct pattern *pattern,
                          const struct params *params,
                          const struct weft_chan_impl *chan, struct text *why)
{
	struct pattern_channel asked = { 0 };
	int err;

	pattern->channel(params, &asked);
	err = refuse_lacking(pattern, "this cell of", chan, asked.needs, why);
	if (!err)
		err = weft_chan_impl_accepts(chan, asked.cap, asked.elem_size,
		                             why->text, why->bytes);
	if (!err)
		err = refuse_crowd(chan, "senders", asked.senders,
		                   chan->max_senders, why);
	if (!err)
		err = refuse_crowd(chan, "receivers", asked.receivers,
		                   chan->max_receivers, why);
	return err;
}

int cell_possible(const struct pattern *pattern, const struct params *params,
                  const struct weft_chan_impl *chan, char *why,
                  size_t why_bytes)
{
	struct text l = text_in(why, why_bytes);
	int err;

	err = refuse_lacking(pattern, "pattern", chan, pattern->needs, &l);
	if (err)
		return err;
	if ((chan->can & WEFT_NO_DATA) && !pattern->no_data) {
		text_add(&l, "pattern %s needs data, and channel %s moves none",
		         pattern->name, chan->name);
		return -EINVAL;
	}
	err = pattern->accept(params, why, why_bytes);
	return err ? err : refuse_channel(pattern, params, chan, &l);
}

int cell_probe(const struct pattern *pattern, const struct params *params,
               const struct weft_chan_impl *chan, size_t *cap, char *why,
               size_t why_bytes)
{
	struct pattern_channel asked = { 0 };
	struct text l = text_in(why, why_bytes);
	struct weft_chan *c;
	int err;

	pattern->channel(params, &asked);
	err = weft_chan_new(&c, chan, asked.cap, asked.elem_size, NULL);
	if (err) {
		text_add(&l,
		         "channel %s of capacity %zu cannot be made here: %s",
		         chan->name, asked.cap, strerror(-err));
		return err;
	}
	*cap = weft_chan_cap(c);
	weft_chan_unref(c);
	return 0;
}

/* --- the memory of a run --- */

static void set_items(struct cell *cell)
{
	const struct knob *knobs = cell->pattern->knobs;

	for (int i = 0; knobs[i].name; i++)
		if (strcmp(knobs[i].name, "items") == 0)
			cell->params.value[i] = (int64_t)cell->items;
}

int cell_init(struct cell *cell, bool latency)
{
	set_items(cell);
	cell->consumers = cell->pattern->consumers(&cell->params);
	cell->share = cacheline_new(cell->consumers, sizeof(*cell->share));
	if (!cell->share)
		return -ENOMEM;
	if (!latency)
		return 0;
	cell->latency = cacheline_new(cell->consumers, sizeof(*cell->latency));
	if (!cell->latency)
		return -ENOMEM;
	for (unsigned i = 0; i < cell->consumers; i++)
		weft_hist_init(&cell->latency[i]);
	return 0;
}

void cell_fini(struct cell *cell)
{
	free(cell->latency);
	free(cell->share);
}

/* --- the drivers and their gate --- */

enum {
	GATE_SHUT,
	GATE_OPEN,
	GATE_CANCELLED, /* not every driver could be started: go home */
};

struct driver {
	_Alignas(WEFT_CACHE_LINE) struct drive *drive;
	unsigned id;
	struct weft_task *task;
	int64_t start, end; /* the driver's; published by drive->done */
};

struct drive {
	struct cell_run *run;
	struct driver *drivers;
	unsigned n;

	_Alignas(WEFT_CACHE_LINE) _Atomic int gate;
	struct weft_waitgroup ready, done;
};

static int driver_main(void *arg)
{
	struct driver *d = arg;
	struct drive *drive = d->drive;
	struct cell *cell = drive->run->cell;
	int gate;

	weft_waitgroup_done(&drive->ready);
	while ((gate = weft_load_acquire(&drive->gate)) ==
	       GATE_SHUT) /* [gate] */
		weft_park(WEFT_FOREVER);
	if (gate == GATE_OPEN) {
		d->start = weft_now();
		cell->pattern->work(cell, d->id);
		d->end = weft_now();
		weft_fetch_sub_relaxed(&drive->run->working, 1u);
	}
	weft_waitgroup_done(&drive->done);
	return 0;
}

static void move_gate(struct drive *drive, int to, unsigned started)
{
	weft_store_release(&drive->gate, to); /* [gate] */
	for (unsigned i = 0; i < started; i++)
		weft_unpark(drive->drivers[i].task);
}

static void join_drivers(struct drive *drive, unsigned started)
{
	for (unsigned i = 0; i < started; i++)
		CHECK_EQ(weft_join(drive->drivers[i].task, NULL), 0);
}

static int start_driver(struct drive *drive, unsigned id)
{
	struct driver *d = &drive->drivers[id];
	char name[32];

	snprintf(name, sizeof(name), "driver %u", id);
	d->drive = drive;
	d->id = id;
	return weft_spawn(&d->task, &(struct weft_task_opts){ .name = name },
	                  driver_main, d);
}

/* Start every driver, or none. */
static int start_drivers(struct drive *drive)
{
	struct text why = text_in(drive->run->why, sizeof(drive->run->why));
	int err;

	weft_waitgroup_add(&drive->ready, drive->n);
	weft_waitgroup_add(&drive->done, drive->n);
	for (unsigned i = 0; i < drive->n; i++) {
		err = start_driver(drive, i);
		if (!err)
			continue;
		move_gate(drive, GATE_CANCELLED, i);
		join_drivers(drive, i);
		text_add(&why, "cannot start driver %u of %u: %s", i + 1,
		         drive->n, strerror(-err));
		return err;
	}
	return weft_waitgroup_wait(&drive->ready, WEFT_FOREVER);
}

/* Time runs from before the gate opens until the last driver has ended. */
static void take_time(const struct drive *drive)
{
	struct cell_run *run = drive->run;
	int64_t t0 = run->cell->t0, start = t0, end = t0;

	for (unsigned i = 0; i < drive->n; i++) {
		const struct driver *d = &drive->drivers[i];

		start = d->start > start ? d->start : start;
		end = d->end > end ? d->end : end;
	}
	run->ns = end > t0 ? end - t0 : 1;
	run->skew_ns = start - t0;
}

static void drive_through(struct drive *drive)
{
	struct cell_run *run = drive->run;

	weft_store_relaxed(&run->working, drive->n);
	weft_store_relaxed(&run->phase, "work");
	if (run->begin)
		run->begin(run->arg);
	run->cell->t0 = weft_now();
	move_gate(drive, GATE_OPEN, drive->n);
	CHECK_EQ(weft_waitgroup_wait(&drive->done, WEFT_FOREVER), 0);
	if (run->end)
		run->end(run->arg);
	take_time(drive);
	join_drivers(drive, drive->n);
}

static int drive_all(struct cell_run *run)
{
	struct drive drive = { .run = run };
	int err;

	drive.n = run->cell->pattern->drivers(&run->cell->params);
	drive.drivers = cacheline_new(drive.n, sizeof(*drive.drivers));
	if (!drive.drivers) {
		snprintf(run->why, sizeof(run->why), "no memory for %u drivers",
		         drive.n);
		return -ENOMEM;
	}
	weft_waitgroup_init(&drive.ready);
	weft_waitgroup_init(&drive.done);
	err = start_drivers(&drive);
	if (!err)
		drive_through(&drive);
	free(drive.drivers);
	return err;
}

/* --- the whole --- */

/* Why a cell cannot be set up. That its channel cannot do it may be known only
 * when the number of items is. */
static int explain_setup(struct cell_run *run, int err)
{
	const struct cell *cell = run->cell;
	size_t cap;

	if (err != -ENOTSUP ||
	    (!cell_possible(cell->pattern, &cell->params, cell->chan, run->why,
	                    sizeof(run->why)) &&
	     !cell_probe(cell->pattern, &cell->params, cell->chan, &cap,
	                 run->why, sizeof(run->why))))
		snprintf(run->why, sizeof(run->why), "setup: %s",
		         strerror(-err));
	return err;
}

int cell_run(struct cell_run *run)
{
	struct cell *cell = run->cell;
	const struct pattern *pattern = cell->pattern;
	int err;

	*run->why = '\0';
	weft_store_relaxed(&run->phase, "setup");
	err = pattern->setup(cell);
	if (err)
		return explain_setup(run, err);
	err = drive_all(run);
	weft_store_relaxed(&run->phase, "stop");
	pattern->stop(cell);
	weft_store_relaxed(&run->phase, "verify");
	if (!err)
		err = pattern->verify(cell, run->why, sizeof(run->why));
	weft_store_relaxed(&run->phase, "teardown");
	pattern->teardown(cell);
	return err;
}
