/*
 * The leaky bucket: a limiter in one word, which is when it will be full.
 *
 * The word holds the low 64 bits of that, in ticks. They tell all of it as long
 * as it is known to within 2^63 ticks, so there is an epoch, a time that is not
 * long past: the word is not before it, but for a nanosecond that was given
 * back, and at most LEAKY_AHEAD after the time of the caller that wrote it. A
 * caller that finds the epoch more than LEAKY_EPOCH ago renews it, and lifts
 * the word to it, under a lock: after seconds at the highest rates, and in 36
 * years at one token in a nanosecond.
 *
 * The order in take() matters: the epoch, then the word, which is not before
 * that epoch; then the clock, which is not behind that of the caller that wrote
 * the word.
 */
#include "internal.h"

#define LEAKY_EPOCH (INT64_C(1) << 60)
#define LEAKY_AHEAD (INT64_C(1) << 61)
#define LEAKY_TOKENS_MAX (INT64_C(1) << 30)

static uint64_t low_ticks(const struct limiter_leaky *k, int64_t ns)
{
	return (uint64_t)ns * (uint64_t)k->limit.rate.tokens;
}

static int64_t epoch_length(const struct limiter_leaky *k)
{
	return LEAKY_EPOCH / k->limit.rate.tokens;
}

static int make(struct weft_limiter *l, const struct weft_limiter_opts *opts)
{
	struct limiter_leaky *k = &l->of.leaky;
	int64_t now = weft_now();
	int err = weft_limiter_limit(&k->limit, opts->rate, opts->burst);

	if (err)
		return err;
	if (!limiter_is_infinite(&k->limit.rate) &&
	    (k->limit.rate.tokens > LEAKY_TOKENS_MAX ||
	     k->limit.rate.per_ns > LEAKY_EPOCH / k->limit.burst))
		return -ERANGE;
	weft_lock_init(&k->lock);
	weft_store_relaxed(&k->epoch_ns, now);
	weft_store_relaxed(&k->full_at, low_ticks(k, now));
	return 0;
}

/* The word becomes that of `now`, unless it is after that already. */
static void lift(struct limiter_leaky *k, int64_t epoch_ns, int64_t now)
{
	uint64_t word = weft_load_relaxed(&k->full_at);

	while ((int64_t)(word - low_ticks(k, epoch_ns)) <
	               limiter_ticks_of(&k->limit.rate, now - epoch_ns) &&
	       !weft_cas_weak_acq_rel(&k->full_at, &word, low_ticks(k, now)))
		;
}

static void renew(struct limiter_leaky *k)
{
	int64_t epoch_ns, now;

	weft_lock_acquire(&k->lock);
	epoch_ns = weft_load_relaxed(&k->epoch_ns);
	now = weft_now();
	if (now - epoch_ns > epoch_length(k)) {
		lift(k, epoch_ns, now);
		weft_store_release(&k->epoch_ns, now); /* [epoch] */
	}
	weft_lock_release(&k->lock);
}

/* What it would lack with n tokens less, of a word that is written thus. */
static int64_t lack_with(const struct limiter_leaky *k, uint64_t word,
                         int64_t now, int64_t n)
{
	int64_t lack = (int64_t)(word - low_ticks(k, now));

	return (lack > 0 ? lack : 0) + n * k->limit.rate.per_ns;
}

static int try_take(struct limiter_leaky *k, int64_t n, int64_t until_ns,
                    struct weft_reservation *out)
{
	int64_t epoch_ns, now, lack;
	uint64_t word;

	for (;;) {
		epoch_ns = weft_load_acquire(&k->epoch_ns); /* [epoch] */
		word = weft_load_acquire(&k->full_at);      /* [full_at] */
		now = weft_now();
		if (now - epoch_ns > epoch_length(k)) {
			renew(k);
			continue;
		}
		lack = lack_with(k, word, now, n);
		out->at_ns = limiter_when(&k->limit, lack, now);
		if (out->at_ns > now && out->at_ns > until_ns)
			return -EAGAIN;
		if (lack > LEAKY_AHEAD)
			return -ERANGE;
		out->word = low_ticks(k, now) + (uint64_t)lack;
		if (weft_cas_weak_acq_rel(&k->full_at, &word,
		                          out->word)) /* [full_at] */
			return 0;
	}
}

static int take(struct weft_limiter *l, int64_t n, int64_t until_ns,
                struct weft_reservation *out)
{
	struct limiter_leaky *k = &l->of.leaky;

	out->n = n;
	out->rate = k->limit.rate;
	if (n == 0 || limiter_is_infinite(&k->limit.rate)) {
		out->at_ns = weft_now();
		out->n = 0; /* nothing to give back */
		return 0;
	}
	return n > k->limit.burst ? -ERANGE : try_take(k, n, until_ns, out);
}

/* Those that came after it have counted on it. */
static void give_back(struct weft_limiter *l, struct weft_reservation *r)
{
	struct limiter_leaky *k = &l->of.leaky;
	uint64_t back = (uint64_t)r->n * (uint64_t)k->limit.rate.per_ns;
	uint64_t word = r->word;

	if (r->n)
		weft_cas_acq_rel(&k->full_at, &word, word - back);
}

static void stats(struct weft_limiter *l, struct weft_limiter_stats *out)
{
	struct limiter_leaky *k = &l->of.leaky;
	struct weft_reservation none = { 0 };

	out->tokens = out->burst = k->limit.burst;
	if (!limiter_is_infinite(&k->limit.rate) &&
	    !try_take(k, 0, WEFT_FOREVER, &none))
		out->tokens = limiter_left(
		        &k->limit, lack_with(k, none.word, weft_now(), 0));
}

const struct limiter_kind weft_limiter_leaky = {
	.make = make,
	.take = take,
	.give_back = give_back,
	.stats = stats,
};
