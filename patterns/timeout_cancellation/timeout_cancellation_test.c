/*
 * Tests of weft_timeout. How it ends is tested by its life.c; E1 to E14 are the
 * numbers of the requirements, of which here are
 *
 *	E10 a reply and the end of the time come together
 *	E12 a function that does not look at its context
 *	E13 wake-ups for no reason
 *	E14 deadlines and timeouts that are odd
 *
 * E1 to E9 are in timeout_cancellation_tree_test.c, E11 is in
 * timeout_cancellation_calls_test.c.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "testing/demo.h"
#include "timeout.h"

enum act {
	SLEEP,    /* no longer than its context lasts */
	STUBBORN, /* however long it takes */
	EXIT,     /* end the task */
	DIE,      /* end the thread */
};

/* What a function is asked to do. */
struct request {
	enum act act;
	int64_t ns;
	int status;
	int number; /* of the reply */
};

/* What has become of it. */
static struct {
	_Atomic int made, dropped, refused; /* replies, and requests dropped */
	_Atomic int err, cause;             /* of the function's context */
	struct weft_ctx *ctx;               /* a reference; see keep */
	bool keep;
} seen;

static int act(struct weft_ctx *ctx, const void *request, void *reply,
               void *arg)
{
	const struct request *r = request;
	int err = 0;

	(void)arg;
	if (r->act == EXIT)
		weft_task_exit(r->status);
	if (r->act == DIE)
		pthread_exit(NULL);
	if (seen.keep)
		seen.ctx = weft_ctx_ref(ctx);
	if (r->act == STUBBORN)
		weft_sleep_until(weft_deadline_in(r->ns));
	else
		err = weft_sleep_ctx(ctx, weft_deadline_in(r->ns));
	weft_store_relaxed(&seen.err, weft_ctx_err(ctx));
	weft_store_relaxed(&seen.cause, weft_ctx_cause(ctx));
	*(int *)reply = r->number;
	err = err ? err : r->status;
	if (!err)
		weft_fetch_add_relaxed(&seen.made, 1);
	return err;
}

static void drop_reply(void *reply, void *arg)
{
	CHECK(arg == &seen);
	CHECK_LT(0, *(int *)reply);
	weft_fetch_add_relaxed(&seen.dropped, 1);
}

static void drop_request(void *request, void *arg)
{
	CHECK(arg == &seen);
	CHECK_LT(0, ((struct request *)request)->number);
	weft_fetch_add_relaxed(&seen.refused, 1);
}

static struct weft_timeout *make(int64_t timeout_ns, unsigned workers)
{
	const struct weft_timeout_opts opts = {
		.fn = act,
		.request_size = sizeof(struct request),
		.reply_size = sizeof(int),
		.timeout_ns = timeout_ns,
		.workers = workers,
		.drop_request = drop_request,
		.drop_reply = drop_reply,
		.drop_arg = &seen,
	};
	struct weft_timeout *t;

	memset(&seen, 0, sizeof(seen));
	CHECK_EQ(weft_timeout_new(&t, &opts), 0);
	return t;
}

static struct weft_timeout_stats stats(struct weft_timeout *t)
{
	struct weft_timeout_stats s;

	CHECK_EQ(weft_timeout_stats(t, &s), 0);
	return s;
}

/* Nothing is left, and every reply was delivered or dropped. */
static void free_at_rest(struct weft_timeout *t)
{
	struct weft_timeout_stats s;

	weft_timeout_close(t);
	CHECK_EQ(weft_timeout_join(t, WEFT_FOREVER) == -ETIMEDOUT, 0);
	s = stats(t);
	CHECK_EQ(s.calls, s.succeeded + s.failed + s.timed_out + s.gave_up);
	CHECK_EQ(s.waiting, 0u);
	CHECK_EQ(s.running, 0u);
	CHECK_EQ(s.abandoned, 0u);
	CHECK_EQ((int)s.late, weft_load_relaxed(&seen.dropped));
	CHECK_EQ(weft_load_relaxed(&seen.made), (int)(s.succeeded + s.late));
	weft_timeout_free(t);
}

/* A task that calls. */
struct caller {
	struct weft_timeout *t;
	struct request request[3];
	size_t n;
	struct weft_ctx *ctx;
	int64_t deadline_ns;
	int reply;
	size_t which;
	struct weft_task *task;
};

