/*
 * Tests of the bus: how one leaves, and when a subscriber is at its end.
 *
 *	E9  a publish that waits for a subscriber that leaves goes on
 *	E10 to leave twice, or what is closed, changes nothing
 *	E11 a subscriber is at its end when its last topic goes
 *	E13 close at any moment, while others come and go; wait for all of them
 *	E15 drain
 *	E17 a subscriber that publishes and leaves
 */
#include <stdlib.h>

#include <weft/atomic.h>

#include "pub_sub_testing.h"
#include "testing/stop.h"

/* --- E9 --- */

static void do_leave(struct weft_bus *b, struct weft_sub *s)
{
	(void)b;
	CHECK_EQ(weft_sub_leave(s, NEWS), 0);
}

static void do_free(struct weft_bus *b, struct weft_sub *s)
{
	(void)b;
	weft_sub_free(s);
}

static void do_close_topic(struct weft_bus *b, struct weft_sub *s)
{
	(void)s;
	CHECK_EQ(weft_bus_close_topic(b, NEWS), 0);
}

static void do_close_sub(struct weft_bus *b, struct weft_sub *s)
{
	(void)b;
	CHECK_EQ(weft_sub_close(s), 0);
}

static void do_close(struct weft_bus *b, struct weft_sub *s)
{
	(void)s;
	CHECK_EQ(weft_bus_close(b), 0);
}

static const struct way_out {
	bool ring;
	void (*leave)(struct weft_bus *b, struct weft_sub *s);
	/* What the publish says, which waits for the first of two. */
	int got;
} ways_out[] = {
	{ false, do_leave, 1 },       { true, do_leave, 1 },
	{ false, do_free, 1 },        { true, do_free, 1 },
	{ false, do_close_topic, 0 }, { true, do_close_topic, 0 },
	{ false, do_close, -EPIPE },  { true, do_close, -EPIPE },
	{ false, do_close_sub, 1 },
};
#define WAYS_OUT (sizeof(ways_out) / sizeof(ways_out[0]))

static void leave_while_it_is_waited_for(const struct way_out *w, bool others)
{
	struct weft_bus *b = make_bus(w->ring, 1);
	struct weft_sub *full = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct weft_sub *quick = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct call c;

	if (others) /* it stays open, and stands in the way on this one */
		CHECK_EQ(weft_sub_join(full, SPORT), 0);
	CHECK_EQ(publish(b, NEWS, 1), 2);
	expect(quick, 1, 0);
	publish_and_wait(&c, b, NEWS, WEFT_FOREVER);
	w->leave(b, full);
	CHECK_EQ(testing_join(c.task), w->got);
	if (w->got > 0) {
		expect(quick, 99, 0);
		CHECK_EQ(publish(b, NEWS, 2), 1);
	}
	weft_bus_free(b);
}

TEST_MANUAL(E9_a_publish_goes_on_when_who_it_waits_for_leaves)
{
	for (size_t i = 0; i < WAYS_OUT; i++) {
		leave_while_it_is_waited_for(&ways_out[i], false);
		leave_while_it_is_waited_for(&ways_out[i], true);
	}
	return 0;
}

/* The publish has its place in the line of subscribers, whichever leave it. */
TEST_MANUAL(E9_a_publish_goes_on_behind_the_one_who_left)
{
	struct weft_bus *b = make_bus(false, 1);
	struct weft_sub *s[5], *late;
	struct call c;

	for (int i = 0; i < 5; i++)
		s[i] = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	CHECK_EQ(publish(b, NEWS, 1), 5);
	for (int i = 0; i < 5; i++)
		if (i != 2)
			expect(s[i], 1, 0);
	publish_and_wait(&c, b, NEWS, WEFT_FOREVER);
	late = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	weft_sub_free(s[3]);
	weft_sub_free(s[1]);
	weft_sub_free(s[2]);
	CHECK_EQ(testing_join(c.task), 3); /* 0, 1 and 4 */
	expect(s[0], 99, 0);
	expect(s[4], 99, 0);
	expect_err(late, -ETIMEDOUT);
	weft_bus_free(b);
	return 0;
}

