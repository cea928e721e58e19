/*
 * fan: items fan out to several workers, their results fan in to whoever
 * receives.
 *
 *	                  +-> worker 0 -+
 *	weft_fan_send() --+-> worker 1 -+--> weft_fan_recv()
 *	                  +-> worker 2 -+
 *
 * Workers are tasks of the fan. Each calls the fan's function for an item and
 * passes its result on. How items reach the workers (deal) and how results
 * come together (merge) are chosen when the fan is made.
 *
 *   state                       send        recv
 *   open                        0           0
 *   closed, items inside        -EPIPE      0
 *   closed, everything is out   -EPIPE      -EPIPE
 *   stopped                     -ECANCELED  -ECANCELED
 *   its context ended           weft_ctx_err()
 *   failed                      its error   its error
 *
 * A function fails it (see enum weft_fan_errors), or a caller
 * (weft_fan_fail()).
 *
 * The end: weft_fan_close() says that nothing more comes in. Workers end when
 * nothing is left for them; behind the last one comes the end of the results.
 *
 * Any task of the run may call anything below at any time on a live fan,
 * within the senders and receivers that the implementation allows at the two
 * ends. No lock is held while a callback runs.
 *
 * <weft/patterns/relay.h> does the same for channels of the caller's own.
 */
#ifndef WEFT_PATTERNS_FAN_H
#define WEFT_PATTERNS_FAN_H

#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/export.h>

WEFT_BEGIN_DECLS

struct weft_ctx;
struct weft_fan;

/* What a fan's function returns beside -errno. */
enum weft_fan_result {
	WEFT_FAN_EMIT, /* pass *out on */
	WEFT_FAN_SKIP, /* nothing comes of this item */
};

/*
 * Make one result of one item.
 *
 * in      the item, the function's from here on, whatever it returns; gone
 *         after the call.
 * out     where the result goes; counts only with WEFT_FAN_EMIT.
 * worker  who calls, from 0: one call at a time for each.
 * arg     the fan's.
 *
 * Both are aligned as far as their sizes are multiples of a power of two, up
 * to WEFT_CACHE_LINE. Returns an enum weft_fan_result, or -errno (see enum
 * weft_fan_errors). May call weft_fan_stop(), but no other function of its own
 * fan.
 */
typedef int (*weft_fan_fn)(const void *in, void *out, unsigned worker,
                           void *arg);

/*
 * How items reach the workers.
 *
 * All but the first give each worker a queue of its own. The three that choose
 * one look for a worker that has room, from their first choice on, and wait
 * only when all are full: a slow worker holds up what is in its own queue and
 * nothing else.
 */
enum weft_fan_deal {
	WEFT_FAN_SHARED,       /* one queue: who is idle takes the next */
	WEFT_FAN_ROUND_ROBIN,  /* each in turn */
	WEFT_FAN_RANDOM,       /* any, with equal chances */
	WEFT_FAN_LEAST_LOADED, /* who has the fewest, those in hand counted */
	WEFT_FAN_BROADCAST,    /* all of them, every item, in the same order */
};

/* How results come together. */
enum weft_fan_merge {
	/* Whichever is done first. */
	WEFT_FAN_UNORDERED,
	/* In the order in which their items were sent. Not for broadcasts. */
	WEFT_FAN_ORDERED,
};

/* What an item that fails does: its function returned an error, or ended its
 * task with weft_task_exit() or pthread_exit(). */
enum weft_fan_errors {
	/* It stops the fan as weft_fan_stop() does, and everyone gets the
	 * error: what was returned; the status of weft_task_exit() if that is
	 * negative, else -ECANCELED. -EAGAIN, -ETIMEDOUT and -EPIPE, which say
	 * other things to who sends and receives, become -EIO. */
	WEFT_FAN_STOP_ON_ERROR,
	/* It has no result, and is counted. The worker goes on; one whose
	 * thread has ended is replaced, and if there is no thread for that, the
	 * fan fails: -EIO, or -ENOMEM. */
	WEFT_FAN_PASS_OVER_ERRORS,
};

/* Zero everywhere but in fn and workers is the default. */
struct weft_fan_opts {
	weft_fan_fn fn;
	void *arg;        /* for all callbacks; must outlive the fan */
	unsigned workers; /* 1 to WEFT_FAN_WORKERS_MAX */

	enum weft_fan_deal deal;
	enum weft_fan_merge merge;
	enum weft_fan_errors errors;

	const struct weft_chan_impl *impl; /* NULL = handoff */
	size_t cap;          /* of each queue, and of that of the results */
	size_t in_size;      /* bytes of an item; may be 0 */
	size_t out_size;     /* bytes of a result; 0 = in_size */
	enum weft_wait wait; /* how senders, workers and receivers wait */

	/* Items a worker takes at a time, when they are there, and results it
	 * passes on at a time: fewer wake-ups. 0 = 1. With more, one that takes
	 * long holds up those taken along with it. */
	size_t batch;
	size_t stack_bytes; /* of each worker; 0 = the system's default */

	/* When ordered: the most items that have been sent and not received,
	 * rounded up to a power of two. 0 = cap + twice what the workers take
	 * at a time, up to 65536. */
	size_t window;

