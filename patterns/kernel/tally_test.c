/* Tests of the tally: everything that can be wrong is found, and named. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/message.h"
#include "kernel/tally.h"

static struct tally *new_tally(unsigned producers, unsigned consumers,
                               uint64_t items)
{
	struct tally *t;

	assert_int_equal(tally_new(&t, producers, consumers, items), 0);
	return t;
}

/* Consumer 0 gets all of what the producers sent, in order, but for one. */
static void count_all_but(struct tally *t, unsigned producer, uint64_t seq)
{
	for (unsigned p = 0; p < t->producers; p++)
		for (uint64_t i = 0; i < tally_share(t->items, t->producers, p);
		     i++)
			if (p != producer || i != seq)
				tally_count(t, 0, p, i);
}

static void count_all(struct tally *t)
{
	count_all_but(t, t->producers, 0);
}

static void expect(struct tally *t, bool order, int err, const char *why)
{
	char got[200] = "";

	assert_int_equal(tally_verdict(t, order, got, sizeof(got)), err);
	assert_string_equal(got, why);
	assert_int_equal(tally_verdict(t, order, NULL, 0), err);
	tally_free(t);
}

static void everything_once_and_in_order_is_right(void **state)
{
	struct tally *t = new_tally(3, 1, 1000);

	(void)state;
	count_all(t);
	expect(t, true, 0, "");
}

static void no_items_at_all_are_right(void **state)
{
	(void)state;
	expect(new_tally(1, 1, 0), true, 0, "");
	expect(new_tally(4, 3, 0), true, 0, "");
}

static void more_producers_than_items_are_right(void **state)
{
	struct tally *t = new_tally(5, 2, 3);

	(void)state;
	tally_count(t, 0, 0, 0);
	tally_count(t, 1, 1, 0);
	tally_count(t, 0, 2, 0);
	expect(t, true, 0, "");
}

static void consumers_may_share_the_items_in_any_way(void **state)
{
	struct tally *t = new_tally(2, 3, 640);

	(void)state;
	for (uint64_t i = 0; i < 640; i++)
		tally_count(t, (unsigned)(i * i % 3), (unsigned)(i % 2), i / 2);
	expect(t, true, 0, "");
}

static void a_share_is_even_and_adds_up(void **state)
{
	uint64_t sum = 0;

	(void)state;
	for (unsigned p = 0; p < 7; p++)
		sum += tally_share(1000, 7, p);
	assert_int_equal(sum, 1000);
	assert_int_equal(tally_share(1000, 7, 0), 143);
	assert_int_equal(tally_share(1000, 7, 6), 142);
	/* Item i belongs to part i % parts: the last item's part has it. */
	assert_int_equal(tally_share(1000, 7, 999 % 7), 999 / 7 + 1);
}

static void a_lost_item_is_named(void **state)
{
	struct tally *t = new_tally(1, 1, 1000);

	(void)state;
	count_all_but(t, 0, 999);
	expect(t, true, -EIO, "lost 1 of 1000 items (first: item 999)");
}

static void the_first_of_several_lost_items_is_named(void **state)
{
	struct tally *t = new_tally(2, 2, 200);

	(void)state;
	for (uint64_t i = 0; i < 100; i++) {
		tally_count(t, 0, 0, i);
		if (i != 12 && i != 13 && i != 99)
			tally_count(t, 1, 1, i);
	}
	expect(t, true, -EIO,
	       "lost 3 of 200 items (first: item 12 of producer 1)");
}

static void losing_everything_is_named(void **state)
{
	(void)state;
	expect(new_tally(2, 2, 130), true, -EIO,
	       "lost 130 of 130 items (first: item 0 of producer 0)");
}

static void an_item_twice_at_one_consumer_is_named(void **state)
{
	struct tally *t = new_tally(1, 1, 100);

	(void)state;
	count_all(t);
	tally_count(t, 0, 0, 64);
	expect(t, true, -EIO,
	       "delivered 1 of 100 items twice (first: item 64)");
}

