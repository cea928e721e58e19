/* What the tests of the fan share: functions, fans, and tasks around them. */
#ifndef WEFT_PATTERNS_FAN_FAN_TESTING_H
#define WEFT_PATTERNS_FAN_FAN_TESTING_H

#include <errno.h>
#include <stdlib.h>

#include <weft/atomic.h>

#include "fan.h"
#include "testing/testing.h"

#define WORKERS_MAX 8

/* How a fan deals and merges. */
struct shape {
	enum weft_fan_deal deal;
	enum weft_fan_merge merge;
};

static const struct shape shared = { WEFT_FAN_SHARED, WEFT_FAN_UNORDERED };
static const struct shape ordered = { WEFT_FAN_SHARED, WEFT_FAN_ORDERED };

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

/* --- functions, and how they are held up --- */

static inline int pass(const void *in, void *out, unsigned worker, void *arg)
{
	(void)worker;
	(void)arg;
	*(int *)out = *(const int *)in;
	return WEFT_EMIT;
}

/* What a fan's function and a test share. */
struct site {
	struct weft_chan *gate; /* received from while at item `held` */
	int held;
	_Atomic int active, most; /* calls at once */
	_Atomic int active_of[WORKERS_MAX];
	_Atomic int last_of[WORKERS_MAX]; /* item + 1 */
	_Atomic int calls;
};

static inline struct site *new_site(int held)
{
	struct site *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	s->held = held;
	CHECK_EQ(weft_chan_new(&s->gate, weft_chan_impl_find("handoff"), 0, 0,
	                       NULL),
	         0);
	return s;
}

static inline void free_site(struct site *s)
{
	weft_chan_unref(s->gate);
	free(s);
}

static inline void open_gate(struct site *s)
{
	CHECK_EQ(weft_chan_close(s->gate), 0);
}

/* Waits at the gate with item `held` (all of them when that is -1). */
static inline int held_up(const void *in, void *out, unsigned worker, void *arg)
{
	struct site *s = arg;
	int item = *(const int *)in;

	weft_fetch_add_relaxed(&s->calls, 1);
	if (s->held < 0 || item == s->held)
		CHECK_EQ(weft_chan_recv(s->gate, NULL, WEFT_FOREVER), -EPIPE);
	return pass(in, out, worker, NULL);
}

/* --- fans, and tasks around them --- */

static inline struct weft_fan *new_fan(struct shape shape,
                                       struct weft_fan_opts opts)
{
	struct weft_fan *f;

	opts.deal = shape.deal;
	opts.merge = shape.merge;
	opts.fn = opts.fn ? opts.fn : pass;
	opts.workers = opts.workers ? opts.workers : 1;
	opts.elem_size = sizeof(int);
	CHECK_EQ(weft_fan_new(&f, &opts), 0);
	return f;
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

/* Receive to the end: of the items below n, those that `step` divides, each of
 * them once, and in order when that is asked. */
static inline void expect_all(struct weft_fan *f, int n, int step,
                              bool in_order)
{
	unsigned char *seen = calloc((size_t)n + 1, 1);
	int result, last = -1, count = 0, err;

	CHECK(seen != NULL);
	while (!(err = weft_fan_recv(f, &result, WEFT_FOREVER))) {
		CHECK(0 <= result && result < n && result % step == 0);
		CHECK_EQ(seen[result], 0);
		seen[result] = 1;
		if (in_order)
			CHECK_LT(last, result);
		last = result;
		count++;
	}
	CHECK_EQ(err, -EPIPE);
	CHECK_EQ(count, (n + step - 1) / step);
	free(seen);
}

#endif
