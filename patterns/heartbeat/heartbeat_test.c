/*
 * Tests of the monitor. How it ends is tested by its life.c; the numbers are
 * those of the requirements:
 *
 *	E1  what has never beaten is healthy
 *	E3  what is missed is dead
 *	E4  what is dead revives with its next beat
 *	E7  a beat at the very moment; each death is reported once
 *	E8  a monitor that stops delays no worker; leaving is not dying
 *	E9  a monitor that was held up looks again
 *	E12 tests wait for the first beat
 *
 * E2 to E6 are in heartbeat_phi_test.c, too.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>

#include "monitor.h"
#include "testing/cost.h"
#include "testing/testing.h"

#define INTERVAL (100 * WEFT_MS)
#define LOOK (50 * WEFT_MS)
#define TIMEOUT (250 * WEFT_MS)
#define REPORTS 256

static const struct weft_monitor_opts usual = { .interval_ns = INTERVAL,
	                                        .timeout_ns = TIMEOUT,
	                                        .look_ns = LOOK };

/* A monitor, and the task that receives from it. */
struct rig {
	struct weft_monitor *m;
	struct weft_task *task;
	struct weft_heart_report got[REPORTS];
	int n, told; /* of them, told: expected so far */
	void (*on_report)(struct rig *rig, const struct weft_heart_report *r);
	void *arg;
};

static int receive(void *arg)
{
	struct rig *rig = arg;
	struct weft_heart_report r;
	int err;

	while (!(err = weft_monitor_recv(rig->m, &r, WEFT_FOREVER))) {
		CHECK_LT(rig->n, REPORTS);
		rig->got[rig->n++] = r;
		if (rig->on_report)
			rig->on_report(rig, &r);
	}
	return err;
}

static struct weft_monitor *make(const struct weft_monitor_opts *opts)
{
	struct weft_monitor *m;

	CHECK_EQ(weft_monitor_new(&m, opts), 0);
	return m;
}

static struct weft_heart *heart(struct weft_monitor *m, void *arg)
{
	struct weft_heart *h;

	CHECK_EQ(weft_heart_new(&h, m, arg), 0);
	return h;
}

static void begin(struct rig *rig, const struct weft_monitor_opts *opts)
{
	*rig = (struct rig){ .m = make(opts) };
	rig->task = testing_spawn(receive, rig);
	CHECK_EQ(weft_clock_settle(), 0);
}

/* There was no report that was not expected. */
static void end(struct rig *rig)
{
	CHECK_EQ(weft_clock_settle(), 0);
	CHECK_EQ(rig->n, rig->told);
	CHECK_EQ(weft_monitor_stop(rig->m), 0);
	CHECK_EQ(testing_join(rig->task), -ECANCELED);
	weft_monitor_free(rig->m);
}

/* Time passes, look by look, and nobody beats. */
static void pass(int64_t ns)
{
	for (; ns >= LOOK; ns -= LOOK)
		testing_pass(LOOK);
	testing_pass(ns);
}

static void beats(struct weft_heart *h)
{
	CHECK_EQ(weft_heart_beat(h), 0);
}

/* For so long, h beats once a look. */
static void pass_beating(struct weft_heart *h, int64_t ns)
{
	for (; ns > 0; ns -= LOOK) {
		beats(h);
		testing_pass(LOOK);
	}
}

static struct weft_heart_stats stats(struct weft_heart *h)
{
	struct weft_heart_stats out;

	CHECK_EQ(weft_heart_stats(h, &out), 0);
	return out;
}

/* The next report is this one. */
static void expect(struct rig *rig, enum weft_heart_event event, void *arg)
{
	CHECK_LT(rig->told, rig->n);
	CHECK(rig->got[rig->told].event == event);
	CHECK(rig->got[rig->told].arg == arg);
	rig->told++;
}

static void expect_none(const struct rig *rig)
{
	CHECK_EQ(rig->n, rig->told);
}

/* --- one heart --- */

TEST_MANUAL(E1_what_has_never_beaten_is_healthy)
{
	struct weft_monitor_opts opts = usual;

	for (int phi = 0; phi < 2; phi++) {
		struct weft_heart *h;
		struct rig rig;

		opts.detector = phi ? WEFT_DETECT_PHI : WEFT_DETECT_DEADLINE;
		begin(&rig, &opts);
		h = heart(rig.m, NULL);
		pass(10 * TIMEOUT);
		CHECK(stats(h).state == WEFT_HEART_UNKNOWN);
		CHECK_EQ(stats(h).silent_ns, 0);
		CHECK(stats(h).phi == 0);
		end(&rig);
	}
	return 0;
}

