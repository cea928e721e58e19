/* corrupting: flips a bit of one item in a thousand. */
#include "base.h"

static inline void fault(struct ring *r)
{
	if (r->pushed % ONE_IN == 0 && r->elem_size > 0)
		ring_at(r, ring_len(r) - 1)[r->elem_size / 2] ^= 0x10;
}

BROKEN_RING("corrupting", "for tests: flips a bit of one item in a thousand");
