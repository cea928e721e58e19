/* Runs checks: which apply, over what, in a process each, and what it means. */
#include <errno.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/rng.h"
#include "cli/plugin.h"
#include "stress/conform/conform.h"
#include "stress/conform/manner.h"
#include "stress/conform/suite.h"
#include "stress/conform/underway.h"
#include "stress/conform/verdict.h"

/*
 * In this order: what a call does by itself, then whether waits end, and only
 * then traffic, where a wake-up that is lost shows too, as a hang that says
 * less.
 */
static const struct conform_check *const tables[] = {
	conform_basic,       conform_rendezvous,  conform_wake,
	conform_close,       conform_bytes,       conform_counters,
	conform_batch,       conform_time,        conform_window,
	conform_traffic,     conform_select,      conform_select_cases,
	conform_select_race, conform_select_load, conform_history,
	conform_misuse,      conform_memory,      conform_faults,
	conform_load,
};

#define TABLES (sizeof(tables) / sizeof(tables[0]))

const struct conform_check *conform_at(size_t i)
{
	for (size_t t = 0; t < TABLES; t++)
		for (const struct conform_check *c = tables[t]; c->name; c++)
			if (i-- == 0)
				return c;
	return NULL;
}

size_t conform_count(void)
{
	size_t n = 0;

	while (conform_at(n))
		n++;
	return n;
}

const char *conform_name(const struct conform_check *check)
{
	return check->name;
}

const char *conform_scenarios(const struct conform_check *check)
{
	return check->scenarios ? check->scenarios : "";
}

/* --- cells --- */

static const struct {
	unsigned bit;
	size_t cap;
} caps[] = {
	{ OVER_0, 0 }, { OVER_1, 1 },   { OVER_2, 2 },
	{ OVER_7, 7 }, { OVER_64, 64 }, { OVER_UNBOUNDED, 1 },
};

#define CAPS (sizeof(caps) / sizeof(*caps))

/* The first that an implementation takes is the one for checks that do not run
 * over sizes: 8 if possible, and room for a tag. */
static const size_t usual[] = { 8, 16, 64, 4, 4096, 2, 1, 0 };
static const size_t sizes[] = { 0, 1, 2, 4, 8, 16, 64, 4096 };

#define SIZES (sizeof(sizes) / sizeof(*sizes))

static bool accepts(const struct weft_chan_impl *impl, size_t cap, size_t elem)
{
	return weft_chan_impl_accepts(impl, cap, elem, NULL, 0) == 0;
}

/* Some capacity that impl takes, for questions about sizes. */
static size_t any_cap(const struct weft_chan_impl *impl)
{
	return impl->can & WEFT_CAN_RENDEZVOUS ? 0 : 1;
}

/* The usual size of elements; of one that takes none of those, its least. */
static size_t usual_size(const struct weft_chan_impl *impl)
{
	for (size_t i = 0; i < SIZES; i++)
		if (accepts(impl, any_cap(impl), usual[i]))
			return usual[i];
	return impl->min_elem;
}

static bool cap_applies(const struct conform_check *check,
                        const struct weft_chan_impl *impl, size_t i)
{
	bool unbounded = impl->can & WEFT_CAN_UNBOUNDED;

	if (check->over & OVER_OWN)
		return i == 0;
	if ((check->needs & WEFT_CAN_SELECT) &&
	    !impl_selects(impl, caps[i].cap, usual_size(impl)))
		return false;
	return (check->over & caps[i].bit) &&
	       unbounded == (caps[i].bit == OVER_UNBOUNDED) &&
	       accepts(impl, caps[i].cap, usual_size(impl));
}

static bool size_applies(const struct conform_check *check,
                         const struct weft_chan_impl *impl, size_t cap,
                         size_t elem)
{
	if (!accepts(impl, cap, elem))
		return false;
	if (check->over & OVER_SIZES)
		return true;
	return elem == usual_size(impl);
}

static bool wait_applies(const struct conform_check *check, enum weft_wait wait)
{
	switch (wait) {
	case WEFT_WAIT_ADAPTIVE:
		return true;
	case WEFT_WAIT_PARK:
		return check->over & (OVER_PARKING | OVER_POLICIES);
	case WEFT_WAIT_SPIN:
		return check->over & OVER_POLICIES;
	}
	return false;
}

