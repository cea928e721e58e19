/*
 * Tests of the flight. How it ends is tested by its life.c; E1 to E11 are the
 * numbers of the requirements:
 *
 *	E1  one execution for all that are known to wait
 *	E2  an error is everybody's
 *	E3  what `shared` says
 *	E4  the next call after the end executes anew
 *	E5  forget
 *	E6  fn does not return
 *	E7  one that waits gives up, and the flight goes on
 *	E8  a call from within fn
 *	E9  values are dropped once
 *	E10 keys
 *	E11 many keys leave nothing behind
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "common/key.h"
#include "flight.h"
#include "testing/cost.h"
#include "testing/testing.h"

#define CALLERS 5

/* How a fn ends. */
enum how { RETURNS, EXITS, DIES };

/* A function that others wait for: it begins, and goes on until it may end. */
struct work {
	struct weft_flight *flight;
	struct weft_flight_key key;
	enum how how;
	int status;
	void *value;
	struct weft_waitgroup may_end;
	_Atomic int executions;
};

/* What values there are, and how often each has been dropped. */
static _Atomic int dropped[2];

static void drop(void *value, void *arg)
{
	CHECK(arg == dropped);
	CHECK(value == &dropped[0] || value == &dropped[1]);
	weft_fetch_add_relaxed((_Atomic int *)value, 1);
}

static struct weft_flight *make(void)
{
	const struct weft_flight_opts opts = { .drop = drop,
		                               .drop_arg = dropped };
	struct weft_flight *f;

	weft_store_relaxed(&dropped[0], 0);
	weft_store_relaxed(&dropped[1], 0);
	CHECK_EQ(weft_flight_new(&f, &opts), 0);
	return f;
}

static void begin_work(struct work *w, struct weft_flight *f, const char *key)
{
	*w = (struct work){ .flight = f,
		            .key = weft_flight_text(key),
		            .value = &dropped[0] };
	weft_waitgroup_init(&w->may_end);
	weft_waitgroup_add(&w->may_end, 1);
}

static void end_work(struct work *w)
{
	CHECK_EQ(weft_waitgroup_done(&w->may_end), 0);
	CHECK_EQ(weft_clock_settle(), 0);
}

static int work(void *arg, void **value)
{
	struct work *w = arg;

	weft_fetch_add_relaxed(&w->executions, 1);
	CHECK_EQ(weft_waitgroup_wait(&w->may_end, WEFT_FOREVER), 0);
	*value = w->value;
	if (w->how == EXITS)
		weft_task_exit(w->status);
	if (w->how == DIES)
		pthread_exit(NULL);
	return w->status;
}

/* A task that calls. */
struct caller {
	struct work *w;
	struct weft_ctx *ctx;
	int64_t deadline_ns;
	struct weft_flight_result r;
	struct weft_task *task;
};

static int call_main(void *arg)
{
	struct caller *c = arg;

	return weft_flight_do_ctx(c->w->flight, c->w->key, work, c->w, &c->r,
	                          c->ctx, c->deadline_ns);
}

static void call_until(struct caller *c, struct work *w, struct weft_ctx *ctx,
                       int64_t deadline_ns)
{
	*c = (struct caller){ .w = w, .ctx = ctx, .deadline_ns = deadline_ns };
	c->task = testing_spawn(call_main, c);
	CHECK_EQ(weft_clock_settle(), 0);
}

/* The first of them leads; the others wait for it. */
static void call_all(struct caller *c, int n, struct work *w)
{
	for (int i = 0; i < n; i++)
		call_until(&c[i], w, NULL, WEFT_FOREVER);
	CHECK_EQ(weft_flight_peek(w->flight, w->key), n);
}

static struct weft_flight_stats stats(struct weft_flight *f)
{
	struct weft_flight_stats s;

	CHECK_EQ(weft_flight_stats(f, &s), 0);
	CHECK_EQ(s.calls, s.executions + s.saved + s.gave_up + s.waiting);
	return s;
}

/* Nothing is under way any more. */
static void free_at_rest(struct weft_flight *f)
{
	struct weft_flight_stats s = stats(f);

	CHECK_EQ(s.in_flight, 0u);
	CHECK_EQ(s.waiting, 0u);
	weft_flight_free(f);
}

static int at_once(void *arg, void **value)
{
	*value = arg;
	return 0;
}

