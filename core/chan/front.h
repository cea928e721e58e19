/*
 * front: send and receive of one element of 8 bytes, with the implementation's
 * own code compiled into them.
 *
 * weft_chan_send() and weft_chan_recv() end in a jump to what the channel's
 * `front` points to. For most that is the general form in chan.c, which calls
 * what `struct weft_chan_impl` has. An implementation may have a form of its
 * own for elements of one word: the usual case of it and nothing else, so that
 * nothing has to be saved over a call, and every size in it is a constant. That
 * is a third of all instructions of a message (docs/performance.md).
 *
 * What such a form finds in its way (no room, a close, nothing there, another
 * task at the same place) it leaves to functions out of line.
 */
#ifndef WEFT_CHAN_FRONT_H
#define WEFT_CHAN_FRONT_H

#include "chan/internal.h"
#include "task/waitq.h"

#define FRONT_INLINE static inline __attribute__((always_inline))

/* The size of the elements that such forms are for. */
#define FRONT_ELEM 8

/* The general forms, for every implementation and size. */
int weft_chan_send_any(struct weft_chan *c, const void *elem,
                       int64_t deadline_ns);
int weft_chan_recv_any(struct weft_chan *c, void *elem, int64_t deadline_ns);

/* The rest of a call whose first try said `err`: waits if that is -EAGAIN. */
int weft_chan_send_rest(struct weft_chan *c, const void *elem,
                        int64_t deadline_ns, int err);
int weft_chan_recv_rest(struct weft_chan *c, void *elem, int64_t deadline_ns,
                        int err);

/* Tells a waiter of the peers' queue. 0. */
int weft_chan_relay_slow(struct waitq *peers);

/* The end of every success. 0. */
FRONT_INLINE int front_done(struct waitq *peers)
{
	if (__builtin_expect(barrier_light_is_set(&peers->n), 0))
		return weft_chan_relay_slow(peers);
	return 0;
}

#endif
