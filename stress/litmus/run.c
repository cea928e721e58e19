/* Runs a litmus test: strides of states, and actors that walk through them. */
#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"
#include "cli/plugin.h"
#include "stress/litmus/litmus.h"

/* A first one that shows at once what always goes wrong; then the usual. Of
 * channels with descriptors there cannot be as many. */
#define STRIDE_FIRST 100
#define STRIDE 1000
#define STRIDE_OF_DESCRIPTORS 60

/* How often actors wait for each other, and for how many turns at most: an
 * actor may be blocked until the other comes. */
#define MEET_EVERY 4
#define MEET_TURNS 200

struct stride;

struct walker {
	struct stride *stride;
	unsigned number;
	struct weft_task *task;
	_Alignas(WEFT_CACHE_LINE) _Atomic size_t at; /* state that it is at */
};

struct stride {
	const struct litmus *test;
	const struct weft_chan_impl *impl;
	struct litmus_state *state;
	size_t n;
	struct walker walker[LITMUS_ACTORS];
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned gate;
	_Alignas(WEFT_CACHE_LINE) _Atomic unsigned arrived;
};

#define GATE_END UINT32_MAX

static struct stride stride;

/* --- actors --- */

/* Until the others are as far, or for as long as it is worth. */
static void meet(const struct stride *s, size_t at)
{
	for (unsigned i = 0, turns = 0; i < s->test->actors; i++)
		while (weft_load_relaxed(&s->walker[i].at) < at &&
		       turns++ < MEET_TURNS)
			if (turns % 64 == 0)
				weft_yield();
			else
				weft_relax();
}

static int walker(void *arg)
{
	struct walker *w = arg;
	struct stride *s = w->stride;
	unsigned round = 0;

	while ((round = await_round(&s->gate, round)) != GATE_END) {
		for (size_t i = 0; i < s->n; i++) {
			weft_store_relaxed(&w->at, i);
			if (i % MEET_EVERY == 0)
				meet(s, i);
			s->test->act[w->number](&s->state[i]);
		}
		weft_store_relaxed(&w->at, s->n);
		weft_fetch_add_acq_rel(&s->arrived, 1u);
	}
	return 0;
}

/* --- the first task --- */

/* Bytes of an element that has room for a tag. */
static size_t size_for(const struct weft_chan_impl *impl, size_t cap)
{
	static const size_t sizes[] = { 8, 16, 64, 4, 4096 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		if (!weft_chan_impl_accepts(impl, cap, sizes[i], NULL, 0))
			return sizes[i];
	return impl->min_elem;
}

static struct weft_chan *chan_of(const struct stride *s)
{
	struct weft_chan *c = NULL;

	MUST(weft_chan_new(&c, s->impl, s->test->cap,
	                   size_for(s->impl, s->test->cap), NULL),
	     0);
	return c;
}

static void make_all(struct stride *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct litmus_state *state = &s->state[i];

		*state = (struct litmus_state){ .c = NULL };
		if (s->test->chans > 0)
			state->c = chan_of(s);
		if (s->test->chans > 1)
			state->d = chan_of(s);
		if (s->test->make)
			s->test->make(state);
	}
}

static void judge_one(const struct stride *s, struct litmus_state *state,
                      struct litmus_counts *counts)
{
	const struct litmus_outcome *o = s->test->outcome;
	uint32_t code = s->test->judge(state);
	unsigned i = 0;

	while (i < LITMUS_OUTCOMES && o[i].what && o[i].code != code)
		i++;
	if (i < LITMUS_OUTCOMES && o[i].what) {
		counts->seen[i]++;
	} else {
		counts->unlisted++;
		counts->unlisted_code = code;
	}
	counts->samples++;
}

static void judge_all(struct stride *s, struct litmus_counts *counts)
{
	for (size_t i = 0; i < s->n; i++) {
		struct litmus_state *state = &s->state[i];

		judge_one(s, state, counts);
		if (s->test->end)
			s->test->end(state);
		weft_chan_unref(state->c);
		weft_chan_unref(state->d);
	}
}

static void let_go(struct stride *s)
{
	for (unsigned i = 0; i < s->test->actors; i++)
		weft_store_relaxed(&s->walker[i].at, (size_t)0);
	weft_store_relaxed(&s->arrived, 0u);
	weft_store_release(&s->gate, weft_load_relaxed(&s->gate) + 1);
	for (unsigned i = 0; weft_load_acquire(&s->arrived) != s->test->actors;
	     i++)
		if (i < 100)
			weft_yield();
		else
			weft_sleep_until(weft_deadline_in(100 * WEFT_US));
}

struct walk {
	int64_t until_ns;
	struct litmus_counts *counts;
};

