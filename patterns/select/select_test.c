/*
 * Tests of the mux: what its calls do, and what they return. Of the edge cases
 * of select it is said which one a test is about.
 */
#include <stdlib.h>

#include "select_testing.h"

#include <weft/atomic.h>

/* --- receiving and sending --- */

RIG_TEST(it_receives_from_whichever_input_has_something)
{
	static const char *const impls[] = { "handoff", "ring", "list",
		                             "condvar", "spsc" };
	enum { N = sizeof(impls) / sizeof(impls[0]) };
	size_t which;
	int v = 0;

	for (size_t i = 0; i < N; i++)
		CHECK_EQ(add_input(m, keep(r, new_chan(impls[i], 2))), i);
	for (size_t i = 0; i < 3 * N; i++) {
		put(r->c[i % N], (int)i);
		CHECK_EQ(weft_mux_recv(m, &v, &which, WEFT_FOREVER), 0);
		CHECK_EQ(v, (int)i);
		CHECK_EQ(which, i % N);
	}
	CHECK_EQ(mux_stats(m).received, (uint64_t)3 * N);
}

RIG_TEST(it_sends_to_whichever_output_has_space)
{
	static const char *const impls[] = { "handoff", "ring", "condvar",
		                             "spsc" };
	enum { N = sizeof(impls) / sizeof(impls[0]) };
	bool seen[N] = { false };
	size_t which;

	for (size_t i = 0; i < N; i++)
		output(r, impls[i], 1);
	for (int v = 0; v < N; v++) {
		CHECK_EQ(weft_mux_send(m, &v, &which, WEFT_NOW), 0);
		CHECK(!seen[which]);
		seen[which] = true;
		CHECK_EQ(weft_chan_len(r->c[which]), 1u);
	}
	/* Now all are full. */
	CHECK_EQ(weft_mux_send(m, &(int){ 9 }, &which, WEFT_NOW), -ETIMEDOUT);
	for (size_t i = 0; i < N; i++)
		take(r->c[i]);
	CHECK_EQ(mux_stats(m).sent, (uint64_t)N);
}

RIG_TEST(it_does_the_one_of_both_that_can_be_done)
{
	struct weft_chan *in = input(r, "ring", 1), *out = output(r, "ring", 1);
	enum weft_case_op op;
	int sent = 5, got = 0;
	size_t which;

	CHECK_EQ(weft_mux_select(m, &sent, &got, &op, &which, WEFT_NOW), 0);
	CHECK(op == WEFT_CASE_SEND);
	CHECK_EQ(which, 1u);
	put(in, 7);
	CHECK_EQ(weft_mux_select(m, &sent, &got, &op, &which, WEFT_NOW), 0);
	CHECK(op == WEFT_CASE_RECV);
	CHECK_EQ(which, 0u);
	CHECK_EQ(got, 7);
	CHECK_EQ(take(out), 5);
}

RIG_TEST(elements_of_no_bytes_need_no_memory)
{
	struct weft_chan *c = keep(r, testing_chan("ring", 1, 0));
	size_t which;

	m = replace_mux(r, (struct weft_mux_opts){ .elem_size = 0 });
	add_input(m, c);
	add_output(m, c);
	CHECK_EQ(weft_mux_send(m, NULL, &which, WEFT_NOW), 0);
	CHECK_EQ(which, 1u);
	CHECK_EQ(weft_mux_recv(m, NULL, NULL, WEFT_NOW), 0);
}

/* The pointers of one call must not serve the next. */
RIG_TEST(each_call_writes_to_its_own_memory)
{
	struct weft_chan *c = input(r, "ring", 1);
	int v[2] = { 0 };

	for (int i = 1; i <= 6; i++) {
		put(c, i);
		CHECK_EQ(weft_mux_recv(m, &v[i % 2], NULL, WEFT_NOW), 0);
		CHECK_EQ(v[i % 2], i);
		CHECK_EQ(v[1 - i % 2], i - 1);
	}
}

/* --- waiting --- */

/* Edge case: a timeout. */
RIG_TEST_MANUAL(what_comes_after_a_timeout_is_not_lost)
{
	struct weft_chan *c = input(r, "handoff", 0);
	struct waiting w;

	CHECK_EQ(weft_mux_recv(m, &w.in, NULL, WEFT_NOW), -ETIMEDOUT);
	begin_recv(&w, m);
	put(c, 3);
	expect_received(&w, 0, 3);
}

