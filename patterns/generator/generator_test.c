/*
 * Tests of the generator: bodies, how they end and fail, and who may call.
 *
 * E1 to E9 here and in the files beside this one are the edge cases that every
 * generator has: the end (E1), stop (E2, E3), failure (E4), calls from within
 * (E5), laziness (E6), take (E7, E9), release of whoever waits (E8).
 */
#include <pthread.h>

#include <weft/sync.h>

#include "generator_testing.h"

/* --- the end --- */

/* E1 */
static void expect_empty(struct weft_gen *g)
{
	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), 0);
	weft_gen_free(g);
}

TEST(a_stream_of_nothing_is_at_its_end_for_every_next)
{
	struct counting none = { .n = 0 };
	struct weft_gen *g;

	expect_empty(new_counting(&none, false));
	expect_empty(new_counting(&none, true));
	CHECK_EQ(weft_gen_array(&g, NULL, 0, sizeof(int)), 0);
	expect_empty(g);
	CHECK_EQ(weft_gen_array(&g, NULL, 0, sizeof(int)), 0);
	expect_empty(ahead(map(take(g, 3), add_one, NULL), 1));
	return 0;
}

TEST(the_end_comes_behind_the_last_element)
{
	for (int form = 0; form < 2; form++) {
		struct counting c = { .n = 3 };
		struct weft_gen *g = new_counting(&c, form);

		for (int i = 0; i < 3; i++)
			CHECK_EQ(next_int(g), i);
		expect_empty(g);
		CHECK_EQ(weft_load_relaxed(&c.runs), 1);
	}
	return 0;
}

TEST(a_body_that_returns_the_end_of_another_stream_is_at_its_own)
{
	struct counting c = { .n = 2, .result = -EPIPE };
	struct weft_gen *g = new_counting(&c, false);

	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(next_int(g), 1);
	expect_empty(g);
	return 0;
}

/* E2 and E3: three elements, stopped behind `taken` of them, three times. */
static void stop_behind(int taken, bool on_demand)
{
	struct counting c = { .n = 3 };
	struct weft_gen *g = new_counting(&c, on_demand);
	int i;

	for (i = 0; i < taken && i < 3; i++)
		CHECK_EQ(next_int(g), i);
	if (taken > 3)
		CHECK_EQ(next_err(g), -EPIPE);
	for (i = 0; i < 3; i++)
		CHECK_EQ(weft_gen_stop(g), 0);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), taken > 3 ? 0 : -ECANCELED);
	/* A body that nobody has asked has not been called. */
	if (on_demand)
		CHECK_EQ(weft_load_relaxed(&c.made), taken < 3 ? taken : 3);
	for (i = 0; i < 3; i++)
		CHECK_EQ(next_err(g), taken > 3 ? -EPIPE : -ECANCELED);
	weft_gen_free(g);
}

TEST(stop_is_welcome_before_the_first_next_in_the_midst_and_after_the_end)
{
	for (int taken = 0; taken <= 4; taken++) {
		stop_behind(taken, false);
		stop_behind(taken, true);
	}
	return 0;
}

/* --- failure: E4 --- */

enum fault {
	RETURN_ERROR,
	RETURN_NONSENSE,
	RETURN_TIMEOUT,
	EXIT_TASK,
	EXIT_WELL,
	EXIT_THREAD
};

static int fault_now(enum fault fault)
{
	switch (fault) {
	case RETURN_ERROR:
		return -EIO;
	case RETURN_NONSENSE:
		return 7;
	case RETURN_TIMEOUT:
		return -ETIMEDOUT;
	case EXIT_TASK:
		weft_task_exit(-ERANGE);
	case EXIT_WELL:
		weft_task_exit(0);
	case EXIT_THREAD:
		pthread_exit(NULL);
	}
	return 0;
}

static int failing_body(struct weft_gen *g, void *arg)
{
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_gen_yield(g, &i), 0);
	return fault_now(*(enum fault *)arg);
}

static const struct {
	enum fault fault;
	int error;
} faults[] = {
	{ RETURN_ERROR, -EIO },    { RETURN_NONSENSE, -EINVAL },
	{ RETURN_TIMEOUT, -EIO },  { EXIT_TASK, -ERANGE },
	{ EXIT_WELL, -ECANCELED }, { EXIT_THREAD, -ECANCELED },
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

/* Its error comes behind the elements, and stays. */
static void expect_failure(struct weft_gen *g, int error)
{
	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(next_int(g), 1);
	CHECK_EQ(next_err(g), error);
	CHECK_EQ(next_err(g), error);
	CHECK_EQ(weft_gen_stop(g), 0);
	CHECK_EQ(next_err(g), error);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), error);
	weft_gen_free(g);
}

