/*
 * Dealing: which worker gets an item.
 *
 * A sender first reserves room at a worker, then sends into its queue. So it
 * waits for any of them at once, over channels of every kind.
 *
 * There is room for what the queue holds, and for one item more at a worker
 * that has none in hand, because it is about to take it: so a sender that has
 * found room never waits for a worker that is busy, whatever the capacity and
 * the batch.
 */
#include <weft/chan.h>

#include "internal.h"

static bool reserve(struct worker *w)
{
	int64_t load = weft_load_relaxed(&w->load);

	while (load < w->f->limit)
		if (weft_cas_weak_acq_rel(&w->load, &load, load + 1))
			return true;
	return false;
}

static void release(struct worker *w, size_t n)
{
	weft_fetch_sub_release(&w->load, (int64_t)n);
	weft_waiters_wake(&w->f->room, n);
}

/* The whole batch stands for one from now on. */
void weft_fan_taken(struct worker *w, size_t n)
{
	if (n > 1)
		release(w, n - 1);
}

void weft_fan_finished(struct worker *w)
{
	release(w, 1);
}

/* A sender in search of a worker with room. */
struct search {
	struct weft_fan *f;
	unsigned begin; /* with this one */
	struct worker *found;
};

static struct worker *nth(const struct search *s, unsigned i)
{
	return &s->f->workers[(s->begin + i) % s->f->opts.workers];
}

static struct worker *reserve_next(const struct search *s)
{
	for (unsigned i = 0; i < s->f->opts.workers; i++)
		if (reserve(nth(s, i)))
			return nth(s, i);
	return NULL;
}

/* What it has not finished: in its queue, in hand, and behind that one in its
 * batch. */
static int64_t unfinished(const struct worker *w)
{
	return weft_load_relaxed(&w->load) + weft_load_relaxed(&w->rest);
}

/* Of several with the same load, the first from `begin` on. */
static struct worker *least_loaded(const struct search *s)
{
	struct worker *best = nth(s, 0);

	for (unsigned i = 1; i < s->f->opts.workers; i++)
		if (unfinished(nth(s, i)) < unfinished(best))
			best = nth(s, i);
	return best;
}

static int look_for_room(void *arg)
{
	struct search *s = arg;

	if (weft_load_acquire(&s->f->closing)) /* [closing] */
		return -EPIPE;
	if (s->f->opts.deal == WEFT_FAN_LEAST_LOADED) {
		s->found = least_loaded(s);
		if (reserve(s->found))
			return 0;
	}
	/* The least loaded is full, or has become so since. */
	s->found = reserve_next(s);
	return s->found ? 0 : -EAGAIN;
}

int weft_fan_deal_out(struct weft_fan *f, const void *elem, int64_t deadline_ns)
{
	struct search s = { .f = f };
	int err;

	s.begin = f->opts.deal == WEFT_FAN_RANDOM
	                  ? (unsigned)(weft_rand() % f->opts.workers)
	                  : weft_fetch_add_relaxed(&f->next, 1u);
	err = fan_wait(&f->room, "fan send", look_for_room, &s, deadline_ns);
	if (err)
		return err;
	/* With room reserved, this waits at most for an idle worker to take
	 * what is there. */
	err = weft_chan_send(s.found->from, elem, deadline_ns);
	if (err)
		release(s.found, 1);
	return err;
}
