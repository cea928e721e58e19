/* Tests of tasks: run, spawn, join, the ways to end, park, the clocks. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>
#include <weft/task.h>

#include "base/affinity.h"
#include "task/internal.h"
#include "task/place.h"
#include "task/testing.h"

/* For bodies that are given something, or leave a task behind. */
static int on(enum weft_clock clock, weft_task_fn fn, void *arg)
{
	struct weft_run_opts opts = { .clock = clock, .seed = 3 };

	return weft_run(WEFT_THREADS, &opts, fn, arg);
}

/* --- run, spawn, join --- */

static int seven(void *arg)
{
	(void)arg;
	return 7;
}

static void run_returns_the_status_of_its_function(void **state)
{
	(void)state;
	assert_int_equal(weft_run(WEFT_THREADS, NULL, seven, NULL), 7);
}

static void run_refuses_what_it_cannot_run(void **state)
{
	struct weft_run_opts bad = { .clock = (enum weft_clock)9 };

	(void)state;
	assert_int_equal(weft_run(WEFT_THREADS, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(weft_run((enum weft_runtime)9, NULL, seven, NULL),
	                 -EINVAL);
	assert_int_equal(weft_run(WEFT_THREADS, &bad, seven, NULL), -EINVAL);
}

TEST(a_run_inside_a_run_is_refused)
{
	(void)arg;
	CHECK_EQ(weft_run(WEFT_THREADS, NULL, seven, NULL), -EINVAL);
	return 0;
}

static void spawn_outside_of_a_run_is_refused(void **state)
{
	struct weft_task *t = NULL;

	(void)state;
	assert_int_equal(weft_spawn(&t, NULL, seven, NULL), -EINVAL);
	assert_null(t);
}

TEST(join_hands_out_the_status)
{
	struct weft_task *t;
	int status = 0;

	(void)arg;
	CHECK_EQ(weft_spawn(&t, NULL, seven, NULL), 0);
	CHECK_EQ(weft_join(t, &status), 0);
	CHECK_EQ(status, 7);
	return 0;
}

TEST(join_refuses_nonsense)
{
	struct weft_task *t;

	(void)arg;
	CHECK_EQ(weft_join(NULL, NULL), -EINVAL);
	CHECK_EQ(weft_join(weft_self(), NULL), -EINVAL);
	CHECK_EQ(weft_spawn(&t, NULL, seven, NULL), 0);
	CHECK_EQ(weft_join(t, NULL), 0);
	CHECK_EQ(weft_join(t, NULL), -EINVAL);
	return 0;
}

static int add_one(void *arg)
{
	weft_fetch_add_relaxed((_Atomic int *)arg, 1);
	return 0;
}

static int spawn_and_leave(void *arg)
{
	struct weft_task *t;

	for (int i = 0; i < 20; i++)
		CHECK_EQ(weft_spawn(i % 2 ? &t : NULL, NULL, add_one, arg), 0);
	return 0;
}

static void run_waits_for_those_that_nobody_joined(void **state)
{
	_Atomic int n = 0;

	(void)state;
	assert_int_equal(on(WEFT_CLOCK_MONOTONIC, spawn_and_leave, &n), 0);
	assert_int_equal(weft_load_relaxed(&n), 20);
}

TEST(many_short_tasks_reuse_their_records)
{
	struct weft_run_stats stats;
	_Atomic int n = 0;

	(void)arg;
	for (int i = 0; i < 300; i++)
		CHECK_EQ(weft_spawn(NULL, NULL, add_one, &n), 0);
	while (weft_load_acquire(&n) != 300)
		weft_yield();
	weft_run_stats(&stats);
	CHECK_EQ(stats.tasks, 301u);
	return 0;
}

static int wait_for_permit(void *arg)
{
	(void)arg;
	weft_park(WEFT_FOREVER);
	return 1;
}

TEST_MANUAL(join_with_a_deadline_leaves_the_handle)
{
	struct weft_task *t;
	int status = 0;

	(void)arg;
	CHECK_EQ(weft_spawn(&t, NULL, wait_for_permit, NULL), 0);
	CHECK_EQ(weft_join_until(t, NULL, WEFT_NOW), -ETIMEDOUT);
	weft_unpark(t);
	CHECK_EQ(weft_join(t, &status), 0);
	CHECK_EQ(status, 1);
	return 0;
}

/* --- the ways to end --- */

static int exits_from_comparison(const void *a, const void *b)
{
	(void)a;
	(void)b;
	weft_task_exit(5);
}

/* From within a callback of libc, which knows nothing of it. */
static int exits(void *arg)
{
	int two[] = { 2, 1 };

	(void)arg;
	qsort(two, 2, sizeof(two[0]), exits_from_comparison);
	return 0;
}

TEST(task_exit_ends_the_task_from_any_depth)
{
	struct weft_task *t;
	int status = 0;

	(void)arg;
	CHECK_EQ(weft_spawn(&t, NULL, exits, NULL), 0);
	CHECK_EQ(weft_join(t, &status), 0);
	CHECK_EQ(status, 5);
	return 0;
}

static void task_exit_of_the_first_task_ends_the_run(void **state)
{
	(void)state;
	assert_int_equal(weft_run(WEFT_THREADS, NULL, exits, NULL), 5);
}

static int tries(void *arg)
{
	int status = 0;

	(void)arg;
	CHECK_EQ(weft_try(exits, NULL, &status), -ECANCELED);
	CHECK_EQ(status, 5);
	return 1;
}

TEST(try_catches_the_exit_and_nests)
{
	int status = 0;

	(void)arg;
	CHECK_EQ(weft_try(tries, NULL, &status), 0);
	CHECK_EQ(status, 1);
	CHECK_EQ(weft_try(seven, NULL, &status), 0);
	CHECK_EQ(status, 7);
	CHECK_EQ(weft_try(NULL, NULL, &status), -EINVAL);
	return 0;
}

static void try_works_on_a_foreign_thread(void **state)
{
	int status = 0;

	(void)state;
	assert_int_equal(weft_try(exits, NULL, &status), -ECANCELED);
	assert_int_equal(status, 5);
}

static int leaves_its_thread(void *arg)
{
	(void)arg;
	pthread_exit(NULL);
}

TEST(pthread_exit_fails_the_task_and_is_joined)
{
	struct weft_task *t;
	int status = 0;

	(void)arg;
	CHECK_EQ(weft_spawn(&t, NULL, leaves_its_thread, NULL), 0);
	CHECK_EQ(weft_join(t, &status), 0);
	CHECK_EQ(status, -ECANCELED);
	CHECK_EQ(weft_spawn(NULL, NULL, leaves_its_thread, NULL), 0);
	return 0;
}

/* --- park and unpark --- */

TEST(an_unpark_before_the_park_is_not_lost)
{
	(void)arg;
	weft_unpark(weft_self());
	CHECK_EQ(weft_park(WEFT_FOREVER), 0);
	CHECK_EQ(weft_park(WEFT_NOW), -ETIMEDOUT);
	return 0;
}

TEST(there_is_one_permit_only)
{
	(void)arg;
	weft_unpark(weft_self());
	weft_unpark(weft_self());
	CHECK_EQ(weft_park(WEFT_FOREVER), 0);
	CHECK_EQ(weft_park(WEFT_NOW), -ETIMEDOUT);
	return 0;
}

struct turns {
	struct weft_task *main;
	_Atomic int turn;
	int rounds;
};

static void await_turn(struct turns *t, int mine)
{
	while (weft_load_acquire(&t->turn) != mine)
		weft_park(WEFT_FOREVER);
}

static int other_side(void *arg)
{
	struct turns *t = arg;

	for (int i = 0; i < t->rounds; i++) {
		await_turn(t, 1);
		weft_store_release(&t->turn, 0);
		weft_unpark(t->main);
	}
	return 0;
}

static int take_turns(void *arg)
{
	struct turns t = { .main = weft_self(), .rounds = 2000 };
	struct weft_task *other;

	(void)arg;
	CHECK_EQ(weft_spawn(&other, NULL, other_side, &t), 0);
	for (int i = 0; i < t.rounds; i++) {
		await_turn(&t, 0);
		weft_store_release(&t.turn, 1);
		weft_unpark(other);
	}
	return weft_join(other, NULL);
}

static void no_wake_up_is_lost_in_turn_taking(void **state)
{
	(void)state;
	assert_int_equal(on(WEFT_CLOCK_MONOTONIC, take_turns, NULL), 0);
	assert_int_equal(on(WEFT_CLOCK_MANUAL, take_turns, NULL), 0);
}

TEST(an_unpark_after_the_end_does_no_harm)
{
	struct weft_task *t, *next;

	(void)arg;
	CHECK_EQ(weft_spawn(&t, NULL, seven, NULL), 0);
	CHECK_EQ(weft_join(t, NULL), 0);
	weft_unpark(t);
	CHECK_EQ(weft_spawn(&next, NULL, seven, NULL), 0);
	weft_unpark(t);
	CHECK_EQ(weft_join(next, NULL), 0);
	return 0;
}

/* --- clocks --- */

struct sleeper {
	int64_t until;
	_Atomic int64_t woke;
};

static int sleeps(void *arg)
{
	struct sleeper *s = arg;

	weft_sleep_until(s->until);
	weft_store_release(&s->woke, weft_now());
	return 0;
}

TEST_MANUAL(the_manual_clock_wakes_what_is_due_and_nothing_else)
{
	int64_t t0 = weft_now();
	struct sleeper s[2] = { { .until = t0 + 10 }, { .until = t0 + 20 } };
	struct weft_task *t[2];

	(void)arg;
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_spawn(&t[i], NULL, sleeps, &s[i]), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(9), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_load_acquire(&s[0].woke), 0);
	CHECK_EQ(weft_clock_advance(1), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_load_acquire(&s[0].woke), t0 + 10);
	CHECK_EQ(weft_load_acquire(&s[1].woke), 0);
	CHECK_EQ(weft_clock_advance(WEFT_SEC), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_join(t[i], NULL), 0);
	CHECK_EQ(weft_load_acquire(&s[1].woke), t0 + 10 + WEFT_SEC);
	return 0;
}

TEST_MANUAL(a_park_with_a_deadline_expires_on_the_manual_clock)
{
	struct sleeper s = { .until = weft_now() + 5 };
	struct weft_task *t;

	(void)arg;
	CHECK_EQ(weft_park(weft_now()), -ETIMEDOUT);
	CHECK_EQ(weft_spawn(&t, NULL, sleeps, &s), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(5), 0);
	return weft_join(t, NULL);
}

TEST_MANUAL(a_stray_permit_does_not_cut_a_sleep_short_nor_get_lost)
{
	struct sleeper s = { .until = weft_now() + 5 };
	struct weft_task *t;

	(void)arg;
	CHECK_EQ(weft_spawn(&t, NULL, sleeps, &s), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	weft_unpark(t);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_load_acquire(&s.woke), 0);
	CHECK_EQ(weft_clock_advance(5), 0);
	CHECK_EQ(weft_join(t, NULL), 0);

	weft_unpark(weft_self());
	weft_sleep_until(weft_now());
	CHECK_EQ(weft_park(WEFT_NOW), 0);
	return 0;
}

TEST(the_clock_calls_refuse_the_monotonic_clock)
{
	(void)arg;
	CHECK_EQ(weft_clock_advance(1), -EINVAL);
	CHECK_EQ(weft_clock_settle(), -EINVAL);
	return 0;
}

TEST_MANUAL(the_clock_does_not_go_back)
{
	int64_t now = weft_now();

	(void)arg;
	CHECK_EQ(weft_clock_advance(-1), -EINVAL);
	CHECK_EQ(weft_now(), now);
	CHECK_EQ(weft_clock_advance(INT64_MAX), 0);
	CHECK_EQ(weft_now(), WEFT_FOREVER - 1);
	return 0;
}

TEST(a_real_deadline_is_not_early)
{
	int64_t until = weft_deadline_in(2 * WEFT_MS);

	(void)arg;
	while (weft_park(until) == 0)
		continue;
	CHECK_LE(until, weft_now());
	return 0;
}

static int negative_deadline(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_park(-1), -ETIMEDOUT);
	CHECK_EQ(weft_park(INT64_MIN), -ETIMEDOUT);
	weft_sleep_until(INT64_MIN);
	return 0;
}