static void an_item_at_two_consumers_is_named(void **state)
{
	struct tally *t = new_tally(1, 3, 100);

	(void)state;
	count_all(t);
	tally_count(t, 2, 0, 7);
	tally_count(t, 1, 0, 70);
	expect(t, true, -EIO, "delivered 2 of 100 items twice (first: item 7)");
}

static void each_delivery_too_many_counts(void **state)
{
	struct tally *t = new_tally(1, 3, 100);

	(void)state;
	count_all(t);
	tally_count(t, 0, 0, 3);
	tally_count(t, 1, 0, 3);
	tally_count(t, 2, 0, 3);
	expect(t, true, -EIO, "delivered 3 of 100 items twice (first: item 3)");
}

static void a_loss_does_not_hide_behind_a_duplicate(void **state)
{
	struct tally *t = new_tally(1, 1, 100);

	(void)state;
	count_all_but(t, 0, 50);
	tally_count(t, 0, 0, 49);
	expect(t, true, -EIO,
	       "delivered 1 of 100 items twice (first: item 49); "
	       "lost 1 of 100 items (first: item 50)");
}

static void two_losses_whose_sum_is_right_are_named(void **state)
{
	struct tally *t = new_tally(1, 1, 100);

	(void)state;
	/* 10 and 20 are lost, 5 and 25 come twice: count and sum are right. */
	for (uint64_t i = 0; i < 100; i++)
		if (i != 10 && i != 20)
			tally_count(t, 0, 0, i);
	tally_count(t, 0, 0, 5);
	tally_count(t, 0, 0, 25);
	expect(t, false, -EIO,
	       "delivered 2 of 100 items twice (first: item 5); "
	       "lost 2 of 100 items (first: item 10)");
}

static void swapped(struct tally *t)
{
	for (uint64_t i = 0; i < 100; i++)
		tally_count(t, 0, 0, i == 41 ? 42 : i == 42 ? 41 : i);
}

static void two_swapped_items_are_named(void **state)
{
	struct tally *t = new_tally(1, 1, 100);

	(void)state;
	swapped(t);
	expect(t, true, -EIO,
	       "1 of 100 items out of order (first: item 41 after 42)");
}

static void order_is_not_asked_for_where_it_is_not_promised(void **state)
{
	struct tally *t = new_tally(1, 1, 100);

	(void)state;
	swapped(t);
	expect(t, false, 0, "");
}

static void order_is_that_of_each_producer_at_each_consumer(void **state)
{
	struct tally *t = new_tally(2, 2, 8);

	(void)state;
	/* Each consumer sees each producer's items in order, nothing more. */
	tally_count(t, 1, 1, 3);
	tally_count(t, 0, 0, 2);
	tally_count(t, 0, 1, 0);
	tally_count(t, 0, 1, 2);
	tally_count(t, 0, 0, 3);
	tally_count(t, 1, 0, 0);
	tally_count(t, 1, 0, 1);
	/* Only this one comes after a later one of its producer. */
	tally_count(t, 1, 1, 1);
	expect(t, true, -EIO,
	       "1 of 8 items out of order (first: item 1 of producer 1 "
	       "after 3)");
}

static void an_item_that_was_never_sent_is_named(void **state)
{
	struct tally *t = new_tally(2, 1, 100);

	(void)state;
	count_all(t);
	tally_count(t, 0, 1, 50);
	tally_count(t, 0, 2, 0);
	tally_count(t, 0, 0, UINT64_MAX);
	expect(t, true, -EIO,
	       "received 3 corrupt items, never sent (first: item 50 of "
	       "producer 1)");
}

static void a_corrupt_value_is_named_before_the_loss(void **state)
{
	struct tally *t = new_tally(1, 1, 100);

	(void)state;
	count_all_but(t, 0, 0);
	tally_corrupt(t, 0, 77);
	expect(t, true, -EIO,
	       "received 1 corrupt item, never sent (first: value 77); "
	       "lost 1 of 100 items (first: item 0)");
}

