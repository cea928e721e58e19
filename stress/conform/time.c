/* Deadlines: not early, never too late for what is there, and far ones. */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/plugin.h"
#include "stress/conform/ledger.h"
#include "stress/conform/suite.h"

/* In which nothing is stopped or paused. */
#define A_LONG_TIME (10 * 365 * 86400 * WEFT_SEC)

/* --- on time --- */

/* Fill what is to be sent to; leave empty what is to be received from. */
static struct weft_chan *chan_that_makes_wait(struct cell *cell, enum form form,
                                              size_t *inside)
{
	struct weft_chan *c = cell_chan(cell);

	*inside = 0;
	if (form == FORM_SEND || form == FORM_SEND_MANY)
		*inside = chan_fill(c, 0, TO_THE_BRIM);
	return c;
}

static void gives_up_at_its_deadline(struct cell *cell, enum form form)
{
	size_t inside;
	struct weft_chan *c = chan_that_makes_wait(cell, form, &inside);
	int64_t deadline = weft_deadline_in(cell_span(cell));
	struct call call = { .c = c,
		             .form = form,
		             .tag = 1000000,
		             .n = 3,
		             .deadline_ns = deadline };

	call_begin(&call);
	if (cell->manual) {
		/* One nanosecond before, it must still wait. */
		MUST(weft_clock_settle(), 0);
		cell_reach(cell, deadline - 1);
		REQUIRE(!call_is_over(&call), "returned %s before its deadline",
		        code_name(call.result));
		cell_reach(cell, deadline);
	}
	MUST_END(&call, -ETIMEDOUT);
	REQUIRE(call.ended_ns >= deadline,
	        "timed out %lld ns before its deadline",
	        (long long)(deadline - call.ended_ns));
	REQUIRE(call.done == 0, "says that it moved %zu elements", call.done);
	MUST(chan_close(c), 0);
	must_drain(cell, c, 0, inside);
	chan_end(c);
}

static void recv_times_out_at_its_deadline_and_not_before(struct cell *cell)
{
	gives_up_at_its_deadline(cell, FORM_RECV);
	gives_up_at_its_deadline(cell, FORM_RECV_MANY);
}

static void send_times_out_at_its_deadline_and_not_before(struct cell *cell)
{
	gives_up_at_its_deadline(cell, FORM_SEND);
	gives_up_at_its_deadline(cell, FORM_SEND_MANY);
}

/* Many short ones, on the machine's clock, where rounding would show. */
static void short_deadlines_are_not_early(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	unsigned n = cell_times(cell, 500, 5);
	uint32_t tag;

	for (unsigned i = 0; i < n; i++) {
		int64_t deadline =
		        weft_deadline_in((int64_t)(weft_rand() % 200000));

		MUST(tag_recv(c, &tag, deadline), -ETIMEDOUT);
		REQUIRE(weft_now() >= deadline,
		        "timed out before its deadline");
	}
	chan_end(c);
}

static void a_wait_that_is_served_in_time_succeeds(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	struct call recv = { .c = c,
		             .form = FORM_RECV,
		             .deadline_ns = weft_deadline_in(A_LONG_TIME) };

	call_begin(&recv);
	cell_settle(cell, &recv, 1);
	if (cell->manual)
		cell_reach(cell, recv.deadline_ns - 1);
	MUST(tag_send(c, 6, WEFT_FOREVER), 0);
	MUST_END(&recv, 0);
	REQUIRE(recv.tag == tag_in(cell->elem, 6), "received element %u",
	        recv.tag);
	chan_end(c);
}

/* --- what wins --- */

/* Deadlines that have expired, from the last moment to the beginning of time
 * and before. */
static const int64_t expired[] = { WEFT_NOW, 1, -1, INT64_MIN };

#define EXPIRED (sizeof(expired) / sizeof(*expired))

static void an_expired_deadline_still_takes_what_is_there(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	uint32_t tags[3] = { 1, 2, 3 }, tag;
	size_t done;

	for (size_t i = 0; i < EXPIRED; i++) {
		MUST(tag_send(c, (uint32_t)i, expired[i]), 0);
		must_recv(c, (uint32_t)i, expired[i]);
		MUST(tag_recv(c, &tag, expired[i]), -ETIMEDOUT);
		MUST(tag_send_many(c, tags, 1, &done, expired[i]), 0);
		MUST(tag_recv_many(c, tags, 3, &done, expired[i]), 0);
		REQUIRE(done == 1, "recv_many received %zu of 1", done);
	}
	chan_end(c);
}

