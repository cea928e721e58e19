/* contradicting: declares batches and has no operations for them. */
#include "base.h"

PLUG_IN("contradicting", "for tests: declares what it does not have",
        RING_CAN | WEFT_CAN_BATCH, RING_OPS);
