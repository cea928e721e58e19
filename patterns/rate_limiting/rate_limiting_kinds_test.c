/* Tests of what the other kinds of limiters do, and of what all of them have in
 * common. See rate_limiting_test.c for the numbers. */
#include <stdlib.h>

#include "rate_limiting_testing.h"

/* --- E3: many at once --- */

#define ASKERS 15

struct asking {
	struct weft_limiter *l; /* or: */
	struct weft_gcra *g;
	struct weft_waitgroup *gate;
	struct weft_task *task;
};

static int ask(void *arg)
{
	const struct asking *a = arg;

	CHECK_EQ(weft_waitgroup_wait(a->gate, WEFT_FOREVER), 0);
	return a->l ? weft_limiter_allow(a->l, 1, NULL)
	            : weft_gcra_allow(a->g, 5, 1, NULL);
}

static int granted_of_15(struct weft_limiter *l, struct weft_gcra *g)
{
	struct asking a[ASKERS];
	struct weft_waitgroup gate;
	int granted = 0;

	weft_waitgroup_init(&gate);
	weft_waitgroup_add(&gate, 1);
	for (int i = 0; i < ASKERS; i++) {
		a[i] = (struct asking){ l, g, &gate, NULL };
		a[i].task = testing_spawn(ask, &a[i]);
	}
	weft_waitgroup_done(&gate);
	for (int i = 0; i < ASKERS; i++)
		granted += !testing_join(a[i].task);
	return granted;
}

TEST(E3_of_15_at_once_5_are_granted)
{
	for (int round = 0; round < 50; round++) {
		struct weft_limiter *bucket =
		        make(WEFT_LIMITER_BUCKET, 1, 3600 * WEFT_SEC, 5);
		struct weft_limiter *leaky =
		        make(WEFT_LIMITER_LEAKY, 1, 3600 * WEFT_SEC, 5);
		struct weft_gcra *g = make_gcra(1, 3600 * WEFT_SEC, 5, 1);

		CHECK_EQ(granted_of_15(bucket, NULL), 5);
		CHECK_EQ(granted_of_15(leaky, NULL), 5);
		CHECK_EQ(granted_of_15(NULL, g), 5);
		weft_limiter_free(bucket);
		weft_limiter_free(leaky);
		weft_gcra_free(g);
	}
	return 0;
}

/* --- E13: whatever is called --- */

#define TASKS 4
#define GRANTS (TESTING_SLOW ? 100 : 400)
#define RATE 300007 /* a second; a prime */
#define LIMIT_BURST 7

struct hammer {
	struct weft_limiter *l; /* or: */
	struct weft_gcra *g;
	_Atomic int grants;
	int64_t at[TASKS * GRANTS];
};

static int take_of_key(struct weft_gcra *g, int64_t *at)
{
	struct weft_gcra_state state;
	int err = weft_rand() % 2
	                  ? weft_gcra_allow(g, 5, 1, &state)
	                  : weft_gcra_wait(g, 5, 1, NULL, WEFT_FOREVER, &state);

	*at = state.at_ns;
	return err;
}

/* A third of what is reserved is not made use of. */
static int take_reserved(struct weft_limiter *l, int64_t *at)
{
	struct weft_reservation r;

	if (weft_limiter_reserve(l, 1, WEFT_FOREVER, &r))
		return -EAGAIN;
	if (weft_rand() % 3 == 0 && !weft_limiter_cancel(l, &r))
		return -EAGAIN;
	weft_sleep_until(r.at_ns);
	*at = r.at_ns;
	return 0;
}

static int take_one(struct hammer *h, int64_t *at)
{
	if (h->g)
		return take_of_key(h->g, at);
	switch (weft_rand() % 4) {
	case 0:
		return weft_limiter_allow(h->l, 1, at);
	case 1:
		return weft_limiter_wait(h->l, 1, weft_deadline_in(5000), at);
	case 2:
		return weft_limiter_wait(h->l, 1, WEFT_FOREVER, at);
	default:
		return take_reserved(h->l, at);
	}
}

