/* corrupting: flips a bit of one item in a thousand. */
#include "base.h"

static int push(struct ring *r, const void *elem)
{
	ring_push(r, elem);
	if (strikes(r, r->elem_size > 0))
		ring_at(r, r->len - 1)[r->elem_size / 2] ^= 0x10;
	return 0;
}

BROKEN_RING("corrupting", "for tests: flips a bit of one item in a thousand",
            push);
