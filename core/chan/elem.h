/* elem: copying one element, with a short cut for 8 bytes. */
#ifndef WEFT_CHAN_ELEM_H
#define WEFT_CHAN_ELEM_H

#include <stddef.h>
#include <string.h>

static inline void elem_copy(void *to, const void *from, size_t elem_size)
{
	if (elem_size == 8)
		memcpy(to, from, 8);
	else if (elem_size)
		memcpy(to, from, elem_size);
}

#endif
