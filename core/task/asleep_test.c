/*
 * Tests of what happens when all tasks are asleep: it is told when it is so,
 * and never when anything can still happen.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/atomic.h>
#include <weft/weft.h>

#include "base/child.h"
#include "task/testing.h"

/* --- told: in a child, which ends by this signal --- */

static void tells(void *arg)
{
	CHECK_EQ(*(int *)arg, 7); /* it is the one that was given */
	raise(SIGUSR1);
}

/* How a run of its own in a child ends: as waitpid() has it. One that is not
 * told hangs, and is ended by a signal. */
static int end_of(enum weft_clock clock, weft_task_fn fn, void *arg,
                  void (*asleep)(void *arg))
{
	int seven = 7, status = -1;
	struct weft_run_opts opts = { .clock = clock,
		                      .asleep = asleep,
		                      .asleep_arg = &seven };
	pid_t child = weft_child_fork();

	assert_true(child >= 0);
	if (child == 0) {
		alarm(120);
		_exit(weft_run(WEFT_THREADS, &opts, fn, arg));
	}
	assert_int_equal(weft_child_wait(child, 0, &status), 1);
	return status;
}

static void is_told_on(enum weft_clock clock, weft_task_fn fn, void *arg)
{
	int status = end_of(clock, fn, arg, tells);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGUSR1);
}

static void is_told(weft_task_fn fn, void *arg)
{
	is_told_on(WEFT_CLOCK_MONOTONIC, fn, arg);
}

static struct weft_chan *chan_over(const char *impl)
{
	struct weft_chan *c;

	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find(impl), 1, sizeof(int),
	                       NULL),
	         0);
	return c;
}

static int parks(void *arg)
{
	bool *never = arg;

	while (!never || !*never)
		weft_park(WEFT_FOREVER);
	return 0;
}

static int receives(void *arg)
{
	int v;

	return weft_chan_recv(arg, &v, WEFT_FOREVER);
}

static void one_task_that_parks(void **state)
{
	(void)state;
	is_told(parks, NULL);
}

/* Each waits for what the other would send. */
static int waits_for_each_other(void *impl)
{
	struct weft_task *t = testing_spawn(receives, chan_over(impl));

	receives(chan_over(impl));
	return testing_join(t);
}

static void two_that_wait_for_each_other_over_any_channel(void **state)
{
	static const char *const impls[] = { "handoff", "ring", "mpsc", "spsc",
		                             "list" };

	(void)state;
	for (size_t i = 0; i < sizeof(impls) / sizeof(*impls); i++)
		is_told(waits_for_each_other, (void *)(uintptr_t)impls[i]);
}

static int leaves_one_asleep(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_spawn(NULL, NULL, parks, NULL), 0);
	return 0;
}

static void the_first_has_returned(void **state)
{
	(void)state;
	is_told(leaves_one_asleep, NULL);
}

static int joins_a_sleeper(void *arg)
{
	(void)arg;
	return testing_join(testing_spawn(parks, NULL));
}

static void a_join(void **state)
{
	(void)state;
	is_told(joins_a_sleeper, NULL);
}

static int sees_two_asleep(void *arg)
{
	struct weft_chan_stats stats;

	do {
		weft_yield();
		weft_chan_stats(arg, &stats);
	} while (stats.parks < 2);
	return 0;
}

static int is_left_by_the_last(void *arg)
{
	struct weft_chan *c = chan_over("ring");

	(void)arg;
	CHECK_EQ(weft_spawn(NULL, NULL, receives, c), 0);
	CHECK_EQ(weft_spawn(NULL, NULL, sees_two_asleep, c), 0);
	return receives(c);
}

static void the_last_awake_has_ended(void **state)
{
	(void)state;
	is_told(is_left_by_the_last, NULL);
}

static int exits_at_once(void *arg)
{
	(void)arg;
	pthread_exit(NULL);
}

static int is_left_by_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 16; i++)
		CHECK_EQ(weft_spawn(NULL, NULL, exits_at_once, NULL), 0);
	return parks(NULL);
}

static void many_have_ended_by_pthread_exit(void **state)
{
	(void)state;
	is_told(is_left_by_many, NULL);
}

static int echoes(void *arg)
{
	struct weft_chan **c = arg;
	int v;

	while (weft_chan_recv(c[0], &v, WEFT_FOREVER) == 0)
		CHECK_EQ(weft_chan_send(c[1], &v, WEFT_FOREVER), 0);
	return 0;
}