static void an_expired_deadline_does_not_wait(struct cell *cell)
{
	for (size_t i = 0; i < EXPIRED; i++) {
		struct weft_chan *c = cell_chan(cell);
		uint32_t tag;
		size_t n;

		MUST(tag_recv(c, &tag, expired[i]), -ETIMEDOUT);
		n = chan_fill(c, 0, TO_THE_BRIM);
		MUST(tag_send(c, 1000000, expired[i]), -ETIMEDOUT);
		MUST(chan_close(c), 0);
		must_drain(cell, c, 0, n);
		chan_end(c);
	}
}

static void close_wins_over_an_expired_deadline(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	uint32_t tag, tags[3] = { 0 };
	size_t done;

	MUST(chan_close(c), 0);
	for (size_t i = 0; i < EXPIRED; i++) {
		MUST(tag_recv(c, &tag, expired[i]), -EPIPE);
		MUST(tag_send(c, 1, expired[i]), -EPIPE);
		MUST(tag_recv_many(c, tags, 3, &done, expired[i]), -EPIPE);
		MUST(tag_send_many(c, tags, 3, &done, expired[i]), -EPIPE);
	}
	chan_end(c);
}

static void ends_at_close(struct cell *cell, enum form form)
{
	size_t inside;
	struct weft_chan *c = chan_that_makes_wait(cell, form, &inside);
	int64_t deadline = weft_deadline_in(A_LONG_TIME);
	struct call call = {
		.c = c, .form = form, .tag = 1000000, .deadline_ns = deadline
	};

	call_begin(&call);
	cell_settle(cell, &call, 1);
	MUST(chan_close(c), 0);
	MUST_END(&call, -EPIPE);
	REQUIRE(call.ended_ns < deadline, "waited for its deadline");
	must_drain(cell, c, 0, inside);
	chan_end(c);
}

static void close_ends_a_timed_recv_at_once(struct cell *cell)
{
	ends_at_close(cell, FORM_RECV);
}

static void close_ends_a_timed_send_at_once(struct cell *cell)
{
	ends_at_close(cell, FORM_SEND);
}

/* --- far away --- */

#define A_DAY (86400 * WEFT_SEC)

/* What 31 and 32 bits hold no more, of that unit, and a little. */
#define PAST_31_BITS(unit) ((INT64_C(1) << 31) * (unit) + WEFT_MS)
#define PAST_32_BITS(unit) ((INT64_C(1) << 32) * (unit) + WEFT_MS)

static void is_waited_for(struct cell *cell, int64_t deadline_ns)
{
	struct weft_chan *c = cell_chan(cell);
	struct call recv = { .c = c,
		             .form = FORM_RECV,
		             .deadline_ns = deadline_ns };
	int64_t later = weft_deadline_in(A_DAY);

	int sent;

	call_begin(&recv);
	cell_settle(cell, &recv, 1);
	if (cell->manual)
		cell_reach(cell, later < deadline_ns ? later : deadline_ns - 1);
	REQUIRE(!call_is_over(&recv) || recv.ended_ns >= deadline_ns,
	        "a deadline of %lld ns expired %lld ns before: %s",
	        (long long)deadline_ns,
	        (long long)(deadline_ns - recv.ended_ns),
	        code_name(recv.result));
	sent = tag_send(c, 1, deadline_ns);
	/* Unless the machine stood still until then. */
	if (call_end(&recv) == 0 || recv.ended_ns < deadline_ns) {
		MUST_OF("recv", recv.result, 0);
		MUST_OF("send", sent, 0);
	}
	chan_end(c);
}

/* A deadline that a sum, a conversion to seconds or a signed comparison could
 * turn into the past, or a span in too few bits into a short one. */
static void a_far_deadline_does_not_expire(struct cell *cell)
{
	static const int64_t far[] = { WEFT_FOREVER, WEFT_FOREVER - 1,
		                       INT64_MAX / 2 };
	static const int64_t spans[] = {
		WEFT_FOREVER - 1,      PAST_31_BITS(1),
		PAST_32_BITS(1),       PAST_31_BITS(WEFT_US),
		PAST_32_BITS(WEFT_US), PAST_31_BITS(WEFT_MS),
		PAST_32_BITS(WEFT_MS),
	};

	for (size_t i = 0; i < sizeof(far) / sizeof(*far); i++)
		is_waited_for(cell, far[i]);
	for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++)
		is_waited_for(cell, weft_deadline_in(spans[i]));
}

