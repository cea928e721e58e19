#include "stress/conform/absent.h"

#include <stddef.h>

const struct absent absent_scenarios[] = {
	{ "5", "chains of 1000 to 10,000 tasks",
	  "each task is a thread; the chain has up to 50" },
	{ "9", "counters of 64 bits near their wrap-around",
	  "no channel lives that long; 32 bits are passed where a channel can "
	  "begin near their end (WEFT_CAN_START), 16 everywhere" },
	{ "27", "blocked senders wake when the last receiver is gone",
	  "a channel has references, and no receiving end that could be gone" },
	{ "49", "a select that takes the first ready case",
	  "every select chooses at random" },
	{ NULL, NULL, NULL },
};
