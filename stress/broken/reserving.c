/* reserving: fills in what this weft keeps for its own channels. */
#include "base.h"

static inline void fault(struct ring *r)
{
	(void)r;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "reserving",
	.summary = "for tests: says something in a reserved member",
	.can = RING_CAN,
	RING_OPS,
	.reserved = { [3] = &weft_chan_impl },
};
