/*
 * jump: a wall clock that jumps on request.
 *
 * In the object that is preloaded for the checks (see ../conform/oom.h), before
 * what the C library reads the wall clock by. The machine's own is not touched:
 * what has read the jumping one and then waits in the kernel until that time
 * sees just what it would see had the machine's jumped in between.
 */
#ifndef STRESS_FAULTS_JUMP_H
#define STRESS_FAULTS_JUMP_H

#include <stdint.h>

/* From now, the first reading of the process is `ns` too early and all later
 * ones `ns` too late: the clock has jumped forward, or back where ns is
 * negative. 0: it is right again. */
typedef void jump_fn(int64_t ns);

#endif
