/*
 * The figures that a result gives of its samples.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/result.h"

static void a_median_stands_in_the_middle(void **state)
{
	static struct result r;

	(void)state;
	r.n = 0;
	assert_true(result_median(&r, sample_ns_per_message) == 0);
	r.n = 4;
	for (unsigned i = 0; i < r.n; i++)
		r.sample[i] =
		        (struct sample){ .ns = 10 * (4 - i), .messages = 10 };
	assert_true(result_median(&r, sample_ns_per_message) == 2.5);
	assert_true(result_min(&r, sample_ns_per_message) == 1);
	assert_true(result_max(&r, sample_ns_per_message) == 4);
	r.n = 3;
	assert_true(result_median(&r, sample_ns_per_message) == 3);
}

static void fairness_of_nothing_is_fair(void **state)
{
	const uint64_t none[3] = { 0 }, one[3] = { 9, 0, 0 };
	double jain, least;

	(void)state;
	fairness(none, 3, &jain, &least);
	assert_true(jain == 1 && least == 1);
	fairness(one, 3, &jain, &least);
	assert_true(jain > 0.333 && jain < 0.334 && least == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_median_stands_in_the_middle),
		cmocka_unit_test(fairness_of_nothing_is_fair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
