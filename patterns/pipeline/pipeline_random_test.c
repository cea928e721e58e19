/* Tests of the pipeline: stopped, or failing, at a random moment. */
#include <weft/ctx.h>

#include "pipeline_testing.h"
#include "testing/stop.h"

/* A pipeline of memory: what is lost is a leak, what is dropped twice a fault,
 * and everything that is made is counted where it ends. */
struct victim {
	struct weft_pipeline *p;
	struct weft_ctx *ctx;
	bool fails; /* one call in some of its stages' */
	bool sink_fails;
	_Atomic int made, used, dropped, received;
};

static int *new_item(struct victim *v)
{
	int *item = malloc(sizeof(*item));

	CHECK(item != NULL);
	*item = (int)(weft_rand() % 100);
	weft_fetch_add_relaxed(&v->made, 1);
	return item;
}

static void drop_item(void *elem, void *arg)
{
	struct victim *v = arg;

	weft_fetch_add_relaxed(&v->dropped, 1);
	free(*(int **)elem);
}

/* One item goes, one comes; or none, or two. */
static int churn(const void *in, void *out, void *arg)
{
	int *item = *(int *const *)in, **to = out;
	struct victim *v = arg;
	int n = *item % 3;

	free(item);
	weft_fetch_add_relaxed(&v->used, 1);
	if (v->fails && weft_rand() % 32 == 0)
		return fail_by(&faults()[weft_rand() % 8]); /* no -EINVAL */
	for (int i = 0; i < n; i++)
		to[i] = new_item(v);
	return n;
}

static bool is_victims_end(int err)
{
	return err == -ECANCELED || err == -EDOM || err == -EIO ||
	       err == -ERANGE || err == -ENOSPC;
}

/* Any channel that can, at a capacity that it has. One for one sender is in
 * the tests of order. */
static void choose_channel(struct weft_pipeline_opts *opts)
{
	static const char *const impls[] = { "handoff", "ring", "condvar",
		                             "list" };
	size_t i = weft_rand() % 4;

	opts->impl = weft_chan_impl_find(impls[i]);
	opts->cap = (i > 0) + weft_rand() % 4;
}

static void choose_stage(struct weft_stage *stage, struct victim *v)
{
	*stage = (struct weft_stage){
		.fn = churn,
		.arg = v,
		.out_max = 2,
		.mode = weft_rand() % 2 ? WEFT_STAGE_ORDERED
		                        : WEFT_STAGE_PARALLEL,
		.workers = 1 + (unsigned)(weft_rand() % 3),
		.drop = drop_item,
		.drop_arg = v,
	};
}

static void *victim_new(void *arg)
{
	struct victim *v = calloc(1, sizeof(*v));
	struct weft_stage stages[3];
	struct weft_pipeline_opts opts = {
		.elem_size = sizeof(int *),
		.batch = 1 + weft_rand() % 3,
		.tokens = weft_rand() % 8,
		.on_error = weft_rand() % 2 ? WEFT_ON_ERROR_DRAIN
		                            : WEFT_ON_ERROR_STOP,
		.drop = drop_item,
		.drop_arg = v,
	};
	size_t n = 1 + weft_rand() % 3;

	(void)arg;
	CHECK(v != NULL);
	CHECK_EQ(weft_ctx_with_cancel(&v->ctx, NULL), 0);
	v->fails = weft_rand() % 2;
	v->sink_fails = weft_rand() % 4 == 0;
	opts.ctx = v->ctx;
	choose_channel(&opts);
	for (size_t i = 0; i < n; i++)
		choose_stage(&stages[i], v);
	CHECK_EQ(weft_pipeline_new(&v->p, stages, n, &opts), 0);
	return v;
}

static void victim_send(struct victim *v)
{
	int *item, err;

	for (uint64_t n = weft_rand() % 64; n; n--) {
		item = new_item(v);
		err = weft_pipeline_send(v->p, &item, WEFT_FOREVER);
		if (err) {
			CHECK(is_victims_end(err));
			drop_item(&item, v); /* still its own */
			return;
		}
	}
}

static void victim_receive(struct victim *v)
{
	int *item, err;

	while (!(err = weft_pipeline_recv(v->p, &item, WEFT_FOREVER))) {
		weft_fetch_add_relaxed(&v->received, 1);
		free(item);
		if (v->sink_fails && weft_rand() % 16 == 0)
			CHECK_EQ(weft_pipeline_fail(v->p, -ENOSPC), 0);
	}
	CHECK(is_victims_end(err));
}

enum { SENDER, OTHER_SENDER, RECEIVER, JOINER, USERS };

static void victim_use(void *thing, unsigned id)
{
	struct victim *v = thing;

	switch (id) {
	case SENDER:
	case OTHER_SENDER:
		victim_send(v);
		break;
	case RECEIVER:
		victim_receive(v);
		break;
	default:
		CHECK(is_victims_end(weft_pipeline_join(v->p, WEFT_FOREVER)));
	}
}

static void victim_stop(void *thing)
{
	struct victim *v = thing;

	CHECK_EQ(weft_rand() % 2 ? weft_pipeline_stop(v->p)
	                         : weft_ctx_cancel(v->ctx, 0),
	         0);
}

static void victim_end(void *thing)
{
	struct victim *v = thing;

	CHECK(is_victims_end(weft_pipeline_join(v->p, WEFT_FOREVER)));
	weft_pipeline_free(v->p);
	weft_ctx_unref(v->ctx);
	CHECK_EQ(weft_load_relaxed(&v->made),
	         weft_load_relaxed(&v->used) + weft_load_relaxed(&v->dropped) +
	                 weft_load_relaxed(&v->received));
	free(v);
}

TEST(a_pipeline_may_be_stopped_at_any_moment)
{
	testing_stop_often(&(struct testing_stop){ .setup = victim_new,
	                                           .go = victim_use,
	                                           .tasks = USERS,
	                                           .stop = victim_stop,
	                                           .end = victim_end });
	return 0;
}