/* A call that leads, and its value given back. */
static void expect_leads(struct weft_flight *f, struct weft_flight_key key)
{
	struct weft_flight_result r;

	CHECK_EQ(weft_flight_try_do(f, key, at_once, &dropped[1], &r), 0);
	CHECK(r.led);
	CHECK(!r.shared);
	CHECK(r.value == &dropped[1]);
	weft_flight_release(&r);
}

/* --- what all get --- */

TEST_MANUAL(E1_E3_E9_one_execution_for_all_that_wait)
{
	struct weft_flight *f = make();
	struct caller c[CALLERS];
	struct work w;

	begin_work(&w, f, "key");
	w.status = 7;
	call_all(c, CALLERS, &w);
	CHECK_EQ(stats(f).waiting, CALLERS - 1u);
	end_work(&w);
	CHECK_EQ(weft_load_relaxed(&w.executions), 1);
	CHECK_EQ(stats(f).saved, CALLERS - 1u);
	free_at_rest(f);
	/* What they hold outlives it. */
	for (int i = 0; i < CALLERS; i++) {
		CHECK_EQ(testing_join(c[i].task), 0);
		CHECK_EQ(c[i].r.status, 7);
		CHECK(c[i].r.value == &dropped[0]);
		CHECK(c[i].r.led == (i == 0));
		CHECK(c[i].r.shared);
		CHECK_EQ(weft_load_relaxed(&dropped[0]), 0);
		weft_flight_release(&c[i].r);
		weft_flight_release(&c[i].r);
	}
	CHECK_EQ(weft_load_relaxed(&dropped[0]), 1);
	return 0;
}

TEST_MANUAL(E3_E4_a_call_that_comes_later_executes_anew)
{
	struct weft_flight *f = make();

	expect_leads(f, weft_flight_text("key"));
	expect_leads(f, weft_flight_text("key"));
	CHECK_EQ(weft_load_relaxed(&dropped[1]), 2);
	CHECK_EQ(stats(f).executions, 2u);
	free_at_rest(f);
	return 0;
}

/* With what each of these is called outside. */
TEST_MANUAL(E2_an_error_is_everybodys)
{
	static const struct {
		int status, err;
	} rows[] = { { -EXDEV, -EXDEV },
		     { -ECANCELED, -ECANCELED },
		     { -EAGAIN, -EIO },
		     { -ETIMEDOUT, -EIO },
		     { -EPIPE, -EIO } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct weft_flight *f = make();
		struct caller c[CALLERS];
		struct work w;

		begin_work(&w, f, "key");
		w.status = rows[i].status;
		call_all(c, CALLERS, &w);
		end_work(&w);
		for (int k = 0; k < CALLERS; k++) {
			CHECK_EQ(testing_join(c[k].task), rows[i].err);
			CHECK_EQ(c[k].r.status, rows[i].status);
			CHECK(c[k].r.value == NULL);
			CHECK(c[k].r.shared);
		}
		/* There is nothing to release, and no harm in it. */
		weft_flight_release(&c[0].r);
		CHECK_EQ(weft_load_relaxed(&dropped[0]), 0);
		expect_leads(f, w.key);
		free_at_rest(f);
	}
	return 0;
}

/* --- fn does not return --- */

TEST_MANUAL(E6_the_death_of_the_leader_releases_all)
{
	static const struct {
		enum how how;
		int gives, status;
	} rows[] = { { EXITS, -EXDEV, -EXDEV },
		     { EXITS, 0, -ECANCELED },
		     { EXITS, 3, -ECANCELED },
		     { DIES, 0, -ECANCELED } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct weft_flight *f = make();
		struct caller c[CALLERS];
		struct work w;

		begin_work(&w, f, "key");
		w.how = rows[i].how;
		w.status = rows[i].gives;
		call_all(c, CALLERS, &w);
		end_work(&w);
		for (int k = 0; k < CALLERS; k++) {
			CHECK_EQ(testing_join(c[k].task), rows[i].status);
			if (k == 0 && rows[i].how == DIES)
				continue; /* its call has not returned */
			CHECK_EQ(c[k].r.status, rows[i].status);
			CHECK(c[k].r.value == NULL);
		}
		CHECK_EQ(stats(f).died, 1u);
		expect_leads(f, w.key);
		free_at_rest(f);
	}
	return 0;
}