/* What is counted when tasks sleep and are woken adds up. */
static int is_forgotten_after_traffic(void *arg)
{
	struct weft_chan *c[2] = { chan_over("handoff"), chan_over("ring") };

	(void)arg;
	testing_spawn(echoes, c);
	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(weft_chan_send(c[0], &i, WEFT_FOREVER), 0);
		CHECK_EQ(receives(c[1]), 0);
	}
	return receives(c[1]);
}

static void after_a_thousand_messages(void **state)
{
	(void)state;
	is_told(is_forgotten_after_traffic, NULL);
}

static int takes_the_lock_twice(void *arg)
{
	struct weft_lock lock;

	(void)arg;
	weft_lock_init(&lock);
	weft_lock_acquire(&lock);
	weft_lock_acquire(&lock);
	return 0;
}

static int waits_for_the_group(void *arg)
{
	struct weft_waitgroup wg;

	(void)arg;
	weft_waitgroup_init(&wg);
	weft_waitgroup_add(&wg, 1);
	return weft_waitgroup_wait(&wg, WEFT_FOREVER);
}

static int waits_in_a_select(void *arg)
{
	int v = 0;
	struct weft_case cases[] = {
		weft_case_recv(chan_over("ring"), &v),
		weft_case_recv(chan_over("handoff"), &v),
	};

	(void)arg;
	return weft_select(cases, 2, WEFT_FOREVER);
}

static int waits_for_a_context(void *arg)
{
	struct weft_ctx *ctx;

	(void)arg;
	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	return weft_sleep_ctx(ctx, WEFT_FOREVER);
}

static int leaves_a_group_asleep(void *arg)
{
	struct weft_group *g;

	(void)arg;
	CHECK_EQ(weft_group_new(&g, NULL, 0), 0);
	CHECK_EQ(weft_group_go(g, parks, NULL, WEFT_FOREVER), 0);
	return weft_group_wait(g, WEFT_FOREVER);
}

static void whatever_they_wait_for(void **state)
{
	(void)state;
	is_told(takes_the_lock_twice, NULL);
	is_told(waits_for_the_group, NULL);
	is_told(waits_in_a_select, NULL);
	is_told(waits_for_a_context, NULL);
	is_told(leaves_a_group_asleep, NULL);
}

/* Only a task can move a manual clock. */
static int sleeps_for_a_second(void *arg)
{
	(void)arg;
	weft_sleep_until(WEFT_SEC);
	return 0;
}

static int waits_for_a_timer(void *arg)
{
	struct weft_chan *c;
	int64_t at;

	(void)arg;
	CHECK_EQ(weft_after(&c, WEFT_SEC), 0);
	return weft_chan_recv(c, &at, WEFT_FOREVER);
}

static int moves_the_clock_in_vain(void *arg)
{
	CHECK_EQ(weft_spawn(NULL, NULL, parks, NULL), 0);
	CHECK_EQ(weft_spawn(NULL, NULL, sleeps_for_a_second, NULL), 0);
	testing_pass(2 * WEFT_SEC);
	return sleeps_for_a_second(arg) ? 1 : parks(NULL);
}

static void on_a_manual_clock_that_nobody_moves(void **state)
{
	(void)state;
	is_told_on(WEFT_CLOCK_MANUAL, parks, NULL);
	is_told_on(WEFT_CLOCK_MANUAL, sleeps_for_a_second, NULL);
	is_told_on(WEFT_CLOCK_MANUAL, waits_for_a_timer, NULL);
	is_told_on(WEFT_CLOCK_MANUAL, moves_the_clock_in_vain, NULL);
}

/* The task that served it goes a while after. */
static int is_forgotten_after_a_timer(void *arg)
{
	struct weft_chan *c;
	int64_t at;

	(void)arg;
	CHECK_EQ(weft_after(&c, weft_deadline_in(WEFT_MS)), 0);
	CHECK_EQ(weft_chan_recv(c, &at, WEFT_FOREVER), 0);
	return weft_chan_recv(c, &at, WEFT_FOREVER);
}

static void after_the_last_timer(void **state)
{
	(void)state;
	is_told(is_forgotten_after_a_timer, NULL);
}

