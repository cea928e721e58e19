/* Tests of the functions that are called when a context ends. */
#include <stdio.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/chan.h>
#include <weft/ctx.h>

#include "sync/internal.h"
#include "task/internal.h"
#include "task/testing.h"

/* One function and what became of it. */
struct record {
	struct weft_ctx_func func;
	_Atomic int calls;
	const struct weft_task *by;
	int64_t at;
};

static void records(void *arg)
{
	struct record *r = arg;

	r->by = weft_self();
	r->at = weft_now();
	weft_fetch_add_acq_rel(&r->calls, 1);
}

static int calls(struct record *r)
{
	return weft_load_acquire(&r->calls);
}

static void watch(struct record *r, struct weft_ctx *ctx)
{
	weft_store_relaxed(&r->calls, 0);
	CHECK_EQ(weft_ctx_after(ctx, &r->func, records, r), 0);
}

static struct weft_ctx *child_of(struct weft_ctx *parent)
{
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, parent), 0);
	return ctx;
}

static struct weft_ctx *for_ns(int64_t ns)
{
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, ns), 0);
	return ctx;
}

static uint32_t servants(void)
{
	return weft_load_acquire(&weft_self()->run->servants);
}

/* --- cancel --- */

TEST(the_canceller_calls_each_function_once)
{
	struct weft_ctx *parent = child_of(NULL), *child = child_of(parent);
	struct record r[3];

	watch(&r[0], parent);
	watch(&r[1], child);
	watch(&r[2], child);
	CHECK(weft_ctx_after_stop(&r[2].func));
	CHECK_EQ(weft_ctx_cancel(parent, 0), 0);
	CHECK_EQ(weft_ctx_cancel(parent, 0), 0);
	CHECK_EQ(weft_ctx_cancel(child, 0), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(calls(&r[i]), 1);
		CHECK(r[i].by == weft_self());
		CHECK(!weft_ctx_after_stop(&r[i].func));
	}
	CHECK_EQ(calls(&r[2]), 0);
	weft_ctx_unref(child);
	weft_ctx_unref(parent);
	return 0;
}

static int waits_for_end(void *arg)
{
	return weft_sleep_ctx(arg, WEFT_FOREVER);
}

/* A function of the parent, which looks whether the child's waiter was told. */
struct wakes {
	struct weft_ctx_func func;
	struct weft_ctx *child;
	uint64_t seen;
};

static void looks_at_wakes(void *arg)
{
	struct wakes *w = arg;
	struct weft_chan_stats stats;

	weft_chan_stats(weft_ctx_done(w->child), &stats);
	w->seen = stats.wakes;
}

/* What a function does, and how long it takes, is nobody else's wait. */
TEST_MANUAL(everyone_below_is_awake_before_any_function_is_called)
{
	struct weft_ctx *parent = child_of(NULL), *child = child_of(parent);
	struct wakes w = { .child = child };
	struct weft_task *t = testing_spawn(waits_for_end, child);

	CHECK_EQ(weft_ctx_after(parent, &w.func, looks_at_wakes, &w), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_ctx_cancel(parent, 0), 0);
	CHECK_EQ(w.seen, (uint64_t)1);
	CHECK_EQ(testing_join(t), -ECANCELED);
	CHECK(!weft_ctx_after_stop(&w.func));
	weft_ctx_unref(child);
	weft_ctx_unref(parent);
	return 0;
}

TEST(an_ended_context_calls_at_once)
{
	struct weft_ctx *ctx = child_of(NULL), *late = for_ns(0);
	struct record r[2];

	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	watch(&r[0], ctx);
	watch(&r[1], late);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(calls(&r[i]), 1);
		CHECK(r[i].by == weft_self());
		CHECK(!weft_ctx_after_stop(&r[i].func));
	}
	CHECK_EQ(servants(), 0u);
	weft_ctx_unref(ctx);
	weft_ctx_unref(late);
	return 0;
}

