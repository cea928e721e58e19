/* Many at once: exactly what is said was moved, in order. */
#include <errno.h>

#include "chan/internal.h"
#include "stress/conform/suite.h"
#include "stress/conform/traffic.h"

static void a_batch_of_none_changes_nothing(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	size_t done = 9;
	uint32_t tag = 0;

	MUST(tag_send_many(c, &tag, 0, &done, WEFT_FOREVER), 0);
	REQUIRE(done == 0, "send_many of none says it sent %zu", done);
	done = 9;
	MUST(tag_recv_many(c, &tag, 0, &done, WEFT_FOREVER), 0);
	REQUIRE(done == 0, "recv_many of none says it received %zu", done);
	MUST(tag_try_recv(c, &tag), -EAGAIN);
	chan_end(c);
}

/* As much as fits, then no more without waiting. */
static void a_batch_says_exactly_how_many_it_moved(struct cell *cell)
{
	uint32_t tags[MANY_MAX], next = 0;
	struct weft_chan *c = cell_chan(cell);
	size_t in = 0, done, asked = 0;
	int err;

	for (uint32_t i = 0; i < MANY_MAX; i++)
		tags[i] = i;
	err = tag_send_many(c, tags, MANY_MAX, &done, WEFT_NOW);
	in = done;
	REQUIRE(err == (done == MANY_MAX ? 0 : -ETIMEDOUT),
	        "send_many returned %s after %zu elements of %d",
	        code_name(err), done, MANY_MAX);
	REQUIRE(!cell->exact || chan_len(c) == in,
	        "send_many says it sent %zu, and len is %zu", in, chan_len(c));
	REQUIRE(!cell->exact || in == MANY_MAX || in == weft_chan_cap(c),
	        "send_many sent %zu into a capacity of %zu", in,
	        weft_chan_cap(c));
	MUST(chan_close(c), 0);
	while ((err = tag_recv_many(c, tags, asked % 9 + 1, &done,
	                            WEFT_FOREVER)) == 0) {
		asked++;
		for (size_t i = 0; i < done; i++, next++)
			REQUIRE(!cell->ordered || tags[i] == next,
			        "received element %u; element %u is the next",
			        tags[i], next);
	}
	MUST_OF("recv_many", err, -EPIPE);
	REQUIRE(next == in, "send_many says it sent %zu; %u were received", in,
	        next);
	chan_end(c);
}

static void recv_many_takes_what_is_there_and_no_more(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	uint32_t tags[MANY_MAX];
	size_t in = chan_fill(c, 0, 5), done, got = 0;

	while (got < in) {
		/* It may bring less than is there, but not wait for more. */
		MUST(tag_recv_many(c, tags, MANY_MAX, &done, WEFT_FOREVER), 0);
		got += done;
	}
	REQUIRE(got == in, "received %zu elements of %zu", got, in);
	MUST(tag_try_recv(c, tags), -EAGAIN);
	chan_end(c);
}

static int receives_in_batches(void *arg)
{
	struct weft_chan *c = arg;
	uint32_t tags[7], next = 0;
	size_t done;
	int err;

	while ((err = tag_recv_many(c, tags, 7, &done, WEFT_FOREVER)) == 0)
		for (size_t i = 0; i < done; i++, next++)
			REQUIRE(tags[i] == next,
			        "received element %u; element %u is the next",
			        tags[i], next);
	MUST_OF("recv_many", err, -EPIPE);
	REQUIRE(next == MANY_MAX, "received %u elements of %d", next, MANY_MAX);
	return 0;
}

static void a_batch_larger_than_the_channel_goes_through(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	struct weft_task *task = task_start("receiver", receives_in_batches, c);
	uint32_t tags[MANY_MAX];
	size_t done;

	for (uint32_t i = 0; i < MANY_MAX; i++)
		tags[i] = i;
	MUST(tag_send_many(c, tags, MANY_MAX, &done, WEFT_FOREVER), 0);
	MUST(chan_close(c), 0);
	task_finish(task);
	chan_end(c);
}

/*
 * A batch that is stopped half-way, by close or by its deadline, was sent as
 * far as it says: that much and no more comes out beside what was inside
 * before.
 *
 * How much got in is the channel's affair, and the machine's: the deadline may
 * come before the first space is free, and a sender that waits by looking now
 * and then may not have seen the space. Where it can be seen that all wait,
 * though, no space may be left.
 */
static void batch_is_stopped(struct cell *cell, bool by_close)
{
	struct weft_chan *c = cell_chan(cell);
	size_t inside = chan_fill(c, 0, TO_THE_BRIM), out = 0;
	struct intake in;
	uint32_t tag;
	int err = 0;
	struct call send = {
		.c = c,
		.form = FORM_SEND_MANY,
		.tag = (uint32_t)inside,
		.n = MANY_MAX,
		.deadline_ns = by_close ? WEFT_FOREVER
		                        : weft_deadline_in(cell_span(cell))
	};

	intake_begin(&in, cell, inside, MANY_MAX);
	call_begin(&send);
	cell_settle(cell, &send, 1);
	for (; out < 3; out++) {
		err = tag_recv(c, &tag, send.deadline_ns);
		if (err)
			break;
		intake_take(&in, tag);
	}
	REQUIRE(err == 0 || (err == -ETIMEDOUT && !by_close && !cell->manual),
	        "recv returned %s beside a sender", code_name(err));
	cell_settle(cell, &send, 1);
	if (by_close)
		MUST(chan_close(c), 0);
	else
		cell_reach(cell, send.deadline_ns);
	MUST_END(&send, by_close ? -EPIPE : -ETIMEDOUT);
	REQUIRE(!cell->exact || send.done <= out,
	        "%zu spaces became free, and send_many says it sent %zu", out,
	        send.done);
	REQUIRE(!cell->exact || !cell->manual || send.done == out,
	        "%zu spaces became free, and send_many waited with %zu sent",
	        out, send.done);
	if (!by_close)
		MUST(chan_close(c), 0);
	intake_drain(&in, c, send.done);
	chan_end(c);
}

