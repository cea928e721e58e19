/*
 * Tests of the token bucket. How limiters end is tested by their life.c. The
 * numbers are those of the requirements:
 *
 *	E1  what a burst of 1 and of 3 grants; no token is always granted
 *	E2  a clock that is behind creates no tokens
 *	E3  15 at once get 5                           (all kinds, kinds_test)
 *	E4  over a long run neither too many nor too few
 *	E5  a reservation reaches into the future, or not at all
 *	E6  cancelling gives back what nobody has counted on
 *	E7  waits: contexts, deadlines that are too early
 *	E8  rates that are refused, infinite, tiny, no whole number
 *	E9  another rate and burst while something is reserved
 *	E10 the leaky bucket                           (kinds_test)
 *	E11 each one that is let through has taken a token
 *	E12 the ticker                                 (kinds_test)
 *	E13 no window with too many                    (kinds_test, the kernel)
 */
#include <pthread.h>
#include <stdlib.h>

#include "rate_limiting_testing.h"

/* --- tables: what comes of calls at certain times --- */

#define STEPS_MAX 16
#define D (100 * WEFT_MS) /* a step of time in the tables */

enum op { END, ALLOW, RESERVE, BY_1, CANCEL, LIMIT, BURST, TOKENS };

struct step {
	int64_t at; /* in D */
	enum op op;
	/* Tokens; of CANCEL, which step's reservation, from 0; of LIMIT and
	 * BURST, which it becomes. */
	int64_t n;
	int64_t want; /* what it returns; of RESERVE, for when, in D */
};

struct table {
	const char *name;
	int64_t per_second, burst;
	struct step steps[STEPS_MAX];
};

static int64_t reserve(struct weft_limiter *l, int64_t begun, int64_t n,
                       int64_t until_ns, struct weft_reservation *r)
{
	int err = weft_limiter_reserve(l, n, until_ns, r);

	return err ? err : (r->at_ns - begun) / D;
}

static int64_t call(struct weft_limiter *l, const struct step *s, int64_t begun,
                    struct weft_reservation *of, struct weft_reservation *r)
{
	const struct weft_rate rate = { s->n, WEFT_SEC };

	switch (s->op) {
	case ALLOW:
		return weft_limiter_allow(l, s->n, NULL);
	case RESERVE:
		return reserve(l, begun, s->n, WEFT_FOREVER, r);
	case BY_1:
		return reserve(l, begun, s->n, begun + D, r);
	case CANCEL:
		return weft_limiter_cancel(l, &of[s->n]);
	case LIMIT:
		return weft_limiter_set_limit(l, rate);
	case BURST:
		return weft_limiter_set_burst(l, s->n);
	default:
		return stats(l).tokens;
	}
}

static void play(const struct table *t)
{
	struct weft_limiter *l =
	        make(WEFT_LIMITER_BUCKET, t->per_second, WEFT_SEC, t->burst);
	struct weft_reservation r[STEPS_MAX];
	int64_t begun = weft_now(), got;

	for (int i = 0; t->steps[i].op != END; i++) {
		const struct step *s = &t->steps[i];

		CHECK_EQ(weft_clock_advance(begun + s->at * D - weft_now()), 0);
		got = call(l, s, begun, r, &r[i]);
		if (got != s->want)
			fprintf(stderr, "%s, step %d\n", t->name, i);
		CHECK_EQ(got, s->want);
	}
	weft_limiter_free(l);
}

#define NO (-EAGAIN)

