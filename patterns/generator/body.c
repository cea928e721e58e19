/*
 * Generators with a body: a task that makes the elements, a channel that they
 * come through, and, on demand, another one for requests on which the body
 * waits whenever it has made what was asked for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>
#include <weft/sync.h>

#include "base/cacheline.h"
#include "base/check.h"
#include "internal.h"

struct gen_body {
	struct weft_gen gen;

	/* Constant once made. */
	weft_gen_body fn;
	void *arg;
	struct weft_chan *elems;
	struct weft_chan *requests; /* how many, as uint64_t; NULL = at will */
	size_t batch;
	struct weft_task *task;
	struct weft_waitgroup running;

	/* The task, while it is in fn; written by it. */
	_Alignas(WEFT_CACHE_LINE) _Atomic(struct weft_task *) in_fn;

	/* The body's own; made and ahead are read by anyone. */
	_Atomic uint64_t made, ahead;
	uint64_t asked_seen; /* of asked, when we last looked */
	uint64_t credit;     /* asked for and not yet yielded */
	unsigned char *held; /* one element, to be dropped or passed on */
	bool returned;       /* not set when the thread was ended */

	/* Published by the end of running, and by the close of elems if that is
	 * the body's and not a stop's. */
	int result;

	/* The consumer's. How many elements it has asked for; read by the
	 * body. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t asked;
	uint64_t given;        /* of those, how many it got */
	uint64_t owed;         /* requested from the body and not received */
	unsigned char *buffer; /* batch elements; NULL for one at a time */
	size_t nbuffer, next;  /* buffer[next .. nbuffer) are not given */
};

/* --- the body's side --- */

/*
 * Count what was made, and how much of it nobody had asked for.
 *
 * `asked` is the consumer's: to look at it for every element would cost a cache
 * line each. But what it was before is the worst that it can be. So the body
 * looks only when that would make a new record.
 */
static void note_made(struct gen_body *b, size_t n)
{
	uint64_t made = weft_load_relaxed(&b->made) + n;
	uint64_t record = weft_load_relaxed(&b->ahead);

	weft_store_relaxed(&b->made, made);
	if (made <= b->asked_seen + record)
		return;
	/* The consumer stored it before it freed the space that we were waiting
	 * for: what we see is recent enough for ahead to be bounded. */
	b->asked_seen = weft_load_relaxed(&b->asked);
	if (made > b->asked_seen + record)
		weft_store_relaxed(&b->ahead, made - b->asked_seen);
}

static bool has_ended(const struct gen_body *b)
{
	return weft_load_acquire(&b->gen.end) != 0; /* [end] */
}

/* Until more is asked for: 0; -EPIPE once stopped. */
static int await_request(struct gen_body *b)
{
	int err = weft_chan_recv(b->requests, &b->credit, WEFT_FOREVER);

	/* A request that a stop has left in the channel is none any more. */
	return !err && has_ended(b) ? -EPIPE : err;
}

static int send(struct gen_body *b, const void *elems, size_t n, size_t *done)
{
	int err;

	if (n > 1)
		return weft_chan_send_many(b->elems, elems, n, done,
		                           WEFT_FOREVER);
	err = weft_chan_send(b->elems, elems, WEFT_FOREVER);
	*done = !err;
	return err;
}

/* As many as may go at once. */
static int send_asked(struct gen_body *b, const void *elems, size_t n,
                      size_t *done)
{
	int err;

	if (!b->requests)
		return send(b, elems, n, done);
	err = send(b, elems, n < b->credit ? n : (size_t)b->credit, done);
	b->credit -= *done;
	return !err && !b->credit ? await_request(b) : err;
}

/* The element number i of an array; of no bytes they are all in one place. */
static const void *at(const struct gen_body *b, const void *elems, size_t i)
{
	return b->gen.elem_size ? (const char *)elems + i * b->gen.elem_size
	                        : elems;
}

/* They were given to us, and they cannot be handed on. */
static void drop_unsent(struct gen_body *b, const void *elems, size_t i,
                        size_t n)
{
	for (; i < n; i++) {
		/* Which may be where the element is. */
		if (b->gen.elem_size)
			memmove(b->held, at(b, elems, i), b->gen.elem_size);
		weft_gen_drop(&b->gen, b->held);
	}
}

/* Whether the caller is the body of g. */
static bool is_body(const struct weft_gen *g)
{
	return g->body && weft_load_relaxed(&g->body->in_fn) == weft_self();
}

size_t weft_gen_wanted(const struct weft_gen *g)
{
	if (!g || !is_body(g))
		return 0;
	return g->body->requests ? (size_t)g->body->credit : SIZE_MAX;
}

