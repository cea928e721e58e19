/*
 * mux: a set of channels, of which each call uses whichever is ready.
 *
 *	inputs  -+                          +-  outputs
 *	inputs  -+->  weft_mux_recv()       +-  outputs
 *	inputs  -+    weft_mux_send()  >----+-  outputs
 *
 * A port is a channel that the mux receives from (an input) or sends to (an
 * output). Ports may be of any implementations that can stand in a select,
 * mixed; they are added, paused and removed while calls wait, and those calls
 * take notice. Of the ports that are ready each is as likely to be used; a
 * channel that is added twice, twice as likely. A mux that both sends to and
 * receives from a channel never meets itself there.
 *
 *   state                    recv           send           select
 *   some port left           0              0              0
 *   no input left            -EPIPE, holds  as above       only sends
 *   no output left           as above       -EPIPE, holds  only receives
 *   neither left             -EPIPE, holds  -EPIPE, holds  -EPIPE, holds
 *   stopped                  the reason     the reason     the reason
 *
 * It ends as docs/components.md says: stopped, failed, or by its context. It
 * has ended in order when it was closed and a call has found no port left.
 *
 * An input whose channel is closed is dropped once it is drained, an output as
 * soon as it is closed. A dropped or paused port is not looked at; a paused one
 * is left, a dropped one is not. With `hold` a call that finds none left waits
 * for one to be added instead, until weft_mux_close().
 *
 * The channels stay the caller's: the mux has a reference on each, closes none
 * of them, and keeps nothing of what passes. What is inside when it is stopped
 * or freed stays inside.
 *
 * Any task may call anything below at any time on a live mux; how many may
 * receive, or send, at once is for the implementations of the ports to say.
 *
 * Ordering and progress are those of weft_select().
 */
#ifndef WEFT_PATTERNS_MUX_H
#define WEFT_PATTERNS_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/export.h>
#include <weft/select.h>

WEFT_BEGIN_DECLS

struct weft_mux;

/* Zero everywhere is the default. */
struct weft_mux_opts {
	size_t elem_size; /* bytes of an element, the same at every port */

	/* How calls wait: as the channels do. A select spins only when all
	 * that it waits for agrees to. */
	enum weft_wait wait;

	/* Wait where no port is left for one to be added. */
	bool hold;

	/* Its end stops the mux, which holds a reference; NULL = none. It is
	 * one more case of every wait, so a deadline of its own takes no timer.
	 */
	struct weft_ctx *ctx;
};

struct weft_mux_stats {
	size_t inputs, outputs; /* that are left; paused ones are */

	/* Elements, over all ports that are or were there. Exact at rest. */
	uint64_t received, sent;
};

struct weft_mux_port_stats {
	enum weft_case_op op; /* WEFT_CASE_RECV: an input */
	uint64_t moved;       /* elements; exact at rest */
	bool paused;
	bool dropped; /* its channel is closed */
};

/*
 * Make a mux without ports.
 *
 * opts  NULL for the defaults.
 *
 * Returns 0; -EINVAL for NULL, elements above WEFT_ELEM_MAX or an unknown wait;
 * -ENOMEM. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int weft_mux_new(struct weft_mux **out,
                                         const struct weft_mux_opts *opts);

/* Free the mux. NULL is ignored. No other call may be under way. */
WEFT_API void weft_mux_free(struct weft_mux *m);

/*
 * Add a port, of which the mux takes a reference. Calls that wait take notice.
 *
 * op    WEFT_CASE_RECV makes it an input, WEFT_CASE_SEND an output.
 * port  receives its number: 0 for the first, then 1, 2, ..., never one that
 *       was used before. May be NULL.
 *
 * Returns 0; -EINVAL for NULL, an unknown op, or elements of another size;
 * -EOPNOTSUPP when the channel cannot stand in a select; -ENOSPC with
 * WEFT_MUX_PORTS_MAX of them; -EPIPE after weft_mux_close(); the reason once
 * stopped; -ENOMEM. After an error nothing has changed.
 */
WEFT_API WEFT_NODISCARD int weft_mux_add(struct weft_mux *m,
                                         struct weft_chan *c,
                                         enum weft_case_op op, size_t *port);
#define WEFT_MUX_PORTS_MAX 1000

/*
 * Take a port out, dropped or not, and give its reference back. A call that is
 * under way may use it once more; none that begins later does.
 *
 * Returns 0; -EINVAL for NULL; -ENOENT when there is no such port; -ENOMEM, and
 * nothing has changed.
 */
WEFT_API int weft_mux_remove(struct weft_mux *m, size_t port);

/* Do not look at a port, or do so again. Returns as weft_mux_remove(), which
 * also says what becomes of calls under way. */
WEFT_API int weft_mux_pause(struct weft_mux *m, size_t port, bool paused);

