/* A job from its submit to its end; handles and groups of jobs. */
#include <stdlib.h>

#include "internal.h"

/* --- the caller --- */

struct worker *weft_pool_worker(const struct weft_pool *p)
{
	struct weft_task *self = weft_self();

	for (unsigned i = 0; i < p->opts.workers_max; i++)
		if (weft_load_relaxed(&p->workers[i].self) == self)
			return &p->workers[i];
	return NULL;
}

/* --- the end of a job --- */

/*
 * What has ended is read before what was submitted, so the former is never
 * more; when they are equal, all had ended at the moment in between.
 */
bool weft_pool_is_quiet(const struct weft_pool *p)
{
	uint64_t ended = weft_load_acquire(&p->canceled), submitted = 0;

	for (unsigned i = 0; i < p->opts.workers_max; i++)
		ended += weft_load_acquire(&p->workers[i].succeeded) +
		         weft_load_acquire(&p->workers[i].failed);
	for (unsigned i = 0; i < p->opts.workers_max; i++)
		submitted += weft_load_acquire(&p->workers[i].submitted);
	submitted += weft_load_acquire(&p->entered) / ENTERED_ONE;
	return ended == submitted;
}

/* A job has ended that no worker knows of: look at what they look at. */
static void look_for_quiet(struct weft_pool *p)
{
	if (!weft_pool_is_quiet(p))
		return;
	weft_waiters_wake(&p->quiet, SIZE_MAX);
	if (!pool_is_closed(p))
		return;
	weft_waiters_wake(&p->idle, SIZE_MAX);
	weft_waiters_wake(&p->spare, SIZE_MAX);
}

static void tell(struct weft_job *job)
{
	struct weft_pool_group *g = weft_load_relaxed(&job->group);

	if (job->has_handle)
		weft_waiters_wake(&job->waiters, SIZE_MAX);
	if (g)
		weft_waitgroup_done(&g->jobs);
}

/* Move on from JOB_QUEUED, if that is what it is; `word` says which job is
 * meant, and then what it was. */
static bool move_on(struct weft_job *job, uint64_t *word, enum job_state to)
{
	uint64_t now = *word;

	while (job_state(now) == JOB_QUEUED &&
	       now / JOB_GENERATION == *word / JOB_GENERATION)
		if (weft_cas_weak_acq_rel(&job->word, &now,
		                          job_word(now, to))) {
			*word = now;
			return true;
		}
	return false;
}

/* It has moved on from `word`, while its element may be in a queue. */
static void leave_behind(const struct weft_job *job, uint64_t word)
{
	if (word & JOB_INSIDE && job->in)
		weft_fetch_add_relaxed(&job->in->left_behind, INT64_C(1));
}

static void come_across(const struct weft_job *job)
{
	if (job->in)
		weft_fetch_sub_relaxed(&job->in->left_behind, INT64_C(1));
}

static bool cancel(struct weft_job *job, uint64_t word)
{
	struct weft_pool *p = job->p;
	struct weft_pool_group *g;

	if (!move_on(job, &word, JOB_CANCELED))
		return false;
	leave_behind(job, word);
	g = weft_load_relaxed(&job->group);
	if (g)
		weft_store_relaxed(&g->canceled, true);
	if (p->opts.drop)
		p->opts.drop(job->arg, p->opts.drop_arg);
	weft_fetch_add_acq_rel(&p->canceled, UINT64_C(1));
	tell(job);
	weft_pool_unref(job, 1);
	look_for_quiet(p);
	return true;
}

void weft_pool_cancel_queued(struct weft_pool *p, struct weft_pool_group *g)
{
	struct weft_job *job;

	for (uint32_t i = 0; (job = weft_pool_record_at(p, i)); i++) {
		uint64_t word = weft_load_acquire(&job->word);

		/* Its submit then finds out: see admit(). */
		while (!g && job_state(word) == JOB_NEW)
			if (weft_cas_acq_rel(&job->word, &word,
			                     job_word(word, JOB_CANCELED)))
				break;
		if (job_state(word) == JOB_QUEUED &&
		    (!g || weft_load_relaxed(&job->group) == g))
			cancel(job, word);
	}
}

