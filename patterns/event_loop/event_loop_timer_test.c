/* Tests of the event loop's timers: E6 of the requirements. On the manual
 * clock, and mostly without a wait, which makes both kinds do the same. */
#include <stdlib.h>

#include "event_loop_testing.h"

struct timer {
	struct weft_loop_timer *t;
	struct heard *h;
	int name;
	struct timer *other;
	int64_t again_ns; /* started anew in its own call */
	enum { LEAVE, STOP, FREE, START } does; /* to the other */
};

static int fire(void *arg)
{
	struct timer *t = arg;

	hear(t->h, t->name);
	if (t->again_ns)
		CHECK_EQ(weft_loop_timer_start(t->t, t->again_ns, 0), 0);
	if (t->does == STOP)
		CHECK_EQ(weft_loop_timer_stop(t->other->t), 0);
	if (t->does == FREE)
		weft_loop_timer_free(t->other->t);
	if (t->does == START)
		CHECK_EQ(weft_loop_timer_start(t->other->t, WEFT_NOW, 0), 0);
	return 0;
}

static void timers(struct weft_loop *l, struct timer *t, int n, struct heard *h)
{
	for (int i = 0; i < n; i++) {
		t[i] = (struct timer){ .h = h, .name = i };
		CHECK_EQ(weft_loop_timer_new(&t[i].t, l, fire, &t[i]), 0);
	}
}

static void start_in(struct timer *t, int64_t ns, int64_t period_ns)
{
	CHECK_EQ(weft_loop_timer_start(t->t, weft_deadline_in(ns), period_ns),
	         0);
}

/* Time passes, and the loop has one turn, if there is something to do. */
static int pass(struct weft_loop *l, int64_t ns)
{
	int err;

	CHECK_EQ(weft_clock_advance(ns), 0);
	err = weft_loop_run_once(l, WEFT_NOW);
	CHECK(err == 0 || err == -ETIMEDOUT);
	return err;
}

TEST_LOOPS(E6_a_timer_is_not_early)
{
	struct heard h = { .n = 0 };
	struct timer t;

	timers(l, &t, 1, &h);
	CHECK_EQ(pass(l, WEFT_SEC), -ETIMEDOUT); /* it was not started */
	start_in(&t, WEFT_MS, 0);
	CHECK_EQ(pass(l, WEFT_MS - 1), -ETIMEDOUT);
	CHECK_EQ(pass(l, 1), 0);
	CHECK_HEARD(&h, 0);
	CHECK_EQ(weft_loop_now(l), weft_now());
	CHECK_EQ(pass(l, WEFT_SEC), -ETIMEDOUT);
	CHECK_EQ(stats(l).timers, 1u);
}

TEST_LOOPS(E6_timers_that_are_due_together_fire_in_the_order_of_their_starts)
{
	struct heard h = { .n = 0 };
	struct timer t[4];

	timers(l, t, 4, &h);
	for (int i = 0; i < 4; i++)
		start_in(&t[i], WEFT_MS, 0);
	pass(l, WEFT_MS);
	CHECK_HEARD(&h, 0, 1, 2, 3);
	for (int i = 3; i >= 0; i--)
		start_in(&t[i], WEFT_MS, 0);
	start_in(&t[3], WEFT_MS, 0); /* a start anew counts */
	start_in(&t[1], WEFT_US, 0); /* what is earlier comes first */
	pass(l, WEFT_MS);
	CHECK_HEARD(&h, 1, 2, 0, 3);
}

TEST_LOOPS(E6_what_is_started_meanwhile_waits_for_the_next_turn)
{
	struct heard h = { .n = 0 };
	struct timer t[2];

	timers(l, t, 2, &h);
	t[0].again_ns = 1; /* long ago */
	t[0].does = START;
	t[0].other = &t[1];
	start_in(&t[0], 0, 0);
	CHECK_EQ(weft_loop_run_once(l, WEFT_NOW), 0);
	CHECK_HEARD(&h, 0);
	t[0].again_ns = 0;
	t[0].does = LEAVE;
	CHECK_EQ(weft_loop_run_once(l, WEFT_NOW), 0);
	CHECK_HEARD(&h, 1, 0);
	CHECK_EQ(turns(l), 0);
}

