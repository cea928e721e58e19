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

#include "chan/internal.h"
#include "cli/plugin.h"
#include "perturb/perturb.h"
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

	MUST_OF("close", r->result[SENT], 0);
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

/* The second actor is the only one that receives. */
static void send_and_one_finds(struct race *r, unsigned actor)
{
	if (actor == 1)
		send_then_find(r, actor);
	else
		r->result[actor] = tag_try_send(r->c, actor + 1);
}

static void both_did_and_one_is_left(struct race *r)
{
	uint32_t tag;

	both_did(r);
	MUST(tag_try_recv(r->c, &tag), 0);
	MUST(tag_try_recv(r->c, &tag), -EAGAIN);
}

/* As a_task_that_sent_finds_an_element_at_once, for a channel with one
 * receiver: what its own task has sent may be behind what another is sending.
 */
static void a_receiver_that_sent_finds_an_element(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 2,
		          .c = cell_chan(cell),
		          .before = the_same_one,
		          .act = send_and_one_finds,
		          .after = both_did_and_one_is_left };

	race_in_a_window(&r);
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

	MUST_OF("a send that began to wait", r->result[0], closed ? -EPIPE : 0);
	MUST_OF(closed ? "close" : "recv", r->result[1], 0);
	if (!closed)
		MUST(chan_close(r->c), 0);
	while ((err = tag_recv(r->c, &tag, WEFT_FOREVER)) == 0)
		left++;
	MUST_OF("recv", err, -EPIPE);
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

	MUST_OF("a recv that began to wait", r->result[0], closed ? -EPIPE : 0);
	MUST_OF(closed ? "close" : "send", r->result[1], 0);
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

	MUST_OF("close", r->result[1], 0);
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

	MUST_OF("recv_many", r->result[0], -EPIPE);
	MUST_OF("close", r->result[1], 0);
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

/* --- poll while others run --- */

/*
 * The second actor polls once, while the first makes the answer yes for a
 * moment. If it had its "no" before that moment was over, the next one must
 * come with another position: two that are the same say that it was no all the
 * time, and a select would believe it.
 */
struct moment {
	char dir; /* what is polled */
	bool early;
	uint64_t pos;
	_Alignas(WEFT_CACHE_LINE) _Atomic bool was;
};

static bool poll_now(struct race *r, uint64_t *pos)
{
	const struct moment *m = (const struct moment *)(uintptr_t)r->data;

	return r->c->impl->poll(r->c->state, m->dir, pos);
}

static void no_moment_yet(struct race *r)
{
	struct moment *m = (struct moment *)(uintptr_t)r->data;

	weft_store_relaxed(&m->was, false);
}

static void make_ready_or_poll(struct race *r, unsigned actor)
{
	struct moment *m = (struct moment *)(uintptr_t)r->data;
	bool sends = m->dir == 'r';
	uint32_t tag;

	if (actor == 1) {
		m->early = !poll_now(r, &m->pos);
		m->early &= !weft_load_seq_cst(&m->was);
		return;
	}
	r->result[0] = sends ? tag_try_send(r->c, 1) : tag_try_recv(r->c, &tag);
	weft_store_seq_cst(&m->was, true);
	r->result[1] = sends ? tag_try_recv(r->c, &tag) : tag_try_send(r->c, 1);
}

static void the_moment_counted(struct race *r)
{
	struct moment *m = (struct moment *)(uintptr_t)r->data;
	uint64_t pos = 0;
	bool ready = poll_now(r, &pos);

	for (unsigned i = 0; i < 2; i++)
		REQUIRE(r->result[i] == 0, "a try_ call returned %s",
		        code_name(r->result[i]));
	REQUIRE(!ready, "poll '%c' says yes of %s channel", m->dir,
	        m->dir == 's' ? "a full" : "an empty");
	REQUIRE(!m->early || pos != m->pos,
	        "poll '%c' says no at position %llu before and after %s came "
	        "and went",
	        m->dir, (unsigned long long)pos,
	        m->dir == 's' ? "a space" : "an element");
	r->seen[m->early]++;
}

