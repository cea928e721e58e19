/* Tests of how the event loop ends, beyond its life.c: E5 and E11 of the
 * requirements. */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chan/testing.h"
#include "event_loop_testing.h"
#include "internal.h"
#include "testing/stop.h"

#undef fail /* cmocka's */

/* A loop with five events and two posted functions inside. */
struct shut {
	struct weft_loop *l;
	struct weft_loop_source *s;
	struct heard handled, dropped;
};

static void fill(struct shut *x, enum weft_loop_kind kind)
{
	const struct weft_loop_opts opts = { .kind = kind,
		                             .drop = note_drop,
		                             .drop_arg = &x->dropped };

	x->handled.n = x->dropped.n = 0;
	x->l = make_with(opts);
	x->s = source(x->l, 0, note, &x->handled);
	send_all(x->s, 1, 5);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_loop_post(x->l, nothing, NULL, WEFT_NOW), 0);
}

static void expect_refusals(struct shut *x, int err)
{
	int event = 9;

	CHECK_EQ(weft_loop_send(x->s, &event, WEFT_FOREVER), err);
	CHECK_EQ(weft_loop_try_send(x->s, &event), err);
	CHECK_EQ(weft_loop_post(x->l, nothing, NULL, WEFT_FOREVER), err);
}

TEST_KINDS(E5_a_close_drains_and_says_how_many)
{
	struct shut x;

	fill(&x, kind);
	CHECK_EQ(weft_loop_close(x.l), 0);
	expect_refusals(&x, -EPIPE);
	CHECK_EQ(weft_loop_run(x.l), 0);
	CHECK_HEARD(&x.handled, 1, 2, 3, 4, 5);
	CHECK_EQ(x.dropped.n, 0);
	CHECK_EQ(stats(x.l).drained, 7u);
	CHECK_EQ(stats(x.l).discarded, 0u);
	CHECK_EQ(weft_loop_run(x.l), 0);
	CHECK_EQ(weft_loop_run_once(x.l, WEFT_FOREVER), -EPIPE);
	weft_loop_free(x.l);
}

TEST_KINDS(E5_a_stop_discards_and_says_how_many)
{
	struct shut x;

	fill(&x, kind);
	CHECK_EQ(weft_loop_stop(x.l), 0);
	expect_refusals(&x, -ECANCELED);
	CHECK_EQ(weft_loop_run(x.l), -ECANCELED);
	CHECK_EQ(x.handled.n, 0);
	CHECK_HEARD(&x.dropped, 1, 2, 3, 4, 5);
	CHECK_EQ(stats(x.l).discarded, 7u);
	weft_loop_free(x.l);
}

TEST_KINDS(what_nobody_has_discarded_is_dropped_with_the_loop)
{
	struct shut x;

	fill(&x, kind);
	weft_loop_free(x.l);
	CHECK_HEARD(&x.dropped, 1, 2, 3, 4, 5);
}

/* A handler that ends its loop: what it is given says how. */
enum { CLOSE, STOP, FAIL, FAIL_BY_RETURN };

static int end_it(void *arg, void *event)
{
	struct shut *x = arg;

	switch (*(const int *)event) {
	case CLOSE:
		CHECK_EQ(weft_loop_close(x->l), 0);
		return 0;
	case STOP:
		CHECK_EQ(weft_loop_stop(x->l), 0);
		return 0;
	case FAIL:
		CHECK_EQ(weft_loop_fail(x->l, -EXDEV), 0);
		return 0;
	default:
		return -EXDEV;
	}
}

TEST_KINDS(E5_a_handler_may_end_its_loop)
{
	static const int reasons[] = { 0, -ECANCELED, -EXDEV, -EXDEV };

	for (int how = CLOSE; how <= FAIL_BY_RETURN; how++) {
		struct shut x;
		int reason = reasons[how];

		fill(&x, kind);
		send_all(source(x.l, 1, end_it, &x), how, how);
		CHECK_EQ(weft_loop_run(x.l), reason);
		CHECK_EQ(x.handled.n, reason ? 0 : 5);
		CHECK_EQ(stats(x.l).discarded, reason ? 7u : 0u);
		CHECK_EQ(stats(x.l).drained, reason ? 0u : 7u);
		weft_loop_free(x.l);
	}
}

TEST_KINDS(the_failure_of_the_last_handler_is_told)
{
	struct shut x = { .l = make(kind) };

	send_all(source(x.l, 0, end_it, &x), FAIL_BY_RETURN, FAIL_BY_RETURN);
	CHECK_EQ(weft_loop_close(x.l), 0);
	CHECK_EQ(weft_loop_run(x.l), -EXDEV);
	weft_loop_free(x.l);
}

