/*
 * Tests of the generator: bodies, how they end and fail, and who may call.
 *
 * E1 to E9 here and in the files beside this one are the edge cases that every
 * generator has: the end (E1), stop (E2, E3), failure (E4), calls from within
 * (E5), laziness (E6), take (E7, E9), release of the waiters (E8).
 */
#include <pthread.h>

#include "generator_testing.h"

/* --- the end --- */

/* E1: for every next, and of a stream of nothing at once. */
TEST(the_end_comes_behind_the_last_element)
{
	struct weft_gen *g;

	for (int form = 0; form < 4; form++) {
		struct counting c = { .n = form & 2 ? 3 : 0 };

		expect_ints(new_counting(&c, form & 1), 0, c.n, -EPIPE);
		CHECK_EQ(weft_load_relaxed(&c.runs), 1);
	}
	CHECK_EQ(weft_gen_array(&g, NULL, 0, sizeof(int)), 0);
	expect_end(g, -EPIPE);
	expect_end(ahead(map(take(ints(0), 3), add_one, NULL), 1), -EPIPE);
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
	expect_end(g, taken > 3 ? -EPIPE : -ECANCELED);
	/* A body that nobody has asked has not been called. */
	if (on_demand)
		CHECK_EQ(weft_load_relaxed(&c.made), taken < 3 ? taken : 3);
}

TEST(stop_is_welcome_before_the_first_next_in_the_midst_and_after_the_end)
{
	for (int form = 0; form < 2 * 5; form++)
		stop_behind(form / 2, form % 2);
	return 0;
}

/* --- failure: E4 --- */

/* How a body or a function ends behind two elements. */
struct fault {
	enum { RETURN, EXIT_TASK, EXIT_THREAD } by;
	int status, error; /* of it; what the consumer gets */
	int calls;         /* of call_until_two() */
};

static struct fault faults[] = {
	{ RETURN, -EPIPE, -EPIPE, 0 },
	{ RETURN, -EIO, -EIO, 0 },
	{ RETURN, 7, -EINVAL, 0 },
	/* That would look like the deadline of the call. */
	{ RETURN, -ETIMEDOUT, -EIO, 0 },
	{ EXIT_TASK, -ERANGE, -ERANGE, 0 },
	{ EXIT_TASK, 0, -ECANCELED, 0 },
	{ EXIT_THREAD, 0, -ECANCELED, 0 },
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

static struct fault *const io_error = &faults[1];

static int fault_now(const struct fault *f)
{
	if (f->by == EXIT_TASK)
		weft_task_exit(f->status);
	if (f->by == EXIT_THREAD)
		pthread_exit(NULL);
	return f->status;
}

static int body_until_two(struct weft_gen *g, void *arg)
{
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_gen_yield(g, &i), 0);
	return fault_now(arg);
}

static int map_until_two(const void *in, void *out, void *arg)
{
	memcpy(out, in, sizeof(int));
	return *(const int *)in == 2 ? fault_now(arg) : 0;
}

static int keep_until_two(const void *elem, void *arg)
{
	return *(const int *)elem == 2 ? fault_now(arg) : 1;
}

static int call_until_two(void *elem, void *arg)
{
	struct fault *f = arg;

	*(int *)elem = f->calls++;
	return f->calls == 3 ? fault_now(f) : 0;
}

static struct weft_gen *failing_body(struct fault *f, size_t cap,
                                     bool on_demand)
{
	return new_gen(
	        body_until_two, f,
	        (struct weft_gen_opts){ .cap = cap, .on_demand = on_demand });
}

static void expect_fault(struct weft_gen *g, const struct fault *f)
{
	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(next_int(g), 1);
	/* A function that exits its thread takes the consumer with it. */
	if (f->by == EXIT_THREAD)
		CHECK_EQ(testing_join(testing_spawn(next_main, g)), f->error);
	expect_end(g, f->error);
}

static void all_fail(struct fault *f)
{
	struct weft_gen *streams[] = {
		failing_body(f, 0, false),
		failing_body(f, 0, true),
		failing_body(f, 2, false),
		failing_body(f, 2, true),
		take(failing_body(f, 0, false), 9),
		ahead(failing_body(f, 0, false), 0),
		ahead(take(failing_body(f, 0, false), 9), 2),
		/* Functions end the stream, and not the consumer. */
		map(endless(false), map_until_two, f),
		map(endless(true), map_until_two, f),
		take(filter(endless(false), keep_until_two, f), 9),
		take(filter(endless(true), keep_until_two, f), 9),
		calls(call_until_two, f),
		/* In a task of its own. */
		ahead(map(endless(false), map_until_two, f), 0),
	};

	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		expect_fault(streams[i], f);
	/* It is not called again. */
	CHECK_EQ(f->calls, 3);
}

