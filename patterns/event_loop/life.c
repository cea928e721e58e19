/* The life cycle of a loop: see testing/life.h. One event is handled by each
 * call that takes one out. A loop of a queue waits in the kernel, which hides
 * from a manual clock that it does: only its senders are tested. */
#include <stdlib.h>
#include <string.h>

#include "loop.h"
#include "testing/life.h"
#include "testing/testing.h"

struct looped {
	struct weft_loop *l;
	struct weft_loop_source *s;
	uint64_t came;
};

static int handle(void *arg, void *event)
{
	struct looped *x = arg;

	memcpy(&x->came, event, sizeof(x->came));
	return 0;
}

static void *make(const struct life_opts *o)
{
	const enum weft_loop_kind *kind = o->shape;
	const struct weft_loop_opts opts = { .kind = *kind,
		                             .cap = 1,
		                             .batch = 1,
		                             .elem_size = sizeof(uint64_t),
		                             .ctx = o->ctx,
		                             .drop = life_drop };
	struct looped *x = malloc(sizeof(*x));

	CHECK(x != NULL);
	LIFE_NEW(weft_loop_new(&x->l, &opts));
	LIFE_ADD(weft_loop_source_new(&x->s, x->l, 0, handle, x));
	return x;
}

static struct weft_loop *loop_of(const void *t)
{
	return t ? ((const struct looped *)t)->l : NULL;
}

static int out(void *t, uint64_t *item, int64_t until)
{
	struct looped *x = t;
	int err = weft_loop_run_once(loop_of(t), until);

	if (!err)
		*item = x->came;
	return err;
}

LIFE_CALL(in, (void *t, uint64_t item, int64_t until),
          weft_loop_send(t ? ((struct looped *)t)->s : NULL, &item, until))
LIFE_CALL(close, (void *t), weft_loop_close(loop_of(t)))
LIFE_CALL(stop, (void *t), weft_loop_stop(loop_of(t)))
LIFE_CALL(fail_with, (void *t, int err), weft_loop_fail(loop_of(t), err))
LIFE_CALL(stats, (const void *t, void *figures),
          weft_loop_stats(loop_of(t), figures))

static void free_loop(void *t)
{
	weft_loop_free(loop_of(t));
	free(t);
}

#define LOOP(title, of_kind, ...)                                              \
	{                                                                      \
		.name = title,                                                 \
		.shape = &(const enum weft_loop_kind){ of_kind },              \
		.make = make, .in = in, .close = close, .stop = stop,          \
		.fail = fail_with, .stats = stats, .free = free_loop,          \
		.senders = 9, __VA_ARGS__                                      \
	}

const struct life life_loop[] = {
	LOOP("loop", WEFT_LOOP_SELECT, .out = out, .receivers = 1),
	LOOP("loop of a queue", WEFT_LOOP_QUEUE, .out = NULL),
	{ .name = NULL },
};
