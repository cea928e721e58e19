/*
 * testing_stop: stop something at a random moment, over and over.
 *
 * A round makes a thing, lets tasks use it, and stops it from one more task:
 * before the first of them has begun, in the midst, or when all have had
 * enough, as chance has it. Then all of them have to come back, and the thing
 * is looked at and freed. A task that has not come back when time is up aborts
 * the test, with a list of which task waits for what and with the seed of the
 * round; WEFT_TEST_SEED=<that seed> in the environment begins with this round.
 *
 * For the body of a TEST, on the monotonic clock; testing_run_clean() sees to
 * it that nothing is left behind after all of them.
 */
#ifndef WEFT_TESTING_STOP_H
#define WEFT_TESTING_STOP_H

#include "testing/testing.h"

/* Zero in rounds and limit_ns is the default. Each callback runs in a task of
 * its own; weft_rand() in all of them follows from the seed of the round. */
struct testing_stop {
	/* Make what is to be stopped, of whatever shape. */
	void *(*setup)(void *arg);
	/* Use it, as task `id` of `tasks`, until it is stopped or enough is
	 * done. */
	void (*go)(void *thing, unsigned id);
	unsigned tasks;
	/* Stop it. It may have ended by itself. */
	void (*stop)(void *thing);
	/* Everyone has come back: look at it, and free it. */
	void (*end)(void *thing);
	void *arg;

	unsigned rounds;  /* 0 = 1000, or 100 under a sanitizer */
	int64_t limit_ns; /* for each callback, from the stop on; 0 = 20 s */
};

void testing_stop_often(const struct testing_stop *what);

/* For a call in go(): never, or now and then very soon. */
static inline int64_t testing_some_deadline(void)
{
	return weft_rand() % 4 ? WEFT_FOREVER : weft_deadline_in(1000);
}

#endif
