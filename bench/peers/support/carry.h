/*
 * carry: elements for queues of pointers, as their users would send them.
 *
 * Up to 8 bytes travel in the pointer itself, at no cost. What is larger
 * travels in a box from malloc() that the receiver frees.
 *
 * Some queues reserve NULL, and some adapters need a mark that is no element
 * (to wake a receiver): the addresses of two bytes of this object stand for the
 * value 0 and for that mark. An element cannot have their values unless
 * somebody sends the address of another object's private data, which ends the
 * process.
 */
#ifndef BENCH_PEERS_CARRY_H
#define BENCH_PEERS_CARRY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/export.h>

WEFT_BEGIN_DECLS

#define CARRY_INSIDE sizeof(uint64_t)

/* What stands for 0, and what is no element. */
static char carry_reserved[2];
#define CARRY_ZERO ((void *)&carry_reserved[0])
#define CARRY_MARK ((void *)&carry_reserved[1])

static inline void *carry_value(uint64_t value)
{
	if (__builtin_expect(value == 0, 0))
		return CARRY_ZERO;
	if (__builtin_expect(value - (uintptr_t)carry_reserved < 2, 0)) {
		fputs("peers: an element has the value of a mark\n", stderr);
		abort();
	}
	return (void *)(uintptr_t)value;
}

/* The pointer for an element; NULL when there is no memory for a box. */
static inline void *carry_pack(const void *elem, size_t size)
{
	uint64_t value = 0;
	void *box;

	if (__builtin_expect(size == CARRY_INSIDE, 1)) {
		memcpy(&value, elem, CARRY_INSIDE);
		return carry_value(value);
	}
	if (size < CARRY_INSIDE) {
		if (size)
			memcpy(&value, elem, size);
		return carry_value(value);
	}
	box = malloc(size);
	if (box)
		memcpy(box, elem, size);
	return box;
}

/* What a pointer that was not sent after all leaves behind. */
static inline void carry_drop(void *p, size_t size)
{
	if (size > CARRY_INSIDE)
		free(p);
}

static inline void carry_unpack(void *p, void *elem, size_t size)
{
	uint64_t value = p == CARRY_ZERO ? 0 : (uintptr_t)p;

	if (__builtin_expect(size == CARRY_INSIDE, 1)) {
		memcpy(elem, &value, CARRY_INSIDE);
	} else if (size < CARRY_INSIDE) {
		if (size)
			memcpy(elem, &value, size);
	} else {
		memcpy(elem, p, size);
		free(p);
	}
}

WEFT_END_DECLS

#endif
