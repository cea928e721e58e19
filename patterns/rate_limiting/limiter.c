/* The calls of all limiters: which kind it is, whether it has ended, and the
 * waits for a time that a reservation has named. */
#include "limiter.h"

#include <stdlib.h>

#include "base/cacheline.h"
#include "internal.h"

static const struct limiter_kind *const kinds[] = {
	[WEFT_LIMITER_BUCKET] = &weft_limiter_bucket,
	[WEFT_LIMITER_LEAKY] = &weft_limiter_leaky,
	[WEFT_LIMITER_REFILL] = &weft_limiter_refill,
	[WEFT_LIMITER_TICKER] = &weft_limiter_ticker,
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* --- making and ending --- */

static void release(void *arg)
{
	struct weft_limiter *l = arg;

	if (l->kind->release)
		l->kind->release(l);
	weft_limiter_line_release(&l->line);
}

static const struct weft_ending_ops ending_ops = { .release = release };

static void unmake(struct weft_limiter *l)
{
	if (l->kind->unmake)
		l->kind->unmake(l);
	free(l);
}

int weft_limiter_new(struct weft_limiter **out,
                     const struct weft_limiter_opts *opts)
{
	struct weft_limiter *l;
	int err;

	if (!out || !opts || (unsigned)opts->kind >= KINDS ||
	    (unsigned)opts->wait > WEFT_WAIT_PARK)
		return -EINVAL;
	l = cacheline_new(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->kind = kinds[opts->kind];
	weft_limiter_line_init(&l->line, &ending_ops, l, opts->wait);
	err = l->kind->make(l, opts);
	if (!err) {
		err = weft_ending_watch(&l->line.end, opts->ctx);
		if (err)
			weft_ending_stop(&l->line.end, err);
	}
	if (err) {
		unmake(l);
		return err;
	}
	*out = l;
	return 0;
}

void weft_limiter_free(struct weft_limiter *l)
{
	if (!l)
		return;
	weft_ending_unwatch(&l->line.end);
	weft_ending_stop(&l->line.end, -ECANCELED);
	unmake(l);
}

int weft_limiter_stop(struct weft_limiter *l)
{
	return l ? weft_ending_stop(&l->line.end, -ECANCELED) : -EINVAL;
}

int weft_limiter_fail(struct weft_limiter *l, int err)
{
	return l ? weft_ending_fail(&l->line.end, err) : -EINVAL;
}

/* --- taking tokens --- */

static int take(struct weft_limiter *l, int64_t n, int64_t until_ns,
                struct weft_reservation *out)
{
	int why;

	if (!l || n < 0)
		return -EINVAL;
	why = weft_ending_why(&l->line.end);
	return why ? why : l->kind->take(l, n, until_ns, out);
}

static void tell(int64_t *to, int64_t at_ns)
{
	if (to)
		*to = at_ns;
}

int weft_limiter_allow(struct weft_limiter *l, int64_t n, int64_t *at_ns)
{
	struct weft_reservation r;
	int err = take(l, n, WEFT_NOW, &r);

	if (!err)
		tell(at_ns, r.at_ns);
	return err;
}

int weft_limiter_reserve(struct weft_limiter *l, int64_t n, int64_t until_ns,
                         struct weft_reservation *out)
{
	struct weft_reservation r = { 0 };
	int err;

	if (!l || !out)
		return -EINVAL;
	if (l->kind->wait)
		return -EOPNOTSUPP;
	err = take(l, n, until_ns, &r);
	if (err)
		return err == -EAGAIN ? -ETIMEDOUT : err;
	*out = r;
	return 0;
}

int weft_limiter_cancel(struct weft_limiter *l, struct weft_reservation *r)
{
	if (!l || !r)
		return -EINVAL;
	if (l->kind->wait)
		return -EOPNOTSUPP;
	if (r->at_ns < weft_now())
		return -EALREADY;
	l->kind->give_back(l, r);
	r->n = 0;
	return 0;
}

/* --- waiting for them --- */

/* Wait for what was reserved, or give it back. */
static int wait_for(struct weft_limiter *l, struct weft_reservation *r,
                    struct weft_ctx *ctx)
{
	int64_t since = weft_limiter_line_begin(&l->line);
	int err = weft_limiter_line_until(&l->line, ctx, r->at_ns);

	if (err)
		l->kind->give_back(l, r);
	return weft_limiter_line_end(&l->line, since, err);
}

static int wait_reserved(struct weft_limiter *l, int64_t n,
                         struct weft_ctx *ctx, int64_t deadline_ns,
                         int64_t *at_ns)
{
	struct weft_reservation r = { 0 };
	int err = take(l, n, limiter_by(ctx, deadline_ns), &r);

	if (!err && r.at_ns > weft_now())
		err = wait_for(l, &r, ctx);
	*at_ns = r.at_ns;
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

int weft_limiter_wait_ctx(struct weft_limiter *l, int64_t n,
                          struct weft_ctx *ctx, int64_t deadline_ns,
                          int64_t *at_ns)
{
	int64_t at;
	int err;

	if (!l || n < 0)
		return -EINVAL;
	err = weft_ctx_err(ctx);
	if (!err)
		err = weft_ending_why(&l->line.end);
	if (!err)
		err = l->kind->wait
		              ? l->kind->wait(l, n, ctx, deadline_ns, &at)
		              : wait_reserved(l, n, ctx, deadline_ns, &at);
	if (!err)
		tell(at_ns, at);
	return err;
}

int weft_limiter_wait(struct weft_limiter *l, int64_t n, int64_t deadline_ns,
                      int64_t *at_ns)
{
	return weft_limiter_wait_ctx(l, n, NULL, deadline_ns, at_ns);
}

/* --- figures --- */

int weft_limiter_stats(struct weft_limiter *l, struct weft_limiter_stats *out)
{
	struct limiter_waits waits;

	if (!l || !out)
		return -EINVAL;
	waits = weft_limiter_line_waits(&l->line);
	*out = (struct weft_limiter_stats){ .waiting = waits.waiting,
		                            .waited = waits.waited,
		                            .gave_up = waits.gave_up,
		                            .wait_ns = waits.wait_ns,
		                            .longest_ns = waits.longest_ns };
	l->kind->stats(l, out);
	return 0;
}
