/* The limiters in the life-cycle suite: to get tokens is their only side. */
#include "testing/life.h"
#include <limits.h>

#include "gcra.h"
#include "limiter.h"
#include "testing/testing.h"

/* One an hour: a wait for it is longer than any test. */
#define RATE                                                                   \
	{                                                                      \
		1, 3600 * WEFT_SEC                                             \
	}

static void *limiter_make(const struct life_opts *o)
{
	struct weft_limiter_opts opts =
	        *(const struct weft_limiter_opts *)o->shape;
	struct weft_limiter *l;

	opts.ctx = o->ctx;
	LIFE_NEW(weft_limiter_new(&l, &opts));
	return l;
}

static void *gcra_make(const struct life_opts *o)
{
	const struct weft_gcra_opts opts = {
		.rate = RATE, .burst = 2, .keys = 1, .ctx = o->ctx
	};
	struct weft_gcra *g;

	LIFE_NEW(weft_gcra_new(&g, &opts));
	return g;
}

/* A token is nothing that could be dropped: it has come out when taken. */
static int got(int err, uint64_t item)
{
	if (!err)
		life_drop(&item, NULL);
	return err;
}

LIFE_CALL(limiter_in, (void *t, uint64_t item, int64_t until),
          got(weft_limiter_wait(t, 1, until, NULL), item))
LIFE_CALL(gcra_in, (void *t, uint64_t item, int64_t until),
          got(weft_gcra_wait(t, 7, 1, NULL, until, NULL), item))
LIFE_STOP_FAIL_FREE(limiter)
LIFE_STOP_FAIL_FREE(gcra)
LIFE_CALL(limiter_stats, (const void *t, void *out),
          weft_limiter_stats((void *)(uintptr_t)t, out))
LIFE_CALL(gcra_stats, (const void *t, void *out),
          weft_gcra_stats((void *)(uintptr_t)t, out))

#define LIMITER(text, ...)                                                     \
	{                                                                      \
		.name = text,                                                  \
		.shape = &(const struct weft_limiter_opts){ .rate = RATE,      \
			                                    __VA_ARGS__ },     \
		.make = limiter_make, .in = limiter_in, .stop = limiter_stop,  \
		.fail = limiter_fail, .stats = limiter_stats,                  \
		.free = limiter_free, .senders = UINT_MAX, .by_time = true     \
	}

const struct life life_limiter[] = {
	LIMITER("bucket", .burst = 2),
	LIMITER("leaky bucket", .burst = 2, .kind = WEFT_LIMITER_LEAKY),
	LIMITER("refill", .burst = 2, .kind = WEFT_LIMITER_REFILL),
	LIMITER("ticker", .kind = WEFT_LIMITER_TICKER),
	{ .name = NULL },
};

const struct life life_gcra[] = {
	{ .name = "gcra",
	  .make = gcra_make,
	  .in = gcra_in,
	  .stop = gcra_stop,
	  .fail = gcra_fail,
	  .stats = gcra_stats,
	  .free = gcra_free,
	  .senders = UINT_MAX,
	  .by_time = true },
	{ .name = NULL },
};
