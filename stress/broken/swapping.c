/* swapping: delivers two neighbours in a thousand in the wrong order. */
#include "base.h"

static inline void fault(struct ring *r)
{
	unsigned char spare[WEFT_ELEM_MAX], *a, *b;

	/* Strikes late when there is no neighbour. */
	if (!is_due(r) || ring_len(r) < 2)
		return;
	a = ring_at(r, ring_len(r) - 2);
	b = ring_at(r, ring_len(r) - 1);
	memcpy(spare, a, r->elem_size);
	memcpy(a, b, r->elem_size);
	memcpy(b, spare, r->elem_size);
	has_struck(r);
}

BROKEN_RING("swapping", "for tests: swaps two neighbours in a thousand");