static int caller_main(void *arg)
{
	struct caller *c = arg;

	return weft_timeout_race(c->t, c->request, c->n, &c->reply, &c->which,
	                         c->ctx, c->deadline_ns);
}

static void begin(struct caller *c)
{
	c->n = c->n ? c->n : 1;
	c->deadline_ns = c->deadline_ns ? c->deadline_ns : WEFT_FOREVER;
	c->task = testing_spawn(caller_main, c);
	CHECK_EQ(weft_clock_settle(), 0);
}

static bool is_under_way(const struct caller *c)
{
	return weft_join_until(c->task, NULL, WEFT_NOW) == -ETIMEDOUT;
}

static int end(const struct caller *c)
{
	int status;

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_join_until(c->task, &status, WEFT_NOW), 0);
	return status;
}

/* --- what comes first --- */

#define AT 10 /* when it ends */

static void do_cancel(struct caller *c)
{
	CHECK_EQ(weft_ctx_cancel(c->ctx, -EXDEV), 0);
}

static void do_stop(struct caller *c)
{
	CHECK_EQ(weft_timeout_stop(c->t), 0);
}

static void do_fail(struct caller *c)
{
	CHECK_EQ(weft_timeout_fail(c->t, -ENOSPC), 0);
}

/* Times in ns from the call on; 0 is none. */
static const struct first {
	const char *what;
	int64_t fn, own, deadline, ctx; /* when these end it */
	int ctx_cause, status;
	void (*end)(struct caller *c);
	int returns, err, cause; /* the call; the function's context */
} firsts[] = {
	{ "a reply", .fn = AT },
	{ "an error", .fn = AT, .status = -EXDEV, .returns = -EXDEV },
	{ "not now", .fn = AT, .status = -EAGAIN, .returns = -EIO },
	{ "no more", .fn = AT, .status = -EPIPE, .returns = -EIO },
	{ "timeout", .fn = AT, .status = -ETIMEDOUT, .returns = -EIO },
	{ "its time", .fn = AT, .status = -ETIME, .returns = -EIO },
	{ "no error", .fn = AT, .status = 7, .returns = -EINVAL },
	{ "own", .own = AT, .returns = -ETIME, .err = -ETIMEDOUT,
	  .cause = -ETIME },
	{ "deadline", .deadline = AT, .returns = -ETIMEDOUT, .err = -ETIMEDOUT,
	  .cause = -ETIMEDOUT },
	{ "context", .ctx = AT, .returns = -ETIMEDOUT, .err = -ETIMEDOUT,
	  .cause = -ETIMEDOUT },
	{ "context, with a cause", .ctx = AT, .ctx_cause = -ENOSPC,
	  .returns = -ETIMEDOUT, .err = -ETIMEDOUT, .cause = -ENOSPC },
	{ "own, before all others", .own = AT, .deadline = AT + 1,
	  .ctx = AT + 1, .returns = -ETIME, .err = -ETIMEDOUT,
	  .cause = -ETIME },
	{ "own and deadline at once", .own = AT, .deadline = AT,
	  .returns = -ETIMEDOUT, .err = -ETIMEDOUT, .cause = -ETIMEDOUT },
	{ "own and context at once", .own = AT, .ctx = AT, .ctx_cause = -EXDEV,
	  .returns = -ETIMEDOUT, .err = -ETIMEDOUT, .cause = -EXDEV },
	/* As within the function of another weft_timeout. */
	{ "the time of somebody else", .own = AT + 1, .ctx = AT,
	  .ctx_cause = -ETIME, .returns = -ETIMEDOUT, .err = -ETIMEDOUT,
	  .cause = -ETIME },
	{ "a cancel", .end = do_cancel, .returns = -ECANCELED,
	  .err = -ECANCELED, .cause = -EXDEV },
	{ "a stop", .end = do_stop, .returns = -ECANCELED, .err = -ECANCELED,
	  .cause = -ECANCELED },
	{ "a failure", .end = do_fail, .returns = -ENOSPC, .err = -ECANCELED,
	  .cause = -ENOSPC },
};

