/*
 * Tests of the mux: what its calls do, and what they return. Of the edge cases
 * of select it is said which one a test is about.
 */
#include <errno.h>
#include <stdlib.h>

#include "select_testing.h"

#include <weft/atomic.h>

/* --- receiving and sending --- */

TEST(it_receives_from_whichever_input_has_something)
{
	static const char *const impls[] = { "handoff", "ring", "list",
		                             "condvar", "spsc" };
	enum { N = sizeof(impls) / sizeof(impls[0]) };
	struct weft_mux *m = new_mux();
	struct weft_chan *c[N];
	size_t which;
	int v = 0;

	for (size_t i = 0; i < N; i++) {
		c[i] = new_chan(impls[i], 2);
		CHECK_EQ(add_input(m, c[i]), i);
	}
	for (size_t i = 0; i < 3 * N; i++) {
		put(c[i % N], (int)i);
		CHECK_EQ(weft_mux_recv(m, &v, &which, WEFT_FOREVER), 0);
		CHECK_EQ(v, (int)i);
		CHECK_EQ(which, i % N);
	}
	CHECK_EQ(mux_stats(m).received, (uint64_t)3 * N);
	weft_mux_free(m);
	for (size_t i = 0; i < N; i++)
		free_chan(c[i]);
	return 0;
}

TEST(it_sends_to_whichever_output_has_space)
{
	static const char *const impls[] = { "handoff", "ring", "condvar",
		                             "spsc" };
	enum { N = sizeof(impls) / sizeof(impls[0]) };
	struct weft_mux *m = new_mux();
	struct weft_chan *c[N];
	bool seen[N] = { false };
	size_t which;

	for (size_t i = 0; i < N; i++) {
		c[i] = new_chan(impls[i], 1);
		add_output(m, c[i]);
	}
	for (int v = 0; v < N; v++) {
		CHECK_EQ(weft_mux_send(m, &v, &which, WEFT_NOW), 0);
		CHECK(!seen[which]);
		seen[which] = true;
		CHECK_EQ(weft_chan_len(c[which]), 1u);
	}
	/* Now all are full. */
	CHECK_EQ(weft_mux_send(m, &(int){ 9 }, &which, WEFT_NOW), -ETIMEDOUT);
	for (size_t i = 0; i < N; i++)
		take(c[i]);
	CHECK_EQ(mux_stats(m).sent, (uint64_t)N);
	weft_mux_free(m);
	for (size_t i = 0; i < N; i++)
		free_chan(c[i]);
	return 0;
}

TEST(it_does_the_one_of_both_that_can_be_done)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *in = new_chan("ring", 1), *out = new_chan("ring", 1);
	size_t input = add_input(m, in), output = add_output(m, out), which;
	enum weft_case_op op;
	int sent = 5, got = 0;

	CHECK_EQ(weft_mux_select(m, &sent, &got, &op, &which, WEFT_NOW), 0);
	CHECK(op == WEFT_CASE_SEND);
	CHECK_EQ(which, output);
	put(in, 7);
	CHECK_EQ(weft_mux_select(m, &sent, &got, &op, &which, WEFT_NOW), 0);
	CHECK(op == WEFT_CASE_RECV);
	CHECK_EQ(which, input);
	CHECK_EQ(got, 7);
	CHECK_EQ(take(out), 5);
	weft_mux_free(m);
	free_chan(in);
	free_chan(out);
	return 0;
}

TEST(elements_of_no_bytes_need_no_memory)
{
	struct weft_mux *m = mux_of(NULL);
	struct weft_chan *c;
	size_t which;

	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find("ring"), 1, 0, NULL), 0);
	add_input(m, c);
	add_output(m, c);
	CHECK_EQ(weft_mux_send(m, NULL, &which, WEFT_NOW), 0);
	CHECK_EQ(which, 1u);
	CHECK_EQ(weft_mux_recv(m, NULL, NULL, WEFT_NOW), 0);
	weft_mux_free(m);
	free_chan(c);
	return 0;
}

