#include "task/waitq.h"

#include "task/internal.h"

/* Tasks collected under the lock and woken after it. */
#define WAKE_BATCH 16

void weft_waitq_init(struct waitq *q)
{
	weft_store_relaxed(&q->n, 0u);
	weft_store_relaxed(&q->registered, 0u);
	spin_init(&q->lock);
	list_init(&q->waiters);
	weft_store_relaxed(&q->wakes, 0u);
	weft_store_relaxed(&q->parks, 0u);
}

/* Under the lock: w is told, and no longer counts. Returns its task, which must
 * be read before: w may be gone once the lock is released. */
static struct weft_task *waitq_tell(struct waitq *q, struct waiter *w)
{
	weft_store_release(&w->notified, true); /* [notified] */
	weft_fetch_sub_relaxed(&q->n, 1u);
	weft_fetch_add_relaxed(&q->wakes, 1u);
	return w->task;
}

/* Tell up to `k` waiters and collect their tasks. */
static size_t waitq_collect(struct waitq *q, struct weft_task **tasks, size_t k)
{
	struct list *node;
	size_t n = 0;

	while (n < k && (node = list_pop(&q->waiters)))
		tasks[n++] =
		        waitq_tell(q, list_entry(node, struct waiter, link));
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
	struct list *node;

	while ((node = list_pop(&q->waiters)))
		weft_unpark(
		        waitq_tell(q, list_entry(node, struct waiter, link)));
}

void weft_waitq_link(struct waitq *q, struct waiter *w)
{
	w->task = weft_self();
	weft_store_relaxed(&w->notified, false);
	spin_lock(&q->lock);
	list_push(&q->waiters, &w->link);
	weft_fetch_add_relaxed(&q->registered, 1u);
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
	notified = weft_load_relaxed(&w->notified);
	if (notified) {
		weft_store_relaxed(&w->notified, false);
		list_push_front(&q->waiters, &w->link);
		weft_fetch_add_seq_cst(&q->n, 1u);
	}
	spin_unlock(&q->lock);
	return notified;
}

bool weft_waitq_leave(struct waitq *q, struct waiter *w)
{
	bool notified;

	spin_lock(&q->lock);
	notified = weft_load_relaxed(&w->notified);
	if (!notified) {
		list_unlink(&w->link);
		weft_fetch_sub_relaxed(&q->n, 1u);
	}
	weft_fetch_sub_relaxed(&q->registered, 1u);
	spin_unlock(&q->lock);
	return notified;
}

int weft_waitq_park(struct waitq *q, const char *what, int64_t deadline_ns)
{
	return weft_spinner_park(what, q, &q->parks, deadline_ns);
}
