/* Tests of once. */
#include <errno.h>
#include <pthread.h>

#include <weft/atomic.h>
#include <weft/ctx.h>
#include <weft/sync.h>

#include "task/internal.h"
#include "task/testing.h"

/* What is to be done once. */
struct deed {
	struct weft_once once;
	int status;
	int wrote;               /* no atomic: the once publishes it */
	_Atomic int called;      /* times */
	_Atomic int open;        /* for one that stays until it is let go */
	struct weft_task *stays; /* read once it waits */
};

static int does(void *arg)
{
	struct deed *d = arg;

	weft_fetch_add_relaxed(&d->called, 1);
	d->wrote = 5;
	return d->status;
}

static int stays(void *arg)
{
	struct deed *d = arg;

	d->stays = weft_self();
	while (!weft_load_acquire(&d->open))
		weft_park(WEFT_FOREVER);
	return does(d);
}

static int exits(void *arg)
{
	weft_task_exit(does(arg));
}

static int leaves_its_thread(void *arg)
{
	does(arg);
	pthread_exit(NULL);
}

static void check_done(struct deed *d, weft_task_fn fn, int expected)
{
	int status = 99;

	CHECK_EQ(weft_once_do(&d->once, fn, d, &status, WEFT_FOREVER), 0);
	CHECK_EQ(status, expected);
	CHECK_EQ(d->wrote, 5);
	CHECK_EQ(weft_load_relaxed(&d->called), 1);
}

/* --- tasks --- */

static int asks(void *arg)
{
	struct deed *d = arg;
	int status = 99;

	CHECK_EQ(weft_once_do(&d->once, stays, d, &status, WEFT_FOREVER), 0);
	CHECK_EQ(d->wrote, 5);
	return status;
}

static int begins_and_leaves(void *arg)
{
	struct deed *d = arg;

	return weft_once_do(&d->once, leaves_its_thread, d, NULL, WEFT_NOW);
}

static void await_waiting(struct weft_task *t)
{
	while (!weft_load_acquire(&t->waits_for))
		weft_yield();
}

/* Static ones are zero. */
TEST(one_that_is_zero_or_made_is_ready)
{
	static struct deed zero;
	struct deed made = { .status = 7 };

	check_done(&zero, does, 0);
	check_done(&zero, does, 0);
	weft_once_init(&made.once);
	check_done(&made, does, 7);
	check_done(&made, stays, 7); /* whichever function it is */
	weft_once_init(&made.once);
	weft_store_relaxed(&made.called, 0);
	check_done(&made, does, 7);
	CHECK_EQ(weft_once_do(&made.once, does, &made, NULL, WEFT_NOW), 0);
	return 0;
}