RIG_TEST_MANUAL(a_sender_waits_until_one_output_has_space)
{
	struct weft_chan *buffered = output(r, "ring", 1);
	struct weft_chan *direct = output(r, "handoff", 0);
	struct waiting w;

	put(buffered, 1);
	begin_send(&w, m, 4);
	CHECK_EQ(take(buffered), 1);
	CHECK_EQ(testing_join(w.task), 0);
	CHECK_EQ(w.which, 0u);
	CHECK_EQ(take(buffered), 4);

	put(buffered, 1);
	begin_send(&w, m, 5);
	CHECK_EQ(take(direct), 5);
	CHECK_EQ(testing_join(w.task), 0);
	CHECK_EQ(w.which, 1u);
}

RIG_TEST_MANUAL(several_calls_may_wait_at_once)
{
	enum { N = 9 }; /* more than hands are kept */
	struct waiting w[N];
	int sum = 0;

	input(r, "handoff", 0);
	input(r, "ring", 1);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++)
			begin_recv(&w[i], m);
		for (int i = 0; i < N; i++) {
			put(r->c[i % 2], 1 << i);
			CHECK_EQ(weft_clock_settle(), 0);
		}
		sum = 0;
		for (int i = 0; i < N; i++) {
			CHECK_EQ(testing_join(w[i].task), 0);
			sum += w[i].in;
		}
		CHECK_EQ(sum, (1 << N) - 1);
	}
	CHECK_EQ(mux_stats(m).received, (uint64_t)3 * N);
}

/* --- the edge cases of select --- */

/* Edge case: no cases at all. */
RIG_TEST_MANUAL(without_ports_there_is_nothing_to_wait_for)
{
	enum weft_case_op op;
	int v = 0;

	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_mux_send(m, &v, NULL, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_mux_select(m, &v, &v, &op, NULL, WEFT_FOREVER), -EPIPE);
}

/* Of n ports at channels that always have their number inside, each is used
 * equally often, to within 10 standard deviations. */
static void expect_even(struct rig *r, size_t n, int spread)
{
	enum { TRIES = 10000 };
	size_t which;
	int v, share = TRIES / (int)n;

	for (int i = 0; i < TRIES; i++) {
		CHECK_EQ(weft_mux_recv(r->m, &v, &which, WEFT_NOW), 0);
		CHECK_EQ(v, (int)(which % r->n));
		put(r->c[v], v);
	}
	for (size_t i = 0; i < n; i++) {
		CHECK_LT(share - spread, (int)port_stats(r->m, i).moved);
		CHECK_LT((int)port_stats(r->m, i).moved, share + spread);
	}
}

/* Edge case: fairness. Each more than 10 %, and in fact a quarter. */
RIG_TEST(ready_inputs_are_chosen_evenly)
{
	static const char *const impls[] = { "handoff", "ring", "list",
		                             "spsc" };

	for (int i = 0; i < 4; i++)
		put(input(r, impls[i], 1), i);
	expect_even(r, 4, 433);
}

/* Edge case: the same channel twice. Twice as likely, and once as often. */
RIG_TEST(a_channel_that_is_there_twice_counts_twice)
{
	struct weft_chan *twice = input(r, "ring", 1);

	put(twice, 0);
	put(input(r, "list", 1), 1);
	CHECK_EQ(add_input(m, twice), 2u);
	expect_even(r, 3, 471);
}

/* Edge case: send and receive on one channel. */
RIG_TEST_MANUAL(a_call_never_meets_itself)
{
	struct waiting w[2];

	add_output(m, input(r, "handoff", 0));
	begin_select(&w[0], m, 1, weft_deadline_in(WEFT_SEC));
	CHECK_EQ(testing_join_moving(w[0].task), -ETIMEDOUT);

	/* But another that does the same. */
	begin_select(&w[0], m, 1, WEFT_FOREVER);
	begin_select(&w[1], m, 2, WEFT_FOREVER);
	CHECK_EQ(testing_join(w[0].task), 0);
	CHECK_EQ(testing_join(w[1].task), 0);
	CHECK(w[0].op != w[1].op);
	CHECK_EQ(w[0].op == WEFT_CASE_RECV ? w[0].in : w[1].in,
	         w[0].op == WEFT_CASE_RECV ? 2 : 1);
}

