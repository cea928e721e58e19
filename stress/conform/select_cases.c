/* Select: chance, what is written, many cases and odd ones, bad input. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "stress/conform/suite.h"

/* --- chance --- */

/* As Go's tests have it: two that are always ready are taken equally often,
 * within ten standard deviations. */
#define FAIR_TRIES 10000
#define FAIR_MOST 500

/* Make case i ready again. */
typedef void refill_fn(struct weft_chan *c, enum weft_case_op op);

static void refill(struct weft_chan *c, enum weft_case_op op)
{
	uint32_t tag;

	if (op == WEFT_CASE_RECV)
		MUST(tag_try_send(c, 1), 0);
	else
		MUST(tag_try_recv(c, &tag), 0);
}

static void nothing_to_do(struct weft_chan *c, enum weft_case_op op)
{
	(void)c;
	(void)op;
}

static void count_choices(struct choice *ch, unsigned tries, refill_fn *again,
                          unsigned *count)
{
	memset(count, 0, ch->n * sizeof(*count));
	for (unsigned i = 0; i < tries; i++) {
		int got = choice_make(ch, WEFT_FOREVER);

		REQUIRE(got >= 0, "select returned %s", code_name(got));
		count[got]++;
		again(ch->cases[got].c, ch->cases[got].op);
	}
}

static void two_are_fair(struct choice *ch, refill_fn *again)
{
	unsigned count[CHOICE_MAX], half = FAIR_TRIES / 2;

	count_choices(ch, FAIR_TRIES, again, count);
	REQUIRE(count[0] >= half - FAIR_MOST && count[0] <= half + FAIR_MOST,
	        "of two ready cases one was chosen %u times in %d", count[0],
	        FAIR_TRIES);
}

static void many_are_fair(struct choice *ch, refill_fn *again)
{
	unsigned count[CHOICE_MAX];

	count_choices(ch, FAIR_TRIES, again, count);
	for (unsigned i = 0; i < ch->n; i++)
		REQUIRE(count[i] >= FAIR_TRIES / ch->n / 2,
		        "of %u ready cases number %u was chosen %u times in %d",
		        ch->n, i, count[i], FAIR_TRIES);
}

/* A channel of the cell that is ready for `op` as long as it is refilled;
 * closed ones are without that. */
static void ready_pair(struct cell *cell, struct cell *other, bool closed)
{
	for (int i = 0; i < 4; i++) {
		struct weft_chan *c[] = { cell_chan(cell), cell_chan(other) };
		enum weft_case_op op[] = {
			i & 1 ? WEFT_CASE_SEND : WEFT_CASE_RECV,
			i & 2 ? WEFT_CASE_SEND : WEFT_CASE_RECV
		};
		struct choice ch = { .n = 0 };

		for (int k = 0; k < 2; k++) {
			if (closed)
				MUST(chan_close(c[k]), 0);
			else if (op[k] == WEFT_CASE_RECV)
				MUST(tag_try_send(c[k], 1), 0);
			choice_add(&ch, op[k], c[k], 1);
		}
		two_are_fair(&ch, closed ? nothing_to_do : refill);
		chan_end(c[0]);
		chan_end(c[1]);
	}
}

static void many_ready(struct cell *cell)
{
	struct weft_chan *c[CHOICE_MAX];
	struct choice ch = { .n = 0 };

	for (int i = 0; i < CHOICE_MAX; i++) {
		c[i] = cell_chan(cell);
		MUST(tag_try_send(c[i], 1), 0);
		choice_recv(&ch, c[i]);
	}
	many_are_fair(&ch, refill);
	for (int i = 0; i < CHOICE_MAX; i++)
		chan_end(c[i]);
}

static void ready_cases_are_chosen_equally_often(struct cell *cell)
{
	struct cell other, buffered = *cell;

	buffered.cap = 2;
	for (size_t p = 0; cell_partner(cell, p, &other); p++)
		ready_pair(cell, &other, true);
	if (!cell_takes(&buffered, 2))
		return; /* rendezvous only */
	for (size_t p = 0; cell_partner(&buffered, p, &other); p++)
		ready_pair(&buffered, &other, false);
	many_ready(&buffered);
}

/* --- what is written --- */

/* choice_make() sees to it in each check; here for elements of every size,
 * with all cases ready, chosen at once and after a wait. */
