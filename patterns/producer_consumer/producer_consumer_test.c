/* Tests of the buffer between producers and consumers: what goes in comes out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "producer_consumer_testing.h"

#define ROUNDS (TESTING_SLOW ? 2000 : 100000)
#define TASKS_MAX 80

/* --- everything put is taken once --- */

/* Producer p puts p * 1000, p * 1000 + 1, ...; consumers note what they get. */
struct crowd {
	struct weft_buffer *b;
	int producers, consumers, items; /* items of each producer */
	_Atomic int next_producer;
	_Atomic int taken[TASKS_MAX * 1000];
};

static int crowd_put(void *arg)
{
	struct crowd *c = arg;
	int p = weft_fetch_add_relaxed(&c->next_producer, 1), item, err = 0;

	for (int i = 0; i < c->items && !err; i++) {
		item = p * 1000 + i;
		err = weft_buffer_send(c->b, &item, WEFT_FOREVER);
	}
	return err;
}

static int crowd_produce(void *arg)
{
	struct crowd *c = arg;
	int status = 0;

	weft_buffer_produce(c->b, crowd_put, c, &status);
	return status;
}

/* Each producer's items come in their order, at every single consumer. */
static int crowd_take(void *arg)
{
	struct crowd *c = arg;
	int last[TASKS_MAX], item, err;

	for (int i = 0; i < TASKS_MAX; i++)
		last[i] = -1;
	while (!(err = weft_buffer_recv(c->b, &item, WEFT_FOREVER))) {
		weft_fetch_add_relaxed(&c->taken[item], 1);
		CHECK_LT(last[item / 1000], item);
		last[item / 1000] = item;
	}
	return err;
}

static void crowd_run(size_t cap, int producers, int consumers, int items)
{
	struct crowd *c = calloc(1, sizeof(*c));
	struct weft_task *tasks[TASKS_MAX];
	int n = producers + consumers;

	CHECK(c != NULL);
	CHECK_LE(n, TASKS_MAX);
	c->b = new_buffer(cap, (unsigned)producers);
	c->items = items;
	for (int i = 0; i < n; i++)
		tasks[i] = testing_spawn(
		        i < producers ? crowd_produce : crowd_take, c);
	for (int i = 0; i < n; i++)
		CHECK_EQ(testing_join(tasks[i]), i < producers ? 0 : -EPIPE);
	for (int p = 0; p < producers; p++)
		for (int i = 0; i < items; i++)
			CHECK_EQ(weft_load_relaxed(&c->taken[p * 1000 + i]), 1);
	CHECK_EQ(stats_of(c->b).sends, (uint64_t)(producers * items));
	CHECK_EQ(stats_of(c->b).recvs, (uint64_t)(producers * items));
	CHECK_EQ(stats_of(c->b).len, 0u);
	CHECK_LE(stats_of(c->b).high, cap);
	weft_buffer_free(c->b);
	free(c);
}

/* E1 */
TEST(two_producers_of_ten_items_and_three_consumers)
{
	crowd_run(5, 2, 3, 10);
	return 0;
}

/* E4: no power of two in some, and far more than needed in the last. */
TEST(any_capacity_will_do)
{
	static const size_t caps[] = { 0, 1, 2, 3, 7, 50, 1000, 1 << 20 };

	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		crowd_run(caps[i], 2, 2, 200);
	return 0;
}

/* E5, with the shape of Savina's bounded buffer at the end. */
TEST(either_side_may_have_more_tasks)
{
	crowd_run(4, 1, 1, 500);
	crowd_run(4, 8, 1, 100);
	crowd_run(4, 1, 8, 500);
	crowd_run(3, 64, 1, 20);
	crowd_run(3, 1, 64, 200);
	crowd_run(50, 40, 40, TESTING_SLOW ? 20 : 100);
	return 0;
}

