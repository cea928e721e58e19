/*
 * How long the runner lets a run take before it counts as hung. No run really
 * takes place: the trials are played.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/runner.h"
#include "bench/trial.h"

/* --- the machine that is played --- */

static struct {
	double ns_per_message;
	unsigned trials, too_short; /* what the watchdog would have ended */
	int64_t most, least;        /* limits seen */
} played;

void __wrap_trial_run(struct trial *t);

void __wrap_trial_run(struct trial *t)
{
	double ns = (double)t->items * (played.ns_per_message + t->pace_ns);

	played.trials++;
	played.too_short += ns >= (double)t->limit_ns;
	if (t->limit_ns > played.most)
		played.most = t->limit_ns;
	if (!played.least || t->limit_ns < played.least)
		played.least = t->limit_ns;
	t->verdict = VERDICT_VERIFIED;
	t->sample = (struct sample){ .ns = (int64_t)ns, .messages = t->items };
}

/* --- the pattern --- */

enum { KNOB_ITEMS, KNOB_WORK };

static const struct knob knobs[] = {
	[KNOB_ITEMS] = { .name = "items", .max = 1 << 30 },
	[KNOB_WORK] = { .name = "work", .max = 1000000000 },
	{ .name = NULL },
};

static void two_drivers(const struct params *p, struct cell_shape *out)
{
	(void)p;
	*out = (struct cell_shape){ .drivers = 2,
		                    .consumers = 2,
		                    .cap = 1,
		                    .elem_size = 8,
		                    .senders = 1,
		                    .receivers = 1 };
}

/* Nothing but for the second item and those behind it. */
static double wait_ns;

static double waits(const struct params *p, uint64_t items)
{
	(void)p;
	return (double)(items - 1) * wait_ns;
}

static const struct pattern fake = {
	.name = "fake",
	.knobs = knobs,
	.shape = two_drivers,
	.least_ns = waits,
};

static void never(const struct result *out, void *arg)
{
	(void)out;
	(void)arg;
	abort();
}

static struct plan plan_of(double ns_per_message)
{
	struct plan plan;

	memset(&played, 0, sizeof(played));
	wait_ns = 0;
	played.ns_per_message = ns_per_message;
	plan_init(&plan, &fake, weft_chan_impl_find("handoff"));
	plan.reps = 1;
	return plan;
}

static void all_had_time_enough(const struct plan *plan)
{
	static struct result out;

	runner_measure(plan, &out, never, NULL);
	assert_int_equal(out.verdict, VERDICT_VERIFIED);
	assert_true(played.trials > 0);
	assert_int_equal(played.too_short, 0);
}

/* --- what is asked for takes its time --- */

static void half_a_minute_is_left_to_a_short_run(void **state)
{
	struct plan plan = plan_of(100);

	(void)state;
	all_had_time_enough(&plan);
	assert_true(played.least >= 30 * WEFT_SEC);
	/* A user that waits for a hang should not wait for ever. */
	assert_true(played.most <= 35 * WEFT_SEC);
}

static void a_minute_takes_more_than_half_a_minute(void **state)
{
	struct plan plan = plan_of(30000);

	(void)state;
	plan.time_ns = 60 * WEFT_SEC;
	all_had_time_enough(&plan);
}

static void work_takes_its_time(void **state)
{
	struct plan plan = plan_of(1e9);

	(void)state;
	plan.params.value[KNOB_WORK] = 1000000000;
	all_had_time_enough(&plan);
}

static void many_messages_take_their_time(void **state)
{
	struct plan plan = plan_of(40000);

	(void)state;
	plan.params.value[KNOB_ITEMS] = 10000000;
	all_had_time_enough(&plan);
}

static void a_chain(const struct params *p, struct cell_shape *out)
{
	two_drivers(p, out);
	out->helpers = 10000;
}

