/*
 * Tests of the semaphore. How it ends is tested by its life.c; E1 to E11 are
 * the numbers of the requirements:
 *
 *	E1  no more than there are are held, and all are back in the end
 *	E2  more are released than are held
 *	E3  try_acquire and deadlines on two permits
 *	E4  a request for more than there are blocks nobody
 *	E5  a large request is not starved by small ones
 *	E6  those behind a request that gives up go on
 *	E7  a context that has ended wins over permits that are there
 *	E8  a request for none waits for its turn
 *	E9  try_acquire does not overtake
 *	E10 many tasks with many weights
 *	E11 another task releases
 */
#include <errno.h>
#include <pthread.h>

#include <weft/atomic.h>

#include "semaphore.h"
#include "testing/cost.h"
#include "testing/testing.h"

static struct weft_semaphore *make(int64_t permits)
{
	const struct weft_semaphore_opts opts = { .permits = permits };
	struct weft_semaphore *s;

	CHECK_EQ(weft_semaphore_new(&s, &opts), 0);
	return s;
}

static struct weft_semaphore_stats stats(struct weft_semaphore *s)
{
	struct weft_semaphore_stats out;

	CHECK_EQ(weft_semaphore_stats(s, &out), 0);
	return out;
}

/* Nothing is held and nobody waits: all permits can be had at once. */
static void free_at_rest(struct weft_semaphore *s)
{
	struct weft_semaphore_stats at_rest = stats(s);

	CHECK_EQ(at_rest.held, 0);
	CHECK_EQ(at_rest.waiting, 0u);
	CHECK_EQ(weft_semaphore_try_acquire(s, at_rest.permits), 0);
	weft_semaphore_free(s);
}

/* A task that acquires n permits and keeps them. */
struct request {
	struct weft_semaphore *s;
	int64_t n;
	struct weft_ctx *ctx;
	int64_t deadline_ns;
	struct weft_task *task;
};

static int request_main(void *arg)
{
	struct request *r = arg;

	return weft_semaphore_acquire_ctx(r->s, r->n, r->ctx, r->deadline_ns);
}

static void request_until(struct request *r, struct weft_semaphore *s,
                          int64_t n, struct weft_ctx *ctx, int64_t deadline_ns)
{
	*r = (struct request){ s, n, ctx, deadline_ns, NULL };
	r->task = testing_spawn(request_main, r);
	CHECK_EQ(weft_clock_settle(), 0);
}

static void request(struct request *r, struct weft_semaphore *s, int64_t n)
{
	request_until(r, s, n, NULL, WEFT_FOREVER);
}

static bool waits(struct request *r)
{
	CHECK_EQ(weft_clock_settle(), 0);
	return weft_join_until(r->task, NULL, WEFT_NOW) == -ETIMEDOUT;
}

/* --- one task --- */

TEST(E2_no_more_can_be_released_than_are_held)
{
	struct weft_semaphore *s = make(2);

	CHECK_EQ(weft_semaphore_release(s, 1), -EOVERFLOW);
	CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_NOW), 0);
	CHECK_EQ(weft_semaphore_release(s, 2), -EOVERFLOW);
	CHECK_EQ(stats(s).held, 1);
	CHECK_EQ(weft_semaphore_release(s, 0), 0);
	CHECK_EQ(weft_semaphore_release(s, 1), 0);
	free_at_rest(s);
	return 0;
}

TEST(E3_a_try_takes_what_is_there_and_nothing_else)
{
	struct weft_semaphore *s = make(2);

	CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_FOREVER), 0);
	CHECK_EQ(weft_semaphore_try_acquire(s, 1), 0);
	CHECK_EQ(weft_semaphore_try_acquire(s, 1), -EAGAIN);
	CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_semaphore_release(s, 2), 0);
	CHECK_EQ(weft_semaphore_try_acquire(s, 1), 0);
	CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_NOW), 0);
	CHECK_EQ(weft_semaphore_try_acquire(s, 1), -EAGAIN);
	CHECK_EQ(weft_semaphore_release(s, 2), 0);
	free_at_rest(s);
	return 0;
}

