/* The loop: its turns, the task that runs it, and how it ends. */
#include "base/cacheline.h"
#include "base/check.h"
#include "common/ends.h"
#include "internal.h"

#define BATCH_DEFAULT 16
#define AGE_DEFAULT 64

/* --- handlers --- */

void weft_loop_done(struct weft_loop *l, int err)
{
	if (__builtin_expect(err < 0, 0)) {
		count_add(&l->n.failed, 1);
		if (l->opts.on_error == WEFT_ON_ERROR_STOP)
			weft_ending_fail(&l->end, err);
	}
}

/* --- turns --- */

static unsigned take_events(struct weft_loop *l)
{
	struct weft_loop_source *s;
	unsigned n = 0;

	while (n < l->opts.batch && !weft_ending_is_set(&l->end) &&
	       (s = weft_loop_pick(l))) {
		weft_loop_handle(l, s);
		n++;
	}
	return n;
}

/* What there is to be done without a wait. How much it was. */
static unsigned work(struct weft_loop *l)
{
	unsigned n = weft_loop_timers_run(l);

	n += take_events(l);
	n += weft_loop_poll(l);
	if (n)
		count_add(&l->n.turns, 1);
	return n;
}

/* An event that came meanwhile has been received, and waits for its turn. */
static int wait_in_select(struct weft_loop *l, int64_t deadline_ns)
{
	int k = weft_select(l->cases, l->lanes + 1, deadline_ns);

	l->now_ns = weft_now();
	if (k == -ETIMEDOUT || k == (int)l->lanes)
		return 0;
	if (k < 0)
		return k;
	if (l->cases[k].err)
		weft_loop_lane_ended(l, (unsigned)k);
	else
		weft_store_relaxed(&l->held_of, l->lane[k].chan);
	return 0;
}

/* Returns 0, and then there may be something to do, or -errno. */
static int wait(struct weft_loop *l, int64_t deadline_ns)
{
	int64_t since = weft_now(), until;
	int err;

	CHECK(!weft_load_relaxed(&l->held_of)); /* it would be overwritten */
	until = weft_loop_earlier(deadline_ns, weft_loop_timers_next(l));
	count_add(&l->n.waits, 1);
	err = weft_loop_is_queue(l) ? weft_loop_wait_fd(l, until)
	                            : wait_in_select(l, until);
	count_add(&l->n.idle_ns, l->now_ns - since);
	return err;
}

static int why_not(struct weft_loop *l)
{
	int why = weft_ending_why(&l->end);

	if (why)
		return why;
	if (weft_load_relaxed(&l->broken) &&
	    weft_xchg_acq_rel(&l->broken, false))
		return -EINTR;
	return 0;
}

/* One turn in which something happens. After the end, which the turn of the
 * last event finds out, there is none, whatever is due or ready then. */
static int turn(struct weft_loop *l, int64_t deadline_ns)
{
	bool expired;
	int err;

	do {
		err = why_not(l);
		if (err)
			return err;
		if (!l->live)
			return -EPIPE;
		l->now_ns = weft_now();
		expired = deadline_ns <= l->now_ns;
		if (work(l))
			return 0;
		/* Only an end that has come meanwhile leaves it there. */
		if (weft_load_relaxed(&l->held_of))
			continue;
		if (expired && l->live)
			return -ETIMEDOUT;
		if (l->live)
			err = wait(l, deadline_ns);
	} while (!err);
	return err;
}

/* --- running --- */

/* One call that runs the loop. */
struct drive {
	struct weft_loop *l;
	int64_t deadline_ns;
	bool once, again;
	int err;
};

static int drive(void *arg)
{
	struct drive *d = arg;

	do
		d->err = turn(d->l, d->deadline_ns);
	while (!d->err && !d->once);
	return 0;
}

/* The call ends. What a stop leaves behind is discarded by the task that was
 * running the loop, once nothing comes in any more. */
static void leave(struct drive *d)
{
	struct weft_loop *l = d->l;
	int reason = weft_ending_why(&l->end);

	if (reason) {
		weft_ending_complete(&l->end);
		weft_loop_discard(l);
		if (d->err == -EPIPE)
			d->err = reason; /* the loop has found out too late */
	}
	weft_store_release(&l->owner, NULL);
}

static void drive_left(void *arg, enum weft_guard_end end, int status)
{
	struct drive *d = arg;

	d->again = false;
	if (end == WEFT_GUARD_RETURNED)
		return;
	d->err = 0; /* there was a turn */
	weft_loop_done(d->l, status < 0 ? status : -ECANCELED);
	if (end == WEFT_GUARD_DIED)
		leave(d);
	else
		d->again = !d->once;
}

static int drive_loop(struct weft_loop *l, int64_t deadline_ns, bool once)
{
	struct drive d = { .l = l, .deadline_ns = deadline_ns, .once = once };
	struct weft_task *none = NULL;

	if (!weft_cas_acq_rel(&l->owner, &none, weft_self()))
		return -EBUSY;
	do
		weft_guard(drive, &d, drive_left);
	while (d.again);
	leave(&d);
	return d.err;
}

