/* Elements that carry a tag, and the calls that move them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "chan/internal.h"
#include "stress/conform/suite.h"
#include "stress/conform/underway.h"

#define ROOM_BYTE 0xa5

uint32_t tag_in(size_t elem_size, uint32_t tag)
{
	return elem_size >= 4 ? tag : tag & ((1u << 8 * elem_size) - 1);
}

/* What stands in byte i >= 4 of an element. */
static unsigned char pattern(uint32_t tag, size_t i)
{
	uint32_t x = (tag ^ (uint32_t)i) * 0x9e3779b1u;

	return (unsigned char)(x >> 24);
}

void elem_make(void *elem, size_t elem_size, uint32_t tag)
{
	unsigned char *to = elem;

	for (size_t i = 0; i < elem_size && i < 4; i++)
		to[i] = (unsigned char)(tag >> 8 * i);
	for (size_t i = 4; i < elem_size; i++)
		to[i] = pattern(tag, i);
}

uint32_t elem_tag(const void *elem, size_t elem_size)
{
	const unsigned char *from = elem;
	uint32_t tag = 0;

	for (size_t i = 0; i < elem_size && i < 4; i++)
		tag |= (uint32_t)from[i] << 8 * i;
	for (size_t i = 4; i < elem_size; i++)
		REQUIRE(from[i] == pattern(tag, i),
		        "byte %zu of a received element of %zu bytes is not "
		        "what was sent",
		        i, elem_size);
	return tag;
}

unsigned char *room_make(unsigned char *bytes, size_t n)
{
	memset(bytes, ROOM_BYTE, n + ROOM_MARGIN);
	return bytes;
}

void room_must_be_untouched(const unsigned char *bytes, size_t from, size_t to,
                            const char *what)
{
	for (size_t i = from; i < to; i++)
		REQUIRE(bytes[i] == ROOM_BYTE, "%s (at byte %zu)", what, i);
}

/* A call of one element has returned. */
static int sent_one(int err)
{
	underway_end(!err, 0);
	return err;
}

static int received_one(int err)
{
	underway_end(0, !err);
	return err;
}

static int send_by_call(struct weft_chan *c, uint32_t tag, int64_t deadline_ns)
{
	struct room room;

	elem_make(room.bytes, weft_chan_elem_size(c), tag);
	underway_begin(c, "send", deadline_ns);
	return sent_one(weft_chan_send(c, room.bytes, deadline_ns));
}

static int try_send_by_call(struct weft_chan *c, uint32_t tag)
{
	struct room room;

	elem_make(room.bytes, weft_chan_elem_size(c), tag);
	underway_begin(c, "try_send", WEFT_NOW);
	return sent_one(weft_chan_try_send(c, room.bytes));
}

static int received(struct room *room, size_t size, int err, uint32_t *tag)
{
	room_must_be_untouched(room->bytes, err ? 0 : size, size + ROOM_MARGIN,
	                       err ? "a receive that failed wrote to its buffer"
	                           : "a receive wrote beyond its element");
	if (!err)
		*tag = elem_tag(room->bytes, size);
	return err;
}

static int recv_by_call(struct weft_chan *c, uint32_t *tag, int64_t deadline_ns)
{
	size_t size = weft_chan_elem_size(c);
	struct room room;
	int err;

	underway_begin(c, "recv", deadline_ns);
	err = received_one(
	        weft_chan_recv(c, room_make(room.bytes, size), deadline_ns));
	return received(&room, size, err, tag);
}

static int try_recv_by_call(struct weft_chan *c, uint32_t *tag)
{
	size_t size = weft_chan_elem_size(c);
	struct room room;
	int err;

	underway_begin(c, "try_recv", WEFT_NOW);
	err = received_one(weft_chan_try_recv(c, room_make(room.bytes, size)));
	return received(&room, size, err, tag);
}

/* --- drivers --- */

/*
 * Channels on which nothing ever happens, for the cases that are never ready.
 * One serves all tasks, or one task at a time where the implementation takes
 * no more.
 */
#define IDLE_MAX 64

struct idle {
	struct weft_chan *c;
	_Atomic bool taken;
};

static struct {
	enum driver by;
	const struct weft_chan_impl *odd; /* another kind than under test */
	unsigned idles;
	struct idle idle[IDLE_MAX];
} drive;

