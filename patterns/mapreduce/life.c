/*
 * The mapreduce in the life-cycle suite.
 *
 * An input is mapped to a pair with it as the key and as the value, and that is
 * its result. Mapping waits until the entrance has been closed or all is over,
 * so that sends come to wait.
 */
#include "testing/life.h"

#include <limits.h>
#include <stdlib.h>

#include "mapreduce.h"
#include "testing/testing.h"

struct thing {
	struct weft_mapreduce *m;
	struct weft_ctx *gate; /* ends when mapping may begin */
};

static int map(struct weft_mapreduce_worker *to, const void *elem, void *arg)
{
	struct thing *t = arg;
	uint64_t item = *(const uint64_t *)elem;
	struct weft_slice key = { (const char *)&item, sizeof(item) };
	int err;

	CHECK_NE(weft_sleep_ctx(t->gate, WEFT_FOREVER), 0);
	err = weft_mapreduce_emit(to, key, &item);
	if (err)
		life_drop(&item, NULL);
	return err;
}

static int reduce(struct weft_slice key, const void *values, size_t n,
                  void *out, void *arg)
{
	(void)arg;
	CHECK_EQ(key.bytes, sizeof(uint64_t));
	CHECK_EQ(n, 1u);
	*(uint64_t *)out = *(const uint64_t *)values;
	return WEFT_EMIT;
}

static void *make(const struct life_opts *o)
{
	const struct weft_mapreduce_opts opts = {
		.cap = 1,
		.elem_size = sizeof(uint64_t),
		.value_size = sizeof(uint64_t),
		.ctx = o->ctx,
		.workers = 2,
		.sorted = o->shape != NULL,
		.map = map,
		.reduce = reduce,
		.drop_in = life_drop,
		.drop_value = life_drop,
		.drop_out = life_drop,
	};
	struct weft_mapreduce_opts own = opts;
	struct thing *t = calloc(1, sizeof(*t));

	CHECK(t != NULL);
	CHECK_EQ(weft_ctx_with_cancel(&t->gate, o->ctx), 0);
	own.arg = t;
	LIFE_NEW(weft_mapreduce_new(&t->m, &own));
	return t;
}

/* NULL is for the component to refuse. */
static struct weft_mapreduce *of(const void *t)
{
	return t ? ((const struct thing *)t)->m : NULL;
}

/* After a call that lets the workers go on. */
static int open_gate(void *t, int err)
{
	if (t)
		CHECK_EQ(weft_ctx_cancel(((struct thing *)t)->gate, 0), 0);
	return err;
}

LIFE_CALL(in, (void *t, uint64_t item, int64_t until),
          weft_mapreduce_send(of(t), &item, until))
LIFE_CALL(closes, (void *t), open_gate(t, weft_mapreduce_close(of(t))))
LIFE_CALL(stop, (void *t), open_gate(t, weft_mapreduce_stop(of(t))))
LIFE_CALL(join, (void *t, int64_t until), weft_mapreduce_join(of(t), until))
LIFE_CALL(stats, (const void *t, void *out), weft_mapreduce_stats(of(t), out))

/* What it refuses has not ended it. */
static int fails(void *t, int err)
{
	int refused = weft_mapreduce_fail(of(t), err);

	return refused ? refused : open_gate(t, 0);
}

static int out(void *t, uint64_t *item, int64_t until)
{
	struct weft_mapreduce_pair pair;
	int err = weft_mapreduce_recv(of(t), &pair, until);

	if (!err)
		*item = *(const uint64_t *)pair.value;
	return err;
}

static void unmake(void *arg)
{
	struct thing *t = arg;

	if (t)
		(void)stop(t);
	weft_mapreduce_free(of(t));
	if (t)
		weft_ctx_unref(t->gate);
	free(t);
}

#define ROW(row_name, row_shape)                                               \
	{                                                                      \
		.name = row_name, .shape = row_shape, .make = make, .in = in,  \
		.out = out, .close = closes, .stop = stop, .fail = fails,      \
		.join = join, .stats = stats, .free = unmake,                  \
		.senders = UINT_MAX, .receivers = UINT_MAX,                    \
		.after_close = true                                            \
	}

const struct life life_mapreduce[] = {
	ROW("mapreduce", NULL),
	ROW("mapreduce, sorted", "sorted"),
	{ .name = NULL },
};
