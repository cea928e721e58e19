/* Tests of the link between callers and servers: calls that expire. */
#include "ping_pong_testing.h"

/* A call that waits so long for a reply to 4. */
static void expect_call(struct weft_link *l, int64_t patience_ns, int expected)
{
	struct caller c = { l, 4, weft_deadline_in(patience_ns), .reply = -1 };

	CHECK_EQ(testing_join_moving(testing_spawn(call_main, &c)), expected);
	CHECK_EQ(c.reply, expected ? -1 : reply_to(4));
	if (expected == -ETIMEDOUT)
		CHECK_EQ(c.returned_at, c.deadline_ns);
}

TEST_MANUAL(a_call_ends_at_its_deadline_in_the_queue_as_well)
{
	struct caller first = { .l = new_link(NULL, 0),
		                .deadline_ns = WEFT_FOREVER };
	struct weft_task *t = spawn_waiting(&first);

	expect_call(first.l, WEFT_SEC, -ETIMEDOUT);
	CHECK_EQ(stats_of(first.l).calls, 1u);
	CHECK_EQ(stats_of(first.l).timeouts, 1u);
	CHECK_EQ(weft_link_stop(first.l), 0);
	CHECK_EQ(testing_join(t), -ECANCELED);
	weft_link_free(first.l);
	return 0;
}

TEST_MANUAL(a_request_that_nobody_waits_for_is_not_handed_out)
{
	struct weft_link *l = new_link(NULL, 2);
	struct caller c = { .l = l, .request = 8, .deadline_ns = WEFT_FOREVER };
	struct weft_link_call call;
	struct weft_task *t;
	int request;

	expect_call(l, WEFT_SEC, -ETIMEDOUT);
	t = testing_spawn(call_main, &c);
	CHECK_EQ(weft_link_recv(l, &call, &request, WEFT_FOREVER), 0);
	CHECK_EQ(request, 8);
	CHECK_EQ(call.number, 2u);
	CHECK_EQ(stats_of(l).skipped, 1u);
	CHECK_EQ(weft_link_reply(l, &call, 0, &(long){ 9 }), 0);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(c.reply, 9);
	weft_link_free(l);
	return 0;
}

/* Take a call that then expires. */
static struct weft_link_call take_one_that_expires(struct weft_link *l)
{
	struct caller c = { .l = l, .deadline_ns = weft_deadline_in(WEFT_SEC) };
	struct weft_task *t = testing_spawn(call_main, &c);
	struct weft_link_call call;
	int request;

	CHECK_EQ(weft_link_recv(l, &call, &request, WEFT_FOREVER), 0);
	CHECK_EQ(call.deadline_ns, c.deadline_ns);
	CHECK_EQ(testing_join_moving(t), -ETIMEDOUT);
	return call;
}

TEST_MANUAL(a_late_reply_is_not_taken_for_that_of_the_next_call)
{
	for (size_t cap = 0; cap < 4; cap++) {
		struct server s = { .l = new_link(NULL, cap), .fn = triple };
		struct weft_link_call late = take_one_that_expires(s.l);
		struct weft_link_call later = take_one_that_expires(s.l);

		/* Without a buffer nobody takes them; in one they wait for the
		 * next call, which must see that they are none of its own. */
		CHECK_EQ(weft_link_reply(s.l, &late, 0, &(long){ -1 }),
		         cap > 0 ? 0 : -ETIMEDOUT);
		CHECK_EQ(weft_link_reply(s.l, &later, 0, &(long){ -2 }),
		         cap > 1 ? 0 : -ETIMEDOUT);
		serve(&s, 1);
		expect_call(s.l, WEFT_FOREVER, 0);
		CHECK_EQ(stats_of(s.l).late, 2u);
		CHECK_EQ(stats_of(s.l).timeouts, 2u);
		CHECK_EQ(stats_of(s.l).answered, 1u);
		end_serving(&s);
	}
	return 0;
}

static int sleep_and_triple(const struct weft_link_call *call,
                            const void *request, void *reply, void *arg)
{
	weft_sleep_until(weft_deadline_in(3 * WEFT_SEC));
	return triple(call, request, reply, arg);
}

/* With capacity 0 the server offers a reply that nobody takes, while the next
 * caller offers a request: neither may wait for the other for ever. */
TEST_MANUAL(a_slow_server_gets_round_to_the_next_call)
{
	for (size_t cap = 0; cap < 2; cap++) {
		struct server s = { .l = new_link(NULL, cap),
			            .fn = sleep_and_triple };

		serve(&s, 1);
		expect_call(s.l, WEFT_SEC, -ETIMEDOUT);
		expect_call(s.l, WEFT_FOREVER, 0);
		CHECK_EQ(stats_of(s.l).late, 1u);
		end_serving(&s);
	}
	return 0;
}

/* Deadlines about as long as a round trip: whatever a call reports, a reply is
 * its own. */
static int call_hastily(void *arg)
{
	int answered = 0, err;
	long reply;

	for (int i = 0; i < CALLS; i++) {
		int64_t wait = (int64_t)(weft_rand() % 50) * WEFT_US;

		err = weft_link_call(arg, &i, &reply, weft_deadline_in(wait));
		CHECK(err == 0 || err == -ETIMEDOUT);
		if (!err)
			CHECK_EQ(reply, reply_to(i));
		answered += !err;
	}
	return answered;
}

TEST(a_deadline_that_meets_a_reply_confuses_nobody)
{
	for (size_t cap = 0; cap < 3; cap++) {
		struct server s = { .l = new_link(NULL, cap), .fn = triple };
		struct weft_task *callers[3];
		uint64_t answered = 0;

		serve(&s, 2);
		for (int i = 0; i < 3; i++)
			callers[i] = testing_spawn(call_hastily, s.l);
		for (int i = 0; i < 3; i++)
			answered += (uint64_t)testing_join(callers[i]);
		CHECK_EQ(stats_of(s.l).answered, answered);
		CHECK_EQ(stats_of(s.l).timeouts, 3u * CALLS - answered);
		end_serving(&s);
	}
	return 0;
}
