/*
 * Tests of contexts as a tree: which end together, why, and what is left. The
 * numbers are those of the scenarios in the Go project's tests of its package
 * context that they come from.
 */
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/chan.h>
#include <weft/ctx.h>

#include "sync/internal.h"
#include "task/testing.h"

static struct weft_ctx *child_of(struct weft_ctx *parent)
{
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, parent), 0);
	return ctx;
}

static struct weft_ctx *until(struct weft_ctx *parent, int64_t deadline_ns)
{
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_deadline(&ctx, parent, deadline_ns), 0);
	return ctx;
}

static void check_ended(struct weft_ctx *ctx, int err, int cause)
{
	CHECK_EQ(weft_ctx_err(ctx), err);
	CHECK_EQ(weft_ctx_cause(ctx), cause);
	CHECK_EQ(weft_chan_try_recv(weft_ctx_done(ctx), NULL),
	         err ? -EPIPE : -EAGAIN);
}

/* --- one context --- */

TEST(the_background_never_ends)
{
	struct weft_ctx *both[] = { NULL, weft_ctx_background() };

	CHECK(both[1] != NULL);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(weft_ctx_err(both[i]), 0);
		CHECK_EQ(weft_ctx_cause(both[i]), 0);
		CHECK_EQ(weft_ctx_deadline(both[i]), WEFT_FOREVER);
		CHECK(weft_ctx_value(both[i], both) == NULL);
		CHECK(weft_ctx_done(both[i]) == NULL);
		CHECK_EQ(weft_ctx_cancel(both[i], 0), -EINVAL);
		CHECK(weft_ctx_ref(both[i]) == both[i]);
		weft_ctx_unref(both[i]);
	}
	return 0;
}

/* Its implementation can be asked for, but is none without a context. */
TEST(only_a_context_has_such_a_channel)
{
	struct weft_ctx *ctx = child_of(NULL);
	const struct weft_chan_impl *impl =
	        weft_chan_impl_of(weft_ctx_done(ctx));
	struct weft_chan *c = NULL;

	CHECK(impl != NULL);
	CHECK_EQ(weft_chan_new(&c, impl, 1, 0, NULL), -EINVAL);
	CHECK(c == NULL);
	weft_ctx_unref(ctx);
	return 0;
}

TEST(nonsense_is_refused)
{
	struct weft_ctx *ctx = NULL;

	CHECK_EQ(weft_ctx_with_cancel(NULL, NULL), -EINVAL);
	CHECK_EQ(weft_ctx_with_deadline(NULL, NULL, 1), -EINVAL);
	CHECK_EQ(weft_ctx_with_timeout(NULL, NULL, 1), -EINVAL);
	CHECK_EQ(weft_ctx_with_deadline_cause(NULL, NULL, 1, 0), -EINVAL);
	CHECK_EQ(weft_ctx_with_deadline_cause(&ctx, NULL, 1, 1), -EINVAL);
	CHECK_EQ(weft_ctx_with_timeout_cause(&ctx, NULL, 1, 1), -EINVAL);
	CHECK_EQ(weft_ctx_with_value(NULL, NULL, &ctx, NULL), -EINVAL);
	CHECK_EQ(weft_ctx_with_value(&ctx, NULL, NULL, &ctx), -EINVAL);
	CHECK_EQ(weft_ctx_without_cancel(NULL, NULL), -EINVAL);
	CHECK(ctx == NULL);
	ctx = child_of(NULL);
	CHECK_EQ(weft_ctx_cancel(ctx, 1), -EINVAL);
	check_ended(ctx, 0, 0);
	weft_ctx_unref(ctx);
	return 0;
}

/* G 62 */
TEST(the_first_cause_wins)
{
	struct weft_ctx *ctx = child_of(NULL);

	check_ended(ctx, 0, 0);
	CHECK_EQ(weft_ctx_cancel(ctx, -EIO), 0);
	CHECK_EQ(weft_ctx_cancel(ctx, -ENOENT), 0);
	check_ended(ctx, -ECANCELED, -EIO);
	weft_ctx_unref(ctx);

	ctx = child_of(NULL);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	check_ended(ctx, -ECANCELED, -ECANCELED);
	weft_ctx_unref(ctx);
	return 0;
}

