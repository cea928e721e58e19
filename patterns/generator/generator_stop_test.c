/* Tests of the generator: stopping it, by hand and by a context, at any moment.
 */
#include <weft/chan_impl.h>
#include <weft/ctx.h>
#include <weft/sync.h>

#include "generator_testing.h"
#include "testing/stop.h"

/* A body that makes nothing until the gate opens. */
struct gated {
	struct weft_waitgroup gate;
};

static int gated_body(struct weft_gen *g, void *arg)
{
	struct gated *s = arg;
	int v = 0, err = weft_waitgroup_wait(&s->gate, WEFT_FOREVER);

	return err ? err : weft_gen_yield(g, &v);
}

static struct weft_gen *new_gated(struct gated *s, bool on_demand)
{
	weft_waitgroup_init(&s->gate);
	weft_waitgroup_add(&s->gate, 1);
	return new_gen(gated_body, s,
	               (struct weft_gen_opts){ .on_demand = on_demand });
}

/* --- whoever waits is released: E8 --- */

TEST_MANUAL(a_stop_releases_who_waits_for_an_element)
{
	for (int form = 0; form < 4; form++) {
		struct gated s;
		struct weft_gen *g = new_gated(&s, form & 1);
		struct weft_task *t;

		/* In the receive of an input, or its own. */
		if (form & 2)
			g = take(map(g, add_one, NULL), 3);
		t = testing_spawn(next_main, g);
		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ(weft_gen_stop(g), 0);
		CHECK_EQ(testing_join(t), -ECANCELED);
		weft_waitgroup_done(&s.gate);
		CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), -ECANCELED);
		weft_gen_free(g);
	}
	return 0;
}

TEST_MANUAL(a_stop_releases_a_body_that_waits_to_yield)
{
	for (size_t cap = 0; cap < 3; cap++) {
		struct counting c = { .n = -1 };
		struct weft_gen_opts opts = { .cap = cap };
		struct weft_gen *g = new_gen(counting_body, &c, opts);

		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ((size_t)weft_load_relaxed(&c.made), cap + 1);
		CHECK_EQ(weft_gen_stop(g), 0);
		CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), -ECANCELED);
		CHECK_EQ(weft_load_relaxed(&c.yields), -ECANCELED);
		CHECK_EQ((size_t)weft_load_relaxed(&c.made), cap + 1);
		weft_gen_free(g);
	}
	return 0;
}

TEST_MANUAL(a_stop_releases_a_body_that_waits_to_be_asked)
{
	struct counting c = { .n = -1 };
	struct weft_gen *g = new_counting(&c, true);

	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_gen_stop(g), 0);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), -ECANCELED);
	/* It is told before it makes another one. */
	CHECK_EQ(weft_load_relaxed(&c.yields), -ECANCELED);
	CHECK_EQ(weft_load_relaxed(&c.made), 1);
	weft_gen_free(g);
	return 0;
}

static int join_main(void *arg)
{
	return weft_gen_join(arg, WEFT_FOREVER);
}

TEST_MANUAL(a_stop_reaches_every_task_of_a_long_chain)
{
	struct counting c = { .n = -1 };
	struct weft_gen *g = new_counting(&c, false);
	struct weft_task *joiner;

	for (int i = 0; i < 20; i++)
		g = ahead(map(g, add_one, NULL), 1);
	CHECK_EQ(next_int(g), 20);
	joiner = testing_spawn(join_main, g);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_gen_stop(g), 0);
	CHECK_EQ(testing_join(joiner), -ECANCELED);
	weft_gen_free(g);
	return 0;
}

/* --- stopped from within --- */

static int stopping_body(struct weft_gen *g, void *arg)
{
	int v = 0;

	CHECK_EQ(weft_gen_yield(g, &v), 0);
	CHECK_EQ(weft_gen_stop(g), 0);
	*(int *)arg = weft_gen_yield(g, &v);
	return -EIO;
}

TEST(a_body_may_stop_its_stream)
{
	int err = 0;
	struct weft_gen *g =
	        new_gen(stopping_body, &err,
	                (struct weft_gen_opts){ .on_demand = true });

	CHECK_EQ(next_int(g), 0);
	CHECK_EQ(next_err(g), -ECANCELED);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(err, -ECANCELED);
	weft_gen_free(g);
	return 0;
}

static int stop_at_two(const void *in, void *out, void *arg)
{
	struct weft_gen **g = arg;

	memcpy(out, in, sizeof(int));
	if (*(const int *)in == 2)
		CHECK_EQ(weft_gen_stop(*g), 0);
	return 0;
}

TEST(a_function_may_stop_its_stream)
{
	struct counting c = { .n = -1 };
	struct weft_gen *g;

	g = map(new_counting(&c, false), stop_at_two, &g);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(next_int(g), i);
	CHECK_EQ(next_err(g), -ECANCELED);
	CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), -ECANCELED);
	weft_gen_free(g);
	return 0;
}

/* --- contexts --- */

static struct weft_ctx *new_ctx(void)
{
	struct weft_ctx *ctx;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	return ctx;
}

