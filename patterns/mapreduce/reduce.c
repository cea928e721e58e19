/*
 * A worker while it reduces: takes a partition, joins what all have put there,
 * and makes a result of each key. The last of them merges what was sorted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cacheline.h"
#include "internal.h"

/* --- a key --- */

/* Results are aligned to 8. */
static size_t stride(const struct weft_mapreduce *m)
{
	return (m->opts.out_size + 7) & ~(size_t)7;
}

static int make_room(struct weft_mapreduce_worker *w, size_t n)
{
	size_t bytes;
	void *more;

	if (__builtin_mul_overflow(n, w->m->opts.value_size, &bytes))
		return -ENOMEM;
	if (bytes <= w->room && w->values)
		return 0;
	bytes = bytes > 256 ? bytes : 256;
	more = realloc(w->values, 2 * bytes);
	if (!more)
		return -ENOMEM;
	w->values = more;
	w->room = 2 * bytes;
	return 0;
}

/* What reduce() makes of its values, at `out`. */
static int call(struct weft_mapreduce_worker *w, struct entry *e,
                struct weft_slice key, void *out)
{
	const struct weft_mapreduce_opts *o = &w->m->opts;
	size_t n = weft_table_values(e);
	int made = make_room(w, n);

	if (made)
		return made;
	weft_table_take(e, &w->m->kind, w->values, n);
	made = o->reduce(key, w->values, n, out, o->arg);
	return made == WEFT_EMIT || made < 0 ? made
	       : made == WEFT_SKIP           ? 0
	                                     : -EINVAL;
}

/* Without reduce(): what the combiner makes of them is the result. */
static void combine(const struct weft_mapreduce *m, struct entry *e)
{
	for (struct entry *twin = e->twin; twin; twin = twin->twin) {
		twin->n = 0;
		m->opts.combine(e->value, twin->value, m->opts.arg);
	}
	e->n = 0;
}

/* Zeros behind a short key: its length decides then. */
static uint64_t prefix_of(struct weft_slice key)
{
	uint64_t prefix = 0;

	for (size_t i = 0; i < 8; i++)
		prefix = prefix << 8 |
		         (i < key.bytes ? (unsigned char)key.at[i] : 0);
	return prefix;
}

static int reduce_key(struct weft_mapreduce_worker *w, struct partition *p,
                      struct entry *e)
{
	struct weft_mapreduce *m = w->m;
	struct weft_slice key = entry_key(&m->kind, e);
	void *out = e->value;
	int made = WEFT_EMIT;

	if (m->opts.reduce) {
		out = p->outs + p->results.n * stride(m);
		made = call(w, e, key, out);
	} else {
		combine(m, e);
	}
	count_add(&w->keys, 1);
	if (made <= 0)
		return made;
	p->results.at[p->results.n++] =
	        (struct result){ prefix_of(key), { key, out } };
	count_add(&w->results, 1);
	return 0;
}

/* --- order --- */

static int compare(const void *a, const void *b)
{
	const struct result *x = a, *y = b;
	struct weft_slice k = x->pair.key, l = y->pair.key;
	size_t both = k.bytes < l.bytes ? k.bytes : l.bytes;
	int order = 0;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	if (both > 8)
		order = memcmp(k.at + 8, l.at + 8, both - 8);
	if (order)
		return order;
	return k.bytes < l.bytes ? -1 : k.bytes > l.bytes;
}

/* The least is at the top: each is less than the two at 2i + 1 and 2i + 2. */
static void sift_down(struct results **heap, size_t n, size_t i)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		struct results *down = heap[i];

		if (child + 1 < n &&
		    compare(heap[child + 1]->at, heap[child]->at) < 0)
			child++;
		if (compare(down->at, heap[child]->at) <= 0)
			return;
		heap[i] = heap[child];
		heap[child] = down;
	}
}

