/*
 * The front: what every implementation gets around its own few calls.
 *
 * An implementation that does not wait is driven by the notifying protocol of
 * task/waitq.h, in the loop of task/await.h. One that does its own waiting is
 * called directly; the front still notifies after each success, for selects
 * that wait on it.
 *
 * Every success, that of a try_ call too, must look for waiters on the other
 * side: a path that leaves it out hangs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "chan/front.h"
#include "task/await.h"

static size_t chan_cap_of(const struct weft_chan_impl *impl, const void *state,
                          size_t asked)
{
	if (impl->can & WEFT_CAN_UNBOUNDED)
		return SIZE_MAX;
	return impl->cap ? impl->cap(state) : asked;
}

static struct weft_chan *chan_alloc(void)
{
	return aligned_alloc(_Alignof(struct weft_chan),
	                     sizeof(struct weft_chan));
}

/* Without a queue inside that selects can join, nobody would ever be seen
 * waiting at a capacity of 0. */
bool weft_chan_impl_can_select(const struct weft_chan_impl *impl, size_t cap)
{
	return (impl->can & WEFT_CAN_SELECT) &&
	       (impl->reserved[CHAN_RESERVED_COMPLETING] ||
	        (impl->poll && cap));
}

static const struct chan_front chan_front_any = { weft_chan_send_any,
	                                          weft_chan_recv_any };

static const struct chan_front *chan_front_of(const struct weft_chan_impl *impl,
                                              size_t elem_size)
{
	const struct chan_front *own = impl->reserved[CHAN_RESERVED_FRONT];

	return own && elem_size == FRONT_ELEM ? own : &chan_front_any;
}

/* Everything but the options. */
static void chan_init(struct weft_chan *c, const struct weft_chan_impl *impl,
                      void *state, size_t cap, size_t elem_size)
{
	c->impl = impl;
	c->completing = impl->reserved[CHAN_RESERVED_COMPLETING];
	c->state = state;
	c->front = *chan_front_of(impl, elem_size);
	c->elem_size = elem_size;
	c->cap = chan_cap_of(impl, state, cap);
	c->selectable = weft_chan_impl_can_select(impl, cap);
	c->gap = spinner_gap(c->cap);
	c->due_ns = WEFT_FOREVER;
	c->signal = false;
	c->gone = NULL;
	weft_store_relaxed(&c->refs, 1u);
	weft_store_relaxed(&c->last_sender, NULL);
	weft_store_relaxed(&c->last_receiver, NULL);
	weft_waitq_init(&c->senders);
	weft_waitq_init(&c->receivers);
}

static uint64_t chan_start_max(const struct weft_chan_impl *impl)
{
	return impl->can & WEFT_CAN_START ? WEFT_START_MAX : 0;
}

int weft_chan_new(struct weft_chan **out, const struct weft_chan_impl *impl,
                  size_t cap, size_t elem_size,
                  const struct weft_chan_opts *opts)
{
	static const struct weft_chan_opts defaults;
	struct weft_chan_config config = { .cap = cap, .elem_size = elem_size };
	struct weft_chan *c;
	void *state = NULL;
	int err;

	if (!opts)
		opts = &defaults;
	if (!out || weft_chan_impl_accepts(impl, cap, elem_size, NULL, 0) ||
	    (unsigned)opts->wait > WEFT_WAIT_PARK ||
	    opts->start > chan_start_max(impl))
		return -EINVAL;
	c = chan_alloc();
	if (!c)
		return -ENOMEM;
	config.wait = opts->wait;
	config.start = opts->start;
	err = impl->create(&state, &config);
	if (err) {
		free(c);
		return err;
	}
	chan_init(c, impl, state, cap, elem_size);
	c->opts = *opts;
	*out = c;
	return 0;
}

int weft_chan_new_signal(struct weft_chan **out,
                         const struct weft_chan_impl *impl, void *state,
                         int64_t due_ns)
{
	struct weft_chan *c = chan_alloc();

	if (!c)
		return -ENOMEM;
	chan_init(c, impl, state, 1, 0);
	c->opts = (struct weft_chan_opts){ 0 };
	c->due_ns = due_ns;
	c->signal = true;
	*out = c;
	return 0;
}

struct weft_chan *weft_chan_ref(struct weft_chan *c)
{
	if (c)
		weft_fetch_add_relaxed(&c->refs, 1u);
	return c;
}

bool weft_chan_ref_unless_gone(struct weft_chan *c)
{
	uint64_t n = weft_load_relaxed(&c->refs);

	while (n)
		if (weft_cas_weak_relaxed(&c->refs, &n, n + 1))
			return true;
	return false;
}

