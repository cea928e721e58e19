/* Tests of the event loop's descriptors. */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event_loop_testing.h"

struct end {
	struct weft_loop *l;
	struct weft_loop_fd *f;
	int fd, peer; /* of a socketpair */
	int calls;
	short revents;
	bool reads, frees; /* itself */
	struct end *other; /* which it frees */
};

static int ready(void *arg, int fd, short revents)
{
	struct end *e = arg;
	char byte;

	CHECK_EQ(fd, e->fd);
	e->calls++;
	e->revents = revents;
	if (e->reads)
		CHECK_EQ(read(fd, &byte, 1), 1);
	if (e->frees)
		weft_loop_fd_free(e->f);
	if (e->other) {
		weft_loop_fd_free(e->other->f);
		e->other->other = NULL;
		e->other = NULL;
	}
	return 0;
}

static void open_end(struct end *e, struct weft_loop *l, short events)
{
	int ends[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	*e = (struct end){ .l = l, .fd = ends[0], .peer = ends[1] };
	CHECK_EQ(weft_loop_fd_new(&e->f, l, e->fd, events, ready, e), 0);
}

static void close_end(struct end *e)
{
	close(e->fd);
	if (e->peer >= 0)
		close(e->peer);
}

static void put_byte(const struct end *e)
{
	CHECK_EQ(write(e->peer, "x", 1), 1);
}

#define TEST_FDS(name) TEST_KINDS_ON(WEFT_CLOCK_MONOTONIC, name)

TEST_FDS(a_descriptor_is_served_when_it_is_ready)
{
	struct weft_loop *l = make(kind);
	struct end e;

	open_end(&e, l, POLLIN);
	e.reads = true;
	CHECK_EQ(weft_loop_run_once(l, weft_deadline_in(WEFT_MS)), -ETIMEDOUT);
	for (int i = 1; i <= 20; i++) {
		put_byte(&e);
		CHECK_EQ(weft_loop_run_once(l, WEFT_FOREVER), 0);
		CHECK_EQ(e.calls, i);
		CHECK_EQ(e.revents, POLLIN);
	}
	CHECK_EQ(stats(l).descriptors, 20u);
	weft_loop_free(l);
	close_end(&e);
}

static int write_later(void *arg)
{
	const struct end *e = arg;

	while (!stats(e->l).waits)
		weft_yield();
	put_byte(e);
	return 0;
}

TEST_FDS(a_loop_that_waits_is_woken_by_a_descriptor)
{
	struct weft_loop *l = make(kind);
	struct weft_task *t;
	struct end e;

	open_end(&e, l, POLLIN);
	t = testing_spawn(write_later, &e);
	CHECK_EQ(weft_loop_run_once(l, WEFT_FOREVER), 0);
	CHECK_EQ(e.calls, 1);
	CHECK_EQ(testing_join(t), 0);
	weft_loop_free(l);
	close_end(&e);
}

TEST_FDS(it_is_served_again_as_long_as_it_stays_ready)
{
	struct weft_loop *l = make(kind);
	struct end e;

	open_end(&e, l, POLLIN | POLLOUT);
	for (int i = 1; i <= 5; i++) {
		CHECK_EQ(weft_loop_run_once(l, WEFT_FOREVER), 0);
		CHECK_EQ(e.calls, i);
		CHECK_EQ(e.revents, POLLOUT);
	}
	close(e.peer);
	e.peer = -1;
	while (!(e.revents & POLLHUP))
		CHECK_EQ(weft_loop_run_once(l, WEFT_FOREVER), 0);
	CHECK(e.revents & POLLIN); /* the end can be read */
	weft_loop_free(l);
	close_end(&e);
}

TEST_FDS(E11_a_close_is_not_held_up_by_one_that_stays_ready)
{
	struct weft_loop *l = make(kind);
	int left = 10, err;
	struct end e;

	open_end(&e, l, POLLOUT);
	CHECK_EQ(weft_loop_run_once(l, WEFT_FOREVER), 0);
	CHECK_EQ(weft_loop_close(l), 0);
	while (!(err = weft_loop_run_once(l, WEFT_FOREVER)) && left > 0)
		left--;
	CHECK_EQ(err, -EPIPE);
	weft_loop_free(l);
	close_end(&e);
}

TEST_FDS(E10_a_descriptor_may_be_freed_while_others_are_served)
{
	struct weft_loop *l = make(kind);
	struct end e[3];

	for (int i = 0; i < 3; i++)
		open_end(&e[i], l, POLLIN);
	/* Whichever of these comes first frees the other. */
	e[0].other = &e[1];
	e[1].other = &e[0];
	e[2].frees = true;
	for (int i = 0; i < 3; i++)
		put_byte(&e[i]);
	while (!e[2].calls || !(e[0].calls + e[1].calls))
		CHECK_EQ(weft_loop_run_once(l, WEFT_FOREVER), 0);
	CHECK_EQ(e[2].calls, 1);
	CHECK(!e[0].calls || !e[1].calls);
	weft_loop_free(l);
	for (int i = 0; i < 3; i++)
		close_end(&e[i]);
}

TEST_FDS(E2_no_descriptor_starves_behind_events_nor_they_behind_it)
{
	struct weft_loop *l = make(kind);
	struct busy b = { .s = source(l, 0, send_again, &b) };
	uint64_t before;
	struct end e;

	open_end(&e, l, POLLIN);
	send_all(b.s, 1, 1);
	put_byte(&e);
	while (e.calls < 3) {
		before = stats(l).events;
		CHECK_EQ(weft_loop_run_once(l, WEFT_FOREVER), 0);
		CHECK_LE(before + 16, stats(l).events);
	}
	weft_loop_free(l);
	close_end(&e);
}

TEST_FDS(what_cannot_be_waited_for_is_refused)
{
	char path[] = "/tmp/weft_event_loop_XXXXXX";
	int file = mkstemp(path);
	struct weft_loop *l = make(kind);
	struct weft_loop_fd *f = NULL;
	struct end e;

	CHECK(file >= 0);
	unlink(path);
	CHECK_EQ(weft_loop_fd_new(&f, l, -1, POLLIN, ready, NULL), -EBADF);
	CHECK_EQ(weft_loop_fd_new(&f, l, file, POLLIN, ready, NULL), -EPERM);
	CHECK_EQ(weft_loop_fd_new(NULL, l, 0, POLLIN, ready, NULL), -EINVAL);
	CHECK_EQ(weft_loop_fd_new(&f, NULL, 0, POLLIN, ready, NULL), -EINVAL);
	CHECK_EQ(weft_loop_fd_new(&f, l, 0, POLLIN, NULL, NULL), -EINVAL);
	weft_loop_fd_free(NULL);
	open_end(&e, l, POLLIN);
	CHECK_EQ(weft_loop_fd_new(&f, l, e.fd, POLLIN, ready, NULL), -EEXIST);
	CHECK(f == NULL);
	/* The one that is there goes on. */
	put_byte(&e);
	CHECK_EQ(weft_loop_run_once(l, WEFT_FOREVER), 0);
	CHECK_EQ(e.calls, 1);
	weft_loop_free(l);
	close_end(&e);
	close(file);
}

/* Outside of a run there is no task that could wait for descriptors. */
TEST_OUTSIDE(a_loop_that_selects_needs_a_run_for_descriptors)
{
	struct weft_loop *l = make(WEFT_LOOP_SELECT);
	struct weft_loop_fd *f;
	struct heard h = { .n = 0 };
	int ends[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	CHECK_EQ(weft_loop_fd_new(&f, l, ends[0], POLLIN, ready, NULL),
	         -EINVAL);
	send_all(source(l, 0, note, &h), 1, 1);
	CHECK_EQ(weft_loop_run_once(l, WEFT_FOREVER), 0);
	CHECK_HEARD(&h, 1);
	weft_loop_free(l);
	l = make(WEFT_LOOP_QUEUE);
	CHECK_EQ(weft_loop_fd_new(&f, l, ends[0], POLLIN, ready, NULL), 0);
	weft_loop_free(l);
	close(ends[0]);
	close(ends[1]);
}
