#include "testing/testing.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "chan/testing.h"
#include "kernel/cell.h"

/* --- runs --- */

int64_t testing_patience_ns = 10 * WEFT_SEC;

static int body(void *arg)
{
	weft_task_fn *fn = arg;
	int status = (*fn)(NULL);

	CHECK(testing_alone_within(testing_patience_ns));
	return status;
}

int testing_run_clean(enum weft_clock clock, weft_task_fn fn)
{
	struct weft_run_opts opts = { .clock = clock,
		                      .seed = 3,
		                      .asleep = weft_asleep_print };
	struct testing_held before = testing_held();
	int err = weft_run(WEFT_THREADS, &opts, body, &fn);

	return err ? err : testing_held_still(before);
}

/* --- cells --- */

static void set_knobs(struct cell *cell, const char *knobs)
{
	char text[200], why[PATTERN_WHY_BYTES], *rest = text, *word, *value;

	CHECK_LT(snprintf(text, sizeof(text), "%s", knobs), (int)sizeof(text));
	while ((word = strtok_r(rest, " ", &rest))) {
		value = strchr(word, '=');
		CHECK(value != NULL);
		*value = '\0';
		CHECK_EQ(params_set(cell->pattern, &cell->params, word,
		                    value + 1, why, sizeof(why)),
		         0);
	}
}

struct cell testing_cell(const struct testing_cell *t)
{
	struct cell cell = { .pattern = t->pattern,
		             .chan = t->chan,
		             .items = t->items,
		             .pace_ns = t->pace_ns };

	params_default(t->pattern, &cell.params);
	set_knobs(&cell, t->knobs ? t->knobs : "");
	return cell;
}

bool testing_cell_possible(struct testing_cell *t)
{
	struct cell cell = testing_cell(t);

	return !cell_possible(&cell.params, t->chan, t->why, sizeof(t->why));
}

/* A unit is one word: what is measured stands beside it. */
static void look_at_figure(const struct figure *f)
{
	CHECK(f->name && *f->name && f->unit && f->help);
	CHECK(!strpbrk(f->unit, " ,"));
	CHECK(isfinite(f->value));
	if (strcmp(f->unit, "%") == 0)
		CHECK(0 <= f->value && f->value <= 100);
}

static void look_at_cell(struct testing_cell *t, const struct cell *cell)
{
	for (unsigned i = 0; i < cell->figures; i++)
		look_at_figure(&cell->figure[i]);
	t->figures = cell->figures;
	memcpy(t->figure, cell->figure, sizeof(t->figure));
	for (unsigned i = 0; i < cell->shape.consumers; i++) {
		t->consumed += cell->share[i];
		t->latencies += cell->latency[i].count;
		if (cell->latency[i].count && cell->latency[i].max > t->longest)
			t->longest = cell->latency[i].max;
	}
}

int testing_cell_run(struct testing_cell *t)
{
	struct cell cell = testing_cell(t);
	struct cell_run run = { .cell = &cell };
	int err = cell_accepts(&cell.params, t->why, sizeof(t->why));

	if (err)
		return err;
	CHECK_EQ(cell_init(&cell, true), 0);
	err = cell_run(&run);
	memcpy(t->why, run.why, sizeof(t->why));
	look_at_cell(t, &cell);
	cell_fini(&cell);
	return err;
}

void testing_verified(struct testing_cell t)
{
	int err = testing_cell_run(&t);

	if (err)
		fprintf(stderr, "%s over %s, %s: %s\n", t.pattern->name,
		        t.chan->name, t.knobs ? t.knobs : "", t.why);
	CHECK_EQ(err, 0);
	CHECK_EQ(t.consumed, t.items);
}

int testing_verified_over_all(struct testing_cell t)
{
	int n = 0;

	for (size_t i = 0; (t.chan = weft_chan_impl_at(i)); i++)
		if (testing_cell_possible(&t)) {
			testing_verified(t);
			n++;
		}
	return n;
}

void testing_caught(struct testing_cell t, const char *words)
{
	char text[200], *rest = text, *word;

	CHECK_EQ(testing_cell_run(&t), -EIO);
	CHECK_LT(snprintf(text, sizeof(text), "%s", words), (int)sizeof(text));
	while ((word = strtok_r(rest, " ", &rest))) {
		if (!strstr(t.why, word))
			fprintf(stderr, "'%s' is not in '%s'\n", word, t.why);
		CHECK(strstr(t.why, word) != NULL);
	}
}

