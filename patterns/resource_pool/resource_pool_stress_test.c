/* Tests of the resource pool with many tasks. */
#include <stdio.h>

#include "resource_pool_testing.h"

#define TASKS_MAX 17

/* Tasks that all do go(world), and one that does so meanwhile. */
struct crowd {
	struct world *w;
	weft_task_fn *go;
	struct weft_task *task[TASKS_MAX];
	unsigned n;
};

static void start(struct crowd *c, unsigned n, weft_task_fn go)
{
	for (unsigned i = 0; i < n; i++)
		c->task[c->n++] = testing_spawn(go, c->w);
}

static void finish(struct crowd *c)
{
	while (c->n)
		CHECK_EQ(testing_join(c->task[--c->n]), 0);
}

/* Only its holder may do this to a resource. */
static void use(const struct weft_resource *r)
{
	struct thing *t = r->res;

	CHECK_EQ(weft_fetch_add_acq_rel(&t->holders, 1), 0);
	if (weft_rand() % 16 == 0)
		weft_yield();
	CHECK_EQ(weft_fetch_sub_acq_rel(&t->holders, 1), 1);
}

#define E1_TASKS 16
#define E1_EACH 100

static int acquires_often(void *arg)
{
	struct world *w = arg;
	struct weft_resource r;

	for (int i = 0; i < E1_EACH; i++) {
		CHECK_EQ(weft_respool_acquire(w->pool, &r, WEFT_FOREVER), 0);
		CHECK_EQ(r.id, 1u);
		use(&r);
		give(w, r);
	}
	return 0;
}

TEST(E1_many_tasks_share_the_only_one)
{
	struct world w = { 0 };
	struct crowd c = { .w = &w };

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	start(&c, E1_TASKS, acquires_often);
	finish(&c);
	CHECK_EQ(weft_load_relaxed(&w.created), 1);
	CHECK_EQ(world_stats(&w).acquired, (uint64_t)E1_TASKS * E1_EACH);
	world_close(&w, 0);
	return 0;
}

#define E2_TASKS 8
#define E2_EACH 100

static _Atomic int holds_of[E2_TASKS * E2_EACH + 1];

/* Each of them a new one. */
static int acquires_and_destroys(void *arg)
{
	struct world *w = arg;
	struct weft_resource r;

	for (int i = 0; i < E2_EACH; i++) {
		CHECK_EQ(weft_respool_acquire(w->pool, &r, WEFT_FOREVER), 0);
		CHECK(r.id >= 1 && r.id <= (uint64_t)E2_TASKS * E2_EACH);
		CHECK_EQ(weft_fetch_add_relaxed(&holds_of[r.id], 1), 0);
		use(&r);
		CHECK_EQ(weft_respool_destroy(w->pool, &r), 0);
	}
	return 0;
}

TEST(E2_those_made_at_once_have_ids_of_their_own_and_one_holder)
{
	struct world w = { 0 };
	struct crowd c = { .w = &w };

	world_open(&w, (struct weft_respool_opts){ .max = E2_TASKS });
	start(&c, E2_TASKS, acquires_and_destroys);
	finish(&c);
	for (int id = 1; id <= E2_TASKS * E2_EACH; id++)
		CHECK_EQ(weft_load_relaxed(&holds_of[id]), 1);
	world_close(&w, 0);
	return 0;
}

/* --- E2, E9, E10, E15: everything at once --- */

#define SIZE 4
#define ROUNDS (TESTING_SLOW ? 300 : 3000)

static void end_somehow(struct world *w, const struct weft_resource *r)
{
	uint64_t chance = weft_rand() % 20;
	void *res = r->res;

	if (chance == 0) {
		/* Counted before another may be made in its place. */
		weft_fetch_sub_relaxed(&w->live, 1);
		weft_fetch_add_relaxed(&w->destroyed, 1);
		CHECK_EQ(weft_respool_hijack(w->pool, r), 0);
		free(res);
	} else if (chance == 1) {
		CHECK_EQ(weft_respool_destroy(w->pool, r), 0);
	} else {
		CHECK_EQ(weft_respool_release(w->pool, r), 0);
	}
}

static int acquire_somehow(struct world *w, struct weft_resource *r)
{
	switch (weft_rand() % 3) {
	case 0:
		return weft_respool_acquire(w->pool, r, WEFT_FOREVER);
	case 1:
		return weft_respool_acquire(
		        w->pool, r,
		        weft_deadline_in((int64_t)(weft_rand() % 2000)));
	default:
		return weft_respool_try_acquire(w->pool, r);
	}
}

static int does_anything(void *arg)
{
	struct world *w = arg;
	struct weft_resource r;
	int err;

	for (int i = 0; i < ROUNDS; i++) {
		err = acquire_somehow(w, &r);
		if (err) {
			CHECK(err == -EAGAIN || err == -ETIMEDOUT ||
			      err == -EXDEV);
			continue;
		}
		use(&r);
		end_somehow(w, &r);
	}
	return 0;
}

