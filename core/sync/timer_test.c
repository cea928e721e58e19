/* Tests of timers and tickers that deliver into channels, almost all of them on
 * the manual clock. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/select.h>
#include <weft/timer.h>

#include "sync/timers.h"
#include "task/internal.h"
#include "task/testing.h"

/* Nothing is in the channel. */
static void check_empty(struct weft_chan *c)
{
	int64_t v;

	CHECK_EQ(weft_chan_try_recv(c, &v), -EAGAIN);
}

static void check_fired_at(struct weft_chan *c, int64_t ns)
{
	int64_t v = -1;

	CHECK_EQ(weft_chan_try_recv(c, &v), 0);
	CHECK_EQ(v, ns);
}

/* Tasks that serve timers. */
static uint32_t servants(void)
{
	return weft_load_acquire(&weft_self()->run->servants);
}

static struct weft_chan *after(int64_t ns)
{
	struct weft_chan *c;

	CHECK_EQ(weft_after(&c, weft_deadline_in(ns)), 0);
	return c;
}

static struct weft_timer *timer(void)
{
	struct weft_timer *t;

	CHECK_EQ(weft_timer_new(&t), 0);
	return t;
}

/* --- after --- */

/* F 57 */
TEST_MANUAL(after_fires_once_and_not_early)
{
	int64_t t0 = weft_now();
	struct weft_chan *c = after(10);

	testing_pass(9);
	check_empty(c);
	testing_pass(1);
	check_fired_at(c, t0 + 10);
	testing_pass(WEFT_SEC);
	check_empty(c);
	weft_chan_unref(c);
	return 0;
}

struct race {
	struct weft_chan *c;
	_Atomic int won;
};

static int receives_or_is_closed(void *arg)
{
	struct race *r = arg;
	int64_t v;
	int err = weft_chan_recv(r->c, &v, WEFT_FOREVER);

	CHECK(err == 0 || err == -EPIPE);
	weft_fetch_add_relaxed(&r->won, err == 0);
	return 0;
}

