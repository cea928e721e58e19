#include "chan/chan_fd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "task/internal.h"
#include "task/spin.h"

/* Without waiting: 0, -EAGAIN, or an error of the system. */
static int chan_fd_write_one(struct fd_chan *q, const void *elem)
{
	ssize_t n;

	do {
		n = write(q->write_fd, elem, q->elem_size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	CHECK_EQ((size_t)n, q->elem_size);
	return 0;
}

static int chan_fd_read_one(struct fd_chan *q, void *elem)
{
	ssize_t n;

	do {
		n = read(q->read_fd, elem, q->elem_size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	CHECK_EQ((size_t)n, q->elem_size);
	return 0;
}

/* How many elements the kernel takes, found out by filling and draining. */
static size_t chan_fd_count_cap(struct fd_chan *q)
{
	unsigned char elem[WEFT_ELEM_MAX] = { 0 };
	size_t n = 0;

	while (chan_fd_write_one(q, elem) == 0)
		n++;
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(chan_fd_read_one(q, elem), 0);
	return n;
}

int weft_fd_create(void **state, const struct weft_chan_config *config,
                   fd_open_fn open)
{
	struct fd_chan *q = aligned_alloc(_Alignof(struct fd_chan), sizeof(*q));
	int fds[2], err;

	if (!q)
		return -ENOMEM;
	q->close_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->close_fd < 0) {
		err = -ENOMEM; /* out of descriptors, or of kernel memory */
		goto free_q;
	}
	err = open(fds, config);
	if (err)
		goto close_event;
	q->read_fd = fds[0];
	q->write_fd = fds[1];
	q->elem_size = config->elem_size;
	weft_store_relaxed(&q->closed, 0u);
	weft_store_relaxed(&q->sending, 0u);
	weft_store_relaxed(&q->parks, 0u);
	q->cap = chan_fd_count_cap(q);
	if (q->cap < config->cap) {
		err = -EINVAL; /* more than the system grants */
		goto close_both;
	}
	*state = q;
	return 0;

close_both:
	close(q->read_fd);
	close(q->write_fd);
close_event:
	close(q->close_fd);
free_q:
	free(q);
	return err;
}

void weft_fd_destroy(void *state)
{
	struct fd_chan *q = state;

	close(q->read_fd);
	close(q->write_fd);
	close(q->close_fd);
	free(q);
}

int weft_fd_try_send(void *state, const void *elem)
{
	struct fd_chan *q = state;
	int err;

	/* [sending] seq_cst on both words on both sides: either this sees
	 * `closed`, or the task that sees the close sees this. */
	weft_fetch_add_seq_cst(&q->sending, 1u);
	err = weft_load_seq_cst(&q->closed) ? -EPIPE
	                                    : chan_fd_write_one(q, elem);
	weft_fetch_sub_release(&q->sending, 1u);
	return err;
}

/* Closed, and nothing seen: wait out the senders that were before the close,
 * then look for the last time. */
static int chan_fd_recv_closed(struct fd_chan *q, void *elem)
{
	unsigned turns = 0;
	int err;

	while (weft_load_seq_cst(&q->sending)) /* [sending] */
		spin_for_peer(&turns);
	err = chan_fd_read_one(q, elem);
	return err == -EAGAIN ? -EPIPE : err;
}

int weft_fd_try_recv(void *state, void *elem)
{
	struct fd_chan *q = state;
	int err = chan_fd_read_one(q, elem);

	if (err == -EAGAIN && weft_load_seq_cst(&q->closed))
		return chan_fd_recv_closed(q, elem);
	return err;
}

/* Wait until fd has `events`, the channel is closed, or the deadline. */
static int chan_fd_wait_on(struct fd_chan *q, int fd, short events,
                           const char *what, int64_t deadline_ns)
{
	struct pollfd p[] = { { .fd = fd, .events = events },
		              { .fd = q->close_fd, .events = POLLIN } };
	struct timespec left, *timeout = NULL;
	int n;

	if (deadline_ns != WEFT_FOREVER) {
		int64_t ns = deadline_ns - clock_mono();

		if (ns <= 0)
			return -ETIMEDOUT;
		left = clock_timespec(ns);
		timeout = &left;
	}
	weft_fetch_add_relaxed(&q->parks, 1u);
	weft_block_begin(what, q);
	n = ppoll(p, 2, timeout, NULL);
	weft_block_done();
	return n == 0 ? -ETIMEDOUT : 0;
}

int weft_fd_send(void *state, const void *elem, int64_t deadline_ns)
{
	struct fd_chan *q = state;
	int err, expired = deadline_ns <= WEFT_NOW ? -ETIMEDOUT : 0;

	while ((err = weft_fd_try_send(q, elem)) == -EAGAIN && !expired)
		expired = chan_fd_wait_on(q, q->write_fd, POLLOUT, "fd send",
		                          deadline_ns);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

int weft_fd_recv(void *state, void *elem, int64_t deadline_ns)
{
	struct fd_chan *q = state;
	int err, expired = deadline_ns <= WEFT_NOW ? -ETIMEDOUT : 0;

	while ((err = weft_fd_try_recv(q, elem)) == -EAGAIN && !expired)
		expired = chan_fd_wait_on(q, q->read_fd, POLLIN, "fd recv",
		                          deadline_ns);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

int weft_fd_close(void *state)
{
	struct fd_chan *q = state;
	uint64_t one = 1;

	if (weft_xchg_seq_cst(&q->closed, 1u)) /* [sending] */
		return -EPIPE;
	CHECK_EQ(write(q->close_fd, &one, sizeof(one)), (ssize_t)sizeof(one));
	return 0;
}

size_t weft_fd_len(const void *state)
{
	const struct fd_chan *q = state;
	int bytes = 0;
	size_t n;

	/* An impression. Two senders at once can both find the last room of a
	 * socket, so the capacity has to be put in here. */
	if (ioctl(q->read_fd, FIONREAD, &bytes) != 0 || bytes < 0)
		return 0;
	n = (size_t)bytes / q->elem_size;
	return n < q->cap ? n : q->cap;
}

size_t weft_fd_cap(const void *state)
{
	const struct fd_chan *q = state;

	return q->cap;
}

void weft_fd_stats(const void *state, struct weft_chan_stats *add_to)
{
	const struct fd_chan *q = state;

	add_to->parks += weft_load_relaxed(&q->parks);
}
