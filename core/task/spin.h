/*
 * spin: a lock around a few dozen instructions that never park.
 *
 * Test-and-test-and-set with exponential back-off up to 64 pauses, then
 * yields (later in a task that has lost a time slice so: docs/adr/0004, 4), so
 * that a holder that lost its CPU gets it back, then sleeps: a yield
 * gives nothing to a holder of a lower priority (docs/adr/0010). The release is
 * a plain store: half the price of a mutex pair.
 */
#ifndef WEFT_TASK_SPIN_H
#define WEFT_TASK_SPIN_H

#include <stdbool.h>

#include <weft/atomic.h>
#include <weft/task.h>

struct spin {
	_Atomic uint32_t held;
};

static inline void spin_init(struct spin *l)
{
	weft_store_relaxed(&l->held, 0u);
}

/* The contended part of spin_lock(). */
void weft_spin_lock_slow(struct spin *l);

static inline bool spin_try_lock(struct spin *l)
{
	uint32_t open = 0;

	/* [spin] acquires what the last spin_unlock() released. */
	return weft_cas_weak_acquire(&l->held, &open, 1u);
}

static inline void spin_lock(struct spin *l)
{
	if (!spin_try_lock(l))
		weft_spin_lock_slow(l);
}

static inline void spin_unlock(struct spin *l)
{
	weft_store_release(&l->held, 0u); /* pairs with [spin] */
}

/* weft_relent(), counting in *turns, from 0. */
static inline void spin_for_peer(unsigned *turns)
{
	weft_relent((*turns)++);
}

#endif
