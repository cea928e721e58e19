/*
 * What is done beside acquire and release: making resources ahead, destroying
 * the superfluous and the old, and telling what is held by whom.
 *
 * The reaper sleeps until the first time at which any of this is due. A call
 * that makes something due earlier nudges it, which is rare: what becomes idle
 * later is due later.
 */
#include <errno.h>
#include <string.h>

#include <weft/task.h>

#include "internal.h"

/* --- ahead --- */

static int create_up_to(struct weft_respool *p, unsigned n)
{
	int err = weft_respool_over(p);

	/* No more turns than that, for what is too old at once. */
	for (unsigned turn = 0; turn < n && !err; turn++) {
		struct place *place = NULL;
		bool stays;
		int64_t now;

		respool_lock(p);
		err = weft_respool_over(p);
		if (!err && respool_live(p) < n &&
		    p->n[IDLE] < p->opts.idle_max)
			place = weft_respool_take_free(p);
		respool_unlock(p);
		if (!place)
			return err;
		err = weft_respool_create(p, place);
		if (err)
			return err;
		now = weft_now();
		respool_lock(p);
		err = weft_respool_over(p);
		stays = weft_respool_put(p, place, now);
		/* It was not used yet: the idle ones that were go first. */
		if (place->state == IDLE) {
			list_unlink(&place->link);
			list_push(&p->idle, &place->link);
		}
		respool_unlock(p);
		if (!stays)
			weft_respool_destroy_place(p, place);
	}
	return err;
}

int weft_respool_warm(struct weft_respool *p, unsigned n)
{
	if (!p || n > p->opts.max)
		return -EINVAL;
	return create_up_to(p, n ? n : p->opts.min);
}

/* --- what is not needed any more --- */

static bool any(const struct weft_respool *p, const struct place *place,
                int64_t now)
{
	(void)p;
	(void)place;
	(void)now;
	return true;
}

void weft_respool_clear(struct weft_respool *p)
{
	respool_lock(p);
	if (weft_respool_over(p))
		weft_respool_doom(p, any, 0);
	respool_unlock(p);
	weft_respool_destroy_doomed(p);
}

int weft_respool_renew(struct weft_respool *p)
{
	if (!p)
		return -EINVAL;
	respool_lock(p);
	p->generation++;
	weft_respool_doom(p, any, 0);
	respool_unlock(p);
	weft_respool_destroy_doomed(p);
	return 0;
}

/* When an idle one is due to be destroyed, for either reason. */
static int64_t due(const struct weft_respool *p, const struct place *place)
{
	int64_t idle = WEFT_FOREVER;

	if (p->opts.idle_ns && respool_live(p) > p->opts.min)
		idle = weft_deadline_add(place->since, p->opts.idle_ns);
	return idle < place->expires ? idle : place->expires;
}

static bool is_due(const struct weft_respool *p, const struct place *place,
                   int64_t now)
{
	return due(p, place) <= now;
}

/* --- who holds what --- */

struct weft_respool_holder weft_respool_holder_of(const struct place *place,
                                                  int64_t now)
{
	struct weft_respool_holder h = { .id = place->id,
		                         .res = place->res,
		                         .held_ns = now - place->since };

	memcpy(h.who, place->who, sizeof(h.who));
	return h;
}

/* Put h among the n longest of those that came before. */
static void insert(struct weft_respool_holder *out, size_t n, size_t before,
                   const struct weft_respool_holder *h)
{
	size_t i = before < n ? before : n;

	if (i == n && (n == 0 || out[n - 1].held_ns >= h->held_ns))
		return;
	for (i -= i == n; i > 0 && out[i - 1].held_ns < h->held_ns; i--)
		out[i] = out[i - 1];
	out[i] = *h;
}

size_t weft_respool_holders(struct weft_respool *p,
                            struct weft_respool_holder *out, size_t n)
{
	size_t held = 0;
	int64_t now;

	if (!p || (!out && n))
		return 0;
	now = weft_now();
	respool_lock(p);
	for (unsigned i = 0; i < p->opts.max; i++) {
		const struct place *place = &p->places[i];
		struct weft_respool_holder h;

		if (!place->hold)
			continue;
		h = weft_respool_holder_of(place, now);
		insert(out, n, held++, &h);
	}
	respool_unlock(p);
	return held;
}

