/* Tests of the mux: its ports come, pause and go while calls wait. */
#include <errno.h>

#include "select_testing.h"

#include <weft/atomic.h>

/* --- adding --- */

TEST_MANUAL(a_call_that_waits_sees_a_port_that_is_added)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c[2] = { new_chan("handoff", 0),
		                   new_chan("ring", 1) };
	struct waiting w[2] = { receiving(m), receiving(m) };

	add_input(m, c[0]);
	begin_call(&w[0]);
	begin_call(&w[1]);
	add_input(m, c[1]);
	CHECK_EQ(weft_clock_settle(), 0);
	put(c[1], 6);
	CHECK_EQ(weft_clock_settle(), 0);
	put(c[1], 6);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(testing_join(w[i].task), 0);
		CHECK_EQ(w[i].in, 6);
		CHECK_EQ(w[i].which, 1u);
	}
	weft_mux_free(m);
	free_chan(c[0]);
	free_chan(c[1]);
	return 0;
}

TEST_MANUAL(with_hold_calls_wait_for_the_first_port)
{
	struct weft_mux *m = mux_of(&(struct weft_mux_opts){
	        .elem_size = sizeof(int), .hold = true });
	struct weft_chan *in = new_chan("handoff", 0),
	                 *out = new_chan("ring", 1);
	struct waiting w[2] = { receiving(m), sending(m, 5) };

	begin_call(&w[0]);
	begin_call(&w[1]);
	add_output(m, out);
	CHECK_EQ(testing_join(w[1].task), 0);
	add_input(m, in);
	CHECK_EQ(weft_clock_settle(), 0);
	put(in, 6);
	CHECK_EQ(testing_join(w[0].task), 0);
	CHECK_EQ(w[0].in, 6);
	CHECK_EQ(take(out), 5);

	/* None again. */
	CHECK_EQ(weft_chan_close(in), 0);
	w[0] = receiving(m);
	begin_call(&w[0]);
	CHECK_EQ(weft_mux_recv(m, &w[1].in, NULL, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_mux_close(m), 0);
	CHECK_EQ(testing_join(w[0].task), -EPIPE);
	weft_mux_free(m);
	free_chan(in);
	free_chan(out);
	return 0;
}

TEST(a_closed_mux_takes_no_ports_but_uses_those_it_has)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c = new_chan("ring", 1);
	int v = 0;

	add_input(m, c);
	CHECK_EQ(weft_mux_close(m), 0);
	CHECK_EQ(weft_mux_close(m), -EPIPE);
	CHECK_EQ(weft_mux_add(m, c, WEFT_CASE_SEND, NULL), -EPIPE);
	put(c, 1);
	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(v, 1);
	weft_mux_free(m);
	free_chan(c);
	return 0;
}

/* The mux keeps a channel alive by itself, and no longer than it has it. When
 * the channel goes, it is not in the midst of something. */
struct drops {
	struct weft_mux *m; /* NULL while it is freed */
	int n;
};

static void count_drop(void *elem, void *arg)
{
	struct drops *drops = arg;

	(void)elem;
	drops->n++;
	if (drops->m)
		CHECK_EQ(mux_stats(drops->m).inputs, 1u);
}

/* A channel with an element inside, of which the mux has the only reference. */
static size_t add_its_own(struct weft_mux *m, struct drops *drops)
{
	struct weft_chan_opts opts = { .drop = count_drop, .drop_arg = drops };
	struct weft_chan *c;
	size_t port;

	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find("ring"), 1, sizeof(int),
	                       &opts),
	         0);
	put(c, 1);
	port = add_input(m, c);
	weft_chan_unref(c);
	return port;
}

/* Nor by what calls have laid aside, nor by those that wait. */
TEST_MANUAL(a_port_holds_its_channel_until_it_is_removed)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c = new_chan("handoff", 1);
	struct drops drops = { .m = m };
	size_t port = add_its_own(m, &drops);
	struct waiting w = receiving(m);
	int v;

	add_input(m, c);
	CHECK_EQ(weft_mux_pause(m, port, true), 0);
	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(drops.n, 0);
	CHECK_EQ(weft_mux_remove(m, port), 0);
	CHECK_EQ(drops.n, 1);

	port = add_its_own(m, &drops);
	CHECK_EQ(weft_mux_pause(m, port, true), 0);
	begin_call(&w);
	CHECK_EQ(weft_mux_remove(m, port), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(drops.n, 2);
	put(c, 5);
	CHECK_EQ(testing_join(w.task), 0);

	add_its_own(m, &drops);
	drops.m = NULL;
	weft_mux_free(m);
	CHECK_EQ(drops.n, 3);
	free_chan(c);
	return 0;
}

