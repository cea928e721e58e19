/* What the system does to a channel's callers: signals, few CPUs, forks, a wall
 * clock that jumps. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/affinity.h"
#include "base/check.h"
#include "base/child.h"
#include "stress/conform/suite.h"
#include "stress/conform/traffic.h"
#include "stress/faults/jump.h"
#include "task/place.h"

/* --- calls that wait --- */

/* A call on a new channel, that waits until serve(). */
static void call_that_waits(const struct cell *cell, struct call *call,
                            enum form form)
{
	call->c = cell_chan(cell);
	if (form == FORM_SEND)
		call->tag = (uint32_t)chan_fill(call->c, 0, TO_THE_BRIM);
	call->form = form;
	call_begin(call);
	cell_settle(cell, call, 1);
}

/* What was inside comes out and lets a send through, at the last: a kernel may
 * free its space in lumps. At capacity 0 it is the send's own. */
static void let_send(const struct cell *cell, const struct call *call)
{
	uint32_t tag, n = call->tag ? call->tag : 1;

	for (uint32_t i = 0; i < n; i++)
		if (cell->ordered)
			must_recv(call->c, i, WEFT_FOREVER);
		else
			MUST(tag_recv(call->c, &tag, WEFT_FOREVER), 0);
}

/* Let it through, and give the channel back. */
static void serve(const struct cell *cell, struct call *call)
{
	bool sends = call->form == FORM_SEND;
	uint32_t tag = call->tag;

	if (sends)
		let_send(cell, call);
	else
		MUST(tag_send(call->c, 7, WEFT_FOREVER), 0);
	MUST_END(call, 0);
	if (sends && tag && cell->ordered)
		must_recv(call->c, tag, WEFT_FOREVER);
	else if (sends && tag)
		MUST(tag_recv(call->c, &tag, WEFT_FOREVER), 0);
	MUST(chan_close(call->c), 0);
	MUST(tag_recv(call->c, &tag, WEFT_FOREVER), -EPIPE);
	chan_end(call->c);
}

/* --- signals --- */

static void on_signal(int number)
{
	(void)number;
}

static void handle_signals(int flags)
{
	const struct sigaction action = { .sa_handler = on_signal,
		                          .sa_flags = flags };

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
}

struct storm {
	_Atomic bool over;
	unsigned long signals;
};

/* A signal to every other thread of the process. */
static unsigned long signal_all(void)
{
	DIR *dir = opendir("/proc/self/task");
	pid_t pid = getpid(), me = (pid_t)syscall(SYS_gettid);
	const struct dirent *entry;
	unsigned long n = 0;

	if (!dir)
		child_skip("needs /proc");
	while ((entry = readdir(dir))) {
		long thread = strtol(entry->d_name, NULL, 10);

		if (thread > 0 && thread != me)
			n += !syscall(SYS_tgkill, pid, thread, SIGUSR1);
	}
	closedir(dir);
	return n;
}

static int storm_main(void *arg)
{
	struct storm *s = arg;

	while (!weft_load_acquire(&s->over)) {
		s->signals += signal_all();
		weft_yield();
	}
	return 0;
}

static void traffic_in_a_storm(const struct cell *cell, enum way way)
{
	struct storm s = { .signals = 0 };
	struct traffic t = { .cell = cell,
		             .senders = cell_senders(cell, 2),
		             .receivers = cell_receivers(cell, 2),
		             .each = cell_times(cell, 16000, 50),
		             .send_by = way,
		             .recv_by = way,
		             .order = cell->ordered };
	struct weft_task *task;

	if (!ways_meet(cell, way, way))
		return;
	task = task_start("storm", storm_main, &s);
	traffic_run(&t);
	weft_store_release(&s.over, true);
	task_finish(task);
	snprintf(vital->note, sizeof(vital->note),
	         "in the last variation %lu signals", s.signals);
}

static void a_storm_of_signals_loses_nothing(struct cell *cell)
{
	static const int ways[] = { 0, SA_RESTART };

	for (unsigned i = 0; i < 2; i++) {
		handle_signals(ways[i]);
		traffic_in_a_storm(cell, WAY_PLAIN);
		traffic_in_a_storm(cell, WAY_TIMED);
	}
}

