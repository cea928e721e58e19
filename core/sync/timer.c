/*
 * timer: one timer, by itself. What it shares with all others of its run is in
 * timers.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "chan/internal.h"
#include "sync/timers.h"

/* --- with the lock held --- */

/* True when there was a fire that nobody had received. */
static bool take_back(struct weft_timer *t)
{
	int64_t fired;

	return t->chan && weft_chan_try_recv(t->chan, &fired) == 0;
}

/* Let go of the lock while a call is under way. */
static void await_call(struct timers *s, struct weft_timer *t)
{
	t->stopping++;
	weft_lock_release(&s->lock);
	CHECK_EQ(weft_waitgroup_wait(&t->calls, WEFT_FOREVER), 0);
	weft_lock_acquire(&s->lock);
	t->stopping--;
}

/* True when that prevented a fire. */
static bool stop(struct timers *s, struct weft_timer *t)
{
	bool stopped = weft_timers_disarm(s, t);

	stopped |= take_back(t);
	if (s->calling == t && !weft_timers_is_inside(s, t))
		await_call(s, t);
	return stopped;
}

/* --- making --- */

int weft_timer_make(struct weft_timer **out, void (*fn)(void *arg), void *arg)
{
	struct weft_timer *t;
	struct timers *s;
	int err;

	err = weft_timers_get(&s);
	if (err)
		return err;
	t = aligned_alloc(_Alignof(struct weft_timer), sizeof(*t));
	if (!t)
		return -ENOMEM;
	*t = (struct weft_timer){ .timers = s, .fn = fn, .arg = arg };
	t->entry.at = TIMER_UNARMED;
	weft_waitgroup_init(&t->calls);
	err = fn ? 0
	         : weft_chan_new(&t->chan, &weft_chan_impl_handoff, 1,
	                         sizeof(int64_t), NULL);
	if (err)
		goto free_timer;
	err = weft_timers_enroll(s);
	if (err)
		goto free_chan;
	*out = t;
	return 0;

free_chan:
	weft_chan_unref(t->chan);
free_timer:
	free(t);
	return err;
}

int weft_timer_new(struct weft_timer **out)
{
	return out ? weft_timer_make(out, NULL, NULL) : -EINVAL;
}

int weft_timer_new_func(struct weft_timer **out, void (*fn)(void *arg),
                        void *arg)
{
	return out && fn ? weft_timer_make(out, fn, arg) : -EINVAL;
}

struct weft_chan *weft_timer_chan(struct weft_timer *t)
{
	return t ? t->chan : NULL;
}

/* --- arming and stopping --- */

int weft_timer_arm(struct weft_timer *t, int64_t deadline_ns, int64_t period_ns,
                   bool *stopped)
{
	bool was_armed;
	int err;

	weft_lock_acquire(&t->timers->lock);
	was_armed = timer_entry_is_armed(&t->entry);
	was_armed |= take_back(t);
	t->period_ns = period_ns;
	err = weft_timers_arm(t->timers, t, deadline_ns);
	weft_lock_release(&t->timers->lock);
	if (stopped)
		*stopped = was_armed;
	return err;
}

int weft_timer_reset(struct weft_timer *t, int64_t deadline_ns, bool *stopped)
{
	return t ? weft_timer_arm(t, deadline_ns, 0, stopped) : -EINVAL;
}

bool weft_timer_stop(struct weft_timer *t)
{
	bool stopped;

	if (!t)
		return false;
	weft_lock_acquire(&t->timers->lock);
	stopped = stop(t->timers, t);
	weft_lock_release(&t->timers->lock);
	return stopped;
}

void weft_timer_free(struct weft_timer *t)
{
	struct timers *s;

	if (!t)
		return;
	s = t->timers;
	weft_lock_acquire(&s->lock);
	stop(s, t);
	if (weft_timers_is_inside(s, t))
		s->calling = NULL;
	weft_timers_release(s, t);
	weft_lock_release(&s->lock);
}

/* --- after --- */

/* Arm it and leave it to its channel; what never fires need not be remembered.
 */
static int start_after(struct weft_timer *t, int64_t deadline_ns)
{
	int err;

	if (deadline_ns == WEFT_FOREVER) {
		weft_chan_ref(t->chan);
		weft_timers_release(t->timers, t);
		return 0;
	}
	err = weft_timers_arm(t->timers, t, deadline_ns);
	if (err)
		weft_timers_release(t->timers, t);
	else
		weft_timers_let_loose(t->timers, t);
	return err;
}

int weft_after(struct weft_chan **out, int64_t deadline_ns)
{
	struct weft_chan *c;
	struct weft_timer *t;
	struct timers *s;
	int err;

	if (!out)
		return -EINVAL;
	err = weft_timer_make(&t, NULL, NULL);
	if (err)
		return err;
	s = t->timers;
	c = t->chan;
	weft_lock_acquire(&s->lock);
	err = start_after(t, deadline_ns);
	weft_lock_release(&s->lock);
	if (!err)
		*out = c;
	return err;
}