static void close_in_the_middle_of_a_batch_is_told(struct cell *cell)
{
	batch_is_stopped(cell, true);
}

static void a_deadline_in_the_middle_of_a_batch_is_told(struct cell *cell)
{
	batch_is_stopped(cell, false);
}

static void a_batch_into_a_closed_channel_moves_nothing(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	uint32_t tags[3] = { 0 };
	size_t done = 9;

	MUST(chan_close(c), 0);
	MUST(tag_send_many(c, tags, 3, &done, WEFT_FOREVER), -EPIPE);
	REQUIRE(done == 0, "send_many says it sent %zu", done);
	done = 9;
	MUST(tag_recv_many(c, tags, 3, &done, WEFT_FOREVER), -EPIPE);
	REQUIRE(done == 0, "recv_many says it received %zu", done);
	chan_end(c);
}

/* --- what an implementation itself says --- */

static int sends_natively(struct weft_chan *c, size_t n, size_t *done)
{
	unsigned char elems[3 * WEFT_ELEM_MAX];

	for (size_t i = 0; i < n; i++)
		elem_make(elems + i * c->elem_size, c->elem_size, 1);
	return c->impl->try_send_many(c->state, elems, n, done);
}

static int receives_natively(struct weft_chan *c, size_t n, size_t *done)
{
	unsigned char elems[3 * WEFT_ELEM_MAX];
	int err = c->impl->try_recv_many(c->state, elems, n, done);

	REQUIRE(*done <= n, "try_recv_many of %zu says that it received %zu", n,
	        *done);
	return err;
}

/* Receive what is there, three at a time; what ended it. */
static int empties(struct weft_chan *c, size_t *left)
{
	size_t done;
	int err;

	do {
		err = receives_natively(c, 3, &done);
		*left -= done;
	} while (done);
	return err;
}

/*
 * The front asks again, one by one, when a batch moved nothing, and so hides
 * what a batch said wrong; a batch that has moved something may say anything.
 */
static void a_native_batch_that_moves_nothing_says_why(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	size_t done, n = 0;

	MUST_OF("try_recv_many", receives_natively(c, 3, &done), -EAGAIN);
	REQUIRE(done == 0, "%zu received from an empty channel", done);
	for (int i = 0; i < 3 || (!cell->unbounded && done); i++) {
		int err = sends_natively(c, i % 3 + 1, &done);

		n += done;
		REQUIRE(done || err == -EAGAIN,
		        "try_send_many into a full channel returned %s",
		        code_name(err));
	}
	MUST(chan_close(c), 0);
	MUST_OF("try_send_many", sends_natively(c, 2, &done), -EPIPE);
	REQUIRE(done == 0, "%zu sent into a closed channel", done);
	MUST_OF("try_recv_many", empties(c, &n), -EPIPE);
	REQUIRE(n == 0,
	        "try_recv_many said -EPIPE with %zu elements left in the "
	        "closed channel",
	        n);
	chan_end(c);
}

static void batches_lose_and_double_nothing(struct cell *cell)
{
	struct traffic t = { .cell = cell,
		             .senders = cell_senders(cell, 3),
		             .receivers = cell_receivers(cell, 3),
		             .each = cell_times(cell, 60000, 100),
		             .send_by = WAY_MANY,
		             .recv_by = WAY_MANY,
		             .order = cell->ordered };

	traffic_run(&t);
	t.recv_by = WAY_PLAIN;
	traffic_run(&t);
	t.send_by = WAY_PLAIN;
	t.recv_by = WAY_MANY;
	traffic_run(&t);
}

const struct conform_check conform_batch[] = {
	{ .name = "a_batch_of_none_changes_nothing",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS,
	  .fn = a_batch_of_none_changes_nothing },
	{ .name = "a_batch_says_exactly_how_many_it_moved",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_TIMEOUT,
	  .over = OVER_CAPS,
	  .fn = a_batch_says_exactly_how_many_it_moved },
	{ .name = "recv_many_takes_what_is_there_and_no_more",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_BUFFERED,
	  .fn = recv_many_takes_what_is_there_and_no_more },
	{ .name = "a_batch_larger_than_the_channel_goes_through",
	  .needs = NEEDS_DATA | NEEDS_ORDER | NEEDS_TAGS,
	  .over = OVER_CAPS | OVER_POLICIES,
	  .fn = a_batch_larger_than_the_channel_goes_through },
	{ .name = "close_in_the_middle_of_a_batch_is_told",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_FULL | OVER_PARKING | OVER_MANUAL,
	  .fn = close_in_the_middle_of_a_batch_is_told },
	{ .name = "a_deadline_in_the_middle_of_a_batch_is_told",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_TIMEOUT,
	  .over = OVER_FULL | OVER_PARKING | OVER_MANUAL,
	  .fn = a_deadline_in_the_middle_of_a_batch_is_told },
	{ .name = "a_batch_into_a_closed_channel_moves_nothing",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS,
	  .fn = a_batch_into_a_closed_channel_moves_nothing },
	{ .name = "a_native_batch_that_moves_nothing_says_why",
	  .needs = NEEDS_DATA | WEFT_CAN_BATCH,
	  .over = OVER_BUFFERED,
	  .fn = a_native_batch_that_moves_nothing_says_why },
	{ .name = "batches_lose_and_double_nothing",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_CAPS | OVER_PARKING,
	  .fn = batches_lose_and_double_nothing },
	{ .name = NULL },
};
