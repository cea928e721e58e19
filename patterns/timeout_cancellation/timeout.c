/*
 * A call is a record of its own, which outlives its caller while functions run
 * for it. What becomes of it is decided once, under the lock: by a function
 * that ends, or by the caller, who leaves. Either finds out there which of them
 * was first, so a reply goes to the caller or is dropped.
 *
 * The caller waits for the end of the call's context, which is that of the
 * caller's own context, of both deadlines, and of the component, which cancels
 * it. After the wait only the context says what came first.
 */
#include "timeout.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <weft/chan.h>
#include <weft/sync.h>

#include "base/cacheline.h"
#include "base/list.h"
#include "common/crew.h"
#include "common/ending.h"

#define ALIGNMENT 16u

/* One request of a call. */
struct run {
	struct list in_queue; /* under the lock; unlinked once it is taken */
	struct call *call;
	bool taken;
	unsigned char *request, *reply; /* in the call's memory */
};

struct call {
	/* Constant once made. */
	struct weft_timeout *t;
	struct weft_ctx *ctx;
	bool own; /* timeout_ns comes before the deadlines of the caller */
	size_t n;

	struct weft_waiters caller;
	_Atomic bool decided; /* written under the lock */

	/* Under the lock. */
	struct list in_open; /* of the component; unlinked once it is over */
	size_t holders;      /* the caller, tasks that run for it, and others */
	size_t running, ended;
	bool over; /* decided, or the caller has left */
	int status, first_error;
	struct run *winner; /* where the status is 0 */

	struct run runs[];
};

struct worker {
	struct weft_crew_member member; /* first */
	struct weft_timeout *t;
	struct run *run; /* its own; NULL between two */
};

struct weft_timeout {
	/* Constant once made. */
	struct weft_timeout_opts opts;
	struct worker *workers;

	struct weft_ending end;
	struct weft_crew crew;
	struct weft_waiters idle; /* workers, for something to run */
	struct weft_lock lock;

	/* Under the lock. */
	bool closed;
	struct list queue; /* of struct run */
	struct list open;  /* of struct call */
	struct weft_timeout_stats stats;
};

/* --- calls --- */

static size_t padded(size_t bytes)
{
	return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void call_free(struct call *c)
{
	if (c->ctx)
		weft_ctx_unref(c->ctx);
	free(c);
}

/* With its requests, and without a context. */
static struct call *call_new(struct weft_timeout *t, const void *requests,
                             size_t n)
{
	size_t request = t->opts.request_size, each_request = padded(request);
	size_t each_reply = padded(t->opts.reply_size);
	size_t head = padded(sizeof(struct call) + n * sizeof(struct run));
	struct call *c =
	        cacheline_new(1, head + n * (each_request + each_reply));
	unsigned char *at;

	if (!c)
		return NULL;
	at = (unsigned char *)c + head;
	c->t = t;
	c->n = n;
	c->holders = 1;
	weft_waiters_init(&c->caller);
	weft_waiters_set_wait(&c->caller, t->opts.wait);
	list_init(&c->in_open);
	for (size_t i = 0; i < n; i++) {
		struct run *r = &c->runs[i];

		list_init(&r->in_queue);
		r->call = c;
		r->request = at;
		r->reply = at + each_request;
		at += each_request + each_reply;
		if (request)
			memcpy(r->request,
			       (const unsigned char *)requests + i * request,
			       request);
	}
	return c;
}

/* Of two deadlines that are the same the caller's wins, and the context sees to
 * that for its own. */
static int call_limit(struct call *c, struct weft_ctx *ctx, int64_t deadline_ns)
{
	int64_t ns = c->t->opts.timeout_ns;
	int64_t own_ns = ns ? weft_deadline_in(ns) : WEFT_FOREVER;
	bool own = own_ns < deadline_ns;

	c->own = own && own_ns < weft_ctx_deadline(ctx);
	return weft_ctx_with_deadline_cause(&c->ctx, ctx,
	                                    own ? own_ns : deadline_ns,
	                                    own ? -ETIME : -ETIMEDOUT);
}

static void drop_request(struct weft_timeout *t, void *request)
{
	if (t->opts.drop_request)
		t->opts.drop_request(request, t->opts.drop_arg);
}

/* Where there was no memory to copy them to. */
static void drop_callers(struct weft_timeout *t, const void *requests, size_t n)
{
	unsigned char *at = (unsigned char *)(uintptr_t)requests;

	for (size_t i = 0; i < n; i++)
		drop_request(t, at + i * t->opts.request_size);
}

/* Those that were not taken. */
static void drop_requests(struct call *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->runs[i].taken)
			drop_request(c->t, c->runs[i].request);
}

