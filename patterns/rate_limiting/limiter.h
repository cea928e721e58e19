/*
 * limiter: no more than a rate lets through, and a burst.
 *
 *	allow     takes tokens if they are there now
 *	wait      takes tokens, and waits until they are there
 *	reserve   takes tokens, and says when they will be there
 *
 * In every window of T nanoseconds no more than rate * T + burst tokens are
 * granted, whatever is called how often: that is what it promises, to the
 * nanosecond that a clock can tell.
 *
 *   state               allow               wait                reserve
 *   open                0, -EAGAIN          0, or waits         0
 *   stopped             -ECANCELED          -ECANCELED          -ECANCELED
 *   failed              its error           its error           its error
 *   its context ended   weft_ctx_err()      the same            the same
 *
 * Four of a kind:
 *
 *	bucket  a token bucket filled by arithmetic, when somebody looks: no
 *	        task, and nothing runs while nobody asks. Everything below.
 *	leaky   the same in one atomic word, without a lock. Its rate and burst
 *	        stay as they are.
 *	refill  a task puts tokens into a channel of any kind, one at a time
 *	ticker  the same with a burst of 1, and none at first: the first grant
 *	        is one interval after it was made
 *
 * Time is counted in whole numbers: a rate is so many tokens in so many
 * nanoseconds, and nothing is rounded while it stays, so 10 tokens in 13
 * seconds are that for years. The task of refill and ticker wakes up late, as
 * tasks do, and then does not hurry, for that would break the promise: it is a
 * little slower than its rate. An interval that is no whole number of
 * nanoseconds comes out right on average.
 *
 * Order: of bucket and leaky, first come, first served: what waits has its time
 * and keeps it. Of refill and ticker, that of the channel's receivers.
 *
 * An allow of bucket or leaky makes no system call and takes no memory. Any
 * task or foreign thread may call anything below at any time on a live limiter.
 * A caller whose clock is behind that of others gets no tokens out of that.
 *
 * It has no close: there is no end in order. After golang.org/x/time/rate and
 * go.uber.org/ratelimit.
 */
#ifndef WEFT_PATTERNS_LIMITER_H
#define WEFT_PATTERNS_LIMITER_H

#include <stdint.h>

#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/export.h>

WEFT_BEGIN_DECLS

/* `tokens` in `per_ns` nanoseconds, both from 1 on: 1 in a day, 10 in 13
 * seconds, 1e9 in one. */
struct weft_rate {
	int64_t tokens, per_ns;
};

/* struct weft_rate all = WEFT_RATE_INFINITE; grants everything at once,
 * whatever the burst. Not of refill and ticker. */
#define WEFT_RATE_INFINITE                                                     \
	{                                                                      \
		INT64_MAX, 1                                                   \
	}

/* The largest burst; and of a refill, whose tokens are there one by one. */
#define WEFT_BURST_MAX (INT64_C(1) << 31)
#define WEFT_REFILL_BURST_MAX (INT64_C(1) << 20)

enum weft_limiter_kind {
	WEFT_LIMITER_BUCKET,
	WEFT_LIMITER_LEAKY,
	WEFT_LIMITER_REFILL,
	WEFT_LIMITER_TICKER,
};

struct weft_limiter_opts {
	struct weft_rate rate;
	/* 1 to WEFT_BURST_MAX, of a refill to WEFT_REFILL_BURST_MAX; of a
	 * ticker 0 or 1, which is 1. */
	int64_t burst;
	enum weft_limiter_kind kind;

	enum weft_wait wait; /* how callers wait */
	/* Its end stops the limiter; NULL for none. Referenced. */
	struct weft_ctx *ctx;

	/* Of refill and ticker: the channel, of capacity burst - 1, since the
	 * task has a token in its hand; one that rounds that up has a larger
	 * burst, see the figures. NULL = handoff. Tasks that ask at a time, so
	 * many of which it must allow as receivers; 0: any. And the stack of
	 * the task; 0 = the system's default. */
	const struct weft_chan_impl *impl;
	size_t receivers;
	size_t stack_bytes;
};

/* Exact at rest. */
struct weft_limiter_stats {
	int64_t tokens; /* there are now; fewer than none when reserved ahead */
	int64_t burst;  /* that it really has */
	uint64_t made;  /* of refill and ticker: tokens so far */

	uint64_t waiting;   /* calls that wait now */
	uint64_t waited;    /* calls that had to wait and got theirs */
	uint64_t gave_up;   /* those that did not get theirs */
	int64_t wait_ns;    /* all waits together, given up or not */
	int64_t longest_ns; /* the longest of them */
};

struct weft_limiter;

