/* Waits by napping and looking again, on the clock of weft: it is not told of
 * anything, and a peer that was served notices that only a while later. */
#include "stress/correct/ring.h"

#define NAP (100 * WEFT_US)

static void nap(int64_t deadline_ns)
{
	int64_t wake_ns = weft_deadline_in(NAP);

	weft_sleep_until(wake_ns < deadline_ns ? wake_ns : deadline_ns);
}

static int napping_send(void *state, const void *elem, int64_t deadline_ns)
{
	int err;

	POLL_UNTIL(err, ring_try_send(state, elem), deadline_ns,
	           nap(deadline_ns));
	return err;
}

static int napping_recv(void *state, void *elem, int64_t deadline_ns)
{
	int err;

	POLL_UNTIL(err, ring_try_recv(state, elem), deadline_ns,
	           nap(deadline_ns));
	return err;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER, .name = "napping", .summary = "naps and looks",
	.can = RING_CAN,      RING_OPS,          .send = napping_send,
	.recv = napping_recv
};