/* --- few CPUs --- */

static int64_t cpu_time(void)
{
	struct timespec ts;

	CHECK_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts), 0);
	return ts.tv_sec * WEFT_SEC + ts.tv_nsec;
}

#define CROWD 64u

/*
 * What an element, and a task, may cost of CPU time, which a busy machine
 * changes little. Among tasks that sleep and wake each other it is a tenth of
 * that, or a third where the kernel wakes all of them for each. A task that
 * spins for another that needs its CPU spins for as long as the scheduler lets
 * it, a millisecond or several, and does so for each element.
 */
#define ELEMENT_NS (300 * WEFT_US)
#define TASK_NS WEFT_MS

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) ||           \
        defined(WEFT_PERTURB)
#define DEARER 10
#else
#define DEARER 1
#endif

static void crowd(const struct cell *cell, unsigned tasks)
{
	struct traffic t = { .cell = cell,
		             .senders = cell_senders(cell, tasks / 2),
		             .receivers = cell_receivers(cell, tasks / 2),
		             .order = cell->ordered };
	int64_t began = cpu_time(), used, most;

	/* As many by one sender as by many. */
	t.each = cell_times(cell, 4000, 256) / t.senders + 1;
	traffic_run(&t);
	used = cpu_time() - began;
	most = DEARER * (t.each * t.senders * ELEMENT_NS + tasks * TASK_NS);
	snprintf(vital->note, sizeof(vital->note),
	         "in the last variation %lld ms of CPU time; %lld are allowed",
	         (long long)(used / WEFT_MS), (long long)(most / WEFT_MS));
	REQUIRE(used < most,
	        "%u elements among %u tasks took %lld ms of CPU time: somebody "
	        "spins instead of letting its peer run",
	        t.each * t.senders, tasks, (long long)(used / WEFT_MS));
}

/* Of 64 tasks for each of n CPUs. */
static void crowd_on(const struct cell *cell, unsigned n)
{
	unsigned cpu[WEFT_CPUS_MAX];
	unsigned allowed = weft_cpu_list("", NULL, cpu);

	if (allowed < n)
		child_skip("needs %u CPUs, of which %u are known", n, allowed);
	MUST(weft_run_spread(cpu, n), 0);
	crowd(cell, n * CROWD);
}

static void a_crowd_on_one_cpu_gets_through(struct cell *cell)
{
	crowd_on(cell, 1);
}

static void a_crowd_on_two_cpus_gets_through(struct cell *cell)
{
	crowd_on(cell, 2);
}

/* --- forks --- */

/* It does the two things that it may: it executes a program, or it ends. */
static void fork_once(bool executes)
{
	pid_t child = weft_child_fork();
	int status = -1;

	if (child < 0)
		child_untried("the machine has no process to give: %s",
		              strerror(-child));
	if (child == 0) {
		if (executes)
			execl("/bin/true", "true", (char *)NULL);
		_exit(0);
	}
	CHECK_EQ(weft_child_wait(child, 0, &status), 1);
	REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	        "a child that did nothing ended with status 0x%x", status);
}

static int fork_main(void *arg)
{
	unsigned n = *(const unsigned *)arg;

	for (unsigned i = 0; i < n; i++)
		fork_once(i % 2);
	return 0;
}

static void a_fork_with_tasks_waiting_harms_nobody(struct cell *cell)
{
	for (enum form form = FORM_SEND; form <= FORM_RECV; form++) {
		struct call call = { .deadline_ns = WEFT_FOREVER };

		if (form == FORM_SEND && cell->unbounded)
			continue;
		call_that_waits(cell, &call, form);
		fork_once(false);
		fork_once(true);
		serve(cell, &call);
	}
}

