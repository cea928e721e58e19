/*
 * monitor: finds out which of many tasks have died or hang, by their beats.
 *
 *	worker: weft_heart_beat() --.
 *	worker: weft_heart_beat() --+--> weft_monitor_recv(): this one has died
 *	worker: weft_heart_beat() --'
 *
 *   state               heart_new           beat                recv
 *   open                0                   0                   0, or waits
 *   closed, hearts in   -EPIPE              0                   0, or waits
 *   closed, none left   -EPIPE                                  -EPIPE
 *   stopped             -ECANCELED          -ECANCELED          -ECANCELED
 *   failed              its error           its error           its error
 *   its context ended   weft_ctx_err()      the same            the same
 *
 * A heart is what one worker beats with. It is unknown until its first beat,
 * which is healthy; then alive; dead once it was silent for too long; and alive
 * again with its next beat. Each death and each revival is reported once. A
 * worker that is done frees its heart, and is not reported.
 *
 * No task is made: the one that receives is the monitor. It looks at all hearts
 * every `look_ns`, inside weft_monitor_recv(), which returns with what it
 * finds. So a silence counts from the look that saw the last beat, and is never
 * overstated. A look that comes later than it should by more than another
 * `look_ns`, because the monitor was held up, declares nobody dead: what is
 * overdue becomes suspect, and has until the next look.
 *
 * A death is noticed, by a monitor that is on time, at the latest after the
 * timeout and two looks.
 *
 * A beat never waits, whatever the monitor does: it stores a number; or, with
 * channels, it tries to send, and when the channel is full its pulse is
 * dropped, for there is one in it already.
 *
 * Any task or foreign thread may call anything below at any time, but one task
 * at a time may beat with a heart, and one may receive.
 */
#ifndef WEFT_PATTERNS_MONITOR_H
#define WEFT_PATTERNS_MONITOR_H

#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/export.h>

WEFT_BEGIN_DECLS

struct weft_monitor;
struct weft_heart;

/* What a beat is. */
enum weft_beat_kind {
	WEFT_BEAT_STORE, /* one atomic store */
	WEFT_BEAT_CHAN,  /* a pulse into a channel of the heart's own */
};

/* How long a silence is too long. */
enum weft_detector {
	/* As long as timeout_ns. */
	WEFT_DETECT_DEADLINE,
	/*
	 * So long that phi, which says how unlikely it is after the intervals
	 * seen lately, reaches the threshold: 8 stands for one in 10^8. After
	 * "The phi accrual failure detector" (Hayashibara et al., 2004), with
	 * the normal distribution.
	 */
	WEFT_DETECT_PHI,
};

/* Of WEFT_DETECT_PHI. Zero everywhere is the default. */
struct weft_phi_opts {
	double threshold;   /* up to WEFT_PHI_THRESHOLD_MAX; 0 = 8 */
	size_t window;      /* intervals that count; 0 = 1000 */
	int64_t min_std_ns; /* least standard deviation; 0 = interval_ns / 10 */
	int64_t pause_ns;   /* that is always acceptable, on top */
	/* What is taken for the mean before anything was seen, with a standard
	 * deviation of a quarter of it; 0 = interval_ns. */
	int64_t first_ns;
};

/* Some 320 standard deviations: more would be a silence without end. */
#define WEFT_PHI_THRESHOLD_MAX 1e6

/* The most intervals of a window. */
#define WEFT_PHI_WINDOW_MAX ((size_t)1 << 20)

/* Zero everywhere but in interval_ns is the default. */
struct weft_monitor_opts {
	int64_t interval_ns; /* between beats, at the most; at least 1 */
	int64_t timeout_ns;  /* at least the interval; 0 = twice that */
	int64_t look_ns;     /* between looks; 0 = half the interval */

	enum weft_detector detector;
	struct weft_phi_opts phi;

	enum weft_beat_kind beat;
	/* Of each heart's channel, for one sender and one receiver, bounded:
	 * NULL = handoff; its capacity, 0 = 1. */
	const struct weft_chan_impl *impl;
	size_t cap;

	/* Report each look that finds beats, too. */
	int tell_beats;

	enum weft_wait wait;  /* how the monitor waits */
	struct weft_ctx *ctx; /* its end stops the monitor; NULL = none */
};

enum weft_heart_state {
	WEFT_HEART_UNKNOWN, /* has never beaten */
	WEFT_HEART_ALIVE,
	WEFT_HEART_SUSPECT, /* overdue at a look that was late itself */
	WEFT_HEART_DEAD,
};

enum weft_heart_event {
	WEFT_HEART_DIED,    /* was silent for too long */
	WEFT_HEART_REVIVED, /* beats again after that */
	WEFT_HEART_BEAT,    /* see tell_beats */
};

struct weft_heart_report {
	enum weft_heart_event event;
	void *arg;      /* the heart's */
	uint64_t beats; /* seen of it so far */
	int64_t at_ns;  /* of the look */
	/* For how long no beat was seen: until this look, or until the beats
	 * that it found. */
	int64_t silent_ns;
	double phi; /* of that silence; 0 with another detector */
};

