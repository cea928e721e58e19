/*
 * Tests of the supervisor on the manual clock. How it ends is tested by its
 * life.c; E1 to E12 are the numbers of the requirements:
 *
 *	E1  the arithmetic of failures, decay, threshold and pause
 *	E2  which ends are failures, and whom they start again
 *	E3  what hangs: stopping, removing, the report of it
 *	E4  an error that looks like the end of its context is a failure
 *	E5  a child ends the tree, or its part of it
 *	E6  calls at the wrong time
 *	E8  the failure of a child that is being removed
 *	E10 order of the shutdown
 *	E11 no restart storm
 *	E12 groups
 *
 * E7 and E9, no races and no two lives at once, are in supervisor_storm_test.c.
 */
#include "supervisor_testing.h"

/* --- E2: which ends are failures --- */

struct policy {
	enum weft_child_kind kind;
	int order;
	const char *says; /* after it was started */
	enum weft_child_end end;
	int status;
};

static const struct policy policies[] = {
	{ WEFT_PERMANENT, 0, ".1 +1", WEFT_ENDED_BY_RETURN, 0 },
	{ WEFT_PERMANENT, -EIO, "!1 +1", WEFT_ENDED_BY_RETURN, -EIO },
	{ WEFT_TRANSIENT, 0, ".1", WEFT_ENDED_BY_RETURN, 0 },
	{ WEFT_TRANSIENT, -EIO, "!1 +1", WEFT_ENDED_BY_RETURN, -EIO },
	{ WEFT_TRANSIENT, 7, "!1 +1", WEFT_ENDED_BY_RETURN, 7 },
	{ WEFT_TRANSIENT, EXIT, "!1 +1", WEFT_ENDED_BY_EXIT, 0 },
	{ WEFT_TRANSIENT, THREAD, "!1 +1", WEFT_ENDED_BY_THREAD, -ECANCELED },
	{ WEFT_TEMPORARY, 0, ".1", WEFT_ENDED_BY_RETURN, 0 },
	{ WEFT_TEMPORARY, -EIO, "!1", WEFT_ENDED_BY_RETURN, -EIO },
	{ WEFT_PERMANENT, WEFT_NO_RESTART, ".1", WEFT_ENDED_BY_RETURN,
	  WEFT_NO_RESTART },
	/* E4 */
	{ WEFT_TRANSIENT, -ECANCELED, "!1 +1", WEFT_ENDED_BY_RETURN,
	  -ECANCELED },
};

TEST_MANUAL(E2_E4_an_end_is_a_failure_or_not_and_restarts_or_not)
{
	for (size_t i = 0; i < sizeof(policies) / sizeof(*policies); i++) {
		const struct policy *p = &policies[i];
		struct record r;
		struct weft_supervisor *s =
		        make_recorded(&r, (struct weft_supervisor_opts){ 0 });
		bool failed = p->says[0] == '!', again = strchr(p->says, '+');
		struct actor a;
		int status;

		actor_add(&a, s, (struct weft_child_opts){ .kind = p->kind });
		CHECK_EQ(weft_clock_settle(), 0);
		said(&r, "+1");
		tell(&a, p->order);
		said(&r, p->says);
		CHECK(r.last.end == p->end);
		CHECK_EQ(r.last.status, p->status);
		CHECK_EQ(r.last.delay_ns, again ? 0 : -1);
		CHECK_EQ(stats(s).failed, (uint64_t)failed);
		CHECK_EQ(stats(s).restarts, (uint64_t)again);
		CHECK_EQ(stats(s).running, (uint64_t)again);
		CHECK_EQ(weft_supervisor_wait(s, a.id, &status, WEFT_NOW),
		         again ? -ETIMEDOUT : 0);
		if (!again)
			CHECK_EQ(status, p->status);
		weft_supervisor_free(s);
	}
	return 0;
}

TEST_MANUAL(a_closed_one_ends_with_the_last_of_its_children)
{
	struct record r;
	struct weft_supervisor *s =
	        make_recorded(&r, (struct weft_supervisor_opts){ 0 });
	struct actor a, b;

	actor_add(&a, s, (struct weft_child_opts){ .kind = WEFT_TRANSIENT });
	actor_add(&b, s, (struct weft_child_opts){ .kind = WEFT_TEMPORARY });
	CHECK_EQ(weft_supervisor_close(s), 0);
	tell(&b, -EIO);
	tell(&a, -EIO);
	CHECK_EQ(weft_supervisor_join(s, WEFT_NOW), -ETIMEDOUT);
	tell(&a, 0);
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), 0);
	said(&r, "+1 +2 !2 !1 +1 .1");
	weft_supervisor_free(s);
	return 0;
}

