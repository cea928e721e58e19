/*
 * Tests of contexts in the hands of threads that are no tasks.
 *
 * To be adopted takes memory and a mutex, so it must not happen under a lock
 * that is spun for: the linker puts this file's weft_task_record_get(), which
 * is how it begins, in the way (--wrap).
 */
#include <pthread.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/select.h>
#include <weft/sync.h>
#include <weft/timer.h>

#include "chan/internal.h"
#include "sync/internal.h"
#include "task/internal.h"
#include "task/testing.h"

static struct weft_ctx *not_locked; /* while a thread is adopted; or NULL */
static _Atomic int adopted;

struct weft_task *__real_weft_task_record_get(const char *name);
struct weft_task *__wrap_weft_task_record_get(const char *name);

struct weft_task *__wrap_weft_task_record_get(const char *name)
{
	if (not_locked)
		CHECK_EQ(weft_load_relaxed(&not_locked->lock.held), 0u);
	weft_fetch_add_relaxed(&adopted, 1);
	return __real_weft_task_record_get(name);
}

/* --- threads --- */

struct thread {
	pthread_t id;
	weft_task_fn fn;
	void *arg;
	int status;
};

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	t->status = t->fn(t->arg);
	return NULL;
}

static void thread_start(struct thread *t, weft_task_fn fn, void *arg)
{
	t->fn = fn;
	t->arg = arg;
	CHECK_EQ(pthread_create(&t->id, NULL, thread_main, t), 0);
}

static int thread_join(struct thread *t)
{
	CHECK_EQ(pthread_join(t->id, NULL), 0);
	return t->status;
}

static int on_a_thread(weft_task_fn fn, void *arg)
{
	struct thread t;

	thread_start(&t, fn, arg);
	return thread_join(&t);
}

static struct weft_ctx *ctx_new(int64_t deadline_ns)
{
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_deadline(&ctx, NULL, deadline_ns), 0);
	return ctx;
}

/* --- functions --- */

static void counts(void *arg)
{
	weft_fetch_add_acq_rel((_Atomic int *)arg, 1);
}

static int cancels(void *arg)
{
	return weft_ctx_cancel(arg, -EIO);
}

static void a_thread_that_cancels_is_adopted_outside_of_the_lock(void **state)
{
	struct weft_ctx *ctx = ctx_new(WEFT_FOREVER);
	struct weft_ctx_func f;
	_Atomic int calls = 0;
	int before = weft_load_relaxed(&adopted);

	(void)state;
	assert_int_equal(weft_ctx_after(ctx, &f, counts, (void *)&calls), 0);
	not_locked = ctx;
	assert_int_equal(on_a_thread(cancels, ctx), 0);
	not_locked = NULL;
	assert_int_equal(weft_load_relaxed(&adopted), before + 1);
	assert_int_equal(weft_load_acquire(&calls), 1);
	assert_int_equal(weft_ctx_cause(ctx), -EIO);
	assert_false(weft_ctx_after_stop(&f));
	weft_ctx_unref(ctx);

	/* And with nothing to call, not at all. */
	ctx = ctx_new(WEFT_FOREVER);
	assert_int_equal(on_a_thread(cancels, ctx), 0);
	assert_int_equal(weft_load_relaxed(&adopted), before + 1);
	weft_ctx_unref(ctx);
}

static int stops(void *arg)
{
	return weft_ctx_after_stop(arg);
}

static void a_thread_may_stop_a_function(void **state)
{
	struct weft_ctx *ctx = ctx_new(WEFT_FOREVER);
	struct weft_ctx_func f;
	_Atomic int calls = 0;

	(void)state;
	assert_int_equal(weft_ctx_after(ctx, &f, counts, (void *)&calls), 0);
	assert_true(on_a_thread(stops, &f));
	assert_int_equal(weft_ctx_cancel(ctx, 0), 0);
	assert_int_equal(weft_load_acquire(&calls), 0);
	weft_ctx_unref(ctx);
}

