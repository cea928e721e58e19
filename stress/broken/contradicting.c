/* contradicting: declares batches and has no operations for them. */
#include "base.h"

static inline void fault(struct ring *r)
{
	(void)r;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "contradicting",
	.summary = "for tests: declares what it does not have",
	.can = RING_CAN | WEFT_CAN_BATCH,
	RING_OPS,
};