/* F 57 */
TEST_MANUAL(of_several_receivers_one_gets_it)
{
	struct race r = { .c = after(10) };
	struct weft_task *t[3];

	for (int i = 0; i < 3; i++)
		t[i] = testing_spawn(receives_or_is_closed, &r);
	testing_pass(10);
	CHECK_EQ(weft_load_relaxed(&r.won), 1);
	CHECK_EQ(weft_chan_close(r.c), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(testing_join(t[i]), 0);
	CHECK_EQ(weft_load_relaxed(&r.won), 1);
	weft_chan_unref(r.c);
	return 0;
}

/* F 60 */
TEST_MANUAL(never_never_comes)
{
	struct weft_chan *never;
	struct weft_case cases[2];
	int64_t v;

	CHECK_EQ(weft_after(&never, WEFT_FOREVER), 0);
	CHECK_EQ(servants(), 0u);
	cases[0] = weft_case_recv(never, &v);
	cases[1] = weft_case_recv(after(10), &v);
	CHECK_EQ(weft_select(cases, 1, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_select(cases, 2, WEFT_NOW), -ETIMEDOUT);
	testing_pass(10);
	CHECK_EQ(weft_select(cases, 2, WEFT_FOREVER), 1);
	testing_pass(INT64_MAX);
	check_empty(never);
	weft_chan_unref(never);
	weft_chan_unref(cases[1].c);
	return 0;
}

TEST_MANUAL(a_deadline_that_has_passed_fires_at_once)
{
	int64_t expired[] = { WEFT_NOW, -5, weft_now() };
	struct weft_chan *c[3];

	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_after(&c[i], expired[i]), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	for (int i = 0; i < 3; i++) {
		check_fired_at(c[i], weft_now());
		weft_chan_unref(c[i]);
	}
	return 0;
}

/* Before it fires, and after. */
TEST_MANUAL(the_channel_of_an_after_may_go_at_any_time)
{
	struct weft_chan *c = after(10);

	weft_chan_unref(after(10));
	testing_pass(10);
	weft_chan_unref(c);
	weft_chan_unref(after(WEFT_SEC)); /* pending at the end of the run */
	return 0;
}

/* Timers that there are, armed or not. */
static size_t timers_made(void)
{
	struct timers *s;
	size_t n;

	CHECK_EQ(weft_timers_get(&s), 0);
	weft_lock_acquire(&s->lock);
	n = s->made;
	CHECK_LE(timer_queue_len(&s->queue), n);
	weft_lock_release(&s->lock);
	return n;
}

/* Nobody can receive what it would bring, so nothing is left to be brought. */
TEST_MANUAL(an_after_goes_with_its_last_reference)
{
	struct weft_chan *c[100];

	for (size_t i = 0; i < 100; i++) {
		c[i] = after(3600 * WEFT_SEC);
		weft_chan_ref(c[i]);
	}
	CHECK_EQ(timers_made(), (size_t)100);
	for (size_t i = 0; i < 100; i++)
		weft_chan_unref(c[(i * 37) % 100]);
	CHECK_EQ(timers_made(), (size_t)100);
	for (size_t i = 0; i < 100; i++) {
		weft_chan_unref(c[(i * 63) % 100]);
		CHECK_EQ(timers_made(), 99 - i);
	}
	CHECK_EQ(servants(), 1u);
	testing_pass(WEFT_SEC);
	CHECK_EQ(servants(), 0u);
	return 0;
}

/* A user should not close it, but may. */
TEST_MANUAL(an_after_may_be_closed)
{
	struct weft_chan *c = after(10);
	int64_t v;

	CHECK_EQ(weft_chan_close(c), 0);
	testing_pass(10);
	CHECK_EQ(weft_chan_recv(c, &v, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(timers_made(), (size_t)0);
	weft_chan_unref(c);
	return 0;
}

/* Also with one that has fired. */
TEST_MANUAL(an_after_that_has_fired_is_gone_but_for_its_channel)
{
	struct weft_chan *c = after(10), *other = after(20);
	int64_t due = weft_now() + 10;

	testing_pass(10);
	CHECK_EQ(timers_made(), (size_t)1);
	check_fired_at(c, due);
	weft_chan_unref(c);
	weft_chan_unref(other);
	CHECK_EQ(timers_made(), (size_t)0);
	return 0;
}

static int lets_go(void *c)
{
	weft_chan_unref(c);
	return 0;
}

/* The last reference goes while it fires, with the caller or with another. */
TEST(an_after_may_be_let_go_while_it_fires)
{
	for (int i = 0; i < (TESTING_SLOW ? 1000 : 5000); i++) {
		struct weft_chan *c = after((int64_t)(weft_rand() % 30000));
		int64_t until_ns = weft_deadline_in(15 * WEFT_US);

		if (i % 16 == 0)
			CHECK_EQ(weft_spawn(NULL, NULL, lets_go,
			                    weft_chan_ref(c)),
			         0);
		while (weft_now() < until_ns)
			weft_relax();
		weft_chan_unref(c);
	}
	CHECK(testing_alone());
	/* None of them is pending, so there is nothing to wait for. */
	while (timers_made())
		weft_yield();
	return 0;
}

static int leaves_afters(void *arg)
{
	struct weft_chan **c = arg;

	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_after(&c[i], weft_deadline_in(10)), 0);
	return 7;
}

static void *lets_go_thread(void *c)
{
	weft_chan_unref(c);
	return NULL;
}

/* By a thread that is no task, which may do so while the run ends, or when it
 * has ended. */
static void the_channel_of_an_after_may_outlive_the_run(void **state)
{
	struct weft_run_opts opts = { .clock = WEFT_CLOCK_MANUAL };
	struct weft_chan *c[2];
	int64_t v;

	(void)state;
	assert_int_equal(weft_run(WEFT_THREADS, &opts, leaves_afters, c), 7);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(weft_chan_try_recv(c[i], &v), -EAGAIN);
		weft_chan_unref(c[i]);
	}
}

static int leaves_afters_to_threads(void *arg)
{
	pthread_t *thread = arg;
	struct weft_chan *c[2];

	CHECK_EQ(leaves_afters(c), 7);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, lets_go_thread, c[i]),
		         0);
	return 0;
}

