#include "mapreduce.h"

#include <errno.h>
#include <stdlib.h>

#include <weft/chan_impl.h>

#include "base/cacheline.h"
#include "common/ends.h"
#include "internal.h"

/* --- what comes out --- */

/* A cursor is the number of a run and a place in it. */
#define PLACE_BITS 40
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)

static uint64_t cursor_at(uint64_t run, uint64_t place)
{
	return run << PLACE_BITS | place;
}

/* The run of the next result; *cursor moves past those that have all been
 * received. 0; -EPIPE: there is no more; -EAGAIN: it is not ready. */
static int locate(struct weft_mapreduce *m, uint64_t *cursor,
                  struct results **run)
{
	uint64_t i = *cursor >> PLACE_BITS;

	for (; i < m->nruns; *cursor = cursor_at(++i, 0)) {
		*run = weft_load_acquire(&m->ready[i]); /* [ready] */
		if (!*run)
			return -EAGAIN;
		if (*cursor - cursor_at(i, 0) < (*run)->n)
			return 0;
	}
	return -EPIPE;
}

void weft_mapreduce_ready(struct weft_mapreduce *m, struct results *run)
{
	unsigned i = weft_fetch_add_relaxed(&m->nready, 1u);

	weft_store_release(&m->ready[i], run); /* [ready] */
	weft_waiters_wake(&m->results, SIZE_MAX);
}

struct taker {
	struct weft_mapreduce *m;
	struct weft_mapreduce_pair *out;
};

static int look_for_result(void *arg)
{
	const struct taker *t = arg;
	struct weft_mapreduce *m = t->m;
	uint64_t cursor = weft_load_acquire(&m->cursor), at;
	struct results *run;
	int err;

	/* Whatever the reason is, here it is an end. */
	if (weft_ending_why(&m->end))
		return -EPIPE;
	do {
		at = cursor;
		err = locate(m, &at, &run);
		if (err)
			return err;
	} while (!weft_cas_acq_rel(&m->cursor, &cursor, at + 1));
	*t->out = run->at[at & PLACE_MASK].pair;
	return 0;
}

/* --- the end --- */

/* All results have been received. */
static bool is_through(void *arg)
{
	struct weft_mapreduce *m = arg;
	uint64_t cursor = weft_load_acquire(&m->cursor);
	struct results *run;

	return locate(m, &cursor, &run) == -EPIPE;
}

static void release(void *arg)
{
	struct weft_mapreduce *m = arg;

	weft_chan_close(m->in);
	if (m->order)
		weft_order_close(m->order);
	weft_waiters_wake(&m->mapped, SIZE_MAX);
	weft_waiters_wake(&m->results, SIZE_MAX);
}

static const struct weft_ending_ops ending_ops = { is_through, release };

static int work(struct weft_crew_member *member)
{
	struct weft_mapreduce_worker *w =
	        (struct weft_mapreduce_worker *)member;

	if (weft_mapreduce_map_all(w))
		weft_mapreduce_reduce_all(w);
	return 0;
}

static void worker_left(struct weft_crew_member *member, int status)
{
	struct weft_mapreduce_worker *w =
	        (struct weft_mapreduce_worker *)member;
	const struct weft_mapreduce_opts *o = &w->m->opts;

	if (w->holds)
		weft_lock_release(w->holds);
	if (status)
		weft_ending_fail(&w->m->end, status);
	if (w->nvalues && o->drop_value)
		o->drop_value(w->value, o->drop_arg);
	w->nvalues = 0;
}

/* --- making --- */

static bool makes_sense(const struct weft_mapreduce_opts *o)
{
	bool groups = o->reduce || o->combine || o->partition || o->sorted;

	return o->map && (o->reduce || o->combine || o->fold) &&
	       !(o->fold && (groups || !o->value_size)) &&
	       (o->reduce || o->fold || o->out_size == o->value_size) &&
	       o->workers && o->workers <= WEFT_MAPREDUCE_WORKERS_MAX &&
	       o->reducers <= WEFT_MAPREDUCE_WORKERS_MAX &&
	       o->partitions <= WEFT_MAPREDUCE_PARTITIONS_MAX &&
	       (unsigned)o->shuffle <= WEFT_SHUFFLE_LOCKED &&
	       ends_suit(o->impl, 1, o->workers) &&
	       o->value_size <= SIZE_MAX / 4 && o->out_size <= SIZE_MAX / 4;
}