TEST(counts_out_of_range_are_refused)
{
	struct weft_semaphore_opts opts = { .permits = -1 };
	struct weft_semaphore *s = NULL;

	CHECK_EQ(weft_semaphore_new(&s, &opts), -EINVAL);
	opts.permits = WEFT_PERMITS_MAX + 1;
	CHECK_EQ(weft_semaphore_new(&s, &opts), -EINVAL);
	CHECK_EQ(weft_semaphore_new(&s, NULL), -EINVAL);
	opts.permits = 1;
	CHECK_EQ(weft_semaphore_new(NULL, &opts), -EINVAL);
	CHECK(s == NULL);
	s = make(WEFT_PERMITS_MAX);
	CHECK_EQ(weft_semaphore_acquire(s, -1, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_semaphore_acquire(s, WEFT_PERMITS_MAX + 1, WEFT_NOW),
	         -EINVAL);
	CHECK_EQ(weft_semaphore_try_acquire(s, -1), -EINVAL);
	CHECK_EQ(weft_semaphore_try_acquire(NULL, 1), -EINVAL);
	CHECK_EQ(weft_semaphore_release(s, -1), -EINVAL);
	CHECK_EQ(weft_semaphore_release(NULL, 1), -EINVAL);
	CHECK_EQ(weft_semaphore_resize(s, -1), -EINVAL);
	CHECK_EQ(weft_semaphore_resize(s, WEFT_PERMITS_MAX + 1), -EINVAL);
	CHECK_EQ(weft_semaphore_resize(NULL, 1), -EINVAL);
	free_at_rest(s);
	return 0;
}

TEST(E7_a_context_that_has_ended_wins_over_permits)
{
	struct weft_semaphore *s = make(1);
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	CHECK_EQ(weft_semaphore_acquire_ctx(s, 1, ctx, WEFT_NOW), 0);
	CHECK_EQ(weft_semaphore_release(s, 1), 0);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(weft_semaphore_acquire_ctx(s, 1, ctx, WEFT_FOREVER),
	         -ECANCELED);
	weft_ctx_unref(ctx);
	free_at_rest(s);
	return 0;
}

/* --- the line --- */

TEST_MANUAL(permits_go_to_those_that_wait_in_their_order)
{
	struct weft_semaphore *s = make(0);
	struct request r[3];

	CHECK_EQ(weft_semaphore_resize(s, 3), 0);
	CHECK_EQ(weft_semaphore_acquire(s, 3, WEFT_NOW), 0);
	for (int i = 0; i < 3; i++)
		request(&r[i], s, 1);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_semaphore_release(s, 1), 0);
		CHECK_EQ(testing_join(r[i].task), 0);
		for (int k = i + 1; k < 3; k++)
			CHECK(waits(&r[k]));
	}
	CHECK_EQ(stats(s).waited, 3u);
	CHECK_EQ(weft_semaphore_release(s, 3), 0);
	free_at_rest(s);
	return 0;
}

TEST_MANUAL(E4_a_request_for_more_than_there_are_blocks_nobody)
{
	struct weft_semaphore *s = make(2);
	struct request big, small;

	request_until(&big, s, 3, NULL, weft_deadline_in(WEFT_SEC));
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(weft_semaphore_try_acquire(s, 2), 0);
		request(&small, s, 1);
		CHECK(waits(&small));
		CHECK_EQ(weft_semaphore_release(s, 2), 0);
		CHECK_EQ(testing_join(small.task), 0);
		CHECK_EQ(weft_semaphore_release(s, 1), 0);
	}
	CHECK(waits(&big));
	testing_pass(WEFT_SEC);
	CHECK_EQ(testing_join(big.task), -ETIMEDOUT);
	CHECK_EQ(stats(s).gave_up, 1u);
	free_at_rest(s);
	return 0;
}

TEST_MANUAL(E5_a_large_request_is_not_starved_by_small_ones)
{
	struct weft_semaphore *s = make(3);
	struct request big, small;

	CHECK_EQ(weft_semaphore_acquire(s, 2, WEFT_NOW), 0);
	request(&big, s, 3);
	/* One permit is free, but this one comes later. */
	request(&small, s, 1);
	CHECK(waits(&big));
	CHECK(waits(&small));
	CHECK_EQ(weft_semaphore_release(s, 2), 0);
	CHECK_EQ(testing_join(big.task), 0);
	CHECK(waits(&small));
	CHECK_EQ(weft_semaphore_release(s, 3), 0);
	CHECK_EQ(testing_join(small.task), 0);
	CHECK_EQ(weft_semaphore_release(s, 1), 0);
	free_at_rest(s);
	return 0;
}

TEST_MANUAL(E6_those_behind_one_that_gives_up_go_on)
{
	struct weft_semaphore *s = make(2);
	struct request big, small;
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_NOW), 0);
	request_until(&big, s, 2, ctx, WEFT_FOREVER);
	request(&small, s, 1);
	CHECK(waits(&small));
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(testing_join(big.task), -ECANCELED);
	CHECK_EQ(testing_join(small.task), 0);
	CHECK_EQ(weft_semaphore_release(s, 2), 0);
	weft_ctx_unref(ctx);
	free_at_rest(s);
	return 0;
}

