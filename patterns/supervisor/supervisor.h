/*
 * supervisor: starts tasks or programs, its children, and starts them again
 * when they fail.
 *
 *	weft_supervisor_add() --> child --fails--> supervisor --> the next life
 *
 *   state                        add              join
 *   open                         0                waits
 *   closed, children left        -EPIPE           waits
 *   ended                        -EPIPE           0
 *   stopped                      -ECANCELED       -ECANCELED
 *   failed                       its error        its error
 *   too many restarts            -ENOTRECOVERABLE -ENOTRECOVERABLE
 *   a child has ended the tree   WEFT_END_TREE    WEFT_END_TREE
 *   its context ended            weft_ctx_err()   the same
 *
 * One life of a child is one task, which calls its function; or one process. It
 * has failed when it ends, without having been told to, by
 *
 *	a return of anything but 0; weft_task_exit(); pthread_exit()
 *	a missed heartbeat
 *	for a program: an exit code other than 0, or a signal
 *
 * A return of 0 is no failure. The next life begins when the last one has been
 * joined, so there are never two at once, but for opts.replace_hung.
 *
 * Being told to stop: the context of the life ends, -ECANCELED; a program gets
 * SIGTERM. Whatever it then returns is not looked at. A task that does not
 * return cannot be killed: after its shutdown time it is reported as unstopped,
 * and keeps its thread, its stack and its argument until it ends by itself. A
 * program is killed then, by SIGKILL.
 *
 * Order: children are started in the order in which they were added, and told
 * to stop in the reverse order, each when the one before has ended. That a
 * child was started does not say that it has run yet: a child that needs
 * another waits for it by itself.
 *
 * A supervisor is a child of another by weft_supervisor_run(). All times are on
 * the clock of the run; jitter follows from its seed.
 *
 * Any task of the run may call anything below at any time on a live supervisor,
 * its children and its callback too; but those must not wait, with _remove(),
 * _wait() or _join(), for what only their own return lets happen.
 */
#ifndef WEFT_PATTERNS_SUPERVISOR_H
#define WEFT_PATTERNS_SUPERVISOR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <weft/export.h>

WEFT_BEGIN_DECLS

struct weft_ctx;
struct weft_supervisor;

/* One life of a child, as long as its function runs. */
struct weft_child;

/* What a child may return beside 0 and its errors; no errno has these values.
 */
#define WEFT_NO_RESTART INT_MIN /* it has ended for good, whatever its kind */
#define WEFT_END_TREE (INT_MIN + 1) /* and its supervisor ends with it */

typedef int (*weft_child_fn)(void *arg, struct weft_child *self);

/* What ends with a life: the context that tells it to stop. NULL for NULL. */
WEFT_API struct weft_ctx *weft_child_ctx(const struct weft_child *self);

/* Which life of the child it is, from 0; 0 for NULL. */
WEFT_API uint64_t weft_child_life(const struct weft_child *self);

/* A heartbeat: one look at the clock and one atomic store. NULL is ignored. */
WEFT_API void weft_child_beat(struct weft_child *self);

/* When the next life follows by itself. */
enum weft_child_kind {
	WEFT_PERMANENT, /* always, after a return of 0 too */
	WEFT_TRANSIENT, /* after a failure */
	WEFT_TEMPORARY, /* never */
};

/* What becomes of the others when a child is started again. Those that have
 * ended for good stay as they are, and so do temporary ones that are stopped.
 */
enum weft_strategy {
	WEFT_ONE_FOR_ONE,  /* nothing */
	WEFT_ONE_FOR_ALL,  /* all are stopped and started again */
	WEFT_REST_FOR_ONE, /* those that were added after it */
};

/* Zero everywhere but in fn or argv is the default. */
struct weft_child_opts {
	const char *name; /* copied, up to 31 bytes; NULL = "child" */
	enum weft_child_kind kind;

	weft_child_fn fn; /* either this */
	void *arg;
	/* or a program: its path, its arguments and NULL, which are copied. It
	 * has the environment of this process, and its descriptors but for
	 * those that close on exec. */
	const char *const *argv;

	/* A life that has not called weft_child_beat() for longer has failed,
	 * as hung, and is told to stop. 0: none is expected. Not for programs.
	 */
	int64_t beat_ns;
	/* How long it may take to stop; 0: as opts of the supervisor say. */
	int64_t shutdown_ns;
	/* When it does not stop and is to be started again: start it beside the
	 * one that hangs. Otherwise once that has ended. */
	bool replace_hung;
	size_t stack_bytes; /* 0 = the system's default */
};

