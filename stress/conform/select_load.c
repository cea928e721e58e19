/* Select: wake-ups that go on to others, and many tasks over many channels. */
#include <errno.h>

#include "stress/conform/mesh.h"
#include "stress/conform/suite.h"

/* --- wake-ups --- */

/*
 * A select over a and b waits, and a plain call on a behind it. Both channels
 * become ready. When the select takes b, the wake-up that it had from a is the
 * other's.
 */
static void wake_up_goes_on(const struct cell *cell, const struct cell *other,
                            enum weft_case_op op)
{
	struct weft_chan *a = cell_chan(cell), *b = cell_chan(other);
	struct choice ch = { .n = 0 };
	struct call call[2] = {
		{ .form = FORM_SELECT, .choice = &ch },
		{ .form = op == WEFT_CASE_SEND ? FORM_SEND : FORM_RECV, .c = a }
	};
	uint32_t tag;

	for (int i = 0; i < 2; i++) {
		struct weft_chan *c = i ? b : a;

		call[i].deadline_ns = WEFT_FOREVER;
		if (op == WEFT_CASE_SEND) {
			chan_fill(c, 0, TO_THE_BRIM);
			choice_send(&ch, c, 1);
		} else {
			choice_recv(&ch, c);
		}
	}
	for (int i = 0; i < 2; i++) {
		call_begin(&call[i]);
		cell_settle(cell, call, (size_t)i + 1);
	}
	for (int i = 0; i < 2; i++) {
		struct weft_chan *c = i ? a : b;

		if (op == WEFT_CASE_SEND)
			MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
		else
			MUST(tag_send(c, 1, WEFT_FOREVER), 0);
	}
	if (call_end(&call[0]) == 0) {
		/* It took what the other waits for: once more. */
		if (op == WEFT_CASE_SEND)
			MUST(tag_recv(a, &tag, WEFT_FOREVER), 0);
		else
			MUST(tag_send(a, 1, WEFT_FOREVER), 0);
	}
	MUST_END(&call[1], 0);
	chan_end(a);
	chan_end(b);
}

/* Where something is kept without a buffer, or space comes in lumps, the two
 * cannot be made ready one after the other. */
static bool can_be_both(const struct cell *cell, enum weft_case_op op)
{
	if (op == WEFT_CASE_SEND)
		return !cell->unbounded && cell->exact && cell->cap > 0 &&
		       cell->impl->max_senders != 1;
	return (cell->unbounded || cell->cap > 0) &&
	       cell->impl->max_receivers != 1;
}

static void a_select_passes_on_a_wake_up_that_it_did_not_use(struct cell *cell)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++) {
		unsigned rounds = cell_times(&other, 600, 5);

		for (unsigned i = 0; i < rounds; i++)
			for (int sends = 0; sends < 2; sends++) {
				enum weft_case_op op =
				        sends ? WEFT_CASE_SEND : WEFT_CASE_RECV;

				if (can_be_both(cell, op) &&
				    !(sends &&
				      (other.unbounded || !other.exact)) &&
				    (other.cap > 0 || other.unbounded))
					wake_up_goes_on(cell, &other, op);
			}
	}
}

/* --- coming and going --- */

struct visitors {
	const struct cell *cell;
	struct weft_chan *c[2];
	int got;
};

static int selects_once(void *arg)
{
	struct visitors *v = arg;
	struct choice ch;

	ch.n = 0;
	choice_recv(&ch, v->c[0]);
	choice_recv(&ch, v->c[1]);
	v->got = choice_make(&ch, WEFT_FOREVER);
	return 0;
}

/* What a waiting select leaves on its stack must not be used once it is gone:
 * each task selects once, and its stack ends with it. */
