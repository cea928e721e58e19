/*
 * reorder: results come out in the order in which their items went in, however
 * long each of them took.
 *
 * A ring of slots. An item takes the next number and with it a slot, which
 * holds the item, then its result, until that is taken; so at most `window`
 * items and results are inside, and a late one holds up those that are so far
 * behind it, not the other workers. Only the number travels to the worker.
 *
 * A slot's state says which item it is about and how far that one is:
 *
 *	FREE(n) -> QUEUED(n) -> RUNNING(n) -> DONE(n) -> FREE(n + window)
 *	                                      GONE(n) -> the same
 *
 * GONE is the placeholder of an item that has no result: it was passed over,
 * failed, its worker died, or it could not be handed to a worker. Without it,
 * everything behind would wait for ever.
 */
#ifndef WEFT_PATTERNS_COMMON_REORDER_H
#define WEFT_PATTERNS_COMMON_REORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/atomic.h>
#include <weft/sync.h>

/* A slot begins with this; the item and the result follow. */
struct reorder_slot {
	_Atomic uint64_t state;
};

struct reorder {
	/* Constant once made. */
	size_t window; /* a power of two */
	size_t in_size, out_size, in_at, out_at, slot_bytes;
	unsigned char *slots;

	/* The number of the next item to come in. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t tail;
	/* The number of the next result to come out. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t head;
	/* The furthest that a result was done before its turn. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t ahead;

	struct weft_waiters space;   /* for a free slot */
	struct weft_waiters results; /* for the next result */
};

/* The largest window. */
#define REORDER_WINDOW_MAX ((size_t)1 << 24)

/* Make *r, of zeros, with the window rounded up to a power of two. `wait` is a
 * valid one. 0; -EINVAL for none or too large a window; -ENOMEM, and then
 * weft_reorder_free() is harmless. */
int weft_reorder_init(struct reorder *r, size_t window, size_t in_size,
                      size_t out_size, enum weft_wait wait);

/* Release the memory. Items that were not worked on go to drop_in, results that
 * were not taken to drop_out; either may be NULL. */
void weft_reorder_free(struct reorder *r,
                       void (*drop_in)(void *elem, void *drop_arg),
                       void (*drop_out)(void *elem, void *drop_arg),
                       void *drop_arg);

/* Take the next number for an item and copy it in. 0, or -EAGAIN when the
 * window is full. */
int weft_reorder_enter(struct reorder *r, const void *elem, uint64_t *n);

/* Item n was not handed to a worker after all: it is still the caller's. */
void weft_reorder_withdraw(struct reorder *r, uint64_t n);

/* A worker was handed item n. 0; -EIO when n is no item that waits for one. */
int weft_reorder_begin(struct reorder *r, uint64_t n);

/* Where item n is, and where its result goes; the worker's, between
 * weft_reorder_begin() and weft_reorder_settle(). */
void *weft_reorder_in(const struct reorder *r, uint64_t n);
void *weft_reorder_out(const struct reorder *r, uint64_t n);

/* The worker is through with item n; `done` says whether there is a result. */
void weft_reorder_settle(struct reorder *r, uint64_t n, bool done);

/* Take the next result in order. 0, or -EAGAIN while it is not there. */
int weft_reorder_take(struct reorder *r, void *elem);

/* Whether everything that came in has come out. */
bool weft_reorder_is_empty(struct reorder *r);

/* Whether there is anything in it but placeholders: a result that waits to be
 * taken, or an item that no worker was given. */
bool weft_reorder_holds_any(const struct reorder *r);

/* Tell all waiting tasks to look again. */
void weft_reorder_notify_all(struct reorder *r);

#endif