static int group_err(const struct weft_job *job)
{
	struct weft_pool_group *g = weft_load_relaxed(&job->group);

	return g ? weft_load_acquire(&g->err) : 0;
}

int weft_pool_accept(struct weft_pool *p, uint64_t elem, bool begin,
                     struct weft_job **out)
{
	struct weft_job *job = weft_pool_record_at(p, (uint32_t)elem);
	uint64_t word, to;
	bool queued, runs;

	if (!job)
		return -EIO;
	*out = job;
	word = weft_load_acquire(&job->word);
	do {
		if (word / JOB_GENERATION != elem / JOB_GENERATION ||
		    !(word & JOB_INSIDE))
			return -EIO;
		queued = job_state(word) == JOB_QUEUED;
		if (queued && !begin)
			return 0;
		runs = queued && !group_err(job);
		to = word & ~JOB_INSIDE;
		to = runs ? job_word(to, JOB_RUNNING) : to;
	} while (!weft_cas_weak_acq_rel(&job->word, &word, to));
	if (runs)
		return 0;
	if (queued) /* its group has failed just now */
		cancel(job, to);
	else
		come_across(job);
	weft_pool_unref(job, 1);
	return -ECANCELED;
}

static void fail_group(struct weft_pool_group *g, int err)
{
	int none = 0;

	if (weft_cas_acq_rel(&g->err, &none, weft_failure_of(err)))
		weft_pool_cancel_queued(g->p, g);
}

void weft_pool_finish(struct worker *w, int status)
{
	struct running *r = w->top;
	struct weft_job *job = r->job;
	struct weft_pool *p = w->p;
	struct weft_pool_group *g = weft_load_relaxed(&job->group);

	if (status < 0 && p->opts.on_failure)
		p->opts.on_failure(job->arg, status, p->opts.failure_arg);
	if (status < 0 && g)
		fail_group(g, status);
	w->top = r->outer;
	r->job = NULL;
	if (r->counted)
		weft_pool_leave_class(p, r->counted);
	job->status = status;
	count_publish(status < 0 ? &w->failed : &w->succeeded, 1);
	weft_fetch_add_acq_rel(&job->word, (uint64_t)(JOB_DONE - JOB_RUNNING));
	tell(job);
	weft_pool_unref(job, r->refs);
}

/* --- submit --- */

struct request {
	struct weft_pool *p;
	struct worker *w; /* NULL: it comes from outside */
	struct job_class *c;
	bool keeps; /* the worker has room of its own */
	bool tries;
	int64_t deadline_ns;
};

/* Why nothing is taken in any more; 0. */
static int refusal(const struct weft_pool *p)
{
	int why = weft_ending_why(&p->end);

	if (why)
		return why;
	return pool_is_closed(p) ? -EPIPE : 0;
}

static bool has_place(const struct request *r, uint64_t word)
{
	uint64_t places = word / CLASS_PLACE & CLASS_COUNT;

	if (r->p->opts.cap)
		return places < r->p->opts.cap && places < CLASS_COUNT;
	return places + word / CLASS_RUNNING < class_limit(r->p, r->c);
}

static int take_place_of_class(const struct request *r)
{
	uint64_t word = weft_load_relaxed(&r->c->word);

	while (has_place(r, word))
		if (weft_cas_weak_acq_rel(&r->c->word, &word,
		                          word + CLASS_PLACE))
			return 0;
	return -EAGAIN;
}

static bool has_free_worker(const struct weft_pool *p)
{
	uint64_t busy = 0;

	for (unsigned i = 0; i < p->opts.classes; i++) {
		uint64_t word = weft_load_relaxed(&p->classes[i].word);

		busy += (word / CLASS_PLACE & CLASS_COUNT) +
		        word / CLASS_RUNNING;
	}
	return busy < weft_load_relaxed(&p->at_work);
}

/* Without a queue the classes have their workers from the same few: places are
 * added under the lock only, so that none is promised twice. */
static int take_place(void *arg)
{
	const struct request *r = arg;
	struct weft_pool *p = r->p;
	int err = refusal(p);

	if (err || r->keeps)
		return err;
	if (p->opts.cap || p->opts.classes == 1)
		return take_place_of_class(r);
	weft_lock_acquire(&p->hiring);
	err = has_free_worker(p) ? take_place_of_class(r) : -EAGAIN;
	weft_lock_release(&p->hiring);
	return err;
}

