/* Tests of the generator: stopping it, by hand and by a context, at any moment.
 */
#include <weft/chan_impl.h>
#include <weft/ctx.h>

#include "generator_testing.h"
#include "testing/stop.h"

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

/* --- all waiters are released: E8 --- */

enum by { A_STOP, THE_CONTEXT_OF_ITS_BODY, AN_UNTIL };

/* In the receive of a body's own stream, or below adapters. */
static void release_consumer(bool on_demand, bool adapted, enum by by)
{
	struct weft_ctx *ctx = new_ctx();
	const struct weft_gen_opts opts = {
		.on_demand = on_demand,
		.ctx = by == THE_CONTEXT_OF_ITS_BODY ? ctx : NULL,
	};
	struct counting c = { .n = 1, .pause_ns = WEFT_SEC };
	struct weft_gen *g = new_gen(counting_body, &c, opts);
	struct weft_task *t;

	if (adapted)
		g = take(map(g, add_one, NULL), 3);
	if (by == AN_UNTIL)
		g = until(g, ctx);
	t = testing_spawn(next_main, g);
	CHECK_EQ(weft_clock_settle(), 0);
	if (by == A_STOP)
		CHECK_EQ(weft_gen_stop(g), 0);
	else
		CHECK_EQ(weft_ctx_cancel(ctx, -EIO), 0);
	CHECK_EQ(testing_join(t), -ECANCELED);
	CHECK_EQ(next_err(g), -ECANCELED);
	testing_pass(WEFT_SEC);
	expect_end(g, -ECANCELED);
	weft_ctx_unref(ctx);
}

TEST_MANUAL(a_stop_or_a_context_releases_who_waits_for_an_element)
{
	for (int form = 0; form < 4; form++)
		for (enum by by = A_STOP; by <= AN_UNTIL; by++)
			release_consumer(form & 1, form & 2, by);
	return 0;
}

/* In a yield, with no more room or, on demand, nothing asked for. */
static void release_body(size_t cap, bool on_demand)
{
	struct counting c = { .n = -1 };
	struct weft_gen_opts opts = { .cap = cap, .on_demand = on_demand };
	struct weft_gen *g = new_gen(counting_body, &c, opts);
	const size_t made = on_demand ? 1 : cap + 1;

	if (on_demand)
		CHECK_EQ(next_int(g), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ((size_t)weft_load_relaxed(&c.made), made);
	CHECK_EQ(weft_gen_stop(g), 0);
	expect_end(g, -ECANCELED);
	/* It is told before it makes another one. */
	CHECK_EQ(weft_load_relaxed(&c.yields), -ECANCELED);
	CHECK_EQ((size_t)weft_load_relaxed(&c.made), made);
}

TEST_MANUAL(a_stop_releases_a_body_that_waits_to_yield)
{
	for (size_t cap = 0; cap < 3; cap++)
		release_body(cap, false);
	release_body(0, true);
	return 0;
}

static int join_main(void *arg)
{
	return weft_gen_join(arg, WEFT_FOREVER);
}

TEST_MANUAL(a_stop_reaches_every_task_of_a_long_chain)
{
	struct weft_gen *g = endless(false);
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

	(void)arg;
	CHECK_EQ(weft_gen_yield(g, &v), 0);
	CHECK_EQ(weft_gen_stop(g), 0);
	CHECK_EQ(weft_gen_yield(g, &v), -ECANCELED);
	return -EIO;
}

TEST(a_body_may_stop_its_stream)
{
	const struct weft_gen_opts opts = { .on_demand = true };

	expect_ints(new_gen(stopping_body, NULL, opts), 0, 1, -ECANCELED);
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
	struct weft_gen *g;

	g = map(endless(false), stop_at_two, &g);
	expect_ints(g, 0, 3, -ECANCELED);
	return 0;
}

/* --- contexts --- */

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
		expect_end(form & 2 ? ahead(g, 0) : g, -ECANCELED);
		CHECK_EQ(weft_load_relaxed(&c.runs), 0);
		weft_ctx_unref(ctx);
	}
	return 0;
}

TEST(a_context_ends_what_needs_no_task)
{
	int made = 0;
	struct weft_ctx *ctx = new_ctx();
	struct weft_gen *g =
	        map(until(calls(count_up, &made), ctx), add_one, NULL);

	for (int i = 0; i < 5; i++)
		CHECK_EQ(next_int(g), i + 1);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	expect_end(g, -ECANCELED);
	CHECK_EQ(made, 5);
	weft_ctx_unref(ctx);
	return 0;
}

