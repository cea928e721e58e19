/*
 * Tests of the worker pool: submits, handles, classes, figures. How it ends is
 * tested by its life.c and in worker_pool_stop_test.c. The numbers are those of
 * the requirements:
 *
 *	E3  a job that submits to its own full pool
 *	E4  no place, and one again
 *	E5  no more submits wait than may
 *	E6  no queue
 *	E7  figures that add up, at any moment
 *	E11 a job that ends its task
 *	E12 resize
 *	E14 what is refused
 *	E16 waits for nothing
 *	E17 many wait for one
 */
#include <pthread.h>

#include "worker_pool_testing.h"

/* --- submits --- */

TEST(jobs_are_run_and_hand_back_what_they_return)
{
	struct weft_pool *p =
	        make((struct weft_pool_opts){ .workers = 2, .cap = 4 });
	struct weft_job *jobs[20];
	struct count count = { 0 };
	int status;

	for (int i = 0; i < 20; i++)
		jobs[i] = submit(p, count_one, &count);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(weft_job_wait(jobs[i], &status, WEFT_FOREVER), 0);
		CHECK_EQ(status, 7);
		weft_job_release(jobs[i]);
	}
	CHECK_EQ(weft_load_relaxed(&count.n), 20);
	weft_pool_free(p);
	return 0;
}

TEST_MANUAL(E4_a_try_is_refused_until_there_is_a_place)
{
	struct held h;
	struct weft_pool *p = hold(&h, (struct weft_pool_opts){ .cap = 1 });
	struct count count = { 0 };

	CHECK_EQ(weft_pool_try_submit(p, count_one, &count), 0);
	CHECK_EQ(weft_pool_try_submit(p, count_one, &count), -EAGAIN);
	CHECK_EQ(weft_pool_submit(p, count_one, &count, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(stats(p).refused, 1u);
	let_go(&h);
	CHECK_EQ(weft_pool_wait(p, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pool_try_submit(p, count_one, &count), 0);
	expect_done(p, &count, 2);
	weft_pool_free(p);
	return 0;
}

TEST_MANUAL(E5_no_more_submits_wait_than_may)
{
	struct held h;
	struct weft_pool *p =
	        hold(&h, (struct weft_pool_opts){ .cap = 1, .blocked_max = 1 });
	struct count count = { .p = p };
	struct weft_task *waiting;

	CHECK_EQ(weft_pool_try_submit(p, count_one, &count), 0);
	waiting = testing_spawn(submits_one, &count);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats(p).blocked, 1u);
	CHECK_EQ(weft_pool_submit(p, count_one, &count, WEFT_FOREVER), -EAGAIN);
	gate_open(&h.gate);
	CHECK_EQ(testing_join(waiting), 0);
	expect_end(h.first, 0);
	expect_done(p, &count, 2);
	weft_pool_free(p);
	return 0;
}

TEST_MANUAL(E6_without_a_queue_a_job_is_taken_in_when_a_worker_is_free)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct weft_job_opts of_class = { .job_class = i };
		struct held h;
		struct weft_pool *p =
		        hold(&h, (struct weft_pool_opts){ .classes = 2 });
		struct count count = { .p = p, .of_class = i };
		struct weft_task *waiting = testing_spawn(submits_one, &count);

		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ(weft_pool_try_submit_job(p, count_one, &count,
		                                  &of_class),
		         -EAGAIN);
		CHECK_EQ(stats(p).waiting, 0u);
		CHECK_EQ(stats(p).running, 1u);
		gate_open(&h.gate);
		CHECK_EQ(testing_join(waiting), 0);
		expect_end(h.first, 0);
		expect_done(p, &count, 1);
		weft_pool_free(p);
	}
	return 0;
}

