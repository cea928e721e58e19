/*
 * Merge and broadcast: tasks between channels of the caller's own.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>
#include <weft/select.h>
#include <weft/sync.h>
#include <weft/task.h>

#include "base/cacheline.h"
#include "base/check.h"
#include "common/ends.h"
#include "internal.h"

/* How many went through one channel; written by one task. */
struct moved {
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t n;
};

/* One task of a relay. */
struct carrier {
	struct weft_relay *r;
	size_t index;
	struct weft_task *task;
	unsigned char *elem; /* in hand */
};

struct weft_relay {
	/* Constant once made. */
	struct weft_relay_opts opts;
	struct weft_chan **from, **to;
	size_t nfrom, nto, elem_size;
	struct moved *moved; /* one for each on the side of several */
	size_t nmoved;
	struct carrier *carriers;
	size_t ncarriers;
	struct weft_waitgroup running;
	struct weft_waitgroup gate; /* holds the tasks until all are there */
	bool whole;                 /* they are; written before it opens */
	struct watch watch;         /* of the context */
	void (*failed)(void *arg, int err); /* see weft_fan_broadcast() */
	void *failed_arg;

	/* 0, or why it ended before its time. Set once, before the channels
	 * are closed: who finds one closed finds the reason here. */
	_Atomic int error;
	_Atomic size_t left; /* tasks that have not ended */
};

/* --- the end --- */

static void close_all(struct weft_chan *const *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		weft_chan_close(c[i]);
}

static void stop_for(struct weft_relay *r, int err)
{
	int none = 0;

	if (weft_cas_acq_rel(&r->error, &none, err) && r->failed) /* [error] */
		r->failed(r->failed_arg, err);
	close_all(r->from, r->nfrom);
	close_all(r->to, r->nto);
}

static void context_ended(void *arg)
{
	struct weft_relay *r = arg;

	stop_for(r, watch_why(&r->watch));
}

static bool is_stopped(struct weft_relay *r)
{
	return weft_load_acquire(&r->error) != 0; /* [error] */
}

static void drop(const struct weft_relay *r, void *elem)
{
	if (r->opts.drop)
		r->opts.drop(elem, r->opts.drop_arg);
}

static void count(struct weft_relay *r, size_t i)
{
	_Atomic uint64_t *n = &r->moved[i].n;

	weft_store_relaxed(n, weft_load_relaxed(n) + 1);
}

/* --- merging --- */

/* Send what came from channel i on. Whether to go on. */
static bool forward(struct weft_relay *r, size_t i, void *elem)
{
	int err = -EPIPE;

	if (!is_stopped(r))
		err = weft_chan_send(r->to[0], elem, WEFT_FOREVER);
	if (!err) {
		count(r, i);
		return true;
	}
	/* Whoever has closed it under us wants no more. */
	stop_for(r, err);
	drop(r, elem);
	return false;
}

/* The next element of channel i. False at its end. */
static bool receive(struct weft_relay *r, size_t i, void *elem)
{
	int err = weft_chan_recv(r->from[i], elem, WEFT_FOREVER);

	if (err && err != -EPIPE)
		stop_for(r, err);
	return !err;
}

static void run_forwarder(struct carrier *c)
{
	struct weft_relay *r = c->r;

	while (receive(r, c->index, c->elem) && forward(r, c->index, c->elem))
		;
}

/* Receive cases for all inputs, each with room for an element of its own. */
static void make_cases(const struct weft_relay *r, struct weft_case *cases,
                       unsigned char *elems)
{
	for (size_t i = 0; i < r->nfrom; i++)
		cases[i] = weft_case_recv(r->from[i], elems + i * r->elem_size);
}

static void select_until_all_ended(struct weft_relay *r,
                                   struct weft_case *cases)
{
	size_t open = r->nfrom;
	int i;

	while (open > 0) {
		i = weft_select(cases, r->nfrom, WEFT_FOREVER);
		if (i < 0) {
			stop_for(r, i);
			return;
		}
		if (cases[i].err) {
			cases[i].c = NULL; /* ended: never ready again */
			open--;
		} else if (!forward(r, (size_t)i, cases[i].elem)) {
			return;
		}
	}
}

static void run_select(struct carrier *c)
{
	struct weft_relay *r = c->r;
	struct weft_case *cases = cacheline_new(r->nfrom, sizeof(*cases));

	if (cases) {
		make_cases(r, cases, c->elem);
		select_until_all_ended(r, cases);
	} else {
		stop_for(r, -ENOMEM);
	}
	free(cases);
}

/* --- broadcasting --- */

