/* The pool as a whole: made, resized, waited for, ended, looked at. */
#include <stdlib.h>

#include <weft/chan.h>
#include <weft/chan_impl.h>
#include <weft/ctx.h>

#include "common/ends.h"
#include "internal.h"

/* --- the end --- */

static bool went_through(void *arg)
{
	const struct weft_pool *p = arg;

	return pool_is_closed(p) && weft_pool_is_quiet(p);
}

static void wake_all(struct weft_pool *p)
{
	for (unsigned i = 0; i < p->opts.classes; i++)
		weft_waiters_wake(&p->classes[i].room, SIZE_MAX);
	weft_waiters_wake(&p->idle, SIZE_MAX);
	weft_waiters_wake(&p->spare, SIZE_MAX);
	weft_waiters_wake(&p->quiet, SIZE_MAX);
}

/* Nothing more comes in, then all that is there is cancelled; only then are the
 * queues closed, so that a submit that cannot get its job in finds it
 * cancelled. */
static void release(void *arg)
{
	struct weft_pool *p = arg;

	weft_fetch_or_acq_rel(&p->entered, ENTERED_CLOSED);
	weft_pool_cancel_queued(p, NULL);
	for (unsigned i = 0; i < p->opts.classes; i++)
		weft_chan_close(p->classes[i].queue);
	wake_all(p);
}

static const struct weft_ending_ops ending_ops = { went_through, release };

int weft_pool_close(struct weft_pool *p)
{
	if (!p)
		return -EINVAL;
	if (weft_fetch_or_acq_rel(&p->entered, ENTERED_CLOSED) & ENTERED_CLOSED)
		return -EPIPE;
	wake_all(p);
	return 0;
}

int weft_pool_stop(struct weft_pool *p)
{
	return p ? weft_ending_stop(&p->end, -ECANCELED) : -EINVAL;
}

int weft_pool_fail(struct weft_pool *p, int err)
{
	return p ? weft_ending_fail(&p->end, err) : -EINVAL;
}

int weft_pool_join(struct weft_pool *p, int64_t deadline_ns)
{
	if (!p)
		return -EINVAL;
	return weft_pool_worker(p)
	               ? -EDEADLK
	               : weft_crew_wait_for_end(&p->crew, &p->end, deadline_ns);
}

/* --- while it lives --- */

static int look_for_quiet(void *arg)
{
	const struct weft_pool *p = arg;
	int why = weft_ending_why(&p->end);

	if (why)
		return why;
	return weft_pool_is_quiet(p) ? 0 : -EAGAIN;
}

int weft_pool_wait(struct weft_pool *p, int64_t deadline_ns)
{
	int err;

	if (!p)
		return -EINVAL;
	if (weft_pool_worker(p))
		return -EDEADLK;
	/* Workers look for it from now on, those that are asleep already after
	 * one look more. */
	weft_fetch_add_acq_rel(&p->waits_quiet, UINT64_C(1));
	weft_waiters_wake(&p->idle, SIZE_MAX);
	err = weft_waiters_wait(&p->quiet, "pool wait", look_for_quiet, p, NULL,
	                        deadline_ns);
	weft_fetch_sub_acq_rel(&p->waits_quiet, UINT64_C(1));
	return err;
}

int weft_pool_resize(struct weft_pool *p, unsigned workers)
{
	if (!p || workers < 1 || workers > p->opts.workers_max)
		return -EINVAL;
	weft_store_release(&p->at_work, workers);
	wake_all(p);
	return 0;
}

/* A worker's jobs that were begun and that have ended, as of one moment. */
static void look_at_worker(const struct worker *w, struct weft_pool_stats *s,
                           uint64_t *started)
{
	uint64_t succeeded, failed, begun;

	do {
		succeeded = weft_load_acquire(&w->succeeded);
		failed = weft_load_acquire(&w->failed);
		begun = weft_load_acquire(&w->started);
	} while (succeeded != weft_load_acquire(&w->succeeded) ||
	         failed != weft_load_acquire(&w->failed));
	s->succeeded += succeeded;
	s->failed += failed;
	s->stolen += weft_load_relaxed(&w->stolen);
	*started += begun;
}

static int64_t age_of_oldest(const struct weft_pool *p)
{
	int64_t now = weft_now(), oldest = now;
	const struct weft_job *job;

	for (uint32_t i = 0; (job = weft_pool_record_at(p, i)); i++) {
		uint64_t word = weft_load_acquire(&job->word);
		int64_t since = weft_load_relaxed(&job->since_ns);

		if (job_state(word) == JOB_QUEUED && since < oldest)
			oldest = since;
	}
	return now - oldest;
}

/* First what has ended, then what was begun, then what was submitted: so no
 * difference is below zero, whatever happens in between. */
