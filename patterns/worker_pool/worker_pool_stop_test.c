/*
 * Tests of how the worker pool ends, of its groups, and of many pools at once;
 * what all components do at their end is tested by life.c.
 *
 *	E1  a close runs all, a stop does not
 *	E2  submits after the end, from inside and outside
 *	E8  a context that ends cancels what waits
 *	E9  submits that wait are released
 *	E13 a stop with a limit of time
 *	E15 a pool and a group may be used again after a wait
 *	E18 pools in a chain
 */
#include <stdlib.h>

#include "testing/stop.h"
#include "worker_pool_testing.h"

#define MANY (TESTING_SLOW ? 512 : 8192)

TEST(E1_a_close_runs_all_and_a_stop_leaves_some)
{
	for (int graceful = 0; graceful < 2; graceful++) {
		struct drops drops = { 0 };
		struct weft_pool *p = make((struct weft_pool_opts){
		        .workers = 1,
		        .cap = 8192,
		        .impl = weft_chan_impl_find("ring"),
		        .drop = drop,
		        .drop_arg = &drops });
		struct gate gate;
		struct weft_job *first;
		struct count count = { 0 };

		gate_init(&gate);
		first = submit_gated(p, &gate);
		for (int i = 0; i < MANY; i++)
			CHECK_EQ(weft_pool_try_submit(p, count_one, &count), 0);
		CHECK_EQ(graceful ? weft_pool_close(p) : weft_pool_stop(p), 0);
		gate_open(&gate);
		CHECK_EQ(weft_pool_join(p, WEFT_FOREVER),
		         graceful ? 0 : -ECANCELED);
		expect_end(first, 0);
		CHECK_EQ(weft_load_relaxed(&count.n), graceful ? MANY : 0);
		CHECK_EQ(weft_load_relaxed(&drops.n), graceful ? 0 : MANY);
		CHECK_EQ(stats(p).waiting, 0u);
		weft_pool_free(p);
	}
	return 0;
}

