/*
 * timeout: a function that takes no longer than it may.
 *
 *	weft_timeout_call  ->  fn(ctx, request, reply)  in a task of ours
 *	                   <-  its reply, or why there is none
 *
 * A call returns when it is time, whether the function returns or not: nothing
 * can be done about a function but ask it to end. So it runs in a task of the
 * component's own, with a context that ends when the call does, and copies of
 * what it works on; what it makes after that is dropped.
 *
 *   what comes first               call returns    the function's context: err,
 *                                                  cause
 *   fn returns 0                   0               -
 *   fn returns an error            that            -
 *   timeout_ns have passed         -ETIME          -ETIMEDOUT, -ETIME
 *   the call's deadline            -ETIMEDOUT      -ETIMEDOUT, -ETIMEDOUT
 *   the deadline of its context    -ETIMEDOUT      as that context
 *   a cancel of its context        -ECANCELED      as that context
 *   the component's end            the reason      -ECANCELED, the reason
 *   another function was faster    0, the other's  -ECANCELED, -ECANCELED
 *
 * So a function that took too long (-ETIME) is told from a caller that has no
 * more time (-ETIMEDOUT), who knows by weft_ctx_err() whether all of its own
 * work is over. When both deadlines are the same, it is the caller's.
 *
 * Exactly one of these happens. A reply that is there when the call returns is
 * its reply, although it is late; one that comes after it is dropped, once.
 *
 *   state               call             close
 *   open                as above         0
 *   closed              -EPIPE           -EPIPE
 *   stopped, failed,    the reason       -EPIPE
 *   its context ended
 *
 * It ends as docs/components.md says: a close lets the calls that are inside
 * go through, and then the tasks end. A function that does not look at its
 * context holds up its task, weft_timeout_join() and weft_timeout_free(), and
 * nobody else; while all tasks are held up, calls wait for one until it is time
 * for them. weft_timeout_stats.abandoned says how many are.
 *
 * Ownership, where an element owns something: a request is the component's once
 * it has been given to a call, whatever comes of that; then the function's,
 * once it is called. A reply is the caller's when the call has returned 0.
 * What cannot be handed on goes to drop_request or drop_reply.
 *
 * Ordering: what a caller wrote before its call is visible to the function;
 * what that wrote before it returned, to the caller that gets the reply.
 *
 * Any task of the run may call anything below at any time, the function
 * included; a call from within the function takes another task.
 */
#ifndef WEFT_PATTERNS_TIMEOUT_H
#define WEFT_PATTERNS_TIMEOUT_H

#include <stddef.h>
#include <stdint.h>

#include <weft/ctx.h>
#include <weft/export.h>
#include <weft/task.h>

WEFT_BEGIN_DECLS

struct weft_timeout;

/* The most tasks, and the most requests of one race. */
#define WEFT_TIMEOUT_WORKERS_MAX 4096
#define WEFT_TIMEOUT_RACE_MAX 4096

/*
 * What is called, outside of locks.
 *
 * ctx      ends when nobody waits for the reply any more: give it to whatever
 *          the function waits for. A reference must be taken to keep it.
 * request  request_size bytes, aligned to 16, until the function returns.
 * reply    reply_size bytes, likewise; all zero.
 * arg      that of the component.
 *
 * Returns 0 when it has written its reply, or -errno, which becomes the call's;
 * -EIO in place of -EAGAIN, -ETIMEDOUT, -ETIME and -EPIPE, which say something
 * of the call itself, and -EINVAL for more than 0. When its context has ended,
 * its error is not looked at.
 *
 * One that ends its task by weft_task_exit() fails with that status, if it is
 * negative, else with -ECANCELED; so does pthread_exit().
 */
typedef int (*weft_timeout_fn)(struct weft_ctx *ctx, const void *request,
                               void *reply, void *arg);

/* Zero everywhere is the default, but for fn. */
struct weft_timeout_opts {
	weft_timeout_fn fn;
	void *arg;
	size_t request_size; /* bytes, 0 to WEFT_ELEM_MAX */
	size_t reply_size;   /* likewise */

	/* How long a call may take, its wait for a task included; 0 = as long
	 * as its caller waits. */
	int64_t timeout_ns;

