/*
 * tokens: how many items are inside, and waiting until there is room for one.
 *
 * An item that is sent in takes a token and one that leaves gives it back. A
 * stage that makes several items of one cannot wait for tokens, because those
 * it waits for may be behind it: it goes into debt instead, and what leaves
 * pays the debt first. So items are let in again only when there are fewer than
 * the limit, but each may become more of them inside.
 *
 *	items inside = elements of `taken` + debt
 */
#ifndef WEFT_PATTERNS_PIPELINE_TOKENS_H
#define WEFT_PATTERNS_PIPELINE_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include <weft/atomic.h>
#include <weft/chan.h>

struct tokens {
	struct weft_chan *taken; /* of elements of 0 bytes; NULL = no limit */
	_Atomic uint64_t debt;
};

/* limit 0 is none: then the other calls do nothing. 0 or -ENOMEM; -EINVAL for
 * an unknown wait. */
int weft_tokens_init(struct tokens *t, size_t limit, enum weft_wait wait);
void weft_tokens_destroy(struct tokens *t);

/* Let nobody in any more, and release who waits. */
void weft_tokens_close(struct tokens *t);

/*
 * Take up to n >= 1 tokens: wait for the first, then take what is there.
 *
 * taken  receives how many.
 *
 * Returns 0; -EPIPE when closed; -ETIMEDOUT.
 */
int weft_tokens_take(struct tokens *t, size_t n, size_t *taken,
                     int64_t deadline_ns);

/* n items have left, or were not sent after all. */
void weft_tokens_give(struct tokens *t, size_t n);

/* n items more are inside than were sent in. Before they go anywhere. */
void weft_tokens_owe(struct tokens *t, size_t n);

#endif
