/*
 * unfair: a channel that gives three of four messages to one of its two
 * receivers. Both look now and then: a wake-up could be meant for the other.
 */
#include "base.h"

#define NAP (20 * WEFT_US)

struct unfair {
	struct ring ring;

	/* Guarded by ring.locked. */
	uint64_t out;                  /* messages */
	struct weft_task *receiver[2]; /* in the order of their first look */
};

static int unfair_create(void **state, const struct weft_chan_config *config)
{
	struct unfair *u = ring_new(sizeof(*u), config);

	if (!u)
		return -ENOMEM;
	*state = u;
	return 0;
}

/* Whether the next message is for the caller. */
static bool is_mine(struct unfair *u)
{
	struct weft_task *me = weft_self();

	for (int i = 0; i < 2; i++) {
		if (!u->receiver[i])
			u->receiver[i] = me;
		if (u->receiver[i] == me)
			return (u->out % 4 == 3) == (i == 1);
	}
	return false;
}

static int unfair_try_recv(void *state, void *elem)
{
	struct unfair *u = state;
	struct ring *r = &u->ring;
	int err = -EAGAIN;

	ring_lock(r);
	if (r->len == 0) {
		err = r->closed ? -EPIPE : -EAGAIN;
	} else if (is_mine(u)) {
		ring_pop(r, elem);
		r->changes++;
		u->out++;
		err = 0;
	}
	ring_unlock(r);
	return err;
}

static int unfair_recv(void *state, void *elem, int64_t deadline_ns)
{
	int err;

	while ((err = unfair_try_recv(state, elem)) == -EAGAIN) {
		if (weft_now() >= deadline_ns)
			return -ETIMEDOUT;
		weft_sleep_until(weft_deadline_in(NAP));
	}
	return err;
}

static int unfair_send(void *state, const void *elem, int64_t deadline_ns)
{
	int err;

	while ((err = ring_try_send(state, elem)) == -EAGAIN) {
		if (weft_now() >= deadline_ns)
			return -ETIMEDOUT;
		weft_sleep_until(weft_deadline_in(NAP));
	}
	return err;
}

PLUG_IN("unfair", "for tests: one of two receivers gets three of four messages",
        RING_CAN & ~WEFT_CAN_SELECT,
        RING_OPS_BUT(unfair_create, ring_try_send, unfair_try_recv),
        .send = unfair_send, .recv = unfair_recv);
