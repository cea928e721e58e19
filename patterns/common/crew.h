/*
 * crew: the tasks that a component owns, and what happens when one of them
 * ends.
 *
 * Members are structs of the component that begin with a weft_crew_member, in
 * an array. Each runs work() behind weft_guard(). When work() has not returned
 * but ended by weft_task_exit() or pthread_exit(), the component is asked
 * whether it is to be called again: then by the same task, or, if that has lost
 * its thread, by an heir. A member that is not to be called again has left; the
 * last one to leave ends the crew.
 *
 * None of them begins before all have been started; when one cannot be, none
 * begins.
 */
#ifndef WEFT_PATTERNS_COMMON_CREW_H
#define WEFT_PATTERNS_COMMON_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/sync.h>
#include <weft/task.h>

#include "common/ending.h"

struct weft_crew;

struct weft_crew_member {
	struct weft_crew *crew;
	size_t index;
	struct weft_task *task;  /* which works, or did so last */
	struct weft_task *after; /* whose heir that is; NULL: nobody's */
};

struct weft_crew_ops {
	/* Whether the tasks' names end with the index of the member. */
	bool numbered;

	int (*work)(struct weft_crew_member *m);

	/* work() has ended by `end`, which is not a return, with a `status`
	 * as left() would be told. Whether to call it again. NULL: not. */
	bool (*again)(struct weft_crew_member *m, enum weft_guard_end end,
	              int status);

	/*
	 * A member has left, once for each that began: release what it holds.
	 * status  what work() returned; when it did not return, what
	 *         weft_task_exit() was given if that is negative, else
	 *         -ECANCELED; when there was no heir to be had, why not.
	 */
	void (*left)(struct weft_crew_member *m, int status); /* may be NULL */

	/* All have left: called by the last one. May be NULL. */
	void (*last)(struct weft_crew *c);
};

/* In the component's memory; all zeros is a crew that was not started. */
struct weft_crew {
	/* Constant once started. */
	const struct weft_crew_ops *ops;
	unsigned char *members;
	size_t n, stride;
	struct weft_task_opts opts;
	bool whole; /* all were started; written before the gate opens */

	_Atomic size_t working;        /* have not left */
	_Atomic size_t heirs;          /* that were started */
	struct weft_waitgroup running; /* tasks that have not ended */
	struct weft_waitgroup gate;
};

/*
 * Start n tasks, in the run of the caller.
 *
 * members  n structs of `stride` bytes, each of which begins with a
 *          weft_crew_member; that is filled in here.
 * opts     of each task; its name must outlive the crew.
 *
 * Returns 0; -ENOMEM or -EAGAIN as weft_spawn(), and then none has begun, all
 * have ended, and neither left() nor last() was called. Of no members last() is
 * called at once.
 */
WEFT_NODISCARD int weft_crew_start(struct weft_crew *c,
                                   const struct weft_crew_ops *ops,
                                   void *members, size_t n, size_t stride,
                                   const struct weft_task_opts *opts);

/* Wait until all have left. Returns 0; -ETIMEDOUT. 0 for one that was not
 * started. */
WEFT_NODISCARD int weft_crew_wait(struct weft_crew *c, int64_t deadline_ns);

/* The same for the _join() of a component that ends with its crew: 0; the
 * reason why it has ended; -ETIMEDOUT. */
WEFT_NODISCARD static inline int
weft_crew_wait_for_end(struct weft_crew *c, const struct weft_ending *e,
                       int64_t deadline_ns)
{
	int err = weft_crew_wait(c, deadline_ns);

	return err ? err : weft_ending_why(e);
}

/* Wait until all have left, and give back their tasks. Not for a member. Of one
 * that was not started it does nothing. */
void weft_crew_join(struct weft_crew *c);

/* Whether all have left, or it was not started. */
bool weft_crew_has_ended(struct weft_crew *c);

#endif