/* --- the ring of core/chan/testing.h, and what can be wrong with it --- */

/* The faults happen to elements 50, 150, 250, ... */
static bool is_due(const struct ring *r)
{
	return r->sent % 100 == 51;
}

static int push_dropping(struct ring *r, const void *elem)
{
	return is_due(r) ? 0 : ring_push(r, elem);
}

static int push_repeating(struct ring *r, const void *elem)
{
	if (is_due(r))
		ring_push(r, elem);
	return ring_push(r, elem);
}

/* The one that is due is put behind the next one, where it stays unseen until
 * that has come. */
static int push_swapping(struct ring *r, const void *elem)
{
	if (is_due(r)) {
		ring_copy(r, ring_at(r, r->len + 1), elem);
		return 0;
	}
	ring_push(r, elem);
	r->len += r->sent % 100 == 52;
	return 0;
}

static int push_corrupting(struct ring *r, const void *elem)
{
	ring_push(r, elem);
	if (is_due(r))
		ring_at(r, r->len - 1)[2] ^= 0x10;
	return 0;
}

static int push_corrupting_end(struct ring *r, const void *elem)
{
	ring_push(r, elem);
	if (is_due(r))
		ring_at(r, r->len - 1)[r->elem_size - 1] ^= 0x10;
	return 0;
}

static int push_refusing(struct ring *r, const void *elem)
{
	return is_due(r) ? -ENOMEM : ring_push(r, elem);
}

/* What two counters that are read one after the other may come to. */
static size_t ring_miscounted(const void *state)
{
	size_t len = ring_len(state);

	return len == 1 ? SIZE_MAX : 1000 * len;
}

#define RING_IMPL(testing_name, push, ends, length)                            \
	static int testing_name##_try_send(void *state, const void *elem)      \
	{                                                                      \
		return ring_send_by(state, elem, push);                        \
	}                                                                      \
                                                                               \
	const struct weft_chan_impl testing_##testing_name = {                 \
		WEFT_CHAN_ABI_HEADER,                                          \
		.name = #testing_name,                                         \
		.summary = "for tests",                                        \
		.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_TIMEOUT |   \
		       WEFT_CAN_LEN | WEFT_CAN_SELECT,                         \
		.max_senders = ends,                                           \
		.max_receivers = ends,                                         \
		.create = ring_create,                                         \
		.destroy = ring_destroy,                                       \
		.try_send = testing_name##_try_send,                           \
		.try_recv = ring_try_recv,                                     \
		.close = ring_close,                                           \
		.len = length,                                                 \
		.poll = ring_poll,                                             \
	}

RING_IMPL(drops, push_dropping, 0, ring_len);
RING_IMPL(repeats, push_repeating, 0, ring_len);
RING_IMPL(swaps, push_swapping, 0, ring_len);
RING_IMPL(corrupts, push_corrupting, 0, ring_len);
RING_IMPL(corrupts_end, push_corrupting_end, 0, ring_len);
RING_IMPL(refuses, push_refusing, 0, ring_len);
RING_IMPL(one_to_one, ring_push, 1, ring_len);
RING_IMPL(miscounts, ring_push, 0, ring_miscounted);

/* --- the floor --- */

struct nothing {
	_Atomic bool closed;
};

static int nothing_create(void **state, const struct weft_chan_config *config)
{
	(void)config;
	*state = calloc(1, sizeof(struct nothing));
	return *state ? 0 : -ENOMEM;
}

static int nothing_send(void *state, const void *elem)
{
	struct nothing *n = state;

	(void)elem;
	return weft_load_acquire(&n->closed) ? -EPIPE : 0;
}

static int nothing_recv(void *state, void *elem)
{
	return nothing_send(state, elem);
}

static int nothing_close(void *state)
{
	struct nothing *n = state;

	return weft_xchg_acq_rel(&n->closed, true) ? -EPIPE : 0;
}

static size_t nothing_len(const void *state)
{
	(void)state;
	return 0;
}

const struct weft_chan_impl testing_floor = {
	WEFT_CHAN_ABI_HEADER,     .name = "floor",
	.summary = "for tests",   .can = WEFT_CAN_BOUNDED | WEFT_NO_DATA,
	.create = nothing_create, .destroy = ring_destroy,
	.try_send = nothing_send, .try_recv = nothing_recv,
	.close = nothing_close,   .len = nothing_len,
};