static struct weft_gen *until(struct weft_gen *in, struct weft_ctx *ctx)
{
	struct weft_gen *g;

	CHECK_EQ(weft_gen_until(&g, in, ctx), 0);
	return g;
}

static void give_up(struct weft_ctx *ctx)
{
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	weft_ctx_unref(ctx);
}

/* E8: in the receive of a body's own stream, and below adapters. */
TEST_MANUAL(a_context_releases_who_waits_for_an_element)
{
	for (int form = 0; form < 4; form++) {
		struct weft_ctx *ctx = new_ctx();
		struct gated s;
		struct weft_gen *g;
		struct weft_task *t;

		weft_waitgroup_init(&s.gate);
		weft_waitgroup_add(&s.gate, 1);
		g = new_gen(
		        gated_body, &s,
		        (struct weft_gen_opts){ .on_demand = form & 1,
		                                .ctx = form & 2 ? NULL : ctx });
		g = take(map(g, add_one, NULL), 3);
		g = form & 2 ? until(g, ctx) : g;
		t = testing_spawn(next_main, g);
		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ(weft_ctx_cancel(ctx, -EIO), 0);
		CHECK_EQ(testing_join(t), -ECANCELED);
		CHECK_EQ(next_err(g), -ECANCELED);
		weft_waitgroup_done(&s.gate);
		CHECK_EQ(weft_gen_join(g, WEFT_FOREVER), -ECANCELED);
		weft_gen_free(g);
		weft_ctx_unref(ctx);
	}
	return 0;
}

TEST(a_context_that_has_ended_lets_nothing_begin)
{
	for (int form = 0; form < 4; form++) {
		struct counting c = { .n = -1 };
		struct weft_ctx *ctx = new_ctx();
		struct weft_gen_opts opts = { .on_demand = form & 1,
			                      .ctx = ctx };
		struct weft_gen *g;

		CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
		g = new_gen(counting_body, &c, opts);
		g = form & 2 ? ahead(g, 0) : g;
		CHECK_EQ(next_err(g), -ECANCELED);
		CHECK_EQ(next_err(g), -ECANCELED);
		weft_gen_free(g);
		CHECK_EQ(weft_load_relaxed(&c.runs), 0);
		weft_ctx_unref(ctx);
	}
	return 0;
}

TEST(a_context_ends_what_needs_no_task)
{
	_Atomic int made = 0;
	struct weft_ctx *ctx = new_ctx();
	struct weft_gen *g =
	        map(until(counting_calls(&made), ctx), add_one, NULL);

	for (int i = 0; i < 5; i++)
		CHECK_EQ(next_int(g), i + 1);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(next_err(g), -ECANCELED);
	CHECK_EQ(next_err(g), -ECANCELED);
	CHECK_EQ(weft_load_relaxed(&made), 5);
	weft_gen_free(g);
	weft_ctx_unref(ctx);
	return 0;
}

TEST(the_first_end_stays)
{
	struct counting c = { .n = -1 }, none = { .n = 0 };
	struct weft_ctx *ctx = new_ctx();
	struct weft_gen *g = until(new_counting(&c, false), ctx),
	                *ended = until(new_counting(&none, false), ctx),
	                *freed = until(new_counting(&none, false), ctx);

	CHECK_EQ(weft_gen_fail(g, -EXDEV), 0);
	CHECK_EQ(next_err(ended), -EPIPE);
	weft_gen_free(freed);
	give_up(ctx);
	CHECK_EQ(next_err(g), -EXDEV);
	CHECK_EQ(next_err(ended), -EPIPE);
	weft_gen_free(g);
	weft_gen_free(ended);
	return 0;
}

/* --- at any moment --- */

/* A stream of some shape; what is left of it. */
struct victim {
	struct weft_gen *g;
	struct weft_gen *source, *second; /* NULL = none */
	struct weft_ctx *ctx;             /* of some part of it; NULL = none */
	struct owned o;
	_Atomic uint64_t consumed;
};

/* Whether a body can be given it: see weft_gen_new(). */
static bool is_possible(const struct weft_gen_opts *opts,
                        const struct weft_chan_impl *impl)
{
	return !(impl->can & WEFT_NO_DATA) &&
	       (opts->on_demand || impl->can & WEFT_CAN_BOUNDED) &&
	       !weft_chan_impl_accepts(impl, opts->cap, sizeof(int *), NULL, 0);
}

/* One of all the implementations that can; handoff always can. */
static void draw_impl(struct weft_gen_opts *opts)
{
	const struct weft_chan_impl *impl;
	uint64_t seen = 0;

	for (size_t i = 0; (impl = weft_chan_impl_at(i)); i++)
		if (is_possible(opts, impl) && weft_rand() % ++seen == 0)
			opts->impl = impl;
}

static void victim_chain(struct victim *v, struct weft_gen_opts opts)
{
	struct weft_gen *in[2];

	draw_impl(&opts);
	v->second = new_owned(&v->o, owned_body, opts);
	in[0] = v->g;
	in[1] = v->second;
	CHECK_EQ(weft_gen_chain(&v->g, in, 2), 0);
}