struct job {
	const struct conform_check *check;
	const struct weft_chan_impl *impl;
	uint64_t seed;
	int64_t limit_ns; /* of each cell */
	unsigned percent;
	bool manual; /* a manual clock knows when the channel waits */
};

static void cell_make(struct cell *cell, const struct job *job, size_t cap,
                      size_t elem, enum weft_wait wait, enum driver by)
{
	uint64_t can = job->impl->can;

	*cell = (struct cell){
		.impl = job->impl,
		.cap = cap,
		.elem = elem,
		.wait = wait,
		.by = by,
		.manual = (job->check->over & OVER_MANUAL) && job->manual,
		.exact = can & WEFT_CAN_LEN,
		.unbounded = can & WEFT_CAN_UNBOUNDED,
		.ordered = can & (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO),
		.one_order = can & WEFT_CAN_FIFO,
		.timed = can & WEFT_CAN_TIMEOUT,
		.percent = job->percent,
	};
}

/* What each_cell() does with a cell. */
struct visitor {
	const struct job *job;
	void (*visit)(const struct visitor *v, struct cell *cell);
	unsigned *cells; /* counts them */
	unsigned of;     /* how many there will be */
};

/* Beside calls, selects: over as few variations as may tell them apart. */
static bool drives(const struct job *job, size_t cap, size_t elem,
                   enum weft_wait wait, enum driver by)
{
	enum weft_wait last = wait_applies(job->check, WEFT_WAIT_PARK)
	                              ? WEFT_WAIT_PARK
	                              : WEFT_WAIT_ADAPTIVE;

	if (by == BY_CALL)
		return true;
	return (job->check->over & OVER_DRIVERS) && wait == last && cap <= 2 &&
	       (by == BY_SELECT || elem == usual_size(job->impl)) &&
	       driver_applies(job->impl, cap, elem, by);
}

static void each_driver(const struct visitor *v, size_t cap, size_t elem,
                        enum weft_wait wait)
{
	struct cell cell;

	for (enum driver by = 0; by < DRIVERS; by++) {
		if (!drives(v->job, cap, elem, wait, by))
			continue;
		++*v->cells;
		if (!v->visit)
			continue;
		cell_make(&cell, v->job, cap, elem, wait, by);
		v->visit(v, &cell);
	}
}

static void each_wait(const struct visitor *v, size_t cap, size_t elem)
{
	for (enum weft_wait w = 0; w <= WEFT_WAIT_PARK; w++)
		if (wait_applies(v->job->check, w))
			each_driver(v, cap, elem, w);
}

static void each_size(const struct visitor *v, size_t cap)
{
	size_t odd = usual_size(v->job->impl);
	bool listed = false;

	for (size_t s = 0; s < SIZES; s++) {
		if (!size_applies(v->job->check, v->job->impl, cap, sizes[s]))
			continue;
		listed |= sizes[s] == odd;
		each_wait(v, cap, sizes[s]);
	}
	if (!listed)
		each_wait(v, cap, odd);
}

/* The capacity in the cell of a check that sees to capacities itself. */
static size_t own_cap(const struct job *job)
{
	const struct weft_chan_impl *impl = job->impl;
	size_t cap = any_cap(impl);

	if ((job->check->needs & WEFT_CAN_SELECT) &&
	    !impl_selects(impl, cap, usual_size(impl)))
		return 1;
	return cap;
}

/* Visit every cell of the job. Returns how many there are. */
static unsigned each_cell(const struct job *job,
                          void (*visit)(const struct visitor *v,
                                        struct cell *cell),
                          unsigned of)
{
	unsigned n = 0;
	struct visitor v = { job, visit, &n, of };

	for (size_t c = 0; c < CAPS; c++)
		if (cap_applies(job->check, job->impl, c))
			each_size(&v, job->check->over & OVER_OWN
			                      ? own_cap(job)
			                      : caps[c].cap);
	return n;
}

/* --- what does not apply --- */

WEFT_PRINTF(3, 4)
static bool because(char *why, size_t bytes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, bytes, format, args);
	va_end(args);
	return true;
}

