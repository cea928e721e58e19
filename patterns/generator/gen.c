#include "gen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "base/cacheline.h"
#include "base/check.h"
#include "internal.h"

/* --- the end --- */

void weft_gen_end(struct weft_gen *g, int why)
{
	int none = 0;

	/* Who came first sees to what is upstream. */
	if (!weft_cas_acq_rel(&g->end, &none, why)) /* [end] */
		return;
	if (g->body)
		weft_gen_body_stop(g->body);
	for (size_t i = 0; i < g->ninputs; i++)
		weft_gen_end(g->inputs[i], -EPIPE);
}

int weft_gen_fail(struct weft_gen *g, int err)
{
	weft_gen_end(g, err > 0 ? -EINVAL : err);
	return -EPIPE;
}

/* Why g has ended: once. */
static int tell(struct weft_gen *g)
{
	bool told = g->told;

	g->told = true;
	return told ? -EPIPE : weft_load_acquire(&g->end); /* [end] */
}

/* Called by whoever ends the context: must not wait. */
static void context_ended(void *arg)
{
	struct weft_gen *g = arg;

	weft_gen_end(g, watch_why(&g->watch));
}

int weft_gen_attach(struct weft_gen *g, struct weft_ctx *ctx)
{
	return watch_begin(&g->watch, ctx, context_ended, g);
}

/* --- the next element --- */

int weft_gen_pull(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	int err;

	if (weft_load_acquire(&g->end)) /* [end] */
		return tell(g);
	err = g->kind->pull(g, elem, deadline_ns);
	if (err == -EPIPE) {
		weft_gen_end(g, -EPIPE);
		return tell(g);
	}
	if (!err)
		weft_store_relaxed(&g->taken, weft_load_relaxed(&g->taken) + 1);
	return err;
}

int weft_gen_pull_input(struct weft_gen *g, size_t input, void *elem,
                        int64_t deadline_ns)
{
	struct weft_gen *in = g->inputs[input];
	int err = weft_gen_pull(in, elem, deadline_ns);

	/* What it told is its end. Anything else passes by. */
	return err && err != -EPIPE && in->told ? weft_gen_fail(g, err) : err;
}

/* A call that runs functions of others. */
struct call {
	struct weft_gen *g;
	void *elem;
	int64_t deadline_ns;
	bool returned; /* not set when the thread was ended */
};

static int pull_called(void *arg)
{
	struct call *c = arg;

	return weft_gen_pull(c->g, c->elem, c->deadline_ns);
}

static void give_turn_back(struct weft_gen *g)
{
	weft_store_release(&g->turn, NULL); /* [turn] */
}

/* By the cleanup attribute also when pthread_exit() unwinds through here (this
 * file is built with -fexceptions). */
static void call_left(struct call *c)
{
	if (c->returned)
		return;
	weft_gen_let_go(c->g);
	weft_gen_end(c->g, -ECANCELED);
	give_turn_back(c->g);
}

/* A function that ends its task ends the generator, not its caller. */
static int pull_guarded(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	__attribute__((cleanup(call_left))) struct call c = {
		.g = g, .elem = elem, .deadline_ns = deadline_ns
	};
	int status = 0, err;

	err = weft_try(pull_called, &c, &status);
	c.returned = true;
	if (!err)
		return status;
	weft_gen_let_go(g);
	weft_gen_end(g, status < 0 ? status : -ECANCELED);
	return tell(g);
}

/* Whether a body behind g runs in this task: that must not wait for g. */
static bool runs_in(const struct weft_gen *g, const struct weft_task *task)
{
	if (g->body && weft_gen_body_runs_in(g->body, task))
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
static int take_turn(struct weft_gen *g)
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
	err = take_turn(g);
	if (err)
		return err;
	err = g->calls ? pull_guarded(g, elem, deadline_ns)
	               : weft_gen_pull(g, elem, deadline_ns);
	give_turn_back(g);
	return err;
}

/* --- elements that nobody gets --- */

void weft_gen_drop(struct weft_gen *g, void *elem)
{
	if (g->drop)
		g->drop(elem, g->drop_arg);
	else if (g->kind->drop)
		g->kind->drop(g, elem);
}

