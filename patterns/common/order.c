#include "common/order.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cacheline.h"
#include "task/internal.h"

int weft_order_new(struct order **out, size_t window, size_t n, size_t size)
{
	struct order *o = cacheline_new(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	weft_lock_init(&o->taking);
	spin_init(&o->lock);
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
		for (; drop && b->done && b->sent < b->n; b->sent++)
			drop(b->items + b->sent * size, arg);
		free(b->items);
	}
	free(o->batches);
	free(o);
}

/* Who waits for room, no longer waiting. The lock is held. */
static struct weft_task *take_waiter(struct order *o)
{
	struct weft_task *t = o->waiter;

	o->waiter = NULL;
	return t;
}

static void wake(struct weft_task *t)
{
	if (t)
		weft_unpark(t);
}

void weft_order_close(struct order *o)
{
	struct weft_task *waiter;

	spin_lock(&o->lock);
	o->closed = true;
	waiter = take_waiter(o);
	spin_unlock(&o->lock);
	wake(waiter);
}

/* --- taking --- */

/* [head] pairs with weft_order_passed(): the slot is free of what was in it. */
static bool has_room(struct order *o)
{
	return o->next - weft_load_acquire(&o->head) < o->window;
}

/* 0, -EPIPE, or -EAGAIN and whoever makes room will wake the caller. */
static int look_for_room(struct order *o)
{
	int err = -EAGAIN;

	spin_lock(&o->lock);
	if (o->closed)
		err = -EPIPE;
	else if (has_room(o))
		err = 0;
	o->waiter = err == -EAGAIN ? weft_self() : NULL;
	spin_unlock(&o->lock);
	return err;
}

int weft_order_begin(struct order *o)
{
	int err;

	weft_lock_acquire(&o->taking);
	if (has_room(o))
		return 0;
	weft_wait_begin("pipeline order", o);
	while ((err = look_for_room(o)) == -EAGAIN)
		weft_park(WEFT_FOREVER);
	weft_wait_done();
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

/* The batch at the head if it is there; the caller passes it on. The lock is
 * held. */
static struct order_batch *first(struct order *o)
{
	struct order_batch *b = batch_of(o, weft_load_relaxed(&o->head));

	o->passing = b->done;
	return b->done ? b : NULL;
}

struct order_batch *weft_order_put(struct order *o, uint64_t ticket,
                                   unsigned char **items, size_t n)
{
	struct order_batch *b = batch_of(o, ticket), *mine = NULL;
	unsigned char *empty;

	spin_lock(&o->lock);
	empty = b->items;
	*b = (struct order_batch){ .items = *items, .n = n, .done = true };
	*items = empty;
	weft_fetch_add_relaxed(&o->held, n);
	if (!o->passing)
		mine = first(o);
	spin_unlock(&o->lock);
	return mine;
}

struct order_batch *weft_order_passed(struct order *o)
{
	uint64_t head = weft_load_relaxed(&o->head);
	struct order_batch *b = batch_of(o, head), *next;
	struct weft_task *waiter;

	weft_fetch_sub_relaxed(&o->held, b->n);
	spin_lock(&o->lock);
	b->done = false;
	weft_store_release(&o->head, head + 1); /* [head] */
	next = first(o);
	waiter = take_waiter(o);
	spin_unlock(&o->lock);
	wake(waiter);
	return next;
}
