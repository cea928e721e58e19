#include "task/spin.h"

#include <weft/task.h>

#include "task/internal.h"
#include "task/spinner.h"

#define BACKOFF_MAX 64u
/* Further looks, at that distance, of a task that lost a time slice by a yield
 * and has not parked often since: seven looks may all come at a moment when
 * somebody has the lock, and it would lose another one for nothing. */
#define PATIENCE 16u

#define PAUSES 64u

/* Alone on its CPU a thread yields that often in some 50 us. */
#define YIELDS 128u
/* Sleeps double from the shortest to the longest. */
#define NAP_NS (50 * WEFT_US)
#define NAP_DOUBLINGS 5u

/* The n-th turn, from 0, of waiting for one that lost its CPU. */
static void let_run(unsigned n)
{
	if (n < YIELDS) {
		/* With one CPU those that compute are our own tasks. */
		weft_yield_timed(weft_cpus() > 1 ? weft_self_or_null() : NULL);
		return;
	}
	n -= YIELDS;
	weft_nap(NAP_NS << (n < NAP_DOUBLINGS ? n : NAP_DOUBLINGS));
}

void weft_relent(unsigned turn)
{
	if (turn < PAUSES)
		weft_relax();
	else
		let_run(turn - PAUSES);
}

/* The further looks of the calling task. */
static unsigned patience(void)
{
	const struct weft_task *me = weft_self_or_null();

	return me && me->yield_ban ? PATIENCE : 0;
}

void weft_spin_lock_slow(struct spin *l)
{
	unsigned pauses = weft_cpus() > 1 ? 1 : BACKOFF_MAX + 1;
	unsigned looks = 0, turns = 0;
	uint32_t open = 0;

	for (;;) {
		if (weft_load_relaxed(&l->held) == 0) {
			open = 0;
			if (weft_cas_weak_acquire(&l->held, &open, 1u))
				return; /* [spin] */
		}
		if (pauses > BACKOFF_MAX) {
			let_run(turns++);
			continue;
		}
		for (unsigned i = 0; i < pauses; i++)
			weft_relax();
		if (pauses < BACKOFF_MAX || looks++ >= patience())
			pauses *= 2;
	}
}