static int hammer(void *arg)
{
	struct hammer *h = arg;
	int64_t at;

	for (int n = 0; n < GRANTS;) {
		int err = take_one(h, &at);

		CHECK(!err || err == -EAGAIN || err == -ETIMEDOUT);
		if (err)
			continue;
		h->at[weft_fetch_add_relaxed(&h->grants, 1)] = at;
		n++;
	}
	return 0;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Every window, one by one; to the nanosecond. */
static void look_at_windows(const int64_t *at, int n)
{
	for (int i = 0; i < n; i++)
		for (int k = i; k < n; k++) {
			double ns = (double)(at[k] - at[i] + 1);

			CHECK(k - i + 1 <= RATE * ns / 1e9 + LIMIT_BURST);
		}
}

static void hammer_at(struct weft_limiter *l, struct weft_gcra *g)
{
	struct hammer *h = calloc(1, sizeof(*h));
	struct weft_task *tasks[TASKS];

	CHECK(h != NULL);
	h->l = l;
	h->g = g;
	for (int i = 0; i < TASKS; i++)
		tasks[i] = testing_spawn(hammer, h);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(testing_join(tasks[i]), 0);
	qsort(h->at, TASKS * GRANTS, sizeof(h->at[0]), by_time);
	look_at_windows(h->at, TASKS * GRANTS);
	free(h);
}

TEST(E13_no_window_has_too_many)
{
	struct weft_limiter *bucket =
	        make(WEFT_LIMITER_BUCKET, RATE, WEFT_SEC, LIMIT_BURST);
	struct weft_limiter *leaky =
	        make(WEFT_LIMITER_LEAKY, RATE, WEFT_SEC, LIMIT_BURST);
	struct weft_gcra *g = make_gcra(RATE, WEFT_SEC, LIMIT_BURST, 1);

	hammer_at(bucket, NULL);
	hammer_at(leaky, NULL);
	hammer_at(NULL, g);
	weft_limiter_free(bucket);
	weft_limiter_free(leaky);
	weft_gcra_free(g);
	return 0;
}

/* --- the leaky bucket --- */

/* How many are granted in the next ns if all are taken as soon as may be, on a
 * clock that stands still. */
static int greedy(struct weft_limiter *l, int64_t ns)
{
	int64_t end = weft_deadline_in(ns) - 1;
	struct weft_reservation r;
	int n = 0;

	while (weft_limiter_reserve(l, 1, end, &r) == 0)
		n++;
	return n;
}

TEST_MANUAL(E10_the_first_comes_at_once_and_the_others_at_their_rate)
{
	struct weft_limiter *l = make(WEFT_LIMITER_LEAKY, 100, WEFT_SEC, 1);

	CHECK_EQ(greedy(l, WEFT_SEC), 100);
	CHECK_EQ(greedy(l, 2 * WEFT_SEC), 100);
	CHECK_EQ(greedy(l, 3 * WEFT_SEC), 100);
	weft_limiter_free(l);
	/* At 1 s, 1 min and 2 min, these included. */
	l = make(WEFT_LIMITER_LEAKY, 7, 60 * WEFT_SEC, 1);
	CHECK_EQ(greedy(l, WEFT_SEC + 1), 1);
	CHECK_EQ(greedy(l, 60 * WEFT_SEC + 1), 7);
	CHECK_EQ(greedy(l, 120 * WEFT_SEC + 1), 7);
	weft_limiter_free(l);
	return 0;
}

/* Ten a second for two seconds, then as many as go: a burst is the slack, and
 * the one that comes at its rate. */
TEST_MANUAL(E10_slack_makes_up_for_what_was_not_taken)
{
	static const int slack[][2] = {
		{ 0, 120 }, { 10, 130 }, { 20, 140 }, { 150, 270 }
	};

	for (int i = 0; i < 4; i++) {
		struct weft_limiter *l = make(WEFT_LIMITER_LEAKY, 100, WEFT_SEC,
		                              slack[i][0] + 1);
		int n = 0;

		for (int k = 0; k < 20; k++) {
			n += !weft_limiter_allow(l, 1, NULL);
			CHECK_EQ(weft_clock_advance(100 * WEFT_MS), 0);
		}
		CHECK_EQ(n + greedy(l, WEFT_SEC), slack[i][1]);
		weft_limiter_free(l);
	}
	return 0;
}

/* Idle for times about those at which the word, and its epoch, come round. */
TEST_MANUAL(a_leaky_bucket_may_be_left_alone_for_any_time)
{
	const int64_t tokens = 999999937, word = INT64_MAX / tokens;
	const int64_t idle[] = { 1000,         word / 16,    word / 8 + 1,
		                 word / 4,     word - 3,     word + 3,
		                 2 * word,     2 * word + 9, 3 * word,
		                 4 * word + 7, 90 * word,    word };
	struct weft_limiter *l = make(WEFT_LIMITER_LEAKY, tokens, WEFT_SEC, 3);

	for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++) {
		CHECK_EQ(weft_limiter_allow(l, 3, NULL), 0);
		CHECK_EQ(weft_limiter_allow(l, 1, NULL), -EAGAIN);
		CHECK_EQ(stats(l).tokens, 0);
		CHECK_EQ(weft_clock_advance(idle[i]), 0);
		CHECK_EQ(stats(l).tokens, 3);
	}
	weft_limiter_free(l);
	return 0;
}

