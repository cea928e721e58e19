/* Tests of the pipeline: component, kernel and demo. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing.h"
#include "testing_demo.h"

#include <weft/atomic.h>

#include "pipeline.h"

#define MANY_STAGES (TESTING_SLOW ? 100 : 1000)
#define STOPS (TESTING_SLOW ? 100 : 1000)

/* --- stages --- */

static int pass(const void *in, void *out, void *arg)
{
	(void)arg;
	memcpy(out, in, sizeof(int));
	return WEFT_STAGE_EMIT;
}

static int add_one(const void *in, void *out, void *arg)
{
	(void)arg;
	*(int *)out = *(const int *)in + 1;
	return WEFT_STAGE_EMIT;
}

static int only_even(const void *in, void *out, void *arg)
{
	pass(in, out, arg);
	return *(const int *)in % 2 ? WEFT_STAGE_SKIP : WEFT_STAGE_EMIT;
}

static int nothing(const void *in, void *out, void *arg)
{
	(void)in;
	(void)out;
	(void)arg;
	return WEFT_STAGE_SKIP;
}

/* What goes wrong, at item 5. */
enum fault { RETURN_ERROR, RETURN_NONSENSE, EXIT_TASK, EXIT_WELL, EXIT_THREAD };

static int fail_at_five(const void *in, void *out, void *arg)
{
	if (*(const int *)in != 5)
		return pass(in, out, arg);
	switch (*(enum fault *)arg) {
	case RETURN_ERROR:
		return -EDOM;
	case RETURN_NONSENSE:
		return 7;
	case EXIT_TASK:
		weft_task_exit(-ERANGE);
	case EXIT_WELL:
		weft_task_exit(0);
	case EXIT_THREAD:
		pthread_exit(NULL);
	}
	return 0;
}

/* --- making one --- */

static struct weft_pipeline *new_pipeline(const struct weft_stage *stages,
                                          size_t n, size_t cap,
                                          const struct weft_chan_impl *impl)
{
	struct weft_pipeline_opts opts = { .impl = impl,
		                           .cap = cap,
		                           .elem_size = sizeof(int) };
	struct weft_pipeline *p;

	CHECK_EQ(weft_pipeline_new(&p, stages, n, &opts), 0);
	return p;
}

/* n stages of one worker each, all alike. */
static struct weft_pipeline *chain(weft_stage_fn fn, size_t n, size_t cap)
{
	struct weft_stage *stages = calloc(n, sizeof(*stages));
	struct weft_pipeline *p;

	CHECK(stages != NULL);
	for (size_t i = 0; i < n; i++)
		stages[i].fn = fn;
	p = new_pipeline(stages, n, cap, NULL);
	free(stages);
	return p;
}

/* Sends 0, 1, 2, ... until it has sent `n`, then closes. */
struct source {
	struct weft_pipeline *p;
	int n;
	int sent;
};

static int source_main(void *arg)
{
	struct source *s = arg;
	int err = 0;

	while (s->sent < s->n && !err) {
		err = weft_pipeline_send(s->p, &s->sent, WEFT_FOREVER);
		s->sent += !err;
	}
	weft_pipeline_close(s->p);
	return err;
}

static int recv_main(void *arg)
{
	int value;

	return weft_pipeline_recv(arg, &value, WEFT_FOREVER);
}

/* Receive until the end: how many, and their sum. */
static int drain(struct weft_pipeline *p, int *n, int *sum)
{
	int value, err;

	*n = *sum = 0;
	while (!(err = weft_pipeline_recv(p, &value, WEFT_FOREVER))) {
		++*n;
		*sum += value;
	}
	return err;
}

/* --- the end --- */

TEST(an_empty_input_ends_every_stage)
{
	struct weft_pipeline *p = chain(pass, 3, 0);
	int n, sum;

	CHECK_EQ(weft_pipeline_close(p), 0);
	CHECK_EQ(drain(p, &n, &sum), -EPIPE);
	CHECK_EQ(n, 0);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
	weft_pipeline_free(p);
	return 0;
}

TEST(the_end_comes_after_the_items_of_all_workers_of_all_stages)
{
	const struct weft_stage stages[] = {
		{ .fn = pass, .workers = 4 },
		{ .fn = pass, .workers = 3 },
		{ .fn = pass, .workers = 5 },
	};
	int n, sum;

	for (int round = 0; round < 20; round++) {
		struct weft_pipeline *p =
		        new_pipeline(stages, 3, (size_t)round % 4, NULL);
		struct source s = { .p = p, .n = 100 };
		struct weft_task *t = testing_spawn(source_main, &s);

		CHECK_EQ(drain(p, &n, &sum), -EPIPE);
		CHECK_EQ(n, 100);
		CHECK_EQ(sum, 99 * 100 / 2);
		CHECK_EQ(testing_join(t), 0);
		CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
		CHECK_EQ(weft_pipeline_recv(p, &n, WEFT_NOW), -EPIPE);
		weft_pipeline_free(p);
	}
	return 0;
}