TEST_MANUAL(E6_without_a_queue_a_free_worker_counts_for_one_class_only)
{
	struct weft_pool *p =
	        make((struct weft_pool_opts){ .workers = 2, .classes = 3 });
	struct gate gate;

	gate_init(&gate);
	for (unsigned i = 0; i < 6; i++) {
		const struct weft_job_opts opts = { .job_class = i / 2 };

		CHECK_EQ(weft_pool_try_submit_job(p, pass_gate, &gate, &opts),
		         i < 2 ? 0 : -EAGAIN);
	}
	gate_open(&gate);
	CHECK_EQ(weft_pool_wait(p, WEFT_FOREVER), 0);
	CHECK_EQ(stats(p).succeeded, 2u);
	weft_pool_free(p);
	return 0;
}

/* One waits, which is all that may; the others are refused. */
static int is_refused_often(void *arg)
{
	struct count *c = arg;

	while (!weft_load_relaxed(&c->enough))
		CHECK_EQ(weft_pool_submit(c->p, count_one, c, WEFT_FOREVER),
		         -EAGAIN);
	return 0;
}

TEST(E5_a_submit_that_may_not_wait_does_not_count_as_one_that_waits)
{
	struct held h;
	struct weft_pool *p =
	        hold(&h, (struct weft_pool_opts){ .cap = 1, .blocked_max = 1 });
	struct count count = { .p = p }, refused = { .p = p };
	struct weft_task *waiting, *hammering;

	CHECK_EQ(weft_pool_try_submit(p, count_one, &count), 0);
	waiting = testing_spawn(submits_one, &count);
	while (!stats(p).blocked)
		weft_yield();
	hammering = testing_spawn(is_refused_often, &refused);
	for (int i = 0; i < (TESTING_SLOW ? 1000 : 20000); i++)
		CHECK_EQ(stats(p).blocked, 1u);
	weft_store_relaxed(&refused.enough, true);
	CHECK_EQ(testing_join(hammering), 0);
	gate_open(&h.gate);
	CHECK_EQ(testing_join(waiting), 0);
	expect_end(h.first, 0);
	weft_pool_free(p);
	return 0;
}

static const struct weft_pool_opts refused[] = {
	{ .workers = 0 },
	{ .workers = WEFT_POOL_WORKERS_MAX + 1 },
	{ .workers = 2, .workers_max = 1 },
	{ .workers = 1, .workers_max = WEFT_POOL_WORKERS_MAX + 1 },
	{ .workers = 1, .cap = WEFT_POOL_CAP_MAX + 1 },
	{ .workers = 1, .cap = WEFT_POOL_UNBOUNDED },
	{ .workers = 1, .classes = WEFT_POOL_CLASSES_MAX + 1 },
	{ .workers = 1, .deal = WEFT_POOL_STEALING },
	{ .workers = 1, .deal = WEFT_POOL_STEALING, .cap = 1, .classes = 2 },
	{ .workers = 1, .deal = WEFT_POOL_STEALING, .cap = 1, .share = { 1 } },
	{ .workers = 1, .deal = (enum weft_pool_deal)2, .cap = 1 },
	{ .workers = 1, .wait = (enum weft_wait)3 },
	/* Channels that move no data, or are for fewer than may send. */
	{ .workers = 1, .cap = 1, .impl = &testing_floor },
	{ .workers = 1, .cap = 1, .impl = &testing_one_to_one },
	{ .workers = 1,
	  .cap = 1,
	  .impl = &testing_one_to_one,
	  .submitters = 2 },
	{ .workers = 2,
	  .cap = 1,
	  .impl = &testing_one_to_one,
	  .submitters = 1 },
};

