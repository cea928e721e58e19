/* Tests of groups. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/group.h>
#include <weft/sync.h>

#include "task/internal.h"
#include "task/testing.h"

static struct weft_group *group_of(unsigned limit)
{
	struct weft_group *g;

	CHECK_EQ(weft_group_new(&g, NULL, limit), 0);
	return g;
}

/* --- what its tasks do --- */

static int returns(void *arg)
{
	return *(int *)arg;
}

static int exits(void *arg)
{
	weft_task_exit(*(int *)arg);
}

static int leaves_its_thread(void *arg)
{
	(void)arg;
	pthread_exit(NULL);
}

/* Until the group's context ends. */
static int stays(void *arg)
{
	struct weft_group *g = arg;

	CHECK_EQ(weft_sleep_ctx(weft_group_ctx(g), WEFT_FOREVER), -ECANCELED);
	return weft_ctx_cause(weft_group_ctx(g));
}

/* Until it is let go. */
struct gate {
	_Atomic int inside, most, open;
};

static int goes_through(void *arg)
{
	struct gate *gate = arg;
	int n = weft_fetch_add_acq_rel(&gate->inside, 1) + 1;
	int most = weft_load_relaxed(&gate->most);

	while (most < n && !weft_cas_weak_relaxed(&gate->most, &most, n))
		continue;
	while (!weft_load_acquire(&gate->open))
		weft_park(weft_deadline_in(WEFT_MS));
	weft_fetch_sub_acq_rel(&gate->inside, 1);
	return 0;
}

/* --- groups without a context --- */

static struct weft_group *plain_group_of(unsigned limit)
{
	struct weft_group *g;

	CHECK_EQ(weft_group_new_plain(&g, limit), 0);
	CHECK(weft_group_ctx(g) == NULL);
	return g;
}

static int goes_on(void *arg)
{
	weft_fetch_add_relaxed((_Atomic int *)arg, 1);
	return 0;
}

/* With a context, the second half would not have been begun. */
TEST(without_a_context_a_group_runs_on_after_an_error)
{
	struct weft_group *g = plain_group_of(2);
	int first = -EIO, later = -ENOENT;
	_Atomic int done = 0;

	CHECK_EQ(weft_group_go(g, returns, &first, WEFT_FOREVER), 0);
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), -EIO);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(weft_group_go(g, goes_on, (void *)&done, WEFT_FOREVER),
		         0);
	CHECK_EQ(weft_group_go(g, returns, &later, WEFT_FOREVER), 0);
	CHECK_EQ(weft_group_go(g, leaves_its_thread, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), -EIO);
	CHECK_EQ(weft_load_relaxed(&done), 10);
	weft_group_free(g);
	return 0;
}

TEST(without_a_context_a_group_may_be_used_again)
{
	struct weft_group *g = plain_group_of(3);
	_Atomic int done = 0;
	int failed = -EIO;

	for (int round = 1; round <= 20; round++) {
		for (int i = 0; i < 5; i++)
			CHECK_EQ(weft_group_go(g, goes_on, (void *)&done,
			                       WEFT_FOREVER),
			         0);
		CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), 0);
		CHECK_EQ(weft_load_relaxed(&done), 5 * round);
	}
	CHECK_EQ(weft_group_try_go(g, returns, &failed), 0);
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), -EIO);
	weft_group_free(g);
	return 0;
}

/* Its limit and its deadlines are those of any group. */
TEST_MANUAL(without_a_context_a_full_group_makes_go_wait)
{
	struct weft_group *g = plain_group_of(1);
	struct gate gate = { 0 };
	_Atomic int done = 0;

	CHECK_EQ(weft_group_go(g, goes_through, &gate, WEFT_FOREVER), 0);
	CHECK_EQ(weft_group_try_go(g, goes_on, (void *)&done), -EBUSY);
	CHECK_EQ(weft_group_go(g, goes_on, (void *)&done, WEFT_NOW),
	         -ETIMEDOUT);
	CHECK_EQ(weft_group_wait(g, WEFT_NOW), -ETIME);
	weft_store_release(&gate.open, 1);
	testing_pass(WEFT_MS);
	CHECK_EQ(weft_group_go(g, goes_on, (void *)&done, WEFT_FOREVER), 0);
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), 0);
	CHECK_EQ(weft_load_relaxed(&done), 1);
	weft_group_free(g);
	return 0;
}

/* --- names and stacks --- */

struct self_image {
	char name[32];
	size_t stack_bytes;
};

static int looks_at_itself(void *arg)
{
	struct self_image *image = arg;
	pthread_attr_t attr;

	snprintf(image->name, sizeof(image->name), "%s",
	         weft_task_name(weft_self()));
	CHECK_EQ(pthread_getattr_np(pthread_self(), &attr), 0);
	CHECK_EQ(pthread_attr_getstacksize(&attr, &image->stack_bytes), 0);
	pthread_attr_destroy(&attr);
	return 0;
}

