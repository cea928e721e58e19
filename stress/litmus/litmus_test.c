/*
 * Tests of the litmus tests: each planted fault shows as an outcome that is
 * forbidden, and an honest channel shows none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "stress/conform/faulty.h"
#include "stress/litmus/litmus.h"
#include "stress/random/random.h"

static const struct {
	enum fault fault;
	const struct weft_chan_impl *impl;
	const char *test; /* that shows it */
} planted[] = {
	{ SENDS_INTO_THE_VOID, &faulty_pairing, "send_against_close" },
	{ CLOSE_LOSES_CLAIMED, &faulty_pairing, "send_against_close" },
	{ CLOSES_TWICE, &faulty_pairing, "two_closes" },
	{ CLOSED_HIDES_ELEMENTS, &faulty_pairing, "recv_against_close" },
	{ CLOSED_HIDES_ELEMENTS, &faulty_pairing, "try_recv_against_close" },
	{ BUSY_IS_EMPTY, &faulty_pairing, "two_receivers_two_elements" },
	{ TAKES_ONE_MORE, &faulty_pairing, "two_senders_one_slot" },
	{ LEN_IS_ONE_MORE, &faulty_pairing, "len_is_within_bounds" },
	{ DELIVERS_AFTER_TIMEOUT, &faulty_pairing,
	  "send_timeout_against_recv" },
	{ RENDEZVOUS_BUFFERS, &faulty_pairing, "timeouts_at_a_meeting" },
	{ BATCH_SAYS_ONE_MORE, &faulty_pairing, "batch_against_close" },
};

static const struct litmus *named(const char *name)
{
	const struct litmus *t;

	for (size_t i = 0; (t = litmus_at(i)); i++)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

/* Some show only if two tasks meet in the right moment, which on a busy machine
 * they may not: what is not seen is tried for longer. */
#define TRIES 2000

static bool is_seen(const struct litmus *t, const struct weft_chan_impl *impl)
{
	struct litmus_counts counts = { 0 };
	struct child child;
	uint64_t try = 0, samples = 0;
	bool seen = false;

	for (; try < TRIES && !seen; try++) {
		assert_int_equal(litmus_run(t, impl, 1 + try, 20 * WEFT_MS,
		                            CONFORM_TIME_LIMIT, &counts,
		                            &child),
		                 0);
		seen = litmus_was_forbidden(t, &counts);
		samples += counts.samples;
		child_free(&child);
	}
	printf("fault %d on %s: %s: %s after %u samples\n", fault, impl->name,
	       t->name, seen ? "seen" : "not seen", (unsigned)samples);
	return seen;
}

static void planted_faults_are_seen(void **state)
{
	unsigned missed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(planted) / sizeof(*planted); i++) {
		const struct litmus *t = named(planted[i].test);

		assert_non_null(t);
		fault = planted[i].fault;
		missed += !is_seen(t, planted[i].impl);
	}
	fault = NO_FAULT;
	assert_int_equal(missed, 0);
}

static void honest_channels_show_nothing_that_is_forbidden(void **state)
{
	static const struct weft_chan_impl *const honest[] = {
		&faulty_pairing, &faulty_notifying, &faulty_chaining
	};
	const struct litmus *t;
	const char *why;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; (t = litmus_at(k)); k++) {
			struct litmus_counts counts;
			struct child child;

			if (!t->chans || !litmus_applies(t, honest[i], &why))
				continue;
			assert_int_equal(litmus_run(t, honest[i], 1, 0,
			                            CONFORM_TIME_LIMIT, &counts,
			                            &child),
			                 0);
			if (litmus_was_forbidden(t, &counts))
				printf("%s on %s\n", t->name, honest[i]->name);
			assert_false(litmus_was_forbidden(t, &counts));
			assert_true(counts.samples > 0);
			child_free(&child);
		}
}

static void names_and_outcomes_are_unique(void **state)
{
	const struct litmus *t;
	size_t n = 0;

	(void)state;
	for (; (t = litmus_at(n)); n++) {
		const struct litmus_outcome *o = t->outcome;

		assert_ptr_equal(named(t->name), t);
		for (unsigned i = 0; i < LITMUS_OUTCOMES && o[i].what; i++)
			for (unsigned k = 0; k < i; k++)
				assert_int_not_equal(o[i].code, o[k].code);
	}
	assert_true(n >= 20);
}

static int command(int n, const char **words)
{
	char *argv[8] = { (char *)(uintptr_t) "stress",
		          (char *)(uintptr_t) "litmus" };

	for (int i = 0; i < n; i++)
		argv[i + 2] = (char *)(uintptr_t)words[i];
	return stress_main(n + 2, argv);
}

#define COMMAND(...)                                                           \
	command(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *),      \
	        (const char *[]){ __VA_ARGS__ })

static void the_command_says_what_is_wrong(void **state)
{
	(void)state;
	assert_int_equal(COMMAND("--name=nosuch"), 2);
	assert_int_equal(COMMAND("--chan=nosuch"), 2);
	assert_int_equal(COMMAND("--chan=ring", "--name=two_selects_meet"), 2);
	assert_int_equal(COMMAND("--seconds=-1"), 2);
	assert_int_equal(COMMAND("--frobnicate"), 2);
	assert_int_equal(COMMAND("--chan=ring", "--name=two_closes",
	                         "--seconds=0.1", "--seed=1"),
	                 0);
}

/* Every test, on every channel that it applies to, for a moment. */
static void ours_show_nothing_that_is_forbidden(void **state)
{
	(void)state;
	assert_int_equal(COMMAND("--all", "--seconds=0.5"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_outcomes_are_unique),
		cmocka_unit_test(planted_faults_are_seen),
		cmocka_unit_test(
		        honest_channels_show_nothing_that_is_forbidden),
		cmocka_unit_test(the_command_says_what_is_wrong),
		cmocka_unit_test(ours_show_nothing_that_is_forbidden),
	};

	return cmocka_run_group_tests_name("litmus", tests, NULL, NULL);
}
