/* Tests of the fan: when it is stopped, by what, and what then becomes of its
 * items. What every component does at its end is in life.c. */
#include <pthread.h>

#include "fan_testing.h"
#include "testing/stop.h"

#include <weft/ctx.h>

#define ROUNDS (TESTING_SLOW ? 1000 : 4000)

typedef _Atomic(struct weft_fan *) self_fan;

static int stop_own_fan(const void *in, void *out, unsigned worker, void *arg)
{
	struct weft_fan *f;

	while (!(f = weft_load_acquire((self_fan *)arg)))
		weft_yield();
	CHECK_EQ(weft_fan_stop(f), 0);
	return pass(in, out, worker, NULL);
}

TEST(the_function_may_stop_its_own_fan)
{
	for (size_t i = 0; i < SHAPES; i++) {
		self_fan self = NULL;
		struct weft_fan *f =
		        new_fan(shapes[i], OPTS(.fn = stop_own_fan,
		                                .arg = &self, .workers = 2));
		int item = 1;

		weft_store_release(&self, f);
		CHECK_EQ(weft_fan_send(f, &item, WEFT_FOREVER), 0);
		CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), -ECANCELED);
		weft_fan_free(f);
	}
	return 0;
}

/* --- too late --- */

/* Items have gone in and reached the end, and so has the end; then a stop. */
static struct weft_fan *stopped_fan(struct shape shape, weft_fan_fn fn)
{
	struct weft_fan *f =
	        new_fan(shape, OPTS(.fn = fn, .workers = 2, .cap = 8));

	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_fan_send(f, &i, WEFT_FOREVER), 0);
	CHECK_EQ(weft_fan_close(f), 0);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
	CHECK_EQ(weft_fan_stop(f), 0);
	return f;
}

/* Without results a fan has ended with its workers. */
TEST(a_stop_is_too_late_only_when_nothing_is_left_to_receive)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct weft_fan *f = stopped_fan(shapes[i], swallow);

		CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
		CHECK_EQ(recv_main(f), -EPIPE);
		weft_fan_free(f);
		f = stopped_fan(shapes[i], pass);
		CHECK_EQ(recv_main(f), -ECANCELED);
		CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), -ECANCELED);
		weft_fan_free(f);
	}
	return 0;
}

/* --- at a random moment --- */

/* What becomes of the items: each is counted once on each side. */
struct stopped {
	int copies; /* of an item */
	struct weft_fan *f;
	struct weft_ctx *ctx;
	_Atomic int sent, received;          /* by callers */
	_Atomic int called, made;            /* by the function */
	_Atomic int dropped_in, dropped_out; /* by a stop */
};

static int make_some(const void *in, void *out, unsigned worker, void *arg)
{
	struct stopped *s = arg;
	uint64_t chance = weft_rand() % 16;

	weft_fetch_add_relaxed(&s->called, 1);
	if (chance == 0)
		return WEFT_SKIP;
	if (chance == 1)
		return -EDOM;
	if (chance == 2)
		weft_task_exit(0);
	if (chance == 3)
		pthread_exit(NULL);
	weft_fetch_add_relaxed(&s->made, 1);
	return pass(in, out, worker, NULL);
}

static void drop_in(void *elem, void *arg)
{
	(void)elem;
	weft_fetch_add_relaxed(&((struct stopped *)arg)->dropped_in, 1);
}

static void drop_out(void *elem, void *arg)
{
	(void)elem;
	weft_fetch_add_relaxed(&((struct stopped *)arg)->dropped_out, 1);
}

