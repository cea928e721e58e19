/*
 * The manager: the supervisor's task, which makes all decisions.
 *
 * A round takes what others have put into the inbox, does what has become due,
 * goes on with what has to be done one after the other (a group that is started
 * again, the end), and then tells what has happened. Then it waits until the
 * bell rings or the next thing is due.
 *
 * What is told stands in a queue first: a callback that ends its task finds no
 * decision half made, and an heir goes on behind it.
 */
#include <math.h>

#include "internal.h"

/* A task that the system had no thread for is not asked for at once again. */
#define RETRY_NS (100 * WEFT_MS)
/* What a killed process may take to end. */
#define KILLED_NS (10 * WEFT_SEC)

static void child_over(struct weft_supervisor *s, struct child *c, int64_t now);

/* --- what is told --- */

static struct weft_supervisor_event *push_event(struct weft_supervisor *s)
{
	size_t room = s->room ? 2 * s->room : 16;
	void *more;

	if (s->n_events == s->room) {
		more = realloc(s->events, room * sizeof(*s->events));
		if (!more) {
			s->stats.events_lost++;
			return NULL;
		}
		s->events = more;
		s->room = room;
	}
	return &s->events[s->n_events++];
}

static void count(struct weft_supervisor_stats *stats,
                  const struct weft_supervisor_event *e)
{
	stats->started += e->what == WEFT_EVENT_STARTED;
	stats->restarts += e->what == WEFT_EVENT_STARTED && e->life > 0;
	stats->failed += e->what == WEFT_EVENT_FAILED;
	stats->hung +=
	        e->what == WEFT_EVENT_FAILED && e->end == WEFT_ENDED_BY_SILENCE;
	stats->unstopped += e->what == WEFT_EVENT_UNSTOPPED;
	stats->given_up += e->what == WEFT_EVENT_GIVEN_UP;
	stats->paused += e->what == WEFT_EVENT_PAUSED;
}

static void tell(struct weft_supervisor *s, struct weft_supervisor_event e)
{
	struct weft_supervisor_event *to;

	weft_lock_acquire(&s->lock);
	count(&s->stats, &e);
	to = s->opts.on_event ? push_event(s) : NULL;
	weft_lock_release(&s->lock);
	if (to)
		*to = e;
}

/* The same of a child, with the end that is noted for it. */
static void tell_of(struct weft_supervisor *s, const struct child *c,
                    enum weft_supervisor_what what, int64_t now, int64_t delay)
{
	struct weft_supervisor_event e = {
		.what = what,
		.child = c->info.id,
		.life = c->info.lives ? c->info.lives - 1 : 0,
		.end = c->info.end,
		.status = c->info.status,
		.delay_ns = delay,
		.at_ns = now,
		.pid = what == WEFT_EVENT_STARTED ? c->life->pid : 0,
	};

	memcpy(e.name, c->info.name, sizeof(e.name));
	tell(s, e);
}

static void tell_all(struct weft_supervisor *s)
{
	while (s->told < s->n_events) {
		struct weft_supervisor_event e = s->events[s->told++];

		s->opts.on_event(&e, s->opts.event_arg);
	}
	s->told = s->n_events = 0;
}

/* --- children --- */

static void set_state(struct weft_supervisor *s, struct child *c,
                      enum weft_child_state state)
{
	weft_lock_acquire(&s->lock);
	s->stats.running += state == WEFT_CHILD_RUNNING;
	s->stats.running -= c->info.state == WEFT_CHILD_RUNNING;
	c->info.state = state;
	weft_lock_release(&s->lock);
	weft_waiters_wake(&s->changed, SIZE_MAX);
}

static void note_end(struct weft_supervisor *s, struct child *c,
                     enum weft_child_end end, int status)
{
	weft_lock_acquire(&s->lock);
	c->info.end = end;
	c->info.status = status;
	weft_lock_release(&s->lock);
}

static void disarm(struct weft_supervisor *s, struct child *c)
{
	if (timer_entry_is_armed(&c->timer))
		weft_timer_heap_remove(&s->timers, &c->timer);
}

