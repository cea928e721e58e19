/* What the files of the fan share. fan.c calls the others, worker.c calls
 * deal.c, and none of them calls back. */
#ifndef WEFT_PATTERNS_FAN_INTERNAL_H
#define WEFT_PATTERNS_FAN_INTERNAL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/atomic.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "common/count.h"
#include "common/crew.h"
#include "common/ending.h"
#include "common/reorder.h"
#include "fan.h"
#include "relay.h"

struct worker {
	_Alignas(WEFT_CACHE_LINE) struct weft_crew_member member;

	/* The worker's own. */
	struct weft_fan *f;
	struct weft_chan *from;

	/* Items taken[next .. ntaken) have not been given to the function,
	 * results made[sent .. nmade) have not been passed on. When ordered,
	 * what is taken are the items' numbers, and results are made in their
	 * slots. */
	unsigned char *taken, *made;
	size_t ntaken, next, nmade, sent;
	bool *done; /* which of taken[0 .. next) have a result */

	/* Items dealt to it that it has not taken, and one more while it has a
	 * batch in hand; reserved by senders before they send, so that it never
	 * exceeds fan.limit. Signed: a channel that delivers something twice
	 * must not fill it up. */
	_Alignas(WEFT_CACHE_LINE) _Atomic int64_t load;

	/* Written by the worker, read by anyone. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t in;
	_Atomic uint64_t out;
	_Atomic uint64_t failed;
	_Atomic int64_t rest; /* of its batch, when dealt: not yet begun */
};

struct weft_fan {
	/* Constant once made. */
	struct weft_fan_opts opts; /* with the defaults filled in */
	struct worker *workers;
	struct weft_chan **queues; /* one, or one for each worker */
	size_t nqueues;
	struct weft_chan *entry; /* where all is sent to; NULL when dealt */
	struct weft_relay *pump; /* of a broadcast: from entry to queues */
	struct weft_chan *out;   /* unordered */
	struct reorder *order;   /* ordered */
	int64_t limit;           /* of each worker's load: its queue and one */

	struct weft_ending end;
	struct weft_crew crew; /* the workers, in the order of their numbers */
	_Atomic bool closing;  /* nothing more comes in */
	_Atomic bool finished; /* nothing more will be made; ordered only */
	_Atomic bool through;  /* a receiver was told that nothing is left */

	/* Where the next search for a worker begins, and the senders that wait
	 * for room at one of them. */
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned next;
	struct weft_waiters room;
};

/* Whether senders choose a worker for each item. */
static inline bool fan_is_dealt(const struct weft_fan *f)
{
	return !f->entry;
}

/* weft_waiters_wait(); what is there already is taken without the call. */
static inline int fan_wait(struct weft_waiters *w, const char *what,
                           int (*look)(void *arg), void *arg,
                           int64_t deadline_ns)
{
	int err = look(arg);

	if (err != -EAGAIN)
		return err;
	return weft_waiters_wait(w, what, look, arg, NULL, deadline_ns);
}

/* --- deal.c: when items are dealt --- */

/* Send elem to a worker that has room. As weft_fan_send(). */
int weft_fan_deal_out(struct weft_fan *f, const void *elem,
                      int64_t deadline_ns);

/* The worker has taken a batch of n items, and is through with it. */
void weft_fan_taken(struct worker *w, size_t n);
void weft_fan_finished(struct worker *w);

/* --- relay.c --- */

/* weft_broadcast(), and when it ends before its time, failed(arg, err) before
 * it closes a channel, so that its reason is known before any end is seen. It
 * may be called several times. */
int weft_fan_broadcast(struct weft_relay **out, struct weft_chan *const *to,
                       size_t n, struct weft_chan *from,
                       const struct weft_relay_opts *opts,
                       void (*failed)(void *arg, int err), void *arg);

/* --- worker.c --- */

/* Start all workers. As weft_crew_start(). */
int weft_fan_start(struct weft_fan *f);

#endif
