/*
 * What the files of the supervisor share.
 *
 * Its one task, the manager, makes all decisions. What it decides about is its
 * own: it reads that without the lock, and writes what others read under it.
 * Others put what they want into the inbox, under the lock, and ring.
 */
#ifndef WEFT_SUPERVISOR_INTERNAL_H
#define WEFT_SUPERVISOR_INTERNAL_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/weft.h>

#include "base/list.h"
#include "base/timer_heap.h"
#include "common/crew.h"
#include "common/ending.h"
#include "supervisor.h"

/* What becomes of a child that is being stopped. The larger one wins. */
enum next {
	NEXT_START,  /* started at due_ns; in a group when that is */
	NEXT_END,    /* ended for good */
	NEXT_REMOVE, /* freed */
};

/* What callers want of a child. */
enum { WANT_START = 1, WANT_REMOVE = 2 };

struct child {
	/* In the inbox or among the children: under the lock. */
	struct list all;
	struct list wanting; /* linked: in the inbox of wants */
	unsigned wants;      /* under the lock */

	struct weft_child_info
	        info;            /* written by the manager, under the lock */
	struct weft_child *life; /* the same; NULL: none */

	/* The manager's. */
	struct weft_child_opts opts; /* argv is its own */
	enum next next;
	unsigned quick;   /* lives in a row too short to forget the back-off */
	int64_t begun_ns; /* the life */
	int64_t due_ns;   /* the next one */
	/* Of what comes next: WAITING, the start; RUNNING, the look for a beat;
	 * STOPPING, the end of its shutdown time. */
	struct timer_entry timer;
};

/* One life. Referenced by its task and by the manager. */
struct weft_child {
	struct weft_supervisor *s; /* a reference */
	_Atomic unsigned refs;

	/* Constant while its task runs. */
	weft_child_fn fn;
	void *arg;
	struct weft_ctx *ctx;
	uint64_t id, number;
	char name[32];

	_Atomic int64_t beat_ns; /* the last one */

	/* Of a program. */
	pid_t pid;
	int fd;     /* readable at its end; negative: has to be asked */
	bool taken; /* its status was, under the lock: the pid may be another's
	             */
	int signaled; /* by its task */
	bool killed;  /* by the manager */

	/* Of its end: written by its task, before it is put into the inbox. */
	enum weft_child_end end;
	int status;
	bool has_left; /* under the lock */

	struct list link; /* in the inbox of ended ones, or among the strays */
	struct child *child;    /* the manager's; NULL: a stray, whose place
	                           another    life has taken */
	struct weft_task *task; /* the manager's */
};

struct weft_supervisor {
	/* Constant once made; opts with all defaults filled in. */
	struct weft_supervisor_opts opts;
	struct weft_ctx *root; /* of all lives: what opts.ctx is, but its end */

	struct weft_ending end;
	struct weft_crew crew;
	struct weft_crew_member manager;
	_Atomic unsigned refs;

	_Atomic bool rung, closed;
	_Atomic bool finished;       /* in order: too late for a stop */
	struct weft_waiters bell;    /* for the manager */
	struct weft_waiters changed; /* for those that wait for a child */

	struct weft_lock lock;
	/* Under the lock: the inbox. */
	struct list added, wanting, left;
	uint64_t ids;
	/* Under the lock, written by the manager. */
	struct list children, strays;
	struct weft_supervisor_stats stats;
	bool over; /* the manager has ended, by result */
	bool gone; /* so has the supervisor */
	int result;

	/* The manager's. */
	struct timer_heap timers;
	struct weft_supervisor_event *events; /* to be told, from told on */
	size_t n_events, told, room;
	struct child
	        *group;   /* it and those after it are to be started again; */
	int64_t group_ns; /* not before; NULL: no group is */
	bool paused;
	int64_t resume_ns;
	int64_t score_ns;
};

static inline struct child *child_at(struct list *l)
{
	return list_entry(l, struct child, all);
}

/* child.c. Begin a life of c: 0 or -errno. The manager's reference. */
int weft_life_begin(struct weft_supervisor *s, struct child *c);
/* Tell it to stop; `hard` kills a program. */
void weft_life_stop(struct weft_child *l, bool hard);
void weft_life_put(struct weft_child *l);
/* Whether starting it failed for a reason that another try does not change. */
bool weft_life_is_hopeless(int err);

/* manager.c */
extern const struct weft_crew_ops weft_supervisor_crew;

/* supervisor.c */
void weft_supervisor_ring(struct weft_supervisor *s);
void weft_supervisor_put(struct weft_supervisor *s);

#endif