/* Nobody has followed: there is nothing but the map to put in order. */
TEST_MANUAL(E6_a_leader_may_die_alone)
{
	for (enum how how = EXITS; how <= DIES; how++) {
		struct weft_flight *f = make();
		struct caller c;
		struct work w;

		begin_work(&w, f, "key");
		w.how = how;
		call_all(&c, 1, &w);
		end_work(&w);
		CHECK_EQ(testing_join(c.task), -ECANCELED);
		expect_leads(f, w.key);
		free_at_rest(f);
	}
	return 0;
}

/* --- one gives up --- */

TEST_MANUAL(E7_one_that_gives_up_disturbs_nobody)
{
	struct weft_flight *f = make();
	struct caller leader, patient, hasty, cancelled;
	struct weft_ctx *ctx;
	struct work w;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	begin_work(&w, f, "key");
	call_until(&leader, &w, NULL, WEFT_FOREVER);
	call_until(&hasty, &w, NULL, weft_deadline_in(WEFT_SEC));
	call_until(&cancelled, &w, ctx, WEFT_FOREVER);
	testing_pass(WEFT_SEC);
	CHECK_EQ(testing_join(hasty.task), -ETIMEDOUT);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(testing_join(cancelled.task), -ECANCELED);
	CHECK(!hasty.r.led && !hasty.r.value && !hasty.r.status);
	CHECK_EQ(weft_flight_peek(f, w.key), 1);
	CHECK_EQ(stats(f).gave_up, 2u);
	/* It is under way, for a call that comes now as well. */
	call_until(&patient, &w, NULL, WEFT_FOREVER);
	end_work(&w);
	CHECK_EQ(testing_join(leader.task), 0);
	CHECK_EQ(testing_join(patient.task), 0);
	CHECK_EQ(weft_load_relaxed(&w.executions), 1);
	weft_flight_release(&leader.r);
	CHECK_EQ(weft_load_relaxed(&dropped[0]), 0);
	weft_flight_release(&patient.r);
	CHECK_EQ(weft_load_relaxed(&dropped[0]), 1);
	weft_ctx_unref(ctx);
	free_at_rest(f);
	return 0;
}

/* All that have followed are gone: the value is the leader's alone. */
TEST_MANUAL(E7_E9_the_leader_is_left_alone)
{
	struct weft_flight *f = make();
	struct caller leader, hasty;
	struct work w;

	begin_work(&w, f, "key");
	call_until(&leader, &w, NULL, WEFT_FOREVER);
	call_until(&hasty, &w, NULL, weft_deadline_in(WEFT_SEC));
	testing_pass(WEFT_SEC);
	CHECK_EQ(testing_join(hasty.task), -ETIMEDOUT);
	end_work(&w);
	CHECK_EQ(testing_join(leader.task), 0);
	CHECK(leader.r.shared); /* others have called */
	weft_flight_release(&leader.r);
	CHECK_EQ(weft_load_relaxed(&dropped[0]), 1);
	free_at_rest(f);
	return 0;
}

/* Neither its deadline nor its context ends what it does for all. */
TEST_MANUAL(E7_a_leader_that_is_late_poisons_nobody)
{
	struct weft_flight *f = make();
	struct caller leader, other;
	struct weft_ctx *ctx;
	struct work w;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	begin_work(&w, f, "key");
	call_until(&leader, &w, ctx, weft_deadline_in(WEFT_SEC));
	call_until(&other, &w, NULL, WEFT_FOREVER);
	testing_pass(2 * WEFT_SEC);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_flight_peek(f, w.key), 2);
	end_work(&w);
	CHECK_EQ(testing_join(leader.task), 0);
	CHECK_EQ(testing_join(other.task), 0);
	CHECK(leader.r.value == other.r.value);
	weft_flight_release(&leader.r);
	weft_flight_release(&other.r);
	/* One that has ended before the call wins. */
	CHECK_EQ(weft_flight_do_ctx(f, w.key, at_once, NULL, NULL, ctx,
	                            WEFT_FOREVER),
	         -ECANCELED);
	weft_ctx_unref(ctx);
	free_at_rest(f);
	return 0;
}

/* What README.md shows: a task leads for one that must be able to leave. */
struct led_for {
	struct work *w;
	struct weft_chan *to; /* a reference */
};