/* --- under the lock --- */

/* One of the holders of a call lets go. True for the last one. */
static bool let_go(struct call *c)
{
	return --c->holders == 0;
}

/* It is over: what waits to run for it need not, what runs is for nobody. */
static void end_call(struct call *c)
{
	struct weft_timeout_stats *stats = &c->t->stats;

	c->over = true;
	list_unlink(&c->in_open);
	for (size_t i = 0; i < c->n; i++) {
		struct list *l = &c->runs[i].in_queue;

		stats->waiting -= !list_is_empty(l);
		list_unlink(l);
	}
	stats->abandoned += c->running;
}

static void decide(struct call *c, int status, struct run *winner)
{
	c->status = status;
	c->winner = winner;
	end_call(c);
	weft_store_release(&c->decided, true); /* [decided] */
	weft_waiters_wake(&c->caller, 1);
}

/* What an error of a function is called: those that a call has for itself are
 * not the function's to give. */
static int error_of(int status)
{
	if (status > 0)
		return -EINVAL;
	return status == -ETIME ? -EIO : weft_failure_of(status);
}

/* The function has returned. False when its reply comes too late. */
static bool end_run(struct run *r, int status)
{
	struct call *c = r->call;
	struct weft_timeout_stats *stats = &c->t->stats;

	stats->running--;
	c->running--;
	c->ended++;
	if (c->over) {
		stats->abandoned--;
		stats->late += !status;
		return status != 0;
	}
	if (!status) {
		decide(c, 0, r);
		return true;
	}
	/* With its context at an end the caller is about to leave, and knows
	 * why: the error is a consequence. */
	if (weft_ctx_err(c->ctx))
		return true;
	if (!c->first_error)
		c->first_error = error_of(status);
	if (c->ended == c->n)
		decide(c, c->first_error, NULL);
	return true;
}

/* --- the tasks --- */

static struct worker *worker_of(struct weft_crew_member *m)
{
	return (struct worker *)(void *)m;
}

static int take_run(void *arg)
{
	struct worker *w = arg;
	struct weft_timeout *t = w->t;
	struct list *l;
	int err = -EPIPE;

	weft_lock_acquire(&t->lock);
	if (!weft_ending_is_set(&t->end) && (l = list_pop(&t->queue))) {
		w->run = list_entry(l, struct run, in_queue);
		w->run->taken = true;
		w->run->call->running++;
		w->run->call->holders++;
		t->stats.waiting--;
		t->stats.running++;
		err = 0;
	} else if (!weft_ending_is_set(&t->end) && !t->closed) {
		err = -EAGAIN;
	}
	weft_lock_release(&t->lock);
	return err;
}

static void finish(struct worker *w, int status)
{
	struct weft_timeout *t = w->t;
	struct run *r = w->run;
	struct call *c = r->call;
	bool last;

	w->run = NULL;
	weft_lock_acquire(&t->lock);
	if (!end_run(r, status) && t->opts.drop_reply) {
		weft_lock_release(&t->lock);
		t->opts.drop_reply(r->reply, t->opts.drop_arg);
		weft_lock_acquire(&t->lock);
	}
	last = let_go(c);
	weft_lock_release(&t->lock);
	if (last)
		call_free(c);
}

static int work(struct weft_crew_member *m)
{
	struct worker *w = worker_of(m);
	const struct weft_timeout_opts *o = &w->t->opts;

	while (!weft_waiters_wait(&w->t->idle, "timeout request", take_run, w,
	                          NULL, WEFT_FOREVER))
		finish(w, o->fn(w->run->call->ctx, w->run->request,
		                w->run->reply, o->arg));
	return 0;
}

/* The function has ended its task, or the thread. */
static bool again(struct weft_crew_member *m, enum weft_guard_end end,
                  int status)
{
	struct worker *w = worker_of(m);

	(void)end;
	if (w->run)
		finish(w, status);
	return true;
}

/* Without an heir there is one task less than calls may count on. */
static void worker_left(struct weft_crew_member *m, int status)
{
	if (status)
		weft_ending_fail(&worker_of(m)->t->end, status);
}

static const struct weft_crew_ops crew_ops = {
	.numbered = true, .work = work, .again = again, .left = worker_left
};

