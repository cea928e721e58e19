/*
 * Tasks: run, spawn, join, and the ways a task ends.
 *
 * Lifetime. A spawned task is linked in its run until it is reaped: by
 * weft_join() if a handle is out, else by a later spawn or by the end of the
 * run. A record is not used again before its thread is gone, and weft_run()
 * returns when all of them are, so a task may touch its record and its run
 * until its last instruction.
 *
 * Between the end of a task and that of its thread come the destructors of what
 * is specific to the thread. They may call weft, as a foreign thread, and may
 * wait, for the very task that reaps them too. So only the end of the run waits
 * for a thread as long as it takes. A join waits a moment, which is all that a
 * thread without such destructors needs, and then leaves it to be reaped later.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "task/internal.h"

/* What weft_task.joiner points to once the task has ended. */
static struct weft_task ended_mark;
#define ENDED (&ended_mark)

/* How long a join waits for the thread when the task has ended. */
#define JOIN_NS (10 * WEFT_MS)
/* How many threads that are not gone a spawn looks at. */
#define LEFT_AT_ONCE 4

void weft_task_exit(int status)
{
	struct weft_task *t = weft_self_or_null();

	CHECK(t != NULL && t->exit_point != NULL);
	t->exit_point->status = status;
	_longjmp(t->exit_point->jump, 1);
}

int weft_try(weft_task_fn fn, void *arg, int *status)
{
	struct exit_point here;
	int result;

	if (!fn)
		return -EINVAL;
	here.outer = weft_self()->exit_point;
	weft_self()->exit_point = &here;
	if (_setjmp(here.jump) == 0) {
		here.status = fn(arg);
		result = 0;
	} else {
		result = -ECANCELED;
	}
	weft_self()->exit_point = here.outer;
	if (status)
		*status = here.status;
	return result;
}

void weft_task_main(struct weft_task *t)
{
	int status = 0;

	weft_try(t->fn, t->arg, &status);
	weft_task_end(t, status);
}

/* Add the figures of a task that ends to those of its run. The caller holds
 * r->lock. */
static void account(struct run *r, struct weft_task *t)
{
	if (t->accounted)
		return;
	weft_fetch_add_relaxed(&r->parks, weft_load_relaxed(&t->parks));
	weft_fetch_add_relaxed(&r->wakes, weft_load_relaxed(&t->wakes));
	weft_store_relaxed(&t->wakes, 0u);
	t->accounted = true;
}

static void count_in(struct run *r, const struct weft_task *t)
{
	if (t->service)
		weft_fetch_add_relaxed(&r->servants, 1u);
	else
		weft_fetch_add_relaxed(&r->live, 1u);
	weft_running_more(r);
	if (t->asleep >= PERMIT_ASLEEP)
		weft_awake_more(t->asleep);
}

bool weft_task_has_ended(struct weft_task *t)
{
	return weft_load_acquire(&t->joiner) == ENDED; /* [ended] */
}

/* The first task waits for the last one of either kind: [live] */
static void count_out(struct run *r, const struct weft_task *t)
{
	bool last;

	if (t->service)
		last = weft_fetch_sub_acq_rel(&r->servants, 1u) == 1;
	else
		last = weft_fetch_sub_acq_rel(&r->live, 1u) == 2;
	if (last)
		weft_unpark(r->first);
	weft_running_less(r);
}

void weft_task_end(struct weft_task *t, int status)
{
	struct run *r = t->run;
	struct weft_task *joiner;

	t->status = status;
	weft_wait_begin(WAITS_FOR_NOTHING, NULL);
	pthread_mutex_lock(&r->lock);
	account(r, t);
	if (!t->joinable) {
		list_unlink(&t->in_run);
		list_push(&r->ended, &t->in_run);
	}
	pthread_mutex_unlock(&r->lock);

	/* [ended] releases the status, and all that the task wrote. */
	joiner = weft_xchg_acq_rel(&t->joiner, ENDED);
	if (joiner)
		weft_unpark(joiner);
	if (!t->service)
		weft_fetch_add_relaxed(&r->wakes, weft_load_relaxed(&t->wakes));
	count_out(r, t);
	weft_self_set(NULL);
}

/* False when the thread of t is not gone within `ns`. */
static bool reap(struct weft_task *t, int64_t ns)
{
	if (!t->run->runtime->reap(t, ns))
		return false;
	weft_task_record_put(t);
	return true;
}

/* Reap t, or leave it to a later caller: false. */
static bool reap_within(struct weft_task *t, int64_t ns)
{
	struct run *r = t->run;

	if (reap(t, ns))
		return true;
	pthread_mutex_lock(&r->lock);
	list_push(&r->ended, &t->in_run);
	pthread_mutex_unlock(&r->lock);
	return false;
}

/* A thread on its way out may be looking at all of them: see asleep.c. */
static struct weft_task *pop_task(struct run *r, struct list *tasks)
{
	struct list *node;

