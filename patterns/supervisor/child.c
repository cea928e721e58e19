/* One life of a child: a task that calls its function, or that waits for the
 * end of its process. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "internal.h"

/* How often the end of a process is asked for that no descriptor tells. */
#define ASK_NS WEFT_MS

struct weft_ctx *weft_child_ctx(const struct weft_child *self)
{
	return self ? self->ctx : NULL;
}

uint64_t weft_child_life(const struct weft_child *self)
{
	return self ? self->number : 0;
}

void weft_child_beat(struct weft_child *self)
{
	if (self)
		weft_store_relaxed(&self->beat_ns, weft_now());
}

/* --- programs --- */

/* Take the end of the process, if it has come. As the pid may be another's
 * after that, nobody signals it then. */
static int take_end(struct weft_child *l, int *status)
{
	int got;

	weft_lock_acquire(&l->s->lock);
	got = weft_child_wait(l->pid, WNOHANG, status);
	l->taken = got != 0;
	weft_lock_release(&l->s->lock);
	return got;
}

/* The exit code; what is lost is not taken for a success. */
static int await_process(struct weft_child *l)
{
	int status, got;

	while (!(got = take_end(l, &status)))
		if (l->fd < 0 ||
		    weft_wait_fd(l->fd, POLLIN, NULL, WEFT_FOREVER))
			weft_sleep_until(weft_deadline_in(ASK_NS));
	if (got < 0)
		return got;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	l->signaled = WTERMSIG(status);
	return l->signaled;
}

static int begin_process(struct weft_child *l, const char *const *argv)
{
	int err = weft_child_spawn(&l->pid, argv);

	if (!err)
		l->fd = weft_child_fd(l->pid);
	return err;
}

/* There is no task to wait for the process. */
static void undo_process(struct weft_child *l)
{
	int status;

	if (!l->pid)
		return;
	weft_child_signal(l->pid, l->fd, SIGKILL);
	weft_child_wait(l->pid, 0, &status);
}

bool weft_life_is_hopeless(int err)
{
	return err == -ENOENT || err == -EACCES || err == -ENOEXEC ||
	       err == -ENOTDIR || err == -EISDIR || err == -ELOOP ||
	       err == -ENAMETOOLONG || err == -EPERM || err == -E2BIG ||
	       err == -EINVAL;
}

/* --- its task --- */

static int live(void *arg)
{
	struct weft_child *l = arg;

	return l->fn ? l->fn(l->arg, l) : await_process(l);
}

static void leave(void *arg, enum weft_guard_end end, int status)
{
	struct weft_child *l = arg;
	struct weft_supervisor *s = l->s;

	l->end = end == WEFT_GUARD_EXITED ? WEFT_ENDED_BY_EXIT
	         : end == WEFT_GUARD_DIED ? WEFT_ENDED_BY_THREAD
	         : l->signaled            ? WEFT_ENDED_BY_SIGNAL
	                                  : WEFT_ENDED_BY_RETURN;
	l->status = status;
	weft_lock_acquire(&s->lock);
	l->has_left = true;
	if (!s->gone && !s->over) {
		list_unlink(&l->link); /* from the strays */
		list_push(&s->left, &l->link);
	}
	weft_lock_release(&s->lock);
	weft_supervisor_ring(s);
	weft_life_put(l);
}

static int life_main(void *arg)
{
	weft_guard(live, arg, leave);
	return 0;
}

/* --- for the manager --- */

static int spawn(struct weft_child *l, size_t stack_bytes)
{
	const struct weft_task_opts opts = { l->name, stack_bytes };
	int err;

	weft_store_relaxed(&l->refs, 2u);
	err = weft_spawn(&l->task, &opts, life_main, l);
	if (err)
		weft_store_relaxed(&l->refs, 1u);
	return err;
}

int weft_life_begin(struct weft_supervisor *s, struct child *c)
{
	struct weft_child *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	*l = (struct weft_child){ .s = s,
		                  .fn = c->opts.fn,
		                  .arg = c->opts.arg,
		                  .id = c->info.id,
		                  .number = c->info.lives,
		                  .fd = -1,
		                  .child = c };
	memcpy(l->name, c->info.name, sizeof(l->name));
	list_init(&l->link);
	weft_store_relaxed(&l->refs, 1u);
	weft_store_relaxed(&l->beat_ns, weft_now());
	weft_fetch_add_relaxed(&s->refs, 1u);
	err = weft_ctx_with_cancel(&l->ctx, s->root);
	if (!err && c->opts.argv)
		err = begin_process(l, c->opts.argv);
	if (!err) {
		err = spawn(l, c->opts.stack_bytes);
		if (err)
			undo_process(l);
	}
	if (err) {
		weft_life_put(l);
		return err;
	}
	weft_lock_acquire(&s->lock);
	c->life = l;
	weft_lock_release(&s->lock);
	return 0;
}

void weft_life_stop(struct weft_child *l, bool hard)
{
	weft_ctx_cancel(l->ctx, 0);
	weft_lock_acquire(&l->s->lock);
	if (l->pid && !l->taken)
		weft_child_signal(l->pid, l->fd, hard ? SIGKILL : SIGTERM);
	weft_lock_release(&l->s->lock);
}

void weft_life_put(struct weft_child *l)
{
	if (weft_fetch_sub_acq_rel(&l->refs, 1u) > 1)
		return;
	if (l->fd >= 0)
		close(l->fd);
	if (l->ctx)
		weft_ctx_unref(l->ctx);
	weft_supervisor_put(l->s);
	free(l);
}
