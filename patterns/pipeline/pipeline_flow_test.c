/* Tests of the pipeline: how much is inside. */
#include "pipeline_testing.h"

/* --- back-pressure --- */

/* E7 */
TEST_MANUAL(what_is_inside_is_bounded_by_capacities_and_workers)
{
	for (size_t cap = 0; cap < 4; cap++) {
		struct weft_pipeline *p = chain(pass, 3, cap);
		struct weft_stage_stats stats;
		int n, v;

		/* Four channels, and one item in each worker's hands. */
		n = send_until_full(p);
		CHECK_EQ(n, (int)(4 * cap + 3));
		CHECK_EQ(weft_pipeline_stats(p, 1, &stats), 0);
		CHECK_EQ(stats.queued, cap);
		/* One out makes room for one. */
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, 0);
		CHECK_EQ(send_until_full(p), 1);
		weft_pipeline_free(p);
	}
	return 0;
}

/* E8 */
TEST_MANUAL(the_slowest_stage_sets_the_pace_of_the_source)
{
	const struct weft_stage stages[] = { { .fn = pass },
		                             { .fn = sleep_a_second },
		                             { .fn = pass } };
	struct weft_pipeline *p = new_pipeline(stages, 3, 1, NULL);
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
	struct weft_pipeline_opts opts = { .cap = 100,
		                           .elem_size = sizeof(int),
		                           .tokens = tokens };
	struct weft_pipeline *p;

	CHECK_EQ(weft_pipeline_new(&p, stages, 3, &opts), 0);
	return p;
}

/* E7 */
TEST_MANUAL(no_more_is_let_in_than_there_are_tokens)
{
	for (size_t tokens = 1; tokens < 8; tokens++) {
		struct weft_pipeline *p = with_tokens(pass, 1, tokens);
		int v;

		CHECK_EQ(send_until_full(p), (int)tokens);
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, 0);
		CHECK_EQ(send_until_full(p), 1);
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
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, 0);
	}
	CHECK_EQ(send_until_full(p), 1);
	weft_pipeline_free(p);
	return 0;
}

TEST_MANUAL(an_item_that_does_not_get_in_gives_its_token_back)
{
	const struct weft_stage stage = { .fn = pass };
	struct weft_pipeline_opts opts = { .elem_size = sizeof(int),
		                           .tokens = 4 };
	struct weft_pipeline *p;
	int items[10] = { 0 };
	size_t done;

	CHECK_EQ(weft_pipeline_new(&p, &stage, 1, &opts), 0);
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

TEST(more_can_be_sent_at_once_than_there_are_tokens)
{
	for (size_t tokens = 1; tokens < 40; tokens += 6) {
		struct weft_pipeline *p = with_tokens(three, 3, tokens);
		struct weft_task *t = testing_spawn(send_many_main, p);
		int n, sum;

		CHECK_EQ(drain(p, &n, &sum), -EPIPE);
		CHECK_EQ(n, 300);
		CHECK_EQ(sum, 3 * 4950);
		CHECK_EQ(testing_join(t), 0);
		weft_pipeline_free(p);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        what_is_inside_is_bounded_by_capacities_and_workers),
		cmocka_unit_test(the_slowest_stage_sets_the_pace_of_the_source),
		cmocka_unit_test(no_more_is_let_in_than_there_are_tokens),
		cmocka_unit_test(what_is_filtered_out_gives_its_token_back),
		cmocka_unit_test(
		        what_becomes_more_inside_must_leave_before_more_comes_in),
		cmocka_unit_test(
		        an_item_that_does_not_get_in_gives_its_token_back),
		cmocka_unit_test(
		        more_can_be_sent_at_once_than_there_are_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
