/*
 * cost: what a function costs, for tests that hold a promise about it.
 *
 * Both ways of asking compare within one process and one moment, so they hold
 * on a machine that is slow, or slow for a while.
 */
#ifndef WEFT_BASE_COST_H
#define WEFT_BASE_COST_H

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

/* Sanitizers multiply what they look at: there a ratio means nothing. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define COST_MEANS_NOTHING 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define COST_MEANS_NOTHING 1
#endif
#endif
#ifndef COST_MEANS_NOTHING
#define COST_MEANS_NOTHING 0
#endif

typedef void (*cost_fn)(void *arg);

/* --- time --- */

#define COST_ROUNDS 201

/* The medians of all rounds: in nanoseconds, and of how many times as long the
 * second took as the first beside it. The speed of a CPU changes within a
 * comparison, so the ratio of the two medians may be one of different speeds.
 */
struct cost_times {
	int64_t first, second;
	double ratio;
};

static inline int cost_by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static inline int64_t cost_median(int64_t *rounds)
{
	qsort(rounds, COST_ROUNDS, sizeof(*rounds), cost_by_value);
	return rounds[COST_ROUNDS / 2];
}

static inline int64_t cost_timed(cost_fn before, cost_fn fn, void *arg)
{
	int64_t begin;

	if (before)
		before(arg);
	begin = clock_mono();
	fn(arg);
	return clock_mono() - begin;
}

/* Time first(arg) and second(arg) in turn; before(arg), which may be NULL,
 * comes ahead of either and is not timed. */
static inline struct cost_times cost_compare(cost_fn before, cost_fn first,
                                             cost_fn second, void *arg)
{
	static int64_t a[COST_ROUNDS], b[COST_ROUNDS], millionths[COST_ROUNDS];

	for (int r = 0; r < COST_ROUNDS; r++) {
		a[r] = cost_timed(before, first, arg);
		b[r] = cost_timed(before, second, arg);
		millionths[r] = b[r] * 1000000 / (a[r] > 0 ? a[r] : 1);
	}
	return (struct cost_times){ cost_median(a), cost_median(b),
		                    (double)cost_median(millionths) / 1e6 };
}

/* --- system calls --- */

/* The child: warm up, stop, run, stop. */
static inline void cost_traced(cost_fn fn, void *arg)
{
	fn(arg);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	fn(arg);
	raise(SIGSTOP);
	_exit(0);
}

/* Of `pid` between its two stops. */
static inline long cost_count_syscalls(pid_t pid)
{
	int status;
	long n = 0;

	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD))
		return -1;
	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) ||
		    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return -1;
		if (WSTOPSIG(status) == SIGSTOP)
			return n / 2; /* each stops on entry and on exit */
		n += WSTOPSIG(status) == (SIGTRAP | 0x80);
	}
}

/* What the last raise() may take by itself. */
#define COST_SYSCALLS_NONE 30

/*
 * System calls that fn(arg) makes when it is called for the second time, in a
 * child of the caller's process, which must be a single thread; up to
 * COST_SYSCALLS_NONE of them are not its own. -1 where nothing can be traced.
 */
static inline long cost_syscalls(cost_fn fn, void *arg)
{
	pid_t pid = fork();
	long n;

	CHECK(pid >= 0);
	if (pid == 0)
		cost_traced(fn, arg);
	n = cost_count_syscalls(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return n;
}

#endif
