/* Concurrency Kit's ck_ring for one sender and one receiver. */
#include <ck_ring.h>

#define RING_ENQUEUE ck_ring_enqueue_spsc
#define RING_DEQUEUE ck_ring_dequeue_spsc
/* The close raises both counts as well. */
#define EC_SINGLE_PRODUCER false

#include "bench/peers/support/ck.h"

const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "ck_spsc",
	.summary = "ck_ring (spsc) with ck_ec: bounded, one to one, futex",
	.can = CK_CAN,
	.max_senders = 1,
	.max_receivers = 1,
	CK_OPS,
};

const struct weft_peer weft_peer = {
	.library = "Concurrency Kit",
	.version = ck_version_of,
	.adapter = CK_ADAPTER,
};
