#include "bench/fake.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "base/check.h"
#include "bench/runner.h"
#include "cli/text.h"

struct seen seen;

static const struct knob knobs[] = {
	[KNOB_DRIVERS] = { .name = "drivers", .def = 2, .min = 1, .max = 64 },
	[KNOB_ITEMS] = { .name = "items", .max = 1 << 20 },
	[KNOB_FAULT] = { .name = "fault", .max = 100 },
	[KNOB_CAP] = { .name = "cap", .def = 1, .max = 1 << 20 },
	{ .name = NULL },
};

static _Atomic unsigned worked;

static unsigned fault_of(const struct cell *cell)
{
	return (unsigned)cell->params.value[KNOB_FAULT];
}

/* One that has a deadline may yet come to an end: it is for the clock. */
static void hang(void)
{
	for (;;)
		weft_sleep_until(weft_deadline_in(10 * WEFT_MS));
}

static void hang_asleep(void)
{
	for (;;)
		weft_park(WEFT_FOREVER);
}

static int fake_accept(const struct params *p, struct text *why)
{
	if (p->value[KNOB_CAP] != 13)
		return 0;
	text_add(why, "cap=13: allowed are all others");
	return -EINVAL;
}

static void fake_shape(const struct params *p, struct cell_shape *out)
{
	out->drivers = out->consumers = out->senders =
	        (unsigned)p->value[KNOB_DRIVERS];
	out->elem_size = 8;
}

static int fake_setup(struct cell *cell)
{
	seen.setups++;
	seen.timed += cell->latency != NULL;
	seen.last_items = cell->items;
	seen.last_pace_ns = cell->pace_ns;
	seen.last_has_due = cell->due != NULL;
	weft_store_relaxed(&worked, 0u);
	if (fault_of(cell) == SETUP_ENOMEM)
		return -ENOMEM;
	if (fault_of(cell) == SETUP_EINVAL)
		return -EINVAL;
	if (fault_of(cell) == SETUP_HANGS)
		hang();
	return 0;
}

/* At least a microsecond for each item, and the second driver does twice as
 * much of them as the others. */
static void fake_work(struct cell *cell, unsigned driver)
{
	int64_t until = cell->t0 + (int64_t)cell->items * WEFT_US;

	if (fault_of(cell) == FASTER_THAN_THE_CLOCK)
		until = cell->t0;
	if (fault_of(cell) == WORK_STOPS) {
		if (driver == 0)
			raise(SIGSTOP);
		until = weft_now() + 300 * WEFT_MS;
	}
	if (fault_of(cell) == LATE_WHEN_TIMED && cell->pace_ns)
		until += (int64_t)(1.5 * (double)cell->items * cell->pace_ns) +
		         5 * WEFT_MS;
	if (fault_of(cell) == SLOW_WHEN_TIMED && cell->pace_ns)
		until = cell->t0 +
		        (int64_t)(1.05 * (double)cell->items * cell->pace_ns);
	if (cell->t0 == 0 || weft_now() < cell->t0)
		seen.early = true;
	if (fault_of(cell) == WORK_CRASHES)
		abort();
	if (fault_of(cell) == WORK_HANGS && driver == 0)
		hang();
	if (fault_of(cell) == WORK_FALLS_ASLEEP && driver == 0)
		hang_asleep();
	if (fault_of(cell) == WORK_PARKS)
		weft_sleep_until(weft_deadline_in(WEFT_MS));
	while (weft_now() < until)
		weft_yield();
	cell->share[driver] = driver == 1 ? 2 : 1;
	if (cell->latency)
		hist_record(&cell->latency[driver], 1000 * (driver + 1));
	weft_fetch_add_relaxed(&worked, 1u);
}

static void fake_stop(struct cell *cell)
{
	seen.stops++;
	seen.unstarted |= weft_load_relaxed(&worked) != cell->shape.drivers;
	if (fault_of(cell) == STOP_HANGS)
		hang();
	if (fault_of(cell) == STOP_FALLS_ASLEEP)
		hang_asleep();
}

static void fake_halt(struct cell *cell)
{
	(void)cell;
}

static void fake_verify(struct cell *cell, struct text *why)
{
	seen.verifies++;
	cell_figure(cell, "verifies", "times", "so far", seen.verifies);
	cell_figure(cell, "half", "", "", 0.5);
	if (fault_of(cell) == VERIFY_FAILS ||
	    (fault_of(cell) == LATENCY_VERIFY_FAILS && cell->pace_ns))
		text_add(why, "lost 3 of %llu items",
		         (unsigned long long)cell->items);
}

static void fake_teardown(struct cell *cell)
{
	(void)cell;
	seen.teardowns++;
}

const struct pattern fake = {
	.name = "fake",
	.knobs = knobs,
	.accept = fake_accept,
	.shape = fake_shape,
	.setup = fake_setup,
	.work = fake_work,
	.halt = fake_halt,
	.stop = fake_stop,
	.verify = fake_verify,
	.teardown = fake_teardown,
};

struct plan plan_for(enum fault fault)
{
	struct plan plan;

	memset(&seen, 0, sizeof(seen));
	plan_init(&plan, &fake, weft_chan_impl_find("handoff"));
	plan.params.value[KNOB_ITEMS] = 100;
	plan.params.value[KNOB_FAULT] = fault;
	plan.reps = 3;
	plan.latency = false;
	return plan;
}

static void no_hang(const struct result *out, void *arg)
{
	(void)arg;
	CHECK(out->verdict == VERDICT_VERIFIED);
}

struct result *measure(const struct plan *plan)
{
	static struct result out;

	runner_measure(plan, &out, no_hang, NULL);
	return &out;
}