/* A call that goes on until it is let go. */
struct slow {
	struct weft_ctx_func func;
	struct weft_ctx *ctx;
	_Atomic(struct weft_task *) stopper;
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

static int cancels_slow(void *arg)
{
	struct slow *s = arg;

	return weft_ctx_cancel(s->ctx, 0);
}

static int stops_slow(void *arg)
{
	struct slow *s = arg;
	bool stopped;

	weft_store_release(&s->stopper, weft_self());
	stopped = weft_ctx_after_stop(&s->func);
	CHECK_EQ(weft_load_acquire(&s->ended), 1);
	return stopped;
}

static void await_waiting_for(_Atomic(struct weft_task *) *task,
                              const char *what)
{
	struct weft_task *t;
	const char *on;

	do {
		weft_yield();
		t = weft_load_acquire(task);
		on = t ? weft_load_acquire(&t->waits_for) : NULL;
	} while (!on || strcmp(on, what) != 0);
}

static void a_thread_that_stops_waits_for_the_call(void **state)
{
	struct slow s = { .ctx = ctx_new(WEFT_FOREVER) };
	struct thread canceller, stopper;

	(void)state;
	assert_int_equal(weft_ctx_after(s.ctx, &s.func, goes_on, &s), 0);
	thread_start(&canceller, cancels_slow, &s);
	while (!weft_load_acquire(&s.began))
		weft_yield();
	thread_start(&stopper, stops_slow, &s);
	await_waiting_for(&s.stopper, "waitgroup");
	weft_store_release(&s.may_end, 1);
	assert_false(thread_join(&stopper));
	assert_int_equal(thread_join(&canceller), 0);
	weft_ctx_unref(s.ctx);
}

static uint32_t servants(void)
{
	return weft_load_acquire(&weft_self()->run->servants);
}

/* The second for which the timer task lingers is on the clock of its run, not
 * on that of the thread which stopped the last timer. */
TEST_MANUAL(a_thread_that_stops_the_last_timer_leaves_it_for_a_second)
{
	struct weft_ctx *ctx = ctx_new(weft_deadline_in(1000 * WEFT_SEC));
	struct weft_ctx_func f;
	_Atomic int calls = 0;

	CHECK_EQ(weft_ctx_after(ctx, &f, counts, (void *)&calls), 0);
	CHECK_EQ(on_a_thread(stops, &f), true);
	testing_pass(WEFT_SEC - 1);
	CHECK_EQ(servants(), 1u);
	testing_pass(1);
	CHECK_EQ(servants(), 0u);
	weft_ctx_unref(ctx);
	return 0;
}

/* --- waiting --- */

/* What can be waited for, none of which comes. */
struct scene {
	struct weft_chan *empty, *full;
	struct weft_ctx *ctx;
	struct weft_lock lock;
	struct weft_waitgroup group;
};

static int waits_for_lock(void *arg)
{
	struct scene *s = arg;

	return weft_lock_acquire_ctx(&s->lock, s->ctx, WEFT_FOREVER);
}

static int waits_for_group(void *arg)
{
	struct scene *s = arg;

	return weft_waitgroup_wait_ctx(&s->group, s->ctx, WEFT_FOREVER);
}

static int sleeps(void *arg)
{
	struct scene *s = arg;

	return weft_sleep_ctx(s->ctx, WEFT_FOREVER);
}

static int receives(void *arg)
{
	struct scene *s = arg;
	int v;

	return weft_chan_recv_ctx(s->empty, &v, s->ctx, WEFT_FOREVER);
}

static int sends(void *arg)
{
	struct scene *s = arg;
	int v = 8;

	return weft_chan_send_ctx(s->full, &v, s->ctx, WEFT_FOREVER);
}

static const weft_task_fn waits[] = {
	waits_for_lock, waits_for_group, sleeps, receives, sends,
};

#define WAITS (sizeof(waits) / sizeof(waits[0]))

static void scene_make(struct scene *s, struct weft_ctx *ctx)
{
	int v = 9;

	s->ctx = ctx;
	CHECK_EQ(weft_chan_new(&s->empty, weft_chan_impl_find("handoff"), 0,
	                       sizeof(int), NULL),
	         0);
	CHECK_EQ(weft_chan_new(&s->full, weft_chan_impl_find("ring"), 1,
	                       sizeof(int), NULL),
	         0);
	CHECK_EQ(weft_chan_send(s->full, &v, WEFT_NOW), 0);
	weft_lock_init(&s->lock);
	weft_lock_acquire(&s->lock);
	weft_waitgroup_init(&s->group);
	CHECK_EQ(weft_waitgroup_add(&s->group, 1), 0);
}

/* Nobody may have stayed behind. */
static void scene_free(struct scene *s)
{
	struct weft_chan *all[] = { s->empty, s->full, weft_ctx_done(s->ctx) };
	struct weft_chan_stats stats;

	for (int i = 0; i < 3; i++) {
		weft_chan_stats(all[i], &stats);
		CHECK_EQ(stats.waiting, (uint64_t)0);
	}
	CHECK_EQ(weft_chan_len(s->full), (size_t)1);
	weft_chan_unref(s->empty);
	weft_chan_unref(s->full);
	weft_ctx_unref(s->ctx);
}

static void a_cancel_lets_threads_go(void **state)
{
	struct thread t[WAITS];
	struct scene s;

	(void)state;
	scene_make(&s, ctx_new(WEFT_FOREVER));
	for (size_t i = 0; i < WAITS; i++)
		thread_start(&t[i], waits[i], &s);
	while (weft_load_acquire(&s.ctx->done->receivers.n) < WAITS)
		weft_yield();
	assert_int_equal(weft_ctx_cancel(s.ctx, 0), 0);
	for (size_t i = 0; i < WAITS; i++)
		assert_int_equal(thread_join(&t[i]), -ECANCELED);
	scene_free(&s);
}

static void a_deadline_lets_threads_go(void **state)
{
	struct thread t[WAITS];
	struct scene s;

	(void)state;
	scene_make(&s, ctx_new(weft_deadline_in(WEFT_MS)));
	for (size_t i = 0; i < WAITS; i++)
		thread_start(&t[i], waits[i], &s);
	for (size_t i = 0; i < WAITS; i++)
		assert_int_equal(thread_join(&t[i]), -ETIMEDOUT);
	scene_free(&s);
}

/* What comes reaches them too. */
static void a_thread_gets_what_it_waits_for(void **state)
{
	struct thread t[WAITS];
	struct scene s;
	int v = 8;

	(void)state;
	scene_make(&s, ctx_new(WEFT_FOREVER));
	for (size_t i = 0; i < WAITS; i++)
		if (waits[i] != sleeps)
			thread_start(&t[i], waits[i], &s);
	while (weft_load_acquire(&s.ctx->done->receivers.n) < WAITS - 1)
		weft_yield();
	weft_lock_release(&s.lock);
	assert_int_equal(weft_waitgroup_done(&s.group), 0);
	assert_int_equal(weft_chan_send(s.empty, &v, WEFT_FOREVER), 0);
	assert_int_equal(weft_chan_recv(s.full, &v, WEFT_FOREVER), 0);
	for (size_t i = 0; i < WAITS; i++)
		if (waits[i] != sleeps)
			assert_int_equal(thread_join(&t[i]), 0);
	assert_int_equal(weft_lock_try(&s.lock), -EAGAIN);
	scene_free(&s);
}

/* --- randomness --- */

#define CASES 3

static int takes_one_of(void *arg)
{
	struct weft_chan **ready = arg;
	struct weft_case cases[CASES];
	int k, v;

	for (size_t i = 0; i < CASES; i++)
		cases[i] = weft_case_recv(ready[i], &v);
	k = weft_select(cases, CASES, WEFT_NOW);
	CHECK_LE(0, k);
	CHECK_EQ(cases[k].err, 0);
	CHECK_EQ(weft_chan_try_send(ready[k], &v), 0);
	return k;
}

/* One select in each thread: to choose fairly, it needs randomness of its own.
 * That 64 of them leave one of three cases out comes once in 6e10 times. */
static void one_select_in_each_thread_is_fair(void **state)
{
	const struct weft_chan_impl *impl = weft_chan_impl_find("ring");
	struct weft_chan *ready[CASES];
	int chosen[CASES] = { 0 }, v = 1;

	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		CHECK_EQ(weft_chan_new(&ready[i], impl, 1, sizeof(v), NULL), 0);
		CHECK_EQ(weft_chan_try_send(ready[i], &v), 0);
	}
	for (size_t i = 0; i < 64; i++)
		chosen[on_a_thread(takes_one_of, ready)]++;
	for (size_t i = 0; i < CASES; i++) {
		assert_int_not_equal(chosen[i], 0);
		weft_chan_unref(ready[i]);
	}
}

