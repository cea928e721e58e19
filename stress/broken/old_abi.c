/* old_abi: built for another version of weft/chan_impl.h. */
#include "base.h"

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	.abi = WEFT_CHAN_ABI - 1,
	.size = sizeof(struct weft_chan_impl),
	.name = "old_abi",
	.summary = "for tests: of another ABI version",
	.can = RING_CAN,
	RING_OPS,
};
