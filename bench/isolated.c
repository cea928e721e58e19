#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "bench/interrupt.h"
#include "bench/isolated.h"
#include "bench/runner.h"
#include "cli/args.h"
#include "cli/plugin.h"

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

/* Where the channel is foreign code, it is in the child alone. */
static void load_plugin(const struct plan *plan)
{
	char why[512] = "";

	runner_time_begin(plan);
	if (plugin_load_here(why, sizeof(why))) {
		complain("cannot load the channel: %s", why);
		runner_abandon(EXIT_FAILED);
	}
	runner_time_end();
}

static void child_main(const struct plan *plan, struct result *out, int fd)
{
	load_plugin(plan);
	runner_measure(plan, out, hand_over, &fd);
	hand_over(out, &fd);
}

/* `told` is what weft_child_wait() returned. */
static int explain(const struct plan *plan, int told, int status, char *why,
                   size_t why_bytes)
{
	if (told < 0)
		snprintf(why, why_bytes,
		         "CRASHED: its exit status is lost (%s)",
		         strerror(-told));
	else if (WIFSIGNALED(status) && WTERMSIG(status) == RUNNER_LATE)
		snprintf(why, why_bytes,
		         "HUNG: loading it or making a channel had not ended "
		         "after %lld s",
		         (long long)(runner_start_limit(plan) / WEFT_SEC));
	else if (WIFSIGNALED(status))
		snprintf(why, why_bytes, "CRASHED: killed by signal %d (%s)",
		         WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(why, why_bytes, "CRASHED: exit status %d",
		         WEXITSTATUS(status));
	return -EIO;
}

/* The channel's code may have written over what the child hands over. */
static int take_over(const struct plan *plan, struct result *out, char *why,
                     size_t why_bytes)
{
	if (out->plan != plan || (unsigned)out->verdict > VERDICT_HUNG ||
	    out->n > RESULT_REPS_MAX || out->figures > PATTERN_FIGURES_MAX) {
		snprintf(why, why_bytes,
		         "CRASHED: what was measured was overwritten");
		return -EIO;
	}
	out->why[sizeof(out->why) - 1] = '\0';
	return 0;
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
	if (complete && told == 1 && status == 0)
		return take_over(plan, out, why, why_bytes);
	return explain(plan, told, status, why, why_bytes);
}
