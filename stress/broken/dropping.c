/* dropping: accepts every item and loses one in a thousand. */
#include "base.h"

static int push(struct ring *r, const void *elem)
{
	return strikes(r, true) ? 0 : ring_push(r, elem);
}

BROKEN_RING("dropping", "for tests: loses one item in a thousand", push);