/* The kernel refuses negative times, which must not look like a wake-up. */
static void a_deadline_before_the_epoch_has_expired(void **state)
{
	(void)state;
	assert_int_equal(on(WEFT_CLOCK_MONOTONIC, negative_deadline, NULL), 0);
	assert_int_equal(on(WEFT_CLOCK_MANUAL, negative_deadline, NULL), 0);
}

/* --- the rest --- */

static int rand_of(void *arg)
{
	*(uint64_t *)arg = weft_rand();
	return 0;
}

static int draw(void *arg)
{
	uint64_t *v = arg;
	struct weft_task *t;

	v[0] = weft_rand();
	for (int i = 1; i < 3; i++) {
		CHECK_EQ(weft_spawn(&t, NULL, rand_of, &v[i]), 0);
		CHECK_EQ(weft_join(t, NULL), 0);
	}
	return 0;
}

static void random_numbers_repeat_with_the_seed(void **state)
{
	uint64_t a[3], b[3];

	(void)state;
	on(WEFT_CLOCK_MONOTONIC, draw, a);
	on(WEFT_CLOCK_MONOTONIC, draw, b);
	assert_memory_equal(a, b, sizeof(a));
	assert_true(a[0] != a[1] && a[1] != a[2]);
}

/* A permit may be left over from an earlier owner of the record: as every
 * user of park, this loops. */
