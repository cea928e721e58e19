/*
 * The flight in the life-cycle suite: a call is its only side. The first two
 * lead, and what they get is dropped; the others follow one that does not end.
 */
#include "testing/life.h"
#include <limits.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/weft.h>

#include "base/cacheline.h"
#include "flight.h"
#include "testing/testing.h"

struct endless {
	struct weft_flight *flight;
	struct weft_waitgroup begun, over;
	struct weft_task *leader;
	_Atomic int calls;
};

static int wait_for_the_end(void *arg, void **value)
{
	struct endless *t = arg;

	(void)value;
	weft_waitgroup_done(&t->begun);
	return weft_waitgroup_wait(&t->over, WEFT_FOREVER);
}

static int lead_on(void *arg)
{
	struct endless *t = arg;
	struct weft_flight_key key = weft_flight_text("endless");

	return weft_flight_do(t->flight, key, wait_for_the_end, t, NULL,
	                      WEFT_FOREVER);
}

static void *make(const struct life_opts *o)
{
	const struct weft_flight_opts opts = { .drop = life_drop,
		                               .ctx = o->ctx };
	struct endless *t = cacheline_new(1, sizeof(*t));

	CHECK(t != NULL);
	LIFE_NEW(weft_flight_new(&t->flight, &opts));
	weft_waitgroup_init(&t->begun);
	weft_waitgroup_init(&t->over);
	weft_waitgroup_add(&t->begun, 1);
	weft_waitgroup_add(&t->over, 1);
	if (!weft_ctx_err(o->ctx)) {
		t->leader = testing_spawn(lead_on, t);
		CHECK_EQ(weft_waitgroup_wait(&t->begun, WEFT_FOREVER), 0);
	}
	return t;
}

static struct weft_flight *flight_of(const void *t)
{
	return t ? ((const struct endless *)t)->flight : NULL;
}

static int give(void *arg, void **value)
{
	*value = arg;
	return 0;
}

static int in(void *arg, uint64_t item, int64_t deadline_ns)
{
	struct endless *t = arg;
	bool leads = t && weft_fetch_add_relaxed(&t->calls, 1) < 2;
	struct weft_flight_key key = { &item, sizeof(item) };

	if (!leads)
		key = weft_flight_text("endless");
	return weft_flight_do(flight_of(t), key, give, &item, NULL,
	                      deadline_ns);
}

static void unmake(void *arg)
{
	struct endless *t = arg;

	if (!t) {
		weft_flight_free(NULL);
		return;
	}
	weft_waitgroup_done(&t->over);
	if (t->leader)
		CHECK_EQ(testing_join(t->leader), 0);
	weft_flight_free(t->flight);
	free(t);
}

LIFE_CALL(stop, (void *t), weft_flight_stop(flight_of(t)))
LIFE_CALL(fails, (void *t, int err), weft_flight_fail(flight_of(t), err))
LIFE_CALL(stats, (const void *t, void *out),
          weft_flight_stats(flight_of(t), out))

const struct life life_flight[] = {
	{ .name = "flight",
	  .make = make,
	  .in = in,
	  .stop = stop,
	  .fail = fails,
	  .stats = stats,
	  .free = unmake,
	  .senders = UINT_MAX },
	{ .name = NULL },
};
