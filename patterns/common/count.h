/*
 * count: figures that one task at a time writes, and any may read: no atomic
 * addition is needed. `figure` is evaluated twice.
 */
#ifndef WEFT_PATTERNS_COMMON_COUNT_H
#define WEFT_PATTERNS_COMMON_COUNT_H

#include <weft/atomic.h>

#define count_add(figure, n)                                                   \
	weft_store_relaxed(figure, weft_load_relaxed(figure) + (n))

/* The same; before the new figure stands what it counts. */
#define count_publish(figure, n)                                               \
	weft_store_release(figure, weft_load_relaxed(figure) + (n))

#endif
