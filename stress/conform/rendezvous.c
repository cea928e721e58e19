/* Capacity 0: a send and a receive happen together. */
#include <errno.h>

#include "stress/conform/ledger.h"
#include "stress/conform/suite.h"

static void send_waits_until_it_is_taken(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	struct call send = {
		.c = c, .form = FORM_SEND, .tag = 5, .deadline_ns = WEFT_FOREVER
	};

	call_begin(&send);
	cell_settle(cell, &send, 1);
	REQUIRE(!call_is_over(&send), "send returned %s without a receiver",
	        code_name(send.result));
	REQUIRE(chan_len(c) == 0 || !cell->exact,
	        "len is %zu of a rendezvous channel", chan_len(c));
	must_recv(c, 5, WEFT_FOREVER);
	MUST_END(&send, 0);
	chan_end(c);
}

struct meeting {
	struct weft_chan *c;
	uint32_t n;
	_Atomic uint32_t begun; /* receives */
};

static int receives_and_says_so(void *arg)
{
	struct meeting *m = arg;

	for (uint32_t i = 0; i < m->n; i++) {
		weft_store_release(&m->begun, i + 1);
		must_recv(m->c, i, WEFT_FOREVER);
	}
	return 0;
}

/* A send that returned before its receive began was left in a buffer. */
static void send_returns_only_after_its_receive_began(struct cell *cell)
{
	struct meeting m = { .c = cell_chan(cell),
		             .n = cell_times(cell, 30000, 300) };
	struct weft_task *task =
	        task_start("receiver", receives_and_says_so, &m);

	for (uint32_t i = 0; i < m.n; i++) {
		MUST(tag_send(m.c, i, WEFT_FOREVER), 0);
		REQUIRE(weft_load_acquire(&m.begun) > i,
		        "send %u returned before receive %u began", i, i);
	}
	task_finish(task);
	chan_end(m.c);
}

static void try_send_succeeds_only_while_a_receiver_waits(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	struct call recv = { .c = c,
		             .form = FORM_RECV,
		             .deadline_ns = WEFT_FOREVER };
	int err;

	MUST(tag_try_send(c, 1), -EAGAIN);
	call_begin(&recv);
	cell_settle(cell, &recv, 1);
	/* Where the wait cannot be seen, it may begin a little later. */
	while ((err = tag_try_send(c, 2)) == -EAGAIN && !cell->manual)
		weft_yield();
	MUST_OF("try_send", err, 0);
	MUST_END(&recv, 0);
	REQUIRE(recv.tag == tag_in(cell->elem, 2),
	        "received element %u instead of the one that was sent",
	        recv.tag);
	MUST(tag_try_send(c, 3), -EAGAIN);
	chan_end(c);
}

static void try_recv_succeeds_only_while_a_sender_waits(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	struct call send = {
		.c = c, .form = FORM_SEND, .tag = 9, .deadline_ns = WEFT_FOREVER
	};
	uint32_t tag;
	int err;

	MUST(tag_try_recv(c, &tag), -EAGAIN);
	call_begin(&send);
	cell_settle(cell, &send, 1);
	while ((err = tag_try_recv(c, &tag)) == -EAGAIN && !cell->manual)
		weft_yield();
	MUST_OF("try_recv", err, 0);
	REQUIRE(tag == tag_in(cell->elem, 9),
	        "received element %u instead of the one that was sent", tag);
	MUST_END(&send, 0);
	MUST(tag_try_recv(c, &tag), -EAGAIN);
	chan_end(c);
}

/* --- who is first --- */

#define QUEUE 6

/* Calls that begin to wait one after the other. */
static void line_up(struct cell *cell, struct call *calls,
                    const struct call *like)
{
	for (uint32_t i = 0; i < QUEUE; i++) {
		struct call one = *like;

		one.tag += i;
		calls_begin(&calls[i], 1, &one);
		cell_settle(cell, &calls[i], 1);
	}
}

/*
 * Nothing is ever inside, so the one order for all that fifo declares is that
 * of the tasks that wait: the first to come is the first to meet a peer.
 */
static void the_first_to_wait_is_the_first_to_meet(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	struct call calls[QUEUE], like = { .c = c,
		                           .form = FORM_SEND,
		                           .tag = 40,
		                           .deadline_ns = WEFT_FOREVER };

	line_up(cell, calls, &like);
	for (uint32_t i = 0; i < QUEUE; i++)
		must_recv(c, 40 + i, WEFT_FOREVER);
	for (int i = 0; i < QUEUE; i++)
		MUST_END(&calls[i], 0);
	like.form = FORM_RECV;
	line_up(cell, calls, &like);
	for (uint32_t i = 0; i < QUEUE; i++)
		MUST(tag_send(c, 60 + i, WEFT_FOREVER), 0);
	for (uint32_t i = 0; i < QUEUE; i++) {
		MUST_END(&calls[i], 0);
		REQUIRE(calls[i].tag == tag_in(cell->elem, 60 + i),
		        "receive %u of those that waited got element %u and "
		        "not %u",
		        i, calls[i].tag, 60 + i);
	}
	chan_end(c);
}

