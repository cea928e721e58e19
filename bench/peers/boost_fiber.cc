/*
 * Boost.Fiber's buffered_channel: bounded, a spinlock around a ring; waits are
 * those of fibers.
 *
 * Between threads it is what it is: the main fiber of a thread that waits
 * leaves it to the scheduler of its thread, which has no other fiber and sleeps
 * on a condition variable until another thread's scheduler sends it a fiber
 * that is ready. A ring of n places holds n - 1 elements, and n is a power of
 * two.
 */
#include <boost/fiber/buffered_channel.hpp>
#include <boost/version.hpp>

#include <cerrno>
#include <cstdio>
#include <new>

#include "bench/peers/support/boost_fiber.h"

namespace
{

size_t places_for(size_t cap)
{
	size_t n = 2;

	while (n - 1 < cap && n <= SIZE_MAX / 4)
		n *= 2;
	return n;
}

struct queue {
	queue(size_t places, size_t size)
	    : q(places), cap(places - 1), elem_size(size)
	{
		weft_store_relaxed(&closed, false);
	}

	boost::fibers::buffered_channel<void *> q;
	size_t cap, elem_size;
	WEFT_ATOMIC(bool) closed;
};

int create(void **state, const struct weft_chan_config *config)
{
	size_t places = places_for(config->cap);

	if (places > PTRDIFF_MAX / 64)
		return -ENOMEM;
	try {
		*state = new queue(places, config->elem_size);
		return 0;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}

void destroy(void *state)
{
	queue *q = static_cast<queue *>(state);
	void *p = nullptr;

	while (q->q.try_pop(p) == status::success)
		carry_drop(p, q->elem_size);
	delete q;
}

int try_send(void *state, const void *elem)
{
	queue *q = static_cast<queue *>(state);
	const size_t size = q->elem_size;
	void *p = carry_pack(elem, size);
	int err = p ? fiber_error(q->q.try_push(p)) : -ENOMEM;

	if (err)
		carry_drop(p, size);
	return err;
}

int try_recv(void *state, void *elem)
{
	queue *q = static_cast<queue *>(state);
	void *p = nullptr;
	int err = fiber_error(q->q.try_pop(p));

	if (!err)
		carry_unpack(p, elem, q->elem_size);
	return err;
}

size_t cap_of(const void *state)
{
	return static_cast<const queue *>(state)->cap;
}

struct weft_chan_impl declared()
{
	struct weft_chan_impl impl = peer_blank();

	impl.name = "boost_fiber";
	impl.summary = "fibers::buffered_channel: bounded, a spinlock, fibers";
	impl.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	           WEFT_CAN_TIMEOUT | WEFT_BLOCKS_THREAD;
	impl.create = create;
	impl.destroy = destroy;
	impl.try_send = try_send;
	impl.try_recv = try_recv;
	impl.close = fiber_close<queue>;
	impl.len = fiber_len;
	impl.cap = cap_of;
	impl.send = fiber_send<queue>;
	impl.recv = fiber_recv<queue>;
	return impl;
}

} // namespace

const struct weft_chan_impl weft_chan_impl = declared();

const struct weft_peer weft_peer = {
	"Boost.Fiber",
	fiber_version_of,
	ADDED_BOXES "; " ADDED_NO_LEN "; each thread is one fiber",
};
