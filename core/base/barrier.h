/*
 * The light half of the asymmetric barrier: "I have published; is anyone
 * registered to hear of it?"
 *
 * Publisher: publish (release); weft_barrier_light(n); the answer is *n != 0.
 * Waiter:    n.fetch_add(acq_rel); weft_barrier_registered(); look again; park.
 *
 * Either the publisher sees the registration or the waiter sees what was
 * published. With membarrier the publisher pays a compiler barrier. Without
 * it, both sides meet in read-modify-writes of n: whichever comes second in
 * n's modification order reads from the first and synchronizes with it.
 */
#ifndef WEFT_BASE_BARRIER_H
#define WEFT_BASE_BARRIER_H

#include <weft/atomic.h>

/* TSan follows the read-modify-write form and cannot follow the other. */
#if defined(__SANITIZE_THREAD__)
#define WEFT_ASYMMETRIC_BUILD 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_ASYMMETRIC_BUILD 0
#endif
#endif
#ifndef WEFT_ASYMMETRIC_BUILD
#define WEFT_ASYMMETRIC_BUILD 1
#endif

/* Set once by weft_barrier_is_asymmetric(); false until then, which is safe:
 * the other form is right with any waiter. Cleared for good when the kernel
 * refuses the barrier that it had promised (docs/adr/0011). */
extern _Atomic bool weft_asymmetric;

/* weft_barrier_heavy() for the waiter above, which needs no more than the
 * other form of the publisher gives. */
void weft_barrier_registered(void);

/* Whether *n is not 0, asked after everything the caller published. */
static inline bool barrier_light_is_set(_Atomic uint32_t *n)
{
	weft_barrier_compiler(); /* not asked before it was published */
	if (WEFT_ASYMMETRIC_BUILD && weft_load_relaxed(&weft_asymmetric)) {
		weft_barrier_compiler();
		return weft_load_relaxed(n) != 0;
	}
	return weft_fetch_add_acq_rel(n, 0u) != 0;
}

#endif
