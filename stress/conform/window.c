/*
 * Windows of a few instructions: two calls that meet in the middle of each
 * other.
 *
 * Each check lets two actors go at once and sweeps the time between them, for a
 * span of time and not for a count of rounds. The channel has no part in how
 * the actors start, so what it does in between is all that they meet in.
 */
#include <errno.h>
#include <stdio.h>

#include "stress/conform/suite.h"

#define LEAST 20u /* rounds, however little time there is */

static void race_in_a_window(struct race *r)
{
	r->rounds = cell_some(r->cell, LEAST);
	r->span_ns = cell_window(r->cell);
	race_run(r);
}

static void a_new_one(struct race *r)
{
	r->c = cell_chan(r->cell);
}

/* --- send against close --- */

#define SENT 2u

/* The second actor closes and takes at once what there is, up to the end: one
 * bit for each element in its tag[]. */
static void send_or_close_and_drain(struct race *r, unsigned actor)
{
	uint32_t tag;
	int err;

	if (actor == 0) {
		for (uint32_t i = 0; i < SENT; i++)
			r->result[i] = tag_try_send(r->c, 1u << i);
		return;
	}
	r->result[SENT] = chan_close(r->c);
	r->tag[1] = 0;
	while ((err = tag_try_recv(r->c, &tag)) == 0)
		r->tag[1] |= tag;
	r->result[SENT + 1] = err;
}

static void the_end_was_the_end(struct race *r)
{
	uint32_t sent = 0, late;

	MUST(r->result[SENT], 0);
	REQUIRE(r->result[SENT + 1] == -EPIPE,
	        "try_recv from a closed channel returned %s",
	        code_name(r->result[SENT + 1]));
	for (uint32_t i = 0; i < SENT; i++) {
		int err = r->result[i];

		REQUIRE(err == 0 || err == -EPIPE || err == -EAGAIN,
		        "a send that raced with close returned %s",
		        code_name(err));
		sent |= err ? 0 : 1u << i;
	}
	r->seen[sent != 0]++;
	REQUIRE(tag_try_recv(r->c, &late) == -EPIPE,
	        "an element came out after a receive had said -EPIPE");
	REQUIRE(r->tag[1] == sent,
	        "sends %#x returned 0, and %#x came out before -EPIPE (one "
	        "bit each)",
	        sent, r->tag[1]);
	chan_end(r->c);
}

/* What is claimed and not yet written when close comes is not lost, and the end
 * that a receive has told of does not come back. */
static void close_waits_for_what_is_being_sent(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 2,
		          .before = a_new_one,
		          .act = send_or_close_and_drain,
		          .after = the_end_was_the_end };

	race_in_a_window(&r);
	snprintf(vital->note, sizeof(vital->note),
	         "in the last variation sends came first in %u rounds of %u",
	         r.seen[1], r.seen[0] + r.seen[1]);
}

/* --- what is there is found --- */

static void the_same_one(struct race *r)
{
	(void)r;
}

static void send_then_find(struct race *r, unsigned actor)
{
	uint32_t tag;

	r->result[actor] = tag_try_send(r->c, actor + 1);
	if (!r->result[actor])
		r->result[actor] = tag_try_recv(r->c, &tag);
}

static void both_did(struct race *r)
{
	for (unsigned i = 0; i < 2; i++)
		REQUIRE(r->result[i] == 0,
		        "a task sent an element, or took one, and then its "
		        "try_ call the other way returned %s",
		        code_name(r->result[i]));
}

/* Each actor's own element is inside when it looks, unless the other one has
 * taken it, and then the other's is. */
static void a_task_that_sent_finds_an_element_at_once(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 2,
		          .c = cell_chan(cell),
		          .before = the_same_one,
		          .act = send_then_find,
		          .after = both_did };
	uint32_t tag;

	race_in_a_window(&r);
	MUST(tag_try_recv(r.c, &tag), -EAGAIN);
	chan_end(r.c);
}

static void take_then_put(struct race *r, unsigned actor)
{
	uint32_t tag;

	r->result[actor] = tag_try_recv(r->c, &tag);
	if (!r->result[actor])
		r->result[actor] = tag_try_send(r->c, actor + 1);
}

static void a_task_that_took_finds_a_space_at_once(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 2,
		          .c = cell_chan(cell),
		          .before = the_same_one,
		          .act = take_then_put,
		          .after = both_did };
	size_t full = chan_fill(r.c, 0, TO_THE_BRIM), left = 0;
	uint32_t tag;

	race_in_a_window(&r);
	while (tag_try_recv(r.c, &tag) == 0)
		left++;
	REQUIRE(left == full, "%zu elements are left of %zu", left, full);
	chan_end(r.c);
}