static const struct table tables[] = {
	{ "E1 burst 1",
	  10,
	  1,
	  { { 0, ALLOW, 1, 0 },
	    { 0, ALLOW, 1, NO },
	    { 0, ALLOW, 0, 0 },
	    { 1, ALLOW, 1, 0 },
	    { 1, ALLOW, 1, NO },
	    { 2, ALLOW, 2, -ERANGE },
	    { 2, ALLOW, 1, 0 },
	    { 2, ALLOW, 1, NO } } },
	{ "E1 burst 3",
	  10,
	  3,
	  { { 0, ALLOW, 2, 0 },
	    { 0, ALLOW, 2, NO },
	    { 0, ALLOW, 1, 0 },
	    { 0, TOKENS, 0, 0 },
	    { 1, ALLOW, 4, -ERANGE },
	    { 1, TOKENS, 0, 1 },
	    { 2, ALLOW, 1, 0 },
	    { 3, ALLOW, 1, 0 },
	    { 4, ALLOW, 1, 0 },
	    { 4, ALLOW, 1, 0 },
	    { 4, ALLOW, 1, NO },
	    { 9, ALLOW, 3, 0 },
	    { 9, ALLOW, 0, 0 },
	    { 9, TOKENS, 0, 0 } } },
	{ "E5 into the future",
	  10,
	  2,
	  { { 0, RESERVE, 2, 0 },
	    { 0, RESERVE, 2, 2 },
	    { 0, TOKENS, 0, -2 },
	    { 3, RESERVE, 2, 4 },
	    { 3, RESERVE, 0, 3 } } },
	{ "E5 not at all",
	  10,
	  2,
	  { { 0, RESERVE, 3, -ERANGE },
	    { 0, BY_1, 2, 0 },
	    { 0, BY_1, 2, -ETIMEDOUT },
	    { 0, BY_1, 1, 1 },
	    { 0, RESERVE, 1, 2 } } },
	{ "E6 none of it",
	  10,
	  2,
	  { { 0, RESERVE, 2, 0 },
	    { 0, RESERVE, 1, 1 },
	    { 0, RESERVE, 1, 2 },
	    { 0, CANCEL, 1, 0 },
	    { 0, RESERVE, 1, 3 } } },
	{ "E6 a part",
	  10,
	  2,
	  { { 0, RESERVE, 2, 0 },
	    { 0, RESERVE, 2, 2 },
	    { 0, RESERVE, 1, 3 },
	    { 2, CANCEL, 1, 0 },
	    { 2, RESERVE, 2, 4 } } },
	{ "E6 the last",
	  10,
	  2,
	  { { 0, RESERVE, 2, 0 },
	    { 0, RESERVE, 2, 2 },
	    { 1, CANCEL, 1, 0 },
	    { 1, CANCEL, 1, 0 }, /* there is no more of it */
	    { 1, RESERVE, 2, 2 } } },
	{ "E6 too late",
	  10,
	  2,
	  { { 0, RESERVE, 2, 0 },
	    { 0, RESERVE, 2, 2 },
	    { 3, CANCEL, 1, -EALREADY },
	    { 3, RESERVE, 2, 4 } } },
	{ "E6 several",
	  10,
	  4,
	  { { 0, RESERVE, 4, 0 },
	    { 0, RESERVE, 3, 3 },
	    { 0, RESERVE, 1, 4 },
	    { 0, RESERVE, 1, 5 },
	    { 1, CANCEL, 3, 0 },
	    { 1, CANCEL, 1, 0 },
	    { 1, RESERVE, 3, 5 } } },
	{ "E6 granted at once, in its own nanosecond",
	  10,
	  2,
	  { { 0, RESERVE, 2, 0 },
	    { 0, CANCEL, 0, 0 },
	    { 0, RESERVE, 2, 0 },
	    { 1, CANCEL, 2, -EALREADY },
	    { 1, TOKENS, 0, 1 } } },
	{ "E9 another rate",
	  5,
	  2,
	  { { 0, RESERVE, 2, 0 },
	    { 0, RESERVE, 2, 4 },
	    { 2, LIMIT, 10, 0 },
	    { 2, RESERVE, 1, 4 } } },
	{ "E9 another burst",
	  5,
	  2,
	  { { 0, RESERVE, 2, 0 },
	    { 0, RESERVE, 2, 4 },
	    { 3, BURST, 4, 0 },
	    { 3, RESERVE, 4, 12 } } },
	{ "E9 another rate, and cancel",
	  5,
	  2,
	  { { 0, RESERVE, 2, 0 },
	    { 0, RESERVE, 2, 4 },
	    { 2, LIMIT, 10, 0 },
	    { 2, CANCEL, 1, 0 },
	    { 2, RESERVE, 2, 3 } } },
	{ "E9 a larger burst fills up, a smaller one is a limit at once",
	  10,
	  2,
	  { { 0, BURST, 4, 0 },
	    { 0, TOKENS, 0, 2 },
	    { 1, TOKENS, 0, 3 },
	    { 9, TOKENS, 0, 4 },
	    { 9, BURST, 1, 0 },
	    { 9, ALLOW, 1, 0 },
	    { 9, ALLOW, 1, NO } } },
	{ "E8 what is refused changes nothing",
	  10,
	  2,
	  { { 0, LIMIT, 0, -EINVAL },
	    { 0, LIMIT, -1, -EINVAL },
	    { 0, BURST, 0, -EINVAL },
	    { 0, BURST, -1, -EINVAL },
	    { 0, BURST, WEFT_BURST_MAX + 1, -EINVAL },
	    { 0, RESERVE, -1, -EINVAL },
	    { 0, RESERVE, 2, 0 },
	    { 0, RESERVE, 1, 1 } } },
};

