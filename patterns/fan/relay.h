/*
 * relay: tasks that move elements from channels to channels, unaltered.
 *
 *	weft_merge()        several channels into one
 *	weft_broadcast()    one channel into each of several
 *
 * A fan without workers, between channels of the caller's own.
 *
 * A relay closes the channels it sends into when those it receives from have
 * ended; nobody else may. It also ends, with -EPIPE, when it finds all of those
 * that it sends into closed: that is how a consumer leaves early.
 *
 * It ends as docs/components.md says, but for what its callers see, because
 * the channels are theirs: when it is stopped or fails, it closes the channels
 * on both sides, and what is inside of them stays there.
 *
 * It holds a reference on each channel for as long as it lives.
 */
#ifndef WEFT_PATTERNS_RELAY_H
#define WEFT_PATTERNS_RELAY_H

#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/export.h>

WEFT_BEGIN_DECLS

struct weft_ctx;
struct weft_relay;

/* How weft_merge() waits for several channels. */
enum weft_merge_by {
	WEFT_MERGE_BY_FORWARDERS, /* a task for each */
	WEFT_MERGE_BY_SELECT,     /* one task that selects */
};

/* Zero everywhere is the default. */
struct weft_relay_opts {
	enum weft_merge_by by; /* weft_merge() only */
	size_t stack_bytes;    /* of each task; 0 = the system's default */

	/* For an element that the relay had in hand when it was stopped, or
	 * that a channel of a broadcast refused. */
	void (*drop)(void *elem, void *drop_arg);
	void *drop_arg;

	/* Its end stops the relay, which holds a reference; NULL for none. */
	struct weft_ctx *ctx;
};

/*
 * Fan in: what comes out of any of `from` goes into `to`, which is closed,
 * once, when all of them have ended; at once when there is none.
 *
 * Each channel's elements keep their order when the channels are FIFO; there is
 * none between channels. A channel that has nothing to give holds up no other.
 *
 * opts  NULL for the defaults.
 *
 * Returns 0; -EINVAL for NULL anywhere, elements of different sizes, a channel
 * on both sides, more forwarders than `to` allows senders, more than
 * WEFT_SELECT_MAX channels for a select, an unknown `by`, or outside of a run;
 * -EOPNOTSUPP when a select is asked of channels that cannot stand in one;
 * -ENOMEM; -EAGAIN when the system has not enough threads to give. On failure
 * *out and the channels are untouched.
 */
WEFT_API WEFT_NODISCARD int weft_merge(struct weft_relay **out,
                                       struct weft_chan *to,
                                       struct weft_chan *const *from, size_t n,
                                       const struct weft_relay_opts *opts);

/*
 * Fan out: every element of `from` goes into each of `to`, in the same order,
 * one after the other; all of them are closed when `from` has ended.
 *
 * A channel that is full holds up all others, so each has every element and
 * none is further ahead than its capacity. One that has been closed by its
 * reader is left out from then on.
 *
 * Returns as weft_merge(), and -EINVAL for no channel to send into. Elements
 * are copied: what they point to is shared.
 */
WEFT_API WEFT_NODISCARD int weft_broadcast(struct weft_relay **out,
                                           struct weft_chan *const *to,
                                           size_t n, struct weft_chan *from,
                                           const struct weft_relay_opts *opts);

/* Stop at once, closing all channels; the second for an error of the caller's.
 * When everything has gone through they change nothing. They do not wait; any
 * number of times. Return 0; -EINVAL for NULL, or an err that is not
 * negative. */
WEFT_API int weft_relay_stop(struct weft_relay *r);
WEFT_API int weft_relay_fail(struct weft_relay *r, int err);

/* Wait until its tasks have ended. Returns 0 when everything went through; the
 * reason when it was stopped or has failed: -ECANCELED, weft_ctx_err(), the
 * error; -EPIPE when nobody was left to send to, -ENOMEM from unbounded
 * channels; -ETIMEDOUT; -EINVAL for NULL. */
WEFT_API WEFT_NODISCARD int weft_relay_join(struct weft_relay *r,
                                            int64_t deadline_ns);

struct weft_relay_stats {
	uint64_t moved; /* elements received, or sent in a broadcast */
};

/* Figures of channel `i` of the side that has several. Exact at rest. Returns
 * 0, or -EINVAL for NULL or a channel that there is not. */
WEFT_API int weft_relay_stats(const struct weft_relay *r, size_t i,
                              struct weft_relay_stats *out);

/* Stop it unless it has ended, wait for its tasks, and free it. NULL is
 * ignored. Belongs to the run that made it. */
WEFT_API void weft_relay_free(struct weft_relay *r);

WEFT_END_DECLS

#endif
