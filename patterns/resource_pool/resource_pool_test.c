/*
 * Tests of the resource pool. How it ends is tested by its life.c; E1 to E16
 * are the numbers of the requirements, of which E9, E15 and E16 are in
 * resource_pool_stress_test.c, E12 and E14 in resource_pool_time_test.c.
 */
#include <sys/resource.h>

#include "echo.h"
#include "resource_pool_testing.h"

/* --- what is refused --- */

static int refused(struct weft_respool_opts opts)
{
	struct weft_respool *p = NULL;
	int err;

	opts.create = world_create;
	opts.destroy = world_destroy;
	err = weft_respool_new(&p, &opts);
	CHECK(p == NULL);
	return err;
}

TEST(options_that_make_no_sense_are_refused)
{
	static const struct weft_respool_opts bad[] = {
		{ .max = 0 },
		{ .max = WEFT_RESPOOL_MAX + 1 },
		{ .max = 2, .min = 3 },
		{ .max = 2, .idle_max = 3 },
		{ .max = 3, .min = 2, .idle_max = 1 },
		{ .max = 1, .idle_ns = -1 },
		{ .max = 1, .life_ns = -1 },
		{ .max = 1, .jitter_ns = 1 },
		{ .max = 1, .life_ns = 2, .jitter_ns = -1 },
		{ .max = 1, .check_ns = -1 },
		{ .max = 1, .leak_ns = -1 },
		{ .max = 1, .wait = (enum weft_wait)99 },
	};
	struct weft_respool_opts opts = { .max = 1, .create = world_create };
	struct weft_respool *p = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(refused(bad[i]), -EINVAL);
	CHECK_EQ(weft_respool_new(&p, &opts), -EINVAL);
	opts.create = NULL;
	opts.destroy = world_destroy;
	CHECK_EQ(weft_respool_new(&p, &opts), -EINVAL);
	CHECK_EQ(weft_respool_new(&p, NULL), -EINVAL);
	CHECK_EQ(weft_respool_new(NULL, &opts), -EINVAL);
	CHECK(p == NULL);
	return 0;
}

