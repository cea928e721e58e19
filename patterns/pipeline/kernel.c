/*
 * The kernel: x goes in, x * x + 10 comes out.
 *
 * Driver 0 sends the numbers of the items, driver 1 receives the results. The
 * first stage squares, the second adds 10, further ones pass on what they get;
 * a single stage does both. A result leads back to its x exactly, because x
 * stays below 2^26 and its square within what a double holds: so every result
 * is verified, not a sum.
 *
 * Variants: serial, parallel and ordered stages, and fused: one task that does
 * for each item all that the stages would, without a channel. That is what the
 * others have to be held against.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "base/cacheline.h"
#include "cli/text.h"
#include "kernel/message.h"
#include "kernel/pace.h"
#include "kernel/pattern.h"
#include "kernel/tally.h"
#include "kernel/work.h"
#include "pipeline.h"

enum driver { SOURCE, SINK, DRIVERS };

#define ITEMS_MAX (INT64_C(1) << 26)
#define TASKS_MAX 4096
#define BATCH_BYTES_MAX (1 << 20)

/* The source looks at the queues each time it has sent so many items, rarely
 * enough not to be felt; at those before the first stages, which have names. */
#define LOOK_EVERY 256

static const char *const queue_names[] = { "queue0", "queue1", "queue2",
	                                   "queue3", "queue4", "queue5",
	                                   "queue6", "queue7" };
#define QUEUES (sizeof(queue_names) / sizeof(queue_names[0]))

enum variant { SERIAL, PARALLEL, ORDERED, FUSED };

static const char *const variant_choices[] = { "serial", "parallel", "ordered",
	                                       "fused", NULL };
static const char *const wait_choices[] = { "adaptive", "spin", "park", NULL };

static const struct knob knobs[] = {
	{ "variant", "", "how the stages keep the order", PARALLEL, 0, FUSED,
	  variant_choices, "parallel,ordered,fused" },
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
	{ "slow", "", "times as much work in the stage in the middle", 1, 1,
	  1000, NULL, "1,10" },
	{ "batch", "items", "items per call of a channel", 1, 1, 4096, NULL,
	  "1,16,256" },
	{ "tokens", "items", "items inside at most; 0 = as many as find room",
	  0, 0, 1 << 20, NULL, "0,16" },
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
	struct weft_pipeline *pipeline; /* NULL in a fused loop */
	struct tally *tally;
	struct transform transform, slow; /* slow: of the stage in the middle */
	size_t stages, batch, tokens;
	bool in_order;
	unsigned char *out, *in; /* a batch of the source, of the sink */

	/* The sink's count, for the source to see how many are inside. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t received;
	uint64_t inside; /* the most that the source has seen */

	/* The source's: what it has seen in the queues, in all its looks. */
	uint64_t queued[QUEUES], looks, look_at;

	/* When the first result came, the last item had gone in, and the last
	 * result came; each written by one driver. */
	int64_t first_out, all_in, all_out;

	bool ended;        /* the sink's: it has seen the end */
	_Atomic int error; /* the first of a driver */
	int joined;        /* what the pipeline itself reported */
};

/* --- the stages --- */

