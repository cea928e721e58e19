/*
 * One lock guards all of it but the callbacks. Each place, of which there are
 * as many as resources may exist, is in one state at a time and counted there,
 * so the figures add up whenever the lock is free.
 *
 * A task that is about to call back takes the place with it: out of every list,
 * in a state that makes it that task's alone. It is put somewhere again however
 * the callback ends: left().
 */
#include "respool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/task.h>

#include "common/line.h"
#include "internal.h"

/* A task that stands in line; on its stack. */
struct waiting {
	struct line_place line;
	struct place *place; /* that it was let in with; under the lock */
};

/* An acquire. */
struct ask {
	struct weft_resource *out;
	struct weft_ctx *ctx;
	const char *who;
	uint64_t *how; /* the figure that counts it */
};

int weft_respool_over(void *pool)
{
	struct weft_respool *p = pool;
	int why = weft_ending_why(&p->end);

	if (why)
		return why;
	return weft_load_acquire(&p->closed) ? -EPIPE : 0; /* [closed] */
}

/* --- places: all under the lock --- */

/* The next in line has it, in the state in which it is. */
static void let_in_with(struct weft_respool *p, struct place *place)
{
	struct line_place *first = line_place_of(p->line.next);

	list_entry(first, struct waiting, line)->place = place;
	weft_line_let_in(first);
}

static void begin_create(struct weft_respool *p, struct place *place)
{
	place_move(p, place, CREATING);
	place->generation = p->generation;
}

/* There is no resource in it any more. */
static void vacate(struct weft_respool *p, struct place *place)
{
	int over = weft_respool_over(p);

	if (!over && !list_is_empty(&p->line)) {
		begin_create(p, place);
		let_in_with(p, place);
		return;
	}
	place_move(p, place, FREE);
	list_push_front(&p->free, &place->link);
	if (over && p->n[FREE] == p->opts.max)
		weft_waiters_wake(&p->gone, SIZE_MAX);
}

struct place *weft_respool_take_free(struct weft_respool *p)
{
	struct list *l = list_pop(&p->free);
	struct place *place = l ? list_entry(l, struct place, link) : NULL;

	if (place)
		begin_create(p, place);
	return place;
}

static struct place *take_idle(struct weft_respool *p)
{
	struct list *l = list_pop(&p->idle);
	struct place *place = l ? list_entry(l, struct place, link) : NULL;

	if (place)
		place_move(p, place, HELD);
	return place;
}

static struct place *take(struct weft_respool *p, bool may_create)
{
	struct place *place = take_idle(p);

	return place || !may_create ? place : weft_respool_take_free(p);
}

bool weft_respool_put(struct weft_respool *p, struct place *place, int64_t now)
{
	bool stays =
	        !weft_respool_over(p) && place->generation == p->generation;

	if (place->expires <= now) {
		p->stats.expired += stays;
		stays = false;
	}
	place->since = now;
	if (stays && !list_is_empty(&p->line)) {
		let_in_with(p, place);
	} else if (stays && p->n[IDLE] < p->opts.idle_max) {
		place_move(p, place, IDLE);
		list_push_front(&p->idle, &place->link);
		weft_respool_nudge(p, place->expires);
		if (p->opts.idle_ns)
			weft_respool_nudge(
			        p, weft_deadline_add(now, p->opts.idle_ns));
	} else {
		place_move(p, place, DESTROYING);
		return false;
	}
	return true;
}

unsigned weft_respool_doom(struct weft_respool *p,
                           bool (*which)(const struct weft_respool *p,
                                         const struct place *place,
                                         int64_t now),
                           int64_t now)
{
	unsigned n = 0;

	/* From the one that has been idle for longest. */
	for (struct list *l = p->idle.prev, *prev; l != &p->idle; l = prev) {
		struct place *place = list_entry(l, struct place, link);

		prev = l->prev;
		if (!which(p, place, now))
			continue;
		list_unlink(l);
		place_move(p, place, DESTROYING);
		list_push(&p->doomed, l);
		n++;
	}
	return n;
}

/* --- callbacks, each in its guard --- */

struct call {
	struct weft_respool *p;
	struct place *place;
	enum callback what;
	int status;
};

static int call_main(void *arg)
{
	struct call *c = arg;
	const struct weft_respool_opts *o = &c->p->opts;
	struct place *place = c->place;

	switch (c->what) {
	case CREATE:
		return o->create(&place->res, o->arg);
	case VALIDATE:
		return o->validate(place->res, o->arg);
	case RESET:
		return o->reset(place->res, o->arg);
	default:
		o->destroy(place->res, o->arg);
		return 0;
	}
}

