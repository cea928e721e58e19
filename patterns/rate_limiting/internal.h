/*
 * What the limiters share: the arithmetic of rates, and how their callers wait.
 *
 * Time is counted in ticks: a nanosecond has `tokens` of them, and a token
 * costs `per_ns`. Both are whole, so nothing is rounded. Of a bucket nothing is
 * kept but when it will be full: it lacks what is left until then.
 */
#ifndef WEFT_PATTERNS_RATE_LIMITING_INTERNAL_H
#define WEFT_PATTERNS_RATE_LIMITING_INTERNAL_H

#include <errno.h>
#include <stdbool.h>

#include <weft/atomic.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "common/crew.h"
#include "common/ending.h"
#include "limiter.h"

/* --- rates --- */

/* Room for any time in ticks, and for what a bucket may lack at most. */
__extension__ typedef __int128 limiter_ticks;

struct limiter_limit {
	struct weft_rate rate; /* in lowest terms */
	int64_t burst;
};

/* What a bucket may lack, in tokens. */
#define LIMITER_LACK_MAX (INT64_C(1) << 62)

static inline bool limiter_is_infinite(const struct weft_rate *r)
{
	return r->tokens == INT64_MAX && r->per_ns == 1;
}

static inline limiter_ticks limiter_ticks_of(const struct weft_rate *r,
                                             int64_t ns)
{
	return (limiter_ticks)ns * r->tokens;
}

/* What such a bucket lacks at that time. */
static inline limiter_ticks limiter_lack(const struct weft_rate *r,
                                         limiter_ticks full_at, int64_t now)
{
	limiter_ticks lack = full_at - limiter_ticks_of(r, now);

	return lack > 0 ? lack : 0;
}

/* The first nanosecond, from now on, at which it lacks no more than the burst.
 */
static inline int64_t limiter_when(const struct limiter_limit *l,
                                   limiter_ticks lack, int64_t now)
{
	limiter_ticks over = lack - (limiter_ticks)l->burst * l->rate.per_ns;

	if (over <= 0)
		return now;
	over = (over + l->rate.tokens - 1) / l->rate.tokens;
	return over >= INT64_MAX - now ? WEFT_FOREVER : now + (int64_t)over;
}

/* The tokens that are there; fewer than none when reserved ahead. */
static inline int64_t limiter_left(const struct limiter_limit *l,
                                   limiter_ticks lack)
{
	int64_t per_ns = l->rate.per_ns;

	return l->burst - (int64_t)((lack + per_ns - 1) / per_ns);
}

/*
 * Take n tokens of a bucket, if they are there at `until_ns` or by now.
 *
 * at_ns  receives when they are, in any case.
 *
 * Returns 0, or -EAGAIN or -ERANGE as an allow does, and then nothing was
 * taken.
 */
static inline int limiter_take(const struct limiter_limit *l,
                               limiter_ticks *full_at, int64_t n, int64_t now,
                               int64_t until_ns, int64_t *at_ns)
{
	limiter_ticks lack;

	*at_ns = now;
	if (n == 0 || limiter_is_infinite(&l->rate))
		return 0;
	if (n > l->burst)
		return -ERANGE;
	lack = limiter_lack(&l->rate, *full_at, now) +
	       (limiter_ticks)n * l->rate.per_ns;
	*at_ns = limiter_when(l, lack, now);
	if (*at_ns > now && *at_ns > until_ns)
		return -EAGAIN;
	if (*at_ns == WEFT_FOREVER ||
	    lack > (limiter_ticks)l->rate.per_ns * LIMITER_LACK_MAX)
		return -ERANGE;
	*full_at = limiter_ticks_of(&l->rate, now) + lack;
	return 0;
}

/* The rate in lowest terms. 0 or -EINVAL. */
int weft_limiter_limit(struct limiter_limit *out, struct weft_rate rate,
                       int64_t burst);

/* --- those that wait --- */

struct limiter_waits {
	uint64_t waiting, waited, gave_up;
	int64_t wait_ns, longest_ns;
};

struct limiter_line {
	struct weft_ending end;
	struct weft_waiters waiters; /* for a time to come, or the end */
	struct weft_lock lock;
	struct limiter_waits waits; /* under the lock */
};

/* weft_ending_watch() is left to the caller. */
void weft_limiter_line_init(struct limiter_line *line,
                            const struct weft_ending_ops *ops, void *component,
                            enum weft_wait wait);

/* Wait until `at_ns`, uncounted. 0, the reason, or weft_ctx_err(). */
int weft_limiter_line_until(struct limiter_line *line, struct weft_ctx *ctx,
                            int64_t at_ns);

/* Count a wait: from `begin`, which returns the time, to `end`, which returns
 * err. */
int64_t weft_limiter_line_begin(struct limiter_line *line);
int weft_limiter_line_end(struct limiter_line *line, int64_t since, int err);

/* Let everybody look at the reason. */
void weft_limiter_line_release(struct limiter_line *line);

struct limiter_waits weft_limiter_line_waits(struct limiter_line *line);

/* By when tokens must be there for a caller with that context and deadline: at
 * the end of its context is too late. */
static inline int64_t limiter_by(struct weft_ctx *ctx, int64_t deadline_ns)
{
	int64_t end_ns = weft_ctx_deadline(ctx);

	return end_ns <= deadline_ns && end_ns < WEFT_FOREVER ? end_ns - 1
	                                                      : deadline_ns;
}

/* --- the kinds --- */

struct weft_limiter;

struct limiter_kind {
	int (*make)(struct weft_limiter *l,
	            const struct weft_limiter_opts *opts);
	void (*unmake)(struct weft_limiter *l);
	/* NULL: nothing of its own waits. */
	void (*release)(struct weft_limiter *l);
	/* As weft_limiter_reserve(), with -EAGAIN instead of -ETIMEDOUT. Of one
	 * that has a wait() of its own, with WEFT_NOW. */
	int (*take)(struct weft_limiter *l, int64_t n, int64_t until_ns,
	            struct weft_reservation *out);
	/* NULL: it can be reserved. */
	int (*wait)(struct weft_limiter *l, int64_t n, struct weft_ctx *ctx,
	            int64_t deadline_ns, int64_t *at_ns);
	/* A reservation whose time may be to come. NULL with wait(). */
	void (*give_back)(struct weft_limiter *l, struct weft_reservation *r);
	void (*stats)(struct weft_limiter *l, struct weft_limiter_stats *out);
};

struct limiter_bucket {
	struct weft_lock lock;

	/* Under the lock. */
	struct limiter_limit limit;
	limiter_ticks full_at;
	int64_t last_ns; /* when the last that was reserved may act */
};

struct limiter_leaky {
	/* When it will be full, in ticks, of which these are the low bits. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t full_at;
	/* What they are counted from; see leaky.c. */
	_Alignas(WEFT_CACHE_LINE) _Atomic int64_t epoch_ns;
	struct limiter_limit limit; /* constant */
	struct weft_lock lock;
};

struct limiter_filler {
	struct weft_crew_member member;
	struct weft_crew crew;
	struct weft_chan *tokens;
	struct limiter_limit limit; /* constant */
	int64_t first_ns;           /* when the first is made */
	_Atomic uint64_t made;
};

struct weft_limiter {
	const struct limiter_kind *kind;
	struct limiter_line line;
	union {
		struct limiter_bucket bucket;
		struct limiter_leaky leaky;
		struct limiter_filler filler;
	} of;
};

extern const struct limiter_kind weft_limiter_bucket, weft_limiter_leaky,
        weft_limiter_refill, weft_limiter_ticker;

#endif
