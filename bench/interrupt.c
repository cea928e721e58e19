#include "bench/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>

#include <weft/atomic.h>

#include "base/child.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

/* Both are written by the handler or with the signals blocked. */
static _Atomic int came;
static _Atomic pid_t measuring;

static void end_it(void)
{
	pid_t child = weft_load_relaxed(&measuring);

	if (child > 0)
		kill(child, SIGKILL);
}

static void on_signal(int number)
{
	weft_store_relaxed(&came, number);
	end_it();
}

void interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = on_signal,
		                    .sa_flags = SA_RESTART | SA_RESETHAND };
	struct sigaction was;

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < SIGNALS; i++)
		if (sigaction(signals[i], NULL, &was) == 0 &&
		    was.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
}

int interrupt_came(void)
{
	return weft_load_relaxed(&came);
}

static void be_default(void)
{
	struct sigaction was;

	for (size_t i = 0; i < SIGNALS; i++)
		if (sigaction(signals[i], NULL, &was) == 0 &&
		    was.sa_handler == on_signal)
			signal(signals[i], SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

pid_t interrupt_fork(void)
{
	sigset_t ours, before;
	pid_t child;

	/* A signal in between would find no process to end. */
	sigemptyset(&ours);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&ours, signals[i]);
	sigprocmask(SIG_BLOCK, &ours, &before);
	child = weft_child_fork();
	if (child == 0)
		be_default();
	else if (child > 0)
		weft_store_relaxed(&measuring, child);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (child > 0 && interrupt_came())
		end_it();
	return child;
}

void interrupt_forget(void)
{
	weft_store_relaxed(&measuring, 0);
}