TEST(nonsense_is_refused)
{
	static struct deed d;

	CHECK_EQ(weft_once_do(NULL, does, &d, NULL, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(weft_once_do(&d.once, NULL, &d, NULL, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(weft_load_relaxed(&d.called), 0);
	return 0;
}

#define ASKERS 6

TEST(it_is_called_once_and_all_wait_for_it)
{
	struct deed d = { .status = 7 };
	struct weft_task *t[ASKERS];

	for (int i = 0; i < ASKERS; i++)
		t[i] = testing_spawn(asks, &d);
	for (int i = 0; i < ASKERS; i++)
		await_waiting(t[i]);
	CHECK_EQ(weft_load_relaxed(&d.called), 0);
	weft_store_release(&d.open, 1);
	/* Nobody else: a waiter that looks again for another reason does not
	 * need to be told. */
	weft_unpark(d.stays);
	for (int i = 0; i < ASKERS; i++)
		CHECK_EQ(testing_join(t[i]), 7);
	CHECK_EQ(weft_load_relaxed(&d.called), 1);
	return 0;
}

/* All begin at once, over and over. */
TEST(whoever_comes_first_does_it)
{
	for (int i = 0; i < (TESTING_SLOW ? 100 : 1000); i++) {
		struct deed d = { .status = i, .open = 1 };
		struct weft_task *t[3];

		for (int k = 0; k < 3; k++)
			t[k] = testing_spawn(asks, &d);
		for (int k = 0; k < 3; k++)
			CHECK_EQ(testing_join(t[k]), i);
		CHECK_EQ(weft_load_relaxed(&d.called), 1);
	}
	return 0;
}

TEST(a_failure_is_for_good)
{
	struct deed fails = { .status = -EIO }, ends = { .status = -ENOENT };
	struct deed leaves = { .status = 3 };

	check_done(&fails, does, -EIO);
	check_done(&fails, does, -EIO);
	check_done(&ends, exits, -ENOENT); /* and this task goes on */
	check_done(&ends, does, -ENOENT);
	CHECK_EQ(testing_join(testing_spawn(begins_and_leaves, &leaves)),
	         -ECANCELED);
	check_done(&leaves, does, -ECANCELED);
	return 0;
}

static int asks_again(void *arg)
{
	struct deed *d = arg;
	int status = 99;

	CHECK_EQ(weft_once_do(&d->once, does, d, &status, WEFT_FOREVER),
	         -EDEADLK);
	CHECK_EQ(status, 99);
	return does(d);
}

TEST(from_within_it_is_a_deadlock)
{
	struct deed d = { .status = 2 };

	check_done(&d, asks_again, 2);
	return 0;
}

/* --- deadlines and contexts --- */

TEST_MANUAL(a_wait_keeps_to_its_deadline)
{
	struct deed d = { .status = 7 };
	struct weft_task *t = testing_spawn(asks, &d);
	int status = 99;

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_once_do(&d.once, does, &d, &status, WEFT_NOW),
	         -ETIMEDOUT);
	CHECK_EQ(status, 99);
	CHECK_EQ(weft_load_relaxed(&d.called), 0);
	weft_store_release(&d.open, 1);
	weft_unpark(t);
	CHECK_EQ(testing_join(t), 7);
	CHECK_EQ(weft_once_do(&d.once, does, &d, &status, WEFT_NOW), 0);
	CHECK_EQ(status, 7);
	return 0;
}

struct with_ctx {
	struct deed *deed;
	struct weft_ctx *ctx;
};

static int asks_with_ctx(void *arg)
{
	struct with_ctx *w = arg;

	return weft_once_do_ctx(&w->deed->once, does, w->deed, NULL, w->ctx,
	                        WEFT_FOREVER);
}

TEST_MANUAL(a_context_ends_a_wait_and_not_the_call)
{
	struct deed d = { .status = 7 };
	struct weft_task *t = testing_spawn(asks, &d), *waits;
	struct with_ctx w = { .deed = &d };

	CHECK_EQ(weft_ctx_with_cancel(&w.ctx, NULL), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	waits = testing_spawn(asks_with_ctx, &w);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_ctx_cancel(w.ctx, 0), 0);
	CHECK_EQ(testing_join(waits), -ECANCELED);
	CHECK_EQ(asks_with_ctx(&w), -ECANCELED);
	weft_store_release(&d.open, 1);
	weft_unpark(t);
	CHECK_EQ(testing_join(t), 7);
	/* An ended context wins over what is there. */
	CHECK_EQ(asks_with_ctx(&w), -ECANCELED);
	weft_ctx_unref(w.ctx);
	w.ctx = NULL;
	CHECK_EQ(asks_with_ctx(&w), 0);
	return 0;
}

static void *asks_thread(void *arg)
{
	struct deed *d = arg;

	check_done(d, does, 4);
	return NULL;
}

static void threads_may_ask(void **state)
{
	static struct deed d = { .status = 4 };
	pthread_t thread[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		        pthread_create(&thread[i], NULL, asks_thread, &d), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_is_zero_or_made_is_ready),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(it_is_called_once_and_all_wait_for_it),
		cmocka_unit_test(whoever_comes_first_does_it),
		cmocka_unit_test(a_failure_is_for_good),
		cmocka_unit_test(from_within_it_is_a_deadlock),
		cmocka_unit_test(a_wait_keeps_to_its_deadline),
		cmocka_unit_test(a_context_ends_a_wait_and_not_the_call),
		cmocka_unit_test(threads_may_ask),
	};

	return cmocka_run_group_tests_name("once", tests, NULL, NULL);
}
