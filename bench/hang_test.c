/*
 * Runs that do not come back by themselves, and what a process of its own
 * makes of them. The runner is tried on the fake pattern.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/child.h"
#include "bench/fake.h"
#include "bench/isolated.h"
#include "bench/runner.h"

/* --- hangs: each in a child, since they end the process --- */

static void end_hung(const struct result *out, void *arg)
{
	(void)arg;
	fprintf(stderr, "result: %s: %s\n", verdict_name(out->verdict),
	        out->why);
	runner_abandon(
	        out->verdict == VERDICT_HUNG && out->peak_rss_bytes ? 42 : 43);
}

/* Measure in a child; what it prints on stderr, which the caller frees. */
static char *hung_output(enum fault fault, int64_t timeout_ns)
{
	struct plan plan = plan_for(fault);
	size_t used = 0, room = 1 << 16;
	char *text = calloc(1, room);
	int fd[2], status;
	ssize_t n;
	pid_t child;

	assert_non_null(text);
	assert_int_equal(pipe(fd), 0);
	plan.timeout_ns = timeout_ns;
	plan.seed = 77;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct result out;

		dup2(fd[1], STDERR_FILENO);
		runner_measure(&plan, &out, end_hung, NULL);
		_exit(44);
	}
	close(fd[1]);
	while ((n = read(fd[0], text + used, room - used - 1)) > 0)
		used += (size_t)n;
	close(fd[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	return text;
}

static void says(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("'%s' is not in:\n%s", what, text);
}

static void a_hang_in_the_work_shows_every_task(void **state)
{
	char *text = hung_output(WORK_HANGS, 500 * WEFT_MS);

	(void)state;
	says(text, "HUNG: fake/chan:handoff/drivers:2/fault:4/cap:1/items:100, "
	           "seed 77: 1 of 2 drivers had not ended after 0.5 s\n");
	says(text, "task driver 0 ");
	says(text, "parked on ");
	says(text, "task runner ");
	says(text, "task watchdog ");
	says(text, "result: HUNG: 1 of 2 drivers had not ended");
	free(text);
}

static void a_hang_in_setup_or_stop_is_caught_too(void **state)
{
	char *text = hung_output(SETUP_HANGS, 500 * WEFT_MS);

	(void)state;
	says(text, "result: HUNG: setup had not ended after 0.5 s");
	free(text);
	text = hung_output(STOP_HANGS, 500 * WEFT_MS);
	says(text, "result: HUNG: stop had not ended after 0.5 s");
	free(text);
}

/* Long before the limit, which the test does not live to see. */
static void a_run_in_which_all_sleep_is_hung_at_once(void **state)
{
	char *text = hung_output(WORK_FALLS_ASLEEP, 3600 * WEFT_SEC);

	(void)state;
	says(text, "seed 77: 1 of 2 drivers had not ended when all tasks were "
	           "asleep\n");
	says(text, "task driver 0 ");
	says(text, "parked on park for");
	says(text, "task runner ");
	says(text, "task watchdog ");
	says(text, "result: HUNG: 1 of 2 drivers had not ended");
	free(text);
	text = hung_output(STOP_FALLS_ASLEEP, 3600 * WEFT_SEC);
	says(text, "result: HUNG: stop had not ended when all tasks were "
	           "asleep");
	free(text);
}

static int never_made(void **state, const struct weft_chan_config *config)
{
	(void)state;
	(void)config;
	while (pause() < 0)
		continue;
	return 0;
}

static void end_late(int signal)
{
	_exit(signal == RUNNER_LATE ? 45 : 46);
}

static void a_channel_that_is_never_made_is_told(void **state)
{
	struct weft_chan_impl chan = *weft_chan_impl_find("handoff");
	struct plan plan = plan_for(NO_FAULT);
	int status;
	pid_t child;

	(void)state;
	chan.create = never_made;
	plan.chan = &chan;
	plan.timeout_ns = WEFT_SEC;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct result out;

		runner_when_late(end_late);
		runner_measure(&plan, &out, end_hung, NULL);
		_exit(43);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 45);
}