TEST_MANUAL(E11_a_close_is_not_held_up_by_a_timer)
{
	struct weft_loop *l = make(WEFT_LOOP_SELECT);
	struct weft_loop_timer *t;
	struct weft_task *task;

	CHECK_EQ(weft_loop_timer_new(&t, l, nothing, NULL), 0);
	CHECK_EQ(weft_loop_timer_start(t, weft_deadline_in(WEFT_SEC), 1), 0);
	task = testing_spawn(run_main, l);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_loop_close(l), 0);
	CHECK_EQ(testing_join(task), 0);
	weft_loop_free(l);
	return 0;
}

/* Takes as long as its period. */
static int takes_its_period(void *arg)
{
	(void)arg;
	return weft_clock_advance(1);
}

/* So many turns at the most until the loop has ended. */
#define LAST_TURNS 10

TEST_LOOPS(E11_a_close_is_not_held_up_by_a_timer_that_is_always_due)
{
	struct weft_loop_timer *t;
	int left = LAST_TURNS, err;

	CHECK_EQ(weft_loop_timer_new(&t, l, takes_its_period, NULL), 0);
	CHECK_EQ(weft_loop_timer_start(t, WEFT_NOW, 1), 0);
	CHECK_EQ(weft_loop_run_once(l, WEFT_NOW), 0);
	CHECK_EQ(weft_loop_post(l, nothing, NULL, WEFT_NOW), 0);
	CHECK_EQ(weft_loop_close(l), 0);
	while (!(err = weft_loop_run_once(l, WEFT_NOW)) && left > 0)
		left--;
	CHECK_EQ(err, -EPIPE);
	CHECK_EQ(stats(l).drained, 1u);
	CHECK_EQ(weft_loop_run(l), 0);
}

/* A sender waits for room in a loop that nobody runs. */
static int send_main(void *arg)
{
	int event = 7;

	return weft_loop_send(arg, &event, WEFT_FOREVER);
}

TEST_KINDS(E5_senders_that_wait_are_released)
{
	for (int stops = 0; stops < 2; stops++) {
		struct weft_loop *l = make_with(
		        (struct weft_loop_opts){ .kind = kind, .cap = 1 });
		struct heard h = { .n = 0 };
		struct weft_loop_source *s = source(l, 0, note, &h);
		struct weft_task *task;

		send_all(s, 1, 1);
		task = testing_spawn(send_main, s);
		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ(stops ? weft_loop_stop(l) : weft_loop_close(l), 0);
		CHECK_EQ(testing_join(task), stops ? -ECANCELED : -EPIPE);
		weft_loop_free(l);
	}
}

/* The task that stops it has noted why, and not come to the rest yet. */
TEST_KINDS(E5_what_has_ended_takes_nothing_in_any_more)
{
	struct shut x;

	fill(&x, kind);
	CHECK(weft_ending_set(&x.l->end, -EXDEV));
	CHECK_EQ(weft_loop_run(x.l), -EXDEV);
	expect_refusals(&x, -EXDEV);
	CHECK_EQ(stats(x.l).discarded, 7u);
	weft_loop_free(x.l);
}

/* --- in the midst of a wait --- */

/* A ring that, when it is looked at for the second time, does something before
 * it is seen whether there is an element: the first look is that of a turn, the
 * second that of a wait. */
static struct midst {
	void *ring;
	int looks;
	struct shut *x;
	struct weft_loop_source *high;
	enum { STOPS, SENDS, BREAKS } does;
} midst;

static int midst_create(void **state, const struct weft_chan_config *config)
{
	int err = ring_create(state, config);

	if (!err && !midst.ring)
		midst.ring = *state;
	return err;
}

static void do_it(void)
{
	send_one(midst.x->s, 1);
	if (midst.does == STOPS)
		CHECK_EQ(weft_loop_stop(midst.x->l), 0);
	else if (midst.does == SENDS)
		send_one(midst.high, 2);
	else
		CHECK_EQ(weft_loop_break(midst.x->l), 0);
}

static int midst_try_recv(void *state, void *elem)
{
	if (state == midst.ring && ++midst.looks == 2)
		do_it();
	return ring_try_recv(state, elem);
}

static const struct weft_chan_impl midst_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "midst",
	.summary = "for tests",
	.can = RING_CAN,
	RING_OPS_BUT(midst_create, ring_try_send, midst_try_recv),
};

static int run_midst(struct shut *x, enum weft_loop_kind kind, int does)
{
	const struct weft_loop_opts opts = { .kind = kind,
		                             .impl = &midst_impl,
		                             .drop = note_drop,
		                             .drop_arg = &x->dropped };

	*x = (struct shut){ .l = make_with(opts) };
	midst = (struct midst){ .x = x, .does = does };
	x->s = source(x->l, 0, note, &x->handled);
	midst.high = source(x->l, 1, note, &x->handled);
	return weft_loop_run_once(x->l, WEFT_FOREVER);
}

