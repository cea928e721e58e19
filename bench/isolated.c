#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "bench/interrupt.h"
#include "bench/isolated.h"
#include "bench/runner.h"

static bool write_all(int fd, const void *from, size_t bytes)
{
	const char *at = from;

	while (bytes > 0) {
		ssize_t n = write(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

static bool read_all(int fd, void *to, size_t bytes)
{
	char *at = to;

	while (bytes > 0) {
		ssize_t n = read(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

/* In the child, from the runner's end or from its watchdog. */
static void hand_over(const struct result *out, void *arg)
{
	int *fd = arg;

	runner_abandon(write_all(*fd, out, sizeof(*out)) ? 0 : 1);
}

static void child_main(const struct plan *plan, struct result *out, int fd)
{
	runner_measure(plan, out, hand_over, &fd);
	hand_over(out, &fd);
}

/* `told` is what weft_child_wait() returned. */
static int explain(int told, int status, char *why, size_t why_bytes)
{
	if (told < 0)
		snprintf(why, why_bytes,
		         "CRASHED: its exit status is lost (%s)",
		         strerror(-told));
	else if (WIFSIGNALED(status))
		snprintf(why, why_bytes, "CRASHED: killed by signal %d (%s)",
		         WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(why, why_bytes, "CRASHED: exit status %d",
		         WEXITSTATUS(status));
	return -EIO;
}

int isolated_measure(const struct plan *plan, struct result *out, char *why,
                     size_t why_bytes)
{
	int fd[2], status = 0, told;
	bool complete;
	pid_t child;

	if (pipe(fd) < 0)
		return -errno;
	/* What is buffered must not be printed twice. */
	fflush(NULL);
	child = interrupt_fork();
	if (child < 0) {
		close(fd[0]);
		close(fd[1]);
		return child;
	}
	if (child == 0) {
		close(fd[0]);
		child_main(plan, out, fd[1]);
	}
	close(fd[1]);
	complete = read_all(fd[0], out, sizeof(*out));
	close(fd[0]);
	interrupt_forget();
	told = weft_child_wait(child, 0, &status);
	/* The child's address of the plan is ours, too: it is a copy of us. */
	if (complete && told == 1 && status == 0)
		return 0;
	return explain(told, status, why, why_bytes);
}
