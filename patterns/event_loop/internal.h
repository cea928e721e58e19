/*
 * What the files of the loop share. Unless it says otherwise a field belongs to
 * the task that runs the loop, or changes it while none does: is_touchable().
 */
#ifndef WEFT_LOOP_INTERNAL_H
#define WEFT_LOOP_INTERNAL_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <weft/atomic.h>
#include <weft/weft.h>

#include "base/list.h"
#include "base/timer_heap.h"
#include "common/count.h"
#include "common/crew.h"
#include "common/ending.h"
#include "loop.h"

#define LEVELS (WEFT_LOOP_PRIO_MAX + 1)

/* Lanes of a loop: one case of its select is that which wakes it. */
#define LANES_MAX (WEFT_SELECT_MAX - 1)

/* Descriptors that are asked for at once. */
#define POLLED_MAX 32

/* What is posted is the event of a source of the loop's own. */
struct posted {
	weft_loop_fn fn;
	void *arg;
};

struct weft_loop_source {
	struct weft_loop *l;
	weft_loop_event_fn fn;
	void *arg;
	struct weft_chan *chan; /* where its events go in */
	uint64_t tag;           /* of its events in a queue; 0: is in none */
};

/*
 * A source of a queue is found by the tag of an event: the number of its slot
 * below, and which of the sources it is that have had the slot above, so that
 * an event of one that was freed is not taken for its heir's. Whatever number a
 * channel makes of a tag, it leads to a source or to none.
 */
struct slot {
	struct weft_loop_source *source; /* NULL: free */
	uint32_t generation;
};

/* A channel that the loop receives from. */
struct lane {
	struct weft_chan *chan;          /* a reference */
	struct weft_loop_source *source; /* NULL: events carry tags */
	unsigned prio;
	bool ended; /* closed and drained */
};

/* The lanes of one priority, which stand together. */
struct level {
	unsigned first, n;
	unsigned cursor; /* the one to be looked at next, from the first */
	uint64_t passed; /* events since it was looked at */
};

struct weft_loop_timer {
	struct weft_loop *l;
	weft_loop_fn fn;
	void *arg;
	int64_t period_ns;
	struct timer_entry entry;
	struct list due; /* linked: it is to be called in this turn */
	struct list all;
};

struct weft_loop_fd {
	struct weft_loop *l;
	weft_loop_fd_fn fn;
	void *arg;
	int fd;
	struct list all;
};

/* Waits for descriptors in place of a loop that selects. */
struct watcher {
	struct weft_crew_member member;
	struct weft_loop *l;
};

/* What weft_loop_stats() says; written by one task at a time. */
struct figures {
	_Atomic uint64_t turns, waits, events, timers, descriptors, failed,
	        drained, discarded;
	_Atomic int64_t idle_ns;
};

struct weft_loop {
	/* Constant once made. */
	struct weft_loop_opts opts;
	size_t tag_at;        /* where in an element of a queue the tag is */
	unsigned char *elem;  /* of any lane, as long as it is handled */
	unsigned char *scrap; /* the same, as long as it is discarded */
	unsigned char *held;  /* the same, between a wait and its turn */

	struct weft_ending end;
	/* The task that runs it, or NULL. */
	_Atomic(struct weft_task *) owner;
	_Atomic bool closed, broken; /* any task */

	/* The channel whose next event a wait has received; NULL: none. It is
	 * handled when it is its turn, as if it were in there still. */
	_Atomic(struct weft_chan *) held_of;

	/* Lanes and slots change under the lock. The owner looks at them
	 * without, any other task with it. */
	struct weft_lock lock;
	struct lane *lane;
	unsigned lanes, live, room; /* live: have not ended */
	struct slot *slot;
	unsigned slots;
	struct level level[LEVELS];
	struct weft_loop_source post;

	/* What ends a wait beside events: a channel of one token, or the
	 * eventfd. */
	struct weft_case *cases; /* of the lanes, and of `wake` as the last */
	struct weft_chan *wake;
	int wake_fd;
	/* A queue: the owner is about to wait for the eventfd, or does. */
	_Atomic uint32_t asleep;

	struct timer_heap heap;
	struct list due, timers;
	size_t timers_made;

	struct list fds;
	size_t fds_made;
	int poll_fd; /* epoll; -1 */
	struct epoll_event polled[POLLED_MAX];
	int n_polled, next_polled;

	/* A loop that selects: whether descriptors are ready is found out by
	 * the watcher, which then waits until they were served. */
	struct weft_crew crew;
	struct watcher watcher;
	struct weft_chan *served;
	bool owes_watcher;
	_Atomic bool fds_ready, watcher_ends;

	int64_t now_ns;
	struct figures n;
};

static inline bool weft_loop_is_queue(const struct weft_loop *l)
{
	return l->opts.kind == WEFT_LOOP_QUEUE;
}

static inline bool weft_loop_is_inside(struct weft_loop *l)
{
	return weft_load_relaxed(&l->owner) == weft_self();
}

/* For the calls that any task may make when none runs the loop. */
static inline bool weft_loop_is_touchable(struct weft_loop *l)
{
	/* Acquires what the task that ran it last has done to it. */
	return !weft_load_acquire(&l->owner) || weft_loop_is_inside(l);
}

static inline int64_t weft_loop_earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* --- loop.c --- */

/* What a handler has returned may end the loop. */
void weft_loop_done(struct weft_loop *l, int err);

/* --- source.c --- */

/* Of the channels for other things than events. */
const struct weft_chan_impl *weft_loop_impl_beside(const struct weft_loop *l);

/* After weft_loop_poller_init(). */
int weft_loop_lanes_init(struct weft_loop *l);
void weft_loop_lanes_free(struct weft_loop *l);

/* Under the lock: close them all, or whether all are empty. */
void weft_loop_lanes_close(struct weft_loop *l);
bool weft_loop_lanes_are_empty(const struct weft_loop *l);

/* The next event: it stands in l->elem. NULL: there is none. */
struct weft_loop_source *weft_loop_pick(struct weft_loop *l);

/* Receive an event of any lane into l->held, unless all are empty. */
bool weft_loop_hold_any(struct weft_loop *l);

/* Lane i is closed and drained. */
void weft_loop_lane_ended(struct weft_loop *l, unsigned i);

/* Call the handler for the event in l->elem. */
void weft_loop_handle(struct weft_loop *l, struct weft_loop_source *s);

/* Drop all that is inside. */
void weft_loop_discard(struct weft_loop *l);

/* --- timers.c --- */

/* Call what is due. How many there were. */
unsigned weft_loop_timers_run(struct weft_loop *l);

/* When the first of them is due; WEFT_FOREVER. */
int64_t weft_loop_timers_next(const struct weft_loop *l);

void weft_loop_timers_free(struct weft_loop *l);

/* --- poller.c --- */

int weft_loop_poller_init(struct weft_loop *l);
void weft_loop_poller_free(struct weft_loop *l);

/* Have the owner look again, if it waits or is about to. */
void weft_loop_wake(struct weft_loop *l);

/* Call those that are ready. How many there were. */
unsigned weft_loop_poll(struct weft_loop *l);

/* Look around for a while, and then wait in the kernel. 0 or -errno, not
 * -ETIMEDOUT. */
int weft_loop_wait_fd(struct weft_loop *l, int64_t deadline_ns);

#endif
