/*
 * This file is compiled with -fsanitize=thread and linked without it, as a
 * plug-in that is to be delayed.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <weft/atomic.h>
#include <weft/task.h>

#include "perturb/perturb.h"

#define TASKS 3
#define TURNS 400

/* --- the decisions --- */

struct traced {
	uint64_t trace, operations;
};

static WEFT_ATOMIC(uint64_t) shared;

/* As many operations whatever the others do. */
static int works(void *arg)
{
	struct traced *to = arg;
	WEFT_ATOMIC(uint32_t) own = 0;

	for (unsigned i = 0; i < TURNS; i++) {
		weft_fetch_add_acq_rel(&shared, 1u);
		weft_store_release(&own, i);
		if (weft_load_acquire(&own) != i)
			return 1;
	}
	to->trace = weft_perturb_trace(&to->operations);
	return 0;
}

static int spawns(void *arg)
{
	struct traced *to = arg;
	struct weft_task *task[TASKS];

	for (unsigned i = 0; i < TASKS; i++)
		if (weft_spawn(&task[i], NULL, works, &to[i]))
			abort();
	for (unsigned i = 0; i < TASKS; i++)
		weft_join(task[i], NULL);
	return 0;
}

static void run_with(uint64_t seed, struct traced to[TASKS])
{
	struct weft_run_opts opts = { .seed = seed };

	memset(to, 0, TASKS * sizeof(*to));
	weft_perturb_begin(seed);
	assert_int_equal(weft_run(WEFT_THREADS, &opts, spawns, to), 0);
	weft_perturb_begin(0);
}

static void the_same_seed_decides_the_same_for_each_task(void **state)
{
	struct traced first[TASKS], again[TASKS], other[TASKS];

	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		run_with(seed, first);
		run_with(seed, again);
		run_with(seed + 100, other);
		for (unsigned i = 0; i < TASKS; i++) {
			assert_true(first[i].operations >= (uint64_t)3 * TURNS);
			assert_int_equal(first[i].operations,
			                 again[i].operations);
			assert_true(first[i].trace == again[i].trace);
			assert_true(first[i].trace != other[i].trace);
			assert_true(i == 0 || first[i].trace != first[0].trace);
		}
	}
}

static void without_a_seed_nothing_is_decided(void **state)
{
	struct traced none[TASKS];

	(void)state;
	run_with(0, none);
	for (unsigned i = 0; i < TASKS; i++)
		assert_int_equal(none[i].operations, 0);
}

static int works_long(void *arg)
{
	WEFT_ATOMIC(uint32_t) own = 0;

	(void)arg;
	for (unsigned i = 0; i < 1000000; i++)
		weft_fetch_add_relaxed(&own, 1u);
	return 0;
}

/* Half of them delayed by some 100 us each would take a minute, and more. */
static void many_operations_come_to_an_end(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct weft_run_opts opts = { .seed = seed };

		weft_perturb_begin(seed);
		assert_int_equal(
		        weft_run(WEFT_THREADS, &opts, works_long, NULL), 0);
	}
	weft_perturb_begin(0);
}

/* --- the hooks --- */

/* Of one thread alone. */
struct seen {
	unsigned of[PERTURB_YIELD + 1], blocked, went_on, reads, writes;
	uint64_t seed;
	const void *at;
	uintptr_t place;
};

/* The hooks must not be perturbed themselves. */
#define UNSEEN __attribute__((no_sanitize("thread")))

UNSEEN static void on_begin(void *arg, uint64_t seed)
{
	((struct seen *)arg)->seed = seed;
}

UNSEEN static void on_before(void *arg, enum perturb_kind kind, const void *at,
                             uintptr_t place)
{
	struct seen *s = arg;

	s->of[kind]++;
	s->at = at;
	s->place = place;
}

UNSEEN static void on_blocks(void *arg, enum perturb_kind kind, const void *at)
{
	(void)kind;
	(void)at;
	((struct seen *)arg)->blocked++;
}

UNSEEN static void on_goes_on(void *arg)
{
	((struct seen *)arg)->went_on++;
}

UNSEEN static void on_access(void *arg, bool writes, const void *at,
                             unsigned bytes)
{
	struct seen *s = arg;

	(void)at;
	(void)bytes;
	s->reads += !writes;
	s->writes += writes;
}

static struct perturb_hooks watching(struct seen *s)
{
	return (struct perturb_hooks){ .begin = on_begin,
		                       .before = on_before,
		                       .blocks = on_blocks,
		                       .goes_on = on_goes_on,
		                       .access = on_access,
		                       .arg = s };
}

/* Every operation of one width gives what it should. */
#define OPERATIONS(type)                                                       \
	do {                                                                   \
		_Atomic(type) x = 5;                                           \
		type was = 4;                                                  \
		assert_true(weft_load_relaxed(&x) == 5);                       \
		assert_true(weft_load_seq_cst(&x) == 5);                       \
		weft_store_release(&x, 6);                                     \
		weft_store_seq_cst(&x, 7);                                     \
		assert_true(weft_xchg_acq_rel(&x, 8) == 7);                    \
		assert_true(weft_fetch_add_relaxed(&x, 2) == 8);               \
		assert_true(weft_fetch_sub_release(&x, 1) == 10);              \
		assert_true(weft_fetch_or_acq_rel(&x, 16) == 9);               \
		assert_false(weft_cas_seq_cst(&x, &was, 1));                   \
		assert_true(was == 25);                                        \
		assert_true(weft_cas_acquire(&x, &was, 3));                    \
		was = 3;                                                       \
		while (!weft_cas_weak_relaxed(&x, &was, 1))                    \
			;                                                      \
		assert_true(weft_load_acquire(&x) == 1);                       \
	} while (0)

