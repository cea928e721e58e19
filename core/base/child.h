/*
 * child: child processes whose end is told.
 *
 * While SIGCHLD is ignored, which survives exec(), or has SA_NOCLDWAIT, the
 * kernel forgets a child at its end and waitpid() has nothing to say. A status
 * that is lost is unknown: no verdict may take it for a success.
 */
#ifndef WEFT_BASE_CHILD_H
#define WEFT_BASE_CHILD_H

#include <sys/types.h>

#include <weft/export.h>

/*
 * fork(), after SIGCHLD was set to its default, which the child inherits.
 * Returns 0 in the child, its id in the parent, or -errno.
 */
pid_t weft_child_fork(void);

/*
 * waitpid() for one child, through interruptions.
 *
 * Returns 1 when it has ended, with *status as waitpid() gives it; 0 when it
 * runs on, which only WNOHANG in `flags` lets happen; -ECHILD when its status
 * is lost, since something else in this process has taken it; or another
 * -errno. *status is left alone but for 1.
 */
int weft_child_wait(pid_t child, int flags, int *status);

/*
 * Start the program argv[0] in a child, with SIGCHLD at its default and no
 * signal blocked. Changes nothing in this process: where SIGCHLD is ignored the
 * child's status will be lost.
 *
 * Returns 0 with its id in *out, or -errno: -ENOENT, -EACCES, ...
 */
int weft_child_spawn(pid_t *out, const char *const *argv);

/* A descriptor, closed on exec, that is readable once the child has ended; or
 * -errno: -ENOSYS where the kernel has none. */
int weft_child_fd(pid_t child);

/* Signal a child whose status has not been taken. `fd` is that of
 * weft_child_fd(), or negative. */
void weft_child_signal(pid_t child, int fd, int signal);

#endif