static void arm(struct weft_supervisor *s, struct child *c, int64_t due_ns)
{
	disarm(s, c);
	if (due_ns != WEFT_FOREVER)
		weft_timer_heap_push(&s->timers, &c->timer, due_ns);
}

/* Look when it has not beaten for longer than it may. */
static void arm_beat(struct weft_supervisor *s, struct child *c, int64_t last)
{
	arm(s, c,
	    weft_deadline_add(weft_deadline_add(last, c->opts.beat_ns), 1));
}

static struct child *after(struct weft_supervisor *s, struct child *c)
{
	return c->all.next == &s->children ? NULL : child_at(c->all.next);
}

static struct child *before(struct weft_supervisor *s, struct child *c)
{
	return c->all.prev == &s->children ? NULL : child_at(c->all.prev);
}

static struct child *first(struct weft_supervisor *s)
{
	return list_is_empty(&s->children) ? NULL : child_at(s->children.next);
}

static struct child *last(struct weft_supervisor *s)
{
	return list_is_empty(&s->children) ? NULL : child_at(s->children.prev);
}

static bool has_ended(const struct child *c)
{
	return c->info.state == WEFT_CHILD_ENDED ||
	       c->info.state == WEFT_CHILD_GIVEN_UP;
}

/* Whether a comes before b, or is it. */
static bool is_up_to(struct weft_supervisor *s, struct child *a,
                     const struct child *b)
{
	while (a && a != b)
		a = after(s, a);
	return a != NULL;
}

static bool is_in_group(struct weft_supervisor *s, struct child *c)
{
	return s->group && is_up_to(s, s->group, c);
}

static void remove_child(struct weft_supervisor *s, struct child *c)
{
	disarm(s, c);
	if (s->group == c)
		s->group = after(s, c);
	weft_lock_acquire(&s->lock);
	list_unlink(&c->all);
	list_unlink(&c->wanting);
	s->stats.children--;
	weft_lock_release(&s->lock);
	free((void *)(uintptr_t)c->opts.argv);
	free(c);
	weft_waiters_wake(&s->changed, SIZE_MAX);
}

/* --- stopping --- */

static void stop_child(struct weft_supervisor *s, struct child *c,
                       enum next next, int64_t now)
{
	if (next > c->next)
		c->next = next;
	if (c->info.state != WEFT_CHILD_RUNNING)
		return;
	set_state(s, c, WEFT_CHILD_STOPPING);
	arm(s, c, weft_deadline_add(now, c->opts.shutdown_ns));
	weft_life_stop(c->life, false);
}

/* Its place is free for another life. */
static void make_stray(struct weft_supervisor *s, struct child *c)
{
	struct weft_child *l = c->life;

	l->child = NULL;
	weft_lock_acquire(&s->lock);
	if (!l->has_left)
		list_push(&s->strays, &l->link);
	/* In one: a child that is unstopped has a life that is. */
	c->life = NULL;
	c->info.state = WEFT_CHILD_WAITING;
	weft_lock_release(&s->lock);
}

/* Its shutdown time is over. */
static void did_not_stop(struct weft_supervisor *s, struct child *c,
                         int64_t now)
{
	if (c->opts.argv && !c->life->killed) {
		c->life->killed = true;
		weft_life_stop(c->life, true);
		arm(s, c, weft_deadline_add(now, KILLED_NS));
		return;
	}
	set_state(s, c, WEFT_CHILD_UNSTOPPED);
	tell_of(s, c, WEFT_EVENT_UNSTOPPED, now, -1);
	if (c->next != NEXT_START || !c->opts.replace_hung)
		return;
	make_stray(s, c);
	child_over(s, c, now);
}

/* --- starting --- */

/* A number from 0 to below `most`. */
static int64_t some(int64_t most)
{
	return most > 0 ? (int64_t)(weft_rand() % (uint64_t)most) : 0;
}

static int64_t with_jitter(const struct weft_supervisor *s, int64_t ns)
{
	int64_t percent = ns / 100 * (int64_t)s->opts.jitter_percent;

	return weft_deadline_add(ns, some(percent));
}

