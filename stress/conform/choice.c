/* A select whose elements carry tags, and what holds for every select. */
#include <errno.h>

#include <weft/select.h>

#include "base/check.h"
#include "stress/conform/suite.h"
#include "stress/conform/underway.h"

/* No case ends with this. */
#define ERR_UNTOUCHED 4711

static size_t size_of(const struct weft_case *k)
{
	return weft_chan_elem_size(k->c);
}

static unsigned add(struct choice *ch, struct weft_case k)
{
	CHECK_LT(ch->n, (unsigned)CHOICE_MAX);
	ch->cases[ch->n] = k;
	return ch->n++;
}

unsigned choice_send(struct choice *ch, struct weft_chan *c, uint32_t tag)
{
	unsigned i = add(ch, weft_case_send(c, ch->room[ch->n].bytes));

	ch->tag[i] = tag;
	return i;
}

unsigned choice_recv(struct choice *ch, struct weft_chan *c)
{
	return add(ch, weft_case_recv(c, ch->room[ch->n].bytes));
}

unsigned choice_add(struct choice *ch, enum weft_case_op op,
                    struct weft_chan *c, uint32_t tag)
{
	return op == WEFT_CASE_SEND ? choice_send(ch, c, tag)
	                            : choice_recv(ch, c);
}

unsigned choice_recv_nothing(struct choice *ch, struct weft_chan *c)
{
	return add(ch, weft_case_recv(c, NULL));
}

static void prepare(struct choice *ch)
{
	for (unsigned i = 0; i < ch->n; i++) {
		struct weft_case *k = &ch->cases[i];

		k->err = ERR_UNTOUCHED;
		room_make(ch->room[i].bytes, size_of(k));
		if (k->op == WEFT_CASE_SEND)
			elem_make(ch->room[i].bytes, size_of(k), ch->tag[i]);
	}
}

static void must_be_as_prepared(const struct choice *ch, unsigned i)
{
	const struct weft_case *k = &ch->cases[i];
	const unsigned char *bytes = ch->room[i].bytes;

	REQUIRE(k->err == ERR_UNTOUCHED,
	        "select set the err of case %u, which it did not choose", i);
	if (k->op == WEFT_CASE_RECV)
		room_must_be_untouched(bytes, 0, size_of(k) + ROOM_MARGIN,
		                       "select wrote to the element of a case "
		                       "that it did not choose");
}

/* The element of a send is only read, chosen or not. */
static void must_have_kept(const struct choice *ch, unsigned i)
{
	const struct weft_case *k = &ch->cases[i];
	const unsigned char *bytes = ch->room[i].bytes;

	REQUIRE(elem_tag(bytes, size_of(k)) == tag_in(size_of(k), ch->tag[i]),
	        "select changed the element that case %u sends", i);
	room_must_be_untouched(bytes, size_of(k), size_of(k) + ROOM_MARGIN,
	                       "select wrote beyond an element that it sends");
}

static void must_have_happened(struct choice *ch, unsigned i)
{
	const struct weft_case *k = &ch->cases[i];
	bool came = k->op == WEFT_CASE_RECV && k->err == 0;
	size_t size = size_of(k);

	REQUIRE(k->c, "select chose case %u, whose channel is NULL", i);
	REQUIRE(k->err == 0 || k->err == -EPIPE || k->err == -ENOMEM,
	        "select ended case %u with %s", i,
	        k->err == ERR_UNTOUCHED ? "its err as it was"
	                                : code_name(k->err));
	if (k->op == WEFT_CASE_RECV)
		room_must_be_untouched(ch->room[i].bytes, came ? size : 0,
		                       size + ROOM_MARGIN,
		                       came ? "a select wrote beyond the "
		                              "element that it received"
		                            : "a receive that failed wrote to "
		                              "its element");
	if (came)
		ch->tag[i] = elem_tag(ch->room[i].bytes, size);
}

static void must_be_late(int64_t deadline_ns)
{
	REQUIRE(deadline_ns != WEFT_FOREVER,
	        "a select without a deadline timed out");
	REQUIRE(deadline_ns <= WEFT_NOW || weft_now() >= deadline_ns,
	        "a select timed out before its deadline");
}

/* The channel that stands for all of them in a report. */
static struct weft_chan *first_of(const struct choice *ch)
{
	for (unsigned i = 0; i < ch->n; i++)
		if (ch->cases[i].c)
			return ch->cases[i].c;
	return NULL;
}

int choice_make(struct choice *ch, int64_t deadline_ns)
{
	int got;

	prepare(ch);
	underway_begin(first_of(ch), "select", deadline_ns);
	got = weft_select(ch->cases, ch->n, deadline_ns);
	underway_end(0, 0);
	REQUIRE(got < (int)ch->n, "a select of %u cases chose number %d", ch->n,
	        got);
	if (got == -ETIMEDOUT)
		must_be_late(deadline_ns);
	for (unsigned i = 0; i < ch->n; i++) {
		if (ch->cases[i].op == WEFT_CASE_SEND)
			must_have_kept(ch, i);
		if ((int)i == got)
			must_have_happened(ch, i);
		else
			must_be_as_prepared(ch, i);
	}
	return got;
}

int choice_err(const struct choice *ch, int i)
{
	return ch->cases[i].err;
}