static int is_random(void *arg)
{
	*(uint64_t *)arg = weft_rand();
	return 0;
}

static void each_thread_has_random_numbers_of_its_own(void **state)
{
	uint64_t a, b;

	(void)state;
	on_a_thread(is_random, &a);
	on_a_thread(is_random, &b);
	assert_true(a != b);
}

static void fires_at_random(void *arg)
{
	_Atomic uint64_t *numbers = arg;
	size_t i = weft_load_relaxed(&numbers[0]) ? 1 : 0;

	weft_store_release(&numbers[i], weft_rand());
}

/* The timer task ends when there is nothing to do, and starts anew. */
TEST_MANUAL(each_timer_task_has_random_numbers_of_its_own)
{
	_Atomic uint64_t numbers[2] = { 0 };
	struct weft_timer *t;

	CHECK_EQ(weft_timer_new_func(&t, fires_at_random, (void *)numbers), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(weft_timer_reset(t, weft_deadline_in(1), NULL), 0);
		testing_pass(1);
		testing_pass(WEFT_SEC);
		CHECK_EQ(servants(), 0u);
	}
	CHECK_NE(weft_load_acquire(&numbers[1]), 0u);
	CHECK_NE(weft_load_acquire(&numbers[0]),
	         weft_load_acquire(&numbers[1]));
	CHECK_NE(weft_load_acquire(&numbers[0]), weft_rand());
	weft_timer_free(t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        a_thread_that_cancels_is_adopted_outside_of_the_lock),
		cmocka_unit_test(a_thread_may_stop_a_function),
		cmocka_unit_test(a_thread_that_stops_waits_for_the_call),
		cmocka_unit_test(
		        a_thread_that_stops_the_last_timer_leaves_it_for_a_second),
		cmocka_unit_test(a_cancel_lets_threads_go),
		cmocka_unit_test(a_deadline_lets_threads_go),
		cmocka_unit_test(a_thread_gets_what_it_waits_for),
		cmocka_unit_test(one_select_in_each_thread_is_fair),
		cmocka_unit_test(each_thread_has_random_numbers_of_its_own),
		cmocka_unit_test(each_timer_task_has_random_numbers_of_its_own),
	};

	return cmocka_run_group_tests_name("foreign", tests, NULL, NULL);
}
