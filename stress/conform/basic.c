/* What holds for every channel: waiting, capacity, order, nothing lost. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stress/conform/suite.h"
#include "stress/conform/traffic.h"

/* --- waiting --- */

static void recv_waits_while_empty(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	struct call recv = { .c = c,
		             .form = FORM_RECV,
		             .deadline_ns = WEFT_FOREVER };

	call_begin(&recv);
	cell_settle(cell, &recv, 1);
	REQUIRE(!call_is_over(&recv), "recv returned %s from an empty channel",
	        code_name(recv.result));
	MUST(tag_send(c, 7, WEFT_FOREVER), 0);
	MUST_END(&recv, 0);
	REQUIRE(recv.tag == tag_in(cell->elem, 7),
	        "recv brought element %u instead of the one that was sent",
	        recv.tag);
	chan_end(c);
}

/* An implementation without an exact len may need more than one element taken
 * before there is space, so all of them are. */
static void send_waits_while_full(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	size_t full = chan_fill(c, 0, TO_THE_BRIM);
	struct call send = { .c = c,
		             .form = FORM_SEND,
		             .tag = (uint32_t)full,
		             .deadline_ns = WEFT_FOREVER };
	struct intake in;
	uint32_t tag;

	intake_begin(&in, cell, full, 1);
	call_begin(&send);
	cell_settle(cell, &send, 1);
	REQUIRE(!call_is_over(&send), "send returned %s on a full channel",
	        code_name(send.result));
	for (size_t i = 0; i <= full; i++) {
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
		intake_take(&in, tag);
	}
	MUST_END(&send, 0);
	intake_end(&in, 1);
	chan_end(c);
}

static void try_calls_say_empty_and_full_without_waiting(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	size_t cap = weft_chan_cap(c), full;
	uint32_t tag;

	MUST(tag_try_recv(c, &tag), -EAGAIN);
	REQUIRE(cap >= cell->cap, "cap is %zu and was to be %zu or more", cap,
	        cell->cap);
	full = chan_fill(c, 0, cell->unbounded ? 500 : TO_THE_BRIM);
	REQUIRE(!cell->exact || cell->unbounded || full == cap,
	        "%zu elements went into a capacity of %zu", full, cap);
	REQUIRE(cell->unbounded || full >= cell->cap,
	        "full after %zu elements; the capacity was to be %zu or more",
	        full, cell->cap);
	if (!cell->unbounded)
		MUST(tag_try_send(c, 1), -EAGAIN);
	MUST(chan_close(c), 0);
	must_drain(cell, c, 0, full);
	chan_end(c);
}

/* --- len and cap --- */

static void len_is_as_counted(struct cell *cell, size_t cap)
{
	struct weft_chan *c = cell_chan_of(cell, cap, cell->elem, NULL);
	size_t real = weft_chan_cap(c), n;
	uint32_t tag;

	if (cell->unbounded)
		REQUIRE(real == SIZE_MAX, "cap is %zu, not SIZE_MAX", real);
	else if (cell->impl->cap)
		REQUIRE(real >= cap, "cap is %zu and was to be %zu", real, cap);
	else
		REQUIRE(real == cap, "cap is %zu and was to be %zu", real, cap);
	for (n = 0; n < (cell->unbounded ? cap : real); n++) {
		REQUIRE(chan_len(c) == n, "len is %zu after %zu sends",
		        chan_len(c), n);
		MUST(tag_try_send(c, (uint32_t)n), 0);
	}
	if (!cell->unbounded)
		MUST(tag_try_send(c, 0), -EAGAIN);
	for (; n > 0; n--) {
		REQUIRE(chan_len(c) == n, "len is %zu with %zu elements inside",
		        chan_len(c), n);
		MUST(tag_try_recv(c, &tag), 0);
	}
	REQUIRE(chan_len(c) == 0, "len is %zu of an empty channel",
	        chan_len(c));
	chan_end(c);
}

static void len_and_cap_are_exact_at_rest(struct cell *cell)
{
	for (size_t cap = 0; cap <= 200; cap++)
		if (cell_takes(cell, cap))
			len_is_as_counted(cell, cap);
}