TEST_MANUAL(E8_a_request_for_none_waits_for_its_turn)
{
	struct weft_semaphore *s = make(1);
	struct request one, none;

	CHECK_EQ(weft_semaphore_acquire(s, 0, WEFT_NOW), 0);
	CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_NOW), 0);
	CHECK_EQ(weft_semaphore_try_acquire(s, 0), 0); /* nobody waits */
	request(&one, s, 1);
	request(&none, s, 0);
	CHECK(waits(&none));
	CHECK_EQ(weft_semaphore_try_acquire(s, 0), -EAGAIN);
	CHECK_EQ(weft_semaphore_release(s, 1), 0);
	CHECK_EQ(testing_join(one.task), 0);
	CHECK_EQ(testing_join(none.task), 0);
	CHECK_EQ(weft_semaphore_release(s, 1), 0);
	free_at_rest(s);
	return 0;
}

TEST_MANUAL(E9_a_try_does_not_overtake)
{
	struct weft_semaphore *s = make(2);
	struct request big;

	CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_NOW), 0);
	request(&big, s, 2);
	CHECK_EQ(weft_semaphore_try_acquire(s, 1), -EAGAIN);
	CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_semaphore_release(s, 1), 0);
	CHECK_EQ(testing_join(big.task), 0);
	CHECK_EQ(weft_semaphore_release(s, 2), 0);
	free_at_rest(s);
	return 0;
}

/* --- the number of permits changes --- */

TEST_MANUAL(more_permits_let_waiters_in)
{
	struct weft_semaphore *s = make(1);
	struct request big, small;

	CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_NOW), 0);
	request(&big, s, 4); /* more than there are: stands aside */
	request(&small, s, 1);
	CHECK_EQ(weft_semaphore_resize(s, 2), 0);
	CHECK_EQ(testing_join(small.task), 0);
	CHECK(waits(&big));
	CHECK_EQ(weft_semaphore_resize(s, 6), 0);
	CHECK_EQ(testing_join(big.task), 0);
	CHECK_EQ(weft_semaphore_release(s, 6), 0);
	free_at_rest(s);
	return 0;
}

TEST_MANUAL(fewer_permits_than_are_held_let_nobody_in)
{
	struct weft_semaphore *s = make(4);
	struct request r;

	CHECK_EQ(weft_semaphore_acquire(s, 4, WEFT_NOW), 0);
	CHECK_EQ(weft_semaphore_resize(s, 2), 0);
	CHECK_EQ(stats(s).held, 4);
	CHECK_EQ(stats(s).permits, 2);
	request(&r, s, 1);
	CHECK_EQ(weft_semaphore_release(s, 2), 0);
	CHECK(waits(&r)); /* two are held, of two */
	CHECK_EQ(weft_semaphore_release(s, 1), 0);
	CHECK_EQ(testing_join(r.task), 0);
	CHECK_EQ(weft_semaphore_release(s, 2), 0);
	free_at_rest(s);
	return 0;
}

/* The first in line becomes too large: those behind it are not held up. */
TEST_MANUAL(one_that_becomes_too_large_steps_aside)
{
	struct weft_semaphore *s = make(3);
	struct request big, small;

	CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_NOW), 0);
	request(&big, s, 3);
	request(&small, s, 1);
	CHECK(waits(&small));
	CHECK_EQ(weft_semaphore_resize(s, 2), 0);
	CHECK_EQ(testing_join(small.task), 0);
	CHECK(waits(&big));
	CHECK_EQ(weft_semaphore_resize(s, 3), 0);
	CHECK_EQ(weft_semaphore_release(s, 2), 0);
	CHECK_EQ(testing_join(big.task), 0);
	CHECK_EQ(weft_semaphore_release(s, 3), 0);
	free_at_rest(s);
	return 0;
}

TEST_MANUAL(the_longest_wait_is_told)
{
	struct weft_semaphore *s = make(1);
	struct request r[2];

	CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_NOW), 0);
	request(&r[0], s, 1);
	request_until(&r[1], s, 1, NULL, weft_deadline_in(5 * WEFT_SEC));
	CHECK_EQ(stats(s).waiting, 2u);
	testing_pass(2 * WEFT_SEC);
	CHECK_EQ(weft_semaphore_release(s, 1), 0);
	CHECK_EQ(testing_join(r[0].task), 0);
	testing_pass(3 * WEFT_SEC);
	CHECK_EQ(testing_join(r[1].task), -ETIMEDOUT);
	CHECK_EQ(stats(s).longest_ns, 5 * WEFT_SEC);
	CHECK_EQ(stats(s).wait_ns, 7 * WEFT_SEC);
	CHECK_EQ(stats(s).waited, 1u);
	CHECK_EQ(stats(s).gave_up, 1u);
	CHECK_EQ(weft_semaphore_release(s, 1), 0);
	free_at_rest(s);
	return 0;
}

/* --- many tasks --- */

#define TASKS 8
#define LOOPS (TESTING_SLOW ? 500 : 5000)