static void tasks_that_select_come_and_go(struct cell *cell)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++) {
		struct visitors v = { .cell = cell,
			              .c = { cell_chan(cell),
			                     cell_chan(&other) } };
		unsigned rounds = cell_times(&other, 4000, 10);

		for (unsigned i = 0; i < rounds; i++) {
			struct weft_task *task =
			        task_start("visitor", selects_once, &v);
			unsigned to = (unsigned)weft_rand() % 2;

			/* Some have begun to wait by then. */
			for (uint64_t k = weft_rand() % 16; k > 0; k--)
				weft_yield();
			MUST(tag_send(v.c[to], i, WEFT_FOREVER), 0);
			task_finish(task);
			REQUIRE(v.got == (int)to,
			        "select returned %d; channel %u was sent to",
			        v.got, to);
			chan_must_be_idle(v.c[0]);
			chan_must_be_idle(v.c[1]);
		}
		chan_end(v.c[0]);
		chan_end(v.c[1]);
	}
}

/* --- all at once --- */

static struct mesh_chan mesh_chan(const struct cell *cell, size_t cap)
{
	struct mesh_chan mc = { .ordered = cell->ordered,
		                .timed = cell->timed };

	if (!impl_selects(cell->impl, cap, cell->elem))
		cap = impl_selects(cell->impl, 0, cell->elem) ? 0 : 1;
	mc.c = cell_chan_of(cell, cap, cell->elem, NULL);
	return mc;
}

/* Senders and receivers of all channels, as many as may be. */
static void populate(struct mesh *m, bool limited, uint32_t each)
{
	unsigned all = (1u << m->chans) - 1, n = limited ? 1 : 3;

	m->tasks = 0;
	for (unsigned i = 0; i < 2 * n; i++)
		m->task[m->tasks++] = (struct mesh_task){
			.sends = i < n ? all : 0,
			.receives = i < n ? 0 : all,
			.each = i < n ? each / n : 0,
			/* One in three only calls, another only selects. */
			.habits = { .selects = i % n == 0   ? 4
			                       : i % n == 1 ? 8
			                                    : 1,
			            .tries = 1,
			            .timed = 2,
			            .window = 40 },
		};
	if (limited)
		return;
	for (unsigned i = 0; i < 2; i++)
		m->task[m->tasks++] = (struct mesh_task){
			.sends = all,
			.receives = all,
			.each = each / 4,
			.habits = { 6, 1, 1, 40 },
		};
}

static void over_four(struct cell *cell, bool storms)
{
	static const size_t caps[MESH_CHANS] = { 0, 0, 2, 3 };
	struct mesh m = { .chans = MESH_CHANS, .storm = storms };

	for (unsigned i = 0; i < MESH_CHANS; i++)
		m.chan[i] = mesh_chan(cell, caps[i]);
	populate(&m, cell_is_limited(cell), cell_times(cell, 24000, 200));
	mesh_run(&m);
}

static void selects_and_calls_over_four_channels_lose_nothing(struct cell *cell)
{
	over_four(cell, false);
}

static void wake_ups_for_no_reason_change_nothing(struct cell *cell)
{
	over_four(cell, true);
}

static void cancelling_during_selects_loses_nothing(struct cell *cell)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++) {
		struct mesh m = { .chans = 2, .cancels = true };

		m.chan[0] = mesh_chan(cell, cell->cap);
		m.chan[1] = mesh_chan(&other, other.cap);
		populate(&m, cell_is_limited(cell) || cell_is_limited(&other),
		         cell_times(&other, 20000, 100));
		mesh_run(&m);
	}
}

static void over_two_kinds(struct cell *cell, bool closes)
{
	struct cell other;

	for (size_t p = 0; cell_partner(cell, p, &other); p++) {
		unsigned rounds = closes ? cell_times(&other, 400, 3) : 1;
		uint32_t each = cell_times(&other, 60000, 100);

		for (unsigned i = 0; i < rounds; i++) {
			struct mesh m = { .chans = 2 };

			m.chan[0] = mesh_chan(cell, cell->cap);
			m.chan[1] = mesh_chan(&other, other.cap);
			populate(&m,
			         cell_is_limited(cell) ||
			                 cell_is_limited(&other),
			         closes ? 200 : each);
			for (unsigned k = 0; closes && k < 2; k++) {
				m.chan[k].early = true;
				m.chan[k].turns = (uint32_t)weft_rand() % 200;
			}
			mesh_run(&m);
		}
	}
}