static void len_is_never_more_than_cap(struct cell *cell)
{
	struct traffic t = { .cell = cell,
		             .senders = cell_senders(cell, 2),
		             .receivers = cell_receivers(cell, 2),
		             .each = cell_times(cell, 20000, 50),
		             .look = true };

	traffic_run(&t);
}

/* --- order --- */

struct flow {
	const struct cell *cell;
	struct weft_chan *c;
	uint32_t n;
	size_t skew; /* of the element's address */
	enum way way;
};

static int sends_in_order(void *arg)
{
	struct flow *f = arg;

	for (uint32_t i = 0; i < f->n; i++)
		MUST_OF("send", way_send(f->way, f->c, &i, 1), 0);
	return chan_close(f->c);
}

/* One sending task, and this one receiving, by the given ways. */
static void one_to_one(struct cell *cell, enum way send_by, enum way recv_by)
{
	struct flow f = { .cell = cell,
		          .c = cell_chan(cell),
		          .n = cell_some(cell, 100),
		          .way = send_by };
	struct weft_task *task = task_start("sender", sends_in_order, &f);
	uint32_t tags[WAY_BATCH], next = 0;
	size_t n;
	int err;

	while ((err = way_recv(recv_by, f.c, tags, &n)) == 0)
		for (size_t i = 0; i < n; i++, next++)
			REQUIRE(!cell->ordered ||
			                tags[i] == tag_in(cell->elem, next),
			        "received element %u; element %u is the next",
			        tags[i], next);
	MUST_OF("recv", err, -EPIPE);
	REQUIRE(next == f.n, "received %u elements of %u", next, f.n);
	task_finish(task);
	chan_end(f.c);
}

static void one_sender_reaches_one_receiver_in_order(struct cell *cell)
{
	for (enum way way = 0; way < WAYS; way++)
		if (ways_meet(cell, WAY_PLAIN, way))
			one_to_one(cell, WAY_PLAIN, way);
}

struct link {
	struct weft_chan *from, *to;
	unsigned n;
};

static int passes_on(void *arg)
{
	struct link *link = arg;
	uint32_t tag;

	for (unsigned i = 0; i < link->n; i++) {
		MUST(tag_recv(link->from, &tag, WEFT_FOREVER), 0);
		MUST(tag_send(link->to, tag + 1, WEFT_FOREVER), 0);
	}
	return 0;
}

#define LINKS 50

static void a_daisy_chain_delivers_in_order(struct cell *cell)
{
	struct weft_chan *c[LINKS + 1];
	struct weft_task *task[LINKS];
	struct link link[LINKS];
	unsigned links = cell_times(cell, 30 * LINKS, 10), n = 5;

	links = links < LINKS ? links : LINKS;
	for (unsigned i = 0; i <= links; i++)
		c[i] = cell_chan(cell);
	for (unsigned i = 0; i < links; i++) {
		link[i] = (struct link){ c[i], c[i + 1], n };
		task[i] = task_start("link", passes_on, &link[i]);
	}
	/* One at a time goes in, so that capacity 0 needs no feeder. */
	for (uint32_t i = 0; i < n; i++) {
		MUST(tag_send(c[0], i, WEFT_FOREVER), 0);
		must_recv(c[links], i + links, WEFT_FOREVER);
	}
	for (unsigned i = 0; i < links; i++)
		task_finish(task[i]);
	for (unsigned i = 0; i <= links; i++)
		chan_end(c[i]);
}

static void each_senders_order_is_kept(struct cell *cell)
{
	struct traffic t = { .cell = cell,
		             .senders = cell_senders(cell, 4),
		             .receivers = cell_receivers(cell, 3),
		             .each = cell_times(cell, 60000, 100),
		             .order = true };

	traffic_run(&t);
}

/* Two senders that take turns: the second's send begins after the first's has
 * returned, so one order for all leaves no choice. */
struct turns {
	struct weft_chan *c;
	uint32_t n;
	_Atomic uint32_t next;
	_Atomic unsigned sender;
};

