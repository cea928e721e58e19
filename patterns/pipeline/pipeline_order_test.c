/* Tests of the pipeline: order, kept and restored. */
#include "pipeline_testing.h"

/* --- the order of what comes out --- */

/* n ordered stages of `workers` with that window. */
struct shape {
	const char *chan;
	size_t stages, cap, batch, window, tokens;
	unsigned workers;
};

static struct weft_pipeline *ordered(const struct shape *shape,
                                     const struct weft_stage *like)
{
	struct weft_stage stages[4];
	struct weft_pipeline_opts opts = {
		.impl = weft_chan_impl_find(shape->chan),
		.cap = shape->cap,
		.elem_size = sizeof(int),
		.batch = shape->batch,
		.tokens = shape->tokens,
	};
	struct weft_pipeline *p;

	for (size_t i = 0; i < shape->stages; i++) {
		stages[i] = *like;
		stages[i].mode = WEFT_STAGE_ORDERED;
		stages[i].workers = shape->workers;
		stages[i].window = shape->window;
	}
	CHECK_EQ(weft_pipeline_new(&p, stages, shape->stages, &opts), 0);
	return p;
}

TEST(stages_of_one_worker_keep_the_order)
{
	struct weft_pipeline *p = chain(pass, 4, 3);
	struct source s = { .p = p, .n = 500 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int v;

	for (int i = 0; i < 500; i++) {
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, i);
	}
	CHECK_EQ(testing_join(t), 0);
	weft_pipeline_free(p);
	return 0;
}

/* Takes a while, sometimes a long while. */
static int dawdle(const void *in, void *out, void *arg)
{
	for (uint64_t n = weft_rand() % (weft_rand() % 8 ? 20 : 2000); n; n--)
		weft_relax();
	return pass(in, out, arg);
}

/* E5 */
TEST(an_ordered_stage_keeps_the_order_whatever_is_done_first)
{
	static const struct shape shapes[] = {
		{ "handoff", 1, 4, 1, 0, 0, 4 },
		{ "handoff", 1, 0, 1, 0, 0, 3 },
		{ "handoff", 3, 8, 1, 0, 0, 2 },
		{ "ring", 2, 16, 1, 0, 0, 3 },
		{ "ring", 2, 16, 4, 3, 0, 3 },
		{ "list", 2, 1, 3, 0, 0, 3 },
		{ "condvar", 1, 2, 1, 16, 0, 4 },
		/* fewer places, or tokens, than workers */
		{ "handoff", 2, 4, 1, 1, 0, 4 },
		{ "handoff", 2, 4, 1, 2, 0, 4 },
		{ "handoff", 2, 4, 2, 0, 2, 4 },
		/* one sender and one receiver at a time are enough */
		{ "spsc", 2, 8, 1, 0, 0, 4 },
		{ "spsc", 3, 8, 5, 0, 0, 2 },
	};
	const struct weft_stage stage = { .fn = dawdle };

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		struct weft_pipeline *p = ordered(&shapes[i], &stage);
		struct source s = { .p = p, .n = TESTING_SLOW ? 200 : 1000 };
		struct weft_task *t = testing_spawn(source_main, &s);
		int v;

		for (int k = 0; k < s.n; k++) {
			CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
			CHECK_EQ(v, k);
		}
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), -EPIPE);
		CHECK_EQ(testing_join(t), 0);
		CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
		weft_pipeline_free(p);
	}
	return 0;
}

/* x becomes x, x, ... : none of multiples of 4, else as many as the rest. */
static int some(const void *in, void *out, void *arg)
{
	int x = *(const int *)in, n = x % 4, *to = out;

	(void)arg;
	for (uint64_t turns = weft_rand() % 100; turns; turns--)
		weft_relax();
	for (int i = 0; i < n; i++)
		to[i] = x;
	return n;
}

