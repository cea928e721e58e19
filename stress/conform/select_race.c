/*
 * Select against calls, close, deadlines and other selects.
 *
 * As in select.c, a channel of the implementation under test stands beside one
 * of each that may stand there.
 */
#include <errno.h>

#include "stress/conform/suite.h"

/* --- nothing ready, at one instant --- */

/*
 * The first channel has an element. An actor brings one to the second and only
 * then takes the first's; or closes the second, and takes it. So something is
 * ready at every instant, and a select that says otherwise has looked at the
 * two at different ones.
 */
struct instant {
	const struct cell *other;
	struct weft_chan *to; /* the second */
	/* Never ready: something to look at between the two. */
	struct weft_chan *idle[CHOICE_MAX - 2];
	bool swapped; /* the first is of the partner */
	bool closes;
	enum weft_case_op op; /* of the select's cases */
};

static struct instant *instant_of(struct race *r)
{
	return (struct instant *)(uintptr_t)r->data;
}

/* Ready for `op`, with nothing to spare; or not at all. */
static void set_ready(struct weft_chan *c, enum weft_case_op op, bool ready)
{
	uint32_t tag;

	if (op == WEFT_CASE_RECV) {
		if (ready)
			MUST(tag_try_send(c, 1), 0);
		return;
	}
	chan_fill(c, 0, TO_THE_BRIM);
	if (ready)
		MUST(tag_try_recv(c, &tag), 0);
}

static void one_is_ready(struct race *r)
{
	struct instant *in = instant_of(r);
	const struct cell *first = in->swapped ? in->other : r->cell;
	const struct cell *second = in->swapped ? r->cell : in->other;

	r->c = cell_chan(first);
	in->to = cell_chan(second);
	set_ready(r->c, in->op, true);
	set_ready(in->to, in->op, false);
	/* Now the one comes first, and now the other. */
	r->tag[0] = (uint32_t)weft_rand() % 40;
	r->tag[1] = (uint32_t)weft_rand() % 40;
}

static void move_it(struct race *r)
{
	struct instant *in = instant_of(r);
	uint32_t tag;

	if (in->closes)
		r->result[1] = chan_close(in->to);
	else if (in->op == WEFT_CASE_RECV)
		r->result[1] = tag_try_send(in->to, 2);
	else
		r->result[1] = tag_try_recv(in->to, &tag);
	/* It may be gone already. */
	if (in->op == WEFT_CASE_RECV)
		r->result[2] = tag_try_recv(r->c, &tag);
	else
		r->result[2] = tag_try_send(r->c, 3);
}

static void select_or_move(struct race *r, unsigned actor)
{
	struct instant *in = instant_of(r);
	struct choice ch;

	for (uint32_t i = r->tag[actor]; i > 0; i--)
		weft_relax();
	if (actor == 1) {
		move_it(r);
		return;
	}
	ch.n = 0;
	choice_add(&ch, in->op, r->round % 2 ? r->c : in->to, 4);
	for (unsigned i = 0; i < CHOICE_MAX - 2; i++)
		choice_add(&ch, in->op, in->idle[i], 4);
	choice_add(&ch, in->op, r->round % 2 ? in->to : r->c, 4);
	r->result[0] = choice_make(&ch, r->round % 4 ? WEFT_NOW : 1);
}

static void something_was_ready(struct race *r)
{
	struct instant *in = instant_of(r);

	REQUIRE(r->result[0] >= 0,
	        "select returned %s, though at every instant one of its two "
	        "cases was ready",
	        code_name(r->result[0]));
	MUST_OF(in->closes                 ? "close"
	        : in->op == WEFT_CASE_RECV ? "try_send"
	                                   : "try_recv",
	        r->result[1], 0);
	r->seen[r->result[2] == 0]++;
	chan_end(r->c);
	chan_end(in->to);
}

/* Whether somebody beside the selecting task may use that side of the first
 * channel. */