static int sends_in_turn(void *arg)
{
	struct turns *t = arg;
	uint32_t i = weft_fetch_add_relaxed(&t->sender, 1u);

	for (; i < t->n; i += 2) {
		while (weft_load_acquire(&t->next) != i)
			weft_yield();
		MUST(tag_send(t->c, i, WEFT_FOREVER), 0);
		weft_store_release(&t->next, i + 1);
	}
	return 0;
}

static void sends_in_turn_are_received_in_turn(struct cell *cell)
{
	struct turns t = { .c = cell_chan(cell),
		           .n = cell_times(cell, 12000, 100) };
	struct weft_task *task[2];

	for (int i = 0; i < 2; i++)
		task[i] = task_start("sender", sends_in_turn, &t);
	for (uint32_t i = 0; i < t.n; i++)
		must_recv(t.c, i, WEFT_FOREVER);
	for (int i = 0; i < 2; i++)
		task_finish(task[i]);
	chan_end(t.c);
}

/* --- nothing lost, nothing twice --- */

static void every_element_arrives_exactly_once(struct cell *cell)
{
	struct traffic t = { .cell = cell,
		             .senders = cell_senders(cell, 4),
		             .receivers = cell_receivers(cell, 4),
		             .each = cell_times(cell, 80000, 100) };

	traffic_run(&t);
}

static void many_receivers_share_what_is_sent(struct cell *cell)
{
	struct traffic t = { .cell = cell,
		             .senders = cell_senders(cell, 1),
		             .receivers = cell_receivers(cell, 23),
		             .each = cell_times(cell, 100000, 200) };

	traffic_run(&t);
}

static void every_way_to_send_meets_every_way_to_receive(struct cell *cell)
{
	for (enum way s = 0; s < WAYS; s++)
		for (enum way r = 0; r < WAYS; r++)
			if (ways_meet(cell, s, r))
				one_to_one(cell, s, r);
}

/* --- elements --- */

static void elements_of_every_size_arrive_whole(struct cell *cell)
{
	one_to_one(cell, WAY_PLAIN, WAY_PLAIN);
}

/* What the odd addresses below are offsets from. */
struct anywhere {
	_Alignas(WEFT_CACHE_LINE) unsigned char bytes[WEFT_ELEM_MAX + 64];
};

static int sends_from_anywhere(void *arg)
{
	struct flow *f = arg;
	struct anywhere from;

	for (uint32_t i = 0; i < f->n; i++) {
		unsigned char *elem = from.bytes + i * f->skew % 64;

		elem_make(elem, f->cell->elem, i);
		MUST(weft_chan_send(f->c, elem, WEFT_FOREVER), 0);
	}
	return 0;
}

static void flow_to_anywhere(struct cell *cell, size_t skew)
{
	struct flow f = { .cell = cell,
		          .c = cell_chan(cell),
		          .n = cell_some(cell, 64),
		          .skew = skew };
	struct weft_task *task = task_start("sender", sends_from_anywhere, &f);
	struct anywhere to;

	for (uint32_t i = 0; i < f.n; i++) {
		unsigned char *elem = to.bytes + (i * skew * 3 + skew) % 64;

		MUST(weft_chan_recv(f.c, elem, WEFT_FOREVER), 0);
		(void)elem_tag(elem, cell->elem);
	}
	task_finish(task);
	chan_end(f.c);
}

static void elements_at_any_address_arrive_whole(struct cell *cell)
{
	flow_to_anywhere(cell, 0); /* aligned to a cache line */
	flow_to_anywhere(cell, 1);
}

static void an_over_aligned_struct_arrives_whole(struct cell *cell)
{
	struct wide {
		_Alignas(128) unsigned char bytes[256];
	} out, in;
	struct weft_chan *c;
	struct call send = { .form = FORM_SEND,
		             .tag = 3,
		             .deadline_ns = WEFT_FOREVER };

	if (weft_chan_impl_accepts(cell->impl, cell->cap, sizeof(out), NULL, 0))
		return;
	c = cell_chan_of(cell, cell->cap, sizeof(out), NULL);
	send.c = c;
	call_begin(&send);
	MUST(weft_chan_recv(c, &in, WEFT_FOREVER), 0);
	elem_make(&out, sizeof(out), 3);
	/* Padding too: elem_make() fills every byte. */
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
	REQUIRE(memcmp(&in, &out, sizeof(in)) == 0,
	        "a struct of %zu bytes did not arrive as it was sent",
	        sizeof(in));
	MUST_END(&send, 0);
	chan_end(c);
}

