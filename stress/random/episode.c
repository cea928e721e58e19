#include "stress/random/episode.h"

#include <errno.h>

#include "stress/conform/ledger.h"
#include "stress/conform/suite.h"

#define TASKS_MAX 8
#define BATCH_MAX 16

/* --- the plan, all of it from the seed --- */

/* The closer, beside the first task, which closes when all senders are done
 * and nobody else has. */
enum closer {
	NOBODY_ELSE,
	A_SENDER,
	A_RECEIVER,
	AN_OUTSIDER,
};

/* How often, of 8, an operation is of each kind. The rest has no deadline. */
struct habits {
	unsigned tries, timed, batches;
	unsigned window; /* of deadlines, in microseconds */
};

struct plan {
	const struct weft_chan_impl *impl;
	uint64_t seed;
	size_t cap, elem;
	enum weft_wait wait;
	unsigned senders, receivers;
	uint32_t each; /* elements of each sender */
	enum closer closer;
	uint32_t close_after; /* operations of the closer */
	struct habits send, recv;
	bool drops; /* what is left goes to drop, and not to a receive */
};

size_t episode_pick_cap(struct rng *rng, const struct weft_chan_impl *impl)
{
	static const size_t caps[] = { 0, 1, 2, 7, 64 };
	size_t cap;

	do
		cap = caps[rng_below(rng, 5)];
	while (weft_chan_impl_accepts(impl, cap, impl->min_elem, NULL, 0));
	return cap;
}

/* 8 bytes half of the time; at least room for a tag. */
size_t episode_pick_elem(struct rng *rng, const struct weft_chan_impl *impl,
                         size_t cap)
{
	static const size_t sizes[] = { 8, 8, 8, 8, 4, 16, 24, 64, 200, 1024 };
	size_t elem;

	for (int i = 0; i < 20; i++) {
		elem = sizes[rng_below(rng, 10)];
		if (!weft_chan_impl_accepts(impl, cap, elem, NULL, 0))
			return elem;
	}
	return impl->min_elem > 4 ? impl->min_elem : 4;
}

static unsigned pick_tasks(struct rng *rng, unsigned max)
{
	unsigned n = rng_below(rng, 8) ? 4 : TASKS_MAX;

	if (max && max < n)
		n = max;
	return 1 + (unsigned)rng_below(rng, n);
}

static struct habits pick_habits(struct rng *rng, bool timeouts)
{
	struct habits h = { .tries = (unsigned)rng_below(rng, 4),
		            .batches = (unsigned)rng_below(rng, 4),
		            .window = 1u << rng_below(rng, 10) };

	h.timed = timeouts ? (unsigned)rng_below(rng, 5) : 0;
	return h;
}

static void plan_make(struct plan *p, const struct weft_chan_impl *impl,
                      uint64_t seed)
{
	struct rng rng;

	rng_seed(&rng, seed);
	*p = (struct plan){ .impl = impl, .seed = seed };
	p->cap = episode_pick_cap(&rng, impl);
	p->elem = episode_pick_elem(&rng, impl, p->cap);
	p->wait = (enum weft_wait)rng_below(&rng, 3);
	p->senders = pick_tasks(&rng, impl->max_senders);
	p->receivers = pick_tasks(&rng, impl->max_receivers);
	p->each = 1 + (uint32_t)rng_below(&rng, 400);
	p->closer = (enum closer)rng_below(&rng, 4);
	p->close_after = (uint32_t)rng_below(&rng, 2ul * p->each);
	p->send = pick_habits(&rng, impl->can & WEFT_CAN_TIMEOUT);
	p->recv = pick_habits(&rng, impl->can & WEFT_CAN_TIMEOUT);
	p->drops = rng_below(&rng, 2);
}

static void plan_say(const struct plan *p)
{
	static const char *const waits[] = { "adaptive", "spin", "park" };
	static const char *const closers[] = { "the first task", "a sender",
		                               "a receiver", "an outsider" };

	vital_where("capacity %zu, elements of %zu bytes, wait %s, %u senders "
	            "of up to %u, %u receivers, %s closes",
	            p->cap, p->elem, waits[p->wait], p->senders, p->each,
	            p->receivers, closers[p->closer]);
}

/* --- under way --- */

struct episode {
	struct plan plan;
	struct weft_chan *c;
	struct ledger ledger;
	bool ordered;
	struct ledger_order at_last; /* of the task that drains what is left */

	_Atomic unsigned next_sender, next_receiver;
	_Atomic unsigned closes; /* that returned 0 */
	_Atomic bool closed;     /* one has returned */
	_Atomic bool ended;      /* a receive has returned -EPIPE */
	_Atomic uint64_t sent, received;
};

enum kind {
	KIND_PLAIN,
	KIND_TRY,
	KIND_TIMED,
	KIND_BATCH,
};

