#include "phi.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define LN_10 2.302585092994046

static size_t used(const struct phi *p)
{
	return p->count < p->opts.window ? p->count : p->opts.window;
}

/* What rounding has left in the sums goes once in each window. */
static void sum_up(struct phi *p)
{
	p->sum = p->squares = 0;
	for (size_t i = 0; i < used(p); i++) {
		double x = (double)p->sample[i];

		p->sum += x;
		p->squares += x * x;
	}
}

void weft_phi_add(struct phi *p, int64_t interval_ns)
{
	size_t i = p->count % p->opts.window;
	double x = (double)(interval_ns - p->opts.first_ns);
	double old = p->count < p->opts.window ? 0 : (double)p->sample[i];

	p->sample[i] = interval_ns - p->opts.first_ns;
	p->count++;
	p->sum += x - old;
	p->squares += x * x - old * old;
	if (i == p->opts.window - 1)
		sum_up(p);
}

int weft_phi_init(struct phi *p, const struct weft_phi_opts *opts)
{
	int64_t quarter = opts->first_ns / 4;

	*p = (struct phi){ .opts = *opts };
	p->sample = calloc(opts->window, sizeof(*p->sample));
	if (!p->sample)
		return -ENOMEM;
	weft_phi_add(p, opts->first_ns - quarter);
	weft_phi_add(p, opts->first_ns + quarter);
	return 0;
}

void weft_phi_fini(struct phi *p)
{
	free(p->sample);
}

double weft_phi_mean(const struct phi *p)
{
	return (double)p->opts.first_ns + p->sum / (double)used(p);
}

double weft_phi_std(const struct phi *p)
{
	double n = (double)used(p), mean = p->sum / n;
	double variance = p->squares / n - mean * mean;

	return variance > 0 ? sqrt(variance) : 0;
}

void weft_phi_heard(struct phi *p, int64_t silent_ns, uint64_t beats)
{
	if (!phi_is_over(p, silent_ns))
		weft_phi_add(p, (int64_t)((uint64_t)silent_ns / beats));
}

double weft_phi_now(const struct phi *p, int64_t silent_ns)
{
	double std = weft_phi_std(p), least = (double)p->opts.min_std_ns;

	return weft_phi_of((double)silent_ns,
	                   weft_phi_mean(p) + (double)p->opts.pause_ns,
	                   std > least ? std : least);
}

/* -log10(1 - F) is log10(1 + exp(x)). For large x the exponential is left out,
 * so that phi grows on where 1 - F would be 0. */
double weft_phi_of(double silent, double mean, double std)
{
	double y = (silent - mean) / std;
	double x = y * (1.5976 + 0.070566 * y * y);

	return (x > 0 ? x + log1p(exp(-x)) : log1p(exp(x))) / LN_10;
}
