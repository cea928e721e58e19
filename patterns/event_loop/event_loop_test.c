/*
 * Tests of the event loop: its turns, sources, and its task. Timers,
 * descriptors and its end have files of their own, the life cycle is tested by
 * life.c. E1 to E11 are the numbers of the requirements:
 *
 *	E1  each event is handled once, in order, by the task that runs the loop
 *	E2  no source starves, and no timer behind sources
 *	E3  priorities, and age
 *	E4  a break before a run and in a handler
 *	E5  close drains, stop discards: event_loop_stop_test.c
 *	E6  timers: event_loop_timer_test.c
 *	E7  wake-ups coalesce, and none is lost
 *	E8  a handler sends to its own loop that is full
 *	E9  a handler fails, or ends its task
 *	E10 sources come and go in handlers
 *	E11 nothing holds up a close: event_loop_stop_test.c
 */
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/affinity.h"
#include "event_loop_testing.h"
#include "internal.h"
#include "task/internal.h"
#include "task/place.h"

/* --- E1 --- */

#define SENDERS 3
#define EACH (TESTING_SLOW ? 200 : 2000)

struct checked {
	struct weft_loop *l;
	struct weft_loop_source *s[SENDERS];
	struct weft_task *runs;
	int next[SENDERS];
	_Atomic int sending;
};

static int check_order(void *arg, void *event)
{
	struct checked *c = arg;
	int number;

	memcpy(&number, event, sizeof(number));
	CHECK(weft_self() == c->runs);
	CHECK_EQ(number / SENDERS, c->next[number % SENDERS]++);
	return 0;
}

struct sender {
	struct checked *c;
	int me;
};

/* Number i of a sender is i * SENDERS + its own number. */
static int send_main(void *arg)
{
	const struct sender *me = arg;
	struct checked *c = me->c;

	for (int i = 0; i < EACH; i++) {
		int number = i * SENDERS + me->me;

		CHECK_EQ(weft_loop_send(c->s[me->me], &number, WEFT_FOREVER),
		         0);
	}
	if (weft_fetch_sub_acq_rel(&c->sending, 1) == 1)
		CHECK_EQ(weft_loop_close(c->l), 0);
	return 0;
}

TEST_KINDS_ON(WEFT_CLOCK_MONOTONIC, E1_each_event_is_handled_once_in_order)
{
	struct checked c = { .l = make(kind), .runs = weft_self() };
	struct sender sender[SENDERS];
	struct weft_task *t[SENDERS];

	weft_store_relaxed(&c.sending, SENDERS);
	for (int i = 0; i < SENDERS; i++)
		c.s[i] = source(c.l, (unsigned)i, check_order, &c);
	for (int i = 0; i < SENDERS; i++) {
		sender[i] = (struct sender){ &c, i };
		t[i] = testing_spawn(send_main, &sender[i]);
	}
	CHECK_EQ(weft_loop_run(c.l), 0);
	for (int i = 0; i < SENDERS; i++) {
		CHECK_EQ(testing_join(t[i]), 0);
		CHECK_EQ(c.next[i], EACH);
	}
	CHECK_EQ(stats(c.l).events, (uint64_t)SENDERS * EACH);
	weft_loop_free(c.l);
}

/* --- E2 --- */

TEST_KINDS(E2_no_source_starves_behind_another)
{
	struct weft_loop *l =
	        make_with((struct weft_loop_opts){ .kind = kind, .batch = 1 });
	struct heard h = { .n = 0 };
	struct busy b = { .s = source(l, 0, send_again, &b) };
	struct weft_loop_source *quiet = source(l, 0, note, &h);

	send_all(b.s, 1, 3);
	send_all(quiet, 7, 8);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(weft_loop_run_once(l, WEFT_NOW), 0);
	CHECK_HEARD(&h, 7, 8);
	CHECK_EQ(b.handled, 6);
	weft_loop_free(l);
}

static int hear_timer(void *arg)
{
	hear(arg, 0);
	return 0;
}