static int refuse(struct weft_pool *p)
{
	weft_fetch_add_relaxed(&p->refused, UINT64_C(1));
	return -EAGAIN;
}

/* Whether it may wait. 0, and then end_wait() has to follow. */
static int begin_wait(const struct request *r)
{
	struct weft_pool *p = r->p;
	uint64_t n = weft_load_relaxed(&p->blocked);

	if (r->tries)
		return refuse(p);
	if (r->w && r->deadline_ns == WEFT_FOREVER)
		return -EDEADLK;
	do {
		if (p->opts.blocked_max && n >= p->opts.blocked_max)
			return refuse(p);
	} while (!weft_cas_weak_relaxed(&p->blocked, &n, n + 1));
	return 0;
}

static void end_wait(const struct request *r)
{
	weft_fetch_sub_relaxed(&r->p->blocked, UINT64_C(1));
}

static int wait_for_place(struct request *r)
{
	int err = take_place(r);

	if (err == -EAGAIN && r->w && weft_pool_tidy(r->p, r->c))
		err = take_place(r);
	if (err != -EAGAIN)
		return err;
	err = begin_wait(r);
	if (err)
		return err;
	err = weft_waiters_wait(&r->c->room, "pool submit", take_place, r, NULL,
	                        r->deadline_ns);
	end_wait(r);
	return err;
}

static void give_place(const struct request *r)
{
	if (r->keeps)
		return;
	weft_fetch_sub_acq_rel(&r->c->word, CLASS_PLACE);
	weft_pool_wake_room(r->p, r->c, 1);
}

/* Count it as submitted, unless nothing more comes in. */
static bool enter(const struct request *r)
{
	uint64_t entered = weft_load_relaxed(&r->p->entered);

	/* While the job runs that calls, the end does not come. */
	if (r->w) {
		count_publish(&r->w->submitted, 1);
		return true;
	}
	while (!(entered & ENTERED_CLOSED))
		if (weft_cas_weak_acq_rel(&r->p->entered, &entered,
		                          entered + ENTERED_ONE))
			return true;
	return false;
}

static void unenter(const struct request *r)
{
	if (r->w)
		count_publish(&r->w->submitted, (uint64_t)-1);
	else
		weft_fetch_sub_acq_rel(&r->p->entered, ENTERED_ONE);
	look_for_quiet(r->p);
}

/*
 * Admit a job: from here on it is run or cancelled. A stop says that nothing
 * more comes in before it walks over the records; so it finds this one, which
 * was there before it was counted, at least as new.
 */
static int admit(const struct request *r, struct weft_job *job)
{
	uint64_t word = job_word(weft_load_relaxed(&job->word), JOB_NEW);
	bool entered = enter(r);
	int err;

	if (entered &&
	    weft_cas_acq_rel(&job->word, &word,
	                     job_word(word, JOB_QUEUED) | JOB_INSIDE))
		return 0;
	if (entered)
		unenter(r);
	err = refusal(r->p);
	return err ? err : -ECANCELED;
}

static void fill(const struct request *r, struct weft_job *job, weft_job_fn fn,
                 void *arg, const struct weft_job_opts *o)
{
	job->fn = fn;
	job->arg = arg;
	job->in = r->keeps ? NULL : r->c;
	job->has_handle = o->handle != NULL;
	weft_store_relaxed(&job->refs, 2u + job->has_handle);
	weft_store_relaxed(&job->group, o->group);
	weft_store_relaxed(&job->since_ns, weft_now());
	if (o->group)
		weft_waitgroup_add(&o->group->jobs, 1);
}

/* It will not be: nobody else has seen it. */
static void unfill(struct weft_job *job)
{
	struct weft_pool_group *g = weft_load_relaxed(&job->group);

	if (g)
		weft_waitgroup_done(&g->jobs);
	weft_pool_unref(job, 2u + job->has_handle);
}

/* There is room for all that have a place, but for channels whose space comes
 * in lumps. */
static int send(const struct request *r, uint64_t elem)
{
	int err = weft_chan_try_send(r->c->queue, &elem);

	if (err != -EAGAIN)
		return err;
	err = begin_wait(r);
	if (err)
		return err;
	err = weft_chan_send(r->c->queue, &elem, r->deadline_ns);
	end_wait(r);
	return err;
}

