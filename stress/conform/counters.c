/* What counts: positions that pass the end of their type, len, and poll. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "chan/internal.h"
#include "stress/conform/suite.h"

/* --- positions --- */

/* Nothing waits here, so it costs as much where waits block the thread. */
static uint32_t elements_of(const struct cell *cell, uint32_t n)
{
	return cell_some(cell, n);
}

/* Where len is not exact, the capacity asked for fits, and perhaps no more. */
static size_t surely_fit(const struct cell *cell, struct weft_chan *c,
                         size_t cap)
{
	if (cell->unbounded)
		return 100;
	return cell->exact ? weft_chan_cap(c) : cap;
}

/* Move n elements through, filled to every level up to the capacity by turns.
 */
static void move(struct cell *cell, struct weft_chan *c, size_t cap, uint32_t n)
{
	uint32_t in = 0, out = 0, tag;
	size_t most = surely_fit(cell, c, cap), level = 0;

	while (out < n) {
		level = level % (most < 8 ? most : 8) + 1;
		while (in - out < level)
			MUST(tag_try_send(c, in++), 0);
		REQUIRE(!cell->exact || chan_len(c) == level,
		        "len is %zu with %zu elements inside, after %u",
		        chan_len(c), level, in);
		while (out < in) {
			if (cell->ordered)
				must_recv(c, out, WEFT_FOREVER);
			else
				MUST(tag_try_recv(c, &tag), 0);
			out++;
		}
		MUST(tag_try_recv(c, &tag), -EAGAIN);
	}
}

/* Past the end of 16 bits; larger ones a check cannot reach by counting. */
#define LAPS ((1u << 16) + 1000)

static void laps_of(struct cell *cell, size_t cap)
{
	struct weft_chan *c = cell_chan_of(cell, cap, cell->elem, NULL);

	move(cell, c, cap, elements_of(cell, LAPS));
	chan_end(c);
}

static void many_laps_keep_counting(struct cell *cell)
{
	static const size_t caps[] = { 1, 3 };

	for (size_t i = 0; i < sizeof(caps) / sizeof(*caps); i++)
		if (cell_takes(cell, caps[i]))
			laps_of(cell, caps[i]);
}

/* One send, one receive, again and again with `level` elements inside before
 * and after each turn; a channel that is full or empty in it says so. */
static void hold(struct cell *cell, struct weft_chan *c, size_t level,
                 uint32_t turns)
{
	bool full =
	        cell->exact && !cell->unbounded && level == weft_chan_cap(c);
	uint32_t in = 0, tag;
	uint64_t sum = 0;

	while (in < level)
		MUST(tag_try_send(c, in++), 0);
	for (uint32_t out = 0; out < turns + level; out++) {
		size_t inside = in - out;

		REQUIRE(!cell->exact || chan_len(c) == inside,
		        "len is %zu with %zu elements inside, after %u",
		        chan_len(c), inside, in);
		if (full && inside == level)
			MUST(tag_try_send(c, in), -EAGAIN);
		MUST(tag_try_recv(c, &tag), 0);
		REQUIRE(!cell->ordered || tag == out,
		        "received element %u; element %u is the next", tag,
		        out);
		sum += (uint64_t)tag - out;
		if (inside == 1)
			MUST(tag_try_recv(c, &tag), -EAGAIN);
		if (out < turns)
			MUST(tag_try_send(c, in++), 0);
	}
	REQUIRE(sum == 0, "some elements came twice, and others never");
}

static struct weft_chan *chan_begun(struct cell *cell, size_t cap,
                                    uint64_t start)
{
	struct weft_chan_opts opts = { .start = start };
	struct weft_chan *c = cell_chan_of(cell, cap, cell->elem, &opts);
	uint32_t tag;

	vital_where("capacity %zu, %llu elements gone through before", cap,
	            (unsigned long long)start);
	REQUIRE(!cell->exact || chan_len(c) == 0, "len is %zu of a new channel",
	        chan_len(c));
	MUST(tag_try_recv(c, &tag), -EAGAIN);
	return c;
}

static void chan_ends(struct weft_chan *c)
{
	uint32_t tag;

	MUST(chan_close(c), 0);
	MUST(tag_try_recv(c, &tag), -EPIPE);
	chan_end(c);
}

/* Pass `end` from so many before it: filled and emptied by turns, then with one
 * element inside, half full, and full. */
