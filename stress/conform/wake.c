/*
 * Wake-ups: a waiter that can go on is told so.
 *
 * A lost wake-up shows as a hang, which the time limit ends. Each round makes
 * tasks wait, serves all of them at once, and needs every one to end.
 */
#include <errno.h>
#include <stdio.h>

#include "stress/conform/ledger.h"
#include "stress/conform/suite.h"

#define CROWD 8

/* k receivers wait, then k elements come one by one, faster than a woken
 * receiver can take the first. */
static void every_element_wakes_a_receiver(struct cell *cell)
{
	unsigned rounds = cell_times(cell, 600, 5);
	unsigned k = cell_receivers(cell, CROWD);
	struct weft_chan *c = cell_chan(cell);
	struct call recv[CROWD], like = { .c = c,
		                          .form = FORM_RECV,
		                          .deadline_ns = WEFT_FOREVER };

	for (unsigned round = 0; round < rounds; round++) {
		calls_begin(recv, k, &like);
		cell_settle(cell, recv, k);
		for (unsigned i = 0; i < k; i++)
			MUST(tag_send(c, i, WEFT_FOREVER), 0);
		for (unsigned i = 0; i < k; i++)
			MUST_END(&recv[i], 0);
	}
	chan_end(c);
}

/* Take what k waiting senders and a full channel hold. */
static void take(struct weft_chan *c, size_t n)
{
	uint32_t tag;

	for (size_t i = 0; i < n; i++)
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
}

/* Where len is exact, k elements taken are k spaces; elsewhere all are taken,
 * because an implementation may need more than one element gone. */
static void every_space_wakes_a_sender(struct cell *cell)
{
	unsigned rounds = cell_times(cell, 600, 5);
	unsigned k = cell_senders(cell, CROWD);
	struct weft_chan *c = cell_chan(cell);
	struct call send[CROWD], like = { .c = c,
		                          .form = FORM_SEND,
		                          .deadline_ns = WEFT_FOREVER };

	for (unsigned round = 0; round < rounds; round++) {
		size_t full = chan_fill(c, 0, TO_THE_BRIM);

		calls_begin(send, k, &like);
		cell_settle(cell, send, k);
		take(c, cell->exact ? k : full + k);
		for (unsigned i = 0; i < k; i++)
			MUST_END(&send[i], 0);
		if (cell->exact)
			take(c, full);
	}
	chan_end(c);
}

static void one_batch_wakes_all_that_it_serves(struct cell *cell)
{
	unsigned rounds = cell_times(cell, 400, 3);
	unsigned k = cell_receivers(cell, CROWD);
	struct weft_chan *c = cell_chan(cell);
	struct call recv[CROWD], like = { .c = c,
		                          .form = FORM_RECV,
		                          .deadline_ns = WEFT_FOREVER };
	uint32_t tags[CROWD] = { 0 };
	size_t done;

	for (unsigned round = 0; round < rounds; round++) {
		calls_begin(recv, k, &like);
		cell_settle(cell, recv, k);
		MUST(tag_send_many(c, tags, k, &done, WEFT_FOREVER), 0);
		for (unsigned i = 0; i < k; i++)
			MUST_END(&recv[i], 0);
	}
	chan_end(c);
}

static void one_batch_taken_wakes_all_that_fit(struct cell *cell)
{
	unsigned rounds = cell_times(cell, 400, 3);
	unsigned k = cell_senders(cell, CROWD);
	struct weft_chan *c = cell_chan(cell);
	struct call send[CROWD], like = { .c = c,
		                          .form = FORM_SEND,
		                          .deadline_ns = WEFT_FOREVER };
	uint32_t tags[CROWD];

	for (unsigned round = 0; round < rounds; round++) {
		size_t left = chan_fill(c, 0, TO_THE_BRIM) + k, done;

		calls_begin(send, k, &like);
		cell_settle(cell, send, k);
		for (; left > 0; left -= done)
			MUST(tag_recv_many(c, tags, left < k ? left : k, &done,
			                   WEFT_FOREVER),
			     0);
		for (unsigned i = 0; i < k; i++)
			MUST_END(&send[i], 0);
	}
	chan_end(c);
}

/* --- many waiters --- */

