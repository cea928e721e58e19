/* Tests of the fan: which worker gets an item, and what a slow one holds up. */
#include "fan_testing.h"

#define WORKERS_MAX 4

/* A fan, and a gate at which its function waits with some items. */
struct site {
	struct weft_fan *f;
	struct weft_chan *gate;
	int held; /* the item that waits; -1: all do */
	_Atomic int calls;
	_Atomic int last_of[WORKERS_MAX]; /* item + 1 */
};

static int held_up(const void *in, void *out, unsigned worker, void *arg)
{
	struct site *s = arg;

	weft_fetch_add_relaxed(&s->calls, 1);
	if (s->held < 0 || *(const int *)in == s->held)
		CHECK_EQ(weft_chan_recv(s->gate, NULL, WEFT_FOREVER), -EPIPE);
	return pass(in, out, worker, NULL);
}

static struct site *new_site(int held, struct shape shape,
                             struct weft_fan_opts opts)
{
	struct site *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	s->held = held;
	s->gate = testing_chan("handoff", 0, 0);
	opts.fn = opts.fn ? opts.fn : held_up;
	opts.arg = s;
	s->f = new_fan(shape, opts);
	return s;
}

static void free_site(struct site *s)
{
	weft_chan_close(s->gate); /* unless it is */
	weft_fan_free(s->f);
	weft_chan_unref(s->gate);
	free(s);
}

/* --- stragglers --- */

/* E5: what is done before its turn is bounded by the window. */
TEST_MANUAL(a_straggler_holds_up_no_more_than_the_window)
{
	struct site *s = new_site(0, ordered,
	                          OPTS(.workers = 3, .cap = 64, .window = 8));
	struct source source = { s->f, 0, 20, true };
	struct weft_task *t = testing_spawn(source_main, &source);
	int result;

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats_of(s->f).window, 8u);
	CHECK_EQ(weft_load_relaxed(&s->calls), 8);
	CHECK_EQ(stats_of(s->f).out, 7u);
	CHECK_EQ(stats_of(s->f).ahead, 7u);
	CHECK_EQ(weft_fan_try_recv(s->f, &result), -EAGAIN);
	CHECK_EQ(weft_chan_close(s->gate), 0);
	expect_results(s->f, ordered, 20, 0, 1);
	CHECK_EQ(testing_join(t), 0);
	CHECK_LT(stats_of(s->f).ahead, 8u);
	free_site(s);
	return 0;
}

/* Receive what comes out until all is at rest: how many. */
static int receive_what_comes(struct weft_fan *f)
{
	int result, n = 0, before;

	do {
		CHECK_EQ(weft_clock_settle(), 0);
		before = n;
		while (!weft_fan_try_recv(f, &result))
			n++;
	} while (n > before);
	return n;
}

