#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/child.h"

/* A child that ends with this status at once. */
static pid_t child_with(int status)
{
	pid_t child = weft_child_fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(status);
	return child;
}

static void ends_with(pid_t child, int expected)
{
	int status = -1;

	assert_int_equal(weft_child_wait(child, 0, &status), 1);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expected);
}

static void a_status_is_told(void **state)
{
	(void)state;
	ends_with(child_with(7), 7);
}

static void a_status_is_told_though_sigchld_was_ignored(void **state)
{
	const struct sigaction no_wait = { .sa_handler = SIG_DFL,
		                           .sa_flags = SA_NOCLDWAIT };

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	ends_with(child_with(8), 8);
	assert_int_equal(sigaction(SIGCHLD, &no_wait, NULL), 0);
	ends_with(child_with(9), 9);
}

static void a_status_that_is_lost_is_an_error(void **state)
{
	pid_t child = child_with(0);
	int status = 42;

	(void)state;
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(weft_child_wait(child, 0, &status), -ECHILD);
	assert_int_equal(weft_child_wait(child, WNOHANG, &status), -ECHILD);
	assert_int_equal(status, 42);
}

static void a_child_that_runs_is_not_waited_for(void **state)
{
	pid_t child = weft_child_fork();
	int status = 42;

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		for (;;)
			pause();
	assert_int_equal(weft_child_wait(child, WNOHANG, &status), 0);
	assert_int_equal(status, 42);
	kill(child, SIGKILL);
	assert_int_equal(weft_child_wait(child, 0, &status), 1);
	assert_true(WIFSIGNALED(status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_is_told),
		cmocka_unit_test(a_status_is_told_though_sigchld_was_ignored),
		cmocka_unit_test(a_status_that_is_lost_is_an_error),
		cmocka_unit_test(a_child_that_runs_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
