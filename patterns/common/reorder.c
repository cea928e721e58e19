#include "common/reorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cacheline.h"

enum phase { FREE, QUEUED, RUNNING, DONE, GONE, PHASES = 8 };

static uint64_t state_of(uint64_t n, enum phase phase)
{
	return n * PHASES + phase;
}

static struct reorder_slot *slot_of(const struct reorder *r, uint64_t n)
{
	size_t i = (size_t)n & (r->window - 1);

	return (struct reorder_slot *)(void *)(r->slots + i * r->slot_bytes);
}

void *weft_reorder_in(const struct reorder *r, uint64_t n)
{
	return (unsigned char *)slot_of(r, n) + r->in_at;
}

void *weft_reorder_out(const struct reorder *r, uint64_t n)
{
	return (unsigned char *)slot_of(r, n) + r->out_at;
}

/* --- making --- */

/* The next offset that is aligned as `size` bytes may have to be: as far as
 * size is a multiple of a power of two, up to a cache line. */
static size_t place(size_t offset, size_t size)
{
	size_t align = size & -size;

	if (align > WEFT_CACHE_LINE || align == 0)
		align = WEFT_CACHE_LINE;
	return (offset + align - 1) & ~(align - 1);
}

static void lay_out(struct reorder *r)
{
	r->in_at = place(sizeof(struct reorder_slot), r->in_size);
	r->out_at = place(r->in_at + r->in_size, r->out_size);
	/* Neighbours are worked on by different tasks. */
	r->slot_bytes = cacheline_round_up(r->out_at + r->out_size);
}

int weft_reorder_init(struct reorder *r, size_t window, size_t in_size,
                      size_t out_size, enum weft_wait wait)
{
	if (window == 0 || window > REORDER_WINDOW_MAX)
		return -EINVAL;
	for (r->window = 1; r->window < window;)
		r->window *= 2;
	r->in_size = in_size;
	r->out_size = out_size;
	lay_out(r);
	weft_store_relaxed(&r->tail, 0u);
	weft_store_relaxed(&r->head, 0u);
	weft_store_relaxed(&r->ahead, 0u);
	weft_waiters_init(&r->space);
	weft_waiters_init(&r->results);
	weft_waiters_set_wait(&r->space, wait);
	weft_waiters_set_wait(&r->results, wait);
	r->slots = cacheline_new(r->window, r->slot_bytes);
	if (!r->slots)
		return -ENOMEM;
	for (uint64_t n = 0; n < r->window; n++)
		weft_store_relaxed(&slot_of(r, n)->state, state_of(n, FREE));
	return 0;
}

void weft_reorder_free(struct reorder *r,
                       void (*drop_in)(void *elem, void *drop_arg),
                       void (*drop_out)(void *elem, void *drop_arg),
                       void *drop_arg)
{
	uint64_t n = weft_load_relaxed(&r->head), state;

	for (; r->slots && n != weft_load_relaxed(&r->tail); n++) {
		state = weft_load_acquire(&slot_of(r, n)->state); /* [slot] */
		if (drop_in && state == state_of(n, QUEUED))
			drop_in(weft_reorder_in(r, n), drop_arg);
		if (drop_out && state == state_of(n, DONE))
			drop_out(weft_reorder_out(r, n), drop_arg);
	}
	free(r->slots);
}

/* --- going in --- */

static bool is_free(const struct reorder *r, uint64_t n)
{
	uint64_t state = weft_load_acquire(&slot_of(r, n)->state); /* [slot] */

	return state == state_of(n, FREE);
}

int weft_reorder_enter(struct reorder *r, const void *elem, uint64_t *n)
{
	uint64_t mine = weft_load_relaxed(&r->tail), now;

	for (;;) {
		if (is_free(r, mine)) {
			if (weft_cas_weak_acq_rel(&r->tail, &mine, mine + 1))
				break;
			continue;
		}
		/* Full, unless others have moved on since. */
		now = weft_load_acquire(&r->tail);
		if (now == mine)
			return -EAGAIN;
		mine = now;
	}
	if (r->in_size)
		memcpy(weft_reorder_in(r, mine), elem, r->in_size);
	weft_store_release(&slot_of(r, mine)->state,
	                   state_of(mine, QUEUED)); /* [slot] */
	*n = mine;
	return 0;
}

