/*
 * Tests of the asymmetric barrier in a process that may no longer call
 * membarrier(2) although it registered for it: one that sandboxes itself later.
 * Each in a process of its own. The linker puts this file's syscall() in the
 * way
 * (--wrap).
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/atomic.h>
#include <weft/chan.h>

#include "base/barrier.h"
#include "task/testing.h"

#define SKIPPED 77

/* Until now it could be called, and it reaches the other threads. */
static void need_asymmetry(void)
{
	if (!weft_barrier_is_asymmetric())
		_exit(SKIPPED);
	weft_barrier_heavy();
}

/* --- the sandbox --- */

enum refuse {
	REFUSE_EXPEDITED, /* the one command */
	REFUSE_MEMBARRIER,
	REFUSE_AFFINITY, /* and the way to do without */
};

#define LOAD(field)                                                            \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* Of all threads. */
static void add_filter(struct sock_filter *filter, unsigned short n)
{
	struct sock_fprog program = { .len = n, .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	            SECCOMP_FILTER_FLAG_TSYNC, &program))
		_exit(SKIPPED);
}

static void sandbox(enum refuse what)
{
	struct sock_filter expedited[] = {
		LOAD(nr),      UNLESS(SYS_membarrier, 3),
		LOAD(args[0]), UNLESS(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 1),
		REFUSE,        ALLOW,
	};
	struct sock_filter all[] = { LOAD(nr), UNLESS(SYS_membarrier, 1),
		                     REFUSE, ALLOW };
	struct sock_filter affinity[] = { LOAD(nr),
		                          UNLESS(SYS_sched_setaffinity, 1),
		                          REFUSE, ALLOW };

	if (what == REFUSE_EXPEDITED)
		add_filter(expedited, 6);
	else
		add_filter(all, 4);
	if (what == REFUSE_AFFINITY)
		add_filter(affinity, 4);
	CHECK_EQ(
	        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0),
	        -1L);
}

/* How a process ends that calls fn(arg), with what it says on the way. */
static int in_a_child(int (*fn)(void *), void *arg, char *err, size_t n)
{
	int fd[2], status;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fd[1], STDERR_FILENO);
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		_exit(fn(arg));
	}
	assert_true(pid > 0);
	close(fd[1]);
	for (err[0] = '\0'; (got = read(fd[0], err, n - 1)) > 0;)
		err[got] = '\0';
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	return status;
}

static void check_child(int (*fn)(void *), void *arg)
{
	char err[4096];
	int status = in_a_child(fn, arg, err, sizeof(err));

	if (status)
		fprintf(stderr, "%s", err);
	assert_int_equal(status, 0);
}

/* --- channels --- */

#define ROUNDS 300

struct game {
	struct weft_chan *there, *back;
};

static int replies(void *arg)
{
	struct game *g = arg;
	int v, err;

	while ((err = weft_chan_recv(g->there, &v, WEFT_FOREVER)) == 0)
		CHECK_EQ(weft_chan_send(g->back, &v, WEFT_FOREVER), 0);
	return err;
}

static struct weft_chan *chan(const char *name)
{
	struct weft_chan_opts opts = { .wait = WEFT_WAIT_PARK };
	struct weft_chan *c;

	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find(name), 1, sizeof(int),
	                       &opts),
	         0);
	return c;
}

static void play(struct game *g)
{
	int v;

	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQ(weft_chan_send(g->there, &i, WEFT_FOREVER), 0);
		CHECK_EQ(weft_chan_recv(g->back, &v,
		                        weft_deadline_in(10 * WEFT_SEC)),
		         0);
		CHECK_EQ(v, i);
	}
}

/* It parks before the sandbox is there, and again and again after that. */
static int plays(void *arg)
{
	static const char *const names[] = { "ring", "mpsc", "list", "spsc" };
	enum { N = sizeof(names) / sizeof(*names) };
	struct weft_task *t[N];
	struct game g[N];

	need_asymmetry();
	for (int i = 0; i < N; i++) {
		g[i] = (struct game){ chan(names[i]), chan(names[i]) };
		t[i] = testing_spawn(replies, &g[i]);
	}
	play(&g[0]);
	sandbox(*(enum refuse *)arg);
	for (int i = 0; i < N; i++) {
		play(&g[i]);
		CHECK_EQ(weft_chan_close(g[i].there), 0);
		CHECK_EQ(testing_join(t[i]), -EPIPE);
		weft_chan_unref(g[i].there);
		weft_chan_unref(g[i].back);
	}
	/* What plug-ins have built on does not change; what we look at does. */
	CHECK(weft_barrier_is_asymmetric());
	CHECK(!weft_load_relaxed(&weft_asymmetric));
	return 0;
}

static int plays_in_a_run(void *arg)
{
	return weft_run(WEFT_THREADS, NULL, plays, arg);
}

static void channels_go_on_without_membarrier(void **state)
{
	enum refuse what[] = { REFUSE_EXPEDITED, REFUSE_MEMBARRIER };

	(void)state;
	for (int i = 0; i < 2; i++)
		check_child(plays_in_a_run, &what[i]);
}

/* --- the barrier --- */

static cpu_set_t visited;

long __real_syscall(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f);

/* A thread that is back from here with one CPU allowed has been on that CPU. */
long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	long r = __real_syscall(nr, a, b, c, d, e, f);
	cpu_set_t now;

	if (nr != SYS_sched_setaffinity || r != 0)
		return r;
	CHECK_EQ(sched_getaffinity(0, sizeof(now), &now), 0);
	if (CPU_COUNT(&now) == 1)
		CPU_SET(sched_getcpu(), &visited);
	return r;
}

/* Every thread that runs has to let us in, wherever it is. */
static int visits(void *arg)
{
	cpu_set_t before, after;

	need_asymmetry();
	CPU_ZERO(&visited);
	weft_barrier_heavy();
	CHECK_EQ(CPU_COUNT(&visited), 0);
	CHECK_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
	sandbox(*(enum refuse *)arg);
	weft_barrier_heavy();
	CHECK_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
	CHECK(CPU_EQUAL(&before, &after));
	CPU_AND(&after, &before, &visited);
	CHECK(CPU_EQUAL(&before, &after));

	/* A thread registers once, and then no more. */
	CPU_ZERO(&visited);
	weft_barrier_registered();
	CHECK_LE(CPU_COUNT(&before), CPU_COUNT(&visited));
	CPU_ZERO(&visited);
	weft_barrier_registered();
	CHECK_EQ(CPU_COUNT(&visited), 0);
	return 0;
}

static void the_barrier_visits_every_cpu_without_membarrier(void **state)
{
	enum refuse what = REFUSE_MEMBARRIER;

	(void)state;
	check_child(visits, &what);
}

/* --- when nothing is left --- */

static int gives_up(void *arg)
{
	(void)arg;
	need_asymmetry();
	sandbox(REFUSE_AFFINITY);
	weft_barrier_heavy();
	return 0;
}

static void without_any_way_it_says_so_and_aborts(void **state)
{
	char err[4096];
	int status = in_a_child(gives_up, NULL, err, sizeof(err));

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(err, "membarrier(2)"));
	assert_non_null(strstr(err, "sched_setaffinity(2)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channels_go_on_without_membarrier),
		cmocka_unit_test(
		        the_barrier_visits_every_cpu_without_membarrier),
		cmocka_unit_test(without_any_way_it_says_so_and_aborts),
	};

	return cmocka_run_group_tests_name("barrier", tests, NULL, NULL);
}