TEST_MANUAL(E1_E5_E6_E8_E9_the_tables_come_true)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		play(&tables[i]);
	return 0;
}

/* --- rates --- */

static const struct weft_rate rates[] = {
	{ 1, 24 * 3600 * WEFT_SEC }, /* a day */
	{ 10, 13 * WEFT_SEC },       /* no whole number in a second */
	{ 3, WEFT_SEC },
	{ 7, 60 * WEFT_SEC },
	{ 999999937, WEFT_SEC }, /* a prime */
	{ 1000000000, WEFT_SEC },
	{ 1, 1 },
	{ 6, 4 * WEFT_SEC }, /* not in lowest terms */
};

/* Token i is there at i * per_ns / tokens, however large i is. */
static void is_exact(enum weft_limiter_kind kind, struct weft_rate rate)
{
	struct weft_limiter *l = make(kind, rate.tokens, rate.per_ns, 1);
	int64_t begun = weft_now();

	for (int64_t i = 0; i < 3000; i++) {
		int64_t whole = i / rate.tokens * rate.per_ns;
		int64_t parts = i % rate.tokens * rate.per_ns;
		struct weft_reservation r;

		CHECK_EQ(weft_limiter_reserve(l, 1, WEFT_FOREVER, &r), 0);
		CHECK_EQ(r.at_ns - begun,
		         whole + (parts + rate.tokens - 1) / rate.tokens);
	}
	weft_limiter_free(l);
}

TEST_MANUAL(E8_nothing_is_rounded)
{
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		is_exact(WEFT_LIMITER_BUCKET, rates[i]);
		is_exact(WEFT_LIMITER_LEAKY, rates[i]);
	}
	return 0;
}

TEST_MANUAL(E8_what_comes_after_the_end_of_time_never_comes)
{
	struct weft_limiter *l =
	        make(WEFT_LIMITER_BUCKET, 1, INT64_MAX, WEFT_BURST_MAX);
	struct weft_reservation r;

	CHECK_EQ(weft_limiter_allow(l, WEFT_BURST_MAX, NULL), 0);
	CHECK_EQ(weft_limiter_allow(l, 1, NULL), -EAGAIN);
	CHECK_EQ(weft_limiter_reserve(l, 1, WEFT_FOREVER, &r), -ERANGE);
	CHECK_EQ(weft_limiter_wait(l, 1, WEFT_FOREVER, NULL), -ERANGE);
	CHECK_EQ(weft_limiter_wait(l, 1, weft_deadline_in(WEFT_SEC), NULL),
	         -ETIMEDOUT);
	CHECK_EQ(stats(l).tokens, 0);
	CHECK_EQ(weft_clock_advance(INT64_MAX / 2), 0);
	CHECK_EQ(weft_limiter_allow(l, 1, NULL), -EAGAIN);
	/* What is lacking is not lost with the rate. */
	CHECK_EQ(weft_limiter_set_limit(l, (struct weft_rate){ 10, WEFT_SEC }),
	         0);
	CHECK_EQ(weft_limiter_allow(l, 1, NULL), -EAGAIN);
	CHECK_EQ(weft_clock_advance(100 * WEFT_MS), 0);
	CHECK_EQ(weft_limiter_allow(l, 1, NULL), 0);
	CHECK_EQ(weft_limiter_allow(l, 1, NULL), -EAGAIN);
	weft_limiter_free(l);
	return 0;
}

