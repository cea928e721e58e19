#include "common/crew.h"

#include <errno.h>
#include <stdio.h>

#include <weft/atomic.h>

#include "base/check.h"

static struct weft_crew_member *member(const struct weft_crew *c, size_t i)
{
	return (struct weft_crew_member *)(void *)(c->members + i * c->stride);
}

static int start(struct weft_crew_member *m);

static void leave(struct weft_crew_member *m, int status)
{
	struct weft_crew *c = m->crew;

	if (c->ops->left)
		c->ops->left(m, status);
	if (weft_fetch_sub_acq_rel(&c->working, (size_t)1) == 1 && c->ops->last)
		c->ops->last(c);
}

/* Have an heir take over from the calling task. It joins this one before it
 * begins, so the member belongs to one of them at a time. */
static int hand_over(struct weft_crew_member *m)
{
	int err;

	m->after = m->task;
	err = start(m);
	if (!err)
		weft_fetch_add_relaxed(&m->crew->heirs, (size_t)1);
	return err;
}

/* One call of work(). */
struct turn {
	struct weft_crew_member *m;
	bool again; /* by this task */
};

static int take_turn(void *arg)
{
	const struct turn *t = arg;

	return t->m->crew->ops->work(t->m);
}

static void turn_over(void *arg, enum weft_guard_end end, int status)
{
	struct turn *t = arg;
	struct weft_crew_member *m = t->m;
	const struct weft_crew_ops *ops = m->crew->ops;

	t->again = false;
	if (end != WEFT_GUARD_RETURNED) {
		status = status < 0 ? status : -ECANCELED;
		if (ops->again && ops->again(m, end, status)) {
			t->again = end == WEFT_GUARD_EXITED;
			status = t->again ? 0 : hand_over(m);
			if (!status)
				return;
		}
	}
	leave(m, status);
}

static int run(void *arg)
{
	struct turn t = { .m = arg };
	struct weft_crew *c = t.m->crew;

	CHECK_EQ(weft_waitgroup_wait(&c->gate, WEFT_FOREVER), 0);
	if (!c->whole)
		return 0;
	if (t.m->after)
		CHECK_EQ(weft_join(t.m->after, NULL), 0);
	do
		weft_guard(take_turn, &t, turn_over);
	while (t.again);
	return 0;
}

/* The last that a task does to its crew. */
static void gone(void *arg, enum weft_guard_end end, int status)
{
	struct weft_crew_member *m = arg;

	(void)end;
	(void)status;
	weft_waitgroup_done(&m->crew->running);
}

static int member_main(void *arg)
{
	weft_guard(run, arg, gone);
	return 0;
}

static int start(struct weft_crew_member *m)
{
	struct weft_crew *c = m->crew;
	struct weft_task_opts opts = c->opts;
	char name[32];
	int err;

	if (c->ops->numbered) {
		snprintf(name, sizeof(name), "%s %zu", opts.name, m->index);
		opts.name = name;
	}
	weft_waitgroup_add(&c->running, 1);
	err = weft_spawn(&m->task, &opts, member_main, m);
	if (err)
		weft_waitgroup_done(&c->running);
	return err;
}

static void join(struct weft_crew *c, size_t n)
{
	CHECK_EQ(weft_waitgroup_wait(&c->running, WEFT_FOREVER), 0);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(weft_join(member(c, i)->task, NULL), 0);
}

int weft_crew_start(struct weft_crew *c, const struct weft_crew_ops *ops,
                    void *members, size_t n, size_t stride,
                    const struct weft_task_opts *opts)
{
	size_t i;
	int err = 0;

	*c = (struct weft_crew){
		.ops = ops, .members = members, .stride = stride, .opts = *opts
	};
	weft_store_relaxed(&c->working, n);
	weft_waitgroup_init(&c->running);
	weft_waitgroup_init(&c->gate);
	weft_waitgroup_add(&c->gate, 1);
	for (i = 0; i < n && !err; i++) {
		*member(c, i) =
		        (struct weft_crew_member){ .crew = c, .index = i };
		err = start(member(c, i));
	}
	c->whole = !err;
	weft_waitgroup_done(&c->gate);
	if (err) {
		join(c, i - 1);
		return err;
	}
	c->n = n;
	if (n == 0 && ops->last)
		ops->last(c);
	return 0;
}

int weft_crew_wait(struct weft_crew *c, int64_t deadline_ns)
{
	return c->whole ? weft_waitgroup_wait(&c->running, deadline_ns) : 0;
}

bool weft_crew_has_ended(struct weft_crew *c)
{
	return weft_crew_wait(c, WEFT_NOW) == 0;
}

void weft_crew_join(struct weft_crew *c)
{
	if (!c->whole)
		return;
	join(c, c->n);
	c->whole = false;
}
