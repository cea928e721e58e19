/* Tests of the link between callers and servers, its kernel and demo. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing/testing.h"

#include <weft/atomic.h>

#include "link.h"

#define CALLS (TESTING_SLOW ? 500 : 5000)

static struct weft_link *new_link_over(const struct weft_chan_impl *impl,
                                       size_t cap)
{
	struct weft_link_opts opts = { .impl = impl,
		                       .cap = cap,
		                       .request_size = sizeof(int),
		                       .reply_size = sizeof(long) };
	struct weft_link *l;

	CHECK_EQ(weft_link_new(&l, &opts), 0);
	return l;
}

static struct weft_link *new_link(size_t cap)
{
	return new_link_over(NULL, cap);
}

static struct weft_link_stats stats_of(const struct weft_link *l)
{
	struct weft_link_stats stats;

	CHECK_EQ(weft_link_stats(l, &stats), 0);
	return stats;
}

/* What the servers here answer. */
static long reply_to(int request)
{
	return 3L * request + 1;
}

static int triple(const struct weft_link_call *call, const void *request,
                  void *reply, void *arg)
{
	(void)arg;
	CHECK(call->number > 0);
	*(long *)reply = reply_to(*(const int *)request);
	return 0;
}

static int serve_main(void *arg)
{
	return weft_link_serve(arg, triple, NULL);
}

/* A call from a task of its own. */
struct caller {
	struct weft_link *l;
	int request;
	int64_t deadline_ns, returned_at;
	long reply;
};

static int call_main(void *arg)
{
	struct caller *c = arg;
	int err = weft_link_call(c->l, &c->request, &c->reply, c->deadline_ns);

	c->returned_at = weft_now();
	return err;
}

static struct weft_task *spawn_caller(struct caller *c)
{
	return testing_spawn(call_main, c);
}

/* --- every call gets its reply --- */

static int call_many(void *arg)
{
	long reply;

	for (int i = 0; i < CALLS; i++) {
		CHECK_EQ(weft_link_call(arg, &i, &reply, WEFT_FOREVER), 0);
		CHECK_EQ(reply, reply_to(i));
	}
	return 0;
}

TEST(every_call_gets_its_own_reply)
{
	for (size_t cap = 0; cap < 3; cap++) {
		struct weft_link *l = new_link(cap);
		struct weft_task *server = testing_spawn(serve_main, l);

		CHECK_EQ(call_many(l), 0);
		CHECK_EQ(stats_of(l).calls, (uint64_t)CALLS);
		CHECK_EQ(stats_of(l).answered, (uint64_t)CALLS);
		CHECK_EQ(stats_of(l).timeouts, 0u);
		CHECK_EQ(stats_of(l).late, 0u);
		CHECK_EQ(weft_link_close(l), 0);
		CHECK_EQ(testing_join(server), 0);
		weft_link_free(l);
	}
	return 0;
}

/* The channels of this one allow a single sender and receiver at a time. */
TEST(any_number_of_callers_take_turns)
{
	struct weft_link *l = new_link_over(&testing_one_to_one, 1);
	struct weft_task *server = testing_spawn(serve_main, l);
	struct weft_task *callers[6];

	for (int i = 0; i < 6; i++)
		callers[i] = testing_spawn(call_many, l);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(testing_join(callers[i]), 0);
	CHECK_EQ(stats_of(l).answered, 6u * CALLS);
	weft_link_close(l);
	CHECK_EQ(testing_join(server), 0);
	weft_link_free(l);
	return 0;
}

TEST(several_servers_share_the_calls)
{
	struct weft_link *l = new_link(0);
	struct weft_task *servers[3];

	for (int i = 0; i < 3; i++)
		servers[i] = testing_spawn(serve_main, l);
	CHECK_EQ(call_many(l), 0);
	weft_link_close(l);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(testing_join(servers[i]), 0);
	weft_link_free(l);
	return 0;
}

TEST(several_links_do_not_meet)
{
	struct weft_link *l[3];
	struct weft_task *servers[3], *callers[3];

	for (int i = 0; i < 3; i++) {
		l[i] = new_link((size_t)i);
		servers[i] = testing_spawn(serve_main, l[i]);
		callers[i] = testing_spawn(call_many, l[i]);
	}
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(testing_join(callers[i]), 0);
		weft_link_close(l[i]);
		CHECK_EQ(testing_join(servers[i]), 0);
		weft_link_free(l[i]);
	}
	return 0;
}

