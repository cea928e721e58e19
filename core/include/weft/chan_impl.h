/*
 * chan_impl: what an implementation of a channel supplies.
 *
 * An implementation is one const struct. Most supply only calls that do not
 * wait; the front (weft/chan.h) adds waiting, deadlines and close around them.
 * One that cannot be driven that way, because the kernel or a mutex does its
 * waiting, supplies `send` and `recv` as well.
 *
 * A shared object exports it as
 *
 *	const struct weft_chan_impl weft_chan_impl = { WEFT_CHAN_ABI_HEADER,
 *		.name = "mine", ... };
 *
 * and is loaded by weft_chan_load() and by `--load=FILE.so` of the commands.
 * docs/adding-a-channel.md walks through one.
 */
#ifndef WEFT_CHAN_IMPL_H
#define WEFT_CHAN_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/export.h>

WEFT_BEGIN_DECLS

/* Changes when this header changes in a way that old objects cannot follow. */
#define WEFT_CHAN_ABI 1

/* The first two members. Before C++20 there are no designators, so there the
 * others follow by place as well. */
#if !defined(__cplusplus) || __cplusplus >= 202002L
#define WEFT_CHAN_ABI_HEADER                                                   \
	.abi = WEFT_CHAN_ABI, .size = sizeof(struct weft_chan_impl)
#else
#define WEFT_CHAN_ABI_HEADER WEFT_CHAN_ABI, sizeof(struct weft_chan_impl)
#endif

/* What an implementation can do. What it cannot is N/A, never replaced. */
enum weft_chan_can {
	WEFT_CAN_BOUNDED = 1 << 0,       /* capacities >= 1 */
	WEFT_CAN_UNBOUNDED = 1 << 1,     /* never full; reports SIZE_MAX */
	WEFT_CAN_RENDEZVOUS = 1 << 2,    /* capacity 0 */
	WEFT_CAN_FIFO = 1 << 3,          /* one order for all */
	WEFT_CAN_PRODUCER_FIFO = 1 << 4, /* each sender's order is kept */
	WEFT_CAN_SELECT = 1 << 5,        /* may stand in weft_select() */
	WEFT_CAN_TIMEOUT = 1 << 6,       /* honours deadlines */
	WEFT_CAN_BATCH = 1 << 7,         /* native *_many */
	WEFT_CAN_LEN = 1 << 8,           /* len is exact at rest */
	WEFT_NO_DATA = 1 << 9,           /* a floor: moves no elements */
	WEFT_BLOCKS_THREAD = 1 << 10,    /* waits block the OS thread */
	WEFT_CAN_START = 1 << 11,        /* begins at config->start */
};

/* The name of one of these bits, as `weft list channels` and refusals have it:
 * "fifo". NULL for anything but one bit of the enum, whose bits are
 * consecutive from 1 on. */
WEFT_API const char *weft_chan_can_name(uint64_t bit);

/* What the front asks an implementation to make. Valid during create only. */
struct weft_chan_config {
	size_t cap;
	size_t elem_size;
	enum weft_wait wait; /* for those with their own send and recv */

	/* Begin as if so many elements had gone through the channel already,
	 * so that a test sees its counters pass their end; up to
	 * WEFT_START_MAX. Always 0 without WEFT_CAN_START. */
	uint64_t start;
};

struct weft_chan_impl {
	uint32_t abi;  /* WEFT_CHAN_ABI */
	uint32_t size; /* sizeof(struct weft_chan_impl) */

	const char *name;    /* [a-z0-9_-], what --chan takes */
	const char *summary; /* one line for `weft list` */
	uint64_t can;        /* bits of enum weft_chan_can */

	unsigned max_senders;   /* at once; 0 = any number */
	unsigned max_receivers; /* at once; 0 = any number */
	size_t max_cap;         /* elements; 0 = any */
	size_t min_elem;        /* bytes */
	size_t max_elem;        /* bytes; 0 = WEFT_ELEM_MAX */

	/* Make and free the state. create returns 0, -ENOMEM or -EINVAL;
	 * destroy is called once, after the last call on the state. */
	int (*create)(void **state, const struct weft_chan_config *config);
	void (*destroy)(void *state);

	/*
	 * Move one element without waiting: 0, -EAGAIN, -EPIPE, and -ENOMEM
	 * from an unbounded try_send. Called by any number of tasks at once,
	 * within max_senders and max_receivers. A success must be published
	 * (release or stronger) when the call returns: the front then looks
	 * for waiters.
	 */
	int (*try_send)(void *state, const void *elem);
	int (*try_recv)(void *state, void *elem);

	/* 0 for the first call, -EPIPE for every later one. No send may
	 * succeed once a receive has returned -EPIPE. */
	int (*close)(void *state);

	/* Elements inside, any time; exact at rest with WEFT_CAN_LEN. */
	size_t (*len)(const void *state);

	/* Optional. The capacity in use when create rounded it. */
	size_t (*cap)(const void *state);

	/* Optional, both or neither: the same with waiting, for those that do
	 * their own. 0, -EPIPE, -ETIMEDOUT, -ENOMEM. */
	int (*send)(void *state, const void *elem, int64_t deadline_ns);
	int (*recv)(void *state, void *elem, int64_t deadline_ns);

	/* Optional, required by WEFT_CAN_BATCH: move up to n >= 1 elements of
	 * an array without waiting. *done receives how many. With *done 0 the
	 * error says why, as above; with fewer than n it may say why it was not
	 * all, or be 0. */
	int (*try_send_many)(void *state, const void *elems, size_t n,
	                     size_t *done);
	int (*try_recv_many)(void *state, void *elems, size_t n, size_t *done);

	/*
	 * Optional, required by WEFT_CAN_SELECT: whether a send or a receive
	 * (dir 's' or 'r') would succeed or find the channel closed right now,
	 * and in *pos a number that has grown whenever the answer became yes
	 * in between: two calls that both say no and show the same *pos mean
	 * that it was no all the time between them. For a receive the count of
	 * elements sent will do, for a send that of elements received, with
	 * the closing counted in. Called by any task that may call try_send or
	 * try_recv; must not wait for a task that waits.
	 *
	 * A channel of capacity 0 cannot stand in a select all the same: that
	 * takes a wait queue which selects can join.
	 */
	bool (*poll)(void *state, char dir, uint64_t *pos);

	/* Optional. Add the parks and wakes of its own send and recv. */
	void (*stats)(const void *state, struct weft_chan_stats *add_to);

	const void *reserved[4]; /* NULL; weft_chan_load() refuses others */
};

WEFT_END_DECLS

#endif