/* Seen by the look at LOOK, so overdue at LOOK + TIMEOUT: a whole number of
 * looks, and on time. */
TEST_MANUAL(E3_what_is_silent_for_the_timeout_is_dead)
{
	struct rig rig;
	struct weft_heart *h;
	int64_t beat_ns;

	begin(&rig, &usual);
	h = heart(rig.m, &rig);
	beat_ns = weft_now();
	beats(h);
	pass(LOOK + TIMEOUT - 1);
	CHECK(stats(h).state == WEFT_HEART_ALIVE);
	expect_none(&rig);
	testing_pass(1);
	expect(&rig, WEFT_HEART_DIED, &rig);
	CHECK(stats(h).state == WEFT_HEART_DEAD);
	CHECK_EQ(rig.got[0].beats, 1u);
	CHECK_EQ(rig.got[0].silent_ns, TIMEOUT);
	CHECK_EQ(rig.got[0].at_ns - beat_ns, LOOK + TIMEOUT);
	CHECK(rig.got[0].phi == 0);
	end(&rig);
	return 0;
}

/* Whatever the phase of the beat: not before the timeout, and no later than
 * after it and two looks. */
TEST_MANUAL(a_death_is_noticed_within_two_looks)
{
	for (int64_t phase = 0; phase < LOOK; phase += LOOK / 7) {
		struct rig rig;
		struct weft_heart *h;
		int64_t beat_ns, late;

		begin(&rig, &usual);
		h = heart(rig.m, NULL);
		testing_pass(phase);
		beat_ns = weft_now();
		beats(h);
		testing_pass(LOOK - phase);
		pass(TIMEOUT + 2 * LOOK);
		expect(&rig, WEFT_HEART_DIED, NULL);
		late = rig.got[0].at_ns - beat_ns - TIMEOUT;
		CHECK_LE(0, late);
		CHECK_LE(late, 2 * LOOK);
		end(&rig);
	}
	return 0;
}

TEST_MANUAL(E4_what_is_dead_revives_with_its_next_beat)
{
	struct weft_monitor_stats all;
	struct rig rig;
	struct weft_heart *h;

	begin(&rig, &usual);
	h = heart(rig.m, NULL);
	for (int i = 0; i < 3; i++) {
		pass_beating(h, TIMEOUT);
		pass(20 * TIMEOUT);
		expect(&rig, WEFT_HEART_DIED, NULL); /* once */
		expect_none(&rig);
		beats(h);
		pass(LOOK);
		expect(&rig, WEFT_HEART_REVIVED, NULL);
		CHECK_LE(19 * TIMEOUT, rig.got[rig.told - 1].silent_ns);
	}
	CHECK_EQ(weft_monitor_stats(rig.m, &all), 0);
	CHECK_EQ(all.deaths, 3u);
	CHECK_EQ(all.revivals, 3u);
	CHECK_EQ(all.alive, 1u);
	CHECK_EQ(all.late_looks, 0u);
	end(&rig);
	return 0;
}

TEST_MANUAL(E7_a_beat_at_the_last_moment_is_in_time)
{
	for (int kind = 0; kind < 2; kind++) {
		struct weft_monitor_opts opts = usual;
		struct rig rig;
		struct weft_heart *h;

		opts.beat = kind ? WEFT_BEAT_CHAN : WEFT_BEAT_STORE;
		begin(&rig, &opts);
		h = heart(rig.m, NULL);
		for (int i = 0; i < 5; i++) {
			beats(h);
			pass(LOOK);
			pass(TIMEOUT - 1);
			beats(h); /* overdue in a nanosecond */
			testing_pass(1);
			CHECK(stats(h).state == WEFT_HEART_ALIVE);
		}
		end(&rig);
	}
	return 0;
}

/* --- a monitor that is late, stops or is not there --- */

