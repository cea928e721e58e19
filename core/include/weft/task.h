/*
 * task: what Go calls a goroutine, and the run that holds them.
 *
 * weft_run() makes its caller the first task and returns when every task has
 * ended. Everything that waits in weft is built from the pair weft_park() and
 * weft_unpark(); nothing above this layer blocks a thread, sleeps or reads a
 * clock by other means, which is what lets the same code run on another
 * runtime.
 *
 * Any pthread may call weft: one that is not a task is adopted at its first
 * wait and released when it ends. It lives on the monotonic clock and cannot
 * spawn.
 *
 * pthread_exit() inside a spawned task ends that task as failed (status
 * -ECANCELED); in the first task of a run it aborts. pthread_cancel() is not
 * supported.
 *
 * A handler of signals that returns ends no wait, with SA_RESTART or without.
 *
 * fork() harms no task of the parent, wherever it is parked. The child has but
 * the thread that called it, and locks that others may have held: if there were
 * others it may do what a handler of signals may, which comes down to exec and
 * _exit(), and call nothing of weft. If there were none it may go on, as in
 * runs of its own. Descriptors that weft opens are closed by exec.
 *
 * The destructors of what is specific to a thread (pthread_key_create()) run
 * after the end of its task and may call weft, as a foreign thread does: in no
 * run, so that what needs one refuses with -EINVAL. weft_run() returns when
 * they have returned. Nothing else waits for them: their task has ended, is not
 * counted, and can be joined.
 */
#ifndef WEFT_TASK_H
#define WEFT_TASK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <weft/export.h>
#include <weft/time.h>

WEFT_BEGIN_DECLS

struct weft_task;

/* What a task runs. The returned status is what weft_join() hands out. */
typedef int (*weft_task_fn)(void *arg);

enum weft_runtime {
	WEFT_THREADS, /* one pthread per task, parked on an own futex word */
};

enum weft_clock {
	WEFT_CLOCK_MONOTONIC, /* CLOCK_MONOTONIC */
	WEFT_CLOCK_MANUAL,    /* stands still but for weft_clock_advance() */
};

/* Zero everywhere is the default. */
struct weft_run_opts {
	enum weft_clock clock;
	uint64_t seed;    /* of every task's weft_rand(); 0 = 1 */
	const char *name; /* of the first task, in state dumps; NULL = "main" */

	/* Called when all tasks are asleep for good, as is said there; when it
	 * returns, the process aborts. NULL: they sleep on. */
	void (*asleep)(void *arg);
	void *asleep_arg;
};

struct weft_task_opts {
	const char *name;   /* copied, up to 31 bytes; NULL = "task" */
	size_t stack_bytes; /* 0 = the system's default */
};

/* Since the run began, over all of its tasks, those that ended included. */
struct weft_run_stats {
	uint64_t tasks; /* ever started */
	uint64_t live;  /* not ended */
	uint64_t parks; /* waits that gave up the CPU */
	uint64_t wakes; /* system calls that woke one of them */
};

/*
 * All tasks are asleep
 * --------------------
 *
 * A task is asleep when it is parked without a deadline, in whatever call; in a
 * run with a manual clock, which only its tasks can move, also with one. When
 * all of them are and nothing can wake one, the run would never end:
 * weft_run_opts.asleep is called, once, on one of the threads. It must not wait
 * for any task; what it prints or notes is to tell a reader why the process
 * then aborts.
 *
 * It is certain or it is not called. Not while
 * - a task runs, spins, is about to run, or waits until a deadline;
 * - a timer of the run is armed, and up to a second after the last one was;
 * - a task blocks its thread: in weft_wait_fd(), in a channel that is
 *   WEFT_BLOCKS_THREAD, or by itself;
 * - the process has a thread that is no task of the run, whether weft knows it
 *   or not, and whatever it does; if that one ends later, nobody looks again;
 * - the number of threads cannot be read from /proc.
 * So it is of use where all threads are tasks of one run. What it cannot know
 * of is a handler of signals that wakes a task, and a child process made by
 * vfork() or clone() that shares memory with its parent: where there is one it
 * must not be asked for.
 *
 * It costs an atomic operation for each park without a deadline and for each
 * wake-up of one, and nothing on fast paths. -EAGAIN from weft_run() when more
 * than 64 runs of the process ask for it at once.
 */

