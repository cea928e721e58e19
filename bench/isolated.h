/* isolated: measures a cell in a process of its own. */
#ifndef BENCH_ISOLATED_H
#define BENCH_ISOLATED_H

#include "bench/result.h"

/*
 * As runner_measure(), in a child process: a hang or a crash ends that child
 * and no more. The caller's process must have one thread.
 *
 * Returns 0; or -EIO when the child died without a result or cannot be known to
 * have ended well, with `why` one line about how; or another -errno when there
 * is no child to be had.
 */
int isolated_measure(const struct plan *plan, struct result *out, char *why,
                     size_t why_bytes);

#endif
