/* Tests of the mux: its ports come, pause and go while calls wait. */
#include "select_testing.h"

#include <weft/atomic.h>

static const struct weft_mux_opts holding = { .elem_size = sizeof(int),
	                                      .hold = true };

/* --- adding --- */

RIG_TEST_MANUAL(a_call_that_waits_sees_a_port_that_is_added)
{
	struct weft_chan *added;
	struct waiting w[2];

	input(r, "handoff", 0);
	begin_recv(&w[0], m);
	begin_recv(&w[1], m);
	added = input(r, "ring", 1);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(weft_clock_settle(), 0);
		put(added, 6);
	}
	for (int i = 0; i < 2; i++)
		expect_received(&w[i], 1, 6);
}

RIG_TEST_MANUAL(with_hold_calls_wait_for_the_first_port)
{
	struct weft_chan *in, *out;
	struct waiting w[2];

	m = replace_mux(r, holding);
	begin_recv(&w[0], m);
	begin_send(&w[1], m, 5);
	out = output(r, "ring", 1);
	CHECK_EQ(testing_join(w[1].task), 0);
	in = input(r, "handoff", 0);
	CHECK_EQ(weft_clock_settle(), 0);
	put(in, 6);
	expect_received(&w[0], 1, 6);
	CHECK_EQ(take(out), 5);

	/* None again. */
	CHECK_EQ(weft_chan_close(in), 0);
	begin_recv(&w[0], m);
	CHECK_EQ(weft_mux_recv(m, &w[1].in, NULL, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_mux_close(m), 0);
	CHECK_EQ(testing_join(w[0].task), -EPIPE);
}

RIG_TEST(a_closed_mux_takes_no_ports_but_uses_those_it_has)
{
	struct weft_chan *c = input(r, "ring", 1);
	int v = 0;

	CHECK_EQ(weft_mux_close(m), 0);
	CHECK_EQ(weft_mux_close(m), -EPIPE);
	CHECK_EQ(weft_mux_add(m, c, WEFT_CASE_SEND, NULL), -EPIPE);
	put(c, 1);
	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(v, 1);
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
RIG_TEST_MANUAL(a_port_holds_its_channel_until_it_is_removed)
{
	struct drops drops = { .m = m };
	size_t port = add_its_own(m, &drops);
	struct weft_chan *c = input(r, "handoff", 1);
	struct waiting w;
	int v;

	CHECK_EQ(weft_mux_pause(m, port, true), 0);
	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(drops.n, 0);
	CHECK_EQ(weft_mux_remove(m, port), 0);
	CHECK_EQ(drops.n, 1);

	port = add_its_own(m, &drops);
	CHECK_EQ(weft_mux_pause(m, port, true), 0);
	begin_recv(&w, m);
	CHECK_EQ(weft_mux_remove(m, port), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(drops.n, 2);
	put(c, 5);
	CHECK_EQ(testing_join(w.task), 0);

	add_its_own(m, &drops);
	drops.m = NULL;
	replace_mux(r, holding);
	CHECK_EQ(drops.n, 3);
}

/* --- removing, and pausing: a case that is disabled, as NULL is --- */

/* Of two ports the first is removed, or paused, under a call: what comes there
 * stays there, and the call takes what comes to the other. */
static void take_away_under_a_call(struct rig *r, bool removed)
{
	struct weft_chan *gone = input(r, "ring", 2);
	struct weft_chan *left = input(r, "handoff", 2);
	struct waiting w;

	begin_recv(&w, r->m);
	CHECK_EQ(removed ? weft_mux_remove(r->m, 0)
	                 : weft_mux_pause(r->m, 0, true),
	         0);
	CHECK_EQ(weft_clock_settle(), 0);
	put(gone, 1);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_chan_len(gone), 1u);
	put(left, 2);
	expect_received(&w, 1, 2);
}

RIG_TEST_MANUAL(a_removed_port_is_not_used_again)
{
	size_t which;
	int v;

	take_away_under_a_call(r, true);
	CHECK_EQ(weft_mux_remove(m, 0), -ENOENT);
	/* Its number is not given again. */
	CHECK_EQ(add_input(m, r->c[0]), 2u);
	CHECK_EQ(weft_mux_recv(m, &v, &which, WEFT_NOW), 0);
	CHECK_EQ(which, 2u);
}

RIG_TEST_MANUAL(a_port_may_be_paused_under_a_call)
{
	int v;

	take_away_under_a_call(r, false);
	CHECK_EQ(weft_mux_pause(m, 0, false), 0);
	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_NOW), 0);
	CHECK_EQ(v, 1);
}

RIG_TEST_MANUAL(whoever_waits_for_the_last_port_learns_that_it_is_removed)
{
	struct waiting w;

	input(r, "handoff", 0);
	begin_recv(&w, m);
	CHECK_EQ(weft_mux_remove(m, 0), 0);
	CHECK_EQ(testing_join(w.task), -EPIPE);
}

