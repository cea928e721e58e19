#include "task/waitq.h"

#include "task/internal.h"

/* Tasks collected under the lock and woken after it. */
#define WAKE_BATCH 16

void weft_waitq_init(struct waitq *q)
{
	weft_store_relaxed(&q->n, 0u);
	spin_init(&q->lock);
	list_init(&q->waiters);
	weft_store_relaxed(&q->wakes, 0u);
	weft_store_relaxed(&q->parks, 0u);
}

/* Mark up to `k` waiters as notified and collect their tasks. */
static size_t waitq_collect(struct waitq *q, struct weft_task **tasks, size_t k)
{
	size_t n = 0;

	for (struct list *l = q->waiters.next; l != &q->waiters && n < k;
	     l = l->next) {
		struct waiter *w = list_entry(l, struct waiter, link);

		if (w->notified)
			continue;
		w->notified = true;
		tasks[n++] = w->task;
	}
	weft_fetch_add_relaxed(&q->wakes, n);
	return n;
}

void weft_waitq_notify_slow(struct waitq *q, size_t k)
{
	struct weft_task *tasks[WAKE_BATCH];
	size_t n;

	do {
		size_t want = k < WAKE_BATCH ? k : WAKE_BATCH;

		spin_lock(&q->lock);
		n = waitq_collect(q, tasks, want);
		spin_unlock(&q->lock);
		for (size_t i = 0; i < n; i++)
			weft_unpark(tasks[i]);
		k -= n;
	} while (n == WAKE_BATCH && k > 0);
}

void weft_waitq_wake_all_locked(struct waitq *q)
{
	for (struct list *l = q->waiters.next; l != &q->waiters; l = l->next) {
		struct waiter *w = list_entry(l, struct waiter, link);

		w->notified = true;
		weft_unpark(w->task);
		weft_fetch_add_relaxed(&q->wakes, 1u);
	}
}

void weft_waitq_link(struct waitq *q, struct waiter *w)
{
	w->task = weft_self();
	w->notified = false;
	spin_lock(&q->lock);
	list_push(&q->waiters, &w->link);
	weft_fetch_add_seq_cst(&q->n, 1u);
	spin_unlock(&q->lock);
}

void weft_waitq_register(struct waitq *q, struct waiter *w)
{
	weft_waitq_link(q, w);
	weft_barrier_registered(); /* pairs with barrier_light_is_set() */
}

bool weft_waitq_rearm(struct waitq *q, struct waiter *w)
{
	bool notified;

	spin_lock(&q->lock);
	notified = w->notified;
	w->notified = false;
	spin_unlock(&q->lock);
	return notified;
}

bool weft_waitq_leave(struct waitq *q, struct waiter *w)
{
	bool notified;

	spin_lock(&q->lock);
	list_unlink(&w->link);
	weft_fetch_sub_relaxed(&q->n, 1u);
	notified = w->notified;
	spin_unlock(&q->lock);
	return notified;
}

int weft_waitq_park(struct waitq *q, const char *what, int64_t deadline_ns)
{
	return weft_spinner_park(what, q, &q->parks, deadline_ns);
}
