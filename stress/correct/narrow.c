/* Takes few: one sender, three receivers, five elements of 4 to 24 bytes at a
 * time. Its batches move as much as they like, and do not say why not all. */
#include "stress/correct/ring.h"

static int narrow_send_many(void *state, const void *elems, size_t n,
                            size_t *done)
{
	const struct ring *r = state;
	const unsigned char *from = elems;
	size_t most = n < 3 ? n : 3;
	int err = 0;

	for (*done = 0; *done < most && !err; *done += !err)
		err = ring_try_send(state, from + *done * r->elem_size);
	return *done ? 0 : err;
}

static int narrow_recv_many(void *state, void *elems, size_t n, size_t *done)
{
	const struct ring *r = state;
	size_t most = n < 2 ? n : 2;
	unsigned char *to = elems;
	int err = 0;

	for (*done = 0; *done < most && !err; *done += !err)
		err = ring_try_recv(state, to + *done * r->elem_size);
	return *done ? 0 : err;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = { WEFT_CHAN_ABI_HEADER,
	                                       .name = "narrow",
	                                       .summary = "takes few",
	                                       .can = RING_CAN | WEFT_CAN_BATCH,
	                                       .max_senders = 1,
	                                       .max_receivers = 3,
	                                       .max_cap = 5,
	                                       .min_elem = 4,
	                                       .max_elem = 24,
	                                       RING_OPS,
	                                       .try_send_many =
	                                               narrow_send_many,
	                                       .try_recv_many =
	                                               narrow_recv_many };
