/*
 * Calls that wait or wake, of an object that is linked with --wrap for each of
 * them (wrapped.def): a delay before, and word to the hooks around what may
 * block.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
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

/* --- what a loop that waits lets others run by --- */

PLAIN(int, sched_yield, PERTURB_YIELD, NULL, (void), ())
PLAIN(int, usleep, PERTURB_YIELD, NULL, (useconds_t us), (us))
PLAIN(int, nanosleep, PERTURB_YIELD, NULL,
      (const struct timespec *span, struct timespec *left), (span, left))
PLAIN(int, clock_nanosleep, PERTURB_YIELD, NULL,
      (clockid_t clock, int flags, const struct timespec *span,
       struct timespec *left),
      (clock, flags, span, left))

/* --- pthreads --- */

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

/* As of a wait that nobody has ended: the mutex was free meanwhile. */
static int woken_with(pthread_mutex_t *m)
{
	int err = __real_pthread_mutex_unlock(m);

	if (err)
		return err;
	__real_sched_yield();
	return __real_pthread_mutex_lock(m);
}

WAITING(int, pthread_cond_wait, c, (pthread_cond_t * c, pthread_mutex_t *m),
        (c, m), woken_with(m))
WAITING(int, pthread_cond_timedwait, c,
        (pthread_cond_t * c, pthread_mutex_t *m, const struct timespec *until),
        (c, m, until), woken_with(m))
WAITING(int, pthread_cond_clockwait, c,
        (pthread_cond_t * c, pthread_mutex_t *m, clockid_t clock,
         const struct timespec *until),
        (c, m, clock, until), woken_with(m))
PLAIN(int, pthread_cond_signal, PERTURB_WAKE, c, (pthread_cond_t * c), (c))
PLAIN(int, pthread_cond_broadcast, PERTURB_WAKE, c, (pthread_cond_t * c), (c))
PLAIN(int, sem_trywait, PERTURB_LOCK, s, (sem_t * s), (s))

/* What is there is taken; only a wait can be interrupted. */
static int interrupted(sem_t *s)
{
	if (__real_sem_trywait(s) == 0)
		return 0;
	errno = EINTR;
	return -1;
}

WAITING(int, sem_wait, s, (sem_t * s), (s), interrupted(s))
WAITING(int, sem_timedwait, s, (sem_t * s, const struct timespec *until),
        (s, until), interrupted(s))
WAITING(int, sem_clockwait, s,
        (sem_t * s, clockid_t clock, const struct timespec *until),
        (s, clock, until), interrupted(s))
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

static long futex(const long word[6], const void *caller)
{
	enum perturb_kind kind = kind_of((int)word[1]);
	const void *at = (const void *)word[0];
	long result;

	weft_perturb_point(kind, at, caller);
	if (kind == PERTURB_WAIT && weft_perturb_wakes(at, caller))
		return 0;
	weft_perturb_blocks(kind, at);
	result = __real_syscall(SYS_futex, word[0], word[1], word[2], word[3],
	                        word[4], word[5]);
	weft_perturb_goes_on();
	return result;
}

long __wrap_syscall(long number, ...)
{
	long word[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		word[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_futex)
		return futex(word, HERE);
	return __real_syscall(number, word[0], word[1], word[2], word[3],
	                      word[4], word[5]);
}

/* NOLINTEND(bugprone-reserved-identifier) */