TEST(E14_what_makes_no_sense_is_refused)
{
	struct weft_pool_opts opts = { .workers = 2, .cap = 1 };
	struct weft_job_opts job = { .job_class = 1 };
	struct weft_pool *p = NULL;
	struct weft_pool_group *g;
	struct count count = { 0 };

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		CHECK_EQ(weft_pool_new(&p, &refused[i]), -EINVAL);
	CHECK_EQ(weft_pool_new(&p, NULL), -EINVAL);
	CHECK_EQ(weft_pool_new(NULL, &opts), -EINVAL);
	CHECK(p == NULL);
	p = make((struct weft_pool_opts){ .workers = 1, .cap = 1 });
	CHECK_EQ(weft_pool_submit(p, NULL, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_pool_try_submit(NULL, count_one, &count), -EINVAL);
	CHECK_EQ(weft_pool_try_submit_job(p, count_one, &count, &job), -EINVAL);
	CHECK_EQ(weft_pool_resize(p, 0), -EINVAL);
	CHECK_EQ(weft_pool_resize(p, 2), -EINVAL);
	CHECK_EQ(weft_pool_resize(NULL, 1), -EINVAL);
	CHECK_EQ(weft_pool_wait(NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_job_wait(NULL, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_job_cancel(NULL), -EINVAL);
	weft_job_release(NULL);
	CHECK_EQ(weft_pool_group_new(&g, NULL), -EINVAL);
	CHECK_EQ(weft_pool_group_new(NULL, p), -EINVAL);
	CHECK_EQ(weft_pool_group_wait(NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_pool_group_fail(NULL, -EIO), -EINVAL);
	weft_pool_group_free(NULL);
	weft_pool_free(p);
	return 0;
}

TEST(an_unbounded_pool_is_never_full)
{
	struct held h;
	struct weft_pool *p = hold(
	        &h,
	        (struct weft_pool_opts){ .cap = WEFT_POOL_UNBOUNDED,
	                                 .impl = weft_chan_impl_find("list") });
	struct count count = { 0 };

	for (int i = 0; i < 5000; i++)
		CHECK_EQ(weft_pool_try_submit(p, count_one, &count), 0);
	CHECK_EQ(stats(p).waiting, 5000u);
	let_go(&h);
	expect_done(p, &count, 5000);
	weft_pool_free(p);
	return 0;
}

/* --- queues that are full, or refuse --- */

/* Each job fills the queue up again, until there were enough. */
static int refills(void *arg, unsigned worker)
{
	struct count *c = arg;
	int err = 0;

	(void)worker;
	weft_fetch_add_relaxed(&c->n, 1);
	while (c->submitted < 4000 && !err) {
		err = weft_pool_submit(c->p, refills, c, WEFT_FOREVER);
		c->submitted += !err;
	}
	if (!err)
		return 0;
	CHECK_EQ(err, -EDEADLK);
	CHECK_EQ(weft_pool_submit(c->p, refills, c, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_pool_try_submit(c->p, refills, c), -EAGAIN);
	if (c->exactly)
		CHECK_EQ(stats(c->p).waiting, c->exactly);
	return 0;
}

/* Those of the kernel free their space in lumps, and so may lack room for what
 * has a place. */
static const struct {
	const char *impl;
	size_t cap;
	unsigned exactly;
} full[] = {
	{ "handoff", 1, 1 },
	{ "ring", 64, 64 },
	{ "pipe", 64, 0 },
	{ "socketpair", 64, 0 },
};

TEST(E3_a_job_does_not_wait_for_a_place_that_only_its_end_makes)
{
	for (int i = 0; i < 4; i++) {
		struct weft_pool *p = make((struct weft_pool_opts){
		        .workers = 1,
		        .cap = full[i].cap,
		        .impl = weft_chan_impl_find(full[i].impl) });
		struct count count = { .p = p,
			               .submitted = 1,
			               .exactly = full[i].exactly };

		CHECK_EQ(weft_pool_submit(p, refills, &count, WEFT_FOREVER), 0);
		expect_done(p, &count, 4000);
		CHECK_EQ(stats(p).submitted, 4000u);
		CHECK_EQ(stats(p).canceled, 0u);
		weft_pool_free(p);
	}
	return 0;
}

TEST_MANUAL(E7_what_a_queue_has_refused_was_not_submitted)
{
	struct weft_pool *p = make((struct weft_pool_opts){
	        .workers = 1, .cap = 4, .impl = &testing_refuses });
	struct count count = { .p = p };
	struct weft_pool_group *g;
	struct weft_job_opts opts = { .group = NULL };
	int failed = 0;

	CHECK_EQ(weft_pool_group_new(&g, p), 0);
	opts.group = g;
	for (int i = 0; i < 100; i++) {
		int err = weft_pool_submit_job(p, count_one, &count, &opts,
		                               WEFT_FOREVER);

		CHECK(!err || err == -ENOMEM);
		failed += err != 0;
	}
	CHECK_EQ(failed, 1);
	CHECK_EQ(weft_pool_group_wait(g, WEFT_FOREVER), 0);
	CHECK_EQ(weft_load_relaxed(&count.n), 99);
	CHECK_EQ(stats(p).submitted, 99u);
	CHECK_EQ(stats(p).canceled, 0u);
	weft_pool_group_free(g);
	weft_pool_free(p);
	return 0;
}

/* --- waits --- */

TEST(E16_nothing_is_waited_for_where_there_is_nothing)
{
	struct weft_pool *p = make((struct weft_pool_opts){ .workers = 2 });
	struct weft_pool_group *g;

	CHECK_EQ(weft_pool_wait(p, WEFT_NOW), 0);
	CHECK_EQ(weft_pool_wait(p, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pool_group_new(&g, p), 0);
	CHECK_EQ(weft_pool_group_wait(g, WEFT_FOREVER), 0);
	weft_pool_group_free(g);
	weft_pool_free(p);
	return 0;
}

struct waits {
	struct weft_job *job;
	int status;
};

static int wait_main(void *arg)
{
	struct waits *w = arg;

	return weft_job_wait(w->job, &w->status, WEFT_FOREVER);
}

TEST_MANUAL(E17_many_wait_for_one_and_get_the_same)
{
	struct held h;
	struct weft_pool *p = hold(&h, (struct weft_pool_opts){ .cap = 0 });
	struct weft_task *tasks[5];
	struct waits waits[5];

	for (int i = 0; i < 5; i++) {
		waits[i] = (struct waits){ h.first, 1 };
		tasks[i] = testing_spawn(wait_main, &waits[i]);
	}
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_job_wait(h.first, NULL, weft_deadline_in(0)), -ETIMEDOUT);
	h.gate.status = -EXDEV;
	gate_open(&h.gate);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(testing_join(tasks[i]), 0);
		CHECK_EQ(waits[i].status, -EXDEV);
	}
	expect_end(h.first, -EXDEV);
	weft_pool_free(p);
	return 0;
}

/* Jobs that take turns. */
struct turn {
	struct turn **last, *before;
};

static int take_turn(void *arg, unsigned worker)
{
	struct turn *t = arg;

	(void)worker;
	CHECK(*t->last == t->before);
	*t->last = t;
	return 0;
}

/* A job that waits for another, which no worker is free to run. */
static int waits_inside(void *arg, unsigned worker)
{
	struct count *c = arg;
	struct weft_job *job = submit(c->p, c->inner, c);
	int status;

	(void)worker;
	CHECK_EQ(weft_pool_wait(c->p, WEFT_FOREVER), -EDEADLK);
	CHECK_EQ(weft_pool_join(c->p, WEFT_FOREVER), -EDEADLK);
	CHECK_EQ(weft_job_wait(job, &status, WEFT_FOREVER), 0);
	weft_job_release(job);
	return status;
}

/* Jobs of a group that submit to it. */
struct brood {
	struct weft_pool *p;
	struct weft_pool_group *g;
	int born;
};

static int breeds(void *arg, unsigned worker)
{
	struct brood *b = arg;
	const struct weft_job_opts opts = { .group = b->g };

	(void)worker;
	if (b->born++ < 2)
		CHECK_EQ(weft_pool_submit_job(b->p, breeds, b, &opts,
		                              WEFT_FOREVER),
		         0);
	return 0;
}

static int waits_for_a_brood(void *arg, unsigned worker)
{
	struct brood *b = arg;

	for (int frees = 0; frees < 2; frees++) {
		CHECK_EQ(weft_pool_group_new(&b->g, b->p), 0);
		b->born = 0;
		breeds(b, worker);
		if (!frees)
			CHECK_EQ(weft_pool_group_wait(b->g, WEFT_FOREVER), 0);
		weft_pool_group_free(b->g);
		CHECK_EQ(b->born, 3);
	}
	return 0;
}

/* The records of those that have ended are used again, the last one first: what
 * a job submits lies below its own. */
TEST_MANUAL(a_job_that_waits_for_a_group_runs_what_its_jobs_submit_to_it)
{
	struct weft_pool *p =
	        make((struct weft_pool_opts){ .workers = 1, .cap = 8 });
	struct brood b = { .p = p };
	struct gate gate;
	struct weft_job *first[3], *last;

	gate_init(&gate);
	first[0] = submit_gated(p, &gate);
	for (int i = 1; i < 3; i++)
		first[i] = submit(p, pass_gate, &gate);
	last = submit(p, waits_for_a_brood, &b);
	gate_open(&gate);
	for (int i = 0; i < 3; i++)
		expect_end(first[i], 0);
	expect_end(last, 0);
	weft_pool_free(p);
	return 0;
}

static int gives_up(void *arg, unsigned worker)
{
	(void)arg;
	(void)worker;
	weft_task_exit(-EXDEV);
}

TEST_MANUAL(a_job_that_waits_for_one_that_has_not_begun_runs_it)
{
	for (int stealing = 0; stealing < 2; stealing++) {
		struct weft_pool *p = make((struct weft_pool_opts){
		        .workers = 1,
		        .cap = 2,
		        .deal = stealing ? WEFT_POOL_STEALING
		                         : WEFT_POOL_SHARED });
		struct count count = { .p = p, .inner = count_one };

		expect_end(submit(p, waits_inside, &count), 7);
		count.inner = gives_up;
		expect_end(submit(p, waits_inside, &count), -EXDEV);
		CHECK_EQ(stats(p).failed, 2u);
		CHECK_EQ(stats(p).replaced, 0u);
		weft_pool_free(p);
	}
	return 0;
}

/* A job that has many others run, or cancelled, each before the next. */
enum way { WAIT, WAIT_FOR_GROUP, CANCEL };

struct rounds {
	struct count count;
	enum way way;
};

static void one_round(struct rounds *r)
{
	struct weft_pool_group *g;
	struct weft_job *job;

	CHECK_EQ(weft_pool_group_new(&g, r->count.p), 0);
	job = submit_to(r->count.p, g, count_one, &r->count);
	if (r->way == WAIT)
		CHECK_EQ(weft_job_wait(job, NULL, WEFT_FOREVER), 0);
	else if (r->way == WAIT_FOR_GROUP)
		CHECK_EQ(weft_pool_group_wait(g, WEFT_FOREVER), 0);
	else
		CHECK_EQ(weft_job_cancel(job), 0);
	weft_job_release(job);
	weft_pool_group_free(g);
}

static int has_many_rounds(void *arg, unsigned worker)
{
	struct rounds *r = arg;

	(void)worker;
	for (int i = 0; i < WEFT_POOL_OWN_MAX + 100; i++)
		one_round(r);
	return 0;
}

static const struct {
	const char *impl;
	enum weft_pool_deal deal;
} queues[] = {
	{ "handoff", WEFT_POOL_SHARED },
	{ "pipe", WEFT_POOL_SHARED },
	{ "spsc", WEFT_POOL_SHARED },
	{ "ring", WEFT_POOL_STEALING },
};

/* What waits beside them keeps its place, and its turn. */
TEST(a_job_that_was_run_or_cancelled_where_it_waited_leaves_no_place_taken)
{
	for (int i = 0; i < 12; i++) {
		struct weft_pool *p = make((struct weft_pool_opts){
		        .workers = 1,
		        .cap = 4,
		        .submitters = 1,
		        .impl = weft_chan_impl_find(queues[i / 3].impl),
		        .deal = queues[i / 3].deal });
		struct rounds r = { .count = { .p = p },
			            .way = (enum way)(i % 3) };
		struct turn turns[3], *last = NULL;
		struct gate gate;
		struct weft_job *first;

		gate_init(&gate);
		first = submit_gated(p, &gate);
		CHECK_EQ(weft_pool_submit(p, has_many_rounds, &r, WEFT_NOW), 0);
		for (int k = 0; k < 3; k++) {
			turns[k] = (struct turn){ &last,
				                  k ? &turns[k - 1] : NULL };
			CHECK_EQ(weft_pool_submit(p, take_turn, &turns[k],
			                          WEFT_NOW),
			         0);
		}
		gate_open(&gate);
		expect_end(first, 0);
		CHECK_EQ(weft_pool_wait(p, WEFT_FOREVER), 0);
		CHECK(last == &turns[2]);
		CHECK_EQ(weft_load_relaxed(&r.count.n),
		         r.way == CANCEL ? 0 : WEFT_POOL_OWN_MAX + 100);
		CHECK_EQ(stats(p).submitted,
		         stats(p).succeeded + stats(p).canceled);
		weft_pool_free(p);
	}
	return 0;
}

static int waits_for_itself(void *arg, unsigned worker)
{
	struct waits *w = arg;

	(void)worker;
	return weft_job_wait(w->job, NULL, WEFT_FOREVER);
}

TEST_MANUAL(a_job_that_waits_for_itself_is_told)
{
	struct held h;
	struct weft_pool *p = hold(&h, (struct weft_pool_opts){ .cap = 1 });
	struct waits w = { NULL, 0 };

	w.job = submit(p, waits_for_itself, &w);
	gate_open(&h.gate);
	expect_end(w.job, -EDEADLK);
	expect_end(h.first, 0);
	weft_pool_free(p);
	return 0;
}

/* --- cancel --- */

TEST_MANUAL(a_job_that_has_not_begun_can_be_cancelled)
{
	struct drops drops = { 0 };
	struct held h;
	struct weft_pool *p =
	        hold(&h, (struct weft_pool_opts){
	                         .cap = 2, .drop = drop, .drop_arg = &drops });
	struct count count = { 0 };
	struct weft_job *job;

	job = submit(p, count_one, &count);
	CHECK_EQ(weft_job_cancel(h.first), -EALREADY);
	CHECK_EQ(weft_job_cancel(job), 0);
	CHECK_EQ(weft_job_cancel(job), -EALREADY);
	CHECK(drops.last == &count);
	CHECK_EQ(weft_load_relaxed(&drops.n), 1);
	expect_end(job, -ECANCELED);
	CHECK_EQ(stats(p).canceled, 1u);
	CHECK_EQ(stats(p).waiting, 0u);
	let_go(&h);
	expect_done(p, &count, 0);
	weft_pool_free(p);
	return 0;
}

/* --- failures --- */

static int dies(void *arg, unsigned worker)
{
	(void)worker;
	weft_fetch_add_relaxed(&((struct count *)arg)->n, 1);
	pthread_exit(NULL);
}

static int fails(void *arg, unsigned worker)
{
	(void)worker;
	weft_fetch_add_relaxed(&((struct count *)arg)->n, 1);
	return -EXDEV;
}

static int exits(void *arg, unsigned worker)
{
	fails(arg, worker);
	weft_task_exit(3);
}

static void on_failure(void *job_arg, int status, void *arg)
{
	struct drops *told = arg;

	told->last = job_arg;
	told->status = status;
	weft_fetch_add_relaxed(&told->n, 1);
}

static const struct {
	weft_job_fn fn;
	int status;
	unsigned replaced; /* of ten */
} deaths[] = {
	{ fails, -EXDEV, 0 },
	{ exits, -ECANCELED, 0 },
	{ dies, -ECANCELED, 10 },
};

TEST(E11_ten_jobs_that_end_their_task_do_not_cost_a_worker)
{
	for (int i = 0; i < 3; i++) {
		struct drops told = { 0 };
		struct weft_pool *p =
		        make((struct weft_pool_opts){ .workers = 2,
		                                      .cap = 4,
		                                      .on_failure = on_failure,
		                                      .failure_arg = &told });
		struct count count = { 0 };

		for (int k = 0; k < 10; k++)
			expect_end(submit(p, deaths[i].fn, &count),
			           deaths[i].status);
		CHECK_EQ(weft_load_relaxed(&told.n), 10);
		CHECK_EQ(told.status, deaths[i].status);
		CHECK(told.last == &count);
		expect_both_work(p);
		CHECK_EQ(stats(p).failed, 10u);
		CHECK_EQ(stats(p).running, 0u);
		CHECK_EQ(stats(p).replaced, deaths[i].replaced);
		CHECK_EQ(weft_pool_close(p), 0);
		CHECK_EQ(weft_pool_join(p, WEFT_FOREVER), 0);
		weft_pool_free(p);
	}
	return 0;
}

/* --- figures --- */

struct reader {
	struct weft_pool *p;
	_Atomic bool enough;
};

static int read_figures(void *arg)
{
	struct reader *r = arg;
	struct weft_pool_stats was = { 0 };

	while (!weft_load_relaxed(&r->enough)) {
		struct weft_pool_stats s = stats(r->p);

		CHECK_EQ(s.submitted,
		         s.waiting + s.running + s.completed + s.canceled);
		CHECK_EQ(s.completed, s.succeeded + s.failed);
		CHECK_LE(s.running, 2u);
		CHECK_LE(was.submitted, s.submitted);
		CHECK_LE(was.completed, s.completed);
		CHECK_LE(was.canceled, s.canceled);
		CHECK_LE(s.waiting, s.submitted);
		was = s;
		weft_yield();
	}
	return 0;
}

TEST(E7_figures_add_up_at_any_moment)
{
	struct weft_pool *p =
	        make((struct weft_pool_opts){ .workers = 2, .cap = 8 });
	struct reader reader = { .p = p };
	struct weft_task *task = testing_spawn(read_figures, &reader);
	struct count count = { 0 };
	int n = TESTING_SLOW ? 1000 : 20000, canceled = 0;

	for (int i = 0; i < n; i++) {
		struct weft_job *job =
		        submit(p, i % 3 ? count_one : fails, &count);

		canceled += i % 5 == 0 && weft_job_cancel(job) == 0;
		weft_job_release(job);
	}
	CHECK_EQ(weft_pool_wait(p, WEFT_FOREVER), 0);
	weft_store_relaxed(&reader.enough, true);
	CHECK_EQ(testing_join(task), 0);
	CHECK_EQ(stats(p).submitted, (uint64_t)n);
	CHECK_EQ(stats(p).canceled, (uint64_t)canceled);
	CHECK_EQ(stats(p).waiting + stats(p).running, 0u);
	CHECK_EQ(weft_load_relaxed(&count.n), n - canceled);
	weft_pool_free(p);
	return 0;
}

TEST_MANUAL(the_age_of_the_oldest_job_is_known)
{
	struct held h;
	struct weft_pool *p = hold(&h, (struct weft_pool_opts){ .cap = 2 });
	struct count count = { 0 };
	struct weft_job *job;

	testing_pass(WEFT_SEC);
	CHECK_EQ(stats(p).oldest_ns, 0);
	job = submit(p, count_one, &count);
	testing_pass(WEFT_SEC);
	CHECK_EQ(weft_pool_try_submit(p, count_one, &count), 0);
	testing_pass(WEFT_SEC);
	CHECK_EQ(stats(p).oldest_ns, 2 * WEFT_SEC);
	CHECK_EQ(weft_job_cancel(job), 0);
	CHECK_EQ(stats(p).oldest_ns, WEFT_SEC);
	weft_job_release(job);
	let_go(&h);
	weft_pool_free(p);
	return 0;
}

/* --- resize --- */

TEST_MANUAL(E12_more_workers_let_in_as_many_and_fewer_finish_theirs)
{
	struct weft_pool *p =
	        make((struct weft_pool_opts){ .workers = 2, .workers_max = 8 });
	struct gate gate;
	struct weft_task *tasks[8];
	struct gated g = { p, &gate };

	gate_init(&gate);
	for (int i = 0; i < 8; i++)
		tasks[i] = testing_spawn(submits_gated, &g);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats(p).running, 2u);
	CHECK_EQ(weft_pool_resize(p, 3), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats(p).running, 3u);
	CHECK_EQ(stats(p).blocked, 5u);
	CHECK_EQ(weft_pool_resize(p, 8), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats(p).running, 8u);
	CHECK_EQ(weft_pool_resize(p, 1), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats(p).running, 8u);
	gate_open(&gate);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(testing_join(tasks[i]), 0);
	CHECK_EQ(weft_pool_wait(p, WEFT_FOREVER), 0);
	expect_one_works(p);
	CHECK_EQ(weft_pool_resize(p, 2), 0);
	expect_both_work(p);
	weft_pool_free(p);
	return 0;
}

/* --- classes --- */

TEST_MANUAL(a_class_that_fills_its_share_does_not_hold_up_another)
{
	struct weft_pool *p = make((struct weft_pool_opts){
	        .workers = 2, .cap = 4, .classes = 2, .share = { 0, 1 } });
	const struct weft_job_opts slow = { .job_class = 1 };
	struct gate gate;
	struct count count = { 0 };

	gate_init(&gate);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(weft_pool_try_submit_job(p, pass_gate, &gate, &slow),
		         0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats(p).running, 1u);
	for (int i = 0; i < 100; i++)
		expect_end(submit(p, count_one, &count), 7);
	CHECK_EQ(stats(p).running, 1u);
	CHECK_EQ(stats(p).waiting, 3u);
	gate_open(&gate);
	CHECK_EQ(weft_pool_wait(p, WEFT_FOREVER), 0);
	CHECK_EQ(stats(p).succeeded, 104u);
	weft_pool_free(p);
	return 0;
}

TEST_MANUAL(a_share_that_is_free_again_is_used_by_workers_that_sleep)
{
	struct weft_pool *p = make((struct weft_pool_opts){
	        .workers = 3, .cap = 8, .classes = 2, .share = { 1, 1 } });
	const struct weft_job_opts other = { .job_class = 1 };
	struct gate gates[2];

	gate_init(&gates[0]);
	gate_init(&gates[1]);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_pool_try_submit(p, pass_gate, &gates[0]), 0);
		CHECK_EQ(weft_pool_try_submit_job(p, pass_gate, &gates[1],
		                                  &other),
		         0);
	}
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats(p).running, 2u);
	gate_open(&gates[0]);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats(p).succeeded, 3u);
	gate_open(&gates[1]);
	CHECK_EQ(weft_pool_wait(p, WEFT_FOREVER), 0);
	weft_pool_free(p);
	return 0;
}