/* --- E1: intensity --- */

/* Two fail by turns, and a third runs on. */
TEST_MANUAL(E1_failures_decay_and_too_many_make_a_pause)
{
	struct record r;
	struct weft_supervisor *s = make_recorded(
	        &r, (struct weft_supervisor_opts){ .intensity = 3.5,
	                                           .decay_ns = 10 * WEFT_SEC,
	                                           .pause_ns = 5 * WEFT_SEC });
	struct actor a, b, c;

	actor_add(&a, s, (struct weft_child_opts){ 0 });
	actor_add(&b, s, (struct weft_child_opts){ 0 });
	actor_add(&c, s, (struct weft_child_opts){ 0 });
	tell(&a, -EIO);
	CHECK_EQ((int)(100 * stats(s).score), 100);
	tell(&b, -EIO);
	CHECK_EQ((int)(100 * stats(s).score), 200);
	testing_pass(10 * WEFT_SEC);
	tell(&a, EXIT);
	CHECK_EQ((int)(100 * stats(s).score), 200);
	tell(&a, -EIO);
	CHECK_EQ((int)(100 * stats(s).score), 300);
	said(&r, "+1 +2 +3 !1 +1 !2 +2 !1 +1 !1 +1");
	tell(&a, -EIO);
	CHECK_EQ((int)(100 * stats(s).score), 400);
	tell(&b, -EIO); /* in the pause */
	said(&r, "!1 P !2");
	testing_pass(5 * WEFT_SEC - 1);
	CHECK_EQ(state_of(&a), WEFT_CHILD_WAITING);
	CHECK_EQ(state_of(&c), WEFT_CHILD_RUNNING);
	testing_pass(1);
	said(&r, "R +1 +2");
	CHECK_EQ((int)(100 * stats(s).score), 0);
	CHECK_EQ(lives(&c), 1u);
	weft_supervisor_free(s);
	return 0;
}

TEST_MANUAL(too_many_restarts_without_a_pause_end_it)
{
	struct record r;
	struct weft_supervisor *s = make_recorded(
	        &r, (struct weft_supervisor_opts){ .intensity = 1 });
	struct actor a, b;

	actor_add(&a, s, (struct weft_child_opts){ 0 });
	actor_add(&b, s, (struct weft_child_opts){ 0 });
	tell(&a, -EIO);
	tell(&a, -EIO);
	said(&r, "+1 +2 !1 +1 !1 E -2");
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), -ENOTRECOVERABLE);
	CHECK_EQ(weft_supervisor_restart(s, a.id), -ENOTRECOVERABLE);
	weft_supervisor_free(s);
	return 0;
}

/* --- E11: back-off --- */

