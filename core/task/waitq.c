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
	q->linked = q->relays = 0;
	weft_store_relaxed(&q->wakes, 0u);
	weft_store_relaxed(&q->parks, 0u);
}

/* Under the lock, after a change of what is linked or relays. A read-modify-
 * write: see barrier.h. */
static void waitq_count(struct waitq *q)
{
	weft_xchg_seq_cst(&q->n, q->relays ? 0 : q->linked);
}

/* Under the lock: w is told, and no longer counts. Returns its task, which must
 * be read before: w may be gone once the lock is released. */
static struct weft_task *waitq_tell(struct waitq *q, struct waiter *w)
{
	weft_store_release(&w->notified, true); /* [notified] */
	q->linked--;
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
		waitq_count(q);
		spin_unlock(&q->lock);
		for (size_t i = 0; i < n; i++)
			weft_unpark(tasks[i]);
		k -= n;
	} while (n == WAKE_BATCH && k > 0);
}

void weft_waitq_relay_slow(struct waitq *q)
{
	struct weft_task *task = NULL;
	struct list *node;

	spin_lock(&q->lock);
	node = q->relays ? NULL : list_pop(&q->waiters);
	if (node) {
		struct waiter *w = list_entry(node, struct waiter, link);

		w->relays = true;
		q->relays = 1;
		task = waitq_tell(q, w);
		waitq_count(q);
	}
	spin_unlock(&q->lock);
	if (task)
		weft_unpark(task);
}

/* Under the lock: w has heard what it was told. Whether it was a relay. */
static bool waitq_heard(struct waitq *q, struct waiter *w)
{
	bool was = w->relays;

	w->relays = false;
	q->relays -= was;
	return was;
}

void weft_waitq_wake_all_locked(struct waitq *q)
{
	struct list *node;

	while ((node = list_pop(&q->waiters)))
		weft_unpark(
		        waitq_tell(q, list_entry(node, struct waiter, link)));
	waitq_count(q);
}

void weft_waitq_link(struct waitq *q, struct waiter *w)
{
	w->task = weft_self();
	weft_store_relaxed(&w->notified, false);
	w->relays = w->owes = false;
	spin_lock(&q->lock);
	list_push(&q->waiters, &w->link);
	q->linked++;
	weft_fetch_add_relaxed(&q->registered, 1u);
	waitq_count(q);
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
		q->linked++;
		w->owes |= waitq_heard(q, w);
		waitq_count(q);
	}
	spin_unlock(&q->lock);
	return notified;
}

bool weft_waitq_leave(struct waitq *q, struct waiter *w)
{
	bool notified, relayed;

	spin_lock(&q->lock);
	notified = weft_load_relaxed(&w->notified);
	if (!notified) {
		list_unlink(&w->link);
		q->linked--;
	}
	relayed = waitq_heard(q, w) && q->linked;
	waitq_count(q);
	weft_fetch_sub_relaxed(&q->registered, 1u);
	spin_unlock(&q->lock);
	if (relayed) /* pairs with barrier_light_is_set() */
		weft_barrier_registered();
	return notified || w->owes;
}

int weft_waitq_park(struct waitq *q, const char *what, int64_t deadline_ns)
{
	return weft_spinner_park(what, q, &q->parks, deadline_ns);
}