static bool may_be_shared(const struct cell *first, enum weft_case_op op)
{
	return op == WEFT_CASE_RECV ? first->impl->max_receivers != 1
	                            : first->impl->max_senders != 1;
}

/* Whether it can be full, and one element taken is then one space. */
static bool frees_one_by_one(const struct cell *cell)
{
	return !cell->unbounded && cell->exact;
}

static void watch_instants(struct cell *cell, struct cell *other, unsigned i)
{
	struct instant in = { .other = other,
		              .swapped = i & 1,
		              .closes = i & 2,
		              .op = i & 4 ? WEFT_CASE_SEND : WEFT_CASE_RECV };
	struct race r = { .cell = cell,
		          .actors = 2,
		          .rounds = cell_times(other, 12000, 30),
		          .before = one_is_ready,
		          .act = select_or_move,
		          .after = something_was_ready,
		          .data = (uintptr_t)&in };
	const struct cell *first = in.swapped ? other : cell;

	if (!may_be_shared(first, in.op) ||
	    (in.op == WEFT_CASE_SEND &&
	     !(frees_one_by_one(cell) && frees_one_by_one(other))))
		return;
	for (unsigned k = 0; k < CHOICE_MAX - 2; k++) {
		in.idle[k] = cell_chan(k % 2 ? cell : other);
		set_ready(in.idle[k], in.op, false);
	}
	race_run(&r);
	for (unsigned k = 0; k < CHOICE_MAX - 2; k++)
		chan_end(in.idle[k]);
}

static void nothing_ready_is_true_at_one_instant(struct cell *cell)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++)
		for (unsigned i = 0; i < 8; i++)
			watch_instants(cell, &other, i);
}

/*
 * The same without end: there is always an element in one of two channels, but
 * never for long in the same. A mover puts one into the other channel before
 * it takes one out of this; the selecting task puts back what it took. More
 * channels, which stay empty, give it something to do between its looks at the
 * two.
 */
struct shuttle {
	struct weft_chan *c[CHOICE_MAX]; /* the first two */
	uint32_t n;
	_Atomic bool over;
};

static int moves(void *arg)
{
	struct shuttle *s = arg;
	bool surplus = false;
	unsigned at = 0;
	uint32_t tag;

	while (!weft_load_relaxed(&s->over)) {
		if (!surplus)
			MUST(tag_try_send(s->c[!at], 1), 0);
		surplus = tag_try_recv(s->c[at], &tag) != 0;
		at = !at;
	}
	return 0;
}

static int64_t some_deadline(uint32_t i)
{
	if (i % 8 == 0)
		return weft_deadline_in((int64_t)(weft_rand() % 3) * WEFT_US);
	return i % 2 ? WEFT_NOW : 1;
}

static void select_always_finds_it(struct shuttle *s)
{
	struct choice ch;
	int got;

	ch.n = 0;
	for (unsigned i = 0; i < CHOICE_MAX; i++)
		choice_recv(&ch, s->c[i]);
	for (uint32_t i = 0; i < s->n; i++) {
		got = choice_make(&ch, some_deadline(i));
		REQUIRE(got >= 0,
		        "select %u returned %s, though there was an element in "
		        "one of its channels all the time",
		        i, code_name(got));
		MUST(tag_try_send(s->c[got], 1), 0);
	}
}

static void shuttle_between(struct cell *cell, struct cell *other)
{
	struct shuttle s = { .n = cell_times(other, 4000000, 500) };
	struct weft_task *task;

	for (unsigned i = 0; i < CHOICE_MAX; i++)
		s.c[i] = cell_chan(i % 2 ? other : cell);
	MUST(tag_try_send(s.c[0], 1), 0);
	task = task_start("mover", moves, &s);
	select_always_finds_it(&s);
	weft_store_relaxed(&s.over, true);
	task_finish(task);
	for (unsigned i = 0; i < CHOICE_MAX; i++)
		chan_end(s.c[i]);
}

