#include "sync/timers.h"

#include <errno.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/task.h>

#include "chan/internal.h"

#define LINGER_NS WEFT_SEC
#define DEFAULT_KIND TIMER_HEAP

static struct weft_timer *timer_of(struct timer_entry *e)
{
	return list_entry(e, struct weft_timer, entry);
}

/* --- the task; all of this with the lock held --- */

/* Wake the task if it would wake after `ns`. */
static void be_awake_at(struct timers *s, int64_t ns)
{
	if (ns < s->wakes_ns && s->task)
		weft_unpark(s->task);
}

/* No timer is armed any more: for the run, whichever task disarmed the last
 * one. */
static void begin_to_linger(struct timers *s)
{
	s->idle_until_ns = weft_deadline_add(weft_run_now(s->run), LINGER_NS);
	be_awake_at(s, s->idle_until_ns);
}

void weft_timers_release(struct timers *s, struct weft_timer *t)
{
	s->made--;
	if (!t->loose)
		weft_chan_unref(t->chan);
	free(t);
}

static void unref(struct timers *s)
{
	if (weft_fetch_sub_acq_rel(&s->refs, 1u) != 1)
		return;
	timer_queue_fini(&s->queue);
	free(s);
}

/* Nobody can receive any more. Called by the last of them, and without the
 * lock: a fire that comes first finds no channel, and leaves the timer here. */
static void channel_gone(void *arg)
{
	struct weft_timer *t = arg;
	struct timers *s = t->timers;

	weft_lock_acquire(&s->lock);
	weft_timers_disarm(s, t);
	weft_timers_release(s, t);
	weft_lock_release(&s->lock);
	unref(s);
}

void weft_timers_let_loose(struct timers *s, struct weft_timer *t)
{
	t->loose = true;
	t->chan->gone = channel_gone;
	t->chan->gone_arg = t;
	weft_fetch_add_relaxed(&s->refs, 1u);
}

/* A tick that finds the last one still there is dropped, and so is an element
 * of a channel that was closed. */
static void fire_chan(struct timers *s, struct weft_timer *t)
{
	int err = weft_chan_try_send(t->chan, &s->seen_ns);

	(void)err;
}

/* A loose timer that is not armed any more ends, `fires` with a last element.
 */
static void end_loose(struct timers *s, struct weft_timer *t, bool fires)
{
	struct weft_chan *c = t->chan;

	if (!weft_chan_ref_unless_gone(c))
		return; /* channel_gone() is about to come */
	c->gone = NULL;
	if (fires)
		fire_chan(s, t);
	weft_timers_release(s, t);
	weft_chan_unref(c);
	weft_fetch_sub_relaxed(&s->refs, (size_t)1); /* the run has one more */
}

static void fire_fn(struct timers *s, struct weft_timer *t)
{
	void (*fn)(void *) = t->fn;
	void *arg = t->arg;

	if (!weft_service_begin(s->run))
		return; /* the run is over */
	weft_waitgroup_add(&t->calls, 1);
	s->calling = t;
	weft_lock_release(&s->lock);
	fn(arg);
	weft_lock_acquire(&s->lock);
	if (s->calling) {
		weft_waitgroup_done(&t->calls);
		s->calling = NULL;
	}
	weft_service_end(s->run);
}

/* The next multiple of the period after `now`. */
static int64_t next_tick(const struct weft_timer *t, int64_t now)
{
	return weft_deadline_add(now - (now - t->entry.due_ns) % t->period_ns,
	                         t->period_ns);
}

static void fire(struct timers *s, struct weft_timer *t)
{
	timer_queue_remove(&s->queue, &t->entry);
	if (t->period_ns)
		timer_queue_push(&s->queue, &t->entry,
		                 next_tick(t, s->seen_ns));
	if (!timer_queue_len(&s->queue))
		begin_to_linger(s);
	if (t->loose)
		end_loose(s, t, true);
	else if (t->chan)
		fire_chan(s, t);
	else
		fire_fn(s, t);
}

/*
 * One round: what is due at one instant and was armed before. What comes due
 * meanwhile, such as the next tick of a short period or a function that arms
 * itself for a time gone by, has to wait for the next round; tasks that want
 * the lock and timers that have been due for longer come first.
 */
static void fire_due(struct timers *s)
{
	uint64_t pushed = timer_queue_pushed(&s->queue);
	struct timer_entry *e;

	s->seen_ns = weft_now();
	timer_queue_pass(&s->queue, s->seen_ns);
	while (!s->stopping && (e = timer_queue_first(&s->queue)) &&
	       e->due_ns <= s->seen_ns && e->number < pushed)
		fire(s, timer_of(e));
}

/* Let go of the lock until then. The lock is not fair: with no time to sleep,
 * at least yield to the tasks that want it. */
