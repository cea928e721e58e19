/* Tests of how a buffer between producers and consumers ends. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>

#include "producer_consumer_testing.h"
#include "testing/stop.h"

/* --- the end --- */

TEST(the_last_producer_that_is_done_closes)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 4, .producers = 3);
	int item = 5;

	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(stats_of(b).producers, 1u);
	CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_buffer_done(b), -EINVAL);
	item = 0;
	CHECK_EQ(weft_buffer_recv(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(item, 5);
	CHECK_EQ(weft_buffer_recv(b, &item, WEFT_FOREVER), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

/* E3 */
TEST_MANUAL(the_end_reaches_every_consumer)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 4);
	struct weft_task *tasks[5];

	for (int i = 0; i < 5; i++)
		tasks[i] = testing_spawn(take_main, b);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(testing_join(tasks[i]), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

TEST(a_producer_may_attach_while_another_is_not_done)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 4);
	int item = 1;

	CHECK_EQ(stats_of(b).producers, 1u);
	CHECK_EQ(weft_buffer_attach(b), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_done(b), 0);
	CHECK_EQ(weft_buffer_attach(b), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

TEST(a_buffer_that_has_ended_takes_no_producer)
{
	for (int stops = 0; stops < 2; stops++) {
		struct weft_buffer *b = NEW_COUNTING(.cap = 4, .producers = 2);

		CHECK_EQ(stops ? weft_buffer_stop(b) : weft_buffer_close(b), 0);
		CHECK_EQ(weft_buffer_attach(b), -EPIPE);
		/* Those that there were still say so without harm. */
		CHECK_EQ(weft_buffer_done(b), 0);
		CHECK_EQ(weft_buffer_done(b), 0);
		weft_buffer_free(b);
	}
	return 0;
}

/* --- consumers that leave --- */

TEST_MANUAL(the_last_consumer_that_leaves_releases_the_producers)
{
	struct weft_buffer *b = NEW_BUFFER(.cap = 1, .consumers = 2);
	struct weft_task *blocked;
	int item = 1;

	CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), 0);
	blocked = testing_spawn(put_main, b);
	CHECK_EQ(stats_of(b).consumers, 2u);
	CHECK_EQ(weft_buffer_leave(b), 0);
	CHECK_EQ(stats_of(b).consumers, 1u);
	CHECK_EQ(weft_clock_settle(), 0);
	/* One is still there. */
	CHECK_EQ(weft_buffer_recv(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(testing_join(blocked), 0);
	blocked = testing_spawn(put_main, b);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_buffer_leave(b), 0);
	CHECK_EQ(testing_join(blocked), -ECANCELED);
	CHECK_EQ(weft_buffer_leave(b), -EINVAL);
	weft_buffer_free(b);
	return 0;
}

static int return_error(void *arg)
{
	(void)arg;
	return -EDOM;
}

TEST(consumers_that_are_not_counted_cannot_leave)
{
	struct weft_buffer *b = NEW_BUFFER(.cap = 1);
	int item = 1, status = 0;

	CHECK_EQ(weft_buffer_leave(b), -EINVAL);
	CHECK_EQ(weft_buffer_consume(b, return_error, NULL, &status), 0);
	CHECK_EQ(status, -EDOM);
	CHECK_EQ(stats_of(b).consumers, 0u);
	CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), 0);
	weft_buffer_free(b);
	return 0;
}

/* --- a task that dies --- */

static int exit_task(void *arg)
{
	(void)arg;
	weft_task_exit(-ERANGE);
}

static int exit_thread(void *arg)
{
	(void)arg;
	pthread_exit(NULL);
}

/* weft_buffer_produce() or weft_buffer_consume(), and what it says, if it comes
 * back. */
struct mortal {
	struct weft_buffer *b;
	int (*part)(struct weft_buffer *b, weft_task_fn fn, void *arg,
	            int *status);
	weft_task_fn fn;
	int how, status;
};

static int mortal_main(void *arg)
{
	struct mortal *m = arg;

	m->how = m->part(m->b, m->fn, NULL, &m->status);
	return 0;
}

/* E8, either way round: a producer dies and a consumer waits, or the last
 * consumer dies and a producer waits. */