/* --- a send that is about to wait --- */

static void a_full_one(struct race *r)
{
	r->c = cell_chan(r->cell);
	r->data = chan_fill(r->c, 0, TO_THE_BRIM);
}

/* By turns, the second actor closes and takes an element. */
static void send_or_let_it(struct race *r, unsigned actor)
{
	if (actor == 0)
		r->result[0] = tag_send(r->c, (uint32_t)r->data, WEFT_FOREVER);
	else if (r->round % 2)
		r->result[1] = tag_recv(r->c, &r->tag[1], WEFT_FOREVER);
	else
		r->result[1] = chan_close(r->c);
}

static void it_went_on(struct race *r)
{
	bool closed = r->round % 2 == 0;
	size_t left = 0;
	uint32_t tag;
	int err;

	MUST(r->result[0], closed ? -EPIPE : 0);
	MUST(r->result[1], 0);
	if (!closed)
		MUST(chan_close(r->c), 0);
	while ((err = tag_recv(r->c, &tag, WEFT_FOREVER)) == 0)
		left++;
	MUST(err, -EPIPE);
	REQUIRE(left == r->data, "%zu elements are left; there should be %zu",
	        left, (size_t)r->data);
	chan_end(r->c);
}

/* A wake-up that is lost here shows as a hang. */
static void a_send_that_begins_to_wait_is_told(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 2,
		          .before = a_full_one,
		          .act = send_or_let_it,
		          .after = it_went_on };

	race_in_a_window(&r);
}

static void recv_or_let_it(struct race *r, unsigned actor)
{
	if (actor == 0)
		r->result[0] = tag_recv(r->c, &r->tag[0], WEFT_FOREVER);
	else if (r->round % 2)
		r->result[1] = tag_send(r->c, 5, WEFT_FOREVER);
	else
		r->result[1] = chan_close(r->c);
}

static void it_was_received(struct race *r)
{
	bool closed = r->round % 2 == 0;
	uint32_t tag;

	MUST(r->result[0], closed ? -EPIPE : 0);
	MUST(r->result[1], 0);
	REQUIRE(closed || r->tag[0] == tag_in(r->cell->elem, 5),
	        "received element %u instead of the one that was sent",
	        r->tag[0]);
	MUST(tag_try_recv(r->c, &tag), closed ? -EPIPE : -EAGAIN);
	chan_end(r->c);
}

static void a_receive_that_begins_to_wait_is_told(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 2,
		          .before = a_new_one,
		          .act = recv_or_let_it,
		          .after = it_was_received };

	race_in_a_window(&r);
}

/* --- batches against close --- */

#define BATCH 6

static void send_many_or_close(struct race *r, unsigned actor)
{
	uint32_t tags[BATCH];
	size_t done;

	if (actor == 1) {
		r->result[1] = chan_close(r->c);
		return;
	}
	for (uint32_t i = 0; i < BATCH; i++)
		tags[i] = i;
	r->result[0] = tag_send_many(r->c, tags, BATCH, &done, WEFT_FOREVER);
	r->tag[0] = (uint32_t)done;
}

static void as_far_as_it_says(struct race *r)
{
	size_t done = r->tag[0];

	MUST(r->result[1], 0);
	REQUIRE(r->result[0] == 0 || r->result[0] == -EPIPE,
	        "send_many that raced with close returned %s",
	        code_name(r->result[0]));
	REQUIRE((r->result[0] == 0) == (done == BATCH),
	        "send_many returned %s after %zu elements of %d",
	        code_name(r->result[0]), done, BATCH);
	must_drain(r->cell, r->c, 0, done);
	chan_end(r->c);
}

static void a_batch_that_close_cuts_tells_how_far_it_got(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 2,
		          .before = a_new_one,
		          .act = send_many_or_close,
		          .after = as_far_as_it_says };

	race_in_a_window(&r);
}

static void recv_many_or_send_and_close(struct race *r, unsigned actor)
{
	uint32_t tags[BATCH];
	size_t done;

	if (actor == 0) {
		r->tag[0] = 0;
		while ((r->result[0] = tag_recv_many(r->c, tags, BATCH - 1,
		                                     &done, WEFT_FOREVER)) == 0)
			r->tag[0] += (uint32_t)done;
		return;
	}
	for (uint32_t i = 0; i < BATCH; i++)
		MUST(tag_send(r->c, i, WEFT_FOREVER), 0);
	r->result[1] = chan_close(r->c);
}

