#include "kernel/cell.h"

#include "base/check.h"
#include "kernel/kernel.h"
#include "kernel/place.h"

/* --- what the parameters mean --- */

static int refuse_payload(const struct params *p, struct text *why)
{
	int i = pattern_knob(p->pattern, "payload");

	if (i < 0 || p->value[i] % 8 == 0)
		return 0;
	text_add(why,
	         "payload=%" PRId64 ": allowed %" PRId64 "..%" PRId64
	         " in steps of 8",
	         p->value[i], p->pattern->knobs[i].min,
	         p->pattern->knobs[i].max);
	return -EINVAL;
}

static int refuse_batch(const struct params *p, struct text *why)
{
	int64_t batch = param_or_0(p, "batch");
	int64_t payload = param_or_0(p, "payload");

	if (batch * payload <= KERNEL_BATCH_BYTES_MAX)
		return 0;
	text_add(why,
	         "batch=%" PRId64 " with payload=%" PRId64 ": %" PRId64
	         " bytes, allowed %d",
	         batch, payload, batch * payload, KERNEL_BATCH_BYTES_MAX);
	return -EINVAL;
}

int cell_accepts(const struct params *params, char *why, size_t why_bytes)
{
	struct text l = text_in(why, why_bytes);
	int err = refuse_payload(params, &l);

	if (!err)
		err = refuse_batch(params, &l);
	if (!err)
		err = place_accepts(params, &l);
	if (!err && params->pattern->accept)
		err = params->pattern->accept(params, &l);
	return err;
}

/* --- what a channel can do --- */

/* The name of something that is needed and the channel cannot do; NULL when
 * there is nothing. */
static const char *lacking(const struct weft_chan_impl *chan, uint64_t needs)
{
	uint64_t missing = needs & ~chan->can;
	const char *name;

	if (!missing)
		return NULL;
	name = weft_chan_can_name(missing & -missing);
	return name ? name : "something this weft has no name for";
}

static int refuse_lacking(const struct pattern *pattern, const char *what,
                          const struct weft_chan_impl *chan, uint64_t needs,
                          struct text *why)
{
	const char *missing = lacking(chan, needs);