static int wait_for_flag(void *arg)
{
	while (!weft_load_acquire((_Atomic int *)arg))
		weft_park(WEFT_FOREVER);
	return 0;
}

TEST_MANUAL(the_state_dump_names_tasks_and_what_they_wait_for)
{
	struct weft_task_opts opts = { .name = "patient" };
	struct weft_task *t;
	char *text = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);
	_Atomic int flag = 0;

	(void)arg;
	CHECK(f != NULL);
	CHECK_EQ(weft_spawn(&t, &opts, wait_for_flag, &flag), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_LE(2u, weft_tasks_print(f));
	fclose(f);
	CHECK(strstr(text, "patient") && strstr(text, "parked on park"));
	CHECK(strstr(text, "running"));
	free(text);
	weft_store_release(&flag, 1);
	weft_unpark(t);
	return weft_join(t, NULL);
}

/* Two tasks that park again when they are woken, printed into a stream whose
 * first write takes so long that the second task parks anew meanwhile. */
struct printed {
	struct weft_task *task[2];
	_Atomic bool over;
	bool late;
	char text[4096];
	size_t n;
};

static int parks_again(void *arg)
{
	struct printed *p = arg;

	while (!weft_load_acquire(&p->over))
		weft_park(WEFT_FOREVER);
	return 0;
}

