/* duplicating: delivers one item in a thousand twice. */
#include "base.h"

static int push(struct ring *r, const void *elem)
{
	ring_push(r, elem);
	/* Strikes late when there is no space for the second one. */
	return strikes(r, !ring_is_full(r)) ? ring_push(r, elem) : 0;
}

BROKEN_RING("duplicating", "for tests: delivers one item in a thousand twice",
            push);
