/*
 * Deadlines: absolute nanoseconds on the clock of the run (weft_now()).
 *
 * A deadline that is not after now has expired. Two values stand out:
 * WEFT_NOW never waits and WEFT_FOREVER never expires; both hold on every
 * clock, the manual one included.
 */
#ifndef WEFT_TIME_H
#define WEFT_TIME_H

#include <stdint.h>

#include <weft/export.h>

WEFT_BEGIN_DECLS

#define WEFT_NOW INT64_C(0)
#define WEFT_FOREVER INT64_MAX

#define WEFT_US INT64_C(1000)
#define WEFT_MS INT64_C(1000000)
#define WEFT_SEC INT64_C(1000000000)

/*
 * The deadline `ns` nanoseconds after `deadline_ns`. Saturates instead of
 * wrapping: the far future is WEFT_FOREVER, before the epoch is WEFT_NOW.
 */
static inline int64_t weft_deadline_add(int64_t deadline_ns, int64_t ns)
{
	int64_t sum;

	if (deadline_ns == WEFT_FOREVER)
		return WEFT_FOREVER;
	if (__builtin_add_overflow(deadline_ns, ns, &sum))
		return ns > 0 ? WEFT_FOREVER : WEFT_NOW;
	return sum > 0 ? sum : WEFT_NOW;
}

WEFT_END_DECLS

#endif