/* --- whose completion is it --- */

struct verdicts {
	struct weft_chan *c;
	struct ledger ledger;
	uint32_t n;
	_Atomic unsigned next_sender;
};

static int64_t in_a_moment(void)
{
	return weft_deadline_in((int64_t)(weft_rand() % 20) * WEFT_US);
}

static int sends_in_a_hurry(void *arg)
{
	struct verdicts *v = arg;
	unsigned id = weft_fetch_add_relaxed(&v->next_sender, 1u);

	for (uint32_t i = 0; i < v->n; i++) {
		uint32_t tag = ledger_tag(id, i);
		int err = tag_send(v->c, tag, in_a_moment());

		REQUIRE(err == 0 || err == -ETIMEDOUT, "send returned %s",
		        code_name(err));
		ledger_sent(&v->ledger, tag, err == 0);
	}
	return 0;
}

static int receives_all(void *arg)
{
	struct verdicts *v = arg;
	uint32_t tag;
	int err;

	while ((err = tag_recv(v->c, &tag, in_a_moment())) != -EPIPE)
		if (err != -ETIMEDOUT) {
			MUST_OF("recv", err, 0);
			ledger_received(&v->ledger, tag, NULL);
		}
	return 0;
}

/*
 * A waiter's verdict is its own: the next wait on the same channel, or by the
 * same task, must not change it. With deadlines about as long as a meeting
 * takes, every send that says 0 was received and every other was not.
 */
static void each_send_learns_its_own_fate(struct cell *cell)
{
	unsigned senders = cell_senders(cell, 2);
	unsigned receivers = cell_receivers(cell, 2);
	struct verdicts v = { .c = cell_chan(cell),
		              .n = cell_times(cell, 20000, 200) };
	struct weft_task *s[2], *r[2];

	ledger_init(&v.ledger, senders, v.n);
	for (unsigned i = 0; i < receivers; i++)
		r[i] = task_start("receiver", receives_all, &v);
	for (unsigned i = 0; i < senders; i++)
		s[i] = task_start("sender", sends_in_a_hurry, &v);
	for (unsigned i = 0; i < senders; i++)
		task_finish(s[i]);
	MUST(chan_close(v.c), 0);
	for (unsigned i = 0; i < receivers; i++)
		task_finish(r[i]);
	ledger_close(&v.ledger);
	ledger_fini(&v.ledger);
	chan_end(v.c);
}

const struct conform_check conform_rendezvous[] = {
	{ .name = "send_waits_until_it_is_taken",
	  .scenarios = "15",
	  .needs = NEEDS_DATA | WEFT_CAN_RENDEZVOUS,
	  .over = OVER_0 | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = send_waits_until_it_is_taken },
	{ .name = "send_returns_only_after_its_receive_began",
	  .scenarios = "15",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_RENDEZVOUS,
	  .over = OVER_0 | OVER_POLICIES | OVER_DRIVERS,
	  .fn = send_returns_only_after_its_receive_began },
	{ .name = "try_send_succeeds_only_while_a_receiver_waits",
	  .scenarios = "16",
	  .needs = NEEDS_DATA | WEFT_CAN_RENDEZVOUS,
	  .over = OVER_0 | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = try_send_succeeds_only_while_a_receiver_waits },
	{ .name = "try_recv_succeeds_only_while_a_sender_waits",
	  .scenarios = "16",
	  .needs = NEEDS_DATA | WEFT_CAN_RENDEZVOUS,
	  .over = OVER_0 | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = try_recv_succeeds_only_while_a_sender_waits },
	{ .name = "the_first_to_wait_is_the_first_to_meet",
	  .scenarios = "15",
	  .needs = NEEDS_DATA | WEFT_CAN_RENDEZVOUS | WEFT_CAN_FIFO,
	  .senders = QUEUE,
	  .receivers = QUEUE,
	  .over = OVER_0 | OVER_PARKING | OVER_MANUAL,
	  .fn = the_first_to_wait_is_the_first_to_meet },
	{ .name = "each_send_learns_its_own_fate",
	  .scenarios = "19",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_RENDEZVOUS |
	           WEFT_CAN_TIMEOUT,
	  .over = OVER_0 | OVER_POLICIES | OVER_DRIVERS,
	  .fn = each_send_learns_its_own_fate },
	{ .name = NULL },
};