static int watches_a_sleeper(void *arg)
{
	struct weft_task *t = testing_spawn(parks, NULL);

	(void)arg;
	weft_task_watches();
	return weft_join_until(t, NULL, weft_deadline_in(5 * WEFT_SEC));
}

static void while_one_only_watches(void **state)
{
	(void)state;
	is_told(watches_a_sleeper, NULL);
}

/* Without a function of their own, users see what each waits for. */
static int prints_to_a_pipe(void *arg)
{
	CHECK_EQ(dup2(*(int *)arg, STDERR_FILENO), STDERR_FILENO);
	return receives(chan_over("ring"));
}

static void the_print_names_what_each_waits_for(void **state)
{
	char text[2000];
	int ends[2], status;
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	status = end_of(WEFT_CLOCK_MONOTONIC, prints_to_a_pipe, &ends[1],
	                weft_asleep_print);
	close(ends[1]);
	n = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	assert_true(n > 0);
	text[n] = '\0';
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(text, "all tasks are asleep"));
	assert_non_null(strstr(text, "main"));
	assert_non_null(strstr(text, "parked on chan recv"));
}

/* --- not told: in this process, where it would abort --- */

/* Longer than anybody takes to look. */
static void pass_real_time(int64_t ns)
{
	int64_t until_ns = clock_mono() + ns;

	while (clock_mono() < until_ns)
		sched_yield();
}

#define WHILE_NS (20 * WEFT_MS)

TEST(a_deadline_will_come)
{
	struct weft_chan *c = chan_over("ring");
	struct weft_task *t = testing_spawn(receives, c);

	CHECK_EQ(weft_join_until(t, NULL, weft_deadline_in(WHILE_NS)),
	         -ETIMEDOUT);
	CHECK_EQ(weft_chan_close(c), 0);
	CHECK_EQ(testing_join(t), -EPIPE);
	weft_chan_unref(c);
	return 0;
}

TEST(a_timer_will_fire)
{
	struct weft_chan *c;
	int64_t at;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_after(&c, weft_deadline_in(WHILE_NS)), 0);
		CHECK_EQ(weft_chan_recv(c, &at, WEFT_FOREVER), 0);
		weft_chan_unref(c);
	}
	return 0;
}

/* One that is armed for ever does not keep the run from ending. */
TEST(a_timer_that_never_fires_is_left)
{
	struct weft_chan *c;

	CHECK_EQ(weft_after(&c, WEFT_FOREVER), 0);
	pass_real_time(WHILE_NS); /* in which the task that serves it parks */
	CHECK_EQ(testing_join(testing_spawn(exits_at_once, NULL)), -ECANCELED);
	weft_chan_unref(c);
	return 0;
}

/* Waits for the machine, and then wakes the other. */
static int relays_from_a_pipe(void *arg)
{
	struct weft_chan **c = arg;
	int v;

	CHECK_EQ(weft_chan_recv(c[0], &v, weft_deadline_in(WHILE_NS)),
	         -ETIMEDOUT);
	return weft_chan_close(c[1]);
}

TEST(a_task_that_blocks_its_thread_may_wake_others)
{
	static const char *const impls[] = { "condvar", "pipe", "socketpair" };

	for (size_t i = 0; i < sizeof(impls) / sizeof(*impls); i++) {
		struct weft_chan *c[2] = { chan_over(impls[i]),
			                   chan_over("handoff") };
		struct weft_task *t = testing_spawn(relays_from_a_pipe, c);

		CHECK_EQ(receives(c[1]), -EPIPE);
		CHECK_EQ(testing_join(t), 0);
		weft_chan_unref(c[0]);
		weft_chan_unref(c[1]);
	}
	return 0;
}

struct descriptor {
	struct weft_chan *c;
	int ends[2];
};

/* What waits for a descriptor is a task, and what makes it ready may be
 * anything: here the machine, after a while. */
static int waits_for_a_descriptor(void *arg)
{
	struct descriptor *d = arg;

	CHECK_EQ(weft_wait_fd(d->ends[0], POLLIN, NULL,
	                      weft_deadline_in(WHILE_NS)),
	         -ETIMEDOUT);
	return weft_chan_close(d->c);
}

