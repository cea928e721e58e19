/*
 * timer_entry: what is due at some time; inside of what it stands for.
 *
 * timer_heap and timer_wheel keep entries in order, behind the same functions:
 * the earliest first, and of those that are due at the same time the one that
 * was pushed first. timer_queue is either. No locks, and no clock, in them.
 */
#ifndef WEFT_BASE_TIMER_ENTRY_H
#define WEFT_BASE_TIMER_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

#define TIMER_UNARMED SIZE_MAX

struct timer_entry {
	size_t at; /* its place in the heap, or its slot; TIMER_UNARMED */
	int64_t due_ns;
	uint64_t number;  /* of the push */
	struct list link; /* in its slot of a wheel */
};

static inline bool timer_entry_is_armed(const struct timer_entry *e)
{
	return e->at != TIMER_UNARMED;
}

#endif
