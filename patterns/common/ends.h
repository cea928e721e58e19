/* ends: how many tasks may be at an end of a channel at once. */
#ifndef WEFT_PATTERNS_COMMON_ENDS_H
#define WEFT_PATTERNS_COMMON_ENDS_H

#include <stdbool.h>
#include <stddef.h>

/* max  an implementation's max_senders or max_receivers: 0 is any number. */
static inline bool ends_allow(unsigned max, size_t n)
{
	return max == 0 || n <= max;
}

#endif
