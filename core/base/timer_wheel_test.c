/* Tests of the timing wheel, by itself and beside the heap. */
#include <stdlib.h>

#include "base/check.h"
#include "base/rng.h"
#include "base/timer_heap.h"
#include "base/timer_wheel.h"
#include "task/testing.h"

#define MANY 200

static void wheel_make(struct timer_wheel *w, struct timer_entry *e, size_t n)
{
	*w = (struct timer_wheel){ 0 };
	assert_int_equal(weft_timer_wheel_reserve(w, n), 0);
	for (size_t i = 0; i < n; i++)
		e[i].at = TIMER_UNARMED;
}

/* The earliest, once it is due. */
static struct timer_entry *pop(struct timer_wheel *w)
{
	struct timer_entry *e = weft_timer_wheel_first(w);

	if (e) {
		weft_timer_wheel_pass(w, e->due_ns);
		assert_ptr_equal(weft_timer_wheel_first(w), e);
		weft_timer_wheel_remove(w, e);
	}
	return e;
}

static void an_empty_wheel_has_no_first(void **state)
{
	struct timer_wheel w = { 0 };

	(void)state;
	assert_null(weft_timer_wheel_first(&w));
	weft_timer_wheel_pass(&w, 1000);
	assert_null(weft_timer_wheel_first(&w));
	weft_timer_wheel_fini(&w);
}

static void the_earliest_comes_first(void **state)
{
	int64_t due[] = { 30, 10, INT64_MAX, 20, 0 };
	size_t order[] = { 4, 1, 3, 0, 2 };
	struct timer_entry e[5];
	struct timer_wheel w;

	(void)state;
	wheel_make(&w, e, 5);
	for (int i = 0; i < 5; i++)
		weft_timer_wheel_push(&w, &e[i], due[i]);
	for (int i = 0; i < 5; i++) {
		assert_ptr_equal(pop(&w), &e[order[i]]);
		assert_false(timer_entry_is_armed(&e[order[i]]));
	}
	assert_null(pop(&w));
	weft_timer_wheel_fini(&w);
}

/* Pushed from afar, from nearby, and when it is the next thing to come: through
 * as many levels as there are. */
static void what_is_due_at_once_comes_in_the_order_of_the_pushes(void **state)
{
	const int64_t due = INT64_C(0x123456789abcdef);
	struct timer_entry e[64], other;
	struct timer_wheel w;
	int n = 0;

	(void)state;
	wheel_make(&w, e, 64);
	for (int64_t before = due; before > 1; before /= 3) {
		weft_timer_wheel_pass(&w, due - before);
		weft_timer_wheel_push(&w, &other, due - before + 1);
		assert_ptr_equal(weft_timer_wheel_first(&w), &other);
		weft_timer_wheel_push(&w, &e[n++], due);
		weft_timer_wheel_remove(&w, &other);
		assert_ptr_equal(weft_timer_wheel_first(&w), &e[0]);
	}
	assert_true(n > 30);
	for (int i = 0; i < n; i++)
		assert_ptr_equal(pop(&w), &e[i]);
	assert_null(pop(&w));
	weft_timer_wheel_fini(&w);
}

/* Around every border of every level, the one beyond which a digit begins again
 * at zero included. */
static void no_digit_wraps(void **state)
{
	struct timer_entry e[5];
	struct timer_wheel w;

	(void)state;
	for (int shift = TIMER_WHEEL_BITS; shift <= 60;
	     shift += TIMER_WHEEL_BITS)
		for (uint64_t digit = 1; digit <= 64; digit++) {
			int64_t at = (int64_t)(digit << shift);

			if (at >> shift != (int64_t)digit)
				break;
			wheel_make(&w, e, 5);
			weft_timer_wheel_pass(&w, at - 2);
			for (int i = 4; i >= 0; i--)
				weft_timer_wheel_push(&w, &e[i], at - 2 + i);
			for (int i = 0; i < 5; i++)
				assert_ptr_equal(pop(&w), &e[i]);
			assert_int_equal(e[4].due_ns, at + 2);
			weft_timer_wheel_fini(&w);
		}
}

