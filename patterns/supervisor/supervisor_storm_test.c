/*
 * Tests of the supervisor at random moments, on the machine's clock:
 *
 *	E7  adds, removes, restarts and a stop by several tasks at once
 *	E9  never two lives of a child at once
 */
#include "base/cacheline.h"
#include "supervisor_testing.h"
#include "testing/stop.h"

#define USERS 3u
#define MINE 4u
#define CALLS 40u

/* A child that dies in one way or another, now and then at once. */
static int reckless(void *arg, struct weft_child *self)
{
	struct actor *a = arg;
	uint64_t dice = weft_rand();
	int most = weft_fetch_add_acq_rel(&a->running, 1) + 1, err = 0;

	if (most > weft_load_relaxed(&a->most))
		weft_store_relaxed(&a->most, most);
	weft_fetch_add_relaxed(&a->lives, UINT64_C(1));
	if (dice % 2)
		err = weft_sleep_ctx(weft_child_ctx(self),
		                     weft_deadline_in((int64_t)(dice % 50000)));
	weft_fetch_sub_acq_rel(&a->running, 1);
	switch (dice / 2 % 4) {
	case 0:
		weft_task_exit(1);
	case 1:
		pthread_exit(NULL);
	case 2:
		return 0;
	default:
		return err ? err : -EIO;
	}
}

struct storm {
	struct weft_supervisor *s;
	struct actor actor[USERS * CALLS]; /* one for each add */
};

static void *set_up(void *arg)
{
	const enum weft_strategy *strategy = arg;
	const struct weft_supervisor_opts opts = {
		.strategy = *strategy,
		.intensity = 50,
		.pause_ns = 20 * WEFT_US,
		.backoff_min_ns = weft_rand() % 2 ? WEFT_US : 0,
		.jitter_percent = 50,
	};
	struct storm *st = cacheline_new(1, sizeof(*st));

	CHECK(st != NULL);
	for (unsigned i = 0; i < USERS * CALLS; i++)
		actor_init(&st->actor[i]);
	CHECK_EQ(weft_supervisor_new(&st->s, &opts), 0);
	return st;
}

static int some_call(struct storm *st, struct actor *a, uint64_t *id)
{
	const struct weft_child_opts opts = { .kind = (enum weft_child_kind)(
		                                      weft_rand() % 3),
		                              .fn = reckless,
		                              .arg = a };
	int status, err;

	switch (*id ? weft_rand() % 4 : 0) {
	case 0:
		return weft_supervisor_add(st->s, id, &opts);
	case 1:
		err = weft_supervisor_remove(st->s, *id, WEFT_FOREVER);
		*id = err ? *id : 0;
		return err;
	case 2:
		return weft_supervisor_restart(st->s, *id);
	default:
		err = weft_supervisor_wait(st->s, *id, &status,
		                           weft_deadline_in(20 * WEFT_US));
		return err == -ETIMEDOUT || err == -EBUSY ? 0 : err;
	}
}

static void go(void *thing, unsigned user)
{
	struct storm *st = thing;
	uint64_t id[MINE] = { 0 };
	int err = 0;

	for (unsigned i = 0; i < CALLS && !err; i++)
		err = some_call(st, &st->actor[user * CALLS + i],
		                &id[weft_rand() % MINE]);
	if (err)
		CHECK_EQ(err, -ECANCELED);
}

static void stop(void *thing)
{
	CHECK_EQ(weft_supervisor_stop(((struct storm *)thing)->s), 0);
}

static void end(void *thing)
{
	struct storm *st = thing;
	uint64_t begun = 0;

	CHECK_EQ(weft_supervisor_join(st->s, WEFT_FOREVER), -ECANCELED);
	for (unsigned i = 0; i < USERS * CALLS; i++) {
		CHECK_LE(weft_load_relaxed(&st->actor[i].most), 1);
		CHECK_EQ(weft_load_relaxed(&st->actor[i].running), 0);
		begun += lives(&st->actor[i]);
	}
	CHECK_EQ(stats(st->s).started, begun);
	CHECK_EQ(stats(st->s).running, 0u);
	CHECK_EQ(stats(st->s).unstopped, 0u);
	weft_supervisor_free(st->s);
	free(st);
}

TEST(E7_E9_children_come_and_go_by_many_hands_and_never_run_twice)
{
	static enum weft_strategy strategies[] = { WEFT_ONE_FOR_ONE,
		                                   WEFT_ONE_FOR_ALL,
		                                   WEFT_REST_FOR_ONE };

	for (int i = 0; i < 3; i++) {
		const struct testing_stop what = { .setup = set_up,
			                           .go = go,
			                           .tasks = USERS,
			                           .stop = stop,
			                           .end = end,
			                           .arg = &strategies[i],
			                           .rounds = TESTING_SLOW
			                                             ? 30
			                                             : 150 };

		testing_stop_often(&what);
	}
	return 0;
}
