/*
 * Tests of the front: the contract in weft/chan.h, over the built-in
 * implementations and over `plain`, an implementation of the test's own that
 * supplies nothing but calls that do not wait. What the front does for a
 * plug-in is thereby tested without one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/atomic.h>
#include <weft/weft.h>

#include "base/check.h"
#include "chan/testing.h"

/* --- plain: a ring under a lock, without waiting --- */

static const struct weft_chan_impl plain = {
	WEFT_CHAN_ABI_HEADER,
	.name = "plain",
	.summary = "for tests",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_TIMEOUT |
	       WEFT_CAN_LEN,
	.max_cap = 1 << 20,
	.create = ring_create,
	.destroy = ring_destroy,
	.try_send = ring_try_send,
	.try_recv = ring_try_recv,
	.close = ring_close,
	.len = ring_len,
};

/* --- how the tests run --- */

/* Those under test: 0 is plain, then the built-in ones. */
static const struct weft_chan_impl *impl_at(size_t i)
{
	return i == 0 ? &plain : weft_chan_impl_at(i - 1);
}

struct job {
	const struct weft_chan_impl *impl;
	size_t cap;
	enum weft_wait wait;
	struct weft_chan *c;
	unsigned senders, receivers, items, batch;
	_Atomic uint64_t count, sum, disorder;
};

static struct weft_chan *make(const struct job *job)
{
	struct weft_chan_opts opts = { .wait = job->wait };
	struct weft_chan *c = NULL;

	CHECK_EQ(
	        weft_chan_new(&c, job->impl, job->cap, sizeof(uint64_t), &opts),
	        0);
	return c;
}

static void run_job(enum weft_clock clock, weft_task_fn fn, struct job *job)
{
	struct weft_run_opts opts = { .clock = clock, .seed = 5 };

	job->c = make(job);
	if (job->impl->cap)
		job->cap = weft_chan_cap(job->c); /* it was rounded up */
	assert_int_equal(weft_run(WEFT_THREADS, &opts, fn, job), 0);
	weft_chan_unref(job->c);
}

/* A bit for `without`: limits on the tasks at once. */
#define LIMITED (UINT64_C(1) << 63)

static bool has_any(const struct weft_chan_impl *impl, uint64_t what)
{
	bool limited = impl->max_senders || impl->max_receivers;

	return (impl->can & what) || ((what & LIMITED) && limited);
}

/* fn over every implementation, capacity that it can have, and way to wait.
 * The unbounded ones are left to the conformance suite. */
static void over_all(enum weft_clock clock, uint64_t without, weft_task_fn fn)
{
	static const size_t caps[] = { 0, 1, 2, 7, 64 };
	const struct weft_chan_impl *impl;

	for (size_t i = 0; (impl = impl_at(i)); i++) {
		if (has_any(impl, without | WEFT_CAN_UNBOUNDED | WEFT_NO_DATA))
			continue;
		for (size_t k = 0; k < 15; k++) {
			struct job job = { .impl = impl,
				           .cap = caps[k / 3],
				           .wait = (enum weft_wait)(k % 3) };

			if (weft_chan_impl_accepts(impl, job.cap, 8, NULL, 0))
				continue;
			run_job(clock, fn, &job);
		}
	}
}

/* --- the table of states --- */

