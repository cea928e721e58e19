/* Tests of testing: what is left behind, or not released, is noticed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/atomic.h>

#include "testing/demo.h"
#include "testing/stop.h"

/* --- a body that leaves something behind --- */

static void *kept;
static int kept_fd;

static int keep_object(void *arg)
{
	(void)arg;
	kept = malloc(10);
	CHECK(kept != NULL);
	return 0;
}

static int keep_line(void *arg)
{
	(void)arg;
	kept = aligned_alloc(WEFT_CACHE_LINE, WEFT_CACHE_LINE);
	CHECK(kept != NULL);
	return 0;
}

static int keep_channel(void *arg)
{
	struct weft_chan *c;

	(void)arg;
	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find("handoff"), 1, 8, NULL),
	         0);
	kept = c;
	return 0;
}

static int keep_descriptor(void *arg)
{
	(void)arg;
	kept_fd = open("/dev/null", O_RDONLY);
	CHECK_LE(0, kept_fd);
	return 0;
}

static int wait_forever(void *arg)
{
	(void)arg;
	weft_sleep_until(WEFT_FOREVER);
	return 0;
}

static int keep_task(void *arg)
{
	(void)arg;
	CHECK(testing_spawn(wait_forever, NULL) != NULL);
	return 0;
}

static void expect_noticed(enum weft_clock clock, weft_task_fn leaver)
{
	assert_int_equal(testing_run_clean(clock, leaver), -EBUSY);
	free(kept);
	kept = NULL;
}

static void an_object_that_is_left_is_noticed(void **state)
{
	(void)state;
	expect_noticed(WEFT_CLOCK_MONOTONIC, keep_object);
	expect_noticed(WEFT_CLOCK_MANUAL, keep_line);
}

static void an_object_of_the_library_that_is_left_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(testing_run_clean(WEFT_CLOCK_MONOTONIC, keep_channel),
	                 -EBUSY);
	weft_chan_unref(kept);
}

static void a_descriptor_that_is_left_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(
	        testing_run_clean(WEFT_CLOCK_MONOTONIC, keep_descriptor),
	        -EBUSY);
	close(kept_fd);
}