static void an_element_that_moves_is_always_found(struct cell *cell)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++)
		if (!cell_is_limited(&other))
			shuttle_between(cell, &other);
}

/* --- exactly one case --- */

/*
 * A select over two channels, and an actor at each of them that calls at the
 * same time. One case happens; the other peer is then served by a plain call.
 * If both had happened, that would wait for ever.
 */
struct both {
	const struct cell *other;
	struct weft_chan *c[2];
	enum weft_case_op op; /* of the select's cases */
};

static struct both *both_of(struct race *r)
{
	return (struct both *)(uintptr_t)r->data;
}

static void two_channels(struct race *r)
{
	struct both *b = both_of(r);

	b->c[0] = cell_chan(r->cell);
	b->c[1] = cell_chan(b->other);
	for (int i = 0; i < 2; i++)
		if (b->op == WEFT_CASE_SEND)
			chan_fill(b->c[i], 1000, TO_THE_BRIM);
}

static int one_call(struct weft_chan *c, enum weft_case_op op, uint32_t *tag)
{
	return op == WEFT_CASE_SEND ? tag_send(c, *tag, WEFT_FOREVER)
	                            : tag_recv(c, tag, WEFT_FOREVER);
}

static void select_then_the_other(struct race *r)
{
	struct both *b = both_of(r);
	struct choice ch;
	int got;

	ch.n = 0;
	for (uint32_t i = 0; i < 2; i++) {
		if (b->op == WEFT_CASE_SEND)
			choice_send(&ch, b->c[i], i + 1);
		else
			choice_recv(&ch, b->c[i]);
	}
	got = choice_make(&ch, WEFT_FOREVER);
	r->result[0] = got;
	if (got < 0)
		return;
	MUST_OF("the chosen case", choice_err(&ch, got), 0);
	r->tag[0] = ch.tag[got];
	r->tag[3] = (uint32_t)!got + 1;
	r->result[3] = one_call(b->c[!got], b->op, &r->tag[3]);
}

static void select_or_call(struct race *r, unsigned actor)
{
	struct both *b = both_of(r);
	enum weft_case_op op =
	        b->op == WEFT_CASE_SEND ? WEFT_CASE_RECV : WEFT_CASE_SEND;

	if (actor == 0) {
		select_then_the_other(r);
		return;
	}
	r->tag[actor] = actor;
	r->result[actor] = one_call(b->c[actor - 1], op, &r->tag[actor]);
}

/* What the select and the call after it moved, and nothing else. */
static void each_moved_once(struct race *r)
{
	struct both *b = both_of(r);
	uint32_t left;

	REQUIRE(r->result[0] >= 0, "select returned %s",
	        code_name(r->result[0]));
	for (unsigned i = 1; i <= 3; i++)
		MUST_OF((b->op == WEFT_CASE_SEND) == (i == 3) ? "send" : "recv",
		        r->result[i], 0);
	if (b->op == WEFT_CASE_RECV) {
		REQUIRE(r->tag[0] == (uint32_t)r->result[0] + 1 &&
		                r->tag[3] == 3 - r->tag[0],
		        "elements 1 and 2 were sent; received %u by select and "
		        "%u by a call",
		        r->tag[0], r->tag[3]);
		for (int i = 0; i < 2; i++)
			MUST(tag_try_recv(b->c[i], &left), -EAGAIN);
	}
	chan_end(b->c[0]);
	chan_end(b->c[1]);
}

static void exactly_one_case_happens(struct cell *cell)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++)
		for (int sends = 0; sends < 2; sends++) {
			struct both b = { .other = &other,
				          .op = sends ? WEFT_CASE_SEND
				                      : WEFT_CASE_RECV };
			struct race r = { .cell = cell,
				          .actors = 3,
				          .rounds =
				                  cell_times(&other, 12000, 30),
				          .before = two_channels,
				          .act = select_or_call,
				          .after = each_moved_once,
				          .data = (uintptr_t)&b };

			if (sends && !(frees_one_by_one(cell) &&
			               frees_one_by_one(&other)))
				continue;
			race_run(&r);
		}
}

