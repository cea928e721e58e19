/*
 * timer: a channel that something arrives on at a given time.
 *
 * The elements are int64_t, the weft_now() of the fire. Channels have capacity
 * 1 and may stand in a select; they belong to their timer.
 *
 * One task of the run serves all of its timers. It starts with the first, ends
 * after a second without one (on the clock of the run, which all timers obey),
 * and does not keep the run from ending: what is pending then never fires. It
 * is not counted in weft_run_stats(). weft_clock_settle() waits until it has
 * delivered everything that is due.
 *
 * A timer belongs to the run that made it and is freed before that ends. Any
 * task of the run may call anything below at any time on a live timer.
 */
#ifndef WEFT_TIMER_H
#define WEFT_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/export.h>
#include <weft/time.h>

WEFT_BEGIN_DECLS

struct weft_timer;
struct weft_ticker;

/*
 * A channel that receives one element at `deadline_ns` and none after it. The
 * caller's one reference may go at any time, before the element comes or after
 * the run too. The last reference takes the timer with it: nothing is left of
 * one that is not waited for.
 *
 * Returns 0; -EINVAL for NULL or outside of a run; -ENOMEM; -EAGAIN when the
 * system has no thread for the timer task.
 */
WEFT_API WEFT_NODISCARD int weft_after(struct weft_chan **out,
                                       int64_t deadline_ns);

/* Make a timer that is not armed. Returns as weft_after(). */
WEFT_API WEFT_NODISCARD int weft_timer_new(struct weft_timer **out);

/*
 * Make a timer that calls fn(arg) instead, on the timer task: fn must not wait,
 * or all other timers wait as well, and must return. It has no channel. The run
 * does not end while a call is under way, nor without the tasks that it spawns.
 * Returns as weft_after(), and -EINVAL without fn.
 */
WEFT_API WEFT_NODISCARD int
weft_timer_new_func(struct weft_timer **out, void (*fn)(void *arg), void *arg);

/* Stop and free the timer. NULL is ignored. Nobody may be waiting on its
 * channel. A call of fn that is under way is waited for, as in
 * weft_timer_stop().
 */
WEFT_API void weft_timer_free(struct weft_timer *t);

/* Where a timer without fn delivers; NULL for one with it. */
WEFT_API struct weft_chan *weft_timer_chan(struct weft_timer *t);

/*
 * Arm the timer for `deadline_ns`, whatever it was armed for before. A fire
 * that has not been received is taken back: what is received after this call
 * is of `deadline_ns`. fn may arm its own timer again.
 *
 * stopped  receives what weft_timer_stop() would have returned, unless the
 * result is -EINVAL; may be NULL.
 *
 * Returns as weft_after().
 */
WEFT_API WEFT_NODISCARD int
weft_timer_reset(struct weft_timer *t, int64_t deadline_ns, bool *stopped);

/*
 * Disarm the timer. A fire that has not been received is taken back, so after
 * this nothing is received, whatever the result. Of a timer with fn, a call
 * that is under way is waited for, unless it is fn itself that asks; when that
 * call arms its timer again meanwhile, nothing happens.
 *
 * Returns true when that prevented a fire from being received (or fn from
 * being called): it was armed, or had fired and nobody had taken it.
 */
WEFT_API bool weft_timer_stop(struct weft_timer *t);

/*
 * Make a ticker that fires every `period_ns`, first one period from now. It
 * keeps to multiples of the period from there on, however late it is served;
 * ticks that find the last one not yet received, or that were missed, are
 * dropped, so at most one is pending.
 *
 * Returns as weft_after(), and -EINVAL for a period below 1.
 */
WEFT_API WEFT_NODISCARD int weft_ticker_new(struct weft_ticker **out,
                                            int64_t period_ns);

/* As weft_timer_free(). */
WEFT_API void weft_ticker_free(struct weft_ticker *t);

WEFT_API struct weft_chan *weft_ticker_chan(struct weft_ticker *t);

/*
 * Stop the ticks until weft_ticker_reset(). A pending tick is taken back, so
 * after this nothing is received. Returns true when there was one, or another
 * to come.
 */
WEFT_API bool weft_ticker_stop(struct weft_ticker *t);

/* From now on every `period_ns`, first one period from now; a pending tick is
 * taken back. Returns as weft_ticker_new(). */
WEFT_API WEFT_NODISCARD int weft_ticker_reset(struct weft_ticker *t,
                                              int64_t period_ns);

WEFT_END_DECLS

#endif
