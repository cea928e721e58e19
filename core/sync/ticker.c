/* ticker: a timer with a period. */
#include <errno.h>

#include <weft/task.h>

#include "sync/timers.h"

struct weft_ticker {
	struct weft_timer timer;
};

/* Also the first time. */
static int start(struct weft_timer *t, int64_t period_ns)
{
	return weft_timer_arm(t, weft_deadline_in(period_ns), period_ns, NULL);
}

int weft_ticker_new(struct weft_ticker **out, int64_t period_ns)
{
	struct weft_timer *t;
	int err;

	if (!out || period_ns < 1)
		return -EINVAL;
	err = weft_timer_make(&t, NULL, NULL);
	if (err)
		return err;
	err = start(t, period_ns);
	if (err)
		weft_timer_free(t);
	else
		*out = (struct weft_ticker *)(void *)t;
	return err;
}

void weft_ticker_free(struct weft_ticker *t)
{
	if (t)
		weft_timer_free(&t->timer);
}

struct weft_chan *weft_ticker_chan(struct weft_ticker *t)
{
	return t ? t->timer.chan : NULL;
}

int weft_ticker_reset(struct weft_ticker *t, int64_t period_ns)
{
	if (!t || period_ns < 1)
		return -EINVAL;
	return start(&t->timer, period_ns);
}

bool weft_ticker_stop(struct weft_ticker *t)
{
	return t && weft_timer_stop(&t->timer);
}
