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
	const struct weft_pipeline_opts opts = {
		.impl = weft_chan_impl_find(shape->chan),
		.cap = shape->cap,
		.batch = shape->batch,
		.tokens = shape->tokens,
	};

	for (size_t i = 0; i < shape->stages; i++) {
		stages[i] = *like;
		stages[i].mode = WEFT_STAGE_ORDERED;
		stages[i].workers = shape->workers;
		stages[i].window = shape->window;
	}
	return new_pipeline(stages, shape->stages, opts);
}

TEST(stages_of_one_worker_keep_the_order)
{
	expect_in_order(chain(pass, 4, 3), 500, 0);
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

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		expect_in_order(ordered(&shapes[i], &stage),
		                TESTING_SLOW ? 200 : 1000, 0);
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
	expect_end(p, t, -EPIPE);
	return 0;
}

static int sleep_on_zero(const void *in, void *out, void *arg)
{
	if (*(const int *)in == 0)
		weft_sleep_until(weft_deadline_in(WEFT_SEC));
	return pass(in, out, arg);
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
	CHECK_EQ(stats_of(p, 0).in, 5u);
	CHECK_EQ(stats_of(p, 0).held, 4u);
	CHECK_EQ(stats_of(p, 0).out, 0u);
	CHECK_EQ(stats_of(p, 0).queued, 15u);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_NOW), -ETIMEDOUT);

	CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
	expect_items(p, 0, 20);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats_of(p, 0).held, 0u);
	CHECK_EQ(stats_of(p, 0).out, 20u);
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
	CHECK_EQ(stats_of(p, 0).held, 2u);
	CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
	weft_pipeline_free(p);
	return 0;
}

TEST(an_ordered_stage_that_fails_stops_the_pipeline)
{
	const struct shape shape = { "handoff", 2, 2, 2, 0, 0, 3 };

	for (struct fault *f = faults(); f->seen; f++) {
		const struct weft_stage stage = { .fn = fail_at_five,
			                          .arg = f };
		struct flow flow =
		        flow_to(ordered(&shape, &stage), 1000, f->seen);

		CHECK_LE(flow.n, 5);
		/* 0, 1, ... in order */
		CHECK_EQ(flow.sum, flow.n * (flow.n - 1) / 2);
	}
	return 0;
}
