/* Tests of the fan: whatever it is doing, everyone is released. */
#include <pthread.h>

#include "fan_testing.h"
#include "testing/stop.h"

#include <weft/ctx.h>

#define ROUNDS (TESTING_SLOW ? 1000 : 4000)

/* --- stop --- */

TEST_MANUAL(stop_releases_everyone)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct weft_fan *full = new_fan(
		        shapes[i],
		        (struct weft_fan_opts){ .workers = 2, .window = 2 });
		struct weft_fan *empty = new_fan(
		        shapes[i], (struct weft_fan_opts){ .workers = 2 });
		struct weft_task *tasks[4];
		int item;

		for (int k = 0; k < 4; k++)
			tasks[k] = testing_spawn(k < 2 ? send_main : recv_main,
			                         k < 2 ? full : empty);
		CHECK_EQ(weft_clock_settle(), 0);
		CHECK_EQ(weft_fan_join(full, WEFT_NOW), -ETIMEDOUT);
		CHECK_EQ(weft_fan_stop(full), 0);
		CHECK_EQ(weft_fan_stop(empty), 0);
		CHECK_EQ(weft_fan_stop(empty), 0);
		for (int k = 0; k < 4; k++)
			CHECK_EQ(testing_join(tasks[k]), -ECANCELED);
		/* What is left inside is not handed out. */
		CHECK_EQ(weft_fan_recv(full, &item, WEFT_FOREVER), -ECANCELED);
		CHECK_EQ(weft_fan_try_recv(full, &item), -ECANCELED);
		CHECK_EQ(weft_fan_try_send(full, &item), -ECANCELED);
		CHECK_EQ(weft_fan_join(full, WEFT_FOREVER), -ECANCELED);
		weft_fan_free(full);
		weft_fan_free(empty);
	}
	return 0;
}

/* E7: who receives goes away, and says so by stopping the fan. */
TEST(a_consumer_may_leave_early)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct weft_fan *f = new_fan(
		        shapes[i],
		        (struct weft_fan_opts){ .workers = 3, .cap = i % 2 });
		struct weft_task *sender = testing_spawn(send_main, f);
		int result;

		for (int n = 0; n < 5; n++)
			CHECK_EQ(weft_fan_recv(f, &result, WEFT_FOREVER), 0);
		CHECK_EQ(weft_fan_stop(f), 0);
		CHECK_EQ(testing_join(sender), -ECANCELED);
		weft_fan_free(f);
	}
	return 0;
}

/* Free alone will do. */
TEST(a_fan_in_use_by_nobody_else_may_be_freed_at_any_time)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct weft_fan *f = new_fan(
		        shapes[i], (struct weft_fan_opts){ .workers = 3 });
		int item = 1;

		if (i % 2)
			CHECK_EQ(weft_fan_send(f, &item, WEFT_FOREVER), 0);
		weft_fan_free(f);
	}
	weft_fan_free(NULL);
	return 0;
}

struct self {
	struct weft_fan *f;
	_Atomic bool known;
};

static int stop_own_fan(const void *in, void *out, unsigned worker, void *arg)
{
	struct self *self = arg;

	while (!weft_load_acquire(&self->known))
		weft_yield();
	CHECK_EQ(weft_fan_stop(self->f), 0);
	return pass(in, out, worker, NULL);
}

TEST(the_function_may_stop_its_own_fan)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct self self = { 0 };
		int item = 1;

		self.f = new_fan(shapes[i],
		                 (struct weft_fan_opts){ .fn = stop_own_fan,
		                                         .arg = &self,
		                                         .workers = 2 });
		weft_store_release(&self.known, true);
		CHECK_EQ(weft_fan_send(self.f, &item, WEFT_FOREVER), 0);
		CHECK_EQ(weft_fan_join(self.f, WEFT_FOREVER), -ECANCELED);
		weft_fan_free(self.f);
	}
	return 0;
}

/* --- contexts --- */