/* The pointers of one call must not serve the next. */
TEST(each_call_writes_to_its_own_memory)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c = new_chan("ring", 1);
	int v[2] = { 0 };

	add_input(m, c);
	for (int i = 1; i <= 6; i++) {
		put(c, i);
		CHECK_EQ(weft_mux_recv(m, &v[i % 2], NULL, WEFT_NOW), 0);
		CHECK_EQ(v[i % 2], i);
		CHECK_EQ(v[1 - i % 2], i - 1);
	}
	weft_mux_free(m);
	free_chan(c);
	return 0;
}

/* --- waiting --- */

/* Edge case: a timeout. */
TEST_MANUAL(what_comes_after_a_timeout_is_not_lost)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c = new_chan("handoff", 0);
	struct waiting w = receiving(m);

	add_input(m, c);
	CHECK_EQ(weft_mux_recv(m, &w.in, NULL, WEFT_NOW), -ETIMEDOUT);
	begin_call(&w);
	put(c, 3);
	CHECK_EQ(testing_join(w.task), 0);
	CHECK_EQ(w.in, 3);
	weft_mux_free(m);
	free_chan(c);
	return 0;
}

TEST_MANUAL(a_sender_waits_until_one_output_has_space)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c[2] = { new_chan("ring", 1),
		                   new_chan("handoff", 0) };
	struct waiting w = sending(m, 4);

	add_output(m, c[0]);
	add_output(m, c[1]);
	put(c[0], 1);
	begin_call(&w);
	CHECK_EQ(take(c[0]), 1);
	CHECK_EQ(testing_join(w.task), 0);
	CHECK_EQ(w.which, 0u);
	CHECK_EQ(take(c[0]), 4);

	put(c[0], 1);
	w = sending(m, 5);
	begin_call(&w);
	CHECK_EQ(take(c[1]), 5);
	CHECK_EQ(testing_join(w.task), 0);
	CHECK_EQ(w.which, 1u);
	weft_mux_free(m);
	free_chan(c[0]);
	free_chan(c[1]);
	return 0;
}

TEST_MANUAL(several_calls_may_wait_at_once)
{
	enum { N = 9 }; /* more than hands are kept */
	struct weft_mux *m = new_mux();
	struct weft_chan *c[2] = { new_chan("handoff", 0),
		                   new_chan("ring", 1) };
	struct waiting w[N];
	int sum = 0;

	add_input(m, c[0]);
	add_input(m, c[1]);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++) {
			w[i] = receiving(m);
			begin_call(&w[i]);
		}
		for (int i = 0; i < N; i++) {
			put(c[i % 2], 1 << i);
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
	weft_mux_free(m);
	free_chan(c[0]);
	free_chan(c[1]);
	return 0;
}

/* --- the edge cases of select --- */

/* Edge case: no cases at all. */
TEST_MANUAL(without_ports_there_is_nothing_to_wait_for)
{
	struct weft_mux *m = new_mux();
	enum weft_case_op op;
	int v = 0;

	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_mux_send(m, &v, NULL, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_mux_select(m, &v, &v, &op, NULL, WEFT_FOREVER), -EPIPE);
	weft_mux_free(m);
	return 0;
}

/* Edge case: the same channel twice. Twice as likely, and once as often. */
TEST(a_channel_that_is_there_twice_counts_twice)
{
	enum { N = 9000 };
	struct weft_mux *m = new_mux();
	struct weft_chan *twice = new_chan("ring", 1),
	                 *once = new_chan("list", 1);
	size_t port[3] = { add_input(m, twice), add_input(m, twice),
		           add_input(m, once) };
	size_t which;
	int v;

	put(twice, 0);
	put(once, 1);
	for (int i = 0; i < N; i++) {
		CHECK_EQ(weft_mux_recv(m, &v, &which, WEFT_NOW), 0);
		CHECK_EQ(v, which == port[2]);
		put(v ? once : twice, v);
	}
	/* A third each, to within 10 standard deviations. */
	for (int i = 0; i < 3; i++) {
		CHECK_LT(N / 3 - 450, (int)port_stats(m, port[i]).moved);
		CHECK_LT((int)port_stats(m, port[i]).moved, N / 3 + 450);
	}
	weft_mux_free(m);
	free_chan(twice);
	free_chan(once);
	return 0;
}