TEST(requests_are_taken_in_order_and_answered_by_hand)
{
	struct weft_link *l = new_link(1);
	struct caller c = { .l = l, .deadline_ns = WEFT_FOREVER };
	struct weft_link_call call;
	int request;

	for (int i = 0; i < 10; i++) {
		struct weft_task *t;

		c.request = i;
		t = spawn_caller(&c);
		CHECK_EQ(weft_link_recv(l, &call, &request, WEFT_FOREVER), 0);
		CHECK_EQ(request, i);
		CHECK_EQ(call.number, (uint64_t)i + 1);
		CHECK_EQ(call.deadline_ns, WEFT_FOREVER);
		CHECK_EQ(weft_link_reply(l, &call, 0, &(long){ i * 7 }), 0);
		CHECK_EQ(testing_join(t), 0);
		CHECK_EQ(c.reply, i * 7);
		/* One reply to each. */
		CHECK_EQ(weft_link_reply(l, &call, 0, &(long){ 1 }), -EINVAL);
	}
	weft_link_free(l);
	return 0;
}

static int echo_nothing(const struct weft_link_call *call, const void *request,
                        void *reply, void *arg)
{
	(void)call;
	(void)request;
	(void)reply;
	++*(int *)arg;
	return 0;
}

struct counted {
	struct weft_link *l;
	int served;
};

static int serve_counted(void *arg)
{
	struct counted *c = arg;

	return weft_link_serve(c->l, echo_nothing, &c->served);
}

TEST(a_call_may_carry_nothing)
{
	struct counted c = { 0 };
	struct weft_task *server;

	CHECK_EQ(weft_link_new(&c.l, NULL), 0);
	server = testing_spawn(serve_counted, &c);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(weft_link_call(c.l, NULL, NULL, WEFT_FOREVER), 0);
	weft_link_close(c.l);
	CHECK_EQ(testing_join(server), 0);
	CHECK_EQ(c.served, 5);
	weft_link_free(c.l);
	return 0;
}

static int turn_round(const struct weft_link_call *call, const void *request,
                      void *reply, void *arg)
{
	const unsigned char *in = request;
	unsigned char *out = reply;
	size_t n = *(const size_t *)arg;

	(void)call;
	for (size_t i = 0; i < n; i++)
		out[i] = in[n - 1 - i];
	return 0;
}

struct turner {
	struct weft_link *l;
	size_t size;
};

static int turner_main(void *arg)
{
	struct turner *t = arg;

	return weft_link_serve(t->l, turn_round, &t->size);
}

TEST(a_call_may_carry_all_that_a_channel_can)
{
	static const size_t sizes[] = { 1, 13, 16, 4079, 4080 };
	unsigned char in[WEFT_ELEM_MAX], out[WEFT_ELEM_MAX];

	for (size_t i = 0; i < WEFT_ELEM_MAX; i++)
		in[i] = (unsigned char)(i * 31 + i / 256);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct turner t = { .size = sizes[k] };
		struct weft_link_opts opts = { .request_size = sizes[k],
			                       .reply_size = sizes[k] };
		struct weft_task *server;

		CHECK_EQ(weft_link_new(&t.l, &opts), 0);
		server = testing_spawn(turner_main, &t);
		CHECK_EQ(weft_link_call(t.l, in, out, WEFT_FOREVER), 0);
		for (size_t i = 0; i < sizes[k]; i++)
			CHECK_EQ(out[i], in[sizes[k] - 1 - i]);
		weft_link_close(t.l);
		CHECK_EQ(testing_join(server), 0);
		weft_link_free(t.l);
	}
	return 0;
}

/* --- a server that says no --- */

static int answer_as_asked(const struct weft_link_call *call,
                           const void *request, void *reply, void *arg)
{
	(void)call;
	(void)arg;
	*(long *)reply = 99;
	return *(const int *)request;
}

static int refuse_main(void *arg)
{
	return weft_link_serve(arg, answer_as_asked, NULL);
}