TEST(a_failure_comes_behind_the_elements_and_stays)
{
	for (size_t i = 0; i < FAULTS; i++)
		all_fail(&faults[i]);
	return 0;
}

TEST(a_task_that_ends_ends_what_is_upstream_before_anyone_asks)
{
	for (size_t i = 0; i < FAULTS; i++) {
		int error = faults[i].error;
		/* A generator without a task, and bodies behind it. */
		struct weft_gen *g = take(ahead(endless(false), 0), 9);

		g = ahead(map(g, map_until_two, &faults[i]), 0);
		CHECK_EQ(next_int(g), 0);
		CHECK_EQ(next_int(g), 1);
		CHECK_EQ(weft_gen_join(g, weft_deadline_in(20 * WEFT_SEC)),
		         error == -EPIPE ? 0 : error);
		expect_end(g, error);
	}
	return 0;
}

TEST(an_input_that_failed_is_not_one_that_has_ended)
{
	struct counting c = { .n = -1 };
	struct weft_gen *in[2] = { failing_body(io_error, 0, false),
		                   new_counting(&c, true) };
	struct weft_gen *g;

	CHECK_EQ(weft_gen_chain(&g, in, 2), 0);
	expect_fault(g, io_error);
	/* The other one was stopped, instead of being next. */
	CHECK_EQ(weft_load_relaxed(&c.runs), 0);
	return 0;
}

TEST(join_tells_of_a_failure_that_nobody_waited_for)
{
	struct weft_gen *g = failing_body(io_error, 0, false);

	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(next_int(g), 1);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), -EIO);
	/* The stop comes before it. */
	CHECK_EQ(weft_gen_stop(g), 0);
	expect_end(g, -ECANCELED);
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
	struct weft_gen *g = take(new_counting(&c, false), 1);

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

struct asked {
	_Atomic(struct weft_gen *) stream; /* NULL: not yet made */
};

/* Asks the stream that it is making. */
static int asking_body(struct weft_gen *g, void *arg)
{
	struct asked *a = arg;
	struct weft_gen *stream;
	int v = 0;

	while (!(stream = weft_load_acquire(&a->stream)))
		weft_yield();
	CHECK_EQ(weft_gen_next(stream, &v, WEFT_FOREVER), -EDEADLK);
	CHECK_EQ(weft_gen_join(stream, WEFT_FOREVER), -EDEADLK);
	return weft_gen_yield(g, &v);
}

/* Its own stream, in both forms, and what is made of it. */
TEST(a_body_that_asks_its_own_stream_is_told_so)
{
	for (int form = 0; form < 3; form++) {
		const struct weft_gen_opts opts = { .on_demand = form & 1 };
		struct asked a = { .stream = NULL };
		struct weft_gen *g = new_gen(asking_body, &a, opts);

		if (form == 2)
			g = take(ahead(map(g, add_one, NULL), 0), 5);
		weft_store_release(&a.stream, g);
		expect_ints(g, form == 2, 1, -EPIPE);
	}
	return 0;
}

static int ask_from_within(const void *in, void *out, void *arg)
{
	struct weft_gen **stream = arg;

	CHECK_EQ(weft_gen_next(*stream, out, WEFT_FOREVER), -EDEADLK);
	memcpy(out, in, sizeof(int));
	return 0;
}

TEST(a_function_that_asks_its_own_stream_is_told_so)
{
	struct weft_gen *g;

	g = map(ints(2), ask_from_within, &g);
	expect_ints(g, 0, 2, -EPIPE);
	return 0;
}

TEST_MANUAL(there_is_one_consumer_at_a_time)
{
	struct counting c = { .n = 1, .pause_ns = WEFT_SEC };
	struct weft_gen *g = new_counting(&c, false);
	struct weft_task *first = testing_spawn(next_main, g);

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(next_err(g), -EBUSY);
	testing_pass(WEFT_SEC);
	CHECK_EQ(testing_join(first), 0);
	expect_end(g, -EPIPE);
	return 0;
}

TEST(consumers_may_take_turns)
{
	struct weft_gen *g = ahead(endless(true), 1);

	for (int i = 0; i < 20; i++)
		CHECK_EQ(testing_join(testing_spawn(next_main, g)), i);
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
	(void)arg;
	CHECK_EQ(testing_join(testing_spawn(yield_main, g)), -EPERM);
	return 0;
}

TEST(only_the_body_yields_and_only_until_it_has_ended)
{
	struct counting c = { .n = 1 };
	struct weft_gen *g = new_counting(&c, false);

	CHECK_EQ(yield_main(g), -EPERM);
	CHECK_EQ(weft_gen_wanted(g), 0u);
	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(next_err(g), -EPIPE);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), 0);
	/* The record of the body's task may be this one's now. */
	CHECK_EQ(testing_join(testing_spawn(yield_main, g)), -EPERM);
	weft_gen_free(g);

	expect_end(new_gen(delegating_body, NULL, (struct weft_gen_opts){ 0 }),
	           -EPIPE);

	g = ints(5);
	CHECK_EQ(yield_main(g), -EPERM);
	weft_gen_free(g);
	return 0;
}