TEST(after_close_nothing_can_be_sent)
{
	struct weft_pipeline *p = chain(pass, 1, 4);
	int v = 1;

	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_close(p), 0);
	CHECK_EQ(weft_pipeline_close(p), -EPIPE);
	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), -EPIPE);
	v = 0;
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(v, 1);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), -EPIPE);
	weft_pipeline_free(p);
	return 0;
}

/* --- what stages do --- */

TEST(every_stage_does_its_part)
{
	struct weft_pipeline *p = chain(add_one, 5, 1);
	int v = 37;

	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(v, 42);
	weft_pipeline_free(p);
	return 0;
}

TEST(a_thousand_stages_are_possible)
{
	struct weft_pipeline *p = chain(add_one, MANY_STAGES, 0);
	struct source s = { .p = p, .n = 3 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int v;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, i + MANY_STAGES);
	}
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(testing_join(t), 0);
	weft_pipeline_free(p);
	return 0;
}

TEST(stages_of_one_worker_keep_the_order)
{
	struct weft_pipeline *p = chain(pass, 4, 3);
	struct source s = { .p = p, .n = 500 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int v;

	for (int i = 0; i < 500; i++) {
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, i);
	}
	CHECK_EQ(testing_join(t), 0);
	weft_pipeline_free(p);
	return 0;
}