TEST(a_descriptor_may_become_ready)
{
	struct descriptor d = { .c = chan_over("list") };
	struct weft_task *t;

	CHECK_EQ(pipe(d.ends), 0);
	t = testing_spawn(waits_for_a_descriptor, &d);
	CHECK_EQ(receives(d.c), -EPIPE);
	CHECK_EQ(testing_join(t), 0);
	close(d.ends[0]);
	close(d.ends[1]);
	weft_chan_unref(d.c);
	return 0;
}

/* A thread that weft has never seen; closing a channel does not adopt it. */
static void *closes_after_a_while(void *arg)
{
	pass_real_time(WHILE_NS);
	CHECK_EQ(weft_chan_close(arg), 0);
	return NULL;
}

static int is_woken_by_a_foreign_thread(void)
{
	struct weft_chan *c = chan_over("handoff");
	struct weft_task *t = testing_spawn(receives, c);
	pthread_t foreign;

	CHECK_EQ(pthread_create(&foreign, NULL, closes_after_a_while, c), 0);
	CHECK_EQ(receives(c), -EPIPE);
	CHECK_EQ(testing_join(t), -EPIPE);
	CHECK_EQ(pthread_join(foreign, NULL), 0);
	weft_chan_unref(c);
	return 0;
}

TEST(any_thread_may_wake_a_task)
{
	return is_woken_by_a_foreign_thread();
}

TEST_MANUAL(any_thread_may_wake_a_task_on_a_manual_clock)
{
	return is_woken_by_a_foreign_thread();
}

static pthread_key_t key;

static void closes_at_the_end_of_the_thread(void *arg)
{
	closes_after_a_while(arg);
	weft_chan_unref(arg);
}

static int leaves_it_to_a_destructor(void *arg)
{
	CHECK_EQ(pthread_setspecific(key, arg), 0);
	return 0;
}

TEST(a_destructor_may_wake_a_task)
{
	struct weft_chan *c = chan_over("spsc");

	CHECK_EQ(pthread_key_create(&key, closes_at_the_end_of_the_thread), 0);
	CHECK_EQ(weft_spawn(NULL, NULL, leaves_it_to_a_destructor,
	                    weft_chan_ref(c)),
	         0);
	CHECK_EQ(receives(c), -EPIPE);
	CHECK_EQ(pthread_key_delete(key), 0);
	weft_chan_unref(c);
	return 0;
}

static int watches_and_ends(void *arg)
{
	weft_task_watches();
	weft_task_watches();
	weft_sleep_until(weft_deadline_in(WHILE_NS));
	return receives(arg);
}

TEST(one_that_watches_keeps_nobody_from_ending)
{
	struct weft_chan *c = chan_over("ring");

	CHECK_EQ(weft_spawn(NULL, NULL, watches_and_ends, c), 0);
	CHECK_EQ(weft_chan_close(c), 0);
	CHECK(testing_alone());
	weft_chan_unref(c);
	return 0;
}

static void watching_outside_of_a_run_is_nothing(void **state)
{
	(void)state;
	weft_task_watches();
}

/* --- not told: under stress --- */

/*
 * Many short runs, in which tasks wake each other without a pause: most of them
 * are asleep at any time, and at times all but one. Whether that is a task or a
 * thread of another kind is up to chance, as are the channels.
 */

#define HOPS 6
#define TOKENS 3 /* one less than a channel holds: no send waits for ever */

struct hops {
	struct weft_chan *c[HOPS];
	_Atomic int next;
};

/* Pass each token on until it has been passed on often enough. Then everyone
 * ends, by the end of the channel before him. */
static int passes_tokens_on(void *arg)
{
	struct hops *h = arg;
	int i = weft_fetch_add_relaxed(&h->next, 1), v = 1;
	struct weft_chan *to = h->c[(i + 1) % HOPS];

	while (v > 0 && weft_chan_recv(h->c[i], &v, WEFT_FOREVER) == 0) {
		v--;
		if (weft_chan_send(to, &v, WEFT_FOREVER))
			break;
	}
	weft_chan_close(to);
	return 0;
}

static void *passes_tokens_on_foreign(void *arg)
{
	passes_tokens_on(arg);
	return NULL;
}

static struct weft_chan *chan_at_random(bool blocking)
{
	/* What blocks in the kernel stands last. */
	static const char *const impls[] = { "handoff", "ring",      "mpsc",
		                             "spsc",    "list",      "pipe",
		                             "condvar", "socketpair" };
	struct weft_chan_opts opts = { .wait = weft_rand() % 2
		                                       ? WEFT_WAIT_PARK
		                                       : WEFT_WAIT_ADAPTIVE };
	struct weft_chan *c;

