#include <string.h>

#include "bench/report.h"
#include "cli/json.h"
#include "cli/peers.h"

#define SCHEMA 1

/* Latency of a closed loop stands for itself: a stall delays the next request
 * as well, and counts once. */
static const char *latency_kind(const struct result *r)
{
	return r->plan->pattern->closed_loop ? "closed-loop round trip"
	                                     : "open-loop sojourn";
}

static bool has_latency(const struct result *r)
{
	return verdict_is_good(r->verdict) && r->latency.count > 0;
}

static bool is_oversubscribed(const struct result *r)
{
	return r->tasks > r->cpus;
}

/* --- JSON --- */

static void json_params(struct json *j, const struct result *r)
{
	const struct knob *knob = r->plan->pattern->knobs;

	json_object_begin(j, "params");
	for (size_t i = 0; knob[i].name; i++) {
		int64_t value = r->plan->params.value[i];

		if (strcmp(knob[i].name, "items") == 0)
			continue;
		if (knob_is_text(&knob[i]))
			json_string(j, knob[i].name, r->plan->params.text);
		else if (knob[i].choices)
			json_string(j, knob[i].name, knob[i].choices[value]);
		else
			json_int(j, knob[i].name, value);
	}
	json_uint(j, "items", r->items);
	json_object_end(j);
}

/* Each park and each wake that is counted is one. What waits in the kernel by
 * other means is not counted. */
static void json_futex_calls(struct json *j, const struct result *r,
                             const struct sample *s)
{
	if (r->plan->chan->can & WEFT_BLOCKS_THREAD)
		json_null(j, "futex_calls");
	else
		json_uint(j, "futex_calls", s->parks + s->wakes);
}

static void json_sample(struct json *j, const struct result *r,
                        const struct sample *s)
{
	json_object_begin(j, NULL);
	json_int(j, "ns", s->ns);
	json_uint(j, "messages", s->messages);
	json_int(j, "start_skew_ns", s->start_skew_ns);
	if (s->spin_ns)
		json_int(j, "spin_ns", s->spin_ns);
	else
		json_null(j, "spin_ns");
	json_double(j, "cpu_seconds", s->cpu_seconds);
	json_uint(j, "voluntary_switches", s->voluntary_switches);
	json_uint(j, "involuntary_switches", s->involuntary_switches);
	json_uint(j, "parks", s->parks);
	json_uint(j, "wakes", s->wakes);
	json_futex_calls(j, r, s);
	json_object_end(j);
}

/* Whether its figures mean anything. */
static bool has_figures(const struct result *r)
{
	return verdict_is_good(r->verdict) && r->n > 0;
}

/* A median, or null where the numbers mean nothing. */
static void json_median(struct json *j, const char *key, const struct result *r,
                        double (*figure)(const struct sample *))
{
	if (has_figures(r))
		json_double(j, key, result_median(r, figure));
	else
		json_null(j, key);
}

static void json_rate(struct json *j, const struct result *r)
{
	if (has_figures(r))
		json_double(j, "messages_per_second",
		            result_messages_per_second(r));
	else
		json_null(j, "messages_per_second");
}

/* How the messages of an open loop came. */
static void json_load(struct json *j, const struct result *r)
{
	if (r->plan->pattern->closed_loop) {
		json_null(j, "load");
		json_null(j, "arrivals");
		json_null(j, "capacity_per_second");
		json_null(j, "offered_per_second");
		json_null(j, "achieved_per_second");
		json_null(j, "kept_up");
		return;
	}
	json_double(j, "load", r->plan->utilization / 100.0);
	json_string(j, "arrivals", arrivals_names[r->plan->arrivals]);
	json_double(j, "capacity_per_second", r->latency.capacity);
	json_double(j, "offered_per_second", r->latency.offered);
	json_double(j, "achieved_per_second", r->latency.achieved);
	json_bool(j, "kept_up", r->latency.kept_up);
}

/* What was counted: the smallest value of each bucket that holds any, and how
 * many. Below 256 a bucket is one value, above that a 128th of a power of
 * two. */
static void json_histogram(struct json *j, const struct hist *h)
{
	json_array_begin(j, "histogram");
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		if (!h->bucket[i])
			continue;
		json_array_begin(j, NULL);
		json_uint(j, NULL, weft_hist_low(i));
		json_uint(j, NULL, h->bucket[i]);
		json_array_end(j);
	}
	json_array_end(j);
}