TEST(a_stage_may_filter)
{
	const struct weft_stage stages[] = {
		{ .fn = only_even, .workers = 2 },
		{ .fn = pass },
	};
	struct weft_pipeline *p = new_pipeline(stages, 2, 2, NULL);
	struct source s = { .p = p, .n = 100 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int n, sum;

	CHECK_EQ(drain(p, &n, &sum), -EPIPE);
	CHECK_EQ(n, 50);
	CHECK_EQ(sum, 2450);
	CHECK_EQ(testing_join(t), 0);
	weft_pipeline_free(p);
	return 0;
}

TEST(a_stage_that_emits_nothing_passes_the_end_on)
{
	struct weft_pipeline *p = chain(nothing, 2, 2);
	struct source s = { .p = p, .n = 100 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int n, sum;

	CHECK_EQ(drain(p, &n, &sum), -EPIPE);
	CHECK_EQ(n, 0);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
	weft_pipeline_free(p);
	return 0;
}

static int widen(const void *in, void *out, void *arg)
{
	(void)arg;
	*(double *)out = *(const int *)in + 0.5;
	return WEFT_STAGE_EMIT;
}

static int halve(const void *in, void *out, void *arg)
{
	(void)arg;
	*(double *)out = *(const double *)in / 2;
	return WEFT_STAGE_EMIT;
}

TEST(items_may_change_their_size_on_the_way)
{
	const struct weft_stage stages[] = {
		{ .fn = widen, .out_size = sizeof(double) },
		{ .fn = halve },
	};
	struct weft_pipeline *p = new_pipeline(stages, 2, 0, NULL);
	double out;
	int in = 3;

	CHECK_EQ(weft_pipeline_send(p, &in, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_recv(p, &out, WEFT_FOREVER), 0);
	CHECK(out == 1.75);
	weft_pipeline_free(p);
	return 0;
}

static int count_it(const void *in, void *out, void *arg)
{
	_Atomic int *count = arg;

	(void)in;
	(void)out;
	weft_fetch_add_relaxed(count, 1);
	return WEFT_STAGE_EMIT;
}

TEST(items_of_no_bytes_flow)
{
	_Atomic int count = 0;
	const struct weft_stage stage = { .fn = count_it, .arg = &count };
	struct weft_pipeline *p;

	CHECK_EQ(weft_pipeline_new(&p, &stage, 1,
	                           &(struct weft_pipeline_opts){ .cap = 2 }),
	         0);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(weft_pipeline_send(p, NULL, WEFT_FOREVER), 0);
		CHECK_EQ(weft_pipeline_recv(p, NULL, WEFT_FOREVER), 0);
	}
	CHECK_EQ(weft_load_relaxed(&count), 10);
	weft_pipeline_free(p);
	return 0;
}

TEST(batches_go_through_whole)
{
	const struct weft_stage stages[] = { { .fn = only_even },
		                             { .fn = pass } };
	struct weft_pipeline_opts opts = { .cap = 8,
		                           .elem_size = sizeof(int),
		                           .batch = 16 };
	struct weft_pipeline *p;
	struct source s = { .n = 1000 };
	struct weft_task *t;
	int got[32], next = 0, err;
	size_t n;

	CHECK_EQ(weft_pipeline_new(&p, stages, 2, &opts), 0);
	s.p = p;
	t = testing_spawn(source_main, &s);
	while (!(err = weft_pipeline_recv_many(p, got, 32, &n, WEFT_FOREVER)))
		for (size_t i = 0; i < n; i++, next += 2)
			CHECK_EQ(got[i], next);
	CHECK_EQ(err, -EPIPE);
	CHECK_EQ(n, 0u);
	CHECK_EQ(next, 1000);
	CHECK_EQ(testing_join(t), 0);
	weft_pipeline_free(p);
	return 0;
}

static int send_many_main(void *arg)
{
	int items[100];
	size_t done;

	for (int i = 0; i < 100; i++)
		items[i] = i;
	CHECK_EQ(weft_pipeline_send_many(arg, items, 100, &done, WEFT_FOREVER),
	         0);
	CHECK_EQ(done, 100u);
	return weft_pipeline_close(arg);
}

TEST(many_items_can_be_sent_at_once)
{
	struct weft_pipeline *p = chain(pass, 2, 4);
	struct weft_task *t = testing_spawn(send_many_main, p);
	int n, sum;

	CHECK_EQ(drain(p, &n, &sum), -EPIPE);
	CHECK_EQ(n, 100);
	CHECK_EQ(sum, 4950);
	CHECK_EQ(testing_join(t), 0);
	weft_pipeline_free(p);
	return 0;
}

TEST(stats_count_what_went_in_and_out_of_each_stage)
{
	const struct weft_stage stages[] = { { .fn = only_even, .workers = 3 },
		                             { .fn = nothing } };
	struct weft_pipeline *p = new_pipeline(stages, 2, 1, NULL);
	struct weft_stage_stats stats;
	struct source s = { .p = p, .n = 40 };

	CHECK_EQ(source_main(&s), 0);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_stats(p, 0, &stats), 0);
	CHECK_EQ(stats.in, 40u);
	CHECK_EQ(stats.out, 20u);
	CHECK_EQ(stats.queued, 0u);
	CHECK_EQ(weft_pipeline_stats(p, 1, &stats), 0);
	CHECK_EQ(stats.in, 20u);
	CHECK_EQ(stats.out, 0u);
	CHECK_EQ(weft_pipeline_stats(p, 2, &stats), -EINVAL);
	weft_pipeline_free(p);
	return 0;
}

/* --- back-pressure --- */

/* Send until no more goes in although everything has come to rest. */
static int send_until_full(struct weft_pipeline *p)
{
	int n = 0;

	for (;;) {
		CHECK_EQ(weft_clock_settle(), 0);
		if (weft_pipeline_send(p, &n, WEFT_NOW) == -ETIMEDOUT)
			return n;
		n++;
	}
}

TEST_MANUAL(what_is_inside_is_bounded_by_capacities_and_workers)
{
	for (size_t cap = 0; cap < 4; cap++) {
		struct weft_pipeline *p = chain(pass, 3, cap);
		struct weft_stage_stats stats;
		int n, v;

		/* Four channels, and one item in each worker's hands. */
		n = send_until_full(p);
		CHECK_EQ(n, (int)(4 * cap + 3));
		CHECK_EQ(weft_pipeline_stats(p, 1, &stats), 0);
		CHECK_EQ(stats.queued, cap);
		/* One out makes room for one. */
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, 0);
		CHECK_EQ(send_until_full(p), 1);
		weft_pipeline_free(p);
	}
	return 0;
}

static int sleep_a_second(const void *in, void *out, void *arg)
{
	weft_sleep_until(weft_deadline_in(WEFT_SEC));
	return pass(in, out, arg);
}

static int drain_main(void *arg)
{
	int n, sum;

	CHECK_EQ(drain(arg, &n, &sum), -EPIPE);
	return n;
}

TEST_MANUAL(the_slowest_stage_sets_the_pace_of_the_source)
{
	const struct weft_stage stages[] = { { .fn = pass },
		                             { .fn = sleep_a_second },
		                             { .fn = pass } };
	struct weft_pipeline *p = new_pipeline(stages, 3, 1, NULL);
	struct source s = { .p = p, .n = 20 };
	struct weft_task *source = testing_spawn(source_main, &s);
	struct weft_task *sink = testing_spawn(drain_main, p);

	/* Before the slow stage: two channels, a worker each. */
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(s.sent, 4);
	for (int second = 1; second <= 10; second++) {
		CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ(s.sent, 4 + second);
	}
	CHECK_EQ(testing_join_moving(source), 0);
	CHECK_EQ(testing_join_moving(sink), 20);
	weft_pipeline_free(p);
	return 0;
}