/* handoff completes a waiting call, ring tells it to look again. */
static const struct weft_chan_impl *odd_kind(const struct weft_chan_impl *impl)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	return impl == handoff ? weft_chan_impl_find("ring") : handoff;
}

static const struct weft_chan_impl *idle_kind(const struct weft_chan_impl *impl,
                                              enum driver by)
{
	return by == BY_SELECT_BESIDE_ODD ? odd_kind(impl) : impl;
}

const char *driver_name(enum driver by)
{
	static const char *const names[DRIVERS] = {
		"", "by select", "by select beside an idle channel",
		"by select beside an idle channel of another kind"
	};

	return names[by];
}

/* Asked outside of the child too, so it makes no channel: whatever that may do
 * is for a check to find. */
bool impl_selects(const struct weft_chan_impl *impl, size_t cap, size_t elem)
{
	return weft_chan_impl_accepts(impl, cap, elem, NULL, 0) == 0 &&
	       weft_chan_impl_can_select(impl, cap);
}

/* For a channel that will be empty. */
static size_t idle_cap(const struct weft_chan_impl *impl, size_t elem)
{
	return impl_selects(impl, 0, elem) ? 0 : 1;
}

bool driver_applies(const struct weft_chan_impl *impl, size_t cap, size_t elem,
                    enum driver by)
{
	const struct weft_chan_impl *idle = idle_kind(impl, by);

	return by == BY_CALL ||
	       (impl_selects(impl, cap, elem) &&
	        impl_selects(idle, idle_cap(idle, elem), elem));
}

void driver_begin(const struct cell *cell)
{
	const struct weft_chan_impl *impl = idle_kind(cell->impl, cell->by);
	struct weft_chan_opts opts = { .wait = cell->wait };

	drive.by = cell->by;
	drive.idles = 0;
	if (drive.by == BY_CALL || drive.by == BY_SELECT)
		return;
	drive.idles = impl->max_receivers ? IDLE_MAX : 1;
	for (unsigned i = 0; i < drive.idles; i++) {
		weft_store_relaxed(&drive.idle[i].taken, false);
		MUST(weft_chan_new(&drive.idle[i].c, impl,
		                   idle_cap(impl, cell->elem), cell->elem,
		                   &opts),
		     0);
	}
}

void driver_end(void)
{
	for (unsigned i = 0; i < drive.idles; i++)
		chan_end(drive.idle[i].c);
	drive.by = BY_CALL;
}

static struct idle *idle_take(void)
{
	unsigned i = 0;

	if (drive.idles == 1)
		return &drive.idle[0];
	while (weft_xchg_acquire(&drive.idle[i].taken, true)) {
		i = (i + 1) % drive.idles;
		weft_relax();
	}
	return &drive.idle[i];
}

static void idle_give(struct idle *idle)
{
	weft_store_release(&idle->taken, false);
}

/* A select for a call. The idle case comes first or last. */
static int by_select(struct weft_chan *c, enum weft_case_op op, uint32_t *tag,
                     int64_t deadline_ns)
{
	struct idle *idle = drive.idles ? idle_take() : NULL;
	bool first = idle && weft_rand() % 2;
	struct choice ch;
	unsigned mine;
	int got;

	ch.n = 0;
	if (first)
		choice_recv(&ch, idle->c);
	mine = choice_add(&ch, op, c, *tag);
	if (idle && !first)
		choice_recv(&ch, idle->c);
	got = choice_make(&ch, deadline_ns);
	if (idle)
		idle_give(idle);
	if (got < 0)
		return got;
	REQUIRE(got == (int)mine,
	        "a select received from a channel that nobody sends to");
	if (op == WEFT_CASE_RECV && choice_err(&ch, got) == 0)
		*tag = ch.tag[got];
	return choice_err(&ch, got);
}

static int not_now(int err)
{
	return err == -ETIMEDOUT ? -EAGAIN : err;
}

int tag_send(struct weft_chan *c, uint32_t tag, int64_t deadline_ns)
{
	if (drive.by == BY_CALL)
		return send_by_call(c, tag, deadline_ns);
	return by_select(c, WEFT_CASE_SEND, &tag, deadline_ns);
}