TEST(closing_its_channel_cancels_the_context)
{
	struct weft_ctx *ctx = child_of(NULL), *child = child_of(ctx);

	CHECK_EQ(weft_chan_try_send(weft_ctx_done(ctx), NULL), -EAGAIN);
	CHECK_EQ(weft_chan_close(weft_ctx_done(ctx)), 0);
	CHECK_EQ(weft_chan_close(weft_ctx_done(ctx)), -EPIPE);
	CHECK_EQ(weft_chan_try_send(weft_ctx_done(ctx), NULL), -EPIPE);
	check_ended(child, -ECANCELED, -ECANCELED);
	weft_ctx_unref(child);
	weft_ctx_unref(ctx);
	return 0;
}

/* What somebody still has a reference to may be looked at. */
TEST(the_channel_may_outlive_its_context)
{
	struct weft_ctx *ctx[] = { child_of(NULL), child_of(NULL) };
	struct weft_chan *done[2];

	for (int i = 0; i < 2; i++)
		done[i] = weft_chan_ref(weft_ctx_done(ctx[i]));
	CHECK_EQ(weft_ctx_cancel(ctx[0], 0), 0);
	for (int i = 0; i < 2; i++)
		weft_ctx_unref(ctx[i]);
	CHECK_EQ(weft_chan_try_recv(done[0], NULL), -EPIPE);
	CHECK_EQ(weft_chan_try_recv(done[1], NULL), -EAGAIN);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(weft_chan_close(done[i]), -EPIPE);
		weft_chan_unref(done[i]);
	}
	return 0;
}

/* --- parents and children --- */

/* G 61 */
TEST(an_end_travels_down_and_not_up)
{
	struct weft_ctx *top = child_of(NULL), *mid = child_of(top),
	                *low[] = { child_of(mid), child_of(mid) };

	CHECK_EQ(weft_ctx_cancel(low[0], -ENOENT), 0);
	check_ended(low[0], -ECANCELED, -ENOENT);
	check_ended(low[1], 0, 0);
	check_ended(mid, 0, 0);
	CHECK_EQ(weft_ctx_cancel(mid, -EIO), 0);
	check_ended(low[0], -ECANCELED, -ENOENT);
	check_ended(low[1], -ECANCELED, -EIO);
	check_ended(mid, -ECANCELED, -EIO);
	check_ended(top, 0, 0);
	weft_ctx_unref(top); /* mid has it */
	weft_ctx_unref(mid);
	weft_ctx_unref(low[0]);
	weft_ctx_unref(low[1]);
	return 0;
}

/* G 61 */
TEST(a_child_of_an_ended_parent_is_born_ended)
{
	struct weft_ctx *parent = child_of(NULL), *child, *below;

	CHECK_EQ(weft_ctx_cancel(parent, -EIO), 0);
	child = child_of(parent);
	below = until(child, WEFT_FOREVER);
	check_ended(child, -ECANCELED, -EIO);
	check_ended(below, -ECANCELED, -EIO);
	CHECK_EQ(weft_ctx_cancel(child, -ENOENT), 0);
	check_ended(child, -ECANCELED, -EIO);
	weft_ctx_unref(below);
	weft_ctx_unref(child);
	weft_ctx_unref(parent);
	return 0;
}

/* G 61 */
TEST(a_child_that_goes_leaves_nothing_with_its_parent)
{
	struct weft_ctx *parent = child_of(NULL), *child[100];

	for (int i = 0; i < 100; i++)
		child[i] = child_of(parent);
	CHECK(!list_is_empty(&parent->children));
	for (int i = 0; i < 100; i++) {
		if (i % 2)
			CHECK_EQ(weft_ctx_cancel(child[i], 0), 0);
		weft_ctx_unref(child[i]);
	}
	CHECK(list_is_empty(&parent->children));
	CHECK_EQ(weft_load_relaxed(&parent->refs), (uint64_t)1);
	weft_ctx_unref(parent);
	return 0;
}

TEST(a_reference_keeps_a_context_for_others)
{
	struct weft_ctx *ctx = child_of(NULL);

	CHECK(weft_ctx_ref(ctx) == ctx);
	weft_ctx_unref(ctx);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	check_ended(ctx, -ECANCELED, -ECANCELED);
	weft_ctx_unref(ctx);
	return 0;
}

#define DEEP 10000