/* Count what has become of it: `to` is FREE when nothing is left of it, or
 * DESTROYING. */
static void settle(struct weft_respool *p, struct place *place,
                   uint64_t *figure, enum place_state to)
{
	respool_lock(p);
	++*figure;
	if (to == FREE)
		vacate(p, place);
	else
		place_move(p, place, to);
	respool_unlock(p);
}

/* The thread is being ended under the call, which nothing comes after. */
static void left_for_good(struct call *c)
{
	switch (c->what) {
	case CREATE:
		settle(c->p, c->place, &c->p->stats.failed, FREE);
		break;
	case DESTROY:
		settle(c->p, c->place, &c->p->stats.destroyed, FREE);
		break;
	default:
		settle(c->p, c->place, &c->p->stats.invalid, DESTROYING);
		weft_respool_destroy_place(c->p, c->place);
	}
}

static void left(void *arg, enum weft_guard_end end, int status)
{
	struct call *c = arg;

	if (end != WEFT_GUARD_RETURNED && status >= 0)
		status = -ECANCELED;
	c->status = status < 0 ? status : 0;
	if (end == WEFT_GUARD_DIED)
		left_for_good(c);
}

/* 0; below 0 when it failed. */
static int call(struct weft_respool *p, struct place *place, enum callback what)
{
	struct call c = { p, place, what, 0 };

	weft_guard(call_main, &c, left);
	return c.status;
}

static int64_t expiry(const struct weft_respool_opts *o, int64_t now)
{
	uint64_t range = (uint64_t)o->jitter_ns + 1;

	if (!o->life_ns)
		return WEFT_FOREVER;
	return weft_deadline_add(now,
	                         o->life_ns - (int64_t)(weft_rand() % range));
}

int weft_respool_create(struct weft_respool *p, struct place *place)
{
	int err = call(p, place, CREATE);
	int64_t expires;

	if (err) {
		settle(p, place, &p->stats.failed, FREE);
		return weft_failure_of(err);
	}
	expires = expiry(&p->opts, weft_now());
	respool_lock(p);
	place->id = ++p->stats.created;
	place->expires = expires;
	place_move(p, place, HELD);
	respool_unlock(p);
	return 0;
}

void weft_respool_destroy_place(struct weft_respool *p, struct place *place)
{
	call(p, place, DESTROY);
	settle(p, place, &p->stats.destroyed, FREE);
}

void weft_respool_destroy_doomed(struct weft_respool *p)
{
	struct list *l;

	for (;;) {
		respool_lock(p);
		l = list_pop(&p->doomed);
		respool_unlock(p);
		if (!l)
			return;
		weft_respool_destroy_place(p,
		                           list_entry(l, struct place, link));
	}
}

/* --- acquire --- */

static void name(struct place *place, const char *who)
{
	size_t n = strnlen(who, sizeof(place->who) - 1);

	memcpy(place->who, who, n);
	place->who[n] = '\0';
}

/* Under the lock: the place, which has a resource, is the caller's now. */
static void grant(struct weft_respool *p, const struct ask *a,
                  struct place *place, int64_t now)
{
	place->hold = ++p->holds;
	place->since = now;
	place->told = false;
	name(place, a->who);
	p->stats.acquired++;
	++*a->how;
	*a->out = (struct weft_resource){ .res = place->res,
		                          .id = place->id,
		                          .pool = p,
		                          .hold = place->hold,
		                          .place = (unsigned)(place -
		                                              p->places) };
	if (p->opts.leak_ns)
		weft_respool_nudge(p, weft_deadline_add(now, p->opts.leak_ns));
}

static bool is_to_be_validated(const struct weft_respool *p,
                               const struct place *place, int64_t now)
{
	return p->opts.validate && now - place->since >= p->opts.check_ns;
}

/* Under the lock: grant it, if there is nothing to be done for that. */
static bool grant_at_once(struct weft_respool *p, const struct ask *a,
                          struct place *place, int64_t now)
{
	if (place->state != HELD || place->expires <= now ||
	    is_to_be_validated(p, place, now))
		return false;
	grant(p, a, place, now);
	return true;
}

/* Under the lock. */
static void note_wait(struct weft_respool *p, int err, int64_t ns)
{
	struct weft_respool_stats *s = &p->stats;

	s->waiting--;
	s->waited += !err;
	s->gave_up += err != 0;
	s->wait_ns += ns;
	if (ns > s->longest_ns)
		s->longest_ns = ns;
}