/* For weft_run_opts.asleep: say so on stderr, with weft_tasks_print(). */
WEFT_API void weft_asleep_print(void *arg);

/*
 * The calling task only watches the others from now on: whether all are asleep
 * does not depend on it, whatever deadline it waits until. It must wake no
 * task, by its own end neither: nobody joins it, but weft_run() may wait for
 * it. Does nothing outside of a run.
 */
WEFT_API void weft_task_watches(void);

/*
 * Run fn(arg) as the first task, on the calling thread; return when every task
 * spawned in the run has ended, joining those that nobody joined.
 *
 * opts  NULL for the defaults.
 *
 * Returns what fn returned or gave weft_task_exit(). -EINVAL when fn is NULL,
 * the runtime or clock is unknown, or the caller is a task already; -ENOMEM;
 * -EAGAIN as said above.
 */
WEFT_API int weft_run(enum weft_runtime runtime,
                      const struct weft_run_opts *opts, weft_task_fn fn,
                      void *arg);

/*
 * Start a task in the run of the caller.
 *
 * out   receives a handle that one weft_join() must take, or that weft_run()
 *       takes at its end; NULL when nobody will join.
 * opts  NULL for the defaults.
 *
 * Returns 0; -EINVAL when fn is NULL or the caller is not in a run; -ENOMEM or
 * -EAGAIN when the system has no thread to give. On failure *out is untouched.
 * What the caller wrote before is visible to the new task.
 */
WEFT_API WEFT_NODISCARD int weft_spawn(struct weft_task **out,
                                       const struct weft_task_opts *opts,
                                       weft_task_fn fn, void *arg);

/*
 * Wait until `task` has ended, and release its handle.
 *
 * status  receives what the task returned, gave weft_task_exit(), or
 *         -ECANCELED after pthread_exit(); may be NULL.
 *
 * Returns 0; -EINVAL for NULL, the caller itself, outside of a run, or a handle
 * that is being or was joined (found out only until the record is used again);
 * -ETIMEDOUT, and the handle is still the caller's. What the task wrote is
 * visible after 0.
 */
WEFT_API WEFT_NODISCARD int weft_join_until(struct weft_task *task, int *status,
                                            int64_t deadline_ns);

/* weft_join_until() without a deadline. */
WEFT_API int weft_join(struct weft_task *task, int *status);

/*
 * End the calling task from any depth, or the innermost weft_try() around the
 * call. Nothing between here and there is unwound: locks stay locked. Outside
 * of both it aborts.
 */
WEFT_API WEFT_NORETURN void weft_task_exit(int status);

/*
 * Call fn(arg) behind a boundary that weft_task_exit() cannot cross.
 *
 * status  receives what fn returned or gave weft_task_exit(); may be NULL.
 *
 * Returns 0 when fn returned, -ECANCELED when it called weft_task_exit(),
 * -EINVAL when fn is NULL. pthread_exit() crosses the boundary.
 */
WEFT_API int weft_try(weft_task_fn fn, void *arg, int *status);

/* How a function under weft_guard() ended. */
enum weft_guard_end {
	WEFT_GUARD_RETURNED, /* by return */
	WEFT_GUARD_EXITED,   /* by weft_task_exit() */
	WEFT_GUARD_DIED,     /* by pthread_exit(), which ends the thread */
};

/*
 * weft_try(), with left(arg, end, status) called exactly once, however fn ends:
 * for what must be put in order even when the thread is ended under it.
 *
 * status  what fn returned or gave weft_task_exit(); -ECANCELED when the thread
 *         is being ended. Then left() is called while the thread unwinds; it
 *         may wait and call what any task may, but must return.
 *
 * Returns 0 when fn returned, -ECANCELED when it called weft_task_exit(),
 * -EINVAL when fn or left is NULL, and then neither is called.
 */
WEFT_API int weft_guard(weft_task_fn fn, void *arg,
                        void (*left)(void *arg, enum weft_guard_end end,
                                     int status));

