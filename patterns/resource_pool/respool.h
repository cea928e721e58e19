/*
 * respool: a number of resources that are costly to make, and are used again.
 *
 *	acquire  ->  an idle one, or a new one, or, when there are as many as
 *	             there may be, the next that is given back
 *	release  ->  to the task that has waited longest; or idle
 *
 *   state                  acquire            release   join
 *   open                   0, or waits        0         waits
 *   closed, some are held  -EPIPE             0         waits
 *   ended: all are back    -EPIPE             -         0
 *   stopped                -ECANCELED         0         waits; -ECANCELED
 *   failed                 its error          0         waits; its error
 *   its context ended      weft_ctx_err()     0         waits; the same
 *
 * Order: first come, first served. Nobody overtakes a task that waits: what is
 * released goes to it, and so does the place of what is destroyed. Of the idle
 * ones the last that was released goes first, so those that are not needed grow
 * old.
 *
 * Callbacks run outside of locks, on the task whose call needs them: an acquire
 * makes a resource itself, and may take as long beyond its deadline. When its
 * context ends meanwhile, the new resource is for the next. One that fails, or
 * ends its task by weft_task_exit() or pthread_exit(), costs no place.
 *
 * Progress: an acquire and a release of an idle resource take a short lock
 * each; they make no system call and need no memory, but for what callbacks do.
 *
 * Any task or foreign thread may call anything below at any time on a live
 * pool. What was written before a release is visible to the next holder.
 */
#ifndef WEFT_PATTERNS_RESPOOL_H
#define WEFT_PATTERNS_RESPOOL_H

#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/export.h>

WEFT_BEGIN_DECLS

struct weft_ctx;
struct weft_respool;

#define WEFT_RESPOOL_MAX 65536
#define WEFT_RESPOOL_NAME_BYTES 32

/*
 * A resource that is held: what acquire fills in and release takes. It may be
 * copied, and be given back by any task, once. The first two are for its
 * holder.
 */
struct weft_resource {
	void *res;   /* what create() has made */
	uint64_t id; /* from 1, in the order in which they were made */

	const struct weft_respool *pool;
	uint64_t hold;
	unsigned place;
};

/* One that is held now. */
struct weft_respool_holder {
	uint64_t id;
	void *res;
	int64_t held_ns; /* so far */
	/* The name of the task that acquired it, or what
	 * weft_respool_label() said. */
	char who[WEFT_RESPOOL_NAME_BYTES];
};

/* Zero everywhere but in max, create and destroy is the default. Durations are
 * in nanoseconds on the clock of the run; 0 of one is none. */
struct weft_respool_opts {
	unsigned max;      /* that exist; 1 to WEFT_RESPOOL_MAX */
	unsigned min;      /* that idle_ns leaves, up to max */
	unsigned idle_max; /* idle ones; more are destroyed when they are
	                    * released. 0 = max; otherwise min to max */

	int64_t idle_ns;   /* idle for so long, one is destroyed */
	int64_t life_ns;   /* made so long ago, one is destroyed once idle */
	int64_t jitter_ns; /* and up to this earlier, at random; <= life_ns */
	int64_t check_ns;  /* validate only what was idle for so long */
	int64_t leak_ns;   /* held for so long, one is told to on_leak() */

	/*
	 * Make a resource. 0 or more, and then *res is what holders get; or
	 * -errno, which is what the acquire returns, but for -EAGAIN,
	 * -ETIMEDOUT and -EPIPE, which become -EIO.
	 */
	int (*create)(void **res, void *arg);

	/* Release a resource: once for each that was made and not hijacked. */
	void (*destroy)(void *res, void *arg);

	/* Whether an idle one may be used again: 0 or more; below 0, it is
	 * destroyed, and a new one made in its place. NULL: it may. */
	int (*validate)(void *res, void *arg);

	/* Put one in order that is released: 0 or more; below 0, it is
	 * destroyed. NULL: there is nothing to do. */
	int (*reset)(void *res, void *arg);

	/* One is held for leak_ns, or still when the pool is freed. NULL:
	 * nobody wants to know. */
	void (*on_leak)(const struct weft_respool_holder *holder, void *arg);

	void *arg; /* of all of them */

	enum weft_wait wait;  /* how its callers wait */
	struct weft_ctx *ctx; /* its end stops the pool; NULL. Referenced. */
};

/*
 * At any instant
 *	created == idle + held + destroying + destroyed + hijacked
 *	creating + idle + held + destroying <= max
 *	acquired == reused + fresh + handed
 * One that is validated or reset is held.
 */
struct weft_respool_stats {
	unsigned max, creating, idle, held, destroying;
	uint64_t waiting; /* acquires that wait now */

	uint64_t created, destroyed, hijacked;
	uint64_t failed;  /* creates */
	uint64_t invalid; /* refused by validate() or reset() */
	uint64_t expired; /* too old, or idle for too long */

	uint64_t acquired;
	uint64_t reused; /* an idle one, at once */
	uint64_t fresh;  /* made for the acquire */
	uint64_t handed; /* by another holder, after a wait */