static void poll_in_moments(struct cell *cell, char dir)
{
	struct moment m = { .dir = dir };
	struct race r = { .cell = cell,
		          .actors = 2,
		          .c = cell_chan(cell),
		          .before = no_moment_yet,
		          .act = make_ready_or_poll,
		          .after = the_moment_counted,
		          .data = (uintptr_t)&m };
	uint32_t tag;

	if (dir == 's')
		chan_fill(r.c, 0, TO_THE_BRIM);
	race_in_a_window(&r);
	while (tag_try_recv(r.c, &tag) == 0)
		;
	chan_end(r.c);
	snprintf(vital->note, sizeof(vital->note),
	         "in the last variation %u polls of %u came before the moment",
	         r.seen[1], r.seen[0] + r.seen[1]);
}

static void poll_misses_nothing_that_came_and_went(struct cell *cell)
{
	/* Only a task that may receive may ask for receives, while another one
	 * does. */
	bool shared = cell->impl->max_receivers != 1;

	if (!cell->impl->poll)
		child_skip("%s does without poll", cell->impl->name);
	if (shared)
		poll_in_moments(cell, 'r');
	if (cell->impl->max_senders != 1 && cell->exact && !cell->unbounded)
		poll_in_moments(cell, 's');
	else if (!shared)
		child_skip("needs two tasks on one side of %s",
		           cell->impl->name);
}

/* --- a peer that has lost its CPU --- */

/*
 * One task is held up before the k-th synchronising operation of a call, for
 * every k, while another one makes calls on the same channel. What it waits for
 * may not come before the first has run again: each loop that waits for a peer
 * must let others run (weft_relent()), or a peer of a lower priority never
 * does. Only the hooks of core/perturb/ see that.
 */
enum act {
	ACT_SEND,
	ACT_RECV,
	ACT_LEN,
	ACTS,
};

static const char *const act_names[ACTS] = { "try_send", "try_recv", "len" };

struct held {
	struct weft_chan *c;
	enum act act;
	unsigned k;
	_Atomic bool is_held, let_go, over;

	/* Of the other task, which alone writes them. */
	_Atomic unsigned steps;  /* in all */
	_Atomic unsigned yields; /* among them */
	unsigned since;          /* the last of those */
	const char *doing;
};

static struct held held;

/* Of the calling thread: operations until it is held up, and whether it is the
 * other one. */
static _Thread_local unsigned hold_in;
static _Thread_local bool looks_on;

/* Some milliseconds of them; what is not held up takes some microseconds. */
#define STEPS_MAX 100000

/* Long enough that the other task is asleep, if it makes no steps meanwhile; at
 * most that long; and so many yields are polite. */
#define SILENCE (30 * WEFT_MS)
#define HOLD_MOST (200 * WEFT_MS)
#define POLITE 50

static void hold_up(void)
{
	int64_t end = weft_deadline_in(HOLD_MOST), moved = weft_now();
	unsigned steps = 0, now;

	weft_store_release(&held.is_held, true);
	while (!weft_load_acquire(&held.let_go) && weft_now() < end &&
	       weft_load_relaxed(&held.yields) < POLITE) {
		now = weft_load_relaxed(&held.steps);
		if (now != steps)
			moved = weft_now();
		else if (weft_now() - moved > SILENCE)
			return;
		steps = now;
		weft_sleep_until(weft_deadline_in(WEFT_MS / 2));
	}
}

