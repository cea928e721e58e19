#include "task/await.h"

#include <errno.h>

/* One look, at what is waited for and then at what may end the wait. */
static int await_look(const struct awaiting *w, const struct stop *stop)
{
	int err = w->look(w->arg), why;

	if (err != -EAGAIN || !stop)
		return err;
	why = stop->err(stop->arg);
	return why ? why : err;
}

/* -EAGAIN when it is time to register. */
static int await_spin(const struct awaiting *w, const struct stop *stop,
                      int64_t deadline_ns)
{
	struct spinner s;
	int err = -EAGAIN;

	weft_spinner_init(&s, w->policy, w->gap, w->shared, deadline_ns);
	while (err == -EAGAIN && weft_spinner_turn(&s))
		err = await_look(w, stop);
	return err;
}

/* The stop first: the barrier of the second covers both. */
static void await_enter(const struct awaiting *w, const struct stop *stop,
                        struct waiter *mine, struct waiter *stopped)
{
	if (stop)
		weft_waitq_link(stop->q, stopped);
	if (w->seq_cst)
		weft_waitq_link(w->q, mine);
	else
		weft_waitq_register(w->q, mine);
}

/* A notification of the stop is not passed on: everyone gets one. */
static void await_leave(const struct awaiting *w, const struct stop *stop,
                        struct waiter *mine, struct waiter *stopped, int err)
{
	if (stop)
		weft_waitq_leave(stop->q, stopped);
	if (!weft_waitq_leave(w->q, mine) || !w->pass_on ||
	    !w->pass_on(w->arg, err))
		return;
	if (w->relay)
		waitq_relay(w->q);
	else
		waitq_notify(w->q, 1);
}

/* As await_enter(), for those that were notified. */
static void await_rearm(const struct awaiting *w, const struct stop *stop,
                        struct waiter *mine, struct waiter *stopped)
{
	bool told = stop && weft_waitq_rearm(stop->q, stopped);

	told |= weft_waitq_rearm(w->q, mine);
	if (told && !w->seq_cst)
		weft_barrier_registered(); /* pairs with barrier_light_is_set()
		                            */
}

/* Park, unless something was told meanwhile: the look may have waited for
 * something else, a lock say, and used up the permit. True when the deadline
 * has come. */
static bool await_sleep(const struct awaiting *w, const struct stop *stop,
                        struct waiter *mine, struct waiter *stopped,
                        int64_t deadline_ns)
{
	int64_t until_ns = deadline_ns;

	if (waiter_is_told(mine) || (stop && waiter_is_told(stopped)))
		return false;
	if (stop && stop->due_ns < until_ns)
		until_ns = stop->due_ns;
	return weft_waitq_park(w->q, w->what, until_ns) &&
	       until_ns == deadline_ns;
}

/* Running tasks keep taking what woken ones were told of, and will soon have
 * more: look around before it is time to wait in line again. What was told to
 * this one is still its own, to use up or pass on. */
static int await_look_around(const struct awaiting *w, const struct stop *stop,
                             int64_t deadline_ns)
{
	struct spinner s;
	int err = await_look(w, stop);

	weft_spinner_init_woken(&s, w->policy, w->gap, deadline_ns);
	while (err == -EAGAIN && weft_spinner_turn(&s))
		err = await_look(w, stop);
	return err;
}

/*
 * The look comes before the verdict: an expired deadline still takes what is
 * there.
 *
 * A notification that await_rearm() takes away is owed to nobody once the look
 * behind it has found nothing: what it stood for is gone, and nothing is left
 * to pass on. What comes after await_rearm() is a notification anew, for
 * await_leave() to find. A relay that finds something in that look may have to
 * pass on what came while nobody else was told.
 */
static int await_park(const struct awaiting *w, const struct stop *stop,
                      int64_t deadline_ns)
{
	struct waiter mine, stopped;
	bool expired = false;
	int err;

	await_enter(w, stop, &mine, &stopped);
	while ((err = await_look(w, stop)) == -EAGAIN && !expired) {
		waiter_found_nothing(&mine);
		expired = await_sleep(w, stop, &mine, &stopped, deadline_ns);
		err = await_look_around(w, stop, deadline_ns);
		if (err != -EAGAIN)
			break;
		await_rearm(w, stop, &mine, &stopped);
	}
	if (err == -EAGAIN)
		err = -ETIMEDOUT;
	await_leave(w, stop, &mine, &stopped, err);
	return err;
}

int weft_await(const struct awaiting *w, const struct stop *stop,
               int64_t deadline_ns)
{
	int err;

	if (deadline_ns <= WEFT_NOW)
		return -ETIMEDOUT;
	err = await_spin(w, stop, deadline_ns);
	return err == -EAGAIN ? await_park(w, stop, deadline_ns) : err;
}

bool weft_pass_on_error(void *arg, int err)
{
	(void)arg;
	return err != 0;
}