	CHECK_EQ(weft_chan_new(&c,
	                       weft_chan_impl_find(
	                               impls[weft_rand() % (blocking ? 8 : 5)]),
	                       TOKENS + 1, sizeof(int), &opts),
	         0);
	return c;
}

static void tokens_go_around(bool blocking, bool foreign, bool watch)
{
	struct hops h;
	struct weft_task *t[HOPS];
	pthread_t thread;
	int tokens = 1 + (int)(weft_rand() % TOKENS), first = foreign;

	weft_store_relaxed(&h.next, 0);
	for (int i = 0; i < HOPS; i++)
		h.c[i] = chan_at_random(blocking);
	for (int i = 0; i < tokens; i++)
		CHECK_EQ(weft_chan_send(h.c[0],
		                        &(int){ 1 + (int)(weft_rand() % 60) },
		                        WEFT_FOREVER),
		         0);
	if (foreign)
		CHECK_EQ(pthread_create(&thread, NULL, passes_tokens_on_foreign,
		                        &h),
		         0);
	for (int i = first; i < HOPS; i++)
		t[i] = testing_spawn(passes_tokens_on, &h);
	if (watch)
		weft_task_watches();
	for (int i = first; i < HOPS; i++)
		CHECK_EQ(testing_join(t[i]), 0);
	if (foreign)
		CHECK_EQ(pthread_join(thread, NULL), 0);
	for (int i = 0; i < HOPS; i++)
		weft_chan_unref(h.c[i]);
}

/* Each is begun by the one before and ends soon after; the last one wakes the
 * waiter. Nobody has a handle. */
struct relay {
	struct weft_chan *c;
	int left; /* read and written by one at a time */
};

static int begins_the_next(void *arg)
{
	struct relay *r = arg;

	struct weft_chan *c = r->c;

	if (r->left-- == 0) {
		CHECK_EQ(weft_chan_close(c), 0);
		weft_chan_unref(c);
		return 0;
	}
	CHECK_EQ(weft_spawn(NULL, NULL, begins_the_next, r), 0);
	return 0;
}

static void tasks_follow_each_other(void)
{
	struct relay r = { .c = chan_at_random(false),
		           .left = (int)(weft_rand() % 20) };

	weft_chan_ref(r.c); /* for the closer */
	begins_the_next(&r);
	CHECK_EQ(receives(r.c), -EPIPE);
	weft_chan_unref(r.c);
}

struct crowd {
	struct weft_lock lock;
	struct weft_waitgroup done;
	struct weft_chan *turns[2]; /* rendezvous */
};

static int takes_turns(void *arg)
{
	struct crowd *c = arg;
	int v = 0;

	for (int i = 0; i < 20; i++) {
		struct weft_case cases[] = {
			weft_case_recv(c->turns[0], &v),
			weft_case_recv(c->turns[1], &v),
		};

		weft_lock_acquire(&c->lock);
		if (weft_rand() % 2)
			weft_yield();
		weft_lock_release(&c->lock);
		CHECK_LE(0, weft_select(cases, 2, WEFT_FOREVER));
	}
	return weft_waitgroup_done(&c->done);
}

static int gives_turns(void *arg)
{
	struct crowd *c = arg;
	int v = 0;

	for (int i = 0; i < 40; i++)
		CHECK_EQ(weft_chan_send(c->turns[weft_rand() % 2], &v,
		                        WEFT_FOREVER),
		         0);
	return weft_waitgroup_done(&c->done);
}

static void a_crowd_takes_turns(void)
{
	struct weft_chan_opts opts = { .wait = WEFT_WAIT_PARK };
	struct crowd c;

	weft_lock_init(&c.lock);
	weft_waitgroup_init(&c.done);
	weft_waitgroup_add(&c.done, 6);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_chan_new(&c.turns[i],
		                       weft_chan_impl_find("handoff"), 0,
		                       sizeof(int), &opts),
		         0);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(weft_spawn(NULL, NULL,
		                    i < 4 ? takes_turns : gives_turns, &c),
		         0);
	CHECK_EQ(weft_waitgroup_wait(&c.done, WEFT_FOREVER), 0);
	for (int i = 0; i < 2; i++)
		weft_chan_unref(c.turns[i]);
}