/* Edge case: send and receive on one channel. */
TEST_MANUAL(a_call_never_meets_itself)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c = new_chan("handoff", 0);
	struct waiting w[2] = { selecting(m, 1), selecting(m, 2) };

	add_input(m, c);
	add_output(m, c);
	w[0].deadline_ns = weft_deadline_in(WEFT_SEC);
	begin_call(&w[0]);
	CHECK_EQ(testing_join_moving(w[0].task), -ETIMEDOUT);

	/* But another that does the same. */
	w[0].deadline_ns = WEFT_FOREVER;
	begin_call(&w[0]);
	begin_call(&w[1]);
	CHECK_EQ(testing_join(w[0].task), 0);
	CHECK_EQ(testing_join(w[1].task), 0);
	CHECK(w[0].op != w[1].op);
	CHECK_EQ(w[0].op == WEFT_CASE_RECV ? w[0].in : w[1].in,
	         w[0].op == WEFT_CASE_RECV ? 2 : 1);
	weft_mux_free(m);
	free_chan(c);
	return 0;
}

/* The same with space in between: it may receive what it sent before. */
TEST(with_space_it_may_receive_what_it_sent_before)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c = new_chan("handoff", 10);
	uint64_t inside = 0;
	enum weft_case_op op;
	int in;

	add_input(m, c);
	add_output(m, c);
	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(weft_mux_select(m, &i, &in, &op, NULL, WEFT_NOW), 0);
		inside = op == WEFT_CASE_SEND ? inside + 1 : inside - 1;
		CHECK_LE(inside, 10u);
		CHECK_EQ(weft_chan_len(c), inside);
	}
	weft_mux_free(m);
	free_chan(c);
	return 0;
}

/* Edge case: select against select. */
TEST_MANUAL(calls_of_two_muxes_meet)
{
	struct weft_mux *from = new_mux(), *to = new_mux();
	struct weft_chan *c[3];
	struct waiting w = receiving(to);
	size_t which;

	for (int i = 0; i < 3; i++) {
		c[i] = new_chan("handoff", 0);
		add_output(from, c[i]);
	}
	/* In the other order, and not all of them. */
	add_input(to, c[2]);
	add_input(to, c[1]);
	for (int i = 0; i < 100; i++) {
		w = receiving(to);
		begin_call(&w);
		CHECK_EQ(weft_mux_send(from, &i, &which, WEFT_NOW), 0);
		CHECK_EQ(testing_join(w.task), 0);
		CHECK_EQ(w.in, i);
		CHECK_EQ(w.which + which, 2u);
	}
	weft_mux_free(from);
	weft_mux_free(to);
	for (int i = 0; i < 3; i++)
		free_chan(c[i]);
	return 0;
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

TEST(there_is_always_something_when_there_always_was)
{
	struct moving mv = { .c = { new_chan("ring", 4),
		                    new_chan("handoff", 4) } };
	struct weft_mux *m = new_mux();
	struct weft_task *t;
	size_t which;
	int v;

	add_input(m, mv.c[0]);
	add_input(m, mv.c[1]);
	put(mv.c[0], 1);
	t = testing_spawn(move_token, &mv);
	for (int i = 0; i < (TESTING_SLOW ? 1000 : 20000); i++) {
		CHECK_EQ(weft_mux_recv(m, &v, &which, WEFT_NOW), 0);
		put(mv.c[which], v);
	}
	weft_store_relaxed(&mv.enough, true);
	CHECK_EQ(testing_join(t), 0);
	weft_mux_free(m);
	free_chan(mv.c[0]);
	free_chan(mv.c[1]);
	return 0;
}

/* Edge case: of inputs that always have something, each more than 10 % (and
 * in fact a quarter, to within 10 standard deviations). */
TEST(ready_inputs_are_chosen_evenly)
{
	static const char *const impls[] = { "handoff", "ring", "list",
		                             "spsc" };
	enum { N = 4, TRIES = 10000 };
	struct weft_mux *m = new_mux();
	struct weft_chan *c[N];
	uint64_t moved;
	size_t which;
	int v;

	for (size_t i = 0; i < N; i++) {
		c[i] = new_chan(impls[i], 1);
		add_input(m, c[i]);
		put(c[i], 0);
	}
	for (int i = 0; i < TRIES; i++) {
		CHECK_EQ(weft_mux_recv(m, &v, &which, WEFT_NOW), 0);
		put(c[which], v);
	}
	for (size_t i = 0; i < N; i++) {
		moved = port_stats(m, i).moved;
		CHECK_LT(TRIES / N - 433u, moved);
		CHECK_LT(moved, TRIES / N + 433u);
	}
	weft_mux_free(m);
	for (size_t i = 0; i < N; i++)
		free_chan(c[i]);
	return 0;
}

/* --- the end of channels --- */

TEST(a_closed_input_is_drained_and_dropped)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c[2] = { new_chan("ring", 4),
		                   new_chan("handoff", 4) };
	int got[2] = { 0 }, v;
	size_t which;

	for (size_t i = 0; i < 2; i++) {
		add_input(m, c[i]);
		for (int k = 0; k < 3; k++)
			put(c[i], k);
	}
	CHECK_EQ(weft_chan_close(c[0]), 0);
	CHECK_EQ(weft_chan_close(c[1]), 0);
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
	weft_mux_free(m);
	free_chan(c[0]);
	free_chan(c[1]);
	return 0;
}

