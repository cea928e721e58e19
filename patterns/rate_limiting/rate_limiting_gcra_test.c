/* Tests of the limiter of many keys. */
#include <stdlib.h>

#include "rate_limiting_testing.h"

static struct weft_gcra_stats figures(struct weft_gcra *g)
{
	struct weft_gcra_stats out;

	CHECK_EQ(weft_gcra_stats(g, &out), 0);
	return out;
}

TEST_MANUAL(each_key_has_a_burst_of_its_own)
{
	struct weft_gcra *g = make_gcra(10, WEFT_SEC, 3, 4);

	for (uint64_t key = 0; key < 4; key++) {
		CHECK_EQ(weft_gcra_allow(g, key, 2, NULL), 0);
		CHECK_EQ(weft_gcra_allow(g, key, 2, NULL), -EAGAIN);
		CHECK_EQ(weft_gcra_allow(g, key, 1, NULL), 0);
		CHECK_EQ(weft_gcra_allow(g, key, 4, NULL), -ERANGE);
	}
	CHECK_EQ(figures(g).keys, 4u);
	testing_pass(100 * WEFT_MS);
	CHECK_EQ(weft_gcra_allow(g, 3, 1, NULL), 0);
	CHECK_EQ(weft_gcra_allow(g, 3, 1, NULL), -EAGAIN);
	CHECK_EQ(weft_gcra_allow(g, 2, 1, NULL), 0);
	weft_gcra_free(g);
	return 0;
}

TEST_MANUAL(a_key_tells_how_it_stands)
{
	struct weft_gcra *g = make_gcra(10, WEFT_SEC, 3, 4);
	const int64_t begun = weft_now();
	struct weft_gcra_state s;

	/* Looking takes nothing, not even a place. */
	CHECK_EQ(weft_gcra_allow(g, 1, 0, &s), 0);
	CHECK_EQ(s.remaining, 3);
	CHECK_EQ(s.full_ns, begun);
	CHECK_EQ(figures(g).keys, 0u);
	CHECK_EQ(weft_gcra_allow(g, 1, 2, &s), 0);
	CHECK_EQ(s.remaining, 1);
	CHECK_EQ(s.at_ns, begun);
	CHECK_EQ(s.full_ns, begun + 200 * WEFT_MS);
	CHECK_EQ(weft_gcra_allow(g, 1, 3, &s), -EAGAIN);
	CHECK_EQ(s.at_ns, begun + 200 * WEFT_MS);
	CHECK_EQ(s.remaining, 3);
	testing_pass(50 * WEFT_MS);
	CHECK_EQ(weft_gcra_allow(g, 1, 0, &s), 0);
	CHECK_EQ(s.remaining, 1);
	CHECK_EQ(s.full_ns, begun + 200 * WEFT_MS);
	weft_gcra_free(g);
	return 0;
}

TEST(bad_options_and_calls_are_refused)
{
	static const struct weft_gcra_opts bad[] = {
		{ .rate = { 0, 1 }, .burst = 1, .keys = 1 },
		{ .rate = { 1, -1 }, .burst = 1, .keys = 1 },
		{ .rate = { 1, 1 }, .burst = 0, .keys = 1 },
		{ .rate = { 1, 1 }, .burst = WEFT_BURST_MAX + 1, .keys = 1 },
		{ .rate = { 1, 1 }, .burst = 1, .keys = 0 },
		{ .rate = { 1, 1 },
		  .burst = 1,
		  .keys = WEFT_GCRA_KEYS_MAX + 1 },
		{ .rate = { 1, 1 },
		  .burst = 1,
		  .keys = 1,
		  .wait = WEFT_WAIT_PARK + 1 },
	};
	struct weft_gcra *g = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(weft_gcra_new(&g, &bad[i]), -EINVAL);
	CHECK_EQ(weft_gcra_new(&g, NULL), -EINVAL);
	CHECK_EQ(weft_gcra_new(NULL, &bad[0]), -EINVAL);
	CHECK(g == NULL);
	g = make_gcra(1, 1, 1, 1);
	CHECK_EQ(weft_gcra_allow(NULL, 1, 1, NULL), -EINVAL);
	CHECK_EQ(weft_gcra_allow(g, 1, -1, NULL), -EINVAL);
	CHECK_EQ(weft_gcra_wait(g, 1, -1, NULL, WEFT_NOW, NULL), -EINVAL);
	weft_gcra_free(g);
	return 0;
}

