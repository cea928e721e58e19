/*
 * What the system refuses: every allocation and every start of a thread in
 * turn, and all from there on, in runs that use what core offers. Each call
 * says so, as its header has it, and has then done nothing; what was begun
 * before goes on; and nothing is left behind.
 *
 * And a wall clock that is set, which changes nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <weft/atomic.h>
#include <weft/weft.h>

#include "testing/refuse.h"
#include "testing/testing.h"

/* --- the frame --- */

static void no_memory_or(int err, int other)
{
	CHECK(!err || err == -ENOMEM || err == other);
}

/* A call that needs memory, or memory and a thread: whether it succeeded. */
static bool got_memory(int err)
{
	no_memory_or(err, 0);
	return !err;
}

static bool got_task(int err)
{
	no_memory_or(err, -EAGAIN);
	return !err;
}

/* A run in which the n-th request fails; true while there is such a one. */
static bool run_without(struct testing_refusal what, weft_task_fn fn)
{
	const struct weft_run_opts opts = { .clock = WEFT_CLOCK_MANUAL,
		                            .asleep = weft_asleep_print };
	struct testing_held before = testing_held();
	unsigned long refused;
	int err;

	testing_refuse(&what);
	err = weft_run(WEFT_THREADS, &opts, fn, NULL);
	refused = testing_grant(NULL);
	assert_true(err == 0 || (refused && err == -ENOMEM));
	assert_int_equal(testing_held_still(before), 0);
	return refused > 0;
}

static void run_without_each(enum testing_resource of, weft_task_fn fn)
{
	for (int for_good = 0; for_good < 2; for_good++) {
		unsigned long n = 1;

		while (run_without(
		        (struct testing_refusal){ of, n, for_good, true }, fn))
			n++;
		assert_true(n > 1); /* or nothing was asked for */
	}
}

static void count_up(void *arg)
{
	weft_fetch_add_relaxed((_Atomic unsigned *)arg, 1u);
}

static int count_up_task(void *arg)
{
	count_up(arg);
	return 0;
}

/* --- tasks --- */

static int tasks(void *arg)
{
	_Atomic unsigned ended = 0;
	unsigned begun = 0;
	struct weft_run_stats stats;

	(void)arg;
	for (unsigned i = 0; i < 4; i++) {
		struct weft_task *t = NULL;
		int err = weft_spawn(i % 2 ? &t : NULL, NULL, count_up_task,
		                     &ended);

		if (!got_task(err)) {
			CHECK(t == NULL);
			continue;
		}
		begun++;
		if (t)
			CHECK_EQ(testing_join(t), 0);
	}
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK(testing_alone());
	CHECK_EQ(weft_load_relaxed(&ended), begun);
	weft_run_stats(&stats);
	CHECK_EQ(stats.tasks, begun + 1);
	return 0;
}

/* Their records outlive them: what the first run makes, others find. */
TEST_OUTSIDE(a_task_that_cannot_be_started_was_never_there)
{
	run_without_each(TESTING_THREADS, tasks);
}

/* --- groups --- */

static int groups(void *arg)
{
	_Atomic unsigned ended = 0;
	unsigned begun = 0;
	struct weft_group *g = NULL;

	(void)arg;
	if (!got_memory(weft_group_new(&g, NULL, 2))) {
		CHECK(g == NULL);
		return 0;
	}
	for (unsigned i = 0; i < 6; i++)
		begun += got_task(
		        weft_group_go(g, count_up_task, &ended, WEFT_FOREVER));
	CHECK_EQ(weft_group_wait(g, WEFT_FOREVER), 0);
	CHECK_EQ(weft_load_relaxed(&ended), begun);
	weft_group_free(g);
	return 0;
}

TEST_OUTSIDE(a_group_goes_on_without_the_task_that_was_refused)
{
	run_without_each(TESTING_THREADS, groups);
	run_without_each(TESTING_MEMORY, groups);
}

/* --- timers --- */

static int timers(void *arg)
{
	_Atomic unsigned calls = 0;
	struct weft_timer *t = NULL, *f = NULL;
	struct weft_ticker *k = NULL;
	struct weft_chan *c = NULL;
	int64_t soon = weft_deadline_in(WEFT_SEC);
	uint64_t elem;

	(void)arg;
	if (!got_task(weft_after(&c, soon)))
		CHECK(c == NULL);
	if (!got_task(weft_timer_new(&t)))
		CHECK(t == NULL);
	else if (!got_task(weft_timer_reset(t, soon, NULL)))
		CHECK(!weft_timer_stop(t));
	if (!got_task(weft_timer_new_func(&f, count_up, &calls)))
		CHECK(f == NULL);
	else if (got_task(weft_timer_reset(f, soon, NULL)))
		count_up(&calls); /* and once more when it fires */
	if (!got_task(weft_ticker_new(&k, WEFT_SEC)))
		CHECK(k == NULL);

	CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	if (c)
		CHECK_EQ(weft_chan_recv(c, &elem, WEFT_FOREVER), 0);
	if (k)
		CHECK_EQ(weft_chan_recv(weft_ticker_chan(k), &elem,
		                        WEFT_FOREVER),
		         0);
	CHECK_EQ(weft_load_relaxed(&calls) % 2, 0u);
	weft_chan_unref(c);
	weft_timer_free(t);
	weft_timer_free(f);
	weft_ticker_free(k);
	return 0;
}

TEST_OUTSIDE(a_timer_that_was_made_fires_whatever_was_refused)
{
	run_without_each(TESTING_THREADS, timers);
	run_without_each(TESTING_MEMORY, timers);
}

/* --- contexts --- */

