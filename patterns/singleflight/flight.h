/*
 * flight: of the calls for a key that come while one of them is being answered,
 * one does the work, and all get its result.
 *
 *	do(key)   nothing is under way   leads: runs fn, and gets what it gave
 *	          a flight is            follows: waits for what that gives
 *
 * A flight begins with the call that leads it, on whose task and stack it is,
 * and ends when fn has: from then on, and not later, the next call leads anew.
 * So a call gets the result of a flight that was under way at some time during
 * the call. Nothing is kept: this is no cache.
 *
 *   state               do                       flights under way
 *   open                0, or what fn gave       go on
 *   stopped             -ECANCELED               go on, for their leaders;
 *   failed              its error                those that follow get
 *   its context ended   weft_ctx_err()           the reason
 *
 * Deadlines and contexts end the wait of a call that follows, and nothing else:
 * the flight goes on for the others, under its key. A call that leads is fn's,
 * however long that takes. A caller that has to be able to leave in any case
 * has a task lead for it, as Go's DoChan does: README.md shows how.
 *
 * Ends of fn. A negative status is the error of all calls of the flight. One
 * that calls weft_task_exit() fails with what it gave that if it is negative,
 * else with -ECANCELED, which ends the call and not the task. pthread_exit()
 * ends both, and those that follow get -ECANCELED.
 *
 * Progress: to lead costs two short locks of the shard that the key falls to,
 * no system call and no memory; the first that follows takes memory for all.
 *
 * What fn wrote is visible to all that get its result. Any task or foreign
 * thread may call anything below at any time on a live struct weft_flight.
 * After golang.org/x/sync/singleflight.
 */
#ifndef WEFT_PATTERNS_FLIGHT_H
#define WEFT_PATTERNS_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/export.h>

WEFT_BEGIN_DECLS

struct weft_flight;

#define WEFT_FLIGHT_SHARDS 16
#define WEFT_FLIGHT_SHARDS_MAX 4096

/* Bytes of the caller's, of any number, 0 included. They are borrowed until the
 * call returns. */
struct weft_flight_key {
	const void *at;
	size_t bytes;
};

/* The bytes of a string. */
static inline struct weft_flight_key weft_flight_text(const char *s)
{
	struct weft_flight_key key = { s, strlen(s) };

	return key;
}

struct weft_flight_opts {
	/* Parts of the map, with a lock each; 0 = WEFT_FLIGHT_SHARDS. */
	unsigned shards;
	enum weft_wait wait;

	/* Releases a value that nobody holds any more: once for each, outside
	 * of locks, on whichever task was the last. Not called for NULL. */
	void (*drop)(void *value, void *drop_arg);
	void *drop_arg;

	/* Its end stops it; NULL for none. Referenced. */
	struct weft_ctx *ctx;
};

/* What a call got. After a call that returned 0 it is to be released; after an
 * error it holds nothing. */
struct weft_flight_result {
	/* That of fn, the same for all calls of the flight; NULL after an
	 * error. It lasts until the last of them has released it. */
	void *value;

	/* What fn returned, or gave weft_task_exit(), also after an error: as
	 * it is, where the call returns -EIO for -EAGAIN, -ETIMEDOUT and
	 * -EPIPE. 0 when the call ended without a result. */
	int status;
	bool led;    /* this call ran fn */
	bool shared; /* others have followed, or this one has */

	/* The component's. */
	void *party;
	void (*drop)(void *value, void *drop_arg);
	void *drop_arg;
};

/*
 * Make the result of a key. *value is NULL; what is put there is the flight's
 * if a status of 0 or more is returned. After a negative one it is ignored.
 */
typedef int (*weft_flight_fn)(void *arg, void **value);

/* Sums over all shards. Whenever they are read,
 * calls = executions + saved + gave_up + waiting. */
