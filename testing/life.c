#include "testing/life.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/atomic.h>

#include "testing/refuse.h"
#include "testing/stop.h"
#include "testing/testing.h"

#undef fail /* cmocka's: here it is a verb of a component */

/* --- the ledger --- */

/* Numbers of one test; more than any of them uses at a time. */
#define ITEMS (1u << 16)

enum { FREE, INSIDE, RECEIVED, DROPPED };

static struct {
	_Atomic uint64_t next;
	_Atomic int where[ITEMS];
} ledger;

static void ledger_clear(void)
{
	weft_store_relaxed(&ledger.next, UINT64_C(1));
	for (size_t i = 0; i < ITEMS; i++)
		weft_store_relaxed(&ledger.where[i], FREE);
}

/* Elements move from where they were, once. */
static void move(uint64_t item, int from, int to)
{
	int was = from;

	CHECK_LT(item, weft_load_relaxed(&ledger.next));
	if (!weft_cas_acq_rel(&ledger.where[item % ITEMS], &was, to))
		fprintf(stderr, "element %ju: %d and not %d before %d\n",
		        (uintmax_t)item, was, from, to);
	CHECK_EQ(was, from);
}

uint64_t life_make(void)
{
	uint64_t item = weft_fetch_add_relaxed(&ledger.next, UINT64_C(1));

	CHECK_LT(item, ITEMS);
	move(item, FREE, INSIDE);
	return item;
}

void life_drop(void *elem, void *arg)
{
	uint64_t item;

	CHECK(arg == NULL);
	memcpy(&item, elem, sizeof(item));
	move(item, INSIDE, DROPPED);
}

static uint64_t count(int where)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ITEMS; i++)
		n += weft_load_relaxed(&ledger.where[i]) == where;
	return n;
}

/* --- making one that may be refused what it needs --- */

static struct {
	struct testing_refusal what; /* to come: .nth counts down */
	unsigned long refused;
	struct testing_held held;
	uint64_t live; /* tasks */
} making;

static uint64_t live_tasks(void)
{
	struct weft_run_stats stats;

	weft_run_stats(&stats);
	return stats.live;
}

void life_new_begin(void)
{
	making.held = testing_held();
	making.live = live_tasks();
	if (making.what.nth)
		testing_refuse(&making.what);
}

/* What was asked for by one call is not by the next. */
static unsigned long count_down(void)
{
	unsigned long asked, n;

	if (!making.what.nth)
		return 0;
	n = testing_grant(&asked);
	making.what.nth = n ? 0 : making.what.nth - asked;
	making.refused += n;
	return n;
}

bool life_new_end(int err, bool whole)
{
	enum testing_resource of = making.what.of;
	unsigned long n = count_down();

	if (!n)
		CHECK_EQ(err, 0);
	if (!err)
		return true; /* perhaps it does with less */
	CHECK_EQ(err, of == TESTING_MEMORY ? -ENOMEM : -EAGAIN);
	if (whole)
		CHECK_EQ(testing_held_still(making.held), 0);
	CHECK_EQ(live_tasks(), making.live);
	return false;
}

/* --- one component --- */

static const struct life *life;

static void *make(struct weft_ctx *ctx)
{
	static struct life_opts o;

	o = (struct life_opts){ ctx, life->shape };
	ledger_clear();
	return life->make(&o);
}

/* It is inside from before the call, for it may come out before that is
 * over. */
static int put(void *t, int64_t deadline_ns)
{
	uint64_t item = life_make();
	int err = life->in(t, item, deadline_ns);

	if (err && !life->takes_always)
		move(item, INSIDE, FREE);
	return err;
}

static int take(void *t, int64_t deadline_ns)
{
	uint64_t item;
	int err = life->out(t, &item, deadline_ns);

	if (!err)
		move(item, INSIDE, RECEIVED);
	return err;
}

/* What was inside is dropped, and nothing else. */
static void unmake(void *t)
{
	life->free(t);
	CHECK_EQ(count(INSIDE), 0u);
}