	pthread_mutex_lock(&r->lock);
	node = list_pop(tasks);
	pthread_mutex_unlock(&r->lock);
	return node ? list_entry(node, struct weft_task, in_run) : NULL;
}

/* Reap what ended without a handle. Those that are not gone go to the end of
 * the list, so that in time each of them is looked at, however many wait. */
static void reap_ended(struct run *r)
{
	struct weft_task *t;

	for (int left = 0; left < LEFT_AT_ONCE && (t = pop_task(r, &r->ended));)
		left += !reap_within(t, 0);
}

/* Count t, which is filled in, and start it. On an error it is gone. */
static int start(struct run *r, struct weft_task *t, size_t stack_bytes)
{
	int err;

	t->run = r;
	t->asleep = r->asleep;
	pthread_mutex_lock(&r->lock);
	list_push(&r->tasks, &t->in_run);
	pthread_mutex_unlock(&r->lock);
	count_in(r, t);
	err = r->runtime->start(t, stack_bytes);
	if (!err)
		return 0; /* without a handle t may be gone by now */
	count_out(r, t);
	pthread_mutex_lock(&r->lock);
	list_unlink(&t->in_run);
	pthread_mutex_unlock(&r->lock);
	weft_task_gone(t);
	weft_task_record_put(t);
	return err == -ENOMEM ? -ENOMEM : -EAGAIN;
}

int weft_spawn(struct weft_task **out, const struct weft_task_opts *opts,
               weft_task_fn fn, void *arg)
{
	static const struct weft_task_opts defaults;
	struct weft_task *me = weft_self_or_null(), *t;
	struct run *r = me ? me->run : NULL;
	int err;

	if (!fn || !r)
		return -EINVAL;
	if (!opts)
		opts = &defaults;
	reap_ended(r);
	t = weft_task_record_get(opts->name);
	if (!t)
		return -ENOMEM;
	t->fn = fn;
	t->arg = arg;
	t->joinable = out != NULL;
	rng_seed(&t->rng, rng_next(&me->rng));
	weft_fetch_add_relaxed(&r->started, 1u);
	err = start(r, t, opts->stack_bytes);
	if (err)
		weft_fetch_sub_relaxed(&r->started, 1u);
	else if (out)
		*out = t;
	return err;
}

/* When a service starts a task is a matter of timing, so it takes no number
 * from the generator of the task that needed it. */
static uint64_t servant_seed(struct run *r)
{
	uint64_t stream = r->seed + weft_fetch_add_relaxed(&r->served, 1u);

	return ~rng_mix(&stream);
}

int weft_service_spawn(struct run *r, const char *name, weft_task_fn fn,
                       void *arg)
{
	struct weft_task *t;

	reap_ended(r);
	t = weft_task_record_get(name);
	if (!t)
		return -ENOMEM;
	t->fn = fn;
	t->arg = arg;
	t->service = true;
	t->accounted = true; /* that is, left out */
	rng_seed(&t->rng, servant_seed(r));
	return start(r, t, 0);
}

bool weft_service_begin(struct run *r)
{
	uint64_t live = weft_load_relaxed(&r->live);

	while (live)
		if (weft_cas_weak_acq_rel(&r->live, &live, live + SERVICE_CALL))
			return true;
	return false;
}

void weft_service_end(struct run *r)
{
	/* [live] */
	if (weft_fetch_sub_acq_rel(&r->live, SERVICE_CALL) == SERVICE_CALL + 1)
		weft_unpark(r->first);
}

/* Wait for ENDED; the caller is t's joiner. */
static int wait_ended(struct weft_task *t, struct weft_task *me,
                      int64_t deadline_ns)
{
	struct weft_task *mine = me;
	int err = 0;

	weft_wait_begin("join", t);
	while (weft_load_acquire(&t->joiner) != ENDED && !err) /* [ended] */
		err = weft_park(deadline_ns);
	weft_wait_done();
	/* The withdrawal fails when the task ended after all. */
	if (err && weft_cas_acq_rel(&t->joiner, &mine, NULL))
		return err;
	return 0;
}

int weft_join_until(struct weft_task *task, int *status, int64_t deadline_ns)
{
	struct weft_task *me = weft_self_or_null(), *joiner = NULL;
	int err;
	bool mine;

	if (!task || !me || task == me || !me->run || task->run != me->run)
		return -EINVAL;
	pthread_mutex_lock(&me->run->lock);
	mine = task->joinable;
	pthread_mutex_unlock(&me->run->lock);
	if (!mine)
		return -EINVAL;
	if (weft_cas_acq_rel(&task->joiner, &joiner, me)) {
		err = wait_ended(task, me, deadline_ns);
		if (err)
			return err;
	} else if (joiner != ENDED) {
		return -EINVAL;
	}

	pthread_mutex_lock(&me->run->lock);
	mine = task->joinable;
	task->joinable = false;
	list_unlink(&task->in_run);
	pthread_mutex_unlock(&me->run->lock);
	if (!mine)
		return -EINVAL;
	if (status)
		*status = task->status;
	reap_within(task, deadline_ns > WEFT_NOW ? JOIN_NS : 0);
	return 0;
}