static bool lacks_capability(const struct job *job, char *why, size_t bytes)
{
	uint64_t needs = job->check->needs, can = job->impl->can;
	const char *name = job->impl->name, *capability;

	if ((needs & NEEDS_DATA) && (can & WEFT_NO_DATA))
		return because(why, bytes, "%s moves no elements", name);
	for (uint64_t b = 1; (capability = weft_chan_can_name(b)); b <<= 1)
		if (needs & ~can & b)
			return because(why, bytes,
			               "needs %s, which %s does not declare",
			               capability, name);
	if ((needs & NEEDS_ORDER) &&
	    !(can & (WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO)))
		return because(why, bytes,
		               "needs fifo or producer_fifo, and %s declares "
		               "neither",
		               name);
	if ((needs & NEEDS_TAGS) && usual_size(job->impl) < 4)
		return because(why, bytes,
		               "needs elements of 4 bytes or more, which %s "
		               "does not take",
		               name);
	if ((needs & NEEDS_PLUGIN) && !plugin_is(job->impl))
		return because(why, bytes, "%s is built in", name);
	if ((needs & NEEDS_UNSAN) && allocator_is_sanitized())
		return because(why, bytes,
		               "needs the plain allocator; a sanitizer's is "
		               "here");
	return false;
}

static bool lacks_side(const char *side, unsigned needs, unsigned max,
                       const char *name, char *why, size_t bytes)
{
	if (max == 0 || needs <= max)
		return false;
	return because(why, bytes, "needs %u %s at once; %s takes %u", needs,
	               side, name, max);
}

/* Whether the job does not apply; then `why` says so. */
static bool lacks_something(const struct job *job, char *why, size_t bytes)
{
	const struct weft_chan_impl *impl = job->impl;

	return lacks_capability(job, why, bytes) ||
	       lacks_side("senders", job->check->senders, impl->max_senders,
	                  impl->name, why, bytes) ||
	       lacks_side("receivers", job->check->receivers,
	                  impl->max_receivers, impl->name, why, bytes) ||
	       (each_cell(job, NULL, 0) == 0 &&
	        because(why, bytes,
	                impl->can & WEFT_CAN_UNBOUNDED
	                        ? "is about channels that can be full; %s "
	                          "is unbounded"
	                        : "%s takes none of the capacities that it "
	                          "is about",
	                impl->name));
}

/* --- in the child --- */

static const char *wait_name(enum weft_wait wait)
{
	static const char *const names[] = { "adaptive", "spin", "park" };

	return names[wait];
}

static void say_where(const struct job *job, const struct cell *cell)
{
	const char *by = cell->by == BY_CALL ? "" : ", ";
	char cap[40] = "";

	if (cell->unbounded)
		snprintf(cap, sizeof(cap), "unbounded, ");
	else
		snprintf(cap, sizeof(cap), "capacity %zu, ", cell->cap);
	vital_where("%selements of %zu bytes, wait %s%s%s",
	            job->check->over & OVER_OWN ? "" : cap, cell->elem,
	            wait_name(cell->wait), by, driver_name(cell->by));
}

struct visit {
	const struct job *job;
	struct cell *cell;
};

static int first_task(void *arg)
{
	struct visit *v = arg;

	v->job->check->fn(v->cell);
	return 0;
}

static void run_cell(const struct visitor *v, struct cell *cell)
{
	const struct job *job = v->job;
	struct weft_run_opts opts = {
		.clock =
		        cell->manual ? WEFT_CLOCK_MANUAL : WEFT_CLOCK_MONOTONIC,
		.seed = job->seed,
		.name = job->check->name,
	};
	struct visit visit = { job, cell };

	cell->variants = v->of;
	say_where(job, cell);
	vital_goes_on();
	plugin_seed(job->seed);
	driver_begin(cell);
	MUST(weft_run(WEFT_THREADS, &opts, first_task, &visit), 0);
	driver_end();
}

static int run_cells(void *arg)
{
	const struct job *job = arg;

	weft_check_seed(job->seed);
	child_on_alarm = underway_print;
	each_cell(job, run_cell, each_cell(job, NULL, 0));
	return 0;
}

/* --- all of them --- */