static void merge_into(struct result *to, struct results **heap, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(heap, n, i);
	while (n) {
		*to++ = *heap[0]->at++;
		if (!--heap[0]->n)
			heap[0] = heap[--n];
		sift_down(heap, n, 0);
	}
}

/* All partitions as one run; their own stay what they are. */
static int merge(struct weft_mapreduce *m)
{
	size_t parts = m->opts.partitions, all = 0, n = 0;
	struct results *left = calloc(parts, sizeof(*left));
	struct results **heap = calloc(parts, sizeof(struct results *));
	struct result *to = NULL;

	for (size_t i = 0; i < parts && left && heap; i++) {
		left[n] = m->partitions[i].results;
		heap[n] = &left[n];
		all += left[n].n;
		n += left[n].n > 0;
	}
	if (left && heap)
		to = cacheline_alloc(0, all, sizeof(*to));
	if (to)
		merge_into(to, heap, n);
	m->whole = (struct results){ to, to ? all : 0 };
	free(heap);
	free(left);
	return to ? 0 : -ENOMEM;
}

/* --- a partition --- */

static int join(struct weft_mapreduce *m, struct table *t, unsigned p)
{
	int err = 0;

	for (unsigned o = 1; o < m->owners && !err; o++)
		err = weft_table_join(t, &m->kind,
		                      &m->tables[o * m->opts.partitions + p]);
	return err;
}

static int reduce_keys(struct weft_mapreduce_worker *w, struct partition *p,
                       const struct table *t)
{
	struct weft_mapreduce *m = w->m;
	int err = 0;

	p->results.at = cacheline_alloc(0, t->used, sizeof(struct result));
	if (m->opts.reduce)
		p->outs = cacheline_new(t->used, stride(m));
	if (!p->results.at || (m->opts.reduce && !p->outs))
		return -ENOMEM;
	for (size_t i = 0; i < t->nslots && !err; i++) {
		if (weft_ending_is_set(&m->end))
			return weft_ending_why(&m->end);
		if (t->slots[i].entry)
			err = reduce_key(w, p, t->slots[i].entry);
	}
	return err;
}

/* Add the time since *since, which becomes now. */
static void add_time(_Atomic int64_t *to, int64_t *since)
{
	int64_t now = weft_now();

	count_add(to, now - *since);
	*since = now;
}

static int reduce(struct weft_mapreduce_worker *w, unsigned i)
{
	struct weft_mapreduce *m = w->m;
	struct partition *p = &m->partitions[i];
	struct table *t = &m->tables[i];
	int64_t since = weft_now();
	int err = join(m, t, i);

	add_time(&w->shuffle_ns, &since);
	if (!err)
		err = reduce_keys(w, p, t);
	add_time(&w->reduce_ns, &since);
	if (!err && m->opts.sorted && p->results.n)
		qsort(p->results.at, p->results.n, sizeof(struct result),
		      compare);
	add_time(&w->sort_ns, &since);
	return err;
}

/* --- all of them --- */

/* The partition is reduced: [unreduced] the last reducer sees all. */
static int hand_out(struct weft_mapreduce *m, unsigned i)
{
	int64_t begin;
	int err;

	if (!m->opts.sorted) {
		weft_mapreduce_ready(m, &m->partitions[i].results);
		return 0;
	}
	if (weft_fetch_sub_acq_rel(&m->unreduced, 1u) != 1)
		return 0;
	begin = weft_now();
	err = merge(m);
	weft_store_relaxed(&m->merge_ns, weft_now() - begin);
	if (!err)
		weft_mapreduce_ready(m, &m->whole);
	return err;
}

void weft_mapreduce_reduce_all(struct weft_mapreduce_worker *w)
{
	struct weft_mapreduce *m = w->m;
	int err = 0;

	while (!err) {
		unsigned i = weft_fetch_add_relaxed(&m->next, 1u);

		if (i >= m->opts.partitions)
			return;
		err = reduce(w, i);
		if (!err)
			err = hand_out(m, i);
	}
	weft_ending_fail(&m->end, err);
}
