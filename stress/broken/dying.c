/* Dies of what it does while it is loaded. */
#include <signal.h>

#include "base.h"

static inline void fault(struct ring *r)
{
	(void)r;
}

__attribute__((constructor)) static void die(void)
{
	raise(SIGSEGV);
}

BROKEN_RING("dying", "dies when it is loaded");
