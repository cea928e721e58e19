/* Tests of what the resource pool does in time, all on the manual clock: age,
 * the reaper, who holds what for how long, deadlines. */
#include "resource_pool_testing.h"

/* --- E12: age --- */

TEST_MANUAL(E12_what_is_idle_for_too_long_is_destroyed_but_min_stays)
{
	struct world w = { 0 };
	struct weft_resource r[3];

	world_open(&w, (struct weft_respool_opts){
	                       .max = 3, .min = 1, .idle_ns = 10 });
	for (int i = 0; i < 3; i++)
		r[i] = take(&w);
	for (int i = 0; i < 3; i++) {
		give(&w, r[i]);
		testing_pass(3);
	}
	testing_pass(0); /* 9: the first was given back at 0 */
	CHECK_EQ(world_stats(&w).idle, 3u);
	testing_pass(1);
	CHECK_EQ(world_stats(&w).idle, 2u);
	testing_pass(2);
	CHECK_EQ(world_stats(&w).idle, 2u);
	testing_pass(1);
	CHECK_EQ(world_stats(&w).idle, 1u);
	testing_pass(WEFT_SEC);
	CHECK_EQ(world_stats(&w).idle, 1u);
	CHECK_EQ(world_stats(&w).expired, 2u);
	CHECK_EQ(take(&w).id, 3u); /* the last one given back */
	world_close(&w, 0);
	return 0;
}

/* The one on top is used over and over; the others age. */
TEST_MANUAL(E12_those_that_are_used_stay)
{
	struct world w = { 0 };
	struct weft_resource r[2];

	world_open(&w, (struct weft_respool_opts){ .max = 2, .idle_ns = 10 });
	r[0] = take(&w);
	r[1] = take(&w);
	give(&w, r[0]);
	give(&w, r[1]);
	for (int i = 0; i < 5; i++) {
		testing_pass(4);
		r[1] = take(&w);
		CHECK_EQ(r[1].id, 2u);
		give(&w, r[1]);
	}
	CHECK_EQ(world_stats(&w).idle, 1u);
	CHECK_EQ(world_stats(&w).expired, 1u);
	testing_pass(10);
	CHECK_EQ(world_stats(&w).idle, 0u);
	world_close(&w, 0);
	return 0;
}

TEST_MANUAL(E12_old_ones_are_destroyed_once_nobody_holds_them)
{
	struct world w = { 0 };
	struct weft_resource r;

	world_open(&w, (struct weft_respool_opts){ .max = 2, .life_ns = 100 });
	r = take(&w);
	give(&w, take(&w));
	testing_pass(99);
	CHECK_EQ(world_stats(&w).idle, 1u);
	testing_pass(1);
	CHECK_EQ(world_stats(&w).idle, 0u); /* by the reaper */
	CHECK_EQ(world_stats(&w).held, 1u);
	give(&w, r);
	CHECK_EQ(world_stats(&w).idle, 0u); /* by the release */
	CHECK_EQ(world_stats(&w).expired, 2u);
	world_close(&w, 0);
	return 0;
}

TEST_MANUAL(E12_the_reaper_replaces_what_min_needs)
{
	struct world w = { 0 };

	world_open(&w, (struct weft_respool_opts){
	                       .max = 4, .min = 2, .life_ns = 100 });
	CHECK_EQ(weft_respool_warm(w.pool, 0), 0);
	testing_pass(100);
	CHECK_EQ(world_stats(&w).idle, 2u);
	CHECK_EQ(world_stats(&w).created, 4u);
	/* It does not try for ever. */
	weft_store_relaxed(&w.creates, -EXDEV);
	testing_pass(100);
	CHECK_EQ(world_stats(&w).idle, 0u);
	CHECK_EQ(world_stats(&w).failed, 1u);
	testing_pass(WEFT_SEC);
	CHECK_EQ(world_stats(&w).failed, 1u);
	world_close(&w, 0);
	return 0;
}

/* The reaper has not come yet when the acquire looks. */
TEST_MANUAL(E12_an_acquire_takes_none_that_is_too_old)
{
	struct world w = { .destroy_gate =
		                   testing_chan("handoff", 0, sizeof(int)) };
	struct weft_resource r[2];
	struct asking a;

	world_open(&w, (struct weft_respool_opts){ .max = 2, .life_ns = 100 });
	r[0] = take(&w);
	testing_pass(50);
	r[1] = take(&w);
	give(&w, r[0]);
	give(&w, r[1]);
	testing_pass(50); /* the reaper is in destroy() */
	CHECK_EQ(world_stats(&w).destroying, 1u);
	testing_pass(50);
	CHECK_EQ(world_stats(&w).idle, 1u); /* too old as well */
	ask(&a, &w);
	CHECK_EQ(world_stats(&w).destroying, 2u);
	let(w.destroy_gate, 0);
	let(w.destroy_gate, 0);
	CHECK_EQ(testing_join(a.task), 0);
	CHECK_EQ(a.r.id, 3u);
	CHECK_EQ(world_stats(&w).fresh, 3u);
	weft_chan_unref(w.destroy_gate);
	w.destroy_gate = NULL;
	world_close(&w, 0);
	return 0;
}