/* --- memory --- */

/* Ask for one key after the other until one finds no place. */
static uint64_t fill(struct weft_gcra *g, uint64_t from)
{
	uint64_t key = from;
	int err;

	while (!(err = weft_gcra_allow(g, key, 1, NULL)))
		key++;
	CHECK_EQ(err, -ENOBUFS);
	return key - from;
}

TEST_MANUAL(places_are_taken_from_keys_that_lack_nothing)
{
	struct weft_gcra *g = make_gcra(1, WEFT_SEC, 5, 100);
	uint64_t first;
	long before = testing_allocations();

	first = fill(g, 1);
	CHECK_LE(100u, first);
	CHECK_EQ(figures(g).keys, first);
	CHECK_EQ(figures(g).evicted, 0u);
	CHECK_EQ(figures(g).crowded, 1u);
	/* Those that are there are served, others not, now and later. */
	CHECK_EQ(weft_gcra_allow(g, 1, 4, NULL), 0);
	CHECK_EQ(weft_gcra_allow(g, 1, 1, NULL), -EAGAIN);
	testing_pass(WEFT_SEC - 1);
	CHECK_EQ(weft_gcra_allow(g, 1 + first, 1, NULL), -ENOBUFS);
	testing_pass(1);
	CHECK_LE(1u, fill(g, 1 + first));
	CHECK_LE(1u, figures(g).evicted);
	/* It lacks four, so it has kept its place. */
	CHECK_EQ(weft_gcra_allow(g, 1, 2, NULL), -EAGAIN);
	CHECK_EQ(weft_gcra_allow(g, 1, 1, NULL), 0);
	CHECK_EQ(testing_allocations(), before);
	weft_gcra_free(g);
	return 0;
}

/* How many of these keys get that many tokens. */
static int served(struct weft_gcra *g, uint64_t from, uint64_t to, int64_t n)
{
	int count = 0;

	for (uint64_t key = from; key < to; key++)
		count += !weft_gcra_allow(g, key, n, NULL);
	return count;
}

/* It was seen that nothing would be full before two seconds are over. */
TEST_MANUAL(what_is_given_back_may_free_a_place_sooner)
{
	struct weft_gcra *g = make_gcra(1, WEFT_SEC, 2, 1);
	struct waiting w = { .g = g, .n = 2, .deadline_ns = WEFT_FOREVER };

	CHECK_EQ(weft_gcra_allow(g, 1, 1, NULL), 0);
	CHECK_EQ(weft_ctx_with_cancel(&w.ctx, NULL), 0);
	begin(&w);
	CHECK_LE(1, served(g, 2, 5000, 2));
	CHECK_EQ(served(g, 5000, 6000, 1), 0);
	CHECK_EQ(weft_ctx_cancel(w.ctx, 0), 0);
	CHECK_EQ(testing_join(w.task), -ECANCELED);
	weft_ctx_unref(w.ctx);
	testing_pass(WEFT_SEC - 1);
	CHECK_EQ(served(g, 5000, 6000, 1), 0);
	testing_pass(1);
	CHECK_EQ(served(g, 5000, 6000, 1), 1);
	weft_gcra_free(g);
	return 0;
}

#define KEYS 3000
#define CALLS (TESTING_SLOW ? 20000 : 200000)

/* A bucket of the test's own for each key, in steps of a millisecond. */
struct model {
	int64_t level, at_ms;
};

static int model_allow(struct model *m, int64_t n, int64_t now_ms)
{
	/* Ten a second, and a burst of 5: a token is 100 ms. */
	m->level += now_ms - m->at_ms;
	m->level = m->level > 500 ? 500 : m->level;
	m->at_ms = now_ms;
	if (m->level < 100 * n)
		return -EAGAIN;
	m->level -= 100 * n;
	return 0;
}

/* Far more keys than places, which are taken and given back all the time:
 * nobody gets more or less than without that. */