/* --- the end --- */

static bool went_through(void *arg)
{
	struct weft_timeout *t = arg;
	bool through;

	weft_lock_acquire(&t->lock);
	through = t->closed && list_is_empty(&t->open) && !t->stats.running;
	weft_lock_release(&t->lock);
	return through;
}

/* Outside of the lock: a cancel calls functions that the callee has given to
 * weft_ctx_after(). */
static void cancel(struct call *c, int cause)
{
	struct weft_timeout *t = c->t;
	bool last;

	weft_lock_release(&t->lock);
	weft_ctx_cancel(c->ctx, cause);
	weft_lock_acquire(&t->lock);
	last = let_go(c);
	if (!last)
		return;
	weft_lock_release(&t->lock);
	call_free(c);
	weft_lock_acquire(&t->lock);
}

/* The callers find their contexts ended, and take what waits in the queue with
 * them. */
static void release(void *arg)
{
	struct weft_timeout *t = arg;
	struct list *l;

	weft_lock_acquire(&t->lock);
	while ((l = list_pop(&t->open))) {
		struct call *c = list_entry(l, struct call, in_open);

		c->holders++;
		cancel(c, weft_ending_why(&t->end));
	}
	weft_lock_release(&t->lock);
	weft_waiters_wake(&t->idle, SIZE_MAX);
}

static const struct weft_ending_ops ending_ops = { went_through, release };

/* --- calling --- */

/* Why a call cannot begin; 0. Under the lock. */
static int refusal(const struct weft_timeout *t, int64_t deadline_ns)
{
	int why = weft_ending_why(&t->end);

	if (why)
		return why;
	if (t->closed)
		return -EPIPE;
	return deadline_ns <= weft_now() ? -ETIMEDOUT : 0;
}

static int enter(struct call *c, int64_t deadline_ns)
{
	struct weft_timeout *t = c->t;
	int err;

	weft_lock_acquire(&t->lock);
	err = refusal(t, deadline_ns);
	if (!err) {
		t->stats.calls++;
		t->stats.waiting += c->n;
		list_push(&t->open, &c->in_open);
		for (size_t i = 0; i < c->n; i++)
			list_push(&t->queue, &c->runs[i].in_queue);
	}
	weft_lock_release(&t->lock);
	if (!err)
		weft_waiters_wake(&t->idle, c->n);
	return err;
}

static int look(void *arg)
{
	struct call *c = arg;

	return weft_load_acquire(&c->decided) ? 0 : -EAGAIN; /* [decided] */
}

/* What the end of its context means to a call. */
static int end_of(struct call *c, int err)
{
	int why = weft_ending_why(&c->t->end);

	if (why)
		return why;
	return err == -ETIMEDOUT && c->own ? -ETIME : err;
}

static void count(struct weft_timeout_stats *stats, bool decided, int err)
{
	stats->succeeded += !err;
	stats->failed += decided && err;
	stats->timed_out += !decided && err == -ETIME;
	stats->gave_up += !decided && err != -ETIME;
}

/* The wait is over, by `err` of its context or because it was decided. */
static int leave(struct call *c, int err)
{
	struct weft_timeout *t = c->t;
	bool decided;

	if (err)
		err = end_of(c, err);
	weft_lock_acquire(&t->lock);
	decided = c->over;
	if (decided)
		err = c->status;
	else
		end_call(c);
	count(&t->stats, decided, err);
	weft_lock_release(&t->lock);
	return err;
}

static int make_call(struct call *c, void *reply, size_t *which,
                     int64_t deadline_ns)
{
	int err = enter(c, deadline_ns);

	if (err)
		return err;
	err = weft_waiters_wait(&c->caller, "timeout", look, c, c->ctx,
	                        WEFT_FOREVER);
	err = leave(c, err);
	/* Nobody waits any more, whatever it was that ended the wait. */
	weft_ctx_cancel(c->ctx, 0);
	if (err)
		return err;
	if (reply && c->t->opts.reply_size)
		memcpy(reply, c->winner->reply, c->t->opts.reply_size);
	if (which)
		*which = (size_t)(c->winner - c->runs);
	return 0;
}

static void caller_gone(struct call *c)
{
	struct weft_timeout *t = c->t;
	bool last;

	drop_requests(c);
	weft_lock_acquire(&t->lock);
	last = let_go(c);
	weft_lock_release(&t->lock);
	if (last)
		call_free(c);
}

