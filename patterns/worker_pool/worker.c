/*
 * A worker: looks for a job wherever there may be one, runs it, and may die of
 * it. The same task, or an heir, then goes on with the same deque.
 */
#include "internal.h"

/* --- a class --- */

/* One more worker for a class that has something ready, and may have one. */
static bool claim(struct weft_pool *p, struct job_class *c)
{
	uint64_t word = weft_load_acquire(&c->word);
	uint64_t limit = class_limit(p, c);

	while ((word & CLASS_COUNT) && word / CLASS_RUNNING < limit)
		if (weft_cas_weak_acq_rel(&c->word, &word,
		                          word - CLASS_READY - CLASS_PLACE +
		                                  CLASS_RUNNING))
			return true;
	return false;
}

void weft_pool_wake_room(struct weft_pool *p, struct job_class *c, size_t n)
{
	if (p->opts.cap)
		weft_waiters_wake(&c->room, n);
	for (unsigned i = 0; !p->opts.cap && i < p->opts.classes; i++)
		weft_waiters_wake(&p->classes[i].room, n);
}

void weft_pool_leave_class(struct weft_pool *p, struct job_class *c)
{
	uint64_t was = weft_fetch_sub_acq_rel(&c->word, CLASS_RUNNING);

	/* Those that found it full sleep. */
	if ((was & CLASS_COUNT) && was / CLASS_RUNNING >= class_limit(p, c))
		weft_waiters_wake(&p->idle, 1);
	if (!p->opts.cap)
		weft_pool_wake_room(p, c, 1);
}

/* --- a queue --- */

/* Under the lock. */
static bool take_aside(struct weft_pool *p, struct job_class *c, uint64_t *elem)
{
	uint32_t first = weft_load_relaxed(&c->aside);
	const struct weft_job *job;

	if (!first)
		return false;
	job = weft_pool_record_at(p, first - 1);
	weft_store_relaxed(&c->aside, weft_load_relaxed(&job->next));
	*elem = job_elem(job);
	return true;
}

/*
 * What is ready can be received at once. A worker that finds the channel empty
 * although it has claimed something was overtaken by one that has put that
 * aside; under the lock it is either here or there.
 */
static int receive(struct weft_pool *p, struct job_class *c, uint64_t *elem)
{
	int err = 0;

	if (!weft_load_relaxed(&c->aside) &&
	    !weft_chan_try_recv(c->queue, elem))
		return 0;
	weft_lock_acquire(&c->tidying);
	if (!take_aside(p, c, elem))
		err = weft_chan_try_recv(c->queue, elem);
	weft_lock_release(&c->tidying);
	return err;
}

/* Claim all that is ready, to look at it. */
static uint64_t claim_all(struct job_class *c)
{
	uint64_t word = weft_load_acquire(&c->word);

	while (!weft_cas_weak_acq_rel(&c->word, &word,
	                              word - (word & CLASS_COUNT)))
		;
	return word & CLASS_COUNT;
}

/* Of what was claimed: what has still to be run, and how much has not. */
struct sorted {
	uint32_t first, last; /* index + 1 */
	uint64_t keep, gone;
};

static void keep(struct sorted *s, struct weft_job *job)
{
	weft_store_relaxed(&job->next, 0u);
	if (s->last)
		weft_store_relaxed(
		        &weft_pool_record_at(job->p, s->last - 1)->next,
		        job->index + 1);
	else
		s->first = job->index + 1;
	s->last = job->index + 1;
}

static int sort_one(struct weft_pool *p, uint64_t elem, struct sorted *s)
{
	struct weft_job *job;
	int err = weft_pool_accept(p, elem, false, &job);

	if (!err)
		keep(s, job);
	s->keep += !err;
	s->gone += err == -ECANCELED;
	return err == -ECANCELED ? 0 : err;
}

/* Under the lock: n elements, of which those aside are the older ones. Aside
 * there may be more, which others have claimed. */
static int sort(struct weft_pool *p, struct job_class *c, uint64_t n,
                struct sorted *s)
{
	uint64_t elem;
	int err = 0;

