/*
 * pipe: what pipe(2) offers as a channel. A write of up to PIPE_BUF bytes is
 * whole or not at all, and a read takes what one write gave, because all are
 * of one size and a page never holds a part of one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "chan/chan_fd.h"

static int pipe_open(int fds[2], const struct weft_chan_config *config)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t per_page = page / config->elem_size;
	size_t pages = config->cap / per_page + (config->cap % per_page != 0);

	if (pages > INT_MAX / page)
		return -EINVAL;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return -ENOMEM;
	/* Refused when unprivileged and over /proc/sys/fs/pipe-max-size. */
	if (fcntl(fds[1], F_SETPIPE_SZ, (int)(pages * page)) < 0) {
		close(fds[0]);
		close(fds[1]);
		return -EINVAL;
	}
	return 0;
}

static int pipe_create(void **state, const struct weft_chan_config *config)
{
	return weft_fd_create(state, config, pipe_open);
}

const struct weft_chan_impl weft_chan_impl_pipe = {
	WEFT_CHAN_ABI_HEADER,
	.name = "pipe",
	.summary = "pipe(2), polled; capacity rounded up to whole pages",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_TIMEOUT | WEFT_BLOCKS_THREAD,
	.max_cap = 65536,
	.min_elem = 1,
	.max_elem = PIPE_BUF,
	.create = pipe_create,
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
