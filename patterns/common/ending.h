/*
 * ending: why a component has ended. docs/components.md is the contract that
 * it keeps.
 *
 *	weft_ending_init()     first, so that the rest of making it may fail
 *	weft_ending_watch()    the last step of making it: from then on, even
 *	                       before the call returns, the context may end it
 *	weft_ending_unwatch()  the first step of freeing it: then the context
 *	                       ends it no more
 *
 * The reason is set once, before anything is closed: a caller that finds a
 * channel of the component closed finds the reason here. So a channel's -EPIPE
 * means an end in order exactly when there is no reason: weft_ending_of().
 */
#ifndef WEFT_PATTERNS_COMMON_ENDING_H
#define WEFT_PATTERNS_COMMON_ENDING_H

#include <errno.h>
#include <stdbool.h>

#include <weft/atomic.h>
#include <weft/ctx.h>

struct weft_ending_ops {
	/* Whether everything has gone through and come out, so that a stop
	 * changes nothing any more. NULL: never. */
	bool (*too_late)(void *component);

	/* Close what is waited on inside, and wake what waits otherwise. May be
	 * called several times and by several tasks at once; must not wait. */
	void (*release)(void *component);
};

/* In the component's memory. */
struct weft_ending {
	_Atomic int why; /* 0 while it is open */
	const struct weft_ending_ops *ops;
	void *component;
	struct weft_ctx *ctx; /* a reference; NULL: none is watched */
	struct weft_ctx_func func;
};

void weft_ending_init(struct weft_ending *e, const struct weft_ending_ops *ops,
                      void *component);

/*
 * Stop the component with weft_ctx_err() when `ctx` ends; at once if it has.
 *
 * ctx  NULL never ends. Otherwise a reference is held until _unwatch().
 *
 * Returns 0, or what weft_ctx_after() says, and then nothing is watched.
 */
WEFT_NODISCARD int weft_ending_watch(struct weft_ending *e,
                                     struct weft_ctx *ctx);

/* When this returns the context will not end the component any more. Any number
 * of times. */
void weft_ending_unwatch(struct weft_ending *e);

/* Note the reason, unless there is one already. False when it is too late: then
 * nothing has changed, and nothing is to be released. */
bool weft_ending_set(struct weft_ending *e, int err);

/* Stop: note the reason, and release all that wait. Returns 0, as the _stop()
 * of the component does. */
int weft_ending_stop(struct weft_ending *e, int err);

/* The same for something that has failed: see weft_failure_of(). Returns 0; or,
 * as its _fail() does, -EINVAL for an `err` that is not negative, and then
 * nothing has changed. */
int weft_ending_fail(struct weft_ending *e, int err);

/* By a task that has found the reason: release all that wait, in case that the
 * task which has set it has not come to that yet. */
static inline void weft_ending_complete(const struct weft_ending *e)
{
	e->ops->release(e->component);
}

/* 0 while it is open; the reason. */
static inline int weft_ending_why(const struct weft_ending *e)
{
	return weft_load_acquire(&e->why); /* [why] */
}

/* Whether it was ended; for loops that look often, and learn why later. */
static inline bool weft_ending_is_set(const struct weft_ending *e)
{
	return weft_load_relaxed(&e->why) != 0;
}

/* What the error of a call that was made with WEFT_NOW means to the caller of a
 * try_: -EAGAIN, or the reason if the component has ended meanwhile, which may
 * be the deadline of its context. */
static inline int weft_ending_tried(const struct weft_ending *e, int err)
{
	int why;

	if (__builtin_expect(err != -ETIMEDOUT, 1))
		return err;
	why = weft_ending_why(e);
	return why ? why : -EAGAIN;
}

/* What a result of a channel inside means to a caller of the component. */
static inline int weft_ending_of(const struct weft_ending *e, int err)
{
	int why;

	if (__builtin_expect(err != -EPIPE, 1))
		return err;
	why = weft_ending_why(e);
	return why ? why : -EPIPE;
}

/*
 * What a failure inside is called outside. -EAGAIN, -ETIMEDOUT and -EPIPE say
 * something of the call that returns them: not now, not before the deadline, no
 * more. A callback's failure with one of them is reported as -EIO, so that no
 * caller takes it for its own.
 */
static inline int weft_failure_of(int err)
{
	return err == -EAGAIN || err == -ETIMEDOUT || err == -EPIPE ? -EIO
	                                                            : err;
}

#endif
