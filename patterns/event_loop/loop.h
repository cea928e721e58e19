/*
 * loop: one task that handles what happens: events of any number of sources,
 * timers, descriptors, and functions that other tasks post.
 *
 *	source --.
 *	source --+--> weft_loop_run() --> its handler, in the task that runs
 *	timers --+
 *	descriptors
 *
 *   state               send, post          run_once            close
 *   open                0, or waits         0, or waits         0
 *   closed, events in   -EPIPE              0                   -EPIPE
 *   ended               -EPIPE              -EPIPE              -EPIPE
 *   stopped             -ECANCELED          -ECANCELED          -EPIPE
 *   failed              its error           its error           -EPIPE
 *   its context ended   weft_ctx_err()      the same            -EPIPE
 *
 * Shutting down: weft_loop_close() drains, weft_loop_stop() discards, and
 * weft_loop_stats() says how many events either was. Both release the senders
 * that wait.
 *
 * A turn of the loop is: the timers that are due; up to `batch` events; the
 * descriptors that are ready. When there was none of them the task waits for
 * one. So none of the three can starve another.
 *
 * Order: what one task sends to one source is handled in that order. Sources of
 * the same priority that have something are served in turn. Of several
 * priorities the highest that has something goes first, but one that was passed
 * over `age` times counts as one higher, and so on, so the lowest does not
 * starve either.
 *
 * Who may call what: any task or foreign thread may send, post, close, stop,
 * fail, break and ask for figures at any time. Sources, timers and descriptors
 * are made and freed, and timers are started and stopped, by the task that
 * runs the loop, which is to say inside a handler or a posted function; or by
 * any one task while none runs it. Otherwise these calls say -EBUSY.
 *
 * Handlers run in the task that runs the loop, outside of all locks. One that
 * ends by weft_task_exit() or pthread_exit() has failed with the negative
 * status that it gave, else with -ECANCELED. After weft_task_exit() the loop
 * goes on; after pthread_exit(), which takes the thread, another task may run
 * it.
 */
#ifndef WEFT_PATTERNS_LOOP_H
#define WEFT_PATTERNS_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/export.h>
#include <weft/patterns/component.h>

WEFT_BEGIN_DECLS

struct weft_loop;
struct weft_loop_source;
struct weft_loop_timer;
struct weft_loop_fd;

/* What the events come through. */
enum weft_loop_kind {
	/* A channel for each source, which can select: the loop waits in
	 * weft_select(), so it works on every clock. A task of its own waits
	 * for descriptors, once there is one. */
	WEFT_LOOP_SELECT,
	/* One channel for all sources of a priority, of any implementation for
	 * several senders: the loop waits in the kernel, for an eventfd and
	 * the descriptors together, which blocks its thread. In a run with a
	 * manual clock it can wait without a deadline only, and for no timer:
	 * -EINVAL. */
	WEFT_LOOP_QUEUE,
};

/* Priorities are 0, the lowest, to this. */
#define WEFT_LOOP_PRIO_MAX 7u

/* The most events of a turn. */
#define WEFT_LOOP_BATCH_MAX 65536u

/* For `age`: strictly the highest priority first. */
#define WEFT_LOOP_STRICT UINT64_MAX

/* Handlers. Return 0, or -errno: then opts.on_error says what becomes of the
 * loop. An event is aligned to 8 bytes, and gone after the call. */
typedef int (*weft_loop_event_fn)(void *arg, void *event);
typedef int (*weft_loop_fn)(void *arg);
/* revents  as weft_wait_fd() has them. */
typedef int (*weft_loop_fd_fn)(void *arg, int fd, short revents);

/* Zero everywhere is the default. */
struct weft_loop_opts {
	enum weft_loop_kind kind;
	const struct weft_chan_impl *impl; /* of the events; NULL = handoff */
	size_t cap;          /* of each channel; of a queue at least 1 */
	size_t elem_size;    /* bytes of an event; may be 0 */
	unsigned batch;      /* events of a turn; 0 = 16 */
	uint64_t age;        /* as said above; 0 = 64; WEFT_LOOP_STRICT */
	unsigned post_prio;  /* of posted functions */
	enum weft_wait wait; /* how senders wait, and the loop; a queue's ends
	                        up in the kernel with WEFT_WAIT_SPIN, too */

	/* Tasks that send at a time, to one source or, of a queue, to all, so
	 * many of which the implementation must allow as senders; 0: any. */
	unsigned senders;

