#include "link.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/sync.h>

#include "base/cacheline.h"
#include "common/count.h"
#include "common/ending.h"

#define BODY_MAX (WEFT_ELEM_MAX - WEFT_LINK_HEAD)

/* What goes through the channels: this much of it as the link's sizes say. */
struct message {
	_Alignas(16) uint64_t number; /* of the call, from 1 */
	union {
		int64_t deadline_ns; /* of a request */
		int64_t status;      /* of a reply */
	};
	unsigned char body[BODY_MAX];
};

_Static_assert(offsetof(struct message, body) == WEFT_LINK_HEAD,
               "WEFT_LINK_HEAD is wrong");

struct weft_link {
	/* Constant once made. */
	struct weft_link_opts opts;
	struct weft_chan *requests, *replies;

	struct weft_ending end;
	_Atomic bool closed; /* in order; set once `requests` is */

	/* Held by the caller whose turn it is, which alone writes these. */
	struct weft_lock turn;
	_Atomic uint64_t calls, answered;

	/* Beside the fast path. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t timeouts;
	_Atomic uint64_t late, skipped;
};

/* --- the end --- */

/* No more calls, and none is under way. What may be left inside are requests
 * and replies of calls that have expired. */
static bool too_late(void *arg)
{
	struct weft_link *l = arg;

	if (!weft_load_acquire(&l->closed) || weft_lock_try(&l->turn))
		return false;
	weft_lock_release(&l->turn);
	return true;
}

static void release(void *arg)
{
	const struct weft_link *l = arg;

	weft_chan_close(l->requests);
	weft_chan_close(l->replies);
}

static const struct weft_ending_ops ending_ops = { too_late, release };

/* --- what is thrown away, by hand or with a channel --- */

static void drop_request(void *message, void *link)
{
	const struct weft_link *l = link;
	struct message *m = message;

	if (l->opts.drop_request)
		l->opts.drop_request(m->body, l->opts.drop_arg);
}

static void drop_reply(void *message, void *link)
{
	const struct weft_link *l = link;
	struct message *m = message;

	if (l->opts.drop_reply && m->status == 0)
		l->opts.drop_reply(m->body, l->opts.drop_arg);
}

/* --- making --- */

static int make_chan(struct weft_link *l, struct weft_chan **out, size_t size,
                     void (*drop)(void *elem, void *link))
{
	struct weft_chan_opts chan = { .wait = l->opts.wait,
		                       .drop = drop,
		                       .drop_arg = l };
	const struct weft_chan_impl *impl = l->opts.impl;

	if (size > BODY_MAX)
		return -EINVAL;
	return weft_chan_new(out, impl ? impl : weft_chan_impl_find("handoff"),
	                     l->opts.cap, WEFT_LINK_HEAD + size, &chan);
}

int weft_link_new(struct weft_link **out, const struct weft_link_opts *opts)
{
	struct weft_link *l;
	int err;

	if (!out)
		return -EINVAL;
	l = cacheline_new(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	if (opts)
		l->opts = *opts;
	weft_ending_init(&l->end, &ending_ops, l);
	weft_lock_init(&l->turn);
	err = make_chan(l, &l->requests, l->opts.request_size, drop_request);
	if (!err)
		err = make_chan(l, &l->replies, l->opts.reply_size, drop_reply);
	if (!err)
		err = weft_ending_watch(&l->end, l->opts.ctx);
	if (err) {
		weft_link_free(l);
		return err;
	}
	*out = l;
	return 0;
}

void weft_link_free(struct weft_link *l)
{
	if (!l)
		return;
	weft_ending_unwatch(&l->end);
	weft_chan_unref(l->requests);
	weft_chan_unref(l->replies);
	free(l);
}

/* --- the caller --- */

static void link_copy(void *to, const void *from, size_t bytes)
{
	/* memcpy() with a NULL source is undefined even for 0 bytes. */
	if (bytes)
		memcpy(to, from, bytes);
}

/* Wait for the reply to call `number`, past those to calls that are over. */
static int link_await_reply(struct weft_link *l, uint64_t number,
                            struct message *m, int64_t deadline_ns)
{
	int err;

	for (;;) {
		err = weft_chan_recv(l->replies, m, deadline_ns);
		if (err || m->number == number)
			return err;
		if (m->number > number)
			return -EPROTO;
		weft_fetch_add_relaxed(&l->late, 1u);
		drop_reply(m, l);
	}
}

/* What the caller of the link gets for an error of a wait: the reason and the
 * end win over the deadline, also in the queue for a turn. */
static int link_give_up(struct weft_link *l, int err)
{
	int why = weft_ending_why(&l->end);

	if (why)
		return why;
	if (err == -ETIMEDOUT)
		weft_fetch_add_relaxed(&l->timeouts, 1u);
	return err;
}

/* One call, by the task whose turn it is. In m is the request, then the
 * reply. */
static int link_exchange(struct weft_link *l, struct message *m, void *reply,
                         int64_t deadline_ns)
{
	uint64_t number;
	int err;

	count_add(&l->calls, 1);
	number = weft_load_relaxed(&l->calls);
	m->number = number;
	m->deadline_ns = deadline_ns;
	err = weft_chan_send(l->requests, m, deadline_ns);
	if (err) {
		drop_request(m, l);
		return link_give_up(l, err);
	}
	err = link_await_reply(l, number, m, deadline_ns);
	if (err)
		return link_give_up(l, err);
	if (m->status > 0 || m->status < INT_MIN)
		return -EPROTO;
	count_add(&l->answered, 1);
	if (m->status)
		return weft_failure_of((int)m->status);
	link_copy(reply, m->body, l->opts.reply_size);
	return 0;
}

int weft_link_call(struct weft_link *l, const void *request, void *reply,
                   int64_t deadline_ns)
{
	struct message m;
	int err;

	if (!l || (l->opts.request_size && !request) ||
	    (l->opts.reply_size && !reply))
		return -EINVAL;
	link_copy(m.body, request, l->opts.request_size);
	err = weft_lock_acquire_until(&l->turn, deadline_ns);
	if (err) {
		drop_request(&m, l);
		if (weft_load_acquire(&l->closed))
			err = -EPIPE;
		return link_give_up(l, err);
	}
	err = link_exchange(l, &m, reply, deadline_ns);
	weft_lock_release(&l->turn);
	return err;
}

/* --- the server --- */

/* The clock is read for those calls only that can expire. */
static bool is_over(const struct message *request)
{
	return request->deadline_ns != WEFT_FOREVER &&
	       request->deadline_ns <= weft_now();
}

static int link_take(struct weft_link *l, struct message *m,
                     int64_t deadline_ns)
{
	int err;

	for (;;) {
		/* What a stop has left inside is not handed out. */
		err = weft_ending_why(&l->end);
		if (err)
			return err;
		err = weft_chan_recv(l->requests, m, deadline_ns);
		if (err || !is_over(m))
			return weft_ending_of(&l->end, err);
		weft_fetch_add_relaxed(&l->skipped, 1u);
		drop_request(m, l);
	}
}

/* On an error the reply has not been handed on. */
static int link_answer(struct weft_link *l, struct weft_link_call *call,
                       struct message *m)
{
	int err;

	m->number = call->number;
	call->number = 0;
	err = weft_chan_send(l->replies, m, call->deadline_ns);
	if (err == -ETIMEDOUT)
		weft_fetch_add_relaxed(&l->late, 1u);
	return weft_ending_of(&l->end, err);
}

int weft_link_recv(struct weft_link *l, struct weft_link_call *call,
                   void *request, int64_t deadline_ns)
{
	struct message m;
	int err;

	if (!l || !call || (l->opts.request_size && !request))
		return -EINVAL;
	err = link_take(l, &m, deadline_ns);
	if (err)
		return err;
	*call = (struct weft_link_call){ m.number, m.deadline_ns };
	link_copy(request, m.body, l->opts.request_size);
	return 0;
}

int weft_link_reply(struct weft_link *l, struct weft_link_call *call,
                    int status, const void *reply)
{
	struct message m;

	if (!l || !call || !call->number || status > 0 ||
	    (l->opts.reply_size && status == 0 && !reply))
		return -EINVAL;
	m.status = status;
	if (status == 0)
		link_copy(m.body, reply, l->opts.reply_size);
	return link_answer(l, call, &m);
}

/* --- a server that runs a function --- */

struct server {
	struct weft_link *l;
	weft_link_fn fn;
	void *arg;
	int status; /* of serving */
	struct message request, reply;
};

static int serve_all(void *arg)
{
	struct server *s = arg;
	struct message *reply = &s->reply;
	struct weft_link_call call;
	int err;

	for (;;) {
		err = link_take(s->l, &s->request, WEFT_FOREVER);
		if (err)
			return err;
		call = (struct weft_link_call){ s->request.number,
			                        s->request.deadline_ns };
		reply->status =
		        s->fn(&call, s->request.body, reply->body, s->arg);
		if (reply->status > 0)
			reply->status = -EINVAL;
		err = link_answer(s->l, &call, reply);
		if (err)
			drop_reply(reply, s->l);
		/* Too late for this caller; the next one may come. */
		if (err && err != -ETIMEDOUT)
			return err;
	}
}

/* Only the end of the link is an end in order. */
static void server_left(void *arg, enum weft_guard_end end, int status)
{
	struct server *s = arg;
	struct weft_ending *e = &s->l->end;

	s->status = 0;
	if (end == WEFT_GUARD_RETURNED && status == -EPIPE)
		return;
	status = weft_failure_of(status < 0 ? status : -ECANCELED);
	weft_ending_fail(e, status);
	s->status = weft_ending_why(e);
	if (!s->status) /* too late: no call is under way any more */
		s->status = status;
}

int weft_link_serve(struct weft_link *l, weft_link_fn fn, void *arg)
{
	struct server s; /* large, so it is not cleared */

	if (!l || !fn)
		return -EINVAL;
	s.l = l;
	s.fn = fn;
	s.arg = arg;
	weft_guard(serve_all, &s, server_left);
	return s.status;
}

int weft_link_close(struct weft_link *l)
{
	int err;

	if (!l)
		return -EINVAL;
	err = weft_chan_close(l->requests); /* a stop has closed it as well */
	if (!err)
		weft_store_release(&l->closed, true);
	return err;
}

int weft_link_stop(struct weft_link *l)
{
	return l ? weft_ending_stop(&l->end, -ECANCELED) : -EINVAL;
}

int weft_link_fail(struct weft_link *l, int err)
{
	return l ? weft_ending_fail(&l->end, err) : -EINVAL;
}

int weft_link_stats(const struct weft_link *l, struct weft_link_stats *out)
{
	if (!l || !out)
		return -EINVAL;
	*out = (struct weft_link_stats){
		.calls = weft_load_relaxed(&l->calls),
		.answered = weft_load_relaxed(&l->answered),
		.timeouts = weft_load_relaxed(&l->timeouts),
		.late = weft_load_relaxed(&l->late),
		.skipped = weft_load_relaxed(&l->skipped),
	};
	return 0;
}
