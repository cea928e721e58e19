/*
 * What a timer may cost: made, armed and freed among 100,000 others, at most 3
 * times what it costs among 100. In a heap and in a wheel.
 *
 * The timers of a run know of each other, so there are two runs, on a thread
 * each, that do the same in turn; the medians are compared, so that a machine
 * that is slow for a while is slow for both.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/timer.h>

#include "base/cost.h"
#include "sync/timers.h"
#include "task/testing.h"

#define FEW 100
#define MANY 100000
#define ROUNDS 101
#define EACH 1000 /* timers in a round */
#define TIMES_MAX 3.0

struct side {
	enum timer_kind kind;
	size_t live;
	sem_t go, done;
	pthread_t thread;
	int64_t ns[ROUNDS];
};

static void never(void *arg)
{
	(void)arg;
	abort();
}

#define HOUR (3600 * WEFT_SEC)

static struct weft_timer *timer_new(int64_t ns)
{
	struct weft_timer *t;

	CHECK_EQ(weft_timer_new_func(&t, never, NULL), 0);
	CHECK_EQ(weft_timer_reset(t, weft_deadline_in(ns), NULL), 0);
	return t;
}

static int64_t one_to_two_hours(void)
{
	return HOUR + (int64_t)(weft_rand() % (uint64_t)HOUR);
}

/* The first is due before all others: none of these wakes the timer task. */
static int side_main(void *arg)
{
	struct side *s = arg;
	struct weft_timer **live = calloc(s->live, sizeof(struct weft_timer *));
	int64_t begin_ns;

	CHECK(live != NULL);
	CHECK_EQ(weft_timers_use(s->kind), 0);
	for (size_t i = 0; i < s->live; i++)
		live[i] = timer_new(i ? one_to_two_hours() : HOUR / 2);
	CHECK_EQ(weft_timers_use(s->kind), -EBUSY);
	for (int r = 0; r < ROUNDS; r++) {
		CHECK_EQ(sem_wait(&s->go), 0);
		begin_ns = clock_mono();
		for (int i = 0; i < EACH; i++)
			weft_timer_free(timer_new(one_to_two_hours()));
		s->ns[r] = clock_mono() - begin_ns;
		CHECK_EQ(sem_post(&s->done), 0);
	}
	for (size_t i = 0; i < s->live; i++)
		weft_timer_free(live[i]);
	free(live);
	return 0;
}

static void *thread_main(void *arg)
{
	CHECK_EQ(weft_run(WEFT_THREADS, NULL, side_main, arg), 0);
	return NULL;
}

static void start(struct side *s, enum timer_kind kind, size_t live)
{
	s->kind = kind;
	s->live = live;
	CHECK_EQ(sem_init(&s->go, 0, 0), 0);
	CHECK_EQ(sem_init(&s->done, 0, 0), 0);
	CHECK_EQ(pthread_create(&s->thread, NULL, thread_main, s), 0);
}

static void turn(struct side *s)
{
	CHECK_EQ(sem_post(&s->go), 0);
	CHECK_EQ(sem_wait(&s->done), 0);
}

/* Of one timer, in nanoseconds. */
static double finish(struct side *s)
{
	const double each = EACH;
	int64_t median_ns;

	CHECK_EQ(pthread_join(s->thread, NULL), 0);
	sem_destroy(&s->go);
	sem_destroy(&s->done);
	qsort(s->ns, ROUNDS, sizeof(*s->ns), cost_by_value);
	median_ns = s->ns[ROUNDS / 2];
	return (double)median_ns / each;
}

static void compare(const char *name, enum timer_kind kind)
{
	static struct side few, many;
	double a, b;

	if (COST_MEANS_NOTHING)
		skip();
	start(&few, kind, FEW);
	start(&many, kind, MANY);
	for (int r = 0; r < ROUNDS; r++) {
		turn(&few);
		turn(&many);
	}
	a = finish(&few);
	b = finish(&many);
	printf("%s: a timer among %d %.0f ns, among %d %.0f ns: %.2f times\n",
	       name, FEW, a, MANY, b, b / a);
	assert_true(b <= TIMES_MAX * a);
}

static void a_timer_in_a_heap_costs_at_most_3_times_as_much(void **state)
{
	(void)state;
	compare("heap", TIMER_HEAP);
}

static void a_timer_in_a_wheel_costs_at_most_3_times_as_much(void **state)
{
	(void)state;
	compare("wheel", TIMER_WHEEL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		        a_timer_in_a_heap_costs_at_most_3_times_as_much),
		cmocka_unit_test(
		        a_timer_in_a_wheel_costs_at_most_3_times_as_much),
	};

	return cmocka_run_group_tests_name("timer_cost", tests, NULL, NULL);
}