void weft_gen_drop_as_input(struct weft_gen *g, void *elem)
{
	weft_gen_drop(g->inputs[0], elem);
}

/* The one whose word it is: see weft_gen_drop(). */
static const struct weft_gen *who_drops(const struct weft_gen *g)
{
	while (!g->drop && g->kind->drop == weft_gen_drop_as_input)
		g = g->inputs[0];
	return g;
}

static bool drops_nothing(const struct weft_gen *g)
{
	g = who_drops(g);
	if (g->drop)
		return false;
	for (size_t i = 0; g->kind->drop && i < g->ninputs; i++)
		if (!drops_nothing(g->inputs[i]))
			return false;
	return true;
}

/* Part by part: the inputs have the same places in the element. */
static bool parts_alike(const struct weft_gen *a, const struct weft_gen *b)
{
	if (a->kind->drop != b->kind->drop || a->ninputs != b->ninputs)
		return false;
	for (size_t i = 0; i < a->ninputs; i++)
		if (a->inputs[i]->elem_size != b->inputs[i]->elem_size ||
		    !weft_gen_drop_alike(a->inputs[i], b->inputs[i]))
			return false;
	return true;
}

bool weft_gen_drop_alike(const struct weft_gen *a, const struct weft_gen *b)
{
	if (drops_nothing(a) || drops_nothing(b))
		return drops_nothing(a) && drops_nothing(b);
	a = who_drops(a);
	b = who_drops(b);
	if (a->drop || b->drop)
		return a->drop == b->drop && a->drop_arg == b->drop_arg;
	return parts_alike(a, b);
}

void weft_gen_let_go(struct weft_gen *g)
{
	if (g->kind->let_go)
		g->kind->let_go(g);
	/* Inputs with a body are another task's affair. */
	for (size_t i = 0; i < g->ninputs; i++)
		if (!g->inputs[i]->body)
			weft_gen_let_go(g->inputs[i]);
}

int weft_gen_set_drop(struct weft_gen *g,
                      void (*drop)(void *elem, void *drop_arg), void *drop_arg)
{
	/* A channel was told when it was made, and may be at work. */
	if (!g || g->body)
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
		g->calls |= in->calls;
	}
	return 0;
}

int weft_gen_make(struct weft_gen **out, const struct gen_kind *kind,
                  size_t bytes, size_t elem_size,
                  struct weft_gen *const *inputs, size_t n)
{
	struct weft_gen *g;
	int err;

	if (elem_size > WEFT_ELEM_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!inputs[i])
			return -EINVAL;
	g = cacheline_new(1, bytes);
	if (!g)
		return -ENOMEM;
	g->kind = kind;
	g->elem_size = elem_size;
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
	watch_end(&g->watch);
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
	weft_gen_end(g, -EPIPE);
	free_all(g);
}

/* --- the rest of the calls --- */

int weft_gen_stop(struct weft_gen *g)
{
	if (!g)
		return -EINVAL;
	weft_gen_end(g, -EPIPE);
	return 0;
}

/* *error becomes that of the most downstream body that failed. */
static int join_all(struct weft_gen *g, int64_t deadline_ns, int *error)
{
	int err = 0;

	if (g->body) {
		err = weft_gen_body_join(g->body, deadline_ns);
		if (!err && !*error)
			*error = weft_gen_body_result(g->body);
	}
	for (size_t i = 0; i < g->ninputs && !err; i++)
		err = join_all(g->inputs[i], deadline_ns, error);
	return err;
}

int weft_gen_join(struct weft_gen *g, int64_t deadline_ns)
{
	int error = 0, err;

	if (!g)
		return -EINVAL;
	if (runs_in(g, weft_self()))
		return -EDEADLK;
	err = join_all(g, deadline_ns, &error);
	return err ? err : error;
}

void weft_gen_stats(const struct weft_gen *g, struct weft_gen_stats *out)
{
	*out = (struct weft_gen_stats){ 0 };
	if (!g)
		return;
	out->taken = out->made = weft_load_relaxed(&g->taken);
	if (g->body)
		weft_gen_body_stats(g->body, out);
}