TEST(null_is_refused)
{
	struct world w = { 0 };
	struct weft_resource r;

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	CHECK_EQ(weft_respool_acquire(w.pool, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_respool_try_acquire(NULL, &r), -EINVAL);
	CHECK_EQ(weft_respool_try_acquire(w.pool, NULL), -EINVAL);
	CHECK_EQ(weft_respool_acquire_idle(NULL, &r, 1), 0u);
	CHECK_EQ(weft_respool_release(w.pool, NULL), -EINVAL);
	CHECK_EQ(weft_respool_release(NULL, &r), -EINVAL);
	CHECK_EQ(weft_respool_destroy(NULL, &r), -EINVAL);
	CHECK_EQ(weft_respool_hijack(NULL, &r), -EINVAL);
	CHECK_EQ(weft_respool_label(NULL, &r, "x"), -EINVAL);
	CHECK_EQ(weft_respool_warm(NULL, 1), -EINVAL);
	CHECK_EQ(weft_respool_renew(NULL), -EINVAL);
	CHECK_EQ(weft_respool_holders(NULL, NULL, 0), 0u);
	world_close(&w, 0);
	return 0;
}

static void end_it(struct weft_respool *p, const struct weft_resource *r,
                   int err)
{
	CHECK_EQ(weft_respool_release(p, r), err);
	CHECK_EQ(weft_respool_destroy(p, r), err);
	CHECK_EQ(weft_respool_hijack(p, r), err);
	CHECK_EQ(weft_respool_label(p, r, "x"), err);
}

/* Even when another has the same resource, or place, by then. */
TEST(E6_what_is_not_held_cannot_be_given_back)
{
	struct world w = { 0 }, other = { 0 };
	struct weft_resource r, again, none = { 0 };

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	world_open(&other, (struct weft_respool_opts){ .max = 1 });
	r = take(&w);
	end_it(other.pool, &r, -EINVAL); /* another's */
	end_it(w.pool, &none, -EINVAL);
	none = r;
	none.hold = r.hold + 1; /* never given out */
	end_it(w.pool, &none, -EINVAL);
	none.hold = r.hold;
	none.place = 1;
	end_it(w.pool, &none, -EINVAL);
	give(&w, r);
	end_it(w.pool, &r, -EALREADY);
	again = take(&w);
	CHECK(again.res == r.res);
	end_it(w.pool, &r, -EALREADY);
	CHECK_EQ(weft_respool_destroy(w.pool, &again), 0);
	end_it(w.pool, &again, -EALREADY);
	again = take(&w);
	CHECK_EQ(again.id, 2u);
	CHECK_EQ(weft_respool_hijack(w.pool, &again), 0);
	end_it(w.pool, &again, -EALREADY);
	free(again.res);
	world_close(&other, 0);
	world_close(&w, 1);
	return 0;
}

/* --- what is given out --- */

TEST(the_last_one_released_is_the_first_to_be_used_again)
{
	struct world w = { 0 };
	struct weft_resource r[3];

	world_open(&w, (struct weft_respool_opts){ .max = 3 });
	for (int i = 0; i < 3; i++) {
		r[i] = take(&w);
		CHECK_EQ(r[i].id, (uint64_t)i + 1);
	}
	give(&w, r[1]);
	give(&w, r[0]);
	give(&w, r[2]);
	CHECK_EQ(take(&w).id, 3u);
	CHECK_EQ(take(&w).id, 1u);
	CHECK_EQ(take(&w).id, 2u);
	world_close(&w, 0);
	return 0;
}

TEST(a_try_takes_what_is_idle_and_makes_nothing)
{
	struct world w = { 0 };
	struct weft_resource r;

	world_open(&w, (struct weft_respool_opts){ .max = 2 });
	CHECK_EQ(weft_respool_try_acquire(w.pool, &r), -EAGAIN);
	give(&w, take(&w));
	CHECK_EQ(weft_respool_try_acquire(w.pool, &r), 0);
	CHECK_EQ(r.id, 1u);
	CHECK_EQ(weft_respool_try_acquire(w.pool, &r), -EAGAIN);
	CHECK_EQ(weft_load_relaxed(&w.created), 1);
	world_close(&w, 0);
	return 0;
}

TEST(more_idle_ones_than_wanted_are_destroyed)
{
	struct world w = { 0 };
	struct weft_resource r[3];

	world_open(&w, (struct weft_respool_opts){ .max = 3, .idle_max = 1 });
	for (int i = 0; i < 3; i++)
		r[i] = take(&w);
	for (int i = 0; i < 3; i++)
		give(&w, r[i]);
	CHECK_EQ(world_stats(&w).idle, 1u);
	CHECK_EQ(weft_load_relaxed(&w.destroyed), 2);
	/* It makes no more ahead than may be idle. */
	CHECK_EQ(weft_respool_warm(w.pool, 3), 0);
	CHECK_EQ(weft_load_relaxed(&w.created), 3);
	world_close(&w, 0);
	return 0;
}

TEST(E11_ahead_as_many_are_made_as_may_exist_and_no_more)
{
	struct world w = { 0 };

	world_open(&w, (struct weft_respool_opts){ .max = 4, .min = 2 });
	CHECK_EQ(weft_respool_warm(w.pool, 5), -EINVAL);
	CHECK_EQ(weft_respool_warm(w.pool, 0), 0);
	CHECK_EQ(world_stats(&w).idle, 2u);
	give(&w, take(&w));
	CHECK_EQ(world_stats(&w).reused, 1u);
	(void)take(&w);
	CHECK_EQ(weft_respool_warm(w.pool, 4), 0);
	CHECK_EQ(weft_respool_warm(w.pool, 4), 0);
	CHECK_EQ(world_stats(&w).idle, 3u);
	CHECK_EQ(weft_load_relaxed(&w.most), 4);
	weft_store_relaxed(&w.creates, -EXDEV);
	CHECK_EQ(weft_respool_renew(w.pool), 0);
	CHECK_EQ(weft_respool_warm(w.pool, 4), -EXDEV);
	CHECK_EQ(weft_respool_close(w.pool), 0);
	CHECK_EQ(weft_respool_warm(w.pool, 4), -EPIPE);
	world_close(&w, 0);
	return 0;
}

TEST_MANUAL(E10_what_an_acquire_got_is_counted_once)
{
	struct world w = { 0 };
	struct weft_resource r;
	struct asking a;

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	r = take(&w); /* fresh */
	ask(&a, &w);
	CHECK_EQ(world_stats(&w).waiting, 1u);
	testing_pass(5);
	give(&w, r);
	CHECK_EQ(testing_join(a.task), 0); /* handed */
	ask(&a, &w);
	CHECK_EQ(weft_respool_destroy(w.pool, &a.r), -EINVAL);
	CHECK(is_waiting(&a));
	CHECK_EQ(world_stats(&w).held, 1u);
	CHECK_EQ(weft_respool_stop(w.pool), 0);
	CHECK_EQ(testing_join(a.task), -ECANCELED);
	CHECK_EQ(world_stats(&w).fresh, 1u);
	CHECK_EQ(world_stats(&w).handed, 1u);
	CHECK_EQ(world_stats(&w).reused, 0u);
	CHECK_EQ(world_stats(&w).waited, 1u);
	CHECK_EQ(world_stats(&w).gave_up, 1u);
	CHECK_EQ(world_stats(&w).longest_ns, 5);
	world_close(&w, 0);
	return 0;
}

/* --- callbacks that fail --- */

TEST_MANUAL(E3_when_one_cannot_be_made_those_that_wait_go_on)
{
	static const struct {
		int how, err;
	} ends[] = {
		{ -EXDEV, -EXDEV },
		{ -EAGAIN, -EIO },
		{ ENDS_TASK, -ECANCELED },
		{ ENDS_THREAD, -ECANCELED },
	};
	struct world w = { .gate = testing_chan("handoff", 0, sizeof(int)) };
	struct asking a[2];

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		ask(&a[0], &w);
		ask(&a[1], &w);
		CHECK_EQ(world_stats(&w).creating, 1u);
		CHECK_EQ(world_stats(&w).waiting, 1u);
		let(w.gate, ends[i].how);
		CHECK_EQ(testing_join(a[0].task), ends[i].err);
		let(w.gate, 0);
		CHECK_EQ(testing_join(a[1].task), 0);
		CHECK_EQ(world_stats(&w).failed, i + 1);
		CHECK_EQ(weft_respool_destroy(w.pool, &a[1].r), 0);
	}
	world_close(&w, 0);
	weft_chan_unref(w.gate);
	return 0;
}

