/*
 * timer_heap: what is due at some time, the earliest first.
 *
 * What is due at the same time comes in the order in which it was pushed. The
 * entries are inside of what they stand for. No locks, and no clock, here.
 */
#ifndef WEFT_BASE_TIMER_HEAP_H
#define WEFT_BASE_TIMER_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_UNARMED SIZE_MAX

struct timer_entry {
	size_t at; /* its place in the heap; TIMER_UNARMED */
	int64_t due_ns;
	uint64_t number; /* of the push */
};

/* Zero is an empty one; free(entries) at the end. */
struct timer_heap {
	struct timer_entry **entries;
	size_t n, room;
	uint64_t pushed; /* so far */
};

/* Have room for n entries in all. Returns 0; -ENOMEM, and nothing changed. */
int weft_timer_heap_reserve(struct timer_heap *h, size_t n);

/* Put in an entry that is in no heap. There is room. */
void weft_timer_heap_push(struct timer_heap *h, struct timer_entry *e,
                          int64_t due_ns);

/* Take out an entry of this heap. */
void weft_timer_heap_remove(struct timer_heap *h, struct timer_entry *e);

/* The earliest; NULL. */
static inline struct timer_entry *timer_heap_first(const struct timer_heap *h)
{
	return h->n ? h->entries[0] : NULL;
}

static inline bool timer_entry_is_armed(const struct timer_entry *e)
{
	return e->at != TIMER_UNARMED;
}

#endif
