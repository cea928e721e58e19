/* What the tests of the limiters share. */
#ifndef WEFT_PATTERNS_RATE_LIMITING_TESTING_H
#define WEFT_PATTERNS_RATE_LIMITING_TESTING_H

#include <errno.h>

#include <weft/atomic.h>

#include "gcra.h"
#include "limiter.h"
#include "testing/testing.h"

static inline struct weft_limiter *
make(enum weft_limiter_kind kind, int64_t tokens, int64_t per_ns, int64_t burst)
{
	const struct weft_limiter_opts opts = { .kind = kind,
		                                .rate = { tokens, per_ns },
		                                .burst = burst };
	struct weft_limiter *l;

	CHECK_EQ(weft_limiter_new(&l, &opts), 0);
	return l;
}

static inline struct weft_gcra *make_gcra(int64_t tokens, int64_t per_ns,
                                          int64_t burst, int64_t keys)
{
	const struct weft_gcra_opts opts = { .rate = { tokens, per_ns },
		                             .burst = burst,
		                             .keys = keys };
	struct weft_gcra *g;

	CHECK_EQ(weft_gcra_new(&g, &opts), 0);
	return g;
}

static inline struct weft_limiter_stats stats(struct weft_limiter *l)
{
	struct weft_limiter_stats out;

	CHECK_EQ(weft_limiter_stats(l, &out), 0);
	return out;
}

/* A task that waits for a token, of a limiter or of a key. */
struct waiting {
	struct weft_limiter *l;
	struct weft_gcra *g;
	int64_t n;
	struct weft_ctx *ctx;
	int64_t deadline_ns;
	struct weft_task *task;
};

static inline int wait_main(void *arg)
{
	const struct waiting *w = arg;

	if (w->g)
		return weft_gcra_wait(w->g, 1, w->n, w->ctx, w->deadline_ns,
		                      NULL);
	return weft_limiter_wait_ctx(w->l, w->n, w->ctx, w->deadline_ns, NULL);
}

static inline void begin(struct waiting *w)
{
	w->task = testing_spawn(wait_main, w);
	CHECK_EQ(weft_clock_settle(), 0);
}

static inline bool waits(const struct waiting *w)
{
	CHECK_EQ(weft_clock_settle(), 0);
	return weft_join_until(w->task, NULL, WEFT_NOW) == -ETIMEDOUT;
}

#endif