/* As the other callbacks do: acquire and release go on without it. */
TEST(callbacks_that_end_their_task_cost_no_place)
{
	struct world w = { 0 };

	world_open(&w, (struct weft_respool_opts){ .max = 1,
	                                           .validate = world_validate,
	                                           .reset = world_reset });
	weft_store_relaxed(&w.destroys, ENDS_TASK);
	for (int i = 0; i < 3; i++) {
		weft_store_relaxed(&w.resets, 0);
		weft_store_relaxed(&w.validates, 0);
		give(&w, take(&w));
		weft_store_relaxed(&w.validates, ENDS_TASK);
		weft_store_relaxed(&w.resets, ENDS_TASK);
		give(&w, take(&w));
		CHECK_EQ(world_stats(&w).destroyed, 2u * (unsigned)i + 2);
		CHECK_EQ(world_stats(&w).idle, 0u);
	}
	world_close(&w, 0);
	return 0;
}

static int gives(void *arg)
{
	struct asking *a = arg;

	return weft_respool_release(a->w->pool, &a->r);
}

/* The thread of an acquire, then that of a release. */
TEST_MANUAL(callbacks_that_end_their_thread_cost_no_place)
{
	struct world w = { 0 };
	struct asking a = { .w = &w };

	world_open(&w, (struct weft_respool_opts){ .max = 1,
	                                           .validate = world_validate,
	                                           .reset = world_reset });
	give(&w, take(&w));
	weft_store_relaxed(&w.validates, ENDS_THREAD);
	ask(&a, &w);
	CHECK_EQ(testing_join(a.task), -ECANCELED);
	CHECK_EQ(world_stats(&w).destroyed, 1u);
	a.r = take(&w);
	weft_store_relaxed(&w.resets, ENDS_THREAD);
	CHECK_EQ(testing_join(testing_spawn(gives, &a)), -ECANCELED);
	CHECK_EQ(world_stats(&w).destroyed, 2u);
	weft_store_relaxed(&w.resets, -EXDEV);
	weft_store_relaxed(&w.destroys, ENDS_THREAD);
	a.r = take(&w);
	CHECK_EQ(testing_join(testing_spawn(gives, &a)), -ECANCELED);
	CHECK_EQ(world_stats(&w).destroyed, 3u);
	CHECK_EQ(world_stats(&w).destroying, 0u);
	weft_store_relaxed(&w.destroys, 0);
	world_close(&w, 0);
	return 0;
}