static ssize_t print_slowly(void *cookie, const char *bytes, size_t n)
{
	struct printed *p = cookie;
	struct weft_task *t = p->task[1];
	int64_t since = weft_load_relaxed(&t->waits_since);

	if (!p->late) {
		p->late = true;
		weft_unpark(t);
		while (weft_load_relaxed(&t->waits_since) == since ||
		       !weft_load_acquire(&t->waits_for))
			weft_yield();
	}
	if (n > sizeof(p->text) - 1 - p->n)
		n = sizeof(p->text) - 1 - p->n;
	memcpy(p->text + p->n, bytes, n);
	p->n += n;
	return (ssize_t)n;
}

TEST(no_time_in_the_state_dump_is_negative)
{
	static struct printed p;
	FILE *to = fopencookie(
	        &p, "w", (cookie_io_functions_t){ .write = print_slowly });
	int fields = 0;

	CHECK(to != NULL);
	CHECK_EQ(setvbuf(to, NULL, _IONBF, 0), 0);
	for (int i = 0; i < 2; i++) {
		p.task[i] = testing_spawn(parks_again, &p);
		while (!weft_load_acquire(&p.task[i]->waits_for))
			weft_yield();
	}
	weft_tasks_print(to);
	fclose(to);
	for (char *at = p.text; (at = strstr(at, " for ")); fields++) {
		CHECK_LE(0.0, strtod(at + 5, NULL));
		CHECK(at[5] != '-');
		at += 5;
	}
	CHECK_LE(2, fields);
	weft_store_release(&p.over, true);
	for (int i = 0; i < 2; i++) {
		weft_unpark(p.task[i]);
		testing_join(p.task[i]);
	}
	return 0;
}