/*
 * And not never: what waits by itself may count a span in units and words of
 * its own. All at once: on the machine's clock it is a matter of seconds in
 * which nothing happens, and left to plug-ins.
 */
static void a_deadline_of_seconds_is_kept(struct cell *cell)
{
	static const int64_t spans[] = { 300 * WEFT_MS, WEFT_SEC,
		                         2300 * WEFT_MS };
	struct call recv[sizeof(spans) / sizeof(*spans)];
	const size_t n = sizeof(spans) / sizeof(*spans);

	if (!cell->manual && !(plugin_is(cell->impl) && cell->percent >= 100))
		child_skip("takes seconds: only of a plug-in, and at the usual "
		           "repetitions");
	for (size_t i = 0; i < n; i++) {
		recv[i] = (struct call){
			.c = cell_chan(cell),
			.form = FORM_RECV,
			.deadline_ns = weft_deadline_in(spans[i]),
		};
		call_begin(&recv[i]);
	}
	/* A call that begins later has less than its span left. */
	if (cell->manual)
		cell_settle(cell, recv, n);
	for (size_t i = 0; i < n; i++) {
		if (cell->manual)
			cell_reach(cell, recv[i].deadline_ns);
		MUST_END(&recv[i], -ETIMEDOUT);
		REQUIRE(recv[i].ended_ns >= recv[i].deadline_ns,
		        "timed out %lld ns before its deadline",
		        (long long)(recv[i].deadline_ns - recv[i].ended_ns));
		chan_end(recv[i].c);
	}
}

/* --- interrupted --- */

static void on_signal(int number)
{
	(void)number;
}

#define SIGNALS 3

/* By a handler after which a system call may go on by itself, or none does:
 * then the waiting call must see to that. Each signal finds it asleep again. */
static void interrupt(const struct cell *cell, struct call *call)
{
	struct sigaction action = { .sa_handler = on_signal };
	int thread;

	for (int i = 0; i < SIGNALS; i++) {
		action.sa_flags = i % 2 ? SA_RESTART : 0;
		sigaction(SIGUSR1, &action, NULL);
		cell_settle(cell, call, 1);
		thread = weft_load_acquire(&call->thread);
		syscall(SYS_tgkill, getpid(), thread, SIGUSR1);
		call->began_ns = call->asleep_ns = weft_now();
	}
	cell_settle(cell, call, 1);
}

static void goes_on_after_signals(struct cell *cell, enum form form,
                                  int64_t deadline_ns)
{
	size_t inside;
	struct weft_chan *c = chan_that_makes_wait(cell, form, &inside);
	struct call call = {
		.c = c, .form = form, .tag = 1000000, .deadline_ns = deadline_ns
	};
	uint32_t tag;

	call_begin(&call);
	interrupt(cell, &call);
	/* Where len is not exact, space may come by itself. */
	REQUIRE(!call_is_over(&call) ||
	                (call.result == 0 && form == FORM_SEND && !cell->exact),
	        "a %s that waited returned %s at a signal", form_name(form),
	        code_name(call.result));
	if (form == FORM_RECV)
		MUST(tag_send(c, 5, WEFT_FOREVER), 0);
	/* Where len is not exact, one space may need all of them gone. */
	for (size_t i = 0; i < inside; i++)
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
	if (form == FORM_SEND && inside == 0)
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
	MUST_END(&call, 0);
	if (form == FORM_SEND && inside)
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
	chan_end(c);
}

static void a_signal_does_not_end_a_wait(struct cell *cell)
{
	goes_on_after_signals(cell, FORM_RECV, WEFT_FOREVER);
	if (!cell->unbounded)
		goes_on_after_signals(cell, FORM_SEND, WEFT_FOREVER);
	if (!cell->timed)
		return;
	goes_on_after_signals(cell, FORM_RECV, weft_deadline_in(A_LONG_TIME));
	if (!cell->unbounded)
		goes_on_after_signals(cell, FORM_SEND,
		                      weft_deadline_in(A_LONG_TIME));
}

/* --- under load --- */

struct hurry {
	struct weft_chan *c;
	struct ledger ledger;
	uint32_t n;
	bool ordered;
	unsigned window; /* of deadlines, in microseconds */
	_Atomic unsigned next_sender;
};

static int64_t some_time(const struct hurry *h)
{
	return weft_deadline_in((int64_t)(weft_rand() % h->window) * WEFT_US);
}