TEST_KINDS(E5_an_event_that_comes_together_with_a_stop_is_discarded)
{
	struct shut x;

	CHECK_EQ(run_midst(&x, kind, STOPS), -ECANCELED);
	CHECK_EQ(x.handled.n, 0);
	CHECK_HEARD(&x.dropped, 1);
	CHECK_EQ(stats(x.l).discarded, 1u);
	weft_loop_free(x.l);
}

TEST_KINDS(E4_an_event_that_comes_together_with_a_break_is_not_lost)
{
	struct shut x;

	CHECK_EQ(run_midst(&x, kind, BREAKS), -EINTR);
	CHECK_EQ(weft_loop_close(x.l), 0);
	CHECK_EQ(weft_loop_run(x.l), 0);
	CHECK_HEARD(&x.handled, 1);
	weft_loop_free(x.l);
}

TEST_KINDS(a_source_that_is_freed_has_its_event_discarded_in_the_midst)
{
	struct shut x;

	CHECK_EQ(run_midst(&x, kind, BREAKS), -EINTR);
	weft_loop_source_free(x.s);
	CHECK_EQ(turns(x.l), 0);
	CHECK_EQ(x.handled.n, 0);
	CHECK_HEARD(&x.dropped, 1);
	weft_loop_free(x.l);
}

TEST_KINDS(E3_what_comes_during_a_wait_is_handled_by_priority)
{
	struct shut x;

	CHECK_EQ(run_midst(&x, kind, SENDS), 0);
	CHECK_HEARD(&x.handled, 2, 1);
	weft_loop_free(x.l);
}

/* --- at any moment --- */

/* Tasks that run, send, post and write, and a timer that is always due. */
struct all {
	struct weft_loop *l;
	struct weft_loop_source *s[2];
	struct weft_loop_timer *t;
	int ends[2];        /* of a socketpair */
	_Atomic int inside; /* events that are neither handled nor dropped */
};

static int handled(void *arg, void *event)
{
	struct all *x = arg;

	(void)event;
	weft_fetch_sub_relaxed(&x->inside, 1);
	return 0;
}

static void dropped(void *event, void *arg)
{
	handled(arg, event);
}

static int readable(void *arg, int fd, short revents)
{
	char byte;

	(void)arg;
	(void)revents;
	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void *all_setup(void *arg)
{
	const enum weft_loop_kind *kind = arg;
	struct all *x = calloc(1, sizeof(*x));
	const struct weft_loop_opts opts = { .kind = *kind,
		                             .cap = 2,
		                             .batch = 2,
		                             .drop = dropped,
		                             .drop_arg = x };
	struct weft_loop_fd *f;

	CHECK(x != NULL);
	x->l = make_with(opts);
	for (unsigned i = 0; i < 2; i++)
		x->s[i] = source(x->l, i, handled, x);
	CHECK_EQ(weft_loop_timer_new(&x->t, x->l, nothing, NULL), 0);
	CHECK_EQ(weft_loop_timer_start(x->t, WEFT_NOW, 10 * WEFT_US), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, x->ends), 0);
	CHECK_EQ(weft_loop_fd_new(&f, x->l, x->ends[0], POLLIN, readable, x),
	         0);
	return x;
}

static int use_once(struct all *x, unsigned id)
{
	int event = (int)id, err;

	if (id == 3)
		return weft_loop_post(x->l, nothing, NULL, WEFT_FOREVER);
	if (id == 4)
		return send(x->ends[1], "x", 1, MSG_DONTWAIT) < 0 ? -errno : 0;
	weft_fetch_add_relaxed(&x->inside, 1);
	err = weft_loop_send(x->s[id % 2], &event, WEFT_FOREVER);
	if (err)
		weft_fetch_sub_relaxed(&x->inside, 1);
	return err;
}

static void all_go(void *arg, unsigned id)
{
	struct all *x = arg;
	int err = 0;

	if (id == 0)
		err = weft_loop_run(x->l);
	for (int i = 0; id && i < 100 && !err; i++)
		err = use_once(x, id);
	CHECK(!err || err == -ECANCELED || err == -EPIPE || err == -EAGAIN);
}

static void all_stop(void *arg)
{
	struct all *x = arg;

	if (weft_rand() % 2)
		CHECK_EQ(weft_loop_close(x->l), 0);
	else
		CHECK_EQ(weft_loop_stop(x->l), 0);
}

static void all_end(void *arg)
{
	struct all *x = arg;

	weft_loop_free(x->l);
	CHECK_EQ(weft_load_relaxed(&x->inside), 0);
	close(x->ends[0]);
	close(x->ends[1]);
	free(x);
}

TEST_KINDS_ON(WEFT_CLOCK_MONOTONIC, it_may_be_ended_at_any_moment)
{
	const struct testing_stop what = {
		.setup = all_setup,
		.go = all_go,
		.tasks = 5,
		.stop = all_stop,
		.end = all_end,
		.arg = &kind,
		.rounds = TESTING_SLOW ? 30 : 200,
	};

	testing_stop_often(&what);
}