/* The number goes back if it was the last one given out; otherwise others are
 * behind it, and it takes a placeholder. */
void weft_reorder_withdraw(struct reorder *r, uint64_t n)
{
	uint64_t last = n + 1;

	weft_store_release(&slot_of(r, n)->state, state_of(n, FREE));
	if (!weft_cas_acq_rel(&r->tail, &last, n)) {
		weft_reorder_settle(r, n, false);
		return;
	}
	weft_waiters_wake(&r->space, 1);
	/* A wait for the end may end here. */
	weft_waiters_wake(&r->results, SIZE_MAX);
}

/* --- at work --- */

int weft_reorder_begin(struct reorder *r, uint64_t n)
{
	uint64_t queued = state_of(n, QUEUED);

	return weft_cas_acq_rel(&slot_of(r, n)->state, &queued,
	                        state_of(n, RUNNING)) /* [slot] */
	               ? 0
	               : -EIO;
}

static void note_ahead(struct reorder *r, uint64_t by)
{
	uint64_t most = weft_load_relaxed(&r->ahead);

	while (by > most && !weft_cas_weak_relaxed(&r->ahead, &most, by))
		;
}

/*
 * [turn] The state is stored and then the head looked at here; in
 * weft_reorder_take() the head is stored and then the next state looked at. All
 * four are seq_cst, so one side sees the other: either this notifies, or the
 * task that moved the head finds the result there.
 */
void weft_reorder_settle(struct reorder *r, uint64_t n, bool done)
{
	uint64_t head;

	weft_store_seq_cst(&slot_of(r, n)->state,
	                   state_of(n, done ? DONE : GONE)); /* [slot] */
	head = weft_load_seq_cst(&r->head);                  /* [turn] */
	if (head == n)
		weft_waiters_wake(&r->results, 1);
	else if (head < n)
		note_ahead(r, n - head);
}

/* --- coming out --- */

static bool is_settled(const struct reorder *r, uint64_t n, bool *done)
{
	uint64_t state = weft_load_seq_cst(&slot_of(r, n)->state); /* [slot] */

	*done = state == state_of(n, DONE);
	return *done || state == state_of(n, GONE);
}

/* Item n has come out, and its slot is for item n + window. The next one may
 * have been settled while n was in its way, and then nobody was told. */
static void move_on(struct reorder *r, uint64_t n)
{
	bool done;

	weft_store_release(&slot_of(r, n)->state,
	                   state_of(n + r->window, FREE)); /* [slot] */
	weft_waiters_wake(&r->space, 1);
	if (is_settled(r, n + 1, &done)) /* [turn] */
		weft_waiters_wake(&r->results, 1);
}

int weft_reorder_take(struct reorder *r, void *elem)
{
	uint64_t n = weft_load_seq_cst(&r->head), now;
	bool done;

	for (;;) {
		if (!is_settled(r, n, &done)) {
			now = weft_load_seq_cst(&r->head);
			if (now == n)
				return -EAGAIN;
			n = now;
		} else if (weft_cas_seq_cst(&r->head, &n, n + 1)) { /* [turn] */
			if (done && r->out_size)
				memcpy(elem, weft_reorder_out(r, n),
				       r->out_size);
			move_on(r, n);
			if (done)
				return 0;
			n++;
		}
	}
}

bool weft_reorder_is_empty(struct reorder *r)
{
	uint64_t head = weft_load_seq_cst(&r->head);

	return head == weft_load_seq_cst(&r->tail);
}

bool weft_reorder_holds_any(const struct reorder *r)
{
	uint64_t n = weft_load_acquire(&r->head), state;

	for (; n != weft_load_acquire(&r->tail); n++) {
		state = weft_load_acquire(&slot_of(r, n)->state);
		if (state != state_of(n, GONE))
			return true;
	}
	return false;
}

void weft_reorder_notify_all(struct reorder *r)
{
	weft_waiters_wake(&r->space, SIZE_MAX);
	weft_waiters_wake(&r->results, SIZE_MAX);
}