/* Exact at rest. */
struct weft_heart_stats {
	enum weft_heart_state state; /* as of the last look */
	uint64_t beats;              /* that were made */
	uint64_t seen;               /* of them, by the monitor */
	uint64_t dropped;            /* pulses, the channel being full */
	uint64_t received;           /* pulses */
	/* Pulses that came a second time, or were never sent: the channel's
	 * fault. They count for nothing. */
	uint64_t odd;
	int64_t silent_ns; /* up to now; 0 when unknown */
	double phi;        /* of that; 0 with another detector */
};

/* Exact at rest. Of hearts that are there, but for the last lines. */
struct weft_monitor_stats {
	uint64_t hearts;
	uint64_t unknown, alive, suspect, dead;

	uint64_t deaths, revivals; /* reported */
	uint64_t suspicions;
	uint64_t looks, late_looks;
};

/*
 * Make a monitor without hearts.
 *
 * Returns 0, also for a context that has ended, and then it is stopped; -EINVAL
 * for NULL, an interval below 1, a timeout below the interval, more between
 * looks than the interval, anything negative or above a quarter of INT64_MAX,
 * an unknown word, a threshold or a window above its maximum, a threshold that
 * is no number, a channel without a bound (it would grow while nobody looks) or
 * one that cannot have that capacity; -ENOMEM; for a context with a deadline
 * also what weft_ctx_after() says. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int
weft_monitor_new(struct weft_monitor **out,
                 const struct weft_monitor_opts *opts);

/* Free the monitor and the hearts that are left. NULL is ignored. No other call
 * on either may be under way. */
WEFT_API void weft_monitor_free(struct weft_monitor *m);

/*
 * Look after the hearts until there is something to report.
 *
 * Returns 0, and then *out is written; the reason of a monitor that was stopped
 * or has failed; -EPIPE when it was closed and the last heart has been freed;
 * -ETIMEDOUT, never when there was something, though with WEFT_NOW nothing is
 * looked for before the next look is due; -EBUSY when another task receives;
 * -EINVAL for NULL.
 *
 * A report may be about a heart that is being freed meanwhile; after
 * weft_heart_free() none is made.
 */
WEFT_API WEFT_NODISCARD int weft_monitor_recv(struct weft_monitor *m,
                                              struct weft_heart_report *out,
                                              int64_t deadline_ns);

/* The same without waiting: -EAGAIN instead of -ETIMEDOUT. */
WEFT_API WEFT_NODISCARD int
weft_monitor_try_recv(struct weft_monitor *m, struct weft_heart_report *out);

/* No more hearts; those that are there are looked after until they have been
 * freed. Does not wait. Returns 0; -EPIPE when it was closed, stopped or had
 * failed before; -EINVAL for NULL. */
WEFT_API int weft_monitor_close(struct weft_monitor *m);

/* Stop: nobody is looked after any more, and who receives gets -ECANCELED.
 * Does not wait; any number of times. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_monitor_stop(struct weft_monitor *m);

/* The same with an error of the caller's: the first reason stays. Returns 0;
 * -EINVAL for NULL, or an err that is not negative. -EAGAIN, -ETIMEDOUT and
 * -EPIPE become -EIO. */
WEFT_API int weft_monitor_fail(struct weft_monitor *m, int err);

/* Figures. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_monitor_stats(struct weft_monitor *m,
                                struct weft_monitor_stats *out);

/* --- hearts --- */

/*
 * Make a heart, which is looked after from now on.
 *
 * arg  is told with each report.
 *
 * Returns 0; -EPIPE when the monitor was closed; its reason when it was stopped
 * or has failed; -EINVAL for NULL; -ENOMEM; what weft_chan_new() says of a
 * channel. On failure *out is untouched.
 */
WEFT_API WEFT_NODISCARD int weft_heart_new(struct weft_heart **out,
                                           struct weft_monitor *m, void *arg);

/* Take the heart from the monitor and free it: its worker is done, or is known
 * to be dead. No call on it may be under way. NULL is ignored. */
WEFT_API void weft_heart_free(struct weft_heart *h);

/*
 * One beat: a unit of work is done, or an interval has passed.
 *
 * Never waits. With WEFT_BEAT_STORE it makes no system call, and neither kind
 * allocates.
 *
 * Returns 0, also when its pulse was dropped; the reason of a monitor that was
 * stopped or has failed: nobody listens, and the worker may go on; -EINVAL for
 * NULL; -EPIPE or -ENOMEM from a channel.
 */
WEFT_API int weft_heart_beat(struct weft_heart *h);

/*
 * Wait, and beat meanwhile, before and after it and every interval, or half the
 * timeout where that is less: for a worker that is alive though it makes no
 * progress. Each returns as the call of <weft/chan.h>, or of
 * weft_sleep_until(); a monitor that ends changes nothing. sleep: 0, or -EINVAL
 * for NULL.
 */
WEFT_API WEFT_NODISCARD int weft_heart_send(struct weft_heart *h,
                                            struct weft_chan *c,
                                            const void *elem,
                                            int64_t deadline_ns);
WEFT_API WEFT_NODISCARD int weft_heart_recv(struct weft_heart *h,
                                            struct weft_chan *c, void *elem,
                                            int64_t deadline_ns);
WEFT_API int weft_heart_sleep(struct weft_heart *h, int64_t deadline_ns);

/* Figures. Returns 0, or -EINVAL for NULL. */
WEFT_API int weft_heart_stats(struct weft_heart *h,
                              struct weft_heart_stats *out);

WEFT_END_DECLS

#endif