TEST_MANUAL(one_closed_input_leaves_the_others)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c[2] = { new_chan("handoff", 0),
		                   new_chan("ring", 1) };
	struct waiting w = receiving(m);

	add_input(m, c[0]);
	add_input(m, c[1]);
	begin_call(&w);
	CHECK_EQ(weft_chan_close(c[0]), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	put(c[1], 8);
	CHECK_EQ(testing_join(w.task), 0);
	CHECK_EQ(w.in, 8);
	CHECK_EQ(w.which, 1u);
	CHECK_EQ(mux_stats(m).inputs, 1u);
	weft_mux_free(m);
	free_chan(c[0]);
	free_chan(c[1]);
	return 0;
}

TEST_MANUAL(everyone_learns_that_the_last_input_is_closed)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c = new_chan("handoff", 0);
	struct waiting w[3];

	add_input(m, c);
	for (int i = 0; i < 3; i++) {
		w[i] = receiving(m);
		begin_call(&w[i]);
	}
	CHECK_EQ(weft_chan_close(c), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(testing_join(w[i].task), -EPIPE);
	weft_mux_free(m);
	free_chan(c);
	return 0;
}

TEST(a_closed_output_is_dropped_and_nothing_sent_there)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c[2] = { new_chan("ring", 8), new_chan("ring", 8) };
	size_t which;

	add_output(m, c[0]);
	add_output(m, c[1]);
	CHECK_EQ(weft_chan_close(c[0]), 0);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(weft_mux_send(m, &i, &which, WEFT_NOW), 0);
		CHECK_EQ(which, 1u);
	}
	CHECK_EQ(weft_chan_close(c[1]), 0);
	CHECK_EQ(weft_mux_send(m, &(int){ 8 }, &which, WEFT_NOW), -EPIPE);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(take(c[1]), i);
	weft_mux_free(m);
	free_chan(c[0]);
	free_chan(c[1]);
	return 0;
}

