/*
 * The kernel: x goes in, x * x + 10 comes out.
 *
 * Driver 0 sends the numbers of the items, driver 1 receives the results. The
 * first stage squares, the second adds 10, further ones pass on what they get;
 * a single stage does both. A result leads back to its x exactly, because x
 * stays below 2^26 and its square within what a double holds: so every result
 * is verified, not a sum.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "line.h"
#include "message.h"
#include "pace.h"
#include "pattern.h"
#include "pipeline.h"
#include "tally.h"
#include "work.h"

enum driver { SOURCE, SINK, DRIVERS };

#define ITEMS_MAX (INT64_C(1) << 26)
#define TASKS_MAX 4096
#define BATCH_BYTES_MAX (1 << 20)

static const char *const wait_choices[] = { "adaptive", "spin", "park", NULL };

static const struct knob knobs[] = {
	{ "workers", "", "tasks per stage", 1, 1, 64, NULL, "1,2,4" },
	{ "stages", "", "transformations in a row", 2, 1, 1000, NULL,
	  "1,2,3,5,10" },
	{ "cap", "items", "capacity of each channel", 64, 0, 1 << 20, NULL,
	  "0,1,16,256" },
	{ "items", "items", "items per run; 0 = as many as fill the time", 0, 0,
	  ITEMS_MAX, NULL, "0" },
	{ "payload", "B", "bytes per item, in steps of 8", MESSAGE_MIN,
	  MESSAGE_MIN, MESSAGE_MAX, NULL, "8,64" },
	{ "work", "ns", "computation per item and stage", 0, 0, 1000000000,
	  NULL, "0,100,1000,10000" },
	{ "batch", "items", "items per call of a channel", 1, 1, 4096, NULL,
	  "1,16,256" },
	{ "wait", "", "how waiting tasks wait", WEFT_WAIT_ADAPTIVE, 0,
	  WEFT_WAIT_PARK, wait_choices, "adaptive,park" },
	{ .name = NULL },
};

/* What the stages' functions need to know. */
struct transform {
	size_t payload;
	int64_t work;
};

struct state {
	/* Constant once made. */
	struct weft_pipeline *pipeline;
	struct tally *tally;
	struct transform transform;
	size_t batch;
	bool in_order;
	unsigned char *out, *in; /* a batch of the source, of the sink */

	bool ended;        /* the sink's: it has seen the end */
	_Atomic int error; /* the first of a driver */
	int joined;        /* what the pipeline itself reported */
};

/* --- the stages --- */

static void transform(const void *in, void *out, const struct transform *t,
                      uint64_t value)
{
	memcpy(out, in, t->payload);
	message_set(out, value);
	work_for(t->work);
}

static int square(const void *in, void *out, void *arg)
{
	uint64_t x = message_value(in);

	transform(in, out, arg, x * x);
	return WEFT_STAGE_EMIT;
}

static int add_ten(const void *in, void *out, void *arg)
{
	transform(in, out, arg, message_value(in) + 10);
	return WEFT_STAGE_EMIT;
}

static int square_and_add_ten(const void *in, void *out, void *arg)
{
	uint64_t x = message_value(in);

	transform(in, out, arg, x * x + 10);
	return WEFT_STAGE_EMIT;
}

static int pass_on(const void *in, void *out, void *arg)
{
	transform(in, out, arg, message_value(in));
	return WEFT_STAGE_EMIT;
}

static weft_stage_fn stage_fn(size_t stage, size_t stages)
{
	if (stages == 1)
		return square_and_add_ten;
	return stage == 0 ? square : stage == 1 ? add_ten : pass_on;
}

/* --- what the parameters mean --- */