/* --- deadlines --- */

struct timed {
	struct weft_pipeline *p;
	int64_t deadline_ns;
	int64_t returned_at;
};

static int timed_recv(void *arg)
{
	struct timed *t = arg;
	int v, err;

	err = weft_pipeline_recv(t->p, &v, t->deadline_ns);
	t->returned_at = weft_now();
	return err;
}

static int timed_send(void *arg)
{
	struct timed *t = arg;
	int v = 0, err;

	err = weft_pipeline_send(t->p, &v, t->deadline_ns);
	t->returned_at = weft_now();
	return err;
}

static int timed_join(void *arg)
{
	struct timed *t = arg;
	int err;

	err = weft_pipeline_join(t->p, t->deadline_ns);
	t->returned_at = weft_now();
	return err;
}

static void expect_timeout(struct weft_pipeline *p, weft_task_fn fn)
{
	struct timed t = { .p = p, .deadline_ns = weft_deadline_in(WEFT_SEC) };
	struct weft_task *task = testing_spawn(fn, &t);

	CHECK_EQ(testing_join_moving(task), -ETIMEDOUT);
	CHECK_EQ(t.returned_at, t.deadline_ns);
}

TEST_MANUAL(every_wait_has_a_deadline)
{
	struct weft_pipeline *p = chain(pass, 2, 0);

	expect_timeout(p, timed_recv);
	expect_timeout(p, timed_join);
	CHECK_EQ(send_until_full(p), 2);
	expect_timeout(p, timed_send);
	weft_pipeline_free(p);
	return 0;
}

TEST_MANUAL(after_a_timeout_the_pipeline_goes_on)
{
	struct weft_pipeline *p = chain(add_one, 1, 1);
	int v = 1;

	expect_timeout(p, timed_recv);
	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(v, 2);
	weft_pipeline_free(p);
	return 0;
}

/* --- stop --- */

TEST_MANUAL(stop_releases_who_waits_to_send)
{
	struct weft_pipeline *p = chain(pass, 2, 1);
	struct source s = { .p = p, .n = 1000 };
	struct weft_task *t = testing_spawn(source_main, &s);

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(testing_join(t), -ECANCELED);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), -ECANCELED);
	weft_pipeline_free(p);
	return 0;
}

TEST_MANUAL(stop_releases_who_waits_to_receive_or_join)
{
	struct weft_pipeline *p = chain(pass, 2, 1);
	struct timed never = { .p = p, .deadline_ns = WEFT_FOREVER };
	struct weft_task *receiver = testing_spawn(recv_main, p);
	struct weft_task *joiner = testing_spawn(timed_join, &never);

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(testing_join(receiver), -ECANCELED);
	CHECK_EQ(testing_join(joiner), -ECANCELED);
	weft_pipeline_free(p);
	return 0;
}

TEST_MANUAL(after_a_stop_everything_says_so)
{
	struct weft_pipeline *p = chain(pass, 1, 4);
	int v = 1;

	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), -ECANCELED);
	/* The item that is there was dropped. */
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_pipeline_close(p), -EPIPE);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), -ECANCELED);
	weft_pipeline_free(p);
	return 0;
}

static int stop_at_five(const void *in, void *out, void *arg)
{
	struct weft_pipeline **p = arg;

	if (*(const int *)in == 5)
		CHECK_EQ(weft_pipeline_stop(*p), 0);
	return pass(in, out, NULL);
}

TEST(a_stage_may_stop_its_pipeline)
{
	struct weft_pipeline *p;
	const struct weft_stage stages[] = {
		{ .fn = pass }, { .fn = stop_at_five, .arg = &p }
	};
	struct source s = { .n = 1000 };
	struct weft_task *t;
	int n, sum;

	p = new_pipeline(stages, 2, 1, NULL);
	s.p = p;
	t = testing_spawn(source_main, &s);
	CHECK_EQ(drain(p, &n, &sum), -ECANCELED);
	CHECK_LE(n, 5);
	CHECK_EQ(testing_join(t), -ECANCELED);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), -ECANCELED);
	weft_pipeline_free(p);
	return 0;
}

/* A stage that works off what a stop left in its channel would be seen. */
TEST_MANUAL(a_stop_does_not_wait_for_what_is_inside)
{
	struct weft_pipeline_opts opts = { .cap = 100,
		                           .elem_size = sizeof(int),
		                           .batch = 16 };
	const struct weft_stage stage = { .fn = sleep_a_second };
	struct weft_stage_stats stats;
	struct weft_pipeline *p;

	CHECK_EQ(weft_pipeline_new(&p, &stage, 1, &opts), 0);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(weft_pipeline_send(p, &i, WEFT_FOREVER), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_pipeline_stats(p, 0, &stats), 0);
	CHECK_EQ(stats.in, 1u);
	weft_pipeline_free(p);
	return 0;
}

