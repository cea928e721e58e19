/* Tests of the link between callers and servers: every call gets its reply. */
#include "ping_pong_testing.h"

static int call_many(void *arg)
{
	long reply;

	for (int i = 0; i < CALLS; i++) {
		CHECK_EQ(weft_link_call(arg, &i, &reply, WEFT_FOREVER), 0);
		CHECK_EQ(reply, reply_to(i));
	}
	return 0;
}

/* One link, and tasks at both ends. */
struct scene {
	const struct weft_chan_impl *impl;
	size_t cap;
	int servers, callers;
};

static struct scene scenes[] = {
	{ NULL, 0, 1, 1 },
	{ NULL, 1, 1, 1 },
	{ NULL, 2, 1, 1 },
	/* Servers share the calls. */
	{ NULL, 0, 3, 1 },
	/* Callers take turns: here one task may send and one receive. */
	{ &testing_one_to_one, 1, 1, 6 },
};
#define SCENES (sizeof(scenes) / sizeof(scenes[0]))

static int play(void *arg)
{
	const struct scene *scene = arg;
	struct server s = { .l = new_link(scene->impl, scene->cap),
		            .fn = triple };
	uint64_t calls = (uint64_t)scene->callers * CALLS;
	struct weft_task *callers[6] = { NULL };

	serve(&s, scene->servers);
	for (int i = 0; i < scene->callers; i++)
		callers[i] = testing_spawn(call_many, s.l);
	for (int i = 0; i < scene->callers; i++)
		CHECK_EQ(testing_join(callers[i]), 0);
	CHECK_EQ(stats_of(s.l).calls, calls);
	CHECK_EQ(stats_of(s.l).answered, calls);
	CHECK_EQ(stats_of(s.l).timeouts, 0u);
	CHECK_EQ(stats_of(s.l).late, 0u);
	end_serving(&s);
	return 0;
}

TEST(every_call_gets_its_own_reply)
{
	for (size_t i = 0; i < SCENES; i++)
		CHECK_EQ(play(&scenes[i]), 0);
	return 0;
}

TEST(several_links_do_not_meet)
{
	struct weft_task *tasks[SCENES];

	for (size_t i = 0; i < SCENES; i++)
		tasks[i] = testing_spawn(play, &scenes[i]);
	for (size_t i = 0; i < SCENES; i++)
		CHECK_EQ(testing_join(tasks[i]), 0);
	return 0;
}

TEST(requests_are_taken_in_order_and_answered_by_hand)
{
	struct caller c = { .l = new_link(NULL, 1),
		            .deadline_ns = WEFT_FOREVER };
	struct weft_link_call call;
	int request;

	for (int i = 0; i < 10; i++) {
		struct weft_task *t;

		c.request = i;
		t = testing_spawn(call_main, &c);
		CHECK_EQ(weft_link_recv(c.l, &call, &request, WEFT_FOREVER), 0);
		CHECK_EQ(request, i);
		CHECK_EQ(call.number, (uint64_t)i + 1);
		CHECK_EQ(call.deadline_ns, WEFT_FOREVER);
		CHECK_EQ(weft_link_reply(c.l, &call, 0, &(long){ i * 7 }), 0);
		CHECK_EQ(testing_join(t), 0);
		CHECK_EQ(c.reply, i * 7);
		/* One reply to each. */
		CHECK_EQ(weft_link_reply(c.l, &call, 0, &(long){ 1 }), -EINVAL);
	}
	weft_link_free(c.l);
	return 0;
}

/* --- what a call carries --- */

static int turn_round(const struct weft_link_call *call, const void *request,
                      void *reply, void *size)
{
	const unsigned char *in = request;
	unsigned char *out = reply;
	size_t n = *(const size_t *)size;

	(void)call;
	for (size_t i = 0; i < n; i++)
		out[i] = in[n - 1 - i];
	return 0;
}