TEST(the_failure_of_a_body_comes_behind_its_elements)
{
	for (size_t i = 0; i < FAULTS; i++)
		for (int form = 0; form < 4; form++) {
			enum fault fault = faults[i].fault;
			struct weft_gen_opts opts = { .on_demand = form & 1,
				                      .cap = form & 2 };

			expect_failure(new_gen(failing_body, &fault, opts),
			               faults[i].error);
		}
	return 0;
}

TEST(a_failure_passes_through_adapters)
{
	enum fault fault = RETURN_ERROR;
	struct weft_gen_opts none = { .cap = 0 };

	expect_failure(take(new_gen(failing_body, &fault, none), 9), -EIO);
	expect_failure(ahead(new_gen(failing_body, &fault, none), 0), -EIO);
	expect_failure(ahead(take(new_gen(failing_body, &fault, none), 9), 2),
	               -EIO);
	return 0;
}

TEST(an_input_that_failed_is_not_one_that_has_ended)
{
	enum fault fault = RETURN_ERROR;
	struct counting c = { .n = -1 };
	struct weft_gen *in[2], *g;

	in[0] = new_gen(failing_body, &fault, (struct weft_gen_opts){ 0 });
	in[1] = new_counting(&c, true);
	CHECK_EQ(weft_gen_chain(&g, in, 2), 0);
	expect_failure(g, -EIO);
	/* The other one was stopped, instead of being next. */
	CHECK_EQ(weft_load_relaxed(&c.runs), 0);
	return 0;
}

TEST(join_tells_of_a_failure_that_nobody_waited_for)
{
	enum fault fault = RETURN_ERROR;
	struct weft_gen *g =
	        new_gen(failing_body, &fault, (struct weft_gen_opts){ 0 });

	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(next_int(g), 1);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), -EIO);
	/* The stop comes before it. */
	CHECK_EQ(weft_gen_stop(g), 0);
	CHECK_EQ(next_err(g), -ECANCELED);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), -ECANCELED);
	weft_gen_free(g);
	return 0;
}

/* Cannot clean up behind a stop. */
static int messy_body(struct weft_gen *g, void *arg)
{
	return counting_body(g, arg) == -ECANCELED ? -ENOSPC : 0;
}

TEST(what_a_body_makes_of_a_stop_is_no_failure_but_an_error_is)
{
	struct counting c = { .n = -1 };
	struct weft_gen *g = new_counting(&c, false);

	g = take(g, 1);
	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), 0);
	CHECK_EQ(weft_load_relaxed(&c.yields), -ECANCELED);
	weft_gen_free(g);

	g = take(new_gen(messy_body, &c, (struct weft_gen_opts){ 0 }), 1);
	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), -ENOSPC);
	CHECK_EQ(next_err(g), -EPIPE);
	weft_gen_free(g);
	return 0;
}

/* --- who may call: E5 --- */

/* What a body is told that asks the stream it is making. */
struct asking {
	struct weft_gen *outer; /* NULL: g itself */
	_Atomic bool ready;     /* outer is set */
	int err, join_err;
};

static int asking_body(struct weft_gen *g, void *arg)
{
	struct asking *a = arg;
	struct weft_gen *outer;
	int v = 0;

	while (!weft_load_acquire(&a->ready))
		weft_yield();
	outer = a->outer ? a->outer : g;
	a->err = weft_gen_next(outer, &v, WEFT_FOREVER);
	a->join_err = weft_gen_join(outer, WEFT_FOREVER);
	return weft_gen_yield(g, &v);
}

static void ready(struct asking *a, struct weft_gen *outer)
{
	a->outer = outer;
	weft_store_release(&a->ready, true);
}

TEST(a_body_that_asks_its_own_stream_is_told_so)
{
	for (int form = 0; form < 2; form++) {
		struct asking a = { .outer = NULL };
		struct weft_gen_opts opts = { .on_demand = form };
		struct weft_gen *g = new_gen(asking_body, &a, opts);

		ready(&a, NULL);
		CHECK_EQ(next_int(g), 0);
		CHECK_EQ(a.err, -EDEADLK);
		CHECK_EQ(a.join_err, -EDEADLK);
		CHECK_EQ(next_err(g), -EPIPE);
		weft_gen_free(g);
	}
	return 0;
}

TEST(a_body_that_asks_what_is_made_of_its_stream_is_told_so)
{
	struct asking a = { .outer = NULL };
	struct weft_gen *g =
	        new_gen(asking_body, &a, (struct weft_gen_opts){ 0 });

	g = take(ahead(map(g, add_one, NULL), 0), 5);
	ready(&a, g);
	CHECK_EQ(next_int(g), 1);
	CHECK_EQ(a.err, -EDEADLK);
	CHECK_EQ(a.join_err, -EDEADLK);
	weft_gen_free(g);
	return 0;
}

