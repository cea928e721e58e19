/*
 * The resource pool in the life-cycle suite: an acquire is its only side. What
 * is held is kept in a list until the pool ends, and then given back.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "respool.h"
#include "testing/life.h"
#include "testing/testing.h"

#define MAX 2u

struct works {
	struct weft_respool *p;
	struct weft_lock lock;
	struct weft_resource held[MAX];
	unsigned n; /* of them; under the lock */
};

static struct weft_respool *pool_of(const void *t)
{
	return t ? ((const struct works *)t)->p : NULL;
}

static int create(void **res, void *arg)
{
	(void)arg;
	*res = malloc(1);
	return *res ? 0 : -ENOMEM;
}

static void destroy(void *res, void *arg)
{
	(void)arg;
	free(res);
}

static void *make(const struct life_opts *o)
{
	struct weft_respool_opts opts =
	        *(const struct weft_respool_opts *)o->shape;
	struct works *w = calloc(1, sizeof(*w));

	CHECK(w != NULL);
	weft_lock_init(&w->lock);
	opts.max = MAX;
	opts.create = create;
	opts.destroy = destroy;
	opts.ctx = o->ctx;
	LIFE_NEW(weft_respool_new(&w->p, &opts));
	return w;
}

/* A resource is nothing that could be dropped: it has come out. */
static int in(void *t, uint64_t item, int64_t deadline_ns)
{
	struct works *w = t;
	struct weft_resource r;
	int err = weft_respool_acquire(pool_of(t), &r, deadline_ns);

	if (err)
		return err;
	weft_lock_acquire(&w->lock);
	CHECK_LT(w->n, MAX);
	w->held[w->n++] = r;
	weft_lock_release(&w->lock);
	life_drop(&item, NULL);
	return 0;
}

static void give_all_back(struct works *w)
{
	weft_lock_acquire(&w->lock);
	while (w->n)
		CHECK_EQ(weft_respool_release(w->p, &w->held[--w->n]), 0);
	weft_lock_release(&w->lock);
}

static int closes(void *t)
{
	int err = weft_respool_close(pool_of(t));

	if (t)
		give_all_back(t);
	return err;
}

/* Its holders see that it has ended, and give back what they have. */
static int joins(void *t, int64_t until)
{
	if (t && weft_respool_warm(pool_of(t), 0))
		give_all_back(t);
	return weft_respool_join(pool_of(t), until);
}

LIFE_CALL(stop, (void *t), weft_respool_stop(pool_of(t)))
LIFE_CALL(fails, (void *t, int err), weft_respool_fail(pool_of(t), err))
LIFE_CALL(stats, (const void *t, void *to), weft_respool_stats(pool_of(t), to))

static void unmake(void *t)
{
	struct works *w = t;

	if (w)
		give_all_back(w);
	weft_respool_free(pool_of(t));
	free(w);
}

#define POOL(title, ...)                                                       \
	{                                                                      \
		.name = title,                                                 \
		.shape = &(const struct weft_respool_opts){ __VA_ARGS__ },     \
		.make = make, .in = in, .close = closes, .stop = stop,         \
		.fail = fails, .join = joins, .stats = stats, .free = unmake,  \
		.senders = UINT_MAX                                            \
	}

const struct life life_respool[] = {
	POOL("plain", .wait = WEFT_WAIT_ADAPTIVE),
	POOL("reaped", .idle_ns = WEFT_SEC, .min = 1),
	{ .name = NULL },
};