/* Half a token is nothing that a nanosecond of the new rate could tell. */
TEST_MANUAL(E9_what_cannot_be_told_at_another_rate_is_lost)
{
	struct weft_limiter *l = make(WEFT_LIMITER_BUCKET, 1, 1000, 1);

	CHECK_EQ(weft_limiter_allow(l, 1, NULL), 0);
	CHECK_EQ(weft_clock_advance(500), 0);
	CHECK_EQ(weft_limiter_set_limit(l, (struct weft_rate){ 1, 1 }), 0);
	CHECK_EQ(weft_limiter_allow(l, 1, NULL), -EAGAIN);
	CHECK_EQ(weft_clock_advance(1), 0);
	CHECK_EQ(weft_limiter_allow(l, 1, NULL), 0);
	weft_limiter_free(l);
	return 0;
}

TEST_MANUAL(E8_an_infinite_rate_grants_all)
{
	const struct weft_rate infinite = WEFT_RATE_INFINITE;
	struct weft_limiter *l = make(WEFT_LIMITER_BUCKET, 1, WEFT_SEC, 1);
	struct weft_reservation r;

	CHECK_EQ(weft_limiter_allow(l, 1, NULL), 0);
	CHECK_EQ(weft_limiter_set_limit(l, infinite), 0);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(weft_limiter_wait(l, 1000, WEFT_NOW, NULL), 0);
	CHECK_EQ(weft_limiter_reserve(l, 1, WEFT_NOW, &r), 0);
	CHECK_EQ(weft_limiter_set_limit(l, (struct weft_rate){ 1, WEFT_SEC }),
	         0);
	/* Nothing was taken for it, so nothing is given back. */
	CHECK_EQ(weft_limiter_cancel(l, &r), 0);
	CHECK_EQ(weft_limiter_allow(l, 1, NULL), -EAGAIN);
	CHECK_EQ(weft_limiter_allow(l, 2, NULL), -ERANGE);
	testing_pass(WEFT_SEC);
	CHECK_EQ(weft_limiter_allow(l, 1, NULL), 0);
	CHECK_EQ(weft_limiter_allow(l, 1, NULL), -EAGAIN);
	weft_limiter_free(l);
	l = make(WEFT_LIMITER_LEAKY, INT64_MAX, 1, 1);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(weft_limiter_allow(l, 1000, NULL), 0);
	weft_limiter_free(l);
	return 0;
}

static const struct weft_limiter_opts bad[] = {
	{ .rate = { 0, WEFT_SEC }, .burst = 1 },
	{ .rate = { -1, WEFT_SEC }, .burst = 1 },
	{ .rate = { 1, 0 }, .burst = 1 },
	{ .rate = { 1, -1 }, .burst = 1 },
	{ .rate = { 1, WEFT_SEC }, .burst = 0 },
	{ .rate = { 1, WEFT_SEC }, .burst = -1 },
	{ .rate = { 1, WEFT_SEC }, .burst = WEFT_BURST_MAX + 1 },
	{ .rate = { 1, WEFT_SEC }, .burst = 1, .wait = WEFT_WAIT_PARK + 1 },
};

TEST(E8_E12_bad_rates_and_bursts_are_refused)
{
	struct weft_limiter_opts opts = { .rate = { 1, 1 }, .burst = 1 };
	struct weft_limiter *l = NULL;

	for (int kind = WEFT_LIMITER_BUCKET; kind <= WEFT_LIMITER_TICKER;
	     kind++)
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			opts = bad[i];
			opts.kind = (enum weft_limiter_kind)kind;
			/* A ticker has a burst without being told. */
			if (kind != WEFT_LIMITER_TICKER || opts.burst)
				CHECK_EQ(weft_limiter_new(&l, &opts), -EINVAL);
		}
	opts = (struct weft_limiter_opts){ .rate = WEFT_RATE_INFINITE,
		                           .burst = 1,
		                           .kind = WEFT_LIMITER_REFILL };
	CHECK_EQ(weft_limiter_new(&l, &opts), -EINVAL);
	opts.kind = (enum weft_limiter_kind)(WEFT_LIMITER_TICKER + 1);
	CHECK_EQ(weft_limiter_new(&l, &opts), -EINVAL);
	opts = (struct weft_limiter_opts){ .rate = { 1, 1 },
		                           .burst = WEFT_REFILL_BURST_MAX + 1,
		                           .kind = WEFT_LIMITER_REFILL };
	CHECK_EQ(weft_limiter_new(&l, &opts), -EINVAL);
	opts = (struct weft_limiter_opts){
		.rate = { 1, 1 },
		.burst = 2,
		.kind = WEFT_LIMITER_REFILL,
		.impl = weft_chan_impl_find("spsc"),
	};
	CHECK_EQ(weft_limiter_new(&l, &opts), -EINVAL);
	opts.impl = weft_chan_impl_find("null");
	CHECK_EQ(weft_limiter_new(&l, &opts), -EINVAL);
	opts.impl = weft_chan_impl_find("list"); /* which is never full */
	CHECK_EQ(weft_limiter_new(&l, &opts), -EINVAL);
	opts.burst = 1;
	opts.impl = weft_chan_impl_find("ring");
	CHECK_EQ(weft_limiter_new(&l, &opts), -EINVAL);
	opts = (struct weft_limiter_opts){ .rate = { 1, INT64_C(1) << 60 },
		                           .burst = 2,
		                           .kind = WEFT_LIMITER_LEAKY };
	CHECK_EQ(weft_limiter_new(&l, &opts), -ERANGE);
	opts.rate = (struct weft_rate){ (1 << 30) + 1, 1 };
	CHECK_EQ(weft_limiter_new(&l, &opts), -ERANGE);
	CHECK_EQ(weft_limiter_new(&l, NULL), -EINVAL);
	CHECK_EQ(weft_limiter_new(NULL, &opts), -EINVAL);
	CHECK(l == NULL);
	return 0;
}