static void an_after_may_be_let_go_while_the_run_ends(void **state)
{
	struct weft_run_opts opts = { .clock = WEFT_CLOCK_MANUAL };
	pthread_t thread[2];

	(void)state;
	for (int i = 0; i < (TESTING_SLOW ? 100 : 500); i++) {
		assert_int_equal(weft_run(WEFT_THREADS, &opts,
		                          leaves_afters_to_threads, thread),
		                 0);
		for (int k = 0; k < 2; k++)
			assert_int_equal(pthread_join(thread[k], NULL), 0);
	}
}

static void outside_of_a_run_there_are_no_timers(void **state)
{
	struct weft_chan *c;
	struct weft_timer *t;
	struct weft_ticker *ticker;

	(void)state;
	assert_int_equal(weft_after(&c, 1), -EINVAL);
	assert_int_equal(weft_timer_new(&t), -EINVAL);
	assert_int_equal(weft_ticker_new(&ticker, 1), -EINVAL);
}

static void does_nothing(void *arg)
{
	(void)arg;
}

TEST(nonsense_is_refused)
{
	struct weft_ticker *ticker;
	struct weft_timer *t;

	CHECK_EQ(weft_after(NULL, 1), -EINVAL);
	CHECK_EQ(weft_timer_new(NULL), -EINVAL);
	CHECK_EQ(weft_timer_new_func(NULL, does_nothing, NULL), -EINVAL);
	CHECK_EQ(weft_timer_new_func(&t, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_timer_reset(NULL, 1, NULL), -EINVAL);
	CHECK(!weft_timer_stop(NULL));
	CHECK(weft_timer_chan(NULL) == NULL);
	weft_timer_free(NULL);
	CHECK_EQ(weft_ticker_new(NULL, 1), -EINVAL);
	CHECK_EQ(weft_ticker_new(&ticker, 0), -EINVAL);
	CHECK_EQ(weft_ticker_reset(NULL, 1), -EINVAL);
	CHECK(weft_ticker_chan(NULL) == NULL);
	weft_ticker_free(NULL);
	return 0;
}

/* --- stop and reset --- */

TEST_MANUAL(a_stopped_timer_does_not_fire)
{
	struct weft_timer *t = timer();

	CHECK(!weft_timer_stop(t));
	CHECK_EQ(weft_timer_reset(t, weft_deadline_in(10), NULL), 0);
	testing_pass(9);
	CHECK(weft_timer_stop(t));
	CHECK(!weft_timer_stop(t));
	testing_pass(100);
	check_empty(weft_timer_chan(t));
	weft_timer_free(t);
	return 0;
}

/* F 59 */
TEST_MANUAL(a_stop_takes_back_what_was_not_received)
{
	struct weft_timer *t = timer();
	int64_t v;

	CHECK_EQ(weft_timer_reset(t, weft_deadline_in(10), NULL), 0);
	testing_pass(10);
	CHECK(weft_timer_stop(t));
	check_empty(weft_timer_chan(t));

	CHECK_EQ(weft_timer_reset(t, weft_deadline_in(10), NULL), 0);
	testing_pass(10);
	CHECK_EQ(weft_chan_try_recv(weft_timer_chan(t), &v), 0);
	CHECK(!weft_timer_stop(t));
	weft_timer_free(t);
	return 0;
}

/* F 59 */
TEST_MANUAL(a_reset_leaves_nothing_of_the_time_before)
{
	int64_t t0 = weft_now();
	struct weft_timer *t = timer();

	CHECK_EQ(weft_timer_reset(t, t0 + 10, NULL), 0);
	testing_pass(10); /* it fires, and nobody receives */
	CHECK_EQ(weft_timer_reset(t, t0 + 30, NULL), 0);
	check_empty(weft_timer_chan(t));
	testing_pass(15);
	CHECK_EQ(weft_timer_reset(t, t0 + 40, NULL), 0); /* later */
	testing_pass(10);
	check_empty(weft_timer_chan(t));
	CHECK_EQ(weft_timer_reset(t, t0 + 37, NULL), 0); /* earlier */
	testing_pass(2);
	check_fired_at(weft_timer_chan(t), t0 + 37);
	testing_pass(10);
	check_empty(weft_timer_chan(t));
	weft_timer_free(t);
	return 0;
}

static bool was_stopped_by_a_reset(struct weft_timer *t, int64_t ns)
{
	bool stopped;

	CHECK_EQ(weft_timer_reset(t, weft_deadline_in(ns), &stopped), 0);
	return stopped;
}

/* Go's Reset says the same. */
TEST_MANUAL(a_reset_says_whether_the_timer_was_armed)
{
	struct weft_timer *t = timer();
	int64_t fired;
	bool stopped = true;

	CHECK(!was_stopped_by_a_reset(t, 10));
	CHECK(was_stopped_by_a_reset(t, 10));
	testing_pass(10);
	CHECK(was_stopped_by_a_reset(t, 10)); /* it had fired for nobody */
	testing_pass(10);
	CHECK_EQ(weft_chan_try_recv(weft_timer_chan(t), &fired), 0);
	CHECK(!was_stopped_by_a_reset(t, 10));
	CHECK(weft_timer_stop(t));
	CHECK(!was_stopped_by_a_reset(t, 10));
	CHECK_EQ(weft_timer_reset(NULL, 10, &stopped), -EINVAL);
	CHECK(stopped);
	weft_timer_free(t);
	return 0;
}

TEST_MANUAL(a_timer_may_stand_in_a_select)
{
	struct weft_timer *t = timer();
	int64_t v, w;
	struct weft_case cases[] = {
		weft_case_recv(weft_timer_chan(t), &v),
		weft_case_recv(after(20), &w),
	};

	CHECK_EQ(weft_timer_reset(t, weft_deadline_in(10), NULL), 0);
	testing_pass(10);
	CHECK_EQ(weft_select(cases, 2, WEFT_FOREVER), 0);
	testing_pass(10);
	CHECK_EQ(weft_select(cases, 2, WEFT_FOREVER), 1);
	weft_chan_unref(cases[1].c);
	weft_timer_free(t);
	return 0;
}

#define MANY 200

/* More than the heap began with, armed in disorder, some of them moved and some
 * stopped. */
TEST_MANUAL(many_timers_fire_each_at_its_time)
{
	struct weft_timer *t[MANY];
	int64_t due[MANY], t0 = weft_now();

	for (int i = 0; i < MANY; i++) {
		t[i] = timer();
		due[i] = t0 + 1 + (int64_t)(weft_rand() % 50);
		CHECK_EQ(weft_timer_reset(t[i], due[i], NULL), 0);
	}
	for (int i = 0; i < MANY; i += 3) {
		due[i] = t0 + 1 + (int64_t)(weft_rand() % 50);
		CHECK_EQ(weft_timer_reset(t[i], due[i], NULL), 0);
	}
	for (int i = 0; i < MANY; i += 5) {
		CHECK(weft_timer_stop(t[i]));
		due[i] = -1;
	}
	for (int64_t now = t0 + 1; now <= t0 + 50; now++) {
		testing_pass(1);
		for (int i = 0; i < MANY; i++)
			if (due[i] == now)
				check_fired_at(weft_timer_chan(t[i]), now);
			else
				check_empty(weft_timer_chan(t[i]));
	}
	for (int i = 0; i < MANY; i++)
		weft_timer_free(t[i]);
	return 0;
}

/* --- tickers --- */

static struct weft_ticker *ticker(int64_t period_ns)
{
	struct weft_ticker *t;

	CHECK_EQ(weft_ticker_new(&t, period_ns), 0);
	return t;
}

/* F 58 */
TEST_MANUAL(a_ticker_does_not_drift)
{
	int64_t t0 = weft_now();
	struct weft_ticker *t = ticker(10);
	struct weft_chan *c = weft_ticker_chan(t);

	testing_pass(9);
	check_empty(c);
	testing_pass(1);
	check_fired_at(c, t0 + 10);
	testing_pass(13); /* served late */
	check_fired_at(c, t0 + 23);
	testing_pass(6);
	check_empty(c);
	testing_pass(1);
	check_fired_at(c, t0 + 30);
	weft_ticker_free(t);
	return 0;
}

/* F 58 */
TEST_MANUAL(at_most_one_tick_is_pending)
{
	int64_t t0 = weft_now();
	struct weft_ticker *t = ticker(10);
	struct weft_chan *c = weft_ticker_chan(t);

	testing_pass(10);
	testing_pass(10); /* dropped */
	check_fired_at(c, t0 + 10);
	check_empty(c);
	testing_pass(57); /* five periods at once are one tick */
	check_fired_at(c, t0 + 77);
	check_empty(c);
	testing_pass(3);
	check_fired_at(c, t0 + 80);
	weft_ticker_free(t);
	return 0;
}

TEST_MANUAL(a_ticker_can_be_reset)
{
	int64_t t0 = weft_now();
	struct weft_ticker *t = ticker(10);
	struct weft_chan *c = weft_ticker_chan(t);

	testing_pass(15);
	CHECK_EQ(weft_ticker_reset(t, 0), -EINVAL);
	CHECK_EQ(weft_ticker_reset(t, 7), 0);
	check_empty(c);
	testing_pass(6);
	check_empty(c);
	testing_pass(1);
	check_fired_at(c, t0 + 22);
	testing_pass(7);
	check_fired_at(c, t0 + 29);
	weft_ticker_free(t);

	t = ticker(INT64_MAX);
	testing_pass(WEFT_SEC);
	check_empty(weft_ticker_chan(t));
	weft_ticker_free(t);
	return 0;
}

TEST_MANUAL(a_ticker_can_be_stopped_and_started_again)
{
	int64_t t0 = weft_now();
	struct weft_ticker *t = ticker(10);
	struct weft_chan *c = weft_ticker_chan(t);

	testing_pass(10);
	check_fired_at(c, t0 + 10);
	CHECK(weft_ticker_stop(t));
	CHECK(!weft_ticker_stop(t));
	testing_pass(100);
	check_empty(c);
	CHECK_EQ(weft_ticker_reset(t, 10), 0);
	testing_pass(25);
	CHECK(weft_ticker_stop(t)); /* with one pending */
	check_empty(c);
	testing_pass(WEFT_SEC);
	CHECK_EQ(servants(), 0u);
	CHECK_EQ(weft_ticker_reset(t, 20), 0);
	testing_pass(20);
	check_fired_at(c, weft_now());
	CHECK(!weft_ticker_stop(NULL));
	weft_ticker_free(t);
	return 0;
}

/* --- the task --- */

TEST_MANUAL(the_task_comes_with_the_first_timer_and_goes_a_second_after)
{
	struct weft_run_stats before, with;
	struct weft_timer *t;

	weft_run_stats(&before);
	t = timer();
	CHECK_EQ(servants(), 0u);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(weft_timer_reset(t, weft_deadline_in(10), NULL), 0);
		CHECK_EQ(servants(), 1u);
		weft_run_stats(&with);
		CHECK_EQ(with.tasks, before.tasks);
		CHECK_EQ(with.live, before.live);
		testing_pass(10);
		testing_pass(WEFT_SEC - 1);
		CHECK_EQ(servants(), 1u);
		testing_pass(1);
		CHECK_EQ(servants(), 0u);
		check_fired_at(weft_timer_chan(t), weft_now() - WEFT_SEC);
	}
	weft_timer_free(t);
	return 0;
}

