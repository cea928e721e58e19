/*
 * order: what several workers make, passed on in the order in which they took.
 *
 * A worker that takes draws a ticket; when it has made something of what it
 * took, it puts that into the slot of its ticket. The worker that puts the
 * batch which is next passes it on, and behind it all that has been put
 * meanwhile. So a slow batch holds up those behind it, not their workers. A
 * worker waits only to draw a ticket, when `window` of them are out; that
 * bounds the buffer.
 */
#ifndef WEFT_PATTERNS_COMMON_ORDER_H
#define WEFT_PATTERNS_COMMON_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/atomic.h>
#include <weft/sync.h>

struct order_batch {
	unsigned char *items; /* n of them, of which `sent` are passed on */
	_Atomic size_t n;     /* 0 once passed on; others read it for figures */
	size_t sent;
	_Atomic uint64_t put; /* ticket + 1 from the put until it is claimed */
};

struct order {
	/* Held by the worker that takes: tickets follow the input. */
	struct weft_lock taking;
	uint64_t next; /* the ticket to be drawn; guarded by `taking` */

	/* The ticket that is passed on next; written by the passing worker. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t head;

	struct weft_waiters room; /* for the one that holds `taking` */
	_Atomic bool closed;

	size_t window;
	struct order_batch *batches; /* of ticket t: at t % window */
};

/* Room for `window` >= 1 batches of up to `n` items of `size` bytes. `wait` is
 * a valid one. 0 or -ENOMEM. */
int weft_order_new(struct order **out, size_t window, size_t n, size_t size,
                   enum weft_wait wait);

/* NULL is ignored. drop (unless NULL) receives what was put and not passed on.
 * All workers have left. */
void weft_order_free(struct order *o, size_t size,
                     void (*drop)(void *elem, void *arg), void *arg);

/* Let nobody draw a ticket any more, and wake the worker that waits to. */
void weft_order_close(struct order *o);

/* Items that were put and not passed on. Exact at rest. */
size_t weft_order_held(const struct order *o);

/*
 * Before and after a worker takes. Between the two it is alone, and the items
 * are those behind all that were taken before.
 *
 * weft_order_begin() waits for its turn and for room. 0, or -EPIPE when closed;
 * then there is nothing to end. weft_order_end() returns the ticket when
 * something was taken; otherwise what it returns is void.
 */
int weft_order_begin(struct order *o);
uint64_t weft_order_end(struct order *o, bool taken);

/*
 * Put what was made of a ticket's items, which may be nothing. *items is
 * exchanged for an empty array of the same size.
 *
 * Returns the batch that the caller is to pass on now, or NULL. When it has,
 * weft_order_passed() returns the next, or NULL. A worker that cannot pass a
 * batch on drops out, and the order stays where it is.
 */
struct order_batch *weft_order_put(struct order *o, uint64_t ticket,
                                   unsigned char **items, size_t n);
struct order_batch *weft_order_passed(struct order *o);

#endif