TEST(the_background_never_calls)
{
	struct record r[2];

	watch(&r[0], NULL);
	watch(&r[1], weft_ctx_background());
	CHECK(weft_ctx_after_stop(&r[0].func));
	CHECK(weft_ctx_after_stop(&r[1].func));
	return 0;
}

TEST(nonsense_is_refused)
{
	struct weft_ctx *ctx = child_of(NULL);
	struct weft_ctx_func f;

	CHECK_EQ(weft_ctx_after(ctx, NULL, records, NULL), -EINVAL);
	CHECK_EQ(weft_ctx_after(ctx, &f, NULL, NULL), -EINVAL);
	CHECK(weft_ctx_after_stop(NULL));
	weft_ctx_unref(ctx);
	return 0;
}

static void outside_of_a_run_there_is_no_deadline(void **state)
{
	struct weft_ctx *ctx = for_ns(WEFT_SEC), *plain = child_of(NULL);
	struct record r;

	(void)state;
	assert_int_equal(weft_ctx_after(ctx, &r.func, records, &r), -EINVAL);
	watch(&r, plain);
	assert_int_equal(weft_ctx_cancel(plain, 0), 0);
	assert_int_equal(calls(&r), 1);
	assert_false(weft_ctx_after_stop(&r.func));
	weft_ctx_unref(ctx);
	weft_ctx_unref(plain);
}

/* --- deadline --- */

TEST_MANUAL(the_timer_task_calls_when_the_deadline_comes)
{
	struct weft_ctx *ctx = for_ns(10), *child = child_of(ctx);
	struct record r[2];

	watch(&r[0], ctx);
	watch(&r[1], child);
	testing_pass(9);
	CHECK_EQ(calls(&r[0]) + calls(&r[1]), 0);
	testing_pass(1);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(calls(&r[i]), 1);
		CHECK_EQ(r[i].at, weft_ctx_deadline(ctx));
		CHECK(r[i].by != weft_self());
		CHECK(!weft_ctx_after_stop(&r[i].func));
	}
	weft_ctx_unref(child);
	weft_ctx_unref(ctx);
	return 0;
}

/* Somebody sees that it has ended before the timer task gets to it. */
TEST_MANUAL(who_sees_the_deadline_first_changes_nothing)
{
	struct weft_ctx *ctx = for_ns(10);
	struct record r;

	watch(&r, ctx);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	CHECK_EQ(weft_ctx_err(ctx), -ETIMEDOUT);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(calls(&r), 1);
	CHECK(r.by != weft_self());
	CHECK(!weft_ctx_after_stop(&r.func));
	weft_ctx_unref(ctx);
	return 0;
}

TEST_MANUAL(a_cancel_before_the_deadline_calls_and_the_timer_does_not)
{
	struct weft_ctx *ctx = for_ns(10);
	struct record r;

	watch(&r, ctx);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(calls(&r), 1);
	testing_pass(10);
	CHECK_EQ(calls(&r), 1);
	CHECK(r.by == weft_self());
	CHECK(!weft_ctx_after_stop(&r.func));
	testing_pass(WEFT_SEC);
	CHECK_EQ(servants(), 0u);
	weft_ctx_unref(ctx);
	return 0;
}

TEST_MANUAL(a_stop_before_the_deadline_leaves_no_timer)
{
	struct weft_ctx *ctx = for_ns(1000 * WEFT_SEC);
	struct record r;

	watch(&r, ctx);
	CHECK(weft_ctx_after_stop(&r.func));
	testing_pass(WEFT_SEC);
	CHECK_EQ(servants(), 0u);
	testing_pass(1000 * WEFT_SEC);
	CHECK_EQ(calls(&r), 0);
	weft_ctx_unref(ctx);
	return 0;
}

/* --- from within --- */

/* A function that stops itself, and of which nothing may be left when that
 * returns: not its memory, and not its context. */
struct own {
	struct weft_ctx_func func;
	struct weft_ctx *ctx;
	_Atomic int *calls;
};