/* A timer that is stopped counts no longer, however far off it was. */
TEST_MANUAL(the_second_begins_when_the_last_is_stopped)
{
	struct weft_timer *t = timer();

	CHECK_EQ(weft_timer_reset(t, weft_deadline_in(1000 * WEFT_SEC), NULL),
	         0);
	testing_pass(5);
	CHECK(weft_timer_stop(t));
	testing_pass(WEFT_SEC - 1);
	CHECK_EQ(servants(), 1u);
	CHECK_EQ(weft_timer_reset(t, weft_deadline_in(1000 * WEFT_SEC), NULL),
	         0);
	testing_pass(2 * WEFT_SEC);
	CHECK_EQ(servants(), 1u);
	weft_timer_free(t);
	testing_pass(WEFT_SEC);
	CHECK_EQ(servants(), 0u);
	return 0;
}

/* Armed and stopped in time, again and again: what a deadline usually is. */
TEST_MANUAL(a_timer_that_is_stopped_in_time_wakes_nobody)
{
	struct weft_timer *t = timer();
	struct weft_run_stats before, now;

	CHECK_EQ(weft_timer_reset(t, weft_deadline_in(100), NULL), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	weft_run_stats(&before);
	for (int i = 0; i < 50; i++) {
		CHECK(weft_timer_stop(t));
		CHECK_EQ(weft_clock_advance(1), 0);
		CHECK_EQ(weft_timer_reset(t, weft_deadline_in(100), NULL), 0);
		weft_run_stats(&now);
		CHECK_EQ(now.wakes, before.wakes);
	}
	weft_timer_free(t);
	return 0;
}

static int leaves_a_ticker_running(void *arg)
{
	struct weft_ticker **t = arg;
	int64_t fired;

	CHECK_EQ(weft_ticker_new(t, 1), 0);
	return weft_chan_recv(weft_ticker_chan(*t), &fired, WEFT_FOREVER);
}

static int leaves_timers_behind(void *arg)
{
	struct weft_ticker **t = arg;

	CHECK_EQ(weft_ticker_new(t, 1000 * WEFT_SEC), 0);
	for (int i = 0; i < 20; i++)
		weft_chan_unref(after((1 + i) * WEFT_SEC));
	return 7;
}

static void pending_timers_do_not_keep_the_run(void **state)
{
	struct weft_run_opts opts = { .clock = WEFT_CLOCK_MANUAL };
	struct weft_ticker *t = NULL;

	(void)state;
	assert_int_equal(
	        weft_run(WEFT_THREADS, &opts, leaves_timers_behind, &t), 7);
	/* It should have been freed before; now it can only be so: */
	weft_chan_unref(weft_ticker_chan(t));
	free(t);

	assert_int_equal(
	        weft_run(WEFT_THREADS, NULL, leaves_a_ticker_running, &t), 0);
	weft_chan_unref(weft_ticker_chan(t));
	free(t);
}

TEST_MANUAL(random_numbers_do_not_depend_on_timers)
{
	struct weft_timer *t = timer();
	uint64_t first;

	CHECK_EQ(weft_timer_reset(t, 1, NULL), 0);
	first = weft_rand();
	weft_timer_free(t);
	rng_seed(&weft_self()->rng, 3); /* as testing_run() has it */
	CHECK_EQ(first, weft_rand());
	return 0;
}

/* --- races, on the machine's clock --- */

static int64_t soon(void)
{
	return weft_now() + (int64_t)(weft_rand() % 3) * WEFT_US;
}

/* F 59: a fire races with stop and reset; what is received is never from
 * before, and after a stop there is nothing. */
TEST(a_fire_that_races_with_stop_and_reset_is_never_stale)
{
	struct weft_timer *t = timer();
	struct weft_chan *c = weft_timer_chan(t);
	int64_t due, fired;

	for (int i = 0; i < (TESTING_SLOW ? 2000 : 10000); i++) {
		CHECK_EQ(weft_timer_reset(t, soon(), NULL), 0);
		if (weft_rand() % 2)
			weft_yield();
		if (weft_rand() % 2) {
			weft_timer_stop(t);
			check_empty(c);
		}
		due = weft_now() + WEFT_US;
		CHECK_EQ(weft_timer_reset(t, due, NULL), 0);
		CHECK_EQ(weft_chan_recv(c, &fired, WEFT_FOREVER), 0);
		CHECK_LE(due, fired);
		check_empty(c);
	}
	weft_timer_free(t);
	return 0;
}

/* The next tick is due before this one is delivered: others must still get the
 * timers' lock, and their own fires. */
TEST(a_ticker_of_1_ns_can_be_freed)
{
	struct weft_ticker *t = ticker(1);
	struct weft_chan *c = after(WEFT_MS);
	int64_t last = 0, fired;

	for (int i = 0; i < 20; i++) {
		CHECK_EQ(weft_chan_recv(weft_ticker_chan(t), &fired,
		                        WEFT_FOREVER),
		         0);
		CHECK_LT(last, fired);
		last = fired;
	}
	CHECK_EQ(weft_chan_recv(c, &fired, WEFT_FOREVER), 0);
	weft_chan_unref(c);
	weft_ticker_free(t);
	return 0;
}

#define TASKS 4

static int arms_and_stops(void *arg)
{
	struct weft_timer *t = arg;

	for (int i = 0; i < (TESTING_SLOW ? 500 : 3000); i++) {
		CHECK_EQ(weft_timer_reset(t, soon(), NULL), 0);
		if (weft_rand() % 2)
			weft_timer_stop(t);
	}
	return 0;
}

/* Any task may, at any time: also all of them on the same timer. */
TEST(many_tasks_arm_and_stop_the_same_timers)
{
	struct weft_timer *t[2] = { timer(), timer() };
	struct weft_task *task[TASKS];

	for (int i = 0; i < TASKS; i++)
		task[i] = testing_spawn(arms_and_stops, t[i % 2]);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(testing_join(task[i]), 0);
	for (int i = 0; i < 2; i++) {
		weft_timer_stop(t[i]);
		check_empty(weft_timer_chan(t[i]));
		weft_timer_free(t[i]);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_fires_once_and_not_early),
		cmocka_unit_test(of_several_receivers_one_gets_it),
		cmocka_unit_test(never_never_comes),
		cmocka_unit_test(a_deadline_that_has_passed_fires_at_once),
		cmocka_unit_test(the_channel_of_an_after_may_go_at_any_time),
		cmocka_unit_test(an_after_goes_with_its_last_reference),
		cmocka_unit_test(an_after_may_be_closed),
		cmocka_unit_test(
		        an_after_that_has_fired_is_gone_but_for_its_channel),
		cmocka_unit_test(an_after_may_be_let_go_while_it_fires),
		cmocka_unit_test(the_channel_of_an_after_may_outlive_the_run),
		cmocka_unit_test(an_after_may_be_let_go_while_the_run_ends),
		cmocka_unit_test(outside_of_a_run_there_are_no_timers),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(a_stopped_timer_does_not_fire),
		cmocka_unit_test(a_stop_takes_back_what_was_not_received),
		cmocka_unit_test(a_reset_leaves_nothing_of_the_time_before),
		cmocka_unit_test(a_reset_says_whether_the_timer_was_armed),
		cmocka_unit_test(a_timer_may_stand_in_a_select),
		cmocka_unit_test(many_timers_fire_each_at_its_time),
		cmocka_unit_test(a_ticker_does_not_drift),
		cmocka_unit_test(at_most_one_tick_is_pending),
		cmocka_unit_test(a_ticker_can_be_reset),
		cmocka_unit_test(a_ticker_can_be_stopped_and_started_again),
		cmocka_unit_test(
		        the_task_comes_with_the_first_timer_and_goes_a_second_after),
		cmocka_unit_test(the_second_begins_when_the_last_is_stopped),
		cmocka_unit_test(a_timer_that_is_stopped_in_time_wakes_nobody),
		cmocka_unit_test(pending_timers_do_not_keep_the_run),
		cmocka_unit_test(random_numbers_do_not_depend_on_timers),
		cmocka_unit_test(
		        a_fire_that_races_with_stop_and_reset_is_never_stale),
		cmocka_unit_test(a_ticker_of_1_ns_can_be_freed),
		cmocka_unit_test(many_tasks_arm_and_stop_the_same_timers),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