TEST_MANUAL(E11_the_back_off_doubles_up_to_its_limit_and_is_forgotten)
{
	static const int64_t delays_ms[] = { 100, 200, 400, 800, 1000, 1000 };
	struct record r;
	struct weft_supervisor *s =
	        make_recorded(&r, (struct weft_supervisor_opts){
	                                  .intensity = INFINITY,
	                                  .backoff_min_ns = 100 * WEFT_MS,
	                                  .backoff_max_ns = WEFT_SEC,
	                                  .backoff_reset_ns = 3 * WEFT_SEC });
	struct actor a;

	actor_add(&a, s, (struct weft_child_opts){ 0 });
	for (size_t i = 0; i < 6; i++) {
		int64_t ns = delays_ms[i] * WEFT_MS;

		tell(&a, -EIO);
		CHECK_EQ(r.last.delay_ns, ns);
		testing_pass(ns - 1);
		CHECK_EQ(lives(&a), i + 1);
		testing_pass(1);
		CHECK_EQ(lives(&a), i + 2);
	}
	testing_pass(3 * WEFT_SEC);
	tell(&a, -EIO);
	CHECK_EQ(r.last.delay_ns, 100 * WEFT_MS);
	/* By hand it goes at once, and the delay is as at first. */
	CHECK_EQ(weft_supervisor_restart(s, a.id), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(lives(&a), 8u);
	tell(&a, -EIO);
	CHECK_EQ(r.last.delay_ns, 100 * WEFT_MS);
	weft_supervisor_free(s);
	return 0;
}

TEST_MANUAL(jitter_makes_a_delay_longer_by_up_to_its_share)
{
	struct record r;
	struct weft_supervisor *s = make_recorded(
	        &r, (struct weft_supervisor_opts){ .intensity = INFINITY,
	                                           .backoff_min_ns = WEFT_SEC,
	                                           .backoff_max_ns = WEFT_SEC,
	                                           .jitter_percent = 50 });
	int64_t least = INT64_MAX, most = 0;
	struct actor a;

	actor_add(&a, s, (struct weft_child_opts){ 0 });
	for (int i = 0; i < 40; i++) {
		tell(&a, -EIO);
		least = r.last.delay_ns < least ? r.last.delay_ns : least;
		most = r.last.delay_ns > most ? r.last.delay_ns : most;
		r.used = 0;
		testing_pass(r.last.delay_ns);
	}
	CHECK(least >= WEFT_SEC && least < WEFT_SEC * 115 / 100);
	CHECK(most < WEFT_SEC * 3 / 2 && most > WEFT_SEC * 135 / 100);
	weft_supervisor_free(s);
	return 0;
}

static int at_once(void *arg, struct weft_child *self)
{
	(void)self;
	return arg ? -EIO : 0;
}

/* With the defaults, whether it fails or not. */
TEST_MANUAL(E11_a_child_that_ends_at_once_for_ever_ends_its_supervisor)
{
	const struct weft_supervisor_opts opts = { 0 };
	struct weft_supervisor *s;

	for (int fails = 0; fails < 2; fails++) {
		struct weft_child_opts child = { .fn = at_once,
			                         .arg = fails ? stdout : NULL };

		CHECK_EQ(weft_supervisor_new(&s, &opts), 0);
		CHECK_EQ(weft_supervisor_add(s, NULL, &child), 0);
		CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER),
		         -ENOTRECOVERABLE);
		CHECK_EQ(stats(s).started, 6u);
		CHECK_EQ(stats(s).failed, fails ? 6u : 0u);
		weft_supervisor_free(s);
	}
	return 0;
}

/* --- E3: what hangs --- */

TEST_MANUAL(E3_a_stop_does_not_wait_longer_than_the_shutdown_time)
{
	struct record r;
	struct weft_supervisor *s = make_recorded(
	        &r, (struct weft_supervisor_opts){ .shutdown_ns = WEFT_SEC });
	struct weft_child_info info[2];
	struct actor a, b;
	size_t n;

	actor_add(&a, s, (struct weft_child_opts){ .name = "hangs" });
	actor_add(&b, s, (struct weft_child_opts){ 0 });
	CHECK_EQ(weft_clock_settle(), 0);
	tell(&a, HANG);
	CHECK_EQ(weft_supervisor_stop(s), 0);
	testing_pass(WEFT_SEC - 1);
	CHECK_EQ(weft_supervisor_join(s, WEFT_NOW), -ETIMEDOUT);
	said(&r, "+1 +2 -2");
	testing_pass(1);
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), -ECANCELED);
	said(&r, "?1");
	CHECK_EQ(weft_supervisor_children(s, info, 2, &n), 0);
	CHECK_EQ(n, 2u);
	CHECK_EQ(strcmp(info[0].name, "hangs"), 0);
	CHECK_EQ((int)info[0].state, WEFT_CHILD_UNSTOPPED);
	CHECK_EQ((int)info[1].state, WEFT_CHILD_ENDED);
	CHECK_EQ(weft_supervisor_wait(s, a.id, NULL, WEFT_FOREVER), -EBUSY);
	CHECK_EQ(weft_supervisor_wait(s, b.id, NULL, WEFT_FOREVER), 0);
	CHECK_EQ(weft_supervisor_children(s, NULL, 0, NULL), -EINVAL);
	weft_supervisor_free(s); /* without waiting for it */
	let_go(&a);
	CHECK_EQ(weft_clock_settle(), 0); /* it looks at the actor till then */
	return 0;
}