/*
 * It has not got into its queue: it was not submitted, unless it was cancelled,
 * or run, meanwhile. After a stop, which closes the queue when it has cancelled
 * all, it always was.
 */
static int take_back(const struct request *r, struct weft_job *job,
                     uint64_t word, int err)
{
	bool back = move_on(job, &word, JOB_NEW);

	weft_fetch_sub_acq_rel(&job->word, JOB_INSIDE);
	if (back) {
		unenter(r);
		unfill(job);
	} else {
		come_across(job);
		weft_pool_unref(job, 1);
	}
	give_place(r);
	return back ? err : 0;
}

/* Into its queue. */
static int put(const struct request *r, struct weft_job *job)
{
	uint64_t word = weft_load_relaxed(&job->word);
	int err = 0;

	if (r->keeps)
		CHECK(weft_pool_deque_push(r->w->own, job_elem(job)));
	else
		err = send(r, job_elem(job));
	if (err)
		return take_back(r, job, word, err);
	if (!r->keeps)
		weft_fetch_add_acq_rel(&r->c->word, CLASS_READY);
	weft_waiters_wake(&r->p->idle, 1);
	return 0;
}

static bool keeps(struct worker *w)
{
	return w && w->own &&
	       (weft_pool_deque_has_room(w->own) || weft_pool_tidy_own(w));
}

static int submit(struct request *r, weft_job_fn fn, void *arg,
                  const struct weft_job_opts *o)
{
	struct weft_job *job;
	int err;

	r->w = weft_pool_worker(r->p);
	r->c = &r->p->classes[o->job_class];
	r->keeps = keeps(r->w);
	err = wait_for_place(r);
	if (err)
		return err;
	err = o->group ? weft_load_acquire(&o->group->err) : 0;
	job = err ? NULL : weft_pool_record(r->p);
	if (job) {
		fill(r, job, fn, arg, o);
		err = admit(r, job);
		if (err)
			unfill(job);
	} else if (!err) {
		err = -ENOMEM;
	}
	if (err) {
		give_place(r);
		return err;
	}
	err = put(r, job);
	if (!err && o->handle)
		*o->handle = job;
	return err;
}

static int submit_if_valid(struct request *r, weft_job_fn fn, void *arg,
                           const struct weft_job_opts *o)
{
	static const struct weft_job_opts none;

	o = o ? o : &none;
	if (!r->p || !fn || o->job_class >= r->p->opts.classes ||
	    (o->group && o->group->p != r->p))
		return -EINVAL;
	return submit(r, fn, arg, o);
}

int weft_pool_submit_job(struct weft_pool *p, weft_job_fn fn, void *arg,
                         const struct weft_job_opts *opts, int64_t deadline_ns)
{
	struct request r = { .p = p, .deadline_ns = deadline_ns };

	return submit_if_valid(&r, fn, arg, opts);
}

int weft_pool_try_submit_job(struct weft_pool *p, weft_job_fn fn, void *arg,
                             const struct weft_job_opts *opts)
{
	struct request r = { .p = p, .tries = true };

	return submit_if_valid(&r, fn, arg, opts);
}

int weft_pool_submit(struct weft_pool *p, weft_job_fn fn, void *arg,
                     int64_t deadline_ns)
{
	return weft_pool_submit_job(p, fn, arg, NULL, deadline_ns);
}

int weft_pool_try_submit(struct weft_pool *p, weft_job_fn fn, void *arg)
{
	return weft_pool_try_submit_job(p, fn, arg, NULL);
}

/* --- run inside of a wait --- */

static int call(void *arg)
{
	struct worker *w = arg;
	struct weft_job *job = w->top->job;

	return job->fn(job->arg, (unsigned)w->member.index);
}

static void called(void *arg, enum weft_guard_end end, int status)
{
	if (end != WEFT_GUARD_RETURNED && status >= 0)
		status = -ECANCELED;
	weft_pool_finish(arg, status);
}

