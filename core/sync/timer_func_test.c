/* Tests of timers that call a function. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/timer.h>

#include "task/internal.h"
#include "task/testing.h"

#define LOG 8

struct log {
	int entry[LOG]; /* plain: the settle orders them */
	int n;
};

struct entry {
	struct log *log;
	int id;
	struct weft_timer *timer;
};

static void writes_entry(void *arg)
{
	struct entry *e = arg;

	CHECK_LT(e->log->n, LOG);
	e->log->entry[e->log->n++] = e->id;
}

static void entry_make(struct entry *e, struct log *log, int id)
{
	e->log = log;
	e->id = id;
	CHECK_EQ(weft_timer_new_func(&e->timer, writes_entry, e), 0);
	CHECK(weft_timer_chan(e->timer) == NULL);
}

/* Timers that are due at once fire in the order in which they were armed, and
 * all of that before a settle returns. */
TEST_MANUAL(a_clock_that_jumps_calls_in_order)
{
	int due[] = { 30, 10, 20, 10, 10, 20 }, order[] = { 1, 3, 4, 2, 5, 0 };
	struct entry e[6];
	struct log log = { .n = 0 };
	int64_t t0 = weft_now();

	for (int i = 0; i < 6; i++) {
		entry_make(&e[i], &log, i);
		CHECK_EQ(weft_timer_reset(e[i].timer, t0 + due[i], NULL), 0);
	}
	testing_pass(9);
	CHECK_EQ(log.n, 0);
	testing_pass(100);
	CHECK_EQ(log.n, 6);
	CHECK_EQ(memcmp(log.entry, order, sizeof(order)), 0);
	for (int i = 0; i < 6; i++) {
		CHECK(!weft_timer_stop(e[i].timer));
		weft_timer_free(e[i].timer);
	}
	return 0;
}

/* A call that goes on until it is let go. */
struct slow {
	struct weft_timer *timer;
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

static int stops_slow(void *arg)
{
	struct slow *s = arg;
	bool stopped = weft_timer_stop(s->timer);

	CHECK_EQ(weft_load_acquire(&s->ended), 1);
	return stopped;
}

static int frees_slow(void *arg)
{
	struct slow *s = arg;

	weft_timer_free(s->timer);
	CHECK_EQ(weft_load_acquire(&s->ended), 1);
	return 0;
}

static void stop_while_it_runs(weft_task_fn stops)
{
	struct slow s = { 0 };
	struct weft_task *t;

	CHECK_EQ(weft_timer_new_func(&s.timer, goes_on, &s), 0);
	CHECK_EQ(weft_timer_reset(s.timer, WEFT_NOW, NULL), 0);
	while (!weft_load_acquire(&s.began))
		weft_yield();
	t = testing_spawn(stops, &s);
	for (int i = 0; i < 10; i++)
		weft_yield();
	CHECK_EQ(weft_join_until(t, NULL, WEFT_NOW), -ETIMEDOUT);
	weft_store_release(&s.may_end, 1);
	CHECK_EQ(testing_join(t), 0);
	if (stops != frees_slow)
		weft_timer_free(s.timer);
}

TEST(stop_and_free_wait_for_a_call_under_way)
{
	stop_while_it_runs(stops_slow);
	stop_while_it_runs(frees_slow);
	return 0;
}

/* From within the call itself; then nobody may touch it any more. */
static void frees_itself(void *arg)
{
	struct entry *e = arg;

	CHECK(!weft_timer_stop(e->timer));
	weft_timer_free(e->timer);
	e->timer = NULL;
	writes_entry(e);
}

static void arms_itself_again(void *arg)
{
	struct entry *e = arg;

	if (e->log->n < 3)
		CHECK_EQ(weft_timer_reset(e->timer, weft_deadline_in(10), NULL),
		         0);
	writes_entry(e);
}

TEST_MANUAL(a_call_may_stop_free_and_arm_its_own_timer)
{
	struct log log = { .n = 0 };
	struct entry freed = { &log, 1, NULL }, again = { &log, 2, NULL };
	int order[] = { 1, 2, 2, 2, 2 };

	CHECK_EQ(weft_timer_new_func(&freed.timer, frees_itself, &freed), 0);
	CHECK_EQ(weft_timer_new_func(&again.timer, arms_itself_again, &again),
	         0);
	CHECK_EQ(weft_timer_reset(freed.timer, weft_deadline_in(10), NULL), 0);
	CHECK_EQ(weft_timer_reset(again.timer, weft_deadline_in(10), NULL), 0);
	for (int i = 0; i < 5; i++)
		testing_pass(10);
	CHECK(freed.timer == NULL);
	CHECK_EQ(log.n, 4);
	CHECK_EQ(memcmp(log.entry, order, 4 * sizeof(int)), 0);
	weft_timer_free(again.timer);
	return 0;
}

static void arms_itself_at_once(void *arg)
{
	struct entry *e = arg;

	if (e->log->n < 3)
		CHECK_EQ(weft_timer_reset(e->timer, WEFT_NOW, NULL), 0);
	writes_entry(e);
}

/* Over and over for a time gone by: the others have been due for longer. */
TEST_MANUAL(a_call_that_arms_itself_at_once_lets_others_go_first)
{
	struct log log = { .n = 0 };
	struct entry busy = { &log, 1, NULL }, patient;
	int order[] = { 1, 2, 1, 1 };

	entry_make(&patient, &log, 2);
	CHECK_EQ(weft_timer_new_func(&busy.timer, arms_itself_at_once, &busy),
	         0);
	CHECK_EQ(weft_timer_reset(busy.timer, weft_deadline_in(5), NULL), 0);
	CHECK_EQ(weft_timer_reset(patient.timer, weft_deadline_in(10), NULL),
	         0);
	testing_pass(10);
	CHECK_EQ(log.n, 4);
	CHECK_EQ(memcmp(log.entry, order, sizeof(order)), 0);
	weft_timer_free(patient.timer);
	weft_timer_free(busy.timer);
	return 0;
}

/* A call that arms its own timer again, once somebody waits for its end. */
struct again {
	struct weft_timer *timer;
	_Atomic int calls, may_arm;
};

static void arms_again_when_let(void *arg)
{
	struct again *a = arg;

	weft_fetch_add_acq_rel(&a->calls, 1);
	while (!weft_load_acquire(&a->may_arm))
		weft_yield();
	CHECK_EQ(weft_timer_reset(a->timer, weft_deadline_in(10), NULL), 0);
}

static int stops_again(void *arg)
{
	return weft_timer_stop(((struct again *)arg)->timer);
}

static int frees_again(void *arg)
{
	weft_timer_free(((struct again *)arg)->timer);
	return 0;
}

static void await_waiting_for(const struct weft_task *t, const char *what)
{
	const char *on;

	do {
		weft_yield();
		on = weft_load_acquire(&t->waits_for);
	} while (!on || strcmp(on, what) != 0);
}

static void stop_while_it_arms(struct again *a, weft_task_fn stops)
{
	struct weft_task *t;

	CHECK_EQ(weft_timer_new_func(&a->timer, arms_again_when_let, a), 0);
	CHECK_EQ(weft_timer_reset(a->timer, WEFT_NOW, NULL), 0);
	while (!weft_load_acquire(&a->calls))
		weft_yield();
	t = testing_spawn(stops, a);
	await_waiting_for(t, "waitgroup");
	weft_store_release(&a->may_arm, 1);
	CHECK_EQ(testing_join(t), 0);
	testing_pass(10);
	CHECK_EQ(weft_load_acquire(&a->calls), 1);
}

TEST_MANUAL(a_call_does_not_arm_a_timer_that_is_being_stopped)
{
	struct again stopped = { 0 }, freed = { 0 };

	stop_while_it_arms(&stopped, stops_again);
	stop_while_it_arms(&freed, frees_again);
	/* Of the stop, nothing stays. */
	CHECK_EQ(weft_timer_reset(stopped.timer, weft_deadline_in(10), NULL),
	         0);
	testing_pass(10);
	CHECK_EQ(weft_load_acquire(&stopped.calls), 2);
	testing_pass(10);
	CHECK_EQ(weft_load_acquire(&stopped.calls), 3);
	weft_timer_free(stopped.timer);
	return 0;
}

static int joins_the_log(void *arg)
{
	writes_entry(arg);
	return 0;
}

static void spawns(void *arg)
{
	CHECK_EQ(weft_spawn(NULL, NULL, joins_the_log, arg), 0);
}

static int leaves_a_timer_that_spawns(void *arg)
{
	struct entry *e = arg;

	CHECK_EQ(weft_timer_new_func(&e->timer, spawns, e), 0);
	return weft_timer_reset(e->timer, weft_deadline_in(WEFT_US), NULL);
}

/* Whichever comes first, the end of the run or the call: what it spawns is
 * waited for. (That the timer is not freed is against the rules, and here on
 * purpose: nothing else reaches the last moment.) */
static void the_run_waits_for_what_a_call_spawns(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct log log = { .n = 0 };
		struct entry e = { &log, 1, NULL };

		assert_int_equal(weft_run(WEFT_THREADS, NULL,
		                          leaves_a_timer_that_spawns, &e),
		                 0);
		assert_true(log.n == 0 || log.n == 1);
		free(e.timer);
	}
}

