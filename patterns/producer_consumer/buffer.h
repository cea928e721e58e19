/*
 * buffer: a bounded buffer between producers and consumers that knows when the
 * last producer is done.
 *
 *	producers  weft_buffer_send  ->  weft_buffer_recv  consumers
 *
 * It ends as docs/components.md says. A send that finds it full waits, or drops
 * an element: see enum weft_overflow.
 *
 * The end in order: the buffer counts its producers. Each calls
 * weft_buffer_done() once, and the last call closes the buffer: consumers take
 * what is left and then all get -EPIPE. So no producer has to know whether it
 * is the last. Where consumers are counted too, the last weft_buffer_leave()
 * stops the buffer, so that no producer waits for space that nobody makes.
 *
 * A producer that ends without weft_buffer_done() would leave the consumers
 * waiting for ever. weft_buffer_produce() and weft_buffer_consume() run a
 * function and make that call however it ends: by return, weft_task_exit() or
 * pthread_exit().
 *
 * Any task may call anything below at any time on a live buffer, within the
 * senders and receivers that the implementation allows.
 */
#ifndef WEFT_PATTERNS_BUFFER_H
#define WEFT_PATTERNS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/export.h>
#include <weft/task.h>

WEFT_BEGIN_DECLS

struct weft_buffer;

/* What a send does when the buffer is full. The last two never wait. */
enum weft_overflow {
	WEFT_OVERFLOW_WAIT,        /* waits for space */
	WEFT_OVERFLOW_DROP_NEWEST, /* drops what it was to send */
	WEFT_OVERFLOW_DROP_OLDEST, /* drops what is first in line, and sends */
};

/* Zero everywhere but in elem_size is the default. */
struct weft_buffer_opts {
	const struct weft_chan_impl *impl; /* NULL = handoff */
	size_t cap;          /* items; 0: a send waits until it is received */
	size_t elem_size;    /* bytes of an item; may be 0 */
	enum weft_wait wait; /* how sends and receives wait */

	/* DROP_OLDEST makes a receiver of every producer, so it needs an
	 * implementation that any number may receive from, and a capacity. */
	enum weft_overflow overflow;

	/* Producers from the start, each of which owes one
	 * weft_buffer_done(); 0 = 1. */
	unsigned producers;
	/* Consumers, each of which owes one weft_buffer_leave(); 0 = they are
	 * not counted. */
	unsigned consumers;

	/* Its end stops the buffer, which holds a reference; NULL = none. */
	struct weft_ctx *ctx;

	/* Keep the figures that weft_buffer_stats says need it. Costs some
	 * atomic additions and a look at the fill per item, on memory that
	 * all tasks share, and two clock reads per wait. */
	bool count;

	/* For what is dropped, and for what is left when the buffer is freed;
	 * NULL when there is nothing to release. Sends that drop may call it
	 * at the same time; it runs outside of all locks. elem is aligned to
	 * WEFT_CACHE_LINE and gone after the call. */
	void (*drop)(void *elem, void *drop_arg);
	void *drop_arg;
};

/* Classes of fill: [i] from i eighths of the capacity to below i + 1 eighths;
 * the last one is full. */
#define WEFT_BUFFER_FILLS 9

struct weft_buffer_stats {
	size_t len;         /* items inside; exact at rest */
	size_t cap;         /* as the implementation has it */
	unsigned producers; /* that are not done */
	unsigned consumers; /* that have not left; 0 when not counted */
	uint64_t dropped;   /* items, by overflow */

	/*
	 * With `count`, exact at rest; otherwise 0.
	 *
	 * sends are the items that sends returned 0 for, dropped ones included:
	 * sends = recvs + dropped + len. A wait is a send that found no space,
	 * or a receive that found no item, and had time to wait for it.
	 */
	uint64_t sends, recvs;
	uint64_t send_waits, recv_waits;
	int64_t send_wait_ns, recv_wait_ns; /* all together */

	/* Of the fill as each send has left it: the most, never above cap; the
	 * mean; and how many sends of each class, where there is a capacity. */
	size_t high;
	double mean_fill;
	uint64_t fill[WEFT_BUFFER_FILLS];
};

/*
 * Make a buffer.
 *
 * opts  NULL for the defaults (with items of 0 bytes).
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL, an unknown wait or overflow, DROP_OLDEST where it cannot be, or
 * what the implementation refuses, more producers or consumers than it allows
 * at once among that; -ENOMEM; for a context with a deadline also
 * what weft_ctx_after() says. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int
weft_buffer_new(struct weft_buffer **out, const struct weft_buffer_opts *opts);

/* Drop what is left and free the buffer. NULL is ignored. No other call may be
 * under way: join producers and consumers first. */
