/* Close: what is inside still comes out, nothing new goes in, all wake. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "stress/conform/ledger.h"
#include "stress/conform/suite.h"

/* --- what a closed channel answers --- */

static void ended_for_good(struct weft_chan *c)
{
	uint32_t tag, tags[4];
	size_t done = 9;

	for (int i = 0; i < 3; i++) {
		MUST(tag_recv(c, &tag, WEFT_FOREVER), -EPIPE);
		MUST(tag_try_recv(c, &tag), -EPIPE);
		MUST(tag_recv_many(c, tags, 4, &done, WEFT_FOREVER), -EPIPE);
		REQUIRE(done == 0, "recv_many says it received %zu", done);
	}
}

static void a_closed_channel_drains_and_then_ends(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	size_t n = chan_fill(c, 0, cell->unbounded ? 200 : TO_THE_BRIM);

	MUST(chan_close(c), 0);
	must_drain(cell, c, 0, n);
	ended_for_good(c);
	REQUIRE(!cell->exact || chan_len(c) == 0,
	        "len is %zu of a drained channel", chan_len(c));
	chan_end(c);
}

static void sends_into_a_closed_channel_fail(struct weft_chan *c, bool timed)
{
	uint32_t tags[4] = { 90, 91, 92, 93 };
	size_t done = 9;

	MUST(tag_send(c, 90, WEFT_FOREVER), -EPIPE);
	MUST(tag_try_send(c, 91), -EPIPE);
	MUST(tag_send_many(c, tags, 4, &done, WEFT_FOREVER), -EPIPE);
	REQUIRE(done == 0, "send_many says it sent %zu", done);
	if (timed)
		MUST(tag_send(c, 92, weft_deadline_in(WEFT_SEC)), -EPIPE);
}

/* Full, half full, and empty: closed wins over all of them. */
static void sends_after_close_fail_and_deliver_nothing(struct cell *cell)
{
	size_t some[] = { 0, 1, TO_THE_BRIM };
	bool timed = cell->impl->can & WEFT_CAN_TIMEOUT;

	for (int i = 0; i < 3; i++) {
		struct weft_chan *c = cell_chan(cell);
		size_t n = cell->unbounded && some[i] > 200 ? 200 : some[i];

		n = chan_fill(c, 0, n);
		MUST(chan_close(c), 0);
		sends_into_a_closed_channel_fail(c, timed);
		must_drain(cell, c, 0, n);
		sends_into_a_closed_channel_fail(c, timed);
		ended_for_good(c);
		chan_end(c);
	}
}

static void only_the_first_close_succeeds(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);

	MUST(chan_close(c), 0);
	MUST(chan_close(c), -EPIPE);
	MUST(chan_close(c), -EPIPE);
	chan_end(c);
}

/* --- waking --- */

#define CROWD 20

static void close_wakes_every_waiting_receiver(struct cell *cell)
{
	unsigned rounds = cell_times(cell, 120, 2);
	unsigned n = cell_receivers(cell, CROWD);

	for (unsigned i = 0; i < rounds; i++) {
		struct weft_chan *c = cell_chan(cell);
		struct call recv[CROWD], like = { .c = c,
			                          .form = FORM_RECV,
			                          .deadline_ns = WEFT_FOREVER };

		calls_begin(recv, n, &like);
		cell_settle(cell, recv, n);
		MUST(chan_close(c), 0);
		for (unsigned k = 0; k < n; k++)
			MUST_END(&recv[k], -EPIPE);
		chan_end(c);
	}
}

static void close_wakes_every_waiting_sender(struct cell *cell)
{
	unsigned rounds = cell_times(cell, 120, 2);
	unsigned n = cell_senders(cell, CROWD);

	for (unsigned i = 0; i < rounds; i++) {
		struct weft_chan *c = cell_chan(cell);
		size_t full = chan_fill(c, 0, TO_THE_BRIM);
		struct call send[CROWD], like = { .c = c,
			                          .form = FORM_SEND,
			                          .tag = 1000000,
			                          .deadline_ns = WEFT_FOREVER };

		calls_begin(send, n, &like);
		cell_settle(cell, send, n);
		MUST(chan_close(c), 0);
		for (unsigned k = 0; k < n; k++)
			MUST_END(&send[k], -EPIPE);
		must_drain(cell, c, 0, full);
		chan_end(c);
	}
}

/*
 * A send that waits at a close fails, told so yet or not: what a receive finds
 * right after the close is what was inside before it. At capacity 0 that is
 * nothing, whatever the waiting sends hold.
 */
