/* failure: what a failure inside of a pattern is called outside. */
#ifndef WEFT_PATTERNS_COMMON_FAILURE_H
#define WEFT_PATTERNS_COMMON_FAILURE_H

#include <errno.h>

/* From who sends and receives, three errors say something of the call itself:
 * not now, not before the deadline, no more. Who fails with one of them has
 * failed for all that, and to be told apart it is -EIO. */
static inline int failure_of(int err)
{
	switch (err) {
	case -EAGAIN:
	case -ETIMEDOUT:
	case -EPIPE:
		return -EIO;
	default:
		return err;
	}
}

#endif