/* Hand what is left to the owner's drop, in order. */
static void chan_drop_all(struct weft_chan *c)
{
	_Alignas(WEFT_CACHE_LINE) unsigned char elem[WEFT_ELEM_MAX];

	if (!c->opts.drop || (c->impl->can & WEFT_NO_DATA))
		return;
	while (c->impl->try_recv(c->state, elem) == 0)
		c->opts.drop(elem, c->opts.drop_arg);
}

/* Waits that are registered, in the front or inside. */
static size_t chan_waiting(const struct weft_chan *c)
{
	return weft_load_relaxed(&c->senders.registered) +
	       weft_load_relaxed(&c->receivers.registered) +
	       (c->completing ? c->completing->waiting(c->state) : 0);
}

void weft_chan_unref(struct weft_chan *c)
{
	if (!c || weft_fetch_sub_acq_rel(&c->refs, 1u) != 1)
		return;
	CHECK_EQ(chan_waiting(c), (size_t)0);
	if (c->gone)
		c->gone(c->gone_arg);
	chan_drop_all(c);
	c->impl->destroy(c->state);
	free(c);
}

/* --- one element, without waiting --- */

int weft_chan_try_send(struct weft_chan *c, const void *elem)
{
	int err;

	if (!chan_usable(c, elem))
		return -EINVAL;
	err = c->impl->try_send(c->state, elem);
	if (!err)
		waitq_relay(&c->receivers);
	return err;
}

int weft_chan_try_recv(struct weft_chan *c, void *elem)
{
	int err;

	if (!chan_usable(c, elem))
		return -EINVAL;
	err = c->impl->try_recv(c->state, elem);
	if (!err)
		waitq_relay(&c->senders);
	return err;
}

/* --- one element, waiting --- */

/* The element of a send is const; only what receives writes to it. */

/* Whether there may be more for the next task that wants `op`. */
static bool chan_may_have_more(const struct weft_chan *c, enum weft_case_op op)
{
	size_t len;

	if (!(c->impl->can & WEFT_CAN_LEN))
		return true;
	len = c->impl->len(c->state);
	return op == WEFT_CASE_SEND ? len < c->cap : len > 0;
}

bool weft_chan_must_pass_on(const struct weft_chan *c, enum weft_case_op op,
                            int err)
{
	return err || chan_may_have_more(c, op);
}

/* A call that waits, for weft_await(). */
struct chan_call {
	struct weft_chan *c;
	enum weft_case_op op;
	void *elem;
};

static int chan_look(void *arg)
{
	const struct chan_call *call = arg;

	return chan_try(call->c, call->op, call->elem);
}

static bool chan_pass_on(void *arg, int err)
{
	const struct chan_call *call = arg;

	return weft_chan_must_pass_on(call->c, call->op, err);
}

/* Whether the last wait for the same was another task's. */
static bool chan_is_shared(struct weft_chan *c, enum weft_case_op op)
{
	_Atomic(struct weft_task *) *last =
	        op == WEFT_CASE_SEND ? &c->last_sender : &c->last_receiver;
	struct weft_task *me = weft_self(), *before = weft_load_relaxed(last);

	if (before == me)
		return false;
	weft_store_relaxed(last, me);
	return before != NULL;
}

/* The slow half of a call, kept out of its way. */
__attribute__((noinline)) static int chan_wait_for(struct weft_chan *c,
                                                   enum weft_case_op op,
                                                   void *elem,
                                                   int64_t deadline_ns)
{
	struct chan_call call = { c, op, elem };
	struct awaiting w = {
		.q = chan_queue(c, op),
		.what = op == WEFT_CASE_SEND ? "chan send" : "chan recv",
		.look = chan_look,
		.pass_on = chan_pass_on,
		.relay = true,
		.arg = &call,
		.policy = c->opts.wait,
		.gap = c->gap,
		.shared = deadline_ns > WEFT_NOW && chan_is_shared(c, op)
	};
	int err;

	err = weft_await(&w, NULL,
	                 deadline_ns < c->due_ns ? deadline_ns : c->due_ns);
	if (!err)
		chan_notify_peers(c, op);
	return err;
}

int weft_chan_relay_slow(struct waitq *peers)
{
	weft_waitq_relay_slow(peers);
	return 0;
}

int weft_chan_send_rest(struct weft_chan *c, const void *elem,
                        int64_t deadline_ns, int err)
{
	if (err == -EAGAIN)
		return chan_wait_for(c, WEFT_CASE_SEND, (void *)(uintptr_t)elem,
		                     deadline_ns);
	return err ? err : front_done(&c->receivers);
}

int weft_chan_recv_rest(struct weft_chan *c, void *elem, int64_t deadline_ns,
                        int err)
{
	if (err == -EAGAIN)
		return chan_wait_for(c, WEFT_CASE_RECV, elem, deadline_ns);
	return err ? err : front_done(&c->senders);
}