struct weft_flight_stats {
	uint64_t calls;      /* that led or followed */
	uint64_t executions; /* flights begun */
	uint64_t saved;      /* calls that got the result of another one's fn */
	uint64_t gave_up;    /* left before: deadline, context or stop */
	uint64_t died;       /* executions that did not return */
	uint64_t in_flight;  /* executions now */
	uint64_t waiting;    /* calls that follow, now */
};

/*
 * Make one. Returns 0, also for a context that has ended, and then it is
 * stopped; -EINVAL for NULL, too many shards or an unknown `wait`; -ENOMEM; for
 * a context with a deadline also what weft_ctx_after() says. On failure *out is
 * untouched.
 */
WEFT_API WEFT_NODISCARD int
weft_flight_new(struct weft_flight **out, const struct weft_flight_opts *opts);

/* NULL is ignored. No other call may be under way; results may still be held,
 * and are released as before. */
WEFT_API void weft_flight_free(struct weft_flight *f);

/*
 * Get the result of `key`, by fn(arg) unless it is being made.
 *
 * out  receives the result, to be given to weft_flight_release() after 0; all
 *      zeros when there is none. NULL: it is not wanted.
 *
 * Returns 0; the error of fn, with -EIO for -EAGAIN, -ETIMEDOUT and -EPIPE; the
 * reason of a flight that was stopped or failed; -ETIMEDOUT when another's fn
 * goes on past `deadline_ns`, to which one's own does not keep; -EDEADLK from
 * within the fn of that key; -ENOMEM, where another's is to be waited for;
 * -EINVAL for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_flight_do(struct weft_flight *f,
                                           struct weft_flight_key key,
                                           weft_flight_fn fn, void *arg,
                                           struct weft_flight_result *out,
                                           int64_t deadline_ns);

/* The same, with a context that ends the wait: weft_ctx_err() when it has ended
 * before the call, or ends while that follows. fn is not ended by it. */
WEFT_API WEFT_NODISCARD int
weft_flight_do_ctx(struct weft_flight *f, struct weft_flight_key key,
                   weft_flight_fn fn, void *arg, struct weft_flight_result *out,
                   struct weft_ctx *ctx, int64_t deadline_ns);

/* Lead, or do not wait: as weft_flight_do(), with -EAGAIN instead of
 * -ETIMEDOUT. */
WEFT_API WEFT_NODISCARD int weft_flight_try_do(struct weft_flight *f,
                                               struct weft_flight_key key,
                                               weft_flight_fn fn, void *arg,
                                               struct weft_flight_result *out);

/* Give the result back; *r becomes all zeros, so once is enough. NULL is
 * ignored. */
WEFT_API void weft_flight_release(struct weft_flight_result *r);

/*
 * The next call for this key leads, whatever is under way: that goes on, for
 * those that have followed so far, and its end does not touch what comes after.
 *
 * Returns 0; -ENOENT when nothing is under way; -EINVAL.
 */
WEFT_API int weft_flight_forget(struct weft_flight *f,
                                struct weft_flight_key key);

/* The same unless somebody waits for it: then -EBUSY. */
WEFT_API int weft_flight_forget_unshared(struct weft_flight *f,
                                         struct weft_flight_key key);

/* How many calls wait for this key now, that which leads among them: 1 and
 * more; -ENOENT when nothing is under way; -EINVAL. */
WEFT_API int64_t weft_flight_peek(struct weft_flight *f,
                                  struct weft_flight_key key);

/* Stop: those that follow get -ECANCELED, and so does all that comes later.
 * Those that lead get what their fn gives. Any number of times. Returns 0, or
 * -EINVAL for NULL. */
WEFT_API int weft_flight_stop(struct weft_flight *f);

/* The same with an error of the caller's: the first reason stays. Returns 0;
 * -EINVAL for NULL, or an err that is not negative. -EAGAIN, -ETIMEDOUT and
 * -EPIPE become -EIO. */
WEFT_API int weft_flight_fail(struct weft_flight *f, int err);

/* Figures. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_flight_stats(struct weft_flight *f,
                               struct weft_flight_stats *out);

WEFT_END_DECLS

#endif