TEST_MANUAL(E9_a_monitor_that_was_held_up_looks_again)
{
	struct weft_monitor_stats all;
	struct rig rig;
	struct weft_heart *h, *other;

	begin(&rig, &usual);
	h = heart(rig.m, &h);
	other = heart(rig.m, &other);
	beats(h);
	beats(other);
	pass(LOOK);
	testing_pass(10 * TIMEOUT); /* in one leap: nobody could run */
	expect_none(&rig);
	CHECK(stats(h).state == WEFT_HEART_SUSPECT);
	beats(other);
	pass(LOOK);
	expect(&rig, WEFT_HEART_DIED, &h);
	CHECK(stats(other).state == WEFT_HEART_ALIVE);
	CHECK_EQ(weft_monitor_stats(rig.m, &all), 0);
	CHECK_EQ(all.suspicions, 2u);
	CHECK_EQ(all.late_looks, 1u);
	end(&rig);
	return 0;
}

/* It is held up by the report of one death while the next is due. */
static void hold_up(struct rig *rig, const struct weft_heart_report *r)
{
	(void)r;
	if (rig->n == 1)
		weft_sleep_until(weft_deadline_in(10 * TIMEOUT));
}

TEST_MANUAL(E9_beats_that_are_pending_count)
{
	for (int kind = 0; kind < 2; kind++) {
		struct weft_monitor_opts opts = usual;
		struct weft_heart *dies, *lives;
		struct rig rig;

		opts.beat = kind ? WEFT_BEAT_CHAN : WEFT_BEAT_STORE;
		begin(&rig, &opts);
		rig.on_report = hold_up;
		dies = heart(rig.m, &dies);
		lives = heart(rig.m, &lives);
		beats(dies);
		pass_beating(lives, LOOK + TIMEOUT);
		expect(&rig, WEFT_HEART_DIED, &dies);
		pass_beating(lives, 20 * TIMEOUT);
		CHECK(stats(lives).state == WEFT_HEART_ALIVE);
		end(&rig);
	}
	return 0;
}

/* A channel of the test's: the monitor loses its CPU once, after it has read
 * the clock and before it takes a pulse, which is sent meanwhile. */
static struct weft_heart *meanwhile;
static int64_t sent_ns;

static int recv_late(void *state, void *elem)
{
	if (meanwhile) {
		CHECK_EQ(weft_clock_advance(TIMEOUT - LOOK), 0);
		sent_ns = weft_now();
		beats(meanwhile);
		meanwhile = NULL;
	}
	return testing_one_to_one.try_recv(state, elem);
}

TEST_MANUAL(E9_a_silence_begins_no_earlier_than_the_beat)
{
	struct weft_chan_impl late = testing_one_to_one;
	struct weft_monitor_opts opts = usual;
	struct rig rig;

	late.try_recv = recv_late;
	opts.beat = WEFT_BEAT_CHAN;
	opts.impl = &late;
	begin(&rig, &opts);
	meanwhile = heart(rig.m, NULL);
	pass(2 * TIMEOUT);
	expect(&rig, WEFT_HEART_DIED, NULL);
	CHECK_LE(rig.got[0].silent_ns, rig.got[0].at_ns - sent_ns);
	CHECK_LE(TIMEOUT, rig.got[0].at_ns - sent_ns);
	end(&rig);
	return 0;
}

/* Whatever the monitor does, and however full the channel is. */
TEST_MANUAL(E8_a_monitor_that_stops_delays_no_worker)
{
	for (int kind = 0; kind < 2; kind++) {
		struct weft_monitor_opts opts = usual;
		struct weft_monitor *m;
		struct weft_heart *h;

		opts.beat = kind ? WEFT_BEAT_CHAN : WEFT_BEAT_STORE;
		opts.cap = 3;
		m = make(&opts);
		h = heart(m, NULL);
		for (int i = 0; i < 10; i++) /* it does not look */
			beats(h);
		CHECK_EQ(stats(h).beats, 10u);
		CHECK_EQ(stats(h).dropped, kind ? 7u : 0u);
		CHECK_EQ(weft_monitor_stop(m), 0);
		CHECK_EQ(weft_heart_beat(h), -ECANCELED);
		CHECK_EQ(weft_heart_sleep(h, weft_deadline_in(0)), 0);
		weft_heart_free(h);
		weft_monitor_free(m);
	}
	return 0;
}

TEST_MANUAL(E8_leaving_is_not_dying)
{
	struct weft_monitor_stats all;
	struct rig rig;
	struct weft_heart *h;

	begin(&rig, &usual);
	h = heart(rig.m, NULL);
	pass_beating(h, TIMEOUT);
	weft_heart_free(h);
	pass(10 * TIMEOUT);
	expect_none(&rig);
	h = heart(rig.m, NULL);
	beats(h);
	pass(LOOK + TIMEOUT);
	expect(&rig, WEFT_HEART_DIED, NULL);
	weft_heart_free(h); /* known to be dead */
	pass(TIMEOUT);
	CHECK_EQ(weft_monitor_stats(rig.m, &all), 0);
	CHECK_EQ(all.hearts, 0u);
	end(&rig);
	return 0;
}

