/* Concurrency Kit's ck_ring for any number of senders and receivers. */
#include <ck_ring.h>

#define RING_ENQUEUE ck_ring_enqueue_mpmc
#define RING_DEQUEUE ck_ring_dequeue_mpmc
#define EC_SINGLE_PRODUCER false

#include "bench/peers/support/ck.h"

const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "ck_ring",
	.summary = "ck_ring (mpmc) with ck_ec: bounded, lock-free, futex",
	.can = CK_CAN,
	CK_OPS,
};

const struct weft_peer weft_peer = {
	.library = "Concurrency Kit",
	.version = ck_version_of,
	.adapter = CK_ADAPTER,
};
