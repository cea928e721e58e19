/*
 * order: what several workers make, passed on in the order in which they took.
 *
 * A worker that takes draws a ticket; when it has made something of what it
 * took, it puts that into the slot of its ticket. Whoever puts the batch that
 * is next passes it on, and behind it whatever has been put meanwhile, so that
 * nobody waits for its turn with a batch in hands: a slow batch holds up those
 * behind it, not their workers. A worker waits only to draw a ticket, when
 * `window` of them are out; that bounds the buffer.
 */
#ifndef WEFT_PATTERNS_COMMON_ORDER_H
#define WEFT_PATTERNS_COMMON_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/atomic.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "task/spin.h"

struct order_batch {
	unsigned char *items; /* n of them, of which `sent` are passed on */
	size_t n, sent;
	bool done; /* put; guarded by the order's lock */
};

struct order {
	/* Held by the one who takes: tickets follow the input. */
	struct weft_lock taking;
	uint64_t next; /* the ticket to be drawn; guarded by `taking` */

	/* Guards what follows, for a few instructions at a time. */
	struct spin lock;
	bool passing; /* somebody passes on the batch at the head */
	bool closed;
	struct weft_task *waiter; /* for room: who holds `taking` */

	/* The ticket that is passed on next. Written under the lock. */
	_Atomic uint64_t head;
	_Atomic size_t held; /* items put and not passed on */

	size_t window;
	struct order_batch *batches; /* of ticket t: at t % window */
};

/* Room for `window` >= 1 batches of up to `n` items of `size` bytes. 0 or
 * -ENOMEM. */
int weft_order_new(struct order **out, size_t window, size_t n, size_t size);

/* NULL is ignored. drop (unless NULL) receives what was put and not passed on.
 * All workers have left. */
void weft_order_free(struct order *o, size_t size,
                     void (*drop)(void *elem, void *arg), void *arg);

/* Let nobody draw a ticket any more, and wake who waits to. */
void weft_order_close(struct order *o);

/*
 * Before and after a worker takes. Between the two it is alone, and the items
 * are those behind all that were taken before.
 *
 * weft_order_begin  waits for its turn and for room. 0, or -EPIPE when closed;
 * then there is nothing to end. weft_order_end    the ticket, when something
 * was taken. Otherwise it is void.
 */
int weft_order_begin(struct order *o);
uint64_t weft_order_end(struct order *o, bool taken);

/*
 * Put what was made of a ticket's items, which may be nothing. *items is
 * exchanged for an empty array of the same size.
 *
 * Returns the batch that the caller is to pass on now, or NULL. When it has,
 * weft_order_passed() returns the next, or NULL. Who cannot pass a batch on
 * drops out, and the order stays where it is.
 */
struct order_batch *weft_order_put(struct order *o, uint64_t ticket,
                                   unsigned char **items, size_t n);
struct order_batch *weft_order_passed(struct order *o);

#endif