TEST(NULL_is_refused)
{
	struct weft_limiter *l = make(WEFT_LIMITER_BUCKET, 1, 1, 1);
	struct weft_reservation r;

	CHECK_EQ(weft_limiter_allow(NULL, 1, NULL), -EINVAL);
	CHECK_EQ(weft_limiter_allow(l, -1, NULL), -EINVAL);
	CHECK_EQ(weft_limiter_wait(l, -1, WEFT_NOW, NULL), -EINVAL);
	CHECK_EQ(weft_limiter_reserve(NULL, 1, WEFT_NOW, &r), -EINVAL);
	CHECK_EQ(weft_limiter_reserve(l, 1, WEFT_NOW, NULL), -EINVAL);
	CHECK_EQ(weft_limiter_cancel(NULL, &r), -EINVAL);
	CHECK_EQ(weft_limiter_cancel(l, NULL), -EINVAL);
	CHECK_EQ(weft_limiter_set_limit(NULL, (struct weft_rate){ 1, 1 }),
	         -EINVAL);
	CHECK_EQ(weft_limiter_set_burst(NULL, 1), -EINVAL);
	weft_limiter_free(l);
	return 0;
}

/* --- time --- */

static void *take_all(void *l)
{
	CHECK_EQ(weft_limiter_allow(l, 3, NULL), 0);
	return NULL;
}

/* A foreign thread lives on the clock of the machine, which is ahead. */
TEST_MANUAL(E2_a_clock_that_is_behind_creates_no_tokens)
{
	struct weft_limiter *l = make(WEFT_LIMITER_BUCKET, 10, WEFT_SEC, 3);
	pthread_t thread;

	CHECK_LT(weft_now(), clock_mono() - WEFT_SEC);
	CHECK_EQ(pthread_create(&thread, NULL, take_all, l), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(weft_limiter_allow(l, 1, NULL), -EAGAIN);
	CHECK_EQ(weft_clock_advance(500 * WEFT_MS), 0);
	CHECK_EQ(weft_limiter_allow(l, 1, NULL), -EAGAIN);
	weft_limiter_free(l);
	return 0;
}

TEST_MANUAL(E4_over_a_long_run_it_grants_its_rate)
{
	struct weft_limiter *l = make(WEFT_LIMITER_BUCKET, 100, WEFT_SEC, 100);
	const double ideal = 100 + 100 * 5;
	int granted = 0;

	for (int i = 0; i < 2500; i++) {
		granted += !weft_limiter_allow(l, 1, NULL);
		CHECK_EQ(weft_clock_advance(2 * WEFT_MS), 0);
	}
	CHECK(0.998 * ideal <= granted && granted <= ideal + 1);
	weft_limiter_free(l);
	return 0;
}

/* --- waits --- */

TEST_MANUAL(E7_a_context_that_has_ended_wins_over_tokens)
{
	struct weft_limiter *l = make(WEFT_LIMITER_BUCKET, 10, WEFT_SEC, 1);
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(weft_limiter_wait_ctx(l, 1, ctx, WEFT_FOREVER, NULL),
	         -ECANCELED);
	CHECK_EQ(stats(l).tokens, 1);
	weft_ctx_unref(ctx);
	CHECK_EQ(weft_limiter_wait(l, 2, WEFT_FOREVER, NULL), -ERANGE);
	weft_limiter_free(l);
	return 0;
}

/* Nobody moves the clock: a wait would be for good. */
TEST_MANUAL(E7_a_deadline_that_is_too_early_is_not_waited_for)
{
	struct weft_limiter *l = make(WEFT_LIMITER_BUCKET, 10, WEFT_SEC, 1);
	struct weft_ctx *ctx;

	CHECK_EQ(weft_limiter_wait(l, 1, WEFT_NOW, NULL), 0);
	CHECK_EQ(weft_limiter_wait(l, 1, WEFT_NOW, NULL), -ETIMEDOUT);
	CHECK_EQ(weft_limiter_wait(l, 1, weft_deadline_in(D - 1), NULL),
	         -ETIMEDOUT);
	/* At the end of its context it is too late, too. */
	CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, D), 0);
	CHECK_EQ(weft_limiter_wait_ctx(l, 1, ctx, WEFT_FOREVER, NULL),
	         -ETIMEDOUT);
	weft_ctx_unref(ctx);
	CHECK_EQ(stats(l).tokens, 0);
	CHECK_EQ(stats(l).gave_up, 0u);
	weft_limiter_free(l);
	return 0;
}

