/* reserving: fills in what this weft keeps for its own channels. */
#include "base.h"

PLUG_IN("reserving", "for tests: says something in a reserved member", RING_CAN,
        RING_OPS, .reserved = { [3] = &weft_chan_impl });
