/*
 * socketpair: what unix(7) offers as a channel: SOCK_SEQPACKET, which keeps
 * messages whole and in order. The buffer is counted in bytes of the kernel's
 * own records, so the capacity comes out as it does, and is reported. It is
 * exact for one sender: several at once may each find the last room and take
 * it, one element beyond the capacity for each of them but one.
 */
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chan/chan_fd.h"

/* What the kernel charges for a message beyond its bytes: at least this much,
 * and twice what is asked for is granted. */
#define RECORD_BYTES 640u

static int set_send_buffer(int fd, size_t bytes)
{
	int n = bytes < INT_MAX / 4 ? (int)bytes : INT_MAX / 4;

	/* The first needs privileges, the second stops at wmem_max. Whether
	 * it was enough is seen when the capacity is counted. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &n, sizeof(n)) == 0)
		return 0;
	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
}

static int socket_open(int fds[2], const struct weft_chan_config *config)
{
	size_t each = RECORD_BYTES + config->elem_size, bytes;
	int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

	if (__builtin_mul_overflow(config->cap, each, &bytes))
		return -EINVAL;
	if (socketpair(AF_UNIX, type, 0, fds) != 0)
		return -ENOMEM;
	if (set_send_buffer(fds[1], bytes) != 0) {
		close(fds[0]);
		close(fds[1]);
		return -EINVAL;
	}
	return 0;
}

static int socket_create(void **state, const struct weft_chan_config *config)
{
	return weft_fd_create(state, config, socket_open);
}

const struct weft_chan_impl weft_chan_impl_socketpair = {
	WEFT_CHAN_ABI_HEADER,
	.name = "socketpair",
	.summary = "unix(7) SOCK_SEQPACKET, polled; capacity as it comes out",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_TIMEOUT | WEFT_BLOCKS_THREAD,
	.max_cap = 4096,
	.min_elem = 1,
	.create = socket_create,
	.destroy = weft_fd_destroy,
	.try_send = weft_fd_try_send,
	.try_recv = weft_fd_try_recv,
	.close = weft_fd_close,
	.len = weft_fd_len,
	.cap = weft_fd_cap,
	.send = weft_fd_send,
	.recv = weft_fd_recv,
	.stats = weft_fd_stats,
};
