/* Tests of merge and broadcast between channels of the caller's own. */
#include <errno.h>
#include <stdlib.h>

#include "testing/stop.h"
#include "testing/testing.h"

#include <weft/atomic.h>
#include <weft/ctx.h>
#include <weft/select.h>

#include "relay.h"

#define ITEMS (TESTING_SLOW ? 200 : 2000)
#define MANY_MAX 8

/* The kinds of relay. */
enum kind {
	FORWARDERS = WEFT_MERGE_BY_FORWARDERS,
	SELECT = WEFT_MERGE_BY_SELECT,
	BROADCAST,
	KINDS,
};
#define MERGES BROADCAST

/* One channel on one side, n on the other, all alike. */
struct net {
	struct weft_chan *one, *many[MANY_MAX];
	size_t n;
	enum kind kind;
	struct weft_relay *r;
	struct weft_ctx *ctx;
	_Atomic int sent, received, dropped;
};

static void drop(void *elem, void *arg)
{
	struct net *net = arg;

	(void)elem;
	weft_fetch_add_relaxed(&net->dropped, 1);
}

static int try_relay(struct net *net, void (*drop_fn)(void *elem, void *arg))
{
	struct weft_relay_opts opts = { .by = (enum weft_merge_by)net->kind,
		                        .drop = drop_fn,
		                        .drop_arg = net,
		                        .ctx = net->ctx };

	if (net->kind == BROADCAST)
		return weft_broadcast(&net->r, net->many, net->n, net->one,
		                      &opts);
	return weft_merge(&net->r, net->one, net->n ? net->many : NULL, net->n,
	                  &opts);
}

static struct net *net_without_relay(enum kind kind, size_t n, size_t cap)
{
	struct net *net = calloc(1, sizeof(*net));

	CHECK(net != NULL);
	net->kind = kind;
	net->n = n;
	net->one = testing_chan("handoff", cap, sizeof(int));
	for (size_t i = 0; i < n; i++)
		net->many[i] = testing_chan("handoff", cap, sizeof(int));
	return net;
}

static struct net *new_net(enum kind kind, size_t n, size_t cap)
{
	struct net *net = net_without_relay(kind, n, cap);

	CHECK_EQ(try_relay(net, drop), 0);
	return net;
}

/* What is inside is dropped. */
static void put_net(struct net *net)
{
	weft_relay_free(net->r);
	weft_chan_unref(net->one);
	for (size_t i = 0; i < net->n; i++)
		weft_chan_unref(net->many[i]);
}

static void free_net(struct net *net)
{
	put_net(net);
	free(net);
}

/* A TEST or TEST_MANUAL of every merge, or of a broadcast, with n channels of a
 * capacity, which may depend on the `kind`: the body has a `net`. */
#define NET_TEST(test, name, first, end, n, cap)                               \
	static void name##_on(struct net *net);                                \
	test(name)                                                             \
	{                                                                      \
		for (enum kind kind = first; kind < end; kind++) {             \
			struct net *net = new_net(kind, n, cap);               \
                                                                               \
			name##_on(net);                                        \
			free_net(net);                                         \
		}                                                              \
		return 0;                                                      \
	}                                                                      \
	static void name##_on(struct net *net)

#define MERGE_TEST(test, name, n, cap) NET_TEST(test, name, 0, MERGES, n, cap)
#define BROADCAST_TEST(test, name, n, cap)                                     \
	NET_TEST(test, name, BROADCAST, KINDS, n, cap)

/* Sends begin, begin + 1, ... up to end, excluded, and closes. */
struct input {
	struct weft_chan *c;
	int begin, end;
};

static int input_main(void *arg)
{
	const struct input *in = arg;
	int err = 0;

	for (int i = in->begin; i < in->end && !err; i++)
		err = weft_chan_send(in->c, &i, WEFT_FOREVER);
	weft_chan_close(in->c);
	return err;
}

static uint64_t moved(const struct net *net, size_t i)
{
	struct weft_relay_stats stats;

	CHECK_EQ(weft_relay_stats(net->r, i, &stats), 0);
	return stats.moved;
}

static int send_main(void *arg)
{
	int v = 1, err;

	do
		err = weft_chan_send(arg, &v, WEFT_FOREVER);
	while (!err);
	return err;
}

/* --- merge --- */

