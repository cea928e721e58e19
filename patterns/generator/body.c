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
#include "common/crew.h"
#include "internal.h"

struct gen_body {
	struct weft_gen gen;

	/* Constant once made. */
	weft_gen_body fn;
	void *arg;
	struct weft_chan *elems;
	struct weft_chan *requests; /* how many, as uint64_t; NULL = at will */
	size_t batch;

	struct weft_crew crew;
	struct weft_crew_member member;

	/* The task, while it is in fn; written by it. */
	_Alignas(WEFT_CACHE_LINE) _Atomic(struct weft_task *) in_fn;

	/* The body's own; made and ahead are read by anyone. */
	_Atomic uint64_t made, ahead;
	uint64_t asked_seen; /* of asked, when we last looked */
	uint64_t credit;     /* asked for and not yet yielded */

	/* 0, or what it has failed with. Published by the end of the crew, and
	 * by the close of elems unless a stop has closed that. */
	int result;

	/* The consumer's. How many elements it has asked for; read by the
	 * body. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t asked;
	uint64_t given;        /* of those, how many it got */
	uint64_t owed;         /* requested from the body and not received */
	unsigned char *buffer; /* batch elements; NULL for one at a time */
	size_t nbuffer, next;  /* buffer[next .. nbuffer) are not given */
};

static const struct gen_kind body_kind;

static struct gen_body *body_at(struct weft_crew_member *m)
{
	return (struct gen_body *)(void *)((char *)m -
	                                   offsetof(struct gen_body, member));
}

/* --- the body's side --- */

/*
 * Count what was made, and how much of it nobody had asked for.
 *
 * `asked` is the consumer's: to look at it for every element would cost a cache
 * line each. But what it was before is the worst that it can be. So the body
 * looks only when that would make a new record.
 */
static void body_note_made(struct gen_body *b, size_t n)
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

/* Until more is asked for: 0; -EPIPE once stopped. */
static int body_await_request(struct gen_body *b)
{
	int err = weft_chan_recv(b->requests, &b->credit, WEFT_FOREVER);

	/* A stop may have left a request in the channel. */
	return !err && weft_ending_is_set(&b->gen.end) ? -EPIPE : err;
}

static int body_send(struct gen_body *b, const void *elems, size_t n,
                     size_t *done)
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
static int body_send_asked(struct gen_body *b, const void *elems, size_t n,
                           size_t *done)
{
	int err;

	if (!b->requests)
		return body_send(b, elems, n, done);
	err = body_send(b, elems, n < b->credit ? n : (size_t)b->credit, done);
	b->credit -= *done;
	return !err && !b->credit ? body_await_request(b) : err;
}

/* The element number i of an array; of no bytes they are all in one place. */
static const void *at(const struct gen_body *b, const void *elems, size_t i)
{
	return b->gen.elem_size ? (const char *)elems + i * b->gen.elem_size
	                        : elems;
}

/* They belong to the generator, and nobody gets them. */
static void drop_unsent(struct gen_body *b, const void *elems, size_t i,
                        size_t n)
{
	for (; i < n; i++) {
		/* An ahead yields its room itself. */
		if (b->gen.elem_size)
			memmove(b->gen.room, at(b, elems, i), b->gen.elem_size);
		gen_drop(&b->gen, b->gen.room);
	}
}

static bool runs_in(const struct weft_gen *g, const struct weft_task *task)
{
	const struct gen_body *b = (const struct gen_body *)g;

	return weft_load_relaxed(&b->in_fn) == task;
}

/* The body of g, when that is the caller; NULL otherwise. */
static struct gen_body *own_body(const struct weft_gen *g)
{
	return g->kind == &body_kind && runs_in(g, weft_self())
	               ? (struct gen_body *)(void *)(uintptr_t)g
	               : NULL;
}

size_t weft_gen_wanted(const struct weft_gen *g)
{
	const struct gen_body *b = g ? own_body(g) : NULL;

	if (!b)
		return 0;
	return b->requests ? (size_t)b->credit : SIZE_MAX;
}

int weft_gen_yield_many(struct weft_gen *g, const void *elems, size_t n)
{
	size_t sent = 0, done;
	struct gen_body *b;
	int err;

	if (!g || (n && !elems && g->elem_size))
		return -EINVAL;
	b = own_body(g);
	if (!b)
		return -EPERM;
	body_note_made(b, n);
	err = weft_ending_why(&g->end);
	for (; sent < n && !err; sent += done)
		err = body_send_asked(b, at(b, elems, sent), n - sent, &done);
	if (__builtin_expect(err != 0, 0))
		drop_unsent(b, elems, sent, n);
	return weft_ending_of(&g->end, err);
}

int weft_gen_yield(struct weft_gen *g, const void *elem)
{
	return weft_gen_yield_many(g, elem, 1);
}

/* To pass on what it was told when it was stopped is no failure. */
static int verdict(const struct gen_body *b, int err)
{
	int why = weft_ending_why(&b->gen.end);

	return err == -EPIPE || (why && (err == why || err == -ECANCELED))
	               ? 0
	               : err;
}

static int body_work(struct weft_crew_member *m)
{
	struct gen_body *b = body_at(m);
	int err;

	weft_store_relaxed(&b->in_fn, weft_self());
	err = b->requests ? body_await_request(b) : 0;
	if (!err && !weft_ending_is_set(&b->gen.end)) {
		err = b->fn(&b->gen, b->arg);
		/* That of an input was told apart where it came from. */
		if (!b->gen.ninputs)
			err = gen_failure_of(err);
		b->result = verdict(b, err);
	}
	return 0;
}

