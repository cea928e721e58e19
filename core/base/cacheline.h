/* lines: memory in cache lines of its own. */
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

/* n elements of `size` bytes, all zero; at least one line, so that NULL always
 * means that there is no memory. free() releases them. */
static inline void *cacheline_new(size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
		return NULL;
	bytes = cacheline_round_up(bytes ? bytes : 1);
	p = aligned_alloc(WEFT_CACHE_LINE, bytes);
	if (p)
		memset(p, 0, bytes);
	return p;
}

#endif