/* --- elements --- */

/* Twenty elements, so many at a time, each of bytes that say which it is. */
struct sized {
	size_t bytes, n;
};

#define BYTES_MAX 1004

static int sized_body(struct weft_gen *g, void *arg)
{
	const struct sized *s = arg;
	unsigned char m[2 * BYTES_MAX];
	int err = 0;

	for (size_t i = 0; i < 20 && !err; i += s->n) {
		for (size_t k = 0; k < s->n; k++)
			memset(m + k * s->bytes, (int)(i + k), s->bytes);
		err = weft_gen_yield_many(g, s->bytes ? m : NULL, s->n);
	}
	return err;
}

static void expect_sized(struct sized s, size_t batch)
{
	struct weft_gen_opts opts = { .cap = 3, .batch = batch };
	unsigned char m[BYTES_MAX] = { 0 };
	void *elem = s.bytes ? m : NULL;
	struct weft_gen *g;

	CHECK_EQ(weft_gen_new(&g, s.bytes, sized_body, &s, &opts), 0);
	g = take(g, 15);
	for (size_t i = 0; i < 15; i++) {
		CHECK_EQ(weft_gen_next(g, elem, WEFT_FOREVER), 0);
		for (size_t k = 0; k < s.bytes; k++)
			CHECK_EQ(m[k], i);
	}
	CHECK_EQ(weft_gen_next(g, elem, WEFT_FOREVER), -EPIPE);
	weft_gen_free(g);
}

TEST(elements_may_be_wide_or_of_no_bytes)
{
	for (size_t batch = 1; batch < 4; batch++)
		for (size_t n = 1; n <= 2; n++) {
			expect_sized((struct sized){ 0, n }, batch);
			expect_sized((struct sized){ BYTES_MAX, n }, batch);
		}
	return 0;
}

/* --- bad input --- */

TEST(a_generator_that_makes_no_sense_is_refused)
{
	const struct weft_chan_impl *list = weft_chan_impl_find("list");
	const struct {
		size_t elem_size;
		weft_gen_body body;
		struct weft_gen_opts opts;
		int err;
	} rows[] = {
		{ 4, NULL, { .cap = 0 }, -EINVAL },
		{ WEFT_ELEM_MAX + 1, counting_body, { .cap = 0 }, -EINVAL },
		{ 4, counting_body, { .wait = (enum weft_wait)9 }, -EINVAL },
		/* What the channel cannot do: no capacity; any capacity. */
		{ 4, counting_body, { .impl = &testing_one_to_one }, -EINVAL },
		{ 4, counting_body, { .impl = list, .cap = 8 }, -EINVAL },
		{ 4, counting_body, { .batch = SIZE_MAX / 2 }, -ENOMEM },
	};
	struct counting c = { .n = 1 };
	struct weft_gen *g = NULL;

	CHECK_EQ(weft_gen_new(NULL, 4, counting_body, NULL, NULL), -EINVAL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK_EQ(weft_gen_new(&g, rows[i].elem_size, rows[i].body, &c,
		                      &rows[i].opts),
		         rows[i].err);
	CHECK(g == NULL);
	CHECK_EQ(weft_load_relaxed(&c.runs), 0);
	return 0;
}

/* Everything is made before the task is refused. */
TEST_OUTSIDE(outside_of_a_run_nothing_is_left_behind)
{
	const struct weft_gen_opts opts = { .cap = 4 };
	struct testing_held before = testing_held();
	struct counting c = { .n = 1 };
	struct weft_gen *g = NULL;

	assert_int_equal(weft_gen_new(&g, 4, counting_body, &c, &opts),
	                 -EINVAL);
	assert_null(g);
	assert_int_equal(weft_load_relaxed(&c.runs), 0);
	assert_int_equal(testing_held_still(before), 0);
}

static int yields_nothing(struct weft_gen *g, void *arg)
{
	int v = 0;

	(void)arg;
	CHECK_EQ(weft_gen_yield(NULL, &v), -EINVAL);
	CHECK_EQ(weft_gen_yield(g, NULL), -EINVAL);
	CHECK_EQ(weft_gen_yield_many(g, NULL, 1), -EINVAL);
	CHECK_EQ(weft_gen_yield_many(g, NULL, 0), 0);
	return 0;
}

TEST(what_is_needed_may_not_be_missing)
{
	struct weft_gen *g =
	        new_gen(yields_nothing, NULL, (struct weft_gen_opts){ 0 });

	CHECK_EQ(weft_gen_next(g, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_gen_set_drop(NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_gen_wanted(NULL), 0u);
	expect_end(g, -EPIPE);
	return 0;
}