TEST(a_task_that_dies_leaves_nobody_on_the_other_side_waiting)
{
	static const struct {
		weft_task_fn fn;
		int joined, how, status;
	} deaths[] = {
		{ return_error, 0, 0, -EDOM },
		{ exit_task, 0, -ECANCELED, -ERANGE },
		{ exit_thread, -ECANCELED, 0, 0 },
	};

	for (int i = 0; i < 6; i++) {
		bool produces = i % 2;
		struct mortal m = {
			.b = produces ? NEW_COUNTING(.cap = 1)
			              : NEW_BUFFER(.cap = 0, .consumers = 1),
			.part = produces ? weft_buffer_produce
			                 : weft_buffer_consume,
			.fn = deaths[i / 2].fn,
		};
		struct weft_task *other =
		        testing_spawn(produces ? take_main : put_main, m.b);
		struct weft_task *mortal = testing_spawn(mortal_main, &m);

		CHECK_EQ(testing_join(other), produces ? -EPIPE : -ECANCELED);
		CHECK_EQ(testing_join(mortal), deaths[i / 2].joined);
		CHECK_EQ(m.how, deaths[i / 2].how);
		CHECK_EQ(m.status, deaths[i / 2].status);
		weft_buffer_free(m.b);
	}
	return 0;
}

/* --- the reason, and when it is too late for one --- */

TEST(a_closed_buffer_may_still_be_stopped)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 1);
	int item = 1;

	CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_close(b), 0);
	CHECK_EQ(weft_buffer_stop(b), 0);
	CHECK_EQ(weft_buffer_recv(b, &item, WEFT_FOREVER), -ECANCELED);
	weft_buffer_free(b);
	return 0;
}

