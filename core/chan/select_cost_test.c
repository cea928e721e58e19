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

#include <cmocka.h>

#include <weft/weft.h>

#include "base/check.h"
#include "base/cost.h"

#define CHANNELS 8
#define EACH 500 /* elements in each channel at the start of a round */
#define RECEIVES (CHANNELS * 250) /* half, so that none runs dry */
#define TIMES_MAX 6.0

static struct weft_chan *chans[CHANNELS];

static void fill(void *arg)
{
	uint64_t v = 1;

	(void)arg;
	for (int i = 0; i < CHANNELS; i++)
		while (weft_chan_try_send(chans[i], &v) == 0)
			v++;
}

static void plain_receives(void *arg)
{
	uint64_t v;

	(void)arg;
	for (int i = 0; i < RECEIVES; i++)
		CHECK_EQ(weft_chan_recv(chans[i % CHANNELS], &v, WEFT_FOREVER),
		         0);
}

static void selected_receives(void *arg)
{
	struct weft_case cases[CHANNELS];
	uint64_t v;

	(void)arg;
	for (int i = 0; i < RECEIVES; i++) {
		for (int k = 0; k < CHANNELS; k++)
			cases[k] = weft_case_recv(chans[k], &v);
		CHECK_LE(0, weft_select(cases, CHANNELS, WEFT_FOREVER));
	}
}

static void a_select_over_8_hot_rings_costs_at_most_6_receives(void **state)
{
	const double receives = RECEIVES;
	struct cost_times t;
	double p, s;

	(void)state;
	if (COST_MEANS_NOTHING)
		skip();
	for (int i = 0; i < CHANNELS; i++)
		assert_int_equal(weft_chan_new(&chans[i],
		                               weft_chan_impl_find("ring"),
		                               EACH, sizeof(uint64_t), NULL),
		                 0);
	t = cost_compare(fill, plain_receives, selected_receives, NULL);
	p = (double)t.first / receives;
	s = (double)t.second / receives;
	printf("a receive %.1f ns, a select over %d %.1f ns: %.2f times\n", p,
	       CHANNELS, s, t.ratio);
	assert_true(t.ratio <= TIMES_MAX);
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
