/* Tests of the histogram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "kernel/hist.h"

static void every_value_is_reported_within_one_percent(void **state)
{
	static struct hist h;

	(void)state;
	for (int64_t v = 1; v > 0 && v < INT64_MAX / 3; v += v / 7 + 1) {
		double off;

		weft_hist_init(&h);
		hist_record(&h, v);
		/* Another maximum, so that the clamp to it cannot help. */
		hist_record(&h, INT64_MAX);
		off = (double)weft_hist_quantile(&h, 0.5) / (double)v - 1;
		if (off > 0.01 || off < -0.01)
			fail_msg("%jd is reported %g off", (intmax_t)v, off);
	}
}

static void quantiles_of_a_known_distribution(void **state)
{
	static struct hist h;

	(void)state;
	weft_hist_init(&h);
	assert_int_equal(weft_hist_quantile(&h, 0.5), 0);
	for (int v = 100; v >= 1; v--)
		hist_record(&h, v);
	assert_int_equal(weft_hist_quantile(&h, 0), 1);
	assert_int_equal(weft_hist_quantile(&h, 0.5), 50);
	assert_int_equal(weft_hist_quantile(&h, 0.99), 99);
	assert_int_equal(weft_hist_quantile(&h, 0.991), 100);
	assert_int_equal(weft_hist_quantile(&h, 1), 100);
	assert_true(weft_hist_mean(&h) == 50.5);
}

static void merging_is_recording_together(void **state)
{
	static struct hist a, b, both;
	struct rng r;

	(void)state;
	rng_seed(&r, 7);
	weft_hist_init(&a);
	weft_hist_init(&b);
	weft_hist_init(&both);
	for (int i = 0; i < 10000; i++) {
		int64_t v = (int64_t)(rng_next(&r) >> (rng_next(&r) % 60 + 1));

		hist_record(i % 3 ? &a : &b, v);
		hist_record(&both, v);
	}
	weft_hist_merge(&a, &b);
	assert_int_equal(a.count, both.count);
	assert_int_equal(a.min, both.min);
	assert_int_equal(a.max, both.max);
	assert_memory_equal(a.bucket, both.bucket, sizeof(a.bucket));
}

static void extremes_do_not_leave_the_table(void **state)
{
	static struct hist h;

	(void)state;
	weft_hist_init(&h);
	hist_record(&h, -5);
	hist_record(&h, 0);
	hist_record(&h, INT64_MAX);
	assert_int_equal(h.count, 3);
	assert_int_equal(weft_hist_quantile(&h, 0.1), 0);
	assert_int_equal(weft_hist_quantile(&h, 1), INT64_MAX);
	assert_true(hist_index(UINT64_MAX) < HIST_BUCKETS);
}

static void a_bucket_begins_where_the_one_before_ends(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		uint64_t low = weft_hist_low(i);

		assert_int_equal(hist_index(low), i);
		if (i > 0)
			assert_int_equal(hist_index(low - 1), i - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_is_reported_within_one_percent),
		cmocka_unit_test(quantiles_of_a_known_distribution),
		cmocka_unit_test(merging_is_recording_together),
		cmocka_unit_test(extremes_do_not_leave_the_table),
		cmocka_unit_test(a_bucket_begins_where_the_one_before_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