TEST_MANUAL(what_is_left_of_both_goes_on)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *in = new_chan("handoff", 1),
	                 *out = new_chan("ring", 1);
	struct waiting w = selecting(m, 1);
	int v = 0;

	add_input(m, in);
	add_output(m, out);
	CHECK_EQ(weft_chan_close(in), 0);
	begin_call(&w);
	CHECK_EQ(testing_join(w.task), 0);
	CHECK(w.op == WEFT_CASE_SEND);
	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_chan_close(out), 0);
	CHECK_EQ(weft_mux_select(m, &v, &v, &w.op, NULL, WEFT_FOREVER), -EPIPE);
	weft_mux_free(m);
	free_chan(in);
	free_chan(out);
	return 0;
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

TEST(ports_that_make_no_sense_are_refused)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *pipe = new_chan("pipe", 1), *wide, *c;
	size_t port = 7;

	CHECK_EQ(weft_chan_new(&wide, weft_chan_impl_find("ring"), 1, 8, NULL),
	         0);
	CHECK_EQ(weft_mux_add(NULL, wide, WEFT_CASE_RECV, &port), -EINVAL);
	CHECK_EQ(weft_mux_add(m, NULL, WEFT_CASE_RECV, &port), -EINVAL);
	CHECK_EQ(weft_mux_add(m, wide, WEFT_CASE_RECV, &port), -EINVAL);
	CHECK_EQ(weft_mux_add(m, pipe, (enum weft_case_op)2, &port), -EINVAL);
	CHECK_EQ(weft_mux_add(m, pipe, WEFT_CASE_RECV, &port), -EOPNOTSUPP);
	c = new_chan("ring", 1);
	for (size_t i = 0; i < WEFT_MUX_PORTS_MAX; i++)
		CHECK_EQ(weft_mux_add(m, c, WEFT_CASE_RECV, NULL), 0);
	CHECK_EQ(weft_mux_add(m, c, WEFT_CASE_RECV, &port), -ENOSPC);
	CHECK_EQ(port, 7u);
	put(c, 1);
	CHECK_EQ(weft_mux_recv(m, &(int){ 0 }, &port, WEFT_FOREVER), 0);
	CHECK_EQ(weft_mux_recv(m, &(int){ 0 }, &port, WEFT_NOW), -ETIMEDOUT);
	weft_mux_free(m);
	free_chan(c);
	free_chan(wide);
	free_chan(pipe);
	return 0;
}

TEST(what_is_needed_may_not_be_missing)
{
	struct weft_mux_port_stats port;
	struct weft_mux *m = new_mux();
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
	weft_mux_free(m);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        it_receives_from_whichever_input_has_something),
		cmocka_unit_test(it_sends_to_whichever_output_has_space),
		cmocka_unit_test(it_does_the_one_of_both_that_can_be_done),
		cmocka_unit_test(elements_of_no_bytes_need_no_memory),
		cmocka_unit_test(each_call_writes_to_its_own_memory),
		cmocka_unit_test(what_comes_after_a_timeout_is_not_lost),
		cmocka_unit_test(a_sender_waits_until_one_output_has_space),
		cmocka_unit_test(several_calls_may_wait_at_once),
		cmocka_unit_test(without_ports_there_is_nothing_to_wait_for),
		cmocka_unit_test(a_channel_that_is_there_twice_counts_twice),
		cmocka_unit_test(a_call_never_meets_itself),
		cmocka_unit_test(with_space_it_may_receive_what_it_sent_before),
		cmocka_unit_test(calls_of_two_muxes_meet),
		cmocka_unit_test(
		        there_is_always_something_when_there_always_was),
		cmocka_unit_test(ready_inputs_are_chosen_evenly),
		cmocka_unit_test(a_closed_input_is_drained_and_dropped),
		cmocka_unit_test(one_closed_input_leaves_the_others),
		cmocka_unit_test(everyone_learns_that_the_last_input_is_closed),
		cmocka_unit_test(
		        a_closed_output_is_dropped_and_nothing_sent_there),
		cmocka_unit_test(what_is_left_of_both_goes_on),
		cmocka_unit_test(a_mux_that_makes_no_sense_is_refused),
		cmocka_unit_test(ports_that_make_no_sense_are_refused),
		cmocka_unit_test(what_is_needed_may_not_be_missing),
	};

	return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
