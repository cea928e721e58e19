/*
 * The kernel: W workers, each of which acquires a resource, uses it and gives
 * it back; and every run is watched for more of them existing than may, for two
 * holders of one, and for one that is not destroyed exactly once.
 *
 *	synthetic  the component; a resource is `create` ns of computation
 *	tcp        the component; a resource is a connection to an echo server
 *	           that the kernel starts on the loopback, and its use a word
 *	           that is sent and must come back
 *	channel    what is idle is in a buffered channel, and a count says how
 *	           many there are; resources as in synthetic
 *
 * An item is one acquire. With `broken`, so many of 1000 end with a resource
 * that its holder has destroyed instead of giving it back.
 */
#include <weft/patterns/respool.h>

#include "kernel/kernel.h"
#include "resource_pool/echo.h"

enum variant { SYNTHETIC, TCP, CHANNEL };

#define WORKERS_MAX 256
#define MAX_MAX 1024

static const char *const variant_choices[] = { "synthetic", "tcp", "channel",
	                                       NULL };

static const struct knob knobs[] = {
	KNOB_CHOICE("variant", "what holds the resources, and what they are",
	            SYNTHETIC, CHANNEL, variant_choices,
	            "synthetic,tcp,channel"),
	KNOB_COUNT("workers", "tasks that acquire and release", 2, 1,
	           WORKERS_MAX, "1,2,4,8,16"),
	KNOB_COUNT("max", "resources that exist at most", 2, 1, MAX_MAX,
	           "1,2,8,64"),
	KNOB_COUNT("idle", "idle ones at most; 0 = max", 0, 0, MAX_MAX, "0,1"),
	{ "create", "ns", "computation that makes a resource", 1000, 0,
	  1000000000, NULL, "0,1000,100000" },
	KNOB_COUNT("broken", "of 1000 are destroyed by their holders", 0, 0,
	           1000, "0,10"),
	KNOB_ITEMS,
	{ "work", "ns", "computation with the resource held", 100, 0,
	  1000000000, NULL, "0,100,10000" },
	KNOB_WAIT,
	KNOB_END,
};

/* One resource: the kernel's own account of it. */
struct thing {
	_Alignas(WEFT_CACHE_LINE) _Atomic bool exists;
	_Atomic unsigned holder; /* a worker's id + 1; 0 when idle */
	int fd;
};

/* One worker's, written by its task. */
struct worker {
	_Alignas(WEFT_CACHE_LINE) int64_t longest_ns, waited_ns;
	uint64_t waited;
	uint64_t stolen, corrupt, garbled, uneven;
};

struct state {
	/* Constant once made. */
	struct weft_respool *pool;
	struct weft_chan *idle;
	struct echo echo;
	struct thing *thing; /* one more than may exist */
	unsigned max, workers, broken;
	int64_t create_ns;
	struct worker *worker;

	/* At the end. */
	struct weft_respool_stats stats;
	uint64_t overtaken, corrupt;

	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned exist, most;
	_Atomic unsigned places; /* that are taken; of variant=channel */
	_Atomic uint64_t created, destroyed, twice;
};

/* --- what the parameters mean --- */

static int accept_cell(const struct params *p, struct text *why)
{
	int64_t max = param(p, "max"), idle = param(p, "idle");

	if (idle > max)
		text_add(why,
		         "idle=%" PRId64 " with max=%" PRId64
		         ": allowed 0..%" PRId64,
		         idle, max, max);
	else if (param(p, "broken") && param(p, "variant") == CHANNEL)
		text_add(why,
		         "broken=%" PRId64 " with variant=channel: allowed "
		         "0..0, or nothing would end a wait",
		         param(p, "broken"));
	else
		return 0;
	return -EINVAL;
}

/* Of what is broken each acquire makes another. */
static double least_ns(const struct params *p, uint64_t items)
{
	int64_t max = param(p, "max"), workers = param(p, "workers");
	double made = (double)items * (double)param(p, "broken") / 1000;
	double at_once = (double)(max < workers ? max : workers);

	return (made / at_once + 1) * (double)param(p, "create");
}

