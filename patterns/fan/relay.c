/*
 * Merge and broadcast: tasks between channels of the caller's own.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <weft/atomic.h>
#include <weft/chan_impl.h>
#include <weft/select.h>

#include "base/cacheline.h"
#include "common/ends.h"
#include "internal.h"

/* How many went through one channel; written by one task. */
struct moved {
	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t n;
};

/* One task of a relay. */
struct carrier {
	struct weft_crew_member member;
	struct weft_relay *r;
	unsigned char *elem; /* in hand */
};

struct weft_relay {
	/* Constant once made. */
	struct weft_relay_opts opts;
	struct weft_chan **from, **to;
	size_t nfrom, nto, elem_size;
	struct moved *moved; /* one for each on the side of several */
	size_t nmoved;
	struct weft_case *cases; /* of the one that selects */
	struct carrier *carriers;
	size_t ncarriers;
	void (*failed)(void *arg, int err); /* see weft_fan_broadcast() */
	void *failed_arg;

	struct weft_ending end;
	struct weft_crew crew;
	_Atomic bool through; /* all inputs have ended, or it was stopped */
};

/* --- the end --- */

static void close_all(struct weft_chan *const *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		weft_chan_close(c[i]);
}

static bool went_through(void *arg)
{
	struct weft_relay *r = arg;

	return weft_load_acquire(&r->through);
}

static void release(void *arg)
{
	struct weft_relay *r = arg;

	if (r->failed)
		r->failed(r->failed_arg, weft_ending_why(&r->end));
	close_all(r->from, r->nfrom);
	close_all(r->to, r->nto);
}

static const struct weft_ending_ops ending_ops = { went_through, release };

static void drop(const struct weft_relay *r, void *elem)
{
	if (r->opts.drop)
		r->opts.drop(elem, r->opts.drop_arg);
}

/* --- merging --- */

/* Send what came from channel i on. Whether to go on. */
static bool forward(struct weft_relay *r, size_t i, void *elem)
{
	int err = -EPIPE;

	if (!weft_ending_is_set(&r->end))
		err = weft_chan_send(r->to[0], elem, WEFT_FOREVER);
	if (!err) {
		count_add(&r->moved[i].n, 1);
		return true;
	}
	/* A receiver that closes the channel wants no more. */
	weft_ending_stop(&r->end, err);
	drop(r, elem);
	return false;
}

/* The next element of channel i. False at its end. */
static bool receive(struct weft_relay *r, size_t i, void *elem)
{
	int err = weft_chan_recv(r->from[i], elem, WEFT_FOREVER);

	if (err && err != -EPIPE)
		weft_ending_stop(&r->end, err);
	return !err;
}

static int run_forwarder(struct weft_crew_member *m)
{
	struct carrier *c = (struct carrier *)m;

	while (receive(c->r, m->index, c->elem) &&
	       forward(c->r, m->index, c->elem))
		;
	return 0;
}

static int run_select(struct weft_crew_member *m)
{
	struct weft_relay *r = ((struct carrier *)m)->r;
	struct weft_case *cases = r->cases;
	size_t open = r->nfrom;
	int i;

	while (open > 0) {
		i = weft_select(cases, r->nfrom, WEFT_FOREVER);
		if (i < 0) {
			weft_ending_stop(&r->end, i);
			break;
		}
		if (cases[i].err) {
			cases[i].c = NULL; /* ended: never ready again */
			open--;
		} else if (!forward(r, (size_t)i, cases[i].elem)) {
			break;
		}
	}
	return 0;
}

/* --- broadcasting --- */

/* To every channel that its reader has not closed. Returns how many. */
static size_t send_to_all(struct weft_relay *r, void *elem)
{
	size_t n = 0;
	int err;

	for (size_t i = 0; i < r->nto; i++) {
		err = weft_ending_is_set(&r->end)
		              ? -EPIPE
		              : weft_chan_send(r->to[i], elem, WEFT_FOREVER);
		if (!err) {
			count_add(&r->moved[i].n, 1);
			n++;
			continue;
		}
		if (err != -EPIPE)
			weft_ending_stop(&r->end, err);
		drop(r, elem);
	}
	return n;
}

static int run_broadcast(struct weft_crew_member *m)
{
	struct carrier *c = (struct carrier *)m;
	struct weft_relay *r = c->r;

	while (receive(r, 0, c->elem))
		if (send_to_all(r, c->elem) == 0) {
			weft_ending_stop(&r->end, -EPIPE);
			break;
		}
	return 0;
}

/* --- its tasks --- */