static void a_fork_in_traffic_harms_nobody(struct cell *cell)
{
	unsigned forks = 4;
	struct traffic t = { .cell = cell,
		             .senders = cell_senders(cell, 2),
		             .receivers = cell_receivers(cell, 2),
		             .each = cell_times(cell, 16000, 50),
		             .order = cell->ordered };
	struct weft_task *task = task_start("fork", fork_main, &forks);

	traffic_run(&t);
	task_finish(task);
}

#define DESCRIPTORS 1024

static void find_open(bool *open)
{
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		open[fd] = fcntl(fd, F_GETFD) >= 0;
}

static void descriptors_are_closed_by_exec(struct cell *cell)
{
	bool before[DESCRIPTORS], after[DESCRIPTORS];
	struct weft_chan *c;

	find_open(before);
	c = cell_chan(cell);
	chan_fill(c, 0, 2);
	find_open(after);
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		REQUIRE(!after[fd] || before[fd] ||
		                (fcntl(fd, F_GETFD) & FD_CLOEXEC),
		        "descriptor %d is inherited by programs that the "
		        "process starts: it lacks FD_CLOEXEC",
		        fd);
	chan_end(c);
}

/* --- the wall clock --- */

static jump_fn *jump;

static void need_jump(void)
{
	*(void **)&jump = dlsym(RTLD_DEFAULT, "weft_jump");
	if (!jump)
		child_skip("needs a clock that jumps: set LD_PRELOAD to "
		           "weft_oom.so of the tests");
}

static void time_out_in_a_jump(const struct cell *cell, bool sends,
                               int64_t jump_ns)
{
	struct weft_chan *c = cell_chan(cell);
	uint32_t tag = sends ? (uint32_t)chan_fill(c, 0, TO_THE_BRIM) : 0;
	int64_t deadline = weft_deadline_in(5 * WEFT_MS);
	int err;

	jump(jump_ns);
	err = sends ? tag_send(c, tag, deadline) : tag_recv(c, &tag, deadline);
	jump(0);
	MUST_OF(sends ? "send" : "recv", err, -ETIMEDOUT);
	REQUIRE(weft_now() >= deadline,
	        "a call timed out %lld ns before its deadline, as the wall "
	        "clock jumped",
	        (long long)(deadline - weft_now()));
	MUST(chan_close(c), 0);
	while (tag_recv(c, &tag, WEFT_FOREVER) == 0)
		;
	chan_end(c);
}

static void a_wall_clock_that_jumps_moves_no_deadline(struct cell *cell)
{
	need_jump();
	for (int sends = 0; sends < 2; sends++) {
		if (sends && cell->unbounded)
			continue;
		time_out_in_a_jump(cell, sends, 3600 * WEFT_SEC);
		time_out_in_a_jump(cell, sends, -3600 * WEFT_SEC);
	}
}

const struct conform_check conform_faults[] = {
	{ .name = "a_storm_of_signals_loses_nothing",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_0 | OVER_2 | OVER_UNBOUNDED,
	  .fn = a_storm_of_signals_loses_nothing },
	{ .name = "a_crowd_on_one_cpu_gets_through",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_0 | OVER_1 | OVER_64 | OVER_UNBOUNDED,
	  .fn = a_crowd_on_one_cpu_gets_through },
	{ .name = "a_crowd_on_two_cpus_gets_through",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED,
	  .fn = a_crowd_on_two_cpus_gets_through },
	{ .name = "a_fork_with_tasks_waiting_harms_nobody",
	  .needs = NEEDS_DATA,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED,
	  .fn = a_fork_with_tasks_waiting_harms_nobody },
	{ .name = "a_fork_in_traffic_harms_nobody",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_0 | OVER_2 | OVER_UNBOUNDED,
	  .fn = a_fork_in_traffic_harms_nobody },
	{ .name = "descriptors_are_closed_by_exec",
	  .over = OVER_CAPS,
	  .fn = descriptors_are_closed_by_exec },
	{ .name = "a_wall_clock_that_jumps_moves_no_deadline",
	  .needs = NEEDS_DATA | NEEDS_UNSAN | WEFT_CAN_TIMEOUT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED,
	  .fn = a_wall_clock_that_jumps_moves_no_deadline },
	{ .name = NULL },
};