WEFT_API void weft_buffer_free(struct weft_buffer *b);

/*
 * Send one item. When the buffer is full, wait for space until `deadline_ns`,
 * or drop as the overflow policy says.
 *
 * Returns 0; -EPIPE when it is or becomes closed; the reason when it is or
 * becomes stopped; -ETIMEDOUT; -EINVAL for NULL; -ENOMEM from unbounded
 * implementations. After an error the item is still the caller's.
 *
 * DROP_OLDEST may have dropped an item when it then finds the buffer closed.
 */
WEFT_API WEFT_NODISCARD int
weft_buffer_send(struct weft_buffer *b, const void *elem, int64_t deadline_ns);

/* Send without waiting: -EAGAIN when it is full and nothing is dropped. */
WEFT_API WEFT_NODISCARD int weft_buffer_try_send(struct weft_buffer *b,
                                                 const void *elem);

/* Send n items, in order; other producers' may come between. *done receives
 * how many; after an error the rest is still the caller's. */
WEFT_API WEFT_NODISCARD int weft_buffer_send_many(struct weft_buffer *b,
                                                  const void *elems, size_t n,
                                                  size_t *done,
                                                  int64_t deadline_ns);

/*
 * Receive the oldest item, waiting for one until `deadline_ns`.
 *
 * Returns 0; the reason once stopped, items or not; -EPIPE when it is closed
 * and empty; -ETIMEDOUT; -EINVAL for NULL. A receive that failed has consumed
 * nothing.
 */
WEFT_API WEFT_NODISCARD int weft_buffer_recv(struct weft_buffer *b, void *elem,
                                             int64_t deadline_ns);

/* Receive without waiting: -EAGAIN when it is empty. */
WEFT_API WEFT_NODISCARD int weft_buffer_try_recv(struct weft_buffer *b,
                                                 void *elem);

/* Receive up to n items: wait for one, then take what is there. *done receives
 * how many. */
WEFT_API WEFT_NODISCARD int weft_buffer_recv_many(struct weft_buffer *b,
                                                  void *elems, size_t n,
                                                  size_t *done,
                                                  int64_t deadline_ns);

/*
 * One producer more, which owes one weft_buffer_done(). To be called while a
 * producer is not done, by it or on its behalf: otherwise the last one may be
 * done just before.
 *
 * Returns 0; -EPIPE when all were done or the buffer is closed or stopped
 * already; -EINVAL for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_buffer_attach(struct weft_buffer *b);

/* One producer is done; the last one closes the buffer. Returns 0; -EINVAL for
 * NULL, or when all were done already. */
WEFT_API int weft_buffer_done(struct weft_buffer *b);

/* One consumer leaves; the last one stops the buffer. Returns 0; -EINVAL for
 * NULL, when all had left already, or when consumers are not counted. */
WEFT_API int weft_buffer_leave(struct weft_buffer *b);

/*
 * Run fn(arg) as one of the producers, or of the consumers, on the calling
 * task, and call weft_buffer_done() or weft_buffer_leave() for it however it
 * ends.
 *
 * status  receives what fn returned or gave weft_task_exit(); may be NULL.
 *
 * Returns 0 when fn returned, -ECANCELED when it called weft_task_exit(),
 * -EINVAL for NULL, and then neither is called.
 */
WEFT_API int weft_buffer_produce(struct weft_buffer *b, weft_task_fn fn,
                                 void *arg, int *status);
WEFT_API int weft_buffer_consume(struct weft_buffer *b, weft_task_fn fn,
                                 void *arg, int *status);

/* Close now, even if producers are not done: sends fail, those that wait too,
 * and receives drain what is there. Returns 0; -EPIPE when it was closed or
 * stopped already; -EINVAL for NULL. */
WEFT_API int weft_buffer_close(struct weft_buffer *b);

/* Stop: sends and receives fail, those that wait too; what is inside stays
 * there for weft_buffer_free() to drop. Any number of times. Returns 0, or
 * -EINVAL for NULL. */
WEFT_API int weft_buffer_stop(struct weft_buffer *b);

/* Stop with an error, which sends and receives then return; -EIO in place of
 * -EAGAIN, -ETIMEDOUT and -EPIPE. Returns 0; -EINVAL for NULL or an `err` that
 * is not negative. */
WEFT_API int weft_buffer_fail(struct weft_buffer *b, int err);

/* Figures of the buffer. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_buffer_stats(const struct weft_buffer *b,
                               struct weft_buffer_stats *out);

WEFT_END_DECLS

#endif
