/*
 * What the files of the pool share.
 *
 *	table.c   the records of all jobs
 *	deque.c   what a worker keeps to itself
 *	job.c     a job from its submit to its end; handles and groups
 *	worker.c  what workers do
 *	pool.c    the pool as a whole
 *
 * Every job has a record, and what travels through a queue is the number of the
 * record and its generation. So a stop, a group that fails and a look for the
 * oldest walk over records, and need not get at what is inside a queue; a job
 * that was cancelled leaves an element behind that the worker passes over; and
 * what a channel has lost, doubled or made up is noticed, and fails the pool.
 */
#ifndef WEFT_PATTERNS_WORKER_POOL_INTERNAL_H
#define WEFT_PATTERNS_WORKER_POOL_INTERNAL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/atomic.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "base/cacheline.h"
#include "base/check.h"
#include "common/count.h"
#include "common/crew.h"
#include "common/ending.h"
#include "pool.h"

/* --- a job --- */

/*
 * The word of a job: its generation above, this below. It is begun, cancelled,
 * or taken out of its queue by compare-and-swap of the whole.
 */
enum job_state {
	JOB_FREE,
	JOB_NEW, /* not admitted yet: no stop has to count it */
	JOB_QUEUED,
	JOB_RUNNING,
	JOB_DONE,
	JOB_CANCELED,
};
#define JOB_STATE UINT64_C(7)
#define JOB_INSIDE UINT64_C(8) /* an element for it is in a queue */
#define JOB_GENERATION (UINT64_C(1) << 32)

struct weft_job {
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t word;

	/* One for the element in the queue, one for what is to be done, one for
	 * the handle. */
	_Atomic uint32_t refs;
	/* The next free record, or the next job that was put aside: its index
	 * + 1. */
	_Atomic uint32_t next;

	/* Constant from submit to end. The atomic ones are read also by a walk
	 * over the records, which the word tells whether it was this job's. */
	weft_job_fn fn;
	void *arg;
	struct job_class *in; /* whose queue its element is in; NULL: a deque */
	_Atomic(struct weft_pool_group *) group;
	_Atomic int64_t since_ns; /* submitted */
	bool has_handle;
	int status; /* written before it is done */

	/* Constant once made. */
	uint32_t index;
	struct weft_pool *p;
	struct weft_waiters waiters; /* for its end */
};

static inline enum job_state job_state(uint64_t word)
{
	return (enum job_state)(word & JOB_STATE);
}

static inline uint64_t job_word(uint64_t word, enum job_state state)
{
	return (word & ~JOB_STATE) | (uint64_t)state;
}

/* What stands for it in a queue. */
static inline uint64_t job_elem(const struct weft_job *job)
{
	return (weft_load_relaxed(&job->word) & ~(JOB_GENERATION - 1)) |
	       job->index;
}

/* --- what one class has --- */

/*
 * The word of a class, in one so that a worker takes from the queue, begins and
 * gives the place back in one step:
 *
 *	ready    jobs in the queue that may be received: its send is over
 *	places   jobs that are in the queue, or on their way into it
 *	running  workers that run one of them
 *
 * A job that is cancelled, or run by a task that waits for it, leaves its
 * element behind with its place. A worker that needs the place goes through the
 * queue (weft_pool_tidy()); what it finds that has still to be run it puts
 * aside, from where it is taken before what is in the channel.
 */
#define CLASS_READY UINT64_C(1)
#define CLASS_PLACE (UINT64_C(1) << 27)
#define CLASS_RUNNING (UINT64_C(1) << 54)
#define CLASS_COUNT ((UINT64_C(1) << 27) - 1)

struct job_class {
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t word;
	/* Constant once made. */
	_Alignas(WEFT_CACHE_LINE) struct weft_chan *queue;
	unsigned share;
	/* Index + 1 of the first job that was put aside; behind it stand the
	 * others, in their order. Changes under the lock. */
	_Atomic uint32_t aside;
	struct weft_waiters room;
	struct weft_lock tidying;
	_Atomic int64_t left_behind; /* elements that nobody needs any more */
};

/* --- a worker --- */

struct deque;

/* One call of a job. */
struct running {
	struct weft_job *job;      /* NULL: none */
	struct running *outer;     /* in whose wait it runs; NULL */
	struct job_class *counted; /* where it counts as running; NULL */
	uint32_t refs;             /* of the job that end with it */
};

struct worker {
	_Alignas(WEFT_CACHE_LINE) struct weft_crew_member member;

	/* The worker's own. */
	struct weft_pool *p;
	struct deque *own; /* NULL: it keeps nothing to itself */
	unsigned next_class;
	struct running run;
	struct running *top; /* the innermost call */