/* --- unbounded --- */

static void unbounded_is_never_full(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	uint32_t n = cell_times(cell, 300000, 5000);

	REQUIRE(weft_chan_cap(c) == SIZE_MAX, "cap is %zu, not SIZE_MAX",
	        weft_chan_cap(c));
	for (uint32_t i = 0; i < n; i++)
		MUST(tag_try_send(c, i), 0);
	REQUIRE(!cell->exact || chan_len(c) == n, "len is %zu after %u sends",
	        chan_len(c), n);
	MUST(chan_close(c), 0);
	must_drain(cell, c, 0, n);
	chan_end(c);
}

/* Whatever the size of a segment, some of these meet its end: empty, filled
 * and emptied in steps of every length up to 130. */
static void unbounded_crosses_its_segments(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	uint32_t in = 0, out = 0, tag;

	for (uint32_t step = 1; step <= 130; step++) {
		for (uint32_t i = 0; i < step; i++)
			MUST(tag_try_send(c, in++), 0);
		for (uint32_t i = 0; i < step; i++, out++) {
			if (cell->ordered)
				must_recv(c, out, WEFT_FOREVER);
			else
				MUST(tag_try_recv(c, &tag), 0);
		}
		MUST(tag_try_recv(c, &tag), -EAGAIN);
	}
	chan_end(c);
}

static void first_before(struct race *r)
{
	r->c = cell_chan(r->cell);
}

static void first_act(struct race *r, unsigned actor)
{
	r->result[actor] = tag_try_send(r->c, actor + 1);
}

static void first_after(struct race *r)
{
	uint32_t a, b;

	MUST_OF("try_send", r->result[0], 0);
	MUST_OF("try_send", r->result[1], 0);
	MUST(tag_try_recv(r->c, &a), 0);
	MUST(tag_try_recv(r->c, &b), 0);
	REQUIRE(a + b == 3 && a != b,
	        "of the first two elements, sent at once, %u and %u arrived", a,
	        b);
	MUST(tag_try_recv(r->c, &a), -EAGAIN);
	chan_end(r->c);
}

/* Where the first segment is made on demand, both may make it. */
static void two_first_sends_at_once_both_arrive(struct cell *cell)
{
	struct race r = { .cell = cell,
		          .actors = 2,
		          .rounds = cell_times(cell, 6000, 200),
		          .before = first_before,
		          .act = first_act,
		          .after = first_after };

	race_run(&r);
}

/* --- without waiting --- */

struct trying {
	struct weft_chan *c;
	uint32_t n;
};

static int sends_n(void *arg)
{
	struct trying *t = arg;

	for (uint32_t i = 0; i < t->n; i++)
		MUST(tag_send(t->c, i, WEFT_FOREVER), 0);
	return 0;
}

static int receives_n(void *arg)
{
	struct trying *t = arg;
	uint32_t tag;

	for (uint32_t i = 0; i < t->n; i++)
		MUST(tag_recv(t->c, &tag, WEFT_FOREVER), 0);
	return 0;
}

/* Tries that meet a waiting peer get through; a time limit is the bound on how
 * many it may take. */
static void tries_get_through_to_a_waiting_peer(struct cell *cell)
{
	struct trying t = { .c = cell_chan(cell), .n = 20 };
	struct weft_task *task = task_start("sender", sends_n, &t);
	uint32_t tag;
	int err;

	for (uint32_t i = 0; i < t.n; i++) {
		while ((err = tag_try_recv(t.c, &tag)) == -EAGAIN)
			weft_yield();
		MUST_OF("try_recv", err, 0);
	}
	task_finish(task);
	task = task_start("receiver", receives_n, &t);
	for (uint32_t i = 0; i < t.n; i++) {
		while ((err = tag_try_send(t.c, i)) == -EAGAIN)
			weft_yield();
		MUST_OF("try_send", err, 0);
	}
	task_finish(task);
	chan_end(t.c);
}