static void ends_itself(void *arg)
{
	struct own *own = arg;
	_Atomic int *n = own->calls;

	CHECK(!weft_ctx_after_stop(&own->func));
	weft_ctx_unref(own->ctx);
	free(own);
	weft_fetch_add_acq_rel(n, 1);
}

static void own_make(struct weft_ctx *ctx, _Atomic int *n)
{
	struct own *own = aligned_alloc(_Alignof(struct own), sizeof(*own));

	CHECK(own != NULL);
	own->ctx = ctx;
	own->calls = n;
	CHECK_EQ(weft_ctx_after(ctx, &own->func, ends_itself, own), 0);
}

TEST_MANUAL(a_function_may_stop_itself_and_free_everything)
{
	struct weft_ctx *ctx = child_of(NULL);
	_Atomic int n = 0;

	own_make(weft_ctx_ref(ctx), &n); /* by the canceller */
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(weft_load_acquire(&n), 1);
	own_make(ctx, &n); /* at once */
	CHECK_EQ(weft_load_acquire(&n), 2);
	own_make(for_ns(10), &n); /* by the timer task */
	testing_pass(10);
	CHECK_EQ(weft_load_acquire(&n), 3);
	return 0;
}

/* A function that ends another context, whose function ends a third.. */
struct link {
	struct weft_ctx_func func;
	struct weft_ctx *ctx, *next;
};

static void cancels_the_next(void *arg)
{
	struct link *l = arg;

	CHECK_EQ(weft_ctx_cancel(l->next, 0), 0);
}

#define LINKS 5

TEST(a_function_may_end_contexts_its_own_and_its_parents_too)
{
	struct weft_ctx *parent = child_of(NULL);
	struct link l[LINKS];

	for (int i = 0; i < LINKS; i++)
		l[i].ctx = child_of(parent);
	for (int i = 0; i < LINKS; i++) {
		l[i].next = i + 1 < LINKS ? l[i + 1].ctx : parent;
		CHECK_EQ(weft_ctx_after(l[i].ctx, &l[i].func, cancels_the_next,
		                        &l[i]),
		         0);
	}
	CHECK_EQ(weft_ctx_cancel(l[0].ctx, 0), 0);
	CHECK_EQ(weft_ctx_err(parent), -ECANCELED);
	for (int i = 0; i < LINKS; i++) {
		CHECK(!weft_ctx_after_stop(&l[i].func));
		weft_ctx_unref(l[i].ctx);
	}
	weft_ctx_unref(parent);
	return 0;
}

/* --- stop against the call --- */

struct slow {
	struct weft_ctx_func func;
	struct weft_ctx *ctx;
	_Atomic int began, may_end, ended;
};

static void goes_on(void *arg)
{
	struct slow *s = arg;

	weft_store_release(&s->began, 1);
	while (!weft_load_acquire(&s->may_end))
		weft_yield();
	weft_store_release(&s->ended, 1);
}

static int stops(void *arg)
{
	struct slow *s = arg;
	bool stopped = weft_ctx_after_stop(&s->func);

	CHECK_EQ(weft_load_acquire(&s->ended), 1);
	return stopped;
}

static int cancels(void *arg)
{
	return weft_ctx_cancel(arg, 0);
}

static void stop_while_it_runs(struct weft_ctx *ctx, bool by_cancel)
{
	struct slow s = { .ctx = ctx };
	struct weft_task *canceller = NULL, *stopper;

	CHECK_EQ(weft_ctx_after(ctx, &s.func, goes_on, &s), 0);
	if (by_cancel)
		canceller = testing_spawn(cancels, ctx);
	else
		CHECK_EQ(weft_clock_advance(10), 0);
	while (!weft_load_acquire(&s.began))
		weft_yield();
	stopper = testing_spawn(stops, &s);
	for (int i = 0; i < 10; i++)
		weft_yield();
	CHECK_EQ(weft_join_until(stopper, NULL, WEFT_NOW), -ETIMEDOUT);
	weft_store_release(&s.may_end, 1);
	CHECK_EQ(testing_join(stopper), 0);
	if (by_cancel)
		CHECK_EQ(testing_join(canceller), 0);
	weft_ctx_unref(ctx);
}