static void
a_closed_channel_takes_nothing_from_waiting_senders(struct cell *cell)
{
	unsigned rounds = cell_times(cell, 120, 2), n = cell_senders(cell, 3);

	for (unsigned i = 0; i < rounds; i++) {
		struct weft_chan *c = cell_chan(cell);
		size_t full = chan_fill(c, 0, TO_THE_BRIM), got = 0;
		struct call send[3], like = { .c = c,
			                      .form = FORM_SEND,
			                      .tag = 1000000,
			                      .deadline_ns = WEFT_FOREVER };
		uint32_t tag;
		int err;

		calls_begin(send, n, &like);
		cell_settle(cell, send, n);
		MUST(chan_close(c), 0);
		while ((err = tag_try_recv(c, &tag)) == 0)
			got++;
		MUST_OF("try_recv", err, -EPIPE);
		REQUIRE(got == full,
		        "%zu elements came out of a closed channel that held "
		        "%zu, and %u sends waited",
		        got, full, n);
		for (unsigned k = 0; k < n; k++)
			MUST_END(&send[k], -EPIPE);
		chan_end(c);
	}
}

/* --- close against another call --- */

static void full_of_one(struct race *r)
{
	r->c = cell_chan(r->cell);
	MUST(tag_try_send(r->c, 1), 0);
}

static void close_or_try_recv(struct race *r, unsigned actor)
{
	r->result[actor] = actor == 0 ? chan_close(r->c)
	                              : tag_try_recv(r->c, &r->tag[actor]);
}

static void the_element_was_there(struct race *r)
{
	MUST_OF("close", r->result[0], 0);
	MUST_OF("try_recv", r->result[1], 0);
	REQUIRE(r->tag[1] == tag_in(r->cell->elem, 1), "received element %u",
	        r->tag[1]);
	ended_for_good(r->c);
	chan_end(r->c);
}

/* The element is there before the close: try_recv has no excuse. */
static void close_does_not_hide_an_element_from_try_recv(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 2,
		          .rounds = cell_times(cell, 20000, 300),
		          .before = full_of_one,
		          .act = close_or_try_recv,
		          .after = the_element_was_there };

	race_run(&r);
}

static void empty(struct race *r)
{
	r->c = cell_chan(r->cell);
}

/* The last actor closes, the others send. */
static void close_or_send(struct race *r, unsigned actor)
{
	if (actor == r->actors - 1)
		r->result[actor] = chan_close(r->c);
	else
		r->result[actor] = tag_try_send(r->c, 1u << actor);
}

/* Sent and to be had, or refused and never seen; nothing else. */
static void kept_or_refused(struct race *r)
{
	uint32_t sent = 0, got = 0, tag;
	int err;

	MUST_OF("close", r->result[r->actors - 1], 0);
	for (unsigned i = 0; i + 1 < r->actors; i++) {
		err = r->result[i];
		REQUIRE(err == 0 || err == -EPIPE,
		        "a send that raced with close returned %s",
		        code_name(err));
		sent |= err ? 0 : 1u << i;
		r->seen[err == 0]++;
	}
	while ((err = tag_recv(r->c, &tag, WEFT_FOREVER)) == 0) {
		REQUIRE(!(got & tag), "element %#x was received twice", tag);
		got |= tag;
	}
	MUST_OF("recv", err, -EPIPE);
	REQUIRE(got == sent,
	        "sends %#x returned 0, elements %#x came out of the closed "
	        "channel (one bit each)",
	        sent, got);
	chan_end(r->c);
}

static void a_send_that_races_with_close_is_kept_or_refused(struct cell *cell)
{
	unsigned senders = cell_senders(cell, 2);
	struct race r = { .cell = cell,
		          .actors = senders + 1,
		          .rounds = cell_times(cell, 40000, 500),
		          .span_ns = cell_window(cell),
		          .before = empty,
		          .act = close_or_send,
		          .after = kept_or_refused };

	race_run(&r);
	snprintf(vital->note, sizeof(vital->note),
	         "in the last variation %u sends were kept and %u refused",
	         r.seen[1], r.seen[0]);
}

static void only_close(struct race *r, unsigned actor)
{
	r->result[actor] = chan_close(r->c);
}