static void passes(struct cell *cell, size_t cap, uint64_t end, uint32_t before)
{
	struct weft_chan *c = chan_begun(cell, cap, end - before);
	size_t most = surely_fit(cell, c, cap);
	size_t levels[] = { 1, (most + 1) / 2, most }, last = 0;

	move(cell, c, cap, 200);
	chan_ends(c);
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		if (levels[i] == last)
			continue;
		last = levels[i];
		c = chan_begun(cell, cap, end - before);
		hold(cell, c, last, before + 4);
		chan_ends(c);
	}
}

/*
 * The ends of 8, 16, 31 and 32 bits, counted as they are and in twos, and the
 * middle of nowhere. The distances have every remainder by 2 and by 3, so that
 * no end falls between two laps of every capacity.
 */
static void counters_may_pass_their_end(struct cell *cell)
{
	static const uint64_t ends[] = {
		1u << 7,           1u << 8,           1u << 15,
		1u << 16,          1u << 30,          1u << 31,
		UINT64_C(1) << 32, UINT64_C(1) << 33, UINT64_C(123456789012)
	};
	static const uint32_t before[] = { 1, 2, 30, 61, 89 };
	static const size_t caps[] = { 1, 2, 3, 7, 64 };

	for (size_t i = 0; i < sizeof(caps) / sizeof(*caps); i++) {
		if (!cell_takes(cell, caps[i]))
			continue;
		for (size_t e = 0; e < sizeof(ends) / sizeof(*ends); e++)
			for (size_t k = 0; k < sizeof(before) / sizeof(*before);
			     k++)
				passes(cell, caps[i], ends[e], before[k]);
		if (cell->unbounded)
			break;
	}
}

#define MILLION 1050000u /* and some, whichever million is meant */
#define MOST WEFT_SEC

/* So much where the usual repetitions are asked for; less or more in
 * proportion.
 */
static int64_t as_often(const struct cell *cell, int64_t n)
{
	return n * cell->percent / 100 + 1;
}

/* What this thread has computed so far, however busy the machine is. */
static int64_t spent_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * WEFT_SEC + t.tv_nsec;
}

/* What goes wrong once after so many, or at more of the repetitions after more.
 * Where each is a system call, as many as a second lets through. */
static void more_than_a_million_pass(struct cell *cell)
{
	uint64_t n = (uint64_t)as_often(cell, MILLION), done = 0;
	int64_t until = spent_ns() + as_often(cell, MOST);
	const uint32_t step = 1000;
	struct weft_chan *c = cell_chan(cell);

	for (; done < n && spent_ns() < until; done += step) {
		move(cell, c, cell->cap, step);
		vital_goes_on();
	}
	if (done < n)
		snprintf(vital->note, sizeof(vital->note),
		         "only %llu elements passed in %.1f s",
		         (unsigned long long)done,
		         (double)as_often(cell, MOST) / 1e9);
	chan_end(c);
}

/* --- len --- */

#define must_hold(c, n, when)                                                  \
	REQUIRE(chan_len(c) == (n), "len is %zu with %zu elements %s",         \
	        chan_len(c), (size_t)(n), when)

static void len_counts_batches(struct cell *cell, struct weft_chan *c)
{
	size_t n = cell->unbounded || cell->cap > 5 ? 5 : cell->cap, done;
	uint32_t tags[5] = { 1, 2, 3, 4, 5 };

	MUST(tag_send_many(c, tags, n, &done, WEFT_FOREVER), 0);
	must_hold(c, n, "sent at once");
	for (; n > 0; n -= done) {
		MUST(tag_recv_many(c, tags, n > 2 ? 2 : n, &done, WEFT_FOREVER),
		     0);
		must_hold(c, n - done, "left by a batch");
	}
}

/* Waiting sends are not inside; what they send is, once there is space. */
static void len_counts_waiters(struct cell *cell, struct weft_chan *c)
{
	size_t full = chan_fill(c, 0, cell->unbounded ? 3 : TO_THE_BRIM);
	struct call send = { .c = c,
		             .form = FORM_SEND,
		             .deadline_ns = WEFT_FOREVER };
	uint32_t tag;

	if (!cell->unbounded) {
		call_begin(&send);
		cell_settle(cell, &send, 1);
		must_hold(c, full, "inside and a send waiting");
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
		MUST_END(&send, 0);
		must_hold(c, full, "after a waiting send");
	}
	for (; full > 0; full--)
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
	send.form = FORM_RECV;
	call_begin(&send);
	cell_settle(cell, &send, 1);
	must_hold(c, 0, "and a receive waiting");
	MUST(tag_send(c, 1, WEFT_FOREVER), 0);
	MUST_END(&send, 0);
	must_hold(c, 0, "after a waiting receive");
}