/*
 * Make a limiter with all of its burst there.
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL, an unknown kind, a rate or a burst of 0 or less, a burst that is
 * too large; of refill and ticker, for an infinite rate, and a channel that
 * cannot have that capacity, moves no data or is for fewer receivers; -ERANGE
 * for a leaky one, its rate in lowest terms, of more than 2^30 tokens, or where
 * burst * per_ns is more than 2^60; -ENOMEM; of refill and ticker also what
 * weft_chan_new() and weft_spawn() say; for a context with a deadline also what
 * weft_ctx_after() says. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int
weft_limiter_new(struct weft_limiter **out,
                 const struct weft_limiter_opts *opts);

/* Stop and free the limiter. NULL is ignored. No other call may be under way.
 */
WEFT_API void weft_limiter_free(struct weft_limiter *l);

/*
 * Take n tokens if they are there. None is always there.
 *
 * at_ns  receives since when they were granted: the later of when they were
 *        asked for and when they were there. May be NULL.
 *
 * Returns 0; -EAGAIN when they are not there; the reason of a limiter that was
 * stopped or failed; -ERANGE when n is above the burst, so that they never will
 * be; -EOPNOTSUPP for more than 1 of a refill; -EINVAL for NULL or a negative
 * n. After an error nothing was taken.
 */
WEFT_API WEFT_NODISCARD int weft_limiter_allow(struct weft_limiter *l,
                                               int64_t n, int64_t *at_ns);

/*
 * Take n tokens, waiting for them until `deadline_ns`. A bucket and a leaky one
 * know when they would be there, and do not wait for a deadline that is before
 * that.
 *
 * Returns as weft_limiter_allow(), with -ETIMEDOUT instead of -EAGAIN, never
 * when they were there; -ERANGE also when they would not be there before the
 * end of time, of a leaky one with 2^61 / tokens nanoseconds. After an error
 * nothing was taken: what a wait had reserved is given back as by
 * weft_limiter_cancel().
 */
WEFT_API WEFT_NODISCARD int weft_limiter_wait(struct weft_limiter *l, int64_t n,
                                              int64_t deadline_ns,
                                              int64_t *at_ns);

/* The same, ended by a context of the caller's: weft_ctx_err() when it has
 * ended, tokens or not, or ends meanwhile; -ETIMEDOUT at once when its deadline
 * is too early. Of refill and ticker also -EOPNOTSUPP, when the channel cannot
 * stand in a select. */
WEFT_API WEFT_NODISCARD int
weft_limiter_wait_ctx(struct weft_limiter *l, int64_t n, struct weft_ctx *ctx,
                      int64_t deadline_ns, int64_t *at_ns);

/* Of the caller's, to be kept until it is cancelled or acted upon. */
struct weft_reservation {
	int64_t at_ns; /* act at this time, or later */
	int64_t n;

	/* The limiter's. */
	struct weft_rate rate;
	uint64_t word;
};

/*
 * Take n tokens that may come later, without waiting for them.
 *
 * until_ns  they must be there by then: WEFT_NOW, as for allow; WEFT_FOREVER,
 *           however long it takes.
 * out       receives when.
 *
 * Returns 0; -ETIMEDOUT when they come later, and then nothing was taken, which
 * a reserve and a cancel would not do as well: others would have got a later
 * time meanwhile; the other errors as weft_limiter_wait(); -EOPNOTSUPP of
 * refill and ticker.
 */
WEFT_API WEFT_NODISCARD int weft_limiter_reserve(struct weft_limiter *l,
                                                 int64_t n, int64_t until_ns,
                                                 struct weft_reservation *out);

/*
 * Give a reservation back that was not acted upon, all of it or a part: those
 * that were reserved after it keep their times, so what they have counted on is
 * not given back. Of a leaky one it is given back when none was reserved after
 * it, or else not.
 *
 * Returns 0, and then r->n is 0; -EALREADY when its time is over, which one
 * that was granted at once has to itself for that very nanosecond: it is spent;
 * -EOPNOTSUPP of refill and ticker; -EINVAL for NULL. Works on a limiter that
 * was stopped, too.
 */
WEFT_API int weft_limiter_cancel(struct weft_limiter *l,
                                 struct weft_reservation *r);

/*
 * Change the rate or the burst from now on. The tokens that are there stay, up
 * to the burst; what was reserved keeps its time; a larger burst fills up.
 *
 * Returns 0; -EINVAL for NULL and for what weft_limiter_new() refuses;
 * -EOPNOTSUPP but for a bucket.
 */
WEFT_API int weft_limiter_set_limit(struct weft_limiter *l,
                                    struct weft_rate rate);
WEFT_API int weft_limiter_set_burst(struct weft_limiter *l, int64_t burst);

/* Stop: those that wait get -ECANCELED, and so do those that come later. Any
 * number of times. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_limiter_stop(struct weft_limiter *l);

/* The same with an error of the caller's: the first reason stays. Returns 0;
 * -EINVAL for NULL, or an err that is not negative. -EAGAIN, -ETIMEDOUT and
 * -EPIPE become -EIO. */
WEFT_API int weft_limiter_fail(struct weft_limiter *l, int err);

/* Figures. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_limiter_stats(struct weft_limiter *l,
                                struct weft_limiter_stats *out);

WEFT_END_DECLS

#endif