static void json_latency(struct json *j, const struct result *r)
{
	const struct latency *l = &r->latency;

	if (!has_latency(r)) {
		json_null(j, "latency_ns");
		return;
	}
	json_object_begin(j, "latency_ns");
	json_string(j, "kind", latency_kind(r));
	json_load(j, r);
	json_uint(j, "count", l->count);
	json_int(j, "p50", l->p50);
	json_int(j, "p90", l->p90);
	json_int(j, "p99", l->p99);
	json_int(j, "p999", l->p999);
	json_int(j, "max", l->max);
	json_histogram(j, &r->hist);
	json_object_end(j);
}

static void json_fairness(struct json *j, const struct result *r)
{
	if (!has_figures(r) || r->consumers < 2) {
		json_null(j, "fairness");
		return;
	}
	json_object_begin(j, "fairness");
	json_double(j, "jain", result_median(r, sample_jain));
	json_double(j, "least_share", result_median(r, sample_least_share));
	if (has_latency(r) && r->latency.longest_gap > 0)
		json_int(j, "longest_gap_ns", r->latency.longest_gap);
	else
		json_null(j, "longest_gap_ns");
	json_object_end(j);
}

static void json_figure(struct json *j, const struct figure *f, double value)
{
	json_object_begin(j, f->name);
	json_double(j, "value", value);
	json_string(j, "unit", f->unit);
	json_string(j, "help", f->help);
	json_object_end(j);
}

/* What the pattern itself has to say. */
static void json_own(struct json *j, const struct result *r)
{
	json_object_begin(j, "figures");
	for (unsigned i = 0; i < r->figures; i++)
		json_figure(j, &r->figure[i], result_figure(r, i));
	json_object_end(j);
}

static void json_known(struct json *j, const char *key, double value)
{
	if (value >= 0)
		json_double(j, key, value);
	else
		json_null(j, key);
}

static void json_cost(struct json *j, const struct result *r)
{
	json_known(j, "harness_ns_per_message", r->cost.harness_ns);
	json_known(j, "bytes_per_channel", r->cost.bytes_per_channel);
	json_known(j, "idle_cpu_share", r->cost.idle_cpu);
}

static void json_warmup(struct json *j, const struct result *r)
{
	if (!r->warmup.runs) {
		json_null(j, "warmup");
		return;
	}
	json_object_begin(j, "warmup");
	json_uint(j, "runs", r->warmup.runs);
	json_int(j, "ns", r->warmup.ns);
	json_bool(j, "reached", r->warmup.reached);
	json_object_end(j);
}

static void json_figures(struct json *j, const struct result *r)
{
	json_rate(j, r);
	json_median(j, "ns_per_message", r, sample_ns_per_message);
	json_array_begin(j, "samples");
	for (unsigned i = 0; i < r->n; i++)
		json_sample(j, r, &r->sample[i]);
	json_array_end(j);
	json_warmup(j, r);
	json_latency(j, r);
	json_median(j, "cpu_seconds", r, sample_cpu_seconds);
	json_median(j, "voluntary_switches", r, sample_voluntary);
	json_median(j, "involuntary_switches", r, sample_involuntary);
	json_uint(j, "peak_rss_bytes", r->peak_rss_bytes);
	json_cost(j, r);
	json_fairness(j, r);
	json_own(j, r);
}

/* Which library the channel is of, and what was added to it. */
static void json_peer(struct json *j, const struct result *r)
{
	const struct weft_peer *peer = peer_of(r->plan->chan);
	char version[PEER_VERSION_BYTES];

	if (!peer) {
		json_null(j, "peer");
		return;
	}
	json_object_begin(j, "peer");
	json_string(j, "library", peer_version(peer, version, sizeof(version)));
	json_string(j, "adapter", peer->adapter);
	json_object_end(j);
}

