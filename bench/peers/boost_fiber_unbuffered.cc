/*
 * Boost.Fiber's unbuffered_channel: a rendezvous between fibers; see
 * boost_fiber.cc for what it does between threads.
 *
 * It has no push and no pop that does not wait, so no try succeeds. Its timed
 * push may fail and its element be received all the same (docs/peers.md): no
 * deadlines are declared.
 */
#include <boost/fiber/unbuffered_channel.hpp>
#include <boost/version.hpp>

#include <cerrno>
#include <cstdio>
#include <new>

#include "bench/peers/support/boost_fiber.h"

namespace
{

struct queue {
	explicit queue(size_t size) : elem_size(size)
	{
		weft_store_relaxed(&closed, false);
	}

	boost::fibers::unbuffered_channel<void *> q;
	size_t elem_size;
	WEFT_ATOMIC(bool) closed;
};

int create(void **state, const struct weft_chan_config *config)
{
	try {
		*state = new queue(config->elem_size);
		return 0;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}

void destroy(void *state)
{
	delete static_cast<queue *>(state);
}

int try_send(void *state, const void *)
{
	queue *q = static_cast<queue *>(state);

	return weft_load_acquire(&q->closed) ? -EPIPE : -EAGAIN;
}

int try_recv(void *state, void *)
{
	return try_send(state, nullptr);
}

int send(void *state, const void *elem, int64_t)
{
	return fiber_send<queue>(state, elem, WEFT_FOREVER);
}

int recv(void *state, void *elem, int64_t)
{
	return fiber_recv<queue>(state, elem, WEFT_FOREVER);
}

struct weft_chan_impl declared()
{
	struct weft_chan_impl impl = peer_blank();

	impl.name = "boost_fiber_unbuffered";
	impl.summary = "fibers::unbuffered_channel: rendezvous, fibers";
	impl.can = WEFT_CAN_RENDEZVOUS | WEFT_CAN_FIFO |
	           WEFT_CAN_PRODUCER_FIFO | WEFT_BLOCKS_THREAD;
	impl.create = create;
	impl.destroy = destroy;
	impl.try_send = try_send;
	impl.try_recv = try_recv;
	impl.close = fiber_close<queue>;
	impl.len = fiber_len;
	impl.send = send;
	impl.recv = recv;
	return impl;
}

} // namespace

const struct weft_chan_impl weft_chan_impl = declared();

const struct weft_peer weft_peer = {
	"Boost.Fiber",
	fiber_version_of,
	ADDED_BOXES
	"; each thread is one fiber; no try succeeds, as the library has "
	"none",
};