static int table_body(void *arg)
{
	struct job *job = arg;
	struct weft_chan *c = job->c;
	uint64_t v;

	CHECK_LE(job->cap, weft_chan_cap(c));
	CHECK_EQ(weft_chan_elem_size(c), sizeof(v));
	CHECK(weft_chan_impl_of(c) == job->impl);
	CHECK_EQ(weft_chan_try_recv(c, &v), -EAGAIN);
	CHECK_EQ(weft_chan_recv(c, &v, WEFT_NOW), -ETIMEDOUT);
	for (v = 0; v < job->cap; v++) {
		if (job->impl->can & WEFT_CAN_LEN)
			CHECK_EQ(weft_chan_len(c), v);
		CHECK_EQ(weft_chan_send(c, &v, WEFT_NOW), 0);
	}
	v = 99;
	CHECK_EQ(weft_chan_try_send(c, &v), -EAGAIN);
	CHECK_EQ(weft_chan_send(c, &v, WEFT_NOW), -ETIMEDOUT);
	if (job->impl->can & WEFT_CAN_LEN)
		CHECK_EQ(weft_chan_len(c), job->cap);
	CHECK_EQ(weft_chan_close(c), 0);
	CHECK_EQ(weft_chan_close(c), -EPIPE);
	CHECK_EQ(weft_chan_try_send(c, &v), -EPIPE);
	CHECK_EQ(weft_chan_send(c, &v, WEFT_FOREVER), -EPIPE);
	for (uint64_t i = 0; i < job->cap; i++) {
		CHECK_EQ(weft_chan_recv(c, &v, WEFT_FOREVER), 0);
		CHECK_EQ(v, i);
	}
	v = 77;
	CHECK_EQ(weft_chan_try_recv(c, &v), -EPIPE);
	CHECK_EQ(weft_chan_recv(c, &v, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_chan_recv(c, &v, WEFT_NOW), -EPIPE);
	CHECK_EQ(v, 77u);
	return 0;
}

static void each_state_answers_as_documented(void **state)
{
	(void)state;
	over_all(WEFT_CLOCK_MONOTONIC, 0, table_body);
}

/* --- conservation and order --- */

static int sender(void *arg)
{
	struct job *job = arg;
	uint64_t id = weft_fetch_add_relaxed(&job->count, 1u) << 32;

	for (uint64_t i = 1; i <= job->items; i++) {
		uint64_t v = id | i;

		CHECK_EQ(weft_chan_send(job->c, &v, WEFT_FOREVER), 0);
	}
	return 0;
}

static int receiver(void *arg)
{
	struct job *job = arg;
	uint64_t last[16] = { 0 }, v, sum = 0;
	int err;

	while ((err = weft_chan_recv(job->c, &v, WEFT_FOREVER)) == 0) {
		if (v <= last[v >> 32])
			weft_fetch_add_relaxed(&job->disorder, 1u);
		last[v >> 32] = v;
		sum += v & UINT32_MAX;
	}
	CHECK_EQ(err, -EPIPE);
	weft_fetch_add_relaxed(&job->sum, sum);
	return 0;
}

static void spawn_n(struct weft_task **t, unsigned n, weft_task_fn fn,
                    void *arg)
{
	for (unsigned i = 0; i < n; i++)
		CHECK_EQ(weft_spawn(&t[i], NULL, fn, arg), 0);
}

static void join_n(struct weft_task **t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CHECK_EQ(weft_join(t[i], NULL), 0);
}

static int traffic_body(void *arg)
{
	struct job *job = arg;
	struct weft_task *s[16], *r[16];
	uint64_t n;

	job->senders = job->impl->max_senders ? 1 : 3;
	job->receivers = job->impl->max_receivers ? 1 : 3;
	job->items = job->impl->can & WEFT_BLOCKS_THREAD ? 150 : 400;
	spawn_n(r, job->receivers, receiver, job);
	spawn_n(s, job->senders, sender, job);
	join_n(s, job->senders);
	CHECK_EQ(weft_chan_close(job->c), 0);
	join_n(r, job->receivers);
	n = job->items;
	CHECK_EQ(weft_load_relaxed(&job->sum),
	         job->senders * (n * (n + 1) / 2));
	CHECK_EQ(weft_load_relaxed(&job->disorder), 0u);
	return 0;
}

static void nothing_is_lost_doubled_or_reordered(void **state)
{
	(void)state;
	over_all(WEFT_CLOCK_MONOTONIC, 0, traffic_body);
}

/* --- deadlines, on the manual clock --- */

struct timed {
	struct job *job;
	int64_t deadline_ns;
	int want;
	bool send;
};

static int timed_call(void *arg)
{
	struct timed *t = arg;
	uint64_t v = 1;
	int err = t->send ? weft_chan_send(t->job->c, &v, t->deadline_ns)
	                  : weft_chan_recv(t->job->c, &v, t->deadline_ns);

	CHECK_EQ(err, t->want);
	CHECK(err != -ETIMEDOUT || weft_now() >= t->deadline_ns);
	return 0;
}

static int deadline_body(void *arg)
{
	struct job *job = arg;
	int64_t now = weft_now();
	struct timed gives_up = { job, now + 10, -ETIMEDOUT, false };
	struct timed succeeds = { job, now + 20, 0, false };
	struct timed times_out = { job, now + 30, -ETIMEDOUT, true };
	struct weft_task *t[2];
	uint64_t v = 1;

	if (job->wait == WEFT_WAIT_SPIN)
		return 0; /* never parked, so settle would not return */
	CHECK_EQ(weft_spawn(&t[0], NULL, timed_call, &gives_up), 0);
	CHECK_EQ(weft_spawn(&t[1], NULL, timed_call, &succeeds), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(10), 0);
	CHECK_EQ(weft_join(t[0], NULL), 0);
	CHECK_EQ(weft_chan_send(job->c, &v, WEFT_FOREVER), 0);
	CHECK_EQ(weft_join(t[1], NULL), 0);

	for (size_t i = 0; i < job->cap; i++)
		CHECK_EQ(weft_chan_try_send(job->c, &v), 0);
	CHECK_EQ(weft_spawn(&t[0], NULL, timed_call, &times_out), 0);
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(weft_clock_advance(20), 0);
	CHECK_EQ(weft_join(t[0], NULL), 0);
	/* What timed out is never delivered. */
	CHECK_EQ(weft_chan_close(job->c), 0);
	for (size_t i = 0; i < job->cap; i++)
		CHECK_EQ(weft_chan_try_recv(job->c, &v), 0);
	CHECK_EQ(weft_chan_try_recv(job->c, &v), -EPIPE);
	return 0;
}

static void deadlines_are_kept_and_leave_nothing_behind(void **state)
{
	(void)state;
	over_all(WEFT_CLOCK_MANUAL, WEFT_BLOCKS_THREAD | LIMITED,
	         deadline_body);
}

static int expired_body(void *arg)
{
	struct job *job = arg;
	uint64_t v = 1;

	if (job->cap == 0)
		return 0;
	CHECK_EQ(weft_chan_send(job->c, &v, 1), 0);
	CHECK_EQ(weft_chan_recv(job->c, &v, 1), 0);
	return 0;
}

static void an_expired_deadline_still_takes_what_is_there(void **state)
{
	(void)state;
	over_all(WEFT_CLOCK_MONOTONIC, 0, expired_body);
}

static int blocked_timeout_body(void *arg)
{
	struct job *job = arg;
	int64_t until = weft_deadline_in(WEFT_MS);
	uint64_t v;

	CHECK_EQ(weft_chan_recv(job->c, &v, until), -ETIMEDOUT);
	CHECK_LE(until, weft_now());
	return 0;
}

static void a_real_deadline_is_not_early(void **state)
{
	(void)state;
	over_all(WEFT_CLOCK_MONOTONIC, 0, blocked_timeout_body);
}

/* --- close --- */

static int expects_epipe(void *arg)
{
	struct timed *t = arg;

	return timed_call(t);
}

static int close_body(void *arg)
{
	struct job *job = arg;
	struct timed recv = { job, WEFT_FOREVER, -EPIPE, false };
	struct timed send = { job, WEFT_FOREVER, -EPIPE, true };
	struct weft_task *t[20];
	uint64_t v = 3;
	bool full = job->wait == WEFT_WAIT_PARK;

	/* Senders on a full channel, or receivers on an empty one. */
	for (size_t i = 0; full && i < job->cap; i++)
		CHECK_EQ(weft_chan_try_send(job->c, &v), 0);
	spawn_n(t, 20, expects_epipe, full ? &send : &recv);
	if (weft_clock_settle() != 0)
		for (int i = 0; i < 50; i++)
			weft_yield(); /* some wait, some have not begun */
	CHECK_EQ(weft_chan_close(job->c), 0);
	join_n(t, 20);
	if (full && (job->impl->can & WEFT_CAN_LEN))
		CHECK_EQ(weft_chan_len(job->c), job->cap);
	return 0;
}

static int close_body_settled(void *arg)
{
	struct job *job = arg;

	return job->wait == WEFT_WAIT_SPIN ? 0 : close_body(arg);
}

static void close_wakes_everyone(void **state)
{
	(void)state;
	over_all(WEFT_CLOCK_MANUAL, WEFT_BLOCKS_THREAD | LIMITED,
	         close_body_settled);
	over_all(WEFT_CLOCK_MONOTONIC, LIMITED, close_body);
}

static int closer(void *arg)
{
	struct job *job = arg;

	return weft_chan_close(job->c);
}

static int many_closers_body(void *arg)
{
	struct job *job = arg;
	struct weft_task *t[4];
	int status, won = 0;

	spawn_n(t, 4, closer, job);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(weft_join(t[i], &status), 0);
		CHECK(status == 0 || status == -EPIPE);
		won += status == 0;
	}
	CHECK_EQ(won, 1);
	return 0;
}

