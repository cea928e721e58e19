/* swapping: delivers two neighbours in a thousand in the wrong order. */
#include "base.h"

static int push(struct ring *r, const void *elem)
{
	unsigned char *last = ring_at(r, r->len), *neighbour;

	/* Strikes late when there is no neighbour. */
	if (!strikes(r, r->len > 0))
		return ring_push(r, elem);
	neighbour = ring_at(r, r->len - 1);
	ring_copy(r, last, neighbour);
	ring_copy(r, neighbour, elem);
	r->len++;
	return 0;
}

BROKEN_RING("swapping", "for tests: swaps two neighbours in a thousand", push);
