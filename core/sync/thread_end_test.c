/*
 * Tests of what comes after the end of a task: the destructors of what is
 * specific to its thread. They may call anything, and may take their time.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/chan.h>
#include <weft/timer.h>

#include "task/internal.h"
#include "task/testing.h"

/* What a destructor is to do; there until the run is over. */
struct last_words {
	void (*fn)(struct last_words *w);
	struct weft_chan *c;              /* of int, a rendezvous */
	_Atomic(struct weft_task *) task; /* one that has ended */
	_Atomic int refused;              /* calls that need a run */
	_Atomic int said;                 /* it has done what it is to do */
	bool by_pthread_exit;
};

static pthread_key_t key;

static void destructor(void *arg)
{
	struct last_words *w = arg;

	w->fn(w);
	weft_fetch_add_release(&w->said, 1);
}

static int leaves_words(void *arg)
{
	struct last_words *w = arg;

	weft_store_relaxed(&w->task, weft_self());
	CHECK_EQ(pthread_setspecific(key, w), 0);
	if (w->by_pthread_exit)
		pthread_exit(NULL);
	return 7;
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

/* Run body(w) as the first task. All has been said when the run is over. */
static void run_with(struct last_words *w, enum weft_clock clock,
                     weft_task_fn body, int words)
{
	struct weft_run_opts opts = { .clock = clock, .seed = 3 };

	CHECK_EQ(weft_chan_new(&w->c, weft_chan_impl_find("handoff"), 0,
	                       sizeof(int), NULL),
	         0);
	assert_int_equal(weft_run(WEFT_THREADS, &opts, body, w), 0);
	assert_int_equal(weft_load_acquire(&w->said), words);
	weft_chan_unref(w->c);
}

/* --- what a destructor may call --- */

static void sends(struct last_words *w)
{
	int v = 9;

	CHECK_EQ(weft_chan_send(w->c, &v, WEFT_FOREVER), 0);
}

static void hear(struct last_words *w)
{
	int v = 0;

	CHECK_EQ(weft_chan_recv(w->c, &v, WEFT_FOREVER), 0);
	CHECK_EQ(v, 9);
}

#define REFUSED 7

/* Everything that only a task of a run may call, and then what any may. */
static void asks(struct last_words *w)
{
	struct weft_timer *timer;
	struct weft_task *t;
	struct weft_chan *c;
	int n = 0;

	n += weft_spawn(&t, NULL, nothing, NULL) == -EINVAL;
	n += weft_spawn(NULL, NULL, nothing, NULL) == -EINVAL;
	n += weft_join(weft_load_relaxed(&w->task), NULL) == -EINVAL;
	n += weft_after(&c, weft_deadline_in(1)) == -EINVAL;
	n += weft_timer_new(&timer) == -EINVAL;
	n += weft_clock_advance(1) == -EINVAL;
	n += weft_clock_settle() == -EINVAL;
	weft_store_release(&w->refused, n);
	CHECK(weft_self() != weft_load_relaxed(&w->task));
	CHECK_EQ(strcmp(weft_task_name(weft_self()), "foreign thread"), 0);
	weft_sleep_until(weft_deadline_in(1));
	CHECK_EQ(weft_run(WEFT_THREADS, NULL, nothing, NULL), 0);
	sends(w);
}

static int hears_who_asks(void *arg)
{
	struct last_words *w = arg;
	struct weft_timer *timer;
	int status;

	/* The run has timers, which a destructor might mistake for its own. */
	CHECK_EQ(weft_timer_new(&timer), 0);
	CHECK_EQ(weft_timer_reset(timer, weft_deadline_in(WEFT_SEC), NULL), 0);
	CHECK_EQ(weft_spawn(NULL, NULL, leaves_words, w), 0);
	hear(w);
	CHECK_EQ(weft_load_acquire(&w->refused), REFUSED);
	status = testing_join(testing_spawn(leaves_words, w));
	CHECK_EQ(status, w->by_pthread_exit ? -ECANCELED : 7);
	hear(w);
	CHECK_EQ(weft_load_acquire(&w->refused), REFUSED);
	weft_timer_free(timer);
	return 0;
}

static void a_destructor_is_in_no_run(void **state)
{
	struct last_words returns = { .fn = asks };
	struct last_words exits = { .fn = asks, .by_pthread_exit = true };

	(void)state;
	run_with(&returns, WEFT_CLOCK_MONOTONIC, hears_who_asks, 2);
	run_with(&exits, WEFT_CLOCK_MONOTONIC, hears_who_asks, 2);
}

/* --- what waits for a destructor, and what does not --- */

/* It is no task any more: not live, and the clock does not wait for it. */
static int settles(void *arg)
{
	struct last_words *w = arg;

	CHECK_EQ(weft_spawn(NULL, NULL, leaves_words, w), 0);
	CHECK(testing_alone());
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_load_acquire(&w->said), 0);
	hear(w);
	return 0;
}