/* What is reserved lasts when the epoch is renewed. */
TEST_MANUAL(a_leaky_bucket_remembers_what_is_reserved)
{
	const int64_t tokens = 999999937;
	struct weft_limiter *l =
	        make(WEFT_LIMITER_LEAKY, tokens, WEFT_SEC, 1 << 28);
	struct weft_reservation r = { 0 };

	while (!weft_limiter_reserve(l, 1 << 28, WEFT_FOREVER, &r))
		;
	/* Further ahead than an epoch lasts, which is 2^60 / tokens. */
	CHECK_LT(weft_deadline_in(3 * WEFT_SEC / 2), r.at_ns);
	while (weft_now() < r.at_ns) {
		CHECK_EQ(weft_limiter_allow(l, 1, NULL), -EAGAIN);
		CHECK_EQ(weft_clock_advance(WEFT_MS), 0);
	}
	CHECK_EQ(weft_limiter_allow(l, 1 << 20, NULL), -EAGAIN);
	testing_pass(WEFT_SEC);
	CHECK_EQ(weft_limiter_allow(l, 1 << 28, NULL), 0);
	weft_limiter_free(l);
	return 0;
}

TEST_MANUAL(a_leaky_bucket_takes_back_the_last_only)
{
	struct weft_limiter *l = make(WEFT_LIMITER_LEAKY, 10, WEFT_SEC, 1);
	struct weft_reservation a, b;

	CHECK_EQ(weft_limiter_allow(l, 1, NULL), 0);
	CHECK_EQ(weft_limiter_reserve(l, 1, WEFT_FOREVER, &a), 0);
	CHECK_EQ(weft_limiter_reserve(l, 1, WEFT_FOREVER, &b), 0);
	CHECK_EQ(stats(l).tokens, -2);
	CHECK_EQ(weft_limiter_cancel(l, &a), 0);
	CHECK_EQ(stats(l).tokens, -2);
	CHECK_EQ(weft_limiter_cancel(l, &b), 0);
	CHECK_EQ(stats(l).tokens, -1);
	weft_limiter_free(l);
	return 0;
}

/* --- refill and ticker --- */

static int allowed(struct weft_limiter *l)
{
	int n = 0;

	do
		CHECK_EQ(weft_clock_settle(), 0);
	while (!weft_limiter_allow(l, 1, NULL) && ++n < 100);
	return n;
}

TEST_MANUAL(E12_a_ticker_gives_one_each_interval_and_saves_none)
{
	struct weft_limiter *l = make(WEFT_LIMITER_TICKER, 2, WEFT_SEC, 0);

	CHECK_EQ(stats(l).burst, 1);
	CHECK_EQ(allowed(l), 0);
	testing_pass(500 * WEFT_MS - 1);
	CHECK_EQ(allowed(l), 0);
	testing_pass(1);
	CHECK_EQ(allowed(l), 1);
	testing_pass(5 * WEFT_SEC);
	CHECK_EQ(allowed(l), 1);
	/* An interval after that one was taken. */
	testing_pass(500 * WEFT_MS - 1);
	CHECK_EQ(allowed(l), 0);
	testing_pass(1);
	CHECK_EQ(allowed(l), 1);
	weft_limiter_free(l);
	return 0;
}