/* Put in as many as go without a wait. */
static unsigned fill(void *t)
{
	unsigned n = 0;
	int err = 0;

	/* Its tasks have to come to rest first, where they take from hand to
	 * hand. */
	CHECK_EQ(weft_clock_settle(), 0);
	while (n < 1000 && !(err = put(t, WEFT_NOW))) {
		n++;
		CHECK_EQ(weft_clock_settle(), 0);
	}
	if (n < 1000)
		CHECK_EQ(err, -ETIMEDOUT);
	return n;
}

/* Take out all that comes without time passing. */
static unsigned drain(void *t)
{
	unsigned n = 0;

	do
		CHECK_EQ(weft_clock_settle(), 0);
	while (!take(t, WEFT_NOW) && ++n < 2000);
	return n;
}

/* What callers get for a reason. */
static int seen(int reason)
{
	return life->closes_only ? -EPIPE : reason;
}

/* --- tasks that wait --- */

enum verb { IN, OUT, JOIN, VERBS };

struct waiting {
	void *t;
	enum verb verb;
	int64_t deadline_ns;
	struct weft_task *task;
};

static bool has(enum verb v)
{
	return v == IN    ? life->in != NULL
	       : v == OUT ? life->out != NULL
	                  : life->join != NULL;
}

static int call(void *t, enum verb v, int64_t deadline_ns)
{
	return v == IN    ? put(t, deadline_ns)
	       : v == OUT ? take(t, deadline_ns)
	                  : life->join(t, deadline_ns);
}

/* Until it fails: a wait may be met by an element first. */
static int wait_main(void *arg)
{
	struct waiting *w = arg;
	int err;

	do
		err = call(w->t, w->verb, w->deadline_ns);
	while (!err && w->verb != JOIN);
	return err;
}

/* A task that waits in that call, once there is nothing else for it to do. */
static void wait_in(struct waiting *w, void *t, enum verb v,
                    int64_t deadline_ns)
{
	*w = (struct waiting){ t, v, deadline_ns, NULL };
	w->task = testing_spawn(wait_main, w);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_join_until(w->task, NULL, WEFT_NOW), -ETIMEDOUT);
}

/* Of an endless one nothing is ever waited for at its end. */
static bool can_wait_in(enum verb v)
{
	return has(v) && !(v == OUT && life->endless);
}

/* Whether a wait there is for what others do. */
static bool waits_for_others(enum verb v)
{
	return can_wait_in(v) && !(v == IN && life->by_time);
}

/* Do end(), which ends the component for `reason`, while a task waits on each
 * side, and see what every call says then. */
static void end_with_waiters(struct weft_ctx *ctx, enum verb v,
                             void (*end)(void *t, void *arg), void *arg,
                             int reason)
{
	struct waiting w = { .task = NULL };
	void *t = make(ctx);
	int expected = v == JOIN ? reason : seen(reason);

	if (can_wait_in(v))
		wait_in(&w, t, v, WEFT_FOREVER);
	end(t, arg);
	CHECK_EQ(weft_clock_settle(), 0);
	if (w.task)
		CHECK_EQ(testing_join(w.task), expected);
	for (enum verb i = IN; i < VERBS; i++)
		if (has(i)) {
			int64_t until = i == JOIN ? WEFT_FOREVER : WEFT_NOW;

			CHECK_EQ(call(t, i, until),
			         i == JOIN ? reason : seen(reason));
		}
	if (life->close && !life->closes_only)
		CHECK_EQ(life->close(t), -EPIPE);
	unmake(t);
}

static void for_each_side(void (*end)(void *t, void *arg), void *arg,
                          int reason)
{
	for (enum verb v = IN; v < VERBS; v++)
		if (has(v))
			end_with_waiters(NULL, v, end, arg, reason);
}

/* --- the checks: stop and fail --- */

static void do_stop(void *t, void *arg)
{
	(void)arg;
	CHECK_EQ(life->stop(t), 0);
}

static void do_stop_twice(void *t, void *arg)
{
	do_stop(t, arg);
	do_stop(t, arg);
}

