/*
 * Tests of children that are processes: the death that a thread cannot survive.
 * On the machine's clock, since it is the kernel that is waited for; nothing
 * here takes longer than a program does to start.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor_testing.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* What the supervisor has said of its only child. */
struct seen {
	struct record r;
	struct weft_waiters w;
	_Atomic int pid; /* of the life that runs */
	_Atomic uint64_t starts;
	uint64_t wanted;
	int kills;        /* lives that are to be killed when they start */
	const char *gone; /* removed when a life has started; NULL */
};

static void see(const struct weft_supervisor_event *e, void *arg)
{
	struct seen *n = arg;

	record(e, &n->r);
	if (e->what != WEFT_EVENT_STARTED)
		return;
	if (n->gone)
		unlink(n->gone);
	weft_store_relaxed(&n->pid, (int)e->pid);
	weft_fetch_add_release(&n->starts, UINT64_C(1));
	weft_waiters_wake(&n->w, SIZE_MAX);
	if (n->kills-- > 0)
		CHECK_EQ(kill(e->pid, SIGKILL), 0);
}

static int look_for_starts(void *arg)
{
	const struct seen *n = arg;

	return weft_load_acquire(&n->starts) >= n->wanted ? 0 : -EAGAIN;
}

static void await_starts(struct seen *n, uint64_t starts)
{
	n->wanted = starts;
	CHECK_EQ(weft_waiters_wait(&n->w, "a start", look_for_starts, n, NULL,
	                           weft_deadline_in(60 * WEFT_SEC)),
	         0);
}

static struct weft_supervisor *supervise(struct seen *n,
                                         const struct weft_child_opts *child)
{
	const struct weft_supervisor_opts opts = { .on_event = see,
		                                   .event_arg = n };
	struct weft_supervisor *s;

	weft_waiters_init(&n->w);
	CHECK_EQ(weft_supervisor_new(&s, &opts), 0);
	CHECK_EQ(weft_supervisor_add(s, NULL, child), 0);
	return s;
}

static const char *const sleeper[] = { "/bin/sleep", "600", NULL };

static int a_killed_one_comes_back(void *arg)
{
	const struct weft_child_opts child = { .argv = sleeper };
	struct seen n = { .kills = 2 };
	struct weft_supervisor *s = supervise(&n, &child);
	int pid;

	(void)arg;
	await_starts(&n, 3);
	pid = weft_load_relaxed(&n.pid);
	CHECK_EQ(kill(pid, 0), 0);
	CHECK_EQ(weft_supervisor_stop(s), 0);
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), -ECANCELED);
	said(&n.r, "+1 !1 +1 !1 +1 -1");
	CHECK_EQ((int)n.r.last.end, WEFT_ENDED_BY_SIGNAL);
	CHECK_EQ(n.r.last.status, SIGTERM);
	CHECK_EQ(kill(pid, 0), -1); /* nor is it a zombie */
	CHECK_EQ(errno, ESRCH);
	weft_supervisor_free(s);
	return 0;
}

TEST(a_killed_process_is_started_again_and_a_stop_ends_it)
{
	return a_killed_one_comes_back(NULL);
}

struct ending_case {
	const char *script;
	const char *says;
	enum weft_child_end end;
	int status;
};

/* With a transient child, whose second life is the last. */
TEST(what_a_process_ends_with_is_told)
{
	static const struct ending_case cases[] = {
		{ "exit 0", "+1 .1", WEFT_ENDED_BY_RETURN, 0 },
		{ "exit 3", "+1 !1", WEFT_ENDED_BY_RETURN, 3 },
		{ "kill -9 $$", "+1 !1", WEFT_ENDED_BY_SIGNAL, SIGKILL },
		{ "kill -SEGV $$", "+1 !1", WEFT_ENDED_BY_SIGNAL, SIGSEGV },
	};

	for (size_t i = 0; i < 4; i++) {
		const char *argv[] = { "/bin/sh", "-c", cases[i].script, NULL };
		const struct weft_child_opts child = { .kind = WEFT_TEMPORARY,
			                               .argv = argv };
		struct seen n = { .kills = 0 };
		struct weft_supervisor *s = supervise(&n, &child);

		CHECK_EQ(weft_supervisor_close(s), 0);
		CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), 0);
		said(&n.r, cases[i].says);
		CHECK(n.r.last.end == cases[i].end);
		CHECK_EQ(n.r.last.status, cases[i].status);
		weft_supervisor_free(s);
	}
	return 0;
}