struct foreign {
	struct weft_task *task;
	_Atomic int ready;
};

static void *foreign_thread(void *arg)
{
	struct foreign *f = arg;

	f->task = weft_self();
	weft_store_release(&f->ready, 1);
	while (weft_load_acquire(&f->ready) != 2)
		weft_park(WEFT_FOREVER);
	return NULL;
}

static void any_thread_may_park_and_be_unparked(void **state)
{
	struct foreign f = { 0 };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, foreign_thread, &f), 0);
	while (weft_load_acquire(&f.ready) != 1)
		weft_yield();
	weft_store_release(&f.ready, 2);
	weft_unpark(f.task);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_string_equal(weft_task_name(weft_self()), "foreign thread");
}

/* --- places --- */

/* The only CPU that the caller may use; -1 when there are more. */
static int only_cpu(void)
{
	cpu_set_t set;
	int cpu = 0;

	CHECK_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
	if (CPU_COUNT(&set) != 1)
		return -1;
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	return cpu;
}

static int note_cpu(void *arg)
{
	*(int *)arg = only_cpu();
	return 0;
}

static int spawned_cpu(void)
{
	struct weft_task *t;
	int cpu = -2;

	CHECK_EQ(weft_spawn(&t, NULL, note_cpu, &cpu), 0);
	CHECK_EQ(weft_join(t, NULL), 0);
	return cpu;
}

static int note_child_cpu(void *arg)
{
	*(int *)arg = spawned_cpu();
	return 0;
}

TEST(tasks_take_the_chosen_cpus_in_turn)
{
	unsigned cpu[WEFT_CPUS_MAX], n = weft_cpu_list("", NULL, cpu);
	int was = only_cpu(), child = -2;
	struct weft_task *t;

	(void)arg;
	CHECK_EQ(weft_run_spread(cpu, n), 0);
	for (unsigned i = 0; i < 2 * n + 1; i++)
		CHECK_EQ(spawned_cpu(), (int)cpu[i % n]);
	/* A task that was kept to a CPU does not keep its own ones there. */
	CHECK_EQ(weft_spawn(&t, NULL, note_child_cpu, &child), 0);
	CHECK_EQ(weft_join(t, NULL), 0);
	CHECK_EQ(child, (int)cpu[(2 * n + 2) % n]);
	CHECK_EQ(only_cpu(), was);

	CHECK_EQ(weft_run_spread(NULL, 0), 0);
	CHECK_EQ(spawned_cpu(), was);
	return 0;
}