int weft_chan_send_any(struct weft_chan *c, const void *elem,
                       int64_t deadline_ns)
{
	int err;

	if (c->impl->send)
		err = c->impl->send(c->state, elem, deadline_ns);
	else
		err = c->impl->try_send(c->state, elem);
	return weft_chan_send_rest(c, elem, deadline_ns, err);
}

int weft_chan_recv_any(struct weft_chan *c, void *elem, int64_t deadline_ns)
{
	int err;

	if (c->impl->recv)
		err = c->impl->recv(c->state, elem, deadline_ns);
	else
		err = c->impl->try_recv(c->state, elem);
	return weft_chan_recv_rest(c, elem, deadline_ns, err);
}

int weft_chan_send(struct weft_chan *c, const void *elem, int64_t deadline_ns)
{
	return chan_usable(c, elem) ? c->front.send(c, elem, deadline_ns)
	                            : -EINVAL;
}

int weft_chan_recv(struct weft_chan *c, void *elem, int64_t deadline_ns)
{
	return chan_usable(c, elem) ? c->front.recv(c, elem, deadline_ns)
	                            : -EINVAL;
}

/* --- many elements --- */

/* Move what goes without waiting. Returns how many; *err says why not all. */
static size_t chan_try_send_some(struct weft_chan *c,
                                 const unsigned char *elems, size_t n, int *err)
{
	size_t done = 0;

	*err = 0;
	if (c->impl->can & WEFT_CAN_BATCH)
		*err = c->impl->try_send_many(c->state, elems, n, &done);
	else
		while (done < n && !*err) {
			*err = c->impl->try_send(c->state,
			                         elems + done * c->elem_size);
			done += !*err;
		}
	if (done)
		waitq_relay(&c->receivers);
	return done;
}

static size_t chan_try_recv_some(struct weft_chan *c, unsigned char *elems,
                                 size_t n, int *err)
{
	size_t done = 0;

	*err = 0;
	if (c->impl->can & WEFT_CAN_BATCH)
		*err = c->impl->try_recv_many(c->state, elems, n, &done);
	else
		while (done < n && !*err) {
			*err = c->impl->try_recv(c->state,
			                         elems + done * c->elem_size);
			done += !*err;
		}
	if (done)
		waitq_relay(&c->senders);
	return done;
}

int weft_chan_send_many(struct weft_chan *c, const void *elems, size_t n,
                        size_t *done, int64_t deadline_ns)
{
	const unsigned char *from = elems;
	int err = 0;

	if (done)
		*done = 0;
	if (!done || !chan_usable(c, n ? elems : ""))
		return -EINVAL;
	while (*done < n) {
		*done += chan_try_send_some(c, from + *done * c->elem_size,
		                            n - *done, &err);
		if (*done == n)
			return 0;
		if (err && err != -EAGAIN)
			return err;
		err = weft_chan_send(c, from + *done * c->elem_size,
		                     deadline_ns);
		if (err)
			return err;
		++*done;
	}
	return 0;
}

int weft_chan_recv_many(struct weft_chan *c, void *elems, size_t n,
                        size_t *done, int64_t deadline_ns)
{
	unsigned char *to = elems;
	int err;

	if (done)
		*done = 0;
	if (!done || !chan_usable(c, n ? elems : ""))
		return -EINVAL;
	if (n == 0)
		return 0;
	*done = chan_try_recv_some(c, to, n, &err);
	if (*done)
		return 0;
	err = weft_chan_recv(c, to, deadline_ns);
	if (err)
		return err;
	*done = 1;
	if (n > 1)
		*done += chan_try_recv_some(c, to + c->elem_size, n - 1, &err);
	return 0;
}

/* --- close, and what can be asked --- */

int weft_chan_close(struct weft_chan *c)
{
	int err;

	if (!c)
		return -EINVAL;
	err = c->impl->close(c->state);
	if (!err) {
		waitq_notify_all(&c->senders);
		waitq_notify_all(&c->receivers);
	}
	return err;
}

size_t weft_chan_len(const struct weft_chan *c)
{
	return c ? c->impl->len(c->state) : 0;
}

size_t weft_chan_cap(const struct weft_chan *c)
{
	return c ? c->cap : 0;
}

size_t weft_chan_elem_size(const struct weft_chan *c)
{
	return c ? c->elem_size : 0;
}

const struct weft_chan_impl *weft_chan_impl_of(const struct weft_chan *c)
{
	return c ? c->impl : NULL;
}

void weft_chan_stats(const struct weft_chan *c, struct weft_chan_stats *out)
{
	*out = (struct weft_chan_stats){ 0 };
	if (!c)
		return;
	out->parks = weft_load_relaxed(&c->senders.parks) +
	             weft_load_relaxed(&c->receivers.parks);
	out->wakes = weft_load_relaxed(&c->senders.wakes) +
	             weft_load_relaxed(&c->receivers.wakes);
	out->waiting = chan_waiting(c);
	if (c->impl->stats)
		c->impl->stats(c->state, out);
}