int weft_pool_stats(const struct weft_pool *p, struct weft_pool_stats *out)
{
	uint64_t started = 0;

	if (!p || !out)
		return -EINVAL;
	*out = (struct weft_pool_stats){
		.workers = weft_load_relaxed(&p->at_work),
		.canceled = weft_load_acquire(&p->canceled),
		.refused = weft_load_relaxed(&p->refused),
		.blocked = weft_load_relaxed(&p->blocked),
		.replaced = weft_load_relaxed(&p->crew.heirs),
	};
	for (unsigned i = 0; i < p->opts.workers_max; i++)
		look_at_worker(&p->workers[i], out, &started);
	for (unsigned i = 0; i < p->opts.workers_max; i++)
		out->submitted += weft_load_acquire(&p->workers[i].submitted);
	out->submitted += weft_load_acquire(&p->entered) / ENTERED_ONE;
	out->completed = out->succeeded + out->failed;
	out->running = started - out->completed;
	out->waiting = out->submitted - started - out->canceled;
	out->oldest_ns = age_of_oldest(p);
	return 0;
}

/* --- made and freed --- */

static bool is_deal(const struct weft_pool_opts *o)
{
	if (o->deal == WEFT_POOL_STEALING)
		return o->classes == 1 && o->cap > 0 && !o->share[0];
	return o->deal == WEFT_POOL_SHARED;
}

static bool is_cap(const struct weft_pool_opts *o)
{
	if (o->cap == WEFT_POOL_UNBOUNDED)
		return o->impl->can & WEFT_CAN_UNBOUNDED;
	return o->cap <= WEFT_POOL_CAP_MAX;
}

static bool fill_in(struct weft_pool_opts *o)
{
	o->workers_max = o->workers_max ? o->workers_max : o->workers;
	o->classes = o->classes ? o->classes : 1;
	o->impl = o->impl ? o->impl : weft_chan_impl_find("handoff");
	return o->workers >= 1 && o->workers <= o->workers_max &&
	       o->workers_max <= WEFT_POOL_WORKERS_MAX &&
	       o->classes <= WEFT_POOL_CLASSES_MAX && is_deal(o) && is_cap(o) &&
	       (unsigned)o->wait <= WEFT_WAIT_PARK &&
	       ends_suit(o->impl, o->submitters, o->workers_max);
}

/* A queue has room for all that have a place; but see send(). */
static int make_class(struct weft_pool *p, struct job_class *c, unsigned share)
{
	const struct weft_pool_opts *o = &p->opts;
	const struct weft_chan_opts chan = { .wait = o->wait };
	size_t cap = o->cap ? o->cap : o->workers_max;

	c->share = share;
	weft_waiters_init(&c->room);
	weft_waiters_set_wait(&c->room, o->wait);
	weft_lock_init(&c->tidying);
	return weft_chan_new(&c->queue, o->impl,
	                     cap == WEFT_POOL_UNBOUNDED ? 1 : cap,
	                     sizeof(uint64_t), &chan);
}

static int make_worker(struct weft_pool *p, struct worker *w)
{
	w->p = p;
	if (p->opts.deal == WEFT_POOL_STEALING) {
		w->own = weft_pool_deque_new();
		return w->own ? 0 : -ENOMEM;
	}
	return 0;
}

static int make(struct weft_pool *p)
{
	const struct weft_pool_opts *o = &p->opts;
	int err = 0;

	weft_ending_init(&p->end, &ending_ops, p);
	weft_store_relaxed(&p->at_work, o->workers);
	weft_waiters_init(&p->idle);
	weft_waiters_set_wait(&p->idle, o->wait);
	weft_waiters_init(&p->spare);
	weft_waiters_init(&p->quiet);
	weft_lock_init(&p->hiring);
	weft_lock_init(&p->growing);
	p->classes = cacheline_new(o->classes, sizeof(*p->classes));
	p->workers = cacheline_new(o->workers_max, sizeof(*p->workers));
	if (!p->classes || !p->workers)
		return -ENOMEM;
	for (unsigned i = 0; i < o->classes && !err; i++)
		err = make_class(p, &p->classes[i], o->share[i]);
	for (unsigned i = 0; i < o->workers_max && !err; i++)
		err = make_worker(p, &p->workers[i]);
	if (!err)
		err = weft_pool_start(p);
	return err ? err : weft_ending_watch(&p->end, o->ctx);
}

static void unmake(struct weft_pool *p)
{
	for (unsigned i = 0; p->classes && i < p->opts.classes; i++)
		weft_chan_unref(p->classes[i].queue);
	for (unsigned i = 0; p->workers && i < p->opts.workers_max; i++)
		free(p->workers[i].own);
	weft_pool_free_records(p);
	free(p->workers);
	free(p->classes);
	free(p);
}

int weft_pool_new(struct weft_pool **out, const struct weft_pool_opts *opts)
{
	struct weft_pool_opts filled;
	struct weft_pool *p;
	int err;

	if (!out || !opts)
		return -EINVAL;
	filled = *opts;
	if (!fill_in(&filled))
		return -EINVAL;
	p = cacheline_new(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->opts = filled;
	err = make(p);
	if (err) {
		/* Workers have been started when its context is refused. */
		if (p->classes && p->workers)
			weft_ending_stop(&p->end, -ECANCELED);
		weft_crew_join(&p->crew);
		unmake(p);
		return err;
	}
	*out = p;
	return 0;
}

void weft_pool_free(struct weft_pool *p)
{
	if (!p)
		return;
	weft_ending_unwatch(&p->end);
	weft_ending_stop(&p->end, -ECANCELED);
	weft_crew_join(&p->crew);
	unmake(p);
}
