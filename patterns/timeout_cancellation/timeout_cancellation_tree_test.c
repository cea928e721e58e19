/*
 * Tests of trees of contexts, as the requirements number them; those of
 * core/sync look at each call by itself.
 *
 *	E1  a parent's end is that of all below, a child's is its own
 *	E2  children of a parent that has ended, or is just about to
 *	E3  deadlines that have come, and a parent's that is earlier
 *	E4  the first cause wins
 *	E5  cancels at once, anywhere in the tree, and within one another
 *	E6  a cancel before the deadline: no timer is left, and none fires
 *	E7  functions that are called at the end
 *	E8  a context that is cut off
 *	E9  layers of any kind
 */
#include <errno.h>
#include <stdlib.h>

#include <weft/atomic.h>

#include "base/check.h"
#include "sync/internal.h"
#include "testing/testing.h"

static struct weft_ctx *child_of(struct weft_ctx *parent)
{
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, parent), 0);
	return ctx;
}

static void cancel(struct weft_ctx *ctx, int cause)
{
	CHECK_EQ(weft_ctx_cancel(ctx, cause), 0);
}

static void expect(struct weft_ctx *ctx, int err, int cause)
{
	CHECK_EQ(weft_ctx_err(ctx), err);
	CHECK_EQ(weft_ctx_cause(ctx), cause);
}

/* --- E1, E2 --- */

#define CHILDREN 10000

TEST(E1_a_cancel_reaches_10000_children)
{
	struct weft_ctx *root = child_of(NULL);
	static struct weft_ctx *child[CHILDREN];

	for (int i = 0; i < CHILDREN; i++)
		child[i] = child_of(root);
	/* A child that ends, and one that goes, leave the others alone. */
	cancel(child[0], -ENOSPC);
	weft_ctx_unref(child[1]);
	CHECK_EQ(list_len(&root->children), (size_t)CHILDREN - 1);
	expect(root, 0, 0);
	cancel(root, -EXDEV);
	CHECK_EQ(list_len(&root->children), (size_t)0);
	expect(child[0], -ECANCELED, -ENOSPC);
	weft_ctx_unref(child[0]);
	for (int i = 2; i < CHILDREN; i++) {
		expect(child[i], -ECANCELED, -EXDEV);
		weft_ctx_unref(child[i]);
	}
	weft_ctx_unref(root);
	return 0;
}

static int make_children(void *arg)
{
	struct weft_ctx *child[8];

	for (int i = 0; i < 8; i++)
		child[i] = child_of(arg);
	/* Whether it came before the cancel or after it. */
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(weft_chan_recv(weft_ctx_done(child[i]), NULL,
		                        WEFT_FOREVER),
		         -EPIPE);
		expect(child[i], -ECANCELED, -EXDEV);
		weft_ctx_unref(child[i]);
	}
	return 0;
}

TEST(E2_children_that_come_while_the_parent_ends_end_as_well)
{
	for (int round = 0; round < 100; round++) {
		struct weft_ctx *root = child_of(NULL), *late;
		struct weft_task *t = testing_spawn(make_children, root);

		for (uint64_t n = weft_rand() % 200; n > 0; n--)
			weft_relax();
		cancel(root, -EXDEV);
		late = child_of(root);
		expect(late, -ECANCELED, -EXDEV);
		CHECK_EQ(testing_join(t), 0);
		weft_ctx_unref(late);
		weft_ctx_unref(root);
	}
	return 0;
}

/* --- E3, E4: a tree of two --- */

enum { OPEN, CANCEL, DEADLINE };

/* What ends parent and child, which of them is first, and with what causes;
 * then what either of them says. Causes of 0 are not given. */