static void look_what_comes_first(const struct first *f)
{
	struct weft_timeout *t = make(f->own, 1);
	struct caller c = { .t = t, .reply = -1 };

	fprintf(stderr, "%s\n", f->what);
	c.request[0] = (struct request){ SLEEP, f->fn ? f->fn : WEFT_SEC,
		                         f->status, 5 };
	if (f->deadline)
		c.deadline_ns = weft_deadline_in(f->deadline);
	CHECK_EQ(weft_ctx_with_timeout_cause(&c.ctx, NULL,
	                                     f->ctx ? f->ctx : INT64_MAX,
	                                     f->ctx_cause),
	         0);
	begin(&c);
	testing_pass(AT - 1);
	CHECK(is_under_way(&c));
	testing_pass(1);
	if (f->end)
		f->end(&c);
	CHECK_EQ(end(&c), f->returns);
	CHECK_EQ(c.reply, f->returns ? -1 : 5);
	CHECK_EQ(weft_load_relaxed(&seen.err), f->err);
	CHECK_EQ(weft_load_relaxed(&seen.cause), f->cause);
	weft_ctx_unref(c.ctx);
	free_at_rest(t);
}

TEST_MANUAL(what_comes_first_is_what_a_call_returns)
{
	for (size_t i = 0; i < sizeof(firsts) / sizeof(*firsts); i++)
		look_what_comes_first(&firsts[i]);
	return 0;
}

TEST_MANUAL(the_context_of_a_function_ends_with_its_call)
{
	struct weft_timeout *t = make(0, 1);
	struct request r = { .act = SLEEP, .number = 1 };
	int reply;

	seen.keep = true;
	CHECK_EQ(weft_timeout_call(t, &r, &reply, WEFT_FOREVER), 0);
	CHECK_EQ(weft_ctx_err(seen.ctx), -ECANCELED);
	CHECK_EQ(weft_load_relaxed(&seen.err), 0);
	weft_ctx_unref(seen.ctx);
	free_at_rest(t);
	return 0;
}

/* --- together --- */

TEST_MANUAL(E10_a_reply_at_the_very_end_is_delivered_or_dropped)
{
	for (int i = 0; i < 100; i++) {
		struct weft_timeout *t = make(AT, 1);
		struct caller c = { .t = t,
			            .request = { { STUBBORN, AT, 0, 1 } } };
		int err;

		begin(&c);
		testing_pass(AT);
		err = end(&c);
		CHECK(err == 0 || err == -ETIME);
		CHECK_EQ(weft_load_relaxed(&seen.made), 1);
		CHECK_EQ(weft_load_relaxed(&seen.dropped), err != 0);
		free_at_rest(t);
	}
	return 0;
}

#define CALLERS 4
#define CALLS (TESTING_SLOW ? 300 : 2000)

static int call_often(void *arg)
{
	struct weft_timeout *t = arg;
	int reply;

	for (int i = 1; i <= CALLS; i++) {
		struct request r[2] = {
			{ weft_rand() % 2 ? SLEEP : STUBBORN,
			  (int64_t)(weft_rand() % 30000), 0, i },
			{ SLEEP, (int64_t)(weft_rand() % 30000), 0, i }
		};
		int err = weft_timeout_race(
		        t, r, 1 + weft_rand() % 2, &reply, NULL, NULL,
		        weft_rand() % 4 ? WEFT_FOREVER
		                        : weft_deadline_in(8000));

		CHECK(err == -ETIME || err == -ETIMEDOUT || reply == i);
		CHECK(!err || err == -ETIME || err == -ETIMEDOUT);
	}
	return 0;
}

/* And the figures agree at any instant. */
TEST(E10_replies_that_race_with_the_end_are_delivered_or_dropped)
{
	struct weft_timeout *t = make(15 * WEFT_US, 3);
	struct weft_task *callers[CALLERS];
	struct weft_timeout_stats s;

	for (int i = 0; i < CALLERS; i++)
		callers[i] = testing_spawn(call_often, t);
	do {
		s = stats(t);
		CHECK_LE(s.succeeded + s.failed + s.timed_out + s.gave_up,
		         s.calls);
		CHECK_LE(s.calls, s.succeeded + s.failed + s.timed_out +
		                          s.gave_up + CALLERS);
		CHECK_LE(s.abandoned, s.running);
		CHECK_LE(s.running, 3u);
		CHECK_LE(s.waiting, 2u * CALLERS);
		weft_yield();
	} while (weft_join_until(callers[0], NULL, WEFT_NOW));
	for (int i = 1; i < CALLERS; i++)
		CHECK_EQ(testing_join(callers[i]), 0);
	free_at_rest(t);
	return 0;
}

