/* Scenarios of `weft stress history`. */
#include "stress/history/scenario.h"
#include "stress/random/episode.h"

/* Scenarios of one seed, and calls of each sender in a long one. */
#define SMALL 200
#define LONG 500

static void plan_make(struct scenarios *s, const struct weft_chan_impl *impl,
                      uint64_t seed)
{
	*s = (struct scenarios){ .impl = impl,
		                 .count = SMALL,
		                 .until_ns = weft_deadline_in(WEFT_SEC) };
	rng_seed(&s->rng, seed);
	s->cap = episode_pick_cap(&s->rng, impl);
	s->elem = episode_pick_elem(&s->rng, impl, s->cap);
	s->wait = (enum weft_wait)rng_below(&s->rng, 3);
	s->closes = (unsigned)rng_below(&s->rng, 9);
	vital_where("capacity %zu, elements of %zu bytes, wait %s", s->cap,
	            s->elem,
	            s->wait == WEFT_WAIT_ADAPTIVE ? "adaptive"
	            : s->wait == WEFT_WAIT_SPIN   ? "spin"
	                                          : "park");
}

static int first_task(void *arg)
{
	struct scenarios *s = arg;

	if (rng_below(&s->rng, 8) == 0)
		scenario_run_long(s, LONG);
	else
		scenarios_run(s);
	return 0;
}

uint64_t history_run(const struct weft_chan_impl *impl, uint64_t seed)
{
	struct weft_run_opts run = { .seed = seed, .name = "first task" };
	struct scenarios s;

	plan_make(&s, impl, seed);
	MUST(weft_run(WEFT_THREADS, &run, first_task, &s), 0);
	return s.calls;
}