/* Some may be closed already: by the body, or by a stop. */
static void close_chans(struct weft_gen *g)
{
	struct gen_body *b = (struct gen_body *)g;

	/* In this order: a consumer that cannot send a request finds the other
	 * one closed. */
	weft_chan_close(b->elems);
	if (b->requests)
		weft_chan_close(b->requests);
}

/* `status` is not 0 when the body has not returned. */
static void body_left(struct weft_crew_member *m, int status)
{
	struct gen_body *b = body_at(m);

	if (status)
		b->result = verdict(b, gen_failure_of(status));
	weft_store_relaxed(&b->in_fn, NULL);
	/* Of an ahead that was ended inside of its inputs. Nothing else may
	 * ever come by to tell them. */
	weft_gen_drop_held(&b->gen);
	for (size_t i = 0; i < b->gen.ninputs; i++)
		weft_gen_end(b->gen.inputs[i], -ECANCELED);
	close_chans(&b->gen);
}

static const struct weft_crew_ops crew_ops = { .work = body_work,
	                                       .left = body_left };

/* --- the consumer's side --- */

/* What is owed is enough: no more is asked for before it has come. */
static int body_ask(struct gen_body *b, int64_t deadline_ns)
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

static int body_receive(struct gen_body *b, void *elem, int64_t deadline_ns)
{
	size_t n;
	int err = body_ask(b, deadline_ns);

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
	struct gen_body *b = (struct gen_body *)g;
	int err = 0;

	weft_store_relaxed(&b->asked, b->given + 1);
	if (b->next == b->nbuffer)
		err = body_receive(b, elem, deadline_ns);
	if (!err && b->buffer) {
		gen_copy(elem, b->buffer + b->next * g->elem_size,
		         g->elem_size);
		b->next++;
	}
	if (!err)
		b->given++;
	if (err != -EPIPE)
		return err;
	/* Closed by the body, unless a stop has done it: then g has ended. */
	if (!weft_ending_why(&g->end))
		weft_gen_end(g, b->result ? b->result : -EPIPE);
	return weft_ending_why(&g->end);
}

/* --- the end --- */

static int join_body(struct weft_gen *g, int64_t deadline_ns, int *error)
{
	struct gen_body *b = (struct gen_body *)g;
	int err = weft_crew_wait(&b->crew, deadline_ns);

	if (!err && !*error)
		*error = b->result;
	return err;
}

static void tell_stats(const struct weft_gen *g, struct weft_gen_stats *out)
{
	const struct gen_body *b = (const struct gen_body *)g;

	out->made = weft_load_relaxed(&b->made);
	out->ahead = weft_load_relaxed(&b->ahead);
	out->cap = weft_chan_cap(b->elems);
}

static void drop_left(void *elem, void *g)
{
	gen_drop(g, elem);
}

static void release_body(struct weft_gen *g)
{
	struct gen_body *b = (struct gen_body *)g;

	weft_crew_join(&b->crew);
	for (; b->next < b->nbuffer; b->next++)
		gen_drop(g, b->buffer + b->next * g->elem_size);
	weft_chan_unref(b->elems);
	weft_chan_unref(b->requests);
	free(b->buffer);
}

static const struct gen_task_ops task_ops = {
	.stop = close_chans,
	.join = join_body,
	.runs_in = runs_in,
	.stats = tell_stats,
};

/* --- making --- */

static const struct gen_kind body_kind = {
	.bytes = sizeof(struct gen_body),
	.passes_on = true,
	.pull = pull_body,
	.release = release_body,
	.task = &task_ops,
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
	if (b->gen.drop) {
		chan.drop = drop_left;
		chan.drop_arg = &b->gen;
	}
	return weft_chan_new(&b->elems, impl, opts->cap, b->gen.elem_size,
	                     &chan);
}

static int set_up(struct gen_body *b, const struct weft_gen_opts *opts)
{
	const struct weft_task_opts task = {
		.name = opts->name ? opts->name : "generator",
		.stack_bytes = opts->stack_bytes,
	};
	int err;

	if (opts->drop) {
		b->gen.drop = opts->drop;
		b->gen.drop_arg = opts->drop_arg;
	}
	b->batch = opts->batch ? opts->batch : 1;
	err = make_chans(b, opts);
	if (err)
		return err;
	if (b->batch > 1) {
		b->buffer = cacheline_new(b->batch, b->gen.elem_size);
		if (!b->buffer)
			return -ENOMEM;
	}
	/* Both channels are there for a context that has ended to close. */
	err = weft_ending_watch(&b->gen.end, opts->ctx);
	if (err)
		return err;
	return weft_crew_start(&b->crew, &crew_ops, &b->member, 1,
	                       sizeof(b->member), &task);
}

/* A generator whose body is fn, over an input or (NULL) none. */
static int make_body(struct weft_gen **out, size_t elem_size,
                     struct weft_gen *in, weft_gen_body fn, void *arg,
                     const struct weft_gen_opts *opts)
{
	static const struct weft_gen_opts defaults;
	struct weft_gen *g;
	struct gen_body *b;
	int err = weft_gen_make(&g, &body_kind, elem_size, elem_size, &in,
	                        in ? 1 : 0);

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
	return out && body ? make_body(out, elem_size, NULL, body, arg, opts)
	                   : -EINVAL;
}

/* --- ahead: a body that asks another generator --- */

static int pass_on(struct weft_gen *g, void *arg)
{
	int err;

	(void)arg;
	while (!(err = weft_gen_pull(g->inputs[0], g->room, WEFT_FOREVER))) {
		err = weft_gen_yield(g, g->room);
		if (err)
			break;
	}
	return err;
}

int weft_gen_ahead(struct weft_gen **out, struct weft_gen *in,
                   const struct weft_gen_opts *opts)
{
	return out && in
	               ? make_body(out, in->elem_size, in, pass_on, NULL, opts)
	               : -EINVAL;
}