static int closes_and_submits(void *arg, unsigned worker)
{
	struct count *c = arg;

	(void)worker;
	CHECK_EQ(weft_pool_close(c->p), 0);
	CHECK_EQ(weft_pool_submit(c->p, count_one, c, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_pool_try_submit(c->p, count_one, c), -EPIPE);
	CHECK_EQ(weft_pool_stop(c->p), 0);
	CHECK_EQ(weft_pool_submit(c->p, count_one, c, WEFT_FOREVER),
	         -ECANCELED);
	return 0;
}

TEST(E2_submits_after_the_end_fail_at_once)
{
	static const enum weft_pool_deal deals[] = { WEFT_POOL_SHARED,
		                                     WEFT_POOL_STEALING };

	for (int i = 0; i < 2; i++) {
		struct weft_pool *p = make((struct weft_pool_opts){
		        .workers = 1, .cap = 1, .deal = deals[i] });
		struct count count = { .p = p };

		expect_end(submit(p, closes_and_submits, &count), 0);
		CHECK_EQ(weft_pool_submit(p, count_one, &count, WEFT_FOREVER),
		         -ECANCELED);
		CHECK_EQ(weft_pool_try_submit(p, count_one, &count),
		         -ECANCELED);
		CHECK_EQ(weft_load_relaxed(&count.n), 0);
		weft_pool_free(p);
	}
	return 0;
}

TEST_MANUAL(E8_a_context_that_ends_cancels_what_waits)
{
	struct weft_ctx *ctx;
	struct weft_pool *p;
	struct gate gate;
	struct weft_job *running, *waiting;
	struct count count = { 0 };

	gate_init(&gate);
	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	p = make((struct weft_pool_opts){ .workers = 1, .cap = 1, .ctx = ctx });
	running = submit_gated(p, &gate);
	waiting = submit(p, count_one, &count);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	/* At once, while the worker is busy. */
	expect_end(waiting, -ECANCELED);
	CHECK_EQ(weft_pool_join(p, weft_deadline_in(0)), -ETIMEDOUT);
	gate_open(&gate);
	expect_end(running, 0);
	CHECK_EQ(weft_pool_join(p, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(stats(p).completed, 1u);
	CHECK_EQ(stats(p).canceled, 1u);
	weft_pool_free(p);
	weft_ctx_unref(ctx);
	return 0;
}

TEST_MANUAL(E9_submits_that_wait_are_released)
{
	struct held h;
	struct weft_pool *p = hold(&h, (struct weft_pool_opts){ .cap = 1 });
	struct count count = { .p = p };
	struct weft_task *tasks[3];

	CHECK_EQ(weft_pool_try_submit(p, count_one, &count), 0);
	for (int i = 0; i < 3; i++)
		tasks[i] = testing_spawn(submits_one, &count);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pool_close(p), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(testing_join(tasks[i]), -EPIPE);
	let_go(&h);
	CHECK_EQ(weft_pool_join(p, WEFT_FOREVER), 0);
	CHECK_EQ(weft_load_relaxed(&count.n), 1);
	weft_pool_free(p);
	return 0;
}

TEST_MANUAL(E13_a_stop_with_a_limit_of_time)
{
	struct held h;
	struct weft_pool *p = hold(&h, (struct weft_pool_opts){ .cap = 1 });
	struct count count = { 0 };
	struct weft_job *waiting;

	waiting = submit(p, count_one, &count);
	CHECK_EQ(weft_pool_close(p), 0);
	CHECK_EQ(weft_pool_close(p), -EPIPE);
	CHECK_EQ(weft_pool_join(p, weft_deadline_in(0)), -ETIMEDOUT);
	CHECK_EQ(weft_pool_stop(p), 0);
	expect_end(waiting, -ECANCELED);
	let_go(&h);
	CHECK_EQ(weft_pool_join(p, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_pool_close(p), -EPIPE);
	weft_pool_free(p);
	return 0;
}

TEST(E15_a_pool_may_be_used_again_after_a_wait)
{
	struct weft_pool *p =
	        make((struct weft_pool_opts){ .workers = 2, .cap = 4 });
	struct count count = { 0 };
	struct weft_pool_group *g;

	CHECK_EQ(weft_pool_group_new(&g, p), 0);
	for (int round = 1; round <= 2; round++) {
		for (int i = 0; i < 10; i++)
			weft_job_release(submit_to(p, g, count_one, &count));
		CHECK_EQ(round == 1 ? weft_pool_wait(p, WEFT_FOREVER)
		                    : weft_pool_group_wait(g, WEFT_FOREVER),
		         0);
		CHECK_EQ(weft_load_relaxed(&count.n), 10 * round);
	}
	weft_pool_group_free(g);
	weft_pool_free(p);
	return 0;
}

/* --- groups --- */

TEST_MANUAL(the_first_error_of_a_group_cancels_what_waits_of_it)
{
	struct drops drops = { 0 };
	struct weft_pool *p = make((struct weft_pool_opts){
	        .workers = 1, .cap = 8, .drop = drop, .drop_arg = &drops });
	struct gate gate;
	struct count count = { 0 };
	struct weft_pool_group *g;
	struct weft_job *first, *waiting, *other;
	const struct weft_job_opts late = { .group = NULL };
	struct weft_job_opts of_group = late;

	gate_init(&gate);
	CHECK_EQ(weft_pool_group_new(&g, p), 0);
	first = submit_to(p, g, pass_gate, &gate);
	gate_wait_for(&gate, 1);
	waiting = submit_to(p, g, count_one, &count);
	other = submit(p, count_one, &count);
	gate.status = -EAGAIN; /* not what a wait would say of itself */
	CHECK_EQ(weft_pool_group_wait(g, weft_deadline_in(0)), -ETIMEDOUT);
	gate_open(&gate);
	CHECK_EQ(weft_pool_group_wait(g, WEFT_FOREVER), -EIO);
	CHECK_EQ(weft_pool_group_wait(g, WEFT_FOREVER), -EIO);
	expect_end(first, -EAGAIN);
	expect_end(waiting, -ECANCELED);
	expect_end(other, 7);
	CHECK_EQ(weft_load_relaxed(&count.n), 1);
	CHECK_EQ(weft_load_relaxed(&drops.n), 1);
	of_group.group = g;
	CHECK_EQ(weft_pool_try_submit_job(p, count_one, &count, &of_group),
	         -EIO);
	CHECK_EQ(weft_pool_group_fail(g, 0), -EINVAL);
	weft_pool_group_free(g);
	weft_pool_free(p);
	return 0;
}

TEST_MANUAL(a_group_that_is_failed_cancels_at_once)
{
	struct held h;
	struct weft_pool *p = hold(&h, (struct weft_pool_opts){ .cap = 2 });
	struct count count = { 0 };
	struct weft_pool_group *g;
	struct weft_job *waiting;

	CHECK_EQ(weft_pool_group_new(&g, p), 0);
	waiting = submit_to(p, g, count_one, &count);
	CHECK_EQ(weft_pool_group_fail(g, -EXDEV), 0);
	CHECK_EQ(weft_pool_group_fail(g, -ENOSPC), 0);
	/* While no worker is free to come across it. */
	expect_end(waiting, -ECANCELED);
	CHECK_EQ(weft_pool_group_wait(g, WEFT_FOREVER), -EXDEV);
	let_go(&h);
	weft_pool_group_free(g);
	weft_pool_free(p);
	return 0;
}

TEST_MANUAL(a_group_of_a_pool_that_is_stopped_was_cancelled)
{
	struct held h;
	struct weft_pool *p = hold(&h, (struct weft_pool_opts){ .cap = 2 });
	struct count count = { 0 };
	struct weft_pool_group *g;

	CHECK_EQ(weft_pool_group_new(&g, p), 0);
	weft_job_release(submit_to(p, g, count_one, &count));
	CHECK_EQ(weft_pool_stop(p), 0);
	CHECK_EQ(weft_pool_group_wait(g, WEFT_FOREVER), -ECANCELED);
	let_go(&h);
	weft_pool_group_free(g);
	weft_pool_free(p);
	return 0;
}

/* While something cancels one job after the other, another job waits for the
 * second of them. */
struct ending {
	struct weft_pool *p;
	struct weft_pool_group *g;
	struct weft_job *second;
	struct gate gate, done;
	struct count count;
	bool stops;
};

static int waits_for_the_second(void *arg, unsigned worker)
{
	struct ending *e = arg;
	int status;

	pass_gate(&e->gate, worker);
	CHECK_EQ(weft_job_wait(e->second, &status, WEFT_FOREVER), 0);
	gate_open(&e->done);
	return status;
}

static void let_it_wait(void *job_arg, void *arg)
{
	struct ending *e = arg;

	(void)job_arg;
	if (weft_fetch_add_relaxed(&e->count.n, 1) > 0)
		return;
	gate_open(&e->gate);
	pass_gate(&e->done, 0);
}

static int must_not_run(void *arg, unsigned worker)
{
	(void)arg;
	(void)worker;
	return 7;
}

TEST(what_has_ended_is_not_run_by_a_wait_for_it)
{
	for (int stops = 0; stops < 2; stops++) {
		struct ending e = { .stops = stops };
		struct weft_job *first, *waits;

		gate_init(&e.gate);
		gate_init(&e.done);
		e.p = make((struct weft_pool_opts){ .workers = 1,
		                                    .cap = 4,
		                                    .drop = let_it_wait,
		                                    .drop_arg = &e });
		CHECK_EQ(weft_pool_group_new(&e.g, e.p), 0);
		waits = submit(e.p, waits_for_the_second, &e);
		gate_wait_for(&e.gate, 1);
		first = submit_to(e.p, e.g, must_not_run, &e);
		e.second = submit_to(e.p, e.g, must_not_run, &e);
		CHECK_EQ(stops ? weft_pool_stop(e.p)
		               : weft_pool_group_fail(e.g, -EXDEV),
		         0);
		expect_end(waits, -ECANCELED);
		expect_end(first, -ECANCELED);
		expect_end(e.second, -ECANCELED);
		weft_pool_group_free(e.g);
		weft_pool_free(e.p);
	}
	return 0;
}

struct in_group {
	struct count count;
	struct weft_pool_group *own, *inner;
};

static int waits_for_groups(void *arg, unsigned worker)
{
	struct in_group *in = arg;

	(void)worker;
	for (int i = 0; i < 3; i++)
		weft_job_release(submit_to(in->count.p, in->inner, count_one,
		                           &in->count));
	CHECK_EQ(weft_pool_group_wait(in->own, WEFT_FOREVER), -EDEADLK);
	return weft_pool_group_wait(in->inner, WEFT_FOREVER);
}

TEST_MANUAL(a_job_runs_the_group_that_it_waits_for)
{
	struct weft_pool *p =
	        make((struct weft_pool_opts){ .workers = 1, .cap = 4 });
	struct in_group in = { .count = { .p = p } };

	CHECK_EQ(weft_pool_group_new(&in.own, p), 0);
	CHECK_EQ(weft_pool_group_new(&in.inner, p), 0);
	expect_end(submit_to(p, in.own, waits_for_groups, &in), 0);
	CHECK_EQ(weft_load_relaxed(&in.count.n), 3);
	weft_pool_group_free(in.own);
	weft_pool_group_free(in.inner);
	weft_pool_free(p);
	return 0;
}

/* --- many --- */

#define CHAIN (TESTING_SLOW ? 8 : 64)

struct chain {
	struct weft_pool *pools[64];
	_Atomic int ends, links;
};

/* A job that goes on in the next pool. */
struct link {
	struct chain *chain;
	int at;
};

static int go_on(void *arg, unsigned worker)
{
	struct link *l = arg;

	weft_fetch_add_relaxed(&l->chain->links, 1);
	if (++l->at < CHAIN)
		return weft_pool_submit(l->chain->pools[l->at], go_on, l,
		                        WEFT_FOREVER);
	weft_fetch_add_relaxed(&l->chain->ends, 1);
	(void)worker;
	return 0;
}

TEST(E18_jobs_that_go_on_through_a_chain_of_pools_all_arrive)
{
	static struct link links[8192];
	struct chain chain = { .ends = 0 };
	int n = TESTING_SLOW ? 256 : 2048;

	for (int i = 0; i < CHAIN; i++)
		chain.pools[i] = make(
		        (struct weft_pool_opts){ .workers = 4, .cap = 16 });
	for (int i = 0; i < n; i++) {
		links[i] = (struct link){ &chain, 0 };
		CHECK_EQ(weft_pool_submit(chain.pools[0], go_on, &links[i],
		                          WEFT_FOREVER),
		         0);
	}
	for (int i = 0; i < CHAIN; i++) {
		CHECK_EQ(weft_pool_close(chain.pools[i]), 0);
		CHECK_EQ(weft_pool_join(chain.pools[i], WEFT_FOREVER), 0);
	}
	CHECK_EQ(weft_load_relaxed(&chain.ends), n);
	CHECK_EQ(weft_load_relaxed(&chain.links), n * CHAIN);
	for (int i = 0; i < CHAIN; i++)
		weft_pool_free(chain.pools[i]);
	return 0;
}

/* Jobs that split until there is nothing to split, from several submitters,
 * some of them cancelled or run where they are waited for, stopped at any
 * moment: all are accounted for. */
struct storm {
	struct weft_pool *p;
	_Atomic uint64_t taken, ended;
};

static int split(void *arg, unsigned worker);

static void split_off(struct storm *s)
{
	struct weft_job *job = NULL;
	const struct weft_job_opts opts = { .handle = &job };

	if (weft_pool_try_submit_job(s->p, split, s, &opts))
		return;
	weft_fetch_add_relaxed(&s->taken, UINT64_C(1));
	if (weft_rand() % 4 == 0)
		weft_job_cancel(job);
	if (weft_rand() % 4 == 0)
		CHECK_EQ(weft_job_wait(job, NULL, WEFT_FOREVER), 0);
	weft_job_release(job);
}

static int split(void *arg, unsigned worker)
{
	struct storm *s = arg;

	(void)worker;
	for (int i = 0; i < 2 && weft_rand() % 5 < 2; i++)
		split_off(s);
	weft_fetch_add_relaxed(&s->ended, UINT64_C(1));
	return 0;
}

static void storm_drop(void *job_arg, void *arg)
{
	struct storm *s = job_arg;

	(void)arg;
	weft_fetch_add_relaxed(&s->ended, UINT64_C(1));
}

static void *storm_setup(void *arg)
{
	struct storm *s = calloc(1, sizeof(*s));
	struct weft_pool_opts opts = *(const struct weft_pool_opts *)arg;

	CHECK(s != NULL);
	opts.workers = 3;
	opts.drop = storm_drop;
	s->p = make(opts);
	return s;
}

static void storm_go(void *thing, unsigned id)
{
	struct storm *s = thing;
	struct weft_job *job = NULL;
	const struct weft_job_opts opts = { .handle = &job };
	int err = 0;

	for (int i = 0; i < 100 && !err; i++) {
		err = weft_pool_submit_job(s->p, split, s, &opts, WEFT_FOREVER);
		if (err)
			break;
		weft_fetch_add_relaxed(&s->taken, UINT64_C(1));
		if (id == 0)
			weft_job_cancel(job);
		if (id == 1)
			CHECK_EQ(weft_job_wait(job, NULL, WEFT_FOREVER), 0);
		weft_job_release(job);
	}
	CHECK(!err || err == -ECANCELED || err == -EPIPE);
}

static void storm_stop(void *thing)
{
	struct storm *s = thing;

	if (weft_rand() % 2)
		CHECK_EQ(weft_pool_stop(s->p), 0);
	else
		CHECK_EQ(weft_pool_close(s->p), 0);
}

static void storm_end(void *thing)
{
	struct storm *s = thing;
	struct weft_pool_stats at_end;
	int err = weft_pool_join(s->p, WEFT_FOREVER);

	CHECK(!err || err == -ECANCELED);
	at_end = stats(s->p);
	CHECK_EQ(at_end.waiting + at_end.running, 0u);
	CHECK_EQ(at_end.submitted, weft_load_relaxed(&s->taken));
	CHECK_EQ(at_end.submitted, weft_load_relaxed(&s->ended));
	weft_pool_free(s->p);
	free(s);
}

TEST(E2_submitters_inside_and_outside_race_a_stop)
{
	struct weft_pool_opts shapes[] = {
		{ .cap = 4 },
		{ .cap = 0, .classes = 2 },
		{ .cap = 4, .deal = WEFT_POOL_STEALING },
		{ .cap = 300, .impl = weft_chan_impl_find("pipe") },
	};

	for (int i = 0; i < 4; i++) {
		const struct testing_stop what = { .setup = storm_setup,
			                           .go = storm_go,
			                           .tasks = 3,
			                           .stop = storm_stop,
			                           .end = storm_end,
			                           .arg = &shapes[i],
			                           .rounds = TESTING_SLOW
			                                             ? 50
			                                             : 500 };

		testing_stop_often(&what);
	}
	return 0;
}