static void one_has_won(struct race *r)
{
	int won = 0;

	for (unsigned i = 0; i < r->actors; i++) {
		REQUIRE(r->result[i] == 0 || r->result[i] == -EPIPE,
		        "close returned %s", code_name(r->result[i]));
		won += r->result[i] == 0;
	}
	REQUIRE(won == 1, "%d of %u closes returned 0", won, r->actors);
	chan_end(r->c);
}

static void of_several_closers_one_wins(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 3,
		          .rounds = cell_times(cell, 10000, 100),
		          .span_ns = cell_window(cell),
		          .before = empty,
		          .act = only_close,
		          .after = one_has_won };

	race_run(&r);
}

/* --- close under load --- */

struct storm {
	struct weft_chan *c;
	struct ledger ledger;
	uint32_t each;
	bool ordered;
	_Atomic unsigned next_sender;
	_Atomic bool closed; /* close has returned */
	_Atomic bool ended;  /* a receive has returned -EPIPE */
};

static int sends_until_closed(void *arg)
{
	struct storm *s = arg;
	unsigned id = weft_fetch_add_relaxed(&s->next_sender, 1u);
	bool too_late;
	int err = 0;

	for (uint32_t i = 0; i < s->each && !err; i++) {
		uint32_t tag = ledger_tag(id, i);

		too_late = weft_load_acquire(&s->closed) ||
		           weft_load_acquire(&s->ended);
		err = tag_send(s->c, tag, WEFT_FOREVER);
		REQUIRE(err || !too_late,
		        "a send succeeded after the channel was closed");
		ledger_sent(&s->ledger, tag, err == 0);
	}
	REQUIRE(err == 0 || err == -EPIPE, "send returned %s", code_name(err));
	return 0;
}

static int receives_until_closed(void *arg)
{
	struct storm *s = arg;
	struct ledger_order order = { { 0 } };
	uint32_t tag;
	int err;

	while ((err = tag_recv(s->c, &tag, WEFT_FOREVER)) == 0)
		ledger_received(&s->ledger, tag, s->ordered ? &order : NULL);
	MUST_OF("recv", err, -EPIPE);
	weft_store_release(&s->ended, true);
	return 0;
}

static void one_storm(struct cell *cell, uint32_t each)
{
	struct storm s = { .c = cell_chan(cell),
		           .each = each,
		           .ordered = cell->ordered };
	unsigned ns = cell_senders(cell, 3), nr = cell_receivers(cell, 3);
	unsigned patience = (unsigned)(weft_rand() % 64);
	struct weft_task *sender[3], *receiver[3];

	ledger_init(&s.ledger, ns, each);
	for (unsigned i = 0; i < nr; i++)
		receiver[i] = task_start("receiver", receives_until_closed, &s);
	for (unsigned i = 0; i < ns; i++)
		sender[i] = task_start("sender", sends_until_closed, &s);
	for (unsigned i = 0; i < patience; i++)
		weft_yield();
	MUST(chan_close(s.c), 0);
	weft_store_release(&s.closed, true);
	for (unsigned i = 0; i < ns; i++)
		task_finish(sender[i]);
	for (unsigned i = 0; i < nr; i++)
		task_finish(receiver[i]);
	ledger_close(&s.ledger);
	ledger_fini(&s.ledger);
	chan_end(s.c);
}

static void close_under_load_loses_nothing(struct cell *cell)
{
	unsigned rounds = cell_times(cell, 1500, 10);

	for (unsigned i = 0; i < rounds; i++) {
		one_storm(cell, 200);
		vital_goes_on();
	}
}

/* --- what goes with the channel --- */

struct dropped {
	const struct cell *cell;
	uint32_t next, n;
};

static void on_drop(void *elem, void *arg)
{
	struct dropped *d = arg;
	uint32_t tag = elem_tag(elem, d->cell->elem);

	REQUIRE((uintptr_t)elem % WEFT_CACHE_LINE == 0,
	        "drop got an element at an address that is not aligned");
	REQUIRE(!d->cell->ordered || tag == tag_in(d->cell->elem, d->next),
	        "drop got element %u; element %u is the next", tag, d->next);
	d->next++;
}

static void the_last_reference_drops_what_is_left(struct cell *cell)
{
	for (int closed = 0; closed < 2; closed++) {
		struct dropped d = { .cell = cell };
		struct weft_chan_opts opts = { .drop = on_drop,
			                       .drop_arg = &d };
		struct weft_chan *c =
		        cell_chan_of(cell, cell->cap, cell->elem, &opts);
		uint32_t n = (uint32_t)chan_fill(
		        c, 0, cell->unbounded ? 300 : TO_THE_BRIM);

		if (closed)
			MUST(chan_close(c), 0);
		REQUIRE(weft_chan_ref(c) == c, "ref returned another channel");
		weft_chan_unref(c);
		REQUIRE(d.next == 0,
		        "%u elements were dropped with a "
		        "reference left",
		        d.next);
		weft_chan_unref(c);
		REQUIRE(d.next == n, "%u elements of %u were dropped", d.next,
		        n);
	}
}

