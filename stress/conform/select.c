/*
 * Select: which cases it takes, when it waits, and what it leaves alone.
 *
 * Most of these take two channels, one of the implementation under test and
 * one of each that may stand beside it; so checking all implementations covers
 * every ordered pair.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "stress/conform/suite.h"

/* --- which cases are ready --- */

/* States of a channel that a case may find. */
enum state {
	NO_CHANNEL,
	EMPTY,
	ONE_INSIDE,
	FULL,
	CLOSED,
	CLOSED_ONE_INSIDE,
};

static const struct fact {
	const char *what;
	enum weft_case_op op;
	enum state state;
	bool ready;
	int err; /* of a ready one */
} facts[] = {
	{ "a receive from NULL", WEFT_CASE_RECV, NO_CHANNEL, false, 0 },
	{ "a receive from an empty channel", WEFT_CASE_RECV, EMPTY, false, 0 },
	{ "a receive with an element there", WEFT_CASE_RECV, ONE_INSIDE, true,
	  0 },
	{ "a receive from a closed channel", WEFT_CASE_RECV, CLOSED, true,
	  -EPIPE },
	{ "a receive from a closed channel with an element", WEFT_CASE_RECV,
	  CLOSED_ONE_INSIDE, true, 0 },
	{ "a send to NULL", WEFT_CASE_SEND, NO_CHANNEL, false, 0 },
	{ "a send to a channel with space", WEFT_CASE_SEND, EMPTY, true, 0 },
	{ "a send to a full channel", WEFT_CASE_SEND, FULL, false, 0 },
	{ "a send to a closed channel", WEFT_CASE_SEND, CLOSED, true, -EPIPE },
	{ "a send to a closed channel with an element", WEFT_CASE_SEND,
	  CLOSED_ONE_INSIDE, true, -EPIPE },
};

#define FACTS (sizeof(facts) / sizeof(*facts))

/* Whether a channel of the cell can be what the fact is about. */
static bool can_be(const struct cell *cell, const struct fact *f)
{
	bool buffered = cell->unbounded || cell->cap > 0;

	switch (f->state) {
	case ONE_INSIDE:
	case CLOSED_ONE_INSIDE:
		return buffered;
	case FULL:
		return !cell->unbounded;
	case EMPTY:
		return buffered || f->op == WEFT_CASE_RECV;
	case NO_CHANNEL:
	case CLOSED:
		return true;
	}
	return true;
}

static struct weft_chan *chan_in(const struct cell *cell, enum state state)
{
	struct weft_chan *c;

	if (state == NO_CHANNEL)
		return NULL;
	c = cell_chan(cell);
	if (state == ONE_INSIDE || state == CLOSED_ONE_INSIDE)
		MUST(tag_try_send(c, 5), 0);
	if (state == FULL)
		chan_fill(c, 5, TO_THE_BRIM);
	if (state == CLOSED || state == CLOSED_ONE_INSIDE)
		MUST(chan_close(c), 0);
	return c;
}

/* What is inside a channel must not change when its case was not chosen. */
static void must_have_chosen(const struct choice *ch, int got,
                             const struct fact *const f[2],
                             const struct cell *const cell[2],
                             const size_t len[2])
{
	for (int i = 0; i < 2; i++)
		REQUIRE(i == got || !cell[i]->exact ||
		                chan_len(ch->cases[i].c) == len[i],
		        "select chose case %d and changed the channel of "
		        "case %d",
		        got, i);
	if (!f[0]->ready && !f[1]->ready) {
		REQUIRE(got == -ETIMEDOUT, "select of %s and %s returned %d",
		        f[0]->what, f[1]->what, got);
		return;
	}
	REQUIRE(got >= 0, "select of %s and %s returned %s", f[0]->what,
	        f[1]->what, code_name(got));
	REQUIRE(f[got]->ready, "select chose %s, which is not ready",
	        f[got]->what);
	REQUIRE(choice_err(ch, got) == f[got]->err, "select ended %s with %s",
	        f[got]->what, code_name(choice_err(ch, got)));
}