/* --- functions that go on --- */

TEST_MANUAL(E12_a_function_that_does_not_look_holds_up_its_task_only)
{
	struct weft_timeout *t = make(AT, 1);
	struct caller c = { .t = t, .request = { { STUBBORN, 25, 0, 1 } } };
	struct caller next = { .t = t, .request = { { SLEEP, 1, 0, 2 } } };

	begin(&c);
	testing_pass(AT);
	CHECK_EQ(end(&c), -ETIME);
	CHECK_EQ(stats(t).abandoned, 1u);
	/* It waits for a task in vain. */
	begin(&next);
	CHECK_EQ(stats(t).waiting, 1u);
	testing_pass(AT);
	CHECK_EQ(end(&next), -ETIME);
	CHECK_EQ(weft_load_relaxed(&seen.refused), 1);
	CHECK_EQ(stats(t).waiting, 0u);
	/* And the next one gets it, 5 ns later. */
	begin(&next);
	testing_pass(5);
	CHECK_EQ(stats(t).late, 1u);
	CHECK_EQ(stats(t).abandoned, 0u);
	testing_pass(1);
	CHECK_EQ(end(&next), 0);
	CHECK_EQ(next.reply, 2);
	free_at_rest(t);
	return 0;
}

static int unmake(void *arg)
{
	weft_timeout_free(arg);
	return 0;
}

TEST_MANUAL(E12_a_free_waits_for_a_function_that_goes_on)
{
	struct weft_timeout *t = make(AT, 1);
	struct caller c = { .t = t, .request = { { STUBBORN, 25, 0, 1 } } };
	struct weft_task *task;

	begin(&c);
	testing_pass(AT);
	CHECK_EQ(end(&c), -ETIME);
	task = testing_spawn(unmake, t);
	testing_pass(14);
	CHECK_EQ(weft_join_until(task, NULL, WEFT_NOW), -ETIMEDOUT);
	testing_pass(1);
	CHECK_EQ(testing_join(task), 0);
	CHECK_EQ(weft_load_relaxed(&seen.dropped), 1);
	return 0;
}

TEST_MANUAL(a_shutdown_in_two_stages)
{
	struct weft_timeout *t = make(0, 2);
	struct caller quick = { .t = t, .request = { { SLEEP, 5, 0, 1 } } };
	struct caller slow = { .t = t, .request = { { SLEEP, 99, 0, 2 } } };
	struct request r = { .act = SLEEP, .number = 3 };
	int reply;

	begin(&quick);
	begin(&slow);
	CHECK_EQ(weft_timeout_close(t), 0);
	CHECK_EQ(weft_timeout_call(t, &r, &reply, WEFT_FOREVER), -EPIPE);
	testing_pass(5);
	CHECK_EQ(end(&quick), 0);
	CHECK_EQ(weft_timeout_join(t, weft_now()), -ETIMEDOUT);
	CHECK_EQ(weft_timeout_stop(t), 0);
	CHECK_EQ(end(&slow), -ECANCELED);
	CHECK_EQ(weft_timeout_join(t, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_load_relaxed(&seen.refused), 1);
	free_at_rest(t);
	return 0;
}

TEST_MANUAL(a_function_may_end_its_task_or_its_thread)
{
	static const struct {
		struct request request;
		int returns;
	} ways[] = {
		{ { EXIT, 0, -EXDEV, 1 }, -EXDEV },
		{ { EXIT, 0, 0, 1 }, -ECANCELED },
		{ { EXIT, 0, 3, 1 }, -ECANCELED },
		{ { DIE, 0, 0, 1 }, -ECANCELED },
	};
	struct weft_timeout *t = make(0, 1);
	struct request good = { .act = SLEEP, .number = 4 };
	int reply;

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		CHECK_EQ(weft_timeout_call(t, &ways[i].request, &reply,
		                           WEFT_FOREVER),
		         ways[i].returns);
		CHECK_EQ(weft_timeout_call(t, &good, &reply, WEFT_FOREVER), 0);
		CHECK_EQ(reply, 4);
	}
	free_at_rest(t);
	return 0;
}

