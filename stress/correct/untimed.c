/* Takes no notice of deadlines, but can stand in a select, which keeps them for
 * it. Its waits are naps. */
#include "stress/correct/ring.h"

#define NAP (100 * WEFT_US)

static void nap(void)
{
	weft_sleep_until(weft_deadline_in(NAP));
}

static int untimed_send(void *state, const void *elem, int64_t deadline_ns)
{
	int err;

	(void)deadline_ns;
	while ((err = ring_try_send(state, elem)) == -EAGAIN)
		nap();
	return err;
}

static int untimed_recv(void *state, void *elem, int64_t deadline_ns)
{
	int err;

	(void)deadline_ns;
	while ((err = ring_try_recv(state, elem)) == -EAGAIN)
		nap();
	return err;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "untimed",
	.summary = "waits as long as it takes",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_SELECT |
	       WEFT_CAN_LEN,
	RING_OPS,
	.send = untimed_send,
	.recv = untimed_recv
};