TEST(a_call_returns_the_error_that_the_server_answers_with)
{
	struct weft_link *l = new_link(0);
	struct weft_task *server = testing_spawn(refuse_main, l);
	long reply = 5;

	CHECK_EQ(weft_link_call(l, &(int){ -EDOM }, &reply, WEFT_FOREVER),
	         -EDOM);
	/* That would look like the caller's own deadline. */
	CHECK_EQ(weft_link_call(l, &(int){ -ETIMEDOUT }, &reply, WEFT_FOREVER),
	         -EIO);
	CHECK_EQ(stats_of(l).timeouts, 0u);
	CHECK_EQ(weft_link_call(l, &(int){ 7 }, &reply, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(reply, 5);
	CHECK_EQ(weft_link_call(l, &(int){ 0 }, &reply, WEFT_FOREVER), 0);
	CHECK_EQ(reply, 99);
	CHECK_EQ(stats_of(l).answered, 4u);
	weft_link_close(l);
	CHECK_EQ(testing_join(server), 0);
	weft_link_free(l);
	return 0;
}

/* --- deadlines --- */

static void expect_timeout(struct weft_link *l)
{
	struct caller c = { .l = l, .deadline_ns = weft_deadline_in(WEFT_SEC) };

	CHECK_EQ(testing_join_moving(spawn_caller(&c)), -ETIMEDOUT);
	CHECK_EQ(c.returned_at, c.deadline_ns);
}

TEST_MANUAL(a_call_ends_at_its_deadline_in_the_queue_as_well)
{
	struct weft_link *l = new_link(0);
	struct caller first = { .l = l, .deadline_ns = WEFT_FOREVER };
	struct weft_task *t = spawn_caller(&first);

	CHECK_EQ(weft_clock_settle(), 0);
	expect_timeout(l);
	CHECK_EQ(stats_of(l).calls, 1u);
	CHECK_EQ(stats_of(l).timeouts, 1u);
	CHECK_EQ(weft_link_stop(l), 0);
	CHECK_EQ(testing_join(t), -ECANCELED);
	weft_link_free(l);
	return 0;
}

TEST_MANUAL(a_request_that_nobody_waits_for_is_not_handed_out)
{
	struct weft_link *l = new_link(2);
	struct caller c = { .l = l, .request = 8, .deadline_ns = WEFT_FOREVER };
	struct weft_link_call call;
	struct weft_task *t;
	int request;

	expect_timeout(l);
	t = spawn_caller(&c);
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
	struct weft_task *t = spawn_caller(&c);
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
		struct weft_link *l = new_link(cap);
		struct caller c = { .l = l,
			            .request = 4,
			            .deadline_ns = WEFT_FOREVER };
		struct weft_link_call late = take_one_that_expires(l);
		struct weft_link_call later = take_one_that_expires(l);
		struct weft_task *server, *t;

		/* Without a buffer nobody takes them; in one they wait for the
		 * next call, which must see that they are none of its own. */
		CHECK_EQ(weft_link_reply(l, &late, 0, &(long){ -1 }),
		         cap > 0 ? 0 : -ETIMEDOUT);
		CHECK_EQ(weft_link_reply(l, &later, 0, &(long){ -2 }),
		         cap > 1 ? 0 : -ETIMEDOUT);
		t = spawn_caller(&c);
		server = testing_spawn(serve_main, l);
		CHECK_EQ(testing_join(t), 0);
		CHECK_EQ(c.reply, reply_to(4));
		CHECK_EQ(stats_of(l).late, 2u);
		CHECK_EQ(stats_of(l).timeouts, 2u);
		CHECK_EQ(stats_of(l).answered, 1u);
		weft_link_close(l);
		CHECK_EQ(testing_join(server), 0);
		weft_link_free(l);
	}
	return 0;
}

static int sleep_and_triple(const struct weft_link_call *call,
                            const void *request, void *reply, void *arg)
{
	weft_sleep_until(weft_deadline_in(3 * WEFT_SEC));
	return triple(call, request, reply, arg);
}

static int slow_main(void *arg)
{
	return weft_link_serve(arg, sleep_and_triple, NULL);
}

/* With capacity 0 the server offers a reply that nobody takes, while the next
 * caller offers a request: neither may wait for the other for ever. */
TEST_MANUAL(a_slow_server_gets_round_to_the_next_call)
{
	for (size_t cap = 0; cap < 2; cap++) {
		struct weft_link *l = new_link(cap);
		struct weft_task *server = testing_spawn(slow_main, l);
		struct caller c = { .l = l,
			            .request = 4,
			            .deadline_ns = WEFT_FOREVER };

		expect_timeout(l);
		CHECK_EQ(testing_join_moving(spawn_caller(&c)), 0);
		CHECK_EQ(c.reply, reply_to(4));
		CHECK_EQ(stats_of(l).late, 1u);
		weft_link_close(l);
		CHECK_EQ(testing_join(server), 0);
		weft_link_free(l);
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
		struct weft_link *l = new_link(cap);
		struct weft_task *servers[2], *callers[3];
		uint64_t answered = 0;

		for (int i = 0; i < 2; i++)
			servers[i] = testing_spawn(serve_main, l);
		for (int i = 0; i < 3; i++)
			callers[i] = testing_spawn(call_hastily, l);
		for (int i = 0; i < 3; i++)
			answered += (uint64_t)testing_join(callers[i]);
		CHECK_EQ(stats_of(l).answered, answered);
		CHECK_EQ(stats_of(l).timeouts, 3u * CALLS - answered);
		CHECK_EQ(weft_link_close(l), 0);
		for (int i = 0; i < 2; i++)
			CHECK_EQ(testing_join(servers[i]), 0);
		weft_link_free(l);
	}
	return 0;
}

/* --- the end --- */

TEST_MANUAL(close_answers_the_call_under_way_and_no_other)
{
	struct weft_link *l = new_link(1);
	struct caller c = { .l = l, .deadline_ns = WEFT_FOREVER };
	struct caller queued = c;
	struct weft_task *under_way = spawn_caller(&c), *next, *server;

	CHECK_EQ(weft_clock_settle(), 0);
	next = spawn_caller(&queued);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_link_close(l), 0);
	CHECK_EQ(weft_link_close(l), -EPIPE);
	server = testing_spawn(serve_main, l);
	CHECK_EQ(testing_join(under_way), 0);
	CHECK_EQ(c.reply, reply_to(0));
	CHECK_EQ(testing_join(next), -EPIPE);
	CHECK_EQ(testing_join(server), 0);
	CHECK_EQ(call_main(&c), -EPIPE);
	weft_link_free(l);
	return 0;
}