static int sleeps_a_little(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		weft_sleep_until(weft_deadline_in(1 + (int)(weft_rand() % 9)));
	return 0;
}

static void sleepers_are_moved_on(void)
{
	struct weft_task *t[3];

	for (int i = 0; i < 3; i++)
		t[i] = testing_spawn(sleeps_a_little, NULL);
	for (int i = 0; i < 3; i++)
		testing_join_moving(t[i]);
}

static int anything(void *arg)
{
	bool manual = *(bool *)arg;

	for (int i = 0; i < 3; i++)
		switch (weft_rand() % 4) {
		case 0:
			tokens_go_around(!manual, weft_rand() % 3 == 0, false);
			break;
		case 1:
			tasks_follow_each_other();
			break;
		case 2:
			a_crowd_takes_turns();
			break;
		default:
			if (manual)
				sleepers_are_moved_on();
		}
	if (weft_rand() % 4 == 0)
		tokens_go_around(!manual, false, true);
	return 0;
}

/* Where others keep the machine busy, each wake-up waits for a CPU: then fewer
 * runs have to do. */
#define RUNS (TESTING_SLOW ? 100 : 500)
#define RUNS_MIN 50
#define RUNS_NS (3 * WEFT_SEC)

static void no_false_alarm_in_many_short_runs(void **state)
{
	int64_t until_ns = clock_mono() + RUNS_NS;

	(void)state;
	for (int i = 1; i <= RUNS; i++) {
		bool manual = i % 4 == 0;
		struct weft_run_opts opts = {
			.clock = manual ? WEFT_CLOCK_MANUAL
			                : WEFT_CLOCK_MONOTONIC,
			.seed = (uint64_t)i,
			.asleep = weft_asleep_print,
		};

		assert_int_equal(
		        weft_run(WEFT_THREADS, &opts, anything, &manual), 0);
		if (i >= RUNS_MIN && clock_mono() >= until_ns)
			break;
	}
}

/* Runs beside each other do not know of each other, and each is told apart. */
static void *runs_again_and_again(void *arg)
{
	for (int i = 0; i < 20; i++) {
		bool manual = false;
		struct weft_run_opts opts = { .seed = *(uint64_t *)arg + 1,
			                      .asleep = weft_asleep_print };

		CHECK_EQ(weft_run(WEFT_THREADS, &opts, anything, &manual), 0);
	}
	return NULL;
}

static void no_false_alarm_in_runs_beside_each_other(void **state)
{
	pthread_t threads[3];
	uint64_t seeds[3];

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		seeds[i] = 1000 * i;
		assert_int_equal(pthread_create(&threads[i], NULL,
		                                runs_again_and_again,
		                                &seeds[i]),
		                 0);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_task_that_parks),
		cmocka_unit_test(two_that_wait_for_each_other_over_any_channel),
		cmocka_unit_test(the_first_has_returned),
		cmocka_unit_test(a_join),
		cmocka_unit_test(the_last_awake_has_ended),
		cmocka_unit_test(many_have_ended_by_pthread_exit),
		cmocka_unit_test(after_a_thousand_messages),
		cmocka_unit_test(whatever_they_wait_for),
		cmocka_unit_test(on_a_manual_clock_that_nobody_moves),
		cmocka_unit_test(after_the_last_timer),
		cmocka_unit_test(while_one_only_watches),
		cmocka_unit_test(the_print_names_what_each_waits_for),
		cmocka_unit_test(a_deadline_will_come),
		cmocka_unit_test(a_timer_will_fire),
		cmocka_unit_test(a_timer_that_never_fires_is_left),
		cmocka_unit_test(a_task_that_blocks_its_thread_may_wake_others),
		cmocka_unit_test(a_descriptor_may_become_ready),
		cmocka_unit_test(any_thread_may_wake_a_task),
		cmocka_unit_test(any_thread_may_wake_a_task_on_a_manual_clock),
		cmocka_unit_test(a_destructor_may_wake_a_task),
		cmocka_unit_test(one_that_watches_keeps_nobody_from_ending),
		cmocka_unit_test(watching_outside_of_a_run_is_nothing),
		cmocka_unit_test(no_false_alarm_in_many_short_runs),
		cmocka_unit_test(no_false_alarm_in_runs_beside_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