static void shape(const struct params *p, struct cell_shape *out)
{
	int64_t idle = param(p, "idle"), max = param(p, "max");

	out->drivers = out->consumers = (unsigned)param(p, "workers");
	out->elem_size = sizeof(uint64_t);
	out->cap = 1; /* without idle ones inside any channel will do */
	/* No more connections than there are workers to need one. */
	if (param(p, "variant") == TCP)
		out->helpers =
		        1 + (max < out->drivers ? (unsigned)max : out->drivers);
	if (param(p, "variant") != CHANNEL)
		return;
	out->cap = (size_t)(idle ? idle : max);
	out->senders = out->receivers = out->drivers;
	/* A lack of room says that there are idle ones enough. */
	if (idle && idle < max)
		out->needs = WEFT_CAN_BOUNDED;
}

/* --- resources --- */

static void note_most(struct state *s, unsigned exist)
{
	unsigned most = weft_load_relaxed(&s->most);

	while (exist > most && !weft_cas_relaxed(&s->most, &most, exist))
		;
}

/* An account that is free; NULL when more exist than there is one for. */
static struct thing *open_account(struct state *s)
{
	for (unsigned i = 0; i <= s->max; i++) {
		bool exists = false;

		if (weft_cas_acq_rel(&s->thing[i].exists, &exists, true))
			return &s->thing[i];
	}
	return NULL;
}

static int create(void **res, void *arg)
{
	struct state *s = arg;
	struct thing *t;

	note_most(s, weft_fetch_add_relaxed(&s->exist, 1u) + 1);
	t = open_account(s);
	if (!t) {
		weft_fetch_sub_relaxed(&s->exist, 1u);
		return -EOVERFLOW;
	}
	weft_store_relaxed(&t->holder, 0u);
	t->fd = -1;
	if (s->echo.fd >= 0) {
		t->fd = echo_connect(&s->echo);
		if (t->fd < 0) {
			weft_store_release(&t->exists, false);
			weft_fetch_sub_relaxed(&s->exist, 1u);
			return echo_cause(&s->echo, t->fd);
		}
	}
	if (s->create_ns)
		work_for(s->create_ns);
	weft_fetch_add_relaxed(&s->created, UINT64_C(1));
	*res = t;
	return 0;
}

static void destroy(void *res, void *arg)
{
	struct state *s = arg;
	struct thing *t = res;
	bool exists = true;
	int fd = t->fd;

	if (!weft_cas_acq_rel(&t->exists, &exists, false)) {
		weft_fetch_add_relaxed(&s->twice, UINT64_C(1));
		return;
	}
	if (fd >= 0)
		close(fd);
	weft_fetch_sub_relaxed(&s->exist, 1u);
	weft_fetch_add_relaxed(&s->destroyed, UINT64_C(1));
}

/* --- setup and teardown --- */

static int make(struct cell *cell, struct state *s)
{
	const struct weft_respool_opts pool = {
		.max = s->max,
		.idle_max = (unsigned)param(&cell->params, "idle"),
		.create = create,
		.destroy = destroy,
		.arg = s,
		.wait = cell->wait,
	};
	const struct weft_chan_opts chan = { .wait = cell->wait };
	int err = 0;

	if (cell->variant == CHANNEL)
		return weft_chan_new(&s->idle, cell->chan, cell->cap,
		                     sizeof(uint64_t), &chan);
	if (cell->variant == TCP)
		err = echo_start(&s->echo);
	return err ? err : weft_respool_new(&s->pool, &pool);
}

static int setup(struct cell *cell)
{
	struct state *s = cell->state;
	const struct params *p = &cell->params;

	s->echo.fd = -1;
	s->max = (unsigned)param(p, "max");
	s->workers = (unsigned)param(p, "workers");
	s->broken = (unsigned)param(p, "broken");
	s->create_ns = param(p, "create");
	s->worker = cacheline_new(s->workers, sizeof(*s->worker));
	s->thing = cacheline_new(s->max + 1, sizeof(*s->thing));
	return s->worker && s->thing ? make(cell, s) : -ENOMEM;
}