static int lead_for(void *arg)
{
	const struct led_for *l = arg;
	struct weft_flight_result r;
	int err = weft_flight_do(l->w->flight, l->w->key, work, l->w, &r,
	                         WEFT_FOREVER);

	CHECK_EQ(err, 0);
	CHECK_EQ(weft_chan_send(l->to, &r, WEFT_FOREVER), 0);
	weft_chan_unref(l->to);
	return 0;
}

static void release_result(void *elem, void *arg)
{
	(void)arg;
	weft_flight_release(elem);
}

TEST_MANUAL(E7_a_task_leads_for_one_that_must_be_able_to_leave)
{
	const struct weft_chan_opts opts = { .drop = release_result };
	struct weft_flight *f = make();
	struct weft_flight_result r;
	struct weft_task *task;
	struct weft_chan *c;
	struct led_for l;
	struct work w;

	begin_work(&w, f, "key");
	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find("handoff"), 1, sizeof(r),
	                       &opts),
	         0);
	l = (struct led_for){ &w, weft_chan_ref(c) };
	task = testing_spawn(lead_for, &l);
	CHECK_EQ(weft_chan_recv(c, &r, WEFT_NOW), -ETIMEDOUT);
	weft_chan_unref(c); /* it leaves */
	end_work(&w);
	CHECK_EQ(testing_join(task), 0);
	CHECK_EQ(weft_load_relaxed(&dropped[0]), 1);
	free_at_rest(f);
	return 0;
}

TEST_MANUAL(a_try_leads_or_does_not_wait)
{
	struct weft_flight *f = make();
	struct caller leader;
	struct work w;

	begin_work(&w, f, "key");
	CHECK_EQ(weft_flight_peek(f, w.key), -ENOENT);
	call_until(&leader, &w, NULL, WEFT_FOREVER);
	CHECK_EQ(weft_flight_try_do(f, w.key, work, &w, NULL), -EAGAIN);
	CHECK_EQ(weft_flight_do(f, w.key, work, &w, NULL, WEFT_NOW),
	         -ETIMEDOUT);
	CHECK_EQ(weft_flight_peek(f, w.key), 1);
	end_work(&w);
	CHECK_EQ(testing_join(leader.task), 0);
	CHECK(!leader.r.shared); /* they have not waited */
	weft_flight_release(&leader.r);
	expect_leads(f, w.key);
	free_at_rest(f);
	return 0;
}

/* --- forget --- */

TEST_MANUAL(E5_a_forgotten_flight_goes_on_beside_the_next)
{
	struct weft_flight *f = make();
	struct caller first[2], second[2], third;
	struct work old, new;

	CHECK_EQ(weft_flight_forget(f, weft_flight_text("key")), -ENOENT);
	begin_work(&old, f, "key");
	begin_work(&new, f, "key");
	new.value = &dropped[1];
	call_all(first, 2, &old);
	CHECK_EQ(weft_flight_forget_unshared(f, old.key), -EBUSY);
	CHECK_EQ(weft_flight_forget(f, old.key), 0);
	CHECK_EQ(weft_flight_forget(f, old.key), -ENOENT);
	call_all(second, 2, &new);
	CHECK_EQ(stats(f).in_flight, 2u);
	/* The end of the old one leaves the new one where it is. */
	end_work(&old);
	call_until(&third, &new, NULL, WEFT_FOREVER);
	CHECK_EQ(weft_flight_peek(f, new.key), 3);
	end_work(&new);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(testing_join(first[i].task), 0);
		CHECK_EQ(testing_join(second[i].task), 0);
		CHECK(first[i].r.value == &dropped[0]);
		CHECK(second[i].r.value == &dropped[1]);
		weft_flight_release(&first[i].r);
		weft_flight_release(&second[i].r);
	}
	CHECK_EQ(testing_join(third.task), 0);
	CHECK(third.r.value == &dropped[1]);
	weft_flight_release(&third.r);
	CHECK_EQ(weft_load_relaxed(&new.executions), 1);
	free_at_rest(f);
	return 0;
}

