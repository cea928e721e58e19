/*
 * gcra: a rate and a burst for each of many keys, as clients of a server have.
 *
 * Each key is limited as by a limiter of its own (limiter.h): in every window
 * of T nanoseconds no more than rate * T + burst tokens are granted to it. The
 * generic cell rate algorithm keeps one number for each, the time at which it
 * will have all of its burst again; a key of which that time has come is as one
 * that was never seen, and its place is taken by another when there is need. So
 * memory is bounded, and given once: no call allocates.
 *
 * Keys are numbers: ids, addresses, or hashes of whatever they are. Two that
 * are the same number are the same key.
 *
 *   state               allow               wait
 *   open                0, -EAGAIN          0, or waits
 *   stopped             -ECANCELED          -ECANCELED
 *   failed              its error           its error
 *   its context ended   weft_ctx_err()      the same
 *
 * Order: first come, first served, for each key. Any task or foreign thread may
 * call anything below at any time. Keys are spread over 16 locks, each held for
 * as long as it takes to find one.
 */
#ifndef WEFT_PATTERNS_GCRA_H
#define WEFT_PATTERNS_GCRA_H

#include <weft/patterns/limiter.h>

WEFT_BEGIN_DECLS

struct weft_gcra;

/* The most keys. */
#define WEFT_GCRA_KEYS_MAX (INT64_C(1) << 26)

struct weft_gcra_opts {
	struct weft_rate rate; /* of each key */
	int64_t burst;         /* of each key: 1 to WEFT_BURST_MAX */
	/* That lack some of their burst at once: 1 to WEFT_GCRA_KEYS_MAX.
	 * There is room for a few more, some 70 bytes for each. */
	int64_t keys;

	enum weft_wait wait; /* how callers wait */
	/* Its end stops it; NULL for none. Referenced. */
	struct weft_ctx *ctx;
};

/* Of one key, after a call. */
struct weft_gcra_state {
	int64_t at_ns;     /* when they were, or would be, granted */
	int64_t full_ns;   /* when it will have all of its burst */
	int64_t remaining; /* tokens that it has at at_ns */
};

/* Exact at rest. */
struct weft_gcra_stats {
	uint64_t keys;    /* that have a place */
	uint64_t evicted; /* keys whose place was taken, since they had all */
	uint64_t crowded; /* calls that were refused for lack of a place */

	/* As in struct weft_limiter_stats. */
	uint64_t waiting, waited, gave_up;
	int64_t wait_ns, longest_ns;
};

/*
 * Make one in which every key has all of its burst.
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL, and a rate, a burst or a number of keys that is out of range;
 * -ENOMEM; for a context with a deadline also what weft_ctx_after() says. On
 * failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int weft_gcra_new(struct weft_gcra **out,
                                          const struct weft_gcra_opts *opts);

/* Stop and free it. NULL is ignored. No other call may be under way. */
WEFT_API void weft_gcra_free(struct weft_gcra *g);

/*
 * Take n tokens of a key if they are there. Of 0 the state is told, and no
 * place is taken.
 *
 * state  receives how the key stands: after 0 and -EAGAIN. May be NULL.
 *
 * Returns 0; -EAGAIN when they are not there, and then state->at_ns is when
 * they would be if nobody else came; the reason of one that was stopped or
 * failed; -ENOBUFS when the key is a new one and all places are taken by keys
 * that lack some of their burst; -ERANGE when n is above the burst; -EINVAL for
 * NULL or a negative n. After an error nothing was taken.
 */
WEFT_API WEFT_NODISCARD int weft_gcra_allow(struct weft_gcra *g, uint64_t key,
                                            int64_t n,
                                            struct weft_gcra_state *state);

/*
 * Take n tokens of a key, waiting for them until `deadline_ns`, or until the
 * end of `ctx`, which may be NULL. One that cannot have them by then does not
 * wait.
 *
 * Returns as weft_gcra_allow(), with -ETIMEDOUT instead of -EAGAIN;
 * weft_ctx_err() when the context has ended, tokens or not, or ends meanwhile.
 * After an error nothing was taken, but for a wait that was ended after others
 * had begun to wait for that key: they keep their times.
 */
WEFT_API WEFT_NODISCARD int weft_gcra_wait(struct weft_gcra *g, uint64_t key,
                                           int64_t n, struct weft_ctx *ctx,
                                           int64_t deadline_ns,
                                           struct weft_gcra_state *state);

/* As weft_limiter_stop(), weft_limiter_fail() and weft_limiter_stats(). */
WEFT_API int weft_gcra_stop(struct weft_gcra *g);
WEFT_API int weft_gcra_fail(struct weft_gcra *g, int err);
WEFT_API int weft_gcra_stats(struct weft_gcra *g, struct weft_gcra_stats *out);

WEFT_END_DECLS

#endif
