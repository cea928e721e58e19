/* ring: the ring of core/chan/testing.h with waits of its own. */
#ifndef STRESS_CORRECT_RING_H
#define STRESS_CORRECT_RING_H

#include "core/chan/testing.h"

/*
 * Call `op`, which does not wait, again and again until it can or the deadline
 * has passed, with `pause` in between: the simplest way to wait. An expired
 * deadline still looks once.
 */
#define POLL_UNTIL(err, op, deadline_ns, pause)                                \
	do {                                                                   \
		int64_t poll_until_ = (deadline_ns);                           \
		bool poll_last_;                                               \
		do {                                                           \
			poll_last_ = weft_now() >= poll_until_;                \
			(err) = (op);                                          \
			if ((err) != -EAGAIN)                                  \
				break;                                         \
			if (!poll_last_)                                       \
				pause;                                         \
		} while (!poll_last_);                                         \
		if ((err) == -EAGAIN)                                          \
			(err) = -ETIMEDOUT;                                    \
	} while (0)

#endif