TEST_LOOPS(E6_a_timer_for_ever_never_fires)
{
	struct heard h = { .n = 0 };
	struct timer t[2];

	timers(l, t, 2, &h);
	CHECK_EQ(weft_loop_timer_start(t[0].t, WEFT_FOREVER, 0), 0);
	CHECK_EQ(weft_loop_timer_start(t[1].t, WEFT_FOREVER - 1, INT64_MAX), 0);
	CHECK_EQ(pass(l, INT64_MAX / 4), -ETIMEDOUT);
	/* A period beyond the end of time. */
	CHECK_EQ(weft_loop_timer_start(t[1].t, INT64_MIN, INT64_MAX), 0);
	CHECK_EQ(pass(l, 0), 0);
	CHECK_HEARD(&h, 1);
	CHECK_EQ(pass(l, INT64_MAX / 4), -ETIMEDOUT);
}

TEST_LOOPS(E6_a_timer_that_missed_periods_fires_once)
{
	struct heard h = { .n = 0 };
	struct timer t;

	timers(l, &t, 1, &h);
	start_in(&t, WEFT_MS, WEFT_MS);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pass(l, WEFT_MS), 0);
	CHECK_HEARD(&h, 0, 0, 0);
	CHECK_EQ(pass(l, 5 * WEFT_MS + WEFT_MS / 2), 0);
	CHECK_HEARD(&h, 0);
	CHECK_EQ(turns(l), 0);
	/* It keeps to multiples of its period. */
	CHECK_EQ(pass(l, WEFT_MS / 2 - 1), -ETIMEDOUT);
	CHECK_EQ(pass(l, 1), 0);
	CHECK_EQ(weft_loop_timer_stop(t.t), 0);
	CHECK_EQ(pass(l, WEFT_SEC), -ETIMEDOUT);
}

TEST_LOOPS(E6_a_timer_may_be_stopped_and_started_in_its_own_call)
{
	struct heard h = { .n = 0 };
	struct timer t;

	timers(l, &t, 1, &h);
	t.does = STOP;
	t.other = &t;
	start_in(&t, 0, WEFT_MS);
	CHECK_EQ(turns(l), 1);
	CHECK_EQ(pass(l, WEFT_SEC), -ETIMEDOUT);
	t.does = LEAVE;
	t.again_ns = weft_deadline_in(WEFT_SEC);
	start_in(&t, 0, WEFT_MS); /* of which nothing is left by its start */
	CHECK_EQ(turns(l), 1);
	CHECK_EQ(pass(l, WEFT_SEC - 1), -ETIMEDOUT);
	t.again_ns = 0;
	CHECK_EQ(pass(l, 1), 0);
	CHECK_HEARD(&h, 0, 0, 0);
	t.does = FREE;
	start_in(&t, 0, WEFT_MS);
	CHECK_EQ(turns(l), 1);
	CHECK_EQ(pass(l, WEFT_SEC), -ETIMEDOUT);
}

TEST_LOOPS(E6_one_that_is_due_may_be_stopped_or_freed_by_another)
{
	struct heard h = { .n = 0 };
	struct timer t[4];

	timers(l, t, 4, &h);
	t[0].does = STOP;
	t[0].other = &t[1];
	t[2].does = FREE;
	t[2].other = &t[3];
	for (int i = 0; i < 4; i++)
		start_in(&t[i], 0, 0);
	CHECK_EQ(turns(l), 1);
	CHECK_HEARD(&h, 0, 2);
}

#define MANY (TESTING_SLOW ? 500 : HEARD_MAX)

