/* cacheline: memory in cache lines of its own. free() releases it. */
#ifndef WEFT_BASE_CACHELINE_H
#define WEFT_BASE_CACHELINE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <weft/export.h>

static inline size_t cacheline_round_up(size_t bytes)
{
	return (bytes + WEFT_CACHE_LINE - 1) & ~(size_t)(WEFT_CACHE_LINE - 1);
}

/* `head` bytes and n elements of `size` bytes behind them, at least one line,
 * so that NULL always means that there is no memory. Nothing is written to it:
 * of a large buffer the system provides what is used. */
static inline void *cacheline_alloc(size_t head, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
		return NULL;
	bytes += head;
	return aligned_alloc(WEFT_CACHE_LINE,
	                     cacheline_round_up(bytes ? bytes : 1));
}

/* n elements of `size` bytes, all zero; NULL as above. */
static inline void *cacheline_new(size_t n, size_t size)
{
	void *p = cacheline_alloc(0, n, size);

	if (p)
		memset(p, 0, cacheline_round_up(n * size));
	return p;
}

#endif
