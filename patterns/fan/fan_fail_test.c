/* Tests of the fan: items that fail, workers that die, and bad input. */
#include <pthread.h>

#include "fan_testing.h"

#define ITEMS (TESTING_SLOW ? 100 : 400)

/* --- items that fail --- */

enum fault {
	RETURN_ERROR,
	RETURN_NONSENSE,
	/* What means something else to senders and receivers. */
	RETURN_AGAIN,
	RETURN_TIMEOUT,
	RETURN_PIPE,
	EXIT_TASK,
	EXIT_AGAIN,
	EXIT_WELL,
	EXIT_THREAD,
};

/* Which items fail, and how. */
struct failing {
	enum fault fault;
	int every;
};

static int fail_now(enum fault fault)
{
	switch (fault) {
	case RETURN_ERROR:
		return -EDOM;
	case RETURN_NONSENSE:
		return 7;
	case RETURN_AGAIN:
		return -EAGAIN;
	case RETURN_TIMEOUT:
		return -ETIMEDOUT;
	case RETURN_PIPE:
		return -EPIPE;
	case EXIT_TASK:
		weft_task_exit(-ERANGE);
	case EXIT_AGAIN:
		weft_task_exit(-EAGAIN);
	case EXIT_WELL:
		weft_task_exit(0);
	case EXIT_THREAD:
		pthread_exit(NULL);
	}
	return 0;
}

static int fail_some(const void *in, void *out, unsigned worker, void *arg)
{
	const struct failing *failing = arg;

	if (*(const int *)in % failing->every == failing->every - 1)
		return fail_now(failing->fault);
	return pass(in, out, worker, NULL);
}

static const int error_of[] = {
	[RETURN_ERROR] = -EDOM,     [RETURN_NONSENSE] = -EINVAL,
	[RETURN_AGAIN] = -EIO,      [RETURN_TIMEOUT] = -EIO,
	[RETURN_PIPE] = -EIO,       [EXIT_TASK] = -ERANGE,
	[EXIT_AGAIN] = -EIO,        [EXIT_WELL] = -ECANCELED,
	[EXIT_THREAD] = -ECANCELED,
};

static void expect_stopped_by(struct shape shape, enum fault fault)
{
	struct failing failing = { fault, 6 };
	struct weft_fan *f =
	        new_fan(shape, (struct weft_fan_opts){ .fn = fail_some,
	                                               .arg = &failing,
	                                               .workers = 3,
	                                               .cap = 1 });
	struct weft_task *sender = testing_spawn(send_main, f);
	struct weft_task *receiver = testing_spawn(recv_main, f);
	int error = error_of[fault], item = 5;

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
		for (int fault = 0; fault <= EXIT_THREAD; fault++)
			expect_stopped_by(shapes[i], (enum fault)fault);
	return 0;
}

/* Every result that there should be, once, in order if that is promised. */
static void expect_others(struct weft_fan *f, struct shape shape, int every,
                          unsigned copies)
{
	unsigned char seen[ITEMS] = { 0 };
	int result, last = -1, err;

	while (!(err = weft_fan_recv(f, &result, WEFT_FOREVER))) {
		CHECK(0 <= result && result < ITEMS);
		seen[result]++;
		if (shape.merge == WEFT_FAN_ORDERED)
			CHECK_LT(last, result);
		last = result;
	}
	CHECK_EQ(err, -EPIPE);
	for (int i = 0; i < ITEMS; i++)
		CHECK_EQ(seen[i], i % every == every - 1 ? 0u : copies);
}

static void expect_passed_over(struct shape shape, enum fault fault, int every,
                               size_t batch)
{
	struct failing failing = { fault, every };
	struct weft_fan *f = new_fan(
	        shape, (struct weft_fan_opts){ .fn = fail_some,
	                                       .arg = &failing,
	                                       .on_error = WEFT_ON_ERROR_SKIP,
	                                       .batch = batch,
	                                       .workers = 3,
	                                       .cap = 2 });
	struct source source = { f, 0, ITEMS, true };
	struct weft_task *t = testing_spawn(source_main, &source);
	unsigned copies = shape.deal == WEFT_FAN_BROADCAST ? 3 : 1;
	uint64_t failed = (uint64_t)(ITEMS / every) * copies;

	expect_others(f, shape, every, copies);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
	CHECK_EQ(stats_of(f).failed, failed);
	CHECK_EQ(stats_of(f).in, (uint64_t)ITEMS * copies);
	CHECK_EQ(stats_of(f).replaced, fault == EXIT_THREAD ? failed : 0);
	weft_fan_free(f);
}