static void *victim_new(void *arg)
{
	struct victim *v = calloc(1, sizeof(*v));
	struct weft_gen_opts opts = { .cap = weft_rand() % 3,
		                      .batch = 1 + weft_rand() % 3,
		                      .on_demand = weft_rand() % 2 };
	uint64_t shape = weft_rand();

	(void)arg;
	CHECK(v != NULL);
	draw_impl(&opts);
	v->ctx = opts.ctx = shape & 32 ? new_ctx() : NULL;
	v->o.n = weft_rand() % 2 ? -1 : (int)(weft_rand() % 64);
	v->g = v->source =
	        new_owned(&v->o, shape & 1 ? owned_body : owned_batches, opts);
	if (shape & 2)
		v->g = filter(v->g, owned_is_third, NULL);
	if (shape & 64)
		opts.ctx = NULL;
	if (shape & 128)
		victim_chain(v, opts);
	draw_impl(&opts);
	if (shape & 4)
		CHECK_EQ(weft_gen_ahead(&v->g, v->g, &opts), 0);
	if (shape & 8) {
		CHECK_EQ(weft_gen_map(&v->g, v->g, sizeof(int *), pass_owned,
		                      NULL),
		         0);
		CHECK_EQ(weft_gen_set_drop(v->g, owned_drop, &v->o), 0);
	}
	if (shape & 16)
		v->g = take(v->g, weft_rand() % 64);
	return v;
}

static void expect_end(const struct victim *v, int64_t deadline_ns)
{
	int err = weft_gen_join(v->g, deadline_ns);

	CHECK(err == 0 || err == -ECANCELED);
}

/* What the generator handed out it must not drop. */
static void victim_consume(struct victim *v, int *p)
{
	free(p);
	weft_fetch_sub_relaxed(&v->o.alive, 1);
	weft_fetch_add_relaxed(&v->consumed, 1);
}

/* Two that want the elements, of whom one at a time can; and one who waits for
 * the end. */
static void victim_use(void *thing, unsigned id)
{
	struct victim *v = thing;
	int *p, err = 0;

	if (id == 2) {
		expect_end(v, WEFT_FOREVER);
		return;
	}
	while (!err || err == -ETIMEDOUT || err == -EBUSY) {
		err = weft_gen_next(v->g, &p, weft_deadline_in(WEFT_MS));
		if (!err)
			victim_consume(v, p);
		if (err == -EBUSY)
			weft_yield();
	}
	CHECK(err == -ECANCELED || err == -EPIPE);
}

static void victim_stop(void *thing)
{
	struct victim *v = thing;

	if (v->ctx)
		CHECK_EQ(weft_ctx_cancel(v->ctx, 0), 0);
	else
		CHECK_EQ(weft_gen_stop(weft_rand() % 4 ? v->g : v->source), 0);
	CHECK_EQ(weft_gen_stop(v->g), 0);
}

/* Each element that was made was yielded, and was handed out or else dropped.
 */
static void expect_conserved(const struct victim *v, uint64_t yielded,
                             uint64_t taken)
{
	uint64_t made = weft_load_relaxed(&v->o.made);
	uint64_t dropped = weft_load_relaxed(&v->o.dropped);
	uint64_t consumed = weft_load_relaxed(&v->consumed);

	CHECK_EQ(made, yielded);
	CHECK_EQ(consumed, taken);
	CHECK_EQ(made, consumed + dropped);
	CHECK_EQ(weft_load_relaxed(&v->o.alive), 0);
}

static void victim_end(void *thing)
{
	struct victim *v = thing;
	uint64_t yielded, taken;
	int *p, err = weft_gen_next(v->g, &p, WEFT_FOREVER);

	CHECK(err == -ECANCELED || err == -EPIPE);
	expect_end(v, WEFT_NOW);
	yielded = stats_of(v->source).made;
	if (v->second)
		yielded += stats_of(v->second).made;
	taken = stats_of(v->g).taken;
	weft_gen_free(v->g);
	weft_ctx_unref(v->ctx);
	expect_conserved(v, yielded, taken);
	free(v);
}

TEST(a_stream_may_be_stopped_at_any_moment)
{
	const struct testing_stop s = { .setup = victim_new,
		                        .go = victim_use,
		                        .tasks = 3,
		                        .stop = victim_stop,
		                        .end = victim_end };

	testing_stop_often(&s);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stop_releases_who_waits_for_an_element),
		cmocka_unit_test(a_stop_releases_a_body_that_waits_to_yield),
		cmocka_unit_test(a_stop_releases_a_body_that_waits_to_be_asked),
		cmocka_unit_test(a_stop_reaches_every_task_of_a_long_chain),
		cmocka_unit_test(a_body_may_stop_its_stream),
		cmocka_unit_test(a_function_may_stop_its_stream),
		cmocka_unit_test(a_context_releases_who_waits_for_an_element),
		cmocka_unit_test(a_context_that_has_ended_lets_nothing_begin),
		cmocka_unit_test(a_context_ends_what_needs_no_task),
		cmocka_unit_test(the_first_end_stays),
		cmocka_unit_test(a_stream_may_be_stopped_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