static void made_a_step(bool yields)
{
	weft_store_relaxed(&held.steps, weft_load_relaxed(&held.steps) + 1);
	if (yields)
		weft_store_relaxed(&held.yields,
		                   weft_load_relaxed(&held.yields) + 1);
	held.since = yields ? 0 : held.since + 1;
	REQUIRE(held.since < STEPS_MAX,
	        "%s made %d steps without letting another task run, which was "
	        "held up in the middle of %s: loops that wait for a peer call "
	        "weft_relent()",
	        held.doing, STEPS_MAX, act_names[held.act]);
}

static void on_operation(void *arg, enum perturb_kind kind, const void *at,
                         uintptr_t place)
{
	(void)arg;
	(void)at;
	(void)place;
	if (hold_in && --hold_in == 0)
		hold_up();
	if (looks_on)
		made_a_step(kind == PERTURB_YIELD || kind == PERTURB_WAIT ||
		            kind == PERTURB_LOCK);
}

static void do_act(struct weft_chan *c, enum act act)
{
	uint32_t tag;

	if (act == ACT_SEND)
		(void)tag_try_send(c, 1);
	else if (act == ACT_RECV)
		(void)tag_try_recv(c, &tag);
	else
		(void)chan_len(c);
}

static int is_held_up(void *arg)
{
	hold_in = held.k;
	do_act(held.c, held.act);
	hold_in = 0;
	weft_store_release(&held.over, true);
	(void)arg;
	return 0;
}

/* Whether two tasks may be in that call at once. */
static bool may_meet(const struct cell *cell, enum act one, enum act other)
{
	if (one != other)
		return true;
	return one == ACT_SEND ? cell->impl->max_senders != 1
	                       : cell->impl->max_receivers != 1;
}

/* False when the call has fewer operations. */
static bool goes_on_beside(struct cell *cell, enum act act, unsigned k)
{
	struct weft_task *task;

	held = (struct held){ .c = cell_chan(cell), .act = act, .k = k };
	/* An element inside, and perhaps a space left. */
	MUST(tag_try_send(held.c, 1), 0);
	task = task_start("held up", is_held_up, NULL);
	while (!weft_load_acquire(&held.is_held) &&
	       !weft_load_acquire(&held.over))
		weft_yield();
	for (enum act other = 0; other < ACTS; other++) {
		if (!may_meet(cell, act, other))
			continue;
		held.since = 0;
		held.doing = act_names[other];
		looks_on = true;
		do_act(held.c, other);
		looks_on = false;
	}
	weft_store_release(&held.let_go, true);
	task_finish(task);
	chan_end(held.c);
	return weft_load_relaxed(&held.is_held);
}

#define OPERATIONS_MAX 40

static void no_call_spins_while_a_peer_is_held_up(struct cell *cell)
{
	static const struct perturb_hooks hooks = { .before = on_operation };

	if (!plugin_hook(&hooks))
		child_skip("needs a build with delays: --build=perturb");
	for (enum act act = 0; act < ACT_LEN; act++)
		for (unsigned k = 1; k <= OPERATIONS_MAX; k++)
			if (!goes_on_beside(cell, act, k))
				break;
	plugin_hook(NULL);
}

const struct conform_check conform_window[] = {
	{ .name = "poll_misses_nothing_that_came_and_went",
	  .scenarios = "50",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_SELECT,
	  .over = OVER_1 | OVER_2 | OVER_UNBOUNDED,
	  .fn = poll_misses_nothing_that_came_and_went },
	{ .name = "no_call_spins_while_a_peer_is_held_up",
	  .scenarios = "11",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_1 | OVER_2 | OVER_UNBOUNDED,
	  .fn = no_call_spins_while_a_peer_is_held_up },
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
	{ .name = "a_receiver_that_sent_finds_an_element",
	  .scenarios = "12",
	  .needs = NEEDS_DATA | WEFT_CAN_FIFO | NEEDS_TAGS,
	  .senders = 2,
	  .over = OVER_2 | OVER_7 | OVER_64 | OVER_UNBOUNDED | OVER_DRIVERS,
	  .fn = a_receiver_that_sent_finds_an_element },
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