/* Everyone waits at a fan whose context `end` ends. */
static void expect_ended_by(struct shape shape, struct weft_ctx *ctx,
                            void (*end)(struct weft_ctx *ctx), int error)
{
	struct weft_fan *f = new_fan(
	        shape, (struct weft_fan_opts){ .workers = 2, .ctx = ctx });
	struct weft_fan *empty = new_fan(
	        shape, (struct weft_fan_opts){ .workers = 2, .ctx = ctx });
	struct weft_task *sender = testing_spawn(send_main, f);
	struct weft_task *receiver = testing_spawn(recv_main, empty);
	int item = 1;

	CHECK_EQ(weft_clock_settle(), 0);
	end(ctx);
	CHECK_EQ(testing_join(sender), error);
	CHECK_EQ(testing_join(receiver), error);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), error);
	CHECK_EQ(weft_fan_try_send(f, &item), error);
	CHECK_EQ(weft_fan_try_recv(f, &item), error);
	weft_fan_free(f);
	weft_fan_free(empty);
	/* One that is made now is stopped at once. */
	f = new_fan(shape, (struct weft_fan_opts){ .ctx = ctx });
	CHECK_EQ(weft_fan_recv(f, &item, WEFT_FOREVER), error);
	weft_fan_free(f);
	weft_ctx_unref(ctx);
}

static void cancel(struct weft_ctx *ctx)
{
	CHECK_EQ(weft_ctx_cancel(ctx, -EDOM), 0);
}

static void pass_deadline(struct weft_ctx *ctx)
{
	CHECK_EQ(weft_clock_advance(WEFT_SEC - 1), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_ctx_err(ctx), 0);
	CHECK_EQ(weft_clock_advance(1), 0);
}

TEST_MANUAL(the_end_of_its_context_stops_a_fan)
{
	struct weft_ctx *ctx;

	for (size_t i = 0; i < SHAPES; i++) {
		CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
		expect_ended_by(shapes[i], ctx, cancel, -ECANCELED);
		CHECK_EQ(weft_ctx_with_timeout(&ctx, NULL, WEFT_SEC), 0);
		expect_ended_by(shapes[i], ctx, pass_deadline, -ETIMEDOUT);
	}
	return 0;
}

TEST(a_context_may_outlive_its_fan)
{
	struct weft_ctx *ctx;
	struct weft_fan *f;
	int item = 1;

	CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
	f = new_fan(shared, (struct weft_fan_opts){ .ctx = ctx, .cap = 1 });
	CHECK_EQ(weft_fan_send(f, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_fan_close(f), 0);
	CHECK_EQ(weft_fan_recv(f, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
	weft_fan_free(f);
	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	weft_ctx_unref(ctx);
	return 0;
}

/* --- too late --- */

/* Send one item to each of the fan's workers, and the end. */
static struct weft_fan *ending_fan(struct shape shape, struct weft_ctx *ctx,
                                   weft_fan_fn fn)
{
	struct weft_fan *f = new_fan(
	        shape, (struct weft_fan_opts){
	                       .fn = fn, .ctx = ctx, .workers = 2, .cap = 8 });

	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_fan_send(f, &i, WEFT_FOREVER), 0);
	CHECK_EQ(weft_fan_close(f), 0);
	return f;
}

/* Whether it has ended well: then a stop finds nothing to do. */
static void expect_stays(struct weft_fan *f, struct weft_ctx *ctx)
{
	int v = 0;

	CHECK_EQ(weft_ctx_cancel(ctx, 0), 0);
	CHECK_EQ(weft_fan_stop(f), 0);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
	CHECK_EQ(weft_fan_recv(f, &v, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_fan_send(f, &v, WEFT_FOREVER), -EPIPE);
	weft_fan_free(f);
	weft_ctx_unref(ctx);
}

TEST(a_stop_behind_the_end_changes_nothing)
{
	struct weft_ctx *ctx;
	struct weft_fan *f;

	for (size_t i = 0; i < SHAPES; i++) {
		CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
		f = ending_fan(shapes[i], ctx, pass);
		CHECK_EQ(recv_main(f), -EPIPE);
		expect_stays(f, ctx);
	}
	return 0;
}

static int swallow(const void *in, void *out, unsigned worker, void *arg)
{
	pass(in, out, worker, arg);
	return WEFT_FAN_SKIP;
}

TEST(a_fan_without_results_has_ended_with_its_workers)
{
	struct weft_ctx *ctx;
	struct weft_fan *f;

	for (size_t i = 0; i < SHAPES; i++) {
		CHECK_EQ(weft_ctx_with_cancel(&ctx, NULL), 0);
		f = ending_fan(shapes[i], ctx, swallow);
		CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
		expect_stays(f, ctx);
	}
	return 0;
}

TEST(a_stop_drops_what_nobody_has_received)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct weft_fan *f = ending_fan(shapes[i], NULL, pass);
		int v;

		CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
		CHECK_EQ(weft_fan_stop(f), 0);
		CHECK_EQ(weft_fan_recv(f, &v, WEFT_FOREVER), -ECANCELED);
		CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), -ECANCELED);
		weft_fan_free(f);
	}
	return 0;
}

