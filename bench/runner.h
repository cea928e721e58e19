/*
 * runner: measures one cell.
 *
 * Calibrates the number of messages unless the plan gives it, repeats the
 * run, takes one more for latency, and verifies every one of them. The first
 * run that fails its check ends the measurement.
 */
#ifndef BENCH_RUNNER_H
#define BENCH_RUNNER_H

#include <signal.h>
#include <stdint.h>

#include "bench/result.h"

/*
 * Measure `plan`, which must outlive `out`.
 *
 * hung  called with `out` and `arg` when the watchdog ended a run, after it
 * printed each task's state to stderr; must end the process, since tasks that
 * hang cannot be joined.
 *
 * The caller must not be a task; its process must not hold other tasks that
 * use CPU, which would be charged to the cell.
 */
void runner_measure(const struct plan *plan, struct result *out,
                    void (*hung)(const struct result *out, void *arg),
                    void *arg);

/*
 * Around what calls the channel outside of a run, where no watchdog looks:
 * after runner_start_limit() the signal RUNNER_LATE ends the process, whatever
 * the channel's code does with it.
 */
#define RUNNER_LATE SIGALRM

/* Have that signal call `late` instead, which says so and ends the process: for
 * one whose end is told by nobody else. */
void runner_when_late(void (*late)(int signal));

int64_t runner_start_limit(const struct plan *plan);
void runner_time_begin(const struct plan *plan);
void runner_time_end(void);

/*
 * End the process at once, whatever its tasks are doing: for `hung`. Nothing
 * is flushed.
 */
WEFT_NORETURN void runner_abandon(int status);

#endif