static int accept(const struct params *p, char *why, size_t why_bytes)
{
	struct line l = line_in(why, why_bytes);
	int64_t stages = params_get(&pattern_pipeline, p, "stages");
	int64_t workers = params_get(&pattern_pipeline, p, "workers");
	int64_t payload = params_get(&pattern_pipeline, p, "payload");
	int64_t batch = params_get(&pattern_pipeline, p, "batch");
	int64_t all_tasks = stages * workers + DRIVERS, bytes = batch * payload;

	if (payload % 8)
		line_add(&l,
		         "payload=%" PRId64 ": allowed %d..%d in steps of 8",
		         payload, MESSAGE_MIN, MESSAGE_MAX);
	else if (all_tasks > TASKS_MAX)
		line_add(&l,
		         "stages=%" PRId64 " with workers=%" PRId64 ": %" PRId64
		         " tasks, allowed %d",
		         stages, workers, all_tasks, TASKS_MAX);
	else if (bytes > BATCH_BYTES_MAX)
		line_add(&l,
		         "batch=%" PRId64 " with payload=%" PRId64 ": %" PRId64
		         " bytes, allowed %d",
		         batch, payload, bytes, BATCH_BYTES_MAX);
	else
		return 0;
	return -EINVAL;
}

static void channel(const struct params *p, struct pattern_channel *out)
{
	unsigned workers =
	        (unsigned)params_get(&pattern_pipeline, p, "workers");

	*out = (struct pattern_channel){
		.cap = (size_t)params_get(&pattern_pipeline, p, "cap"),
		.elem_size =
		        (size_t)params_get(&pattern_pipeline, p, "payload"),
		.senders = workers,
		.receivers = workers,
	};
}

static unsigned drivers(const struct params *p)
{
	(void)p;
	return DRIVERS;
}

static unsigned tasks(const struct params *p)
{
	return (unsigned)(DRIVERS +
	                  params_get(&pattern_pipeline, p, "stages") *
	                          params_get(&pattern_pipeline, p, "workers"));
}

static unsigned consumers(const struct params *p)
{
	(void)p;
	return 1;
}

/* --- setup and teardown --- */

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	if (!s)
		return;
	weft_pipeline_free(s->pipeline);
	tally_free(s->tally);
	free(s->out);
	free(s->in);
	free(s);
	cell->state = NULL;
}

static int make_pipeline(const struct cell *cell, struct state *s)
{
	size_t stages = (size_t)param(cell, "stages");
	struct weft_pipeline_opts opts = {
		.impl = cell->chan,
		.cap = (size_t)param(cell, "cap"),
		.elem_size = s->transform.payload,
		.batch = s->batch,
		.wait = (enum weft_wait)param(cell, "wait"),
	};
	struct weft_stage *list = calloc(stages, sizeof(*list));
	int err;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < stages; i++) {
		list[i].fn = stage_fn(i, stages);
		list[i].arg = &s->transform;
		list[i].workers = (unsigned)param(cell, "workers");
	}
	err = weft_pipeline_new(&s->pipeline, list, stages, &opts);
	free(list);
	return err;
}

static int setup(struct cell *cell)
{
	struct state *s;
	int err = -ENOMEM;

	/* The stages need what they are given. */
	if (cell->items > (uint64_t)ITEMS_MAX || cell->chan->can & WEFT_NO_DATA)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	cell->state = s;
	s->transform.payload = (size_t)param(cell, "payload");
	s->transform.work = param(cell, "work");
	s->batch = (size_t)param(cell, "batch");
	s->in_order =
	        param(cell, "workers") == 1 &&
	        cell->chan->can & (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO);
	s->out = calloc(s->batch, s->transform.payload);
	s->in = calloc(s->batch, s->transform.payload);
	if (!s->out || !s->in)
		goto tear_down;
	err = tally_new(&s->tally, 1, 1, cell->items);
	if (err)
		goto tear_down;
	if (s->transform.work)
		work_calibrate();
	err = make_pipeline(cell, s);
	if (err)
		goto tear_down;
	return 0;

tear_down:
	teardown(cell);
	return err;
}

/* --- the drivers --- */

/* A driver cannot go on: nor can the other. */
static void give_up(struct state *s, int err)
{
	int none = 0;

	weft_cas_acq_rel(&s->error, &none, err);
	weft_pipeline_stop(s->pipeline);
}

static int send(struct state *s, size_t n)
{
	size_t done;

	if (n == 1)
		return weft_pipeline_send(s->pipeline, s->out, WEFT_FOREVER);
	return weft_pipeline_send_many(s->pipeline, s->out, n, &done,
	                               WEFT_FOREVER);
}