static void exactly_one_close_succeeds(void **state)
{
	(void)state;
	over_all(WEFT_CLOCK_MONOTONIC, 0, many_closers_body);
}

/* --- notifications are passed on --- */

/*
 * A waiter that gives up at the moment it is notified must hand the
 * notification to the next. Deadlines in step with the sends make the two
 * meet; a lost one leaves an item in the channel with the last receiver
 * asleep, which the watch of ctest ends.
 */
static int impatient(void *arg)
{
	struct job *job = arg;
	uint64_t v;

	for (;;) {
		int64_t soon =
		        weft_deadline_in((int64_t)(weft_rand() % 64) * WEFT_US);
		int err = weft_chan_recv(job->c, &v, soon);

		if (err == -EPIPE)
			return 0;
		CHECK(err == 0 || err == -ETIMEDOUT);
		if (err == 0)
			weft_fetch_add_relaxed(&job->count, 1u);
	}
}

static int patient(void *arg)
{
	struct job *job = arg;
	uint64_t v;

	while (weft_chan_recv(job->c, &v, WEFT_FOREVER) == 0)
		weft_fetch_add_relaxed(&job->count, 1u);
	return 0;
}

static int pass_on_body(void *arg)
{
	struct job *job = arg;
	struct weft_task *t[3];
	uint64_t v = 1;

	if (job->wait == WEFT_WAIT_SPIN)
		return 0;
	spawn_n(t, 2, impatient, job);
	spawn_n(&t[2], 1, patient, job);
	for (uint64_t sent = 1; sent <= 300; sent++) {
		CHECK_EQ(weft_chan_send(job->c, &v, WEFT_FOREVER), 0);
		/* Nobody else sends: each item must be taken without it. */
		while (weft_load_acquire(&job->count) != sent)
			weft_yield();
	}
	CHECK_EQ(weft_chan_close(job->c), 0);
	join_n(t, 3);
	return 0;
}

