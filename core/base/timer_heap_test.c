/* Tests of the heap of timers, by itself. */
#include <stdlib.h>

#include "base/check.h"
#include "base/rng.h"
#include "base/timer_heap.h"
#include "task/testing.h"

static void heap_make(struct timer_heap *h, struct timer_entry *e, size_t n)
{
	*h = (struct timer_heap){ 0 };
	assert_int_equal(weft_timer_heap_reserve(h, n), 0);
	for (size_t i = 0; i < n; i++)
		e[i].at = TIMER_UNARMED;
}

static struct timer_entry *pop(struct timer_heap *h)
{
	struct timer_entry *e = timer_heap_first(h);

	if (e)
		weft_timer_heap_remove(h, e);
	return e;
}

/* Every entry is at the place that it gives, and due no earlier than its
 * parent. */
static void check_heap(const struct timer_heap *h)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct timer_entry *e = h->entries[i];
		const struct timer_entry *up = h->entries[i ? (i - 1) / 2 : 0];

		assert_int_equal(e->at, i);
		assert_true(up->due_ns <= e->due_ns);
	}
}

static void an_empty_heap_has_no_first(void **state)
{
	struct timer_heap h = { 0 };

	(void)state;
	assert_null(timer_heap_first(&h));
}

static void the_earliest_comes_first(void **state)
{
	int64_t due[] = { 30, 10, INT64_MAX, 20, 0 };
	size_t order[] = { 4, 1, 3, 0, 2 };
	struct timer_entry e[5];
	struct timer_heap h;

	(void)state;
	heap_make(&h, e, 5);
	for (int i = 0; i < 5; i++)
		weft_timer_heap_push(&h, &e[i], due[i]);
	for (int i = 0; i < 5; i++) {
		assert_ptr_equal(pop(&h), &e[order[i]]);
		assert_false(timer_entry_is_armed(&e[order[i]]));
	}
	assert_null(pop(&h));
	weft_timer_heap_fini(&h);
}

#define MANY 100

static void what_is_due_at_once_comes_in_the_order_of_the_pushes(void **state)
{
	struct timer_entry e[MANY];
	struct timer_heap h;

	(void)state;
	heap_make(&h, e, MANY);
	for (int i = 0; i < MANY; i++)
		weft_timer_heap_push(&h, &e[i], i % 2 ? 7 : 9);
	/* Pushed again, it is the last of its time. */
	weft_timer_heap_remove(&h, &e[1]);
	weft_timer_heap_push(&h, &e[1], 7);
	for (int i = 3; i < MANY; i += 2)
		assert_ptr_equal(pop(&h), &e[i]);
	assert_ptr_equal(pop(&h), &e[1]);
	for (int i = 0; i < MANY; i += 2)
		assert_ptr_equal(pop(&h), &e[i]);
	assert_null(pop(&h));
	weft_timer_heap_fini(&h);
}

static void room_grows_and_keeps_what_is_there(void **state)
{
	struct timer_entry e[MANY];
	struct timer_heap h;

	(void)state;
	heap_make(&h, e, 1);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(weft_timer_heap_reserve(&h, i + 1), 0);
		assert_true(h.room > i);
		e[i].at = TIMER_UNARMED;
		weft_timer_heap_push(&h, &e[i], (int64_t)(MANY - i));
		check_heap(&h);
	}
	for (size_t i = MANY; i-- > 0;)
		assert_ptr_equal(pop(&h), &e[i]);
	weft_timer_heap_fini(&h);
}

/* Against the plain way to find the first. */
static struct timer_entry *search_first(struct timer_entry *e, size_t n)
{
	struct timer_entry *first = NULL;

	for (size_t i = 0; i < n; i++)
		if (timer_entry_is_armed(&e[i]) &&
		    (!first || e[i].due_ns < first->due_ns ||
		     (e[i].due_ns == first->due_ns &&
		      e[i].number < first->number)))
			first = &e[i];
	return first;
}

static void any_entry_can_be_taken_out(void **state)
{
	struct timer_entry e[MANY];
	struct timer_heap h;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 3);
	heap_make(&h, e, MANY);
	for (int i = 0; i < 20000; i++) {
		struct timer_entry *any = &e[rng_next(&rng) % MANY];

		if (timer_entry_is_armed(any))
			weft_timer_heap_remove(&h, any);
		else
			weft_timer_heap_push(&h, any,
			                     (int64_t)(rng_next(&rng) % 50));
		check_heap(&h);
		assert_ptr_equal(timer_heap_first(&h), search_first(e, MANY));
	}
	weft_timer_heap_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_heap_has_no_first),
		cmocka_unit_test(the_earliest_comes_first),
		cmocka_unit_test(
		        what_is_due_at_once_comes_in_the_order_of_the_pushes),
		cmocka_unit_test(room_grows_and_keeps_what_is_there),
		cmocka_unit_test(any_entry_can_be_taken_out),
	};

	return cmocka_run_group_tests_name("timer_heap", tests, NULL, NULL);
}
