/*
 * Tests of what spins for a peer: it must not keep the peer from running, be it
 * of a lower priority and on the same CPU, where a yield lets it have nothing.
 *
 * The linker puts this file's clock_nanosleep() in the way (--wrap), so that a
 * test sees the sleeps without a priority that it may not have. The last test
 * has real ones.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <weft/atomic.h>
#include <weft/chan.h>

#include "task/internal.h"
#include "task/spin.h"
#include "task/spinner.h"
#include "task/testing.h"

static _Atomic int naps;
static _Atomic int64_t longest_ns;

int __real_clock_nanosleep(clockid_t clock, int flags,
                           const struct timespec *ns, struct timespec *left);
int __wrap_clock_nanosleep(clockid_t clock, int flags,
                           const struct timespec *ns, struct timespec *left);

int __wrap_clock_nanosleep(clockid_t clock, int flags,
                           const struct timespec *ns, struct timespec *left)
{
	CHECK_EQ(flags, 0);
	CHECK_EQ(ns->tv_sec, 0);
	if (ns->tv_nsec > weft_load_relaxed(&longest_ns))
		weft_store_relaxed(&longest_ns, ns->tv_nsec);
	weft_fetch_add_relaxed(&naps, 1);
	return __real_clock_nanosleep(clock, flags, ns, left);
}

static int begin(void **state)
{
	(void)state;
	weft_store_relaxed(&naps, 0);
	weft_store_relaxed(&longest_ns, 0);
	return 0;
}

/* Until somebody has slept n times; false when that takes too long. */
static bool await_naps(int n)
{
	int64_t until_ns = clock_mono() + 10 * WEFT_SEC;

	while (weft_load_relaxed(&naps) < n && clock_mono() < until_ns)
		weft_yield();
	return weft_load_relaxed(&naps) >= n;
}

static void *locks(void *lock)
{
	spin_lock(lock);
	spin_unlock(lock);
	return NULL;
}

/* The holder goes on only when the other sleeps. */
static void who_spins_for_a_lock_sleeps_at_last(void **state)
{
	struct spin lock;
	pthread_t thread;

	(void)state;
	spin_init(&lock);
	spin_lock(&lock);
	assert_int_equal(pthread_create(&thread, NULL, locks, &lock), 0);
	assert_true(await_naps(20));
	spin_unlock(&lock);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_in_range(weft_load_relaxed(&longest_ns), WEFT_MS / 2,
	                5 * WEFT_MS);
}

static void who_spins_for_a_peer_sleeps_at_last(void **state)
{
	unsigned turns = 0;

	(void)state;
	for (int i = 0; i < 2000 && weft_load_relaxed(&naps) < 8; i++)
		spin_for_peer(&turns);
	assert_int_equal(weft_load_relaxed(&naps), 8);
	assert_in_range(weft_load_relaxed(&longest_ns), WEFT_MS / 2,
	                5 * WEFT_MS);
}

/* One that is there soon costs no sleep. */
static void a_short_spin_does_not_sleep(void **state)
{
	unsigned turns = 0;

	(void)state;
	for (int i = 0; i < 128; i++)
		spin_for_peer(&turns);
	assert_int_equal(weft_load_relaxed(&naps), 0);
}

/* However long it goes on, with a count that wraps. */
static void the_count_of_turns_may_wrap(void **state)
{
	unsigned turns = (unsigned)-3;

	(void)state;
	for (int i = 0; i < 6; i++)
		spin_for_peer(&turns);
	assert_true(weft_load_relaxed(&longest_ns) <= 5 * WEFT_MS);
}

/* --- before a park --- */

/* One that gave up yields for a while waits for a peer that may be running all
 * the same: at a deep buffer, too, it pauses before it parks. */
static void a_wait_without_yields_still_pauses(void **state)
{
	struct spinner s;
	int turns = 0;

	(void)state;
	weft_cpus_hold(2);
	weft_self()->yield_ban = 1;
	weft_spinner_init(&s, WEFT_WAIT_ADAPTIVE, 64, false, WEFT_FOREVER);
	assert_int_equal(s.yields, 0);
	while (weft_spinner_turn(&s))
		turns++;
	weft_self()->yield_ban = 0;
	weft_cpus_hold(0);
	assert_in_range(turns, 1, 400);
}

/* Where yields find company, a deep wait begins with them; unless another task
 * waits for the same, when it leaves the peers alone for one pause first. */
static void a_shared_wait_pauses_once_before_it_yields(void **state)
{
	struct spinner lone, shared;

	(void)state;
	weft_cpus_hold(2);
	weft_self()->company = 16;
	weft_spinner_init(&lone, WEFT_WAIT_ADAPTIVE, 48, false, WEFT_FOREVER);
	weft_spinner_init(&shared, WEFT_WAIT_ADAPTIVE, 48, true, WEFT_FOREVER);
	weft_self()->company = 0;
	weft_cpus_hold(0);
	assert_int_equal(lone.pauses, 0);
	assert_int_equal(shared.pauses, 48);
	assert_int_equal(shared.yields, lone.yields);
	assert_true(weft_spinner_turn(&shared));
	assert_int_equal(shared.pauses, 0);
	assert_int_equal(shared.yields, lone.yields);
}

/* Whatever the machine made of the yields before. */
static void begin_small_wait(struct spinner *s)
{
	weft_self()->yields = 256;
	weft_self()->yield_ban = 0;
	weft_spinner_init(s, WEFT_WAIT_ADAPTIVE, 1, false, WEFT_FOREVER);
}

