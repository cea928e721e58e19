/* dropping: accepts every item and loses one in a thousand. */
#include "base.h"

static inline void fault(struct ring *r)
{
	if (r->pushed % ONE_IN == 0)
		ring_set_len(r, ring_len(r) - 1);
}

BROKEN_RING("dropping", "for tests: loses one item in a thousand");