int weft_join(struct weft_task *task, int *status)
{
	return weft_join_until(task, status, WEFT_FOREVER);
}

/* From 1, the first task itself, to 0: then no service acts any more. */
static bool is_over(struct run *r)
{
	uint64_t alone = 1;

	return weft_cas_acq_rel(&r->live, &alone, 0u); /* [live] */
}

static void end_service(struct run *r)
{
	struct service *s = weft_load_acquire(&r->timers); /* [timers] */

	if (!s)
		return;
	s->stop(s);
	weft_wait_begin("the end of the run's services", NULL);
	while (weft_load_acquire(&r->servants)) /* [live] */
		weft_park(WEFT_FOREVER);
	s->free(s);
}

/* Every task has ended: reap those with a handle that nobody joined, too. */
static void reap_all(struct run *r)
{
	struct weft_task *t;

	while ((t = pop_task(r, &r->ended)))
		reap(t, WEFT_FOREVER);
	while ((t = pop_task(r, &r->tasks)))
		reap(t, WEFT_FOREVER);
}

static int run_init(struct run *r, const struct weft_run_opts *opts)
{
	*r = (struct run){ .runtime = &weft_runtime_threads,
		           .asleep = PERMIT_PARKED };
	list_init(&r->tasks);
	list_init(&r->ended);
	list_init(&r->sleepers);
	r->seed = opts->seed ? opts->seed : 1;
	r->manual = opts->clock == WEFT_CLOCK_MANUAL;
	weft_store_relaxed(&r->now, 1); /* after WEFT_NOW */
	weft_store_relaxed(&r->running, 1u);
	weft_store_relaxed(&r->live, 1u);
	weft_store_relaxed(&r->started, 1u);
	CHECK_EQ(pthread_mutex_init(&r->lock, NULL), 0); /* on Linux it is */
	r->first = weft_task_record_get(opts->name ? opts->name : "main");
	if (!r->first)
		return -ENOMEM;
	r->first->run = r;
	rng_seed(&r->first->rng, r->seed);
	return 0;
}

static void run_fini(struct run *r)
{
	weft_asleep_end(r);
	weft_spread_end(r);
	weft_task_record_put(r->first);
	pthread_mutex_destroy(&r->lock);
}

/* The run is on the stack that pthread_exit() unwinds, and its tasks live on.
 */
static void first_task_left(void *arg)
{
	(void)arg;
	CHECK(!"pthread_exit() in the first task of a run");
}

int weft_run(enum weft_runtime runtime, const struct weft_run_opts *opts,
             weft_task_fn fn, void *arg)
{
	static const struct weft_run_opts defaults;
	struct weft_task *before = weft_self_or_null();
	struct run r;
	int status = 0, err;

	if (!opts)
		opts = &defaults;
	if (!fn || runtime != WEFT_THREADS || (before && before->run) ||
	    (opts->clock != WEFT_CLOCK_MONOTONIC &&
	     opts->clock != WEFT_CLOCK_MANUAL))
		return -EINVAL;
	err = run_init(&r, opts);
	if (err)
		return err;
	if (opts->asleep)
		err = weft_asleep_begin(&r, opts->asleep, opts->asleep_arg);
	if (err) {
		run_fini(&r);
		return err;
	}
	weft_cpus_refresh();
	weft_barrier_is_asymmetric(); /* registering is quick with one thread */
	weft_check_seed(r.seed);
	weft_self_set(r.first);

	pthread_cleanup_push(first_task_left, NULL);
	weft_try(fn, arg, &status);
	pthread_cleanup_pop(0);
	weft_task_watches(); /* and waits for nothing but the ends of others */
	weft_wait_begin("the end of every task", NULL);
	while (!is_over(&r))
		weft_park(WEFT_FOREVER);
	end_service(&r);
	reap_all(&r);

	weft_self_set(before);
	run_fini(&r);
	return status;
}

void weft_run_stats(struct weft_run_stats *out)
{
	struct weft_task *me = weft_self_or_null();
	struct run *r = me ? me->run : NULL;

	*out = (struct weft_run_stats){ 0 };
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	out->tasks = weft_load_relaxed(&r->started);
	out->live = weft_load_relaxed(&r->live) % SERVICE_CALL;
	out->parks = weft_load_relaxed(&r->parks) +
	             weft_load_relaxed(&r->first->parks);
	out->wakes = weft_load_relaxed(&r->wakes) +
	             weft_load_relaxed(&r->first->wakes);
	for (struct list *l = r->tasks.next; l != &r->tasks; l = l->next) {
		struct weft_task *t = list_entry(l, struct weft_task, in_run);

		if (t->accounted)
			continue;
		out->parks += weft_load_relaxed(&t->parks);
		out->wakes += weft_load_relaxed(&t->wakes);
	}
	pthread_mutex_unlock(&r->lock);
}