TEST(E13_what_is_not_valid_is_made_anew)
{
	struct world w = { 0 };
	struct weft_resource r;

	world_open(&w, (struct weft_respool_opts){
	                       .max = 2, .validate = world_validate });
	give(&w, take(&w));
	CHECK_EQ(take(&w).id, 1u);
	CHECK_EQ(world_stats(&w).reused, 1u);
	r = take(&w);
	CHECK_EQ(r.id, 2u);
	give(&w, r);
	weft_store_relaxed(&w.validates, -1);
	r = take(&w);
	CHECK_EQ(r.id, 3u);
	CHECK_EQ(world_stats(&w).invalid, 1u);
	CHECK_EQ(world_stats(&w).destroyed, 1u);
	CHECK_EQ(world_stats(&w).fresh, 3u);
	give(&w, r);
	/* Nor can a new one be made: that is an end of it. */
	weft_store_relaxed(&w.creates, -EXDEV);
	CHECK_EQ(weft_respool_acquire(w.pool, &r, WEFT_FOREVER), -EXDEV);
	CHECK_EQ(world_stats(&w).idle, 0u);
	CHECK_EQ(weft_load_relaxed(&w.most), 2);
	world_close(&w, 0);
	return 0;
}

TEST(what_cannot_be_reset_is_destroyed)
{
	struct world w = { 0 };

	world_open(&w, (struct weft_respool_opts){ .max = 1,
	                                           .reset = world_reset });
	give(&w, take(&w));
	CHECK_EQ(world_stats(&w).idle, 1u);
	weft_store_relaxed(&w.resets, -1);
	give(&w, take(&w));
	CHECK_EQ(world_stats(&w).idle, 0u);
	CHECK_EQ(world_stats(&w).invalid, 1u);
	CHECK_EQ(take(&w).id, 2u);
	world_close(&w, 0);
	return 0;
}

/* --- hold, and its end --- */

TEST_MANUAL(E7_a_hijacked_one_is_gone_and_its_place_free)
{
	struct world w = { 0 };
	struct weft_resource r;
	struct asking a;

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	r = take(&w);
	ask(&a, &w);
	CHECK_EQ(weft_respool_hijack(w.pool, &r), 0);
	CHECK_EQ(testing_join(a.task), 0);
	CHECK_EQ(a.r.id, 2u);
	CHECK_EQ(weft_load_relaxed(&w.destroyed), 0);
	CHECK_EQ(world_stats(&w).hijacked, 1u);
	world_close(&w, 1);
	free(r.res);
	return 0;
}

static int destroys(void *arg)
{
	struct asking *a = arg;

	return weft_respool_destroy(a->w->pool, &a->r);
}