/* The end wins over the deadline of a call in the queue. */
TEST_MANUAL(a_call_in_the_queue_of_a_closed_link_has_come_to_its_end)
{
	struct weft_link *l = new_link(1);
	struct caller c = { .l = l, .deadline_ns = WEFT_FOREVER };
	struct caller queued = { .l = l,
		                 .deadline_ns = weft_deadline_in(WEFT_SEC) };
	struct weft_task *under_way = spawn_caller(&c), *next;

	CHECK_EQ(weft_clock_settle(), 0);
	next = spawn_caller(&queued);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_link_close(l), 0);
	CHECK_EQ(testing_join_moving(next), -EPIPE);
	CHECK_EQ(stats_of(l).timeouts, 0u);
	/* The other one is still under way: it is not too late for a stop. */
	CHECK_EQ(weft_link_stop(l), 0);
	CHECK_EQ(testing_join(under_way), -ECANCELED);
	weft_link_free(l);
	return 0;
}

static int reply_main(void *arg)
{
	struct weft_link *l = arg;
	struct weft_link_call call = { 1, WEFT_FOREVER };

	return weft_link_reply(l, &call, 0, &(long){ 1 });
}

TEST_MANUAL(a_failure_reaches_callers_and_servers_wherever_they_wait)
{
	struct weft_link *idle = new_link(0), *busy = new_link(1);
	struct caller c = { .l = busy, .deadline_ns = WEFT_FOREVER };
	struct caller queued = c;
	struct weft_task *tasks[4];

	tasks[0] = testing_spawn(serve_main, idle);
	tasks[1] = testing_spawn(reply_main, idle);
	tasks[2] = spawn_caller(&c);
	CHECK_EQ(weft_clock_settle(), 0);
	tasks[3] = spawn_caller(&queued);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_link_fail(idle, -EXDEV), 0);
	CHECK_EQ(weft_link_fail(busy, -EXDEV), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(testing_join(tasks[i]), -EXDEV);
	/* What is left inside is not served. */
	CHECK_EQ(serve_main(busy), -EXDEV);
	weft_link_free(idle);
	weft_link_free(busy);
	return 0;
}

/* --- a server that dies --- */

static int exit_task(const struct weft_link_call *call, const void *request,
                     void *reply, void *arg)
{
	(void)call;
	(void)request;
	(void)reply;
	(void)arg;
	weft_task_exit(-ERANGE);
}