	/* For items that were sent and to which the function was not called,
	 * and for results that nobody received, when a stop left them inside.
	 * In a broadcast, one for each worker that an item did not reach. NULL
	 * when there is nothing to release. They run while the fan ends or is
	 * freed, and must return. */
	void (*drop_in)(void *elem, void *arg);
	void (*drop_out)(void *elem, void *arg);

	/* The end of this context stops the fan; NULL for none. Of a context
	 * that ended by its deadline, everyone gets -ETIMEDOUT. */
	struct weft_ctx *ctx;
};

/* Exact at rest. */
struct weft_fan_stats {
	uint64_t in;       /* items given to the function */
	uint64_t out;      /* results passed on */
	uint64_t failed;   /* items that failed */
	uint64_t replaced; /* workers whose thread ended under them */
	size_t queued;     /* items in front of the workers */

	/* When ordered: the furthest that a result was done before its turn,
	 * in items; always below `window`. Otherwise both are 0. */
	size_t ahead;
	size_t window;
};

struct weft_fan_worker_stats {
	uint64_t in, out, failed; /* as above */
	size_t queued;            /* in its own queue, if it has one */
};

/* The most workers. */
#define WEFT_FAN_WORKERS_MAX 1024

/*
 * Make a fan and start its workers in the run of the caller.
 *
 * Returns 0; -EINVAL for NULL, no function, no or too many workers, an unknown
 * deal, merge or errors, an ordered broadcast, what the implementation refuses
 * (capacity, size, more workers than senders or receivers), one that moves no
 * data, or outside of a run; -ENOMEM; -EAGAIN when the system has not enough
 * threads to give. On failure *out is untouched and nothing is left behind.
 * With a context that has ended already it succeeds, and the fan is stopped.
 */
WEFT_API WEFT_NODISCARD int weft_fan_new(struct weft_fan **out,
                                         const struct weft_fan_opts *opts);

/*
 * Send one item, waiting for room until `deadline_ns`.
 *
 * When ordered this also waits for the window: for somebody who receives.
 *
 * Returns 0; -EPIPE after weft_fan_close(); the error of a fan that failed or
 * was stopped; -ETIMEDOUT; -EINVAL for NULL; -ENOMEM from unbounded channels.
 * After an error the item is still the caller's.
 */
WEFT_API WEFT_NODISCARD int weft_fan_send(struct weft_fan *f, const void *elem,
                                          int64_t deadline_ns);

/* Send without waiting: as weft_fan_send(), with -EAGAIN for no room. That may
 * be said of a worker, too, that is about to come back for its next item. */
WEFT_API WEFT_NODISCARD int weft_fan_try_send(struct weft_fan *f,
                                              const void *elem);

/*
 * Receive one result, waiting for it until `deadline_ns`.
 *
 * Returns 0; -EPIPE when the fan was closed and everything has come out; the
 * error of a fan that failed or was stopped (a result that is on its way out at
 * that moment may still be received); -ETIMEDOUT; -EINVAL for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_fan_recv(struct weft_fan *f, void *elem,
                                          int64_t deadline_ns);

/* Receive without waiting: as weft_fan_recv(), with -EAGAIN for nothing there.
 */
WEFT_API WEFT_NODISCARD int weft_fan_try_recv(struct weft_fan *f, void *elem);

/* Nothing more will be sent: senders get -EPIPE, and the workers end when they
 * have worked off what is inside. Does not wait. Returns 0; -EPIPE when it was
 * closed, stopped or had failed before; -EINVAL for NULL. */
WEFT_API int weft_fan_close(struct weft_fan *f);

/* Stop at once: drop what is inside and release everyone who waits. Workers
 * end when their function next returns. When everything has gone through, and
 * come out, it changes nothing, nor does the end of the context. Does not wait,
 * and may be called any number of times, from the fan's function too. Returns
 * 0, or -EINVAL for NULL. */
WEFT_API int weft_fan_stop(struct weft_fan *f);

/*
 * Stop at once for an error of the caller's: who sends or receives has failed,
 * and the others are to know with what. As weft_fan_stop(), but senders,
 * receivers and weft_fan_join() get `err`, or -EIO for -EAGAIN, -ETIMEDOUT and
 * -EPIPE; the first error stays.
 *
 * Returns 0; -EINVAL for NULL, or an err that is not negative.
 */
WEFT_API int weft_fan_fail(struct weft_fan *f, int err);

/*
 * Wait until all workers have ended. After weft_fan_close() that takes somebody
 * who receives what comes out.
 *
 * Returns 0 when everything went through; the error of a fan that failed or was
 * stopped; -ETIMEDOUT; -EINVAL for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_fan_join(struct weft_fan *f,
                                          int64_t deadline_ns);

/* Figures of the fan, and of worker `worker`, from 0. Return 0, or -EINVAL for
 * NULL or a worker that there is not. */
WEFT_API int weft_fan_stats(const struct weft_fan *f,
                            struct weft_fan_stats *out);
WEFT_API int weft_fan_worker_stats(const struct weft_fan *f, unsigned worker,
                                   struct weft_fan_worker_stats *out);

/*
 * Stop the fan unless it has ended, wait for its workers, drop what is left
 * inside, and free it. NULL is ignored. Belongs to the run that made the fan,
 * and no other call on it may be under way; not to be called from its function.
 */
WEFT_API void weft_fan_free(struct weft_fan *f);

WEFT_END_DECLS

#endif