/* Of what is filled in. */
static bool has_too_many_tables(const struct weft_mapreduce_opts *o)
{
	return !o->fold && o->shuffle == WEFT_SHUFFLE_LOCAL &&
	       o->workers * o->partitions > WEFT_MAPREDUCE_TABLES_MAX;
}

static void fill_in(struct weft_mapreduce_opts *o)
{
	o->impl = o->impl ? o->impl : weft_chan_impl_find("handoff");
	o->out_size = o->out_size ? o->out_size : o->value_size;
	o->reducers = o->reducers ? o->reducers : o->workers;
	o->partitions = o->partitions ? o->partitions : 4 * o->reducers;
	o->window = o->window ? o->window : 4 * (size_t)o->workers;
}

static int make_fold(struct weft_mapreduce *m)
{
	const struct weft_mapreduce_opts *o = &m->opts;

	m->acc = cacheline_new(1, o->out_size);
	if (!m->acc)
		return -ENOMEM;
	m->fold_result.pair.value = m->acc;
	m->whole.at = &m->fold_result;
	return weft_order_new(&m->order, o->window, 1, o->value_size, o->wait);
}

static int make_locks(struct weft_mapreduce *m)
{
	const struct weft_mapreduce_opts *o = &m->opts;
	size_t n = o->shuffle == WEFT_SHUFFLE_LOCKED ? 1 : o->partitions;

	if (o->shuffle == WEFT_SHUFFLE_LOCAL)
		return 0;
	m->locks = cacheline_new(n, sizeof(*m->locks));
	if (!m->locks)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		weft_lock_init(&m->locks[i]);
	return 0;
}

static int make_partitions(struct weft_mapreduce *m)
{
	const struct weft_mapreduce_opts *o = &m->opts;
	size_t n = o->partitions;

	m->kind = (struct table_kind){
		.value_size = o->value_size,
		.key_at = sizeof(struct entry) + o->value_size,
		.combine = o->combine,
		.arg = o->arg,
		.seed = weft_rand(),
	};
	m->owners = o->shuffle == WEFT_SHUFFLE_LOCAL ? o->workers : 1;
	m->tables = cacheline_new(m->owners * n, sizeof(*m->tables));
	m->partitions = cacheline_new(n, sizeof(*m->partitions));
	return m->tables && m->partitions ? make_locks(m) : -ENOMEM;
}

static int make_worker(struct weft_mapreduce *m, unsigned i)
{
	const struct weft_mapreduce_opts *o = &m->opts;
	struct weft_mapreduce_worker *w = &m->workers[i];

	w->m = m;
	w->elem = cacheline_new(1, o->elem_size);
	if (o->fold)
		w->value = cacheline_new(1, o->value_size);
	else if (i < o->workers)
		w->tables = m->tables +
		            (m->owners > 1 ? i : 0) * (size_t)o->partitions;
	return w->elem && (w->value || !o->fold) ? 0 : -ENOMEM;
}

static int make_all(struct weft_mapreduce *m)
{
	const struct weft_mapreduce_opts *o = &m->opts;
	const struct weft_chan_opts chan = { .wait = o->wait,
		                             .drop = o->drop_in,
		                             .drop_arg = o->drop_arg };
	int err;

	m->nruns = o->sorted || o->fold ? 1 : o->partitions;
	m->ready = cacheline_new(m->nruns, sizeof(*m->ready));
	m->nworkers =
	        o->fold || o->workers > o->reducers ? o->workers : o->reducers;
	m->workers = cacheline_new(m->nworkers, sizeof(*m->workers));
	if (!m->ready || !m->workers)
		return -ENOMEM;
	err = o->fold ? make_fold(m) : make_partitions(m);
	for (unsigned i = 0; i < m->nworkers && !err; i++)
		err = make_worker(m, i);
	if (!err)
		err = weft_chan_new(&m->in, o->impl, o->cap, o->elem_size,
		                    &chan);
	return err;
}

static int start(struct weft_mapreduce *m)
{
	static const struct weft_crew_ops ops = { .numbered = true,
		                                  .work = work,
		                                  .left = worker_left };
	struct weft_task_opts opts = { "mapreduce", m->opts.stack_bytes };
	int err = weft_crew_start(&m->crew, &ops, m->workers, m->nworkers,
	                          sizeof(*m->workers), &opts);

	return err ? err : weft_ending_watch(&m->end, m->opts.ctx);
}