struct hammer {
	struct weft_semaphore *s;
	_Atomic int64_t inside;
	int64_t permits;
};

struct hammerer {
	struct hammer *h;
	int64_t n;
	struct weft_task *task;
};

static void hold(struct hammer *h, int64_t n)
{
	int64_t inside = weft_fetch_add_seq_cst(&h->inside, n) + n;

	CHECK_LE(inside, h->permits);
	if (weft_rand() % 16 == 0)
		weft_yield();
	weft_fetch_sub_seq_cst(&h->inside, n);
}

/* A third of the calls has a deadline that mostly expires, a sixth only tries:
 * so waits are given up at any moment. */
static int hammer(void *arg)
{
	struct hammerer *w = arg;
	struct weft_semaphore *s = w->h->s;

	for (int i = 0; i < LOOPS; i++) {
		int err = i % 6 == 0 ? weft_semaphore_try_acquire(s, w->n)
		                     : weft_semaphore_acquire(
		                               s, w->n,
		                               i % 3 ? WEFT_FOREVER
		                                     : weft_deadline_in(2000));

		if (err) {
			CHECK(err == -EAGAIN || err == -ETIMEDOUT);
			continue;
		}
		hold(w->h, w->n);
		CHECK_EQ(weft_semaphore_release(s, w->n), 0);
	}
	return 0;
}

TEST(E1_E10_never_more_are_held_and_all_come_back)
{
	struct hammer h = { .permits = TASKS };
	struct hammerer w[TASKS];

	h.s = make(h.permits);
	for (int i = 0; i < TASKS; i++) {
		w[i] = (struct hammerer){ &h, i, NULL };
		w[i].task = testing_spawn(hammer, &w[i]);
	}
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(testing_join(w[i].task), 0);
	free_at_rest(h.s);
	return 0;
}

static void *releases_one(void *s)
{
	CHECK_EQ(weft_semaphore_release(s, 1), 0);
	return NULL;
}

/* A foreign thread at that. */
TEST_MANUAL(E11_another_task_may_release)
{
	struct weft_semaphore *s = make(1);
	struct request r;
	pthread_t thread;

	CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_NOW), 0);
	request(&r, s, 1);
	CHECK_EQ(pthread_create(&thread, NULL, releases_one, s), 0);
	CHECK_EQ(testing_join(r.task), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(weft_semaphore_release(s, 1), 0);
	free_at_rest(s);
	return 0;
}

/* --- what it costs --- */

static void permit_pairs(void *s)
{
	for (int i = 0; i < TESTING_COST_CALLS; i++) {
		CHECK_EQ(weft_semaphore_acquire(s, 1, WEFT_FOREVER), 0);
		CHECK_EQ(weft_semaphore_release(s, 1), 0);
	}
}

static void a_pair_costs_at_most_5_of_a_mutex(void **state)
{
	struct weft_semaphore *s;

	(void)state;
	if (COST_MEANS_NOTHING)
		skip();
	s = make(1);
	testing_costs_at_most(5, "semaphore", permit_pairs, s);
	weft_semaphore_free(s);
}

static void a_pair_enters_no_kernel_and_takes_no_memory(void **state)
{
	struct weft_semaphore *s = make(1);

	(void)state;
	testing_is_all_in_user_space(permit_pairs, s);
	weft_semaphore_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(E2_no_more_can_be_released_than_are_held),
		cmocka_unit_test(E3_a_try_takes_what_is_there_and_nothing_else),
		cmocka_unit_test(counts_out_of_range_are_refused),
		cmocka_unit_test(E7_a_context_that_has_ended_wins_over_permits),
		cmocka_unit_test(permits_go_to_those_that_wait_in_their_order),
		cmocka_unit_test(
		        E4_a_request_for_more_than_there_are_blocks_nobody),
		cmocka_unit_test(
		        E5_a_large_request_is_not_starved_by_small_ones),
		cmocka_unit_test(E6_those_behind_one_that_gives_up_go_on),
		cmocka_unit_test(E8_a_request_for_none_waits_for_its_turn),
		cmocka_unit_test(E9_a_try_does_not_overtake),
		cmocka_unit_test(more_permits_let_waiters_in),
		cmocka_unit_test(fewer_permits_than_are_held_let_nobody_in),
		cmocka_unit_test(one_that_becomes_too_large_steps_aside),
		cmocka_unit_test(the_longest_wait_is_told),
		cmocka_unit_test(E1_E10_never_more_are_held_and_all_come_back),
		cmocka_unit_test(E11_another_task_may_release),
		cmocka_unit_test(a_pair_costs_at_most_5_of_a_mutex),
		cmocka_unit_test(a_pair_enters_no_kernel_and_takes_no_memory),
	};

	return cmocka_run_group_tests_name("semaphore", tests, NULL, NULL);
}