/* One wait at a small buffer, for which the peer comes at the turn of that
 * number. */
static void wait_ends_at(int turn)
{
	struct spinner s;

	begin_small_wait(&s);
	for (int i = 0; i < turn; i++)
		assert_true(weft_spinner_turn(&s));
}

/* The same, when it first yields. Returns how it began. */
static struct spinner wait_ends_with_a_yield(void)
{
	struct spinner s, begun;

	begin_small_wait(&s);
	begun = s;
	while (!s.first && s.pauses)
		assert_true(weft_spinner_turn(&s));
	assert_true(weft_spinner_turn(&s));
	return begun;
}

/* How long the next wait stays at its pauses. */
static uint32_t pauses_of_the_next_wait(void)
{
	struct spinner s;

	begin_small_wait(&s);
	return s.pauses;
}

static uint32_t first_of_the_next_wait(void)
{
	struct spinner s;

	begin_small_wait(&s);
	return s.first;
}

/* The peer is on the same CPU, so it can come only with a yield: after a few
 * waits the task yields first, and now and then it tries whether that is still
 * so. */
static void what_comes_with_a_yield_is_yielded_for_first(void **state)
{
	int waits = 0, probes = 0;
	uint32_t pauses;

	(void)state;
	weft_cpus_hold(2);
	pauses = pauses_of_the_next_wait();
	for (; waits < 20 && !first_of_the_next_wait(); waits++)
		wait_ends_with_a_yield();
	assert_in_range(waits, 2, 8);
	for (int i = 0; i < 100; i++) {
		struct spinner s = wait_ends_with_a_yield();

		if (s.first)
			continue;
		probes++;
		assert_in_range(s.pauses, 1, pauses / 4);
	}
	assert_in_range(probes, 2, 12);
	/* It has gone to another CPU, and comes during the pauses. */
	while (first_of_the_next_wait())
		wait_ends_at(1);
	wait_ends_at(3);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(first_of_the_next_wait(), 0);
		assert_int_equal(pauses_of_the_next_wait(), pauses);
		wait_ends_at(3);
	}
	weft_self()->yields = 0;
	weft_cpus_hold(0);
}

/* --- with priorities --- */

struct inversion {
	struct spin lock;
	_Atomic int tries; /* the high one is about to try */
	_Atomic int64_t took_ns;
};

static bool pin(void)
{
	cpu_set_t one, all;
	size_t cpu = 0;

	if (sched_getaffinity(0, sizeof(all), &all))
		return false;
	while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) == 0;
}

static void *high(void *arg)
{
	struct inversion *i = arg;
	int64_t before = clock_mono();

	weft_store_relaxed(&i->tries, 1);
	spin_lock(&i->lock);
	spin_unlock(&i->lock);
	weft_store_relaxed(&i->took_ns, clock_mono() - before);
	return NULL;
}

static int start_high(pthread_t *thread, struct inversion *i)
{
	struct sched_param param = { .sched_priority = 10 };
	pthread_attr_t attr;
	int err;

	CHECK_EQ(pthread_attr_init(&attr), 0);
	CHECK_EQ(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED),
	         0);
	CHECK_EQ(pthread_attr_setschedpolicy(&attr, SCHED_FIFO), 0);
	CHECK_EQ(pthread_attr_setschedparam(&attr, &param), 0);
	err = pthread_create(thread, &attr, high, i);
	pthread_attr_destroy(&attr);
	return err;
}

/* The low one cannot run while the high one does, which begins at once. Without
 * a sleep of the high one it is the kernel that ends this, after most of a
 * second as it is usually set up, or nobody. With its sleeps, a machine that
 * has other work may take as long. */
static void a_lock_of_a_lower_priority_is_had(void **state)
{
	struct inversion i = { 0 };
	cpu_set_t before;
	pthread_t thread;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	if (!pin())
		skip();
	spin_init(&i.lock);
	spin_lock(&i.lock);
	if (start_high(&thread, &i)) {
		spin_unlock(&i.lock);
		sched_setaffinity(0, sizeof(before), &before);
		skip();
	}
	while (!weft_load_relaxed(&i.tries))
		sched_yield();
	spin_unlock(&i.lock);
	assert_int_equal(pthread_join(thread, NULL), 0);
	sched_setaffinity(0, sizeof(before), &before);
	assert_true(weft_load_relaxed(&naps) > 0 ||
	            weft_load_relaxed(&i.took_ns) < 700 * WEFT_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_spins_for_a_lock_sleeps_at_last,
		                       begin),
		cmocka_unit_test_setup(who_spins_for_a_peer_sleeps_at_last,
		                       begin),
		cmocka_unit_test_setup(a_short_spin_does_not_sleep, begin),
		cmocka_unit_test_setup(the_count_of_turns_may_wrap, begin),
		cmocka_unit_test_setup(a_wait_without_yields_still_pauses,
		                       begin),
		cmocka_unit_test_setup(
		        a_shared_wait_pauses_once_before_it_yields, begin),
		cmocka_unit_test_setup(
		        what_comes_with_a_yield_is_yielded_for_first, begin),
		cmocka_unit_test_setup(a_lock_of_a_lower_priority_is_had,
		                       begin),
	};

	return cmocka_run_group_tests_name("spin", tests, NULL, NULL);
}
