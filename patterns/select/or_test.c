/* Tests of or: one channel for the first of several that is done. */
#include <errno.h>

#include "select_testing.h"

static struct weft_chan *done_chan(void)
{
	struct weft_chan *c;

	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find("handoff"), 0, 0, NULL),
	         0);
	return c;
}

static bool is_closed(struct weft_chan *c)
{
	return weft_chan_try_recv(c, NULL) == -EPIPE;
}

/* Edge case: of none. */
TEST(an_or_of_none_has_no_channel)
{
	struct weft_or *o;

	CHECK_EQ(weft_or_new(&o, NULL, 0), 0);
	CHECK(weft_or_chan(o) == NULL);
	CHECK_EQ(weft_or_first(o), -EAGAIN);
	weft_or_free(o);
	return 0;
}

/* Edge case: of one. Its own channel stays as it is when the or goes. */
TEST(an_or_of_one_is_that_channel)
{
	struct weft_chan *c = done_chan();
	struct weft_or *o;

	CHECK_EQ(weft_or_new(&o, &c, 1), 0);
	CHECK(weft_or_chan(o) == c);
	weft_or_free(o);
	CHECK(!is_closed(c));
	free_chan(c);
	return 0;
}

/* Edge case: of n. Each of them will do. */
TEST_MANUAL(the_first_of_n_closes_it)
{
	for (int n = 2; n <= 40; n += 19) {
		for (int first = 0; first < n; first += n / 2) {
			struct weft_chan *c[40], *done;
			struct weft_or *o;

			for (int i = 0; i < n; i++)
				c[i] = done_chan();
			CHECK_EQ(weft_or_new(&o, c, (size_t)n), 0);
			done = weft_or_chan(o);
			CHECK_EQ(weft_clock_settle(), 0);
			CHECK_EQ(weft_chan_try_recv(done, NULL), -EAGAIN);
			CHECK_EQ(weft_or_first(o), -EAGAIN);
			CHECK_EQ(weft_chan_close(c[first]), 0);
			CHECK_EQ(weft_chan_recv(done, NULL, WEFT_FOREVER),
			         -EPIPE);
			CHECK_EQ(weft_or_first(o), first);
			weft_or_free(o);
			for (int i = 0; i < n; i++)
				free_chan(c[i]);
		}
	}
	return 0;
}

