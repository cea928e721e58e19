/*
 * Timers: a heap, and one task of the run that waits for its top.
 *
 * Everything happens under one lock: arming, taking back, firing into a
 * channel. So a fire comes either before a stop, which then finds it in the
 * channel, or not at all.
 *
 * Functions are called outside of the lock. A timer counts the call that is
 * under way in a waitgroup, on which stop and free wait; what is asked from
 * within the call itself is recognised by its task, and a timer that is freed
 * there is not touched afterwards: `calling` says which is called, and free
 * clears it.
 *
 * The task is woken only by a timer that is due before it would wake by itself,
 * and stays asleep when one is disarmed: the usual life of a timer, armed and
 * stopped in time, costs no wake-up.
 *
 * The heap has room for every timer there is, so that arming one cannot fail
 * for want of memory. Timers that are due at the same time fire in the order in
 * which they were armed.
 */
#include <errno.h>
#include <stdlib.h>

#include <weft/sync.h>
#include <weft/task.h>
#include <weft/timer.h>

#include "base/check.h"
#include "chan/internal.h"
#include "task/internal.h"

#define LINGER_NS WEFT_SEC
#define UNARMED SIZE_MAX

struct weft_timer {
	struct weft_waitgroup calls; /* of fn, under way: 0 or 1 */
	struct timers *timers;
	struct weft_chan *chan; /* a reference; NULL with fn */
	void (*fn)(void *arg);
	void *arg;
	bool loose; /* of weft_after(): nobody has it, and it fires once */

	/* Guarded by the lock of the timers. */
	size_t at; /* its place in the heap */
	int64_t due_ns;
	uint64_t number;   /* among those that are due at the same time */
	int64_t period_ns; /* 0: once */
	unsigned stopping; /* those who wait for a call to end */
};

/* A timer with a period. */
struct weft_ticker {
	struct weft_timer timer;
};

/* All timers of a run. */
struct timers {
	struct weft_lock lock; /* guards the rest */
	struct service service;
	struct run *run;

	struct weft_timer **heap;
	size_t n, room;
	size_t made;     /* timers that there are; room for all of them */
	uint64_t armed;  /* so far */
	int64_t seen_ns; /* the time of the last round of fires */

	/* The task. */
	bool serving, stopping;
	struct weft_task *task; /* NULL while it has not begun */
	int64_t wakes_ns; /* when it does by itself; WEFT_NOW: it is awake */
	int64_t idle_until_ns; /* when it ends if the heap stays empty */
	struct weft_timer *calling;
};

/* --- the heap --- */

static bool is_before(const struct weft_timer *a, const struct weft_timer *b)
{
	if (a->due_ns != b->due_ns)
		return a->due_ns < b->due_ns;
	return a->number < b->number;
}

static void put(struct timers *s, size_t at, struct weft_timer *t)
{
	s->heap[at] = t;
	t->at = at;
}

