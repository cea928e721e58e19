/*
 * ctx: what tells a tree of tasks to stop, when at the latest, and why.
 *
 * A context is open until it ends: by weft_ctx_cancel(), by its deadline, or
 * because its parent ended. An end is final, reaches every descendant before
 * the call that caused it returns, and never travels upwards. Once ended,
 *
 *	                 err          cause
 *	cancelled        -ECANCELED   what was given to cancel; -ECANCELED for 0
 *	past deadline    -ETIMEDOUT   that of the deadline; -ETIMEDOUT
 *	parent ended     as there     as there
 *
 * Of a deadline and a cancel from above the earlier wins, whether anybody
 * looked in between or not.
 *
 * A task that waits with a context parks until the earlier of both deadlines;
 * a deadline alone costs neither a timer nor a task.
 *
 * Every function takes NULL for the background, the context that never ends.
 * Any task or foreign thread may call anything below at any time as long as it
 * holds a reference. A deadline is on the clock of the task that looks whether
 * it has come, so a context that has one belongs to the tasks of one run.
 *
 * Ordering: what was written before weft_ctx_cancel() is visible to a task
 * that sees the context ended by it.
 */
#ifndef WEFT_CTX_H
#define WEFT_CTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/export.h>
#include <weft/sync.h>
#include <weft/time.h>

WEFT_BEGIN_DECLS

struct weft_ctx;

/* The root of all: never ends, has no deadline and no values. Not counted. */
WEFT_API struct weft_ctx *weft_ctx_background(void);

/*
 * Make a child of `parent` with one reference, the caller's. It holds one on
 * its parent. A child of an ended parent is born ended.
 *
 * with_deadline  ends at the earlier of `deadline_ns` and the parent's.
 * with_timeout   the same, `ns` from now.
 * ..._cause      what weft_ctx_cause() then says, if that deadline is earlier
 *                than the parent's: a negative error code; 0: -ETIMEDOUT.
 * with_value     carries `value` under `key`, which is compared by address.
 * without_cancel is cut off from the parent's end and deadline; only its
 *                values are seen through it.
 *
 * Returns 0; -EINVAL when out (or key) is NULL or cause is positive; -ENOMEM.
 * On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int weft_ctx_with_cancel(struct weft_ctx **out,
                                                 struct weft_ctx *parent);
WEFT_API WEFT_NODISCARD int weft_ctx_with_deadline(struct weft_ctx **out,
                                                   struct weft_ctx *parent,
                                                   int64_t deadline_ns);
WEFT_API WEFT_NODISCARD int weft_ctx_with_timeout(struct weft_ctx **out,
                                                  struct weft_ctx *parent,
                                                  int64_t ns);
WEFT_API WEFT_NODISCARD int
weft_ctx_with_deadline_cause(struct weft_ctx **out, struct weft_ctx *parent,
                             int64_t deadline_ns, int cause);
WEFT_API WEFT_NODISCARD int weft_ctx_with_timeout_cause(struct weft_ctx **out,
                                                        struct weft_ctx *parent,
                                                        int64_t ns, int cause);
WEFT_API WEFT_NODISCARD int weft_ctx_with_value(struct weft_ctx **out,
                                                struct weft_ctx *parent,
                                                const void *key, void *value);
WEFT_API WEFT_NODISCARD int weft_ctx_without_cancel(struct weft_ctx **out,
                                                    struct weft_ctx *parent);

/* One more reference. Returns ctx; NULL stays NULL. */
WEFT_API struct weft_ctx *weft_ctx_ref(struct weft_ctx *ctx);

/*
 * Give a reference back. The last one unlinks the context from its parent and
 * frees it, without ending it: cancel first if tasks may still look at it.
 * Nobody may be waiting on it then, and no function of weft_ctx_after() may be
 * pending.
 */
WEFT_API void weft_ctx_unref(struct weft_ctx *ctx);

/*
 * End a context and all its descendants, wake the tasks that wait on them, and
 * run the functions given to weft_ctx_after(). The first end wins; ending a
 * context again does nothing.
 *
 * cause  0, or a negative error code.
 *
 * Returns 0; -EINVAL for the background or a positive cause.
 */
WEFT_API int weft_ctx_cancel(struct weft_ctx *ctx, int cause);