static void a_destructor_is_no_task(void **state)
{
	struct last_words w = { .fn = sends };

	(void)state;
	run_with(&w, WEFT_CLOCK_MANUAL, settles, 1);
}

/* The task that reaps would wait for one that waits for it. */
static int spawns_and_joins_beside(void *arg)
{
	struct last_words *w = arg;
	struct weft_task *t = testing_spawn(leaves_words, w);

	CHECK_EQ(weft_spawn(NULL, NULL, leaves_words, w), 0);
	CHECK(testing_alone());
	CHECK_EQ(testing_join(t), 7);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(testing_join(testing_spawn(nothing, NULL)), 0);
	CHECK_EQ(weft_load_acquire(&w->said), 0);
	hear(w);
	hear(w);
	return 0;
}

static void no_spawn_or_join_waits_for_a_destructor(void **state)
{
	struct last_words w = { .fn = sends };

	(void)state;
	run_with(&w, WEFT_CLOCK_MONOTONIC, spawns_and_joins_beside, 2);
}

/* Those that wait must not keep those that do not from being reaped. */
#define STUCK 16
#define SHORT 1000

static int spawns_many(void *arg)
{
	struct last_words *w = arg;
	size_t before;

	for (int i = 0; i < STUCK; i++)
		CHECK_EQ(weft_spawn(NULL, NULL, leaves_words, w), 0);
	CHECK(testing_alone());
	before = weft_task_records();
	for (int i = 0; i < SHORT; i++) {
		CHECK_EQ(weft_spawn(NULL, NULL, nothing, NULL), 0);
		CHECK(testing_alone());
	}
	CHECK_LT(weft_task_records() - before, (size_t)SHORT / 2);
	for (int i = 0; i < STUCK; i++)
		hear(w);
	return 0;
}

static void a_destructor_that_waits_keeps_no_others(void **state)
{
	struct last_words w = { .fn = sends };

	(void)state;
	run_with(&w, WEFT_CLOCK_MONOTONIC, spawns_many, STUCK);
}

static void dawdles(struct last_words *w)
{
	(void)w;
	for (int i = 0; i < 1000; i++)
		weft_yield();
}

static int leaves_them(void *arg)
{
	struct last_words *w = arg;
	struct weft_task *t = testing_spawn(leaves_words, w);

	(void)t;
	CHECK_EQ(weft_spawn(NULL, NULL, leaves_words, w), 0);
	return 0;
}

static void the_run_waits_for_destructors(void **state)
{
	struct last_words w = { .fn = dawdles };

	(void)state;
	run_with(&w, WEFT_CLOCK_MONOTONIC, leaves_them, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_destructor_is_in_no_run),
		cmocka_unit_test(a_destructor_is_no_task),
		cmocka_unit_test(no_spawn_or_join_waits_for_a_destructor),
		cmocka_unit_test(a_destructor_that_waits_keeps_no_others),
		cmocka_unit_test(the_run_waits_for_destructors),
	};

	if (pthread_key_create(&key, destructor))
		return 77;
	return cmocka_run_group_tests_name("thread end", tests, NULL, NULL);
}
