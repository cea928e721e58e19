#include "stress/conform/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/task.h>

#include "base/check.h"
#include "base/child.h"
#include "cli/plugin.h"

/* A child that floods its output is cut off here. */
#define LOG_MAX (256 * 1024)

/* How long a hung child has to print its tasks, and one that has closed its
 * output to end. */
#define GRACE (20 * WEFT_SEC)

/* How often the parent looks at a child. */
#define LOOK (100 * WEFT_MS)

struct vital *vital;
void (*child_on_alarm)(FILE *to);

/* --- in the child --- */

/* The thread sanitizer's _exit() waits a second for other threads, of which
 * the watch is one. */
void child_leave(int status)
{
	weft_store_relaxed(&vital->left, 1 + status);
	fflush(NULL);
#if defined(__SANITIZE_THREAD__)
	syscall(SYS_exit_group, status);
#endif
	_exit(status);
}

/* Wait for the parent's word, or for its end. */
static void *watch_for_alarm(void *arg)
{
	int alarm_fd = *(const int *)arg;
	char word;
	ssize_t n;

	do
		n = read(alarm_fd, &word, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(1); /* nobody is left to report to */
	fputs("the tasks, when time was up:\n", stderr);
	weft_tasks_print(stderr);
	fflush(stderr);
	if (child_on_alarm)
		child_on_alarm(stderr);
	child_leave(CHILD_HUNG);
}

/* A plain thread, and no task: it must not count as one that could still do
 * something, and it must work when no task does. */
static void start_watch(const int *alarm_fd)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	CHECK_EQ(pthread_attr_init(&attr), 0);
	CHECK_EQ(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED),
	         0);
	err = pthread_create(&thread, &attr, watch_for_alarm,
	                     (void *)(uintptr_t)alarm_fd);
	if (err)
		child_untried("the machine has no thread to give: %s",
		              strerror(err));
	pthread_attr_destroy(&attr);
}

/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
extern void __asan_init(void) __attribute__((weak));

bool allocator_is_sanitized(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	return true;
#else
	return __asan_init != NULL;
#endif
}

/* The program that runs the checks may handle the signals that end a child, to
 * report them as its own. A sanitizer's handlers are wanted. */
static void default_signals(void)
{
	if (allocator_is_sanitized())
		return;
	static const int signals[] = { SIGSEGV, SIGBUS,  SIGFPE,
		                       SIGILL,  SIGABRT, SIGTERM };

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], SIG_DFL);
}

/* Where the channel is foreign code, it is in the child alone. */
static void load_plugin(void)
{
	char why[512] = "";

	if (plugin_load_here(why, sizeof(why))) {
		fprintf(stderr, "it cannot be loaded: %s\n", why);
		child_leave(CHILD_FAILED);
	}
}

/* What a check forks ends with the thread that forked it: else a channel whose
 * own handlers of forks hang would leave processes behind that spin for ever.
 * This one is there first, so it runs before those. */
static void end_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

WEFT_NORETURN static void be_child(int (*fn)(void *arg), void *arg, int out_fd,
                                   const int *alarm_fd)
{
	struct rlimit no_core = { 0, 0 };
	int status;

	default_signals();
	end_with_parent();
	pthread_atfork(NULL, NULL, end_with_parent);
	setrlimit(RLIMIT_CORE, &no_core);
	if (dup2(out_fd, STDOUT_FILENO) < 0 || dup2(out_fd, STDERR_FILENO) < 0)
		_exit(1);
	close(out_fd);
	start_watch(alarm_fd);
	load_plugin();
	status = fn(arg);
	weft_store_relaxed(&vital->left, 1 + status);
#if !defined(__SANITIZE_THREAD__)
	exit(status); /* a sanitizer looks for leaks on the way out */
#endif
	child_leave(status);
}

void vital_goes_on(void)
{
	weft_fetch_add_relaxed(&vital->turns, 1u);
}

void vital_where(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(vital->where, sizeof(vital->where), format, args);
	va_end(args);
}

void child_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(vital->note, sizeof(vital->note), format, args);
	va_end(args);
	child_leave(CHILD_SKIPPED);
}

void child_untried(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(vital->note, sizeof(vital->note), format, args);
	va_end(args);
	child_leave(CHILD_UNTRIED);
}

/* --- in the parent --- */

struct ends {
	int out[2];   /* the child's output */
	int alarm[2]; /* to the child's watch */
};

static int ends_open(struct ends *e)
{
	if (pipe2(e->out, O_CLOEXEC))
		return -errno;
	if (pipe2(e->alarm, O_CLOEXEC)) {
		int err = -errno;

		close(e->out[0]);
		close(e->out[1]);
		return err;
	}
	return 0;
}

