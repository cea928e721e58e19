/*
 * phi: how unlikely it is that something which has been silent for so long will
 * be heard of again, after the intervals at which it was heard lately.
 *
 * After N. Hayashibara, X. Defago, R. Yared, T. Katayama: "The phi accrual
 * failure detector", SRDS 2004:
 *
 *	phi(t) = -log10(1 - F(t))
 *
 * F is the normal distribution with the mean and the standard deviation of the
 * last intervals, and is computed as in Akka's PhiAccrualFailureDetector, by
 * the logistic approximation
 *
 *	F(y) = 1 / (1 + exp(-y (1.5976 + 0.070566 y^2))),  y = (t - mean) / std
 *
 * It is off by less than 0.0002, which far out in the tail is a lot: phi is
 * larger there than by the exact tail. Thresholds in use are of this form.
 */
#ifndef WEFT_PATTERNS_HEARTBEAT_PHI_H
#define WEFT_PATTERNS_HEARTBEAT_PHI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor.h"

struct phi {
	struct weft_phi_opts opts; /* without a zero that means a default */

	/* The last intervals, less first_ns, which keeps the squares small;
	 * that of index i is at i % window. */
	int64_t *sample;
	size_t count; /* samples so far */
	double sum, squares;
};

/* Memory for the samples. 0 or -ENOMEM. */
int weft_phi_init(struct phi *p, const struct weft_phi_opts *opts);
void weft_phi_fini(struct phi *p);

/* Of the samples in the window, which begins with two that stand for the first
 * estimate. */
double weft_phi_mean(const struct phi *p);
double weft_phi_std(const struct phi *p);

/* Add an interval, whatever it is. */
void weft_phi_add(struct phi *p, int64_t interval_ns);

/* There were so many beats, at least one, after such a silence: learn their
 * mean interval, unless it had been given up by then. */
void weft_phi_heard(struct phi *p, int64_t silent_ns, uint64_t beats);

/* Of a silence that lasts. */
double weft_phi_now(const struct phi *p, int64_t silent_ns);

static inline bool phi_is_over(const struct phi *p, int64_t silent_ns)
{
	return weft_phi_now(p, silent_ns) >= p->opts.threshold;
}

/* The formula. std > 0. */
double weft_phi_of(double silent, double mean, double std);

#endif