struct at_gate {
	struct gate gate;
	unsigned worker;
};

static int note_worker(void *arg, unsigned worker)
{
	struct at_gate *g = arg;

	g->worker = worker;
	return pass_gate(&g->gate, worker);
}

/* The one that frees it goes to sleep, because it is too many. */
TEST_MANUAL(a_share_that_is_free_again_is_not_left_to_a_worker_that_retires)
{
	struct weft_pool *p = make((struct weft_pool_opts){
	        .workers = 2, .cap = 4, .classes = 2, .share = { 0, 1 } });
	const struct weft_job_opts other = { .job_class = 1 };
	struct at_gate first[2];
	struct gate gate;

	gate_init(&gate);
	for (int i = 0; i < 2; i++) {
		gate_init(&first[i].gate);
		CHECK_EQ(weft_pool_try_submit(p, note_worker, &first[i]), 0);
	}
	CHECK_EQ(weft_clock_settle(), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_pool_try_submit_job(p, pass_gate, &gate, &other),
		         0);
	/* Worker 1 goes on with the first of them; worker 0 finds no place. */
	gate_open(&first[first[1].worker].gate);
	gate_wait_for(&gate, 1);
	gate_open(&first[first[0].worker].gate);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pool_resize(p, 1), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats(p).waiting, 1u);
	gate_open(&gate);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats(p).succeeded, 4u);
	weft_pool_free(p);
	return 0;
}
