/* Waits by yielding, and never parks: nobody can see that it waits. Promises
 * each sender's order only. */
#include "stress/correct/ring.h"

static int yielding_send(void *state, const void *elem, int64_t deadline_ns)
{
	int err;

	POLL_UNTIL(err, ring_try_send(state, elem), deadline_ns, weft_yield());
	return err;
}

static int yielding_recv(void *state, void *elem, int64_t deadline_ns)
{
	int err;

	POLL_UNTIL(err, ring_try_recv(state, elem), deadline_ns, weft_yield());
	return err;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = { WEFT_CHAN_ABI_HEADER,
	                                       .name = "yielding",
	                                       .summary = "yields and looks",
	                                       .can = WEFT_CAN_BOUNDED |
	                                              WEFT_CAN_PRODUCER_FIFO |
	                                              WEFT_CAN_TIMEOUT,
	                                       RING_OPS,
	                                       .send = yielding_send,
	                                       .recv = yielding_recv };