	for (; n && !err; n--) {
		if (!take_aside(p, c, &elem))
			err = weft_chan_try_recv(c->queue, &elem);
		if (!err)
			err = sort_one(p, elem, s);
	}
	while (take_aside(p, c, &elem))
		keep(s, weft_pool_record_at(p, (uint32_t)elem));
	weft_store_relaxed(&c->aside, s->first);
	return err;
}

bool weft_pool_tidy(struct weft_pool *p, struct job_class *c)
{
	struct sorted s = { .keep = 0 };
	int err;

	if (weft_load_relaxed(&c->left_behind) <= 0)
		return false;
	weft_lock_acquire(&c->tidying);
	err = sort(p, c, claim_all(c), &s);
	weft_fetch_add_acq_rel(&c->word,
	                       s.keep * CLASS_READY - s.gone * CLASS_PLACE);
	weft_lock_release(&c->tidying);
	if (err)
		weft_ending_fail(&p->end, -EIO);
	weft_waiters_wake(&p->idle, s.keep);
	weft_pool_wake_room(p, c, s.gone);
	return s.gone > 0;
}

bool weft_pool_tidy_own(struct worker *w)
{
	struct weft_job *job;
	uint64_t elem;

	if (!weft_pool_deque_pop(w->own, &elem))
		return true;
	if (weft_pool_accept(w->p, elem, false, &job))
		return true;
	CHECK(weft_pool_deque_push(w->own, elem));
	return false;
}

/* --- jobs --- */

static bool begin(struct worker *w, struct weft_job *job, struct job_class *c)
{
	w->run = (struct running){ .job = job, .counted = c, .refs = 2 };
	w->top = &w->run;
	count_publish(&w->started, 1);
	return true;
}

/* Begin what has come out of a queue. False for one that was cancelled. */
static bool begin_elem(struct worker *w, uint64_t elem, struct job_class *c)
{
	struct weft_job *job;
	int err = weft_pool_accept(w->p, elem, true, &job);

	if (!err)
		return begin(w, job, c);
	if (c)
		weft_pool_leave_class(w->p, c);
	if (err == -EIO)
		weft_ending_fail(&w->p->end, -EIO);
	return false;
}

static bool take_own(struct worker *w)
{
	uint64_t elem;

	while (w->own && weft_pool_deque_pop(w->own, &elem))
		if (begin_elem(w, elem, NULL))
			return true;
	return false;
}

/* What is ready and cannot be received, the channel has lost. */
static bool take_from(struct worker *w, struct job_class *c)
{
	struct weft_pool *p = w->p;
	uint64_t elem;

	while (!weft_ending_is_set(&p->end) && claim(p, c)) {
		if (receive(p, c, &elem)) {
			weft_pool_leave_class(p, c);
			weft_ending_fail(&p->end, -EIO);
			return false;
		}
		if (p->opts.cap)
			weft_waiters_wake(&c->room, 1);
		if (begin_elem(w, elem, c))
			return true;
	}
	return false;
}

/* Each class in turn is the first. */
static bool take_any(struct worker *w)
{
	const struct weft_pool *p = w->p;

	for (unsigned i = 0; i < p->opts.classes; i++) {
		unsigned k = (w->next_class + i) % p->opts.classes;

		if (take_from(w, &p->classes[k])) {
			w->next_class = (k + 1) % p->opts.classes;
			return true;
		}
	}
	return false;
}

static bool steal_from(struct worker *w, struct worker *from)
{
	uint64_t elem;
	int err;

	while ((err = weft_pool_deque_steal(from->own, &elem)) != -EAGAIN)
		if (!err && begin_elem(w, elem, NULL)) {
			count_publish(&w->stolen, 1);
			/* There may be more for others. */
			weft_waiters_wake(&w->p->idle, 1);
			return true;
		}
	return false;
}

static bool steal_any(struct worker *w)
{
	const struct weft_pool *p = w->p;
	unsigned n = p->opts.workers_max;

	for (unsigned i = 1; w->own && i < n; i++)
		if (steal_from(w, &p->workers[(w->member.index + i) % n]))
			return true;
	return false;
}

