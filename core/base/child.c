#include "base/child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The same on every architecture, and not in the headers of older systems. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

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

/* What the child is to have of signals. */
static int set_signals(posix_spawnattr_t *attr)
{
	sigset_t chld, none;
	int err;

	sigemptyset(&none);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	err = posix_spawnattr_setsigdefault(attr, &chld);
	if (!err)
		err = posix_spawnattr_setsigmask(attr, &none);
	if (!err)
		err = posix_spawnattr_setflags(
		        attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	return err;
}

int weft_child_spawn(pid_t *out, const char *const *argv)
{
	posix_spawnattr_t attr;
	int err = posix_spawnattr_init(&attr);

	if (err)
		return -err;
	err = set_signals(&attr);
	if (!err) /* which takes the strings as they are */
		err = posix_spawn(out, argv[0], NULL, &attr,
		                  (char *const *)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&attr);
	return -err;
}

int weft_child_fd(pid_t child)
{
	long fd = syscall(SYS_pidfd_open, child, 0);

	return fd < 0 ? -errno : (int)fd;
}

void weft_child_signal(pid_t child, int fd, int signal)
{
	if (fd < 0)
		kill(child, signal);
	else
		syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0);
}