#define OWN_TASKS 4

/* A task that has just sent, with space for all, must find an element: its own
 * or another's. */
static int sends_then_finds(void *arg)
{
	struct trying *t = arg;
	uint32_t tag;

	for (uint32_t i = 0; i < t->n; i++) {
		MUST(tag_send(t->c, i, WEFT_FOREVER), 0);
		MUST(tag_try_recv(t->c, &tag), 0);
	}
	return 0;
}

static void whoever_sent_finds_an_element(struct cell *cell)
{
	unsigned tasks = cell_senders(cell, cell_receivers(cell, OWN_TASKS));
	struct weft_task *task[OWN_TASKS];
	struct trying t = { .n = cell_times(cell, 30000, 500) };

	if (!cell_takes(cell, tasks))
		child_skip("takes no capacity of %u", tasks);
	t.c = cell_chan_of(cell, tasks, cell->elem, NULL);
	for (unsigned i = 0; i < tasks; i++)
		task[i] =
		        task_start("sender and receiver", sends_then_finds, &t);
	for (unsigned i = 0; i < tasks; i++)
		task_finish(task[i]);
	chan_end(t.c);
}

/* --- channels and channels --- */

static int answers(void *arg)
{
	struct weft_chan *questions = arg, *reply;

	MUST(weft_chan_recv(questions, &reply, WEFT_FOREVER), 0);
	MUST(tag_send(reply, 42, WEFT_FOREVER), 0);
	weft_chan_unref(reply);
	return 0;
}

static void a_channel_goes_through_a_channel(struct cell *cell)
{
	struct weft_chan *questions, *reply, *sent;
	struct weft_task *task;

	if (weft_chan_impl_accepts(cell->impl, cell->cap, sizeof(void *), NULL,
	                           0))
		return;
	questions = cell_chan_of(cell, cell->cap, sizeof(void *), NULL);
	reply = cell_chan(cell);
	task = task_start("answerer", answers, questions);
	sent = weft_chan_ref(reply);
	MUST(weft_chan_send(questions, &sent, WEFT_FOREVER), 0);
	must_recv(reply, 42, WEFT_FOREVER);
	task_finish(task);
	chan_end(reply);
	chan_end(questions);
}

static void a_receiver_may_send_back_into_the_channel(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	uint32_t tag = 0;

	MUST(tag_send(c, 0, WEFT_FOREVER), 0);
	for (int i = 0; i < 1000; i++) {
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
		MUST(tag_send(c, tag + 1, WEFT_FOREVER), 0);
	}
	must_recv(c, 1000, WEFT_FOREVER);
	chan_end(c);
}

const struct conform_check conform_basic[] = {
	{ .name = "recv_waits_while_empty",
	  .scenarios = "1",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = recv_waits_while_empty },
	{ .name = "send_waits_while_full",
	  .scenarios = "1",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_FULL | OVER_PARKING | OVER_MANUAL | OVER_DRIVERS,
	  .fn = send_waits_while_full },
	{ .name = "try_calls_say_empty_and_full_without_waiting",
	  .scenarios = "2",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_CAPS | OVER_DRIVERS,
	  .fn = try_calls_say_empty_and_full_without_waiting },
	{ .name = "len_and_cap_are_exact_at_rest",
	  .scenarios = "3",
	  .needs = NEEDS_DATA | WEFT_CAN_LEN,
	  .over = OVER_OWN,
	  .fn = len_and_cap_are_exact_at_rest },
	{ .name = "len_is_never_more_than_cap",
	  .scenarios = "3",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_CAPS,
	  .fn = len_is_never_more_than_cap },
	{ .name = NULL },
};

