/*
 * oom: an allocator that fails on request.
 *
 * A shared object, preloaded (LD_PRELOAD), puts itself before the allocator of
 * the C library. Nothing of it is in weft: without it the checks that need it
 * do not apply.
 *
 * The counts are those of the calling thread, so that what other threads and
 * the system allocate meanwhile does not matter.
 *
 * For a program that knows nothing of it, WEFT_OOM=N in the environment lets
 * the N-th allocation of the process fail, WEFT_OOM=N+ that and all later ones;
 * it says so on stderr, or at the end how many there were when there were
 * fewer.
 */
#ifndef STRESS_CONFORM_OOM_H
#define STRESS_CONFORM_OOM_H

/* Let the n-th allocation from now fail (1 is the next), and all later ones
 * too when `for_good`. 0 = none. Sets the count of live blocks to 0. */
typedef void oom_arm_fn(unsigned long n, int for_good);

/* No failures from now. Returns how many there were. */
typedef unsigned long oom_disarm_fn(void);

/* Blocks allocated less blocks freed, since oom_arm(). */
typedef long oom_live_fn(void);

#endif