/* E6: a worker dies; the others finish, it is replaced, and what is in order
 * is not held up by the item that it died of. */
TEST(an_item_that_fails_may_be_passed_over)
{
	for (size_t i = 0; i < SHAPES; i++)
		for (int fault = 0; fault <= EXIT_THREAD; fault++)
			for (size_t batch = 1; batch < 10; batch += 4)
				expect_passed_over(shapes[i], (enum fault)fault,
				                   7, batch);
	return 0;
}

TEST(every_worker_may_die_of_every_item)
{
	for (size_t i = 0; i < SHAPES; i++)
		expect_passed_over(shapes[i], EXIT_THREAD, 1, 1 + i % 3);
	return 0;
}

static int swallow(const void *in, void *out, unsigned worker, void *arg)
{
	(void)in;
	(void)out;
	(void)worker;
	(void)arg;
	return WEFT_SKIP;
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
	struct weft_fan *f = new_fan(
	        (struct shape){ WEFT_FAN_BROADCAST, WEFT_FAN_UNORDERED },
	        (struct weft_fan_opts){ .fn = swallow,
	                                .impl = &testing_refuses,
	                                .workers = 3,
	                                .cap = 4 });
	struct weft_task *receiver = testing_spawn(recv_main, f);
	struct weft_task *sender = testing_spawn(send_to_the_refused_main, f);

	CHECK_EQ(testing_join(sender), -ENOMEM);
	CHECK_EQ(testing_join(receiver), -ENOMEM);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), -ENOMEM);
	weft_fan_free(f);
	return 0;
}

/* --- bad input --- */

static int refused(struct weft_fan_opts opts)
{
	struct weft_fan *f = NULL;
	int err = weft_fan_new(&f, &opts);

	CHECK(f == NULL);
	return err;
}

TEST(a_fan_that_makes_no_sense_is_refused)
{
	const struct weft_fan_opts fine = { .fn = pass, .workers = 1 };
	const struct weft_fan_opts bad[] = {
		{ .workers = 2 },
		{ .fn = pass },
		{ .fn = pass, .workers = WEFT_FAN_WORKERS_MAX + 1 },
		{ .fn = pass, .workers = 1, .deal = (enum weft_fan_deal)9 },
		{ .fn = pass, .workers = 1, .merge = (enum weft_fan_merge)9 },
		{ .fn = pass, .workers = 1, .on_error = WEFT_ON_ERROR_DRAIN },
		{ .fn = pass, .workers = 1, .on_error = (enum weft_on_error)9 },
		{ .fn = pass, .workers = 1, .wait = (enum weft_wait)9 },
		{ .fn = pass, .workers = 1, .elem_size = WEFT_ELEM_MAX + 1 },
		{ .fn = pass,
		  .workers = 1,
		  .deal = WEFT_FAN_BROADCAST,
		  .merge = WEFT_FAN_ORDERED },
		{ .fn = pass,
		  .workers = 1,
		  .merge = WEFT_FAN_ORDERED,
		  .window = SIZE_MAX / 2 },
	};
	struct weft_fan *f;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(refused(bad[i]), -EINVAL);
	CHECK_EQ(weft_fan_new(NULL, &fine), -EINVAL);
	CHECK_EQ(weft_fan_new(&f, NULL), -EINVAL);
	return 0;
}

TEST(an_implementation_that_cannot_is_refused)
{
	struct weft_fan_opts opts = {
		.fn = pass, .impl = &testing_one_to_one, .workers = 2, .cap = 1
	};

	/* Two receive from one queue; two send their results. */
	CHECK_EQ(refused(opts), -EINVAL);
	opts.deal = WEFT_FAN_ROUND_ROBIN;
	CHECK_EQ(refused(opts), -EINVAL);
	opts.workers = 1;
	opts.cap = 0; /* no rendezvous */
	CHECK_EQ(refused(opts), -EINVAL);
	return 0;
}

TEST(no_items_and_no_fan_are_refused)
{
	struct weft_fan *f = new_fan(shared, (struct weft_fan_opts){ 0 });
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_item_that_fails_stops_the_fan),
		cmocka_unit_test(an_item_that_fails_may_be_passed_over),
		cmocka_unit_test(every_worker_may_die_of_every_item),
		cmocka_unit_test(a_broadcast_that_has_no_memory_fails),
		cmocka_unit_test(a_fan_that_makes_no_sense_is_refused),
		cmocka_unit_test(an_implementation_that_cannot_is_refused),
		cmocka_unit_test(no_items_and_no_fan_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