/* --- the loop --- */

/* Not a reason to leave for ever. */
#define TOO_MANY (-ESTALE)

static int look_for_the_end(struct weft_pool *p)
{
	bool closed = pool_is_closed(p);

	if (weft_ending_is_set(&p->end))
		return -ECANCELED;
	if (!closed && !weft_load_acquire(&p->waits_quiet))
		return -EAGAIN;
	if (!weft_pool_is_quiet(p))
		return -EAGAIN;
	weft_waiters_wake(&p->quiet, SIZE_MAX);
	return closed ? -EPIPE : -EAGAIN;
}

static bool is_too_many(const struct worker *w)
{
	return w->member.index >= weft_load_acquire(&w->p->at_work);
}

static int look(void *arg)
{
	struct worker *w = arg;
	int err;

	if (!weft_ending_is_set(&w->p->end) && !is_too_many(w) &&
	    (take_own(w) || take_any(w) || steal_any(w)))
		return 0;
	err = look_for_the_end(w->p);
	return err == -EAGAIN && is_too_many(w) ? TOO_MANY : err;
}

/* Until there are few enough. */
static int look_whether_needed(void *arg)
{
	struct worker *w = arg;
	int err = look_for_the_end(w->p);

	return err == -EAGAIN && !is_too_many(w) ? 0 : err;
}

static int next_job(struct worker *w)
{
	struct weft_pool *p = w->p;
	int err;

	for (;;) {
		err = look(w);
		if (err == -EAGAIN)
			err = weft_waiters_wait(&p->idle, "pool worker", look,
			                        w, NULL, WEFT_FOREVER);
		if (err != TOO_MANY)
			return err;
		err = weft_waiters_wait(&p->spare, "spare pool worker",
		                        look_whether_needed, w, NULL,
		                        WEFT_FOREVER);
		if (err)
			return err;
	}
}

static int work(struct weft_crew_member *m)
{
	struct worker *w = (struct worker *)m;

	weft_store_relaxed(&w->self, weft_self());
	while (!next_job(w)) {
		struct weft_job *job = w->run.job;

		weft_pool_finish(w, job->fn(job->arg, (unsigned)m->index));
	}
	return 0;
}

/* --- the end --- */

/* A job has ended the task, or the thread. */
static bool again(struct weft_crew_member *m, enum weft_guard_end end,
                  int status)
{
	struct worker *w = (struct worker *)m;

	(void)end;
	weft_pool_finish(w, status);
	/* The record of a task is used again: an heir notes its own. */
	weft_store_relaxed(&w->self, NULL);
	return true;
}

static void worker_left(struct weft_crew_member *m, int status)
{
	struct worker *w = (struct worker *)m;
	struct weft_pool *p = w->p;

	weft_store_relaxed(&w->self, NULL);
	if (status)
		weft_ending_fail(&p->end, status); /* there is no heir */
	weft_waiters_wake(&p->idle, SIZE_MAX);
	weft_waiters_wake(&p->spare, SIZE_MAX);
}

/* What jobs have submitted while a stop was on its way is cancelled, also when
 * the task that stops has not come to that yet. */
static void all_left(struct weft_crew *c)
{
	struct weft_pool *p =
	        (struct weft_pool *)((char *)c -
	                             offsetof(struct weft_pool, crew));

	if (weft_ending_is_set(&p->end))
		weft_ending_complete(&p->end);
	weft_waiters_wake(&p->quiet, SIZE_MAX);
}

int weft_pool_start(struct weft_pool *p)
{
	static const struct weft_crew_ops ops = { .numbered = true,
		                                  .work = work,
		                                  .again = again,
		                                  .left = worker_left,
		                                  .last = all_left };
	struct weft_task_opts opts = { "pool worker", p->opts.stack_bytes };

	return weft_crew_start(&p->crew, &ops, p->workers, p->opts.workers_max,
	                       sizeof(*p->workers), &opts);
}
