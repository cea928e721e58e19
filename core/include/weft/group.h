/*
 * group: tasks that belong together. The first error among them cancels the
 * rest, and one wait sees them all end.
 *
 * After golang.org/x/sync/errgroup.
 */
#ifndef WEFT_GROUP_H
#define WEFT_GROUP_H

#include <stdint.h>

#include <weft/ctx.h>
#include <weft/export.h>
#include <weft/task.h>
#include <weft/time.h>

WEFT_BEGIN_DECLS

struct weft_group;

/*
 * Make a group.
 *
 * parent  of the group's context; NULL = the background.
 * limit   the most tasks that run at once; 0 = no limit.
 *
 * Returns 0; -EINVAL for NULL; -ENOMEM. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int weft_group_new(struct weft_group **out,
                                           struct weft_ctx *parent,
                                           unsigned limit);

/*
 * Make a group without a context: weft_group_ctx() is NULL, nothing ends it,
 * and an error of one task leaves the others alone. It may be used again after
 * a wait. Returns as weft_group_new().
 */
WEFT_API WEFT_NODISCARD int weft_group_new_plain(struct weft_group **out,
                                                 unsigned limit);

/* Free the group. NULL is ignored. Every task must have been waited for: one
 * that has not ended makes this abort. */
WEFT_API void weft_group_free(struct weft_group *g);

/* The group's context: ended by the first error, with it as the cause, and
 * when a weft_group_wait() has seen the last task end. The group's reference.
 */
WEFT_API struct weft_ctx *weft_group_ctx(struct weft_group *g);

/*
 * Run fn(arg) in a task of the group, waiting until `deadline_ns` while `limit`
 * of them run. What fn returns (or gives weft_task_exit()) counts as an error
 * when negative, and so does pthread_exit(): -ECANCELED.
 *
 * Returns 0; weft_ctx_err() of the group when it has ended or ends while this
 * waits; -ETIMEDOUT; -EINVAL for NULL or outside of a run; -ENOMEM or -EAGAIN
 * when there is no task to be had. After an error fn is not called.
 */
WEFT_API WEFT_NODISCARD int weft_group_go(struct weft_group *g, weft_task_fn fn,
                                          void *arg, int64_t deadline_ns);

/* The same with the name and stack of the task; what is 0 in `opts`, or all of
 * it when that is NULL, is as in weft_group_go(). */
WEFT_API WEFT_NODISCARD int weft_group_spawn(struct weft_group *g,
                                             const struct weft_task_opts *opts,
                                             weft_task_fn fn, void *arg,
                                             int64_t deadline_ns);

/* weft_group_go() without waiting: -EBUSY while `limit` tasks run. */
WEFT_API WEFT_NODISCARD int weft_group_try_go(struct weft_group *g,
                                              weft_task_fn fn, void *arg);

/*
 * Wait until no task of the group runs, then cancel its context, after which it
 * takes no more tasks; one without a context does. May be called
 * by several tasks, and again. What the tasks wrote is visible after it. (For a
 * moment weft_run_stats() may still count one that is on its way out.)
 *
 * Returns the first error that any task of the group has ended with, always the
 * same, or 0;
 * -ETIME when `deadline_ns` expired with tasks still running, so that it
 * cannot be mistaken for an error of theirs.
 */
WEFT_API WEFT_NODISCARD int weft_group_wait(struct weft_group *g,
                                            int64_t deadline_ns);

WEFT_END_DECLS

#endif