TEST(the_first_end_stays)
{
	struct weft_ctx *ctx = new_ctx();
	struct weft_gen *g = until(endless(false), ctx);
	struct weft_gen *ended = until(ints(0), ctx);
	struct weft_gen *freed = until(ints(0), ctx);

	CHECK_EQ(weft_gen_fail(g, -EXDEV), 0);
	CHECK_EQ(next_err(ended), -EPIPE);
	weft_gen_free(freed);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	weft_ctx_unref(ctx);
	expect_end(g, -EXDEV);
	expect_end(ended, -EPIPE);
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

/* One of all the implementations that a body can be given, see weft_gen_new();
 * handoff always can. */
static void draw_impl(struct weft_gen_opts *opts)
{
	const struct weft_chan_impl *impl;
	uint64_t seen = 0;

	for (size_t i = 0; (impl = weft_chan_impl_at(i)); i++) {
		if (impl->can & WEFT_NO_DATA ||
		    !(opts->on_demand || impl->can & WEFT_CAN_BOUNDED) ||
		    weft_chan_impl_accepts(impl, opts->cap, sizeof(int *), NULL,
		                           0))
			continue;
		if (weft_rand() % ++seen == 0)
			opts->impl = impl;
	}
}

static void *victim_new(void *arg)
{
	struct victim *v = calloc(1, sizeof(*v));
	struct weft_gen_opts opts = { .cap = weft_rand() % 3,
		                      .batch = 1 + weft_rand() % 3,
		                      .on_demand = weft_rand() % 2 };
	struct weft_gen *in[2];
	uint64_t shape = weft_rand();

	(void)arg;
	CHECK(v != NULL);
	draw_impl(&opts);
	v->ctx = opts.ctx = shape & 32 ? new_ctx() : NULL;
	v->o.n = weft_rand() % 2 ? -1 : (int)(weft_rand() % 64);
	v->o.batch = shape & 1 ? 1 : 3;
	v->g = v->source = new_owned(&v->o, opts);
	if (shape & 2)
		v->g = filter(v->g, owned_is_third, NULL);
	if (shape & 64)
		opts.ctx = NULL;
	if (shape & 128) {
		draw_impl(&opts);
		in[0] = v->g;
		in[1] = v->second = new_owned(&v->o, opts);
		CHECK_EQ(weft_gen_chain(&v->g, in, 2), 0);
	}
	draw_impl(&opts);
	if (shape & 4)
		CHECK_EQ(weft_gen_ahead(&v->g, v->g, &opts), 0);
	if (shape & 8)
		v->g = map_owned(v->g, &v->o);
	if (shape & 16)
		v->g = take(v->g, weft_rand() % 64);
	return v;
}

static void expect_joined(const struct victim *v, int64_t deadline_ns)
{
	int err = weft_gen_join(v->g, deadline_ns);

	CHECK(err == 0 || err == -ECANCELED);
}

/* Two tasks want the elements, which one at a time can take; a third waits for
 * the end. */
static void victim_use(void *thing, unsigned id)
{
	struct victim *v = thing;
	int *p, err = 0;

	if (id == 2) {
		expect_joined(v, WEFT_FOREVER);
		return;
	}
	while (!err || err == -ETIMEDOUT || err == -EBUSY) {
		err = weft_gen_next(v->g, &p, weft_deadline_in(WEFT_MS));
		if (err == -EBUSY)
			weft_yield();
		if (err)
			continue;
		/* What was handed out must not be dropped. */
		free(p);
		weft_fetch_sub_relaxed(&v->o.alive, 1);
		weft_fetch_add_relaxed(&v->consumed, 1);
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

static void victim_end(void *thing)
{
	struct victim *v = thing;
	uint64_t made = weft_load_relaxed(&v->o.made), yielded, taken;
	int *p, err = weft_gen_next(v->g, &p, WEFT_FOREVER);

	CHECK(err == -ECANCELED || err == -EPIPE);
	expect_joined(v, WEFT_NOW);
	yielded = stats_of(v->source).made;
	if (v->second)
		yielded += stats_of(v->second).made;
	taken = stats_of(v->g).taken;
	weft_gen_free(v->g);
	weft_ctx_unref(v->ctx);
	/* Each element that was made was yielded, and was handed out or else
	 * dropped. */
	CHECK_EQ(made, yielded);
	CHECK_EQ(weft_load_relaxed(&v->consumed), taken);
	CHECK_EQ(made, taken + weft_load_relaxed(&v->o.dropped));
	CHECK_EQ(weft_load_relaxed(&v->o.alive), 0);
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