static int a_stop_releases_whoever_waits(void *arg)
{
	(void)arg;
	for_each_side(do_stop, NULL, -ECANCELED);
	return 0;
}

static int a_second_stop_changes_nothing(void *arg)
{
	(void)arg;
	for_each_side(do_stop_twice, NULL, -ECANCELED);
	return 0;
}

static void do_fail(void *t, void *arg)
{
	CHECK_EQ(life->fail(t, *(int *)arg), 0);
}

static int a_failure_releases_whoever_waits(void *arg)
{
	int err = -EXDEV;

	(void)arg;
	if (life->fail)
		for_each_side(do_fail, &err, err);
	return 0;
}

static void do_all(void *t, void *arg)
{
	do_fail(t, arg);
	do_stop(t, NULL);
	CHECK_EQ(life->fail(t, -ENOSPC), 0);
}

static int the_first_reason_stays(void *arg)
{
	int err = -EXDEV;

	(void)arg;
	if (life->fail)
		for_each_side(do_all, &err, err);
	return 0;
}

static int errors_of_calls_become_eio(void *arg)
{
	static const int errs[] = { -EAGAIN, -ETIMEDOUT, -EPIPE };

	(void)arg;
	for (size_t i = 0; i < 3 && life->fail; i++) {
		int err = errs[i];

		for_each_side(do_fail, &err, -EIO);
	}
	return 0;
}

static int what_is_no_error_is_refused(void *arg)
{
	void *t;

	(void)arg;
	if (!life->fail)
		return 0;
	t = make(NULL);
	CHECK_EQ(life->fail(t, 0), -EINVAL);
	CHECK_EQ(life->fail(t, EXDEV), -EINVAL);
	if (life->join)
		CHECK_EQ(life->join(t, WEFT_NOW), -ETIMEDOUT);
	if (life->in && !life->needs_peer)
		CHECK_EQ(put(t, WEFT_NOW) == -EINVAL, 0);
	unmake(t);
	return 0;
}

/* --- the checks: close and the end in order --- */

/* Take out all that is left of a closed one; its end is the last it says. */
static void come_to_the_end(void *t)
{
	CHECK_EQ(life->close(t), 0);
	if (life->out) {
		drain(t);
		CHECK_EQ(take(t, WEFT_FOREVER), -EPIPE);
	}
}

static void expect_the_end(void *t)
{
	if (life->in)
		CHECK_EQ(put(t, WEFT_NOW), -EPIPE);
	if (life->out)
		CHECK_EQ(take(t, WEFT_NOW), -EPIPE);
	if (life->join)
		CHECK_EQ(life->join(t, WEFT_FOREVER), 0);
	if (!life->closes_only)
		CHECK_EQ(life->close(t), -EPIPE);
}

static bool can_end(void)
{
	return life->close && !life->endless;
}

static int a_close_lets_out_what_is_inside(void *arg)
{
	unsigned n = 0;
	void *t;

	(void)arg;
	if (!can_end())
		return 0;
	t = make(NULL);
	if (life->in && life->out && !life->needs_peer)
		n = fill(t);
	come_to_the_end(t);
	CHECK_EQ(count(RECEIVED), n);
	CHECK_EQ(count(DROPPED), 0u);
	expect_the_end(t);
	unmake(t);
	return 0;
}

static int a_close_releases_whoever_waits(void *arg)
{
	(void)arg;
	for (enum verb v = IN; v < VERBS && can_end(); v++) {
		void *t = make(NULL);
		struct waiting w = { .task = NULL };

		if (has(v))
			wait_in(&w, t, v, WEFT_FOREVER);
		CHECK_EQ(life->close(t), 0);
		/* A task that waits for the end waits for what is inside. */
		if (life->out && v != OUT)
			drain(t);
		if (w.task)
			CHECK_EQ(testing_join(w.task), v == JOIN ? 0 : -EPIPE);
		expect_the_end(t);
		unmake(t);
	}
	return 0;
}