TEST_MANUAL(E7_a_deadline_that_is_just_right_is_kept)
{
	struct weft_limiter *l = make(WEFT_LIMITER_BUCKET, 10, WEFT_SEC, 1);
	struct waiting w = { .l = l, .n = 1 };

	CHECK_EQ(weft_limiter_allow(l, 1, NULL), 0);
	w.deadline_ns = weft_deadline_in(D);
	begin(&w);
	testing_pass(D - 1);
	CHECK(waits(&w));
	testing_pass(1);
	CHECK_EQ(testing_join(w.task), 0);
	weft_limiter_free(l);
	return 0;
}

TEST_MANUAL(E7_what_gives_up_gives_back)
{
	struct weft_limiter *l = make(WEFT_LIMITER_BUCKET, 10, WEFT_SEC, 2);
	struct waiting w = { .l = l, .n = 2, .deadline_ns = WEFT_FOREVER };

	CHECK_EQ(weft_limiter_allow(l, 2, NULL), 0);
	CHECK_EQ(weft_ctx_with_cancel(&w.ctx, NULL), 0);
	begin(&w);
	CHECK_EQ(stats(l).tokens, -2);
	CHECK_EQ(stats(l).waiting, 1u);
	testing_pass(D);
	CHECK_EQ(weft_ctx_cancel(w.ctx, 0), 0);
	CHECK_EQ(testing_join(w.task), -ECANCELED);
	weft_ctx_unref(w.ctx);
	CHECK_EQ(stats(l).tokens, 1);
	CHECK_EQ(stats(l).gave_up, 1u);
	CHECK_EQ(stats(l).longest_ns, D);
	weft_limiter_free(l);
	return 0;
}

TEST_MANUAL(E11_each_that_is_let_through_has_taken_a_token)
{
	struct weft_limiter *l = make(WEFT_LIMITER_BUCKET, 10, WEFT_SEC, 1);
	struct waiting w[5];

	CHECK_EQ(weft_limiter_allow(l, 1, NULL), 0);
	for (int i = 0; i < 5; i++) {
		w[i] = (struct waiting){ l, NULL, 1, NULL, WEFT_FOREVER, NULL };
		begin(&w[i]);
	}
	for (int i = 0; i < 5; i++) {
		testing_pass(D);
		CHECK_EQ(testing_join(w[i].task), 0);
		for (int k = i + 1; k < 5; k++)
			CHECK(waits(&w[k]));
		CHECK_EQ(weft_limiter_allow(l, 1, NULL), -EAGAIN);
	}
	CHECK_EQ(stats(l).waited, 5u);
	CHECK_EQ(stats(l).wait_ns, 15 * D);
	CHECK_EQ(stats(l).longest_ns, 5 * D);
	weft_limiter_free(l);
	return 0;
}