static void len_counts_what_close_leaves(struct cell *cell, struct weft_chan *c)
{
	size_t n = chan_fill(c, 0, cell->unbounded ? 9 : TO_THE_BRIM);
	uint32_t tag;

	must_hold(c, n, "inside");
	if (!cell->unbounded)
		MUST(tag_try_send(c, 1), -EAGAIN);
	must_hold(c, n, "after a send that failed");
	MUST(chan_close(c), 0);
	must_hold(c, n, "after close");
	MUST(tag_try_send(c, 1), -EPIPE);
	for (; n > 0; n--) {
		must_hold(c, n, "left in a closed channel");
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
	}
	MUST(tag_try_recv(c, &tag), -EPIPE);
	must_hold(c, 0, "left in a closed channel");
}

static void len_is_exact_whatever_happened(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);

	if (cell->cap || cell->unbounded)
		len_counts_batches(cell, c);
	len_counts_waiters(cell, c);
	len_counts_what_close_leaves(cell, c);
	chan_end(c);
}

/* --- poll --- */

/* What was polled last, for sends and for receives. */
struct polled {
	bool ready[2];
	uint64_t pos[2];
};

static void poll_both(struct weft_chan *c, struct polled *p, const char *after)
{
	for (int i = 0; i < 2; i++) {
		uint64_t pos = 0;
		char dir = i ? 's' : 'r';
		bool ready = c->impl->poll(c->state, dir, &pos);

		REQUIRE(pos >= p->pos[i],
		        "the position of poll '%c' fell from %llu to %llu "
		        "after %s",
		        dir, (unsigned long long)p->pos[i],
		        (unsigned long long)pos, after);
		REQUIRE(!ready || p->ready[i] || pos > p->pos[i],
		        "poll '%c' became yes after %s, and its position is "
		        "%llu as before",
		        dir, after, (unsigned long long)pos);
		p->pos[i] = pos;
		p->ready[i] = ready;
	}
}

/* In any order of calls, towards full and towards empty by turns. */
static void poll_positions_only_grow(struct cell *cell)
{
	unsigned n = cell_some(cell, 1000);
	struct weft_chan *c = cell_chan(cell);
	struct polled p = { .ready = { true, true } };
	uint32_t tag;

	if (!cell->impl->poll)
		child_skip("%s does without poll", cell->impl->name);
	poll_both(c, &p, "nothing");
	for (uint32_t i = 0; i < n; i++) {
		bool sends = weft_rand() % 8 < (i / 100 % 2 ? 6 : 2);
		int err = sends ? tag_try_send(c, i) : tag_try_recv(c, &tag);

		REQUIRE(err == 0 || err == -EAGAIN, "a try_ call returned %s",
		        code_name(err));
		poll_both(c, &p, sends ? "a send" : "a receive");
	}
	MUST(chan_close(c), 0);
	poll_both(c, &p, "close");
	while (tag_try_recv(c, &tag) == 0)
		poll_both(c, &p, "a receive from a closed channel");
	chan_end(c);
}

const struct conform_check conform_counters[] = {
	{ .name = "many_laps_keep_counting",
	  .scenarios = "9",
	  .needs = NEEDS_DATA | WEFT_CAN_BOUNDED | NEEDS_TAGS,
	  .over = OVER_OWN,
	  .fn = many_laps_keep_counting },
	{ .name = "counters_may_pass_their_end",
	  .scenarios = "9",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_START,
	  .over = OVER_OWN,
	  .fn = counters_may_pass_their_end },
	{ .name = "more_than_a_million_pass",
	  .scenarios = "9",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_7 | OVER_UNBOUNDED,
	  .fn = more_than_a_million_pass },
	{ .name = "len_is_exact_whatever_happened",
	  .scenarios = "3",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_LEN,
	  .over = OVER_CAPS | OVER_MANUAL,
	  .fn = len_is_exact_whatever_happened },
	{ .name = "poll_positions_only_grow",
	  .scenarios = "50",
	  .needs = NEEDS_DATA | NEEDS_TAGS | WEFT_CAN_SELECT,
	  .over = OVER_BUFFERED,
	  .fn = poll_positions_only_grow },
	{ .name = NULL },
};