static void select_finds(const struct cell *cell, const struct cell *other,
                         const struct fact *const f[2], int64_t deadline_ns)
{
	struct weft_chan *c[2] = { chan_in(cell, f[0]->state),
		                   chan_in(other, f[1]->state) };
	size_t len[2] = { chan_len(c[0]), chan_len(c[1]) };
	const struct cell *const cells[2] = { cell, other };
	struct choice ch = { .n = 0 };

	choice_add(&ch, f[0]->op, c[0], 11);
	choice_add(&ch, f[1]->op, c[1], 12);
	must_have_chosen(&ch, choice_make(&ch, deadline_ns), f, cells, len);
	for (int i = 0; i < 2; i++)
		if (c[i])
			chan_end(c[i]);
}

static void select_takes_what_is_ready_and_nothing_else(struct cell *cell)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++)
		for (size_t i = 0; i < FACTS; i++)
			for (size_t k = 0; k < FACTS; k++) {
				const struct fact *f[] = { &facts[i],
					                   &facts[k] };

				if (!can_be(cell, f[0]) ||
				    !can_be(&other, f[1]))
					continue;
				select_finds(cell, &other, f, WEFT_NOW);
				select_finds(cell, &other, f, 1);
				select_finds(cell, &other, f,
				             weft_deadline_in(20 * WEFT_US));
			}
}

/* --- poll --- */

/* A channel without its front: what select itself sees of it. */
struct bare {
	const struct weft_chan_impl *impl;
	void *state;
	struct room room;
};

static uint64_t must_poll(struct bare *b, char dir, bool want, const char *when)
{
	uint64_t pos = 0;
	bool ready = b->impl->poll(b->state, dir, &pos);

	REQUIRE(ready == want, "poll '%c' says %s %s", dir,
	        ready ? "yes" : "no", when);
	return pos;
}

static void must_have_grown(uint64_t before, uint64_t after, char dir,
                            const char *when)
{
	REQUIRE(after > before,
	        "the position of poll '%c' was %llu and is %llu %s", dir,
	        (unsigned long long)before, (unsigned long long)after, when);
}

static void poll_counts_sends(struct bare *b)
{
	uint64_t before = must_poll(b, 'r', false, "of an empty channel");

	MUST(b->impl->try_send(b->state, b->room.bytes), 0);
	must_poll(b, 'r', true, "with an element inside");
	MUST(b->impl->try_recv(b->state, b->room.bytes), 0);
	must_have_grown(before, must_poll(b, 'r', false, "of an empty channel"),
	                'r', "after an element came and went");
}

static void poll_counts_receives(struct bare *b)
{
	uint64_t before;

	must_poll(b, 's', true, "of a channel with space");
	while (b->impl->try_send(b->state, b->room.bytes) == 0)
		;
	before = must_poll(b, 's', false, "of a full channel");
	MUST(b->impl->try_recv(b->state, b->room.bytes), 0);
	must_poll(b, 's', true, "of a channel with space");
	MUST(b->impl->try_send(b->state, b->room.bytes), 0);
	must_have_grown(before, must_poll(b, 's', false, "of a full channel"),
	                's', "after a space came and went");
	while (b->impl->try_recv(b->state, b->room.bytes) == 0)
		;
}

/* Full, and with every number of elements left: a send finds it closed, a
 * receive what there is or the same. */
static void poll_sees_close(struct bare *b)
{
	int n = 0;

	while (n < 100 && b->impl->try_send(b->state, b->room.bytes) == 0)
		n++;
	MUST(b->impl->close(b->state), 0);
	for (; n >= 0; n--) {
		must_poll(b, 'r', true, "of a closed channel");
		must_poll(b, 's', true, "of a closed channel");
		if (n)
			MUST(b->impl->try_recv(b->state, b->room.bytes), 0);
	}
	MUST(b->impl->try_recv(b->state, b->room.bytes), -EPIPE);
}

/* With every number inside: one more element, one more space, and none. */
static void poll_sees_each(struct bare *b, bool exact)
{
	int n = 0, in;

	while (n < 100 && b->impl->try_send(b->state, b->room.bytes) == 0) {
		must_poll(b, 'r', true, "with an element inside");
		n++;
	}
	for (in = n; in > 0; in--) {
		must_poll(b, 'r', true, "with an element inside");
		if (exact && in < n)
			must_poll(b, 's', true, "of a channel with space");
		MUST(b->impl->try_recv(b->state, b->room.bytes), 0);
	}
}