static void teardown(struct cell *cell)
{
	struct state *s = cell->state;

	weft_respool_free(s->pool);
	weft_chan_unref(s->idle);
	free(s->worker);
	free(s->thing);
}

static void halt(struct cell *cell)
{
	struct state *s = cell->state;

	if (s->pool)
		weft_respool_stop(s->pool);
	if (s->idle)
		weft_chan_close(s->idle);
}

/* --- variant=channel, as the seed does it --- */

#define TAG UINT64_C(0x7265736f)

static uint64_t ticket_of(const struct state *s, const struct thing *t)
{
	return TAG << 32 | (uint64_t)(t - s->thing);
}

/* What a ticket stands for; NULL when it is none. */
static struct thing *thing_of(const struct state *s, uint64_t ticket)
{
	uint64_t i = ticket & UINT32_MAX;

	return ticket >> 32 == TAG && i <= s->max ? &s->thing[i] : NULL;
}

/* Make one, if there is a place for it: -EAGAIN when there is not. */
static int make_one(struct state *s, void **out)
{
	unsigned places = weft_load_relaxed(&s->places);

	do {
		if (places >= s->max)
			return -EAGAIN;
	} while (!weft_cas_acq_rel(&s->places, &places, places + 1));
	return create(out, s);
}

static int take_idle(struct state *s, struct worker *w, void **out,
                     bool may_wait)
{
	uint64_t ticket;
	int err = may_wait ? weft_chan_recv(s->idle, &ticket, WEFT_FOREVER)
	                   : weft_chan_try_recv(s->idle, &ticket);

	if (err)
		return err;
	*out = thing_of(s, ticket);
	if (*out)
		return 0;
	w->corrupt++;
	return -EAGAIN;
}

static int take(struct state *s, struct worker *w, void **out, bool may_wait)
{
	int err;

	do {
		err = take_idle(s, w, out, false);
		if (err == -EAGAIN)
			err = make_one(s, out);
		if (err == -EAGAIN && may_wait)
			err = take_idle(s, w, out, true);
	} while (err == -EAGAIN && may_wait);
	return err;
}

/* What finds no room is destroyed: then others are idle. */
static int give(struct cell *cell, struct thing *t)
{
	struct state *s = cell->state;
	uint64_t ticket = ticket_of(s, t);
	int err;

	if (cell->cap >= s->max)
		return weft_chan_send(s->idle, &ticket, WEFT_FOREVER);
	err = weft_chan_try_send(s->idle, &ticket);
	if (err != -EAGAIN)
		return err;
	destroy(t, s);
	weft_fetch_sub_acq_rel(&s->places, 1u);
	return 0;
}

/* --- the drivers --- */

/* Without a wait if possible, and else timed. */
static int acquire(struct state *s, struct worker *w, struct weft_resource *r)
{
	int64_t since, ns;
	int err = s->idle ? take(s, w, &r->res, false)
	                  : weft_respool_acquire(s->pool, r, WEFT_NOW);

	if (err != -EAGAIN && err != -ETIMEDOUT)
		return err;
	since = weft_now();
	err = s->idle ? take(s, w, &r->res, true)
	              : weft_respool_acquire(s->pool, r, WEFT_FOREVER);
	ns = weft_now() - since;
	w->waited++;
	w->waited_ns += ns;
	w->longest_ns = ns > w->longest_ns ? ns : w->longest_ns;
	return err;
}

/* A word goes there and comes back; or a while passes. */
static int use(struct cell *cell, struct worker *w, const struct thing *t,
               uint64_t value)
{
	const struct state *s = cell->state;
	uint64_t back = value;
	int err = 0;

	if (t->fd >= 0)
		err = echo_call(t->fd, message_check(value), &back);
	w->garbled += t->fd >= 0 && !err && back != message_check(value);
	if (cell->work)
		work_for(cell->work);
	return echo_cause(&s->echo, err);
}