TEST_MANUAL(what_hung_may_end_after_the_supervisor_and_before_it_is_freed)
{
	struct record r;
	struct weft_supervisor *s = make_recorded(
	        &r, (struct weft_supervisor_opts){ .shutdown_ns = 1 });
	struct actor a;

	actor_add(&a, s, (struct weft_child_opts){ 0 });
	tell(&a, HANG);
	CHECK_EQ(weft_supervisor_stop(s), 0);
	testing_pass(1);
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), -ECANCELED);
	let_go(&a);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(state_of(&a), WEFT_CHILD_ENDED);
	weft_supervisor_free(s);
	return 0;
}

static int remove_it(void *arg)
{
	struct actor *a = arg;

	return weft_supervisor_remove(a->s, a->id, WEFT_FOREVER);
}

TEST_MANUAL(E3_removing_one_that_hangs_says_so)
{
	struct record r;
	struct weft_supervisor *s = make_recorded(
	        &r, (struct weft_supervisor_opts){ .shutdown_ns = WEFT_SEC });
	struct weft_task *t;
	struct actor a, b;

	actor_add(&a, s, (struct weft_child_opts){ 0 });
	actor_add(&b, s, (struct weft_child_opts){ 0 });
	tell(&a, HANG);
	CHECK_EQ(weft_supervisor_remove(s, b.id, WEFT_FOREVER), 0);
	t = testing_spawn(remove_it, &a);
	testing_pass(WEFT_SEC);
	CHECK_EQ(testing_join(t), -EBUSY);
	CHECK_EQ(weft_clock_settle(), 0);
	said(&r, "+1 +2 -2 ?1");
	CHECK_EQ(stats(s).children, 1u);
	CHECK_EQ(stats(s).unstopped, 1u);
	let_go(&a);
	CHECK_EQ(weft_clock_settle(), 0);
	said(&r, "-1");
	CHECK_EQ(stats(s).children, 0u);
	CHECK_EQ(weft_supervisor_remove(s, a.id, WEFT_FOREVER), -ENOENT);
	weft_supervisor_free(s);
	return 0;
}

static int beats(void *arg, struct weft_child *self)
{
	struct actor *a = arg;
	int err;

	weft_fetch_add_relaxed(&a->lives, UINT64_C(1));
	do {
		weft_child_beat(self);
		err = weft_waiters_wait(&a->w, "an order", actor_look, a,
		                        weft_child_ctx(self),
		                        weft_deadline_in(WEFT_SEC));
	} while (err == -ETIMEDOUT);
	if (err)
		return err;
	/* It beats no more; the second time it does not stop either. */
	return weft_xchg_acq_rel(&a->order, WAIT) == HANG
	               ? weft_waiters_wait(&a->w, "to be let go",
	                                   actor_look_if_let_go, a, NULL,
	                                   WEFT_FOREVER)
	               : weft_sleep_ctx(weft_child_ctx(self), WEFT_FOREVER);
}

static struct weft_supervisor *add_beating(struct record *r, struct actor *a,
                                           bool replace)
{
	const struct weft_child_opts opts = { .fn = beats,
		                              .arg = a,
		                              .beat_ns = 2 * WEFT_SEC,
		                              .replace_hung = replace };

	actor_init(a);
	a->s = make_recorded(
	        r, (struct weft_supervisor_opts){ .shutdown_ns = WEFT_SEC });
	CHECK_EQ(weft_supervisor_add(a->s, &a->id, &opts), 0);
	for (int i = 0; i < 10; i++)
		testing_pass(WEFT_SEC);
	said(r, "+1");
	return a->s;
}

TEST_MANUAL(one_that_does_not_beat_is_hung_and_started_again_once_it_stops)
{
	struct record r;
	struct actor a;
	struct weft_supervisor *s = add_beating(&r, &a, false);

	tell(&a, 0); /* it beat just now */
	testing_pass(2 * WEFT_SEC);
	said(&r, "");
	testing_pass(1);
	said(&r, "!1 -1 +1");
	CHECK_EQ(stats(s).hung, 1u);
	tell(&a, HANG);
	testing_pass(2 * WEFT_SEC + 1);
	said(&r, "!1");
	CHECK_EQ((int)r.last.end, WEFT_ENDED_BY_SILENCE);
	testing_pass(WEFT_SEC);
	said(&r, "?1");
	testing_pass(10 * WEFT_SEC);
	said(&r, "");
	CHECK_EQ(state_of(&a), WEFT_CHILD_UNSTOPPED);
	let_go(&a);
	CHECK_EQ(weft_clock_settle(), 0);
	said(&r, "-1 +1");
	CHECK_EQ(lives(&a), 3u);
	weft_supervisor_free(s);
	return 0;
}

