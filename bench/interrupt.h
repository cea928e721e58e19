/*
 * interrupt: what Ctrl-C does while processes of our own are measuring.
 *
 * The process that measures is ended at once; the rest of the command looks at
 * interrupt_came(), writes what there is, and ends.
 */
#ifndef BENCH_INTERRUPT_H
#define BENCH_INTERRUPT_H

#include <sys/types.h>

/* From now on SIGINT, SIGTERM and SIGHUP do that, but for those that are
 * ignored. The second time such a signal ends the process. */
void interrupt_catch(void);

/* The signal that came, or 0. */
int interrupt_came(void);

/* weft_child_fork(), for the process to end; in it all signals are at their
 * defaults, and it does not outlive this one. */
pid_t interrupt_fork(void);

/* That process is about to be waited for: its id may be another's soon. */
void interrupt_forget(void);

#endif