static enum kind pick_kind(const struct habits *h)
{
	unsigned x = (unsigned)(weft_rand() % 8);

	if (x < h->tries)
		return KIND_TRY;
	if (x < h->tries + h->timed)
		return KIND_TIMED;
	return weft_rand() % 8 < h->batches ? KIND_BATCH : KIND_PLAIN;
}

static int64_t pick_deadline(const struct habits *h, enum kind kind)
{
	if (kind == KIND_PLAIN || (kind == KIND_BATCH && h->timed == 0))
		return WEFT_FOREVER;
	return weft_deadline_in((int64_t)(weft_rand() % h->window) * WEFT_US);
}

/* What may be returned by a call of that kind, beside 0 and -EPIPE. */
static void must_be_allowed(int err, enum kind kind, int64_t deadline_ns,
                            const char *what)
{
	if (err == 0 || err == -EPIPE)
		return;
	REQUIRE(err == (kind == KIND_TRY ? -EAGAIN : -ETIMEDOUT),
	        "%s returned %s", what, code_name(err));
	REQUIRE(kind == KIND_TRY || deadline_ns != WEFT_FOREVER,
	        "%s without a deadline timed out", what);
	REQUIRE(kind == KIND_TRY || weft_now() >= deadline_ns,
	        "%s timed out before its deadline", what);
}

/* Some time between operations, so that the tasks drift. */
static void idle(void)
{
	uint64_t x = weft_rand();

	if (x % 16 == 0)
		weft_yield();
	for (x = x % 8 ? 0 : x / 8 % 200; x > 0; x--)
		weft_relax();
}

static void close_it(struct episode *e)
{
	int err = weft_chan_close(e->c);

	REQUIRE(err == 0 || err == -EPIPE, "close returned %s", code_name(err));
	weft_fetch_add_relaxed(&e->closes, err == 0 ? 1u : 0u);
	weft_store_release(&e->closed, true);
}

/* --- senders --- */

static bool is_over(struct episode *e)
{
	return weft_load_acquire(&e->closed) || weft_load_acquire(&e->ended);
}

/* Send up to n elements from *next. Returns what the call did. */
static int send_some(struct episode *e, unsigned id, uint32_t *next)
{
	const struct habits *h = &e->plan.send;
	enum kind kind = pick_kind(h);
	int64_t deadline = pick_deadline(h, kind);
	uint32_t tags[BATCH_MAX] = { 0 }, left = e->plan.each - *next;
	size_t n = kind == KIND_BATCH ? 1 + weft_rand() % BATCH_MAX : 1;
	size_t done = 0;
	bool over = is_over(e);
	int err;

	n = n < left ? n : left;
	for (size_t i = 0; i < n; i++)
		tags[i] = ledger_tag(id, (*next)++);
	if (kind == KIND_BATCH)
		err = tag_send_many(e->c, tags, n, &done, deadline);
	else if (kind == KIND_TRY)
		err = tag_try_send(e->c, tags[0]);
	else
		err = tag_send(e->c, tags[0], deadline);
	if (kind != KIND_BATCH)
		done = err == 0;
	must_be_allowed(err, kind, deadline, "a send");
	REQUIRE(!over || done == 0, "a send succeeded after close");
	for (size_t i = 0; i < n; i++)
		ledger_sent(&e->ledger, tags[i], i < done);
	weft_fetch_add_relaxed(&e->sent, (uint64_t)done);
	return err;
}

static int sender(void *arg)
{
	struct episode *e = arg;
	unsigned id = weft_fetch_add_relaxed(&e->next_sender, 1u);
	bool closes = e->plan.closer == A_SENDER && id == 0;
	uint32_t next = 0, ops = 0;
	int err = 0;

	while (next < e->plan.each && err != -EPIPE) {
		if (closes && ops++ == e->plan.close_after)
			close_it(e);
		err = send_some(e, id, &next);
		idle();
	}
	weft_chan_unref(e->c);
	return 0;
}

/* --- receivers --- */

static int recv_some(struct episode *e, struct ledger_order *order)
{
	const struct habits *h = &e->plan.recv;
	enum kind kind = pick_kind(h);
	int64_t deadline = pick_deadline(h, kind);
	uint32_t tags[BATCH_MAX];
	size_t n = 1;
	int err;

	if (kind == KIND_BATCH)
		err = tag_recv_many(e->c, tags, 1 + weft_rand() % BATCH_MAX, &n,
		                    deadline);
	else if (kind == KIND_TRY)
		err = tag_try_recv(e->c, tags);
	else
		err = tag_recv(e->c, tags, deadline);
	must_be_allowed(err, kind, deadline, "a receive");
	for (size_t i = 0; !err && i < n; i++)
		ledger_received(&e->ledger, tags[i], order);
	if (!err)
		weft_fetch_add_relaxed(&e->received, (uint64_t)n);
	return err;
}

