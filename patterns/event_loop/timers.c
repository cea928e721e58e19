/*
 * The loop's timers. A phase first takes out all that are due, and then calls
 * them: one that is started meanwhile waits for the next turn, and one that is
 * stopped or freed meanwhile is unlinked from those that are still to come.
 */
#include "internal.h"

static struct weft_loop_timer *timer_of(struct timer_entry *e)
{
	return list_entry(e, struct weft_loop_timer, entry);
}

static void disarm(struct weft_loop_timer *t)
{
	if (timer_entry_is_armed(&t->entry))
		weft_timer_heap_remove(&t->l->heap, &t->entry);
	list_unlink(&t->due);
}

/* The first time after now that is a whole number of periods later. */
static int64_t next_due(const struct weft_loop_timer *t, int64_t now_ns)
{
	int64_t late = now_ns - t->entry.due_ns;

	return weft_deadline_add(now_ns, t->period_ns - late % t->period_ns);
}

static void fire(struct weft_loop *l, struct weft_loop_timer *t)
{
	list_unlink(&t->due);
	if (t->period_ns)
		weft_timer_heap_push(&l->heap, &t->entry,
		                     next_due(t, l->now_ns));
	count_add(&l->n.timers, 1);
	weft_loop_done(l, t->fn(t->arg));
}

int64_t weft_loop_timers_next(const struct weft_loop *l)
{
	const struct timer_entry *e = timer_heap_first(&l->heap);

	return e ? e->due_ns : WEFT_FOREVER;
}

unsigned weft_loop_timers_run(struct weft_loop *l)
{
	unsigned n = 0;

	while (weft_loop_timers_next(l) <= l->now_ns) {
		struct timer_entry *e = timer_heap_first(&l->heap);

		weft_timer_heap_remove(&l->heap, e);
		list_push(&l->due, &timer_of(e)->due);
	}
	for (; !list_is_empty(&l->due) && !weft_ending_is_set(&l->end); n++)
		fire(l, list_entry(l->due.next, struct weft_loop_timer, due));
	return n;
}

int weft_loop_timer_new(struct weft_loop_timer **out, struct weft_loop *l,
                        weft_loop_fn fn, void *arg)
{
	struct weft_loop_timer *t;

	if (!out || !l || !fn)
		return -EINVAL;
	if (!weft_loop_is_touchable(l))
		return -EBUSY;
	/* There is room for all of them, so a start cannot fail. */
	if (weft_timer_heap_reserve(&l->heap, l->timers_made + 1))
		return -ENOMEM;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->l = l;
	t->fn = fn;
	t->arg = arg;
	t->entry.at = TIMER_UNARMED;
	list_init(&t->due);
	list_push(&l->timers, &t->all);
	l->timers_made++;
	*out = t;
	return 0;
}

void weft_loop_timer_free(struct weft_loop_timer *t)
{
	if (!t)
		return;
	disarm(t);
	list_unlink(&t->all);
	t->l->timers_made--;
	free(t);
}

int weft_loop_timer_start(struct weft_loop_timer *t, int64_t deadline_ns,
                          int64_t period_ns)
{
	if (!t || period_ns < 0)
		return -EINVAL;
	if (!weft_loop_is_touchable(t->l))
		return -EBUSY;
	disarm(t);
	t->period_ns = period_ns;
	if (deadline_ns < WEFT_FOREVER)
		weft_timer_heap_push(&t->l->heap, &t->entry,
		                     deadline_ns > 0 ? deadline_ns : WEFT_NOW);
	return 0;
}

int weft_loop_timer_stop(struct weft_loop_timer *t)
{
	if (!t)
		return -EINVAL;
	if (!weft_loop_is_touchable(t->l))
		return -EBUSY;
	disarm(t);
	return 0;
}

void weft_loop_timers_free(struct weft_loop *l)
{
	struct list *next;

	for (struct list *node = l->timers.next; node != &l->timers;
	     node = next) {
		next = node->next;
		weft_loop_timer_free(
		        list_entry(node, struct weft_loop_timer, all));
	}
	free(l->heap.entries);
}
