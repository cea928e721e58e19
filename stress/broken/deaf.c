/*
 * deaf: a receiver that has to wait is never woken again, neither by an item
 * nor by close. Senders find space by looking.
 */
#include "base.h"

static int deaf_send(void *state, const void *elem, int64_t deadline_ns)
{
	int err;

	while ((err = ring_try_send(state, elem)) == -EAGAIN) {
		if (weft_now() >= deadline_ns)
			return -ETIMEDOUT;
		weft_yield();
	}
	return err;
}

static int deaf_recv(void *state, void *elem, int64_t deadline_ns)
{
	int err = ring_try_recv(state, elem);

	if (err != -EAGAIN)
		return err;
	/* The fault: it does not look again. */
	while (weft_park(deadline_ns) != -ETIMEDOUT)
		;
	return -ETIMEDOUT;
}

PLUG_IN("deaf", "for tests: never wakes a receiver", RING_CAN, RING_OPS,
        .send = deaf_send, .recv = deaf_recv);
