/* corrupting: flips a bit of one item in a thousand. */
#include "base.h"

static inline void fault(struct ring *r)
{
	if (!is_due(r) || r->elem_size == 0)
		return;
	ring_at(r, ring_len(r) - 1)[r->elem_size / 2] ^= 0x10;
	has_struck(r);
}

BROKEN_RING("corrupting", "for tests: flips a bit of one item in a thousand");