static void only_the_chosen_case_is_written(struct cell *cell)
{
	struct weft_chan *c[3];
	struct choice ch = { .n = 0 };
	struct call call = { .form = FORM_SELECT,
		             .choice = &ch,
		             .deadline_ns = WEFT_FOREVER };

	for (int i = 0; i < 3; i++) {
		c[i] = cell_chan(cell);
		choice_recv(&ch, c[i]);
	}
	for (uint32_t i = 0; i < 60; i++) {
		call_begin(&call);
		if (i % 2)
			cell_settle(cell, &call, 1);
		MUST(tag_send(c[i % 3], i, WEFT_FOREVER), 0);
		MUST_END(&call, (int)(i % 3));
		REQUIRE(ch.tag[i % 3] == tag_in(cell->elem, i),
		        "received element %u; element %u was sent",
		        ch.tag[i % 3], i);
	}
	for (int i = 0; i < 3; i++)
		chan_end(c[i]);
}

/* --- the same channel, no channel --- */

/* Another receiver waits there too: it gets what the select did not take. */
static void one_channel_may_stand_in_several_cases(struct cell *cell)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++) {
		struct weft_chan *a = cell_chan(cell), *b = cell_chan(&other);
		struct choice ch = { .n = 0 };
		unsigned n = cell_receivers(cell, 2);
		struct call call[2] = { { .form = FORM_SELECT,
			                  .choice = &ch,
			                  .deadline_ns = WEFT_FOREVER },
			                { .form = FORM_RECV,
			                  .c = a,
			                  .deadline_ns = WEFT_FOREVER } };

		choice_recv(&ch, a);
		choice_recv(&ch, a);
		choice_recv(&ch, b);
		for (unsigned i = 0; i < n; i++)
			call_begin(&call[i]);
		cell_settle(cell, call, n);
		for (unsigned i = 0; i < n; i++)
			MUST(tag_send(a, i, WEFT_FOREVER), 0);
		REQUIRE(call_end(&call[0]) < 2,
		        "select chose a channel that nobody sends to");
		if (n == 2)
			MUST_END(&call[1], 0);
		chan_end(a);
		chan_end(b);
	}
}

static void null_cases_are_never_chosen(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	struct choice none = { .n = 0 }, one = { .n = 0 };
	struct call call = { .form = FORM_SELECT,
		             .choice = &one,
		             .deadline_ns = WEFT_FOREVER };

	choice_recv(&none, NULL);
	choice_send(&none, NULL, 1);
	MUST(choice_make(&none, WEFT_NOW), -ETIMEDOUT);
	MUST(choice_make(&none, weft_deadline_in(WEFT_US)), -ETIMEDOUT);
	MUST(choice_make(&none, WEFT_FOREVER), -EINVAL);

	choice_recv(&one, NULL);
	choice_recv(&one, c);
	choice_send(&one, NULL, 2);
	MUST(choice_make(&one, WEFT_NOW), -ETIMEDOUT);
	call_begin(&call);
	cell_settle(cell, &call, 1);
	MUST(tag_send(c, 3, WEFT_FOREVER), 0);
	MUST_END(&call, 1);
	MUST(chan_close(c), 0);
	MUST(choice_make(&one, WEFT_FOREVER), 1);
	chan_end(c);
}

/* --- many cases --- */

struct crowd {
	size_t n;
	struct weft_chan **c;
	struct weft_case *cases;
	uint32_t *elems;
};

static void crowd_make(struct crowd *w, const struct cell *cell, size_t n)
{
	w->n = n;
	NEED_MEMORY(w->c = calloc(n, sizeof(void *)));
	NEED_MEMORY(w->cases = calloc(n, sizeof(w->cases[0])));
	NEED_MEMORY(w->elems = calloc(n, sizeof(w->elems[0])));
	for (size_t i = 0; i < n; i++) {
		w->c[i] = cell_chan_of(cell, cell->cap, sizeof(uint32_t), NULL);
		w->cases[i] = weft_case_recv(w->c[i], &w->elems[i]);
	}
}

static void crowd_free(struct crowd *w)
{
	for (size_t i = 0; i < w->n; i++)
		chan_end(w->c[i]);
	free(w->c);
	free(w->cases);
	free(w->elems);
}

struct late {
	struct weft_chan *c;
	uint32_t value;
};

static int sends_one(void *arg)
{
	struct late *late = arg;

	/* Some of the selects are to wait before it comes. */
	for (uint64_t i = weft_rand() % 20; i > 0; i--)
		weft_yield();
	return weft_chan_send(late->c, &late->value, WEFT_FOREVER);
}

/* One of n is sent to, while all are selected on. */
static void one_of(struct crowd *w, size_t which)
{
	struct late late = { w->c[which], (uint32_t)which + 1 };
	struct weft_task *task = task_start("sender", sends_one, &late);
	int got;

	memset(w->elems, 0, w->n * sizeof(*w->elems));
	got = weft_select(w->cases, w->n, WEFT_FOREVER);
	REQUIRE(got == (int)which,
	        "a select of %zu cases returned %d; only %zu was sent to", w->n,
	        got, which);
	MUST_OF("the chosen case", w->cases[which].err, 0);
	for (size_t i = 0; i < w->n; i++)
		REQUIRE(w->elems[i] == (i == which ? late.value : 0),
		        "a select of %zu cases wrote %u to the element of "
		        "number %zu",
		        w->n, w->elems[i], i);
	task_finish(task);
}