/* Put t where it belongs, the place `at` being free. */
static void sift_up(struct timers *s, size_t at, struct weft_timer *t)
{
	while (at > 0 && is_before(t, s->heap[(at - 1) / 2])) {
		put(s, at, s->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(s, at, t);
}

static void sift_down(struct timers *s, size_t at, struct weft_timer *t)
{
	for (;;) {
		size_t next = 2 * at + 1;

		if (next + 1 < s->n &&
		    is_before(s->heap[next + 1], s->heap[next]))
			next++;
		if (next >= s->n || is_before(t, s->heap[next]))
			break;
		put(s, at, s->heap[next]);
		at = next;
	}
	put(s, at, t);
}

static void heap_push(struct timers *s, struct weft_timer *t)
{
	sift_up(s, s->n++, t);
}

static void heap_remove(struct timers *s, struct weft_timer *t)
{
	struct weft_timer *last = s->heap[--s->n];
	size_t at = t->at;

	t->at = UNARMED;
	if (last == t)
		return;
	if (at > 0 && is_before(last, s->heap[(at - 1) / 2]))
		sift_up(s, at, last);
	else
		sift_down(s, at, last);
}

/* Room for one more timer than there are. */
static int heap_reserve(struct timers *s)
{
	size_t room = s->room ? 2 * s->room : 16;
	struct weft_timer **heap;

	if (s->made < s->room)
		return 0;
	heap = realloc(s->heap, room * sizeof(struct weft_timer *));
	if (!heap)
		return -ENOMEM;
	s->heap = heap;
	s->room = room;
	return 0;
}

/* --- the task; all of this with the lock held --- */

/* Wake the task if it would wake after `ns`. */
static void be_awake_at(struct timers *s, int64_t ns)
{
	if (ns < s->wakes_ns && s->task)
		weft_unpark(s->task);
}

/* The heap has become empty: for the run, whoever emptied it. */
static void begin_to_linger(struct timers *s)
{
	s->idle_until_ns = weft_deadline_add(weft_run_now(s->run), LINGER_NS);
	be_awake_at(s, s->idle_until_ns);
}

static void timer_release(struct timers *s, struct weft_timer *t)
{
	s->made--;
	weft_chan_unref(t->chan);
	free(t);
}

/* A tick that finds the last one still there is dropped. */
static void fire_chan(struct timers *s, struct weft_timer *t, int64_t now)
{
	int err = weft_chan_try_send(t->chan, &now);

	(void)err;
	if (t->loose)
		timer_release(s, t);
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
	return weft_deadline_add(now - (now - t->due_ns) % t->period_ns,
	                         t->period_ns);
}

static void fire(struct timers *s, struct weft_timer *t, int64_t now)
{
	heap_remove(s, t);
	if (t->period_ns) {
		t->due_ns = next_tick(t, now);
		t->number = s->armed++;
		heap_push(s, t);
	}
	if (!s->n)
		begin_to_linger(s);
	if (t->chan)
		fire_chan(s, t, now);
	else
		fire_fn(s, t);
}

/*
 * One round: what is due at one instant and was armed before. What comes due
 * meanwhile, such as the next tick of a short period or a function that arms
 * itself for a time gone by, has to wait for the next round, and those who want
 * the lock or have been due for longer come first.
 */
static void fire_due(struct timers *s)
{
	uint64_t armed = s->armed;

	s->seen_ns = weft_now();
	while (!s->stopping && s->n && s->heap[0]->due_ns <= s->seen_ns &&
	       s->heap[0]->number < armed)
		fire(s, s->heap[0], s->seen_ns);
}

/* Let go of the lock until then. The lock is not fair: with no time to sleep,
 * at least yield to those who want it. */
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

	weft_lock_acquire(&s->lock);
	s->task = weft_self();
	for (;;) {
		fire_due(s);
		if (s->stopping || (!s->n && s->seen_ns >= s->idle_until_ns))
			break;
		pause_until(s, s->n ? s->heap[0]->due_ns : s->idle_until_ns);
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

	while (s->n) {
		struct weft_timer *t = s->heap[s->n - 1];

		heap_remove(s, t);
		if (t->loose)
			timer_release(s, t);
	}
	free(s->heap);
	free(s);
}

static struct timers *timers_new(struct run *r)
{
	struct timers *s = aligned_alloc(_Alignof(struct timers), sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct timers){ .run = r };
	s->service = (struct service){ stop_serving, free_timers };
	weft_lock_init(&s->lock);
	return s;
}

/* Those of the caller's run: 0, -EINVAL outside of one, -ENOMEM. */
static int timers_get(struct timers **out)
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

/* --- arming and taking back; with the lock held --- */

/* True when it was armed. */
static bool disarm(struct timers *s, struct weft_timer *t)
{
	if (t->at == UNARMED)
		return false;
	heap_remove(s, t);
	if (!s->n)
		begin_to_linger(s);
	return true;
}

/* True when there was a fire that nobody had received. */
static bool take_back(struct weft_timer *t)
{
	int64_t fired;

	return t->chan && weft_chan_try_recv(t->chan, &fired) == 0;
}

/* Whether the caller is inside t's own call. */
static bool is_inside(const struct timers *s, const struct weft_timer *t)
{
	return s->calling == t && s->task == weft_self_or_null();
}

/* A call that somebody waits for so that t stays unarmed, or goes, does not arm
 * it again. */
static int arm(struct timers *s, struct weft_timer *t, int64_t due_ns)
{
	int err;

	if (t->stopping && is_inside(s, t))
		return 0;
	err = ensure_serving(s);
	if (err)
		return err;
	if (t->at != UNARMED)
		heap_remove(s, t);
	/* Not before those that have been due since the last round. */
	t->due_ns = due_ns < s->seen_ns ? s->seen_ns : due_ns;
	t->number = s->armed++;
	heap_push(s, t);
	be_awake_at(s, t->due_ns);
	return 0;
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
	bool stopped = disarm(s, t);

	stopped |= take_back(t);
	if (s->calling == t && !is_inside(s, t))
		await_call(s, t);
	return stopped;
}

/* --- timers --- */

/* Make room in the heap. */
static int enroll(struct timers *s)
{
	int err;

	weft_lock_acquire(&s->lock);
	err = heap_reserve(s);
	s->made += !err;
	weft_lock_release(&s->lock);
	return err;
}

static int timer_make(struct weft_timer **out, void (*fn)(void *arg), void *arg)
{
	struct weft_timer *t;
	struct timers *s;
	int err;

	err = timers_get(&s);
	if (err)
		return err;
	t = aligned_alloc(_Alignof(struct weft_timer), sizeof(*t));
	if (!t)
		return -ENOMEM;
	*t = (struct weft_timer){
		.timers = s, .fn = fn, .arg = arg, .at = UNARMED
	};
	weft_waitgroup_init(&t->calls);
	err = fn ? 0
	         : weft_chan_new(&t->chan, &weft_chan_impl_handoff, 1,
	                         sizeof(int64_t), NULL);
	if (err)
		goto free_timer;
	err = enroll(s);
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
	return out ? timer_make(out, NULL, NULL) : -EINVAL;
}

int weft_timer_new_func(struct weft_timer **out, void (*fn)(void *arg),
                        void *arg)
{
	return out && fn ? timer_make(out, fn, arg) : -EINVAL;
}

struct weft_chan *weft_timer_chan(struct weft_timer *t)
{
	return t ? t->chan : NULL;
}

int weft_timer_reset(struct weft_timer *t, int64_t deadline_ns)
{
	int err;

	if (!t)
		return -EINVAL;
	weft_lock_acquire(&t->timers->lock);
	take_back(t);
	err = arm(t->timers, t, deadline_ns);
	weft_lock_release(&t->timers->lock);
	return err;
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
	if (s->calling == t)
		s->calling = NULL; /* it is the call that asks */
	timer_release(s, t);
	weft_lock_release(&s->lock);
}

int weft_after(struct weft_chan **out, int64_t deadline_ns)
{
	struct weft_chan *c;
	struct weft_timer *t;
	struct timers *s;
	int err;

	if (!out)
		return -EINVAL;
	err = timer_make(&t, NULL, NULL);
	if (err)
		return err;
	s = t->timers;
	c = weft_chan_ref(t->chan);
	t->loose = true;
	weft_lock_acquire(&s->lock);
	/* What never fires need not be remembered. */
	if (deadline_ns != WEFT_FOREVER)
		err = arm(s, t, deadline_ns);
	if (err || deadline_ns == WEFT_FOREVER)
		timer_release(s, t);
	weft_lock_release(&s->lock);
	if (err)
		weft_chan_unref(c);
	else
		*out = c;
	return err;
}

/* --- tickers --- */

/* Also the first time. */
static int start_ticking(struct weft_timer *t, int64_t period_ns)
{
	int err;

	weft_lock_acquire(&t->timers->lock);
	take_back(t);
	t->period_ns = period_ns;
	err = arm(t->timers, t, weft_deadline_in(period_ns));
	weft_lock_release(&t->timers->lock);
	return err;
}

int weft_ticker_new(struct weft_ticker **out, int64_t period_ns)
{
	struct weft_timer *t;
	int err;

	if (!out || period_ns < 1)
		return -EINVAL;
	err = timer_make(&t, NULL, NULL);
	if (err)
		return err;
	err = start_ticking(t, period_ns);
	if (err)
		weft_timer_free(t);
	else
		*out = (struct weft_ticker *)(void *)t;
	return err;
}

void weft_ticker_free(struct weft_ticker *t)
{
	if (t)
		weft_timer_free(&t->timer);
}

struct weft_chan *weft_ticker_chan(struct weft_ticker *t)
{
	return t ? t->timer.chan : NULL;
}

int weft_ticker_reset(struct weft_ticker *t, int64_t period_ns)
{
	if (!t || period_ns < 1)
		return -EINVAL;
	return start_ticking(&t->timer, period_ns);
}
