#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/task.h>

#include "base/check.h"
#include "base/rng.h"
#include "cli/plugin.h"
#include "stress/conform/supervise.h"
#include "stress/conform/verdict.h"
#include "stress/history/scenario.h"
#include "stress/random/episode.h"
#include "stress/random/random.h"
#include "stress/random/select_episode.h"

const struct subject subject_chan = {
	.name = "chan",
	.applies = episode_applies,
	.run = episode_run,
};

const struct subject subject_select = {
	.name = "select",
	.applies = select_episode_applies,
	.run = select_episode_run,
};

const struct subject subject_history = {
	.name = "history",
	.applies = episode_applies,
	.run = history_run,
};

struct job {
	const struct subject *subject;
	const struct weft_chan_impl *impl;
	uint64_t seed;
	bool same;
	int64_t until_ns;
	void (*watch)(void *arg);
	void *arg;
};

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>

/* At the end of the process it would be too late to say which episode it was
 * that leaked. */
static void leak_check(void)
{
	if (__lsan_do_recoverable_leak_check())
		child_leave(CHILD_FAILED);
}
#else
static void leak_check(void)
{
}
#endif

/* Short enough to be typed. */
static uint64_t next_seed(uint64_t *state)
{
	return (rng_mix(state) & UINT32_MAX) | 1;
}

static int run_episodes(void *arg)
{
	const struct job *job = arg;
	uint64_t seed = job->seed, state = seed, items;

	do {
		weft_check_seed(seed);
		weft_store_relaxed(&vital->seed, seed);
		plugin_seed(seed);
		vital_goes_on();
		items = job->subject->run(job->impl, seed);
		leak_check();
		weft_fetch_add_relaxed(&vital->items, items);
		weft_fetch_add_relaxed(&vital->rounds, 1u);
		if (!job->same)
			seed = next_seed(&state);
	} while (weft_now() < job->until_ns);
	return 0;
}

static void watch(void *arg)
{
	const struct job *job = arg;

	if (job->watch)
		job->watch(job->arg);
}

int stretch_run(const struct subject *subject,
                const struct weft_chan_impl *impl, uint64_t seed, bool same,
                int64_t ns, int64_t limit_ns, void (*watcher)(void *arg),
                void *arg, struct stretch *out)
{
	struct job job = { .subject = subject,
		           .impl = impl,
		           .seed = seed,
		           .same = same,
		           .until_ns = weft_deadline_in(ns),
		           .watch = watcher,
		           .arg = arg };
	struct child child;
	int err;

	*out = (struct stretch){ .log = NULL };
	err = child_run(run_episodes, &job, limit_ns, watch, &child);
	if (err)
		return err;
	out->verdict = verdict_of_child(&child, impl, limit_ns, out->why,
	                                sizeof(out->why));
	out->seed = weft_load_relaxed(&vital->seed);
	out->episodes = weft_load_relaxed(&vital->rounds);
	out->items = weft_load_relaxed(&vital->items);
	memcpy(out->where, vital->where, sizeof(out->where));
	out->log = child.log; /* taken over */
	return 0;
}

void stretch_free(struct stretch *s)
{
	free(s->log);
	s->log = NULL;
}