/* --- many hearts --- */

#define HEARTS 100

TEST_MANUAL(one_monitor_looks_after_many)
{
	struct weft_heart *h[HEARTS];
	struct rig rig;

	begin(&rig, &usual);
	for (int i = 0; i < HEARTS; i++)
		h[i] = heart(rig.m, &h[i]);
	for (int64_t ns = 0; ns < 4 * TIMEOUT; ns += LOOK) {
		for (int i = 0; i < HEARTS; i++)
			if (i % 3 || ns == 0)
				beats(h[i]);
		testing_pass(LOOK);
	}
	for (int i = 0; i < HEARTS; i += 3)
		expect(&rig, WEFT_HEART_DIED, &h[i]);
	end(&rig);
	return 0;
}

/* All die at the same look. With the report of the first, others leave: the one
 * that is next in line, and one that was looked at. */
static void free_others(struct rig *rig, const struct weft_heart_report *r)
{
	struct weft_heart **h = rig->arg;

	if (r->arg != &h[1])
		return;
	weft_heart_free(h[2]);
	weft_heart_free(h[0]);
	weft_heart_free(h[1]);
}

TEST_MANUAL(a_heart_may_leave_while_it_is_reported)
{
	struct weft_heart *h[5];
	struct rig rig;

	begin(&rig, &usual);
	rig.on_report = free_others;
	rig.arg = h;
	for (int i = 0; i < 5; i++) {
		h[i] = heart(rig.m, &h[i]);
		beats(h[i]);
	}
	pass(LOOK + TIMEOUT);
	expect(&rig, WEFT_HEART_DIED, &h[0]);
	expect(&rig, WEFT_HEART_DIED, &h[1]);
	expect(&rig, WEFT_HEART_DIED, &h[3]);
	expect(&rig, WEFT_HEART_DIED, &h[4]);
	end(&rig);
	return 0;
}

/* --- the other detector --- */

TEST_MANUAL(phi_learns_the_rhythm)
{
	struct weft_monitor_opts opts = usual;
	struct rig rig;
	struct weft_heart *h;
	double phi;

	/* Ten times as fast as was expected. */
	opts.detector = WEFT_DETECT_PHI;
	opts.interval_ns = 10 * LOOK;
	opts.timeout_ns = 0;
	opts.phi = (struct weft_phi_opts){ .window = 100, .min_std_ns = LOOK };
	begin(&rig, &opts);
	h = heart(rig.m, NULL);
	pass_beating(h, 200 * LOOK);
	expect_none(&rig);
	phi = stats(h).phi;
	CHECK(phi < 1);
	pass(2 * LOOK);
	CHECK(stats(h).phi > phi);
	/* Mean and deviation are a look: by the table, 8 is reached between
	 * 5 and 6 deviations above the mean. */
	pass(5 * LOOK);
	expect(&rig, WEFT_HEART_DIED, NULL);
	CHECK(rig.got[0].phi >= 8);
	CHECK_LE(6 * LOOK, rig.got[0].silent_ns);
	CHECK_LE(rig.got[0].silent_ns, 7 * LOOK);
	end(&rig);
	return 0;
}

TEST_MANUAL(E4_a_death_is_not_learnt)
{
	struct weft_monitor_opts opts = usual;
	struct rig rig;
	struct weft_heart *h;

	opts.detector = WEFT_DETECT_PHI;
	opts.phi.window = 4;
	begin(&rig, &opts);
	h = heart(rig.m, NULL);
	for (int i = 0; i < 10; i++) {
		pass_beating(h, 10 * LOOK);
		pass(20 * LOOK);
		expect(&rig, WEFT_HEART_DIED, NULL);
		pass_beating(h, LOOK);
		expect(&rig, WEFT_HEART_REVIVED, NULL);
	}
	end(&rig);
	return 0;
}

/* --- pulses --- */

struct blocked {
	struct weft_heart *h;
	struct weft_chan *c;
	int64_t until_ns;
};

static int blocks_in_send(void *arg)
{
	const struct blocked *b = arg;

	return weft_heart_send(b->h, b->c, NULL, b->until_ns);
}

