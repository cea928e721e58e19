/*
 * tokens: how many items are inside, and waiting until there is room for one.
 *
 * An item that is sent in takes a token, and one that leaves gives it back. A
 * stage that makes several items of one cannot wait for tokens, because those
 * it would wait for may be behind it: it goes past the limit instead. So items
 * are let in again only when there are fewer than the limit, but each may
 * become more of them inside.
 */
#ifndef WEFT_PATTERNS_PIPELINE_TOKENS_H
#define WEFT_PATTERNS_PIPELINE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/atomic.h>
#include <weft/sync.h>

struct tokens {
	int64_t limit; /* constant; 0 = none */
	_Atomic bool closed;
	_Alignas(WEFT_CACHE_LINE) _Atomic int64_t inside;
	struct weft_waiters room;
};

/* limit 0 is none: then the other calls do nothing. `wait` is a valid one. */
void weft_tokens_init(struct tokens *t, size_t limit, enum weft_wait wait);

/* Let nobody in any more, and release those that wait. */
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