TEST_LOOPS(E2_no_timer_starves_behind_events)
{
	struct heard h = { .n = 0 };
	struct busy b = { .s = source(l, 0, send_again, &b) };
	struct weft_loop_timer *t;

	CHECK_EQ(weft_loop_timer_new(&t, l, hear_timer, &h), 0);
	CHECK_EQ(weft_loop_timer_start(t, weft_deadline_in(WEFT_MS), 0), 0);
	send_all(b.s, 1, 1);
	CHECK_EQ(weft_loop_run_once(l, WEFT_NOW), 0);
	CHECK_EQ(b.handled, 16); /* a whole batch */
	CHECK_EQ(h.n, 0);
	CHECK_EQ(weft_clock_advance(WEFT_MS), 0);
	CHECK_EQ(weft_loop_run_once(l, WEFT_NOW), 0);
	CHECK_HEARD(&h, 0);
}

/* --- E3 --- */

static int note_posted(void *arg)
{
	hear(arg, 100);
	return 0;
}

TEST_KINDS(E3_the_highest_priority_goes_first)
{
	struct weft_loop *l = make_with(
	        (struct weft_loop_opts){ .kind = kind, .post_prio = 2 });
	struct heard h = { .n = 0 };
	struct weft_loop_source *low = source(l, 0, note, &h);
	struct weft_loop_source *high = source(l, WEFT_LOOP_PRIO_MAX, note, &h);
	struct weft_loop_source *middle = source(l, 2, note, &h);

	send_all(low, 1, 2);
	CHECK_EQ(weft_loop_post(l, note_posted, &h, WEFT_NOW), 0);
	send_all(middle, 11, 11);
	send_all(high, 21, 22);
	CHECK_EQ(turns(l), 1);
	/* Of one priority those come in turn that came to it first. */
	CHECK_EQ(h.n, 6);
	CHECK_EQ(h.event[2] + h.event[3], 100 + 11);
	h.event[2] = h.event[3] = 0;
	CHECK_HEARD(&h, 21, 22, 0, 0, 1, 2);
	weft_loop_free(l);
}

static void age_is(enum weft_loop_kind kind, uint64_t age, unsigned prio,
                   int first, int second)
{
	struct weft_loop *l =
	        make_with((struct weft_loop_opts){ .kind = kind, .age = age });
	struct heard h = { .n = 0 };
	struct weft_loop_source *low = source(l, 0, note, &h);
	struct weft_loop_source *high = source(l, prio, note, &h);

	send_all(low, 1, 2);
	send_all(high, 11, 26);
	CHECK_EQ(turns(l), 2);
	CHECK_EQ(h.n, 18);
	CHECK_EQ(h.event[first], 1);
	CHECK_EQ(h.event[second], 2);
	weft_loop_free(l);
}

TEST_KINDS(E3_what_was_passed_over_rises)
{
	age_is(kind, 4, 1, 4, 9);
	age_is(kind, 2, 3, 6, 13);
	age_is(kind, 1, 1, 1, 3);
	age_is(kind, 16, 1, 16, 17);
	age_is(kind, WEFT_LOOP_STRICT, WEFT_LOOP_PRIO_MAX, 16, 17);
}

/* --- E4 --- */

struct breaker {
	struct weft_loop *l;
	int handled, at;
};

static int break_at(void *arg, void *event)
{
	struct breaker *b = arg;

	(void)event;
	if (++b->handled == b->at)
		CHECK_EQ(weft_loop_break(b->l), 0);
	return 0;
}

TEST_KINDS(E4_a_break_ends_the_run_and_loses_nothing)
{
	struct breaker b = { .l = make_with((struct weft_loop_opts){
		                     .kind = kind, .batch = 1 }),
		             .at = 1 };
	struct weft_loop_source *s = source(b.l, 0, break_at, &b);

	send_all(s, 1, 10);
	CHECK_EQ(weft_loop_break(b.l), 0);
	CHECK_EQ(weft_loop_run(b.l), -EINTR);
	CHECK_EQ(b.handled, 0);
	CHECK_EQ(weft_loop_run(b.l), -EINTR);
	CHECK_EQ(b.handled, 1);
	b.at = 10;
	CHECK_EQ(weft_loop_run(b.l), -EINTR);
	CHECK_EQ(b.handled, 10);
	CHECK_EQ(turns(b.l), 0);
	weft_loop_free(b.l);
}

