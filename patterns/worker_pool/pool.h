/*
 * pool: a number of workers, which are tasks, and jobs that they work off.
 *
 *	weft_pool_submit() --> queue of its class --> worker --> handle, group
 *
 *   state                    submit              wait, join
 *   open                     0, or waits         waits
 *   closed, jobs left        -EPIPE              waits
 *   ended                    -EPIPE              0
 *   stopped                  -ECANCELED          -ECANCELED
 *   failed                   its error           its error
 *   its context ended        weft_ctx_err()      the same
 *
 * weft_pool_close() is the graceful stop: all that was submitted is still run.
 * weft_pool_stop() is the immediate one: what has not begun is cancelled, what
 * runs is not interrupted. A timed one is a close, a join until then, and a
 * stop when that says -ETIMEDOUT.
 *
 * A job that fails fails for itself: it returns less than 0, or ends its task,
 * by weft_task_exit() or pthread_exit(), which costs no worker. Its handle, its
 * group and the pool's handler are told, and the pool goes on.
 *
 * Inside of a job, calls on its own pool that could only be satisfied by the
 * end of that job do not wait for ever: they return -EDEADLK where it says so,
 * or, where a job is waited for that has not begun, run it there and then.
 *
 * Any task of the run may call anything below at any time on a live pool.
 * Callbacks run outside of locks. What was written before a submit is visible
 * to the job, and what a job has written to those that have waited for it.
 */
#ifndef WEFT_PATTERNS_POOL_H
#define WEFT_PATTERNS_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/export.h>

WEFT_BEGIN_DECLS

struct weft_ctx;
struct weft_pool;
struct weft_pool_group;
struct weft_job;

#define WEFT_POOL_WORKERS_MAX 256
#define WEFT_POOL_CLASSES_MAX 8
#define WEFT_POOL_CAP_MAX ((size_t)1 << 24)
/* As a capacity, of implementations that are. */
#define WEFT_POOL_UNBOUNDED SIZE_MAX

/*
 * A job.
 *
 * worker  the number of the worker that calls, from 0. Calls of one worker do
 *         not overlap, but for a job that runs inside of the wait of another.
 *
 * Returns 0 or more; or -errno, and then it has failed.
 */
typedef int (*weft_job_fn)(void *arg, unsigned worker);

/* How jobs come to workers. */
enum weft_pool_deal {
	/* One queue for each class, in the order of submits. */
	WEFT_POOL_SHARED,
	/* Besides, a worker keeps what its jobs submit to itself, the last one
	 * first, until another has nothing to do and takes the oldest. Needs no
	 * place in the queue while there are fewer than WEFT_POOL_OWN_MAX of
	 * them. For one class without a share, with a capacity. */
	WEFT_POOL_STEALING,
};

#define WEFT_POOL_OWN_MAX 4096

/* Zero everywhere but in workers is the default. */
struct weft_pool_opts {
	unsigned workers;     /* at work; 1 to WEFT_POOL_WORKERS_MAX */
	unsigned workers_max; /* up to which it can be resized: those beyond
	                       * `workers` are asleep; 0 = workers */

	enum weft_pool_deal deal;
	const struct weft_chan_impl *impl; /* of its queues; NULL = handoff */

	/* Jobs in the queue of each class, exactly; fewer for moments over
	 * channels whose space comes in lumps (<weft/chan.h>). 0: a job is
	 * taken in only while a worker is free for it. */
	size_t cap;

	/* Jobs are of one of so many classes; 0 = 1. No more than share[i]
	 * workers at a time run jobs of class i; 0: any number of them. What
	 * the others' shares leave over is always there for a class. */
	unsigned classes;
	unsigned share[WEFT_POOL_CLASSES_MAX];

	unsigned blocked_max; /* submits that may wait at a time; 0: any */

	/* Tasks that submit at a time, workers whose jobs do so among them, so
	 * many of which the implementation must allow as senders; 0: any. */
	unsigned submitters;

	enum weft_wait wait; /* how workers and submits wait */
	size_t stack_bytes;  /* of each worker; 0 = the system's default */

	/* Called on its worker when a job has failed, before anyone else is
	 * told: the job's argument, and why. It must return. NULL: none. */
	void (*on_failure)(void *job_arg, int status, void *failure_arg);
	void *failure_arg;

	/* For the argument of each job that was submitted and will not be run;
	 * on the task that cancels or stops. NULL: nothing to release. */
	void (*drop)(void *job_arg, void *drop_arg);
	void *drop_arg;

	struct weft_ctx *ctx; /* its end stops the pool; NULL. Referenced. */
};

struct weft_job_opts {
	unsigned job_class;            /* below opts.classes */
	struct weft_pool_group *group; /* of the same pool; NULL: none */
	/* Receives a handle, which weft_job_release() gives back, before the
	 * pool is freed. NULL: none is made. */
	struct weft_job **handle;
};

/*
 * At any instant: submitted == waiting + running + completed + canceled and
 * completed == succeeded + failed. Jobs that were not taken in are not among
 * the submitted.
 */
struct weft_pool_stats {
	unsigned workers; /* that are at work, or would be */
	uint64_t submitted, waiting, running;
	uint64_t completed, succeeded, failed;
	uint64_t canceled; /* before they began */
	uint64_t refused;  /* tries, and waits that were one too many */
	uint64_t blocked;  /* submits that wait now */
	uint64_t stolen;   /* jobs that another worker had kept to itself */
	uint64_t replaced; /* workers whose thread was ended under them */
	int64_t oldest_ns; /* age of the oldest job that waits; 0: none does */
};