/* --- at a random moment --- */

/* What becomes of the items: each is counted once on each side. */
struct stopped {
	struct shape shape;
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
		return WEFT_FAN_SKIP;
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
	struct stopped *s = arg;

	(void)elem;
	weft_fetch_add_relaxed(&s->dropped_in, 1);
}

static void drop_out(void *elem, void *arg)
{
	struct stopped *s = arg;

	(void)elem;
	weft_fetch_add_relaxed(&s->dropped_out, 1);
}

static void *stopped_new(void *arg)
{
	static const char *const impls[] = { "handoff", "ring", "condvar" };
	struct stopped *s = calloc(1, sizeof(*s));
	size_t impl = weft_rand() % 3;

	(void)arg;
	CHECK(s != NULL);
	s->shape = shapes[weft_rand() % SHAPES];
	CHECK_EQ(weft_ctx_with_cancel(&s->ctx, NULL), 0);
	s->f = new_fan(s->shape,
	               (struct weft_fan_opts){
	                       .fn = make_some,
	                       .arg = s,
	                       .errors = WEFT_FAN_PASS_OVER_ERRORS,
	                       .impl = weft_chan_impl_find(impls[impl]),
	                       .cap = (impl > 0) + weft_rand() % 3,
	                       .workers = 1 + (unsigned)(weft_rand() % 3),
	                       .batch = 1 + weft_rand() % 4,
	                       .drop_in = drop_in,
	                       .drop_out = drop_out,
	                       .ctx = s->ctx,
	               });
	return s;
}

/* Tasks 0 and 1 send, task 2 and 3 receive, all with deadlines now and then. */
static void stopped_go(void *thing, unsigned id)
{
	struct stopped *s = thing;
	int64_t deadline_ns;
	int item = 1, err;

	do {
		deadline_ns =
		        weft_rand() % 4 ? WEFT_FOREVER : weft_deadline_in(1000);
		err = id < 2 ? weft_fan_send(s->f, &item, deadline_ns)
		             : weft_fan_recv(s->f, &item, deadline_ns);
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
	int copies = 1;

	if (s->shape.deal == WEFT_FAN_BROADCAST) {
		struct weft_fan_worker_stats w;

		for (copies = 0;
		     !weft_fan_worker_stats(s->f, (unsigned)copies, &w);)
			copies++;
	}
	weft_fan_free(s->f);
	weft_ctx_unref(s->ctx);
	CHECK_EQ(weft_load_relaxed(&s->sent) * copies,
	         weft_load_relaxed(&s->called) +
	                 weft_load_relaxed(&s->dropped_in));
	CHECK_EQ(weft_load_relaxed(&s->made),
	         weft_load_relaxed(&s->received) +
	                 weft_load_relaxed(&s->dropped_out));
	free(s);
}

/* Items that own something are released once, whoever has them. */
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

struct timed {
	struct weft_fan *f;
	int64_t deadline_ns, returned_at;
};

static int timed_send(void *arg)
{
	struct timed *t = arg;
	int item = 99, err = weft_fan_send(t->f, &item, t->deadline_ns);

	t->returned_at = weft_now();
	return err;
}

static int timed_recv(void *arg)
{
	struct timed *t = arg;
	int item, err = weft_fan_recv(t->f, &item, t->deadline_ns);

	t->returned_at = weft_now();
	return err;
}

static void expect_timeout(struct weft_fan *f, weft_task_fn fn)
{
	struct timed t = { .f = f, .deadline_ns = weft_deadline_in(WEFT_SEC) };
	struct weft_task *task = testing_spawn(fn, &t);

	CHECK_EQ(testing_join_moving(task), -ETIMEDOUT);
	CHECK_EQ(t.returned_at, t.deadline_ns);
}

/* A send that failed has sent nothing, and leaves no gap in an order. */
TEST_MANUAL(sends_and_receives_end_at_their_deadline)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct weft_fan *f = new_fan(
		        shapes[i],
		        (struct weft_fan_opts){ .cap = 1, .window = 4 });
		int sent = 0, result;

		expect_timeout(f, timed_recv);
		for (; weft_fan_try_send(f, &sent) == 0; sent++)
			CHECK_EQ(weft_clock_settle(), 0);
		expect_timeout(f, timed_send);
		CHECK_EQ(weft_fan_close(f), 0);
		for (int n = 0; n < sent; n++) {
			CHECK_EQ(weft_fan_recv(f, &result, WEFT_FOREVER), 0);
			CHECK_EQ(result, n); /* there is one worker only */
		}
		CHECK_EQ(weft_fan_recv(f, &result, WEFT_FOREVER), -EPIPE);
		weft_fan_free(f);
	}
	return 0;
}

