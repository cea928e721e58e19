/*
 * oneTBB's concurrent_bounded_queue: bounded, any number of senders and
 * receivers by tickets, its own monitor to wait on.
 *
 * Its abort() ends all waits with an exception, also of those whose element is
 * there, and a pop that is aborted takes its ticket back by counting down. That
 * is only right when no other pop begins or succeeds meanwhile. So the close
 * lets no receiver in until all that waited have left, and aborts receivers
 * only when all that are inside wait for elements that will never come, and
 * senders only when no receiver is inside. There is no timed push or pop.
 */
#include <tbb/concurrent_queue.h>
#include <tbb/version.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <new>

#include "bench/peers/support/carry.h"
#include "bench/peers/support/gate.h"
#include "bench/peers/support/peer.h"
#include "bench/peers/support/until.h"

namespace
{

struct queue {
	tbb::concurrent_bounded_queue<void *> q;
	size_t elem_size;
	struct gate gate;
};

int create(void **state, const struct weft_chan_config *config)
{
	/* It takes memory as it needs it: no more than there can ever be. */
	if (config->cap > PTRDIFF_MAX / sizeof(void *) / 8)
		return -ENOMEM;
	try {
		queue *q = new queue;

		q->q.set_capacity(static_cast<ptrdiff_t>(config->cap));
		q->elem_size = config->elem_size;
		gate_init(&q->gate);
		*state = q;
		return 0;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}

void destroy(void *state)
{
	queue *q = static_cast<queue *>(state);
	void *p = nullptr;

	while (q->q.try_pop(p))
		carry_drop(p, q->elem_size);
	delete q;
}

/* One push: 0, -EAGAIN when it is full or was aborted, -ENOMEM. */
int push(queue *q, void *p, bool wait)
{
	try {
		if (!wait)
			return q->q.try_push(p) ? 0 : -EAGAIN;
		q->q.push(p);
		return 0;
	} catch (const tbb::user_abort &) {
		return -EAGAIN;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}

int send_one(void *state, const void *elem, bool wait)
{
	queue *q = static_cast<queue *>(state);
	const size_t size = q->elem_size;
	void *p = carry_pack(elem, size);
	int err;

	if (!p)
		return -ENOMEM;
	do {
		struct gate_seat *seat = gate_enter(&q->gate, GATE_SEND);

		err = gate_is_open(&q->gate) ? push(q, p, wait) : -EPIPE;
		gate_leave(seat, GATE_SEND);
	} while (wait && err == -EAGAIN);
	if (err)
		carry_drop(p, size);
	return err;
}

int try_send(void *state, const void *elem)
{
	return send_one(state, elem, false);
}

int send(void *state, const void *elem, int64_t)
{
	return send_one(state, elem, true);
}

/* Once a close has begun: what is inside when nobody adds or aborts any more.
 */
int take_the_rest(queue *q, void *elem)
{
	void *p = nullptr;

	while (!gate_is_shut(&q->gate))
		weft_yield();
	if (!q->q.try_pop(p))
		return -EPIPE;
	carry_unpack(p, elem, q->elem_size);
	return 0;
}

int try_recv(void *state, void *elem)
{
	queue *q = static_cast<queue *>(state);
	struct gate_seat *seat = gate_enter(&q->gate, GATE_RECV);
	bool open = gate_is_open(&q->gate);
	void *p = nullptr;
	bool got = open && q->q.try_pop(p);

	gate_leave(seat, GATE_RECV);
	if (got)
		carry_unpack(p, elem, q->elem_size);
	else if (!open)
		return take_the_rest(q, elem);
	return got ? 0 : -EAGAIN;
}

/* One pop: false when it was aborted. */
bool pop(queue *q, void *&p)
{
	try {
		q->q.pop(p);
		return true;
	} catch (const tbb::user_abort &) {
		return false;
	}
}

int recv(void *state, void *elem, int64_t)
{
	queue *q = static_cast<queue *>(state);
	struct gate_seat *seat = gate_enter(&q->gate, GATE_RECV);
	void *p = nullptr;
	bool got = gate_is_open(&q->gate) && pop(q, p);

	gate_leave(seat, GATE_RECV);
	if (got) {
		carry_unpack(p, elem, q->elem_size);
		return 0;
	}
	return take_the_rest(q, elem);
}

void wake_sender(void *arg, struct gate_seat *)
{
	queue *q = static_cast<queue *>(arg);

	/* A sender that waits does so because nobody takes anything. */
	if (gate_inside(&q->gate, GATE_RECV) == 0)
		q->q.abort();
}

/* Once no sender is left. */
void wake_receiver(void *arg, struct gate_seat *)
{
	queue *q = static_cast<queue *>(arg);
	size_t inside = gate_inside(&q->gate, GATE_RECV);

	/* Less than nothing is inside by as many as wait. */
	if (-q->q.size() >= static_cast<ptrdiff_t>(inside))
		q->q.abort();
}

int close(void *state)
{
	queue *q = static_cast<queue *>(state);
	int err = gate_begin_close(&q->gate, wake_sender, q);

	if (err)
		return err;
	gate_clear(&q->gate, GATE_RECV, wake_receiver, q);
	gate_shut(&q->gate, nullptr, nullptr);
	return 0;
}

size_t len(const void *state)
{
	const queue *q = static_cast<const queue *>(state);
	ptrdiff_t n = q->q.size(), cap = q->q.capacity();

	/* The waiting tasks of either side are counted as if they were
	 * through. */
	return static_cast<size_t>(n < 0 ? 0 : n < cap ? n : cap);
}

void version_of(char *to, size_t bytes)
{
	std::snprintf(to, bytes, "%s", TBB_runtime_version());
}

struct weft_chan_impl declared()
{
	struct weft_chan_impl impl = peer_blank();

	impl.name = "tbb";
	impl.summary = "concurrent_bounded_queue: bounded, tickets, a monitor";
	impl.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	           WEFT_CAN_LEN | WEFT_BLOCKS_THREAD;
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
	"oneTBB",
	version_of,
	ADDED_CLOSE ", which aborts waits; " ADDED_BOXES,
};