/* More than fit into a word of 32 or 64 bits, or into twice that; and as many
 * as a count of 8 bits takes for none, where that many threads are cheap. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define MANY 129
#else
#define MANY 256
#endif

static void end_all(struct call *calls, unsigned n, int want)
{
	for (unsigned i = 0; i < n; i++)
		MUST_END(&calls[i], want);
}

static void a_crowd_of_receivers_is_served(struct cell *cell)
{
	unsigned n = cell_receivers(cell, cell_some(cell, MANY));
	struct weft_chan *c = cell_chan(cell);
	struct call recv[MANY], like = { .c = c,
		                         .form = FORM_RECV,
		                         .deadline_ns = WEFT_FOREVER };

	calls_begin(recv, n, &like);
	cell_settle(cell, recv, n);
	for (unsigned i = 0; i < n; i++)
		MUST(tag_send(c, i, WEFT_FOREVER), 0);
	end_all(recv, n, 0);
	calls_begin(recv, n, &like);
	cell_settle(cell, recv, n);
	MUST(chan_close(c), 0);
	end_all(recv, n, -EPIPE);
	chan_end(c);
}

static void a_crowd_of_senders_is_served(struct cell *cell)
{
	unsigned n = cell_senders(cell, cell_some(cell, MANY));
	struct weft_chan *c = cell_chan(cell);
	size_t full = chan_fill(c, 0, TO_THE_BRIM);
	struct call send[MANY], like = { .c = c,
		                         .form = FORM_SEND,
		                         .deadline_ns = WEFT_FOREVER };

	calls_begin(send, n, &like);
	cell_settle(cell, send, n);
	take(c, full + n);
	end_all(send, n, 0);
	chan_fill(c, 0, TO_THE_BRIM);
	calls_begin(send, n, &like);
	cell_settle(cell, send, n);
	MUST(chan_close(c), 0);
	end_all(send, n, -EPIPE);
	chan_end(c);
}

/* --- a waiter that gives up --- */

/*
 * A waiter that gives up at the moment it is woken must hand the wake-up to
 * the next. One waits with a deadline, another without; about when the
 * deadline ends, there is something for one of them. If the first has not
 * taken it, the second must, without any help: neither tries again, as a loop
 * around a timed call would, and thereby repair what was lost.
 */
enum {
	IMPATIENT,
	PATIENT,
	PROVIDER,
};

struct handing {
	bool sends; /* the two that wait do */
	size_t inside;

	_Atomic int64_t deadline_ns; /* once the impatient one is to call */
	_Atomic bool over;           /* and when it has returned */
};

static struct handing *handing_of(struct race *r)
{
	return (struct handing *)(uintptr_t)r->data;
}

static void make_them_wait(struct race *r)
{
	struct handing *h = handing_of(r);

	r->c = cell_chan(r->cell);
	h->inside = h->sends ? chan_fill(r->c, 0, TO_THE_BRIM) : 0;
	weft_store_relaxed(&h->deadline_ns, 0);
	weft_store_relaxed(&h->over, false);
}

static int wait_for_it(struct race *r, unsigned actor, int64_t deadline_ns)
{
	return handing_of(r)->sends
	               ? tag_send(r->c, 1000 + actor, deadline_ns)
	               : tag_recv(r->c, &r->tag[actor], deadline_ns);
}

static int provide(struct race *r)
{
	return handing_of(r)->sends
	               ? tag_recv(r->c, &r->tag[PROVIDER], WEFT_FOREVER)
	               : tag_send(r->c, 7, WEFT_FOREVER);
}

static int64_t await_deadline(struct handing *h)
{
	int64_t deadline;

	while (!(deadline = weft_load_acquire(&h->deadline_ns)))
		weft_yield();
	return deadline;
}

static void act_provider(struct race *r)
{
	struct handing *h = handing_of(r);
	/* A thread wakes some 50 us after its deadline. */
	int64_t moment = await_deadline(h) +
	                 ((int64_t)(weft_rand() % 110) - 20) * WEFT_US;

	while (weft_now() < moment)
		weft_yield();
	r->result[PROVIDER] = provide(r);
	while (!weft_load_acquire(&h->over))
		weft_yield();
	if (r->result[PROVIDER] == 0 && r->result[IMPATIENT] == 0)
		r->result[PROVIDER] = provide(r); /* for the other one */
}