const struct conform_check conform_traffic[] = {
	{ .name = "one_sender_reaches_one_receiver_in_order",
	  .scenarios = "4",
	  .needs = NEEDS_DATA | NEEDS_ORDER | NEEDS_TAGS,
	  .over = OVER_CAPS | OVER_POLICIES | OVER_DRIVERS,
	  .fn = one_sender_reaches_one_receiver_in_order },
	{ .name = "a_daisy_chain_delivers_in_order",
	  .scenarios = "5",
	  .needs = NEEDS_DATA | NEEDS_ORDER | NEEDS_TAGS,
	  .over = OVER_CAPS | OVER_PARKING | OVER_DRIVERS,
	  .fn = a_daisy_chain_delivers_in_order },
	{ .name = "every_element_arrives_exactly_once",
	  .scenarios = "6",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_CAPS | OVER_POLICIES | OVER_DRIVERS,
	  .fn = every_element_arrives_exactly_once },
	{ .name = "many_receivers_share_what_is_sent",
	  .scenarios = "6",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .receivers = 2,
	  .over = OVER_CAPS | OVER_PARKING | OVER_DRIVERS,
	  .fn = many_receivers_share_what_is_sent },
	{ .name = "each_senders_order_is_kept",
	  .scenarios = "7",
	  .needs = NEEDS_DATA | NEEDS_ORDER | NEEDS_TAGS,
	  .over = OVER_CAPS | OVER_PARKING | OVER_DRIVERS,
	  .fn = each_senders_order_is_kept },
	{ .name = "sends_in_turn_are_received_in_turn",
	  .scenarios = "7",
	  .needs = NEEDS_DATA | WEFT_CAN_FIFO | NEEDS_TAGS,
	  .senders = 2,
	  .over = OVER_CAPS | OVER_PARKING | OVER_DRIVERS,
	  .fn = sends_in_turn_are_received_in_turn },
	{ .name = "elements_of_every_size_arrive_whole",
	  .scenarios = "8",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS | OVER_SIZES | OVER_DRIVERS,
	  .fn = elements_of_every_size_arrive_whole },
	{ .name = "elements_at_any_address_arrive_whole",
	  .scenarios = "8",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS | OVER_SIZES,
	  .fn = elements_at_any_address_arrive_whole },
	{ .name = "an_over_aligned_struct_arrives_whole",
	  .scenarios = "8",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS,
	  .fn = an_over_aligned_struct_arrives_whole },
	{ .name = "unbounded_is_never_full",
	  .scenarios = "10",
	  .needs = NEEDS_DATA | WEFT_CAN_UNBOUNDED | NEEDS_TAGS,
	  .over = OVER_UNBOUNDED,
	  .fn = unbounded_is_never_full },
	{ .name = "unbounded_crosses_its_segments",
	  .scenarios = "10",
	  .needs = NEEDS_DATA | WEFT_CAN_UNBOUNDED | NEEDS_TAGS,
	  .over = OVER_UNBOUNDED | OVER_DRIVERS,
	  .fn = unbounded_crosses_its_segments },
	{ .name = "two_first_sends_at_once_both_arrive",
	  .scenarios = "10",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .senders = 2,
	  .over = OVER_2 | OVER_7 | OVER_64 | OVER_UNBOUNDED | OVER_DRIVERS,
	  .fn = two_first_sends_at_once_both_arrive },
	{ .name = "tries_get_through_to_a_waiting_peer",
	  .scenarios = "11",
	  .needs = NEEDS_DATA,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED | OVER_SIZES | OVER_DRIVERS,
	  .fn = tries_get_through_to_a_waiting_peer },
	{ .name = "whoever_sent_finds_an_element",
	  .scenarios = "12",
	  .needs = NEEDS_DATA | WEFT_CAN_FIFO | NEEDS_TAGS,
	  .senders = 2,
	  .receivers = 2,
	  .over = OVER_OWN | OVER_DRIVERS,
	  .fn = whoever_sent_finds_an_element },
	{ .name = "every_way_to_send_meets_every_way_to_receive",
	  .scenarios = "13, 43",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_CAPS,
	  .fn = every_way_to_send_meets_every_way_to_receive },
	{ .name = "a_channel_goes_through_a_channel",
	  .scenarios = "14",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS,
	  .fn = a_channel_goes_through_a_channel },
	{ .name = "a_receiver_may_send_back_into_the_channel",
	  .scenarios = "14",
	  .needs = NEEDS_DATA | NEEDS_TAGS,
	  .over = OVER_BUFFERED | OVER_DRIVERS,
	  .fn = a_receiver_may_send_back_into_the_channel },
	{ .name = NULL },
};
