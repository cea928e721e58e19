/* The life cycle of a generator: see testing/life.h. Its elements come from
 * inside and it is not closed; what a body, a source and adapters do at their
 * own end, its tests say. */
#include <string.h>

#include "gen.h"
#include "testing/life.h"
#include "testing/testing.h"

static int numbers(struct weft_gen *g, void *arg)
{
	uint64_t item;
	int err = 0;

	(void)arg;
	while (!err) {
		item = life_make();
		err = weft_gen_yield(g, &item);
	}
	return err;
}

static struct weft_gen *body(struct weft_gen_opts opts)
{
	struct weft_gen *g;

	opts.drop = life_drop;
	LIFE_NEW(weft_gen_new(&g, sizeof(uint64_t), numbers, NULL, &opts));
	return g;
}

static void *make_ahead(const struct life_opts *o)
{
	return body((struct weft_gen_opts){ .cap = 3, .ctx = o->ctx });
}

static void *make_on_demand(const struct life_opts *o)
{
	return body((struct weft_gen_opts){
	        .on_demand = true, .batch = 2, .ctx = o->ctx });
}

static int pass(const void *in, void *out, void *arg)
{
	(void)arg;
	memcpy(out, in, sizeof(uint64_t));
	return 0;
}

/* Two bodies, a function, and a context at the outermost only. */
static void *make_chain(const struct life_opts *o)
{
	struct weft_gen *g = body((struct weft_gen_opts){ .on_demand = true });

	LIFE_NEW(weft_gen_map(&g, g, sizeof(uint64_t), pass, NULL));
	CHECK_EQ(weft_gen_set_drop(g, life_drop, NULL), 0);
	LIFE_NEW(weft_gen_ahead(&g, g, NULL));
	LIFE_NEW(weft_gen_until(&g, g, o->ctx));
	return g;
}

static int out(void *g, uint64_t *item, int64_t deadline_ns)
{
	return weft_gen_next(g, item, deadline_ns);
}

LIFE_STOP_FAIL_FREE(gen)
LIFE_JOIN(gen)
LIFE_STATS(gen)

#define ROW(row_name, make_fn)                                                 \
	{                                                                      \
		.name = (row_name), .make = (make_fn), .out = out,             \
		.stop = gen_stop, .fail = gen_fail, .join = gen_join,          \
		.stats = gen_stats, .free = gen_free, .receivers = 1,          \
		.endless = true                                                \
	}

const struct life life_gen[] = {
	ROW("generator that runs ahead", make_ahead),
	ROW("generator on demand", make_on_demand),
	ROW("chain of generators", make_chain),
	{ .name = NULL },
};