	_Atomic(struct weft_task *) self;

	/* Written by the worker, read by anyone. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t submitted;
	_Atomic uint64_t started, succeeded, failed, stolen;
};

/* --- the pool --- */

#define TABLE_CHUNKS 20
/* Records of the first one; each has twice as many as the one before. */
#define TABLE_CHUNK_MIN 64u

/* entered: the jobs that came from outside, and whether more may come. */
#define ENTERED_CLOSED UINT64_C(1)
#define ENTERED_ONE UINT64_C(2)

struct weft_pool {
	/* Constant once made. */
	struct weft_pool_opts opts; /* with the defaults filled in */
	struct job_class *classes;
	struct worker *workers;

	struct weft_ending end;
	struct weft_crew crew;
	_Atomic unsigned at_work; /* workers with a number below this are */

	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t entered;

	/* Counted by any task. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t canceled;
	_Atomic uint64_t refused;
	_Atomic uint64_t blocked;
	_Atomic uint64_t waits_quiet; /* calls of weft_pool_wait() */

	struct weft_waiters idle;  /* workers without a job */
	struct weft_waiters spare; /* workers that are too many */
	struct weft_waiters quiet;
	struct weft_lock hiring; /* see take_place() */

	/* The table. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t free_jobs; /* see table.c */
	_Atomic uint32_t njobs;
	_Atomic(struct weft_job *) chunks[TABLE_CHUNKS];
	struct weft_lock growing;
};

struct weft_pool_group {
	struct weft_pool *p;
	_Atomic int err;
	_Atomic bool canceled;      /* one of its jobs was */
	struct weft_waitgroup jobs; /* that wait or run */
};

static inline bool pool_is_closed(const struct weft_pool *p)
{
	return weft_load_acquire(&p->entered) & ENTERED_CLOSED;
}

/* Workers that may run jobs of a class. */
static inline uint64_t class_limit(const struct weft_pool *p,
                                   const struct job_class *c)
{
	unsigned at_work = weft_load_relaxed(&p->at_work);

	return c->share && c->share < at_work ? c->share : at_work;
}

/* --- table.c --- */

/* A record that nobody else knows of, in state JOB_NEW; NULL: no memory. */
struct weft_job *weft_pool_record(struct weft_pool *p);
/* Give n references back; with the last one the record is free. */
void weft_pool_unref(struct weft_job *job, uint32_t n);
/* Record i; NULL past the last. */
struct weft_job *weft_pool_record_at(const struct weft_pool *p, uint32_t i);
void weft_pool_free_records(struct weft_pool *p);

/* --- deque.c --- */

struct deque *weft_pool_deque_new(void);
/* By its worker alone. */
bool weft_pool_deque_has_room(const struct deque *d);
/* False: full; empty. */
bool weft_pool_deque_push(struct deque *d, uint64_t elem);
bool weft_pool_deque_pop(struct deque *d, uint64_t *elem);
/* By any task: the oldest. 0; -EAGAIN: empty; -EBUSY: another was faster. */
int weft_pool_deque_steal(struct deque *d, uint64_t *elem);

/* --- job.c --- */

/* Cancel all that wait, of this group or, with NULL, of all. */
void weft_pool_cancel_queued(struct weft_pool *p, struct weft_pool_group *g);
/* What came out of a queue: 0 and the job, which has still to be run, and with
 * `begin` is running now; -ECANCELED for one that nobody needs any more; -EIO
 * for what was never put in, or came before. */
int weft_pool_accept(struct weft_pool *p, uint64_t elem, bool begin,
                     struct weft_job **out);
/* The job on top of the worker has ended. */
void weft_pool_finish(struct worker *w, int status);
/* The worker that the caller is; NULL. */
struct worker *weft_pool_worker(const struct weft_pool *p);
/* Whether all jobs have ended. */
bool weft_pool_is_quiet(const struct weft_pool *p);

/* --- worker.c --- */

int weft_pool_start(struct weft_pool *p);
/* Give back what a call, or a claim, counts as running in its class. */
void weft_pool_leave_class(struct weft_pool *p, struct job_class *c);
/* By a worker: take what nobody needs any more out of a queue, or out of its
 * own. Whether there was something. */
bool weft_pool_tidy(struct weft_pool *p, struct job_class *c);
bool weft_pool_tidy_own(struct worker *w);
/* Let n submits look for a place in the queue, or, without one, for a worker,
 * which may do for any class. */
void weft_pool_wake_room(struct weft_pool *p, struct job_class *c, size_t n);

#endif