TEST_MANUAL(E7_a_place_is_free_when_its_destructor_has_ended)
{
	struct world w = { .destroy_gate =
		                   testing_chan("handoff", 0, sizeof(int)) };
	struct asking first, second;
	struct weft_task *t;

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	ask(&first, &w);
	CHECK_EQ(testing_join(first.task), 0);
	t = testing_spawn(destroys, &first);
	ask(&second, &w);
	CHECK(is_waiting(&second));
	CHECK_EQ(world_stats(&w).destroying, 1u);
	let(w.destroy_gate, 0);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(testing_join(second.task), 0);
	CHECK_EQ(weft_load_relaxed(&w.most), 1);
	weft_chan_close(w.destroy_gate);
	weft_chan_unref(w.destroy_gate);
	w.destroy_gate = NULL;
	world_close(&w, 0);
	return 0;
}

TEST(E8_what_is_older_than_a_renewal_is_destroyed)
{
	struct world w = { 0 };
	struct weft_resource idle, held, young;

	world_open(&w, (struct weft_respool_opts){ .max = 3 });
	idle = take(&w);
	held = take(&w);
	give(&w, idle);
	CHECK_EQ(weft_respool_renew(w.pool), 0);
	CHECK_EQ(weft_load_relaxed(&w.destroyed), 1);
	young = take(&w);
	CHECK_EQ(young.id, 3u);
	give(&w, young);
	CHECK_EQ(world_stats(&w).idle, 1u);
	give(&w, held);
	CHECK_EQ(weft_load_relaxed(&w.destroyed), 2);
	CHECK_EQ(world_stats(&w).idle, 1u);
	world_close(&w, 0);
	return 0;
}

/* --- acquires that are given up --- */

TEST(E4_a_context_that_has_ended_wins_over_what_is_idle)
{
	struct world w = { 0 };
	struct weft_resource r;
	struct weft_ctx *ctx;

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	give(&w, take(&w));
	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(weft_respool_acquire_ctx(w.pool, &r, ctx, WEFT_FOREVER),
	         -ECANCELED);
	CHECK_EQ(world_stats(&w).idle, 1u);
	CHECK_EQ(world_stats(&w).acquired, 1u);
	weft_ctx_unref(ctx);
	world_close(&w, 0);
	return 0;
}

TEST_MANUAL(E4_a_wait_ends_with_its_context)
{
	struct world w = { 0 };
	struct weft_resource r;
	struct asking a, next;
	struct weft_ctx *ctx;

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	r = take(&w);
	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	ask_until(&a, &w, ctx, WEFT_FOREVER);
	ask(&next, &w);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(testing_join(a.task), -ECANCELED);
	CHECK_EQ(world_stats(&w).waiting, 1u);
	CHECK_EQ(world_stats(&w).gave_up, 1u);
	give(&w, r);
	CHECK_EQ(testing_join(next.task), 0);
	weft_ctx_unref(ctx);
	world_close(&w, 0);
	return 0;
}

/* What was made for nobody goes to the one that waits, or is idle. */
TEST_MANUAL(E4_a_create_outlives_the_context_of_its_acquire)
{
	for (int waits = 0; waits < 2; waits++) {
		struct world w = { .gate = testing_chan("handoff", 0,
			                                sizeof(int)) };
		struct asking a, next;
		struct weft_ctx *ctx;

		world_open(&w, (struct weft_respool_opts){ .max = 1 });
		CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
		ask_until(&a, &w, ctx, WEFT_FOREVER);
		if (waits)
			ask(&next, &w);
		CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
		CHECK(is_waiting(&a));
		let(w.gate, 0);
		CHECK_EQ(testing_join(a.task), -ECANCELED);
		if (waits)
			CHECK_EQ(testing_join(next.task), 0);
		CHECK_EQ(world_stats(&w).idle, waits ? 0u : 1u);
		CHECK_EQ(world_stats(&w).acquired, waits ? 1u : 0u);
		weft_ctx_unref(ctx);
		world_close(&w, 0);
		weft_chan_unref(w.gate);
	}
	return 0;
}

/* --- the end of the pool --- */

static int joins(void *arg)
{
	return weft_respool_join(((struct world *)arg)->pool, WEFT_FOREVER);
}

