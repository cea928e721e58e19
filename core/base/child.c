#include "base/child.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t weft_child_fork(void)
{
	pid_t child;

	/* Foreign code may have changed it since the last child. */
	if (signal(SIGCHLD, SIG_DFL) == SIG_ERR)
		return -errno;
	child = fork();
	return child < 0 ? -errno : child;
}

int weft_child_wait(pid_t child, int flags, int *status)
{
	int ended = 0;
	pid_t got;

	do
		got = waitpid(child, &ended, flags);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	if (got == 0)
		return 0;
	*status = ended;
	return 1;
}
