/* Tests of the buffer between producers and consumers, its kernel and demo. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing.h"
#include "testing_demo.h"

#include <weft/atomic.h>

#include "producer_consumer.h"

#define STOPS (TESTING_SLOW ? 100 : 1000)
#define ROUNDS (TESTING_SLOW ? 2000 : 100000)
#define TASKS_MAX 80

static struct weft_buffer *new_buffer(size_t cap, unsigned producers)
{
	struct weft_buffer_opts opts = { .cap = cap,
		                         .elem_size = sizeof(int),
		                         .producers = producers,
		                         .count = true };
	struct weft_buffer *b;

	CHECK_EQ(weft_buffer_new(&b, &opts), 0);
	return b;
}

static struct weft_buffer_stats stats_of(const struct weft_buffer *b)
{
	struct weft_buffer_stats stats;

	weft_buffer_stats(b, &stats);
	return stats;
}

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
		err = weft_buffer_put(c->b, &item, WEFT_FOREVER);
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
	while (!(err = weft_buffer_take(c->b, &item, WEFT_FOREVER))) {
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
	CHECK_EQ(stats_of(c->b).puts, (uint64_t)(producers * items));
	CHECK_EQ(stats_of(c->b).takes, (uint64_t)(producers * items));
	CHECK_EQ(stats_of(c->b).len, 0u);
	CHECK_LE(stats_of(c->b).high, cap);
	weft_buffer_free(c->b);
	free(c);
}

TEST(two_producers_of_ten_items_and_three_consumers)
{
	crowd_run(5, 2, 3, 10);
	return 0;
}

TEST(any_capacity_will_do)
{
	static const size_t caps[] = { 0, 1, 2, 3, 7, 50, 1000, 1 << 20 };

	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		crowd_run(caps[i], 2, 2, 200);
	return 0;
}

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
	CHECK_EQ(stats_of(c->b).puts, 0u);
	CHECK_EQ(weft_buffer_take(c->b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(stats_of(c->b).puts, 1u);
	weft_buffer_free(c->b);
	free(c);
	return 0;
}

/* --- bounds --- */