static int ask_from_within(const void *in, void *out, void *arg)
{
	struct asking *a = arg;

	a->err = weft_gen_next(a->outer, out, WEFT_FOREVER);
	memcpy(out, in, sizeof(int));
	return 0;
}

TEST(a_function_that_asks_its_own_stream_is_told_so)
{
	_Atomic int made = 0;
	struct asking a = { .outer = NULL };
	struct weft_gen *g = map(counting_calls(&made), ask_from_within, &a);

	a.outer = g;
	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(a.err, -EDEADLK);
	CHECK_EQ(next_int(g), 1);
	weft_gen_free(g);
	return 0;
}

static int idle_body(struct weft_gen *g, void *arg)
{
	(void)g;
	return weft_waitgroup_wait(arg, WEFT_FOREVER);
}

TEST_MANUAL(there_is_one_consumer_at_a_time)
{
	struct weft_waitgroup gate;
	struct weft_task *first;
	struct weft_gen *g;

	weft_waitgroup_init(&gate);
	weft_waitgroup_add(&gate, 1);
	g = new_gen(idle_body, &gate, (struct weft_gen_opts){ 0 });
	first = testing_spawn(next_main, g);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(next_err(g), -EBUSY);
	weft_waitgroup_done(&gate);
	CHECK_EQ(testing_join(first), -EPIPE);
	CHECK_EQ(next_err(g), -EPIPE);
	weft_gen_free(g);
	return 0;
}

TEST(consumers_may_take_turns)
{
	struct counting c = { .n = -1 };
	struct weft_gen *g = ahead(new_counting(&c, true), 1);

	for (int i = 0; i < 20; i++)
		CHECK_EQ(testing_join(testing_spawn(next_value_main, g)), i);
	weft_gen_free(g);
	return 0;
}

static int yield_main(void *arg)
{
	int v = 0;

	return weft_gen_yield(arg, &v);
}

/* Lets another task yield for it. */
static int delegating_body(struct weft_gen *g, void *arg)
{
	*(int *)arg = testing_join(testing_spawn(yield_main, g));
	return 0;
}

TEST(only_the_body_yields_and_only_until_it_has_ended)
{
	struct counting c = { .n = 1 };
	struct weft_gen *g = new_counting(&c, false);
	int v = 0, err = 0;

	CHECK_EQ(weft_gen_yield(g, &v), -EPERM);
	CHECK_EQ(weft_gen_wanted(g), 0u);
	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), 0);
	/* The record of the body's task may be this one's now. */
	CHECK_EQ(testing_join(testing_spawn(yield_main, g)), -EPERM);
	weft_gen_free(g);

	g = new_gen(delegating_body, &err, (struct weft_gen_opts){ 0 });
	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(err, -EPERM);
	weft_gen_free(g);

	CHECK_EQ(weft_gen_range(&g, 0, 5, 1), 0);
	CHECK_EQ(weft_gen_yield(g, &v), -EPERM);
	weft_gen_free(g);
	return 0;
}

/* --- elements --- */

struct wide {
	int number;
	char rest[1000];
};

static int wide_body(struct weft_gen *g, void *arg)
{
	struct wide w;
	int err = 0;

	(void)arg;
	for (w.number = 0; w.number < 20 && !err; w.number++) {
		memset(w.rest, w.number, sizeof(w.rest));
		err = weft_gen_yield(g, &w);
	}
	return err;
}

TEST(elements_may_be_wide)
{
	struct weft_gen *g;
	struct wide w;

	CHECK_EQ(weft_gen_new(&g, sizeof(w), wide_body, NULL, NULL), 0);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(weft_gen_next(g, &w, WEFT_FOREVER), 0);
		CHECK_EQ(w.number, i);
		CHECK_EQ(w.rest[0], i);
		CHECK_EQ(w.rest[999], i);
	}
	weft_gen_free(g);
	return 0;
}

static int ticking_body(struct weft_gen *g, void *arg)
{
	int err = 0;

	(void)arg;
	for (int i = 0; i < 10 && !err; i++)
		err = weft_gen_yield_many(g, NULL, 2);
	return err;
}

TEST(elements_may_be_of_no_bytes)
{
	for (size_t batch = 1; batch < 4; batch++) {
		struct weft_gen_opts opts = { .cap = 3, .batch = batch };
		struct weft_gen *g;

		CHECK_EQ(weft_gen_new(&g, 0, ticking_body, NULL, &opts), 0);
		CHECK_EQ(weft_gen_take(&g, g, 15), 0);
		for (int i = 0; i < 15; i++)
			CHECK_EQ(weft_gen_next(g, NULL, WEFT_FOREVER), 0);
		CHECK_EQ(weft_gen_next(g, NULL, WEFT_FOREVER), -EPIPE);
		weft_gen_free(g);
	}
	return 0;
}