static void run_source(struct cell *cell)
{
	struct state *s = cell->state;
	size_t payload = s->transform.payload, n;
	int err = 0;

	for (uint64_t x = 0; x < cell->items && !err; x += n) {
		n = cell->items - x < s->batch ? (size_t)(cell->items - x)
		                               : s->batch;
		n = pace_batch(cell, x, 1, n);
		for (size_t i = 0; i < n; i++)
			message_write(s->out + i * payload, payload, x + i,
			              x + i);
		err = send(s, n);
	}
	if (err)
		give_up(s, err);
	weft_pipeline_close(s->pipeline);
}

/* The x of a result: first the one that is next if all is well, because a
 * multiplication is cheaper than a root. False when there is none. */
static bool root_of(uint64_t result, uint64_t guess, uint64_t *x)
{
	uint64_t r = result - 10;

	*x = guess;
	if (r == guess * guess)
		return true;
	if (result < 10 || r >= (uint64_t)ITEMS_MAX * (uint64_t)ITEMS_MAX)
		return false;
	*x = (uint64_t)sqrt((double)r);
	return *x * *x == r;
}

/* Look at one result; returns its x. */
static uint64_t look_at(struct state *s, const unsigned char *m, uint64_t guess)
{
	uint64_t value = message_value(m), x;

	if (root_of(value, guess, &x) &&
	    message_is_of(m, s->transform.payload, x))
		tally_count(s->tally, 0, 0, x);
	else
		tally_corrupt(s->tally, 0, value);
	return x;
}

static int receive(struct state *s, size_t *n)
{
	int err;

	if (s->batch > 1)
		return weft_pipeline_recv_many(s->pipeline, s->in, s->batch, n,
		                               WEFT_FOREVER);
	err = weft_pipeline_recv(s->pipeline, s->in, WEFT_FOREVER);
	*n = !err;
	return err;
}

static void run_sink(struct cell *cell)
{
	struct state *s = cell->state;
	bool open_loop = cell->pace_ns > 0 && cell->latency;
	uint64_t x = UINT64_MAX, count = 0;
	int64_t now;
	size_t n;
	int err;

	while ((err = receive(s, &n)) == 0) {
		now = open_loop ? weft_now() : 0;
		for (size_t i = 0; i < n; i++) {
			x = look_at(s, s->in + i * s->transform.payload, x + 1);
			if (open_loop && x < cell->items)
				hist_record(&cell->latency[0],
				            now - pace_due(cell, x));
		}
		count += n;
	}
	if (cell->share)
		cell->share[0] = count;
	if (err == -EPIPE)
		s->ended = true;
	else
		give_up(s, err);
}

static void run_driver(struct cell *cell, unsigned driver)
{
	if (driver == SOURCE)
		run_source(cell);
	else
		run_sink(cell);
}

/* --- afterwards --- */

static void stop(struct cell *cell)
{
	struct state *s = cell->state;

	/* The drivers may not have run at all. */
	if (!s->ended)
		weft_pipeline_stop(s->pipeline);
	s->joined = weft_pipeline_join(s->pipeline, WEFT_FOREVER);
}

static int verify(struct cell *cell, char *why, size_t why_bytes)
{
	struct state *s = cell->state;
	struct line l = line_in(why, why_bytes);
	int error = s->joined ? s->joined : weft_load_acquire(&s->error);

	if (error)
		line_add(&l, "the pipeline ended with: %s", strerror(-error));
	return tally_report(s->tally, s->in_order, &l) || error ? -EIO : 0;
}

int pipeline_demo(FILE *out);

const struct pattern pattern_pipeline = {
	.name = "pipeline",
	.flag = "pipeline",
	.title = "Pipeline",
	.summary = "items flow through stages that work at the same time",
	.knobs = knobs,
	.accept = accept,
	.channel = channel,
	.drivers = drivers,
	.tasks = tasks,
	.consumers = consumers,
	.setup = setup,
	.work = run_driver,
	.stop = stop,
	.verify = verify,
	.teardown = teardown,
	.demo = pipeline_demo,
};