static const struct cause_case {
	int parent, child;
	bool child_first;
	int of_parent, of_child;
	int parent_err, parent_cause, child_err, child_cause;
} causes[] = {
	{ OPEN, OPEN, 0, 0, 0, 0, 0, 0, 0 },
	{ CANCEL, OPEN, 0, 0, 0, -ECANCELED, -ECANCELED, -ECANCELED,
	  -ECANCELED },
	{ CANCEL, OPEN, 0, -EXDEV, 0, -ECANCELED, -EXDEV, -ECANCELED, -EXDEV },
	{ OPEN, CANCEL, 1, 0, 0, 0, 0, -ECANCELED, -ECANCELED },
	{ OPEN, CANCEL, 1, 0, -ENOSPC, 0, 0, -ECANCELED, -ENOSPC },
	{ CANCEL, CANCEL, 0, -EXDEV, -ENOSPC, -ECANCELED, -EXDEV, -ECANCELED,
	  -EXDEV },
	{ CANCEL, CANCEL, 1, -EXDEV, -ENOSPC, -ECANCELED, -EXDEV, -ECANCELED,
	  -ENOSPC },
	{ CANCEL, CANCEL, 1, -EXDEV, 0, -ECANCELED, -EXDEV, -ECANCELED,
	  -ECANCELED },
	{ DEADLINE, OPEN, 0, 0, 0, -ETIMEDOUT, -ETIMEDOUT, -ETIMEDOUT,
	  -ETIMEDOUT },
	{ DEADLINE, OPEN, 0, -EXDEV, 0, -ETIMEDOUT, -EXDEV, -ETIMEDOUT,
	  -EXDEV },
	{ OPEN, DEADLINE, 1, 0, 0, 0, 0, -ETIMEDOUT, -ETIMEDOUT },
	{ OPEN, DEADLINE, 1, 0, -ENOSPC, 0, 0, -ETIMEDOUT, -ENOSPC },
	/* The earlier of two deadlines. */
	{ DEADLINE, DEADLINE, 0, -EXDEV, -ENOSPC, -ETIMEDOUT, -EXDEV,
	  -ETIMEDOUT, -EXDEV },
	{ DEADLINE, DEADLINE, 1, -EXDEV, -ENOSPC, -ETIMEDOUT, -EXDEV,
	  -ETIMEDOUT, -ENOSPC },
	/* A cause for the deadline is none of a cancel, and does not last
	 * beyond one; nor does a cancel change what had timed out. */
	{ CANCEL, DEADLINE, 0, -EXDEV, -ENOSPC, -ECANCELED, -EXDEV, -ECANCELED,
	  -EXDEV },
	{ CANCEL, DEADLINE, 1, -EXDEV, -ENOSPC, -ECANCELED, -EXDEV, -ETIMEDOUT,
	  -ENOSPC },
	{ DEADLINE, CANCEL, 1, -EXDEV, -ENOSPC, -ETIMEDOUT, -EXDEV, -ECANCELED,
	  -ENOSPC },
	{ DEADLINE, CANCEL, 0, -EXDEV, -ENOSPC, -ETIMEDOUT, -EXDEV, -ETIMEDOUT,
	  -EXDEV },
};

static struct weft_ctx *in_tree(struct weft_ctx *parent, int kind, int64_t ns,
                                int cause)
{
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_deadline_cause(
	                 &ctx, parent,
	                 kind == DEADLINE ? weft_deadline_in(ns) : WEFT_FOREVER,
	                 kind == DEADLINE ? cause : 0),
	         0);
	return ctx;
}

TEST_MANUAL(E3_E4_the_first_end_wins_with_its_cause)
{
	for (size_t i = 0; i < sizeof(causes) / sizeof(*causes); i++) {
		const struct cause_case *c = &causes[i];
		struct weft_ctx *parent = in_tree(
		        NULL, c->parent, c->child_first ? 2 : 1, c->of_parent);
		struct weft_ctx *child = in_tree(
		        parent, c->child, c->child_first ? 1 : 2, c->of_child);

		for (int step = 0; step < 2; step++) {
			bool childs = c->child_first == (step == 0);
			int kind = childs ? c->child : c->parent;

			CHECK_EQ(weft_clock_advance(1), 0);
			if (kind == CANCEL)
				cancel(childs ? child : parent,
				       childs ? c->of_child : c->of_parent);
		}
		expect(child, c->child_err, c->child_cause);
		expect(parent, c->parent_err, c->parent_cause);
		weft_ctx_unref(child);
		weft_ctx_unref(parent);
	}
	return 0;
}

TEST_MANUAL(E3_a_deadline_that_has_come_ends_at_once)
{
	const int64_t come[] = { WEFT_NOW, INT64_MIN, weft_now() };
	struct weft_ctx *ctx;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(weft_ctx_with_deadline(&ctx, NULL, come[i]), 0);
		expect(ctx, -ETIMEDOUT, -ETIMEDOUT);
		cancel(ctx, -EXDEV);
		expect(ctx, -ETIMEDOUT, -ETIMEDOUT);
		weft_ctx_unref(ctx);
	}
	return 0;
}