TEST_LOOPS_ON(WEFT_CLOCK_MONOTONIC, E4_a_break_reaches_a_loop_that_waits)
{
	struct weft_task *t = testing_spawn(run_main, l);

	while (!stats(l).waits)
		weft_yield();
	CHECK_EQ(weft_loop_break(l), 0);
	CHECK_EQ(testing_join(t), -EINTR);
}

/* --- E7 --- */

#define ROUNDS (TESTING_SLOW ? 300 : 2000)

struct asking {
	struct weft_loop *l;
	_Atomic int answered;
};

static int answer(void *arg)
{
	weft_fetch_add_acq_rel(&((struct asking *)arg)->answered, 1);
	return 0;
}

/* The loop has nothing else to do: it goes to sleep at every moment of the next
 * post, or break. A wake-up that is lost is a wait without an end. */
static int ask_main(void *arg)
{
	struct asking *a = arg;

	for (int i = 1; i <= ROUNDS; i++) {
		if (i % 2)
			CHECK_EQ(weft_loop_post(a->l, answer, a, WEFT_FOREVER),
			         0);
		else
			CHECK_EQ(weft_loop_break(a->l), 0);
		for (int spin = 1; weft_load_acquire(&a->answered) < i; spin++)
			if (spin % 256)
				weft_relax();
			else
				weft_yield();
		for (uint64_t spin = weft_rand() % 32; spin > 0; spin--)
			weft_pause();
	}
	return weft_loop_close(a->l);
}

TEST_KINDS_ON(WEFT_CLOCK_MONOTONIC, E7_no_wakeup_is_lost)
{
	/* One that spins would be asleep at few of those moments. */
	struct asking a = { .l = make_with((struct weft_loop_opts){
		                    .kind = kind, .wait = WEFT_WAIT_PARK }) };
	struct weft_task *asks = testing_spawn(ask_main, &a);
	int err;

	while ((err = weft_loop_run(a.l)) == -EINTR)
		answer(&a);
	CHECK_EQ(err, 0);
	CHECK_EQ(testing_join(asks), 0);
	CHECK_EQ(stats(a.l).events, ROUNDS / 2u);
	weft_loop_free(a.l);
}

#define BURST 4096

/* Sends as fast as it can. */
static int burst_main(void *arg)
{
	struct weft_loop_source *s = arg;

	for (int i = 0; i < BURST; i++)
		CHECK_EQ(weft_loop_send(s, &i, WEFT_FOREVER), 0);
	return weft_loop_close(s->l);
}

/* How often the loop's thread slept until all events were handled; -1 where
 * another process had the CPU, so that it has given up yields. */
static int sleeps_main(void *arg)
{
	struct weft_loop *l = arg;
	struct rusage before, after;

	CHECK_EQ(getrusage(RUSAGE_THREAD, &before), 0);
	CHECK_EQ(weft_loop_run(l), 0);
	CHECK_EQ(getrusage(RUSAGE_THREAD, &after), 0);
	return weft_self()->yield_ban ? -1
	                              : (int)(after.ru_nvcsw - before.ru_nvcsw);
}

static int sleeps_on_one_cpu(void)
{
	struct weft_loop *l = make_with(
	        (struct weft_loop_opts){ .kind = WEFT_LOOP_QUEUE, .cap = 64 });
	struct heard h = { .n = 0 };
	struct weft_loop_source *s = source(l, 0, note, &h);
	struct weft_task *runs = testing_spawn(sleeps_main, l);
	struct weft_task *sends = testing_spawn(burst_main, s);
	int sleeps = testing_join(runs);

	CHECK_EQ(testing_join(sends), 0);
	CHECK_EQ(h.n, BURST);
	weft_loop_free(l);
	return sleeps;
}

/* On one CPU a loop that sleeps at once is woken by the first event, and gets
 * the CPU for it: two switches for each. Other processes may have their part in
 * how often it sleeps, so it may try again. */
TEST_ON(WEFT_CLOCK_MONOTONIC, E7_a_loop_does_not_sleep_for_each_event)
{
	unsigned cpu[WEFT_CPUS_MAX];
	int fewest = BURST, told = 0;

	(void)arg;
	CHECK_LE(1u, weft_cpu_list("", NULL, cpu));
	CHECK_EQ(weft_run_spread(cpu, 1), 0);
	for (int i = 0; i < 5 && fewest > BURST / 8; i++) {
		int sleeps = sleeps_on_one_cpu();

		told += sleeps >= 0;
		if (sleeps >= 0 && sleeps < fewest)
			fewest = sleeps;
	}
	if (told)
		CHECK_LE(fewest, BURST / 8);
	else
		printf("not tried: another process has the CPU\n");
	CHECK_EQ(weft_run_spread(NULL, 0), 0);
	return 0;
}

