/*
 * Calls that wait or wake, of an object that is linked with --wrap for each of
 * them (wrapped.def): a delay before, and word to the hooks around what may
 * block.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "perturb/wrap.h"

/* The linker gives both names. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
/* NOLINTBEGIN(bugprone-reserved-identifier) */

BLOCKING(int, pthread_mutex_lock, PERTURB_LOCK, m, (pthread_mutex_t * m), (m))
BLOCKING(int, pthread_mutex_timedlock, PERTURB_LOCK, m,
         (pthread_mutex_t * m, const struct timespec *until), (m, until))
PLAIN(int, pthread_mutex_trylock, PERTURB_LOCK, m, (pthread_mutex_t * m), (m))
PLAIN(int, pthread_mutex_unlock, PERTURB_UNLOCK, m, (pthread_mutex_t * m), (m))
BLOCKING(int, pthread_rwlock_rdlock, PERTURB_LOCK, l, (pthread_rwlock_t * l),
         (l))
BLOCKING(int, pthread_rwlock_wrlock, PERTURB_LOCK, l, (pthread_rwlock_t * l),
         (l))
PLAIN(int, pthread_rwlock_unlock, PERTURB_UNLOCK, l, (pthread_rwlock_t * l),
      (l))
BLOCKING(int, pthread_spin_lock, PERTURB_LOCK, (const void *)(uintptr_t)l,
         (pthread_spinlock_t * l), (l))
PLAIN(int, pthread_spin_unlock, PERTURB_UNLOCK, (const void *)(uintptr_t)l,
      (pthread_spinlock_t * l), (l))
BLOCKING(int, pthread_cond_wait, PERTURB_WAIT, c,
         (pthread_cond_t * c, pthread_mutex_t *m), (c, m))
BLOCKING(int, pthread_cond_timedwait, PERTURB_WAIT, c,
         (pthread_cond_t * c, pthread_mutex_t *m, const struct timespec *until),
         (c, m, until))
BLOCKING(int, pthread_cond_clockwait, PERTURB_WAIT, c,
         (pthread_cond_t * c, pthread_mutex_t *m, clockid_t clock,
          const struct timespec *until),
         (c, m, clock, until))
PLAIN(int, pthread_cond_signal, PERTURB_WAKE, c, (pthread_cond_t * c), (c))
PLAIN(int, pthread_cond_broadcast, PERTURB_WAKE, c, (pthread_cond_t * c), (c))
BLOCKING(int, sem_wait, PERTURB_WAIT, s, (sem_t * s), (s))
BLOCKING(int, sem_timedwait, PERTURB_WAIT, s,
         (sem_t * s, const struct timespec *until), (s, until))
PLAIN(int, sem_trywait, PERTURB_LOCK, s, (sem_t * s), (s))
PLAIN(int, sem_post, PERTURB_WAKE, s, (sem_t * s), (s))

/* --- futex, through the one way that there is --- */

static enum perturb_kind kind_of(int operation)
{
	switch (operation & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		return PERTURB_WAIT;
	case FUTEX_LOCK_PI:
		return PERTURB_LOCK;
	default:
		return PERTURB_WAKE;
	}
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	long word[6], result;
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		word[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_futex) {
		weft_perturb_point(kind_of((int)word[1]), (const void *)word[0],
		                   HERE);
		weft_perturb_blocks(kind_of((int)word[1]),
		                    (const void *)word[0]);
	}
	result = __real_syscall(number, word[0], word[1], word[2], word[3],
	                        word[4], word[5]);
	if (number == SYS_futex)
		weft_perturb_goes_on();
	return result;
}

/* NOLINTEND(bugprone-reserved-identifier) */