/* Two of a ring, of which one leaves and the other holds it up still. */
TEST_MANUAL(E9_what_waits_for_room_in_a_ring_goes_to_who_joins_meanwhile)
{
	struct weft_bus *b = make_bus(true, 1);
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, NEWS), *late;
	struct call c;

	CHECK_EQ(publish(b, NEWS, 1), 1);
	publish_and_wait(&c, b, NEWS, WEFT_FOREVER);
	late = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	weft_sub_free(s);
	CHECK_EQ(testing_join(c.task), 1);
	expect(late, 99, 0);
	weft_bus_free(b);
	return 0;
}

TEST_MANUAL(E9_a_ring_waits_on_for_the_others_who_block)
{
	struct weft_bus *b = make_bus(true, 1);
	struct weft_sub *one = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct weft_sub *other = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct call c;

	CHECK_EQ(publish(b, NEWS, 1), 2);
	publish_and_wait(&c, b, NEWS, WEFT_FOREVER);
	weft_sub_free(one);
	CHECK(waits(&c));
	expect(other, 1, 0);
	CHECK_EQ(testing_join(c.task), 1);
	expect(other, 99, 0);
	weft_bus_free(b);
	return 0;
}

/* --- E10, E11 --- */

TEST_BOTH(E10_to_leave_again_changes_nothing, 2)
{
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, NEWS);

	CHECK_EQ(weft_sub_leave(s, SPORT), 0);
	CHECK_EQ(weft_bus_close_topic(b, ART), 0);
	CHECK_EQ(publish(b, NEWS, 1), 1);
	expect(s, 1, 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_sub_leave(s, NEWS), 0);
	CHECK_EQ(weft_bus_close_topic(b, NEWS), 0);
	CHECK_EQ(weft_sub_leave(s, NEWS), 0);
	CHECK_EQ(weft_bus_close(b), 0);
	CHECK_EQ(weft_sub_leave(s, NEWS), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_sub_close(s), 0);
	expect_err(s, -EPIPE);
}

TEST_BOTH(E11_a_subscriber_is_at_its_end_when_its_last_topic_goes, 4)
{
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, NEWS);

	CHECK_EQ(weft_sub_join(s, SPORT), 0);
	CHECK_EQ(weft_sub_join(s, ART), 0);
	CHECK_EQ(weft_sub_join(s, ART), 0); /* is not told twice */
	CHECK_EQ(sub_stats(s).topics, 3u);
	CHECK_EQ(publish(b, NEWS, 1), 1);
	CHECK_EQ(publish(b, ART, 2), 1);
	CHECK_EQ(weft_bus_close_topic(b, NEWS), 0);
	CHECK_EQ(weft_sub_leave(s, SPORT), 0);
	expect(s, 1, 0);
	expect(s, 2, 0);
	expect_err(s, -ETIMEDOUT);
	CHECK_EQ(publish(b, ART, 3), 1);
	CHECK_EQ(weft_bus_close_topic(b, ART), 0);
	expect(s, 3, 0);
	expect_err(s, -EPIPE);
	CHECK_EQ(weft_sub_join(s, NEWS), -EPIPE);
}

/* A topic begins anew while there is still something to read of the old. */
TEST_BOTH(E11_a_topic_that_was_closed_can_be_joined_anew, 4)
{
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, NEWS);

	CHECK_EQ(weft_sub_join(s, SPORT), 0);
	CHECK_EQ(publish(b, NEWS, 1), 1);
	CHECK_EQ(weft_bus_close_topic(b, NEWS), 0);
	CHECK_EQ(publish(b, NEWS, 2), 0);
	CHECK_EQ(weft_sub_join(s, NEWS), 0);
	CHECK_EQ(publish(b, NEWS, 3), 1);
	expect(s, 1, 0);
	expect(s, 3, 0);
	expect_err(s, -ETIMEDOUT);
}