int weft_gen_yield_many(struct weft_gen *g, const void *elems, size_t n)
{
	size_t sent = 0, done;
	struct gen_body *b;
	int err;

	if (!g || (n && !elems && g->elem_size))
		return -EINVAL;
	if (!is_body(g))
		return -EPERM;
	b = g->body;
	note_made(b, n);
	err = has_ended(b) ? -EPIPE : 0;
	for (; sent < n && !err; sent += done)
		err = send_asked(b, at(b, elems, sent), n - sent, &done);
	drop_unsent(b, elems, sent, n);
	return err == -EPIPE ? -ECANCELED : err;
}

int weft_gen_yield(struct weft_gen *g, const void *elem)
{
	return weft_gen_yield_many(g, elem, 1);
}

static int run_fn(void *arg)
{
	struct gen_body *b = arg;
	int err = b->requests ? await_request(b) : 0;

	if (err || has_ended(b))
		return -EPIPE;
	return b->fn(&b->gen, b->arg);
}

/* What the body has come to, which returned or exited with `status`. */
static int verdict(const struct gen_body *b, int status)
{
	if (status == -EPIPE)
		return 0;
	/* It says that it was stopped, and so it was. */
	if (status == -ECANCELED && has_ended(b))
		return 0;
	return status > 0 ? -EINVAL : status;
}

/*
 * However the body ends, it comes through here: by the cleanup attribute also
 * when pthread_exit() unwinds it (this file is built with -fexceptions).
 */
static void body_left(struct gen_body **left)
{
	struct gen_body *b = *left;

	if (!b->returned)
		b->result = verdict(b, -ECANCELED);
	weft_store_relaxed(&b->in_fn, NULL);
	/* Of an ahead that was ended inside of its inputs: nobody else may ever
	 * come by to tell them. */
	weft_gen_let_go(&b->gen);
	for (size_t i = 0; i < b->gen.ninputs; i++)
		weft_gen_end(b->gen.inputs[i], -EPIPE);
	/* In this order: who cannot send a request finds the other one
	 * closed. */
	weft_chan_close(b->elems);
	if (b->requests)
		weft_chan_close(b->requests);
	weft_waitgroup_done(&b->running);
}

static int body_main(void *arg)
{
	__attribute__((cleanup(body_left))) struct gen_body *b = arg;
	int status = 0;

	weft_store_relaxed(&b->in_fn, weft_self());
	if (weft_try(run_fn, b, &status) == -ECANCELED && status >= 0)
		status = -ECANCELED;
	b->result = verdict(b, status);
	b->returned = true;
	return b->result;
}

/* --- the consumer's side --- */

/* What is owed is enough: no more is asked for before it has come. */
static int ask(struct gen_body *b, int64_t deadline_ns)
{
	uint64_t n = b->batch;
	int err;

	if (!b->requests || b->owed)
		return 0;
	err = weft_chan_send(b->requests, &n, deadline_ns);
	if (!err)
		b->owed = n;
	/* Closed, then so is what the elements come through. */
	return err == -EPIPE ? 0 : err;
}

static int receive(struct gen_body *b, void *elem, int64_t deadline_ns)
{
	size_t n;
	int err = ask(b, deadline_ns);

	if (err)
		return err;
	if (b->buffer) {
		err = weft_chan_recv_many(b->elems, b->buffer, b->batch, &n,
		                          deadline_ns);
		b->nbuffer = n;
		b->next = 0;
	} else {
		err = weft_chan_recv(b->elems, elem, deadline_ns);
		n = !err;
	}
	b->owed -= b->requests ? n : 0;
	return err;
}

static int pull_body(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	struct gen_body *b = g->body;
	int err = 0;

	weft_store_relaxed(&b->asked, b->given + 1);
	if (b->next == b->nbuffer)
		err = receive(b, elem, deadline_ns);
	if (!err && b->buffer) {
		gen_copy(elem, b->buffer + b->next * g->elem_size,
		         g->elem_size);
		b->next++;
	}
	if (!err)
		b->given++;
	/* Closed by the body, unless by a stop: see weft_gen_end(). */
	if (err == -EPIPE && !weft_load_acquire(&g->end)) /* [end] */
		weft_gen_end(g, b->result ? b->result : -EPIPE);
	return err;
}

/* --- the end --- */

void weft_gen_body_stop(struct gen_body *b)
{
	/* Some may be closed already, by the body. */
	weft_chan_close(b->elems);
	if (b->requests)
		weft_chan_close(b->requests);
}

int weft_gen_body_join(struct gen_body *b, int64_t deadline_ns)
{
	return weft_waitgroup_wait(&b->running, deadline_ns);
}

int weft_gen_body_result(const struct gen_body *b)
{
	return b->result;
}

bool weft_gen_body_runs_in(const struct gen_body *b,
                           const struct weft_task *task)
{
	return weft_load_relaxed(&b->in_fn) == task;
}

void weft_gen_body_stats(const struct gen_body *b, struct weft_gen_stats *out)
{
	out->made = weft_load_relaxed(&b->made);
	out->ahead = weft_load_relaxed(&b->ahead);
	out->cap = weft_chan_cap(b->elems);
}