/* --- selects against selects --- */

/*
 * Two tasks select over {a, b} and two over {b, a}; one of each sends on either
 * and one receives from either. All of them get through.
 */
static void opposite_select(struct race *r, unsigned actor)
{
	struct both *b = both_of(r);
	bool sends = actor < r->actors / 2;
	struct choice ch;

	ch.n = 0;
	for (unsigned i = 0; i < 2; i++) {
		struct weft_chan *c = b->c[(i + actor) % 2];

		if (sends)
			choice_send(&ch, c, 1u << actor);
		else
			choice_recv(&ch, c);
	}
	r->result[actor] = choice_make(&ch, WEFT_FOREVER);
	if (r->result[actor] >= 0) {
		r->tag[actor] = ch.tag[r->result[actor]];
		MUST_OF("the chosen case", choice_err(&ch, r->result[actor]),
		        0);
	}
}

static void all_met(struct race *r)
{
	struct both *b = both_of(r);
	uint32_t sent = 0, got = 0;

	for (unsigned i = 0; i < r->actors; i++) {
		REQUIRE(r->result[i] >= 0, "select returned %s",
		        code_name(r->result[i]));
		if (i < r->actors / 2)
			sent |= r->tag[i];
		else
			got |= r->tag[i];
	}
	REQUIRE(sent == got,
	        "selects sent elements %#x and received %#x (one bit each)",
	        sent, got);
	chan_end(b->c[0]);
	chan_end(b->c[1]);
}

static void selects_in_opposite_order_meet(struct cell *cell)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++) {
		bool one = cell_is_limited(cell) || cell_is_limited(&other);
		struct both b = { .other = &other, .op = WEFT_CASE_RECV };
		struct race r = { .cell = cell,
			          .actors = one ? 2 : 4,
			          .rounds = cell_times(&other, 20000, 30),
			          .before = two_channels,
			          .act = opposite_select,
			          .after = all_met,
			          .data = (uintptr_t)&b };

		race_run(&r);
	}
}

/* Each task selects between sending its own element and receiving another's,
 * all on one channel without a buffer: they pair off. */
#define PAIRS 22

struct partner {
	struct weft_chan *c;
	uint32_t own;
	int got; /* 0: sent, 1: received */
	int err;
	uint32_t tag; /* received */
};

static int sends_or_receives(void *arg)
{
	struct partner *me = arg;
	struct choice ch;

	ch.n = 0;
	choice_send(&ch, me->c, me->own);
	choice_recv(&ch, me->c);
	me->got = choice_make(&ch, WEFT_FOREVER);
	REQUIRE(me->got >= 0, "select returned %s", code_name(me->got));
	me->err = choice_err(&ch, me->got);
	me->tag = ch.tag[me->got];
	return 0;
}

/* How many sent, and how many received what another sent. */
static void count_pairs(const struct partner *p, unsigned n, unsigned over)
{
	unsigned sent = 0, received = 0, closed = 0;
	bool seen[2 * PAIRS + 1] = { false };

	for (unsigned i = 0; i < n; i++) {
		closed += p[i].err == -EPIPE;
		sent += p[i].err == 0 && p[i].got == 0;
		if (p[i].err != 0 || p[i].got == 0)
			continue;
		received++;
		REQUIRE(p[i].tag != p[i].own,
		        "a select received the element that it sent itself");
		REQUIRE(p[i].tag < n && p[p[i].tag].got == 0 &&
		                p[p[i].tag].err == 0,
		        "received element %u, whose select did not send it",
		        p[i].tag);
		REQUIRE(!seen[p[i].tag], "element %u was received twice",
		        p[i].tag);
		seen[p[i].tag] = true;
	}
	REQUIRE(sent == received && closed == over,
	        "of %u selects that send or receive %u sent, %u received and "
	        "%u were left over",
	        n, sent, received, closed);
}

