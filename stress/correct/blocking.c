/* Sleeps in the kernel and looks again: it blocks its thread, and says so.
 * It takes no notice of deadlines and cannot stand in a select. */
#include <time.h>

#include "stress/correct/ring.h"

static void doze(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 3000000 }, NULL);
}

static int blocking_send(void *state, const void *elem, int64_t deadline_ns)
{
	int err;

	(void)deadline_ns;
	while ((err = ring_try_send(state, elem)) == -EAGAIN)
		doze();
	return err;
}

static int blocking_recv(void *state, void *elem, int64_t deadline_ns)
{
	int err;

	(void)deadline_ns;
	while ((err = ring_try_recv(state, elem)) == -EAGAIN)
		doze();
	return err;
}

WEFT_API extern const struct weft_chan_impl weft_chan_impl;
const struct weft_chan_impl weft_chan_impl = { WEFT_CHAN_ABI_HEADER,
	                                       .name = "blocking",
	                                       .summary = "sleeps and looks",
	                                       .can = WEFT_CAN_BOUNDED |
	                                              WEFT_CAN_FIFO |
	                                              WEFT_CAN_LEN |
	                                              WEFT_BLOCKS_THREAD,
	                                       RING_OPS,
	                                       .send = blocking_send,
	                                       .recv = blocking_recv };
