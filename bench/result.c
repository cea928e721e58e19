#include <stdlib.h>

#include "base/check.h"
#include "bench/result.h"

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[VERDICT_VERIFIED] = "VERIFIED",
		[VERDICT_FLOOR] = "FLOOR",
		[VERDICT_NA] = "N/A",
		[VERDICT_FAILED] = "FAILED",
		[VERDICT_HUNG] = "HUNG",
	};

	return names[verdict];
}

bool verdict_is_good(enum verdict verdict)
{
	return verdict == VERDICT_VERIFIED || verdict == VERDICT_FLOOR;
}

int verdict_exit(enum verdict verdict)
{
	if (verdict_is_good(verdict))
		return 0;
	return verdict == VERDICT_NA ? 2 : 1;
}

double sample_ns_per_message(const struct sample *s)
{
	return (double)s->ns / (double)s->messages;
}

double sample_messages_per_second(const struct sample *s)
{
	return (double)s->messages * 1e9 / (double)s->ns;
}

double sample_cpu_seconds(const struct sample *s)
{
	return s->cpu_seconds;
}

double sample_voluntary(const struct sample *s)
{
	return (double)s->voluntary_switches;
}

double sample_involuntary(const struct sample *s)
{
	return (double)s->involuntary_switches;
}

double sample_parks(const struct sample *s)
{
	return (double)s->parks;
}

double sample_wakes(const struct sample *s)
{
	return (double)s->wakes;
}

double sample_jain(const struct sample *s)
{
	return s->jain;
}

double sample_least_share(const struct sample *s)
{
	return s->least_share;
}

double sample_start_skew(const struct sample *s)
{
	return (double)s->start_skew_ns;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* All values of one figure in ascending order. Returns how many. */
static unsigned sorted(const struct result *r,
                       double (*figure)(const struct sample *),
                       double value[RESULT_REPS_MAX])
{
	CHECK_LE(r->n, (unsigned)RESULT_REPS_MAX);
	for (unsigned i = 0; i < r->n; i++)
		value[i] = figure(&r->sample[i]);
	qsort(value, r->n, sizeof(*value), compare_doubles);
	return r->n;
}

/* Of n sorted values. */
static double middle(const double *value, unsigned n)
{
	if (n == 0)
		return 0;
	return n % 2 ? value[n / 2] : (value[n / 2 - 1] + value[n / 2]) / 2;
}

double result_median(const struct result *r,
                     double (*figure)(const struct sample *))
{
	double value[RESULT_REPS_MAX];

	return middle(value, sorted(r, figure, value));
}

double result_messages_per_second(const struct result *r)
{
	double ns = result_median(r, sample_ns_per_message);

	return ns > 0 ? 1e9 / ns : 0;
}

double result_figure(const struct result *r, unsigned i)
{
	double value[RESULT_REPS_MAX];

	CHECK_LT(i, r->figures);
	CHECK_LE(r->n, (unsigned)RESULT_REPS_MAX);
	for (unsigned s = 0; s < r->n; s++)
		value[s] = r->sample[s].figure[i];
	qsort(value, r->n, sizeof(*value), compare_doubles);
	return middle(value, r->n);
}

double result_min(const struct result *r,
                  double (*figure)(const struct sample *))
{
	double value[RESULT_REPS_MAX];

	return sorted(r, figure, value) ? value[0] : 0;
}

double result_max(const struct result *r,
                  double (*figure)(const struct sample *))
{
	double value[RESULT_REPS_MAX];
	unsigned n = sorted(r, figure, value);

	return n ? value[n - 1] : 0;
}

void latency_from_hist(struct latency *out, const struct hist *h)
{
	*out = (struct latency){
		.count = h->count,
		.p50 = weft_hist_quantile(h, 0.5),
		.p90 = weft_hist_quantile(h, 0.9),
		.p99 = weft_hist_quantile(h, 0.99),
		.p999 = weft_hist_quantile(h, 0.999),
		.max = weft_hist_quantile(h, 1),
	};
}

void fairness(const uint64_t *share, unsigned n, double *jain,
              double *least_share)
{
	double sum = 0, squares = 0, least = n ? (double)share[0] : 0;

	for (unsigned i = 0; i < n; i++) {
		double x = (double)share[i];

		sum += x;
		squares += x * x;
		least = x < least ? x : least;
	}
	*jain = squares > 0 ? sum * sum / (n * squares) : 1;
	*least_share = sum > 0 ? least * n / sum : 1;
}
