/* Tests of the wait loop, with an object that only a test could think of. */
#include <stdlib.h>

#include <weft/atomic.h>

#include "task/await.h"
#include "task/testing.h"

/* There or not; and a stop. on_look is called by each look before it looks. */
struct thing {
	struct waitq q, stop_q;
	_Atomic int there, stopped;
	bool passes_on;
	int looks;
	void (*on_look)(struct thing *t);
	enum weft_wait policy;
	int64_t due_ns, deadline_ns;
};

static void thing_make(struct thing *t)
{
	*t = (struct thing){ .policy = WEFT_WAIT_PARK,
		             .due_ns = WEFT_FOREVER,
		             .deadline_ns = WEFT_FOREVER };
	weft_waitq_init(&t->q);
	weft_waitq_init(&t->stop_q);
}

static int look(void *arg)
{
	struct thing *t = arg;
	int there = 1;

	t->looks++;
	if (t->on_look)
		t->on_look(t);
	return weft_cas_seq_cst(&t->there, &there, 0) ? 0 : -EAGAIN;
}

static bool pass_on(void *arg, int err)
{
	struct thing *t = arg;

	return err && t->passes_on;
}

/* It comes by itself at due_ns, and is told of before that. */
static int stopped(void *arg)
{
	struct thing *t = arg;

	return weft_load_seq_cst(&t->stopped) || weft_now() >= t->due_ns
	               ? -ECANCELED
	               : 0;
}

static int wait_for(void *arg)
{
	struct thing *t = arg;
	struct awaiting w = { .q = &t->q,
		              .what = "thing",
		              .look = look,
		              .pass_on = pass_on,
		              .arg = t,
		              .policy = t->policy };
	struct stop stop = {
		.q = &t->stop_q, .err = stopped, .arg = t, .due_ns = t->due_ns
	};

	return weft_await(&w, &stop, t->deadline_ns);
}

static void make_it_come(struct thing *t)
{
	weft_store_seq_cst(&t->there, 1);
	waitq_notify(&t->q, 1);
}

static void make_it_stop(struct thing *t)
{
	weft_store_seq_cst(&t->stopped, 1);
	waitq_notify_seq_cst(&t->stop_q, SIZE_MAX);
}

/* Nobody may have stayed behind. */
static void check_idle(struct thing *t)
{
	CHECK_EQ(weft_load_relaxed(&t->q.n), 0u);
	CHECK_EQ(weft_load_relaxed(&t->stop_q.n), 0u);
}

/* It came after the caller's own first look, and nobody was registered to be
 * told. */
TEST(it_looks_again_once_it_is_registered)
{
	struct thing t;

	thing_make(&t);
	weft_store_relaxed(&t.there, 1);
	CHECK_EQ(wait_for(&t), 0);
	CHECK_EQ(weft_load_relaxed(&t.q.parks), (uint64_t)0);
	weft_store_relaxed(&t.stopped, 1);
	CHECK_EQ(wait_for(&t), -ECANCELED);
	CHECK_EQ(weft_load_relaxed(&t.q.parks), (uint64_t)0);
	check_idle(&t);
	return 0;
}

/* F 52 */
TEST_MANUAL(what_is_there_wins_and_then_the_stop)
{
	struct thing t;

	thing_make(&t);
	t.deadline_ns = weft_now();
	CHECK_EQ(wait_for(&t), -ETIMEDOUT);
	weft_store_relaxed(&t.stopped, 1);
	CHECK_EQ(wait_for(&t), -ECANCELED);
	weft_store_relaxed(&t.there, 1);
	CHECK_EQ(wait_for(&t), 0);
	t.deadline_ns = WEFT_NOW;
	t.looks = 0;
	CHECK_EQ(wait_for(&t), -ETIMEDOUT);
	CHECK_EQ(t.looks, 0);
	check_idle(&t);
	return 0;
}