static int64_t backoff(struct weft_supervisor *s, struct child *c, int64_t now)
{
	int64_t ns = s->opts.backoff_min_ns, max = s->opts.backoff_max_ns;

	if (!ns)
		return 0;
	if (now - c->begun_ns >= s->opts.backoff_reset_ns)
		c->quick = 0;
	for (unsigned i = 0; i < c->quick && ns < max; i++)
		ns = ns > max / 2 ? max : 2 * ns;
	if (ns < max)
		c->quick++;
	return with_jitter(s, ns);
}

/* Have c started at due_ns. */
static void await_start(struct weft_supervisor *s, struct child *c,
                        int64_t due_ns)
{
	c->due_ns = due_ns;
	set_state(s, c, WEFT_CHILD_WAITING);
	if (is_in_group(s, c))
		disarm(s, c); /* it is started when the group is */
	else
		arm(s, c, due_ns);
}

/* Whether one restart more is too many: then what follows from that is done. */
static void count_restart(struct weft_supervisor *s, int64_t now)
{
	double since = (double)(now - s->score_ns), score;
	int64_t pause;

	score = s->stats.score * exp2(-since / (double)s->opts.decay_ns) + 1;
	s->score_ns = now;
	weft_lock_acquire(&s->lock);
	s->stats.score = score;
	weft_lock_release(&s->lock);
	if (score <= s->opts.intensity || s->paused)
		return;
	if (!s->opts.pause_ns) {
		weft_ending_stop(&s->end, -ENOTRECOVERABLE);
		tell(s, (struct weft_supervisor_event){
		                .what = WEFT_EVENT_ESCALATED,
		                .delay_ns = -1,
		                .at_ns = now });
		return;
	}
	pause = with_jitter(s, s->opts.pause_ns);
	s->paused = true;
	s->resume_ns = weft_deadline_add(now, pause);
	tell(s, (struct weft_supervisor_event){ .what = WEFT_EVENT_PAUSED,
	                                        .delay_ns = pause,
	                                        .at_ns = now });
}

/* From when on it is in the group, c and those after it are started together,
 * at due_ns or later. */
static void join_group(struct weft_supervisor *s, struct child *c,
                       int64_t due_ns)
{
	if (s->opts.strategy == WEFT_ONE_FOR_ALL)
		c = first(s);
	if (!s->group) {
		s->group = c;
		s->group_ns = due_ns;
		return;
	}
	if (is_up_to(s, c, s->group))
		s->group = c;
	if (due_ns > s->group_ns)
		s->group_ns = due_ns;
}

/* Whether c is to be started again after such an end. */
static bool wants_restart(const struct weft_supervisor *s,
                          const struct child *c, bool failed)
{
	return !weft_ending_is_set(&s->end) && c->next != NEXT_REMOVE &&
	       (c->opts.kind == WEFT_PERMANENT ||
	        (c->opts.kind == WEFT_TRANSIENT && failed));
}

/* The end of c that has been noted was its own doing, and no-one else's: it has
 * no life any more, or one that hangs. */
static void ended_itself(struct weft_supervisor *s, struct child *c,
                         bool failed, int64_t least_ns, int64_t now)
{
	enum weft_supervisor_what what =
	        failed ? WEFT_EVENT_FAILED : WEFT_EVENT_ENDED;
	bool counted = is_in_group(s, c); /* it is to be started again anyway */
	int64_t delay;

	if (!wants_restart(s, c, failed)) {
		tell_of(s, c, what, now, -1);
		if (c->life)
			stop_child(s, c, NEXT_END, now);
		else
			set_state(s, c, WEFT_CHILD_ENDED);
		return;
	}
	delay = counted ? s->group_ns - now : backoff(s, c, now);
	delay = delay < least_ns ? least_ns : delay;
	tell_of(s, c, what, now, delay);
	if (!counted)
		count_restart(s, now);
	if (s->opts.strategy != WEFT_ONE_FOR_ONE)
		join_group(s, c, weft_deadline_add(now, delay));
	c->due_ns = weft_deadline_add(now, delay);
	if (c->life)
		stop_child(s, c, NEXT_START, now);
	else
		await_start(s, c, c->due_ns);
}

