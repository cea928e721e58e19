/*
 * sync: waiting for others without a channel.
 *
 * These live in the caller's memory and need no destruction. They may be freed
 * once no call on them is under way; for a waitgroup, as soon as every wait on
 * it has returned.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/export.h>
#include <weft/task.h>
#include <weft/time.h>

WEFT_BEGIN_DECLS

/*
 * lock: mutual exclusion that parks the task, not the thread.
 *
 * Not recursive. Not fair: a running task may overtake a woken one. What was
 * written under the lock is visible to the next holder.
 */
struct weft_lock {
	WEFT_ALIGNED(WEFT_CACHE_LINE) unsigned char opaque[3 * WEFT_CACHE_LINE];
};

/* Make `l` an open lock. */
WEFT_API void weft_lock_init(struct weft_lock *l);

/* Take the lock. Returns 0; -EINVAL for NULL; -ETIMEDOUT, never when the lock
 * was free. */
WEFT_API WEFT_NODISCARD int weft_lock_acquire_until(struct weft_lock *l,
                                                    int64_t deadline_ns);

/* Take the lock, however long it takes. `l` must not be NULL. */
WEFT_API void weft_lock_acquire(struct weft_lock *l);

/* Take the lock if it is free. Returns 0, -EAGAIN, or -EINVAL for NULL. */
WEFT_API WEFT_NODISCARD int weft_lock_try(struct weft_lock *l);

/* Release the lock. Aborts when it is not held. Any task may release it. */
WEFT_API void weft_lock_release(struct weft_lock *l);

/*
 * waitgroup: wait until a count is down to zero.
 *
 * Add before the work is handed out, not from within it. It may be used again
 * after it reached zero.
 */
struct weft_waitgroup {
	WEFT_ALIGNED(WEFT_CACHE_LINE) unsigned char opaque[3 * WEFT_CACHE_LINE];
};

/* Make `wg` a waitgroup with count 0. */
WEFT_API void weft_waitgroup_init(struct weft_waitgroup *wg);

/*
 * Add `n`, which may be negative, to the count; at zero all waiting tasks are
 * woken. Returns 0; -EINVAL for NULL, or when the count would leave
 * 0..INT64_MAX, and then nothing is changed.
 */
WEFT_API int weft_waitgroup_add(struct weft_waitgroup *wg, int64_t n);

/* weft_waitgroup_add(wg, -1). */
WEFT_API int weft_waitgroup_done(struct weft_waitgroup *wg);

/*
 * Wait until the count is zero. Returns 0; -EINVAL for NULL; -ETIMEDOUT, never
 * when the count was zero. What was written before the adds that led to zero
 * is visible after 0.
 */
WEFT_API WEFT_NODISCARD int weft_waitgroup_wait(struct weft_waitgroup *wg,
                                                int64_t deadline_ns);

/*
 * once: a function that the first caller of weft_once_do() runs, and the
 * others wait for. After Go's sync.Once.
 *
 * One that is all zero, as every static one is, is ready for use.
 */
struct weft_once {
	WEFT_ALIGNED(WEFT_CACHE_LINE) unsigned char opaque[2 * WEFT_CACHE_LINE];
};

/* Make `o` a once whose function has not been called. */
WEFT_API void weft_once_init(struct weft_once *o);

/*
 * Call fn(arg), unless a call on `o` has done so, and wait until that has
 * ended. It is the only one, whatever its outcome, whichever function it is: a
 * once that failed has failed for good, and hands that out.
 *
 * status  receives what fn returned or gave weft_task_exit(), which ends the
 * call and not the task; -ECANCELED after pthread_exit(), which ends both. May
 *         be NULL.
 *
 * Returns 0, and then what fn wrote is visible; -ETIMEDOUT when another task's
 * call goes on past `deadline_ns`, to which a call of one's own does not keep;
 * -EDEADLK from within fn; -EINVAL for NULL. After an error *status is
 * untouched.
 */
WEFT_API WEFT_NODISCARD int weft_once_do(struct weft_once *o, weft_task_fn fn,
                                         void *arg, int *status,
                                         int64_t deadline_ns);

/*
 * waiters: wait for anything that others can change, in the manner of an event
 * count: what semaphores, windows and pools are made of.
 *
 *	waits:    weft_waiters_wait(w, "room in the pool", take_room, pool, ...)
 *	changes:  publish the change;  weft_waiters_wake(w, 1);
 *
 * The condition is the caller's: a function that looks, and takes if it can.
 * It is asked before the wait, after every wake-up, and once more when the
 * deadline has come, so what is there wins over the deadline. What it reads
 * must be atomic, or guarded by a lock that it takes itself. A change that was
 * published before a wake is seen by every look that follows it; no wake-up is
 * lost between a look and the park behind it.
 *
 * Order: a wake goes to the longest waiting, but a task that comes just then
 * may take first what it was woken for; then it keeps its place and waits on.
 * For strict order let the condition look at tickets of its own. A wake that
 * its waiter did not need, because its deadline or its context came first or
 * because there is more to be had, goes on to the next one.
 */
struct weft_waiters {
	WEFT_ALIGNED(WEFT_CACHE_LINE) unsigned char opaque[3 * WEFT_CACHE_LINE];
};

struct weft_ctx;

/* Make `w` empty. */
WEFT_API void weft_waiters_init(struct weft_waiters *w);

/* How waits at `w` go about it; WEFT_WAIT_ADAPTIVE at first. To be called
 * before `w` is shared. Returns 0; -EINVAL for NULL or an unknown `wait`. */
WEFT_API int weft_waiters_set_wait(struct weft_waiters *w, enum weft_wait wait);

/*
 * How much work of a peer a wait at `w` may be for: the capacity, where it
 * waits for room or for an element of a buffer; 0, at first, where one change
 * ends it. A wait for much lets others run instead of polling. To be called
 * before `w` is shared. Returns 0; -EINVAL for NULL.
 */
WEFT_API int weft_waiters_set_depth(struct weft_waiters *w, size_t depth);

/*
 * Wait until look(arg) says other than -EAGAIN.
 *
 * what    what is waited for, in the list of tasks: a literal.
 * look    called on this task, several times, and outside of any lock of the
 *         library. It may take locks, and should wait for nothing else.
 * ctx     whose end ends the wait; NULL for none. One that has ended wins over
 *         what is there.
 *
 * Returns what look() said; weft_ctx_err(); -ETIMEDOUT; -EINVAL when w or look
 * is NULL. With WEFT_NOW it looks once.
 */
WEFT_API WEFT_NODISCARD int weft_waiters_wait(struct weft_waiters *w,
                                              const char *what,
                                              int (*look)(void *arg), void *arg,
                                              struct weft_ctx *ctx,
                                              int64_t deadline_ns);

/* Let up to `n` waiters look again; SIZE_MAX for all. Call it after the change
 * was published. Makes no system call, and writes nothing, when nobody waits;
 * NULL is ignored. */
WEFT_API void weft_waiters_wake(struct weft_waiters *w, size_t n);

WEFT_END_DECLS

#endif
