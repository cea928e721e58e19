#include "gen.h"

#include <errno.h>
#include <stdlib.h>

#include <weft/atomic.h>

#include "base/cacheline.h"
#include "base/check.h"
#include "common/count.h"
#include "internal.h"

/* --- the end --- */

static void wake_upstream(void *arg)
{
	struct weft_gen *g = arg;

	if (g->kind->task)
		g->kind->task->stop(g);
	for (size_t i = 0; i < g->ninputs; i++)
		weft_gen_end(g->inputs[i], -ECANCELED);
}

/* It has ended in order when next has said so, and then that is the reason. */
static const struct weft_ending_ops ending_ops = { NULL, wake_upstream };

void weft_gen_end(struct weft_gen *g, int why)
{
	/* The first to end it sees to what is upstream, once: a chain may be
	 * long. */
	if (!weft_ending_is_set(&g->end))
		weft_ending_stop(&g->end, why);
}

int weft_gen_failed(struct weft_gen *g, int err)
{
	weft_gen_end(g, gen_failure_of(err));
	return weft_ending_why(&g->end);
}

/* --- the next element --- */

int weft_gen_pull(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	int err = weft_ending_why(&g->end);

	if (err)
		return err;
	err = g->kind->pull(g, elem, deadline_ns);
	if (err == -EPIPE)
		return weft_gen_failed(g, err);
	if (!err)
		count_add(&g->taken, 1);
	return err;
}

int weft_gen_pull_input(struct weft_gen *g, size_t input, void *elem,
                        int64_t deadline_ns)
{
	struct weft_gen *in = g->inputs[input];
	int err = weft_gen_pull(in, elem, deadline_ns), why;

	if (__builtin_expect(err && err != -EPIPE, 0)) {
		/* The input's end, or an error of this call, which passes. */
		why = weft_ending_why(&in->end);
		if (why) {
			weft_gen_end(g, why);
			return weft_ending_why(&g->end);
		}
	}
	return err;
}

/* A call that runs functions of others. */
struct call {
	struct weft_gen *g;
	void *elem;
	int64_t deadline_ns;
	int err;
};

static int gen_pull_called(void *arg)
{
	struct call *c = arg;

	c->err = weft_gen_pull(c->g, c->elem, c->deadline_ns);
	return 0;
}

static void gen_give_turn_back(struct weft_gen *g)
{
	weft_store_release(&g->turn, NULL); /* [turn] */
}

/* A function that ends its task ends the generator, not its caller. */
static void call_left(void *arg, enum weft_guard_end end, int status)
{
	struct call *c = arg;

	if (end == WEFT_GUARD_RETURNED)
		return;
	weft_gen_drop_held(c->g);
	c->err = weft_gen_failed(c->g, status < 0 ? status : -ECANCELED);
	if (end == WEFT_GUARD_DIED)
		gen_give_turn_back(c->g);
}

static int gen_pull_guarded(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	struct call c = { .g = g, .elem = elem, .deadline_ns = deadline_ns };

	weft_guard(gen_pull_called, &c, call_left);
	return c.err;
}

/* Whether a body behind g runs in this task: that must not wait for g. */
static bool runs_in(const struct weft_gen *g, const struct weft_task *task)
{
	if (g->kind->task && g->kind->task->runs_in(g, task))
		return true;
	for (size_t i = 0; i < g->ninputs; i++)
		if (runs_in(g->inputs[i], task))
			return true;
	return false;
}

/*
 * All bodies behind g were started before it was made. So a task that is none
 * of them will never be one, not even when its record has got another task,
 * and it is enough to look for it once.
 */
static int gen_take_turn(struct weft_gen *g)
{
	struct weft_task *self = weft_self(), *other = NULL;

	if (weft_load_relaxed(&g->owned))
		return -EBUSY;
	if (weft_load_relaxed(&g->checked) != self && runs_in(g, self))
		return -EDEADLK;
	if (!weft_cas_acquire(&g->turn, &other, self)) /* [turn] */
		return other == self ? -EDEADLK : -EBUSY;
	weft_store_relaxed(&g->checked, self);
	return 0;
}

int weft_gen_next(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	int err;

	if (!g || (!elem && g->elem_size))
		return -EINVAL;
	err = gen_take_turn(g);
	if (err)
		return err;
	err = g->calls ? gen_pull_guarded(g, elem, deadline_ns)
	               : weft_gen_pull(g, elem, deadline_ns);
	gen_give_turn_back(g);
	return err;
}

/* --- elements that nobody gets --- */

void weft_gen_drop_held(struct weft_gen *g)
{
	if (g->kind->drop_held)
		g->kind->drop_held(g);
	/* An input with a task is not asked by the one that was ended. */
	for (size_t i = 0; i < g->ninputs; i++)
		if (!g->inputs[i]->kind->task)
			weft_gen_drop_held(g->inputs[i]);
}