static void pause_until(struct timers *s, int64_t deadline_ns)
{
	bool due = deadline_ns <= weft_now();

	if (!due)
		s->wakes_ns = deadline_ns;
	weft_lock_release(&s->lock);
	if (due) {
		weft_yield();
	} else {
		weft_wait_begin("the next timer", s);
		weft_park(deadline_ns);
		weft_wait_done();
	}
	weft_lock_acquire(&s->lock);
	s->wakes_ns = WEFT_NOW;
}

static int serve(void *arg)
{
	struct timers *s = arg;
	struct timer_entry *next;

	weft_lock_acquire(&s->lock);
	s->task = weft_self();
	for (;;) {
		fire_due(s);
		next = timer_queue_first(&s->queue);
		if (s->stopping || (!next && s->seen_ns >= s->idle_until_ns))
			break;
		pause_until(s, next ? next->due_ns : s->idle_until_ns);
	}
	s->task = NULL;
	s->serving = false;
	weft_lock_release(&s->lock);
	return 0;
}

static int ensure_serving(struct timers *s)
{
	int err;

	if (s->serving)
		return 0;
	err = weft_service_spawn(s->run, "timers", serve, s);
	s->serving = !err;
	return err;
}

/* --- the service --- */

static struct timers *timers_of(struct service *service)
{
	return list_entry(service, struct timers, service);
}

static void stop_serving(struct service *service)
{
	struct timers *s = timers_of(service);

	weft_lock_acquire(&s->lock);
	s->stopping = true;
	if (s->task)
		weft_unpark(s->task);
	weft_lock_release(&s->lock);
}

/* What is pending never fires. Of that, only the loose ones are ours. */
static void free_timers(struct service *service)
{
	struct timers *s = timers_of(service);
	struct timer_entry *e;

	weft_lock_acquire(&s->lock);
	while ((e = timer_queue_first(&s->queue))) {
		timer_queue_remove(&s->queue, e);
		if (timer_of(e)->loose)
			end_loose(s, timer_of(e), false);
	}
	s->run = NULL;
	weft_lock_release(&s->lock);
	unref(s);
}

static struct timers *timers_new(struct run *r)
{
	struct timers *s = aligned_alloc(_Alignof(struct timers), sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct timers){ .run = r, .queue.kind = DEFAULT_KIND };
	s->service = (struct service){ stop_serving, free_timers };
	weft_store_relaxed(&s->refs, (size_t)1);
	weft_lock_init(&s->lock);
	return s;
}

int weft_timers_get(struct timers **out)
{
	struct weft_task *me = weft_self_or_null();
	struct service *service;
	struct timers *s;

	if (!me || !me->run)
		return -EINVAL;
	service = weft_load_acquire(&me->run->timers); /* [timers] */
	if (!service) {
		s = timers_new(me->run);
		if (!s)
			return -ENOMEM;
		/* [timers] */
		if (weft_cas_acq_rel(&me->run->timers, &service, &s->service))
			service = &s->service;
		else
			free(s);
	}
	*out = timers_of(service);
	return 0;
}

int weft_timers_use(enum timer_kind kind)
{
	struct timers *s;
	int err = weft_timers_get(&s);

	if (err)
		return err;
	weft_lock_acquire(&s->lock);
	if (s->made)
		err = -EBUSY;
	else
		s->queue.kind = kind;
	weft_lock_release(&s->lock);
	return err;
}

/* --- what timers need of it --- */

int weft_timers_enroll(struct timers *s)
{
	int err;

	weft_lock_acquire(&s->lock);
	err = timer_queue_reserve(&s->queue, s->made + 1);
	s->made += !err;
	weft_lock_release(&s->lock);
	return err;
}

bool weft_timers_is_inside(const struct timers *s, const struct weft_timer *t)
{
	return s->calling == t && s->task == weft_self_or_null();
}

int weft_timers_arm(struct timers *s, struct weft_timer *t, int64_t due_ns)
{
	int err;

	if (t->stopping && weft_timers_is_inside(s, t))
		return 0;
	err = ensure_serving(s);
	if (err)
		return err;
	if (timer_entry_is_armed(&t->entry))
		timer_queue_remove(&s->queue, &t->entry);
	/* Not before those that have been due since the last round. */
	if (due_ns < s->seen_ns)
		due_ns = s->seen_ns;
	timer_queue_push(&s->queue, &t->entry, due_ns);
	be_awake_at(s, due_ns);
	return 0;
}

bool weft_timers_disarm(struct timers *s, struct weft_timer *t)
{
	if (!timer_entry_is_armed(&t->entry))
		return false;
	timer_queue_remove(&s->queue, &t->entry);
	if (!timer_queue_len(&s->queue))
		begin_to_linger(s);
	return true;
}