TEST_MANUAL(E5_a_close_releases_those_that_wait_and_ends_when_all_are_back)
{
	struct world w = { 0 };
	struct weft_resource r[2];
	struct asking a;
	struct weft_task *t;

	world_open(&w, (struct weft_respool_opts){ .max = 2 });
	r[0] = take(&w);
	r[1] = take(&w);
	ask(&a, &w);
	CHECK_EQ(weft_respool_join(w.pool, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_respool_close(w.pool), 0);
	CHECK_EQ(weft_respool_close(w.pool), -EPIPE);
	CHECK_EQ(testing_join(a.task), -EPIPE);
	CHECK_EQ(weft_respool_acquire(w.pool, &a.r, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_respool_try_acquire(w.pool, &a.r), -EPIPE);
	CHECK_EQ(weft_respool_acquire_idle(w.pool, &a.r, 1), 0u);
	t = testing_spawn(joins, &w);
	give(&w, r[0]);
	CHECK_EQ(weft_load_relaxed(&w.destroyed), 1);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_join_until(t, NULL, WEFT_NOW), -ETIMEDOUT);
	give(&w, r[1]);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(weft_load_relaxed(&w.destroyed), 2);
	world_close(&w, 0);
	return 0;
}

TEST(a_close_destroys_what_is_idle)
{
	struct world w = { 0 };

	world_open(&w, (struct weft_respool_opts){ .max = 2 });
	give(&w, take(&w));
	CHECK_EQ(weft_respool_close(w.pool), 0);
	CHECK_EQ(weft_load_relaxed(&w.destroyed), 1);
	CHECK_EQ(weft_respool_join(w.pool, WEFT_NOW), 0);
	world_close(&w, 0);
	return 0;
}

TEST_MANUAL(E5_what_is_made_during_a_close_is_destroyed)
{
	struct world w = { .gate = testing_chan("handoff", 0, sizeof(int)) };
	struct asking a;

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	ask(&a, &w);
	CHECK_EQ(weft_respool_close(w.pool), 0);
	CHECK_EQ(weft_respool_join(w.pool, WEFT_NOW), -ETIMEDOUT);
	let(w.gate, 0);
	CHECK_EQ(testing_join(a.task), -EPIPE);
	CHECK_EQ(weft_load_relaxed(&w.destroyed), 1);
	CHECK_EQ(weft_respool_join(w.pool, WEFT_FOREVER), 0);
	world_close(&w, 0);
	weft_chan_unref(w.gate);
	return 0;
}

/* A context calls no callbacks when it ends: a join does. */
TEST_MANUAL(a_join_destroys_what_its_context_has_left_idle)
{
	struct world w = { 0 };
	struct weft_resource r;
	struct weft_ctx *ctx;
	struct weft_task *t;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	world_open(&w, (struct weft_respool_opts){ .max = 2, .ctx = ctx });
	r = take(&w);
	give(&w, take(&w));
	t = testing_spawn(joins, &w);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_load_relaxed(&w.destroyed), 1);
	give(&w, r);
	CHECK_EQ(testing_join(t), -ECANCELED);
	weft_ctx_unref(ctx);
	world_close(&w, 0);
	return 0;
}

/* --- what the kernel's resources are connected to --- */

/* The one that is left is the client's, and taken before the server begins. */
TEST(an_echo_server_without_descriptors_keeps_nobody_waiting)
{
	struct rlimit limit, few;
	struct echo e;
	uint64_t back;
	int fd;

	CHECK_EQ(echo_open(&e), 0);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	fd = dup(0);
	few.rlim_cur = (rlim_t)fd + 1;
	close(fd);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
	fd = echo_connect(&e);
	CHECK_LE(0, fd);
	CHECK_EQ(echo_answer(&e), 0);
	CHECK_EQ(echo_call(fd, 1, &back), -ECONNRESET);
	CHECK_EQ(echo_cause(&e, -ECONNRESET), -EMFILE);
	CHECK_EQ(echo_cause(&e, 0), 0);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close(fd);
	CHECK_LT(echo_connect(&e), 0);
	echo_end(&e);
	return 0;
}
