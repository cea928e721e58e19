#include "stress/conform/mesh.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- one operation --- */

/* Its kinds, as in traffic.h; one that waits is KIND_PLAIN. */
enum kind {
	KIND_PLAIN,
	KIND_TRY,
	KIND_TIMED,
};

static enum kind pick_kind(const struct mesh_task *t)
{
	unsigned x = (unsigned)(weft_rand() % 8);

	if (x < t->habits.tries)
		return KIND_TRY;
	return x < t->habits.tries + t->habits.timed ? KIND_TIMED : KIND_PLAIN;
}

static int64_t pick_deadline(const struct mesh_task *t, enum kind kind)
{
	if (kind == KIND_PLAIN)
		return WEFT_FOREVER;
	if (kind == KIND_TRY)
		return WEFT_NOW;
	return weft_deadline_in((int64_t)(weft_rand() % t->habits.window) *
	                        WEFT_US);
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

static bool has_to_send(const struct mesh_task *t)
{
	return t->sends && t->next < t->each;
}

/* One of the bits, at random. */
static unsigned pick_bit(unsigned bits)
{
	unsigned k = (unsigned)weft_rand() % (unsigned)__builtin_popcount(bits);

	while (k-- > 0)
		bits &= bits - 1;
	return (unsigned)__builtin_ctz(bits);
}

static unsigned some_bits(unsigned bits)
{
	return bits & (unsigned)weft_rand();
}

/* --- what came of it --- */

/* What the task saw before it called. */
static bool is_closed(const struct mesh_task *t, unsigned chan)
{
	return weft_load_acquire(&t->mesh->chan[chan].closed);
}

static void must_be_closing(const struct mesh_task *t, unsigned chan)
{
	REQUIRE(weft_load_acquire(&t->mesh->chan[chan].closing),
	        "a call on channel %u returned -EPIPE before anybody had "
	        "closed it",
	        chan);
}

static void sent(struct mesh_task *t, unsigned chan, uint32_t tag, int err,
                 bool too_late)
{
	ledger_sent(&t->mesh->ledger, tag, err == 0);
	if (err == -EPIPE) {
		must_be_closing(t, chan);
		t->sends &= ~(1u << chan);
		return;
	}
	MUST_OF("send", err, 0);
	REQUIRE(!too_late, "a send succeeded after channel %u was closed",
	        chan);
	weft_fetch_add_relaxed(&t->mesh->sent, 1u);
}

static void received(struct mesh_task *t, unsigned chan, uint32_t tag, int err)
{
	if (err == -EPIPE) {
		must_be_closing(t, chan);
		t->receives &= ~(1u << chan);
		return;
	}
	MUST_OF("recv", err, 0);
	ledger_received(&t->mesh->ledger, tag,
	                t->mesh->chan[chan].ordered ? &t->order[chan] : NULL);
	weft_fetch_add_relaxed(&t->mesh->received, 1u);
}

/* --- contexts --- */

static struct weft_ctx *ctx_new(void)
{
	struct weft_ctx *ctx = NULL;

	if (weft_rand() % 3 == 0)
		MUST(weft_ctx_with_timeout(&ctx, NULL,
		                           (int64_t)(weft_rand() % 500) *
		                                   WEFT_US),
		     0);
	else
		MUST(weft_ctx_with_cancel(&ctx, NULL), 0);
	return ctx;
}

/* One of those that are shared, or NULL for none. The reference belongs to
 * ctx_drop(). */
static struct weft_ctx *ctx_take(struct mesh *m)
{
	uint64_t i = weft_rand() % (2 * MESH_CTXS);
	struct weft_ctx *ctx;

	if (!m->cancels || i >= MESH_CTXS)
		return NULL;
	weft_lock_acquire(&m->lock);
	ctx = weft_ctx_ref(m->ctx[i]);
	weft_lock_release(&m->lock);
	return ctx;
}

/* A task that sees a context ended replaces it by another. */
static void ctx_drop(struct mesh *m, struct weft_ctx *ctx)
{
	struct weft_ctx *old = NULL;

	if (!ctx)
		return;
	if (weft_ctx_err(ctx)) {
		weft_lock_acquire(&m->lock);
		for (unsigned i = 0; i < MESH_CTXS; i++)
			if (m->ctx[i] == ctx) {
				old = ctx;
				m->ctx[i] = ctx_new();
			}
		weft_lock_release(&m->lock);
	}
	weft_ctx_unref(old);
	weft_ctx_unref(ctx);
}

static int canceller(void *arg)
{
	struct mesh *m = arg;
	struct weft_ctx *ctx;

	while (!weft_load_relaxed(&m->over)) {
		ctx = ctx_take(m);
		if (ctx)
			MUST(weft_ctx_cancel(ctx, 0), 0);
		ctx_drop(m, ctx);
		for (uint64_t i = weft_rand() % 64; i > 0; i--)
			idle();
	}
	return 0;
}

/* --- calls --- */

/* Whether a call that only waits for this could wait for ever, although the
 * task is needed elsewhere. */
static bool may_wait(const struct mesh_task *t, bool sends)
{
	if (sends)
		return t->receives == 0;
	return !has_to_send(t) && __builtin_popcount(t->receives) == 1;
}

/* An end of its context may stand for the end of a call. */
static bool gave_up(int err, enum kind kind, int64_t deadline_ns,
                    struct weft_ctx *ctx)
{
	if (ctx && err && err == weft_ctx_err(ctx))
		return true;
	REQUIRE(err != -ECANCELED, "a call says that it was cancelled");
	if (err != (kind == KIND_TRY && !ctx ? -EAGAIN : -ETIMEDOUT))
		return false;
	REQUIRE(kind != KIND_PLAIN, "a call without a deadline timed out");
	REQUIRE(kind == KIND_TRY || weft_now() >= deadline_ns,
	        "a call timed out before its deadline");
	return true;
}

static int do_send(struct weft_chan *c, uint32_t tag, enum kind kind,
                   int64_t deadline_ns, struct weft_ctx *ctx)
{
	if (ctx)
		return tag_send_ctx(c, tag, ctx, deadline_ns);
	return kind == KIND_TRY ? tag_try_send(c, tag)
	                        : tag_send(c, tag, deadline_ns);
}

static int do_recv(struct weft_chan *c, uint32_t *tag, enum kind kind,
                   int64_t deadline_ns, struct weft_ctx *ctx)
{
	if (ctx)
		return tag_recv_ctx(c, tag, ctx, deadline_ns);
	return kind == KIND_TRY ? tag_try_recv(c, tag)
	                        : tag_recv(c, tag, deadline_ns);
}

/* A deadline that the channel takes no notice of is none. */
static enum kind kind_for(const struct mesh_task *t, unsigned chan,
                          enum kind kind)
{
	return kind == KIND_TIMED && !t->mesh->chan[chan].timed ? KIND_TRY
	                                                        : kind;
}

static void call_send(struct mesh_task *t, enum kind wanted,
                      struct weft_ctx *ctx)
{
	unsigned chan = pick_bit(t->sends);
	enum kind kind = kind_for(t, chan, wanted);
	int64_t deadline_ns = pick_deadline(t, kind);
	uint32_t tag = ledger_tag(t->id, t->next++);
	bool too_late = is_closed(t, chan);
	int err = do_send(t->mesh->chan[chan].c, tag, kind, deadline_ns, ctx);

	if (gave_up(err, kind, deadline_ns, ctx))
		ledger_sent(&t->mesh->ledger, tag, false);
	else
		sent(t, chan, tag, err, too_late);
}

static void call_recv(struct mesh_task *t, enum kind wanted,
                      struct weft_ctx *ctx)
{
	unsigned chan = pick_bit(t->receives);
	enum kind kind = kind_for(t, chan, wanted);
	int64_t deadline_ns = pick_deadline(t, kind);
	uint32_t tag = 0;
	int err = do_recv(t->mesh->chan[chan].c, &tag, kind, deadline_ns, ctx);

	if (!gave_up(err, kind, deadline_ns, ctx))
		received(t, chan, tag, err);
}

static void call_one(struct mesh_task *t)
{
	bool sends = has_to_send(t) && (!t->receives || weft_rand() % 2);
	enum kind kind = pick_kind(t);
	struct weft_ctx *ctx = ctx_take(t->mesh);

	if (kind == KIND_PLAIN && !may_wait(t, sends))
		kind = weft_rand() % 2 ? KIND_TRY : KIND_TIMED;
	if (sends)
		call_send(t, kind, ctx);
	else
		call_recv(t, kind, ctx);
	ctx_drop(t->mesh, ctx);
}

/* --- selects --- */

struct mesh_select {
	struct choice ch;
	unsigned chan[CHOICE_MAX];
	bool too_late[CHOICE_MAX];
	struct weft_ctx *ctx;
	int end; /* the case that is its end; -1 */
};

static void put(struct mesh_task *t, struct mesh_select *s, bool sends,
                unsigned chan)
{
	struct weft_chan *c = t->mesh->chan[chan].c;

	s->chan[s->ch.n] = chan;
	s->too_late[s->ch.n] = is_closed(t, chan);
	if (sends)
		choice_send(&s->ch, c, ledger_tag(t->id, t->next++));
	else
		choice_recv(&s->ch, c);
}

/* Cases in any order, now and then one twice, and a NULL between them. */
static void put_all(struct mesh_task *t, struct mesh_select *s, unsigned sends,
                    unsigned receives)
{
	unsigned left = sends | receives << MESH_CHANS, bit;

	s->ch.n = 0;
	if (weft_rand() % 4 == 0)
		choice_recv(&s->ch, NULL);
	while (left && s->ch.n < CHOICE_MAX) {
		bit = pick_bit(left);
		left &= ~(1u << bit);
		put(t, s, bit < MESH_CHANS, bit % MESH_CHANS);
		if (weft_rand() % 16 == 0 && s->ch.n < CHOICE_MAX)
			put(t, s, bit < MESH_CHANS, bit % MESH_CHANS);
	}
}

static void put_ctx(struct mesh_task *t, struct mesh_select *s)
{
	s->end = -1;
	s->ctx = s->ch.n < CHOICE_MAX ? ctx_take(t->mesh) : NULL;
	if (s->ctx)
		s->end =
		        (int)choice_recv_nothing(&s->ch, weft_ctx_done(s->ctx));
}

static void must_have_ended(const struct mesh_select *s)
{
	MUST_OF("the chosen case", choice_err(&s->ch, s->end), -EPIPE);
	REQUIRE(weft_ctx_err(s->ctx),
	        "select chose the end of a context that has not ended");
}

/* The elements of all its sends are used up, whatever was chosen. */
static void settle(struct mesh_task *t, struct mesh_select *s, int got)
{
	for (unsigned i = 0; i < s->ch.n; i++) {
		const struct weft_case *k = &s->ch.cases[i];
		uint32_t tag = s->ch.tag[i];

		if ((int)i == got && got == s->end)
			must_have_ended(s);
		else if ((int)i == got && k->op == WEFT_CASE_RECV)
			received(t, s->chan[i], tag, k->err);
		else if ((int)i == got)
			sent(t, s->chan[i], tag, k->err, s->too_late[i]);
		else if (k->op == WEFT_CASE_SEND)
			ledger_sent(&t->mesh->ledger, tag, false);
	}
}

static void select_some(struct mesh_task *t)
{
	enum kind kind = pick_kind(t);
	unsigned open = has_to_send(t) ? t->sends : 0;
	unsigned sends = some_bits(open), receives = some_bits(t->receives);
	struct mesh_select s;
	int got;

	if (kind == KIND_PLAIN) {
		receives = t->receives;
		if (open && !sends)
			sends = 1u << pick_bit(open);
	}
	put_all(t, &s, sends, receives);
	/* Perhaps not all had room. */
	if (kind == KIND_PLAIN && s.ch.n == CHOICE_MAX)
		kind = KIND_TIMED;
	put_ctx(t, &s);
	got = choice_make(&s.ch, pick_deadline(t, kind));
	if (got < 0)
		MUST_OF("select", got, -ETIMEDOUT);
	settle(t, &s, got);
	ctx_drop(t->mesh, s.ctx);
}

/* --- tasks --- */

/* Once there is nothing more to send. */
static void say_sent(struct mesh_task *t, bool *said)
{
	if (!*said && !has_to_send(t)) {
		weft_waitgroup_done(&t->mesh->sending);
		*said = true;
	}
}

static int worker(void *arg)
{
	struct mesh_task *t = arg;
	bool said = false;
	uint32_t ops = 0;

	weft_store_release(&t->thread, (int)syscall(SYS_gettid));
	say_sent(t, &said);
	while (has_to_send(t) ||
	       (t->receives && (!t->leaves || ops < t->leaves))) {
		ops++;
		if (weft_rand() % 8 < t->habits.selects)
			select_some(t);
		else
			call_one(t);
		say_sent(t, &said);
		idle();
	}
	weft_store_release(&t->thread, 0);
	return 0;
}

static void close_it(struct mesh_chan *mc)
{
	int err;

	weft_store_release(&mc->closing, true);
	err = chan_close(mc->c);
	REQUIRE(err == 0 || err == -EPIPE, "close returned %s", code_name(err));
	weft_store_release(&mc->closed, true);
}

static int outsider(void *arg)
{
	struct mesh_chan *mc = arg;

	for (uint32_t i = 0; i < mc->turns; i++)
		idle();
	close_it(mc);
	return 0;
}

static void on_signal(int number)
{
	(void)number;
}

/* Wake-ups that mean nothing, and signals that interrupt whatever waits. */
static int storm(void *arg)
{
	static const struct sigaction ways[] = {
		{ .sa_handler = on_signal },
		{ .sa_handler = on_signal, .sa_flags = SA_RESTART },
	};
	struct mesh *m = arg;
	pid_t pid = getpid();
	int thread;

	for (unsigned i = 0; !weft_load_relaxed(&m->over); i++) {
		struct mesh_task *t = &m->task[i % m->tasks];

		if (i % 1024 == 0)
			sigaction(SIGUSR1, &ways[i / 1024 % 2], NULL);
		weft_unpark(t->task);
		thread = weft_load_acquire(&t->thread);
		if (thread && i % 16 == 0)
			syscall(SYS_tgkill, pid, thread, SIGUSR1);
		weft_yield();
	}
	return 0;
}

/* --- all of it --- */

static void start_all(struct mesh *m)
{
	uint32_t most = 0;

	weft_lock_init(&m->lock);
	for (unsigned i = 0; i < MESH_CTXS && m->cancels; i++)
		m->ctx[i] = ctx_new();
	weft_waitgroup_init(&m->sending);
	weft_waitgroup_add(&m->sending, m->tasks);
	for (unsigned i = 0; i < m->tasks; i++)
		most = m->task[i].each > most ? m->task[i].each : most;
	/* The last select may use up more than its task had left. */
	ledger_init(&m->ledger, m->tasks, most + CHOICE_MAX);
	for (unsigned i = 0; i < m->tasks; i++) {
		struct mesh_task *t = &m->task[i];

		t->mesh = m;
		t->id = i;
		t->task = task_start(!t->receives ? "sender"
		                     : !t->sends  ? "receiver"
		                                  : "both",
		                     worker, t);
	}
}

/* If a wake-up was lost, an element stays where it is, and this does not
 * return. */
static void await_all_received(struct mesh *m)
{
	/* Shown only if nothing else is. */
	fprintf(stderr,
	        "all sends are done; now what they sent is to be received\n");
	while (weft_load_relaxed(&m->received) != weft_load_relaxed(&m->sent))
		weft_yield();
}

/* The tasks that disturb: one closer for each channel, and two more. */
#define OTHERS (MESH_CHANS + 2)

/* Returns how many. */
static unsigned start_others(struct mesh *m, struct weft_task *task[OTHERS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->chans; i++)
		if (m->chan[i].early)
			task[n++] = task_start("closer", outsider, &m->chan[i]);
	if (m->storm)
		task[n++] = task_start("storm", storm, m);
	if (m->cancels)
		task[n++] = task_start("canceller", canceller, m);
	return n;
}

static bool closes_early(const struct mesh *m)
{
	bool early = false;

	for (unsigned i = 0; i < m->chans; i++)
		early |= m->chan[i].early;
	return early;
}

static void give_back(struct mesh *m)
{
	ledger_close(&m->ledger);
	ledger_fini(&m->ledger);
	for (unsigned i = 0; i < m->chans; i++)
		chan_end(m->chan[i].c);
	for (unsigned i = 0; i < MESH_CTXS && m->cancels; i++) {
		chan_must_be_idle(weft_ctx_done(m->ctx[i]));
		weft_ctx_unref(m->ctx[i]);
	}
}

uint64_t mesh_run(struct mesh *m)
{
	struct weft_task *other[OTHERS] = { 0 };
	unsigned others;

	start_all(m);
	others = start_others(m, other);
	MUST(weft_waitgroup_wait(&m->sending, WEFT_FOREVER), 0);
	if (!closes_early(m))
		await_all_received(m);
	for (unsigned i = 0; i < m->chans; i++)
		close_it(&m->chan[i]);
	/* The others first: they use the handles of the tasks. */
	weft_store_relaxed(&m->over, true);
	for (unsigned i = 0; i < others; i++)
		task_finish(other[i]);
	for (unsigned i = 0; i < m->tasks; i++)
		task_finish(m->task[i].task);
	give_back(m);
	return weft_load_relaxed(&m->sent);
}