	uint64_t waited, gave_up; /* waits that led to something, or did not */
	int64_t wait_ns;          /* all of them together */
	int64_t longest_ns;       /* the longest of them */
};

/*
 * Make a pool, empty: see weft_respool_warm(). With idle_ns, life_ns or leak_ns
 * it starts a task in the run of the caller, the reaper, which is awake only
 * when something is due.
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL, without create or destroy, or for numbers out of range, min above
 * max among them; -ENOMEM; -EAGAIN. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int
weft_respool_new(struct weft_respool **out,
                 const struct weft_respool_opts *opts);

/* Stop it unless it has ended, and free it. What is still held is told to
 * on_leak() and destroyed. NULL is ignored. No other call may be under way. */
WEFT_API void weft_respool_free(struct weft_respool *p);

/*
 * Acquire a resource, waiting for one until `deadline_ns`.
 *
 * Returns 0; the reason of a pool that was stopped or failed; -EPIPE when it is
 * closed; -ETIMEDOUT, never when one was idle or could be made; what create()
 * returned; -EINVAL for NULL. After an error nothing was acquired.
 */
WEFT_API WEFT_NODISCARD int weft_respool_acquire(struct weft_respool *p,
                                                 struct weft_resource *out,
                                                 int64_t deadline_ns);

/* The same, ended by a context of the caller's: weft_ctx_err() when it has
 * ended, resource or not, or ends meanwhile. */
WEFT_API WEFT_NODISCARD int weft_respool_acquire_ctx(struct weft_respool *p,
                                                     struct weft_resource *out,
                                                     struct weft_ctx *ctx,
                                                     int64_t deadline_ns);

/* Acquire one that is idle. Makes none, but in place of an idle one that is
 * too old or not valid. As weft_respool_acquire(), with -EAGAIN instead of
 * -ETIMEDOUT. */
WEFT_API WEFT_NODISCARD int weft_respool_try_acquire(struct weft_respool *p,
                                                     struct weft_resource *out);

/* Acquire all that are idle, up to n, for a check of one's own; none is
 * validated, nor refused for its age. Returns how many: 0 also of a pool that
 * has ended, or NULL. */
WEFT_API WEFT_NODISCARD size_t weft_respool_acquire_idle(
        struct weft_respool *p, struct weft_resource *out, size_t n);

/*
 * The three ways to end a hold: give the resource back; have it destroyed,
 * because it is broken; take it out of the pool for good: it is the caller's
 * then. The place of the latter two is free for another; of one that is
 * destroyed once destroy() has returned.
 *
 * Return 0, also when the pool has ended (what is released is then destroyed)
 * and when the resource was destroyed because it could not be reset; -EALREADY
 * when this hold has ended before; -EINVAL for NULL, and for what this pool has
 * not given out.
 */
WEFT_API int weft_respool_release(struct weft_respool *p,
                                  const struct weft_resource *r);
WEFT_API int weft_respool_destroy(struct weft_respool *p,
                                  const struct weft_resource *r);
WEFT_API int weft_respool_hijack(struct weft_respool *p,
                                 const struct weft_resource *r);

/* Say who holds it, instead of the name of the task: copied, as far as it fits.
 * As those above. */
WEFT_API int weft_respool_label(struct weft_respool *p,
                                const struct weft_resource *r, const char *who);

/* Make resources ahead until there are n, counting those that are held, or as
 * many are idle as may be; 0 = opts.min. Returns 0; what create() returned; the
 * reason, or -EPIPE; -EINVAL for NULL or more than opts.max. */
WEFT_API WEFT_NODISCARD int weft_respool_warm(struct weft_respool *p,
                                              unsigned n);

/* Destroy what is idle now, and what is held when it is released: after a
 * change of what they are connected to. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_respool_renew(struct weft_respool *p);

/* What is held, the longest first: out receives up to n of them. Returns how
 * many are held; 0 for NULL. */
WEFT_API size_t weft_respool_holders(struct weft_respool *p,
                                     struct weft_respool_holder *out, size_t n);

/* Give nothing more out, and destroy what is idle. 0; -EPIPE: it was closed,
 * stopped or had failed before; -EINVAL for NULL. */
WEFT_API int weft_respool_close(struct weft_respool *p);

/* The same with a reason. Any number of times. 0; -EINVAL for NULL. The end of
 * the pool's context calls no callbacks: then what is idle is destroyed by the
 * next close, stop, join or free. */
WEFT_API int weft_respool_stop(struct weft_respool *p);

/* The same with an error of the caller's: the first reason stays. 0; -EINVAL
 * for NULL, or an err that is not negative. */
WEFT_API int weft_respool_fail(struct weft_respool *p, int err);

/* Wait until the pool has ended and all that was held is back and destroyed.
 * 0 after a close; the reason; -ETIMEDOUT; -EINVAL for NULL. */
WEFT_API WEFT_NODISCARD int weft_respool_join(struct weft_respool *p,
                                              int64_t deadline_ns);

/* Figures. 0, or -EINVAL for NULL. */
WEFT_API int weft_respool_stats(struct weft_respool *p,
                                struct weft_respool_stats *out);

WEFT_END_DECLS

#endif