static void act_in_hand_over(struct race *r, unsigned actor)
{
	struct handing *h = handing_of(r);
	int64_t deadline;

	switch (actor) {
	case IMPATIENT:
		deadline = weft_deadline_in(100 * WEFT_US);
		weft_store_release(&h->deadline_ns, deadline);
		r->result[actor] = wait_for_it(r, actor, deadline);
		weft_store_release(&h->over, true);
		break;
	case PATIENT:
		await_deadline(h);
		r->result[actor] = wait_for_it(r, actor, WEFT_FOREVER);
		break;
	case PROVIDER:
		act_provider(r);
		break;
	}
}

static void somebody_got_it(struct race *r)
{
	int first = r->result[IMPATIENT];
	size_t left = 0;
	uint32_t tag;

	REQUIRE(first == 0 || first == -ETIMEDOUT, "a timed call returned %s",
	        code_name(first));
	MUST_OF(handing_of(r)->sends ? "send" : "recv", r->result[PATIENT], 0);
	MUST_OF(handing_of(r)->sends ? "recv" : "send", r->result[PROVIDER], 0);
	MUST(chan_close(r->c), 0);
	while (tag_recv(r->c, &tag, WEFT_FOREVER) == 0)
		left++;
	REQUIRE(left == handing_of(r)->inside,
	        "%zu elements are left; there should be %zu", left,
	        handing_of(r)->inside);
	chan_end(r->c);
	r->seen[first == 0]++;
}

static void hand_over(struct cell *cell, bool sends)
{
	struct handing h = { .sends = sends };
	struct race r = { .cell = cell,
		          .actors = 3,
		          .rounds = cell_times(cell, 6000, 30),
		          .before = make_them_wait,
		          .act = act_in_hand_over,
		          .after = somebody_got_it,
		          .data = (uintptr_t)&h };

	race_run(&r);
	snprintf(vital->note, sizeof(vital->note),
	         "in the last variation %u deadlines came first and %u did not",
	         r.seen[0], r.seen[1]);
}

static void a_receiver_that_gives_up_passes_its_wake_up_on(struct cell *cell)
{
	hand_over(cell, false);
}

static void a_sender_that_gives_up_passes_its_wake_up_on(struct cell *cell)
{
	hand_over(cell, true);
}

const struct conform_check conform_wake[] = {
	{ .name = "every_element_wakes_a_receiver",
	  .scenarios = "1, 54",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = every_element_wakes_a_receiver },
	{ .name = "every_space_wakes_a_sender",
	  .scenarios = "1, 54",
	  .needs = NEEDS_DATA,
	  .over = OVER_FULL | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = every_space_wakes_a_sender },
	{ .name = "one_batch_wakes_all_that_it_serves",
	  .scenarios = "54",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS | OVER_PARKING | OVER_MANUAL,
	  .fn = one_batch_wakes_all_that_it_serves },
	{ .name = "one_batch_taken_wakes_all_that_fit",
	  .scenarios = "54",
	  .needs = NEEDS_DATA,
	  .over = OVER_FULL | OVER_PARKING | OVER_MANUAL,
	  .fn = one_batch_taken_wakes_all_that_fit },
	{ .name = "a_crowd_of_receivers_is_served",
	  .scenarios = "1, 21",
	  .needs = NEEDS_DATA,
	  .receivers = 65,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_MANUAL,
	  .fn = a_crowd_of_receivers_is_served },
	{ .name = "a_crowd_of_senders_is_served",
	  .scenarios = "1, 21",
	  .needs = NEEDS_DATA,
	  .senders = 65,
	  .over = OVER_0 | OVER_1 | OVER_MANUAL,
	  .fn = a_crowd_of_senders_is_served },
	{ .name = "a_receiver_that_gives_up_passes_its_wake_up_on",
	  .scenarios = "54",
	  .needs = NEEDS_DATA | WEFT_CAN_TIMEOUT,
	  .receivers = 2,
	  .over = OVER_CAPS | OVER_PARKING | OVER_DRIVERS,
	  .fn = a_receiver_that_gives_up_passes_its_wake_up_on },
	{ .name = "a_sender_that_gives_up_passes_its_wake_up_on",
	  .scenarios = "54",
	  .needs = NEEDS_DATA | WEFT_CAN_TIMEOUT | WEFT_CAN_LEN,
	  .senders = 2,
	  .over = OVER_FULL | OVER_PARKING | OVER_DRIVERS,
	  .fn = a_sender_that_gives_up_passes_its_wake_up_on },
	{ .name = NULL },
};