struct telling {
	const struct weft_respool *p;
	const struct weft_respool_holder *holder;
};

static int tell_main(void *arg)
{
	struct telling *t = arg;

	t->p->opts.on_leak(t->holder, t->p->opts.arg);
	return 0;
}

void weft_respool_tell(struct weft_respool *p,
                       const struct weft_respool_holder *holder)
{
	struct telling t = { p, holder };

	if (p->opts.on_leak)
		weft_try(tell_main, &t, NULL);
}

/* Whether it is time to tell of this one; at WEFT_FOREVER if it never is. */
static int64_t leak_due(const struct weft_respool *p, const struct place *place)
{
	if (!place->hold || place->told || !p->opts.leak_ns)
		return WEFT_FOREVER;
	return weft_deadline_add(place->since, p->opts.leak_ns);
}

static void tell_leaks(struct weft_respool *p)
{
	for (unsigned i = 0; i < p->opts.max; i++) {
		struct place *place = &p->places[i];
		struct weft_respool_holder h;
		int64_t now = weft_now();
		bool tell;

		respool_lock(p);
		tell = leak_due(p, place) <= now;
		if (tell) {
			place->told = true;
			h = weft_respool_holder_of(place, now);
		}
		respool_unlock(p);
		if (tell)
			weft_respool_tell(p, &h);
	}
}

/* --- the reaper --- */

void weft_respool_nudge(struct weft_respool *p, int64_t due_ns)
{
	if (due_ns >= p->nap_until)
		return;
	p->nap_until = INT64_MIN;
	weft_store_release(&p->nudged, true); /* [nudged] */
	weft_waiters_wake(&p->nap, 1);
}

static void reap(struct weft_respool *p)
{
	int64_t now = weft_now();
	unsigned n;

	respool_lock(p);
	n = weft_respool_doom(p, is_due, now);
	p->stats.expired += n;
	respool_unlock(p);
	weft_respool_destroy_doomed(p);
	/* Age may leave fewer than min. When a create fails, the next acquire
	 * will try. */
	if (n)
		create_up_to(p, p->opts.min);
	tell_leaks(p);
}

/* Under the lock: when there is something to do. */
static int64_t next_due(const struct weft_respool *p)
{
	int64_t first = WEFT_FOREVER, at;

	for (unsigned i = 0; i < p->opts.max; i++) {
		const struct place *place = &p->places[i];

		at = place->state == IDLE ? due(p, place) : leak_due(p, place);
		first = at < first ? at : first;
	}
	return first;
}

static int look_up(void *arg)
{
	struct weft_respool *p = arg;

	return weft_load_acquire(&p->nudged) /* [nudged] */
	               ? 0
	               : -EAGAIN;
}

static int reaper_main(struct weft_crew_member *m)
{
	struct weft_respool *p =
	        (struct weft_respool *)(void *)((char *)m -
	                                        offsetof(struct weft_respool,
	                                                 reaper));
	int64_t until;
	int err = 0;

	while (!weft_respool_over(p) && (!err || err == -ETIMEDOUT)) {
		reap(p);
		respool_lock(p);
		until = weft_respool_over(p) ? WEFT_NOW : next_due(p);
		p->nap_until = until;
		weft_store_relaxed(&p->nudged, false);
		respool_unlock(p);
		err = weft_waiters_wait(&p->nap, "reaper", look_up, p, NULL,
		                        until);
	}
	return 0;
}

/* Nothing but a callback can have ended it. */
static bool again(struct weft_crew_member *m, enum weft_guard_end end,
                  int status)
{
	(void)m;
	(void)end;
	(void)status;
	return true;
}

int weft_respool_start_reaper(struct weft_respool *p)
{
	static const struct weft_crew_ops ops = { .work = reaper_main,
		                                  .again = again };
	const struct weft_task_opts opts = { .name = "reaper" };

	if (!p->opts.idle_ns && !p->opts.life_ns && !p->opts.leak_ns)
		return 0;
	return weft_crew_start(&p->crew, &ops, &p->reaper, 1, sizeof(p->reaper),
	                       &opts);
}