/* A task that posts may ring only after its event was found without it. */
TEST(E7_a_bell_that_rings_late_is_heard_once)
{
	struct weft_loop *l = make(WEFT_LOOP_QUEUE);
	const uint64_t one = 1;

	CHECK_EQ(write(l->wake_fd, &one, sizeof(one)), (ssize_t)sizeof(one));
	CHECK_EQ(weft_loop_run_once(l, weft_deadline_in(20 * WEFT_MS)),
	         -ETIMEDOUT);
	CHECK_LE(stats(l).waits, 3u);
	weft_loop_free(l);
	return 0;
}

TEST_LOOPS(E7_one_turn_serves_all_that_came_meanwhile)
{
	struct heard h = { .n = 0 };

	send_all(source(l, 0, note, &h), 1, 5);
	CHECK_EQ(turns(l), 1);
	CHECK_HEARD(&h, 1, 2, 3, 4, 5);
	CHECK_EQ(stats(l).waits, 0u);
}

/* --- E8 --- */

struct feeding {
	struct weft_loop *l;
	struct weft_loop_source *s;
	int room, posts;
};

static int feed(void *arg, void *event)
{
	struct feeding *f = arg;
	int err = 0;

	if (f->room)
		return 0;
	while (!(err = weft_loop_send(f->s, event, WEFT_FOREVER)))
		f->room++;
	CHECK_EQ(err, -EDEADLK);
	CHECK_EQ(weft_loop_try_send(f->s, event), -EAGAIN);
	while (!(err = weft_loop_post(f->l, nothing, NULL, WEFT_FOREVER)))
		f->posts++;
	CHECK_EQ(err, -EDEADLK);
	return 0;
}

TEST_KINDS(E8_a_handler_does_not_wait_for_its_own_loop)
{
	struct feeding f = { .l = make_with((struct weft_loop_opts){
		                     .kind = kind, .cap = 3 }) };

	f.s = source(f.l, 0, feed, &f);
	send_all(f.s, 1, 1);
	CHECK_LE(1, turns(f.l));
	CHECK_EQ(f.room, 3);
	CHECK_LE(3, f.posts);
	CHECK_EQ(stats(f.l).events, 1u + 3u + (unsigned)f.posts);
	weft_loop_free(f.l);
}

/* --- E9 --- */

enum way { RETURN, EXIT, EXIT_0, DIE };

static int fail_by(void *arg, void *event)
{
	enum way way = (enum way) * (const int *)event;

	(void)arg;
	if (way == EXIT || way == EXIT_0)
		weft_task_exit(way == EXIT ? -EXDEV : 0);
	if (way == DIE)
		pthread_exit(NULL);
	return -EXDEV;
}

static const struct failing {
	enum way way;
	int reason, ended; /* of the loop; of the task that runs it */
} failing[] = {
	{ RETURN, -EXDEV, -EXDEV },
	{ EXIT, -EXDEV, -EXDEV },
	{ EXIT_0, -ECANCELED, -ECANCELED },
	{ DIE, -ECANCELED, -ECANCELED },
};

TEST_KINDS(E9_a_handler_that_fails_stops_the_loop)
{
	for (int i = 0; i < 4; i++) {
		struct weft_loop *l = make(kind);
		struct weft_loop_source *s = source(l, 0, fail_by, NULL);
		struct weft_task *t;

		send_all(s, i, i);
		send_all(s, RETURN, RETURN);
		t = testing_spawn(run_main, l);
		CHECK_EQ(testing_join(t), failing[i].ended);
		CHECK_EQ(stats(l).failed, 1u);
		CHECK_EQ(stats(l).discarded, 1u);
		CHECK_EQ(weft_loop_run(l), failing[i].reason);
		CHECK_EQ(weft_loop_send(s, &i, WEFT_NOW), failing[i].reason);
		weft_loop_free(l);
	}
}