/* --- bad input --- */

static int refused(size_t elem_size, weft_gen_body body,
                   struct weft_gen_opts opts)
{
	struct counting c = { .n = 1 };
	struct weft_gen *g = NULL;
	int err = weft_gen_new(&g, elem_size, body, &c, &opts);

	CHECK(err != 0);
	CHECK(g == NULL);
	CHECK_EQ(weft_load_relaxed(&c.runs), 0);
	return err;
}

TEST(a_generator_that_makes_no_sense_is_refused)
{
	struct weft_gen_opts opts = { .cap = 0 };

	CHECK_EQ(weft_gen_new(NULL, 4, counting_body, NULL, NULL), -EINVAL);
	CHECK_EQ(refused(4, NULL, opts), -EINVAL);
	CHECK_EQ(refused(WEFT_ELEM_MAX + 1, counting_body, opts), -EINVAL);
	opts.wait = (enum weft_wait)9;
	CHECK_EQ(refused(4, counting_body, opts), -EINVAL);
	/* What the channel cannot do: no capacity; any capacity. */
	opts = (struct weft_gen_opts){ .impl = &testing_one_to_one };
	CHECK_EQ(refused(4, counting_body, opts), -EINVAL);
	opts.impl = weft_chan_impl_find("list");
	opts.cap = 8;
	CHECK_EQ(refused(4, counting_body, opts), -EINVAL);
	opts = (struct weft_gen_opts){ .batch = SIZE_MAX / 2 };
	CHECK_EQ(refused(4, counting_body, opts), -ENOMEM);
	return 0;
}

static void outside_of_a_run_nothing_is_left_behind(void **state)
{
	struct testing_held before = testing_held();

	(void)state;
	/* Everything is made before the task is refused. */
	assert_int_equal(
	        refused(4, counting_body, (struct weft_gen_opts){ .cap = 4 }),
	        -EINVAL);
	assert_int_equal(testing_held_still(before), 0);
}

static int yields_nothing(struct weft_gen *g, void *arg)
{
	int v = 0, *errs = arg;

	errs[0] = weft_gen_yield(NULL, &v);
	errs[1] = weft_gen_yield(g, NULL);
	errs[2] = weft_gen_yield_many(g, NULL, 1);
	errs[3] = weft_gen_yield_many(g, NULL, 0);
	return 0;
}

TEST(what_is_needed_may_not_be_missing)
{
	struct counting c = { .n = 1 };
	struct weft_gen *g = new_counting(&c, false);
	int errs[4];

	CHECK_EQ(weft_gen_next(g, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_gen_set_drop(NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_gen_wanted(NULL), 0u);
	weft_gen_free(g);

	g = new_gen(yields_nothing, errs, (struct weft_gen_opts){ 0 });
	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(errs[0], -EINVAL);
	CHECK_EQ(errs[1], -EINVAL);
	CHECK_EQ(errs[2], -EINVAL);
	CHECK_EQ(errs[3], 0);
	weft_gen_free(g);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        a_stream_of_nothing_is_at_its_end_for_every_next),
		cmocka_unit_test(the_end_comes_behind_the_last_element),
		cmocka_unit_test(
		        a_body_that_returns_the_end_of_another_stream_is_at_its_own),
		cmocka_unit_test(
		        stop_is_welcome_before_the_first_next_in_the_midst_and_after_the_end),
		cmocka_unit_test(
		        the_failure_of_a_body_comes_behind_its_elements),
		cmocka_unit_test(a_failure_passes_through_adapters),
		cmocka_unit_test(
		        an_input_that_failed_is_not_one_that_has_ended),
		cmocka_unit_test(
		        join_tells_of_a_failure_that_nobody_waited_for),
		cmocka_unit_test(
		        what_a_body_makes_of_a_stop_is_no_failure_but_an_error_is),
		cmocka_unit_test(a_body_that_asks_its_own_stream_is_told_so),
		cmocka_unit_test(
		        a_body_that_asks_what_is_made_of_its_stream_is_told_so),
		cmocka_unit_test(
		        a_function_that_asks_its_own_stream_is_told_so),
		cmocka_unit_test(there_is_one_consumer_at_a_time),
		cmocka_unit_test(consumers_may_take_turns),
		cmocka_unit_test(
		        only_the_body_yields_and_only_until_it_has_ended),
		cmocka_unit_test(elements_may_be_wide),
		cmocka_unit_test(elements_may_be_of_no_bytes),
		cmocka_unit_test(a_generator_that_makes_no_sense_is_refused),
		cmocka_unit_test(what_is_needed_may_not_be_missing),
		cmocka_unit_test(outside_of_a_run_nothing_is_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
