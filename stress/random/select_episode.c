#include "stress/random/select_episode.h"

#include <stdio.h>

#include "base/rng.h"
#include "stress/conform/mesh.h"
#include "stress/random/episode.h"

/* --- the plan, all of it from the seed --- */

struct plan {
	struct rng rng;
	uint64_t seed;
	const struct weft_chan_impl *impl[MESH_CHANS];
	size_t cap[MESH_CHANS], elem[MESH_CHANS];
	enum weft_wait wait[MESH_CHANS];
	struct mesh mesh;
};

/* The first channel is of the one that is to be stressed. */
static const struct weft_chan_impl *pick_impl(struct rng *rng,
                                              const struct weft_chan_impl *mine)
{
	const struct weft_chan_impl *impl, *picked = mine;
	uint64_t seen = 1;
	const char *why;

	for (size_t i = 0; (impl = weft_chan_impl_at(i)); i++)
		if (impl != mine && select_episode_applies(impl, &why) &&
		    rng_below(rng, ++seen) == 0)
			picked = impl;
	return picked;
}

static void plan_chans(struct plan *p, const struct weft_chan_impl *mine)
{
	struct mesh *m = &p->mesh;

	m->chans = 1 + (unsigned)rng_below(&p->rng, MESH_CHANS);
	for (unsigned i = 0; i < m->chans; i++) {
		p->impl[i] = i ? pick_impl(&p->rng, mine) : mine;
		p->cap[i] = episode_pick_cap(&p->rng, p->impl[i]);
		p->elem[i] = episode_pick_elem(&p->rng, p->impl[i], p->cap[i]);
		p->wait[i] = (enum weft_wait)rng_below(&p->rng, 3);
		m->chan[i].ordered = p->impl[i]->can &
		                     (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO);
		m->chan[i].timed = p->impl[i]->can & WEFT_CAN_TIMEOUT;
		m->chan[i].early = rng_below(&p->rng, 6) == 0;
		m->chan[i].turns = (uint32_t)rng_below(&p->rng, 400);
	}
}

/* Some of n tasks, at least one and at most `max` (0: any number). */
static unsigned pick_some(struct rng *rng, unsigned n, unsigned max)
{
	unsigned bits = 0, left = 1 + (unsigned)rng_below(rng, n);

	if (max && left > max)
		left = max;
	while (left > 0) {
		unsigned bit = 1u << rng_below(rng, n);

		left -= !(bits & bit);
		bits |= bit;
	}
	return bits;
}

/* Which tasks send and which receive there. Each sender needs a receiver that
 * is not itself. */
static void plan_roles(struct plan *p, unsigned chan)
{
	struct mesh *m = &p->mesh;
	const struct weft_chan_impl *impl = p->impl[chan];
	unsigned r = pick_some(&p->rng, m->tasks, impl->max_receivers), s;

	do {
		s = pick_some(&p->rng, m->tasks, impl->max_senders);
		if (!(r & (r - 1)))
			s &= ~r; /* its only receiver */
	} while (!s);
	for (unsigned i = 0; i < m->tasks; i++) {
		m->task[i].sends |= (s >> i & 1) << chan;
		m->task[i].receives |= (r >> i & 1) << chan;
	}
}

/* A task with several things to wait for must now and then wait for all. */
static struct mesh_habits pick_habits(struct rng *rng)
{
	struct mesh_habits h = { .selects = 2 + (unsigned)rng_below(rng, 7),
		                 .tries = (unsigned)rng_below(rng, 4),
		                 .timed = (unsigned)rng_below(rng, 4),
		                 .window = 1u << rng_below(rng, 10) };

	return h;
}

static bool has_one_role(const struct mesh_task *t)
{
	return !(t->sends && t->receives) && !(t->receives & (t->receives - 1));
}

/* Receivers that come for a few elements only: nobody else may wait for what
 * they were told of. */