TEST_MANUAL(E5_one_that_nobody_waits_for_can_be_forgotten_unshared)
{
	struct weft_flight *f = make();
	struct caller c;
	struct work w;

	begin_work(&w, f, "key");
	CHECK_EQ(weft_flight_forget_unshared(f, w.key), -ENOENT);
	call_all(&c, 1, &w);
	CHECK_EQ(weft_flight_forget_unshared(f, w.key), 0);
	expect_leads(f, w.key);
	end_work(&w);
	CHECK_EQ(testing_join(c.task), 0);
	weft_flight_release(&c.r);
	free_at_rest(f);
	return 0;
}

/* --- a call from within --- */

static int calls_itself(void *arg, void **value)
{
	struct weft_flight *f = arg;
	struct weft_flight_key key = weft_flight_text("key");

	(void)value;
	CHECK_EQ(weft_flight_do(f, key, calls_itself, f, NULL, WEFT_FOREVER),
	         -EDEADLK);
	expect_leads(f, weft_flight_text("another key"));
	CHECK_EQ(weft_flight_forget(f, key), 0);
	expect_leads(f, key);
	return 0;
}

TEST(E8_a_call_for_its_own_key_is_refused)
{
	struct weft_flight *f = make();

	CHECK_EQ(weft_flight_do(f, weft_flight_text("key"), calls_itself, f,
	                        NULL, WEFT_FOREVER),
	         0);
	CHECK_EQ(stats(f).executions, 3u);
	free_at_rest(f);
	return 0;
}

/* --- values --- */

static int fails_with_a_value(void *arg, void **value)
{
	*value = arg;
	return -EXDEV;
}

TEST_MANUAL(E9_a_value_that_nobody_wants_is_dropped)
{
	struct weft_flight *f = make();
	struct weft_flight_key key = weft_flight_text("key");
	struct weft_flight_result r;

	CHECK_EQ(weft_flight_do(f, key, at_once, &dropped[0], NULL,
	                        WEFT_FOREVER),
	         0);
	CHECK_EQ(weft_load_relaxed(&dropped[0]), 1);
	/* There need not be one. */
	CHECK_EQ(weft_flight_do(f, key, at_once, NULL, &r, WEFT_FOREVER), 0);
	CHECK(r.value == NULL);
	weft_flight_release(&r);
	/* That of a failure is fn's. */
	CHECK_EQ(weft_flight_do(f, key, fails_with_a_value, &dropped[0], &r,
	                        WEFT_FOREVER),
	         -EXDEV);
	CHECK_EQ(weft_load_relaxed(&dropped[0]), 1);
	free_at_rest(f);
	return 0;
}

/* --- keys --- */

TEST_MANUAL(E10_keys_are_bytes)
{
	/* Their first words make the hash the same for all. */
	static const uint64_t alike[][2] = { { KEY_HASH_A, 1 },
		                             { KEY_HASH_A, 2 } };
	static const char null[4];
	const struct weft_flight_key keys[] = {
		{ NULL, 0 },
		{ null, 1 },
		{ null, 2 },
		{ "abcdefghijklmnopqrstuvwxyz", 26 },
		{ "abcdefghijklmnopqrstuvwxyz", 25 },
		{ alike[0], sizeof(alike[0]) },
		{ alike[1], sizeof(alike[1]) },
	};
	enum { KEYS = sizeof(keys) / sizeof(keys[0]) };
	struct weft_flight *f = make();
	struct caller c[KEYS];
	struct work w[KEYS];

	CHECK_EQ(key_hash((const char *)alike[0], sizeof(alike[0]), 0),
	         key_hash((const char *)alike[1], sizeof(alike[1]), 0));
	for (int i = 0; i < KEYS; i++) {
		begin_work(&w[i], f, "");
		w[i].key = keys[i];
		call_all(&c[i], 1, &w[i]);
	}
	CHECK_EQ(stats(f).in_flight, (uint64_t)KEYS);
	/* The same bytes elsewhere are the same key. */
	CHECK_EQ(weft_flight_peek(f, (struct weft_flight_key){ "", 0 }), 1);
	for (int i = 0; i < KEYS; i++) {
		end_work(&w[i]);
		CHECK_EQ(testing_join(c[i].task), 0);
		CHECK_EQ(weft_flight_peek(f, keys[i]), -ENOENT);
		weft_flight_release(&c[i].r);
	}
	CHECK_EQ(weft_load_relaxed(&dropped[0]), KEYS);
	free_at_rest(f);
	return 0;
}