TEST_KINDS(E9_or_is_counted_and_the_loop_goes_on)
{
	struct weft_loop *l = make_with((struct weft_loop_opts){
	        .kind = kind, .on_error = WEFT_ON_ERROR_SKIP });
	struct weft_loop_source *s = source(l, 0, fail_by, NULL);

	for (int i = 0; i < 4; i++)
		send_all(s, failing[i].way, failing[i].way);
	CHECK_EQ(weft_loop_close(l), 0);
	/* The last one takes the task with it; the loop has not seen its end.
	 */
	CHECK_EQ(testing_join(testing_spawn(run_main, l)), -ECANCELED);
	CHECK_EQ(stats(l).failed, 4u);
	CHECK_EQ(weft_loop_run(l), 0);
	CHECK_EQ(stats(l).drained, 4u);
	weft_loop_free(l);
}

/* --- E10 --- */

struct changing {
	struct weft_loop *l;
	struct weft_loop_source *me, *other;
	struct heard h;
};

/* Frees itself and another source, both of which hold events, and makes a new
 * one, for which there is room where they were. */
static int change(void *arg, void *event)
{
	struct changing *c = arg;
	struct weft_loop_source *heir;

	weft_loop_source_free(c->other);
	weft_loop_source_free(c->me);
	heir = source(c->l, 1, note, &c->h);
	send_all(heir, 31, 32);
	return note(&c->h, event); /* which is still there */
}

TEST_KINDS(E10_sources_come_and_go_in_handlers)
{
	struct heard dropped = { .n = 0 };
	struct changing c = { .l = make_with((struct weft_loop_opts){
		                      .kind = kind,
		                      .batch = 1,
		                      .drop = note_drop,
		                      .drop_arg = &dropped }) };

	c.me = source(c.l, 1, change, &c);
	c.other = source(c.l, 0, note, &c.h);
	send_all(c.me, 1, 3);
	send_all(c.other, 11, 12);
	turns(c.l);
	CHECK_HEARD(&c.h, 1, 31, 32);
	CHECK_EQ(stats(c.l).discarded, 4u);
	CHECK_EQ(dropped.n, 4);
	CHECK_EQ(dropped.event[0] + dropped.event[1] + dropped.event[2] +
	                 dropped.event[3],
	         2 + 3 + 11 + 12);
	weft_loop_free(c.l);
}

/* --- what any task may do, and what only one --- */

struct outsider {
	struct weft_loop *l;
	struct heard h;
};

static void *post_from_outside(void *arg)
{
	struct outsider *o = arg;

	CHECK_EQ(weft_loop_post(o->l, note_posted, &o->h, WEFT_FOREVER), 0);
	CHECK_EQ(weft_loop_close(o->l), 0);
	return NULL;
}

TEST_KINDS_ON(WEFT_CLOCK_MONOTONIC, a_thread_that_is_no_task_may_post)
{
	struct outsider x = { .l = make(kind) };
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, post_from_outside, &x), 0);
	CHECK_EQ(weft_loop_run(x.l), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_HEARD(&x.h, 100);
	weft_loop_free(x.l);
}

static int run_inside(void *arg)
{
	CHECK_EQ(weft_loop_run(arg), -EBUSY);
	CHECK_EQ(weft_loop_run_once(arg, WEFT_NOW), -EBUSY);
	return 0;
}

TEST_LOOPS_ON(WEFT_CLOCK_MONOTONIC, one_task_runs_the_loop_and_changes_it)
{
	struct weft_loop_source *s;
	struct weft_loop_timer *timer, *t;
	struct weft_task *runs;

	CHECK_EQ(weft_loop_timer_new(&timer, l, nothing, NULL), 0);
	runs = testing_spawn(run_main, l);
	while (!stats(l).waits)
		weft_yield();
	CHECK_EQ(weft_loop_run(l), -EBUSY);
	CHECK_EQ(weft_loop_run_once(l, WEFT_NOW), -EBUSY);
	CHECK_EQ(weft_loop_source_new(&s, l, 0, note, NULL), -EBUSY);
	CHECK_EQ(weft_loop_timer_new(&t, l, nothing, NULL), -EBUSY);
	CHECK_EQ(weft_loop_timer_start(timer, WEFT_NOW, 0), -EBUSY);
	CHECK_EQ(weft_loop_timer_stop(timer), -EBUSY);
	CHECK_EQ(weft_loop_post(l, run_inside, l, WEFT_FOREVER), 0);
	CHECK_EQ(weft_loop_close(l), 0);
	CHECK_EQ(testing_join(runs), 0);
}