static int give_back(struct cell *cell, const struct weft_resource *r,
                     struct thing *t, uint64_t value)
{
	struct state *s = cell->state;

	if (s->idle)
		return give(cell, t);
	if (s->broken && message_check(value) % 1000 < s->broken)
		return weft_respool_destroy(s->pool, r);
	return weft_respool_release(s->pool, r);
}

/* Any moment will do: the figures must add up at all of them. */
static bool adds_up(const struct weft_respool_stats *f)
{
	return f->created == f->idle + f->held + f->destroying + f->destroyed +
	                             f->hijacked &&
	       f->creating + f->idle + f->held + f->destroying <= f->max &&
	       f->acquired == f->reused + f->fresh + f->handed;
}

static void look_at_figures(const struct state *s, struct worker *w)
{
	struct weft_respool_stats f;

	if (s->pool && !weft_respool_stats(s->pool, &f))
		w->uneven += !adds_up(&f);
}

static int run_item(struct cell *cell, unsigned id, uint64_t seq)
{
	struct state *s = cell->state;
	struct worker *w = &s->worker[id];
	uint64_t item = seq * s->workers + id;
	uint64_t value = message_value_of(id, seq);
	struct weft_resource r = { .res = NULL };
	struct thing *t;
	unsigned nobody = 0, me = id + 1;
	int err, last;

	pace_batch(cell, item, s->workers, 1);
	err = acquire(s, w, &r);
	if (err)
		return err;
	t = r.res;
	kernel_record(cell, id, item);
	w->stolen += !weft_cas_acq_rel(&t->holder, &nobody, me);
	err = use(cell, w, t, value);
	w->stolen += !weft_cas_acq_rel(&t->holder, &me, 0u);
	last = give_back(cell, &r, t, value);
	if (seq % 256 == 0)
		look_at_figures(s, w);
	cell->share[id] += !err && !last;
	return err ? err : last;
}

static void run_driver(struct cell *cell, unsigned id)
{
	const struct state *s = cell->state;
	uint64_t items = tally_share(cell->items, s->workers, id);
	int err = 0;

	for (uint64_t seq = 0; seq < items && !err; seq++)
		err = run_item(cell, id, seq);
	kernel_end(cell, err ? err : -EPIPE);
}

/* --- afterwards: the order of the line --- */

#define LINE 3

struct fifo {
	struct weft_respool *pool;
	_Atomic unsigned turn; /* how many have had theirs */
	_Atomic uint64_t overtaken;
};

struct waiter {
	struct fifo *f;
	unsigned place;
	struct weft_task *task;
};

static int wait_in_line(void *arg)
{
	struct waiter *w = arg;
	struct weft_resource r;
	int err = weft_respool_acquire(w->f->pool, &r, WEFT_FOREVER);

	if (err)
		return err;
	if (weft_fetch_add_acq_rel(&w->f->turn, 1u) != w->place)
		weft_fetch_add_relaxed(&w->f->overtaken, UINT64_C(1));
	return weft_respool_release(w->f->pool, &r);
}

/* One more task that waits, once it does. */
static int add_waiter(struct fifo *f, struct waiter *w, unsigned place)
{
	struct weft_respool_stats stats;
	int err;

	*w = (struct waiter){ f, place, NULL };
	err = weft_spawn(&w->task, NULL, wait_in_line, w);
	for (unsigned turn = 0; !err; turn++) {
		err = weft_respool_stats(f->pool, &stats);
		if (stats.waiting > place)
			return 0;
		weft_relent(turn);
	}
	return err;
}

