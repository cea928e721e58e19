/* Tests of the mux: stopping it, and many that select at once. */
#include <errno.h>
#include <stdlib.h>

#include "select_testing.h"
#include "testing/stop.h"

#include <weft/atomic.h>

#define MESSAGES (TESTING_SLOW ? 2000 : 20000)

/* --- stop --- */

/* What the life-cycle suite does not call, and what is left to do. */
TEST_MANUAL(a_stop_reaches_every_kind_of_call)
{
	struct weft_mux *m = new_mux();
	struct weft_chan *empty = new_chan("handoff", 0);
	struct waiting w = selecting(m, 1);
	enum weft_case_op op;
	int v = 0;

	add_input(m, empty);
	begin_call(&w);
	CHECK_EQ(weft_mux_fail(m, -EXDEV), 0);
	CHECK_EQ(testing_join(w.task), -EXDEV);
	CHECK_EQ(weft_mux_add(m, empty, WEFT_CASE_RECV, NULL), -EXDEV);
	CHECK_EQ(weft_mux_select(m, &v, &v, &op, NULL, WEFT_NOW), -EXDEV);
	CHECK_EQ(weft_mux_close(m), -EPIPE);
	CHECK_EQ(weft_mux_remove(m, 0), 0);
	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_FOREVER), -EXDEV);
	weft_mux_free(m);
	free_chan(empty);
	return 0;
}

TEST_MANUAL(a_stop_releases_a_call_that_holds_without_a_port)
{
	struct weft_mux *m = mux_of(&(struct weft_mux_opts){ .hold = true });
	struct waiting w = receiving(m);

	begin_call(&w);
	CHECK_EQ(weft_mux_stop(m), 0);
	CHECK_EQ(testing_join(w.task), -ECANCELED);
	weft_mux_free(m);
	return 0;
}

TEST(a_closed_mux_may_still_be_stopped)
{
	struct weft_mux *m = new_mux();

	CHECK_EQ(weft_mux_close(m), 0);
	CHECK_EQ(weft_mux_stop(m), 0);
	CHECK_EQ(weft_mux_recv(m, &(int){ 0 }, NULL, WEFT_NOW), -ECANCELED);
	weft_mux_free(m);
	return 0;
}

/* --- the context --- */

static struct weft_mux *mux_under(struct weft_ctx *ctx)
{
	return mux_of(&(struct weft_mux_opts){ .elem_size = sizeof(int),
	                                       .ctx = ctx });
}

TEST_MANUAL(a_context_ends_calls_at_its_deadline)
{
	int64_t deadline_ns = weft_deadline_in(WEFT_SEC);
	struct weft_chan *c = new_chan("ring", 1);
	struct weft_run_stats before, after;
	struct weft_ctx *ctx;
	struct weft_mux *m;
	struct waiting w;

	CHECK_EQ(weft_ctx_with_deadline(&ctx, NULL, deadline_ns), 0);
	m = mux_under(ctx);
	weft_ctx_unref(ctx);
	add_input(m, c);
	weft_run_stats(&before);
	w = receiving(m);
	begin_call(&w);
	CHECK_EQ(testing_join_moving(w.task), -ETIMEDOUT);
	CHECK_EQ(w.returned_at, deadline_ns);
	/* No timer task; our own call's is the one. */
	weft_run_stats(&after);
	CHECK_EQ(after.tasks, before.tasks + 1);

	/* An earlier deadline of the call comes first. */
	put(c, 1);
	CHECK_EQ(weft_mux_recv(m, &w.in, NULL, WEFT_NOW), -ETIMEDOUT);
	weft_mux_free(m);
	free_chan(c);
	return 0;
}

/* The context is a case of every wait, and no stop of its own. */
TEST_MANUAL(a_context_that_ended_before_a_stop_stays_the_reason)
{
	struct weft_ctx *ctx;
	struct weft_mux *m;
	int v;

	CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, WEFT_SEC), 0);
	m = mux_under(ctx);
	testing_pass(WEFT_SEC);
	CHECK_EQ(weft_mux_stop(m), 0);
	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_FOREVER), -ETIMEDOUT);
	weft_mux_free(m);
	weft_ctx_unref(ctx);
	return 0;
}

