/* generator_testing: what the tests of the generator are about. */
#ifndef WEFT_PATTERNS_GENERATOR_GENERATOR_TESTING_H
#define WEFT_PATTERNS_GENERATOR_GENERATOR_TESTING_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "testing/testing.h"

#include <weft/atomic.h>

#include "gen.h"

/* Yields the ints 0, 1, 2, ... and returns. */
struct counting {
	int n;            /* how many; -1: without end */
	int64_t pause_ns; /* asleep before each */

	_Atomic int made;   /* how many it has begun to yield */
	_Atomic int yields; /* what the last yield returned */
	_Atomic int runs;   /* times it was called */
};

static inline int counting_body(struct weft_gen *g, void *arg)
{
	struct counting *c = arg;
	int err = 0;

	weft_fetch_add_relaxed(&c->runs, 1);
	for (int i = 0; i != c->n && !err; i++) {
		if (c->pause_ns)
			weft_sleep_until(weft_deadline_in(c->pause_ns));
		weft_store_relaxed(&c->made, i + 1);
		err = weft_gen_yield(g, &i);
		weft_store_relaxed(&c->yields, err);
	}
	return err;
}

static inline struct weft_gen *new_gen(weft_gen_body body, void *arg,
                                       struct weft_gen_opts opts)
{
	struct weft_gen *g;

	CHECK_EQ(weft_gen_new(&g, sizeof(int), body, arg, &opts), 0);
	return g;
}

/* Both forms, by `on_demand`, without a buffer. */
static inline struct weft_gen *new_counting(struct counting *c, bool on_demand)
{
	return new_gen(counting_body, c,
	               (struct weft_gen_opts){ .on_demand = on_demand });
}

/* The same, of as many as are asked for. */
static inline struct weft_gen *endless(bool on_demand)
{
	static struct counting c = { .n = -1 };

	return new_counting(&c, on_demand);
}

/* The next int, which must be there. */
static inline int next_int(struct weft_gen *g)
{
	int v;

	CHECK_EQ(weft_gen_next(g, &v, WEFT_FOREVER), 0);
	return v;
}

/* What next returns instead of an int. */
static inline int next_err(struct weft_gen *g)
{
	int v, err = weft_gen_next(g, &v, WEFT_FOREVER);

	CHECK(err != 0);
	return err;
}

/* No more comes out of it, for good, and that is why. Frees it. */
static inline void expect_end(struct weft_gen *g, int why)
{
	const int reason = why == -EPIPE ? 0 : why;

	CHECK_EQ(next_err(g), why);
	CHECK_EQ(next_err(g), why);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), reason);
	CHECK_EQ(weft_gen_stop(g), 0);
	CHECK_EQ(next_err(g), why);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), reason);
	weft_gen_free(g);
}

/* The n ints from `first` on, and then the end. Frees it. */
static inline void expect_ints(struct weft_gen *g, int first, int n, int why)
{
	for (int i = first; i < first + n; i++)
		CHECK_EQ(next_int(g), i);
	expect_end(g, why);
}

/* The numbers from 0 below n, as ints. */
static inline struct weft_gen *ints(int n)
{
	struct weft_gen *g;
	int v[20];

	CHECK_LE(n, 20);
	for (int i = 0; i < n; i++)
		v[i] = i;
	CHECK_EQ(weft_gen_array(&g, v, (size_t)n, sizeof(int)), 0);
	return g;
}

static inline struct weft_gen *take(struct weft_gen *in, uint64_t n)
{
	struct weft_gen *g;

	CHECK_EQ(weft_gen_take(&g, in, n), 0);
	return g;
}

static inline struct weft_gen *ahead(struct weft_gen *in, size_t cap)
{
	const struct weft_gen_opts opts = { .cap = cap };
	struct weft_gen *g;

	CHECK_EQ(weft_gen_ahead(&g, in, &opts), 0);
	return g;
}

static inline int add_one(const void *in, void *out, void *arg)
{
	(void)arg;
	*(int *)out = *(const int *)in + 1;
	return 0;
}