/* In a ring nobody waits for what was left, so nobody reads it. */
TEST(what_a_ring_holds_of_a_topic_is_given_up_by_who_leaves)
{
	struct weft_bus *b = make_bus(true, 2);
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, NEWS);

	CHECK_EQ(weft_sub_join(s, SPORT), 0);
	CHECK_EQ(publish(b, NEWS, 1), 1);
	CHECK_EQ(publish(b, SPORT, 2), 1);
	CHECK_EQ(weft_sub_leave(s, NEWS), 0);
	expect(s, 2, 0);
	expect_err(s, -ETIMEDOUT);
	weft_bus_free(b);
	return 0;
}

/* --- E13 --- */

static int wait_for_rest(void *arg)
{
	return weft_bus_join(arg, WEFT_FOREVER);
}

TEST_BOTH_MANUAL(E13_a_join_waits_for_all_subscribers, 2)
{
	struct weft_sub *reads = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct weft_sub *goes = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct call c = { .task = testing_spawn(wait_for_rest, b) };

	CHECK_EQ(publish(b, NEWS, 1), 2);
	CHECK(waits(&c));
	CHECK_EQ(weft_bus_close(b), 0);
	CHECK_EQ(weft_bus_close(b), -EPIPE);
	CHECK(waits(&c));
	expect(reads, 1, 0);
	expect_err(reads, -EPIPE);
	CHECK(waits(&c));
	weft_sub_free(goes);
	CHECK_EQ(testing_join(c.task), 0);
}

/* A bus that tasks use in every way until it is stopped or closed. */
struct churn {
	struct weft_bus *b;
	bool close;
};

static const struct churn_of {
	bool ring;
	enum weft_slow slow;
} churns[] = {
	{ false, WEFT_SLOW_BLOCK },       { true, WEFT_SLOW_BLOCK },
	{ false, WEFT_SLOW_DROP_OLDEST }, { true, WEFT_SLOW_DROP_OLDEST },
	{ false, WEFT_SLOW_DISCONNECT },  { true, WEFT_SLOW_DISCONNECT },
};
#define CHURNS (sizeof(churns) / sizeof(churns[0]))

static void *churn_setup(void *arg)
{
	const struct churn_of *of = arg;
	struct churn *c = calloc(1, sizeof(*c));

	CHECK(c != NULL);
	c->b = make_bus(of->ring, 1 + weft_rand() % 3);
	c->close = weft_rand() % 2;
	return c;
}

static bool is_end(int err)
{
	return err == -EPIPE || err == -ECANCELED;
}

static int churn_publish(struct weft_bus *b)
{
	int message = 1, n = 0;

	for (int i = 0; i < 200 && !is_end(n); i++) {
		if (weft_rand() % 16 == 0)
			weft_bus_close_topic(b, weft_rand() % 3);
		n = weft_bus_publish(b, weft_rand() % 3, &message,
		                     weft_rand() % 4 ? WEFT_FOREVER
		                                     : weft_deadline_in(1));
		CHECK(n >= 0 || is_end(n) || n == -ETIMEDOUT);
	}
	return n;
}

/* The life of one subscriber, which never stays long without receiving. */
static int churn_subscribe(struct weft_bus *b, enum weft_slow slow)
{
	const struct weft_sub_opts opts = { .slow = slow };
	struct weft_sub *s;
	int message, err = weft_sub_new(&s, b, &opts);

	if (err)
		return err;
	for (int i = 0; i < 20 && !err; i++) {
		if (weft_rand() % 4 == 0)
			err = weft_sub_join(s, weft_rand() % 3);
		else if (weft_rand() % 8 == 0)
			weft_sub_leave(s, weft_rand() % 3);
		else
			err = weft_sub_recv(s, &message, NULL,
			                    weft_deadline_in(1000));
		err = err == -ETIMEDOUT ? 0 : err;
	}
	if (weft_rand() % 4 == 0)
		weft_sub_close(s);
	CHECK(!err || is_end(err) || err == -EOVERFLOW);
	weft_sub_free(s);
	return err == -ECANCELED ? err : 0;
}

static enum weft_slow churn_slow;

