/* Elements that carry a tag, and the calls that move them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "stress/conform/suite.h"

/* Beyond the element, to see who writes there. */
#define GUARD 32
#define GUARD_BYTE 0xa5

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

/* Room for one element, with what must not be written around it. */
struct room {
	_Alignas(WEFT_CACHE_LINE) unsigned char bytes[WEFT_ELEM_MAX + GUARD];
};

static unsigned char *room_make(unsigned char *bytes, size_t n)
{
	memset(bytes, GUARD_BYTE, n + GUARD);
	return bytes;
}

static void must_be_untouched(const unsigned char *bytes, size_t from,
                              size_t to, const char *what)
{
	for (size_t i = from; i < to; i++)
		REQUIRE(bytes[i] == GUARD_BYTE, "%s (at byte %zu)", what, i);
}

int tag_send(struct weft_chan *c, uint32_t tag, int64_t deadline_ns)
{
	struct room room;

	elem_make(room.bytes, weft_chan_elem_size(c), tag);
	return weft_chan_send(c, room.bytes, deadline_ns);
}

int tag_try_send(struct weft_chan *c, uint32_t tag)
{
	struct room room;

	elem_make(room.bytes, weft_chan_elem_size(c), tag);
	return weft_chan_try_send(c, room.bytes);
}

static int received(struct room *room, size_t size, int err, uint32_t *tag)
{
	must_be_untouched(room->bytes, err ? 0 : size, size + GUARD,
	                  err ? "a receive that failed wrote to its buffer"
	                      : "a receive wrote beyond its element");
	if (!err)
		*tag = elem_tag(room->bytes, size);
	return err;
}

int tag_recv(struct weft_chan *c, uint32_t *tag, int64_t deadline_ns)
{
	size_t size = weft_chan_elem_size(c);
	struct room room;
	int err;

	err = weft_chan_recv(c, room_make(room.bytes, size), deadline_ns);
	return received(&room, size, err, tag);
}

int tag_try_recv(struct weft_chan *c, uint32_t *tag)
{
	size_t size = weft_chan_elem_size(c);
	struct room room;
	int err;

	err = weft_chan_try_recv(c, room_make(room.bytes, size));
	return received(&room, size, err, tag);
}

int tag_send_many(struct weft_chan *c, const uint32_t *tags, size_t n,
                  size_t *done, int64_t deadline_ns)
{
	size_t size = weft_chan_elem_size(c);
	unsigned char *elems = malloc(n * size + 1);
	int err;

	CHECK(elems != NULL && n <= MANY_MAX);
	for (size_t i = 0; i < n; i++)
		elem_make(elems + i * size, size, tags[i]);
	err = weft_chan_send_many(c, elems, n, done, deadline_ns);
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
	unsigned char *elems = malloc(n * size + GUARD);
	int err;

	CHECK(elems != NULL && n <= MANY_MAX);
	room_make(elems, n * size);
	err = weft_chan_recv_many(c, elems, n, done, deadline_ns);
	REQUIRE(*done <= n, "recv_many of %zu says that it received %zu", n,
	        *done);
	REQUIRE(err == 0 || *done == 0,
	        "recv_many returned %s and says that it received %zu",
	        code_name(err), *done);
	REQUIRE(err != 0 || n == 0 || *done > 0,
	        "recv_many returned 0 and received nothing");
	must_be_untouched(elems, *done * size, n * size + GUARD,
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
