/* Tests of the mux: stopping it, and many that select at once. */
#include <stdlib.h>

#include "select_testing.h"
#include "testing/stop.h"

#include <weft/atomic.h>

#define MESSAGES (TESTING_SLOW ? 2000 : 20000)

/* --- stop --- */

/* What the life-cycle suite does not call, and what is left to do. */
RIG_TEST_MANUAL(a_stop_reaches_every_kind_of_call)
{
	struct weft_chan *empty = input(r, "handoff", 0);
	enum weft_case_op op;
	struct waiting w;
	int v = 0;

	begin_select(&w, m, 1, WEFT_FOREVER);
	CHECK_EQ(weft_mux_fail(m, -EXDEV), 0);
	CHECK_EQ(testing_join(w.task), -EXDEV);
	CHECK_EQ(weft_mux_add(m, empty, WEFT_CASE_RECV, NULL), -EXDEV);
	CHECK_EQ(weft_mux_select(m, &v, &v, &op, NULL, WEFT_NOW), -EXDEV);
	CHECK_EQ(weft_mux_close(m), -EPIPE);
	CHECK_EQ(weft_mux_remove(m, 0), 0);
	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_FOREVER), -EXDEV);
}

RIG_TEST_MANUAL(a_stop_releases_a_call_that_holds_without_a_port)
{
	struct waiting w;

	m = replace_mux(r, (struct weft_mux_opts){ .hold = true });
	begin_recv(&w, m);
	CHECK_EQ(weft_mux_stop(m), 0);
	CHECK_EQ(testing_join(w.task), -ECANCELED);
}

RIG_TEST(a_closed_mux_may_still_be_stopped)
{
	CHECK_EQ(weft_mux_close(m), 0);
	CHECK_EQ(weft_mux_stop(m), 0);
	CHECK_EQ(weft_mux_recv(m, &(int){ 0 }, NULL, WEFT_NOW), -ECANCELED);
}

/* --- the context --- */

/* A mux under a context that ends in a second. */
static struct weft_mux *replace_by_timed(struct rig *r)
{
	struct weft_mux_opts opts = { .elem_size = sizeof(int) };

	CHECK_EQ(weft_ctx_with_timeout(&opts.ctx, NULL, WEFT_SEC), 0);
	replace_mux(r, opts);
	weft_ctx_unref(opts.ctx);
	return r->m;
}

RIG_TEST_MANUAL(a_context_ends_calls_at_its_deadline)
{
	int64_t deadline_ns = weft_deadline_in(WEFT_SEC);
	struct weft_run_stats before, after;
	struct weft_chan *c;
	struct waiting w;

	m = replace_by_timed(r);
	c = input(r, "ring", 1);
	weft_run_stats(&before);
	begin_recv(&w, m);
	CHECK_EQ(testing_join_moving(w.task), -ETIMEDOUT);
	CHECK_EQ(w.returned_at, deadline_ns);
	/* No timer task; our own call's is the one. */
	weft_run_stats(&after);
	CHECK_EQ(after.tasks, before.tasks + 1);

	/* An earlier deadline of the call comes first. */
	put(c, 1);
	CHECK_EQ(weft_mux_recv(m, &w.in, NULL, WEFT_NOW), -ETIMEDOUT);
}

/* The context is a case of every wait, and no stop of its own. */
RIG_TEST_MANUAL(a_context_that_ended_before_a_stop_stays_the_reason)
{
	int v;

	m = replace_by_timed(r);
	testing_pass(WEFT_SEC);
	CHECK_EQ(weft_mux_stop(m), 0);
	CHECK_EQ(weft_mux_recv(m, &v, NULL, WEFT_FOREVER), -ETIMEDOUT);
}

/* --- stop, at any moment --- */

/* Two receive, two send, one does both, one adds and removes. What one sends,
 * another may receive; there is less space than is sent. */
struct torn {
	struct weft_ctx *ctx;
	struct rig r;
};

static void *torn_setup(void *arg)
{
	static const char *const impls[] = { "handoff", "ring", "list",
		                             "condvar" };
	struct torn *t = calloc(1, sizeof(*t));

	(void)arg;
	CHECK(t != NULL);
	CHECK_EQ(weft_ctx_with_cancel(&t->ctx, NULL), 0);
	replace_mux(&t->r, (struct weft_mux_opts){ .elem_size = sizeof(int),
	                                           .hold = weft_rand() % 2,
	                                           .ctx = t->ctx });
	for (int i = 0; i < 3; i++)
		add_output(t->r.m, input(&t->r, impls[i ? weft_rand() % 4 : 0],
		                         i ? 1 + weft_rand() % 2 : 0));
	return t;
}