static void as_good_as_few(struct cell *cell, size_t n)
{
	unsigned rounds = cell_times(cell, 8000 / (unsigned)n, 3);
	struct crowd w;

	crowd_make(&w, cell, n);
	MUST(weft_select(w.cases, n, WEFT_NOW), -ETIMEDOUT);
	MUST(weft_select(w.cases, n, weft_deadline_in(WEFT_US)), -ETIMEDOUT);
	one_of(&w, 0);
	one_of(&w, n - 1);
	for (unsigned i = 0; i < rounds; i++)
		one_of(&w, weft_rand() % n);
	MUST(chan_close(w.c[n / 2]), 0);
	MUST(weft_select(w.cases, n, WEFT_FOREVER), (int)(n / 2));
	MUST_OF("the chosen case", w.cases[n / 2].err, -EPIPE);
	crowd_free(&w);
}

static void many_cases_are_as_good_as_few(struct cell *cell)
{
	static const size_t sizes[] = { 1, 15, 16, 17, 64, WEFT_SELECT_MAX };

	if (weft_chan_impl_accepts(cell->impl, cell->cap, sizeof(uint32_t),
	                           NULL, 0))
		child_skip("does not take elements of 4 bytes");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		as_good_as_few(cell, sizes[i]);
}

/* --- bad input --- */

/* A channel that cannot stand in a select, if there is one. */
static struct weft_chan *chan_without_select(const struct cell *cell)
{
	const struct weft_chan_impl *impl;
	struct weft_chan *c = NULL;

	for (size_t i = 0; !c && (impl = weft_chan_impl_at(i)); i++)
		if (!(impl->can & (WEFT_CAN_SELECT | WEFT_NO_DATA)) &&
		    !weft_chan_impl_accepts(impl, 1, cell->elem, NULL, 0))
			MUST(weft_chan_new(&c, impl, 1, cell->elem, NULL), 0);
	return c;
}

/* Each stands beside a case that is ready: that one must not happen. */
static void refused(const struct cell *cell, struct weft_chan *ready,
                    struct weft_case bad, int want, const char *what)
{
	const int64_t deadlines[] = { WEFT_NOW, WEFT_FOREVER };
	struct room room;

	for (int i = 0; i < 4; i++) {
		struct weft_case good = weft_case_recv(
		        ready, room_make(room.bytes, cell->elem));
		struct weft_case cases[2] = { good, good };
		int got;

		cases[i % 2] = bad;
		got = weft_select(cases, 2, deadlines[i / 2]);
		REQUIRE(got == want, "a select with %s returned %s (%d)", what,
		        code_name(got), got);
		room_must_be_untouched(room.bytes, 0, cell->elem + ROOM_MARGIN,
		                       "a select that was refused received");
	}
}

static void bad_cases(const struct cell *cell, struct weft_chan *ready)
{
	struct weft_chan *never = chan_without_select(cell);
	struct room room;
	struct weft_case odd = { .c = ready,
		                 .op = (enum weft_case_op)7,
		                 .elem = room.bytes };

	refused(cell, ready, odd, -EINVAL, "an unknown operation");
	if (cell->elem > 0) {
		refused(cell, ready, weft_case_recv(ready, NULL), -EINVAL,
		        "a receive into NULL");
		refused(cell, ready, weft_case_send(ready, NULL), -EINVAL,
		        "a send from NULL");
	}
	if (never) {
		refused(cell, ready, weft_case_recv(never, room.bytes),
		        -EOPNOTSUPP, "a channel that cannot be selected on");
		refused(cell, ready, weft_case_send(never, room.bytes),
		        -EOPNOTSUPP, "a channel that cannot be selected on");
		weft_chan_unref(never);
	}
}