/* Only drop() can have ended it. */
static void carrier_left(struct weft_crew_member *m, int status)
{
	struct weft_relay *r = ((struct carrier *)m)->r;

	if (status)
		weft_ending_fail(&r->end, status);
}

/* All others have sent what they had. */
static void all_left(struct weft_crew *c)
{
	struct weft_relay *r =
	        (struct weft_relay *)((char *)c -
	                              offsetof(struct weft_relay, crew));

	weft_store_release(&r->through, true);
	close_all(r->to, r->nto);
}

#define CARRIERS(run)                                                          \
	{                                                                      \
		.work = run, .left = carrier_left, .last = all_left            \
	}
static const struct weft_crew_ops forwarders = CARRIERS(run_forwarder);
static const struct weft_crew_ops selecting = CARRIERS(run_select);
static const struct weft_crew_ops broadcasting = CARRIERS(run_broadcast);

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

/* What must hold for the channels of both sides, whatever carries. */
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
	for (size_t i = 0; i < n; i++) {
		struct carrier *c = &r->carriers[i];

		c->r = r;
		c->elem = cacheline_new(hands, r->elem_size);
		if (!c->elem)
			return -ENOMEM;
	}
	return 0;
}

/* A case for each input, with room for an element of its own. */
static int make_cases(struct weft_relay *r)
{
	r->cases = cacheline_new(r->nfrom, sizeof(*r->cases));
	for (size_t i = 0; r->cases && i < r->nfrom; i++)
		r->cases[i] = weft_case_recv(
		        r->from[i], r->carriers[0].elem + i * r->elem_size);
	return r->cases ? 0 : -ENOMEM;
}

/* The context first: once the tasks run, nothing may fail any more. */
static int launch(struct weft_relay *r, const char *name,
                  const struct weft_crew_ops *ops)
{
	struct weft_task_opts opts = { name, r->opts.stack_bytes };
	int err = weft_ending_watch(&r->end, r->opts.ctx);

	return err ? err
	           : weft_crew_start(&r->crew, ops, r->carriers, r->ncarriers,
	                             sizeof(*r->carriers), &opts);
}

/* A relay between these channels, without tasks. */
static int make(struct weft_relay **out, struct weft_chan *const *from,
                size_t nfrom, struct weft_chan *const *to, size_t nto,
                const struct weft_relay_opts *opts)
{
	struct weft_relay *r = cacheline_new(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	if (opts)
		r->opts = *opts;
	weft_ending_init(&r->end, &ending_ops, r);
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
	enum weft_merge_by by = opts ? opts->by : WEFT_MERGE_BY_FORWARDERS;
	int err = out ? check_merge(to, from, n, by) : -EINVAL;
	bool select = by == WEFT_MERGE_BY_SELECT;
	struct weft_relay *r = NULL;

	if (err)
		return err;
	err = make(&r, from, n, &to, 1, opts);
	if (!err)
		err = make_carriers(r, select && n ? 1 : n, select ? n : 1);
	if (!err && select && n)
		err = make_cases(r);
	if (!err)
		err = launch(r, "merge", select ? &selecting : &forwarders);
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
	err = make(&r, &from, 1, to, n, opts);
	if (!err)
		err = make_carriers(r, 1, 1);
	if (!err) {
		r->failed = failed;
		r->failed_arg = arg;
		err = launch(r, "broadcast", &broadcasting);
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
	return r ? weft_ending_stop(&r->end, -ECANCELED) : -EINVAL;
}

int weft_relay_fail(struct weft_relay *r, int err)
{
	return r ? weft_ending_fail(&r->end, err) : -EINVAL;
}

int weft_relay_join(struct weft_relay *r, int64_t deadline_ns)
{
	return r ? weft_crew_wait_for_end(&r->crew, &r->end, deadline_ns)
	         : -EINVAL;
}

int weft_relay_stats(const struct weft_relay *r, size_t i,
                     struct weft_relay_stats *out)
{
	if (!r || !out || i >= r->nmoved)
		return -EINVAL;
	out->moved = weft_load_relaxed(&r->moved[i].n);
	return 0;
}

void weft_relay_free(struct weft_relay *r)
{
	if (!r)
		return;
	weft_ending_unwatch(&r->end);
	if (!weft_crew_has_ended(&r->crew))
		weft_ending_stop(&r->end, -ECANCELED);
	weft_crew_join(&r->crew);
	for (size_t i = 0; i < r->ncarriers; i++)
		free(r->carriers[i].elem);
	free(r->carriers);
	free(r->cases);
	free(r->moved);
	unref_all(r->from, r->nfrom);
	unref_all(r->to, r->nto);
	free(r);
}
