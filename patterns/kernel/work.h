/* work: keep a CPU busy for about as long as asked. */
#ifndef WEFT_PATTERNS_KERNEL_WORK_H
#define WEFT_PATTERNS_KERNEL_WORK_H

#include <stdint.h>

/*
 * Compute for about `ns` nanoseconds of CPU time: a chain of dependent integer
 * operations that touches no memory and makes no call. The time is that of the
 * calibration; a CPU that changes its frequency, or is shared, needs more.
 * 0 and less return at once.
 */
void work_for(int64_t ns);

/*
 * Find out how fast this machine is, once per process; any number of tasks may
 * call it at once. The first work_for() does so too, but should not have to in
 * a part that is measured. Takes a few milliseconds.
 */
void work_calibrate(void);

/*
 * The speed that work_for() goes by, in turns of that chain per microsecond;
 * found out if it is not known. Processes that are compared take one of them
 * for all, with work_assume(), before they compute anything: each finds out
 * another one on a machine whose speed changes.
 */
uint64_t work_speed(void);
void work_assume(uint64_t turns_per_us);

/*
 * Do a fixed piece of such work, of some hundred microseconds, and return how
 * many nanoseconds that took: the same on an undisturbed CPU each time,
 * whatever the calibration found. At least 1.
 */
int64_t work_spin_ns(void);

#endif
