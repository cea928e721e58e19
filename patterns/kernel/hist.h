/*
 * hist: a latency histogram with a bounded relative error.
 *
 * After HdrHistogram (Gil Tene): values below 2^SUB_BITS are counted exactly,
 * above that each power of two is split into 2^SUB_BITS / 2 equal buckets. A
 * reported value is the middle of its bucket, so it is off by at most half a
 * bucket: 1/256 of the value, below the 1 % that is promised. Recording is a
 * count-leading-zeros, a shift and an add; no allocation.
 *
 * One task records; merge after it has ended.
 */
#ifndef WEFT_PATTERNS_KERNEL_HIST_H
#define WEFT_PATTERNS_KERNEL_HIST_H

#include <stdint.h>

#include <weft/export.h>

#define HIST_SUB_BITS 8
#define HIST_HALF (1u << (HIST_SUB_BITS - 1))
#define HIST_BUCKETS ((64 - HIST_SUB_BITS + 2) * HIST_HALF)

struct hist {
	uint64_t count;
	int64_t min, max; /* exact; valid when count > 0 */
	double sum;
	uint64_t bucket[HIST_BUCKETS];
};

/* Make `h` empty. */
void weft_hist_init(struct hist *h);

/* Add what `from` counted to `into`. */
void weft_hist_merge(struct hist *into, const struct hist *from);

/*
 * The smallest recorded value, to within half a bucket, that at least `q` of
 * the values do not exceed; q in [0, 1]. q = 1 is the exact maximum. 0 when
 * nothing was recorded.
 */
int64_t weft_hist_quantile(const struct hist *h, double q);

/* The smallest value that is counted in bucket i, where i < HIST_BUCKETS. */
uint64_t weft_hist_low(unsigned i);

/* Arithmetic mean of the exact values; 0 when nothing was recorded. */
double weft_hist_mean(const struct hist *h);

static inline unsigned hist_index(uint64_t v)
{
	unsigned shift;

	if (v < 2 * HIST_HALF)
		return (unsigned)v;
	shift = 64 - HIST_SUB_BITS - (unsigned)__builtin_clzll(v);
	return shift * HIST_HALF + (unsigned)(v >> shift);
}

/* Count one value in nanoseconds; negative ones count as 0. */
static inline void hist_record(struct hist *h, int64_t v)
{
	if (v < 0)
		v = 0;
	if (v < h->min)
		h->min = v;
	if (v > h->max)
		h->max = v;
	h->count++;
	h->sum += (double)v;
	h->bucket[hist_index((uint64_t)v)]++;
}

#endif
