/*
 * The heavy half of the asymmetric barrier: membarrier(2), private expedited.
 *
 * The process registers once, at the first question; a constructor would run in
 * programs that never use weft. With one thread that takes a microsecond, with
 * several it waits for a grace period of the kernel, 14 ms as measured: so
 * weft_run() asks before there are tasks. pthread_once makes the answer
 * constant and visible.
 *
 * A process may sandbox itself later and be refused what it had registered for.
 * Then the barrier is had in another way, which is slow, and once that has been
 * done, the sides that are ours do without: see give_up_asymmetry().
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <weft/atomic.h>

#include "base/barrier.h"
#include "base/check.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool registered; /* constant after the once */
_Atomic bool weft_asymmetric;

/* No light half that finds weft_asymmetric set is under way, nor will be. */
static _Atomic bool symmetric;

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

static bool register_expedited(void)
{
	long have;

	if (!WEFT_ASYMMETRIC_BUILD)
		return false;
	have = membarrier(MEMBARRIER_CMD_QUERY);
	if (have < 0 || !(have & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return false;
	return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

static void init(void)
{
	registered = register_expedited();
	weft_store_relaxed(&symmetric, !registered);
	weft_store_relaxed(&weft_asymmetric, registered);
}

bool weft_barrier_is_asymmetric(void)
{
	pthread_once(&once, init);
	return registered;
}

/* --- without membarrier --- */

#define CPUS_MAX 8192 /* the most that Linux can be built for */
#define WORD_BITS (8 * sizeof(unsigned long))

struct cpus {
	unsigned long words[CPUS_MAX / WORD_BITS];
};

/* Be on that CPU; the thread that was on it had to leave it, or has left it
 * before. */
static bool visit(size_t cpu)
{
	struct cpus only;

	memset(&only, 0, sizeof(only));
	only.words[cpu / WORD_BITS] |= 1ul << cpu % WORD_BITS;
	if (syscall(SYS_sched_setaffinity, 0, sizeof(only), &only) == 0)
		return true;
	/* There is no such CPU, it is off, or none of our cpuset. */
	return errno == EINVAL;
}

/*
 * Visit every CPU. A thread that ran all the while on one of them was switched
 * out to let this one in, and one that did not was switched out or in; to
 * switch is a full barrier. False when it is not allowed to.
 */
static bool tour(void)
{
	struct cpus before;
	long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(before), &before);
	bool all = bytes > 0;

	for (size_t cpu = 0; all && cpu < 8 * (size_t)bytes; cpu++)
		all = visit(cpu);
	if (bytes > 0)
		syscall(SYS_sched_setaffinity, 0, (size_t)bytes, &before);
	return all;
}

static void reach_otherwise(void)
{
	if (membarrier(MEMBARRIER_CMD_GLOBAL) && !tour())
		weft_check_failed(__FILE__, __LINE__,
		                  "membarrier(2) is refused, which this "
		                  "process has registered for, and so is "
		                  "sched_setaffinity(2)");
}

static void barrier_of_the_caller(void)
{
	static _Atomic unsigned full;

	weft_fetch_add_seq_cst(&full, 1u);
}

/* errno stays as it was. */
static bool reach_expedited(void)
{
	int saved = errno;
	bool done = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;

	errno = saved;
	return done;
}

void weft_barrier_heavy(void)
{
	int saved = errno;

	if (!weft_barrier_is_asymmetric()) {
		barrier_of_the_caller();
	} else if (!reach_expedited()) {
		reach_otherwise();
		errno = saved;
	}
}

/*
 * Have the light halves use read-modify-writes from now on. They must all know
 * before anybody relies on it. So the flag is cleared first and then every
 * thread made to pass a barrier: a light half that has found the flag set, and
 * does not see the caller's registration, has published what the caller sees
 * after this. Threads that come meanwhile wait until all is done.
 */
static void give_up_asymmetry(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int saved = errno;

	pthread_mutex_lock(&lock);
	if (!weft_load_relaxed(&symmetric)) {
		weft_store_seq_cst(&weft_asymmetric, false);
		reach_otherwise();
		weft_store_release(&symmetric, true); /* [symmetric] */
	}
	pthread_mutex_unlock(&lock);
	errno = saved;
}

void weft_barrier_registered(void)
{
	weft_barrier_is_asymmetric();      /* and at the first time, be it so */
	if (weft_load_acquire(&symmetric)) /* [symmetric] */
		barrier_of_the_caller();
	else if (!reach_expedited())
		give_up_asymmetry();
}