static void each_operation_is_what_it_was(void **state)
{
	struct seen s = { .seed = 0 };
	struct perturb_hooks hooks = watching(&s);

	(void)state;
	weft_perturb_set(&hooks);
	weft_perturb_begin(3);
	OPERATIONS(uint8_t);
	OPERATIONS(uint16_t);
	OPERATIONS(uint32_t);
	OPERATIONS(uint64_t);
	OPERATIONS(unsigned char);
	weft_perturb_begin(0);
	weft_perturb_set(NULL);
	assert_true(s.of[PERTURB_LOAD] >= 5 * 3);
	assert_true(s.of[PERTURB_STORE] >= 5 * 2);
	assert_true(s.of[PERTURB_RMW] >= 5 * 7);
}

static void waits_and_wakes_are_seen(void **state)
{
	static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
	static uint32_t word = 1;
	struct seen s = { .seed = 0 };
	struct perturb_hooks hooks = watching(&s);

	(void)state;
	weft_perturb_set(&hooks);
	weft_perturb_begin(7);
	pthread_mutex_lock(&own);
	pthread_mutex_unlock(&own);
	assert_int_equal(s.of[PERTURB_LOCK], 1);
	assert_int_equal(s.of[PERTURB_UNLOCK], 1);
	assert_ptr_equal(s.at, &own);
	word++;
	/* The word is another one: it does not wait. */
	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, NULL, NULL, 0);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	assert_int_equal(s.of[PERTURB_WAIT], 1);
	assert_int_equal(s.of[PERTURB_WAKE], 1);
	syscall(SYS_getppid, 0, 0, 0, 0, 0, 0);
	assert_int_equal(s.of[PERTURB_YIELD], 0);
	sched_yield();
	weft_relax();
	weft_relent(0);
	weft_yield();
	weft_sleep_until(WEFT_NOW);
	/* Of weft's own calls in these, too: it is linked here as well. */
	assert_true(s.of[PERTURB_YIELD] >= 5);
	weft_perturb_begin(0);
	weft_perturb_set(NULL);
	assert_int_equal(s.of[PERTURB_WAIT] + s.of[PERTURB_WAKE], 2);
	assert_int_equal(s.blocked, 3);
	assert_int_equal(s.went_on, 3);
	assert_true(s.reads > 0);
	assert_true(s.writes > 0);
	assert_int_equal(s.seed, 0);
}

/* --- waits that are woken for no reason --- */

UNSEEN static bool wakes_always(void *arg, const void *at, uintptr_t place)
{
	(void)at;
	(void)place;
	++*(unsigned *)arg;
	return true;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

/* Each of these would never return. */
static void each_wait_can_be_woken_for_no_reason(void **state)
{
	static const struct timespec never = { .tv_sec = INT32_MAX };
	static uint32_t word = 1;
	unsigned woken = 0;
	struct perturb_hooks hooks = { .wakes = wakes_always, .arg = &woken };
	sem_t sem;

	(void)state;
	sem_init(&sem, 0, 0);
	weft_perturb_set(&hooks);
	weft_perturb_begin(5);
	pthread_mutex_lock(&mutex);
	assert_int_equal(pthread_cond_wait(&cond, &mutex), 0);
	assert_int_equal(pthread_cond_timedwait(&cond, &mutex, &never), 0);
	assert_int_equal(
	        pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &never),
	        0);
	assert_int_equal(pthread_mutex_trylock(&mutex), EBUSY);
	pthread_mutex_unlock(&mutex);
	assert_int_equal(sem_wait(&sem), -1);
	assert_int_equal(errno, EINTR);
	errno = 0;
	assert_int_equal(sem_timedwait(&sem, &never), -1);
	assert_int_equal(errno, EINTR);
	errno = 0;
	assert_int_equal(sem_clockwait(&sem, CLOCK_MONOTONIC, &never), -1);
	assert_int_equal(errno, EINTR);
	assert_int_equal(
	        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0),
	        0);
	assert_int_equal(weft_park(WEFT_FOREVER), 0);
	assert_int_equal(woken, 8);
	/* What is there is taken all the same. */
	sem_post(&sem);
	assert_int_equal(sem_wait(&sem), 0);
	weft_perturb_begin(0);
	weft_perturb_set(NULL);
	sem_destroy(&sem);
}

/* By chance, and not always: what loops around a wait comes to its end. */
static void some_are_by_every_seed(void **state)
{
	struct timespec now;

	(void)state;
	pthread_mutex_lock(&mutex);
	for (uint64_t seed = 1; seed <= 20; seed++) {
		unsigned woken = 0, late = 0;

		weft_perturb_begin(seed);
		for (unsigned i = 0; i < 200; i++) {
			clock_gettime(CLOCK_REALTIME, &now);
			if (pthread_cond_timedwait(&cond, &mutex, &now))
				late++;
			else
				woken++;
		}
		assert_in_range(woken, 1, 100);
		assert_true(late >= 100);
	}
	weft_perturb_begin(0);
	pthread_mutex_unlock(&mutex);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_decides_the_same_for_each_task),
		cmocka_unit_test(without_a_seed_nothing_is_decided),
		cmocka_unit_test(many_operations_come_to_an_end),
		cmocka_unit_test(each_operation_is_what_it_was),
		cmocka_unit_test(waits_and_wakes_are_seen),
		cmocka_unit_test(each_wait_can_be_woken_for_no_reason),
		cmocka_unit_test(some_are_by_every_seed),
	};

	return cmocka_run_group_tests_name("perturb", tests, NULL, NULL);
}