/* --- stop, at any moment --- */

/* Two receive, two send, one does both, one adds and removes. What one sends,
 * another may receive; there is less space than is sent. */
struct torn {
	struct weft_ctx *ctx;
	struct weft_mux *m;
	struct weft_chan *c[3];
};

static void *torn_setup(void *arg)
{
	static const char *const impls[] = { "handoff", "ring", "list",
		                             "condvar" };
	struct torn *t = malloc(sizeof(*t));

	(void)arg;
	CHECK(t != NULL);
	CHECK_EQ(weft_ctx_with_cancel(&t->ctx, NULL), 0);
	t->m = mux_of(&(struct weft_mux_opts){ .elem_size = sizeof(int),
	                                       .hold = weft_rand() % 2,
	                                       .ctx = t->ctx });
	for (int i = 0; i < 3; i++) {
		t->c[i] = new_chan(impls[i ? weft_rand() % 4 : 0],
		                   i ? 1 + weft_rand() % 2 : 0);
		add_input(t->m, t->c[i]);
		add_output(t->m, t->c[i]);
	}
	return t;
}

static int torn_call(struct torn *t, unsigned id)
{
	enum weft_case_op op;
	size_t port;
	int v = 0, err;

	switch (id) {
	case 0:
	case 1:
		return weft_mux_recv(t->m, &v, NULL, WEFT_FOREVER);
	case 2:
	case 3:
		return weft_mux_send(t->m, &v, NULL, WEFT_FOREVER);
	case 4:
		return weft_mux_select(t->m, &v, &v, &op, NULL, WEFT_FOREVER);
	default:
		err = weft_mux_add(t->m, t->c[weft_rand() % 3],
		                   (enum weft_case_op)(weft_rand() % 2), &port);
		return err ? err : weft_mux_remove(t->m, port);
	}
}

static void torn_go(void *thing, unsigned id)
{
	int err;

	while (!(err = torn_call(thing, id)))
		;
	CHECK_EQ(err, -ECANCELED);
}

static void torn_stop(void *thing)
{
	struct torn *t = thing;

	if (weft_rand() % 2)
		CHECK_EQ(weft_mux_stop(t->m), 0);
	else
		CHECK_EQ(weft_ctx_cancel(t->ctx, 0), 0);
}

static void torn_end(void *thing)
{
	struct torn *t = thing;
	struct weft_mux_stats stats = mux_stats(t->m);
	uint64_t inside = 0;

	for (int i = 0; i < 3; i++)
		inside += weft_chan_len(t->c[i]);
	CHECK_EQ(stats.sent, stats.received + inside);
	weft_mux_free(t->m);
	weft_ctx_unref(t->ctx);
	for (int i = 0; i < 3; i++)
		free_chan(t->c[i]);
	free(t);
}

TEST(a_mux_may_be_stopped_at_any_moment)
{
	testing_stop_often(&(struct testing_stop){ .setup = torn_setup,
	                                           .go = torn_go,
	                                           .tasks = 6,
	                                           .stop = torn_stop,
	                                           .end = torn_end });
	return 0;
}

/* --- many at once --- */

/*
 * Edge case: for each of four channels a sender and a receiver, and one task
 * each that sends to and receives from all of them; when it has done its share
 * at a channel, it removes it. After Go's TestSelectStress.
 */
struct crossing {
	struct weft_chan *c[4];
	_Atomic int senders, receivers;
	_Atomic uint64_t sum_out, sum_in;
};

static int plain_send(void *arg)
{
	struct crossing *x = arg;
	int me = weft_fetch_add_relaxed(&x->senders, 1);

	for (int i = 0; i < MESSAGES; i++) {
		CHECK_EQ(weft_chan_send(x->c[me], &i, WEFT_FOREVER), 0);
		weft_fetch_add_relaxed(&x->sum_out, (uint64_t)i);
	}
	return 0;
}