#define SPREAD 64

TEST_MANUAL(E12_jitter_spreads_the_ends_of_those_made_together)
{
	struct world w = { 0 };
	unsigned before = SPREAD, steps = 0;

	world_open(&w, (struct weft_respool_opts){ .max = SPREAD,
	                                           .life_ns = 1000,
	                                           .jitter_ns = 500 });
	CHECK_EQ(weft_respool_warm(w.pool, SPREAD), 0);
	testing_pass(499);
	CHECK_EQ(world_stats(&w).idle, (unsigned)SPREAD);
	for (int i = 0; i < 10; i++) {
		unsigned idle;

		testing_pass(51);
		idle = world_stats(&w).idle;
		steps += idle < before;
		before = idle;
	}
	CHECK_EQ(before, 0u);
	CHECK_LE(5u, steps);
	world_close(&w, 0);
	return 0;
}

TEST_MANUAL(only_what_was_idle_for_a_while_is_validated)
{
	struct world w = { 0 };

	world_open(&w,
	           (struct weft_respool_opts){ .max = 1,
	                                       .check_ns = 10,
	                                       .validate = world_validate });
	give(&w, take(&w));
	weft_store_relaxed(&w.validates, -1);
	testing_pass(9);
	give(&w, take(&w));
	CHECK_EQ(world_stats(&w).invalid, 0u);
	testing_pass(10);
	CHECK_EQ(take(&w).id, 2u);
	CHECK_EQ(world_stats(&w).invalid, 1u);
	world_close(&w, 0);
	return 0;
}

/* A callback that ends the reaper's thread is survived, too. */
TEST_MANUAL(a_reaper_whose_thread_is_ended_has_an_heir)
{
	struct world w = { 0 };

	world_open(&w, (struct weft_respool_opts){ .max = 2, .idle_ns = 10 });
	weft_store_relaxed(&w.destroys, ENDS_THREAD);
	for (int i = 0; i < 2; i++) {
		give(&w, take(&w));
		testing_pass(10);
		CHECK_EQ(world_stats(&w).destroyed, (unsigned)i + 1);
		CHECK_EQ(world_stats(&w).destroying, 0u);
	}
	weft_store_relaxed(&w.destroys, 0);
	world_close(&w, 0);
	return 0;
}

/* --- E14: who holds what --- */

static int holds(void *arg)
{
	struct asking *a = arg;

	return weft_respool_acquire(a->w->pool, &a->r, WEFT_NOW);
}

TEST_MANUAL(E14_holders_are_named_the_longest_first)
{
	const struct weft_task_opts opts = { .name = "number two" };
	struct weft_respool_holder h[3];
	struct world w = { 0 };
	struct asking second = { .w = &w };
	struct weft_resource first, third;

	world_open(&w, (struct weft_respool_opts){ .max = 4 });
	give(&w, take(&w));
	CHECK_EQ(weft_respool_holders(w.pool, h, 3), 0u);
	first = take(&w);
	CHECK_EQ(weft_respool_label(w.pool, &first,
	                            "a query with a name that "
	                            "is far too long"),
	         0);
	testing_pass(10);
	CHECK_EQ(weft_spawn(&second.task, &opts, holds, &second), 0);
	CHECK_EQ(testing_join(second.task), 0);
	testing_pass(20);
	third = take(&w);
	testing_pass(1);
	CHECK_EQ(weft_respool_holders(w.pool, h, 3), 3u);
	CHECK_EQ(h[0].id, first.id);
	CHECK(h[0].res == first.res);
	CHECK_EQ(h[0].held_ns, 31);
	CHECK_EQ(strcmp(h[0].who, "a query with a name that is far"), 0);
	CHECK_EQ(strcmp(h[1].who, "number two"), 0);
	CHECK_EQ(h[1].held_ns, 21);
	CHECK_EQ(strcmp(h[2].who, "main"), 0);
	CHECK_EQ(h[2].held_ns, 1);
	/* With room for fewer: the longest. */
	give(&w, first);
	first = take(&w); /* the same place, but now the last */
	CHECK_EQ(weft_respool_holders(w.pool, h, 1), 3u);
	CHECK_EQ(strcmp(h[0].who, "number two"), 0);
	CHECK_EQ(weft_respool_holders(w.pool, NULL, 0), 3u);
	give(&w, third);
	CHECK_EQ(weft_respool_holders(w.pool, h, 3), 2u);
	world_close(&w, 0);
	return 0;
}