TEST(a_buffer_never_holds_more_than_its_capacity)
{
	for (size_t cap = 1; cap < 9; cap++) {
		struct weft_buffer *b = new_buffer(cap, 1);
		int item;

		for (size_t i = 0; i < cap; i++)
			CHECK_EQ(weft_buffer_try_put(b, &(int){ (int)i }), 0);
		CHECK_EQ(weft_buffer_try_put(b, &(int){ 0 }), -EAGAIN);
		CHECK_EQ(weft_buffer_put(b, &(int){ 0 }, WEFT_NOW), -ETIMEDOUT);
		CHECK_EQ(stats_of(b).len, cap);
		CHECK_EQ(stats_of(b).cap, cap);
		for (size_t i = 0; i < cap; i++) {
			CHECK_EQ(weft_buffer_try_take(b, &item), 0);
			CHECK_EQ(item, (int)i);
		}
		CHECK_EQ(weft_buffer_try_take(b, &item), -EAGAIN);
		CHECK_EQ(weft_buffer_take(b, &item, WEFT_NOW), -ETIMEDOUT);
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
		CHECK_EQ(weft_buffer_try_put(b, &item), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_try_take(b, &item), 0);
	CHECK_EQ(weft_buffer_try_put(b, &item), 0);
	CHECK_EQ(stats_of(b).high, 3u);
	CHECK_EQ(stats_of(b).puts, 4u);
	CHECK_EQ(stats_of(b).takes, 3u);
	weft_buffer_free(b);
	return 0;
}

TEST(nothing_is_counted_unless_asked_for)
{
	struct weft_buffer_opts opts = { .cap = 2, .elem_size = sizeof(int) };
	struct weft_buffer *b;
	int item = 0;

	CHECK_EQ(weft_buffer_new(&b, &opts), 0);
	CHECK_EQ(weft_buffer_try_put(b, &item), 0);
	CHECK_EQ(stats_of(b).puts, 0u);
	CHECK_EQ(stats_of(b).high, 0u);
	CHECK_EQ(stats_of(b).len, 1u);
	weft_buffer_free(b);
	return 0;
}

TEST(many_items_go_in_and_out_at_once)
{
	struct weft_buffer *b = new_buffer(8, 1);
	int in[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[8];
	size_t done;

	CHECK_EQ(weft_buffer_put_many(b, in, 8, &done, WEFT_NOW), 0);
	CHECK_EQ(done, 8u);
	CHECK_EQ(weft_buffer_put_many(b, in, 1, &done, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(done, 0u);
	CHECK_EQ(weft_buffer_take_many(b, out, 5, &done, WEFT_NOW), 0);
	CHECK_EQ(done, 5u);
	CHECK_EQ(out[4], 5);
	CHECK_EQ(weft_buffer_put_many(b, in, 8, &done, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(done, 5u);
	CHECK_EQ(stats_of(b).puts, 13u);
	CHECK_EQ(stats_of(b).takes, 5u);
	weft_buffer_free(b);
	return 0;
}

TEST(items_of_no_bytes_are_counted)
{
	struct weft_buffer_opts opts = { .cap = 3, .count = true };
	struct weft_buffer *b;

	CHECK_EQ(weft_buffer_new(&b, &opts), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_put(b, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_try_put(b, NULL), -EAGAIN);
	CHECK_EQ(weft_buffer_done(b), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_buffer_take(b, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_take(b, NULL, WEFT_FOREVER), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

/* --- the end --- */

static int take_main(void *arg)
{
	int item;

	return weft_buffer_take(arg, &item, WEFT_FOREVER);
}

static int put_main(void *arg)
{
	int item = 1;

	return weft_buffer_put(arg, &item, WEFT_FOREVER);
}

TEST(the_last_producer_that_is_done_closes)
{
	struct weft_buffer *b = new_buffer(4, 3);
	int item = 5;

	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(stats_of(b).producers, 1u);
	CHECK_EQ(weft_buffer_put(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_put(b, &item, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_buffer_done(b), -EINVAL);
	item = 0;
	CHECK_EQ(weft_buffer_take(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(item, 5);
	CHECK_EQ(weft_buffer_take(b, &item, WEFT_FOREVER), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

TEST_MANUAL(the_end_reaches_every_consumer)
{
	struct weft_buffer *b = new_buffer(4, 1);
	struct weft_task *tasks[5];

	for (int i = 0; i < 5; i++)
		tasks[i] = testing_spawn(take_main, b);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(testing_join(tasks[i]), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

TEST(a_producer_may_attach_while_another_is_not_done)
{
	struct weft_buffer *b = new_buffer(4, 0);
	int item = 1;

	CHECK_EQ(stats_of(b).producers, 1u);
	CHECK_EQ(weft_buffer_attach(b), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_put(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_attach(b), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

TEST(nobody_attaches_to_a_buffer_that_has_ended)
{
	struct weft_buffer *b = new_buffer(4, 2);

	CHECK_EQ(weft_buffer_close(b), 0);
	CHECK_EQ(weft_buffer_attach(b), -EPIPE);
	/* The producers that there were still say so without harm. */
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	weft_buffer_free(b);

	b = new_buffer(4, 2);
	CHECK_EQ(weft_buffer_stop(b), 0);
	CHECK_EQ(weft_buffer_attach(b), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

/* --- a producer that dies --- */

static int return_error(void *arg)
{
	(void)arg;
	return -EDOM;
}

static int exit_task(void *arg)
{
	(void)arg;
	weft_task_exit(-ERANGE);
}

static int exit_thread(void *arg)
{
	(void)arg;
	pthread_exit(NULL);
}

struct mortal {
	struct weft_buffer *b;
	weft_task_fn fn;
	int how, status;
};

static int mortal_main(void *arg)
{
	struct mortal *m = arg;

	m->how = weft_buffer_produce(m->b, m->fn, NULL, &m->status);
	return 0;
}

static void expect_death(weft_task_fn fn, int joined, int how, int status)
{
	struct mortal m = { .b = new_buffer(1, 1), .fn = fn };
	struct weft_task *consumer = testing_spawn(take_main, m.b);
	struct weft_task *producer = testing_spawn(mortal_main, &m);

	CHECK_EQ(testing_join(consumer), -EPIPE);
	CHECK_EQ(testing_join(producer), joined);
	CHECK_EQ(m.how, how);
	CHECK_EQ(m.status, status);
	weft_buffer_free(m.b);
}

TEST(a_producer_that_dies_leaves_no_consumer_waiting)
{
	expect_death(return_error, 0, 0, -EDOM);
	expect_death(exit_task, 0, -ECANCELED, -ERANGE);
	expect_death(exit_thread, -ECANCELED, 0, 0);
	return 0;
}

/* --- close and stop --- */

TEST_MANUAL(close_releases_producers_and_drains)
{
	struct weft_buffer *b = new_buffer(1, 1);
	struct weft_task *blocked;
	int item = 9;

	CHECK_EQ(weft_buffer_put(b, &item, WEFT_FOREVER), 0);
	blocked = testing_spawn(put_main, b);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_buffer_close(b), 0);
	CHECK_EQ(weft_buffer_close(b), -EPIPE);
	CHECK_EQ(testing_join(blocked), -EPIPE);
	item = 0;
	CHECK_EQ(weft_buffer_take(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(item, 9);
	CHECK_EQ(weft_buffer_take(b, &item, WEFT_FOREVER), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

TEST_MANUAL(stop_releases_everyone)
{
	struct weft_buffer *full = new_buffer(1, 1), *empty = new_buffer(1, 1);
	struct weft_task *putter, *taker;
	size_t done;
	int item = 9;

	CHECK_EQ(weft_buffer_put(full, &item, WEFT_FOREVER), 0);
	putter = testing_spawn(put_main, full);
	taker = testing_spawn(take_main, empty);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_buffer_stop(full), 0);
	CHECK_EQ(weft_buffer_stop(empty), 0);
	CHECK_EQ(weft_buffer_stop(empty), 0);
	CHECK_EQ(testing_join(putter), -ECANCELED);
	CHECK_EQ(testing_join(taker), -ECANCELED);
	/* What is left inside is not handed out. */
	CHECK_EQ(weft_buffer_take(full, &item, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_buffer_try_take(full, &item), -ECANCELED);
	CHECK_EQ(weft_buffer_take_many(full, &item, 1, &done, WEFT_FOREVER),
	         -ECANCELED);
	CHECK_EQ(weft_buffer_put(full, &item, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_buffer_try_put(full, &item), -ECANCELED);
	CHECK_EQ(weft_buffer_close(full), -EPIPE);
	weft_buffer_free(full);
	weft_buffer_free(empty);
	return 0;
}

TEST(a_closed_buffer_may_still_be_stopped)
{
	struct weft_buffer *b = new_buffer(1, 1);
	int item = 1;

	CHECK_EQ(weft_buffer_put(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_close(b), 0);
	CHECK_EQ(weft_buffer_stop(b), 0);
	CHECK_EQ(weft_buffer_take(b, &item, WEFT_FOREVER), -ECANCELED);
	weft_buffer_free(b);
	return 0;
}

static int put_for_ever(void *arg)
{
	int item = 0, err;

	do
		err = weft_buffer_put(arg, &item, WEFT_FOREVER);
	while (!err);
	return err;
}

static int take_for_ever(void *arg)
{
	int item, err;

	do
		err = weft_buffer_take(arg, &item, WEFT_FOREVER);
	while (!err);
	return err;
}

TEST(a_buffer_may_be_stopped_at_any_moment)
{
	for (int i = 0; i < STOPS; i++) {
		struct weft_buffer *b = new_buffer(weft_rand() % 3, 2);
		struct weft_task *tasks[4];

		for (int k = 0; k < 4; k++)
			tasks[k] = testing_spawn(
			        k < 2 ? put_for_ever : take_for_ever, b);
		for (uint64_t n = weft_rand() % 2000; n > 0; n--)
			weft_relax();
		CHECK_EQ(weft_buffer_stop(b), 0);
		for (int k = 0; k < 4; k++)
			CHECK_EQ(testing_join(tasks[k]), -ECANCELED);
		weft_buffer_free(b);
	}
	return 0;
}

/* --- deadlines --- */

struct timed {
	struct weft_buffer *b;
	int64_t deadline_ns, returned_at;
	int item;
};

static int timed_take(void *arg)
{
	struct timed *t = arg;
	int err = weft_buffer_take(t->b, &t->item, t->deadline_ns);

	t->returned_at = weft_now();
	return err;
}

static int timed_put(void *arg)
{
	struct timed *t = arg;
	int err = weft_buffer_put(t->b, &t->item, t->deadline_ns);

	t->returned_at = weft_now();
	return err;
}

TEST_MANUAL(takes_and_puts_end_at_their_deadline)
{
	struct weft_buffer *b = new_buffer(1, 1);
	struct timed t = { .b = b, .deadline_ns = weft_deadline_in(WEFT_SEC) };
	struct weft_task *task = testing_spawn(timed_take, &t);

	CHECK_EQ(testing_join_moving(task), -ETIMEDOUT);
	CHECK_EQ(t.returned_at, t.deadline_ns);

	CHECK_EQ(weft_buffer_try_put(b, &t.item), 0);
	t.deadline_ns = weft_deadline_in(WEFT_SEC);
	task = testing_spawn(timed_put, &t);
	CHECK_EQ(testing_join_moving(task), -ETIMEDOUT);
	CHECK_EQ(t.returned_at, t.deadline_ns);
	/* The put that failed has put nothing. */
	CHECK_EQ(stats_of(b).len, 1u);
	weft_buffer_free(b);
	return 0;
}

/* Takes with short deadlines against puts with short deadlines: whatever each
 * reports, nothing is lost and nothing comes twice. */
static int hasty_take(void *arg)
{
	struct weft_buffer *b = arg;
	int item, n = 0, err;

	for (;;) {
		err = weft_buffer_take(b, &item, weft_deadline_in(1000));
		if (err == -EPIPE)
			return n;
		CHECK(err == 0 || err == -ETIMEDOUT);
		n += !err;
	}
}

static int hasty_put(void *arg)
{
	struct weft_buffer *b = arg;
	int n = 0, err;

	for (int i = 0; i < ROUNDS / 100; i++) {
		err = weft_buffer_put(b, &i, weft_deadline_in(1000));
		CHECK(err == 0 || err == -ETIMEDOUT);
		n += !err;
	}
	weft_buffer_done(b);
	return n;
}

TEST(a_deadline_that_meets_an_item_neither_loses_nor_doubles_it)
{
	for (size_t cap = 0; cap < 3; cap++) {
		struct weft_buffer *b = new_buffer(cap, 2);
		struct weft_task *tasks[4];
		int put = 0, taken = 0;

		for (int k = 0; k < 4; k++)
			tasks[k] = testing_spawn(k < 2 ? hasty_put : hasty_take,
			                         b);
		for (int k = 0; k < 4; k++)
			*(k < 2 ? &put : &taken) += testing_join(tasks[k]);
		CHECK_EQ(put, taken);
		weft_buffer_free(b);
	}
	return 0;
}

/* --- try --- */

static int shuffle_one(void *arg)
{
	struct weft_buffer *b = arg;
	int item;

	for (int i = 0; i < ROUNDS; i++) {
		/* One put before each take: it is never empty here. */
		CHECK_EQ(weft_buffer_put(b, &i, WEFT_FOREVER), 0);
		CHECK_EQ(weft_buffer_try_take(b, &item), 0);
	}
	return 0;
}

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

static void drop_pointer(void *elem, void *arg)
{
	int **item = elem;

	++*(int *)arg;
	free(*item);
}

TEST(what_is_left_inside_is_dropped)
{
	int drops = 0, *item;
	struct weft_buffer_opts opts = { .cap = 8,
		                         .elem_size = sizeof(item),
		                         .drop = drop_pointer,
		                         .drop_arg = &drops };
	struct weft_buffer *b;

	CHECK_EQ(weft_buffer_new(&b, &opts), 0);
	for (int i = 0; i < 5; i++) {
		item = malloc(sizeof(*item));
		CHECK(item != NULL);
		CHECK_EQ(weft_buffer_try_put(b, &item), 0);
	}
	CHECK_EQ(weft_buffer_try_take(b, &item), 0);
	free(item);
	CHECK_EQ(weft_buffer_stop(b), 0);
	weft_buffer_free(b);
	CHECK_EQ(drops, 4);
	return 0;
}

/* --- bad input --- */

TEST(a_buffer_that_makes_no_sense_is_refused)
{
	struct weft_buffer_opts wide = { .elem_size = WEFT_ELEM_MAX + 1 };
	struct weft_buffer_opts odd = { .wait = (enum weft_wait)9 };
	struct weft_buffer_opts zero = { .impl = &testing_one_to_one };
	struct weft_buffer *b = NULL;

	CHECK_EQ(weft_buffer_new(NULL, NULL), -EINVAL);
	CHECK_EQ(weft_buffer_new(&b, &wide), -EINVAL);
	CHECK_EQ(weft_buffer_new(&b, &odd), -EINVAL);
	CHECK_EQ(weft_buffer_new(&b, &zero), -EINVAL);
	CHECK(b == NULL);
	CHECK_EQ(weft_buffer_new(&b, NULL), 0);
	weft_buffer_free(b);
	return 0;
}

TEST(no_buffer_is_no_buffer)
{
	struct weft_buffer *b = new_buffer(1, 1);
	size_t done;
	int v = 0;

	CHECK_EQ(weft_buffer_put(NULL, &v, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_take(NULL, &v, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_try_put(NULL, &v), -EINVAL);
	CHECK_EQ(weft_buffer_try_take(NULL, &v), -EINVAL);
	CHECK_EQ(weft_buffer_put_many(NULL, &v, 1, &done, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_take_many(NULL, &v, 1, &done, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_put_many(b, &v, 1, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_take_many(b, &v, 1, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_put(b, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_take(b, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_buffer_attach(NULL), -EINVAL);
	CHECK_EQ(weft_buffer_done(NULL), -EINVAL);
	CHECK_EQ(weft_buffer_produce(NULL, return_error, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_buffer_produce(b, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(stats_of(b).producers, 1u);
	CHECK_EQ(weft_buffer_close(NULL), -EINVAL);
	CHECK_EQ(weft_buffer_stop(NULL), -EINVAL);
	CHECK_EQ(stats_of(NULL).cap, 0u);
	weft_buffer_free(b);
	weft_buffer_free(NULL);
	return 0;
}

/* --- the kernel --- */

static struct testing_cell cell(const struct weft_chan_impl *chan,
                                const char *knobs, uint64_t items)
{
	return (struct testing_cell){ .pattern = &pattern_producer_consumer,
		                      .chan = chan,
		                      .knobs = knobs,
		                      .items = items };
}

TEST(the_kernel_verifies_over_every_channel)
{
	static const char *const shapes[] = {
		"cap=1",
		"cap=3 producers=3 consumers=2",
		"cap=50 producers=2 consumers=4 work=100",
		"cap=64 batch=16 producers=2",
		"cap=7 batch=16 consumers=3 payload=64",
		"cap=2 payload=4096",
		"cap=1 wait=park consumers=2",
		NULL,
	};

	/* condvar and handoff can do all of these. */
	for (size_t i = 0; shapes[i]; i++)
		CHECK_LE(2,
		         testing_verified_over_all(cell(NULL, shapes[i], 501)));
	testing_verified(cell(&testing_one_to_one, "", 501));
	return 0;
}

TEST(the_kernel_verifies_hand_to_hand)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	testing_verified(cell(handoff, "cap=0", 300));
	testing_verified(cell(handoff, "cap=0 producers=3 consumers=3", 301));
	testing_verified(cell(handoff, "cap=0 batch=4 wait=spin", 301));
	return 0;
}

TEST(the_kernel_verifies_few_items_and_none)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	for (uint64_t items = 0; items < 5; items++)
		testing_verified(
		        cell(handoff, "producers=3 consumers=3 cap=0", items));
	return 0;
}

TEST(the_kernel_catches_what_a_broken_channel_does)
{
	static const char *const shapes[] = { "", "consumers=3",
		                              "payload=64 batch=8", NULL };

	for (size_t i = 0; shapes[i]; i++) {
		testing_caught(cell(&testing_drops, shapes[i], 400),
		               "lost 4 of 400 50");
		testing_caught(cell(&testing_repeats, shapes[i], 400),
		               "delivered 4 of 400 twice 50");
		testing_caught(cell(&testing_corrupts, shapes[i], 400),
		               "corrupt lost 4 of 400");
	}
	testing_caught(cell(&testing_swaps, "", 400),
	               "4 of 400 items out of order 50 after 51");
	return 0;
}

TEST(a_channel_without_data_is_counted_not_verified)
{
	testing_verified(cell(&testing_floor, "producers=2 consumers=3", 1000));
	testing_verified(cell(&testing_floor, "batch=16", 1000));
	return 0;
}

TEST(an_open_loop_measures_from_when_an_item_was_due)
{
	struct testing_cell t = cell(weft_chan_impl_find("handoff"),
	                             "producers=2 consumers=2 batch=4", 51);

	t.pace_ns = 50 * WEFT_US;
	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK_EQ(t.latencies, 51u);
	CHECK_EQ(t.consumed, 51u);
	return 0;
}

/* --- the demo --- */

/* Items of a value that have been produced and not consumed. */
struct progress {
	int inside[100];
	int produced[3], consumed; /* by producer, from 1 */
	bool completed;
};

static void follow_line(const char *line, void *arg)
{
	struct progress *p = arg;
	int n[2]; /* who, what */

	CHECK(!p->completed);
	if (testing_line_is(line, "Producer # produced: #", n)) {
		CHECK(1 <= n[0] && n[0] <= 2 && n[1] < 100);
		p->produced[n[0]]++;
		p->inside[n[1]]++;
	} else if (testing_line_is(line, "Consumer # consumed: #", n)) {
		CHECK(1 <= n[0] && n[0] <= 3 && n[1] < 100);
		CHECK_LT(0, p->inside[n[1]]);
		p->inside[n[1]]--;
		p->consumed++;
	} else {
		CHECK(testing_line_is(
		        line, "Producer-Consumer example completed!", n));
		p->completed = true;
	}
}

TEST_MANUAL(the_demo_moves_twenty_items_and_completes)
{
	struct progress p = { 0 };

	testing_demo_lines(&pattern_producer_consumer, follow_line, &p);
	CHECK_EQ(p.produced[1], 10);
	CHECK_EQ(p.produced[2], 10);
	CHECK_EQ(p.consumed, 20);
	CHECK(p.completed);
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
		cmocka_unit_test(nothing_is_counted_unless_asked_for),
		cmocka_unit_test(many_items_go_in_and_out_at_once),
		cmocka_unit_test(items_of_no_bytes_are_counted),
		cmocka_unit_test(the_last_producer_that_is_done_closes),
		cmocka_unit_test(the_end_reaches_every_consumer),
		cmocka_unit_test(
		        a_producer_may_attach_while_another_is_not_done),
		cmocka_unit_test(nobody_attaches_to_a_buffer_that_has_ended),
		cmocka_unit_test(
		        a_producer_that_dies_leaves_no_consumer_waiting),
		cmocka_unit_test(close_releases_producers_and_drains),
		cmocka_unit_test(stop_releases_everyone),
		cmocka_unit_test(a_closed_buffer_may_still_be_stopped),
		cmocka_unit_test(a_buffer_may_be_stopped_at_any_moment),
		cmocka_unit_test(takes_and_puts_end_at_their_deadline),
		cmocka_unit_test(
		        a_deadline_that_meets_an_item_neither_loses_nor_doubles_it),
		cmocka_unit_test(a_buffer_that_is_never_empty_never_says_so),
		cmocka_unit_test(what_is_left_inside_is_dropped),
		cmocka_unit_test(a_buffer_that_makes_no_sense_is_refused),
		cmocka_unit_test(no_buffer_is_no_buffer),
		cmocka_unit_test(the_kernel_verifies_over_every_channel),
		cmocka_unit_test(the_kernel_verifies_hand_to_hand),
		cmocka_unit_test(the_kernel_verifies_few_items_and_none),
		cmocka_unit_test(the_kernel_catches_what_a_broken_channel_does),
		cmocka_unit_test(
		        a_channel_without_data_is_counted_not_verified),
		cmocka_unit_test(
		        an_open_loop_measures_from_when_an_item_was_due),
		cmocka_unit_test(the_demo_moves_twenty_items_and_completes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
