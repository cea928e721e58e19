/* Tests of a beat and its watch. */
#include "common/beat.h"

#include "testing/testing.h"

#define LIMIT (5 * WEFT_MS)

TEST_MANUAL(nothing_is_silent_before_its_first_beat)
{
	struct beat b = { 0 };
	struct beat_watch w = { 0 };

	CHECK_EQ(beat_look(&w, &b), 0u);
	CHECK_EQ(beat_silence(&w, WEFT_FOREVER), 0);
	return 0;
}

TEST_MANUAL(silence_may_count_from_a_time_without_a_beat)
{
	struct beat b = { 0 };
	struct beat_watch w = { 0 };

	beat_watch_from(&w, weft_now());
	testing_pass(LIMIT);
	CHECK_EQ(beat_look(&w, &b), 0u);
	CHECK_EQ(beat_silence(&w, weft_now()), LIMIT);
	return 0;
}

TEST_MANUAL(silence_counts_from_the_look_that_saw_the_last_beat)
{
	struct beat b = { 0 };
	struct beat_watch w = { 0 };

	for (int i = 0; i < 3; i++)
		beat(&b);
	testing_pass(LIMIT);
	CHECK_EQ(beat_look(&w, &b), 3u);
	testing_pass(LIMIT);
	CHECK_EQ(beat_look(&w, &b), 0u);
	CHECK_EQ(beat_silence(&w, weft_now()), LIMIT);
	beat(&b);
	CHECK_EQ(beat_look(&w, &b), 1u);
	CHECK_EQ(beat_silence(&w, weft_now()), 0);
	return 0;
}

TEST_MANUAL(the_count_may_wrap)
{
	struct beat b = { 0 };
	struct beat_watch w = { .seen = UINT64_MAX, .since_ns = 1 };

	beat(&b);
	testing_pass(LIMIT);
	CHECK_EQ(beat_look(&w, &b), 2u);
	CHECK_EQ(w.since_ns, weft_now());
	return 0;
}
