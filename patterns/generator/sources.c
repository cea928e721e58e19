/* Generators whose elements come from the consumer's own task. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* --- array and repeat --- */

struct array {
	struct weft_gen gen;
	bool once;
	size_t n, next; /* in its room */
};

static int pull_array(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	struct array *a = (struct array *)g;

	(void)deadline_ns;
	if (a->next == a->n) {
		if (a->once)
			return -EPIPE;
		a->next = 0;
	}
	gen_copy(elem, g->room + a->next * g->elem_size, g->elem_size);
	a->next++;
	return 0;
}

static const struct gen_kind array_kind = {
	.bytes = sizeof(struct array),
	.pull = pull_array,
};

static int make_array(struct weft_gen **out, const void *elems, size_t n,
                      size_t elem_size, bool once)
{
	struct array *a;
	size_t bytes;
	int err;

	if (!out || (!elems && n && elem_size) || (!n && !once))
		return -EINVAL;
	if (__builtin_mul_overflow(n, elem_size, &bytes))
		return -ENOMEM;
	err = weft_gen_make(out, &array_kind, elem_size, bytes, NULL, 0);
	if (err)
		return err;
	a = (struct array *)*out;
	if (elems)
		gen_copy(a->gen.room, elems, bytes);
	a->once = once;
	a->n = n;
	return 0;
}

int weft_gen_array(struct weft_gen **out, const void *elems, size_t n,
                   size_t elem_size)
{
	return make_array(out, elems, n, elem_size, true);
}

int weft_gen_repeat(struct weft_gen **out, const void *elems, size_t n,
                    size_t elem_size)
{
	return make_array(out, elems, n, elem_size, false);
}

/* --- repeat_fn --- */

struct calls {
	struct weft_gen gen;
	int (*fn)(void *elem, void *arg);
	void *arg;
};

static int pull_calls(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	struct calls *c = (struct calls *)g;
	int err = c->fn(elem, c->arg);

	(void)deadline_ns;
	return err ? weft_gen_failed(g, err) : 0;
}

static const struct gen_kind calls_kind = {
	.bytes = sizeof(struct calls),
	.calls = true,
	.pull = pull_calls,
};

int weft_gen_repeat_fn(struct weft_gen **out, size_t elem_size,
                       int (*fn)(void *elem, void *arg), void *arg)
{
	struct calls *c;
	int err;

	if (!out || !fn)
		return -EINVAL;
	err = weft_gen_make(out, &calls_kind, elem_size, 0, NULL, 0);
	if (err)
		return err;
	c = (struct calls *)*out;
	c->fn = fn;
	c->arg = arg;
	return 0;
}

/* --- range --- */

struct range {
	struct weft_gen gen;
	/* Modulo 2^64: the last step may leave what int64_t can hold. */
	uint64_t next, step;
	uint64_t left;
};

static int pull_range(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	struct range *r = (struct range *)g;

	(void)deadline_ns;
	if (!r->left)
		return -EPIPE;
	memcpy(elem, &r->next, sizeof(r->next));
	r->next += r->step;
	r->left--;
	return 0;
}

static const struct gen_kind range_kind = {
	.bytes = sizeof(struct range),
	.pull = pull_range,
};

/* How many steps of `stride` begin within `distance`. */
static uint64_t steps(uint64_t distance, uint64_t stride)
{
	return distance ? (distance - 1) / stride + 1 : 0;
}

static uint64_t count(int64_t from, int64_t to, int64_t step)
{
	uint64_t up = (uint64_t)to - (uint64_t)from;

	if (step > 0)
		return from < to ? steps(up, (uint64_t)step) : 0;
	return to < from ? steps(0 - up, 0 - (uint64_t)step) : 0;
}

int weft_gen_range(struct weft_gen **out, int64_t from, int64_t to,
                   int64_t step)
{
	struct range *r;
	int err;

	if (!out || !step)
		return -EINVAL;
	err = weft_gen_make(out, &range_kind, sizeof(int64_t), 0, NULL, 0);
	if (err)
		return err;
	r = (struct range *)*out;
	r->next = (uint64_t)from;
	r->step = (uint64_t)step;
	r->left = count(from, to, step);
	return 0;
}
