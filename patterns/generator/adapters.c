/* Generators made of others, on the consumer's own task. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "internal.h"

/* --- take --- */

struct take {
	struct weft_gen gen;
	uint64_t left;
};

static int pull_take(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	struct take *t = (struct take *)g;
	int err;

	if (!t->left)
		return -EPIPE;
	err = weft_gen_pull_input(g, 0, elem, deadline_ns);
	/* What is upstream need not wait until one more is asked for. */
	if (!err && --t->left == 0)
		weft_gen_end(g->inputs[0], -ECANCELED);
	return err;
}

static const struct gen_kind take_kind = {
	.bytes = sizeof(struct take),
	.passes_on = true,
	.pull = pull_take,
};

int weft_gen_take(struct weft_gen **out, struct weft_gen *in, uint64_t n)
{
	int err;

	if (!out || !in)
		return -EINVAL;
	err = weft_gen_make(out, &take_kind, in->elem_size, 0, &in, 1);
	if (err)
		return err;
	((struct take *)*out)->left = n;
	if (n == 0)
		weft_gen_end(in, -ECANCELED);
	return 0;
}

/* --- map --- */

struct map {
	struct weft_gen gen;
	int (*fn)(const void *in, void *out, void *arg);
	void *arg;
};

static int pull_map(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	struct map *m = (struct map *)g;
	int err = weft_gen_pull_input(g, 0, g->room, deadline_ns);

	if (err)
		return err;
	err = m->fn(g->room, elem, m->arg);
	return err ? weft_gen_failed(g, err) : 0;
}

static const struct gen_kind map_kind = {
	.bytes = sizeof(struct map),
	.calls = true,
	.pull = pull_map,
};

int weft_gen_map(struct weft_gen **out, struct weft_gen *in, size_t out_size,
                 int (*fn)(const void *in, void *out, void *arg), void *arg)
{
	struct map *m;
	int err;

	if (!out || !in || !fn)
		return -EINVAL;
	err = weft_gen_make(out, &map_kind, out_size, in->elem_size, &in, 1);
	if (err)
		return err;
	m = (struct map *)*out;
	m->fn = fn;
	m->arg = arg;
	return 0;
}

/* --- filter --- */

struct filter {
	struct weft_gen gen;
	int (*fn)(const void *elem, void *arg);
	void *arg;

	/* What fn looks at, in the memory of the call of next: the frame that
	 * has it is outside of the one that fn may be ended in. */
	void *elem;
	bool looking;
};

static bool has_expired(int64_t deadline_ns)
{
	return deadline_ns != WEFT_FOREVER && deadline_ns <= weft_now();
}

static int look(struct filter *f, void *elem)
{
	int keep;

	f->elem = elem;
	f->looking = true;
	keep = f->fn(elem, f->arg);
	f->looking = false;
	return keep;
}

static void drop_held_filter(struct weft_gen *g)
{
	struct filter *f = (struct filter *)g;

	if (!f->looking)
		return;
	f->looking = false;
	gen_drop(g->inputs[0], f->elem);
}

static int pull_filter(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	struct filter *f = (struct filter *)g;
	int err, keep;

	for (;;) {
		err = weft_gen_pull_input(g, 0, elem, deadline_ns);
		if (err)
			return err;
		keep = look(f, elem);
		if (keep == 1)
			return 0;
		gen_drop(g->inputs[0], elem);
		if (keep)
			return weft_gen_failed(g, keep);
		/* None may ever come that is to be kept. */
		err = weft_ending_why(&g->end);
		if (err)
			return err;
		if (has_expired(deadline_ns))
			return -ETIMEDOUT;
	}
}

static const struct gen_kind filter_kind = {
	.bytes = sizeof(struct filter),
	.passes_on = true,
	.calls = true,
	.pull = pull_filter,
	.drop_held = drop_held_filter,
};

