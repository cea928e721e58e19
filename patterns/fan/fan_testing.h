/* What the tests of the fan share: functions, fans, and tasks around them. */
#ifndef WEFT_PATTERNS_FAN_FAN_TESTING_H
#define WEFT_PATTERNS_FAN_FAN_TESTING_H

#include <errno.h>
#include <stdlib.h>

#include <weft/atomic.h>

#include "fan.h"
#include "testing/testing.h"

/* How a fan deals and merges. */
struct shape {
	enum weft_fan_deal deal;
	enum weft_fan_merge merge;
};

static const struct shape ordered = { WEFT_FAN_SHARED, WEFT_FAN_ORDERED };

static inline struct shape dealt(enum weft_fan_deal deal)
{
	return (struct shape){ deal, WEFT_FAN_UNORDERED };
}

/* All there are: four without order, the same four with it, and then the only
 * one that gives an item to several workers. */
static const struct shape shapes[] = {
	{ WEFT_FAN_SHARED, WEFT_FAN_UNORDERED },
	{ WEFT_FAN_ROUND_ROBIN, WEFT_FAN_UNORDERED },
	{ WEFT_FAN_RANDOM, WEFT_FAN_UNORDERED },
	{ WEFT_FAN_LEAST_LOADED, WEFT_FAN_UNORDERED },
	{ WEFT_FAN_SHARED, WEFT_FAN_ORDERED },
	{ WEFT_FAN_ROUND_ROBIN, WEFT_FAN_ORDERED },
	{ WEFT_FAN_RANDOM, WEFT_FAN_ORDERED },
	{ WEFT_FAN_LEAST_LOADED, WEFT_FAN_ORDERED },
	{ WEFT_FAN_BROADCAST, WEFT_FAN_UNORDERED },
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))
#define SINGLE_SHAPES (SHAPES - 1)
#define UNORDERED_SHAPES 4

#define OPTS(...) ((struct weft_fan_opts){ __VA_ARGS__ })

/* --- functions --- */

static inline int pass(const void *in, void *out, unsigned worker, void *arg)
{
	(void)worker;
	(void)arg;
	*(int *)out = *(const int *)in;
	return WEFT_EMIT;
}

static inline int swallow(const void *in, void *out, unsigned worker, void *arg)
{
	pass(in, out, worker, arg);
	return WEFT_SKIP;
}

/* --- fans, and tasks around them --- */

static inline struct weft_fan *new_fan(struct shape shape,
                                       struct weft_fan_opts opts)
{
	struct weft_fan *f;

	opts.deal = shape.deal;
	opts.merge = shape.merge;
	opts.fn = opts.fn ? opts.fn : pass;
	opts.elem_size = sizeof(int);
	CHECK_EQ(weft_fan_new(&f, &opts), 0);
	return f;
}

/* How many results one item has. */
static inline unsigned copies_of(struct shape shape, unsigned workers)
{
	return shape.deal == WEFT_FAN_BROADCAST ? workers : 1;
}

static inline struct weft_fan_stats stats_of(const struct weft_fan *f)
{
	struct weft_fan_stats stats;

	CHECK_EQ(weft_fan_stats(f, &stats), 0);
	return stats;
}

static inline struct weft_fan_worker_stats worker_of(const struct weft_fan *f,
                                                     unsigned worker)
{
	struct weft_fan_worker_stats stats;

	CHECK_EQ(weft_fan_worker_stats(f, worker, &stats), 0);
	return stats;
}

/* Sends begin, begin + 1, ... up to end, excluded. */
struct source {
	struct weft_fan *f;
	int begin, end;
	bool close;
};

static inline int source_main(void *arg)
{
	const struct source *s = arg;
	int err = 0;

	for (int i = s->begin; i < s->end && !err; i++)
		err = weft_fan_send(s->f, &i, WEFT_FOREVER);
	if (s->close)
		weft_fan_close(s->f);
	return err;
}

/* Sends until it is told not to. */
static inline int send_main(void *arg)
{
	int item = 1, err;

	do
		err = weft_fan_send(arg, &item, WEFT_FOREVER);
	while (!err);
	return err;
}

/* Receives until it is told not to. */
static inline int recv_main(void *arg)
{
	int result, err;

	do
		err = weft_fan_recv(arg, &result, WEFT_FOREVER);
	while (!err);
	return err;
}

/* Whether `item` is the last of `every` in a row; 0: none is. */
static inline bool is_nth(int item, int every)
{
	return every && item % every == every - 1;
}

/* Receive to the end: so many copies of the items below n, but none of every
 * `every`th, and in order where that is promised. */
static inline void expect_results(struct weft_fan *f, struct shape shape, int n,
                                  int every, unsigned copies)
{
	unsigned char *seen = calloc((size_t)n + 1, 1);
	int result, last = -1, err;

	CHECK(seen != NULL);
	while (!(err = weft_fan_recv(f, &result, WEFT_FOREVER))) {
		CHECK(0 <= result && result < n);
		seen[result]++;
		if (shape.merge == WEFT_FAN_ORDERED)
			CHECK_LT(last, result);
		last = result;
	}
	CHECK_EQ(err, -EPIPE);
	for (int i = 0; i < n; i++)
		CHECK_EQ(seen[i], is_nth(i, every) ? 0u : copies);
	free(seen);
}

/* The whole life of a fan of n items, of which every `every`th has no result.
 * Its figures at the end. */
static inline struct weft_fan_stats
run_through(struct shape shape, struct weft_fan_opts opts, int n, int every)
{
	struct weft_fan *f = new_fan(shape, opts);
	struct source source = { f, 0, n, true };
	struct weft_task *t = testing_spawn(source_main, &source);
	unsigned copies = copies_of(shape, opts.workers);
	struct weft_fan_stats stats;

	expect_results(f, shape, n, every, copies);
	CHECK_EQ(testing_join(t), 0);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
	stats = stats_of(f);
	CHECK_EQ(stats.in, (uint64_t)n * copies);
	CHECK_EQ(stats.queued, 0u);
	weft_fan_free(f);
	return stats;
}

#endif
