#include "testing/stop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "task/internal.h"

#define ROUNDS (TESTING_SLOW ? 100u : 1000u)
#define LIMIT_NS (20 * WEFT_SEC)

/* The longest wait before a stop is this power of two, in turns of a spin:
 * about a millisecond. Powers are equally likely, so that early moments are,
 * too. */
#define LATEST 14

struct round {
	const struct testing_stop *what;
	void *thing;
};

struct user {
	const struct round *round;
	unsigned id;
	struct weft_task *task;
};

static int setup_main(void *arg)
{
	struct round *r = arg;

	r->thing = r->what->setup(r->what->arg);
	return 0;
}

static int go_main(void *arg)
{
	const struct user *u = arg;

	u->round->what->go(u->round->thing, u->id);
	return 0;
}

static int stop_main(void *arg)
{
	const struct round *r = arg;
	uint64_t turns = weft_rand() % (1u << weft_rand() % (LATEST + 1));

	for (; turns > 0; turns--)
		weft_relax();
	r->what->stop(r->thing);
	return 0;
}

static int end_main(void *arg)
{
	const struct round *r = arg;

	r->what->end(r->thing);
	return 0;
}

static void join_within(struct weft_task *t, int64_t limit_ns)
{
	int status,
	        err = weft_join_until(t, &status, weft_deadline_in(limit_ns));

	if (err == -ETIMEDOUT)
		weft_tasks_print(stderr);
	CHECK_EQ(err, 0);
	CHECK_EQ(status, 0); /* a callback does not end its task */
}

static void run_round(const struct testing_stop *what, struct user *users,
                      int64_t limit_ns)
{
	struct round r = { .what = what };
	uint64_t when = weft_rand() % (what->tasks + 1);
	struct weft_task *stopper = NULL;

	join_within(testing_spawn(setup_main, &r), limit_ns);
	for (unsigned i = 0; i <= what->tasks; i++) {
		if (i == when)
			stopper = testing_spawn(stop_main, &r);
		if (i == what->tasks)
			break;
		users[i] = (struct user){ .round = &r, .id = i };
		users[i].task = testing_spawn(go_main, &users[i]);
	}
	join_within(stopper, limit_ns);
	for (unsigned i = 0; i < what->tasks; i++)
		join_within(users[i].task, limit_ns);
	join_within(testing_spawn(end_main, &r), limit_ns);
}

/* Short enough to be typed. */
static uint64_t next_seed(uint64_t *state)
{
	return (rng_mix(state) & UINT32_MAX) | 1;
}

void testing_stop_often(const struct testing_stop *what)
{
	const char *asked = getenv("WEFT_TEST_SEED");
	struct user *users = calloc(what->tasks + 1u, sizeof(*users));
	uint64_t seed = asked ? strtoull(asked, NULL, 10) : 1, state = seed;
	unsigned rounds = what->rounds ? what->rounds : ROUNDS;

	CHECK(users != NULL);
	for (unsigned i = 0; i < rounds; i++) {
		weft_check_seed(seed);
		rng_seed(&weft_self()->rng, seed);
		run_round(what, users,
		          what->limit_ns ? what->limit_ns : LIMIT_NS);
		seed = next_seed(&state);
	}
	free(users);
}