int tag_try_send(struct weft_chan *c, uint32_t tag)
{
	if (drive.by == BY_CALL)
		return try_send_by_call(c, tag);
	return not_now(by_select(c, WEFT_CASE_SEND, &tag, WEFT_NOW));
}

int tag_recv(struct weft_chan *c, uint32_t *tag, int64_t deadline_ns)
{
	if (drive.by == BY_CALL)
		return recv_by_call(c, tag, deadline_ns);
	return by_select(c, WEFT_CASE_RECV, tag, deadline_ns);
}

int tag_try_recv(struct weft_chan *c, uint32_t *tag)
{
	if (drive.by == BY_CALL)
		return try_recv_by_call(c, tag);
	return not_now(by_select(c, WEFT_CASE_RECV, tag, WEFT_NOW));
}

/* --- with a context --- */

int tag_send_ctx(struct weft_chan *c, uint32_t tag, struct weft_ctx *ctx,
                 int64_t deadline_ns)
{
	struct room room;

	elem_make(room.bytes, weft_chan_elem_size(c), tag);
	underway_begin(c, "send_ctx", deadline_ns);
	return sent_one(weft_chan_send_ctx(c, room.bytes, ctx, deadline_ns));
}

int tag_recv_ctx(struct weft_chan *c, uint32_t *tag, struct weft_ctx *ctx,
                 int64_t deadline_ns)
{
	size_t size = weft_chan_elem_size(c);
	struct room room;
	int err;

	underway_begin(c, "recv_ctx", deadline_ns);
	err = received_one(weft_chan_recv_ctx(c, room_make(room.bytes, size),
	                                      ctx, deadline_ns));
	return received(&room, size, err, tag);
}

/* --- many --- */

int tag_send_many(struct weft_chan *c, const uint32_t *tags, size_t n,
                  size_t *done, int64_t deadline_ns)
{
	size_t size = weft_chan_elem_size(c);
	unsigned char *elems;
	int err;

	CHECK_LE(n, (size_t)MANY_MAX);
	NEED_MEMORY(elems = malloc(n * size + 1));
	for (size_t i = 0; i < n; i++)
		elem_make(elems + i * size, size, tags[i]);
	underway_begin(c, "send_many", deadline_ns);
	err = weft_chan_send_many(c, elems, n, done, deadline_ns);
	underway_end(*done, 0);
	free(elems);
	REQUIRE(*done <= n, "send_many of %zu says that it sent %zu", n, *done);
	REQUIRE(err != 0 || *done == n,
	        "send_many returned 0 after %zu elements of %zu", *done, n);
	return err;
}

int tag_recv_many(struct weft_chan *c, uint32_t *tags, size_t n, size_t *done,
                  int64_t deadline_ns)
{
	size_t size = weft_chan_elem_size(c);
	unsigned char *elems;
	int err;

	CHECK_LE(n, (size_t)MANY_MAX);
	NEED_MEMORY(elems = malloc(n * size + ROOM_MARGIN));
	room_make(elems, n * size);
	underway_begin(c, "recv_many", deadline_ns);
	err = weft_chan_recv_many(c, elems, n, done, deadline_ns);
	underway_end(0, *done);
	REQUIRE(*done <= n, "recv_many of %zu says that it received %zu", n,
	        *done);
	REQUIRE(err == 0 || *done == 0,
	        "recv_many returned %s and says that it received %zu",
	        code_name(err), *done);
	REQUIRE(err != 0 || n == 0 || *done > 0,
	        "recv_many returned 0 and received nothing");
	room_must_be_untouched(elems, *done * size, n * size + ROOM_MARGIN,
	                       "recv_many wrote more than the elements that it "
	                       "says it received");
	for (size_t i = 0; i < *done; i++)
		tags[i] = elem_tag(elems + i * size, size);
	free(elems);
	return err;
}

void must_recv_at(const char *file, int line, struct weft_chan *c, uint32_t tag,
                  int64_t deadline_ns)
{
	uint32_t want = tag_in(weft_chan_elem_size(c), tag), got = 0;
	int err = tag_recv(c, &got, deadline_ns);

	if (err)
		expect_failed(file, line,
		              "recv returned %s; it must bring element %u",
		              code_name(err), want);
	if (got != want)
		expect_failed(file, line,
		              "received element %u; element %u is the next",
		              got, want);
}
