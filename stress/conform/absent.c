#include "stress/conform/absent.h"

#include <stddef.h>

const struct absent absent_scenarios[] = {
	{ "5", "chains of 1000 to 10,000 tasks",
	  "each task is a thread; the chain has up to 50" },
	{ "9", "counters of 32 and 64 bits near their wrap-around",
	  "an implementation's counters cannot be set from outside; 16 bits "
	  "are "
	  "passed" },
	{ "13", "the same through select",
	  "select is not there yet; all ways to send and receive directly "
	  "are" },
	{ "17", "a select that sends to and receives from one channel",
	  "select is not there yet" },
	{ "18", "44 such selects pair off, and with 55 one is left over",
	  "select is not there yet" },
	{ "27", "blocked senders wake when the last receiver is gone",
	  "a channel has references, and no receiving end that could be gone" },
	{ "31", "send and receive on nil wait for ever, a nil case is disabled",
	  "NULL is -EINVAL outside of select, and that is checked" },
	{ "32", "a select without cases, or with nil cases only",
	  "select is not there yet" },
	{ "33", "cases that become nil while a program runs",
	  "select is not there yet" },
	{ NULL, NULL, NULL },
};