static void *stopped_new(void *arg)
{
	static const char *const impls[] = { "handoff", "ring", "condvar" };
	struct stopped *s = calloc(1, sizeof(*s));
	struct shape shape = shapes[weft_rand() % SHAPES];
	unsigned workers = 1 + (unsigned)(weft_rand() % 3);
	size_t impl = weft_rand() % 3;

	(void)arg;
	CHECK(s != NULL);
	s->copies = (int)copies_of(shape, workers);
	CHECK_EQ(weft_ctx_with_cancel(&s->ctx, NULL), 0);
	s->f = new_fan(
	        shape,
	        OPTS(.fn = make_some, .arg = s, .on_error = WEFT_ON_ERROR_SKIP,
	             .impl = weft_chan_impl_find(impls[impl]),
	             .cap = (impl > 0) + weft_rand() % 3, .workers = workers,
	             .batch = 1 + weft_rand() % 4, .drop_in = drop_in,
	             .drop_out = drop_out, .drop_arg = s, .ctx = s->ctx));
	return s;
}

/* Tasks 0 and 1 send, task 2 and 3 receive, all with deadlines now and then. */
static void stopped_go(void *thing, unsigned id)
{
	struct stopped *s = thing;
	int64_t until;
	int item = 1, err;

	do {
		until = testing_some_deadline();
		err = id < 2 ? weft_fan_send(s->f, &item, until)
		             : weft_fan_recv(s->f, &item, until);
		if (!err)
			weft_fetch_add_relaxed(id < 2 ? &s->sent : &s->received,
			                       1);
	} while (!err || err == -ETIMEDOUT);
	CHECK_EQ(err, -ECANCELED);
}

static void stopped_stop(void *thing)
{
	struct stopped *s = thing;

	if (weft_rand() % 2)
		CHECK_EQ(weft_fan_stop(s->f), 0);
	else
		CHECK_EQ(weft_ctx_cancel(s->ctx, 0), 0);
}

static void stopped_end(void *thing)
{
	struct stopped *s = thing;

	weft_fan_free(s->f);
	weft_ctx_unref(s->ctx);
	CHECK_EQ(weft_load_relaxed(&s->sent) * s->copies,
	         weft_load_relaxed(&s->called) +
	                 weft_load_relaxed(&s->dropped_in));
	CHECK_EQ(weft_load_relaxed(&s->made),
	         weft_load_relaxed(&s->received) +
	                 weft_load_relaxed(&s->dropped_out));
	free(s);
}

/* Items that own something are released once, wherever they are; and E7: all
 * senders learn of it when a consumer leaves early by stopping the fan. */
TEST(a_fan_may_be_stopped_at_any_moment)
{
	testing_stop_often(&(struct testing_stop){ .setup = stopped_new,
	                                           .go = stopped_go,
	                                           .tasks = 4,
	                                           .stop = stopped_stop,
	                                           .end = stopped_end });
	return 0;
}

/* --- deadlines --- */

/* Sends with short deadlines; how many went in. */
static int hasty_main(void *arg)
{
	int sent = 0, err;

	for (int i = 0; i < ROUNDS; i++) {
		err = weft_fan_send(arg, &i, weft_deadline_in(2000));
		CHECK(err == 0 || err == -ETIMEDOUT);
		sent += !err;
	}
	return sent;
}

static void hurry(struct shape shape)
{
	struct weft_fan *f =
	        new_fan(shape, OPTS(.workers = 2, .cap = 1, .window = 4));
	struct weft_task *senders[3], *receivers[2];
	uint64_t sent = 0;

	for (int i = 0; i < 2; i++)
		receivers[i] = testing_spawn(recv_main, f);
	for (int i = 0; i < 3; i++)
		senders[i] = testing_spawn(hasty_main, f);
	for (int i = 0; i < 3; i++)
		sent += (uint64_t)testing_join(senders[i]);
	CHECK_EQ(weft_fan_close(f), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(testing_join(receivers[i]), -EPIPE);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
	CHECK_EQ(stats_of(f).in, sent * copies_of(shape, 2));
	CHECK_EQ(stats_of(f).out, stats_of(f).in);
	weft_fan_free(f);
}

/* Some time out while others are behind them. */
TEST(a_send_that_times_out_sends_nothing_and_holds_up_nobody)
{
	for (size_t i = 0; i < SHAPES; i++)
		hurry(shapes[i]);
	return 0;
}
