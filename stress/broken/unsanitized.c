/* Nothing is wrong with it, but that it is built without a sanitizer, whatever
 * weft is built with. */
#include "base.h"

static inline void fault(struct ring *r)
{
	(void)r;
}

BROKEN_RING("unsanitized", "correct, and built without a sanitizer");