static void transform(const void *in, void *out, const struct transform *t,
                      uint64_t value)
{
	if (out != in) /* a fused loop works in place */
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

static int64_t get(const struct params *p, const char *knob)
{
	return params_get(&pattern_pipeline, p, knob);
}

static bool is_fused(const struct params *p)
{
	return get(p, "variant") == FUSED;
}

static int64_t stage_tasks(const struct params *p)
{
	return is_fused(p) ? 0 : get(p, "stages") * get(p, "workers");
}

static int accept(const struct params *p, char *why, size_t why_bytes)
{
	struct text l = text_in(why, why_bytes);
	int64_t stages = get(p, "stages"), workers = get(p, "workers");
	int64_t payload = get(p, "payload"), batch = get(p, "batch");
	int64_t all_tasks = stage_tasks(p) + DRIVERS, bytes = batch * payload;
	int64_t variant = get(p, "variant");

	if (payload % 8)
		text_add(&l,
		         "payload=%" PRId64 ": allowed %d..%d in steps of 8",
		         payload, MESSAGE_MIN, MESSAGE_MAX);
	else if ((variant == SERIAL || variant == FUSED) && workers > 1)
		text_add(&l, "workers=%" PRId64 " with variant=%s: allowed 1",
		         workers, variant_choices[variant]);
	else if (all_tasks > TASKS_MAX)
		text_add(&l,
		         "stages=%" PRId64 " with workers=%" PRId64 ": %" PRId64
		         " tasks, allowed %d",
		         stages, workers, all_tasks, TASKS_MAX);
	else if (bytes > BATCH_BYTES_MAX)
		text_add(&l,
		         "batch=%" PRId64 " with payload=%" PRId64 ": %" PRId64
		         " bytes, allowed %d",
		         batch, payload, bytes, BATCH_BYTES_MAX);
	else
		return 0;
	return -EINVAL;
}

/* In an ordered stage the workers take turns at the channels. A fused loop has
 * none, and runs under the name of any that could be there. */
static void channel(const struct params *p, struct pattern_channel *out)
{
	unsigned workers = (unsigned)get(p, "workers");
	unsigned at_once = get(p, "variant") == PARALLEL ? workers : 1;

	*out = (struct pattern_channel){
		.cap = (size_t)get(p, "cap"),
		.elem_size = (size_t)get(p, "payload"),
		.senders = at_once,
		.receivers = at_once,
	};
}

static unsigned drivers(const struct params *p)
{
	return is_fused(p) ? 1 : DRIVERS;
}

static unsigned tasks(const struct params *p)
{
	return drivers(p) + (unsigned)stage_tasks(p);
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

static struct transform *transform_of(struct state *s, size_t stage)
{
	return stage == s->stages / 2 ? &s->slow : &s->transform;
}

static enum weft_stage_mode mode_of(const struct cell *cell)
{
	static const enum weft_stage_mode modes[] = {
		[SERIAL] = WEFT_STAGE_SERIAL,
		[PARALLEL] = WEFT_STAGE_PARALLEL,
		[ORDERED] = WEFT_STAGE_ORDERED,
	};

	return modes[param(cell, "variant")];
}

static int make_pipeline(const struct cell *cell, struct state *s)
{
	struct weft_pipeline_opts opts = {
		.impl = cell->chan,
		.cap = (size_t)param(cell, "cap"),
		.elem_size = s->transform.payload,
		.batch = s->batch,
		.tokens = s->tokens,
		.wait = (enum weft_wait)param(cell, "wait"),
	};
	struct weft_stage *list = calloc(s->stages, sizeof(*list));
	int err;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < s->stages; i++) {
		list[i].fn = stage_fn(i, s->stages);
		list[i].arg = transform_of(s, i);
		list[i].mode = mode_of(cell);
		list[i].workers = (unsigned)param(cell, "workers");
	}
	err = weft_pipeline_new(&s->pipeline, list, s->stages, &opts);
	free(list);
	return err;
}

/* Several workers that keep the order are several senders into one channel. */
static bool keeps_order(const struct cell *cell)
{
	bool one = param(cell, "workers") == 1;

	if (is_fused(&cell->params))
		return true;
	if (param(cell, "variant") == PARALLEL && !one)
		return false;
	return cell->chan->can &
	       (WEFT_CAN_FIFO | (one ? WEFT_CAN_PRODUCER_FIFO : 0));
}

static void read_params(const struct cell *cell, struct state *s)
{
	s->stages = (size_t)param(cell, "stages");
	s->batch = (size_t)param(cell, "batch");
	s->tokens = (size_t)param(cell, "tokens");
	s->transform.payload = (size_t)param(cell, "payload");
	s->transform.work = param(cell, "work");
	s->slow = s->transform;
	s->slow.work *= param(cell, "slow");
	s->in_order = keeps_order(cell);
}

static int setup(struct cell *cell)
{
	struct state *s;
	int err = -ENOMEM;

	/* The stages need what they are given. */
	if (cell->items > (uint64_t)ITEMS_MAX || cell->chan->can & WEFT_NO_DATA)
		return -EINVAL;
	s = cacheline_new(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	cell->state = s;
	read_params(cell, s);
	s->out = cacheline_new(s->batch, s->transform.payload);
	s->in = cacheline_new(s->batch, s->transform.payload);
	if (!s->out || !s->in)
		goto tear_down;
	err = tally_new(&s->tally, 1, 1, cell->items);
	if (err)
		goto tear_down;
	if (s->transform.work)
		work_calibrate();
	err = is_fused(&cell->params) ? 0 : make_pipeline(cell, s);
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

/* How many are inside, as the source can tell: the sink counts what it has
 * received a little later than that has left. */
static void look_inside(struct state *s, uint64_t sent)
{
	uint64_t received = weft_load_acquire(&s->received);

	if (sent - received > s->inside)
		s->inside = sent - received;
}

/* The next items from x on: how many. */
static size_t make_items(struct cell *cell, uint64_t x)
{
	struct state *s = cell->state;
	size_t payload = s->transform.payload, n = s->batch;

	if (cell->items - x < n)
		n = (size_t)(cell->items - x);
	n = pace_batch(cell, x, 1, n);
	for (size_t i = 0; i < n; i++)
		message_write(s->out + i * payload, payload, x + i, x + i);
	return n;
}

/* Behind the batch that ends with item `sent`. */
static void look_at_queues(struct state *s, uint64_t sent)
{
	struct weft_stage_stats stats;

	if (sent < s->look_at)
		return;
	s->look_at = sent + LOOK_EVERY;
	s->looks++;
	for (size_t i = 0; i < QUEUES && i < s->stages; i++)
		if (!weft_pipeline_stats(s->pipeline, i, &stats))
			s->queued[i] += stats.queued;
}

static void run_source(struct cell *cell)
{
	struct state *s = cell->state;
	size_t n;
	int err = 0;

	for (uint64_t x = 0; x < cell->items && !err; x += n) {
		n = make_items(cell, x);
		err = send(s, n);
		if (s->tokens)
			look_inside(s, x + n);
		look_at_queues(s, x + n);
	}
	s->all_in = weft_now();
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

/* Look at n results in s->in, the first of which should be that of `guess`.
 * Returns the x behind the last one's. */
static uint64_t look_at_all(struct cell *cell, size_t n, uint64_t guess)
{
	struct state *s = cell->state;
	bool open_loop = cell->pace_ns > 0 && cell->latency;
	int64_t now = open_loop ? weft_now() : 0;
	uint64_t x = guess;

	for (size_t i = 0; i < n; i++, x++) {
		x = look_at(s, s->in + i * s->transform.payload, x);
		if (open_loop && x < cell->items)
			hist_record(&cell->latency[0], now - pace_due(cell, x));
	}
	return x;
}

static void run_sink(struct cell *cell)
{
	struct state *s = cell->state;
	uint64_t x = 0, count = 0;
	size_t n;
	int err;

	while ((err = receive(s, &n)) == 0) {
		if (count == 0)
			s->first_out = weft_now();
		x = look_at_all(cell, n, x);
		count += n;
		if (s->tokens)
			weft_store_release(&s->received, count);
	}
	s->all_out = weft_now();
	if (cell->share)
		cell->share[0] = count;
	if (err == -EPIPE)
		s->ended = true;
	else
		give_up(s, err);
}

/* What the stages make of the n items of a batch, in place of s->in. */
static void transform_all(struct state *s, size_t n)
{
	size_t payload = s->transform.payload;

	for (size_t i = 0; i < n; i++) {
		unsigned char *at = s->out + i * payload;

		for (size_t stage = 0; stage < s->stages; stage++) {
			unsigned char *to = s->in + i * payload;

			stage_fn(stage, s->stages)(at, to,
			                           transform_of(s, stage));
			at = to;
		}
	}
}

static void run_fused(struct cell *cell)
{
	struct state *s = cell->state;
	uint64_t x = 0;
	size_t n;

	for (uint64_t sent = 0; sent < cell->items; sent += n) {
		n = make_items(cell, sent);
		transform_all(s, n);
		x = look_at_all(cell, n, x);
	}
	if (cell->share)
		cell->share[0] = cell->items;
}

static void run_driver(struct cell *cell, unsigned driver)
{
	if (is_fused(&cell->params))
		run_fused(cell);
	else if (driver == SOURCE)
		run_source(cell);
	else
		run_sink(cell);
}

/* --- afterwards --- */

static void stop(struct cell *cell)
{
	struct state *s = cell->state;

	if (!s->pipeline)
		return;
	/* The drivers may not have run at all. */
	if (!s->ended)
		weft_pipeline_stop(s->pipeline);
	s->joined = weft_pipeline_join(s->pipeline, WEFT_FOREVER);
}

/* The sink may have received a batch that it has not counted. */
static int check_inside(const struct state *s, struct text *l)
{
	if (!s->tokens || s->inside <= s->tokens + s->batch)
		return 0;
	text_next(l);
	text_add(l, "%" PRIu64 " items inside, allowed %zu", s->inside,
	         s->tokens);
	return -EIO;
}

/* How long it takes until results come, and until all are out behind the last
 * item. */
static void tell_figures(struct cell *cell)
{
	const struct state *s = cell->state;

	if (is_fused(&cell->params))
		return;
	cell_figure(cell, "fill", "us", "from t0 to the first result",
	            s->first_out ? (double)(s->first_out - cell->t0) / WEFT_US
	                         : 0);
	cell_figure(cell, "drain", "us", "from the last item in to all out",
	            (double)(s->all_out - s->all_in) / WEFT_US);
	if (s->tokens)
		cell_figure(cell, "inside_high", "items", "at once",
		            (double)s->inside);
	for (size_t i = 0; i < QUEUES && i < s->stages && s->looks; i++)
		cell_figure(cell, queue_names[i], "items", "on average",
		            (double)s->queued[i] / (double)s->looks);
}

static int verify(struct cell *cell, char *why, size_t why_bytes)
{
	struct state *s = cell->state;
	struct text l = text_in(why, why_bytes);
	int error = s->joined ? s->joined : weft_load_acquire(&s->error);

	if (error)
		text_add(&l, "the pipeline ended with: %s", strerror(-error));
	if (check_inside(s, &l))
		error = -EIO;
	tell_figures(cell);
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
