/*
 * Tests of the bus: what comes out where, and slow subscribers. How it ends is
 * tested by its life.c; the numbers are those of the requirements:
 *
 *	E1  what was published after the join, in order, and nothing else
 *	E2  a publish says how many have got it
 *	E3  a publish wakes those that it concerns
 *	E4  one that lags is told how many were missed, then goes on
 *	E5  what is inside survives the close
 *	E6  what was not received is dropped
 *	E7  capacities out of range are refused; E16 so is 0
 *	E8  a slow subscriber holds up nobody else
 *	E12 publish, join and subscribe after the close
 *	E14 topics without subscribers are gone
 *	E18 many subscribers, all of whom receive all
 */
#include <string.h>
#include <time.h>

#include <weft/atomic.h>

#include "pub_sub_testing.h"

#define TOPICS 1000

TEST_BOTH(E1_a_subscriber_gets_what_comes_after_its_join_in_order, 8)
{
	struct weft_sub *early = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct weft_sub *late;

	CHECK_EQ(publish(b, NEWS, 0), 1);
	late = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	for (int i = 1; i < 4; i++)
		CHECK_EQ(publish(b, NEWS, i), 2);
	for (int i = 0; i < 4; i++)
		expect(early, i, 0);
	for (int i = 1; i < 4; i++)
		expect(late, i, 0);
	expect_err(early, -ETIMEDOUT);
	expect_err(late, -ETIMEDOUT);
}

TEST_BOTH(E1_topics_do_not_mix_and_one_subscriber_has_several, 8)
{
	struct weft_sub *news = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct weft_sub *both = make_sub(b, WEFT_SLOW_BLOCK, NEWS);

	CHECK_EQ(weft_sub_join(both, SPORT), 0);
	CHECK_EQ(publish(b, NEWS, 1), 2);
	CHECK_EQ(publish(b, SPORT, 2), 1);
	expect(news, 1, 0);
	expect_err(news, -ETIMEDOUT);
	expect(both, 1, 0);
	expect(both, 2, 0);
	expect_err(both, -ETIMEDOUT);
}

/* Of a ring: a topic that always has something does not starve another. */
TEST(topics_of_a_subscriber_have_their_turns)
{
	struct weft_bus *b = make_bus(true, 8);
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, NEWS);

	CHECK_EQ(weft_sub_join(s, SPORT), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(publish(b, NEWS, i), 1);
		CHECK_EQ(publish(b, SPORT, 10 + i), 1);
	}
	for (int i = 0; i < 3; i++) {
		expect(s, i, 0);
		expect(s, 10 + i, 0);
	}
	weft_bus_free(b);
	return 0;
}

TEST_BOTH(E2_a_publish_says_how_many_have_got_it, 1)
{
	struct weft_sub *first;

	CHECK_EQ(publish(b, NEWS, 0), 0);
	first = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	CHECK_EQ(publish(b, NEWS, 1), 1);
	CHECK_EQ(publish(b, SPORT, 1), 0);
	CHECK_EQ(weft_bus_try_publish(b, NEWS, &(int){ 2 }), -EAGAIN);
	expect(first, 1, ring ? 0 : 1);
	CHECK_EQ(weft_sub_leave(first, NEWS), 0);
	CHECK_EQ(publish(b, NEWS, 3), 0);
	CHECK_EQ(bus_stats(b).delivered, 1u);
}