/* Run a job that waits, if it still does and may. */
static bool run_here(struct worker *w, struct weft_job *job, uint64_t word)
{
	struct running r = { .job = job, .outer = w->top, .refs = 1 };

	if (weft_ending_why(&w->p->end) || group_err(job)) {
		cancel(job, word);
		return false;
	}
	if (!move_on(job, &word, JOB_RUNNING))
		return false;
	leave_behind(job, word);
	/* weft_pool_finish() takes it off again, however the job ends. */
	/* cppcheck-suppress autoVariables */
	w->top = &r;
	count_publish(&w->started, 1);
	weft_guard(call, w, called);
	return true;
}

/* --- handles --- */

static int look_for_end(void *arg)
{
	struct weft_job *job = arg;

	return job_state(weft_load_acquire(&job->word)) >= JOB_DONE ? 0
	                                                            : -EAGAIN;
}

static int wait_inside(struct worker *w, struct weft_job *job)
{
	for (const struct running *r = w->top; r; r = r->outer)
		if (r->job == job)
			return -EDEADLK;
	run_here(w, job, weft_load_acquire(&job->word));
	return 0;
}

int weft_job_wait(struct weft_job *job, int *status, int64_t deadline_ns)
{
	struct worker *w;
	int err = 0;

	if (!job)
		return -EINVAL;
	if (look_for_end(job)) {
		w = weft_pool_worker(job->p);
		err = w ? wait_inside(w, job) : 0;
	}
	if (!err)
		err = weft_waiters_wait(&job->waiters, "job", look_for_end, job,
		                        NULL, deadline_ns);
	if (err || !status)
		return err;
	*status = job_state(weft_load_acquire(&job->word)) == JOB_DONE
	                  ? job->status
	                  : -ECANCELED;
	return 0;
}

int weft_job_cancel(struct weft_job *job)
{
	if (!job)
		return -EINVAL;
	return cancel(job, weft_load_acquire(&job->word)) ? 0 : -EALREADY;
}

void weft_job_release(struct weft_job *job)
{
	if (job)
		weft_pool_unref(job, 1);
}

/* --- groups --- */

int weft_pool_group_new(struct weft_pool_group **out, struct weft_pool *p)
{
	struct weft_pool_group *g;

	if (!out || !p)
		return -EINVAL;
	g = cacheline_new(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->p = p;
	weft_waitgroup_init(&g->jobs);
	*out = g;
	return 0;
}

/* Run those of a group that have not begun, by record. Whether there was one.
 */
static bool run_group(struct worker *w, struct weft_pool_group *g)
{
	struct weft_job *job;
	bool ran = false;

	for (uint32_t i = 0; (job = weft_pool_record_at(g->p, i)); i++) {
		uint64_t word = weft_load_acquire(&job->word);

		if (job_state(word) == JOB_QUEUED &&
		    weft_load_relaxed(&job->group) == g)
			ran |= run_here(w, job, word);
	}
	return ran;
}

/* What they submit to their group may have got a record that was passed, so it
 * takes a pass that finds none. */
static int help_group(struct worker *w, struct weft_pool_group *g)
{
	for (const struct running *r = w->top; r; r = r->outer)
		if (weft_load_relaxed(&r->job->group) == g)
			return -EDEADLK;
	while (run_group(w, g))
		;
	return 0;
}

int weft_pool_group_wait(struct weft_pool_group *g, int64_t deadline_ns)
{
	struct worker *w;
	int err;

	if (!g)
		return -EINVAL;
	w = weft_pool_worker(g->p);
	err = w ? help_group(w, g) : 0;
	if (err)
		return err;
	err = weft_waitgroup_wait(&g->jobs, deadline_ns);
	if (!err)
		err = weft_load_acquire(&g->err);
	if (!err && weft_load_relaxed(&g->canceled))
		err = -ECANCELED;
	return err;
}

int weft_pool_group_fail(struct weft_pool_group *g, int err)
{
	if (!g || err >= 0)
		return -EINVAL;
	fail_group(g, err);
	return 0;
}

void weft_pool_group_free(struct weft_pool_group *g)
{
	struct worker *w = g ? weft_pool_worker(g->p) : NULL;

	if (!g)
		return;
	if (w)
		CHECK_EQ(help_group(w, g), 0);
	CHECK_EQ(weft_waitgroup_wait(&g->jobs, WEFT_FOREVER), 0);
	free(g);
}
