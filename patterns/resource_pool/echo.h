/*
 * echo: a TCP server on the loopback that sends back what it gets, and the
 * client's side of it. The server is a task that accepts, and one for each
 * connection.
 */
#ifndef WEFT_PATTERNS_RESOURCE_POOL_ECHO_H
#define WEFT_PATTERNS_RESOURCE_POOL_ECHO_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/atomic.h>
#include <weft/sync.h>
#include <weft/task.h>

struct echo {
	int fd; /* that listens; -1: none */
	struct sockaddr_in addr;
	struct weft_task *task; /* that accepts; NULL: none */
	_Atomic int err;        /* why it does not any more; 0 */
	struct weft_waitgroup clients;
};

struct echo_client {
	int fd;
	struct weft_waitgroup *clients;
};

/* What an error number of a socket's means: 0 when it is worth a wait. */
static inline int echo_wait(int fd, short events)
{
	if (errno == EINTR)
		return 0;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return -errno;
	return weft_wait_fd(fd, events, NULL, WEFT_FOREVER);
}

static inline int echo_send(int fd, const void *bytes, size_t n)
{
	const char *from = bytes;
	int err = 0;

	while (n && !err) {
		ssize_t sent = send(fd, from, n, MSG_NOSIGNAL);

		if (sent < 0) {
			err = echo_wait(fd, POLLOUT);
		} else {
			from += sent;
			n -= (size_t)sent;
		}
	}
	return err;
}

/* -ECONNRESET when the other side has closed. */
static inline int echo_recv(int fd, void *bytes, size_t n)
{
	char *to = bytes;
	int err = 0;

	while (n && !err) {
		ssize_t got = recv(fd, to, n, 0);

		if (got < 0) {
			err = echo_wait(fd, POLLIN);
		} else if (got == 0) {
			err = -ECONNRESET;
		} else {
			to += got;
			n -= (size_t)got;
		}
	}
	return err;
}

/* --- the server --- */

static inline int echo_serve(void *arg)
{
	struct echo_client *c = arg;
	uint64_t word;

	while (!echo_recv(c->fd, &word, sizeof(word)) &&
	       !echo_send(c->fd, &word, sizeof(word)))
		;
	close(c->fd);
	weft_waitgroup_done(c->clients);
	free(c);
	return 0;
}

/* Without memory or a thread for it, its client finds it closed. */
static inline void echo_begin(struct echo *e, int fd)
{
	const struct weft_task_opts opts = { .name = "echo", 64 * 1024 };
	struct echo_client *c = malloc(sizeof(*c));
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	weft_waitgroup_add(&e->clients, 1);
	if (c) {
		*c = (struct echo_client){ fd, &e->clients };
		if (!weft_spawn(NULL, &opts, echo_serve, c))
			return;
	}
	weft_waitgroup_done(&e->clients);
	free(c);
	close(fd);
}

/* Until it cannot accept any more. Then it does not listen either, so that the
 * system resets the connections that nobody would serve. */
static inline int echo_accept(void *arg)
{
	struct echo *e = arg;
	int err = 0, fd;

	while (!err) {
		fd = accept4(e->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			echo_begin(e, fd);
		else if (errno != ECONNABORTED)
			err = echo_wait(e->fd, POLLIN);
	}
	weft_store_release(&e->err, err); /* [err] */
	shutdown(e->fd, SHUT_RDWR);
	return 0;
}

static inline int echo_listen(struct echo *e)
{
	socklen_t bytes = sizeof(e->addr);

	e->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (e->fd < 0)
		return -errno;
	e->addr = (struct sockaddr_in){ .sin_family = AF_INET };
	e->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(e->fd, (struct sockaddr *)&e->addr, bytes) ||
	    getsockname(e->fd, (struct sockaddr *)&e->addr, &bytes) ||
	    listen(e->fd, SOMAXCONN))
		return -errno;
	return 0;
}

/* Clients may connect from now on, and wait to be served. 0 or -errno;
 * echo_end() is due either way. */
static inline int echo_open(struct echo *e)
{
	e->task = NULL;
	weft_store_relaxed(&e->err, 0);
	weft_waitgroup_init(&e->clients);
	return echo_listen(e);
}

/* Begin to serve them. 0 or -errno. */
static inline int echo_answer(struct echo *e)
{
	const struct weft_task_opts opts = { .name = "echo server" };

	return weft_spawn(&e->task, &opts, echo_accept, e);
}

/* Both. */
static inline int echo_start(struct echo *e)
{
	int err = echo_open(e);

	return err ? err : echo_answer(e);
}

/* All clients have closed, or are about to. */
static inline void echo_end(struct echo *e)
{
	if (e->fd < 0)
		return;
	shutdown(e->fd, SHUT_RDWR);
	if (e->task)
		weft_join(e->task, NULL);
	if (weft_waitgroup_wait(&e->clients, WEFT_FOREVER) == 0)
		close(e->fd);
	e->fd = -1;
}

/* --- the client --- */

/* Not left to linger: many connections in a row would use up the ports. */
static inline void echo_set_up(int fd)
{
	const struct linger at_once = { .l_onoff = 1 };
	const int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static inline int echo_connected(int fd)
{
	int err = weft_wait_fd(fd, POLLOUT, NULL, WEFT_FOREVER), status = 0;
	socklen_t bytes = sizeof(status);

	if (err)
		return err;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &status, &bytes))
		return -errno;
	return -status;
}

/* A connection, or -errno. */
static inline int echo_connect(const struct echo *e)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	echo_set_up(fd);
	if (connect(fd, (const struct sockaddr *)&e->addr, sizeof(e->addr)))
		err = errno == EINPROGRESS ? echo_connected(fd) : -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Why a client's call has failed: for the server's reason, if it has one. */
static inline int echo_cause(const struct echo *e, int err)
{
	int why = err ? weft_load_acquire(&e->err) : 0; /* [err] */

	return why ? why : err;
}

/* Send a word and get one back. 0 or -errno. */
static inline int echo_call(int fd, uint64_t word, uint64_t *back)
{
	int err = echo_send(fd, &word, sizeof(word));

	return err ? err : echo_recv(fd, back, sizeof(*back));
}

#endif