TEST_MANUAL(one_that_hangs_is_replaced_where_that_is_asked_for)
{
	struct record r;
	struct actor a;
	struct weft_supervisor *s = add_beating(&r, &a, true);
	struct weft_child_info info[3];
	size_t n;

	tell(&a, HANG);
	testing_pass(2 * WEFT_SEC + 1);
	testing_pass(WEFT_SEC);
	said(&r, "!1 ?1 +1");
	CHECK_EQ(lives(&a), 2u);
	CHECK_EQ(weft_supervisor_children(s, info, 3, &n), 0);
	CHECK_EQ(n, 2u);
	CHECK_EQ(info[0].id, info[1].id);
	CHECK_EQ((int)info[0].state, WEFT_CHILD_RUNNING);
	CHECK_EQ((int)info[1].state, WEFT_CHILD_UNSTOPPED);
	let_go(&a);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_supervisor_children(s, info, 3, &n), 0);
	CHECK_EQ(n, 1u);
	said(&r, "");
	weft_supervisor_free(s);
	return 0;
}

TEST_MANUAL(what_was_replaced_may_outlive_the_supervisor)
{
	struct record r;
	struct actor a;
	struct weft_supervisor *s = add_beating(&r, &a, true);

	tell(&a, HANG);
	testing_pass(2 * WEFT_SEC + 1);
	testing_pass(WEFT_SEC);
	weft_supervisor_free(s);
	let_go(&a);
	CHECK_EQ(weft_clock_settle(), 0); /* it looks at the actor till then */
	return 0;
}

/* --- E5: trees --- */

struct tree {
	struct actor leaf, sibling;
	bool contain;
	double intensity;
	struct weft_child_opts leaf_opts;
};

static int branch(void *arg, struct weft_child *self)
{
	struct tree *t = arg;
	const struct weft_supervisor_opts opts = { .intensity = t->intensity };

	t->leaf_opts.fn = actor_main;
	t->leaf_opts.arg = &t->leaf;
	return weft_supervisor_run(self, &opts, &t->leaf_opts, 1, t->contain);
}

static struct weft_supervisor *plant(struct record *r, struct tree *t)
{
	const struct weft_child_opts opts = { .fn = branch, .arg = t };
	struct weft_supervisor *s =
	        make_recorded(r, (struct weft_supervisor_opts){ 0 });

	actor_init(&t->leaf);
	CHECK_EQ(weft_supervisor_add(s, NULL, &opts), 0);
	actor_add(&t->sibling, s, (struct weft_child_opts){ 0 });
	CHECK_EQ(weft_clock_settle(), 0);
	said(r, "+1 +2");
	return s;
}

TEST_MANUAL(E5_a_grandchild_ends_the_tree)
{
	struct tree t = { .contain = false };
	struct record r;
	struct weft_supervisor *s = plant(&r, &t);

	tell(&t.leaf, WEFT_END_TREE);
	said(&r, ".1 -2");
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), WEFT_END_TREE);
	weft_supervisor_free(s);
	return 0;
}

TEST_MANUAL(E5_or_no_more_than_its_part_of_it)
{
	struct tree t = { .contain = true };
	struct record r;
	struct weft_supervisor *s = plant(&r, &t);

	tell(&t.leaf, WEFT_END_TREE);
	said(&r, ".1");
	CHECK_EQ(state_of(&t.sibling), WEFT_CHILD_RUNNING);
	weft_supervisor_free(s);
	return 0;
}

TEST_MANUAL(too_many_restarts_below_are_a_failure_above)
{
	struct tree t = { .intensity = 2 };
	struct record r;
	struct weft_supervisor *s = plant(&r, &t);

	for (int i = 0; i < 2; i++)
		tell(&t.leaf, -EIO);
	said(&r, "");
	tell(&t.leaf, -EIO);
	said(&r, "!1 +1");
	CHECK_EQ(r.last.status, -ENOTRECOVERABLE);
	CHECK_EQ(lives(&t.leaf), 4u);
	weft_supervisor_free(s);
	return 0;
}

