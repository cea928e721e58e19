/*
 * The task record and the seam between what every runtime shares (task.c,
 * registry.c) and what one runtime does (threads.c).
 */
#ifndef WEFT_TASK_INTERNAL_H
#define WEFT_TASK_INTERNAL_H

#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

#include <weft/atomic.h>
#include <weft/task.h>

#include "base/list.h"
#include "base/rng.h"

#define TASK_NAME_BYTES 32

struct run;
struct spread;

/*
 * Values of weft_task.permit. A parked value also says how to wake: the waker
 * must not look at the rest of the record, which may belong to another task by
 * then.
 */
enum {
	PERMIT_NONE,   /* running, or about to park */
	PERMIT_GIVEN,  /* the next park returns at once */
	PERMIT_MANUAL, /* parked in a run with a manual clock: see park.c */
	PERMIT_DUE,    /* was MANUAL, and the clock has passed the deadline */
	PERMIT_PARKED, /* asleep on the word as a futex */
	PERMIT_ASLEEP, /* and above: the same for good, unless woken, in a run
	                * that counts; which of them: see asleep.c */
};

/* Where weft_task_exit() lands. Lives on the stack of weft_try(). */
struct exit_point {
	jmp_buf jump;
	struct exit_point *outer;
	int status;
};

struct weft_task {
	/* The futex word: the only field other tasks touch on a fast path. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint32_t permit;

	/* Own fields: read and written by the task itself. */
	_Alignas(WEFT_CACHE_LINE) struct run *run; /* NULL when adopted */
	struct exit_point *exit_point;
	/* The permit of a park without a deadline: run->asleep, or PARKED for a
	 * task that is not counted. Changed under run->lock. */
	uint32_t asleep;
	struct rng rng;
	uint32_t yields;    /* rounds before a park: see spinner.h */
	uint32_t yield_ban; /* parks until waits yield again */
	uint32_t company;   /* not 0: others want this CPU, as yields tell */
	/* Of waits at small buffers, for spinner.c: how the last one ended, and
	 * how many in a row found their pauses to be in vain. */
	uint8_t wait_end, futile;
	weft_task_fn fn;
	void *arg;
	int status; /* published by `ended` */

	/* Written by the task, read by any thread that prints it. */
	_Atomic(const char *) waits_for; /* NULL = running; a literal */
	_Atomic(const void *) waits_on;
	_Atomic int64_t waits_since;
	_Atomic uint64_t parks, wakes;

	/* The task that joins; ENDED once the status is there. */
	_Atomic(struct weft_task *) joiner;

	/* Guarded by run->lock. */
	struct list in_run; /* run->tasks or run->ended */
	bool joinable;      /* a handle is out */
	bool accounted;     /* its figures are in those of the run */
	bool service;       /* constant: see struct service */

	/* Guarded by the lock of the manual clocks in park.c. */
	struct list in_sleepers;
	int64_t sleeps_until;

	/* Guarded by the registry's lock. */
	struct list in_registry; /* all in use, or the free ones */
	bool in_use;
	char name[TASK_NAME_BYTES];

	/* Of the runtime. */
	pthread_t thread;
	int rounds; /* of destructors, so far */
};

/*
 * service: what a run has done for its tasks, beside their own work, by a part
 * of the library that this layer does not know. There is one, the timers of the
 * run (core/sync); another would have a place of its own in the run.
 *
 * It has tasks of its own, from weft_service_spawn(). They are not counted as
 * tasks of the run and do not keep it from ending, but for the time between
 * weft_service_begin() and weft_service_end(). The first task that needs the
 * service puts it into the run.
 *
 * At the end of the run stop() is called, from the first task, and when all
 * tasks of the service have ended, free().
 */
struct service {
	void (*stop)(struct service *s); /* tell the tasks to end */
	void (*free)(struct service *s);
};

/* One call between weft_service_begin() and weft_service_end(), in run.live. */
#define SERVICE_CALL (UINT64_C(1) << 32)

struct run {
	pthread_mutex_t lock;
	struct list tasks; /* spawned, not ended or with a handle out */
	struct list ended; /* and without a handle: to be reaped */

	/* Tasks not ended, the first included, and above them the calls of
	 * services under way. From 1 to 0 by the first task, when the run is
	 * over. */
	_Atomic uint64_t live;
	_Atomic uint32_t servants;        /* tasks of services, not ended */
	_Atomic uint64_t served;          /* tasks of services, ever started */
	_Atomic(struct service *) timers; /* set once */
	struct weft_task *first;
	const struct runtime *runtime;
	uint64_t seed;
	_Atomic(struct spread *) spread; /* see place.h; NULL: anywhere */

	/* Of weft_run_opts.asleep; PERMIT_PARKED: none. */
	uint32_t asleep;
	void (*on_asleep)(void *arg);
	void *on_asleep_arg;
	_Atomic bool told;