void report_json(const struct result *r, FILE *to)
{
	struct json j;

	json_init(&j, to);
	json_object_begin(&j, NULL);
	json_int(&j, "schema", SCHEMA);
	json_string(&j, "pattern", r->plan->pattern->name);
	json_string(&j, "chan", r->plan->chan->name);
	json_peer(&j, r);
	json_params(&j, r);
	json_bool(&j, "items_searched", r->items_searched);
	if (r->cap == SIZE_MAX)
		json_null(&j, "actual_cap");
	else
		json_uint(&j, "actual_cap", r->cap);
	json_uint(&j, "tasks", r->tasks);
	json_uint(&j, "cpus", r->cpus);
	json_bool(&j, "oversubscribed", is_oversubscribed(r));
	json_string(&j, "placement", kernel_placements[r->placement]);
	json_string(&j, "verdict", verdict_name(r->verdict));
	json_string(&j, "why", r->why);
	json_figures(&j, r);
	json_uint(&j, "seed", r->plan->seed);
	json_object_end(&j);
	json_finish(&j);
}

/* --- for people --- */

/* Decimals that leave three digits of a number below 1000. */
static int decimals(double x)
{
	if (x < 9.995)
		return 2;
	return x < 99.95 ? 1 : 0;
}

/* Nanoseconds with three digits and a unit that fits. */
static const char *text_ns(char to[16], double ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	size_t i = 0;

	for (; ns >= 999.5 && i < 3; i++)
		ns /= 1000;
	snprintf(to, 16, "%.*f %s", decimals(ns), ns, units[i]);
	return to;
}

/* A count per second, likewise. */
static const char *text_rate(char to[16], double rate)
{
	static const char *const units[] = { "", " k", " M", " G" };
	size_t i = 0;

	for (; rate >= 999.5 && i < 3; i++)
		rate /= 1000;
	snprintf(to, 16, "%.*f%s", decimals(rate), rate, units[i]);
	return to;
}

static void text_cell(const struct result *r, FILE *to)
{
	const struct knob *knob = r->plan->pattern->knobs;
	char value[KNOB_TEXT_BYTES];

	fprintf(to, "%s over %s:", r->plan->pattern->name, r->plan->chan->name);
	for (size_t i = 0; knob[i].name; i++)
		if (strcmp(knob[i].name, "items") != 0 &&
		    knob_says(&r->plan->params, i))
			fprintf(to, " %s=%s", knob[i].name,
			        knob_text(&r->plan->params, i, value));
	fprintf(to, " items=%llu, seed %llu\n", (unsigned long long)r->items,
	        (unsigned long long)r->plan->seed);
}

static void text_verdict(const struct result *r, FILE *to)
{
	if (r->verdict == VERDICT_VERIFIED) {
		fprintf(to,
		        "VERIFIED: in all %u runs (calibration and latency "
		        "included) every message is\naccounted for, and in "
		        "order wherever %s promises one.\n",
		        r->runs, r->plan->pattern->name);
		return;
	}
	fprintf(to, "%s: %s", verdict_name(r->verdict), r->why);
	if (r->runs && !verdict_is_good(r->verdict))
		fprintf(to, " (%u before this one passed)", r->runs);
	fputc('\n', to);
}

static void text_throughput(const struct result *r, FILE *to)
{
	char rate[16], median[16], low[16], high[16];

	text_rate(rate, result_messages_per_second(r));
	text_ns(median, result_median(r, sample_ns_per_message));
	text_ns(low, result_min(r, sample_ns_per_message));
	text_ns(high, result_max(r, sample_ns_per_message));
	fprintf(to, "  throughput  %s messages/s", rate);
	fprintf(to, ", %s per message", median);
	if (r->n > 1)
		fprintf(to, " (median of %u; %s to %s)", r->n, low, high);
	fputc('\n', to);
}

/* How the messages of an open loop came. */
static void text_load(const struct result *r, FILE *to)
{
	char rate[16];

	/* A median against itself: a little less is a rounding. */
	if (r->latency.capacity > 0.999 * result_messages_per_second(r))
		fprintf(to, " at %u %% of that throughput",
		        r->plan->utilization);
	else
		fprintf(to,
		        " at %u %% of the %s/s that come through\n"
		        "              when each is timed",
		        r->plan->utilization,
		        text_rate(rate, r->latency.capacity));
	fprintf(to, ", %s arrivals", arrivals_names[r->plan->arrivals]);
}