TEST_KINDS(many_timers_fire_in_the_order_of_their_times)
{
	struct weft_loop *l = make(kind);
	struct heard h = { .n = 0 };
	struct timer *t = calloc(HEARD_MAX, sizeof(*t));

	CHECK(t != NULL);
	timers(l, t, MANY, &h);
	for (int i = 0; i < MANY; i++) {
		t[i].name = (int)(weft_rand() % 100000);
		start_in(&t[i], t[i].name * WEFT_US, 0);
	}
	for (int i = 0; i < 100; i++)
		pass(l, WEFT_MS);
	CHECK_EQ(h.n, MANY);
	for (int i = 1; i < MANY; i++)
		CHECK_LE(h.event[i - 1], h.event[i]);
	weft_loop_free(l);
	free(t);
}

TEST_MANUAL(a_loop_that_waits_wakes_up_for_a_timer)
{
	struct weft_loop *l = make(WEFT_LOOP_SELECT);
	struct heard h = { .n = 0 };
	struct weft_task *task;
	struct timer t;

	timers(l, &t, 1, &h);
	start_in(&t, WEFT_SEC, WEFT_SEC);
	task = testing_spawn(run_main, l);
	testing_pass(WEFT_SEC - 1);
	CHECK_EQ(h.n, 0);
	testing_pass(1);
	CHECK_HEARD(&h, 0);
	testing_pass(WEFT_SEC);
	CHECK_HEARD(&h, 0);
	CHECK_EQ(stats(l).idle_ns, 2 * WEFT_SEC);
	CHECK_EQ(weft_loop_close(l), 0);
	CHECK_EQ(testing_join(task), 0);
	weft_loop_free(l);
	return 0;
}

TEST(a_queue_that_waits_wakes_up_for_a_timer)
{
	struct weft_loop *l = make(WEFT_LOOP_QUEUE);
	struct heard h = { .n = 0 };
	int64_t due = weft_deadline_in(2 * WEFT_MS);
	struct timer t;

	timers(l, &t, 1, &h);
	CHECK_EQ(weft_loop_timer_start(t.t, due, 0), 0);
	CHECK_EQ(weft_loop_run_once(l, weft_deadline_in(60 * WEFT_SEC)), 0);
	CHECK_LE(due, weft_now());
	CHECK_HEARD(&h, 0);
	due = weft_deadline_in(WEFT_MS);
	CHECK_EQ(weft_loop_run_once(l, due), -ETIMEDOUT);
	CHECK_LE(due, weft_now());
	weft_loop_free(l);
	return 0;
}

TEST_MANUAL(a_queue_refuses_to_wait_for_a_time_that_the_kernel_does_not_know)
{
	struct weft_loop *l = make(WEFT_LOOP_QUEUE);

	CHECK_EQ(weft_loop_run_once(l, weft_deadline_in(WEFT_SEC)), -EINVAL);
	CHECK_EQ(weft_loop_run_once(l, WEFT_NOW), -ETIMEDOUT);
	weft_loop_free(l);
	return 0;
}

TEST(what_makes_no_sense_is_refused)
{
	struct weft_loop *l = make(WEFT_LOOP_SELECT);
	struct weft_loop_timer *t = NULL;

	CHECK_EQ(weft_loop_timer_new(NULL, l, run_main, NULL), -EINVAL);
	CHECK_EQ(weft_loop_timer_new(&t, NULL, run_main, NULL), -EINVAL);
	CHECK_EQ(weft_loop_timer_new(&t, l, NULL, NULL), -EINVAL);
	CHECK(t == NULL);
	CHECK_EQ(weft_loop_timer_new(&t, l, run_main, NULL), 0);
	CHECK_EQ(weft_loop_timer_start(NULL, WEFT_NOW, 0), -EINVAL);
	CHECK_EQ(weft_loop_timer_start(t, WEFT_NOW, -1), -EINVAL);
	CHECK_EQ(weft_loop_timer_stop(NULL), -EINVAL);
	weft_loop_timer_free(NULL);
	weft_loop_free(l);
	return 0;
}
