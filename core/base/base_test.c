/* Tests of the small things at the bottom: list, rng, CHECK. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/atomic.h>
#include <weft/time.h>

#include "base/cacheline.h"
#include "base/check.h"
#include "base/cpus.h"
#include "base/list.h"
#include "base/rng.h"

/* --- list --- */

static void list_keeps_order_and_survives_double_unlink(void **state)
{
	struct list head, node[3];

	(void)state;
	list_init(&head);
	assert_true(list_is_empty(&head));
	assert_null(list_pop(&head));
	for (int i = 0; i < 3; i++)
		list_push(&head, &node[i]);
	list_unlink(&node[1]);
	list_unlink(&node[1]);
	assert_ptr_equal(list_pop(&head), &node[0]);
	assert_ptr_equal(list_pop(&head), &node[2]);
	assert_true(list_is_empty(&head));
}

/* --- rng --- */

static void rng_repeats_and_stays_in_range(void **state)
{
	struct rng a, b;
	unsigned seen[10] = { 0 };

	(void)state;
	rng_seed(&a, 42);
	rng_seed(&b, 42);
	for (int i = 0; i < 10000; i++) {
		uint64_t v = rng_below(&a, 10);

		assert_int_equal(v, rng_below(&b, 10));
		assert_true(v < 10);
		seen[v]++;
	}
	/* 1000 each, 10 sigma = 300. */
	for (int i = 0; i < 10; i++)
		assert_in_range(seen[i], 700, 1300);
}

static void rng_is_the_published_generator(void **state)
{
	struct rng r = { { 1, 2, 3, 4 } };

	(void)state;
	/* The first outputs of xoshiro256** from state 1, 2, 3, 4. */
	assert_true(rng_next(&r) == UINT64_C(11520));
	assert_true(rng_next(&r) == UINT64_C(0));
	assert_true(rng_next(&r) == UINT64_C(1509978240));
}

/* --- time --- */

static void deadlines_saturate(void **state)
{
	(void)state;
	assert_true(weft_deadline_add(5, 7) == 12);
	assert_true(weft_deadline_add(5, -7) == WEFT_NOW);
	assert_true(weft_deadline_add(INT64_MAX - 1, 7) == WEFT_FOREVER);
	assert_true(weft_deadline_add(WEFT_FOREVER, -7) == WEFT_FOREVER);
	assert_true(weft_deadline_add(INT64_MIN, -7) == WEFT_NOW);
}

/* --- check --- */

/* Run fn in a child; return what it wrote to stderr and how it ended. */
static int in_child(void (*fn)(void), char *err, size_t err_bytes)
{
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		fn();
		_exit(0);
	}
	close(ends[1]);
	n = read(ends[0], err, err_bytes - 1);
	err[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void break_invariant(void)
{
	weft_check_seed(99);
	CHECK_EQ(1 + 1, 3);
}

static void a_failed_check_prints_values_and_seed_and_aborts(void **state)
{
	char err[512];
	int status = in_child(break_invariant, err, sizeof(err));

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(err, "1 + 1 == 3"));
	assert_non_null(strstr(err, "2 against 3"));
	assert_non_null(strstr(err, "seed 99"));
}

/* --- the machine --- */

static void memory_in_cache_lines_is_whole_or_refused(void **state)
{
	const size_t line = WEFT_CACHE_LINE;
	unsigned char *p = cacheline_new(3, 30);

	(void)state;
	assert_non_null(p);
	assert_int_equal((uintptr_t)p % line, 0);
	for (size_t i = 0; i < 90; i++)
		assert_int_equal(p[i], 0);
	free(p);
	p = cacheline_new(0, 8);
	assert_non_null(p);
	free(p);
	p = cacheline_alloc(line, 1, 1);
	assert_non_null(p);
	p[line] = 1; /* as the address sanitizer sees it */
	free(p);
	assert_null(cacheline_alloc(line, SIZE_MAX / 4, 8));
	assert_null(cacheline_alloc(line, 1, SIZE_MAX - line));
	assert_null(cacheline_new(SIZE_MAX / 2 + 2, 2));
}

static void there_is_a_cpu(void **state)
{
	(void)state;
	assert_in_range(weft_cpus_allowed(), 1, 1u << 20);
}

static void the_heavy_barrier_can_be_called(void **state)
{
	(void)state;
	weft_barrier_heavy();
	assert_true(weft_barrier_is_asymmetric() ==
	            weft_barrier_is_asymmetric());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_keeps_order_and_survives_double_unlink),
		cmocka_unit_test(rng_repeats_and_stays_in_range),
		cmocka_unit_test(rng_is_the_published_generator),
		cmocka_unit_test(deadlines_saturate),
		cmocka_unit_test(
		        a_failed_check_prints_values_and_seed_and_aborts),
		cmocka_unit_test(memory_in_cache_lines_is_whole_or_refused),
		cmocka_unit_test(there_is_a_cpu),
		cmocka_unit_test(the_heavy_barrier_can_be_called),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