static int nothing_changes_an_end_in_order(void *arg)
{
	struct weft_ctx *ctx;
	void *t;

	(void)arg;
	if (!can_end())
		return 0;
	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	t = make(ctx);
	if (life->in && life->out && !life->needs_peer)
		CHECK_LE(fill(t), 1000u);
	come_to_the_end(t);
	if (life->join)
		CHECK_EQ(life->join(t, WEFT_FOREVER), 0);
	CHECK_EQ(life->stop(t), 0);
	if (life->fail)
		CHECK_EQ(life->fail(t, -EXDEV), 0);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	expect_the_end(t);
	unmake(t);
	weft_ctx_unref(ctx);
	return 0;
}

/* --- the checks: contexts --- */

/* Its context ends, or the one above that. */
static void end_by_context(int64_t ns, void (*end)(void *t, void *top),
                           int reason)
{
	for (enum verb v = IN; v < VERBS; v++)
		for (int above = 0; has(v) && above < 2; above++) {
			struct weft_ctx *top, *below;

			CHECK_EQ(weft_ctx_with_timeout(&top, NULL, ns), 0);
			CHECK_EQ(weft_ctx_with_cancel(&below, top), 0);
			end_with_waiters(above ? below : top, v, end, top,
			                 reason);
			weft_ctx_unref(below);
			weft_ctx_unref(top);
		}
}

static void do_cancel(void *t, void *top)
{
	(void)t;
	CHECK_EQ(weft_ctx_cancel(top, 0), 0);
}

static int a_cancelled_context_stops_it(void *arg)
{
	(void)arg;
	end_by_context(INT64_MAX, do_cancel, -ECANCELED);
	return 0;
}

static void do_pass(void *t, void *top)
{
	(void)t;
	testing_pass(weft_ctx_deadline(top) - weft_now());
}

static int the_deadline_of_its_context_stops_it(void *arg)
{
	(void)arg;
	end_by_context(WEFT_SEC, do_pass, -ETIMEDOUT);
	return 0;
}

static void do_nothing(void *t, void *arg)
{
	(void)t;
	(void)arg;
}

static int a_context_that_has_ended_stops_it_at_once(void *arg)
{
	struct weft_ctx *ctx;
	void *t;

	(void)arg;
	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	CHECK_EQ(weft_ctx_cancel(ctx, -EXDEV), 0);
	t = make(ctx);
	do_nothing(t, NULL);
	CHECK_EQ(weft_clock_settle(), 0);
	for (enum verb v = IN; v < VERBS; v++)
		if (has(v))
			CHECK_EQ(call(t, v, WEFT_FOREVER),
			         v == JOIN ? -ECANCELED : seen(-ECANCELED));
	unmake(t);
	weft_ctx_unref(ctx);
	return 0;
}