/* A child is expected to abort; what it says meanwhile is of no interest. */
static void expect_abort(void (*fn)(void))
{
	int status, quiet;
	pid_t pid = fork();

	if (pid == 0) {
		quiet = open("/dev/null", O_WRONLY);
		dup2(quiet, STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void leave_a_task(void)
{
	testing_patience_ns = WEFT_MS; /* of this process, which ends */
	testing_run_clean(WEFT_CLOCK_MONOTONIC, keep_task);
}

static void a_task_that_is_left_aborts(void **state)
{
	(void)state;
	expect_abort(leave_a_task);
}

/* --- a body that leaves nothing behind --- */

static int do_nothing(void *arg)
{
	(void)arg;
	return 0;
}

/* More tasks than there were before: their records stay, and are no leak. */
TEST(tasks_that_ended_are_no_leak)
{
	struct weft_task *t[20];

	for (int i = 0; i < 20; i++)
		t[i] = testing_spawn(do_nothing, NULL);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(testing_join(t[i]), 0);
	return 0;
}

/* What it was waited for is done; the rest takes a while. */
static int linger(void *arg)
{
	weft_waitgroup_done(arg);
	for (int i = 0; i < 1000; i++)
		weft_yield();
	return 0;
}

TEST(a_task_on_its_way_out_is_not_left_behind)
{
	static struct weft_waitgroup wg;

	weft_waitgroup_init(&wg);
	weft_waitgroup_add(&wg, 1);
	CHECK_EQ(weft_spawn(NULL, NULL, linger, &wg), 0);
	return weft_waitgroup_wait(&wg, WEFT_FOREVER);
}

TEST(what_is_released_is_no_leak)
{
	char *line = NULL, *printed, *text, *copy = strdup("x"),
	     *part = strndup("xy", 1);
	char *a = calloc(2, 3), *small = realloc(NULL, 3), *grown;
	size_t bytes;
	FILE *stream = open_memstream(&text, &bytes);

	CHECK(copy && part && a && small && stream);
	CHECK_EQ(fclose(stream), 0);
	stream = fopen("/proc/self/limits", "r");
	CHECK(stream && getline(&line, &bytes, stream) > 0);
	CHECK(getline(&line, &bytes, stream) > 0);
	CHECK_EQ(fclose(stream), 0);
	free(line);
	CHECK_EQ(asprintf(&printed, "%d", 12), 2);
	free(printed);
	grown = realloc(small, 3000);
	CHECK(grown != NULL);
	free(grown);
	free(a);
	free(part);
	free(copy);
	free(text);
	free(NULL);
	return 0;
}

static int five(void *arg)
{
	keep_object(arg);
	return 5;
}

static void what_the_body_returns_comes_first(void **state)
{
	(void)state;
	assert_int_equal(testing_run_clean(WEFT_CLOCK_MONOTONIC, five), 5);
	free(kept);
}

/* --- stopping --- */

/* Something that tasks wait for until it is stopped. */
struct thing {
	struct weft_chan *gate;
	_Atomic unsigned back;
};

static void *thing_new(void *arg)
{
	struct thing *t = calloc(1, sizeof(*t));

	CHECK(t != NULL);
	CHECK_EQ(weft_chan_new(&t->gate, weft_chan_impl_find("handoff"), 0, 8,
	                       NULL),
	         0);
	weft_fetch_add_relaxed((_Atomic unsigned *)arg, 1u);
	return t;
}

static void thing_wait(void *thing, unsigned id)
{
	struct thing *t = thing;
	uint64_t v;

	CHECK_LT(id, 3u);
	CHECK_EQ(weft_chan_recv(t->gate, &v, WEFT_FOREVER), -EPIPE);
	weft_fetch_add_relaxed(&t->back, 1u);
}

static void thing_stop(void *thing)
{
	struct thing *t = thing;

	CHECK_EQ(weft_chan_close(t->gate), 0);
}

static void thing_stop_not_at_all(void *thing)
{
	(void)thing;
}

static void thing_end(void *thing)
{
	struct thing *t = thing;

	CHECK_EQ(weft_load_relaxed(&t->back), 3u);
	weft_chan_unref(t->gate);
	free(t);
}

static struct testing_stop stopping(_Atomic unsigned *rounds)
{
	return (struct testing_stop){ .setup = thing_new,
		                      .go = thing_wait,
		                      .tasks = 3,
		                      .stop = thing_stop,
		                      .end = thing_end,
		                      .arg = rounds };
}

TEST(what_stops_stops_a_thousand_times)
{
	_Atomic unsigned rounds = 0;
	struct testing_stop s = stopping(&rounds);

	testing_stop_often(&s);
	CHECK_EQ(weft_load_relaxed(&rounds), TESTING_SLOW ? 100u : 1000u);
	s.rounds = 7;
	testing_stop_often(&s);
	CHECK_EQ(weft_load_relaxed(&rounds), TESTING_SLOW ? 107u : 1007u);
	return 0;
}

static int stop_in_vain(void *arg)
{
	_Atomic unsigned rounds = 0;
	struct testing_stop s = stopping(&rounds);

	(void)arg;
	s.stop = thing_stop_not_at_all;
	s.limit_ns = 20 * WEFT_MS;
	testing_stop_often(&s);
	return 0;
}

static void stop_in_vain_body(void)
{
	testing_run_clean(WEFT_CLOCK_MONOTONIC, stop_in_vain);
}

static void who_is_not_released_by_a_stop_aborts(void **state)
{
	(void)state;
	expect_abort(stop_in_vain_body);
}

/* --- the lines of a demo --- */

static bool is_even(const int *numbers, int nth)
{
	(void)nth;
	return numbers[0] % 2 == 0;
}

/* What is eaten was cooked, in that order. */
static const struct demo_form meal[] = {
	{ .form = "Menu", .times = 1 },
	{ .form = "Cooked #d for #g",
	  .times = 2,
	  .since = 1,
	  .ahead_of = 3,
	  .by = 1,
	  .holds = is_even },
	{ .form = "Guest #g ate #d", .times = 2, .after = 2, .in_order = true },
	{ .form = "Bye", .times = 1, .since = 3 },
	{ 0 },
};

static const char *said;

static void read_meal(void)
{
	testing_demo_fits(said, meal);
}

static void what_a_demo_should_say_fits(void **state)
{
	(void)state;
	testing_demo_fits("Menu\n\nCooked 2 for 1\nGuest 1 ate 2\n"
	                  "Cooked 4 for 1\nGuest 1 ate 4\nBye\n",
	                  meal);
}

#define EATEN                                                                  \
	"Menu\nCooked 2 for 1\nGuest 1 ate 2\nCooked 4 for 1\nGuest 1 ate 4\n"

static void what_a_demo_should_not_say_is_noticed(void **state)
{
	static const char *const wrong[] = {
		EATEN "Bye\nHello\n", /* of no form */
		EATEN "Bye\nBye\n",   /* too often */
		EATEN,                /* and not the end */
		/* Before the menu; before it was eaten. */
		"Cooked 2 for 1\nMenu\nGuest 1 ate 2\nCooked 4 for 1\n"
		"Guest 1 ate 4\nBye\n",
		"Menu\nCooked 2 for 1\nBye\nGuest 1 ate 2\nCooked 4 for 1\n"
		"Guest 1 ate 4\n",
		/* By another guest; the same again. */
		"Menu\nCooked 2 for 1\nGuest 2 ate 2\nCooked 4 for 1\n"
		"Guest 1 ate 4\nBye\n",
		"Menu\nCooked 2 for 1\nGuest 1 ate 2\nCooked 4 for 1\n"
		"Guest 1 ate 2\nBye\n",
		/* Too far ahead. */
		"Menu\nCooked 2 for 1\nCooked 4 for 1\nGuest 1 ate 2\n"
		"Guest 1 ate 4\nBye\n",
		/* Odd; no number. */
		"Menu\nCooked 3 for 1\nGuest 1 ate 3\nCooked 4 for 1\n"
		"Guest 1 ate 4\nBye\n",
		"Menu\nCooked 02 for 1\nGuest 1 ate 2\nCooked 4 for 1\n"
		"Guest 1 ate 4\nBye\n",
		NULL,
	};

	(void)state;
	for (size_t i = 0; wrong[i]; i++) {
		said = wrong[i];
		expect_abort(read_meal);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* While the process has one thread only. */
		cmocka_unit_test(a_task_that_is_left_aborts),
		cmocka_unit_test(who_is_not_released_by_a_stop_aborts),
		cmocka_unit_test(what_a_demo_should_not_say_is_noticed),
		cmocka_unit_test(what_a_demo_should_say_fits),
		cmocka_unit_test(an_object_that_is_left_is_noticed),
		cmocka_unit_test(
		        an_object_of_the_library_that_is_left_is_noticed),
		cmocka_unit_test(a_descriptor_that_is_left_is_noticed),
		cmocka_unit_test(tasks_that_ended_are_no_leak),
		cmocka_unit_test(a_task_on_its_way_out_is_not_left_behind),
		cmocka_unit_test(what_is_released_is_no_leak),
		cmocka_unit_test(what_the_body_returns_comes_first),
		cmocka_unit_test(what_stops_stops_a_thousand_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