static void a_waiter_that_gives_up_passes_its_wake_up_on(void **state)
{
	(void)state;
	over_all(WEFT_CLOCK_MONOTONIC, LIMITED, pass_on_body);
}

/* --- many at once --- */

static int batch_body(void *arg)
{
	struct job *job = arg;
	uint64_t out[100], in[100], next = 0;
	size_t done = 9, fits = job->cap < 100 ? job->cap : 100;

	CHECK_EQ(weft_chan_recv_many(job->c, in, 0, &done, WEFT_FOREVER), 0);
	CHECK_EQ(done, 0u);
	for (size_t i = 0; i < 100; i++)
		out[i] = i;
	CHECK_EQ(weft_chan_send_many(job->c, out, 100, &done, WEFT_NOW),
	         fits == 100 ? 0 : -ETIMEDOUT);
	CHECK_EQ(done, fits);
	CHECK_EQ(weft_chan_close(job->c), 0);
	while (weft_chan_recv_many(job->c, in, 3, &done, WEFT_FOREVER) == 0) {
		CHECK(done >= 1 && done <= 3);
		for (size_t i = 0; i < done; i++)
			CHECK_EQ(in[i], next++);
	}
	CHECK_EQ(done, 0u);
	CHECK_EQ(next, fits);
	CHECK_EQ(weft_chan_send_many(job->c, out, 2, &done, WEFT_NOW), -EPIPE);
	CHECK_EQ(done, 0u);
	return 0;
}

static void batches_report_exactly_what_they_moved(void **state)
{
	(void)state;
	over_all(WEFT_CLOCK_MONOTONIC, 0, batch_body);
}

static int sends_hundred(void *arg)
{
	struct job *job = arg;
	uint64_t out[100];
	size_t done;

	for (uint64_t i = 0; i < 100; i++)
		out[i] = i;
	CHECK_EQ(weft_chan_send_many(job->c, out, 100, &done, WEFT_FOREVER), 0);
	CHECK_EQ(done, 100u);
	return weft_chan_close(job->c);
}

static int batch_through_body(void *arg)
{
	struct job *job = arg;
	uint64_t in[7], next = 0;
	struct weft_task *t;
	size_t done;

	CHECK_EQ(weft_spawn(&t, NULL, sends_hundred, job), 0);
	while (weft_chan_recv_many(job->c, in, 7, &done, WEFT_FOREVER) == 0)
		for (size_t i = 0; i < done; i++)
			CHECK_EQ(in[i], next++);
	CHECK_EQ(next, 100u);
	return weft_join(t, NULL);
}