TEST(a_sink_that_leaves_early_leaves_nothing_behind)
{
	const struct weft_stage stages[] = { { .fn = pass, .workers = 3 },
		                             { .fn = pass, .workers = 2 },
		                             { .fn = pass } };
	struct weft_pipeline *p = new_pipeline(stages, 3, 4, NULL);
	struct source s = { .p = p, .n = 1000000 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int v;

	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(testing_join(t), -ECANCELED);
	weft_pipeline_free(p);
	return 0;
}

TEST(a_pipeline_may_be_stopped_at_any_moment)
{
	const struct weft_stage stages[] = { { .fn = pass, .workers = 2 },
		                             { .fn = only_even } };

	for (int i = 0; i < STOPS; i++) {
		struct weft_pipeline *p =
		        new_pipeline(stages, 2, weft_rand() % 3, NULL);
		struct source s = { .p = p, .n = (int)(weft_rand() % 64) };
		struct weft_task *source = testing_spawn(source_main, &s);
		struct weft_task *sink = testing_spawn(recv_main, p);

		for (uint64_t n = weft_rand() % 2000; n > 0; n--)
			weft_relax();
		CHECK_EQ(weft_pipeline_stop(p), 0);
		testing_join(source);
		testing_join(sink);
		CHECK_EQ(weft_pipeline_join(p, weft_deadline_in(60 * WEFT_SEC)),
		         -ECANCELED);
		weft_pipeline_free(p);
	}
	return 0;
}

TEST(a_pipeline_that_was_never_used_is_freed)
{
	weft_pipeline_free(chain(pass, 3, 0));
	weft_pipeline_free(NULL);
	return 0;
}

/* --- failure --- */

static void expect_failure(enum fault fault, unsigned workers, int expected)
{
	const struct weft_stage stages[] = {
		{ .fn = pass },
		{ .fn = fail_at_five, .arg = &fault, .workers = workers },
		{ .fn = pass },
	};
	struct weft_pipeline *p = new_pipeline(stages, 3, 1, NULL);
	struct source s = { .p = p, .n = 1000 };
	struct weft_task *t = testing_spawn(source_main, &s);
	int n, sum, v = 0;

	CHECK_EQ(drain(p, &n, &sum), expected);
	CHECK_EQ(testing_join(t), expected);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), expected);
	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), expected);
	/* The first error stays, whatever comes later. */
	CHECK_EQ(weft_pipeline_stop(p), 0);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), expected);
	weft_pipeline_free(p);
}

TEST(an_error_in_a_stage_stops_the_pipeline)
{
	expect_failure(RETURN_ERROR, 1, -EDOM);
	expect_failure(RETURN_ERROR, 4, -EDOM);
	return 0;
}

TEST(a_result_that_is_none_stops_the_pipeline)
{
	expect_failure(RETURN_NONSENSE, 1, -EINVAL);
	return 0;
}

TEST(a_stage_that_exits_its_task_stops_the_pipeline)
{
	expect_failure(EXIT_TASK, 1, -ERANGE);
	expect_failure(EXIT_TASK, 4, -ERANGE);
	expect_failure(EXIT_WELL, 1, -ECANCELED);
	return 0;
}

TEST(a_stage_that_exits_its_thread_stops_the_pipeline)
{
	expect_failure(EXIT_THREAD, 1, -ECANCELED);
	expect_failure(EXIT_THREAD, 4, -ECANCELED);
	return 0;
}

/* --- items that own something --- */

static void drop_int(void *elem, void *arg)
{
	int **in = elem;

	weft_fetch_add_relaxed((_Atomic int *)arg, 1);
	free(*in);
}

static int pass_pointer(const void *in, void *out, void *arg)
{
	(void)arg;
	memcpy(out, in, sizeof(int *));
	return WEFT_STAGE_EMIT;
}

static struct weft_pipeline *pointer_pipeline(_Atomic int *drops, size_t batch)
{
	const struct weft_stage stages[] = {
		{ .fn = pass_pointer, .arg = drops, .drop = drop_int },
		{ .fn = pass_pointer, .arg = drops, .drop = drop_int },
	};
	const struct weft_pipeline_opts opts = {
		.cap = 4,
		.elem_size = sizeof(int *),
		.batch = batch,
		.drop = drop_int,
		.drop_arg = drops,
	};
	struct weft_pipeline *p;

	CHECK_EQ(weft_pipeline_new(&p, stages, 2, &opts), 0);
	return p;
}