static size_t most_states(const struct stride *s)
{
	if (s->impl && (s->impl->can & WEFT_BLOCKS_THREAD))
		return STRIDE_OF_DESCRIPTORS;
	return STRIDE;
}

static int first_task(void *arg)
{
	const struct walk *walk = arg;
	struct stride *s = &stride;

	for (unsigned i = 0; i < s->test->actors; i++) {
		s->walker[i].stride = s;
		s->walker[i].number = i;
		s->walker[i].task = task_start("actor", walker, &s->walker[i]);
	}
	for (bool first = true; first || weft_now() < walk->until_ns;
	     first = false) {
		s->n = most_states(s);
		if (first && s->n > STRIDE_FIRST)
			s->n = STRIDE_FIRST;
		make_all(s);
		let_go(s);
		judge_all(s, walk->counts);
		vital_goes_on();
	}
	weft_store_release(&s->gate, GATE_END);
	for (unsigned i = 0; i < s->test->actors; i++)
		task_finish(s->walker[i].task);
	return 0;
}

/* --- in a process of its own --- */

struct job {
	const struct litmus *test;
	const struct weft_chan_impl *impl;
	uint64_t seed;
	int64_t ns;
	struct litmus_counts *counts; /* shared with the parent */
};

static int run(void *arg)
{
	const struct job *j = arg;
	struct weft_run_opts opts = { .seed = j->seed, .name = j->test->name };
	struct walk walk = { weft_deadline_in(j->ns), j->counts };

	weft_check_seed(j->seed);
	plugin_seed(j->seed);
	stride = (struct stride){ .test = j->test, .impl = j->impl };
	NEED_MEMORY(stride.state = aligned_alloc(
	                    WEFT_CACHE_LINE, STRIDE * sizeof(*stride.state)));
	MUST(weft_run(WEFT_THREADS, &opts, first_task, &walk), 0);
	free(stride.state);
	return 0;
}

int litmus_run(const struct litmus *t, const struct weft_chan_impl *impl,
               uint64_t seed, int64_t ns, int64_t limit_ns,
               struct litmus_counts *counts, struct child *child)
{
	struct job job = { t, impl, seed, ns, NULL };
	void *shared = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err;

	if (shared == MAP_FAILED)
		return -ENOMEM;
	job.counts = shared;
	err = child_run(run, &job, limit_ns, NULL, child);
	*counts = *job.counts;
	munmap(shared, sizeof(*counts));
	return err;
}

/* --- what it says --- */

bool litmus_was_forbidden(const struct litmus *t,
                          const struct litmus_counts *counts)
{
	const struct litmus_outcome *o = t->outcome;

	for (unsigned i = 0; i < LITMUS_OUTCOMES && o[i].what; i++)
		if (o[i].expect == LITMUS_FORBID && counts->seen[i])
			return true;
	return counts->unlisted > 0;
}

unsigned litmus_unseen(const struct litmus *t,
                       const struct litmus_counts *counts)
{
	const struct litmus_outcome *o = t->outcome;
	unsigned n = 0;

	for (unsigned i = 0; i < LITMUS_OUTCOMES && o[i].what; i++)
		n += o[i].expect == LITMUS_REQUIRED && !counts->seen[i];
	return n;
}

/* --- which there are --- */

const struct litmus *litmus_at(size_t i)
{
	static const struct litmus *const tables[] = { litmus_chan, litmus_rest,
		                                       NULL };

	for (size_t t = 0; tables[t]; t++)
		for (const struct litmus *l = tables[t]; l->name; l++)
			if (i-- == 0)
				return l;
	return NULL;
}

static bool is_within(unsigned max, unsigned needs)
{
	return max == 0 || needs <= max;
}

bool litmus_applies(const struct litmus *t, const struct weft_chan_impl *impl,
                    const char **why)
{
	uint64_t order = WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO;
	uint64_t declared = t->needs & (NEEDS_DATA - 1);

	*why = NULL;
	if (impl->can & WEFT_NO_DATA)
		*why = "moves no elements";
	else if (impl->max_elem && impl->max_elem < 4)
		*why = "takes no elements of 4 bytes or more";
	else if (declared & ~impl->can)
		*why = "does not declare what it is about";
	else if ((t->needs & NEEDS_ORDER) && !(impl->can & order))
		*why = "keeps no order";
	else if ((t->needs & WEFT_CAN_SELECT) &&
	         !impl_selects(impl, t->cap, size_for(impl, t->cap)))
		*why = "cannot stand in a select at that capacity";
	else if (weft_chan_impl_accepts(impl, t->cap, size_for(impl, t->cap),
	                                NULL, 0))
		*why = "does not take that capacity";
	else if (!is_within(impl->max_senders, t->senders) ||
	         !is_within(impl->max_receivers, t->receivers))
		*why = "does not take so many senders or receivers";
	return !*why;
}
