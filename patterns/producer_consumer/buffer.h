/*
 * buffer: a bounded buffer between producers and consumers that knows when the
 * last producer is done.
 *
 *   state                  put         take
 *   open                   0           0
 *   closed, items left     -EPIPE      0
 *   closed, empty          -EPIPE      -EPIPE
 *   stopped                -ECANCELED  -ECANCELED
 *   its context ended      weft_ctx_err()
 *
 * The end: the buffer counts its producers. Each says weft_buffer_done() once,
 * and the last of them closes the buffer: consumers take what is left and then
 * get -EPIPE, all of them. So no producer has to know whether it is the last,
 * and nobody closes under another's feet. Where consumers are counted too, the
 * last that leaves stops the buffer, so that no producer waits for space that
 * nobody makes. A context that ends stops it as well. Whichever stops it first
 * is the reason that puts and takes give.
 *
 * Somebody who ends without saying so would leave the other side waiting for
 * ever. weft_buffer_produce() and weft_buffer_consume() run a function such
 * that this cannot happen: however it ends, by return, weft_task_exit() or
 * pthread_exit(), its part is over.
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

/* What a put does when the buffer is full. The last two never wait. */
enum weft_overflow {
	WEFT_OVERFLOW_WAIT,        /* waits for space */
	WEFT_OVERFLOW_DROP_NEWEST, /* drops what it was to put */
	WEFT_OVERFLOW_DROP_OLDEST, /* drops what is first in line, and puts */
};

/* Zero everywhere but in elem_size is the default. */
struct weft_buffer_opts {
	const struct weft_chan_impl *impl; /* NULL = handoff */
	size_t cap;          /* items; 0: put waits until it is taken */
	size_t elem_size;    /* bytes of an item; may be 0 */
	enum weft_wait wait; /* how puts and takes wait */

	/* DROP_OLDEST makes a receiver of every producer, so it needs an
	 * implementation that any number may receive from, and a capacity. */
	enum weft_overflow overflow;

	/* Producers from the start, each of which owes one
	 * weft_buffer_done(); 0 = 1. */
	unsigned producers;
	/* Consumers, each of which owes one weft_buffer_leave(); 0 = they are
	 * not counted. */
	unsigned consumers;

	/* When it ends, the buffer is stopped; NULL = the background. The
	 * buffer has a reference of its own. */
	struct weft_ctx *ctx;

	/* Keep the figures that weft_buffer_stats says need it. Costs some
	 * atomic additions and a look at the fill per item, on memory that
	 * all tasks share, and two looks at the clock per wait: leave it off
	 * where every nanosecond counts. */
	bool count;

	/* For what is dropped, and for what is left when the buffer is freed;
	 * NULL when there is nothing to release. Puts that drop may call it
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
	 * puts are the items that puts returned 0 for, dropped ones included:
	 * puts = takes + dropped + len. A wait is a put that found no space,
	 * or a take that found no item, and had time to wait for it.
	 */
	uint64_t puts, takes;
	uint64_t put_waits, take_waits;
	int64_t put_wait_ns, take_wait_ns; /* all together */

	/* Of the fill as each put has left it: the most, never above cap; the
	 * mean; and how many puts of each class, where there is a capacity. */
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
 * Put one item in. When it is full, wait for space until `deadline_ns`, or
 * drop as the overflow policy says.
 *
 * Returns 0; -EPIPE when it is or becomes closed; -ECANCELED when it is or
 * becomes stopped, or the error of the context whose end stopped it (-ETIMEDOUT
 * as well, when it did so by its deadline: weft_ctx_err() tells); -ETIMEDOUT;
 * -EINVAL for NULL; -ENOMEM from unbounded implementations. After an error the
 * item is still the caller's.
 *
 * DROP_OLDEST may have dropped an item when it then finds the buffer closed.
 */
WEFT_API WEFT_NODISCARD int
weft_buffer_put(struct weft_buffer *b, const void *elem, int64_t deadline_ns);

/* Put without waiting: -EAGAIN when it is full and nothing is dropped. */
WEFT_API WEFT_NODISCARD int weft_buffer_try_put(struct weft_buffer *b,
                                                const void *elem);

/* Put n items in, in order; other producers' may come between. *done receives
 * how many; after an error the rest is still the caller's. */
WEFT_API WEFT_NODISCARD int weft_buffer_put_many(struct weft_buffer *b,
                                                 const void *elems, size_t n,
                                                 size_t *done,
                                                 int64_t deadline_ns);

/*
 * Take the oldest item, waiting for one until `deadline_ns`.
 *
 * Returns 0; -EPIPE when it is closed and empty; -ECANCELED or its context's
 * error once stopped, items or not; -ETIMEDOUT; -EINVAL for NULL. A take that
 * failed has not taken an item.
 */
WEFT_API WEFT_NODISCARD int weft_buffer_take(struct weft_buffer *b, void *elem,
                                             int64_t deadline_ns);

/* Take without waiting: -EAGAIN when it is empty. */
WEFT_API WEFT_NODISCARD int weft_buffer_try_take(struct weft_buffer *b,
                                                 void *elem);

/* Take up to n items: wait for one, then take what is there. *done receives
 * how many. */
WEFT_API WEFT_NODISCARD int weft_buffer_take_many(struct weft_buffer *b,
                                                  void *elems, size_t n,
                                                  size_t *done,
                                                  int64_t deadline_ns);

/*
 * One producer more, who owes one weft_buffer_done(). To be called by, or on
 * behalf of, somebody who is not done yet: otherwise the last one may be done
 * just before.
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
 * -EINVAL for NULL, and then nobody is done or has left.
 */
WEFT_API int weft_buffer_produce(struct weft_buffer *b, weft_task_fn fn,
                                 void *arg, int *status);
WEFT_API int weft_buffer_consume(struct weft_buffer *b, weft_task_fn fn,
                                 void *arg, int *status);

/* Close now, whoever is not done: puts fail, those that wait too, and takes
 * drain what is there. Returns 0; -EPIPE when it was closed or stopped
 * already; -EINVAL for NULL. */
WEFT_API int weft_buffer_close(struct weft_buffer *b);

/* Stop: puts and takes fail, those that wait too; what is inside stays there
 * for weft_buffer_free() to drop. Any number of times. Returns 0, or -EINVAL
 * for NULL. */
WEFT_API int weft_buffer_stop(struct weft_buffer *b);

/* Figures of the buffer; zeros for NULL. */
WEFT_API void weft_buffer_stats(const struct weft_buffer *b,
                                struct weft_buffer_stats *out);

WEFT_END_DECLS

#endif