/* Input i gives sizes[i] items, at most 10000. */
static void merge_sizes(enum kind by, size_t cap, size_t n, const int *sizes)
{
	struct net *net = new_net(by, n, cap);
	struct input inputs[MANY_MAX];
	struct weft_task *tasks[MANY_MAX];
	int next[MANY_MAX] = { 0 }, v, err;
	struct weft_relay_stats stats;

	for (size_t i = 0; i < n; i++) {
		inputs[i] = (struct input){ net->many[i], (int)i * 10000,
			                    (int)i * 10000 + sizes[i] };
		tasks[i] = testing_spawn(input_main, &inputs[i]);
	}
	while (!(err = weft_chan_recv(net->one, &v, WEFT_FOREVER)))
		CHECK_EQ(v % 10000, next[v / 10000]++);
	CHECK_EQ(err, -EPIPE);
	CHECK_EQ(weft_relay_join(net->r, WEFT_FOREVER), 0);
	for (size_t i = 0; i < n; i++) {
		CHECK_EQ(testing_join(tasks[i]), 0);
		CHECK_EQ(next[i], sizes[i]);
		CHECK_EQ(moved(net, i), (uint64_t)sizes[i]);
	}
	CHECK_EQ(weft_relay_stats(net->r, n, &stats), -EINVAL);
	/* E1: it was closed once, by the relay. */
	CHECK_EQ(weft_chan_close(net->one), -EPIPE);
	CHECK_EQ(weft_load_relaxed(&net->dropped), 0);
	free_net(net);
}

/* E3, and E4: each input's items in their order. */
TEST(what_goes_into_any_input_comes_out_once)
{
	for (enum kind by = 0; by < MERGES; by++)
		for (size_t cap = 0; cap < 3; cap++) {
			merge_sizes(by, cap, 3, (int[]){ 2, 2, 2 });
			merge_sizes(by, cap, 1, (int[]){ ITEMS });
			merge_sizes(by, cap, 4,
			            (int[]){ 0, ITEMS, 1, ITEMS / 10 });
			merge_sizes(by, cap, MANY_MAX,
			            (int[]){ 9, 8, 7, 6, 5, 4, 3, 2 });
		}
	return 0;
}