static int exit_thread(const struct weft_link_call *call, const void *request,
                       void *reply, void *arg)
{
	(void)call;
	(void)request;
	(void)reply;
	(void)arg;
	pthread_exit(NULL);
}

struct mortal {
	struct weft_link *l;
	weft_link_fn fn;
	int how;
};

static int mortal_main(void *arg)
{
	struct mortal *m = arg;

	m->how = weft_link_serve(m->l, m->fn, NULL);
	return 0;
}

static void expect_death(weft_link_fn fn, int joined, int how, int called)
{
	struct mortal m = { .l = new_link(0), .fn = fn };
	struct weft_task *server = testing_spawn(mortal_main, &m);
	struct caller c = { .l = m.l, .deadline_ns = WEFT_FOREVER };

	CHECK_EQ(call_main(&c), called);
	CHECK_EQ(testing_join(server), joined);
	CHECK_EQ(m.how, how);
	CHECK_EQ(call_main(&c), called);
	weft_link_free(m.l);
}

TEST(a_server_that_dies_leaves_no_caller_waiting)
{
	expect_death(exit_task, 0, -ERANGE, -ERANGE);
	expect_death(exit_thread, -ECANCELED, 0, -ECANCELED);
	return 0;
}

static int close_and_triple(const struct weft_link_call *call,
                            const void *request, void *reply, void *arg)
{
	CHECK_EQ(weft_link_close(arg), 0);
	return triple(call, request, reply, NULL);
}

static int serve_once_main(void *arg)
{
	return weft_link_serve(arg, close_and_triple, arg);
}

TEST(a_server_may_end_after_an_answer)
{
	for (size_t cap = 0; cap < 2; cap++) {
		struct weft_link *l = new_link(cap);
		struct weft_task *server = testing_spawn(serve_once_main, l);
		struct caller c = { .l = l,
			            .request = 6,
			            .deadline_ns = WEFT_FOREVER };

		CHECK_EQ(call_main(&c), 0);
		CHECK_EQ(c.reply, reply_to(6));
		CHECK_EQ(call_main(&c), -EPIPE);
		CHECK_EQ(testing_join(server), 0);
		weft_link_free(l);
	}
	return 0;
}

/* --- messages that own something --- */

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

	CHECK_EQ(weft_link_new(&l, &opts), 0);
	return l;
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

static void expect_drops(struct weft_link *l, const struct drops *drops,
                         int requests, int replies)
{
	weft_link_free(l);
	CHECK_EQ(drops->requests, requests);
	CHECK_EQ(drops->replies, replies);
}