/* How many went in before it was full; each of them owns memory. */
static int fill_with_pointers(struct weft_pipeline *p)
{
	int n = 0, err;

	do {
		int *item = malloc(sizeof(*item));

		CHECK(item != NULL);
		CHECK_EQ(weft_clock_settle(), 0);
		err = weft_pipeline_send(p, &item, WEFT_NOW);
		n += !err;
		if (err)
			free(item);
	} while (!err);
	CHECK_EQ(err, -ETIMEDOUT);
	return n;
}

TEST_MANUAL(what_a_stop_leaves_inside_is_dropped_once)
{
	for (size_t batch = 1; batch <= 3; batch++) {
		_Atomic int drops = 0;
		struct weft_pipeline *p = pointer_pipeline(&drops, batch);
		int n = fill_with_pointers(p), *item;

		CHECK_LE(3 * 4 + 2, n);
		CHECK_EQ(weft_pipeline_recv(p, &item, WEFT_FOREVER), 0);
		free(item);
		weft_pipeline_free(p);
		CHECK_EQ(weft_load_relaxed(&drops), n - 1);
	}
	return 0;
}

/* --- bad input --- */

static const struct weft_stage good = { .fn = pass };

static int make(const struct weft_stage *stages, size_t n,
                struct weft_pipeline_opts opts)
{
	struct weft_pipeline *p = NULL;
	int err = weft_pipeline_new(&p, stages, n, &opts);

	CHECK(err != 0);
	CHECK(p == NULL);
	return err;
}

TEST(a_pipeline_that_makes_no_sense_is_refused)
{
	struct weft_stage many = { .fn = pass,
		                   .workers = WEFT_STAGE_WORKERS_MAX + 1 };
	struct weft_stage two = { .fn = pass, .workers = 2 };
	struct weft_stage wide = { .fn = pass, .out_size = WEFT_ELEM_MAX + 1 };
	struct weft_stage none = { .fn = NULL };

	CHECK_EQ(weft_pipeline_new(NULL, &good, 1, NULL), -EINVAL);
	CHECK_EQ(make(NULL, 1, (struct weft_pipeline_opts){ 0 }), -EINVAL);
	CHECK_EQ(make(&good, 0, (struct weft_pipeline_opts){ 0 }), -EINVAL);
	CHECK_EQ(make(&none, 1, (struct weft_pipeline_opts){ 0 }), -EINVAL);
	CHECK_EQ(make(&many, 1, (struct weft_pipeline_opts){ 0 }), -EINVAL);
	CHECK_EQ(make(&wide, 1, (struct weft_pipeline_opts){ 0 }), -EINVAL);
	CHECK_EQ(make(&good, 1,
	              (struct weft_pipeline_opts){ .elem_size =
	                                                   WEFT_ELEM_MAX + 1 }),
	         -EINVAL);
	CHECK_EQ(make(&good, 1,
	              (struct weft_pipeline_opts){ .wait = (enum weft_wait)9 }),
	         -EINVAL);
	/* What a channel cannot do, the pipeline on it cannot either. */
	CHECK_EQ(make(&good, 1,
	              (struct weft_pipeline_opts){
	                      .impl = &testing_one_to_one }),
	         -EINVAL);
	CHECK_EQ(make(&two, 1,
	              (struct weft_pipeline_opts){ .impl = &testing_one_to_one,
	                                           .cap = 1 }),
	         -EINVAL);
	return 0;
}

TEST(a_pipeline_that_does_not_fit_is_refused)
{
	CHECK_EQ(make(&good, 1,
	              (struct weft_pipeline_opts){ .elem_size = 64,
	                                           .batch = SIZE_MAX / 32 }),
	         -ENOMEM);
	return 0;
}

static void outside_of_a_run_nothing_is_left_behind(void **state)
{
	(void)state;
	/* Everything is made before the first task is refused. */
	assert_int_equal(make(&good, 1, (struct weft_pipeline_opts){ 0 }),
	                 -EINVAL);
}

