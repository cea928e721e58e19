/* fd: waiting for a descriptor or for the close, whichever comes first. */
#ifndef BENCH_PEERS_FD_H
#define BENCH_PEERS_FD_H

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench/peers/support/until.h"

WEFT_BEGIN_DECLS

/* A descriptor that the close makes readable for good; or -errno. */
static inline int fd_of_close(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static inline void fd_tell_closed(int close_fd)
{
	eventfd_write(close_fd, 1);
}

/* Wait until fd has `events`, it is closed, or the deadline: then -ETIMEDOUT.
 */
static inline int fd_wait(int fd, short events, int close_fd,
                          int64_t deadline_ns)
{
	struct pollfd p[] = { { fd, events, 0 }, { close_fd, POLLIN, 0 } };
	int64_t left = until_left(deadline_ns);
	struct timespec timeout;

	timeout.tv_sec = left / WEFT_SEC;
	timeout.tv_nsec = left % WEFT_SEC;
	if (left == 0)
		return -ETIMEDOUT;
	return ppoll(p, 2, deadline_ns == WEFT_FOREVER ? NULL : &timeout,
	             NULL) == 0
	               ? -ETIMEDOUT
	               : 0;
}

/* Call `op`, which does not wait, with fd_wait() in between until it does not
 * say -EAGAIN or the deadline has passed; then -ETIMEDOUT, after one more look.
 */
#define FD_UNTIL(err, op, fd, events, close_fd, deadline_ns)                   \
	do {                                                                   \
		int fd_expired_ = 0;                                           \
		while (((err) = (op)) == -EAGAIN && !fd_expired_)              \
			fd_expired_ =                                          \
			        fd_wait(fd, events, close_fd, deadline_ns);    \
		if ((err) == -EAGAIN)                                          \
			(err) = -ETIMEDOUT;                                    \
	} while (0)

WEFT_END_DECLS

#endif