/* E4 */
TEST_MANUAL(a_put_without_capacity_waits_until_it_is_taken)
{
	struct crowd *c = calloc(1, sizeof(*c));
	struct weft_task *t;
	int item;

	CHECK(c != NULL);
	c->b = new_buffer(0, 1);
	c->items = 1;
	t = testing_spawn(crowd_produce, c);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(stats_of(c->b).sends, 0u);
	CHECK_EQ(weft_buffer_recv(c->b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(stats_of(c->b).sends, 1u);
	weft_buffer_free(c->b);
	free(c);
	return 0;
}

/* --- bounds --- */

/* E2 */
TEST(a_buffer_never_holds_more_than_its_capacity)
{
	for (size_t cap = 1; cap < 9; cap++) {
		struct weft_buffer *b = new_buffer(cap, 1);
		int item;

		for (size_t i = 0; i < cap; i++)
			CHECK_EQ(weft_buffer_try_send(b, &(int){ (int)i }), 0);
		CHECK_EQ(weft_buffer_try_send(b, &(int){ 0 }), -EAGAIN);
		CHECK_EQ(weft_buffer_send(b, &(int){ 0 }, WEFT_NOW),
		         -ETIMEDOUT);
		CHECK_EQ(stats_of(b).len, cap);
		CHECK_EQ(stats_of(b).cap, cap);
		for (size_t i = 0; i < cap; i++) {
			CHECK_EQ(weft_buffer_try_recv(b, &item), 0);
			CHECK_EQ(item, (int)i);
		}
		CHECK_EQ(weft_buffer_try_recv(b, &item), -EAGAIN);
		CHECK_EQ(weft_buffer_recv(b, &item, WEFT_NOW), -ETIMEDOUT);
		CHECK_EQ(stats_of(b).len, 0u);
		weft_buffer_free(b);
	}
	return 0;
}

TEST(the_high_watermark_stays)
{
	struct weft_buffer *b = new_buffer(5, 1);
	int item = 0;

	CHECK_EQ(stats_of(b).high, 0u);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_try_send(b, &item), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_try_recv(b, &item), 0);
	CHECK_EQ(weft_buffer_try_send(b, &item), 0);
	CHECK_EQ(stats_of(b).high, 3u);
	CHECK_EQ(stats_of(b).sends, 4u);
	CHECK_EQ(stats_of(b).recvs, 3u);
	weft_buffer_free(b);
	return 0;
}

TEST(the_fill_is_counted_as_each_put_leaves_it)
{
	struct weft_buffer *b = new_buffer(4, 1);
	struct weft_buffer_stats stats;
	int items[4] = { 0 };
	size_t done;

	/* 1, 2, 3, 4; then empty, and 3 at once. */
	for (int i = 0; i < 4; i++)
		CHECK_EQ(weft_buffer_send(b, items, WEFT_NOW), 0);
	CHECK_EQ(weft_buffer_recv_many(b, items, 4, &done, WEFT_NOW), 0);
	CHECK_EQ(weft_buffer_send_many(b, items, 3, &done, WEFT_NOW), 0);
	stats = stats_of(b);
	CHECK_EQ(stats.sends, 7u);
	CHECK(stats.mean_fill == (1 + 2 + 3 + 4 + 3 * 3) / 7.0);
	CHECK_EQ(stats.fill[2], 1u);
	CHECK_EQ(stats.fill[4], 1u);
	CHECK_EQ(stats.fill[6], 4u);
	CHECK_EQ(stats.fill[8], 1u);
	CHECK_EQ(stats.fill[0], 0u);
	weft_buffer_free(b);
	return 0;
}

/* An implementation that is loaded may count as it likes. */
TEST(a_length_that_cannot_be_is_not_believed)
{
	struct weft_buffer_opts opts = { .impl = &testing_miscounts,
		                         .cap = 4,
		                         .elem_size = sizeof(int),
		                         .count = true };
	struct weft_buffer_stats stats;
	struct weft_buffer *b;
	int item = 0;

	CHECK_EQ(weft_buffer_new(&b, &opts), 0);
	CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), 0);
	stats = stats_of(b);
	CHECK_EQ(stats.len, 0u);
	CHECK_EQ(stats.high, 0u);
	CHECK_EQ(stats.fill[0], 1u);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), 0);
	stats = stats_of(b);
	CHECK_EQ(stats.len, 4u);
	CHECK_EQ(stats.high, 4u);
	CHECK_EQ(stats.fill[WEFT_BUFFER_FILLS - 1], 3u);
	CHECK(stats.mean_fill == 3 * 4 / 4.0);
	weft_buffer_free(b);
	return 0;
}

