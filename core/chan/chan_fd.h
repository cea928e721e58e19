/*
 * chan_fd: a channel over a pair of descriptors that keep messages whole, as
 * pipe and socketpair use it.
 *
 * The kernel does the queueing, and the waiting: a wait polls the descriptor
 * and an eventfd that close makes readable for good. So these channels block
 * the OS thread and keep their deadlines on the machine's clock.
 */
#ifndef WEFT_CHAN_CHAN_FD_H
#define WEFT_CHAN_CHAN_FD_H

#include "chan/internal.h"

struct fd_chan {
	int read_fd, write_fd; /* non-blocking */
	int close_fd;          /* eventfd: readable once closed */
	size_t elem_size, cap; /* constant; cap as the kernel grants it */
	_Atomic uint32_t closed;
	/* Senders between their look at `closed` and the end of their write:
	 * a receiver must not report the end while there are any. */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint32_t sending;
	_Atomic uint64_t parks;
};

/* Open the two descriptors with room for `cap` elements or more. 0 or -errno;
 * on an error none is open. */
typedef int (*fd_open_fn)(int fds[2], const struct weft_chan_config *config);

/* The operations of struct weft_chan_impl, but for create. */
int weft_fd_create(void **state, const struct weft_chan_config *config,
                   fd_open_fn open);
void weft_fd_destroy(void *state);
int weft_fd_send(void *state, const void *elem, int64_t deadline_ns);
int weft_fd_recv(void *state, void *elem, int64_t deadline_ns);
int weft_fd_try_send(void *state, const void *elem);
int weft_fd_try_recv(void *state, void *elem);
int weft_fd_close(void *state);
size_t weft_fd_len(const void *state);
size_t weft_fd_cap(const void *state);
void weft_fd_stats(const void *state, struct weft_chan_stats *add_to);

#endif