TEST_MANUAL(E14_a_hold_that_is_too_long_is_told_once)
{
	struct world w = { 0 };
	struct weft_resource r;

	world_open(&w, (struct weft_respool_opts){ .max = 2, .leak_ns = 100 });
	r = take(&w);
	testing_pass(99);
	CHECK_EQ(weft_load_acquire(&w.leaks), 0);
	testing_pass(1);
	CHECK_EQ(weft_load_acquire(&w.leaks), 1);
	CHECK_EQ(w.leak.id, r.id);
	CHECK_EQ(w.leak.held_ns, 100);
	CHECK_EQ(strcmp(w.leak.who, "main"), 0);
	testing_pass(WEFT_SEC);
	CHECK_EQ(weft_load_acquire(&w.leaks), 1);
	give(&w, r);
	r = take(&w); /* another hold */
	testing_pass(100);
	CHECK_EQ(weft_load_acquire(&w.leaks), 2);
	give(&w, r);
	world_close(&w, 0);
	CHECK_EQ(weft_load_acquire(&w.leaks), 2);
	return 0;
}

TEST_MANUAL(what_is_held_when_the_pool_is_freed_is_told_and_destroyed)
{
	struct world w = { 0 };
	struct weft_resource r;

	world_open(&w, (struct weft_respool_opts){ .max = 3 });
	r = take(&w);
	give(&w, take(&w));
	testing_pass(7);
	CHECK_EQ(weft_respool_label(w.pool, &r, "the leak"), 0);
	world_close(&w, 0);
	CHECK_EQ(weft_load_acquire(&w.leaks), 1);
	CHECK_EQ(w.leak.held_ns, 7);
	CHECK_EQ(strcmp(w.leak.who, "the leak"), 0);
	return 0;
}

#define LINE 4

TEST_MANUAL(E14_those_that_wait_are_served_in_their_order)
{
	struct world w = { 0 };
	struct weft_resource r;
	struct asking a[LINE];

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	r = take(&w);
	for (int i = 0; i < LINE; i++)
		ask(&a[i], &w);
	for (int i = 0; i < LINE; i++) {
		/* By a release, or by the place of one that is destroyed. */
		if (i % 2)
			CHECK_EQ(weft_respool_destroy(w.pool, &r), 0);
		else
			give(&w, r);
		CHECK_EQ(weft_respool_try_acquire(w.pool, &r), -EAGAIN);
		CHECK_EQ(testing_join(a[i].task), 0);
		r = a[i].r;
		for (int k = i + 1; k < LINE; k++)
			CHECK(is_waiting(&a[k]));
	}
	CHECK_EQ(world_stats(&w).handed, 2u);
	CHECK_EQ(world_stats(&w).fresh, 3u);
	world_close(&w, 0);
	return 0;
}

/* --- deadlines --- */

TEST_MANUAL(a_wait_ends_at_its_deadline_and_not_before)
{
	struct world w = { 0 };
	struct weft_resource r;
	struct asking a;

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	CHECK_EQ(weft_respool_acquire(w.pool, &r, WEFT_NOW), 0);
	CHECK_EQ(weft_respool_acquire(w.pool, &a.r, WEFT_NOW), -ETIMEDOUT);
	ask_until(&a, &w, NULL, weft_deadline_in(10));
	testing_pass(9);
	CHECK(is_waiting(&a));
	testing_pass(1);
	CHECK_EQ(testing_join(a.task), -ETIMEDOUT);
	CHECK_EQ(world_stats(&w).wait_ns, 10);
	give(&w, r);
	CHECK_EQ(world_stats(&w).idle, 1u);
	world_close(&w, 0);
	return 0;
}

/* What has been begun is not thrown away for it. */
TEST_MANUAL(a_create_may_take_longer_than_the_deadline)
{
	struct world w = { .gate = testing_chan("handoff", 0, sizeof(int)) };
	struct asking a;

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	ask_until(&a, &w, NULL, weft_deadline_in(10));
	testing_pass(20);
	CHECK(is_waiting(&a));
	let(w.gate, 0);
	CHECK_EQ(testing_join(a.task), 0);
	world_close(&w, 0);
	weft_chan_unref(w.gate);
	return 0;
}