TEST(no_pipeline_is_no_pipeline)
{
	struct weft_stage_stats stats;
	struct weft_pipeline *p = chain(pass, 1, 0);
	size_t done;
	int v = 0;

	CHECK_EQ(weft_pipeline_send(NULL, &v, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_pipeline_recv(NULL, &v, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_pipeline_send_many(NULL, &v, 1, &done, WEFT_NOW),
	         -EINVAL);
	CHECK_EQ(weft_pipeline_recv_many(NULL, &v, 1, &done, WEFT_NOW),
	         -EINVAL);
	CHECK_EQ(weft_pipeline_send(p, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_pipeline_recv(p, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_pipeline_recv_many(p, &v, 1, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_pipeline_close(NULL), -EINVAL);
	CHECK_EQ(weft_pipeline_stop(NULL), -EINVAL);
	CHECK_EQ(weft_pipeline_join(NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_pipeline_stats(NULL, 0, &stats), -EINVAL);
	CHECK_EQ(weft_pipeline_stats(p, 0, NULL), -EINVAL);
	weft_pipeline_free(p);
	return 0;
}

/* --- the kernel --- */

static struct testing_cell cell(const struct weft_chan_impl *chan,
                                const char *knobs, uint64_t items)
{
	return (struct testing_cell){ .pattern = &pattern_pipeline,
		                      .chan = chan,
		                      .knobs = knobs,
		                      .items = items };
}

TEST(the_kernel_verifies_over_every_channel)
{
	static const char *const shapes[] = {
		"cap=1",
		"cap=16 workers=3",
		"stages=1",
		"stages=5 cap=2",
		"batch=16 cap=64",
		"batch=3 workers=2 payload=64",
		"payload=4096 cap=1",
		"work=200",
		"wait=park cap=1",
		NULL,
	};

	/* condvar and handoff can do all of these. */
	for (size_t i = 0; shapes[i]; i++)
		CHECK_LE(2,
		         testing_verified_over_all(cell(NULL, shapes[i], 300)));
	testing_verified(cell(&testing_one_to_one, "stages=3", 300));
	return 0;
}

TEST(the_kernel_verifies_hand_to_hand)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	testing_verified(cell(handoff, "cap=0", 300));
	testing_verified(cell(handoff, "cap=0 workers=2", 300));
	testing_verified(cell(handoff, "cap=0 batch=4 wait=spin", 300));
	return 0;
}

TEST(the_kernel_verifies_few_items_and_none)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	for (uint64_t items = 0; items < 5; items++) {
		testing_verified(cell(handoff, "workers=4 cap=0", items));
		testing_verified(cell(handoff, "batch=64", items));
	}
	return 0;
}

TEST(the_kernel_catches_what_a_broken_channel_does)
{
	testing_caught(cell(&testing_drops, "", 400), "lost");
	testing_caught(cell(&testing_repeats, "", 400), "delivered twice");
	testing_caught(cell(&testing_swaps, "", 400), "out of order");
	testing_caught(cell(&testing_corrupts, "", 400), "corrupt lost");
	testing_caught(cell(&testing_corrupts, "payload=64", 400),
	               "corrupt lost");
	testing_caught(cell(&testing_drops, "batch=8", 400), "lost");
	return 0;
}

TEST(every_square_leads_back_to_its_root)
{
	/* What the kernel relies on, at the end of its range. */
	for (uint64_t x = (1 << 26) - 1000; x < 1 << 26; x++)
		CHECK_EQ((uint64_t)sqrt((double)(x * x)), x);
	return 0;
}

TEST(an_open_loop_measures_from_when_an_item_was_due)
{
	struct testing_cell t =
	        cell(weft_chan_impl_find("handoff"), "batch=4", 50);

	t.pace_ns = 50 * WEFT_US;
	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK_EQ(t.latencies, 50u);
	CHECK_LE(0, t.longest);
	return 0;
}

/* --- the demo --- */

static const char heading[] = "Pipeline stages:\n"
                              "1. Generate numbers\n"
                              "2. Square numbers\n"
                              "3. Add 10\n\n";

/* How far each number has come, in order. */
struct progress {
	int number[10];
	int generated, squared, added, results;
	bool completed;
};

static void follow_line(struct progress *p, const char *line)
{
	int n[2], x;

	if (testing_line_is(line, "Generated: #", n)) {
		CHECK_LT(p->generated, 10);
		CHECK(1 <= n[0] && n[0] <= 10);
		p->number[p->generated++] = n[0];
	} else if (testing_line_is(line, "Squared # -> #", n)) {
		CHECK_LT(p->squared, p->generated);
		x = p->number[p->squared++];
		CHECK_EQ(n[0], x);
		CHECK_EQ(n[1], x * x);
	} else if (testing_line_is(line, "Added 10 to # -> #", n)) {
		CHECK_LT(p->added, p->squared);
		x = p->number[p->added++];
		CHECK_EQ(n[0], x * x);
		CHECK_EQ(n[1], x * x + 10);
	} else if (testing_line_is(line, "Result: #", n)) {
		CHECK_LT(p->results, p->added);
		x = p->number[p->results++];
		CHECK_EQ(n[0], x * x + 10);
	} else {
		CHECK(testing_line_is(line, "Pipeline completed!", n));
		p->completed = true;
	}
}

TEST_MANUAL(the_demo_takes_ten_numbers_through_three_stages)
{
	struct progress p = { 0 };
	char *text = testing_demo(&pattern_pipeline), *rest, *line;

	CHECK(strncmp(text, heading, strlen(heading)) == 0);
	rest = text + strlen(heading);
	while ((line = strtok_r(rest, "\n", &rest))) {
		CHECK(!p.completed);
		follow_line(&p, line);
	}
	CHECK_EQ(p.results, 10);
	CHECK(p.completed);
	free(text);
	return 0;
}

static void keep_number(const char *line, void *arg)
{
	char *out = arg;

	if (strncmp(line, "Generated", 9) == 0)
		sprintf(out + strlen(out), "%s\n", line);
}

static int keep_numbers(void *arg)
{
	*(char *)arg = '\0';
	testing_demo_lines(&pattern_pipeline, keep_number, arg);
	return 0;
}

static void the_numbers_of_the_demo_depend_on_the_seed_alone(void **state)
{
	struct weft_run_opts opts = { .clock = WEFT_CLOCK_MANUAL, .seed = 7 };
	char first[400], again[400], other[400];

	(void)state;
	assert_int_equal(weft_run(WEFT_THREADS, &opts, keep_numbers, first), 0);
	assert_int_equal(weft_run(WEFT_THREADS, &opts, keep_numbers, again), 0);
	opts.seed = 8;
	assert_int_equal(weft_run(WEFT_THREADS, &opts, keep_numbers, other), 0);
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_input_ends_every_stage),
		cmocka_unit_test(
		        the_end_comes_after_the_items_of_all_workers_of_all_stages),
		cmocka_unit_test(after_close_nothing_can_be_sent),
		cmocka_unit_test(every_stage_does_its_part),
		cmocka_unit_test(a_thousand_stages_are_possible),
		cmocka_unit_test(stages_of_one_worker_keep_the_order),
		cmocka_unit_test(a_stage_may_filter),
		cmocka_unit_test(a_stage_that_emits_nothing_passes_the_end_on),
		cmocka_unit_test(items_may_change_their_size_on_the_way),
		cmocka_unit_test(items_of_no_bytes_flow),
		cmocka_unit_test(batches_go_through_whole),
		cmocka_unit_test(many_items_can_be_sent_at_once),
		cmocka_unit_test(
		        stats_count_what_went_in_and_out_of_each_stage),
		cmocka_unit_test(
		        what_is_inside_is_bounded_by_capacities_and_workers),
		cmocka_unit_test(the_slowest_stage_sets_the_pace_of_the_source),
		cmocka_unit_test(every_wait_has_a_deadline),
		cmocka_unit_test(after_a_timeout_the_pipeline_goes_on),
		cmocka_unit_test(stop_releases_who_waits_to_send),
		cmocka_unit_test(stop_releases_who_waits_to_receive_or_join),
		cmocka_unit_test(after_a_stop_everything_says_so),
		cmocka_unit_test(a_stage_may_stop_its_pipeline),
		cmocka_unit_test(a_stop_does_not_wait_for_what_is_inside),
		cmocka_unit_test(
		        a_sink_that_leaves_early_leaves_nothing_behind),
		cmocka_unit_test(a_pipeline_may_be_stopped_at_any_moment),
		cmocka_unit_test(a_pipeline_that_was_never_used_is_freed),
		cmocka_unit_test(an_error_in_a_stage_stops_the_pipeline),
		cmocka_unit_test(a_result_that_is_none_stops_the_pipeline),
		cmocka_unit_test(
		        a_stage_that_exits_its_task_stops_the_pipeline),
		cmocka_unit_test(
		        a_stage_that_exits_its_thread_stops_the_pipeline),
		cmocka_unit_test(what_a_stop_leaves_inside_is_dropped_once),
		cmocka_unit_test(a_pipeline_that_makes_no_sense_is_refused),
		cmocka_unit_test(a_pipeline_that_does_not_fit_is_refused),
		cmocka_unit_test(outside_of_a_run_nothing_is_left_behind),
		cmocka_unit_test(no_pipeline_is_no_pipeline),
		cmocka_unit_test(the_kernel_verifies_over_every_channel),
		cmocka_unit_test(the_kernel_verifies_hand_to_hand),
		cmocka_unit_test(the_kernel_verifies_few_items_and_none),
		cmocka_unit_test(the_kernel_catches_what_a_broken_channel_does),
		cmocka_unit_test(every_square_leads_back_to_its_root),
		cmocka_unit_test(
		        an_open_loop_measures_from_when_an_item_was_due),
		cmocka_unit_test(
		        the_demo_takes_ten_numbers_through_three_stages),
		cmocka_unit_test(
		        the_numbers_of_the_demo_depend_on_the_seed_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