TEST_MANUAL(a_stop_goes_down_the_tree)
{
	struct tree t = { .contain = false };
	struct record r;
	struct weft_supervisor *s = plant(&r, &t);

	CHECK_EQ(weft_supervisor_stop(s), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	said(&r, "-2 -1");
	CHECK_EQ(weft_load_relaxed(&t.leaf.running), 0);
	weft_supervisor_free(s);
	return 0;
}

/* --- E6: calls at the wrong time --- */

TEST_MANUAL(E6_calls_at_the_wrong_time_return_at_once)
{
	struct record r;
	struct weft_supervisor *s =
	        make_recorded(&r, (struct weft_supervisor_opts){ 0 });
	struct weft_child_opts opts = { .fn = actor_main };
	struct actor a;
	int status;

	CHECK_EQ(weft_supervisor_remove(s, 1, WEFT_FOREVER), -ENOENT);
	CHECK_EQ(weft_supervisor_restart(s, 1), -ENOENT);
	CHECK_EQ(weft_supervisor_wait(s, 1, &status, WEFT_FOREVER), -ENOENT);
	actor_add(&a, s, (struct weft_child_opts){ 0 });
	CHECK_EQ(weft_supervisor_wait(s, a.id, &status, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_supervisor_close(s), 0);
	opts.arg = &a;
	CHECK_EQ(weft_supervisor_add(s, NULL, &opts), -EPIPE);
	CHECK_EQ(weft_supervisor_remove(s, a.id, WEFT_FOREVER), 0);
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), 0);
	CHECK_EQ(weft_supervisor_add(s, NULL, &opts), -EPIPE);
	CHECK_EQ(weft_supervisor_restart(s, a.id), -EPIPE);
	weft_supervisor_free(s);

	s = make_recorded(&r, (struct weft_supervisor_opts){ 0 });
	actor_add(&a, s, (struct weft_child_opts){ 0 });
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_supervisor_stop(s), 0);
	CHECK_EQ(weft_supervisor_add(s, NULL, &opts), -ECANCELED);
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_supervisor_add(s, NULL, &opts), -ECANCELED);
	CHECK_EQ(weft_supervisor_remove(s, a.id, WEFT_FOREVER), -ECANCELED);
	said(&r, "+1 -1");
	weft_supervisor_free(s);
	return 0;
}