static int blocks_in_recv(void *arg)
{
	const struct blocked *b = arg;

	return weft_heart_recv(b->h, b->c, NULL, b->until_ns);
}

static int blocks_in_sleep(void *arg)
{
	const struct blocked *b = arg;

	return weft_heart_sleep(b->h, b->until_ns);
}

TEST_MANUAL(a_worker_that_waits_beats_on)
{
	static const struct {
		weft_task_fn fn;
		int at_the_end;
	} table[] = { { blocks_in_send, -ETIMEDOUT },
		      { blocks_in_recv, -ETIMEDOUT },
		      { blocks_in_sleep, 0 } };

	for (int i = 0; i < 3; i++) {
		struct blocked b = { .c = testing_chan("handoff", 0, 0) };
		struct weft_monitor_opts opts = usual;
		struct weft_task *t;
		struct rig rig;

		opts.timeout_ns = INTERVAL; /* pulses at half of it */
		begin(&rig, &opts);
		b.h = heart(rig.m, NULL);
		b.until_ns = weft_deadline_in(20 * INTERVAL);
		t = testing_spawn(table[i].fn, &b);
		pass(20 * INTERVAL);
		CHECK_EQ(testing_join(t), table[i].at_the_end);
		expect_none(&rig);
		CHECK_LE(40u, stats(b.h).beats);
		end(&rig);
		weft_chan_unref(b.c);
	}
	return 0;
}

