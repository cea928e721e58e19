/*
 * Tests of phi, by the numbers of the requirements; in milliseconds, as in the
 * tests of Akka's detector, from which the tables are:
 *
 *	E2  the table, and what lies far out
 *	E3  what is missed is dead, after a while
 *	E4  a long pause is not learnt
 *	E5  an acceptable pause, and a window that forgets
 *	E6  mean and variance
 */
#include <math.h>

#include "phi.h"
#include "testing/testing.h"

/* A detector, and when it has last heard of what it watches. */
struct watched {
	struct phi phi;
	int64_t last;
};

static void watch(struct watched *w, double threshold, size_t window,
                  int64_t pause)
{
	const struct weft_phi_opts opts = { .threshold = threshold,
		                            .window = window,
		                            .min_std_ns = 100,
		                            .pause_ns = pause,
		                            .first_ns = 1000 };

	CHECK_EQ(weft_phi_init(&w->phi, &opts), 0);
	w->last = -1;
}

static void beat_at(struct watched *w, int64_t now)
{
	if (w->last >= 0)
		weft_phi_heard(&w->phi, now - w->last, 1);
	w->last = now;
}

static bool is_dead(const struct watched *w, int64_t now)
{
	return phi_is_over(&w->phi, now - w->last);
}

static bool is_near(double x, double expected, double by)
{
	if (fabs(x - expected) > by)
		fprintf(stderr, "%g is not near %g\n", x, expected);
	return fabs(x - expected) <= by;
}

/* --- the formula --- */

TEST_OUTSIDE(E2_the_published_table)
{
	static const struct {
		double silent, phi;
	} table[] = { { 0, 0.0 },    { 500, 0.1 },  { 1000, 0.3 },
		      { 1200, 1.6 }, { 1400, 4.7 }, { 1600, 10.8 },
		      { 1700, 15.3 } };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		CHECK(is_near(weft_phi_of(table[i].silent, 1000, 100),
		              table[i].phi, 0.1));
}

TEST_OUTSIDE(E2_far_out_it_is_a_number_still)
{
	CHECK(is_near(weft_phi_of(10, 0, 1), 38, 1));
	CHECK(is_near(weft_phi_of(-25, 0, 1), 0, 1e-9));
	CHECK(isfinite(weft_phi_of(1e12, 0, 1)));
	CHECK(weft_phi_of(1e12, 0, 1) > weft_phi_of(1e11, 0, 1));
}

TEST_OUTSIDE(E2_it_grows_with_the_silence)
{
	double last = -1;

	for (int silent = 0; silent < 20000; silent += 10) {
		double phi = weft_phi_of(silent, 1000, 100);

		CHECK(phi >= last);
		last = phi;
	}
}

/* The tail of the normal distribution, near the mean: there the approximation
 * is good. */
TEST_OUTSIDE(it_is_the_tail_of_the_normal_distribution)
{
	for (int i = -8; i <= 8; i++) {
		double y = i / 4.0;

		CHECK(is_near(weft_phi_of(y, 0, 1),
		              -log10(0.5 * erfc(y / sqrt(2))), 0.01));
	}
}

/* --- what is learnt --- */

TEST_OUTSIDE(E3_what_is_missed_is_dead_after_a_while)
{
	struct watched w;

	watch(&w, 3, 1000, 0);
	beat_at(&w, 0);
	beat_at(&w, 1000);
	beat_at(&w, 1100);
	CHECK(!is_dead(&w, 1200));
	CHECK(is_dead(&w, 8200));
	weft_phi_fini(&w.phi);
}

TEST_OUTSIDE(E4_a_long_pause_is_not_learnt)
{
	struct watched w;
	int64_t now = 0;

	watch(&w, 8, 1000, 3000);
	for (int i = 0; i < 1000; i++, now += 1000)
		beat_at(&w, now);
	now += 5 * 60 * 1000; /* more than 5 minutes */
	CHECK(is_dead(&w, now));
	beat_at(&w, now);
	CHECK(!is_dead(&w, now));
	for (int i = 0; i < 3; i++, now += 1000)
		beat_at(&w, now);
	CHECK(!is_dead(&w, now + 900));
	CHECK(is_dead(&w, now + 7000));
	weft_phi_fini(&w.phi);
}

