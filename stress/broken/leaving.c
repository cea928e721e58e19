/*
 * leaving: ends the process with a good status, at a moment that WEFT_LEAVES
 * names: when it is loaded ("load", the default) or unloaded ("unload"), or
 * when a channel is made ("create").
 */
#include "base.h"

static void leave_at(const char *moment)
{
	const char *chosen = getenv("WEFT_LEAVES");

	if (strcmp(chosen ? chosen : "load", moment) == 0)
		_Exit(0);
}

__attribute__((constructor)) static void load(void)
{
	leave_at("load");
}

__attribute__((destructor)) static void unload(void)
{
	leave_at("unload");
}

static int leaving_create(void **state, const struct weft_chan_config *config)
{
	leave_at("create");
	return ring_create(state, config);
}

PLUG_IN("leaving", "for tests: ends the process", RING_CAN,
        RING_OPS_BUT(leaving_create, ring_try_send, ring_try_recv));