static int it_holds_on_to_its_context(void *arg)
{
	struct weft_ctx *parent, *ctx;
	void *t;

	(void)arg;
	CHECK_EQ(weft_ctx_with_cancel(&parent, NULL), 0);
	CHECK_EQ(weft_ctx_with_cancel(&ctx, parent), 0);
	t = make(ctx);
	weft_ctx_unref(ctx);
	CHECK_EQ(weft_ctx_cancel(parent, 0), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	if (life->in)
		CHECK_EQ(put(t, WEFT_NOW), seen(-ECANCELED));
	if (life->out)
		CHECK_EQ(take(t, WEFT_NOW), seen(-ECANCELED));
	unmake(t);
	weft_ctx_unref(parent);
	return 0;
}

static int a_context_may_outlive_it(void *arg)
{
	struct weft_ctx *ctx;

	(void)arg;
	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	unmake(make(ctx));
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	weft_ctx_unref(ctx);
	return 0;
}

/* --- the checks: deadlines, drops, arguments --- */

static int deadlines_are_kept_exactly(void *arg)
{
	(void)arg;
	for (enum verb v = IN; v < VERBS; v++) {
		struct waiting w;
		void *t;

		if (!waits_for_others(v))
			continue;
		t = make(NULL);
		wait_in(&w, t, v, weft_deadline_in(WEFT_SEC));
		testing_pass(WEFT_SEC - 1);
		CHECK_EQ(weft_join_until(w.task, NULL, WEFT_NOW), -ETIMEDOUT);
		testing_pass(1);
		CHECK_EQ(weft_join_until(w.task, NULL, WEFT_NOW), 0);
		/* It goes on as if nobody had waited. */
		if (v == OUT && life->in && !life->needs_peer &&
		    !life->after_close) {
			CHECK_EQ(put(t, WEFT_FOREVER), 0);
			CHECK_EQ(take(t, WEFT_FOREVER), 0);
		}
		unmake(t);
	}
	return 0;
}

static int a_call_past_its_deadline_does_not_wait(void *arg)
{
	void *t = make(NULL);

	(void)arg;
	if (life->out && !life->endless)
		CHECK_EQ(take(t, WEFT_NOW), -ETIMEDOUT);
	if (life->join)
		CHECK_EQ(life->join(t, WEFT_NOW), -ETIMEDOUT);
	if (life->in)
		CHECK_LE(fill(t), 1000u);
	unmake(t);
	return 0;
}

static int what_is_inside_is_dropped_once(void *arg)
{
	(void)arg;
	for (int stopped = 0; stopped < 2; stopped++) {
		unsigned n = 0;
		void *t = make(NULL);

		if (life->in)
			n = fill(t);
		CHECK_EQ(weft_clock_settle(), 0);
		if (stopped)
			CHECK_EQ(life->stop(t), 0);
		unmake(t);
		if (!life->endless && !life->takes_always)
			CHECK_EQ(count(DROPPED), n);
	}
	return 0;
}

/* --- the checks: what there is too little of --- */

/* Make one while the n-th request for that fails; true while there is one. What
 * is made in the end does what it should. */
static bool make_without(struct weft_ctx *ctx, struct testing_refusal what)
{
	void *t;

	making.what = what;
	making.refused = 0;
	t = make(ctx);
	making.what.nth = 0;
	if (life->in)
		CHECK_LE(fill(t), 1000u);
	unmake(t);
	return making.refused > 0;
}

static void make_without_each(enum testing_resource of)
{
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, WEFT_SEC), 0);
	unmake(make(ctx)); /* what a run has once is made by now */
	for (int for_good = 0; for_good < 2; for_good++)
		for (unsigned long n = 1; make_without(
		             ctx, (struct testing_refusal){ of, n, for_good,
		                                            false });
		     n++)
			;
	weft_ctx_unref(ctx);
}

static int none_is_made_without_memory(void *arg)
{
	(void)arg;
	make_without_each(TESTING_MEMORY);
	return 0;
}

static int none_is_made_without_threads(void *arg)
{
	(void)arg;
	make_without_each(TESTING_THREADS);
	return 0;
}

static void allow(int err)
{
	CHECK(!err || err == -ETIMEDOUT || err == -ENOMEM || err == -EPIPE);
	CHECK_EQ(weft_clock_settle(), 0);
}

/* Some of each call, which may be told that there is no memory, or that the
 * component has come to its end for want of it. */
static void use(void *t)
{
	unsigned n = 8;
	int err = 0;

	for (unsigned i = 0; i < n && life->in; i++)
		allow(put(t, WEFT_NOW));
	for (unsigned i = 0; i < n && life->out; i++)
		allow(take(t, WEFT_NOW));
	if (!can_end())
		return;
	allow(life->close(t));
	for (unsigned i = 0; i < 2 * n && life->out && !err; i++)
		allow(err = take(t, WEFT_NOW));
}

/* The n-th request of any task fails after it was made. */
static bool use_without(struct testing_refusal what)
{
	void *t = make(NULL);
	unsigned long refused;

	testing_refuse(&what);
	use(t);
	refused = testing_grant(NULL);
	unmake(t);
	return refused > 0;
}

static int nothing_is_lost_for_want_of_memory(void *arg)
{
	(void)arg;
	unmake(make(NULL));
	for (int for_good = 0; for_good < 2; for_good++)
		for (unsigned long n = 1; use_without((struct testing_refusal){
		             TESTING_MEMORY, n, for_good, true });
		     n++)
			;
	return 0;
}

