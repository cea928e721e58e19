#include "base/timer_wheel.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS (TIMER_WHEEL_LEVELS * TIMER_WHEEL_SLOTS)

static struct timer_entry *entry_of(struct list *l)
{
	return list_entry(l, struct timer_entry, link);
}

static size_t lowest_bit(uint64_t bits)
{
	return (size_t)__builtin_ctzll(bits);
}

/* --- slots --- */

/* The level of what is due then: that of the highest digit which differs. */
static unsigned level_of(const struct timer_wheel *w, int64_t due_ns)
{
	uint64_t differs = (uint64_t)(due_ns ^ w->base_ns);

	return differs ? (63 - (unsigned)__builtin_clzll(differs)) /
	                         TIMER_WHEEL_BITS
	               : 0;
}

static void place(struct timer_wheel *w, struct timer_entry *e)
{
	unsigned level = level_of(w, e->due_ns);
	size_t digit = (size_t)(e->due_ns >> level * TIMER_WHEEL_BITS) %
	               TIMER_WHEEL_SLOTS;
	struct timer_slot *slot;

	e->at = level * TIMER_WHEEL_SLOTS + digit;
	slot = &w->slots[e->at];
	/* Of an empty one, or of one whose earliest is known. */
	if (list_is_empty(&slot->entries) ||
	    (slot->earliest && e->due_ns < slot->earliest->due_ns))
		slot->earliest = e;
	list_push(&slot->entries, &e->link);
	w->occupied[level] |= UINT64_C(1) << digit;
	w->levels |= 1u << level;
}

static void vacate(struct timer_wheel *w, size_t at)
{
	size_t level = at / TIMER_WHEEL_SLOTS;

	w->occupied[level] &= ~(UINT64_C(1) << at % TIMER_WHEEL_SLOTS);
	if (!w->occupied[level])
		w->levels &= ~(1u << level);
}

/* The slot that comes first, of a wheel that is not empty: any level is due
 * before those above it. */
static size_t first_slot(const struct timer_wheel *w)
{
	size_t level = lowest_bit(w->levels);

	return level * TIMER_WHEEL_SLOTS + lowest_bit(w->occupied[level]);
}

/* When a slot begins: the digits of base_ns above its level, its own, zeros. */
static int64_t begin_of(const struct timer_wheel *w, size_t at)
{
	unsigned shift = (unsigned)(at / TIMER_WHEEL_SLOTS) * TIMER_WHEEL_BITS;
	uint64_t above = (uint64_t)w->base_ns >> shift;

	above -= above % TIMER_WHEEL_SLOTS;
	return (int64_t)((above + at % TIMER_WHEEL_SLOTS) << shift);
}

/* The wheel has come to this slot: place its entries again. All levels below
 * are empty, so their slots, too, are in the order of the pushes. */
static void cascade(struct timer_wheel *w, size_t at)
{
	struct list *entries = &w->slots[at].entries, *l;

	vacate(w, at);
	while ((l = list_pop(entries)))
		place(w, entry_of(l));
}

/*
 * Let base_ns come as far as time has passed, but not beyond what is due.
 *
 * Where no slot begins on the way, every entry stays where it is: base_ns
 * changes in digits that the entries' levels do not look at, or from one value
 * to another that also differs from theirs.
 */
static void advance(struct timer_wheel *w)
{
	while (w->n) {
		size_t at = first_slot(w);
		int64_t begin_ns = begin_of(w, at);

		if (begin_ns > w->passed_ns)
			break;
		w->base_ns = begin_ns;
		if (at < TIMER_WHEEL_SLOTS)
			return;
		cascade(w, at);
	}
	w->base_ns = w->passed_ns;
}

/* Strictly: of those that are due at the same time the first one stays. */
static struct timer_entry *search(struct timer_slot *slot)
{
	struct timer_entry *first = entry_of(slot->entries.next);

	for (struct list *l = first->link.next; l != &slot->entries;
	     l = l->next)
		if (entry_of(l)->due_ns < first->due_ns)
			first = entry_of(l);
	return first;
}

/* --- the calls --- */

int weft_timer_wheel_reserve(struct timer_wheel *w, size_t n)
{
	(void)n;
	if (w->slots)
		return 0;
	w->slots = calloc(SLOTS, sizeof(*w->slots));
	if (!w->slots)
		return -ENOMEM;
	for (size_t i = 0; i < SLOTS; i++)
		list_init(&w->slots[i].entries);
	return 0;
}

void weft_timer_wheel_fini(struct timer_wheel *w)
{
	free(w->slots);
	w->slots = NULL;
}

void weft_timer_wheel_push(struct timer_wheel *w, struct timer_entry *e,
                           int64_t due_ns)
{
	e->due_ns = due_ns > w->passed_ns ? due_ns : w->passed_ns;
	e->number = w->pushed++;
	if (!w->n++)
		w->base_ns = w->passed_ns;
	place(w, e);
}

void weft_timer_wheel_remove(struct timer_wheel *w, struct timer_entry *e)
{
	struct timer_slot *slot = &w->slots[e->at];

	list_unlink(&e->link);
	if (slot->earliest == e)
		slot->earliest = NULL;
	if (list_is_empty(&slot->entries))
		vacate(w, e->at);
	e->at = TIMER_UNARMED;
	w->n--;
}

void weft_timer_wheel_pass(struct timer_wheel *w, int64_t now_ns)
{
	if (now_ns > w->passed_ns)
		w->passed_ns = now_ns;
}

struct timer_entry *weft_timer_wheel_first(struct timer_wheel *w)
{
	struct timer_slot *slot;
	size_t at;

	if (!w->n)
		return NULL;
	advance(w);
	at = first_slot(w);
	slot = &w->slots[at];
	if (at < TIMER_WHEEL_SLOTS)
		return entry_of(slot->entries.next);
	if (!slot->earliest)
		slot->earliest = search(slot);
	return slot->earliest;
}