static void counts(void *elem, void *arg)
{
	(void)elem;
	weft_fetch_add_relaxed((_Atomic unsigned *)arg, 1u);
}

struct parting {
	const struct cell *cell;
	struct weft_chan *c;
	_Atomic unsigned dropped;
};

/* Each actor has a reference; the last to let go frees the channel, while the
 * other may still be on its way out of its call. */
static void both_hold_it(struct race *r)
{
	struct weft_chan_opts opts = {
		.drop = counts,
		.drop_arg = &((struct parting *)(uintptr_t)r->data)->dropped
	};

	r->c = cell_chan_of(r->cell, r->cell->cap, r->cell->elem, &opts);
	weft_chan_ref(r->c);
}

static void send_or_recv_and_leave(struct race *r, unsigned actor)
{
	struct weft_chan *c = r->c;

	r->result[actor] = actor == 0 ? tag_send(c, 1, WEFT_FOREVER)
	                              : tag_recv(c, &r->tag[1], WEFT_FOREVER);
	weft_chan_unref(c);
}

static void both_got_through(struct race *r)
{
	MUST_OF("send", r->result[0], 0);
	MUST_OF("recv", r->result[1], 0);
}

static void a_receiver_may_free_the_channel_at_once(struct cell *cell)
{
	struct parting p = { .cell = cell };
	struct race r = { .cell = cell,
		          .actors = 2,
		          .rounds = cell_times(cell, 30000, 300),
		          .before = both_hold_it,
		          .act = send_or_recv_and_leave,
		          .after = both_got_through,
		          .data = (uintptr_t)&p };

	race_run(&r);
	REQUIRE(weft_load_relaxed(&p.dropped) == 0,
	        "%u elements were dropped that had been received",
	        weft_load_relaxed(&p.dropped));
}

static void send_or_just_leave(struct race *r, unsigned actor)
{
	struct weft_chan *c = r->c;

	r->result[actor] = actor == 0 ? tag_try_send(c, 1) : 0;
	weft_chan_unref(c);
}

static void dropped_once(struct race *r)
{
	struct parting *p = (struct parting *)(uintptr_t)r->data;
	unsigned dropped = weft_load_relaxed(&p->dropped);

	MUST_OF("try_send", r->result[0], 0);
	REQUIRE(dropped == r->round, "%u elements were dropped in %u rounds",
	        dropped, r->round);
}

/* The receiver leaves while the first element is on its way in: it is dropped
 * once, and what carried it is freed (a sanitizer sees to that). */
static void leaving_during_a_send_leaks_nothing(struct cell *cell)
{
	struct parting p = { .cell = cell };
	struct race r = { .cell = cell,
		          .actors = 2,
		          .rounds = cell_times(cell, 30000, 300),
		          .before = both_hold_it,
		          .act = send_or_just_leave,
		          .after = dropped_once,
		          .data = (uintptr_t)&p };

	race_run(&r);
}

/* --- what is visible --- */

static void forget(struct race *r)
{
	r->c = cell_chan(r->cell);
	r->data = 0;
}

static void write_then_close(struct race *r, unsigned actor)
{
	uint32_t tag;

	if (actor == 0) {
		r->data = r->round;
		r->result[0] = chan_close(r->c);
	} else if (actor == 1) {
		r->result[1] = tag_recv(r->c, &tag, WEFT_FOREVER);
		r->tag[1] = (uint32_t)r->data;
	} else {
		while ((r->result[2] = tag_try_recv(r->c, &tag)) == -EAGAIN)
			weft_yield();
		r->tag[2] = (uint32_t)r->data;
	}
}

static void has_been_seen(struct race *r)
{
	MUST_OF("close", r->result[0], 0);
	for (unsigned i = 1; i < r->actors; i++) {
		MUST_OF(i == 1 ? "recv" : "try_recv", r->result[i], -EPIPE);
		REQUIRE(r->tag[i] == r->round,
		        "what was written before close was not there after");
	}
	chan_end(r->c);
}

/* The data are not atomic: under the thread sanitizer a close that does not
 * release them, or a receive that does not acquire them, is a report. */
