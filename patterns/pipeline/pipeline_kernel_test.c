/* Tests of the pipeline's kernel and demo, beside those of all kernels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "testing/demo.h"

/* E11 of the requirements: x * x + 10 is what every run of the kernel looks at,
 * for each x. */
TEST(every_square_leads_back_to_its_root)
{
	/* What the kernel relies on, at the end of its range. */
	for (uint64_t x = (1 << 26) - 1000; x < 1 << 26; x++)
		CHECK_EQ((uint64_t)sqrt((double)(x * x)), x);
	return 0;
}

static int keep_demo(void *arg)
{
	*(char **)arg = testing_demo(&pattern_pipeline);
	return 0;
}

/* The numbers that the demo generates, which come before what becomes of them.
 */
static char *numbers_of(uint64_t seed)
{
	struct weft_run_opts opts = { .clock = WEFT_CLOCK_MANUAL,
		                      .seed = seed };
	char *text, *numbers = calloc(1, 400), *rest, *line;

	assert_non_null(numbers);
	assert_int_equal(weft_run(WEFT_THREADS, &opts, keep_demo, &text), 0);
	rest = text;
	while ((line = strtok_r(rest, "\n", &rest)))
		if (strncmp(line, "Generated", 9) == 0)
			strncat(strncat(numbers, line, 30), "\n", 2);
	free(text);
	return numbers;
}

TEST_OUTSIDE(the_numbers_of_the_demo_depend_on_the_seed_alone)
{
	char *first = numbers_of(7), *again = numbers_of(7);
	char *other = numbers_of(8);

	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
	free(first);
	free(again);
	free(other);
}
