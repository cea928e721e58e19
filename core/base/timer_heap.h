/*
 * timer_heap: timer entries in a binary heap. A push and a remove look at up to
 * log2(n) others; seldom at more than a few, when what is pushed is due later
 * than most.
 */
#ifndef WEFT_BASE_TIMER_HEAP_H
#define WEFT_BASE_TIMER_HEAP_H

#include "base/timer_entry.h"

/* Zero is an empty one. */
struct timer_heap {
	struct timer_entry **entries;
	size_t n, room;
	uint64_t pushed; /* so far */
};

/* Have room for n entries in all. Returns 0; -ENOMEM, and nothing changed. */
int weft_timer_heap_reserve(struct timer_heap *h, size_t n);

/* Free the memory of one that nobody uses any more. */
void weft_timer_heap_fini(struct timer_heap *h);

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

#endif
