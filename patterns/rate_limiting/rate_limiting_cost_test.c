/* What an uncontended allow may cost: 5 pairs of a pthread mutex, measured in
 * the same run; no system call, and no memory. */
#include <pthread.h>
#include <stdio.h>

#include "base/cost.h"
#include "rate_limiting_testing.h"

#define CALLS 1000
#define TIMES_MAX 5.0

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct weft_limiter *limiter;
static struct weft_gcra *gcra;

static void mutex_pairs(void *arg)
{
	(void)arg;
	for (int i = 0; i < CALLS; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
}

static void allows(void *arg)
{
	(void)arg;
	for (int i = 0; i < CALLS; i++)
		CHECK_EQ(weft_limiter_allow(limiter, 1, NULL), 0);
}

/* What is denied costs a division as well. */
static void denials(void *arg)
{
	(void)arg;
	for (int i = 0; i < CALLS; i++)
		CHECK_EQ(weft_limiter_allow(limiter, 1, NULL), -EAGAIN);
}

static void allows_of_keys(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < CALLS; i++)
		CHECK_EQ(weft_gcra_allow(gcra, i % 100, 1, NULL), 0);
}

static void *nothing(void *arg)
{
	return arg;
}

static void look_at_cost(const char *what, cost_fn fn)
{
	struct cost_times t;
	pthread_t thread;

	/* As long as a process has had only one thread, the C library locks
	 * without an atomic operation. */
	assert_int_equal(pthread_create(&thread, NULL, nothing, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	t = cost_compare(NULL, mutex_pairs, fn, NULL);
	printf("mutex %.1f ns, %s %.1f ns: %.2f times\n",
	       (double)t.first / CALLS, what, (double)t.second / CALLS,
	       (double)t.second / (double)t.first);
	assert_true((double)t.second <= TIMES_MAX * (double)t.first);
}

/* So many that a burst lasts for all of a test. */
#define ALL (INT64_C(1) << 30)

static void make_one(enum weft_limiter_kind kind)
{
	limiter = make(kind, 1, WEFT_SEC, ALL);
}

TEST_OUTSIDE(an_allow_costs_at_most_5_of_a_mutex)
{
	if (COST_MEANS_NOTHING)
		skip();
	make_one(WEFT_LIMITER_BUCKET);
	look_at_cost("bucket", allows);
	assert_int_equal(
	        weft_limiter_allow(limiter, stats(limiter).tokens, NULL), 0);
	look_at_cost("bucket that denies", denials);
	weft_limiter_free(limiter);
	make_one(WEFT_LIMITER_LEAKY);
	look_at_cost("leaky", allows);
	weft_limiter_free(limiter);
	gcra = make_gcra(1, WEFT_SEC, ALL, 100);
	look_at_cost("gcra", allows_of_keys);
	weft_gcra_free(gcra);
}

static void look_at_calls(cost_fn fn)
{
	long calls = cost_syscalls(fn, NULL), before;

	if (calls >= 0)
		assert_true(calls <= COST_SYSCALLS_NONE);
	before = testing_allocations();
	fn(NULL);
	assert_int_equal(testing_allocations(), before);
}

TEST_OUTSIDE(an_allow_enters_no_kernel_and_takes_no_memory)
{
	make_one(WEFT_LIMITER_BUCKET);
	look_at_calls(allows);
	weft_limiter_free(limiter);
	make_one(WEFT_LIMITER_LEAKY);
	look_at_calls(allows);
	weft_limiter_free(limiter);
	gcra = make_gcra(1, WEFT_SEC, ALL, 100);
	look_at_calls(allows_of_keys);
	weft_gcra_free(gcra);
}
