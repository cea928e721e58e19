/*
 * A ring under a mutex with two eventfds as counting semaphores, one of
 * elements and one of free places: what a program does whose threads wait in
 * poll() anyway.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "bench/peers/support/fd.h"
#include "bench/peers/support/gate.h"
#include "bench/peers/support/peer.h"

struct queue {
	int items, spaces; /* eventfds, whose counts are taken one by one */
	int close_fd;
	size_t cap, elem_size;
	struct gate gate;
	pthread_mutex_t lock;
	uint64_t head, tail; /* under the lock */
	unsigned char ring[];
};

static int semaphore(size_t count)
{
	int fd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd >= 0 && count)
		eventfd_write(fd, count);
	return fd;
}

static void close_all(const struct queue *q)
{
	const int fds[] = { q->items, q->spaces, q->close_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int eventfd_create(void **state, const struct weft_chan_config *config)
{
	size_t bytes;
	struct queue *q;

	if (__builtin_mul_overflow(config->cap, config->elem_size, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(*q), &bytes))
		return -ENOMEM;
	q = malloc(bytes);
	if (!q)
		return -ENOMEM;
	q->items = semaphore(0);
	q->spaces = semaphore(config->cap);
	q->close_fd = fd_of_close();
	if (q->items < 0 || q->spaces < 0 || q->close_fd < 0 ||
	    pthread_mutex_init(&q->lock, NULL)) {
		close_all(q);
		free(q);
		return -ENOMEM;
	}
	q->cap = config->cap;
	q->elem_size = config->elem_size;
	q->head = q->tail = 0;
	gate_init(&q->gate);
	*state = q;
	return 0;
}

static void eventfd_destroy(void *state)
{
	struct queue *q = state;

	pthread_mutex_destroy(&q->lock);
	close_all(q);
	free(q);
}

static unsigned char *place(struct queue *q, uint64_t i)
{
	return q->ring + i % q->cap * q->elem_size;
}

static void put(struct queue *q, const void *elem)
{
	pthread_mutex_lock(&q->lock);
	if (q->elem_size)
		memcpy(place(q, q->tail), elem, q->elem_size);
	q->tail++;
	pthread_mutex_unlock(&q->lock);
	eventfd_write(q->items, 1);
}

static int eventfd_try_send(void *state, const void *elem)
{
	struct queue *q = state;
	struct gate_seat *seat = gate_enter(&q->gate, GATE_SEND);
	eventfd_t one;
	int err = 0;

	if (!gate_is_open(&q->gate))
		err = -EPIPE;
	else if (eventfd_read(q->spaces, &one))
		err = -errno;
	else
		put(q, elem);
	return gate_leave_send(&q->gate, seat, err);
}

static int take(struct queue *q, void *elem)
{
	eventfd_t one;

	if (eventfd_read(q->items, &one))
		return -errno;
	pthread_mutex_lock(&q->lock);
	if (q->elem_size)
		memcpy(elem, place(q, q->head), q->elem_size);
	q->head++;
	pthread_mutex_unlock(&q->lock);
	eventfd_write(q->spaces, 1);
	return 0;
}

static int eventfd_try_recv(void *state, void *elem)
{
	struct queue *q = state;
	int err = take(q, elem);

	if (err != -EAGAIN || !gate_is_shut(&q->gate))
		return err;
	err = take(q, elem); /* what came before it was shut */
	return err == -EAGAIN ? -EPIPE : err;
}

static int eventfd_send(void *state, const void *elem, int64_t deadline_ns)
{
	struct queue *q = state;
	int err;

	FD_UNTIL(err, eventfd_try_send(q, elem), q->spaces, POLLIN, q->close_fd,
	         deadline_ns);
	return err;
}

static int eventfd_recv(void *state, void *elem, int64_t deadline_ns)
{
	struct queue *q = state;
	int err;

	FD_UNTIL(err, eventfd_try_recv(q, elem), q->items, POLLIN, q->close_fd,
	         deadline_ns);
	return err;
}

static int eventfd_close(void *state)
{
	struct queue *q = state;
	int err = gate_close(&q->gate, NULL, NULL);

	if (!err)
		fd_tell_closed(q->close_fd);
	return err;
}

static size_t eventfd_len(const void *state)
{
	struct queue *q = (struct queue *)(uintptr_t)state;
	size_t n;

	pthread_mutex_lock(&q->lock);
	n = (size_t)(q->tail - q->head);
	pthread_mutex_unlock(&q->lock);
	return n < q->cap ? n : q->cap;
}

static void eventfd_version_of(char *to, size_t bytes)
{
	struct utsname system;

	if (uname(&system) == 0)
		snprintf(to, bytes, "%.60s", system.release);
}

const struct weft_chan_impl weft_chan_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "eventfd",
	.summary = "ring under a mutex, two eventfds as semaphores",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	       WEFT_CAN_TIMEOUT | WEFT_CAN_LEN | WEFT_BLOCKS_THREAD,
	.create = eventfd_create,
	.destroy = eventfd_destroy,
	.try_send = eventfd_try_send,
	.try_recv = eventfd_try_recv,
	.close = eventfd_close,
	.len = eventfd_len,
	.send = eventfd_send,
	.recv = eventfd_recv,
};

const struct weft_peer weft_peer = {
	.library = "Linux",
	.version = eventfd_version_of,
	.adapter = "all but the eventfds: a ring under a mutex; " ADDED_CLOSE
	           "; waits in poll",
};