/*
 * The calling task; a thread that is none is adopted here. Never NULL. Not to
 * be cached across a wait: a task need not stay on one thread.
 */
WEFT_API struct weft_task *weft_self(void);

/* The name given at spawn. */
WEFT_API const char *weft_task_name(const struct weft_task *task);

/*
 * Wait for a permit, or until `deadline_ns`.
 *
 * A task holds at most one permit. weft_park() takes it and returns at once if
 * it is there, so an unpark before the park is not lost. It may also return
 * for no reason, and any call of weft that waits may take a permit that was
 * meant for the caller: set a condition before weft_unpark(), test it in a
 * loop around weft_park().
 *
 * Returns 0, or -ETIMEDOUT when the deadline expired first; a permit that is
 * there wins. What was written before the weft_unpark() is visible after 0.
 */
WEFT_API int weft_park(int64_t deadline_ns);

/*
 * Give `task` its permit. No system call unless it is parked. Any thread may
 * call it at any time, after the task has ended too (then it does nothing of
 * consequence: records are recycled, never freed).
 */
WEFT_API void weft_unpark(struct weft_task *task);

/* Let another task run, if one wants to. */
WEFT_API void weft_yield(void);

/* One turn of a spin loop. Belongs in every loop that waits for another task
 * without parking. */
WEFT_API void weft_relax(void);

/*
 * The turn-th turn, from 0, of waiting without parking for a task that is a few
 * instructions from done, unless it lost its CPU: pauses; after some turns
 * yields; in the end sleeps, up to 2 ms at a time, so that even a task of a
 * lower priority on the same CPU goes on.
 */
WEFT_API void weft_relent(unsigned turn);

/* Nanoseconds on the clock of the run; of CLOCK_MONOTONIC outside of one. */
WEFT_API int64_t weft_now(void);

/* The deadline `ns` nanoseconds from now. Saturates. */
WEFT_API int64_t weft_deadline_in(int64_t ns);

/* Wait until `deadline_ns`; WEFT_FOREVER never returns. */
WEFT_API void weft_sleep_until(int64_t deadline_ns);

/* 64 random bits of the calling task's own generator, seeded from the run's
 * seed and the order of spawning (per spawner). An adopted thread's is seeded
 * from how many were adopted before it in the process. */
WEFT_API uint64_t weft_rand(void);

/* Figures of the caller's run; zeros outside of one. */
WEFT_API void weft_run_stats(struct weft_run_stats *out);

/*
 * Print one line for each task of the process that has not ended: name,
 * running or parked, on what, and for how long. For watchdogs: takes no lock
 * that a waiting task may hold. Returns the number of lines.
 */
WEFT_API size_t weft_tasks_print(FILE *to);

/*
 * Wait until `fd` has one of `events`, or an error or hang-up, which come
 * unasked: as poll(2) has them.
 *
 * revents  receives what it has; may be NULL. Written on success only.
 *
 * Returns 0, which wins over an expired deadline; -ETIMEDOUT; -EBADF when fd is
 * not open; -EINVAL as below; -ENOMEM when the kernel has no memory for it.
 *
 * This blocks the thread, in the kernel, which knows the machine's clock only.
 * In a run with a manual clock a deadline that has not expired would never
 * come, and is refused with -EINVAL; WEFT_FOREVER is not. weft_clock_settle()
 * waits for a task that waits here.
 */
WEFT_API WEFT_NODISCARD int weft_wait_fd(int fd, short events, short *revents,
                                         int64_t deadline_ns);

/*
 * Move the manual clock of the run on by `ns` >= 0 and wake what is due.
 * Returns 0, or -EINVAL when the clock is not manual or ns is negative.
 */
WEFT_API WEFT_NODISCARD int weft_clock_advance(int64_t ns);

/*
 * Wait until every other task of the run is parked (one task at a time may
 * call this): then nothing more happens
 * until the clock moves or the caller acts. A task that blocks its thread (in
 * a channel that does so, or by itself) is not parked, and one that spins
 * keeps this waiting.
 *
 * Returns 0, or -EINVAL when the clock is not manual.
 */
WEFT_API WEFT_NODISCARD int weft_clock_settle(void);

WEFT_END_DECLS

#endif
