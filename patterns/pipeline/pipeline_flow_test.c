/* Tests of the pipeline: how much is inside. */
#include "pipeline_testing.h"

/* --- back-pressure --- */

/* One out makes room for one. */
static void expect_room_for_one(struct weft_pipeline *p)
{
	expect_items(p, 0, 1);
	CHECK_EQ(send_until_full(p), 1);
}

/* E7 */
TEST_MANUAL(what_is_inside_is_bounded_by_capacities_and_workers)
{
	for (size_t cap = 0; cap < 4; cap++) {
		struct weft_pipeline *p = chain(pass, 3, cap);

		/* Four channels, and one item in each worker's hands. */
		CHECK_EQ(send_until_full(p), (int)(4 * cap + 3));
		CHECK_EQ(stats_of(p, 1).queued, cap);
		expect_room_for_one(p);
		weft_pipeline_free(p);
	}
	return 0;
}

static int drain_main(void *arg)
{
	struct flow f = drain(arg);

	CHECK_EQ(f.end, -EPIPE);
	return f.n;
}

/* E8 */
TEST_MANUAL(the_slowest_stage_sets_the_pace_of_the_source)
{
	const struct weft_stage stages[] = { { .fn = pass },
		                             { .fn = sleep_a_second },
		                             { .fn = pass } };
	struct weft_pipeline *p = NEW_PIPELINE(stages, .cap = 1);
	struct source s = { .p = p, .n = 20 };
	struct weft_task *source = testing_spawn(source_main, &s);
	struct weft_task *sink = testing_spawn(drain_main, p);

	/* Before the slow stage: two channels, a worker each. */
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(s.sent, 4);
	for (int second = 1; second <= 10; second++) {
		CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ(s.sent, 4 + second);
	}
	CHECK_EQ(testing_join_moving(source), 0);
	CHECK_EQ(testing_join_moving(sink), 20);
	weft_pipeline_free(p);
	return 0;
}

/* --- tokens --- */

static struct weft_pipeline *with_tokens(weft_stage_fn fn, size_t out_max,
                                         size_t tokens)
{
	const struct weft_stage stages[] = { { .fn = pass },
		                             { .fn = fn, .out_max = out_max },
		                             { .fn = pass } };

	return NEW_PIPELINE(stages, .cap = 100, .tokens = tokens);
}

/* E7 */
TEST_MANUAL(no_more_is_let_in_than_there_are_tokens)
{
	for (size_t tokens = 1; tokens < 8; tokens++) {
		struct weft_pipeline *p = with_tokens(pass, 1, tokens);

		CHECK_EQ(send_until_full(p), (int)tokens);
		expect_room_for_one(p);
		weft_pipeline_free(p);
	}
	return 0;
}

TEST_MANUAL(what_is_filtered_out_gives_its_token_back)
{
	struct weft_pipeline *p = with_tokens(only_even, 1, 3);

	/* 0, 2 and 4 stay; 1 and 3 are gone. */
	CHECK_EQ(send_until_full(p), 5);
	weft_pipeline_free(p);
	return 0;
}

static int three(const void *in, void *out, void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		((int *)out)[i] = *(const int *)in;
	return 3;
}

TEST_MANUAL(what_becomes_more_inside_must_leave_before_more_comes_in)
{
	struct weft_pipeline *p = with_tokens(three, 3, 4);
	int v = 0;

	/* Three of the first, and three of the second: now there are six. */
	CHECK_EQ(send_until_full(p), 2);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_pipeline_send(p, &v, WEFT_NOW), -ETIMEDOUT);
		expect_items(p, 0, 1);
	}
	CHECK_EQ(send_until_full(p), 1);
	weft_pipeline_free(p);
	return 0;
}

TEST_MANUAL(an_item_that_does_not_get_in_gives_its_token_back)
{
	const struct weft_stage stages[] = { { .fn = pass } };
	struct weft_pipeline *p = NEW_PIPELINE(stages, .tokens = 4);
	int items[10] = { 0 };
	size_t done;

	for (int i = 0; i < 10; i++) {
		/* One is in the worker's hands; the channels hold none. */
		CHECK_EQ(send_until_full(p), 1);
		CHECK_EQ(weft_pipeline_send_many(p, items, 10, &done, WEFT_NOW),
		         -ETIMEDOUT);
		CHECK_EQ(done, 0u);
		CHECK_EQ(weft_pipeline_recv(p, items, WEFT_FOREVER), 0);
	}
	weft_pipeline_free(p);
	return 0;
}

/* --- many at once --- */

/* Sends 0 to 99 in one call. */
static int send_many_main(void *arg)
{
	int items[100];
	size_t done;

	for (int i = 0; i < 100; i++)
		items[i] = i;
	CHECK_EQ(weft_pipeline_send_many(arg, items, 100, &done, WEFT_FOREVER),
	         0);
	CHECK_EQ(done, 100u);
	return weft_pipeline_close(arg);
}

/* Each of them comes out so many times. */
static void expect_all(struct weft_pipeline *p, int times)
{
	struct weft_task *t = testing_spawn(send_many_main, p);
	struct flow f = drain(p);

	CHECK_EQ(f.n, times * 100);
	CHECK_EQ(f.sum, times * 4950);
	expect_end(p, t, -EPIPE);
}

TEST(many_items_can_be_sent_at_once)
{
	expect_all(chain(pass, 2, 4), 1);
	return 0;
}

TEST(more_can_be_sent_at_once_than_there_are_tokens)
{
	for (size_t tokens = 1; tokens < 40; tokens += 6)
		expect_all(with_tokens(three, 3, tokens), 3);
	return 0;
}
