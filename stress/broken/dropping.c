/* dropping: accepts every item and loses one in a thousand. */
#include "base.h"

static inline void fault(struct ring *r)
{
	if (!is_due(r))
		return;
	ring_set_len(r, ring_len(r) - 1);
	has_struck(r);
}

BROKEN_RING("dropping", "for tests: loses one item in a thousand");