static void look(struct episode *e)
{
	size_t len = weft_chan_len(e->c), cap = weft_chan_cap(e->c);

	REQUIRE(len <= cap, "len is %zu on a capacity of %zu", len, cap);
}

/* A receiver that closes may leave at once, with elements inside. */
static int receiver(void *arg)
{
	struct episode *e = arg;
	struct ledger_order order = { { 0 } };
	unsigned id = weft_fetch_add_relaxed(&e->next_receiver, 1u);
	bool closes = e->plan.closer == A_RECEIVER && id == 0;
	uint32_t ops = 0;
	int err = 0;

	while (err != -EPIPE) {
		if (closes && ops++ == e->plan.close_after) {
			close_it(e);
			if (e->plan.drops)
				break;
		}
		err = recv_some(e, e->ordered ? &order : NULL);
		if (weft_rand() % 32 == 0)
			look(e);
		idle();
	}
	if (err == -EPIPE)
		weft_store_release(&e->ended, true);
	weft_chan_unref(e->c);
	return 0;
}

static int outsider(void *arg)
{
	struct episode *e = arg;

	for (uint32_t i = 0; i < e->plan.close_after; i++) {
		idle();
		look(e);
	}
	close_it(e);
	weft_chan_unref(e->c);
	return 0;
}

/* --- the end --- */

static void on_drop(void *elem, void *arg)
{
	struct episode *e = arg;

	ledger_received(&e->ledger, elem_tag(elem, e->plan.elem),
	                e->ordered ? &e->at_last : NULL);
}

/* All tasks are gone, but what they left may still be inside. */
static void take_what_is_left(struct episode *e)
{
	uint32_t tag;
	int err = 0;

	while (!e->plan.drops && (err = tag_try_recv(e->c, &tag)) == 0)
		ledger_received(&e->ledger, tag,
		                e->ordered ? &e->at_last : NULL);
	if (!e->plan.drops)
		MUST(err, -EPIPE);
	weft_chan_unref(e->c);
	ledger_close(&e->ledger);
}

static void start_n(struct episode *e, struct weft_task **task, unsigned n,
                    const char *name, weft_task_fn fn)
{
	for (unsigned i = 0; i < n; i++) {
		weft_chan_ref(e->c);
		task[i] = task_start(name, fn, e);
	}
}

/* Nobody closes yet, so nobody wakes a receiver by that: if a wake-up was
 * lost, an element stays where it is, and this does not return. */
static void await_all_received(struct episode *e)
{
	while (weft_load_relaxed(&e->received) != weft_load_relaxed(&e->sent))
		weft_yield();
}

static int first_task(void *arg)
{
	struct episode *e = arg;
	const struct plan *p = &e->plan;
	struct weft_task *s[TASKS_MAX] = { 0 }, *r[TASKS_MAX] = { 0 },
	                 *o = NULL;

	start_n(e, r, p->receivers, "receiver", receiver);
	start_n(e, s, p->senders, "sender", sender);
	if (p->closer == AN_OUTSIDER)
		start_n(e, &o, 1, "outsider", outsider);
	for (unsigned i = 0; i < p->senders; i++)
		task_finish(s[i]);
	if (p->closer == NOBODY_ELSE)
		await_all_received(e);
	close_it(e);
	for (unsigned i = 0; i < p->receivers; i++)
		task_finish(r[i]);
	if (o)
		task_finish(o);
	REQUIRE(weft_load_relaxed(&e->closes) == 1, "%u closes returned 0",
	        weft_load_relaxed(&e->closes));
	return 0;
}

bool episode_applies(const struct weft_chan_impl *impl, const char **why)
{
	*why = NULL;
	if (impl->can & WEFT_NO_DATA)
		*why = "moves no elements";
	else if (impl->max_elem && impl->max_elem < 4)
		*why = "takes no elements of 4 bytes or more";
	return !*why;
}

uint64_t episode_run(const struct weft_chan_impl *impl, uint64_t seed)
{
	struct episode e = { .c = NULL };
	struct weft_run_opts run = { .seed = seed, .name = "first task" };
	struct weft_chan_opts opts = { .drop_arg = &e };

	plan_make(&e.plan, impl, seed);
	plan_say(&e.plan);
	e.ordered = impl->can & (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO);
	opts.wait = e.plan.wait;
	opts.drop = e.plan.drops ? on_drop : NULL;
	MUST(weft_chan_new(&e.c, impl, e.plan.cap, e.plan.elem, &opts), 0);
	ledger_init(&e.ledger, e.plan.senders, e.plan.each);
	MUST(weft_run(WEFT_THREADS, &run, first_task, &e), 0);
	take_what_is_left(&e);
	ledger_fini(&e.ledger);
	return weft_load_relaxed(&e.sent);
}
