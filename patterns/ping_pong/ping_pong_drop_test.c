/* Tests of the link between callers and servers: messages that own something.
 */
#include <stdlib.h>

#include "ping_pong_testing.h"

struct drops {
	int requests, replies;
};

static void drop_request(void *request, void *arg)
{
	((struct drops *)arg)->requests++;
	free(*(int **)request);
}

static void drop_reply(void *reply, void *arg)
{
	((struct drops *)arg)->replies++;
	free(*(int **)reply);
}

static struct weft_link *new_owning_link(size_t cap, struct drops *drops)
{
	struct weft_link_opts opts = { .cap = cap,
		                       .request_size = sizeof(int *),
		                       .reply_size = sizeof(int *),
		                       .drop_request = drop_request,
		                       .drop_reply = drop_reply,
		                       .drop_arg = drops };
	struct weft_link *l;

	*drops = (struct drops){ 0 };
	CHECK_EQ(weft_link_new(&l, &opts), 0);
	return l;
}

static void free_owning_link(struct weft_link *l, const struct drops *drops,
                             int requests, int replies)
{
	weft_link_free(l);
	CHECK_EQ(drops->requests, requests);
	CHECK_EQ(drops->replies, replies);
}

static int *new_int(void)
{
	int *p = malloc(sizeof(*p));

	CHECK(p != NULL);
	return p;
}

struct owner {
	struct weft_link *l;
	int64_t deadline_ns;
};

static int owner_main(void *arg)
{
	const struct owner *o = arg;
	int *request = new_int(), *reply, err;

	err = weft_link_call(o->l, &request, &reply, o->deadline_ns);
	if (!err)
		free(reply);
	return err;
}

static void expect_call(struct weft_link *l, int64_t patience_ns, int expected)
{
	struct owner o = { l, weft_deadline_in(patience_ns) };

	CHECK_EQ(testing_join_moving(testing_spawn(owner_main, &o)), expected);
}

TEST_MANUAL(requests_that_reach_nobody_are_dropped)
{
	struct drops drops;
	struct owner first = { new_owning_link(0, &drops), WEFT_FOREVER };
	struct weft_task *t = testing_spawn(owner_main, &first);
	struct weft_link_call call;
	struct weft_link *l = first.l;
	int *request;

	/* In the queue for a turn, on the way, and by a link that has ended; */
	CHECK_EQ(weft_clock_settle(), 0);
	expect_call(l, WEFT_SEC, -ETIMEDOUT);
	CHECK_EQ(drops.requests, 1);
	CHECK_EQ(weft_link_close(l), 0);
	CHECK_EQ(testing_join(t), -EPIPE);
	expect_call(l, WEFT_FOREVER, -EPIPE);
	free_owning_link(l, &drops, 3, 0);

	/* before a server has taken it; what is left inside. */
	l = new_owning_link(2, &drops);
	expect_call(l, WEFT_SEC, -ETIMEDOUT);
	CHECK_EQ(drops.requests, 0);
	CHECK_EQ(weft_link_recv(l, &call, &request, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(drops.requests, 1);
	expect_call(l, WEFT_SEC, -ETIMEDOUT);
	free_owning_link(l, &drops, 2, 0);
	return 0;
}

static int reply_late(const struct weft_link_call *call, const void *request,
                      void *reply, void *arg)
{
	(void)arg;
	free(*(int *const *)request);
	if (call->deadline_ns != WEFT_FOREVER)
		weft_sleep_until(call->deadline_ns + WEFT_SEC);
	*(int **)reply = new_int();
	return 0;
}

/* By the server, by the next call, and by the end. */
TEST_MANUAL(replies_that_reach_nobody_are_dropped)
{
	for (size_t cap = 0; cap < 2; cap++) {
		struct drops drops;
		struct weft_link *l = new_owning_link(cap, &drops);
		struct server s = { .l = l, .fn = reply_late };

		serve(&s, 1);
		expect_call(l, WEFT_SEC, -ETIMEDOUT);
		expect_call(l, WEFT_FOREVER, 0);
		CHECK_EQ(drops.replies, 1);
		expect_call(l, WEFT_SEC, -ETIMEDOUT);
		CHECK_EQ(weft_link_close(l), 0);
		CHECK_EQ(testing_join_moving(s.tasks[0]), 0);
		free_owning_link(l, &drops, 0, 2);
	}
	return 0;
}