/* Whether its end is told or comes by the clock, and whatever wakes it else. */
TEST_MANUAL(it_ends_by_whichever_comes_first)
{
	struct thing t;
	struct weft_task *task;
	int expected[] = { 0, -ECANCELED, -ECANCELED, -ETIMEDOUT };

	for (int i = 0; i < 4; i++) {
		thing_make(&t);
		t.due_ns = weft_deadline_in(i == 2 ? 10 : 20);
		t.deadline_ns = weft_deadline_in(i == 3 ? 10 : 20);
		task = testing_spawn(wait_for, &t);
		CHECK_EQ(weft_clock_settle(), 0);
		if (i == 0)
			make_it_come(&t);
		else if (i == 1)
			make_it_stop(&t);
		else
			CHECK_EQ(weft_clock_advance(10), 0);
		CHECK_EQ(testing_join(task), expected[i]);
		check_idle(&t);
	}
	return 0;
}

static void tell_of_nothing(struct thing *t, struct weft_task *task)
{
	CHECK_EQ(weft_clock_settle(), 0);
	weft_unpark(task);
	CHECK_EQ(weft_clock_settle(), 0);
	waitq_notify(&t->q, 1);
	CHECK_EQ(weft_clock_settle(), 0);
	waitq_notify(&t->stop_q, 1);
	CHECK_EQ(weft_clock_settle(), 0);
}

/* F 69: none of it is there, and the wait goes on; also to be told again. */
TEST_MANUAL(a_notification_or_permit_for_nothing_changes_nothing)
{
	struct thing t;
	struct weft_task *task;

	for (int stops = 0; stops < 2; stops++) {
		thing_make(&t);
		task = testing_spawn(wait_for, &t);
		for (int i = 0; i < 3; i++)
			tell_of_nothing(&t, task);
		CHECK_EQ(weft_join_until(task, NULL, WEFT_NOW), -ETIMEDOUT);
		if (stops)
			make_it_stop(&t);
		else
			make_it_come(&t);
		CHECK_EQ(testing_join(task), stops ? -ECANCELED : 0);
		check_idle(&t);
	}
	return 0;
}

TEST(a_stop_ends_a_wait_that_never_parks)
{
	struct thing t;
	struct weft_task *task;

	thing_make(&t);
	t.policy = WEFT_WAIT_SPIN;
	task = testing_spawn(wait_for, &t);
	for (int i = 0; i < 10; i++)
		weft_yield();
	CHECK_EQ(weft_join_until(task, NULL, WEFT_NOW), -ETIMEDOUT);
	make_it_stop(&t);
	CHECK_EQ(testing_join(task), -ECANCELED);
	check_idle(&t);
	return 0;
}

/* --- what a wait does not use --- */

/* The last look finds nothing and the stop; then it is notified. */
static void stops_and_notifies(struct thing *t)
{
	weft_store_seq_cst(&t->stopped, 1);
	waitq_notify(&t->q, 1);
}

static int second_in_line(void *arg)
{
	struct thing *t = arg;
	struct waiter w;

	weft_waitq_register(&t->q, &w);
	weft_park(weft_deadline_in(10));
	return weft_waitq_leave(&t->q, &w);
}

static int pass_on_or_not(bool passes_on)
{
	struct thing t;
	struct weft_task *first, *second;
	int status;

	thing_make(&t);
	t.passes_on = passes_on;
	first = testing_spawn(wait_for, &t);
	CHECK_EQ(weft_clock_settle(), 0);
	second = testing_spawn(second_in_line, &t);
	CHECK_EQ(weft_clock_settle(), 0);
	t.on_look = stops_and_notifies;
	weft_unpark(first);
	CHECK_EQ(testing_join(first), -ECANCELED);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	status = testing_join(second);
	check_idle(&t);
	return status;
}

/* F 54 */
TEST_MANUAL(a_notification_that_is_not_used_goes_to_the_next_in_line)
{
	CHECK_EQ(pass_on_or_not(true), 1);
	CHECK_EQ(pass_on_or_not(false), 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_looks_again_once_it_is_registered),
		cmocka_unit_test(what_is_there_wins_and_then_the_stop),
		cmocka_unit_test(it_ends_by_whichever_comes_first),
		cmocka_unit_test(
		        a_notification_or_permit_for_nothing_changes_nothing),
		cmocka_unit_test(a_stop_ends_a_wait_that_never_parks),
		cmocka_unit_test(
		        a_notification_that_is_not_used_goes_to_the_next_in_line),
	};

	return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
