/* ends: how many tasks may be at an end of a channel at once. */
#ifndef WEFT_PATTERNS_COMMON_ENDS_H
#define WEFT_PATTERNS_COMMON_ENDS_H

#include <stdbool.h>
#include <stddef.h>

#include <weft/chan_impl.h>

/* max  an implementation's max_senders or max_receivers: 0 is any number. */
static inline bool ends_allow(unsigned max, size_t n)
{
	return max == 0 || n <= max;
}

/* Whether a component can have channels of that kind inside: they move data,
 * and so many tasks may be at their ends at once; 0: any number. */
static inline bool ends_suit(const struct weft_chan_impl *impl, size_t senders,
                             size_t receivers)
{
	return !(impl->can & WEFT_NO_DATA) &&
	       ends_allow(impl->max_senders, senders ? senders : SIZE_MAX) &&
	       ends_allow(impl->max_receivers,
	                  receivers ? receivers : SIZE_MAX);
}

#endif
