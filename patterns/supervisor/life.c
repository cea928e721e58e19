/* The supervisor in the life-cycle suite, with children that run until they are
 * told to stop, and without any. Nothing travels through it. */
#include "testing/life.h"

#include "supervisor.h"
#include "testing/testing.h"

static int idle(void *arg, struct weft_child *self)
{
	(void)arg;
	return weft_sleep_ctx(weft_child_ctx(self), WEFT_FOREVER);
}

static void *make(const struct life_opts *o)
{
	const struct weft_supervisor_opts opts = { .strategy = WEFT_ONE_FOR_ALL,
		                                   .ctx = o->ctx };
	const struct weft_child_opts child = { .fn = idle };
	const int *children = o->shape;
	struct weft_supervisor *s;

	LIFE_NEW(weft_supervisor_new(&s, &opts));
	if (weft_ctx_err(o->ctx))
		return s; /* takes no children */
	for (int i = 0; i < *children; i++)
		LIFE_ADD(weft_supervisor_add(s, NULL, &child));
	return s;
}

LIFE_STOP_FAIL_FREE(supervisor)
LIFE_CLOSE(supervisor)
LIFE_JOIN(supervisor)
LIFE_CALL(stats, (const void *t, void *out),
          weft_supervisor_stats((void *)(uintptr_t)t, out))

#define SUPERVISOR(title, children, ...)                                       \
	{                                                                      \
		.name = title, .shape = &(const int){ children },              \
		.make = make, .close = supervisor_close,                       \
		.stop = supervisor_stop, .fail = supervisor_fail,              \
		.join = supervisor_join, .stats = stats,                       \
		.free = supervisor_free, __VA_ARGS__                           \
	}

const struct life life_supervisor[] = {
	SUPERVISOR("no children", 0, .endless = false),
	SUPERVISOR("children", 3, .endless = true),
	{ .name = NULL },
};
