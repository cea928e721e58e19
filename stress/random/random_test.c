/*
 * Tests of the random stress: it finds planted faults of many kinds within
 * seconds, and nothing on an honest channel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <weft/time.h>

#include "stress/conform/faulty.h"
#include "stress/random/random.h"

#define LIMIT (2 * WEFT_SEC)

/*
 * What a planted fault may take to be found. A stretch ends with the first
 * failure, within a second or two: the rest is for a sanitizer on a loaded
 * machine, where the rarest of them has taken a thousand episodes.
 */
#define PATIENCE (40 * WEFT_SEC)

static const struct {
	enum fault fault;
	const struct weft_chan_impl *impl;
} planted[] = {
	{ LOSES_ONE_IN_50, &faulty_pairing },
	{ DOUBLES_ONE_IN_50, &faulty_pairing },
	{ SWAPS_ONE_IN_20, &faulty_pairing },
	{ COPIES_8_BYTES, &faulty_pairing },
	{ LEN_IS_ONE_MORE, &faulty_pairing },
	{ CLOSED_HIDES_ELEMENTS, &faulty_pairing },
	{ SENDS_INTO_THE_VOID, &faulty_pairing },
	{ CLOSE_WAKES_ONE, &faulty_pairing },
	{ CLOSES_TWICE, &faulty_pairing },
	{ NEVER_WAKES, &faulty_pairing },
	{ SWALLOWS_WAKE_UPS, &faulty_notifying },
	{ GIVES_UP_EARLY, &faulty_pairing },
	{ DELIVERS_AFTER_TIMEOUT, &faulty_pairing },
	{ TIMES_OUT_AND_TAKES, &faulty_pairing },
	{ BATCH_SAYS_ONE_MORE, &faulty_pairing },
	{ BATCH_SAYS_ONE_LESS, &faulty_pairing },
	{ BATCH_IN_REVERSE, &faulty_pairing },
};

#define PLANTED (sizeof(planted) / sizeof(*planted))

static void planted_faults_are_found(void **state)
{
	unsigned missed = 0;

	(void)state;
	for (size_t i = 0; i < PLANTED; i++) {
		struct stretch s;

		fault = planted[i].fault;
		assert_int_equal(stretch_run(&subject_chan, planted[i].impl, 1,
		                             false, PATIENCE, LIMIT, NULL, NULL,
		                             &s),
		                 0);
		printf("fault %d on %s: %s after %u episodes: %s\n", fault,
		       planted[i].impl->name, conform_verdict_name(s.verdict),
		       (unsigned)s.episodes, s.why);
		/* A lost element may show as a wait for it. */
		missed +=
		        s.verdict != CONFORM_FAIL && s.verdict != CONFORM_HUNG;
		stretch_free(&s);
	}
	fault = NO_FAULT;
	assert_int_equal(missed, 0);
}

static void honest_channels_pass(void **state)
{
	static const struct weft_chan_impl *const honest[] = {
		&faulty_pairing, &faulty_notifying, &faulty_chaining
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct stretch s;

		assert_int_equal(stretch_run(&subject_chan, honest[i], 1, false,
		                             WEFT_SEC, 20 * WEFT_SEC, NULL,
		                             NULL, &s),
		                 0);
		if (s.verdict != CONFORM_PASS)
			printf("%s, seed %u: %s\n%s", honest[i]->name,
			       (unsigned)s.seed, s.why, s.log);
		assert_int_equal(s.verdict, CONFORM_PASS);
		assert_true(s.episodes > 0 && s.items > 0);
		stretch_free(&s);
	}
}

static void a_seed_names_an_episode(void **state)
{
	struct stretch first, again;

	(void)state;
	fault = LOSES_ONE_IN_50;
	assert_int_equal(stretch_run(&subject_chan, &faulty_pairing, 7, false,
	                             10 * WEFT_SEC, LIMIT, NULL, NULL, &first),
	                 0);
	assert_int_equal(stretch_run(&subject_chan, &faulty_pairing, first.seed,
	                             true, 10 * WEFT_SEC, LIMIT, NULL, NULL,
	                             &again),
	                 0);
	fault = NO_FAULT;
	assert_int_equal(first.verdict, CONFORM_FAIL);
	assert_int_equal(again.verdict, CONFORM_FAIL);
	assert_int_equal(again.seed, first.seed);
	assert_string_equal(again.where, first.where);
	stretch_free(&first);
	stretch_free(&again);
}

static int command(int n, const char **words)
{
	char *argv[8] = { (char *)(uintptr_t) "stress" };

	for (int i = 0; i < n; i++)
		argv[i + 1] = (char *)(uintptr_t)words[i];
	return stress_main(n + 1, argv);
}

#define COMMAND(...)                                                           \
	command(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *),      \
	        (const char *[]){ __VA_ARGS__ })

static void the_command_says_what_is_wrong(void **state)
{
	(void)state;
	assert_int_equal(command(0, NULL), 2);
	assert_int_equal(COMMAND("chant"), 2);
	assert_int_equal(COMMAND("chan", "--chan=nosuch"), 2);
	assert_int_equal(COMMAND("chan", "--chan=null"), 2);
	assert_int_equal(COMMAND("chan", "--load=/nonexistent/x.so"), 2);
	assert_int_equal(COMMAND("chan", "--seconds=-1"), 2);
	assert_int_equal(COMMAND("chan", "--seed=0"), 2);
	assert_int_equal(COMMAND("chan", "--failures=0"), 2);
	assert_int_equal(COMMAND("chan", "--frobnicate"), 2);
	assert_int_equal(COMMAND("select", "--chan=pipe"), 2);
	assert_int_equal(COMMAND("select", "--seconds=-1"), 2);
	assert_int_equal(COMMAND("chan", "--chan=handoff", "--seconds=0.3"), 0);
	assert_int_equal(COMMAND("select", "--chan=ring", "--seconds=0.3"), 0);
	assert_int_equal(COMMAND("history", "--chan=pipe", "--seconds=0.3"), 0);
	assert_int_equal(COMMAND("history", "--chan=null"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(planted_faults_are_found),
		cmocka_unit_test(honest_channels_pass),
		cmocka_unit_test(a_seed_names_an_episode),
		cmocka_unit_test(the_command_says_what_is_wrong),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