/* --- races --- */

TEST_MANUAL(a_race_gives_the_first_reply_and_ends_the_others)
{
	struct weft_timeout *t = make(0, 3);
	struct caller c = { .t = t,
		            .n = 3,
		            .request = { { SLEEP, 50, 0, 1 },
		                         { SLEEP, 3, -EXDEV, 2 },
		                         { SLEEP, 5, 0, 3 } } };

	begin(&c);
	testing_pass(3);
	CHECK(is_under_way(&c));
	testing_pass(2);
	CHECK_EQ(end(&c), 0);
	CHECK_EQ(c.reply, 3);
	CHECK_EQ(c.which, (size_t)2);
	CHECK_EQ(stats(t).running, 0u);
	CHECK_EQ(weft_load_relaxed(&seen.err), -ECANCELED);
	CHECK_EQ(weft_load_relaxed(&seen.cause), -ECANCELED);
	free_at_rest(t);
	return 0;
}

TEST_MANUAL(a_race_that_all_lose_has_the_first_error)
{
	struct weft_timeout *t = make(0, 3);
	struct caller c = { .t = t,
		            .n = 3,
		            .request = { { SLEEP, 9, -EXDEV, 1 },
		                         { SLEEP, 3, -ENOSPC, 2 },
		                         { SLEEP, 5, -EAGAIN, 3 } } };

	begin(&c);
	for (int i = 1; i < 9; i++) {
		testing_pass(1);
		CHECK(is_under_way(&c));
	}
	testing_pass(1);
	CHECK_EQ(end(&c), -ENOSPC);
	free_at_rest(t);
	return 0;
}

TEST_MANUAL(those_that_wait_for_a_task_are_not_called_after_the_first_reply)
{
	struct weft_timeout *t = make(0, 1);
	struct caller c = { .t = t,
		            .n = 3,
		            .request = { { SLEEP, 9, -EXDEV, 1 },
		                         { SLEEP, 3, 0, 2 },
		                         { SLEEP, 5, 0, 3 } } };

	begin(&c);
	testing_pass(9);
	CHECK(is_under_way(&c));
	testing_pass(3);
	CHECK_EQ(end(&c), 0);
	CHECK_EQ(c.reply, 2);
	CHECK_EQ(weft_load_relaxed(&seen.refused), 1);
	free_at_rest(t);
	return 0;
}

TEST_MANUAL(a_reply_that_loses_is_dropped)
{
	struct weft_timeout *t = make(0, 2);
	struct caller c = { .t = t,
		            .n = 2,
		            .request = { { STUBBORN, 9, 0, 1 },
		                         { SLEEP, 3, 0, 2 } } };

	begin(&c);
	testing_pass(3);
	CHECK_EQ(end(&c), 0);
	CHECK_EQ(stats(t).abandoned, 1u);
	testing_pass(6);
	CHECK_EQ(stats(t).late, 1u);
	free_at_rest(t);
	return 0;
}

/* --- odd wake-ups, deadlines and arguments --- */

TEST_MANUAL(E13_wake_ups_for_no_reason_do_not_end_a_call)
{
	struct weft_timeout *t = make(AT, 1);
	struct caller c = { .t = t, .request = { { SLEEP, 99, 0, 1 } } };

	begin(&c);
	for (int i = 1; i < AT; i++) {
		weft_unpark(c.task);
		testing_pass(1);
		CHECK(is_under_way(&c));
	}
	testing_pass(1);
	CHECK_EQ(end(&c), -ETIME);
	free_at_rest(t);
	return 0;
}

TEST_MANUAL(E14_what_has_expired_is_not_called)
{
	const int64_t expired[] = { WEFT_NOW, INT64_MIN, 1, weft_now() };
	struct weft_timeout *t = make(0, 1);
	struct request r = { .act = SLEEP, .number = 1 };
	int reply;

	for (int i = 0; i < 4; i++) {
		CHECK_EQ(weft_timeout_call(t, &r, &reply, expired[i]),
		         -ETIMEDOUT);
		CHECK_EQ(weft_load_relaxed(&seen.refused), i + 1);
	}
	CHECK_EQ(stats(t).calls, 0u);
	free_at_rest(t);
	return 0;
}