static void what_was_written_before_close_is_visible(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 1 + cell_receivers(cell, 2),
		          .rounds = cell_times(cell, 20000, 200),
		          .before = forget,
		          .act = write_then_close,
		          .after = has_been_seen };

	race_run(&r);
}

static void write_then_send(struct race *r, unsigned actor)
{
	if (actor == 0) {
		r->data = r->round;
		r->result[0] = tag_send(r->c, 1, WEFT_FOREVER);
	} else {
		r->result[1] = tag_recv(r->c, &r->tag[0], WEFT_FOREVER);
		r->tag[1] = (uint32_t)r->data;
	}
}

static void has_arrived(struct race *r)
{
	MUST_OF("send", r->result[0], 0);
	MUST_OF("recv", r->result[1], 0);
	REQUIRE(r->tag[1] == r->round,
	        "what was written before a send was not there after its "
	        "receive");
	chan_end(r->c);
}

static void what_was_written_before_a_send_is_visible(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 2,
		          .rounds = cell_times(cell, 20000, 200),
		          .before = forget,
		          .act = write_then_send,
		          .after = has_arrived };

	race_run(&r);
}

const struct conform_check conform_close[] = {
	{ .name = "a_closed_channel_drains_and_then_ends",
	  .scenarios = "20",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS | OVER_SIZES | OVER_DRIVERS,
	  .fn = a_closed_channel_drains_and_then_ends },
	{ .name = "close_wakes_every_waiting_receiver",
	  .scenarios = "21",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = close_wakes_every_waiting_receiver },
	{ .name = "close_wakes_every_waiting_sender",
	  .scenarios = "21",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_FULL | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = close_wakes_every_waiting_sender },
	{ .name = "a_closed_channel_takes_nothing_from_waiting_senders",
	  .scenarios = "15, 21",
	  .needs = NEEDS_DATA,
	  .over = OVER_FULL | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = a_closed_channel_takes_nothing_from_waiting_senders },
	{ .name = "sends_after_close_fail_and_deliver_nothing",
	  .scenarios = "22",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS | OVER_DRIVERS,
	  .fn = sends_after_close_fail_and_deliver_nothing },
	{ .name = "only_the_first_close_succeeds",
	  .scenarios = "23",
	  .over = OVER_CAPS,
	  .fn = only_the_first_close_succeeds },
	{ .name = "close_does_not_hide_an_element_from_try_recv",
	  .scenarios = "24",
	  .needs = NEEDS_DATA,
	  .over = OVER_BUFFERED | OVER_DRIVERS,
	  .fn = close_does_not_hide_an_element_from_try_recv },
	{ .name = "a_send_that_races_with_close_is_kept_or_refused",
	  .scenarios = "25",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_2 | OVER_7 | OVER_64 | OVER_UNBOUNDED | OVER_DRIVERS,
	  .fn = a_send_that_races_with_close_is_kept_or_refused },
	{ .name = "close_under_load_loses_nothing",
	  .scenarios = "25",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_CAPS | OVER_PARKING | OVER_DRIVERS,
	  .fn = close_under_load_loses_nothing },
	{ .name = "of_several_closers_one_wins",
	  .scenarios = "26",
	  .over = OVER_CAPS,
	  .fn = of_several_closers_one_wins },
	{ .name = "the_last_reference_drops_what_is_left",
	  .scenarios = "27",
	  .needs = NEEDS_DATA,
	  .over = OVER_BUFFERED | OVER_SIZES,
	  .fn = the_last_reference_drops_what_is_left },
	{ .name = "leaving_during_a_send_leaks_nothing",
	  .scenarios = "28",
	  .needs = NEEDS_DATA,
	  .over = OVER_BUFFERED,
	  .fn = leaving_during_a_send_leaks_nothing },
	{ .name = "what_was_written_before_close_is_visible",
	  .scenarios = "29",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS | OVER_PARKING | OVER_DRIVERS,
	  .fn = what_was_written_before_close_is_visible },
	{ .name = "what_was_written_before_a_send_is_visible",
	  .scenarios = "29",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS | OVER_PARKING | OVER_DRIVERS,
	  .fn = what_was_written_before_a_send_is_visible },
	{ .name = "a_receiver_may_free_the_channel_at_once",
	  .scenarios = "30",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS | OVER_PARKING | OVER_DRIVERS,
	  .fn = a_receiver_may_free_the_channel_at_once },
	{ .name = NULL },
};