TEST(a_task_of_a_group_has_the_name_and_stack_it_was_given)
{
	struct weft_task_opts named = { "crawler", 24 << 20 }, plain = { 0 };
	struct self_image image[3];
	struct weft_group *g = group_of(1);

	CHECK_EQ(weft_group_spawn(g, &named, looks_at_itself, &image[0],
	                          WEFT_FOREVER),
	         0);
	CHECK_EQ(weft_group_spawn(g, &plain, looks_at_itself, &image[1],
	                          WEFT_FOREVER),
	         0);
	CHECK_EQ(weft_group_spawn(g, NULL, looks_at_itself, &image[2],
	                          WEFT_FOREVER),
	         0);
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), 0);
	CHECK_EQ(strcmp(image[0].name, "crawler"), 0);
	CHECK_LE((size_t)(24 << 20) - 65536, image[0].stack_bytes);
	CHECK_EQ(strcmp(image[1].name, "group"), 0);
	CHECK_EQ(strcmp(image[2].name, "group"), 0);
	CHECK_EQ(weft_group_spawn(NULL, NULL, looks_at_itself, &image[0],
	                          WEFT_FOREVER),
	         -EINVAL);
	CHECK_EQ(weft_group_spawn(g, NULL, NULL, NULL, WEFT_FOREVER), -EINVAL);
	weft_group_free(g);
	return 0;
}

/* --- waiting for the end --- */

TEST(a_group_without_an_error_ends_with_0)
{
	struct weft_group *g = group_of(0);
	int zero = 0, positive = 3;

	CHECK_EQ(weft_ctx_err(weft_group_ctx(g)), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(weft_group_go(g, i % 2 ? returns : exits,
		                       i % 3 ? &zero : &positive, WEFT_FOREVER),
		         0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), 0);
	CHECK_EQ(weft_ctx_err(weft_group_ctx(g)), -ECANCELED);
	CHECK_EQ(weft_group_go(g, returns, &zero, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_group_try_go(g, returns, &zero), -ECANCELED);
	weft_group_free(g);
	return 0;
}

static void fail_with(weft_task_fn fn, int err, int expected)
{
	struct weft_group *g = group_of(0);
	int status = err;

	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_group_go(g, stays, g, WEFT_FOREVER), 0);
	CHECK_EQ(weft_group_go(g, fn, &status, WEFT_FOREVER), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), expected);
	CHECK_EQ(weft_ctx_err(weft_group_ctx(g)), -ECANCELED);
	CHECK_EQ(weft_ctx_cause(weft_group_ctx(g)), expected);
	weft_group_free(g);
}

TEST(the_first_error_cancels_the_rest)
{
	fail_with(returns, -EIO, -EIO);
	return 0;
}

TEST(a_task_that_exits_or_leaves_its_thread_has_failed)
{
	fail_with(exits, -ENOENT, -ENOENT);
	fail_with(leaves_its_thread, 0, -ECANCELED);
	return 0;
}

/* Deterministic on the manual clock: the later one is later. */
struct fails_at {
	int64_t at_ns;
	int err;
};

static int fails_later(void *arg)
{
	struct fails_at *f = arg;

	weft_sleep_until(f->at_ns);
	return f->err;
}

TEST_MANUAL(the_error_is_the_first_and_stays_it)
{
	struct weft_group *g = group_of(0);
	struct fails_at f[] = { { weft_now() + 20, -EIO },
		                { weft_now() + 10, -ENOENT } };

	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_group_go(g, fails_later, &f[i], WEFT_NOW), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_ctx_cause(weft_group_ctx(g)), -ENOENT);
	/* With tasks running there is no result, whatever has failed. */
	CHECK_EQ(weft_group_wait(g, WEFT_NOW), -ETIME);
	CHECK_EQ(weft_clock_advance(10), 0);
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), -ENOENT);
	CHECK_EQ(weft_group_wait(g, WEFT_NOW), -ENOENT);
	weft_group_free(g);
	return 0;
}

static int waits(void *arg)
{
	return weft_group_wait(arg, WEFT_FOREVER);
}

TEST_MANUAL(several_may_wait_and_all_get_the_result)
{
	struct weft_group *g = group_of(0);
	struct fails_at f = { weft_now() + 10, -EIO };
	struct weft_task *t[3];

	CHECK_EQ(weft_group_go(g, fails_later, &f, WEFT_FOREVER), 0);
	for (int i = 0; i < 3; i++)
		t[i] = testing_spawn(waits, g);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(testing_join(t[i]), -EIO);
	weft_group_free(g);
	return 0;
}

