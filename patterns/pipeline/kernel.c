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
#include <math.h>

#include "kernel/kernel.h"
#include "pipeline.h"

enum driver { SOURCE, SINK, DRIVERS };

#define TASKS_MAX 16384

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

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "how the stages keep the order", PARALLEL, FUSED,
	            variant_choices, "parallel,ordered,fused"),
	KNOB_COUNT("workers", "tasks per stage", 1, 1, 64, "1,2,4"),
	KNOB_COUNT("stages", "transformations in a row", 2, 1, 10000,
	           "1,2,3,5,10"),
	KNOB_CAP(64, "0,1,16,256"),
	KNOB_ITEMS,
	KNOB_PAYLOAD(MESSAGE_MAX, "8,64"),
	KNOB_WORK("work", "computation per item and stage", "0,100,1000,10000"),
	KNOB_COUNT("slow", "times as much work in the stage in the middle", 1,
	           1, 1000, "1,10"),
	KNOB_BATCH("items per call of a channel", 1, "1,16,256"),
	{ "tokens", "items", "items inside at most; 0 = as many as find room",
	  0, 0, 1 << 20, NULL, "0,16" },
	KNOB_WAIT,
	KNOB_END,
};

/* What the stages' functions need to know. */
struct transform {
	size_t payload;
	int64_t work;
};

struct state {
	/* Constant once made. */
	struct weft_pipeline *pipeline;   /* NULL in a fused loop */
	struct transform transform, slow; /* slow: of the stage in the middle */
	size_t stages, tokens;

	/* The sink's count, for the source to see how many are inside. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t received;
	uint64_t inside; /* the most that the source has seen */

	/* The source's: what it has seen in the queues, in all its looks. */
	uint64_t queued[QUEUES], looks, look_at;

	/* When the first result came, the last item had gone in, and the last
	 * result came; each written by one driver. */
	int64_t first_out, all_in, all_out;
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

#define STAGE(name, result)                                                    \
	static int name(const void *in, void *out, void *arg)                  \
	{                                                                      \
		uint64_t x = message_value(in);                                \
                                                                               \
		transform(in, out, arg, result);                               \
		return WEFT_EMIT;                                              \
	}

STAGE(square, x *x)
STAGE(add_ten, x + 10)
STAGE(square_and_add_ten, x *x + 10)
STAGE(pass_on, x)

static weft_stage_fn stage_fn(size_t stage, size_t stages)
{
	if (stages == 1)
		return square_and_add_ten;
	return stage == 0 ? square : stage == 1 ? add_ten : pass_on;
}

/* --- what the parameters mean --- */

static int accept_tasks(const struct params *p, struct text *why)
{
	int64_t stages = param(p, "stages"), workers = param(p, "workers");
	int64_t variant = param(p, "variant");
	int64_t all_tasks = stages * workers + DRIVERS;

	if ((variant == SERIAL || variant == FUSED) && workers > 1)
		text_add(why, "workers=%" PRId64 " with variant=%s: allowed 1",
		         workers, variant_choices[variant]);
	else if (variant != FUSED && all_tasks > TASKS_MAX)
		text_add(why,
		         "stages=%" PRId64 " with workers=%" PRId64 ": %" PRId64
		         " tasks, allowed %d",
		         stages, workers, all_tasks, TASKS_MAX);
	return why->used ? -EINVAL : 0;
}

/* In an ordered stage the workers take turns at the channels. A fused loop has
 * none, and runs under the name of any that could be there. */
static void shape(const struct params *p, struct cell_shape *out)
{
	unsigned workers = (unsigned)param(p, "workers");

	if (param(p, "variant") == FUSED)
		return;
	out->drivers = DRIVERS;
	out->helpers = workers * (unsigned)param(p, "stages");
	if (param(p, "variant") == PARALLEL)
		out->senders = out->receivers = workers;
}

/* --- setup and teardown --- */

static struct transform *transform_of(struct state *s, size_t stage)
{
	return stage == s->stages / 2 ? &s->slow : &s->transform;
}

static const enum weft_stage_mode modes[] = {
	[SERIAL] = WEFT_STAGE_SERIAL,
	[PARALLEL] = WEFT_STAGE_PARALLEL,
	[ORDERED] = WEFT_STAGE_ORDERED,
};

static int make_pipeline(const struct cell *cell, struct state *s)
{
	struct weft_pipeline_opts opts = {
		.impl = cell->chan,
		.cap = cell->cap,
		.elem_size = cell->payload,
		.batch = cell->batch,
		.tokens = s->tokens,
		.wait = cell->wait,
	};
	struct weft_stage *list = calloc(s->stages, sizeof(*list));
	int err;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < s->stages; i++) {
		list[i].fn = stage_fn(i, s->stages);
		list[i].arg = transform_of(s, i);
		list[i].mode = modes[cell->variant];
		list[i].workers = (unsigned)param(&cell->params, "workers");
	}
	err = weft_pipeline_new(&s->pipeline, list, s->stages, &opts);
	free(list);
	return err;
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	bool one = param(&cell->params, "workers") == 1;
	int err;

