/*
 * The kernel: items are jobs. Each of S submitters hands in its share, and each
 * job that ran is accounted for.
 *
 *	shared    the component, a queue over any channel
 *	stealing  the same, and a deque for each worker
 *	thread    a task for each job, `workers` at a time per submitter
 *	serial    each submitter runs its items itself, in a loop
 *
 * With tree=N a submitter hands in a job for N items, which submits the half of
 * them as a job of its own until one is left: jobs that submit jobs. What has
 * no place in the queue the job does itself.
 *
 * With beside=B there are B more workers, and a second class that has these as
 * its share and twice as many jobs, of 100 ms each: do the others notice?
 */
#include "kernel/kernel.h"
#include "pool.h"

enum variant { SHARED, STEALING, THREAD, SERIAL };
enum job_class { ITEMS, BESIDE, CLASSES };

#define WORKERS_MAX 128
#define SUBMITTERS_MAX 64
#define TREE_MAX 65536
/* Each has its place in memory. */
#define ITEMS_MAX (1 << 22)
#define BESIDE_NS (100 * WEFT_MS)

static const char *const variant_choices[] = { "shared", "stealing", "thread",
	                                       "serial", NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "how jobs come to workers", SHARED, SERIAL,
	            variant_choices, "shared,stealing,thread,serial"),
	KNOB_COUNT("workers", "tasks that run jobs", 2, 1, WORKERS_MAX,
	           "1,2,4,8,32"),
	KNOB_COUNT("submitters", "tasks that submit jobs", 1, 1, SUBMITTERS_MAX,
	           "1,2,8"),
	KNOB_CAP(64, "0,64,4096"),
	{ "tree", "items", "of each job that is handed in; it submits the rest",
	  1, 1, TREE_MAX, NULL, "1,1024" },
	{ "beside", "workers", "that a class of jobs of 100 ms may have", 0, 0,
	  WORKERS_MAX, NULL, "0" },
	{ "items", "items", "jobs per run; 0 = as many as fill the time", 0, 0,
	  ITEMS_MAX, NULL, "0" },
	KNOB_WORK("work", "computation per job", "0,1000,100000"),
	KNOB_WAIT,
	KNOB_END,
};

/* The argument of a job: the items from this one on. */
struct item {
	struct cell *cell;
	uint64_t value;
	uint64_t n;
};

/* One worker's, written by its task. */
struct worker {
	_Alignas(WEFT_CACHE_LINE) uint64_t here; /* halves it did itself */
};

struct state {
	/* Constant once made. */
	struct weft_pool *pool; /* NULL for thread and serial */
	struct weft_ctx *ctx;   /* of the jobs beside */
	struct item *item;
	struct worker *worker;
	unsigned workers, submitters, beside;
	uint64_t tree;

	_Atomic unsigned submitting;   /* submitters that are not through */
	_Atomic int64_t at_once, most; /* of the jobs beside */
};

/* --- what the parameters mean --- */

static bool has_pool(const struct params *p)
{
	return param(p, "variant") <= STEALING;
}

static int accept(const struct params *p, struct text *why)
{
	int64_t cap = param(p, "cap"), tree = param(p, "tree");
	int64_t beside = param(p, "beside");

	if (param(p, "variant") == STEALING && cap == 0)
		text_add(why, "cap=0 with variant=stealing: allowed 1..%d",
		         KERNEL_CAP_MAX);
	else if (!has_pool(p) && tree > 1)
		text_add(why, "tree=%" PRId64 " without a pool: allowed 1..1",
		         tree);
	else if (param(p, "variant") != SHARED && beside)
		text_add(why,
		         "beside=%" PRId64
		         ": allowed 0..0, or with variant=shared",
		         beside);
	else
		return 0;
	return -EINVAL;
}

static void shape(const struct params *p, struct cell_shape *out)
{
	unsigned workers = (unsigned)(param(p, "workers") + param(p, "beside"));
	unsigned submitters = (unsigned)param(p, "submitters");
	bool pool = has_pool(p);

	if (param(p, "variant") == THREAD)
		workers *= submitters;
	out->drivers = submitters;
	out->helpers = param(p, "variant") == SERIAL ? 0 : workers;
	out->consumers = pool ? workers : out->helpers + submitters;
	out->elem_size = sizeof(uint64_t);
	if (!pool || out->cap == 0)
		out->cap = pool ? workers : 1;
	if (!pool)
		return;
	out->senders = submitters;
	if (param(p, "tree") > 1 || param(p, "beside"))
		out->senders += workers;
	out->receivers = workers;
}

