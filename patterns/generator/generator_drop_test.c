/* Tests of the generator: what becomes of elements that nobody gets. */
#include <pthread.h>

#include "generator_testing.h"

static struct weft_gen *some_owned(struct owned *o)
{
	return new_owned(o, (struct weft_gen_opts){ .on_demand = true });
}

static struct weft_gen *dropping(struct weft_gen *g, struct owned *o)
{
	CHECK_EQ(weft_gen_set_drop(g, owned_drop, o), 0);
	return g;
}

static struct weft_gen *zipped(struct weft_gen *first, struct weft_gen *second)
{
	struct weft_gen *in[2] = { first, second }, *g;

	CHECK_EQ(weft_gen_zip(&g, in, 2), 0);
	return g;
}

/* Nothing may be left of what was not taken. Frees g. */
static void expect_none_left(struct weft_gen *g, const struct owned *o)
{
	weft_gen_free(g);
	CHECK_EQ(weft_load_relaxed(&o->alive), 0);
}

/* The same, after so many. */
static void expect_dropped(struct weft_gen *g, struct owned *o, int taken)
{
	for (int i = 0; i < taken; i++)
		next_owned(g, o);
	CHECK_EQ(weft_clock_settle(), 0);
	expect_none_left(g, o);
}

TEST_MANUAL(what_a_filter_turns_away_is_dropped)
{
	struct owned o = { .n = -1 };
	struct weft_gen *g = new_owned(&o, (struct weft_gen_opts){ .cap = 2 });

	g = filter(g, owned_is_third, NULL);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(next_owned(g, &o), 3 * i);
	expect_dropped(take(g, 9), &o, 2);
	return 0;
}

TEST_MANUAL(what_finds_no_partner_is_dropped)
{
	struct owned a = { .n = -1 }, b = { .n = 2 };
	struct weft_gen *g = zipped(some_owned(&a), some_owned(&b));
	int *p[2];

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(weft_gen_next(g, p, WEFT_FOREVER), 0);
		owned_drop(&p[0], &a);
		owned_drop(&p[1], &b);
	}
	CHECK_EQ(weft_gen_next(g, p, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_load_relaxed(&a.alive), 1);
	expect_none_left(g, &a);
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
	struct weft_gen *g = zipped(new_owned(&a, opts), new_owned(&b, opts));
	int calls = 5, *p[2];

	g = filter(ahead(g, 1), turn_all_away, &calls);
	CHECK_EQ(weft_gen_next(g, p, WEFT_FOREVER), -EPIPE);
	expect_none_left(g, &a);
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
	struct weft_gen *g;

	CHECK_EQ(weft_gen_repeat_fn(&g, sizeof(int *), owned_call, &o), 0);
	expect_dropped(ahead(take(dropping(g, &o), 100), 3), &o, 10);
	return 0;
}

TEST_MANUAL(who_has_a_body_is_told_by_its_options)
{
	struct owned o = { .n = 3 };
	struct weft_gen *g = some_owned(&o);

	CHECK_EQ(weft_gen_set_drop(g, NULL, NULL), -EINVAL);
	g = ahead(g, 2);
	CHECK_EQ(weft_gen_set_drop(g, owned_drop, NULL), -EINVAL);
	expect_dropped(g, &o, 1);
	return 0;
}

/* --- elements of several inputs --- */

/* Three pointers, to nothing that could be freed. */
static struct weft_gen *static_pointers(void)
{
	static const int number;
	const int *p[] = { &number, &number, &number };
	struct weft_gen *g;

	CHECK_EQ(weft_gen_array(&g, p, 3, sizeof(*p)), 0);
	return g;
}

/* What chain makes of the two, which are freed. */
static int chained(struct weft_gen *first, struct weft_gen *second)
{
	struct weft_gen *in[2] = { first, second }, *g = NULL;
	int err = weft_gen_chain(&g, in, 2);

	CHECK_EQ(err == 0, g != NULL);
	if (err) {
		/* They are still ours. */
		weft_gen_free(first);
		weft_gen_free(second);
	}
	weft_gen_free(g);
	return err;
}

