/* What the tests of the pipeline share: stages, sources and sinks. */
#ifndef WEFT_PATTERNS_PIPELINE_PIPELINE_TESTING_H
#define WEFT_PATTERNS_PIPELINE_PIPELINE_TESTING_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "pipeline.h"
#include "testing/testing.h"

/* --- stages --- */

static inline int pass(const void *in, void *out, void *arg)
{
	(void)arg;
	memcpy(out, in, sizeof(int));
	return WEFT_EMIT;
}

static inline int add_one(const void *in, void *out, void *arg)
{
	(void)arg;
	*(int *)out = *(const int *)in + 1;
	return WEFT_EMIT;
}

static inline int only_even(const void *in, void *out, void *arg)
{
	pass(in, out, arg);
	return *(const int *)in % 2 ? WEFT_SKIP : WEFT_EMIT;
}

static inline int nothing(const void *in, void *out, void *arg)
{
	(void)in;
	(void)out;
	(void)arg;
	return WEFT_SKIP;
}

static inline int sleep_a_second(const void *in, void *out, void *arg)
{
	weft_sleep_until(weft_deadline_in(WEFT_SEC));
	return pass(in, out, arg);
}

/* --- stages that fail --- */

struct fault {
	enum { RETURN, EXIT_TASK, EXIT_THREAD } how;
	int with; /* what it returns, or ends its task with */
	int seen; /* by everyone else */
};

/* All the ways to fail; the last one has `seen` 0. */
static inline struct fault *faults(void)
{
	static struct fault all[] = {
		{ RETURN, -EDOM, -EDOM },
		/* What means something else to senders and receivers. */
		{ RETURN, -EAGAIN, -EIO },
		{ RETURN, -ETIMEDOUT, -EIO },
		{ RETURN, -EPIPE, -EIO },
		{ EXIT_TASK, -EAGAIN, -EIO },
		{ EXIT_TASK, -ERANGE, -ERANGE },
		{ EXIT_TASK, 0, -ECANCELED },
		{ EXIT_THREAD, 0, -ECANCELED },
		{ RETURN, 7, -EINVAL }, /* more than it may make */
		{ RETURN, 0, 0 },
	};

	return all;
}

static inline int fail_by(const struct fault *f)
{
	if (f->how == EXIT_TASK)
		weft_task_exit(f->with);
	if (f->how == EXIT_THREAD)
		pthread_exit(NULL);
	return f->with;
}

static inline int fail_at_five(const void *in, void *out, void *fault)
{
	return *(const int *)in == 5 ? fail_by(fault) : pass(in, out, NULL);
}

/* --- making one --- */

static inline struct weft_pipeline *
new_pipeline(const struct weft_stage *stages, size_t n,
             struct weft_pipeline_opts opts)
{
	struct weft_pipeline *p;

	opts.elem_size = sizeof(int);
	CHECK_EQ(weft_pipeline_new(&p, stages, n, &opts), 0);
	return p;
}

/* Of an array of stages: NEW_PIPELINE(stages, .cap = 2, .batch = 3). */
#define NEW_PIPELINE(stages, ...)                                              \
	new_pipeline(stages, sizeof(stages) / sizeof((stages)[0]),             \
	             (struct weft_pipeline_opts){ __VA_ARGS__ })

/* n stages of one worker each, all alike. */
static inline struct weft_pipeline *chain(weft_stage_fn fn, size_t n,
                                          size_t cap)
{
	struct weft_stage *stages = calloc(n, sizeof(*stages));
	struct weft_pipeline *p;

	CHECK(stages != NULL);
	for (size_t i = 0; i < n; i++)
		stages[i].fn = fn;
	p = new_pipeline(stages, n, (struct weft_pipeline_opts){ .cap = cap });
	free(stages);
	return p;
}

static inline struct weft_stage_stats stats_of(const struct weft_pipeline *p,
                                               size_t stage)
{
	struct weft_stage_stats stats;

	CHECK_EQ(weft_pipeline_stats(p, stage, &stats), 0);
	return stats;
}

/* --- using it --- */

/* Sends 0, 1, 2, ... until it has sent `n`, then closes. */
struct source {
	struct weft_pipeline *p;
	int n;
	int sent;
};

static inline int source_main(void *arg)
{
	struct source *s = arg;
	int err = 0;

	while (s->sent < s->n && !err) {
		err = weft_pipeline_send(s->p, &s->sent, WEFT_FOREVER);
		s->sent += !err;
	}
	return err ? err : weft_pipeline_close(s->p);
}

/* What was received, to the end. */
struct flow {
	int n, sum;
	int end; /* what the last receive returned */
};

static inline struct flow drain(struct weft_pipeline *p)
{
	struct flow f = { 0 };
	int v;

	while (!(f.end = weft_pipeline_recv(p, &v, WEFT_FOREVER))) {
		f.n++;
		f.sum += v;
	}
	return f;
}

/* It has come to its end, with -EPIPE in order, and says so on all sides.
 * source  the task that has sent. */
static inline void expect_end(struct weft_pipeline *p, struct weft_task *source,
                              int end)
{
	int why = end == -EPIPE ? 0 : end, v = 0;

	CHECK_EQ(testing_join(source), why);
	CHECK_EQ(weft_pipeline_join(p, WEFT_FOREVER), why);
	CHECK_EQ(weft_pipeline_send(p, &v, WEFT_FOREVER), end);
	CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), end);
	weft_pipeline_free(p);
}

/* Send 0 to items - 1 and close, and receive to the end, which has to be `end`.
 * Frees p, as those below. */
static inline struct flow flow_to(struct weft_pipeline *p, int items, int end)
{
	struct source s = { .p = p, .n = items };
	struct weft_task *t = testing_spawn(source_main, &s);
	struct flow f = drain(p);

	CHECK_EQ(f.end, end);
	expect_end(p, t, end);
	return f;
}

/* In order, n results with that sum. */
static inline void expect_flow(struct weft_pipeline *p, int items, int n,
                               int sum)
{
	struct flow f = flow_to(p, items, -EPIPE);

	CHECK_EQ(f.n, n);
	CHECK_EQ(f.sum, sum);
}

/* The next n of them are first, first + 1, ... */
static inline void expect_items(struct weft_pipeline *p, int first, int n)
{
	int v;

	for (int i = 0; i < n; i++) {
		CHECK_EQ(weft_pipeline_recv(p, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, first + i);
	}
}

/* One result for each item: first, first + 1, ... */
static inline void expect_in_order(struct weft_pipeline *p, int items,
                                   int first)
{
	struct source s = { .p = p, .n = items };
	struct weft_task *t = testing_spawn(source_main, &s);

	expect_items(p, first, items);
	expect_end(p, t, -EPIPE);
}

/* Send until no more goes in although everything has come to rest. */
static inline int send_until_full(struct weft_pipeline *p)
{
	int n = 0;

	for (;;) {
		CHECK_EQ(weft_clock_settle(), 0);
		if (weft_pipeline_send(p, &n, WEFT_NOW) == -ETIMEDOUT)
			return n;
		n++;
	}
}

#endif