/* Neither the end nor the last reference may recurse. */
TEST(a_chain_of_10000_ends_and_goes)
{
	struct weft_ctx **chain = malloc(DEEP * sizeof(struct weft_ctx *));

	CHECK(chain != NULL);
	chain[0] = child_of(NULL);
	for (int i = 1; i < DEEP; i++)
		chain[i] = child_of(chain[i - 1]);
	CHECK_EQ(weft_ctx_cancel(chain[0], -EIO), 0);
	check_ended(chain[DEEP / 2], -ECANCELED, -EIO);
	check_ended(chain[DEEP - 1], -ECANCELED, -EIO);
	for (int i = 0; i < DEEP; i++)
		weft_ctx_unref(chain[i]); /* each but the last has a child */
	free(chain);
	return 0;
}

/* --- values, and what is cut off --- */

TEST(the_nearest_value_is_found)
{
	static const char color, size, shape;
	struct weft_ctx *top, *mid, *low;
	int red = 1, blue = 2, big = 3;

	CHECK_EQ(weft_ctx_with_value(&top, NULL, &color, &red), 0);
	CHECK_EQ(weft_ctx_with_value(&mid, top, &size, &big), 0);
	CHECK_EQ(weft_ctx_with_value(&low, mid, &color, &blue), 0);
	CHECK(weft_ctx_value(low, &color) == &blue);
	CHECK(weft_ctx_value(mid, &color) == &red);
	CHECK(weft_ctx_value(low, &size) == &big);
	CHECK(weft_ctx_value(top, &size) == NULL);
	CHECK(weft_ctx_value(low, &shape) == NULL);
	CHECK(weft_ctx_value(low, NULL) == NULL);
	CHECK_EQ(weft_ctx_cancel(top, 0), 0);
	check_ended(low, -ECANCELED, -ECANCELED);
	weft_ctx_unref(low);
	weft_ctx_unref(mid);
	weft_ctx_unref(top);
	return 0;
}