	bool manual;              /* the rest is of manual clocks only */
	_Atomic int64_t now;      /* written under the lock in park.c */
	struct list sleepers;     /* parked tasks; guarded by the same */
	_Atomic uint32_t running; /* tasks not parked; a futex word */

	/* Of tasks that ended. */
	_Atomic uint64_t started, parks, wakes;
};

/* What a runtime supplies. All of it is called on slow paths only. */
struct runtime {
	/* Start task_main(t) as an own flow of control. 0 or -errno. */
	int (*start)(struct weft_task *t, size_t stack_bytes);
	/* Wait up to `ns` for what is left of a task that has ended,
	 * WEFT_FOREVER without a limit; false when it is not gone by then. That
	 * may be long: on its way out a thread runs destructors, which are
	 * foreign code. */
	bool (*reap)(struct weft_task *t, int64_t ns);
	/* Wait while t->permit has the given parked value. May return early.
	 * -ETIMEDOUT when deadline_ns (monotonic) passed. */
	int (*sleep)(struct weft_task *t, uint32_t parked, int64_t deadline_ns);
	/* Wake the task that sleeps on the permit. */
	void (*wake)(_Atomic uint32_t *permit);
	void (*yield)(void);
	/* Let others run, whatever their priority, for about `ns`. */
	void (*nap)(int64_t ns);
};

extern const struct runtime weft_runtime_threads;

/* The body of a spawned task: what `start` must call. */
void weft_task_main(struct weft_task *t);
/* End t, the calling task, with `status`. The thread is no task from then on:
 * what still runs on it is adopted, as on any foreign thread. */
void weft_task_end(struct weft_task *t, int status);

/* Whether the task has ended, though its thread may not. */
bool weft_task_has_ended(struct weft_task *t);
/* When nothing of t's run will run on its thread any more, destructors
 * included: what `start` must have called if run->asleep is not
 * PERMIT_PARKED. */
void weft_task_gone(struct weft_task *t);

/*
 * asleep.c: the tasks of a run that are awake, for a run that wants to know
 * when there is none. Begin counts the first task; -EAGAIN when too many count.
 * More: a task is spawned, or was woken from `asleep`. Less: true when none is
 * left, and then the caller looks, with the permit that it has parked with.
 */
int weft_asleep_begin(struct run *r, void (*fn)(void *arg), void *arg);
void weft_asleep_end(struct run *r);
void weft_awake_more(uint32_t asleep);
bool weft_awake_less(struct run *r);
void weft_asleep_look(struct weft_task *parked, uint32_t permit);

/*
 * Start a task of the service of r; from any thread, as long as r lasts.
 * Returns 0; -ENOMEM or -EAGAIN as weft_spawn().
 */
int weft_service_spawn(struct run *r, const char *name, weft_task_fn fn,
                       void *arg);

/* Keep r from ending until weft_service_end(): around what calls into code of
 * its tasks. False when it is over already, and then nothing may be called. */
bool weft_service_begin(struct run *r);
void weft_service_end(struct run *r);

/* registry.c: every record of the process, recycled and never freed. */
struct weft_task *weft_task_record_get(const char *name);
void weft_task_record_put(struct weft_task *t);
/* How many there are, spare ones included: each is one object on the heap that
 * a check for leaks has to expect. */
size_t weft_task_records(void);

/* park.c: nanoseconds on the clock of r, whose task the caller need not be. */
int64_t weft_run_now(const struct run *r);

/* park.c: keep the caller from its CPU for about `ns` < 1 s. On no clock of a
 * run, and no park: for a caller that waits for a task which is about to be
 * done. */
void weft_nap(int64_t ns);

/* park.c: the count that weft_clock_settle() waits for. No-ops unless the
 * clock of the run is manual. */
void weft_running_more(struct run *r);
void weft_running_less(struct run *r);

/* self.c: the calling task or NULL. Not inlined, so that no compiler keeps the
 * address of a thread's variable across a switch. */
struct weft_task *weft_self_or_null(void);
void weft_self_set(struct weft_task *t);

/*
 * What the caller waits for, to be printed by another thread: `what` is a
 * literal such as "chan recv", `on` the object. Set on slow paths, before
 * weft_park(); weft_wait_done() clears it. Returns clock_mono().
 */
int64_t weft_wait_begin(const char *what, const void *on);
void weft_wait_done(void);

/* What a task waits for that has ended and is not yet joined. */
#define WAITS_FOR_NOTHING ""

/* The same around a call that blocks the OS thread itself. */
void weft_block_begin(const char *what, const void *on);
void weft_block_done(void);

/* CPUs allowed, as of the last weft_run() or adoption; or what was held. */
unsigned weft_cpus(void);
void weft_cpus_refresh(void);
/* There are n of them, whatever the system says; 0: what it says. */
void weft_cpus_hold(unsigned n);

/* place.c: where a task that is spawned in r may run. 0 or an error number. */
int weft_spread_place(struct run *r, bool service, pthread_attr_t *attr);
/* No task of r is left. */
void weft_spread_end(struct run *r);

#endif