	if (!missing)
		return 0;
	text_add(why, "%s %s needs %s, which channel %s does not declare", what,
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

static int refuse_channel(const struct params *params,
                          const struct weft_chan_impl *chan, struct text *why)
{
	const struct pattern *pattern = params->pattern;
	struct cell_shape asked = params_shape(params);
	int err;

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

int cell_possible(const struct params *params,
                  const struct weft_chan_impl *chan, char *why,
                  size_t why_bytes)
{
	const struct pattern *pattern = params->pattern;
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
	err = cell_accepts(params, why, why_bytes);
	return err ? err : refuse_channel(params, chan, &l);
}

int cell_probe(const struct params *params, const struct weft_chan_impl *chan,
               size_t *cap, char *why, size_t why_bytes)
{
	struct cell_shape asked = params_shape(params);
	struct text l = text_in(why, why_bytes);
	struct weft_chan *c;
	int err;

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

int cell_init(struct cell *cell, bool latency)
{
	int items = pattern_knob(cell->pattern, "items");

	if (items >= 0)
		cell->params.value[items] = (int64_t)cell->items;
	cell->shape = params_shape(&cell->params);
	cell->share =
	        cacheline_new(cell->shape.consumers, sizeof(*cell->share));
	if (!cell->share)
		return -ENOMEM;
	if (!latency)
		return 0;
	cell->latency =
	        cacheline_new(cell->shape.consumers, sizeof(*cell->latency));
	if (!cell->latency)
		return -ENOMEM;
	for (unsigned i = 0; i < cell->shape.consumers; i++)
		weft_hist_init(&cell->latency[i]);
	cell->gap = cacheline_new(cell->shape.consumers, sizeof(*cell->gap));
	return cell->gap ? 0 : -ENOMEM;
}

void cell_fini(struct cell *cell)
{
	free(cell->gap);
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

	drive.n = run->cell->shape.drivers;
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

/* --- around the kernel --- */

static void read_knobs(struct cell *cell)
{
	const struct params *p = &cell->params;

	cell->variant = (int)param_or_0(p, "variant");
	cell->payload = (size_t)param_or_0(p, "payload");
	cell->batch = (size_t)param_or_0(p, "batch");
	cell->cap = cell->shape.cap;
	cell->work = param_or_0(p, "work");
	cell->wait = (enum weft_wait)param_or_0(p, "wait");
	cell->timed = cell->pace_ns > 0 && cell->latency;
	cell->in_order =
	        cell->chan->can & (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO);
	if (cell->work || param_or_0(p, "prod_work"))
		work_calibrate();
}

int cell_setup(struct cell *cell)
{
	const struct pattern *pattern = cell->pattern;
	int err;

	/* Without data a message says nothing, and beyond this number items
	 * cannot be told apart. */
	if (cell->items > (uint64_t)KERNEL_ITEMS_MAX ||
	    (cell->chan->can & WEFT_NO_DATA && !pattern->no_data))
		return -EINVAL;
	cell->state = cacheline_new(1, pattern->state_bytes);
	if (!cell->state)
		return -ENOMEM;
	read_knobs(cell);
	err = pattern->setup(cell);
	if (err) {
		cell_stop(cell);
		cell_teardown(cell);
	}
	return err;
}

void cell_stop(struct cell *cell)
{
	if (!weft_load_relaxed(&cell->ended))
		cell->pattern->halt(cell);
	if (cell->pattern->stop)
		cell->pattern->stop(cell);
}

void cell_teardown(struct cell *cell)
{
	if (!cell->state)
		return;
	if (cell->pattern->teardown)
		cell->pattern->teardown(cell);
	for (unsigned i = 0; i < cell->messages; i++)
		free(cell->message[i]);
	free(cell->message);
	tally_free(cell->tally);
	free(cell->state);
	cell->messages = 0;
	cell->message = NULL;
	cell->tally = NULL;
	cell->state = NULL;
}

/* The cause before its consequences. */
static int verify(struct cell *cell, struct text *why)
{
	int error = weft_load_acquire(&cell->error);

	if (error)
		text_add(why, "the run ended with: %s", strerror(-error));
	if (cell->tally)
		tally_report(cell->tally, cell->in_order, why);
	if (cell->pattern->verify)
		cell->pattern->verify(cell, why);
	return why->used ? -EIO : 0;
}

/* Why a cell cannot be set up. That its channel cannot do it may be known only
 * when the number of items is. */
static int explain_setup(struct cell_run *run, int err)
{
	const struct cell *cell = run->cell;
	size_t cap;

	if (err != -ENOTSUP || (!cell_possible(&cell->params, cell->chan,
	                                       run->why, sizeof(run->why)) &&
	                        !cell_probe(&cell->params, cell->chan, &cap,
	                                    run->why, sizeof(run->why))))
		snprintf(run->why, sizeof(run->why), "setup: %s",
		         strerror(-err));
	return err;
}

static int run_placed(struct cell_run *run)
{
	struct text why = text_in(run->why, sizeof(run->why));
	struct cell *cell = run->cell;
	int err;

	weft_store_relaxed(&run->phase, "setup");
	err = cell_setup(cell);
	if (err)
		return explain_setup(run, err);
	err = drive_all(run);
	weft_store_relaxed(&run->phase, "stop");
	cell_stop(cell);
	weft_store_relaxed(&run->phase, "verify");
	if (!err)
		err = verify(cell, &why);
	weft_store_relaxed(&run->phase, "teardown");
	cell_teardown(cell);
	return err;
}

int cell_run(struct cell_run *run)
{
	int err = place_begin(&run->cell->params);

	if (err) {
		snprintf(run->why, sizeof(run->why),
		         "no memory for the choice of CPUs");
		return err;
	}
	err = run_placed(run);
	place_end();
	return err;
}
