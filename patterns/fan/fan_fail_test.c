/* Tests of the fan: items that fail, workers that die, and bad input. */
#include <pthread.h>

#include "fan_testing.h"

#define ITEMS (TESTING_SLOW ? 100 : 400)

/* --- items that fail --- */

/* How an item fails, and what senders and receivers get then. */
struct fault {
	enum { RETURNS, EXITS, ENDS_THREAD } how;
	int with, seen;
};

static const struct fault faults[] = {
	{ RETURNS, -EDOM, -EDOM },
	{ RETURNS, 7, -EINVAL },
	/* What means something else to them. */
	{ RETURNS, -EAGAIN, -EIO },
	{ RETURNS, -ETIMEDOUT, -EIO },
	{ RETURNS, -EPIPE, -EIO },
	{ EXITS, -ERANGE, -ERANGE },
	{ EXITS, -EAGAIN, -EIO },
	{ EXITS, 0, -ECANCELED },
	{ ENDS_THREAD, 0, -ECANCELED },
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

/* Which items fail, and how. */
struct failing {
	const struct fault *fault;
	int every;
};

static int fail_some(const void *in, void *out, unsigned worker, void *arg)
{
	const struct failing *failing = arg;

	if (!is_nth(*(const int *)in, failing->every))
		return pass(in, out, worker, NULL);
	if (failing->fault->how == EXITS)
		weft_task_exit(failing->fault->with);
	if (failing->fault->how == ENDS_THREAD)
		pthread_exit(NULL);
	return failing->fault->with;
}

static void expect_stopped_by(struct shape shape, const struct fault *fault)
{
	struct failing failing = { fault, 6 };
	struct weft_fan *f =
	        new_fan(shape, OPTS(.fn = fail_some, .arg = &failing,
	                            .workers = 3, .cap = 1));
	struct weft_task *sender = testing_spawn(send_main, f);
	struct weft_task *receiver = testing_spawn(recv_main, f);
	int error = fault->seen, item = 5;

	/* The sender never sends the one that fails. */
	CHECK_EQ(weft_fan_send(f, &item, WEFT_FOREVER), 0);
	CHECK_EQ(testing_join(sender), error);
	CHECK_EQ(testing_join(receiver), error);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), error);
	CHECK_EQ(weft_fan_send(f, &item, WEFT_FOREVER), error);
	CHECK_EQ(weft_fan_recv(f, &item, WEFT_FOREVER), error);
	CHECK_EQ(weft_fan_try_send(f, &item), error);
	CHECK_EQ(weft_fan_try_recv(f, &item), error);
	CHECK_EQ(weft_fan_close(f), -EPIPE);
	CHECK_LE(1u, stats_of(f).failed);
	weft_fan_free(f);
}

/* E11: those that wait to send or to receive are told. */
TEST(an_item_that_fails_stops_the_fan)
{
	for (size_t i = 0; i < SHAPES; i++)
		for (size_t k = 0; k < FAULTS; k++)
			expect_stopped_by(shapes[i], &faults[k]);
	return 0;
}

static void expect_passed_over(struct shape shape, const struct fault *fault,
                               int every, size_t batch)
{
	struct failing failing = { fault, every };
	struct weft_fan_stats stats =
	        run_through(shape,
	                    OPTS(.fn = fail_some, .arg = &failing,
	                         .on_error = WEFT_ON_ERROR_SKIP, .batch = batch,
	                         .workers = 3, .cap = 2),
	                    ITEMS, every);
	uint64_t failed = (uint64_t)(ITEMS / every) * copies_of(shape, 3);

	CHECK_EQ(stats.failed, failed);
	CHECK_EQ(stats.replaced, fault->how == ENDS_THREAD ? failed : 0);
}

/* E6: a worker dies; the others finish, it is replaced, and what is in order
 * is not held up by the item that it died of. */
TEST(an_item_that_fails_may_be_passed_over)
{
	for (size_t i = 0; i < SHAPES; i++)
		for (size_t k = 0; k < FAULTS; k++)
			for (size_t batch = 1; batch < 10; batch += 4)
				expect_passed_over(shapes[i], &faults[k], 7,
				                   batch);
	return 0;
}

