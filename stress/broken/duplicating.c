/* duplicating: delivers one item in a thousand twice. */
#include "base.h"

static inline void fault(struct ring *r)
{
	/* Strikes late when there is no space for the second one. */
	if (!is_due(r) || ring_is_full(r))
		return;
	ring_push(r, ring_at(r, ring_len(r) - 1));
	has_struck(r);
}

BROKEN_RING("duplicating", "for tests: delivers one item in a thousand twice");