/* Wait for a place. *done: with a resource that has been granted. */
static int stand_in_line(struct weft_respool *p, struct ask *a,
                         struct place **place, bool *done, int64_t deadline_ns)
{
	struct waiting w;
	int64_t since = weft_now(), now;
	int err;

	weft_line_place_init(&w.line, weft_respool_over, p);
	CHECK_EQ(weft_waiters_set_wait(&w.line.waiter, p->opts.wait), 0);
	respool_lock(p);
	*place = take(p, true);
	if (!*place) {
		list_push(&p->line, &w.line.link);
		p->stats.waiting++;
	}
	respool_unlock(p);
	if (*place)
		return 0;
	err = weft_line_wait(&w.line, "resource", a->ctx, deadline_ns);
	now = weft_now();
	respool_lock(p);
	if (weft_line_left(&w.line, &err)) {
		*place = w.place;
		a->how = &p->stats.handed;
		*done = grant_at_once(p, a, w.place, now);
	}
	note_wait(p, err, now - since);
	respool_unlock(p);
	return err;
}

/* Whether the resource may be used on. If not, the place is DESTROYING. */
static bool is_fit(struct weft_respool *p, struct place *place)
{
	int64_t now = weft_now();

	if (place->expires <= now) {
		settle(p, place, &p->stats.expired, DESTROYING);
		return false;
	}
	if (!is_to_be_validated(p, place, now) || !call(p, place, VALIDATE))
		return true;
	settle(p, place, &p->stats.invalid, DESTROYING);
	return false;
}

/* Destroy what is in the place, to create there anew. 0; or the pool is over,
 * and then the place is free. */
static int clear_place(struct weft_respool *p, struct place *place)
{
	int err;

	call(p, place, DESTROY);
	respool_lock(p);
	p->stats.destroyed++;
	err = weft_respool_over(p);
	if (err)
		vacate(p, place);
	else
		begin_create(p, place);
	respool_unlock(p);
	return err;
}

/* The place is the caller's, with a resource that must be looked at or without
 * any. */
static int make_ready(struct weft_respool *p, struct ask *a,
                      struct place *place)
{
	int64_t now;
	bool stays = true;
	int err = 0;

	if (place->state == HELD && !is_fit(p, place))
		err = clear_place(p, place);
	if (!err && place->state == CREATING) {
		a->how = &p->stats.fresh;
		err = weft_respool_create(p, place);
	}
	if (err)
		return err;
	err = weft_ctx_err(a->ctx);
	now = weft_now();
	respool_lock(p);
	if (weft_respool_over(p))
		err = weft_respool_over(p);
	if (err)
		stays = weft_respool_put(p, place, now);
	else
		grant(p, a, place, now);
	respool_unlock(p);
	if (!stays)
		weft_respool_destroy_place(p, place);
	return err;
}

static int acquire(struct weft_respool *p, struct ask *a, bool may_create,
                   int64_t deadline_ns)
{
	struct place *place = NULL;
	int64_t now = weft_now();
	bool done = false;
	int err;

	a->how = &p->stats.reused;
	respool_lock(p);
	err = weft_respool_over(p);
	if (!err)
		place = take(p, may_create);
	if (place)
		done = grant_at_once(p, a, place, now);
	respool_unlock(p);
	if (err || done)
		return err;
	if (!place && deadline_ns <= now)
		return -ETIMEDOUT;
	if (!place)
		err = stand_in_line(p, a, &place, &done, deadline_ns);
	return err || done ? err : make_ready(p, a, place);
}

int weft_respool_acquire_ctx(struct weft_respool *p, struct weft_resource *out,
                             struct weft_ctx *ctx, int64_t deadline_ns)
{
	struct ask a = { .out = out, .ctx = ctx };
	int err;

	if (!p || !out)
		return -EINVAL;
	err = weft_ctx_err(ctx);
	if (err)
		return err;
	a.who = weft_task_name(weft_self());
	return acquire(p, &a, true, deadline_ns);
}

int weft_respool_acquire(struct weft_respool *p, struct weft_resource *out,
                         int64_t deadline_ns)
{
	return weft_respool_acquire_ctx(p, out, NULL, deadline_ns);
}

int weft_respool_try_acquire(struct weft_respool *p, struct weft_resource *out)
{
	struct ask a = { .out = out };

	if (!p || !out)
		return -EINVAL;
	a.who = weft_task_name(weft_self());
	return weft_ending_tried(&p->end, acquire(p, &a, false, WEFT_NOW));
}

