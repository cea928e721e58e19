/*
 * Refill and ticker: a task makes tokens, and callers receive them.
 *
 * The channel holds one token less than the burst, for the task has one in its
 * hand: made when it was due, and sent as soon as there is room. The next one
 * is due an interval after that. So between two tokens there is never less than
 * an interval, however late the task is, and there are never more than the
 * burst.
 *
 * A token is the time at which it was made.
 */
#include "base/list.h"
#include "common/count.h"
#include "common/ends.h"
#include "internal.h"

/* --- the task --- */

/* An interval in whole nanoseconds, longer by one whenever the parts that were
 * left over, of which a nanosecond has `tokens`, make up for it. */
static int64_t interval(const struct weft_rate *r, uint64_t *parts)
{
	uint64_t whole = (uint64_t)r->tokens;

	*parts += (uint64_t)(r->per_ns % r->tokens);
	if (*parts < whole)
		return r->per_ns / r->tokens;
	*parts -= whole;
	return r->per_ns / r->tokens + 1;
}

static int make_one(struct limiter_filler *f)
{
	int64_t token = weft_now();

	/* Before it is sent: its receiver finds it counted. */
	count_add(&f->made, UINT64_C(1));
	return weft_chan_send(f->tokens, &token, WEFT_FOREVER);
}

static int fill(struct weft_crew_member *m)
{
	struct weft_limiter *l =
	        list_entry(m, struct weft_limiter, of.filler.member);
	struct limiter_filler *f = &l->of.filler;
	int64_t due = f->first_ns;
	uint64_t parts = 0;
	int err;

	for (;;) {
		err = weft_limiter_line_until(&l->line, NULL, due);
		if (!err)
			err = make_one(f);
		if (err)
			return err;
		due = weft_deadline_in(interval(&f->limit.rate, &parts));
	}
}

/* Without it nothing would come any more. After a stop that changes nothing. */
static void left(struct weft_crew_member *m, int status)
{
	struct weft_limiter *l =
	        list_entry(m, struct weft_limiter, of.filler.member);

	weft_ending_fail(&l->line.end, status);
}

static const struct weft_crew_ops crew_ops = { .work = fill, .left = left };

/* --- making and ending --- */

static int make_channel(struct limiter_filler *f,
                        const struct weft_limiter_opts *opts)
{
	const struct weft_chan_impl *impl = opts->impl;
	const struct weft_chan_opts chan = { .wait = opts->wait };

	if (!impl)
		impl = weft_chan_impl_find("handoff");
	/* Without a capacity that it keeps there would be no burst. */
	if (!ends_suit(impl, 1, opts->receivers) ||
	    !(impl->can &
	      (f->limit.burst > 1 ? WEFT_CAN_BOUNDED : WEFT_CAN_RENDEZVOUS)))
		return -EINVAL;
	return weft_chan_new(&f->tokens, impl, (size_t)f->limit.burst - 1,
	                     sizeof(int64_t), &chan);
}

/* Fill the channel; then the task has one in its hand. */
static int make_full(struct limiter_filler *f)
{
	int err = 0;

	for (int64_t i = 1; i < f->limit.burst && !err; i++) {
		int64_t token = f->first_ns;

		err = weft_chan_try_send(f->tokens, &token);
		count_add(&f->made, !err);
	}
	return err == -EAGAIN ? 0 : err;
}

static int start(struct weft_limiter *l, const struct weft_limiter_opts *opts,
                 int64_t burst, bool empty)
{
	const struct weft_task_opts task = { "tokens", opts->stack_bytes };
	struct limiter_filler *f = &l->of.filler;
	uint64_t parts = 0;
	int err = weft_limiter_limit(&f->limit, opts->rate, burst);

	if (err || limiter_is_infinite(&f->limit.rate))
		return -EINVAL;
	f->first_ns = weft_now();
	err = make_channel(f, opts);
	if (!err)
		err = make_full(f);
	if (empty)
		f->first_ns =
		        weft_deadline_in(interval(&f->limit.rate, &parts));
	if (!err)
		err = weft_crew_start(&f->crew, &crew_ops, &f->member, 1,
		                      sizeof(f->member), &task);
	return err;
}

static int make_refill(struct weft_limiter *l,
                       const struct weft_limiter_opts *opts)
{
	return opts->burst <= WEFT_REFILL_BURST_MAX
	               ? start(l, opts, opts->burst, false)
	               : -EINVAL;
}

static int make_ticker(struct weft_limiter *l,
                       const struct weft_limiter_opts *opts)
{
	return opts->burst == 0 || opts->burst == 1 ? start(l, opts, 1, true)
	                                            : -EINVAL;
}

static void release(struct weft_limiter *l)
{
	weft_chan_close(l->of.filler.tokens);
}

static void unmake(struct weft_limiter *l)
{
	weft_crew_join(&l->of.filler.crew);
	weft_chan_unref(l->of.filler.tokens);
}

/* --- the calls --- */

/* What was received by a call of `asked_ns`: *at_ns becomes when it was
 * granted. */
static int received(struct weft_limiter *l, int err, int64_t asked_ns,
                    int64_t token, int64_t *at_ns)
{
	*at_ns = token > asked_ns ? token : asked_ns;
	return weft_ending_of(&l->line.end, err);
}

static int refuse(struct limiter_filler *f, int64_t n)
{
	if (n <= 1)
		return 0;
	return n > f->limit.burst ? -ERANGE : -EOPNOTSUPP;
}

static int take(struct weft_limiter *l, int64_t n, int64_t until_ns,
                struct weft_reservation *out)
{
	struct limiter_filler *f = &l->of.filler;
	int64_t now = weft_now(), token = now;
	int err = refuse(f, n);

	(void)until_ns;
	if (!err && n)
		err = weft_chan_try_recv(f->tokens, &token);
	return received(l, err, now, token, &out->at_ns);
}

static int wait_for(struct weft_limiter *l, int64_t n, struct weft_ctx *ctx,
                    int64_t deadline_ns, int64_t *at_ns)
{
	struct limiter_filler *f = &l->of.filler;
	struct weft_reservation r;
	int64_t since, token = 0;
	int err = take(l, n, WEFT_NOW, &r);

	*at_ns = r.at_ns;
	if (err != -EAGAIN)
		return err;
	if (deadline_ns <= WEFT_NOW)
		return -ETIMEDOUT;
	since = weft_limiter_line_begin(&l->line);
	err = weft_chan_recv_ctx(f->tokens, &token, ctx, deadline_ns);
	err = received(l, err, since, token, at_ns);
	return weft_limiter_line_end(&l->line, since, err);
}

static void stats(struct weft_limiter *l, struct weft_limiter_stats *out)
{
	struct limiter_filler *f = &l->of.filler;

	out->tokens = (int64_t)weft_chan_len(f->tokens);
	out->burst = (int64_t)weft_chan_cap(f->tokens) + 1;
	out->made = weft_load_relaxed(&f->made);
}

const struct limiter_kind weft_limiter_refill = {
	.make = make_refill,
	.unmake = unmake,
	.release = release,
	.take = take,
	.wait = wait_for,
	.stats = stats,
};

const struct limiter_kind weft_limiter_ticker = {
	.make = make_ticker,
	.unmake = unmake,
	.release = release,
	.take = take,
	.wait = wait_for,
	.stats = stats,
};
