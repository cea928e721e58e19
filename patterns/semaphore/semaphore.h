/*
 * semaphore: a number of permits, of which each task takes as many as it needs.
 *
 *	acquire n  ->  n permits fewer, once they are there
 *	release n  ->  n permits more, for those that wait, in their order
 *
 *   state               acquire             release
 *   open                0, or waits         0
 *   stopped             -ECANCELED          0
 *   failed              its error           0
 *   its context ended   weft_ctx_err()      0
 *
 * Order: first come, first served, however much each asks for. A large request
 * that waits holds up the small ones behind it, so it is not starved by them;
 * weft_semaphore_try_acquire() does not overtake it either. A request for more
 * permits than there are in all stands aside: it holds up nobody, and comes
 * into question once weft_semaphore_resize() has made enough.
 *
 * Progress: acquire and release are one compare-and-swap each while nobody
 * waits, without a system call and without memory. Otherwise they take a lock
 * for as long as it takes to look at the line.
 *
 * Permits belong to nobody: any task may release what another has acquired,
 * which is what tells a semaphore of one permit from a lock. What was written
 * before a release is visible to the task that acquires the permit.
 *
 * Any task or foreign thread may call anything below at any time on a live
 * semaphore. After golang.org/x/sync/semaphore, with one thing more: the number
 * of permits may change.
 */
#ifndef WEFT_PATTERNS_SEMAPHORE_H
#define WEFT_PATTERNS_SEMAPHORE_H

#include <stdint.h>

#include <weft/ctx.h>
#include <weft/export.h>

WEFT_BEGIN_DECLS

struct weft_semaphore;

/* The most permits. */
#define WEFT_PERMITS_MAX ((INT64_C(1) << 30) - 1)

struct weft_semaphore_opts {
	int64_t permits; /* 0 to WEFT_PERMITS_MAX */

	/* Its end stops the semaphore; NULL for none. Referenced. */
	struct weft_ctx *ctx;
};

/* Exact at rest. What would cost acquires that need not wait is not counted. */
struct weft_semaphore_stats {
	int64_t permits, held; /* held may be more than permits: see resize */
	uint64_t waiting;      /* acquires that wait now */
	uint64_t waited;       /* acquires that had to wait and got theirs */
	uint64_t gave_up;      /* those that did not get theirs */
	int64_t wait_ns;       /* all waits together, given up or not */
	int64_t longest_ns;    /* the longest of them */
};

/*
 * Make a semaphore with all of its permits there.
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL or a number of permits out of range; -ENOMEM; for a context with a
 * deadline also what weft_ctx_after() says. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int
weft_semaphore_new(struct weft_semaphore **out,
                   const struct weft_semaphore_opts *opts);

/* Free the semaphore, whether or not permits are held. NULL is ignored. No
 * other call may be under way. */
WEFT_API void weft_semaphore_free(struct weft_semaphore *s);

/*
 * Acquire n permits together, waiting for them until `deadline_ns`.
 *
 * n  0 waits for its turn and takes nothing.
 *
 * Returns 0; the reason of a semaphore that was stopped or failed; -ETIMEDOUT,
 * never when the permits were there and nobody waited; -EINVAL for NULL or n
 * out of 0..WEFT_PERMITS_MAX. After an error nothing was acquired, and those
 * that wait behind go on.
 */
WEFT_API WEFT_NODISCARD int weft_semaphore_acquire(struct weft_semaphore *s,
                                                   int64_t n,
                                                   int64_t deadline_ns);

/* The same, ended by a context of the caller's: weft_ctx_err() when it has
 * ended, permits or not, or ends meanwhile. */
WEFT_API WEFT_NODISCARD int weft_semaphore_acquire_ctx(struct weft_semaphore *s,
                                                       int64_t n,
                                                       struct weft_ctx *ctx,
                                                       int64_t deadline_ns);

/* Acquire n permits if they are there and nobody waits. Returns as
 * weft_semaphore_acquire(), with -EAGAIN instead of -ETIMEDOUT. */
WEFT_API WEFT_NODISCARD int weft_semaphore_try_acquire(struct weft_semaphore *s,
                                                       int64_t n);

/* Give n permits back. Does not wait for anybody's turn. Returns 0; -EOVERFLOW
 * when fewer are held, and then nothing has changed; -EINVAL for NULL or a
 * negative n. Works on a semaphore that was stopped, too. */
WEFT_API int weft_semaphore_release(struct weft_semaphore *s, int64_t n);

/*
 * Change the number of permits, whatever is held or waited for. More than
 * before lets waiters in. With fewer than are held nobody is let in until
 * enough have been released.
 *
 * Returns 0; -EINVAL for NULL or a number out of range.
 */
WEFT_API int weft_semaphore_resize(struct weft_semaphore *s, int64_t permits);

/* Stop: those that wait get -ECANCELED, and so do those that come later.
 * Permits that are held may still be released. Any number of times. Returns 0,
 * or -EINVAL for NULL. */
WEFT_API int weft_semaphore_stop(struct weft_semaphore *s);

/* The same with an error of the caller's: the first reason stays. Returns 0;
 * -EINVAL for NULL, or an err that is not negative. -EAGAIN, -ETIMEDOUT and
 * -EPIPE become -EIO. */
WEFT_API int weft_semaphore_fail(struct weft_semaphore *s, int err);

/* Figures. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_semaphore_stats(struct weft_semaphore *s,
                                  struct weft_semaphore_stats *out);

WEFT_END_DECLS

#endif
