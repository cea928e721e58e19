/* What an acquire and a release of an idle resource cost. */
#include <stdio.h>

#include "base/cost.h"
#include "resource_pool_testing.h"

#define PAIRS 1000
#define TIMES_MAX 5.0

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void resource_pairs(void *pool)
{
	struct weft_resource r;

	for (int i = 0; i < PAIRS; i++) {
		CHECK_EQ(weft_respool_acquire(pool, &r, WEFT_FOREVER), 0);
		CHECK_EQ(weft_respool_release(pool, &r), 0);
	}
}

static void mutex_pairs(void *pool)
{
	(void)pool;
	for (int i = 0; i < PAIRS; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
}

static int ends_at_once(void *arg)
{
	(void)arg;
	return 0;
}

/* A mutex takes no atomic operation in a process that never had a second
 * thread. One that has something to pool has. */
TEST(there_has_been_a_second_thread)
{
	return testing_join(testing_spawn(ends_at_once, NULL));
}

TEST_OUTSIDE(a_pair_costs_at_most_5_of_a_mutex)
{
	struct world w = { 0 };
	struct cost_times t;

	if (COST_MEANS_NOTHING)
		skip();
	world_open(&w, (struct weft_respool_opts){ .max = 8 });
	t = cost_compare(NULL, mutex_pairs, resource_pairs, w.pool);
	printf("mutex %.1f ns, resource %.1f ns: %.2f times\n",
	       (double)t.first / PAIRS, (double)t.second / PAIRS,
	       (double)t.second / (double)t.first);
	assert_true((double)t.second <= TIMES_MAX * (double)t.first);
	world_close(&w, 0);
}

TEST_OUTSIDE(a_pair_enters_no_kernel_and_takes_no_memory)
{
	struct world w = { 0 };
	long calls, before;

	world_open(&w, (struct weft_respool_opts){ .max = 8 });
	resource_pairs(w.pool);
	before = testing_allocations();
	resource_pairs(w.pool);
	assert_int_equal(testing_allocations(), before);
	calls = cost_syscalls(resource_pairs, w.pool);
	world_close(&w, 0);
	if (calls < 0)
		skip();
	assert_true(calls <= COST_SYSCALLS_NONE);
}
