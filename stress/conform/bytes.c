/* The bytes of an element: all of them move, and none beside them. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "stress/conform/suite.h"

/* --- at the edge of what may be touched --- */

#define FEW 3 /* elements of a batch */

/* Memory between two pages that must not be touched: whatever goes beyond an
 * element at either end is a SIGSEGV. */
struct edge {
	unsigned char *base, *first, *end;
	size_t page;
};

static void edge_init(struct edge *e)
{
	size_t bytes = FEW * WEFT_ELEM_MAX;

	e->page = (size_t)sysconf(_SC_PAGESIZE);
	bytes = (bytes + e->page - 1) / e->page * e->page;
	e->base = mmap(NULL, bytes + 2 * e->page, PROT_NONE,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED_MEMORY(e->base != MAP_FAILED);
	e->first = e->base + e->page;
	e->end = e->first + bytes;
	CHECK_EQ(mprotect(e->first, bytes, PROT_READ | PROT_WRITE), 0);
}

static void edge_fini(struct edge *e)
{
	munmap(e->base, (size_t)(e->end - e->first) + 2 * e->page);
}

/* Room for n elements at the edge; by turns at the end and at the start. */
static unsigned char *edge_at(const struct edge *e, size_t bytes, int turn)
{
	return turn % 2 ? e->first : e->end - bytes;
}

struct brink {
	struct cell *cell;
	struct edge out, in;
	size_t size;
};

static void one_at_the_edge(struct brink *b, struct weft_chan *c, int turn)
{
	unsigned char *out = edge_at(&b->out, b->size, turn);
	unsigned char *in = edge_at(&b->in, b->size, turn);
	uint32_t tag = 100 + (uint32_t)turn;
	int err;

	elem_make(out, b->size, tag);
	MUST_OF(turn < 2 ? "try_send" : "send",
	        turn < 2 ? weft_chan_try_send(c, out)
	                 : weft_chan_send(c, out, WEFT_FOREVER),
	        0);
	/* Where elements are under way for a while, it may not be there yet. */
	while ((err = turn < 2
	                      ? weft_chan_try_recv(c, in)
	                      : weft_chan_recv(c, in, WEFT_FOREVER)) == -EAGAIN)
		weft_yield();
	MUST_OF(turn < 2 ? "try_recv" : "recv", err, 0);
	REQUIRE(elem_tag(in, b->size) == tag_in(b->size, tag),
	        "received another element than was sent");
}

/* As many as fit, and they all at once. */
static void batch_at_the_edge(struct brink *b, struct weft_chan *c, int turn)
{
	size_t fit =
	        b->cell->unbounded || b->cell->cap > FEW ? FEW : b->cell->cap;
	unsigned char *out = edge_at(&b->out, fit * b->size, turn);
	size_t done = 0, got = 0;

	for (size_t i = 0; i < fit; i++)
		elem_make(out + i * b->size, b->size, (uint32_t)i);
	MUST(weft_chan_send_many(c, out, fit, &done, WEFT_FOREVER), 0);
	while (got < done) {
		unsigned char *in =
		        edge_at(&b->in, (fit - got) * b->size, turn);
		size_t n;

		MUST(weft_chan_recv_many(c, in, fit - got, &n, WEFT_FOREVER),
		     0);
		for (size_t i = 0; i < n; i++)
			(void)elem_tag(in + i * b->size, b->size);
		got += n;
	}
}

/* The peer that moves the element of a call that waits keeps to it too. */
static void waiting_at_the_edge(struct brink *b, struct weft_chan *c, int turn)
{
	size_t full = chan_fill(c, 0, b->cell->unbounded ? 0 : TO_THE_BRIM);
	struct call send = { .c = c,
		             .form = FORM_SEND,
		             .elem = edge_at(&b->out, b->size, turn),
		             .deadline_ns = WEFT_FOREVER };
	struct call recv = { .c = c,
		             .form = FORM_RECV,
		             .elem = edge_at(&b->in, b->size, turn),
		             .deadline_ns = WEFT_FOREVER };
	uint32_t tag;

	elem_make(send.elem, b->size, 9);
	if (!b->cell->unbounded) {
		call_begin(&send);
		cell_settle(b->cell, &send, 1);
		for (size_t i = 0; i <= full; i++)
			MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
		MUST_END(&send, 0);
	}
	call_begin(&recv);
	cell_settle(b->cell, &recv, 1);
	MUST(tag_send(c, 8, WEFT_FOREVER), 0);
	MUST_END(&recv, 0);
	REQUIRE(elem_tag(recv.elem, b->size) == tag_in(b->size, 8),
	        "received another element than was sent");
}

static void no_call_touches_what_is_beside_its_elements(struct cell *cell)
{
	struct brink b = { .cell = cell, .size = cell->elem };
	struct weft_chan *c = cell_chan(cell);

	edge_init(&b.out);
	edge_init(&b.in);
	for (int turn = 0; turn < 4 && (cell->cap || cell->unbounded); turn++) {
		one_at_the_edge(&b, c, turn);
		batch_at_the_edge(&b, c, turn);
	}
	if (cell->cap < 2)
		for (int turn = 0; turn < 2; turn++)
			waiting_at_the_edge(&b, c, turn);
	edge_fini(&b.out);
	edge_fini(&b.in);
	chan_end(c);
}

/* --- every byte --- */

#define LAPS 2

struct stream {
	struct weft_chan *c;
	uint32_t n;
};

static int sends_them(void *arg)
{
	const struct stream *s = arg;

	for (uint32_t i = 0; i < s->n; i++)
		MUST(tag_send(s->c, i, WEFT_FOREVER), 0);
	return 0;
}

/* Another element in each slot on each lap, so that what was left of the one
 * before shows. Checking every byte is what a receive with a tag does. */
static void size_arrives(struct cell *cell, size_t cap, size_t size)
{
	struct weft_chan *c = cell_chan_of(cell, cap, size, NULL);
	struct stream s = { c, (uint32_t)(LAPS * (cap + 1) + 3) };
	uint32_t tags[FEW] = { 71, 72, 73 }, tag;
	struct weft_task *task = NULL;
	size_t done;

	if (!cap)
		task = task_start("sender", sends_them, &s);
	for (uint32_t i = 0; i < s.n; i++) {
		if (cap)
			MUST(tag_try_send(c, i), 0);
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
		REQUIRE(tag == tag_in(size, i),
		        "received element %u of %zu bytes instead of %u", tag,
		        size, i);
	}
	if (task)
		task_finish(task);
	for (int lap = 0; lap < LAPS && cap >= FEW; lap++) {
		MUST(tag_send_many(c, tags, FEW, &done, WEFT_FOREVER), 0);
		for (size_t got = 0; got < FEW; got += done)
			MUST(tag_recv_many(c, tags, FEW - got, &done,
			                   WEFT_FOREVER),
			     0);
	}
	chan_end(c);
}

static void sizes_arrive(struct cell *cell, size_t cap)
{
	static const size_t more[] = { 63,  64,  65,   100,  127, 128,
		                       129, 255, 1000, 4095, 4096 };

	for (size_t size = 0; size <= 40; size++)
		if (weft_chan_impl_accepts(cell->impl, cap, size, NULL, 0) == 0)
			size_arrives(cell, cap, size);
	for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++)
		if (weft_chan_impl_accepts(cell->impl, cap, more[i], NULL, 0) ==
		    0)
			size_arrives(cell, cap, more[i]);
}

static void every_byte_of_every_size_arrives(struct cell *cell)
{
	sizes_arrive(cell, 0);
	sizes_arrive(cell, 1);
	if (!cell->unbounded)
		sizes_arrive(cell, 3);
}

const struct conform_check conform_bytes[] = {
	{ .name = "no_call_touches_what_is_beside_its_elements",
	  .scenarios = "8",
	  .needs = NEEDS_DATA,
	  .over = OVER_CAPS | OVER_SIZES,
	  .fn = no_call_touches_what_is_beside_its_elements },
	{ .name = "every_byte_of_every_size_arrives",
	  .scenarios = "8",
	  .needs = NEEDS_DATA,
	  .over = OVER_OWN,
	  .fn = every_byte_of_every_size_arrives },
	{ .name = NULL },
};