TEST(every_kind_of_call_gives_the_reason)
{
	struct weft_buffer *b = NEW_COUNTING(.cap = 2);
	int item = 1;
	size_t done;

	CHECK_EQ(weft_buffer_send(b, &item, WEFT_FOREVER), 0);
	CHECK_EQ(weft_buffer_fail(b, -EXDEV), 0);
	CHECK_EQ(weft_buffer_try_send(b, &item), -EXDEV);
	CHECK_EQ(weft_buffer_send_many(b, &item, 1, &done, WEFT_NOW), -EXDEV);
	CHECK_EQ(weft_buffer_try_recv(b, &item), -EXDEV);
	CHECK_EQ(weft_buffer_recv_many(b, &item, 1, &done, WEFT_NOW), -EXDEV);
	CHECK_EQ(weft_buffer_attach(b), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

/* Known without a receive; and from one, of a channel that cannot count. */
TEST(what_is_closed_and_empty_has_ended)
{
	struct weft_buffer *b = NEW_BUFFER(.cap = 64, .consumers = 1);
	int item;

	CHECK_EQ(weft_buffer_close(b), 0);
	CHECK_EQ(weft_buffer_leave(b), 0);
	CHECK_EQ(weft_buffer_recv(b, &item, WEFT_FOREVER), -EPIPE);
	weft_buffer_free(b);

	b = NEW_BUFFER(.impl = weft_chan_impl_find("pipe"), .cap = 64);
	CHECK_EQ(weft_buffer_close(b), 0);
	CHECK_EQ(weft_buffer_recv(b, &item, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_buffer_stop(b), 0);
	CHECK_EQ(weft_buffer_recv(b, &item, WEFT_FOREVER), -EPIPE);
	weft_buffer_free(b);
	return 0;
}

/* A deadline needs the timer of a run. */
TEST_OUTSIDE(a_deadline_outside_of_a_run_is_refused)
{
	struct weft_buffer_opts opts = { .cap = 1, .elem_size = sizeof(int) };
	struct weft_buffer *b = NULL;

	assert_int_equal(weft_ctx_with_timeout(&opts.ctx, NULL, WEFT_SEC), 0);
	assert_int_equal(weft_buffer_new(&b, &opts), -EINVAL);
	assert_null(b);
	weft_ctx_unref(opts.ctx);
}

/* --- at any moment --- */

/* Beyond what the life-cycle suite does: batches, overflow and counted
 * consumers, over any implementation. Items are on the heap: one that is lost
 * is left behind, which testing_run_clean() sees, and one that comes twice is
 * freed twice. */
struct doomed {
	struct weft_buffer *b;
	struct weft_ctx *ctx;
	enum { STOP, CLOSE_AND_STOP, CANCEL, ENDS } how;
	_Atomic uint64_t in, out;
};

static void doomed_drop(void *elem, void *arg)
{
	struct doomed *d = arg;

	free(*(int **)elem);
	weft_fetch_add_relaxed(&d->out, 1u);
}

/* One that does what these options ask for, for any number of tasks. */
static const struct weft_chan_impl *
any_impl(const struct weft_buffer_opts *opts)
{
	const struct weft_chan_impl *impl;
	size_t n = 0;

	while (weft_chan_impl_at(n))
		n++;
	CHECK_LT((size_t)0, n);
	do
		impl = weft_chan_impl_at(weft_rand() % n);
	while ((impl->can & WEFT_NO_DATA) || impl->max_senders ||
	       impl->max_receivers ||
	       weft_chan_impl_accepts(impl, opts->cap, opts->elem_size, NULL,
	                              0));
	return impl;
}

static void *doomed_new(void *arg)
{
	struct doomed *d = calloc(1, sizeof(*d));
	struct weft_buffer_opts opts = {
		.cap = weft_rand() % 4,
		.elem_size = sizeof(int *),
		.producers = 3,
		.consumers = (unsigned)(weft_rand() % 2) * 3,
		.count = weft_rand() % 2,
		.drop = doomed_drop,
		.drop_arg = d,
	};

	(void)arg;
	CHECK(d != NULL);
	CHECK_EQ(weft_ctx_with_cancel(&d->ctx, NULL), 0);
	opts.ctx = d->ctx;
	if (opts.cap > 0)
		opts.overflow = (enum weft_overflow)(weft_rand() % 3);
	opts.impl = any_impl(&opts);
	d->how = weft_rand() % ENDS;
	CHECK_EQ(weft_buffer_new(&d->b, &opts), 0);
	return d;
}

/* One or three items; what is not put is still ours. */
static int doomed_put(struct doomed *d, unsigned id)
{
	int64_t deadline = id == 2 ? weft_deadline_in(1000) : WEFT_FOREVER;
	size_t n = id == 1 ? 3 : 1, done = 0;
	int *items[3], err;

	for (size_t i = 0; i < n; i++) {
		items[i] = malloc(sizeof(*items[i]));
		CHECK(items[i] != NULL);
	}
	if (id == 1) {
		err = weft_buffer_send_many(d->b, items, n, &done, deadline);
	} else {
		err = weft_buffer_send(d->b, items, deadline);
		done = !err;
	}
	weft_fetch_add_relaxed(&d->in, (uint64_t)done);
	while (done < n)
		free(items[done++]);
	return err;
}

static int doomed_take(struct doomed *d, unsigned id)
{
	int64_t deadline = id == 5 ? weft_deadline_in(1000) : WEFT_FOREVER;
	int *items[3], err;
	size_t n;

	if (id == 4) {
		err = weft_buffer_recv_many(d->b, items, 3, &n, deadline);
	} else {
		err = weft_buffer_recv(d->b, items, deadline);
		n = !err;
	}
	weft_fetch_add_relaxed(&d->out, (uint64_t)n);
	while (n > 0)
		free(items[--n]);
	return err;
}

/* Until it ends: by whatever there is of this kind. */
static void doomed_use(void *thing, unsigned id)
{
	struct doomed *d = thing;
	int err = 0;

	while (!err || err == -ETIMEDOUT)
		err = id < 3 ? doomed_put(d, id) : doomed_take(d, id);
	CHECK(err == -ECANCELED || err == -EPIPE);
	if (id < 3)
		CHECK_EQ(weft_buffer_done(d->b), 0);
	else
		weft_buffer_leave(d->b);
}

static void doomed_stop(void *thing)
{
	struct doomed *d = thing;

	if (d->how == CANCEL) {
		CHECK_EQ(weft_ctx_cancel(d->ctx, 0), 0);
		return;
	}
	if (d->how == CLOSE_AND_STOP)
		weft_buffer_close(d->b);
	CHECK_EQ(weft_buffer_stop(d->b), 0);
}

static void doomed_end(void *thing)
{
	struct doomed *d = thing;
	int *item = NULL;
	int err = weft_buffer_send(d->b, &item, WEFT_FOREVER);

	/* What was closed may have been empty by the time of the stop. */
	CHECK(err == -ECANCELED || (err == -EPIPE && d->how == CLOSE_AND_STOP));
	CHECK_EQ(weft_buffer_recv(d->b, &item, WEFT_FOREVER), err);
	weft_buffer_free(d->b);
	CHECK_EQ(weft_load_relaxed(&d->in), weft_load_relaxed(&d->out));
	weft_ctx_unref(d->ctx);
	free(d);
}

TEST(a_buffer_may_be_stopped_at_any_moment)
{
	const struct testing_stop often = { .setup = doomed_new,
		                            .go = doomed_use,
		                            .tasks = 6,
		                            .stop = doomed_stop,
		                            .end = doomed_end };

	testing_stop_often(&often);
	return 0;
}