enum weft_child_state {
	WEFT_CHILD_WAITING, /* to be started */
	WEFT_CHILD_RUNNING,
	WEFT_CHILD_STOPPING,  /* it was told to stop */
	WEFT_CHILD_UNSTOPPED, /* and did not within its shutdown time */
	WEFT_CHILD_ENDED,     /* for good, unless it is started by hand */
	WEFT_CHILD_GIVEN_UP,  /* it cannot be started; the same */
};

/* How a life has ended, and what the status beside it is. */
enum weft_child_end {
	WEFT_ENDED_BY_RETURN,  /* what it returned; the exit code */
	WEFT_ENDED_BY_EXIT,    /* what it gave weft_task_exit() */
	WEFT_ENDED_BY_THREAD,  /* by pthread_exit(): -ECANCELED */
	WEFT_ENDED_BY_SIGNAL,  /* which */
	WEFT_ENDED_NOT_BEGUN,  /* why it could not be started: -errno */
	WEFT_ENDED_BY_SILENCE, /* it is hung, and has not ended: -ETIMEDOUT */
};

enum weft_supervisor_what {
	WEFT_EVENT_STARTED,   /* a life begins */
	WEFT_EVENT_ENDED,     /* by a return of 0 or WEFT_NO_RESTART */
	WEFT_EVENT_FAILED,    /* otherwise, by itself */
	WEFT_EVENT_STOPPED,   /* having been told to */
	WEFT_EVENT_UNSTOPPED, /* it was told to, and has not ended */
	WEFT_EVENT_GIVEN_UP,  /* it cannot be started, and no try will follow */
	WEFT_EVENT_PAUSED,    /* too many restarts: none for delay_ns */
	WEFT_EVENT_RESUMED,
	WEFT_EVENT_ESCALATED, /* too many restarts: the supervisor ends */
};

struct weft_supervisor_event {
	enum weft_supervisor_what what;
	uint64_t child; /* its id; 0: the supervisor's own event */
	char name[32];
	uint64_t life; /* from 0 */
	enum weft_child_end end;
	int status;
	/* FAILED, ENDED: in how long it is to be started again, before which
	 * others may have to be stopped; -1: it is not. */
	int64_t delay_ns;
	int64_t at_ns;
	pid_t pid; /* of a program that was STARTED; else 0 */
};

/* Zero everywhere is the default. */
struct weft_supervisor_opts {
	enum weft_strategy strategy;

	/*
	 * Restart intensity: each restart that a child asks for by its end
	 * counts 1, which halves every decay_ns. With more than `intensity` the
	 * supervisor fails with -ENOTRECOVERABLE; or, with a pause, restarts
	 * nobody for so long, and then counts from 0.
	 */
	double intensity; /* 0 = 5; INFINITY: no limit */
	int64_t decay_ns; /* 0 = 30 s */
	int64_t pause_ns; /* 0: fail */

	/*
	 * How long after its end a child is started again: backoff_min_ns,
	 * twice that the next time, and so on up to backoff_max_ns; as at first
	 * once a life has lasted backoff_reset_ns. Up to jitter_percent more
	 * than that, at random, the pause included.
	 */
	int64_t backoff_min_ns;   /* 0: at once */
	int64_t backoff_max_ns;   /* 0 = 30 s, or the minimum if that is more */
	int64_t backoff_reset_ns; /* 0 = backoff_max_ns */
	unsigned jitter_percent;  /* up to 1000 */

	int64_t shutdown_ns; /* of each child; 0 = 10 s */

	/* Called by the supervisor's task, in order, outside of locks, after
	 * what it tells: until it returns nobody is started or stopped. NULL:
	 * none. */
	void (*on_event)(const struct weft_supervisor_event *e, void *arg);
	void *event_arg;

	/* Its end stops the supervisor; NULL. Referenced. Its values are seen
	 * in the contexts of the children. */
	struct weft_ctx *ctx;
};

struct weft_child_info {
	uint64_t id;
	char name[32];
	enum weft_child_state state;
	uint64_t lives;          /* begun */
	enum weft_child_end end; /* of the last that has ended */
	int status;
};

/* Exact at rest. */
struct weft_supervisor_stats {
	uint64_t children, running; /* now */
	uint64_t started;           /* lives */
	uint64_t restarts;          /* those that were not the first */
	uint64_t failed, hung;      /* hung ones are among the failed */
	uint64_t unstopped;         /* so far */
	uint64_t given_up, paused;
	uint64_t events_lost; /* for lack of memory */
	double score;         /* of the intensity, as of the last restart */
};

