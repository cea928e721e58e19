/* Tests of the link between callers and servers: how it ends. */
#include <pthread.h>

#include "ping_pong_testing.h"

TEST_MANUAL(close_answers_the_call_under_way_and_no_other)
{
	struct server s = { .l = new_link(NULL, 1), .fn = triple };
	struct caller c = { .l = s.l, .deadline_ns = WEFT_FOREVER }, queued = c;
	struct weft_task *under_way = spawn_waiting(&c);
	struct weft_task *next = spawn_waiting(&queued);

	CHECK_EQ(weft_link_close(s.l), 0);
	CHECK_EQ(weft_link_close(s.l), -EPIPE);
	serve(&s, 1);
	CHECK_EQ(testing_join(under_way), 0);
	CHECK_EQ(c.reply, reply_to(0));
	CHECK_EQ(testing_join(next), -EPIPE);
	CHECK_EQ(testing_join(s.tasks[0]), 0);
	CHECK_EQ(call_main(&c), -EPIPE);
	weft_link_free(s.l);
	return 0;
}

/* The end wins over the deadline of a call in the queue. */
TEST_MANUAL(a_call_in_the_queue_of_a_closed_link_has_come_to_its_end)
{
	struct caller c = { .l = new_link(NULL, 1),
		            .deadline_ns = WEFT_FOREVER };
	struct caller queued = { .l = c.l,
		                 .deadline_ns = weft_deadline_in(WEFT_SEC) };
	struct weft_task *under_way = spawn_waiting(&c);
	struct weft_task *next = spawn_waiting(&queued);

	CHECK_EQ(weft_link_close(c.l), 0);
	CHECK_EQ(testing_join_moving(next), -EPIPE);
	CHECK_EQ(stats_of(c.l).timeouts, 0u);
	/* The other one is still under way: it is not too late for a stop. */
	CHECK_EQ(weft_link_stop(c.l), 0);
	CHECK_EQ(testing_join(under_way), -ECANCELED);
	weft_link_free(c.l);
	return 0;
}

static int reply_main(void *arg)
{
	struct weft_link_call call = { 1, WEFT_FOREVER };

	return weft_link_reply(arg, &call, 0, &(long){ 1 });
}

TEST_MANUAL(a_failure_reaches_callers_and_servers_wherever_they_wait)
{
	struct server idle = { .l = new_link(NULL, 0), .fn = triple };
	struct server busy = { .l = new_link(NULL, 1), .fn = triple };
	struct caller c = { .l = busy.l, .deadline_ns = WEFT_FOREVER };
	struct caller queued = c;
	struct weft_task *tasks[4];

	tasks[0] = testing_spawn(server_main, &idle);
	tasks[1] = testing_spawn(reply_main, idle.l);
	tasks[2] = spawn_waiting(&c);
	tasks[3] = spawn_waiting(&queued);
	CHECK_EQ(weft_link_fail(idle.l, -EXDEV), 0);
	CHECK_EQ(weft_link_fail(busy.l, -EXDEV), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(testing_join(tasks[i]), -EXDEV);
	/* What is left inside is not served. */
	CHECK_EQ(server_main(&busy), -EXDEV);
	weft_link_free(idle.l);
	weft_link_free(busy.l);
	return 0;
}

/* --- a server that ends --- */

static int die(const struct weft_link_call *call, const void *request,
               void *reply, void *by_thread)
{
	(void)call;
	(void)request;
	(void)reply;
	if (*(bool *)by_thread)
		pthread_exit(NULL);
	weft_task_exit(-ERANGE);
}

static void expect_death(bool by_thread, int served, int called)
{
	struct server s = { new_link(NULL, 0), die, .arg = &by_thread };
	struct caller c = { .l = s.l, .deadline_ns = WEFT_FOREVER };

	serve(&s, 1);
	CHECK_EQ(call_main(&c), called);
	CHECK_EQ(testing_join(s.tasks[0]), called);
	CHECK_EQ(weft_load_relaxed(&s.served), served);
	CHECK_EQ(call_main(&c), called);
	weft_link_free(s.l);
}

TEST(a_server_that_dies_leaves_no_caller_waiting)
{
	expect_death(false, -ERANGE, -ERANGE);
	expect_death(true, 0, -ECANCELED);
	return 0;
}

static int close_and_triple(const struct weft_link_call *call,
                            const void *request, void *reply, void *link)
{
	CHECK_EQ(weft_link_close(link), 0);
	return triple(call, request, reply, NULL);
}

TEST(a_server_may_end_after_an_answer)
{
	for (size_t cap = 0; cap < 2; cap++) {
		struct weft_link *l = new_link(NULL, cap);
		struct server s = { l, close_and_triple, .arg = l };
		struct caller c = { .l = l,
			            .request = 6,
			            .deadline_ns = WEFT_FOREVER };

		serve(&s, 1);
		CHECK_EQ(call_main(&c), 0);
		CHECK_EQ(c.reply, reply_to(6));
		CHECK_EQ(call_main(&c), -EPIPE);
		CHECK_EQ(testing_join(s.tasks[0]), 0);
		weft_link_free(l);
	}
	return 0;
}