static inline struct weft_gen *
map(struct weft_gen *in, int (*fn)(const void *, void *, void *), void *arg)
{
	struct weft_gen *g;

	CHECK_EQ(weft_gen_map(&g, in, sizeof(int), fn, arg), 0);
	return g;
}

static inline struct weft_gen *
filter(struct weft_gen *in, int (*fn)(const void *, void *), void *arg)
{
	struct weft_gen *g;

	CHECK_EQ(weft_gen_filter(&g, in, fn, arg), 0);
	return g;
}

/* Of calls of fn, without a task. */
static inline struct weft_gen *calls(int (*fn)(void *, void *), void *arg)
{
	struct weft_gen *g;

	CHECK_EQ(weft_gen_repeat_fn(&g, sizeof(int), fn, arg), 0);
	return g;
}

/* 0, 1, 2, ... */
static inline int count_up(void *elem, void *arg)
{
	int *made = arg;

	*(int *)elem = (*made)++;
	return 0;
}

static inline struct weft_gen_stats stats_of(const struct weft_gen *g)
{
	struct weft_gen_stats stats;

	CHECK_EQ(weft_gen_stats(g, &stats), 0);
	return stats;
}

/* A next in a task of its own: the int, or what it returned. */
static inline int next_main(void *arg)
{
	int v, err = weft_gen_next(arg, &v, WEFT_FOREVER);

	return err ? err : v;
}

/* --- elements that own memory --- */

struct owned {
	_Atomic int alive;
	_Atomic uint64_t made, dropped;
	int n;     /* how many a body makes; -1: without end */
	int batch; /* and yields at a time, up to 3; 0 = 1 */
};

static inline int *owned_new(struct owned *o, int value)
{
	int *p = malloc(sizeof(*p));

	CHECK(p != NULL);
	*p = value;
	weft_fetch_add_relaxed(&o->alive, 1);
	weft_fetch_add_relaxed(&o->made, 1);
	return p;
}

static inline void owned_drop(void *elem, void *arg)
{
	struct owned *o = arg;
	int *p;

	memcpy(&p, elem, sizeof(p));
	free(p);
	weft_fetch_sub_relaxed(&o->alive, 1);
	weft_fetch_add_relaxed(&o->dropped, 1);
}

static inline int owned_body(struct weft_gen *g, void *arg)
{
	struct owned *o = arg;
	int *p[3], i = 0, err = 0;

	while (i != o->n && !err) {
		size_t n = 0;

		do
			p[n++] = owned_new(o, i++);
		while ((int)n < o->batch && i != o->n);
		/* The generator's, whatever comes of it. */
		err = weft_gen_yield_many(g, p, n);
	}
	return err;
}

static inline struct weft_gen *new_owned(struct owned *o,
                                         struct weft_gen_opts opts)
{
	struct weft_gen *g;

	opts.drop = owned_drop;
	opts.drop_arg = o;
	CHECK_EQ(weft_gen_new(&g, sizeof(int *), owned_body, o, &opts), 0);
	return g;
}

static inline int next_owned(struct weft_gen *g, struct owned *o)
{
	int *p, value;

	CHECK_EQ(weft_gen_next(g, &p, WEFT_FOREVER), 0);
	value = *p;
	owned_drop(&p, o);
	return value;
}

static inline int owned_is_third(const void *elem, void *arg)
{
	int *p;

	(void)arg;
	memcpy(&p, elem, sizeof(p));
	return *p % 3 == 0;
}

static inline int pass_owned(const void *in, void *out, void *arg)
{
	(void)arg;
	memcpy(out, in, sizeof(int *));
	return 0;
}

static inline struct weft_gen *map_owned(struct weft_gen *g, struct owned *o)
{
	CHECK_EQ(weft_gen_map(&g, g, sizeof(int *), pass_owned, NULL), 0);
	CHECK_EQ(weft_gen_set_drop(g, owned_drop, o), 0);
	return g;
}

#endif