struct conform {
	const struct conform_opts *opts;
	void (*begin)(const struct weft_chan_impl *impl,
	              const struct conform_check *check, void *arg);
	void (*result)(const struct conform_result *result, void *arg);
	void *arg;
	unsigned hung;     /* checks, so far */
	bool asked, parks; /* how it waits, once somebody wants to know */
};

/* Where many hang, waiting long for each tells nothing more. */
#define HUNG_MANY 3

static int64_t limit_of(const struct conform *cf)
{
	int64_t limit = cf->opts->time_limit_ns ? cf->opts->time_limit_ns
	                                        : CONFORM_TIME_LIMIT;

	return cf->hung < HUNG_MANY ? limit : limit / 10;
}

/* Whether the check may take the manual clock. */
static bool is_manual(struct conform *cf, const struct job *job)
{
	if (!(job->check->over & OVER_MANUAL) ||
	    (job->impl->can & WEFT_BLOCKS_THREAD))
		return false;
	if (!cf->asked)
		cf->parks = manner_is_to_park(job->impl);
	cf->asked = true;
	return cf->parks;
}

/* Returns 1 when it did not pass, or -errno. */
static int run_one(struct conform *cf, struct job *job)
{
	struct conform_result r = { .impl = job->impl, .check = job->check };
	struct child child = { .log = NULL };
	char why[400] = "";
	int err;

	r.where = r.note = r.log = "";
	r.why = why;
	if (lacks_something(job, why, sizeof(why))) {
		r.verdict = CONFORM_NA;
	} else {
		if (cf->begin)
			cf->begin(job->impl, job->check, cf->arg);
		job->manual = is_manual(cf, job);
		err = child_run(run_cells, job, job->limit_ns, NULL, &child);
		if (err)
			return err;
		r.verdict = verdict_of_child(&child, job->impl, job->limit_ns,
		                             why, sizeof(why));
		r.ns = child.ns;
		r.where = vital->where;
		r.note = vital->note;
		r.log = child.log;
	}
	cf->hung += r.verdict == CONFORM_HUNG;
	cf->result(&r, cf->arg);
	child_free(&child);
	return r.verdict != CONFORM_PASS && r.verdict != CONFORM_NA;
}

/* Each check has its own seed, the same whichever others run. */
static uint64_t seed_of(uint64_t seed, const char *name)
{
	for (; *name; name++) {
		seed ^= (unsigned char)*name;
		seed = rng_mix(&seed);
	}
	return seed;
}

static int run_all(struct conform *cf, const struct weft_chan_impl *impl,
                   const regex_t *only)
{
	const struct conform_check *check;
	uint64_t most = cf->opts->failures ? cf->opts->failures : UINT64_MAX;
	int64_t end = cf->opts->budget_ns
	                      ? weft_deadline_in(cf->opts->budget_ns)
	                      : WEFT_FOREVER;
	int failed = 0, n;

	for (size_t i = 0; (check = conform_at(i)); i++) {
		struct job job = { .check = check, .impl = impl };

		if ((uint64_t)failed >= most || weft_now() >= end)
			break;
		if (only && regexec(only, check->name, 0, NULL, 0) != 0)
			continue;
		job.seed = seed_of(cf->opts->seed ? cf->opts->seed : 1,
		                   check->name);
		job.percent = cf->opts->percent ? cf->opts->percent : 100;
		job.limit_ns = limit_of(cf);
		n = run_one(cf, &job);
		if (n < 0)
			return n;
		failed += n;
	}
	return failed;
}

int conform_run(const struct weft_chan_impl *impl,
                const struct conform_opts *opts,
                void (*begin)(const struct weft_chan_impl *impl,
                              const struct conform_check *check, void *arg),
                void (*result)(const struct conform_result *result, void *arg),
                void *arg)
{
	static const struct conform_opts defaults;
	struct conform cf = { .opts = opts ? opts : &defaults,
		              .begin = begin,
		              .result = result,
		              .arg = arg };
	regex_t only;
	int n;

	if (!impl || !result)
		return -EINVAL;
	if (!cf.opts->only)
		return run_all(&cf, impl, NULL);
	if (regcomp(&only, cf.opts->only, REG_EXTENDED | REG_NOSUB) != 0)
		return -EINVAL;
	n = run_all(&cf, impl, &only);
	regfree(&only);
	return n;
}