static void batches_larger_than_the_channel_go_through(void **state)
{
	(void)state;
	over_all(WEFT_CLOCK_MONOTONIC, 0, batch_through_body);
}

/* --- life and death --- */

static uint64_t dropped;

static void on_drop(void *elem, void *arg)
{
	CHECK_EQ((uintptr_t)elem % WEFT_CACHE_LINE, 0u);
	CHECK_EQ(*(uint64_t *)elem, dropped);
	dropped++;
	CHECK(arg == &dropped);
}

static void the_last_unref_drops_what_is_left_in_order(void **state)
{
	struct weft_chan_opts opts = { .drop = on_drop, .drop_arg = &dropped };
	const struct weft_chan_impl *impl;

	(void)state;
	for (size_t i = 0; (impl = impl_at(i)); i++) {
		struct weft_chan *c;

		if (impl->can & WEFT_NO_DATA)
			continue;
		dropped = 0;
		assert_int_equal(weft_chan_new(&c, impl, 5, 8, &opts), 0);
		for (uint64_t v = 0; v < 5; v++)
			assert_int_equal(weft_chan_try_send(c, &v), 0);
		assert_ptr_equal(weft_chan_ref(c), c);
		weft_chan_unref(c);
		assert_int_equal(dropped, 0);
		weft_chan_unref(c);
		assert_int_equal(dropped, 5);
	}
	weft_chan_unref(NULL);
	assert_null(weft_chan_ref(NULL));
}

static void elements_of_any_size_arrive_whole(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 7, 8, 16, 64, 4096 };
	static unsigned char out[4096], in[4096];
	const struct weft_chan_impl *impl;

	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (unsigned char)(i * 7 + i / 256);
	for (size_t i = 0; (impl = impl_at(i)); i++)
		for (size_t s = 0; s < 8; s++) {
			struct weft_chan *c;

			if (weft_chan_impl_accepts(impl, 3, sizes[s], NULL,
			                           0) ||
			    (impl->can & WEFT_NO_DATA))
				continue;
			memset(in, 0, sizeof(in));
			assert_int_equal(
			        weft_chan_new(&c, impl, 3, sizes[s], NULL), 0);
			assert_int_equal(weft_chan_try_send(c, out), 0);
			assert_int_equal(weft_chan_try_recv(c, in), 0);
			assert_memory_equal(in, out, sizes[s]);
			assert_int_equal(in[sizes[s] % 4096] == 0 ||
			                         sizes[s] == 4096,
			                 1);
			weft_chan_unref(c);
		}
}

static void zero_bytes_need_no_pointer(void **state)
{
	struct weft_chan *c;

	(void)state;
	assert_int_equal(weft_chan_new(&c, &plain, 1, 0, NULL), 0);
	assert_int_equal(weft_chan_try_send(c, NULL), 0);
	assert_int_equal(weft_chan_try_send(c, NULL), -EAGAIN);
	assert_int_equal(weft_chan_try_recv(c, NULL), 0);
	weft_chan_unref(c);
}

/* --- nonsense is refused and changes nothing --- */

static void null_is_refused(void **state)
{
	struct weft_chan_stats stats;
	struct weft_chan *c;
	uint64_t v = 0;
	size_t done;

	(void)state;
	assert_int_equal(weft_chan_send(NULL, &v, WEFT_NOW), -EINVAL);
	assert_int_equal(weft_chan_recv(NULL, &v, WEFT_NOW), -EINVAL);
	assert_int_equal(weft_chan_try_send(NULL, &v), -EINVAL);
	assert_int_equal(weft_chan_try_recv(NULL, &v), -EINVAL);
	assert_int_equal(weft_chan_close(NULL), -EINVAL);
	assert_int_equal(weft_chan_len(NULL), 0);
	assert_int_equal(weft_chan_cap(NULL), 0);
	assert_null(weft_chan_impl_of(NULL));
	weft_chan_stats(NULL, &stats);
	assert_int_equal(stats.parks, 0);

	assert_int_equal(weft_chan_new(&c, &plain, 1, 8, NULL), 0);
	assert_int_equal(weft_chan_send(c, NULL, WEFT_NOW), -EINVAL);
	assert_int_equal(weft_chan_recv(c, NULL, WEFT_NOW), -EINVAL);
	assert_int_equal(weft_chan_send_many(c, NULL, 1, &done, WEFT_NOW),
	                 -EINVAL);
	assert_int_equal(weft_chan_send_many(c, &v, 1, NULL, WEFT_NOW),
	                 -EINVAL);
	assert_int_equal(weft_chan_recv_many(c, NULL, 1, &done, WEFT_NOW),
	                 -EINVAL);
	assert_int_equal(weft_chan_len(c), 0);
	weft_chan_unref(c);
}

