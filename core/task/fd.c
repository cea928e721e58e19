/* Waiting for a file descriptor: in the kernel, with the thread. */
#include <errno.h>
#include <poll.h>

#include <weft/task.h>

#include "base/clock.h"
#include "task/internal.h"

static bool on_manual_clock(void)
{
	struct weft_task *t = weft_self_or_null();

	return t && t->run && t->run->manual;
}

/* One poll. Returns what poll() does, with its errno as a negative. */
static int poll_once(struct pollfd *p, int64_t deadline_ns)
{
	struct timespec left = { 0 }, *timeout = NULL;
	int saved = errno, n;

	if (deadline_ns != WEFT_FOREVER) {
		int64_t now = clock_mono();

		if (deadline_ns > now)
			left = clock_timespec(deadline_ns - now);
		timeout = &left;
	}
	n = ppoll(p, 1, timeout, NULL);
	if (n < 0)
		n = -errno;
	errno = saved;
	return n;
}

/* A signal cuts a poll short, and a timeout may be rounded: it is over when the
 * deadline is. */
static int poll_until(struct pollfd *p, int64_t deadline_ns)
{
	int n;

	do
		n = poll_once(p, deadline_ns);
	while (n == -EINTR || (n == 0 && deadline_ns > WEFT_NOW &&
	                       clock_mono() < deadline_ns));
	return n;
}

int weft_wait_fd(int fd, short events, short *revents, int64_t deadline_ns)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	if (deadline_ns <= weft_now())
		deadline_ns = WEFT_NOW;
	else if (deadline_ns != WEFT_FOREVER && on_manual_clock())
		return -EINVAL;
	if (fd < 0)
		return -EBADF; /* which poll() would ignore */
	n = poll_until(&p, WEFT_NOW);
	if (n == 0 && deadline_ns > WEFT_NOW) {
		weft_block_begin("fd", NULL);
		n = poll_until(&p, deadline_ns);
		weft_block_done();
	}
	if (n < 0)
		return n;
	if (n == 0)
		return -ETIMEDOUT;
	if (p.revents & POLLNVAL)
		return -EBADF;
	if (revents)
		*revents = p.revents;
	return 0;
}
