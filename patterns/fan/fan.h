/*
 * fan: items fan out to several workers, their results fan in to one place.
 *
 *	                  +-> worker 0 -+
 *	weft_fan_send() --+-> worker 1 -+--> weft_fan_recv()
 *	                  +-> worker 2 -+
 *
 * Workers are tasks of the fan. Each calls the fan's function for an item and
 * passes its result on. How items reach the workers (deal) and how results
 * come together (merge) are chosen when the fan is made.
 *
 * States, and which error wins: docs/components.md.
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
#include <weft/patterns/component.h>

WEFT_BEGIN_DECLS

struct weft_ctx;
struct weft_fan;

/*
 * Make one result of one item, or none.
 *
 * in      the item, the function's from here on, whatever it returns; gone
 *         after the call.
 * out     where the result goes; counts only with WEFT_EMIT.
 * worker  which one calls, from 0: one call at a time for each.
 * arg     the fan's.
 *
 * Both are aligned as far as their sizes are multiples of a power of two, up
 * to WEFT_CACHE_LINE. Returns WEFT_EMIT or WEFT_SKIP; or -errno: the item has
 * failed. May call weft_fan_stop(), but no other function of its own fan.
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
	WEFT_FAN_SHARED,       /* one queue: an idle one takes the next */
	WEFT_FAN_ROUND_ROBIN,  /* each in turn */
	WEFT_FAN_RANDOM,       /* any, with equal chances */
	WEFT_FAN_LEAST_LOADED, /* the one with the fewest, in hand or not */
	WEFT_FAN_BROADCAST,    /* all of them, every item, in the same order */
};

/* How results come together. */
enum weft_fan_merge {
	/* Whichever is done first. */
	WEFT_FAN_UNORDERED,
	/* In the order in which their items were sent. Not for broadcasts. */
	WEFT_FAN_ORDERED,
};

/* Zero everywhere but in fn and workers is the default. */
struct weft_fan_opts {
	weft_fan_fn fn;
	void *arg;
	unsigned workers; /* 1 to WEFT_FAN_WORKERS_MAX */

	enum weft_fan_deal deal;
	enum weft_fan_merge merge;

	/* WEFT_ON_ERROR_STOP or _SKIP. With the latter a worker whose thread
	 * has ended is replaced, and if there is no thread for that, the fan
	 * fails: -EIO, or -ENOMEM. */
	enum weft_on_error on_error;

	const struct weft_chan_impl *impl; /* NULL = handoff */
	size_t cap;          /* of each queue, and of that of the results */
	size_t elem_size;    /* bytes of an item; may be 0 */
	size_t out_size;     /* bytes of a result; 0 = elem_size */
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
	 * and for results that were not received, when a stop left them inside.
	 * In a broadcast, one for each worker that an item did not reach. NULL
	 * when there is nothing to release. They run while the fan ends or is
	 * freed, and must return. */
	void (*drop_in)(void *elem, void *drop_arg);
	void (*drop_out)(void *elem, void *drop_arg);
	void *drop_arg;

	/* The end of this context stops the fan, which holds a reference; NULL
	 * for none. */
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
 * deal or merge, an on_error that is not offered, an ordered broadcast, what
 * the implementation refuses (capacity, size, more workers than senders or
 * receivers), one that moves no data, or outside of a run; -ENOMEM; -EAGAIN
 * when the system has not enough threads to give.
 */
WEFT_API WEFT_NODISCARD int weft_fan_new(struct weft_fan **out,
                                         const struct weft_fan_opts *opts);

/*
 * Send one item, waiting for room until `deadline_ns`.
 *
 * When ordered this also waits for the window: for a result to be received.
 *
 * Returns 0; -EPIPE after weft_fan_close(); the reason of a fan that was
 * stopped or has failed; -ETIMEDOUT; -EINVAL for NULL; -ENOMEM from unbounded
 * channels. After an error the item is still the caller's.
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
 * reason of a fan that was stopped or has failed; -ETIMEDOUT; -EINVAL for NULL.
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

/* Stop at once: drop what is inside and release all waiting tasks. Workers end
 * when their function next returns. Does not wait; any number of times, from
 * the fan's function too. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_fan_stop(struct weft_fan *f);

/* The same for an error of the caller's, a source's or a sink's. Returns 0;
 * -EINVAL for NULL, or an err that is not negative. */
WEFT_API int weft_fan_fail(struct weft_fan *f, int err);

/*
 * Wait until all workers have ended. After weft_fan_close() that takes a
 * receiver of what comes out.
 *
 * Returns 0 when everything went through; the reason when it was stopped or has
 * failed; -ETIMEDOUT; -EINVAL for NULL.
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
