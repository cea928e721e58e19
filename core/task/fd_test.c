/* Tests of waiting for a file descriptor. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/atomic.h>

#include "task/internal.h"
#include "task/testing.h"

static void pipe_make(int fds[2])
{
	CHECK_EQ(pipe(fds), 0);
}

static void pipe_close(const int fds[2])
{
	CHECK_EQ(close(fds[0]), 0);
	CHECK_EQ(close(fds[1]), 0);
}

static void put_byte(int fd)
{
	CHECK_EQ(write(fd, "x", 1), (ssize_t)1);
}

TEST(what_is_ready_is_told_at_once)
{
	short revents = 0;
	int fds[2];

	pipe_make(fds);
	CHECK_EQ(weft_wait_fd(fds[1], POLLOUT, &revents, WEFT_FOREVER), 0);
	CHECK_EQ(revents, POLLOUT);
	revents = 7;
	CHECK_EQ(weft_wait_fd(fds[0], POLLIN, &revents, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(revents, 7);
	put_byte(fds[1]);
	CHECK_EQ(weft_wait_fd(fds[0], POLLIN, &revents, WEFT_NOW), 0);
	CHECK_EQ(revents, POLLIN);
	CHECK_EQ(weft_wait_fd(fds[0], POLLIN, NULL, -5), 0);
	pipe_close(fds);
	return 0;
}

TEST(a_hang_up_comes_unasked)
{
	short revents = 0;
	int fds[2];

	pipe_make(fds);
	CHECK_EQ(close(fds[1]), 0);
	CHECK_EQ(weft_wait_fd(fds[0], POLLIN, &revents, WEFT_FOREVER), 0);
	CHECK(revents & POLLHUP);
	CHECK_EQ(close(fds[0]), 0);
	return 0;
}

TEST(a_descriptor_that_is_not_open_is_refused)
{
	int fds[2];

	pipe_make(fds);
	pipe_close(fds);
	CHECK_EQ(weft_wait_fd(fds[0], POLLIN, NULL, WEFT_FOREVER), -EBADF);
	CHECK_EQ(weft_wait_fd(-1, POLLIN, NULL, WEFT_FOREVER), -EBADF);
	return 0;
}

TEST(a_deadline_is_kept_and_errno_untouched)
{
	int64_t until = weft_deadline_in(2 * WEFT_MS);
	int fds[2];

	pipe_make(fds);
	errno = 99;
	CHECK_EQ(weft_wait_fd(fds[0], POLLIN, NULL, until), -ETIMEDOUT);
	CHECK_LE(until, weft_now());
	CHECK_EQ(weft_wait_fd(-1, POLLIN, NULL, until), -EBADF);
	CHECK_EQ(errno, 99);
	pipe_close(fds);
	return 0;
}

TEST_MANUAL(on_a_manual_clock_only_what_can_be_kept_is_taken)
{
	int fds[2];

	pipe_make(fds);
	CHECK_EQ(weft_wait_fd(fds[0], POLLIN, NULL, weft_now() + 1), -EINVAL);
	CHECK_EQ(weft_wait_fd(fds[0], POLLIN, NULL, weft_now()), -ETIMEDOUT);
	put_byte(fds[1]);
	CHECK_EQ(weft_wait_fd(fds[0], POLLIN, NULL, weft_now() + 1), -EINVAL);
	CHECK_EQ(weft_wait_fd(fds[0], POLLIN, NULL, weft_now()), 0);
	CHECK_EQ(weft_wait_fd(fds[0], POLLIN, NULL, WEFT_FOREVER), 0);
	pipe_close(fds);
	return 0;
}

/* --- another task --- */

struct reader {
	int fd;
	int64_t deadline_ns;
	_Atomic(pthread_t) thread;
	_Atomic int waits;
};

static int waits_for_byte(void *arg)
{
	struct reader *r = arg;

	weft_store_relaxed(&r->thread, pthread_self());
	weft_store_release(&r->waits, 1);
	return weft_wait_fd(r->fd, POLLIN, NULL, r->deadline_ns);
}

/* Whether a line of the state dump says so. */
static bool dump_has(const char *what)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);
	bool has;

	CHECK(f != NULL);
	weft_tasks_print(f);
	fclose(f);
	has = strstr(text, what) != NULL;
	free(text);
	return has;
}

TEST(the_state_dump_says_what_it_waits_for)
{
	struct reader r = { .deadline_ns = WEFT_FOREVER };
	struct weft_task *t;
	int fds[2];

	pipe_make(fds);
	r.fd = fds[0];
	t = testing_spawn(waits_for_byte, &r);
	while (!dump_has("parked on fd"))
		weft_yield();
	put_byte(fds[1]);
	CHECK_EQ(testing_join(t), 0);
	CHECK(!dump_has("parked on fd"));
	pipe_close(fds);
	return 0;
}

static void ignores(int signal)
{
	(void)signal;
}

static void catch_signals(struct sigaction *before)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = ignores; /* and without SA_RESTART */
	CHECK_EQ(sigaction(SIGUSR1, &action, before), 0);
}

static void storm(const struct reader *r, int n)
{
	while (!weft_load_acquire(&r->waits))
		weft_yield();
	for (int i = 0; i < n; i++) {
		CHECK_EQ(pthread_kill(weft_load_relaxed(&r->thread), SIGUSR1),
		         0);
		weft_yield();
	}
}

/* F 69 */
TEST(signals_neither_end_a_wait_nor_move_its_deadline)
{
	struct reader r = { .deadline_ns = WEFT_FOREVER };
	struct sigaction before;
	struct weft_task *t;
	int fds[2];

	pipe_make(fds);
	r.fd = fds[0];
	catch_signals(&before);
	t = testing_spawn(waits_for_byte, &r);
	storm(&r, 200);
	CHECK_EQ(weft_join_until(t, NULL, WEFT_NOW), -ETIMEDOUT);
	put_byte(fds[1]);
	CHECK_EQ(testing_join(t), 0);

	CHECK_EQ(read(fds[0], &(char){ 0 }, 1), (ssize_t)1);
	r.deadline_ns = weft_deadline_in(20 * WEFT_MS);
	weft_store_relaxed(&r.waits, 0);
	t = testing_spawn(waits_for_byte, &r);
	storm(&r, 20);
	CHECK_EQ(testing_join(t), -ETIMEDOUT);
	CHECK_LE(r.deadline_ns, weft_now());
	CHECK_EQ(sigaction(SIGUSR1, &before, NULL), 0);
	pipe_close(fds);
	return 0;
}

static void a_thread_that_is_no_task_may_wait(void **state)
{
	int fds[2];

	(void)state;
	pipe_make(fds);
	assert_int_equal(weft_wait_fd(fds[0], POLLIN, NULL, weft_now() + 1),
	                 -ETIMEDOUT);
	put_byte(fds[1]);
	assert_int_equal(weft_wait_fd(fds[0], POLLIN, NULL, WEFT_FOREVER), 0);
	pipe_close(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_ready_is_told_at_once),
		cmocka_unit_test(a_hang_up_comes_unasked),
		cmocka_unit_test(a_descriptor_that_is_not_open_is_refused),
		cmocka_unit_test(a_deadline_is_kept_and_errno_untouched),
		cmocka_unit_test(
		        on_a_manual_clock_only_what_can_be_kept_is_taken),
		cmocka_unit_test(the_state_dump_says_what_it_waits_for),
		cmocka_unit_test(
		        signals_neither_end_a_wait_nor_move_its_deadline),
		cmocka_unit_test(a_thread_that_is_no_task_may_wait),
	};

	return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