int weft_gen_set_drop(struct weft_gen *g,
                      void (*drop)(void *elem, void *drop_arg), void *drop_arg)
{
	/* A channel was told when it was made, and may be at work. */
	if (!g || g->kind->task)
		return -EINVAL;
	g->drop = drop;
	g->drop_arg = drop_arg;
	return 0;
}

/* --- making and freeing --- */

/* Take the inputs over. After an error some are: see weft_gen_unmake(). */
static int adopt(struct weft_gen *g, struct weft_gen *const *inputs, size_t n)
{
	g->inputs = calloc(n, sizeof(struct weft_gen *));
	if (!g->inputs)
		return -ENOMEM;
	for (; g->ninputs < n; g->ninputs++) {
		struct weft_gen *in = inputs[g->ninputs];

		if (weft_xchg_acq_rel(&in->owned, true))
			return -EBUSY;
		g->inputs[g->ninputs] = in;
		/* A task calls them itself. */
		g->calls |= in->calls && !g->kind->task;
	}
	return 0;
}

int weft_gen_make(struct weft_gen **out, const struct gen_kind *kind,
                  size_t elem_size, size_t room, struct weft_gen *const *inputs,
                  size_t n)
{
	const size_t head = cacheline_round_up(kind->bytes);
	struct weft_gen *g;
	int err;

	if (elem_size > WEFT_ELEM_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!inputs[i])
			return -EINVAL;
	g = cacheline_alloc(head, 1, room);
	if (!g)
		return -ENOMEM;
	memset(g, 0, head);
	g->kind = kind;
	g->elem_size = elem_size;
	g->calls = kind->calls;
	g->room = (unsigned char *)g + head;
	weft_ending_init(&g->end, &ending_ops, g);
	if (n && kind->passes_on) {
		g->drop = inputs[0]->drop;
		g->drop_arg = inputs[0]->drop_arg;
	}
	err = n ? adopt(g, inputs, n) : 0;
	if (err) {
		weft_gen_unmake(g);
		return err;
	}
	*out = g;
	return 0;
}

static void release(struct weft_gen *g)
{
	weft_ending_unwatch(&g->end);
	if (g->kind->release)
		g->kind->release(g);
}

void weft_gen_unmake(struct weft_gen *g)
{
	release(g);
	for (size_t i = 0; g->inputs && i < g->ninputs; i++)
		weft_store_release(&g->inputs[i]->owned, false);
	free(g->inputs);
	free(g);
}

static void free_all(struct weft_gen *g)
{
	/* Its task first: that may be in a call on the inputs. */
	release(g);
	for (size_t i = 0; i < g->ninputs; i++)
		free_all(g->inputs[i]);
	free(g->inputs);
	free(g);
}

void weft_gen_free(struct weft_gen *g)
{
	if (!g)
		return;
	CHECK(!weft_load_acquire(&g->owned));
	CHECK(!runs_in(g, weft_self()));
	weft_gen_end(g, -ECANCELED);
	free_all(g);
}

/* --- the rest of the calls --- */

int weft_gen_stop(struct weft_gen *g)
{
	if (!g)
		return -EINVAL;
	weft_gen_end(g, -ECANCELED);
	return 0;
}

int weft_gen_fail(struct weft_gen *g, int err)
{
	if (!g || err >= 0)
		return -EINVAL;
	weft_gen_end(g, weft_failure_of(err));
	return 0;
}

/* *error becomes that of the most downstream body that failed. */
static int join_all(struct weft_gen *g, int64_t deadline_ns, int *error)
{
	const struct gen_task_ops *task = g->kind->task;
	int err = task ? task->join(g, deadline_ns, error) : 0;

	for (size_t i = 0; i < g->ninputs && !err; i++)
		err = join_all(g->inputs[i], deadline_ns, error);
	return err;
}

int weft_gen_join(struct weft_gen *g, int64_t deadline_ns)
{
	int error = 0, err, why;

	if (!g)
		return -EINVAL;
	if (runs_in(g, weft_self()))
		return -EDEADLK;
	err = join_all(g, deadline_ns, &error);
	if (err)
		return err;
	why = weft_ending_why(&g->end);
	return why && why != -EPIPE ? why : error;
}

int weft_gen_stats(const struct weft_gen *g, struct weft_gen_stats *out)
{
	if (!g || !out)
		return -EINVAL;
	*out = (struct weft_gen_stats){ 0 };
	out->taken = out->made = weft_load_relaxed(&g->taken);
	if (g->kind->task)
		g->kind->task->stats(g, out);
	return 0;
}