TEST(every_worker_may_die_of_every_item)
{
	for (size_t i = 0; i < SHAPES; i++)
		expect_passed_over(shapes[i], &faults[FAULTS - 1], 1,
		                   1 + i % 3);
	return 0;
}

/* The channel that items are sent into refuses one of them, and takes it the
 * next time; then it is one of those that copies are sent into. */
static int send_to_the_refused_main(void *arg)
{
	int item = 0, err;

	for (; item < 50; item++)
		CHECK_EQ(weft_fan_send(arg, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_fan_send(arg, &item, WEFT_FOREVER), -ENOMEM);
	do
		err = weft_fan_send(arg, &item, WEFT_FOREVER);
	while (!err);
	return err;
}

/* What is behind the failure is not there, so this is no end. */
TEST(a_broadcast_that_has_no_memory_fails)
{
	struct weft_fan *f =
	        new_fan(dealt(WEFT_FAN_BROADCAST),
	                OPTS(.fn = swallow, .impl = &testing_refuses,
	                     .workers = 3, .cap = 4));
	struct weft_task *receiver = testing_spawn(recv_main, f);
	struct weft_task *sender = testing_spawn(send_to_the_refused_main, f);

	CHECK_EQ(testing_join(sender), -ENOMEM);
	CHECK_EQ(testing_join(receiver), -ENOMEM);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), -ENOMEM);
	weft_fan_free(f);
	return 0;
}

/* --- bad input --- */

TEST(a_fan_that_makes_no_sense_is_refused)
{
#define ONE .fn = pass, .workers = 1
	static const struct weft_fan_opts bad[] = {
		{ .workers = 2 },
		{ .fn = pass },
		{ .fn = pass, .workers = WEFT_FAN_WORKERS_MAX + 1 },
		{ ONE, .deal = (enum weft_fan_deal)9 },
		{ ONE, .merge = (enum weft_fan_merge)9 },
		{ ONE, .on_error = WEFT_ON_ERROR_DRAIN },
		{ ONE, .on_error = (enum weft_on_error)9 },
		{ ONE, .wait = (enum weft_wait)9 },
		{ ONE, .elem_size = WEFT_ELEM_MAX + 1 },
		{ ONE, .deal = WEFT_FAN_BROADCAST, .merge = WEFT_FAN_ORDERED },
		{ ONE, .merge = WEFT_FAN_ORDERED, .window = SIZE_MAX / 2 },
		/* Two receive from one queue; two send their results. */
		{ .fn = pass,
		  .workers = 2,
		  .impl = &testing_one_to_one,
		  .cap = 1 },
		{ .fn = pass,
		  .workers = 2,
		  .impl = &testing_one_to_one,
		  .cap = 1,
		  .deal = WEFT_FAN_ROUND_ROBIN },
		/* It is no rendezvous. */
		{ ONE, .impl = &testing_one_to_one,
		  .deal = WEFT_FAN_ROUND_ROBIN },
	};
#undef ONE
	const struct weft_fan_opts fine = { .fn = pass, .workers = 1 };
	struct weft_fan *f = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(weft_fan_new(&f, &bad[i]), -EINVAL);
		CHECK(f == NULL);
	}
	CHECK_EQ(weft_fan_new(NULL, &fine), -EINVAL);
	CHECK_EQ(weft_fan_new(&f, NULL), -EINVAL);
	return 0;
}

TEST(no_items_and_no_fan_are_refused)
{
	struct weft_fan *f =
	        new_fan(dealt(WEFT_FAN_SHARED), OPTS(.workers = 1));
	struct weft_fan_worker_stats worker;
	int v = 0;

	CHECK_EQ(weft_fan_try_send(NULL, &v), -EINVAL);
	CHECK_EQ(weft_fan_try_recv(NULL, &v), -EINVAL);
	CHECK_EQ(weft_fan_send(f, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_fan_recv(f, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_fan_worker_stats(NULL, 0, &worker), -EINVAL);
	CHECK_EQ(weft_fan_worker_stats(f, 1, &worker), -EINVAL);
	CHECK_EQ(weft_fan_worker_stats(f, 0, NULL), -EINVAL);
	weft_fan_free(f);
	return 0;
}