/* Some creates fail, and some resources are not valid. */
static int looks_after(void *arg)
{
	struct world *w = arg;
	struct weft_resource r[SIZE];
	struct weft_respool_holder h[SIZE];
	int err;

	for (int i = 0; i < ROUNDS; i++) {
		size_t n = weft_respool_acquire_idle(w->pool, r, SIZE);

		CHECK_LE(n, (size_t)SIZE);
		while (n)
			give(w, r[--n]);
		world_stats(w);
		CHECK_LE(weft_respool_holders(w->pool, h, SIZE), (size_t)SIZE);
		weft_store_relaxed(&w->creates, i % 8 ? 0 : -EXDEV);
		weft_store_relaxed(&w->validates, i % 16 ? 0 : -EXDEV);
		err = weft_respool_warm(w->pool, SIZE);
		CHECK(!err || err == -EXDEV);
		if (i % 64 == 0)
			CHECK_EQ(weft_respool_renew(w->pool), 0);
	}
	return 0;
}

TEST(E15_nothing_is_lost_whatever_is_done_at_once)
{
	struct world w = { 0 };
	struct crowd c = { .w = &w };
	struct weft_respool_stats s;

	world_open(&w, (struct weft_respool_opts){ .max = SIZE,
	                                           .min = 1,
	                                           .idle_max = 3,
	                                           .idle_ns = 20 * WEFT_US,
	                                           .life_ns = WEFT_MS,
	                                           .jitter_ns = WEFT_MS / 2,
	                                           .validate = world_validate,
	                                           .reset = world_reset });
	start(&c, 2 * SIZE, does_anything);
	start(&c, 1, looks_after);
	finish(&c);
	CHECK_EQ(weft_respool_close(w.pool), 0);
	CHECK_EQ(weft_respool_join(w.pool, WEFT_FOREVER), 0);
	s = world_stats(&w);
	CHECK_EQ(s.created, s.destroyed + s.hijacked);
	CHECK_EQ(s.waiting, 0u);
	CHECK_LE(weft_load_relaxed(&w.most), SIZE);
	world_close(&w, 0);
	return 0;
}

/* --- E9: all that are idle, against each other --- */

static int takes_all(void *arg)
{
	struct world *w = arg;
	struct weft_resource r[SIZE];

	for (int i = 0; i < ROUNDS; i++) {
		size_t n = weft_respool_acquire_idle(w->pool, r, SIZE);

		for (size_t k = 0; k < n; k++)
			use(&r[k]);
		while (n)
			give(w, r[--n]);
	}
	return 0;
}

static int takes_one(void *arg)
{
	struct world *w = arg;
	struct weft_resource r;

	for (int i = 0; i < ROUNDS; i++) {
		int err =
		        i % 2 ? weft_respool_try_acquire(w->pool, &r)
		              : weft_respool_acquire(w->pool, &r, WEFT_FOREVER);

		CHECK(!err || err == -EAGAIN);
		if (err)
			continue;
		use(&r);
		give(w, r);
	}
	return 0;
}

TEST(E9_all_that_are_idle_are_taken_once)
{
	struct world w = { 0 };
	struct crowd c = { .w = &w };

	world_open(&w, (struct weft_respool_opts){ .max = SIZE });
	CHECK_EQ(weft_respool_warm(w.pool, SIZE), 0);
	start(&c, 3, takes_all);
	start(&c, 3, takes_one);
	finish(&c);
	CHECK_EQ(world_stats(&w).idle, (unsigned)SIZE);
	CHECK_EQ(weft_load_relaxed(&w.created), SIZE);
	world_close(&w, 0);
	return 0;
}

/* --- E16: from hand to hand --- */

#define HANDOVERS (TESTING_SLOW ? 1000 : 20000)

struct relay {
	struct world *w;
	struct weft_chan *held;
};

static int releases(void *arg)
{
	struct relay *y = arg;
	struct weft_resource r;

	while (!weft_chan_recv(y->held, &r, WEFT_FOREVER))
		give(y->w, r);
	return 0;
}

TEST(E16_what_another_task_releases_is_had)
{
	struct world w = { 0 };
	struct relay y = { &w, testing_chan("handoff", 1,
		                            sizeof(struct weft_resource)) };
	struct weft_task *t = testing_spawn(releases, &y);
	struct weft_resource r;

	world_open(&w, (struct weft_respool_opts){ .max = 1 });
	for (int i = 0; i < HANDOVERS; i++) {
		CHECK_EQ(weft_respool_acquire(w.pool, &r, WEFT_FOREVER), 0);
		CHECK_EQ(weft_chan_send(y.held, &r, WEFT_FOREVER), 0);
	}
	CHECK_EQ(weft_chan_close(y.held), 0);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(weft_load_relaxed(&w.created), 1);
	weft_chan_unref(y.held);
	world_close(&w, 0);
	return 0;
}
