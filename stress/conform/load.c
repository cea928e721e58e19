/*
 * What a shared object does by itself. Before a check is called, its process
 * has loaded the object and seen that it declares what it did to others; as the
 * process ends, the object is unloaded. So there is nothing left to do.
 */
#include "stress/conform/suite.h"

static void it_can_be_loaded(struct cell *cell)
{
	(void)cell;
}

const struct conform_check conform_load[] = {
	{ .name = "it_can_be_loaded",
	  .needs = NEEDS_PLUGIN,
	  .over = OVER_OWN,
	  .fn = it_can_be_loaded },
	{ .name = NULL },
};
