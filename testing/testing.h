/* testing: how the tests of the patterns run, and broken channels for them. */
#ifndef WEFT_TESTING_H
#define WEFT_TESTING_H

#include <stddef.h>
#include <stdint.h>

#include <weft/weft.h>

#include "kernel/pattern.h"

/* What the process holds. */
struct testing_held {
	long objects; /* on the heap: of the test, the patterns, the library */
	long descriptors; /* open */
};
struct testing_held testing_held(void);

/* How many objects the heap has been asked for so far. */
long testing_allocations(void);

/* Whether it is what it was before. 0, or -EBUSY and a line on stderr for
 * whatever it is not. */
int testing_held_still(struct testing_held before);

/*
 * Run a test's body as the first task of a run. Returns what the body returned;
 * -EBUSY when that is 0, but an object on the heap or a descriptor was left
 * behind. A live task that is left behind aborts, as does everything that fails
 * inside (CHECK): cmocka's own jump must not leave a run.
 */
int testing_run_clean(enum weft_clock clock, weft_task_fn fn);

/* A test, known from before main() is called. */
struct testing_case {
	const char *name;
	void (*fn)(void **state);
	int line;
	struct testing_case *next;
};
void testing_register(struct testing_case *c);

/* Run all of them, in the order of their lines; the exit status of the test.
 * What has no main() gets one that does this. */
int testing_main(void);

/* How long tasks may take on their way out before they are left behind. */
extern int64_t testing_patience_ns;

/* TEST, TEST_MANUAL, testing_spawn() and more. */
#define TESTING_RUN testing_run_clean
#define TESTING_REGISTER(test)                                                 \
	__attribute__((constructor)) static void test##_register(void)         \
	{                                                                      \
		static struct testing_case c = { #test, test, __LINE__,        \
			                         NULL };                       \
                                                                               \
		testing_register(&c);                                          \
	}
#include "task/testing.h"

/* A channel of that implementation, by its name, without options. */
static inline struct weft_chan *testing_chan(const char *impl, size_t cap,
                                             size_t elem_size)
{
	struct weft_chan *c;

	CHECK_EQ(weft_chan_new(&c, weft_chan_impl_find(impl), cap, elem_size,
	                       NULL),
	         0);
	return c;
}

/* A test outside of a run. */
#define TEST_OUTSIDE(name)                                                     \
	static void name(void **state);                                        \
	TESTING_REGISTER(name)                                                 \
	static void name(__attribute__((unused)) void **state)

/* One cell, run as the bench would. */
struct testing_cell {
	const struct pattern *pattern;
	const struct weft_chan_impl *chan;
	const char *knobs; /* "workers=2 cap=0"; the others at their default */
	uint64_t items;
	double pace_ns;

	/* What came of it. */
	char why[PATTERN_WHY_BYTES];
	uint64_t consumed, latencies; /* over all consumers */
	int64_t longest;              /* of the latencies, in ns */
	struct figure figure[PATTERN_FIGURES_MAX];
	unsigned figures;
};

/* The same as cell_init() needs it. Aborts when a knob cannot be set. */
struct cell testing_cell(const struct testing_cell *t);

/* Whether its channel can do it; if not, t->why says what is lacking. */
bool testing_cell_possible(struct testing_cell *t);

/* Returns what verify, or else what accept or setup returned. Aborts when a
 * knob cannot be set. */
int testing_cell_run(struct testing_cell *t);

/* As testing_cell_run(), which must succeed. */
void testing_verified(struct testing_cell t);

/* The same over every built-in channel that can do it, with `t.chan` as each
 * of them. Returns how many there were. */
int testing_verified_over_all(struct testing_cell t);

/* The cell must fail with a reason that has all of `words` in it. */
void testing_caught(struct testing_cell t, const char *words);

/*
 * Channels of our own, all of them bounded rings of any capacity from 1. The
 * broken ones do what their name says to elements 50, 150, 250, ... of those
 * that are sent; one sender at a time.
 */
extern const struct weft_chan_impl testing_drops;
extern const struct weft_chan_impl testing_repeats;
extern const struct weft_chan_impl testing_swaps;
extern const struct weft_chan_impl testing_corrupts;
extern const struct weft_chan_impl testing_corrupts_end; /* the last byte */
extern const struct weft_chan_impl testing_refuses;      /* with -ENOMEM */

/* Right, but for one sender and one receiver only. */
extern const struct weft_chan_impl testing_one_to_one;

/* Right, but its length is not: one item counts as less than none, as where a
 * taker was faster than the count, and more count as far too many. */
extern const struct weft_chan_impl testing_miscounts;

/* Moves no data; every operation succeeds at once until it is closed. */
extern const struct weft_chan_impl testing_floor;

#endif