TEST(a_chain_takes_inputs_that_are_dropped_alike_and_no_others)
{
	struct owned o = { .n = -1 }, other = { .n = -1 };

	CHECK_EQ(chained(some_owned(&o), static_pointers()), -EINVAL);
	CHECK_EQ(chained(static_pointers(), some_owned(&o)), -EINVAL);
	CHECK_EQ(chained(some_owned(&o), some_owned(&other)), -EINVAL);
	CHECK_EQ(chained(take(some_owned(&o), 3), take(static_pointers(), 3)),
	         -EINVAL);
	/* Each has a function of its own, unless the user says another. */
	CHECK_EQ(chained(zipped(some_owned(&o), static_pointers()),
	                 zipped(some_owned(&o), static_pointers())),
	         -EINVAL);

	CHECK_EQ(chained(static_pointers(), take(static_pointers(), 3)), 0);
	CHECK_EQ(chained(some_owned(&o), take(some_owned(&o), 3)), 0);
	/* By word of the user. */
	CHECK_EQ(chained(some_owned(&o), dropping(static_pointers(), &o)), 0);
	CHECK_EQ(chained(zipped(static_pointers(), static_pointers()),
	                 zipped(static_pointers(), static_pointers())),
	         0);
	CHECK_EQ(chained(dropping(take(some_owned(&o), 3), &other),
	                 dropping(take(static_pointers(), 3), &other)),
	         0);
	return 0;
}

/* Through a task, which has them in its channel. */
TEST_MANUAL(what_a_chain_leaves_inside_is_dropped_once)
{
	struct owned o = { .n = 3 };

	for (int taken = 0; taken < 3; taken++) {
		struct weft_gen *in[2] = { some_owned(&o), some_owned(&o) };
		struct weft_gen *g;

		CHECK_EQ(weft_gen_chain(&g, in, 2), 0);
		expect_dropped(ahead(filter(g, owned_is_third, NULL), 1), &o,
		               taken);
	}
	return 0;
}

/* --- a function that is ended with an element in its hands --- */

/* Turns every third away, and ends its task or its thread at the eighth. */
struct quitter {
	int calls;
	bool thread;
};

static int quit_at_eighth(const void *elem, void *arg)
{
	struct quitter *q = arg;

	(void)elem;
	if (++q->calls < 8)
		return q->calls % 3 != 0;
	if (q->thread)
		pthread_exit(NULL);
	weft_task_exit(-EIO);
}

struct drained {
	struct weft_gen *g;
	struct owned *o;
	int parts; /* of an element */
};

static int drain_owned(void *arg)
{
	struct drained *d = arg;
	int *elem[2], err;

	while (!(err = weft_gen_next(d->g, elem, WEFT_FOREVER)))
		for (int i = 0; i < d->parts; i++)
			owned_drop(&elem[i], d->o);
	return err;
}

/* Frees it. */
static void expect_nothing_left(struct weft_gen *g, struct owned *o, int parts,
                                const struct quitter *q)
{
	struct drained d = { .g = g, .o = o, .parts = parts };

	CHECK_EQ(testing_join(testing_spawn(drain_owned, &d)),
	         q->thread ? -ECANCELED : -EIO);
	CHECK_EQ(q->calls, 8);
	expect_none_left(g, o);
}

static struct weft_gen *quitting(struct owned *o, struct quitter *q)
{
	struct weft_gen_opts opts = { .batch = 3 };

	q->calls = 0;
	return filter(new_owned(o, opts), quit_at_eighth, q);
}

/* Whatever stands between it and the consumer. */
TEST(what_was_in_the_hands_of_a_function_that_was_ended_is_dropped)
{
	for (int form = 0; form < 2; form++) {
		struct owned o = { .n = -1 };
		struct quitter q = { .thread = form };
		struct weft_gen *g = quitting(&o, &q);

		expect_nothing_left(g, &o, 1, &q);
		g = map_owned(quitting(&o, &q), &o);
		expect_nothing_left(g, &o, 1, &q);
		g = filter(quitting(&o, &q), owned_is_third, NULL);
		expect_nothing_left(g, &o, 1, &q);
		g = ahead(take(quitting(&o, &q), 99), 2);
		expect_nothing_left(g, &o, 1, &q);
		/* Of a zip, which has a part for it by then. */
		g = new_owned(&o, (struct weft_gen_opts){ .cap = 2 });
		expect_nothing_left(zipped(g, quitting(&o, &q)), &o, 2, &q);
	}
	return 0;
}
