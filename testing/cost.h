/* cost: what a call may cost that waits for nobody: so many pairs of an
 * uncontended pthread mutex, measured in the same run; no system call, and no
 * memory. */
#ifndef WEFT_TESTING_COST_H
#define WEFT_TESTING_COST_H

#include <pthread.h>
#include <stdio.h>

#include "base/cost.h"
#include "testing/testing.h"

/* The calls, or pairs of calls, that a function makes whose cost is looked at.
 */
#define TESTING_COST_CALLS 1000

static inline void testing_mutex_pairs(void *arg)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	(void)arg;
	for (int i = 0; i < TESTING_COST_CALLS; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
}

static inline void *testing_nothing(void *arg)
{
	return arg;
}

/* As long as a process has had only one thread, the C library locks without an
 * atomic operation. */
static inline void testing_have_had_a_thread(void)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, testing_nothing, NULL),
	                 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Fail when fn(arg) costs more than so many mutex pairs for each of its calls.
 * For a test that has skipped where COST_MEANS_NOTHING. */
static inline void testing_costs_at_most(double times, const char *what,
                                         cost_fn fn, void *arg)
{
	struct cost_times t;

	testing_have_had_a_thread();
	t = cost_compare(NULL, testing_mutex_pairs, fn, arg);
	printf("mutex %.1f ns, %s %.1f ns: %.2f times\n",
	       (double)t.first / TESTING_COST_CALLS, what,
	       (double)t.second / TESTING_COST_CALLS, t.ratio);
	assert_true(t.ratio <= times);
}

/* Fail when fn(arg) makes a system call or takes memory once it has been called
 * before. Where nothing can be traced, only memory is looked at. */
static inline void testing_is_all_in_user_space(cost_fn fn, void *arg)
{
	long calls = cost_syscalls(fn, arg), before;

	if (calls < 0)
		printf("nothing can be traced here: only memory is looked "
		       "at\n");
	assert_true(calls <= COST_SYSCALLS_NONE);
	fn(arg); /* the first call adopts the thread */
	before = testing_allocations();
	fn(arg);
	assert_int_equal(testing_allocations(), before);
}

#endif