/* --- a race, on the machine's clock --- */

static int64_t soon(void)
{
	return weft_now() + (int64_t)(weft_rand() % 3) * WEFT_US;
}

/* Freed as soon as stop returns: what ASan is for. */
struct victim {
	_Atomic int calls;
};

static void touches(void *arg)
{
	struct victim *v = arg;

	weft_fetch_add_relaxed(&v->calls, 1);
}

TEST(a_call_that_races_with_stop_happens_or_does_not)
{
	struct weft_timer *t;
	struct victim *v;
	int called = 0, rounds = TESTING_SLOW ? 2000 : 10000;

	for (int i = 0; i < rounds; i++) {
		bool stopped;

		v = calloc(1, sizeof(*v));
		CHECK(v != NULL);
		CHECK_EQ(weft_timer_new_func(&t, touches, v), 0);
		CHECK_EQ(weft_timer_reset(t, soon(), NULL), 0);
		for (uint64_t k = weft_rand() % 8; k; k--)
			weft_yield();
		stopped = weft_timer_stop(t);
		CHECK_EQ(weft_load_relaxed(&v->calls), !stopped);
		called += !stopped;
		free(v);
		weft_timer_free(t);
	}
	printf("%d of %d were called\n", called, rounds);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_that_jumps_calls_in_order),
		cmocka_unit_test(stop_and_free_wait_for_a_call_under_way),
		cmocka_unit_test(a_call_may_stop_free_and_arm_its_own_timer),
		cmocka_unit_test(
		        a_call_that_arms_itself_at_once_lets_others_go_first),
		cmocka_unit_test(
		        a_call_does_not_arm_a_timer_that_is_being_stopped),
		cmocka_unit_test(the_run_waits_for_what_a_call_spawns),
		cmocka_unit_test(
		        a_call_that_races_with_stop_happens_or_does_not),
	};

	return cmocka_run_group_tests_name("timer_func", tests, NULL, NULL);
}