static void pair_off(struct cell *cell, unsigned n)
{
	struct partner p[2 * PAIRS + 1];
	struct weft_task *task[2 * PAIRS + 1];
	struct weft_chan *c = cell_chan(cell);
	unsigned over = n % 2;

	for (unsigned i = 0; i < n; i++) {
		p[i] = (struct partner){ .c = c, .own = i };
		task[i] = task_start("partner", sends_or_receives, &p[i]);
	}
	if (over) {
		/* Nobody is left for the last, once all of them wait. */
		cell_settle(cell, NULL, 0);
		MUST(chan_close(c), 0);
	}
	for (unsigned i = 0; i < n; i++)
		task_finish(task[i]);
	count_pairs(p, n, over);
	chan_end(c);
}

static void selects_that_send_or_receive_pair_off(struct cell *cell)
{
	unsigned rounds = cell_times(cell, 100, 2);

	for (unsigned i = 0; i < rounds; i++) {
		pair_off(cell, 2 * PAIRS);
		pair_off(cell, 2);
		if (cell->manual) {
			pair_off(cell, 2 * PAIRS + 1);
			pair_off(cell, 3);
		}
	}
}

static void a_select_never_meets_itself(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	struct choice ch = { .n = 0 };
	struct call call = { .form = FORM_SELECT,
		             .choice = &ch,
		             .deadline_ns = WEFT_FOREVER };

	choice_send(&ch, c, 1);
	choice_recv(&ch, c);
	choice_send(&ch, c, 2);
	choice_recv(&ch, c);
	MUST(choice_make(&ch, WEFT_NOW), -ETIMEDOUT);
	call_begin(&call);
	cell_settle(cell, &call, 1);
	REQUIRE(!call_is_over(&call), "select returned %d without a peer",
	        call.result);
	MUST(tag_send(c, 9, WEFT_FOREVER), 0);
	REQUIRE(call_end(&call) % 2 == 1, "select did not receive, but sent");
	REQUIRE(ch.tag[call.result] == tag_in(cell->elem, 9),
	        "received element %u instead of the one that was sent",
	        ch.tag[call.result]);
	chan_end(c);
}

const struct conform_check conform_select_race[] = {
	{ .name = "selects_that_send_or_receive_pair_off",
	  .scenarios = "17, 18",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_SELECT |
	           WEFT_CAN_RENDEZVOUS,
	  .senders = 2,
	  .receivers = 2,
	  .over = OVER_0 | OVER_PARKING | OVER_MANUAL,
	  .fn = selects_that_send_or_receive_pair_off },
	{ .name = "a_select_never_meets_itself",
	  .scenarios = "17",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT | WEFT_CAN_RENDEZVOUS,
	  .over = OVER_0 | OVER_PARKING | OVER_MANUAL,
	  .fn = a_select_never_meets_itself },
	{ .name = "nothing_ready_is_true_at_one_instant",
	  .scenarios = "36, 37",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_2 | OVER_UNBOUNDED,
	  .fn = nothing_ready_is_true_at_one_instant },
	{ .name = "an_element_that_moves_is_always_found",
	  .scenarios = "36, 37",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .senders = 2,
	  .receivers = 2,
	  .over = OVER_7 | OVER_UNBOUNDED,
	  .fn = an_element_that_moves_is_always_found },
	{ .name = "exactly_one_case_happens",
	  .scenarios = "38",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_PARKING,
	  .fn = exactly_one_case_happens },
	{ .name = "selects_in_opposite_order_meet",
	  .scenarios = "46",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_PARKING,
	  .fn = selects_in_opposite_order_meet },
	{ .name = NULL },
};