/* The same with space in between: it may receive what it sent before. */
RIG_TEST(with_space_it_may_receive_what_it_sent_before)
{
	struct weft_chan *c = input(r, "handoff", 10);
	uint64_t inside = 0;
	enum weft_case_op op;
	int in;

	add_output(m, c);
	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(weft_mux_select(m, &i, &in, &op, NULL, WEFT_NOW), 0);
		inside = op == WEFT_CASE_SEND ? inside + 1 : inside - 1;
		CHECK_LE(inside, 10u);
		CHECK_EQ(weft_chan_len(c), inside);
	}
}

/* Edge case: select against select. */
RIG_TEST_MANUAL(calls_of_two_muxes_meet)
{
	struct weft_mux *from = new_mux();
	struct waiting w;
	size_t which;

	for (int i = 0; i < 3; i++)
		add_output(from, keep(r, new_chan("handoff", 0)));
	/* In the other order, and not all of them. */
	add_input(m, r->c[2]);
	add_input(m, r->c[1]);
	for (int i = 0; i < 100; i++) {
		begin_recv(&w, m);
		CHECK_EQ(weft_mux_send(from, &i, &which, WEFT_NOW), 0);
		expect_received(&w, 2 - which, i);
	}
	weft_mux_free(from);
}

/* Edge case: "nothing ready" is true at one instant. A token moves from one
 * channel to the other and back, each time into the new one first: so at every
 * instant one of them has one. */
struct moving {
	struct weft_chan *c[2];
	_Atomic bool enough;
};

static int move_token(void *arg)
{
	struct moving *mv = arg;
	int v;

	for (int i = 0; !weft_load_relaxed(&mv->enough); i ^= 1) {
		put(mv->c[1 - i], 1);
		CHECK_EQ(weft_chan_recv(mv->c[i], &v, WEFT_FOREVER), 0);
	}
	return 0;
}

RIG_TEST(there_is_always_something_when_there_always_was)
{
	struct moving mv = { .c = { input(r, "ring", 4),
		                    input(r, "handoff", 4) } };
	struct weft_task *t;
	size_t which;
	int v;

	put(r->c[0], 1);
	t = testing_spawn(move_token, &mv);
	for (int i = 0; i < (TESTING_SLOW ? 1000 : 20000); i++) {
		CHECK_EQ(weft_mux_recv(m, &v, &which, WEFT_NOW), 0);
		put(r->c[which], v);
	}
	weft_store_relaxed(&mv.enough, true);
	CHECK_EQ(testing_join(t), 0);
}

/* --- the end of channels --- */