TEST_MANUAL(without_cancel_keeps_the_values_only)
{
	struct weft_ctx *parent, *cut, *below;
	struct weft_ctx *limit = until(NULL, weft_deadline_in(10));
	int value;

	CHECK_EQ(weft_ctx_with_value(&parent, limit, &parent, &value), 0);
	CHECK_EQ(weft_ctx_without_cancel(&cut, parent), 0);
	below = child_of(cut);
	CHECK_EQ(weft_ctx_deadline(parent), weft_now() + 10);
	CHECK_EQ(weft_ctx_deadline(cut), WEFT_FOREVER);
	CHECK(weft_ctx_value(below, &parent) == &value);
	CHECK_EQ(weft_ctx_cancel(limit, 0), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	check_ended(parent, -ECANCELED, -ECANCELED);
	check_ended(cut, 0, 0);
	check_ended(below, 0, 0);
	CHECK_EQ(weft_ctx_cancel(cut, -EIO), 0);
	check_ended(below, -ECANCELED, -EIO);
	weft_ctx_unref(limit);
	weft_ctx_unref(parent);
	weft_ctx_unref(cut);
	weft_ctx_unref(below);
	return 0;
}

/* --- deadlines --- */

/* G 62 */
TEST_MANUAL(a_deadline_is_no_later_than_the_parents)
{
	int64_t t0 = weft_now();
	struct weft_ctx *parent = until(NULL, t0 + 10), *early, *late, *plain;

	early = until(parent, t0 + 5);
	late = until(parent, t0 + 20);
	plain = child_of(parent);
	CHECK_EQ(weft_ctx_deadline(early), t0 + 5);
	CHECK_EQ(weft_ctx_deadline(late), t0 + 10);
	CHECK_EQ(weft_ctx_deadline(plain), t0 + 10);
	CHECK_EQ(weft_clock_advance(4), 0);
	check_ended(early, 0, 0);
	CHECK_EQ(weft_clock_advance(1), 0);
	check_ended(early, -ETIMEDOUT, -ETIMEDOUT);
	check_ended(parent, 0, 0);
	CHECK_EQ(weft_clock_advance(5), 0);
	check_ended(plain, -ETIMEDOUT, -ETIMEDOUT);
	check_ended(late, -ETIMEDOUT, -ETIMEDOUT);
	check_ended(parent, -ETIMEDOUT, -ETIMEDOUT);
	/* Neither can take the other's place. */
	CHECK_EQ(weft_ctx_cancel(parent, -EIO), 0);
	check_ended(parent, -ETIMEDOUT, -ETIMEDOUT);
	weft_ctx_unref(late);
	weft_ctx_unref(early);
	weft_ctx_unref(plain);
	weft_ctx_unref(parent);
	return 0;
}

TEST_MANUAL(a_cancel_before_the_deadline_stays_one)
{
	struct weft_ctx *parent = until(NULL, weft_deadline_in(10));
	struct weft_ctx *child = child_of(parent);

	CHECK_EQ(weft_ctx_cancel(parent, -EIO), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	check_ended(parent, -ECANCELED, -EIO);
	check_ended(child, -ECANCELED, -EIO);
	weft_ctx_unref(child);
	weft_ctx_unref(parent);
	return 0;
}

/* One that nobody looks at between its deadline and its parent's cancel, and
 * one that somebody did look at. */
TEST_MANUAL(a_cancel_passes_by_what_has_timed_out)
{
	struct weft_ctx *parent = child_of(NULL);
	struct weft_ctx *seen = until(parent, weft_deadline_in(10));
	struct weft_ctx *below = child_of(seen);

	CHECK_EQ(weft_clock_advance(10), 0);
	check_ended(seen, -ETIMEDOUT, -ETIMEDOUT);
	CHECK_EQ(weft_ctx_cancel(parent, 0), 0);
	check_ended(seen, -ETIMEDOUT, -ETIMEDOUT);
	check_ended(below, -ETIMEDOUT, -ETIMEDOUT);
	weft_ctx_unref(below);
	weft_ctx_unref(seen);
	weft_ctx_unref(parent);
	return 0;
}

/* Nobody looks at any of them between their deadlines and the cancel. */
TEST_MANUAL(a_deadline_that_has_come_wins_over_a_later_cancel)
{
	struct weft_ctx *parent = child_of(NULL);
	struct weft_ctx *early = until(parent, weft_deadline_in(10));
	struct weft_ctx *below = child_of(early);
	struct weft_ctx *earlier = until(below, weft_deadline_in(9));
	struct weft_ctx *late = until(parent, weft_deadline_in(11));
	struct weft_ctx *born, *beside = child_of(parent);

	CHECK_EQ(weft_ctx_with_timeout(&born, beside, 0), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	CHECK_EQ(weft_ctx_cancel(parent, -EXDEV), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	check_ended(parent, -ECANCELED, -EXDEV);
	check_ended(early, -ETIMEDOUT, -ETIMEDOUT);
	check_ended(below, -ETIMEDOUT, -ETIMEDOUT);
	check_ended(earlier, -ETIMEDOUT, -ETIMEDOUT);
	check_ended(late, -ECANCELED, -EXDEV);
	check_ended(beside, -ECANCELED, -EXDEV);
	check_ended(born, -ETIMEDOUT, -ETIMEDOUT);
	weft_ctx_unref(born);
	weft_ctx_unref(beside);
	weft_ctx_unref(late);
	weft_ctx_unref(earlier);
	weft_ctx_unref(below);
	weft_ctx_unref(early);
	weft_ctx_unref(parent);
	return 0;
}

static struct weft_ctx *until_because(struct weft_ctx *parent,
                                      int64_t deadline_ns, int cause)
{
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_deadline_cause(&ctx, parent, deadline_ns, cause),
	         0);
	return ctx;
}

/* That of the deadline which ends it, be it its own or inherited. */
TEST_MANUAL(a_deadline_has_a_cause)
{
	int64_t t0 = weft_now();
	struct weft_ctx *parent = until_because(NULL, t0 + 10, -EIO);
	struct weft_ctx *plain = child_of(parent), *none, *cancelled;
	struct weft_ctx *early = until_because(parent, t0 + 5, -EXDEV);
	struct weft_ctx *same = until_because(parent, t0 + 10, -EXDEV);
	struct weft_ctx *late = until_because(parent, t0 + 20, -EXDEV);

	CHECK_EQ(weft_ctx_with_timeout_cause(&none, parent, 5, 0), 0);
	CHECK_EQ(weft_ctx_with_timeout_cause(&cancelled, NULL, 5, -EXDEV), 0);
	CHECK_EQ(weft_ctx_cancel(cancelled, -EBUSY), 0);
	check_ended(parent, 0, 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	check_ended(parent, -ETIMEDOUT, -EIO);
	check_ended(plain, -ETIMEDOUT, -EIO);
	check_ended(early, -ETIMEDOUT, -EXDEV);
	check_ended(same, -ETIMEDOUT, -EIO);
	check_ended(late, -ETIMEDOUT, -EIO);
	check_ended(none, -ETIMEDOUT, -ETIMEDOUT);
	check_ended(cancelled, -ECANCELED, -EBUSY);
	weft_ctx_unref(cancelled);
	weft_ctx_unref(none);
	weft_ctx_unref(late);
	weft_ctx_unref(same);
	weft_ctx_unref(early);
	weft_ctx_unref(plain);
	weft_ctx_unref(parent);
	return 0;
}

TEST_MANUAL(odd_deadlines_make_sense)
{
	int64_t expired[] = { WEFT_NOW, -1, INT64_MIN, weft_now() };
	struct weft_ctx *ctx;

	for (size_t i = 0; i < sizeof(expired) / sizeof(expired[0]); i++) {
		ctx = until(NULL, expired[i]);
		check_ended(ctx, -ETIMEDOUT, -ETIMEDOUT);
		weft_ctx_unref(ctx);
	}
	/* F 55 */
	CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, INT64_MAX), 0);
	CHECK_EQ(weft_ctx_deadline(ctx), WEFT_FOREVER);
	check_ended(ctx, 0, 0);
	weft_ctx_unref(ctx);
	CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, INT64_MIN), 0);
	check_ended(ctx, -ETIMEDOUT, -ETIMEDOUT);
	weft_ctx_unref(ctx);
	return 0;
}