static void start_child(struct weft_supervisor *s, struct child *c, int64_t now)
{
	int err;

	disarm(s, c);
	c->next = NEXT_START;
	err = weft_life_begin(s, c);
	if (!err) {
		c->begun_ns = now;
		weft_lock_acquire(&s->lock);
		c->info.lives++;
		weft_lock_release(&s->lock);
		set_state(s, c, WEFT_CHILD_RUNNING);
		if (c->opts.beat_ns)
			arm_beat(s, c, now);
		tell_of(s, c, WEFT_EVENT_STARTED, now, -1);
		return;
	}
	note_end(s, c, WEFT_ENDED_NOT_BEGUN, err);
	c->begun_ns = now;
	if (!weft_life_is_hopeless(err)) {
		ended_itself(s, c, true, RETRY_NS, now);
		return;
	}
	tell_of(s, c, WEFT_EVENT_GIVEN_UP, now, -1);
	set_state(s, c, WEFT_CHILD_GIVEN_UP);
}

/* --- ends --- */

/* c has been stopped, or its place is free: what was to come next? */
static void child_over(struct weft_supervisor *s, struct child *c, int64_t now)
{
	disarm(s, c);
	switch (c->next) {
	case NEXT_REMOVE:
		remove_child(s, c);
		return;
	case NEXT_START:
		/* It belongs to a group, and was not what failed. */
		if (is_in_group(s, c) && c->opts.kind == WEFT_TEMPORARY)
			break;
		await_start(s, c, c->due_ns > now ? c->due_ns : now);
		return;
	case NEXT_END:
		break;
	}
	set_state(s, c, WEFT_CHILD_ENDED);
}

static void child_left(struct weft_supervisor *s, struct child *c, int64_t now)
{
	enum weft_child_state was = c->info.state;
	bool by_return = c->life->end == WEFT_ENDED_BY_RETURN;
	int status = c->life->status;

	note_end(s, c, c->life->end, status);
	weft_lock_acquire(&s->lock);
	c->life = NULL;
	weft_lock_release(&s->lock);
	disarm(s, c);
	if (was != WEFT_CHILD_RUNNING) {
		tell_of(s, c, WEFT_EVENT_STOPPED, now, -1);
		child_over(s, c, now);
	} else if (by_return &&
	           (status == WEFT_NO_RESTART || status == WEFT_END_TREE)) {
		tell_of(s, c, WEFT_EVENT_ENDED, now, -1);
		set_state(s, c, WEFT_CHILD_ENDED);
		if (status == WEFT_END_TREE)
			weft_ending_stop(&s->end, WEFT_END_TREE);
	} else {
		ended_itself(s, c, !by_return || status != 0, 0, now);
	}
}

/* --- the inbox --- */

static struct list *take(struct weft_supervisor *s, struct list *inbox)
{
	struct list *l;

	weft_lock_acquire(&s->lock);
	l = list_pop(inbox);
	weft_lock_release(&s->lock);
	return l;
}

/* From the inbox to the children in one, so that it can always be found. NULL:
 * there is none. */
static struct child *take_one_added(struct weft_supervisor *s, size_t *n)
{
	struct list *l;

	weft_lock_acquire(&s->lock);
	l = list_pop(&s->added);
	if (l)
		list_push(&s->children, l);
	*n = (size_t)s->stats.children;
	weft_lock_release(&s->lock);
	return l ? child_at(l) : NULL;
}

static void take_added(struct weft_supervisor *s, int64_t now)
{
	struct child *c;
	size_t n;
	int err;

	while ((c = take_one_added(s, &n))) {
		err = weft_timer_heap_reserve(&s->timers, n);
		if (err) {
			note_end(s, c, WEFT_ENDED_NOT_BEGUN, err);
			tell_of(s, c, WEFT_EVENT_GIVEN_UP, now, -1);
			set_state(s, c, WEFT_CHILD_GIVEN_UP);
		} else {
			await_start(s, c, now);
		}
	}
}