/* And nothing: then none of what holds it has to be there. */
TEST(a_call_may_carry_all_that_a_channel_can)
{
	static size_t sizes[] = { 0, 1, 13, 16, 4079, 4080 };
	unsigned char in[WEFT_ELEM_MAX], out[WEFT_ELEM_MAX] = { 0 };

	for (size_t i = 0; i < WEFT_ELEM_MAX; i++)
		in[i] = (unsigned char)(i * 31 + i / 256);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		size_t size = sizes[k];
		struct server s = { .fn = turn_round, .arg = &sizes[k] };
		struct weft_link_opts opts = { .request_size = size,
			                       .reply_size = size };

		CHECK_EQ(weft_link_new(&s.l, size ? &opts : NULL), 0);
		serve(&s, 1);
		CHECK_EQ(weft_link_call(s.l, size ? in : NULL,
		                        size ? out : NULL, WEFT_FOREVER),
		         0);
		for (size_t i = 0; i < size; i++)
			CHECK_EQ(out[i], in[size - 1 - i]);
		CHECK_EQ(stats_of(s.l).answered, 1u);
		end_serving(&s);
	}
	return 0;
}

static int answer_as_asked(const struct weft_link_call *call,
                           const void *request, void *reply, void *arg)
{
	(void)call;
	(void)arg;
	*(long *)reply = 99;
	return *(const int *)request;
}

TEST(a_call_returns_the_error_that_the_server_answers_with)
{
	static const struct {
		int asked, seen;
	} answers[] = {
		{ -EDOM, -EDOM },
		/* Those would look like the caller's own. */
		{ -ETIMEDOUT, -EIO },
		{ -EAGAIN, -EIO },
		{ -EPIPE, -EIO },
		{ 7, -EINVAL },
		{ 0, 0 },
	};
	struct server s = { .l = new_link(NULL, 0), .fn = answer_as_asked };

	serve(&s, 1);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		long reply = 5;

		CHECK_EQ(weft_link_call(s.l, &answers[i].asked, &reply,
		                        WEFT_FOREVER),
		         answers[i].seen);
		CHECK_EQ(reply, answers[i].seen ? 5 : 99);
	}
	CHECK_EQ(stats_of(s.l).timeouts, 0u);
	CHECK_EQ(stats_of(s.l).answered, 6u);
	end_serving(&s);
	return 0;
}

/* --- bad input, bad channels --- */

TEST(a_link_that_makes_no_sense_is_refused)
{
	static const struct weft_link_opts bad[] = {
		{ .request_size = WEFT_ELEM_MAX - 15 },
		{ .reply_size = WEFT_ELEM_MAX - 15 },
		{ .reply_size = SIZE_MAX },
		{ .wait = (enum weft_wait)9 },
		{ .impl = &testing_one_to_one }, /* cap 0 */
	};
	struct weft_link *l = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(weft_link_new(&l, &bad[i]), -EINVAL);
	CHECK(l == NULL);
	CHECK_EQ(weft_link_new(NULL, NULL), -EINVAL);
	return 0;
}

TEST(what_is_needed_may_not_be_missing)
{
	struct weft_link *l = new_link(NULL, 1);
	struct weft_link_call call = { 1, WEFT_NOW };
	int v = 0;
	long r;

	CHECK_EQ(weft_link_call(l, NULL, &r, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_link_call(l, &v, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_link_recv(l, NULL, &v, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_link_recv(l, &call, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_link_reply(NULL, &call, 0, &r), -EINVAL);
	CHECK_EQ(weft_link_reply(l, NULL, 0, &r), -EINVAL);
	CHECK_EQ(weft_link_reply(l, &call, 0, NULL), -EINVAL);
	CHECK_EQ(weft_link_reply(l, &call, 1, &r), -EINVAL);
	CHECK_EQ(call.number, 1u);
	CHECK_EQ(weft_link_serve(NULL, triple, NULL), -EINVAL);
	CHECK_EQ(weft_link_serve(l, NULL, NULL), -EINVAL);
	CHECK_EQ(stats_of(l).calls, 0u);
	weft_link_free(l);
	return 0;
}

TEST(a_reply_from_the_future_is_found_out)
{
	struct caller c = { .l = new_link(NULL, 1),
		            .deadline_ns = WEFT_FOREVER };
	struct weft_link_call forged = { 2, WEFT_FOREVER };

	CHECK_EQ(weft_link_reply(c.l, &forged, 0, &(long){ 1 }), 0);
	CHECK_EQ(call_main(&c), -EPROTO);
	weft_link_free(c.l);
	return 0;
}
