/* The front's own record of a channel, and what select and contexts need of it.
 */
#ifndef WEFT_CHAN_INTERNAL_H
#define WEFT_CHAN_INTERNAL_H

#include <weft/atomic.h>
#include <weft/chan.h>
#include <weft/chan_impl.h>
#include <weft/select.h>

#include "task/claim.h"

/*
 * What a completing implementation (task/waitq.h) supplies beside its plain
 * operations, so that a select can look at several channels and begin to wait
 * on all of them with nothing in between: the steps of its send and recv, with
 * the lock taken by the caller.
 */
struct chan_completing {
	struct spin *(*lock)(void *state);

	/* With the lock held. Do what can be done at once: 0, -EPIPE, or
	 * -EAGAIN when it would have to wait. *wake receives a task to wake
	 * once all locks are released. */
	int (*now)(void *state, enum weft_case_op op, void *elem,
	           struct weft_task **wake);
	/* With the lock held, after -EAGAIN. Link a wait that is filled in. */
	void (*enqueue)(void *state, enum weft_case_op op, struct waiter *w);

	/* Without it. */
	void (*wake)(void *state, struct weft_task *task);
	size_t (*waiting)(void *state);
};

/* Which of impl->reserved has the implementation's struct chan_completing; NULL
 * in one that notifies, and in every plug-in. */
#define CHAN_RESERVED_COMPLETING 0

/* Send and receive of one element, the whole of them, for usable arguments: see
 * front.h. */
struct chan_front {
	int (*send)(struct weft_chan *c, const void *elem, int64_t deadline_ns);
	int (*recv)(struct weft_chan *c, void *elem, int64_t deadline_ns);
};

/* Which of impl->reserved has the implementation's own, for elements of 8
 * bytes; NULL where the general one does, and in every plug-in. */
#define CHAN_RESERVED_FRONT 1

struct weft_chan {
	/* Constant once made. */
	const struct weft_chan_impl *impl;
	const struct chan_completing *completing; /* NULL: it notifies */
	void *state;
	struct chan_front front;
	size_t elem_size;
	bool selectable; /* may stand in a select */
	size_t cap;
	uint32_t gap; /* pauses between polls of a wait: see spinner.h */
	struct weft_chan_opts opts;

	/* When the channel closes without a notification, so that every wait
	 * on it has to look again; WEFT_FOREVER. */
	int64_t due_ns;
	/* It only ever closes, so it has no say in how a select waits. */
	bool signal;

	/* What the last unref calls first; NULL. Set and cleared by the maker
	 * of the channel, with a reference. */
	void (*gone)(void *arg);
	void *gone_arg;

	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t refs;

	/* The last task that waited to send and the last that waited to
	 * receive, for comparison only. Off the lines that calls look at. */
	_Atomic(struct weft_task *) last_sender, last_receiver;

	struct waitq senders;   /* wait for space */
	struct waitq receivers; /* wait for an element */
};

/* Whether a call can be made with these: elements of 0 bytes need no memory. */
static inline bool chan_usable(const struct weft_chan *c, const void *elem)
{
	return c && (elem || c->elem_size == 0);
}

/* One more reference, for a caller that has none: false when the last one has
 * gone, which the memory of c outlives until c->gone() has returned. */
bool weft_chan_ref_unless_gone(struct weft_chan *c);

/* Whether channels of that kind and capacity may stand in a select. Runs no
 * code of the implementation. */
bool weft_chan_impl_can_select(const struct weft_chan_impl *impl, size_t cap);

/* One try without waiting; the caller tells the peers when it succeeded. */
static inline int chan_try(struct weft_chan *c, enum weft_case_op op,
                           void *elem)
{
	return op == WEFT_CASE_SEND ? c->impl->try_send(c->state, elem)
	                            : c->impl->try_recv(c->state, elem);
}

/* Where the tasks wait that want `op`. */
static inline struct waitq *chan_queue(struct weft_chan *c,
                                       enum weft_case_op op)
{
	return op == WEFT_CASE_SEND ? &c->senders : &c->receivers;
}

/* Tell the other side of operations that succeeded, one or several. */
static inline void chan_notify_peers(struct weft_chan *c, enum weft_case_op op)
{
	waitq_relay(op == WEFT_CASE_SEND ? &c->receivers : &c->senders);
}

/* Whether a notification that a wait for `op` holds at its end belongs to the
 * next in line: when it did not use it up (err is not 0), or when it stood for
 * more than it took. */
bool weft_chan_must_pass_on(const struct weft_chan *c, enum weft_case_op op,
                            int err);

/* Whether `op` would not wait, and the position of that: see chan_impl.h. */
static inline bool chan_poll(const struct weft_chan *c, enum weft_case_op op,
                             uint64_t *pos)
{
	return c->impl->poll(c->state, op == WEFT_CASE_SEND ? 's' : 'r', pos);
}

/*
 * A channel that nobody sends on and that only ever closes, over a state that
 * is there already: impl->create is not called, impl->destroy is.
 *
 * due_ns  when it closes without telling anyone; WEFT_FOREVER.
 *
 * Returns 0 or -ENOMEM.
 */
int weft_chan_new_signal(struct weft_chan **out,
                         const struct weft_chan_impl *impl, void *state,
                         int64_t due_ns);

#define CHAN(name) extern const struct weft_chan_impl weft_chan_impl_##name;
#include "chan/chan.def"
#undef CHAN

#endif
