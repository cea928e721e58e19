/*
 * timed: a sound channel whose speed is known, for tests of what measures.
 *
 *	WEFT_TIMED_DELAY=NS  message k comes out k * NS after the first, or
 *	                     later: what was lost to the machine is caught up
 *	WEFT_TIMED_STALL=1   it stands still for 50 ms when 100 messages have
 *	                     come out, and every second from then on
 */
#include "base.h"

#define STALL_EVERY WEFT_SEC
#define STALL (50 * WEFT_MS)
#define STALL_AFTER 100

struct timed {
	struct ring ring;
	int64_t delay; /* constant, as the next one is */
	bool stalls;

	/* Guarded by ring.locked. */
	int64_t first; /* when the first message came out; 0: none has */
	int64_t stall; /* when it stands still next */
	int64_t out;   /* messages */
};

static int64_t number(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoll(text, NULL, 10) : 0;
}

static int timed_create(void **state, const struct weft_chan_config *config)
{
	struct timed *t = ring_new(sizeof(*t), config);

	if (!t)
		return -ENOMEM;
	t->delay = number("WEFT_TIMED_DELAY");
	t->stalls = number("WEFT_TIMED_STALL");
	*state = t;
	return 0;
}

/* When the message that has just come out may leave. */
static int64_t due(struct timed *t)
{
	int64_t now = weft_now(), at;

	if (!t->first)
		t->first = now;
	at = t->first + ++t->out * t->delay;
	if (t->stalls && t->out >= STALL_AFTER && now >= t->stall) {
		t->stall = now + STALL_EVERY;
		at = at > now + STALL ? at : now + STALL;
	}
	return at;
}

static int timed_try_recv(void *state, void *elem)
{
	struct timed *t = state;
	struct ring *r = &t->ring;
	int64_t at = 0;
	int err = 0;

	ring_lock(r);
	if (r->len > 0) {
		ring_pop(r, elem);
		r->changes++;
		at = due(t);
	} else {
		err = r->closed ? -EPIPE : -EAGAIN;
	}
	ring_unlock(r);
	if (!err && at > weft_now())
		weft_sleep_until(at);
	return err;
}

PLUG_IN("timed", "for tests: a channel whose speed is known", RING_CAN,
        RING_OPS_BUT(timed_create, ring_try_send, timed_try_recv));