/* What poll says decides whether "nothing ready" was true at one instant. */
static void poll_tells_what_a_try_would_find(struct cell *cell)
{
	struct weft_chan_config config = { .cap = cell->cap,
		                           .elem_size = cell->elem,
		                           .wait = cell->wait };
	struct bare b = { .impl = cell->impl };

	if (!b.impl->poll)
		child_skip("%s does without poll", b.impl->name);
	MUST(b.impl->create(&b.state, &config), 0);
	for (int i = 0; i < 100; i++) {
		poll_counts_sends(&b);
		if (cell->exact && !cell->unbounded)
			poll_counts_receives(&b);
	}
	poll_sees_each(&b, cell->exact);
	poll_sees_close(&b);
	b.impl->destroy(b.state);
}

/* --- waiting --- */

/* What ends a wait: the case is served, or its channel closed. */
enum end {
	BY_PEER,
	BY_CLOSE,
};

/* How many are inside when it is full. */
static struct weft_chan *chan_that_makes_wait(const struct cell *cell,
                                              enum weft_case_op op,
                                              size_t *inside)
{
	struct weft_chan *c = cell_chan(cell);

	*inside = op == WEFT_CASE_SEND ? chan_fill(c, 100, TO_THE_BRIM) : 0;
	return c;
}

/* Make the case of `c` ready. Where len is not exact, all that is inside may
 * have to go before there is space. */
static void serve(const struct cell *cell, struct weft_chan *c,
                  enum weft_case_op op, size_t inside)
{
	size_t n = cell->exact ? 1 : inside;
	uint32_t tag;

	if (op == WEFT_CASE_RECV) {
		MUST(tag_send(c, 77, WEFT_FOREVER), 0);
		return;
	}
	for (size_t i = 0; i < n; i++)
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
}

/* A select over a and b waits; then case `which` is ended. */
static void wait_ends(const struct cell *const cell[2],
                      const enum weft_case_op op[2], int which, enum end by)
{
	size_t inside[2];
	struct weft_chan *c[2] = {
		chan_that_makes_wait(cell[0], op[0], &inside[0]),
		chan_that_makes_wait(cell[1], op[1], &inside[1])
	};
	struct choice ch = { .n = 0 };
	struct call call = { .form = FORM_SELECT,
		             .choice = &ch,
		             .deadline_ns = WEFT_FOREVER };

	choice_add(&ch, op[0], c[0], 11);
	choice_add(&ch, op[1], c[1], 12);
	call_begin(&call);
	cell_settle(cell[0], &call, 1);
	REQUIRE(!call_is_over(&call), "select returned %d with nothing ready",
	        call.result);
	if (by == BY_PEER)
		serve(cell[which], c[which], op[which], inside[which]);
	else
		MUST(chan_close(c[which]), 0);
	MUST_END(&call, which);
	MUST_OF("the chosen case", choice_err(&ch, which),
	        by == BY_PEER ? 0 : -EPIPE);
	REQUIRE(by == BY_CLOSE || op[which] == WEFT_CASE_SEND ||
	                ch.tag[which] == tag_in(cell[0]->elem, 77),
	        "select received element %u instead of the one that was sent",
	        ch.tag[which]);
	chan_end(c[0]);
	chan_end(c[1]);
}

static bool can_wait(const struct cell *cell, enum weft_case_op op)
{
	return op == WEFT_CASE_RECV || !cell->unbounded;
}

static void each_case_can_end_a_wait(struct cell *cell)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++)
		for (int i = 0; i < 16; i++) {
			const struct cell *cells[2] = { cell, &other };
			enum weft_case_op op[2] = {
				i & 1 ? WEFT_CASE_SEND : WEFT_CASE_RECV,
				i & 2 ? WEFT_CASE_SEND : WEFT_CASE_RECV
			};

			if (can_wait(cell, op[0]) && can_wait(&other, op[1]))
				wait_ends(cells, op, i >> 2 & 1,
				          i & 8 ? BY_CLOSE : BY_PEER);
		}
}

/* The case that lost must not be served any more: the task that waits there
 * next is, and what is sent goes to it. */
