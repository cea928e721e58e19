/* dying: dies of what it does while it is loaded. */
#include <signal.h>

#include "base.h"

__attribute__((constructor)) static void die(void)
{
	raise(SIGSEGV);
}

PLUG_IN("dying", "dies when it is loaded", RING_CAN, RING_OPS);