TEST(a_program_that_is_not_there_is_refused)
{
	const char *argv[] = { "/nowhere/to/be/found", NULL };
	const struct weft_child_opts child = { .argv = argv };
	const struct weft_supervisor_opts opts = { 0 };
	struct weft_supervisor *s;
	uint64_t id;
	int status;

	CHECK_EQ(weft_supervisor_new(&s, &opts), 0);
	CHECK_EQ(weft_supervisor_add(s, NULL, &child), -ENOENT);
	CHECK_EQ(stats(s).children, 0u);
	argv[0] = "/"; /* which may be entered, but not run */
	CHECK_EQ(weft_supervisor_add(s, &id, &child), 0);
	CHECK_EQ(weft_supervisor_wait(s, id, &status, WEFT_FOREVER), 0);
	CHECK(status == -EACCES);
	CHECK_EQ(stats(s).given_up, 1u);
	weft_supervisor_free(s);
	return 0;
}

TEST(a_program_that_goes_away_is_given_up_and_no_storm)
{
	char path[] = "/tmp/weft-supervisor-XXXXXX";
	static const char script[] = "#!/bin/sh\nexit 1\n";
	const char *argv[] = { path, NULL };
	const struct weft_child_opts child = { .argv = argv };
	struct seen n = { .gone = NULL };
	struct weft_supervisor *s;
	int fd = mkstemp(path), status;

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, script, sizeof(script) - 1),
	         (ssize_t)sizeof(script) - 1);
	CHECK_EQ(fchmod(fd, 0700), 0);
	close(fd);
	n.gone = path;
	s = supervise(&n, &child);
	CHECK_EQ(weft_supervisor_wait(s, 1, &status, WEFT_FOREVER), 0);
	CHECK(status == -ENOENT);
	CHECK_EQ(stats(s).given_up, 1u);
	CHECK_EQ(weft_supervisor_close(s), 0);
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), 0);
	/* The shell may have read its script before it went, or not: it fails.
	 */
	said(&n.r, "+1 !1 x1");
	weft_supervisor_free(s);
	return 0;
}

/* It says when it has come so far as not to mind SIGTERM. */
TEST(a_process_that_does_not_stop_is_killed_after_its_shutdown_time)
{
	static char script[80];
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	const struct weft_child_opts child = { .argv = argv,
		                               .shutdown_ns = 5 * WEFT_MS };
	struct seen n = { .kills = 0 };
	struct weft_supervisor *s;
	int p[2];
	char byte;

	CHECK_EQ(pipe(p), 0);
	snprintf(script, sizeof(script),
	         "trap '' TERM; echo >&%d; exec sleep 600", p[1]);
	s = supervise(&n, &child);
	CHECK_EQ(read(p[0], &byte, 1), 1);
	CHECK_EQ(weft_supervisor_stop(s), 0);
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), -ECANCELED);
	said(&n.r, "+1 -1");
	CHECK_EQ(n.r.last.status, SIGKILL);
	weft_supervisor_free(s);
	close(p[0]);
	close(p[1]);
	return 0;
}

/* --- in a child of the test, of which the machine withholds something --- */

#define SKIPPED 77

static int in_a_child(void (*prepare)(void), weft_task_fn fn)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		alarm(120);
		prepare();
		_exit(weft_run(WEFT_THREADS, NULL, fn, NULL));
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void no_pidfd(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		         offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(SKIPPED);
	if (syscall(SYS_pidfd_open, getpid(), 0) >= 0)
		_exit(SKIPPED);
}

TEST_OUTSIDE(where_there_is_no_pidfd_it_is_asked_for)
{
	int status = in_a_child(no_pidfd, a_killed_one_comes_back);

	if (status == SKIPPED)
		skip();
	assert_int_equal(status, 0);
}

static void ignore_children(void)
{
	CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
}

static int a_lost_status_is_a_failure(void *arg)
{
	static const char *const argv[] = { "/bin/true", NULL };
	const struct weft_child_opts child = { .kind = WEFT_TEMPORARY,
		                               .argv = argv };
	struct seen n = { .kills = 0 };
	struct weft_supervisor *s = supervise(&n, &child);

	(void)arg;
	CHECK_EQ(weft_supervisor_close(s), 0);
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), 0);
	said(&n.r, "+1 !1");
	CHECK_EQ(n.r.last.status, -ECHILD);
	weft_supervisor_free(s);
	return 0;
}

TEST_OUTSIDE(a_status_that_is_lost_is_not_taken_for_success)
{
	assert_int_equal(
	        in_a_child(ignore_children, a_lost_status_is_a_failure), 0);
}