static int vital_reset(void)
{
	if (!vital) {
		void *page = mmap(NULL, sizeof(*vital), PROT_READ | PROT_WRITE,
		                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (page == MAP_FAILED)
			return -ENOMEM;
		vital = page;
	}
	memset(vital, 0, sizeof(*vital));
	return 0;
}

/* The child's code may have written over what it shares with its parent. */
static void vital_mend(void)
{
	vital->where[sizeof(vital->where) - 1] = '\0';
	vital->note[sizeof(vital->note) - 1] = '\0';
}

/* Take what the child has printed. False at the end of it. */
static bool take_output(int fd, struct child *out)
{
	char piece[4096];
	ssize_t n = read(fd, piece, sizeof(piece));
	size_t room = LOG_MAX - out->log_bytes;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if ((size_t)n < room)
		room = (size_t)n;
	memcpy(out->log + out->log_bytes, piece, room);
	out->log_bytes += room;
	out->log[out->log_bytes] = '\0';
	return n > 0;
}

/*
 * Time in which the parent has seen itself run. A look that took much longer
 * than it was to take is one in which the parent was stopped or starved, and so
 * probably was the child: it counts for little, and another one follows before
 * anybody is called late.
 */
struct patience {
	int64_t left_ns;
	bool surprised; /* by the last look */
};

static bool is_patient(const struct patience *p, int64_t limit_ns)
{
	return p->left_ns > 0 || (p->surprised && p->left_ns > -limit_ns);
}

/* Account for a look that was to take `meant_ns` from `begin_ns`. */
static void patience_spend(struct patience *p, int64_t begin_ns,
                           int64_t meant_ns)
{
	int64_t took = weft_now() - begin_ns;

	p->surprised = took > meant_ns + LOOK;
	p->left_ns -= p->surprised ? meant_ns / 4 + 1 : took;
}

/* Read for so long, or until the child has closed its output: true. */
static bool look(int fd, struct child *out, int64_t ns)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t until = weft_now() + ns, left;

	while ((left = until - weft_now()) > 0) {
		int n = poll(&p, 1, (int)(left / WEFT_MS) + 1);

		if (n > 0 && !take_output(fd, out))
			return true;
	}
	return false;
}

/* What a follower knows of the child. */
struct follow {
	int64_t limit_ns;
	uint64_t turns;
	void (*watch)(void *);
	void *arg;
};

/* The child has begun something new since the last look. */
static bool has_gone_on(struct follow *f)
{
	uint64_t now = weft_load_relaxed(&vital->turns);
	bool gone = now != f->turns;

	f->turns = now;
	return gone;
}

/* Read until the child has closed its output, or is overdue: false. */
static bool follow(int fd, struct child *out, struct follow *f)
{
	struct patience p = { .left_ns = f->limit_ns };

	while (is_patient(&p, f->limit_ns)) {
		int64_t begin = weft_now();
		int64_t ns =
		        p.left_ns > 0 && p.left_ns < LOOK ? p.left_ns : LOOK;

		if (look(fd, out, ns))
			return true;
		patience_spend(&p, begin, ns);
		if (has_gone_on(f))
			p.left_ns = f->limit_ns;
		if (f->watch)
			f->watch(f->arg);
	}
	return false;
}

/* Wait for the process itself, which has closed its output and is about to
 * end, or is killed; *overdue when it would not and had to be. Returns 1, or
 * -ECHILD when its status is lost. */
static int collect(pid_t pid, int *status, bool *overdue)
{
	int ended;

	for (int64_t ms = 0;
	     (ended = weft_child_wait(pid, WNOHANG, status)) == 0; ms++) {
		if (ms == GRACE / WEFT_MS) {
			*overdue = true;
			kill(pid, SIGKILL);
		}
		poll(NULL, 0, 1);
	}
	return ended;
}

bool child_meant_to_leave(int status)
{
	return weft_load_relaxed(&vital->left) == 1 + status;
}

static void judge(struct child *out, bool overdue, int status)
{
	if (overdue ||
	    (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_HUNG)) {
		out->end = CHILD_OVERDUE;
		out->status = 0;
	} else if (WIFSIGNALED(status)) {
		out->end = CHILD_SIGNAL;
		out->status = WTERMSIG(status);
	} else {
		out->end = CHILD_EXITED;
		out->status = WEXITSTATUS(status);
	}
}

/* Ask a child that is overdue for its tasks, and end it if it cannot say. */
static void sound_alarm(pid_t pid, const struct ends *e, struct child *out)
{
	struct follow grace = { .limit_ns = GRACE,
		                .turns = weft_load_relaxed(&vital->turns) };

	if (write(e->alarm[1], "!", 1) != 1 || !follow(e->out[0], out, &grace))
		kill(pid, SIGKILL);
}

/* Returns 0 or -ECHILD. */
static int be_parent(pid_t pid, const struct ends *e, struct follow *f,
                     struct child *out)
{
	bool overdue = !follow(e->out[0], out, f);
	int status = 0, err;

	if (overdue)
		sound_alarm(pid, e, out);
	err = collect(pid, &status, &overdue);
	if (err < 0)
		return err;
	judge(out, overdue, status);
	return 0;
}

int child_run(int (*fn)(void *arg), void *arg, int64_t limit_ns,
              void (*watch)(void *arg), struct child *out)
{
	struct follow f = { .limit_ns = limit_ns, .watch = watch, .arg = arg };
	int64_t begin = weft_now();
	struct ends e;
	pid_t pid;
	int err = vital_reset();

	if (err)
		return err;
	*out = (struct child){ .log = malloc(LOG_MAX + 1) };
	if (!out->log)
		return -ENOMEM;
	out->log[0] = '\0';
	err = ends_open(&e);
	if (err)
		goto free_log;
	fflush(NULL); /* or the child would print it again */
	pid = weft_child_fork();
	if (pid == 0) {
		close(e.alarm[1]);
		be_child(fn, arg, e.out[1], &e.alarm[0]);
	}
	err = pid < 0 ? pid : 0;
	close(e.out[1]);
	close(e.alarm[0]);
	if (pid > 0)
		err = be_parent(pid, &e, &f, out);
	vital_mend();
	close(e.out[0]);
	close(e.alarm[1]);
	out->ns = weft_now() - begin;
	if (!err)
		return 0;
free_log:
	free(out->log);
	out->log = NULL;
	return err;
}

void child_free(struct child *child)
{
	free(child->log);
	child->log = NULL;
}