static int plain_recv(void *arg)
{
	struct crossing *x = arg;
	int me = weft_fetch_add_relaxed(&x->receivers, 1), v;

	for (int i = 0; i < MESSAGES; i++) {
		CHECK_EQ(weft_chan_recv(x->c[me], &v, WEFT_FOREVER), 0);
		weft_fetch_add_relaxed(&x->sum_in, (uint64_t)v);
	}
	return 0;
}

static void remove_when_done(struct weft_mux *m, int *left, size_t which)
{
	if (--left[which] == 0)
		CHECK_EQ(weft_mux_remove(m, which), 0);
}

static int select_send(void *arg)
{
	struct crossing *x = arg;
	struct weft_mux *m = new_mux();
	int left[4], err;
	size_t which;

	for (int i = 0; i < 4; i++) {
		left[i] = MESSAGES;
		add_output(m, x->c[i]);
	}
	for (int i = 0; !(err = weft_mux_send(m, &i, &which, WEFT_FOREVER));
	     i++) {
		weft_fetch_add_relaxed(&x->sum_out, (uint64_t)i);
		remove_when_done(m, left, which);
	}
	CHECK_EQ(mux_stats(m).sent, 4u * MESSAGES);
	weft_mux_free(m);
	return err;
}

static int select_recv(void *arg)
{
	struct crossing *x = arg;
	struct weft_mux *m = new_mux();
	int left[4], v, err;
	size_t which;

	for (int i = 0; i < 4; i++) {
		left[i] = MESSAGES;
		add_input(m, x->c[i]);
	}
	while (!(err = weft_mux_recv(m, &v, &which, WEFT_FOREVER))) {
		weft_fetch_add_relaxed(&x->sum_in, (uint64_t)v);
		remove_when_done(m, left, which);
	}
	CHECK_EQ(mux_stats(m).received, 4u * MESSAGES);
	weft_mux_free(m);
	return err;
}

static void cross(const char *const *impls, const size_t *caps)
{
	struct crossing x = { .sum_in = 0 };
	struct weft_task *tasks[10];

	for (int i = 0; i < 4; i++)
		x.c[i] = new_chan(impls[i], caps[i]);
	for (int i = 0; i < 4; i++) {
		tasks[i] = testing_spawn(plain_send, &x);
		tasks[4 + i] = testing_spawn(plain_recv, &x);
	}
	tasks[8] = testing_spawn(select_send, &x);
	tasks[9] = testing_spawn(select_recv, &x);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(testing_join(tasks[i]), i < 8 ? 0 : -EPIPE);
	CHECK_EQ(weft_load_relaxed(&x.sum_in), weft_load_relaxed(&x.sum_out));
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(weft_chan_len(x.c[i]), 0u);
		free_chan(x.c[i]);
	}
}

TEST(selects_and_plain_calls_lose_and_double_nothing)
{
	static const char *const same[] = { "handoff", "handoff", "handoff",
		                            "handoff" };
	static const char *const mixed[] = { "handoff", "ring", "list",
		                             "condvar" };

	cross(same, (const size_t[]){ 0, 0, 2, 3 });
	cross(mixed, (const size_t[]){ 0, 1, 2, 3 });
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stop_reaches_every_kind_of_call),
		cmocka_unit_test(
		        a_stop_releases_a_call_that_holds_without_a_port),
		cmocka_unit_test(a_closed_mux_may_still_be_stopped),
		cmocka_unit_test(a_context_ends_calls_at_its_deadline),
		cmocka_unit_test(
		        a_context_that_ended_before_a_stop_stays_the_reason),
		cmocka_unit_test(a_mux_may_be_stopped_at_any_moment),
		cmocka_unit_test(
		        selects_and_plain_calls_lose_and_double_nothing),
	};

	return cmocka_run_group_tests_name("select.stop", tests, NULL, NULL);
}