/* An element will do, and a channel that is done already. */
TEST(an_element_is_as_good_as_the_end)
{
	struct weft_chan *c[3] = { done_chan(), NULL, new_chan("ring", 2) };
	struct weft_or *o;

	put(c[2], 1);
	put(c[2], 2);
	CHECK_EQ(weft_or_new(&o, c, 3), 0);
	CHECK_EQ(weft_chan_recv(weft_or_chan(o), NULL, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_or_first(o), 2);
	CHECK_EQ(take(c[2]), 2);
	weft_or_free(o);
	free_chan(c[0]);
	free_chan(c[2]);
	return 0;
}

/* What Go's leaves behind when none of its channels is ever done. */
TEST_MANUAL(an_or_that_is_freed_releases_who_waits)
{
	struct weft_mux *m = mux_of(NULL);
	struct weft_chan *c[2] = { done_chan(), done_chan() };
	struct waiting w = receiving(m);
	struct weft_or *o;

	CHECK_EQ(weft_or_new(&o, c, 2), 0);
	add_input(m, weft_or_chan(o));
	begin_call(&w);
	weft_or_free(o);
	CHECK_EQ(testing_join(w.task), -EPIPE);
	weft_mux_free(m);
	free_chan(c[0]);
	free_chan(c[1]);
	return 0;
}

TEST_MANUAL(ors_may_be_ored)
{
	struct weft_chan *c[4], *two[2];
	struct weft_or *o[3];

	for (int i = 0; i < 4; i++)
		c[i] = done_chan();
	CHECK_EQ(weft_or_new(&o[0], c, 2), 0);
	CHECK_EQ(weft_or_new(&o[1], c + 2, 2), 0);
	two[0] = weft_or_chan(o[0]);
	two[1] = weft_or_chan(o[1]);
	CHECK_EQ(weft_or_new(&o[2], two, 2), 0);
	CHECK_EQ(weft_chan_close(c[3]), 0);
	CHECK_EQ(weft_chan_recv(weft_or_chan(o[2]), NULL, WEFT_FOREVER),
	         -EPIPE);
	CHECK_EQ(weft_or_first(o[2]), 1);
	CHECK_EQ(weft_or_first(o[1]), 1);
	for (int i = 3; i-- > 0;)
		weft_or_free(o[i]);
	for (int i = 0; i < 4; i++)
		free_chan(c[i]);
	return 0;
}

/* Contexts that end, one by its deadline, and a timer. */
TEST_MANUAL(the_first_context_or_timer_will_do)
{
	struct weft_chan *done[3], *after;
	struct weft_ctx *ctx[2];
	struct weft_or *o;

	for (int first = 0; first < 3; first++) {
		CHECK_EQ(weft_ctx_with_cancel(&ctx[0], NULL), 0);
		CHECK_EQ(weft_ctx_with_timeout(&ctx[1], NULL,
		                               first == 1 ? 5 : 9),
		         0);
		CHECK_EQ(weft_after(&after, weft_deadline_in(7)), 0);
		done[0] = weft_ctx_done(ctx[0]);
		done[1] = weft_ctx_done(ctx[1]);
		done[2] = after;
		CHECK_EQ(weft_or_new(&o, done, 3), 0);
		CHECK_EQ(weft_clock_settle(), 0);
		if (first == 0)
			CHECK_EQ(weft_ctx_cancel(ctx[0], 0), 0);
		else
			CHECK_EQ(weft_clock_advance(first == 1 ? 5 : 7), 0);
		CHECK_EQ(weft_chan_recv(weft_or_chan(o), NULL, WEFT_FOREVER),
		         -EPIPE);
		CHECK_EQ(weft_or_first(o), first);
		weft_or_free(o);
		weft_ctx_unref(ctx[0]);
		weft_ctx_unref(ctx[1]);
		weft_chan_unref(after);
	}
	return 0;
}

TEST(an_or_that_makes_no_sense_is_refused)
{
	struct weft_chan *c[2] = { done_chan(), new_chan("pipe", 1) };
	struct weft_or *o = NULL;

	CHECK_EQ(weft_or_new(NULL, c, 2), -EINVAL);
	CHECK_EQ(weft_or_new(&o, NULL, 2), -EINVAL);
	CHECK_EQ(weft_or_new(&o, c, WEFT_MUX_PORTS_MAX + 1), -EINVAL);
	CHECK_EQ(weft_or_new(&o, c, 2), -EOPNOTSUPP);
	CHECK(o == NULL);
	CHECK(weft_or_chan(NULL) == NULL);
	CHECK_EQ(weft_or_first(NULL), -EINVAL);
	weft_or_free(NULL);
	free_chan(c[0]);
	free_chan(c[1]);
	return 0;
}

/* Not the body of a TEST: without a run. */
static void outside_of_a_run_there_is_no_task_for_it(void **state)
{
	struct weft_chan *c[2] = { done_chan(), done_chan() };
	struct weft_or *o = NULL;

	(void)state;
	assert_int_equal(weft_or_new(&o, c, 2), -EINVAL);
	assert_null(o);
	free_chan(c[0]);
	free_chan(c[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_or_of_none_has_no_channel),
		cmocka_unit_test(an_or_of_one_is_that_channel),
		cmocka_unit_test(the_first_of_n_closes_it),
		cmocka_unit_test(an_element_is_as_good_as_the_end),
		cmocka_unit_test(an_or_that_is_freed_releases_who_waits),
		cmocka_unit_test(ors_may_be_ored),
		cmocka_unit_test(the_first_context_or_timer_will_do),
		cmocka_unit_test(an_or_that_makes_no_sense_is_refused),
		cmocka_unit_test(outside_of_a_run_there_is_no_task_for_it),
	};

	return cmocka_run_group_tests_name("or", tests, NULL, NULL);
}