static void losers_stay_out(const struct cell *cell, const struct cell *other,
                            int which)
{
	struct weft_chan *c[2] = { cell_chan(cell), cell_chan(other) };
	struct weft_chan *lost = c[!which];
	struct choice ch = { .n = 0 };
	struct call select = { .form = FORM_SELECT,
		               .choice = &ch,
		               .deadline_ns = WEFT_FOREVER };
	struct call recv = { .c = lost,
		             .form = FORM_RECV,
		             .deadline_ns = WEFT_FOREVER };

	choice_recv(&ch, c[0]);
	choice_recv(&ch, c[1]);
	call_begin(&select);
	cell_settle(cell, &select, 1);
	MUST(tag_send(c[which], 1, WEFT_FOREVER), 0);
	MUST_END(&select, which);
	chan_must_be_idle(lost);
	call_begin(&recv);
	cell_settle(cell, &recv, 1);
	MUST(tag_send(lost, 2, WEFT_FOREVER), 0);
	MUST_END(&recv, 0);
	REQUIRE(recv.tag == tag_in(cell->elem, 2), "received element %u",
	        recv.tag);
	chan_end(c[0]);
	chan_end(c[1]);
}

static void a_case_that_lost_leaves_nothing_behind(struct cell *cell)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++) {
		unsigned rounds = cell_times(&other, 400, 2);
		/* Settling cannot see a plain wait that blocks its thread. */
		bool blind =
		        cell->manual && (other.impl->can & WEFT_BLOCKS_THREAD);

		for (unsigned i = 0; i < rounds; i++) {
			if (!blind)
				losers_stay_out(cell, &other, 0);
			losers_stay_out(cell, &other, 1);
		}
	}
}

/* --- deadlines --- */

static void a_select_gives_up_at_its_deadline(struct cell *cell)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++) {
		int64_t deadline = weft_deadline_in(cell_span(cell));
		struct weft_chan *a = cell_chan(cell), *b = cell_chan(&other);
		struct choice ch = { .n = 0 };
		struct call call = { .form = FORM_SELECT,
			             .choice = &ch,
			             .deadline_ns = deadline };

		choice_recv(&ch, a);
		choice_recv(&ch, NULL);
		choice_recv(&ch, b);
		call_begin(&call);
		if (cell->manual) {
			MUST(weft_clock_settle(), 0);
			cell_reach(cell, deadline - 1);
			REQUIRE(!call_is_over(&call),
			        "select returned %d before its deadline",
			        call.result);
			cell_reach(cell, deadline);
		}
		MUST_END(&call, -ETIMEDOUT);
		REQUIRE(call.ended_ns >= deadline,
		        "timed out %lld ns before its deadline",
		        (long long)(deadline - call.ended_ns));
		chan_end(a);
		chan_end(b);
	}
}

/* Closed is ready: no deadline wins over it, whether it was closed before or
 * becomes so. */
static void a_closed_case_wins_over_a_deadline(struct cell *cell)
{
	const int64_t deadlines[] = { WEFT_NOW, 1, -1, INT64_MIN,
		                      weft_deadline_in(WEFT_SEC) };
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++) {
		struct weft_chan *a = cell_chan(cell), *b = cell_chan(&other);

		MUST(chan_close(a), 0);
		for (size_t i = 0; i < 10; i++) {
			struct choice ch = { .n = 0 };

			choice_recv(&ch, b);
			choice_add(&ch, i % 2 ? WEFT_CASE_RECV : WEFT_CASE_SEND,
			           a, 1);
			MUST(choice_make(&ch, deadlines[i / 2]), 1);
			MUST_OF("the chosen case", choice_err(&ch, 1), -EPIPE);
		}
		chan_end(a);
		chan_end(b);
	}
}

const struct conform_check conform_select[] = {
	{ .name = "select_takes_what_is_ready_and_nothing_else",
	  .scenarios = "34, 43",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_7 | OVER_UNBOUNDED,
	  .fn = select_takes_what_is_ready_and_nothing_else },
	{ .name = "poll_tells_what_a_try_would_find",
	  .scenarios = "50",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_BUFFERED,
	  .fn = poll_tells_what_a_try_would_find },
	{ .name = "each_case_can_end_a_wait",
	  .scenarios = "34, 45",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_PARKING | OVER_MANUAL,
	  .fn = each_case_can_end_a_wait },
	{ .name = "a_case_that_lost_leaves_nothing_behind",
	  .scenarios = "39",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_PARKING | OVER_MANUAL,
	  .fn = a_case_that_lost_leaves_nothing_behind },
	{ .name = "a_select_gives_up_at_its_deadline",
	  .scenarios = "51",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_CAPS | OVER_PARKING | OVER_MANUAL,
	  .fn = a_select_gives_up_at_its_deadline },
	{ .name = "a_closed_case_wins_over_a_deadline",
	  .scenarios = "45, 56",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_PARKING,
	  .fn = a_closed_case_wins_over_a_deadline },
	{ .name = NULL },
};