TEST(an_ordered_stage_keeps_what_it_makes_of_one_item_together)
{
	const struct shape shape = { "handoff", 1, 4, 3, 0, 0, 4 };
	const struct weft_stage stage = { .fn = some, .out_max = 3 };
	struct weft_pipeline *p = ordered(&shape, &stage);
	struct source s = { .p = p, .n = 400 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int v;

	for (int x = 0; x < s.n; x++)
		for (int i = 0; i < x % 4; i++) {
			CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
			CHECK_EQ(v, x);
		}
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(testing_join(t), 0);
	weft_pipeline_free(p);
	return 0;
}

static int sleep_on_zero(const void *in, void *out, void *arg)
{
	if (*(const int *)in == 0)
		weft_sleep_until(weft_deadline_in(WEFT_SEC));
	return pass(in, out, arg);
}

static struct weft_stage_stats figures(struct weft_pipeline *p)
{
	struct weft_stage_stats stats;

	CHECK_EQ(weft_pipeline_stats(p, 0, &stats), 0);
	return stats;
}

/* The reorder buffer: a slow item stops what is behind it from going on, not
 * the other worker; but that gets no further than the window. */
TEST_MANUAL(a_slow_item_holds_up_a_window_full)
{
	const struct shape shape = { "handoff", 1, 100, 1, 5, 0, 2 };
	const struct weft_stage stage = { .fn = sleep_on_zero };
	struct weft_pipeline *p = ordered(&shape, &stage);
	int v;

	for (int i = 0; i < 20; i++)
		CHECK_EQ(weft_pipeline_send(p, &i, WEFT_FOREVER), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(figures(p).in, 5u);
	CHECK_EQ(figures(p).held, 4u);
	CHECK_EQ(figures(p).out, 0u);
	CHECK_EQ(figures(p).queued, 15u);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_NOW), -ETIMEDOUT);

	CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, i);
	}
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(figures(p).held, 0u);
	CHECK_EQ(figures(p).out, 20u);
	weft_pipeline_free(p);
	return 0;
}

/* E5, E7: the window is in the hands of the tokens when they are fewer. */
TEST_MANUAL(tokens_bound_what_an_ordered_stage_holds)
{
	const struct shape shape = { "handoff", 1, 100, 1, 50, 3, 2 };
	const struct weft_stage stage = { .fn = sleep_on_zero };
	struct weft_pipeline *p = ordered(&shape, &stage);

	CHECK_EQ(send_until_full(p), 3);
	CHECK_EQ(figures(p).held, 2u);
	CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
	weft_pipeline_free(p);
	return 0;
}

TEST(an_ordered_stage_that_fails_stops_the_pipeline)
{
	static const enum fault faults[] = { RETURN_ERROR, EXIT_TASK,
		                             EXIT_THREAD };
	static const int errors[] = { -EDOM, -ERANGE, -ECANCELED };
	const struct shape shape = { "handoff", 2, 2, 2, 0, 0, 3 };

	for (int i = 0; i < 3; i++) {
		enum fault fault = faults[i];
		const struct weft_stage stage = { .fn = fail_at_five,
			                          .arg = &fault };
		struct weft_pipeline *p = ordered(&shape, &stage);
		struct source s = { .p = p, .n = 1000 };
		struct weft_task *t = testing_spawn(source_main, &s);
		int n, sum;

		CHECK_EQ(drain(p, &n, &sum), errors[i]);
		CHECK_LE(n, 5);
		CHECK_EQ(sum, n * (n - 1) / 2); /* 0, 1, ... in order */
		CHECK_EQ(testing_join(t), errors[i]);
		CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), errors[i]);
		weft_pipeline_free(p);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_of_one_worker_keep_the_order),
		cmocka_unit_test(
		        an_ordered_stage_keeps_the_order_whatever_is_done_first),
		cmocka_unit_test(
		        an_ordered_stage_keeps_what_it_makes_of_one_item_together),
		cmocka_unit_test(a_slow_item_holds_up_a_window_full),
		cmocka_unit_test(tokens_bound_what_an_ordered_stage_holds),
		cmocka_unit_test(
		        an_ordered_stage_that_fails_stops_the_pipeline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