/* --- removing --- */

TEST_MANUAL(a_removed_port_is_not_used_again)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c[2] = { new_chan("ring", 2),
		                   new_chan("handoff", 2) };
	struct waiting w = receiving(m);
	size_t port = add_input(m, c[0]);

	add_input(m, c[1]);
	begin_call(&w);
	CHECK_EQ(weft_mux_remove(m, port), 0);
	CHECK_EQ(weft_mux_remove(m, port), -ENOENT);
	CHECK_EQ(weft_clock_settle(), 0);
	put(c[0], 1);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_chan_len(c[0]), 1u);
	put(c[1], 2);
	CHECK_EQ(testing_join(w.task), 0);
	CHECK_EQ(w.in, 2);
	/* Its number is not given again. */
	CHECK_EQ(add_input(m, c[0]), 2u);
	CHECK_EQ(weft_mux_recv(m, &w.in, &w.which, WEFT_NOW), 0);
	CHECK_EQ(w.which, 2u);
	weft_mux_free(m);
	free_chan(c[0]);
	free_chan(c[1]);
	return 0;
}

TEST_MANUAL(whoever_waits_for_the_last_port_learns_that_it_is_removed)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c = new_chan("handoff", 0);
	struct waiting w = receiving(m);
	size_t port = add_input(m, c);

	begin_call(&w);
	CHECK_EQ(weft_mux_remove(m, port), 0);
	CHECK_EQ(testing_join(w.task), -EPIPE);
	weft_mux_free(m);
	free_chan(c);
	return 0;
}

TEST(what_a_removed_port_moved_stays_counted)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c[2] = { new_chan("ring", 1), new_chan("ring", 1) };
	struct weft_mux_port_stats stats;
	size_t port;
	int v;

	for (uint64_t n = 1; n <= 20; n++) {
		port = add_input(m, c[n % 2]);
		put(c[n % 2], 0);
		CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_NOW), 0);
		CHECK_EQ(port_stats(m, port).moved, 1u);
		CHECK_EQ(mux_stats(m).received, n);
		CHECK_EQ(weft_mux_remove(m, port), 0);
		CHECK_EQ(mux_stats(m).received, n);
		CHECK_EQ(weft_mux_port_stats(m, port, &stats), -ENOENT);
	}
	weft_mux_free(m);
	free_chan(c[0]);
	free_chan(c[1]);
	return 0;
}

/* --- pausing: a case that is disabled, as NULL is in a select --- */

TEST_MANUAL(a_paused_port_is_left_but_not_looked_at)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c = new_chan("ring", 2);
	struct waiting w = receiving(m);
	size_t port = add_input(m, c);

	put(c, 1);
	CHECK_EQ(weft_mux_pause(m, port, true), 0);
	CHECK_EQ(weft_mux_pause(m, port, true), 0);
	CHECK(port_stats(m, port).paused);
	CHECK_EQ(weft_mux_recv(m, &w.in, NULL, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(mux_stats(m).inputs, 1u);
	begin_call(&w);
	CHECK_EQ(weft_chan_len(c), 1u);
	CHECK_EQ(weft_mux_pause(m, port, false), 0);
	CHECK_EQ(testing_join(w.task), 0);
	CHECK_EQ(w.in, 1);
	weft_mux_free(m);
	free_chan(c);
	return 0;
}

TEST_MANUAL(a_port_may_be_paused_under_a_call)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c[2] = { new_chan("handoff", 2),
		                   new_chan("ring", 1) };
	struct waiting w = receiving(m);
	size_t port = add_input(m, c[0]);

	add_input(m, c[1]);
	begin_call(&w);
	CHECK_EQ(weft_mux_pause(m, port, true), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	put(c[0], 1);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_chan_len(c[0]), 1u);
	put(c[1], 2);
	CHECK_EQ(testing_join(w.task), 0);
	CHECK_EQ(w.in, 2);
	CHECK_EQ(weft_mux_pause(m, port, false), 0);
	CHECK_EQ(weft_mux_recv(m, &w.in, NULL, WEFT_NOW), 0);
	CHECK_EQ(w.in, 1);
	weft_mux_free(m);
	free_chan(c[0]);
	free_chan(c[1]);
	return 0;
}

/* Both outputs get every element, and each at its own pace: of two outputs the
 * one that has had it is paused until the other has, too. */
