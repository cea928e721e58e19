/* cmp_pace: a run whose clock goes as fast as one likes. */
#ifndef WEFT_CMP_PACE_H
#define WEFT_CMP_PACE_H

#include <weft/task.h>

#define CMP_SPEED_MIN 0.1
#define CMP_SPEED_MAX 1000.0

/*
 * Run fn(arg) as a task on a manual clock that is moved on `speed` times as
 * fast as the machine's. Time passes only once everything that was due has been
 * done, so what happens in which order does not depend on the machine.
 *
 * Returns what fn returned; or why it could not be run: -errno.
 */
int cmp_run_paced(uint64_t seed, double speed, weft_task_fn fn, void *arg);

#endif