TEST_MANUAL(requests_that_reach_nobody_are_dropped)
{
	struct drops drops = { 0 };
	struct weft_link *l = new_owning_link(0, &drops);
	struct owner o = { l, weft_deadline_in(WEFT_SEC) };
	struct owner for_ever = { l, WEFT_FOREVER };
	struct weft_link_call call;
	struct weft_task *first;
	int *request;

	/* In the queue for a turn, on the way, and by a link that has ended; */
	first = testing_spawn(owner_main, &for_ever);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(testing_join_moving(testing_spawn(owner_main, &o)),
	         -ETIMEDOUT);
	CHECK_EQ(drops.requests, 1);
	CHECK_EQ(weft_link_close(l), 0);
	CHECK_EQ(testing_join(first), -EPIPE);
	CHECK_EQ(owner_main(&for_ever), -EPIPE);
	expect_drops(l, &drops, 3, 0);

	/* before a server has taken it; what is left inside. */
	drops = (struct drops){ 0 };
	o.l = l = new_owning_link(2, &drops);
	o.deadline_ns = weft_deadline_in(WEFT_SEC);
	CHECK_EQ(testing_join_moving(testing_spawn(owner_main, &o)),
	         -ETIMEDOUT);
	CHECK_EQ(drops.requests, 0);
	CHECK_EQ(weft_link_recv(l, &call, &request, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(drops.requests, 1);
	o.deadline_ns = weft_deadline_in(WEFT_SEC);
	CHECK_EQ(testing_join_moving(testing_spawn(owner_main, &o)),
	         -ETIMEDOUT);
	expect_drops(l, &drops, 2, 0);
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

static int late_main(void *arg)
{
	return weft_link_serve(arg, reply_late, NULL);
}

TEST_MANUAL(replies_that_reach_nobody_are_dropped)
{
	/* By the server, by the next call, and by the end. */
	for (size_t cap = 0; cap < 2; cap++) {
		struct drops drops = { 0 };
		struct weft_link *l = new_owning_link(cap, &drops);
		struct weft_task *server = testing_spawn(late_main, l);
		struct owner o = { l, weft_deadline_in(WEFT_SEC) };

		CHECK_EQ(testing_join_moving(testing_spawn(owner_main, &o)),
		         -ETIMEDOUT);
		o.deadline_ns = WEFT_FOREVER;
		CHECK_EQ(testing_join_moving(testing_spawn(owner_main, &o)), 0);
		CHECK_EQ(drops.replies, 1);
		o.deadline_ns = weft_deadline_in(WEFT_SEC);
		CHECK_EQ(testing_join_moving(testing_spawn(owner_main, &o)),
		         -ETIMEDOUT);
		weft_link_close(l);
		CHECK_EQ(testing_join_moving(server), 0);
		expect_drops(l, &drops, 0, 2);
	}
	return 0;
}

/* --- bad input, bad channels --- */

TEST(a_link_that_makes_no_sense_is_refused)
{
	struct weft_link_opts wide = { .request_size = WEFT_ELEM_MAX - 15 };
	struct weft_link_opts deep = { .reply_size = WEFT_ELEM_MAX - 15 };
	struct weft_link_opts huge = { .reply_size = SIZE_MAX };
	struct weft_link_opts odd = { .wait = (enum weft_wait)9 };
	struct weft_link_opts zero = { .impl = &testing_one_to_one };
	struct weft_link *l = NULL;

	CHECK_EQ(weft_link_new(NULL, NULL), -EINVAL);
	CHECK_EQ(weft_link_new(&l, &wide), -EINVAL);
	CHECK_EQ(weft_link_new(&l, &deep), -EINVAL);
	CHECK_EQ(weft_link_new(&l, &huge), -EINVAL);
	CHECK_EQ(weft_link_new(&l, &odd), -EINVAL);
	CHECK_EQ(weft_link_new(&l, &zero), -EINVAL);
	CHECK(l == NULL);
	return 0;
}

TEST(what_is_needed_may_not_be_missing)
{
	struct weft_link *l = new_link(1);
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
	struct weft_link *l = new_link(1);
	struct weft_link_call forged = { 2, WEFT_FOREVER };
	struct caller c = { .l = l, .deadline_ns = WEFT_FOREVER };

	CHECK_EQ(weft_link_reply(l, &forged, 0, &(long){ 1 }), 0);
	CHECK_EQ(call_main(&c), -EPROTO);
	weft_link_free(l);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_gets_its_own_reply),
		cmocka_unit_test(any_number_of_callers_take_turns),
		cmocka_unit_test(several_servers_share_the_calls),
		cmocka_unit_test(several_links_do_not_meet),
		cmocka_unit_test(
		        requests_are_taken_in_order_and_answered_by_hand),
		cmocka_unit_test(a_call_may_carry_nothing),
		cmocka_unit_test(a_call_may_carry_all_that_a_channel_can),
		cmocka_unit_test(
		        a_call_returns_the_error_that_the_server_answers_with),
		cmocka_unit_test(
		        a_call_ends_at_its_deadline_in_the_queue_as_well),
		cmocka_unit_test(
		        a_request_that_nobody_waits_for_is_not_handed_out),
		cmocka_unit_test(
		        a_late_reply_is_not_taken_for_that_of_the_next_call),
		cmocka_unit_test(a_slow_server_gets_round_to_the_next_call),
		cmocka_unit_test(a_deadline_that_meets_a_reply_confuses_nobody),
		cmocka_unit_test(close_answers_the_call_under_way_and_no_other),
		cmocka_unit_test(
		        a_call_in_the_queue_of_a_closed_link_has_come_to_its_end),
		cmocka_unit_test(
		        a_failure_reaches_callers_and_servers_wherever_they_wait),
		cmocka_unit_test(a_server_that_dies_leaves_no_caller_waiting),
		cmocka_unit_test(a_server_may_end_after_an_answer),
		cmocka_unit_test(requests_that_reach_nobody_are_dropped),
		cmocka_unit_test(replies_that_reach_nobody_are_dropped),
		cmocka_unit_test(a_link_that_makes_no_sense_is_refused),
		cmocka_unit_test(what_is_needed_may_not_be_missing),
		cmocka_unit_test(a_reply_from_the_future_is_found_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