int weft_timeout_race(struct weft_timeout *t, const void *requests, size_t n,
                      void *reply, size_t *which, struct weft_ctx *ctx,
                      int64_t deadline_ns)
{
	struct call *c;
	int err;

	if (!t || n < 1 || n > WEFT_TIMEOUT_RACE_MAX ||
	    (!requests && t->opts.request_size) ||
	    (!reply && t->opts.reply_size))
		return -EINVAL;
	c = call_new(t, requests, n);
	if (!c) {
		drop_callers(t, requests, n);
		return -ENOMEM;
	}
	err = call_limit(c, ctx, deadline_ns);
	if (!err)
		err = weft_ctx_err(ctx);
	if (!err)
		err = make_call(c, reply, which, deadline_ns);
	caller_gone(c);
	return err;
}

int weft_timeout_call_ctx(struct weft_timeout *t, const void *request,
                          void *reply, struct weft_ctx *ctx,
                          int64_t deadline_ns)
{
	return weft_timeout_race(t, request, 1, reply, NULL, ctx, deadline_ns);
}

int weft_timeout_call(struct weft_timeout *t, const void *request, void *reply,
                      int64_t deadline_ns)
{
	return weft_timeout_race(t, request, 1, reply, NULL, NULL, deadline_ns);
}

/* --- the component --- */

int weft_timeout_close(struct weft_timeout *t)
{
	int err;

	if (!t)
		return -EINVAL;
	weft_lock_acquire(&t->lock);
	err = t->closed || weft_ending_why(&t->end) ? -EPIPE : 0;
	t->closed = true;
	weft_lock_release(&t->lock);
	weft_waiters_wake(&t->idle, SIZE_MAX);
	return err;
}

int weft_timeout_stop(struct weft_timeout *t)
{
	if (!t)
		return -EINVAL;
	weft_ending_stop(&t->end, -ECANCELED);
	return 0;
}

int weft_timeout_fail(struct weft_timeout *t, int err)
{
	if (!t || err >= 0)
		return -EINVAL;
	weft_ending_fail(&t->end, err);
	return 0;
}

int weft_timeout_join(struct weft_timeout *t, int64_t deadline_ns)
{
	int err;

	if (!t)
		return -EINVAL;
	err = weft_crew_wait(&t->crew, deadline_ns);
	return err ? err : weft_ending_why(&t->end);
}

int weft_timeout_stats(struct weft_timeout *t, struct weft_timeout_stats *out)
{
	if (!t || !out)
		return -EINVAL;
	weft_lock_acquire(&t->lock);
	*out = t->stats;
	weft_lock_release(&t->lock);
	return 0;
}

static bool are_right(const struct weft_timeout_opts *o)
{
	return o && o->fn && o->request_size <= WEFT_ELEM_MAX &&
	       o->reply_size <= WEFT_ELEM_MAX && o->timeout_ns >= 0 &&
	       o->workers <= WEFT_TIMEOUT_WORKERS_MAX;
}

static void unmake(struct weft_timeout *t)
{
	weft_ending_unwatch(&t->end);
	weft_ending_stop(&t->end, -ECANCELED);
	weft_crew_join(&t->crew);
	free(t->workers);
	free(t);
}

static int start(struct weft_timeout *t)
{
	const struct weft_task_opts task = { "timeout", t->opts.stack_bytes };
	size_t n = t->opts.workers ? t->opts.workers : 1;
	int err;

	t->workers = cacheline_new(n, sizeof(*t->workers));
	if (!t->workers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		t->workers[i].t = t;
	err = weft_crew_start(&t->crew, &crew_ops, t->workers, n,
	                      sizeof(*t->workers), &task);
	return err ? err : weft_ending_watch(&t->end, t->opts.ctx);
}

int weft_timeout_new(struct weft_timeout **out,
                     const struct weft_timeout_opts *opts)
{
	struct weft_timeout *t;
	int err;

	if (!out || !are_right(opts))
		return -EINVAL;
	t = cacheline_new(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->opts = *opts;
	weft_ending_init(&t->end, &ending_ops, t);
	weft_lock_init(&t->lock);
	weft_waiters_init(&t->idle);
	list_init(&t->queue);
	list_init(&t->open);
	err = weft_waiters_set_wait(&t->idle, opts->wait);
	if (!err)
		err = start(t);
	if (err) {
		unmake(t);
		return err;
	}
	*out = t;
	return 0;
}

void weft_timeout_free(struct weft_timeout *t)
{
	if (t)
		unmake(t);
}