	/* WEFT_ON_ERROR_STOP, or WEFT_ON_ERROR_SKIP: counted, and on it goes.
	 */
	enum weft_on_error on_error;

	struct weft_ctx *ctx; /* its end stops the loop; NULL = none */

	/* Releases an event that was sent and is not handled, because of a stop
	 * or because its source was freed. In the task that runs the loop or
	 * frees it; must return. NULL when there is nothing to release. */
	void (*drop)(void *elem, void *drop_arg);
	void *drop_arg;
};

/* Exact while none runs the loop. Posted functions count as events. */
struct weft_loop_stats {
	uint64_t turns;
	uint64_t waits;       /* turns that had to wait first */
	uint64_t events;      /* handled */
	uint64_t timers;      /* fired */
	uint64_t descriptors; /* found ready */
	uint64_t failed;      /* handlers of any of these */
	uint64_t drained;     /* events handled after weft_loop_close() */
	uint64_t discarded;   /* events that were sent and never handled */
	int64_t idle_ns;      /* all waits together */
};

/*
 * Make a loop, which a task then runs.
 *
 * opts  NULL for the defaults.
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL, an unknown word, a number out of range, or an implementation that
 * moves no data or is for fewer senders; -ENOMEM; for a queue
 * -EMFILE or -ENFILE: no descriptor for the eventfd; for a context with a
 * deadline also what weft_ctx_after() says. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int weft_loop_new(struct weft_loop **out,
                                          const struct weft_loop_opts *opts);

/* Free the loop with all that was made for it, and drop the events that are
 * left. NULL is ignored. No other call on it may be under way, and no handler
 * may call it. */
WEFT_API void weft_loop_free(struct weft_loop *l);

/* --- running --- */

/*
 * Run the loop until it ends, or weft_loop_break().
 *
 * Returns 0 when it was closed and all events were handled; -EINTR after
 * weft_loop_break(): it may be run again; the reason of a loop that was stopped
 * or has failed, and then the events that are left have been discarded; -EBUSY
 * when it is being run, from within a handler too; -EINVAL for NULL; errors of
 * the wait: -ENOMEM, and -EINVAL as said at WEFT_LOOP_QUEUE.
 */
WEFT_API WEFT_NODISCARD int weft_loop_run(struct weft_loop *l);

/*
 * One turn in which something happened: a handler was called. Waits for that
 * until `deadline_ns`; WEFT_NOW asks what there is and does not wait.
 *
 * Returns as weft_loop_run(), but 0 after such a turn; -ETIMEDOUT, never when
 * there was something; -EPIPE when it has come to its end in order.
 */
WEFT_API WEFT_NODISCARD int weft_loop_run_once(struct weft_loop *l,
                                               int64_t deadline_ns);

/* Have the call that runs the loop return -EINTR after this turn; when there is
 * none, or a weft_loop_run_once() that has had its turn, the next one at once.
 * Nothing is lost by it. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_loop_break(struct weft_loop *l);

/* weft_now() at the beginning of the turn, or after its wait. 0 for NULL. For
 * handlers. */
WEFT_API int64_t weft_loop_now(const struct weft_loop *l);

/* Nothing more comes in: senders get -EPIPE, and the loop ends when it has
 * handled what is inside. Until then timers fire and descriptors are served;
 * it does not wait for them. Does not wait. Returns 0; -EPIPE when it was
 * closed, stopped or had failed before; -EINVAL for NULL. */
WEFT_API int weft_loop_close(struct weft_loop *l);

/* Stop at once: after the handler that is being called no other is. What is
 * inside is discarded by the task that runs the loop, or next tries to, or
 * frees it. Does not wait; any number of times. Returns 0, or -EINVAL for NULL.
 */
WEFT_API int weft_loop_stop(struct weft_loop *l);

/* The same with an error of the caller's: the first reason stays. Returns 0;
 * -EINVAL for NULL, or an err that is not negative. -EAGAIN, -ETIMEDOUT and
 * -EPIPE become -EIO. */
WEFT_API int weft_loop_fail(struct weft_loop *l, int err);

/* Figures. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_loop_stats(const struct weft_loop *l,
                             struct weft_loop_stats *out);

/*
 * Have the loop call fn(arg), as an event of priority opts.post_prio. There is
 * room for opts.cap of them, at least one. What is discarded is not told: arg
 * is the caller's. Returns as weft_loop_send(), and -EINVAL without fn.
 */