static void text_latency(const struct result *r, FILE *to)
{
	const struct latency *l = &r->latency;
	const struct {
		const char *name;
		int64_t ns;
	} all[] = { { "p50", l->p50 },
		    { "p90", l->p90 },
		    { "p99", l->p99 },
		    { "p99.9", l->p999 },
		    { "max", l->max } };
	char ns[16], came[16], through[16];

	if (!has_latency(r))
		return;
	fprintf(to, "  latency    ");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		fprintf(to, "%s %s %s", i ? "," : "", all[i].name,
		        text_ns(ns, (double)all[i].ns));
	fprintf(to, "\n              (%s", latency_kind(r));
	if (!r->plan->pattern->closed_loop)
		text_load(r, to);
	fprintf(to, ", %llu messages)\n", (unsigned long long)l->count);
	if (!r->plan->pattern->closed_loop && !l->kept_up)
		fprintf(to,
		        "              could not keep up: %s/s came, %s/s came "
		        "through; the queue\n              grew as long as the "
		        "run lasted, and the latency with it\n",
		        text_rate(came, l->offered),
		        text_rate(through, l->achieved));
}

static void text_cost(const struct result *r, FILE *to)
{
	double messages = (double)r->items;

	fprintf(to, "  cost        %.3g CPU-seconds per million messages\n",
	        result_median(r, sample_cpu_seconds) / messages * 1e6);
	fprintf(to,
	        "  per message %.2g voluntary switches, %.2g involuntary, "
	        "%.2g parks, %.2g wakes\n",
	        result_median(r, sample_voluntary) / messages,
	        result_median(r, sample_involuntary) / messages,
	        result_median(r, sample_parks) / messages,
	        result_median(r, sample_wakes) / messages);
}

/* What it costs beside the runs, as far as that is known. */
static void text_beside(const struct result *r, FILE *to)
{
	const struct cost *c = &r->cost;
	char ns[16];

	if (c->harness_ns >= 0)
		fprintf(to,
		        "  harness     %s per message to make, check and count "
		        "it\n",
		        text_ns(ns, c->harness_ns));
	if (c->bytes_per_channel >= 0)
		fprintf(to, "  idle        %.0f bytes per channel%s",
		        c->bytes_per_channel, c->idle_cpu >= 0 ? ", " : "\n");
	if (c->idle_cpu >= 0)
		fprintf(to, "%s%.2g %% of a CPU per waiting receiver\n",
		        c->bytes_per_channel >= 0 ? "" : "  idle        ",
		        100 * c->idle_cpu);
}

static void text_figure(const struct figure *f, double value, FILE *to)
{
	fprintf(to, "  %-11s %.3g%s%s%s%s\n", f->name, value,
	        *f->unit ? " " : "", f->unit, *f->help ? " " : "", f->help);
}

static const char *placed(const struct result *r)
{
	static const char *const words[] = {
		[PLACE_FREE] = "placed by the system",
		[PLACE_SAME] = "all on the same one",
		[PLACE_APART] = "each kept on one",
	};

	return words[r->placement];
}

static void text_rest(const struct result *r, FILE *to)
{
	char skew[16];

	if (r->consumers > 1)
		fprintf(to,
		        "  fairness    Jain's index %.3f, least consumer %.2f "
		        "of a fair share\n",
		        result_median(r, sample_jain),
		        result_median(r, sample_least_share));
	for (unsigned i = 0; i < r->figures; i++)
		text_figure(&r->figure[i], result_figure(r, i), to);
	text_beside(r, to);
	if (r->cap == SIZE_MAX)
		fprintf(to, "  channels    unbounded\n");
	else
		fprintf(to, "  channels    of capacity %zu\n", r->cap);
	if (r->warmup.runs && !r->warmup.reached)
		fprintf(to,
		        "  warm-up     not over: runs were still getting "
		        "faster "
		        "after %s\n",
		        text_ns(skew, (double)r->warmup.ns));
	fprintf(to, "  memory      %.1f MB at its peak\n",
	        (double)r->peak_rss_bytes / 1e6);
	fprintf(to, "  start       the last driver began %s after t0\n",
	        text_ns(skew, result_median(r, sample_start_skew)));
	fprintf(to, "  tasks       %u on %u %s, %s%s\n", r->tasks, r->cpus,
	        r->cpus == 1 ? "CPU" : "CPUs", placed(r),
	        is_oversubscribed(r) ? ": oversubscribed, the scheduler is "
	                               "measured too"
	                             : "");
}

void report_text(const struct result *r, FILE *to)
{
	text_cell(r, to);
	peer_print(to, "", r->plan->chan);
	text_verdict(r, to);
	if (!has_figures(r))
		return;
	text_throughput(r, to);
	text_latency(r, to);
	text_cost(r, to);
	text_rest(r, to);
}