TEST_MANUAL(stop_waits_for_a_call_under_way)
{
	stop_while_it_runs(child_of(NULL), true);
	stop_while_it_runs(for_ns(10), false);
	return 0;
}

/* When stop returns the memory goes, called or not: what ASan is for. */
static void race_once(struct weft_ctx *ctx, bool by_cancel, int *called)
{
	struct record *r = aligned_alloc(_Alignof(struct record), sizeof(*r));
	struct weft_task *t = NULL;
	bool stopped;

	CHECK(r != NULL);
	watch(r, ctx);
	if (by_cancel)
		t = testing_spawn(cancels, ctx);
	for (uint64_t i = weft_rand() % 8; i; i--)
		weft_yield();
	stopped = weft_ctx_after_stop(&r->func);
	CHECK_EQ(calls(r), !stopped);
	*called += !stopped;
	free(r);
	if (by_cancel)
		CHECK_EQ(testing_join(t), 0);
	weft_ctx_unref(ctx);
}

TEST(a_stop_that_races_with_a_cancel_is_sure_of_the_outcome)
{
	int called = 0, rounds = TESTING_SLOW ? 300 : 3000;

	for (int i = 0; i < rounds; i++)
		race_once(child_of(NULL), true, &called);
	printf("%d of %d were called\n", called, rounds);
	return 0;
}

TEST(a_stop_that_races_with_a_deadline_is_sure_of_the_outcome)
{
	int called = 0, rounds = TESTING_SLOW ? 300 : 3000;

	for (int i = 0; i < rounds; i++) {
		int64_t ns = (int64_t)(weft_rand() % 20) * WEFT_US;

		race_once(for_ns(ns), false, &called);
	}
	printf("%d of %d were called\n", called, rounds);
	return 0;
}

/* A cancel and a deadline at once: one of them calls. */
TEST(a_cancel_that_races_with_a_deadline_calls_once)
{
	for (int i = 0; i < (TESTING_SLOW ? 300 : 3000); i++) {
		struct weft_ctx *ctx =
		        for_ns((int64_t)(weft_rand() % 20) * WEFT_US);
		struct record r;
		bool stopped;

		watch(&r, ctx);
		if (weft_rand() % 2)
			weft_yield();
		CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
		stopped = weft_ctx_after_stop(&r.func);
		CHECK_EQ(calls(&r), !stopped);
		/* Only a deadline that is not served yet leaves it open. */
		CHECK(!stopped || weft_ctx_err(ctx) == -ETIMEDOUT);
		weft_ctx_unref(ctx);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_canceller_calls_each_function_once),
		cmocka_unit_test(
		        everyone_below_is_awake_before_any_function_is_called),
		cmocka_unit_test(an_ended_context_calls_at_once),
		cmocka_unit_test(the_background_never_calls),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(outside_of_a_run_there_is_no_deadline),
		cmocka_unit_test(the_timer_task_calls_when_the_deadline_comes),
		cmocka_unit_test(who_sees_the_deadline_first_changes_nothing),
		cmocka_unit_test(
		        a_cancel_before_the_deadline_calls_and_the_timer_does_not),
		cmocka_unit_test(a_stop_before_the_deadline_leaves_no_timer),
		cmocka_unit_test(
		        a_function_may_stop_itself_and_free_everything),
		cmocka_unit_test(
		        a_function_may_end_contexts_its_own_and_its_parents_too),
		cmocka_unit_test(stop_waits_for_a_call_under_way),
		cmocka_unit_test(
		        a_stop_that_races_with_a_cancel_is_sure_of_the_outcome),
		cmocka_unit_test(
		        a_stop_that_races_with_a_deadline_is_sure_of_the_outcome),
		cmocka_unit_test(
		        a_cancel_that_races_with_a_deadline_calls_once),
	};

	return cmocka_run_group_tests_name("ctx_after", tests, NULL, NULL);
}