/* --- many at once --- */

#define TASKS 6
#define WIDE 4
#define FANOUT 3

/* A tree of contexts in one array: the children of i are FANOUT * i + 1.. */
struct tree {
	struct weft_ctx *ctx[1 + FANOUT + FANOUT * FANOUT];
	_Atomic int at_gate;
	bool cancels_all;
};

#define NODES (sizeof(((struct tree *)0)->ctx) / sizeof(struct weft_ctx *))

static void check_all_below(struct tree *t, size_t i)
{
	if (i >= NODES)
		return;
	CHECK_EQ(weft_ctx_err(t->ctx[i]), -ECANCELED);
	for (size_t k = 1; k <= FANOUT; k++)
		check_all_below(t, FANOUT * i + k);
}

/* The canceller whose cause it is knows that its call ended the context: then
 * all that is below has ended too, even while other cancellers are at it. */
static int cancels_one(void *arg)
{
	struct tree *t = arg;
	size_t i = t->cancels_all ? 0 : weft_rand() % NODES;
	int mine = -1 - weft_fetch_add_acq_rel(&t->at_gate, 1);

	while (weft_load_acquire(&t->at_gate) < TASKS)
		weft_yield();
	CHECK_EQ(weft_ctx_cancel(t->ctx[i], mine), 0);
	CHECK_EQ(weft_ctx_err(t->ctx[i]), -ECANCELED);
	if (weft_ctx_cause(t->ctx[i]) == mine)
		check_all_below(t, i);
	return 0;
}

static void cancel_at_once(bool cancels_all)
{
	struct tree t = { .cancels_all = cancels_all };
	struct weft_task *task[TASKS];

	for (size_t i = 0; i < NODES; i++)
		t.ctx[i] = child_of(i ? t.ctx[(i - 1) / FANOUT] : NULL);
	for (int i = 0; i < TASKS; i++)
		task[i] = testing_spawn(cancels_one, &t);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(testing_join(task[i]), 0);
	for (size_t i = 0; i < NODES; i++) {
		CHECK(!cancels_all ||
		      weft_ctx_cause(t.ctx[i]) == weft_ctx_cause(t.ctx[0]));
		weft_ctx_unref(t.ctx[i]);
	}
}

/* G 62 */
TEST(simultaneous_cancels_have_one_cause)
{
	for (int i = 0; i < (TESTING_SLOW ? 30 : 200); i++)
		cancel_at_once(true);
	return 0;
}

/* G 62 */
TEST(interlocked_cancels_reach_all_that_is_below)
{
	for (int i = 0; i < (TESTING_SLOW ? 100 : 600); i++)
		cancel_at_once(false);
	return 0;
}

/* A long way down: a cancel at the top has ended the bottom too when it
 * returns, although another canceller is on the way there. */
struct shaft {
	struct weft_ctx *top, *below, *bottom;
	_Atomic int begun;
};

