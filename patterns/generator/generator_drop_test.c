/* Tests of the generator: what becomes of elements that nobody gets. */
#include "test_bodies.h"

/* Take some; then nothing may be left of those that nobody took. */
static void expect_dropped(struct weft_gen *g, struct owned *o, int taken)
{
	for (int i = 0; i < taken; i++)
		next_owned(g, o);
	CHECK_EQ(weft_clock_settle(), 0);
	weft_gen_free(g);
	CHECK_EQ(weft_load_relaxed(&o->alive), 0);
}

TEST_MANUAL(what_a_stop_leaves_inside_is_dropped_once)
{
	struct owned o = { .n = -1 };

	for (int taken = 0; taken < 6; taken += 5)
		for (size_t cap = 0; cap < 9; cap += 4)
			for (size_t batch = 1; batch < 5; batch += 3)
				for (int form = 0; form < 4; form++) {
					struct weft_gen_opts opts = {
						.cap = cap,
						.batch = batch,
						.on_demand = form & 1
					};

					expect_dropped(
					        new_owned(
					                &o,
					                form & 2 ? owned_batches
					                         : owned_body,
					                opts),
					        &o, taken);
				}
	return 0;
}

TEST_MANUAL(what_a_filter_turns_away_is_dropped)
{
	struct owned o = { .n = -1 };
	struct weft_gen *g =
	        new_owned(&o, owned_body, (struct weft_gen_opts){ .cap = 2 });

	g = filter(g, owned_is_third, NULL);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(next_owned(g, &o), 3 * i);
	expect_dropped(take(g, 9), &o, 2);
	return 0;
}

TEST_MANUAL(what_finds_no_partner_is_dropped)
{
	struct owned a = { .n = -1 }, b = { .n = 2 };
	struct weft_gen_opts opts = { .on_demand = true };
	struct weft_gen *in[2], *g;
	int *p[2];

	in[0] = new_owned(&a, owned_body, opts);
	in[1] = new_owned(&b, owned_body, opts);
	CHECK_EQ(weft_gen_zip(&g, in, 2), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(weft_gen_next(g, p, WEFT_FOREVER), 0);
		owned_drop(&p[0], &a);
		owned_drop(&p[1], &b);
	}
	CHECK_EQ(weft_gen_next(g, p, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_load_relaxed(&a.alive), 1);
	weft_gen_free(g);
	CHECK_EQ(weft_load_relaxed(&a.alive), 0);
	CHECK_EQ(weft_load_relaxed(&b.alive), 0);
	return 0;
}

static int turn_all_away(const void *elem, void *arg)
{
	(void)elem;
	return --*(int *)arg > 0 ? 0 : -EPIPE;
}

TEST_MANUAL(pairs_that_nobody_gets_are_dropped_part_by_part)
{
	struct owned a = { .n = -1 }, b = { .n = -1 };
	struct weft_gen_opts opts = { .cap = 1 };
	struct weft_gen *in[2], *g;
	int calls = 5, *p[2];

	in[0] = new_owned(&a, owned_body, opts);
	in[1] = new_owned(&b, owned_body, opts);
	CHECK_EQ(weft_gen_zip(&g, in, 2), 0);
	CHECK_EQ(weft_gen_ahead(&g, g, &opts), 0);
	CHECK_EQ(weft_gen_filter(&g, g, turn_all_away, &calls), 0);
	CHECK_EQ(weft_gen_next(g, p, WEFT_FOREVER), -EPIPE);
	weft_gen_free(g);
	CHECK_EQ(weft_load_relaxed(&a.alive), 0);
	CHECK_EQ(weft_load_relaxed(&b.alive), 0);
	return 0;
}

static int owned_call(void *elem, void *arg)
{
	int *p = owned_new(arg, 0);

	memcpy(elem, &p, sizeof(p));
	return 0;
}

TEST_MANUAL(what_a_function_made_is_dropped_as_was_said)
{
	struct owned o = { .n = -1 };
	struct weft_gen_opts opts = { .cap = 3 };
	struct weft_gen *g;

	CHECK_EQ(weft_gen_repeat_fn(&g, sizeof(int *), owned_call, &o), 0);
	CHECK_EQ(weft_gen_set_drop(g, owned_drop, &o), 0);
	CHECK_EQ(weft_gen_ahead(&g, take(g, 100), &opts), 0);
	expect_dropped(g, &o, 10);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_stop_leaves_inside_is_dropped_once),
		cmocka_unit_test(what_a_filter_turns_away_is_dropped),
		cmocka_unit_test(what_finds_no_partner_is_dropped),
		cmocka_unit_test(
		        pairs_that_nobody_gets_are_dropped_part_by_part),
		cmocka_unit_test(what_a_function_made_is_dropped_as_was_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