TEST(a_tee_is_two_outputs_that_are_paused_in_turn)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *c[2] = { new_chan("ring", 1),
		                   new_chan("handoff", 1) };
	size_t which;

	add_output(m, c[0]);
	add_output(m, c[1]);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(weft_mux_send(m, &i, &which, WEFT_NOW), 0);
		CHECK_EQ(weft_mux_pause(m, which, true), 0);
		CHECK_EQ(weft_mux_send(m, &i, NULL, WEFT_NOW), 0);
		CHECK_EQ(weft_mux_pause(m, which, false), 0);
		CHECK_EQ(take(c[0]), i);
		CHECK_EQ(take(c[1]), i);
	}
	weft_mux_free(m);
	free_chan(c[0]);
	free_chan(c[1]);
	return 0;
}

/* --- all at once --- */

/* Inputs are added, paused and removed at random under two receivers; a removed
 * one comes again. Nothing is lost or doubled. */
struct churn {
	struct weft_mux *m;
	struct weft_chan *c[4];
	int items; /* of each channel */
	_Atomic int sending;
	_Atomic uint64_t received, sum;
};

static int churn_send(void *arg)
{
	struct churn *ch = arg;
	int me = weft_fetch_add_relaxed(&ch->sending, 1);

	for (int i = 1; i <= ch->items; i++)
		CHECK_EQ(weft_chan_send(ch->c[me], &i, WEFT_FOREVER), 0);
	return 0;
}

static int churn_recv(void *arg)
{
	struct churn *ch = arg;
	int v, err;

	while (!(err = weft_mux_recv(ch->m, &v, NULL, WEFT_FOREVER))) {
		weft_fetch_add_relaxed(&ch->received, 1u);
		weft_fetch_add_relaxed(&ch->sum, (uint64_t)v);
	}
	return err;
}

static void stir(struct churn *ch, size_t *port)
{
	int i = (int)(weft_rand() % 4);

	switch (weft_rand() % 3) {
	case 0:
		CHECK_EQ(weft_mux_pause(ch->m, port[i], true), 0);
		break;
	case 1:
		CHECK_EQ(weft_mux_pause(ch->m, port[i], false), 0);
		break;
	default:
		CHECK_EQ(weft_mux_remove(ch->m, port[i]), 0);
		port[i] = add_input(ch->m, ch->c[i]);
	}
}

TEST(ports_may_change_at_any_time)
{
	struct churn ch = { .items = TESTING_SLOW ? 500 : 5000 };
	struct weft_task *send[4], *recv[2];
	uint64_t n = 4 * (uint64_t)ch.items, sum = n * (n / 4 + 1) / 2;
	size_t port[4];

	ch.m = mux_of(&(struct weft_mux_opts){ .elem_size = sizeof(int),
	                                       .hold = true });
	ch.c[0] = new_chan("handoff", 0);
	ch.c[1] = new_chan("ring", 2);
	ch.c[2] = new_chan("list", 1);
	ch.c[3] = new_chan("condvar", 3);
	for (int i = 0; i < 4; i++) {
		port[i] = add_input(ch.m, ch.c[i]);
		send[i] = testing_spawn(churn_send, &ch);
	}
	for (int i = 0; i < 2; i++)
		recv[i] = testing_spawn(churn_recv, &ch);
	while (weft_load_relaxed(&ch.received) < n / 2)
		stir(&ch, port);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(weft_mux_pause(ch.m, port[i], false), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(testing_join(send[i]), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(weft_chan_close(ch.c[i]), 0);
	CHECK_EQ(weft_mux_close(ch.m), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(testing_join(recv[i]), -EPIPE);
	CHECK_EQ(weft_load_relaxed(&ch.received), n);
	CHECK_EQ(weft_load_relaxed(&ch.sum), sum);
	CHECK_EQ(mux_stats(ch.m).received, n);
	weft_mux_free(ch.m);
	for (int i = 0; i < 4; i++)
		free_chan(ch.c[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_that_waits_sees_a_port_that_is_added),
		cmocka_unit_test(with_hold_calls_wait_for_the_first_port),
		cmocka_unit_test(
		        a_closed_mux_takes_no_ports_but_uses_those_it_has),
		cmocka_unit_test(a_port_holds_its_channel_until_it_is_removed),
		cmocka_unit_test(a_removed_port_is_not_used_again),
		cmocka_unit_test(
		        whoever_waits_for_the_last_port_learns_that_it_is_removed),
		cmocka_unit_test(what_a_removed_port_moved_stays_counted),
		cmocka_unit_test(a_paused_port_is_left_but_not_looked_at),
		cmocka_unit_test(a_port_may_be_paused_under_a_call),
		cmocka_unit_test(a_tee_is_two_outputs_that_are_paused_in_turn),
		cmocka_unit_test(ports_may_change_at_any_time),
	};

	return cmocka_run_group_tests_name("select.set", tests, NULL, NULL);
}