static void channels_that_cannot_be_are_refused(void **state)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");
	struct weft_chan_opts bad = { .wait = (enum weft_wait)7 };
	struct weft_chan *c = NULL;
	char why[200];

	(void)state;
	assert_int_equal(weft_chan_new(NULL, handoff, 1, 8, NULL), -EINVAL);
	assert_int_equal(weft_chan_new(&c, NULL, 1, 8, NULL), -EINVAL);
	assert_int_equal(weft_chan_new(&c, handoff, 1, 8, &bad), -EINVAL);
	assert_int_equal(weft_chan_new(&c, handoff, 1, 4097, NULL), -EINVAL);
	assert_int_equal(weft_chan_new(&c, &plain, 0, 8, NULL), -EINVAL);
	assert_int_equal(weft_chan_new(&c, handoff, SIZE_MAX / 4, 8, NULL),
	                 -ENOMEM);
	assert_null(c);

	assert_int_equal(weft_chan_impl_accepts(&plain, 0, 8, why, sizeof(why)),
	                 -EINVAL);
	assert_string_equal(why, "channel plain cannot have capacity 0 "
	                         "(allowed: 1..1048576)");
	assert_int_equal(
	        weft_chan_impl_accepts(handoff, 1, 5000, why, sizeof(why)),
	        -EINVAL);
	assert_string_equal(why, "channel handoff cannot carry elements of "
	                         "5000 bytes (allowed: 0..4096)");
}

static void each_capability_has_a_name_of_its_own(void **state)
{
	const char *name, *other;
	uint64_t last = WEFT_CAN_START;

	(void)state;
	for (uint64_t bit = 1; bit <= last; bit <<= 1) {
		name = weft_chan_can_name(bit);
		assert_non_null(name);
		for (uint64_t b = 1; b < bit; b <<= 1) {
			other = weft_chan_can_name(b);
			assert_string_not_equal(name, other);
			assert_null(weft_chan_can_name(bit | b));
		}
	}
	assert_null(weft_chan_can_name(0));
	assert_null(weft_chan_can_name(last << 1));
	assert_null(weft_chan_can_name(UINT64_C(1) << 63));
	assert_string_equal(weft_chan_can_name(WEFT_CAN_FIFO), "fifo");
}

static void built_in_ones_are_found_by_name_and_in_order(void **state)
{
	const struct weft_chan_impl *impl, *last = NULL;

	(void)state;
	for (size_t i = 0; (impl = weft_chan_impl_at(i)); i++) {
		assert_ptr_equal(weft_chan_impl_find(impl->name), impl);
		if (last)
			assert_true(strcmp(last->name, impl->name) < 0);
		last = impl;
	}
	assert_non_null(last);
	assert_null(weft_chan_impl_find("no such channel"));
	assert_null(weft_chan_impl_find(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_answers_as_documented),
		cmocka_unit_test(nothing_is_lost_doubled_or_reordered),
		cmocka_unit_test(deadlines_are_kept_and_leave_nothing_behind),
		cmocka_unit_test(an_expired_deadline_still_takes_what_is_there),
		cmocka_unit_test(a_real_deadline_is_not_early),
		cmocka_unit_test(close_wakes_everyone),
		cmocka_unit_test(exactly_one_close_succeeds),
		cmocka_unit_test(a_waiter_that_gives_up_passes_its_wake_up_on),
		cmocka_unit_test(batches_report_exactly_what_they_moved),
		cmocka_unit_test(batches_larger_than_the_channel_go_through),
		cmocka_unit_test(the_last_unref_drops_what_is_left_in_order),
		cmocka_unit_test(elements_of_any_size_arrive_whole),
		cmocka_unit_test(zero_bytes_need_no_pointer),
		cmocka_unit_test(null_is_refused),
		cmocka_unit_test(channels_that_cannot_be_are_refused),
		cmocka_unit_test(each_capability_has_a_name_of_its_own),
		cmocka_unit_test(built_in_ones_are_found_by_name_and_in_order),
	};

	return cmocka_run_group_tests_name("chan", tests, NULL, NULL);
}