TEST_OUTSIDE(E5_an_acceptable_pause)
{
	struct watched w;
	int64_t now = 0;

	watch(&w, 3, 1000, 3000);
	for (; now <= 3000; now += 1000)
		beat_at(&w, now);
	now = 3000 + 4000;
	CHECK(!is_dead(&w, now));
	beat_at(&w, now);
	weft_phi_fini(&w.phi);

	watch(&w, 3, 1000, 3000);
	for (now = 0; now <= 5000; now += 1000)
		beat_at(&w, now);
	beat_at(&w, 5500);
	beat_at(&w, 6000);
	CHECK(is_dead(&w, 6000 + 5000));
	weft_phi_fini(&w.phi);
}

TEST_OUTSIDE(E5_the_window_forgets)
{
	struct watched w;

	/* Nothing that it hears of comes too late. */
	watch(&w, 1e9, 3, 0);
	for (int64_t now = 0; now <= 400; now += 100)
		beat_at(&w, now);
	CHECK(is_near(weft_phi_mean(&w.phi), 100, 1e-6));
	for (int64_t now = 900; now <= 1900; now += 500)
		beat_at(&w, now);
	CHECK(is_near(weft_phi_mean(&w.phi), 500, 1e-6));
	CHECK(is_near(weft_phi_std(&w.phi), 0, 1e-3));
	weft_phi_fini(&w.phi);
}

TEST_OUTSIDE(E6_mean_and_variance)
{
	static const int64_t samples[] = { 100, 200, 125, 340, 130 };
	struct watched w;

	watch(&w, 8, 5, 0);
	for (int i = 0; i < 5; i++)
		weft_phi_add(&w.phi, samples[i]);
	CHECK(is_near(weft_phi_mean(&w.phi), 179, 1e-6));
	CHECK(is_near(pow(weft_phi_std(&w.phi), 2), 7584, 1e-3));
	weft_phi_fini(&w.phi);
	watch(&w, 8, 1, 0);
	weft_phi_add(&w.phi, 77);
	CHECK(is_near(weft_phi_mean(&w.phi), 77, 1e-6));
	CHECK(is_near(weft_phi_std(&w.phi), 0, 1e-6));
	weft_phi_fini(&w.phi);
}

/* Akka's: two samples, a quarter to either side. */
TEST_OUTSIDE(it_begins_with_the_estimate)
{
	struct watched w;

	watch(&w, 8, 1000, 0);
	CHECK(is_near(weft_phi_mean(&w.phi), 1000, 1e-6));
	CHECK(is_near(weft_phi_std(&w.phi), 250, 1e-6));
	weft_phi_fini(&w.phi);
}

/* Beats that were seen together are one sample, of their mean interval. */
TEST_OUTSIDE(several_beats_are_one_sample)
{
	struct watched w;

	watch(&w, 8, 1, 0);
	weft_phi_heard(&w.phi, 1000, 4);
	CHECK(is_near(weft_phi_mean(&w.phi), 250, 1e-6));
	weft_phi_fini(&w.phi);
}

/* After a hundred windows of large and uneven intervals. */
TEST_OUTSIDE(what_rounding_leaves_does_not_add_up)
{
	struct watched w;
	uint64_t x = 1;

	watch(&w, 8, 100, 0);
	for (int i = 0; i < 10000; i++) {
		x = x * UINT64_C(6364136223846793005) + 1;
		weft_phi_add(&w.phi, (int64_t)(x >> 20));
	}
	/* One window to forget, one more for what that has left. */
	for (int i = 0; i < 200; i++)
		weft_phi_add(&w.phi, i % 2 ? 1001 : 999);
	CHECK(is_near(weft_phi_mean(&w.phi), 1000, 1e-6));
	CHECK(is_near(weft_phi_std(&w.phi), 1, 1e-6));
	weft_phi_fini(&w.phi);
}