WEFT_API WEFT_NODISCARD int weft_loop_post(struct weft_loop *l, weft_loop_fn fn,
                                           void *arg, int64_t deadline_ns);

/* --- sources --- */

/*
 * Make a source of events, with its handler.
 *
 * prio  0 to WEFT_LOOP_PRIO_MAX.
 *
 * Returns 0, also when the loop was closed, stopped or has failed, and then so
 * is the source; -EINVAL for NULL, no fn, prio out of range, or what
 * weft_chan_new() refuses (elements of a queue are up to 15 bytes longer than
 * an event); -EOPNOTSUPP for channels that cannot select where they have to;
 * -EBUSY as said at the top; -ENOSPC when there are as many as one select can
 * have; -ENOMEM.
 */
WEFT_API WEFT_NODISCARD int
weft_loop_source_new(struct weft_loop_source **out, struct weft_loop *l,
                     unsigned prio, weft_loop_event_fn fn, void *arg);

/* Discard what the source holds, and free it: its handler is not called again.
 * Nobody may be sending to it. NULL is ignored. From within its own handler,
 * too. What is not freed goes with the loop. */
WEFT_API void weft_loop_source_free(struct weft_loop_source *s);

/*
 * Send one event, waiting for room until `deadline_ns`.
 *
 * Returns 0; -EPIPE when the loop was closed; the reason of a loop that was
 * stopped or has failed; -ETIMEDOUT; -EDEADLK from the task that
 * runs the loop when there is no room, for that would wait for itself; -EINVAL
 * for NULL; -ENOMEM from unbounded channels. After an error the event is still
 * the caller's.
 */
WEFT_API WEFT_NODISCARD int weft_loop_send(struct weft_loop_source *s,
                                           const void *event,
                                           int64_t deadline_ns);

/* Send without waiting: as weft_loop_send(), with -EAGAIN for no room. */
WEFT_API WEFT_NODISCARD int weft_loop_try_send(struct weft_loop_source *s,
                                               const void *event);

/* --- timers --- */

/* Make a timer that is not started. Returns 0; -EINVAL for NULL; -EBUSY;
 * -ENOMEM. */
WEFT_API WEFT_NODISCARD int weft_loop_timer_new(struct weft_loop_timer **out,
                                                struct weft_loop *l,
                                                weft_loop_fn fn, void *arg);

/* Stop the timer and free it; as weft_loop_source_free(). */
WEFT_API void weft_loop_timer_free(struct weft_loop_timer *t);

/*
 * Start the timer, whatever it was started for before: fn is called in the
 * first turn that begins at `deadline_ns` or later, never in the current one,
 * and then, with period_ns > 0, every `period_ns`: once for all that were
 * missed. Those due at the same time are called in the order of their starts.
 * A deadline of WEFT_FOREVER never comes.
 *
 * Returns 0; -EINVAL for NULL or a negative period; -EBUSY.
 */
WEFT_API WEFT_NODISCARD int weft_loop_timer_start(struct weft_loop_timer *t,
                                                  int64_t deadline_ns,
                                                  int64_t period_ns);

/* Stop the timer: fn is not called again, also when it was due already.
 * Returns 0; -EINVAL for NULL; -EBUSY. */
WEFT_API int weft_loop_timer_stop(struct weft_loop_timer *t);

/* --- descriptors --- */

/*
 * Call fn in each turn in which `fd` has one of `events`, or an error or
 * hang-up, as weft_wait_fd() has them: as long as it has, so fn is to read or
 * write, or to free this. fd stays the caller's, and open until then.
 *
 * Returns 0; -EINVAL for NULL, or outside of a run where that takes a task;
 * -EBUSY; -EBADF; -EPERM for what cannot be waited for, as a plain file;
 * -EEXIST for a descriptor that was added; -ENOSPC, -EMFILE or -ENFILE: no more
 * of what it takes; -ENOMEM; -EAGAIN when there is no thread to be had.
 */
WEFT_API WEFT_NODISCARD int weft_loop_fd_new(struct weft_loop_fd **out,
                                             struct weft_loop *l, int fd,
                                             short events, weft_loop_fd_fn fn,
                                             void *arg);

/* Stop looking at the descriptor; as weft_loop_source_free(). */
WEFT_API void weft_loop_fd_free(struct weft_loop_fd *f);

WEFT_END_DECLS

#endif
