/*
 * A worker while it maps: takes inputs, calls map(), and puts what that emits
 * into partitions, or has it folded.
 */
#include <errno.h>
#include <string.h>

#include <weft/chan.h>

#include "internal.h"

/* --- emitting --- */

/* The count would be wrong from now on. */
static int fail(struct weft_mapreduce *m, int err)
{
	weft_ending_fail(&m->end, err);
	return err;
}

static int put(struct weft_mapreduce_worker *w, size_t partition, uint64_t hash,
               struct weft_slice key, const void *value)
{
	struct weft_mapreduce *m = w->m;
	size_t held;
	int err;

	if (m->locks) {
		bool one = m->opts.shuffle == WEFT_SHUFFLE_LOCKED;
		struct weft_lock *lock = &m->locks[one ? 0 : partition];

		weft_lock_acquire(lock);
		w->holds = lock; /* released also if combine() ends the task */
	}
	err = weft_table_put(&w->tables[partition], &m->kind, hash, key, value,
	                     &held);
	if (w->holds) {
		weft_lock_release(w->holds);
		w->holds = NULL;
	}
	if (!err)
		count_add(&w->held, held);
	return err;
}

static int put_by_key(struct weft_mapreduce_worker *w, struct weft_slice key,
                      const void *value)
{
	struct weft_mapreduce *m = w->m;
	const struct weft_mapreduce_opts *o = &m->opts;
	uint64_t hash = weft_table_hash(&m->kind, key);
	size_t partition;

	/* The upper half: the lower one chooses the slot. */
	if (o->partition)
		partition = o->partition(key, o->partitions, o->arg);
	else
		partition = (size_t)((hash >> 32) * o->partitions >> 32);
	if (partition >= o->partitions)
		return -ERANGE;
	return put(w, partition, hash, key, value);
}

static int put_for_fold(struct weft_mapreduce_worker *w, const void *value)
{
	if (w->nvalues)
		return -EOVERFLOW;
	if (!value) /* as where value_size is 0, which a fold's is not */
		return -EINVAL;
	memcpy(w->value, value, w->m->opts.value_size);
	w->nvalues = 1;
	return 0;
}

int weft_mapreduce_emit(struct weft_mapreduce_worker *to, struct weft_slice key,
                        const void *value)
{
	int err;

	if (!to || (!key.at && key.bytes) || (!value && to->m->opts.value_size))
		return -EINVAL;
	if (__builtin_expect(weft_ending_is_set(&to->m->end), 0))
		return weft_ending_why(&to->m->end);
	err = to->m->opts.fold ? put_for_fold(to, value)
	                       : put_by_key(to, key, value);
	if (__builtin_expect(err != 0, 0))
		return fail(to->m, err);
	count_add(&to->emitted, 1);
	return 0;
}

unsigned weft_mapreduce_worker_id(const struct weft_mapreduce_worker *w)
{
	return w ? (unsigned)w->member.index : 0;
}

/* --- one input --- */

/* Take one. False when there is none. */
static bool take(struct weft_mapreduce_worker *w)
{
	int err = weft_chan_recv(w->m->in, w->elem, WEFT_FOREVER);

	if (err && err != -EPIPE)
		fail(w->m, err);
	return !err;
}

/* Whether what was taken is to be mapped; otherwise the component has ended,
 * and it is dropped: outside of locks. */
static bool is_wanted(struct weft_mapreduce_worker *w)
{
	const struct weft_mapreduce_opts *o = &w->m->opts;

	if (!weft_ending_is_set(&w->m->end))
		return true;
	if (o->drop_in)
		o->drop_in(w->elem, o->drop_arg);
	return false;
}

/* Map it. Whether to go on. */
static bool map(struct weft_mapreduce_worker *w)
{
	const struct weft_mapreduce_opts *o = &w->m->opts;
	int err;

	if (!is_wanted(w))
		return false;
	if (!weft_load_relaxed(&w->inputs))
		weft_store_relaxed(&w->first_ns, weft_now());
	count_add(&w->inputs, 1);
	err = o->map(w, w->elem, o->arg);
	if (err)
		fail(w->m, err < 0 ? err : -EINVAL);
	return !err && !weft_ending_is_set(&w->m->end);
}

/* --- a fold --- */

/* Fold the value of a ticket, and those behind it that are there. Whether to go
 * on. After a failure nobody passes anything on any more. */
static bool pass_on(struct weft_mapreduce *m, struct order_batch *b)
{
	const struct weft_mapreduce_opts *o = &m->opts;

	for (; b; b = weft_order_passed(m->order)) {
		int err;

		if (weft_ending_is_set(&m->end))
			return false;
		if (!weft_load_relaxed(&b->n))
			continue;
		b->sent = 1; /* it is the function's, even if that fails */
		m->whole.n = 1;
		err = o->fold(m->acc, b->items, o->arg);
		if (err) {
			fail(m, err < 0 ? err : -EINVAL);
			return false;
		}
	}
	return true;
}

/* Put what map() has emitted under its ticket. */
static bool settle(struct weft_mapreduce_worker *w, uint64_t ticket)
{
	size_t n = w->nvalues;

	w->nvalues = 0;
	return pass_on(w->m, weft_order_put(w->m->order, ticket, &w->value, n));
}

/* Tickets follow the inputs: they are drawn while no other worker takes. */
static bool fold_in_order(struct weft_mapreduce_worker *w)
{
	uint64_t ticket;
	bool taken;

	if (weft_order_begin(w->m->order))
		return false;
	taken = take(w);
	ticket = weft_order_end(w->m->order, taken);
	return taken && map(w) && settle(w, ticket);
}

/* They follow the ends of map(). */
static bool fold_as_made(struct weft_mapreduce_worker *w)
{
	if (!take(w) || !map(w) || weft_order_begin(w->m->order))
		return false;
	return settle(w, weft_order_end(w->m->order, true));
}

/* --- all inputs --- */

static bool step(struct weft_mapreduce_worker *w)
{
	if (!w->m->opts.fold)
		return take(w) && map(w);
	return w->m->opts.unordered ? fold_as_made(w) : fold_in_order(w);
}

/* [mapped] What this worker has put is seen by those that reduce. */
static void mapped(struct weft_mapreduce_worker *w)
{
	struct weft_mapreduce *m = w->m;

	if (weft_fetch_sub_acq_rel(&m->mapping, 1u) != 1)
		return;
	if (!m->opts.fold) {
		weft_waiters_wake(&m->mapped, SIZE_MAX);
		return;
	}
	m->whole.n = 1;
	count_add(&w->results, 1);
	weft_mapreduce_ready(m, &m->whole);
}

static int look_whether_mapped(void *arg)
{
	struct weft_mapreduce *m = arg;

	if (weft_ending_is_set(&m->end))
		return -EPIPE;
	return weft_load_acquire(&m->mapping) ? -EAGAIN : 0; /* [mapped] */
}

bool weft_mapreduce_map_all(struct weft_mapreduce_worker *w)
{
	struct weft_mapreduce *m = w->m;

	if (w->member.index < m->opts.workers) {
		while (step(w))
			;
		weft_store_relaxed(&w->last_ns, weft_now());
		if (weft_ending_is_set(&m->end))
			return false;
		mapped(w);
	}
	if (m->opts.fold || w->member.index >= m->opts.reducers)
		return false;
	return !weft_waiters_wait(&m->mapped, "mapreduce map",
	                          look_whether_mapped, m, NULL, WEFT_FOREVER);
}
