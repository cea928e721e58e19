#include "common/order.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cacheline.h"

int weft_order_new(struct order **out, size_t window, size_t n, size_t size,
                   enum weft_wait wait)
{
	struct order *o = cacheline_new(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	weft_lock_init(&o->taking);
	weft_waiters_init(&o->room);
	weft_waiters_set_wait(&o->room, wait);
	o->batches = cacheline_new(window, sizeof(*o->batches));
	if (!o->batches)
		goto free_order;
	for (; o->window < window; o->window++) {
		o->batches[o->window].items = cacheline_new(n, size);
		if (!o->batches[o->window].items)
			goto free_order;
	}
	*out = o;
	return 0;

free_order:
	weft_order_free(o, size, NULL, NULL);
	return -ENOMEM;
}

void weft_order_free(struct order *o, size_t size,
                     void (*drop)(void *elem, void *arg), void *arg)
{
	struct order_batch *b;

	if (!o)
		return;
	for (size_t i = 0; i < o->window; i++) {
		b = &o->batches[i];
		for (; drop && b->sent < weft_load_relaxed(&b->n); b->sent++)
			drop(b->items + b->sent * size, arg);
		free(b->items);
	}
	free(o->batches);
	free(o);
}

void weft_order_close(struct order *o)
{
	weft_store_release(&o->closed, true); /* [closed] */
	weft_waiters_wake(&o->room, 1);
}

size_t weft_order_held(const struct order *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->window; i++)
		n += weft_load_relaxed(&o->batches[i].n);
	return n;
}

/* --- taking --- */

/* [head] pairs with weft_order_passed(): the slot is free of what was in it. */
static bool has_room(struct order *o)
{
	return o->next - weft_load_acquire(&o->head) < o->window;
}

static int look_for_room(void *arg)
{
	struct order *o = arg;

	if (weft_load_acquire(&o->closed)) /* [closed] */
		return -EPIPE;
	return has_room(o) ? 0 : -EAGAIN;
}

int weft_order_begin(struct order *o)
{
	int err;

	weft_lock_acquire(&o->taking);
	if (has_room(o))
		return 0;
	err = weft_waiters_wait(&o->room, "room in an order", look_for_room, o,
	                        NULL, WEFT_FOREVER);
	if (err)
		weft_lock_release(&o->taking);
	return err;
}

uint64_t weft_order_end(struct order *o, bool taken)
{
	uint64_t ticket = o->next;

	o->next += taken;
	weft_lock_release(&o->taking);
	return ticket;
}

/* --- passing on --- */

static struct order_batch *batch_of(struct order *o, uint64_t ticket)
{
	return &o->batches[ticket % o->window];
}

/* The batch of the ticket that has become the head, if it was put and nobody
 * else claims it. */
static struct order_batch *claim(struct order *o, uint64_t ticket)
{
	struct order_batch *b = batch_of(o, ticket);
	uint64_t put = weft_load_seq_cst(&b->put); /* [turn] */

	/* The slot may be a later ticket's already. */
	if (put != ticket + 1 || !weft_cas_acq_rel(&b->put, &put, UINT64_C(0)))
		return NULL;
	return b;
}

/*
 * [turn] The batch is stored and then the head looked at here; in
 * weft_order_passed() the head is stored and then the batch looked at. All four
 * are seq_cst, so one side sees the other, and claim() has one of them win.
 */
struct order_batch *weft_order_put(struct order *o, uint64_t ticket,
                                   unsigned char **items, size_t n)
{
	struct order_batch *b = batch_of(o, ticket);
	unsigned char *empty = b->items;

	b->items = *items;
	b->sent = 0;
	weft_store_relaxed(&b->n, n);
	*items = empty;
	weft_store_seq_cst(&b->put, ticket + 1);
	if (weft_load_seq_cst(&o->head) != ticket)
		return NULL;
	return claim(o, ticket);
}

struct order_batch *weft_order_passed(struct order *o)
{
	uint64_t head = weft_load_relaxed(&o->head);

	weft_store_relaxed(&batch_of(o, head)->n, (size_t)0);
	weft_store_seq_cst(&o->head, head + 1); /* [head] [turn] */
	weft_waiters_wake(&o->room, 1);
	return claim(o, head + 1);
}