TEST(values_out_of_range_are_refused)
{
	static const char *const nothing[] = { NULL };
	static const char *const program[] = { "/bin/sh", NULL };
	static const struct weft_supervisor_opts supervisors[] = {
		{ .strategy = (enum weft_strategy)3 },
		{ .intensity = -1 },
		{ .intensity = NAN },
		{ .decay_ns = -1 },
		{ .pause_ns = -1 },
		{ .backoff_min_ns = -1 },
		{ .backoff_min_ns = 2, .backoff_max_ns = 1 },
		{ .backoff_reset_ns = -1 },
		{ .jitter_percent = 1001 },
		{ .shutdown_ns = -1 },
	};
	static const struct weft_child_opts children[] = {
		{ .name = "neither" },
		{ .fn = at_once, .argv = program },
		{ .argv = nothing },
		{ .argv = program, .beat_ns = 1 },
		{ .fn = at_once, .kind = (enum weft_child_kind)3 },
		{ .fn = at_once, .beat_ns = -1 },
		{ .fn = at_once, .shutdown_ns = -1 },
	};
	const struct weft_supervisor_opts good = { 0 };
	struct weft_supervisor *s = NULL;

	for (size_t i = 0; i < sizeof(supervisors) / sizeof(*supervisors); i++)
		CHECK_EQ(weft_supervisor_new(&s, &supervisors[i]), -EINVAL);
	CHECK_EQ(weft_supervisor_new(&s, NULL), -EINVAL);
	CHECK_EQ(weft_supervisor_new(NULL, &good), -EINVAL);
	CHECK(s == NULL);
	CHECK_EQ(weft_supervisor_new(&s, &good), 0);
	for (size_t i = 0; i < sizeof(children) / sizeof(*children); i++)
		CHECK_EQ(weft_supervisor_add(s, NULL, &children[i]), -EINVAL);
	CHECK_EQ(weft_supervisor_add(s, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_supervisor_add(NULL, NULL, &children[0]), -EINVAL);
	CHECK_EQ(weft_supervisor_remove(NULL, 1, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_supervisor_restart(NULL, 1), -EINVAL);
	CHECK_EQ(weft_supervisor_wait(NULL, 1, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_supervisor_run(NULL, &good, NULL, 0, false), -EINVAL);
	weft_supervisor_free(s);
	return 0;
}

/* --- E8: removing --- */

TEST_MANUAL(E8_the_failure_of_one_that_is_being_removed_starts_nobody)
{
	struct record r;
	struct weft_supervisor *s =
	        make_recorded(&r, (struct weft_supervisor_opts){ 0 });
	struct weft_task *t;
	struct actor a;

	actor_add(&a, s, (struct weft_child_opts){ 0 });
	tell(&a, HANG);
	t = testing_spawn(remove_it, &a);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(state_of(&a), WEFT_CHILD_STOPPING);
	let_go(&a);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	said(&r, "+1 -1");
	CHECK_EQ(stats(s).failed, 0u);
	CHECK_EQ(weft_supervisor_stop(s), 0);
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), -ECANCELED);
	said(&r, "");
	weft_supervisor_free(s);
	return 0;
}

TEST_MANUAL(one_that_has_ended_can_be_started_by_hand)
{
	struct record r;
	struct weft_supervisor *s =
	        make_recorded(&r, (struct weft_supervisor_opts){ 0 });
	struct actor a;

	actor_add(&a, s, (struct weft_child_opts){ .kind = WEFT_TEMPORARY });
	tell(&a, 0);
	CHECK_EQ(weft_supervisor_restart(s, a.id), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_supervisor_restart(s, a.id), 0); /* while it runs */
	CHECK_EQ(weft_clock_settle(), 0);
	said(&r, "+1 .1 +1 -1 +1");
	CHECK_EQ((int)stats(s).score, 0);
	weft_supervisor_free(s);
	return 0;
}

/* --- E10, E12: order, groups --- */

TEST_MANUAL(E10_the_last_one_is_stopped_first_and_the_next_once_it_has_ended)
{
	struct record r;
	struct weft_supervisor *s =
	        make_recorded(&r, (struct weft_supervisor_opts){ 0 });
	struct actor a[3];

	for (int i = 0; i < 3; i++)
		actor_add(&a[i], s, (struct weft_child_opts){ 0 });
	tell(&a[1], HANG);
	CHECK_EQ(weft_supervisor_stop(s), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	said(&r, "+1 +2 +3 -3");
	CHECK_EQ(state_of(&a[0]), WEFT_CHILD_RUNNING);
	let_go(&a[1]);
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), -ECANCELED);
	said(&r, "-2 -1");
	weft_supervisor_free(s);
	return 0;
}

struct group_case {
	enum weft_strategy strategy;
	int fails; /* index of four, of which 0 has ended and 3 is temporary */
	const char *says;
};

TEST_MANUAL(E12_groups_are_stopped_backwards_and_started_in_order)
{
	static const struct group_case cases[] = {
		{ WEFT_ONE_FOR_ONE, 2, "!3 +3" },
		{ WEFT_ONE_FOR_ALL, 2, "!3 -4 -2 +2 +3" },
		{ WEFT_ONE_FOR_ALL, 1, "!2 -4 -3 +2 +3" },
		{ WEFT_REST_FOR_ONE, 2, "!3 -4 +3" },
		{ WEFT_REST_FOR_ONE, 1, "!2 -4 -3 +2 +3" },
		/* It has not to be started again itself. */
		{ WEFT_ONE_FOR_ALL, 3, "!4" },
	};
	struct actor a[4];
	struct record r;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct weft_supervisor *s = make_recorded(
		        &r, (struct weft_supervisor_opts){
		                    .strategy = cases[i].strategy });

		for (int k = 0; k < 4; k++)
			actor_add(&a[k], s,
			          (struct weft_child_opts){
			                  .kind = k == 3 ? WEFT_TEMPORARY
			                                 : WEFT_TRANSIENT });
		tell(&a[0], 0);
		said(&r, "+1 +2 +3 +4 .1");
		tell(&a[cases[i].fails], -EIO);
		said(&r, cases[i].says);
		CHECK_EQ((int)stats(s).score, cases[i].fails != 3);
		weft_supervisor_free(s);
	}
	return 0;
}