/* To every channel that its reader has not closed. Returns how many. */
static size_t send_to_all(struct weft_relay *r, void *elem)
{
	size_t n = 0;
	int err;

	for (size_t i = 0; i < r->nto; i++) {
		err = is_stopped(r)
		              ? -EPIPE
		              : weft_chan_send(r->to[i], elem, WEFT_FOREVER);
		if (!err) {
			count(r, i);
			n++;
			continue;
		}
		if (err != -EPIPE)
			stop_for(r, err);
		drop(r, elem);
	}
	return n;
}

static void run_broadcast(struct carrier *c)
{
	struct weft_relay *r = c->r;

	while (receive(r, 0, c->elem))
		if (send_to_all(r, c->elem) == 0) {
			stop_for(r, -EPIPE);
			return;
		}
}

/* --- its tasks --- */

static int carry(struct carrier *c, void (*run)(struct carrier *c))
{
	struct weft_relay *r = c->r;

	CHECK_EQ(weft_waitgroup_wait(&r->gate, WEFT_FOREVER), 0);
	/* A relay that is not whole must not touch the channels. */
	if (r->whole) {
		run(c);
		/* The last one closes: all others have sent what they had. */
		if (weft_fetch_sub_acq_rel(&r->left, (size_t)1) == 1)
			close_all(r->to, r->nto);
	}
	weft_waitgroup_done(&r->running);
	return 0;
}

static int forwarder_main(void *arg)
{
	return carry(arg, run_forwarder);
}

static int select_main(void *arg)
{
	return carry(arg, run_select);
}

static int broadcast_main(void *arg)
{
	return carry(arg, run_broadcast);
}

/* --- making --- */

static struct weft_chan **ref_all(struct weft_chan *const *c, size_t n)
{
	struct weft_chan **refs = cacheline_new(n, sizeof(struct weft_chan *));

	for (size_t i = 0; refs && i < n; i++)
		refs[i] = weft_chan_ref(c[i]);
	return refs;
}

static void unref_all(struct weft_chan **c, size_t n)
{
	for (size_t i = 0; c && i < n; i++)
		weft_chan_unref(c[i]);
	free(c);
}

static bool stands_in(const struct weft_chan *c, struct weft_chan *const *list,
                      size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == c)
			return true;
	return false;
}

/* What can be said of the channels of both sides, whoever carries. */
static bool fit_together(struct weft_chan *const *from, size_t nfrom,
                         struct weft_chan *const *to, size_t nto)
{
	if ((nfrom && !from) || (nto && !to) || stands_in(NULL, to, nto))
		return false;
	for (size_t i = 0; i < nto; i++)
		if (weft_chan_elem_size(to[i]) != weft_chan_elem_size(to[0]))
			return false;
	for (size_t i = 0; i < nfrom; i++)
		if (!from[i] || stands_in(from[i], to, nto) ||
		    weft_chan_elem_size(from[i]) != weft_chan_elem_size(to[0]))
			return false;
	return true;
}

/* Each with room for `hands` elements. */
static int make_carriers(struct weft_relay *r, size_t n, size_t hands)
{
	r->carriers = cacheline_new(n, sizeof(*r->carriers));
	if (!r->carriers)
		return -ENOMEM;
	r->ncarriers = n;
	weft_store_relaxed(&r->left, n);
	for (size_t i = 0; i < n; i++) {
		struct carrier *c = &r->carriers[i];

		c->r = r;
		c->index = i;
		c->elem = cacheline_new(hands, r->elem_size);
		if (!c->elem)
			return -ENOMEM;
	}
	return 0;
}

static int start_all(struct weft_relay *r, const char *name, weft_task_fn fn)
{
	struct weft_task_opts opts = { name, r->opts.stack_bytes };
	int err = 0;

	weft_waitgroup_add(&r->gate, 1);
	for (size_t i = 0; i < r->ncarriers && !err; i++) {
		weft_waitgroup_add(&r->running, 1);
		err = weft_spawn(&r->carriers[i].task, &opts, fn,
		                 &r->carriers[i]);
		if (err)
			weft_waitgroup_done(&r->running);
	}
	r->whole = !err;
	weft_waitgroup_done(&r->gate);
	/* With nobody to end, the end has come. */
	if (r->ncarriers == 0)
		close_all(r->to, r->nto);
	return err;
}

/* The context first: once the tasks run, nothing may fail any more. */
static int launch(struct weft_relay *r, const char *name, weft_task_fn fn)
{
	int err = watch_begin(&r->watch, r->opts.ctx, context_ended, r);

	return err ? err : start_all(r, name, fn);
}

