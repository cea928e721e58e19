/* Tests of how a buffer between producers and consumers ends. */
#include <errno.h>
#include <pthread.h>

#include "buffers.h"

#define STOPS (TESTING_SLOW ? 100 : 1000)

/* --- the end --- */

TEST(the_last_producer_that_is_done_closes)
{
	struct weft_buffer *b = new_buffer(4, 3);
	int item = 5;

	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(stats_of(b).producers, 1u);
	CHECK_EQ(weft_buffer_put(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_put(b, &item, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_buffer_done(b), -EINVAL);
	item = 0;
	CHECK_EQ(weft_buffer_take(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(item, 5);
	CHECK_EQ(weft_buffer_take(b, &item, WEFT_FOREVER), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

TEST_MANUAL(the_end_reaches_every_consumer)
{
	struct weft_buffer *b = new_buffer(4, 1);
	struct weft_task *tasks[5];

	for (int i = 0; i < 5; i++)
		tasks[i] = testing_spawn(take_main, b);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(testing_join(tasks[i]), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

TEST(a_producer_may_attach_while_another_is_not_done)
{
	struct weft_buffer *b = new_buffer(4, 0);
	int item = 1;

	CHECK_EQ(stats_of(b).producers, 1u);
	CHECK_EQ(weft_buffer_attach(b), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_put(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_attach(b), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

TEST(nobody_attaches_to_a_buffer_that_has_ended)
{
	struct weft_buffer *b = new_buffer(4, 2);

	CHECK_EQ(weft_buffer_close(b), 0);
	CHECK_EQ(weft_buffer_attach(b), -EPIPE);
	/* The producers that there were still say so without harm. */
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	weft_buffer_free(b);

	b = new_buffer(4, 2);
	CHECK_EQ(weft_buffer_stop(b), 0);
	CHECK_EQ(weft_buffer_attach(b), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

/* --- a producer that dies --- */

static int return_error(void *arg)
{
	(void)arg;
	return -EDOM;
}

static int exit_task(void *arg)
{
	(void)arg;
	weft_task_exit(-ERANGE);
}

static int exit_thread(void *arg)
{
	(void)arg;
	pthread_exit(NULL);
}

struct mortal {
	struct weft_buffer *b;
	weft_task_fn fn;
	int how, status;
};

static int mortal_main(void *arg)
{
	struct mortal *m = arg;

	m->how = weft_buffer_produce(m->b, m->fn, NULL, &m->status);
	return 0;
}

static void expect_death(weft_task_fn fn, int joined, int how, int status)
{
	struct mortal m = { .b = new_buffer(1, 1), .fn = fn };
	struct weft_task *consumer = testing_spawn(take_main, m.b);
	struct weft_task *producer = testing_spawn(mortal_main, &m);

	CHECK_EQ(testing_join(consumer), -EPIPE);
	CHECK_EQ(testing_join(producer), joined);
	CHECK_EQ(m.how, how);
	CHECK_EQ(m.status, status);
	weft_buffer_free(m.b);
}

TEST(a_producer_that_dies_leaves_no_consumer_waiting)
{
	expect_death(return_error, 0, 0, -EDOM);
	expect_death(exit_task, 0, -ECANCELED, -ERANGE);
	expect_death(exit_thread, -ECANCELED, 0, 0);
	return 0;
}

/* --- close and stop --- */

TEST_MANUAL(close_releases_producers_and_drains)
{
	struct weft_buffer *b = new_buffer(1, 1);
	struct weft_task *blocked;
	int item = 9;

	CHECK_EQ(weft_buffer_put(b, &item, WEFT_FOREVER), 0);
	blocked = testing_spawn(put_main, b);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_buffer_close(b), 0);
	CHECK_EQ(weft_buffer_close(b), -EPIPE);
	CHECK_EQ(testing_join(blocked), -EPIPE);
	item = 0;
	CHECK_EQ(weft_buffer_take(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(item, 9);
	CHECK_EQ(weft_buffer_take(b, &item, WEFT_FOREVER), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

TEST_MANUAL(stop_releases_everyone)
{
	struct weft_buffer *full = new_buffer(1, 1), *empty = new_buffer(1, 1);
	struct weft_task *putter, *taker;
	size_t done;
	int item = 9;

	CHECK_EQ(weft_buffer_put(full, &item, WEFT_FOREVER), 0);
	putter = testing_spawn(put_main, full);
	taker = testing_spawn(take_main, empty);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_buffer_stop(full), 0);
	CHECK_EQ(weft_buffer_stop(empty), 0);
	CHECK_EQ(weft_buffer_stop(empty), 0);
	CHECK_EQ(testing_join(putter), -ECANCELED);
	CHECK_EQ(testing_join(taker), -ECANCELED);
	/* What is left inside is not handed out. */
	CHECK_EQ(weft_buffer_take(full, &item, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_buffer_try_take(full, &item), -ECANCELED);
	CHECK_EQ(weft_buffer_take_many(full, &item, 1, &done, WEFT_FOREVER),
	         -ECANCELED);
	CHECK_EQ(weft_buffer_put(full, &item, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_buffer_try_put(full, &item), -ECANCELED);
	CHECK_EQ(weft_buffer_close(full), -EPIPE);
	weft_buffer_free(full);
	weft_buffer_free(empty);
	return 0;
}

TEST(a_closed_buffer_may_still_be_stopped)
{
	struct weft_buffer *b = new_buffer(1, 1);
	int item = 1;

	CHECK_EQ(weft_buffer_put(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_close(b), 0);
	CHECK_EQ(weft_buffer_stop(b), 0);
	CHECK_EQ(weft_buffer_take(b, &item, WEFT_FOREVER), -ECANCELED);
	weft_buffer_free(b);
	return 0;
}

static int put_for_ever(void *arg)
{
	int item = 0, err;

	do
		err = weft_buffer_put(arg, &item, WEFT_FOREVER);
	while (!err);
	return err;
}

static int take_for_ever(void *arg)
{
	int item, err;

	do
		err = weft_buffer_take(arg, &item, WEFT_FOREVER);
	while (!err);
	return err;
}

TEST(a_buffer_may_be_stopped_at_any_moment)
{
	for (int i = 0; i < STOPS; i++) {
		struct weft_buffer *b = new_buffer(weft_rand() % 3, 2);
		struct weft_task *tasks[4];

		for (int k = 0; k < 4; k++)
			tasks[k] = testing_spawn(
			        k < 2 ? put_for_ever : take_for_ever, b);
		for (uint64_t n = weft_rand() % 2000; n > 0; n--)
			weft_relax();
		CHECK_EQ(weft_buffer_stop(b), 0);
		for (int k = 0; k < 4; k++)
			CHECK_EQ(testing_join(tasks[k]), -ECANCELED);
		weft_buffer_free(b);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_producer_that_is_done_closes),
		cmocka_unit_test(the_end_reaches_every_consumer),
		cmocka_unit_test(
		        a_producer_may_attach_while_another_is_not_done),
		cmocka_unit_test(nobody_attaches_to_a_buffer_that_has_ended),
		cmocka_unit_test(
		        a_producer_that_dies_leaves_no_consumer_waiting),
		cmocka_unit_test(close_releases_producers_and_drains),
		cmocka_unit_test(stop_releases_everyone),
		cmocka_unit_test(a_closed_buffer_may_still_be_stopped),
		cmocka_unit_test(a_buffer_may_be_stopped_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