RIG_TEST(what_a_removed_port_moved_stays_counted)
{
	struct weft_mux_port_stats stats;
	size_t port;
	int v;

	for (int i = 0; i < 2; i++)
		keep(r, new_chan("ring", 1));
	for (uint64_t n = 1; n <= 20; n++) {
		port = add_input(m, r->c[n % 2]);
		put(r->c[n % 2], 0);
		CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_NOW), 0);
		CHECK_EQ(port_stats(m, port).moved, 1u);
		CHECK_EQ(mux_stats(m).received, n);
		CHECK_EQ(weft_mux_remove(m, port), 0);
		CHECK_EQ(mux_stats(m).received, n);
		CHECK_EQ(weft_mux_port_stats(m, port, &stats), -ENOENT);
	}
}

/* Edge case: a disabled case. */
RIG_TEST_MANUAL(a_paused_port_is_left_but_not_looked_at)
{
	struct weft_chan *c = input(r, "ring", 2);
	struct waiting w;
	int v;

	put(c, 1);
	CHECK_EQ(weft_mux_pause(m, 0, true), 0);
	CHECK_EQ(weft_mux_pause(m, 0, true), 0);
	CHECK(port_stats(m, 0).paused);
	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(mux_stats(m).inputs, 1u);
	begin_recv(&w, m);
	CHECK_EQ(weft_chan_len(c), 1u);
	CHECK_EQ(weft_mux_pause(m, 0, false), 0);
	expect_received(&w, 0, 1);
}

/* Both outputs get every element, and each at its own pace: of two outputs the
 * one that has had it is paused until the other has, too. */
RIG_TEST(a_tee_is_two_outputs_that_are_paused_in_turn)
{
	struct weft_chan *c[2] = { output(r, "ring", 1),
		                   output(r, "handoff", 1) };
	size_t which;

	for (int i = 0; i < 50; i++) {
		CHECK_EQ(weft_mux_send(m, &i, &which, WEFT_NOW), 0);
		CHECK_EQ(weft_mux_pause(m, which, true), 0);
		CHECK_EQ(weft_mux_send(m, &i, NULL, WEFT_NOW), 0);
		CHECK_EQ(weft_mux_pause(m, which, false), 0);
		CHECK_EQ(take(c[0]), i);
		CHECK_EQ(take(c[1]), i);
	}
}

/* --- all at once --- */

#define ITEMS (TESTING_SLOW ? 500 : 5000) /* of each of 4 channels */

/* Inputs are added, paused and removed at random under two receivers; a removed
 * one comes again. Nothing is lost or doubled. */
struct churn {
	struct rig *r;
	_Atomic uint64_t received, sum;
};

static int churn_send(void *arg)
{
	for (int i = 1; i <= ITEMS; i++)
		CHECK_EQ(weft_chan_send(arg, &i, WEFT_FOREVER), 0);
	return 0;
}

static int churn_recv(void *arg)
{
	struct churn *ch = arg;
	int v, err;

	while (!(err = weft_mux_recv(ch->r->m, &v, NULL, WEFT_FOREVER))) {
		weft_fetch_add_relaxed(&ch->received, 1u);
		weft_fetch_add_relaxed(&ch->sum, (uint64_t)v);
	}
	return err;
}

static void stir(struct rig *r, size_t *port)
{
	int i = (int)(weft_rand() % 4);

	switch (weft_rand() % 3) {
	case 0:
		CHECK_EQ(weft_mux_pause(r->m, port[i], true), 0);
		break;
	case 1:
		CHECK_EQ(weft_mux_pause(r->m, port[i], false), 0);
		break;
	default:
		CHECK_EQ(weft_mux_remove(r->m, port[i]), 0);
		port[i] = add_input(r->m, r->c[i]);
	}
}

RIG_TEST(ports_may_change_at_any_time)
{
	uint64_t n = UINT64_C(4) * ITEMS, sum = n * (ITEMS + 1) / 2;
	struct weft_task *send[4], *recv[2];
	struct churn ch = { .r = r };
	size_t port[4] = { 0, 1, 2, 3 };

	m = replace_mux(r, holding);
	input(r, "handoff", 0);
	input(r, "ring", 2);
	input(r, "list", 1);
	input(r, "condvar", 3);
	for (int i = 0; i < 4; i++)
		send[i] = testing_spawn(churn_send, r->c[i]);
	for (int i = 0; i < 2; i++)
		recv[i] = testing_spawn(churn_recv, &ch);
	while (weft_load_relaxed(&ch.received) < n / 2)
		stir(r, port);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(weft_mux_pause(m, port[i], false), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(testing_join(send[i]), 0);
		CHECK_EQ(weft_chan_close(r->c[i]), 0);
	}
	CHECK_EQ(weft_mux_close(m), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(testing_join(recv[i]), -EPIPE);
	CHECK_EQ(weft_load_relaxed(&ch.received), n);
	CHECK_EQ(weft_load_relaxed(&ch.sum), sum);
	CHECK_EQ(mux_stats(m).received, n);
}