/* --- jobs --- */

static uint64_t number_of(const struct state *s, const struct item *it)
{
	return message_seq(it->value) * s->submitters + message_who(it->value);
}

/* One item, by a consumer. */
static void do_item(struct item *it, unsigned consumer)
{
	struct cell *cell = it->cell;

	kernel_record(cell, consumer, number_of(cell->state, it));
	if (cell->work)
		work_for(cell->work);
	tally_count(cell->tally, consumer, (unsigned)message_who(it->value),
	            message_seq(it->value));
	cell->share[consumer]++;
}

static int do_items(void *arg, unsigned worker)
{
	struct item *it = arg, *half;
	struct state *s = it->cell->state;
	int err;

	while (it->n > 1) {
		half = it + (it->n + 1) / 2;
		half->n = it->n / 2;
		it->n -= half->n;
		err = weft_pool_try_submit(s->pool, do_items, half);
		if (err) {
			s->worker[worker].here++;
			do_items(half, worker);
		}
	}
	do_item(it, worker);
	return 0;
}

static void note_most(struct state *s, int64_t n)
{
	int64_t most = weft_load_relaxed(&s->most);

	while (n > most && !weft_cas_relaxed(&s->most, &most, n))
		;
}

static int do_beside(void *arg, unsigned worker)
{
	static const struct weft_job_opts beside = { .job_class = BESIDE };
	struct state *s = arg;

	(void)worker;
	note_most(s, weft_fetch_add_relaxed(&s->at_once, INT64_C(1)) + 1);
	(void)!weft_sleep_ctx(s->ctx, weft_deadline_in(BESIDE_NS));
	weft_fetch_sub_relaxed(&s->at_once, INT64_C(1));
	if (!weft_ctx_err(s->ctx))
		(void)!weft_pool_try_submit_job(s->pool, do_beside, s, &beside);
	return 0;
}

/* --- setup and teardown --- */

static int begin_beside(struct state *s)
{
	static const struct weft_job_opts beside = { .job_class = BESIDE };
	int err = 0;

	for (unsigned i = 0; i < 2 * s->beside && !err; i++)
		err = weft_pool_try_submit_job(s->pool, do_beside, s, &beside);
	return err == -EAGAIN ? 0 : err;
}

static int make_pool(const struct cell *cell, struct state *s)
{
	struct weft_pool_opts opts = {
		.workers = s->workers + s->beside,
		.deal = cell->variant == STEALING ? WEFT_POOL_STEALING
		                                  : WEFT_POOL_SHARED,
		.impl = cell->chan,
		.cap = (size_t)param(&cell->params, "cap"),
		.classes = s->beside ? CLASSES : 1,
		.share = { [BESIDE] = s->beside },
		.wait = cell->wait,
		.submitters = cell->shape.senders,
	};
	int err = weft_ctx_with_cancel(&s->ctx, NULL);

	if (!err)
		err = weft_pool_new(&s->pool, &opts);
	return err ? err : begin_beside(s);
}

static void number_items(struct cell *cell, struct state *s)
{
	struct item *it = s->item;

	for (unsigned id = 0; id < s->submitters; id++) {
		uint64_t n = tally_share(cell->items, s->submitters, id);

		for (uint64_t seq = 0; seq < n; seq++)
			*it++ = (struct item){ cell, message_value_of(id, seq),
				               1 };
	}
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	int err;

	s->workers = (unsigned)param(&cell->params, "workers");
	s->submitters = (unsigned)param(&cell->params, "submitters");
	s->beside = (unsigned)param(&cell->params, "beside");
	s->tree = (uint64_t)param(&cell->params, "tree");
	weft_store_relaxed(&s->submitting, s->submitters);
	cell->in_order = cell->variant == SERIAL;
	if (cell->items > ITEMS_MAX)
		return -EINVAL;
	s->item = calloc(cell->items + 1, sizeof(*s->item));
	s->worker = cacheline_new(cell->shape.consumers, sizeof(*s->worker));
	if (!s->item || !s->worker)
		return -ENOMEM;
	number_items(cell, s);
	err = tally_new(&cell->tally, s->submitters, cell->shape.consumers,
	                cell->items);
	if (err || cell->variant > STEALING)
		return err;
	return make_pool(cell, s);
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_pool_free(s->pool);
	if (s->ctx)
		weft_ctx_unref(s->ctx);
	free(s->item);
	free(s->worker);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	if (!s->pool)
		return;
	weft_ctx_cancel(s->ctx, 0);
	weft_pool_stop(s->pool);
}