int weft_gen_filter(struct weft_gen **out, struct weft_gen *in,
                    int (*fn)(const void *elem, void *arg), void *arg)
{
	struct filter *f;
	int err;

	if (!out || !in || !fn)
		return -EINVAL;
	err = weft_gen_make(out, &filter_kind, in->elem_size, 0, &in, 1);
	if (err)
		return err;
	f = (struct filter *)*out;
	f->fn = fn;
	f->arg = arg;
	return 0;
}

/* --- chain --- */

struct chain {
	struct weft_gen gen;
	size_t now; /* the input whose turn it is */
};

static int pull_chain(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	struct chain *c = (struct chain *)g;
	int err;

	for (; c->now < g->ninputs; c->now++) {
		err = weft_gen_pull_input(g, c->now, elem, deadline_ns);
		/* A stop of g may show as the end of its input. */
		if (err != -EPIPE || weft_ending_is_set(&g->end))
			return err;
	}
	return -EPIPE;
}

static const struct gen_kind chain_kind = {
	.bytes = sizeof(struct chain),
	.passes_on = true,
	.pull = pull_chain,
};

int weft_gen_chain(struct weft_gen **out, struct weft_gen *const *in, size_t n)
{
	if (!out || !in || !n || !in[0])
		return -EINVAL;
	/* Behind an ahead it is not known any more which input an element came
	 * from. */
	for (size_t i = 1; i < n; i++)
		if (!in[i] || in[i]->elem_size != in[0]->elem_size ||
		    in[i]->drop != in[0]->drop ||
		    in[i]->drop_arg != in[0]->drop_arg)
			return -EINVAL;
	return weft_gen_make(out, &chain_kind, in[0]->elem_size, 0, in, n);
}

/* --- zip --- */

struct zip {
	struct weft_gen gen;

	/* In its room are the parts that have come, of `have` inputs: kept from
	 * one call to the next, because the deadline may expire between them.
	 */
	size_t have, bytes;
};

static int pull_zip(struct weft_gen *g, void *elem, int64_t deadline_ns)
{
	struct zip *z = (struct zip *)g;
	int err;

	for (; z->have < g->ninputs; z->have++) {
		err = weft_gen_pull_input(g, z->have, g->room + z->bytes,
		                          deadline_ns);
		if (err)
			return err;
		z->bytes += g->inputs[z->have]->elem_size;
	}
	gen_copy(elem, g->room, z->bytes);
	z->have = z->bytes = 0;
	return 0;
}

static void drop_parts(const struct weft_gen *g, unsigned char *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		gen_drop(g->inputs[i], parts);
		parts += g->inputs[i]->elem_size;
	}
}

static void drop_zipped(void *elem, void *arg)
{
	const struct weft_gen *g = arg;

	drop_parts(g, elem, g->ninputs);
}

static void release_zip(struct weft_gen *g)
{
	drop_parts(g, g->room, ((struct zip *)g)->have);
}

static const struct gen_kind zip_kind = {
	.bytes = sizeof(struct zip),
	.pull = pull_zip,
	.release = release_zip,
};

int weft_gen_zip(struct weft_gen **out, struct weft_gen *const *in, size_t n)
{
	size_t bytes = 0;
	bool owns = false;
	int err;

	if (!out || !in || !n)
		return -EINVAL;
	for (size_t i = 0; i < n && bytes <= WEFT_ELEM_MAX; i++) {
		bytes += in[i] ? in[i]->elem_size : 0;
		owns |= in[i] && in[i]->drop;
	}
	err = weft_gen_make(out, &zip_kind, bytes, bytes, in, n);
	if (err)
		return err;
	if (owns)
		weft_gen_set_drop(*out, drop_zipped, *out);
	return 0;
}

/* --- until --- */

/* A take of all there are, which also ends with a context. */
int weft_gen_until(struct weft_gen **out, struct weft_gen *in,
                   struct weft_ctx *ctx)
{
	struct weft_gen *g;
	int err;

	if (!out || !in)
		return -EINVAL;
	err = weft_gen_take(&g, in, UINT64_MAX);
	if (err)
		return err;
	err = weft_ending_watch(&g->end, ctx);
	if (err) {
		weft_gen_unmake(g);
		return err;
	}
	*out = g;
	return 0;
}