static void what_comes_too_late_is_due_when_time_had_passed(void **state)
{
	struct timer_entry e[3];
	struct timer_wheel w;

	(void)state;
	wheel_make(&w, e, 3);
	weft_timer_wheel_pass(&w, 100);
	weft_timer_wheel_pass(&w, 50);
	weft_timer_wheel_push(&w, &e[0], 100);
	weft_timer_wheel_push(&w, &e[1], 7);
	weft_timer_wheel_push(&w, &e[2], INT64_MIN);
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(pop(&w), &e[i]);
		assert_int_equal(e[i].due_ns, 100);
	}
	weft_timer_wheel_fini(&w);
}

/* --- beside the heap --- */

/* The same entries in both. */
struct both {
	struct timer_heap h;
	struct timer_wheel w;
	struct timer_entry in_h[MANY], in_w[MANY];
	int64_t now_ns;
	struct rng rng;
};

static uint64_t below(struct both *b, uint64_t n)
{
	return rng_next(&b->rng) % n;
}

/* Near or as far as time goes, often the same as others. */
static int64_t some_time_after(struct both *b, int64_t ns)
{
	return weft_deadline_add(ns, (int64_t)below(b, 4) << below(b, 61));
}

static void push(struct both *b, size_t i, int64_t due_ns)
{
	weft_timer_heap_push(&b->h, &b->in_h[i], due_ns);
	weft_timer_wheel_push(&b->w, &b->in_w[i], due_ns);
}

static void remove_both(struct both *b, size_t i)
{
	weft_timer_heap_remove(&b->h, &b->in_h[i]);
	weft_timer_wheel_remove(&b->w, &b->in_w[i]);
}

static void same_first(struct both *b)
{
	struct timer_entry *h = timer_heap_first(&b->h);
	struct timer_entry *w = weft_timer_wheel_first(&b->w);

	assert_int_equal(h == NULL, w == NULL);
	if (!h || !w)
		return;
	assert_int_equal(h - b->in_h, w - b->in_w);
	assert_int_equal(h->due_ns, w->due_ns);
}

/* Let time pass, and take out what is due by then. */
static void pass(struct both *b, int64_t now_ns)
{
	struct timer_entry *h;

	b->now_ns = now_ns;
	weft_timer_wheel_pass(&b->w, now_ns);
	for (same_first(b);
	     (h = timer_heap_first(&b->h)) && h->due_ns <= now_ns;
	     same_first(b))
		remove_both(b, (size_t)(h - b->in_h));
}

static void do_something(struct both *b)
{
	size_t any = below(b, MANY);

	if (below(b, 8) == 0)
		pass(b, some_time_after(b, b->now_ns));
	else if (timer_entry_is_armed(&b->in_h[any]))
		remove_both(b, any);
	else
		push(b, any, some_time_after(b, b->now_ns));
	/* Not always: what is not looked at does not cascade either. */
	if (below(b, 2))
		same_first(b);
	assert_int_equal(b->h.n, b->w.n);
}

static void it_says_what_the_heap_says(void **state)
{
	static struct both b;

	(void)state;
	for (uint64_t seed = 1; seed <= (TESTING_SLOW ? 50u : 500u); seed++) {
		b.h = (struct timer_heap){ 0 };
		b.now_ns = 0;
		rng_seed(&b.rng, seed);
		assert_int_equal(weft_timer_heap_reserve(&b.h, MANY), 0);
		wheel_make(&b.w, b.in_w, MANY);
		for (size_t i = 0; i < MANY; i++)
			b.in_h[i].at = TIMER_UNARMED;
		while (b.now_ns < INT64_MAX / 2)
			do_something(&b);
		pass(&b, INT64_MAX);
		assert_int_equal(b.w.n, 0);
		assert_int_equal(b.w.levels, 0);
		weft_timer_heap_fini(&b.h);
		weft_timer_wheel_fini(&b.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_wheel_has_no_first),
		cmocka_unit_test(the_earliest_comes_first),
		cmocka_unit_test(
		        what_is_due_at_once_comes_in_the_order_of_the_pushes),
		cmocka_unit_test(no_digit_wraps),
		cmocka_unit_test(
		        what_comes_too_late_is_due_when_time_had_passed),
		cmocka_unit_test(it_says_what_the_heap_says),
	};

	return cmocka_run_group_tests_name("timer_wheel", tests, NULL, NULL);
}
