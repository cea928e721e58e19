/* Tests of the fan: which worker gets an item, and what a slow one holds up. */
#include "fan_testing.h"

/* --- stragglers --- */

/* E5: what is done before its turn is bounded by the window. */
TEST_MANUAL(a_straggler_holds_up_no_more_than_the_window)
{
	struct site *s = new_site(0);
	struct weft_fan *f =
	        new_fan(ordered, (struct weft_fan_opts){ .fn = held_up,
	                                                 .arg = s,
	                                                 .workers = 3,
	                                                 .cap = 64,
	                                                 .window = 8 });
	struct source source = { f, 0, 20, true };
	struct weft_task *t = testing_spawn(source_main, &source);
	int result;

	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats_of(f).window, 8u);
	CHECK_EQ(weft_load_relaxed(&s->calls), 8);
	CHECK_EQ(stats_of(f).out, 7u);
	CHECK_EQ(stats_of(f).ahead, 7u);
	CHECK_EQ(weft_fan_try_recv(f, &result), -EAGAIN);
	open_gate(s);
	expect_all(f, 20, 1, true);
	CHECK_EQ(testing_join(t), 0);
	CHECK_LT(stats_of(f).ahead, 8u);
	weft_fan_free(f);
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
	struct site *s = new_site(0);
	struct weft_fan *f =
	        new_fan(shape, (struct weft_fan_opts){ .fn = held_up,
	                                               .arg = s,
	                                               .workers = 3,
	                                               .cap = cap,
	                                               .batch = batch });
	struct source first = { f, 0, 1, false }, others = { f, 1, 50, true };
	struct weft_task *t;
	int result, n;

	/* Nothing is taken along with the one that is held up. */
	CHECK_EQ(source_main(&first), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	t = testing_spawn(source_main, &others);
	n = receive_what_comes(f);
	CHECK_EQ(testing_join(t), 0);
	CHECK_LE(49 - (int)cap, n);
	CHECK_LT(n, 50);
	open_gate(s);
	while (!weft_fan_recv(f, &result, WEFT_FOREVER))
		n++;
	CHECK_EQ(n, 50);
	weft_fan_free(f);
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
static struct weft_fan *all_at_the_gate(struct site *s, enum weft_fan_deal deal,
                                        unsigned workers, size_t cap,
                                        size_t batch)
{
	struct shape shape = { deal, WEFT_FAN_UNORDERED };
	struct weft_fan *f =
	        new_fan(shape, (struct weft_fan_opts){ .fn = held_up,
	                                               .arg = s,
	                                               .workers = workers,
	                                               .cap = cap,
	                                               .batch = batch });

	/* An idle worker is the least loaded, so all of them get one; of those
	 * that are dealt at random, some may get several. */
	if (deal != WEFT_FAN_RANDOM)
		send_some(f, (int)workers);
	CHECK_EQ(weft_clock_settle(), 0);
	return f;
}

static void end_gate(struct weft_fan *f, struct site *s)
{
	open_gate(s);
	weft_fan_free(f);
	free_site(s);
}

TEST_MANUAL(each_worker_in_turn_gets_the_next_item)
{
	struct site *s = new_site(-1);
	struct weft_fan *f = all_at_the_gate(s, WEFT_FAN_ROUND_ROBIN, 3, 10, 1);

	send_some(f, 9);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(worker_of(f, i).queued, 3u);
	end_gate(f, s);
	return 0;
}

TEST_MANUAL(the_least_loaded_worker_gets_the_next_item)
{
	struct site *s = new_site(-1);
	struct weft_fan *f =
	        all_at_the_gate(s, WEFT_FAN_LEAST_LOADED, 3, 10, 1);

	for (unsigned round = 1; round <= 3; round++) {
		send_some(f, 3);
		for (unsigned i = 0; i < 3; i++)
			CHECK_EQ(worker_of(f, i).queued, round);
	}
	end_gate(f, s);
	return 0;
}

/* Goes on when somebody sends to the gate, or has closed it. */
static int let_through(const void *in, void *out, unsigned worker, void *arg)
{
	struct site *s = arg;
	int err = weft_chan_recv(s->gate, NULL, WEFT_FOREVER);

	CHECK(err == 0 || err == -EPIPE);
	return pass(in, out, worker, NULL);
}

TEST_MANUAL(what_is_in_a_batch_counts_as_load)
{
	struct site *s = new_site(-1);
	struct weft_fan *f = new_fan(
	        (struct shape){ WEFT_FAN_LEAST_LOADED, WEFT_FAN_UNORDERED },
	        (struct weft_fan_opts){ .fn = let_through,
	                                .arg = s,
	                                .workers = 2,
	                                .cap = 10,
	                                .batch = 4 });
	unsigned ahead;

	send_some(f, 8); /* each has one in hand, and three in its queue */
	CHECK_EQ(weft_chan_send(s->gate, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	ahead = worker_of(f, 0).queued == 0 ? 0 : 1;
	CHECK_EQ(worker_of(f, ahead).queued, 0u);
	CHECK_EQ(worker_of(f, 1 - ahead).queued, 3u);
	/* Three unfinished, and four: not one and four. */
	send_some(f, 3);
	CHECK_EQ(worker_of(f, ahead).queued, 2u);
	CHECK_EQ(worker_of(f, 1 - ahead).queued, 4u);
	end_gate(f, s);
	return 0;
}

TEST_MANUAL(a_worker_at_random_gets_the_next_item)
{
	struct site *s = new_site(-1);
	struct weft_fan *f = all_at_the_gate(s, WEFT_FAN_RANDOM, 4, 1000, 1);

	send_some(f, 800);
	CHECK_EQ(weft_clock_settle(), 0);
	/* 200 each are expected, with a standard deviation of 12. */
	for (unsigned i = 0; i < 4; i++) {
		CHECK_LT(100u, worker_of(f, i).queued);
		CHECK_LT(worker_of(f, i).queued, 300u);
	}
	end_gate(f, s);
	return 0;
}

static int send_one_main(void *arg)
{
	int item = 7;

	return weft_fan_send(arg, &item, WEFT_FOREVER);
}

static void fill_every_queue(enum weft_fan_deal deal, size_t batch)
{
	struct site *s = new_site(-1);
	struct weft_fan *f = all_at_the_gate(s, deal, 3, 2, batch);
	struct weft_task *t;
	int room = deal == WEFT_FAN_RANDOM ? 9 : 6, item = 7;

	send_some(f, room);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(worker_of(f, i).queued, 2u);
	CHECK_EQ(weft_fan_try_send(f, &item), -EAGAIN);
	CHECK_EQ(weft_fan_send(f, &item, WEFT_NOW), -ETIMEDOUT);
	t = testing_spawn(send_one_main, f);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_join_until(t, NULL, WEFT_NOW), -ETIMEDOUT);
	/* Any worker that comes back makes room. */
	open_gate(s);
	while (weft_fan_recv(f, &item, WEFT_NOW) == 0 || stats_of(f).out < 10)
		CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(testing_join(t), 0);
	weft_fan_free(f);
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

static const struct shape broadcast = { WEFT_FAN_BROADCAST,
	                                WEFT_FAN_UNORDERED };

struct copies {
	int next[WORKERS_MAX]; /* each worker's own */
};

static int expect_next(const void *in, void *out, unsigned worker, void *arg)
{
	struct copies *c = arg;

	CHECK_EQ(*(const int *)in, c->next[worker]++);
	*(int *)out = (int)worker;
	return WEFT_EMIT;
}

/* E10 (6 items, 3 workers, and more), E9: all end when the source closes. */
TEST(a_broadcast_reaches_every_worker_in_the_same_order)
{
	static const int items[] = { 0, 1, 6, 500 };

	for (size_t i = 0; i < 4; i++) {
		struct copies c = { .next = { 0 } };
		struct weft_fan *f = new_fan(
		        broadcast, (struct weft_fan_opts){ .fn = expect_next,
		                                           .arg = &c,
		                                           .workers = 3,
		                                           .cap = i % 3 });
		struct source source = { f, 0, items[i], true };
		struct weft_task *t = testing_spawn(source_main, &source);
		int worker, n[3] = { 0 };

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

TEST_MANUAL(a_full_worker_pauses_a_broadcast_to_all)
{
	struct site *s = new_site(0);
	struct weft_fan *f = new_fan(
	        broadcast, (struct weft_fan_opts){ .fn = hold_first_worker,
	                                           .arg = s,
	                                           .workers = 3,
	                                           .cap = 4 });
	struct source source = { f, 0, 100, true };
	struct weft_task *t = testing_spawn(source_main, &source);

	CHECK_EQ(weft_clock_settle(), 0);
	/* One in its hands and four in its queue: it is the first to be sent
	 * to, so nobody has a sixth. */
	CHECK_EQ(weft_load_relaxed(&s->last_of[0]), 0);
	CHECK_EQ(weft_load_relaxed(&s->last_of[1]), 5);
	CHECK_EQ(weft_load_relaxed(&s->last_of[2]), 5);
	open_gate(s);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
	for (int w = 0; w < 3; w++)
		CHECK_EQ(weft_load_relaxed(&s->last_of[w]), 100);
	weft_fan_free(f);
	free_site(s);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_straggler_holds_up_no_more_than_the_window),
		cmocka_unit_test(a_straggler_holds_up_nobody_else),
		cmocka_unit_test(each_worker_in_turn_gets_the_next_item),
		cmocka_unit_test(the_least_loaded_worker_gets_the_next_item),
		cmocka_unit_test(what_is_in_a_batch_counts_as_load),
		cmocka_unit_test(a_worker_at_random_gets_the_next_item),
		cmocka_unit_test(a_send_waits_only_when_every_queue_is_full),
		cmocka_unit_test(
		        a_broadcast_reaches_every_worker_in_the_same_order),
		cmocka_unit_test(a_full_worker_pauses_a_broadcast_to_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
