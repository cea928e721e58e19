/* until: deadlines for libraries that take another form of them, and waiting
 * for those that have none. */
#ifndef BENCH_PEERS_UNTIL_H
#define BENCH_PEERS_UNTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <weft/export.h>
#include <weft/task.h>

WEFT_BEGIN_DECLS

/* Nanoseconds that are left on the machine's clock, at least 0: those that
 * block the thread do not see a manual clock. */
static inline int64_t until_left(int64_t deadline_ns)
{
	struct timespec now;
	int64_t ns;

	if (deadline_ns <= 0)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (int64_t)now.tv_sec * WEFT_SEC + now.tv_nsec;
	return deadline_ns > ns ? deadline_ns - ns : 0;
}

/* Rounded up to a coarser unit, so that nothing ends too early. */
static inline int64_t until_left_in(int64_t deadline_ns, int64_t unit)
{
	int64_t ns = until_left(deadline_ns);

	return ns / unit + (ns % unit != 0);
}

/* A while of pauses, which a peer that runs needs no longer than, then the CPU
 * is left to others at each turn. It never sleeps. */
#define UNTIL_PAUSES 100

/* One turn of a wait for something that nobody will announce. False once the
 * deadline has passed. */
static inline bool until_spin(unsigned *turns, int64_t deadline_ns)
{
	if (*turns < UNTIL_PAUSES && deadline_ns > 0) {
		++*turns;
		weft_relax();
		return true;
	}
	if (deadline_ns != WEFT_FOREVER &&
	    (deadline_ns <= 0 || weft_now() >= deadline_ns))
		return false;
	weft_yield();
	return true;
}

/* Call `op`, which does not wait, until it does not say -EAGAIN or the deadline
 * has passed; then -ETIMEDOUT, after one more look. */
#define UNTIL_SPIN(err, op, deadline_ns)                                       \
	do {                                                                   \
		unsigned until_turns_ = 0;                                     \
		bool until_more_ = true;                                       \
		while (((err) = (op)) == -EAGAIN && until_more_)               \
			until_more_ = until_spin(&until_turns_, deadline_ns);  \
		if ((err) == -EAGAIN)                                          \
			(err) = -ETIMEDOUT;                                    \
	} while (0)

WEFT_END_DECLS

#endif