TEST_MANUAL(E14_a_timeout_beyond_the_end_of_time_never_comes)
{
	struct weft_timeout *t = make(INT64_MAX, 1);
	struct caller c = { .t = t,
		            .deadline_ns = WEFT_FOREVER - 1,
		            .request = { { SLEEP, AT, 0, 1 } } };

	begin(&c);
	testing_pass(AT);
	CHECK_EQ(end(&c), 0);
	free_at_rest(t);
	return 0;
}

TEST_MANUAL(an_ended_context_wins_and_values_are_seen)
{
	struct weft_timeout *t = make(0, 1);
	struct request r = { .act = SLEEP, .number = 1 };
	struct weft_ctx *ctx;
	int key, reply;

	seen.keep = true;
	CHECK_EQ(weft_ctx_with_value(&ctx, NULL, &key, &reply), 0);
	CHECK_EQ(weft_timeout_call_ctx(t, &r, &reply, ctx, WEFT_FOREVER), 0);
	CHECK(weft_ctx_value(seen.ctx, &key) == &reply);
	weft_ctx_unref(seen.ctx);
	CHECK_EQ(weft_ctx_cancel(ctx, -EXDEV), 0);
	CHECK_EQ(weft_timeout_stop(t), 0);
	CHECK_EQ(weft_timeout_call_ctx(t, &r, &reply, ctx, WEFT_NOW),
	         -ECANCELED);
	CHECK_EQ(weft_load_relaxed(&seen.refused), 1);
	weft_ctx_unref(ctx);
	free_at_rest(t);
	return 0;
}

TEST(nonsense_is_refused)
{
	static const struct weft_timeout_opts bad[] = {
		{ .fn = NULL },
		{ .fn = act, .request_size = WEFT_ELEM_MAX + 1 },
		{ .fn = act, .reply_size = WEFT_ELEM_MAX + 1 },
		{ .fn = act, .timeout_ns = -1 },
		{ .fn = act, .workers = WEFT_TIMEOUT_WORKERS_MAX + 1 },
		{ .fn = act, .wait = (enum weft_wait)99 },
	};
	struct weft_timeout *t = NULL;
	struct request r = { .act = SLEEP, .number = 1 };
	int reply;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_EQ(weft_timeout_new(&t, &bad[i]), -EINVAL);
	CHECK_EQ(weft_timeout_new(&t, NULL), -EINVAL);
	CHECK_EQ(weft_timeout_new(NULL, &bad[0]), -EINVAL);
	CHECK(t == NULL);
	t = make(0, 1);
	CHECK_EQ(weft_timeout_call(t, NULL, &reply, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(weft_timeout_call(t, &r, NULL, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(weft_timeout_race(t, &r, 0, &reply, NULL, NULL, WEFT_FOREVER),
	         -EINVAL);
	CHECK_EQ(weft_timeout_race(t, &r, WEFT_TIMEOUT_RACE_MAX + 1, &reply,
	                           NULL, NULL, WEFT_FOREVER),
	         -EINVAL);
	CHECK_EQ(weft_load_relaxed(&seen.refused), 0);
	free_at_rest(t);
	return 0;
}

/* --- the demo --- */

/* Whether the task of the first example takes longer than its two seconds. */
TEST_MANUAL(the_demo_times_out_when_the_task_takes_too_long)
{
	int timed_out = 0, completed = 0;

	for (int i = 0; i < 40; i++) {
		char *text = testing_demo(pattern_find("timeout_cancellation"));
		const char *takes = strstr(text, "will take ");
		bool late = strstr(text, "context deadline exceeded") != NULL;
		int tenths;

		CHECK(takes != NULL);
		tenths = (takes[10] - '0') * 10 + takes[12] - '0';
		/* At 2.0 s both come together. */
		CHECK(tenths == 20 || late == (tenths > 20));
		CHECK_EQ(late, strstr(text, "Task completed\n") == NULL);
		timed_out += late;
		completed += !late;
		free(text);
	}
	CHECK(timed_out > 0 && completed > 0);
	return 0;
}