/* --- E5 --- */

#define NODES 100

struct cancels {
	struct weft_ctx *node[NODES];
	unsigned first, step;
};

/* All of them, in an order of one's own. */
static int cancel_each(void *arg)
{
	struct cancels *c = arg;

	for (unsigned i = 0; i < NODES; i++)
		cancel(c->node[(c->first + i * c->step) % NODES],
		       -(int)(1 + c->first));
	return 0;
}

static void cancel_arg(void *ctx)
{
	cancel(ctx, -ENOSPC);
}

TEST(E5_all_of_a_tree_may_be_cancelled_at_once)
{
	static const unsigned steps[] = { 1, 7, 99 };
	struct cancels c[3];
	struct weft_task *t[3];

	for (int round = 0; round < (TESTING_SLOW ? 30 : 300); round++) {
		for (int i = 0; i < NODES; i++)
			c[0].node[i] =
			        child_of(i ? c[0].node[(i - 1) / 2] : NULL);
		for (unsigned i = 0; i < 3; i++) {
			c[i] = c[0];
			c[i].step = steps[i];
			c[i].first = (unsigned)(weft_rand() % NODES);
		}
		for (int i = 0; i < 3; i++)
			t[i] = testing_spawn(cancel_each, &c[i]);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(testing_join(t[i]), 0);
		for (int i = NODES - 1; i >= 0; i--) {
			CHECK_EQ(weft_ctx_err(c[0].node[i]), -ECANCELED);
			CHECK(list_is_empty(&c[0].node[i]->children));
			weft_ctx_unref(c[0].node[i]);
		}
	}
	return 0;
}

/* From within the cancel of its parent, and the other way round. */
TEST(E5_cancels_may_be_interlocked)
{
	for (int down = 0; down < 2; down++) {
		struct weft_ctx *parent = child_of(NULL);
		struct weft_ctx *child = child_of(parent);
		struct weft_ctx *outer = down ? child : parent;
		struct weft_ctx *inner = down ? parent : child;
		struct weft_ctx_func f;

		CHECK_EQ(weft_ctx_after(outer, &f, cancel_arg, inner), 0);
		cancel(outer, -EXDEV);
		expect(outer, -ECANCELED, -EXDEV);
		expect(inner, -ECANCELED, down ? -ENOSPC : -EXDEV);
		CHECK(!weft_ctx_after_stop(&f));
		weft_ctx_unref(child);
		weft_ctx_unref(parent);
	}
	return 0;
}

/* --- E6, E7, E8 --- */

static void note(void *arg)
{
	weft_fetch_add_relaxed((_Atomic int *)arg, 1);
}

TEST_MANUAL(E6_a_cancel_in_time_leaves_no_timer)
{
	_Atomic int calls = 0;
	struct weft_run_stats stats;
	struct weft_ctx_func f;
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, 10), 0);
	CHECK_EQ(weft_ctx_after(ctx, &f, note, (void *)&calls), 0);
	testing_pass(9);
	cancel(ctx, 0);
	CHECK_EQ(weft_load_relaxed(&calls), 1);
	CHECK(!weft_ctx_after_stop(&f));
	testing_pass(2 * WEFT_SEC);
	expect(ctx, -ECANCELED, -ECANCELED);
	CHECK_EQ(weft_load_relaxed(&calls), 1);
	weft_run_stats(&stats);
	CHECK_EQ(stats.live, (uint64_t)1);
	weft_ctx_unref(ctx);
	return 0;
}

TEST_MANUAL(E7_a_function_is_called_once_and_not_after_its_stop)
{
	_Atomic int calls = 0;
	struct weft_ctx *ctx = child_of(NULL);
	struct weft_ctx_func stopped, called, late;

	CHECK_EQ(weft_ctx_after(ctx, &stopped, note, (void *)&calls), 0);
	CHECK_EQ(weft_ctx_after(ctx, &called, note, (void *)&calls), 0);
	CHECK(weft_ctx_after_stop(&stopped));
	CHECK_EQ(weft_load_relaxed(&calls), 0);
	cancel(ctx, 0);
	cancel(ctx, 0);
	CHECK_EQ(weft_load_relaxed(&calls), 1);
	CHECK(!weft_ctx_after_stop(&called));
	CHECK_EQ(weft_ctx_after(ctx, &late, note, (void *)&calls), 0);
	CHECK_EQ(weft_load_relaxed(&calls), 2);
	CHECK(!weft_ctx_after_stop(&late));
	weft_ctx_unref(ctx);
	return 0;
}