static void hold_up_one(struct shape shape, size_t cap, size_t batch)
{
	struct site *s = new_site(
	        0, shape, OPTS(.workers = 3, .cap = cap, .batch = batch));
	struct source first = { s->f, 0, 1, false };
	struct source others = { s->f, 1, 50, true };
	struct weft_task *t;
	int result, n;

	/* Nothing is taken along with the one that is held up. */
	CHECK_EQ(source_main(&first), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	t = testing_spawn(source_main, &others);
	n = receive_what_comes(s->f);
	CHECK_EQ(testing_join(t), 0);
	CHECK_LE(49 - (int)cap, n);
	CHECK_LT(n, 50);
	CHECK_EQ(weft_chan_close(s->gate), 0);
	while (!weft_fan_recv(s->f, &result, WEFT_FOREVER))
		n++;
	CHECK_EQ(n, 50);
	free_site(s);
}

/* E5: without order, everyone else's results come out meanwhile; at most what
 * was dealt to the straggler itself has to wait. */
TEST_MANUAL(a_straggler_holds_up_nobody_else)
{
	for (size_t i = 0; i < UNORDERED_SHAPES; i++)
		for (size_t cap = 0; cap < 3; cap++) {
			hold_up_one(shapes[i], cap, 1);
			hold_up_one(shapes[i], cap, 4);
		}
	return 0;
}

/* --- dealing --- */

/* Each when its worker has taken what it was sent before, if it can. */
static void send_some(struct weft_fan *f, int n)
{
	for (int i = 0; i < n; i++) {
		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ(weft_fan_try_send(f, &i), 0);
	}
}

/* All workers hold an item at the gate, and nothing is in their queues. */
static struct site *all_at_the_gate(enum weft_fan_deal deal,
                                    struct weft_fan_opts opts)
{
	struct site *s = new_site(-1, dealt(deal), opts);

	/* An idle worker is the least loaded, so all of them get one; of those
	 * that are dealt at random, some may get several. */
	if (deal != WEFT_FAN_RANDOM)
		send_some(s->f, (int)opts.workers);
	CHECK_EQ(weft_clock_settle(), 0);
	return s;
}

TEST_MANUAL(each_worker_in_turn_or_the_least_loaded_gets_the_next_item)
{
	static const enum weft_fan_deal deals[] = { WEFT_FAN_ROUND_ROBIN,
		                                    WEFT_FAN_LEAST_LOADED };

	for (size_t d = 0; d < 2; d++) {
		struct site *s = all_at_the_gate(deals[d],
		                                 OPTS(.workers = 3, .cap = 10));

		for (unsigned round = 1; round <= 3; round++) {
			send_some(s->f, 3);
			for (unsigned i = 0; i < 3; i++)
				CHECK_EQ(worker_of(s->f, i).queued, round);
		}
		free_site(s);
	}
	return 0;
}

TEST_MANUAL(an_idle_worker_gets_everything_while_the_other_is_held_up)
{
	struct site *s = new_site(0, dealt(WEFT_FAN_LEAST_LOADED),
	                          OPTS(.workers = 2, .cap = 10));

	send_some(s->f, 7);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats_of(s->f).queued, 0u);
	CHECK_EQ(weft_load_relaxed(&s->calls), 7);
	free_site(s);
	return 0;
}

/* Goes on when somebody sends to the gate, or has closed it. */
static int let_through(const void *in, void *out, unsigned worker, void *arg)
{
	const struct site *s = arg;
	int err = weft_chan_recv(s->gate, NULL, WEFT_FOREVER);

	CHECK(err == 0 || err == -EPIPE);
	return pass(in, out, worker, NULL);
}