TEST(E11_many_keys_leave_nothing_behind)
{
	struct weft_flight *f = make();
	long before = testing_held().objects;

	for (uint64_t i = 0; i < 100000; i++) {
		struct weft_flight_key key = { &i, sizeof(i) };

		CHECK_EQ(weft_flight_do(f, key, at_once, NULL, NULL,
		                        WEFT_FOREVER),
		         0);
	}
	CHECK_EQ(stats(f).executions, 100000u);
	CHECK_EQ(testing_held().objects, before);
	free_at_rest(f);
	return 0;
}

/* --- the end --- */

/* Also those of a flight that cannot be found by its key any more. */
TEST_MANUAL(a_stop_releases_those_that_follow_and_no_leader)
{
	struct weft_flight *f = make();
	struct caller old[2], new[2];
	struct work w[2];

	begin_work(&w[0], f, "key");
	begin_work(&w[1], f, "key");
	call_all(old, 2, &w[0]);
	CHECK_EQ(weft_flight_forget(f, w[0].key), 0);
	call_all(new, 2, &w[1]);
	CHECK_EQ(weft_flight_fail(f, -EXDEV), 0);
	CHECK_EQ(testing_join(old[1].task), -EXDEV);
	CHECK_EQ(testing_join(new[1].task), -EXDEV);
	CHECK_EQ(weft_flight_try_do(f, w[0].key, work, &w[0], NULL), -EXDEV);
	for (int i = 0; i < 2; i++)
		end_work(&w[i]);
	CHECK_EQ(testing_join(old[0].task), 0);
	CHECK_EQ(testing_join(new[0].task), 0);
	weft_flight_release(&old[0].r);
	weft_flight_release(&new[0].r);
	CHECK_EQ(weft_load_relaxed(&dropped[0]), 2);
	CHECK_EQ(stats(f).gave_up, 2u);
	free_at_rest(f);
	return 0;
}

TEST(what_makes_no_sense_is_refused)
{
	struct weft_flight_opts opts = { .shards = WEFT_FLIGHT_SHARDS_MAX + 1 };
	const struct weft_flight_key none = { NULL, 1 };
	struct weft_flight_key key = weft_flight_text("key");
	struct weft_flight *f = NULL;
	struct weft_flight_result r;

	CHECK_EQ(weft_flight_new(&f, NULL), -EINVAL);
	CHECK_EQ(weft_flight_new(&f, &opts), -EINVAL);
	opts = (struct weft_flight_opts){ .wait = (enum weft_wait)77 };
	CHECK_EQ(weft_flight_new(&f, &opts), -EINVAL);
	opts = (struct weft_flight_opts){ .shards = WEFT_FLIGHT_SHARDS_MAX };
	CHECK_EQ(weft_flight_new(NULL, &opts), -EINVAL);
	CHECK(f == NULL);
	CHECK_EQ(weft_flight_new(&f, &opts), 0);
	CHECK_EQ(weft_flight_do(NULL, key, at_once, NULL, &r, 0), -EINVAL);
	CHECK_EQ(weft_flight_do(f, key, NULL, NULL, &r, 0), -EINVAL);
	CHECK_EQ(weft_flight_do(f, none, at_once, NULL, &r, 0), -EINVAL);
	CHECK_EQ(weft_flight_try_do(NULL, key, at_once, NULL, &r), -EINVAL);
	CHECK_EQ(weft_flight_forget(NULL, key), -EINVAL);
	CHECK_EQ(weft_flight_forget(f, none), -EINVAL);
	CHECK_EQ(weft_flight_forget_unshared(NULL, key), -EINVAL);
	CHECK_EQ(weft_flight_peek(NULL, key), -EINVAL);
	CHECK_EQ(weft_flight_peek(f, none), -EINVAL);
	weft_flight_release(NULL);
	free_at_rest(f);
	return 0;
}

/* --- many tasks --- */

#define TASKS 8
#define LOOPS (TESTING_SLOW ? 500 : 5000)
#define KEYS 3

struct hammer {
	struct weft_flight *f;
	_Atomic uint64_t made, dropped;
	_Atomic uint64_t ended[KEYS]; /* numbers: see below */
	bool forgets;
};

struct value {
	struct hammer *h;
	uint64_t number, key;
};

struct blow {
	struct hammer *h;
	uint64_t key;
};