/* A relay between these channels, without tasks. */
static int make(struct weft_relay **out, struct weft_chan *const *from,
                size_t nfrom, struct weft_chan *const *to, size_t nto,
                const struct weft_relay_opts *opts)
{
	struct weft_relay *r = cacheline_new(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->opts = *opts;
	weft_waitgroup_init(&r->running);
	weft_waitgroup_init(&r->gate);
	r->elem_size = weft_chan_elem_size(to[0]);
	r->from = ref_all(from, nfrom);
	r->nfrom = nfrom;
	r->to = ref_all(to, nto);
	r->nto = nto;
	r->nmoved = nfrom > nto ? nfrom : nto;
	r->moved = cacheline_new(r->nmoved, sizeof(*r->moved));
	*out = r;
	return r->from && r->to && r->moved ? 0 : -ENOMEM;
}

static const struct weft_relay_opts *
or_defaults(const struct weft_relay_opts *opts)
{
	static const struct weft_relay_opts defaults;

	return opts ? opts : &defaults;
}

/* Whether the channels can be merged this way. */
static int check_merge(struct weft_chan *to, struct weft_chan *const *from,
                       size_t n, enum weft_merge_by by)
{
	if (!fit_together(from, n, &to, 1) ||
	    (unsigned)by > WEFT_MERGE_BY_SELECT)
		return -EINVAL;
	if (by == WEFT_MERGE_BY_FORWARDERS)
		return ends_allow(weft_chan_impl_of(to)->max_senders, n)
		               ? 0
		               : -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!weft_chan_can_select(from[i]))
			return -EOPNOTSUPP;
	return n <= WEFT_SELECT_MAX ? 0 : -EINVAL;
}

int weft_merge(struct weft_relay **out, struct weft_chan *to,
               struct weft_chan *const *from, size_t n,
               const struct weft_relay_opts *opts)
{
	struct weft_relay *r = NULL;
	bool select;
	int err;

	opts = or_defaults(opts);
	err = out ? check_merge(to, from, n, opts->by) : -EINVAL;
	if (err)
		return err;
	select = opts->by == WEFT_MERGE_BY_SELECT;
	err = make(&r, from, n, &to, 1, opts);
	if (!err)
		err = make_carriers(r, select && n ? 1 : n, select ? n : 1);
	if (!err)
		err = launch(r, "merge", select ? select_main : forwarder_main);
	if (err) {
		weft_relay_free(r);
		return err;
	}
	*out = r;
	return 0;
}

int weft_fan_broadcast(struct weft_relay **out, struct weft_chan *const *to,
                       size_t n, struct weft_chan *from,
                       const struct weft_relay_opts *opts,
                       void (*failed)(void *arg, int err), void *arg)
{
	struct weft_relay *r = NULL;
	int err;

	if (!out || n == 0 || !fit_together(&from, 1, to, n))
		return -EINVAL;
	err = make(&r, &from, 1, to, n, or_defaults(opts));
	if (!err)
		err = make_carriers(r, 1, 1);
	if (!err) {
		r->failed = failed;
		r->failed_arg = arg;
		err = launch(r, "broadcast", broadcast_main);
	}
	if (err) {
		weft_relay_free(r);
		return err;
	}
	*out = r;
	return 0;
}

int weft_broadcast(struct weft_relay **out, struct weft_chan *const *to,
                   size_t n, struct weft_chan *from,
                   const struct weft_relay_opts *opts)
{
	return weft_fan_broadcast(out, to, n, from, opts, NULL, NULL);
}

/* --- using --- */

int weft_relay_stop(struct weft_relay *r)
{
	if (!r)
		return -EINVAL;
	stop_for(r, -ECANCELED);
	return 0;
}

int weft_relay_join(struct weft_relay *r, int64_t deadline_ns)
{
	int err;

	if (!r)
		return -EINVAL;
	err = weft_waitgroup_wait(&r->running, deadline_ns);
	return err ? err : weft_load_acquire(&r->error); /* [error] */
}

uint64_t weft_relay_moved(const struct weft_relay *r, size_t i)
{
	return r && i < r->nmoved ? weft_load_relaxed(&r->moved[i].n) : 0;
}

void weft_relay_free(struct weft_relay *r)
{
	if (!r)
		return;
	watch_end(&r->watch);
	if (r->whole && weft_waitgroup_wait(&r->running, WEFT_NOW))
		stop_for(r, -ECANCELED);
	for (size_t i = 0; i < r->ncarriers; i++) {
		if (r->carriers[i].task)
			CHECK_EQ(weft_join(r->carriers[i].task, NULL), 0);
		free(r->carriers[i].elem);
	}
	free(r->carriers);
	free(r->moved);
	unref_all(r->from, r->nfrom);
	unref_all(r->to, r->nto);
	free(r);
}