size_t weft_respool_acquire_idle(struct weft_respool *p,
                                 struct weft_resource *out, size_t n)
{
	struct ask a;
	struct place *place;
	int64_t now = weft_now();
	size_t got = 0;

	if (!p || !out)
		return 0;
	a.who = weft_task_name(weft_self());
	a.how = &p->stats.reused;
	respool_lock(p);
	while (got < n && !weft_respool_over(p) && (place = take_idle(p))) {
		a.out = &out[got++];
		grant(p, &a, place, now);
	}
	respool_unlock(p);
	return got;
}

/* --- the end of a hold --- */

/* Under the lock. */
static int find(const struct weft_respool *p, const struct weft_resource *r,
                struct place **out)
{
	if (r->pool != p || r->place >= p->opts.max || !r->hold ||
	    r->hold > p->holds)
		return -EINVAL;
	*out = &p->places[r->place];
	return (*out)->hold == r->hold ? 0 : -EALREADY;
}

/* With the lock held if it succeeds: the place is the caller's. */
static int end_hold(struct weft_respool *p, const struct weft_resource *r,
                    struct place **out)
{
	int err;

	if (!p || !r)
		return -EINVAL;
	respool_lock(p);
	err = find(p, r, out);
	if (err)
		respool_unlock(p);
	else
		(*out)->hold = 0;
	return err;
}

int weft_respool_release(struct weft_respool *p, const struct weft_resource *r)
{
	int64_t now = p && p->timed ? weft_now() : 0;
	struct place *place;
	bool stays;
	int err = end_hold(p, r, &place);

	if (err)
		return err;
	if (p->opts.reset) {
		respool_unlock(p);
		if (call(p, place, RESET)) {
			settle(p, place, &p->stats.invalid, DESTROYING);
			weft_respool_destroy_place(p, place);
			return 0;
		}
		now = p->timed ? weft_now() : 0;
		respool_lock(p);
	}
	stays = weft_respool_put(p, place, now);
	respool_unlock(p);
	if (!stays)
		weft_respool_destroy_place(p, place);
	return 0;
}

int weft_respool_destroy(struct weft_respool *p, const struct weft_resource *r)
{
	struct place *place;
	int err = end_hold(p, r, &place);

	if (err)
		return err;
	place_move(p, place, DESTROYING);
	respool_unlock(p);
	weft_respool_destroy_place(p, place);
	return 0;
}

int weft_respool_hijack(struct weft_respool *p, const struct weft_resource *r)
{
	struct place *place;
	int err = end_hold(p, r, &place);

	if (err)
		return err;
	p->stats.hijacked++;
	vacate(p, place);
	respool_unlock(p);
	return 0;
}

int weft_respool_label(struct weft_respool *p, const struct weft_resource *r,
                       const char *who)
{
	struct place *place;
	int err;

	if (!p || !r || !who)
		return -EINVAL;
	respool_lock(p);
	err = find(p, r, &place);
	if (!err)
		name(place, who);
	respool_unlock(p);
	return err;
}

/* --- the end of the pool --- */

static bool is_empty(struct weft_respool *p)
{
	bool empty;

	respool_lock(p);
	empty = p->n[FREE] == p->opts.max;
	respool_unlock(p);
	return empty;
}

static bool too_late(void *arg)
{
	struct weft_respool *p = arg;

	return weft_load_acquire(&p->closed) && is_empty(p); /* [closed] */
}

static void release_all(void *arg)
{
	struct weft_respool *p = arg;

	respool_lock(p);
	weft_line_look(&p->line);
	weft_respool_nudge(p, WEFT_NOW);
	respool_unlock(p);
	weft_waiters_wake(&p->gone, SIZE_MAX);
}

static const struct weft_ending_ops ending_ops = { .too_late = too_late,
	                                           .release = release_all };

int weft_respool_close(struct weft_respool *p)
{
	int err;

	if (!p)
		return -EINVAL;
	respool_lock(p);
	err = weft_respool_over(p) ? -EPIPE : 0;
	weft_store_release(&p->closed, true); /* [closed] */
	respool_unlock(p);
	release_all(p);
	weft_respool_clear(p);
	return err;
}

int weft_respool_stop(struct weft_respool *p)
{
	if (!p)
		return -EINVAL;
	weft_ending_stop(&p->end, -ECANCELED);
	weft_respool_clear(p);
	return 0;
}

