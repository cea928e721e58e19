/*
 * The bucket under a lock, since its rate and its burst may change. The clock
 * is read under the lock as well, so that a caller that was held up in between
 * does not find tokens taken at times that are to come.
 */
#include "internal.h"

static int make(struct weft_limiter *l, const struct weft_limiter_opts *opts)
{
	struct limiter_bucket *b = &l->of.bucket;

	weft_lock_init(&b->lock);
	return weft_limiter_limit(&b->limit, opts->rate, opts->burst);
}

static int take(struct weft_limiter *l, int64_t n, int64_t until_ns,
                struct weft_reservation *out)
{
	struct limiter_bucket *b = &l->of.bucket;
	int err;

	weft_lock_acquire(&b->lock);
	err = limiter_take(&b->limit, &b->full_at, n, weft_now(), until_ns,
	                   &out->at_ns);
	if (!err) {
		/* Of an infinite rate nothing was taken, to be given back. */
		out->n = limiter_is_infinite(&b->limit.rate) ? 0 : n;
		out->rate = b->limit.rate;
		if (out->at_ns > b->last_ns)
			b->last_ns = out->at_ns;
	}
	weft_lock_release(&b->lock);
	return err;
}

/* (ticks * to + more) / from, without going beyond what there is room for in
 * between. */
static limiter_ticks scaled(limiter_ticks ticks, int64_t to, int64_t from,
                            int64_t more)
{
	return ticks / from * to + (ticks % from * to + more) / from;
}

/* What of a reservation nobody has counted on that came after it. */
static limiter_ticks left_of(const struct limiter_bucket *b,
                             const struct weft_reservation *r)
{
	limiter_ticks left = (limiter_ticks)r->n * r->rate.per_ns -
	                     limiter_ticks_of(&r->rate, b->last_ns - r->at_ns);

	if (left <= 0)
		return 0;
	return scaled(left, b->limit.rate.per_ns, r->rate.per_ns, 0);
}

/* The last reservation goes: the one before was so much earlier, or later where
 * that is no whole number. */
static void forget_last(struct limiter_bucket *b,
                        const struct weft_reservation *r, int64_t now)
{
	limiter_ticks ns =
	        (limiter_ticks)r->n * r->rate.per_ns / r->rate.tokens;

	if (r->at_ns == b->last_ns && ns <= b->last_ns - now)
		b->last_ns -= (int64_t)ns;
}

static void give_back(struct weft_limiter *l, struct weft_reservation *r)
{
	struct limiter_bucket *b = &l->of.bucket;

	weft_lock_acquire(&b->lock);
	b->full_at -= left_of(b, r);
	forget_last(b, r, weft_now());
	weft_lock_release(&b->lock);
}

static void stats(struct weft_limiter *l, struct weft_limiter_stats *out)
{
	struct limiter_bucket *b = &l->of.bucket;

	weft_lock_acquire(&b->lock);
	out->burst = b->limit.burst;
	out->tokens =
	        limiter_left(&b->limit, limiter_lack(&b->limit.rate, b->full_at,
	                                             weft_now()));
	weft_lock_release(&b->lock);
}

const struct limiter_kind weft_limiter_bucket = {
	.make = make,
	.take = take,
	.give_back = give_back,
	.stats = stats,
};

/* --- other rates and bursts --- */

/* As many tokens as before, up to the burst. Under the lock. */
static void change(struct limiter_bucket *b, const struct limiter_limit *to)
{
	const struct limiter_limit *from = &b->limit;
	int64_t now = weft_now();
	limiter_ticks lack = limiter_lack(&from->rate, b->full_at, now);

	/* Rounded up: a part of a token that cannot be told in the new ticks is
	 * lost. */
	lack = scaled(lack, to->rate.per_ns, from->rate.per_ns,
	              from->rate.per_ns - 1);
	lack += (limiter_ticks)(to->burst - from->burst) * to->rate.per_ns;
	b->full_at = limiter_ticks_of(&to->rate, now) + (lack > 0 ? lack : 0);
	b->limit = *to;
}

int weft_limiter_set_limit(struct weft_limiter *l, struct weft_rate rate)
{
	struct limiter_limit to;

	if (!l || weft_limiter_limit(&to, rate, 1))
		return -EINVAL;
	if (l->kind != &weft_limiter_bucket)
		return -EOPNOTSUPP;
	weft_lock_acquire(&l->of.bucket.lock);
	to.burst = l->of.bucket.limit.burst;
	change(&l->of.bucket, &to);
	weft_lock_release(&l->of.bucket.lock);
	return 0;
}

int weft_limiter_set_burst(struct weft_limiter *l, int64_t burst)
{
	struct limiter_limit to;

	if (!l || burst < 1 || burst > WEFT_BURST_MAX)
		return -EINVAL;
	if (l->kind != &weft_limiter_bucket)
		return -EOPNOTSUPP;
	weft_lock_acquire(&l->of.bucket.lock);
	to = l->of.bucket.limit;
	to.burst = burst;
	change(&l->of.bucket, &to);
	weft_lock_release(&l->of.bucket.lock);
	return 0;
}
