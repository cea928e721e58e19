/*
 * The heavy half of the asymmetric barrier: membarrier(2), private expedited.
 *
 * The process registers once, at the first question; a constructor would run in
 * programs that never use weft. With one thread that takes a microsecond, with
 * several it waits for a grace period of the kernel, 14 ms as measured: so
 * weft_run() asks before there are tasks. pthread_once makes the answer
 * constant and visible.
 */
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <weft/atomic.h>

#include "base/barrier.h"
#include "base/check.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
_Atomic bool weft_asymmetric;

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

static void init(void)
{
	long have;

	if (!WEFT_ASYMMETRIC_BUILD)
		return;
	have = membarrier(MEMBARRIER_CMD_QUERY);
	if (have < 0 || !(have & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return;
	if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0)
		weft_store_relaxed(&weft_asymmetric, true);
}

bool weft_barrier_is_asymmetric(void)
{
	pthread_once(&once, init);
	return weft_load_relaxed(&weft_asymmetric);
}

void weft_barrier_heavy(void)
{
	static _Atomic unsigned full;

	if (weft_barrier_is_asymmetric())
		CHECK_EQ(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED), 0L);
	else
		weft_fetch_add_seq_cst(&full, 1u);
}