int weft_loop_run(struct weft_loop *l)
{
	int err;

	if (!l)
		return -EINVAL;
	err = drive_loop(l, WEFT_FOREVER, false);
	return err == -EPIPE ? 0 : err;
}

int weft_loop_run_once(struct weft_loop *l, int64_t deadline_ns)
{
	return l ? drive_loop(l, deadline_ns, true) : -EINVAL;
}

int weft_loop_break(struct weft_loop *l)
{
	if (!l)
		return -EINVAL;
	weft_store_release(&l->broken, true);
	weft_loop_wake(l);
	return 0;
}

int64_t weft_loop_now(const struct weft_loop *l)
{
	return l ? l->now_ns : 0;
}

/* --- the end --- */

/* As long as a task runs the loop, an event may be on its way to its handler,
 * and the last handler of all may still fail. */
static bool too_late(void *arg)
{
	struct weft_loop *l = arg;
	bool late;

	if (!weft_load_acquire(&l->closed) || weft_load_acquire(&l->owner))
		return false;
	weft_lock_acquire(&l->lock);
	late = weft_loop_lanes_are_empty(l);
	weft_lock_release(&l->lock);
	return late;
}

static void release(void *arg)
{
	struct weft_loop *l = arg;

	weft_lock_acquire(&l->lock);
	weft_loop_lanes_close(l);
	weft_lock_release(&l->lock);
	weft_loop_wake(l);
}

static const struct weft_ending_ops ending_ops = { too_late, release };

int weft_loop_close(struct weft_loop *l)
{
	if (!l)
		return -EINVAL;
	if (weft_ending_why(&l->end) || weft_xchg_acq_rel(&l->closed, true))
		return -EPIPE;
	release(l);
	return 0;
}

int weft_loop_stop(struct weft_loop *l)
{
	return l ? weft_ending_stop(&l->end, -ECANCELED) : -EINVAL;
}

int weft_loop_fail(struct weft_loop *l, int err)
{
	return l ? weft_ending_fail(&l->end, err) : -EINVAL;
}

int weft_loop_stats(const struct weft_loop *l, struct weft_loop_stats *out)
{
	if (!l || !out)
		return -EINVAL;
	*out = (struct weft_loop_stats){
		.turns = weft_load_relaxed(&l->n.turns),
		.waits = weft_load_relaxed(&l->n.waits),
		.events = weft_load_relaxed(&l->n.events),
		.timers = weft_load_relaxed(&l->n.timers),
		.descriptors = weft_load_relaxed(&l->n.descriptors),
		.failed = weft_load_relaxed(&l->n.failed),
		.drained = weft_load_relaxed(&l->n.drained),
		.discarded = weft_load_relaxed(&l->n.discarded),
		.idle_ns = weft_load_relaxed(&l->n.idle_ns),
	};
	return 0;
}

/* --- making and freeing --- */

static bool is_good(const struct weft_loop_opts *o)
{
	return (unsigned)o->kind <= WEFT_LOOP_QUEUE &&
	       (unsigned)o->wait <= WEFT_WAIT_PARK &&
	       (unsigned)o->on_error <= WEFT_ON_ERROR_SKIP &&
	       o->elem_size <= WEFT_ELEM_MAX &&
	       o->batch <= WEFT_LOOP_BATCH_MAX &&
	       o->post_prio <= WEFT_LOOP_PRIO_MAX &&
	       ends_suit(o->impl, o->senders, 1);
}

static void fill_in(struct weft_loop_opts *o)
{
	o->impl = o->impl ? o->impl : weft_chan_impl_find("handoff");
	o->batch = o->batch ? o->batch : BATCH_DEFAULT;
	o->age = o->age ? o->age : AGE_DEFAULT;
}

static int init(struct weft_loop *l)
{
	int err;

	weft_ending_init(&l->end, &ending_ops, l);
	weft_lock_init(&l->lock);
	list_init(&l->due);
	list_init(&l->timers);
	err = weft_loop_poller_init(l);
	if (!err)
		err = weft_loop_lanes_init(l);
	return err ? err : weft_ending_watch(&l->end, l->opts.ctx);
}

int weft_loop_new(struct weft_loop **out, const struct weft_loop_opts *opts)
{
	struct weft_loop_opts filled = { .kind = WEFT_LOOP_SELECT };
	struct weft_loop *l;
	int err;

	if (opts)
		filled = *opts;
	fill_in(&filled);
	if (!out || !is_good(&filled))
		return -EINVAL;
	l = cacheline_new(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->opts = filled;
	err = init(l);
	if (err)
		weft_loop_free(l);
	else
		*out = l;
	return err;
}

void weft_loop_free(struct weft_loop *l)
{
	if (!l)
		return;
	weft_ending_unwatch(&l->end);
	weft_loop_timers_free(l);
	weft_loop_poller_free(l);
	weft_loop_lanes_free(l);
	free(l);
}