TEST_BOTH_MANUAL(E3_a_publish_wakes_those_that_it_concerns, 2)
{
	struct weft_sub *s[3];
	struct call c[3];

	for (int i = 0; i < 3; i++) {
		s[i] = make_sub(b, WEFT_SLOW_BLOCK, i < 2 ? NEWS : SPORT);
		receive_and_wait(&c[i], s[i]);
	}
	CHECK_EQ(publish(b, NEWS, 1), 2);
	for (int i = 0; i < 3; i++) {
		CHECK(waits(&c[i]));
		CHECK_EQ(weft_load_relaxed(&c[i].received), i < 2);
	}
	/* A join while it waits. */
	CHECK_EQ(weft_sub_join(s[2], NEWS), 0);
	CHECK_EQ(publish(b, NEWS, 1), 3);
	CHECK(waits(&c[2]));
	CHECK_EQ(weft_load_relaxed(&c[2].received), 1);
	CHECK_EQ(weft_bus_close(b), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(testing_join(c[i].task), -EPIPE);
}

/* --- slow subscribers --- */

/* Messages 0 to sent - 1 for one that takes none meanwhile. */
static const struct lag {
	bool ring;
	enum weft_slow slow;
	size_t cap;
	int sent;
	/* Then it takes these, behind so many missed. */
	int first, last;
	uint64_t missed, inside;
	int end; /* what it is told behind them, closed or not; 0: waits */
} lags[] = {
	/* E4: two messages are kept of three, of four. */
	{ false, WEFT_SLOW_DROP_OLDEST, 2, 3, 1, 2, 1, 2, 0 },
	{ true, WEFT_SLOW_DROP_OLDEST, 2, 3, 1, 2, 1, 3, 0 },
	{ false, WEFT_SLOW_DROP_OLDEST, 2, 4, 2, 3, 2, 2, 0 },
	{ true, WEFT_SLOW_DROP_OLDEST, 2, 4, 2, 3, 2, 4, 0 },
	{ true, WEFT_SLOW_DROP_OLDEST, 2, 2, 0, 1, 0, 2, 0 },
	{ true, WEFT_SLOW_DROP_OLDEST, 1, 9, 8, 8, 8, 9, 0 },
	/* What is rounded up has room for more. */
	{ true, WEFT_SLOW_DROP_OLDEST, 3, 9, 5, 8, 5, 9, 0 },
	{ false, WEFT_SLOW_DROP_NEWEST, 4, 10, 0, 3, 6, 4, 0 },
	{ false, WEFT_SLOW_LATEST, 4, 10, 9, 9, 9, 1, 0 },
	{ true, WEFT_SLOW_LATEST, 4, 10, 9, 9, 9, 10, 0 },
	{ true, WEFT_SLOW_LATEST, 4, 1, 0, 0, 0, 1, 0 },
	{ false, WEFT_SLOW_DISCONNECT, 4, 4, 0, 3, 0, 4, 0 },
	{ false, WEFT_SLOW_DISCONNECT, 4, 9, 0, 3, 0, 4, -EOVERFLOW },
	{ true, WEFT_SLOW_DISCONNECT, 4, 4, 0, 3, 0, 4, 0 },
	{ true, WEFT_SLOW_DISCONNECT, 4, 5, 0, -1, 0, 5, -EOVERFLOW },
};
#define LAGS (sizeof(lags) / sizeof(lags[0]))

/* E8: another, which is not slow, gets all, and no publish waits. */
static struct weft_sub *fall_behind(struct weft_bus *b, const struct lag *l)
{
	struct weft_sub *slow = make_sub(b, l->slow, NEWS);
	struct weft_sub *quick = make_sub(b, WEFT_SLOW_BLOCK, NEWS);

	for (int i = 0; i < l->sent; i++) {
		CHECK_LE(1, publish(b, NEWS, i));
		expect(quick, i, 0);
	}
	CHECK_EQ(sub_stats(slow).inside, l->inside);
	return slow;
}

/* The same of one that is alone, in one call. */
static struct weft_sub *fall_behind_at_once(struct weft_bus *b,
                                            const struct lag *l)
{
	struct weft_sub *slow = make_sub(b, l->slow, NEWS);

	publish_run(b, NEWS, 0, l->sent - 1, 0, (size_t)l->sent);
	CHECK_EQ(sub_stats(slow).inside, l->inside);
	return slow;
}

static void catch_up(struct weft_sub *s, const struct lag *l, int end,
                     bool at_once)
{
	if (at_once && l->first <= l->last)
		expect_run(s, l->first, l->last, l->missed);
	else
		for (int i = l->first; i <= l->last; i++)
			expect(s, i, i == l->first ? l->missed : 0);
	expect_err(s, l->end ? l->end : end);
	CHECK_EQ(sub_stats(s).missed, l->missed);
}

TEST(E4_E8_one_that_lags_is_told_and_holds_up_nobody)
{
	for (size_t k = 0; k < 2 * LAGS; k++) {
		size_t i = k / 2, at_once = k % 2;
		struct weft_bus *b = make_bus(lags[i].ring, lags[i].cap);
		struct weft_sub *s = at_once ? fall_behind_at_once(b, &lags[i])
		                             : fall_behind(b, &lags[i]);

		catch_up(s, &lags[i], -ETIMEDOUT, at_once);
		if (!lags[i].end) {
			CHECK_LE(1, publish(b, NEWS, 50));
			expect(s, 50, 0);
		}
		weft_bus_free(b);
	}
	return 0;
}

TEST(E4_E5_what_is_inside_survives_the_close)
{
	for (size_t i = 0; i < LAGS; i++) {
		struct weft_bus *b = make_bus(lags[i].ring, lags[i].cap);
		struct weft_sub *s = fall_behind(b, &lags[i]);

		CHECK_EQ(weft_bus_close(b), 0);
		catch_up(s, &lags[i], -EPIPE, i % 2);
		expect_err(s, lags[i].end ? lags[i].end : -EPIPE);
		weft_bus_free(b);
	}
	return 0;
}

/* One that drains, and is overtaken by messages that are not for it any more:
 * it is told what it missed of its own, all or some. */
TEST(E4_E15_what_comes_behind_the_end_is_not_missed)
{
	for (int inside = 1; inside < 5; inside++)
		for (int more = 0; more < 12; more++) {
			struct weft_bus *b = make_bus(true, 4);
			struct weft_sub *s =
			        make_sub(b, WEFT_SLOW_DROP_OLDEST, NEWS);
			int left = inside + more > 4 ? 4 - more : inside;

			make_sub(b, WEFT_SLOW_DROP_OLDEST, NEWS);
			publish_run(b, NEWS, 1, inside, 0, (size_t)inside);
			CHECK_EQ(weft_sub_close(s), 0);
			for (int i = 0; i < more; i++)
				CHECK_EQ(publish(b, NEWS, 100), 1);
			left = left < 0 ? 0 : left;
			if (left)
				expect_run(s, inside - left + 1, inside,
				           (uint64_t)(inside - left));
			expect_end(s, -EPIPE, left ? 0 : (uint64_t)inside);
			CHECK_EQ(sub_stats(s).missed,
			         (uint64_t)(inside - left));
			weft_bus_free(b);
		}
	return 0;
}

/* What was missed behind the last that it has received. */
TEST(E4_what_was_missed_is_told_at_the_end)
{
	struct weft_bus *b = make_bus(false, 2);
	struct weft_sub *s = make_sub(b, WEFT_SLOW_DROP_NEWEST, NEWS);

	publish_run(b, NEWS, 0, 1, 0, 2);
	expect_run(s, 0, 1, 0);
	publish_run(b, NEWS, 2, 6, 0, 5);
	expect(s, 2, 3);
	CHECK_EQ(publish(b, NEWS, 7), 1);
	CHECK_EQ(publish(b, NEWS, 8), 0);
	expect(s, 3, 1);
	CHECK_EQ(publish(b, NEWS, 9), 1);
	CHECK_EQ(publish(b, NEWS, 10), 0);
	expect(s, 7, 1);
	expect(s, 9, 0);
	publish_run(b, NEWS, 11, 13, 0, 3);
	CHECK_EQ(weft_bus_close(b), 0);
	expect_run(s, 11, 12, 1);
	expect_end(s, -EPIPE, 0);
	weft_bus_free(b);
	return 0;
}

/* A run of a ring ends where some were missed. */
TEST(E4_a_batch_tells_what_was_missed_before_it)
{
	struct weft_bus *b = make_bus(true, 4);
	struct weft_sub *s = make_sub(b, WEFT_SLOW_DROP_OLDEST, NEWS);

	CHECK_EQ(weft_sub_join(s, SPORT), 0);
	publish_run(b, NEWS, 0, 5, 0, 6);
	publish_run(b, SPORT, 10, 10, 0, 1);
	expect_run(s, 2, 5, 2);
	expect_run(s, 10, 10, 0);
	expect_err(s, -ETIMEDOUT);
	weft_bus_free(b);
	return 0;
}

/* --- batches --- */

TEST_BOTH(a_batch_of_nothing_is_nothing, 2)
{
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	size_t done = 7;
	int m[3] = { 0 };

	CHECK_EQ(weft_bus_publish_many(b, NEWS, NULL, 0, &done, WEFT_FOREVER),
	         0);
	CHECK_EQ(done, 0u);
	CHECK_EQ(weft_sub_recv_many(s, NULL, 0, &done, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(done, 0u);
	expect_err(s, -ETIMEDOUT);
	publish_run(b, SPORT, 0, 4, 0, 5); /* nobody has joined it */
	CHECK_EQ(weft_bus_publish_many(b, NEWS, m, 1, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_bus_publish_many(b, NEWS, NULL, 1, &done, WEFT_NOW),
	         -EINVAL);
	CHECK_EQ(weft_sub_recv_many(s, m, 1, NULL, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_sub_recv_many(s, NULL, 1, &done, NULL, WEFT_NOW),
	         -EINVAL);
	CHECK_EQ(weft_bus_close(b), 0);
	publish_run(b, NEWS, 0, 1, -EPIPE, 0);
	CHECK_EQ(weft_sub_recv_many(s, m, 3, &done, NULL, WEFT_NOW), -EPIPE);
	CHECK_EQ(done, 0u);
}

/* Of a ring some go out for all; of queues each gets what it has room for, and
 * the one that has not got all counts the others. */
TEST_BOTH(a_batch_goes_as_far_as_there_is_room, 4)
{
	struct weft_sub *full = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct weft_sub *quick = make_sub(b, WEFT_SLOW_BLOCK, NEWS);

	publish_run(b, NEWS, 0, 1, 0, 2);
	expect_run(quick, 0, 1, 0);
	publish_run(b, NEWS, 2, 5, -ETIMEDOUT, ring ? 2 : 4);
	expect_run(quick, 2, ring ? 3 : 5, 0);
	expect_run(full, 0, 3, ring ? 0 : 2);
	CHECK_EQ(bus_stats(b).published, ring ? 4u : 6u);
	CHECK_EQ(bus_stats(b).delivered, ring ? 8u : 10u);
}

/* More than there is room for at any time, also with others that drop. */
TEST_BOTH(a_batch_waits_for_room_as_often_as_it_takes, 2)
{
	struct weft_sub *blocks = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct weft_sub *drops = make_sub(b, WEFT_SLOW_DROP_OLDEST, NEWS);
	struct call c = { .s = blocks, .deadline_ns = WEFT_FOREVER };
	size_t done;
	int m[100];

	for (int i = 0; i < 100; i++)
		m[i] = i;
	c.task = testing_spawn(recv_main, &c);
	CHECK_EQ(weft_bus_publish_many(b, NEWS, m, 100, &done, WEFT_FOREVER),
	         0);
	CHECK_EQ(done, 100u);
	CHECK_EQ(weft_bus_close(b), 0);
	CHECK_EQ(testing_join(c.task), -EPIPE);
	CHECK_EQ(weft_load_relaxed(&c.received), 100);
	expect_run(drops, 98, 99, 98);
}

TEST_BOTH_MANUAL(a_publish_waits_for_one_who_blocks_until_its_deadline, 1)
{
	struct weft_sub *full = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct weft_sub *quick = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct call c;

	CHECK_EQ(publish(b, NEWS, 1), 2);
	expect(quick, 1, 0);
	publish_and_wait(&c, b, NEWS, weft_deadline_in(WEFT_SEC));
	testing_pass(WEFT_SEC);
	CHECK_EQ(testing_join(c.task), -ETIMEDOUT);
	/* Those with a queue and room in it have got it. */
	if (!ring)
		expect(quick, 99, 0);
	expect_err(quick, -ETIMEDOUT);
	expect(full, 1, ring ? 0 : 1);

	CHECK_EQ(publish(b, NEWS, 2), 2);
	expect(quick, 2, 0);
	publish_and_wait(&c, b, NEWS, WEFT_FOREVER);
	expect(full, 2, 0);
	CHECK_EQ(testing_join(c.task), 2);
	expect(full, 99, 0);
	expect(quick, 99, 0);
}

/* --- what elements refer to --- */

struct held {
	struct weft_bus *b;
	int refs;
};

static void hold(const void *elem, void *arg)
{
	struct held *h = arg;

	(void)elem;
	h->refs++;
}

/* Outside of locks: it may call the bus. */
static void drop(void *elem, void *arg)
{
	struct held *h = arg;

	CHECK_EQ(*(int *)elem / 10, 7);
	CHECK_EQ(publish(h->b, SPORT, 1), 0);
	h->refs--;
}

/* E6, and E17: a callback publishes. */
static void hold_and_drop(enum weft_slow slow, int at_most)
{
	struct held h = { .refs = 0 };
	const struct weft_bus_opts opts = { .cap = 2,
		                            .elem_size = sizeof(int),
		                            .hold = hold,
		                            .drop = drop,
		                            .drop_arg = &h };
	struct weft_sub *leaves, *stays;

	CHECK_EQ(weft_bus_new(&h.b, &opts), 0);
	leaves = make_sub(h.b, slow, NEWS);
	stays = make_sub(h.b, slow, NEWS);
	publish_run(h.b, NEWS, 70, 74, slow == WEFT_SLOW_BLOCK ? -ETIMEDOUT : 0,
	            5);
	CHECK_EQ(h.refs, at_most);
	weft_sub_free(leaves);
	CHECK_EQ(h.refs, at_most / 2);
	CHECK_EQ(weft_sub_recv(stays, &(int){ 0 }, NULL, WEFT_NOW), 0);
	weft_bus_free(h.b);
	CHECK_EQ(h.refs, 1); /* of the message that was received */
}

TEST(E6_E17_what_is_not_received_is_dropped_outside_of_locks)
{
	hold_and_drop(WEFT_SLOW_BLOCK, 4);
	hold_and_drop(WEFT_SLOW_DROP_NEWEST, 4);
	hold_and_drop(WEFT_SLOW_DROP_OLDEST, 4);
	hold_and_drop(WEFT_SLOW_LATEST, 2);
	hold_and_drop(WEFT_SLOW_DISCONNECT, 4);
	return 0;
}

/* --- arguments --- */

static void refuse(struct weft_bus_opts opts)
{
	struct weft_bus *b = NULL;

	CHECK_EQ(weft_bus_new(&b, &opts), -EINVAL);
	CHECK(b == NULL);
}

TEST(E7_E16_options_that_make_no_sense_are_refused)
{
	refuse((struct weft_bus_opts){ .cap = 0 });
	refuse((struct weft_bus_opts){ .ring = true, .cap = 0 });
	refuse((struct weft_bus_opts){ .cap = WEFT_BUS_CAP_MAX + 1 });
	refuse((struct weft_bus_opts){ .ring = true, .cap = SIZE_MAX });
	refuse((struct weft_bus_opts){ .cap = 1,
	                               .elem_size = WEFT_ELEM_MAX + 1 });
	refuse((struct weft_bus_opts){ .cap = 1, .wait = (enum weft_wait)7 });
	refuse((struct weft_bus_opts){ .ring = true, .cap = 1, .hold = hold });
	refuse((struct weft_bus_opts){ .ring = true, .cap = 1, .drop = drop });
	for (int i = 0; i < 2; i++) /* it moves no data; it has one sender */
		refuse((struct weft_bus_opts){
		        .cap = 1,
		        .elem_size = sizeof(int),
		        .impl = weft_chan_impl_find(i ? "spsc" : "null") });
	CHECK_EQ(weft_bus_new(NULL, &(struct weft_bus_opts){ .cap = 1 }),
	         -EINVAL);
	CHECK_EQ(weft_bus_new(&(struct weft_bus *){ NULL }, NULL), -EINVAL);
	return 0;
}

TEST(subscribers_that_make_no_sense_are_refused)
{
	static struct weft_chan_impl list, one;
	static const struct {
		bool ring;
		const struct weft_chan_impl *impl;
		struct weft_sub_opts opts;
		int err;
	} rows[] = {
		{ false, NULL, { .slow = (enum weft_slow)9 }, -EINVAL },
		{ false, NULL, { .cap = WEFT_BUS_CAP_MAX + 1 }, -EINVAL },
		{ true, NULL, { .cap = 2 }, -EINVAL },
		{ true, NULL, { .slow = WEFT_SLOW_DROP_NEWEST }, -EINVAL },
		{ false, &one, { .slow = WEFT_SLOW_DROP_OLDEST }, -EINVAL },
		{ false, &one, { .slow = WEFT_SLOW_LATEST }, -EINVAL },
		{ false, &list, { .slow = WEFT_SLOW_LATEST }, -ENOTSUP },
	};

	list = one = *weft_chan_impl_find("list");
	one.max_receivers = 1;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct weft_bus_opts opts = { .ring = rows[i].ring, .cap = 2 };
		struct weft_sub *s = NULL;
		struct weft_bus *b;

		opts.impl = rows[i].impl;
		CHECK_EQ(weft_bus_new(&b, &opts), 0);
		CHECK_EQ(weft_sub_new(&s, b, &rows[i].opts), rows[i].err);
		CHECK(s == NULL);
		CHECK_EQ(weft_sub_new(NULL, b, NULL), -EINVAL);
		CHECK_EQ(weft_sub_new(&s, NULL, NULL), -EINVAL);
		weft_bus_free(b);
	}
	return 0;
}

TEST(NULL_is_refused)
{
	struct weft_bus *b = make_bus(false, 1);
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	int m = 1;

	CHECK_EQ(weft_bus_publish(b, NEWS, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_bus_try_publish(NULL, NEWS, &m), -EINVAL);
	CHECK_EQ(weft_bus_close_topic(NULL, NEWS), -EINVAL);
	CHECK_EQ(weft_sub_join(NULL, NEWS), -EINVAL);
	CHECK_EQ(weft_sub_leave(NULL, NEWS), -EINVAL);
	CHECK_EQ(weft_sub_close(NULL), -EINVAL);
	CHECK_EQ(weft_sub_recv(s, NULL, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_sub_try_recv(NULL, &m, NULL), -EINVAL);
	CHECK_EQ(weft_sub_try_recv(s, &m, NULL), -EAGAIN);
	CHECK_EQ(weft_sub_stats(s, NULL), -EINVAL);
	CHECK_EQ(weft_sub_stats(NULL, &(struct weft_sub_stats){ 0 }), -EINVAL);
	weft_sub_free(NULL);
	weft_bus_free(b);
	return 0;
}

/* Every byte of an element, also where its size is no multiple of a word. */
TEST(elements_of_any_size_come_whole)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 9, 100, WEFT_ELEM_MAX };
	unsigned char in[WEFT_ELEM_MAX], out[WEFT_ELEM_MAX + 1];

	for (size_t i = 0; i < WEFT_ELEM_MAX; i++)
		in[i] = (unsigned char)(i * 7 + 1);
	for (int ring = 0; ring < 2; ring++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			const struct weft_bus_opts opts = {
				.ring = ring, .cap = 2, .elem_size = sizes[i]
			};
			struct weft_bus *b;
			struct weft_sub *s;

			CHECK_EQ(weft_bus_new(&b, &opts), 0);
			s = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
			memset(out, 0, sizeof(out));
			CHECK_EQ(weft_bus_publish(b, NEWS, in, WEFT_NOW), 1);
			CHECK_EQ(weft_sub_recv(s, out, NULL, WEFT_NOW), 0);
			CHECK_EQ(memcmp(in, out, sizes[i]), 0);
			CHECK_EQ(out[sizes[i]], 0);
			weft_bus_free(b);
		}
	return 0;
}

/* --- topics --- */

TEST_BOTH(E12_nothing_goes_into_a_closed_bus, 2)
{
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, NEWS), *none;

	CHECK_EQ(weft_bus_close_topic(b, NEWS), 0);
	CHECK_EQ(publish(b, NEWS, 1), 0);
	expect_err(s, -EPIPE);
	CHECK_EQ(weft_bus_close(b), 0);
	CHECK_EQ(publish(b, NEWS, 1), -EPIPE);
	CHECK_EQ(weft_bus_try_publish(b, SPORT, &(int){ 1 }), -EPIPE);
	CHECK_EQ(weft_sub_join(s, SPORT), -EPIPE);
	CHECK_EQ(weft_sub_new(&none, b, NULL), -EPIPE);
}

TEST_BOTH(E14_topics_without_subscribers_are_gone, 2)
{
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, TOPICS);
	struct weft_sub *other = make_sub(b, WEFT_SLOW_BLOCK, 5);
	long objects;

	for (uint64_t t = 0; t < TOPICS; t++) {
		CHECK_EQ(publish(b, t * t + TOPICS + 1, 1), 0);
		CHECK_EQ(weft_sub_join(s, t), 0);
	}
	CHECK_EQ(bus_stats(b).topics, TOPICS + 1u);
	for (int t = 0; t < TOPICS; t++) {
		CHECK_EQ(publish(b, (uint64_t)t, t), 1 + (t == 5));
		expect(s, t, 0);
	}
	objects = testing_held().objects;
	for (uint64_t t = 0; t < TOPICS; t++)
		CHECK_EQ(weft_sub_leave(s, t), 0);
	CHECK_EQ(bus_stats(b).topics, 2u);
	if (ring) /* its receiver lets go of them */
		expect_err(s, -ETIMEDOUT);
	CHECK_LE(testing_held().objects, objects - TOPICS);
	CHECK_EQ(sub_stats(s).topics, 1u);
	weft_sub_free(s);
	weft_sub_free(other);
	CHECK_EQ(bus_stats(b).topics, 0u);
	CHECK_EQ(bus_stats(b).subs, 0u);
}

/* --- many --- */

static int64_t cpu_ns(void)
{
	struct timespec t;

	CHECK_EQ(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return (int64_t)t.tv_sec * WEFT_SEC + t.tv_nsec;
}

/* Of one subscriber, which joins so many topics and leaves them: the least of
 * three times. */
static int64_t topics_take(uint64_t topics)
{
	struct weft_bus *b = make_bus(false, 1);
	int64_t least = INT64_MAX;

	for (int round = 0; round < 3; round++) {
		struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, topics);
		int64_t begun = cpu_ns(), ns;

		for (uint64_t i = 0; i < topics; i++)
			CHECK_EQ(weft_sub_join(s, i), 0);
		for (uint64_t i = 0; i < topics; i++)
			CHECK_EQ(weft_sub_leave(s, i), 0);
		ns = cpu_ns() - begun;
		least = ns < least ? ns : least;
		weft_sub_free(s);
	}
	weft_bus_free(b);
	return least;
}

/* Were each looked for among all of them, 16 times as many would take 256 times
 * as long. */
TEST(a_subscriber_may_have_a_great_many_topics)
{
	int64_t few = topics_take(1024), many = topics_take(16384);

	CHECK_LT(many, 100 * few);
	return 0;
}

#define CROWD 50
#define MESSAGES (TESTING_SLOW ? 300 : 5000)

struct reader {
	struct weft_sub *s;
	struct weft_task *task;
};

static int read_all(void *arg)
{
	const struct reader *r = arg;
	int err, message;

	for (int i = 0; i < MESSAGES; i++) {
		CHECK_EQ(weft_sub_recv(r->s, &message, NULL, WEFT_FOREVER), 0);
		CHECK_EQ(message, i);
	}
	err = weft_sub_recv(r->s, &message, NULL, WEFT_FOREVER);
	return err == -EPIPE ? 0 : err;
}

TEST_BOTH(E18_many_subscribers_all_receive_all, 256)
{
	struct reader r[CROWD];

	for (int i = 0; i < CROWD; i++) {
		r[i].s = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
		r[i].task = testing_spawn(read_all, &r[i]);
	}
	for (int i = 0; i < MESSAGES; i++)
		CHECK_EQ(weft_bus_publish(b, NEWS, &i, WEFT_FOREVER), CROWD);
	CHECK_EQ(weft_bus_close(b), 0);
	for (int i = 0; i < CROWD; i++)
		CHECK_EQ(testing_join(r[i].task), 0);
	CHECK_EQ(weft_bus_join(b, WEFT_NOW), 0);
	CHECK_EQ(bus_stats(b).delivered, CROWD * (uint64_t)MESSAGES);
}