TEST(the_parents_end_is_no_error_of_the_groups)
{
	struct weft_group *g;
	struct weft_ctx *parent;
	int zero = 0;

	CHECK_EQ(weft_ctx_with_cancel(&parent, NULL), 0);
	CHECK_EQ(weft_group_new(&g, parent, 0), 0);
	CHECK_EQ(weft_group_go(g, stays, g, WEFT_FOREVER), 0);
	CHECK_EQ(weft_ctx_cancel(parent, -EIO), 0);
	CHECK_EQ(weft_group_go(g, returns, &zero, WEFT_FOREVER), -ECANCELED);
	/* But what a task made of it is. */
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), -EIO);
	weft_group_free(g);

	CHECK_EQ(weft_group_new(&g, parent, 0), 0);
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), 0);
	weft_group_free(g);
	weft_ctx_unref(parent);
	return 0;
}

/* As soon as a wait has returned; ASan finds a task that is late. */
TEST(a_group_may_be_freed_after_the_wait)
{
	int zero = 0;

	for (int i = 0; i < (TESTING_SLOW ? 100 : 500); i++) {
		struct weft_group *g = group_of(i % 3);

		for (int k = 0; k < 4; k++)
			CHECK_EQ(weft_group_go(g, returns, &zero, WEFT_FOREVER),
			         0);
		CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), 0);
		weft_group_free(g);
	}
	return 0;
}

TEST(nonsense_is_refused)
{
	struct weft_group *g = group_of(0);

	CHECK_EQ(weft_group_new(NULL, NULL, 0), -EINVAL);
	CHECK_EQ(weft_group_new_plain(NULL, 0), -EINVAL);
	CHECK_EQ(weft_group_go(NULL, returns, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_group_go(g, NULL, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_group_try_go(NULL, returns, NULL), -EINVAL);
	CHECK_EQ(weft_group_try_go(g, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_group_wait(NULL, WEFT_NOW), -EINVAL);
	CHECK(weft_group_ctx(NULL) == NULL);
	weft_group_free(NULL);
	weft_group_free(g);
	return 0;
}

static void outside_of_a_run_nothing_is_left_of_a_go(void **state)
{
	struct weft_group *g;
	int zero = 0;

	(void)state;
	assert_int_equal(weft_group_new(&g, NULL, 1), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(weft_group_go(g, returns, &zero, WEFT_NOW),
		                 -EINVAL);
		assert_int_equal(weft_group_try_go(g, returns, &zero), -EINVAL);
	}
	assert_int_equal(weft_group_wait(g, WEFT_NOW), 0);
	weft_group_free(g);
}

/* --- the limit --- */

TEST(no_more_than_the_limit_run_at_once)
{
	struct weft_group *g = group_of(3);
	struct gate gate = { .open = 1 };

	for (int i = 0; i < 100; i++)
		CHECK_EQ(weft_group_go(g, goes_through, &gate, WEFT_FOREVER),
		         0);
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), 0);
	CHECK_EQ(weft_load_relaxed(&gate.inside), 0);
	CHECK_LE(weft_load_relaxed(&gate.most), 3);
	CHECK_LT(0, weft_load_relaxed(&gate.most));
	weft_group_free(g);
	return 0;
}

struct go {
	struct weft_group *group;
	int64_t deadline_ns;
	_Atomic int called;
};

static int is_called(void *arg)
{
	struct go *go = arg;

	weft_fetch_add_acq_rel(&go->called, 1);
	return 0;
}

static int calls_go(void *arg)
{
	struct go *go = arg;

	return weft_group_go(go->group, is_called, go, go->deadline_ns);
}

TEST_MANUAL(a_full_group_makes_go_wait)
{
	struct weft_group *g = group_of(1);
	struct go patient = { g, WEFT_FOREVER, 0 },
	          hasty = { g, weft_now() + 10, 0 };
	struct fails_at ends = { weft_now() + 20, 0 };
	struct weft_task *t[2];

	CHECK_EQ(weft_group_try_go(g, fails_later, &ends), 0);
	CHECK_EQ(weft_group_try_go(g, is_called, &patient), -EBUSY);
	CHECK_EQ(weft_group_go(g, is_called, &patient, WEFT_NOW), -ETIMEDOUT);
	t[0] = testing_spawn(calls_go, &hasty);
	t[1] = testing_spawn(calls_go, &patient);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	CHECK_EQ(testing_join(t[0]), -ETIMEDOUT);
	CHECK_EQ(weft_load_acquire(&patient.called), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	CHECK_EQ(testing_join(t[1]), 0);
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), 0);
	CHECK_EQ(weft_load_acquire(&patient.called), 1);
	CHECK_EQ(weft_load_acquire(&hasty.called), 0);
	weft_group_free(g);
	return 0;
}

