/* Tests of a beat and its watch. */
#include "common/beat.h"

#include "testing/testing.h"

#define LIMIT (5 * WEFT_MS)

static bool overdue(const struct beat_watch *w, int64_t now_ns)
{
	return beat_silence(w, now_ns) > LIMIT;
}

TEST_OUTSIDE(nothing_is_silent_before_its_first_beat)
{
	struct beat b = { 0 };
	struct beat_watch w = { 0 };

	CHECK_EQ(beat_look(&w, beat_count(&b), WEFT_SEC), 0u);
	CHECK_EQ(beat_silence(&w, WEFT_FOREVER), 0);
}

TEST_OUTSIDE(silence_may_count_from_a_time_without_a_beat)
{
	struct beat_watch w = { 0 };

	beat_watch_from(&w, WEFT_SEC);
	CHECK(!overdue(&w, WEFT_SEC + LIMIT));
	CHECK(overdue(&w, WEFT_SEC + LIMIT + 1));
}

TEST_OUTSIDE(silence_counts_from_the_look_that_saw_the_last_beat)
{
	struct beat b = { 0 };
	struct beat_watch w = { 0 };

	for (int i = 0; i < 3; i++)
		beat(&b);
	CHECK_EQ(beat_look(&w, beat_count(&b), WEFT_SEC), 3u);
	CHECK_EQ(beat_look(&w, beat_count(&b), WEFT_SEC + LIMIT), 0u);
	CHECK_EQ(beat_silence(&w, WEFT_SEC + LIMIT), LIMIT);
	CHECK(!overdue(&w, WEFT_SEC + LIMIT));
	CHECK(overdue(&w, WEFT_SEC + LIMIT + 1));
	beat(&b);
	CHECK_EQ(beat_look(&w, beat_count(&b), WEFT_SEC + LIMIT + 2), 1u);
	CHECK_EQ(beat_silence(&w, WEFT_SEC + LIMIT + 2), 0);
}

TEST_OUTSIDE(the_count_may_wrap)
{
	struct beat_watch w = { .seen = UINT64_MAX, .since_ns = 1 };

	CHECK_EQ(beat_look(&w, 1, 2), 2u);
	CHECK_EQ(w.since_ns, 2);
}
