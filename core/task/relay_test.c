/*
 * Tests of waitq_relay(): one waiter is told, and goes on to tell the next.
 *
 * The waiters are records of one task, so that each step is taken when the test
 * says so. The linker puts this file's barrier in the way (--wrap), to see
 * where one is made.
 */
#include <weft/atomic.h>

#include "task/testing.h"
#include "task/waitq.h"

#define LINE 3

struct line {
	struct waitq q;
	struct waiter w[LINE];
};

static int barriers;

void __real_weft_barrier_registered(void);
void __wrap_weft_barrier_registered(void);

void __wrap_weft_barrier_registered(void)
{
	barriers++;
	__real_weft_barrier_registered();
}

static void line_up(struct line *l)
{
	weft_waitq_init(&l->q);
	for (int i = 0; i < LINE; i++)
		weft_waitq_register(&l->q, &l->w[i]);
	barriers = 0;
}

static void check_told(struct line *l, bool first, bool second, bool third)
{
	CHECK_EQ(waiter_is_told(&l->w[0]), first);
	CHECK_EQ(waiter_is_told(&l->w[1]), second);
	CHECK_EQ(waiter_is_told(&l->w[2]), third);
}

static void relay(struct line *l)
{
	waitq_relay(&l->q);
}

TEST(a_burst_tells_one)
{
	struct line l;

	line_up(&l);
	relay(&l);
	relay(&l);
	relay(&l);
	check_told(&l, true, false, false);
	CHECK_EQ(weft_load_relaxed(&l.q.n), 0u);
	return 0;
}

/* It is back in line, and those behind it count again. */
TEST(a_relay_that_finds_nothing_gets_its_place_back)
{
	struct line l;

	line_up(&l);
	relay(&l);
	CHECK(weft_waitq_rearm(&l.q, &l.w[0]));
	waiter_found_nothing(&l.w[0]);
	CHECK_EQ(weft_load_relaxed(&l.q.n), 3u);
	check_told(&l, false, false, false);
	relay(&l);
	check_told(&l, true, false, false);
	CHECK(weft_waitq_rearm(&l.q, &l.w[0]));
	waiter_found_nothing(&l.w[0]);
	CHECK(!weft_waitq_leave(&l.q, &l.w[0]));
	return 0;
}

/* What came meanwhile nobody was told of. */
TEST(a_relay_that_leaves_passes_on)
{
	struct line l;

	line_up(&l);
	relay(&l);
	relay(&l);
	CHECK(weft_waitq_leave(&l.q, &l.w[0]));
	CHECK_EQ(barriers, 1);
	relay(&l);
	check_told(&l, true, true, false);
	return 0;
}

/* It finds something in the look behind weft_waitq_rearm(), of what came before
 * that: others may have come with it. */
TEST(a_relay_that_finds_something_late_passes_on)
{
	struct line l;

	line_up(&l);
	relay(&l);
	relay(&l);
	CHECK(weft_waitq_rearm(&l.q, &l.w[0]));
	CHECK(weft_waitq_leave(&l.q, &l.w[0]));
	return 0;
}

TEST(the_last_in_line_needs_no_barrier_to_leave)
{
	struct line l;

	line_up(&l);
	CHECK(!weft_waitq_leave(&l.q, &l.w[1]));
	CHECK(!weft_waitq_leave(&l.q, &l.w[2]));
	relay(&l);
	CHECK(weft_waitq_leave(&l.q, &l.w[0]));
	CHECK_EQ(barriers, 0);
	CHECK_EQ(weft_load_relaxed(&l.q.n), 0u);
	return 0;
}

/* A close does not wait for the relay. */
TEST(all_are_told_during_a_relay)
{
	struct line l;

	line_up(&l);
	relay(&l);
	waitq_notify_all(&l.q);
	check_told(&l, true, true, true);
	return 0;
}

/* A waiter that comes during a relay is not told, and not forgotten. */
TEST(a_waiter_may_come_during_a_relay)
{
	struct waiter late;
	struct line l;

	line_up(&l);
	relay(&l);
	weft_waitq_register(&l.q, &late);
	CHECK_EQ(weft_load_relaxed(&l.q.n), 0u);
	CHECK(weft_waitq_leave(&l.q, &l.w[0]));
	CHECK_EQ(weft_load_relaxed(&l.q.n), 3u);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_tells_one),
		cmocka_unit_test(
		        a_relay_that_finds_nothing_gets_its_place_back),
		cmocka_unit_test(a_relay_that_leaves_passes_on),
		cmocka_unit_test(a_relay_that_finds_something_late_passes_on),
		cmocka_unit_test(the_last_in_line_needs_no_barrier_to_leave),
		cmocka_unit_test(all_are_told_during_a_relay),
		cmocka_unit_test(a_waiter_may_come_during_a_relay),
	};

	return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