TEST_MANUAL(evicting_changes_no_decision)
{
	struct weft_gcra *g = make_gcra(10, WEFT_SEC, 5, 64);
	struct model *models = calloc(KEYS, sizeof(*models));
	int64_t ms = 0;

	CHECK(models != NULL);
	for (int i = 0; i < KEYS; i++)
		models[i].level = 500;
	for (int i = 0; i < CALLS; i++) {
		/* A tenth of the keys get most of the calls. */
		uint64_t key =
		        weft_rand() % (weft_rand() % 8 ? KEYS / 10 : KEYS);
		int64_t n = (int64_t)(weft_rand() % 4);
		struct model before = models[key];
		int err = weft_gcra_allow(g, key, n, NULL);

		if (err == -ENOBUFS)
			models[key] = before;
		else
			CHECK_EQ(err, model_allow(&models[key], n, ms));
		if (weft_rand() % 4 == 0) {
			CHECK_EQ(weft_clock_advance(WEFT_MS), 0);
			ms++;
		}
	}
	CHECK_LT(1000u, figures(g).evicted);
	free(models);
	weft_gcra_free(g);
	return 0;
}

/* --- waits --- */

TEST_MANUAL(a_key_is_waited_for_in_order)
{
	struct weft_gcra *g = make_gcra(10, WEFT_SEC, 1, 1);
	struct waiting w[3];

	CHECK_EQ(weft_gcra_allow(g, 1, 1, NULL), 0);
	for (int i = 0; i < 3; i++) {
		w[i] = (struct waiting){ NULL, g, 1, NULL, WEFT_FOREVER, NULL };
		begin(&w[i]);
	}
	for (int i = 0; i < 3; i++) {
		testing_pass(100 * WEFT_MS);
		CHECK_EQ(testing_join(w[i].task), 0);
		for (int k = i + 1; k < 3; k++)
			CHECK(waits(&w[k]));
	}
	CHECK_EQ(figures(g).waited, 3u);
	CHECK_EQ(figures(g).longest_ns, 300 * WEFT_MS);
	CHECK_EQ(figures(g).wait_ns, 600 * WEFT_MS);
	weft_gcra_free(g);
	return 0;
}

TEST_MANUAL(a_wait_in_vain_gives_back_the_last_only)
{
	struct weft_gcra *g = make_gcra(10, WEFT_SEC, 1, 1);
	struct waiting first = { .g = g, .n = 1, .deadline_ns = WEFT_FOREVER };
	struct waiting last = first;
	struct weft_gcra_state s;

	CHECK_EQ(weft_gcra_allow(g, 1, 1, NULL), 0);
	CHECK_EQ(weft_ctx_with_cancel(&first.ctx, NULL), 0);
	CHECK_EQ(weft_ctx_with_cancel(&last.ctx, NULL), 0);
	begin(&first);
	begin(&last);
	CHECK_EQ(weft_ctx_cancel(first.ctx, 0), 0);
	CHECK_EQ(testing_join(first.task), -ECANCELED);
	CHECK_EQ(weft_gcra_allow(g, 1, 0, &s), 0);
	CHECK_EQ(s.remaining, -2);
	CHECK_EQ(weft_ctx_cancel(last.ctx, 0), 0);
	CHECK_EQ(testing_join(last.task), -ECANCELED);
	CHECK_EQ(weft_gcra_allow(g, 1, 0, &s), 0);
	CHECK_EQ(s.remaining, -1);
	CHECK_EQ(figures(g).gave_up, 2u);
	/* Not by the deadline: it does not wait, and takes nothing. */
	CHECK_EQ(weft_gcra_wait(g, 1, 1, NULL, weft_deadline_in(WEFT_MS), NULL),
	         -ETIMEDOUT);
	CHECK_EQ(weft_gcra_wait(g, 1, 1, last.ctx, WEFT_FOREVER, NULL),
	         -ECANCELED);
	CHECK_EQ(weft_gcra_wait(g, 1, 2, NULL, WEFT_FOREVER, NULL), -ERANGE);
	CHECK_EQ(weft_gcra_allow(g, 1, 0, &s), 0);
	CHECK_EQ(s.remaining, -1);
	weft_ctx_unref(first.ctx);
	weft_ctx_unref(last.ctx);
	weft_gcra_free(g);
	return 0;
}
