/*
 * testing: how a test's body runs as the first task of a run.
 *
 *	TEST_MANUAL(a_sentence_that_is_true)
 *	{
 *		CHECK_EQ(...);
 *		return 0;
 *	}
 */
#ifndef WEFT_TASK_TESTING_H
#define WEFT_TASK_TESTING_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <weft/task.h>

#include "base/check.h"
#include "base/clock.h"

/* Counts of tests that repeat something shrink under the sanitizers. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define TESTING_SLOW 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define TESTING_SLOW 1
#endif
#endif
#ifndef TESTING_SLOW
#define TESTING_SLOW 0
#endif

/* Whether the caller is the only task left, or will be within limit_ns. One
 * without a handle may have done all that it was waited for, and still be on
 * its way out. */
static inline bool testing_alone_within(int64_t limit_ns)
{
	int64_t until_ns = clock_mono() + limit_ns;
	struct weft_run_stats stats;

	do {
		weft_run_stats(&stats);
		if (stats.live == 1)
			return true;
		weft_yield();
	} while (clock_mono() < until_ns);
	weft_tasks_print(stderr);
	return false;
}

static inline bool testing_alone(void)
{
	return testing_alone_within(10 * WEFT_SEC);
}

static inline int testing_body(void *arg)
{
	weft_task_fn *fn = arg;
	int status = (*fn)(NULL);

	CHECK(testing_alone());
	return status;
}

/*
 * Run a test's body as the first task of a run. Returns what it returned; a
 * task that is left behind aborts, as everything does that fails inside
 * (CHECK): cmocka's own jump must not leave a run.
 */
static inline int testing_run(enum weft_clock clock, weft_task_fn fn)
{
	struct weft_run_opts opts = { .clock = clock,
		                      .seed = 3,
		                      .asleep = weft_asleep_print };

	return weft_run(WEFT_THREADS, &opts, testing_body, &fn);
}

/* A test file that sees to more than tasks that are left behind has a
 * testing_run() of its own, and names it before it includes this. */
#ifndef TESTING_RUN
#define TESTING_RUN testing_run
#endif

/* What makes a test known to a main() that runs them all; nothing, where main()
 * lists them. */
#ifndef TESTING_REGISTER
#define TESTING_REGISTER(name)
#endif

#define TEST_ON(clock, name)                                                   \
	static int name##_body(void *arg);                                     \
	static void name(void **state);                                        \
	TESTING_REGISTER(name)                                                 \
	static void name(void **state)                                         \
	{                                                                      \
		(void)state;                                                   \
		assert_int_equal(TESTING_RUN(clock, name##_body), 0);          \
	}                                                                      \
	static int name##_body(__attribute__((unused)) void *arg)

#define TEST(name) TEST_ON(WEFT_CLOCK_MONOTONIC, name)
#define TEST_MANUAL(name) TEST_ON(WEFT_CLOCK_MANUAL, name)

/* Spawn fn(arg). */
static inline struct weft_task *testing_spawn(weft_task_fn fn, void *arg)
{
	struct weft_task *t;

	CHECK_EQ(weft_spawn(&t, NULL, fn, arg), 0);
	return t;
}

/* What the task returned. */
static inline int testing_join(struct weft_task *t)
{
	int status;

	CHECK_EQ(weft_join(t, &status), 0);
	return status;
}

/* On the manual clock: the same, moving time on whenever all tasks wait. */
static inline int testing_join_moving(struct weft_task *t)
{
	int status, err;

	for (;;) {
		CHECK_EQ(weft_clock_settle(), 0);
		err = weft_join_until(t, &status, WEFT_NOW);
		if (!err)
			return status;
		CHECK_EQ(err, -ETIMEDOUT);
		CHECK_EQ(weft_clock_advance(10 * WEFT_MS), 0);
	}
}

/* On the manual clock: move time on, and let everyone act on it. */
static inline void testing_pass(int64_t ns)
{
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(ns), 0);
	CHECK_EQ(weft_clock_settle(), 0);
}

#endif
