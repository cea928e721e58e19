#include "stress/conform/manner.h"

#include "stress/conform/suite.h"

/* A wait that is served ends within microseconds. Where the machine is so slow
 * that this is too short, checks see less, and are none the less right. */
#define LIMIT (5 * WEFT_SEC)

static void receiver_parks(const struct cell *cell, struct weft_chan *c)
{
	struct call recv = { .c = c,
		             .form = FORM_RECV,
		             .deadline_ns = WEFT_FOREVER };

	call_begin(&recv);
	cell_settle(cell, &recv, 1);
	MUST(tag_send(c, 1, WEFT_FOREVER), 0);
	MUST_END(&recv, 0);
}

static void sender_parks(const struct cell *cell, struct weft_chan *c)
{
	size_t full = cell->cap ? chan_fill(c, 0, TO_THE_BRIM) : 0;
	struct call send = { .c = c,
		             .form = FORM_SEND,
		             .deadline_ns = WEFT_FOREVER };
	uint32_t tag;

	call_begin(&send);
	cell_settle(cell, &send, 1);
	for (size_t i = 0; i <= full; i++)
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
	MUST_END(&send, 0);
}

static int both_park(void *arg)
{
	const struct cell *cell = arg;
	struct weft_chan *c = cell_chan(cell);

	receiver_parks(cell, c);
	if (!cell->unbounded)
		sender_parks(cell, c);
	chan_end(c);
	return 0;
}

static int tries(void *arg)
{
	static const enum weft_wait policies[] = { WEFT_WAIT_ADAPTIVE,
		                                   WEFT_WAIT_PARK };
	struct weft_run_opts run = { .clock = WEFT_CLOCK_MANUAL };
	struct cell *cell = arg;

	for (unsigned i = 0; i < 2; i++) {
		cell->wait = policies[i];
		MUST(weft_run(WEFT_THREADS, &run, both_park, cell), 0);
	}
	return 0;
}

static bool accepts(const struct weft_chan_impl *impl, size_t cap, size_t elem)
{
	return weft_chan_impl_accepts(impl, cap, elem, NULL, 0) == 0;
}

bool manner_is_to_park(const struct weft_chan_impl *impl)
{
	struct cell cell = { .impl = impl,
		             .elem = impl->min_elem > 8 ? impl->min_elem : 8,
		             .manual = true,
		             .unbounded = impl->can & WEFT_CAN_UNBOUNDED };
	struct child child;
	bool parks;

	if (!impl->send || (impl->can & WEFT_NO_DATA))
		return true; /* the front waits for it */
	if (impl->can & WEFT_BLOCKS_THREAD)
		return false;
	if (!accepts(impl, 0, cell.elem) && !accepts(impl, 1, cell.elem))
		cell.elem = impl->min_elem;
	cell.cap = accepts(impl, 1, cell.elem);
	if (child_run(tries, &cell, LIMIT, NULL, &child))
		return false;
	parks = child.end == CHILD_EXITED && child.status == 0 &&
	        child_meant_to_leave(0);
	child_free(&child);
	return parks;
}