static void bad_selects_are_refused_and_change_nothing(struct cell *cell)
{
	static struct weft_case many[WEFT_SELECT_MAX + 1];
	struct weft_chan *c = cell_chan(cell);
	struct room room;
	int64_t soon;

	elem_make(room.bytes, cell->elem, 4);
	MUST(weft_select(NULL, 1, WEFT_NOW), -EINVAL);
	MUST(weft_select(NULL, 1, WEFT_FOREVER), -EINVAL);
	MUST(weft_select(many, 0, WEFT_FOREVER), -EINVAL);
	MUST(weft_select(many, 0, WEFT_NOW), -ETIMEDOUT);
	soon = weft_deadline_in(WEFT_MS);
	MUST(weft_select(many, 0, soon), -ETIMEDOUT);
	REQUIRE(weft_now() >= soon, "select timed out before its deadline");
	for (size_t i = 0; i <= WEFT_SELECT_MAX; i++)
		many[i] = weft_case_send(c, room.bytes);
	MUST(weft_select(many, WEFT_SELECT_MAX + 1, WEFT_NOW), -EINVAL);
	MUST(weft_select(many, SIZE_MAX, WEFT_NOW), -EINVAL);
	MUST(weft_chan_try_recv(c, room.bytes), -EAGAIN);
	if (cell->cap || cell->unbounded)
		MUST(tag_try_send(c, 5), 0);
	else
		MUST(chan_close(c), 0); /* then it is ready too */
	bad_cases(cell, c);
	chan_end(c);
}

/* --- within each other --- */

struct inner {
	struct weft_chan *to;
	size_t elem;
	unsigned dropped;
};

/* What is left in one channel goes on to another, by a select. */
static void selects(void *elem, void *arg)
{
	struct inner *in = arg;
	struct choice ch = { .n = 0 };

	choice_send(&ch, in->to, elem_tag(elem, in->elem));
	choice_recv(&ch, NULL);
	MUST(choice_make(&ch, WEFT_FOREVER), 0);
	in->dropped++;
}

static void a_callback_may_select(struct cell *cell)
{
	size_t most = cell_takes(cell, 64) ? 64 : cell->impl->max_cap;
	struct inner in = { .to = cell_chan_of(cell, most, cell->elem, NULL),
		            .elem = cell->elem };
	struct weft_chan_opts opts = { .drop = selects, .drop_arg = &in };
	struct weft_chan *c = cell_chan_of(cell, cell->cap, cell->elem, &opts);
	size_t n = chan_fill(c, 0, 5);

	chan_end(c);
	REQUIRE(in.dropped == n, "%u elements of %zu went on", in.dropped, n);
	MUST(chan_close(in.to), 0);
	must_drain(cell, in.to, 0, n);
	chan_end(in.to);
}

/* The outcome of one select leads to the next over the same channels, three
 * deep; what each of them took, and what it left, is its own. */
static void nest(struct weft_chan *const c[3], unsigned depth, uint32_t *sum)
{
	struct choice ch = { .n = 0 };
	int got;

	for (unsigned i = 0; i < 3; i++)
		choice_recv(&ch, c[i]);
	got = choice_make(&ch, WEFT_NOW);
	REQUIRE(got >= 0, "select returned %s with elements there",
	        code_name(got));
	if (depth > 1)
		nest(c, depth - 1, sum);
	*sum += ch.tag[got];
}

static void selects_may_be_nested(struct cell *cell)
{
	for (int round = 0; round < 50; round++) {
		struct weft_chan *c[3];
		uint32_t sum = 0;

		for (uint32_t i = 0; i < 3; i++) {
			c[i] = cell_chan(cell);
			MUST(tag_try_send(c[i], 1u << i), 0);
		}
		nest(c, 3, &sum);
		REQUIRE(sum == 7,
		        "three elements were received as %u (one "
		        "bit each)",
		        sum);
		for (int i = 0; i < 3; i++)
			chan_end(c[i]);
	}
}

const struct conform_check conform_select_cases[] = {
	{ .name = "ready_cases_are_chosen_equally_often",
	  .scenarios = "35",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_OWN,
	  .fn = ready_cases_are_chosen_equally_often },
	{ .name = "one_channel_may_stand_in_several_cases",
	  .scenarios = "41",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_CAPS | OVER_PARKING | OVER_MANUAL,
	  .fn = one_channel_may_stand_in_several_cases },
	{ .name = "only_the_chosen_case_is_written",
	  .scenarios = "44",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_SIZES | OVER_MANUAL,
	  .fn = only_the_chosen_case_is_written },
	{ .name = "null_cases_are_never_chosen",
	  .scenarios = "31, 32",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_CAPS | OVER_PARKING,
	  .fn = null_cases_are_never_chosen },
	{ .name = "many_cases_are_as_good_as_few",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED,
	  .fn = many_cases_are_as_good_as_few },
	{ .name = "selects_may_be_nested",
	  .scenarios = "48",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_SELECT,
	  .over = OVER_BUFFERED,
	  .fn = selects_may_be_nested },
	{ .name = "a_callback_may_select",
	  .scenarios = "48",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_SELECT,
	  .over = OVER_BUFFERED,
	  .fn = a_callback_may_select },
	{ .name = "bad_selects_are_refused_and_change_nothing",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED,
	  .fn = bad_selects_are_refused_and_change_nothing },
	{ .name = NULL },
};