/* E2. */
MERGE_TEST(TEST, a_merge_of_nothing_ends_at_once, 0, 1)
{
	int v;

	CHECK_EQ(weft_chan_recv(net->one, &v, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_relay_join(net->r, WEFT_FOREVER), 0);
}

/* E1: not before the last input has ended. */
MERGE_TEST(TEST_MANUAL, a_merge_ends_with_its_last_input, 3, 4)
{
	int v = 5;

	CHECK_EQ(weft_chan_close(net->many[0]), 0);
	CHECK_EQ(weft_chan_close(net->many[2]), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_relay_join(net->r, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_chan_try_recv(net->one, &v), -EAGAIN);
	CHECK_EQ(weft_chan_send(net->many[1], &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_chan_close(net->many[1]), 0);
	v = 0;
	CHECK_EQ(weft_chan_recv(net->one, &v, WEFT_FOREVER), 0);
	CHECK_EQ(v, 5);
	CHECK_EQ(weft_chan_recv(net->one, &v, WEFT_FOREVER), -EPIPE);
}

/* E5. */
MERGE_TEST(TEST, an_input_that_gives_nothing_holds_up_no_other, 3, 0)
{
	struct input input = { net->many[1], 0, 100 };
	struct weft_task *t = testing_spawn(input_main, &input);
	int v;

	for (int i = 0; i < 100; i++) {
		CHECK_EQ(weft_chan_recv(net->one, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, i);
	}
	CHECK_EQ(testing_join(t), 0);
}

/* E7: closing the output is enough; nobody waits in vain. */
MERGE_TEST(TEST, a_consumer_of_a_merge_may_leave_early, 4, kind)
{
	struct weft_task *senders[3];
	int v;

	for (int i = 0; i < 3; i++)
		senders[i] = testing_spawn(send_main, net->many[i]);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(weft_chan_recv(net->one, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_chan_close(net->one), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(testing_join(senders[i]), -EPIPE);
	CHECK_EQ(weft_relay_join(net->r, WEFT_FOREVER), -EPIPE);
	CHECK_LE(1, weft_load_relaxed(&net->dropped));
}

/* --- broadcast --- */

/* Receives 0, 1, 2, ... to the end; how many. */
static int in_order_main(void *arg)
{
	int v, n = 0;

	while (!weft_chan_recv(arg, &v, WEFT_FOREVER))
		CHECK_EQ(v, n++);
	return n;
}

/* E10, and E9: they close when the source does. */
TEST(every_channel_of_a_broadcast_gets_everything_in_order)
{
	static const int sizes[] = { 0, 1, 6, ITEMS };

	for (size_t i = 0; i < 12; i++) {
		struct net *net = new_net(BROADCAST, 1 + i % 4, i % 3);
		struct input input = { net->one, 0, sizes[i / 3] };
		struct weft_task *t = testing_spawn(input_main, &input);
		struct weft_task *readers[MANY_MAX];

		for (size_t k = 0; k < net->n; k++)
			readers[k] = testing_spawn(in_order_main, net->many[k]);
		for (size_t k = 0; k < net->n; k++) {
			CHECK_EQ(testing_join(readers[k]), input.end);
			CHECK_EQ(moved(net, k), (uint64_t)input.end);
		}
		CHECK_EQ(testing_join(t), 0);
		CHECK_EQ(weft_relay_join(net->r, WEFT_FOREVER), 0);
		free_net(net);
	}
	return 0;
}

BROADCAST_TEST(TEST_MANUAL, a_full_channel_pauses_a_broadcast_to_all, 2, 2)
{
	struct input input = { net->one, 0, 10 };
	struct weft_task *t = testing_spawn(input_main, &input);
	struct weft_task *other = testing_spawn(in_order_main, net->many[1]);
	int v;

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_chan_len(net->many[0]), 2u);
	CHECK_EQ(moved(net, 1), 2u);
	CHECK_EQ(weft_chan_recv(net->many[0], &v, WEFT_FOREVER), 0);
	CHECK_EQ(v, 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(moved(net, 1), 3u);
	for (int i = 1; i < 10; i++) {
		CHECK_EQ(weft_chan_recv(net->many[0], &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, i);
	}
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(testing_join(other), 10);
}

BROADCAST_TEST(TEST, a_reader_of_a_broadcast_may_leave_early, 3, 0)
{
	struct input input = { net->one, 0, 100 };
	struct weft_task *t, *readers[2];

	CHECK_EQ(weft_chan_close(net->many[1]), 0);
	t = testing_spawn(input_main, &input);
	readers[0] = testing_spawn(in_order_main, net->many[0]);
	readers[1] = testing_spawn(in_order_main, net->many[2]);
	CHECK_EQ(testing_join(readers[0]), 100);
	CHECK_EQ(testing_join(readers[1]), 100);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(weft_relay_join(net->r, WEFT_FOREVER), 0);
	CHECK_EQ(weft_load_relaxed(&net->dropped), 100);
}

BROADCAST_TEST(TEST, a_broadcast_that_nobody_reads_ends, 2, 0)
{
	struct weft_task *sender = testing_spawn(send_main, net->one);

	CHECK_EQ(weft_chan_close(net->many[0]), 0);
	CHECK_EQ(weft_chan_close(net->many[1]), 0);
	CHECK_EQ(testing_join(sender), -EPIPE);
	CHECK_EQ(weft_relay_join(net->r, WEFT_FOREVER), -EPIPE);
}

/* --- a callback that does not return --- */

static void drop_and_exit(void *elem, void *arg)
{
	drop(elem, arg);
	weft_task_exit(-EDOM);
}

TEST(a_drop_that_ends_its_task_leaves_nobody_waiting)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct net *net = net_without_relay(kind, 1, 0);
		bool merges = kind < MERGES;
		struct weft_chan *from = merges ? net->many[0] : net->one;
		struct weft_chan *to = merges ? net->one : net->many[0];
		int v = 1;

		CHECK_EQ(try_relay(net, drop_and_exit), 0);
		CHECK_EQ(weft_chan_send(from, &v, WEFT_FOREVER), 0);
		CHECK_EQ(weft_chan_close(to), 0);
		CHECK_LT(weft_relay_join(net->r, WEFT_FOREVER), 0);
		CHECK_EQ(weft_chan_send(from, &v, WEFT_FOREVER), -EPIPE);
		CHECK_EQ(weft_load_relaxed(&net->dropped), 1);
		free_net(net);
	}
	return 0;
}

/* --- at a random moment --- */

static int copies_in(const struct net *net)
{
	return net->kind == BROADCAST ? (int)net->n : 1;
}

/* What a channel has inside at the end: of the side of one it is all copies
 * that there would have been. */
static void drop_all_copies(void *elem, void *arg)
{
	struct net *net = arg;

	(void)elem;
	weft_fetch_add_relaxed(&net->dropped, copies_in(net));
}

static struct weft_chan *draw_chan(struct weft_chan_opts opts)
{
	static const char *const impls[] = { "handoff", "ring", "condvar",
		                             "list" };
	size_t i = weft_rand() % 4;
	struct weft_chan *c;

	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find(impls[i]),
	                       (i > 0) + weft_rand() % 3, sizeof(int), &opts),
	         0);
	return c;
}

/* Channels of several kinds on both sides. */
static void *stopped_new(void *arg)
{
	struct net *net = calloc(1, sizeof(*net));
	struct weft_chan_opts opts = { .drop = drop, .drop_arg = net };

	(void)arg;
	CHECK(net != NULL);
	net->n = 3;
	net->kind = (enum kind)(weft_rand() % KINDS);
	for (size_t i = 0; i < net->n; i++)
		net->many[i] = draw_chan(opts);
	opts.drop = drop_all_copies;
	net->one = draw_chan(opts);
	CHECK_EQ(weft_ctx_with_cancel(&net->ctx, NULL), 0);
	CHECK_EQ(try_relay(net, drop), 0);
	return net;
}

/* Tasks 0 to 2 are at the many, task 3 is at the one. Sometimes one ends its
 * channel by itself. */
static void stopped_go(void *thing, unsigned id)
{
	struct net *net = thing;
	bool sends = (net->kind < MERGES) == (id < 3);
	bool leaves = weft_rand() % 4 == 0;
	struct weft_chan *c = id < 3 ? net->many[id] : net->one;
	int v = 0, err;

	do {
		err = sends ? weft_chan_send(c, &v, testing_some_deadline())
		            : weft_chan_recv(c, &v, testing_some_deadline());
		if (!err)
			weft_fetch_add_relaxed(
			        sends ? &net->sent : &net->received, 1);
		if (leaves && weft_rand() % 64 == 0)
			weft_chan_close(c);
	} while (!err || err == -ETIMEDOUT);
	CHECK_EQ(err, -EPIPE);
}

static void stopped_stop(void *thing)
{
	const struct net *net = thing;

	CHECK_EQ(weft_rand() % 2 ? weft_relay_stop(net->r)
	                         : weft_ctx_cancel(net->ctx, 0),
	         0);
}

/* What has gone in is received, or dropped by the relay or by a channel. */
static void stopped_end(void *thing)
{
	struct net *net = thing;
	int err = weft_relay_join(net->r, WEFT_FOREVER);

	CHECK(err == 0 || err == -ECANCELED || err == -EPIPE);
	put_net(net);
	weft_ctx_unref(net->ctx);
	CHECK_EQ(weft_load_relaxed(&net->sent) * copies_in(net),
	         weft_load_relaxed(&net->received) +
	                 weft_load_relaxed(&net->dropped));
	free(net);
}

TEST(a_relay_may_be_stopped_at_any_moment)
{
	testing_stop_often(&(struct testing_stop){ .setup = stopped_new,
	                                           .go = stopped_go,
	                                           .tasks = 4,
	                                           .stop = stopped_stop,
	                                           .end = stopped_end });
	return 0;
}

/* --- bad input --- */

static int refused(enum kind kind, struct weft_chan *one, struct weft_chan *a,
                   struct weft_chan *b)
{
	struct net net = { .kind = kind, .one = one, .many = { a, b }, .n = 2 };
	int err = try_relay(&net, drop);

	CHECK(net.r == NULL);
	return err;
}

/* E2: and no channel is touched. */
TEST(channels_that_make_no_sense_are_refused)
{
	struct weft_chan *a = testing_chan("ring", 4, sizeof(int)),
	                 *b = testing_chan("list", 1, sizeof(int));
	struct weft_chan *lone = testing_chan("spsc", 4, sizeof(int));
	struct weft_chan *wide = testing_chan("ring", 1, 16);
	struct weft_chan *unselectable = testing_chan("pipe", 4, sizeof(int));
	struct weft_chan *all[] = { a, b, lone, unselectable };
	struct weft_relay *r;

	for (enum kind kind = 0; kind < KINDS; kind++) {
		CHECK_EQ(refused(kind, NULL, a, b), -EINVAL);
		CHECK_EQ(refused(kind, b, a, NULL), -EINVAL);
		CHECK_EQ(refused(kind, b, a, b), -EINVAL);
		CHECK_EQ(refused(kind, b, a, wide), -EINVAL);
		CHECK_EQ(refused(kind, wide, a, b), -EINVAL);
	}
	CHECK_EQ(refused(FORWARDERS, lone, a, b), -EINVAL);
	CHECK_EQ(refused(KINDS, lone, a, b), -EINVAL);
	CHECK_EQ(refused(SELECT, b, unselectable, a), -EOPNOTSUPP);
	CHECK_EQ(weft_merge(NULL, a, &b, 1, NULL), -EINVAL);
	CHECK_EQ(weft_merge(&r, a, NULL, 1, NULL), -EINVAL);
	CHECK_EQ(weft_broadcast(&r, &a, 0, b, NULL), -EINVAL);
	CHECK_EQ(weft_broadcast(&r, NULL, 1, b, NULL), -EINVAL);
	CHECK_EQ(weft_broadcast(NULL, &a, 1, b, NULL), -EINVAL);
	for (size_t i = 0; i < 4; i++) {
		CHECK_EQ(weft_chan_close(all[i]), 0);
		weft_chan_unref(all[i]);
	}
	weft_chan_unref(wide);
	return 0;
}