static void take_left(struct weft_supervisor *s, int64_t now)
{
	struct weft_child *life;
	struct list *l;

	while ((l = take(s, &s->left))) {
		life = list_entry(l, struct weft_child, link);
		weft_join(life->task, NULL);
		if (life->child)
			child_left(s, life->child, now);
		weft_life_put(life);
	}
}

static void want(struct weft_supervisor *s, struct child *c, unsigned wants,
                 int64_t now)
{
	enum next next = wants & WANT_REMOVE ? NEXT_REMOVE : NEXT_START;

	if (next == NEXT_REMOVE && !c->life) {
		remove_child(s, c);
		return;
	}
	if (next == NEXT_START) {
		c->quick = 0;
		c->due_ns = now;
		if (c->next == NEXT_END)
			c->next = NEXT_START;
	}
	if (c->life)
		stop_child(s, c, next, now);
	else if (is_in_group(s, c))
		await_start(s, c, now);
	else
		start_child(s, c, now);
}

static void take_wants(struct weft_supervisor *s, int64_t now)
{
	struct list *l;
	struct child *c;
	unsigned wants;

	while ((l = take(s, &s->wanting))) {
		c = list_entry(l, struct child, wanting);
		take_added(s, now); /* of which it may have been the last */
		weft_lock_acquire(&s->lock);
		wants = c->wants;
		c->wants = 0;
		weft_lock_release(&s->lock);
		if (!weft_ending_is_set(&s->end) || wants & WANT_REMOVE)
			want(s, c, wants, now);
	}
}

/* --- what is due --- */

static void resume(struct weft_supervisor *s, int64_t now)
{
	if (!s->paused || now < s->resume_ns)
		return;
	s->paused = false;
	weft_lock_acquire(&s->lock);
	s->stats.score = 0;
	weft_lock_release(&s->lock);
	tell(s, (struct weft_supervisor_event){ .what = WEFT_EVENT_RESUMED,
	                                        .delay_ns = -1,
	                                        .at_ns = now });
}

static void look_for_beat(struct weft_supervisor *s, struct child *c,
                          int64_t now)
{
	int64_t last_ns = weft_load_relaxed(&c->life->beat_ns);

	if (now - last_ns <= c->opts.beat_ns) {
		arm_beat(s, c, last_ns);
		return;
	}
	note_end(s, c, WEFT_ENDED_BY_SILENCE, -ETIMEDOUT);
	ended_itself(s, c, true, 0, now);
}

static void do_due(struct weft_supervisor *s, int64_t now)
{
	struct timer_entry *e;
	struct child *c;

	while ((e = timer_heap_first(&s->timers)) && e->due_ns <= now) {
		c = list_entry(e, struct child, timer);
		disarm(s, c);
		switch (c->info.state) {
		case WEFT_CHILD_WAITING:
			if (s->paused && c->info.lives)
				arm(s, c, s->resume_ns);
			else if (!weft_ending_is_set(&s->end))
				start_child(s, c, now);
			break;
		case WEFT_CHILD_RUNNING:
			look_for_beat(s, c, now);
			break;
		default:
			did_not_stop(s, c, now);
		}
	}
}

/* --- one after the other --- */

/* Stop `from` and those after it, the last first. Returns whether there is
 * nothing more to wait for. */
static bool stopped_from(struct weft_supervisor *s, struct child *from,
                         enum next next, int64_t now)
{
	struct child *c = last(s), *prev;

	for (; c; c = prev) {
		prev = c == from ? NULL : before(s, c);
		stop_child(s, c, next, now);
		if (c->info.state == WEFT_CHILD_STOPPING)
			return false;
		if (c->info.state != WEFT_CHILD_WAITING)
			continue;
		disarm(s, c);
		if (next == NEXT_END)
			set_state(s, c, WEFT_CHILD_ENDED);
	}
	return true;
}

