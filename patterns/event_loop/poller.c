/*
 * What the loop waits for in the kernel: descriptors, through epoll, and the
 * eventfd that wakes a loop of one queue.
 *
 * A queue's owner waits for both at once. A loop that selects has a task of its
 * own that waits in its place, tells it, and then waits until the descriptors
 * have been served: as they stay ready until then, it would not stop telling.
 *
 * Nothing here blocks but weft_wait_fd(): epoll is asked with a timeout of 0.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/barrier.h"
#include "internal.h"
#include "task/spinner.h"

/* --- waking --- */

static void ring(const struct weft_loop *l)
{
	uint64_t one = 1;
	int saved = errno;
	/* It fails when there are too many to be counted: enough to wake. */
	ssize_t n = write(l->wake_fd, &one, sizeof(one));

	(void)n;
	errno = saved;
}

static void hush(const struct weft_loop *l)
{
	uint64_t n;
	int saved = errno;
	ssize_t got = read(l->wake_fd, &n, sizeof(n));

	(void)got;
	errno = saved;
}

/* Of all calls while it is asleep one rings. */
void weft_loop_wake(struct weft_loop *l)
{
	if (!weft_loop_is_queue(l))
		(void)!weft_chan_try_send(l->wake, NULL);
	else if (barrier_light_is_set(&l->asleep) &&
	         weft_xchg_acq_rel(&l->asleep, 0u))
		ring(l);
}

/* An end that has come is seen by the look before the wait, too. */
static bool has_news(struct weft_loop *l)
{
	return weft_load_acquire(&l->broken) || weft_ending_is_set(&l->end) ||
	       !l->live;
}

/* Looks around for as long as any wait does before it parks: to be rung for
 * each event costs both sides a call into the kernel, and on one CPU two
 * switches. Whether there is something. */
static bool spin(struct weft_loop *l, int64_t deadline_ns)
{
	struct spinner s;
	bool found = false;

	/* The owner's turn looks at descriptors, so it does not spin for ever.
	 */
	weft_spinner_init(&s,
	                  l->opts.wait == WEFT_WAIT_PARK ? WEFT_WAIT_PARK
	                                                 : WEFT_WAIT_ADAPTIVE,
	                  spinner_gap(l->opts.cap), false, deadline_ns);
	while (!found && weft_spinner_turn(&s))
		found = weft_loop_hold_any(l) || has_news(l);
	return found;
}

int weft_loop_wait_fd(struct weft_loop *l, int64_t deadline_ns)
{
	bool rung = false;
	int err = 0;

	if (spin(l, deadline_ns)) {
		l->now_ns = weft_now();
		return 0;
	}
	weft_fetch_add_acq_rel(&l->asleep, 1u);
	weft_barrier_registered();
	if (!weft_loop_hold_any(l) && !has_news(l)) {
		int64_t before = weft_now();

		err = weft_wait_fd(l->poll_fd < 0 ? l->wake_fd : l->poll_fd,
		                   POLLIN, NULL, deadline_ns);
		weft_spinner_slept(weft_now() - before);
		rung = !err;
	}
	/* Another task has rung, or is about to: then it rings into the next
	 * wait, which ends once more for that, and is hushed because it was
	 * rung. */
	if (!weft_xchg_acq_rel(&l->asleep, 0u) || rung)
		hush(l);
	l->now_ns = weft_now();
	return err == -ETIMEDOUT ? 0 : err;
}

/* --- the task that waits for a loop that selects --- */

static int watch(struct weft_crew_member *m)
{
	struct weft_loop *l = ((struct watcher *)(void *)m)->l;
	int err;

	do {
		err = weft_wait_fd(l->poll_fd, POLLIN, NULL, WEFT_FOREVER);
		if (err || weft_load_acquire(&l->watcher_ends))
			break;
		weft_store_release(&l->fds_ready, true); /* [ready] */
		weft_loop_wake(l);
	} while (!weft_chan_recv(l->served, NULL, WEFT_FOREVER));
	if (err)
		weft_ending_fail(&l->end, err);
	return err;
}

static const struct weft_crew_ops crew_ops = { .work = watch };

static int add_wake_fd(struct weft_loop *l)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL };

	return epoll_ctl(l->poll_fd, EPOLL_CTL_ADD, l->wake_fd, &e) ? -errno
	                                                            : 0;
}

static int start_watcher(struct weft_loop *l)
{
	const struct weft_task_opts opts = { "loop", 0 };
	int err;

	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0)
		return -errno;
	err = weft_chan_new(&l->served, weft_chan_impl_find("handoff"), 1, 0,
	                    NULL);
	if (err)
		return err;
	l->watcher.l = l;
	return weft_crew_start(&l->crew, &crew_ops, &l->watcher, 1,
	                       sizeof(l->watcher), &opts);
}

static void stop_watcher(struct weft_loop *l)
{
	if (!l->served)
		return;
	weft_store_release(&l->watcher_ends, true);
	ring(l);
	weft_chan_close(l->served);
	weft_crew_join(&l->crew);
	weft_chan_unref(l->served);
	l->served = NULL;
	weft_store_relaxed(&l->watcher_ends, false);
}