static void selects_over_two_kinds_of_channels_lose_nothing(struct cell *cell)
{
	over_two_kinds(cell, false);
}

static void close_during_selects_loses_nothing(struct cell *cell)
{
	over_two_kinds(cell, true);
}

/* --- toggled cases --- */

struct fan {
	struct weft_chan *c;
	uint32_t n;
};

static int sends_some_and_closes(void *arg)
{
	struct fan *f = arg;

	for (uint32_t i = 0; i < f->n; i++)
		MUST(tag_send(f->c, i, WEFT_FOREVER), 0);
	return chan_close(f->c);
}

#define FANS 3

/* A case whose channel has ended becomes NULL; when all of them are, there is
 * nothing left to wait for. */
static void cases_may_become_null_one_by_one(struct cell *cell)
{
	struct choice ch = { .n = 0 };
	struct weft_task *task[FANS];
	uint32_t next[FANS] = { 0 };
	struct fan fan[FANS];
	unsigned open = FANS;
	int got;

	for (unsigned i = 0; i < FANS; i++) {
		fan[i] = (struct fan){ cell_chan(cell), 50 * (i + 1) };
		choice_recv(&ch, fan[i].c);
		task[i] = task_start("sender", sends_some_and_closes, &fan[i]);
	}
	for (; open > 0; open -= ch.cases[got].err == -EPIPE) {
		got = choice_make(&ch, WEFT_FOREVER);
		REQUIRE(got >= 0, "select returned %s", code_name(got));
		if (choice_err(&ch, got) == -EPIPE)
			ch.cases[got].c = NULL;
		else
			next[got]++;
	}
	MUST(choice_make(&ch, WEFT_FOREVER), -EINVAL);
	MUST(choice_make(&ch, WEFT_NOW), -ETIMEDOUT);
	for (unsigned i = 0; i < FANS; i++) {
		task_finish(task[i]);
		REQUIRE(next[i] == fan[i].n,
		        "received %u elements of %u from channel %u", next[i],
		        fan[i].n, i);
		chan_end(fan[i].c);
	}
}

const struct conform_check conform_select_load[] = {
	{ .name = "cases_may_become_null_one_by_one",
	  .scenarios = "33",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_CAPS | OVER_PARKING,
	  .fn = cases_may_become_null_one_by_one },
	{ .name = "a_select_passes_on_a_wake_up_that_it_did_not_use",
	  .scenarios = "47, 54",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_1 | OVER_UNBOUNDED | OVER_PARKING | OVER_MANUAL,
	  .fn = a_select_passes_on_a_wake_up_that_it_did_not_use },
	{ .name = "selects_and_calls_over_four_channels_lose_nothing",
	  .scenarios = "42",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_SELECT,
	  .over = OVER_1 | OVER_UNBOUNDED | OVER_POLICIES,
	  .fn = selects_and_calls_over_four_channels_lose_nothing },
	{ .name = "selects_over_two_kinds_of_channels_lose_nothing",
	  .scenarios = "42, 53",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_PARKING,
	  .fn = selects_over_two_kinds_of_channels_lose_nothing },
	{ .name = "close_during_selects_loses_nothing",
	  .scenarios = "25, 36",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_2 | OVER_UNBOUNDED | OVER_PARKING,
	  .fn = close_during_selects_loses_nothing },
	{ .name = "cancelling_during_selects_loses_nothing",
	  .scenarios = "61",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_PARKING,
	  .fn = cancelling_during_selects_loses_nothing },
	{ .name = "wake_ups_for_no_reason_change_nothing",
	  .scenarios = "69",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_SELECT,
	  .over = OVER_1 | OVER_UNBOUNDED | OVER_PARKING,
	  .fn = wake_ups_for_no_reason_change_nothing },
	{ .name = "tasks_that_select_come_and_go",
	  .scenarios = "70",
	  .needs = NEEDS_DATA | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_PARKING,
	  .fn = tasks_that_select_come_and_go },
	{ .name = NULL },
};