static void drop_left(void *elem, void *g)
{
	weft_gen_drop(g, elem);
}

static void release_body(struct weft_gen *g)
{
	struct gen_body *b = g->body;

	if (!b)
		return;
	if (b->task)
		CHECK_EQ(weft_join(b->task, NULL), 0);
	for (; b->next < b->nbuffer; b->next++)
		weft_gen_drop(g, b->buffer + b->next * g->elem_size);
	weft_chan_unref(b->elems);
	weft_chan_unref(b->requests);
	free(b->buffer);
	free(b->held);
}

/* --- making --- */

static const struct gen_kind body_kind = {
	.pull = pull_body,
	.release = release_body,
};

static const struct gen_kind ahead_kind = {
	.pull = pull_body,
	.drop = weft_gen_drop_as_input,
	.release = release_body,
};

static int make_chans(struct gen_body *b, const struct weft_gen_opts *opts)
{
	struct weft_chan_opts chan = { .wait = opts->wait };
	const struct weft_chan_impl *impl = opts->impl;
	int err;

	if (!impl)
		impl = weft_chan_impl_find("handoff");
	/* What is never full would not hold the body back. */
	if (!opts->on_demand && !(impl->can & WEFT_CAN_BOUNDED) &&
	    !(impl->can & WEFT_CAN_RENDEZVOUS))
		return -EINVAL;
	if (opts->on_demand) {
		/* There is one request at most. */
		err = weft_chan_new(&b->requests, impl, opts->cap ? 1 : 0,
		                    sizeof(uint64_t), &chan);
		if (err)
			return err;
	}
	if (b->gen.drop || b->gen.kind->drop) {
		chan.drop = drop_left;
		chan.drop_arg = &b->gen;
	}
	return weft_chan_new(&b->elems, impl, opts->cap, b->gen.elem_size,
	                     &chan);
}

static int make_buffers(struct gen_body *b)
{
	size_t size = b->gen.elem_size;

	b->held = cacheline_new(1, size);
	b->buffer = b->batch > 1 ? cacheline_new(b->batch, size) : NULL;
	return b->held && (b->buffer || b->batch == 1) ? 0 : -ENOMEM;
}

static int start(struct gen_body *b, const struct weft_gen_opts *opts)
{
	struct weft_task_opts task = { .name = opts->name,
		                       .stack_bytes = opts->stack_bytes };
	int err;

	if (!task.name)
		task.name = "generator";
	weft_waitgroup_add(&b->running, 1);
	err = weft_spawn(&b->task, &task, body_main, b);
	if (err)
		weft_waitgroup_done(&b->running);
	return err;
}

static int set_up(struct gen_body *b, const struct weft_gen_opts *opts)
{
	int err;

	b->gen.body = b;
	b->gen.calls = false; /* none on the consumer's task */
	b->gen.drop = opts->drop;
	b->gen.drop_arg = opts->drop_arg;
	b->batch = opts->batch ? opts->batch : 1;
	weft_waitgroup_init(&b->running);
	err = make_chans(b, opts);
	if (err)
		return err;
	err = make_buffers(b);
	if (err)
		return err;
	/* Both channels are there for a context that has ended to close. */
	err = weft_gen_attach(&b->gen, opts->ctx);
	if (err)
		return err;
	return start(b, opts);
}

static int make(struct weft_gen **out, const struct gen_kind *kind,
                size_t elem_size, weft_gen_body fn, void *arg,
                const struct weft_gen_opts *opts, struct weft_gen *in)
{
	static const struct weft_gen_opts defaults;
	struct weft_gen *g;
	struct gen_body *b;
	int err;

	err = weft_gen_make(&g, kind, sizeof(*b), elem_size, &in, in ? 1 : 0);
	if (err)
		return err;
	b = (struct gen_body *)g;
	b->fn = fn;
	b->arg = arg;
	err = set_up(b, opts ? opts : &defaults);
	if (err) {
		weft_gen_unmake(g);
		return err;
	}
	*out = g;
	return 0;
}

int weft_gen_new(struct weft_gen **out, size_t elem_size, weft_gen_body body,
                 void *arg, const struct weft_gen_opts *opts)
{
	if (!out || !body)
		return -EINVAL;
	return make(out, &body_kind, elem_size, body, arg, opts, NULL);
}

/* --- ahead: a body that asks another generator --- */

static int pass_on(struct weft_gen *g, void *arg)
{
	struct gen_body *b = g->body;
	int err;

	(void)arg;
	while (!(err = weft_gen_pull(g->inputs[0], b->held, WEFT_FOREVER))) {
		err = weft_gen_yield(g, b->held);
		if (err)
			break;
	}
	return err;
}

int weft_gen_ahead(struct weft_gen **out, struct weft_gen *in,
                   const struct weft_gen_opts *opts)
{
	if (!out || !in)
		return -EINVAL;
	return make(out, &ahead_kind, in->elem_size, pass_on, NULL, opts, in);
}