/*
 * Make a pool and start its workers.
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL, numbers out of range, or what the implementation refuses; -ENOMEM;
 * -EAGAIN. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int weft_pool_new(struct weft_pool **out,
                                          const struct weft_pool_opts *opts);

/* Stop it unless it has ended, wait for what runs, and free it. NULL is
 * ignored. Handles and groups are gone before; no other call is under way. */
WEFT_API void weft_pool_free(struct weft_pool *p);

/*
 * Submit a job, waiting for a place in its queue until `deadline_ns`.
 *
 * Returns 0; the reason of a pool that was stopped; -EPIPE when it is closed;
 * -ETIMEDOUT; -EAGAIN when as many submits as may do so wait already; -EDEADLK
 * inside of a job of the same pool, when there is no place and no deadline;
 * -EINVAL; -ENOMEM; for a job of a group that has failed, its error. After an
 * error it will not be run, and `arg` is the caller's.
 */
WEFT_API WEFT_NODISCARD int weft_pool_submit(struct weft_pool *p,
                                             weft_job_fn fn, void *arg,
                                             int64_t deadline_ns);

/* The same without waiting: -EAGAIN when there is no place. */
WEFT_API WEFT_NODISCARD int weft_pool_try_submit(struct weft_pool *p,
                                                 weft_job_fn fn, void *arg);

/* weft_pool_submit() with more to say; opts may be NULL. */
WEFT_API WEFT_NODISCARD int
weft_pool_submit_job(struct weft_pool *p, weft_job_fn fn, void *arg,
                     const struct weft_job_opts *opts, int64_t deadline_ns);

/* weft_pool_try_submit() with more to say. */
WEFT_API WEFT_NODISCARD int
weft_pool_try_submit_job(struct weft_pool *p, weft_job_fn fn, void *arg,
                         const struct weft_job_opts *opts);

/* Wait until no job waits or runs. The pool may be used on. Returns 0; the
 * reason of a pool that was stopped; -ETIMEDOUT; -EDEADLK inside of one of its
 * jobs; -EINVAL. */
WEFT_API WEFT_NODISCARD int weft_pool_wait(struct weft_pool *p,
                                           int64_t deadline_ns);

/* Have so many workers, from 1 to opts.workers_max, run jobs. Those that are
 * too many finish theirs first. Returns 0, or -EINVAL. */
WEFT_API int weft_pool_resize(struct weft_pool *p, unsigned workers);

/* Take no more jobs, and end when all are done. Inside of jobs, too, submits
 * fail from now on. 0; -EPIPE: it was closed or stopped before; -EINVAL. */
WEFT_API int weft_pool_close(struct weft_pool *p);

/* Cancel what has not begun, and end. Any number of times. 0 or -EINVAL. */
WEFT_API int weft_pool_stop(struct weft_pool *p);

/* The same with an error of the caller's: the first reason stays. 0; -EINVAL
 * for NULL, or an err that is not negative. */
WEFT_API int weft_pool_fail(struct weft_pool *p, int err);

/* Wait until the workers have ended, after a close or a stop. 0: all jobs were
 * run or cancelled one by one; the reason; -ETIMEDOUT; -EDEADLK inside of one
 * of its jobs; -EINVAL. */
WEFT_API WEFT_NODISCARD int weft_pool_join(struct weft_pool *p,
                                           int64_t deadline_ns);

/* Figures. 0 or -EINVAL. Walks over all jobs that wait. */
WEFT_API int weft_pool_stats(const struct weft_pool *p,
                             struct weft_pool_stats *out);

/* --- one job --- */

/*
 * Wait until the job is done or cancelled. Any number of tasks may, any number
 * of times.
 *
 * status  receives what it returned; what it gave weft_task_exit() if that is
 *         negative, else -ECANCELED; -ECANCELED after pthread_exit() or when it
 *         was cancelled. May be NULL.
 *
 * Returns 0; -ETIMEDOUT; -EDEADLK for a job that waits for itself; -EINVAL for
 * NULL. Inside of another job of the pool, one that has not begun is run by the
 * caller, whatever its class.
 */
WEFT_API WEFT_NODISCARD int weft_job_wait(struct weft_job *job, int *status,
                                          int64_t deadline_ns);

/* Cancel the job. It keeps its place in the queue until it is due, or a job
 * that submits needs the place. 0; -EALREADY when it has begun, is done or was
 * cancelled; -EINVAL for NULL. */
WEFT_API int weft_job_cancel(struct weft_job *job);

/* Give the handle back, whatever the job does. NULL is ignored. */
WEFT_API void weft_job_release(struct weft_job *job);

/* --- groups of jobs --- */

/* Make a group. 0; -EINVAL; -ENOMEM. */
WEFT_API WEFT_NODISCARD int weft_pool_group_new(struct weft_pool_group **out,
                                                struct weft_pool *p);

/* Wait until its jobs are done, and free it; inside of another job as
 * weft_pool_group_wait() does. One of its own jobs must not. NULL is ignored.
 */
WEFT_API void weft_pool_group_free(struct weft_pool_group *g);

/*
 * Wait until none of its jobs waits or runs. It may be used on.
 *
 * Returns 0; the first error of one of its jobs, which stays; -ECANCELED when
 * one was cancelled; -ETIMEDOUT; -EDEADLK inside of one of its own jobs;
 * -EINVAL. -EAGAIN, -ETIMEDOUT and -EPIPE of jobs are -EIO. Inside of another
 * job of the pool, the caller runs those that have not begun.
 */
WEFT_API WEFT_NODISCARD int weft_pool_group_wait(struct weft_pool_group *g,
                                                 int64_t deadline_ns);

/* Fail it as one of its jobs would: those that have not begun are cancelled,
 * and later ones refused. 0; -EINVAL for an err that is not negative. */
WEFT_API int weft_pool_group_fail(struct weft_pool_group *g, int err);

WEFT_END_DECLS

#endif