static void everything_wrong_at_once_is_named(void **state)
{
	struct tally *t = new_tally(1, 1, 10);

	(void)state;
	tally_corrupt(t, 0, 5);
	tally_count(t, 0, 0, 4);
	tally_count(t, 0, 0, 4);
	tally_count(t, 0, 0, 3);
	expect(t, true, -EIO,
	       "received 1 corrupt item, never sent (first: value 5); "
	       "delivered 1 of 10 items twice (first: item 4); "
	       "lost 8 of 10 items (first: item 0); "
	       "1 of 10 items out of order (first: item 3 after 4)");
}

static void a_reason_that_does_not_fit_is_cut(void **state)
{
	struct tally *t = new_tally(1, 1, 10);
	char why[8];

	(void)state;
	assert_int_equal(tally_verdict(t, true, why, sizeof(why)), -EIO);
	assert_string_equal(why, "lost 10");
	tally_free(t);
}

static void a_tally_for_nobody_is_refused(void **state)
{
	struct tally *t = NULL;

	(void)state;
	assert_int_equal(tally_new(&t, 0, 1, 1), -EINVAL);
	assert_int_equal(tally_new(&t, 1, 0, 1), -EINVAL);
	assert_int_equal(tally_new(NULL, 1, 1, 1), -EINVAL);
	assert_null(t);
	tally_free(NULL);
}

/* --- messages --- */

static void a_message_is_of_its_item_only(void **state)
{
	unsigned char m[64];

	(void)state;
	for (size_t bytes = 8; bytes <= sizeof(m); bytes += 8) {
		memset(m, 0xee, sizeof(m));
		message_write(m, bytes, 5);
		message_set(m, 1234);
		assert_int_equal(message_value(m), 1234);
		assert_true(message_is_of(m, bytes, 5));
		/* One word has no room for a check. */
		assert_int_equal(message_is_of(m, bytes, 6), bytes == 8);
	}
}

static void a_message_of_two_halves_is_noticed(void **state)
{
	unsigned char a[32] = { 0 }, b[32] = { 0 };

	(void)state;
	message_write(a, sizeof(a), 1);
	message_write(b, sizeof(b), 2);
	memcpy(a + 16, b + 16, 16);
	assert_false(message_is_of(a, sizeof(a), message_value(a)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_once_and_in_order_is_right),
		cmocka_unit_test(no_items_at_all_are_right),
		cmocka_unit_test(more_producers_than_items_are_right),
		cmocka_unit_test(consumers_may_share_the_items_in_any_way),
		cmocka_unit_test(a_share_is_even_and_adds_up),
		cmocka_unit_test(a_lost_item_is_named),
		cmocka_unit_test(the_first_of_several_lost_items_is_named),
		cmocka_unit_test(losing_everything_is_named),
		cmocka_unit_test(an_item_twice_at_one_consumer_is_named),
		cmocka_unit_test(an_item_at_two_consumers_is_named),
		cmocka_unit_test(each_delivery_too_many_counts),
		cmocka_unit_test(a_loss_does_not_hide_behind_a_duplicate),
		cmocka_unit_test(two_losses_whose_sum_is_right_are_named),
		cmocka_unit_test(two_swapped_items_are_named),
		cmocka_unit_test(
		        order_is_not_asked_for_where_it_is_not_promised),
		cmocka_unit_test(
		        order_is_that_of_each_producer_at_each_consumer),
		cmocka_unit_test(an_item_that_was_never_sent_is_named),
		cmocka_unit_test(a_corrupt_value_is_named_before_the_loss),
		cmocka_unit_test(everything_wrong_at_once_is_named),
		cmocka_unit_test(a_reason_that_does_not_fit_is_cut),
		cmocka_unit_test(a_tally_for_nobody_is_refused),
		cmocka_unit_test(a_message_is_of_its_item_only),
		cmocka_unit_test(a_message_of_two_halves_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