/* --- descriptors --- */

static int start_polling(struct weft_loop *l)
{
	int err = 0;

	if (l->poll_fd >= 0)
		return 0;
	l->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->poll_fd < 0)
		return -errno;
	if (!weft_loop_is_queue(l))
		err = start_watcher(l);
	if (!err)
		err = add_wake_fd(l);
	return err;
}

/* As it was before the first descriptor. */
static void stop_polling(struct weft_loop *l)
{
	if (l->poll_fd < 0)
		return;
	stop_watcher(l);
	if (!weft_loop_is_queue(l) && l->wake_fd >= 0) {
		close(l->wake_fd);
		l->wake_fd = -1;
	}
	close(l->poll_fd);
	l->poll_fd = -1;
	l->n_polled = l->next_polled = 0;
	l->owes_watcher = false;
}

/* The watcher may look again. There is room: it is told once for each. */
static void let_watch(struct weft_loop *l)
{
	if (l->owes_watcher)
		(void)!weft_chan_try_send(l->served, NULL);
	l->owes_watcher = false;
}

static void ask(struct weft_loop *l)
{
	l->n_polled = l->next_polled = 0;
	if (!l->fds_made)
		return;
	if (!weft_loop_is_queue(l)) {
		let_watch(l);
		if (!weft_load_relaxed(&l->fds_ready) ||
		    !weft_xchg_acq_rel(&l->fds_ready, false)) /* [ready] */
			return;
		l->owes_watcher = true;
	}
	l->n_polled = epoll_wait(l->poll_fd, l->polled, POLLED_MAX, 0);
	if (l->n_polled < 0)
		l->n_polled = 0;
}

static bool serve(struct weft_loop *l, const struct epoll_event *e)
{
	struct weft_loop_fd *f = e->data.ptr;

	if (!f)
		return false; /* the eventfd, or freed meanwhile */
	count_add(&l->n.descriptors, 1);
	weft_loop_done(l, f->fn(f->arg, f->fd, (short)e->events));
	return true;
}

/* A handler may end the call of this: what it has not come to is there the next
 * time. */
unsigned weft_loop_poll(struct weft_loop *l)
{
	unsigned n = 0;

	if (l->next_polled == l->n_polled)
		ask(l);
	while (l->next_polled < l->n_polled && !weft_ending_is_set(&l->end))
		n += serve(l, &l->polled[l->next_polled++]);
	if (l->next_polled == l->n_polled)
		let_watch(l);
	return n;
}

static int add(struct weft_loop *l, struct weft_loop_fd *f, short events)
{
	struct epoll_event e = { .events = (uint16_t)events, .data.ptr = f };
	int err = start_polling(l);

	if (!err && epoll_ctl(l->poll_fd, EPOLL_CTL_ADD, f->fd, &e))
		err = -errno;
	if (err && !l->fds_made)
		stop_polling(l);
	return err;
}

int weft_loop_fd_new(struct weft_loop_fd **out, struct weft_loop *l, int fd,
                     short events, weft_loop_fd_fn fn, void *arg)
{
	struct weft_loop_fd *f;
	int saved = errno, err;

	if (!out || !l || !fn)
		return -EINVAL;
	if (!weft_loop_is_touchable(l))
		return -EBUSY;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	*f = (struct weft_loop_fd){ .l = l, .fn = fn, .arg = arg, .fd = fd };
	err = add(l, f, events);
	errno = saved;
	if (err) {
		free(f);
		return err;
	}
	list_push(&l->fds, &f->all);
	l->fds_made++;
	*out = f;
	return 0;
}

void weft_loop_fd_free(struct weft_loop_fd *f)
{
	struct weft_loop *l;
	int saved = errno;

	if (!f)
		return;
	l = f->l;
	for (int i = l->next_polled; i < l->n_polled; i++)
		if (l->polled[i].data.ptr == f)
			l->polled[i].data.ptr = NULL;
	epoll_ctl(l->poll_fd, EPOLL_CTL_DEL, f->fd, NULL);
	list_unlink(&f->all);
	l->fds_made--;
	free(f);
	errno = saved;
}

int weft_loop_poller_init(struct weft_loop *l)
{
	struct weft_chan_opts opts = { .wait = l->opts.wait };
	int saved = errno, err = 0;

	l->poll_fd = l->wake_fd = -1;
	list_init(&l->fds);
	if (!weft_loop_is_queue(l))
		return weft_chan_new(&l->wake, weft_loop_impl_beside(l), 1, 0,
		                     &opts);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0)
		err = -errno;
	errno = saved;
	return err;
}

void weft_loop_poller_free(struct weft_loop *l)
{
	struct list *next;

	for (struct list *node = l->fds.next; node != &l->fds; node = next) {
		next = node->next;
		weft_loop_fd_free(list_entry(node, struct weft_loop_fd, all));
	}
	stop_polling(l);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	weft_chan_unref(l->wake);
}
