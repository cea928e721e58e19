/* The semaphore in the life-cycle suite: an acquire is its only side. */
#include "testing/life.h"
#include <limits.h>

#include "semaphore.h"
#include "testing/testing.h"

static void *make(const struct life_opts *o)
{
	const struct weft_semaphore_opts opts = { .permits = 2, .ctx = o->ctx };
	struct weft_semaphore *s;

	LIFE_NEW(weft_semaphore_new(&s, &opts));
	return s;
}

/* A permit is nothing that could be dropped: it has come out when acquired. */
static int in(void *s, uint64_t item, int64_t deadline_ns)
{
	int err = weft_semaphore_acquire(s, 1, deadline_ns);

	if (!err)
		life_drop(&item, NULL);
	return err;
}

static int stop(void *s)
{
	return weft_semaphore_stop(s);
}

static int fails(void *s, int err)
{
	return weft_semaphore_fail(s, err);
}

static int stats(const void *s, void *out)
{
	return weft_semaphore_stats((void *)(uintptr_t)s, out);
}

static void unmake(void *s)
{
	weft_semaphore_free(s);
}

const struct life life_semaphore[] = {
	{ .name = "semaphore",
	  .make = make,
	  .in = in,
	  .stop = stop,
	  .fail = fails,
	  .stats = stats,
	  .free = unmake,
	  .senders = UINT_MAX },
	{ .name = NULL },
};