TEST_MANUAL(E8_what_is_cut_off_has_the_values_only)
{
	struct weft_ctx *timed, *valued, *cut, *below;
	int key;

	CHECK_EQ(weft_ctx_with_timeout(&timed, NULL, 10), 0);
	CHECK_EQ(weft_ctx_with_value(&valued, timed, &key, &cut), 0);
	CHECK_EQ(weft_ctx_without_cancel(&cut, valued), 0);
	below = child_of(cut);
	CHECK_EQ(weft_ctx_deadline(below), WEFT_FOREVER);
	testing_pass(10);
	expect(valued, -ETIMEDOUT, -ETIMEDOUT);
	expect(below, 0, 0);
	CHECK(weft_ctx_value(below, &key) == &cut);
	weft_ctx_unref(below);
	weft_ctx_unref(cut);
	weft_ctx_unref(valued);
	weft_ctx_unref(timed);
	return 0;
}

/* --- E9 --- */

#define LAYERS 30

/* What a chain of layers must be like, kept beside it. */
struct layers {
	struct weft_ctx *ctx[LAYERS + 1];
	int value[LAYERS + 1]; /* by its address; the key is, too */
	bool has_value[LAYERS + 1];
	int64_t deadline_ns;
	int cut; /* the last layer that is cut off, from which all end */
};

static void add_layer(struct layers *l, int i)
{
	struct weft_ctx **out = &l->ctx[i], *parent = l->ctx[i - 1];
	int64_t deadline_ns =
	        weft_deadline_in((int64_t)(1 + weft_rand() % 1000));
	int err;

	switch (weft_rand() % 8) {
	case 0:
		err = weft_ctx_without_cancel(out, parent);
		l->cut = i;
		l->deadline_ns = WEFT_FOREVER;
		break;
	case 1:
	case 2:
	case 3:
		err = weft_ctx_with_value(out, parent, &l->value[i],
		                          &l->value[i]);
		l->has_value[i] = true;
		break;
	case 4:
	case 5:
		err = weft_ctx_with_deadline(out, parent, deadline_ns);
		if (deadline_ns < l->deadline_ns)
			l->deadline_ns = deadline_ns;
		break;
	default:
		err = weft_ctx_with_cancel(out, parent);
	}
	CHECK_EQ(err, 0);
}

static void end_layers(struct layers *l)
{
	struct weft_ctx *last = l->ctx[LAYERS];
	bool by_deadline = l->deadline_ns != WEFT_FOREVER && weft_rand() % 2;

	expect(last, 0, 0);
	CHECK_EQ(weft_ctx_deadline(last), l->deadline_ns);
	for (int i = 1; i <= LAYERS; i++)
		CHECK(weft_ctx_value(last, &l->value[i]) ==
		      (l->has_value[i] ? &l->value[i] : NULL));
	if (by_deadline)
		CHECK_EQ(weft_clock_advance(l->deadline_ns - weft_now()), 0);
	else
		cancel(l->ctx[l->cut], -EXDEV);
	for (int i = l->cut; i <= LAYERS && !by_deadline; i++)
		expect(l->ctx[i], -ECANCELED, -EXDEV);
	expect(last, by_deadline ? -ETIMEDOUT : -ECANCELED,
	       by_deadline ? -ETIMEDOUT : -EXDEV);
	if (l->cut && !by_deadline)
		expect(l->ctx[0], 0, 0);
}

TEST_MANUAL(E9_layers_of_any_kind_make_sense)
{
	for (int round = 0; round < 500; round++) {
		struct layers l = { .deadline_ns = WEFT_FOREVER };

		l.ctx[0] = child_of(NULL);
		for (int i = 1; i <= LAYERS; i++)
			add_layer(&l, i);
		end_layers(&l);
		for (int i = LAYERS; i >= 0; i--)
			weft_ctx_unref(l.ctx[i]);
	}
	return 0;
}
