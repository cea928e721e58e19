/*
 * What a worker keeps to itself: the deque of Chase and Lev, of a fixed size.
 * The worker pushes and pops at the bottom, others steal from the top.
 *
 * All accesses to top and bottom are seq_cst, instead of the fences of the
 * usual C11 form, which ThreadSanitizer cannot see: the pop lowers the bottom
 * before it looks at the top, a thief looks at the top before the bottom, and
 * of the last element each side sees the other's claim.
 */
#include "internal.h"

struct deque {
	_Alignas(WEFT_CACHE_LINE) _Atomic int64_t top;    /* only ever grows */
	_Alignas(WEFT_CACHE_LINE) _Atomic int64_t bottom; /* the worker's */
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t elems[WEFT_POOL_OWN_MAX];
};

static _Atomic uint64_t *slot(struct deque *d, int64_t i)
{
	return &d->elems[(uint64_t)i % WEFT_POOL_OWN_MAX];
}

struct deque *weft_pool_deque_new(void)
{
	return cacheline_new(1, sizeof(struct deque));
}

/* Thieves only make more. */
bool weft_pool_deque_has_room(const struct deque *d)
{
	return weft_load_relaxed(&d->bottom) - weft_load_seq_cst(&d->top) <
	       WEFT_POOL_OWN_MAX;
}

bool weft_pool_deque_push(struct deque *d, uint64_t elem)
{
	int64_t bottom = weft_load_relaxed(&d->bottom);

	if (!weft_pool_deque_has_room(d))
		return false;
	weft_store_relaxed(slot(d, bottom), elem);
	weft_store_seq_cst(&d->bottom, bottom + 1);
	return true;
}

bool weft_pool_deque_pop(struct deque *d, uint64_t *elem)
{
	int64_t bottom = weft_load_relaxed(&d->bottom) - 1, top;
	bool got;

	if (bottom < weft_load_relaxed(&d->top))
		return false; /* for the worker this is exact enough */
	weft_store_seq_cst(&d->bottom, bottom);
	top = weft_load_seq_cst(&d->top);
	*elem = weft_load_relaxed(slot(d, bottom));
	if (top < bottom)
		return true;
	/* The last one, or a thief has it. */
	got = top == bottom && weft_cas_seq_cst(&d->top, &top, top + 1);
	weft_store_seq_cst(&d->bottom, bottom + 1);
	return got;
}

int weft_pool_deque_steal(struct deque *d, uint64_t *elem)
{
	int64_t top = weft_load_seq_cst(&d->top);

	if (top >= weft_load_seq_cst(&d->bottom))
		return -EAGAIN;
	/* Overwritten only once the top has gone on, and then the CAS fails. */
	*elem = weft_load_relaxed(slot(d, top));
	return weft_cas_seq_cst(&d->top, &top, top + 1) ? 0 : -EBUSY;
}
