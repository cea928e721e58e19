#include "task/waitq.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
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
static size_t collect(struct waitq *q, struct weft_task **tasks, size_t k)
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
		n = collect(q, tasks, want);
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
	weft_barrier_heavy(); /* pairs with barrier_light_is_set() */
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

/* Park and learn from how long it took. */
static int park_timed(const char *what, const void *on, _Atomic uint64_t *parks,
                      int64_t deadline_ns)
{
	int64_t before;
	int err;

	weft_fetch_add_relaxed(parks, 1u);
	before = weft_wait_begin(what, on);
	err = weft_park(deadline_ns);
	weft_wait_done();
	weft_spinner_parked(clock_mono() - before);
	return err;
}

int weft_waitq_park(struct waitq *q, const char *what, int64_t deadline_ns)
{
	return park_timed(what, q, &q->parks, deadline_ns);
}

bool weft_claim_take(struct waiter *w, bool *parked)
{
	uint32_t word = weft_load_relaxed(&w->claim->word);
	unsigned turns = 0;

	while (word <= CLAIM_HELD && word != CLAIM_TAKEN) {
		if (word == CLAIM_HELD) {
			spin_for_peer(&turns);
			word = weft_load_relaxed(&w->claim->word);
			continue;
		}
		*parked = word == CLAIM_PARKED;
		if (weft_cas_weak_acquire(&w->claim->word, &word,
		                          (uint32_t)CLAIM_TAKEN))
			return true;
	}
	return false;
}

struct weft_task *weft_claim_complete(struct waiter *w, bool parked)
{
	struct weft_task *task = parked ? w->task : NULL;
	uint32_t done = CLAIM_DONE + w->which;

	/* [done] releases the element and the result. */
	weft_store_release(&w->claim->word, done);
	return task;
}

/* A completer that has taken the claim is a few instructions away from
 * completing it. */
int weft_claim_case(struct claim *c)
{
	uint32_t word = weft_load_acquire(&c->word); /* [done] */

	for (unsigned turns = 0; word == CLAIM_TAKEN;) {
		spin_for_peer(&turns);
		word = weft_load_acquire(&c->word); /* [done] */
	}
	return word >= CLAIM_DONE ? (int)(word - CLAIM_DONE) : -1;
}

/* From an open state to another; false when the claim was taken meanwhile. */
static bool claim_move(struct claim *c, uint32_t to)
{
	uint32_t word = weft_load_relaxed(&c->word);

	while (word == CLAIM_WAITING || word == CLAIM_PARKED)
		if (weft_cas_weak_acquire(&c->word, &word, to))
			return true;
	return false;
}

bool weft_claim_hold(struct claim *c)
{
	return claim_move(c, CLAIM_HELD);
}

bool weft_claim_announce_park(struct claim *c)
{
	return claim_move(c, CLAIM_PARKED);
}

int weft_claim_wait(struct claim *c, enum weft_wait policy, uint32_t gap,
                    const char *what, const void *on, _Atomic uint64_t *parks,
                    int64_t deadline_ns)
{
	struct spinner s;
	int which, err = 0;

	if (deadline_ns > WEFT_NOW) {
		weft_spinner_init(&s, policy, gap, deadline_ns);
		s.gap = 1; /* nobody is disturbed by a look at one's own word */
		do {
			which = weft_claim_case(c);
			if (which >= 0)
				return which;
		} while (weft_spinner_turn(&s));
	}
	if (weft_claim_announce_park(c))
		while ((which = weft_claim_case(c)) < 0 && !err)
			err = park_timed(what, on, parks, deadline_ns);
	if (err && claim_move(c, CLAIM_GIVEN_UP))
		return -ETIMEDOUT;
	return weft_claim_case(c);
}