TEST(what_makes_no_sense_is_refused)
{
	static const struct weft_loop_opts bad[] = {
		{ .kind = (enum weft_loop_kind)2 },
		{ .wait = (enum weft_wait)9 },
		{ .on_error = WEFT_ON_ERROR_DRAIN },
		{ .elem_size = WEFT_ELEM_MAX + 1 },
		{ .batch = WEFT_LOOP_BATCH_MAX + 1 },
		{ .post_prio = WEFT_LOOP_PRIO_MAX + 1 },
		{ .impl = &testing_floor },
		{ .impl = &testing_one_to_one },
		{ .impl = &testing_one_to_one, .senders = 2 },
	};
	struct weft_loop_source *s = NULL;
	struct weft_loop *l = NULL;
	int event = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(weft_loop_new(&l, &bad[i]), -EINVAL);
	CHECK_EQ(weft_loop_new(NULL, NULL), -EINVAL);
	CHECK(l == NULL);
	CHECK_EQ(weft_loop_new(&l, NULL), 0);
	CHECK_EQ(weft_loop_source_new(NULL, l, 0, note, NULL), -EINVAL);
	CHECK_EQ(weft_loop_source_new(&s, NULL, 0, note, NULL), -EINVAL);
	CHECK_EQ(weft_loop_source_new(&s, l, 0, NULL, NULL), -EINVAL);
	CHECK_EQ(
	        weft_loop_source_new(&s, l, WEFT_LOOP_PRIO_MAX + 1, note, NULL),
	        -EINVAL);
	CHECK_EQ(weft_loop_send(NULL, &event, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_loop_try_send(NULL, &event), -EINVAL);
	weft_loop_source_free(NULL);
	CHECK_EQ(weft_loop_post(NULL, nothing, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_loop_post(l, NULL, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_loop_run(NULL), -EINVAL);
	CHECK_EQ(weft_loop_run_once(NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_loop_break(NULL), -EINVAL);
	CHECK_EQ(weft_loop_now(NULL), 0);
	CHECK(s == NULL);
	weft_loop_free(l);
	l = make(WEFT_LOOP_SELECT);
	CHECK_EQ(weft_loop_send(source(l, 0, note, NULL), NULL, WEFT_NOW),
	         -EINVAL);
	weft_loop_free(l);
	return 0;
}

TEST(channels_that_cannot_do_it_are_refused)
{
	const struct weft_loop_opts opts = {
		.impl = weft_chan_impl_find("pipe"), .cap = 1, .elem_size = 8
	};
	const struct weft_loop_opts big = { .kind = WEFT_LOOP_QUEUE,
		                            .elem_size = WEFT_ELEM_MAX };
	struct weft_loop_source *s;
	struct weft_loop *l;

	CHECK_EQ(weft_loop_new(&l, &opts), 0);
	CHECK_EQ(weft_loop_source_new(&s, l, 0, note, NULL), -EOPNOTSUPP);
	weft_loop_free(l);
	CHECK_EQ(weft_loop_new(&l, &big), 0);
	CHECK_EQ(weft_loop_source_new(&s, l, 0, note, NULL), -EINVAL);
	weft_loop_free(l);
	return 0;
}

TEST(there_may_be_as_many_sources_as_a_select_takes)
{
	struct weft_loop *l = make(WEFT_LOOP_SELECT);
	struct weft_loop_source *s, *last = NULL;
	struct heard h = { .n = 0 };
	int err, n = 0;

	while (!(err = weft_loop_source_new(&s, l, 0, note, &h))) {
		last = s;
		n++;
	}
	CHECK_EQ(err, -ENOSPC);
	CHECK_EQ(n, WEFT_SELECT_MAX - 2); /* one wakes, and one is for posts */
	send_all(last, 5, 5);
	CHECK_EQ(weft_loop_run_once(l, WEFT_FOREVER), 0);
	CHECK_HEARD(&h, 5);
	weft_loop_source_free(last);
	(void)source(l, 0, note, &h);
	weft_loop_free(l);
	return 0;
}
