#include "base/timer_heap.h"

#include <errno.h>
#include <stdlib.h>

static bool is_before(const struct timer_entry *a, const struct timer_entry *b)
{
	if (a->due_ns != b->due_ns)
		return a->due_ns < b->due_ns;
	return a->number < b->number;
}

static void put(struct timer_heap *h, size_t at, struct timer_entry *e)
{
	h->entries[at] = e;
	e->at = at;
}

/* Put e where it belongs, the place `at` being free. */
static void sift_up(struct timer_heap *h, size_t at, struct timer_entry *e)
{
	while (at > 0 && is_before(e, h->entries[(at - 1) / 2])) {
		put(h, at, h->entries[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(h, at, e);
}

static void sift_down(struct timer_heap *h, size_t at, struct timer_entry *e)
{
	for (;;) {
		size_t next = 2 * at + 1;

		if (next + 1 < h->n &&
		    is_before(h->entries[next + 1], h->entries[next]))
			next++;
		if (next >= h->n || is_before(e, h->entries[next]))
			break;
		put(h, at, h->entries[next]);
		at = next;
	}
	put(h, at, e);
}

int weft_timer_heap_reserve(struct timer_heap *h, size_t n)
{
	size_t room = h->room ? 2 * h->room : 16;
	struct timer_entry **entries;

	if (n <= h->room)
		return 0;
	if (room < n)
		room = n;
	entries = realloc(h->entries, room * sizeof(struct timer_entry *));
	if (!entries)
		return -ENOMEM;
	h->entries = entries;
	h->room = room;
	return 0;
}

void weft_timer_heap_fini(struct timer_heap *h)
{
	free(h->entries);
	h->entries = NULL;
}

void weft_timer_heap_push(struct timer_heap *h, struct timer_entry *e,
                          int64_t due_ns)
{
	e->due_ns = due_ns;
	e->number = h->pushed++;
	sift_up(h, h->n++, e);
}

void weft_timer_heap_remove(struct timer_heap *h, struct timer_entry *e)
{
	struct timer_entry *last = h->entries[--h->n];
	size_t at = e->at;

	e->at = TIMER_UNARMED;
	if (last == e)
		return;
	if (at > 0 && is_before(last, h->entries[(at - 1) / 2]))
		sift_up(h, at, last);
	else
		sift_down(h, at, last);
}