/*
 * Receive an element from whichever input has one, waiting until `deadline_ns`.
 *
 * elem   elem_size bytes, written only on success; may be NULL when that is 0.
 * which  receives the port's number; may be NULL.
 *
 * Returns 0; -EPIPE when no input is left; the reason when it is or becomes
 * stopped; -ETIMEDOUT when at one instant, and that after an expired deadline,
 * no input had an element (WEFT_NOW asks for just that); -EINVAL for NULL;
 * -ENOMEM, from a call that finds the ports changed or several others under
 * way, or that waits with more than 14 ports.
 *
 * An element that is there wins over an expired deadline. A stop before the
 * call wins over an element; while it waits either may win. After an error
 * nothing was received.
 */
WEFT_API WEFT_NODISCARD int weft_mux_recv(struct weft_mux *m, void *elem,
                                          size_t *which, int64_t deadline_ns);

/*
 * Send an element to whichever output has space, or a receiver that waits.
 *
 * Returns as weft_mux_recv() in terms of outputs; -ENOMEM also from unbounded
 * channels. After an error nothing was sent.
 */
WEFT_API WEFT_NODISCARD int weft_mux_send(struct weft_mux *m, const void *elem,
                                          size_t *which, int64_t deadline_ns);

/*
 * Do one of both, whichever can be done first: send *out to an output, or
 * receive *in from an input. So two sides that send each other more than fits
 * in between do not wait for each other for ever.
 *
 * op  receives which of the two it was.
 *
 * Returns as weft_mux_recv() in terms of all ports.
 */
WEFT_API WEFT_NODISCARD int weft_mux_select(struct weft_mux *m, const void *out,
                                            void *in, enum weft_case_op *op,
                                            size_t *which, int64_t deadline_ns);

/* No more ports will be added; with `hold` this is what lets calls end. Returns
 * 0; -EPIPE when it was closed or stopped already; -EINVAL for NULL; -ENOMEM,
 * and it is not closed. */
WEFT_API int weft_mux_close(struct weft_mux *m);

/* Stop: calls fail, those that wait too. Any number of times. It may wait for
 * the mux's lock, which is held for short steps only. Returns 0; -EINVAL for
 * NULL. */
WEFT_API int weft_mux_stop(struct weft_mux *m);

/* Stop with an error, which calls then return; -EIO in place of -EAGAIN,
 * -ETIMEDOUT and -EPIPE. Returns 0; -EINVAL for NULL or an `err` that is not
 * negative. */
WEFT_API int weft_mux_fail(struct weft_mux *m, int err);

/* Figures of the mux. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_mux_stats(struct weft_mux *m, struct weft_mux_stats *out);

/* Figures of one port: how even the shares were. Returns 0; -EINVAL for NULL;
 * -ENOENT. On an error *out is untouched. */
WEFT_API int weft_mux_port_stats(struct weft_mux *m, size_t port,
                                 struct weft_mux_port_stats *out);

/*
 * or: one channel that is closed as soon as the first of several is done.
 *
 * A channel is done when it is closed, or when an element comes, which is then
 * taken: so they are channels that nobody else receives from, such as those of
 * contexts, timers, and tasks that close one as they end.
 *
 * After Cox-Buday, Concurrency in Go, where each or makes a goroutine that ends
 * only with one of its channels; this one ends with weft_or_free() too.
 */
struct weft_or;

/*
 * Make an or of n channels, which are referenced. A NULL among them is never
 * done. With two or more this takes a task, in the run of the caller.
 *
 * Returns 0; -EINVAL for NULL, more than WEFT_MUX_PORTS_MAX channels, or
 * outside of a run; -EOPNOTSUPP when one of several cannot stand in a select;
 * -ENOMEM or -EAGAIN when there is no task to be had. On failure *out is
 * untouched.
 */
WEFT_API WEFT_NODISCARD int
weft_or_new(struct weft_or **out, struct weft_chan *const *done, size_t n);

/* End the or: its own channel, if it is open, is closed as well, which releases
 * those that still wait on it. NULL is ignored. */
WEFT_API void weft_or_free(struct weft_or *o);

/*
 * The channel: NULL for an or of none, which in a select is never ready; of one
 * channel that channel itself; else one of elements of 0 bytes, closed when the
 * first is done. The or's reference.
 */
WEFT_API struct weft_chan *weft_or_chan(const struct weft_or *o);

/* Which of several was done first, known once the channel of the or was found
 * closed; -EAGAIN before, and for fewer than two; -EINVAL for NULL. Also
 * -ENOMEM: then an or of more than 15 could not wait, and has closed its
 * channel although none is done. */
WEFT_API int weft_or_first(const struct weft_or *o);

WEFT_END_DECLS

#endif