/* A failure while it is under way is a failure of the next group. */
static void start_group(struct weft_supervisor *s, int64_t now)
{
	struct child *c = s->group;

	s->group = NULL;
	for (; c && !s->group && !weft_ending_is_set(&s->end); c = after(s, c))
		if (c->info.state == WEFT_CHILD_WAITING)
			start_child(s, c, now);
}

static void go_on_with_group(struct weft_supervisor *s, int64_t now)
{
	if (stopped_from(s, s->group, NEXT_START, now) && now >= s->group_ns &&
	    !s->paused)
		start_group(s, now);
}

/* Nothing is left that runs, or would be started. */
static bool has_come_to_an_end(struct weft_supervisor *s)
{
	bool all = true;

	weft_lock_acquire(&s->lock);
	all = list_is_empty(&s->added) && list_is_empty(&s->left) &&
	      list_is_empty(&s->wanting);
	weft_lock_release(&s->lock);
	for (struct child *c = first(s); c && all; c = after(s, c))
		all = has_ended(c) || (c->info.state == WEFT_CHILD_UNSTOPPED &&
		                       c->next != NEXT_START);
	return all;
}

static void finish(struct weft_supervisor *s)
{
	weft_lock_acquire(&s->lock);
	s->result = weft_ending_why(&s->end);
	s->over = true;
	weft_lock_release(&s->lock);
}

static void go_on(struct weft_supervisor *s, int64_t now)
{
	if (weft_ending_is_set(&s->end)) {
		s->group = NULL;
		if (stopped_from(s, NULL, NEXT_END, now))
			finish(s);
	} else if (s->group) {
		go_on_with_group(s, now);
	} else if (weft_load_acquire(&s->closed) && has_come_to_an_end(s)) {
		weft_store_seq_cst(&s->finished, true);
		finish(s);
	}
}

/* --- the task --- */

/* After a round at `now`. A group that was due then waits for a child to leave;
 * one that is due since has not been looked at. */
static int64_t next_due(const struct weft_supervisor *s, int64_t now)
{
	const struct timer_entry *e = timer_heap_first(&s->timers);
	int64_t due = e ? e->due_ns : WEFT_FOREVER;

	if (s->paused && s->resume_ns < due)
		due = s->resume_ns;
	if (s->group && s->group_ns > now && s->group_ns < due)
		due = s->group_ns;
	return due;
}

static int look(void *arg)
{
	struct weft_supervisor *s = arg;

	return weft_load_acquire(&s->rung) ? 0 : -EAGAIN; /* [rung] */
}

static void round_of(struct weft_supervisor *s, int64_t now)
{
	take_left(s, now);
	take_added(s, now);
	take_wants(s, now);
	resume(s, now);
	do_due(s, now);
	go_on(s, now);
}

static int manage(struct weft_crew_member *m)
{
	struct weft_supervisor *s =
	        list_entry(m, struct weft_supervisor, manager);
	int64_t now = 0; /* the round of a predecessor is not known */

	for (;;) {
		tell_all(s);
		if (s->over)
			return 0;
		if (weft_waiters_wait(&s->bell, "supervisor", look, s, NULL,
		                      next_due(s, now)) == 0)
			weft_store_seq_cst(&s->rung, false); /* [rung] */
		now = weft_now();
		round_of(s, now);
	}
}

/* A callback has ended the task: in tell_all(), where nothing is half done. */
static bool again(struct weft_crew_member *m, enum weft_guard_end end,
                  int status)
{
	(void)m;
	(void)end;
	(void)status;
	return true;
}

/* An error: there was no heir to be had. */
static void left(struct weft_crew_member *m, int status)
{
	struct weft_supervisor *s =
	        list_entry(m, struct weft_supervisor, manager);

	if (status) {
		weft_ending_set(&s->end, status);
		for (struct child *c = last(s); c; c = before(s, c))
			if (c->life)
				weft_life_stop(c->life, true);
		finish(s);
	}
	weft_waiters_wake(&s->changed, SIZE_MAX);
}

const struct weft_crew_ops weft_supervisor_crew = {
	.work = manage,
	.again = again,
	.left = left,
};