/* The child stops itself in the middle of the work, as Ctrl-Z does; its parent
 * lets it go on when more time has passed than it has. */
static void a_process_that_was_stopped_is_not_hung(void **state)
{
	struct plan plan = plan_for(WORK_STOPS);
	int status;
	pid_t child;

	(void)state;
	plan.timeout_ns = WEFT_SEC;
	plan.reps = 1;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct result out;

		runner_measure(&plan, &out, end_hung, NULL);
		_exit(out.verdict == VERDICT_VERIFIED ? 0 : 43);
	}
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	assert_true(WIFSTOPPED(status));
	usleep(1500 * 1000);
	kill(child, SIGCONT);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- in a process of its own --- */

static void a_process_of_its_own_brings_back_its_result(void **state)
{
	static struct result out;
	struct plan plan = plan_for(NO_FAULT);
	char why[200] = "";

	(void)state;
	assert_int_equal(isolated_measure(&plan, &out, why, sizeof(why)), 0);
	assert_int_equal(out.verdict, VERDICT_VERIFIED);
	assert_int_equal(out.n, 3);
	assert_ptr_equal(out.plan, &plan);
	assert_int_equal(seen.setups, 0);
}

static void a_process_of_its_own_may_hang_or_crash(void **state)
{
	static struct result out;
	struct plan plan = plan_for(WORK_HANGS);
	char why[200] = "";

	(void)state;
	plan.timeout_ns = 500 * WEFT_MS;
	assert_int_equal(isolated_measure(&plan, &out, why, sizeof(why)), 0);
	assert_int_equal(out.verdict, VERDICT_HUNG);
	plan = plan_for(WORK_CRASHES);
	assert_int_equal(isolated_measure(&plan, &out, why, sizeof(why)), -EIO);
	says(why, "CRASHED: killed by signal 6");
}

/* A parent may have left it so, and exec() keeps it. */
static void how_it_ended_is_told_though_sigchld_is_ignored(void **state)
{
	static struct result out;
	struct plan plan = plan_for(WORK_CRASHES);
	char why[200] = "";

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(isolated_measure(&plan, &out, why, sizeof(why)), -EIO);
	says(why, "CRASHED: killed by signal 6");
	signal(SIGCHLD, SIG_DFL);
}

/* As when foreign code has waited for every child there is. */
static bool status_is_lost;

int __real_weft_child_wait(pid_t child, int flags, int *status);
int __wrap_weft_child_wait(pid_t child, int flags, int *status);

int __wrap_weft_child_wait(pid_t child, int flags, int *status)
{
	if (status_is_lost)
		CHECK_EQ(waitpid(child, NULL, 0), child);
	return __real_weft_child_wait(child, flags, status);
}

static void a_status_that_is_lost_is_no_pass(void **state)
{
	static struct result out;
	struct plan plan = plan_for(NO_FAULT);
	char why[200] = "";

	(void)state;
	status_is_lost = true;
	assert_int_equal(isolated_measure(&plan, &out, why, sizeof(why)), -EIO);
	says(why, "CRASHED: its exit status is lost");
	status_is_lost = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hang_in_the_work_shows_every_task),
		cmocka_unit_test(a_hang_in_setup_or_stop_is_caught_too),
		cmocka_unit_test(a_run_in_which_all_sleep_is_hung_at_once),
		cmocka_unit_test(a_channel_that_is_never_made_is_told),
		cmocka_unit_test(a_process_that_was_stopped_is_not_hung),
		cmocka_unit_test(a_process_of_its_own_brings_back_its_result),
		cmocka_unit_test(a_process_of_its_own_may_hang_or_crash),
		cmocka_unit_test(
		        how_it_ended_is_told_though_sigchld_is_ignored),
		cmocka_unit_test(a_status_that_is_lost_is_no_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