static int null_is_refused(void *arg)
{
	uint64_t item;

	(void)arg;
	if (life->in && !life->closes_only)
		CHECK_EQ(life->in(NULL, 1, WEFT_NOW), -EINVAL);
	if (life->out && !life->closes_only)
		CHECK_EQ(life->out(NULL, &item, WEFT_NOW), -EINVAL);
	if (life->close && !life->closes_only)
		CHECK_EQ(life->close(NULL), -EINVAL);
	CHECK_EQ(life->stop(NULL), -EINVAL);
	if (life->fail)
		CHECK_EQ(life->fail(NULL, -EXDEV), -EINVAL);
	if (life->join)
		CHECK_EQ(life->join(NULL, WEFT_NOW), -EINVAL);
	life->free(NULL);
	return 0;
}

static int figures_are_told_or_refused(void *arg)
{
	static max_align_t room[64];
	void *t;

	(void)arg;
	if (!life->stats)
		return 0;
	t = make(NULL);
	CHECK_EQ(life->stats(t, room), 0);
	CHECK_EQ(life->stats(t, NULL), -EINVAL);
	CHECK_EQ(life->stats(NULL, room), -EINVAL);
	unmake(t);
	return 0;
}

/* --- the checks: at any moment --- */

/* Each side has as many tasks as it may have, up to this. */
#define SIDE 3u

static unsigned tasks_on(enum verb v)
{
	unsigned n = v == IN ? life->senders : life->receivers;

	return !has(v) ? 0 : n < SIDE ? n : SIDE;
}

static void *random_setup(void *arg)
{
	(void)arg;
	return make(NULL);
}

static void random_go(void *t, unsigned id)
{
	enum verb v = id < tasks_on(IN) ? IN : OUT;
	unsigned most = 200;
	int err = 0;

	while (!err && most--)
		err = call(t, v,
		           weft_rand() % 8 ? WEFT_FOREVER
		                           : weft_deadline_in(1));
	if (err == -ETIMEDOUT)
		return;
	/* A task that has had enough leaves others waiting: until the stop. */
	CHECK(!err || err == seen(-ECANCELED) || err == -EPIPE);
}

static void random_stop(void *t)
{
	CHECK_EQ(life->stop(t), 0);
}

static int it_may_be_stopped_at_any_moment(void *arg)
{
	const struct testing_stop what = {
		.setup = random_setup,
		.go = random_go,
		.tasks = tasks_on(IN) + tasks_on(OUT),
		.stop = random_stop,
		.end = unmake,
	};

	(void)arg;
	testing_stop_often(&what);
	return 0;
}

/* --- the check: nobody can wake anybody --- */

/* The exit status of a program that was told. */
#define TOLD 77

static void told(void *arg)
{
	(void)arg;
	_exit(TOLD);
}

struct sleeper {
	enum verb verb;
};

/* Wait on that side of a component that nobody else knows of. */
static int sleep_for_good(void *arg)
{
	const struct sleeper *s = arg;
	void *t = make(NULL);

	while (!call(t, s->verb, WEFT_FOREVER))
		;
	_exit(0); /* it came back; its own tasks may still sleep */
}

/* What a component waits with must show that it waits: a loop that wakes up to
 * look would hide a program that has come to a standstill. */
static bool is_told(enum verb v)
{
	const struct weft_run_opts opts = { .asleep = told };
	struct sleeper s = { v };
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		alarm(120);
		weft_run(WEFT_THREADS, &opts, sleep_for_good, &s);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) && WEXITSTATUS(status) == TOLD;
}

/* Outside of a run: the child has one of its own. */
static int a_program_that_sleeps_for_good_is_told(void *arg)
{
	(void)arg;
	for (enum verb v = IN; v < VERBS; v++)
		if (waits_for_others(v) && !is_told(v))
			return -EIO;
	return 0;
}

/* --- the suite --- */

#define OUTSIDE_OF_A_RUN (-1)

