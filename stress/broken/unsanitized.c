/* unsanitized: nothing is wrong with it, but that it is built without a
 * sanitizer, whatever weft is built with. */
#include "base.h"

PLUG_IN("unsanitized", "correct, and built without a sanitizer", RING_CAN,
        RING_OPS);