/* --- the drivers --- */

/* The job of a task of its own. */
struct slot {
	struct item *it;
	unsigned consumer;
	struct weft_task *task;
};

static int slot_main(void *arg)
{
	const struct slot *slot = arg;

	do_item(slot->it, slot->consumer);
	return 0;
}

/* Once the one before has ended. */
static int spawn(struct slot *slot, struct item *it)
{
	if (slot->task)
		weft_join(slot->task, NULL);
	slot->task = NULL;
	slot->it = it;
	return weft_spawn(&slot->task, NULL, slot_main, slot);
}

/* The item at `it` and those that go with it. */
static int hand_in(struct cell *cell, unsigned id, struct item *it,
                   struct slot *slots)
{
	struct state *s = cell->state;
	uint64_t n = s->workers > 1 ? s->workers : 1;

	if (s->pool)
		return weft_pool_submit(s->pool, do_items, it, WEFT_FOREVER);
	if (cell->variant == THREAD)
		return spawn(&slots[message_seq(it->value) % n], it);
	do_item(it, id);
	return 0;
}

static int hand_in_all(struct cell *cell, unsigned id)
{
	struct state *s = cell->state;
	struct slot slots[WORKERS_MAX] = { 0 };
	uint64_t items = tally_share(cell->items, s->submitters, id), n;
	struct item *it = s->item;
	int err = 0;

	for (unsigned i = 0; i < id; i++)
		it += tally_share(cell->items, s->submitters, i);
	for (unsigned i = 0; i < s->workers; i++)
		slots[i].consumer = id * s->workers + i;
	for (uint64_t seq = 0; seq < items && !err; seq += n) {
		n = items - seq < s->tree ? items - seq : s->tree;
		it[seq].n = n;
		pace_batch(cell, number_of(s, &it[seq + n - 1]), s->submitters,
		           1);
		err = hand_in(cell, id, &it[seq], slots);
	}
	for (unsigned i = 0; i < s->workers; i++)
		if (slots[i].task)
			weft_join(slots[i].task, NULL);
	return err;
}

/* The last one waits for all. */
static void run_driver(struct cell *cell, unsigned id)
{
	struct state *s = cell->state;
	int err = hand_in_all(cell, id);

	kernel_fail(cell, err);
	if (weft_fetch_sub_acq_rel(&s->submitting, 1u) > 1 || err)
		return;
	if (s->pool) {
		weft_ctx_cancel(s->ctx, 0);
		err = weft_pool_wait(s->pool, WEFT_FOREVER);
	}
	kernel_end(cell, err ? err : -EPIPE);
}

/* --- afterwards --- */

static void stop(struct cell *cell)
{
	const struct state *s = cell->state;

	if (!s->pool)
		return;
	weft_ctx_cancel(s->ctx, 0);
	weft_pool_close(s->pool);
	kernel_error(cell, weft_pool_join(s->pool, WEFT_FOREVER));
}

static double percent(uint64_t n, uint64_t of)
{
	return of ? 100.0 * (double)n / (double)of : 0;
}

static void verify(struct cell *cell, struct text *why)
{
	struct state *s = cell->state;
	int64_t most = weft_load_relaxed(&s->most);
	struct weft_pool_stats stats;
	uint64_t here = 0;

	if (!s->pool || weft_pool_stats(s->pool, &stats))
		return;
	if (stats.waiting || stats.running) {
		text_next(why);
		text_add(why, "%" PRIu64 " jobs have not ended",
		         stats.waiting + stats.running);
	}
	if (most > (int64_t)s->beside) {
		text_next(why);
		text_add(why,
		         "%" PRId64 " jobs of a class were run at once, its "
		         "share is %u",
		         most, s->beside);
	}
	for (unsigned i = 0; i < cell->shape.consumers; i++)
		here += s->worker[i].here;
	cell_figure(cell, "stolen", "%", "of the jobs",
	            percent(stats.stolen, stats.submitted));
	cell_figure(cell, "no_place", "%", "of the items, done where they were",
	            percent(here, cell->items));
}

const struct pattern pattern_worker_pool = {
	KERNEL(worker_pool),
	.flag = "pools",
	.title = "Worker Pools",
	.summary = "a number of workers, and jobs that they work off",
	.accept = accept,
	.stop = stop,
	.verify = verify,
};
