/*
 * ahead: the slots that a sender asks for before it comes to them.
 *
 * The slots that a sender is about to write were last used by receivers, a lap
 * ago, so each line of them has to come from another CPU: 0.1 to 0.2 us, more
 * than all else that a message takes. Asked for ahead of time, it comes
 * meanwhile.
 *
 * A receiver does not do the same: what it asks for early may be what a sender
 * is about to write, which then has to get it back. docs/performance.md has the
 * figures of both.
 */
#ifndef WEFT_CHAN_AHEAD_H
#define WEFT_CHAN_AHEAD_H

#include <stddef.h>

#include <weft/atomic.h>

/*
 * How many slots of so many bytes: one line of them, and two in a buffer so
 * large that receivers are seldom right behind. 0 in one so small that the next
 * line would be the one they are at.
 */
static inline size_t ahead_for(size_t cap, size_t slot_size)
{
	size_t line = 1;

	if (slot_size > 0 && slot_size < WEFT_CACHE_LINE)
		line = WEFT_CACHE_LINE / slot_size;
	if (cap / 8 < line)
		return 0;
	return cap / 64 < line ? line : 2 * line;
}

static inline const unsigned char *ahead_of(const unsigned char *slots,
                                            size_t index, size_t ahead,
                                            size_t cap, size_t slot_size)
{
	index += ahead;
	if (index >= cap)
		index -= cap;
	return slots + index * slot_size;
}

/* A sender is at slots[index] of `cap`, index < cap; receivers have written to
 * the slots that it comes to. */
static inline void ahead_fetch(const unsigned char *slots, size_t index,
                               size_t ahead, size_t cap, size_t slot_size)
{
	__builtin_prefetch(ahead_of(slots, index, ahead, cap, slot_size), 1);
}

/* The same where they only read. Then the line is in this CPU's cache, too, and
 * what takes time is to have it alone. */
static inline void ahead_own(const unsigned char *slots, size_t index,
                             size_t ahead, size_t cap, size_t slot_size)
{
	weft_prefetch_own(ahead_of(slots, index, ahead, cap, slot_size));
}

#endif
