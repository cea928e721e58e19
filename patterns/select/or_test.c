/* Tests of or: one channel for the first of several that is done. */
#include "select_testing.h"

static struct weft_chan *done_chan(struct rig *r)
{
	return keep(r, testing_chan("handoff", 0, 0));
}

static struct weft_or *new_or(struct weft_chan *const *c, size_t n)
{
	struct weft_or *o;

	CHECK_EQ(weft_or_new(&o, c, n), 0);
	return o;
}

/* Its channel comes to be closed, and that one was the reason. */
static void expect_first(struct weft_or *o, int first)
{
	CHECK_EQ(weft_chan_recv(weft_or_chan(o), NULL, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_or_first(o), first);
}

/* Edge case: of none. */
TEST(an_or_of_none_has_no_channel)
{
	struct weft_or *o = new_or(NULL, 0);

	CHECK(weft_or_chan(o) == NULL);
	CHECK_EQ(weft_or_first(o), -EAGAIN);
	weft_or_free(o);
	return 0;
}

/* Edge case: of one. Its own channel stays as it is when the or goes. */
RIG_TEST(an_or_of_one_is_that_channel)
{
	struct weft_chan *c = done_chan(r);
	struct weft_or *o = new_or(&c, 1);

	CHECK(weft_or_chan(o) == c);
	weft_or_free(o);
	CHECK_EQ(weft_chan_try_recv(c, NULL), -EAGAIN);
}

static void close_one_of(int n, int first)
{
	struct rig r = { .n = 0 };
	struct weft_or *o;

	for (int i = 0; i < n; i++)
		done_chan(&r);
	o = new_or(r.c, (size_t)n);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_chan_try_recv(weft_or_chan(o), NULL), -EAGAIN);
	CHECK_EQ(weft_or_first(o), -EAGAIN);
	CHECK_EQ(weft_chan_close(r.c[first]), 0);
	expect_first(o, first);
	weft_or_free(o);
	free_rig(&r);
}

/* Edge case: of n. Each of them will do. */
TEST_MANUAL(the_first_of_n_closes_it)
{
	for (int n = 2; n <= RIG_MAX; n += 19)
		for (int first = 0; first < n; first += n / 2)
			close_one_of(n, first);
	return 0;
}

/* An element will do, and a channel that is done already. */
RIG_TEST(an_element_is_as_good_as_the_end)
{
	struct weft_chan *ring = keep(r, new_chan("ring", 2));
	struct weft_chan *c[3] = { done_chan(r), NULL, ring };
	struct weft_or *o;

	put(ring, 1);
	put(ring, 2);
	o = new_or(c, 3);
	expect_first(o, 2);
	CHECK_EQ(take(ring), 2);
	weft_or_free(o);
}

/* What Go's leaves behind when none of its channels is ever done. */
RIG_TEST_MANUAL(an_or_that_is_freed_releases_who_waits)
{
	struct weft_chan *c[2] = { done_chan(r), done_chan(r) };
	struct weft_or *o = new_or(c, 2);
	struct waiting w;

	m = replace_mux(r, (struct weft_mux_opts){ .elem_size = 0 });
	add_input(m, weft_or_chan(o));
	begin_recv(&w, m);
	weft_or_free(o);
	CHECK_EQ(testing_join(w.task), -EPIPE);
}

RIG_TEST_MANUAL(ors_may_be_ored)
{
	struct weft_chan *two[2];
	struct weft_or *o[3];

	for (int i = 0; i < 4; i++)
		done_chan(r);
	for (int i = 0; i < 2; i++) {
		o[i] = new_or(r->c + 2 * i, 2);
		two[i] = weft_or_chan(o[i]);
	}
	o[2] = new_or(two, 2);
	CHECK_EQ(weft_chan_close(r->c[3]), 0);
	expect_first(o[2], 1);
	CHECK_EQ(weft_or_first(o[1]), 1);
	for (int i = 3; i-- > 0;)
		weft_or_free(o[i]);
}

/* Contexts that end, one by its deadline, and a timer. */
TEST_MANUAL(the_first_context_or_timer_will_do)
{
	struct weft_chan *done[3];
	struct weft_ctx *ctx[2];
	struct weft_or *o;

	for (int first = 0; first < 3; first++) {
		CHECK_EQ(weft_ctx_with_cancel(&ctx[0], NULL), 0);
		CHECK_EQ(weft_ctx_with_timeout(&ctx[1], NULL,
		                               first == 1 ? 5 : 9),
		         0);
		done[0] = weft_ctx_done(ctx[0]);
		done[1] = weft_ctx_done(ctx[1]);
		CHECK_EQ(weft_after(&done[2], weft_deadline_in(7)), 0);
		o = new_or(done, 3);
		CHECK_EQ(weft_clock_settle(), 0);
		if (first == 0)
			CHECK_EQ(weft_ctx_cancel(ctx[0], 0), 0);
		else
			CHECK_EQ(weft_clock_advance(first == 1 ? 5 : 7), 0);
		expect_first(o, first);
		weft_or_free(o);
		weft_ctx_unref(ctx[0]);
		weft_ctx_unref(ctx[1]);
		weft_chan_unref(done[2]);
	}
	return 0;
}

RIG_TEST(an_or_that_makes_no_sense_is_refused)
{
	struct weft_chan *c[2] = { done_chan(r), keep(r, new_chan("pipe", 1)) };
	struct weft_or *o = NULL;

	CHECK_EQ(weft_or_new(NULL, c, 2), -EINVAL);
	CHECK_EQ(weft_or_new(&o, NULL, 2), -EINVAL);
	CHECK_EQ(weft_or_new(&o, c, WEFT_MUX_PORTS_MAX + 1), -EINVAL);
	CHECK_EQ(weft_or_new(&o, c, 2), -EOPNOTSUPP);
	CHECK(o == NULL);
	CHECK(weft_or_chan(NULL) == NULL);
	CHECK_EQ(weft_or_first(NULL), -EINVAL);
	weft_or_free(NULL);
}

TEST_OUTSIDE(outside_of_a_run_there_is_no_task_for_it)
{
	struct rig r = { .n = 0 };
	struct weft_or *o = NULL;

	done_chan(&r);
	done_chan(&r);
	assert_int_equal(weft_or_new(&o, r.c, 2), -EINVAL);
	assert_null(o);
	free_rig(&r);
}