static void churn_go(void *thing, unsigned id)
{
	struct churn *c = thing;
	int err = 0;

	if (id < 2) {
		churn_publish(c->b);
		return;
	}
	for (int i = 0; i < 20 && !err; i++)
		err = churn_subscribe(c->b, churn_slow);
	CHECK(!err || is_end(err));
}

static void churn_stop(void *thing)
{
	struct churn *c = thing;

	CHECK_EQ(c->close ? weft_bus_close(c->b) : weft_bus_stop(c->b), 0);
}

static void churn_end(void *thing)
{
	struct churn *c = thing;
	struct weft_bus_stats stats = bus_stats(c->b);

	CHECK_EQ(stats.topics, 0u);
	CHECK_EQ(stats.subs, 0u);
	weft_bus_free(c->b);
	free(c);
}

TEST(E9_E13_they_come_and_go_and_it_ends_at_any_moment)
{
	for (size_t i = 0; i < CHURNS; i++) {
		struct churn_of of = churns[i];
		const struct testing_stop what = { .setup = churn_setup,
			                           .go = churn_go,
			                           .tasks = 5,
			                           .stop = churn_stop,
			                           .end = churn_end,
			                           .arg = &of,
			                           .rounds = TESTING_SLOW
			                                             ? 30
			                                             : 150 };

		churn_slow = of.slow;
		testing_stop_often(&what);
	}
	return 0;
}

/* --- E15, E17 --- */

#define DRAINED 100

TEST_BOTH(E15_what_is_inside_comes_out_of_one_that_drains, 128)
{
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct weft_sub *stays = make_sub(b, WEFT_SLOW_BLOCK, NEWS);

	CHECK_EQ(weft_sub_join(s, SPORT), 0);
	for (int i = 0; i < DRAINED; i++)
		CHECK_EQ(publish(b, NEWS, i), 2);
	CHECK_EQ(weft_sub_close(s), 0);
	CHECK_EQ(publish(b, NEWS, DRAINED), 1);
	CHECK_EQ(weft_sub_join(s, ART), -EPIPE);
	for (int i = 0; i < DRAINED; i++)
		expect(s, i, 0);
	expect_err(s, -EPIPE);
	for (int i = 0; i <= DRAINED; i++)
		expect(stays, i, 0);
}

/* In a ring it is still waited for. */
TEST_BOTH_MANUAL(E15_one_that_drains_loses_nothing_to_a_publish, 1)
{
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct weft_sub *quick = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct call c;

	CHECK_EQ(publish(b, NEWS, 1), 2);
	expect(quick, 1, 0);
	CHECK_EQ(weft_sub_close(s), 0);
	if (ring)
		publish_and_wait(&c, b, NEWS, WEFT_FOREVER);
	expect(s, 1, 0);
	expect_err(s, -EPIPE);
	if (ring)
		CHECK_EQ(testing_join(c.task), 1);
	CHECK_EQ(publish(b, NEWS, 2), ring ? -ETIMEDOUT : 1);
}

static int answer(void *arg)
{
	struct call *c = arg;
	int message, err;

	while (!(err = weft_sub_recv(c->s, &message, NULL, WEFT_FOREVER))) {
		CHECK_EQ(publish(c->b, SPORT, message + 1), 1);
		if (message > 1)
			CHECK_EQ(publish(c->b, NEWS, message - 1), 1);
		else
			CHECK_EQ(weft_sub_leave(c->s, NEWS), 0);
	}
	return err;
}

TEST_BOTH_MANUAL(E17_a_subscriber_publishes_on_its_own_topic_and_leaves_it, 4)
{
	struct weft_sub *s = make_sub(b, WEFT_SLOW_BLOCK, NEWS);
	struct weft_sub *hears = make_sub(b, WEFT_SLOW_BLOCK, SPORT);
	struct call c = { .b = b, .s = s };

	c.task = testing_spawn(answer, &c);
	CHECK_EQ(publish(b, NEWS, 2), 1);
	CHECK_EQ(testing_join(c.task), -EPIPE);
	expect(hears, 3, 0);
	expect(hears, 2, 0);
}