/* Now and then for longer than the peer is going to wait, so that deadlines
 * pass on a quick machine and on a slow one. */
static void linger(const struct hurry *h)
{
	int64_t until_ns;

	if (weft_rand() % 8)
		return;
	until_ns = weft_deadline_in(2 * h->window * WEFT_US);
	while (weft_now() < until_ns)
		weft_yield();
}

static int sends_with_deadlines(void *arg)
{
	struct hurry *h = arg;
	unsigned id = weft_fetch_add_relaxed(&h->next_sender, 1u);

	for (uint32_t i = 0; i < h->n; i++) {
		int64_t deadline = some_time(h);
		uint32_t tag = ledger_tag(id, i);
		int err = tag_send(h->c, tag, deadline);

		REQUIRE(err == 0 || err == -ETIMEDOUT, "send returned %s",
		        code_name(err));
		REQUIRE(err == 0 || weft_now() >= deadline,
		        "a send timed out before its deadline");
		ledger_sent(&h->ledger, tag, err == 0);
		linger(h);
	}
	return 0;
}

static int receives_with_deadlines(void *arg)
{
	struct hurry *h = arg;
	struct ledger_order order = { { 0 } };

	for (;;) {
		int64_t deadline;
		uint32_t tag;
		int err;

		linger(h);
		deadline = some_time(h);
		err = tag_recv(h->c, &tag, deadline);
		if (err == -EPIPE)
			return 0;
		if (err == 0) {
			ledger_received(&h->ledger, tag,
			                h->ordered ? &order : NULL);
			continue;
		}
		MUST_OF("recv", err, -ETIMEDOUT);
		REQUIRE(weft_now() >= deadline,
		        "a receive timed out before its deadline");
	}
}

static void hurry(struct cell *cell, unsigned senders, unsigned receivers,
                  uint32_t n)
{
	struct hurry h = { .c = cell_chan(cell),
		           .n = n,
		           .ordered = cell->ordered,
		           .window = 30 };
	struct weft_task *s[3], *r[3];

	ledger_init(&h.ledger, senders, h.n);
	for (unsigned i = 0; i < receivers; i++)
		r[i] = task_start("receiver", receives_with_deadlines, &h);
	for (unsigned i = 0; i < senders; i++)
		s[i] = task_start("sender", sends_with_deadlines, &h);
	for (unsigned i = 0; i < senders; i++)
		task_finish(s[i]);
	MUST(chan_close(h.c), 0);
	for (unsigned i = 0; i < receivers; i++)
		task_finish(r[i]);
	ledger_close(&h.ledger);
	ledger_fini(&h.ledger);
	chan_end(h.c);
}

static void two_tasks_with_deadlines_lose_nothing(struct cell *cell)
{
	hurry(cell, 1, 1, cell_times(cell, 30000, 200));
}

static void many_tasks_with_deadlines_lose_nothing(struct cell *cell)
{
	hurry(cell, cell_senders(cell, 3), cell_receivers(cell, 3),
	      cell_times(cell, 15000, 100));
}

/* What a send that timed out would have brought must not come later, when
 * there is space again. */
static void a_send_that_timed_out_is_never_delivered(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	size_t n = chan_fill(c, 0, TO_THE_BRIM);
	struct call send = { .c = c,
		             .form = FORM_SEND,
		             .tag = 1000000,
		             .deadline_ns = weft_deadline_in(cell_span(cell)) };
	uint32_t tag;

	call_begin(&send);
	cell_settle(cell, &send, 1);
	cell_reach(cell, send.deadline_ns);
	MUST_END(&send, -ETIMEDOUT);
	for (size_t i = 0; i < n; i++) {
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
		REQUIRE(tag != tag_in(cell->elem, 1000000),
		        "received an element whose send had timed out");
	}
	MUST(tag_try_recv(c, &tag), -EAGAIN);
	MUST(chan_close(c), 0);
	MUST(tag_try_recv(c, &tag), -EPIPE);
	chan_end(c);
}

/* Nor may a receive that timed out take what comes later. */
static void a_recv_that_timed_out_takes_nothing(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	struct call recv = { .c = c,
		             .form = FORM_RECV,
		             .deadline_ns = weft_deadline_in(cell_span(cell)) };

	call_begin(&recv);
	cell_settle(cell, &recv, 1);
	cell_reach(cell, recv.deadline_ns);
	MUST_END(&recv, -ETIMEDOUT);
	if (cell->cap == 0 && !cell->unbounded) {
		MUST(tag_try_send(c, 4), -EAGAIN);
	} else {
		MUST(tag_try_send(c, 4), 0);
		must_recv(c, 4, WEFT_FOREVER);
	}
	chan_end(c);
}

