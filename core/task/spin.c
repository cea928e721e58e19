#include "task/spin.h"

#include <weft/task.h>

#include "task/internal.h"

#define BACKOFF_MAX 64u

void weft_spin_lock_slow(struct spin *l)
{
	unsigned pauses = weft_cpus() > 1 ? 1 : BACKOFF_MAX + 1;
	uint32_t open = 0;

	for (;;) {
		if (weft_load_relaxed(&l->held) == 0) {
			open = 0;
			if (weft_cas_weak_acquire(&l->held, &open, 1u))
				return; /* [spin] */
		}
		if (pauses > BACKOFF_MAX) {
			weft_yield();
			continue;
		}
		for (unsigned i = 0; i < pauses; i++)
			weft_relax();
		pauses *= 2;
	}
}
