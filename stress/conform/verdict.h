/* verdict: what the end of a child process means. */
#ifndef STRESS_CONFORM_VERDICT_H
#define STRESS_CONFORM_VERDICT_H

#include <stddef.h>
#include <stdint.h>

#include <weft/chan_impl.h>

#include "stress/conform/conform.h"
#include "stress/conform/supervise.h"

/*
 * The verdict on `impl` of a child that has just ended.
 *
 * limit_ns  after which it counted as hung.
 * why       receives one line on what went wrong, or does not apply.
 */
enum conform_verdict verdict_of_child(const struct child *child,
                                      const struct weft_chan_impl *impl,
                                      int64_t limit_ns, char *why,
                                      size_t why_bytes);

/* Print what a child printed, indented; of a long log both ends. */
void verdict_print_log(const char *log);

#endif