static void none_was_left(struct race *r)
{
	size_t left = 0;
	uint32_t tag;

	MUST(r->result[0], -EPIPE);
	MUST(r->result[1], 0);
	while (tag_try_recv(r->c, &tag) == 0)
		left++;
	REQUIRE(left == 0,
	        "recv_many said -EPIPE with %zu elements still inside", left);
	REQUIRE(r->tag[0] == BATCH, "batches received %u elements of %d",
	        r->tag[0], BATCH);
	chan_end(r->c);
}

static void batches_drain_what_close_leaves(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 2,
		          .before = a_new_one,
		          .act = recv_many_or_send_and_close,
		          .after = none_was_left };

	race_in_a_window(&r);
}

/* --- len while others run --- */

#define LOOKS 16

static void pass_or_look(struct race *r, unsigned actor)
{
	uint32_t tag, most = 0;

	for (uint32_t i = 0; i < LOOKS; i++) {
		size_t len;

		if (actor == 0) {
			MUST(tag_try_send(r->c, i), 0);
			MUST(tag_try_recv(r->c, &tag), 0);
			continue;
		}
		len = chan_len(r->c);
		if (len > most)
			most = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX;
	}
	if (actor)
		r->tag[0] = most;
}

/* One is inside at most. Two numbers that are read one after the other may be
 * apart by what passed in between, but never by more than the capacity. */
static void len_was_possible(struct race *r)
{
	size_t most = r->cell->unbounded ? LOOKS : weft_chan_cap(r->c);

	REQUIRE(r->tag[0] <= most,
	        "len was %s%u while elements passed one by one through a "
	        "channel that holds %zu",
	        r->tag[0] == UINT32_MAX ? "over " : "", r->tag[0], most);
}

static void len_stays_in_bounds_while_elements_pass(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 2,
		          .c = cell_chan(cell),
		          .before = the_same_one,
		          .act = pass_or_look,
		          .after = len_was_possible };

	race_in_a_window(&r);
	chan_end(r.c);
}

const struct conform_check conform_window[] = {
	{ .name = "close_waits_for_what_is_being_sent",
	  .scenarios = "25",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_BUFFERED | OVER_DRIVERS,
	  .fn = close_waits_for_what_is_being_sent },
	{ .name = "a_send_that_begins_to_wait_is_told",
	  .scenarios = "1, 21",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_LEN,
	  .over = OVER_0 | OVER_1 | OVER_2 | OVER_PARKING | OVER_DRIVERS,
	  .fn = a_send_that_begins_to_wait_is_told },
	{ .name = "a_receive_that_begins_to_wait_is_told",
	  .scenarios = "1, 21",
	  .needs = NEEDS_DATA,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_PARKING |
	          OVER_DRIVERS,
	  .fn = a_receive_that_begins_to_wait_is_told },
	{ .name = "a_batch_that_close_cuts_tells_how_far_it_got",
	  .scenarios = "25",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_2 | OVER_7 | OVER_64 | OVER_UNBOUNDED,
	  .fn = a_batch_that_close_cuts_tells_how_far_it_got },
	{ .name = "batches_drain_what_close_leaves",
	  .scenarios = "20, 25",
	  .needs = NEEDS_DATA,
	  .over = OVER_BUFFERED,
	  .fn = batches_drain_what_close_leaves },
	{ .name = "a_task_that_sent_finds_an_element_at_once",
	  .scenarios = "12",
	  .needs = NEEDS_DATA | WEFT_CAN_FIFO | NEEDS_TAGS,
	  .senders = 2,
	  .receivers = 2,
	  .over = OVER_2 | OVER_7 | OVER_64 | OVER_UNBOUNDED | OVER_DRIVERS,
	  .fn = a_task_that_sent_finds_an_element_at_once },
	{ .name = "a_task_that_took_finds_a_space_at_once",
	  .scenarios = "12",
	  .needs = NEEDS_DATA | WEFT_CAN_FIFO | WEFT_CAN_LEN | NEEDS_TAGS,
	  .senders = 2,
	  .receivers = 2,
	  .over = OVER_2 | OVER_7 | OVER_64 | OVER_DRIVERS,
	  .fn = a_task_that_took_finds_a_space_at_once },
	{ .name = "len_stays_in_bounds_while_elements_pass",
	  .scenarios = "3",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_LEN,
	  .over = OVER_BUFFERED,
	  .fn = len_stays_in_bounds_while_elements_pass },
	{ .name = NULL },
};
