/*
 * What a select may cost: over 8 channels that all have an element, at most 6
 * times a plain receive, the filling in of the cases included. Both are timed
 * in turn in one process, and the medians compared, so that a machine that is
 * slow for a while is slow for both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <weft/weft.h>

#include "base/check.h"

#define CHANNELS 8
#define EACH 500 /* elements in each channel at the start of a round */
#define RECEIVES (CHANNELS * 250) /* half, so that none runs dry */
#define ROUNDS 201
#define TIMES_MAX 6.0

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static struct weft_chan *chans[CHANNELS];

static void fill(void)
{
	uint64_t v = 1;

	for (int i = 0; i < CHANNELS; i++)
		while (weft_chan_try_send(chans[i], &v) == 0)
			v++;
}

static void plain_receives(void)
{
	uint64_t v;

	for (int i = 0; i < RECEIVES; i++)
		CHECK_EQ(weft_chan_recv(chans[i % CHANNELS], &v, WEFT_FOREVER),
		         0);
}

static void selected_receives(void)
{
	struct weft_case cases[CHANNELS];
	uint64_t v;

	for (int i = 0; i < RECEIVES; i++) {
		for (int k = 0; k < CHANNELS; k++)
			cases[k] = weft_case_recv(chans[k], &v);
		CHECK_LE(0, weft_select(cases, CHANNELS, WEFT_FOREVER));
	}
}

static int64_t timed(void (*fn)(void))
{
	int64_t begin;

	fill();
	begin = weft_now();
	fn();
	return weft_now() - begin;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static double median_ns(int64_t *rounds)
{
	const double receives = RECEIVES;
	int64_t median;

	qsort(rounds, ROUNDS, sizeof(*rounds), by_value);
	median = rounds[ROUNDS / 2];
	return (double)median / receives;
}

static void a_select_over_8_hot_rings_costs_at_most_6_receives(void **state)
{
	static int64_t plain[ROUNDS], selected[ROUNDS];
	double p, s;

	(void)state;
	if (SANITIZED)
		skip();
	for (int i = 0; i < CHANNELS; i++)
		assert_int_equal(weft_chan_new(&chans[i],
		                               weft_chan_impl_find("ring"),
		                               EACH, sizeof(uint64_t), NULL),
		                 0);
	for (int r = 0; r < ROUNDS; r++) {
		plain[r] = timed(plain_receives);
		selected[r] = timed(selected_receives);
	}
	p = median_ns(plain);
	s = median_ns(selected);
	printf("a receive %.1f ns, a select over %d %.1f ns: %.2f times\n", p,
	       CHANNELS, s, s / p);
	assert_true(s <= TIMES_MAX * p);
	for (int i = 0; i < CHANNELS; i++)
		weft_chan_unref(chans[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        a_select_over_8_hot_rings_costs_at_most_6_receives),
	};

	return cmocka_run_group_tests_name("select_cost", tests, NULL, NULL);
}
