/*
 * Tests of the supervisor: what only looks like a good end is none, and what
 * only looks late is not. A verdict that rests on an exit status is as good as
 * the way in which that was come by.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/chan_impl.h>
#include <weft/time.h>

#include "base/check.h"
#include "stress/conform/faulty.h"
#include "stress/conform/suite.h"
#include "stress/conform/verdict.h"

#define LIMIT (20 * WEFT_SEC)

/* The verdict on a child that does fn(arg), by its name. */
static const char *verdict_on(int (*fn)(void *), void *arg, int64_t limit_ns)
{
	enum conform_verdict verdict;
	struct child child;
	char why[400] = "";

	assert_int_equal(child_run(fn, arg, limit_ns, NULL, &child), 0);
	verdict = verdict_of_child(&child, weft_chan_impl_find("ring"),
	                           limit_ns, why, sizeof(why));
	printf("%s: %s\n%s", conform_verdict_name(verdict), why, child.log);
	child_free(&child);
	return conform_verdict_name(verdict);
}

/* --- a status that is lost --- */

static int dies(void *arg)
{
	raise(*(const int *)arg);
	return 0;
}

static int does_well(void *arg)
{
	(void)arg;
	return 0;
}

/* A sanitizer's handlers turn SIGSEGV into an exit status. */
static void a_crash_is_seen(void)
{
	int killed = SIGKILL;

	assert_string_equal(verdict_on(dies, &killed, LIMIT), "CRASHED");
	assert_string_equal(verdict_on(does_well, NULL, LIMIT), "PASS");
}

static void takes_all(int number)
{
	int before = errno;

	(void)number;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = before;
}

static void a_crash_is_seen_whatever_happens_to_statuses(void **state)
{
	static const struct sigaction ways[] = {
		{ .sa_handler = SIG_IGN },
		{ .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT },
		{ .sa_handler = takes_all },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		assert_int_equal(sigaction(SIGCHLD, &ways[i], NULL), 0);
		a_crash_is_seen();
	}
}

/* A channel under test, as a script that ignores its children sees it. */
static void keep_verdict(const struct conform_result *r, void *arg)
{
	*(enum conform_verdict *)arg = r->verdict;
}

static void a_crashing_channel_does_not_pass_unseen(void **state)
{
	struct conform_opts opts = {
		.only = "^every_element_arrives_exactly_once$"
	};
	enum conform_verdict verdict = CONFORM_PASS;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	fault = CRASHES;
	assert_int_equal(conform_run(&faulty_pairing, &opts, NULL, keep_verdict,
	                             &verdict),
	                 1);
	assert_int_not_equal(verdict, CONFORM_PASS);
}

/* Its output stays open until its status has been taken: by a child of its own,
 * which ends with it until it has said that it does not want to. */
static int leaves_a_child_behind(void *arg)
{
	const int *taken = arg;
	int stays[2];
	char word;

	CHECK_EQ(pipe(stays), 0);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, 0);
		close(taken[1]);
		close(stays[0]);
		close(stays[1]);
		_exit(read(taken[0], &word, 1) != 1);
	}
	close(stays[1]);
	CHECK_EQ(read(stays[0], &word, 1), 0); /* closed by both */
	close(stays[0]);
	return 0;
}

static void takes_the_status(void *arg)
{
	const int *taken = arg;

	if (waitpid(-1, NULL, WNOHANG) > 0)
		assert_int_equal(write(taken[1], "!", 1), 1);
}

static void a_lost_status_is_an_error(void **state)
{
	struct child child;
	int taken[2];

	(void)state;
	assert_int_equal(pipe(taken), 0);
	assert_int_equal(child_run(leaves_a_child_behind, taken, LIMIT,
	                           takes_the_status, &child),
	                 -ECHILD);
	close(taken[0]);
	close(taken[1]);
}

static void hangs_in_the_fork(void)
{
	for (;;)
		pause();
}

/* Its own child holds an end of the pipe, and never gets out of its fork. */
static int forks_for_ever(void *arg)
{
	(void)arg;
	pthread_atfork(NULL, NULL, hangs_in_the_fork);
	if (fork() < 0)
		return CHILD_FAILED;
	for (;;)
		pause();
}

static void what_a_child_forked_ends_with_it(void **state)
{
	struct pollfd end = { .events = POLLIN };
	int held[2];

	(void)state;
	assert_int_equal(pipe(held), 0);
	assert_string_equal(verdict_on(forks_for_ever, NULL, WEFT_SEC / 2),
	                    "HUNG");
	close(held[1]);
	end.fd = held[0];
	assert_int_equal(poll(&end, 1, 10000), 1);
	assert_int_equal(end.revents, POLLHUP);
	close(held[0]);
}

