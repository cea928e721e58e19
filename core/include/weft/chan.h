/*
 * chan: a queue of fixed-size elements between tasks, with close.
 *
 *   state           send     try_send  recv     try_recv  close
 *   open,   empty   0        0         waits    -EAGAIN   0
 *   open,   full    waits    -EAGAIN   0        0         0
 *   closed, items   -EPIPE   -EPIPE    0        0         -EPIPE
 *   closed, empty   -EPIPE   -EPIPE    -EPIPE   -EPIPE    -EPIPE
 *
 * Partly filled and open, everything succeeds. A channel of capacity 0 is
 * empty and full at once: a send completes when a receiver has taken the
 * value, and the try_ calls succeed only while a peer waits.
 *
 * Which outcome wins: an element that is there wins over close, close wins
 * over a deadline, and an expired deadline still takes an element (or space)
 * that is there. A send that failed never delivers; a receive that failed
 * never consumes. close wakes all waiters.
 *
 * A channel whose queue is the kernel's (pipe, socketpair) frees space in
 * lumps: it may stay full for some receives more, so it cannot serve as a
 * counter of tokens. Those that block the thread (WEFT_BLOCKS_THREAD) keep
 * their deadlines on the machine's clock, also in a run with a manual one.
 *
 * Elements are copied, elem_size bytes of them; a channel never owns what an
 * element points to. Any task may call anything below at any time as long as
 * it holds a reference, but for the limits on senders and receivers that the
 * implementation declares.
 *
 * Ordering: what a sender wrote before its send is visible to the receiver of
 * that element; on capacity 0 and on a full channel's space also the reverse.
 * What was written before close is visible to the task that gets -EPIPE for
 * it.
 *
 * Progress: the try_ calls never park. They are lock-free only where the
 * implementation says so: on a ring, a try_ call that meets a slot which a
 * peer has claimed and not yet published waits for that peer. A peer that lost
 * its CPU there is waited for with yields, then in sleeps of up to 2 ms, so
 * that it goes on even if it has the lower priority on the same CPU.
 */
#ifndef WEFT_CHAN_H
#define WEFT_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/export.h>
#include <weft/time.h>

WEFT_BEGIN_DECLS

/* The largest element, in bytes. */
#define WEFT_ELEM_MAX 4096

struct weft_chan;
struct weft_chan_impl;

/* How a wait spends its time before it gives up the CPU. */
enum weft_wait {
	WEFT_WAIT_ADAPTIVE, /* spin, yield, park; learns how long to yield */
	WEFT_WAIT_SPIN,     /* never park; yields where spinning would hurt,
	                     * which lets no peer of a lower priority run */
	WEFT_WAIT_PARK,     /* park at once */
};

/* Zero everywhere is the default. */
struct weft_chan_opts {
	enum weft_wait wait;

	/* Called by the last unref for each element that is left, in order.
	 * elem is aligned to WEFT_CACHE_LINE and gone after the call. */
	void (*drop)(void *elem, void *drop_arg);
	void *drop_arg;

	/* For tests of counters: begin as if so many elements had gone through
	 * the channel already. 0 to WEFT_START_MAX, and 0 only where the
	 * implementation does not declare WEFT_CAN_START. */
	uint64_t start;
};

#define WEFT_START_MAX (UINT64_C(1) << 48)

/* Counts, of the first two since the channel was made. Exact at rest. */
struct weft_chan_stats {
	uint64_t parks; /* waits on this channel that gave up the CPU */
	uint64_t wakes; /* waiting tasks that were told to look again */

	/* Waits that are registered on it now, each case of a select by itself,
	 * but for plain sends and receives of implementations that do their own
	 * waiting, handoff excepted. */
	uint64_t waiting;
};

/* The built-in implementation of that name; NULL when there is none. */
WEFT_API const struct weft_chan_impl *weft_chan_impl_find(const char *name);

/* The i-th built-in implementation in order of name; NULL past the last. */
WEFT_API const struct weft_chan_impl *weft_chan_impl_at(size_t i);

/*
 * Load an implementation from a shared object that exports `weft_chan_impl`
 * (see weft/chan_impl.h). It stays loaded until the process ends.
 *
 * why  receives one line, without newline, that says what is wrong; may be
 *      NULL when why_bytes is 0.
 *
 * Returns 0; -ENOENT when the file cannot be loaded; -EINVAL when it does not
 * export the symbol, has another ABI version, contradicts itself, or is built
 * without the thread sanitizer where weft is built with it.
 */
WEFT_API WEFT_NODISCARD int weft_chan_load(const char *path,
                                           const struct weft_chan_impl **out,
                                           char *why, size_t why_bytes);

