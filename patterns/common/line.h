/*
 * line: tasks that wait for their turn, first come, first served.
 *
 * The component has a lock, under which it links and unlinks places, and lets
 * in whatever place it likes: the first one, as a rule. A waiter is let in by
 * others and only looks whether it was, so none is overtaken.
 *
 *	under the lock:  list_push(line, &place.link)
 *	outside:         err = weft_line_wait(&place, ...)
 *	under the lock:  if (!weft_line_left(&place, &err)) ...  it gave up
 */
#ifndef WEFT_PATTERNS_COMMON_LINE_H
#define WEFT_PATTERNS_COMMON_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/atomic.h>
#include <weft/sync.h>

#include "base/list.h"

/* A waiter's place in the line; on its stack. */
struct line_place {
	struct list link; /* under the lock; unlinked when let in */
	_Atomic bool let_in;
	int (*why)(void *component); /* 0 while it may be let in; or why not */
	void *component;
	struct weft_waiters waiter; /* the one that waits */
};

static inline struct line_place *line_place_of(struct list *l)
{
	return list_entry(l, struct line_place, link);
}

void weft_line_place_init(struct line_place *p, int (*why)(void *component),
                          void *component);

/* Under the lock: its turn has come. The waiter takes the lock before it gives
 * its place up, so that lasts until the caller has released the lock. */
void weft_line_let_in(struct line_place *p);

/* Under the lock: all look again why they wait. */
void weft_line_look(struct list *line);

/*
 * Wait until the place is let in, outside of the lock.
 *
 * what  is waited for, in the list of tasks: a literal.
 *
 * Returns 0; what why() says; weft_ctx_err() of a context that may be NULL;
 * -ETIMEDOUT. weft_line_left() has the last word.
 */
WEFT_NODISCARD int weft_line_wait(struct line_place *p, const char *what,
                                  struct weft_ctx *ctx, int64_t deadline_ns);

/* Under the lock, after the wait: whether it was let in, however the wait
 * ended; *err is then 0. Otherwise it has left the line. */
bool weft_line_left(struct line_place *p, int *err);

#endif
