/*
 * Boost.Lockfree's queue: any number of senders and receivers, lock-free (a
 * Michael-Scott list), bounded here by its free list of nodes. It has no
 * waiting of its own and no close.
 */
#include <boost/lockfree/queue.hpp>
#include <boost/version.hpp>

#include <cerrno>
#include <cstdio>
#include <new>

#include "bench/peers/support/carry.h"
#include "bench/peers/support/gate.h"
#include "bench/peers/support/peer.h"
#include "bench/peers/support/until.h"

namespace
{

/* As its documentation recommends where several threads send: nodes of a fixed
 * number, which the bounded push takes from. */
struct queue {
	queue(size_t cap, size_t size) : q(cap), elem_size(size)
	{
		gate_init(&gate);
	}

	boost::lockfree::queue<void *> q;
	size_t elem_size;
	struct gate gate;
};

int create(void **state, const struct weft_chan_config *config)
{
	if (config->cap > PTRDIFF_MAX / sizeof(void *) / 8)
		return -ENOMEM; /* where it adds and multiplies unseen */
	try {
		*state = new queue(config->cap, config->elem_size);
		return 0;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}

void destroy(void *state)
{
	queue *q = static_cast<queue *>(state);
	void *p = nullptr;

	while (q->q.pop(p))
		carry_drop(p, q->elem_size);
	delete q;
}

int try_send(void *state, const void *elem)
{
	queue *q = static_cast<queue *>(state);
	const size_t size = q->elem_size;
	void *p = carry_pack(elem, size);
	struct gate_seat *seat;
	int err;

	if (!p)
		return -ENOMEM;
	seat = gate_enter(&q->gate, GATE_SEND);
	if (!gate_is_open(&q->gate))
		err = -EPIPE;
	else
		err = q->q.bounded_push(p) ? 0 : -EAGAIN;
	err = gate_leave_send(&q->gate, seat, err);
	if (err)
		carry_drop(p, size);
	return err;
}

int try_recv(void *state, void *elem)
{
	queue *q = static_cast<queue *>(state);
	bool shut = gate_is_shut(&q->gate); /* before the look */
	void *p = nullptr;

	if (!q->q.pop(p))
		return shut ? -EPIPE : -EAGAIN;
	carry_unpack(p, elem, q->elem_size);
	return 0;
}

int send(void *state, const void *elem, int64_t deadline_ns)
{
	int err;

	UNTIL_SPIN(err, try_send(state, elem), deadline_ns);
	return err;
}

int recv(void *state, void *elem, int64_t deadline_ns)
{
	int err;

	UNTIL_SPIN(err, try_recv(state, elem), deadline_ns);
	return err;
}

int close(void *state)
{
	return gate_close(&static_cast<queue *>(state)->gate, nullptr, nullptr);
}

/* It does not count. */
size_t len(const void *)
{
	return 0;
}

void version_of(char *to, size_t bytes)
{
	std::snprintf(to, bytes, "%d.%d.%d", BOOST_VERSION / 100000,
	              BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
}

struct weft_chan_impl declared()
{
	struct weft_chan_impl impl = peer_blank();

	impl.name = "boost_lockfree";
	impl.summary = "lockfree::queue: bounded by its nodes, lock-free list";
	impl.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	           WEFT_CAN_TIMEOUT;
	impl.create = create;
	impl.destroy = destroy;
	impl.try_send = try_send;
	impl.try_recv = try_recv;
	impl.close = close;
	impl.len = len;
	impl.send = send;
	impl.recv = recv;
	return impl;
}

} // namespace

const struct weft_chan_impl weft_chan_impl = declared();

const struct weft_peer weft_peer = {
	"Boost.Lockfree",
	version_of,
	ADDED_SPINS "; " ADDED_CLOSE "; " ADDED_BOXES "; " ADDED_NO_LEN,
};
