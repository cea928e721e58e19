/* Tests of the generator: how lazy it is, and its deadlines. */
#include "generator_testing.h"

/* --- laziness: E6 --- */

static void expect_made(const struct counting *c, size_t n)
{
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ((size_t)weft_load_relaxed(&c->made), n);
}

/* The ints from `first` on come out one by one, and those that nobody has asked
 * for are `ahead` at any time. Frees it. */
static void expect_ahead(struct weft_gen *g, const struct counting *c,
                         int first, size_t ahead)
{
	struct weft_gen_stats stats;

	for (size_t taken = 0; taken < 10; taken++) {
		expect_made(c, taken + ahead);
		CHECK_EQ(next_int(g), first + (int)taken);
	}
	expect_made(c, 10 + ahead);
	stats = stats_of(g);
	CHECK_EQ(stats.taken, 10u);
	CHECK_EQ(stats.made, 10 + ahead);
	CHECK_EQ(stats.ahead, ahead);
	weft_gen_free(g);
}

/* Over channels that do not block the thread. */
TEST_MANUAL(a_body_is_ahead_by_what_the_channel_holds_and_one)
{
	static const struct {
		const char *chan;
		size_t least, most; /* capacity */
		bool on_demand;     /* then nothing is made ahead */
	} rows[] = {
		{ "handoff", 0, 3, false },
		{ "ring", 1, 4, false },
		{ "spsc", 1, 4, false },
		{ "handoff", 0, 2, true },
		{ "ring", 4, 4, true },
		{ "spsc", 1, 1, true },
		/* Never full, but that is not what holds it back. */
		{ "list", 1, 1, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t cap = rows[i].least; cap <= rows[i].most; cap++) {
			struct counting c = { .n = -1 };
			const struct weft_gen_opts opts = {
				.impl = weft_chan_impl_find(rows[i].chan),
				.cap = cap,
				.on_demand = rows[i].on_demand,
			};
			struct weft_gen *g = new_gen(counting_body, &c, opts);

			if (!opts.on_demand)
				CHECK_EQ(stats_of(g).cap, cap);
			expect_ahead(g, &c, 0, opts.on_demand ? 0 : cap + 1);
		}
	return 0;
}

TEST_MANUAL(adapters_make_nothing_by_themselves)
{
	struct counting c = { .n = -1 };
	struct weft_gen *g = new_counting(&c, true);

	g = take(map(map(g, add_one, NULL), add_one, NULL), 11);
	expect_ahead(g, &c, 2, 0);
	return 0;
}

TEST_MANUAL(ahead_is_ahead_by_what_its_channel_holds_and_one)
{
	for (size_t cap = 0; cap < 3; cap++) {
		struct counting c = { .n = -1 };

		expect_ahead(ahead(new_counting(&c, true), cap), &c, 0,
		             cap + 1);
	}
	return 0;
}

TEST_MANUAL(a_batch_is_asked_for_at_a_time)
{
	struct counting c = { .n = 10 };
	struct weft_gen_opts opts = { .cap = 8, .on_demand = true, .batch = 4 };
	struct weft_gen *g = new_gen(counting_body, &c, opts);

	expect_made(&c, 0);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(next_int(g), i);
		expect_made(&c, i < 4 ? 4 : i < 8 ? 8 : 10);
	}
	CHECK_EQ(stats_of(g).ahead, 3u);
	CHECK_EQ(stats_of(g).taken, 10u);
	expect_end(g, -EPIPE);
	return 0;
}

/* Yields as many as it is asked for, until there are 50. */
static int obliging_body(struct weft_gen *g, void *arg)
{
	int batch[50], made = 0, err = 0;

	while (made < 50 && !err) {
		size_t n = weft_gen_wanted(g);

		CHECK_LE(1u, n);
		if (n > (size_t)(50 - made))
			n = (size_t)(50 - made);
		for (size_t i = 0; i < n; i++)
			batch[i] = made++;
		err = weft_gen_yield_many(g, batch, n);
	}
	*(int *)arg = made;
	return err;
}

static void expect_fifty(struct weft_gen_opts opts)
{
	int made = 0;
	struct weft_gen *g = new_gen(obliging_body, &made, opts);

	for (int i = 0; i < 50; i++)
		CHECK_EQ(next_int(g), i);
	CHECK_EQ(stats_of(g).made, 50u);
	expect_end(g, -EPIPE);
	CHECK_EQ(made, 50);
}

TEST(batches_come_out_one_by_one_and_in_order)
{
	static const size_t batches[] = { 1, 3, 16, 64 };

	for (size_t i = 0; i < 4; i++)
		for (size_t cap = 0; cap < 20; cap += 5) {
			struct weft_gen_opts opts = { .cap = cap,
				                      .batch = batches[i] };

			expect_fifty(opts);
			opts.on_demand = true;
			expect_fifty(opts);
		}
	return 0;
}

/* --- deadlines --- */

struct timed {
	struct weft_gen *g;
	int64_t deadline_ns, returned_at;
};

static int timed_next(void *arg)
{
	struct timed *t = arg;
	int v, err = weft_gen_next(t->g, &v, t->deadline_ns);

	t->returned_at = weft_now();
	return err;
}

static void expect_timeout(struct weft_gen *g)
{
	struct timed t = { .g = g,
		           .deadline_ns = weft_deadline_in(400 * WEFT_MS) };

	CHECK_EQ(testing_join_moving(testing_spawn(timed_next, &t)),
	         -ETIMEDOUT);
	CHECK_EQ(t.returned_at, t.deadline_ns);
}

TEST_MANUAL(a_next_that_expires_loses_nothing)
{
	for (int form = 0; form < 3; form++) {
		struct counting c = { .n = 3, .pause_ns = WEFT_SEC };
		struct weft_gen *g = new_counting(&c, form);

		if (form == 2)
			g = take(map(ahead(g, 0), add_one, NULL), 3);
		for (int i = 0; i < 3; i++) {
			expect_timeout(g);
			expect_timeout(g);
			CHECK_EQ(testing_join_moving(
			                 testing_spawn(next_main, g)),
			         form == 2 ? i + 1 : i);
		}
		CHECK_EQ(testing_join_moving(testing_spawn(next_main, g)),
		         -EPIPE);
		weft_gen_free(g);
	}
	return 0;
}

/* A caller that asks again after a timeout still wants that one element. */
TEST_MANUAL(a_next_that_expired_is_not_asked_for_twice)
{
	struct counting c = { .n = 5, .pause_ns = WEFT_SEC };
	const struct weft_gen_opts opts = { .cap = 3, .on_demand = true };
	struct weft_gen *g = new_gen(counting_body, &c, opts);

	expect_timeout(g);
	expect_timeout(g);
	CHECK_EQ(weft_clock_advance(10 * WEFT_SEC), 0);
	expect_made(&c, 1);
	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(weft_clock_advance(10 * WEFT_SEC), 0);
	expect_made(&c, 1);
	weft_gen_free(g);
	return 0;
}
