/* boost_fiber: what the two channels of Boost.Fiber have in common. A `queue`
 * has the channel in q, in elem_size what an element takes, and in closed
 * whether it is. */
#ifndef BENCH_PEERS_BOOST_FIBER_H
#define BENCH_PEERS_BOOST_FIBER_H

#include <boost/fiber/channel_op_status.hpp>
#include <boost/version.hpp>

#include <cerrno>
#include <chrono>

#include <weft/atomic.h>

#include "bench/peers/support/carry.h"
#include "bench/peers/support/peer.h"
#include "bench/peers/support/until.h"

namespace
{

using status = boost::fibers::channel_op_status;

int fiber_error(status s)
{
	switch (s) {
	case status::success:
		return 0;
	case status::closed:
		return -EPIPE;
	case status::timeout:
		return -ETIMEDOUT;
	case status::empty:
	case status::full:
		break;
	}
	return -EAGAIN;
}

/* Its clock is the one of our deadlines. */
std::chrono::steady_clock::time_point fiber_time(int64_t deadline_ns)
{
	return std::chrono::steady_clock::time_point(
	        std::chrono::nanoseconds(deadline_ns > 0 ? deadline_ns : 0));
}

template <typename queue>
int fiber_send(void *state, const void *elem, int64_t deadline_ns)
{
	queue *q = static_cast<queue *>(state);
	const size_t size = q->elem_size;
	void *p = carry_pack(elem, size);
	int err;

	if (!p)
		err = -ENOMEM;
	else if (deadline_ns == WEFT_FOREVER)
		err = fiber_error(q->q.push(p));
	else
		err = fiber_error(
		        q->q.push_wait_until(p, fiber_time(deadline_ns)));
	if (err)
		carry_drop(p, size);
	return err;
}

template <typename queue>
int fiber_recv(void *state, void *elem, int64_t deadline_ns)
{
	queue *q = static_cast<queue *>(state);
	void *p = nullptr;
	int err;

	if (deadline_ns == WEFT_FOREVER)
		err = fiber_error(q->q.pop(p));
	else
		err = fiber_error(
		        q->q.pop_wait_until(p, fiber_time(deadline_ns)));
	if (!err)
		carry_unpack(p, elem, q->elem_size);
	return err;
}

/* 0 for the first only: between two at once this decides nothing that matters,
 * as either has closed it. */
template <typename queue> int fiber_close(void *state)
{
	queue *q = static_cast<queue *>(state);

	if (weft_xchg_acq_rel(&q->closed, true))
		return -EPIPE;
	q->q.close();
	return 0;
}

/* It does not count. */
size_t fiber_len(const void *)
{
	return 0;
}

void fiber_version_of(char *to, size_t bytes)
{
	std::snprintf(to, bytes, "%d.%d.%d", BOOST_VERSION / 100000,
	              BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
}

} // namespace

#endif