/* Without a capacity there are no eighths of it. */
TEST(an_unbounded_buffer_has_no_classes_of_fill)
{
	struct weft_buffer_opts opts = { .impl = weft_chan_impl_find("list"),
		                         .cap = 1,
		                         .elem_size = sizeof(int),
		                         .count = true };
	struct weft_buffer *b;
	int item = 0;

	CHECK_EQ(weft_buffer_new(&b, &opts), 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(weft_buffer_try_send(b, &item), 0);
	CHECK_EQ(stats_of(b).high, 100u);
	CHECK(stats_of(b).mean_fill == 50.5);
	for (int i = 0; i < WEFT_BUFFER_FILLS; i++)
		CHECK_EQ(stats_of(b).fill[i], 0u);
	weft_buffer_free(b);
	return 0;
}

TEST(nothing_is_counted_unless_asked_for)
{
	struct weft_buffer_opts opts = { .cap = 2, .elem_size = sizeof(int) };
	struct weft_buffer *b;
	int item = 0;

	CHECK_EQ(weft_buffer_new(&b, &opts), 0);
	CHECK_EQ(weft_buffer_try_send(b, &item), 0);
	CHECK_EQ(stats_of(b).sends, 0u);
	CHECK_EQ(stats_of(b).high, 0u);
	CHECK(stats_of(b).mean_fill == 0);
	CHECK_EQ(stats_of(b).len, 1u);
	weft_buffer_free(b);
	return 0;
}

TEST(many_items_go_in_and_out_at_once)
{
	struct weft_buffer *b = new_buffer(8, 1);
	int in[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[8];
	size_t done;

	CHECK_EQ(weft_buffer_send_many(b, in, 8, &done, WEFT_NOW), 0);
	CHECK_EQ(done, 8u);
	CHECK_EQ(weft_buffer_send_many(b, in, 1, &done, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(done, 0u);
	CHECK_EQ(weft_buffer_recv_many(b, out, 5, &done, WEFT_NOW), 0);
	CHECK_EQ(done, 5u);
	CHECK_EQ(out[4], 5);
	CHECK_EQ(weft_buffer_send_many(b, in, 8, &done, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(done, 5u);
	CHECK_EQ(stats_of(b).sends, 13u);
	CHECK_EQ(stats_of(b).recvs, 5u);
	weft_buffer_free(b);
	return 0;
}

/* E10 */
TEST(items_of_no_bytes_are_counted)
{
	struct weft_buffer_opts opts = { .cap = 3, .count = true };
	struct weft_buffer *b;

	CHECK_EQ(weft_buffer_new(&b, &opts), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_send(b, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_try_send(b, NULL), -EAGAIN);
	CHECK_EQ(weft_buffer_done(b), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_recv(b, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_recv(b, NULL, WEFT_FOREVER), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

/* --- try --- */

static int shuffle_one(void *arg)
{
	struct weft_buffer *b = arg;
	int item;

	for (int i = 0; i < ROUNDS; i++) {
		/* One put before each take: it is never empty here. */
		CHECK_EQ(weft_buffer_send(b, &i, WEFT_FOREVER), 0);
		CHECK_EQ(weft_buffer_try_recv(b, &item), 0);
	}
	return 0;
}

/* E9; `weft check` asks every channel for it: whoever_sent_finds_an_element,
 * and close_does_not_hide_an_element_from_try_recv. */
TEST(a_buffer_that_is_never_empty_never_says_so)
{
	struct weft_buffer *b = new_buffer(10, 2);
	struct weft_task *other = testing_spawn(shuffle_one, b);

	CHECK_EQ(shuffle_one(b), 0);
	CHECK_EQ(testing_join(other), 0);
	CHECK_EQ(stats_of(b).len, 0u);
	weft_buffer_free(b);
	return 0;
}

/* --- items that own something --- */

/* --- overflow --- */

/* A buffer of ints that drops: what it dropped, in order. */
struct dropping {
	struct weft_buffer *b;
	int dropped[20], drops;
};

static void note_drop(void *elem, void *arg)
{
	struct dropping *d = arg;

	CHECK_EQ((uintptr_t)elem % WEFT_CACHE_LINE, 0u);
	CHECK_LT(d->drops, 20);
	memcpy(&d->dropped[d->drops++], elem, sizeof(int));
}

static void drop_into(struct dropping *d, size_t cap,
                      enum weft_overflow overflow)
{
	struct weft_buffer_opts opts = { .cap = cap,
		                         .elem_size = sizeof(int),
		                         .overflow = overflow,
		                         .count = true,
		                         .drop = note_drop,
		                         .drop_arg = d };

	*d = (struct dropping){ .drops = 0 };
	CHECK_EQ(weft_buffer_new(&d->b, &opts), 0);
}

/* The next n items must be first, first + 1, ... */
static void expect_items(struct weft_buffer *b, int first, int n)
{
	int item;

	for (int i = 0; i < n; i++) {
		CHECK_EQ(weft_buffer_try_recv(b, &item), 0);
		CHECK_EQ(item, first + i);
	}
	CHECK_EQ(weft_buffer_try_recv(b, &item), -EAGAIN);
}

/* Nobody takes here: a put that waited would wait for ever. */
static void put_ten(struct weft_buffer *b)
{
	int item = 0, rest[5] = { 5, 6, 7, 8, 9 };
	size_t done;

	for (; item < 3; item++)
		CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), 0);
	for (; item < 5; item++)
		CHECK_EQ(weft_buffer_try_send(b, &item), 0);
	CHECK_EQ(weft_buffer_send_many(b, rest, 5, &done, WEFT_FOREVER), 0);
	CHECK_EQ(done, 5u);
}

TEST(the_newest_are_dropped_when_it_is_full)
{
	struct dropping d;

	drop_into(&d, 4, WEFT_OVERFLOW_DROP_NEWEST);
	put_ten(d.b);
	CHECK_EQ(d.drops, 6);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(d.dropped[i], 4 + i);
	CHECK_EQ(stats_of(d.b).sends, 10u);
	CHECK_EQ(stats_of(d.b).dropped, 6u);
	expect_items(d.b, 0, 4);
	weft_buffer_free(d.b);
	CHECK_EQ(d.drops, 6);
	return 0;
}

TEST(the_oldest_are_dropped_when_it_is_full)
{
	struct dropping d;

	drop_into(&d, 4, WEFT_OVERFLOW_DROP_OLDEST);
	put_ten(d.b);
	CHECK_EQ(d.drops, 6);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(d.dropped[i], i);
	CHECK_EQ(stats_of(d.b).sends, 10u);
	CHECK_EQ(stats_of(d.b).dropped, 6u);
	expect_items(d.b, 6, 4);
	weft_buffer_free(d.b);
	CHECK_EQ(d.drops, 6);
	return 0;
}

/* Capacity 0: whoever waits gets it, and nobody else does. */
TEST(without_capacity_the_newest_is_dropped_unless_someone_waits)
{
	struct dropping d;
	int item = 3;

	drop_into(&d, 0, WEFT_OVERFLOW_DROP_NEWEST);
	CHECK_EQ(weft_buffer_send(d.b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(d.drops, 1);
	CHECK_EQ(weft_buffer_try_recv(d.b, &item), -EAGAIN);
	weft_buffer_free(d.b);
	return 0;
}

TEST(a_closed_buffer_drops_nothing)
{
	for (int policy = WEFT_OVERFLOW_DROP_NEWEST;
	     policy <= WEFT_OVERFLOW_DROP_OLDEST; policy++) {
		struct dropping d;
		int item = 0;

		drop_into(&d, 1, (enum weft_overflow)policy);
		CHECK_EQ(weft_buffer_send(d.b, &item, WEFT_FOREVER), 0);
		CHECK_EQ(weft_buffer_close(d.b), 0);
		CHECK_EQ(weft_buffer_send(d.b, &item, WEFT_FOREVER), -EPIPE);
		CHECK_EQ(weft_buffer_try_send(d.b, &item), -EPIPE);
		CHECK_EQ(d.drops, 0);
		CHECK_EQ(weft_buffer_stop(d.b), 0);
		CHECK_EQ(weft_buffer_send(d.b, &item, WEFT_FOREVER),
		         -ECANCELED);
		weft_buffer_free(d.b);
		CHECK_EQ(d.drops, 1);
	}
	return 0;
}

/* Whoever drops and whoever takes share what was put: each item goes to one of
 * them, once. */
struct scramble {
	struct weft_buffer *b;
	int per_producer;
	_Atomic int next_producer;
	_Atomic int *gone; /* by item: taken or dropped */
};

static void scramble_drop(void *elem, void *arg)
{
	struct scramble *s = arg;
	int item;

	memcpy(&item, elem, sizeof(item));
	weft_fetch_add_relaxed(&s->gone[item], 1);
}

static int scramble_put(void *arg)
{
	struct scramble *s = arg;
	int item =
	        weft_fetch_add_relaxed(&s->next_producer, 1) * s->per_producer;

	for (int i = 0; i < s->per_producer; i++, item++)
		CHECK_EQ(weft_buffer_send(s->b, &item, WEFT_FOREVER), 0);
	return weft_buffer_done(s->b);
}

static int scramble_take(void *arg)
{
	struct scramble *s = arg;
	int item;

	while (weft_buffer_recv(s->b, &item, WEFT_FOREVER) == 0)
		weft_fetch_add_relaxed(&s->gone[item], 1);
	return 0;
}

static void scramble_run(const struct weft_chan_impl *impl,
                         enum weft_overflow policy)
{
	struct scramble s = { .per_producer = ROUNDS / 50 };
	struct weft_buffer_opts opts = {
		.impl = impl,
		.cap = 3,
		.elem_size = sizeof(int),
		.overflow = policy,
		.producers = 3,
		.count = true,
		.drop = scramble_drop,
		.drop_arg = &s,
	};
	struct weft_task *tasks[4];
	struct weft_buffer_stats stats;
	int items = 3 * s.per_producer;

	s.gone = calloc((size_t)items, sizeof(*s.gone));
	CHECK(s.gone != NULL);
	CHECK_EQ(weft_buffer_new(&s.b, &opts), 0);
	for (int i = 0; i < 4; i++)
		tasks[i] = testing_spawn(i ? scramble_put : scramble_take, &s);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(testing_join(tasks[i]), 0);
	for (int i = 0; i < items; i++)
		CHECK_EQ(weft_load_relaxed(&s.gone[i]), 1);
	stats = stats_of(s.b);
	CHECK_EQ(stats.sends, (uint64_t)items);
	CHECK_EQ(stats.sends, stats.recvs + stats.dropped);
	weft_buffer_free(s.b);
	free(s.gone);
}

TEST(each_item_is_taken_or_dropped_and_never_both)
{
	static const char *const impls[] = { "condvar", "handoff", "ring" };

	for (size_t i = 0; i < sizeof(impls) / sizeof(impls[0]); i++) {
		const struct weft_chan_impl *impl =
		        weft_chan_impl_find(impls[i]);

		scramble_run(impl, WEFT_OVERFLOW_DROP_NEWEST);
		scramble_run(impl, WEFT_OVERFLOW_DROP_OLDEST);
	}
	return 0;
}

/* --- bad input --- */

TEST(a_buffer_that_makes_no_sense_is_refused)
{
	struct weft_buffer_opts wide = { .elem_size = WEFT_ELEM_MAX + 1 };
	struct weft_buffer_opts odd = { .wait = (enum weft_wait)9 };
	struct weft_buffer_opts zero = { .impl = &testing_one_to_one };
	struct weft_buffer_opts no_oldest = {
		.overflow = WEFT_OVERFLOW_DROP_OLDEST
	};
	struct weft_buffer_opts one_taker = {
		.impl = &testing_one_to_one,
		.cap = 1,
		.overflow = WEFT_OVERFLOW_DROP_OLDEST
	};
	struct weft_buffer_opts no_policy = { .overflow =
		                                      (enum weft_overflow)3 };
	struct weft_buffer_opts many = { .impl = &testing_one_to_one,
		                         .cap = 1 };
	struct weft_buffer *b = NULL;

	many.producers = 2;
	CHECK_EQ(weft_buffer_new(&b, &many), -EINVAL);
	many.producers = 1;
	many.consumers = 2;
	CHECK_EQ(weft_buffer_new(&b, &many), -EINVAL);
	CHECK_EQ(weft_buffer_new(NULL, NULL), -EINVAL);
	CHECK_EQ(weft_buffer_new(&b, &wide), -EINVAL);
	CHECK_EQ(weft_buffer_new(&b, &odd), -EINVAL);
	CHECK_EQ(weft_buffer_new(&b, &zero), -EINVAL);
	/* With DROP_OLDEST producers receive as well. */
	CHECK_EQ(weft_buffer_new(&b, &no_oldest), -EINVAL);
	CHECK_EQ(weft_buffer_new(&b, &one_taker), -EINVAL);
	CHECK_EQ(weft_buffer_new(&b, &no_policy), -EINVAL);
	CHECK(b == NULL);
	CHECK_EQ(weft_buffer_new(&b, NULL), 0);
	weft_buffer_free(b);
	return 0;
}

TEST(what_is_needed_may_not_be_missing)
{
	struct weft_buffer *b = new_buffer(1, 1);
	size_t done;
	int v = 0;

	CHECK_EQ(weft_buffer_try_send(NULL, &v), -EINVAL);
	CHECK_EQ(weft_buffer_try_recv(NULL, &v), -EINVAL);
	CHECK_EQ(weft_buffer_send_many(NULL, &v, 1, &done, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_recv_many(NULL, &v, 1, &done, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_send_many(b, &v, 1, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_recv_many(b, &v, 1, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_send(b, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_recv(b, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_attach(NULL), -EINVAL);
	CHECK_EQ(weft_buffer_done(NULL), -EINVAL);
	CHECK_EQ(weft_buffer_produce(NULL, put_main, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_buffer_produce(b, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_buffer_leave(NULL), -EINVAL);
	CHECK_EQ(weft_buffer_consume(NULL, put_main, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_buffer_consume(b, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(stats_of(b).producers, 1u);
	weft_buffer_free(b);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        two_producers_of_ten_items_and_three_consumers),
		cmocka_unit_test(any_capacity_will_do),
		cmocka_unit_test(either_side_may_have_more_tasks),
		cmocka_unit_test(
		        a_put_without_capacity_waits_until_it_is_taken),
		cmocka_unit_test(a_buffer_never_holds_more_than_its_capacity),
		cmocka_unit_test(the_high_watermark_stays),
		cmocka_unit_test(the_fill_is_counted_as_each_put_leaves_it),
		cmocka_unit_test(a_length_that_cannot_be_is_not_believed),
		cmocka_unit_test(an_unbounded_buffer_has_no_classes_of_fill),
		cmocka_unit_test(nothing_is_counted_unless_asked_for),
		cmocka_unit_test(many_items_go_in_and_out_at_once),
		cmocka_unit_test(items_of_no_bytes_are_counted),
		cmocka_unit_test(a_buffer_that_is_never_empty_never_says_so),
		cmocka_unit_test(the_newest_are_dropped_when_it_is_full),
		cmocka_unit_test(the_oldest_are_dropped_when_it_is_full),
		cmocka_unit_test(
		        without_capacity_the_newest_is_dropped_unless_someone_waits),
		cmocka_unit_test(a_closed_buffer_drops_nothing),
		cmocka_unit_test(each_item_is_taken_or_dropped_and_never_both),
		cmocka_unit_test(a_buffer_that_makes_no_sense_is_refused),
		cmocka_unit_test(what_is_needed_may_not_be_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