TEST_MANUAL(E12_a_stop_wakes_those_that_wait_for_a_tick)
{
	struct weft_limiter *l = make(WEFT_LIMITER_TICKER, 2, WEFT_SEC, 1);
	struct waiting w = { .l = l, .n = 1, .deadline_ns = WEFT_FOREVER };

	begin(&w);
	CHECK_EQ(weft_limiter_stop(l), 0);
	CHECK_EQ(testing_join(w.task), -ECANCELED);
	weft_limiter_free(l);
	return 0;
}

TEST_MANUAL(a_refill_begins_full_and_stays_within_its_burst)
{
	struct weft_limiter *l = make(WEFT_LIMITER_REFILL, 3, WEFT_SEC, 5);

	CHECK_EQ(allowed(l), 5);
	/* Three in each second, without drift. */
	for (int i = 0; i < 300; i++) {
		testing_pass(333333333 - 1 + (i % 3 == 2));
		CHECK_EQ(allowed(l), 0);
		testing_pass(1);
		CHECK_EQ(allowed(l), 1);
	}
	for (int i = 0; i < 20; i++)
		testing_pass(WEFT_SEC);
	CHECK_EQ(allowed(l), 5);
	CHECK_EQ(stats(l).made, 310u);
	weft_limiter_free(l);
	return 0;
}

TEST_MANUAL(a_deadline_is_kept_while_waiting_for_a_tick)
{
	struct weft_limiter *l = make(WEFT_LIMITER_TICKER, 1, WEFT_SEC, 1);
	struct waiting w = { .l = l, .n = 1 };

	w.deadline_ns = weft_deadline_in(100 * WEFT_MS);
	begin(&w);
	testing_pass(100 * WEFT_MS - 1);
	CHECK(waits(&w));
	testing_pass(1);
	CHECK_EQ(testing_join(w.task), -ETIMEDOUT);
	CHECK_EQ(stats(l).gave_up, 1u);
	w.deadline_ns = WEFT_FOREVER;
	begin(&w);
	testing_pass(900 * WEFT_MS);
	CHECK_EQ(testing_join(w.task), 0);
	CHECK_EQ(stats(l).longest_ns, 900 * WEFT_MS);
	weft_limiter_free(l);
	return 0;
}

static void expect_only_ones(enum weft_limiter_kind kind, int more)
{
	struct weft_limiter *l =
	        make(kind, 1, WEFT_SEC, kind == WEFT_LIMITER_REFILL ? 4 : 1);
	const struct weft_rate rate = { 1, 1 };
	struct weft_reservation r = { 0 };

	CHECK_EQ(weft_limiter_allow(l, 0, NULL), 0);
	CHECK_EQ(weft_limiter_wait(l, 0, WEFT_NOW, NULL), 0);
	CHECK_EQ(weft_limiter_allow(l, 2, NULL), more);
	CHECK_EQ(weft_limiter_wait(l, 2, WEFT_FOREVER, NULL), more);
	CHECK_EQ(weft_limiter_allow(l, 5, NULL), -ERANGE);
	CHECK_EQ(weft_limiter_reserve(l, 1, WEFT_FOREVER, &r), -EOPNOTSUPP);
	CHECK_EQ(weft_limiter_cancel(l, &r), -EOPNOTSUPP);
	CHECK_EQ(weft_limiter_set_limit(l, rate), -EOPNOTSUPP);
	CHECK_EQ(weft_limiter_set_burst(l, 2), -EOPNOTSUPP);
	weft_limiter_free(l);
}

TEST_MANUAL(a_channel_gives_tokens_one_by_one)
{
	struct weft_limiter *l = make(WEFT_LIMITER_LEAKY, 1, 1, 1);
	const struct weft_rate rate = { 1, 1 };

	CHECK_EQ(weft_limiter_set_limit(l, rate), -EOPNOTSUPP);
	CHECK_EQ(weft_limiter_set_burst(l, 2), -EOPNOTSUPP);
	weft_limiter_free(l);
	expect_only_ones(WEFT_LIMITER_REFILL, -EOPNOTSUPP);
	expect_only_ones(WEFT_LIMITER_TICKER, -ERANGE);
	return 0;
}