	s->stages = (size_t)param(&cell->params, "stages");
	s->tokens = (size_t)param(&cell->params, "tokens");
	s->transform = (struct transform){ cell->payload, cell->work };
	s->slow = s->transform;
	s->slow.work *= param(&cell->params, "slow");
	/* Several workers that keep the order are several senders into one
	 * channel. */
	if (cell->variant == FUSED)
		cell->in_order = true;
	else if (!one)
		cell->in_order = cell->variant == ORDERED &&
		                 cell->chan->can & WEFT_CAN_FIFO;
	err = kernel_buffers(cell, DRIVERS, cell->batch);
	if (!err)
		err = tally_new(&cell->tally, 1, 1, cell->items);
	if (!err && cell->variant != FUSED)
		err = make_pipeline(cell, s);
	return err;
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_pipeline_free(s->pipeline);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	weft_pipeline_stop(s->pipeline);
}

/* --- the source --- */

/* How many are inside, as the source can tell: the sink counts what it has
 * received a little later than that has left. */
static void look_inside(struct state *s, uint64_t sent)
{
	uint64_t received = weft_load_acquire(&s->received);

	if (sent - received > s->inside)
		s->inside = sent - received;
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

static inline int send_items(const struct kernel_batch *b)
{
	struct state *s = b->cell->state;
	size_t done;
	int err;

	err = b->n == 1 ? weft_pipeline_send(s->pipeline, b->m, WEFT_FOREVER)
	                : weft_pipeline_send_many(s->pipeline, b->m, b->n,
	                                          &done, WEFT_FOREVER);
	if (s->tokens)
		look_inside(s, b->seq + b->n);
	look_at_queues(s, b->seq + b->n);
	return err;
}

static void run_source(struct cell *cell)
{
	struct state *s = cell->state;
	int err = kernel_produce(cell, 0, 1, cell->message[SOURCE], cell->batch,
	                         send_items);

	s->all_in = weft_now();
	kernel_fail(cell, err);
	weft_pipeline_close(s->pipeline);
}

/* --- the sink --- */

/* The x of a result: first the one that is next if all is well, because a
 * multiplication is cheaper than a root. False when there is none. */
static bool root_of(uint64_t result, uint64_t guess, uint64_t *x)
{
	uint64_t r = result - 10;

	*x = guess;
	if (r == guess * guess)
		return true;
	if (result < 10 ||
	    r >= (uint64_t)KERNEL_ITEMS_MAX * (uint64_t)KERNEL_ITEMS_MAX)
		return false;
	*x = (uint64_t)sqrt((double)r);
	return *x * *x == r;
}

/* Look at n results, the first of which should be that of `guess`. Returns the
 * x behind the last one's. */
static inline uint64_t look_at_all(struct cell *cell, const unsigned char *m,
                                   size_t n, uint64_t guess)
{
	int64_t now = kernel_now(cell);
	uint64_t x = guess;

	for (size_t i = 0; i < n; i++, x++, m += cell->payload) {
		if (root_of(message_value(m), x, &x))
			kernel_count(cell, 0, 0, x, m, x);
		else
			tally_corrupt(cell->tally, 0, message_value(m));
		kernel_record_at(cell, 0, x, now);
	}
	return x;
}

static inline int receive(const struct cell *cell, unsigned char *m, size_t *n)
{
	const struct state *s = cell->state;
	int err;

	if (cell->batch > 1)
		return weft_pipeline_recv_many(s->pipeline, m, cell->batch, n,
		                               WEFT_FOREVER);
	err = weft_pipeline_recv(s->pipeline, m, WEFT_FOREVER);
	*n = !err;
	return err;
}

static void run_sink(struct cell *cell)
{
	struct state *s = cell->state;
	unsigned char *m = cell->message[SINK];
	uint64_t x = 0, count = 0;
	size_t n;
	int err;

	while (!(err = receive(cell, m, &n))) {
		if (count == 0)
			s->first_out = weft_now();
		x = look_at_all(cell, m, n, x);
		count += n;
		if (s->tokens)
			weft_store_release(&s->received, count);
	}
	s->all_out = weft_now();
	cell->share[0] = count;
	kernel_end(cell, err);
}

/* --- a fused loop --- */

/* What the stages make of a batch. */
static int transform_here(const struct kernel_batch *b)
{
	struct state *s = b->cell->state;
	unsigned char *in = b->cell->message[SINK];
	size_t payload = b->cell->payload;

	for (size_t i = 0; i < b->n; i++) {
		unsigned char *at = b->m + i * payload;

		for (size_t stage = 0; stage < s->stages; stage++) {
			stage_fn(stage, s->stages)(at, in + i * payload,
			                           transform_of(s, stage));
			at = in + i * payload;
		}
	}
	look_at_all(b->cell, in, b->n, b->seq);
	return 0;
}

static void run_fused(struct cell *cell)
{
	kernel_produce(cell, 0, 1, cell->message[SOURCE], cell->batch,
	               transform_here);
	cell->share[0] = cell->items;
}

static void run_driver(struct cell *cell, unsigned driver)
{
	if (cell->variant == FUSED)
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

	if (s->pipeline)
		kernel_error(cell,
		             weft_pipeline_join(s->pipeline, WEFT_FOREVER));
}

/* How long it takes until results come, and until all are out behind the last
 * item. */
static void verify(struct cell *cell, struct text *why)
{
	const struct state *s = cell->state;

	if (!s->pipeline)
		return;
	/* The sink may have received a batch that it has not counted. */
	if (s->tokens && s->inside > s->tokens + cell->batch)
		text_find(why, "%" PRIu64 " items inside, allowed %zu",
		          s->inside, s->tokens);
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

const struct pattern pattern_pipeline = {
	KERNEL(pipeline),
	.flag = "pipeline",
	.title = "Pipeline",
	.summary = "items flow through stages that work at the same time",
	.accept = accept_tasks,
	.stop = stop,
	.verify = verify,
};