/*
 * Whether `impl` can make a channel of `cap` elements of `elem_size` bytes.
 * Returns 0, or -EINVAL with one line in `why` that names the value and what
 * is allowed.
 */
WEFT_API int weft_chan_impl_accepts(const struct weft_chan_impl *impl,
                                    size_t cap, size_t elem_size, char *why,
                                    size_t why_bytes);

/*
 * Make a channel with one reference, the caller's.
 *
 * cap        elements; 0 is a rendezvous, which the implementation must
 * declare. An unbounded one takes any other value and makes nothing of it.
 * elem_size  bytes, 0 to WEFT_ELEM_MAX. With 0 every elem may be NULL.
 * opts       NULL for the defaults.
 *
 * Returns 0; -EINVAL for NULL, an unknown opts->wait, an opts->start that
 * cannot be, what weft_chan_impl_accepts() refuses, or what the system does not
 * grant; -ENOMEM. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int weft_chan_new(struct weft_chan **out,
                                          const struct weft_chan_impl *impl,
                                          size_t cap, size_t elem_size,
                                          const struct weft_chan_opts *opts);

/* One more reference. Returns c; NULL stays NULL. */
WEFT_API struct weft_chan *weft_chan_ref(struct weft_chan *c);

/* Give a reference back; the last one frees the channel. NULL is ignored.
 * Nobody may be waiting on the channel when the last reference goes. */
WEFT_API void weft_chan_unref(struct weft_chan *c);

/*
 * Send one element, waiting for space until `deadline_ns`.
 *
 * Returns 0; -EPIPE when the channel is or becomes closed; -ETIMEDOUT; -EINVAL
 * for NULL; -ENOMEM from unbounded implementations only. After any error the
 * element was not and will not be delivered.
 */
WEFT_API WEFT_NODISCARD int
weft_chan_send(struct weft_chan *c, const void *elem, int64_t deadline_ns);

/* Send without waiting: as weft_chan_send(), with -EAGAIN for full. */
WEFT_API WEFT_NODISCARD int weft_chan_try_send(struct weft_chan *c,
                                               const void *elem);

/*
 * Receive the oldest element, waiting for one until `deadline_ns`.
 *
 * elem  elem_size bytes, written only on success.
 *
 * Returns 0; -EPIPE once closed and drained; -ETIMEDOUT; -EINVAL for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_chan_recv(struct weft_chan *c, void *elem,
                                           int64_t deadline_ns);

/* Receive without waiting: as weft_chan_recv(), with -EAGAIN for empty. */
WEFT_API WEFT_NODISCARD int weft_chan_try_recv(struct weft_chan *c, void *elem);

/*
 * Send n elements from an array, in order, waiting for space for all of them.
 * Other senders' elements may come between.
 *
 * done  receives how many were sent; on an error exactly the first *done.
 *
 * Returns as weft_chan_send(); n = 0 returns 0.
 */
WEFT_API WEFT_NODISCARD int weft_chan_send_many(struct weft_chan *c,
                                                const void *elems, size_t n,
                                                size_t *done,
                                                int64_t deadline_ns);

/*
 * Receive up to n elements into an array: wait for one, then take what is
 * there without waiting for more.
 *
 * done  receives how many were received: 1..n on success, 0 on an error.
 *
 * Returns as weft_chan_recv(); n = 0 returns 0.
 */
WEFT_API WEFT_NODISCARD int weft_chan_recv_many(struct weft_chan *c,
                                                void *elems, size_t n,
                                                size_t *done,
                                                int64_t deadline_ns);

/*
 * Close: sends fail from now on, receives drain what is there and then fail,
 * and all waiting tasks are woken. Exactly one call succeeds.
 * Returns 0; -EPIPE when it was closed already; -EINVAL for NULL.
 */
WEFT_API int weft_chan_close(struct weft_chan *c);

/* Elements inside. Exact at rest, a moment's impression otherwise; never more
 * than the capacity. 0 for NULL. */
WEFT_API size_t weft_chan_len(const struct weft_chan *c);

/* Capacity in elements, as the implementation has it (it may round up);
 * SIZE_MAX when unbounded, 0 for NULL. */
WEFT_API size_t weft_chan_cap(const struct weft_chan *c);

/* Bytes per element. 0 for NULL. */
WEFT_API size_t weft_chan_elem_size(const struct weft_chan *c);

/* The implementation behind the channel. NULL for NULL. */
WEFT_API const struct weft_chan_impl *
weft_chan_impl_of(const struct weft_chan *c);

/* Figures of one channel; zeros for NULL. */
WEFT_API void weft_chan_stats(const struct weft_chan *c,
                              struct weft_chan_stats *out);

WEFT_END_DECLS

#endif
