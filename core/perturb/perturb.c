/* Where all operations come through, and the random delays. */
#include "perturb/perturb.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"

/* The task's own random numbers, where there is a weft to ask: seeded by the
 * run's seed and the order of spawning. */
extern uint64_t weft_rand(void) __attribute__((weak));

/* Not to be allocated on first use: the first use may be in an allocator. */
#define PER_THREAD                                                             \
	static __attribute__((tls_model("initial-exec"))) _Thread_local

PER_THREAD struct stream {
	uint64_t epoch; /* of perturb_begin(); 0 = none yet */
	struct rng rng;
	uint64_t operations, trace;
	bool inside; /* a hook: what it does itself is not perturbed */
} mine;

/* Written before there are tasks; read by all of them. */
static struct {
	uint64_t seed;    /* 0 = no delays */
	uint64_t epoch;   /* grows with each beginning */
	uint64_t threads; /* that have come since, where weft_rand() is not */
	uint64_t temper;
} now;

/* --- the random delays --- */

/*
 * One in so many operations yields, one in so many sleeps for up to 50 us, and
 * one in so many starves for a millisecond. Each seed has another temper: a
 * window of a few instructions wants many delays, one that opens late wants
 * few.
 */
static const struct temper {
	unsigned yields, sleeps, starves;
} tempers[] = {
	{ 64, 512, 1u << 15 },
	{ 16, 64, 1u << 14 },
	{ 4, 16, 1u << 13 },
	{ 1024, 128, 1u << 12 },
};

#define TEMPERS (sizeof(tempers) / sizeof(tempers[0]))

/* And one place in so many is delayed half of the time: what is narrow is hit
 * only where all delays are in one place. */
#define PLACES 8

#define SLEEP_MAX 50000
#define STARVE 1000000

static void wait_ns(long ns)
{
	struct timespec t = { .tv_nsec = ns };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

/*
 * A task that makes many operations must come to its end all the same: of its
 * first so many each may be delayed, of as many after those one in four, then
 * one in nine, and so on, which is less than twice the first in all.
 */
#define FRESH 4096

static bool is_tired(uint64_t r, uint64_t operations)
{
	uint64_t laps = 1 + operations / FRESH;

	return r % (laps * laps) != 0;
}

/* In ns; 1 is a yield, 0 nothing. */
static long decide(const struct temper *t, uint64_t r, bool favoured)
{
	if (r % t->starves == 0)
		return STARVE;
	r >>= 16;
	if (r % t->sleeps == 0 || (favoured && r % 2))
		return 1 + (long)((r >> 16) % SLEEP_MAX);
	return r % t->yields == 0;
}

static void random_before(void *arg, enum perturb_kind kind, const void *at,
                          uintptr_t place)
{
	const struct temper *t = &tempers[now.temper % TEMPERS];
	uint64_t mixed = now.seed ^ place;
	bool favoured = rng_mix(&mixed) % PLACES == 0;
	bool tired;
	long ns;

	(void)arg;
	(void)at;
	if (kind == PERTURB_YIELD)
		return; /* it is a delay itself */
	tired = is_tired(rng_next(&mine.rng), mine.operations);
	ns = tired ? 0 : decide(t, rng_next(&mine.rng), favoured);
	mixed = mine.trace ^ ((uint64_t)ns << 8 | (uint64_t)kind);
	mine.trace = rng_mix(&mixed);
	mine.operations++;
	if (ns == 1)
		sched_yield();
	else if (ns)
		wait_ns(ns);
}

/* One wait in so many is woken for no reason. */
#define FOR_NOTHING 8

static bool random_wakes(void *arg, const void *at, uintptr_t place)
{
	bool wakes = rng_next(&mine.rng) % FOR_NOTHING == 0;
	uint64_t mixed = mine.trace ^ wakes;

	(void)arg;
	(void)at;
	(void)place;
	mine.trace = rng_mix(&mixed);
	return wakes;
}

/* --- the hooks --- */

static const struct perturb_hooks random_hooks = { .before = random_before,
	                                           .wakes = random_wakes };
static const struct perturb_hooks *hooks = &random_hooks;

void weft_perturb_set(const struct perturb_hooks *those)
{
	hooks = those ? those : &random_hooks;
}

void weft_perturb_begin(uint64_t seed)
{
	uint64_t mixed = seed;

	now.seed = seed;
	now.threads = 0;
	now.temper = rng_mix(&mixed);
	now.epoch++;
	if (hooks->begin)
		hooks->begin(hooks->arg, seed);
}

uint64_t weft_perturb_trace(uint64_t *operations)
{
	bool current = mine.epoch == now.epoch;

	*operations = current ? mine.operations : 0;
	return current ? mine.trace : 0;
}

__attribute__((constructor)) static void begin_by_environment(void)
{
	const char *seed = getenv("WEFT_PERTURB");

	if (seed)
		weft_perturb_begin(strtoull(seed, NULL, 10));
}

/* A stream of its own for each task. */
static void stream_begin(void)
{
	uint64_t seed = now.seed;

	mine = (struct stream){ .epoch = now.epoch, .inside = true };
	seed ^= weft_rand
	                ? weft_rand()
	                : __atomic_add_fetch(&now.threads, 1, __ATOMIC_RELAXED);
	rng_seed(&mine.rng, seed);
}

/* Whether the hooks are for the calling thread; then perturb_leave() ends it.
 */
static bool perturb_enter(void)
{
	if (now.seed == 0 || mine.inside)
		return false;
	if (mine.epoch != now.epoch)
		stream_begin();
	mine.inside = true;
	return true;
}

static void perturb_leave(int err)
{
	mine.inside = false;
	errno = err;
}

/* So that places are the same where the object is not at the same address. */
static const char anchor;

static uintptr_t place_of(const void *caller)
{
	return (uintptr_t)caller - (uintptr_t)&anchor;
}

void weft_perturb_point(enum perturb_kind kind, const void *at,
                        const void *caller)
{
	int err = errno;

	if (!hooks->before || !perturb_enter())
		return;
	hooks->before(hooks->arg, kind, at, place_of(caller));
	perturb_leave(err);
}

bool weft_perturb_wakes(const void *at, const void *caller)
{
	int err = errno;
	bool wakes;

	if (!hooks->wakes || !perturb_enter())
		return false;
	wakes = hooks->wakes(hooks->arg, at, place_of(caller));
	perturb_leave(err);
	return wakes;
}

void weft_perturb_atomic(unsigned kind)
{
	weft_perturb_point((enum perturb_kind)kind, NULL,
	                   __builtin_return_address(0));
}

void weft_perturb_blocks(enum perturb_kind kind, const void *at)
{
	int err = errno;

	if (!hooks->blocks || !perturb_enter())
		return;
	hooks->blocks(hooks->arg, kind, at);
	perturb_leave(err);
}

void weft_perturb_goes_on(void)
{
	int err = errno;

	if (!hooks->goes_on || !perturb_enter())
		return;
	hooks->goes_on(hooks->arg);
	perturb_leave(err);
}

void weft_perturb_access(bool writes, const void *at, unsigned bytes)
{
	int err = errno;

	if (!hooks->access || !perturb_enter())
		return;
	hooks->access(hooks->arg, writes, at, bytes);
	perturb_leave(err);
}
