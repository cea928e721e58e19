/*
 * moodycamel's BlockingConcurrentQueue: unbounded, a queue for each sender,
 * a counting semaphore for the receivers that wait. Senders' orders are kept,
 * one order for all is not promised.
 *
 * It has no close: here the gate lets nobody in any more, and marks in the
 * queue wake the waiting receivers, which ignore them.
 */
#if __has_include(<concurrentqueue/moodycamel/blockingconcurrentqueue.h>)
#include <concurrentqueue/moodycamel/blockingconcurrentqueue.h>
#else
#include <concurrentqueue/blockingconcurrentqueue.h>
#endif

#include <cerrno>
#include <cstdio>
#include <new>

#include "bench/peers/support/carry.h"
#include "bench/peers/support/gate.h"
#include "bench/peers/support/peer.h"
#include "bench/peers/support/until.h"

namespace
{

struct queue {
	moodycamel::BlockingConcurrentQueue<void *> q;
	size_t elem_size;
	struct gate gate;
	/* Put in minus taken out; not 0 only once it is closed. */
	WEFT_ATOMIC(size_t) marks;
};

int create(void **state, const struct weft_chan_config *config)
{
	try {
		queue *q = new queue;

		q->elem_size = config->elem_size;
		gate_init(&q->gate);
		weft_store_relaxed(&q->marks, size_t(0));
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

	while (q->q.try_dequeue(p))
		if (p != CARRY_MARK)
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
		err = q->q.enqueue(p) ? 0 : -ENOMEM;
	err = gate_leave_send(&q->gate, seat, err);
	if (err)
		carry_drop(p, size);
	return err;
}

int send(void *state, const void *elem, int64_t)
{
	return try_send(state, elem); /* it is never full */
}

/* Whether it is an element, which then goes to elem. */
bool is_element(queue *q, void *p, void *elem)
{
	if (p == CARRY_MARK) {
		weft_fetch_sub_relaxed(&q->marks, size_t(1));
		return false;
	}
	carry_unpack(p, elem, q->elem_size);
	return true;
}

int try_recv(void *state, void *elem)
{
	queue *q = static_cast<queue *>(state);
	bool shut = gate_is_shut(&q->gate); /* before the look */
	void *p = nullptr;

	while (q->q.try_dequeue(p))
		if (is_element(q, p, elem))
			return 0;
	return shut ? -EPIPE : -EAGAIN;
}

/* As many as go into one call of the library's. */
constexpr size_t BULK = 64;

int send_bulk(queue *q, const unsigned char *elems, size_t n)
{
	const size_t size = q->elem_size;
	void *p[BULK];
	struct gate_seat *seat;
	size_t packed = 0;
	int err = 0;

	while (packed < n && !err) {
		p[packed] = carry_pack(elems + packed * size, size);
		if (p[packed])
			packed++;
		else
			err = -ENOMEM;
	}
	seat = gate_enter(&q->gate, GATE_SEND);
	if (!gate_is_open(&q->gate))
		err = -EPIPE;
	else if (!err && !q->q.enqueue_bulk(p, n))
		err = -ENOMEM;
	err = gate_leave_send(&q->gate, seat, err);
	for (size_t i = 0; err && i < packed; i++)
		carry_drop(p[i], size);
	return err;
}

int try_send_many(void *state, const void *elems, size_t n, size_t *done)
{
	queue *q = static_cast<queue *>(state);
	const unsigned char *from = static_cast<const unsigned char *>(elems);
	int err = 0;

	*done = 0;
	while (*done < n && !err) {
		size_t some = n - *done < BULK ? n - *done : BULK;

		err = send_bulk(q, from + *done * q->elem_size, some);
		if (!err)
			*done += some;
	}
	return *done ? 0 : err;
}

int try_recv_many(void *state, void *elems, size_t n, size_t *done)
{
	queue *q = static_cast<queue *>(state);
	bool shut = gate_is_shut(&q->gate); /* before the look */
	unsigned char *to = static_cast<unsigned char *>(elems);
	size_t got = 1;
	void *p[BULK];

	*done = 0;
	while (*done < n && got) {
		size_t some = n - *done < BULK ? n - *done : BULK;

		got = q->q.try_dequeue_bulk(p, some);
		for (size_t i = 0; i < got; i++)
			*done += is_element(q, p[i], to + *done * q->elem_size);
	}
	if (*done)
		return 0;
	return shut ? -EPIPE : -EAGAIN;
}

/* One wait: 0, or -EAGAIN when it was woken for nothing or its time is up. */
int wait_recv(queue *q, void *elem, int64_t deadline_ns)
{
	void *p = nullptr;

	if (deadline_ns == WEFT_FOREVER)
		q->q.wait_dequeue(p);
	else if (!q->q.wait_dequeue_timed(p,
	                                  until_left_in(deadline_ns, WEFT_US)))
		return -EAGAIN;
	return is_element(q, p, elem) ? 0 : -EAGAIN;
}

int recv(void *state, void *elem, int64_t deadline_ns)
{
	queue *q = static_cast<queue *>(state);
	bool shut, expired;
	int err = -EAGAIN;

	do {
		expired = deadline_ns != WEFT_FOREVER &&
		          until_left(deadline_ns) == 0;
		struct gate_seat *seat = gate_enter(&q->gate, GATE_RECV);

		shut = gate_is_shut(&q->gate);
		if (!shut)
			err = wait_recv(q, elem, deadline_ns);
		gate_leave(seat, GATE_RECV);
	} while (!shut && err == -EAGAIN && !expired);
	if (shut)
		return try_recv(q, elem);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

void wake(void *arg, struct gate_seat *)
{
	queue *q = static_cast<queue *>(arg);

	weft_fetch_add_relaxed(&q->marks, size_t(1));
	if (!q->q.enqueue(CARRY_MARK)) /* then the next time */
		weft_fetch_sub_relaxed(&q->marks, size_t(1));
}

/* Only receivers wait inside. */
int close(void *state)
{
	queue *q = static_cast<queue *>(state);

	return gate_close(&q->gate, wake, q);
}

size_t len(const void *state)
{
	const queue *q = static_cast<const queue *>(state);
	size_t n = q->q.size_approx(), marks = weft_load_relaxed(&q->marks);

	return n > marks ? n - marks : 0;
}

struct weft_chan_impl declared()
{
	struct weft_chan_impl impl = peer_blank();

	impl.name = "moodycamel";
	impl.summary = "BlockingConcurrentQueue: unbounded, a queue per sender";
	impl.can = WEFT_CAN_UNBOUNDED | WEFT_CAN_PRODUCER_FIFO |
	           WEFT_CAN_TIMEOUT | WEFT_CAN_BATCH | WEFT_CAN_LEN |
	           WEFT_BLOCKS_THREAD;
	impl.create = create;
	impl.destroy = destroy;
	impl.try_send = try_send;
	impl.try_recv = try_recv;
	impl.try_send_many = try_send_many;
	impl.try_recv_many = try_recv_many;
	impl.close = close;
	impl.len = len;
	impl.send = send;
	impl.recv = recv;
	return impl;
}

} // namespace

const struct weft_chan_impl weft_chan_impl = declared();

const struct weft_peer weft_peer = {
	"moodycamel::ConcurrentQueue",
	nullptr, /* its headers do not say */
	ADDED_CLOSE ", with marks that wake the waiters; " ADDED_BOXES,
};
