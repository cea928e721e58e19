/*
 * Tests of select that name a path through select.c; the contract as a whole,
 * over every implementation and every pair of them, is stress/conform's.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/weft.h>

#include "chan/internal.h"
#include "task/testing.h"

#define PAIRS 4

static struct weft_chan *chan(const char *name, size_t cap)
{
	struct weft_chan *c;

	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find(name), cap,
	                       sizeof(uint64_t), NULL),
	         0);
	return c;
}

/* Nobody may have stayed behind. */
static void done_with(struct weft_chan *c)
{
	struct weft_chan_stats stats;

	weft_chan_stats(c, &stats);
	CHECK_EQ(stats.waiting, (uint64_t)0);
	weft_chan_unref(c);
}

static void must_send(struct weft_chan *c, uint64_t v)
{
	CHECK_EQ(weft_chan_send(c, &v, WEFT_FOREVER), 0);
}

/* --- what is refused --- */

TEST(bad_input_is_refused_and_nothing_happens)
{
	struct weft_chan *c = chan("ring", 2), *pipe = chan("pipe", 1);
	static struct weft_case many[WEFT_SELECT_MAX + 1];
	uint64_t v = 7;
	struct weft_case one = weft_case_recv(c, &v);

	CHECK(weft_chan_can_select(c));
	CHECK(!weft_chan_can_select(pipe));
	CHECK(!weft_chan_can_select(NULL));
	must_send(c, 1);
	CHECK_EQ(weft_select(NULL, 1, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_select(NULL, 0, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(weft_select(&one, WEFT_SELECT_MAX + 1, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_select(many, WEFT_SELECT_MAX + 1, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_select(many, WEFT_SELECT_MAX, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(weft_select(many, WEFT_SELECT_MAX, WEFT_NOW), -ETIMEDOUT);

	one.op = (enum weft_case_op)2;
	CHECK_EQ(weft_select(&one, 1, WEFT_NOW), -EINVAL);
	many[0] = weft_case_recv(c, &v);
	many[1] = weft_case_recv(c, NULL);
	CHECK_EQ(weft_select(many, 2, WEFT_NOW), -EINVAL);
	many[1] = weft_case_recv(pipe, &v);
	CHECK_EQ(weft_select(many, 2, WEFT_NOW), -EOPNOTSUPP);
	CHECK_EQ(v, (uint64_t)7);
	CHECK_EQ(weft_chan_len(c), (size_t)1);
	done_with(pipe);
	done_with(c);
	return 0;
}

/* Loading refuses such a plug-in; a static one comes without being asked. */
TEST(who_declares_select_without_poll_is_not_believed)
{
	struct weft_chan_impl lame = *weft_chan_impl_find("ring");
	struct weft_chan *c;

	lame.poll = NULL;
	CHECK_EQ(weft_chan_new(&c, &lame, 1, 0, NULL), 0);
	CHECK(!weft_chan_can_select(c));
	weft_chan_unref(c);
	return 0;
}

TEST_MANUAL(without_a_channel_it_waits_for_its_deadline)
{
	struct weft_case none = weft_case_recv(NULL, NULL);

	CHECK_EQ(weft_select(NULL, 0, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_select(&none, 1, weft_now()), -ETIMEDOUT);
	return 0;
}

/* --- waiting, with every task's place known --- */

struct call {
	struct weft_case cases[4];
	size_t n;
	int64_t deadline_ns;
	int result;
};

static int call_main(void *arg)
{
	struct call *call = arg;

	call->result = weft_select(call->cases, call->n, call->deadline_ns);
	return 0;
}

static struct weft_task *begin(struct call *call)
{
	struct weft_task *t;

	CHECK_EQ(weft_spawn(&t, NULL, call_main, call), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	return t;
}

static void end(struct weft_task *t)
{
	CHECK_EQ(weft_join(t, NULL), 0);
}

/* Either kind of channel ends the wait at both. */
TEST_MANUAL(a_select_waits_at_both_kinds_of_channel)
{
	struct weft_chan *h = chan("handoff", 0), *r = chan("ring", 1);
	uint64_t a, b;
	struct call call = { .cases = { weft_case_recv(h, &a),
		                        weft_case_recv(r, &b) },
		             .n = 2,
		             .deadline_ns = WEFT_FOREVER };

	for (int i = 0; i < 100; i++) {
		struct weft_task *t = begin(&call);

		a = b = 0;
		must_send(i % 2 ? h : r, 5);
		end(t);
		CHECK_EQ(call.result, i % 2 ? 0 : 1);
		CHECK_EQ(call.cases[call.result].err, 0);
		CHECK_EQ(a, (uint64_t)(i % 2 ? 5 : 0));
		CHECK_EQ(b, (uint64_t)(i % 2 ? 0 : 5));
	}
	done_with(h);
	done_with(r);
	return 0;
}

TEST_MANUAL(two_selects_meet_at_a_rendezvous)
{
	struct weft_chan *a = chan("handoff", 0), *b = chan("handoff", 0);
	uint64_t got = 0, sent = 9;
	struct call recv = { .cases = { weft_case_recv(a, &got),
		                        weft_case_recv(b, &got) },
		             .n = 2,
		             .deadline_ns = WEFT_FOREVER };
	struct weft_case send[] = { weft_case_send(b, &sent),
		                    weft_case_send(NULL, NULL) };
	struct weft_task *t = begin(&recv);

	CHECK_EQ(weft_select(send, 2, WEFT_NOW), 0);
	end(t);
	CHECK_EQ(recv.result, 1);
	CHECK_EQ(got, sent);
	done_with(a);
	done_with(b);
	return 0;
}

/* Send and receive on one channel of capacity 0: it may not meet itself. */
TEST_MANUAL(a_select_does_not_meet_itself)
{
	struct weft_chan *c = chan("handoff", 0);
	uint64_t out = 1, in = 0;
	struct call call = { .cases = { weft_case_send(c, &out),
		                        weft_case_recv(c, &in),
		                        weft_case_recv(c, &in) },
		             .n = 3,
		             .deadline_ns = weft_deadline_in(10) };
	struct weft_task *t = begin(&call);
	uint64_t v = 0;

	CHECK_EQ(weft_clock_advance(9), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(1), 0);
	end(t);
	CHECK_EQ(call.result, -ETIMEDOUT);

	call.deadline_ns = WEFT_FOREVER;
	t = begin(&call);
	CHECK_EQ(weft_chan_recv(c, &v, WEFT_FOREVER), 0);
	end(t);
	CHECK_EQ(call.result, 0);
	CHECK_EQ(v, (uint64_t)1);
	done_with(c);
	return 0;
}

/* A channel in which something comes, and its time with it, just behind the
 * first look. */
static struct weft_chan *late_inner;

static int late_recv(void *state, void *elem)
{
	uint64_t v = 1;
	int err = weft_chan_impl_find("ring")->try_recv(state, elem);

	if (err == -EAGAIN && late_inner) {
		late_inner = NULL;
		CHECK_EQ(weft_chan_impl_find("ring")->try_send(state, &v), 0);
		CHECK_EQ(weft_clock_advance(10), 0);
	}
	return err;
}

TEST_MANUAL(what_came_before_the_deadline_is_taken_after_it)
{
	struct weft_chan_impl late = *weft_chan_impl_find("ring");
	struct weft_case cs;
	struct weft_chan *c;
	uint64_t v = 0;

	late.try_recv = late_recv;
	CHECK_EQ(weft_chan_new(&c, &late, 1, sizeof(v), NULL), 0);
	late_inner = c;
	cs = weft_case_recv(c, &v);
	CHECK_EQ(weft_select(&cs, 1, weft_deadline_in(5)), 0);
	CHECK_EQ(v, (uint64_t)1);
	done_with(c);
	return 0;
}

/* Nobody tells it: a context's deadline starts no timer. */
TEST_MANUAL(either_case_at_a_context_sees_its_deadline)
{
	struct weft_ctx *ctx;
	struct weft_task *t;

	for (int i = 0; i < 2; i++) {
		struct call call = { .n = 1, .deadline_ns = WEFT_FOREVER };

		CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, 10), 0);
		call.cases[0] = i ? weft_case_send(weft_ctx_done(ctx), NULL)
		                  : weft_case_recv(weft_ctx_done(ctx), NULL);
		t = begin(&call);
		CHECK_EQ(weft_clock_advance(10), 0);
		end(t);
		CHECK_EQ(call.result, 0);
		CHECK_EQ(call.cases[0].err, -EPIPE);
		weft_ctx_unref(ctx);
	}
	return 0;
}

struct receiver {
	struct weft_chan *c;
	struct weft_ctx *ctx;
	_Atomic bool began;
};

static int receives(void *arg)
{
	struct receiver *r = arg;
	uint64_t v;

	weft_store_release(&r->began, true);
	return weft_chan_recv_ctx(r->c, &v, r->ctx, WEFT_FOREVER);
}

/* A context beside it does not make a channel's waits park. An adaptive wait
 * would have parked long before the time that this one is given. */
TEST(a_spinning_channel_spins_with_a_context_too)
{
	struct weft_chan_opts opts = { .wait = WEFT_WAIT_SPIN };
	struct receiver r = { .c = NULL };
	struct weft_run_stats stats;
	struct weft_task *t;
	int64_t until_ns;
	int status;

	CHECK_EQ(weft_chan_new(&r.c, weft_chan_impl_find("ring"), 1,
	                       sizeof(uint64_t), &opts),
	         0);
	CHECK_EQ(weft_ctx_with_cancel(&r.ctx, NULL), 0);
	CHECK_EQ(weft_spawn(&t, NULL, receives, &r), 0);
	while (!weft_load_acquire(&r.began))
		weft_yield();
	until_ns = weft_deadline_in(20 * WEFT_MS);
	while (weft_now() < until_ns)
		weft_yield();
	weft_run_stats(&stats);
	CHECK_EQ(stats.parks, (uint64_t)0);
	must_send(r.c, 1);
	CHECK_EQ(weft_join(t, &status), 0);
	CHECK_EQ(status, 0);
	weft_ctx_unref(r.ctx);
	done_with(r.c);
	return 0;
}

/* Told of two elements at once, it takes one and passes the other on. */
TEST_MANUAL(what_it_was_told_and_did_not_use_goes_to_the_next)
{
	struct weft_chan *c[2] = { chan("ring", 1), chan("ring", 1) };
	uint64_t v[2], w[2];
	struct call first = { .cases = { weft_case_recv(c[0], &v[0]),
		                         weft_case_recv(c[1], &v[1]) },
		              .n = 2,
		              .deadline_ns = WEFT_FOREVER };
	struct call second[2] = {
		{ { weft_case_recv(c[0], &w[0]) }, 1, WEFT_FOREVER, -1 },
		{ { weft_case_recv(c[1], &w[1]) }, 1, WEFT_FOREVER, -1 },
	};
	struct weft_task *t = begin(&first), *u[2];

	for (int i = 0; i < 2; i++)
		u[i] = begin(&second[i]);
	must_send(c[0], 1);
	must_send(c[1], 1);
	end(t);
	/* The select that did not get the other one by now waits for a
	 * third. */
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_chan_len(c[0]) + weft_chan_len(c[1]), (size_t)0);
	must_send(c[first.result], 1);
	for (int i = 0; i < 2; i++)
		end(u[i]);
	for (int i = 0; i < 2; i++)
		done_with(c[i]);
	return 0;
}

TEST_MANUAL(more_cases_than_fit_the_stack)
{
	enum { N = 300 };
	struct weft_chan *h = chan("handoff", 0), *r = chan("ring", 1);
	struct weft_case *cases = calloc(N, sizeof(*cases));
	struct weft_case idle = weft_case_recv(r, NULL);
	uint64_t v = 0;

	CHECK(cases != NULL);
	for (int i = 0; i < N; i++)
		cases[i] = weft_case_recv(i % 2 ? h : r, &v);
	cases[7].c = NULL;
	CHECK_EQ(weft_select(cases, N, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_chan_close(h), 0);
	idle.c = NULL;
	cases[N - 1] = idle;
	CHECK_EQ(weft_select(cases, N, WEFT_FOREVER) % 2, 1);
	free(cases);
	done_with(h);
	done_with(r);
	return 0;
}

/* A ring whose n-th look at it waits for a lock, as a channel with a lock of
 * its own does. What the look says is from before that. */
static struct {
	struct weft_lock lock;
	_Atomic int looks;
	int waits_at; /* 0: never */
} locked;

static int locked_recv(void *state, void *elem)
{
	int err = weft_chan_impl_ring.try_recv(state, elem);

	if (weft_fetch_add_relaxed(&locked.looks, 1) + 1 == locked.waits_at) {
		weft_lock_acquire(&locked.lock);
		weft_lock_release(&locked.lock);
	}
	return err;
}

static int recv_of_two(void *arg)
{
	struct weft_chan **c = arg;
	uint64_t v[2];
	struct weft_case cases[] = { weft_case_recv(c[0], &v[0]),
		                     weft_case_recv(c[1], &v[1]) };

	return weft_select(cases, 2, WEFT_FOREVER);
}

static struct weft_task *select_with_a_lock(struct weft_chan **c, int waits_at)
{
	struct weft_task *t;

	weft_store_relaxed(&locked.looks, 0);
	locked.waits_at = waits_at;
	CHECK_EQ(weft_spawn(&t, NULL, recv_of_two, c), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	return t;
}

/* The last look before the park waits, and the element comes then: for the
 * channel looked at, so that the other case cannot find it. */
TEST_MANUAL(what_came_while_a_look_waited_for_a_lock_is_found)
{
	static const struct weft_chan_opts parks = { .wait = WEFT_WAIT_PARK };
	struct weft_chan_impl impl = weft_chan_impl_ring;
	struct weft_chan *c[2];
	struct weft_task *t;
	int looks;

	impl.try_recv = locked_recv;
	weft_lock_init(&locked.lock);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_chan_new(&c[i], &impl, 4, sizeof(uint64_t),
		                       &parks),
		         0);
	t = select_with_a_lock(c, 0);
	looks = weft_load_relaxed(&locked.looks);
	must_send(c[1], 1);
	CHECK_EQ(testing_join(t), 1);

	weft_lock_acquire(&locked.lock);
	t = select_with_a_lock(c, looks);
	for (int i = 0; i < 2; i++)
		must_send(c[i], 2);
	CHECK_EQ(weft_clock_settle(), 0);
	weft_lock_release(&locked.lock);
	CHECK_LE(0, testing_join(t));
	for (int i = 0; i < 2; i++)
		done_with(c[i]);
	return 0;
}

/* --- many at once --- */

#define MESSAGES 4000

struct crossing {
	struct weft_chan *c[PAIRS];
	_Atomic uint64_t sent, received, sum_in, sum_out;
};

/* Send on whichever goes, until MESSAGES are sent. */
static int crosses_out(void *arg)
{
	struct crossing *x = arg;
	struct weft_case cases[PAIRS];

	for (uint64_t v = 1; v <= MESSAGES; v++) {
		for (int i = 0; i < PAIRS; i++)
			cases[i] = weft_case_send(x->c[i], &v);
		CHECK_LE(0, weft_select(cases, PAIRS, WEFT_FOREVER));
		weft_fetch_add_relaxed(&x->sent, 1u);
		weft_fetch_add_relaxed(&x->sum_in, v);
	}
	return 0;
}

/* Receive from whichever has something, with short deadlines, until all of
 * them are closed. */
static int crosses_in(void *arg)
{
	struct crossing *x = arg;
	struct weft_case cases[PAIRS];
	uint64_t v[PAIRS];
	int open = PAIRS, k;

	for (int i = 0; i < PAIRS; i++)
		cases[i] = weft_case_recv(x->c[i], &v[i]);
	while (open > 0) {
		k = weft_select(cases, PAIRS,
		                weft_deadline_in((int64_t)(weft_rand() % 50) *
		                                 WEFT_US));
		if (k == -ETIMEDOUT)
			continue;
		CHECK_LE(0, k);
		if (cases[k].err) {
			CHECK_EQ(cases[k].err, -EPIPE);
			cases[k].c = NULL;
			open--;
			continue;
		}
		weft_fetch_add_relaxed(&x->received, 1u);
		weft_fetch_add_relaxed(&x->sum_out, v[k]);
	}
	return 0;
}

TEST(selects_over_mixed_channels_lose_and_double_nothing)
{
	static const char *const names[PAIRS] = { "handoff", "ring", "list",
		                                  "condvar" };
	struct crossing x = { .sent = 0 };
	struct weft_task *out[3], *in[3];

	for (int i = 0; i < PAIRS; i++)
		x.c[i] = chan(names[i], i == 0 ? 0 : 2);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_spawn(&out[i], NULL, crosses_out, &x), 0);
		CHECK_EQ(weft_spawn(&in[i], NULL, crosses_in, &x), 0);
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_join(out[i], NULL), 0);
	for (int i = 0; i < PAIRS; i++)
		CHECK_EQ(weft_chan_close(x.c[i]), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_join(in[i], NULL), 0);
	CHECK_EQ(weft_load_relaxed(&x.received), weft_load_relaxed(&x.sent));
	CHECK_EQ(weft_load_relaxed(&x.sum_out), weft_load_relaxed(&x.sum_in));
	for (int i = 0; i < PAIRS; i++)
		done_with(x.c[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_input_is_refused_and_nothing_happens),
		cmocka_unit_test(
		        who_declares_select_without_poll_is_not_believed),
		cmocka_unit_test(without_a_channel_it_waits_for_its_deadline),
		cmocka_unit_test(
		        what_came_before_the_deadline_is_taken_after_it),
		cmocka_unit_test(either_case_at_a_context_sees_its_deadline),
		cmocka_unit_test(a_spinning_channel_spins_with_a_context_too),
		cmocka_unit_test(
		        what_came_while_a_look_waited_for_a_lock_is_found),
		cmocka_unit_test(a_select_waits_at_both_kinds_of_channel),
		cmocka_unit_test(two_selects_meet_at_a_rendezvous),
		cmocka_unit_test(a_select_does_not_meet_itself),
		cmocka_unit_test(
		        what_it_was_told_and_did_not_use_goes_to_the_next),
		cmocka_unit_test(more_cases_than_fit_the_stack),
		cmocka_unit_test(
		        selects_over_mixed_channels_lose_and_double_nothing),
	};

	return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
