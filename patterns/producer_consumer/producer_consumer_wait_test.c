/* Tests of waiting for a buffer between producers and consumers. */
#include <errno.h>

#include "buffers.h"

#define ROUNDS (TESTING_SLOW ? 20 : 1000)

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

	for (int i = 0; i < ROUNDS; i++) {
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_and_puts_end_at_their_deadline),
		cmocka_unit_test(
		        a_deadline_that_meets_an_item_neither_loses_nor_doubles_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
