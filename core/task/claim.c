#include "task/claim.h"

#include <errno.h>

#include "task/internal.h"

static bool claim_is_open(uint32_t word)
{
	return word == CLAIM_WAITING || word == CLAIM_PARKED;
}

bool weft_claim_take(struct waiter *w, bool *parked)
{
	uint32_t word = weft_load_relaxed(&w->claim->word);
	unsigned turns = 0;

	while (claim_is_open(word) || word == CLAIM_HELD) {
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

	while (claim_is_open(word))
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
		weft_spinner_init(&s, policy, gap, false, deadline_ns);
		s.gap = 1; /* nobody is disturbed by a look at one's own word */
		do {
			which = weft_claim_case(c);
			if (which >= 0)
				return which;
		} while (weft_spinner_turn(&s));
	}
	if (weft_claim_announce_park(c))
		while ((which = weft_claim_case(c)) < 0 && !err)
			err = weft_spinner_park(what, on, parks, deadline_ns);
	if (err && claim_move(c, CLAIM_GIVEN_UP))
		return -ETIMEDOUT;
	return weft_claim_case(c);
}
