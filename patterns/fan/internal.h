/* How a fan is made inside: for the files of this folder only. */
#ifndef WEFT_PATTERNS_FAN_INTERNAL_H
#define WEFT_PATTERNS_FAN_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/atomic.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "common/reorder.h"
#include "common/watch.h"
#include "fan.h"
#include "relay.h"
#include "task/waitq.h"

struct worker {
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

	/* The worker's own from here on. */
	struct weft_fan *f;
	unsigned index;
	struct weft_chan *from;
	struct weft_task *task; /* as it was started */
	struct weft_task *heir; /* who replaced it last; NULL for nobody */
	struct weft_task *dead; /* whom the latest one replaces */
	bool ended; /* returned; not set when the thread was ended */

	/* Items taken[next .. ntaken) have not been given to the function,
	 * results made[sent .. nmade) have not been passed on. When ordered,
	 * what is taken are the items' numbers, and results are made in their
	 * slots. */
	unsigned char *taken, *made;
	size_t ntaken, next, nmade, sent;
	bool *done; /* which of taken[0 .. next) have a result */
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
	struct weft_waitgroup running;
	struct watch watch; /* of the context, whose end stops it */

	/* 0, or why the fan was stopped. Set once, before the channels are
	 * closed: who finds one closed finds the reason here. */
	_Atomic int error;
	_Atomic bool closing;  /* nothing more comes in */
	_Atomic bool finished; /* nothing more will be made; ordered only */
	_Atomic bool through;  /* a receiver was told that nothing is left */
	_Atomic uint64_t replaced;

	/* Workers that have not ended. */
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned left;
	/* Where the next search for a worker begins, and who waits for room at
	 * one of them. */
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned next;
	struct waitq room;
};

/* Whether senders choose a worker for each item. */
static inline bool fan_is_dealt(const struct weft_fan *f)
{
	return !f->entry;
}

static inline bool fan_is_stopped(struct weft_fan *f)
{
	return weft_load_relaxed(&f->error) != 0;
}

/* --- fan.c --- */

/* Stop the fan for that reason, unless there is one already, or everything has
 * gone through. */
void weft_fan_stop_for(struct weft_fan *f, int err);

/* The same for something that has failed, with a name that no caller of the fan
 * can take for another. */
void weft_fan_fail_for(struct weft_fan *f, int err);

/* The last worker has ended, and all of them have passed on what they had. */
void weft_fan_end_results(struct weft_fan *f);

/* Wait in q until look(arg), which may have to look several times, says other
 * than -EAGAIN; -ETIMEDOUT. */
int weft_fan_wait(struct weft_fan *f, struct waitq *q, const char *what,
                  int (*look)(void *arg), void *arg, int64_t deadline_ns);

/* --- deal.c: when items are dealt --- */

/* Send elem to a worker that has room. As weft_fan_send(). */
int weft_fan_deal_out(struct weft_fan *f, const void *elem,
                      int64_t deadline_ns);

/* The worker has taken a batch of n items, and is through with it. */
void weft_fan_taken(struct worker *w, size_t n);
void weft_fan_finished(struct worker *w);

/* --- relay.c --- */

/* weft_broadcast(), and when it ends before its time, failed(arg, err) before
 * it closes a channel, so that who finds one closed can be told why. Only its
 * own task may end it, until it is freed. */
int weft_fan_broadcast(struct weft_relay **out, struct weft_chan *const *to,
                       size_t n, struct weft_chan *from,
                       const struct weft_relay_opts *opts,
                       void (*failed)(void *arg, int err), void *arg);

/* --- worker.c --- */

/* Start the worker's task. As weft_spawn(). */
int weft_fan_worker_start(struct worker *w, struct weft_task **out);

#endif