/* A few tasks come one after the other to a pool of one, which is held. */
static int try_line(struct cell *cell, struct state *s)
{
	const struct weft_respool_opts opts = { .max = 1,
		                                .create = create,
		                                .destroy = destroy,
		                                .arg = s,
		                                .wait = cell->wait };
	struct waiter w[LINE];
	struct fifo f = { .turn = 0 };
	struct weft_resource r;
	unsigned n = 0;
	int err = weft_respool_new(&f.pool, &opts);

	if (err)
		return err;
	err = weft_respool_acquire(f.pool, &r, WEFT_FOREVER);
	for (; n < LINE && !err; n += !err)
		err = add_waiter(&f, &w[n], n);
	if (err)
		weft_respool_stop(f.pool);
	else
		err = weft_respool_release(f.pool, &r);
	for (unsigned i = 0; i < n; i++)
		weft_join(w[i].task, NULL);
	weft_respool_free(f.pool);
	s->overtaken = weft_load_relaxed(&f.overtaken);
	return err;
}

static void empty_channel(struct state *s)
{
	struct thing *t;
	uint64_t ticket;

	while (!weft_chan_try_recv(s->idle, &ticket)) {
		t = thing_of(s, ticket);
		if (t)
			destroy(t, s);
		s->corrupt += !t;
	}
}

static void stop(struct cell *cell)
{
	struct state *s = cell->state;

	if (s->idle)
		empty_channel(s);
	if (s->pool) {
		weft_respool_close(s->pool);
		weft_respool_stats(s->pool, &s->stats);
		kernel_error(cell, try_line(cell, s));
	}
	echo_end(&s->echo);
}

static struct worker sum(const struct state *s)
{
	struct worker all = { 0 };

	for (unsigned i = 0; i < s->workers; i++) {
		const struct worker *w = &s->worker[i];

		all.waited += w->waited;
		all.waited_ns += w->waited_ns;
		all.stolen += w->stolen;
		all.corrupt += w->corrupt;
		all.garbled += w->garbled;
		all.uneven += w->uneven;
		if (w->longest_ns > all.longest_ns)
			all.longest_ns = w->longest_ns;
	}
	return all;
}

static void verify(struct cell *cell, struct text *why)
{
	struct state *s = cell->state;
	struct worker all = sum(s);
	unsigned most = weft_load_relaxed(&s->most);
	uint64_t created = weft_load_relaxed(&s->created);
	double items = cell->items ? (double)cell->items : 1;

	text_count(why, "resources existed at once beyond those that may",
	           most > s->max ? most - s->max : 0);
	text_count(why, "times a resource had two holders", all.stolen);
	text_count(why, "resources were destroyed twice",
	           weft_load_relaxed(&s->twice));
	text_count(why, "resources were corrupt", all.corrupt + s->corrupt);
	text_count(why, "resources were not destroyed",
	           created - weft_load_relaxed(&s->destroyed));
	text_count(why, "answers of the echo server were wrong", all.garbled);
	text_count(why, "times the figures did not add up", all.uneven);
	text_count(why, "tasks were overtaken in line", s->overtaken);
	created -= s->pool != NULL && created; /* that of try_line() */
	cell_figure(cell, "created", "", "resources", (double)created);
	cell_figure(cell, "hits", "%",
	            "of the acquires were of one made before",
	            cell->items ? 100.0 * (1 - (double)created / items) : 100);
	cell_figure(cell, "waited", "%", "of the acquires",
	            100.0 * (double)all.waited / items);
	cell_figure(cell, "mean_wait", "us", "of the acquires that waited",
	            all.waited
	                    ? (double)all.waited_ns / 1e3 / (double)all.waited
	                    : 0);
	cell_figure(cell, "longest_wait", "us", "for a resource",
	            (double)all.longest_ns / 1e3);
}

const struct pattern pattern_resource_pool = {
	KERNEL(resource_pool),
	.flag = "resource-pooling",
	.title = "Resource Pooling",
	.summary = "costly things, such as connections, made once and shared",
	.accept = accept_cell,
	.least_ns = least_ns,
	.stop = stop,
	.verify = verify,
};