int weft_mapreduce_new(struct weft_mapreduce **out,
                       const struct weft_mapreduce_opts *opts)
{
	struct weft_mapreduce_opts o;
	struct weft_mapreduce *m;
	int err;

	if (!out || !opts)
		return -EINVAL;
	o = *opts;
	fill_in(&o);
	if (!makes_sense(&o) || has_too_many_tables(&o))
		return -EINVAL;
	m = cacheline_new(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->opts = o;
	weft_store_relaxed(&m->mapping, o.workers);
	weft_store_relaxed(&m->unreduced, o.partitions);
	weft_ending_init(&m->end, &ending_ops, m);
	weft_waiters_init(&m->mapped);
	weft_waiters_init(&m->results);
	err = weft_waiters_set_wait(&m->mapped, o.wait);
	if (!err)
		err = weft_waiters_set_wait(&m->results, o.wait);
	if (!err)
		err = make_all(m);
	if (!err)
		err = start(m);
	if (err) {
		weft_mapreduce_free(m);
		return err;
	}
	*out = m;
	return 0;
}

/* --- freeing --- */

static void drop_results(const struct weft_mapreduce *m,
                         const struct results *r, uint64_t from)
{
	const struct weft_mapreduce_opts *o = &m->opts;

	for (; o->drop_out && from < r->n; from++)
		o->drop_out((void *)(uintptr_t)r->at[from].pair.value,
		            o->drop_arg);
}

/* How much of the run at that place of `ready` has been received. */
static uint64_t received_at(const struct weft_mapreduce *m, uint64_t i)
{
	uint64_t cursor = weft_load_acquire(&m->cursor);
	uint64_t at = cursor >> PLACE_BITS;

	if (i < at)
		return weft_load_acquire(&m->ready[i])->n; /* [ready] */
	return i == at ? cursor & PLACE_MASK : 0;
}

static uint64_t received_of(const struct weft_mapreduce *m,
                            const struct results *run)
{
	for (uint64_t i = 0; i < m->nruns; i++)
		if (weft_load_relaxed(&m->ready[i]) == run)
			return received_at(m, i);
	return 0;
}

/* What was merged stands in two places. */
static void drop_all_results(const struct weft_mapreduce *m)
{
	if (m->whole.at) {
		drop_results(m, &m->whole, received_of(m, &m->whole));
		return;
	}
	for (unsigned i = 0; m->partitions && i < m->opts.partitions; i++) {
		const struct results *r = &m->partitions[i].results;

		drop_results(m, r, received_of(m, r));
	}
}

static void free_partitions(struct weft_mapreduce *m)
{
	for (unsigned i = 0; m->partitions && i < m->opts.partitions; i++) {
		free(m->partitions[i].results.at);
		free(m->partitions[i].outs);
	}
	free(m->partitions);
	if (!m->opts.fold)
		free(m->whole.at);
}

static void free_tables(struct weft_mapreduce *m)
{
	const struct weft_mapreduce_opts *o = &m->opts;
	size_t n = m->tables ? (size_t)m->owners * o->partitions : 0;

	for (size_t i = 0; i < n && o->drop_value; i++)
		weft_table_drop(&m->tables[i], &m->kind, o->drop_value,
		                o->drop_arg);
	for (size_t i = 0; i < n; i++)
		weft_table_free(&m->tables[i]);
	free(m->tables);
}

static void free_workers(struct weft_mapreduce *m)
{
	for (unsigned i = 0; m->workers && i < m->nworkers; i++) {
		free(m->workers[i].elem);
		free(m->workers[i].value);
		free(m->workers[i].values);
	}
	free(m->workers);
}

void weft_mapreduce_free(struct weft_mapreduce *m)
{
	if (!m)
		return;
	weft_ending_unwatch(&m->end);
	if (!weft_crew_has_ended(&m->crew))
		weft_ending_stop(&m->end, -ECANCELED);
	weft_crew_join(&m->crew);
	weft_chan_unref(m->in);
	drop_all_results(m);
	free_partitions(m);
	free_tables(m);
	if (m->order)
		weft_order_free(m->order, m->opts.value_size,
		                m->opts.drop_value, m->opts.drop_arg);
	free_workers(m);
	free(m->acc);
	free(m->locks);
	free(m->ready);
	free(m);
}

/* --- using --- */

int weft_mapreduce_send(struct weft_mapreduce *m, const void *elem,
                        int64_t deadline_ns)
{
	if (!m || (!elem && m->opts.elem_size))
		return -EINVAL;
	return weft_ending_of(&m->end,
	                      weft_chan_send(m->in, elem, deadline_ns));
}

int weft_mapreduce_try_send(struct weft_mapreduce *m, const void *elem)
{
	int err = weft_mapreduce_send(m, elem, WEFT_NOW);

	return m ? weft_ending_tried(&m->end, err) : err;
}

int weft_mapreduce_split(struct weft_mapreduce *m, struct weft_slice *text,
                         size_t bytes, const unsigned char *word,
                         int64_t deadline_ns)
{
	if (!m || !text || !bytes || (!text->at && text->bytes) ||
	    m->opts.elem_size != sizeof(struct weft_slice))
		return -EINVAL;
	while (text->bytes) {
		struct weft_slice rest = *text;
		struct weft_slice piece = weft_slice_cut(&rest, bytes, word);
		int err = weft_mapreduce_send(m, &piece, deadline_ns);

		if (err)
			return err;
		*text = rest;
	}
	return 0;
}

int weft_mapreduce_recv(struct weft_mapreduce *m,
                        struct weft_mapreduce_pair *out, int64_t deadline_ns)
{
	struct taker t = { m, out };
	int err;

	if (!m || !out)
		return -EINVAL;
	err = weft_waiters_wait(&m->results, "mapreduce recv", look_for_result,
	                        &t, NULL, deadline_ns);
	return weft_ending_of(&m->end, err);
}

int weft_mapreduce_try_recv(struct weft_mapreduce *m,
                            struct weft_mapreduce_pair *out)
{
	int err = weft_mapreduce_recv(m, out, WEFT_NOW);

	return m ? weft_ending_tried(&m->end, err) : err;
}

int weft_mapreduce_close(struct weft_mapreduce *m)
{
	return m ? weft_chan_close(m->in) : -EINVAL;
}

int weft_mapreduce_stop(struct weft_mapreduce *m)
{
	return m ? weft_ending_stop(&m->end, -ECANCELED) : -EINVAL;
}

int weft_mapreduce_fail(struct weft_mapreduce *m, int err)
{
	return m ? weft_ending_fail(&m->end, err) : -EINVAL;
}

int weft_mapreduce_join(struct weft_mapreduce *m, int64_t deadline_ns)
{
	return m ? weft_crew_wait_for_end(&m->crew, &m->end, deadline_ns)
	         : -EINVAL;
}

/* --- figures --- */

static void add_worker(struct weft_mapreduce_stats *out,
                       const struct weft_mapreduce_worker *w)
{
	uint64_t emitted = weft_load_relaxed(&w->emitted);

	out->inputs += weft_load_relaxed(&w->inputs);
	out->emitted += emitted;
	if (emitted > out->emitted_most)
		out->emitted_most = emitted;
	out->held += weft_load_relaxed(&w->held);
	out->keys += weft_load_relaxed(&w->keys);
	out->results += weft_load_relaxed(&w->results);
	out->shuffle_ns += weft_load_relaxed(&w->shuffle_ns);
	out->reduce_ns += weft_load_relaxed(&w->reduce_ns);
	out->sort_ns += weft_load_relaxed(&w->sort_ns);
}

/* From the first input that somebody took to the last that somebody ended. */
static int64_t map_time(const struct weft_mapreduce *m)
{
	int64_t first = WEFT_FOREVER, last = 0;

	for (unsigned i = 0; i < m->opts.workers; i++) {
		const struct weft_mapreduce_worker *w = &m->workers[i];
		int64_t from = weft_load_relaxed(&w->first_ns);
		int64_t to = weft_load_relaxed(&w->last_ns);

		if (!weft_load_relaxed(&w->inputs))
			continue;
		first = from < first ? from : first;
		last = to > last ? to : last;
	}
	return last > first ? last - first : 0;
}

int weft_mapreduce_stats(const struct weft_mapreduce *m,
                         struct weft_mapreduce_stats *out)
{
	size_t tables;

	if (!m || !out)
		return -EINVAL;
	*out = (struct weft_mapreduce_stats){
		.map_ns = map_time(m),
		.merge_ns = weft_load_relaxed(&m->merge_ns),
	};
	for (unsigned i = 0; i < m->nworkers; i++)
		add_worker(out, &m->workers[i]);
	for (uint64_t i = 0; i < m->nruns; i++)
		out->received += received_at(m, i);
	tables = m->tables ? (size_t)m->owners * m->opts.partitions : 0;
	for (size_t i = 0; i < tables; i++)
		out->bytes += weft_load_relaxed(&m->tables[i].bytes);
	return 0;
}
