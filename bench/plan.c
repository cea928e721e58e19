#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/plan.h"
#include "cli/text.h"

void plan_init(struct plan *plan, const struct pattern *pattern,
               const struct weft_chan_impl *chan)
{
	*plan = (struct plan){
		.pattern = pattern,
		.chan = chan,
		.reps = 5,
		.time_ns = 100 * WEFT_MS,
		.latency = true,
		.arrivals = ARRIVALS_FIXED,
		.utilization = PLAN_UTILIZATION,
		.seed = 1,
	};
	params_default(pattern, &plan->params);
}

int plan_knob(const struct pattern *pattern, const char *knob)
{
	for (int i = 0; pattern->knobs[i].name; i++)
		if (strcmp(pattern->knobs[i].name, knob) == 0)
			return i;
	return -1;
}

uint64_t plan_items(const struct plan *plan)
{
	int i = plan_knob(plan->pattern, "items");

	return i < 0 ? 0 : (uint64_t)plan->params.value[i];
}

uint64_t plan_items_max(const struct plan *plan)
{
	int i = plan_knob(plan->pattern, "items");
	uint64_t max =
	        i < 0 ? PLAN_ITEMS_MAX : (uint64_t)plan->pattern->knobs[i].max;

	return max < PLAN_ITEMS_MAX ? max : PLAN_ITEMS_MAX;
}

const char *knob_text(const struct knob *knob, int64_t value,
                      char to[KNOB_TEXT_BYTES])
{
	if (knob->choices)
		return knob->choices[value];
	snprintf(to, KNOB_TEXT_BYTES, "%lld", (long long)value);
	return to;
}

void plan_name(const struct plan *plan, bool (*shown)(const struct knob *),
               char *name, size_t name_bytes)
{
	const struct knob *knob = plan->pattern->knobs;
	struct text l = text_in(name, name_bytes);
	char value[KNOB_TEXT_BYTES];

	text_add(&l, "%s/chan:%s", plan->pattern->name, plan->chan->name);
	for (size_t i = 0; knob[i].name; i++)
		if (!shown || shown(&knob[i]))
			text_add(&l, "/%s:%s", knob[i].name,
			         knob_text(&knob[i], plan->params.value[i],
			                   value));
}

static const struct {
	uint64_t bit;
	const char *words;
} capabilities[] = {
	{ WEFT_CAN_BOUNDED, "bounded capacity" },
	{ WEFT_CAN_UNBOUNDED, "unbounded capacity" },
	{ WEFT_CAN_RENDEZVOUS, "capacity 0" },
	{ WEFT_CAN_FIFO, "one order for all" },
	{ WEFT_CAN_PRODUCER_FIFO, "each sender's order" },
	{ WEFT_CAN_SELECT, "select" },
	{ WEFT_CAN_TIMEOUT, "deadlines" },
	{ WEFT_CAN_BATCH, "native batches" },
	{ WEFT_CAN_LEN, "an exact length" },
};

/* What is needed and the channel cannot do; NULL when nothing. */
static const char *lacking(const struct plan *plan, uint64_t needs)
{
	uint64_t missing = needs & ~plan->chan->can;

	for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]);
	     i++)
		if (missing & capabilities[i].bit)
			return capabilities[i].words;
	return missing ? "something this weft has no name for" : NULL;
}

static int too_many(const struct plan *plan, const char *what, unsigned n,
                    unsigned max, char *why, size_t why_bytes)
{
	if (!max || n <= max)
		return 0;
	snprintf(why, why_bytes,
	         "channel %s cannot have %u %s at once (allowed: 1..%u)",
	         plan->chan->name, n, what, max);
	return -EINVAL;
}

static int refuse_lacking(const struct plan *plan, const char *what,
                          uint64_t needs, char *why, size_t why_bytes)
{
	const char *missing = lacking(plan, needs);

	if (!missing)
		return 0;
	snprintf(why, why_bytes,
	         "%s %s needs %s, which channel %s does not have", what,
	         plan->pattern->name, missing, plan->chan->name);
	return -EINVAL;
}

int plan_possible(const struct plan *plan, char *why, size_t why_bytes)
{
	const struct pattern *pattern = plan->pattern;
	const struct weft_chan_impl *chan = plan->chan;
	struct pattern_channel asked = { 0 };
	int err;

	err = refuse_lacking(plan, "pattern", pattern->needs, why, why_bytes);
	if (err)
		return err;
	if ((chan->can & WEFT_NO_DATA) && !pattern->no_data) {
		snprintf(why, why_bytes,
		         "pattern %s needs data, and channel %s moves none",
		         pattern->name, chan->name);
		return -EINVAL;
	}
	err = pattern->accept(&plan->params, why, why_bytes);
	if (err)
		return err;
	pattern->channel(&plan->params, &asked);
	err = refuse_lacking(plan, "this cell of", asked.needs, why, why_bytes);
	if (!err)
		err = weft_chan_impl_accepts(chan, asked.cap, asked.elem_size,
		                             why, why_bytes);
	if (!err)
		err = too_many(plan, "senders", asked.senders,
		               chan->max_senders, why, why_bytes);
	if (!err)
		err = too_many(plan, "receivers", asked.receivers,
		               chan->max_receivers, why, why_bytes);
	return err;
}

int plan_probe(const struct plan *plan, size_t *cap, char *why,
               size_t why_bytes)
{
	struct pattern_channel asked = { 0 };
	struct weft_chan *c;
	int err;

	plan->pattern->channel(&plan->params, &asked);
	err = weft_chan_new(&c, plan->chan, asked.cap, asked.elem_size, NULL);
	if (err) {
		snprintf(why, why_bytes,
		         "channel %s of capacity %zu cannot be made here: %s",
		         plan->chan->name, asked.cap, strerror(-err));
		return err;
	}
	*cap = weft_chan_cap(c);
	weft_chan_unref(c);
	return 0;
}