static int contexts(void *arg)
{
	_Atomic unsigned calls = 0;
	struct weft_ctx *top = NULL, *timed = NULL, *valued = NULL;
	struct weft_ctx_func on_top, on_timed;
	bool after_top = false, after_timed = false;

	(void)arg;
	if (got_memory(weft_ctx_with_cancel(&top, NULL)))
		after_top = got_task(
		        weft_ctx_after(top, &on_top, count_up, &calls));
	if (got_memory(weft_ctx_with_timeout(&timed, top, WEFT_SEC)))
		after_timed = got_task(
		        weft_ctx_after(timed, &on_timed, count_up, &calls));
	if (got_memory(weft_ctx_with_value(&valued, timed, "key", &calls)))
		CHECK(weft_ctx_value(valued, "key") == &calls);

	CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_ctx_err(timed), timed ? -ETIMEDOUT : 0);
	CHECK_EQ(weft_load_relaxed(&calls), after_timed ? 1u : 0u);
	if (top)
		CHECK_EQ(weft_ctx_cancel(top, 0), 0);
	CHECK_EQ(weft_load_relaxed(&calls),
	         (after_timed ? 1u : 0u) + (after_top ? 1u : 0u));

	if (after_top)
		CHECK(!weft_ctx_after_stop(&on_top));
	if (after_timed)
		CHECK(!weft_ctx_after_stop(&on_timed));
	weft_ctx_unref(valued);
	weft_ctx_unref(timed);
	weft_ctx_unref(top);
	return 0;
}

TEST_OUTSIDE(a_context_ends_whatever_was_refused)
{
	run_without_each(TESTING_THREADS, contexts);
	run_without_each(TESTING_MEMORY, contexts);
}

/* --- channels and select --- */

#define ELEMENTS 60u

struct flow {
	struct weft_chan *c;
	uint64_t sent, received;
};

static int send_all(void *arg)
{
	struct flow *f = arg;

	for (uint64_t i = 0; i < ELEMENTS; i++) {
		uint64_t elem = f->sent;

		f->sent +=
		        got_memory(weft_chan_send(f->c, &elem, WEFT_FOREVER));
	}
	CHECK_EQ(weft_chan_close(f->c), 0);
	return 0;
}

/* More cases than find room on the stack of the call. */
#define CASES 20u

static void select_all(struct flow *f)
{
	struct weft_case cases[CASES];
	uint64_t elem = 0;

	for (unsigned i = 0; i < CASES; i++)
		cases[i] = weft_case_recv(i ? NULL : f->c, &elem);
	for (;;) {
		int got = weft_select(cases, CASES, WEFT_FOREVER), err;

		/* A plain receive needs none. */
		if (got_memory(got))
			err = cases[got].err;
		else
			err = weft_chan_recv(f->c, &elem, WEFT_FOREVER);
		if (err == -EPIPE)
			return;
		CHECK_EQ(err, 0);
		CHECK_EQ(elem, f->received);
		f->received++;
	}
}

static int channels(void *arg)
{
	static const char *const impls[] = { "handoff", "ring", "list" };

	(void)arg;
	for (unsigned i = 0; i < sizeof(impls) / sizeof(*impls); i++) {
		struct flow f = { .c = NULL };
		struct weft_task *sender;

		if (!got_memory(weft_chan_new(&f.c,
		                              weft_chan_impl_find(impls[i]), 2,
		                              sizeof(uint64_t), NULL))) {
			CHECK(f.c == NULL);
			continue;
		}
		if (got_task(weft_spawn(&sender, NULL, send_all, &f))) {
			select_all(&f);
			CHECK_EQ(testing_join(sender), 0);
		}
		CHECK_EQ(f.received, f.sent);
		weft_chan_unref(f.c);
	}
	return 0;
}

TEST_OUTSIDE(an_element_that_was_sent_arrives_whatever_was_refused)
{
	run_without_each(TESTING_THREADS, channels);
	run_without_each(TESTING_MEMORY, channels);
}

/* --- the wall clock --- */

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);

/* It is seen as it was before it was set back by an hour. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
	int err = __real_clock_gettime(clock, out);

	if (!err && clock == CLOCK_REALTIME)
		out->tv_sec += 3600;
	return err;
}

/* A join waits for the destructors of its task's thread, for a while. */
static struct late {
	pthread_key_t key;
	struct weft_chan *c; /* of nothing, a rendezvous */
	_Atomic bool gave_up;
} late;

/* Until it is heard, or for far longer than any join may take. */
static void destructor(void *arg)
{
	struct late *l = arg;
	int err = weft_chan_send(l->c, NULL, weft_deadline_in(60 * WEFT_SEC));

	weft_store_release(&l->gave_up, err != 0);
}

static int leaves_a_destructor(void *arg)
{
	(void)arg;
	return -pthread_setspecific(late.key, &late);
}

static int joins_and_hears(void *arg)
{
	(void)arg;
	CHECK_EQ(testing_join(testing_spawn(leaves_a_destructor, NULL)), 0);
	CHECK(!weft_load_acquire(&late.gave_up));
	CHECK_EQ(weft_chan_recv(late.c, NULL, WEFT_FOREVER), 0);
	return 0;
}

TEST_OUTSIDE(a_wall_clock_that_is_set_back_delays_no_join)
{
	late.c = testing_chan("handoff", 0, 0);
	assert_int_equal(pthread_key_create(&late.key, destructor), 0);
	assert_int_equal(weft_run(WEFT_THREADS, NULL, joins_and_hears, NULL),
	                 0); /* the thread is gone */
	assert_int_equal(pthread_key_delete(late.key), 0);
	weft_chan_unref(late.c);
}