TEST_MANUAL(a_wait_that_beats_ends_as_the_call_does)
{
	struct weft_monitor *m = make(&usual);
	struct weft_heart *h = heart(m, NULL);
	struct weft_chan *c = testing_chan("handoff", 1, sizeof(int));
	int sent = 7, came = 0;

	CHECK_EQ(weft_heart_send(h, c, &sent, WEFT_FOREVER), 0);
	CHECK_EQ(weft_heart_send(h, c, &sent, WEFT_NOW), -ETIMEDOUT);
	CHECK_EQ(weft_heart_recv(h, c, &came, WEFT_FOREVER), 0);
	CHECK_EQ(came, sent);
	CHECK_EQ(weft_chan_close(c), 0);
	CHECK_EQ(weft_heart_send(h, c, &sent, WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_heart_recv(h, c, &came, WEFT_FOREVER), -EPIPE);
	weft_chan_unref(c);
	weft_monitor_free(m);
	return 0;
}

TEST_MANUAL(beats_are_told_to_those_who_want_to_know)
{
	struct weft_monitor_opts opts = usual;
	struct rig rig;
	struct weft_heart *h;

	opts.tell_beats = 1;
	begin(&rig, &opts);
	h = heart(rig.m, NULL);
	for (uint64_t i = 1; i <= 3; i++) {
		beats(h);
		beats(h);
		pass(2 * LOOK);
		expect(&rig, WEFT_HEART_BEAT, NULL);
		CHECK_EQ(rig.got[rig.told - 1].beats, 2 * i);
	}
	end(&rig);
	return 0;
}

TEST_MANUAL(channels_carry_pulses_whatever_they_are)
{
	static const char *const impls[] = { "handoff", "ring", "spsc",
		                             "condvar" };

	for (int i = 0; i < 4; i++) {
		struct weft_monitor_opts opts = usual;
		struct rig rig;
		struct weft_heart *h;

		opts.beat = WEFT_BEAT_CHAN;
		opts.impl = weft_chan_impl_find(impls[i]);
		begin(&rig, &opts);
		h = heart(rig.m, NULL);
		pass_beating(h, TIMEOUT);
		CHECK_EQ(stats(h).odd, 0u);
		CHECK_EQ(stats(h).seen, stats(h).beats);
		CHECK_EQ(stats(h).received + stats(h).dropped, stats(h).beats);
		pass(2 * TIMEOUT);
		expect(&rig, WEFT_HEART_DIED, NULL);
		end(&rig);
	}
	return 0;
}

/* --- the life of a monitor --- */

TEST_MANUAL(a_closed_monitor_looks_after_those_that_are_left)
{
	struct weft_heart *h, *late = NULL;
	struct rig rig;

	begin(&rig, &usual);
	h = heart(rig.m, NULL);
	CHECK_EQ(weft_monitor_close(rig.m), 0);
	CHECK_EQ(weft_heart_new(&late, rig.m, NULL), -EPIPE);
	CHECK(late == NULL);
	beats(h);
	pass(LOOK + TIMEOUT);
	expect(&rig, WEFT_HEART_DIED, NULL);
	CHECK_EQ(weft_join_until(rig.task, NULL, WEFT_NOW), -ETIMEDOUT);
	weft_heart_free(h);
	CHECK_EQ(testing_join(rig.task), -EPIPE);
	expect_none(&rig);
	weft_monitor_free(rig.m);
	return 0;
}

TEST_MANUAL(one_task_receives_at_a_time)
{
	struct weft_heart_report r;
	struct rig rig;

	begin(&rig, &usual);
	CHECK_EQ(weft_monitor_recv(rig.m, &r, WEFT_FOREVER), -EBUSY);
	CHECK_EQ(weft_monitor_try_recv(rig.m, &r), -EBUSY);
	end(&rig);
	return 0;
}

/* Who asks now and then, instead of waiting, is late with each look: a death
 * takes two. */
TEST_MANUAL(a_monitor_may_be_asked_now_and_then)
{
	struct weft_monitor *m = make(&usual);
	struct weft_heart *h = heart(m, NULL);
	struct weft_heart_report r;

	CHECK_EQ(weft_monitor_try_recv(m, &r), -EAGAIN);
	beats(h);
	for (int i = 0; i < 2; i++) {
		testing_pass(TIMEOUT);
		CHECK_EQ(weft_monitor_try_recv(m, &r), -EAGAIN);
	}
	CHECK(stats(h).state == WEFT_HEART_SUSPECT);
	testing_pass(TIMEOUT);
	CHECK_EQ(weft_monitor_recv(m, &r, WEFT_NOW), 0);
	CHECK(r.event == WEFT_HEART_DIED);
	CHECK_EQ(weft_monitor_recv(m, &r, WEFT_NOW), -ETIMEDOUT);
	weft_monitor_free(m);
	return 0;
}

TEST(bad_input_is_refused)
{
	static const struct weft_monitor_opts bad[] = {
		{ .interval_ns = 0 },
		{ .interval_ns = -1 },
		{ .interval_ns = INT64_MAX },
		{ .interval_ns = 100, .timeout_ns = 99 },
		{ .interval_ns = 100, .timeout_ns = -1 },
		{ .interval_ns = 100, .timeout_ns = INT64_MAX },
		{ .interval_ns = 100, .look_ns = 101 },
		{ .interval_ns = 100, .look_ns = -1 },
		{ .interval_ns = 1, .detector = (enum weft_detector)2 },
		{ .interval_ns = 1, .beat = (enum weft_beat_kind)2 },
		{ .interval_ns = 1, .wait = (enum weft_wait)9 },
		{ .interval_ns = 1, .phi = { .threshold = -1 } },
		{ .interval_ns = 1, .phi = { .threshold = NAN } },
		{ .interval_ns = 1, .phi = { .threshold = INFINITY } },
		{ .interval_ns = 1,
		  .phi = { .threshold = 1.01 * WEFT_PHI_THRESHOLD_MAX } },
		{ .interval_ns = 1, .phi = { .window = SIZE_MAX } },
		{ .interval_ns = 1, .phi = { .min_std_ns = -1 } },
		{ .interval_ns = 1, .phi = { .pause_ns = -1 } },
		{ .interval_ns = 1, .phi = { .first_ns = -1 } },
	};
	struct weft_monitor_opts odd = usual;
	struct weft_monitor *m = NULL;
	struct weft_heart *h = NULL;
	struct weft_heart_report r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(weft_monitor_new(&m, &bad[i]), -EINVAL);
	odd.beat = WEFT_BEAT_CHAN;
	odd.impl = weft_chan_impl_find("list"); /* it would grow */
	CHECK_EQ(weft_monitor_new(&m, &odd), -EINVAL);
	odd.impl = weft_chan_impl_find("null"); /* moves no data */
	CHECK_EQ(weft_monitor_new(&m, &odd), -EINVAL);
	CHECK_EQ(weft_monitor_new(&m, NULL), -EINVAL);
	CHECK_EQ(weft_monitor_new(NULL, &usual), -EINVAL);
	CHECK(m == NULL);
	m = make(&usual);
	CHECK_EQ(weft_heart_new(&h, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_heart_new(NULL, m, NULL), -EINVAL);
	CHECK_EQ(weft_monitor_recv(m, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_monitor_try_recv(NULL, &r), -EINVAL);
	CHECK_EQ(weft_heart_beat(NULL), -EINVAL);
	CHECK_EQ(weft_heart_send(NULL, NULL, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_heart_recv(NULL, NULL, NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_heart_sleep(NULL, WEFT_NOW), -EINVAL);
	CHECK_EQ(weft_heart_stats(NULL, NULL), -EINVAL);
	weft_heart_free(NULL);
	CHECK_EQ(weft_monitor_stop(m), 0);
	CHECK_EQ(weft_heart_new(&h, m, NULL), -ECANCELED);
	CHECK(h == NULL);
	weft_monitor_free(m);
	return 0;
}

/* --- many tasks --- */

#define WORKERS 8
#define LIVES (TESTING_SLOW ? 20 : 100)

struct worker {
	struct weft_monitor *m;
	/* Whether it was dead by the last report, of the heart of each life: a
	 * report may be on its way when the heart is freed. */
	bool dead[LIVES];
	struct weft_task *task;
};

/* Deaths and revivals of a heart take turns, and begin with a death. */
static void follow(struct rig *rig, const struct weft_heart_report *r)
{
	bool *dead = r->arg, died = r->event == WEFT_HEART_DIED;

	CHECK(*dead != died);
	*dead = died;
	rig->n = 0; /* there are too many */
}

/* Beats with pauses about as long as the timeout, so it dies and revives by
 * chance; and leaves at any moment. */
static int lives(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < LIVES; i++) {
		struct weft_heart *h = heart(w->m, &w->dead[i]);

		for (uint64_t n = weft_rand() % 8; n > 0; n--) {
			beats(h);
			weft_sleep_until(weft_deadline_in(
			        (int64_t)(weft_rand() % 400) * WEFT_US));
		}
		weft_heart_free(h);
	}
	return 0;
}

TEST(E7_each_death_is_reported_once_whenever_it_is)
{
	const struct weft_monitor_opts opts = { .interval_ns = 50 * WEFT_US,
		                                .timeout_ns = 200 * WEFT_US };
	static struct worker w[WORKERS];
	struct rig rig = { .m = make(&opts), .on_report = follow };

	rig.task = testing_spawn(receive, &rig);
	for (int i = 0; i < WORKERS; i++) {
		w[i] = (struct worker){ .m = rig.m };
		w[i].task = testing_spawn(lives, &w[i]);
	}
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(testing_join(w[i].task), 0);
	CHECK_EQ(weft_monitor_stop(rig.m), 0);
	CHECK_EQ(testing_join(rig.task), -ECANCELED);
	weft_monitor_free(rig.m);
	return 0;
}

static void *beats_once(void *h)
{
	beats(h);
	return NULL;
}

/* A thread that is no task, too; and who waits for a worker waits for its first
 * beat, not for some time. */
TEST(E12_the_first_beat_can_be_waited_for)
{
	struct weft_monitor_opts opts = usual;
	struct weft_heart_report r;
	struct weft_monitor *m;
	pthread_t thread;

	opts.interval_ns = opts.timeout_ns = 100 * WEFT_SEC; /* no silence */
	opts.look_ns = WEFT_MS;
	opts.tell_beats = 1;
	m = make(&opts);
	CHECK_EQ(pthread_create(&thread, NULL, beats_once, heart(m, &m)), 0);
	CHECK_EQ(weft_monitor_recv(m, &r, WEFT_FOREVER), 0);
	CHECK(r.event == WEFT_HEART_BEAT);
	CHECK(r.arg == &m);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	weft_monitor_free(m);
	return 0;
}

/* --- what it costs --- */

static void some_beats(void *h)
{
	for (int i = 0; i < TESTING_COST_CALLS; i++)
		beats(h);
}

TEST_OUTSIDE(a_beat_costs_at_most_a_mutex_pair)
{
	struct weft_monitor *m;
	struct weft_heart *h;

	if (COST_MEANS_NOTHING)
		skip();
	m = make(&usual);
	h = heart(m, NULL);
	testing_costs_at_most(1, "beat", some_beats, h);
	weft_monitor_free(m);
}

TEST_OUTSIDE(a_beat_enters_no_kernel_and_takes_no_memory)
{
	struct weft_monitor *m = make(&usual);
	struct weft_heart *h = heart(m, NULL);

	testing_is_all_in_user_space(some_beats, h);
	weft_monitor_free(m);
}
