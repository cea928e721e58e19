/*
 * POSIX message queues: bounded, in the kernel, two system calls per message.
 *
 * A descriptor that does not block, and poll() between the tries, so that the
 * close can end a wait. Without privileges the system grants some ten messages
 * per queue (/proc/sys/fs/mqueue/msg_max); what it does not grant is N/A.
 */
#include <mqueue.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <new>

#include "bench/peers/support/fd.h"
#include "bench/peers/support/gate.h"
#include "bench/peers/support/peer.h"

namespace
{

struct queue {
	mqd_t mq; /* on Linux a descriptor */
	int close_fd;
	size_t elem_size;
	struct gate gate;
};

/* A queue that no other process can find. 0 or -errno. */
int open_one(mqd_t *out, size_t cap, size_t elem_size)
{
	static WEFT_ATOMIC(uint64_t) next;
	struct mq_attr attr = {};
	char name[64];

	attr.mq_maxmsg = static_cast<long>(cap);
	attr.mq_msgsize = elem_size ? static_cast<long>(elem_size) : 1;
	std::snprintf(name, sizeof(name), "/weft-peer-%ld-%llu",
	              static_cast<long>(getpid()),
	              static_cast<unsigned long long>(
	                      weft_fetch_add_relaxed(&next, uint64_t(1))));
	*out = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC,
	               0600, &attr);
	if (*out == static_cast<mqd_t>(-1))
		return -errno;
	mq_unlink(name);
	return 0;
}

int create(void **state, const struct weft_chan_config *config)
{
	queue *q = new (std::nothrow) queue;

	if (!q)
		return -ENOMEM;
	q->elem_size = config->elem_size;
	gate_init(&q->gate);
	q->close_fd = fd_of_close();
	if (q->close_fd < 0) {
		delete q;
		return -ENOMEM; /* out of descriptors, or of kernel memory */
	}
	if (open_one(&q->mq, config->cap, config->elem_size)) {
		close(q->close_fd);
		delete q;
		return -ENOMEM; /* likewise, or of what a user may have */
	}
	*state = q;
	return 0;
}

void destroy(void *state)
{
	queue *q = static_cast<queue *>(state);

	mq_close(q->mq);
	close(q->close_fd);
	delete q;
}

int try_send(void *state, const void *elem)
{
	queue *q = static_cast<queue *>(state);
	struct gate_seat *seat = gate_enter(&q->gate, GATE_SEND);
	const char *from = static_cast<const char *>(elem);
	int err = 0;

	if (!gate_is_open(&q->gate))
		err = -EPIPE;
	else if (mq_send(q->mq, q->elem_size ? from : "", q->elem_size, 0))
		err = -errno;
	return gate_leave_send(&q->gate, seat, err);
}

int take(queue *q, void *elem)
{
	char nothing[1] = { 0 };
	ssize_t n = mq_receive(
	        q->mq, q->elem_size ? static_cast<char *>(elem) : nothing,
	        q->elem_size ? q->elem_size : 1, nullptr);

	return n < 0 ? -errno : 0;
}

int try_recv(void *state, void *elem)
{
	queue *q = static_cast<queue *>(state);
	bool shut = gate_is_shut(&q->gate); /* before the look */
	int err = take(q, elem);

	return err == -EAGAIN && shut ? -EPIPE : err;
}

int send(void *state, const void *elem, int64_t deadline_ns)
{
	queue *q = static_cast<queue *>(state);
	int err;

	FD_UNTIL(err, try_send(q, elem), q->mq, POLLOUT, q->close_fd,
	         deadline_ns);
	return err;
}

int recv(void *state, void *elem, int64_t deadline_ns)
{
	queue *q = static_cast<queue *>(state);
	int err;

	FD_UNTIL(err, try_recv(q, elem), q->mq, POLLIN, q->close_fd,
	         deadline_ns);
	return err;
}

int close_queue(void *state)
{
	queue *q = static_cast<queue *>(state);
	int err = gate_close(&q->gate, nullptr, nullptr);

	if (!err)
		fd_tell_closed(q->close_fd);
	return err;
}

size_t len(const void *state)
{
	struct mq_attr attr;

	if (mq_getattr(static_cast<const queue *>(state)->mq, &attr))
		return 0;
	return static_cast<size_t>(attr.mq_curmsgs);
}

void version_of(char *to, size_t bytes)
{
	struct utsname system;

	if (uname(&system) == 0)
		std::snprintf(to, bytes, "%.60s", system.release);
}

/* Messages per queue that this process may have: the most that there can be
 * with privileges, else what is said to be the limit. */
size_t granted()
{
	unsigned long limit = 10;
	mqd_t mq;

	if (open_one(&mq, 65536, 8) == 0) {
		mq_close(mq);
		return 65536;
	}
	if (FILE *f = std::fopen("/proc/sys/fs/mqueue/msg_max", "re")) {
		char line[32];

		if (std::fgets(line, sizeof(line), f) &&
		    std::strtoul(line, nullptr, 10))
			limit = std::strtoul(line, nullptr, 10);
		std::fclose(f);
	}
	return limit;
}

struct weft_chan_impl declared()
{
	struct weft_chan_impl impl = peer_blank();

	impl.name = "mqueue";
	impl.summary = "POSIX message queue: bounded, in the kernel";
	impl.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	           WEFT_CAN_TIMEOUT | WEFT_CAN_LEN | WEFT_BLOCKS_THREAD;
	impl.max_cap = granted();
	impl.create = create;
	impl.destroy = destroy;
	impl.try_send = try_send;
	impl.try_recv = try_recv;
	impl.close = close_queue;
	impl.len = len;
	impl.send = send;
	impl.recv = recv;
	return impl;
}

} // namespace

const struct weft_chan_impl weft_chan_impl = declared();

const struct weft_peer weft_peer = {
	"Linux",
	version_of,
	ADDED_CLOSE "; waits in poll, for the close, too",
};
