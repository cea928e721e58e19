/* Tests of how the event loop ends, beyond its life.c: E5 and E11 of the
 * requirements. */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event_loop_testing.h"
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

/* A sender waits for room in a loop that nobody runs. */
static int send_one(void *arg)
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
		task = testing_spawn(send_one, s);
		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ(stops ? weft_loop_stop(l) : weft_loop_close(l), 0);
		CHECK_EQ(testing_join(task), stops ? -ECANCELED : -EPIPE);
		weft_loop_free(l);
	}
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