TEST_MANUAL(E12_failures_while_a_group_is_started_again_count_once)
{
	struct record r;
	struct weft_supervisor *s = make_recorded(
	        &r,
	        (struct weft_supervisor_opts){ .strategy = WEFT_ONE_FOR_ALL,
	                                       .backoff_min_ns = WEFT_SEC });
	struct actor a[3];

	for (int i = 0; i < 3; i++)
		actor_add(&a[i], s, (struct weft_child_opts){ 0 });
	tell(&a[2], HANG); /* so the others are not told to stop yet */
	tell(&a[1], -EIO);
	tell(&a[0], -EIO);
	said(&r, "+1 +2 +3 !2 !1");
	CHECK_EQ((int)stats(s).score, 1);
	let_go(&a[2]);
	CHECK_EQ(weft_clock_settle(), 0);
	said(&r, "-3");
	testing_pass(WEFT_SEC);
	said(&r, "+1 +2 +3");
	weft_supervisor_free(s);
	return 0;
}

TEST_MANUAL(one_that_hangs_in_a_group_comes_when_it_has_ended)
{
	struct record r;
	struct weft_supervisor *s = make_recorded(
	        &r,
	        (struct weft_supervisor_opts){ .strategy = WEFT_REST_FOR_ONE,
	                                       .shutdown_ns = WEFT_SEC });
	struct actor a[3];

	for (int i = 0; i < 3; i++)
		actor_add(&a[i], s, (struct weft_child_opts){ 0 });
	tell(&a[2], HANG);
	tell(&a[1], -EIO);
	testing_pass(WEFT_SEC);
	said(&r, "+1 +2 +3 !2 ?3 +2");
	let_go(&a[2]);
	CHECK_EQ(weft_clock_settle(), 0);
	said(&r, "-3 +3");
	weft_supervisor_free(s);
	return 0;
}

/* --- callbacks --- */

struct wild {
	struct record r;
	_Atomic int order; /* EXIT or THREAD: once */
};

static void wild_event(const struct weft_supervisor_event *e, void *arg)
{
	struct wild *w = arg;
	int order = weft_xchg_acq_rel(&w->order, WAIT);

	record(e, &w->r);
	if (order == EXIT)
		weft_task_exit(0);
	if (order == THREAD)
		pthread_exit(NULL);
}

TEST_MANUAL(a_callback_that_ends_its_task_does_not_end_the_supervisor)
{
	static const int orders[] = { EXIT, THREAD };

	for (int i = 0; i < 2; i++) {
		struct wild w = { .order = orders[i] };
		const struct weft_supervisor_opts opts = { .on_event =
			                                           wild_event,
			                                   .event_arg = &w };
		struct weft_supervisor *s;
		struct actor a, b;

		CHECK_EQ(weft_supervisor_new(&s, &opts), 0);
		actor_add(&a, s, (struct weft_child_opts){ 0 });
		actor_add(&b, s, (struct weft_child_opts){ 0 });
		CHECK_EQ(weft_clock_settle(), 0);
		weft_store_release(&w.order, orders[i]);
		tell(&a, -EIO);
		said(&w.r, "+1 +2 !1 +1");
		CHECK_EQ(weft_supervisor_stop(s), 0);
		CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), -ECANCELED);
		said(&w.r, "-2 -1");
		weft_supervisor_free(s);
	}
	return 0;
}

static int key;

static int sees_its_life(void *arg, struct weft_child *self)
{
	CHECK(weft_ctx_value(weft_child_ctx(self), &key) == arg);
	return weft_child_life(self) < 2 ? -EIO : 0;
}

TEST_MANUAL(a_child_sees_values_and_which_life_it_is)
{
	struct weft_child_opts child = { .fn = sees_its_life,
		                         .kind = WEFT_TRANSIENT,
		                         .arg = &child };
	struct weft_supervisor_opts opts = { 0 };
	struct weft_supervisor *s;

	CHECK_EQ(weft_ctx_with_value(&opts.ctx, NULL, &key, &child), 0);
	CHECK_EQ(weft_supervisor_new(&s, &opts), 0);
	CHECK_EQ(weft_supervisor_add(s, NULL, &child), 0);
	CHECK_EQ(weft_supervisor_close(s), 0);
	CHECK_EQ(weft_supervisor_join(s, WEFT_FOREVER), 0);
	CHECK_EQ(stats(s).started, 3u);
	weft_supervisor_free(s);
	weft_ctx_unref(opts.ctx);
	return 0;
}