/* --- an exit that is none --- */

static int exits(void *arg)
{
	exit(*(const int *)arg);
}

static int exits_at_once(void *arg)
{
	_exit(*(const int *)arg);
}

static void an_exit_in_the_middle_is_no_pass(void **state)
{
	int statuses[] = { 0, CHILD_SKIPPED, 116, CHILD_FAILED, 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		assert_string_equal(verdict_on(exits, &statuses[i], LIMIT),
		                    "FAIL");
		assert_string_equal(
		        verdict_on(exits_at_once, &statuses[i], LIMIT), "FAIL");
	}
}

static int skips(void *arg)
{
	(void)arg;
	child_skip("no reason");
}

static void what_does_not_apply_says_so(void **state)
{
	(void)state;
	assert_string_equal(verdict_on(skips, NULL, LIMIT), "N/A");
}

/* --- no thread --- */

static int starts_a_task(void *arg)
{
	(void)arg;
	task_finish(task_start("task", does_well, NULL));
	return 0;
}

/* Stacks that no machine has: pthread_create() says EAGAIN. */
#define HUGE_STACK ((size_t)1 << 50)
#define USUAL_STACK ((size_t)8 << 20)

static void set_stacks(size_t bytes)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, bytes);
	pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
}

static int starts_a_run(void *arg)
{
	(void)arg;
	set_stacks(HUGE_STACK);
	return weft_run(WEFT_THREADS, NULL, starts_a_task, NULL);
}

static void a_task_without_a_thread_is_not_the_channels_fault(void **state)
{
	(void)state;
	assert_string_equal(verdict_on(starts_a_run, NULL, LIMIT), "UNTRIED");
}

static void a_machine_without_threads_is_not_the_channels_fault(void **state)
{
	(void)state;
	set_stacks(HUGE_STACK);
	assert_string_equal(verdict_on(does_well, NULL, LIMIT), "UNTRIED");
}

/* --- time that stands still --- */

#define STOP_LIMIT (1 * WEFT_SEC)

struct stopped {
	int running[2]; /* from the child, to the task that stops it */
	int go_on[2];   /* and back */
};

static int waits_for_the_word(void *arg)
{
	const struct stopped *s = arg;
	char word = '!';

	if (write(s->running[1], &word, 1) != 1 ||
	    read(s->go_on[0], &word, 1) != 1)
		return CHILD_FAILED;
	return 0;
}

static int supervises(struct stopped *s)
{
	return strcmp(verdict_on(waits_for_the_word, s, STOP_LIMIT), "PASS");
}

/* The supervisor and its child are stopped for much longer than the limit, as
 * Ctrl-Z or a paused container does it, and then go on. */
static void who_is_stopped_is_not_late(void **state)
{
	struct stopped s;
	int status;
	pid_t pid;
	char word;

	(void)state;
	assert_int_equal(pipe(s.running), 0);
	assert_int_equal(pipe(s.go_on), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		_exit(supervises(&s));
	}
	assert_true(pid > 0);
	assert_int_equal(read(s.running[0], &word, 1), 1);
	assert_int_equal(kill(-pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	weft_sleep_until(weft_deadline_in(3 * STOP_LIMIT));
	assert_int_equal(kill(-pid, SIGCONT), 0);
	/* The supervisor is to look before the child is done. */
	weft_sleep_until(weft_deadline_in(STOP_LIMIT / 4));
	assert_int_equal(write(s.go_on[1], &word, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int waits_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

static void who_hangs_is_late(void **state)
{
	(void)state;
	assert_string_equal(verdict_on(waits_for_ever, NULL, 300 * WEFT_MS),
	                    "HUNG");
}

/* Whatever program ran this, and whichever test failed before. */
static int as_usual(void **state)
{
	(void)state;
	fault = NO_FAULT;
	set_stacks(USUAL_STACK);
	return signal(SIGCHLD, SIG_DFL) == SIG_ERR;
}

#define TEST(fn) cmocka_unit_test_setup(fn, as_usual)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_crash_is_seen_whatever_happens_to_statuses),
		TEST(a_crashing_channel_does_not_pass_unseen),
		TEST(a_lost_status_is_an_error),
		TEST(what_a_child_forked_ends_with_it),
		TEST(an_exit_in_the_middle_is_no_pass),
		TEST(what_does_not_apply_says_so),
		TEST(a_task_without_a_thread_is_not_the_channels_fault),
		TEST(a_machine_without_threads_is_not_the_channels_fault),
		TEST(who_is_stopped_is_not_late),
		TEST(who_hangs_is_late),
	};

	return cmocka_run_group_tests_name("supervise", tests, NULL, NULL);
}
