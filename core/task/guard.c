/*
 * guard: what has to be done when a function ends, however it ends.
 *
 * pthread_exit() unwinds the stack, but runs the cleanup attribute only of
 * functions that are built with -fexceptions. This file is; nothing else in the
 * library needs to be.
 */
#include <errno.h>

#include <weft/task.h>

struct guard {
	void (*left)(void *arg, enum weft_guard_end end, int status);
	void *arg;
	enum weft_guard_end end;
	int status;
};

static void guard_left(struct guard *g)
{
	g->left(g->arg, g->end, g->status);
}

static int guarded(weft_task_fn fn, void *arg,
                   void (*left)(void *arg, enum weft_guard_end end, int status))
{
	/* What stays when fn does not come back. */
	__attribute__((cleanup(guard_left))) struct guard g = { left, arg,
		                                                WEFT_GUARD_DIED,
		                                                -ECANCELED };
	int status = 0, err = weft_try(fn, arg, &status);

	g.end = err ? WEFT_GUARD_EXITED : WEFT_GUARD_RETURNED;
	g.status = status;
	return err;
}

int weft_guard(weft_task_fn fn, void *arg,
               void (*left)(void *arg, enum weft_guard_end end, int status))
{
	return fn && left ? guarded(fn, arg, left) : -EINVAL;
}