TEST(nobody_spins_on_a_single_chosen_cpu)
{
	unsigned cpu[WEFT_CPUS_MAX], before = weft_cpus();

	(void)arg;
	CHECK_LE(1u, weft_cpu_list("", NULL, cpu));
	CHECK_EQ(weft_run_spread(cpu, 1), 0);
	CHECK_EQ(weft_cpus(), 1u);
	weft_cpus_refresh(); /* as by a thread that is adopted */
	CHECK_EQ(weft_cpus(), 1u);
	CHECK_EQ(weft_run_spread(NULL, 0), 0);
	CHECK_EQ(weft_cpus(), before);
	return 0;
}

static int choose_one(void *arg)
{
	(void)arg;
	return weft_run_spread(&(unsigned){ 0 }, 1);
}

static void the_choice_ends_with_its_run(void **state)
{
	unsigned before = weft_cpus();

	(void)state;
	assert_int_equal(weft_run_spread(&(unsigned){ 0 }, 1), -EINVAL);
	assert_int_equal(on(WEFT_CLOCK_MONOTONIC, choose_one, NULL), 0);
	assert_int_equal(weft_cpus(), before);
}

static int spawn_nowhere(void *arg)
{
	struct weft_task *t;

	(void)arg;
	CHECK_EQ(weft_run_spread(&(unsigned){ WEFT_CPUS_MAX - 1 }, 1), 0);
	return weft_spawn(&t, NULL, seven, NULL);
}

static void a_cpu_that_is_not_there_has_no_task(void **state)
{
	(void)state;
	assert_int_equal(on(WEFT_CLOCK_MONOTONIC, spawn_nowhere, NULL),
	                 -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_returns_the_status_of_its_function),
		cmocka_unit_test(run_refuses_what_it_cannot_run),
		cmocka_unit_test(a_run_inside_a_run_is_refused),
		cmocka_unit_test(spawn_outside_of_a_run_is_refused),
		cmocka_unit_test(join_hands_out_the_status),
		cmocka_unit_test(join_refuses_nonsense),
		cmocka_unit_test(run_waits_for_those_that_nobody_joined),
		cmocka_unit_test(many_short_tasks_reuse_their_records),
		cmocka_unit_test(join_with_a_deadline_leaves_the_handle),
		cmocka_unit_test(task_exit_ends_the_task_from_any_depth),
		cmocka_unit_test(task_exit_of_the_first_task_ends_the_run),
		cmocka_unit_test(try_catches_the_exit_and_nests),
		cmocka_unit_test(try_works_on_a_foreign_thread),
		cmocka_unit_test(pthread_exit_fails_the_task_and_is_joined),
		cmocka_unit_test(an_unpark_before_the_park_is_not_lost),
		cmocka_unit_test(there_is_one_permit_only),
		cmocka_unit_test(no_wake_up_is_lost_in_turn_taking),
		cmocka_unit_test(an_unpark_after_the_end_does_no_harm),
		cmocka_unit_test(
		        the_manual_clock_wakes_what_is_due_and_nothing_else),
		cmocka_unit_test(
		        a_park_with_a_deadline_expires_on_the_manual_clock),
		cmocka_unit_test(
		        a_stray_permit_does_not_cut_a_sleep_short_nor_get_lost),
		cmocka_unit_test(the_clock_calls_refuse_the_monotonic_clock),
		cmocka_unit_test(the_clock_does_not_go_back),
		cmocka_unit_test(a_real_deadline_is_not_early),
		cmocka_unit_test(a_deadline_before_the_epoch_has_expired),
		cmocka_unit_test(random_numbers_repeat_with_the_seed),
		cmocka_unit_test(
		        the_state_dump_names_tasks_and_what_they_wait_for),
		cmocka_unit_test(no_time_in_the_state_dump_is_negative),
		cmocka_unit_test(any_thread_may_park_and_be_unparked),
		cmocka_unit_test(tasks_take_the_chosen_cpus_in_turn),
		cmocka_unit_test(nobody_spins_on_a_single_chosen_cpu),
		cmocka_unit_test(the_choice_ends_with_its_run),
		cmocka_unit_test(a_cpu_that_is_not_there_has_no_task),
	};

	return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