/*
 * Make a supervisor without children.
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL, an unknown strategy, a negative or too large number; -ENOMEM;
 * -EAGAIN. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int
weft_supervisor_new(struct weft_supervisor **out,
                    const struct weft_supervisor_opts *opts);

/*
 * Stop it unless it has ended, wait until its children have ended or are
 * unstopped, and free it. NULL is ignored. Unstopped tasks are not waited for:
 * weft_run() does so at its end. No other call may be under way.
 */
WEFT_API void weft_supervisor_free(struct weft_supervisor *s);

/*
 * Add a child, last in order, and have it started.
 *
 * id  receives what it is called by, never used again; may be NULL.
 *
 * Returns 0; the reason; -EPIPE when it is closed; -EINVAL for NULL, fn and
 * argv or neither, or a value out of range; -ENOMEM; for a program that is not
 * there or may not be executed -ENOENT, -EACCES or what else access(2) says. A
 * program that can no longer be started later on is given up.
 */
WEFT_API WEFT_NODISCARD int
weft_supervisor_add(struct weft_supervisor *s, uint64_t *id,
                    const struct weft_child_opts *opts);

/*
 * Have a child stopped, and wait until it is gone.
 *
 * Returns 0; -ENOENT when there is none of that id; -EBUSY when it did not stop
 * within its shutdown time: it is removed once it does; -ETIMEDOUT, and it goes
 * on being removed; the reason or -EPIPE when the supervisor has ended.
 */
WEFT_API int weft_supervisor_remove(struct weft_supervisor *s, uint64_t id,
                                    int64_t deadline_ns);

/* Have a child started by hand, first stopped if it runs. Counts neither for
 * the intensity nor for the back-off, which begins anew. Does not wait. Returns
 * 0; -ENOENT; the reason or -EPIPE when the supervisor has ended. */
WEFT_API int weft_supervisor_restart(struct weft_supervisor *s, uint64_t id);

/*
 * Wait until a child has ended for good or was given up.
 *
 * status  receives what its last life ended with; may be NULL.
 *
 * Returns 0; -ENOENT when there is none, or it was removed meanwhile; -EBUSY
 * when the supervisor has ended and left it unstopped; -ETIMEDOUT; -EINVAL.
 */
WEFT_API WEFT_NODISCARD int weft_supervisor_wait(struct weft_supervisor *s,
                                                 uint64_t id, int *status,
                                                 int64_t deadline_ns);

/* The children in their order, and behind them those that were replaced and are
 * unstopped. Writes up to n, and how many there are to *total. 0 or -EINVAL. */
WEFT_API int weft_supervisor_children(struct weft_supervisor *s,
                                      struct weft_child_info *out, size_t n,
                                      size_t *total);

/* Take no more children, and end when all have ended for good. 0; -EPIPE: it
 * was closed, stopped or had failed before; -EINVAL. */
WEFT_API int weft_supervisor_close(struct weft_supervisor *s);

/* Stop all children, in reverse order, and end. Any number of times. 0 or
 * -EINVAL. */
WEFT_API int weft_supervisor_stop(struct weft_supervisor *s);

/* The same with an error of the caller's: the first reason stays. 0; -EINVAL
 * for NULL, or an err that is not negative. -EAGAIN, -ETIMEDOUT and -EPIPE
 * become -EIO. */
WEFT_API int weft_supervisor_fail(struct weft_supervisor *s, int err);

/* Wait until all children have ended or are unstopped, after a close or a stop.
 * 0; the reason; -ETIMEDOUT; -EINVAL. */
WEFT_API WEFT_NODISCARD int weft_supervisor_join(struct weft_supervisor *s,
                                                 int64_t deadline_ns);

/* Figures. 0 or -EINVAL. */
WEFT_API int weft_supervisor_stats(struct weft_supervisor *s,
                                   struct weft_supervisor_stats *out);

/*
 * For the function of a child: be a supervisor of these n children until they
 * have ended for good, or `self` is told to stop.
 *
 * opts     ctx is that of `self` whatever it says.
 * contain  a child that ends the tree ends this one, which is not started
 *          again, and no more than that.
 *
 * Returns what the child is to return: 0; what _new() and _add() say; the
 * reason: so too many restarts below are a failure of this one.
 */
WEFT_API WEFT_NODISCARD int weft_supervisor_run(
        struct weft_child *self, const struct weft_supervisor_opts *opts,
        const struct weft_child_opts *children, size_t n, bool contain);

WEFT_END_DECLS

#endif