static void plan_visitors(struct plan *p)
{
	struct mesh *m = &p->mesh;
	unsigned n = (unsigned)rng_below(&p->rng, 4);

	for (; n > 0 && m->tasks < MESH_TASKS; n--) {
		struct mesh_task *t = &m->task[m->tasks];

		for (unsigned i = 0; i < m->chans; i++)
			if (!p->impl[i]->max_receivers && rng_below(&p->rng, 4))
				t->receives |= 1u << i;
		t->leaves = 1 + (uint32_t)rng_below(&p->rng, 4);
		t->habits = (struct mesh_habits){ .selects = 8, .window = 1 };
		m->tasks += t->receives != 0;
	}
}

static void plan_tasks(struct plan *p)
{
	struct mesh *m = &p->mesh;
	/* A task that tries again makes up for a wake-up that was lost. */
	bool patient = rng_below(&p->rng, 3) == 0;
	/* Most of what goes wrong does so near the end of a task, so there are
	 * many short episodes beside the long ones. */
	static const uint32_t mosts[] = { 3, 3, 30, 300 };
	uint32_t most = mosts[rng_below(&p->rng, 4)];

	m->tasks = 2 + (unsigned)rng_below(&p->rng, 7);
	for (unsigned i = 0; i < m->chans; i++)
		plan_roles(p, i);
	for (unsigned i = 0; i < m->tasks; i++) {
		struct mesh_task *t = &m->task[i];

		t->each = t->sends ? 1 + (uint32_t)rng_below(&p->rng, most) : 0;
		t->habits = pick_habits(&p->rng);
		if (patient)
			t->habits.tries = t->habits.timed = 0;
		/* Plain peers, which know nothing of select. */
		if (has_one_role(t) && rng_below(&p->rng, 3) == 0)
			t->habits.selects = 0;
		else if (patient)
			t->habits.selects = 8;
	}
	plan_visitors(p);
	m->storm = rng_below(&p->rng, 6) == 0;
	m->cancels = rng_below(&p->rng, 2);
}

static void plan_say(const struct plan *p)
{
	static const char *const waits[] = { "adaptive", "spin", "park" };
	char chans[120] = "";
	size_t used = 0;

	for (unsigned i = 0; i < p->mesh.chans && used < sizeof(chans); i++)
		used += (size_t)snprintf(
		        chans + used, sizeof(chans) - used, "%s%s %zu %s",
		        i ? ", " : "", p->impl[i]->name,
		        p->impl[i]->can & WEFT_CAN_UNBOUNDED ? 0 : p->cap[i],
		        waits[p->wait[i]]);
	vital_where("%u tasks%s%s over %s", p->mesh.tasks,
	            p->mesh.cancels ? ", contexts" : "",
	            p->mesh.storm ? ", storm" : "", chans);
}

/* --- under way --- */

static int first_task(void *arg)
{
	struct plan *p = arg;

	for (unsigned i = 0; i < p->mesh.chans; i++) {
		struct weft_chan_opts opts = { .wait = p->wait[i] };

		MUST(weft_chan_new(&p->mesh.chan[i].c, p->impl[i], p->cap[i],
		                   p->elem[i], &opts),
		     0);
	}
	mesh_run(&p->mesh);
	return 0;
}

bool select_episode_applies(const struct weft_chan_impl *impl, const char **why)
{
	if (!episode_applies(impl, why))
		return false;
	if (!(impl->can & WEFT_CAN_SELECT))
		*why = "does not declare select";
	else if (!(impl->can & (WEFT_CAN_BOUNDED | WEFT_CAN_UNBOUNDED)) &&
	         !impl_selects(impl, 0, 8))
		*why = "has no capacity that can stand in a select";
	return !*why;
}

uint64_t select_episode_run(const struct weft_chan_impl *impl, uint64_t seed)
{
	struct weft_run_opts run = { .seed = seed, .name = "first task" };
	struct plan p = { .seed = seed };

	rng_seed(&p.rng, seed);
	plan_chans(&p, impl);
	plan_tasks(&p);
	plan_say(&p);
	MUST(weft_run(WEFT_THREADS, &run, first_task, &p), 0);
	return weft_load_relaxed(&p.mesh.sent);
}