TEST_MANUAL(an_error_lets_go_whoever_waits_for_a_place)
{
	struct weft_group *g = group_of(2);
	struct go go = { g, WEFT_FOREVER, 0 };
	struct fails_at f = { weft_now() + 10, -EIO };
	struct fails_at late = { weft_now() + 20, 0 };
	struct weft_task *t[3];

	CHECK_EQ(weft_group_go(g, fails_later, &f, WEFT_FOREVER), 0);
	CHECK_EQ(weft_group_go(g, fails_later, &late, WEFT_FOREVER), 0);
	for (int i = 0; i < 3; i++)
		t[i] = testing_spawn(calls_go, &go);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	/* Although the place of the one that failed is there as well. */
	for (int i = 0; i < 3; i++)
		CHECK_EQ(testing_join(t[i]), -ECANCELED);
	CHECK_EQ(weft_clock_advance(10), 0);
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), -EIO);
	CHECK_EQ(weft_load_acquire(&go.called), 0);
	weft_group_free(g);
	return 0;
}

/* Tasks of the group add tasks to it, limited by what is free. */
struct spread {
	struct weft_group *group;
	_Atomic int n, refused;
};

static int spreads(void *arg)
{
	struct spread *s = arg;
	int err = 0;

	if (weft_fetch_add_relaxed(&s->n, 1) >= 200)
		return 0;
	for (int i = 0; i < 2 && err == 0; i++)
		err = weft_group_try_go(s->group, spreads, s);
	weft_fetch_add_relaxed(&s->refused, err == -EBUSY);
	return err == -EBUSY ? 0 : err;
}

TEST(a_task_of_the_group_may_add_tasks)
{
	struct spread s = { .group = group_of(4) };

	CHECK_EQ(weft_group_go(s.group, spreads, &s, WEFT_FOREVER), 0);
	CHECK_EQ(weft_group_wait(s.group, WEFT_FOREVER), 0);
	CHECK_LT(2, weft_load_relaxed(&s.n));
	weft_group_free(s.group);
	return 0;
}

/* --- death, many at once --- */

#define RUNNERS 4

static int goes_and_goes(void *arg)
{
	static int zero, bad = -EIO;
	struct weft_group *g = arg;
	int err;

	for (int i = 0; i < 40; i++) {
		uint64_t how = weft_rand() % 64;
		weft_task_fn fn = how == 0  ? leaves_its_thread
		                  : how % 2 ? returns
		                            : exits;

		err = weft_group_go(g, fn, how == 1 ? &bad : &zero,
		                    WEFT_FOREVER);
		if (err)
			return err;
	}
	return 0;
}

/* Errors, exits and ended threads under a limit: no place may be lost, nor a
 * task counted that is gone. */
static void storm_once(unsigned limit)
{
	struct weft_group *g = group_of(limit);
	struct weft_task *t[RUNNERS];
	int first = 0, status;

	for (int i = 0; i < RUNNERS; i++)
		t[i] = testing_spawn(goes_and_goes, g);
	for (int i = 0; i < RUNNERS; i++) {
		status = testing_join(t[i]);
		CHECK(status == 0 || status == -ECANCELED);
		first |= status;
	}
	status = weft_group_wait(g, WEFT_FOREVER);
	CHECK(status == 0 || status == -EIO || status == -ECANCELED);
	if (first)
		CHECK_LT(status, 0);
	weft_group_free(g);
}

TEST(no_way_to_end_loses_a_place)
{
	for (unsigned i = 0; i < (TESTING_SLOW ? 6 : 24); i++)
		storm_once(1 + i % 3);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        without_a_context_a_group_runs_on_after_an_error),
		cmocka_unit_test(without_a_context_a_group_may_be_used_again),
		cmocka_unit_test(without_a_context_a_full_group_makes_go_wait),
		cmocka_unit_test(
		        a_task_of_a_group_has_the_name_and_stack_it_was_given),
		cmocka_unit_test(a_group_without_an_error_ends_with_0),
		cmocka_unit_test(the_first_error_cancels_the_rest),
		cmocka_unit_test(
		        a_task_that_exits_or_leaves_its_thread_has_failed),
		cmocka_unit_test(the_error_is_the_first_and_stays_it),
		cmocka_unit_test(several_may_wait_and_all_get_the_result),
		cmocka_unit_test(the_parents_end_is_no_error_of_the_groups),
		cmocka_unit_test(a_group_may_be_freed_after_the_wait),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(outside_of_a_run_nothing_is_left_of_a_go),
		cmocka_unit_test(no_more_than_the_limit_run_at_once),
		cmocka_unit_test(a_full_group_makes_go_wait),
		cmocka_unit_test(an_error_lets_go_whoever_waits_for_a_place),
		cmocka_unit_test(a_task_of_the_group_may_add_tasks),
		cmocka_unit_test(no_way_to_end_loses_a_place),
	};

	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
