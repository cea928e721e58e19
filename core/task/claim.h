/*
 * claim: who finishes a wait at completing channels, and with which case.
 *
 * One word for a whole wait, however many queues its waiters are linked in, so
 * that exactly one of them can win: see task/waitq.h for the two kinds of
 * object. The queues themselves belong to the completing objects.
 */
#ifndef WEFT_TASK_CLAIM_H
#define WEFT_TASK_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "task/waitq.h"

/* Values of a claim word; CLAIM_DONE + k is "case k happened". */
enum {
	CLAIM_WAITING, /* open, and the waiter polls the word */
	CLAIM_PARKED,  /* open, and the waiter must be unparked */
	CLAIM_TAKEN,   /* someone is completing it */
	CLAIM_HELD,    /* the waiter looks elsewhere; open again soon, or not */
	CLAIM_GIVEN_UP, /* the waiter withdrew */
	CLAIM_DONE,
};

struct claim {
	_Atomic uint32_t word;
};

static inline void claim_init(struct claim *c)
{
	weft_store_relaxed(&c->word, (uint32_t)CLAIM_WAITING);
}

/*
 * Win the right to complete w. On true the caller copies the element, sets
 * w->result and must call weft_claim_complete(); nobody else will touch w, and
 * w stays valid until then. *parked tells whether to unpark. Waits while the
 * claim is held, so that no waiter is passed over that may yet go on waiting.
 */
bool weft_claim_take(struct waiter *w, bool *parked);

/*
 * Report w's case as done: the last touch of w. Returns the task to unpark
 * once all locks are released, or NULL when it polls.
 */
struct weft_task *weft_claim_complete(struct waiter *w, bool parked);

/* The case, once the claim is decided, waiting for a completer that has taken
 * it; -1 while it is open. */
int weft_claim_case(struct claim *c);

/*
 * The waiter's own steps. Hold: nobody can complete the wait until it is opened
 * again or given up; in between the waiter only looks at notifying objects and
 * takes no lock of a completing one, because the task that holds such a lock
 * may be waiting for it. Announce: a peer that completes the wait from now on
 * unparks the waiter. Both are false when the claim is decided or being
 * completed.
 */
bool weft_claim_hold(struct claim *c);
bool weft_claim_announce_park(struct claim *c);

/* Open a claim that is held, or give it up for good. */
static inline void claim_open(struct claim *c)
{
	weft_store_relaxed(&c->word, (uint32_t)CLAIM_WAITING);
}

static inline void claim_give_up(struct claim *c)
{
	weft_store_relaxed(&c->word, (uint32_t)CLAIM_GIVEN_UP);
}

/*
 * Wait until the claim is decided. Returns the case that was done, or
 * -ETIMEDOUT, after which nobody can complete it any more.
 *
 * gap  for weft_spinner_init().
 */
int weft_claim_wait(struct claim *c, enum weft_wait policy, uint32_t gap,
                    const char *what, const void *on, _Atomic uint64_t *parks,
                    int64_t deadline_ns);

#endif