static const struct check {
	const char *name;
	weft_task_fn fn;
	int clock; /* an enum weft_clock, or OUTSIDE_OF_A_RUN */
} checks[] = {
#define CHECK_ON(clock, fn)                                                    \
	{                                                                      \
#fn, fn, WEFT_CLOCK_##clock                                    \
	}
	CHECK_ON(MANUAL, a_stop_releases_whoever_waits),
	CHECK_ON(MANUAL, a_second_stop_changes_nothing),
	CHECK_ON(MANUAL, a_failure_releases_whoever_waits),
	CHECK_ON(MANUAL, the_first_reason_stays),
	CHECK_ON(MANUAL, errors_of_calls_become_eio),
	CHECK_ON(MANUAL, what_is_no_error_is_refused),
	CHECK_ON(MANUAL, a_close_lets_out_what_is_inside),
	CHECK_ON(MANUAL, a_close_releases_whoever_waits),
	CHECK_ON(MANUAL, nothing_changes_an_end_in_order),
	CHECK_ON(MANUAL, a_cancelled_context_stops_it),
	CHECK_ON(MANUAL, the_deadline_of_its_context_stops_it),
	CHECK_ON(MANUAL, a_context_that_has_ended_stops_it_at_once),
	CHECK_ON(MANUAL, it_holds_on_to_its_context),
	CHECK_ON(MANUAL, a_context_may_outlive_it),
	CHECK_ON(MANUAL, deadlines_are_kept_exactly),
	CHECK_ON(MANUAL, a_call_past_its_deadline_does_not_wait),
	CHECK_ON(MANUAL, what_is_inside_is_dropped_once),
	CHECK_ON(MANUAL, none_is_made_without_memory),
	CHECK_ON(MANUAL, none_is_made_without_threads),
	CHECK_ON(MANUAL, nothing_is_lost_for_want_of_memory),
	CHECK_ON(MANUAL, null_is_refused),
	CHECK_ON(MANUAL, figures_are_told_or_refused),
	CHECK_ON(MONOTONIC, it_may_be_stopped_at_any_moment),
	{ "a_program_that_sleeps_for_good_is_told",
	  a_program_that_sleeps_for_good_is_told, OUTSIDE_OF_A_RUN },
#undef CHECK_ON
};
#define CHECKS (sizeof(checks) / sizeof(checks[0]))

struct entry {
	const struct life *life;
	const struct check *check;
	char name[120];
};

static void run_entry(void **state)
{
	const struct entry *e = *state;

	life = e->life;
	if (e->check->clock == OUTSIDE_OF_A_RUN)
		assert_int_equal(e->check->fn(NULL), 0);
	else
		assert_int_equal(
		        testing_run_clean((enum weft_clock)e->check->clock,
		                          e->check->fn),
		        0);
}

static size_t rows_of(const struct life *rows)
{
	size_t n = 0;

	while (rows[n].name)
		n++;
	return n;
}

static int run(const struct life *rows, const struct check *from, size_t n)
{
	size_t all = rows_of(rows) * n;
	struct CMUnitTest *tests = calloc(all, sizeof(*tests));
	struct entry *entries = calloc(all, sizeof(*entries));
	int failed;

	CHECK(tests && entries);
	for (size_t i = 0; i < all; i++) {
		struct entry *e = &entries[i];

		e->life = &rows[i / n];
		e->check = &from[i % n];
		snprintf(e->name, sizeof(e->name), "%s: %s", e->life->name,
		         e->check->name);
		tests[i] = (struct CMUnitTest){ .name = e->name,
			                        .test_func = run_entry,
			                        .initial_state = e };
	}
	failed = _cmocka_run_group_tests("life", tests, all, NULL, NULL);
	free(tests);
	free(entries);
	return failed;
}

size_t life_checks(void)
{
	return CHECKS;
}

int life_run(const struct life *rows)
{
	return run(rows, checks, CHECKS);
}

int life_run_only(const struct life *rows, const char *check)
{
	size_t i = 0;

	while (i < CHECKS && strcmp(checks[i].name, check) != 0)
		i++;
	CHECK_LT(i, CHECKS);
	return run(rows, &checks[i], 1);
}