static int cancels_below(void *arg)
{
	struct shaft *s = arg;

	weft_store_release(&s->begun, 1);
	return weft_ctx_cancel(s->below, -EIO);
}

static void shaft_once(int depth)
{
	struct shaft s = { .top = child_of(NULL) };
	struct weft_task *t;

	s.bottom = s.below = child_of(s.top);
	for (int i = 0; i < depth; i++) {
		struct weft_ctx *next = child_of(s.bottom);

		if (s.bottom != s.below)
			weft_ctx_unref(s.bottom); /* next has it */
		s.bottom = next;
	}
	t = testing_spawn(cancels_below, &s);
	while (!weft_load_acquire(&s.begun) || !weft_ctx_err(s.below))
		weft_yield();
	CHECK_EQ(weft_ctx_cancel(s.top, -ENOENT), 0);
	check_ended(s.bottom, -ECANCELED, -EIO);
	CHECK_EQ(testing_join(t), 0);
	weft_ctx_unref(s.bottom);
	weft_ctx_unref(s.below);
	weft_ctx_unref(s.top);
}

/* G 62 */
TEST(the_upper_of_two_cancels_waits_for_the_lower)
{
	for (int i = 0; i < (TESTING_SLOW ? 5 : 20); i++)
		shaft_once(3000);
	return 0;
}

/* Children come and go, some with children, while their parent ends. */
static int makes_children(void *arg)
{
	struct weft_ctx *parent = arg, *child, *below;

	for (bool ended = false; !ended;) {
		ended = weft_ctx_err(parent) != 0;
		child = child_of(parent);
		below = child_of(child);
		if (ended)
			CHECK_EQ(weft_ctx_cause(below), -EIO);
		if (weft_rand() % 2)
			CHECK_EQ(weft_ctx_cancel(child, -EIO), 0);
		weft_ctx_unref(child);
		weft_ctx_unref(below);
	}
	return 0;
}

static void end_a_parent(int round)
{
	struct weft_ctx *parent = child_of(NULL);
	struct weft_task *task[WIDE];

	for (int i = 0; i < WIDE; i++)
		task[i] = testing_spawn(makes_children, parent);
	for (int i = 0; i < round % 4; i++)
		weft_yield();
	CHECK_EQ(weft_ctx_cancel(parent, -EIO), 0);
	for (int i = 0; i < WIDE; i++)
		CHECK_EQ(testing_join(task[i]), 0);
	CHECK(list_is_empty(&parent->children));
	CHECK_EQ(weft_load_relaxed(&parent->refs), (uint64_t)1);
	weft_ctx_unref(parent);
}

TEST(children_may_come_and_go_while_the_parent_ends)
{
	for (int i = 0; i < (TESTING_SLOW ? 30 : 60); i++)
		end_a_parent(i);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_background_never_ends),
		cmocka_unit_test(only_a_context_has_such_a_channel),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(the_first_cause_wins),
		cmocka_unit_test(closing_its_channel_cancels_the_context),
		cmocka_unit_test(the_channel_may_outlive_its_context),
		cmocka_unit_test(an_end_travels_down_and_not_up),
		cmocka_unit_test(a_child_of_an_ended_parent_is_born_ended),
		cmocka_unit_test(
		        a_child_that_goes_leaves_nothing_with_its_parent),
		cmocka_unit_test(a_reference_keeps_a_context_for_others),
		cmocka_unit_test(a_chain_of_10000_ends_and_goes),
		cmocka_unit_test(the_nearest_value_is_found),
		cmocka_unit_test(without_cancel_keeps_the_values_only),
		cmocka_unit_test(a_deadline_is_no_later_than_the_parents),
		cmocka_unit_test(a_cancel_before_the_deadline_stays_one),
		cmocka_unit_test(a_cancel_passes_by_what_has_timed_out),
		cmocka_unit_test(
		        a_deadline_that_has_come_wins_over_a_later_cancel),
		cmocka_unit_test(a_deadline_has_a_cause),
		cmocka_unit_test(odd_deadlines_make_sense),
		cmocka_unit_test(simultaneous_cancels_have_one_cause),
		cmocka_unit_test(interlocked_cancels_reach_all_that_is_below),
		cmocka_unit_test(the_upper_of_two_cancels_waits_for_the_lower),
		cmocka_unit_test(
		        children_may_come_and_go_while_the_parent_ends),
	};

	return cmocka_run_group_tests_name("ctx", tests, NULL, NULL);
}