const struct conform_check conform_time[] = {
	{ .name = "recv_times_out_at_its_deadline_and_not_before",
	  .scenarios = "51",
	  .needs = NEEDS_DATA | WEFT_CAN_TIMEOUT,
	  .over = OVER_CAPS | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = recv_times_out_at_its_deadline_and_not_before },
	{ .name = "send_times_out_at_its_deadline_and_not_before",
	  .scenarios = "51",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_TIMEOUT,
	  .over = OVER_FULL | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = send_times_out_at_its_deadline_and_not_before },
	{ .name = "short_deadlines_are_not_early",
	  .scenarios = "51",
	  .needs = NEEDS_DATA | WEFT_CAN_TIMEOUT,
	  .over = OVER_CAPS | OVER_POLICIES | OVER_DRIVERS,
	  .fn = short_deadlines_are_not_early },
	{ .name = "a_wait_that_is_served_in_time_succeeds",
	  .scenarios = "51",
	  .needs = NEEDS_DATA | WEFT_CAN_TIMEOUT,
	  .over = OVER_CAPS | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = a_wait_that_is_served_in_time_succeeds },
	{ .name = "an_expired_deadline_still_takes_what_is_there",
	  .scenarios = "52",
	  .needs = NEEDS_DATA | WEFT_CAN_TIMEOUT,
	  .over = OVER_BUFFERED | OVER_DRIVERS,
	  .fn = an_expired_deadline_still_takes_what_is_there },
	{ .name = "an_expired_deadline_does_not_wait",
	  .scenarios = "52",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_TIMEOUT,
	  .over = OVER_FULL | OVER_DRIVERS,
	  .fn = an_expired_deadline_does_not_wait },
	{ .name = "two_tasks_with_deadlines_lose_nothing",
	  .scenarios = "53",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_TIMEOUT,
	  .over = OVER_CAPS | OVER_POLICIES | OVER_DRIVERS,
	  .fn = two_tasks_with_deadlines_lose_nothing },
	{ .name = "many_tasks_with_deadlines_lose_nothing",
	  .scenarios = "53",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_TIMEOUT,
	  .over = OVER_CAPS | OVER_PARKING | OVER_DRIVERS,
	  .fn = many_tasks_with_deadlines_lose_nothing },
	{ .name = "a_send_that_timed_out_is_never_delivered",
	  .scenarios = "53",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_TIMEOUT,
	  .over = OVER_FULL | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = a_send_that_timed_out_is_never_delivered },
	{ .name = "a_recv_that_timed_out_takes_nothing",
	  .scenarios = "53",
	  .needs = NEEDS_DATA | WEFT_CAN_TIMEOUT,
	  .over = OVER_CAPS | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = a_recv_that_timed_out_takes_nothing },
	{ .name = "a_far_deadline_does_not_expire",
	  .scenarios = "55",
	  .needs = NEEDS_DATA | WEFT_CAN_TIMEOUT,
	  .over = OVER_CAPS | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = a_far_deadline_does_not_expire },
	{ .name = "a_deadline_of_seconds_is_kept",
	  .scenarios = "51",
	  .needs = NEEDS_DATA | WEFT_CAN_TIMEOUT,
	  .over = OVER_OWN | OVER_MANUAL,
	  .fn = a_deadline_of_seconds_is_kept },
	{ .name = "a_signal_does_not_end_a_wait",
	  .scenarios = "55",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_PARKING,
	  .fn = a_signal_does_not_end_a_wait },
	{ .name = "close_ends_a_timed_recv_at_once",
	  .scenarios = "56",
	  .needs = NEEDS_DATA | WEFT_CAN_TIMEOUT,
	  .over = OVER_CAPS | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = close_ends_a_timed_recv_at_once },
	{ .name = "close_ends_a_timed_send_at_once",
	  .scenarios = "56",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_TIMEOUT,
	  .over = OVER_FULL | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = close_ends_a_timed_send_at_once },
	{ .name = "close_wins_over_an_expired_deadline",
	  .scenarios = "56",
	  .needs = NEEDS_DATA | WEFT_CAN_TIMEOUT,
	  .over = OVER_CAPS | OVER_DRIVERS,
	  .fn = close_wins_over_an_expired_deadline },
	{ .name = NULL },
};