int weft_respool_fail(struct weft_respool *p, int err)
{
	int result = p ? weft_ending_fail(&p->end, err) : -EINVAL;

	if (!result)
		weft_respool_clear(p);
	return result;
}

#define TO_BE_CLEARED 1

static int look_for_end(void *arg)
{
	struct weft_respool *p = arg;
	int found = -EAGAIN;

	if (!weft_respool_over(p))
		return found;
	respool_lock(p);
	if (p->n[FREE] == p->opts.max)
		found = 0;
	else if (!list_is_empty(&p->idle) || !list_is_empty(&p->doomed))
		found = TO_BE_CLEARED;
	respool_unlock(p);
	return found;
}

int weft_respool_join(struct weft_respool *p, int64_t deadline_ns)
{
	int err;

	if (!p)
		return -EINVAL;
	while ((err = weft_waiters_wait(&p->gone, "resources", look_for_end, p,
	                                NULL, deadline_ns)) == TO_BE_CLEARED)
		weft_respool_clear(p);
	return err ? err
	           : weft_crew_wait_for_end(&p->crew, &p->end, deadline_ns);
}

int weft_respool_stats(struct weft_respool *p, struct weft_respool_stats *out)
{
	if (!p || !out)
		return -EINVAL;
	respool_lock(p);
	*out = p->stats;
	out->max = p->opts.max;
	out->creating = p->n[CREATING];
	out->idle = p->n[IDLE];
	out->held = p->n[HELD];
	out->destroying = p->n[DESTROYING];
	respool_unlock(p);
	return 0;
}

/* --- new and free --- */

static bool is_possible(const struct weft_respool_opts *o)
{
	const int64_t spans[] = { o->idle_ns, o->life_ns, o->jitter_ns,
		                  o->check_ns, o->leak_ns };

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		if (spans[i] < 0)
			return false;
	return o->create && o->destroy && o->max >= 1 &&
	       o->max <= WEFT_RESPOOL_MAX && o->min <= o->max &&
	       o->idle_max <= o->max && o->jitter_ns <= o->life_ns &&
	       (!o->idle_max || o->min <= o->idle_max) &&
	       (unsigned)o->wait <= WEFT_WAIT_PARK;
}

static struct weft_respool *make(const struct weft_respool_opts *opts)
{
	struct weft_respool *p = cacheline_new(1, sizeof(*p));

	if (!p)
		return NULL;
	p->places = cacheline_new(opts->max, sizeof(*p->places));
	if (!p->places) {
		free(p);
		return NULL;
	}
	p->opts = *opts;
	if (!p->opts.idle_max)
		p->opts.idle_max = opts->max;
	p->timed = opts->idle_ns || opts->life_ns || opts->check_ns;
	weft_ending_init(&p->end, &ending_ops, p);
	list_init(&p->idle);
	list_init(&p->free);
	list_init(&p->doomed);
	list_init(&p->line);
	weft_waiters_init(&p->gone);
	weft_waiters_init(&p->nap);
	p->nap_until = INT64_MIN;
	p->n[FREE] = opts->max;
	for (unsigned i = 0; i < opts->max; i++)
		list_push(&p->free, &p->places[i].link);
	return p;
}

int weft_respool_new(struct weft_respool **out,
                     const struct weft_respool_opts *opts)
{
	struct weft_respool *p;
	int err;

	if (!out || !opts || !is_possible(opts))
		return -EINVAL;
	p = make(opts);
	if (!p)
		return -ENOMEM;
	err = weft_respool_start_reaper(p);
	if (!err)
		err = weft_ending_watch(&p->end, opts->ctx);
	if (err) {
		weft_respool_free(p);
		return err;
	}
	*out = p;
	return 0;
}

/* Nobody can release it any more. */
static void give_up(struct weft_respool *p, struct place *place)
{
	struct weft_respool_holder holder =
	        weft_respool_holder_of(place, weft_now());

	weft_respool_tell(p, &holder);
	respool_lock(p);
	place->hold = 0;
	place_move(p, place, DESTROYING);
	respool_unlock(p);
	weft_respool_destroy_place(p, place);
}

void weft_respool_free(struct weft_respool *p)
{
	if (!p)
		return;
	weft_ending_unwatch(&p->end);
	weft_respool_stop(p);
	weft_crew_join(&p->crew);
	for (unsigned i = 0; i < p->opts.max; i++)
		if (p->places[i].state == HELD)
			give_up(p, &p->places[i]);
	CHECK_EQ(p->n[FREE], p->opts.max);
	free(p->places);
	free(p);
}