/* Sends with short deadlines from several tasks, of which some time out while
 * others are behind them. */
struct hasty {
	struct weft_fan *f;
	int begin;
	int sent;
};

static int hasty_main(void *arg)
{
	struct hasty *h = arg;
	int item, err;

	for (int i = 0; i < ROUNDS; i++) {
		item = h->begin + i;
		err = weft_fan_send(h->f, &item, weft_deadline_in(2000));
		CHECK(err == 0 || err == -ETIMEDOUT);
		h->sent += !err;
	}
	return 0;
}

static void hurry(struct shape shape)
{
	struct weft_fan *f = new_fan(
	        shape,
	        (struct weft_fan_opts){ .workers = 2, .cap = 1, .window = 4 });
	struct hasty senders[3];
	struct weft_task *tasks[3], *receivers[2];
	int sent = 0;

	for (int i = 0; i < 2; i++)
		receivers[i] = testing_spawn(recv_main, f);
	for (int i = 0; i < 3; i++) {
		senders[i] = (struct hasty){ .f = f, .begin = i * ROUNDS };
		tasks[i] = testing_spawn(hasty_main, &senders[i]);
	}
	for (int i = 0; i < 3; i++) {
		testing_join(tasks[i]);
		sent += senders[i].sent;
	}
	CHECK_EQ(weft_fan_close(f), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(testing_join(receivers[i]), -EPIPE);
	CHECK_EQ(weft_fan_join(f, WEFT_FOREVER), 0);
	CHECK_EQ(stats_of(f).in,
	         (uint64_t)sent * (shape.deal == WEFT_FAN_BROADCAST ? 2 : 1));
	CHECK_EQ(stats_of(f).out, stats_of(f).in);
	weft_fan_free(f);
}

TEST(a_send_that_times_out_sends_nothing_and_holds_up_nobody)
{
	for (size_t i = 0; i < SHAPES; i++)
		hurry(shapes[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stop_releases_everyone),
		cmocka_unit_test(a_consumer_may_leave_early),
		cmocka_unit_test(
		        a_fan_in_use_by_nobody_else_may_be_freed_at_any_time),
		cmocka_unit_test(the_function_may_stop_its_own_fan),
		cmocka_unit_test(the_end_of_its_context_stops_a_fan),
		cmocka_unit_test(a_context_may_outlive_its_fan),
		cmocka_unit_test(a_stop_behind_the_end_changes_nothing),
		cmocka_unit_test(
		        a_fan_without_results_has_ended_with_its_workers),
		cmocka_unit_test(a_stop_drops_what_nobody_has_received),
		cmocka_unit_test(a_fan_may_be_stopped_at_any_moment),
		cmocka_unit_test(sends_and_receives_end_at_their_deadline),
		cmocka_unit_test(
		        a_send_that_times_out_sends_nothing_and_holds_up_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
