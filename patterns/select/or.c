/* or: a task that waits for the first of several channels, and closes one. */
#include <errno.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>

#include "base/cacheline.h"
#include "common/crew.h"
#include "mux.h"

struct weft_or {
	struct weft_chan *chan; /* a reference; NULL for an or of none */

	/* Of two and more channels, for the task. */
	struct weft_crew crew;
	struct weft_crew_member member;
	struct weft_chan *quit; /* closed when the or is freed */
	_Atomic int first;      /* or an error; set before chan is closed */
	size_t n;
	unsigned char elem[WEFT_ELEM_MAX]; /* what comes is not looked at */
	struct weft_case cases[];          /* one for each, then quit */
};

static int or_work(struct weft_crew_member *m)
{
	struct weft_or *o =
	        (struct weft_or *)(void *)((char *)m -
	                                   offsetof(struct weft_or, member));
	int k = weft_select(o->cases, o->n + 1, WEFT_FOREVER);

	if (k < (int)o->n)
		weft_store_release(&o->first, k); /* [first] */
	weft_chan_close(o->chan);
	return 0;
}

static const struct weft_crew_ops crew_ops = { .work = or_work };

static void put_all(struct weft_or *o)
{
	for (size_t i = 0; i < o->n; i++)
		weft_chan_unref(o->cases[i].c);
	weft_chan_unref(o->quit);
	weft_chan_unref(o->chan);
	free(o);
}

static bool all_selectable(struct weft_chan *const *done, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (done[i] && !weft_chan_can_select(done[i]))
			return false;
	return true;
}

static int start(struct weft_or *o)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");
	const struct weft_task_opts opts = { .name = "or" };
	int err;

	err = weft_chan_new(&o->chan, handoff, 0, 0, NULL);
	if (!err)
		err = weft_chan_new(&o->quit, handoff, 0, 0, NULL);
	if (err)
		return err;
	o->cases[o->n] = weft_case_recv(o->quit, NULL);
	return weft_crew_start(&o->crew, &crew_ops, &o->member, 1,
	                       sizeof(o->member), &opts);
}

int weft_or_new(struct weft_or **out, struct weft_chan *const *done, size_t n)
{
	struct weft_or *o;
	int err = 0;

	if (!out || (!done && n) || n > WEFT_MUX_PORTS_MAX)
		return -EINVAL;
	if (n > 1 && !all_selectable(done, n))
		return -EOPNOTSUPP;
	o = cacheline_new(1, sizeof(*o) + (n + 1) * sizeof(o->cases[0]));
	if (!o)
		return -ENOMEM;
	weft_store_relaxed(&o->first, -EAGAIN);
	if (n > 1) {
		o->n = n;
		for (size_t i = 0; i < n; i++)
			o->cases[i] =
			        weft_case_recv(weft_chan_ref(done[i]), o->elem);
		err = start(o);
	} else if (n == 1) {
		o->chan = weft_chan_ref(done[0]);
	}
	if (err)
		put_all(o);
	else
		*out = o;
	return err;
}

void weft_or_free(struct weft_or *o)
{
	if (!o)
		return;
	if (o->quit)
		weft_chan_close(o->quit);
	weft_crew_join(&o->crew);
	put_all(o);
}

struct weft_chan *weft_or_chan(const struct weft_or *o)
{
	return o ? o->chan : NULL;
}

int weft_or_first(const struct weft_or *o)
{
	return o ? weft_load_acquire(&o->first) : -EINVAL; /* [first] */
}