static void many_tasks_on_its_way_take_their_time(void **state)
{
	static const struct pattern chain = { .name = "chain",
		                              .knobs = knobs,
		                              .shape = a_chain };
	struct plan plan = plan_of(10000 * 10e3);

	(void)state;
	plan.pattern = plan.params.pattern = &chain;
	plan.params.value[KNOB_ITEMS] = 2000;
	all_had_time_enough(&plan);
}

static void messages_that_come_slowly_take_their_time(void **state)
{
	struct plan plan = plan_of(1e6);

	(void)state;
	plan.utilization = 1;
	all_had_time_enough(&plan);
	plan = plan_of(1e6);
	plan.utilization = 1;
	plan.arrivals = ARRIVALS_POISSON;
	all_had_time_enough(&plan);
}

static void what_is_known_of_messages_counts(void **state)
{
	struct plan plan = plan_of(100);

	(void)state;
	plan.params.value[KNOB_ITEMS] = 30000000;
	plan.ns_per_message = 100;
	all_had_time_enough(&plan);
	assert_true(played.most <= 60 * WEFT_SEC);
}

static void messages_that_wait_take_their_time(void **state)
{
	struct plan plan = plan_of(10e6);

	(void)state;
	plan.params.value[KNOB_ITEMS] = 10000;
	wait_ns = 10e6;
	all_had_time_enough(&plan);
}

static void messages_that_wait_for_long_are_few(void **state)
{
	static struct result out;
	struct plan plan = plan_of(10e6);

	(void)state;
	wait_ns = 10e6;
	runner_measure(&plan, &out, never, NULL);
	assert_in_range(out.items, 2,
	                1 + PLAN_LEAST_FACTOR * PLAN_TIME / (10 * WEFT_MS));
	plan = plan_of(10e9);
	wait_ns = 10e9;
	runner_measure(&plan, &out, never, NULL);
	assert_int_equal(out.items, 1);
	plan = plan_of(100);
	wait_ns = 10;
	runner_measure(&plan, &out, never, NULL);
	assert_true(out.items >= PLAN_ITEMS_MIN);
}

static void messages_that_compute_for_long_are_few(void **state)
{
	static struct result out;
	struct plan plan = plan_of(10e6);

	(void)state;
	plan.params.value[KNOB_WORK] = 10 * WEFT_MS;
	runner_measure(&plan, &out, never, NULL);
	assert_in_range(out.items, 2,
	                PLAN_WORK_FACTOR * PLAN_TIME / (10 * WEFT_MS) *
	                        out.cpus);
	plan = plan_of(1e9);
	plan.params.value[KNOB_WORK] = WEFT_SEC;
	runner_measure(&plan, &out, never, NULL);
	assert_in_range(out.items, 1, out.cpus);
	plan = plan_of(100e3);
	plan.params.value[KNOB_WORK] = 100 * WEFT_US;
	runner_measure(&plan, &out, never, NULL);
	assert_true(out.items >= PLAN_ITEMS_MIN);
}

static void a_limit_that_is_given_is_kept(void **state)
{
	struct plan plan = plan_of(100);

	(void)state;
	plan.timeout_ns = 7 * WEFT_SEC;
	all_had_time_enough(&plan);
	assert_true(played.least == 7 * WEFT_SEC);
	assert_true(played.most == 7 * WEFT_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_a_minute_is_left_to_a_short_run),
		cmocka_unit_test(a_minute_takes_more_than_half_a_minute),
		cmocka_unit_test(work_takes_its_time),
		cmocka_unit_test(many_messages_take_their_time),
		cmocka_unit_test(many_tasks_on_its_way_take_their_time),
		cmocka_unit_test(messages_that_come_slowly_take_their_time),
		cmocka_unit_test(what_is_known_of_messages_counts),
		cmocka_unit_test(messages_that_wait_take_their_time),
		cmocka_unit_test(messages_that_wait_for_long_are_few),
		cmocka_unit_test(messages_that_compute_for_long_are_few),
		cmocka_unit_test(a_limit_that_is_given_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