static int torn_call(struct rig *r, unsigned id)
{
	enum weft_case_op op;
	size_t port;
	int v = 0, err;

	switch (id) {
	case 0:
	case 1:
		return weft_mux_recv(r->m, &v, NULL, WEFT_FOREVER);
	case 2:
	case 3:
		return weft_mux_send(r->m, &v, NULL, WEFT_FOREVER);
	case 4:
		return weft_mux_select(r->m, &v, &v, &op, NULL, WEFT_FOREVER);
	default:
		err = weft_mux_add(r->m, r->c[weft_rand() % 3],
		                   (enum weft_case_op)(weft_rand() % 2), &port);
		return err ? err : weft_mux_remove(r->m, port);
	}
}

static void torn_go(void *thing, unsigned id)
{
	struct torn *t = thing;
	int err;

	while (!(err = torn_call(&t->r, id)))
		;
	CHECK_EQ(err, -ECANCELED);
}

static void torn_stop(void *thing)
{
	struct torn *t = thing;

	if (weft_rand() % 2)
		CHECK_EQ(weft_mux_stop(t->r.m), 0);
	else
		CHECK_EQ(weft_ctx_cancel(t->ctx, 0), 0);
}

static void torn_end(void *thing)
{
	struct torn *t = thing;
	struct weft_mux_stats stats = mux_stats(t->r.m);
	uint64_t inside = 0;

	for (int i = 0; i < 3; i++)
		inside += weft_chan_len(t->r.c[i]);
	CHECK_EQ(stats.sent, stats.received + inside);
	free_rig(&t->r);
	weft_ctx_unref(t->ctx);
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
	_Atomic uint64_t sum_out, sum_in;
};

struct crosser {
	struct crossing *x;
	enum weft_case_op op;
	struct weft_chan *c; /* NULL: all of them, by select */
	struct weft_task *task;
};

static void note(const struct crosser *me, int v)
{
	weft_fetch_add_relaxed(me->op == WEFT_CASE_SEND ? &me->x->sum_out
	                                                : &me->x->sum_in,
	                       (uint64_t)v);
}

static int cross_plainly(const struct crosser *me)
{
	for (int i = 0, v; i < MESSAGES; i++) {
		v = i;
		CHECK_EQ(me->op == WEFT_CASE_SEND
		                 ? weft_chan_send(me->c, &v, WEFT_FOREVER)
		                 : weft_chan_recv(me->c, &v, WEFT_FOREVER),
		         0);
		note(me, v);
	}
	return 0;
}

static int cross_by_select(const struct crosser *me)
{
	struct weft_mux *m = new_mux();
	int left[4], v, err;
	size_t which;

	for (int i = 0; i < 4; i++) {
		left[i] = MESSAGES;
		CHECK_EQ(weft_mux_add(m, me->x->c[i], me->op, NULL), 0);
	}
	for (int i = 0;; i++) {
		v = i;
		err = me->op == WEFT_CASE_SEND
		              ? weft_mux_send(m, &v, &which, WEFT_FOREVER)
		              : weft_mux_recv(m, &v, &which, WEFT_FOREVER);
		if (err)
			break;
		note(me, v);
		if (--left[which] == 0)
			CHECK_EQ(weft_mux_remove(m, which), 0);
	}
	CHECK_EQ(mux_stats(m).sent + mux_stats(m).received, 4u * MESSAGES);
	weft_mux_free(m);
	return err;
}

static int cross_main(void *arg)
{
	const struct crosser *me = arg;

	return me->c ? cross_plainly(me) : cross_by_select(me);
}

static void cross(const char *const *impls, const size_t *caps)
{
	struct crossing x = { .sum_in = 0 };
	struct crosser crossers[10];

	for (int i = 0; i < 4; i++)
		x.c[i] = new_chan(impls[i], caps[i]);
	for (int i = 0; i < 10; i++) {
		crossers[i] = (struct crosser){
			.x = &x,
			.op = i % 2 ? WEFT_CASE_SEND : WEFT_CASE_RECV,
			.c = i < 8 ? x.c[i / 2] : NULL,
		};
		crossers[i].task = testing_spawn(cross_main, &crossers[i]);
	}
	for (int i = 0; i < 10; i++)
		CHECK_EQ(testing_join(crossers[i].task), i < 8 ? 0 : -EPIPE);
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