	/* Tasks, so many functions run at once; 0 = 1. */
	unsigned workers;
	size_t stack_bytes;  /* of each; 0 = the system's default */
	enum weft_wait wait; /* how callers and tasks wait */

	/* Its end stops the component, which holds a reference; NULL = none. */
	struct weft_ctx *ctx;

	/* For what cannot be handed on; NULL when there is nothing to release.
	 * Outside of locks. */
	void (*drop_request)(void *request, void *drop_arg);
	void (*drop_reply)(void *reply, void *drop_arg);
	void *drop_arg;
};

/* At every instant, calls = succeeded + failed + timed_out + gave_up + those
 * that are under way. */
struct weft_timeout_stats {
	uint64_t calls;     /* that began */
	uint64_t succeeded; /* with a reply */
	uint64_t failed;    /* with an error of the function's */
	uint64_t timed_out; /* by timeout_ns */
	uint64_t gave_up;   /* by deadline, context, or the component's end */
	uint64_t waiting;   /* functions that wait for a task, now */
	uint64_t running;   /* that run, now */
	uint64_t abandoned; /* of these, those whose call has returned */
	uint64_t late;      /* replies that were dropped */
};

/*
 * Make it, and start its tasks.
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL, no fn, a size or number out of range, or outside of a run; -ENOMEM;
 * -EAGAIN when the system has no thread to give. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int
weft_timeout_new(struct weft_timeout **out,
                 const struct weft_timeout_opts *opts);

/* Stop it, wait for its tasks, and free it. NULL is ignored. No other call may
 * be under way. */
WEFT_API void weft_timeout_free(struct weft_timeout *t);

/*
 * Call the function, and wait for its reply until `deadline_ns`.
 *
 * request  may be NULL where request_size is 0.
 * reply    may be NULL where reply_size is 0; written on success only.
 *
 * Returns as in the table above; -ENOMEM; -EINVAL for NULL. The request is
 * still the caller's after -EINVAL only: after -ENOMEM it was dropped. The
 * function may have run after any error but these two, and may still do so; not
 * when the deadline had expired.
 */
WEFT_API WEFT_NODISCARD int weft_timeout_call(struct weft_timeout *t,
                                              const void *request, void *reply,
                                              int64_t deadline_ns);

/* The same, ended by a context of the caller's; what carries values to the
 * function. An ended context wins over everything. */
WEFT_API WEFT_NODISCARD int
weft_timeout_call_ctx(struct weft_timeout *t, const void *request, void *reply,
                      struct weft_ctx *ctx, int64_t deadline_ns);

/*
 * Call the function for n requests at once, and take the first reply: of
 * several servers that are asked the same, say. The other functions' context
 * ends then, and those that wait for a task are not called. When all of them
 * fail, the call returns the first error.
 *
 * requests  one after the other.
 * which     receives the number of the request whose reply it is, from 0; may
 *           be NULL. Written on success only.
 *
 * Otherwise as weft_timeout_call_ctx(). -EINVAL also for n out of
 * 1..WEFT_TIMEOUT_RACE_MAX.
 */
WEFT_API WEFT_NODISCARD int weft_timeout_race(struct weft_timeout *t,
                                              const void *requests, size_t n,
                                              void *reply, size_t *which,
                                              struct weft_ctx *ctx,
                                              int64_t deadline_ns);

/* No more calls; those inside still go through. Does not wait. Returns 0;
 * -EPIPE when it was closed or has ended already; -EINVAL for NULL. */
WEFT_API int weft_timeout_close(struct weft_timeout *t);

/* Stop: calls return -ECANCELED, those inside, too. Any number of times.
 * Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_timeout_stop(struct weft_timeout *t);

/* The same with an error of the caller's. Returns 0; -EINVAL for NULL, or an
 * err that is not negative. */
WEFT_API int weft_timeout_fail(struct weft_timeout *t, int err);

/*
 * Wait until no function runs any more and all tasks have ended, which they do
 * after a close or a stop: close, join with a deadline and, if that comes, stop
 * are a shutdown in two stages. Not from within the function.
 *
 * Returns 0 after an end in order; the reason; -ETIMEDOUT; -EINVAL for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_timeout_join(struct weft_timeout *t,
                                              int64_t deadline_ns);

/* Figures. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_timeout_stats(struct weft_timeout *t,
                                struct weft_timeout_stats *out);

WEFT_END_DECLS

#endif
