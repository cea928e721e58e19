/*
 * await: the one loop in which a task waits for a notifying object.
 *
 * Look; spin and look; register, look again, park; at the end leave, and pass
 * on a notification that was not used up: the rules of task/waitq.h, once for
 * everything that keeps to them.
 *
 * A wait may also be ended from outside, by a `stop` with a queue of its own in
 * which the wait registers as well: so any wait takes a context (core/sync),
 * and this layer knows nothing of contexts.
 */
#ifndef WEFT_TASK_AWAIT_H
#define WEFT_TASK_AWAIT_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/chan.h>

#include "task/waitq.h"

struct awaiting {
	struct waitq *q;  /* whose notifications say "look again" */
	const char *what; /* for the state dump */

	/* Look, and take if it is there. -EAGAIN: go on; anything else is what
	 * the wait returns. */
	int (*look)(void *arg);

	/* Whether a notification that the wait holds at its end belongs to the
	 * next in line, the end being `err`. NULL: nobody else needs it. */
	bool (*pass_on)(void *arg, int err);
	void *arg;

	enum weft_wait policy; /* of the spin: see spinner.h */
	uint32_t gap;
	bool shared; /* other tasks wait for the same: see spinner.h */

	bool relay; /* told by waitq_relay() */
	/* The change that is waited for, the look and waitq_notify_seq_cst()
	 * are seq_cst, or under the lock of q: no barrier is needed. */
	bool seq_cst;
};

/* What ends a wait from outside. */
struct stop {
	/* All of its waiters are told when the stop comes. */
	struct waitq *q;

	/* 0, and once it has come for good the error that waits end with. A
	 * seq_cst load, as the change of it is. */
	int (*err)(void *arg);
	void *arg;

	/* When it comes without telling anyone; WEFT_FOREVER. */
	int64_t due_ns;
};

/*
 * Wait until w->look() says other than -EAGAIN, which the caller's own first
 * look has said.
 *
 * stop  NULL: none.
 *
 * Returns what w->look() said; the stop's error; -ETIMEDOUT. What is there wins
 * over the stop, and the stop over the deadline.
 */
int weft_await(const struct awaiting *w, const struct stop *stop,
               int64_t deadline_ns);

/* For what one waiter takes whole and notifies when it gives it back: passed on
 * unless it was taken. */
bool weft_pass_on_error(void *arg, int err);

#endif
