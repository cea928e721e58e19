/* Tests of send and receive with a context. That they let go when it ends is
 * tested with everything else that waits, in ctx_wait_test.c. */
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/chan.h>
#include <weft/ctx.h>

#include "task/testing.h"

static struct weft_chan *chan(const char *name, size_t cap)
{
	struct weft_chan *c;

	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find(name), cap, sizeof(int),
	                       NULL),
	         0);
	return c;
}

/* Nobody may have stayed behind. */
static void chan_done_with(struct weft_chan *c)
{
	struct weft_chan_stats stats;

	weft_chan_stats(c, &stats);
	CHECK_EQ(stats.waiting, (uint64_t)0);
	weft_chan_unref(c);
}

static struct weft_ctx *ctx_new(void)
{
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	return ctx;
}

/* The outcomes of the plain calls are there as well. */
static void check_send_and_receive(struct weft_ctx *ctx)
{
	struct weft_chan *c = chan("ring", 1);
	int v = 5;

	CHECK_EQ(weft_chan_recv_ctx(c, &v, ctx, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_chan_recv_ctx(c, &v, ctx, weft_now()), -ETIMEDOUT);
	CHECK_EQ(weft_chan_send_ctx(c, &v, ctx, WEFT_FOREVER), 0);
	CHECK_EQ(weft_chan_send_ctx(c, &v, ctx, weft_now()), -ETIMEDOUT);
	v = 0;
	CHECK_EQ(weft_chan_recv_ctx(c, &v, ctx, weft_now()), 0);
	CHECK_EQ(v, 5);
	CHECK_EQ(weft_chan_send_ctx(c, NULL, ctx, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_chan_recv_ctx(NULL, &v, ctx, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_chan_send_ctx(NULL, &v, ctx, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_chan_close(c), 0);
	CHECK_EQ(weft_chan_recv_ctx(c, &v, ctx, WEFT_NOW), -EPIPE);
	CHECK_EQ(weft_chan_send_ctx(c, &v, ctx, WEFT_FOREVER), -EPIPE);
	chan_done_with(c);
}

TEST_MANUAL(send_and_receive_do_what_the_plain_calls_do)
{
	struct weft_ctx *ctx = ctx_new();

	check_send_and_receive(NULL);
	check_send_and_receive(ctx);
	weft_ctx_unref(ctx);
	return 0;
}

/* As with the locks and wait groups: it says nothing about the arguments that
 * the context has ended. */
TEST(nonsense_is_refused_whether_the_context_has_ended_or_not)
{
	struct weft_ctx *ctx = ctx_new();
	struct weft_chan *c = chan("ring", 1), *pipe = chan("pipe", 4);
	int v = 5;

	for (int ended = 0; ended < 2; ended++) {
		CHECK_EQ(weft_chan_recv_ctx(NULL, &v, ctx, WEFT_NOW), -EINVAL);
		CHECK_EQ(weft_chan_send_ctx(NULL, &v, ctx, WEFT_NOW), -EINVAL);
		CHECK_EQ(weft_chan_recv_ctx(c, NULL, ctx, WEFT_NOW), -EINVAL);
		CHECK_EQ(weft_chan_send_ctx(c, NULL, ctx, WEFT_NOW), -EINVAL);
		CHECK_EQ(weft_chan_send_ctx(pipe, NULL, ctx, WEFT_NOW),
		         -EINVAL);
		CHECK_EQ(weft_chan_send_ctx(pipe, &v, ctx, WEFT_NOW),
		         -EOPNOTSUPP);
		CHECK_EQ(weft_lock_acquire_ctx(NULL, ctx, WEFT_NOW), -EINVAL);
		CHECK_EQ(weft_waitgroup_wait_ctx(NULL, ctx, WEFT_NOW), -EINVAL);
		CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	}
	chan_done_with(pipe);
	chan_done_with(c);
	weft_ctx_unref(ctx);
	return 0;
}

TEST(a_channel_that_cannot_be_selected_takes_the_background_only)
{
	struct weft_ctx *ctx = ctx_new();
	struct weft_chan *c = chan("pipe", 4);
	int v = 5;

	CHECK_EQ(weft_chan_send_ctx(c, &v, ctx, WEFT_NOW), -EOPNOTSUPP);
	CHECK_EQ(weft_chan_send_ctx(c, &v, NULL, WEFT_NOW), 0);
	CHECK_EQ(weft_chan_recv_ctx(c, &v, ctx, WEFT_NOW), -EOPNOTSUPP);
	CHECK_EQ(weft_chan_recv_ctx(c, &v, NULL, WEFT_NOW), 0);
	weft_chan_unref(c);
	weft_ctx_unref(ctx);
	return 0;
}

/* --- spinning --- */

struct spinning {
	struct weft_chan *c;
	struct weft_ctx *ctx;
	_Atomic int began;
};

static int spins(void *arg)
{
	struct spinning *s = arg;
	int v;

	weft_store_release(&s->began, 1);
	return weft_chan_recv_ctx(s->c, &v, s->ctx, WEFT_FOREVER);
}

static int spin_until(struct weft_ctx *ctx, bool cancel)
{
	struct weft_chan_opts opts = { .wait = WEFT_WAIT_SPIN };
	struct spinning s = { .ctx = ctx };
	struct weft_chan_stats stats;
	struct weft_task *t;
	int status;

	CHECK_EQ(weft_chan_new(&s.c, weft_chan_impl_find("ring"), 1,
	                       sizeof(int), &opts),
	         0);
	t = testing_spawn(spins, &s);
	while (!weft_load_acquire(&s.began))
		weft_yield();
	if (cancel)
		CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	status = testing_join(t);
	weft_chan_stats(s.c, &stats);
	CHECK_EQ(stats.parks, (uint64_t)0);
	weft_chan_stats(weft_ctx_done(ctx), &stats);
	CHECK_EQ(stats.parks, (uint64_t)0);
	chan_done_with(s.c);
	weft_ctx_unref(ctx);
	return status;
}

/* Nobody has to wake it, so it has to look by itself. */
TEST(who_spins_with_a_context_sees_its_end)
{
	struct weft_ctx *ctx;

	for (int i = 0; i < (TESTING_SLOW ? 20 : 200); i++)
		CHECK_EQ(spin_until(ctx_new(), true), -ECANCELED);
	CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, 2 * WEFT_MS), 0);
	CHECK_EQ(spin_until(ctx, false), -ETIMEDOUT);
	return 0;
}

/* --- conservation --- */

#define SIDE 3 /* at most */

/* Tasks send and receive until their context ends, at any moment: what was sent
 * is what was received and what is still inside, none of it twice. */
struct traffic {
	struct weft_chan *c;
	struct weft_ctx *ctx;
	_Atomic int next, sent, received;
	_Atomic long sum_sent, sum_received;
};

static int sends(void *arg)
{
	struct traffic *t = arg;
	int v, err;

	for (;;) {
		v = weft_fetch_add_relaxed(&t->next, 1);
		err = weft_chan_send_ctx(t->c, &v, t->ctx, WEFT_FOREVER);
		if (err)
			return err;
		weft_fetch_add_relaxed(&t->sent, 1);
		weft_fetch_add_relaxed(&t->sum_sent, v);
	}
}

static int receives(void *arg)
{
	struct traffic *t = arg;
	int v, err;

	for (;;) {
		err = weft_chan_recv_ctx(t->c, &v, t->ctx, WEFT_FOREVER);
		if (err)
			return err;
		weft_fetch_add_relaxed(&t->received, 1);
		weft_fetch_add_relaxed(&t->sum_received, v);
	}
}

static void drain(struct traffic *t)
{
	int v;

	while (weft_chan_try_recv(t->c, &v) == 0) {
		weft_fetch_add_relaxed(&t->received, 1);
		weft_fetch_add_relaxed(&t->sum_received, v);
	}
}

static void traffic_once(const char *name, size_t cap, int side,
                         unsigned yields)
{
	struct traffic t = { .c = chan(name, cap), .ctx = ctx_new() };
	struct weft_task *task[2 * SIDE];

	for (int i = 0; i < side; i++) {
		task[i] = testing_spawn(sends, &t);
		task[side + i] = testing_spawn(receives, &t);
	}
	for (unsigned i = 0; i < yields; i++)
		weft_yield();
	CHECK_EQ(weft_ctx_cancel(t.ctx, 0), 0);
	for (int i = 0; i < 2 * side; i++)
		CHECK_EQ(testing_join(task[i]), -ECANCELED);
	drain(&t);
	CHECK_EQ(weft_load_relaxed(&t.received), weft_load_relaxed(&t.sent));
	CHECK_EQ(weft_load_relaxed(&t.sum_received),
	         weft_load_relaxed(&t.sum_sent));
	chan_done_with(t.c);
	weft_ctx_unref(t.ctx);
}

TEST(a_cancel_at_any_moment_loses_and_doubles_nothing)
{
	static const struct {
		const char *name;
		size_t cap;
		int side;
	} kind[] = {
		{ "handoff", 0, 3 }, { "handoff", 2, 3 }, { "ring", 1, 3 },
		{ "ring", 8, 3 },    { "list", 1, 3 },    { "condvar", 2, 3 },
		{ "mpsc", 1, 1 },    { "mpsc", 8, 1 },    { "spsc", 1, 1 },
		{ "spsc", 8, 1 },
	};

	for (int i = 0; i < (TESTING_SLOW ? 4 : 20); i++)
		for (size_t k = 0; k < sizeof(kind) / sizeof(kind[0]); k++)
			traffic_once(kind[k].name, kind[k].cap, kind[k].side,
			             i % 4);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(send_and_receive_do_what_the_plain_calls_do),
		cmocka_unit_test(
		        nonsense_is_refused_whether_the_context_has_ended_or_not),
		cmocka_unit_test(
		        a_channel_that_cannot_be_selected_takes_the_background_only),
		cmocka_unit_test(who_spins_with_a_context_sees_its_end),
		cmocka_unit_test(
		        a_cancel_at_any_moment_loses_and_doubles_nothing),
	};

	return cmocka_run_group_tests_name("chan_ctx", tests, NULL, NULL);
}
