#include "kernel/hist.h"

#include <string.h>

void weft_hist_init(struct hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min = INT64_MAX;
}

void weft_hist_merge(struct hist *into, const struct hist *from)
{
	into->count += from->count;
	into->sum += from->sum;
	if (from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

/* Values of bucket i differ in that many bits at most. */
static unsigned bucket_shift(unsigned i)
{
	return i < 2 * HIST_HALF ? 0 : i / HIST_HALF - 1;
}

/* The inverse of hist_index(). */
uint64_t weft_hist_low(unsigned i)
{
	unsigned shift = bucket_shift(i);

	return (uint64_t)(i - shift * HIST_HALF) << shift;
}

static int64_t bucket_middle(unsigned i)
{
	return (int64_t)(weft_hist_low(i) +
	                 (UINT64_C(1) << bucket_shift(i)) / 2);
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

int64_t weft_hist_quantile(const struct hist *h, double q)
{
	uint64_t rank, seen = 0;

	if (h->count == 0)
		return 0;
	if (q >= 1)
		return h->max;
	/* The rank-th smallest value, counted from 1: ceil(q * count). */
	rank = (uint64_t)(q * (double)h->count);
	if ((double)rank < q * (double)h->count || rank == 0)
		rank++;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return clamp(bucket_middle(i), h->min, h->max);
	}
	return h->max;
}

double weft_hist_mean(const struct hist *h)
{
	return h->count ? h->sum / (double)h->count : 0;
}