TEST_MANUAL(what_is_in_a_batch_counts_as_load)
{
	struct site *s = new_site(
	        -1, dealt(WEFT_FAN_LEAST_LOADED),
	        OPTS(.fn = let_through, .workers = 2, .cap = 10, .batch = 4));
	unsigned ahead;

	send_some(s->f, 8); /* each has one in hand, and three in its queue */
	CHECK_EQ(weft_chan_send(s->gate, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	ahead = worker_of(s->f, 0).queued == 0 ? 0 : 1;
	CHECK_EQ(worker_of(s->f, ahead).queued, 0u);
	CHECK_EQ(worker_of(s->f, 1 - ahead).queued, 3u);
	/* Three unfinished, and four: not one and four. */
	send_some(s->f, 3);
	CHECK_EQ(worker_of(s->f, ahead).queued, 2u);
	CHECK_EQ(worker_of(s->f, 1 - ahead).queued, 4u);
	free_site(s);
	return 0;
}

TEST_MANUAL(a_worker_at_random_gets_the_next_item)
{
	struct site *s = all_at_the_gate(WEFT_FAN_RANDOM,
	                                 OPTS(.workers = 4, .cap = 1000));

	send_some(s->f, 800);
	CHECK_EQ(weft_clock_settle(), 0);
	/* 200 each are expected, with a standard deviation of 12. */
	for (unsigned i = 0; i < 4; i++) {
		CHECK_LT(100u, worker_of(s->f, i).queued);
		CHECK_LT(worker_of(s->f, i).queued, 300u);
	}
	free_site(s);
	return 0;
}

static void fill_every_queue(enum weft_fan_deal deal, size_t batch)
{
	struct site *s = all_at_the_gate(
	        deal, OPTS(.workers = 3, .cap = 2, .batch = batch));
	struct source one = { s->f, 7, 8, false };
	int room = deal == WEFT_FAN_RANDOM ? 9 : 6, item = 7;
	struct weft_task *t;

	send_some(s->f, room);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(worker_of(s->f, i).queued, 2u);
	CHECK_EQ(weft_fan_try_send(s->f, &item), -EAGAIN);
	CHECK_EQ(weft_fan_send(s->f, &item, WEFT_NOW), -ETIMEDOUT);
	t = testing_spawn(source_main, &one);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_join_until(t, NULL, WEFT_NOW), -ETIMEDOUT);
	/* Any worker that comes back makes room. */
	CHECK_EQ(weft_chan_close(s->gate), 0);
	while (!weft_fan_recv(s->f, &item, WEFT_NOW) || stats_of(s->f).out < 10)
		CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(testing_join(t), 0);
	free_site(s);
}

/* E8: a full queue is passed over; only when all are full does a send wait. */
TEST_MANUAL(a_send_waits_only_when_every_queue_is_full)
{
	for (size_t i = 1; i < UNORDERED_SHAPES; i++) {
		fill_every_queue(shapes[i].deal, 1);
		fill_every_queue(shapes[i].deal, 4);
	}
	return 0;
}

/* --- broadcast --- */

/* arg: what each worker has to get next. */
static int expect_next(const void *in, void *out, unsigned worker, void *arg)
{
	int *next = arg;

	CHECK_EQ(*(const int *)in, next[worker]++);
	*(int *)out = (int)worker;
	return WEFT_EMIT;
}

/* E10 (6 items, 3 workers, and more), E9: all end when the source closes. */
TEST(a_broadcast_reaches_every_worker_in_the_same_order)
{
	static const int items[] = { 0, 1, 6, 500 };

	for (size_t i = 0; i < 4; i++) {
		int worker, next[3] = { 0 }, n[3] = { 0 };
		struct weft_fan *f =
		        new_fan(dealt(WEFT_FAN_BROADCAST),
		                OPTS(.fn = expect_next, .arg = next,
		                     .workers = 3, .cap = i % 3));
		struct source source = { f, 0, items[i], true };
		struct weft_task *t = testing_spawn(source_main, &source);

		while (!weft_fan_recv(f, &worker, WEFT_FOREVER))
			n[worker]++;
		CHECK_EQ(testing_join(t), 0);
		CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
		for (int w = 0; w < 3; w++)
			CHECK_EQ(n[w], items[i]);
		weft_fan_free(f);
	}
	return 0;
}

/* Only worker 0 waits at the gate; there are no results. */
static int hold_first_worker(const void *in, void *out, unsigned worker,
                             void *arg)
{
	struct site *s = arg;

	(void)out;
	if (worker == 0)
		CHECK_EQ(weft_chan_recv(s->gate, NULL, WEFT_FOREVER), -EPIPE);
	weft_store_relaxed(&s->last_of[worker], *(const int *)in + 1);
	return WEFT_SKIP;
}

static void expect_last(const struct site *s, int first, int others)
{
	CHECK_EQ(weft_load_relaxed(&s->last_of[0]), first);
	CHECK_EQ(weft_load_relaxed(&s->last_of[1]), others);
	CHECK_EQ(weft_load_relaxed(&s->last_of[2]), others);
}

TEST_MANUAL(a_full_worker_pauses_a_broadcast_to_all)
{
	struct site *s =
	        new_site(0, dealt(WEFT_FAN_BROADCAST),
	                 OPTS(.fn = hold_first_worker, .workers = 3, .cap = 4));
	struct source source = { s->f, 0, 100, true };
	struct weft_task *t = testing_spawn(source_main, &source);

	CHECK_EQ(weft_clock_settle(), 0);
	/* One in its hands and four in its queue: it is the first to be sent
	 * to, so nobody has a sixth. */
	expect_last(s, 0, 5);
	CHECK_EQ(weft_chan_close(s->gate), 0);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(weft_fan_join(s->f, WEFT_FOREVER), 0);
	expect_last(s, 100, 100);
	free_site(s);
	return 0;
}