/* 0 while the context is open; -ECANCELED or -ETIMEDOUT for good. */
WEFT_API int weft_ctx_err(struct weft_ctx *ctx);

/* 0 while the context is open; why it ended. */
WEFT_API int weft_ctx_cause(struct weft_ctx *ctx);

/* When the context ends by itself; WEFT_FOREVER. */
WEFT_API int64_t weft_ctx_deadline(const struct weft_ctx *ctx);

/* The value under `key` in ctx or its nearest ancestor that has one; NULL. */
WEFT_API void *weft_ctx_value(const struct weft_ctx *ctx, const void *key);

/*
 * A channel of elements of 0 bytes that nobody can send on and that is closed
 * when the context ends: for weft_select(). The context's reference; closing it
 * is weft_ctx_cancel(). NULL, which in a select is never ready, for the
 * background.
 */
WEFT_API struct weft_chan *weft_ctx_done(struct weft_ctx *ctx);

/* A function that is to be called when a context ends, in the caller's memory.
 */
struct weft_ctx_func {
	WEFT_ALIGNED(WEFT_CACHE_LINE) unsigned char opaque[4 * WEFT_CACHE_LINE];
};

/*
 * Call fn(arg) once when the context has ended: at once, if it has. It runs on
 * the task that ends the context (or on the run's timer task, when a deadline
 * does), outside of all locks; it must not wait, and must return.
 *
 * A context with a deadline needs the run's timer task for this, and the stop
 * below is then due before the run ends.
 *
 * Returns 0; -EINVAL for NULL f or fn, or with a deadline outside of a run;
 * -ENOMEM or -EAGAIN when there is no timer task to be had. After an error fn
 * will not be called, and there is nothing to stop.
 */
WEFT_API WEFT_NODISCARD int weft_ctx_after(struct weft_ctx *ctx,
                                           struct weft_ctx_func *f,
                                           void (*fn)(void *arg), void *arg);

/*
 * Take the function back. When this returns, fn is not running and will not,
 * and *f may be freed: a call that is under way is waited for, unless it is
 * fn itself that asks. Due once for every weft_ctx_after() that returned 0,
 * before the last reference to the context goes.
 *
 * Returns true when fn has not been and will not be called.
 */
WEFT_API bool weft_ctx_after_stop(struct weft_ctx_func *f);

/*
 * The calls of weft/chan.h, task.h and sync.h, with a context: they return
 * weft_ctx_err() when it has ended or ends while they wait, and then nothing
 * was sent, received or acquired. An ended context wins over an element that is
 * there; when both come while the call waits, either may win.
 *
 * -EINVAL, for what they refuse, comes before everything else.
 *
 * send, recv: -EOPNOTSUPP when the channel cannot stand in a select, whatever
 * there is and whether the context has ended; with the background they are the
 * plain calls, and any channel does.
 */
WEFT_API WEFT_NODISCARD int weft_chan_send_ctx(struct weft_chan *c,
                                               const void *elem,
                                               struct weft_ctx *ctx,
                                               int64_t deadline_ns);
WEFT_API WEFT_NODISCARD int weft_chan_recv_ctx(struct weft_chan *c, void *elem,
                                               struct weft_ctx *ctx,
                                               int64_t deadline_ns);

/* Returns 0 once the deadline has come; weft_ctx_err() if that is earlier. */
WEFT_API WEFT_NODISCARD int weft_sleep_ctx(struct weft_ctx *ctx,
                                           int64_t deadline_ns);

WEFT_API WEFT_NODISCARD int weft_lock_acquire_ctx(struct weft_lock *l,
                                                  struct weft_ctx *ctx,
                                                  int64_t deadline_ns);
WEFT_API WEFT_NODISCARD int weft_waitgroup_wait_ctx(struct weft_waitgroup *wg,
                                                    struct weft_ctx *ctx,
                                                    int64_t deadline_ns);

/* Once fn has been begun, the end of ctx does not end it. */
WEFT_API WEFT_NODISCARD int weft_once_do_ctx(struct weft_once *o,
                                             weft_task_fn fn, void *arg,
                                             int *status, struct weft_ctx *ctx,
                                             int64_t deadline_ns);

WEFT_END_DECLS

#endif