static void drop_value(void *value, void *arg)
{
	struct value *v = value;

	CHECK(v->h == arg);
	weft_fetch_add_relaxed(&v->h->dropped, UINT64_C(1));
	free(v);
}

static int make_value(void *arg, void **value)
{
	const struct blow *b = arg;
	struct value *v = malloc(sizeof(*v));

	CHECK(v != NULL);
	*v = (struct value){ b->h, 0, b->key };
	v->number = weft_fetch_add_relaxed(&b->h->made, UINT64_C(1)) + 1;
	*value = v;
	if (weft_rand() % 4 == 0)
		weft_yield();
	if (weft_rand() % 16)
		return 0;
	free(v);
	weft_fetch_add_relaxed(&b->h->dropped, UINT64_C(1));
	if (weft_rand() % 2)
		weft_task_exit(0);
	return -EXDEV;
}

/* Executions are numbered, so of one key, without a forget, in their order: one
 * of which a call has returned is followed by none that begins later. */
static void look_at_value(struct hammer *h, const struct value *v, uint64_t key,
                          uint64_t ended)
{
	CHECK(v->h == h);
	CHECK_EQ(v->key, key);
	if (h->forgets)
		return;
	CHECK_LT(ended, v->number);
	while (ended < v->number &&
	       !weft_cas_acq_rel(&h->ended[key], &ended, v->number))
		;
}

static int hammer(void *arg)
{
	struct hammer *h = arg;

	for (int i = 0; i < LOOPS; i++) {
		struct blow b = { h, weft_rand() % KEYS };
		struct weft_flight_key key = { &b.key, sizeof(b.key) };
		uint64_t ended = weft_load_acquire(&h->ended[b.key]);
		struct weft_flight_result r;
		int err = weft_flight_do(h->f, key, make_value, &b, &r,
		                         i % 3 ? WEFT_FOREVER
		                               : weft_deadline_in(2000));

		if (!err) {
			look_at_value(h, r.value, b.key, ended);
			weft_flight_release(&r);
		} else {
			CHECK(err == -ETIMEDOUT || err == -EXDEV ||
			      err == -ECANCELED);
		}
		if (h->forgets && i % 5 == 0)
			weft_flight_forget(h->f, key);
		if (i % 100 == 0)
			stats(h->f);
	}
	return 0;
}

TEST(E1_E4_E9_many_tasks_share_and_everything_is_dropped)
{
	for (int forgets = 0; forgets < 2; forgets++) {
		struct hammer h = { .forgets = forgets };
		const struct weft_flight_opts opts = { .shards = 1,
			                               .drop = drop_value,
			                               .drop_arg = &h };
		struct weft_task *t[TASKS];
		struct weft_flight_stats s;

		CHECK_EQ(weft_flight_new(&h.f, &opts), 0);
		for (int i = 0; i < TASKS; i++)
			t[i] = testing_spawn(hammer, &h);
		for (int i = 0; i < TASKS; i++)
			CHECK_EQ(testing_join(t[i]), 0);
		s = stats(h.f);
		CHECK_EQ(s.calls, (uint64_t)TASKS * LOOPS);
		CHECK_EQ(s.executions, weft_load_relaxed(&h.made));
		CHECK_EQ(weft_load_relaxed(&h.made),
		         weft_load_relaxed(&h.dropped));
		free_at_rest(h.f);
	}
	return 0;
}

/* --- what it costs --- */

static void calls_alone(void *f)
{
	struct weft_flight_key key = weft_flight_text("user:123");
	struct weft_flight_result r;

	for (int i = 0; i < TESTING_COST_CALLS; i++) {
		CHECK_EQ(weft_flight_do(f, key, at_once, dropped, &r,
		                        WEFT_FOREVER),
		         0);
		weft_flight_release(&r);
	}
}

TEST_OUTSIDE(a_call_alone_costs_at_most_10_of_a_mutex_pair)
{
	struct weft_flight *f;

	if (COST_MEANS_NOTHING)
		skip();
	f = make();
	testing_costs_at_most(10, "flight", calls_alone, f);
	weft_flight_free(f);
}

TEST_OUTSIDE(a_call_alone_enters_no_kernel_and_takes_no_memory)
{
	struct weft_flight *f = make();

	testing_is_all_in_user_space(calls_alone, f);
	weft_flight_free(f);
}