RIG_TEST(a_closed_input_is_drained_and_dropped)
{
	int got[2] = { 0 }, v;
	size_t which;

	input(r, "ring", 4);
	input(r, "handoff", 4);
	for (size_t i = 0; i < 2; i++) {
		for (int k = 0; k < 3; k++)
			put(r->c[i], k);
		CHECK_EQ(weft_chan_close(r->c[i]), 0);
	}
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(weft_mux_recv(m, &v, &which, WEFT_FOREVER), 0);
		CHECK_EQ(v, got[which]++);
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_mux_recv(m, &v, &which, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(mux_stats(m).inputs, 0u);
	CHECK_EQ(mux_stats(m).received, 6u);
	/* What it did is still known. */
	CHECK(port_stats(m, 0).dropped);
	CHECK_EQ(port_stats(m, 0).moved, 3u);
}

RIG_TEST_MANUAL(one_closed_input_leaves_the_others)
{
	struct waiting w;

	input(r, "handoff", 0);
	input(r, "ring", 1);
	begin_recv(&w, m);
	CHECK_EQ(weft_chan_close(r->c[0]), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	put(r->c[1], 8);
	expect_received(&w, 1, 8);
	CHECK_EQ(mux_stats(m).inputs, 1u);
}

RIG_TEST_MANUAL(everyone_learns_that_the_last_input_is_closed)
{
	struct weft_chan *c = input(r, "handoff", 0);
	struct waiting w[3];

	for (int i = 0; i < 3; i++)
		begin_recv(&w[i], m);
	CHECK_EQ(weft_chan_close(c), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(testing_join(w[i].task), -EPIPE);
}

RIG_TEST(a_closed_output_is_dropped_and_nothing_sent_there)
{
	struct weft_chan *first = output(r, "ring", 8);
	struct weft_chan *second = output(r, "ring", 8);
	size_t which;

	CHECK_EQ(weft_chan_close(first), 0);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(weft_mux_send(m, &i, &which, WEFT_NOW), 0);
		CHECK_EQ(which, 1u);
	}
	CHECK_EQ(weft_chan_close(second), 0);
	CHECK_EQ(weft_mux_send(m, &(int){ 8 }, &which, WEFT_NOW), -EPIPE);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(take(second), i);
}

RIG_TEST_MANUAL(what_is_left_of_both_goes_on)
{
	struct weft_chan *in = input(r, "handoff", 1);
	struct weft_chan *out = output(r, "ring", 1);
	struct waiting w;
	int v = 0;

	CHECK_EQ(weft_chan_close(in), 0);
	begin_select(&w, m, 1, WEFT_FOREVER);
	CHECK_EQ(testing_join(w.task), 0);
	CHECK(w.op == WEFT_CASE_SEND);
	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_chan_close(out), 0);
	CHECK_EQ(weft_mux_select(m, &v, &v, &w.op, NULL, WEFT_FOREVER), -EPIPE);
}

/* --- bad input --- */

TEST(a_mux_that_makes_no_sense_is_refused)
{
	struct weft_mux_opts wide = { .elem_size = WEFT_ELEM_MAX + 1 };
	struct weft_mux_opts odd = { .wait = (enum weft_wait)9 };
	struct weft_mux *m = NULL;

	CHECK_EQ(weft_mux_new(NULL, NULL), -EINVAL);
	CHECK_EQ(weft_mux_new(&m, &wide), -EINVAL);
	CHECK_EQ(weft_mux_new(&m, &odd), -EINVAL);
	CHECK(m == NULL);
	return 0;
}

RIG_TEST(ports_that_make_no_sense_are_refused)
{
	struct weft_chan *pipe = keep(r, new_chan("pipe", 1));
	struct weft_chan *wide = keep(r, testing_chan("ring", 1, 8));
	struct weft_chan *c = keep(r, new_chan("ring", 1));
	size_t port = 7;

	CHECK_EQ(weft_mux_add(NULL, wide, WEFT_CASE_RECV, &port), -EINVAL);
	CHECK_EQ(weft_mux_add(m, NULL, WEFT_CASE_RECV, &port), -EINVAL);
	CHECK_EQ(weft_mux_add(m, wide, WEFT_CASE_RECV, &port), -EINVAL);
	CHECK_EQ(weft_mux_add(m, pipe, (enum weft_case_op)2, &port), -EINVAL);
	CHECK_EQ(weft_mux_add(m, pipe, WEFT_CASE_RECV, &port), -EOPNOTSUPP);
	for (size_t i = 0; i < WEFT_MUX_PORTS_MAX; i++)
		CHECK_EQ(weft_mux_add(m, c, WEFT_CASE_RECV, NULL), 0);
	CHECK_EQ(weft_mux_add(m, c, WEFT_CASE_RECV, &port), -ENOSPC);
	CHECK_EQ(port, 7u);
	put(c, 1);
	CHECK_EQ(weft_mux_recv(m, &(int){ 0 }, &port, WEFT_FOREVER), 0);
	CHECK_EQ(weft_mux_recv(m, &(int){ 0 }, &port, WEFT_NOW), -ETIMEDOUT);
}

RIG_TEST(what_is_needed_may_not_be_missing)
{
	struct weft_mux_port_stats port;
	enum weft_case_op op;
	int v = 0;

	CHECK_EQ(weft_mux_select(NULL, &v, &v, &op, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_mux_recv(m, NULL, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_mux_send(m, NULL, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_mux_select(m, &v, NULL, &op, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_mux_select(m, NULL, &v, &op, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_mux_select(m, &v, &v, NULL, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_mux_remove(NULL, 0), -EINVAL);
	CHECK_EQ(weft_mux_remove(m, 0), -ENOENT);
	CHECK_EQ(weft_mux_pause(NULL, 0, true), -EINVAL);
	CHECK_EQ(weft_mux_pause(m, 0, true), -ENOENT);
	CHECK_EQ(weft_mux_port_stats(NULL, 0, &port), -EINVAL);
	CHECK_EQ(weft_mux_port_stats(m, 0, NULL), -EINVAL);
	CHECK_EQ(weft_mux_port_stats(m, 0, &port), -ENOENT);
}
